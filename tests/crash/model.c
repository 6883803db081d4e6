/* The shadow tree of the power cut test, as text, and the legal contents of its files. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *list, size_t count, size_t size)
{
	if (count & (count - 1))
		return list;
	list = realloc(list, (count ? 2 * count : 1) * size);
	if (!list)
		abort();
	return list;
}

void model_init(struct model *m, unsigned thread)
{
	*m = (struct model){.thread = thread};
	model_step(m, true, 0, 0);
}

struct mnode *model_node(struct model *m, uint32_t id, uint32_t mode)
{
	struct mnode *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	n->id = id;
	n->mode = mode;
	n->next = m->nodes;
	n->create_op = n->meta_op = (uint32_t)m->step_count;
	m->nodes = n;
	return n;
}

struct mentry *model_add(struct model *m, const char *path, struct mnode *n)
{
	struct mentry *e;

	m->entries = grow(m->entries, m->entry_count, sizeof(*m->entries));
	e = &m->entries[m->entry_count++];
	snprintf(e->path, sizeof(e->path), "%s", path);
	e->node = n;
	n->meta_op = (uint32_t)m->step_count;
	return e;
}

void model_remove(struct model *m, struct mentry *e)
{
	e->node->meta_op = (uint32_t)m->step_count;
	*e = m->entries[--m->entry_count];
}

struct mentry *model_find(struct model *m, const char *path)
{
	for (size_t k = 0; k < m->entry_count; k++)
		if (strcmp(m->entries[k].path, path) == 0)
			return &m->entries[k];
	return NULL;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

void model_move(struct model *m, struct mentry *e, const char *to)
{
	char from[160], moved[400];

	snprintf(from, sizeof(from), "%s", e->path);
	snprintf(e->path, sizeof(e->path), "%s", to);
	e->node->meta_op = (uint32_t)m->step_count;
	for (size_t k = 0; k < m->entry_count; k++) {
		struct mentry *c = &m->entries[k];

		if (!is_below(c->path, from))
			continue;
		snprintf(moved, sizeof(moved), "%s%s", to, c->path + strlen(from));
		memcpy(c->path, moved, sizeof(c->path));
	}
}

bool model_can_move(const struct model *m, const struct mentry *e, const char *to)
{
	for (size_t k = 0; k < m->entry_count; k++) {
		const char *path = m->entries[k].path;

		if (is_below(path, e->path) &&
			strlen(to) + strlen(path) - strlen(e->path) >= sizeof(e->path))
			return false;
	}
	return true;
}

bool model_empty(const struct model *m, const char *dir)
{
	for (size_t k = 0; k < m->entry_count; k++)
		if (is_below(m->entries[k].path, dir))
			return false;
	return true;
}

static uint32_t links_of(const struct model *m, const struct mentry *e)
{
	uint32_t links = S_ISDIR(e->node->mode) ? 2 : 0;
	size_t len = strlen(e->path);

	for (size_t k = 0; k < m->entry_count; k++) {
		const struct mentry *c = &m->entries[k];

		if (!S_ISDIR(e->node->mode))
			links += c->node == e->node;
		else if (S_ISDIR(c->node->mode) && is_below(c->path, e->path))
			links += !strchr(c->path + len + 1, '/');
	}
	return links;
}

int model_line(char *out, size_t size, const char *path, uint32_t uid, uint32_t mode,
	uint32_t links, uint32_t xattr, const char *target)
{
	return snprintf(out, size, "%s uid=%u mode=%o links=%u xattr=%u -> %s\n", path, uid, mode,
		links, xattr, target);
}

uint32_t xattr_len(uint32_t version)
{
	static const uint32_t lens[] = {8, 30, 300, XATTR_MAX};

	return lens[version % 4];
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct mentry *)a)->path, ((const struct mentry *)b)->path);
}

static char *model_text(const struct model *m)
{
	size_t size = 64 + m->entry_count * 300, at = 0;
	char *text = malloc(size);

	if (!text)
		abort();
	*text = 0;
	if (m->entry_count)
		qsort(m->entries, m->entry_count, sizeof(*m->entries), by_path);
	for (size_t k = 0; k < m->entry_count; k++) {
		const struct mentry *e = &m->entries[k];
		const struct mnode *n = e->node;

		at += (size_t)model_line(text + at, size - at, e->path, n->id, n->mode,
			links_of(m, e), n->xattr, n->target);
	}
	return text;
}

void model_step(struct model *m, bool changed, size_t begin, size_t end)
{
	struct step s = {.begin = begin, .end = end};

	s.text = changed ? model_text(m) : m->steps[m->step_count - 1].text;
	m->steps = grow(m->steps, m->step_count, sizeof(*m->steps));
	m->steps[m->step_count++] = s;
}

void node_event(struct mnode *n, struct event e)
{
	n->events = grow(n->events, n->event_count, sizeof(*n->events));
	n->events[n->event_count++] = e;
	n->size = e.size;
}

void node_ack(struct mnode *n, uint32_t op, size_t pos)
{
	n->acks = grow(n->acks, n->ack_count, sizeof(*n->acks));
	n->acks[n->ack_count++] = (struct ack){op, pos};
}

void node_replaced(struct mnode *n, uint32_t op)
{
	n->replaced = grow(n->replaced, n->replaced_count, sizeof(*n->replaced));
	n->replaced[n->replaced_count++] = op;
}

void model_ack(struct model *m, uint32_t op, size_t pos)
{
	if (m->ack_count && m->acks[m->ack_count - 1].op > op)
		op = m->acks[m->ack_count - 1].op;
	m->acks = grow(m->acks, m->ack_count, sizeof(*m->acks));
	m->acks[m->ack_count++] = (struct ack){op, pos};
}

unsigned char pattern(uint32_t id, uint32_t op, uint64_t offset)
{
	uint64_t x = (uint64_t)id << 40 ^ (uint64_t)op << 20 ^ offset;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return (unsigned char)(1 + (x >> 32) % 160);
}

static bool moves(const struct event *e)
{
	return e->kind == EVENT_COLLAPSE || e->kind == EVENT_INSERT;
}

static bool touches(const struct event *e, uint64_t at)
{
	if (e->kind == EVENT_TRUNCATE)
		return at >= (e->offset < e->end ? e->offset : e->end);
	return !moves(e) && at >= e->offset && at < e->end;
}

static unsigned char value_of(const struct mnode *n, const struct event *e, uint64_t at)
{
	return e->kind == EVENT_WRITE ? pattern(n->id, e->op, at) : 0;
}

/* Where the byte at *at was before the move; false if that brought it, a zero. */
static bool before_move(const struct event *e, uint64_t *at)
{
	uint64_t len = e->end - e->offset;

	if (e->kind == EVENT_COLLAPSE)
		*at += *at >= e->offset ? len : 0;
	else if (*at >= e->end)
		*at -= len;
	else
		return *at < e->offset;
	return true;
}

/* The byte after events [0, count). */
static unsigned char byte_after(const struct mnode *n, size_t count, uint64_t at)
{
	while (count-- > 0) {
		const struct event *e = &n->events[count];

		if (moves(e) && !before_move(e, &at))
			return 0;
		if (touches(e, at))
			return value_of(n, e, at);
	}
	return 0;
}

/*
 * The byte when [safe, count) are the events that may have come to pass, the moves
 * among them all, of the others any: it is as it was, or what one of them made
 * of it; 0 too where its block was not yet written.
 */
static bool byte_legal_after(
	const struct mnode *n, size_t safe, size_t count, uint64_t at, unsigned got)
{
	uint64_t base = safe ? n->events[safe - 1].size : 0;

	while (count-- > safe) {
		const struct event *e = &n->events[count];

		if (moves(e) && !before_move(e, &at))
			return got == 0;
		if (got == 0 && (touches(e, at) || e->size > base))
			return true;
		if (touches(e, at) && value_of(n, e, at) == got)
			return true;
	}
	return byte_after(n, safe, at) == got;
}

/* A move may have come to pass or not, with all before it; a collapse frees before it moves. */
static bool byte_legal(const struct mnode *n, size_t safe, size_t last, uint64_t at, unsigned got)
{
	if (byte_legal_after(n, safe, last, at, got))
		return true;
	for (size_t k = safe; k < last; k++) {
		const struct event *e = &n->events[k];

		if (!moves(e))
			continue;
		if (byte_legal_after(n, safe, k, at, got))
			return true;
		if (got == 0 && e->kind == EVENT_COLLAPSE && at >= e->offset && at < e->end)
			return true;
	}
	return false;
}

static bool size_legal(
	const struct mnode *n, size_t safe, size_t last, uint64_t size, char *why, size_t why_size)
{
	uint64_t base = safe ? n->events[safe - 1].size : 0, low = base, high = base;

	for (size_t k = safe; k < last; k++) {
		uint64_t s = n->events[k].size;

		low = s < low ? s : low;
		high = s > high ? s : high;
	}
	if (size >= low && size <= high)
		return true;
	snprintf(why, why_size, "file %u: size %" PRIu64 " is not in %" PRIu64 "..%" PRIu64, n->id,
		size, low, high);
	return false;
}

bool node_content_legal(const struct mnode *n, const unsigned char *data, uint64_t size,
	uint32_t safe_op, uint32_t last_op, char *why, size_t why_size)
{
	size_t safe = 0, last = 0;

	while (safe < n->event_count && n->events[safe].op <= safe_op)
		safe++;
	while (last < n->event_count && n->events[last].op <= last_op)
		last++;
	if (!size_legal(n, safe, last, size, why, why_size))
		return false;
	for (uint64_t at = 0; at < size; at++) {
		if (byte_legal(n, safe, last, at, data[at]))
			continue;
		snprintf(why, why_size,
			"file %u: byte %" PRIu64 " of %" PRIu64
			" is %02x, safe value %02x; safe op %u, "
			"last op %u%s",
			n->id, at, size, data[at], byte_after(n, safe, at), safe_op, last_op,
			data[at] == POISON ? "; never written by anyone" : "");
		return false;
	}
	return true;
}

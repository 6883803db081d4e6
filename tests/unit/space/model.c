#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static u64 state;

void rnd_seed(u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 1;
}

u32 rnd(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 16) % n;
}

/* "12-15, 17, 20-30" */
static void clear_ranges(u8 *map, u64 limit, const char *text)
{
	unsigned long long from, to;
	int n;

	while (sscanf(text, " %llu%n", &from, &n) == 1) {
		text += n;
		to = from;
		if (sscanf(text, "-%llu%n", &to, &n) == 1)
			text += n;
		assert_true(to < limit);
		memset(map + from, 0, to - from + 1);
		if (*text == ',')
			text++;
	}
}

static u64 header_value(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void read_group_line(struct model *m, char *line)
{
	unsigned blocks, inodes, dirs;
	char *at;

	if ((at = strstr(line, "Free blocks: ")) && at > line && line[0] == ' ')
		clear_ranges(m->block, m->blocks, at + 13);
	else if ((at = strstr(line, "Free inodes: ")) && line[0] == ' ')
		clear_ranges(m->inode, m->inodes + 1ull, at + 13);
	else if (sscanf(line, " %u free blocks, %u free inodes, %u directories", &blocks, &inodes,
			 &dirs) == 3) {
		m->free_blocks += blocks;
		m->free_inodes += inodes;
		m->dirs += dirs;
	}
}

void model_read(struct model *m, struct fixture *f)
{
	char *out = fixture_run(f, "dumpe2fs %s"), *save = NULL;

	*m = (struct model){.blocks = header_value(out, "\nBlock count:"),
		.inodes = (u32)header_value(out, "\nInode count:"),
		.overhead = header_value(out, "\nOverhead clusters:")};
	m->block = malloc(m->blocks);
	m->inode = malloc(m->inodes + 1ull);
	memset(m->block, 1, m->blocks);
	memset(m->inode, 1, m->inodes + 1ull);
	assert_null(strstr(out, "checksum does not match"));
	for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_group_line(m, line);
	free(out);
}

static void check_super(struct fixture *f, u64 free_blocks, u32 free_inodes)
{
	char *out = fixture_run(f, "dumpe2fs -h %s");

	assert_int_equal(header_value(out, "\nFree blocks:"), free_blocks);
	assert_int_equal(header_value(out, "\nFree inodes:"), free_inodes);
	free(out);
}

void model_free(struct model *m)
{
	free(m->block);
	free(m->inode);
}

static void compare(const struct model *m, struct fixture *f, bool super)
{
	struct model now;
	u64 free_blocks = 0;
	u32 free_inodes = 0;

	model_read(&now, f);
	for (u64 i = 0; i < m->blocks; i++) {
		if ((m->block[i] == 1) != now.block[i])
			fail_msg("block %llu is %s", (unsigned long long)i,
				now.block[i] ? "used" : "free");
		free_blocks += m->block[i] != 1;
	}
	for (u32 i = 1; i <= m->inodes; i++) {
		if (m->inode[i] != now.inode[i])
			fail_msg("inode %u is %s", i, now.inode[i] ? "used" : "free");
		free_inodes += !m->inode[i];
	}
	assert_int_equal(now.free_blocks, free_blocks);
	assert_int_equal(now.free_inodes, free_inodes);
	assert_int_equal(now.dirs, m->dirs);
	if (super)
		check_super(f, free_blocks, free_inodes);
	model_free(&now);
}

void model_compare(const struct model *m, struct fixture *f)
{
	compare(m, f, true);
}

void model_compare_crashed(const struct model *m, struct fixture *f)
{
	compare(m, f, false);
}

void model_move(struct model *m, pblk_t pblk, u32 len, u8 from, u8 to)
{
	assert_true(len > 0 && pblk + len <= m->blocks);
	for (u32 i = 0; i < len; i++) {
		if (m->block[pblk + i] != from)
			fail_msg("block %llu: state %u, expected %u", (unsigned long long)pblk + i,
				m->block[pblk + i], from);
		m->block[pblk + i] = to;
	}
}

void model_commit(struct model *m)
{
	for (u64 i = 0; i < m->blocks; i++)
		if (m->block[i] == 2)
			m->block[i] = 0;
}

int alloc_blocks(struct fixture *f, const struct alloc_request *req, struct alloc_result *got)
{
	struct handle h;
	int err;

	fixture_start(f, &h, SPACE_ALLOC_CREDITS, 0);
	err = space_alloc(&h, &f->v, req, got);
	fixture_stop(&h);
	return err;
}

int drop_blocks(struct fixture *f, pblk_t pblk, u32 len, u32 flags)
{
	struct handle h;
	int err;

	fixture_start(f, &h, space_free_credits(&f->v, len), len);
	err = space_free(&h, &f->v, 12, pblk, len, flags);
	fixture_stop(&h);
	return err;
}

pblk_t bitmap_place(struct fixture *f, u32 group, const char *what)
{
	char command[128], *out, *at;
	pblk_t pblk;

	snprintf(command, sizeof(command), "dumpe2fs %%s | sed -n '/^Group %u:/,/^Group %u:/p'",
		group, group + 1);
	out = fixture_run(f, command);
	at = strstr(out, what);
	assert_non_null(at);
	pblk = strtoull(at + strlen(what), NULL, 10);
	free(out);
	return pblk;
}

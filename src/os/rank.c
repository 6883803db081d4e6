/* The lock checker: see os/rank_check.h. */
#include "os/rank_check.h"

#ifdef UEXT4_DEBUG
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "os/assert.h"
#include "os/thread.h"

#ifdef UEXT4_SIM
struct rank_list *rank_current; /* of the simulated thread that runs */
const void *rank_where;
#define CALLER rank_where
#else
static __thread struct rank_list own; /* no lock: each thread has its own */
#define rank_current (&own)
#define CALLER __builtin_return_address(0)
#endif

static const char *const rank_names[] = {
	[RANK_NONE] = "none",
	[RANK_MOUNT] = "mount",
	[RANK_FREEZE] = "freeze",
	[RANK_RENAME] = "rename",
	[RANK_INODE] = "inode",
	[RANK_INVALIDATE] = "invalidate",
	[RANK_HANDLE] = "handle",
	[RANK_PAGE] = "page",
	[RANK_XATTR] = "xattr",
	[RANK_ORPHAN] = "orphan",
	[RANK_FILEMAP] = "filemap",
	[RANK_STATUS] = "status",
	[RANK_GROUP] = "group",
	[RANK_INODE_META] = "inode meta",
	[RANK_BUFFER] = "buffer",
	[RANK_JOURNAL] = "journal",
	[RANK_CACHE] = "cache",
	[RANK_LEAF] = "leaf",
};

static const char *rank_name(enum lock_rank rank)
{
	return rank < array_len(rank_names) && rank_names[rank] ? rank_names[rank] : "?";
}

void rank_describe(const struct rank_entry *h, char *out, size_t size)
{
	Dl_info at;

	if (!dladdr(h->where, &at) || !at.dli_fname)
		at = (Dl_info){.dli_fname = "?", .dli_fbase = NULL};
	snprintf(out, size, "%s %p [rank %s, order %u%s] at %s+%#lx", h->name ? h->name : "?",
		h->lock, rank_name(h->rank), h->order, h->mode == RANK_SHARED ? ", shared" : "",
		at.dli_fname, (unsigned long)((const char *)h->where - (const char *)at.dli_fbase));
}

static void broken(const char *rule, const struct rank_entry *wanted,
	const struct rank_entry *other) __attribute__((noreturn, cold));

static void broken(
	const char *rule, const struct rank_entry *wanted, const struct rank_entry *other)
{
	char want[256], have[256] = "", message[640];

	rank_describe(wanted, want, sizeof(want));
	if (other)
		rank_describe(other, have, sizeof(have));
	snprintf(message, sizeof(message), "%s: %s%s%s", rule, want, other ? "; holding " : "",
		have);
	os_bug(message, __FILE__, __LINE__);
}

static struct rank_entry *find(const void *lock)
{
	for (unsigned i = rank_current->count; i-- > 0;)
		if (rank_current->held[i].lock == lock)
			return &rank_current->held[i];
	return NULL;
}

void rank_check(const void *lock, enum lock_rank rank, unsigned order, const char *name)
{
	struct rank_entry want = {lock, name, CALLER, rank, order, RANK_EXCLUSIVE};

	for (unsigned i = 0; i < rank_current->count; i++) {
		const struct rank_entry *h = &rank_current->held[i];

		if (h->lock == lock)
			broken("lock taken twice by one thread", &want, h);
		if (rank == RANK_NONE || h->rank < rank)
			continue;
		if (h->rank > rank)
			broken("lock rank violated", &want, h);
		if (h->order >= order)
			broken("lock order within one rank violated", &want, h);
	}
}

void rank_push(const void *lock, enum lock_rank rank, unsigned order, const char *name,
	enum rank_mode mode)
{
	struct rank_entry got = {lock, name, CALLER, rank, order, mode};

	if (rank_current->count == RANK_HELD_MAX)
		broken("too many locks held", &got, NULL);
	rank_current->held[rank_current->count++] = got;
	os_thread_self(); /* arms the check at thread exit */
}

void rank_pop(const void *lock, enum rank_mode mode, const char *name)
{
	struct rank_entry want = {lock, name, CALLER, RANK_NONE, 0, mode};
	struct rank_entry *h = find(lock);

	if (!h)
		broken("unlock of a lock that this thread does not hold", &want, NULL);
	if (h->mode != mode)
		broken("unlock in another mode than locked", &want, h);
	rank_current->count--;
	memmove(h, h + 1, (char *)&rank_current->held[rank_current->count] - (char *)h);
}

void rank_downgrade(const void *lock, const char *name)
{
	struct rank_entry want = {lock, name, CALLER, RANK_NONE, 0, RANK_EXCLUSIVE};
	struct rank_entry *h = find(lock);

	if (!h || h->mode != RANK_EXCLUSIVE)
		broken("downgrade of a lock not held exclusively", &want, h);
	h->mode = RANK_SHARED;
}

bool rank_held(const void *lock, bool shared)
{
	const struct rank_entry *h = find(lock);

	return h && (shared || h->mode == RANK_EXCLUSIVE);
}

void rank_assert_none_from(enum lock_rank rank)
{
	struct rank_entry want = {NULL, "a wait that forbids it", CALLER, rank, 0, RANK_PSEUDO};

	for (unsigned i = 0; i < rank_current->count; i++)
		if (rank_current->held[i].rank >= rank)
			broken("lock held too long", &want, &rank_current->held[i]);
}

void rank_thread_exit(void)
{
	if (rank_current->count)
		broken("thread ends with a lock held", &rank_current->held[rank_current->count - 1],
			NULL);
}

void rank_dump(int fd)
{
	char line[300];
	unsigned count = rank_current->count;

	rank_current->count = 0; /* a second failure must not come back here */
	for (unsigned i = 0; i < count; i++) {
		rank_describe(&rank_current->held[i], line, sizeof(line));
		dprintf(fd, "uext4:   held: %s\n", line);
	}
}

#else
typedef int rank_unused;
#endif

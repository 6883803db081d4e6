/*
 * load SPEC SEED COUNT [TRACE]: COUNT seeded operations of every kind on a tree. The same
 * seed does the same operations on every backend and every starting tree of
 * the same names; TRACE gets each operation with its result, so that two
 * backends can be compared call by call.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define NAME_KINDS 60
#define DEPTH 3
#define WRITE_MAX 200000

static const struct backend *b;
static uint64_t state;
static FILE *trace;
static char data[WRITE_MAX];

static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(next() % n);
}

/* Short, long, and with bytes above 0x7f, whose sign matters to the hash (DR-5). */
static void name_make(char *out, char kind)
{
	uint32_t k = below(NAME_KINDS);

	if (k % 10 == 7)
		sprintf(out, "%c%u_%0*u", kind, k, (int)(50 + k * 3), k);
	else if (k % 10 == 8)
		sprintf(out, "%c\xc3\xa9\xf0\x9f\x98\x80%u", kind, k);
	else
		sprintf(out, "%c%u", kind, k);
}

/* d/d/f: directories are few, so that they collide and fill. */
static void path_make(char *out, char kind)
{
	uint32_t depth = below(DEPTH);

	*out = 0;
	for (uint32_t k = 0; k < depth; k++)
		sprintf(out + strlen(out), "d%u/", below(4));
	if (kind == 'd')
		sprintf(out + strlen(out), "d%u", below(6));
	else
		name_make(out + strlen(out), kind);
}

static char any_kind(void)
{
	return "ffffds"[below(6)];
}

static uint32_t random_mode(void)
{
	return below(4) ? 0644 : below(010000);
}

static ssize_t op_create(const char *p, const char *q)
{
	return b->create(p, S_IFREG | random_mode(), 0, 0);
}

static ssize_t op_mkdir(const char *p, const char *q)
{
	return b->create(p, S_IFDIR | 0755, 0, 0);
}

static ssize_t op_mknod(const char *p, const char *q)
{
	static const uint32_t types[] = {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
	uint32_t type = types[below(4)];
	bool device = type == S_IFCHR || type == S_IFBLK;

	return b->create(p, type | 0600, device ? below(300) : 0, device ? below(70000) : 0);
}

static ssize_t op_symlink(const char *p, const char *q)
{
	static const uint32_t lens[] = {1, 20, 59, 60, 61, 200, 1000};
	char target[1024];
	uint32_t len = lens[below(7)];

	memset(target, 'a' + (int)below(26), len);
	target[len] = 0;
	return b->symlink(target, p);
}

static ssize_t op_write(const char *p, const char *q)
{
	uint32_t len = below(10) ? below(20000) : below(WRITE_MAX);
	uint64_t at = below(8)	 ? below(60000)
		      : below(5) ? below(2000000)
				 : (uint64_t)below(10) << 22;

	memset(data, (int)below(256), len);
	return b->write(p, data, len, at, below(20) == 0);
}

static ssize_t op_truncate(const char *p, const char *q)
{
	return b->truncate(p, below(4) ? below(80000) : below(3000000));
}

/* All modes (IO-100); half of the ranges are whole blocks, as collapse and insert want them. */
static ssize_t op_fallocate(const char *p, const char *q)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE, FALLOC_FL_PUNCH_HOLE};
	int mode = modes[below(8)];
	uint64_t at = below(4) ? below(60000) : below(2000000),
		 len = 1 + below(below(4) ? 20000 : 200000);
	struct node n;
	int r;

	if (below(2)) {
		at &= ~4095ull;
		len = (len + 4095) & ~4095ull;
	}
	r = b->fallocate(p, mode, at, len);
	if (trace && b->stat(p, &n) == 0 && S_ISREG(n.mode))
		fprintf(trace, "size %" PRIu64 " ", n.size);
	return r;
}

static ssize_t op_unlink(const char *p, const char *q)
{
	return b->unlink(p, false);
}

static ssize_t op_rmdir(const char *p, const char *q)
{
	return b->unlink(p, true);
}

static ssize_t op_link(const char *p, const char *q)
{
	return b->link(p, q);
}

/* RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT */
static ssize_t op_rename(const char *p, const char *q)
{
	static const unsigned flags[] = {0, 0, 0, 1, 2, 4};

	return b->rename(p, q, flags[below(6)]);
}

static ssize_t op_chmod(const char *p, const char *q)
{
	struct node n;

	if (b->stat(p, &n) == 0 && S_ISLNK(n.mode))
		return 0;
	return b->chmod(p, below(010000));
}

static ssize_t op_chown(const char *p, const char *q)
{
	return b->chown(p, below(3) ? below(1000) : below(0x7fffffff), below(100000));
}

static ssize_t op_utimens(const char *p, const char *q)
{
	static const int64_t secs[] = {
		0, -1, 1, 0x7fffffff, 0x80000000ll, 0x1ffffffffll, 1700000000};
	struct timespec a = {secs[below(7)], below(1000000000)},
			m = {secs[below(7)], below(1000000000)};

	return b->utimens(p, a, m);
}

static void xattr_name(char *out)
{
	static const char *const prefix[] = {"user.", "trusted.", "security."};

	sprintf(out, "%sn%u%.*s", prefix[below(3)], below(12), (int)below(60),
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static ssize_t op_setxattr(const char *p, const char *q)
{
	char name[128];
	uint32_t len = below(4) ? below(100) : below(2500);
	struct node n;

	xattr_name(name);
	/* e2fsck 1.47.0 takes a fast symlink whose attribute lies in an EA inode for a damaged one.
	 */
	if (len > 100 && b->stat(p, &n) == 0 && S_ISLNK(n.mode))
		len = 100;
	memset(data, (int)below(256), len);
	return b->setxattr(p, name, data, len, below(5) ? 0 : 1 + (int)below(2));
}

static ssize_t op_removexattr(const char *p, const char *q)
{
	char name[128];

	xattr_name(name);
	return b->removexattr(p, name);
}

/* A version 2 access or default ACL: user:1000 and a mask besides the three basic entries. */
static ssize_t op_acl(const char *p, const char *q)
{
	struct entry {
		uint16_t tag, perm;
		uint32_t id;
	} __attribute__((packed));
	struct {
		uint32_t version;
		struct entry e[5];
	} __attribute__((packed))
	acl = {2, {{1, 7, -1u}, {2, (uint16_t)below(8), 1000 + below(3)}, {4, 5, -1u},
			  {0x10, (uint16_t)below(8), -1u}, {0x20, (uint16_t)below(8), -1u}}};
	const char *name = below(3) ? "system.posix_acl_access" : "system.posix_acl_default";

	return below(4) ? b->setxattr(p, name, &acl, sizeof(acl), 0) : b->removexattr(p, name);
}

static ssize_t op_read(const char *p, const char *q)
{
	uint32_t at = below(100000);
	ssize_t n = b->read(p, data, below(50000), at);
	uint64_t sum = 0;

	for (ssize_t k = 0; k < n; k++)
		sum = sum * 31 + (unsigned char)data[k];
	if (trace && n > 0)
		fprintf(trace, "%" PRIx64 " ", sum);
	return n;
}

static ssize_t op_sync(const char *p, const char *q)
{
	return below(4) ? 0 : b->sync();
}

static const struct op {
	const char *name;
	ssize_t (*run)(const char *p, const char *q);
	unsigned weight;
	char kind; /* of the first path; 0 = any */
} ops[] = {
	{"create", op_create, 20, 'f'},
	{"mkdir", op_mkdir, 8, 'd'},
	{"mknod", op_mknod, 2, 's'},
	{"symlink", op_symlink, 5, 's'},
	{"write", op_write, 25, 'f'},
	{"truncate", op_truncate, 6, 'f'},
	{"fallocate", op_fallocate, 12, 'f'},
	{"unlink", op_unlink, 10, 0},
	{"rmdir", op_rmdir, 3, 'd'},
	{"link", op_link, 4, 'f'},
	{"rename", op_rename, 10, 0},
	{"chmod", op_chmod, 4, 0},
	{"chown", op_chown, 4, 0},
	{"utimens", op_utimens, 4, 0},
	{"setxattr", op_setxattr, 8, 0},
	{"removexattr", op_removexattr, 4, 0},
	{"acl", op_acl, 4, 0},
	{"read", op_read, 5, 'f'},
	{"sync", op_sync, 1, 'f'},
};

static const struct op *pick(void)
{
	unsigned total = 0, at;

	for (size_t k = 0; k < sizeof(ops) / sizeof(*ops); k++)
		total += ops[k].weight;
	at = below(total);
	for (size_t k = 0;; k++) {
		if (at < ops[k].weight)
			return &ops[k];
		at -= ops[k].weight;
	}
}

int main(int argc, char **argv)
{
	unsigned long count, done = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: load SPEC SEED COUNT [TRACE]\n");
		return 2;
	}
	b = backend_open(argv[1]);
	state = strtoull(argv[2], NULL, 0);
	count = strtoul(argv[3], NULL, 0);
	if (argc > 4)
		trace = fopen(argv[4], "w");
	for (unsigned long k = 0; k < count; k++) {
		const struct op *op = pick();
		uint64_t after = state + 0x1234567;
		char p[1024], q[1024];
		ssize_t r;

		path_make(p, op->kind ? op->kind : any_kind());
		path_make(q, any_kind());
		r = op->run(p, q);
		done += r >= 0;
		if (trace)
			fprintf(trace, "%lu %s %s %s = %zd\n", k, op->name, p, q, r);
		if (r == -EIO || r == -EUCLEAN || r == -EBADMSG || r == -EROFS) {
			fprintf(stderr, "load: %s %s %s: %s\n", op->name, p, q, strerror((int)-r));
			return 1;
		}
		state = after; /* whatever an operation drew, the next one starts the same */
	}
	if (trace)
		fclose(trace);
	printf("%lu of %lu operations did something\n", done, count);
	return b->close() < 0;
}

#include "inode/inode_test.h"

#include "iomap/pagecache.h"

#include <unistd.h>

const struct cred it_root = {.privileged = true};

static void populate(struct inode_test *t)
{
	char script[96], command[200];
	FILE *out;

	snprintf(script, sizeof(script), "%s.cmd", t->f.path);
	out = fopen(script, "w");
	assert_non_null(out);
	for (u32 k = 0; k < t->files; k++)
		fprintf(out, "write /dev/null f%u\n", k);
	for (u32 k = 0; k < t->dirs; k++)
		fprintf(out, "mkdir d%u\n", k);
	fclose(out);
	snprintf(command, sizeof(command), "debugfs -w -f %s %%s", script);
	free(fixture_run(&t->f, command));
	unlink(script);
}

static ino_nr number_of(struct inode_test *t, const char *name)
{
	char command[300], *out, *at;
	ino_nr ino;

	snprintf(command, sizeof(command), "stat %s", name);
	out = it_debugfs(t, command, false);
	at = strstr(out, "Inode: ");
	assert_non_null(at);
	ino = (ino_nr)strtoul(at + 7, NULL, 10);
	free(out);
	return ino;
}

void it_make(struct inode_test *t, u64 bytes, const char *options, u32 files, u32 dirs)
{
	*t = (struct inode_test){.files = files, .dirs = dirs};
	fixture_make(&t->f, bytes, options);
	populate(t);
	if (files)
		t->file = number_of(t, "f0");
	if (dirs)
		t->dir = number_of(t, "d0");
}

char *it_debugfs(struct inode_test *t, const char *command, bool write)
{
	char line[400];

	snprintf(line, sizeof(line), "debugfs %s -R '%s' %%s", write ? "-w" : "", command);
	return fixture_run(&t->f, line);
}

static int rooms_up(struct inode_test *t)
{
	struct volume *v = &t->f.v;
	struct icache_params ip = {.max_unused = t->max_unused};
	struct page_cache_params pp = {.dev = v->dev,
		.block_size = v->sb.block_size,
		.max_bytes = 4 << 20,
		.log = &v->log};
	int err;

	assert_int_equal(page_cache_create(&pp, &v->pages), 0);
	assert_int_equal(icache_create(v, &ip), 0);
	err = orphans_create(v);
	if (err) {
		icache_destroy(v);
		page_cache_destroy(v->pages);
	}
	return err;
}

int it_try_up(struct inode_test *t, u32 flags)
{
	int err = fixture_try_mount(&t->f, flags);

	if (err)
		return err;
	err = rooms_up(t);
	if (err)
		fixture_crash(&t->f);
	return err;
}

void it_up(struct inode_test *t, u32 flags)
{
	assert_int_equal(it_try_up(t, flags), 0);
}

static void rooms_down(struct inode_test *t)
{
	struct volume *v = &t->f.v;

	assert_int_equal(icache_shrink(v, 0), 0);
	orphans_destroy(v);
	icache_destroy(v);
	page_cache_destroy(v->pages);
}

void it_down(struct inode_test *t)
{
	rooms_down(t);
	fixture_unmount(&t->f);
}

void it_crash(struct inode_test *t)
{
	journal_abort(t->f.v.journal, -EIO);
	rooms_down(t);
	fixture_crash(&t->f);
}

void it_end(struct inode_test *t)
{
	it_down(t);
	fixture_fsck(&t->f);
	fixture_remove(&t->f);
}

static struct inode *get(struct inode_test *t, ino_nr ino)
{
	struct inode *i = NULL;

	assert_int_equal(inode_get(&t->f.v, ino, &i), 0);
	return i;
}

struct inode *it_file(struct inode_test *t, u32 n)
{
	assert_true(n < t->files);
	return get(t, t->file + n);
}

struct inode *it_dir(struct inode_test *t, u32 n)
{
	assert_true(n < t->dirs);
	return get(t, t->dir + n);
}

void it_fill_file(struct inode_test *t, u32 n, u64 bytes)
{
	char command[256];

	snprintf(command, sizeof(command), "head -c %llu /dev/zero | tr '\\0' x > %s.data",
		(unsigned long long)bytes, t->f.path);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "rm f%u", n);
	free(it_debugfs(t, command, true));
	snprintf(command, sizeof(command), "write %s.data f%u", t->f.path, n);
	free(it_debugfs(t, command, true));
	snprintf(command, sizeof(command), "f%u", n);
	assert_int_equal(number_of(t, command), t->file + n);
	snprintf(command, sizeof(command), "%s.data", t->f.path);
	unlink(command);
}

void it_unname(struct inode_test *t, u32 n)
{
	char command[32];

	snprintf(command, sizeof(command), "unlink f%u", n);
	free(it_debugfs(t, command, true));
}

void it_unlink(struct inode *i)
{
	struct handle h;

	assert_int_equal(
		handle_start(i->volume->journal, &h, ORPHAN_CREDITS + INODE_DIRTY_CREDITS, 0), 0);
	inode_clear_links(i);
	assert_int_equal(orphan_add(&h, i), 0);
	assert_int_equal(inode_dirty(&h, i), 0);
	assert_int_equal(handle_stop(&h), 0);
}

u64 it_raw_offset(struct inode_test *t, ino_nr ino)
{
	char command[64], *out, *at;
	u64 block, offset;
	struct le32 log_size;

	snprintf(command, sizeof(command), "imap <%u>", ino);
	out = it_debugfs(t, command, false);
	at = strstr(out, "located at block ");
	assert_non_null(at);
	block = strtoull(at + 17, &at, 10);
	at = strstr(at, "offset ");
	assert_non_null(at);
	offset = strtoull(at + 7, NULL, 16);
	free(out);
	fixture_peek(&t->f, 1024 + 0x18, &log_size, 4);
	return (block << (10 + le32_to_cpu(log_size))) + offset;
}

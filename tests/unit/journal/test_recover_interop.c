/*
 * Recovery of logs that others wrote: the kernel, stopped in the middle, and
 * debugfs. What e2fsck's replay leaves must be the same in every block; then
 * e2fsck must find nothing but orphans to repair, and the kernel must show the
 * same tree as after its own recovery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/util.h"
#include "image_recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHUTDOWN _IOR('X', 125, u32)
#define LOGFLUSH 1
#define NOLOGFLUSH 2

static char dir[64];

struct config {
	const char *name;
	const char *mkfs;
	const char *options; /* of mount */
	bool external;
	bool fast_commit;
};

static const struct config configs[] = {
	{"v3-64bit-4k", "-b 4096 -J size=4", "", false, false},
	{"v3-1k", "-b 1024 -J size=1", "", false, false},
	{"v3-32bit-2k", "-b 2048 -J size=2 -O ^64bit", "", false, false},
	{"none-32bit-1k", "-b 1024 -J size=1 -O ^64bit,^metadata_csum", "", false, false},
	{"none-64bit-1k", "-b 1024 -J size=1 -O ^metadata_csum", "", false, false},
	{"v1-1k", "-b 1024 -J size=1 -O ^metadata_csum", "journal_checksum", false, false},
	{"v1-async-1k", "-b 1024 -J size=1 -O ^metadata_csum",
		"journal_async_commit,data=writeback", false, false},
	{"v3-async-1k", "-b 1024 -J size=1", "journal_async_commit,data=writeback", false, false},
	{"data-journal-1k", "-b 1024 -J size=2", "data=journal", false, false},
	{"orphan-file-4k", "-b 4096 -J size=4 -O orphan_file,metadata_csum_seed", "", false, false},
	{"indirect-1k", "-b 1024 -J size=1 -O ^extents,^64bit,^metadata_csum,^flex_bg", "", false,
		false},
	{"external-1k", "-b 1024", "", true, false},
};

static const char workload[] =
	"cd %s/mnt || exit 1\n"
	"for r in 1 2 3 4 5 6 7 8; do\n"
	"  mkdir -p d$r/sub; echo one$r >d$r/file\n"
	"  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >d$r/f$i; ln d$r/f$i d$r/sub/l$i; done\n"
	"  ln -s /a/rather/long/target/that/does/not/fit/into/the/inode/itself/$r d$r/slow\n"
	"  printf '\\300\\073\\071\\230 begins with the magic' >d$r/magic\n"
	"  mkdir d$r/t1 d$r/t2 d$r/t3\n"
	"  sync d$r/f1\n"
	"  rm -r d$r/sub d$r/t1 d$r/t2; [ $r -gt 2 ] && rm -r d$((r - 2))\n"
	"  head -c 30000 /dev/urandom >d$r/big; mv d$r/f3 d$r/moved; sync d$r; :>d$r/big\n"
	"  head -c 9000 /dev/urandom >>d$r/f5; sync d$r/f5\n"
	"done\n";

static void check(int status, const char *what, const struct config *c)
{
	if (status)
		fail_msg("%s: %s: status %d", c->name, what, status);
}

static void shut_down(u32 how)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/mnt", dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SHUTDOWN, &how), 0);
	close(fd);
	/* Now, for unmount and sync also write home what is not yet there. */
	assert_int_equal(
		sh("cd %s && cp base frozen && { [ ! -f log ] || cp log log.frozen; }", dir), 0);
}

static void drop_log_device(void)
{
	sh("cd %s && [ -f logdev ] && losetup -d $(cat logdev); rm -f log logdev", dir);
}

static void make_image(const struct config *c)
{
	drop_log_device();
	if (!c->external) {
		check(sh("cd %s && rm -f base && truncate -s 32M base && mke2fs -q -F -t ext4 %s "
			 "base",
			      dir, c->mkfs),
			"mke2fs", c);
		return;
	}
	check(sh("cd %s && rm -f base log && truncate -s 32M base && truncate -s 2M log && "
		 "mke2fs -q -F -O journal_dev -b 1024 log && losetup -f --show log >logdev && "
		 "mke2fs -q -F -t ext4 %s -J device=$(cat logdev) base",
		      dir, c->mkfs),
		"mke2fs", c);
}

static void mount_image(const struct config *c, const char *image)
{
	check(sh("cd %s && o=loop%s%s; [ -f logdev ] && o=$o,journal_path=$(cat logdev); "
		 "mount -t ext4 -o $o %s mnt",
		      dir, c->options[0] ? "," : "", c->options, image),
		"mount", c);
}

static void unmount(void)
{
	assert_int_equal(sh("umount %s/mnt", dir), 0);
}

/* Back to the moment of shut_down. */
static void thaw(const struct config *c)
{
	check(sh("cd %s && mv frozen base && { [ ! -f log ] || { cp log.frozen log.saved && "
		 "dd if=log.frozen of=$(cat logdev) status=none conv=fsync; }; }",
		      dir),
		"thaw", c);
}

/* Cuts the work off in the middle, wherever that is. */
static void cut_workload(void)
{
	char path[128];
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(path, sizeof(path), "exec %s/work >/dev/null 2>&1", dir);
		execl("/bin/sh", "sh", "-c", path, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	usleep(300000);
	shut_down(NOLOGFLUSH);
	waitpid(pid, NULL, 0);
}

/* The state of base (and log) as power would have left it after some of the work. */
static void make_dirty(const struct config *c, u32 round)
{
	make_image(c);
	mount_image(c, "base");
	if (round == 2) {
		cut_workload();
	} else {
		check(sh("%s/work", dir), "workload", c);
		shut_down(round ? NOLOGFLUSH : LOGFLUSH);
	}
	unmount();
	thaw(c);
}

static void write_workload(void)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/work", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n");
	fprintf(f, workload, dir);
	fclose(f);
	assert_int_equal(sh("chmod +x %s", path), 0);
}

static void read_log_device(char *out, int size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/logdev", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(out, size, f));
	out[strcspn(out, "\n")] = 0;
	fclose(f);
}

static void recover_copy(const struct config *c, const char *name)
{
	struct image_recovery r;
	char path[128], log[128];
	int err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (c->external)
		read_log_device(log, sizeof(log));
	err = image_recover(path, c->external ? log : NULL, &r);
	if (err || !r.was_dirty)
		fail_msg("%s: recovery: error %d, dirty %d: %s", c->name, err, r.was_dirty,
			r.message);
}

/* Contents, types, modes and link counts of the mounted tree, in one line per name. */
static void list_tree(const char *out)
{
	assert_int_equal(sh("cd %s/mnt && { find . -printf '%%p %%y %%m %%n %%s %%l\\n' | sort; "
			    "find . -type f ! -path './lost+found/*' -print0 | sort -z | xargs -0r "
			    "md5sum; } "
			    ">../%s",
				 dir, out),
		0);
}

static void tree_of(const struct config *c, const char *image, const char *out)
{
	mount_image(c, image);
	list_tree(out);
	unmount();
}

/* OC-3: after our replay nothing may be left to repair but orphans and counts in the superblock. */
static void check_by_e2fsck(const struct config *c, const char *image)
{
	int status = sh("cd %s && e2fsck -fy %s %s >fsck.out 2>&1", dir,
		c->external ? "-j $(cat logdev)" : "", image);

	if (status > 1 || sh("cd %s && grep -v -e '^e2fsck ' -e '^Pass ' -e '[Oo]rphan' -e '^$' -e "
			     "'^Fix? yes' -e '^Clear? yes' "
			     "-e '^Free .* count wrong ([0-9]*, counted=' -e 'recovering journal' "
			     "-e 'WAS MODIFIED' -e ' files (.*blocks$' fsck.out",
				  dir) == 0)
		fail_msg("%s: e2fsck status %d", c->name, status);
	check(sh("cd %s && e2fsck -fn %s %s >fsck.out 2>&1", dir,
		      c->external ? "-j $(cat logdev)" : "", image),
		"second e2fsck", c);
}

static void compare_all(const struct config *c)
{
	s64 diff;
	char a[128], b[128];

	check(sh("cd %s && cp base ours && cp base theirs && cp base kernel", dir), "copy", c);
	recover_copy(c, "ours");
	if (c->external)
		check(sh("cd %s && dd if=log.saved of=$(cat logdev) "
			 "status=none conv=fsync",
			      dir),
			"copy", c);
	if (sh("cd %s && e2fsck -E journal_only -y %s theirs >fsck.out 2>&1", dir,
		    c->external ? "-j $(cat logdev)" : "") > 1)
		fail_msg("%s: e2fsck can't replay", c->name);
	snprintf(a, sizeof(a), "%s/ours", dir);
	snprintf(b, sizeof(b), "%s/theirs", dir);
	diff = image_compare(a, b);
	if (diff >= 0)
		fail_msg("%s: block %lld differs from e2fsck's replay", c->name, (long long)diff);
}

/* The kernel's own recovery of the same state, then ours as the kernel sees it. */
static void compare_trees(const struct config *c)
{
	if (c->external)
		check(sh("cd %s && dd if=log.saved of=$(cat logdev) status=none conv=fsync", dir),
			"copy", c);
	tree_of(c, "kernel", "tree.kernel");
	if (c->external) {
		check(sh("cd %s && dd if=log.saved of=$(cat logdev) status=none conv=fsync", dir),
			"copy", c);
		check(sh("cd %s && cp base ours", dir), "copy", c);
		recover_copy(c, "ours");
	}
	check(sh("cd %s && cp ours checked", dir), "copy", c);
	tree_of(c, "ours", "tree.ours");
	check(sh("cd %s && cmp tree.kernel tree.ours", dir), "trees", c);
	check_by_e2fsck(c, c->external ? "ours" : "checked");
}

static void test_kernel_logs(void **state)
{
	u32 i, round;

	for (i = 0; i < array_len(configs); i++)
		for (round = 0; round < 3; round++) {
			make_dirty(&configs[i], round);
			compare_all(&configs[i]);
			compare_trees(&configs[i]);
		}
	drop_log_device();
}

/*
 * RC-16: pending fast commits refuse; those that a full commit has superseded do not. Linux is the
 * judge: e2fsck takes the log of such an image for longer than it is (OC-6).
 */
static void test_RC_16_kernel_fast_commits(void **state)
{
	static const struct config c = {
		"fast-commit", "-b 1024 -O fast_commit -J size=4", "", false, true};
	struct image_recovery r;
	char path[128];
	u32 full;

	snprintf(path, sizeof(path), "%s/ours", dir);
	for (full = 0; full < 2; full++) {
		make_image(&c);
		mount_image(&c, "base");
		check(sh("cd %s/mnt && mkdir a b && echo x >a/x && sync && echo y >a/y && "
			 "echo z >a/z && sync a/y a/z",
			      dir),
			"workload", &c);
		if (full)
			check(sh("cd %s/mnt && mkdir c && sync", dir), "workload", &c);
		shut_down(NOLOGFLUSH);
		unmount();
		thaw(&c);
		check(sh("cd %s && cp base ours && cp base kernel", dir), "copy", &c);
		assert_int_equal(image_recover(path, NULL, &r), full ? 0 : -EOPNOTSUPP);
		if (!full) {
			assert_non_null(strstr(r.message, "fast commit"));
			check(sh("cd %s && cmp base ours", dir), "untouched", &c);
			continue;
		}
		tree_of(&c, "kernel", "tree.kernel");
		tree_of(&c, "ours", "tree.ours");
		check(sh("cd %s && cmp tree.kernel tree.ours", dir), "trees", &c);
	}
}

/* Logs made by debugfs: checksum versions, revokes in between, one without commit. */
static void test_debugfs_logs(void **state)
{
	static const struct config kinds[] = {
		{"debugfs-none", "-b 1024 -O ^metadata_csum,^64bit", "jo", false, false},
		{"debugfs-none-64", "-b 1024 -O ^metadata_csum,64bit", "jo", false, false},
		{"debugfs-v1", "-b 1024 -O ^metadata_csum,^64bit", "jo -c", false, false},
		{"debugfs-v1-64", "-b 1024 -O ^metadata_csum,64bit", "jo -c", false, false},
		{"debugfs-v2", "-b 1024 -O metadata_csum,^64bit", "jo -c -v 2", false, false},
		{"debugfs-v2-64", "-b 4096 -O metadata_csum,64bit", "jo -c -v 2", false, false},
		{"debugfs-v3", "-b 4096 -O metadata_csum,^64bit", "jo -c -v 3", false, false},
		{"debugfs-v3-64", "-b 1024 -O metadata_csum,64bit", "jo -c -v 3", false, false},
	};
	u32 i;

	for (i = 0; i < array_len(kinds); i++) {
		const struct config *c = &kinds[i];

		make_image(c);
		check(sh("cd %s && head -c 600000 /dev/urandom >data && "
			 "printf '\\300\\073\\071\\230' | dd of=data conv=notrunc status=none && "
			 "{ echo %s; for n in 1 2 3; do for at in 7000 7010 7050; do "
			 "echo jw -b $at-$((at + 9 * n)) %s/data; %s "
			 "done; done; echo jw -b 7400-7520 %s/data; echo jc; } >cmds && "
			 "debugfs -w -f cmds base >debugfs.out 2>&1",
			      dir, c->options, dir,
			      /* 1.47.0 miscounts the checksum of a v1 commit after revokes */
			      strcmp(c->options, "jo -c") ? "echo jw -r $((at + n));" : "", dir),
			"debugfs", c);
		compare_all(c);
	}
}

/* One damaged byte: refused here exactly when Linux refuses; else the trees are the same. */
static void compare_damage(const struct config *c, u32 log_block, u32 offset)
{
	char ours[128], kernel[128];
	struct image_recovery r;
	int err, status;

	snprintf(ours, sizeof(ours), "%s/ours", dir);
	snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
	check(sh("cd %s && cp base ours", dir), "copy", c);
	image_poke_log(ours, log_block, offset, 0x10);
	check(sh("cd %s && cp ours kernel", dir), "copy", c);
	err = image_recover(ours, NULL, &r);
	status = sh("cd %s && mount -t ext4 -o loop kernel mnt 2>/dev/null", dir);
	if (!status) {
		list_tree("tree.kernel");
		unmount();
	}
	if (!err != !status)
		fail_msg("%s: log block %u offset %u: ours %d (%s), mount %d", c->name, log_block,
			offset, err, r.message, status);
	if (err)
		return;
	tree_of(c, "ours", "tree.ours");
	if (sh("cd %s && cmp tree.kernel tree.ours", dir))
		fail_msg("%s: log block %u offset %u: another tree", c->name, log_block, offset);
}

/* RC-3, RC-6, RC-7: the kernel's verdict over a damaged log is ours. */
static void test_RC_6_same_verdict_as_linux(void **state)
{
	static const struct config kinds[] = {
		{"damage-v3", "-b 1024 -J size=1", "", false, false},
		{"damage-v1", "-b 1024 -J size=1 -O ^metadata_csum", "journal_checksum", false,
			false},
	};
	static const u32 offsets[] = {0, 5, 9, 0x0d, 0x12, 0x31, 0x36, 0x40, 700, 1022};
	char base[128];
	u32 i, k;

	snprintf(base, sizeof(base), "%s/base", dir);
	for (i = 0; i < array_len(kinds); i++) {
		make_dirty(&kinds[i], 0);
		for (k = 0; k < 40; k++)
			compare_damage(&kinds[i], image_log_field(base, 0x1c) + k % 30,
				offsets[(k + k / 7) % array_len(offsets)]);
	}
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/uext4-recover-XXXXXX");
	if (!mkdtemp(dir) || sh("mkdir %s/mnt", dir))
		return -1;
	write_workload();
	return 0;
}

static int tear_down(void **state)
{
	return sh("umount %s/mnt 2>/dev/null; cd %s && [ -f logdev ] && losetup -d $(cat logdev); "
		  "rm -rf %s",
		dir, dir, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_logs),
		cmocka_unit_test(test_RC_16_kernel_fast_commits),
		cmocka_unit_test(test_debugfs_logs),
		cmocka_unit_test(test_RC_6_same_verdict_as_linux),
	};

	if (!oracles_available()) {
		printf("1..0 # SKIP needs root, loop devices and e2fsprogs\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Who keeps whom out, and what the loser is told. */
#include "dev_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A child that opens the image and holds it until it is told to go. */
struct other {
	pid_t pid;
	int go;
};

static struct other other_open(const char *path, bool read_only)
{
	int ready[2], go[2];
	struct other o;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	o.pid = fork();
	assert_true(o.pid >= 0);
	if (o.pid == 0) {
		struct dev_file_options opt = {.read_only = read_only};
		struct dev *dev;

		close(go[1]);
		prctl(PR_SET_NAME, "the-holder");
		if (dev_file_open(path, &opt, &dev) != 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)!read(go[0], &c, 1);
		dev_close(dev);
		_exit(0);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	o.go = go[1];
	return o;
}

static void other_end(struct other o)
{
	int status;

	close(o.go);
	assert_int_equal(waitpid(o.pid, &status, 0), o.pid);
	assert_int_equal(status, 0);
}

static void check_busy(const char *path, bool read_only, const char *a, const char *b)
{
	struct messages m;
	struct dev_file_options opt = {.read_only = read_only, .log = &m.sink};
	struct dev *dev;

	messages_init(&m);
	assert_int_equal(dev_file_open(path, &opt, &dev), -EBUSY);
	if (!strstr(m.text, path) || !strstr(m.text, a) || !strstr(m.text, b))
		fail_msg("expected \"%s\", \"%s\", \"%s\" in: %s", path, a, b, m.text);
}

static void check_opens(const char *path, bool read_only)
{
	dev_close(file_open(path, (struct dev_file_options){.read_only = read_only}));
}

static void test_writer_keeps_all_out(void **state)
{
	const char *path = image_make(65536), *decoy = image_make(65536);
	struct dev *mine = file_open(decoy, (struct dev_file_options){0});
	struct other o = other_open(path, false);
	char pid[40];

	snprintf(pid, sizeof(pid), "process %d (the-holder)", (int)o.pid);
	check_busy(path, false, pid, "for writing");
	check_busy(path, true, pid, "close it there first");
	other_end(o);
	check_opens(path, false);
	dev_close(mine);
	image_remove(decoy);
	image_remove(path);
}

static void test_readers_share(void **state)
{
	const char *path = image_make(65536);
	struct other o = other_open(path, true);
	char pid[40];

	snprintf(pid, sizeof(pid), "process %d (the-holder)", (int)o.pid);
	check_opens(path, true);
	check_busy(path, false, pid, "or open it read-only");
	other_end(o);
	check_opens(path, false);
	image_remove(path);
}

/* Also within one process, by another name of the file. */
static void test_same_process(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	char *link_path;

	assert_true(asprintf(&link_path, "%s-link", path) > 0);
	assert_int_equal(symlink(path, link_path), 0);
	check_busy(link_path, false, "this same process", "for writing");
	dev_close(dev);
	check_opens(link_path, false);
	image_remove(link_path);
	image_remove(path);
}

/* A close lets go of everything at once, also when rings were in use. */
static void open_and_close(const char *path)
{
	for (unsigned i = 0; i < 50; i++) {
		struct dev *dev = file_open(path, (struct dev_file_options){0});
		struct dev_req req = {.op = DEV_FLUSH};
		struct dev_queue *q;

		assert_int_equal(dev_queue_create(dev, 8, &q), 0);
		run(q, &req);
		dev_queue_destroy(q);
		dev_close(dev);
	}
}

static void test_close_is_complete(void **state)
{
	const char *image = image_make(65536);
	int fd;
	char *loop;

	open_and_close(image);
	loop = loop_attach(image, 512, &fd);
	open_and_close(loop);
	close(fd);
	free(loop);
	image_remove(image);
}

/* A child that inherited the descriptor does not keep the lock. */
static void test_close_after_fork(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	int go[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	dev_close(dev);
	check_opens(path, false);
	close(go[1]);
	close(go[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	image_remove(path);
}

static void test_attached_to_loop(void **state)
{
	const char *path = image_make(65536);
	int fd;
	char *loop = loop_attach(path, 512, &fd);

	check_busy(path, false, loop, "losetup -d");
	check_opens(path, true);
	close(fd);
	free(loop);
	image_remove(path);
}

static void make_file_system(const char *path)
{
	char *cmd;

	assert_true(asprintf(&cmd, "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 %s", path) > 0);
	assert_int_equal(system(cmd), 0);
	free(cmd);
}

static void test_block_device_in_use(void **state)
{
	const char *image = image_make(4u << 20);
	int fd;
	char *loop = loop_attach(image, 512, &fd), pid[40];
	char dir[] = "/tmp/uext4-dev-mnt-XXXXXX";
	struct other o = other_open(loop, false);

	snprintf(pid, sizeof(pid), "process %d (the-holder)", (int)o.pid);
	check_busy(loop, false, pid, "for writing");
	check_busy(loop, true, pid, "for writing");
	other_end(o);
	make_file_system(loop);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount(loop, dir, "ext4", 0, NULL), 0);
	check_busy(loop, false, "mounted at", dir);
	check_opens(loop, true);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
	check_opens(loop, false);
	close(fd);
	free(loop);
	image_remove(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_keeps_all_out),
		cmocka_unit_test(test_readers_share),
		cmocka_unit_test(test_same_process),
		cmocka_unit_test(test_close_is_complete),
		cmocka_unit_test(test_close_after_fork),
		cmocka_unit_test(test_attached_to_loop),
		cmocka_unit_test(test_block_device_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

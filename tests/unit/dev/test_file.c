/* What only files have: modes, the kernel's refusals, short files, resizing, block devices. */
#include "dev_test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/trace.h"

static void test_open_refusals(void **state)
{
	struct messages m;
	struct dev_file_options opt = {.log = &m.sink};
	struct dev *dev;

	messages_init(&m);
	assert_int_equal(dev_file_open("/nonexistent/image", &opt, &dev), -ENOENT);
	assert_non_null(strstr(m.text, "/nonexistent/image"));
	assert_int_equal(dev_file_open("/", &opt, &dev), -EISDIR);
	assert_int_equal(dev_file_open("/dev/null", &opt, &dev), -ENOTBLK);
	assert_non_null(strstr(m.text, "/dev/null: neither"));
}

static void test_read_only(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){.read_only = true});
	u8 block[512] = {0};

	assert_true(dev->info.read_only);
	assert_false(dev->info.can_discard);
	assert_int_equal(dev_read(dev, 0, block, 512), 0);
	assert_int_equal(dev_write(dev, 0, block, 512, 0), -EROFS);
	assert_int_equal(dev_write_zeroes(dev, 0, 512, 0), -EROFS);
	assert_int_equal(dev_resize(dev, 4096), -EROFS);
	assert_int_equal(dev_flush(dev), 0);
	dev_close(dev);
	image_remove(path);
}

/* A file that may be read but not written answers EROFS, and says what to do. */
static void test_not_writable(void **state)
{
	const char *path = image_make(65536);
	struct messages m;
	pid_t pid;
	int status;

	assert_int_equal(chmod(path, 0444), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct dev_file_options opt = {.log = &m.sink};
		struct dev *dev;
		bool ok = geteuid() != 0 || setresuid(65534, 65534, 65534) == 0;

		messages_init(&m);
		ok = ok && dev_file_open(path, &opt, &dev) == -EROFS && strstr(m.text, path) &&
		     strstr(m.text, "read-only");
		opt.read_only = true;
		ok = ok && dev_file_open(path, &opt, &dev) == 0;
		_exit(!ok);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	image_remove(path);
}

static void test_size_is_whole_blocks(void **state)
{
	const char *path = image_make(10000);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	u8 block[512] = {1};

	assert_int_equal(dev->info.size, 9728);
	assert_int_equal(dev_write(dev, 9728 - 512, block, 512, 0), 0);
	assert_int_equal(dev_write(dev, 9728, block, 512, 0), -EIO);
	dev_close(dev);
	image_remove(path);
}

/* An image cut short under us is an error, never an endless loop or made-up zeros. */
static void test_cut_under_us(void **state)
{
	for (unsigned mode = 0; mode < 4; mode++) {
		const char *path = image_make(1u << 20);
		struct dev *dev = file_open(path,
			(struct dev_file_options){.no_uring = mode & 1, .no_direct = mode & 2});
		static u8 mem[65536] __attribute__((aligned(4096)));
		struct iovec iov = {mem, sizeof(mem)};
		struct dev_req req = {.op = DEV_READ,
				       .offset = 524288 - 4096,
				       .len = sizeof(mem),
				       .iov = &iov,
				       .iov_count = 1},
			       *r = &req;
		struct dev_queue *q;

		assert_int_equal(truncate(path, 524288), 0);
		assert_int_equal(dev_queue_get(dev, &q), 0);
		dev_submit(q, &r, 1);
		dev_drain(q);
		assert_int_equal(req.result, -EIO);
		dev_queue_put(q);
		dev_close(dev);
		image_remove(path);
	}
}

static void test_resize(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	u8 block[4096] = {1};
	struct stat st;

	assert_int_equal(dev_write(dev, 131072, block, 4096, 0), -EIO);
	assert_int_equal(dev_resize(dev, 131072 + 4096), 0);
	assert_int_equal(dev->info.size, 131072 + 4096);
	assert_int_equal(dev_write(dev, 131072, block, 4096, 0), 0);
	assert_int_equal(dev_resize(dev, 1000), -EINVAL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 131072 + 4096);
	dev_close(dev);
	assert_int_equal(dev_mem_create(4096, 512, &dev), 0);
	assert_int_equal(dev_resize(dev, 8192), -EOPNOTSUPP);
	dev_close(dev);
	image_remove(path);
}

/* What other programs read after a close, and the other way round: no stale cache. */
static void test_others_see_it(void **state)
{
	for (unsigned mode = 0; mode < 4; mode++) {
		const char *path = image_make(1u << 20);
		int fd = open(path, O_RDWR | O_CLOEXEC);
		u8 a[8192], b[8192];
		struct dev *dev;

		memset(a, 1, sizeof(a));
		assert_int_equal(pwrite(fd, a, 8192, 4096), 8192); /* dirty in the page cache */
		dev = file_open(path,
			(struct dev_file_options){.no_uring = mode & 1, .no_direct = mode & 2});
		assert_int_equal(dev_read(dev, 4096, b, 8192), 0);
		assert_memory_equal(a, b, 8192);
		memset(a, 2, sizeof(a));
		assert_int_equal(dev_write(dev, 4096, a, 8192, 0), 0);
		assert_int_equal(pread(fd, b, 8192, 4096), 8192);
		assert_memory_equal(a, b, 8192);
		dev_close(dev);
		close(fd);
		image_remove(path);
	}
}

/* A discard gives the space of the image back; write-zeroes keeps the image's size. */
static void test_discard_punches(void **state)
{
	const char *path = image_make(1u << 20);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	static u8 mem[1u << 20];
	struct stat st;

	memset(mem, 1, sizeof(mem));
	assert_int_equal(dev_write(dev, 0, mem, sizeof(mem), DEV_FUA), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= 1 << 20);
	assert_int_equal(dev_discard(dev, 0, 1u << 20), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 16);
	assert_int_equal(st.st_size, 1 << 20);
	dev_close(dev);
	image_remove(path);
}

static void queue_roundtrip(struct dev *dev)
{
	static u8 mem[4096] __attribute__((aligned(4096)));
	struct iovec iov = {mem, sizeof(mem)};
	struct dev_req req = {.op = DEV_WRITE, .len = sizeof(mem), .iov = &iov, .iov_count = 1};
	struct dev_queue *q;
	u8 back[4096];

	memset(mem, 0x3c, sizeof(mem));
	assert_int_equal(dev_queue_get(dev, &q), 0);
	req.flags = DEV_FUA | DEV_PREFLUSH;
	run(q, &req);
	dev_queue_put(q);
	assert_int_equal(dev_read(dev, 0, back, sizeof(back)), 0);
	assert_memory_equal(back, mem, sizeof(mem));
}

static bool forbid_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = array_len(code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* In a child, because it can't be undone. */
static void test_kernel_forbids_io_uring(void **state)
{
	const char *path = image_make(65536);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct messages m;
		struct dev *dev;

		messages_init(&m);
		if (!forbid_io_uring())
			_exit(2);
		dev = file_open(path, (struct dev_file_options){.log = &m.sink});
		queue_roundtrip(dev);
		if (dev_file_mode(dev).uring || !strstr(m.text, "no io_uring"))
			_exit(3);
		queue_roundtrip(dev);
		dev_close(dev);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	image_remove(path);
}

/* Out of descriptors: the batch goes on without a ring, and rings come back afterwards. */
static void test_out_of_descriptors(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	struct rlimit old, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	queue_roundtrip(dev);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(dev_file_mode(dev).uring, uring_works());
	dev_close(dev);
	image_remove(path);
}

static void test_block_device(void **state)
{
	for (u32 sector = 512; sector <= 4096; sector *= 8) {
		const char *image = image_make(1u << 20);
		int fd;
		char *loop = loop_attach(image, sector, &fd);
		struct dev *dev = file_open(loop, (struct dev_file_options){0});
		static u8 block[4096];

		assert_int_equal(dev->info.size, 1u << 20);
		assert_int_equal(dev->info.block_size, sector);
		assert_true(dev->info.can_discard);
		assert_true(dev_file_mode(dev).direct);
		queue_roundtrip(dev);
		assert_int_equal(dev_discard(dev, 0, 65536), 0);
		assert_int_equal(dev_read(dev, 0, block, 4096), 0);
		assert_int_equal(block[0], 0);
		assert_int_equal(dev_resize(dev, 4096), -EOPNOTSUPP);
		dev_close(dev);
		close(fd);
		free(loop);
		image_remove(image);
	}
}

static bool fail_alloc(const char *name)
{
	return strcmp(name, "os_alloc") == 0;
}

/* Aligned requests need no memory at all, once the device is open. */
static void test_no_memory(void **state)
{
	const char *path = image_make(65536);
	struct dev *dev = file_open(path, (struct dev_file_options){0});
	static u8 mem[4096 + 8] __attribute__((aligned(4096)));

	fault_hook = fail_alloc;
	assert_int_equal(dev_write(dev, 0, mem, 4096, DEV_FUA), 0);
	assert_int_equal(dev_read(dev, 0, mem, 4096), 0);
	assert_int_equal(dev_read(dev, 0, mem + 1, 4096), -ENOMEM); /* a bounce buffer */
	fault_hook = NULL;
	dev_close(dev);
	image_remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_refusals),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_not_writable),
		cmocka_unit_test(test_size_is_whole_blocks),
		cmocka_unit_test(test_cut_under_us),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_others_see_it),
		cmocka_unit_test(test_discard_punches),
		cmocka_unit_test(test_kernel_forbids_io_uring),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_block_device),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

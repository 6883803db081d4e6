#include "dev_test.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

const char *image_make_in(const char *dir, u64 size)
{
	char *path;
	int fd;

	assert_true(asprintf(&path, "%s/uext4-dev-XXXXXX", dir) > 0);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return path;
}

const char *image_make(u64 size)
{
	const char *dir = getenv("TMPDIR");

	return image_make_in(dir ? dir : "/tmp", size);
}

void image_remove(const char *path)
{
	unlink(path);
	free((void *)path);
}

struct dev *file_open(const char *path, struct dev_file_options opt)
{
	struct dev *dev;

	assert_int_equal(dev_file_open(path, &opt, &dev), 0);
	return dev;
}

char *loop_attach(const char *image, u32 sector_bytes, int *fd)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = open(image, O_RDWR | O_CLOEXEC), nr, ret;
	struct loop_config config = {.fd = (u32)file, .block_size = sector_bytes};
	char *path;

	assert_true(control >= 0 && file >= 0);
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	do { /* others look for free devices, too */
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		assert_true(nr >= 0);
		assert_true(asprintf(&path, "/dev/loop%d", nr) > 0);
		*fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(*fd >= 0);
		ret = ioctl(*fd, LOOP_CONFIGURE, &config);
		if (ret != 0) {
			assert_int_equal(errno, EBUSY);
			close(*fd);
			free(path);
		}
	} while (ret != 0);
	close(control);
	close(file);
	return path;
}

bool uring_works(void)
{
#ifdef UEXT4_URING
	u8 params[256] = {0}; /* larger than what the kernel fills */
	long fd = syscall(SYS_io_uring_setup, 1, params);

	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
#else
	return false;
#endif
}

/* The image has no name any more when it returns: nothing is left behind. */
static int make_file(struct dev_file_options opt, bool direct, bool uring, struct dev **out)
{
	const char *path = image_make(ZOO_BYTES);
	struct dev_file_mode mode;

	*out = file_open(path, opt);
	mode = dev_file_mode(*out);
	assert_int_equal(mode.direct, direct);
	assert_int_equal(mode.uring, uring && uring_works());
	image_remove(path);
	return 0;
}

static int make_uring_direct(struct dev **out)
{
	return make_file((struct dev_file_options){0}, true, true, out);
}

static int make_uring_buffered(struct dev **out)
{
	return make_file((struct dev_file_options){.no_direct = true}, false, true, out);
}

static int make_plain_direct(struct dev **out)
{
	return make_file((struct dev_file_options){.no_uring = true}, true, false, out);
}

static int make_plain_buffered(struct dev **out)
{
	return make_file(
		(struct dev_file_options){.no_uring = true, .no_direct = true}, false, false, out);
}

static int make_block(struct dev **out)
{
	const char *image = image_make(ZOO_BYTES);
	int fd;
	char *loop = loop_attach(image, 4096, &fd);

	*out = file_open(loop, (struct dev_file_options){0});
	assert_true(dev_file_mode(*out).block_device);
	assert_int_equal((*out)->info.block_size, 4096);
	close(fd);
	free(loop);
	image_remove(image);
	return 0;
}

static int make_mem(struct dev **out)
{
	return dev_mem_create(ZOO_BYTES, 512, out);
}

static int make_partition(struct dev **out)
{
	struct dev *mem;

	assert_int_equal(dev_mem_create(ZOO_BYTES + 8192, 512, &mem), 0);
	return dev_partition_create(mem, false, 4096, ZOO_BYTES, out);
}

static int make_overlay(struct dev **out)
{
	struct dev *mem;

	assert_int_equal(dev_mem_create(ZOO_BYTES, 512, &mem), 0);
	return dev_overlay_create(mem, false, out);
}

static int make_record(struct dev **out)
{
	struct dev *mem;

	assert_int_equal(dev_mem_create(ZOO_BYTES, 4096, &mem), 0);
	return dev_record_create(mem, false, out);
}

static int make_fault(struct dev **out)
{
	struct dev *mem;

	assert_int_equal(dev_mem_create(ZOO_BYTES, 512, &mem), 0);
	return dev_fault_create(mem, false, out);
}

static u8 user_bytes[ZOO_BYTES];

static int user_read(void *arg, u64 offset, void *buf, size_t len)
{
	assert_true(len > 0 && offset % 1024 == 0 && len % 1024 == 0);
	memcpy(buf, (u8 *)arg + offset, len);
	return 0;
}

static int user_write(void *arg, u64 offset, const void *buf, size_t len)
{
	assert_true(len > 0 && offset % 1024 == 0 && len % 1024 == 0);
	memcpy((u8 *)arg + offset, buf, len);
	return 0;
}

static int user_flush(void *arg)
{
	return 0;
}

static int make_user(struct dev **out)
{
	struct dev_user_ops ops = {.read = user_read,
		.write = user_write,
		.flush = user_flush,
		.size = ZOO_BYTES,
		.block_size = 1024};

	memset(user_bytes, 0, sizeof(user_bytes));
	return dev_user_create(&ops, user_bytes, out);
}

/* Every kind of layer at once, above the real thing. */
static int make_tower(struct dev **out)
{
	const char *path = image_make(ZOO_BYTES + 4096);
	struct dev *dev = file_open(path, (struct dev_file_options){0});

	assert_int_equal(dev_record_create(dev, false, &dev), 0);
	assert_int_equal(dev_fault_create(dev, false, &dev), 0);
	assert_int_equal(dev_partition_create(dev, false, 512, ZOO_BYTES, &dev), 0);
	assert_int_equal(dev_partition_create(dev, false, 0, 0, &dev), 0);
	image_remove(path);
	*out = dev;
	return 0;
}

static int make_overlay_on_file(struct dev **out)
{
	const char *path = image_make(ZOO_BYTES);
	struct dev *dev = file_open(path, (struct dev_file_options){.read_only = true});

	image_remove(path);
	return dev_overlay_create(dev, false, out);
}

const struct zoo_entry zoo[] = {
	{"file, io_uring, direct", make_uring_direct, true},
	{"file, io_uring, buffered", make_uring_buffered, true},
	{"file, plain calls, direct", make_plain_direct, false},
	{"file, plain calls, buffered", make_plain_buffered, false},
	{"raw block device", make_block, true},
	{"memory", make_mem, false},
	{"partition", make_partition, false},
	{"overlay", make_overlay, false},
	{"overlay on file", make_overlay_on_file, true},
	{"record", make_record, false},
	{"fault", make_fault, false},
	{"user", make_user, false},
	{"tower of layers on a file", make_tower, true},
};
const unsigned zoo_count = array_len(zoo);

static void messages_add(void *arg, enum log_level level, const char *message)
{
	struct messages *m = arg;
	size_t len = strlen(m->text);

	snprintf(m->text + len, sizeof(m->text) - len, "%s\n", message);
}

void messages_init(struct messages *m)
{
	m->text[0] = '\0';
	m->sink = (struct log_sink){messages_add, m};
}

void run(struct dev_queue *q, struct dev_req *req)
{
	dev_submit(q, &req, 1);
	dev_drain(q);
	assert_int_equal(req->result, 0);
}

struct os_thread *spawn(void (*fn)(void *), void *arg)
{
	struct os_thread *t;

	assert_int_equal(os_thread_create(&t, "test", fn, arg), 0);
	return t;
}

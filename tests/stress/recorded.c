/*
 * Linked into the program uext4 in place of uext4_open: the image's writes and flushes also go to
 * the file that UEXT4_WRITE_LOG names.
 */
#include "write_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uext4.h>
#include <unistd.h>

int __wrap_uext4_open(const char *path, const struct uext4_options *opt, struct uext4_fs **out);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int image, log_file;
static u64 entries, writes; /* lock */

static void append(const struct write_log_head *head, const void *data)
{
	if (write(log_file, head, sizeof(*head)) != (ssize_t)sizeof(*head) ||
		(data && write(log_file, data, head->len) != (ssize_t)head->len)) {
		perror("write log");
		abort();
	}
	entries++;
}

static int recorded_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	return pread(image, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int recorded_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct write_log_head head = {LOG_SUBMIT, 0, offset, len};
	bool ok;

	pthread_mutex_lock(&lock);
	head.number = writes++;
	append(&head, buf);
	pthread_mutex_unlock(&lock);
	ok = pwrite(image, buf, len, (off_t)offset) == (ssize_t)len;
	head.kind = LOG_COMPLETE;
	pthread_mutex_lock(&lock);
	append(&head, NULL);
	pthread_mutex_unlock(&lock);
	return ok ? 0 : -EIO;
}

/* What was complete when it began is durable; nothing waits for it here. */
static int recorded_flush(void *arg)
{
	struct write_log_head head = {.kind = LOG_FLUSH};

	pthread_mutex_lock(&lock);
	head.number = entries;
	append(&head, NULL);
	pthread_mutex_unlock(&lock);
	return 0;
}

int __wrap_uext4_open(const char *path, const struct uext4_options *opt, struct uext4_fs **out)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = recorded_read,
		.write = recorded_write,
		.flush = recorded_flush,
		.block_size = 512};
	struct stat st;

	image = open(path, O_RDWR);
	log_file = open(getenv("UEXT4_WRITE_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (image < 0 || log_file < 0 || fstat(image, &st) < 0)
		return -errno;
	ops.device_bytes = (u64)st.st_size;
	return uext4_open_device(&ops, NULL, opt, out);
}

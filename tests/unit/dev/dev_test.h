/* What the tests of src/dev share: the zoo of devices, batches against a model, messages. */
#ifndef DEV_TEST_H
#define DEV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"
#include "dev/dev_driver.h"
#include "dev/devices.h"
#include "os/atomic.h"
#include "os/clock.h"
#include "os/mem.h"
#include "os/thread.h"

#define ZOO_BYTES (4u << 20)

struct zoo_entry {
	const char *name;
	int (*make)(struct dev **out);
	bool ring; /* its requests end at an io_uring, where there is one */
};

extern const struct zoo_entry zoo[];
extern const unsigned zoo_count;

/* A fresh image of size bytes on a disk file system (direct I/O works) or in memory. */
const char *image_make(u64 size);
const char *image_make_in(const char *dir, u64 size);
void image_remove(const char *path);
/* Attaches the image to a loop device that goes away with its last user; *fd keeps it. Root only.
 */
char *loop_attach(const char *image, u32 sector_bytes, int *fd);
bool uring_works(void); /* built in, and allowed by the kernel */
struct dev *file_open(const char *path, struct dev_file_options opt);

/* Collects messages; not for threads. */
struct messages {
	char text[4096];
	struct log_sink sink;
};
void messages_init(struct messages *m);

void run(struct dev_queue *q, struct dev_req *req); /* submit, drain; asserts success */
struct os_thread *spawn(void (*fn)(void *), void *arg);

#endif

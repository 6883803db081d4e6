/* Images that a row makes for itself, and what a process costs that has one open. */
#ifndef IMAGES_H
#define IMAGES_H

#include "bench.h"

struct uext4_fs;

#define IMAGE_SHARED "shared" /* by the rounds and targets of a row; then removed */

/* Sparse, with an ext4; in the working directory. */
const char *image_make(const char *name, u64 bytes, const char *options);
const char *image_path(const char *name); /* valid until the next call but one */
bool image_is_shared(void);		  /* made by an earlier round */
struct uext4_fs *image_open(const char *path, u64 cache_bytes);
void image_check(const char *what, int64_t err); /* dies of a negative one */
void file_create(struct uext4_fs *fs, const char *name);

/* In a child, which may grow, or die with everything open. */
double in_child(
	double (*fn)(const struct row *, const char *), const struct row *r, const char *path);
double memory_mib(int pid, const char *field); /* of /proc/PID/status */

#endif

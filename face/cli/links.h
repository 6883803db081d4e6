/* Remembers the files with several names while a tree is copied. */
#ifndef FACE_CLI_LINKS_H
#define FACE_CLI_LINKS_H

#include <stdint.h>

struct link_entry;
struct links {
	struct link_entry **buckets;
	unsigned long bucket_count, count;
};

/* What was noted for the file, or NULL. */
void *links_find(const struct links *links, uint64_t dev, uint64_t ino);
/* 0 or -ENOMEM. */
int links_note(struct links *links, uint64_t dev, uint64_t ino, void *what);
/* release is called for all that was noted. */
void links_fini(struct links *links, void (*release)(void *what));

#endif

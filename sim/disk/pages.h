/*
 * The contents of a simulated medium: pages that are shared until one side
 * writes. A clone costs one pointer per page of 4 KiB. Pages never written
 * hold poison of generation 0 and take no memory.
 *
 * One OS thread. Running out of memory ends the process, here and in all of
 * sim/disk and sim/explore: their memory is not the one whose loss is tested.
 */
#ifndef SIM_DISK_PAGES_H
#define SIM_DISK_PAGES_H

#include "sim/disk/poison.h"

#define SIM_PAGE 4096u

struct sim_page;

struct sim_pages {
	u64 size; /* bytes, a multiple of SIM_SECTOR */
	size_t count;
	struct sim_page **page; /* NULL: poison */
};

/* malloc and realloc that end the process when there is no memory. */
void *sim_alloc(size_t size);
void *sim_realloc(void *old, size_t size);

void sim_pages_init(struct sim_pages *p, u64 size);
void sim_pages_fini(struct sim_pages *p);
void sim_pages_clone(struct sim_pages *to, const struct sim_pages *from);
void sim_pages_read(const struct sim_pages *p, u64 offset, void *buf, size_t len);
void sim_pages_write(struct sim_pages *p, u64 offset, const void *buf, size_t len);
void sim_pages_zero(struct sim_pages *p, u64 offset, u64 len);
/* Whole sectors. */
void sim_pages_poison(struct sim_pages *p, u64 offset, u64 len, u32 generation);
/* The whole image from and to a file; 0 or a negative errno. */
int sim_pages_load(struct sim_pages *p, const char *path);
int sim_pages_store(const struct sim_pages *p, const char *path);

#endif

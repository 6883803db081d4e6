/*
 * Direct transfers of several callers, combined into batches.
 *
 * Whoever brings a transfer while a lane is free takes the lane: it serves its own by a plain call,
 * then, batch by batch, what others have left meanwhile, and replies to all. Who finds no lane free
 * leaves its transfer and reads the next request. So one caller alone waits for nobody, and many
 * share the system calls that start and await their transfers.
 *
 * Others may have to wait until a transfer ends: what waits for a commit (it is synced, or makes
 * the file longer) must not come this way. Writes into prepared or empty space may, though their
 * ends can meet a journal that is full.
 */
#ifndef FACE_FUSE_DIRECT_H
#define FACE_FUSE_DIRECT_H

#include "server.h"

struct direct;

/* NULL without memory. */
struct direct *direct_create(struct uext4_fs *fs);
void direct_destroy(struct direct *d); /* nothing is being served; NULL is fine */
/*
 * Reads or, with data, writes, and replies, maybe later. False: nothing was done, as d is NULL,
 * requests can't run side by side (no io_uring), the transfer is large, too many wait, or memory is
 * short.
 */
bool direct_serve(struct direct *d, fuse_req_t req, struct uext4_file *file, const char *data,
	size_t size, off_t off);

#endif

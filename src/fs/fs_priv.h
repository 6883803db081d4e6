/* Declarations shared inside the fs room; fs.h is its contract. */
#ifndef FS_FS_PRIV_H
#define FS_FS_PRIV_H

#include "fs/fs.h"

/* super.c: the superblock block. Direct writes happen only while no transaction is live (MD-8). */
int super_load(struct fs *fs);
int super_pin(struct fs *fs);
void super_unpin(struct fs *fs);
/* backup.c: puts the chosen backup over the primary superblock, in memory. Once per mount. */
int backup_install(struct fs *fs);
/* From here on writes stay in memory (RC-12); once or more. */
int fs_overlay(struct fs *fs);
int super_write_direct(struct fs *fs);
pblk_t super_block_nr(const struct super_info *sb);
struct ext4_super *super_in_block(const struct super_info *sb, void *block);
/* Around a journaled change of fields: also keeps copies of the block whole (buf->lock). */
static inline void super_fields_lock(struct volume *v)
{
	os_mutex_lock(&v->super_lock);
	os_mutex_lock(&v->super_buf->lock);
}
static inline void super_fields_unlock(struct volume *v)
{
	os_mutex_unlock(&v->super_buf->lock);
	os_mutex_unlock(&v->super_lock);
}

/* journal.c: finding, replaying and running the journal. */
int fs_journal_attach(struct fs *fs);
void fs_journal_detach(struct fs *fs);
int fs_journal_replay(struct fs *fs);

/* bring.c: the rooms of one volume, up and down in floor order. */
int volume_up(struct fs *fs, bool trust_counts);
void volume_down(struct fs *fs);

/* live.c: to read-write service and back. */
int fs_go_live(struct fs *fs);
int fs_go_quiet(struct fs *fs);

/* service.c */
int volume_sync(struct volume *v);

/* errors.c (MD-30). */
extern const struct volume_ops fs_volume_ops;
int errors_init(struct fs *fs);
void errors_kick(struct fs *fs);
void errors_forget(struct fs *fs);
void errors_fini(struct fs *fs); /* records what is pending first */
/* The error fields of before go into the older superblock s that replaces it. */
void errors_keep(const struct ext4_super *before, struct ext4_super *s);

/* mmp.c (MD-21). No-ops without the feature. Claimed before the replay, and kept alive from then.
 */
int mmp_start(struct fs *fs);
/* -EBUSY: somebody else has taken it over; asked while the mount is not live yet. */
int mmp_check(struct fs *fs);
/* The block is not written from here on, but for mmp_stop's last time. Under mount_lock. */
void mmp_halt(struct fs *fs);
void mmp_stop(struct fs *fs);

/* itable.c (AL-9). A no-op when there is nothing to do. */
int itable_start(struct fs *fs);
void itable_stop(struct fs *fs);

/* file_map.c: mapping -> iomap. */
void iomap_from_mapping(const struct inode *i, const struct mapping *m, struct iomap *out);
int file_lookup_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map);
extern const struct iomap_ops file_read_ops;
extern const struct iomap_ops file_write_ops; /* needs i->write_handle: inode lock exclusive */

/* file_io.c: may data be read at all; may it be written there (*pos moves to the end for appends)?
 */
int file_data_check(const struct inode *i);
int file_write_checks(struct inode *i, u64 *pos, u64 len, const struct file_write_flags *flags);
/* file_writeback.c: see struct iofile_ops. */
extern const struct iomap_ops file_writeback_ops;
int file_writeback_open(struct iofile *io, struct iomap_writeback *wb);
int file_writeback_close(struct iofile *io, struct iomap_writeback *wb);
bool file_writeback_retry(struct iofile *io, int err, unsigned *attempts);
void file_first_write_failed(struct iofile *io, u64 pos, u64 len);
bool file_writeback_spoiled(struct iofile *io, const struct iomap_writeback *wb);
int file_written(struct iofile *io, u64 pos, u64 len, int err);

/* file_io.c: brings data to the device before the file takes another one's name (DR-19). */
void file_before_replace(struct inode *i);

/* file_inline.c: data that lives in the inode (read-only service, MD-26). */
ssize_t file_read_inline(struct inode *i, u64 pos, const struct iovec *iov, unsigned iov_count);

/* file_size.c: growing and shrinking (IO-79, IO-96). Inode lock exclusive. */
/* Before bytes behind the end come into the file: nothing old is there any more. */
int file_clear_eof(struct inode *i);
int file_resize(struct inode *i, u64 size);
/* The block that size cuts goes out before h commits: behind the end it holds zeros (IO-79). */
int file_order_tail(struct handle *h, struct inode *i, u64 size);
/* Publishes a larger size in h: visible, on disk, the large_file feature (MD-18). */
int file_grow(struct handle *h, struct inode *i, u64 size);
/* Data up to end is on the device: raises what is lower, the visible size or the other (IO-28). */
int file_extend(struct handle *h, struct inode *i, u64 end);
/* Data up to end is on the device: the size on disk follows, never past the visible one (IO-25). */
int file_raise_disk_size(struct handle *h, struct inode *i, u64 end);
enum { FILE_GROW_CREDITS = INODE_DIRTY_CREDITS + 1 };

/* attr.c */
/*
 * Before a write: strips suid/sgid, mtime, ctime. Inode lock held, exclusive if there is something
 * to strip.
 */
int file_modified(struct inode *i, const struct cred *cred);
bool file_strips_suid(const struct inode *i, const struct cred *cred);
bool file_modified_due(struct inode *i); /* would the times change? */
int file_times_store(struct inode *i);	 /* what inode_touch changed; opens a handle */
bool file_access_due(struct inode *i);	 /* would a read change the access time? */
void file_accessed(struct inode *i);	 /* atime by the mount's rule */

static inline struct inode *inode_of_io(struct iofile *io)
{
	return container_of(io, struct inode, io);
}

#endif

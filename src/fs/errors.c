/*
 * Recording what was found broken (MD-30) and acting by errors=.
 *
 * The finder may hold any lock, so the report is only noted here and written
 * by a work item: through the journal while it lives, else by patching the
 * error fields alone into the superblock on the device (MD-8).
 */
#include "base/err.h"
#include "base/mutant.h"
#include "fs/fs_priv.h"
#include "os/mem.h"

#include <string.h>

struct error_record {
	u32 count; /* errors since the last recording */
	ino_nr ino;
	pblk_t pblk;
	struct os_time when;
	char text[64];
};

static void stamp(struct le32 *lo, u8 *hi, s64 sec)
{
	*lo = cpu_to_le32((u32)sec);
	*hi = (u8)(sec >> 32);
}

static void record_into(struct ext4_super *s, const struct error_record *r)
{
	size_t len = strnlen(r->text, sizeof(s->s_last_error_func));

	s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) | EXT4_STATE_ERROR);
	s->s_error_count = cpu_to_le32(le32_to_cpu(s->s_error_count) + r->count);
	stamp(&s->s_last_error_time, &s->s_last_error_time_hi, r->when.sec);
	s->s_last_error_ino = cpu_to_le32(r->ino);
	s->s_last_error_block = cpu_to_le64(r->pblk);
	s->s_last_error_line = cpu_to_le32(0);
	memset(s->s_last_error_func, 0, sizeof(s->s_last_error_func));
	memcpy(s->s_last_error_func, r->text, len);
	if (le32_to_cpu(s->s_first_error_time) != 0)
		return;
	stamp(&s->s_first_error_time, &s->s_first_error_time_hi, r->when.sec);
	s->s_first_error_ino = cpu_to_le32(r->ino);
	s->s_first_error_block = cpu_to_le64(r->pblk);
	s->s_first_error_line = cpu_to_le32(0);
	memcpy(s->s_first_error_func, s->s_last_error_func, sizeof(s->s_first_error_func));
}

/* Into the superblock on the device itself, without anything of the cached one. */
static int patch_device(struct fs *fs, const struct error_record *r)
{
	struct volume *v = &fs->volume;
	u32 bs = v->sb.block_size;
	u8 *block = os_alloc_pages(bs);
	u64 at = super_block_nr(&v->sb) * bs;
	struct ext4_super *s;
	int err;

	if (!block)
		return ERR(ENOMEM);
	s = (struct ext4_super *)(block + 1024 % bs);
	err = dev_read(v->dev, at, block, bs);
	if (MUTANT(SUPER_LEAKED))
		memcpy(s, volume_super(v), sizeof(*s));
	if (!err) {
		record_into(s, r);
		super_csum_set(s);
		err = dev_write(v->dev, at, block, bs, DEV_FUA);
	}
	os_free_pages(block, bs);
	return err;
}

/* A log copy that knows of more errors than the device is the newer one. */
void errors_keep(const struct ext4_super *before, struct ext4_super *s)
{
	size_t start = offsetof(struct ext4_super, s_error_count);
	size_t end = offsetof(struct ext4_super, s_mount_opts);

	if (!(le16_to_cpu(before->s_state) & EXT4_STATE_ERROR) ||
		le32_to_cpu(before->s_error_count) < le32_to_cpu(s->s_error_count))
		return;
	s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) | EXT4_STATE_ERROR);
	memcpy((u8 *)s + start, (const u8 *)before + start, end - start);
	s->s_first_error_time_hi = before->s_first_error_time_hi;
	s->s_last_error_time_hi = before->s_last_error_time_hi;
	s->s_first_error_errcode = before->s_first_error_errcode;
	s->s_last_error_errcode = before->s_last_error_errcode;
	super_csum_set(s);
}

static int record_in_journal(struct fs *fs, const struct error_record *r)
{
	struct volume *v = &fs->volume;
	struct handle h;
	int err = handle_start(v->journal, &h, 1, 0);

	if (err)
		return err;
	err = buf_write_access(&h, v->super_buf);
	if (!err) {
		super_fields_lock(v);
		record_into(volume_super(v), r);
		super_fields_unlock(v);
		err = buf_dirty(&h, v->super_buf);
	}
	return handle_end(&h, err);
}

static enum fs_errors behaviour(const struct fs *fs)
{
	u32 stored = fs->volume.sb.errors;

	if (fs->options.errors != FS_ERRORS_DEFAULT)
		return fs->options.errors;
	return stored >= FS_ERRORS_CONTINUE && stored <= FS_ERRORS_STOP ? (enum fs_errors)stored
									: FS_ERRORS_CONTINUE;
}

/* Stops by errors=; true when the journal carries nothing any more. */
static bool act(struct fs *fs)
{
	enum fs_errors how = behaviour(fs);
	struct volume *v = &fs->volume;

	if (how != FS_ERRORS_STOP && how != FS_ERRORS_RO)
		return false;
	atomic_or(&v->flags, VOLUME_READ_ONLY | (how == FS_ERRORS_STOP ? VOLUME_SHUTDOWN : 0));
	journal_abort(v->journal, -EUCLEAN);
	return true;
}

static bool may_write(const struct fs *fs)
{
	return atomic_load_acq(&fs->live);
}

static void errors_flush(struct fs *fs)
{
	struct error_record r;

	os_mutex_lock(&fs->error_lock);
	r = *fs->pending_error;
	if (may_write(fs))
		fs->pending_error->count = 0; /* else it is recorded if ever we go live */
	os_mutex_unlock(&fs->error_lock);
	if (r.count == 0)
		return;
	atomic_store_relaxed(&fs->had_errors, true);
	/* An abort drops the running transaction: the record goes to the device by itself then. */
	if (may_write(fs) && (act(fs) || record_in_journal(fs, &r) != 0))
		(void)patch_device(fs, &r);
}

static void error_work(struct os_work *w)
{
	errors_flush(container_of(w, struct fs, error_work));
}

static void error_note(struct volume *v, ino_nr ino, pblk_t pblk, const char *text)
{
	struct fs *fs = volume_fs(v);
	struct error_record *r = fs->pending_error;

	os_mutex_lock(&fs->error_lock);
	r->count++;
	r->ino = ino;
	r->pblk = pblk;
	r->when = os_clock_wall_coarse();
	strncpy(r->text, text, sizeof(r->text) - 1);
	os_mutex_unlock(&fs->error_lock);
	os_work_queue(fs->works, &fs->error_work);
}

const struct volume_ops fs_volume_ops = {.error = error_note};

int errors_init(struct fs *fs)
{
	int err;

	fs->pending_error = os_zalloc(sizeof(*fs->pending_error));
	if (!fs->pending_error)
		return ERR(ENOMEM);
	os_mutex_init(&fs->error_lock, RANK_LEAF, "error");
	os_work_init(&fs->error_work, error_work);
	err = os_workqueue_create(&fs->works, "fs", 1);
	if (err)
		os_free(fs->pending_error);
	return err;
}

/* What was found in what the log was to repair. */
void errors_forget(struct fs *fs)
{
	os_workqueue_flush(fs->works);
	os_mutex_lock(&fs->error_lock);
	fs->pending_error->count = 0;
	os_mutex_unlock(&fs->error_lock);
}

/* What was found while the volume was not live yet. */
void errors_kick(struct fs *fs)
{
	os_work_queue(fs->works, &fs->error_work);
}

void errors_fini(struct fs *fs)
{
	os_workqueue_destroy(fs->works);
	os_free(fs->pending_error);
}

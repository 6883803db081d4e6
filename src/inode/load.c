/* Making the inode object from its raw form: every field is untrusted (HD-4). */
#include "base/err.h"
#include "inode/inode_priv.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

struct inode *inode_alloc(struct volume *v, ino_nr ino)
{
	struct inode *i = os_zalloc(sizeof(*i));

	if (!i)
		return NULL;
	i->volume = v;
	i->ino = ino;
	os_rwsem_init(&i->lock, RANK_INODE, "inode");
	os_rwsem_init(&i->invalidate_lock, RANK_INVALIDATE, "invalidate");
	os_rwsem_init(&i->xattr_lock, RANK_XATTR, "xattr");
	os_mutex_init(&i->raw_lock, RANK_INODE_META, "raw inode");
	list_init(&i->orphan_node);
	list_init(&i->lru);
	return i;
}

void inode_free_memory(struct inode *i)
{
	os_rwsem_fini(&i->lock);
	os_rwsem_fini(&i->invalidate_lock);
	os_rwsem_fini(&i->xattr_lock);
	os_mutex_fini(&i->raw_lock);
	os_free(i);
}

static bool uses_map(const struct inode *i)
{
	if (i->f.flags & EXT4_INLINE_DATA_FL)
		return false;
	return inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) ||
	       (inode_is(i, S_IFLNK) && !inode_symlink_is_fast(i));
}

static int write_ordered(struct ordered_inode *oi, u64 start, u64 end)
{
	return iofile_write_mapped(&container_of(oi, struct inode, ordered)->io, start, end);
}

void inode_ordered_init(struct inode *i)
{
	ordered_inode_init(&i->ordered, write_ordered);
}

/* After this the map of a file without one is empty, so that nothing above needs to ask. */
int inode_setup(struct inode *i)
{
	struct volume *v = i->volume;
	bool extents = i->f.flags & EXT4_EXTENTS_FL;
	int err = 0;

	i->size = i->f.size;
	i->disk_size = i->f.size;
	iofile_init(&i->io, v->pages, icache_io_ops(v));
	inode_ordered_init(i);
	if (uses_map(i))
		err = filemap_init(
			&i->map, v, &inode_map_ops, i->ino, i->csum_seed, i->f.i_block, extents);
	if (err || !uses_map(i))
		filemap_init_empty(&i->map, v, &inode_map_ops, i->ino, i->csum_seed, extents);
	i->map.metadata_data = !inode_is(i, S_IFREG) || inode_state(i, INODE_EA);
	i->map.size_blocks_hint = div_up(i->size, v->sb.block_size);
	return err;
}

void inode_teardown(struct inode *i)
{
	journal_release_inode(i->volume->journal, &i->ordered);
	iofile_fini(&i->io);
	inode_undelay(i, 0, UINT32_MAX); /* only of data that could not be written */
	filemap_fini(&i->map);
	acl_cache_drop(i);
}

/* HD-4. Only internal callers see inodes without links, or special ones without a type. */
static int check(struct inode *i, bool special, const char **why)
{
	struct volume *v = i->volume;
	int err;

	if (i->f.links == 0 && !special)
		return -ESTALE;
	if (special && i->f.mode == 0)
		return 0;
	err = inode_fields_verify(&v->sb, &i->f, why);
	if (err)
		return err;
	*why = "an attribute value without the ea_inode feature";
	if (i->f.flags & EXT4_EA_INODE_FL && !super_has_ea_inode(&v->sb))
		return ERR(EUCLEAN);
	*why = "the attribute block is outside the data area";
	return i->f.file_acl ? space_range_check(v, i->ino, i->f.file_acl, 1) : 0;
}

static int unpack(struct inode *i, const struct ext4_inode_disk *raw, const char **why)
{
	const struct super_info *sb = &i->volume->sb;

	i->csum_seed = inode_csum_seed(sb, i->ino, inode_raw_generation(raw));
	*why = "wrong inode checksum";
	if (!inode_csum_verify(sb, i->csum_seed, raw))
		return ERR(EBADMSG);
	return inode_unpack(sb, raw, &i->f, why);
}

/* Others may be writing their inodes in the same block; ours nobody changes while it is loading. */
static int read_fields(struct inode *i, bool special)
{
	const char *why = "";
	struct buf *b;
	void *raw;
	int err = inode_raw(i, &b, &raw);

	if (err)
		return err;
	err = unpack(i, raw, &why);
	if (!err)
		err = check(i, special, &why);
	if (err == -EUCLEAN || err == -EBADMSG)
		err = volume_error(i->volume, err, i->ino, b->pblk, "%s; run e2fsck", why);
	buf_put(b);
	return err;
}

/*
 * What was read may be the work of a transaction that has not committed, done before the object was
 * last dropped from memory; which one is forgotten, so a sync waits for the newest (IO-87).
 */
static void sync_with_newest(struct inode *i)
{
	struct journal *j = i->volume->journal; /* NULL while its own inode is loaded */
	tid_nr tid = j ? journal_running_tid(j) : 0;

	atomic_store_rel(&i->sync_tid, tid);
	atomic_store_rel(&i->datasync_tid, tid);
}

int inode_load(struct inode *i, bool special)
{
	int err = read_fields(i, special);

	if (err)
		return err;
	sync_with_newest(i);
	if (i->f.flags & EXT4_EA_INODE_FL)
		atomic_or(&i->state, INODE_EA);
	err = inode_setup(i);
	if (err)
		inode_teardown(i);
	return err;
}

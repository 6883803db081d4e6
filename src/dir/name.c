/* What the name operations share: checks, link counts, the per-volume part. */
#include "base/err.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "dir/dir_priv.h"
#include "dir/name_cache.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

int dir_init(struct volume *v, u64 name_bytes)
{
	struct dir_room *r = os_zalloc(sizeof(*r));

	if (!r)
		return ERR(ENOMEM);
	r->names = name_cache_create(name_bytes);
	if (!r->names) {
		os_free(r);
		return ERR(ENOMEM);
	}
	os_mutex_init(&r->rename_lock, RANK_RENAME, "rename");
	v->dirs = r;
	return 0;
}

void dir_fini(struct volume *v)
{
	name_cache_destroy(v->dirs->names);
	os_mutex_fini(&v->dirs->rename_lock);
	os_free(v->dirs);
	v->dirs = NULL;
}

void name_cache_stats(const struct volume *v, u64 *hits, u64 *misses)
{
	*hits = tally_sum(&v->dirs->lookups, NAME_HIT);
	*misses = tally_sum(&v->dirs->lookups, NAME_MISS);
}

void dir_set_replace_hook(struct volume *v, void (*hook)(struct inode *moved))
{
	v->dirs->replace_hook = hook;
}

u32 name_spread(struct name n)
{
	u64 word = 0, h = n.len;

	for (; n.len > sizeof(word); n.s += sizeof(word), n.len -= sizeof(word)) {
		memcpy(&word, n.s, sizeof(word));
		h = hash_u64(h ^ word);
	}
	word = 0;
	memcpy(&word, n.s, n.len);
	return (u32)hash_u64(h ^ word);
}

/* A removed directory takes no new names. */
int dir_change_check(struct inode *dir, const struct cred *cred)
{
	int err = volume_check_write(dir->volume);

	if (err)
		return err;
	if (!inode_is(dir, S_IFDIR))
		return ERR(ENOTDIR);
	if (dir->f.links == 0)
		return ERR(ENOENT);
	return inode_permission(dir, cred, PERM_WRITE | PERM_EXEC);
}

int dir_victim_check(
	struct inode *dir, struct inode *victim, const struct cred *cred, bool want_dir)
{
	u32 guarded = EXT4_IMMUTABLE_FL | EXT4_APPEND_FL;
	int err;

	if (dir->f.flags & EXT4_APPEND_FL || victim->f.flags & guarded)
		return ERR(EPERM);
	err = inode_sticky_check(dir, victim, cred);
	if (err)
		return err;
	if (want_dir != inode_is(victim, S_IFDIR))
		return ERR(want_dir ? ENOTDIR : EISDIR);
	return 0;
}

void dir_spend_as(struct inode *dir, const struct cred *cred)
{
	atomic_store_relaxed(&dir->map.alloc_flags, cred->privileged ? SPACE_ROOT : 0);
}

void dir_touched(struct inode *dir)
{
	inode_touch(dir, INODE_MTIME | INODE_CTIME);
}

static bool is_listed(const struct inode *i)
{
	return atomic_load_acq(&i->state) & INODE_ORPHAN_LIST;
}

int drop_link(struct handle *h, struct inode *i)
{
	bool listed = is_listed(i);
	int err = 0;

	if (i->f.links == 0)
		return dir_corrupt(i, 0, "a name points to an inode without links");
	inode_dec_links(i);
	inode_touch(i, INODE_CTIME);
	if (i->f.links == 0 && !MUTANT(UNLINK_NO_ORPHAN))
		err = orphan_add(h, i);
	if (err || MUTANT(LINKS_STALE) || listed != is_listed(i))
		return err; /* the last one: its record has written the inode */
	return inode_dirty(h, i);
}

/* A directory is gone at once: no links, no size; its blocks are freed with the last reference. */
int drop_dir(struct handle *h, struct inode *i)
{
	int err;

	inode_clear_links(i);
	inode_touch(i, INODE_CTIME);
	inode_set_size(i, 0);
	inode_set_disk_size(i, 0);
	err = orphan_add(h, i);
	return err ? err : inode_dirty(h, i);
}

int half_done(struct handle *h, int err)
{
	if (err)
		journal_abort(h->journal, err);
	return err;
}

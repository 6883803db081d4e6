/* Per volume: locks of attribute blocks and EA inodes, the index of shareable blocks, deletions. */
#include "base/err.h"
#include "base/hash.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#define LOCKS 64
#define WAYS 8
#define SET_BITS 9

struct xattr_cache {
	struct os_mutex block_lock[LOCKS]; /* rank XATTR, order 1 */
	struct os_mutex ea_lock[LOCKS];	   /* rank XATTR, order 2 */
	struct os_mutex lock;		   /* rank LEAF */
	struct index_slot {
		u32 hash;
		pblk_t pblk;	     /* 0 = free */
	} slot[1 << SET_BITS][WAYS]; /* lock */
	u8 victim[1 << SET_BITS];    /* lock: the way to replace next */
	struct list deferred;	     /* inode.lru; lock */
	bool any_deferred;	     /* atomic; changes under lock */
};

int xattr_cache_create(struct xattr_cache **out)
{
	struct xattr_cache *c = os_zalloc(sizeof(*c));

	if (!c)
		return ERR(ENOMEM);
	for (unsigned k = 0; k < LOCKS; k++) {
		os_mutex_init(&c->block_lock[k], RANK_XATTR, "xattr block");
		os_mutex_init(&c->ea_lock[k], RANK_XATTR, "EA inode");
	}
	os_mutex_init(&c->lock, RANK_LEAF, "xattr cache");
	list_init(&c->deferred);
	*out = c;
	return 0;
}

void xattr_cache_destroy(struct xattr_cache *c)
{
	ASSERT(list_empty(&c->deferred));
	for (unsigned k = 0; k < LOCKS; k++) {
		os_mutex_fini(&c->block_lock[k]);
		os_mutex_fini(&c->ea_lock[k]);
	}
	os_mutex_fini(&c->lock);
	os_free(c);
}

struct os_mutex *xattr_block_lock(struct volume *v, pblk_t pblk)
{
	return &icache_xattrs(v)->block_lock[hash_u64(pblk) % LOCKS];
}

struct os_mutex *xattr_ea_lock(struct volume *v, ino_nr ino)
{
	return &icache_xattrs(v)->ea_lock[ino % LOCKS];
}

static struct index_slot *find_locked(struct xattr_cache *c, u32 hash, pblk_t pblk)
{
	struct index_slot *set = c->slot[hash_slot(hash, SET_BITS)];

	ASSERT(os_mutex_held(&c->lock));
	for (unsigned k = 0; k < WAYS; k++)
		if (set[k].pblk == pblk && set[k].hash == hash)
			return &set[k];
	return NULL;
}

void xattr_index_enter(struct volume *v, u32 hash, pblk_t pblk)
{
	struct xattr_cache *c = icache_xattrs(v);
	u32 at = hash_slot(hash, SET_BITS);

	if (!hash)
		return;
	os_mutex_lock(&c->lock);
	if (!find_locked(c, hash, pblk)) {
		unsigned way = c->victim[at]++ % WAYS;

		for (unsigned k = 0; k < WAYS; k++)
			if (!c->slot[at][k].pblk)
				way = k;
		c->slot[at][way] = (struct index_slot){.hash = hash, .pblk = pblk};
	}
	os_mutex_unlock(&c->lock);
}

void xattr_index_drop(struct volume *v, u32 hash, pblk_t pblk)
{
	struct xattr_cache *c = icache_xattrs(v);
	struct index_slot *slot;

	os_mutex_lock(&c->lock);
	slot = find_locked(c, hash, pblk);
	if (slot)
		slot->pblk = 0;
	os_mutex_unlock(&c->lock);
}

bool xattr_index_next(struct volume *v, u32 hash, u32 *pos, pblk_t *pblk)
{
	struct xattr_cache *c = icache_xattrs(v);
	struct index_slot *set = c->slot[hash_slot(hash, SET_BITS)];
	bool found = false;

	os_mutex_lock(&c->lock);
	for (; !found && *pos < WAYS; ++*pos) {
		found = set[*pos].pblk && set[*pos].hash == hash;
		*pblk = set[*pos].pblk;
	}
	os_mutex_unlock(&c->lock);
	return found;
}

bool xattr_index_has(struct volume *v, u32 hash, pblk_t pblk)
{
	struct xattr_cache *c = icache_xattrs(v);
	bool has;

	os_mutex_lock(&c->lock);
	has = find_locked(c, hash, pblk) != NULL;
	os_mutex_unlock(&c->lock);
	return has;
}

void xattr_defer(struct volume *v, struct inode *ea)
{
	struct xattr_cache *c = icache_xattrs(v);

	os_mutex_lock(&c->lock);
	list_add_tail(&c->deferred, &ea->lru);
	atomic_store_rel(&c->any_deferred, true);
	os_mutex_unlock(&c->lock);
}

static struct inode *take_deferred(struct xattr_cache *c)
{
	struct inode *ea = NULL;

	os_mutex_lock(&c->lock);
	if (!list_empty(&c->deferred)) {
		ea = list_first(&c->deferred, struct inode, lru);
		list_del(&ea->lru);
	}
	atomic_store_rel(&c->any_deferred, !list_empty(&c->deferred));
	os_mutex_unlock(&c->lock);
	return ea;
}

void xattr_drain(struct volume *v)
{
	struct xattr_cache *c = icache_xattrs(v);
	struct inode *ea;

	while (atomic_load_acq(&c->any_deferred) && (ea = take_deferred(c)) != NULL) {
		inode_delete(ea);
		inode_teardown(ea);
		if (!orphan_bury(ea))
			inode_free_memory(ea);
	}
}

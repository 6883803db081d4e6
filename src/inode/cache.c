/*
 * The inode cache: one object per number, sharded. Unreferenced inodes stay on
 * their shard's list until there are too many.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "inode/cache_priv.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#define UNUSED_MAX 65536

int icache_create(struct volume *v, const struct icache_params *params)
{
	struct icache *c = os_zalloc(sizeof(*c));
	int err;

	if (!c)
		return ERR(ENOMEM);
	err = xattr_cache_create(&c->xattrs);
	if (err) {
		os_free(c);
		return err;
	}
	os_rwsem_init(&c->reapers.lock, RANK_INVALIDATE, "direct I/O reapers");
	list_init(&c->reapers.list);
	c->unused_max = div_up(params->max_unused ? params->max_unused : UNUSED_MAX, ICACHE_SHARDS);
	for (unsigned k = 0; k < ICACHE_SHARDS; k++) {
		os_mutex_init(&c->shard[k].lock, RANK_CACHE, "inode cache");
		os_cond_init(&c->shard[k].change, "inode cache");
		list_init(&c->shard[k].unused);
	}
	v->inodes = c;
	return 0;
}

void icache_destroy(struct volume *v)
{
	u32 left = icache_shrink(v, 0);

	ASSERT(left == 0);
	(void)left;
	xattr_cache_destroy(v->inodes->xattrs);
	os_rwsem_fini(&v->inodes->reapers.lock);
	os_free(v->inodes);
	v->inodes = NULL;
}

void icache_set_io_ops(struct volume *v, const struct iofile_ops *ops)
{
	v->inodes->io_ops = ops;
}

const struct iofile_ops *icache_io_ops(struct volume *v)
{
	return v->inodes->io_ops;
}

struct dio_reapers *icache_reapers(struct volume *v)
{
	return &v->inodes->reapers;
}

struct xattr_cache *icache_xattrs(struct volume *v)
{
	return v->inodes->xattrs;
}

void icache_stats(struct volume *v, u64 *hits, u64 *misses)
{
	*hits = *misses = 0;
	for (unsigned k = 0; k < ICACHE_SHARDS; k++) {
		struct icache_shard *s = &v->inodes->shard[k];

		os_mutex_lock(&s->lock);
		*hits += s->hits;
		*misses += s->misses;
		os_mutex_unlock(&s->lock);
	}
}

static struct inode *find_locked(struct icache_shard *s, ino_nr ino)
{
	struct inode *i;

	ASSERT(os_mutex_held(&s->lock));
	for (i = *icache_bucket_of(s, ino); i; i = i->hash_next)
		if (i->ino == ino)
			return i;
	return NULL;
}

static void ref_locked(struct icache_shard *s, struct inode *i)
{
	if (atomic_add(&i->refs, 1) != 1)
		return;
	s->referenced++;
	if (!list_empty(&i->lru))
		s->unused_count--;
}

static void enter_locked(struct icache_shard *s, struct inode *i)
{
	struct inode **b = icache_bucket_of(s, i->ino);

	i->hash_next = *b;
	*b = i;
	i->refs = 1;
	s->referenced++;
}

void icache_leave_locked(struct icache_shard *s, struct inode *i)
{
	struct inode **p = icache_bucket_of(s, i->ino);

	while (*p != i)
		p = &(*p)->hash_next;
	*p = i->hash_next;
	os_cond_broadcast(&s->change);
}

/* The cached inode with a reference, once it is neither loading nor leaving; NULL if there is none.
 */
static struct inode *find_settled(struct icache_shard *s, ino_nr ino)
{
	struct inode *i;

	while ((i = find_locked(s, ino)) != NULL && inode_state(i, INODE_FREEING | INODE_LOADING))
		os_cond_wait(&s->change, &s->lock);
	if (i)
		ref_locked(s, i);
	return i;
}

static void loaded(struct icache_shard *s, struct inode *i, int err)
{
	os_mutex_lock(&s->lock);
	atomic_and(&i->state, ~(u32)INODE_LOADING);
	if (err) {
		icache_leave_locked(s, i);
		s->referenced--;
	}
	os_cond_broadcast(&s->change);
	os_mutex_unlock(&s->lock);
	if (err)
		inode_free_memory(i);
}

static int get(struct volume *v, ino_nr ino, bool special, struct inode **out)
{
	struct icache_shard *s = icache_shard_of(v, ino);
	struct inode *fresh, *i;
	int err;

	os_mutex_lock(&s->lock);
	i = find_settled(s, ino);
	*(i ? &s->hits : &s->misses) += 1;
	os_mutex_unlock(&s->lock);
	if (i) {
		*out = i;
		return 0;
	}
	fresh = inode_alloc(v, ino);
	if (!fresh)
		return ERR(ENOMEM);
	os_mutex_lock(&s->lock);
	i = MUTANT(ICACHE_BLIND) ? NULL : find_settled(s, ino);
	if (!i) {
		atomic_or(&fresh->state, INODE_LOADING);
		enter_locked(s, fresh);
	}
	os_mutex_unlock(&s->lock);
	if (i) {
		inode_free_memory(fresh);
		*out = i;
		return 0;
	}
	err = inode_load(fresh, special);
	loaded(s, fresh, err);
	if (!err)
		*out = fresh;
	return err;
}

/* HD-4: a number from a directory or a caller; internal inodes are not for them. */
static bool is_public(const struct volume *v, ino_nr ino)
{
	return ino == EXT4_ROOT_INO || (ino >= v->sb.first_ino && ino <= v->sb.inodes_count);
}

static int number_check(struct volume *v, ino_nr ino)
{
	if (is_public(v, ino))
		return 0;
	return volume_error(
		v, ERR(EUCLEAN), ino, 0, "inode number out of range or reserved; run e2fsck");
}

int inode_get(struct volume *v, ino_nr ino, struct inode **out)
{
	int err = number_check(v, ino);

	if (err)
		return err;
	err = get(v, ino, false, out);
	if (err || !inode_state(*out, INODE_EA))
		return err;
	atomic_or(&(*out)->state, INODE_BAD); /* attributes use objects of their own */
	inode_put(*out);
	return volume_error(
		v, ERR(EUCLEAN), ino, 0, "an attribute value is used as a file; run e2fsck");
}

struct inode *inode_get_cached(struct volume *v, ino_nr ino)
{
	struct icache_shard *s = icache_shard_of(v, ino);
	struct inode *i;

	if (!is_public(v, ino))
		return NULL;
	os_mutex_lock(&s->lock);
	i = find_locked(s, ino);
	if (i && !inode_state(i, INODE_FREEING | INODE_LOADING | INODE_EA)) {
		ref_locked(s, i);
		s->hits++;
	} else {
		i = NULL;
	}
	os_mutex_unlock(&s->lock);
	return i;
}

int inode_get_special(struct volume *v, ino_nr ino, struct inode **out)
{
	if (ino == 0 || ino > v->sb.inodes_count)
		return volume_error(
			v, ERR(EUCLEAN), ino, 0, "inode number out of range; run e2fsck");
	return get(v, ino, true, out);
}

void inode_hold(struct inode *i)
{
	u32 refs = atomic_add(&i->refs, 1);

	ASSERT(refs > 1);
	(void)refs;
}

bool inode_hold_unless_freeing(struct inode *i)
{
	struct icache_shard *s = icache_shard_of(i->volume, i->ino);
	bool held;

	os_mutex_lock(&s->lock);
	held = !inode_state(i, INODE_FREEING | INODE_LOADING);
	if (held)
		ref_locked(s, i);
	os_mutex_unlock(&s->lock);
	return held;
}

int icache_insert(struct inode *i)
{
	struct icache_shard *s = icache_shard_of(i->volume, i->ino);
	struct inode *old;

	os_mutex_lock(&s->lock);
	while ((old = find_locked(s, i->ino)) != NULL &&
		inode_state(old, INODE_FREEING | INODE_LOADING))
		os_cond_wait(&s->change, &s->lock);
	if (!old)
		enter_locked(s, i);
	os_mutex_unlock(&s->lock);
	if (!old)
		return 0;
	return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
		"an inode in use is marked free in the bitmap; run e2fsck");
}

void icache_forget_new(struct inode *i)
{
	struct icache_shard *s = icache_shard_of(i->volume, i->ino);

	os_mutex_lock(&s->lock);
	icache_leave_locked(s, i);
	s->referenced--;
	os_mutex_unlock(&s->lock);
}

/* Of the bucket's inodes in use the next by number, held, once it isn't on its way out. */
static struct inode *next_in_use(struct icache_shard *s, unsigned bucket, u64 after)
{
	struct inode *next;
	ino_nr ino;

	os_mutex_lock(&s->lock);
	do {
		next = NULL;
		for (struct inode *i = s->bucket[bucket]; i; i = i->hash_next) {
			bool busy =
				atomic_load_relaxed(&i->refs) > 0 || inode_state(i, INODE_FREEING);

			if (busy && i->ino > after && (!next || i->ino < next->ino))
				next = i;
		}
		ino = next ? next->ino : 0;
		after = ino;
	} while (next && (next = find_settled(s, ino)) == NULL);
	os_mutex_unlock(&s->lock);
	return next;
}

void icache_barrier(struct volume *v)
{
	for (unsigned k = 0; k < ICACHE_SHARDS; k++) {
		struct icache_shard *s = &v->inodes->shard[k];

		for (unsigned b = 0; b < ICACHE_BUCKETS; b++) {
			struct inode *i;

			for (u64 at = 0; (i = next_in_use(s, b, at)) != NULL;) {
				at = i->ino;
				os_rwsem_lock(&i->lock);
				inode_dio_wait(i);
				os_rwsem_unlock(&i->lock);
				inode_put(i);
			}
		}
	}
}

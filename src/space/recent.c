/*
 * JB-43: without a journal an inode number must not be reused right after its
 * deletion, else a crash mixes the old and the new file. Remembers recent
 * deletions in memory, so no never-used raw inode is ever read for it (AL-10).
 */
#include "space/space_priv.h"

#include "os/clock.h"
#include "os/mem.h"

#define REUSE_DELAY_NS (60 * NSEC_PER_SEC)

struct recent {
	struct rb_node node;
	struct list fifo;
	ino_nr ino;
	u64 expires_ns;
};

void recent_init(struct recent_inodes *r)
{
	os_mutex_init(&r->lock, RANK_LEAF, "recent inodes");
	r->root.node = NULL;
	list_init(&r->fifo);
	r->count = 0;
}

static void drop(struct recent_inodes *r, struct recent *e)
{
	rb_erase(&r->root, &e->node);
	list_del(&e->fifo);
	r->count--;
	os_free(e);
}

void recent_fini(struct recent_inodes *r)
{
	while (!list_empty(&r->fifo))
		drop(r, list_first(&r->fifo, struct recent, fifo));
	os_mutex_fini(&r->lock);
}

static void expire(struct recent_inodes *r, u64 now)
{
	while (!list_empty(&r->fifo)) {
		struct recent *e = list_first(&r->fifo, struct recent, fifo);

		if (e->expires_ns > now && r->count <= SPACE_RECENT_MAX)
			return;
		drop(r, e);
	}
}

static struct recent *find(const struct recent_inodes *r, ino_nr ino)
{
	struct rb_node *n = r->root.node;

	while (n && rb_entry(n, struct recent, node)->ino != ino)
		n = ino < rb_entry(n, struct recent, node)->ino ? n->left : n->right;
	return n ? rb_entry(n, struct recent, node) : NULL;
}

static void link_recent(struct recent_inodes *r, struct recent *e)
{
	struct rb_node **link = &r->root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = e->ino < rb_entry(parent, struct recent, node)->ino ? &parent->left
									   : &parent->right;
	}
	rb_insert(&r->root, parent, link, &e->node);
	list_add_tail(&r->fifo, &e->fifo);
	r->count++;
}

/* Out of memory only means that the number may be reused early. */
void recent_add(struct recent_inodes *r, ino_nr ino)
{
	struct recent *e = os_alloc(sizeof(*e)), *old;
	u64 now = os_clock_mono();

	if (!e)
		return;
	e->ino = ino;
	e->expires_ns = now + REUSE_DELAY_NS;
	os_mutex_lock(&r->lock);
	expire(r, now);
	old = find(r, ino);
	if (old)
		drop(r, old);
	link_recent(r, e);
	os_mutex_unlock(&r->lock);
}

bool recent_contains(struct recent_inodes *r, ino_nr ino)
{
	bool found;

	os_mutex_lock(&r->lock);
	expire(r, os_clock_mono());
	found = find(r, ino) != NULL;
	os_mutex_unlock(&r->lock);
	return found;
}

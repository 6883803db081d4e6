#include "space/index.h"

#define ENTRY(n) rb_entry(n, struct index_entry, node)
#define FRAG_ENTRY(n) rb_entry(n, struct index_entry, frag_node)

void index_init(struct index *ix)
{
	*ix = (struct index){0};
	os_mutex_init(&ix->lock, RANK_LEAF, "group index");
}

static group_nr node_nr(const struct rb_node *n, bool frag)
{
	return frag ? FRAG_ENTRY(n)->nr : ENTRY(n)->nr;
}

static void link_node(struct rb_root *root, struct rb_node *n, bool frag)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = node_nr(n, frag) < node_nr(parent, frag) ? &parent->left : &parent->right;
	}
	rb_insert(root, parent, link, n);
}

static void unlink_entry(struct index *ix, struct index_entry *e)
{
	if (e->kind == INDEX_UNREAD)
		rb_erase(&ix->unread[e->bucket], &e->node);
	if (e->kind == INDEX_EXACT) {
		rb_erase(&ix->order[e->bucket], &e->node);
		rb_erase(&ix->frag[e->frag], &e->frag_node);
	}
}

void index_place(
	struct index *ix, struct index_entry *e, enum index_kind kind, u32 bucket, u32 frag)
{
	if (e->kind == kind && (kind == INDEX_NONE || (e->bucket == bucket && e->frag == frag)))
		return;
	os_mutex_lock(&ix->lock);
	unlink_entry(ix, e);
	e->kind = kind;
	e->bucket = (u8)min_of(bucket, (u32)BUDDY_ORDERS);
	e->frag = (u8)min_of(frag, (u32)BUDDY_ORDERS);
	if (kind == INDEX_UNREAD)
		link_node(&ix->unread[e->bucket], &e->node, false);
	if (kind == INDEX_EXACT) {
		link_node(&ix->order[e->bucket], &e->node, false);
		link_node(&ix->frag[e->frag], &e->frag_node, true);
	}
	os_mutex_unlock(&ix->lock);
}

/* The lowest number >= from in the tree. */
static bool tree_next(const struct rb_root *root, bool frag, group_nr from, group_nr *nr)
{
	const struct rb_node *n = root->node;
	bool found = false;

	while (n) {
		if (node_nr(n, frag) >= from) {
			*nr = node_nr(n, frag);
			found = true;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

/* Improves *best (a distance) by the nearest of this tree at distance >= min. */
static void tree_nearest(
	const struct rb_root *root, bool frag, const struct index_query *q, u32 min, u32 *best)
{
	u32 ahead = q->count - q->base; /* distance at which the numbering wraps */
	group_nr nr = 0;

	if (!root->node)
		return;
	if (min < ahead && tree_next(root, frag, q->base + min, &nr) && nr < q->count) {
		*best = min_of(*best, nr - q->base);
		return;
	}
	if (tree_next(root, frag, min > ahead ? min - ahead : 0, &nr) && nr < q->base)
		*best = min_of(*best, nr + ahead);
}

bool index_nearest(struct index *ix, const struct index_query *q, u32 *distance, group_nr *nr)
{
	u32 best = UINT32_MAX;

	if (!q->count || q->base >= q->count)
		return false;
	os_mutex_lock(&ix->lock);
	for (u32 k = q->order; k <= BUDDY_ORDERS; k++)
		tree_nearest(&ix->order[k], false, q, *distance, &best);
	for (u32 k = q->frag; k <= BUDDY_ORDERS; k++)
		tree_nearest(&ix->frag[k], true, q, *distance, &best);
	for (u32 k = q->unread; k <= BUDDY_ORDERS; k++)
		tree_nearest(&ix->unread[k], false, q, *distance, &best);
	os_mutex_unlock(&ix->lock);
	if (best == UINT32_MAX)
		return false;
	*distance = best;
	*nr = (group_nr)(((u64)q->base + best) % q->count);
	return true;
}

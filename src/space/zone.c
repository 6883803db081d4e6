#include "space/zone.h"

#include "base/err.h"
#include "os/assert.h"
#include "os/mem.h"

void zone_init(struct zone *z)
{
	os_rwsem_init(&z->lock, RANK_LEAF, "zone");
	z->root.node = NULL;
	z->count = 0;
}

void zone_fini(struct zone *z)
{
	struct rb_node *n;

	while ((n = rb_first(&z->root)) != NULL) {
		rb_erase(&z->root, n);
		os_free(rb_entry(n, struct zone_range, node));
	}
	os_rwsem_fini(&z->lock);
}

int zone_reserve(struct zone_spares *s, u32 count)
{
	for (s->first = NULL; count > 0; count--) {
		struct zone_range *r = os_zalloc(sizeof(*r));

		if (!r) {
			zone_spares_free(s);
			return ERR(ENOMEM);
		}
		r->next_spare = s->first;
		s->first = r;
	}
	return 0;
}

void zone_spares_free(struct zone_spares *s)
{
	struct zone_range *r;

	while ((r = s->first) != NULL) {
		s->first = r->next_spare;
		os_free(r);
	}
}

/* The first range that ends after pblk. */
static struct zone_range *first_ending_after(const struct zone *z, pblk_t pblk)
{
	struct rb_node *n = z->root.node;
	struct zone_range *best = NULL;

	while (n) {
		struct zone_range *r = rb_entry(n, struct zone_range, node);

		if (r->start + r->len > pblk) {
			best = r;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static void link_range(struct zone *z, struct zone_range *r)
{
	struct rb_node **link = &z->root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->start < rb_entry(parent, struct zone_range, node)->start ? &parent->left
										   : &parent->right;
	}
	rb_insert(&z->root, parent, link, &r->node);
	z->count++;
}

static struct zone_range *neighbour(struct rb_node *n)
{
	return n ? rb_entry(n, struct zone_range, node) : NULL;
}

static void merge_with_next(struct zone *z, struct zone_range *r)
{
	struct zone_range *next = neighbour(rb_next(&r->node));

	if (!next || next->owner != r->owner || r->start + r->len != next->start)
		return;
	r->len += next->len;
	rb_erase(&z->root, &next->node);
	z->count--;
	os_free(next);
}

int zone_add(struct zone *z, struct zone_spares *s, pblk_t start, u64 len, ino_nr owner)
{
	struct zone_range *r = s->first, *at, *prev;
	int err = 0;

	ASSERT(r);
	os_rwsem_lock(&z->lock);
	at = first_ending_after(z, start);
	if (at && at->start < start + len) {
		err = ERR(EUCLEAN);
	} else {
		s->first = r->next_spare;
		*r = (struct zone_range){.start = start, .len = len, .owner = owner};
		link_range(z, r);
		merge_with_next(z, r);
		prev = neighbour(rb_prev(&r->node));
		if (prev)
			merge_with_next(z, prev);
	}
	os_rwsem_unlock(&z->lock);
	return err;
}

bool zone_overlaps(struct zone *z, pblk_t start, u64 len, ino_nr owner)
{
	struct zone_range *r;
	bool found = false;

	os_rwsem_lock_shared(&z->lock);
	for (r = first_ending_after(z, start); r && r->start < start + len && !found;
		r = neighbour(rb_next(&r->node)))
		found = !owner || r->owner != owner;
	os_rwsem_unlock_shared(&z->lock);
	return found;
}

bool zone_next(struct zone *z, pblk_t start, pblk_t end, pblk_t *out, u64 *len)
{
	struct zone_range *r;
	bool found;

	os_rwsem_lock_shared(&z->lock);
	r = first_ending_after(z, start);
	found = r && r->start < end;
	if (found) {
		*out = max_of(r->start, start);
		*len = min_of(r->start + r->len, end) - *out;
	}
	os_rwsem_unlock_shared(&z->lock);
	return found;
}

/*
 * The folios of one file by page index: a radix tree of 64-way nodes that
 * grows at the top, with a mark that leads to dirty folios.
 */
#include "base/err.h"
#include "iomap/folio.h"
#include "os/mem.h"

static u32 slot_of(u64 page, u32 shift)
{
	return (u32)(page >> shift) & (NODE_SLOTS - 1);
}

/* Pages that a tree whose top has this shift can hold. */
static u64 tree_capacity(u32 shift)
{
	return shift + NODE_BITS >= 64 ? UINT64_MAX : 1ull << (shift + NODE_BITS);
}

static u32 folio_pages(const struct folio *f)
{
	return f->size / f->io->cache->page_bytes;
}

struct folio *tree_find(struct iofile *io, u64 page)
{
	struct folio_node *n = io->tree;
	u32 shift = io->tree_shift;

	if (!n || page >= tree_capacity(shift))
		return NULL;
	for (; shift > 0 && n; shift -= NODE_BITS)
		n = n->slot[slot_of(page, shift)];
	return n ? n->slot[slot_of(page, 0)] : NULL;
}

static int tree_grow(struct iofile *io, u64 page)
{
	if (!io->tree) {
		io->tree = os_zalloc(sizeof(*io->tree));
		if (!io->tree)
			return ERR(ENOMEM);
		io->tree_shift = 0;
	}
	while (page >= tree_capacity(io->tree_shift)) {
		struct folio_node *top = os_zalloc(sizeof(*top));

		if (!top)
			return ERR(ENOMEM);
		top->slot[0] = io->tree;
		top->used = io->tree->used ? 1 : 0;
		top->dirty = io->tree->dirty ? 1 : 0;
		io->tree = top;
		io->tree_shift += NODE_BITS;
	}
	return 0;
}

/* The bottom node for page, made where missing. Empty nodes stay until tree_free or remove. */
static int tree_leaf(struct iofile *io, u64 page, struct folio_node **out)
{
	struct folio_node *n;
	int err = tree_grow(io, page);

	if (err)
		return err;
	n = io->tree;
	for (u32 shift = io->tree_shift; shift > 0; shift -= NODE_BITS) {
		u32 s = slot_of(page, shift);

		if (!n->slot[s]) {
			n->slot[s] = os_zalloc(sizeof(*n));
			if (!n->slot[s])
				return ERR(ENOMEM);
		}
		n = n->slot[s];
	}
	*out = n;
	return 0;
}

/* Sets or clears the bits of [s, s+count) in a leaf and carries the change upward. */
static void tree_update_path(struct iofile *io, u64 page)
{
	struct folio_node *path[16], *n = io->tree;
	u32 depth = 0;

	for (u32 shift = io->tree_shift; shift > 0; shift -= NODE_BITS) {
		path[depth++] = n;
		n = n->slot[slot_of(page, shift)];
	}
	for (u32 shift = NODE_BITS; depth > 0; shift += NODE_BITS) {
		struct folio_node *up = path[--depth];
		u64 bit = 1ull << slot_of(page, shift);

		up->used = n->used ? up->used | bit : up->used & ~bit;
		up->dirty = n->dirty ? up->dirty | bit : up->dirty & ~bit;
		if (!n->used) {
			up->slot[slot_of(page, shift)] = NULL;
			os_free(n);
		}
		n = up;
	}
}

static u64 leaf_mask(const struct folio *f)
{
	u32 pages = folio_pages(f);
	u64 ones = pages == 64 ? ~0ull : (1ull << pages) - 1;

	return ones << slot_of(folio_page(f), 0);
}

int tree_insert(struct iofile *io, struct folio *f)
{
	struct folio_node *leaf = NULL;
	u64 page = folio_page(f), mask = leaf_mask(f);
	int err = tree_leaf(io, page, &leaf);

	if (err)
		return err;
	if (leaf->used & mask)
		return -EEXIST;
	for (u32 k = 0; k < folio_pages(f); k++)
		leaf->slot[slot_of(page, 0) + k] = f;
	leaf->used |= mask;
	tree_update_path(io, page);
	atomic_add(&io->folio_count, 1);
	return 0;
}

static struct folio_node *tree_leaf_of(struct iofile *io, u64 page)
{
	struct folio_node *n = io->tree;

	for (u32 shift = io->tree_shift; shift > 0; shift -= NODE_BITS)
		n = n->slot[slot_of(page, shift)];
	return n;
}

void tree_remove(struct iofile *io, struct folio *f)
{
	u64 page = folio_page(f), mask = leaf_mask(f);
	struct folio_node *leaf = tree_leaf_of(io, page);

	ASSERT(os_mutex_held(&io->tree_lock));
	for (u32 k = 0; k < folio_pages(f); k++)
		leaf->slot[slot_of(page, 0) + k] = NULL;
	leaf->used &= ~mask;
	leaf->dirty &= ~mask;
	tree_update_path(io, page);
	atomic_sub(&io->folio_count, 1);
}

void tree_mark_dirty(struct iofile *io, struct folio *f, bool dirty)
{
	struct folio_node *leaf = tree_leaf_of(io, folio_page(f));
	u64 mask = leaf_mask(f);

	leaf->dirty = dirty ? leaf->dirty | mask : leaf->dirty & ~mask;
	tree_update_path(io, folio_page(f));
}

/* First slot at or after from that has its bit set; NODE_SLOTS when none. */
static u32 next_slot(u64 bits, u32 from)
{
	u64 rest = from >= 64 ? 0 : bits >> from << from;

	return rest ? (u32)__builtin_ctzll(rest) : NODE_SLOTS;
}

static struct folio *node_next(struct folio_node *n, u32 shift, u64 page, bool dirty_only)
{
	u32 first = slot_of(page, shift);

	for (u32 s = next_slot(dirty_only ? n->dirty : n->used, first); s < NODE_SLOTS;
		s = next_slot(dirty_only ? n->dirty : n->used, s + 1)) {
		struct folio *f;

		if (shift == 0)
			return n->slot[s];
		f = node_next(n->slot[s], shift - NODE_BITS, s == first ? page : 0, dirty_only);
		if (f)
			return f;
	}
	return NULL;
}

struct folio *tree_next(struct iofile *io, u64 page, bool dirty_only)
{
	if (!io->tree || page >= tree_capacity(io->tree_shift))
		return NULL;
	return node_next(io->tree, io->tree_shift, page, dirty_only);
}

static void node_free(struct folio_node *n, u32 shift)
{
	for (u32 s = 0; shift > 0 && s < NODE_SLOTS; s++)
		if (n->slot[s])
			node_free(n->slot[s], shift - NODE_BITS);
	os_free(n);
}

void tree_free(struct iofile *io)
{
	ASSERT(io->folio_count == 0);
	if (io->tree)
		node_free(io->tree, io->tree_shift);
	io->tree = NULL;
}

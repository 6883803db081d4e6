#include "map/extent_node.h"

#include "os/assert.h"

#include <string.h>

enum { ENTRY_SIZE = 12 };

_Static_assert(sizeof(struct ext4_extent) == ENTRY_SIZE, "leaf entry");
_Static_assert(sizeof(struct ext4_extent_idx) == ENTRY_SIZE, "index entry");

static struct ext4_extent_header *header(void *node)
{
	return node;
}

static const struct ext4_extent_header *const_header(const void *node)
{
	return node;
}

static void *entry(void *node, u32 i)
{
	return (u8 *)node + sizeof(struct ext4_extent_header) + (size_t)i * ENTRY_SIZE;
}

static const void *const_entry(const void *node, u32 i)
{
	return (const u8 *)node + sizeof(struct ext4_extent_header) + (size_t)i * ENTRY_SIZE;
}

u32 node_count(const void *node)
{
	return le16_to_cpu(const_header(node)->eh_entries);
}

u32 node_max(const void *node)
{
	return le16_to_cpu(const_header(node)->eh_max);
}

u32 node_depth(const void *node)
{
	return le16_to_cpu(const_header(node)->eh_depth);
}

lblk_t node_key(const void *node, u32 i)
{
	const struct ext4_extent *e = const_entry(node, i);

	ASSERT(i < node_count(node));
	return le32_to_cpu(e->ee_block);
}

struct extent_entry node_extent(const void *node, u32 i)
{
	ASSERT(i < node_count(node) && node_depth(node) == 0);
	return extent_leaf_get(node, i);
}

pblk_t node_child(const void *node, u32 i)
{
	lblk_t key;
	pblk_t child;

	ASSERT(i < node_count(node) && node_depth(node) > 0);
	extent_index_get(node, i, &key, &child);
	return child;
}

/* Slots no longer in use are cleared: nothing stale goes to the device. */
void node_resize(void *node, u32 at, u32 remove, u32 add)
{
	u32 count = node_count(node), after = count - at - remove, now = count - remove + add;

	ASSERT(at + remove <= count && now <= node_max(node));
	memmove(entry(node, at + add), entry(node, at + remove), (size_t)after * ENTRY_SIZE);
	if (now < count)
		memset(entry(node, now), 0, (size_t)(count - now) * ENTRY_SIZE);
	header(node)->eh_entries = cpu_to_le16((u16)now);
}

void node_copy(void *to, u32 to_at, const void *from, u32 from_at, u32 count)
{
	memcpy(entry(to, to_at), const_entry(from, from_at), (size_t)count * ENTRY_SIZE);
}

void node_set_key(void *node, u32 i, lblk_t key)
{
	struct ext4_extent *e = entry(node, i);

	e->ee_block = cpu_to_le32(key);
}

void node_set_extent(void *node, u32 i, const struct extent_entry *e)
{
	ASSERT(i < node_count(node) && node_depth(node) == 0);
	extent_leaf_set(node, i, e);
}

void node_set_index(void *node, u32 i, lblk_t key, pblk_t child)
{
	ASSERT(i < node_count(node) && node_depth(node) > 0);
	extent_index_set(node, i, key, child);
}

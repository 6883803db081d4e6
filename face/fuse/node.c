/* The inodes that the kernel knows, and how often it was told of each. */
#include "server.h"

#include <errno.h>
#include <stdlib.h>

struct node {
	struct node *next; /* shard lock */
	uint64_t ino;
	uint64_t lookups; /* shard lock */
	struct uext4_inode *inode;
};

static struct node_shard *shard_of(struct server *s, uint64_t ino)
{
	return &s->shards[ino % SHARD_COUNT];
}

static struct node **bucket_of(struct node_shard *shard, uint64_t ino)
{
	return &shard->buckets[ino / SHARD_COUNT & (shard->bucket_count - 1)];
}

/* The link that points at ino's node, or at NULL. */
static struct node **find_locked(struct node_shard *shard, uint64_t ino)
{
	struct node **link = bucket_of(shard, ino);

	while (*link && (*link)->ino != ino)
		link = &(*link)->next;
	return link;
}

/* A table that can't grow works on, only slower. */
static void grow_locked(struct node_shard *shard)
{
	struct node **old = shard->buckets;
	size_t old_count = shard->bucket_count;
	struct node **buckets;

	if (shard->node_count < 2 * old_count)
		return;
	buckets = calloc(2 * old_count, sizeof(struct node *));
	if (!buckets)
		return;
	shard->buckets = buckets;
	shard->bucket_count = 2 * old_count;
	for (size_t k = 0; k < old_count; k++) {
		struct node *n = old[k];

		while (n) {
			struct node *next = n->next, **link = bucket_of(shard, n->ino);

			n->next = *link;
			*link = n;
			n = next;
		}
	}
	free(old);
}

int nodes_init(struct server *s)
{
	pthread_mutex_init(&s->handles_lock, NULL);
	for (int k = 0; k < SHARD_COUNT; k++) {
		struct node_shard *shard = &s->shards[k];

		pthread_mutex_init(&shard->lock, NULL);
		shard->bucket_count = SHARD_BUCKETS_MIN;
		shard->buckets = calloc(shard->bucket_count, sizeof(struct node *));
		if (!shard->buckets)
			return -ENOMEM;
	}
	return 0;
}

static void forget_chain(struct node *n)
{
	while (n) {
		struct node *next = n->next;

		uext4_inode_put(n->inode);
		free(n);
		n = next;
	}
}

void nodes_forget_all(struct server *s)
{
	for (int k = 0; k < SHARD_COUNT; k++) {
		struct node_shard *shard = &s->shards[k];

		for (size_t b = 0; b < shard->bucket_count; b++) {
			forget_chain(shard->buckets[b]);
			shard->buckets[b] = NULL;
		}
		shard->node_count = 0;
	}
}

void nodes_fini(struct server *s)
{
	for (int k = 0; k < SHARD_COUNT; k++)
		free(s->shards[k].buckets);
}

fuse_ino_t node_number(const struct uext4_inode *inode)
{
	uint64_t ino = uext4_inode_number(inode);

	return ino == UEXT4_ROOT_INO ? FUSE_ROOT_ID : ino;
}

int node_remember(struct server *s, struct uext4_inode *inode)
{
	uint64_t ino = node_number(inode);
	struct node_shard *shard = shard_of(s, ino);
	struct node **link, *fresh;

	if (ino == FUSE_ROOT_ID) { /* never forgotten */
		uext4_inode_put(inode);
		return 0;
	}
	fresh = malloc(sizeof(*fresh));
	if (!fresh) {
		uext4_inode_put(inode);
		return -ENOMEM;
	}
	pthread_mutex_lock(&shard->lock);
	link = find_locked(shard, ino);
	if (*link) {
		(*link)->lookups++;
	} else {
		*fresh = (struct node){.ino = ino, .lookups = 1, .inode = inode};
		*link = fresh;
		shard->node_count++;
		grow_locked(shard);
		fresh = NULL;
	}
	pthread_mutex_unlock(&shard->lock);
	if (fresh) {
		uext4_inode_put(inode);
		free(fresh);
	}
	return 0;
}

void node_forget(struct server *s, fuse_ino_t ino, uint64_t count)
{
	struct node_shard *shard = shard_of(s, ino);
	struct node **link, *gone = NULL;

	if (ino == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&shard->lock);
	link = find_locked(shard, ino);
	if (*link && (*link)->lookups <= count) {
		gone = *link;
		*link = gone->next;
		shard->node_count--;
	} else if (*link) {
		(*link)->lookups -= count;
	}
	pthread_mutex_unlock(&shard->lock);
	if (gone) {
		uext4_inode_put(gone->inode);
		free(gone);
	}
}

struct uext4_inode *node_inode(struct server *s, fuse_ino_t ino)
{
	struct node_shard *shard = shard_of(s, ino);
	struct node *n;

	if (ino == FUSE_ROOT_ID)
		return s->root;
	pthread_mutex_lock(&shard->lock);
	n = *find_locked(shard, ino);
	pthread_mutex_unlock(&shard->lock);
	return n ? n->inode : NULL;
}

/* A hash table from (device, inode) to what stands for the file on the other side. */
#include "links.h"

#include <errno.h>
#include <stdlib.h>

struct link_entry {
	struct link_entry *next;
	uint64_t dev, ino;
	void *what;
};

static struct link_entry **bucket(const struct links *l, uint64_t dev, uint64_t ino)
{
	uint64_t hash = (ino ^ dev << 32) * 0x9e3779b97f4a7c15ull;

	return &l->buckets[hash >> 32 & (l->bucket_count - 1)];
}

void *links_find(const struct links *links, uint64_t dev, uint64_t ino)
{
	struct link_entry *e = links->bucket_count ? *bucket(links, dev, ino) : NULL;

	while (e && (e->dev != dev || e->ino != ino))
		e = e->next;
	return e ? e->what : NULL;
}

static int grow(struct links *l)
{
	struct links bigger = {
		.bucket_count = l->bucket_count ? 2 * l->bucket_count : 256, .count = l->count};

	bigger.buckets = calloc(bigger.bucket_count, sizeof(*bigger.buckets));
	if (!bigger.buckets)
		return -ENOMEM;
	for (unsigned long k = 0; k < l->bucket_count; k++) {
		struct link_entry *e = l->buckets[k];

		while (e) {
			struct link_entry *next = e->next, **to = bucket(&bigger, e->dev, e->ino);

			e->next = *to;
			*to = e;
			e = next;
		}
	}
	free(l->buckets);
	*l = bigger;
	return 0;
}

int links_note(struct links *links, uint64_t dev, uint64_t ino, void *what)
{
	struct link_entry *e, **to;

	if (links->count >= links->bucket_count && grow(links))
		return -ENOMEM;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	to = bucket(links, dev, ino);
	*e = (struct link_entry){*to, dev, ino, what};
	*to = e;
	links->count++;
	return 0;
}

void links_fini(struct links *links, void (*release)(void *what))
{
	for (unsigned long k = 0; k < links->bucket_count; k++) {
		struct link_entry *e = links->buckets[k];

		while (e) {
			struct link_entry *next = e->next;

			release(e->what);
			free(e);
			e = next;
		}
	}
	free(links->buckets);
	*links = (struct links){0};
}

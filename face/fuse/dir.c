/* Listing directories, with and without attributes. */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The reply, filled up to size. */
struct listing {
	fuse_req_t req;
	char *buf;
	size_t size, used;
};

static bool add_plain(void *arg, const struct uext4_dirent *entry)
{
	struct listing *l = arg;
	struct stat st = {.st_ino = entry->ino, .st_mode = DTTOIF(entry->type)};
	char name[NAME_MAX + 1];
	size_t need;

	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = '\0';
	need = fuse_add_direntry(
		l->req, l->buf + l->used, l->size - l->used, name, &st, (off_t)entry->next_cookie);
	if (need > l->size - l->used)
		return false;
	l->used += need;
	return true;
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct uext4_inode *dir = node_inode(server_of(req), ino);
	struct uext4_cred cred = cred_of(req);
	struct listing l = {.req = req, .size = size};
	int err = dir ? 0 : -ESTALE;

	if (!err) {
		l.buf = malloc(size);
		err = l.buf ? uext4_readdir(dir, &cred, (uint64_t)off, add_plain, &l) : -ENOMEM;
	}
	if (err < 0 && !l.used)
		reply_status(req, err);
	else
		fuse_reply_buf(req, l.buf, l.used);
	free(l.buf);
}

/* --- with attributes --- */

/* Entries are collected first: inodes may not be loaded while the directory is being read. */
struct found {
	char name[NAME_MAX + 1];
	uint64_t ino, next_cookie;
	unsigned type;
	bool told; /* the kernel knows the inode by this entry */
};

struct collection {
	fuse_req_t req;
	struct found *entries;
	size_t count, capacity;
	size_t size, used; /* of the reply */
	bool no_memory;
};

static bool collect(void *arg, const struct uext4_dirent *entry)
{
	struct collection *c = arg;
	struct found *f;

	if (c->count == c->capacity) {
		size_t capacity = c->capacity ? 2 * c->capacity : 32;

		f = realloc(c->entries, capacity * sizeof(*f));
		if (!f) {
			c->no_memory = true;
			return false;
		}
		c->entries = f;
		c->capacity = capacity;
	}
	f = &c->entries[c->count];
	*f = (struct found){
		.ino = entry->ino, .next_cookie = entry->next_cookie, .type = entry->type};
	memcpy(f->name, entry->name, entry->name_len);
	c->used += fuse_add_direntry_plus(c->req, NULL, 0, f->name, NULL, 0);
	if (c->used > c->size)
		return false;
	c->count++;
	return true;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/*
 * The kernel holds the directory's lock, so that number and name still belong together. An inode
 * that can't be read is listed without attributes: looking it up will tell why.
 */
static void add_plus(struct server *s, struct listing *l, struct found *f)
{
	struct fuse_entry_param e;
	struct uext4_inode *inode;

	f->told = !is_dot(f->name) && uext4_inode_get(s->fs, f->ino, &inode) == 0 &&
		  entry_fill(s, inode, &e) == 0;
	if (!f->told)
		e = (struct fuse_entry_param){
			.attr = {.st_ino = f->ino, .st_mode = DTTOIF(f->type)}};
	l->used += fuse_add_direntry_plus(
		l->req, l->buf + l->used, l->size - l->used, f->name, &e, (off_t)f->next_cookie);
}

/* Forgets what the kernel was not told after all. */
static void undo_plus(struct server *s, const struct collection *c)
{
	for (size_t k = 0; k < c->count; k++)
		if (c->entries[k].told)
			node_forget(s, c->entries[k].ino, 1);
}

void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct server *s = server_of(req);
	struct uext4_inode *dir = node_inode(s, ino);
	struct uext4_cred cred = cred_of(req);
	struct collection c = {.req = req, .size = size};
	struct listing l = {.req = req, .size = size};
	int err = dir ? uext4_readdir(dir, &cred, (uint64_t)off, collect, &c) : -ESTALE;

	if (c.no_memory && !c.count)
		err = -ENOMEM;
	if (c.count) {
		l.buf = malloc(size);
		err = l.buf ? 0 : -ENOMEM;
	}
	if (err) {
		reply_status(req, err);
		goto out;
	}
	for (size_t k = 0; k < c.count; k++)
		add_plus(s, &l, &c.entries[k]);
	if (fuse_reply_buf(req, l.buf, l.used) < 0)
		undo_plus(s, &c);
out:
	free(l.buf);
	free(c.entries);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	struct uext4_inode *dir = node_inode(server_of(req), ino);

	reply_status(req, dir ? uext4_inode_sync(dir, data_only) : -ESTALE);
}

/* Calls, with their place in the oracle's record. */
#include "sim/load/player.h"

#include <errno.h>
#include <string.h>

static u16 name_of(struct player *p, const char *name)
{
	return name_intern(&p->world->oracle->names, name);
}

struct op *call_begin(struct player *p, struct op call)
{
	call.thread = p->thread;
	return oracle_begin(p->world->oracle, &call);
}

int call_end(struct player *p, struct op *op, s64 result)
{
	oracle_end(p->world->oracle, op, result);
	return (int)result;
}

void ref_put(struct ref *r)
{
	uext4_inode_put(r->inode);
	r->inode = NULL;
}

bool player_root(struct player *p, struct ref *out)
{
	*out = (struct ref){.node = NODE_ROOT, .mode = S_IFDIR};
	return uext4_root(p->world->fs, &out->inode) == 0;
}

int call_lookup(struct player *p, const struct ref *dir, const char *name, struct ref *out)
{
	struct op *op = call_begin(
		p, (struct op){.kind = OP_LOOKUP, .dir = dir->node, .name = name_of(p, name)});
	struct uext4_stat st;
	int err = uext4_lookup(dir->inode, NULL, name, &out->inode);

	if (!err) {
		err = uext4_stat(out->inode, &st);
		if (err) {
			ref_put(out);
			return call_end(p, op, err);
		}
		out->node = op->node = (u16)st.uid;
		out->mode = (u16)st.mode;
	}
	return call_end(p, op, err);
}

static int create_link(const struct ref *dir, const char *name, const struct uext4_cred *cred,
	struct uext4_inode **out)
{
	char target[TARGET_SIZE_MAX + 1] = "";

	symlink_target((u16)cred->uid, target);
	return uext4_symlink(dir->inode, cred, name, target, out);
}

int call_create(
	struct player *p, const struct ref *dir, const char *name, u16 mode, struct ref *out)
{
	u16 node = oracle_node(p->world->oracle);
	struct uext4_cred cred = {.uid = node, .trusted = true, .privileged = true};
	struct uext4_create req = {.mode = mode};
	struct op *op;
	int err;

	if (!node)
		return -ENFILE;
	*out = (struct ref){.node = node, .mode = mode};
	op = call_begin(p, (struct op){.kind = OP_CREATE,
				   .dir = dir->node,
				   .name = name_of(p, name),
				   .node = node,
				   .mode = mode});
	err = S_ISLNK(mode) ? create_link(dir, name, &cred, &out->inode)
			    : uext4_create(dir->inode, &cred, name, &req, &out->inode);
	return call_end(p, op, err);
}

int call_tmpfile(struct player *p, const struct ref *dir, struct ref *out)
{
	u16 node = oracle_node(p->world->oracle), mode = S_IFREG | 0644;
	struct uext4_cred cred = {.uid = node, .trusted = true, .privileged = true};
	struct uext4_create req = {.mode = mode};
	struct op *op;

	if (!node)
		return -ENFILE;
	*out = (struct ref){.node = node, .mode = mode};
	op = call_begin(
		p, (struct op){.kind = OP_TMPFILE, .dir = dir->node, .node = node, .mode = mode});
	return call_end(p, op, uext4_tmpfile(dir->inode, &cred, &req, &out->inode));
}

int call_link(struct player *p, const struct ref *file, const struct ref *dir, const char *name)
{
	struct op *op = call_begin(p, (struct op){.kind = OP_LINK,
					      .dir = dir->node,
					      .name = name_of(p, name),
					      .node = file->node});

	return call_end(p, op, uext4_link(file->inode, NULL, dir->inode, name));
}

int call_unlink(struct player *p, const struct ref *dir, const char *name, bool rmdir)
{
	struct op *op = call_begin(p, (struct op){.kind = rmdir ? OP_RMDIR : OP_UNLINK,
					      .dir = dir->node,
					      .name = name_of(p, name)});

	return call_end(p, op,
		rmdir ? uext4_rmdir(dir->inode, NULL, name) : uext4_unlink(dir->inode, NULL, name));
}

int call_rename(struct player *p, const struct ref *from_dir, const char *from,
	const struct ref *to_dir, const char *to, u32 flags)
{
	struct op *op = call_begin(p, (struct op){.kind = OP_RENAME,
					      .dir = from_dir->node,
					      .name = name_of(p, from),
					      .to_dir = to_dir->node,
					      .to_name = name_of(p, to),
					      .flags = flags});

	return call_end(p, op, uext4_rename(from_dir->inode, from, to_dir->inode, to, NULL, flags));
}

int call_chmod(struct player *p, const struct ref *file, u16 mode)
{
	struct uext4_setattr attr = {.valid = UEXT4_SET_MODE, .mode = mode & 07777};
	struct op *op = call_begin(p, (struct op){.kind = OP_CHMOD,
					      .node = file->node,
					      .mode = (file->mode & S_IFMT) | (mode & 07777)});

	return call_end(p, op, uext4_setattr(file->inode, NULL, &attr));
}

int call_setxattr(struct player *p, const struct ref *file, u16 version)
{
	char value[XATTR_VALUE_MAX];
	u32 len = xattr_value(version, value);
	struct op *op = call_begin(
		p, (struct op){.kind = OP_SETXATTR, .node = file->node, .xattr = version});

	return call_end(p, op,
		version ? uext4_setxattr(file->inode, NULL, "user.v", value, len, 0)
			: uext4_removexattr(file->inode, NULL, "user.v"));
}

void call_stat(struct player *p, struct ref *file)
{
	struct op *op = call_begin(p, (struct op){.kind = OP_STAT, .node = file->node});
	struct uext4_stat st = {0};
	int err = uext4_stat(file->inode, &st);

	op->mode = (u16)st.mode;
	op->links = (u16)st.links;
	call_end(p, op, err);
}

void call_getxattr(struct player *p, const struct ref *file)
{
	struct op *op = call_begin(p, (struct op){.kind = OP_GETXATTR, .node = file->node});
	char value[XATTR_VALUE_MAX + 1], legal[XATTR_VALUE_MAX];
	ssize_t n = uext4_getxattr(file->inode, NULL, "user.v", value, sizeof(value));

	if (n > 0) {
		op->xattr = (u8)value[0];
		if (xattr_value(op->xattr, legal) != (u32)n || memcmp(value, legal, (size_t)n) != 0)
			world_fail(p->world, "an attribute has a value that was never set", 0);
	}
	call_end(p, op, n >= 0 || n == -ENODATA ? 0 : n);
}

int call_sync(struct player *p, const struct ref *file, enum op_kind kind)
{
	struct op *op =
		call_begin(p, (struct op){.kind = kind, .node = file ? file->node : NODE_NONE});

	return call_end(p, op,
		file ? uext4_inode_sync(file->inode, kind == OP_FDATASYNC)
		     : uext4_sync(p->world->fs));
}

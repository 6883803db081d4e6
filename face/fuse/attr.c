/* Attributes, credentials, entries; statfs. */
#include "server.h"

#include <errno.h>
#include <sys/sysmacros.h>

double cache_seconds(void)
{
	return 86400;
}

struct uext4_cred cred_of(fuse_req_t req)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);

	return (struct uext4_cred){.uid = c->uid,
		.gid = c->gid,
		.trusted = true,
		.privileged = c->uid == 0 || server_of(req)->options->fakeroot};
}

struct uext4_cred cred_with_groups(fuse_req_t req, uint32_t *groups)
{
	struct uext4_cred cred = cred_of(req);
	int n = fuse_req_getgroups(req, GROUPS_MAX, groups);

	cred.groups = groups;
	cred.group_count = n < 0 ? 0 : n > GROUPS_MAX ? GROUPS_MAX : (size_t)n;
	return cred;
}

int stat_of(struct server *s, struct uext4_inode *inode, struct stat *out)
{
	const struct mount_options *o = s->options;
	struct uext4_stat st;
	int err = uext4_stat(inode, &st);

	if (err)
		return err;
	*out = (struct stat){.st_ino = st.ino,
		.st_mode = st.mode,
		.st_nlink = st.links,
		.st_uid = o->set_uid ? o->uid : st.uid,
		.st_gid = o->set_gid ? o->gid : st.gid,
		.st_rdev = makedev(st.rdev_major, st.rdev_minor),
		.st_size = (off_t)st.size,
		.st_blksize = st.block_size,
		.st_blocks = (blkcnt_t)st.blocks,
		.st_atim = st.atime,
		.st_mtim = st.mtime,
		.st_ctim = st.ctime};
	return 0;
}

void reply_status(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

int entry_fill(struct server *s, struct uext4_inode *inode, struct fuse_entry_param *e)
{
	int err;

	*e = (struct fuse_entry_param){.ino = node_number(inode),
		.generation = uext4_inode_generation(inode),
		.attr_timeout = cache_seconds(),
		.entry_timeout = cache_seconds()};
	err = stat_of(s, inode, &e->attr);
	if (err) {
		uext4_inode_put(inode);
		return err;
	}
	return node_remember(s, inode);
}

void entry_undo(struct server *s, const struct fuse_entry_param *e)
{
	if (e->ino)
		node_forget(s, e->ino, 1);
}

void reply_entry(fuse_req_t req, int err, struct uext4_inode *inode)
{
	struct server *s = server_of(req);
	struct fuse_entry_param e;

	if (!err)
		err = entry_fill(s, inode, &e);
	if (err)
		reply_status(req, err);
	else if (fuse_reply_entry(req, &e) < 0)
		entry_undo(s, &e);
}

static void reply_attr(fuse_req_t req, struct uext4_inode *inode)
{
	struct stat st;
	int err = stat_of(server_of(req), inode, &st);

	if (err)
		reply_status(req, err);
	else
		fuse_reply_attr(req, &st, cache_seconds());
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);

	if (inode)
		reply_attr(req, inode);
	else
		reply_status(req, -ESTALE);
}

static const struct {
	int fuse;
	uint32_t uext4;
} set_bits[] = {
	{FUSE_SET_ATTR_MODE, UEXT4_SET_MODE},
	{FUSE_SET_ATTR_UID, UEXT4_SET_UID},
	{FUSE_SET_ATTR_GID, UEXT4_SET_GID},
	{FUSE_SET_ATTR_SIZE, UEXT4_SET_SIZE},
	{FUSE_SET_ATTR_CTIME, UEXT4_SET_CTIME},
};

/* FUSE sets the time bit together with its "now" bit; uext4 wants one of them. */
static uint32_t time_bits(int to_set)
{
	uint32_t valid = 0;

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		valid |= UEXT4_SET_ATIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		valid |= UEXT4_SET_ATIME;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		valid |= UEXT4_SET_MTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		valid |= UEXT4_SET_MTIME;
	return valid;
}

void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	struct uext4_cred cred = cred_of(req);
	struct uext4_setattr set = {.valid = time_bits(to_set),
		.mode = attr->st_mode,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.size = (uint64_t)attr->st_size,
		.atime = attr->st_atim,
		.mtime = attr->st_mtim,
		.ctime = attr->st_ctim};
	int err = inode ? 0 : -ESTALE;

	for (size_t k = 0; k < sizeof(set_bits) / sizeof(set_bits[0]); k++)
		if (to_set & set_bits[k].fuse)
			set.valid |= set_bits[k].uext4;
	if (!err && set.valid)
		err = uext4_setattr(inode, &cred, &set);
	if (err)
		reply_status(req, err);
	else
		reply_attr(req, inode);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct uext4_statfs st;
	int err = uext4_statfs(server_of(req)->fs, &st);
	struct statvfs out;

	if (err) {
		reply_status(req, err);
		return;
	}
	out = (struct statvfs){.f_bsize = st.block_size,
		.f_frsize = st.block_size,
		.f_blocks = st.blocks,
		.f_bfree = st.blocks_free,
		.f_bavail = st.blocks_available,
		.f_files = st.inodes,
		.f_ffree = st.inodes_free,
		.f_favail = st.inodes_free,
		.f_fsid = st.fsid,
		.f_namemax = st.name_max};
	fuse_reply_statfs(req, &out);
}

/* Extended attributes; POSIX ACLs are among them. */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Replies with what get gave, which is a size if size is 0. */
static void reply_xattr(fuse_req_t req, const char *buf, size_t size, ssize_t n)
{
	if (n < 0)
		reply_status(req, (int)n);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	struct uext4_cred cred = cred_of(req);
	char *buf = size ? malloc(size) : NULL;
	ssize_t n = !inode	   ? -ESTALE
		    : size && !buf ? -ENOMEM
				   : uext4_getxattr(inode, &cred, name, buf, size);

	reply_xattr(req, buf, size, n);
	free(buf);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	struct uext4_cred cred = cred_of(req);
	char *buf = size ? malloc(size) : NULL;
	ssize_t n = !inode	   ? -ESTALE
		    : size && !buf ? -ENOMEM
				   : uext4_listxattr(inode, &cred, buf, size);

	reply_xattr(req, buf, size, n);
	free(buf);
}

/* An access ACL sets the mode; a caller outside the group loses set-group-ID by it. */
void op_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	uint32_t groups[GROUPS_MAX];
	bool acl = strcmp(name, "system.posix_acl_access") == 0;
	struct uext4_cred cred = acl ? cred_with_groups(req, groups) : cred_of(req);

	reply_status(req, inode ? uext4_setxattr(inode, &cred, name, value, size, flags) : -ESTALE);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct uext4_inode *inode = node_inode(server_of(req), ino);
	struct uext4_cred cred = cred_of(req);

	reply_status(req, inode ? uext4_removexattr(inode, &cred, name) : -ESTALE);
}

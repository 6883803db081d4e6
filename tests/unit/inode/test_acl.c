/* ACLs: conversion, effect on the mode, permission, inheritance, who may set what. */
#include "inode/inode_test.h"

#include "disk/acl_format.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NO_ID 0xffffffffu

struct entry {
	u16 tag, perm;
	u32 id;
};

static size_t make(u8 *out, const struct entry *e, u32 count)
{
	((struct posix_acl_xattr_header *)out)->a_version = cpu_to_le32(POSIX_ACL_XATTR_VERSION);
	for (u32 k = 0; k < count; k++)
		((struct posix_acl_xattr_entry *)(out + 4))[k] = (struct posix_acl_xattr_entry){
			cpu_to_le16(e[k].tag), cpu_to_le16(e[k].perm), cpu_to_le32(e[k].id)};
	return 4 + count * 8;
}

static int set_as(
	struct inode *i, const struct cred *c, const char *name, const struct entry *e, u32 count)
{
	u8 value[256];
	size_t size = make(value, e, count);
	int err;

	os_rwsem_lock(&i->lock);
	err = xattr_set(i, c, name, value, size, 0);
	os_rwsem_unlock(&i->lock);
	return err;
}

static void expect(struct inode *i, const char *name, const struct entry *e, u32 count)
{
	u8 value[256], want[256];
	size_t size = make(want, e, count);

	assert_int_equal(xattr_get(i, name, NULL, 0), size);
	assert_int_equal(xattr_get(i, name, value, sizeof(value)), size);
	assert_memory_equal(value, want, size);
}

static const struct entry named[] = {
	{ACL_TAG_USER_OBJ, 6, NO_ID},
	{ACL_TAG_USER, 7, 1000},
	{ACL_TAG_GROUP_OBJ, 4, NO_ID},
	{ACL_TAG_GROUP, 2, 2000},
	{ACL_TAG_MASK, 6, NO_ID},
	{ACL_TAG_OTHER, 1, NO_ID},
};
static const struct entry minimal[] = {
	{ACL_TAG_USER_OBJ, 7, NO_ID},
	{ACL_TAG_GROUP_OBJ, 5, NO_ID},
	{ACL_TAG_OTHER, 0, NO_ID},
};

static struct cred user(u32 uid, u32 gid)
{
	return (struct cred){.uid = uid, .gid = gid, .check = true};
}

static void chmod_to(struct inode *i, u32 mode)
{
	u32 credits = acl_chmod_credits(i) + INODE_DIRTY_CREDITS;
	struct handle h;

	os_rwsem_lock(&i->lock);
	assert_int_equal(handle_start(i->volume->journal, &h, credits, credits), 0);
	i->f.mode = (i->f.mode & ~07777u) | mode;
	assert_int_equal(acl_chmod(&h, i, i->f.mode), 0);
	assert_int_equal(inode_dirty(&h, i), 0);
	assert_int_equal(handle_stop(&h), 0);
	os_rwsem_unlock(&i->lock);
}

static void begin(struct inode_test *t)
{
	it_make(t, 8 << 20, "-b 1024 -I 256", 2, 2);
	it_up(t, 0);
}

static void test_XA_7_mode_follows(void **state)
{
	struct entry changed[array_len(named)];
	struct inode_test t;
	struct inode *i;

	begin(&t);
	i = it_file(&t, 0);
	assert_int_equal(set_as(i, &it_root, ACCESS, named, array_len(named)), 0);
	assert_int_equal(i->f.mode & 0777, 0661); /* the mask is the group's class */
	expect(i, ACCESS, named, array_len(named));
	chmod_to(i, 0740);
	memcpy(changed, named, sizeof(named));
	changed[0].perm = 7;
	changed[4].perm = 4;
	changed[5].perm = 0;
	expect(i, ACCESS, changed, array_len(changed));
	assert_int_equal(set_as(i, &it_root, ACCESS, minimal, array_len(minimal)), 0);
	assert_int_equal(i->f.mode & 0777, 0750);
	assert_int_equal(xattr_get(i, ACCESS, NULL, 0), -ENODATA); /* the mode says it all */
	assert_int_equal(set_as(i, &it_root, ACCESS, named, array_len(named)), 0);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_remove(i, &it_root, ACCESS), 0);
	assert_int_equal(xattr_remove(i, &it_root, ACCESS), 0);
	os_rwsem_unlock(&i->lock);
	assert_int_equal(i->f.mode & 0777, 0661);
	inode_put(i);
	it_end(&t);
}

static void test_acl_permission(void **state)
{
	static const u32 group_2000[] = {2000};
	const struct cred owner = user(1, 1), bob = user(1000, 1), ann = user(1001, 3000),
			  other = user(1002, 1);
	struct cred member = user(1003, 1);
	struct inode_test t;
	struct inode *i;

	begin(&t);
	i = it_file(&t, 0);
	i->f.uid = 1;
	i->f.gid = 3000;
	member.groups = group_2000;
	member.group_count = 1;
	assert_int_equal(set_as(i, &it_root, ACCESS, named, array_len(named)), 0);
	assert_int_equal(inode_permission(i, &owner, PERM_READ | PERM_WRITE), 0);
	assert_int_equal(inode_permission(i, &owner, PERM_EXEC), -EACCES);
	assert_int_equal(inode_permission(i, &bob, PERM_READ | PERM_WRITE), 0);
	assert_int_equal(inode_permission(i, &bob, PERM_EXEC), -EACCES); /* masked */
	assert_int_equal(inode_permission(i, &ann, PERM_READ), 0);
	assert_int_equal(inode_permission(i, &ann, PERM_WRITE), -EACCES);
	assert_int_equal(inode_permission(i, &member, PERM_WRITE), 0);
	assert_int_equal(inode_permission(i, &member, PERM_READ), -EACCES);
	assert_int_equal(inode_permission(i, &member, PERM_EXEC), -EACCES); /* not as other */
	assert_int_equal(inode_permission(i, &other, PERM_EXEC), 0);
	assert_int_equal(inode_permission(i, &other, PERM_READ), -EACCES);
	chmod_to(i, 0600); /* the cached ACL goes with it */
	assert_int_equal(inode_permission(i, &bob, PERM_READ), -EACCES);
	atomic_or(&t.f.v.flags, VOLUME_NO_ACL);
	assert_int_equal(inode_permission(i, &ann, PERM_READ), -EACCES);
	assert_int_equal(xattr_get(i, ACCESS, NULL, 0), -EOPNOTSUPP);
	inode_put(i);
	it_end(&t);
}

static struct inode *create(struct inode *dir, u32 mode, u32 umask)
{
	struct inode_new req = {.mode = mode, .umask = umask, .cred = &it_root};
	u32 credits = inode_new_credits(dir) + ORPHAN_CREDITS + INODE_DIRTY_CREDITS;
	struct inode *i = NULL;
	struct handle h;

	os_rwsem_lock(&dir->lock);
	assert_int_equal(handle_start(dir->volume->journal, &h, credits, 0), 0);
	assert_int_equal(inode_new(&h, dir, &req, &i), 0);
	assert_int_equal(inode_new_failed(&h, i), 0); /* it never gets a name */
	assert_int_equal(handle_stop(&h), 0);
	os_rwsem_unlock(&dir->lock);
	return i;
}

static void test_acl_inherited(void **state)
{
	struct entry want[array_len(named)];
	struct inode_test t;
	struct inode *dir, *i;

	begin(&t);
	dir = it_dir(&t, 0);
	i = create(dir, S_IFREG | 0666, 027);
	assert_int_equal(i->f.mode, S_IFREG | 0640);
	inode_put(i);
	assert_int_equal(set_as(dir, &it_root, DEFAULT, named, array_len(named)), 0);
	assert_int_equal(dir->f.mode & 0777, 0755);
	i = create(dir, S_IFREG | 0640, 077); /* the umask does not count now */
	memcpy(want, named, sizeof(named));
	want[4].perm = 4;
	want[5].perm = 0;
	assert_int_equal(i->f.mode, S_IFREG | 0640);
	expect(i, ACCESS, want, array_len(want));
	assert_int_equal(xattr_get(i, DEFAULT, NULL, 0), -ENODATA);
	inode_put(i);
	i = create(dir, S_IFDIR | 0777, 077);
	expect(i, DEFAULT, named, array_len(named));
	assert_int_equal(i->f.mode, S_IFDIR | 0661);
	inode_put(i);
	assert_int_equal(set_as(dir, &it_root, DEFAULT, minimal, array_len(minimal)), 0);
	expect(dir, DEFAULT, minimal, array_len(minimal));
	i = create(dir, S_IFREG | 0666, 077);
	assert_int_equal(i->f.mode, S_IFREG | 0640);
	assert_int_equal(xattr_get(i, ACCESS, NULL, 0), -ENODATA);
	inode_put(i);
	inode_put(dir);
	it_end(&t);
}

static int set_plain(struct inode *i, const struct cred *c, const char *name)
{
	int err;

	os_rwsem_lock(&i->lock);
	err = xattr_set(i, c, name, "v", 1, 0);
	os_rwsem_unlock(&i->lock);
	return err;
}

static void test_xattr_permission(void **state)
{
	const struct cred owner = user(1, 1), other = user(2, 2);
	static const struct entry bad[] = {{ACL_TAG_USER_OBJ, 7, NO_ID}};
	struct cred super = user(0, 0);
	char names[512];
	struct inode_test t;
	struct inode *i, *dir;

	begin(&t);
	i = it_file(&t, 0);
	dir = it_dir(&t, 0);
	super.privileged = true;
	i->f.uid = dir->f.uid = 1;
	i->f.mode = S_IFREG | 0644;
	dir->f.mode = S_IFDIR | S_ISVTX | 0777;
	assert_int_equal(set_plain(i, &owner, "user.a"), 0);
	assert_int_equal(set_plain(i, &other, "user.a"), -EACCES);
	assert_int_equal(set_plain(dir, &owner, "user.a"), 0);
	assert_int_equal(set_plain(dir, &other, "user.a"), -EPERM); /* sticky */
	assert_int_equal(set_plain(i, &owner, "trusted.a"), -EPERM);
	assert_int_equal(set_plain(i, &super, "trusted.a"), 0);
	assert_int_equal(set_plain(i, &owner, "security.a"), -EPERM);
	assert_int_equal(set_plain(i, &super, "security.a"), 0);
	assert_int_equal(set_plain(i, &super, "system.data"), -EOPNOTSUPP);
	assert_int_equal(set_plain(i, &super, "other.a"), -EOPNOTSUPP);
	assert_int_equal(set_plain(i, &super, "user."), -EINVAL);
	assert_int_equal(set_plain(i, &super, ACCESS), -EINVAL);
	assert_int_equal(set_as(i, &other, ACCESS, named, array_len(named)), -EPERM);
	assert_int_equal(set_as(i, &owner, ACCESS, bad, array_len(bad)), -EINVAL);
	assert_int_equal(set_as(i, &owner, ACCESS, named, array_len(named)), 0);
	assert_int_equal(set_as(i, &owner, DEFAULT, named, array_len(named)), -EACCES);
	assert_int_equal(xattr_list(i, &owner, names, sizeof(names)),
		sizeof("user.a") + sizeof("security.a") + sizeof(ACCESS));
	assert_int_equal(xattr_list(i, &super, names, 5), -ERANGE);
	atomic_or(&t.f.v.flags, VOLUME_NO_XATTR_USER);
	assert_int_equal(set_plain(i, &owner, "user.a"), -EOPNOTSUPP);
	assert_int_equal(xattr_list(i, &super, names, sizeof(names)),
		sizeof("trusted.a") + sizeof("security.a") + sizeof(ACCESS));
	atomic_and(&t.f.v.flags, ~(u32)VOLUME_NO_XATTR_USER);
	i->f.flags |= EXT4_APPEND_FL;
	assert_int_equal(set_plain(i, &super, "user.b"), -EPERM);
	i->f.flags &= ~(u32)EXT4_APPEND_FL;
	inode_put(dir);
	inode_put(i);
	it_end(&t);
}

static void test_xattr_create_replace(void **state)
{
	struct inode_test t;
	struct inode *i;

	begin(&t);
	i = it_file(&t, 0);
	os_rwsem_lock(&i->lock);
	assert_int_equal(xattr_set(i, &it_root, "user.a", "1", 1, XATTR_SET_REPLACE), -ENODATA);
	assert_int_equal(xattr_set(i, &it_root, "user.a", "1", 1, XATTR_SET_CREATE), 0);
	assert_int_equal(xattr_set(i, &it_root, "user.a", "2", 1, XATTR_SET_CREATE), -EEXIST);
	assert_int_equal(xattr_set(i, &it_root, "user.a", "22", 2, XATTR_SET_REPLACE), 0);
	assert_int_equal(xattr_set(i, &it_root, "user.b", NULL, 0, 0), 0);
	os_rwsem_unlock(&i->lock);
	assert_int_equal(xattr_get(i, "user.a", NULL, 0), 2);
	assert_int_equal(xattr_get(i, "user.b", NULL, 0), 0);
	inode_put(i);
	it_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_7_mode_follows),
		cmocka_unit_test(test_acl_permission),
		cmocka_unit_test(test_acl_inherited),
		cmocka_unit_test(test_xattr_permission),
		cmocka_unit_test(test_xattr_create_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * ACLs of tens of kilobytes, in inodes of their own: creation copies them twice, chmod rewrites
 * them, and the credits of both follow the size (JB-3).
 */
#include "dir/dir_test.h"

#include "base/util.h"
#include "disk/acl_format.h"

#include <sys/xattr.h>

#define DEFAULT "system.posix_acl_default"
#define ACCESS "system.posix_acl_access"
enum { USERS = 7000, NO_ID = -1 };

static struct {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entry[USERS + 4];
} __attribute__((packed)) acl;

static void entry_set(u32 k, u16 tag, u16 perm, u32 id)
{
	acl.entry[k] = (struct posix_acl_xattr_entry){
		cpu_to_le16(tag), cpu_to_le16(perm), cpu_to_le32(id)};
}

static void acl_make(void)
{
	acl.head.a_version = cpu_to_le32(POSIX_ACL_XATTR_VERSION);
	entry_set(0, ACL_TAG_USER_OBJ, 7, (u32)NO_ID);
	for (u32 k = 1; k <= USERS; k++)
		entry_set(k, ACL_TAG_USER, k % 8, 1000 + k);
	entry_set(USERS + 1, ACL_TAG_GROUP_OBJ, 5, (u32)NO_ID);
	entry_set(USERS + 2, ACL_TAG_MASK, 7, (u32)NO_ID);
	entry_set(USERS + 3, ACL_TAG_OTHER, 1, (u32)NO_ID);
}

static void expect(struct uext4_inode *i, const char *name, u32 mask, u32 other)
{
	static u8 value[sizeof(acl)];

	assert_int_equal(uext4_getxattr(i, NULL, name, value, sizeof(value)), sizeof(acl));
	acl_make();
	entry_set(USERS + 2, ACL_TAG_MASK, (u16)mask, (u32)NO_ID);
	entry_set(USERS + 3, ACL_TAG_OTHER, (u16)other, (u32)NO_ID);
	assert_memory_equal(value, &acl, sizeof(acl));
}

static void chmod_to(struct uext4_inode *i, u32 mode)
{
	struct uext4_setattr set = {.valid = UEXT4_SET_MODE, .mode = mode};

	assert_int_equal(uext4_setattr(i, NULL, &set), 0);
}

static void test_JB_3_large_acls(void **state)
{
	const char *options = *state;
	struct uext4_inode *d, *i;
	struct dir_test t;
	char name[16];

	dt_make(&t, 160 << 20, options);
	dt_up(&t);
	d = dt_mkdir(t.root, "d");
	acl_make();
	assert_int_equal(uext4_setxattr(d, NULL, DEFAULT, &acl, sizeof(acl), 0), 0);
	for (u32 k = 0; k < 6; k++) { /* each value is new, so none is shared */
		u32 type = k % 2 ? S_IFDIR : S_IFREG;

		snprintf(name, sizeof(name), "n%u", k);
		assert_int_equal(dt_create(d, name, type | 0700 | k << 3, &i), 0);
		expect(i, ACCESS, k, 0);
		if (type == S_IFDIR)
			expect(i, DEFAULT, 7, 1);
		chmod_to(i, 0702 | k << 3);
		expect(i, ACCESS, k, 2);
		uext4_inode_put(i);
	}
	assert_int_equal(uext4_removexattr(d, NULL, DEFAULT), 0);
	uext4_inode_put(d);
	dt_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"JB-3 blocks of 1 KiB", test_JB_3_large_acls, NULL, NULL,
			"-b 1024 -O ea_inode -J size=8"},
		{"JB-3 blocks of 4 KiB", test_JB_3_large_acls, NULL, NULL,
			"-b 4096 -O ea_inode -J size=8"},
		{"JB-3 blocks of 64 KiB", test_JB_3_large_acls, NULL, NULL,
			"-b 65536 -O ea_inode -J size=64"},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Several threads find what one finds. */
#include "check_test.h"

#include "base/util.h"

static struct world w;

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of w.said, sorted. */
static void sort_said(char *out)
{
	char *lines[400], *save;
	size_t n = 0;

	for (char *l = strtok_r(w.said, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		lines[n++] = l;
	qsort(lines, n, sizeof(lines[0]), compare);
	*out = '\0';
	for (size_t k = 0; k < n; k++) {
		strcat(out, lines[k]);
		strcat(out, "\n");
	}
}

/* Equal to the last byte, but for the order: whoever comes first. */
static void compare_counts(const char *script)
{
	static char one[sizeof(w.said)], many[sizeof(w.said)];
	struct check_result r;

	world_restore(&w);
	if (*script)
		image_debugfs(&w.im, script);
	assert_int_equal(world_check(&w, &(struct check_options){.threads = 1}), 0);
	r = w.result;
	sort_said(one);
	assert_int_equal(world_check(&w, &(struct check_options){.threads = 4}), 0);
	sort_said(many);
	assert_string_equal(many, one);
	assert_int_equal(w.result.problems, r.problems);
	assert_int_equal(w.result.inodes_used, r.inodes_used);
	assert_int_equal(w.result.blocks_used, r.blocks_used);
	assert_int_equal(w.result.directories, r.directories);
	assert_true(*script ? r.problems > 0 : r.problems == 0);
}

static void test_same_findings(void **state)
{
	world_make(&w, "-t ext2 -b 1024 -g 1024 -N 2048", "16M");
	image_run(&w.im,
		"for a in 1 2 3 4 5 6 7 8; do mkdir -p $D/tree/$a/x $D/tree/$a/y; "
		"for b in $(seq 20); do echo $b >$D/tree/$a/x/$b; done; done; "
		"mke2fs -q -F -t ext2 -b 1024 -g 1024 -N 2048 -d $D/tree $I 16M",
		0);
	world_adopt(&w);
	compare_counts("");
	compare_counts("sif /1/x links_count 7\nsif /2/x/3 size 1\nunlink /3/y\nsif /4/x/5 mode 0\n"
		       "freeb 9000 5\nsetb 12000 7\nsif /5/x/5 block[0] 3\nfreei /6/x/6\n");
	world_remove(&w);
}

/* Each thread counts for the same owners. */
static void test_same_quotas(void **state)
{
	char script[6000];
	size_t len = 0;

	world_make(&w, "-t ext2 -b 1024 -g 1024 -N 2048 -O quota", "16M");
	for (unsigned k = 0; k < 100; k++)
		len += (size_t)snprintf(script + len, sizeof(script) - len,
			"mkdir d%u\nsif d%u uid %u\n", k, k, k % 20);
	image_debugfs(&w.im, script);
	world_count(&w);
	compare_counts("");
	compare_counts("sif d77 uid 3\nsif d78 gid 5\n");
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_findings),
		cmocka_unit_test(test_same_quotas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

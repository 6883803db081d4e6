#include <errno.h>
#include <stdlib.h>

#include "base/trace.h"
#include "os/mem.h"
#include "os_test.h"

static int fail_in; /* the nth allocation from now fails; 0 never */

static bool fail_nth(const char *name)
{
	return strcmp(name, "os_alloc") == 0 && fail_in > 0 && --fail_in == 0;
}

static void test_alloc(void **state)
{
	char *p = os_zalloc(100), *q;

	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	strcpy(p, "hello");
	p = os_realloc(p, 10000);
	assert_string_equal(p, "hello");
	q = os_strndup(p, 4);
	assert_string_equal(q, "hell");
	os_free(q);
	q = os_strndup(p, 400);
	assert_string_equal(q, "hello");
	os_free(q);
	q = os_strdup(p);
	assert_string_equal(q, "hello");
	os_free(q);
	os_free(p);
	os_free(NULL);
	p = os_alloc(0);
	assert_non_null(p);
	os_free(p);
	assert_null(os_calloc(SIZE_MAX / 2 + 1, 2));
}

static void test_pages_are_aligned(void **state)
{
	static const size_t sizes[] = {1, 4096, 4097, 65536, 1 << 20, (1 << 20) + 1, 5 << 20};

	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < array_len(sizes); i++) {
			char *p = os_alloc_pages(sizes[i]);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 4096, 0);
			memset(p, 0xee, (size_t)round_up_to(sizes[i], 4096));
			os_free_pages(p, sizes[i]);
		}
	}
	os_free_pages(NULL, 4096);
	os_mem_trim();
	assert_null(os_alloc_pages(SIZE_MAX));
}

/* Blocks freed by one thread and taken by another, while a third gives them back to the system. */
static void churn_pages(void *arg)
{
	unsigned seed = os_thread_self();
	u32 *held[8] = {NULL};
	size_t sizes[8] = {0};

	for (int i = 0; i < 3000; i++) {
		u32 n = (u32)rand_r(&seed) % array_len(held), last;

		if (held[n]) {
			last = (u32)(sizes[n] / sizeof(u32)) - 1;
			assert_int_equal(held[n][0], os_thread_self());
			assert_int_equal(held[n][last], os_thread_self());
			os_free_pages(held[n], sizes[n]);
			held[n] = NULL;
		} else {
			sizes[n] = 4096u << rand_r(&seed) % 4;
			held[n] = os_alloc_pages(sizes[n]);
			last = (u32)(sizes[n] / sizeof(u32)) - 1;
			held[n][0] = held[n][last] = os_thread_self();
		}
		if (i % 1000 == 0)
			os_mem_trim();
	}
	for (unsigned n = 0; n < array_len(held); n++)
		os_free_pages(held[n], sizes[n]);
}

static void test_pages_under_threads(void **state)
{
	run_threads(12, churn_pages, NULL);
	os_mem_trim();
}

static void test_every_allocation_can_fail(void **state)
{
	struct os_cache *c;
	struct os_workqueue *wq;
	struct os_timer *t;
	struct os_thread *th;
	void *p;

	fault_hook = fail_nth;
#define FAILS(expr) (fail_in = 1, (expr))
	assert_null(FAILS(os_alloc(1)));
	assert_null(FAILS(os_zalloc(1)));
	assert_null(FAILS(os_calloc(1, 1)));
	assert_null(FAILS(os_realloc(NULL, 1)));
	assert_null(FAILS(os_strdup("x")));
	assert_null(FAILS(os_alloc_pages(1)));
	assert_int_equal(FAILS(os_cache_create(&c, "c", 8)), -ENOMEM);
	assert_null(c);
	assert_int_equal(FAILS(os_thread_create(&th, "t", NULL, NULL)), -ENOMEM);
	assert_null(th);
	for (int nth = 1; nth <= 3; nth++) {
		fail_in = nth;
		assert_int_equal(os_workqueue_create(&wq, "wq", 1), -ENOMEM);
		assert_null(wq);
	}
	for (int nth = 1; nth <= 2; nth++) {
		fail_in = nth;
		assert_int_equal(os_timer_create(&t, "t", NULL, NULL), -ENOMEM);
		assert_null(t);
	}
	assert_int_equal(os_cache_create(&c, "c", 8), 0);
	os_cache_free(c, os_cache_alloc(c));
	assert_null(FAILS(os_cache_alloc(c))); /* though an object may be at hand */
	p = os_cache_alloc(c);
	assert_non_null(p);
	os_cache_free(c, p);
	os_cache_destroy(c);
	fault_hook = NULL;
}

static void count_work(struct os_work *w)
{
}

/* Without memory for a second thread the first does it all. */
static void test_workqueue_without_memory(void **state)
{
	struct os_workqueue *wq;
	struct os_work w[20];

	assert_int_equal(os_workqueue_create(&wq, "wq", 4), 0);
	fault_hook = fail_nth;
	fail_in = 1;
	for (unsigned i = 0; i < array_len(w); i++) {
		os_work_init(&w[i], count_work);
		os_work_queue(wq, &w[i]);
	}
	os_workqueue_flush(wq);
	os_workqueue_destroy(wq);
	assert_int_equal(fail_in, 0);
	fault_hook = NULL;
}

#define OBJECTS 64

struct object {
	u32 owner, index;
	char rest[72];
};

static void *volatile passed[OBJECTS]; /* no lock: atomic exchange */

/* Every object belongs to one thread at a time, whoever frees it. */
static void churn(void *arg)
{
	struct os_cache *c = arg;
	struct object *own[OBJECTS] = {NULL};
	unsigned seed = os_thread_self();

	for (int i = 0; i < 3000; i++) {
		u32 n = (u32)rand_r(&seed) % OBJECTS;

		if (own[n]) {
			assert_int_equal(own[n]->owner, os_thread_self());
			assert_int_equal(own[n]->index, n);
			os_cache_free(c, __atomic_exchange_n(&passed[n], own[n], __ATOMIC_ACQ_REL));
			own[n] = NULL;
		} else {
			own[n] = os_cache_alloc(c);
			own[n]->owner = os_thread_self();
			own[n]->index = n;
		}
	}
	for (u32 n = 0; n < OBJECTS; n++)
		os_cache_free(c, own[n]);
}

static void test_cache_under_threads(void **state)
{
	struct os_cache *c;

	assert_int_equal(os_cache_create(&c, "objects", sizeof(struct object)), 0);
	run_threads(24, churn, c); /* more than there are shards */
	for (u32 n = 0; n < OBJECTS; n++)
		os_cache_free(c, passed[n]);
	os_cache_destroy(c);
}

static void test_cache_sizes(void **state)
{
	static const size_t sizes[] = {1, 8, 24, 4096, 1 << 20};

	for (unsigned i = 0; i < array_len(sizes); i++) {
		struct os_cache *c;
		char *p[40];

		assert_int_equal(os_cache_create(&c, "sizes", sizes[i]), 0);
		for (int round = 0; round < 2; round++) {
			for (unsigned n = 0; n < array_len(p); n++) {
				p[n] = os_cache_alloc(c);
				assert_int_equal((uintptr_t)p[n] % 8, 0);
				memset(p[n], (int)n, sizes[i]);
			}
			for (unsigned n = 0; n < array_len(p); n++) {
				assert_int_equal(p[n][sizes[i] - 1], n);
				os_cache_free(c, p[n]);
			}
		}
		os_cache_destroy(c);
	}
	os_cache_destroy(NULL);
}

#ifdef UEXT4_DEBUG
static void destroy_early(void)
{
	struct os_cache *c;

	if (os_cache_create(&c, "early", 8) == 0 && os_cache_alloc(c))
		os_cache_destroy(c);
}

static void test_cache_destroy_asserts_all_freed(void **state)
{
	expect_bug(destroy_early, "live", "");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_pages_are_aligned),
		cmocka_unit_test(test_pages_under_threads),
		cmocka_unit_test(test_every_allocation_can_fail),
		cmocka_unit_test(test_workqueue_without_memory),
		cmocka_unit_test(test_cache_under_threads),
		cmocka_unit_test(test_cache_sizes),
#ifdef UEXT4_DEBUG
		cmocka_unit_test(test_cache_destroy_asserts_all_freed),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

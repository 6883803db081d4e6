/* Small programs for the scheduler's tests. */
#ifndef TESTS_SIM_TOYS_H
#define TESTS_SIM_TOYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "os/thread.h"
#include "sim/os/sim.h"

static inline struct os_thread *toy_thread(const char *name, void (*fn)(void *), void *arg)
{
	struct os_thread *t;

	if (os_thread_create(&t, name, fn, arg))
		sim_fail("no thread");
	return t;
}

/* Runs toy with seeds from config->seed on until one fails; its outcome must be the wanted one. */
static inline u64 toy_fails(struct sim_config config, u64 seeds, void (*toy)(void *),
	enum sim_outcome wanted, struct sim_report *r)
{
	u64 end = config.seed + seeds;

	for (; config.seed < end; config.seed++) {
		if (sim_run(&config, toy, NULL, r)) {
			if (r->outcome != wanted)
				printf("# %s\n", r->text);
			assert_int_equal(r->outcome, wanted);
			return config.seed;
		}
		sim_report_fini(r);
	}
	fail_msg("no seed of %llu fails", (unsigned long long)seeds);
	return 0;
}

static inline void toy_passes(struct sim_config config, u64 seeds, void (*toy)(void *))
{
	u64 end = config.seed + seeds;
	struct sim_report r;

	for (; config.seed < end; config.seed++) {
		if (sim_run(&config, toy, NULL, &r)) {
			printf("# seed %llu: %s\n", (unsigned long long)config.seed, r.text);
			fail();
		}
		sim_report_fini(&r);
	}
}

static inline void toy_names(const struct sim_report *r, const char *text)
{
	if (!strstr(r->text, text)) {
		printf("# \"%s\" is not in: %s\n", text, r->text);
		fail();
	}
}

#endif

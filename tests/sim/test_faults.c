/*
 * IO-62, AL-19, JB-1: every call of the public API, while the 1st, 2nd, ... allocation of memory,
 * read, write, flush or discard fails, once or from then on, until none is left to fail. Whatever
 * it answers, what is there, live and after a mount, is what was there or what it makes; nothing
 * hangs, nothing is lost, and the checker agrees.
 */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/util.h"

static const struct call *const tables[] = {faults_names, faults_files, faults_volume};

static bool is_known(const char *function)
{
	for (unsigned t = 0; t < array_len(tables); t++)
		for (const struct call *c = tables[t]; c->function; c++)
			if (strcmp(c->function, function) == 0)
				return true;
	for (const struct no_call *n = faults_none; n->function; n++)
		if (strcmp(n->function, function) == 0)
			return true;
	return false;
}

/* What the linker's map lets out is what the headers call UEXT4_API. */
static unsigned look_into(const char *header)
{
	static char text[1 << 16];
	FILE *in = fopen(header, "r");
	unsigned functions = 0;

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = 0;
	fclose(in);
	for (char *at = text; (at = strstr(at, "\nUEXT4_API ")) != NULL; functions++) {
		char name[64], after = 0;

		for (at += strlen("\nUEXT4_API "); after != '('; at += strlen("uext4_")) {
			at = strstr(at, "uext4_");
			assert_non_null(at);
			assert_int_equal(sscanf(at, "%63[a-z0-9_]%c", name, &after), 2);
		}
		if (!is_known(name))
			fail_msg("%s: no test fails %s", header, name);
	}
	return functions;
}

static void test_every_function(void **state)
{
	static const char *const headers[] = {
		"fs.h", "inode.h", "file.h", "path.h", "queue.h", "check.h"};
	unsigned functions = 0;

	for (unsigned k = 0; k < array_len(headers); k++) {
		char path[400];

		snprintf(path, sizeof(path), "%s/uext4/%s", UEXT4_INCLUDE, headers[k]);
		functions += look_into(path);
	}
	assert_true(functions > 60);
}

static void test_call(void **state)
{
	assert_true(fault_passes(*state));
}

/* By hand: test_sim_faults FUNCTION [VARIANT] tries some. */
static int some(const char *function, const char *variant)
{
	bool good = true;

	for (unsigned t = 0; t < array_len(tables); t++)
		for (const struct call *c = tables[t]; c->function; c++)
			if (strcmp(c->function, function) == 0 &&
				(!variant || strcmp(c->variant, variant) == 0))
				good &= fault_passes(c);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[200];
	static char names[array_len(tests)][100];
	size_t n = 0;

	fault_images_make();
	if (argc > 1)
		return some(argv[1], argc > 2 ? argv[2] : NULL);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_function);
	for (unsigned t = 0; t < array_len(tables); t++)
		for (const struct call *c = tables[t]; c->function; c++, n++) {
			snprintf(names[n], sizeof(names[n]), "%s %s", c->function, c->variant);
			tests[n] = (struct CMUnitTest){.name = names[n],
				.test_func = test_call,
				.initial_state = (void *)c};
		}
	return _cmocka_run_group_tests("faults", tests, n, NULL, NULL);
}

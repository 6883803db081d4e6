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
#include <stdlib.h>
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

static unsigned step;

static void test_call(void **state)
{
	assert_true(fault_passes(*state, step));
}

static bool is_named(const struct call *c, int argc, char **argv)
{
	return (argc < 4 || strcmp(c->function, argv[3]) == 0) &&
	       (argc < 5 || strcmp(c->variant, argv[4]) == 0);
}

/* test_sim_faults [TYPE [STEP [FUNCTION [VARIANT]]]]: some of it, by hand. */
int main(int argc, char **argv)
{
	static struct CMUnitTest tests[200];
	static char names[array_len(tests)][100];
	const struct fault_type *type = fault_types;
	size_t n = 0;

	while (argc > 1 && type->name && strcmp(type->name, argv[1]) != 0)
		type++;
	assert_non_null(type->name);
	step = argc > 2 ? (unsigned)atoi(argv[2]) : type->step;
	fault_images_make(type);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_function);
	for (unsigned t = 0; t < array_len(tables); t++)
		for (const struct call *c = tables[t]; c->function; c++) {
			if (!is_named(c, argc, argv))
				continue;
			snprintf(names[n], sizeof(names[n]), "%s %s", c->function, c->variant);
			tests[n] = (struct CMUnitTest){.name = names[n],
				.test_func = test_call,
				.initial_state = (void *)c};
			n++;
		}
	return _cmocka_run_group_tests("faults", tests, n, NULL, NULL);
}

/* Gates: named points where threads park until they are let through. */
#include <stdlib.h>
#include <string.h>

#include "sim/os/sched.h"

struct gate {
	struct list node;
	char point[64], thread[16];
};

static struct list gates = LIST_INIT(gates);
u32 gates_closed;

static const char *const prefixes[POINT_KINDS] = {
	[POINT_LOCK] = "lock ",
	[POINT_UNLOCK] = "unlock ",
	[POINT_WAIT] = "wait ",
	[POINT_SIGNAL] = "signal ",
	[POINT_THREAD] = "thread ",
	[POINT_YIELD] = "",
	[POINT_NAMED] = "",
	[POINT_ATOMIC] = "atomic ",
};

const char *point_name(enum point_kind kind)
{
	return kind < POINT_YIELD || kind == POINT_ATOMIC ? prefixes[kind] : "at";
}

static struct gate *gate_find(const char *point)
{
	struct gate *g;

	list_for_each_entry (g, &gates, node)
		if (strcmp(g->point, point) == 0)
			return g;
	return NULL;
}

static bool stops(const struct gate *g, enum point_kind kind, const char *name)
{
	size_t len = strlen(prefixes[kind]);

	return strncmp(g->point, prefixes[kind], len) == 0 && strcmp(g->point + len, name) == 0 &&
	       (!*g->thread || strcmp(g->thread, sim_thread_name()) == 0);
}

void gate_pass(enum point_kind kind, const char *name)
{
	struct gate *g;

	if (!name)
		return;
	list_for_each_entry (g, &gates, node)
		if (stops(g, kind, name)) {
			sched_wake_all(WAIT_PARKED, g);
			sched_block(WAIT_GATE, g, g->point, NEVER);
			return;
		}
}

void sim_gate_close(const char *point, const char *thread)
{
	struct gate *g = gate_find(point);

	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			abort();
		list_add_tail(&gates, &g->node);
		gates_closed++;
	}
	strncpy(g->point, point, sizeof(g->point) - 1);
	strncpy(g->thread, thread ? thread : "", sizeof(g->thread) - 1);
}

bool sim_gate_parked(const char *point)
{
	const struct gate *g = gate_find(point);

	return g && sched_waiters(WAIT_GATE, g);
}

void sim_gate_wait(const char *point)
{
	struct gate *g = gate_find(point);

	if (!g)
		sched_end(SIM_FAILED, "wait at the open gate %s", point);
	while (!sched_waiters(WAIT_GATE, g))
		sched_block(WAIT_PARKED, g, point, NEVER);
}

static void gate_free(struct gate *g)
{
	list_del(&g->node);
	free(g);
	gates_closed--;
}

void sim_gate_open(const char *point)
{
	struct gate *g = gate_find(point);

	if (!g)
		return;
	sched_wake_all(WAIT_GATE, g);
	gate_free(g);
}

void gates_reset(void)
{
	struct gate *g, *next;

	list_for_each_entry_safe (g, next, &gates, node)
		gate_free(g);
}

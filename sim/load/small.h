/* The small file systems, and the steps that are tried on them one by one and in sequences. */
#ifndef LOAD_SMALL_H
#define LOAD_SMALL_H

#include "sim/load/load.h"
#include "sim/load/steps.h"

extern const struct step small_choices[];
extern const unsigned small_choice_count;
/* Run `number` on the small file system that it stands for. */
struct load_run small_run(const struct load_config *c, u64 number,
	void (*body)(struct world *w, void *arg), void *arg);

#endif

/* The small file systems, and the steps that are tried on them one by one and in sequences. */
#ifndef LOAD_SMALL_H
#define LOAD_SMALL_H

#include "sim/load/steps.h"

extern const struct step small_choices[];
extern const unsigned small_choice_count;
struct base *small_base(u64 number);

#endif

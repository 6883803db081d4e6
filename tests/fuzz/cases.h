/* Single fields with bad values and valid checksums, and what must come of each. */
#ifndef FUZZ_CASES_H
#define FUZZ_CASES_H

#include "poke.h"

struct poke_case {
	const char *name;
	unsigned bases; /* mask of 1 << enum base */
	struct poke poke[2];
	int rw, ro; /* what opening must give, 0 or a positive errno */
	int found;  /* an errno that using it must meet; 0: none of damage, ANY: no matter */
};
enum { ANY = -1 };

#define B(base) (1u << BASE_##base)
#define B_ALL (B(4K) | B(1K) | B(PLAIN) | B(EXT3) | B(NOJRNL))
#define B_SMALL (B_ALL & ~B(4K))
#define B_CSUM (B(4K) | B(1K) | B(NOJRNL))
#define B_64 (B(4K) | B(1K))
#define B_OFILE (B(4K) | B(1K))
#define B_JOURNAL (B_ALL & ~B(NOJRNL))
#define B_EXTENTS (B_ALL & ~B(EXT3))
#define B_ANY_ERRNO

struct case_list {
	const char *name;
	const struct poke_case *cases;
	unsigned count;
};
extern const struct case_list case_super, case_inodes, case_maps, case_dirs, case_rest;

#endif

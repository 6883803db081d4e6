/* The steps of a row of names. */
#ifndef ROWS_NAMES_H
#define ROWS_NAMES_H

enum { STEP_CREATE, STEP_STAT, STEP_LIST, STEP_UNLINK, STEPS };

#endif

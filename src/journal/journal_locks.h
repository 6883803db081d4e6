/* The two innermost locks of the journal, in their order. */
#ifndef JOURNAL_JOURNAL_LOCKS_H
#define JOURNAL_JOURNAL_LOCKS_H

#include "journal/journal_priv.h"

static inline void journal_lists_lock(struct journal *j)
{
	os_mutex_lock_nested(&j->list_lock, 1);
}

static inline void journal_lists_unlock(struct journal *j)
{
	os_mutex_unlock(&j->list_lock);
}

#endif

/* What recovery must know of fast commits while it can't replay them (RC-16). */
#ifndef JOURNAL_RECOVER_FC_H
#define JOURNAL_RECOVER_FC_H

#include "journal/recover.h"

/*
 * After recover_scan: 0 when the fast-commit area holds nothing that belongs
 * behind the last complete transaction, else -EOPNOTSUPP with a message.
 */
int recover_check_fast_commits(struct recovery *r);

#endif

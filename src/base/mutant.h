/*
 * Planted bugs, to prove that the simulator finds what it must find.
 *
 * MUTANT(NAME) is false, and costs nothing, except in the simulator's build:
 * there it is true for the one mutant that was chosen before the run.
 * docs/SIMULATION.md says how to add one.
 */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#ifdef UEXT4_MUTANTS

#include "base/util.h"

/* X(NAME, rule, what is wrong) */
#define MUTANT_LIST(X)                                                                             \
	X(COMMIT_NO_PREFLUSH, "JB-22", "no flush before the commit record")                        \
	X(COMMIT_NO_FUA, "JB-22", "the commit record is not forced out")                           \
	X(TAIL_BEFORE_FLUSH, "JB-27", "tail advanced before the checkpoint's flush")               \
	X(TAIL_SKIPS_LIVE, "JB-27", "tail advanced past a transaction not yet home")               \
	X(FIRST_TAIL_MISSING, "JB-32", "journal superblock not pointed at the first transaction")  \
	X(SEQUENCE_REUSED, "JB-31", "sequence number used again after a clean unmount")            \
	X(REVOKE_SKIPPED, "JB-15", "freed metadata is not revoked")                                \
	X(REVOKE_IGNORED, "RC-5", "recovery ignores revokes")                                      \
	X(REVOKE_FOR_EVER, "JB-16", "a revoke hides copies that were logged after it")             \
	X(REPLAY_OLDEST, "RC-5", "recovery takes the oldest copy of a block")                      \
	X(REPLAY_UNFINISHED, "RC-3", "recovery takes a transaction without its commit record")     \
	X(ESCAPE_UNMARKED, "JB-11",                                                                \
		"a block that begins with the magic is escaped, but not marked")                   \
	X(FREED_AT_ONCE, "AL-4", "freed blocks reused before the commit")                          \
	X(FROZEN_SKIPPED, "JB-7", "no frozen copy: the next transaction's bytes are logged")       \
	X(ORDERED_SKIPPED, "JB-20", "ordered data not written before the commit")                  \
	X(HOME_BEFORE_COMMIT, "JB-26", "checkpoint writes what is not committed")                  \
	X(FORGET_KEEPS_CHECKPOINT, "JB-19", "a freed block is still written home")                 \
	X(UNLINK_NO_ORPHAN, "OR-1", "no orphan record at unlink")                                  \
	X(TRUNCATE_NO_ORPHAN, "OR-1", "no orphan record at truncate")                              \
	X(ORPHANS_NOT_FINISHED, "OR-4", "orphans left alone at mount")                             \
	X(ITABLE_UNUSED_STALE, "AL-8", "itable_unused not lowered")                                \
	X(RECOVER_FLAG_MISSING, "MD-9", "recover flag not set before the log is used")             \
	X(CLEAN_TOO_EARLY, "MD-11", "superblock marked clean before the log is empty")             \
	X(COLLISION_NOT_FOLLOWED, "DR-6", "a hash collision across leaves is not followed")        \
	X(SPLIT_OVER_TAIL, "DR-9", "a leaf split takes the checksum's tail for room")              \
	X(RENAME_STALE_SLOT, "DR-18", "rename uses the source's old place after adding")           \
	X(ICACHE_BLIND, "law 3",                                                                   \
		"inode cache does not look again under its lock before it inserts")                \
	X(WAKE_LOST, "JB-4", "the commit's end wakes nobody")                                      \
	X(LOCK_ORDER, "section J", "rename locks its directories in the wrong order")              \
	X(LINKS_STALE, "DR-16", "unlink does not write the link count")

#define MUTANT_ENUM(name, rule, what) MUTANT_##name,
enum mutant { MUTANT_NONE, MUTANT_LIST(MUTANT_ENUM) MUTANT_COUNT };

extern enum mutant mutant_active; /* set before the run, by the simulator */

#define MUTANT(name) unlikely(mutant_active == MUTANT_##name)

#else
#define MUTANT(name) false
#endif

#endif

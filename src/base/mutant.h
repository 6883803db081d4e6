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
	X(NAME_KEPT, "DR-18", "the cache of names keeps what a rename or unlink took away")        \
	X(NAME_NOT_ASKED_AGAIN, "DR-18",                                                           \
		"a name found without a lock is not asked for again when its inode is had")        \
	X(LINKS_STALE, "DR-16", "unlink does not write the link count")                            \
	X(CONVERT_BEFORE_IO, "IO-50",                                                              \
		"blocks of a direct write are marked written before the data is there")            \
	X(SIZE_AT_SUBMISSION, "IO-27", "a direct write raises the size before its data is there")  \
	X(ORPHAN_BY_SIZES, "IO-29",                                                                \
		"whether to take the orphan record away is decided by sizes at the end")           \
	X(INVALIDATE_TOO_EARLY, "IO-50",                                                           \
		"pages of a direct write are dropped before the conversion only")                  \
	X(PADDING_MISSING, "IO-49", "no zeros around a direct write into a new block")             \
	X(EXTENDS_BY_VISIBLE_SIZE, "IO-28",                                                        \
		"the size on disk does not count for whether a write extends")                     \
	X(UNWRITTEN_AS_WRITTEN, "IO-40",                                                           \
		"an unwritten block counts as written for what O_DSYNC may skip")                  \
	X(UNALIGNED_SHARED, "IO-41", "unaligned direct writes into nothing run side by side")      \
	X(APPEND_POSITION_EARLY, "IO-38",                                                          \
		"an append keeps its position while it waits for the better lock")                 \
	X(DIRTY_PAGES_LEFT, "IO-48", "a direct write leaves dirty pages of its range alone")       \
	X(ERROR_CONVERTS, "IO-53",                                                                 \
		"after an error of the device the range is converted all the same")                \
	X(CONVERT_TOO_MUCH, "IO-50", "one block more than was written is converted")               \
	X(FUA_MISSING, "IO-54", "an overwrite with O_DSYNC goes without FUA and without a sync")   \
	X(FUA_TOO_EAGER, "IO-54", "FUA alone although a conversion is not committed")              \
	X(TRUNCATE_NO_DIO_WAIT, "IO-58", "truncate does not wait for direct I/O")                  \
	X(FALLOCATE_NO_DIO_WAIT, "IO-58", "punch and its like do not wait for direct I/O")         \
	X(COMPLETE_BEFORE_END, "IO-55", "a request completes before its conversion")               \
	X(AHEAD_COOKIE_IGNORED, "IO-22",                                                           \
		"a direct write uses the mapping that it saw at first, changed or not")            \
	X(CLAIM_RELEASED_TWICE, "IO-23", "space promised to delayed blocks is given back twice")   \
	X(CLAIM_KEPT, "IO-23", "space promised to delayed blocks is not given back")               \
	X(DELAYED_NOT_COUNTED, "IO-71", "delayed blocks do not count as used")                     \
	X(SPACE_NOT_RETRIED, "IO-45", "no commit is made for the sake of freed blocks")            \
	X(EOF_TAIL_KEPT, "IO-79", "bytes behind the end of file are not zeroed")                   \
	X(EOF_TAIL_NOT_ORDERED, "IO-79", "a size commits before the zeros behind the old one")     \
	X(DISK_SIZE_AHEAD, "IO-25", "writeback raises the size on disk past what it wrote")        \
	X(FILL_UNLOCKED, "IO-81", "a page is filled without holding off a punch")                  \
	X(UNWRITTEN_READ, "IO-1", "unwritten blocks are read from the device")                     \
	X(ZERO_OUT_SKIPPED, "IO-15", "a conversion without room marks more than it has zeroed")    \
	X(RESERVE_UNUSED, "IO-14", "conversions may not use the reserve, nor zero instead")        \
	X(SHORT_COPY_KEPT, "IO-33", "blocks that a short copy did not fill are kept")              \
	X(SHORT_COPY_STALE, "IO-65", "and not zeroed where they are written ones")                 \
	X(FSYNC_NO_FLUSH, "IO-88", "no flush where fsync has nothing to commit")                   \
	X(FSYNC_WRONG_TID, "IO-87", "fsync waits for the transaction before")                      \
	X(DATASYNC_TID_STALE, "IO-24", "a conversion or size does not count for fdatasync")        \
	X(WB_ERROR_DROPPED, "IO-74", "writeback tells its error to nobody")                        \
	X(WB_ERROR_REPEATED, "IO-91", "a writeback error is told again and again")                 \
	X(WB_RETURNED_IGNORED, "IO-94", "a sync does not look at what another writer gave back")   \
	X(CLAIM_COUNTED_LATE, "IO-94", "a folio is clean before it counts as being written")       \
	X(RETURN_COUNTED_EARLY, "IO-94", "what is given back counts as that before it is dirty")   \
	X(PASS_FORGETS_WRITEBACK, "IO-94", "the flusher forgets files that others still write")    \
	X(DROPPED_SILENTLY, "IO-75", "an inode goes with data that found no memory to be written") \
	X(DELAYED_ANYWAY, "IO-71", "nodelalloc is ignored")                                        \
	X(NOT_THROTTLED, "IO-64", "writers dirty as much memory as they like")                     \
	X(REPLACE_UNWRITTEN, "IO-85", "rename over a file does not write the new one first")       \
	X(SHIFT_NOT_DURABLE, "IO-108", "a collapse or insert returns before it is committed")      \
	X(SHIFT_KEEPS_CACHE, "IO-106", "pages of what moves stay where they were")                 \
	X(SHIFT_KEEPS_STATUS, "IO-20", "the status cache remembers the old places")                \
	X(COPY_SKIPS_HOLES, "law 1", "a copy leaves what is there where its source has a hole")    \
	X(COPY_SHRINKS, "law 2",                                                                   \
		"a copy that ends in a hole cuts off what others wrote behind it")                 \
	X(SUPER_LEAKED, "MD-8",                                                                    \
		"an error is recorded together with what is not committed of the superblock")      \
	X(DELETED_JUDGED, "OR-7", "the checker asks for order in what the next mount deletes")

#define MUTANT_ENUM(name, rule, what) MUTANT_##name,
enum mutant { MUTANT_NONE, MUTANT_LIST(MUTANT_ENUM) MUTANT_COUNT };

extern enum mutant mutant_active; /* set before the run, by the simulator */

#define MUTANT(name) unlikely(mutant_active == MUTANT_##name)

#else
#define MUTANT(name) false
#endif

#endif

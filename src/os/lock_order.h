/* Locks inside src/os are taken below everyone's leaves: RANK_LEAF with these orders. */
#ifndef OS_LOCK_ORDER_H
#define OS_LOCK_ORDER_H

#define OS_ORDER_OUTER 0xfffffff0u /* life of the timer service */
#define OS_ORDER_INNER 0xfffffff1u /* work queues, timers */

#endif

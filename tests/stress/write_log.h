/*
 * The log of a device's writes and flushes in a file: a head each, after that of a write its data.
 * It is whole up to every length that the file has had after a call of the device returned.
 */
#ifndef STRESS_WRITE_LOG_H
#define STRESS_WRITE_LOG_H

#include "base/types.h"

enum write_log_kind { LOG_SUBMIT, LOG_COMPLETE, LOG_FLUSH };

struct write_log_head {
	u64 kind;
	u64 number; /* submit, complete: of the write; flush: how many entries there were when it
		       began */
	u64 offset, len; /* submit */
};

#endif

/*
 * Messages for people: what failed, on which object, what to do. Each file
 * system and device carries a sink; a NULL sink drops messages.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log_sink {
	void (*fn)(void *arg, enum log_level level, const char *message); /* must be thread-safe */
	void *arg;
};

void log_msg(const struct log_sink *sink, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

#include "base/log.h"

#include <stdio.h>

#define LOG_MAX_BYTES 512 /* longer messages are cut */

void log_msg(const struct log_sink *sink, enum log_level level, const char *fmt, ...)
{
	char message[LOG_MAX_BYTES];
	va_list args;

	if (sink == NULL || sink->fn == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	sink->fn(sink->arg, level, message);
}

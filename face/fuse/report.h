/* Messages for people: to stderr until the server is in the background, then to syslog. */
#ifndef FACE_FUSE_REPORT_H
#define FACE_FUSE_REPORT_H

#include <uext4.h>

void report(enum uext4_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* uext4_options.log */
void report_log(void *arg, enum uext4_log_level level, const char *message);
void report_to_syslog(void);
/* strerror, but says what to do about the errors that only file systems have. */
const char *report_reason(int err);

/*
 * Going to the background in two steps, since threads do not survive fork(): detach before
 * anything is started, release once the mount works or has failed. The process that was started
 * stays until then and ends with the exit code given.
 */
int background_detach(void);
void background_release(int exit_code);

#endif

/* What the tests of src/os share: threads in one call, polling, children that must abort. */
#ifndef OS_TEST_H
#define OS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "os/atomic.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/thread.h"

static inline struct os_thread *spawn(void (*fn)(void *), void *arg)
{
	struct os_thread *t;

	assert_int_equal(os_thread_create(&t, "test", fn, arg), 0);
	return t;
}

/* Runs fn on n threads to their end. */
static inline void run_threads(unsigned n, void (*fn)(void *), void *arg)
{
	struct os_thread *t[32];

	assert_true(n <= array_len(t));
	for (unsigned i = 0; i < n; i++)
		t[i] = spawn(fn, arg);
	for (unsigned i = 0; i < n; i++)
		os_thread_join(t[i]);
}

#define POLL_UNTIL(cond)                                                                           \
	do {                                                                                       \
		while (!(cond))                                                                    \
			os_sleep_ns(100000);                                                       \
	} while (0)

/* fn must end its process by os_bug, with both texts in the message. */
static inline void expect_bug(void (*fn)(void), const char *text, const char *text2)
{
	char out[4096];
	size_t len = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while (len < sizeof(out) - 1 && (n = read(fds[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || !strstr(out, text) || !strstr(out, text2))
		print_message("expected \"%s\" and \"%s\" in: %s\n", text, text2, out);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(out, text));
	assert_non_null(strstr(out, text2));
}

#endif

/* Children that run cases; what killed them is part of the result. */
#include "campaign.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

enum { MEMORY_MAX = 512 << 20, DEATHS_MAX = 10, SHOWN_MAX = 20 };

struct shared {
	unsigned next, failures;
	struct verdict verdict;
};

static unsigned points, failed_points;

#ifdef __SANITIZE_ADDRESS__
/* Adds to what the environment says: an absurd allocation fails as it would without memory. */
const char *__asan_default_options(void);
__attribute__((no_sanitize("address", "undefined"))) const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=256:allocator_may_return_null=1";
}

static void bound_memory(void)
{
}
#else
static void bound_memory(void)
{
	struct rlimit limit = {.rlim_cur = MEMORY_MAX, .rlim_max = MEMORY_MAX};

	setrlimit(RLIMIT_DATA, &limit);
}
#endif

static void print_lines(const char *text)
{
	for (const char *p = text; *p;) {
		int len = (int)strcspn(p, "\n");

		printf("#   %.*s\n", len, p);
		p += len + (p[len] == '\n');
	}
}

static void report(struct shared *s, const char *why)
{
	if (s->failures++ < SHOWN_MAX) {
		printf("# case %u, %s:\n", s->next, s->verdict.name);
		print_lines(why);
	}
	fflush(stdout);
}

static void child(struct shared *s, unsigned count,
	void (*one)(void *arg, unsigned n, struct verdict *v), void *arg)
{
	bound_memory();
	for (; s->next < count; s->next++) {
		s->verdict.name[0] = s->verdict.why[0] = 0;
		alarm(CASE_SECONDS);
		one(arg, s->next, &s->verdict);
		alarm(0);
		if (s->verdict.why[0])
			report(s, s->verdict.why);
	}
}

/* True: the child did all that was left. */
static bool live_once(struct shared *s, unsigned count,
	void (*one)(void *arg, unsigned n, struct verdict *v), void *arg)
{
	char how[80];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		child(s, count, one, arg);
		exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(how, sizeof(how), "no end after %d s", CASE_SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
	report(s, how);
	s->next++;
	return s->next >= count;
}

void campaign(const char *title, unsigned count,
	void (*one)(void *arg, unsigned n, struct verdict *v), void *arg)
{
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int deaths = 0; !live_once(s, count, one, arg); deaths++) {
		if (deaths == DEATHS_MAX) {
			printf("# too many deaths: %u cases were not tried\n", count - s->next);
			break;
		}
	}
	points++;
	failed_points += s->failures > 0;
	printf("%sok %u - %s: %u cases, %u failed\n", s->failures ? "not " : "", points, title,
		count, s->failures);
	fflush(stdout);
	munmap(s, sizeof(*s));
}

int campaign_finish(void)
{
	printf("1..%u\n", points);
	return failed_points > 0;
}

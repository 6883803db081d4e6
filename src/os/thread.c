/* Threads and their small ids. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/lock.h"
#include "os/mem.h"
#include "os/thread.h"

#define IDS_MAX 65536

struct os_thread {
	pthread_t handle;
	void (*fn)(void *);
	void *arg;
	char name[16]; /* what the kernel takes */
};

static u64 ids_used[IDS_MAX / 64] = {1}; /* no lock: atomic. 0 is nobody's */
static pthread_key_t exit_key;		 /* its destructor runs when a thread ends, ours or not */
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static __thread u32 self_id; /* no lock: each thread has its own */

/* Takes no lock: counting a wait for one needs an id. */
static u32 id_take(void)
{
	for (u32 i = 0; i < array_len(ids_used); i++) {
		u64 used = atomic_load_relaxed(&ids_used[i]);

		while (~used) {
			u64 lowest = ~used & (used + 1);

			used = atomic_or(&ids_used[i], lowest);
			if (!(used & lowest))
				return i * 64 + (u32)__builtin_ctzll(lowest);
		}
	}
	os_bug("every thread id is taken", __FILE__, __LINE__);
}

static void thread_exit(void *unused)
{
	rank_thread_exit();
	atomic_and(&ids_used[self_id / 64], ~(1ull << (self_id % 64)));
	self_id = 0;
}

static void exit_key_create(void)
{
	BUG_ON(pthread_key_create(&exit_key, thread_exit));
}

static u32 self_register(void)
{
	pthread_once(&exit_once, exit_key_create);
	self_id = id_take();
	BUG_ON(pthread_setspecific(exit_key, &self_id));
	return self_id;
}

u32 os_thread_self(void)
{
	return likely(self_id) ? self_id : self_register();
}

static void *thread_main(void *arg)
{
	struct os_thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	t->fn(t->arg);
	return NULL;
}

int os_thread_create(struct os_thread **out, const char *name, void (*fn)(void *), void *arg)
{
	struct os_thread *t = os_zalloc(sizeof(*t));
	sigset_t all, old;
	int err;

	*out = t;
	if (!t)
		return ERR(ENOMEM);
	t->fn = fn;
	t->arg = arg;
	strncpy(t->name, name, sizeof(t->name) - 1);
	/* Signals belong to the program around us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&t->handle, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		os_free(t);
		*out = NULL;
		return ERR(err);
	}
	return 0;
}

void os_thread_join(struct os_thread *t)
{
	BUG_ON(pthread_join(t->handle, NULL));
	os_free(t);
}

void os_yield(void)
{
	sched_yield();
}

unsigned os_cpu_count(void)
{
	static unsigned count;
	unsigned known = atomic_load_relaxed(&count);
	cpu_set_t set;

	if (!known) {
		known = sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
		atomic_store_relaxed(&count, known);
	}
	return known;
}

unsigned os_shard(unsigned n)
{
	return os_thread_self() % n;
}

/*
 * Stacks and the switch between them. A switch is a function call that saves
 * what the calling convention promises to keep: no system call, a few ns.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "sim/os/sched.h"

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifdef ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES ((size_t)1 << 20) /* the system gives memory only to what is touched */
#define GUARD_BYTES ((size_t)64 << 10)
#define POOL_MAX 64

#if defined(__x86_64__) && !defined(SIM_UCONTEXT)
#define SWITCH_BY_HAND 1
#else
#define SWITCH_BY_HAND 0
#endif

static char *pool[POOL_MAX];
static unsigned pooled;
static struct fiber_stack *leaving; /* whom the last switch came from */

#if SWITCH_BY_HAND
void stack_switch(void **save, void *load);
/* rdi: where to keep the old stack pointer, rsi: the new one. mxcsr and x87 modes never change. */
__asm__(".text\n"
	".globl stack_switch\n"
	".hidden stack_switch\n"
	".type stack_switch, @function\n"
	"stack_switch:\n"
	"	.cfi_startproc\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size stack_switch, .-stack_switch\n");

/* As if entry had been called: the address to return to is 0, where debuggers stop. */
static int context_make(struct fiber_stack *s, void (*entry)(void))
{
	void **top = (void **)(s->base + s->size);

	*--top = NULL;
	*--top = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--top = NULL;
	s->sp = top;
	return 0;
}

static void context_switch(struct fiber_stack *from, struct fiber_stack *to)
{
	stack_switch(&from->sp, to->sp);
}
#else
static int context_make(struct fiber_stack *s, void (*entry)(void))
{
	ucontext_t *c = (ucontext_t *)(s->base + s->size) - 1;

	getcontext(c);
	c->uc_stack.ss_sp = s->base;
	c->uc_stack.ss_size = s->size - sizeof(*c);
	c->uc_link = NULL;
	makecontext(c, entry, 0);
	s->sp = c;
	return 0;
}

static void context_switch(struct fiber_stack *from, struct fiber_stack *to)
{
	ucontext_t own, *target = to->sp;

	from->sp = &own;
	swapcontext(&own, target);
}
#endif

static char *stack_map(void)
{
	char *p = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p, GUARD_BYTES, PROT_NONE)) {
		munmap(p, GUARD_BYTES + STACK_BYTES);
		return NULL;
	}
	return p + GUARD_BYTES;
}

int fiber_stack_make(struct fiber_stack *s, void (*entry)(void))
{
	*s = (struct fiber_stack){
		.base = pooled ? pool[--pooled] : stack_map(), .size = STACK_BYTES};
	if (!s->base)
		return -1;
#ifdef ASAN
	__asan_unpoison_memory_region(s->base, s->size);
#endif
	return context_make(s, entry);
}

void fiber_stack_drop(struct fiber_stack *s)
{
	if (pooled < POOL_MAX)
		pool[pooled++] = s->base; /* still in use until the switch that follows */
}

void fiber_switch(struct fiber_stack *from, struct fiber_stack *to, bool last)
{
	leaving = from;
#ifdef ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->base, to->size);
#endif
	context_switch(from, to);
	fiber_entered();
}

/* The bounds of the OS thread's stack become known by being left. */
void fiber_entered(void)
{
#ifdef ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(sched->current->stack.fake, &bottom, &size);
	if (!leaving->base) {
		leaving->base = (char *)bottom;
		leaving->size = size;
	}
#endif
}

bool fiber_stack_guards(const struct fiber_stack *s, const void *address)
{
	const char *p = address;

	return s->base && p < s->base && p >= s->base - GUARD_BYTES;
}

#ifndef ASAN
static void on_fault(int sig, siginfo_t *info, void *context)
{
	Dl_info at = {.dli_fname = "?"};
	u64 pc = 0;

#if defined(__x86_64__)
	pc = (u64)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	dladdr((void *)pc, &at);
	pc -= (u64)at.dli_fbase;
#endif
	sched_end(SIM_BUG, "%s at address %p by %s+%#llx",
		fiber_stack_guards(&sched->current->stack, info->si_addr) ? "stack overflow"
									  : strsignal(sig),
		info->si_addr, at.dli_fname, (unsigned long long)pc);
}
#endif

/* On a stack of their own, since the thread's may be what is used up. */
void fiber_catch_faults(bool on)
{
#ifndef ASAN
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	static struct sigaction before[array_len(signals)];
	static char space[64 << 10];
	stack_t alt = {.ss_sp = space, .ss_size = sizeof(space)};
	struct sigaction act = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (on)
		sigaltstack(&alt, NULL);
	for (unsigned i = 0; i < array_len(signals); i++)
		if (on)
			sigaction(signals[i], &act, &before[i]);
		else
			sigaction(signals[i], &before[i], NULL);
#endif
}

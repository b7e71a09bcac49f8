// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that makes the system calls it is told to make, and looks at all its memory
 * after each of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transparency.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE	67
#define PR_GET_MEMORY_MERGE	68
#endif

#define LINE	64			/* whatever is written fills lines of the cache */

struct worlds *worlds;

static int files[SOURCES];
static unsigned long heap;

/* ---- reading and writing where there may be nothing ---- */

static sigjmp_buf back;
static volatile uint32_t caught;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	caught = sig << 8 | (info->si_code & 0xff);
	siglongjmp(back, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* A touch of memory that may fail; its locals are its own, as what follows a jump needs. */
struct touch {
	unsigned long addr;
	unsigned long len;
	uint64_t value;
};

/* Returns the signal and its code, or 0. */
static __attribute__((noinline)) uint32_t touch(void (*fn)(struct touch *), struct touch *arg)
{
	caught = 0;
	if (!sigsetjmp(back, 0))
		fn(arg);
	return caught;
}

static unsigned long view_addr(unsigned int page)
{
	return page < AREA_PAGES ? AREA + page * PAGE : heap + (page - AREA_PAGES) * PAGE;
}

static void sum_up(struct touch *touch)
{
	const volatile uint64_t *p = (void *)touch->addr;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < touch->len / sizeof(*p); i += LINE / sizeof(*p))
		sum = (sum ^ p[i]) * 0x9e3779b97f4a7c15ULL + i;
	touch->value = sum;
}

static void look_at(unsigned int page, struct view *view)
{
	struct touch arg = { .addr = view_addr(page), .len = PAGE };

	view->fault = touch(sum_up, &arg);
	view->sum = view->fault ? 0 : arg.value;
}

static void look(struct view *pages)
{
	unsigned int page;

	for (page = 0; page < VIEW_PAGES; page++)
		look_at(page, &pages[page]);
}

static uint64_t look_in_short(void)
{
	uint64_t sum = 0;
	struct view view;
	unsigned int page;

	for (page = 0; page < VIEW_PAGES; page++) {
		look_at(page, &view);
		sum = (sum ^ view.sum ^ view.fault) * 0x9e3779b97f4a7c15ULL + page;
	}
	return sum;
}

static void write_all(struct touch *touch)
{
	volatile uint64_t *p = (void *)touch->addr;
	unsigned long i;

	for (i = 0; i < touch->len / sizeof(*p); i++)
		p[i] = touch->value + i;
}

static uint32_t fill(unsigned long addr, unsigned long len, uint64_t value)
{
	struct touch arg = { .addr = addr & -LINE, .len = len, .value = value };

	return touch(write_all, &arg);
}

static void add_nothing(struct touch *touch)
{
	__atomic_fetch_add((long *)touch->addr, 0, __ATOMIC_RELAXED);
}

/* Can each page there either be written to, or is there none? */
static bool writable_or_unmapped(unsigned long addr, unsigned long end)
{
	struct touch arg;
	uint32_t fault;

	for (; addr < end; addr += PAGE) {
		arg.addr = addr;
		fault = touch(add_nothing, &arg);
		if (fault && fault != (SIGSEGV << 8 | SEGV_MAPERR))
			return false;
	}
	return true;
}

/* ---- the system calls ---- */

static long result_of(long ret)
{
	return ret == -1 ? -errno : ret;
}

static long map(const struct step *step)
{
	int type = step->arg < SHARED_DISK ? MAP_PRIVATE : MAP_SHARED;

	if (files[step->arg] < 0)
		type |= MAP_ANONYMOUS;
	return result_of(syscall(SYS_mmap, step->addr, step->len, step->to & 7,
				 type | step->flags, files[step->arg], step->to & -PAGE));
}

/*
 * What MADV_FREE frees may be there afterwards, or zeros, and that may change until it
 * is written to. So all of it is written to, and what was there is looked at before.
 */
static long free_lazily(const struct step *step)
{
	unsigned long page, first = (step->addr - AREA) / PAGE, last = first + step->len / PAGE;
	static const uint64_t nothing[512];
	struct touch zeros = { .addr = (unsigned long)nothing, .len = PAGE };
	struct view before[AREA_PAGES], after;
	long ret;

	if (!writable_or_unmapped(step->addr, step->addr + step->len))
		return result_of(madvise((void *)step->addr, step->len, MADV_COLD));
	for (page = first; page < last; page++)
		look_at(page, &before[page]);
	ret = result_of(madvise((void *)step->addr, step->len, MADV_FREE));
	sum_up(&zeros);
	for (page = first; page < last; page++) {
		look_at(page, &after);
		if (after.fault != before[page].fault ||
		    (!after.fault && after.sum != before[page].sum && after.sum != zeros.value))
			return -EPROTO;
		fill(view_addr(page), PAGE, page);
	}
	return ret;
}

static long attach(const struct step *step)
{
	int id = shmget(IPC_PRIVATE, step->len, IPC_CREAT | 0600);
	long ret;

	if (id < 0)
		return -errno;
	ret = result_of((long)shmat(id, (void *)step->addr, step->flags));
	shmctl(id, IPC_RMID, NULL);
	return ret;
}

/* A child sees what its parent does, but for what was to be left out; and changes its own only. */
static long fork_and_look(const struct step *step, uint64_t *seen)
{
	pid_t pid = fork_child();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		*seen = look_in_short();
		fill(step->addr, step->len, 0xc0ffee);
		*seen ^= look_in_short();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return status;
}

/* Memory at an address that the kernel chooses, which grows. */
static long map_anywhere(const struct step *step, uint64_t *second)
{
	char *p = mmap(NULL, step->len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	unsigned long i;

	if (p == MAP_FAILED)
		return -errno;
	for (i = 0; i < step->len; i += LINE) {
		if (p[i])
			return -EPROTO;
	}
	memset(p, 1, step->len);
	q = mremap(p, step->len, step->len + step->to, MREMAP_MAYMOVE);
	*second = result_of((long)q);
	if (q == MAP_FAILED)
		return -errno;
	for (i = 0; i < step->len + step->to; i += LINE) {
		char wanted = i < step->len;

		if (q[i] != wanted)
			return -EPROTO;
	}
	munmap(q, step->len + step->to);
	return (long)p;
}

static long call(const struct step *step, uint64_t *second)
{
	unsigned long addr = step->addr, len = step->len;

	switch (step->what) {
	case CALL_MAP:
		return map(step);
	case CALL_UNMAP:
		return result_of(syscall(SYS_munmap, addr, len));
	case CALL_PROTECT:
		return result_of(syscall(SYS_mprotect, addr, len, step->arg));
	case CALL_MOVE:
		return result_of(syscall(SYS_mremap, addr, len, step->arg, step->flags, step->to));
	case CALL_ADVISE:
		return result_of(syscall(SYS_madvise, addr, len, step->arg));
	case CALL_FREE:
		return free_lazily(step);
	case CALL_SYNC:
		return result_of(syscall(SYS_msync, addr, len, step->flags));
	case CALL_MLOCK:
		return result_of(syscall(SYS_mlock2, addr, len, step->flags));
	case CALL_MUNLOCK:
		return result_of(syscall(SYS_munlock, addr, len));
	case CALL_MLOCKALL:
		return result_of(step->flags ? syscall(SYS_mlockall, step->flags) :
					       syscall(SYS_munlockall));
	case CALL_SET_BRK:
		return syscall(SYS_brk, heap + len);
	case CALL_REMAP_PAGES:
		return result_of(syscall(SYS_remap_file_pages, addr, len, 0, step->to / PAGE, 0));
	case CALL_SHMAT:
		return attach(step);
	case CALL_SHMDT:
		return result_of(shmdt((void *)addr));
	case CALL_MERGE:
		*second = result_of(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0));
		return result_of(prctl(PR_SET_MEMORY_MERGE, step->arg, 0, 0, 0));
	case CALL_WRITE:
		return fill(step->arg ? heap + addr % (HEAP_PAGES * PAGE) : addr, len, step->to);
	case CALL_TRUNCATE:
		return result_of(ftruncate(files[step->arg], len));
	case CALL_READ_FILE:
		return result_of(pread(files[PRIVATE_DISK], (void *)addr, len, step->to));
	case CALL_FORK:
		return fork_and_look(step, second);
	case CALL_ANYWHERE:
		return map_anywhere(step, second);
	default:
		return -ENOSYS;
	}
}

long do_world_step(long which, long b, long c)
{
	struct world *world = &worlds->world[which];

	world->second = 0;
	world->result = call(&worlds->step, &world->second);
	look(world->pages);
	return 0;
}

static bool make_file(enum source source)
{
	uint64_t words[512];
	unsigned int page, i;

	if (source == PRIVATE_DISK || source == SHARED_DISK)
		files[source] = disk_file(0);
	else
		files[source] = memfd_create("memlockd", MFD_CLOEXEC);
	for (page = 0; page < FILE_PAGES; page++) {
		for (i = 0; i < PAGE / 8; i++)
			words[i] = (uint64_t)source << 32 | page << 16 | i;
		if (write(files[source], words, PAGE) != PAGE)
			return false;
	}
	return true;
}

long do_world_setup(long which, long b, long c)
{
	enum source source;
	void *area;

	for (source = 0; source < SOURCES; source++) {
		files[source] = -1;
		if (source != ANONYMOUS && source != SHARED_ANONYMOUS && !make_file(source))
			return -errno;
	}
	area = mmap((void *)AREA, AREA_PAGES * PAGE, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (area != (void *)AREA)
		return -EEXIST;
	madvise(area, HUGE, MADV_HUGEPAGE);
	fill(AREA, AREA_PAGES * PAGE, 1);
	heap = (syscall(SYS_brk, 0) + PAGE - 1) & -PAGE;
	if (syscall(SYS_brk, heap + HEAP_PAGES * PAGE / 2) < (long)heap)
		return -ENOMEM;
	catch_faults();
	look(worlds->world[which].pages);
	return 0;
}

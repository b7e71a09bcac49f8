// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that is free of the C library, and counts its own page faults from its first
 * instructions on.
 *
 *	first		touches all that it has, and writes &struct first to file 1
 *	first again	runs itself by /proc/self/exe, which does that
 *	first wait	does that, and reads file 0 to its end
 *	first fork	has a child do the same
 */
#ifdef __x86_64__
#include <asm/unistd_64.h>
#else
#include <asm/unistd_32.h>
#endif

#include "first.h"

#ifdef __x86_64__
static long call(long nr, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10)
		     : "rcx", "r11", "memory");
	return ret;
}
#else
static long call(long nr, long a, long b, long c, long d)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d) : "memory");
	return ret;
}
#endif

/* struct rusage, of which the faults are what is looked at. */
struct usage {
	long times[4];
	long maxrss, ixrss, idrss, isrss;
	long minflt, majflt;
	long rest[8];
};

static volatile char data[FIRST_BYTES] = { 1 };
static volatile char bss[FIRST_BYTES];
static struct first first;

asm(".pushsection .text.first, \"ax\", @progbits\n"
	".globl first_text\nfirst_text:\n.fill 64 * 4096, 1, 0xcc\n.popsection\n"
	".pushsection .rodata.first, \"a\", @progbits\n"
	".globl constants\nconstants:\n.fill 64 * 4096, 1, 0x55\n.popsection");

static __attribute__((noinline)) void touch_stack(void)
{
	volatile char stack[FIRST_BYTES];
	int i;

	for (i = FIRST_BYTES - 4096; i >= 0; i -= 4096)
		stack[i] = (stack[i] = 1) + 1;
}

/* The page faults until now, less @before. */
static int faults(int before)
{
	struct usage usage;

	call(__NR_getrusage, 0, (long)&usage, 0, 0);
	return usage.minflt + usage.majflt - before;
}

static __attribute__((noinline)) int touch(void)
{
	int before = faults(0);
	int i;

	for (i = 0; i < FIRST_BYTES; i += 4096) {
		data[i]++;
		bss[i]++;
		(void)constants[i];
		(void)first_text[i];
	}
	touch_stack();
	return faults(before);
}

static void leave(int status)
{
	for (;;)
		call(__NR_exit, status, 0, 0, 0);
}

/* A child that touches all as well; how many faults it took. */
static int fork_and_touch(void)
{
	long pid = call(__NR_fork, 0, 0, 0, 0);
	int status = 0, count;

	if (!pid) {
		count = touch();
		leave(count < 255 ? count : 255);
	}
	if (pid < 0 || call(__NR_wait4, pid, (long)&status, 0, 0) != pid || (status & 0x7f))
		return -2;
	return status >> 8 & 0xff;
}

static __attribute__((used)) void begin(long *sp)
{
	char **argv = (char **)(sp + 1);
	char what = *sp > 1 ? argv[1][0] : 0;
	char byte;

	if (what == 'a') {
		argv[1] = 0;
		call(__NR_execve, (long)"/proc/self/exe", (long)argv, (long)(argv + *sp + 1), 0);
		leave(1);
	}
	first.faults = touch();
	first.child = what == 'f' ? fork_and_touch() : -1;
	first.again = touch();
	call(__NR_write, 1, (long)&first, sizeof(first), 0);
	while (what == 'w' && call(__NR_read, 0, (long)&byte, 1, 0) == 1)
		;
	leave(0);
}

#ifdef __x86_64__
asm(".globl _start\n_start:\nmov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#else
asm(".globl _start\n_start:\nmov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\ncall begin\n");
#endif

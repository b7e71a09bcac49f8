/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System calls of 32-bit programs that are free of the C library, so that a 64-bit
 * machine's compiler can build them.
 */
#ifndef MEMLOCKD_SYSCALL32_H
#define MEMLOCKD_SYSCALL32_H

#include <asm/unistd_32.h>

static int call3(int nr, long a, long b, long c)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (nr), "b" (a), "c" (b), "d" (c) : "memory");
	return ret;
}

static void leave(int status)
{
	for (;;)
		call3(__NR_exit, status, 0, 0);
}

#endif /* MEMLOCKD_SYSCALL32_H */

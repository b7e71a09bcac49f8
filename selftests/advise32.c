// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program that gives memory up by madvise(2), and counts on zeros.
 */
#include "advise32.h"
#include "syscall32.h"

#define LEN		(16 * 4096)
#define ADVICE_DONTNEED	4

static char memory[LEN] __attribute__((aligned(4096)));

static void report(const struct advise32 *what)
{
	if (call3(__NR_write, 1, (long)what, sizeof(*what)) != sizeof(*what))
		leave(1);
}

void _start(void)
{
	struct advise32 what = { 0 };
	volatile char *p = memory;
	char go;
	int i;

	for (i = 0; i < LEN; i++)
		p[i] = 1;
	report(&what);
	if (call3(__NR_read, 0, (long)&go, 1) != 1)
		leave(2);
	what.result = call3(__NR_madvise, (long)memory, LEN, ADVICE_DONTNEED);
	for (i = 0; i < LEN; i++)
		what.stale += p[i] != 0;
	report(&what);
	leave(0);
}

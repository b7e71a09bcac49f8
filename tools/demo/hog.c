// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog - take memory, so that somebody else has to give some up
 *
 * hog MIB: fills that much, says so in a line, and keeps on using it until it is
 * killed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t i, words, bytes = argc > 1 ? strtoull(argv[1], NULL, 0) << 20 : 0;
	uint64_t x = 88172645463325252ULL;
	volatile uint64_t *p;

	if (!bytes) {
		fputs("usage: hog MIB\n", stderr);
		return 2;
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("hog");
		return 1;
	}
	words = bytes / sizeof(*p);
	/* Nothing that compresses, or is the same twice. */
	for (i = 0; i < words; i += 64) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		for (i = 0; i < words; i += 512)
			p[i]++;
		usleep(100000);
	}
}

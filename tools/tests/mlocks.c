// SPDX-License-Identifier: GPL-2.0-only
/*
 * mlocks SEED STEPS: makes calls of mlockall(2) and its kin in a random order, and prints
 * what each returns and which pages of some mappings are locked then.  The same seed makes
 * the same calls, so that two ways to have them answered can be compared.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Anonymous memory, shared memory, a private mapping of that, and a place to map and unmap. */
#define BASE	0x200000000UL
#define ANON	12
#define SHARED	4
#define FILE_PRIVATE	4
#define PLACE	4
#define PAGES	(ANON + SHARED + FILE_PRIVATE + PLACE)

static unsigned long page;
static uint64_t state;

static unsigned int draw(unsigned int below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) % below;
}

static void *at(unsigned int nr)
{
	return (void *)(BASE + nr * page);
}

static void map(unsigned int nr, unsigned int pages, int flags, int fd)
{
	if (mmap(at(nr), pages * page, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) !=
	    at(nr)) {
		perror("mmap");
		exit(1);
	}
}

/* A line of /proc/self/status, in KiB. */
static long kib(const char *field)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			value = atol(line + strlen(field));
	if (file)
		fclose(file);
	return value;
}

/* Prints a character for each page; and whether VmLck is what all mappings say. */
static void print_pages(void)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start = 0, end = 0, locked = 0;
	char line[512], map[PAGES + 1];
	long vmlck;

	memset(map, '-', PAGES);
	map[PAGES] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		unsigned long addr, other;

		if (sscanf(line, "%lx-%lx ", &addr, &other) == 2) {
			start = addr;
			end = other;
		} else if (!strncmp(line, "VmFlags:", 8)) {
			char mark = strstr(line, " lo") ? 'L' : '.';

			locked += mark == 'L' ? end - start : 0;
			for (addr = start; addr < end; addr += page)
				if (addr >= BASE && addr < BASE + PAGES * page)
					map[(addr - BASE) / page] = mark;
		}
	}
	if (file)
		fclose(file);
	vmlck = kib("VmLck:");
	printf(" %s", map);
	if (vmlck << 10 != (long)locked)
		printf(" VmLck is %ld KiB, and the mappings say %lu", vmlck, locked >> 10);
	printf("\n");
}

static void step(void)
{
	static const int flags[] = { 1, 2, 3, 3, 3, 5, 6, 7, 0, 8 };
	unsigned int from = draw(PAGES), len = 1 + draw(8), nr;
	int ret, flag;

	errno = 0;
	switch (draw(12)) {
	case 0:
	case 1:
		flag = flags[draw(sizeof(flags) / sizeof(*flags))];
		ret = mlockall(flag);
		printf("mlockall(%d)", flag);
		break;
	case 2:
		ret = munlockall();
		printf("munlockall()");
		break;
	case 3:
	case 4:
		ret = mlock(at(from), len * page);
		printf("mlock(%u, %u)", from, len);
		break;
	case 5:
		flag = draw(2);
		ret = mlock2(at(from), len * page, flag);
		printf("mlock2(%u, %u, %d)", from, len, flag);
		break;
	case 6:
	case 7:
	case 8:
		ret = munlock(at(from), len * page);
		printf("munlock(%u, %u)", from, len);
		break;
	case 9:
	case 10:
		nr = PAGES - PLACE + draw(PLACE);
		map(nr, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		ret = 0;
		printf("mmap(%u)", nr);
		break;
	default:
		nr = PAGES - PLACE + draw(PLACE);
		ret = munmap(at(nr), page);
		printf("munmap(%u)", nr);
		break;
	}
	printf(" = %s", ret ? strerrorname_np(errno) : "0");
	print_pages();
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16];
	int fd = memfd_create("mlocks", 0), steps = argc > 2 ? atoi(argv[2]) : 0;

	page = getpagesize();
	state = argc > 1 ? strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15 : 0;
	if (!state || ftruncate(fd, SHARED * page)) {
		fprintf(stderr, "usage: mlocks SEED STEPS\n");
		return 1;
	}
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	map(0, ANON, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map(ANON, SHARED, MAP_SHARED, fd);
	map(ANON + SHARED, FILE_PRIVATE, MAP_PRIVATE, fd);
	close(fd);
	while (steps--)
		step();
	return 0;
}

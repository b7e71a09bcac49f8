// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench - what memlockd costs, beside the kernel's own mlockall(2)
 *
 * Each round of a case measures each of its variants once, in turns, in a fresh
 * process; so that whatever disturbs the machine disturbs all of them.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "result.h"

int device;
size_t size = 512 * MIB;
bool counting;

static int rounds = 7;

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

double units_of(const struct bench_case *c)
{
	if (c->units > 0)
		return c->units;
	return size / PAGE / (c->units ? -c->units : 1);
}

static void measure(const struct bench_case *c, struct result *result)
{
	/* The round before the first warms caches and the emulator's translations. */
	for (int round = -1; round < rounds; round++) {
		for (int i = 0; i < NR_VARIANTS; i++) {
			enum lock_kind variant = (i + round + 1) % NR_VARIANTS;
			struct sample sample;

			if (!(c->variants & V(variant)))
				continue;
			for (int metric = 0; metric < NR_METRICS; metric++)
				sample.value[metric] = NAN;
			if (!c->run(c, variant, &sample)) {
				printf("# %s is left out\n", c->name);
				result->rounds = 0;
				return;
			}
			if (round >= 0)
				result->samples[variant][round] = sample;
		}
	}
	result->rounds = rounds;
}

static int show_usage(void)
{
	fputs("usage: bench [--size MiB] [--rounds N] [--json FILE] [--list]\n"
	      "             [--count [--baseline FILE] [--record FILE]] [CASE...]\n", stderr);
	return 2;
}

static int number(const char *text)
{
	int n = atoi(text);

	if (n <= 0)
		exit(show_usage());
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "count", no_argument, NULL, 'c' },
		{ "baseline", required_argument, NULL, 'b' },
		{ "record", required_argument, NULL, 'w' },
		{ "nothing", no_argument, NULL, 'n' },
		{}
	};
	const char *json = NULL, *baseline = NULL, *record = NULL;
	const struct bench_case *c;
	struct result *results;
	bool chosen[64] = {}, some = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			size = number(optarg) * MIB;
			break;
		case 'r':
			rounds = number(optarg);
			break;
		case 'j':
			json = optarg;
			break;
		case 'c':
			counting = true;
			break;
		case 'b':
			baseline = optarg;
			break;
		case 'w':
			record = optarg;
			break;
		case 'n':
			return 0;
		case 'l':
			for (c = cases; c < cases + nr_cases; c++)
				puts(c->name);
			return 0;
		default:
			return show_usage();
		}
	}
	for (; optind < argc; optind++) {
		const char *name = argv[optind];

		for (c = cases; c < cases + nr_cases && strcmp(c->name, name); c++)
			;
		if (c == cases + nr_cases) {
			fprintf(stderr, "bench: there is no case '%s'; --list names them\n", name);
			return 2;
		}
		chosen[c - cases] = true;
		some = true;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	device = device_open();
	if (device < 0) {
		errno = -device;
		die("/dev/memlockd");
	}
	/* The processes to be locked are forked from this one, and have no use for it. */
	results = mmap(NULL, nr_cases * sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED || madvise(results, nr_cases * sizeof(*results), MADV_DONTFORK))
		die("mmap");

	print_head(rounds);
	for (c = cases; c < cases + nr_cases; c++) {
		if ((some && !chosen[c - cases]) || (counting && c->wall))
			continue;
		measure(c, &results[c - cases]);
		print_result(c, &results[c - cases]);
	}
	print_targets(results);
	if (json)
		write_json(json, results, rounds);
	if (record)
		write_baseline(record, results);
	return baseline ? compare_baseline(baseline, results) : 0;
}

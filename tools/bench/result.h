/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has been measured, and what it says.
 */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include "bench.h"

#define MAX_ROUNDS	99

struct result {
	int rounds;		/* 0: not measured */
	struct sample samples[NR_VARIANTS][MAX_ROUNDS];
};

/**
 * struct target_value - what is to be reached
 * @name: the case
 * @variant: the variant
 * @metric: of it
 * @limit: the ratio to its peer, at most; of BOOKS: bytes for each GiB
 * @grace: so much is not counted, ns; then it is the largest of all rounds that are compared
 */
struct target_value {
	const char *name;
	enum lock_kind variant;
	enum measure metric;
	double limit;
	double grace;
};

extern const struct target_value targets[];
extern const size_t nr_targets;

/* Over the rounds in which it was measured. */
struct summary {
	double min, q1, median, q3, max;
	int nr;
};

/* ---- summary.c ---- */

struct summary summary_of(const struct result *r, enum lock_kind variant, enum measure metric);

/* The ratios of what was measured in the same round. */
struct summary ratio_of(const struct result *r, enum lock_kind variant, enum lock_kind base,
			enum measure metric);

/* What @variant of the case is compared with. */
enum lock_kind base_of(const struct bench_case *c, enum lock_kind variant);
bool is_base(const struct bench_case *c, enum lock_kind variant);

const char *metric_name(const struct bench_case *c, enum measure metric);
const char *variant_name(const struct bench_case *c, enum lock_kind variant);

/* ---- print.c ---- */

void print_head(int rounds);
void print_result(const struct bench_case *c, const struct result *result);
void print_targets(const struct result *results);

/* ---- record.c ---- */

void write_json(const char *path, const struct result *results, int rounds);

/* One number for each case, variant and metric: the least seen, for each unit. */
void write_baseline(const char *path, const struct result *results);
int compare_baseline(const char *path, const struct result *results);

#endif /* BENCH_RESULT_H */

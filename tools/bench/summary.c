// SPDX-License-Identifier: GPL-2.0-only
/*
 * Medians, ratios, and what they are called.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

static const char *const variant_names[] = {
	"plain", "probes armed", "eight rules", "mlockall", "LOCKED|MOVABLE", "LOCKED", "SUPERLOCKED",
};

static const char *const metric_names[] = {
	"lock", "unlock", "call", "client CPU", "target CPU", "kernel CPU", "bookkeeping", "slab",
	"longest stall",
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value a share @at of the way through @nr sorted ones. */
static double quantile(const double *sorted, int nr, double at)
{
	double place = at * (nr - 1);
	int low = place, high = low + 1 < nr ? low + 1 : low;

	return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

static struct summary summarize(double *values, int nr)
{
	struct summary s = { .nr = 0 };

	for (int i = 0; i < nr; i++)
		if (!isnan(values[i]))
			values[s.nr++] = values[i];
	if (!s.nr) {
		s.min = NAN;
		s.median = NAN;
		s.max = NAN;
		return s;
	}
	qsort(values, s.nr, sizeof(*values), compare);
	s.min = values[0];
	s.max = values[s.nr - 1];
	s.q1 = quantile(values, s.nr, 0.25);
	s.median = quantile(values, s.nr, 0.5);
	s.q3 = quantile(values, s.nr, 0.75);
	return s;
}

struct summary summary_of(const struct result *r, enum lock_kind variant, enum measure metric)
{
	double values[MAX_ROUNDS];

	for (int i = 0; i < r->rounds; i++)
		values[i] = r->samples[variant][i].value[metric];
	return summarize(values, r->rounds);
}

struct summary ratio_of(const struct result *r, enum lock_kind variant, enum lock_kind base,
			enum measure metric)
{
	double values[MAX_ROUNDS];

	for (int i = 0; i < r->rounds; i++)
		values[i] = r->samples[variant][i].value[metric] /
			    r->samples[base][i].value[metric];
	return summarize(values, r->rounds);
}

enum lock_kind base_of(const struct bench_case *c, enum lock_kind variant)
{
	return variant <= PEER || !(c->variants & V(PEER)) ? PLAIN : PEER;
}

bool is_base(const struct bench_case *c, enum lock_kind variant)
{
	return variant == PLAIN || (variant == PEER && !(c->variants & V(PLAIN)));
}

const char *metric_name(const struct bench_case *c, enum measure metric)
{
	return metric == OP ? c->op : metric_names[metric];
}

const char *variant_name(const struct bench_case *c, enum lock_kind variant)
{
	/* There the peer is what /proc says. */
	if (c->run == run_status && variant == PLAIN)
		return "/proc/PID/status";
	if (c->run == run_rows && variant == PLAIN)
		return "/proc/PID/smaps";
	if (c->run == run_processors)
		return variant == PLAIN ? "one processor" : "two processors";
	if (c->run == run_busy)
		return variant == PLAIN ? "quiet process" : "busy process";
	return variant_names[variant];
}

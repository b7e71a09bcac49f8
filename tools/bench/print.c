// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables.
 */
#include <math.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "result.h"

/* What is compared with the peer; the rest is shown beside it. */
static const enum measure compared[] = { LOCK, UNLOCK, OP, STALL };

static const char *time_text(double ns, char *text, size_t room)
{
	if (counting)
		snprintf(text, room, "%.0f", ns);
	else if (ns < 1e4)
		snprintf(text, room, "%.0f ns", ns);
	else if (ns < 1e7)
		snprintf(text, room, "%.1f us", ns / 1e3);
	else
		snprintf(text, room, "%.1f ms", ns / 1e6);
	return text;
}

/* Of a whole measurement: large cases lock once, loops call many times. */
static bool by_unit(const struct bench_case *c, enum measure metric)
{
	return metric == OP || (strcmp(c->unit, "call") && metric != STALL);
}

void print_head(int rounds)
{
	struct utsname name;

	uname(&name);
	printf("Linux %s, %d processors, %zu MiB, %d rounds\n", name.release, get_nprocs(),
	       (size_t)(size / MIB), rounds);
	if (counting)
		printf("Counted are instructions of one processor: no caches, no waiting.\n");
	printf("\n%-18s %-17s %-20s %12s %12s %8s %15s %8s  %s\n", "case", "state", "what",
	       "median", "least", "ratio", "middle half", "of least", "median of each");
}

static void print_row(const struct bench_case *c, const struct result *r, enum lock_kind variant,
		      enum measure metric)
{
	struct summary s = summary_of(r, variant, metric), ratio;
	enum lock_kind base = base_of(c, variant);
	char median[32], min[32], each[32];

	if (!s.nr)
		return;
	printf("%-18s %-17s %-20s %12s %12s ", c->name, variant_name(c, variant),
	       metric_name(c, metric), time_text(s.median, median, sizeof(median)),
	       time_text(s.min, min, sizeof(min)));
	if (is_base(c, variant)) {
		printf("%8s %15s %8s", "", "", "");
	} else {
		ratio = ratio_of(r, variant, base, metric);
		printf("%8.3f %6.3f .. %5.3f %8.3f", ratio.median, ratio.q1, ratio.q3,
		       s.min / summary_of(r, base, metric).min);
	}
	if (by_unit(c, metric))
		printf("  %s/%s", time_text(s.median / units_of(c), each, sizeof(each)), c->unit);
	printf("\n");
}

/* How much memory the case locks. */
static double gib_of(const struct bench_case *c)
{
	return units_of(c) * PAGE / (1 << 30);
}

static void print_costs(const struct bench_case *c, const struct result *r, enum lock_kind variant)
{
	struct summary client = summary_of(r, variant, CLIENT);
	struct summary target = summary_of(r, variant, TARGET);
	struct summary kernel = summary_of(r, variant, KERNEL);
	struct summary books = summary_of(r, variant, BOOKS);
	struct summary slab = summary_of(r, variant, SLAB);

	if (client.nr)
		printf("%-18s %-17s %-20s client %.1f, target %.1f, kernel threads %.1f ms\n",
		       c->name, variant_name(c, variant), "CPU, lock and unlock",
		       client.median / 1e6, target.median / 1e6, kernel.median / 1e6);
	if (books.nr && c->run == run_memory && !counting)
		printf("%-18s %-17s %-20s %.1f KiB for each GiB; slab grew by %.1f\n", c->name,
		       variant_name(c, variant), "bookkeeping",
		       books.median / gib_of(c) / KIB, slab.median / gib_of(c) / KIB);
}

void print_result(const struct bench_case *c, const struct result *r)
{
	if (!r->rounds)
		return;
	for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++)
		for (int variant = 0; variant < NR_VARIANTS; variant++)
			if (c->variants & V(variant))
				print_row(c, r, variant, compared[i]);
	for (int variant = PEER; variant < NR_VARIANTS; variant++)
		if (c->variants & V(variant))
			print_costs(c, r, variant);
}

static const struct bench_case *case_named(const char *name)
{
	const struct bench_case *c = cases;

	while (strcmp(c->name, name))
		c++;
	return c;
}

/* What has been reached of @target; NAN if that has not been measured. */
static double reached(const struct target_value *target, const struct result *results)
{
	const struct bench_case *c = case_named(target->name);
	const struct result *r = &results[c - cases];

	if (!r->rounds)
		return NAN;
	if (target->grace)
		return (summary_of(r, target->variant, target->metric).max - target->grace) /
		       summary_of(r, base_of(c, target->variant), target->metric).max;
	if (target->metric == BOOKS)
		return summary_of(r, target->variant, BOOKS).median / gib_of(c);
	return ratio_of(r, target->variant, base_of(c, target->variant), target->metric).median;
}

void print_targets(const struct result *results)
{
	printf("\n%-18s %-17s %-20s %10s %10s\n", "target of", "state", "what", "at most", "is");
	for (const struct target_value *t = targets; t < targets + nr_targets; t++) {
		const struct bench_case *c = case_named(t->name);
		double value = reached(t, results);
		bool bytes = t->metric == BOOKS;

		if (isnan(value))
			continue;
		printf("%-18s %-17s %-20s ", t->name, variant_name(c, t->variant),
		       metric_name(c, t->metric));
		if (bytes)
			printf("%6.0f KiB %6.1f KiB", t->limit / KIB, value / KIB);
		else
			printf("%10.2f %10.3f", t->limit, value);
		printf("  %s\n", value <= t->limit ? "met" : "MISSED");
	}
}


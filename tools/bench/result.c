// SPDX-License-Identifier: GPL-2.0-only
/*
 * Medians, ratios, and how they are shown.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "result.h"

/* Of what is counted: a twentieth more is too much. */
#define TOLERANCE	0.05

static const char *const variant_names[] = {
	"plain", "probes armed", "mlockall", "LOCKED|MOVABLE", "LOCKED", "SUPERLOCKED",
};

static const char *const metric_names[] = {
	"lock", "unlock", "call", "client CPU", "target CPU", "kernel CPU", "bookkeeping", "slab",
	"longest stall",
};

/* What is compared with the peer; the rest is shown beside it. */
static const enum metric compared[] = { LOCK, UNLOCK, OP, STALL };

/* Over the rounds. */
struct summary {
	double min, q1, median, q3;
	int nr;
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
		s.min = s.q1 = s.median = s.q3 = NAN;
		return s;
	}
	qsort(values, s.nr, sizeof(*values), compare);
	s.min = values[0];
	s.q1 = quantile(values, s.nr, 0.25);
	s.median = quantile(values, s.nr, 0.5);
	s.q3 = quantile(values, s.nr, 0.75);
	return s;
}

static struct summary of(const struct result *r, enum variant variant, enum metric metric)
{
	double values[MAX_ROUNDS];

	for (int i = 0; i < r->rounds; i++)
		values[i] = r->samples[variant][i].value[metric];
	return summarize(values, r->rounds);
}

/* The ratios of what was measured in the same round. */
static struct summary ratio_of(const struct result *r, enum variant variant, enum variant base,
			       enum metric metric)
{
	double values[MAX_ROUNDS];

	for (int i = 0; i < r->rounds; i++)
		values[i] = r->samples[variant][i].value[metric] /
			    r->samples[base][i].value[metric];
	return summarize(values, r->rounds);
}

/* What @variant of the case is compared with. */
static enum variant base_of(const struct bench_case *c, enum variant variant)
{
	return variant <= PEER || !(c->variants & V(PEER)) ? PLAIN : PEER;
}

static bool is_base(const struct bench_case *c, enum variant variant)
{
	return variant == PLAIN || (variant == PEER && !(c->variants & V(PLAIN)));
}

static const char *metric_name(const struct bench_case *c, enum metric metric)
{
	return metric == OP ? c->op : metric_names[metric];
}

static const char *variant_name(const struct bench_case *c, enum variant variant)
{
	/* There the peer is what /proc says. */
	if (c->run == run_status && variant == PLAIN)
		return "/proc/PID/status";
	if (c->run == run_rows && variant == PLAIN)
		return "/proc/PID/smaps";
	return variant_names[variant];
}

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
static bool by_unit(const struct bench_case *c, enum metric metric)
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
		printf("Counted are instructions, with one processor and nothing else to do: no caches, no waiting.\n");
	printf("\n%-18s %-17s %-20s %12s %12s %8s %15s %8s  %s\n", "case", "state", "what", "median",
	       counting ? "each" : "least", "ratio", "middle half", "least", "each");
}

static void print_row(const struct bench_case *c, const struct result *r, enum variant variant,
		      enum metric metric)
{
	struct summary s = of(r, variant, metric), ratio;
	enum variant base = base_of(c, variant);
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
		       s.min / of(r, base, metric).min);
	}
	if (by_unit(c, metric))
		printf("  %s/%s", time_text(s.median / units_of(c), each, sizeof(each)), c->unit);
	printf("\n");
}

static void print_costs(const struct bench_case *c, const struct result *r, enum variant variant)
{
	struct summary cpu[] = { of(r, variant, CLIENT), of(r, variant, TARGET), of(r, variant, KERNEL) };
	struct summary books = of(r, variant, BOOKS), slab = of(r, variant, SLAB);
	double gib = units_of(c) * PAGE / (1 << 30);

	if (cpu[0].nr)
		printf("%-18s %-17s %-20s client %.1f, target %.1f, kernel threads %.1f ms\n", c->name,
		       variant_name(c, variant), "CPU, lock and unlock", cpu[0].median / 1e6,
		       cpu[1].median / 1e6, cpu[2].median / 1e6);
	if (books.nr && c->run == run_memory && !counting)
		printf("%-18s %-17s %-20s %.1f KiB for each GiB; slab grew by %.1f\n", c->name,
		       variant_name(c, variant), "bookkeeping", books.median / gib / KIB,
		       slab.median / gib / KIB);
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
	if (target->metric == BOOKS)
		return of(r, target->variant, BOOKS).median / (units_of(c) * PAGE / (1 << 30));
	return ratio_of(r, target->variant, base_of(c, target->variant), target->metric).median;
}

void print_targets(const struct result *results)
{
	printf("\n%-18s %-17s %-20s %10s %10s\n", "target of", "state", "what", "at most", "is");
	for (const struct target_value *t = targets; t < targets + nr_targets; t++) {
		const struct bench_case *c = case_named(t->name);
		double value = reached(t, results);
		const char *unit = t->metric == BOOKS ? "KiB" : "";
		double scale = t->metric == BOOKS ? KIB : 1;

		if (isnan(value))
			continue;
		printf("%-18s %-17s %-20s %7.*f%-3s %7.*f%-3s  %s\n", t->name, variant_name(c, t->variant),
		       metric_name(c, t->metric), *unit ? 0 : 2, t->limit / scale, unit,
		       *unit ? 1 : 3, value / scale, unit, value <= t->limit ? "met" : "MISSED");
	}
}

static void json_summary(FILE *file, const char *name, struct summary s)
{
	fprintf(file, ", \"%s\": {\"min\": %.6g, \"q1\": %.6g, \"median\": %.6g, \"q3\": %.6g}", name,
		s.min, s.q1, s.median, s.q3);
}

static bool is_compared(enum metric metric)
{
	for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++)
		if (compared[i] == metric)
			return true;
	return false;
}

static void json_row(FILE *file, const struct bench_case *c, const struct result *r,
		     enum variant variant, enum metric metric, bool *first)
{
	enum variant base = base_of(c, variant);

	if (!of(r, variant, metric).nr)
		return;
	fprintf(file, "%s  {\"case\": \"%s\", \"state\": \"%s\", \"what\": \"%s\", \"unit\": \"%s\", \"units\": %.0f",
		*first ? "\n" : ",\n", c->name, variant_name(c, variant), metric_name(c, metric),
		c->unit, units_of(c));
	*first = false;
	json_summary(file, "value", of(r, variant, metric));
	if (is_compared(metric) && !is_base(c, variant)) {
		fprintf(file, ", \"peer\": \"%s\"", variant_name(c, base));
		json_summary(file, "ratio", ratio_of(r, variant, base, metric));
	}
	for (const struct target_value *t = targets; t < targets + nr_targets; t++)
		if (!strcmp(t->name, c->name) && t->variant == variant && t->metric == metric)
			fprintf(file, ", \"target\": %.6g", t->limit);
	fprintf(file, ", \"samples\": [");
	for (int i = 0; i < r->rounds; i++)
		fprintf(file, "%s%.6g", i ? ", " : "", r->samples[variant][i].value[metric]);
	fprintf(file, "]}");
}

void write_json(const char *path, const struct result *results, int rounds)
{
	FILE *file = fopen(path, "we");
	struct utsname name;
	bool first = true;

	if (!file)
		die(path);
	uname(&name);
	fprintf(file, "{\"kernel\": \"%s\", \"processors\": %d, \"mib\": %zu, \"rounds\": %d, \"counted\": %s,\n \"rows\": [",
		name.release, get_nprocs(), (size_t)(size / MIB), rounds, counting ? "true" : "false");
	for (size_t i = 0; i < nr_cases; i++)
		for (int metric = 0; results[i].rounds && metric < NR_METRICS; metric++)
			for (int variant = 0; variant < NR_VARIANTS; variant++)
				if (cases[i].variants & V(variant))
					json_row(file, &cases[i], &results[i], variant, metric, &first);
	fprintf(file, "\n]}\n");
	if (fclose(file))
		die(path);
}

/* Calls @fn for each number that is counted. */
static void each_count(const struct result *results,
		       void (*fn)(const char *key, double count, void *arg), void *arg)
{
	for (size_t i = 0; i < nr_cases; i++)
		for (int variant = ARMED; variant < NR_VARIANTS; variant++)
			for (int metric = LOCK; metric <= OP; metric++) {
				const struct bench_case *c = &cases[i];
				char key[128];

				if (!results[i].rounds || !(c->variants & V(variant)) || variant == PEER ||
				    !of(&results[i], variant, metric).nr)
					continue;
				snprintf(key, sizeof(key), "%s, %s, %s", c->name, variant_name(c, variant),
					 metric_name(c, metric));
				fn(key, of(&results[i], variant, metric).min / units_of(c), arg);
			}
}

static void write_count(const char *key, double count, void *arg)
{
	fprintf(arg, "%s: %.1f\n", key, count);
}

void write_baseline(const char *path, const struct result *results)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die(path);
	fprintf(file, "# Instructions of each page, mapping or call: make bench-icount RECORD=1\n");
	each_count(results, write_count, file);
	if (fclose(file))
		die(path);
}

struct comparison {
	FILE *file;
	int worse, better, same;
};

static void compare_count(const char *key, double count, void *arg)
{
	struct comparison *c = arg;
	size_t len = strlen(key);
	double was = NAN;
	char line[256];

	rewind(c->file);
	while (isnan(was) && fgets(line, sizeof(line), c->file))
		if (!strncmp(line, key, len) && line[len] == ':')
			was = atof(line + len + 1);
	if (isnan(was)) {
		printf("not in the baseline: %s %.1f\n", key, count);
		c->worse++;
	} else if (count > was * (1 + TOLERANCE)) {
		printf("WORSE: %s: %.1f instructions, were %.1f (%+.1f %%)\n", key, count, was,
		       100 * (count / was - 1));
		c->worse++;
	} else if (count < was * (1 - TOLERANCE)) {
		printf("better: %s: %.1f instructions, were %.1f (%+.1f %%)\n", key, count, was,
		       100 * (count / was - 1));
		c->better++;
	} else {
		c->same++;
	}
}

int compare_baseline(const char *path, const struct result *results)
{
	struct comparison c = { .file = fopen(path, "re") };

	if (!c.file)
		die(path);
	printf("\nAgainst %s, within %.0f %%:\n", path, 100 * TOLERANCE);
	each_count(results, compare_count, &c);
	fclose(c.file);
	printf("%d as before, %d better, %d worse\n", c.same, c.better, c.worse);
	return c.worse ? 1 : 0;
}

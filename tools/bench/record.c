// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is kept: all of it as JSON, and the counts to compare the next ones with.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "result.h"

/* Of what is counted: a twentieth more is too much. */
#define TOLERANCE	0.05

static void json_summary(FILE *file, const char *name, struct summary s)
{
	fprintf(file, ", \"%s\": {\"min\": %.6g, \"q1\": %.6g, \"median\": %.6g, \"q3\": %.6g}",
		name, s.min, s.q1, s.median, s.q3);
}

static void json_row(FILE *file, const struct bench_case *c, const struct result *r,
		     enum lock_kind variant, enum measure metric, bool *first)
{
	enum lock_kind base = base_of(c, variant);

	if (!summary_of(r, variant, metric).nr)
		return;
	fprintf(file, "%s  {\"case\": \"%s\", \"state\": \"%s\", \"what\": \"%s\"",
		*first ? "\n" : ",\n", c->name, variant_name(c, variant), metric_name(c, metric));
	fprintf(file, ", \"unit\": \"%s\", \"units\": %.0f", c->unit, units_of(c));
	*first = false;
	json_summary(file, "value", summary_of(r, variant, metric));
	if ((metric <= OP || metric == STALL) && !is_base(c, variant)) {
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

static void json_case(FILE *file, const struct bench_case *c, const struct result *r, bool *first)
{
	if (!r->rounds)
		return;
	for (int metric = 0; metric < NR_METRICS; metric++)
		for (int variant = 0; variant < NR_VARIANTS; variant++)
			if (c->variants & V(variant))
				json_row(file, c, r, variant, metric, first);
}

void write_json(const char *path, const struct result *results, int rounds)
{
	FILE *file = fopen(path, "we");
	struct utsname name;
	bool first = true;

	if (!file)
		die(path);
	uname(&name);
	fprintf(file, "{\"kernel\": \"%s\", \"processors\": %d, \"mib\": %zu, \"rounds\": %d,\n",
		name.release, get_nprocs(), (size_t)(size / MIB), rounds);
	fprintf(file, " \"counted\": %s, \"rows\": [", counting ? "true" : "false");
	for (size_t i = 0; i < nr_cases; i++)
		json_case(file, &cases[i], &results[i], &first);
	fprintf(file, "\n]}\n");
	if (fclose(file))
		die(path);
}

/* What was counted for one unit of it; and for its peer in the same run, or 0. */
struct count {
	char key[128];
	double own, peer;
};

typedef void (*count_fn)(const struct count *count, void *arg);

static void case_counts(const struct bench_case *c, const struct result *r, count_fn fn, void *arg)
{
	for (int variant = ARMED; variant < NR_VARIANTS; variant++)
		for (int metric = LOCK; metric <= OP; metric++) {
			struct summary s = summary_of(r, variant, metric), peer = {};
			struct count count = {};

			if (!s.nr || variant == PEER || !(c->variants & V(variant)))
				continue;
			snprintf(count.key, sizeof(count.key), "%s, %s, %s", c->name,
				 variant_name(c, variant), metric_name(c, metric));
			if (!is_base(c, variant))
				peer = summary_of(r, base_of(c, variant), metric);
			count.own = s.min / units_of(c);
			count.peer = peer.min / units_of(c);
			fn(&count, arg);
		}
}

/* Calls @fn for each number that is counted. */
static void each_count(const struct result *results, count_fn fn, void *arg)
{
	for (size_t i = 0; i < nr_cases; i++)
		if (results[i].rounds)
			case_counts(&cases[i], &results[i], fn, arg);
}

static void write_count(const struct count *count, void *arg)
{
	fprintf(arg, "%s: %.1f %.1f\n", count->key, count->own, count->peer);
}

void write_baseline(const char *path, const struct result *results)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die(path);
	fprintf(file, "# Instructions of each page, mapping or call, and those of its peer.\n");
	fprintf(file, "# make bench-icount RECORD=1\n");
	each_count(results, write_count, file);
	if (fclose(file))
		die(path);
}

struct comparison {
	FILE *file;
	int worse, better, same;
};

/* What was recorded for it; all zero if nothing was. */
static struct count recorded(FILE *file, const char *key)
{
	struct count was = {};
	size_t len = strlen(key);
	char line[256];

	rewind(file);
	while (!was.own && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, len) && line[len] == ':')
			sscanf(line + len + 1, "%lf %lf", &was.own, &was.peer);
	return was;
}

/*
 * How many times of what it was. When the peer has changed as well, it is the kernel, or
 * what it runs on, that is different: the nearer to 1 counts, the number or its ratio.
 */
static double growth(const struct count *now, const struct count *was)
{
	double alone = now->own / was->own, beside;

	if (!now->peer || !was->peer)
		return alone;
	beside = alone / (now->peer / was->peer);
	return fabs(log(beside)) < fabs(log(alone)) ? beside : alone;
}

static void compare_count(const struct count *now, void *arg)
{
	struct comparison *c = arg;
	struct count was = recorded(c->file, now->key);
	const char *verdict = NULL;

	if (!was.own) {
		printf("not in the baseline: %s %.1f\n", now->key, now->own);
		c->worse++;
		return;
	}
	if (growth(now, &was) > 1 + TOLERANCE) {
		verdict = "WORSE";
		c->worse++;
	} else if (growth(now, &was) < 1 - TOLERANCE) {
		verdict = "better";
		c->better++;
	} else {
		c->same++;
	}
	if (verdict)
		printf("%s: %s: %.1f instructions, were %.1f (%+.1f %%); its peer %.1f, was %.1f\n",
		       verdict, now->key, now->own, was.own, 100 * (now->own / was.own - 1),
		       now->peer, was.peer);
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

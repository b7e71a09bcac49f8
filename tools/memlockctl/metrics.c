// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl status --prometheus: the text format of Prometheus, as the textfile collector of
 * its node_exporter reads it
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memlockctl.h"

/* What a process has. */
struct sample {
	pid_t pid;
	char name[64];
	struct memlockd_status status;
	struct sizes sizes;
	bool sized;
};

struct metrics {
	struct sample *samples;
	size_t nr;
};

/**
 * struct metric - one of a process
 * @name: behind "memlockd_process_"
 * @type: of Prometheus
 * @help: what it is
 * @label: one more label, or NULL
 * @value: false if the process has none
 */
struct metric {
	const char *name;
	const char *type;
	const char *help;
	const char *label;
	bool (*value)(const struct sample *sample, uint64_t *value);
};

static bool is_locked(const struct sample *sample)
{
	return sample->status.out_state != MEMLOCKD_STATE_UNLOCKED;
}

static bool is_watched(const struct sample *sample)
{
	return sample->status.out_state == MEMLOCKD_STATE_SUPERLOCKED &&
	       !(sample->status.out_warnings & MEMLOCKD_WARNING_NO_GUARD);
}

static bool superlocked(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_state == MEMLOCKD_STATE_SUPERLOCKED;
	return true;
}

static bool kept(const struct sample *sample, uint64_t *value)
{
	*value = sample->sizes.kept;
	return sample->sized;
}

static bool incomplete(const struct sample *sample, uint64_t *value)
{
	*value = sample->sizes.incomplete;
	return sample->sized;
}

static bool pinned(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_pinned;
	return true;
}

static bool bookkeeping(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_bookkeeping;
	return true;
}

static bool limit(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_memlock_limit;
	return true;
}

static bool lock_seconds(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_lock_time_ns / 1000000000;
	return is_locked(sample);
}

static bool minor(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_lock_minor_faults;
	return is_locked(sample);
}

static bool major(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_lock_major_faults;
	return is_locked(sample);
}

static bool real_minor(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_real_minor_faults;
	return is_watched(sample);
}

static bool real_major(const struct sample *sample, uint64_t *value)
{
	*value = sample->status.out_real_major_faults;
	return is_watched(sample);
}

/* Those of one name are neighbours. */
static const struct metric table[] = {
	{ "superlocked", "gauge", "1 if it is superlocked, 0 if it is locked", NULL, superlocked },
	{ "locked_boottime_seconds", "gauge", "Time since boot when its lock was complete", NULL,
	  lock_seconds },
	{ "kept_bytes", "gauge", "What its lock keeps in memory", NULL, kept },
	{ "incomplete_mappings", "gauge", "Mappings that have less than its lock promises", NULL,
	  incomplete },
	{ "pinned_bytes", "gauge", "What is pinned of it", NULL, pinned },
	{ "bookkeeping_bytes", "gauge", "Kernel memory that remembers the pins", NULL,
	  bookkeeping },
	{ "memlock_limit_bytes", "gauge", "Its RLIMIT_MEMLOCK", NULL, limit },
	{ "faults_total", "counter", "Page faults since its lock, of mmap and the like as well",
	  "kind=\"minor\"", minor },
	{ "faults_total", NULL, NULL, "kind=\"major\"", major },
	{ "real_faults_total", "counter",
	  "Page faults by accesses since its superlock, which promises none",
	  "kind=\"minor\"", real_minor },
	{ "real_faults_total", NULL, NULL, "kind=\"major\"", real_major },
};

void metrics_add(struct ctl *ctl, const struct target *target,
		 const struct memlockd_status *status, const struct sizes *sizes)
{
	struct metrics *metrics = ctl->metrics;
	struct sample *samples, *sample;

	if (!metrics)
		return;
	samples = realloc(metrics->samples, (metrics->nr + 1) * sizeof(*samples));
	if (!samples)
		no_memory();
	metrics->samples = samples;
	sample = &samples[metrics->nr++];
	memset(sample, 0, sizeof(*sample));
	sample->pid = target->pid;
	memcpy(sample->name, target->name, sizeof(sample->name));
	sample->status = *status;
	if (sizes) {
		sample->sizes = *sizes;
		sample->sized = true;
	}
}

/* A value is UTF-8, which the name of a command need not be: what is not ASCII becomes '?'. */
static void print_name(FILE *to, const char *name)
{
	for (; *name; name++) {
		if (*name == '\\' || *name == '"')
			putc('\\', to);
		if (*name == '\n')
			fputs("\\n", to);
		else
			putc(*name < ' ' || *name == 127 ? '?' : *name, to);
	}
}

static void print_value(FILE *to, uint64_t value)
{
	if (value == MEMLOCKD_NO_LIMIT)
		fputs(" +Inf\n", to);
	else
		fprintf(to, " %llu\n", (unsigned long long)value);
}

static void print_metric(FILE *to, const struct metric *metric, const struct metrics *metrics)
{
	uint64_t value;
	size_t i;

	if (metric->help)
		fprintf(to, "# HELP memlockd_process_%s %s.\n# TYPE memlockd_process_%s %s\n",
			metric->name, metric->help, metric->name, metric->type);
	for (i = 0; i < metrics->nr; i++) {
		const struct sample *sample = &metrics->samples[i];

		if (!metric->value(sample, &value))
			continue;
		fprintf(to, "memlockd_process_%s{pid=\"%d\",name=\"", metric->name, sample->pid);
		print_name(to, sample->name);
		fprintf(to, "\"%s%s}", metric->label ? "," : "", metric->label ?: "");
		print_value(to, value);
	}
}

static void print_gauge(FILE *to, const char *name, const char *help, uint64_t value)
{
	fprintf(to, "# HELP memlockd_%s %s.\n# TYPE memlockd_%s gauge\nmemlockd_%s", name, help,
		name, name);
	print_value(to, value);
}

static void print_all(FILE *to, const struct memlockd_info *info, const struct metrics *metrics)
{
	size_t i;

	print_gauge(to, "locked_processes", "Processes that are locked",
		    info->out_locked_processes);
	print_gauge(to, "pinned_bytes", "What is pinned of all of them", info->out_pinned);
	/* Not each caller may know. */
	if (info->out_max_wired) {
		print_gauge(to, "wired_bytes", "What counts against max_wired", info->out_wired);
		print_gauge(to, "max_wired_bytes", "vm.memlockd.max_wired", info->out_max_wired);
	}
	for (i = 0; i < ARRAY_SIZE(table); i++)
		print_metric(to, &table[i], metrics);
}

static void failed_to_write(struct ctl *ctl, const char *path, int err)
{
	report_error(ctl, NULL, -err, EXIT_FAILED, "cannot write %s: %s", path, strerror(err));
}

/* Who reads @path meanwhile finds what was there before, or all of this. */
static void write_file(struct ctl *ctl, const char *path, const struct memlockd_info *info)
{
	char new[PATH_MAX];
	mode_t mask;
	FILE *to;
	int fd;

	if (snprintf(new, sizeof(new), "%s.XXXXXX", path) >= (int)sizeof(new)) {
		failed_to_write(ctl, path, ENAMETOOLONG);
		return;
	}
	fd = mkstemp(new);
	to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!to) {
		failed_to_write(ctl, path, errno);
		return;
	}
	print_all(to, info, ctl->metrics);
	/* As if it had been made by open(2). */
	mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask) || fflush(to) || ferror(to) || rename(new, path)) {
		failed_to_write(ctl, path, errno);
		unlink(new);
	}
	fclose(to);
}

void metrics_begin(struct ctl *ctl)
{
	if (!ctl->options.prometheus)
		return;
	ctl->metrics = calloc(1, sizeof(*ctl->metrics));
	if (!ctl->metrics)
		no_memory();
}

void metrics_end(struct ctl *ctl)
{
	const char *path = ctl->options.prometheus;
	struct memlockd_info info;
	int err;

	if (!ctl->metrics)
		return;
	err = memlockd_read_info(ctl->dev, &info, sizeof(info));
	if (err)
		report_failure(ctl, NULL, err);
	else if (!strcmp(path, "-"))
		print_all(stdout, &info, ctl->metrics);
	else
		write_file(ctl, path, &info);
	free(ctl->metrics->samples);
	free(ctl->metrics);
	ctl->metrics = NULL;
}

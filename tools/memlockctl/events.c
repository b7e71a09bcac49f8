// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl events
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memlockctl.h"

#define ALL_KINDS	(2 * MEMLOCKD_EVENT_RULE_FAILED - 1)
#define AT_ONCE		64

static void print_fault(const struct memlockd_event *event)
{
	char duration[16];

	printf("page fault, %s, a %s", event->flags & MEMLOCKD_FAULT_MAJOR ? "major" : "minor",
	       text_access(event->flags));
	if (!(event->flags & MEMLOCKD_FAULT_HIDDEN))
		printf(" at 0x%llx by 0x%llx", (unsigned long long)event->address,
		       (unsigned long long)event->ip);
	printf(" of thread %d", event->tid);
	if (event->duration_ns)
		printf(", %s", text_duration(duration, sizeof(duration), event->duration_ns));
}

static void print_event(const struct memlockd_event *event)
{
	char when[32], name[64], flags[64];

	text_time(when, sizeof(when), event->time_ns);
	if (event->kind == MEMLOCKD_EVENT_LOST) {
		printf("%s %s lost, as they came too fast\n", when,
		       count_text(event->count, "event"));
		return;
	}
	target_name(event->pid, name, sizeof(name));
	printf("%s %s (PID %d): ", when, name, event->pid);
	switch (event->kind) {
	case MEMLOCKD_EVENT_FAULT:
		print_fault(event);
		break;
	case MEMLOCKD_EVENT_LOCKED:
		printf("%s", text_state(event->state));
		if (*text_mode(flags, sizeof(flags), event->flags))
			printf(", %s", flags);
		break;
	case MEMLOCKD_EVENT_EXECED:
		printf("unlocked, as it has executed another program");
		break;
	case MEMLOCKD_EVENT_LIMIT:
		printf("not locked, as a limit was met: %s", memlockd_limit_name(event->limit));
		if (event->count)
			printf(", which would have to be %s", size_text(event->count));
		break;
	case MEMLOCKD_EVENT_RULE_MATCHED:
		printf("rule %llu is for it: %s", (unsigned long long)event->count,
		       text_state(event->state));
		break;
	case MEMLOCKD_EVENT_RULE_FAILED:
		printf("not locked as rule %llu says: %s", (unsigned long long)event->count,
		       strerror(event->flags));
		if (event->limit)
			printf(" (%s)", memlockd_limit_name(event->limit));
		break;
	default:
		printf("%s", memlockd_event_name(event->kind));
	}
	if (event->tid && event->kind != MEMLOCKD_EVENT_FAULT)
		printf(", by PID %d", event->tid);
	putchar('\n');
}

static void add_event(struct json_object *array, const struct memlockd_event *event)
{
	struct json_object *object = json_object_new_object();
	bool lost = event->kind == MEMLOCKD_EVENT_LOST;
	char name[64];

	target_name(event->pid, name, sizeof(name));
	json_string(object, "event", memlockd_event_name(event->kind));
	json_number(object, "time_ns", event->time_ns);
	json_number(object, "pid", event->pid);
	json_string(object, "name", lost ? NULL : name);
	switch (event->kind) {
	case MEMLOCKD_EVENT_FAULT:
		json_number(object, "tid", event->tid);
		json_fault(object, event->flags, event->address, event->ip);
		json_number(object, "duration_ns", event->duration_ns);
		break;
	case MEMLOCKD_EVENT_LOCKED:
		json_string(object, "state", memlockd_state_name(event->state));
		json_flags(object, event->flags);
		json_number(object, "by_pid", event->tid);
		break;
	case MEMLOCKD_EVENT_UNLOCKED:
		json_number(object, "by_pid", event->tid);
		break;
	case MEMLOCKD_EVENT_LIMIT:
		json_string(object, "limit", memlockd_limit_name(event->limit));
		json_number(object, "needed", event->count);
		json_number(object, "by_pid", event->tid);
		break;
	case MEMLOCKD_EVENT_RULE_MATCHED:
		json_number(object, "rule", event->count);
		json_string(object, "state", memlockd_state_name(event->state));
		json_flags(object, event->flags);
		break;
	case MEMLOCKD_EVENT_RULE_FAILED:
		json_number(object, "rule", event->count);
		json_number(object, "errno", event->flags);
		json_string(object, "limit", memlockd_limit_name(event->limit));
		break;
	case MEMLOCKD_EVENT_LOST:
		json_number(object, "count", event->count);
		break;
	}
	json_object_array_add(array, object);
}

/* What has come; false when the address space that it is about has ended. */
static bool show(struct ctl *ctl, const struct memlockd_event *events, ssize_t nr)
{
	struct json_object *array = NULL;
	bool ended = false;
	ssize_t i;

	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "events", array);
	}
	for (i = 0; i < nr; i++) {
		if (array)
			add_event(array, &events[i]);
		else
			print_event(&events[i]);
		ended |= events[i].kind == MEMLOCKD_EVENT_EXECED;
	}
	report_flush(ctl);
	return !ended;
}

static int subscribe(struct ctl *ctl, const struct target *target)
{
	const size_t size = sizeof(struct memlockd_event);
	int err;

	err = target ? memlockd_subscribe(ctl->dev, target_process(target), ALL_KINDS, size) :
		       memlockd_subscribe_all(ctl->dev, ALL_KINDS, size);
	if (err)
		report_failure(ctl, target, err);
	return err;
}

/* Reads what there is; false at the end. */
static bool read_all(struct ctl *ctl, const struct target *target)
{
	struct memlockd_event events[AT_ONCE];
	bool more = true;
	ssize_t nr;

	while ((nr = memlockd_read_events(ctl->dev, events, AT_ONCE, sizeof(events[0]))) > 0)
		more &= show(ctl, events, nr) || !target;
	if (nr != -EAGAIN && nr != -EINTR) {
		report_failure(ctl, target, nr);
		return false;
	}
	return more || (ctl->options.follow && !subscribe(ctl, target));
}

static void wait_and_read(struct ctl *ctl, const struct target *target)
{
	struct pollfd pollfds[] = {
		{ .fd = memlockd_fd(ctl->dev), .events = POLLIN },
		{ .fd = target ? target->pidfd : -1, .events = POLLIN },
	};
	sigset_t before;

	signals_catch(&before);
	do {
		if (ppoll(pollfds, ARRAY_SIZE(pollfds), NULL, &before) < 0)
			continue;
		/* It ends behind its last event. */
		if (!read_all(ctl, target) || pollfds[1].revents)
			break;
	} while (!signals_caught());
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void events_run(struct ctl *ctl)
{
	struct targets targets = {};
	const struct target *target = NULL;

	if (ctl->options.nr_words) {
		targets_select(ctl, &targets);
		target = targets.list;
	}
	fcntl(memlockd_fd(ctl->dev), F_SETFL, O_NONBLOCK);
	if (!ctl->status && !subscribe(ctl, target))
		wait_and_read(ctl, target);
	/* The last events have printed their document. */
	if (ctl->doc && !ctl->status) {
		json_object_put(ctl->doc);
		ctl->doc = NULL;
	}
	targets_free(&targets);
}

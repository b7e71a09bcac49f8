// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes out: the JSON document, or errors and warnings as text.
 *
 * Errors and warnings go to stderr in both cases, so that a person sees them and
 * a program has them where it looks.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memlockctl.h"

/* Of the document: raised when a field changes its meaning or goes. */
#define JSON_FORMAT	1

static struct json_object *add_array(struct json_object *doc, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(doc, key, array);
	return array;
}

void report_begin(struct ctl *ctl)
{
	if (!ctl->options.json)
		return;
	ctl->doc = json_object_new_object();
	json_number(ctl->doc, "format", JSON_FORMAT);
	json_string(ctl->doc, "command", ctl->command ? ctl->command->name : NULL);
	if (ctl->command && (ctl->command->each || ctl->command->run == watch_run))
		ctl->processes = add_array(ctl->doc, "processes");
	ctl->warnings = add_array(ctl->doc, "warnings");
	ctl->errors = add_array(ctl->doc, "errors");
}

static void print_doc(struct ctl *ctl, int flags)
{
	puts(json_object_to_json_string_ext(ctl->doc, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(ctl->doc);
	ctl->doc = NULL;
}

void report_end(struct ctl *ctl)
{
	if (ctl->doc)
		print_doc(ctl, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void report_flush(struct ctl *ctl)
{
	if (ctl->doc) {
		print_doc(ctl, JSON_C_TO_STRING_PLAIN);
		report_begin(ctl);
	}
	fflush(stdout);
}

bool report_text(const struct ctl *ctl)
{
	return !ctl->doc && !ctl->options.quiet && !ctl->options.prometheus;
}

struct json_object *report_process(struct ctl *ctl, const struct target *target)
{
	struct json_object *object;

	if (!ctl->doc)
		return NULL;
	object = json_object_new_object();
	json_number(object, "pid", target->pid);
	json_string(object, "name", target->name);
	json_object_array_add(ctl->processes, object);
	return object;
}

struct json_object *report_error(struct ctl *ctl, const struct target *target, int err, int status,
				 const char *format, ...)
{
	struct json_object *object;
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);

	/* So that what was printed before comes before it in a log that has both. */
	fflush(stdout);
	fprintf(stderr, "memlockctl: %s\n", message);
	if (!ctl->status)
		ctl->status = status;
	if (!ctl->doc)
		return NULL;
	object = json_object_new_object();
	if (target) {
		json_number(object, "pid", target->pid);
		json_string(object, "name", target->name);
	}
	json_string(object, "errno", err ? strerrorname_np(-err) : NULL);
	json_string(object, "message", message);
	json_object_array_add(ctl->errors, object);
	return object;
}

void report_failure(struct ctl *ctl, const struct target *target, int err)
{
	const char *sentence = memlockd_error(ctl->dev);

	report_sentence(ctl, target, err, *sentence ? sentence : strerror(-err));
}

void report_sentence(struct ctl *ctl, const struct target *target, int err, const char *sentence)
{
	int status = EXIT_FAILED;

	if (err == -ESRCH && target && target->found)
		return;
	if (err == -ESRCH)
		status = EXIT_NO_PROCESS;
	else if (err == -EPERM || err == -EACCES)
		status = EXIT_NOT_PERMITTED;
	report_error(ctl, target, err, status, "%s", sentence);
}

void report_warning(struct ctl *ctl, const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (ctl->doc)
		json_object_array_add(ctl->warnings, json_object_new_string(message));
	if (!ctl->options.quiet) {
		fflush(stdout);
		fprintf(stderr, "memlockctl: %s\n", message);
	}
}

void no_memory(void)
{
	fputs("memlockctl: out of memory\n", stderr);
	exit(EXIT_FAILED);
}

void json_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_limit(struct json_object *object, const char *key, uint64_t value)
{
	if (value == MEMLOCKD_NO_LIMIT)
		json_object_object_add(object, key, NULL);
	else
		json_number(object, key, value);
}

void json_bits(struct json_object *object, const char *key, unsigned int bits,
	       const char *(*name)(unsigned int bit))
{
	struct json_object *array = add_array(object, key);
	unsigned int bit;

	for (bit = 1; bit; bit <<= 1) {
		if (bits & bit)
			json_object_array_add(array, json_object_new_string(name(bit)));
	}
}

void json_flags(struct json_object *object, unsigned int flags)
{
	json_bits(object, "flags", flags, memlockd_flag_name);
}

void json_warnings(struct json_object *object, unsigned int warnings)
{
	json_bits(object, "warnings", warnings, memlockd_warning_name);
}

/* What a fault was: "access", "kind", "by", and the addresses. */
void json_fault(struct json_object *object, unsigned int flags, uint64_t address, uint64_t ip)
{
	json_string(object, "access", flags & MEMLOCKD_FAULT_WRITE ? "write" :
		    flags & MEMLOCKD_FAULT_EXEC ? "exec" : "read");
	json_string(object, "fault", flags & MEMLOCKD_FAULT_MAJOR ? "major" : "minor");
	json_string(object, "by", flags & MEMLOCKD_FAULT_KERNEL ? "kernel" : "user");
	if (flags & MEMLOCKD_FAULT_HIDDEN) {
		json_string(object, "address", NULL);
		json_string(object, "ip", NULL);
	} else {
		json_address(object, "address", address);
		json_address(object, "ip", ip);
	}
}

/* As text: more than 53 bits would not survive every reader of JSON. */
void json_address(struct json_object *object, const char *key, uint64_t value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "0x%llx", (unsigned long long)value);
	json_string(object, key, buf);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl rule add, rule del, rule list, rule load
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "memlockctl.h"

enum { ID, PRIORITY, FOR, STATE, FLAGS, ON, MATCHED, FAILED, MISSED, BY };

const struct column rule_columns[] = {
	[ID] = { "ID", "number of the rule", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[PRIORITY] = { "PRIORITY", "the lowest number wins", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[FOR] = { "FOR", "which processes", SCOLS_FL_TRUNC, IN_TABLE, 0 },
	[STATE] = { "STATE", "what they get", 0, IN_TABLE, 0 },
	[FLAGS] = { "FLAGS", "how, where that is not the usual way", 0, IN_TABLE, 0 },
	[ON] = { "ON", "when", 0, IN_TABLE, 0 },
	[MATCHED] = { "MATCHED", "how often it was for a process", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[FAILED] = { "FAILED", "how often that could not be locked", SCOLS_FL_RIGHT, IN_TABLE, 0 },
	[MISSED] = { "MISSED", "how often it came too late", SCOLS_FL_RIGHT, 0, 0 },
	[BY] = { "BY", "who has added it", SCOLS_FL_TRUNC, 0, 0 },
	[BY + 1] = {}
};

/* What a rule has open while it is added. */
static bool open_file(struct ctl *ctl, const char *path, int flags, int *fd)
{
	*fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return true;
	report_error(ctl, NULL, -errno, EXIT_FAILED, "%s: %s", path, strerror(errno));
	return false;
}

static bool find_user(struct ctl *ctl, const char *word, uint32_t *uid)
{
	const struct passwd *user = getpwnam(word);
	char *end;

	if (user) {
		*uid = user->pw_uid;
		return true;
	}
	errno = 0;
	*uid = strtoul(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end && !errno)
		return true;
	report_error(ctl, NULL, 0, EXIT_FAILED, "there is no user '%s'", word);
	return false;
}

static bool take_matches(struct ctl *ctl, const struct options *options,
			 struct memlockd_rule *rule)
{
	char path[PATH_MAX];

	if (options->realtime)
		rule->match |= MEMLOCKD_MATCH_REALTIME;
	if (options->io)
		rule->match |= MEMLOCKD_MATCH_IO;
	if (options->user) {
		rule->match |= MEMLOCKD_MATCH_USER;
		if (!find_user(ctl, options->user, &rule->uid))
			return false;
	}
	if (options->executable) {
		rule->match |= MEMLOCKD_MATCH_EXECUTABLE;
		if (!open_file(ctl, options->executable, 0, &rule->executable))
			return false;
	}
	if (options->nr_cgroups) {
		rule->match |= MEMLOCKD_MATCH_CGROUP;
		if (!find_cgroup(options->cgroups[0], path, sizeof(path))) {
			report_error(ctl, NULL, 0, EXIT_FAILED,
				     "there is no control group '%s' below /sys/fs/cgroup",
				     options->cgroups[0]);
			return false;
		}
		if (!open_file(ctl, path, O_DIRECTORY, &rule->cgroup))
			return false;
	}
	return true;
}

static void report_added(struct ctl *ctl, const struct memlockd_rule *rule)
{
	if (ctl->doc) {
		json_number(ctl->doc, "rule", rule->out_id);
		json_number(ctl->doc, "matched", rule->out_matched);
		json_number(ctl->doc, "failed", rule->out_failed);
	} else if (report_text(ctl)) {
		printf("rule %llu", (unsigned long long)rule->out_id);
		if (rule->events & MEMLOCKD_RULE_NOW)
			printf(": it is for %s that %s now",
			       count_text(rule->out_matched, "process"),
			       rule->out_matched == 1 ? "runs" : "run");
		putchar('\n');
	}
	if (rule->out_failed)
		report_warning(ctl, "%u of them could not be locked: memlockctl lock of each says why",
			       rule->out_failed);
}

static bool add(struct ctl *ctl, const struct options *options, struct memlockd_rule *result)
{
	struct memlockd_rule rule = {
		.events = options->events,
		.priority = options->priority,
		.executable = -1,
		.cgroup = -1,
	};
	int executable, cgroup, err = -1;

	if (!options->unlocked) {
		rule.state = options->superlock ? MEMLOCKD_STATE_SUPERLOCKED :
						  MEMLOCKD_STATE_LOCKED;
		rule.lock_flags = lock_flags(options);
		rule.stack_reserve = options->stack_reserve;
	}
	if (options->kill)
		rule.flags |= MEMLOCKD_RULE_KILL;
	if (options->init)
		rule.flags |= MEMLOCKD_RULE_INIT;
	if (take_matches(ctl, options, &rule)) {
		executable = rule.executable;
		cgroup = rule.cgroup;
		/* What is no part of the rule is 0. */
		if (executable < 0)
			rule.executable = 0;
		if (cgroup < 0)
			rule.cgroup = 0;
		err = memlockd_rule_add(ctl->dev, &rule, sizeof(rule));
		rule.executable = executable;
		rule.cgroup = cgroup;
		if (err)
			report_failure(ctl, NULL, err);
	}
	if (rule.executable >= 0)
		close(rule.executable);
	if (rule.cgroup >= 0)
		close(rule.cgroup);
	*result = rule;
	return !err;
}

void rule_add_run(struct ctl *ctl)
{
	struct memlockd_rule rule;

	if (add(ctl, &ctl->options, &rule))
		report_added(ctl, &rule);
}

static void del(struct ctl *ctl, struct json_object *array, uint64_t id)
{
	int err = memlockd_rule_del(ctl->dev, id);

	if (err)
		report_error(ctl, NULL, err, err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED,
			     "rule %llu: %s", (unsigned long long)id, memlockd_error(ctl->dev));
	else if (array)
		json_object_array_add(array, json_object_new_int64(id));
}

static void del_all(struct ctl *ctl, struct json_object *array)
{
	struct memlockd_rule_row *rows;
	ssize_t nr, i;

	nr = memlockd_read_rules(ctl->dev, &rows, sizeof(*rows));
	if (nr < 0) {
		report_failure(ctl, NULL, nr);
		return;
	}
	/* That of vm.memlockd.default_state goes with it. */
	for (i = 0; i < nr; i++)
		if (!(rows[i].flags & MEMLOCKD_RULE_DEFAULT))
			del(ctl, array, rows[i].id);
	free(rows);
}

void rule_del_run(struct ctl *ctl)
{
	const struct options *options = &ctl->options;
	struct json_object *array = NULL;
	uint64_t id;
	char *end;
	int i;

	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "deleted", array);
	}
	for (i = 0; i < options->nr_words; i++) {
		const char *word = options->words[i];

		if (!strcmp(word, "all")) {
			del_all(ctl, array);
			continue;
		}
		errno = 0;
		id = strtoull(word, &end, 10);
		if (*word < '0' || *word > '9' || *end || errno)
			report_error(ctl, NULL, 0, EXIT_USAGE,
				     "'%s' is no number of a rule, and not 'all'", word);
		else
			del(ctl, array, id);
	}
}

/* "user rt, program 254:0 1234" */
static void text_matches(char *buf, size_t room, const struct memlockd_rule_row *row)
{
	char user[64];
	size_t len = 0;

	snprintf(buf, room, "all");
	if (row->match & MEMLOCKD_MATCH_EXECUTABLE)
		len += snprintf(buf + len, room - len, "program %u:%u inode %llu", row->dev_major,
				row->dev_minor, (unsigned long long)row->inode);
	if (row->match & MEMLOCKD_MATCH_CGROUP)
		len += snprintf(buf + len, room - len, "%scgroup %llu", len ? ", " : "",
				(unsigned long long)row->cgroup);
	if (row->match & MEMLOCKD_MATCH_USER)
		len += snprintf(buf + len, room - len, "%suser %s", len ? ", " : "",
				text_user(user, sizeof(user), row->uid));
	if (row->match & MEMLOCKD_MATCH_REALTIME)
		len += snprintf(buf + len, room - len, "%srealtime", len ? ", " : "");
	if (row->match & MEMLOCKD_MATCH_IO)
		len += snprintf(buf + len, room - len, "%sI/O", len ? ", " : "");
	if (row->flags & MEMLOCKD_RULE_DEFAULT)
		snprintf(buf, room, "all others (vm.memlockd.default_state)");
	else if (row->flags & MEMLOCKD_RULE_INIT)
		snprintf(buf + len, room - len, "%sinit", len ? ", " : "all, ");
}

static void add_line(struct table *table, const struct memlockd_rule_row *row)
{
	char text[256], asker[64];

	table_line(table);
	table_cell(table, ID, "%llu", (unsigned long long)row->id);
	table_cell(table, PRIORITY, "%d", row->priority);
	text_matches(text, sizeof(text), row);
	table_cell(table, FOR, "%s", text);
	table_cell(table, STATE, "%s", text_state(row->state));
	text_mode(text, sizeof(text), row->lock_flags);
	table_cell(table, FLAGS, "%s%s%s", *text || !(row->flags & MEMLOCKD_RULE_KILL) ? "" : "kill",
		   *text ? text : row->flags & MEMLOCKD_RULE_KILL ? "" : "-",
		   *text && (row->flags & MEMLOCKD_RULE_KILL) ? "|kill" : "");
	table_cell(table, ON, "%s",
		   text_bits(text, sizeof(text), row->events, ",", memlockd_rule_event_name));
	table_cell(table, MATCHED, "%llu", (unsigned long long)row->matched);
	table_cell(table, FAILED, "%llu", (unsigned long long)row->failed);
	table_cell(table, MISSED, "%llu", (unsigned long long)row->missed);
	text_user(text, sizeof(text), row->adder_uid);
	if (row->pid) {
		target_name(row->pid, asker, sizeof(asker));
		table_cell(table, BY, "%s (PID %d), user %s", asker, row->pid, text);
	} else {
		table_cell(table, BY, "user %s", text);
	}
}

static void add_rule(struct json_object *array, const struct memlockd_rule_row *row)
{
	struct json_object *object = json_object_new_object();
	char device[32];

	json_number(object, "id", row->id);
	json_object_object_add(object, "priority", json_object_new_int(row->priority));
	json_bits(object, "match", row->match, memlockd_match_name);
	if (row->match & MEMLOCKD_MATCH_EXECUTABLE) {
		snprintf(device, sizeof(device), "%u:%u", row->dev_major, row->dev_minor);
		json_string(object, "device", device);
		json_number(object, "inode", row->inode);
	}
	if (row->match & MEMLOCKD_MATCH_CGROUP)
		json_number(object, "cgroup", row->cgroup);
	if (row->match & MEMLOCKD_MATCH_USER)
		json_number(object, "uid", row->uid);
	json_bits(object, "events", row->events, memlockd_rule_event_name);
	json_bits(object, "rule_flags", row->flags, memlockd_rule_flag_name);
	json_string(object, "state", memlockd_state_name(row->state));
	json_flags(object, row->lock_flags);
	json_number(object, "matched", row->matched);
	json_number(object, "failed", row->failed);
	json_number(object, "missed", row->missed);
	json_number(object, "last_errno", row->last_error);
	json_string(object, "last_limit", memlockd_limit_name(row->last_limit));
	json_number(object, "adder_pid", row->pid);
	json_number(object, "adder_uid", row->adder_uid);
	json_object_array_add(array, object);
}

static int by_priority(const void *a, const void *b)
{
	const struct memlockd_rule_row *one = a, *two = b;
	bool last = one->flags & MEMLOCKD_RULE_DEFAULT;

	if (last != !!(two->flags & MEMLOCKD_RULE_DEFAULT))
		return last ? 1 : -1;
	if (one->priority != two->priority)
		return one->priority < two->priority ? -1 : 1;
	return one->id < two->id ? -1 : one->id > two->id;
}

void rule_list_run(struct ctl *ctl)
{
	struct memlockd_rule_row *rows;
	struct json_object *array;
	struct table *table;
	ssize_t nr, i;

	nr = memlockd_read_rules(ctl->dev, &rows, sizeof(*rows));
	if (nr < 0) {
		report_failure(ctl, NULL, nr);
		return;
	}
	/* In the order in which they are looked at. */
	qsort(rows, nr, sizeof(*rows), by_priority);
	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "rules", array);
		for (i = 0; i < nr; i++)
			add_rule(array, &rows[i]);
	} else if (nr) {
		table = table_new(ctl, IN_TABLE, term_width(STDOUT_FILENO));
		for (i = 0; i < nr; i++)
			add_line(table, &rows[i]);
		table_print(table, 0, TABLE_END);
	} else if (!ctl->options.no_headings) {
		puts("there are no rules");
	}
	free(rows);
}

/* ---- files ---- */

#define RULES_DIR	"/etc/memlockd/rules.d"

/* Words of a line, with "rule" in front and NULL behind. */
#define MAX_WORDS	32

/**
 * struct loaded - a rule of a file
 * @next: the next one
 * @options: what its line says
 * @words: its words, with "--" in front of each
 * @where: the file and the number of the line
 */
struct loaded {
	struct loaded *next;
	struct options options;
	char *words[MAX_WORDS + 2];
	char where[PATH_MAX + 16];
};

/* A line such as "superlock user=rt"; nothing for an empty one. */
static struct loaded *read_line(struct ctl *ctl, const char *path, unsigned int nr, char *text)
{
	struct loaded *rule;
	char *word, *rest;
	int i = 0;

	text[strcspn(text, "#\n")] = '\0';
	word = strtok_r(text, " \t", &rest);
	if (!word)
		return NULL;
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		no_memory();
	snprintf(rule->where, sizeof(rule->where), "%s:%u", path, nr);
	rule->words[i++] = (char *)"rule";
	for (; word; word = strtok_r(NULL, " \t", &rest)) {
		if (i > MAX_WORDS) {
			report_error(ctl, NULL, 0, EXIT_USAGE, "%s: more than %d words",
				     rule->where, MAX_WORDS);
			report_end(ctl);
			exit(EXIT_USAGE);
		}
		if (asprintf(&rule->words[i++], "--%s", word) < 0)
			no_memory();
	}
	options_parse_line(ctl, command_find("rule add"), rule->where, &rule->options, i,
			   rule->words);
	return rule;
}

/* Adds the rules of a file to the end of a list. */
static bool read_file(struct ctl *ctl, const char *path, struct loaded ***end)
{
	FILE *file = fopen(path, "re");
	unsigned int nr = 0;
	char *text = NULL;
	size_t room = 0;

	if (!file) {
		report_error(ctl, NULL, -errno, EXIT_FAILED, "%s: %s", path, strerror(errno));
		return false;
	}
	while (getline(&text, &room, file) >= 0) {
		**end = read_line(ctl, path, ++nr, text);
		if (**end)
			*end = &(**end)->next;
	}
	free(text);
	fclose(file);
	return true;
}

static int is_rules_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 6 &&
	       !strcmp(entry->d_name + len - 6, ".rules");
}

/* A file, or the files of a directory whose names end in .rules, in the order of these. */
static bool read_path(struct ctl *ctl, const char *path, struct loaded ***end)
{
	struct dirent **entries;
	char name[PATH_MAX];
	struct stat stat_of;
	bool good = true;
	int i, nr;

	if (stat(path, &stat_of) || !S_ISDIR(stat_of.st_mode))
		return read_file(ctl, path, end);
	nr = scandir(path, &entries, is_rules_file, alphasort);
	if (nr < 0) {
		report_error(ctl, NULL, -errno, EXIT_FAILED, "%s: %s", path, strerror(errno));
		return false;
	}
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		good &= read_file(ctl, name, end);
		free(entries[i]);
	}
	free(entries);
	return good;
}

/* All files are read before the first rule is added, so that a mistake in one adds nothing. */
void rule_load_run(struct ctl *ctl)
{
	const struct options *options = &ctl->options;
	struct loaded *first = NULL, **end = &first, *rule;
	struct json_object *array = NULL;
	struct memlockd_rule added;
	bool good = true;
	int i;

	for (i = 0; i < options->nr_words; i++)
		good &= read_path(ctl, options->words[i], &end);
	if (!options->nr_words)
		good = read_path(ctl, RULES_DIR, &end);
	if (ctl->doc) {
		array = json_object_new_array();
		json_object_object_add(ctl->doc, "added", array);
	}
	while ((rule = first)) {
		if (good && add(ctl, &rule->options, &added)) {
			if (array)
				json_object_array_add(array, json_object_new_int64(added.out_id));
			else if (report_text(ctl))
				printf("%s: rule %llu\n", rule->where,
				       (unsigned long long)added.out_id);
		} else if (good) {
			report_error(ctl, NULL, 0, EXIT_FAILED, "%s: no rule has been added for this line",
				     rule->where);
		}
		first = rule->next;
		options_free(&rule->options);
		for (i = 1; rule->words[i]; i++)
			free(rule->words[i]);
		free(rule);
	}
}

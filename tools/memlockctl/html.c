// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl report: what a process has, the page faults that it takes for a while, and what to
 * do about that, as one HTML file that needs no other
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "memlockctl.h"

/* More faults than these are counted, and not looked at. */
#define MAX_FAULTS	65536
#define AT_ONCE		64
/* Bars of the plot, and its size. */
#define BUCKETS		60
#define PLOT_WIDTH	720
#define PLOT_HEIGHT	160
#define BAR_WIDTH	240
/* So many addresses are named that have faulted. */
#define MAX_PLACES	20

/**
 * struct record - what has happened while it was looked at
 * @faults: the faults, in the order in which they were told
 * @nr: how many
 * @lost: and how many more there were
 * @begin: CLOCK_BOOTTIME in nanoseconds
 * @end: likewise
 * @ended: what has become of the process, or of its lock; NULL: nothing
 */
struct record {
	struct memlockd_event *faults;
	size_t nr;
	uint64_t lost;
	uint64_t begin;
	uint64_t end;
	const char *ended;
};

/* A mapping, or, where that is not known, a page, in which there were faults. */
struct place {
	const struct map *map;
	uint64_t page;
	unsigned int minor;
	unsigned int major;
	const struct memlockd_event *last;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void note(struct record *record, const struct memlockd_event *event)
{
	switch (event->kind) {
	case MEMLOCKD_EVENT_FAULT:
		if (record->nr < MAX_FAULTS)
			record->faults[record->nr++] = *event;
		else
			record->lost++;
		break;
	case MEMLOCKD_EVENT_LOST:
		record->lost += event->count;
		break;
	case MEMLOCKD_EVENT_UNLOCKED:
		record->ended = "it was unlocked";
		break;
	case MEMLOCKD_EVENT_EXECED:
		record->ended = "it executed another program";
		break;
	case MEMLOCKD_EVENT_EXITED:
		record->ended = "it ended";
		break;
	}
}

/* Reads events until @record->end; 0, or an error. */
static int watch_for(struct ctl *ctl, const struct target *target, struct record *record)
{
	struct pollfd pollfds[] = {
		{ .fd = memlockd_fd(ctl->dev), .events = POLLIN },
		{ .fd = target->pidfd, .events = POLLIN },
	};
	struct memlockd_event events[AT_ONCE];
	struct timespec left;
	uint64_t time;
	ssize_t nr, i;
	sigset_t none;

	sigemptyset(&none);
	while (!signals_caught() && !record->ended) {
		time = now();
		if (time >= record->end)
			return 0;
		left.tv_sec = (record->end - time) / 1000000000;
		left.tv_nsec = (record->end - time) % 1000000000;
		if (ppoll(pollfds, ARRAY_SIZE(pollfds), &left, &none) < 0)
			continue;
		while ((nr = memlockd_read_events(ctl->dev, events, AT_ONCE,
						  sizeof(events[0]))) > 0)
			for (i = 0; i < nr; i++)
				note(record, &events[i]);
		if (nr != -EAGAIN && nr != -EINTR)
			return nr;
		if (pollfds[1].revents && !record->ended)
			record->ended = "it ended";
	}
	record->end = now();
	return 0;
}

/* What the process does from now on, until the time is over, or a signal or its end comes. */
static int observe(struct ctl *ctl, const struct target *target, struct record *record)
{
	const unsigned int kinds = MEMLOCKD_EVENT_FAULT | MEMLOCKD_EVENT_UNLOCKED |
				   MEMLOCKD_EVENT_EXECED | MEMLOCKD_EVENT_EXITED;
	sigset_t before;
	int err;

	record->faults = calloc(MAX_FAULTS, sizeof(*record->faults));
	if (!record->faults)
		return -ENOMEM;
	fcntl(memlockd_fd(ctl->dev), F_SETFL, O_NONBLOCK);
	err = memlockd_subscribe(ctl->dev, target_process(target), kinds,
				 sizeof(record->faults[0]));
	if (err)
		return err;
	record->begin = now();
	record->end = record->begin + ctl->options.period * 1000000ULL;
	signals_catch(&before);
	err = watch_for(ctl, target, record);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* Text that may have any character in it. */
static void put(const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", stdout);
		else if (*text == '>')
			fputs("&gt;", stdout);
		else if (*text == '&')
			fputs("&amp;", stdout);
		else if (*text == '"')
			fputs("&quot;", stdout);
		else if (*(unsigned char *)text < ' ')
			putchar('?');
		else
			putchar(*text);
	}
}

static void print_start(const struct target *target)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
	      stdout);
	put(target->name);
	printf(" (%d): locked memory</title>\n", target->pid);
	fputs("<style>\n"
	      ":root { color-scheme: light dark; --pinned: #2a7; --present: #c90; --neither: #8884;\n"
	      "  --major: #d33; --minor: #38c; }\n"
	      "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;\n"
	      "  padding: 0 1rem; }\n"
	      "table { border-collapse: collapse; width: 100%; }\n"
	      "th, td { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #8884;\n"
	      "  vertical-align: top; }\n"
	      ".n { text-align: right; white-space: nowrap; }\n"
	      ".good { border-left: .4rem solid var(--pinned); padding-left: 1rem; }\n"
	      ".bad { border-left: .4rem solid var(--major); padding-left: 1rem; }\n"
	      ".scroll { overflow-x: auto; }\n"
	      "svg { max-width: 100%; } svg text { font: .75rem system-ui, sans-serif;\n"
	      "  fill: currentColor; }\n"
	      ".pinned { fill: var(--pinned); } .present { fill: var(--present); }\n"
	      ".neither { fill: var(--neither); }\n"
	      ".minor { fill: var(--minor); } .major { fill: var(--major); }\n"
	      "</style>\n</head>\n<body>\n", stdout);
}

static bool watched(const struct memlockd_status *status)
{
	return status->out_state == MEMLOCKD_STATE_SUPERLOCKED &&
	       !(status->out_warnings & MEMLOCKD_WARNING_NO_GUARD);
}

/* The sentence that one reads first. */
static void print_verdict(const struct memlockd_status *status, const struct sizes *sizes,
			  const struct record *record)
{
	uint64_t faults = record->nr + record->lost;
	char time[16];

	text_duration(time, sizeof(time), record->end - record->begin);
	printf("<p class=\"%s\">", faults || sizes->incomplete || !watched(status) ? "bad" : "good");
	if (status->out_state != MEMLOCKD_STATE_SUPERLOCKED)
		fputs("It is not superlocked: page faults are to be expected, and were not watched.",
		      stdout);
	else if (!watched(status))
		fputs("Its page faults cannot be watched on this kernel.", stdout);
	else if (faults)
		printf("It took <strong>%s</strong> in %s, of which a superlock promises none.",
		       count_text(faults, "page fault"), time);
	else
		printf("It took no page fault in %s.", time);
	if (sizes->incomplete)
		printf(" <strong>%s</strong> %s less than the lock promises.",
		       count_text(sizes->incomplete, "mapping"),
		       sizes->incomplete == 1 ? "has" : "have");
	else if (status->out_state != MEMLOCKD_STATE_UNLOCKED)
		fputs(" All of its mappings have what the lock promises.", stdout);
	if (record->ended)
		printf(" Then %s.", record->ended);
	fputs("</p>\n", stdout);
}

static void print_fact(const char *what, const char *is)
{
	printf("<tr><th scope=\"row\">%s</th><td>", what);
	put(is);
	fputs("</td></tr>\n", stdout);
}

static void print_facts(const struct target *target, const struct memlockd_status *status,
			const struct sizes *sizes, const struct record *record)
{
	char text[192], flags[64];
	struct utsname uts;

	fputs("<table>\n", stdout);
	snprintf(text, sizeof(text), "%s (PID %d)", target->name, target->pid);
	print_fact("Process", text);
	text_mode(flags, sizeof(flags), status->out_lock_flags);
	snprintf(text, sizeof(text), "%s %s", text_state(status->out_state), flags);
	print_fact("State", text);
	if (status->out_state != MEMLOCKD_STATE_UNLOCKED)
		print_fact("Locked since",
			   text_time(text, sizeof(text), status->out_lock_time_ns));
	print_fact("Looked at", text_time(text, sizeof(text), record->begin));
	print_fact("Kept in memory", size_text(sizes->kept));
	print_fact("Pinned", size_text(status->out_pinned));
	print_fact("RLIMIT_MEMLOCK", size_text(status->out_memlock_limit));
	if (watched(status)) {
		snprintf(text, sizeof(text), "%llu minor, %llu major",
			 (unsigned long long)status->out_real_minor_faults,
			 (unsigned long long)status->out_real_major_faults);
		print_fact("Faults since the lock", text);
	}
	if (!uname(&uts)) {
		snprintf(text, sizeof(text), "%s %s", uts.sysname, uts.release);
		print_fact("Kernel", text);
	}
	print_fact("memlockctl", MEMLOCKD_VERSION);
	fputs("</table>\n", stdout);
}

/* The largest of the plot's bars, and all of them. */
static unsigned int count_buckets(const struct record *record,
				  unsigned int buckets[BUCKETS][2])
{
	uint64_t length = record->end - record->begin;
	unsigned int most = 0;
	size_t i;

	for (i = 0; i < record->nr; i++) {
		const struct memlockd_event *fault = &record->faults[i];
		uint64_t since = fault->time_ns > record->begin ?
				 fault->time_ns - record->begin : 0;
		size_t bucket = length ? since * BUCKETS / length : 0;

		if (bucket >= BUCKETS)
			bucket = BUCKETS - 1;
		buckets[bucket][!!(fault->flags & MEMLOCKD_FAULT_MAJOR)]++;
	}
	for (i = 0; i < BUCKETS; i++)
		if (buckets[i][0] + buckets[i][1] > most)
			most = buckets[i][0] + buckets[i][1];
	return most;
}

static void print_bar(const char *class, unsigned int x, double y, double height)
{
	if (height > 0)
		printf("<rect class=\"%s\" x=\"%u\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
		       class, x, y, PLOT_WIDTH / BUCKETS - 1, height);
}

/* A square of a colour, and what that stands for. */
static void print_key(const char *class)
{
	printf("<svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"%s\" width=\"12\" height=\"12\"/></svg> %s\n",
	       class, class);
}

static void print_plot(const struct record *record)
{
	unsigned int buckets[BUCKETS][2] = {}, most = count_buckets(record, buckets);
	char time[16];
	size_t i;

	text_duration(time, sizeof(time), record->end - record->begin);
	printf("<svg viewBox=\"-40 -14 %d %d\" role=\"img\" aria-label=\"Page faults over %s, at most %u in a sixtieth of that\">\n",
	       PLOT_WIDTH + 50, PLOT_HEIGHT + 40, time, most);
	for (i = 0; most && i < BUCKETS; i++) {
		double minor = (double)buckets[i][0] * PLOT_HEIGHT / most;
		double major = (double)buckets[i][1] * PLOT_HEIGHT / most;
		unsigned int x = i * (PLOT_WIDTH / BUCKETS);

		print_bar("minor", x, PLOT_HEIGHT - minor, minor);
		print_bar("major", x, PLOT_HEIGHT - minor - major, major);
	}
	printf("<path d=\"M0 0V%d H%d\" fill=\"none\" stroke=\"currentColor\"/>\n", PLOT_HEIGHT,
	       PLOT_WIDTH);
	printf("<text x=\"-6\" y=\"8\" text-anchor=\"end\">%u</text>\n", most);
	printf("<text x=\"-6\" y=\"%d\" text-anchor=\"end\">0</text>\n", PLOT_HEIGHT);
	printf("<text x=\"0\" y=\"%d\">0 s</text>\n", PLOT_HEIGHT + 18);
	printf("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n</svg>\n", PLOT_WIDTH,
	       PLOT_HEIGHT + 18, time);
	fputs("<p>\n", stdout);
	print_key("minor");
	print_key("major");
	fputs("</p>\n", stdout);
}

static const struct map *find_map(const struct maps *maps, uint64_t address)
{
	size_t i;

	for (i = 0; i < maps->nr; i++)
		if (address >= maps->list[i].row.start && address < maps->list[i].row.end)
			return &maps->list[i];
	return NULL;
}

/* Of each place with faults one, those with the most of them first; returns how many. */
static size_t find_places(const struct record *record, const struct maps *maps,
			  struct place places[MAX_PLACES], uint64_t *others)
{
	size_t i, j, nr = 0;

	*others = 0;
	for (i = 0; i < record->nr; i++) {
		const struct memlockd_event *fault = &record->faults[i];
		const struct map *map = find_map(maps, fault->address);
		uint64_t page = map ? map->row.start : fault->address & -(uint64_t)getpagesize();

		for (j = 0; j < nr && places[j].page != page; j++)
			;
		if (j == MAX_PLACES) {
			++*others;
			continue;
		}
		if (j == nr)
			places[nr++] = (struct place){ .map = map, .page = page };
		places[j].minor += !(fault->flags & MEMLOCKD_FAULT_MAJOR);
		places[j].major += !!(fault->flags & MEMLOCKD_FAULT_MAJOR);
		places[j].last = fault;
	}
	return nr;
}

static int by_faults(const void *a, const void *b)
{
	const struct place *p = a, *q = b;
	unsigned int m = p->minor + p->major, n = q->minor + q->major;

	return m == n ? 0 : m > n ? -1 : 1;
}

static const char *name_of(const struct map *map)
{
	if (!map)
		return "not mapped any more";
	return map->name ? map->name : "private memory without a name";
}

static void print_places(const struct record *record, const struct maps *maps)
{
	struct place places[MAX_PLACES];
	uint64_t others;
	size_t nr, i;

	nr = find_places(record, maps, places, &others);
	qsort(places, nr, sizeof(places[0]), by_faults);
	fputs("<div class=\"scroll\"><table>\n<tr><th>Where</th><th class=\"n\">Minor</th>\n"
	      "<th class=\"n\">Major</th><th>The last</th></tr>\n", stdout);
	for (i = 0; i < nr; i++) {
		const struct memlockd_event *last = places[i].last;

		fputs("<tr><td>", stdout);
		put(name_of(places[i].map));
		printf("</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td>a %s",
		       places[i].minor, places[i].major, text_access(last->flags));
		if (!(last->flags & MEMLOCKD_FAULT_HIDDEN))
			printf(" at 0x%llx by 0x%llx", (unsigned long long)last->address,
			       (unsigned long long)last->ip);
		printf(" of thread %d</td></tr>\n", last->tid);
	}
	fputs("</table></div>\n", stdout);
	if (others)
		printf("<p>And %s elsewhere.</p>\n", count_text(others, "fault"));
	if (record->lost)
		printf("<p>%s more came too fast to be looked at.</p>\n",
		       count_text(record->lost, "fault"));
}

static void print_faults(const struct memlockd_status *status, const struct record *record,
			 const struct maps *maps)
{
	if (!watched(status))
		return;
	fputs("<h2>Page faults</h2>\n", stdout);
	if (!record->nr) {
		fputs("<p>None.</p>\n", stdout);
		return;
	}
	print_plot(record);
	print_places(record, maps);
}

/* A bar as wide as its share of the largest one. */
static void print_share(const struct memlockd_mapping *row, uint64_t most)
{
	double scale = most ? (double)BAR_WIDTH / most : 0;
	double all = (row->end - row->start) * scale;
	double resident = row->resident * scale, pinned = row->pinned * scale;

	printf("<svg width=\"%d\" height=\"12\" viewBox=\"0 0 %d 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\n"
	       "<rect class=\"neither\" width=\"%.1f\" height=\"12\"/>\n"
	       "<rect class=\"present\" width=\"%.1f\" height=\"12\"/>\n"
	       "<rect class=\"pinned\" width=\"%.1f\" height=\"12\"/></svg>",
	       BAR_WIDTH, BAR_WIDTH, all, resident, pinned);
}

static void print_cells(const struct map *map)
{
	const struct memlockd_mapping *row = &map->row;

	printf("<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td>%s</td><td>",
	       size_text(row->end - row->start), size_text(row->resident), size_text(row->pinned),
	       text_state(row->state));
	if (map->less)
		fputs("<strong>", stdout);
	put(map->why);
	if (map->less)
		fputs("</strong>", stdout);
	fputs("</td></tr>\n", stdout);
}

#define CELLS	"<th class=\"n\">Size</th><th class=\"n\">Resident</th><th class=\"n\">Pinned</th>\n" \
		"<th>State</th><th>Why not more</th></tr>\n"

static void print_kinds(const struct maps *sums)
{
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < sums->nr; i++)
		if (sums->list[i].row.end - sums->list[i].row.start > most)
			most = sums->list[i].row.end - sums->list[i].row.start;
	fputs("<h2>Address space</h2>\n<p>\n", stdout);
	print_key("pinned");
	print_key("present");
	print_key("neither");
	fputs("</p>\n<div class=\"scroll\"><table>\n<tr><th>What</th><th></th>\n" CELLS, stdout);
	for (i = 0; i < sums->nr; i++) {
		printf("<tr><td>%s, %s</td><td>", maps_kind(sums->list[i].row.kind),
		       count_text(sums->list[i].nr, "mapping"));
		print_share(&sums->list[i].row, most);
		fputs("</td>", stdout);
		print_cells(&sums->list[i]);
	}
	fputs("</table></div>\n", stdout);
}

static void print_mappings(const struct maps *maps)
{
	char prot[4];
	size_t i;

	printf("<details><summary>All %s</summary>\n<div class=\"scroll\"><table>\n",
	       count_text(maps->nr, "mapping"));
	fputs("<tr><th>Address</th><th>Access</th><th>What</th>\n" CELLS, stdout);
	for (i = 0; i < maps->nr; i++) {
		const struct map *map = &maps->list[i];

		maps_prot(prot, map->row.prot);
		if (maps->hidden)
			fputs("<tr><td>-</td>", stdout);
		else
			printf("<tr><td>%012llx</td>", (unsigned long long)map->row.start);
		printf("<td>%s</td><td>", prot);
		put(map->name ? map->name : maps_kind(map->row.kind));
		fputs("</td>", stdout);
		print_cells(map);
	}
	fputs("</table></div></details>\n", stdout);
}

/* What can be done about a reason; NULL: nothing that is ours to say. */
static const char *advice(unsigned int reason)
{
	static const char *const texts[] = {
		[MEMLOCKD_REASON_NOT_COVERED] = "Lock the whole of it, with what it maps later: memlockctl superlock PID.",
		[MEMLOCKD_REASON_DROPPED] = "The process has undone that itself, with munlock or mremap. memlockctl sync PID locks it again; better, it does not do so.",
		[MEMLOCKD_REASON_DEVICE] = "Whether an access faults is up to the driver: ask its maintainers whether it maps all pages at mmap.",
		[MEMLOCKD_REASON_DAX] = "The file lies in persistent memory. Map it with MAP_SYNC, or keep it on another file system.",
		[MEMLOCKD_REASON_DROPPABLE] = "The program has asked the kernel for memory that may be lost (MAP_DROPPABLE): nothing keeps that.",
		[MEMLOCKD_REASON_USERFAULTFD] = "A userfaultfd monitor decides when these pages come: it has to put them in before they are needed.",
		[MEMLOCKD_REASON_END_OF_FILE] = "The mapping is longer than its file; an access behind its end is a SIGBUS. Map no more than there is.",
		[MEMLOCKD_REASON_WRITEBACK] = "Each writeback write-protects the file's pages. Keep what is written often in shared memory (memfd_create, tmpfs) and copy it out in another process; or lock with --heal, if it is written to now and then.",
		[MEMLOCKD_REASON_SHARED] = "A server has the file (FUSE, NFS): copy it to a local file system. Until then vm.compact_unevictable_allowed=0 makes migrations rare.",
		[MEMLOCKD_REASON_NOT_PRESENT] = "memlockctl sync PID. If that does not help, the page cannot be read: an I/O error, poisoned memory, a file that was truncated.",
		[MEMLOCKD_REASON_NOT_PINNED] = "memlockctl sync PID. If that does not help, it is a part of a huge page beyond RLIMIT_MEMLOCK.",
		[MEMLOCKD_REASON_LIMIT] = "Raise its RLIMIT_MEMLOCK: memlockctl superlock --raise-limit PID, or LimitMEMLOCK=infinity in its unit.",
		[MEMLOCKD_REASON_SERVER] = "The server of its file system did not answer. memlockctl sync PID asks again; better, copy the file to a local file system.",
	};

	return reason < ARRAY_SIZE(texts) ? texts[reason] : NULL;
}

static void print_advice(const struct maps *sums)
{
	bool said[64] = {}, any = false;
	size_t i;

	for (i = 0; i < sums->nr; i++) {
		unsigned int reason = sums->list[i].row.reason;

		if (!sums->list[i].less || reason >= ARRAY_SIZE(said) || said[reason] ||
		    !advice(reason))
			continue;
		if (!any)
			fputs("<h2>What to do</h2>\n<ul>\n", stdout);
		any = true;
		said[reason] = true;
		fputs("<li><strong>", stdout);
		put(memlockd_reason_text(reason));
		fputs("</strong>: ", stdout);
		put(advice(reason));
		fputs("</li>\n", stdout);
	}
	if (any)
		fputs("</ul>\n", stdout);
}

/* Of each kind, state and reason one. */
static struct maps sums_of(const struct maps *maps)
{
	struct maps sums = { .nr = maps->nr, .hidden = maps->hidden };
	size_t i;

	sums.list = calloc(maps->nr + 1, sizeof(*sums.list));
	if (!sums.list)
		no_memory();
	for (i = 0; i < maps->nr; i++) {
		sums.list[i] = maps->list[i];
		sums.list[i].name = NULL;
	}
	maps_sum_up(&sums);
	return sums;
}

static void print_report(const struct target *target, const struct memlockd_status *status,
			 const struct maps *maps, const struct record *record)
{
	struct sizes sizes = maps_sizes_of(maps);
	struct maps sums = sums_of(maps);

	print_start(target);
	fputs("<h1>", stdout);
	put(target->name);
	fputs("</h1>\n", stdout);
	print_verdict(status, &sizes, record);
	print_facts(target, status, &sizes, record);
	print_faults(status, record, maps);
	print_advice(&sums);
	print_kinds(&sums);
	print_mappings(maps);
	fputs("</body>\n</html>\n", stdout);
	maps_free(&sums);
}

/* What it has; 0, or an error, and @status and @maps are what they were. */
static int look(struct ctl *ctl, const struct target *target, struct memlockd_status *status,
		struct maps *maps)
{
	struct memlockd_status new_status;
	struct maps new_maps;
	int err = maps_read(ctl, target, &new_status, &new_maps);

	if (err)
		return err;
	maps_free(maps);
	*status = new_status;
	*maps = new_maps;
	return 0;
}

static void report_target(struct ctl *ctl, const struct target *target)
{
	struct memlockd_status status;
	struct record record = {};
	struct maps maps = {};
	int err;

	err = look(ctl, target, &status, &maps);
	if (!err)
		err = observe(ctl, target, &record);
	/* What it has by then, unless it is not there any more. */
	if (!err && !record.ended)
		look(ctl, target, &status, &maps);
	if (err)
		report_failure(ctl, target, err);
	else
		print_report(target, &status, &maps, &record);
	maps_free(&maps);
	free(record.faults);
}

void html_run(struct ctl *ctl)
{
	struct targets targets;

	targets_select(ctl, &targets);
	if (targets.nr)
		report_target(ctl, &targets.list[0]);
	targets_free(&targets);
}

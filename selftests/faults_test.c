// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault table: the page faults that a process takes when it touches all it
 * has, by kind of mapping, by what the machine does meanwhile, and by lock.
 *
 * For each stressor there is a fresh process per lock, all with the same
 * mappings, and all suffer the same stress at the same time.  The unlocked one
 * is the control: unless it faults, a stressor has shown nothing.
 *
 * Without arguments: the locks that the promise is about, one test a stressor.
 * With --table: all locks, the numbers as a table, and as JSON with --json FILE.
 * --only STRESSOR takes one of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "stress.h"

#define LEN		MIB		/* of most mappings */
#define STACK_LEN	(256 * KIB)
#define HUGE_PAGES	(2 * LOCKS * (1 + CHILDREN))

static const struct {
	const char *name;
	int state;		/* 0: not by the device */
	int flags;
	bool in_short_form;
} locks[LOCKS] = {
	[NONE] = { .name = "none", .in_short_form = true },
	[MLOCKALL] = { .name = "mlockall", .in_short_form = true },
	[MOVABLE] = { "locked-movable", MEMLOCKD_STATE_LOCKED, LIKE_MLOCKALL, false },
	[LOCKED] = { "locked", MEMLOCKD_STATE_LOCKED, CURRENT_FUTURE, false },
	[SUPERLOCKED] = { "superlocked", MEMLOCKD_STATE_SUPERLOCKED, CURRENT_FUTURE, true },
};

static const struct {
	const char *name;
	bool written;
} rows[ROWS] = {
	[ROW_HEAP] = { "heap", true },
	[ROW_THP_HEAP] = { "thp-heap", true },
	[ROW_LIBRARY] = { "library-text", false },
	[ROW_FILE_RO] = { "private-file-ro", false },
	[ROW_FILE_RW] = { "private-file-rw", true },
	[ROW_TMPFS] = { "tmpfs", true },
	[ROW_SHARED_ANON] = { "shared-anon", true },
	[ROW_MEMFD] = { "memfd", true },
	[ROW_HUGETLB] = { "hugetlb", true },
	[ROW_SHARED_RO] = { "shared-file-ro", false },
	[ROW_SHARED_RW] = { "shared-file-rw", true },
	[ROW_STACK] = { "stack", true },
	[ROW_THREAD_STACK] = { "thread-stack", true },
	[ROW_NEW_MMAP] = { "new-mmap", true },
	[ROW_NEW_BRK] = { "new-brk", true },
	[ROW_NEW_MREMAP] = { "new-mremap", true },
	[ROW_NEW_MPROTECT] = { "new-mprotect", true },
};

static struct options {
	bool table;
	const char *json;
	const char *only;
} options;

/* ---- in the target ---- */

static struct memory own[ROWS];		/* the target's own copy: private memory */

static void count_touch(const struct memory *memory, bool write, struct cell *cell)
{
	volatile char *p = (volatile char *)memory->addr;
	unsigned long i, len = memory->len, step = PAGE;
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < len; i += step) {
		if (write)
			p[i] = 1;
		else
			(void)p[i];
	}
	getrusage(RUSAGE_SELF, &after);
	cell->minor += after.ru_minflt - before.ru_minflt;
	cell->major += after.ru_majflt - before.ru_majflt;
}

/* Touch everything once, or (@again) until told to stop. */
static long do_touch(long lock, long again, long c)
{
	struct cell cells[ROWS], own_path = {};
	struct memory nothing = {};
	unsigned int i;

	memcpy(cells, sheet->cells[lock], sizeof(cells));
	/* The code and the stack that counting takes are not to be counted. */
	count_touch(&nothing, false, &own_path);
	do {
		for (i = 0; i < ROWS; i++)
			count_touch(&own[i], rows[i].written, &cells[i]);
		memcpy(sheet->cells[lock], cells, sizeof(cells));
		__atomic_add_fetch(&sheet->rounds[lock], 1, __ATOMIC_SEQ_CST);
	} while (again && !__atomic_load_n(&sheet->stop, __ATOMIC_SEQ_CST));
	return 0;
}

static struct memory map(unsigned long len, int prot, int flags, int fd)
{
	void *addr = mmap(NULL, len, prot, flags, fd, 0);

	return addr == MAP_FAILED ? (struct memory){} : (struct memory){ (unsigned long)addr, len };
}

static struct memory map_anon(unsigned long len, int prot, int flags)
{
	return map(len, prot, flags | MAP_ANONYMOUS, -1);
}

/* A file of our own in @dir, without a name, and clean: what is dirty cannot be dropped. */
static int make_file(char *path, int source)
{
	static char buf[64 * KIB];
	int fd = mkstemp(path);
	unsigned long left;
	ssize_t nr = 1;

	if (fd < 0)
		return -1;
	memset(buf, 0x5a, sizeof(buf));
	for (left = LEN; nr > 0 && (source >= 0 || left); left -= nr) {
		nr = source < 0 ? (ssize_t)sizeof(buf) : read(source, buf, sizeof(buf));
		if (nr > 0 && write(fd, buf, nr) != nr)
			nr = -1;
	}
	fsync(fd);
	return fd;
}

static struct memory map_file(const char *dir, int prot, int flags)
{
	char path[64];
	struct memory memory;
	int fd;

	snprintf(path, sizeof(path), "%s/memlockd-XXXXXX", dir);
	fd = make_file(path, -1);
	if (fd < 0)
		return (struct memory){};
	unlink(path);
	memory = map(LEN, prot, flags, fd);
	close(fd);
	return memory;
}

static struct memory map_memfd(void)
{
	int fd = memfd_create("memlockd", MFD_CLOEXEC);
	struct memory memory;

	if (fd < 0 || ftruncate(fd, LEN))
		return (struct memory){};
	memory = map(LEN, RW, MAP_SHARED, fd);
	close(fd);
	return memory;
}

static struct memory map_huge(enum special special)
{
	unsigned long size = 2 * MIB, len = 2 * size;
	struct memory memory = map_anon(len + size, RW, MAP_PRIVATE);

	if (access(THP("enabled"), F_OK))
		return (struct memory){};
	memory.addr = (memory.addr + size - 1) & -size;
	memory.len = len;
	madvise((void *)memory.addr, len,
		special == COLLAPSIBLE ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	return memory;
}

/* Keeps its neighbours apart: else they might merge, and a huge page serve both. */
static void fence(void)
{
	map_anon(2 * MIB, PROT_NONE, MAP_PRIVATE);
}

/* The read-only part of a library that nobody else has mapped. */
static struct memory map_library(void)
{
	char path[] = "/var/tmp/memlockd-XXXXXX";
	struct memory memory = {};
	struct vma vma, *vmas;
	void *library;
	long i, nr;
	int fd;

	library = dlopen("libm.so.6", RTLD_NOW);
	if (!library || !vma_find(getpid(), "/libm.so", "r-x", &vma))
		return memory;
	fd = open(vma.name, O_RDONLY | O_CLOEXEC);
	close(make_file(path, fd));
	close(fd);
	library = dlopen(path, RTLD_NOW);
	nr = vmas_read(getpid(), &vmas);
	for (i = 0; library && i < nr; i++) {
		if (!strstr(vmas[i].name, path) || vmas[i].perms[1] != '-' ||
		    vmas[i].perms[0] != 'r')
			continue;
		/* What the loader has relocated comes last, behind the text. */
		if (!memory.addr)
			memory.addr = vmas[i].start;
		if (vmas[i].perms[2] == 'x')
			memory.len = vmas[i].end - memory.addr;
	}
	free(vmas);
	unlink(path);
	return memory;
}

static __attribute__((noinline)) void grow_stack(void)
{
	char room[STACK_LEN];

	memset(room, 1, sizeof(room));
	/* Else the compiler leaves it out. */
	asm volatile("" : : "r"(room) : "memory");
}

/* Below everything that the stack is used for. */
static struct memory find_stack(void)
{
	struct vma vma;

	grow_stack();
	if (!vma_find(getpid(), "[stack]", "rw", &vma))
		return (struct memory){};
	return (struct memory){ vma.start, STACK_LEN / 2 };
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static struct memory find_thread_stack(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *addr;
	size_t len;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 2 * STACK_LEN);
	if (pthread_create(&thread, &attr, sleep_for_ever, NULL))
		return (struct memory){};
	pthread_getattr_np(thread, &attr);
	pthread_attr_getstack(&attr, &addr, &len);
	return (struct memory){ (unsigned long)addr, STACK_LEN };
}

/* All that is there before the lock, and all of it touched. */
static long do_setup(long lock, long special, long c)
{
	struct memory *heap = &own[ROW_HEAP];
	struct cell ignored;
	unsigned int i;

	*heap = map_anon(4 * LEN, RW, MAP_PRIVATE);
	madvise((void *)heap->addr, heap->len, MADV_NOHUGEPAGE);
	own[ROW_THP_HEAP] = map_huge(special);
	own[ROW_LIBRARY] = map_library();
	own[ROW_FILE_RO] = map_file("/var/tmp", PROT_READ, MAP_PRIVATE);
	own[ROW_FILE_RW] = map_file("/var/tmp", RW, MAP_PRIVATE);
	own[ROW_TMPFS] = map_file("/dev/shm", RW, MAP_SHARED);
	own[ROW_SHARED_ANON] = map_anon(LEN, RW, MAP_SHARED);
	own[ROW_MEMFD] = map_memfd();
	own[ROW_HUGETLB] = map_anon(2 * MIB, RW, MAP_PRIVATE | MAP_HUGETLB);
	own[ROW_SHARED_RO] = map_file("/var/tmp", PROT_READ, MAP_SHARED);
	own[ROW_SHARED_RW] = map_file("/var/tmp", RW, MAP_SHARED);
	own[ROW_STACK] = find_stack();
	own[ROW_THREAD_STACK] = find_thread_stack();
	for (i = 0; i < FIRST_NEW; i++)
		count_touch(&own[i], rows[i].written, &ignored);
	fence();
	own[ROW_NEW_MREMAP] = map_anon(LEN / 2, RW, MAP_PRIVATE);
	fence();
	own[ROW_NEW_MPROTECT] = map_anon(LEN, PROT_NONE, MAP_PRIVATE);
	fence();

	if (special == COLLAPSIBLE)
		madvise((void *)own[ROW_THP_HEAP].addr, own[ROW_THP_HEAP].len, MADV_HUGEPAGE);
	if (special == MERGEABLE) {
		/* Not like those of the others: what cannot be merged is in the way of its like. */
		memset((void *)heap->addr, 0x70 + lock, heap->len);
		madvise((void *)heap->addr, heap->len, MADV_MERGEABLE);
	}
	return 0;
}

/* All that appears after the lock, and none of it touched. */
static long do_setup_new(long lock, long b, long c)
{
	struct memory *grown = &own[ROW_NEW_MREMAP], *opened = &own[ROW_NEW_MPROTECT];
	void *addr;

	own[ROW_NEW_MMAP] = map_anon(LEN, RW, MAP_PRIVATE);
	fence();
	addr = sbrk(LEN + PAGE);
	if (addr != (void *)-1)
		own[ROW_NEW_BRK] = (struct memory){ ((unsigned long)addr + PAGE - 1) & -PAGE, LEN };
	addr = mremap((void *)grown->addr, grown->len, 3 * grown->len, MREMAP_MAYMOVE);
	*grown = addr == MAP_FAILED ? (struct memory){} :
		 (struct memory){ (unsigned long)addr, 3 * grown->len };
	fence();
	if (mprotect((void *)opened->addr, opened->len, RW))
		*opened = (struct memory){};
	memcpy(sheet->memory[lock], own, sizeof(own));
	return 0;
}

static void set_scene(struct scene *scene, const struct stressor *stressor)
{
	struct target *t;
	int i, err;

	/* The unlocked one last: its memory is where there is still room for much. */
	for (i = LOCKS - 1; i >= 0; i--) {
		if (!scene->used[i])
			continue;
		t = &scene->t[i];
		target_start(t);
		target_call(t, do_setup, i, stressor->special, 0);
		err = 0;
		if (i == MLOCKALL)
			err = target_call(t, do_mlockall, MCL_CURRENT | MCL_FUTURE, 0, 0);
		else if (i != NONE)
			err = lock_pid(scene->fd, t->pid, locks[i].state, locks[i].flags, NULL);
		if (err)
			ksft_exit_fail_msg("%s: %s\n", locks[i].name, strerror(-err));
		target_call(t, do_setup_new, i, 0, 0);
	}
}

/* ---- the events ---- */

/*
 * What the device tells of the superlocked process: how many faults in each row, and how many
 * events were lost.
 */
static struct {
	int fd;
	long told[ROWS];
	unsigned long long lost;
} watch;

static void watch_begin(const struct scene *scene)
{
	int err;

	watch.fd = device_open();
	err = watch.fd < 0 ? watch.fd :
	      events_subscribe(watch.fd, scene->t[SUPERLOCKED].pid, MEMLOCKD_EVENT_FAULT);
	if (err || fcntl(watch.fd, F_SETFL, O_NONBLOCK))
		ksft_exit_fail_msg("events: %s\n", strerror(-err));
}

static void watch_event(const struct memlockd_event *event)
{
	const struct memory *memory = sheet->memory[SUPERLOCKED];
	int i;

	if (event->kind == MEMLOCKD_EVENT_LOST)
		watch.lost += event->count;
	for (i = 0; event->kind == MEMLOCKD_EVENT_FAULT && i < ROWS; i++)
		watch.told[i] += event->address - memory[i].addr < memory[i].len;
}

static void watch_end(void)
{
	struct memlockd_event events[64];
	long i, nr;

	while ((nr = events_read(watch.fd, events, ARRAY_SIZE(events))) > 0) {
		for (i = 0; i < nr; i++)
			watch_event(&events[i]);
	}
	close(watch.fd);
}

static void clear_scene(struct scene *scene)
{
	int i, j;

	target_stop(&scene->hog);
	scene->hole.len = 0;
	for_each_lock(scene, i) {
		for (j = 0; j < CHILDREN; j++) {
			if (scene->children[i][j])
				target_call(&scene->t[i], do_reap, scene->children[i][j], 0, 0);
			scene->children[i][j] = 0;
		}
		target_stop(&scene->t[i]);
	}
}

static long pages_written(void)
{
	/* Folds what each CPU has counted by itself. */
	write_number(VM("stat_refresh"), 1);
	return read_field("/proc/vmstat", "nr_written");
}

static const char *run_once(struct scene *scene, const struct stressor *stressor)
{
	unsigned int nr_settings = sheet->nr_settings;
	const char *why_not;
	long written, ret;
	int i;

	if (stressor->prepare)
		stressor->prepare(scene);
	set_scene(scene, stressor);
	watch_begin(scene);
	written = pages_written();
	sheet->stop = false;
	if (stressor->meanwhile) {
		for_each_lock(scene, i) {
			/* What makes the stress goes first. */
			setpriority(PRIO_PROCESS, scene->t[i].pid, 19);
			target_post(&scene->t[i], do_touch, i, true, 0);
		}
		wait_for_round(scene);
	}
	why_not = stressor->run(scene);
	__atomic_store_n(&sheet->stop, true, __ATOMIC_SEQ_CST);
	for_each_lock(scene, i) {
		if (!stressor->meanwhile)
			target_call(&scene->t[i], do_touch, i, false, 0);
		else if (!target_result(&scene->t[i], &ret))
			ksft_exit_fail_msg("%s: the target died\n", locks[i].name);
	}
	scene->wrote_back |= pages_written() != written;
	watch_end();
	restore_settings(nr_settings);
	clear_scene(scene);
	return why_not;
}

/* Run it; afterwards the faults are on the sheet. */
static const char *run(struct scene *scene, const struct stressor *stressor)
{
	const char *why_not;
	bool enough;

	memset(sheet->cells, 0, sizeof(sheet->cells));
	memset(sheet->rounds, 0, sizeof(sheet->rounds));
	memset(&watch, 0, sizeof(watch));
	scene->tries = 0;
	scene->moved = 0;
	scene->wrote_back = false;
	do {
		why_not = run_once(scene, stressor);
		enough = options.table ? old_faults(NONE) > 10 : scene->moved;
	} while (!why_not && stressor->again && !enough && ++scene->tries < 3);
	if (!why_not && stressor->again && !scene->moved)
		why_not = "has moved no page of the unlocked process";
	return why_not;
}

static long sum(struct cell cell)
{
	return cell.minor + cell.major;
}

/* What is wrong with a cell of a superlocked process; NULL if nothing. */
static const char *fault_of(const struct scene *scene, const struct stressor *stressor,
			    enum row row)
{
	long faults = sum(sheet->cells[SUPERLOCKED][row]);
	unsigned long excused = stressor->excused;

	if (scene->wrote_back)
		excused |= ROW(ROW_SHARED_RW);
	if (!faults)
		return NULL;
	if (!(excused & ROW(row)))
		return "there must be none";
	/* Who touches more often faults more often: then there is nothing to compare. */
	if (!stressor->meanwhile && faults > sum(sheet->cells[MLOCKALL][row]))
		return "more than with mlockall(2)";
	return NULL;
}

/* Is not each fault of the superlocked process an event, and nothing else? */
static int check_events(void)
{
	long faults, all_faults = 0, all_told = 0;
	int i, broken = 0;

	for (i = 0; i < ROWS; i++) {
		faults = sum(sheet->cells[SUPERLOCKED][i]);
		all_faults += faults;
		all_told += watch.told[i];
		if (watch.told[i] == faults || (watch.lost && watch.told[i] < faults))
			continue;
		ksft_print_msg("superlocked %s: %ld faults, and events of %ld\n", rows[i].name,
			       faults, watch.told[i]);
		broken++;
	}
	if (all_faults)
		ksft_print_msg("superlocked: %ld faults, %ld events, and %llu lost\n", all_faults,
			       all_told, watch.lost);
	return broken + ((long)watch.lost < all_faults - all_told);
}

/* How many cells break the promise; each is printed. */
static int check(const struct scene *scene, const struct stressor *stressor)
{
	const char *fault;
	int i, broken = check_events();

	for (i = 0; i < ROWS; i++) {
		fault = fault_of(scene, stressor, i);
		if (!fault)
			continue;
		ksft_print_msg("superlocked %s: %ld/%ld faults, mlockall %ld/%ld: %s\n",
			       rows[i].name, sheet->cells[SUPERLOCKED][i].minor,
			       sheet->cells[SUPERLOCKED][i].major,
			       sheet->cells[MLOCKALL][i].minor,
			       sheet->cells[MLOCKALL][i].major, fault);
		broken++;
	}
	if (stressor->control && !old_faults(NONE)) {
		ksft_print_msg("the unlocked process did not fault either\n");
		broken++;
	}
	return broken;
}

static void print_table(const struct scene *scene, const struct stressor *stressor)
{
	char text[32];
	int i, j;

	printf("\n%-16s", stressor->name);
	for_each_lock(scene, i)
		printf(" %14s", locks[i].name);
	for (j = 0; j < ROWS; j++) {
		printf("\n%-16s", rows[j].name);
		for_each_lock(scene, i) {
			snprintf(text, sizeof(text), "%ld/%ld", sheet->cells[i][j].minor,
				 sheet->cells[i][j].major);
			printf(" %14s", sheet->memory[i][j].len ? text : "-");
		}
	}
	printf("\n%-16s", "(rounds)");
	for_each_lock(scene, i)
		printf(" %14lu", sheet->rounds[i]);
	printf("\n");
}

static void write_json(FILE *json, const struct scene *scene, const struct stressor *stressor)
{
	static const char *comma = "";
	struct utsname system;
	int i, j;

	uname(&system);
	for_each_lock(scene, i) {
		for (j = 0; j < ROWS; j++) {
			if (!sheet->memory[i][j].len)
				continue;
			fprintf(json, "%s\n{\"kernel\": \"%s\", \"mapping\": \"%s\", ", comma,
				system.release, rows[j].name);
			fprintf(json, "\"stressor\": \"%s\", \"lock\": \"%s\", ", stressor->name,
				locks[i].name);
			fprintf(json, "\"minor\": %ld, \"major\": %ld}", sheet->cells[i][j].minor,
				sheet->cells[i][j].major);
			comma = ",";
		}
	}
}

/* ---- the program ---- */

static void parse(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "table", no_argument, NULL, 't' },
		{ "json", required_argument, NULL, 'j' },
		{ "only", required_argument, NULL, 'o' },
		{}
	};
	unsigned int i;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 't':
			options.table = true;
			break;
		case 'j':
			options.json = optarg;
			break;
		case 'o':
			options.only = optarg;
			break;
		default:
			fprintf(stderr, "usage: %s [--table [--json FILE]] [--only STRESSOR]\n",
				argv[0]);
			fprintf(stderr, "stressors:");
			for (i = 0; i < nr_stressors; i++)
				fprintf(stderr, " %s", stressors[i].name);
			fprintf(stderr, "\n");
			exit(KSFT_FAIL);
		}
	}
}

static bool chosen(const struct stressor *stressor)
{
	return !options.only || !strcmp(options.only, stressor->name);
}

static void run_chosen(struct scene *scene, FILE *json)
{
	const char *why_not;
	unsigned int i;

	for (i = 0; i < nr_stressors; i++) {
		if (!chosen(&stressors[i]))
			continue;
		why_not = run(scene, &stressors[i]);
		if (why_not) {
			ksft_test_result_skip("%s: this machine %s\n", stressors[i].name, why_not);
			continue;
		}
		if (options.table)
			print_table(scene, &stressors[i]);
		if (json)
			write_json(json, scene, &stressors[i]);
		ksft_test_result(!check(scene, &stressors[i]), "%s\n", stressors[i].name);
	}
}

static void run_all(void)
{
	struct scene scene = { .fd = device_open() };
	unsigned int i, nr = 0;
	FILE *json = NULL;

	if (options.json) {
		json = fopen(options.json, "we");
		if (!json)
			ksft_exit_fail_perror(options.json);
		fprintf(json, "{\"cells\": [");
	}
	for (i = 0; i < LOCKS; i++)
		scene.used[i] = options.table || locks[i].in_short_form;
	for (i = 0; i < nr_stressors; i++)
		nr += chosen(&stressors[i]);
	ksft_print_header();
	ksft_set_plan(nr);
	set(VM("nr_hugepages"), HUGE_PAGES);
	/* Pages are written back when a stressor makes them, and not for their age. */
	set(VM("dirty_writeback_centisecs"), 0);
	set(VM("dirty_ratio"), 80);
	set(VM("dirty_background_ratio"), 70);
	/* Neither does the kernel move or collapse any of its own accord. */
	set(NUMA_BALANCING, 0);
	set(THP("khugepaged/scan_sleep_millisecs"), INT_MAX);
	run_chosen(&scene, json);
	if (json) {
		fprintf(json, "\n]}\n");
		fclose(json);
	}
	ksft_finished();
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	parse(argc, argv);
	need_device();
	sheet = mmap(NULL, sizeof(*sheet), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sheet == MAP_FAILED)
		ksft_exit_fail_perror("mmap");
	/* Whatever becomes of the test, somebody has to write the settings back. */
	pid = fork_child();
	if (!pid)
		run_all();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	waitpid(pid, &status, 0);
	restore_settings(0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL;
}

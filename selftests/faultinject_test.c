// SPDX-License-Identifier: GPL-2.0-only
/*
 * All or nothing: fail each allocation of each call in turn, and look whether
 * anything has changed, and whether the next call works. Needs a kernel with
 * CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and CONFIG_FAULT_INJECTION_DEBUG_FS.
 *
 * What the caller allocates is counted by its fail-nth. Memory is populated, and
 * locks are undone, by kernel workers: there, the first allocation fails after so
 * many bytes (space), of all unbound workers.
 *
 * MEMLOCKD_INJECT_STRIDE=N in the environment takes one in N of these allocations, for
 * who has no half an hour; another one first in each call.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define ALL_FLAGS	(CURRENT_FUTURE | MEMLOCKD_HEAL | MEMLOCKD_OWNED | MEMLOCKD_BYPASS)
#define DEBUGFS		"/sys/kernel/debug/"
#define LEN		(32 * PAGE)
#define ROWS		256
#define MOST		5000
#define MANY		1000000

/*
 * Allocations that may sleep, pages for user memory and single pages are let off by
 * default; and each failure would be a call trace on the console.
 */
static const struct {
	const char *path, *during, *after;
} knobs[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N", "Y" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N", "Y" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N", "Y" },
	{ DEBUGFS "fail_page_alloc/min-order", "0", "1" },
	{ DEBUGFS "failslab/verbose", "0", "2" },
	{ DEBUGFS "fail_page_alloc/verbose", "0", "2" },
	{ DEBUGFS "fail_usercopy/verbose", "0", "2" },
	{ DEBUGFS "failslab/probability", "0", "0" },
	{ DEBUGFS "fail_page_alloc/probability", "0", "0" },
	{ DEBUGFS "failslab/space", "0", "0" },
	{ DEBUGFS "fail_page_alloc/space", "0", "0" },
	{ DEBUGFS "failslab/task-filter", "Y", "N" },
	{ DEBUGFS "fail_page_alloc/task-filter", "Y", "N" },
};

/**
 * struct inject - what each test has
 * @private: address of private memory of the target
 * @shared: of shared memory
 * @fd: the device
 * @other: the same, for another holder
 * @program: this program
 * @fail_nth: says which of our allocations fails
 * @make_it_fail: that the same is done to us as to the workers
 */
struct inject {
	struct counters start;
	struct target target;
	long private, shared;
	int fd, other;
	int program;
	int fail_nth;
	int make_it_fail;
};

FIXTURE(inject)
{
	struct inject in;
};

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ksft_perror(path);
	close(fd);
}

static void put_number(const char *folder, const char *name, long number)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", folder, name);
	snprintf(text, sizeof(text), "%ld", number);
	put(path, text);
}

static void set_knobs(bool during)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		put(knobs[i].path, during ? knobs[i].during : knobs[i].after);
}

/*
 * What runs for no CPU in particular, and what new threads of the kernel are made of: these
 * have the driver's work done.
 */
static void mark_workers(bool mark)
{
	DIR *dir = opendir("/proc");
	char path[64], comm[16];
	struct dirent *entry;
	FILE *file;

	while (dir && (entry = readdir(dir))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && (!strncmp(comm, "kworker/u", 9) ||
							!strcmp(comm, "kthreadd\n"))) {
			snprintf(path, sizeof(path), "/proc/%.10s/make-it-fail", entry->d_name);
			put(path, mark ? "1" : "0");
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
}

FIXTURE_SETUP(inject)
{
	struct inject *in = &self->in;

	in->fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (in->fail_nth < 0)
		SKIP(return, "this kernel injects no faults");
	in->make_it_fail = open("/proc/self/make-it-fail", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, in->make_it_fail);
	in->fd = device_open();
	ASSERT_LE(0, in->fd);
	in->other = device_open();
	ASSERT_LE(0, in->other);
	in->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, in->program);
	counters_start(&in->start);
	target_start(&in->target);
	in->private = target_call(&in->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	in->shared = target_call(&in->target, do_map, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_LT(0, in->private);
	ASSERT_LT(0, in->shared);
	set_knobs(true);
}

FIXTURE_TEARDOWN(inject)
{
	struct inject *in = &self->in;

	if (!in->target.pid)
		return;
	set_knobs(false);
	mark_workers(false);
	target_stop(&in->target);
	close(in->fd);
	close(in->other);
	close(in->program);
	EXPECT_TRUE(counters_back(&in->start));
}

/* ---- what is called ---- */

static int lock(struct inject *in, int state, int flags)
{
	return lock_pid(in->fd, in->target.pid, state, flags, NULL);
}

static int lock_movable(struct inject *in) { return lock(in, L, LIKE_MLOCKALL); }
static int lock_locked(struct inject *in) { return lock(in, L, CURRENT_FUTURE); }
static int lock_current(struct inject *in) { return lock(in, L, MEMLOCKD_CURRENT); }
static int lock_future(struct inject *in) { return lock(in, L, MEMLOCKD_FUTURE); }
static int lock_super(struct inject *in) { return lock(in, S, CURRENT_FUTURE); }
static int lock_all_flags(struct inject *in) { return lock(in, S, ALL_FLAGS); }
static int unlock(struct inject *in) { return unlock_pid(in->fd, in->target.pid); }

static int lock_by_other(struct inject *in)
{
	return lock_pid(in->other, in->target.pid, S, CURRENT_FUTURE, NULL);
}

/* Another holder's is left, which is less. */
static int lock_by_both(struct inject *in)
{
	int err = lock_pid(in->other, in->target.pid, L, CURRENT_FUTURE, NULL);

	return err ?: lock_super(in);
}

static int lock_a_range(struct inject *in, int state, long addr, long len)
{
	struct memlockd_range out;
	int err = lock_range(in->fd, in->target.pid, state, addr, len, &out);

	/* Else it would mean a hole. */
	return err == -ENOMEM && out.out_limit != MEMLOCKD_LIMIT_MEMORY ? -EPROTO : err;
}

static int lock_private(struct inject *in)
{
	return lock_a_range(in, S, in->private, LEN);
}

/* The middle of what another range has. */
static int lock_part(struct inject *in)
{
	return lock_a_range(in, L, in->private + 4 * PAGE, LEN / 2);
}

static int lock_range_of_shared(struct inject *in)
{
	return lock_a_range(in, L, in->shared, LEN);
}

static int unlock_private(struct inject *in)
{
	return unlock_range(in->fd, in->target.pid, in->private, LEN);
}

static int lock_and_range(struct inject *in)
{
	return lock_private(in) ?: lock_super(in);
}

/* Several mappings: what fails at the second one has to leave the first as it was. */
static int lock_two_ranges(struct inject *in)
{
	return lock_private(in) ?: lock_range_of_shared(in);
}

static int lock_and_two_ranges(struct inject *in)
{
	return lock_two_ranges(in) ?: lock_super(in);
}

static int unlock_all_ranges(struct inject *in)
{
	return unlock_range(in->fd, in->target.pid, 0, 1UL << 47);
}

/* What a lock does not know of: for SYNC. */
static int lock_and_drop(struct inject *in)
{
	return lock_super(in) ?:
	       target_call(&in->target, do_advise, in->private, LEN / 2, 24);
}

/* What a lock without FUTURE does not cover: likewise. */
static int lock_and_map(struct inject *in)
{
	int err = lock_current(in);
	long addr = target_call(&in->target, do_map, LEN, PROT_READ, MAP_PRIVATE);

	return err ?: target_call(&in->target, do_unmap, addr, LEN, 0);
}

static int call_sync(struct inject *in)
{
	struct memlockd_sync arg = { .size = sizeof(arg), .target = in->target.pid };

	return device_call(in->fd, MEMLOCKD_IOC_SYNC, &arg);
}

static int call_status(struct inject *in)
{
	struct memlockd_status status;

	return status_pid(in->fd, in->target.pid, &status);
}

static int call_mappings(struct inject *in)
{
	static struct memlockd_mapping rows[ROWS];
	struct memlockd_mappings arg = {
		.size = sizeof(arg),
		.target = in->target.pid,
		.rows = (uintptr_t)rows,
		.nr_rows = ROWS,
		.row_size = sizeof(rows[0]),
	};

	return device_call(in->fd, MEMLOCKD_IOC_MAPPINGS, &arg);
}

static int call_list(struct inject *in)
{
	static struct memlockd_holder rows[ROWS];
	struct memlockd_list arg = {
		.size = sizeof(arg),
		.rows = (uintptr_t)rows,
		.nr_rows = ROWS,
		.row_size = sizeof(rows[0]),
	};

	return device_call(in->fd, MEMLOCKD_IOC_LIST, &arg);
}

static int call_info(struct inject *in)
{
	struct memlockd_info arg = { .size = sizeof(arg) };

	return device_call(in->fd, MEMLOCKD_IOC_INFO, &arg);
}

static int call_subscribe(struct inject *in)
{
	struct memlockd_subscribe arg = {
		.size = sizeof(arg),
		.target = in->target.pid,
		.kinds = MEMLOCKD_EVENT_FAULT,
		.event_size = sizeof(struct memlockd_event),
	};
	int fd = device_open(), err = fd < 0 ? fd : device_call(fd, MEMLOCKD_IOC_SUBSCRIBE, &arg);

	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * A rule that is for nobody, by the program that nobody runs, and its end.  What gives I/O
 * privileges is seen by a kprobe, as realtime classes are, where the kernel has CONFIG_SECURITY.
 */
static int call_rule(struct inject *in)
{
	struct memlockd_rule rule = {
		.match = MEMLOCKD_MATCH_EXECUTABLE | MEMLOCKD_MATCH_USER,
		.events = MEMLOCKD_RULE_EXEC | MEMLOCKD_RULE_FORK | MEMLOCKD_RULE_NOW |
			  MEMLOCKD_RULE_SETSCHEDULER,
		.state = S,
		.lock_flags = CURRENT_FUTURE,
		.executable = in->program,
		.uid = 54321,
	};
	int err = rule_add(in->fd, &rule);

	/* If it cannot be told which, it has not been taken away. */
	while (!err && rule_del(in->fd, rule.out_id) == -EFAULT)
		;
	return err;
}

static int call_rules(struct inject *in)
{
	struct memlockd_rule_row row;
	int nr = rules_read(in->fd, &row, 1);

	return nr < 0 ? nr : 0;
}

static int call_open(struct inject *in)
{
	int fd = device_open();

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Each call, from where it begins; and whether it can be made twice. */
static const struct one {
	const char *name;
	int (*before)(struct inject *in);
	int (*call)(struct inject *in);
	bool once;
} calls[] = {
	{ "LOCK movable", NULL, lock_movable, false },
	{ "LOCK", NULL, lock_locked, false },
	{ "LOCK of what is there", NULL, lock_current, false },
	{ "LOCK of what will be", NULL, lock_future, false },
	{ "LOCK superlocked", NULL, lock_super, false },
	{ "LOCK superlocked, all flags", NULL, lock_all_flags, false },
	{ "LOCK from locked to superlocked", lock_locked, lock_super, false },
	{ "LOCK from superlocked to locked", lock_super, lock_locked, false },
	{ "LOCK from superlocked to movable", lock_super, lock_movable, false },
	{ "LOCK from all to what is there", lock_locked, lock_current, false },
	{ "LOCK from what will be to all", lock_future, lock_locked, false },
	{ "LOCK beside another's", lock_locked, lock_by_other, false },
	{ "LOCK beside a range", lock_private, lock_super, false },
	{ "UNLOCK of locked", lock_locked, unlock, true },
	{ "UNLOCK of superlocked", lock_super, unlock, true },
	{ "UNLOCK of one of two", lock_by_both, unlock, true },
	{ "UNLOCK beside a range", lock_and_range, unlock, true },
	{ "SYNC of what was dropped", lock_and_drop, call_sync, false },
	{ "SYNC of what is new", lock_and_map, call_sync, false },
	{ "STATUS", lock_super, call_status, false },
	{ "MAPPINGS", lock_super, call_mappings, false },
	{ "MAPPINGS of unlocked", NULL, call_mappings, false },
	{ "LIST", lock_super, call_list, false },
	{ "INFO", NULL, call_info, false },
	{ "open", NULL, call_open, false },
	{ "SUBSCRIBE", lock_super, call_subscribe, false },
	{ "RULE_ADD and RULE_DEL", NULL, call_rule, false },
	{ "RULES", NULL, call_rules, false },
	{ "LOCK_RANGE", NULL, lock_private, false },
	{ "LOCK_RANGE of shared memory", NULL, lock_range_of_shared, false },
	{ "LOCK_RANGE of a part of a range", lock_private, lock_part, false },
	{ "LOCK_RANGE beside a lock", lock_locked, lock_private, false },
	{ "UNLOCK_RANGE", lock_private, unlock_private, true },
	{ "UNLOCK_RANGE beside a lock", lock_and_range, unlock_private, true },
	{ "UNLOCK_RANGE of two", lock_two_ranges, unlock_all_ranges, true },
	{ "UNLOCK_RANGE of two beside a lock", lock_and_two_ranges, unlock_all_ranges, true },
};

/* ---- what must not change ---- */

struct snapshot {
	unsigned long state, flags, holders, ranges, locked, mappings_locked, pinned, rules;
};

static void look(struct inject *in, struct snapshot *now)
{
	struct memlockd_status status;
	struct memlockd_rule_row row;

	memset(now, 0, sizeof(*now));
	if (status_pid(in->fd, in->target.pid, &status)) {
		now->state = ~0UL;
		return;
	}
	now->state = status.out_state;
	now->flags = status.out_lock_flags;
	now->holders = status.out_holders;
	now->ranges = status.out_ranges;
	now->locked = status_bytes(in->target.pid, "VmLck");
	now->mappings_locked = vmas_locked(in->target.pid);
	now->pinned = status_bytes(in->target.pid, "VmPin");
	now->rules = rules_read(in->fd, &row, 1);
}

static bool same(const struct snapshot *a, const struct snapshot *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void print_snapshot(const char *what, const struct snapshot *s)
{
	printf("# %s: %s, flags %#lx, %lu holders, ranges %lu, locked %lu (%lu), pinned %lu, rules %lu\n",
	       what, state_name(s->state), s->flags, s->holders, s->ranges, s->locked,
	       s->mappings_locked, s->pinned, s->rules);
}

static bool good(int err)
{
	return !err || err == -ENOMEM || err == -EFAULT;
}

/* Back to a process that is not locked, and has pages to be faulted in. */
static bool reset(struct inject *in)
{
	static const struct snapshot none;
	struct snapshot now;
	int err = unlock_all(in->fd, in->target.pid);

	if (!err || err == -ENOENT)
		err = unlock_range(in->fd, in->target.pid, 0, 1L << 47);
	target_call(&in->target, do_advise, in->private, LEN, MADV_DONTNEED);
	look(in, &now);
	if ((!err || err == -ENOENT) && same(&now, &none))
		return true;
	print_snapshot("not undone", &now);
	return false;
}

/**
 * struct injection - a way to make allocations fail
 * @arm: the one that @nth says
 * @disarm: false when there were fewer
 * @step: from one @nth to the next
 */
struct injection {
	const char *name;
	void (*arm)(struct inject *in, long nth);
	bool (*disarm)(struct inject *in);
	long (*step)(long nth);
};

/* One call with one failure; 1 when there was none to inject, -1 when it went wrong. */
static int inject_one(struct inject *in, const struct one *one, const struct injection *how,
		      long nth, unsigned int *failed)
{
	struct snapshot before, wanted, now;
	int err = 0, again = 0;
	bool injected;

	if (!reset(in) || (one->before && one->before(in)))
		return -1;
	look(in, &before);
	how->arm(in, nth);
	err = one->call(in);
	injected = how->disarm(in);
	look(in, &now);
	*failed += !!err;
	/* The next one works, and does what it should. */
	if (err || !one->once)
		again = one->call(in);
	look(in, &wanted);
	/* One that could not say so may have done its work. */
	if (err == -EFAULT && one->once && (again == -ENOENT || again == -EPERM))
		again = 0;
	if (err == -EFAULT && same(&now, &wanted))
		err = 0;
	if (good(err) && !again && same(&now, err ? &before : &wanted) &&
	    now.locked == now.mappings_locked && wanted.locked == wanted.mappings_locked)
		return injected ? 0 : 1;
	printf("# %s, %s %ld: %s, again %s\n", one->name, how->name, nth, strerror(-err),
	       strerror(-again));
	print_snapshot("before", &before);
	print_snapshot("after", &now);
	print_snapshot("wanted", &wanted);
	return -1;
}

static long advance(const struct injection *how, long nth, int steps)
{
	while (steps--)
		nth = how->step(nth);
	return nth;
}

static void sweep(struct __test_metadata *_metadata, struct inject *in,
		  const struct injection *how)
{
	const char *setting = getenv("MEMLOCKD_INJECT_STRIDE");
	int stride = setting ? atoi(setting) : 1;
	unsigned int i, failed, times;
	long nth;
	int ret;

	ASSERT_LT(0, stride);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ret = 0;
		times = 0;
		failed = 0;
		nth = advance(how, 1, i % stride);
		for (; !ret && times < MOST; nth = advance(how, nth, stride)) {
			ret = inject_one(in, &calls[i], how, nth, &failed);
			times++;
		}
		printf("# %s: %s failed %u times, %u of them fatal\n", calls[i].name, how->name,
		       times - 1, failed);
		EXPECT_EQ(1, ret);
		EXPECT_TRUE(reset(in));
	}
	EXPECT_TRUE(counters_back(&in->start));
}

/* ---- allocations of the caller ---- */

static void arm_nth(struct inject *in, long nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%ld", nth);

	/* What is left of it may fail the first of them. */
	if (pwrite(in->fail_nth, text, len, 0) != len && pwrite(in->fail_nth, text, len, 0) != len)
		ksft_perror("fail-nth");
}

static bool disarm_nth(struct inject *in)
{
	char text[16] = "";
	long left;

	/* To read it may fail, too: as one more that had nothing to do with the call. */
	if (pread(in->fail_nth, text, sizeof(text) - 1, 0) <= 0)
		text[0] = '0';
	left = atol(text);
	arm_nth(in, 0);
	return left <= 0;
}

static long next_nth(long nth)
{
	return nth + 1;
}

TEST_F_TIMEOUT(inject, each_allocation_of_the_caller, 3600)
{
	const struct injection how = { "allocation", arm_nth, disarm_nth, next_nth };

	sweep(_metadata, &self->in, &how);
}

/* ---- allocations of workers ---- */

static void arm_workers(const char *which, long space, int probability, int times)
{
	put_number(which, "space", space);
	put_number(which, "times", times);
	put_number(which, "probability", probability);
}

static bool disarm_workers(const char *which)
{
	char path[64];

	put_number(which, "probability", 0);
	snprintf(path, sizeof(path), DEBUGFS "%s/times", which);
	return !read_number(path);
}

static void arm_pages(struct inject *in, long nth) { arm_workers("fail_page_alloc", nth, 100, 1); }
static bool disarm_pages(struct inject *in) { return disarm_workers("fail_page_alloc"); }
static long next_pages(long nth) { return nth + 1 + nth / 16; }
static void arm_slab(struct inject *in, long nth) { arm_workers("failslab", nth, 100, 1); }
static bool disarm_slab(struct inject *in) { return disarm_workers("failslab"); }
static long next_slab(long nth) { return nth + 64 + nth / 8; }

TEST_F_TIMEOUT(inject, pages_of_workers, 3600)
{
	const struct injection how = { "page", arm_pages, disarm_pages, next_pages };

	mark_workers(true);
	sweep(_metadata, &self->in, &how);
}

TEST_F_TIMEOUT(inject, bytes_of_workers, 3600)
{
	const struct injection how = { "byte", arm_slab, disarm_slab, next_slab };

	mark_workers(true);
	sweep(_metadata, &self->in, &how);
}

/* ---- many at once ---- */

/* What fails then may fail in what undoes it, too. */
TEST_F_TIMEOUT(inject, many_allocations_at_once, 3600)
{
	struct inject *in = &self->in;
	struct snapshot before, now;
	unsigned int i, times, failed = 0, done = 0;
	int err;

	mark_workers(true);
	for (times = 0; times < 4; times++) {
		for (i = 0; i < ARRAY_SIZE(calls); i++) {
			ASSERT_TRUE(reset(in));
			ASSERT_TRUE(!calls[i].before || !calls[i].before(in));
			look(in, &before);
			arm_workers("failslab", 0, 2 << 2 * times, -1);
			arm_workers("fail_page_alloc", 0, 1 << 2 * times, -1);
			/* That allocates nothing. */
			ASSERT_EQ(1, pwrite(in->make_it_fail, "1", 1, 0));
			err = calls[i].call(in);
			ASSERT_EQ(1, pwrite(in->make_it_fail, "0", 1, 0));
			disarm_workers("failslab");
			disarm_workers("fail_page_alloc");
			look(in, &now);
			failed += !!err;
			done += !err;
			EXPECT_TRUE(good(err) && (!err || same(&before, &now))) {
				TH_LOG("%s: %s", calls[i].name, strerror(-err));
				print_snapshot("before", &before);
				print_snapshot("after", &now);
			}
		}
	}
	TH_LOG("%u calls failed, %u did not", failed, done);
	EXPECT_LT(0, failed);
	EXPECT_TRUE(reset(in));
	EXPECT_TRUE(counters_back(&in->start));
}

/* ---- the module ---- */

/* Those of its own are the last that loading it makes. */
#define LAST_OF_LOADING	120

FIXTURE(module)
{
	struct inject in;
};

FIXTURE_SETUP(module)
{
	self->in.fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (self->in.fail_nth < 0)
		SKIP(return, "this kernel injects no faults");
	counters_start(&self->in.start);
	set_knobs(true);
}

FIXTURE_TEARDOWN(module)
{
	if (self->in.fail_nth >= 0)
		set_knobs(false);
}

/* A copy in memory, to be read without the allocations of what the module lies on. */
static bool copy_module(char *path)
{
	const char *ko = getenv("MEMLOCKD_KO");
	int from = open(ko, O_RDONLY | O_CLOEXEC), to = mkstemp(path);
	ssize_t got;

	do {
		got = sendfile(to, from, NULL, 1 << 20);
	} while (got > 0);
	close(from);
	close(to);
	return !got;
}

/* How many allocations are left of @nth. */
static long load_with(struct inject *in, const char *ko, long nth, int *err)
{
	char text[16] = "";

	arm_nth(in, nth);
	*err = module_load(ko);
	if (pread(in->fail_nth, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	arm_nth(in, 0);
	return atol(text);
}

TEST_F_TIMEOUT(module, each_allocation_of_loading_it, 3600)
{
	char ko[] = "/tmp/memlockd-XXXXXX";
	long all, nth, failed = 0;
	int err;

	if (!getenv("MEMLOCKD_KO"))
		SKIP(return, "MEMLOCKD_KO does not name the module to load again");
	ASSERT_TRUE(copy_module(ko));
	ASSERT_EQ(0, module_unload_soon());
	all = MANY - load_with(&self->in, ko, MANY, &err);
	ASSERT_EQ(0, err);
	for (nth = all; nth > 0 && nth > all - LAST_OF_LOADING; nth--) {
		ASSERT_EQ(0, module_unload_soon());
		load_with(&self->in, ko, nth, &err);
		EXPECT_TRUE(good(err)) TH_LOG("allocation %ld: %s", nth, strerror(-err));
		if (!err)
			continue;
		failed++;
		EXPECT_EQ(-ENOENT, device_open());
		EXPECT_NE(0, access(KNOB("wired"), F_OK));
		ASSERT_EQ(0, module_load(ko));
	}
	unlink(ko);
	TH_LOG("%ld allocations, %ld of the last %d fatal", all, failed, LAST_OF_LOADING);
	EXPECT_LT(0, failed);
	EXPECT_TRUE(counters_back(&self->in.start));
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}

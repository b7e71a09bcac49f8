// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lock is worth what it is worth when memory is short. Two processes with the
 * same memory, one locked and one not, are put under the same pressure. Then each
 * touches all it has. The unlocked one has to fault, or the test shows nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "memlockd_test.h"

#define LEN		(256 * PAGE)
#define CGROUP		"/sys/fs/cgroup/memlockd-test"
#define CGROUP_MAX	(48 * MIB)
#define HOG_STEP	(8 * MIB)

enum region {
	REGION_HEAP, REGION_SHMEM, REGION_FILE_WRITABLE, REGION_FILE_READ_ONLY,
	REGION_FILE_SHARED, REGION_TEXT, REGIONS
};

static const char *const region_names[] = {
	"heap", "shared memory", "private file, writable", "private file, read-only",
	"shared file, read-only", "library text",
};

struct process {
	struct target t;
	struct memory {
		unsigned long addr, len;
	} memory[REGIONS];
};

struct scene {
	struct counters start;
	struct process locked;
	struct process unlocked;
	struct target hog;
	bool in_cgroup;
	int fd;
};

FIXTURE(pressure)
{
	struct scene scene;
};

FIXTURE_VARIANT(pressure)
{
	int state;
	int flags;
};

FIXTURE_VARIANT_ADD(pressure, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(pressure, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(pressure, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

static long map_file(long len, long prot, long flags)
{
	int fd = disk_file(0);
	char page[PAGE];
	void *addr;
	long i;

	if (fd < 0)
		return -errno;
	memset(page, 0x5a, PAGE);
	for (i = 0; i < len; i += PAGE) {
		if (write(fd, page, PAGE) != (ssize_t)PAGE)
			return -ENOSPC;
	}
	/* What is dirty cannot be dropped. */
	fsync(fd);
	addr = mmap(NULL, len, prot, flags, fd, 0);
	close(fd);
	return addr == MAP_FAILED ? -errno : (long)addr;
}

static bool is_written(enum region i)
{
	return i == REGION_HEAP || i == REGION_SHMEM || i == REGION_FILE_WRITABLE;
}

/* Touch one region; the faults are in p->t. */
static void touch(struct process *p, enum region i)
{
	target_call(&p->t, is_written(i) ? do_write : do_read, p->memory[i].addr,
		    p->memory[i].len, PAGE);
}

static void give_memory(struct __test_metadata *_metadata, struct process *p)
{
	const struct {
		target_fn fn;
		int prot, flags;
	} make[] = {
		[REGION_HEAP] = { do_map, RW, MAP_PRIVATE },
		[REGION_SHMEM] = { do_map, RW, MAP_SHARED },
		[REGION_FILE_WRITABLE] = { map_file, RW, MAP_PRIVATE },
		[REGION_FILE_READ_ONLY] = { map_file, PROT_READ, MAP_PRIVATE },
		[REGION_FILE_SHARED] = { map_file, PROT_READ, MAP_SHARED },
	};
	struct vma text;
	unsigned int i;
	long addr;

	for (i = 0; i < REGION_TEXT; i++) {
		addr = target_call(&p->t, make[i].fn, LEN, make[i].prot, make[i].flags);
		ASSERT_LT(0, addr);
		p->memory[i] = (struct memory){ addr, LEN };
	}
	ASSERT_TRUE(vma_find(p->t.pid, "/libc.so", "r-xp", &text));
	p->memory[REGION_TEXT] = (struct memory){ text.start, text.end - text.start };
	for (i = 0; i < REGIONS; i++)
		touch(p, i);
}

static void set_scene(struct __test_metadata *_metadata, struct scene *scene)
{
	scene->fd = device_open();
	ASSERT_LE(0, scene->fd);
	counters_start(&scene->start);
	target_start(&scene->locked.t);
	target_start(&scene->unlocked.t);
	target_start(&scene->hog);
}

static void clear_scene(struct __test_metadata *_metadata, struct scene *scene)
{
	target_stop(&scene->hog);
	target_stop(&scene->locked.t);
	target_stop(&scene->unlocked.t);
	if (scene->in_cgroup)
		rmdir(CGROUP);
	EXPECT_TRUE(counters_back(&scene->start));
}

FIXTURE_SETUP(pressure)
{
	set_scene(_metadata, &self->scene);
}

FIXTURE_TEARDOWN(pressure)
{
	clear_scene(_metadata, &self->scene);
}

static unsigned long present(const struct process *p, enum region i)
{
	return present_bytes(p->t.pid, p->memory[i].addr, p->memory[i].addr + p->memory[i].len);
}

/* What the unlocked process still has of what could be taken from it. */
static unsigned long still_present(const struct process *p)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < REGION_TEXT; i++)
		sum += present(p, i);
	return sum;
}

static void check_faults(struct __test_metadata *_metadata, struct scene *scene, int state)
{
	unsigned long missing = 0;
	unsigned int i;
	long total = 0;

	for (i = 0; i < REGIONS; i++) {
		touch(&scene->locked, i);
		touch(&scene->unlocked, i);
		TH_LOG("%-24s %s %ld/%ld faults, unlocked %ld/%ld", region_names[i],
		       state_name(state), scene->locked.t.minflt, scene->locked.t.majflt,
		       scene->unlocked.t.minflt, scene->unlocked.t.majflt);
		/* Never paged out. */
		EXPECT_EQ(0, scene->locked.t.majflt);
		if (state == S)
			EXPECT_EQ(0, scene->locked.t.minflt);
		missing += scene->locked.memory[i].len - present(&scene->locked, i);
		total += scene->unlocked.t.minflt + scene->unlocked.t.majflt;
	}
	EXPECT_EQ(0, missing);
	/* Else there was no pressure. */
	EXPECT_LT(0, total);
}

static void lock_one(struct __test_metadata *_metadata, struct scene *scene, int state, int flags)
{
	give_memory(_metadata, &scene->locked);
	give_memory(_metadata, &scene->unlocked);
	ASSERT_EQ(0, lock_pid(scene->fd, scene->locked.t.pid, state, flags, NULL));
}

static void drop_what_is_clean(void)
{
	sync();
	write_number("/proc/sys/vm/drop_caches", 3);
}

static int page_out(const struct process *p, enum region i)
{
	struct iovec iov = { (void *)p->memory[i].addr, p->memory[i].len };

	return syscall(SYS_process_madvise, p->t.pidfd, &iov, 1, 21 /* MADV_PAGEOUT */, 0) < 0 ?
	       -errno : 0;
}

TEST_F(pressure, pageout_from_outside_takes_nothing)
{
	struct scene *scene = &self->scene;
	unsigned long before[REGIONS];
	unsigned int i;
	int err;

	lock_one(_metadata, scene, variant->state, variant->flags);
	err = page_out(&scene->unlocked, REGION_FILE_READ_ONLY);
	if (err == -ENOSYS)
		SKIP(return, "this kernel has no process_madvise(2)");
	ASSERT_EQ(0, err);
	for (i = 0; i < REGIONS; i++) {
		before[i] = present(&scene->locked, i);
		page_out(&scene->unlocked, i);
		/* The answer is as without a lock, or, since Linux 6.13, a refusal. */
		err = page_out(&scene->locked, i);
		EXPECT_TRUE(!err || err == -EINVAL);
		EXPECT_EQ(before[i], present(&scene->locked, i));
	}
	check_faults(_metadata, scene, variant->state);
}

/* Superlocked means that no page of it is on the swap, either. */
TEST_F(pressure, what_was_paged_out_comes_back)
{
	struct scene *scene = &self->scene;
	unsigned long before = 0, after = 0, whole = 0;
	unsigned int i;

	give_memory(_metadata, &scene->locked);
	give_memory(_metadata, &scene->unlocked);
	if (page_out(&scene->locked, REGION_FILE_READ_ONLY) == -ENOSYS)
		SKIP(return, "this kernel has no process_madvise(2)");
	for (i = 0; i < REGIONS; i++) {
		ASSERT_EQ(0, page_out(&scene->locked, i));
		ASSERT_EQ(0, page_out(&scene->unlocked, i));
		before += present(&scene->locked, i);
	}
	ASSERT_EQ(0, lock_pid(scene->fd, scene->locked.t.pid, variant->state, variant->flags,
			      NULL));
	for (i = 0; i < REGIONS; i++) {
		after += present(&scene->locked, i);
		whole += scene->locked.memory[i].len;
	}
	TH_LOG("present: %lu kB before the lock, %lu kB after it, of %lu kB", before / KIB,
	       after / KIB, whole / KIB);
	EXPECT_EQ(whole, after);
	check_faults(_metadata, scene, variant->state);
}

static bool write_pid(const char *path, pid_t pid)
{
	return write_number(path, pid);
}

/* A cgroup of CGROUP_MAX bytes for all three. */
static const char *make_cgroup(struct scene *scene)
{
	const char *why = memory_cgroup(CGROUP);

	if (why)
		return why;
	scene->in_cgroup = true;
	if (!write_number(CGROUP "/memory.max", CGROUP_MAX) ||
	    !write_pid(CGROUP "/cgroup.procs", scene->locked.t.pid) ||
	    !write_pid(CGROUP "/cgroup.procs", scene->unlocked.t.pid) ||
	    !write_pid(CGROUP "/cgroup.procs", scene->hog.pid))
		return "no limit for a memory cgroup";
	return NULL;
}

/* Let the hog write until the unlocked process has lost half of its memory, or @bytes. */
static unsigned long squeeze(struct scene *scene, unsigned long bytes)
{
	unsigned long half = still_present(&scene->unlocked) / 2, taken = 0;
	long addr, ret;

	addr = target_call(&scene->hog, do_map, bytes, RW, MAP_PRIVATE | MAP_NORESERVE);
	if (addr < 0)
		return 0;
	while (taken < bytes && still_present(&scene->unlocked) > half) {
		target_post(&scene->hog, do_write, addr + taken, HOG_STEP, PAGE);
		/* It may be killed, for want of memory. */
		if (!target_result(&scene->hog, &ret))
			break;
		taken += HOG_STEP;
	}
	return taken;
}

TEST_F(pressure, full_memory_cgroup_takes_nothing)
{
	struct scene *scene = &self->scene;
	const char *why;
	unsigned long taken;

	if (read_field("/proc/meminfo", "SwapFree") * KIB < 3 * CGROUP_MAX)
		SKIP(return, "needs %lu MB of swap", 3 * CGROUP_MAX / MIB);
	why = make_cgroup(scene);
	if (why)
		SKIP(return, "%s", why);
	lock_one(_metadata, scene, variant->state, variant->flags);
	/* The kernel may not wait for what the hog gives back when that is killed. */
	ASSERT_TRUE(set_oom_score(scene->locked.t.pid, -1000));
	ASSERT_TRUE(set_oom_score(scene->unlocked.t.pid, -1000));
	taken = squeeze(scene, 3 * CGROUP_MAX);
	TH_LOG("%lu MB written by another process in a cgroup of %lu MB", taken / MIB,
	       CGROUP_MAX / MIB);
	check_faults(_metadata, scene, variant->state);
}

/*
 * What the target has mapped is more than its cgroup may have: the lock is refused.
 */
TEST_F(pressure, lock_beyond_the_memory_cgroup_leaves_nothing)
{
	struct scene *scene = &self->scene;
	pid_t pid = scene->locked.t.pid;
	struct memlockd_lock lock;
	const char *why;
	int err;

	why = make_cgroup(scene);
	if (why)
		SKIP(return, "%s", why);
	/* Anything but the target. */
	write_pid("/sys/fs/cgroup/cgroup.procs", scene->unlocked.t.pid);
	write_pid("/sys/fs/cgroup/cgroup.procs", scene->hog.pid);
	ASSERT_LT(0, target_call(&scene->locked.t, do_map_small, 2 * CGROUP_MAX, RW, MAP_PRIVATE));
	err = lock_pid(scene->fd, pid, variant->state, variant->flags, &lock);
	TH_LOG("%s, limit %u, needed %llu", strerror(-err), lock.out_limit,
	       (unsigned long long)lock.out_needed);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_EQ(MEMLOCKD_LIMIT_CGROUP, lock.out_limit);
	EXPECT_LT(lock.out_allowed, lock.out_needed);
	EXPECT_EQ(CGROUP_MAX, lock.out_allowed);
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, state_of(scene->fd, pid));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
}

/*
 * It fits by itself, but not beside its neighbours, which cannot be paged out. What
 * memory.high allows is a limit as well.
 */
static void check_neighbours(struct __test_metadata *_metadata, struct scene *scene, int state,
			     int flags, const char *file)
{
	unsigned long bytes = 3 * CGROUP_MAX / 8, full = CGROUP_MAX;
	pid_t pid = scene->locked.t.pid;
	struct memlockd_lock lock;
	const char *why;
	long kills, ret;
	int err, tries;

	why = make_cgroup(scene);
	if (why)
		SKIP(return, "%s", why);
	write_number(CGROUP "/memory.swap.max", 0);
	kills = read_field(CGROUP "/memory.events", "oom_kill");
	for (tries = 0; tries < 2; tries++) {
		struct target *t = tries ? &scene->hog : &scene->unlocked.t;
		long addr = target_call(t, do_map_small, bytes, RW, MAP_PRIVATE);

		ASSERT_LT(0, addr);
		target_post(t, do_write, addr, bytes, PAGE);
		ASSERT_TRUE(target_result(t, &ret));
	}
	ASSERT_LT(0, target_call(&scene->locked.t, do_map_small, bytes, RW, MAP_PRIVATE));
	/* As full as it is, and no more. */
	ASSERT_TRUE(write_number(CGROUP "/memory.max", 2 * full));
	ASSERT_TRUE(write_number(file, full));
	err = lock_pid(scene->fd, pid, state, flags, &lock);
	TH_LOG("%s of %lu MB: %s, limit %u, needed %llu kB of %llu, %ld killed", file, full / MIB,
	       strerror(-err), lock.out_limit, (unsigned long long)lock.out_needed / KIB,
	       (unsigned long long)lock.out_allowed / KIB,
	       read_field(CGROUP "/memory.events", "oom_kill") - kills);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_EQ(MEMLOCKD_LIMIT_CGROUP, lock.out_limit);
	EXPECT_EQ(kills, read_field(CGROUP "/memory.events", "oom_kill"));
	EXPECT_EQ(0, target_call(&scene->hog, do_nothing, 0, 0, 0));
	EXPECT_EQ(0, target_call(&scene->unlocked.t, do_nothing, 0, 0, 0));
	ASSERT_EQ(0, target_call(&scene->locked.t, do_nothing, 0, 0, 0));
	EXPECT_EQ(0, status_bytes(pid, "VmLck"));
	EXPECT_EQ(0, status_bytes(pid, "VmPin"));
	/* With as much as was said to be needed, and a little for page tables, it fits. */
	ASSERT_TRUE(write_number(file, lock.out_needed + 4 * MIB));
	EXPECT_EQ(0, lock_pid(scene->fd, pid, state, flags, &lock));
	EXPECT_EQ(kills, read_field(CGROUP "/memory.events", "oom_kill"));
	EXPECT_EQ(0, unlock_pid(scene->fd, pid));
}

TEST_F(pressure, lock_beyond_the_memory_cgroup_kills_nobody)
{
	check_neighbours(_metadata, &self->scene, variant->state, variant->flags,
			 CGROUP "/memory.max");
}

TEST_F(pressure, lock_beyond_memory_high_is_refused)
{
	check_neighbours(_metadata, &self->scene, variant->state, variant->flags,
			 CGROUP "/memory.high");
}

/* Make every second page of a large area a hole, so that there is much to compact. */
static long do_riddle(long addr, long len, long c)
{
	long i;

	do_write(addr, len, PAGE);
	for (i = 0; i < len; i += 2 * PAGE)
		madvise((void *)(addr + i), PAGE, MADV_DONTNEED);
	return 0;
}

/* The page frames of a region, one after the other. */
static void read_frames(struct process *p, enum region i, uint64_t frames[])
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", p->t.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	memset(frames, 0, LEN / PAGE * sizeof(*frames));
	if (pread(fd, frames, LEN / PAGE * 8, p->memory[i].addr / PAGE * 8) <= 0)
		ksft_perror(path);
	close(fd);
}

static unsigned int moved(const uint64_t a[], const uint64_t b[])
{
	unsigned int i, nr = 0;

	for (i = 0; i < LEN / PAGE; i++)
		nr += a[i] << 9 != b[i] << 9;
	return nr;
}

/* All of memory is gone through; how long that takes is up to the machine. */
TEST_F_TIMEOUT(pressure, compaction_moves_nothing_that_is_pinned, TEST_TIMEOUT_DEFAULT)
{
	struct scene *scene = &self->scene;
	uint64_t before[2][REGIONS][LEN / PAGE], after[LEN / PAGE];
	struct process *both[2] = { &scene->locked, &scene->unlocked };
	unsigned int i, j, nr[2], others = 0;
	unsigned long len;
	long addr;

	lock_one(_metadata, scene, variant->state, variant->flags);
	for (i = 0; i < REGION_TEXT; i++) {
		for (j = 0; j < 2; j++)
			read_frames(both[j], i, before[j][i]);
	}
	len = read_field("/proc/meminfo", "MemAvailable") * KIB / 8;
	len = (len > 128 * MIB ? 128 * MIB : len) & -PAGE;
	addr = target_call(&scene->hog, do_map_small, len, RW, MAP_PRIVATE);
	ASSERT_LT(0, addr);
	ASSERT_EQ(0, target_call(&scene->hog, do_riddle, addr, len, 0));
	ASSERT_TRUE(write_number("/proc/sys/vm/compact_memory", 1));
	for (i = 0; i < REGION_TEXT; i++) {
		for (j = 0; j < 2; j++) {
			read_frames(both[j], i, after);
			nr[j] = moved(before[j][i], after);
		}
		touch(&scene->locked, i);
		TH_LOG("%-24s %u pages moved, %ld faults; unlocked: %u moved", region_names[i],
		       nr[0], scene->locked.t.minflt + scene->locked.t.majflt, nr[1]);
		others += nr[1];
		/* What the state pins: writable private memory, or all of it. */
		if (variant->flags & MEMLOCKD_MOVABLE || i == REGION_SHMEM ||
		    i == REGION_FILE_SHARED ||
		    (i == REGION_FILE_READ_ONLY && variant->state != S))
			continue;
		EXPECT_EQ(0, nr[0]);
		EXPECT_EQ(0, scene->locked.t.minflt + scene->locked.t.majflt);
	}
	if (!others)
		SKIP(return, "compaction moved no page of the unlocked process either");
}

/*
 * Pages all alike; but not like those of the other process: a page that cannot be
 * merged is in the way of its like.
 */
static long do_fill_mergeable(long addr, long len, long byte)
{
	memset((void *)addr, byte, len);
	return madvise((void *)addr, len, MADV_MERGEABLE) ? -errno : 0;
}

#define KSM(name)	"/sys/kernel/mm/ksm/" name

TEST_F(pressure, page_merging_costs_no_fault)
{
	struct scene *scene = &self->scene;
	long run = read_number(KSM("run")), pages = read_number(KSM("pages_to_scan"));
	long sleep = read_number(KSM("sleep_millisecs")), scans;
	struct process *both[2] = { &scene->locked, &scene->unlocked };
	unsigned int i;
	long addr;

	if (run < 0)
		SKIP(return, "this kernel merges no pages");
	for (i = 0; i < 2; i++) {
		addr = target_call(&both[i]->t, do_map_small, LEN, RW, MAP_PRIVATE);
		ASSERT_LT(0, addr);
		both[i]->memory[REGION_HEAP] = (struct memory){ addr, LEN };
		ASSERT_EQ(0, target_call(&both[i]->t, do_fill_mergeable, addr, LEN, 0x70 + i));
	}
	ASSERT_EQ(0, lock_pid(scene->fd, scene->locked.t.pid, variant->state, variant->flags,
			      NULL));
	write_number(KSM("pages_to_scan"), 10000);
	write_number(KSM("sleep_millisecs"), 1);
	write_number(KSM("run"), 1);
	/* Until nearly all pages of one are merged; then the other has had its turn as well. */
	for (i = 0; i < 10000 && read_number(KSM("pages_sharing")) < LEN / PAGE * 9 / 10; i++)
		usleep(1000);
	scans = read_number(KSM("full_scans"));
	for (i = 0; i < 10000 && read_number(KSM("full_scans")) < scans + 3; i++)
		usleep(1000);
	write_number(KSM("run"), run);
	write_number(KSM("pages_to_scan"), pages);
	write_number(KSM("sleep_millisecs"), sleep);
	touch(&scene->locked, REGION_HEAP);
	touch(&scene->unlocked, REGION_HEAP);
	TH_LOG("%s %ld/%ld faults, unlocked %ld/%ld", state_name(variant->state),
	       scene->locked.t.minflt, scene->locked.t.majflt, scene->unlocked.t.minflt,
	       scene->unlocked.t.majflt);
	if (!scene->unlocked.t.minflt)
		SKIP(return, "no page of the unlocked process was merged either");
	/* Merging is for pages that may move. */
	if (!(variant->flags & MEMLOCKD_MOVABLE))
		EXPECT_EQ(0, scene->locked.t.minflt + scene->locked.t.majflt);
}

FIXTURE(machine)
{
	struct scene scene;
};

FIXTURE_SETUP(machine)
{
	set_scene(_metadata, &self->scene);
}

FIXTURE_TEARDOWN(machine)
{
	clear_scene(_metadata, &self->scene);
}

TEST_F_TIMEOUT(machine, full_machine_takes_nothing, TEST_TIMEOUT_DEFAULT)
{
	struct scene *scene = &self->scene;
	unsigned long available = read_field("/proc/meminfo", "MemAvailable") * KIB;
	unsigned long swap = read_field("/proc/meminfo", "SwapFree") * KIB;
	unsigned long taken;
	long out;

	if (swap < 256 * MIB)
		SKIP(return, "needs 256 MB of swap");
	if (available > 2048 * MIB)
		SKIP(return, "%lu MB are too much to fill", available / MIB);
	ASSERT_TRUE(set_oom_score(scene->hog.pid, 1000));
	lock_one(_metadata, scene, S, CURRENT_FUTURE);
	drop_what_is_clean();
	out = read_field("/proc/vmstat", "pswpout");
	taken = squeeze(scene, (available + swap / 2) & -HOG_STEP);
	out = read_field("/proc/vmstat", "pswpout") - out;
	TH_LOG("%lu MB written by another process, %lu MB were available, %ld MB swapped out",
	       taken / MIB, available / MIB, out * PAGE / MIB);
	/* What is locked is not in the way of what reclaim does for others. */
	EXPECT_LT(0, out);
	drop_what_is_clean();
	check_faults(_metadata, scene, S);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}

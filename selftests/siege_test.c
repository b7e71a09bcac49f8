// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients with files of their own lock, query and unlock processes, by every call of
 * the device, while the machine changes around them: swap comes and goes, memory
 * cgroups shrink until somebody is killed, files are cut and punched, huge pages are
 * split and made, a debugger writes to locked text, uprobes come and go, memory is
 * paged out from outside, compacted and dropped. Clients and targets are killed at
 * any time, targets call execve(2) and end, and between two rounds the module goes.
 *
 * No call may fail with anything that is not in the contract, no byte of a process
 * may change, and at the end of each round everything is back where it was.
 *
 * MEMLOCKD_SIEGE_SECONDS: so long, in more rounds than two.
 * MEMLOCKD_SIEGE_SEED: the seed that an earlier run printed.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "probe.h"
#include "siege.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define CLIENTS		3
#define ROUNDS		2
#define ROUND_SECONDS	15		/* where rounds are told by time */
#define TIMES		6		/* that each disturbance happens in a round */
#define MAX_SECONDS	3000
#define TIMEOUT		(MAX_SECONDS + 600)
#define CGROUP		"/sys/fs/cgroup/memlockd-siege"
#define SWAP_FILE	"/var/tmp/memlockd-siege-swap"
#define SWAP_PAGES	(32 * MIB / PAGE)
#define HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define SPLIT_PAGES	"/sys/kernel/debug/split_huge_pages"

/* ---- what happens to targets: true when it has ---- */

static int draw_target(uint64_t *seed, pid_t *pid)
{
	int which = draw(seed, TARGETS);

	*pid = pid_of(which);
	return which;
}

static struct memory draw_area(uint64_t *seed, int which)
{
	return siege->areas[which][draw(seed, AREAS)];
}

static bool swap_goes(uint64_t *seed)
{
	nap(draw(seed, 50000));
	/* It may not find room for all, or be killed at it. */
	if (swapoff(SWAP_FILE))
		return false;
	count(SWAPOFF);
	nap(draw(seed, 20000));
	if (swapon(SWAP_FILE, SWAP_FLAG_PREFER | 100)) {
		fault("swapon");
		return false;
	}
	count(SWAPON);
	return true;
}

static bool cgroup_shrinks(uint64_t *seed)
{
	unsigned long limit;

	/* More than can be had: it reclaims what it can. */
	if (write_number(CGROUP "/memory.reclaim", 64 * MIB) || errno == EAGAIN)
		count(RECLAIM);
	nap(draw(seed, 900000));
	limit = draw(seed, 3) ? 24 * MIB : (unsigned long)read_number(CGROUP "/memory.current") / 2;
	if (!write_number(CGROUP "/memory.max", limit))
		return false;
	nap(draw(seed, 5000));
	count(LIMIT);
	return write_number(CGROUP "/memory.max", 1 << 30);
}

/* Cut and made longer again, punched, or written to its disk; false when it cannot be. */
static bool change_file(uint64_t *seed, enum file file, int fd)
{
	unsigned long size = siege->sizes[file], step = file == HUGETLB_FILE ? HUGE : PAGE;
	unsigned long first = draw(seed, size / step) * step;

	switch (draw(seed, 3)) {
	case 0:
		if (ftruncate(fd, first))
			return false;
		nap(draw(seed, 5000));
		count(TRUNCATE);
		return !ftruncate(fd, size);
	case 1:
		count(PUNCH);
		return !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first,
				  size - first > step ? 2 * step : step);
	default:
		count(WRITEBACK);
		return !fsync(fd) || errno == EINVAL;
	}
}

static bool files_are_cut(uint64_t *seed)
{
	enum file file = DISK_FILE + draw(seed, FILES - DISK_FILE);
	int fd = siege_open(file);
	bool done;

	if (fd < 0)
		return false;
	done = change_file(seed, file, fd);
	if (!done)
		fault("a change of a file");
	close(fd);
	nap(draw(seed, 20000));
	return done;
}

static bool advise(uint64_t *seed, enum area area, int advice, enum count what)
{
	pid_t pid;
	int which = draw_target(seed, &pid);
	struct memory m = area < AREAS ? siege->areas[which][area] : draw_area(seed, which);
	struct iovec iov = { (void *)m.addr, m.len };
	int pidfd = pid && m.len ? syscall(SYS_pidfd_open, pid, 0) : -1;
	bool done;

	if (pidfd < 0)
		return false;
	done = syscall(SYS_process_madvise, pidfd, &iov, 1, advice, 0) > 0;
	close(pidfd);
	if (done)
		count(what);
	return done;
}

static bool memory_is_advised(uint64_t *seed)
{
	nap(draw(seed, 10000));
	switch (draw(seed, 3)) {
	case 0:
		return advise(seed, AREAS, MADV_PAGEOUT, PAGEOUT);
	case 1:
		return advise(seed, AREAS, MADV_COLD, COLD);
	default:
		return advise(seed, AREAS, MADV_WILLNEED, WILLNEED);
	}
}

static bool huge_pages_are_split(uint64_t *seed)
{
	char text[64];
	struct memory m;
	pid_t pid;
	int fd;

	nap(draw(seed, 10000));
	m = siege->areas[draw_target(seed, &pid)][AREA_HUGE_HEAP];
	if (!pid || !m.len)
		return false;
	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", pid, m.addr, m.addr + m.len);
	fd = open(SPLIT_PAGES, O_WRONLY | O_CLOEXEC);
	if (write(fd, text, strlen(text)) > 0)
		count(SPLIT);
	close(fd);
	/* It may be out of huge pages, or this a kernel that cannot. */
	advise(seed, AREA_HUGE_HEAP, MADV_COLLAPSE, COLLAPSE);
	return true;
}

static bool debugger_writes(uint64_t *seed)
{
	struct memory m;
	pid_t pid;
	int status, which = draw_target(seed, &pid);
	bool done = false;

	nap(draw(seed, 10000));
	if (!pid || ptrace(PTRACE_ATTACH, pid, NULL, NULL))
		return false;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return false;
	/* As it stands still now; and it may be another program than before. */
	m = siege->areas[which][AREA_TEXT];
	if (m.len)
		done = !ptrace(PTRACE_POKEDATA, pid, m.addr + draw(seed, m.len / PAGE) * PAGE,
			       POKED);
	/* When it has been killed meanwhile, it is ours to reap before its parent can. */
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		waitpid(pid, NULL, __WALL);
	if (done)
		count(POKE);
	return done;
}

static bool text_is_probed(uint64_t *seed)
{
	/* Somebody who has the page mapped is being killed, or there is no memory for another. */
	if (!probe_enable(true)) {
		if (errno != EFAULT && errno != ENOMEM)
			fault("uprobe");
		return false;
	}
	nap(draw(seed, 20000));
	if (!probe_enable(false)) {
		fault("uprobe");
		return false;
	}
	count(PROBE);
	nap(draw(seed, 20000));
	return true;
}

static bool machine_is_tidied(uint64_t *seed)
{
	nap(draw(seed, 50000));
	write_number("/proc/sys/vm/drop_caches", 3);
	if (write_number("/proc/sys/vm/compact_memory", 1))
		count(COMPACT);
	return true;
}

enum disturber { SWAP, LIMITS, CUT, ADVICE, HUGE_PAGES, DEBUGGER, UPROBE, MACHINE, DISTURBERS };

static bool (*const disturbances[DISTURBERS])(uint64_t *seed) = {
	swap_goes, cgroup_shrinks, files_are_cut, memory_is_advised, huge_pages_are_split,
	debugger_writes, text_is_probed, machine_is_tidied,
};

static long do_disturb(long which, long seed_arg, long c)
{
	uint64_t seed = seed_of(2000 + seed_arg);
	long times = 0;

	/* It is about what they disturb. */
	setpriority(PRIO_PROCESS, 0, 5);
	while (!stopped()) {
		times += disturbances[which](&seed);
		if (times == TIMES) {
			__atomic_fetch_add(&board->done, 1, __ATOMIC_SEQ_CST);
			times++;
		}
	}
	return times;
}

/* ---- the test ---- */

FIXTURE(siege)
{
	struct counters start;
	struct memlockd_info info;
	struct target targets[TARGETS];
	struct target clients[CLIENTS];
	struct target disturbers[DISTURBERS];
	const char *cannot[DISTURBERS];
	unsigned int lives;
	long nr_hugepages;
	int fd;
};

/* Files that are gone with us, of which processes know the numbers. */
static int make_file(unsigned int size, unsigned int flags)
{
	int fd = syscall(SYS_memfd_create, "siege", MFD_CLOEXEC | flags);

	if (fd >= 0 && ftruncate(fd, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What mkswap(8) writes. */
static bool make_swap(void)
{
	struct {
		char boot[1024];
		uint32_t version, last_page, nr_badpages;
	} header = { .version = 1, .last_page = SWAP_PAGES - 1 };
	int fd = open(SWAP_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool made;

	made = fd >= 0 && !posix_fallocate(fd, 0, SWAP_PAGES * PAGE) &&
	       pwrite(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       pwrite(fd, "SWAPSPACE2", 10, PAGE - 10) == 10 && !fsync(fd);
	close(fd);
	return made && !swapon(SWAP_FILE, SWAP_FLAG_PREFER | 100);
}

static void unlink_swap(void)
{
	swapoff(SWAP_FILE);
	unlink(SWAP_FILE);
}

FIXTURE_SETUP(siege)
{
	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	counters_start(&self->start);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &self->info));

	self->nr_hugepages = read_number(HUGEPAGES);
	write_number(HUGEPAGES, self->nr_hugepages + 2);
	if (!make_swap())
		self->cannot[SWAP] = "cannot swap to a file of /var/tmp";
	self->cannot[LIMITS] = memory_cgroup(CGROUP);
	if (access(SPLIT_PAGES, W_OK))
		self->cannot[HUGE_PAGES] = "splits no huge pages";
	if (!probe_add())
		self->cannot[UPROBE] = "has no uprobes";
}

FIXTURE_TEARDOWN(siege)
{
	int i;

	for (i = 0; i < DISTURBERS; i++)
		target_stop(&self->disturbers[i]);
	for (i = 0; i < CLIENTS; i++)
		target_stop(&self->clients[i]);
	for (i = 0; i < TARGETS; i++)
		target_stop(&self->targets[i]);
	probe_enable(false);
	probe_remove();
	unlink_swap();
	rmdir(CGROUP);
	write_number(HUGEPAGES, self->nr_hugepages);
}

static bool start_siege(void)
{
	int self = make_file(sizeof(*siege), 0);

	siege = mmap(NULL, sizeof(*siege), RW, MAP_SHARED, self, 0);
	if (siege == MAP_FAILED)
		return false;
	board = &siege->board;
	siege->test = getpid();
	siege->self = self;
	siege->sizes[TEXT_FILE] = 16 * PAGE;
	siege->sizes[DISK_FILE] = 128 * PAGE;
	siege->sizes[SHMEM_FILE] = 128 * PAGE;
	siege->sizes[HUGETLB_FILE] = 2 * HUGE;
	board->all_calls = true;
	board->nr_pids = TARGETS;
	return true;
}

/* Anew for each round, so that nothing of one keeps memory of the other. */
static void open_files(void)
{
	siege->files[TEXT_FILE] = disk_file(siege->sizes[TEXT_FILE]);
	siege->files[DISK_FILE] = disk_file(siege->sizes[DISK_FILE]);
	siege->files[SHMEM_FILE] = make_file(siege->sizes[SHMEM_FILE], 0);
	siege->files[HUGETLB_FILE] = make_file(siege->sizes[HUGETLB_FILE], MFD_HUGETLB);
}

static bool text_untouched(void)
{
	char text[16 * 4096];
	ssize_t i, len = pread(siege->files[TEXT_FILE], text, sizeof(text), 0);

	for (i = 0; i < len && !text[i]; i++)
		;
	return len > 0 && i == len;
}

static void close_files(void)
{
	int i;

	for (i = 1; i < FILES; i++)
		close(siege->files[i]);
}

static void start_target(struct target *target, int which, unsigned int life)
{
	set_pid(which, 0);
	memset(siege->areas[which], 0, sizeof(siege->areas[0]));
	target_start(target);
	target_post(target, do_live, which, 10000 + life, 0);
	/* Fails where there are no cgroups. From now on it may be killed. */
	write_number(CGROUP "/cgroup.procs", target->pid);
	set_pid(which, target->pid);
	count(TARGET);
}

static void start_client(struct target *client)
{
	int fd = device_open();

	if (fd < 0)
		return fault_of("open of the device", -fd, false);
	client_start(client, fd);
	/* From now on the file is the client's alone. */
	close(fd);
}

/* A target that has ended has to be followed by another one. */
static bool has_ended(struct target *target)
{
	siginfo_t info = {};
	int status;

	if (waitid(P_PID, target->pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return false;
	status = target_reap(target);
	if (status == SIGKILL)
		count(TARGET_KILLED);
	else if (!status)
		count(TARGET_ENDED);
	else
		fault_of("the end of a target", status, true);
	return true;
}

/* Everything goes, whoever holds it. */
static void check_unlocked(struct __test_metadata *_metadata, int fd, pid_t pid)
{
	struct memlockd_status status;
	int err;

	err = unlock_all(fd, pid);
	EXPECT_TRUE(!err || err == -ENOENT || err == -ESRCH) TH_LOG("%s", strerror(-err));
	err = unlock_range(fd, pid, 0, 1UL << 47);
	EXPECT_TRUE(!err || err == -ENOENT || err == -ESRCH) TH_LOG("%s", strerror(-err));
	if (status_pid(fd, pid, &status) == -ESRCH)
		return;
	EXPECT_EQ(MEMLOCKD_STATE_UNLOCKED, status.out_state);
	EXPECT_EQ(0, status.out_holders);
	EXPECT_EQ(0, status.out_ranges);
	EXPECT_EQ(0, status.out_locked);
	EXPECT_EQ(0, status.out_pinned);
}

/* Nothing is in use, so that the module goes; in its own time. */
static void check_reload(struct __test_metadata *_metadata, int *fd)
{
	const char *ko = getenv("MEMLOCKD_KO");

	if (!ko)
		return;
	close(*fd);
	EXPECT_EQ(0, module_unload_soon());
	ASSERT_EQ(0, module_load(ko));
	count(RELOAD);
	*fd = device_open();
	ASSERT_LE(0, *fd);
}

static void start_round(struct __test_metadata *_metadata, FIXTURE_DATA(siege) *self, int round)
{
	int i;

	board->stop = 0;
	board->done = 0;
	open_files();
	for (i = 0; i < TARGETS; i++)
		start_target(&self->targets[i], i, self->lives++);
	for (i = 0; i < CLIENTS; i++)
		start_client(&self->clients[i]);
	for (i = 0; i < DISTURBERS; i++) {
		if (self->cannot[i]) {
			board->done++;
			continue;
		}
		target_start(&self->disturbers[i]);
		target_post(&self->disturbers[i], do_disturb, i, 100 * round + i, 0);
	}
}

/* Clients and targets die at any time, and others take their place. */
static void kill_some(struct __test_metadata *_metadata, FIXTURE_DATA(siege) *self, uint64_t *seed)
{
	int i;

	i = draw(seed, TARGETS);
	if (!draw(seed, 16))
		kill(self->targets[i].pid, SIGKILL);
	for (i = 0; i < TARGETS; i++) {
		if (has_ended(&self->targets[i]))
			start_target(&self->targets[i], i, self->lives++);
	}
	if (draw(seed, 16))
		return;
	i = draw(seed, CLIENTS);
	ASSERT_EQ(SIGKILL, target_stop(&self->clients[i]));
	count(CLIENT_KILLED);
	start_client(&self->clients[i]);
}

/* Whoever calls or disturbs comes to an end by itself; targets stay. */
static void stop_round(struct __test_metadata *_metadata, FIXTURE_DATA(siege) *self)
{
	long ret;
	int i;

	__atomic_store_n(&board->stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < CLIENTS; i++) {
		EXPECT_TRUE(target_result(&self->clients[i], &ret));
		target_stop(&self->clients[i]);
	}
	for (i = 0; i < DISTURBERS; i++) {
		if (self->cannot[i])
			continue;
		EXPECT_TRUE(target_result(&self->disturbers[i], &ret));
		target_stop(&self->disturbers[i]);
	}
}

static void check_round(struct __test_metadata *_metadata, FIXTURE_DATA(siege) *self)
{
	struct memlockd_info info = { .size = sizeof(info) };
	int i;

	for (i = 0; i < TARGETS; i++)
		check_unlocked(_metadata, self->fd, self->targets[i].pid);
	EXPECT_TRUE(text_untouched());
	/* Nothing depends on the end of a process to be given back. */
	EXPECT_TRUE(counters_back(&self->start));
	for (i = 0; i < TARGETS; i++)
		target_stop(&self->targets[i]);
	close_files();
	EXPECT_TRUE(counters_back(&self->start));
	EXPECT_EQ(read_field("/proc/meminfo", "HugePages_Total"),
		  read_field("/proc/meminfo", "HugePages_Free"));
	ASSERT_EQ(0, device_call(self->fd, MEMLOCKD_IOC_INFO, &info));
	EXPECT_EQ(self->info.out_locked_processes, info.out_locked_processes);
	EXPECT_EQ(self->info.out_pinned, info.out_pinned);
}

TEST_F_TIMEOUT(siege, everything_comes_back_each_time, TIMEOUT)
{
	long seconds, kills, deadline, begin = usecs();
	uint64_t seed;
	int i, round;

	ASSERT_TRUE(start_siege());
	seconds = board_setup("MEMLOCKD_SIEGE_SEED", "MEMLOCKD_SIEGE_SECONDS", MAX_SECONDS);
	seed = seed_of(0);
	for (i = 0; i < DISTURBERS; i++) {
		if (self->cannot[i])
			TH_LOG("this machine %s", self->cannot[i]);
	}
	/* Who starts targets has to get to it, and so have they. */
	setpriority(PRIO_PROCESS, 0, -10);

	for (round = 0; round < ROUNDS || usecs() < begin + seconds * 1000000; round++) {
		deadline = seconds ? usecs() + ROUND_SECONDS * 1000000 : 0;
		start_round(_metadata, self, round);
		while (__atomic_load_n(&board->done, __ATOMIC_SEQ_CST) < DISTURBERS ||
		       usecs() < deadline) {
			nap(1000 + draw(&seed, 20000));
			kill_some(_metadata, self, &seed);
		}
		stop_round(_metadata, self);
		check_round(_metadata, self);
		check_reload(_metadata, &self->fd);
	}
	kills = read_field(CGROUP "/memory.events", "oom_kill");
	TH_LOG("%d rounds, %ld ms, %ld processes killed for want of memory", round,
	       (usecs() - begin) / 1000, kills);
	print_counts();
	EXPECT_EQ(0, board->nr_faults);
}

int main(int argc, char **argv)
{
	if (argc > 5 && !strcmp(argv[1], ARG_LIFE))
		return live_again(argv);
	need_device();
	return test_harness_run(argc, argv);
}

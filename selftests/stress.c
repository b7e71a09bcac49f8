// SPDX-License-Identifier: GPL-2.0-only
/*
 * What faults_test makes a machine suffer: each stressor ends when it has done
 * its work, or has tried for long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest.h"
#include "stress.h"

#define HOG_STEP	(16 * MIB)

/* Files that are mapped shared are neither pinned nor held. */
#define FILE_ROWS	(ROW(ROW_SHARED_RO) | ROW(ROW_SHARED_RW))

/* What is pinned and not held is unmapped before the pin is found. */
#define UNHELD_ROWS	~(ROW(ROW_TMPFS) | ROW(ROW_SHARED_ANON) | ROW(ROW_MEMFD))

struct sheet *sheet;

bool set(const char *path, long value)
{
	struct setting *saved = &sheet->settings[sheet->nr_settings];
	long old = read_number(path);

	if (old < 0 || sheet->nr_settings == ARRAY_SIZE(sheet->settings))
		return false;
	snprintf(saved->path, sizeof(saved->path), "%s", path);
	saved->value = old;
	sheet->nr_settings++;
	return write_number(path, value);
}

void restore_settings(unsigned int nr)
{
	while (sheet->nr_settings > nr) {
		struct setting *saved = &sheet->settings[--sheet->nr_settings];

		write_number(saved->path, saved->value);
	}
}

typedef bool (*condition_fn)(struct scene *scene, long arg);

/* A look each 10 ms, for at most 15 s. */
static bool wait_until(condition_fn fn, struct scene *scene, long arg)
{
	int tries;

	for (tries = 0; tries < 1500; tries++) {
		if (fn(scene, arg))
			return true;
		usleep(10000);
	}
	return false;
}

static unsigned long rounds_of(enum lock lock)
{
	return __atomic_load_n(&sheet->rounds[lock], __ATOMIC_SEQ_CST);
}

static bool have_rounds(struct scene *scene, long nr)
{
	int i;

	for_each_lock(scene, i) {
		if (rounds_of(i) < scene->seen[i] + nr)
			return false;
	}
	return true;
}

void wait_for_round(struct scene *scene)
{
	int i;

	for_each_lock(scene, i)
		scene->seen[i] = rounds_of(i);
	/* The first may have begun before. */
	wait_until(have_rounds, scene, 2);
}

long old_faults(enum lock lock)
{
	long sum = 0;
	int i;

	for (i = 0; i < FIRST_NEW; i++)
		sum += sheet->cells[lock][i].minor + sheet->cells[lock][i].major;
	return sum;
}

static unsigned long present(struct scene *scene, enum lock lock)
{
	const struct memory *memory = sheet->memory[lock];
	unsigned long sum = 0;
	int i;

	for (i = 0; i < FIRST_NEW; i++)
		sum += present_bytes(scene->t[lock].pid, memory[i].addr,
				     memory[i].addr + memory[i].len);
	return sum;
}

static bool start_hog(struct scene *scene)
{
	target_start(&scene->hog);
	return set_oom_score(scene->hog.pid, 1000);
}

static const char *stress_hog(struct scene *scene)
{
	unsigned long available = read_field("/proc/meminfo", "MemAvailable") * KIB;
	unsigned long swap = read_field("/proc/meminfo", "SwapFree") * KIB;
	unsigned long rest, bytes, taken = 0;
	long addr, ret;

	if (swap < 256 * MIB)
		return "needs 256 MB of swap";
	if (available > 2048 * MIB)
		return "has too much memory to fill";
	start_hog(scene);
	rest = present(scene, NONE) / 2;
	bytes = (available + swap / 2) & -HOG_STEP;
	addr = target_call(&scene->hog, do_map, bytes, RW, MAP_PRIVATE | MAP_NORESERVE);
	if (addr < 0)
		return "has no room for a hog";
	while (taken < bytes && (taken < available / 2 || present(scene, NONE) > rest)) {
		target_post(&scene->hog, do_write, addr + taken, HOG_STEP, PAGE);
		/* It may be killed, for want of memory. */
		if (!target_result(&scene->hog, &ret))
			break;
		taken += HOG_STEP;
	}
	/* What it has made others write back in part. */
	sync();
	ksft_print_msg("%lu MB written, %lu MB were available\n", taken / MIB, available / MIB);
	return NULL;
}

static const char *stress_pageout(struct scene *scene)
{
	int i, j;

	for_each_lock(scene, i) {
		for (j = 0; j < ROWS; j++) {
			struct memory *memory = &sheet->memory[i][j];
			struct iovec iov = { (void *)memory->addr, memory->len };

			/* Refused where it is locked. */
			if (syscall(SYS_process_madvise, scene->t[i].pidfd, &iov, 1,
				    21 /* MADV_PAGEOUT */, 0) < 0 && errno == ENOSYS)
				return "has no process_madvise(2)";
		}
	}
	return NULL;
}

/* The page frames of @nr pages of a process. */
static void read_frames(pid_t pid, unsigned long addr, uint64_t frames[], unsigned long nr)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = pread(fd, frames, nr * sizeof(*frames), addr / PAGE * sizeof(*frames));
	close(fd);
	if (got != (ssize_t)(nr * sizeof(*frames)))
		ksft_perror(path);
	while (nr--)
		frames[nr] &= (1ULL << 55) - 1;
}

#define FRAMES		512

static unsigned long count_nodes(void)
{
	unsigned long nr = 0;
	char path[64];

	do {
		nr++;
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%lu", nr);
	} while (!access(path, F_OK));
	return nr;
}

/* Fill memory, then free the lower half of each node: that is where the targets will be. */
static long do_take_high(long addr, long len, long nr_nodes)
{
	uint64_t frames[FRAMES], low = UINT64_MAX, high = 0;
	long i, j;

	do_write(addr, len, PAGE);
	for (i = 0; i < len; i += FRAMES * PAGE) {
		read_frames(getpid(), addr + i, frames, FRAMES);
		for (j = 0; j < FRAMES; j++) {
			low = frames[j] < low ? frames[j] : low;
			high = frames[j] > high ? frames[j] : high;
		}
	}
	for (i = 0; i < len; i += FRAMES * PAGE) {
		read_frames(getpid(), addr + i, frames, FRAMES);
		for (j = 0; j < FRAMES; j++) {
			/* The nodes are equal. */
			if ((frames[j] - low) * nr_nodes % (high - low) < (high - low) / 2)
				madvise((void *)(addr + i + j * PAGE), PAGE, MADV_DONTNEED);
		}
	}
	return 0;
}

/* Make every second page a hole: that is where compaction will move the targets' pages. */
static long do_riddle(long addr, long len, long c)
{
	long i, step = PAGE;

	for (i = 0; i < len; i += 2 * step)
		madvise((void *)(addr + i), step, MADV_DONTNEED);
	return 0;
}

static void fragment(struct scene *scene)
{
	unsigned long len = read_field("/proc/meminfo", "MemAvailable") * KIB / 100 * 85;
	long addr;

	start_hog(scene);
	len &= -(FRAMES * PAGE);
	addr = target_call(&scene->hog, do_map_small, len, RW, MAP_PRIVATE);
	if (addr < 0)
		return;
	scene->hole = (struct memory){ addr, len };
	target_call(&scene->hog, do_take_high, addr, len, count_nodes());
	/*
	 * What it has left is in small pieces, which are what the kernel gives away first.
	 * Whether they are low or high depends on what was before: so try both ways.
	 */
	if (scene->tries % 2)
		return;
	addr = target_call(&scene->hog, do_map_small, len / 8, RW, MAP_PRIVATE);
	if (addr > 0)
		target_call(&scene->hog, do_write, addr, len / 8, PAGE);
}

static const char *compact(struct scene *scene, long unevictable)
{
	unsigned long heap = sheet->memory[NONE][ROW_HEAP].addr;
	uint64_t before[FRAMES], after[FRAMES];
	int i;

	if (!scene->hole.len)
		return "has no room for a fragmenter";
	if (!set(VM("compact_unevictable_allowed"), unevictable))
		return "has no vm.compact_unevictable_allowed";
	read_frames(scene->t[NONE].pid, heap, before, FRAMES);
	target_call(&scene->hog, do_riddle, scene->hole.addr, scene->hole.len, 0);
	write_number(VM("compact_memory"), 1);
	wait_for_round(scene);
	read_frames(scene->t[NONE].pid, heap, after, FRAMES);
	for (i = 0; i < FRAMES; i++)
		scene->moved += before[i] != after[i];
	ksft_print_msg("%ld pages of the unlocked heap moved so far\n", scene->moved);
	return NULL;
}

static const char *stress_compaction_of_all(struct scene *scene)
{
	return compact(scene, 1);
}

static const char *stress_compaction(struct scene *scene)
{
	return compact(scene, 0);
}

static const char *stress_fork(struct scene *scene)
{
	long pid;
	int i, j;

	for_each_lock(scene, i) {
		for (j = 0; j < CHILDREN; j++) {
			pid = target_call(&scene->t[i], do_fork, 0, 0, 0);
			if (pid < 0) {
				ksft_print_msg("fork: %s\n", strerror(-pid));
				break;
			}
			scene->children[i][j] = pid;
		}
	}
	return NULL;
}

static bool all_merged(struct scene *scene, long pages)
{
	return read_number(KSM("pages_sharing")) >= pages;
}

static bool ksm_scanned(struct scene *scene, long nr)
{
	return read_number(KSM("full_scans")) >= nr;
}

static const char *stress_ksm(struct scene *scene)
{
	if (read_number(KSM("run")) < 0)
		return "merges no pages";
	set(KSM("pages_to_scan"), 10000);
	set(KSM("sleep_millisecs"), 1);
	set(KSM("run"), 1);
	/* Nearly all pages of one; then the others have had their turn as well. */
	if (!wait_until(all_merged, scene, sheet->memory[NONE][ROW_HEAP].len / PAGE * 9 / 10))
		return "has merged no pages";
	wait_until(ksm_scanned, scene, read_number(KSM("full_scans")) + 3);
	ksft_print_msg("%ld pages merged\n", read_number(KSM("pages_sharing")));
	return NULL;
}

static const char *stress_drop_caches(struct scene *scene)
{
	int i;

	for (i = 0; i < 5; i++) {
		write_number(VM("drop_caches"), 3);
		wait_for_round(scene);
	}
	return NULL;
}

static const char *stress_sync(struct scene *scene)
{
	int i;

	for (i = 0; i < 5; i++) {
		sync();
		wait_for_round(scene);
	}
	return NULL;
}

static bool collapsed(struct scene *scene, long nr)
{
	return read_number(THP("khugepaged/pages_collapsed")) >= nr;
}

static bool thp_scanned(struct scene *scene, long nr)
{
	return read_number(THP("khugepaged/full_scans")) >= nr;
}

static const char *stress_thp(struct scene *scene)
{
	long before = read_number(THP("khugepaged/pages_collapsed"));

	if (before < 0)
		return "has no transparent huge pages";
	set(THP("khugepaged/pages_to_scan"), 65536);
	set(THP("khugepaged/alloc_sleep_millisecs"), 10);
	set(THP("khugepaged/scan_sleep_millisecs"), 10);
	if (!wait_until(collapsed, scene,
			before + sheet->memory[NONE][ROW_THP_HEAP].len / (2 * MIB)))
		return "has collapsed no pages";
	wait_until(thp_scanned, scene, read_number(THP("khugepaged/full_scans")) + 3);
	wait_for_round(scene);
	ksft_print_msg("%ld huge pages\n", read_number(THP("khugepaged/pages_collapsed")) - before);
	return NULL;
}

static bool all_movable_fault(struct scene *scene, long arg)
{
	return old_faults(NONE) && old_faults(MLOCKALL);
}

static bool pages_scanned(struct scene *scene, long nr)
{
	return read_field("/proc/vmstat", "numa_pte_updates") >= nr;
}

static const char *stress_numa(struct scene *scene)
{
	long before = read_field("/proc/vmstat", "numa_pte_updates");

	if (access("/sys/devices/system/node/node1", F_OK) ||
	    read_number(NUMA_BALANCING) < 0)
		return "has one node, or balances none";
	set(NUMA("scan_delay_ms"), 10);
	set(NUMA("scan_period_min_ms"), 10);
	set(NUMA("scan_period_max_ms"), 100);
	set(NUMA_BALANCING, 1);
	if (!wait_until(all_movable_fault, scene, 0))
		return "has balanced nothing";
	/* About all of each once. */
	wait_until(pages_scanned, scene, before + 3 * 16 * MIB / PAGE);
	wait_for_round(scene);
	ksft_print_msg("%ld pages made to fault\n",
		       read_field("/proc/vmstat", "numa_pte_updates") - before);
	return NULL;
}

/* Move all that is on one node to the other, and back. */
static const char *stress_migrate_pages(struct scene *scene)
{
	int i, j;

	if (count_nodes() < 2)
		return "has one node";
	for (i = 0; i < 6; i++) {
		unsigned long from = 1UL << i % 2, to = 1UL << (i + 1) % 2;

		for_each_lock(scene, j)
			syscall(SYS_migrate_pages, scene->t[j].pid, 64, &from, &to);
		wait_for_round(scene);
	}
	return NULL;
}

/* The same, page by page. */
static void move_pages_of(pid_t pid, const struct memory *memory, int node)
{
	static int nodes[FRAMES], status[FRAMES];
	static void *pages[FRAMES];
	unsigned long i, nr, at;

	for (at = 0; at < memory->len; at += nr * PAGE) {
		nr = (memory->len - at) / PAGE;
		nr = nr < FRAMES ? nr : FRAMES;
		for (i = 0; i < nr; i++) {
			pages[i] = (void *)(memory->addr + at + i * PAGE);
			nodes[i] = node;
		}
		syscall(SYS_move_pages, pid, nr, pages, nodes, status, 4 /* MPOL_MF_MOVE_ALL */);
	}
}

static const char *stress_move_pages(struct scene *scene)
{
	int i, j, k;

	if (count_nodes() < 2)
		return "has one node";
	for (i = 0; i < 6; i++) {
		for_each_lock(scene, j) {
			for (k = 0; k < ROWS; k++)
				move_pages_of(scene->t[j].pid, &sheet->memory[j][k], i % 2);
		}
		wait_for_round(scene);
	}
	return NULL;
}

/* Take the right to write from what has it, and give it back. */
static const char *stress_mprotect(struct scene *scene)
{
	struct memory *memory;
	int i, j;

	for_each_lock(scene, i) {
		for (j = 0; j < ROWS; j++) {
			memory = &sheet->memory[i][j];
			if (j == ROW_LIBRARY || j == ROW_FILE_RO || j == ROW_SHARED_RO ||
			    !memory->len)
				continue;
			target_call(&scene->t[i], do_protect, memory->addr, memory->len, PROT_READ);
			target_call(&scene->t[i], do_protect, memory->addr, memory->len, RW);
		}
	}
	return NULL;
}

static const char *stress_soft_dirty(struct scene *scene)
{
	char path[64];
	int i;

	for_each_lock(scene, i) {
		snprintf(path, sizeof(path), "/proc/%d/clear_refs", scene->t[i].pid);
		if (!write_number(path, 4))
			return "has no soft-dirty bits";
	}
	return NULL;
}

const struct stressor stressors[] = {
	{ .name = "hog", .run = stress_hog, .control = true },
	{ .name = "pageout", .run = stress_pageout, .control = true },
	/* A page that is moved faults only when it is touched in that moment. */
	{
		.name = "compaction-1", .prepare = fragment, .run = stress_compaction_of_all,
		.meanwhile = true, .again = true, .excused = FILE_ROWS,
	},
	{
		.name = "compaction-0", .prepare = fragment, .run = stress_compaction,
		.meanwhile = true, .again = true,
	},
	{ .name = "fork", .run = stress_fork, .control = true },
	{ .name = "ksm", .run = stress_ksm, .special = MERGEABLE, .control = true },
	/* What is mapped is not dropped. */
	{ .name = "drop-caches", .run = stress_drop_caches, .meanwhile = true },
	{ .name = "sync", .run = stress_sync, .meanwhile = true, .control = true },
	/* As with compaction. */
	{ .name = "thp", .run = stress_thp, .special = COLLAPSIBLE, .meanwhile = true },
	{ .name = "numa", .run = stress_numa, .meanwhile = true, .control = true },
	/* As with compaction. */
	{
		.name = "migrate-pages", .run = stress_migrate_pages, .meanwhile = true,
		.excused = UNHELD_ROWS, .control = true,
	},
	{
		.name = "move-pages", .run = stress_move_pages, .meanwhile = true,
		.excused = UNHELD_ROWS, .control = true,
	},
	/* What was writable is made so again, mostly. */
	{ .name = "mprotect", .run = stress_mprotect },
	{ .name = "soft-dirty", .run = stress_soft_dirty, .control = true },
};

const unsigned int nr_stressors = ARRAY_SIZE(stressors);

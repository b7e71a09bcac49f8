// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lock from outside is invisible to the program: two processes make the same system
 * calls, drawn at random, one of them locked by us. Results, error numbers and all that
 * they see of their memory are compared after each call.
 *
 * MEMLOCKD_TRANSPARENCY_SEED: the seed that an earlier run printed.
 * MEMLOCKD_TRANSPARENCY_SECONDS: go on with further seeds for so long, in each state.
 * MEMLOCKD_TRANSPARENCY_STEPS: so many calls of a seed; 250, unless fewer are wanted.
 */
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>

#include "kselftest_harness.h"
#include "transparency.h"

#define STEPS	250
#define TIMEOUT	(6 * 3600)		/* what hangs in a long run; the runner has its own */
#define LAST	6			/* steps that are printed with a difference */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

/*
 * What may differ, and why; nothing else may.
 *
 * - What MADV_COLLAPSE returns: whether small pages can become a huge one depends on how
 *   mappings are cut, on free memory and on who else holds the pages; a pin does.
 * - Which of both MADV_FREE leaves, the old contents or zeros: free_lazily() accepts
 *   either, at any time.
 * - Two neighbouring mappings that differ by what only the process or only we have
 *   locked, or have taken from the merging of pages, may be one mapping in one of the
 *   processes, and two in the other.  Before Linux 6.17 mremap(2) tells that, and
 *   remap_file_pages(2) still does: such calls are left out.
 * - What another writes to a file that is mapped privately: POSIX leaves open whether
 *   it is seen.  Nobody writes to these files here.
 * - mincore(2), /proc and the time that a call takes: these are not looked at.
 */
static bool result_may_differ(const struct step *step)
{
	return step->what == CALL_ADVISE && step->arg == MADV_COLLAPSE;
}

/* How many mappings there are between the two. */
static int pieces(pid_t pid, unsigned long start, unsigned long end)
{
	unsigned long from, to;
	char path[32], *line = NULL;
	size_t room = 0;
	FILE *file;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	while (file && getline(&line, &room, file) > 0) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from < end && to > start)
			nr++;
	}
	free(line);
	if (file)
		fclose(file);
	return nr;
}

static bool cut_differently(const struct step *step, pid_t one, pid_t other)
{
	unsigned long end = step->addr + step->len;

	return (step->what == CALL_MOVE || step->what == CALL_REMAP_PAGES) &&
	       (pieces(one, step->addr, end) > 1) != (pieces(other, step->addr, end) > 1);
}

/* ---- drawing a call ---- */

static const struct {
	const char *name;
	int value;
} advices[] = {
	{ "NORMAL", MADV_NORMAL }, { "RANDOM", MADV_RANDOM }, { "SEQUENTIAL", MADV_SEQUENTIAL },
	{ "WILLNEED", MADV_WILLNEED }, { "REMOVE", MADV_REMOVE }, { "DONTFORK", MADV_DONTFORK },
	{ "DOFORK", MADV_DOFORK }, { "MERGEABLE", MADV_MERGEABLE },
	{ "UNMERGEABLE", MADV_UNMERGEABLE }, { "HUGEPAGE", MADV_HUGEPAGE },
	{ "NOHUGEPAGE", MADV_NOHUGEPAGE }, { "DONTDUMP", MADV_DONTDUMP },
	{ "DODUMP", MADV_DODUMP }, { "WIPEONFORK", MADV_WIPEONFORK },
	{ "KEEPONFORK", MADV_KEEPONFORK }, { "COLD", MADV_COLD }, { "PAGEOUT", MADV_PAGEOUT },
	{ "POPULATE_READ", MADV_POPULATE_READ }, { "POPULATE_WRITE", MADV_POPULATE_WRITE },
	{ "DONTNEED_LOCKED", 24 }, { "COLLAPSE", MADV_COLLAPSE },
	{ "GUARD_INSTALL", MADV_GUARD_INSTALL }, { "GUARD_REMOVE", MADV_GUARD_REMOVE },
	/* What no kernel knows.  Those that break pages on purpose are for the machine's owner. */
	{ "5", 5 }, { "77", 77 }, { "-1", -1 },
	/* What programs live on. */
	{ "DONTNEED", MADV_DONTNEED }, { "DONTNEED", MADV_DONTNEED },
	{ "DONTNEED", MADV_DONTNEED }, { "DONTNEED", MADV_DONTNEED },
	{ "DONTNEED", MADV_DONTNEED }, { "DONTNEED", MADV_DONTNEED },
};

static const struct {
	const char *name;
	unsigned int weight;
} calls[CALLS] = {
	[CALL_MAP] = { "mmap", 10 }, [CALL_UNMAP] = { "munmap", 2 },
	[CALL_PROTECT] = { "mprotect", 8 }, [CALL_MOVE] = { "mremap", 10 },
	[CALL_ADVISE] = { "madvise", 36 }, [CALL_FREE] = { "madvise FREE", 3 },
	[CALL_SYNC] = { "msync", 3 }, [CALL_MLOCK] = { "mlock2", 3 },
	[CALL_MUNLOCK] = { "munlock", 3 }, [CALL_MLOCKALL] = { "mlockall", 1 },
	[CALL_SET_BRK] = { "brk", 3 }, [CALL_REMAP_PAGES] = { "remap_file_pages", 1 },
	[CALL_SHMAT] = { "shmat", 1 }, [CALL_SHMDT] = { "shmdt", 1 },
	[CALL_MERGE] = { "prctl SET_MEMORY_MERGE", 1 }, [CALL_WRITE] = { "write to memory", 12 },
	[CALL_TRUNCATE] = { "ftruncate", 1 }, [CALL_READ_FILE] = { "read into memory", 2 },
	[CALL_FORK] = { "fork", 2 }, [CALL_ANYWHERE] = { "mmap anywhere", 2 },
};

static enum what draw_what(uint64_t *seed)
{
	unsigned int sum = 0, pick;
	enum what what;

	for (what = 0; what < CALLS; what++)
		sum += calls[what].weight;
	pick = draw(seed, sum);
	for (what = 0; pick >= calls[what].weight; what++)
		pick -= calls[what].weight;
	return what;
}

/* Some pages; a quarter of the time of the huge page. */
static unsigned long draw_pages(uint64_t *seed, unsigned int most, unsigned long *len)
{
	unsigned int first, nr;

	if (!draw(seed, 4)) {
		first = draw(seed, 8) * (HUGE_PAGES / 8);
		nr = draw(seed, 3) ? HUGE_PAGES / 8 * (1 + draw(seed, 8)) : 1 + draw(seed, 8);
	} else {
		first = HUGE_PAGES + draw(seed, SMALL_PAGES);
		nr = 1 + draw(seed, draw(seed, 4) ? 12 : SMALL_PAGES);
	}
	if (nr > most)
		nr = most;
	if (nr > AREA_PAGES - first)
		nr = AREA_PAGES - first;
	*len = nr * PAGE;
	return AREA + first * PAGE;
}

/* What no program should pass. */
static void spoil(uint64_t *seed, struct step *step)
{
	switch (draw(seed, 6)) {
	case 0:
		step->addr += 1 + draw(seed, PAGE - 1);
		break;
	case 1:
		step->len -= 1 + draw(seed, PAGE - 1);
		break;
	case 2:
		step->len = 0;
		break;
	case 3:
		step->len = -PAGE * (1 + draw(seed, 2));
		break;
	case 4:
		step->addr = 0xffff800000000000UL;
		break;
	case 5:
		/* Into what follows, where nothing is mapped. */
		step->len = AREA + (AREA_PAGES + 2) * PAGE - step->addr;
		break;
	}
}

static void draw_move(uint64_t *seed, struct step *step)
{
	unsigned long len;

	step->to = draw_pages(seed, AREA_PAGES, &len);
	step->arg = step->len;
	step->flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	switch (draw(seed, 8)) {
	case 0:
		step->flags |= MREMAP_DONTUNMAP;
		break;
	case 1:				/* shrink and move */
		step->arg = (step->len / PAGE / 2 ?: 1) * PAGE;
		break;
	case 2:				/* grow and move */
		step->arg = step->len + PAGE * (1 + draw(seed, 8));
		break;
	case 3:				/* shrink in place */
		step->arg = (step->len / PAGE / 2 ?: 1) * PAGE;
		step->flags = 0;
		break;
	case 4:				/* grow in place, if there is room */
		step->arg = step->len + PAGE * (1 + draw(seed, 8));
		step->flags = 0;
		break;
	}
	/* What is moved stays where it is compared. */
	if (step->to + step->arg > AREA + AREA_PAGES * PAGE)
		step->to = AREA + AREA_PAGES * PAGE - step->arg;
	if (step->addr + step->arg > AREA + AREA_PAGES * PAGE)
		step->arg = step->len;
}

static void draw_step(uint64_t *seed, struct step *step)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC,
	};
	static const int syncs[] = {
		MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_INVALIDATE | MS_SYNC,
		MS_INVALIDATE | MS_ASYNC, MS_SYNC | MS_ASYNC, 0, 1 << 7,
	};
	static const int locks[] = {
		0, 0, 0, 0, MCL_CURRENT, MCL_FUTURE, MCL_CURRENT | MCL_FUTURE,
		MCL_FUTURE | MCL_ONFAULT, MCL_ONFAULT, 1 << 7,
	};
	static const int extras[] = {
		0, 0, 0, 0, 0, MAP_POPULATE, MAP_NORESERVE, MAP_LOCKED,
	};

	*step = (struct step){ .what = draw_what(seed) };
	step->addr = draw_pages(seed, AREA_PAGES, &step->len);
	switch (step->what) {
	case CALL_MAP:
		step->arg = draw(seed, 2) ? ANONYMOUS : draw(seed, SOURCES);
		step->to = draw(seed, FILE_PAGES) * PAGE | prots[draw(seed, ARRAY_SIZE(prots))];
		step->flags = extras[draw(seed, ARRAY_SIZE(extras))];
		step->flags |= draw(seed, 8) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
		break;
	case CALL_PROTECT:
		step->arg = prots[draw(seed, ARRAY_SIZE(prots))];
		break;
	case CALL_MOVE:
		draw_move(seed, step);
		break;
	case CALL_ADVISE:
		step->arg = advices[draw(seed, ARRAY_SIZE(advices))].value;
		break;
	case CALL_SYNC:
		step->flags = syncs[draw(seed, ARRAY_SIZE(syncs))];
		break;
	case CALL_MLOCK:
		step->flags = draw(seed, 3) ? 0 : 1 + draw(seed, 2);
		break;
	case CALL_MLOCKALL:
		step->flags = locks[draw(seed, ARRAY_SIZE(locks))];
		break;
	case CALL_SET_BRK:
		step->len = draw(seed, HEAP_PAGES + 1) * PAGE - draw(seed, 2) * 8;
		if ((long)step->len < 0)
			step->len = 0;
		break;
	case CALL_REMAP_PAGES:
	case CALL_READ_FILE:
		step->to = draw(seed, FILE_PAGES) * PAGE;
		break;
	case CALL_SHMAT:
		step->flags = draw(seed, 4) ? SHM_REMAP : 0;
		break;
	case CALL_MERGE:
		step->arg = draw(seed, 3);
		break;
	case CALL_WRITE:
		step->arg = !draw(seed, 6);	/* to the heap */
		step->addr += draw(seed, 3) ? 0 : draw(seed, PAGE / 64) * 64;
		step->len = draw(seed, 3) ? step->len : 64;
		step->to = draw(seed, ~0U);
		break;
	case CALL_TRUNCATE:
		step->arg = SHARED_DISK + draw(seed, 2);
		step->len = draw(seed, FILE_PAGES + 1) * PAGE - draw(seed, 2) * 100;
		if ((long)step->len < 0)
			step->len = 0;
		break;
	case CALL_FORK:
		step->len = step->len > 4 * PAGE ? 4 * PAGE : step->len;
		break;
	case CALL_ANYWHERE:
		step->to = draw(seed, 16) * PAGE;
		break;
	default:
		break;
	}
	/* Elsewhere it might hit what nobody compares. */
	if ((step->what == CALL_ADVISE || step->what == CALL_SYNC || step->what == CALL_MLOCK ||
	     step->what == CALL_PROTECT || step->what == CALL_MOVE) && !draw(seed, 8))
		spoil(seed, step);
}

static const char *advice_name(long advice)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		if (advices[i].value == advice)
			return advices[i].name;
	}
	return "?";
}

static void print_step(unsigned int nr, const struct step *step)
{
	char result[2][64];
	int i;

	for (i = 0; i < 2; i++) {
		long ret = worlds->world[i].result;

		if (ret < 0)
			snprintf(result[i], sizeof(result[i]), "%s", strerror(-ret));
		else
			snprintf(result[i], sizeof(result[i]), "%#lx", ret);
	}
	printf("# %u: %s %s of page %ld, %#lx bytes; to %#lx, argument %ld, flags %#lx: %s; %s\n",
	       nr, calls[step->what].name, step->what == CALL_ADVISE ? advice_name(step->arg) : "",
	       (long)(step->addr - AREA) / (long)PAGE, step->len, step->to, step->arg,
	       step->flags, result[0], result[1]);
}

/* ---- comparing ---- */

/* How many pages the two see differently; the first of them is printed. */
static int differences(void)
{
	const struct view *one = worlds->world[0].pages, *other = worlds->world[1].pages;
	int i, nr = 0;

	for (i = 0; i < VIEW_PAGES; i++) {
		if (one[i].sum == other[i].sum && one[i].fault == other[i].fault)
			continue;
		if (!nr++)
			printf("# page %d%s: unlocked %s (%#x) %#llx, locked %s (%#x) %#llx\n",
			       i < AREA_PAGES ? i : i - AREA_PAGES,
			       i < AREA_PAGES ? "" : " of the heap",
			       one[i].fault ? "faults" : "reads", one[i].fault,
			       (unsigned long long)one[i].sum,
			       other[i].fault ? "faults" : "reads", other[i].fault,
			       (unsigned long long)other[i].sum);
	}
	return nr;
}

static bool same(const struct step *step)
{
	const struct world *one = &worlds->world[0], *other = &worlds->world[1];

	if (one->result == -EPROTO || other->result == -EPROTO)
		return false;
	if (!result_may_differ(step) &&
	    (one->result != other->result || one->second != other->second))
		return false;
	return !differences();
}

FIXTURE(transparency)
{
	struct counters start;
	struct target target[2];	/* the second one is locked */
	uint64_t first_seed;
	long seconds;
	unsigned int steps;
	int fd;
};

FIXTURE_VARIANT(transparency)
{
	int state;
	int flags;
	bool in_turns;
};

/* Whether two processes that nobody locks do the same: else the test says nothing. */
FIXTURE_VARIANT_ADD(transparency, control) {
	.state = MEMLOCKD_STATE_UNLOCKED,
};

FIXTURE_VARIANT_ADD(transparency, movable) {
	.state = L, .flags = LIKE_MLOCKALL,
};

FIXTURE_VARIANT_ADD(transparency, locked) {
	.state = L, .flags = CURRENT_FUTURE,
};

FIXTURE_VARIANT_ADD(transparency, superlocked) {
	.state = S, .flags = CURRENT_FUTURE,
};

/* Locked, superlocked and unlocked again and again meanwhile. */
FIXTURE_VARIANT_ADD(transparency, in_turns) {
	.state = S, .flags = CURRENT_FUTURE, .in_turns = true,
};

FIXTURE_SETUP(transparency)
{
	const char *seed = getenv("MEMLOCKD_TRANSPARENCY_SEED");
	const char *seconds = getenv("MEMLOCKD_TRANSPARENCY_SECONDS");
	const char *steps = getenv("MEMLOCKD_TRANSPARENCY_STEPS");

	self->fd = device_open();
	ASSERT_LE(0, self->fd);
	self->first_seed = seed ? strtoul(seed, NULL, 0) : 1;
	self->seconds = seconds ? atol(seconds) : 0;
	self->steps = steps ? atol(steps) : STEPS;
	ASSERT_GE(STEPS, self->steps);
	worlds = mmap(NULL, sizeof(*worlds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, worlds);
	counters_start(&self->start);
}

FIXTURE_TEARDOWN(transparency)
{
	target_stop(&self->target[0]);
	target_stop(&self->target[1]);
	EXPECT_TRUE(counters_back(&self->start));
}

/* Another state, now and then. */
static int change_state(FIXTURE_DATA(transparency) *self, uint64_t *seed)
{
	pid_t pid = self->target[1].pid;
	int err;

	switch (draw(seed, 4)) {
	case 0:
		err = unlock_pid(self->fd, pid);
		return err == -ENOENT ? 0 : err;
	case 1:
		return lock_pid(self->fd, pid, L, LIKE_MLOCKALL, NULL);
	case 2:
		return lock_pid(self->fd, pid, L, CURRENT_FUTURE, NULL);
	default:
		return lock_pid(self->fd, pid, S, CURRENT_FUTURE, NULL);
	}
}

/* One sequence of calls; false when the two have differed. */
static bool run(struct __test_metadata *_metadata, FIXTURE_DATA(transparency) *self,
		const FIXTURE_VARIANT(transparency) *variant, uint64_t number)
{
	uint64_t seed = number * 0x9e3779b97f4a7c15ULL | 1;
	unsigned int nr, i, left_out = 0, failed = 0;
	struct step *step = &worlds->step;
	struct step steps[STEPS];
	bool good = true;

	for (i = 0; i < 2; i++) {
		target_start(&self->target[i]);
		if (target_call(&self->target[i], do_world_setup, i, 0, 0)) {
			TH_LOG("process %u cannot map what it is to try", i);
			return false;
		}
	}
	if (variant->state && lock_pid(self->fd, self->target[1].pid, variant->state,
				       variant->flags, NULL)) {
		TH_LOG("it cannot be locked");
		return false;
	}
	for (nr = 0; nr < self->steps && good; nr++) {
		if (variant->in_turns && !draw(&seed, 12) && change_state(self, &seed)) {
			TH_LOG("it cannot be locked or unlocked");
			good = false;
		}
		draw_step(&seed, step);
		steps[nr] = *step;
		if (cut_differently(step, self->target[0].pid, self->target[1].pid)) {
			left_out++;
			continue;
		}
		for (i = 0; i < 2; i++)
			target_call(&self->target[i], do_world_step, i, 0, 0);
		failed += worlds->world[0].result < 0;
		good = good && same(step);
	}
	TH_LOG("MEMLOCKD_TRANSPARENCY_SEED=%llu: %u calls, of which %u failed and %u were left out",
	       (unsigned long long)number, nr, failed, left_out);
	if (!good) {
		TH_LOG("they differ after the last of these: unlocked; locked");
		for (i = nr > LAST ? nr - LAST : 0; i < nr - 1; i++)
			printf("# %u: %s %s of page %ld, %#lx bytes\n", i,
			       calls[steps[i].what].name,
			       steps[i].what == CALL_ADVISE ? advice_name(steps[i].arg) : "",
			       (long)(steps[i].addr - AREA) / (long)PAGE, steps[i].len);
		print_step(nr - 1, step);
	}
	for (i = 0; i < 2; i++)
		target_stop(&self->target[i]);
	return good;
}

TEST_F_TIMEOUT(transparency, a_lock_changes_no_result_and_no_content, TIMEOUT)
{
	time_t end = time(NULL) + self->seconds;
	uint64_t number = self->first_seed;

	do {
		EXPECT_TRUE(run(_metadata, self, variant, number));
	} while (++number && time(NULL) < end && !_metadata->exit_code);
}

int main(int argc, char **argv)
{
	need_device();
	return test_harness_run(argc, argv);
}

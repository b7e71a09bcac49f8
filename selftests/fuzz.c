// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making calls from random numbers.  Each structure is described field by field: of
 * what kind it is says which values are right, and which are at a limit.
 *
 * A call begins as a right one; most of them stay so, the others get up to three
 * fields of other values, a pointer or a number that is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "fuzz.h"

enum kind {
	SIZE, FLAGS, TYPE, TARGET, STATE, ZERO, STACK, ADDR, LEN, START, ROWS, NR_ROWS, ROW_SIZE,
	KINDS, EVENT_SIZE, MATCH, EVENTS, LOCK_FLAGS, PRIORITY, USER, RULE,
};

struct field {
	unsigned char at, width, kind;
};

#define FIELD(type, name, kind)	{ offsetof(struct type, name), \
				  sizeof(((struct type *)0)->name), kind }
#define FIELDS		12
#define ALL_KINDS	(2 * MEMLOCKD_EVENT_RULE_FAILED - 1)

/* Each structure begins so; and goes on so, if the call has a target. */
static const struct field begin[] = {
	FIELD(memlockd_unlock, size, SIZE), FIELD(memlockd_unlock, flags, FLAGS),
};

static const struct field whom[] = {
	FIELD(memlockd_unlock, target_type, TYPE), FIELD(memlockd_unlock, target, TARGET),
};

/**
 * struct spec - an ioctl and its structure
 * @out: where the fields begin that the driver writes
 * @often: how often it is called
 * @row: size of its rows
 * @whom: it has a target
 * @fields: what else the caller fills in; unused ones have no width
 */
static const struct spec {
	const char *name;
	unsigned int cmd;
	unsigned int size;
	unsigned int out;
	unsigned int often;
	unsigned int row;
	bool whom;
	struct field fields[FIELDS];
} specs[FUZZ_CMDS + 1] = {
	{ "INFO", MEMLOCKD_IOC_INFO, sizeof(struct memlockd_info),
	  offsetof(struct memlockd_info, out_version), 2, 0, false, { } },
	{ "LOCK", MEMLOCKD_IOC_LOCK, sizeof(struct memlockd_lock),
	  offsetof(struct memlockd_lock, out_limit), 10, 0, true, {
		FIELD(memlockd_lock, state, STATE), FIELD(memlockd_lock, reserved, ZERO),
		FIELD(memlockd_lock, stack_reserve, STACK),
	} },
	{ "UNLOCK", MEMLOCKD_IOC_UNLOCK, sizeof(struct memlockd_unlock),
	  sizeof(struct memlockd_unlock), 6, 0, true, { } },
	{ "STATUS", MEMLOCKD_IOC_STATUS, sizeof(struct memlockd_status),
	  offsetof(struct memlockd_status, out_state), 4, 0, true, { } },
	{ "MAPPINGS", MEMLOCKD_IOC_MAPPINGS, sizeof(struct memlockd_mappings),
	  offsetof(struct memlockd_mappings, out_rows), 4, sizeof(struct memlockd_mapping), true, {
		FIELD(memlockd_mappings, start, START), FIELD(memlockd_mappings, rows, ROWS),
		FIELD(memlockd_mappings, nr_rows, NR_ROWS),
		FIELD(memlockd_mappings, row_size, ROW_SIZE),
	} },
	{ "SYNC", MEMLOCKD_IOC_SYNC, sizeof(struct memlockd_sync),
	  offsetof(struct memlockd_sync, out_locked), 4, 0, true, { } },
	{ "LIST", MEMLOCKD_IOC_LIST, sizeof(struct memlockd_list),
	  offsetof(struct memlockd_list, out_rows), 4, sizeof(struct memlockd_holder), false, {
		FIELD(memlockd_list, start, START), FIELD(memlockd_list, rows, ROWS),
		FIELD(memlockd_list, nr_rows, NR_ROWS), FIELD(memlockd_list, row_size, ROW_SIZE),
	} },
	{ "LOCK_RANGE", MEMLOCKD_IOC_LOCK_RANGE, sizeof(struct memlockd_range),
	  offsetof(struct memlockd_range, out_limit), 8, 0, true, {
		FIELD(memlockd_range, state, STATE), FIELD(memlockd_range, reserved, ZERO),
		FIELD(memlockd_range, addr, ADDR), FIELD(memlockd_range, len, LEN),
	} },
	{ "UNLOCK_RANGE", MEMLOCKD_IOC_UNLOCK_RANGE, sizeof(struct memlockd_range),
	  offsetof(struct memlockd_range, out_limit), 6, 0, true, {
		FIELD(memlockd_range, state, STATE), FIELD(memlockd_range, reserved, ZERO),
		FIELD(memlockd_range, addr, ADDR), FIELD(memlockd_range, len, LEN),
	} },
	{ "SUBSCRIBE", MEMLOCKD_IOC_SUBSCRIBE, sizeof(struct memlockd_subscribe),
	  sizeof(struct memlockd_subscribe), 3, 0, true, {
		FIELD(memlockd_subscribe, kinds, KINDS),
		FIELD(memlockd_subscribe, event_size, EVENT_SIZE),
	} },
	{ "RULE_ADD", MEMLOCKD_IOC_RULE_ADD, sizeof(struct memlockd_rule),
	  offsetof(struct memlockd_rule, out_id), 3, 0, false, {
		FIELD(memlockd_rule, match, MATCH), FIELD(memlockd_rule, events, EVENTS),
		FIELD(memlockd_rule, state, STATE), FIELD(memlockd_rule, lock_flags, LOCK_FLAGS),
		FIELD(memlockd_rule, stack_reserve, STACK),
		FIELD(memlockd_rule, priority, PRIORITY), FIELD(memlockd_rule, executable, ZERO),
		FIELD(memlockd_rule, cgroup, ZERO), FIELD(memlockd_rule, uid, USER),
	} },
	{ "RULE_DEL", MEMLOCKD_IOC_RULE_DEL, sizeof(struct memlockd_rule_del),
	  sizeof(struct memlockd_rule_del), 3, 0, false, {
		FIELD(memlockd_rule_del, id, RULE),
	} },
	{ "RULES", MEMLOCKD_IOC_RULES, sizeof(struct memlockd_rules),
	  offsetof(struct memlockd_rules, out_rows), 3, sizeof(struct memlockd_rule_row), false, {
		FIELD(memlockd_rules, start, START), FIELD(memlockd_rules, rows, ROWS),
		FIELD(memlockd_rules, nr_rows, NR_ROWS), FIELD(memlockd_rules, row_size, ROW_SIZE),
	} },
	{ "no ioctl", 0, sizeof(struct memlockd_lock), 0, 1, 0, true, { } },
};

/* Of the first version of its structure. */
static unsigned int first_size(const struct spec *spec)
{
	return spec->cmd == MEMLOCKD_IOC_STATUS ?
	       offsetof(struct memlockd_status, out_real_minor_faults) : spec->size;
}

/* The driver knows no more than these of each structure. */
union args {
	struct memlockd_lock lock;
	struct memlockd_unlock whom;
	struct memlockd_mappings mappings;
	struct memlockd_list list;
	struct memlockd_range range;
	struct memlockd_subscribe subscribe;
	struct memlockd_rule rule;
	unsigned char bytes[FUZZ_ARG];
};

/*
 * The memory of a fuzzer: a page for structures, one that nobody can touch, one that
 * cannot be written, pages for rows, and again one that nobody can touch.
 */
#define ROW_PAGES	4
#define ARGS(mem)	(mem)
#define HOLE(mem)	((mem) + PAGE)
#define READ_ONLY(mem)	((mem) + 2 * PAGE)
#define ROW_MEM(mem)	((mem) + 3 * PAGE)
#define ROW_END(mem)	((mem) + (3 + ROW_PAGES) * PAGE)
#define FILL		0xa5

/* What is drawn for one call. */
struct draft {
	const struct spec *spec;
	const pid_t *pids;
	bool super;
	unsigned int type;
	int target;
	bool right_fd;
	int to_close;
	union args args;
};

void fuzzer_setup(struct fuzzer *fuzzer)
{
	const struct memlockd_info info = { .size = sizeof(info) };
	unsigned char *mem;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;

#ifdef MAP_32BIT
	flags |= MAP_32BIT;
#endif
	mem = mmap(NULL, (4 + ROW_PAGES) * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (mem == MAP_FAILED) {
		ksft_perror("mmap");
		_exit(KSFT_FAIL);
	}
	memcpy(READ_ONLY(mem), &info, sizeof(info));
	if (mprotect(HOLE(mem), PAGE, PROT_NONE) || mprotect(READ_ONLY(mem), PAGE, PROT_READ) ||
	    mprotect(ROW_END(mem), PAGE, PROT_NONE))
		ksft_perror("mprotect");
	fuzzer->mem = mem;
}

/* As a 32-bit program would: with the numbers and the pointers of those. */
static bool compat_call(int fd, unsigned int cmd, uint64_t at, int *err)
{
#ifdef __x86_64__
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54 /* ioctl */), "b" (fd), "c" (cmd), "d" ((uint32_t)at)
		     : "memory", "r8", "r9", "r10", "r11");
	*err = ret;
	return true;
#else
	return false;
#endif
}

/* A process or a file of one; most of them are what the type says. */
static int draw_target(struct fuzzer *f, struct draft *draft)
{
	static const char *const files[] = { "mem", "maps", "status", "fd" };
	pid_t pid = draft->pids[draw(&f->seed, FUZZ_TARGETS)];
	unsigned int type = draft->type, file = 0;
	char path[64];

	if (!draw(&f->seed, 8))
		pid = getpid();
	if (!draw(&f->seed, 16))
		type = draw(&f->seed, 3);
	else if (type == MEMLOCKD_TARGET_PROC_MEM && !draw(&f->seed, 8))
		file = draw(&f->seed, ARRAY_SIZE(files));
	draft->right_fd = type == draft->type && !file;
	switch (type) {
	case MEMLOCKD_TARGET_PID:
		return pid == getpid() && draw(&f->seed, 2) ? 0 : pid;
	case MEMLOCKD_TARGET_PIDFD:
		draft->to_close = syscall(SYS_pidfd_open, pid, 0);
		break;
	default:
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[file]);
		draft->to_close = open(path, O_RDONLY | O_CLOEXEC);
	}
	draft->right_fd &= draft->to_close >= 0;
	return draft->to_close;
}

static uint64_t right_lock_flags(struct fuzzer *f, struct draft *draft)
{
	const unsigned int more = MEMLOCKD_HEAL | MEMLOCKD_OWNED | MEMLOCKD_BYPASS |
				  MEMLOCKD_NEED_PROBES;
	unsigned int flags = draw(&f->seed, 64) & more;

	if (draft->spec->cmd == MEMLOCKD_IOC_RULE_ADD)
		flags &= ~MEMLOCKD_OWNED;
	if (draft->super)
		return flags | CURRENT_FUTURE | (draw(&f->seed, 2) ? MEMLOCKD_COPY_TEXT : 0);
	return flags | (1 + draw(&f->seed, 3)) | (draw(&f->seed, 2) ? MEMLOCKD_MOVABLE : 0);
}

static uint64_t right_flags(struct fuzzer *f, struct draft *draft)
{
	if (draft->spec->cmd == MEMLOCKD_IOC_UNLOCK)
		return draw(&f->seed, 3) ? 0 : MEMLOCKD_UNLOCK_FORCE;
	/* That is EINVAL for any but the caller itself. */
	if (draft->spec->cmd == MEMLOCKD_IOC_UNLOCK_RANGE)
		return draw(&f->seed, 4) ? 0 : MEMLOCKD_RANGE_WHOLE;
	/* OWNED most of the time: a client that is killed leaves the others. */
	if (draft->spec->cmd == MEMLOCKD_IOC_RULE_ADD)
		return (draw(&f->seed, 4) ? MEMLOCKD_RULE_OWNED : 0) |
		       (draw(&f->seed, 2) ? MEMLOCKD_RULE_KILL : 0) |
		       (draw(&f->seed, 2) ? MEMLOCKD_RULE_INIT : 0);
	if (draft->spec->cmd != MEMLOCKD_IOC_LOCK)
		return 0;
	return right_lock_flags(f, draft);
}

static uint64_t right_value(struct fuzzer *f, struct draft *draft, enum kind kind)
{
	const struct spec *spec = draft->spec;

	switch (kind) {
	case SIZE:
		return spec->size;
	case FLAGS:
		return right_flags(f, draft);
	case TYPE:
		return draft->type;
	case TARGET:
		return draft->target;
	case STATE:
		return spec->cmd == MEMLOCKD_IOC_UNLOCK_RANGE ? 0 : 1 + draft->super;
	case STACK:
		if (!draft->super)
			return 0;
		return draw(&f->seed, 2) ? MEMLOCKD_STACK_RESERVE_NONE : draw(&f->seed, MIB);
	case ADDR:
		return FUZZ_AREA + draw(&f->seed, FUZZ_AREA_PAGES * PAGE);
	case LEN:
		/* To unlock, more: most of what was locked is gone already. */
		if (spec->cmd == MEMLOCKD_IOC_LOCK_RANGE && draw(&f->seed, 3))
			return draw(&f->seed, 4 * PAGE);
		return draw(&f->seed, FUZZ_AREA_PAGES * PAGE);
	case START:
		return draw(&f->seed, 2) ? 0 : FUZZ_AREA + draw(&f->seed, FUZZ_AREA_PAGES) * PAGE;
	case NR_ROWS:
		return draw(&f->seed, ROW_PAGES * PAGE / spec->row);
	case ROW_SIZE:
		return spec->row;
	case KINDS:
		return draw(&f->seed, ALL_KINDS + 1);
	case EVENT_SIZE:
		return sizeof(struct memlockd_event);
	case MATCH:
		return MEMLOCKD_MATCH_USER | (draw(&f->seed, 4) << 3);
	case EVENTS:
		return 1 + draw(&f->seed, 31);
	case LOCK_FLAGS:
		return right_lock_flags(f, draft);
	case PRIORITY:
		return draw(&f->seed, 5) - 2;
	case USER:
		return FUZZ_USER;
	case RULE:
		return f->rule;
	case ROWS:
		return (uintptr_t)ROW_MEM(f->mem);
	default:
		return 0;
	}
}

static uint64_t odd_value(struct fuzzer *f, uint64_t right)
{
	const uint64_t at_limits[] = {
		0, 1, 2, 3, ~0ULL, ~0ULL - 1, INT32_MAX, 1ULL << 31, 1ULL << 32, ~0U, INT64_MAX,
		1ULL << 63, PAGE - 1, PAGE, PAGE + 1, -PAGE, 1ULL << 47, (1ULL << 47) - PAGE,
		(1ULL << 47) - 1, 0xffff800000000000, 0xffffffff81000000, right - 1, right + 1,
		right + 8, right ^ 1, right * 2, FUZZ_AREA, (uintptr_t)f->mem,
		(uintptr_t)HOLE(f->mem) - 20, (uintptr_t)READ_ONLY(f->mem),
		(uintptr_t)ROW_END(f->mem) - 100,
	};

	switch (draw(&f->seed, 4)) {
	case 0:
		return right ^ 1ULL << draw(&f->seed, 64);
	case 1:
		return f->seed * 0x2545f4914f6cdd1dULL;
	default:
		return at_limits[draw(&f->seed, ARRAY_SIZE(at_limits))];
	}
}

/* By a wrong number we lock nobody who is no target. */
static bool stranger(struct fuzzer *f, const struct draft *draft, uint64_t value)
{
	return (int32_t)value > 0 && (int32_t)value != draft->target;
}

static int fields_of(const struct spec *spec, struct field *fields)
{
	int i, nr = ARRAY_SIZE(begin);

	memcpy(fields, begin, sizeof(begin));
	if (spec->whom) {
		memcpy(fields + nr, whom, sizeof(whom));
		nr += ARRAY_SIZE(whom);
	}
	for (i = 0; spec->fields[i].width; i++)
		fields[nr++] = spec->fields[i];
	return nr;
}

static void draw_args(struct fuzzer *f, struct draft *draft)
{
	const struct spec *spec = draft->spec;
	int left = draw(&f->seed, 3) ? 0 : 1 + draw(&f->seed, 3);
	struct field fields[FIELDS];
	int i, nr = fields_of(spec, fields);

	for (i = 0; i < sizeof(draft->args); i++)
		draft->args.bytes[i] = i < spec->size ? draw(&f->seed, 256) : 0;
	for (i = 0; i < nr; i++) {
		const struct field *field = &fields[i];
		uint64_t value = right_value(f, draft, field->kind);

		if (left && draw(&f->seed, nr) < 2) {
			value = odd_value(f, value);
			if (field->kind == TARGET && stranger(f, draft, value))
				value = -1;
			/* Nor by a rule. */
			if (field->kind == MATCH)
				value |= MEMLOCKD_MATCH_USER;
			if (field->kind == USER)
				value = draw(&f->seed, 2) ? FUZZ_USER + 1 : -1;
			left--;
		}
		memcpy(draft->args.bytes + field->at, &value, field->width);
	}
	/* A structure that is longer: what the driver does not know has to be zero. */
	if (!draw(&f->seed, 24)) {
		draft->args.whom.size = spec->size + draw(&f->seed, 24);
		if (draw(&f->seed, 2))
			draft->args.bytes[spec->size + draw(&f->seed, 24)] = 1;
	}
}

/* Puts the structure somewhere; how much of it can be written there. */
static unsigned int place(struct fuzzer *f, const struct draft *draft, struct fuzz_call *call)
{
	const uint64_t bad[] = { 0, 1, (uintptr_t)HOLE(f->mem), ~0ULL, -PAGE, 0xffff888000000000,
				 0xffffffff81000000, (1ULL << 47) - 8, 1ULL << 47, 1ULL << 62 };
	unsigned int room = sizeof(draft->args);
	unsigned char *at = ARGS(f->mem);

	memset(ARGS(f->mem), FILL, PAGE);
	memset(ROW_MEM(f->mem), FILL, ROW_PAGES * PAGE);
	switch (draw(&f->seed, 24)) {
	case 0:
		call->at = bad[draw(&f->seed, ARRAY_SIZE(bad))];
		return 0;
	case 1:
		call->at = (uintptr_t)READ_ONLY(f->mem);
		return 0;
	case 2:
		/* Ends too early. */
		room = draw(&f->seed, draft->spec->size);
		at = HOLE(f->mem) - room;
		break;
	case 3 ... 8:
		/* Ends where it has to. */
		if (call->size < room)
			room = call->size;
		at = HOLE(f->mem) - room;
		break;
	default:
		at += draw(&f->seed, 64);
	}
	memcpy(at, draft->args.bytes, room);
	call->at = (uintptr_t)at;
	return room;
}

/* These have their rows in the same place. */
#define SAME(field)	(offsetof(struct memlockd_rules, field) == \
			 offsetof(struct memlockd_list, field))
_Static_assert(SAME(start) && SAME(rows) && SAME(nr_rows) && SAME(row_size) && SAME(out_rows),
	       "memlockd_rules");

static bool row_size_wrong(unsigned int row_size, unsigned int row)
{
	return row_size < row;
}

static bool mode_wrong(unsigned int state, unsigned int flags, uint64_t stack_reserve)
{
	const unsigned int over = MEMLOCKD_OVER_RAISE | MEMLOCKD_OVER_UNLOCKED;
	const unsigned int all = CURRENT_FUTURE | MEMLOCKD_MOVABLE | MEMLOCKD_HEAL |
				 MEMLOCKD_OWNED | MEMLOCKD_BYPASS | MEMLOCKD_NEED_PROBES |
				 MEMLOCKD_COPY_TEXT | over;

	if (flags & ~all || !(flags & CURRENT_FUTURE) || (flags & over) == over ||
	    (flags & over && !(flags & MEMLOCKD_FUTURE)))
		return true;
	if (state == MEMLOCKD_STATE_LOCKED)
		return stack_reserve || flags & MEMLOCKD_COPY_TEXT;
	return state != MEMLOCKD_STATE_SUPERLOCKED || flags & MEMLOCKD_MOVABLE ||
	       (flags & CURRENT_FUTURE) != CURRENT_FUTURE;
}

static bool lock_wrong(const struct memlockd_lock *lock)
{
	return lock->reserved || mode_wrong(lock->state, lock->flags, lock->stack_reserve);
}

static bool rule_wrong(const struct memlockd_rule *rule)
{
	const unsigned int flags = MEMLOCKD_RULE_OWNED | MEMLOCKD_RULE_KILL | MEMLOCKD_RULE_INIT;

	if (rule->flags & ~flags || rule->match > 31 || !rule->events || rule->events > 31 ||
	    rule->lock_flags & MEMLOCKD_OWNED || rule->uid == ~0U ||
	    (rule->executable && !(rule->match & MEMLOCKD_MATCH_EXECUTABLE)) ||
	    (rule->cgroup && !(rule->match & MEMLOCKD_MATCH_CGROUP)))
		return true;
	if (rule->state == MEMLOCKD_STATE_UNLOCKED)
		return rule->lock_flags || rule->stack_reserve;
	return mode_wrong(rule->state, rule->lock_flags, rule->stack_reserve);
}

static bool range_wrong(const struct memlockd_range *range, bool unlock)
{
	bool state_wrong = unlock ? range->state : range->state - 1 > 1;
	bool flags_wrong = range->flags & ~(unlock ? MEMLOCKD_RANGE_WHOLE : 0);

	return flags_wrong || range->reserved || state_wrong ||
	       (range->len && range->addr + range->len - 1 < range->addr);
}

static bool subscribe_wrong(const struct memlockd_subscribe *subscribe)
{
	return subscribe->flags & ~MEMLOCKD_SUBSCRIBE_ALL || subscribe->kinds & ~ALL_KINDS ||
	       subscribe->event_size < sizeof(struct memlockd_event) ||
	       (subscribe->flags && (subscribe->target_type || subscribe->target));
}

static bool target_wrong(const struct draft *draft)
{
	const struct memlockd_unlock *whom = &draft->args.whom;

	if (whom->target_type > MEMLOCKD_TARGET_PROC_MEM || whom->target < 0)
		return true;
	if (whom->target_type == MEMLOCKD_TARGET_PID)
		return false;
	/* By another number than the one that was opened. */
	return !draft->right_fd || whom->target_type != draft->type ||
	       whom->target != draft->target;
}

/* Does the header say that this fails? */
static bool wrong(const struct fuzzer *f, const struct draft *draft, const struct fuzz_call *call)
{
	const union args *args = &draft->args;
	const struct spec *spec = draft->spec;
	unsigned int first = first_size(spec);
	unsigned int i;

	if (call->room < (call->size < spec->size ? call->size : spec->size) ||
	    call->size < first || call->size > PAGE)
		return true;
	for (i = spec->size; i < call->size && i < sizeof(*args); i++) {
		if (args->bytes[i])
			return true;
	}
	if (spec->cmd != MEMLOCKD_IOC_LOCK && spec->cmd != MEMLOCKD_IOC_UNLOCK &&
	    spec->cmd != MEMLOCKD_IOC_UNLOCK_RANGE && spec->cmd != MEMLOCKD_IOC_SUBSCRIBE &&
	    spec->cmd != MEMLOCKD_IOC_RULE_ADD && args->whom.flags)
		return true;
	if (spec->cmd == MEMLOCKD_IOC_INFO)
		return false;
	/* Whoever asks sees what concerns him, if anything. */
	if (spec->cmd == MEMLOCKD_IOC_LIST)
		return row_size_wrong(args->list.row_size,
				      offsetof(struct memlockd_holder, rule));
	/* Without privilege a process may look at its own user's, and lock nothing. */
	if (!f->privileged && spec->cmd != MEMLOCKD_IOC_STATUS &&
	    spec->cmd != MEMLOCKD_IOC_MAPPINGS && spec->cmd != MEMLOCKD_IOC_SUBSCRIBE)
		return true;
	if (spec->cmd == MEMLOCKD_IOC_SUBSCRIBE &&
	    (subscribe_wrong(&args->subscribe) || args->subscribe.flags))
		return subscribe_wrong(&args->subscribe);
	if (spec->whom && target_wrong(draft))
		return true;
	switch (spec->cmd) {
	case MEMLOCKD_IOC_RULE_ADD:
		return rule_wrong(&args->rule);
	case MEMLOCKD_IOC_RULES:
		return row_size_wrong(args->list.row_size, spec->row);
	case MEMLOCKD_IOC_LOCK:
		return lock_wrong(&args->lock);
	case MEMLOCKD_IOC_UNLOCK:
		return args->whom.flags & ~MEMLOCKD_UNLOCK_FORCE;
	case MEMLOCKD_IOC_MAPPINGS:
		return row_size_wrong(args->mappings.row_size,
				      offsetof(struct memlockd_mapping, read_faults));
	case MEMLOCKD_IOC_LOCK_RANGE:
		return range_wrong(&args->range, false);
	case MEMLOCKD_IOC_UNLOCK_RANGE:
		return range_wrong(&args->range, true);
	default:
		return false;
	}
}

/* Does the header name this error for this call? */
static bool documented(const struct spec *spec, int err)
{
	switch (-err) {
	case 0:
	case E2BIG:
	case EFAULT:
	case EINVAL:
	case ENOMEM:
	case EINTR:
		return true;
	case EPERM:
		return spec->cmd != MEMLOCKD_IOC_INFO;
	case EBADF:
		return spec->whom || spec->cmd == MEMLOCKD_IOC_RULE_ADD;
	case ESRCH:
		return spec->whom;
	case ENOENT:
		return spec->cmd == MEMLOCKD_IOC_UNLOCK || spec->cmd == MEMLOCKD_IOC_SYNC ||
		       spec->cmd == MEMLOCKD_IOC_UNLOCK_RANGE ||
		       spec->cmd == MEMLOCKD_IOC_RULE_DEL;
	case EDQUOT:
		return spec->cmd == MEMLOCKD_IOC_LOCK || spec->cmd == MEMLOCKD_IOC_SUBSCRIBE ||
		       spec->cmd == MEMLOCKD_IOC_RULE_ADD;
	case EOPNOTSUPP:
		return spec->cmd == MEMLOCKD_IOC_LOCK_RANGE || spec->cmd == MEMLOCKD_IOC_LOCK ||
		       spec->cmd == MEMLOCKD_IOC_RULE_ADD;
	default:
		return false;
	}
}

static bool filled(const unsigned char *from, const unsigned char *to)
{
	while (from < to) {
		if (*from++ != FILL)
			return false;
	}
	return true;
}

/* A call that fails leaves what it would have written, or sets it to 0. */
static bool outs_left(const struct fuzz_call *call, const struct spec *spec)
{
	const unsigned char *now = (unsigned char *)(uintptr_t)call->at;
	unsigned int i;

	if (call->err == -ENOMEM && (spec->cmd == MEMLOCKD_IOC_LOCK ||
				     spec->cmd == MEMLOCKD_IOC_LOCK_RANGE))
		return true;
	for (i = spec->out; i < call->room && i < spec->size; i++) {
		if (now[i] != call->arg[i] && now[i])
			return false;
	}
	return true;
}

/* What the driver has written into the memory of structures. */
static const char *args_touched(const struct fuzzer *f, const struct fuzz_call *call,
				const struct spec *spec)
{
	const unsigned char *at = (unsigned char *)(uintptr_t)call->at;
	const unsigned char *page = ARGS(f->mem);
	unsigned int known = spec->size;

	if (!call->room)
		return filled(page, page + PAGE) ? NULL : "wrote where it was not told to";
	if (!filled(page, at) || !filled(at + call->room, page + PAGE))
		return "wrote outside of the structure";
	if (call->room < known || call->size < known)
		known = call->room < call->size ? call->room : call->size;
	if (known < call->room && memcmp(at + known, call->arg + known, call->room - known))
		return "wrote behind the size";
	if (memcmp(at, call->arg, spec->out < call->room ? spec->out : call->room))
		return "wrote to a field that is not its own";
	if (call->err && !outs_left(call, spec))
		return "failed, and left an answer";
	return NULL;
}

static bool row_good(const struct spec *spec, const void *at, uint64_t row_size)
{
	const struct memlockd_mapping *mapping = at;
	const struct memlockd_holder *holder = at;
	const struct memlockd_rule_row *rule = at;
	uint64_t size = mapping->end - mapping->start;

	if (spec->cmd == MEMLOCKD_IOC_RULES)
		return rule->id && rule->events && rule->state <= 2 && rule->uid - FUZZ_USER <= 1;
	if (spec->cmd == MEMLOCKD_IOC_LIST)
		return holder->id && holder->state - 1 <= 1 && holder->kind <= 2;
	/* A row of the first version ends in front of these. */
	if (row_size >= sizeof(*mapping) &&
	    (mapping->read_faults > size || mapping->write_faults > size ||
	     mapping->cause > MEMLOCKD_CAUSE_FLAGS || mapping->reserved ||
	     !mapping->cause != !(mapping->read_faults || mapping->write_faults)))
		return false;
	return mapping->start < mapping->end && mapping->resident <= size &&
	       mapping->pinned <= size && mapping->state <= 2 &&
	       mapping->reason <= MEMLOCKD_REASON_SERVER;
}

/* What it has written into the memory of rows. */
static const char *rows_touched(const struct fuzzer *f, const struct fuzz_call *call,
				const struct draft *draft)
{
	const unsigned char *mem = ROW_MEM(f->mem), *end = ROW_END(f->mem), *at, *last;
	const union args *now = (union args *)(uintptr_t)call->at;
	const struct spec *spec = draft->spec;
	bool list = spec->cmd != MEMLOCKD_IOC_MAPPINGS;
	uint64_t rows, row_size, nr, i;

	if (!spec->row)
		return filled(mem, end) ? NULL : "wrote rows";
	rows = list ? draft->args.list.rows : draft->args.mappings.rows;
	row_size = list ? draft->args.list.row_size : draft->args.mappings.row_size;
	nr = list ? draft->args.list.nr_rows : draft->args.mappings.nr_rows;
	if (!call->err) {
		i = list ? now->list.out_rows : now->mappings.out_rows;
		if (i > nr)
			return "more rows than there is place for";
		nr = i;
	}
	if (!nr)
		return filled(mem, end) ? NULL : "wrote rows where there are none";
	if (rows < (uintptr_t)mem || rows >= (uintptr_t)end)
		return NULL;
	at = (unsigned char *)(uintptr_t)rows;
	last = nr * row_size < end - at ? at + nr * row_size : end;
	if (!filled(mem, at) || !filled(last, end))
		return "wrote outside of the rows";
	for (i = 0; !call->err && i < nr; i++) {
		if (!row_good(spec, at + i * row_size, row_size))
			return "a row that cannot be";
	}
	return NULL;
}

static const char *judge(const struct fuzzer *f, const struct draft *draft,
			 const struct fuzz_call *call)
{
	const struct spec *spec = draft->spec;
	const char *what;

	if (call->index == FUZZ_CMDS)
		return call->err == -ENOTTY ? NULL : "no such ioctl, and no ENOTTY";
	if (!documented(spec, call->err))
		return "an error that is not documented";
	/* From here on it matters that what we gave is what it got. */
	if (f->shared)
		return NULL;
	if (!call->err && wrong(f, draft, call))
		return "a wrong call succeeded";
	/* Rows that lie in the structure itself are the caller's fault. */
	if (spec->row) {
		uint64_t rows = spec->cmd != MEMLOCKD_IOC_MAPPINGS ? draft->args.list.rows :
				draft->args.mappings.rows;

		if (rows >= (uintptr_t)f->mem - PAGE && rows < (uintptr_t)HOLE(f->mem))
			return NULL;
	}
	what = args_touched(f, call, spec);
	return what ?: rows_touched(f, call, draft);
}

static unsigned int draw_spec(struct fuzzer *f)
{
	unsigned int i, sum = 0, pick;

	for (i = 0; i <= FUZZ_CMDS; i++)
		sum += specs[i].often;
	do {
		pick = draw(&f->seed, sum);
		for (i = 0; pick >= specs[i].often; i++)
			pick -= specs[i].often;
		/* What others write there meanwhile would be a rule for the whole machine. */
	} while (f->shared && specs[i].cmd == MEMLOCKD_IOC_RULE_ADD);
	return i;
}

/* A number that is none: one bit of a right one is another. */
static unsigned int no_cmd(struct fuzzer *f, unsigned int *index)
{
	unsigned int cmd;

	/* A rule of random numbers would be for the whole machine. */
	do {
		cmd = specs[draw(&f->seed, FUZZ_CMDS)].cmd ^ 1U << draw(&f->seed, 32);
	} while (cmd == MEMLOCKD_IOC_RULE_ADD);
	for (*index = 0; *index < FUZZ_CMDS; (*index)++) {
		if (specs[*index].cmd == cmd)
			break;
	}
	return cmd;
}

const char *fuzz(struct fuzzer *f, const pid_t *pids, struct fuzz_call *call)
{
	struct draft draft = { .pids = pids, .to_close = -1 };
	int fd = f->fds[draw(&f->seed, 2)];
	const char *what;

	call->index = draw_spec(f);
	call->cmd = specs[call->index].cmd;
	if (call->index == FUZZ_CMDS)
		call->cmd = no_cmd(f, &call->index);
	draft.spec = &specs[call->index];
	draft.super = draw(&f->seed, 2);
	draft.type = draw(&f->seed, 2) ? MEMLOCKD_TARGET_PID : draw(&f->seed, 3);
	draft.target = draw_target(f, &draft);
	draw_args(f, &draft);
	memcpy(call->arg, draft.args.bytes, sizeof(call->arg));
	call->size = draft.args.whom.size;
	call->room = place(f, &draft, call);
	call->compat = !draw(&f->seed, 3) && compat_call(fd, call->cmd, call->at, &call->err);
	if (!call->compat)
		call->err = device_call(fd, call->cmd, (void *)(uintptr_t)call->at);
	what = judge(f, &draft, call);
	if (call->cmd == MEMLOCKD_IOC_RULE_ADD && !call->err)
		f->rule = ((struct memlockd_rule *)(uintptr_t)call->at)->out_id;
	if (draft.to_close >= 0)
		close(draft.to_close);
	return what;
}

const char *fuzz_name(unsigned int index)
{
	return specs[index].name;
}

void fuzz_print(const struct fuzz_call *call)
{
	unsigned int i;

	printf("# %s %#x%s at %#llx, %u bytes there: %s\n#", fuzz_name(call->index), call->cmd,
	       call->compat ? " (32-bit)" : "", (unsigned long long)call->at, call->room,
	       strerror(-call->err));
	for (i = 0; i < FUZZ_ARG; i += 4)
		printf(" %08x", *(const uint32_t *)(call->arg + i));
	printf("\n");
}

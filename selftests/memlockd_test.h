/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of memlockd share: calls of the device, a process to be locked,
 * and readers of what the kernel says about it.
 */
#ifndef MEMLOCKD_TEST_H
#define MEMLOCKD_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <linux/memlockd.h>

/*
 * No test asserts how long something takes: an emulated machine on a busy one
 * may be fifty times slower than another.  This is for what hangs.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#define DEVICE		"/dev/memlockd"

#define PAGE		((unsigned long)getpagesize())
#define KIB		1024UL
#define MIB		(1024UL * KIB)
#define HUGE		(2 * MIB)	/* a transparent huge page */

#define RW		(PROT_READ | PROT_WRITE)
#define NOBODY		65534		/* the user and the group */

/* What most tests ask for. */
#define L		MEMLOCKD_STATE_LOCKED
#define S		MEMLOCKD_STATE_SUPERLOCKED
#define CURRENT_FUTURE	(MEMLOCKD_CURRENT | MEMLOCKD_FUTURE)
#define LIKE_MLOCKALL	(CURRENT_FUTURE | MEMLOCKD_MOVABLE)

/* ---- device.c: these return 0, or -errno ---- */

/* Ends the program as skipped when the device is not here or we are not root. */
void need_device(void);

int device_open(void);
int device_call(int fd, unsigned long cmd, void *arg);

/* @out may be NULL. */
int lock_pid(int fd, pid_t pid, int state, int flags, struct memlockd_lock *out);
int unlock_pid(int fd, pid_t pid);
int unlock_all(int fd, pid_t pid);	/* MEMLOCKD_UNLOCK_FORCE */
int status_pid(int fd, pid_t pid, struct memlockd_status *out);
/* LOCK_RANGE and UNLOCK_RANGE; @out may be NULL. */
int lock_range(int fd, pid_t pid, int state, unsigned long addr, unsigned long len,
	       struct memlockd_range *out);
int unlock_range(int fd, pid_t pid, unsigned long addr, unsigned long len);

/* Without waiting: -EBUSY or -EWOULDBLOCK while it is in use. */
int module_unload(void);
/* As soon as it can be: nothing tells when the last of what it held is gone. */
int module_unload_soon(void);
int module_load(const char *path);

/* The state that STATUS reports, or -errno. */
int state_of(int fd, pid_t pid);

/* All rows of LIST, @per_call at once; the number of them, or -errno. The caller frees @rows. */
long list_all(int fd, unsigned int per_call, struct memlockd_holder **rows);
void holder_print(const struct memlockd_holder *row);

/* 0 or -errno; @rule->size is filled in. */
int events_subscribe(int fd, pid_t pid, unsigned int kinds);
/* A read of some events: how many, or -errno. */
long events_read(int fd, struct memlockd_event *events, unsigned int nr);
int rule_add(int fd, struct memlockd_rule *rule);
int rule_del(int fd, uint64_t id);
/* Rules, as many as there is @room for; the number of them, or -errno. */
int rules_read(int fd, struct memlockd_rule_row *rows, int room);
/* Takes all away; how many there were, or -errno. */
int rules_clear(int fd);

/**
 * mappings_pid() - all rows of MAPPINGS
 * @fd: the device
 * @pid: the process
 * @per_call: how many rows to ask for at once
 * @rows: set to an array that the caller frees
 *
 * Return: the number of rows, or -errno.
 */
long mappings_pid(int fd, pid_t pid, unsigned int per_call, struct memlockd_mapping **rows);

/* The row that has @addr, or NULL. */
struct memlockd_mapping *row_at(struct memlockd_mapping *rows, long nr, unsigned long addr);

/**
 * rows_wrong() - check what must be true of the rows of any process
 * @rows: the rows
 * @nr: how many
 * @promised: the state that the process was promised
 *
 * In order, not overlapping, no more resident or pinned than they are long, and
 * a reason where the state is less than promised.
 *
 * Return: how many rows break this; each is printed.
 */
int rows_wrong(const struct memlockd_mapping *rows, long nr, unsigned int promised);

/* Whether &memlockd_lock.out_incomplete counts it. */
bool row_incomplete(const struct memlockd_mapping *row);

uint64_t rows_pinned(const struct memlockd_mapping *rows, long nr);
/* Bytes of its VmPin that no mapping shows: what pins on parts of large folios keep of them. */
unsigned long kept_bytes(int fd, pid_t pid);
void row_print(const struct memlockd_mapping *row);
const char *state_name(unsigned int state);
const char *reason_name(unsigned int reason);
const char *cause_name(unsigned int cause);
const char *kind_name(unsigned int kind);

/* ---- target.c: a process that does what it is told ---- */

/**
 * struct target - a forked process that runs our functions
 * @pid: its process ID; 0 when it is gone
 * @pidfd: a pidfd of it
 * @sock: where calls go and results come from
 * @minflt: minor faults that it took in the last call
 * @majflt: major faults that it took in the last call
 *
 * It dies with the test.
 */
struct target {
	pid_t pid;
	int pidfd;
	int sock;
	long minflt;
	long majflt;
};

/* fork(2) of a child that dies with us. */
pid_t fork_child(void);
/* What a thread does: its children exit at once. */
void *fork_for_ever(void *arg);
/* A child of that process ID, which is free, that waits to be killed; -1 and errno. */
pid_t fork_with_pid(pid_t pid);

/* An open file, sent through a socket; the file, or -errno. */
int send_fd(int sock, int fd);
int receive_fd(int sock);

/* What a target runs; it returns -errno when it fails. */
typedef long (*target_fn)(long a, long b, long c);

void target_start(struct target *t);
/* The same, but it keeps @fd open: a client of the device. */
void target_start_with(struct target *t, int fd);
/*
 * The same, with memory mapped that it shares with us: the file, and where it has that.  What
 * is cut off of the file faults when it is there again.
 */
int target_start_sharing(struct target *t, long len, long *addr);
/* Kill, reap; the wait status. Safe to call again. */
int target_stop(struct target *t);
/* Reap what ends by itself. */
int target_reap(struct target *t);

long target_call(struct target *t, target_fn fn, long a, long b, long c);
/* The same in two halves, for what happens while the call runs. */
void target_post(struct target *t, target_fn fn, long a, long b, long c);
/* False when the target died instead of answering. */
bool target_result(struct target *t, long *ret);
/* Waits until it runs the program that it has executed, which sends back what it gets. */
bool target_echoes(struct target *t);

/* TMPDIR or /var/tmp. */
const char *disk_dir(void);
/* A file there, without a name; -1 and errno when there is none to be had. */
int disk_file(long size);

/* Functions to run in a target. */
long do_nothing(long a, long b, long c);
long do_map(long len, long prot, long flags);		/* anonymous */
long do_map_small(long len, long prot, long flags);	/* the same, in base pages */
long do_map_huge(long len, long prot, long flags);	/* in huge pages; -EINVAL: none here */
long do_map_at(long addr, long len, long prot);		/* anonymous and private, there */
long do_map_fd(long fd, long len, long flags);		/* readable and writable */
/* A userfaultfd that watches [addr, addr + len), in a mode and with features of its manual. */
int userfault_register(unsigned long addr, unsigned long len, uint64_t mode, uint64_t features);
/* One page of a memfd, side by side: the first @shared of them mapped shared, others private. */
long do_map_same(long times, long shared, long c);
long do_unmap(long addr, long len, long c);
long do_protect(long addr, long len, long prot);
long do_move(long addr, long len, long to);		/* mremap(2) to there */
long do_resize(long addr, long len, long new_len);	/* mremap(2), which may move it */
long do_advise(long addr, long len, long advice);
long do_read(long addr, long len, long step);		/* a byte every @step */
long do_write(long addr, long len, long step);
long do_descend(long len, long b, long c);		/* so far down the stack */
long do_mlock(long addr, long len, long flags);		/* mlock2(2) */
long do_munlock(long addr, long len, long c);
long do_mlockall(long flags, long b, long c);		/* 0: munlockall(2) */
long do_setuid(long uid, long b, long c);		/* user and group, all of them */
long do_set_dumpable(long dumpable, long b, long c);	/* a change of user clears it */
long do_drop_cap(long cap, long b, long c);
long do_new_userns(long a, long b, long c);
long do_fork(long a, long b, long c);			/* a child that waits; its pid */
long do_reap(long pid, long b, long c);			/* kill and reap that child */
long do_exec(long a, long b, long c);			/* /bin/cat on the socket */
long do_lock(long fd, long pid, long state_flags);	/* STATE_FLAGS() */
long do_unlock(long fd, long pid, long c);
long do_unlock_all(long fd, long pid, long c);
long do_state(long fd, long pid, long c);

#define STATE_FLAGS(state, flags)	((long)(state) << 8 | (flags))

/* ---- proc.c: what the kernel says ---- */

/* Bytes of a line of /proc/PID/status, such as "VmLck"; 0 when it has none. */
unsigned long status_bytes(pid_t pid, const char *field);
/* Wait until the process has @bytes in memory: nothing tells of that. False when it never has. */
bool wait_rss(pid_t pid, unsigned long bytes);

struct vma {
	unsigned long start, end;
	char perms[5];
	char flags[64 * 3];		/* VmFlags, "rd wr mr lo" */
	char name[256];
};

/* /proc/PID/smaps; the caller frees @vmas. Without [vsyscall]. */
long vmas_read(pid_t pid, struct vma **vmas);
bool vma_has(const struct vma *vma, const char *flag);
/* Bytes of all mappings that are flagged as locked: what VmLck has to be. */
unsigned long vmas_locked(pid_t pid);
/* The first mapping whose name contains @name and whose perms start with @perms. */
bool vma_find(pid_t pid, const char *name, const char *perms, struct vma *vma);

/* Bytes that /proc/PID/pagemap shows as present. */
unsigned long present_bytes(pid_t pid, unsigned long start, unsigned long end);
/* Bytes of them that belong to a file or to shared memory, not to the process alone. */
unsigned long file_bytes(pid_t pid, unsigned long start, unsigned long end);
/* Pages there that /proc/kpageflags shows as mlocked or unevictable. */
unsigned long stuck_pages(pid_t pid, unsigned long start, unsigned long end);

long read_number(const char *path);
bool write_number(const char *path, long value);
/* Where the kernel's probes are seen to, once these file systems are mounted. */
#define TRACING	"/sys/kernel/tracing/"
#define KPROBES	"/sys/kernel/debug/kprobes/"
/* Who is killed when memory runs out: first (1000) .. never (-1000). */
bool set_oom_score(pid_t pid, long value);
/* A line "name N" of a file such as /proc/vmstat; -1 when it has none. */
long read_field(const char *path, const char *name);

/* Make a cgroup whose memory can be limited; why not, when it cannot be. */
const char *memory_cgroup(const char *path);

/* What an administrator can set of the driver, and what it counts. */
#define KNOB(name)	"/proc/sys/vm/memlockd/" name

/* Pages in vm.memlockd.wired, after all has been counted that has changed. */
long wired_exactly(int fd);

/* A random number below @below; the seed is not 0. */
static inline unsigned int draw(uint64_t *seed, unsigned int below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 32) % below;
}

/* Set the soft RLIMIT_MEMLOCK of a process. */
void set_limit(pid_t pid, unsigned long bytes);

/**
 * struct counters - what is locked and pinned on the whole machine, in pages
 * @mlock: nr_mlock
 * @unevictable: nr_unevictable
 * @pins: nr_foll_pin_acquired less nr_foll_pin_released
 * @wired: vm.memlockd.wired; 0 while the module is not loaded
 */
struct counters {
	long mlock;
	long unevictable;
	long pins;
	long wired;
};

/*
 * Have all pages that were just locked or unlocked counted. The kernel takes a mlock
 * and a munlock of one page that wait in the batches of two CPUs in either order,
 * and may count one too many then: a page that others map as well stays mlocked.
 */
void drain_batches(void);

/* Also locks a little memory of the test, so that counters which fell below zero can be seen. */
void counters_start(struct counters *c);
void counters_read(struct counters *c);
/* Print where the counters are; true when they are back at @start. */
bool counters_back(const struct counters *start);

#endif /* MEMLOCKD_TEST_H */

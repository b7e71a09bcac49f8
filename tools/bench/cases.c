// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is measured.
 */
#include "result.h"

#define ALL	(V(PEER) | OURS)
#define TWO	(V(PEER) | V(SUPER))
#define CALLS	(V(PLAIN) | V(ARMED) | V(PEER) | OURS)
#define OTHERS	(V(PLAIN) | V(ARMED))
#define RULED	(V(PLAIN) | V(RULES))
#define GIVEN	(V(PLAIN) | V(LOCKED) | V(SUPER))

const struct bench_case cases[] = {
	/* name, op, variants, run, a, b, unit, units, wall */
	{ "4k-resident", 0, ALL, run_memory, MEMORY(SMALL, RESIDENT), 0, "page" },
	{ "4k-untouched", 0, TWO | V(MOVABLE), run_memory, MEMORY(SMALL, UNTOUCHED), 0, "page" },
	{ "4k-swapped", 0, TWO, run_memory, MEMORY(SMALL, SWAPPED), 0, "page", 0, true },
	{ "thp-resident", 0, ALL, run_memory, MEMORY(THP, RESIDENT), 0, "page" },
	{ "thp-untouched", 0, TWO, run_memory, MEMORY(THP, UNTOUCHED), 0, "page" },
	{ "thp-swapped", 0, TWO, run_memory, MEMORY(THP, SWAPPED), 0, "page", 0, true },
	{ "hugetlb-resident", 0, TWO, run_memory, MEMORY(HUGETLB, RESIDENT), 0, "page" },
	{ "hugetlb-untouched", 0, TWO, run_memory, MEMORY(HUGETLB, UNTOUCHED), 0, "page" },

	/* How it grows: a sixteenth and a quarter of the above. */
	{ "4k-resident/16", 0, TWO, run_memory, MEMORY(SMALL, RESIDENT), 0, "page", -16 },
	{ "4k-resident/4", 0, TWO, run_memory, MEMORY(SMALL, RESIDENT), 0, "page", -4 },
	{ "4k-untouched/16", 0, TWO, run_memory, MEMORY(SMALL, UNTOUCHED), 0, "page", -16 },
	{ "4k-untouched/4", 0, TWO, run_memory, MEMORY(SMALL, UNTOUCHED), 0, "page", -4 },
	{ "thp-resident/16", 0, TWO, run_memory, MEMORY(THP, RESIDENT), 0, "page", -16 },
	{ "thp-resident/4", 0, TWO, run_memory, MEMORY(THP, RESIDENT), 0, "page", -4 },

	{ "mappings-1000", 0, ALL, run_mappings, 0, 0, "mapping", 1000 },
	{ "mappings-10000", 0, TWO, run_mappings, 0, 0, "mapping", 10000 },
	{ "mappings-100000", 0, TWO, run_mappings, 0, 0, "mapping", 100000, true },
	/* Of one file, which has to be looked at for other locks of it. */
	{ "file-mappings-1000", 0, TWO, run_file_mappings, 0, 0, "mapping", 1000 },
	{ "file-mappings-4000", 0, TWO, run_file_mappings, 0, 0, "mapping", 4000 },
	{ "small-process", 0, ALL, run_reserve, 0, 0, "call", 1 },
	{ "reserve-1t", 0, ALL, run_reserve, 1024, 0, "call", 1 },
	{ "first-lock", 0, TWO, run_first, 0, 0, "call", 1, true },
	{ "redis-server", 0, ALL, run_redis, 0, 0, "call", 1, true },
	{ "python3", 0, ALL, run_python, 0, 0, "call", 1, true },

	{ "map-4k", "mmap+munmap", CALLS, run_map, 4096, 0, "call", 2000 },
	{ "map-64k", "mmap+munmap", CALLS, run_map, 65536, 0, "call", 1000 },
	{ "map-1m", "mmap+munmap", CALLS, run_map, 1048576, 0, "call", 100 },
	{ "remap-page", "remap_file_pages", ALL, run_change, REMAP, 0, "call", 64 },
	{ "fixed-page", "mmap MAP_FIXED", ALL, run_change, FIXED, 0, "call", 512 },
	{ "protect-page", "mprotect", ALL, run_change, PROTECT, 0, "call", 512 },
	{ "fault", "page fault", OTHERS, run_fault, 0, 0, "page", 4000 },
	{ "dontneed-4k", "madvise+touch", GIVEN, run_dontneed, SMALL, 0, "page", 8192 },
	{ "dontneed-thp", "madvise+touch", GIVEN, run_dontneed, THP, 0, "page", 8192 },
	{ "fork", "fork", CALLS | V(RULES), run_fork, FORK, 16, "call", 8 },
	{ "vfork", "vfork", CALLS, run_fork, VFORK, 16, "call", 50 },
	{ "posix_spawn", "posix_spawn", CALLS, run_fork, SPAWN, 16, "call", 20, true },
	{ "exec", "a program's life", RULED, run_fork, EXEC, 16, "call", 20 },
	/* Of one page, with so many held. */
	{ "mlock-0", "mlock+munlock", TWO, run_range, 0, 0, "call", 500 },
	{ "mlock-1000", "mlock+munlock", TWO, run_range, 1000, 0, "call", 500 },
	{ "mlock-100000", "mlock+munlock", TWO, run_range, 100000, 0, "call", 500, true },
	{ "status", "STATUS", V(PLAIN) | V(SUPER), run_status, 0, 0, "call", 500 },
	{ "mappings", "MAPPINGS", V(PLAIN) | V(SUPER), run_rows, 0, 0, "mapping", 10000 },

	{ "processors", "lock, untouched", V(PLAIN) | V(SUPER), run_processors, 0, 0, "page", 0,
	  true },
	{ "kill", "until memory is free", V(PLAIN) | ALL, run_kill, SMALL, 0, "page", 0, true },
	{ "kill-thp", "until memory is free", V(PLAIN) | ALL, run_kill, THP, 0, "page", 0, true },
	{ "stall", 0, ALL, run_stall, RESIDENT, 0, "page", 0, true },
	{ "stall-untouched", 0, ALL, run_stall, UNTOUCHED, 0, "page", 0, true },
	{ "stall-mappings", 0, TWO, run_stall_mappings, 0, 0, "mapping", 200000, true },
	{ "stall-mappings-1m", 0, TWO, run_stall_mappings, 1, 0, "mapping", 1000000, true },
	{ "stall-registering", 0, TWO, run_stall_registering, 0, 0, "mapping", 200000, true },
	{ "stall-registered", 0, TWO, run_stall_registered, 0, 0, "mapping", 200000, true },
	{ "stall-shared", 0, TWO, run_stall_shared, 0, 0, "page", 0, true },
	{ "move", "mremap", V(PLAIN) | V(PEER) | V(SUPER), run_move, 0, 0, "page", 40000 },
	{ "move-ranges", "mremap", V(PLAIN) | V(SUPER), run_move, 1, 0, "page", 40000 },
	{ "busy", "longest lock", V(PLAIN) | V(SUPER), run_busy, 0, 0, "page", -64, true },
};

const size_t nr_cases = sizeof(cases) / sizeof(*cases);

const struct target_value targets[] = {
	{ "4k-resident", SUPER, LOCK, 0.33 },
	{ "4k-resident", SUPER, UNLOCK, 0.25 },
	{ "4k-resident", MOVABLE, LOCK, 0.50 },
	{ "4k-untouched", SUPER, LOCK, 1.00 },
	{ "4k-swapped", SUPER, LOCK, 1.00 },
	{ "thp-resident", SUPER, LOCK, 0.33 },
	{ "thp-resident", SUPER, UNLOCK, 1.00 },
	{ "thp-resident", MOVABLE, LOCK, 0.50 },
	{ "thp-untouched", SUPER, LOCK, 1.00 },
	{ "thp-swapped", SUPER, LOCK, 1.00 },
	{ "hugetlb-untouched", SUPER, LOCK, 1.00 },
	{ "map-4k", ARMED, OP, 1.01 },
	{ "map-64k", ARMED, OP, 1.01 },
	{ "map-1m", ARMED, OP, 1.01 },
	{ "fork", RULES, OP, 1.002 },
	{ "exec", RULES, OP, 1.002 },
	{ "map-4k", SUPER, OP, 1.10 },
	{ "map-64k", SUPER, OP, 1.10 },
	{ "map-1m", SUPER, OP, 1.10 },
	{ "remap-page", SUPER, OP, 2.00 },
	{ "fixed-page", SUPER, OP, 2.00 },
	{ "protect-page", SUPER, OP, 2.00 },
	{ "mlock-0", SUPER, OP, 2.00 },
	{ "mlock-1000", SUPER, OP, 2.00 },
	{ "mlock-100000", SUPER, OP, 2.00 },
	{ "dontneed-4k", SUPER, OP, 1.00 },
	{ "dontneed-thp", SUPER, OP, 1.00 },
	{ "processors", SUPER, OP, 0.67 },
	{ "kill", SUPER, OP, 1.20 },
	{ "kill-thp", SUPER, OP, 1.20 },
	/* A lock of a process that runs away from it takes three times as long, and 0.1 s. */
	{ "busy", SUPER, OP, 3.00, 1e8 },
	/* Bytes for each GiB that is locked. */
	{ "4k-resident", SUPER, BOOKS, 4 * MIB },
	{ "thp-resident", SUPER, BOOKS, 64 * KIB },
};

const size_t nr_targets = sizeof(targets) / sizeof(*targets);

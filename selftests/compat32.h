/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What compat32 writes to its standard output for abi_test.
 */
#ifndef MEMLOCKD_COMPAT32_H
#define MEMLOCKD_COMPAT32_H

#include "layout.h"

#define COMPAT32_ROWS	64

struct compat32 {
	struct memlockd_info info;
	struct memlockd_lock lock;
	struct memlockd_status status;
	struct memlockd_mappings mappings;
	struct memlockd_mapping rows[COMPAT32_ROWS];
	/* 0 or -errno: INFO, LOCK, STATUS, MAPPINGS, UNLOCK, UNLOCK again. */
	__s32 results[6];
	__u32 end;
};

#endif /* MEMLOCKD_COMPAT32_H */

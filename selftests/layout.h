/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layout of every structure of the contract. It is the same for 32-bit and
 * for 64-bit callers, so both kinds of programs include this.
 */
#ifndef MEMLOCKD_LAYOUT_H
#define MEMLOCKD_LAYOUT_H

#include <stddef.h>
#include <linux/memlockd.h>

#define AT(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type)

SIZE(memlockd_info, 56);
AT(memlockd_info, size, 0);
AT(memlockd_info, flags, 4);
AT(memlockd_info, out_version, 8);
AT(memlockd_info, out_page_size, 12);
AT(memlockd_info, out_lock_flags, 16);
AT(memlockd_info, out_locked_processes, 20);
AT(memlockd_info, out_pinned, 24);
AT(memlockd_info, out_wired, 32);
AT(memlockd_info, out_wired_peak, 40);
AT(memlockd_info, out_max_wired, 48);

SIZE(memlockd_lock, 96);
AT(memlockd_lock, size, 0);
AT(memlockd_lock, flags, 4);
AT(memlockd_lock, target_type, 8);
AT(memlockd_lock, target, 12);
AT(memlockd_lock, state, 16);
AT(memlockd_lock, reserved, 20);
AT(memlockd_lock, stack_reserve, 24);
AT(memlockd_lock, out_limit, 32);
AT(memlockd_lock, out_mappings, 36);
AT(memlockd_lock, out_incomplete, 40);
AT(memlockd_lock, out_warnings, 44);
AT(memlockd_lock, out_needed, 48);
AT(memlockd_lock, out_allowed, 56);
AT(memlockd_lock, out_locked, 64);
AT(memlockd_lock, out_pinned, 72);
AT(memlockd_lock, out_fork_copy, 80);
AT(memlockd_lock, out_fork_room, 88);

SIZE(memlockd_unlock, 16);
AT(memlockd_unlock, size, 0);
AT(memlockd_unlock, flags, 4);
AT(memlockd_unlock, target_type, 8);
AT(memlockd_unlock, target, 12);

SIZE(memlockd_sync, 32);
AT(memlockd_sync, size, 0);
AT(memlockd_sync, flags, 4);
AT(memlockd_sync, target_type, 8);
AT(memlockd_sync, target, 12);
AT(memlockd_sync, out_locked, 16);
AT(memlockd_sync, out_pinned, 24);

SIZE(memlockd_status, 168);
AT(memlockd_status, size, 0);
AT(memlockd_status, flags, 4);
AT(memlockd_status, target_type, 8);
AT(memlockd_status, target, 12);
AT(memlockd_status, out_state, 16);
AT(memlockd_status, out_lock_flags, 20);
AT(memlockd_status, out_locker_pid, 24);
AT(memlockd_status, out_locker_uid, 28);
AT(memlockd_status, out_lock_time_ns, 32);
AT(memlockd_status, out_lock_duration_ns, 40);
AT(memlockd_status, out_lock_minor_faults, 48);
AT(memlockd_status, out_lock_major_faults, 56);
AT(memlockd_status, out_locked, 64);
AT(memlockd_status, out_memlock_limit, 72);
AT(memlockd_status, out_pinned, 80);
AT(memlockd_status, out_bookkeeping, 88);
AT(memlockd_status, out_healed, 96);
AT(memlockd_status, out_holders, 104);
AT(memlockd_status, out_warnings, 108);
AT(memlockd_status, out_ranges, 112);
AT(memlockd_status, out_real_minor_faults, 120);
AT(memlockd_status, out_real_major_faults, 128);
AT(memlockd_status, out_fault_address, 136);
AT(memlockd_status, out_fault_ip, 144);
AT(memlockd_status, out_fault_time_ns, 152);
AT(memlockd_status, out_fault_tid, 160);
AT(memlockd_status, out_fault_flags, 164);

SIZE(memlockd_mapping, 72);
AT(memlockd_mapping, start, 0);
AT(memlockd_mapping, end, 8);
AT(memlockd_mapping, resident, 16);
AT(memlockd_mapping, pinned, 24);
AT(memlockd_mapping, kind, 32);
AT(memlockd_mapping, prot, 36);
AT(memlockd_mapping, state, 40);
AT(memlockd_mapping, reason, 44);
AT(memlockd_mapping, read_faults, 48);
AT(memlockd_mapping, write_faults, 56);
AT(memlockd_mapping, cause, 64);
AT(memlockd_mapping, reserved, 68);

SIZE(memlockd_mappings, 56);
AT(memlockd_mappings, size, 0);
AT(memlockd_mappings, flags, 4);
AT(memlockd_mappings, target_type, 8);
AT(memlockd_mappings, target, 12);
AT(memlockd_mappings, start, 16);
AT(memlockd_mappings, rows, 24);
AT(memlockd_mappings, nr_rows, 32);
AT(memlockd_mappings, row_size, 36);
AT(memlockd_mappings, out_rows, 40);
AT(memlockd_mappings, out_flags, 44);
AT(memlockd_mappings, out_next, 48);

SIZE(memlockd_holder, 48);
AT(memlockd_holder, id, 0);
AT(memlockd_holder, lock_time_ns, 8);
AT(memlockd_holder, target, 16);
AT(memlockd_holder, pid, 20);
AT(memlockd_holder, uid, 24);
AT(memlockd_holder, kind, 28);
AT(memlockd_holder, state, 32);
AT(memlockd_holder, flags, 36);
AT(memlockd_holder, rule, 40);

SIZE(memlockd_list, 48);
AT(memlockd_list, size, 0);
AT(memlockd_list, flags, 4);
AT(memlockd_list, start, 8);
AT(memlockd_list, rows, 16);
AT(memlockd_list, nr_rows, 24);
AT(memlockd_list, row_size, 28);
AT(memlockd_list, out_rows, 32);
AT(memlockd_list, out_warnings, 36);
AT(memlockd_list, out_next, 40);

SIZE(memlockd_range, 64);
AT(memlockd_range, size, 0);
AT(memlockd_range, flags, 4);
AT(memlockd_range, target_type, 8);
AT(memlockd_range, target, 12);
AT(memlockd_range, state, 16);
AT(memlockd_range, reserved, 20);
AT(memlockd_range, addr, 24);
AT(memlockd_range, len, 32);
AT(memlockd_range, out_limit, 40);
AT(memlockd_range, out_reserved, 44);
AT(memlockd_range, out_needed, 48);
AT(memlockd_range, out_allowed, 56);

SIZE(memlockd_event, 64);
AT(memlockd_event, time_ns, 0);
AT(memlockd_event, kind, 8);
AT(memlockd_event, flags, 12);
AT(memlockd_event, pid, 16);
AT(memlockd_event, tid, 20);
AT(memlockd_event, address, 24);
AT(memlockd_event, ip, 32);
AT(memlockd_event, duration_ns, 40);
AT(memlockd_event, state, 48);
AT(memlockd_event, limit, 52);
AT(memlockd_event, count, 56);

SIZE(memlockd_subscribe, 24);
AT(memlockd_subscribe, size, 0);
AT(memlockd_subscribe, flags, 4);
AT(memlockd_subscribe, target_type, 8);
AT(memlockd_subscribe, target, 12);
AT(memlockd_subscribe, kinds, 16);
AT(memlockd_subscribe, event_size, 20);

SIZE(memlockd_rule, 64);
AT(memlockd_rule, size, 0);
AT(memlockd_rule, flags, 4);
AT(memlockd_rule, match, 8);
AT(memlockd_rule, events, 12);
AT(memlockd_rule, state, 16);
AT(memlockd_rule, lock_flags, 20);
AT(memlockd_rule, stack_reserve, 24);
AT(memlockd_rule, priority, 32);
AT(memlockd_rule, executable, 36);
AT(memlockd_rule, cgroup, 40);
AT(memlockd_rule, uid, 44);
AT(memlockd_rule, out_id, 48);
AT(memlockd_rule, out_matched, 56);
AT(memlockd_rule, out_failed, 60);

SIZE(memlockd_rule_del, 16);
AT(memlockd_rule_del, size, 0);
AT(memlockd_rule_del, flags, 4);
AT(memlockd_rule_del, id, 8);

SIZE(memlockd_rule_row, 112);
AT(memlockd_rule_row, id, 0);
AT(memlockd_rule_row, matched, 8);
AT(memlockd_rule_row, failed, 16);
AT(memlockd_rule_row, missed, 24);
AT(memlockd_rule_row, stack_reserve, 32);
AT(memlockd_rule_row, inode, 40);
AT(memlockd_rule_row, cgroup, 48);
AT(memlockd_rule_row, priority, 56);
AT(memlockd_rule_row, flags, 60);
AT(memlockd_rule_row, match, 64);
AT(memlockd_rule_row, events, 68);
AT(memlockd_rule_row, state, 72);
AT(memlockd_rule_row, lock_flags, 76);
AT(memlockd_rule_row, uid, 80);
AT(memlockd_rule_row, dev_major, 84);
AT(memlockd_rule_row, dev_minor, 88);
AT(memlockd_rule_row, pid, 92);
AT(memlockd_rule_row, adder_uid, 96);
AT(memlockd_rule_row, last_error, 100);
AT(memlockd_rule_row, last_limit, 104);
AT(memlockd_rule_row, reserved, 108);

SIZE(memlockd_rules, 48);
AT(memlockd_rules, size, 0);
AT(memlockd_rules, flags, 4);
AT(memlockd_rules, start, 8);
AT(memlockd_rules, rows, 16);
AT(memlockd_rules, nr_rows, 24);
AT(memlockd_rules, row_size, 28);
AT(memlockd_rules, out_rows, 32);
AT(memlockd_rules, out_reserved, 36);
AT(memlockd_rules, out_next, 40);

_Static_assert(MEMLOCKD_IOC_INFO == 0xB740, "INFO");
_Static_assert(MEMLOCKD_IOC_LOCK == 0xB741, "LOCK");
_Static_assert(MEMLOCKD_IOC_UNLOCK == 0xB742, "UNLOCK");
_Static_assert(MEMLOCKD_IOC_STATUS == 0xB743, "STATUS");
_Static_assert(MEMLOCKD_IOC_MAPPINGS == 0xB744, "MAPPINGS");
_Static_assert(MEMLOCKD_IOC_SYNC == 0xB745, "SYNC");
_Static_assert(MEMLOCKD_IOC_LIST == 0xB746, "LIST");
_Static_assert(MEMLOCKD_IOC_LOCK_RANGE == 0xB747, "LOCK_RANGE");
_Static_assert(MEMLOCKD_IOC_UNLOCK_RANGE == 0xB748, "UNLOCK_RANGE");
_Static_assert(MEMLOCKD_IOC_SUBSCRIBE == 0xB749, "SUBSCRIBE");
_Static_assert(MEMLOCKD_IOC_RULE_ADD == 0xB74A, "RULE_ADD");
_Static_assert(MEMLOCKD_IOC_RULE_DEL == 0xB74B, "RULE_DEL");
_Static_assert(MEMLOCKD_IOC_RULES == 0xB74C, "RULES");

#endif /* MEMLOCKD_LAYOUT_H */

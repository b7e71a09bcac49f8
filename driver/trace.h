/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, for perf(1), trace-cmd(1) and the like: what becomes of locked processes.
 * Numbers of processes are those of the first PID namespace.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memlockd

#if !defined(_MEMLOCKD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MEMLOCKD_TRACE_H

#include <linux/memlockd.h>
#include <linux/tracepoint.h>

/* A process is locked now, in another state, or with other flags. */
TRACE_EVENT(lock,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
		__field(u32, state)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->process = process;
		__entry->state = out->state;
		__entry->flags = out->flags;
	),
	TP_printk("process=%d state=%s flags=0x%x", __entry->process,
		  __print_symbolic(__entry->state,
				   { MEMLOCKD_STATE_LOCKED, "locked" },
				   { MEMLOCKD_STATE_SUPERLOCKED, "superlocked" }),
		  __entry->flags)
);

/* Its last lock is given up. */
TRACE_EVENT(unlock,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
	),
	TP_fast_assign(
		__entry->process = process;
	),
	TP_printk("process=%d", __entry->process)
);

/* The current thread, of a superlocked process, has taken a real page fault. */
TRACE_EVENT(fault,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
		__field(u64, address)
		__field(u64, ip)
		__field(u64, duration)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->process = process;
		__entry->address = out->address;
		__entry->ip = out->ip;
		__entry->duration = out->duration_ns;
		__entry->flags = out->flags;
	),
	TP_printk("process=%d address=0x%llx ip=0x%llx duration=%llu flags=%s",
		  __entry->process, __entry->address, __entry->ip, __entry->duration,
		  __print_flags(__entry->flags, "|",
				{ MEMLOCKD_FAULT_WRITE, "write" },
				{ MEMLOCKD_FAULT_EXEC, "exec" },
				{ MEMLOCKD_FAULT_MAJOR, "major" },
				{ MEMLOCKD_FAULT_KERNEL, "kernel" }))
);

/* The address space of a locked process has ended, and its locks with it. */
TRACE_EVENT(end,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
		__field(u32, kind)
	),
	TP_fast_assign(
		__entry->process = process;
		__entry->kind = out->kind;
	),
	TP_printk("process=%d by=%s", __entry->process,
		  __print_symbolic(__entry->kind,
				   { MEMLOCKD_EVENT_EXECED, "exec" },
				   { MEMLOCKD_EVENT_EXITED, "exit" }))
);

/* It could not be locked, as a limit was met. */
TRACE_EVENT(limit,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
		__field(u32, limit)
		__field(u64, needed)
	),
	TP_fast_assign(
		__entry->process = process;
		__entry->limit = out->limit;
		__entry->needed = out->count;
	),
	TP_printk("process=%d limit=%u needed=%llu", __entry->process, __entry->limit,
		  __entry->needed)
);

/* A rule is for the process; or that could not be locked as the rule says. */
TRACE_EVENT(rule,
	TP_PROTO(pid_t process, const struct memlockd_event *out),
	TP_ARGS(process, out),
	TP_STRUCT__entry(
		__field(pid_t, process)
		__field(u64, rule)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->process = process;
		__entry->rule = out->count;
		__entry->error = out->kind == MEMLOCKD_EVENT_RULE_FAILED ? out->flags : 0;
	),
	TP_printk("process=%d rule=%llu error=%u", __entry->process, __entry->rule,
		  __entry->error)
);

#endif /* _MEMLOCKD_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the core kernel, which are exported to no module, and found by name.
 */
#ifndef _MEMLOCKD_TRACEPOINT_H
#define _MEMLOCKD_TRACEPOINT_H

struct tracepoint;

struct tracepoint *mlkd_tracepoint_find(const char *name);
int mlkd_tracepoint_register(struct tracepoint *point, void *probe);
void mlkd_tracepoint_unregister(struct tracepoint *point, void *probe);

#endif /* _MEMLOCKD_TRACEPOINT_H */

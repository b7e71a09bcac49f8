// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints of the core kernel, which are exported to no module, and found by name.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kconfig.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "tracepoint.h"

struct search {
	const char *name;
	struct tracepoint *found;
};

static void compare(struct tracepoint *point, void *data)
{
	struct search *search = data;

	if (!strcmp(point->name, search->name))
		search->found = point;
}

/* Returns the tracepoint that is called @name; or NULL. */
struct tracepoint *mlkd_tracepoint_find(const char *name)
{
	struct search search = { .name = name };

	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		for_each_kernel_tracepoint(compare, &search);
	return search.found;
}

/* Has @point call @probe.  Returns 0; -EOPNOTSUPP without a tracepoint; -ENOMEM. */
int mlkd_tracepoint_register(struct tracepoint *point, void *probe)
{
	if (!IS_ENABLED(CONFIG_TRACEPOINTS) || !point)
		return -EOPNOTSUPP;
	return tracepoint_probe_register(point, probe, NULL);
}

/*
 * @point, which calls @probe, is to call it no more.  It may be running still, until after
 * tracepoint_synchronize_unregister().
 */
void mlkd_tracepoint_unregister(struct tracepoint *point, void *probe)
{
	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		WARN_ON_ONCE(tracepoint_probe_unregister(point, probe, NULL));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl info
 */
#include <stdio.h>
#include <unistd.h>

#include "memlockctl.h"

static void print_info(const struct memlockd_info *info, const char *version)
{
	char flags[128], bar[BAR_ROOM];

	printf("memlockd %s, with pages of %s\n", version, size_text(info->out_page_size));
	printf("  flags      %s\n",
	       text_flags(flags, sizeof(flags), info->out_lock_flags));
	printf("  processes  %u %s locked\n", info->out_locked_processes,
	       info->out_locked_processes == 1 ? "is" : "are");
	printf("  pinned     %s\n", size_text(info->out_pinned));
	if (!info->out_max_wired)
		return;
	printf("  wired      %s of %s (vm.memlockd.max_wired), %s at most until now\n",
	       size_text(info->out_wired), size_text(info->out_max_wired),
	       size_text(info->out_wired_peak));
	if (!term_fancy(STDOUT_FILENO))
		return;
	fputs("             ", stdout);
	term_paint(term_blocks(bar, 20, info->out_max_wired, info->out_wired, 0), stdout);
	putchar('\n');
}

void info_run(struct ctl *ctl)
{
	struct memlockd_info info;
	char version[32];
	int err;

	err = memlockd_read_info(ctl->dev, &info, sizeof(info));
	if (err) {
		report_failure(ctl, NULL, err);
		return;
	}
	snprintf(version, sizeof(version), "%u.%u.%u", info.out_version >> 16,
		 info.out_version >> 8 & 255, info.out_version & 255);
	if (!ctl->doc) {
		print_info(&info, version);
		return;
	}
	json_string(ctl->doc, "version", version);
	json_number(ctl->doc, "page_size", info.out_page_size);
	json_flags(ctl->doc, info.out_lock_flags);
	json_number(ctl->doc, "locked_processes", info.out_locked_processes);
	json_number(ctl->doc, "pinned", info.out_pinned);
	json_number(ctl->doc, "wired", info.out_wired);
	json_number(ctl->doc, "wired_peak", info.out_wired_peak);
	json_number(ctl->doc, "max_wired", info.out_max_wired);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers of the device in words for people.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "memlockctl.h"

const char *text_state(unsigned int state)
{
	switch (state) {
	case MEMLOCKD_STATE_UNLOCKED:
		return "unlocked";
	case MEMLOCKD_STATE_LOCKED:
		return "LOCKED";
	case MEMLOCKD_STATE_SUPERLOCKED:
		return "SUPERLOCKED";
	default:
		return "unknown";
	}
}

char *text_bits(char *buf, size_t room, unsigned int bits, const char *between,
		const char *(*name)(unsigned int bit))
{
	size_t len = 0;
	unsigned int bit;

	*buf = '\0';
	for (bit = 1; bit; bit <<= 1) {
		if ((bits & bit) && len < room)
			len += snprintf(buf + len, room - len, "%s%s", len ? between : "",
					name(bit));
	}
	return buf;
}

char *text_flags(char *buf, size_t room, unsigned int flags)
{
	return text_bits(buf, room, flags, "|", memlockd_flag_name);
}

char *text_mode(char *buf, size_t room, unsigned int flags)
{
	const unsigned int both = MEMLOCKD_CURRENT | MEMLOCKD_FUTURE;

	return text_flags(buf, room, (flags & both) == both ? flags & ~both : flags);
}

char *text_lock(char *buf, size_t room, unsigned int state, unsigned int flags)
{
	char mode[64];

	text_mode(mode, sizeof(mode), flags);
	snprintf(buf, room, "%s%s%s", text_state(state), *mode ? "|" : "", mode);
	return buf;
}

char *text_user(char *buf, size_t room, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(buf, room, "%s", user->pw_name);
	else
		snprintf(buf, room, "user %u", uid);
	return buf;
}

char *text_time(char *buf, size_t room, uint64_t boottime_ns)
{
	struct timespec boot, wall;
	struct tm tm;
	time_t then;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	then = wall.tv_sec - boot.tv_sec + (time_t)(boottime_ns / 1000000000);
	if (!localtime_r(&then, &tm) || !strftime(buf, room, "%F %T", &tm))
		*buf = '\0';
	return buf;
}

const char *text_access(unsigned int flags)
{
	if (flags & MEMLOCKD_FAULT_KERNEL)
		return flags & MEMLOCKD_FAULT_WRITE ? "write by a system call" :
						      "read by a system call";
	if (flags & MEMLOCKD_FAULT_WRITE)
		return "write";
	return flags & MEMLOCKD_FAULT_EXEC ? "fetch of an instruction" : "read";
}

char *text_duration(char *buf, size_t room, uint64_t ns)
{
	if (ns < 1000000)
		snprintf(buf, room, "%.0f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buf, room, "%.1f ms", ns / 1e6);
	else
		snprintf(buf, room, "%.1f s", ns / 1e9);
	return buf;
}

const char *size_text(uint64_t bytes)
{
	static char bufs[8][16];
	static unsigned int next;
	char *buf = bufs[next++ % ARRAY_SIZE(bufs)];

	return memlockd_format_size(buf, sizeof(bufs[0]), bytes);
}

const char *count_text(uint64_t n, const char *noun)
{
	static char bufs[4][64];
	static unsigned int next;
	char *buf = bufs[next++ % ARRAY_SIZE(bufs)];

	snprintf(buf, sizeof(bufs[0]), "%llu %s%s", (unsigned long long)n, noun, n == 1 ? "" : "s");
	return buf;
}

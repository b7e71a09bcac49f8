/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What first, a program without the C library, says of itself.
 */
#ifndef MEMLOCKD_FIRST_H
#define MEMLOCKD_FIRST_H

/* Bytes of each kind of memory that it touches, a page at a time. */
#define FIRST_BYTES	(64 * 4096)

/**
 * struct first - the page faults that it has taken
 * @faults: while it touched its text, constants, data, bss and stack, as getrusage(2) has
 *	them, which it has asked before and after
 * @child: those of a child that has done the same; -1 without one
 * @again: and its own, once more, after that fork
 */
struct first {
	int faults;
	int child;
	int again;
};

/* Its text that nobody runs, and its constants; each FIRST_BYTES. */
extern const volatile char first_text[], constants[];

#endif /* MEMLOCKD_FIRST_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory there is for what a process is going to take.
 */
#ifndef _MEMLOCKD_ROOM_H
#define _MEMLOCKD_ROOM_H

struct mm_struct;

unsigned long mlkd_room(struct mm_struct *mm);

#endif /* _MEMLOCKD_ROOM_H */

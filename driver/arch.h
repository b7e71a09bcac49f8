/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between processors.  No other file tests for one.
 */
#ifndef _MEMLOCKD_ARCH_H
#define _MEMLOCKD_ARCH_H

#ifdef CONFIG_X86_64
#include "arch/x86.h"
#else
#error "memlockd works on x86-64 only"
#endif

#endif /* _MEMLOCKD_ARCH_H */

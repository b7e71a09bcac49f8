/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between processors.  No other file tests for one.
 */
#ifndef _MEMLOCKD_ARCH_H
#define _MEMLOCKD_ARCH_H

#if defined(CONFIG_X86_64)
#include "arch/x86.h"
#elif defined(CONFIG_ARM64)
#include "arch/arm64.h"
#else
#error "memlockd does not know this processor"
#endif

#endif /* _MEMLOCKD_ARCH_H */

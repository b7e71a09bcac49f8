// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that ends at once, and is free of the C library: what is left is execve(2).
 */
#if defined(__x86_64__)
asm(".globl _start\n_start:\nmov $60, %eax\nxor %edi, %edi\nsyscall\n");
#elif defined(__aarch64__)
asm(".globl _start\n_start:\nmov x8, #93\nmov x0, #0\nsvc #0\n");
#endif

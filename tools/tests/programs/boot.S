# SPDX-License-Identifier: GPL-2.0-only
# A boot sector that fills 448 KiB with a pattern, reads it back, and tells the debug console: a "k" for each time that it
# found what it had written, an "X" and no more when it did not.
	.code16
	.globl _start
_start:	cli
	cld
	movw $0x9e37, %bx
again:	movw $0x1000, %dx
fill:	movw %dx, %es
	xorw %di, %di
	movw $0x8000, %cx
	movw %bx, %ax
	addw %dx, %ax
	rep stosw
	addw $0x1000, %dx
	cmpw $0x8000, %dx
	jne fill
	movw $0x1000, %dx
check:	movw %dx, %es
	xorw %di, %di
	movw $0x8000, %cx
	movw %bx, %ax
	addw %dx, %ax
	repe scasw
	jne wrong
	addw $0x1000, %dx
	cmpw $0x8000, %dx
	jne check
	movb $'k', %al
	outb %al, $0xe9
	addw $0x1235, %bx
	jmp again
wrong:	movb $'X', %al
	outb %al, $0xe9
halt:	hlt
	jmp halt
	.org 510
	.word 0xaa55

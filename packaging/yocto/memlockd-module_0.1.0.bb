# SPDX-License-Identifier: GPL-2.0-only
# The module. The tarball is that of `make dist`, in a folder files/ beside this recipe. The kernel has to have
# CONFIG_MMU_NOTIFIER, which others select (CONFIG_KVM, for one), and CONFIG_KPROBES: see docs/embedded.md.
SUMMARY = "Lock another process's memory, now and in the future: kernel module"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://COPYING;md5=595b49eb9eaeb28f30de360bfcc3a489"

SRC_URI = "file://memlockd-${PV}.tar.gz"
S = "${UNPACKDIR}/memlockd-${PV}"
UNPACKDIR ??= "${WORKDIR}"

inherit module

COMPATIBLE_HOST = "x86_64.*-linux"

# The tree's own Makefile is for people; the kernel's build reads Kbuild.
EXTRA_OEMAKE += "-C ${STAGING_KERNEL_DIR} M=${S}"
MAKE_TARGETS = "modules"

KERNEL_MODULE_AUTOLOAD += "memlockd"

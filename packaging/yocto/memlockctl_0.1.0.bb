# SPDX-License-Identifier: GPL-2.0-only
# What runs in user space. The tarball is that of `make dist`, in a folder files/ beside this recipe.
SUMMARY = "Lock, superlock and look at the memory of processes"
LICENSE = "GPL-2.0-only & LGPL-2.1-or-later"
LIC_FILES_CHKSUM = "file://COPYING;md5=595b49eb9eaeb28f30de360bfcc3a489"

SRC_URI = "file://memlockd-${PV}.tar.gz"
S = "${UNPACKDIR}/memlockd-${PV}"
UNPACKDIR ??= "${WORKDIR}"

DEPENDS = "json-c"
RRECOMMENDS:${PN} = "kernel-module-memlockd"

# Without man pages: scdoc is in another layer.
EXTRA_OEMAKE = "PREFIX=${prefix} LIBDIR=${libdir} UNITDIR=${systemd_system_unitdir} UDEVDIR=${nonarch_base_libdir}/udev/rules.d \
                sbin=${D}${sbindir} pages="

do_compile() {
	oe_runmake -C ${S}/tools
}

do_install() {
	oe_runmake -C ${S}/tools install DESTDIR=${D}
}

inherit useradd

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system memlock"

# The shim is for LD_PRELOAD: nobody links with it.
FILES:${PN} += "${libdir}/libmemlockd-preload.so ${systemd_system_unitdir} ${nonarch_base_libdir}/udev \
                ${nonarch_libdir}/sysusers.d ${nonarch_libdir}/modules-load.d ${datadir}/memlockctl"
FILES_SOLIBSDEV = "${libdir}/libmemlockd.so"
INSANE_SKIP:${PN} += "dev-so"

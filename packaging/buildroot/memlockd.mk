# SPDX-License-Identifier: GPL-2.0-only
# The module and what runs in user space, out of the tree that this file lies in. Without man pages, which nobody reads there.
MEMLOCKD_SITE = $(BR2_EXTERNAL_MEMLOCKD_PATH)/../..
MEMLOCKD_SITE_METHOD = local
MEMLOCKD_VERSION = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' $(MEMLOCKD_SITE)/dkms.conf)
MEMLOCKD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude .cache --exclude build
MEMLOCKD_LICENSE = GPL-2.0-only, LGPL-2.1-or-later (library, shim)
MEMLOCKD_LICENSE_FILES = COPYING LICENSES/preferred/GPL-2.0 LICENSES/preferred/LGPL-2.1
MEMLOCKD_DEPENDENCIES = json-c
MEMLOCKD_INSTALL_STAGING = YES

MEMLOCKD_MAKE = $(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) -C $(@D)/tools \
	PREFIX=/usr UNITDIR=/usr/lib/systemd/system UDEVDIR=/usr/lib/udev/rules.d pages=

# CONFIG_MMU_NOTIFIER cannot be chosen by itself; KVM selects it.
define MEMLOCKD_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_KPROBES)
	$(call KCONFIG_ENABLE_OPT,CONFIG_VIRTUALIZATION)
	$(call KCONFIG_ENABLE_OPT,CONFIG_KVM)
endef

define MEMLOCKD_BUILD_CMDS
	$(MEMLOCKD_MAKE)
endef

define MEMLOCKD_INSTALL_STAGING_CMDS
	$(MEMLOCKD_MAKE) install DESTDIR=$(STAGING_DIR)
endef

define MEMLOCKD_INSTALL_TARGET_CMDS
	$(MEMLOCKD_MAKE) install DESTDIR=$(TARGET_DIR)
endef

define MEMLOCKD_USERS
	- - memlock -1 - - - - -
endef

$(eval $(kernel-module))
$(eval $(generic-package))

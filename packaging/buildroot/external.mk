# SPDX-License-Identifier: GPL-2.0-only
# make BR2_EXTERNAL=/path/to/memlockd/packaging/buildroot menuconfig
include $(BR2_EXTERNAL_MEMLOCKD_PATH)/memlockd.mk

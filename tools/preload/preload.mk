# SPDX-License-Identifier: GPL-2.0-only
# libmemlockd-preload.so: for LD_PRELOAD only, so its soname has no version.
preload_dir := $(top)/tools/preload
preload := libmemlockd-preload.so

$(out)/$(preload): $(preload_dir)/preload.c $(preload_dir)/device.c $(preload_dir)/device.h $(top)/uapi/linux/memlockd.h
	mkdir -p $(@D)
	$(CC) $(flags) $(LDFLAGS) -fPIC -fvisibility=hidden -shared -Wl,-soname,$(preload) -Wl,--no-undefined -o $@ $(filter %.c,$^)

all: $(out)/$(preload)

install_preload: $(out)/$(preload)
	install -d $(lib)
	install -m 644 $(out)/$(preload) $(lib)

install: install_preload
installed += $(lib)/$(preload)

.PHONY: install_preload

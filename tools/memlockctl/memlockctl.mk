# SPDX-License-Identifier: GPL-2.0-only
# memlockctl, with the schema of its JSON.
ctl_dir := $(top)/tools/memlockctl
ctl_objects := $(patsubst $(ctl_dir)/%.c,$(out)/memlockctl.o/%.o,$(wildcard $(ctl_dir)/*.c))

$(out)/memlockctl.o/%.o: $(ctl_dir)/%.c $(ctl_dir)/memlockctl.h $(lib_headers)
	mkdir -p $(@D)
	$(CC) $(flags) -c -o $@ $<

$(out)/memlockctl: $(ctl_objects) $(out)/libmemlockd.so
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(ctl_objects) -L$(out) -lmemlockd -ljson-c -lsmartcols

all: $(out)/memlockctl

install_ctl: $(out)/memlockctl
	install -d $(sbin) $(share)/memlockctl
	install -m 755 $(out)/memlockctl $(sbin)
	install -m 644 $(ctl_dir)/memlockctl.schema.json $(share)/memlockctl

install: install_ctl
installed += $(sbin)/memlockctl $(share)/memlockctl

.PHONY: install_ctl

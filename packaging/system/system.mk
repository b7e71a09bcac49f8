# SPDX-License-Identifier: GPL-2.0-only
# What makes them part of a system: man pages, completion, the device's group, units, examples. Included by tools/Makefile.
system_dir := $(top)/packaging/system
examples := $(wildcard $(top)/packaging/examples/*.conf $(top)/packaging/examples/*.rules)
man_out := $(out)/man
# memlockctl.8.scd becomes memlockctl.8
pages := $(patsubst $(top)/docs/man/%.scd,%,$(wildcard $(top)/docs/man/*.scd))

# Systems on which /lib is not a link to /usr/lib have these there.
UNITDIR ?= $(PREFIX)/lib/systemd/system
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
units := $(DESTDIR)$(UNITDIR)
rules := $(DESTDIR)$(UDEVDIR)
sysusers := $(DESTDIR)$(PREFIX)/lib/sysusers.d
at_boot := $(DESTDIR)$(PREFIX)/lib/modules-load.d
doc := $(share)/doc/memlockctl

# By its first line a page says that it has tables; scdoc does not write that.
$(man_out)/%: $(top)/docs/man/%.scd
	mkdir -p $(@D)
	{ printf '%s\n' "'\\\" t"; scdoc <$<; } >$@

all: $(addprefix $(man_out)/,$(pages))

install_system: $(addprefix $(man_out)/,$(pages))
	install -d $(rules) $(sysusers) $(at_boot) $(units) $(share)/bash-completion/completions $(doc)/examples
	for page in $(pages); do install -D -m 644 $(man_out)/$$page $(share)/man/man$${page##*.}/$$page; done
	install -m 644 $(top)/packaging/completion/memlockctl $(share)/bash-completion/completions
	install -m 644 $(system_dir)/60-memlockd.rules $(rules)
	install -m 644 $(system_dir)/memlockd-sysusers.conf $(sysusers)/memlockd.conf
	install -m 644 $(system_dir)/memlockd-modules-load.conf $(at_boot)/memlockd.conf
	sed 's|@sbindir@|$(PREFIX)/sbin|' $(system_dir)/memlock@.service.in >$(units)/memlock@.service
	sed 's|@sbindir@|$(PREFIX)/sbin|' $(system_dir)/memlockd-rules.service.in >$(units)/memlockd-rules.service
	chmod 644 $(units)/memlock@.service $(units)/memlockd-rules.service
	install -m 644 $(examples) $(doc)/examples

install: install_system
installed += $(foreach page,$(pages),$(share)/man/man$(subst .,,$(suffix $(page)))/$(page)) $(doc) \
	$(share)/bash-completion/completions/memlockctl $(rules)/60-memlockd.rules $(sysusers)/memlockd.conf \
	$(at_boot)/memlockd.conf $(units)/memlock@.service $(units)/memlockd-rules.service

.PHONY: install_system

# SPDX-License-Identifier: GPL-2.0-only
# libmemlockd.so, with a soname and symbol versions; libmemlockd.a; what one compiles with.
lib_dir := $(top)/tools/lib
lib_headers := $(lib_dir)/libmemlockd.h $(lib_dir)/internal.h $(top)/uapi/linux/memlockd.h
lib_objects := $(patsubst $(lib_dir)/%.c,$(out)/lib/%.o,$(wildcard $(lib_dir)/*.c))
soname := libmemlockd.so.1
lib_file := $(soname).$(version)

$(out)/lib/%.o: $(lib_dir)/%.c $(lib_headers)
	mkdir -p $(@D)
	$(CC) $(flags) -fPIC -c -o $@ $<

$(out)/$(lib_file): $(lib_objects) $(lib_dir)/libmemlockd.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(soname) -Wl,--version-script,$(lib_dir)/libmemlockd.map \
		-Wl,--no-undefined -o $@ $(lib_objects)

$(out)/libmemlockd.so: $(out)/$(lib_file)
	ln -sf $(lib_file) $(out)/$(soname)
	ln -sf $(soname) $@

$(out)/libmemlockd.a: $(lib_objects)
	rm -f $@
	$(AR) rcs $@ $^

all: $(out)/libmemlockd.so $(out)/libmemlockd.a

install_lib: $(out)/libmemlockd.so $(out)/libmemlockd.a
	install -d $(lib)/pkgconfig $(include)/linux
	install -m 644 $(out)/$(lib_file) $(out)/libmemlockd.a $(lib)
	ln -sf $(lib_file) $(lib)/$(soname)
	ln -sf $(soname) $(lib)/libmemlockd.so
	install -m 644 $(lib_dir)/libmemlockd.h $(include)
	install -m 644 $(top)/uapi/linux/memlockd.h $(include)/linux
	sed 's|@prefix@|$(PREFIX)|; s|@libdir@|$(LIBDIR)|; s|@version@|$(version)|' $(lib_dir)/libmemlockd.pc.in \
		>$(lib)/pkgconfig/libmemlockd.pc

install: install_lib
installed += $(lib)/$(lib_file) $(lib)/$(soname) $(lib)/libmemlockd.so $(lib)/libmemlockd.a $(lib)/pkgconfig/libmemlockd.pc \
	$(include)/libmemlockd.h $(include)/linux/memlockd.h

.PHONY: install_lib

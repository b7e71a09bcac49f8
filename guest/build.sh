# shellcheck shell=bash
# Sourced by guest/fetch: kernels that are built here, from Debian's source and files of guest/config, and what is built
# for others. It needs lib.sh and apt.sh.
: "${top:?}"

# fragments NAMES: the files of guest/config that a comma-separated list names.
fragments() {
	local name names
	IFS=, read -ra names <<<"$1"
	for name in "${names[@]}"; do
		echo "$top/guest/config/$name.config"
	done
}

# make_built_kernel NAME SUITE PACKAGE CONFIGS DIR
make_built_kernel() {
	local name=$1 suite=$2 package=$3 configs=$4 dir=$5 work=$5/build conf headers
	"$top/guest/setup" kernel
	conf=$(private_apt "$suite")
	unpack "the source of kernel $name" "$conf" "$work" "$package"
	mkdir "$work/source" "$work/objects"
	tar -xJf "$work"/usr/src/linux-source-*.tar.xz -C "$work/source" --strip-components=1
	# shellcheck disable=SC2086
	cat $configs >"$work/config"
	configure "$work"
	say "building kernel $name (once, a quarter of an hour)"
	# the packages hold what a module's build needs, and no more
	quietly "$work/log" kernel_make "$work" bindeb-pkg DPKG_FLAGS=-d KDEB_COMPRESS=none || die "the kernel could not be built"
	for package in "$work"/linux-image-*.deb "$work"/linux-headers-*.deb; do
		dpkg-deb -x "$package" "$dir"
	done
	rm -r "$work"
	# not the plain ELF inside: KASAN does not survive its entry for PVH
	cp "$dir"/boot/vmlinuz-* "$dir/vmlinux"
	for headers in "$dir"/usr/src/linux-headers-*; do
		echo "CC = gcc-12" >"$headers/.kernelvariables"
	done
	place_kernel "$dir"
}

# kernel_make WORK ARGUMENT...: the same result wherever and by whomever it is built.
kernel_make() {
	local work=$1
	shift
	env -u MAKEFLAGS -u MAKELEVEL KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=memlockd KBUILD_BUILD_HOST=memlockd \
		make -s -C "$work/source" O="$work/objects" CC=gcc-12 HOSTCC=gcc-12 "-j$(nproc)" "$@"
}

# configure WORK: nothing but what WORK/config asks for. Kconfig drops silently what it cannot have, so look.
configure() {
	local work=$1 lost
	quietly "$work/log" kernel_make "$work" KCONFIG_ALLCONFIG="$work/config" allnoconfig || die "the kernel could not be configured"
	lost=$(awk -F= '/^CONFIG_/ { value = substr($0, length($1) + 2) }
		FNR == NR && /^CONFIG_/ { have[$1] = value }
		FNR != NR && /^CONFIG_/ && have[$1] != (value == "n" ? "" : value) { print "  " $0 }
		' "$work/objects/.config" "$work/config")
	[[ ! $lost ]] || die "this kernel's Kconfig does not accept, for want of something else or of the option itself:"$'\n'"$lost"
}

# make_9p KERNEL-DIR SUITE DIR: the file system that guests share with this machine, for a stock kernel that goes without
# (Debian's for clouds), from the source of the same release.
make_9p() {
	local kernel=$1 suite=$2 dir=$3 conf release part
	release=$(cut -d. -f1,2 "$kernel/version")
	conf=$(private_apt "$suite")
	mkdir "$dir"
	unpack "the source of 9p" "$conf" "$dir" "linux-source-$release"
	tar -xJf "$dir"/usr/src/linux-source-*.tar.xz -C "$dir" --strip-components=1 --wildcards '*/net/9p' '*/fs/9p'
	rm -r "${dir:?}/usr"
	# what net exports, and fs needs; to name one that is not there is an error
	touch "$dir/net/9p/Module.symvers"
	for part in net fs; do
		quietly "$dir/log" make -C "$kernel/headers" "M=$dir/$part/9p" CONFIG_NET_9P=m CONFIG_NET_9P_VIRTIO=m \
			CONFIG_9P_FS=m KBUILD_EXTRA_SYMBOLS="$dir/net/9p/Module.symvers" modules || die "9p could not be built"
	done
	mv "$dir"/net/9p/*.ko "$dir"/fs/9p/*.ko "$dir"
}

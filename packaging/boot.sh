# shellcheck shell=bash
# Sourced by packaging/boot-test and packaging/state-test: a Debian with systemd on a disk of its own, in QEMU, and what runs in
# it. In the guest, everything is below /boot-test: the script with this file beside it, and what add_payload has put there.
# The script runs there as well, as `SCRIPT inside`; it has functions inside_PART. What a test says is a line for each promise
# that is kept, and "done PART" behind the last.

# A folder, for who calls what is below "On this machine": logs and the disk stay there when something fails.
run=''

kept() { echo "ok   $*"; }

if [[ ${BASH_SOURCE[0]} == /boot-test/* ]]; then
	die() { echo "FAIL $*"; exit 1; }
else
	. "${BASH_SOURCE[0]%/*}/../guest/lib.sh"
	. "$top/guest/apt.sh"
fi

#
# In the guest.
#

# await WHAT COMMAND...: until it succeeds; one that never does ends at the machine's time limit.
await() {
	echo "     (waiting for $1)"
	until "${@:2}" >/dev/null 2>&1; do
		sleep 0.2
	done
}

no_jobs() { [[ ! $(systemctl list-jobs --no-legend) ]]; }

# inside: the part that the kernel's command line names, once the machine has started; then it is restarted.
inside() {
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
	local state part
	trap 'sync; systemctl --no-block reboot' EXIT
	part=$(sed 's/.*boot_test=\([^ ]*\).*/\1/' /proc/cmdline)
	state=$(systemctl is-system-running --wait) || :
	[[ $state == running ]] || systemctl --failed --no-legend
	"inside_$part"
	echo "done $part"
}

#
# On this machine.
#

# no hardware that needs a driver of these kinds is there
left_out=(--exclude /kernel/drivers --exclude /kernel/sound --exclude /kernel/net --exclude 'kvm*' --exclude /vmlinuz --exclude /System.map
	--exclude /config --exclude /build --exclude /source)

# sources RELEASE KERNEL: the release, and where its kernel comes from.
sources() {
	local suite
	read -r _ suite _ < <(kernel_line "$2")
	echo "deb $(mirror "$1") $1 main"
	echo "deb $(mirror "$suite") $suite main"
}

# make_disk RELEASE PACKAGES KERNEL...: a copy of one that is made once, of these packages (with commas between them) and of the
# modules of these kernels.
make_disk() {
	local name kernel folders=() versions=''
	for kernel in "${@:3}"; do
		folders+=("$("$top/guest/fetch" kernel "$kernel")")
		versions+=" $(<"${folders[-1]}/version")"
	done
	name=$run.$(sha256sum <<<"$2$versions" | head -c 12).disk
	if [[ ! -e $name ]]; then
		make_system "$1" "$2" "$3" "${folders[@]}" && mv "$run/disk" "$name" || return
	fi
	cp --sparse=always "$name" "$run/disk"
}

# make_system RELEASE PACKAGES KERNEL FOLDER...: a file system with the release, where KERNEL is from, and the modules in FOLDERs.
make_system() {
	plain mmdebstrap --variant=minbase --include="$2" --aptopt='Acquire::Languages "none"' "$1" "$run/tree.tar" - < <(sources "$1" "$3") || return
	mkdir "$run/tree"
	# owners are kept whoever we are
	# shellcheck disable=SC2016
	fakeroot bash -euc '
		run=$1 nr=$2 kernels=("${@:3:$2}") left_out=("${@:3 + $2}")
		tar -xf "$run/tree.tar" -C "$run/tree" --exclude "./dev/*"
		cd "$run/tree"
		rm -f etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/apt/apt.conf.d/99mmdebstrap etc/apt/sources.list
		echo 5d1f2f0c6a0b4b7f8e9d0a1b2c3d4e5f >etc/machine-id
		echo boot-test >etc/hostname
		for kernel in "${kernels[@]}"; do
			version=$(<"$kernel/version")
			mkdir -p "lib/modules/$version"
			rsync -a --no-owner --no-group "${left_out[@]}" "$kernel/lib/modules/$version/" "lib/modules/$version/"
			/sbin/depmod -b . "$version"
		done
		truncate -s 4G "$run/disk"
		/sbin/mke2fs -q -t ext4 -d . "$run/disk"
	' - "$run" $(($# - 3)) "${@:4}" "${left_out[@]}" || return
	rm -rf "$run/tree" "$run/tree.tar"
}

# make_payload SCRIPT FUNCTION...: what the guest takes from us, as an archive that it sees as a disk: SCRIPT and what runs it, and
# what FUNCTION, which gets the archive's root, puts there.
make_payload() {
	local dir=$run/payload units=$run/payload/etc/systemd/system
	mkdir -p "$dir/boot-test" "$units/multi-user.target.wants"
	cp "$1" "$dir/boot-test/inside"
	cp "$top/packaging/boot.sh" "$dir/boot-test"
	cat >"$units/boot-test.service" <<-END
		[Unit]
		Description=What packaging/${1##*/} does in here
		[Service]
		ExecStart=/bin/bash /boot-test/inside inside
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/ttyS1
	END
	ln -s ../boot-test.service "$units/multi-user.target.wants/boot-test.service"
	"$2" "$dir" "${@:3}" || return
	tar -C "$dir" --owner=0 --group=0 -cf "$run/payload.tar" .
}

# make_initramfs KERNEL: the drivers and the busybox of guest/initramfs, and another first process: the root is a disk.
make_initramfs() {
	local busybox
	busybox=$("$top/guest/fetch" busybox)
	mkdir -p "$run/init"
	cat >"$run/init/init" <<-'END'
		#!/bin/sh
		/bin/busybox mkdir -p /proc /sys /dev /sbin /usr/bin /usr/sbin
		/bin/busybox --install -s
		mount -t proc proc /proc
		mount -t devtmpfs devtmpfs /dev
		while read -r module; do
			insmod "/modules/$module"
		done </modules/list
		mount -t ext4 /dev/vda /root
		tar -xf /dev/vdb -C /root
		mount -o move /dev /root/dev
		umount /proc
		exec switch_root /root /sbin/init
	END
	chmod +x "$run/init/init"
	# of two files of one name the kernel takes the later
	{ cat "$("$top/guest/fetch" initramfs "$1")" && (cd "$run/init" && echo init | "$busybox" cpio -o -H newc 2>/dev/null); } >"$run/initramfs"
}

# boot KERNEL PART [MIB]: until the guest, which has MIB of memory, restarts itself; then its own lines are printed. One thread of
# QEMU's is both processors, so that neither executes a breakpoint that the other has just replaced: see docs/testing.md.
boot() {
	local log=$run/$2.log out=$run/$2.out kernel
	kernel=$("$top/guest/fetch" kernel "$1")
	make_initramfs "$1"
	timeout -k 5 3600 setpriv --pdeathsig KILL qemu-system-x86_64 -M pc -accel tcg,thread=single -cpu "$amd64_cpu" -smp 2 -m "${3-1024}" -nodefaults \
		-no-user-config -display none -no-reboot -kernel "$kernel/vmlinux" -initrd "$run/initramfs" \
		-serial "file:$log" -serial "file:$out" -device virtio-rng-pci \
		-drive "file=$run/disk,format=raw,if=virtio,cache=unsafe" -drive "file=$run/payload.tar,format=raw,if=virtio,readonly=on" \
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic rw systemd.show_status=0 boot_test=$2" || say "QEMU ended with status $?"
	sed -i 's/\r$//' "$log" "$out"
	cat "$out"
	"$top/guest/splats" "$log" || die "the kernel reported a fault, see $log"
	grep -q "^done $2\$" "$out" || { tail -n 20 "$log"; die "failed: see $log"; }
}

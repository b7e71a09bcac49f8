# shellcheck shell=bash
# Sourced by the scripts here: where things are, how to talk, and how to make a thing once.

say() { echo "guest: $*" >&2; }
die() { say "$*"; exit 125; }

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
# All checkouts of a user share what was fetched: it is large, and does not differ.
cache=${MEMLOCKD_CACHE:-${XDG_CACHE_HOME:-${HOME:-$top}/.cache}/memlockd}
[[ "$top$cache" != *[[:space:]]* ]] ||
	die "the kernel's build cannot work at a path with a space in it, such as '$top' or '$cache': move it, or set MEMLOCKD_CACHE"
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)

# quietly LOG COMMAND...: the output of a command matters only when it fails.
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 && return
	cat "$log" >&2
	return 1
}

# plain COMMAND...: with no files open but the standard ones. mmdebstrap opens many, and names them to dash, which knows no
# number above 9.
plain() {
	(
		for fd in "/proc/$BASHPID/fd"/*; do
			((${fd##*/} < 3)) || eval "exec ${fd##*/}>&-"
		done
		exec "$@"
	)
}

# group NAME: the packages of a line of guest/packages.
group() { sed -n "s/^$1: *//p" "$top/guest/packages"; }

# kernel_line NAME: the fields of a line of guest/kernels. What is behind a + is about the module: see guest/module.
kernel_line() {
	awk -v name="${1%%+*}" '$1 == name { print; found = 1 } END { exit !found }' "$top/guest/kernels" ||
		die "no kernel is called '${1%%+*}'; guest/kernels has: $(kernel_names)"
}

kernel_names() { awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = " " }' "$top/guest/kernels"; }

# kernel_arch NAME: Debian's name of the architecture that it is for.
kernel_arch() { kernel_line "$1" | awk '{ print (NF > 4 ? $5 : "amd64") }'; }

# selftests KERNEL: where guest/selftests has laid out those for it.
selftests() {
	local arch
	arch=$(kernel_arch "$1")
	echo "$top/build/selftests$([[ $arch == amd64 ]] || echo "-$arch")"
}

# gnu_type ARCHITECTURE: the GNU name of it, with which the names of its tools begin.
gnu_type() {
	case $1 in
	amd64) echo x86_64-linux-gnu ;;
	arm64) echo aarch64-linux-gnu ;;
	esac
}

# release: the Debian release of this machine.
release() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# once ITEM KEY FUNCTION ARG...: sets `made` to a folder in the cache that FUNCTION has filled, now or before. It is filled in a
# place of its own and renamed when it is whole, so that neither an interrupted nor a concurrent fetch can leave half a
# thing. KEY says all that it is made from, and is in its name: checkouts that want different ones do not disturb each
# other. What FUNCTION downloads goes to the folder `debs`, which stays until the thing is whole, for the next try.
once() {
	local item=$1 key=$2 name making
	name=$item.$(sha256sum <<<"$key" | head -c 12)
	making=$cache/making/${name//\//-}
	made=$cache/$name
	debs=$making.debs
	shift 2
	[[ ! -e $made ]] || return 0
	mkdir -p "$cache/making" "${made%/*}"
	(
		flock 9
		[[ ! -e $made ]] || exit 0
		rm -rf "$making"
		mkdir -p "$making" "$debs"
		"$@" "$making"
		mv "$making" "$made"
		rm -rf "$debs"
	) 9>"$making.lock"
}

# The kind of processors that a guest for amd64 has: all that QEMU can do, without the string instructions by bytes that the
# kernel takes under erms and fsrm: with them, TCG clears and copies pages seven times slower.
# shellcheck disable=SC2034 # those who source this
amd64_cpu=max,-erms,-fsrm

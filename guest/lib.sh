# shellcheck shell=bash
# Sourced by the scripts here: where things are, how to talk, and how to make a thing once.

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
mkdir -p "${MEMLOCKD_CACHE:-$top/.cache}"
cache=$(cd "${MEMLOCKD_CACHE:-$top/.cache}" && pwd -P)

say() { echo "guest: $*" >&2; }
die() { say "$*"; exit 125; }

# quietly LOG COMMAND...: the output of a command matters only when it fails.
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 && return
	cat "$log" >&2
	return 1
}

# group NAME: the packages of a line of guest/packages.
group() { sed -n "s/^$1: *//p" "$top/guest/packages"; }

# kernel_line NAME: the fields of a line of guest/kernels. What is behind a + is about the module: see guest/module.
kernel_line() {
	awk -v name="${1%%+*}" '$1 == name { print; found = 1 } END { exit !found }' "$top/guest/kernels" ||
		die "no kernel is called '${1%%+*}'; guest/kernels has: $(kernel_names)"
}

kernel_names() { awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = " " }' "$top/guest/kernels"; }

# release: the Debian release of this machine.
release() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# once ITEM KEY FUNCTION ARG...: $cache/ITEM, made by FUNCTION in a folder of its own and renamed when it is whole, so that
# neither an interrupted nor a concurrent fetch can leave half a thing. It is made anew when KEY is not the one it was made for.
once() {
	local dest=$cache/$1 key=$2 making=$cache/making/${1//\//-}
	shift 2
	made "$dest" "$key" && return
	mkdir -p "$cache/making"
	(
		flock 9
		made "$dest" "$key" && exit
		rm -rf "$making" && mkdir "$making"
		"$@" "$making"
		echo "$key" >"$making/.key"
		mkdir -p "${dest%/*}"
		rm -rf "$dest" && mv "$making" "$dest"
	) 9>"$making.lock"
}

made() { [[ -e $1/.key && $(<"$1/.key") == "$2" ]]; }

#!/bin/bash
# The main job, on a real program: superlock a running redis-server by PID, while it serves, and count its page faults.
#
# Each row of the table is the same: the server holds its data, a hog has taken the machine's memory, the server forks (BGSAVE)
# and then changes a byte in every value. The rows differ in the lock that it has meanwhile.
#
# Runs in a guest of 512 MiB with swap, as root, with the module loaded: `make demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

keys=30000
value=1024
memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
hog=$((memory * 7 / 8 / 1024))
bin=build/demo
export PATH=$PWD/build/tools:$PATH LD_LIBRARY_PATH=$PWD/build/tools
dir=/var/tmp/redis
rows=()

die() { echo "demo: $*" >&2; exit 1; }
cli() { redis-cli -s "$dir/sock" "$@"; }
info() { cli info "$1" | tr -d '\r' | sed -n "s/^$2://p"; }

# await WHAT COMMAND...: until the command succeeds.
await() {
	local what=$1 i
	shift
	for ((i = 0; i < 600; i++)); do
		if "$@" >/dev/null 2>&1; then
			return
		fi
		sleep 0.2
	done
	die "gave up waiting for $what"
}

no_child() { [[ $(info persistence rdb_bgsave_in_progress) == 0 ]]; }

# faults: minor and major page faults of the server until now.
faults() { sed 's/.*) //' "/proc/$server/stat" | awk '{ print $8, $10 }'; }

start_server() {
	install -d -o redis -g redis "$dir"
	setpriv --reuid=redis --regid=redis --clear-groups redis-server --port 0 --unixsocket "$dir/sock" --dir "$dir" \
		--save '' --daemonize no --enable-debug-command local --logfile "$dir/log" &
	server=$!
	await "redis-server" cli ping
	cli debug populate $keys key $value >/dev/null
	# a slow child, so that it is there during all of the work
	cli config set rdb-key-save-delay 1000 >/dev/null
	# an ordinary user's limit would do for 8 MiB
	prlimit --pid $server --memlock=unlimited
}

# The work: writes into each value. One call, so that its own buffers hardly count.
work() {
	local changed
	changed=$(cli eval "for i = 0, $keys - 1 do redis.call('SETRANGE', 'key:' .. i, 100, 'x') end return $keys" 0)
	[[ $changed == "$keys" ]] || die "the work went wrong: $changed"
}

# show COMMAND...: and what it prints.
show() {
	echo "\$ $*"
	"$@" 2>&1 | sed 's/^/    /'
}

# measure NAME [ARGUMENT...]: one row of the table, under the lock that memlockctl sets with these arguments.
measure() {
	local name=$1 before after hog_pid
	shift
	echo
	echo "== $name"
	((!$#)) || show memlockctl "$@" "$server"
	coproc HOG { exec $bin/hog $hog; }
	# shellcheck disable=SC2153 # coproc sets it
	hog_pid=$HOG_PID
	# a process of its own, first to go if memory runs out
	echo 1000 >"/proc/$hog_pid/oom_score_adj"
	read -r -u "${HOG[0]}" || die "the hog did not get its memory"
	before=$(faults)
	cli bgsave >/dev/null
	work
	after=$(faults)
	pkill -USR1 -P "$server" || die "the server's child was gone before its work was done"
	kill "$hog_pid"
	wait "$hog_pid" 2>/dev/null || :
	await "the end of the server's child" no_child
	read -r -a before <<<"$before"
	read -r -a after <<<"$after"
	rows+=("$(printf '%-34s %10d %10d' "$name" $((after[0] - before[0])) $((after[1] - before[1])))")
	echo "the work: $((after[0] - before[0])) minor and $((after[1] - before[1])) major page faults"
}

start_server
echo "redis-server runs as process $server, user redis, with $keys values of $value bytes: $(info memory used_memory_rss_human) in memory."
echo "The guest has $((memory / 1024)) MiB; a hog takes $hog MiB of it."

measure "no lock"
measure "LOCKED|movable, as mlockall(2)" lock --movable
measure "LOCKED" lock
# shared memory is not pinned: let it not be migrated either
measure "SUPERLOCKED" superlock --set-sysctl

echo
echo "== what was locked"
show memlockctl status "$server"
show memlockctl maps --summary "$server"
show memlockctl unlock "$server"
await "an answer after the unlock" cli ping

cat <<END

Page faults of redis-server while it changed all $keys values, after fork and under memory pressure:

$(printf '    %-34s %10s %10s' lock minor major)
$(printf '    %s\n' "${rows[@]}")

How to read it: at each fault a thread stands still until the kernel has done something. At a minor one that is to find or to
copy a page, microseconds; at a major one it is to read a page from the disk, milliseconds.
  * Without a lock there are both: the hog has driven the server's memory out to swap.
  * With what mlockall(2) gives, nothing was on the disk; but fork had shared each page with the child, and the first write
    to each faults, to copy it.
  * LOCKED pins what the server can write to: fork copies that at once, for the child. SUPERLOCKED is that for all private
    memory, program text and libraries included, for what is mapped later, and for the stack before it grows.
END
kill "$server"
wait "$server" 2>/dev/null || :

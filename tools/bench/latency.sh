#!/bin/bash
# What a realtime thread waits for under memory pressure: page faults and latency of cyclictest(8), without a lock, with its own
# mlockall(2), superlocked; and each while a large process is locked and unlocked all the time. Then the longest that locking
# and unlocking that process hold its mmap_lock, for which its own page faults and mappings have to wait. At last one cyclictest
# that is superlocked in the middle of its run: its page faults from half a second to the next. Those and the histograms are
# for plot.py.
#
# Runs in a guest with swap, as root, with the module loaded: `make latency`. The table goes to build/latency.json as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-15}
large=192
tracing=/sys/kernel/tracing
hog=build/demo/hog
group=/sys/fs/cgroup/latency
scratch=$(mktemp -d)
memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
more=$((memory * 3 / 4))
# what is later than that, in microseconds, is counted and no more
tracked=100000
export PATH=$PWD/build/tools:$PATH LD_LIBRARY_PATH=$PWD/build/tools
json=() timeline=()

die() { echo "latency: $*" >&2; exit 1; }

# start_hog MIB: its process ID goes to $hog_pid; returns when it has its memory.
start_hog() {
	coproc HOG { exec $hog "$1"; }
	# shellcheck disable=SC2153 # coproc sets it
	hog_pid=$HOG_PID
	echo 1000 >"/proc/$hog_pid/oom_score_adj"
	read -r -u "${HOG[0]}" || die "no $1 MiB to be had"
	eval "exec ${HOG[0]}<&- ${HOG[1]}>&-"
}

end() {
	kill "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

# faults: minor and major page faults of cyclictest until now, of all its threads.
faults() { sed 's/.*) //' "/proc/$cyclictest/stat" | awk '{ print $8, $10 }'; }

# turns: how often its threads have been given a processor.
turns() { awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$cyclictest"/task/*/status; }

# start_cyclictest ARGUMENT...: returns when its threads are at work.
start_cyclictest() {
	local i
	(echo "$BASHPID" >$group/cgroup.procs && exec cyclictest -q -t 2 -p 90 -i 5000 -D 1h -h $tracked "$@") >"$scratch/out" &
	cyclictest=$!
	for ((i = 0; i < 300; i++)); do
		(($(turns) < 200)) || return 0
		sleep 0.1
	done
	die "cyclictest does not start"
}

# The pages of all processes are moved about, and what can be had of cyclictest is paged out: a real program does not use each
# page of its own every few milliseconds.
press() {
	while :; do
		echo 16M >$group/memory.reclaim || :
		echo 1 >/proc/sys/vm/compact_memory
		echo 1 >/proc/sys/vm/drop_caches
		sleep 0.2
	done 2>/dev/null
}

lock_and_unlock() {
	while [[ -e $scratch/locking ]]; do
		memlockctl superlock -q "$large_pid"
		memlockctl unlock "$large_pid"
	done
}

# latencies: average, 99th percentile and longest of what cyclictest has printed, in microseconds, and how many turns there were
# from each place on: [1, 2], [10, 5] is 2 turns of 1 .. 9 us, 5 of 10 us and more. Eight places for ten times the time.
latencies() {
	awk -v tracked=$tracked '
		function note(us, turns,    bin) {
			bin = us < 1 ? 0 : int(log(us) / log(10) * 8 + 1e-9)
			count[bin] += turns; total += turns; times[us] += turns
		}
		/^[0-9]/ { note($1 + 0, $2 + $3) }
		/^# Histogram Overflows:/ { note(tracked, $4 + $5) }
		/^# Avg Latencies:/ { average = int(($4 + $5) / 2) }
		/^# Max Latencies:/ { longest = $4 + 0 > $5 + 0 ? $4 + 0 : $5 + 0 }
		END {
			for (late = 0; late < tracked && sum + times[late] <= total * 0.99; late++) sum += times[late]
			printf "%d %d %d ", average, late, longest
			for (bin = 0; bin < 100; bin++) if (count[bin]) {
				printf "%s[%d, %d]", sep, 10 ^ (bin / 8) + 0.5, count[bin]; sep = ", "
			}
			print ""
		}' "$scratch/out"
}

# measure LOAD NAME ARGUMENT...: one row of the table, of cyclictest with these arguments.
measure() {
	local load=$1 name=$2 before after average late longest histogram presser
	shift 2
	start_cyclictest "$@"
	[[ $name != SUPERLOCKED ]] || memlockctl superlock --raise-limit "$cyclictest" >/dev/null
	start_hog $more
	press &
	presser=$!
	read -r -a before < <(faults)
	sleep "$seconds"
	read -r -a after < <(faults)
	end $presser
	end "$hog_pid"
	end "$cyclictest"
	read -r average late longest histogram < <(latencies)
	after=($((after[0] - before[0])) $((after[1] - before[1])))
	printf '%-28s %-12s %8d %8d %8d %8d %8d\n' "$load" "$name" "${after[@]}" "$average" "$late" "$longest"
	json+=("$(printf '{"load": "%s", "lock": "%s", "minor": %d, "major": %d, "average_us": %d, "late_us": %d, "longest_us": %d,
   "histogram": [%s]}' "$load" "$name" "${after[@]}" "$average" "$late" "$longest" "$histogram")")
}

# faults_for SECONDS: a pair of numbers for each half of a second goes to $timeline: how many minor and major faults it had then.
faults_for() {
	local i before after
	read -r -a before < <(faults)
	for ((i = 0; i < 2 * $1; i++)); do
		sleep 0.5
		read -r -a after < <(faults)
		timeline+=("[$((after[0] - before[0])), $((after[1] - before[1]))]")
		before=("${after[@]}")
	done
}

# before_and_after: of one process, which somebody else superlocks by its process ID after $seconds.
before_and_after() {
	local presser
	start_cyclictest
	start_hog $more
	press &
	presser=$!
	faults_for "$seconds"
	superlocked_at=${#timeline[@]}
	memlockctl superlock --raise-limit "$cyclictest" >/dev/null
	faults_for "$seconds"
	end $presser
	end "$hog_pid"
	end "$cyclictest"
}

measure_all() {
	measure "$1" none
	measure "$1" "mlockall(2)" -m
	measure "$1" SUPERLOCKED
}

# holds COMMAND...: the longest that mmap_lock of the large process was held meanwhile, in microseconds, shared and exclusively,
# and how often. That address space is the one that only a worker has to do with.
holds() {
	echo >$tracing/trace
	echo 1 >$tracing/events/mmap_lock/enable
	"$@" >/dev/null
	echo 0 >$tracing/events/mmap_lock/enable
	awk '$0 !~ /mmap_lock_(acquire_returned|released)/ { next }
		{ match($0, /-[0-9]+ /); task = substr($0, RSTART + 1, RLENGTH - 2)
		  match($0, /[0-9]+\.[0-9]+: /); at = substr($0, RSTART, RLENGTH - 2) * 1e6
		  match($0, /mm=[0-9a-fx]+/); mm = substr($0, RSTART, RLENGTH)
		  write = /write=true/ }
		/kworker/ { ours[mm] = 1 }
		/acquire_returned/ && /success=true/ { since[mm, task] = at; how[mm, task] = write }
		/released/ && (mm, task) in since {
			held = at - since[mm, task]; key = mm SUBSEP how[mm, task]; count[key]++
			if (held > longest[key]) longest[key] = held
			delete since[mm, task] }
		END { for (mm in ours) for (write = 0; write < 2; write++) {
				total[write] += count[mm, write]
				if (longest[mm, write] > max[write]) max[write] = longest[mm, write] }
			printf "%d %d %d %d\n", max[0], total[0], max[1], total[1] }' $tracing/trace
}

trap 'kill $(jobs -p) 2>/dev/null || :; rm -rf "$scratch"' EXIT
[[ -d $tracing/events/mmap_lock ]] || die "this kernel does not trace mmap_lock"
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group
echo 20000 >$tracing/buffer_size_kb
uname -sr
echo "$(nproc) processors, $memory MiB; a hog takes $more MiB, the large process $large; $seconds s each"

start_hog $large
large_pid=$hog_pid
printf 'Page faults of cyclictest, and its latency in microseconds:\n\n%-28s %-12s %8s %8s %8s %8s %8s\n' \
	load lock minor major average '99 %' longest
measure_all "memory pressure"
touch "$scratch/locking"
lock_and_unlock >"$scratch/locks" &
locker=$!
measure_all "the same, and locking"
rm "$scratch/locking"
wait $locker
kill -STOP "$large_pid"
read -r -a lock < <(holds memlockctl superlock "$large_pid")
read -r -a unlock < <(holds memlockctl unlock "$large_pid")
before_and_after

cat <<END

The large process was locked and unlocked $(grep -c . "$scratch/locks") times.

mmap_lock of the large process was held, in microseconds at the longest:
    by its lock      shared ${lock[0]} (of ${lock[1]} times), exclusively ${lock[2]} (of ${lock[3]})
    by its unlock    shared ${unlock[0]} (of ${unlock[1]} times), exclusively ${unlock[2]} (of ${unlock[3]})

Page faults of cyclictest, minor and major, in each half second of $seconds s without a lock:
    ${timeline[*]:0:superlocked_at}
and of $seconds s superlocked:
    ${timeline[*]:superlocked_at}
END
{
	printf '{"kernel": "%s", "processors": %d, "mib": %d, "large_mib": %d, "seconds": %d,\n "rows": [\n  %s' "$(uname -r)" \
		"$(nproc)" "$memory" $large "$seconds" "${json[0]}"
	printf ',\n  %s' "${json[@]:1}"
	printf '\n ],\n "superlocked_at": %d,\n "faults_of_half_seconds": [%s' "$superlocked_at" "${timeline[0]}"
	printf ', %s' "${timeline[@]:1}"
	printf '],\n "longest_hold_us": {"lock": {"shared": %d, "exclusive": %d}, "unlock": {"shared": %d, "exclusive": %d}}}\n' \
		"${lock[0]}" "${lock[2]}" "${unlock[0]}" "${unlock[2]}"
} >build/latency.json

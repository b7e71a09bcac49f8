#!/bin/bash
# Real programs, superlocked while they run: no page fault under memory pressure. Beside each runs one more that is not locked,
# which has some. All are started and put under pressure together; each test lets its two work.
. "${BASH_SOURCE[0]%/*}/lib.sh"

shim=$here/root/usr/lib/libmemlockd-preload.so

# turns PID: how often its threads have been given a processor.
turns() { awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$1"/task/*/status; }
has_had_turns() { (($(turns "$1") > $2)); }

# start NAME PROGRAM...: its process ID goes to $scratch/NAME.
start() {
	spawn "${@:2}"
	echo "$pid" >"$scratch/$1"
}

start_redis() {
	local dir=$scratch/$1.dir
	install -d -o redis -g redis "$dir"
	start "$1" setpriv --reuid=redis --regid=redis --clear-groups redis-server --port 0 --unixsocket "$dir/sock" \
		--dir "$dir" --save '' --daemonize no --enable-debug-command local
	await redis-server redis-cli -s "$dir/sock" ping
	redis-cli -s "$dir/sock" debug populate 5000 key 1000 >/dev/null
}

# two threads, with data, small and large allocations, mappings that come and go
start_python() {
	start "$1" python3 -c '
import mmap, threading, time
data = [bytes([i % 256]) * 5000 for i in range(4000)]
def work():
    while True:
        total = sum(item[17] for item in data)
        more = [bytearray(20000) for i in range(50)]
        m = mmap.mmap(-1, 1 << 20); m[5] = 1; m.close()
        time.sleep(0.01)
for i in range(2): threading.Thread(target=work).start()
'
	await "its threads" has_had_turns "$pid" 50
}

# start_cyclictest NAME ARGUMENT...
start_cyclictest() {
	start "$1" cyclictest -q -t 2 -p 80 -i 20000 -D 1h "${@:2}"
	await cyclictest has_had_turns "$pid" 50
}

start_jack() {
	export JACK_NO_AUDIO_RESERVATION=1
	start "$1" jackd --no-realtime --name "$1" -d dummy -r 48000 -p 1024
	await jackd has_had_turns "$pid" 50
}

start_chrony() {
	install -d -m 750 -o _chrony -g _chrony "/run/$1"
	start "$1" chronyd -d -x "local stratum 10" "port 0" "cmdport 0" "user _chrony" "bindcmdaddress /run/$1/sock" \
		"pidfile /run/$1/pid"
	await chronyd chronyc -h "/run/$1/sock" tracking
}

# squeeze PID...: while these stand still, so that theirs is the memory to go first, take all that there is, and a third of the
# swap space: the rest is for what they do then. Compact what is left.
squeeze() {
	local mib
	mib=$(awk '/^MemAvailable|^SwapFree/ { kib[$1] = $2 } END {
		print int((kib["MemAvailable:"] + kib["SwapFree:"] / 3) / 1024) }' /proc/meminfo)
	kill -STOP "$@"
	coproc HOG { exec "$here/hog" "$mib"; }
	# shellcheck disable=SC2153 # coproc sets it
	children+=("$HOG_PID")
	echo "$HOG_PID" >"$scratch/hog"
	echo 1000 >"/proc/$HOG_PID/oom_score_adj"
	read -r -u "${HOG[0]}" || fail "no $mib MiB to squeeze with"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	# it has done its work, and is the next to be paged out: a machine that does nothing but page proves no more
	kill -STOP "$HOG_PID"
	kill -CONT "$@"
	say "a hog has taken $mib MiB meanwhile"
}

set_up() {
	trap untrace_faults EXIT
	local name locked=() all=()
	for name in locked unlocked; do
		start_redis redis-$name
		start_python python-$name
		start_cyclictest cyclictest-$name
		start_jack jackd-$name
		start_chrony chronyd-$name
	done
	start_cyclictest own-lock -m
	LD_PRELOAD=$shim start_cyclictest shim -m
	for name in "$scratch"/*-locked "$scratch"/own-lock; do
		# files mapped shared are not pinned: let them not be migrated either
		memlockctl superlock --raise-limit --set-sysctl "$(<"$name")" | head -n 1 | sed 's/^/# /'
		locked+=("$(<"$name")")
	done
	locked+=("$(<"$scratch/shim")")
	mapfile -t all < <(cat "$scratch"/*-unlocked)
	for name in "${all[@]}"; do
		faults "$name" >"$scratch/before.$name"
	done
	trace_faults "${locked[@]}"
	squeeze "${locked[@]}" "${all[@]}"
}

# faults PID: minor and major ones until now, of all its threads.
faults() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $8 + $10 }'; }

# no_faults LOCKED UNLOCKED WORK: both work, WORK is called with the name of each.
no_faults() {
	local locked unlocked had
	locked=$(<"$scratch/$1") unlocked=$(<"$scratch/$2")
	"$3" "$1"
	"$3" "$2"
	[[ -d /proc/$(<"$scratch/hog") ]] || fail "the hog did not live to the end"
	traced_faults "$locked" >"$scratch/faults"
	had=$(($(faults "$unlocked") - $(<"$scratch/before.$unlocked")))
	document memlockctl status --json "$locked"
	say "$1: $(wc -l <"$scratch/faults") page faults; counted, with what system calls have made present: $(
		json '"%(minor_faults)d minor, %(major_faults)d major" % doc["processes"][0]'); $2: $had page faults"
	head -n 5 "$scratch/faults" | sed 's/^/#   /'
	equal state "$(json 'doc["processes"][0]["state"]')" superlocked
	equal "page faults" "$(wc -l <"$scratch/faults")" 0
	((had > 0)) || fail "there was no pressure: $2 had no fault either"
}

# It works by itself; until it has done so for a while.
work_alone() {
	local worker
	worker=$(<"$scratch/$1")
	await "$1 to work" has_had_turns "$worker" $(($(turns "$worker") + 200))
}

# fork, change each value, add as many
work_redis() {
	local socket=$scratch/$1.dir/sock
	redis-cli -s "$socket" bgsave >/dev/null
	redis-cli -s "$socket" eval "for i = 0, 4999 do redis.call('SETRANGE', 'key:' .. i, 100, 'x')
		redis.call('SET', 'more:' .. i, string.rep('y', 500)) end" 0 >/dev/null
}

work_chrony() {
	local i
	for ((i = 0; i < 10; i++)); do
		chronyc -h "/run/$1/sock" tracking >/dev/null
		chronyc -h "/run/$1/sock" sources >/dev/null
	done
}

test_redis_server() { no_faults redis-locked redis-unlocked work_redis; }
test_python3() { no_faults python-locked python-unlocked work_alone; }
test_cyclictest() { no_faults cyclictest-locked cyclictest-unlocked work_alone; }
test_cyclictest_that_has_locked_itself() { no_faults own-lock cyclictest-unlocked work_alone; }
test_cyclictest_under_the_preload_shim() { no_faults shim cyclictest-unlocked work_alone; }
test_jackd() { no_faults jackd-locked jackd-unlocked work_alone; }
test_chronyd() { no_faults chronyd-locked chronyd-unlocked work_chrony; }

[[ -d $tracing/events/exceptions ]] || { ktap_print_header; ktap_skip_all "this kernel does not trace page faults"; exit 4; }
run_tests

#!/bin/bash
# Real programs, superlocked by memlockctl while they run: no page fault under memory pressure. Beside each runs one more that is
# not locked, for comparison.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# faults PID: minor and major page faults until now, of all its threads.
faults() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $8 + $10 }'; }

# turns PID: how often its threads have been given a processor.
turns() { awk '/ctxt_switches/ { sum += $2 } END { print sum }' "/proc/$1"/task/*/status; }

has_had_turns() { (($(turns "$1") > $2)); }

# squeeze PID...: while these stand still, so that their memory is the first to go, take seven eighths of the machine's, drop
# caches, compact what is left.
squeeze() {
	local mib
	kill -STOP "$@"
	mib=$(awk '/^MemTotal/ { print int($2 * 7 / 8 / 1024) }' /proc/meminfo)
	coproc HOG { exec "$here/hog" "$mib"; }
	hog=$HOG_PID
	children+=("$hog")
	echo 1000 >"/proc/$hog/oom_score_adj"
	read -r -u "${HOG[0]}" || fail "no $mib MiB to squeeze with"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	kill -CONT "$@"
}

# report_faults WHAT PID
report_faults() {
	document memlockctl status --json "$2"
	say "$1: $(traced_faults "$2") page faults; the counters, with what system calls have made present: $(
		json '"%(minor_faults)d minor, %(major_faults)d major" % doc["processes"][0]')"
	head -n 5 "$scratch/faults" | sed 's/^/# /'
}

# no_faults NAME LOCKED UNLOCKED WORK...: superlock one, squeeze, let both work: WORK is called with each process ID.
no_faults() {
	local name=$1 locked=$2 unlocked=$3 before after
	shift 3
	# shared memory is not pinned: let it not be migrated either
	expect 0 'SUPERLOCKED' memlockctl superlock --raise-limit --set-sysctl "$locked"
	say "${output%%$'\n'*}"
	trace_faults "$locked"
	before=$(faults "$unlocked")
	squeeze "$locked" "$unlocked"
	"$@" "$locked"
	"$@" "$unlocked"
	after=$(faults "$unlocked")
	[[ -d /proc/$hog ]] || fail "the hog did not live to the end"
	report_faults "$name, superlocked" "$locked"
	say "$name, not locked: $((after - before)) page faults"
	equal faults "$(traced_faults "$locked")" 0
	((after - before > 0)) || fail "no pressure: the one that is not locked had no fault either"
}

# work_some_turns PID: it works by itself; until it has done so for a while.
work_some_turns() { await "process $1 to work" has_had_turns "$1" $(($(turns "$1") + 300)); }

redis() {
	install -d -o redis -g redis "$scratch/$1"
	spawn setpriv --reuid=redis --regid=redis --clear-groups redis-server --port 0 --unixsocket "$scratch/$1/sock" \
		--dir "$scratch/$1" --save '' --daemonize no --enable-debug-command local
	await "redis-server" redis-cli -s "$scratch/$1/sock" ping
	redis-cli -s "$scratch/$1/sock" debug populate 5000 key 1000 >/dev/null
}

# work_redis PID: fork, change each value, add as many.
work_redis() {
	local socket
	socket=$scratch/${redis_of[$1]}/sock
	redis-cli -s "$socket" bgsave >/dev/null
	redis-cli -s "$socket" eval "for i = 0, 4999 do redis.call('SETRANGE', 'key:' .. i, 100, 'x')
		redis.call('SET', 'more:' .. i, string.rep('y', 500)) end" 0 >/dev/null
}

declare -A redis_of

test_redis_server() {
	local one
	redis a
	one=$pid
	redis_of[$one]=a
	redis b
	redis_of[$pid]=b
	no_faults redis-server "$one" "$pid" work_redis
}

test_python3() {
	local one program='
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
	spawn python3 -c "$program"
	one=$pid
	spawn python3 -c "$program"
	await "its threads" has_had_turns "$one" 50
	await "its threads" has_had_turns "$pid" 50
	no_faults python3 "$one" "$pid" work_some_turns
}

# cyclic ARGUMENT...
cyclic() {
	spawn cyclictest -q -t 2 -p 80 -i 2000 -D 1h "$@"
	await "cyclictest" has_had_turns "$pid" 50
}

test_cyclictest() {
	local one
	cyclic
	one=$pid
	cyclic
	no_faults cyclictest "$one" "$pid" work_some_turns
}

test_cyclictest_that_has_locked_itself() {
	local one
	cyclic -m
	one=$pid
	cyclic
	no_faults "cyclictest -m" "$one" "$pid" work_some_turns
}

jack() {
	JACK_NO_AUDIO_RESERVATION=1 spawn jackd --no-realtime --name "$1" -d dummy -r 48000 -p 1024
	await "jackd" has_had_turns "$pid" 100
}

test_jackd() {
	local one
	jack a
	one=$pid
	jack b
	no_faults jackd "$one" "$pid" work_some_turns
}

chrony() {
	install -d -m 750 -o _chrony -g _chrony "/run/$1"
	spawn chronyd -d -x "local stratum 10" "port 0" "cmdport 0" "user _chrony" "bindcmdaddress /run/$1/sock" "pidfile /run/$1/pid"
	await "chronyd" chronyc -h "/run/$1/sock" tracking
	chrony_of[$pid]=$1
}

declare -A chrony_of

work_chrony() {
	local i
	for ((i = 0; i < 20; i++)); do
		chronyc -h "/run/${chrony_of[$1]}/sock" tracking >/dev/null
		chronyc -h "/run/${chrony_of[$1]}/sock" sources >/dev/null
	done
}

test_chronyd() {
	local one
	chrony a
	one=$pid
	chrony b
	no_faults chronyd "$one" "$pid" work_chrony
}

test_cyclictest_under_the_preload_shim() {
	local one before
	spawn env LD_PRELOAD="$preload" cyclictest -m -q -t 2 -p 80 -i 2000 -D 1h
	one=$pid
	await "cyclictest" has_had_turns "$pid" 50
	expect 0 SUPERLOCKED memlockctl status "$one"
	cyclic
	trace_faults "$one"
	before=$(faults "$pid")
	squeeze "$one" "$pid"
	work_some_turns "$one"
	work_some_turns "$pid"
	report_faults "superlocked by its own mlockall" "$one"
	say "not locked: $(($(faults "$pid") - before)) page faults"
	equal faults "$(traced_faults "$one")" 0
}

run_tests

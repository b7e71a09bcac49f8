#!/bin/bash
# Real programs under load, locked and unlocked in turns by another process while they run: each ends as it does without a
# lock, and finds its own results right. Prints a table; the exit status is 0 when no program was harmed.
#
#   check_programs.sh [PROGRAM...]     all of them, or these
#
# A program runs until it is told to stop: without a lock for SECONDS (10) seconds, then in each state until it has been locked
# and unlocked TURNS (3) times. Its faults are those that its processes have while it is superlocked: exceptions as the kernel
# traces them, not what a system call makes present of its own accord.
. "${BASH_SOURCE[0]%/*}/lib.sh"
set -u

loads=${here:?}/programs trace=${tracing:?}
seconds=${SECONDS_UNLOCKED:-10} turns=${TURNS:-3} hold=${HOLD:-3}
session='' harmed=0

# ---- the programs: each prints "ready" when its load runs, ends soon after $stop exists, and fails if it finds a result wrong

program_node() { exec node --expose-gc --max-old-space-size=96 "$loads/node.js" "$stop"; }
program_sbcl() { SBCL_HOME=/usr/lib/sbcl exec sbcl --dynamic-space-size 256 --script "$loads/sbcl.lisp" "$stop"; }
program_python() { exec python3 "$loads/pool.py" "$stop"; }
program_ruby() { exec ruby "$loads/objects.rb" "$stop"; }
program_java() { java_with -XX:+UseG1GC; }
program_java_serial() { java_with -XX:+UseSerialGC; }
program_go() { exec "$scratch/objects" "$stop"; }
program_jemalloc() { threads_with "$(library libjemalloc.so.2)"; }
program_tcmalloc() { threads_with "$(library libtcmalloc_minimal.so.4)"; }
program_mimalloc() { threads_with "$(library 'libmimalloc.so.*')"; }
program_scudo() { threads_with "$(find /usr/lib/llvm-* -name 'libclang_rt.scudo_standalone-x86_64.so')"; }
program_glibc() { threads_with ''; }

java_with() { exec java "$1" -Xmx96m -XX:TieredStopAtLevel=1 -cp "$scratch" Objects "$stop"; }
threads_with() { LD_PRELOAD=$1 exec python3 "$loads/threads.py" "$stop"; }
library() { find /usr/lib/x86_64-linux-gnu -name "$1" | head -n 1; }

# Clients that write, and snapshots by a forked child; in the end the data is what a restart reads from the last of them.
program_redis() {
	local dir=$scratch/redis before
	rm -rf "$dir" && mkdir "$dir"
	redis-server --port 0 --unixsocket "$dir/sock" --dir "$dir" --save '' --enable-debug-command local >/dev/null &
	until cli ping >/dev/null 2>&1; do sleep 0.2; done
	cli debug populate 20000 key 500 >/dev/null
	echo ready
	until [[ -e $stop ]]; do
		redis-benchmark -s "$dir/sock" -n 3000 -c 10 -r 20000 -t set,lpush,lrange_100 -q >/dev/null || return
		cli bgsave >/dev/null
		until [[ $(cli info persistence) == *rdb_bgsave_in_progress:0* ]]; do sleep 0.1; done
	done
	[[ $(cli info persistence) == *rdb_last_bgsave_status:ok* ]] || { echo "wrong: a snapshot failed"; return 1; }
	before=$(cli debug digest)
	cli debug reload >/dev/null
	[[ $before == "$(cli debug digest)" ]] || { echo "wrong: the data has changed"; return 1; }
	cli shutdown nosave
	wait
}

cli() { redis-cli -s "$scratch/redis/sock" "$@"; }

# pgbench's transfers: the sums of all tables and of the history are the same.
program_postgres() {
	local dir=$scratch/postgres bin sums
	bin=$(echo /usr/lib/postgresql/*/bin)
	rm -rf "$dir" && mkdir "$dir" && chown postgres "$dir"
	as_postgres "$bin/initdb" -D "$dir/data" -A trust --no-sync >/dev/null || return
	as_postgres "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c shared_buffers=32MB -c max_wal_size=64MB \
		>"$dir/log" 2>&1 &
	until as_postgres psql -h "$dir" -c 'select 1' postgres >/dev/null 2>&1; do sleep 0.5; done
	as_postgres pgbench -h "$dir" -i -s 1 -q postgres >/dev/null 2>&1 || return
	echo ready
	until [[ -e $stop ]]; do
		as_postgres pgbench -h "$dir" -n -c 3 -t 50 postgres >"$dir/bench" 2>&1 || { tail -n 3 "$dir/bench"; return 1; }
	done
	sums=$(as_postgres psql -h "$dir" -At postgres -c 'select (select sum(abalance) from pgbench_accounts) =
		(select sum(bbalance) from pgbench_branches) and (select sum(tbalance) from pgbench_tellers) =
		(select sum(delta) from pgbench_history)')
	as_postgres "$bin/pg_ctl" -D "$dir/data" -m fast -s stop || return
	wait
	[[ $sums == t ]] || { echo "wrong: the sums differ"; return 1; }
}

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups env -C "$scratch/postgres" "$@"; }

program_mariadb() {
	local dir=$scratch/mariadb sum
	rm -rf "$dir" && mkdir "$dir" && chown mysql "$dir"
	mariadb-install-db --user=mysql --datadir="$dir/data" --auth-root-authentication-method=normal >/dev/null 2>&1 || return
	mariadbd --user=mysql --datadir="$dir/data" --socket="$dir/sock" --skip-networking --innodb-buffer-pool-size=32M --innodb-log-file-size=8M \
		>"$dir/log" 2>&1 &
	until sql 'select 1' >/dev/null 2>&1; do sleep 0.5; done
	sql 'create database d; create table d.t (a int primary key, b int, c varchar(500)) engine=innodb'
	sql 'insert into d.t select seq, 0, repeat("x", 400) from d.seq_1_to_2000' 2>/dev/null ||
		sql 'insert into d.t select seq, 0, repeat("x", 400) from seq_1_to_2000' d || return
	echo ready
	until [[ -e $stop ]]; do
		sql 'start transaction; update d.t set b = b + 1, c = reverse(c); update d.t set b = b - 1 where a % 2; commit' || return
	done
	sum=$(sql 'select min(b) = 0 and count(distinct b) = 2 and min(length(c)) = 400 and sum(a % 2 and b) = 0 from d.t')
	sql shutdown
	wait
	[[ $sum == 1 ]] || { echo "wrong: the table is another"; return 1; }
}

sql() { mariadb --socket="$scratch/mariadb/sock" -u root -N -e "$@"; }

# The same picture each time.
program_ffmpeg() {
	local first='' now
	echo ready
	until [[ -e $stop && $first ]]; do
		now=$(ffmpeg -v error -f lavfi -i testsrc2=size=320x240:rate=10 -t 2 -threads 2 -c:v mpeg4 -bitexact -f md5 -) || return
		first=${first:-$now}
		[[ $now == "$first" ]] || { echo "wrong: another picture"; return 1; }
	done
}

# The same object each time.
program_gcc() {
	local first='' now
	echo ready
	until [[ -e $stop && $first ]]; do
		now=$(printf '#include <stdio.h>\nint main(void) { for (int i = 0; i < 9; i++) printf("%%d", i); }\n' |
			gcc -O2 -x c -S -o - - | md5sum) || return
		first=${first:-$now}
		[[ $now == "$first" ]] || { echo "wrong: another object"; return 1; }
	done
}

# It verifies what it has written.
program_stress_ng() {
	echo ready
	until [[ -e $stop ]]; do
		stress-ng --vm 1 --vm-bytes 32M --vm-ops 2000 --mmap 1 --mmap-bytes 16M --mmap-ops 20 --malloc 1 --malloc-bytes 16M \
			--malloc-ops 2000 --verify --quiet || return
	done
}

# ---- what has to be made first, and what is missing here

prepare_java() { need javac && javac -d "$scratch" "$loads/Objects.java"; }
prepare_java_serial() { prepare_java; }
prepare_go() { need go && HOME=$scratch GOFLAGS=-mod=mod go build -o "$scratch/objects" "$loads/objects.go"; }
prepare_scudo() { compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-x86_64.so' >/dev/null; }
prepare_jemalloc() { [[ $(library libjemalloc.so.2) ]]; }
prepare_tcmalloc() { [[ $(library libtcmalloc_minimal.so.4) ]]; }
prepare_mimalloc() { [[ $(library 'libmimalloc.so.*') ]]; }
prepare_node() { need node; }
prepare_sbcl() { need sbcl; }
prepare_ruby() { need ruby; }
prepare_redis() { need redis-server; }
prepare_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
prepare_mariadb() { need mariadbd; }
prepare_ffmpeg() { need ffmpeg; }
prepare_gcc() { need gcc; }
prepare_stress_ng() { need stress-ng; }
prepare_python() { need python3; }
prepare_glibc() { need python3; }

need() { command -v "$1" >/dev/null; }

# ---- running them

# members: the processes of the program that runs.
members() { pgrep -s "$session" || :; }

alive() { kill -0 "$session" 2>/dev/null; }

end_session() {
	[[ ${session-} ]] || return 0
	pkill -KILL -s "$session" || :
	session=''
}

# start NAME: the program in a session of its own; false when it ended before it was ready.
start() {
	stop=$scratch/stop
	rm -f "$stop"
	: >"$scratch/out"
	export stop
	# shellcheck disable=SC2016 # the inner shell has these functions
	setsid bash -c '. "$1" --functions; "program_$2"' - "$here/check_programs.sh" "$1" >"$scratch/out" 2>&1 </dev/null &
	session=$!
	until grep -q ready "$scratch/out"; do
		alive || return
		sleep 0.2
	done
}

# count_faults SECONDS PID...: adds to $faults and $watched those that these processes have in that time; what they fork
# meanwhile is not locked, and does not count.
count_faults() {
	local time=$1 tasks
	shift
	trace_faults "$@" 2>/dev/null
	sleep "$time"
	untrace_faults
	tasks=$(printf '/proc/%s/task\n' "$@" | xargs ls 2>/dev/null | grep -E '^[0-9]+$' | paste -sd '|')
	[[ ! $tasks ]] || faults=$((faults + $(grep -cE -- "-($tasks) .*page_fault" "$trace/trace" || :)))
	watched=$((watched + time))
}

# tell VERB OPTION... PID...: one of them that has just ended is no failure.
tell() {
	local status=0
	memlockctl "$1" -q "${@:2}" >"$scratch/ctl" 2>&1 || status=$?
	[[ $status != 0 ]] || return 0
	grep -vE 'has exited|is not locked|there is no process' "$scratch/ctl" >"$scratch/failed" || return 0
	alive && ctl_failed="memlockctl $1: $(head -n 1 "$scratch/failed")"
}

# take_turns STATE
take_turns() {
	local turn pids
	for ((turn = 0; turn < turns; turn++)); do
		alive || return
		mapfile -t pids < <(members)
		case $1 in
		movable) tell lock --movable "${pids[@]}" && sleep "$hold" ;;
		locked) tell lock "${pids[@]}" && sleep "$hold" ;;
		superlocked) tell superlock "${pids[@]}" && count_faults "$hold" "${pids[@]}" ;;
		esac
		tell unlock "${pids[@]}"
	done
}

# finish: tells the program to stop, and waits for its end; prints what became of it.
finish() {
	local status=0
	touch "$stop"
	wait "$session" || status=$?
	if [[ $status == 0 ]] && ! grep -q wrong: "$scratch/out"; then
		result=ok
	elif ((status > 128)); then
		result="died of signal $((status - 128)): $(last_words)"
	else
		result="failed ($status): $(last_words)"
	fi
	end_session
}

last_words() { grep -v '^ready' "$scratch/out" | grep . | tail -n 1 | cut -c 1-100; }

per_second() { awk -v faults="$1" -v seconds="$2" 'BEGIN { if (seconds) printf "%.1f", faults / seconds; else print "-" }'; }

row() { printf '%-12s %-12s %-12s %-12s %s\n' "$@"; }

# try NAME STATE: one row.
try() {
	faults=0 watched=0 result='' ctl_failed=''
	if ! start "$1"; then
		finish
		result="did not start: $result"
	elif [[ $2 == none ]]; then
		# shellcheck disable=SC2046 # several
		count_faults "$seconds" $(members)
		finish
	else
		take_turns "$2"
		finish
	fi
	rm -rf "${scratch:?}/$1"
	[[ ! $ctl_failed ]] || result+="; $ctl_failed"
	case $2 in
	none) control=$(per_second "$faults" "$watched") control_result=$result ;;
	superlocked) row "$1" "$2" "$(per_second "$faults" "$watched")" "$control" "$result" ;;
	*) row "$1" "$2" - "$control" "$result" ;;
	esac
	if [[ $2 != none && $result != ok ]]; then
		harmed=$((harmed + 1))
		sed 's/^/  | /' "$scratch/out" | tail -n 5
	fi
}

run() {
	local name state
	ulimit -l unlimited -c 0
	echo 8192 >"$trace/buffer_size_kb"
	row PROGRAM STATE FAULTS/S CONTROL RESULT
	for name; do
		if ! "prepare_$name" >"$scratch/out" 2>&1; then
			row "$name" - - - "skipped: it is not here"
			continue
		fi
		try "$name" none
		if [[ $control_result != ok ]]; then
			row "$name" none - "$control" "$control_result"
			sed 's/^/  | /' "$scratch/out" | tail -n 5
			harmed=$((harmed + 1))
			continue
		fi
		for state in movable locked superlocked; do
			try "$name" "$state"
		done
	done
	((harmed == 0)) || echo "$harmed of these did not end as without a lock"
	((harmed == 0))
}

all=(node sbcl redis python postgres ruby glibc jemalloc tcmalloc mimalloc scudo go java java_serial mariadb ffmpeg gcc stress_ng)
if [[ ${1-} == --functions ]]; then
	scratch=${stop%/*}
	return
fi
scratch=$(mktemp -d /var/tmp/memlockd-programs.XXXXXX)
chmod 755 "$scratch"
trap 'end_session; rm -rf "$scratch"' EXIT
[[ $# -gt 0 ]] || set -- "${all[@]}"
run "$@"

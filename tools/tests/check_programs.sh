#!/bin/bash
# Real programs under load, locked and unlocked in turns by another process while they run: each ends as it does without a
# lock, and finds its own results right. Prints a table; its last line is "N passed, N failed".
#
#   check_programs.sh [PROGRAM...]     all of them, or these
#
# A program runs until it is told to stop: without a lock for SECONDS_UNLOCKED (4) seconds, then with each kind of lock of STATES
# until it has been locked and unlocked TURNS (3) times, for HOLD (2) seconds each. Its faults are exceptions as the kernel traces
# them, not what a system call makes present of its own accord.
. "${BASH_SOURCE[0]%/*}/lib.sh"
set -u

loads=${here:?}/programs trace=${tracing:?}
seconds=${SECONDS_UNLOCKED:-4} turns=${TURNS:-3} hold=${HOLD:-2}
read -ra states <<<"${STATES:-none movable locked superlocked}"
group=/sys/fs/cgroup/memlockd-programs leader='' passed=0 failed=0
# what no program takes when it does not hang
patience=300

# ---- the programs: each prints "ready" when its load runs, ends soon after $stop exists, and fails if it finds a result wrong

program_node() { exec node --expose-gc --max-old-space-size=96 "$loads/node.js" "$stop"; }
program_sbcl() { SBCL_HOME=/usr/lib/sbcl exec sbcl --dynamic-space-size 256 --script "$loads/sbcl.lisp" "$stop"; }
program_python() { exec python3 "$loads/pool.py" "$stop"; }
program_ruby() { exec ruby "$loads/objects.rb" "$stop"; }
program_chromium() { exec python3 "$loads/browser.py" "$stop"; }
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
	cli debug populate 3000 key 500 >/dev/null
	echo ready
	until [[ -e $stop ]]; do
		redis-benchmark -s "$dir/sock" -n 300 -c 10 -r 3000 -t set,lpush,lrange_100 -q >/dev/null || return
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
	while as_postgres pgbench -h "$dir" -n -c 3 -t 20 postgres >"$dir/bench" 2>&1; do
		[[ ! -e $stop ]] || break
	done
	sums=$(as_postgres psql -h "$dir" -At postgres -c 'select (select sum(abalance) from pgbench_accounts) =
		(select sum(bbalance) from pgbench_branches) and (select sum(tbalance) from pgbench_tellers) =
		(select sum(delta) from pgbench_history)')
	as_postgres "$bin/pg_ctl" -D "$dir/data" -m fast -s stop || return
	wait
	[[ $sums == t ]] || { echo "wrong: the sums differ; $(tail -n 1 "$dir/bench")"; return 1; }
}

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups env -C "$scratch/postgres" "$@"; }

program_mariadb() {
	local dir=$scratch/mariadb sum
	rm -rf "$dir" && mkdir "$dir" && chown mysql "$dir"
	mariadb-install-db --user=mysql --datadir="$dir/data" --auth-root-authentication-method=normal >"$dir/log" 2>&1 ||
		{ cat "$dir/log"; return 1; }
	mariadbd --no-defaults --user=mysql --datadir="$dir/data" --socket="$dir/sock" --skip-networking \
		--innodb-buffer-pool-size=32M --innodb-log-file-size=8M >"$dir/log" 2>&1 &
	until sql 'select 1' >/dev/null 2>&1; do sleep 0.5; done
	sql 'create database d; create table d.t (a int primary key, b int, c varchar(500)) engine=innodb;
		insert into d.t with recursive n as (select 1 as i union all select i + 1 from n where i < 500)
		select i, 0, repeat("x", 400) from n' || return
	echo ready
	while sql 'start transaction; update d.t set b = b + 1, c = reverse(c); update d.t set b = b - 1 where a % 2; commit'; do
		[[ ! -e $stop ]] || break
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

# Its guest checks its memory, and starts again every second.
program_qemu() {
	local said=$scratch/guest
	echo ready
	{
		until [[ -e $stop ]]; do
			echo system_reset
			sleep 1
		done
		until [[ -s $said ]]; do sleep 0.2; done
		echo quit
	} | qemu-system-x86_64 -M pc -accel tcg,tb-size=8 -m 16 -nodefaults -no-user-config -display none -monitor stdio \
		-drive "file=$scratch/boot,format=raw,if=floppy" -debugcon "file:$said" >/dev/null || return
	! grep -q X "$said" || { echo "wrong: the guest's memory has changed"; return 1; }
}

# It verifies what it has written.
program_stress_ng() {
	echo ready
	until [[ -e $stop ]]; do
		stress-ng --temp-path "$scratch" --vm 1 --vm-bytes 32M --vm-ops 2000 --mmap 1 --mmap-bytes 16M --mmap-ops 20 \
			--malloc 1 --malloc-bytes 16M --malloc-ops 2000 --verify --quiet || return
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
prepare_chromium() { need chromium-headless-shell; }
prepare_qemu() {
	need qemu-system-x86_64 && need ld && as --32 -o "$scratch/boot.o" "$loads/boot.S" &&
		ld -m elf_i386 --oformat binary -Ttext 0x7c00 -o "$scratch/boot" "$scratch/boot.o"
}
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

# members: the processes of the program that runs, those that have made themselves a session of their own as well.
members() { cat "$group/cgroup.procs"; }

alive() { kill -0 "$leader" 2>/dev/null; }

end_program() {
	[[ -e $group ]] || return 0
	echo 1 >"$group/cgroup.kill"
	until rmdir "$group" 2>/dev/null; do sleep 0.1; done
}

# start NAME: the program in a control group of its own; false when it ended before it was ready.
start() {
	local since=$SECONDS
	stop=$scratch/stop
	rm -f "$stop"
	: >"$scratch/out"
	export stop
	mkdir "$group"
	# shellcheck disable=SC2016 # the inner shell has these functions
	setsid bash -c 'echo $$ >"$1/cgroup.procs"; . "$2" --functions; "program_$3"' - "$group" "$here/check_programs.sh" "$1" \
		>"$scratch/out" 2>&1 </dev/null &
	leader=$!
	until grep -q ready "$scratch/out"; do
		alive && ((SECONDS - since < patience)) || return
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
	grep -vE 'has (exited|ended)|exits, or|is not locked|there is no process' "$scratch/ctl" >"$scratch/failed" || return 0
	alive && ctl_failed="memlockctl $1: $(head -n 1 "$scratch/failed")"
}

# take_turns STATE
take_turns() {
	local turn pids
	for ((turn = 0; turn < turns; turn++)); do
		alive || return
		mapfile -t pids < <(members)
		case $1 in
		movable) tell lock --movable "${pids[@]}" ;;
		locked) tell lock "${pids[@]}" ;;
		superlocked) tell superlock "${pids[@]}" ;;
		esac
		count_faults "$hold" "${pids[@]}"
		tell unlock "${pids[@]}"
	done
}

# finish: tells the program to stop, and waits for its end; $result is what became of it.
finish() {
	local status=0 since=$SECONDS
	touch "$stop"
	while alive && ((SECONDS - since < patience)); do sleep 0.1; done
	if alive; then
		end_program
		wait "$leader" || :
		result="did not end within $patience s: $(last_words)"
		return
	fi
	wait "$leader" || status=$?
	if [[ $status == 0 ]] && ! grep -q wrong: "$scratch/out"; then
		result=ok
	elif ((status > 128)); then
		result="died of signal $((status - 128)): $(last_words)"
	else
		result="failed ($status): $(last_words)"
	fi
	end_program
}

last_words() { grep -v '^ready' "$scratch/out" | grep . | tail -n 1 | cut -c 1-100; }

per_second() { awk -v faults="$1" -v seconds="$2" 'BEGIN { if (seconds) printf "%.1f", faults / seconds; else print "-" }'; }

row() { printf '%-12s %-12s %10s  %s\n' "$@"; }

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
	[[ ! $ctl_failed ]] || result+="; $ctl_failed"
	row "$1" "$2" "$(per_second "$faults" "$watched")" "$result"
	if [[ $result == ok ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		sed 's/^/  | /' "$scratch/out" | tail -n 5
	fi
}

# run NAME...: without a lock first, as what fails then says nothing about the lock.
run() {
	local name state
	ulimit -l unlimited -c 0
	echo 8192 >"$trace/buffer_size_kb"
	explain
	row PROGRAM LOCK FAULTS/S RESULT
	for name; do
		if ! "prepare_$name" >"$scratch/out" 2>&1; then
			row "$name" - - "is not in this tree: $(tail -n 1 "$scratch/out")"
			failed=$((failed + 1))
			continue
		fi
		for state in "${states[@]}"; do
			try "$name" "$state"
			[[ $state != none || $result == ok ]] || break
		done
	done
	echo "$passed passed, $failed failed"
	((failed == 0))
}

explain() {
	cat <<-END
		Each program runs under load without a lock, and then with each kind of lock, put on it and taken off $turns times while it
		runs; all of its processes have it.
		LOCK      movable is LOCKED|MOVABLE, as mlockall(2) locks
		FAULTS/S  page faults a second of these processes, while the lock was on
		RESULT    ok: it has ended by itself with status 0, and has found all its own results right

	END
}

all=(node sbcl redis python postgres mariadb ruby go java java_serial glibc jemalloc tcmalloc mimalloc scudo
	ffmpeg gcc stress_ng qemu chromium)
if [[ ${1-} == --functions ]]; then
	scratch=${stop%/*}
	return
fi
scratch=$(mktemp -d /var/tmp/memlockd-programs.XXXXXX)
chmod 755 "$scratch"
trap 'end_program; rm -rf "$scratch"' EXIT
[[ $# -gt 0 ]] || set -- "${all[@]}"
run "$@"

#!/bin/bash
# What memlockctl does with what it is told: commands, options, processes, exit statuses, sentences.
. "${BASH_SOURCE[0]%/*}/lib.sh"

ctl=$(command -v memlockctl) || exit 1
selecting=(superlock lock unlock sync maps audit status)

test_no_command_and_unknown_ones_are_bad_usage() {
	expect 2 'usage: memlockctl COMMAND' memlockctl
	expect 2 "there is no command 'lokc'" memlockctl lokc 1
	expect 2 'there is no command' memlockctl --lock 1
	expect 2 'there is no command' memlockctl ''
}

test_help_and_version_are_there() {
	local command
	expect 0 'superlock.*unlock.*watch' memlockctl --help
	for command in --version -V -v; do
		expect 0 '^memlockctl [0-9]+[.][0-9]+[.][0-9]+$' memlockctl $command
	done
	for command in "${selecting[@]}" list info run watch; do
		expect 0 "usage: memlockctl $command" memlockctl "$command" --help
		equal "help $command" "$(memlockctl help "$command")" "$(memlockctl "$command" -h)"
		expect 0 '^memlockctl [0-9]' memlockctl "$command" -V
	done
	expect 0 'superlock.*unlock.*watch' memlockctl help
	expect 2 "there is no command 'lokc'" memlockctl help lokc
}

test_unknown_options_are_bad_usage() {
	local command
	for command in "${selecting[@]}" list info watch; do
		expect 2 "memlockctl: $command: --frobnicate" memlockctl "$command" --frobnicate 1
		expect 2 "memlockctl: $command: -x is no option" memlockctl "$command" -x 1
	done
	expect 2 'run: --frobnicate' memlockctl run --frobnicate -- true
	expect 2 '--json=x: that takes no argument' memlockctl info --json=x
}

test_options_of_other_commands_are_bad_usage() {
	expect 2 'status: --force' memlockctl status --force 1
	expect 2 'lock: --count' memlockctl lock --count=2 1
	expect 2 'run: --json' memlockctl run --json -- true
	expect 2 'unlock: --raise-limit' memlockctl unlock --raise-limit 1
	expect 2 'superlock: --owned' memlockctl superlock --owned 1
	expect 2 'superlock: --movable' memlockctl superlock --movable 1
	expect 2 'lock: --stack' memlockctl lock --stack=1M 1
}

test_options_that_contradict_each_other_are_bad_usage() {
	expect 2 'exclude each other' memlockctl lock --current --future 1
	expect 2 'a superlock is of everything' memlockctl run --superlock --movable -- true
	expect 2 'a superlock is of everything' memlockctl run --superlock --future -- true
	expect 2 '--stack is for a superlock' memlockctl run --stack=1M -- true
	expect 2 "neither 'fail' nor 'unlocked' nor 'raise'" memlockctl lock --over-limit=no 1
	expect 2 '--over-limit is for what is mapped later' memlockctl lock --current --over-limit=raise 1
	expect 2 '--set-sysctl is for a superlock' memlockctl run --set-sysctl -- true
}

test_bad_arguments_of_options_are_bad_usage() {
	local size
	for size in '' x 1X -1 1MM 99999999999999999999 17592186044416T '1 M'; do
		expect 2 'no size such as' memlockctl lock "--raise-limit=$size" 1
		expect 2 'no size such as' memlockctl superlock "--stack=$size" 1
	done
	expect 2 '--name needs an argument|-n needs an argument' memlockctl lock -n
	expect 2 '--cgroup needs an argument' memlockctl lock --cgroup
	expect 2 'no number of seconds' memlockctl watch --interval=0
	expect 2 'no number of seconds' memlockctl watch --interval=nan
	expect 2 'no number from 1' memlockctl watch --count=0
	expect 2 'no number from 1' memlockctl watch --count=x
}

test_tables_have_the_columns_that_are_asked_for() {
	expect 2 "there is no column 'frob'" memlockctl list -o pid,frob
	expect 2 "there is no column ''" memlockctl maps -o '' $$
	expect 2 "'frob' is neither 'pid' nor 'faults'" memlockctl watch --sort=frob
	expect 2 'for a table, not for --json' memlockctl list --json -o pid
	expect 2 'status: -o is no option' memlockctl status -o pid
	settle
	spawn sleep 1000
	memlockctl superlock -q "$pid" 2>/dev/null
	equal list "$(memlockctl list --noheadings -o pid,STATE | sed 's/  */ /g; s/^ //')" "$pid SUPERLOCKED"
	equal headings "$(memlockctl list --output name,pid | head -n 1 | sed 's/  */ /g; s/^ //')" "NAME PID"
	[[ $(memlockctl list -o +user | head -n 1) == *PID*NAME*STATE*HOLDER*USER ]] || fail "+ does not add"
	equal maps "$(memlockctl maps --noheadings -o address,end "$pid" | head -n 1 | tr -s ' ')" \
		"$(sed -n '1s/^\([0-9a-f]*\)-\([0-9a-f]*\) .*/\1 \2/p' "/proc/$pid/maps")"
	equal kinds "$(memlockctl maps --summary --noheadings -o mappings "$pid" | paste -s -d + | bc_)" \
		"$(grep -vc vsyscall "/proc/$pid/maps")"
}

# bc_: the sum on stdin.
bc_() { echo $(($(cat))); }

test_processes_are_named_by_an_option_as_well() {
	local one
	spawn sleep 1000
	one=$pid
	spawn sleep 1000
	expect 0 "PID $one.*PID $pid" memlockctl lock -p "$one" --pid="$pid"
	expect 0 "PID $one.*PID $pid" memlockctl unlock "$one" -p "$pid"
	expect 2 "'x' is no process ID" memlockctl status -p x
}

test_a_process_has_to_be_named() {
	local command
	for command in superlock lock unlock sync maps audit; do
		expect 2 'A PID, -n NAME or --cgroup PATH is missing' memlockctl "$command"
	done
	expect 2 'A COMMAND is missing' memlockctl run
	expect 2 'A COMMAND is missing' memlockctl run --superlock --
	expect 2 "'7' is too much" memlockctl info 7
	expect 2 "'x' is too much" memlockctl list x
}

test_words_that_are_no_process_id_are_bad_usage() {
	local word
	for word in redis 1e3 0x10 12a ' 5' '' +5; do
		expect 2 "'.*' is no process ID; a name is given with -n" memlockctl status "$word"
	done
}

test_unknown_processes_are_told() {
	local command
	for command in "${selecting[@]}"; do
		expect 3 'there is no process 4194303' memlockctl "$command" 4194303
		expect 3 'there is no process 0' memlockctl "$command" 0
		expect 3 'there is no process 99999999999999999999' memlockctl "$command" 99999999999999999999
		expect 3 "no process is called 'no-such-name'" memlockctl "$command" -n no-such-name
		expect 3 "there is no control group 'no/such'" memlockctl "$command" --cgroup no/such
	done
}

# has_thread PID: prints one that is not the first.
has_thread() { find "/proc/$1/task" -mindepth 1 -maxdepth 1 -not -name "$1" -printf '%f\n' | grep -m 1 .; }

zombie_of() { pgrep -P "$1" -r Z; }

test_kernel_threads_zombies_and_threads_are_told() {
	local tid
	expect 3 'kthreadd \(PID 2\) is a kernel thread' memlockctl superlock 2
	# a parent that never waits
	spawn python3 -c 'import os, time; os.fork() or os._exit(0); time.sleep(1000)'
	await "a zombie" zombie_of "$pid"
	expect 3 'has exited' memlockctl superlock "$(zombie_of "$pid")"
	spawn python3 -c 'import threading; threading.Thread(target=threading.Event().wait).start()'
	await "a thread" has_thread "$pid"
	tid=$(has_thread "$pid")
	expect 3 "$tid is a thread of python3 \(PID $pid\): name that" memlockctl superlock "$tid"
}

test_superlock_lock_unlock_do_that() {
	local locked pinned
	spawn sleep 1000
	expect 0 "sleep \(PID $pid\) is SUPERLOCKED now" memlockctl superlock "$pid"
	locked=$(kib "$pid" VmLck) pinned=$(kib "$pid" VmPin)
	say "superlocked: VmLck $locked kB, VmPin $pinned kB"
	((locked > 1000 && pinned > 1000)) || fail "that is not a whole process"
	expect 0 "sleep \(PID $pid\): SUPERLOCKED" memlockctl status "$pid"
	expect 0 "sleep \(PID $pid\) is LOCKED\|movable now" memlockctl lock --movable "$pid"
	equal "VmPin" "$(kib "$pid" VmPin)" 0
	expect 0 "sleep \(PID $pid\) is LOCKED now" memlockctl lock "$pid"
	(($(kib "$pid" VmPin) > 0 && $(kib "$pid" VmPin) < pinned)) || fail "VmPin $(kib "$pid" VmPin) kB"
	expect 0 "more locked, .* more pinned" memlockctl sync "$pid"
	expect 0 "sleep \(PID $pid\) is unlocked now" memlockctl unlock "$pid"
	equal "VmLck" "$(kib "$pid" VmLck)" 0
	equal "VmPin" "$(kib "$pid" VmPin)" 0
	expect 1 "sleep \(PID $pid\) is not locked" memlockctl unlock "$pid"
	expect 1 "sleep \(PID $pid\) is not locked" memlockctl sync "$pid"
}

# locks_itself PID
locks_itself() { (($(kib "$1" VmLck))); }

test_what_a_program_has_locked_itself_is_told_from_a_lock() {
	spawn python3 -c 'import ctypes, time; ctypes.CDLL(None).mlockall(1); time.sleep(1000)'
	await "the program's mlockall()" locks_itself "$pid"
	expect 0 'memlockd holds no lock of it' memlockctl status "$pid"
	expect 1 "is locked by itself: .*iB; memlockd holds no lock of it" memlockctl unlock "$pid"
	locks_itself "$pid" || fail "its own lock has gone"
}

test_halves_of_a_lock() {
	spawn sleep 1000
	expect 0 'LOCKED\|current now' memlockctl lock --current "$pid"
	expect 0 'unlocked' memlockctl unlock "$pid"
	expect 0 'LOCKED\|future now' memlockctl lock --future "$pid"
	equal "VmLck" "$(kib "$pid" VmLck)" 0
}

test_quiet_prints_errors_only() {
	spawn sleep 1000
	expect 0 '^$' memlockctl superlock --quiet "$pid"
	expect 0 '^$' memlockctl unlock -q "$pid"
	expect 1 'is not locked' memlockctl unlock -q "$pid"
}

test_stack_is_grown_as_asked() {
	spawn sleep 1000
	expect 0 SUPERLOCKED memlockctl superlock --stack=3M "$pid"
	say "VmStk $(kib "$pid" VmStk) kB"
	(($(kib "$pid" VmStk) >= 3072)) || fail "the stack is smaller"
	spawn sleep 1000
	expect 0 SUPERLOCKED memlockctl superlock --stack=none "$pid"
	(($(kib "$pid" VmStk) < 1024)) || fail "the stack was grown: VmStk $(kib "$pid" VmStk) kB"
}

test_stack_that_is_cut_is_told() {
	spawn sleep 1000
	expect 0 "sleep \(PID $pid\) has a stack reserve of 8 MiB, not of 100 MiB" memlockctl superlock --stack=100M "$pid"
	document memlockctl superlock --json --stack=100M "$pid"
	equal "reserve and warning" "$(json 'doc["processes"][0]["stack_reserve"], any("not of 100 MiB" in w for w in doc["warnings"])')" \
		"(8388608, True)"
	expect 0 SUPERLOCKED memlockctl superlock --stack=3M "$pid"
	[[ $output != *reserve* ]] || fail "told, although it is not cut"
	spawn prlimit --stack=2097152 sleep 1000
	await sleep named "$pid" sleep
	expect 0 "has a stack reserve of 2 MiB, not of 4 MiB: that is its RLIMIT_STACK" memlockctl superlock --stack=4M "$pid"
	document memlockctl superlock --json --stack=none "$pid"
	equal reserve "$(json 'doc["processes"][0]["stack_reserve"]')" 0
}

test_names_are_commands_or_executables() {
	local one two
	# a command is cut at 15 characters, and may be another than the executable
	cp /bin/sleep "$scratch/a-name-of-more-than-fifteen"
	spawn "$scratch/a-name-of-more-than-fifteen" 1000
	one=$pid
	spawn "$scratch/a-name-of-more-than-fifteen" 1000
	two=$pid
	expect 0 '' memlockctl lock -n a-name-of-more-than-fifteen
	(($(kib "$one" VmLck) && $(kib "$two" VmLck))) || fail "not both are locked"
	expect 0 '' memlockctl unlock --name a-name-of-more-
	equal VmLck "$(kib "$one" VmLck) $(kib "$two" VmLck)" "0 0"
	expect 3 'no process is called' memlockctl lock -n a-name-of-mor
	expect 3 'no process is called' memlockctl lock -n memlockctl
	# named twice, meant once
	document memlockctl lock --json "$one" "$one" -n a-name-of-more-than-fifteen
	equal processes "$(json 'len(doc["processes"])')" 2
}

test_control_groups_are_meant_with_those_below() {
	local group=/sys/fs/cgroup/memlockctl-test one
	mkdir -p "$group/below" || skip "no control groups here"
	spawn sleep 1000
	one=$pid
	echo "$one" >"$group/cgroup.procs"
	spawn sleep 1000
	echo "$pid" >"$group/below/cgroup.procs"
	document memlockctl lock --json --cgroup memlockctl-test
	equal processes "$(json 'sorted(p["pid"] for p in doc["processes"])')" "[$one, $pid]"
	expect 0 '' memlockctl unlock --cgroup /sys/fs/cgroup/memlockctl-test/below
	equal VmLck "$(kib "$pid" VmLck)" 0
	(($(kib "$one" VmLck))) || fail "the one above was unlocked as well"
	end_children
	children=()
	await "the control group to be empty" rmdir "$group/below"
	expect 3 'has no process' memlockctl lock --cgroup /memlockctl-test
	rmdir "$group"
}

test_kernel_threads_of_a_control_group_are_left_out() {
	grep -qx 2 /sys/fs/cgroup/cgroup.procs 2>/dev/null || skip "no kernel thread in the root control group"
	spawn sleep 1000
	memlockctl status --cgroup / >"$scratch/out" 2>&1 || :
	grep -q "(PID $pid)" "$scratch/out" || fail "$pid is not there"
	! grep 'kernel thread' "$scratch/out" || fail "told of kernel threads"
}

test_one_that_fails_does_not_keep_the_others_from_it() {
	spawn sleep 1000
	expect 3 'there is no process 4194303' memlockctl lock 4194303 "$pid"
	(($(kib "$pid" VmLck))) || fail "$pid is not locked"
	expect 3 'kernel thread' memlockctl unlock 2 "$pid"
	equal VmLck "$(kib "$pid" VmLck)" 0
}

# ordinary LIMIT COMMAND...: of an ordinary user, whose limit counts.
ordinary() {
	spawn prlimit --memlock="$1" setpriv --reuid=nobody --regid=nogroup --clear-groups "${@:2}"
	await "$2" named "$pid" "$2"
}

limits() { awk '/^Max locked memory/ { print $4, $5 }' "/proc/$pid/limits"; }

test_limit_is_named_and_can_be_raised() {
	local sentence='needs [0-9.]+ MiB locked, its RLIMIT_MEMLOCK is 64 KiB: raise it with --raise-limit or LimitMEMLOCK='
	ordinary 65536:65536 sleep 1000
	expect 6 "^memlockctl: sleep \(PID $pid\) $sentence\$" memlockctl superlock "$pid"
	equal "VmLck and the limit" "$(kib "$pid" VmLck) $(limits)" "0 65536 65536"
	expect 6 'its RLIMIT_MEMLOCK is 128 KiB' memlockctl superlock --raise-limit=128K "$pid"
	equal "the limit after a failure" "$(limits)" "65536 65536"
	expect 0 SUPERLOCKED memlockctl superlock --raise-limit=64M "$pid"
	equal "the limit" "$(limits)" "67108864 67108864"
	expect 0 LOCKED memlockctl lock --raise-limit "$pid"
	equal "the limit" "$(limits)" "unlimited unlimited"
	expect 0 LOCKED memlockctl lock --raise-limit=1K "$pid"
	equal "the limit, which is never lowered" "$(limits)" "unlimited unlimited"
}

test_limit_is_raised_while_the_lock_lasts() {
	ordinary 65536:65536 sleep 1000
	expect 0 LOCKED memlockctl lock --over-limit=raise "$pid"
	equal "the limit" "$(limits)" "unlimited unlimited"
	expect 0 unlocked memlockctl unlock "$pid"
	equal "the limit" "$(limits)" "65536 65536"
}

# catches PID SIGNAL: it has a handler for that.
catches() { ((0x$(awk '/^SigCgt/ { print $2 }' "/proc/$1/status") >> ($2 - 1) & 1)); }

# larger PID KIB
larger() { (($(kib "$1" VmSize) >= $2)); }

test_what_is_over_the_limit_is_left_unlocked() {
	local limit=$((64 << 10)) locked size
	ordinary $((limit << 10)):$((limit << 10)) python3 -c '
import mmap, signal, time
def more(number, frame):
    global memory
    memory = mmap.mmap(-1, 64 << 20)
signal.signal(signal.SIGUSR1, more)
while True:
    time.sleep(1000)'
	await "its handler" catches "$pid" 10
	expect 0 LOCKED memlockctl lock --over-limit=unlocked "$pid"
	locked=$(kib "$pid" VmLck) size=$(kib "$pid" VmSize)
	kill -USR1 "$pid"
	await "64 MiB more" larger "$pid" $((size + limit))
	say "VmLck $locked kB -> $(kib "$pid" VmLck) kB, VmSize $(kib "$pid" VmSize) kB, RLIMIT_MEMLOCK $limit kB"
	(($(kib "$pid" VmLck) <= limit)) || fail "that is more than its limit"
	equal "the limit" "$(limits)" "$((limit << 10)) $((limit << 10))"
	document memlockctl maps --json "$pid"
	equal "the reason" "$(json '{row["reason"] for row in doc["processes"][0]["mappings"] if row["size"] == 64 << 20}')" "{'limit'}"
	expect 0 'unlocked now' memlockctl unlock "$pid"
}

test_probes_that_are_off_are_told() {
	local knob=/proc/sys/kernel/ftrace_enabled
	spawn sleep 1000
	# Linux 7.3 refuses that
	echo 0 2>/dev/null >"$knob" || skip "probes cannot be switched off in this way"
	expect 1 "has not been locked: the kernel's probes are off" memlockctl lock --need-probes "$pid"
	expect 0 "but the kernel's probes are off" memlockctl lock "$pid"
	expect 0 'probes *are off' memlockctl status "$pid"
	expect 0 "the kernel's probes are off" memlockctl list
	echo 1 >"$knob"
	expect 0 LOCKED memlockctl lock --need-probes "$pid"
	[[ $(memlockctl status "$pid") != *"probes are off"* ]] || fail "status has them off still"
	[[ $(memlockctl list 2>&1) != *"probes are off"* ]] || fail "list has them off still"
}

test_what_a_lock_may_cost_is_told() {
	spawn prlimit --memlock=65536:65536 sleep 1000
	expect 0 "sleep \(PID $pid\) has .* locked, and its RLIMIT_MEMLOCK is 64 KiB: should it drop its CAP_IPC_LOCK" \
		memlockctl lock "$pid"
	document memlockctl lock --json "$pid"
	equal warnings "$(json 'doc["processes"][0]["warnings"], len(doc["warnings"])')" "(['capability'], 1)"
}

# untouched MIB: an ordinary user's process with a limit of 64 KiB and so much to be locked.
untouched() {
	ordinary 65536:65536 python3 -c "import mmap, time
m = mmap.mmap(-1, $1 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); time.sleep(1000)"
	await "$1 MiB" as_large_as "$pid" "$1"
}

as_large_as() { (($(kib "$1" VmSize) > $2 * 1024)); }

# interrupt SIGNAL: a lock of $pid, once it is under way; false when that was through before.
interrupt() {
	local locker status=0 size before rss
	read -r size before size <"/proc/$pid/statm"
	# bash has what runs beside it ignore SIGINT
	env --default-signal memlockctl superlock --raise-limit "$pid" >"$scratch/out" 2>&1 &
	locker=$!
	while read -r size rss size <"/proc/$pid/statm" && ((rss < before + 2048)) && [[ -e /proc/$locker/stat ]]; do :; done
	kill "-$1" $locker
	wait $locker || status=$?
	say "SIG$1 with $(((rss - before) / 256)) MiB locked: status $status; limit $(limits); $(<"$scratch/out")"
	((status)) || return 1
	equal "exit status" $status $((128 + $(kill -l "$1")))
}

test_signals_put_the_limit_back() {
	local signal tries mib
	mib=$(awk '/^MemAvailable/ { print int($2 / 1024 * 0.6) }' /proc/meminfo)
	for signal in INT TERM HUP; do
		untouched "$mib"
		for ((tries = 0; tries < 10; tries++)); do
			interrupt $signal && break
			equal "a limit that the lock needs" "$(limits)" "unlimited unlimited"
			memlockctl unlock -q "$pid"
			end_children
			children=()
			untouched "$mib"
		done
		((tries < 10)) || fail "a lock of $mib MiB is through before a signal can end it"
		grep -q "interrupted; nothing has changed" "$scratch/out" || fail "not told"
		equal "VmLck, VmPin and the limit" "$(kib "$pid" VmLck) $(kib "$pid" VmPin) $(limits)" "0 0 65536 65536"
		expect 0 ': unlocked' memlockctl status "$pid"
		end_children
		children=()
	done
}

test_ignored_signals_do_not_end_a_lock() {
	spawn sleep 1000
	# as under nohup; it is pending when memlockctl begins
	expect 0 SUPERLOCKED python3 -c 'import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.kill(os.getpid(), signal.SIGHUP)
os.execvp(sys.argv[1], sys.argv[1:])' memlockctl superlock "$pid"
}

test_missing_device_is_told() {
	at_end 'mv /dev/memlockd.away /dev/memlockd'
	mv /dev/memlockd /dev/memlockd.away
	expect 5 'there is no /dev/memlockd: load the module \(modprobe memlockd\)' memlockctl info
	expect 5 'modprobe memlockd' memlockctl superlock 1
	expect 125 'modprobe memlockd' memlockctl run -- true
}

# as_nobody COMMAND...
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all "$@"; }

test_who_may_not_is_told_what_is_missing() {
	local mode command
	mode=$(stat -c %a /dev/memlockd)
	at_end "chmod $mode /dev/memlockd"
	chmod 600 /dev/memlockd
	expect 4 '/dev/memlockd may not be opened by this user: be root, or a member of the group' as_nobody "$ctl" info
	chmod 666 /dev/memlockd
	spawn sleep 1000
	expect 0 '^memlockd ' as_nobody "$ctl" info
	expect 4 "sleep \(PID $pid\) may not be locked without CAP_IPC_LOCK" as_nobody "$ctl" superlock "$pid"
	expect 4 "sleep \(PID $pid\) may not be unlocked without CAP_IPC_LOCK" as_nobody "$ctl" unlock "$pid"
	for command in maps status; do
		expect 4 "sleep \(PID $pid\) is another user's, and to look at what it has locked needs" \
			as_nobody "$ctl" $command "$pid"
	done
	expect 0 'not shown' as_nobody "$ctl" watch --count=1 "$pid"
	expect 4 'needs CAP_SYS_PTRACE beside CAP_IPC_LOCK' setpriv --reuid=nobody --regid=nogroup --clear-groups \
		--inh-caps=+ipc_lock --ambient-caps=+ipc_lock "$ctl" superlock "$pid"
	expect 4 'CAP_SYS_RESOURCE' setpriv --bounding-set=-sys_resource "$ctl" lock --raise-limit=1T "$pid"
	equal VmLck "$(kib "$pid" VmLck)" 0
}

test_users_look_at_their_own_without_privilege() {
	local mode other
	mode=$(stat -c %a /dev/memlockd)
	at_end "chmod $mode /dev/memlockd"
	chmod 666 /dev/memlockd
	settle
	spawn sleep 1000
	other=$pid
	spawn setpriv --reuid=nobody --regid=nogroup --clear-groups sleep 1000
	await sleep named "$pid" sleep
	memlockctl superlock -q --raise-limit "$pid" "$other" 2>/dev/null
	expect 0 "sleep \(PID $pid\): SUPERLOCKED" as_nobody "$ctl" status "$pid"
	expect 0 "libc.so.6" as_nobody "$ctl" maps "$pid"
	expect 0 "$pid sleep +SUPERLOCKED" as_nobody "$ctl" watch --count=1
	equal list "$(as_nobody "$ctl" list --noheadings -o pid | tr -d ' ')" "$pid"
	# addresses are for those whom ptrace would show them
	expect 0 "libc.so.6" memlockctl maps "$other"
	output=$(setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace memlockctl maps --json "$other")
	equal "start and name" "$(json 'set((m["start"], m["name"]) for m in doc["processes"][0]["mappings"])')" "{(None, None)}"
	equal "pinned" "$(json 'sum(m["pinned"] for m in doc["processes"][0]["mappings"]) // 1024')" "$(kib "$other" VmPin)"
}

test_full_disk_is_told() {
	expect 1 'cannot write the output' bash -c 'memlockctl info >/dev/full'
}

test_maps_of_a_process_add_up() {
	spawn sleep 1000
	memlockctl superlock -q "$pid"
	expect 0 "sleep \(PID $pid\): SUPERLOCKED; [0-9]+ mappings" memlockctl maps "$pid"
	[[ $output == *"libc.so.6"* && $output == *"[stack]"* ]] || fail "no names"
	[[ $output == *"the kernel's own page"* ]] || fail "no reasons"
	[[ $output != *$'\e'* ]] || fail "colours in a pipe"
	equal rows $(($(wc -l <<<"$output") - 2)) "$(grep -vc vsyscall "/proc/$pid/maps")"
	document memlockctl maps --json "$pid"
	equal "sum of the pinned" "$(json 'sum(m["pinned"] for m in doc["processes"][0]["mappings"]) // 1024')" \
		"$(kib "$pid" VmPin)"
	expect 0 'KIND +MAPPINGS' memlockctl maps --summary "$pid"
	document memlockctl maps --summary --json "$pid"
	equal "sum of the pinned" "$(json 'sum(k["pinned"] for k in doc["processes"][0]["kinds"]) // 1024')" \
		"$(kib "$pid" VmPin)"
}

test_what_counts_is_told_from_what_loses_nothing() {
	# a file under writeback and a ring have less; a reservation and the kernel's pages lose nothing
	spawn python3 -c 'import ctypes, mmap, tempfile, time
file = tempfile.TemporaryFile(dir="/var/tmp")
file.truncate(4096)
shared = mmap.mmap(file.fileno(), 4096)
libc = ctypes.CDLL(None)
libc.mmap(None, ctypes.c_size_t(1 << 30), 0, 0x4022, -1, ctypes.c_long(0))
context = ctypes.c_ulong(0)
libc.syscall(206, 64, ctypes.byref(context))
time.sleep(1000)'
	await "its ring" grep -q aio "/proc/$pid/maps"
	await "python3 to sleep" asleep "$pid"
	document memlockctl superlock --json "$pid"
	local incomplete kept pinned
	incomplete=$(json 'doc["processes"][0]["incomplete"]') kept=$(json 'doc["processes"][0]["kept"] >> 20')
	pinned=$(json 'doc["processes"][0]["pinned"] >> 20')
	say "$(json '"%(incomplete)d of %(mappings)d count; locked %(locked)d, kept %(kept)d, reserved %(reserved)d, pinned %(pinned)d" % doc["processes"][0]')"
	((incomplete >= 2)) || fail "the shared file and the ring do not count"
	((kept >= pinned && kept < 512)) || fail "kept: $kept MiB"
	[[ $(json 'doc["processes"][0]["reserved"] >= 1 << 30 and doc["processes"][0]["locked"] > 1 << 30') == True ]] ||
		fail "the reservation is not told apart"
	expect 0 "$incomplete of its [0-9]+ mappings have less than that: memlockctl maps $pid marks them" memlockctl superlock "$pid"
	expect 0 "; $incomplete have less than promised" memlockctl maps "$pid"
	[[ $output == *"no loss: no access (PROT_NONE)"* && $output == *"no loss: the kernel's own page"* ]] || fail "not told apart"
	[[ $output == *"yes "*"ring of io_setup(2): present, but may be migrated"* ]] || fail "the ring is not named"
	equal "lines that count" "$(memlockctl maps --noheadings -o less "$pid" | grep -c yes)" "$incomplete"
	document memlockctl maps --json "$pid"
	equal "that count, in JSON" "$(json 'sum(m["less"] for m in doc["processes"][0]["mappings"])')" "$incomplete"
	document memlockctl maps --summary --json "$pid"
	equal "that count, in the summary" "$(json 'sum(k["mappings"] for k in doc["processes"][0]["kinds"] if k["less"])')" "$incomplete"
	document memlockctl status --json "$pid"
	equal "kept" "$(json 'doc["processes"][0]["kept"] >> 20')" "$kept"
}

test_audit_says_what_would_fault_by_its_exit_status() {
	# a mapping that is not touched, and a shared file whose page writeback has protected
	spawn python3 -c 'import mmap, tempfile, time
untouched = mmap.mmap(-1, 64 << 10, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="audited-") as file:
    file.truncate(mmap.PAGESIZE)
    shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
    shared[0] = 1
    shared.flush()
    time.sleep(1000)'
	await "the file" grep -q audited- "/proc/$pid/maps"
	await "python3 to sleep" asleep "$pid"
	expect 1 "python3.*: unlocked; [0-9]+ of its [0-9]+ mappings would fault: .* when read, .* when written to" memlockctl audit "$pid"
	[[ $output == *"not mapped: not touched, or taken away"* && $output == *ADDRESS* ]] || fail "no cause"
	expect 1 '^$' memlockctl audit --quiet "$pid"
	memlockctl superlock -q "$pid"
	expect 1 "python3.*: SUPERLOCKED; 1 of its [0-9]+ mappings would fault: 0 B when read, 4 KiB when written to" memlockctl audit "$pid"
	[[ $output == *audited-*"written back: its file system is told of writes"* ]] || fail "the file is not named"
	output=$(memlockctl audit --json "$pid") && fail "success, though something would fault"
	equal cause "$(json '[(m["read_faults"], m["write_faults"], m["cause"]) for m in doc["processes"][0]["mappings"]]')" "[(0, 4096, 'writeback')]"
	equal sums "$(json '(doc["processes"][0]["read_faults"], doc["processes"][0]["write_faults"])')" "(0, 4096)"
	equal "one column" "$(memlockctl audit --noheadings -o write "$pid" | tr -d ' ')" "4KiB"

	spawn sleep 1000
	memlockctl superlock -q "$pid"
	expect 0 "sleep \(PID $pid\): SUPERLOCKED; nothing in its [0-9]+ mappings would fault" memlockctl audit "$pid"
	equal lines "$(wc -l <<<"$output")" 1
	expect 0 '^$' memlockctl audit --quiet "$pid"
}

test_guard_pages_lose_nothing() {
	spawn python3 -c 'import ctypes, mmap, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, ctypes.c_size_t(1 << 20), 3, 0x22, -1, ctypes.c_long(0))
failed = libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 16), 102)
while failed: time.sleep(1000)
time.sleep(1000)' x
	await "python3 to sleep" asleep "$pid"
	guarded_pages "$pid" || skip "this kernel has no guard pages, or does not show them"
	expect 0 'all of its [0-9]+ mappings have that' memlockctl superlock "$pid"
}

# guarded_pages PID: /proc/PID/pagemap shows some.
guarded_pages() {
	python3 - "$1" <<-'END'
		import re, struct, sys
		pagemap = open(f"/proc/{sys.argv[1]}/pagemap", "rb")
		for line in open(f"/proc/{sys.argv[1]}/maps"):
		    start, end = (int(x, 16) // 4096 for x in re.match("(.*?)-(.*?) ", line).groups())
		    if start < 1 << 51 and end - start < 1 << 20:
		        pagemap.seek(start * 8)
		        data = pagemap.read((end - start) * 8)
		        if any(entry >> 58 & 1 for (entry,) in struct.iter_unpack("Q", data[: len(data) // 8 * 8])):
		            sys.exit(0)
		sys.exit(1)
	END
}

test_numbers_of_one_are_singular() {
	settle
	spawn sleep 1000
	memlockctl lock -q "$pid"
	expect 0 'processes  1 is locked' memlockctl info
	expect 0 '1 process locked' memlockctl watch --count=1
}

test_superlock_warns_of_compaction_and_can_forbid_it() {
	local sysctl=/proc/sys/vm/compact_unevictable_allowed before
	[[ -e $sysctl ]] || skip "this kernel has no vm.compact_unevictable_allowed"
	before=$(<$sysctl)
	at_end "echo $before >$sysctl"
	echo 1 >$sysctl
	spawn sleep 1000
	expect 0 'vm.compact_unevictable_allowed is 1' memlockctl superlock "$pid"
	expect 0 'vm.compact_unevictable_allowed is 1' memlockctl status "$pid"
	equal sysctl "$(<$sysctl)" 1
	# once, and not between two processes
	local one=$pid
	spawn sleep 1000
	expect 0 "PID $pid.*vm.compact_unevictable_allowed is 1" memlockctl superlock "$one" "$pid"
	equal warnings "$(grep -c compact <<<"$output")" 1
	[[ $(tail -n 1 <<<"$output") == *compact* ]] || fail "the warning is not the last line"
	expect 0 SUPERLOCKED memlockctl superlock --set-sysctl "$pid"
	[[ $output != *compact* ]] || fail "a warning although it was set"
	equal sysctl "$(<$sysctl)" 0
	expect 0 SUPERLOCKED memlockctl status "$pid"
	[[ $output != *compact* ]] || fail "a warning although it is 0"
}

test_list_asks_the_driver_once() {
	need_list
	local calls
	spawn sleep 1000
	memlockctl superlock -q "$pid"
	calls=$(strace -e trace=ioctl -e signal=none "$ctl" list 2>&1 >/dev/null | grep -c ', 0xb7, ') || true
	equal "ioctls" "$calls" 1
}

test_list_names_holders() {
	need_list
	local holder
	settle
	spawn sleep 1000
	expect 0 'nothing is locked' memlockctl list
	# first: what the user holds already, a client of that user would take over
	coproc HOLDER { exec "$here/holder" "$pid"; }
	holder=$HOLDER_PID
	children+=("$holder")
	read -r -u "${HOLDER[0]}"
	expect 0 "$pid +sleep +LOCKED +movable\|owned .* holder \(PID $holder\), user root" memlockctl list
	memlockctl superlock -q "$pid"
	expect 0 "$pid +sleep +SUPERLOCKED +- .* user root" memlockctl list
	expect 0 "holders +2" memlockctl status "$pid"
	expect 0 "is still LOCKED, as others have asked for it: memlockctl list" memlockctl unlock "$pid"
	expect 4 'is locked by others: memlockctl list says by whom, and with CAP_IPC_LOCK unlock --force undoes it' memlockctl unlock "$pid"
	expect 0 'is unlocked now' memlockctl unlock --force "$pid"
	expect 0 'nothing is locked' memlockctl list
}

test_rules_come_and_go() {
	local id program=$scratch/napper
	at_end 'memlockctl rule del all'
	# one that nothing else runs
	cp "$(command -v sleep)" "$program"
	expect 2 'there is no event' memlockctl rule add --on=exec,birth
	expect 2 'is no number' memlockctl rule add --priority=high
	expect 2 'locks nothing' memlockctl rule add --unlocked --superlock
	expect 2 'Its argument is missing' memlockctl rule del
	expect 2 'no number of a rule' memlockctl rule del first
	expect 1 'there is no such rule' memlockctl rule del 0
	expect 1 "there is no user 'nobody-at-all'" memlockctl rule add --user nobody-at-all
	expect 1 'there is no control group' memlockctl rule add --cgroup no-such-group
	expect 1 'No such file' memlockctl rule add --executable /no/such/program
	expect 0 'there are no rules' memlockctl rule list
	expect 0 '^rule [0-9]+$' memlockctl rule add --superlock --on=exec --executable "$program"
	id=$(memlockctl rule list --noheadings -o id | tr -d ' ')
	spawn "$program" 1000
	expect 0 "$pid +napper +SUPERLOCKED +- .* rule $id" memlockctl list
	expect 0 "$id +0 +program .* SUPERLOCKED +- +exec +1 +0" memlockctl rule list
	expect 0 '^$' memlockctl rule del "$id"
	expect 0 'nothing is locked' memlockctl list
	expect 0 'it is for 1 process that runs now' memlockctl rule add --movable --on=now --executable "$program"
	expect 0 "$pid +napper +LOCKED +movable" memlockctl list
	expect 0 '^$' memlockctl rule del all
	expect 0 'there are no rules' memlockctl rule list
	expect 0 'nothing is locked' memlockctl list
}

test_default_state_is_the_last_rule() {
	local knob=/proc/sys/vm/memlockd/default_state
	at_end "echo 0 >$knob; memlockctl rule del all"
	echo 1 >$knob
	expect 0 '^rule [0-9]+$' memlockctl rule add --unlocked --on=exec --user nobody --priority=5
	expect 0 'user nobody +unlocked .*all others .vm.memlockd.default_state. +LOCKED +movable' memlockctl rule list
	expect 0 '^$' memlockctl rule del all
	expect 0 '^ *all others .vm.memlockd.default_state. *$' memlockctl rule list --noheadings -o for
	echo 0 >$knob
	expect 0 'there are no rules' memlockctl rule list
}

test_rules_of_files() {
	at_end 'memlockctl rule del all'
	mkdir "$scratch/rules.d"
	printf '# nothing\n\nsuperlock on=exec executable=%s # in its line\n' "$(command -v sleep)" >"$scratch/rules.d/b.rules"
	echo 'movable user=65534 on=exec,fork priority=7' >"$scratch/rules.d/a.rules"
	echo 'no rule' >"$scratch/rules.d/other"
	expect 0 "a.rules:1: rule [0-9]+.*b.rules:3: rule [0-9]+" memlockctl rule load "$scratch/rules.d"
	expect 0 'program .* SUPERLOCKED .* 7 +user nobody +LOCKED +movable +exec,fork' memlockctl rule list
	memlockctl rule del all
	echo 'superlock frob=1' >>"$scratch/rules.d/b.rules"
	expect 2 'b.rules:4: --frob=1 is no option of it' memlockctl rule load "$scratch/rules.d"
	expect 0 'there are no rules' memlockctl rule list
	expect 1 'No such file' memlockctl rule load "$scratch/none.rules"
}

# Each by itself, as it is installed.
test_examples_of_rules_are_rules() {
	local file nr=0 slice=/sys/fs/cgroup/realtime.slice
	mkdir "$slice" || skip "no control group can be made"
	at_end "memlockctl rule del all; rmdir $slice"
	for file in "$here"/root/usr/share/doc/memlockctl/examples/*.rules; do
		expect 0 "${file##*/}:[0-9]+: rule [0-9]+" memlockctl rule load "$file"
		memlockctl rule del all
		nr=$((nr + 1))
	done
	equal "examples" $nr 4
}

test_status_of_all_is_of_what_is_locked() {
	need_list
	local one
	expect 0 '^$' memlockctl status
	spawn sleep 1000
	one=$pid
	spawn sleep 1001
	memlockctl lock -q "$one" "$pid"
	document memlockctl status --json
	equal processes "$(json 'sorted(p["pid"] for p in doc["processes"])')" "[$one, $pid]"
}

# seen_locked PID FILE: a lock and an unlock of it, until somebody has written of a lock: who begins to read between the two
# sees the unlock first.
seen_locked() {
	memlockctl lock -q "$1" && memlockctl unlock -q "$1" && grep -q ': LOCKED' "$2"
}

test_events_of_a_process_end_with_it() {
	local reader
	settle
	spawn sleep 1000
	memlockctl events "$pid" >"$scratch/events" 2>&1 &
	reader=$!
	children+=("$reader")
	# nothing tells when it has subscribed
	await "an event" seen_locked "$pid" "$scratch/events"
	memlockctl superlock -q "$pid"
	kill -KILL "$pid"
	wait "$reader" || fail "exit status $?"
	output=$(<"$scratch/events")
	say_output memlockctl events "$pid"
	[[ $output =~ "sleep (PID $pid): SUPERLOCKED, by PID "[0-9]+$'\n'.*"(PID $pid): exited"$ ]] || fail "not that"
}

test_events_of_all_end_by_a_signal() {
	local reader
	settle
	spawn sleep 1000
	memlockctl events >"$scratch/events" 2>&1 &
	reader=$!
	children+=("$reader")
	await "an event" seen_locked "$pid" "$scratch/events"
	kill -TERM "$reader"
	wait "$reader" || fail "exit status $?"
	say "$(head -2 "$scratch/events")"
	grep -q "sleep (PID $pid): LOCKED" "$scratch/events" || fail "no lock"
	expect 2 'too much' memlockctl events 1 2
	expect 2 'for one process' memlockctl events --follow
	expect 3 'no process' memlockctl events 4194303
}

test_status_tells_real_faults() {
	spawn sleep 1000
	memlockctl superlock -q "$pid"
	expect 0 'real faults  0 minor, 0 major' memlockctl status "$pid"
	document memlockctl status --json "$pid"
	equal faults "$(json '(doc["processes"][0]["real_minor_faults"], "last_fault" in doc["processes"][0])')" '(0, False)'
}

# metric NAME{LABELS}: its value in the file, with a line of help and one of its type before it.
metric() {
	local name=${1%%\{*}
	awk -v metric="$1" -v name="$name" '$1 == "#" && $3 == name { said++ }
		$1 == metric && said == 2 { print $2 }' "$scratch/metrics.prom"
}

test_status_writes_metrics() {
	local superlocked labels pinned
	spawn sleep 1000
	superlocked=$pid
	# a name that has to be quoted
	cp "$(command -v sleep)" "$scratch/a \"b\\c"
	spawn "$scratch/a \"b\\c" 1000
	memlockctl superlock -q "$superlocked"
	memlockctl lock -q --movable "$pid"
	expect 0 '^(memlockctl: vm.compact_unevictable_allowed is 1: .*)?$' \
		memlockctl status --prometheus "$scratch/metrics.prom" "$superlocked" "$pid"
	equal files "$(echo "$scratch"/metrics.prom*)" "$scratch/metrics.prom"
	labels="pid=\"$superlocked\",name=\"sleep\""
	equal superlocked "$(metric "memlockd_process_superlocked{$labels}")" 1
	equal real "$(metric "memlockd_process_real_faults_total{$labels,kind=\"minor\"}")" 0
	equal incomplete "$(metric "memlockd_process_incomplete_mappings{$labels}")" 0
	pinned=$(metric "memlockd_process_pinned_bytes{$labels}")
	((pinned > 0)) || fail "nothing is pinned: $pinned"
	equal locked "$(metric memlockd_locked_processes)" 2
	expect 0 "superlocked.pid=\"$pid\",name=\"a \\\\\"b\\\\\\\\c\". 0" memlockctl status --prometheus - "$pid"
	# a metric, its value, and nothing else
	equal odd "$(grep -cvE '^(# (HELP|TYPE) memlockd_|memlockd_[a-z_]+(\{[^}]*\})? ([0-9]+|\+Inf)$)' "$scratch/metrics.prom")" 0
	expect 1 'cannot write .*No such file' memlockctl status --prometheus "$scratch/none/metrics.prom" "$pid"
	expect 2 'exclude each other' memlockctl status --json --prometheus - "$pid"
}

# page FILE: its text, if each of its elements ends in its place, and it names no other file.
page() {
	python3 - "$1" <<-'END'
		import html.parser, sys
		class Page(html.parser.HTMLParser):
		    opened, texts = [], []
		    def handle_starttag(self, tag, attributes):
		        assert not {"src", "href"} & {name for name, _ in attributes}, tag
		        if tag != "meta":
		            self.opened.append(tag)
		    def handle_endtag(self, tag):
		        assert self.opened.pop() == tag, tag
		    def handle_startendtag(self, tag, attributes):
		        pass
		    def handle_data(self, data):
		        if "style" not in self.opened:
		            self.texts.append(data.strip())
		page = Page()
		page.feed(open(sys.argv[1], encoding="utf-8").read())
		page.close()
		assert not page.opened, page.opened
		print(" ".join(filter(None, page.texts)))
	END
}

test_report_is_a_page() {
	spawn sleep 1000
	memlockctl report --for 0.2 "$pid" >"$scratch/unlocked.html"
	expect 0 'sleep It is not superlocked: .* not covered by a lock' page "$scratch/unlocked.html"
	memlockctl superlock -q "$pid"
	memlockctl report --for 0.2 "$pid" >"$scratch/quiet.html"
	expect 0 'It took no page fault in 2[0-9][0-9].[0-9] ms. All of its mappings have what .* All [0-9]+ mappings' page "$scratch/quiet.html"
	[[ $output != *"What to do"* ]] || fail "there is nothing to do"
}

# What it writes to has been written back each time.
test_report_shows_faults() {
	truncate -s 40960 /var/tmp/faults.dat
	at_end 'rm -f /var/tmp/faults.dat'
	spawn python3 -c 'import mmap, time
with open("/var/tmp/faults.dat", "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
while True:
    memory[0] = memory[0] ^ 1
    memory.flush()
    time.sleep(.01)'
	await "the mapping" grep -q faults.dat "/proc/$pid/maps"
	memlockctl superlock -q "$pid"
	memlockctl report --for 2 "$pid" >"$scratch/faults.html"
	expect 0 'It took [0-9]+ page faults? in 2.[0-9] s, .* 1 mapping has less .*/var/tmp/faults.dat [0-9]+ 0 a write at 0x' \
		page "$scratch/faults.html"
	[[ $output == *"writeback write-protects it : Each writeback"* ]] || fail "no advice"
	kill -KILL "$pid"
	wait "$pid" || :
	expect 3 'no process' memlockctl report "$pid"
	expect 2 'too much: one process' memlockctl report 1 2
}

# complete_line LINE: what bash offers at its end.
complete_line() {
	# shellcheck disable=SC2016 # for that bash
	bash --norc -c '. /usr/share/bash-completion/bash_completion; . "$2"
		COMP_LINE=$1 COMP_POINT=${#1}; read -ra COMP_WORDS <<<"$1"; [[ $1 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _memlockctl 2>/dev/null; echo "${COMPREPLY[*]}"' - "$1" \
		"$here/root/usr/share/bash-completion/completions/memlockctl"
}

test_bash_completes() {
	local command
	[[ -e /usr/share/bash-completion/bash_completion ]] || skip "no bash-completion here"
	equal commands "$(complete_line 'memlockctl su')" superlock
	equal option "$(complete_line 'memlockctl unlock --fo')" --force
	equal name "$(complete_line 'memlockctl lock -n cli_tes')" cli_test.sh
	equal column "$(complete_line 'memlockctl list -o hol')" holder
	equal command "$(complete_line 'memlockctl help su')" superlock
	[[ " $(complete_line 'memlockctl maps ') " == *" $$ "* ]] || fail "no process IDs"
	# what is offered is accepted, and what is accepted is offered
	for command in "${selecting[@]}" list info run watch; do
		equal "options of $command" "$(complete_line "memlockctl $command --" | tr ' ' '\n' | sed '/^--$/d' | sort)" \
			"$(memlockctl "$command" --help | sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p' | sort)"
	done
}

run_tests

#!/bin/bash
# memlockctl run: a program that is locked before its first instruction, and whose end is passed on.
. "${BASH_SOURCE[0]%/*}/lib.sh"

test_exit_status_is_passed_on() {
	expect 0 '' memlockctl run -- true
	expect 1 '' memlockctl run -- false
	expect 77 '' memlockctl run --superlock -- sh -c 'exit 77'
	expect 137 '' memlockctl run -- sh -c 'kill -KILL $$'
	expect 143 '' memlockctl run -- sh -c 'kill -TERM $$'
}

test_programs_that_cannot_be_run_are_told() {
	expect 127 'no-such-program: No such file' memlockctl run -- no-such-program
	expect 126 '/etc/passwd: Permission denied' memlockctl run -- /etc/passwd
	expect 126 'Permission denied' memlockctl run -- /
}

test_options_behind_the_program_are_its_own() {
	expect 0 '^--superlock -x$' memlockctl run echo --superlock -x
	expect 0 '^--quiet$' memlockctl run -- echo --quiet
}

# faults_of FILE: a line for each page fault that the process which executed FILE took by its own instructions since then, its
# loader's and its constructors' among them. Not found by its name: the trace gives that to what it did before, too.
faults_of() {
	local pid executed="sched_process_exec: filename=$1 pid="
	pid=$(sed -n "s|.*$executed\([0-9]*\) .*|\1|p" $tracing/trace)
	[[ $pid ]] || fail "the trace has no execution of $1"
	sed "1,\\|$executed|d" $tracing/trace | grep -e "-$pid .*page_fault_user" || :
}

test_program_is_locked_from_its_first_instruction() {
	local name without with event events="exceptions/page_fault_user sched/sched_process_exec"
	[[ -d $tracing/events/exceptions ]] || skip "this kernel does not trace page faults"
	for name in without with; do
		cp /bin/date "$scratch/$name"
	done
	# the clock keeps events of different processors in order
	at_end "echo $(sed 's/.*\[\(.*\)\].*/\1/' $tracing/trace_clock) >$tracing/trace_clock"
	echo counter >$tracing/trace_clock
	echo >$tracing/trace
	for event in $events; do
		at_end "echo 0 >$tracing/events/$event/enable"
		echo 1 >"$tracing/events/$event/enable"
	done
	"$scratch/without" >/dev/null
	memlockctl run --superlock -- "$scratch/with" >/dev/null
	for event in $events; do
		echo 0 >"$tracing/events/$event/enable"
	done
	for name in without with; do
		faults_of "$scratch/$name" >"$scratch/$name.faults"
	done
	without=$(wc -l <"$scratch/without.faults") with=$(wc -l <"$scratch/with.faults")
	say "page faults of date(1) in its whole life: $without; under run --superlock: $with"
	sed 's/^/# /' "$scratch/with.faults"
	equal faults "$with" 0
	((without > 0)) || fail "it had none without, either"
}

test_program_has_no_limit_that_it_could_meet_later() {
	expect 0 '^unlimited$' prlimit --memlock=65536:65536 memlockctl run --superlock -- bash -c 'ulimit -l'
}

test_lock_not_superlock_is_what_run_gives() {
	expect 0 ': LOCKED' memlockctl run -- sh -c 'memlockctl status $$; :'
	expect 0 ': LOCKED' memlockctl run --movable -- sh -c 'memlockctl status $$; :'
}

test_program_that_cannot_be_locked_never_runs() {
	expect 125 'without CAP_IPC_LOCK' setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock \
		memlockctl run -- touch "$scratch/ran"
	[[ ! -e $scratch/ran ]] || fail "it ran"
}

test_input_and_output_are_its_own() {
	output=$(echo "through it" | memlockctl run -- cat)
	equal output "$output" "through it"
}

test_signals_are_passed_on() {
	local sig
	for sig in TERM HUP USR1; do
		mkfifo "$scratch/ready.$sig"
		# shellcheck disable=SC2016
		memlockctl run -- bash -c 'trap "exit 42" "$1"; echo >"$2"; while :; do sleep 0.1; done' - $sig "$scratch/ready.$sig" &
		read -r <"$scratch/ready.$sig"
		kill -$sig $!
		local status=0
		wait $! || status=$?
		equal "status after SIG$sig" $status 42
	done
}

test_owned_lock_goes_with_memlockctl() {
	need_list
	local runner program state
	memlockctl run --owned -- sleep 1000 &
	runner=$!
	await "the program" pgrep -P $runner sleep
	program=$(pgrep -P $runner sleep)
	children+=("$program")
	await "its lock" grep -q "VmLck:.*[1-9]" "/proc/$program/status"
	# traced until it is locked, it would die with memlockctl
	await "its start" grep -q "^TracerPid:.*[^0-9]0$" "/proc/$program/status"
	kill -KILL $runner
	await "the end of its lock" grep -q "VmLck:.* 0 kB" "/proc/$program/status"
	state=$(memlockctl status "$program")
	[[ $state == *": unlocked"* ]] || fail "$state"
}

run_tests

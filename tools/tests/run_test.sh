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

# user_faults NAME: page faults of what is called so, by its own instructions: its loader's and its constructors' included.
user_faults() { grep -c " *$1-[0-9]* .*page_fault_user" $tracing/trace; }

test_program_is_locked_from_its_first_instruction() {
	local name without with
	[[ -d $tracing/events/exceptions ]] || skip "this kernel does not trace page faults"
	at_end "echo 0 >$tracing/events/exceptions/enable"
	for name in without with; do
		cp /bin/date "$scratch/$name"
	done
	echo >$tracing/trace
	echo 1 >$tracing/options/record-cmd
	echo 1 >$tracing/events/exceptions/page_fault_user/enable
	"$scratch/without" >/dev/null
	memlockctl run --superlock -- "$scratch/with" >/dev/null
	echo 0 >$tracing/events/exceptions/enable
	without=$(user_faults without) || :
	with=$(user_faults with) || :
	say "page faults of date(1) in its whole life: $without; under run --superlock: $with"
	grep " *with-[0-9]* .*page_fault_user" $tracing/trace | head -n 5 | sed 's/^/# /' || :
	equal faults "$with" 0
	((without > 0)) || fail "it had none without, either"
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
	kill -KILL $runner
	await "the end of its lock" grep -q "VmLck:.* 0 kB" "/proc/$program/status"
	state=$(memlockctl status "$program")
	[[ $state == *": unlocked"* ]] || fail "$state"
}

run_tests

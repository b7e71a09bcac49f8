# shellcheck shell=bash
# Sourced by the tests here: each function of the test called test_* is a test, named for the promise that it checks.
#
# The tests run where guest/selftests has laid them out: what is tested lies installed below root/.

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd -P)
# shellcheck source=/dev/null # it is there where the tests run
. "$here/../kselftest/ktap_helpers.sh"
export PATH=$here/root/usr/sbin:$PATH LD_LIBRARY_PATH=$here/root/usr/lib
children=() cleanups=()

say() { printf '# %s\n' "$@"; }

# fail WHY: of the test that is running.
fail() {
	say "FAILED: $*"
	exit 1
}

# skip WHY: nothing here to try it with.
skip() {
	say "$*"
	echo "$*" >"$scratch/skip"
	exit 4
}

# expect STATUS PATTERN COMMAND...: the command ends so, and what it prints (stdout and stderr) matches.
# It is left in $output.
expect() {
	local wanted=$1 pattern=$2 status=0
	shift 2
	output=$("$@" 2>&1 </dev/null) || status=$?
	[[ $status == "$wanted" ]] || { say_output "$@"; fail "exit status $status, not $wanted"; }
	[[ $output =~ $pattern ]] || { say_output "$@"; fail "the output does not match: $pattern"; }
}

# document COMMAND...: the command succeeds, and what it prints on stdout is left in $output.
document() { output=$("$@" 2>/dev/null </dev/null) || fail "exit status $? of $*"; }

say_output() {
	say "\$ $*"
	printf '%s\n' "$output" | sed 's/^/#   /'
}

# equal WHAT A B
equal() { [[ $2 == "$3" ]] || fail "$1: $2, not $3"; }

# spawn COMMAND...: runs until the end of the test; its process ID is in $pid once it has executed the command. A sleep,
# be it executed by others (prlimit, setpriv), sleeps by then: it has its name, and maps nothing any more.
spawn() {
	"$@" </dev/null >/dev/null 2>&1 &
	pid=$!
	children+=("$pid")
	await "$1" executed "$pid"
	[[ " $*" != *" sleep "* ]] || await "sleep to sleep" asleep "$pid"
}

executed() { ! cmp -s "/proc/$1/cmdline" "/proc/$$/cmdline"; }

# in clock_nanosleep(2)
asleep() { [[ $(<"/proc/$1/syscall") == 230\ * ]]; }

# named PID NAME
named() { [[ $(<"/proc/$1/comm") == "$2" ]]; }

# at_end COMMAND: when the test is over, however it ends.
at_end() { cleanups+=("$1"); }

# await WHAT COMMAND...: until it succeeds; a test that hangs is ended by the time limit.
await() {
	local what=$1 tries
	shift
	for ((tries = 0; tries < 3000; tries++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	fail "waited in vain for $what"
}

# kib PID FIELD: a line of /proc/PID/status, in KiB.
kib() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"; }

# json EXPRESSION: of the document in $output, which is `doc` there; printed.
json() { python3 -IS -c 'import json, sys; doc = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$output" "$1"; }

# settle: until the driver has let go of processes that have ended.
settle() { cat /proc/sys/vm/memlockd/wired >/dev/null; }

# need_list: a driver that knows holders.
need_list() { memlockctl list >/dev/null 2>&1 || skip "the driver has no LIST"; }

tracing=/sys/kernel/tracing

# trace_faults PID...: record their page faults from now on. Unlike the counts of /proc/PID/stat these are without what a
# system call such as mmap makes present of its own accord.
trace_faults() {
	echo >$tracing/trace
	echo 1 >$tracing/options/event-fork
	(cd /proc && for process; do ls "$process/task"; done) >$tracing/set_event_pid
	echo 1 >$tracing/events/exceptions/enable
}

untrace_faults() {
	echo 0 >$tracing/events/exceptions/enable
	echo >$tracing/set_event_pid
	echo 0 >$tracing/options/event-fork
}

# traced_faults PID: each that it has had, a line; not those of its children.
traced_faults() {
	local tasks
	tasks=$(ls "/proc/$1/task")
	grep -E "^.*-(${tasks//$'\n'/|}) .*page_fault" $tracing/trace || :
}

# end_children: what a test has started.
end_children() {
	local child
	for child in "${children[@]}"; do
		kill -KILL "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	done
}

clean_up() {
	local status=$? cleanup
	set +e
	for cleanup in "${cleanups[@]}"; do
		eval "$cleanup"
	done
	end_children
	exit $status
}

# run_tests: all of them, each in a shell of its own, with a plan and totals. What a function set_up starts lives until they
# are all done.
run_tests() {
	local name names status
	if [[ ${TEST-} ]]; then
		set -euo pipefail
		trap clean_up EXIT
		"$TEST"
		exit
	fi
	mapfile -t names < <(compgen -A function test_)
	[[ -e /dev/memlockd ]] || { ktap_print_header; ktap_skip_all "there is no /dev/memlockd"; exit 4; }
	scratch=$(mktemp -d /var/tmp/memlockctl.XXXXXX)
	export scratch
	chmod 755 "$scratch"
	ktap_print_header
	ktap_set_plan ${#names[@]}
	! declare -F set_up >/dev/null || set_up
	for name in "${names[@]}"; do
		status=0
		TEST=$name bash "$here/${0##*/}" || status=$?
		case $status in
		0) ktap_test_pass "${name#test_}" ;;
		4) ktap_test_skip "${name#test_} $(<"$scratch/skip")" ;;
		*) ktap_test_fail "${name#test_}" ;;
		esac
	done
	end_children
	rm -rf "$scratch"
	ktap_finished
}

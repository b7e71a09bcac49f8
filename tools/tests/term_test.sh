#!/bin/bash
# What memlockctl shows on a terminal: bars, progress, the live table.
. "${BASH_SOURCE[0]%/*}/lib.sh"
export TERM=xterm

# on_terminal KEYS-AND-WAITS COMMAND...: terminal.py's arguments.
on_terminal() { python3 "$here/terminal.py" "$@"; }

test_maps_have_bars_on_a_terminal() {
	spawn sleep 1000
	memlockctl superlock -q "$pid"
	expect 0 $'\e\\[32m█+\e\\[0m' on_terminal '' memlockctl maps "$pid"
	expect 0 LOCKED env NO_COLOR=1 python3 "$here/terminal.py" '' memlockctl maps "$pid"
	[[ $output != *$'\e'* ]] || fail "colours in spite of NO_COLOR"
	expect 0 LOCKED env TERM=dumb python3 "$here/terminal.py" '' memlockctl maps "$pid"
	[[ $output != *$'\e'* ]] || fail "colours on a dumb terminal"
}

test_q_quits_watch_and_the_terminal_is_as_before() {
	spawn sleep 1000
	memlockctl superlock -q "$pid"
	# terminal.py compares the terminal's modes before and after
	expect 0 "sleep +SUPERLOCKED" on_terminal 'q quits:q' memlockctl watch "$pid"
	[[ $output == *$'\e[?1049h'*$'\e[?1049l'* ]] || fail "the screen was not put back"
}

test_signals_end_watch_and_the_terminal_is_as_before() {
	spawn sleep 1000
	expect 0 "" on_terminal 'q quits:^C' memlockctl watch "$pid"
	[[ $output == *$'\e[?1049l'* ]] || fail "the screen was not put back"
}

test_watch_ends_with_what_it_watches() {
	local watcher status=0
	expect 3 "there is no process 4194303" memlockctl watch 4194303
	spawn sleep 1000
	memlockctl watch --interval=0.2 "$pid" >"$scratch/tables" &
	watcher=$!
	await "a table" grep -q "$pid  sleep" "$scratch/tables"
	kill -KILL "$pid"
	wait $watcher || status=$?
	equal "exit status" $status 0
	grep -q "$pid  sleep *has ended" "$scratch/tables" || fail "its end is not told"
}

test_watch_in_a_pipe_is_plain() {
	spawn sleep 1000
	expect 0 "PID +NAME.*$pid +sleep +unlocked" memlockctl watch --count=2 --interval=0.1 "$pid"
	[[ $output != *$'\e'* ]] || fail "escape sequences in a pipe"
	equal tables "$(grep -c 'PID  NAME' <<<"$output")" 2
}

test_new_faults_are_shown() {
	local documents
	# under a lock without FUTURE what is mapped later faults
	spawn python3 -c 'import mmap, time
while True: m = mmap.mmap(-1, 1 << 20); m[5] = 1; m.close(); time.sleep(0.02)'
	memlockctl lock -q --current "$pid"
	documents=$(memlockctl watch --json --count=10 --interval=0.5 "$pid")
	# the first counts from the beginning
	output="[$(tail -n +2 <<<"$documents" | paste -s -d ,)]"
	say "new faults in half a second each: $(json '[d["processes"][0]["new_faults"] for d in doc]')"
	[[ $(json 'any(d["processes"][0]["new_faults"] for d in doc)') == True ]] || fail "none"
}

as_large_as() { (($(kib "$1" VmSize) > $2 * 1024)); }

test_long_locks_show_progress() {
	local mib took
	mib=$(awk '/^MemAvailable/ { print int($2 / 1024 * 0.7) }' /proc/meminfo)
	# mapped, not touched: the lock has to make it all
	spawn python3 -c "import mmap, time; m = mmap.mmap(-1, $mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); time.sleep(1000)"
	await "$mib MiB" as_large_as "$pid" "$mib"
	expect 0 SUPERLOCKED on_terminal '' memlockctl superlock "$pid"
	took=$(sed -n 's/.*pinned, in \([0-9.]* [mu]*s\).*/\1/p' <<<"$output")
	say "$mib MiB took $took; $(grep -o 'of about' <<<"$output" | wc -l) refreshes of the bar"
	[[ $took == *' s'* ]] || skip "$took is too short for a bar"
	[[ $output =~ 'python3 (PID '$pid')'.*'of about' ]] || fail "no progress was shown"
	expect 0 SUPERLOCKED memlockctl superlock "$pid"
	[[ $output != *'of about'* ]] || fail "progress in a pipe"
}

run_tests

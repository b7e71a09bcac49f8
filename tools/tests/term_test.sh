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

test_watch_says_what_kind_of_lock_it_is() {
	spawn sleep 1000
	memlockctl lock -q --movable "$pid"
	expect 0 "sleep +LOCKED\|movable +" memlockctl watch --count=1 "$pid"
	memlockctl lock -q --current "$pid"
	expect 0 "sleep +LOCKED\|current +" memlockctl watch --count=1 "$pid"
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
	await "a table" grep -q "$pid sleep" "$scratch/tables"
	kill -KILL "$pid"
	wait $watcher || status=$?
	equal "exit status" $status 0
	grep -q "$pid sleep *has ended" "$scratch/tables" || fail "its end is not told"
}

test_watch_in_a_pipe_is_plain() {
	spawn sleep 1000
	expect 0 "PID +NAME.*$pid +sleep +unlocked" memlockctl watch --count=2 --interval=0.1 "$pid"
	[[ $output != *$'\e'* ]] || fail "escape sequences in a pipe"
	equal tables "$(grep -c '^ *PID NAME' <<<"$output")" 2
}

# last_frame: what the screen showed last before it was left, without colours.
last_frame() {
	python3 -c 'import re, sys
frame = sys.argv[1].replace("\r", "").split("\x1b[?7h")[0].split("\x1b[H\x1b[J")[-1]
print(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame))' "$output"
}

# fits COLUMNS LINES: the last frame does.
fits() {
	local frame
	frame=$(last_frame)
	printf '%s\n' "$frame" | sed 's/^/#   /'
	say "$(wc -l <<<"$frame") lines, the longest has $(wc -L <<<"$frame") columns"
	(($(wc -l <<<"$frame") <= $2 && $(wc -L <<<"$frame") <= $1)) || fail "that does not fit $1x$2"
}

# sleepers N: their process IDs in $pids.
sleepers() {
	local i
	pids=()
	for ((i = 0; i < $1; i++)); do
		spawn sleep 1000
		pids+=("$pid")
	done
}

test_watch_fits_the_terminal_and_scrolls() {
	local pids
	sleepers 20
	TERMINAL_SIZE=60x20 expect 0 '1-15 of 20' on_terminal '1-15 of 20:q' memlockctl watch "${pids[@]}"
	fits 60 20
	[[ $(last_frame) == *"${pids[0]} sleep"* && $(last_frame) != *"${pids[19]} sleep"* ]] || fail "not the first ones"
	[[ $(last_frame | head -n 1) =~ (locked|pinned|wired)$ ]] || fail "a number above the table is cut off"
	# the last ones, by the key for the end; one back
	TERMINAL_SIZE=60x20 expect 0 '' on_terminal '1-15 of 20:G|6-20 of 20:k|5-19 of 20:q' memlockctl watch "${pids[@]}"
	fits 60 20
	[[ $(last_frame) == *"${pids[18]} sleep"* && $(last_frame) != *"${pids[0]} sleep"* ]] || fail "not scrolled"
	# all have room, when there is some
	TERMINAL_SIZE=60x20 expect 0 '' on_terminal '1-15 of 20:@120x40|HOLDERS:q' memlockctl watch "${pids[@]}"
	fits 120 40
	[[ $(last_frame) == *"${pids[0]} sleep"*"${pids[19]} sleep"* ]] || fail "not all of them"
	# a narrow one has fewer columns, each of them whole, and says first where in the table it is
	TERMINAL_SIZE=40x10 expect 0 '' on_terminal '1-5 of 20:q' memlockctl watch "${pids[@]}"
	fits 40 10
	[[ $(last_frame) == *PID*NAME*STATE*NEW-FAULTS$'\n'* ]] || fail "a column is cut off"
	TERMINAL_SIZE=30x6 expect 0 '' on_terminal 'q quits:q' memlockctl watch "${pids[@]}"
	fits 30 6
}

test_watch_sorts_by_faults() {
	local quiet
	spawn sleep 1000
	quiet=$pid
	spawn python3 -c 'import mmap, time
while True: m = mmap.mmap(-1, 1 << 20); m[5] = 1; m.close(); time.sleep(0.02)'
	memlockctl lock -q --current "$quiet" "$pid"
	await "its faults" faulted "$pid"
	output=$(memlockctl watch --noheadings -o pid --count=1 --sort=pid "$quiet" "$pid")
	equal "by PID" "${output//[$'\n' ]/}" "$quiet$pid"
	output=$(memlockctl watch --noheadings -o pid --count=1 --sort=faults "$quiet" "$pid")
	equal "by faults" "${output//[$'\n' ]/}" "$pid$quiet"
	expect 0 '' on_terminal 'q quits:f|q quits:|q quits:q' memlockctl watch "$quiet" "$pid"
	[[ $(last_frame) == *"$pid python3"*"$quiet sleep"* ]] || fail "the key f does not sort"
}

# faulted PID: since its lock.
faulted() { memlockctl status "$1" | grep -q 'page faults  [1-9]'; }

test_maps_are_clipped_on_a_terminal_only() {
	local name=$scratch/a-file-with-a-name-that-is-longer-than-what-a-terminal-of-sixty-columns-could-show
	head -c 8192 /dev/zero >"$name"
	spawn python3 -c 'import mmap, sys, time
file = open(sys.argv[1], "r+b"); m = mmap.mmap(file.fileno(), 0); time.sleep(1000)' "$name"
	await "the mapping" grep -q "$name" "/proc/$pid/maps"
	memlockctl superlock -q "$pid" 2>/dev/null
	expect 0 "${name##*/}" memlockctl maps "$pid"
	TERMINAL_SIZE=60x20 expect 0 '' on_terminal '' memlockctl maps "$pid"
	output=$(sed 's/\x1b\[[0-9;]*m//g; s/\r//g' <<<"$output")
	say "the longest line has $(tail -n +3 <<<"$output" | wc -L) columns"
	(($(tail -n +3 <<<"$output" | wc -L) <= 60)) || fail "that does not fit 60 columns"
	[[ $output != *"${name##*/}"* ]] || fail "not clipped"
}

test_what_is_pinned_is_kept() {
	local pids
	sleepers 10
	memlockctl superlock -q "${pids[@]}"
	output=$(memlockctl watch --json --count=1 "${pids[@]}")
	say "kept, pinned: $(json '[(p["kept"] >> 10, p["pinned"] >> 10) for p in doc["processes"]]') KiB"
	[[ $(json 'all(0 < p["pinned"] <= p["kept"] for p in doc["processes"])') == True ]] || fail "more is pinned than kept"
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

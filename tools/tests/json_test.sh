#!/bin/bash
# What memlockctl --json prints is what memlockctl.schema.json says, of successes and of failures.
. "${BASH_SOURCE[0]%/*}/lib.sh"

schema=$here/root/usr/share/memlockctl/memlockctl.schema.json

# check_json STATUS COMMAND...: what it prints on stdout alone is kept in $output, and for `validate`.
check_json() {
	local wanted=$1 status=0 name
	shift
	name=$1
	[[ $1 != rule ]] || name="rule $2"
	output=$(memlockctl "$@" 2>/dev/null) || status=$?
	[[ $status == "$wanted" ]] || fail "memlockctl $*: exit status $status, not $wanted"
	[[ $output == *'"command":'*"\"$name\""* ]] || { say_output memlockctl "$@"; fail "not the document of $name"; }
	printf '%s\n' "$output" >>"$scratch/documents"
}

# validate: all documents since the test began.
validate() {
	python3 "$here/check_schema.py" "$schema" <"$scratch/documents" >"$scratch/why" 2>&1 || {
		sed 's/^/# /' "$scratch/why"
		fail "not as the schema says"
	}
	say "$(<"$scratch/why")"
	rm "$scratch/documents"
}

test_schema_refuses_what_is_wrong() {
	local document
	cat >"$scratch/documents" <<-'END'
		{"format": 1, "command": "lock", "processes": [], "warnings": [], "errors": []}
	END
	validate
	for document in '{}' '[]' '{"format": 1, "command": "info", "warnings": [], "errors": []}' \
		'{"format": 1, "command": "lock", "processes": [{"pid": 1}], "warnings": [], "errors": []}' \
		'{"format": 1, "command": "lock", "processes": [], "warnings": [], "errors": [], "extra": 1}'; do
		if python3 "$here/check_schema.py" "$schema" <<<"$document" >/dev/null 2>&1; then
			fail "accepted: $document"
		fi
	done
}

test_successes_are_as_the_schema_says() {
	spawn sleep 1000
	check_json 0 info --json
	check_json 0 status --json "$pid"
	check_json 0 maps --json "$pid"
	check_json 1 audit --json "$pid"
	check_json 0 lock --json "$pid"
	check_json 0 superlock --json "$pid"
	equal state "$(json 'doc["processes"][0]["state"]')" superlocked
	equal flags "$(json 'doc["processes"][0]["flags"]')" "['current', 'future']"
	equal locked "$(json 'doc["processes"][0]["locked"] // 1024')" "$(kib "$pid" VmLck)"
	check_json 0 status --json "$pid"
	check_json 0 maps --json "$pid"
	check_json 0 maps --summary --json "$pid"
	check_json 0 audit --json "$pid"
	check_json 0 sync --json "$pid"
	check_json 0 watch --json --count=2 --interval=0.1 "$pid"
	equal documents "$(wc -l <<<"$output")" 2
	check_json 0 unlock --json "$pid"
	validate
}

test_list_is_as_the_schema_says() {
	local ftrace=/proc/sys/kernel/ftrace_enabled
	need_list
	settle
	spawn sleep 1000
	check_json 0 list --json
	memlockctl lock -q "$pid"
	check_json 0 list --json
	equal pids "$(json '[lock["pid"] for lock in doc["locks"]]')" "[$pid]"
	equal warnings "$(json 'doc["warnings"]')" '[]'
	validate
	# Linux 7.3 refuses that
	echo 0 2>/dev/null >$ftrace || return 0
	check_json 0 list --json
	echo 1 >$ftrace
	equal 'number of warnings' "$(json 'len(doc["warnings"])')" 1
	validate
}

test_rules_are_as_the_schema_says() {
	local id
	at_end 'memlockctl rule del all'
	spawn sleep 1000
	check_json 0 rule list --json
	equal rules "$(json 'doc["rules"]')" '[]'
	check_json 0 rule add --json --superlock --on=now,exec --priority=-3 --user=root --executable "$(command -v sleep)"
	equal matched "$(json 'doc["matched"] > 0, doc["failed"]')" '(True, 0)'
	id=$(json 'doc["rule"]')
	check_json 0 rule list --json
	equal rule "$(json 'doc["rules"][0]["id"], doc["rules"][0]["match"], doc["rules"][0]["events"], doc["rules"][0]["priority"]')" \
		"($id, ['executable', 'user'], ['exec', 'now'], -3)"
	check_json 0 list --json
	equal holder "$(json '[(lock["holder"], lock["rule"]) for lock in doc["locks"] if lock["pid"] == '"$pid"']')" "[('rule', $id)]"
	echo 'superlock on=exec user=65534' >"$scratch/one.rules"
	check_json 0 rule load --json "$scratch/one.rules"
	equal added "$(json 'len(doc["added"])')" 1
	check_json 0 rule del --json all
	equal deleted "$(json 'len(doc["deleted"])')" 2
	check_json 1 rule del --json "$id"
	check_json 2 rule add --json --on=birth
	validate
}

# seen_locked PID FILE: a lock and an unlock of it, until somebody has written of one.
seen_locked() {
	memlockctl lock -q "$1" && memlockctl unlock -q "$1" && [[ -s $2 ]]
}

test_events_are_as_the_schema_says() {
	local reader
	settle
	spawn setpriv --reuid=nobody --clear-groups --regid=nogroup sleep 1000
	await "sleep" named "$pid" sleep
	memlockctl events --json "$pid" >"$scratch/documents" 2>/dev/null &
	reader=$!
	children+=("$reader")
	# nothing tells when it has subscribed
	await "an event" seen_locked "$pid" "$scratch/documents"
	prlimit --pid "$pid" --memlock=65536
	! memlockctl lock -q "$pid" 2>/dev/null || fail "beyond the limit"
	kill -KILL "$pid"
	wait "$reader" || fail "exit status $?"
	grep -q '"event":"limit".*"limit":"rlimit_memlock"' "$scratch/documents" || fail "no limit"
	validate
}

test_failures_are_as_the_schema_says() {
	check_json 3 lock --json 4194303
	equal errno "$(json 'doc["errors"][0]["errno"]')" ESRCH
	check_json 3 status --json 2
	check_json 2 status --json word
	spawn sleep 1000
	check_json 1 unlock --json "$pid"
	check_json 3 superlock --json "$pid" 4194303
	equal processes "$(json 'len(doc["processes"])')" 1
	spawn prlimit --memlock=65536 setpriv --reuid=nobody --clear-groups --regid=nogroup sleep 1000
	await "sleep" named "$pid" sleep
	check_json 6 lock --json "$pid"
	equal limit "$(json 'doc["errors"][0]["limit"], doc["errors"][0]["allowed"]')" "('rlimit_memlock', 65536)"
	validate
}

test_bad_usage_is_as_the_schema_says() {
	local status
	check_json 2 lock --json --frobnicate 1
	equal message "$(json 'doc["errors"][0]["message"][:32]')" "lock: --frobnicate is no option "
	check_json 2 maps --frobnicate -j 1
	check_json 2 superlock --json
	check_json 2 superlock --stack=x 1 -qj
	check_json 2 list --json --output=pid
	check_json 2 info --json too much
	check_json 2 watch --json --count=0
	validate
	status=0
	output=$(memlockctl lokc --json 1 2>/dev/null) || status=$?
	equal status $status 2
	equal command "$(json 'doc["command"]')" None
	echo "$output" >"$scratch/documents"
	validate
	# what is no option for JSON asks for none
	[[ -z $(memlockctl lock --frobnicate -- -j 2>/dev/null) ]] || fail "JSON without --json"
}

test_missing_device_is_as_the_schema_says() {
	at_end 'mv /dev/memlockd.away /dev/memlockd'
	mv /dev/memlockd /dev/memlockd.away
	check_json 5 status --json 1
	equal errno "$(json 'doc["errors"][0]["errno"]')" ENOENT
	validate
}

python3 -c 'import jsonschema' 2>/dev/null || { ktap_print_header; ktap_skip_all "no python3-jsonschema"; exit 4; }
run_tests

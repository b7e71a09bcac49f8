#!/bin/bash
# CRIU and a service that is locked: it can be dumped while it is, and what is restored is locked by itself, which the tools say.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# The service: data that it checks when it is told to end, and memory that comes and goes.
service='
import hashlib, signal, sys, time
data = [bytes([i % 251]) * 5000 for i in range(1000)]
def digest():
    return hashlib.md5(b"".join(data)).hexdigest()
wanted = digest()
def end(sig, frame):
    with open(sys.argv[1] + "/result", "w") as result:
        print("right" if digest() == wanted else "wrong", file=result)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "/ready", "w").close()
while True:
    more = [bytearray(20000) for i in range(50)]
    time.sleep(0.02)
'

start_service() {
	command -v criu >/dev/null || skip "there is no criu"
	dir=$(mktemp -d "$scratch/criu.XXXXXX")
	mkdir "$dir/before" "$dir/running" "$dir/images"
	spawn setsid python3 -c "$service" "$dir"
	await "the service" test -e "$dir/ready"
}

# dump FOLDER OPTION...
dump() {
	criu dump -t "$pid" -D "$dir/$1" -o log -v2 "${@:2}" >/dev/null 2>&1 && return
	tail -n 5 "$dir/$1/log" | sed 's/^/#   /'
	fail "criu dump ${*:2}"
}

# restore: the service has the process ID that it had before, and is nobody's child here.
restore() {
	{ wait "$pid" || :; } 2>/dev/null
	criu restore -d -D "$dir/images" -o restore.log -v2 >/dev/null 2>&1 || {
		tail -n 5 "$dir/images/restore.log" | sed 's/^/#   /'
		fail "criu restore"
	}
	at_end "kill -KILL $pid 2>/dev/null || :"
}

# end_service: it finds its own data right.
end_service() {
	kill "$pid"
	await "its end" test -s "$dir/result"
	equal "its data" "$(<"$dir/result")" right
}

# dumped_and_restored LOCK...
dumped_and_restored() {
	start_service
	expect 0 'LOCKED' memlockctl "$@" "$pid"
	document memlockctl status --json "$pid"
	state=$(json 'doc["processes"][0]["state"]') locked=$(kib "$pid" VmLck) pinned=$(kib "$pid" VmPin)
	dump running --leave-running
	document memlockctl status --json "$pid"
	equal "state after a dump" "$(json 'doc["processes"][0]["state"]')" "$state"
	dump images
	restore
	say "$*: VmLck $locked kB, VmPin $pinned kB; restored: $(kib "$pid" VmLck) kB, $(kib "$pid" VmPin) kB"
	equal "VmPin" "$(kib "$pid" VmPin)" 0
	(($(kib "$pid" VmLck))) || fail "nothing of it is locked: what the man page says is not so"
	expect 0 'unlocked.*memlockd holds no lock of it' memlockctl status "$pid"
	expect 1 'is locked by itself: .*iB; memlockd holds no lock of it' memlockctl unlock "$pid"
	# and it can be locked again
	expect 0 'LOCKED' memlockctl "$@" "$pid"
	expect 0 'unlocked now' memlockctl unlock "$pid"
	end_service
}

test_superlocked_service_is_dumped_and_restored() { dumped_and_restored superlock; }
test_locked_service_is_dumped_and_restored() { dumped_and_restored lock; }
test_movable_service_is_dumped_and_restored() { dumped_and_restored lock --movable; }

# What the man page says to do.
test_service_unlocked_before_its_dump_comes_back_unlocked() {
	start_service
	expect 0 'SUPERLOCKED' memlockctl superlock "$pid"
	expect 0 'unlocked now' memlockctl unlock "$pid"
	dump images
	restore
	equal "VmLck" "$(kib "$pid" VmLck)" 0
	expect 1 'is not locked' memlockctl unlock "$pid"
	expect 0 'SUPERLOCKED' memlockctl superlock "$pid"
	end_service
}

run_tests

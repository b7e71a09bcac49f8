#!/bin/bash
# The two programs of README, as they stand there.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# locks PROGRAM PATTERN: the process whose ID it is given, and without one itself.
locks() {
	spawn sleep 1000
	expect 0 "$2" "$here/$1" "$pid"
	say "$1 PID prints: '$output'"
	expect 0 ': SUPERLOCKED' memlockctl status "$pid"
	expect 0 "$2" "$here/$1"
}

# unprivileged COMMAND...: as a user who may do nothing.
unprivileged() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }

# without_device COMMAND...: where the module is not loaded, as far as the command can see.
without_device() { unshare --mount -- sh -c 'mount -t tmpfs none /dev && exec "$@"' - "$@"; }

test_program_with_the_library_superlocks() { locks readme_library '^$'; }

test_program_without_the_library_superlocks() { locks readme_device '^[0-9]+ of [1-9][0-9]* mappings incomplete$'; }

test_program_with_the_library_says_what_went_wrong() {
	expect 1 '^there is no /dev/memlockd: load the module' without_device "$here/readme_library"
	expect 1 '^/dev/memlockd may not be opened by this user' unprivileged "$here/readme_library"
	expect 1 '^there is no process 4194304$' "$here/readme_library" 4194304
}

test_program_without_the_library_says_what_went_wrong() {
	expect 1 '^/dev/memlockd: No such file or directory$' without_device "$here/readme_device"
	expect 1 '^/dev/memlockd: Permission denied$' unprivileged "$here/readme_device"
	expect 1 '^memlockd: No such process$' "$here/readme_device" 4194304
}

run_tests

#!/bin/bash
# The Python package memlockd: what it says of a process is what the kernel says; errors are exceptions with a sentence. The
# tests themselves are in bindings.py.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# bindings NAME PID: what it has seen becomes a comment.
bindings() {
	local status=0
	PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 python3 -W error "$here/bindings.py" "$@" >"$scratch/bindings" 2>&1 || status=$?
	sed 's/^/# /' "$scratch/bindings"
	[[ $status == 0 ]] || fail "bindings.py $1: exit status $status"
}

# of_a_sleep NAME
of_a_sleep() {
	settle
	spawn sleep 1000
	bindings "$1" "$pid"
}

test_numbers_and_structures_are_those_of_the_header() { bindings header; }
test_superlock_has_what_the_kernel_says_until_unlock() { of_a_sleep superlock; }
test_lock_takes_flags_and_outlives_its_device() { of_a_sleep lock; }
test_block_is_locked_and_no_longer() { of_a_sleep block; }
test_owned_lock_goes_with_its_device() { of_a_sleep owned; }
test_mappings_are_those_of_proc() { of_a_sleep mappings; }
test_sync_locks_what_has_appeared() { of_a_sleep sync; }
test_processes_by_descriptor_and_independent_holders() { of_a_sleep others; }
test_ranges() { of_a_sleep ranges; }
test_events() { of_a_sleep events; }
test_rules() { of_a_sleep rules; }
test_info_counts_the_lock() { of_a_sleep info; }
test_failures_are_exceptions_with_errno_and_sentence() { of_a_sleep failures; }

test_missing_device_is_a_sentence() {
	at_end 'mv /dev/memlockd.away /dev/memlockd'
	mv /dev/memlockd /dev/memlockd.away
	bindings no_device
}

test_missing_library_is_a_sentence() { LD_LIBRARY_PATH='' bindings no_library; }

run_tests

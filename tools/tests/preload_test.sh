#!/bin/bash
# libmemlockd-preload.so: a program that locks itself with the calls of libc gets the device's lock.
. "${BASH_SOURCE[0]%/*}/lib.sh"

preload=$here/root/usr/lib/libmemlockd-preload.so

# shimmed EXPRESSION...: self.py under the shim; $output is its lines on one.
shimmed() {
	output=$(LD_PRELOAD=$preload python3 "$here/self.py" "$@" 2>&1) || fail "self.py failed: $output"
	output=${output//$'\n'/ }
}

both='|current|future'

test_mlockall_superlocks() {
	shimmed 'mlockall(3)' 'state()' 'munlockall()' 'state()' 'kib("VmLck")'
	equal results "$output" "0 superlocked$both 0 unlocked 0"
}

test_state_is_chosen_by_the_environment() {
	local state
	for state in superlocked locked movable; do
		MEMLOCKD_PRELOAD_STATE=$state shimmed 'mlockall(3)' 'state()'
		case $state in
		movable) equal results "$output" "0 locked$both|movable" ;;
		*) equal results "$output" "0 $state$both" ;;
		esac
	done
}

test_half_of_an_address_space_is_locked_not_superlocked() {
	shimmed 'mlockall(1)' 'state()'
	equal results "$output" "0 locked|current"
	shimmed 'mlockall(2)' 'state()'
	equal results "$output" "0 locked|future"
}

test_system_calls_by_number_are_the_same() {
	# mlockall, munlockall, getpid; a call with six arguments: mmap of 5 pages, without a file
	shimmed 'syscall(151, 3)' 'state()' 'syscall(152)' 'state()' 'syscall(39) == os.getpid()' \
		'syscall(9, 0, 5 * PAGE, 3, 0x22, -1, 0) % PAGE' 'syscall(9, 0, 0, 3, 0x22, -1, 0)'
	equal results "$output" "0 superlocked$both 0 unlocked True 0 EINVAL"
}

test_onfault_stays_the_kernels() {
	shimmed 'mlockall(7)' 'state()' 'kib("VmPin")' 'kib("VmLck") > 0' 'munlockall()' 'kib("VmLck")' \
		'mlock2(0, 2, 1)' 'kib("VmLck")' 'kib("VmPin")'
	equal results "$output" "0 unlocked 0 True 0 0 0 8 0"
}

test_bad_arguments_fail_as_the_kernels_calls_do() {
	local calls=('mlockall(0)' 'mlockall(4)' 'mlockall(8)' 'mlockall(-1)' 'mlock2(0, 1, 2)'
		'call(libc.mlock, 4096, 4096)' 'call(libc.munlock, 4096, 4096)' 'call(libc.mlock, -4096, 8192)'
		'syscall(151, 0)' 'syscall(149, 4096, 4096)')
	output=$(python3 "$here/self.py" "${calls[@]}")
	local kernels=${output//$'\n'/ }
	shimmed "${calls[@]}"
	say "$output"
	equal results "$output" "$kernels"
}

# nobody LIMIT EXPRESSION...: as shimmed, for an ordinary user with that RLIMIT_MEMLOCK.
nobody() {
	output=$(prlimit --memlock="$1" setpriv --reuid=nobody --regid=nogroup --clear-groups env LD_PRELOAD="$preload" \
		python3 "$here/self.py" "${@:2}")
	output=${output//$'\n'/ }
}

test_ordinary_user_gets_what_the_kernel_gives() {
	nobody 65536 'mlockall(3)' 'kib("VmLck")' 'mlock(0, 2)' 'kib("VmLck")'
	equal results "$output" "ENOMEM 0 0 8"
}

test_ordinary_user_who_may_gets_the_device_and_its_limit() {
	local sysctl=/proc/sys/vm/memlockd/unprivileged_mlock mode
	[[ -e $sysctl ]] || skip "the driver has no vm.memlockd.unprivileged_mlock"
	mode=$(stat -c %a /dev/memlockd)
	at_end "chmod $mode /dev/memlockd; echo $(<$sysctl) >$sysctl"
	chmod 666 /dev/memlockd
	echo 1 >$sysctl
	nobody 65536 'mlockall(3)' 'kib("VmLck")' 'kib("VmPin")'
	equal results "$output" "ENOMEM 0 0"
	nobody $((256 << 20)) 'mlockall(3)' 'state()'
	equal results "$output" "0 superlocked$both"
}

test_limit_of_0_is_EPERM_as_in_the_kernel() {
	local sysctl=/proc/sys/vm/memlockd/unprivileged_mlock calls kernels mode
	[[ -e $sysctl ]] || skip "the driver has no vm.memlockd.unprivileged_mlock"
	mode=$(stat -c %a /dev/memlockd)
	at_end "chmod $mode /dev/memlockd; echo $(<$sysctl) >$sysctl"
	calls=('mlockall(1)' 'mlockall(2)' 'mlockall(3)' 'mlock(0, 1)' 'mlock2(0, 1, 1)' 'kib("VmLck")'
		'syscall(9, 0, PAGE, 1, 0x22, -1, 0) % PAGE' 'munlockall()')
	nobody 0 "${calls[@]}"
	kernels=$output
	chmod 666 /dev/memlockd
	echo 1 >$sysctl
	nobody 0 "${calls[@]}"
	say "$output"
	equal results "$output" "$kernels"
	equal "the kernel's" "$kernels" "EPERM EPERM EPERM EPERM EPERM 0 0 0"
}

# The limit is met by the same calls, and these lock nothing.
test_limit_of_a_few_pages_is_as_in_the_kernel() {
	local sysctl=/proc/sys/vm/memlockd/unprivileged_mlock calls kernels mode
	[[ -e $sysctl ]] || skip "the driver has no vm.memlockd.unprivileged_mlock"
	mode=$(stat -c %a /dev/memlockd)
	at_end "chmod $mode /dev/memlockd; echo $(<$sysctl) >$sysctl"
	calls=('mlock(0, 5)' 'kib("VmLck")' 'mlock(0, 4)' 'kib("VmLck")' 'mlock(4, 1)' 'mlock2(4, 1, 0)' 'mlock2(4, 1, 1)'
		'mlock(1, 3)' 'kib("VmLck")' 'mlockall(1)' 'mlockall(3)' 'munlock(0, 1)' 'mlock(4, 1)' 'kib("VmLck")'
		'munlockall()' 'kib("VmLck")')
	nobody 16384 "${calls[@]}"
	kernels=$output
	chmod 666 /dev/memlockd
	echo 1 >$sysctl
	nobody 16384 "${calls[@]}"
	say "$output"
	equal results "$output" "$kernels"
	equal "the kernel's" "$kernels" "ENOMEM 0 0 16 ENOMEM ENOMEM ENOMEM 0 16 ENOMEM ENOMEM 0 0 16 0 0"
}

# as_the_kernel EXPRESSION...: the results of these are the same in each state.
as_the_kernel() {
	local state kernels
	kernels=$(python3 "$here/self.py" "$@") || fail "self.py failed: $kernels"
	kernels=${kernels//$'\n'/ }
	say "$kernels"
	for state in superlocked locked movable; do
		MEMLOCKD_PRELOAD_STATE=$state shimmed "$@"
		equal "$state" "$output" "$kernels"
	done
}

test_pages_come_at_the_lock_or_on_reference_as_in_the_kernel() {
	as_the_kernel 'mlock2(0, 4, 1)' 'resident()' 'kib("VmLck")' 'mlock(0, 1)' 'resident()' 'kib("VmLck")' \
		'mlock2(2, 4, 0)' 'resident()' 'kib("VmLck")' 'mlock2(2, 6, 1)' 'resident()' 'kib("VmLck")' 'munlock(1, 2)' \
		'kib("VmLck")' 'munlock(0, 8)' 'kib("VmLck")' 'resident()'
}

test_each_mapping_is_locked_as_in_the_kernel() {
	as_the_kernel 'each_mapping(libc.mlock)' 'kib("VmLck") > 4000' 'each_mapping(libc.munlock)' 'kib("VmLck")'
}

test_range_is_pinned() {
	shimmed 'mlock(1, 3)' 'kib("VmLck")' 'kib("VmPin")' 'munlock(0, 8)' 'kib("VmLck")' 'kib("VmPin")' \
		'syscall(149, address(2), PAGE)' 'kib("VmPin")' 'syscall(150, address(2), PAGE)' 'kib("VmPin")'
	[[ $output != "0 12 0 "* ]] || skip "the driver has no LOCK_RANGE"
	equal results "$output" "0 12 12 0 0 0 0 4 0 0"
}

test_movable_range_is_the_kernels() {
	MEMLOCKD_PRELOAD_STATE=movable shimmed 'mlock(1, 3)' 'kib("VmLck")' 'kib("VmPin")' 'munlock(0, 8)' 'kib("VmLck")'
	equal results "$output" "0 12 0 0 0"
}

# The same calls give the same results, and leave the same memory locked, whatever their order.
test_any_order_of_calls_gives_what_the_kernel_gives() {
	local state seed kernels shims
	for seed in 1 2 3 4 5 6 7 8; do
		kernels=$("$here/mlocks" "$seed" 60) || fail "mlocks failed: $kernels"
		for state in superlocked locked movable; do
			shims=$(MEMLOCKD_PRELOAD_STATE=$state LD_PRELOAD=$preload "$here/mlocks" "$seed" 60) ||
				fail "mlocks failed under the shim: $shims"
			[[ $shims == "$kernels" ]] && continue
			diff -U 3 <(echo "$kernels") <(echo "$shims") | head -n 20 | sed 's/^/# /'
			fail "seed $seed: not as in the kernel when $state"
		done
	done
	say "8 seeds of 60 calls, three states; the last:"
	tail -n 3 <<<"$kernels" | sed 's/^/#   /'
}

test_munlock_of_a_part_after_mlockall_unlocks_it() {
	local state
	for state in superlocked locked movable; do
		MEMLOCKD_PRELOAD_STATE=$state shimmed 'mlockall(3)' 'setattr(os, "before", kib("VmLck"))' 'munlock(2, 4)' \
			'os.before - kib("VmLck")' 'munlockall()' 'kib("VmLck")' 'kib("VmPin")'
		equal "$state" "$output" "0 None 0 16 0 0 0"
	done
}

test_munlockall_unlocks_what_mlock_has_locked() {
	shimmed 'mlock(0, 4)' 'munlockall()' 'kib("VmLck")' 'kib("VmPin")'
	equal results "$output" "0 0 0 0"
}

test_without_the_device_it_is_as_ever() {
	at_end 'mv /dev/memlockd.away /dev/memlockd'
	mv /dev/memlockd /dev/memlockd.away
	shimmed 'mlockall(3)' 'kib("VmLck") > 1000' 'kib("VmPin")' 'munlockall()' 'kib("VmLck")' 'mlock(0, 2)' 'kib("VmLck")' \
		'munlock(0, 2)' 'kib("VmLck")'
	equal results "$output" "0 True 0 0 0 0 8 0 0"
}

test_falling_back_is_told_once_when_asked() {
	nobody 65536 'mlockall(3)' 'mlockall(3)'
	equal results "$output" "ENOMEM ENOMEM"
	output=$(MEMLOCKD_PRELOAD_VERBOSE=1 LD_PRELOAD=$preload python3 "$here/self.py" 'mlockall(3)' 'state()' 2>&1)
	equal "with the device" "${output//$'\n'/ }" "0 superlocked$both"
	output=$(MEMLOCKD_PRELOAD_VERBOSE=0 prlimit --memlock=65536 setpriv --reuid=nobody --regid=nogroup --clear-groups \
		env LD_PRELOAD="$preload" python3 "$here/self.py" 'mlockall(3)' 2>&1)
	equal "0 is no" "$output" "ENOMEM"
	output=$(MEMLOCKD_PRELOAD_VERBOSE=1 prlimit --memlock=65536 setpriv --reuid=nobody --regid=nogroup --clear-groups \
		env LD_PRELOAD="$preload" python3 "$here/self.py" 'mlock(0, 2)' 'mlockall(3)' 'mlockall(3)' 2>&1 >/dev/null)
	equal "words" "$output" "libmemlockd-preload: mlock: the range is locked by the kernel, and not pinned: this user may not open /dev/memlockd"
	at_end 'mv /dev/memlockd.away /dev/memlockd'
	mv /dev/memlockd /dev/memlockd.away
	output=$(MEMLOCKD_PRELOAD_VERBOSE=1 LD_PRELOAD=$preload python3 "$here/self.py" 'mlockall(3)' 'mlockall(3)' 2>&1 >/dev/null)
	equal "words" "$output" "libmemlockd-preload: mlockall: the kernel's own lock is what there is: there is no /dev/memlockd"
}

test_program_that_reuses_all_descriptors_is_served() {
	shimmed 'mlockall(3)' 'reuse_descriptors()' 'munlockall()' 'state()' 'mlockall(3)' 'state()'
	equal results "$output" "0 0 0 unlocked 0 superlocked$both"
}

test_children_are_not_locked_and_can_lock_themselves() {
	# the child's words come before its parent's
	output=$(LD_PRELOAD=$preload python3 "$here/self.py" 'mlockall(3)' \
		'os.waitpid(os.fork() or [print(state(), mlockall(3), state(), flush=True), os._exit(0)], 0)[1]' 'state()')
	equal results "${output//$'\n'/ }" "0 unlocked 0 superlocked$both 0 superlocked$both"
}

superlocked() { memlockctl status "$1" | grep -q ': SUPERLOCKED'; }

test_cyclictest_that_locks_itself_is_superlocked() {
	spawn env LD_PRELOAD="$preload" cyclictest -m -q -t 2 -p 80 -i 2000 -D 1h
	await "cyclictest's lock" superlocked "$pid"
	document memlockctl status --json "$pid"
	say "$(json '"%(state)s, %(pinned)d bytes pinned, %(minor_faults)d minor and %(major_faults)d major faults" % doc["processes"][0]')"
	equal state "$(json 'doc["processes"][0]["state"]')" superlocked
}

run_tests

# SPDX-License-Identifier: GPL-2.0
# The way in for people; what the kernel's build reads is Kbuild.

# The kernels that a guest can boot are named in guest/kernels; `running` is this machine's.
KERNEL  ?= running
KERNELS ?= 6.1 6.1-rt
SUITES  ?= bookworm
TESTS   ?=
CASES   ?=
SIZE    ?= 512
ROUNDS  ?= 7
SECONDS ?= 600
SEED    ?=
PROGRAMS ?=
TURNS   ?= 3
STATES  ?= none movable locked superlocked
ROOT    ?= programs
HOURS   ?= 4
PREFIX  ?= /usr/local
export DESTDIR PREFIX TESTS

ifneq ($(words $(CURDIR)),1)
$(error neither make nor the kernel's build can work at a path with a space in it, such as '$(CURDIR)': move it)
endif

help: ## this table
	@echo 'memlockd: lock or superlock the memory of another process'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

all: modules tools selftests ## modules, tools and selftests

modules: ## memlockd.ko for the running kernel, or KERNEL=6.1 (W=1 and C=2 work as for the kernel)
	@guest/setup host
	@guest/module $(KERNEL)

tools: ## memlockctl, its library and the preload shim, into build/tools
	@guest/setup host
	@$(MAKE) --no-print-directory -C tools

selftests: ## the selftests, into build/selftests
	@guest/setup host
	@guest/selftests

check: ## the selftests in a guest, for each of KERNELS="6.1 6.1-rt"; TESTS="name ..." for some of them
	@guest/setup host
	@guest/check $(KERNELS)

check-all: ## the same for every stock kernel of guest/kernels, and for a module without task_work; README in a fresh Debian 12 and 13
	@guest/setup host
	@status=0; export MEMLOCKD_TRANSPARENCY_SECONDS=60; guest/check $$(awk '!/^#/ && NF && $$3 !~ /source/ && NF == 4 { print $$1 }' guest/kernels) 6.1+notaskwork || status=1; \
	for suite in bookworm trixie; do guest/fresh $$suite || status=1; done; exit $$status

check-debug: ## the same for a kernel with KASAN, lockdep, kmemleak and so on, which is built first (a quarter of an hour); KERNEL=7.3-debug
	@guest/setup host
	@TIMEOUT=$${TIMEOUT:-9000} guest/check $(KERNEL:running=6.1-debug)

check-races: ## the same for a kernel with KCSAN, likewise
	@guest/setup host
	@TIMEOUT=$${TIMEOUT:-9000} guest/check 6.1-kcsan

check-programs: ## real programs under load, locked and unlocked in TURNS=3 turns, and CRIU; PROGRAMS="node redis" for some of them, ROOT=debian without the 2.6 GB of the others
	@guest/setup host
	@guest/selftests
	@guest/run --kernel $(KERNEL:running=6.1) --root $(ROOT) --mem $(if $(ROOT:debian=),6144,2048) --swap 512 --cpus 2 \
		--timeout $${TIMEOUT:-10800} -- sh -c '\
		status=0; build/selftests/tools/criu_test.sh || status=1; \
		TURNS=$(TURNS) STATES="$(STATES)" build/selftests/tools/check_programs.sh $(PROGRAMS) || status=1; exit $$status'

fuzz: ## random calls of the device in the guest of check-debug, for SECONDS=600; SEED=N as an earlier run; KERNEL=7.3-debug
	@guest/setup host
	@guest/selftests
	@guest/run --kernel $(KERNEL:running=6.1-debug) --mem 1024 --swap 512 --cpus 2 --timeout $$(($(SECONDS) + 1800)) -- \
		env MEMLOCKD_FUZZ_SECONDS=$(SECONDS) $(SEED:%=MEMLOCKD_FUZZ_SEED=%) build/selftests/memlockd/fuzz_test

soak: ## sieges, storms and random calls with ever new seeds, for HOURS=4, in two guests at a time
	@guest/setup host
	@HOURS=$(HOURS) guest/soak

fresh: ## what README says, in a fresh Debian with nothing but make and git, or SUITES=trixie, as root
	@guest/setup host
	@for suite in $(SUITES); do guest/fresh $$suite || exit; done

coverage: ## which lines of the module the selftests run, in a kernel that is built first; TESTS="name ...", ADD=1 to the run before
	@guest/setup host
	@TIMEOUT=$${TIMEOUT:-5400} guest/coverage

demo: ## superlock a running redis-server in a guest, and count its page faults
	@guest/setup host
	@$(MAKE) --no-print-directory -C tools
	@$(MAKE) --no-print-directory -C tools/demo
	@guest/run --mem 512 --swap 1024 --cpus 2 -- tools/demo/demo.sh

faults: ## the fault table, and build/faults.json: each lock under each stressor; KERNEL=6.1-rt for another kernel
	@guest/setup host
	@guest/selftests $(KERNEL:running=6.1)
	@guest/run --kernel $(KERNEL:running=6.1) --mem 768 --swap 1024 --cpus 2 --nodes 2 --timeout 1200 -- \
		build/selftests/memlockd/faults_test --table --json build/faults.json

bench: ## what it costs, beside mlockall(2), and build/bench.json; CASES="name ...", SIZE=MiB, ROUNDS=N
	@guest/setup host
	@$(MAKE) --no-print-directory -C tools/bench
	@guest/run --kernel $(KERNEL:running=6.1) --cpu max --mem 2560 --swap 1024 --cpus 2 --timeout 7200 -- \
		build/bench/bench --size $(SIZE) --rounds $(ROUNDS) --json build/bench.json $(CASES)

bench-icount: ## instructions of each page and call, against tools/bench/icount.baseline; RECORD=1 writes that
	@guest/setup host
	@$(MAKE) --no-print-directory -C tools/bench
	@guest/run --count --mem 1024 --timeout 1800 -- build/bench/bench --count --size 32 --rounds 2 \
		--json build/bench-icount.json $(if $(RECORD),--record,--baseline) tools/bench/icount.baseline $(CASES)

latency: ## faults and latency of a realtime program under memory pressure, and build/latency.json; KERNEL=6.1-rt, SECONDS=15
	@guest/setup host
	@$(MAKE) --no-print-directory -C tools
	@$(MAKE) --no-print-directory -C tools/demo
	@guest/run --kernel $(KERNEL:running=6.1-rt) --mem 768 --swap 1024 --cpus 2 --timeout 1200 -- \
		tools/bench/latency.sh $(SECONDS:600=15)

install: ## the module by DKMS, for the running kernel and its successors; the rest into PREFIX=/usr/local
	@packaging/install

uninstall: ## undo install
	@packaging/install --undo

deb: ## Debian packages, into build/deb
	@guest/setup host deb
	@packaging/deb

deb-test: deb ## install, upgrade, remove and purge them in a fresh Debian tree; SUITES="bookworm trixie"
	@for suite in $(SUITES); do packaging/deb-test $$suite || exit; done

piuparts: deb ## Debian's own tester installs, removes and purges them; SUITES=trixie, as root
	@guest/setup piuparts
	@for suite in $(SUITES); do packaging/piuparts $$suite || exit; done

dist: ## a tarball of the commit that is checked out, into build/dist; the same bytes wherever it is made
	@packaging/dist

boot-test: deb ## the same on a machine that boots, with DKMS, udev, a service that is locked, another kernel; SUITES="bookworm trixie"
	@packaging/boot-test $(SUITES)

state-test: deb ## a machine that boots under each default locking state: its services, a build with gcc, the cost; STATES="0 2", KERNEL=7.3
	@KERNEL=$(KERNEL:running=6.1) packaging/state-test $(filter 0 1 2,$(STATES))

check-all: boot-test

lint: ## checkpatch, sparse, W=1, gcc -fanalyzer, clang, coccinelle, shellcheck, codespell
	@guest/setup host lint
	@packaging/lint

clean: ## remove what was built
	rm -rf build

distclean: clean ## also remove what was fetched, which all checkouts of yours share
	rm -rf "$$(guest/fetch cache)"

.PHONY: help all modules tools selftests check check-all check-debug check-races check-programs fuzz soak fresh coverage demo faults bench bench-icount latency install uninstall deb deb-test piuparts boot-test state-test dist lint clean distclean

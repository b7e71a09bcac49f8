// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlockctl run: a program that is locked before its first instruction.
 *
 * A lock ends with execve(2), so it cannot be asked for before.  The child is
 * traced: it stops when its new address space is complete and nothing of it has
 * run, is locked, and let go.  memlockctl waits for its end, to pass on its exit
 * status.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memlockctl.h"

#define IS_EXEC_STOP(wstatus)	((wstatus) >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))

/* Those that somebody sends to us are for the program. */
static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT };

/* Never returns; what fails goes through @out, which execve(2) closes. */
static void __attribute__((noreturn)) child(char **argv, const sigset_t *mask, int out)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	/* The program may drop what lets it exceed the limit.  Who may not raise it keeps it. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);

	sigprocmask(SIG_SETMASK, mask, NULL);
	if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
		raise(SIGSTOP);
		execvp(argv[0], argv);
		err = errno;
	} else {
		err = -errno;
	}
	if (write(out, &err, sizeof(err)) != sizeof(err))
		_exit(EXIT_RUN_FAILED);
	_exit(EXIT_RUN_FAILED);
}

static pid_t start(struct ctl *ctl, const sigset_t *mask, int *from)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC)) {
		report_error(ctl, NULL, -errno, EXIT_RUN_FAILED, "no pipe: %s", strerror(errno));
		return -1;
	}
	pid = fork();
	if (!pid)
		child(ctl->options.words, mask, ends[1]);
	close(ends[1]);
	*from = ends[0];
	if (pid < 0)
		report_error(ctl, NULL, -errno, EXIT_RUN_FAILED, "no new process: %s",
			     strerror(errno));
	return pid;
}

/* Until the child has executed the program; false when it has ended instead. */
static bool await_exec(pid_t pid, int *wstatus)
{
	bool first = true;

	while (waitpid(pid, wstatus, 0) == pid) {
		int sig;

		if (!WIFSTOPPED(*wstatus))
			return false;
		if (IS_EXEC_STOP(*wstatus))
			return true;
		sig = WSTOPSIG(*wstatus);
		if (first) {
			ptrace(PTRACE_SETOPTIONS, pid, NULL,
			       (void *)(long)(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL));
			first = false;
			sig = 0;
		}
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
	}
	return false;
}

/* Why the program was not executed. */
static void report_no_exec(struct ctl *ctl, int from, int wstatus)
{
	const char *program = ctl->options.words[0];
	int err;

	if (read(from, &err, sizeof(err)) != sizeof(err))
		report_error(ctl, NULL, -EINTR, WIFSIGNALED(wstatus) ?
			     EXIT_SIGNAL + WTERMSIG(wstatus) : EXIT_RUN_FAILED,
			     "%s: ended before it was executed", program);
	else if (err < 0)
		report_error(ctl, NULL, err, EXIT_RUN_FAILED,
			     "%s: cannot be stopped at its beginning (ptrace): %s", program,
			     strerror(-err));
	else
		report_error(ctl, NULL, -err, err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE,
			     "%s: %s", program, strerror(err));
}

static bool lock_child(struct ctl *ctl, pid_t pid)
{
	unsigned int state = ctl->options.superlock ? MEMLOCKD_STATE_SUPERLOCKED :
						      MEMLOCKD_STATE_LOCKED;
	struct memlockd_lock lock;
	struct target target;
	bool locked;

	if (!target_open(ctl, &target, pid))
		return false;
	locked = lock_target(ctl, &target, state, &lock);
	target_close(&target);
	/* Nothing is to be read between the lines of the program. */
	if (locked && ctl->options.superlock && ctl->options.set_sysctl)
		compaction_check(ctl);
	return locked;
}

/* Its exit status, as a shell would have it. */
static int await_end(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int wstatus;

	while (sigwaitinfo(signals, &info) > 0 || errno == EINTR) {
		/* What a terminal sends it has got already. */
		if (info.si_signo != SIGCHLD) {
			if (info.si_code <= 0)
				kill(pid, info.si_signo);
			continue;
		}
		if (waitpid(pid, &wstatus, WNOHANG) != pid)
			continue;
		if (WIFEXITED(wstatus))
			return WEXITSTATUS(wstatus);
		if (WIFSIGNALED(wstatus))
			return EXIT_SIGNAL + WTERMSIG(wstatus);
	}
	return EXIT_RUN_FAILED;
}

void run_run(struct ctl *ctl)
{
	sigset_t signals, before;
	int from = -1, wstatus = 0;
	size_t i;
	pid_t pid;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&signals, passed_on[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);

	pid = start(ctl, &before, &from);
	if (pid < 0)
		return;
	if (!await_exec(pid, &wstatus)) {
		report_no_exec(ctl, from, wstatus);
	} else if (!lock_child(ctl, pid)) {
		kill(pid, SIGKILL);
		waitpid(pid, &wstatus, 0);
		ctl->status = EXIT_RUN_FAILED;
	} else {
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		ctl->status = await_end(pid, &signals);
	}
	close(from);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define REDIS_DIR	"/tmp/bench-redis"
#define REDIS_SOCKET	REDIS_DIR "/socket"

/* Runs @argv with preload.so in it; @out is where its answers come from. */
static pid_t start_program(char *const argv[], int *out, int *stdout_fd)
{
	char number[16], exe[4096], *slash;
	int answers[2], output[2];
	pid_t pid;

	if (pipe(answers) || pipe(output))
		die("pipe");
	pid = fork();
	if (pid) {
		close(answers[1]);
		close(output[1]);
		*out = answers[0];
		*stdout_fd = output[0];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	exe[readlink("/proc/self/exe", exe, sizeof(exe) - 1)] = 0;
	slash = strrchr(exe, '/');
	strcpy(slash + 1, "preload.so");
	snprintf(number, sizeof(number), "%d", answers[1]);
	setenv("LD_PRELOAD", exe, 1);
	setenv("BENCH_FD", number, 1);
	dup2(output[1], 1);
	close(answers[0]);
	close(output[0]);
	close(output[1]);
	execvp(argv[0], argv);
	_exit(127);
}

static bool measure_program(pid_t pid, int answers, enum lock_kind variant, struct sample *s)
{
	lock_program(pid, answers, variant, s);
	unlock_program(pid, answers, variant, s);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return true;
}

static int redis_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = REDIS_SOCKET };
	struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), tries;

	for (tries = 0; tries < 1200; tries++) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		nanosleep(&pause, NULL);
	}
	die("redis-server does not start");
}

bool run_redis(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	char *const argv[] = { "redis-server", "--port", "0", "--unixsocket", REDIS_SOCKET,
			       "--save", "", "--enable-debug-command", "local", NULL };
	int answers, output, fd;
	char command[64], reply[64];
	pid_t pid;

	unlink(REDIS_SOCKET);
	system("mkdir -p " REDIS_DIR);
	pid = start_program(argv, &answers, &output);
	fd = redis_connect();
	/* About 1.4 KiB each. */
	snprintf(command, sizeof(command), "DEBUG POPULATE %ld key 1024\r\n",
		 c->a ?: (long)(size / 8 / 1400));
	if (write(fd, command, strlen(command)) < 0 || read(fd, reply, sizeof(reply)) < 3 ||
	    memcmp(reply, "+OK", 3))
		die("redis-server does not populate");
	close(fd);
	measure_program(pid, answers, variant, s);
	close(answers);
	close(output);
	return true;
}

bool run_python(const struct bench_case *c, enum lock_kind variant, struct sample *s)
{
	char *const argv[] = { "python3", "-c",
			       "import json, re, socket, hashlib, decimal, signal\n"
			       "print('ready', flush=True)\n"
			       "while True: signal.pause()", NULL };
	int answers, output;
	char ready[8];
	pid_t pid;

	pid = start_program(argv, &answers, &output);
	if (read(output, ready, sizeof(ready)) <= 0) {
		printf("# python3 does not start\n");
		return false;
	}
	measure_program(pid, answers, variant, s);
	close(answers);
	close(output);
	return true;
}

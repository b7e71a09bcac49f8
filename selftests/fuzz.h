/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One random call of the device, and what may come of it.
 */
#ifndef MEMLOCKD_FUZZ_H
#define MEMLOCKD_FUZZ_H

#include "churn.h"

#define FUZZ_CMDS		13
#define FUZZ_CLIENTS		3	/* the last has no privilege */
#define FUZZ_THREADS		3

/* Nobody is this user: the rules of a fuzzer are for nobody. */
#define FUZZ_USER		54321

/* The longest structure that is kept of a call. */
#define FUZZ_ARG		192

/**
 * struct fuzzer - a thread that makes calls
 * @seed: of its random numbers
 * @client: which of the clients it is a part of
 * @fds: files of the device: one that others have, too, and its own
 * @privileged: has CAP_IPC_LOCK
 * @shared: others use @mem at the same time
 * @rule: the last rule that it has added
 * @mem: where structures and rows are, within 32 bits
 */
struct fuzzer {
	uint64_t seed;
	int client;
	int fds[2];
	bool privileged;
	bool shared;
	uint64_t rule;
	unsigned char *mem;
};

/**
 * struct fuzz_call - a call that was made
 * @index: which; FUZZ_CMDS when there is no such ioctl
 * @cmd: its number
 * @err: 0 or -errno
 * @compat: as a 32-bit program makes it
 * @at: the pointer
 * @room: bytes that can be written there
 * @size: as the structure says
 * @arg: the structure before the call
 */
struct fuzz_call {
	unsigned int index;
	unsigned int cmd;
	int err;
	bool compat;
	uint64_t at;
	unsigned int room;
	uint32_t size;
	unsigned char arg[FUZZ_ARG];
};

/* Makes @fuzzer->mem. */
void fuzzer_setup(struct fuzzer *fuzzer);

/* Makes a call; what is wrong about its result, or NULL. */
const char *fuzz(struct fuzzer *fuzzer, const pid_t *pids, struct fuzz_call *call);

const char *fuzz_name(unsigned int index);
void fuzz_print(const struct fuzz_call *call);

#endif /* MEMLOCKD_FUZZ_H */

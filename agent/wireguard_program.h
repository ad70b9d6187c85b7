/* SPDX-License-Identifier: MIT */
/*
 * wireguard_program.h - wireguard-go as a program: found, started, ended.
 *
 * It outlives whoever starts it. Processes are held by descriptors, so that no signal ever meets
 * another process that got the same number.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "agent/wireguard.h"
#include "base/usec.h"

#define WIREGUARD_PROGRAM_PATH_SIZE 256

/* A program that is being started. */
struct wireguard_program {
	pid_t id;
	int process; /* descriptor: of the process */
	int words;   /* descriptor: what it says, up to a limit */
};

/* Finds wireguard-go. Returns 0 or -ENOENT. */
int wireguard_program_find(char ret_path[static WIREGUARD_PROGRAM_PATH_SIZE]);

/* Starts it in the foreground of a session of its own. Returns 0 or negative errno. */
int wireguard_program_start(struct wireguard_program *ret, const char *path, const char *name);

/* Lets go of the descriptors; the program runs on. */
void wireguard_program_close(struct wireguard_program *program);

/* Whether it ends within so many milliseconds. */
bool wireguard_program_ends(const struct wireguard_program *program, int within_ms);

/* Ends it at once, and waits for that. */
void wireguard_program_kill(const struct wireguard_program *program);

/* The last line that it said, fit to be shown; "" where it said nothing. */
void wireguard_program_last_words(const struct wireguard_program *program, char *out, size_t size);

/* Whether a process is known to live in another network namespace than we do. */
bool wireguard_program_is_elsewhere(pid_t id);

/*
 * Ends a process that is wireguard-go and lives in our network namespace: asks it, and from the
 * deadline on makes it. Returns 0, also where it ended before; -EOPNOTSUPP it is another program;
 * -EXDEV it lives in another namespace; -EPERM; -ETIMEDOUT not even that ended it.
 */
int wireguard_program_end(pid_t id, usec_t deadline);

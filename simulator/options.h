/* SPDX-License-Identifier: MIT */
/*
 * options.h - the table of commands and the table of options.
 *
 * Help comes from these tables; a test holds the manual page and the completions against them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of the program. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_WRONG_USE = 2 };

#define JOBS_MAX 64

/* What was asked for. */
struct options {
	const char *subject; /* a scenario or a failure; NULL: the command takes none */
	bool seeds_given;
	uint64_t first;
	uint64_t last;
	unsigned jobs;
	bool json;
	const char *trace; /* NULL: none */
	const char *out;   /* NULL: not given */
	uint32_t sites_max;
	uint32_t without; /* bits of properties that are not looked at */
};

/* Runs the program: finds the command, checks the words, runs it. Returns the exit status. */
int simulator_main(int argc, char **argv);

/* Says on standard error what went wrong, behind the program's name. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

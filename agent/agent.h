/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the running agent: one loop that carries the brain.
 *
 * After whatever woke it: events to the brain, its actions performed in order, one timer armed.
 */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct agent_options {
	const char *state; /* directories */
	const char *run;
	const struct config *config;
	int64_t clock_offset_ms; /* of wall time; 0 but in tests */
};

/*
 * Runs until it is told to end: SIGTERM leaves interfaces and routes to the next agent, SIGINT
 * takes them away. Returns an exit status; what went wrong was said.
 */
int agent_run(const struct agent_options *options);

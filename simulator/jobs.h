/* SPDX-License-Identifier: MIT */
/*
 * jobs.h - runs that several processes share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct jobs {
	int from; /* what they write comes out here; its end says that all are done */
	const char *what;
	time_t begun;
	bool shown;
};

/*
 * Begins so many processes, each of which does the work and ends. Returns 0 or what pipe() gave;
 * where a process cannot begin, its part of the work is missing.
 */
int jobs_begin(struct jobs *jobs, const char *what, unsigned count,
	void (*work)(void *context, unsigned job, int out), void *context);

/* On a terminal, and once it has taken a while: how far it is. */
void jobs_progress(struct jobs *jobs, uint64_t done, uint64_t of);

/* Waits until all have ended. */
void jobs_end(struct jobs *jobs);

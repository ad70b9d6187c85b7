/* SPDX-License-Identifier: MIT */
/*
 * batch.h - many runs at a time, each in a process of its own: what a run does to its memory, it
 * does to itself alone.
 */
#pragma once

#include "simulator/run.h"

#define BATCH_HOW_SIZE 64

struct batch_report {
	uint64_t seed;
	bool died;                /* the result has no more than the property, then */
	char how[BATCH_HOW_SIZE]; /* it died: "signal 6 (Aborted)" */
	int trace_error;          /* errno, of what could not be written; else 0 */
	struct run_result result;
};

struct batch {
	const struct scenario *scenario;
	uint64_t first; /* seed */
	uint64_t count;
	unsigned jobs;
	bool drawn;       /* nothing is to be drawn: the scenario's plan is all there is */
	bool may_die;     /* who dies has not failed */
	bool quiet;       /* what a run writes on standard error is not wanted again */
	FILE *trace;      /* of one run; NULL: none */
	bool wants_going; /* going() is called, once a second of a run */
	void (*done)(const struct batch_report *report, void *context); /* in any order */
	void (*going)(usec_t virtual_time, void *context);
	void *context;
};

/*
 * Runs all seeds. A run that dies does not hold P6, whatever the scenario looks at, unless it may
 * die. Returns 0, or negative errno when no process could be made.
 */
int batch_run(const struct batch *batch);

/* One run of a scenario with its own seed and plan, quietly. Returns as batch_run(). */
int batch_run_one(const struct scenario *scenario, struct batch_report *ret);

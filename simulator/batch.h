/* SPDX-License-Identifier: MIT */
/*
 * batch.h - many runs at a time, each in a process of its own: what a run does to its memory, it
 * does to itself alone.
 */
#pragma once

#include "simulator/run.h"

struct batch_report {
	uint64_t seed;
	struct run_result result;
};

struct batch {
	const struct scenario *scenario;
	uint64_t first; /* seeds, inclusive */
	uint64_t last;
	unsigned jobs;
	bool drawn; /* nothing is to be drawn: the scenario's plan is all there is */
	void (*done)(const struct batch_report *report, void *context); /* in any order */
	void *context;
};

/*
 * Runs all seeds. A run that dies is reported as one that did not keep to its memory. Returns 0, or
 * negative errno when no process could be made.
 */
int batch_run(const struct batch *batch);

/* One run of a scenario with its own seed and plan. */
int batch_run_one(const struct scenario *scenario, struct run_result *ret);

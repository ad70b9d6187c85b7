/* SPDX-License-Identifier: MIT */
/*
 * run.h - one scenario with one seed: what happened, and whether its claim held.
 */
#pragma once

#include "simulator/scenario.h"

#define RUN_TEXT_SIZE 200

struct run_result {
	enum property failed; /* PROPERTY_NONE: the claim held */
	char text[RUN_TEXT_SIZE];
	usec_t at;
	uint32_t site;
	uint64_t hash;
	uint64_t events;
	uint64_t steps;
	uint64_t datagrams;
	usec_t virtual_time; /* how far it has come; who looks on may read it meanwhile */
	usec_t converged; /* after healing, or after the last of the owner's doings; USEC_NEVER */
	uint64_t bytes;   /* sent by all on their lines */
	uint64_t idle;    /* bytes a second by a spoke at rest, in the mean; 0: not measured */
};

/* Runs. With drawn, nothing is drawn: the scenario's own plan is all there is. */
void run_scenario(const struct scenario *scenario, uint64_t seed, bool drawn, FILE *trace,
	struct run_result *ret);

/* The plan of such a run; the caller frees it. */
void run_plan(const struct scenario *scenario, uint64_t seed, bool drawn, struct plan *ret);

/* Whether its signatures are real ones. */
bool run_is_real(const struct scenario *scenario, uint64_t seed);

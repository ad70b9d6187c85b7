/* SPDX-License-Identifier: MIT */
/*
 * trial.h - one collective of the sweep: how it comes together, rests, and spreads changes.
 *
 * All spokes have the same line; the hub's own is perfect. So a delay or loss is that between one
 * spoke and the hub, in each direction.
 */
#pragma once

#include <stdint.h>

#include "base/usec.h"

#define TRIAL_COLD_FOR (20 * USEC_MINUTE)  /* the longest wait for agreement */
#define TRIAL_SETTLE_FOR (5 * USEC_MINUTE) /* until comparisons are as rare as they become */
#define TRIAL_IDLE_FOR (10 * USEC_MINUTE)
#define TRIAL_CHANGE_FOR (2 * USEC_MINUTE) /* until comparisons are rare again */
#define TRIAL_SOON (5 * USEC_SECOND)       /* pushes, their repetitions and acknowledgements */

/* What all hosts sent: on wires, so with the headers of WireGuard, UDP and IP. */
struct traffic {
	uint64_t soon_bytes;
	uint64_t soon_datagrams;
	uint64_t later_bytes; /* until the next change: comparisons and keepalives, too */
};

/* Results are written by a worker into memory that it shares with the one that waits. */
struct trial {
	/* Given. */
	uint32_t sites; /* hub included */
	usec_t delay;   /* one way */
	uint32_t loss;  /* per million */
	uint64_t seed;
	uint32_t changes;
	/* Found. */
	usec_t cold; /* from power on until all held the same; USEC_NEVER: not in time */
	uint64_t cold_bytes;
	uint64_t idle_spokes;   /* bytes on the lines of all spokes, both directions, at rest */
	struct traffic with;    /* the sum over all changes, */
	struct traffic without; /* and over the same times in the same world without them */
	usec_t *took; /* change by change: of the hub, then of each spoke but the origin */
};

/* How many times one trial yields. */
static inline uint32_t trial_times(const struct trial *trial)
{
	return trial->changes * (trial->sites - 1);
}

/* What no protocol could do better: on the wires of the origin and the destination alone. */
usec_t trial_bound(const struct trial *trial, uint32_t time);

void trial_run(struct trial *trial);

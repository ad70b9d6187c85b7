/* SPDX-License-Identifier: MIT */
/*
 * play.h - does what a row says on a stage, and says to which class the outcome belongs. The stages
 * are the simulator (model.c) and namespaces with real WireGuard (real.c): what is done, when, and
 * how it is judged is the same for all.
 *
 * Classes, not times. Of a meeting: at once, after the retry, never. Of initiations: each time, one
 * in 5 s. Of packets on a way that changes: nothing, the skew. What is neither is told as it is,
 * and so equals nothing.
 *
 * Whether two initiations cross is a matter of milliseconds, which a busy machine may not keep. So
 * it is looked at whether they did: a trial in which they did not is none, and is begun again,
 * whatever came of it. Where the first is to have arrived, that is waited for.
 */
#pragma once

#include "tests/conformance/rows.h"

#define PLAY_CLASS_SIZE ROWS_WORD
#define PLAY_OPENER_TTL 4
#define PLAY_KEEPALIVE_S 25
#define PLAY_NOT_MET INT64_MIN

struct stage {
	void *context;
	int64_t pause_ms; /* between two looks for a session */

	/* Since the stage was ready. */
	int64_t (*now_ms)(void *context);
	void (*wait_until)(void *context, int64_t ms);

	/* The number says how often this was done before, for endpoints that are to differ. */
	void (*act)(void *context, unsigned side, enum rows_act act, uint32_t number);

	/* Whether WireGuard has taken a packet of the other side. */
	bool (*has_heard)(void *context, unsigned side);

	/* When the later end had its session, by WireGuard's own account; PLAY_NOT_MET: not yet. */
	int64_t (*met_ms)(void *context);

	/* That were sent by the first side until now. */
	uint32_t (*initiations)(void *context);

	/* One packet each way inside; and how many have not arrived. */
	void (*speak)(void *context);

	/* Until nothing arrives any more: what is on its way is not what this is about. */
	void (*settle)(void *context);
	uint32_t (*lost)(void *context);
};

/* Not for ROWS_PORT, which has no timing. */
void play(
	const struct rows_entry *row, const struct stage *stage, char ret[static PLAY_CLASS_SIZE]);

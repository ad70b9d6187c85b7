/* SPDX-License-Identifier: MIT */
#include "tests/conformance/play.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS 5000             /* of WireGuard */
#define AT_ONCE_MS (RETRY_MS / 2) /* nothing happens between a round trip and the retry */

#define LOOK_MS 5     /* between two looks for a packet */
#define TRIALS_MAX 50 /* of what a busy machine does not do as told */
#define REST_MS 500   /* before the next: what is on its way arrives */

/* Packets both ways, and the moments at which the ways change: there, and back. */
#define TICK_MS 5
#define SKEW_MS 100
#define THERE_MS 600
#define BACK_MS 1600
#define END_MS 2400

/* One of the two sides' packets within the skew, both ways, and that twice. */
#define SKEW_PACKETS (SKEW_MS / TICK_MS * 2 * 2)

static void say(char ret[static PLAY_CLASS_SIZE], const char *words)
{
	(void)snprintf(ret, PLAY_CLASS_SIZE, "%s", words);
}

/* Both know the other before anything happens, unless the row says when. */
static void introduce(const struct rows_entry *row, const struct stage *stage)
{
	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		bool is_told = false;

		for (uint32_t i = 0; i < row->step_count; i++)
			is_told |= row->steps[i].side == side && row->steps[i].act == ROWS_KNOW;
		if (!is_told)
			stage->act(stage->context, side, ROWS_KNOW, 0);
	}
}

/* Until a side has heard the other one. */
static void wait_to_hear(
	const struct rows_entry *row, const struct stage *stage, const struct rows_step *step)
{
	int64_t now = stage->now_ms(stage->context);
	int64_t end = now + row->for_ms;

	for (; now < end && !stage->has_heard(stage->context, step->side);
		now = stage->now_ms(stage->context))
		stage->wait_until(stage->context, now + LOOK_MS);
}

/* With a delay the second end begins before it has heard the first, or once it has. */
static bool is_to_cross(const struct rows_entry *row, const struct rows_step *step)
{
	return step == &row->steps[1] && step->at_ms < row->steps[0].at_ms + row->delay_ms;
}

static bool is_to_hear(const struct rows_entry *row, const struct rows_step *step)
{
	return step->at_ms == ROWS_HEARD ||
	       (step == &row->steps[1] && row->delay_ms > 0 && !is_to_cross(row, step));
}

/*
 * Does the steps, and returns when the last end began. Sets whether they were what the row says:
 * two that are to cross had not heard each other when both had begun.
 */
static int64_t step_through(
	const struct rows_entry *row, const struct stage *stage, int64_t base, bool *ret_kept)
{
	int64_t begun = base;

	*ret_kept = true;
	for (uint32_t i = 0; i < row->step_count; i++) {
		const struct rows_step *step = &row->steps[i];

		if (step->at_ms != ROWS_HEARD)
			stage->wait_until(stage->context, base + step->at_ms);
		if (is_to_hear(row, step))
			wait_to_hear(row, stage, step);
		if (step->act == ROWS_BEGIN)
			begun = stage->now_ms(stage->context);
		stage->act(stage->context, step->side, step->act, 0);
		if (is_to_cross(row, step))
			*ret_kept = !stage->has_heard(stage->context, step->side) &&
				    !stage->has_heard(stage->context, !step->side);
	}
	return begun;
}

static int64_t wait_for_session(
	const struct rows_entry *row, const struct stage *stage, int64_t begun)
{
	int64_t end = begun + row->for_ms;

	for (;;) {
		int64_t now = stage->now_ms(stage->context);
		int64_t met = stage->met_ms(stage->context);

		if (met != PLAY_NOT_MET || now >= end)
			return met <= end ? met : PLAY_NOT_MET;
		stage->wait_until(stage->context, now + stage->pause_ms);
	}
}

static void play_meeting(
	const struct rows_entry *row, const struct stage *stage, char ret[static PLAY_CLASS_SIZE])
{
	int64_t base = 0;
	int64_t begun;
	int64_t met;
	bool kept;

	introduce(row, stage);
	begun = step_through(row, stage, base, &kept);
	for (int i = 1; !kept && i < TRIALS_MAX; i++) {
		/* As if nothing had been: peers made anew have no limit, and remember no date. */
		for (unsigned side = 0; side < ROWS_SIDES; side++)
			stage->act(stage->context, side, ROWS_REST, 0);
		base = stage->now_ms(stage->context) + row->delay_ms + REST_MS;
		begun = step_through(row, stage, base, &kept);
	}
	if (!kept) {
		say(ret, "not done as told");
		return;
	}
	met = wait_for_session(row, stage, begun);
	say(ret, met == PLAY_NOT_MET        ? "never"
		 : met - begun < AT_ONCE_MS ? "at once"
					    : "after the retry");
}

static void play_count(
	const struct rows_entry *row, const struct stage *stage, char ret[static PLAY_CLASS_SIZE])
{
	int64_t length = row->every_ms * row->times;
	uint32_t sent;

	stage->act(stage->context, 0, ROWS_KNOW, 0);
	for (uint32_t i = 0; i < row->times; i++) {
		stage->wait_until(stage->context, row->every_ms * i);
		/* The first begins. */
		stage->act(stage->context, 0, i == 0 ? ROWS_BEGIN : row->repeated, i);
	}
	stage->wait_until(stage->context, length);
	sent = stage->initiations(stage->context);
	/* A slow machine sends a few less, where many are asked for. */
	if (sent <= row->times && sent >= row->times * 9 / 10)
		say(ret, "each time");
	else if (sent > 0 && sent <= length / RETRY_MS + 1)
		say(ret, "one in 5 s");
	else
		(void)snprintf(ret, PLAY_CLASS_SIZE, "%u of %u", sent, row->times);
}

static void play_switch(const struct stage *stage, char ret[static PLAY_CLASS_SIZE])
{
	static const struct rows_step steps[] = {
		{0, ROWS_DIRECT, THERE_MS},
		{1, ROWS_DIRECT, THERE_MS + SKEW_MS},
		{0, ROWS_BACK, BACK_MS},
		{1, ROWS_BACK, BACK_MS + SKEW_MS},
	};
	const struct rows_step *step = steps;
	uint32_t lost;

	for (int64_t at = 0; at < END_MS; at += TICK_MS) {
		int64_t next = stage->now_ms(stage->context) + TICK_MS;

		for (; step < steps + sizeof steps / sizeof steps[0] && step->at_ms <= at; step++) {
			stage->settle(stage->context);
			stage->act(stage->context, step->side, step->act, 0);
		}
		stage->speak(stage->context);
		stage->wait_until(stage->context, next);
	}
	stage->settle(stage->context);
	lost = stage->lost(stage->context);
	/* Where only one of the two ends refuses, it is half of it. */
	if (lost == 0)
		say(ret, "nothing");
	else if (lost >= SKEW_PACKETS * 3 / 8 && lost <= SKEW_PACKETS * 5 / 4)
		say(ret, "the skew");
	else
		(void)snprintf(ret, PLAY_CLASS_SIZE, "%u of %u packets", lost,
			2 * (unsigned)(END_MS / TICK_MS));
}

void play(const struct rows_entry *row, const struct stage *stage, char ret[static PLAY_CLASS_SIZE])
{
	switch (row->kind) {
	case ROWS_MEET:
		play_meeting(row, stage, ret);
		return;
	case ROWS_COUNT:
		play_count(row, stage, ret);
		return;
	case ROWS_SWITCH:
		play_switch(stage, ret);
		return;
	case ROWS_PORT:
		break;
	}
	assert(false);
}

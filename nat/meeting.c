/* SPDX-License-Identifier: MIT */
#include "nat/meeting.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define PATIENCE (2500 * USEC_MSEC)
#define BETTER_WITHIN (300 * USEC_MSEC)
#define ANSWERS_FOR (15 * USEC_SECOND) /* the other end may verify later */
#define PACE (2 * USEC_MSEC)
#define ROUNDS_MAX 5
#define GRACE (200 * USEC_MSEC) /* who hears the other end does not wait for it */
#define OPENING (10 * USEC_MSEC)

enum body_kind { BODY_PROBE = 1, BODY_ANSWER = 2 };

/* Whole packets of one place, after those before. */
static const usec_t gaps[ROUNDS_MAX] = {
	0, 150 * USEC_MSEC, 200 * USEC_MSEC, 400 * USEC_MSEC, 800 * USEC_MSEC};

/* How an attempt goes about it: how far what opens may go, and who sends whole packets first. */
struct technique {
	uint8_t ttl;
	bool offerer_first;
};

static const struct technique techniques[] = {
	{4, true}, {4, false}, {3, true}, {6, false}, {2, true}, {8, false}};

#define TECHNIQUES (sizeof techniques / sizeof techniques[0])

/* Bodies: a kind, a number, and of an answer from where the probe came. One size for all. */

static bool has_room(const struct meeting_actions *out)
{
	return out->count < MEETING_ACTIONS_MAX;
}

static void send(struct meeting *meeting, struct meeting_actions *out, struct meeting_place *place,
	uint8_t ttl, enum body_kind kind, uint32_t number)
{
	struct meeting_action *action = &out->items[out->count++];
	uint8_t body[MEETING_BODY] = {(uint8_t)kind};

	bytes_put(body + 1, number, 4);
	if (kind == BODY_ANSWER)
		endpoint_put(&place->endpoint, body + 5);
	action->kind = MEETING_SEND;
	action->endpoint = place->endpoint;
	action->ttl = ttl;
	action->rtt_us = -1;
	action->size = (uint16_t)seal_write(&meeting->seal, body, sizeof body, action->bytes);
	place->sent++;
}

/* Places. */

static struct meeting_place *find(struct meeting *meeting, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < meeting->count; i++) {
		if (endpoint_equal(&meeting->places[i].endpoint, endpoint))
			return &meeting->places[i];
	}
	return NULL;
}

static struct meeting_place *add(
	struct meeting *meeting, usec_t at, const struct endpoint *endpoint, bool vouched)
{
	struct meeting_place *place = find(meeting, endpoint);

	if (place || meeting->count == MEETING_PLACES_MAX)
		return place;
	place = &meeting->places[meeting->count++];
	*place = (struct meeting_place){
		.endpoint = *endpoint, .vouched = vouched, .next_at = at, .rtt_us = -1};
	return place;
}

/* Whether one more packet there is within what strangers are to be spared. */
static bool may_send(const struct meeting *meeting, const struct meeting_place *place)
{
	bool vouched = false;
	uint32_t sent = 0;

	for (uint32_t i = 0; i < meeting->count; i++) {
		const struct meeting_place *other = &meeting->places[i];

		if (!address_equal(&other->endpoint.address, &place->endpoint.address))
			continue;
		if (other->heard)
			return true;
		vouched = vouched || other->vouched;
		sent += other->sent;
	}
	return sent < (vouched ? MEETING_DATAGRAMS_MAX : MEETING_UNVOUCHED_MAX);
}

/*
 * Half a round trip lies between the two beginnings: the answer travels so long. Whole packets go
 * when the other end has opened; who is second leaves the first ones time to come.
 */
static usec_t wait_before_wholes(
	const struct technique *technique, const struct meeting_options *options)
{
	usec_t lag = options->hub_rtt / 2;

	/* Nothing of the other end's will come in before: it only has to have opened. */
	if (options->elusive)
		return options->offerer ? PACE : lag + OPENING;
	if (technique->offerer_first)
		return options->offerer ? PACE : lag + lag / 2 + GRACE;
	return options->offerer ? lag + GRACE : lag + GRACE / 2;
}

void meeting_begin(struct meeting *meeting, usec_t now, const struct meeting_options *options)
{
	const struct technique *technique = &techniques[options->attempt % TECHNIQUES];

	memset(meeting, 0, sizeof *meeting);
	seal_init(&meeting->seal, "collective meeting", &options->probe, options->offerer);
	meeting->begun_at = now;
	meeting->opener_ttl = technique->ttl;
	meeting->wholes_from = now + wait_before_wholes(technique, options);
	meeting->until = now + PATIENCE + 2 * options->hub_rtt;
	/* The answerer's are to be open before its answer arrives, which leaves behind them. */
	for (uint32_t i = 0; i < options->count && i < MEETING_OFFERED_MAX; i++)
		(void)add(meeting, now + (options->offerer ? (usec_t)i * PACE : 0),
			&options->places[i].endpoint, options->places[i].vouched);
}

void meeting_end(struct meeting *meeting)
{
	seal_wipe(&meeting->seal);
}

/* Trying. */

static void probe(struct meeting *meeting, usec_t now, struct meeting_place *place, uint8_t ttl,
	struct meeting_actions *out)
{
	uint32_t slot = place->pending_next++ % MEETING_PENDING;

	place->pending[slot].number = ++meeting->number;
	place->pending[slot].at = now;
	send(meeting, out, place, ttl, BODY_PROBE, meeting->number);
}

/* When the next packet of a place is due: what opens goes first, and whole ones when it is time. */
static usec_t due(const struct meeting *meeting, const struct meeting_place *place)
{
	if (meeting->state == MEETING_FAILED || place->rtt_us >= 0)
		return USEC_NEVER;
	if (place->openers == 0 && !place->heard)
		return place->next_at;
	if (place->rounds == ROUNDS_MAX)
		return USEC_NEVER;
	if (place->rounds == 0 && !meeting->wholes && meeting->wholes_from > place->next_at)
		return meeting->wholes_from;
	return place->next_at;
}

static void serve(struct meeting *meeting, usec_t now, struct meeting_place *place,
	struct meeting_actions *out)
{
	bool opens = place->openers == 0 && !place->heard;

	if (!may_send(meeting, place)) {
		meeting->held_back++;
		place->openers = 1;
		place->rounds = ROUNDS_MAX;
		return;
	}
	if (opens) {
		place->openers++;
		place->next_at = now + PACE;
		probe(meeting, now, place, meeting->opener_ttl, out);
		return;
	}
	place->openers = 1;
	place->rounds++;
	place->next_at = place->rounds < ROUNDS_MAX ? now + gaps[place->rounds] : USEC_NEVER;
	probe(meeting, now, place, 0, out);
}

/* Answering. */

/* The other end is at a place: it is probed at once, whatever was planned. */
static void note_heard(struct meeting *meeting, usec_t now, struct meeting_place *place)
{
	meeting->heard++;
	meeting->wholes = true;
	if (place->heard)
		return;
	place->heard = true;
	place->next_at = now;
	if (place->rounds == ROUNDS_MAX)
		place->rounds--;
}

static void take_answer(struct meeting *meeting, usec_t now, struct meeting_place *place,
	const uint8_t *body, struct meeting_actions *out)
{
	uint32_t number = (uint32_t)bytes_get(body + 1, 4);
	struct meeting_action *action;
	int64_t rtt = -1;

	for (uint32_t i = 0; i < MEETING_PENDING; i++) {
		if (number != 0 && place->pending[i].number == number)
			rtt = now - place->pending[i].at;
	}
	if (rtt < 0)
		return;
	meeting->answered++;
	meeting->has_seen = endpoint_get(body + 5, &meeting->seen) == 0 || meeting->has_seen;
	if (meeting->state == MEETING_FAILED || place->rtt_us >= 0 || !has_room(out))
		return;
	place->rtt_us = rtt;
	if (meeting->state == MEETING_VERIFIED &&
		(now > meeting->until || rtt >= meeting->places[meeting->best].rtt_us))
		return;
	action = &out->items[out->count++];
	*action = (struct meeting_action){
		.kind = meeting->state == MEETING_VERIFIED ? MEETING_BETTER : MEETING_FOUND,
		.endpoint = place->endpoint,
		.rtt_us = rtt};
	if (meeting->state != MEETING_VERIFIED)
		meeting->until = now + BETTER_WITHIN;
	meeting->state = MEETING_VERIFIED;
	meeting->best = (uint32_t)(place - meeting->places);
}

int meeting_receive(struct meeting *meeting, usec_t now, const struct endpoint *from,
	const void *bytes, size_t size, struct meeting_actions *out)
{
	uint8_t body[SEAL_BODY_MAX];
	struct meeting_place *place;
	int r;

	out->count = 0;
	if (now > meeting->until + ANSWERS_FOR)
		return -EBADMSG;
	r = seal_read(&meeting->seal, bytes, size, body);
	if (r < 0)
		return r;
	if (r != MEETING_BODY || (body[0] != BODY_PROBE && body[0] != BODY_ANSWER))
		return -EBADMSG;
	place = add(meeting, now, from, false);
	if (!place)
		return -EBADMSG;
	note_heard(meeting, now, place);
	if (body[0] == BODY_PROBE)
		send(meeting, out, place, 0, BODY_ANSWER, (uint32_t)bytes_get(body + 1, 4));
	else
		take_answer(meeting, now, place, body, out);
	return 0;
}

void meeting_step(struct meeting *meeting, usec_t now, struct meeting_actions *out)
{
	out->count = 0;
	if (meeting->state == MEETING_TRYING && now >= meeting->until) {
		meeting->state = MEETING_FAILED;
		out->items[out->count++] = (struct meeting_action){.kind = MEETING_LOST};
	}
	if (meeting->state == MEETING_VERIFIED && now >= meeting->until) {
		meeting->over = true;
		return;
	}
	for (uint32_t i = 0; i < meeting->count && has_room(out); i++) {
		if (due(meeting, &meeting->places[i]) <= now)
			serve(meeting, now, &meeting->places[i], out);
	}
}

usec_t meeting_wakeup(const struct meeting *meeting)
{
	usec_t at = meeting->state == MEETING_TRYING ? meeting->until : USEC_NEVER;

	if (meeting->state == MEETING_FAILED || meeting->over)
		return USEC_NEVER;
	for (uint32_t i = 0; i < meeting->count; i++) {
		usec_t next = due(meeting, &meeting->places[i]);

		if (meeting->state == MEETING_TRYING || next < meeting->until)
			at = usec_min(at, next);
	}
	return at;
}

/* SPDX-License-Identifier: MIT */
/*
 * test_meeting.c - two sites try to meet, each behind a router: which pairs do, how soon, and at
 * what cost to strangers. The routers are those of the simulator.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nat/meeting.h"
#include "tests/homes.h"

#define DELAY (10 * USEC_MSEC)     /* one way, from home to home */
#define HUB_DELAY (15 * USEC_MSEC) /* one way, from home to home by the hub */
#define FLIGHTS_MAX 256
#define TYPES CARRIER /* meetings know nothing of a second router */
#define HOPS 6        /* of the internet */

/* Which pairs meet, by the rows of the design: the matrix is symmetric. */
static const bool meets[TYPES][TYPES] = {
	[PUBLIC] = {true, true, true, true, true, true, true},
	[CONE] = {true, true, true, true, true, true, true},
	[RESTRICTED] = {true, true, true, true, true, true, true},
	[HOME] = {true, true, true, true, true, false, true},
	[ACCEPTING] = {true, true, true, true, true, false, true},
	[SYMMETRIC] = {true, true, true, false, false, false, false},
	[SEQUENTIAL] = {true, true, true, true, true, false, true},
};

struct home {
	enum home_type type;
	struct router *router; /* NULL: a public host */
	struct endpoint inside;
	struct endpoint outside; /* as the hub saw it */
	struct meeting meeting;
	bool began;
	bool found;
	usec_t found_at;
	struct endpoint way;
	uint32_t sent_to_strangers;
};

struct flight {
	usec_t at;
	uint32_t to;
	struct endpoint source;
	struct endpoint destination;
	uint16_t size;
	uint8_t bytes[SEAL_DATAGRAM_MAX];
};

struct arena {
	usec_t now;
	uint32_t loss; /* percent, of what travels */
	struct prng chance;
	struct home homes[2];
	uint32_t count;
	struct flight flights[FLIGHTS_MAX];
	uint32_t datagrams;
};

static struct router *make_router(enum home_type type, uint32_t number)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {(uint8_t)number, 9};
	struct router_options options = home_router(type);
	struct prng prng;

	options.outside = address_ipv4(0xcb007102u + number);
	options.inside = (struct prefix){address_ipv4(0xc0a80100u), 24};
	prng_init(&prng, seed);
	return router_new(&options, &prng);
}

/* What the hub sees of a home. */
static void reflect(struct arena *arena, struct home *home)
{
	struct packet packet = {.source = home->inside,
		.destination = {address_ipv4(0xc6336401u), 51821},
		.ttl = PACKET_TTL};

	if (home->router)
		assert_int_equal(router_from_inside(home->router, arena->now, &packet), ROUTER_OUT);
	home->outside = packet.source;
}

static void make_home(struct arena *arena, uint32_t number, enum home_type type)
{
	struct home *home = &arena->homes[number];

	home->type = type;
	home->inside = (struct endpoint){
		type == PUBLIC ? address_ipv4(0xcb007102u + number) : address_ipv4(0xc0a80102u),
		(uint16_t)(41000 + number)};
	home->router = type == PUBLIC ? NULL : make_router(type, number);
	reflect(arena, home);
}

/*
 * As another home is told of it: where it was seen; or, where each new destination takes the next
 * port, where it will be seen. The port that the hub saw is then nobody else's: to send there would
 * use up the very port that was foretold.
 */
static void offer(const struct home *home, struct meeting_options *options)
{
	uint32_t ahead = home->type == SEQUENTIAL ? 1 : 0;

	options->count = ahead ? 3 : 1;
	for (uint32_t i = 0; i < options->count; i++) {
		options->places[i].endpoint = home->outside;
		options->places[i].endpoint.port = (uint16_t)(home->outside.port + ahead + i);
		options->places[i].vouched = true;
	}
}

static void begin(struct arena *arena, uint32_t number, bool offerer, uint8_t attempt)
{
	struct meeting_options options = {.offerer = offerer,
		.attempt = attempt,
		.hub_rtt = 2 * HUB_DELAY,
		.probe = {{1, 2, 3}}};

	offer(&arena->homes[1 - number], &options);
	meeting_begin(&arena->homes[number].meeting, arena->now, &options);
	arena->homes[number].began = true;
}

static void launch(struct arena *arena, uint32_t from, const struct meeting_action *action)
{
	struct home *home = &arena->homes[from];
	struct packet packet = {.source = home->inside,
		.destination = action->endpoint,
		.ttl = action->ttl ? action->ttl : PACKET_TTL};
	struct flight *flight = &arena->flights[arena->count];

	arena->datagrams++;
	if (!home->meeting.heard)
		home->sent_to_strangers++;
	if (home->router && router_from_inside(home->router, arena->now, &packet) != ROUTER_OUT)
		return;
	if (packet.ttl <= HOPS)
		return; /* it did what it was for */
	if (arena->loss && prng_below(&arena->chance, 100) < arena->loss)
		return;
	assert_true(arena->count < FLIGHTS_MAX);
	arena->count++;
	flight->at = arena->now + DELAY;
	flight->to = 1 - from;
	flight->source = packet.source;
	flight->destination = packet.destination;
	flight->size = action->size;
	memcpy(flight->bytes, action->bytes, action->size);
}

static void perform(struct arena *arena, uint32_t number, const struct meeting_actions *actions)
{
	struct home *home = &arena->homes[number];

	for (uint32_t i = 0; i < actions->count; i++) {
		const struct meeting_action *action = &actions->items[i];

		if (action->kind == MEETING_SEND)
			launch(arena, number, action);
		if (action->kind != MEETING_FOUND)
			continue;
		assert_false(home->found);
		home->found = true;
		home->found_at = arena->now;
		home->way = action->endpoint;
	}
}

static void land(struct arena *arena, const struct flight *flight)
{
	struct home *home = &arena->homes[flight->to];
	struct packet packet = {
		.source = flight->source, .destination = flight->destination, .ttl = PACKET_TTL};
	struct meeting_actions actions;

	if (home->router) {
		if (router_from_outside(home->router, arena->now, &packet) != ROUTER_IN)
			return;
	}
	if (!endpoint_equal(&packet.destination, &home->inside) || !home->began)
		return;
	(void)meeting_receive(
		&home->meeting, arena->now, &packet.source, flight->bytes, flight->size, &actions);
	perform(arena, flight->to, &actions);
}

/* The next moment at which something happens. */
static usec_t next(const struct arena *arena)
{
	usec_t at = USEC_NEVER;

	for (uint32_t i = 0; i < arena->count; i++)
		at = usec_min(at, arena->flights[i].at);
	for (uint32_t i = 0; i < 2; i++) {
		if (arena->homes[i].began)
			at = usec_min(at, meeting_wakeup(&arena->homes[i].meeting));
	}
	return at;
}

static void run(struct arena *arena, usec_t until)
{
	for (uint32_t turns = 0; turns < 10000; turns++) {
		usec_t at = next(arena);

		if (at > until)
			break;
		arena->now = at > arena->now ? at : arena->now;
		for (uint32_t i = 0; i < arena->count; i++) {
			struct flight flight = arena->flights[i];

			if (flight.at > arena->now)
				continue;
			arena->flights[i--] = arena->flights[--arena->count];
			land(arena, &flight);
		}
		for (uint32_t i = 0; i < 2; i++) {
			struct meeting_actions actions;

			if (!arena->homes[i].began ||
				meeting_wakeup(&arena->homes[i].meeting) > arena->now)
				continue;
			meeting_step(&arena->homes[i].meeting, arena->now, &actions);
			perform(arena, i, &actions);
		}
	}
	arena->now = until;
}

static void prepare(struct arena *arena)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {3};

	memset(arena, 0, sizeof *arena);
	arena->now = USEC_MINUTE;
	prng_init(&arena->chance, seed);
}

/* One attempt: home 0 offers. Whether both found a way. */
static bool meet(
	struct arena *arena, enum home_type offerer, enum home_type answerer, uint8_t attempt)
{
	uint32_t loss = arena->loss;
	struct prng chance = arena->chance;

	prepare(arena);
	arena->loss = loss;
	if (loss)
		arena->chance = chance;
	make_home(arena, 0, offerer);
	make_home(arena, 1, answerer);
	begin(arena, 1, false, attempt);
	run(arena, arena->now + HUB_DELAY);
	begin(arena, 0, true, attempt);
	run(arena, arena->now + 30 * USEC_SECOND);
	for (int i = 0; i < 2; i++) {
		router_free(arena->homes[i].router);
		arena->homes[i].router = NULL;
	}
	return arena->homes[0].found && arena->homes[1].found;
}

TEST(every_pair_that_can_meet_does_at_the_first_attempt_whoever_offers)
{
	struct arena arena = {.loss = 0};
	int wrong = 0;

	(void)state;
	for (int a = 0; a < TYPES; a++) {
		for (int b = 0; b < TYPES; b++) {
			bool met = meet(&arena, (enum home_type)a, (enum home_type)b, 0);

			if (met == meets[a][b])
				continue;
			print_message("%s offers, %s answers: %s\n", home_name(a), home_name(b),
				met ? "meet" : "do not meet");
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* What failed is tried in another way: another reach of what opens, and the other end's whole
 * packets first. */
TEST(each_attempt_goes_about_it_in_another_way)
{
	uint8_t ttl = 0;
	bool offerer_first = false;

	(void)state;
	for (uint8_t attempt = 0; attempt <= 12; attempt++) {
		struct meeting_options options = {.hub_rtt = 2 * HUB_DELAY, .attempt = attempt};
		struct meeting answerer;
		struct meeting offerer;
		bool first;

		meeting_begin(&answerer, 0, &options);
		options.offerer = true;
		meeting_begin(&offerer, HUB_DELAY, &options);
		first = offerer.wholes_from < answerer.wholes_from;
		assert_int_equal(offerer.opener_ttl, answerer.opener_ttl);
		assert_in_range(offerer.opener_ttl, 2, 8);
		if (attempt > 0) {
			assert_int_not_equal(first, offerer_first);
			assert_true(attempt % 2 == 1 || offerer.opener_ttl != ttl);
		}
		ttl = offerer.opener_ttl;
		offerer_first = first;
	}
}

TEST(none_sends_a_stranger_more_than_twenty_datagrams)
{
	struct arena arena = {.loss = 0};

	(void)state;
	for (uint8_t attempt = 0; attempt < 6; attempt++) {
		for (int a = 0; a < TYPES; a++) {
			for (int b = 0; b < TYPES; b++) {
				(void)meet(&arena, (enum home_type)a, (enum home_type)b, attempt);
				assert_true(
					arena.homes[0].sent_to_strangers <= MEETING_DATAGRAMS_MAX);
				assert_true(
					arena.homes[1].sent_to_strangers <= MEETING_DATAGRAMS_MAX);
			}
		}
	}
}

/* The offerer has it after one way there and one back; the answerer as soon as it was answered. */
TEST(two_homes_find_the_way_within_two_round_trips)
{
	struct arena arena = {.loss = 0};
	usec_t begun;

	(void)state;
	assert_true(meet(&arena, HOME, HOME, 0));
	begun = arena.homes[0].meeting.begun_at;
	assert_true(arena.homes[0].found_at - begun <= 2 * DELAY + 20 * USEC_MSEC);
	assert_true(arena.homes[1].found_at - begun <= 4 * DELAY + 20 * USEC_MSEC);
}

/* Who answers has opened everywhere before its answer is there; who asked follows, one by one. */
TEST(the_answerer_opens_everywhere_at_once)
{
	struct meeting_options options = {.hub_rtt = 2 * HUB_DELAY, .count = 3};
	struct meeting_actions out;
	struct meeting meeting;

	(void)state;
	for (uint32_t i = 0; i < options.count; i++)
		options.places[i] = (struct meeting_place_offered){
			{address_ipv4(0xcb007102u + i), 41000}, true};
	for (int offerer = 0; offerer <= 1; offerer++) {
		options.offerer = offerer == 1;
		meeting_begin(&meeting, USEC_SECOND, &options);
		meeting_step(&meeting, USEC_SECOND, &out);
		assert_int_equal(out.count, offerer ? 1 : options.count);
		for (uint32_t i = 0; i < out.count; i++)
			assert_int_not_equal(out.items[i].ttl, 0);
		meeting_end(&meeting);
	}
}

/* Nobody looked at it for long, and there are places left that were to be tried. */
TEST(one_that_is_over_is_not_due_again_and_again)
{
	struct meeting_actions actions;
	struct arena arena;

	(void)state;
	prepare(&arena);
	make_home(&arena, 0, HOME);
	make_home(&arena, 1, SEQUENTIAL);
	begin(&arena, 1, false, 0);
	begin(&arena, 0, true, 0);
	while (!arena.homes[0].found) {
		run(&arena, arena.now + USEC_MSEC);
		assert_true(arena.now < 2 * USEC_MINUTE);
	}
	assert_true(meeting_wakeup(&arena.homes[0].meeting) < USEC_NEVER);
	arena.now += USEC_HOUR;
	meeting_step(&arena.homes[0].meeting, arena.now, &actions);
	assert_int_equal(actions.count, 0);
	assert_int_equal(meeting_wakeup(&arena.homes[0].meeting), USEC_NEVER);
	for (int i = 0; i < 2; i++)
		router_free(arena.homes[i].router);
}

TEST(loss_delays_a_meeting_and_seldom_prevents_it)
{
	struct arena arena;
	int met = 0;

	(void)state;
	prepare(&arena);
	for (int i = 0; i < 200; i++) {
		arena.loss = 20;
		met += meet(&arena, HOME, HOME, 0);
	}
	assert_true(met >= 190);
}

/* Homes that nothing comes from: a site alone, and what it does. */
static void be_alone(struct arena *arena, bool vouched, uint32_t places)
{
	struct meeting_options options = {
		.hub_rtt = 2 * HUB_DELAY, .probe = {{1}}, .count = places};

	prepare(arena);
	make_home(arena, 0, HOME);
	for (uint32_t i = 0; i < places; i++) {
		options.places[i].endpoint = (struct endpoint){
			address_ipv4(0xcb007163u), (uint16_t)(50000 + i)};
		options.places[i].vouched = vouched;
	}
	meeting_begin(&arena->homes[0].meeting, arena->now, &options);
	arena->homes[0].began = true;
	run(arena, arena->now + USEC_MINUTE);
	router_free(arena->homes[0].router);
}

TEST(an_address_that_never_answers_gets_twenty_datagrams_however_many_places_are_there)
{
	struct arena arena;

	(void)state;
	be_alone(&arena, true, MEETING_OFFERED_MAX);
	assert_int_equal(arena.datagrams, MEETING_DATAGRAMS_MAX);
	assert_true(arena.homes[0].meeting.held_back > 0);
	assert_int_equal(arena.homes[0].meeting.state, MEETING_FAILED);
	assert_int_equal(meeting_wakeup(&arena.homes[0].meeting), USEC_NEVER);
}

TEST(an_address_that_nobody_vouches_for_gets_three_however_many_places_are_there)
{
	struct arena arena;

	(void)state;
	be_alone(&arena, false, 1);
	assert_int_equal(arena.datagrams, MEETING_UNVOUCHED_MAX);
	be_alone(&arena, false, MEETING_OFFERED_MAX);
	assert_int_equal(arena.datagrams, MEETING_UNVOUCHED_MAX);
}

TEST(what_somebody_else_sends_is_answered_by_nothing_and_changes_nothing)
{
	static const struct key other = {{9}};
	const struct endpoint eve = {address_ipv4(0xcb0071aau), 1234};
	struct meeting_options options = {.probe = {{1}}, .hub_rtt = 2 * HUB_DELAY};
	struct meeting_actions actions;
	struct meeting meeting;
	struct meeting before;
	struct seal theirs;
	uint8_t bytes[SEAL_DATAGRAM_MAX] = {0};
	size_t size;

	(void)state;
	meeting_begin(&meeting, USEC_SECOND, &options);
	before = meeting;
	for (size_t i = 0; i <= sizeof bytes; i++) {
		assert_int_equal(
			meeting_receive(&meeting, USEC_SECOND, &eve, bytes, i, &actions), -EBADMSG);
		assert_int_equal(actions.count, 0);
	}
	seal_init(&theirs, "collective meeting", &other, true);
	theirs.id = meeting.seal.id;
	size = seal_write(&theirs, bytes, MEETING_BODY, bytes);
	assert_int_equal(
		meeting_receive(&meeting, USEC_SECOND, &eve, bytes, size, &actions), -EBADMSG);
	assert_memory_equal(&meeting, &before, sizeof meeting);
}

TEST(a_datagram_that_comes_twice_is_answered_once)
{
	const struct endpoint from = {address_ipv4(0xcb0071aau), 1234};
	struct meeting_options options = {.probe = {{1}}, .hub_rtt = 2 * HUB_DELAY};
	struct meeting_actions actions;
	struct meeting anns;
	struct meeting bobs;
	struct meeting_action probe;

	(void)state;
	meeting_begin(&bobs, USEC_SECOND, &options);
	options.offerer = true;
	options.count = 1;
	options.places[0].endpoint = from;
	options.places[0].vouched = true;
	meeting_begin(&anns, USEC_SECOND, &options);
	meeting_step(&anns, USEC_SECOND, &actions);
	assert_int_equal(actions.items[0].kind, MEETING_SEND);
	probe = actions.items[0];
	assert_int_equal(
		meeting_receive(&bobs, USEC_SECOND, &from, probe.bytes, probe.size, &actions), 0);
	assert_int_equal(actions.count, 1);
	assert_true(actions.items[0].size <= probe.size);
	/* From anywhere: nobody makes us send elsewhere by what he saw on the way. */
	assert_int_equal(
		meeting_receive(&bobs, USEC_SECOND, &from, probe.bytes, probe.size, &actions),
		-EALREADY);
	assert_int_equal(actions.count, 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(every_pair_that_can_meet_does_at_the_first_attempt_whoever_offers),
		CASE(each_attempt_goes_about_it_in_another_way),
		CASE(none_sends_a_stranger_more_than_twenty_datagrams),
		CASE(two_homes_find_the_way_within_two_round_trips),
		CASE(the_answerer_opens_everywhere_at_once),
		CASE(one_that_is_over_is_not_due_again_and_again),
		CASE(loss_delays_a_meeting_and_seldom_prevents_it),
		CASE(an_address_that_never_answers_gets_twenty_datagrams_however_many_places_are_there),
		CASE(an_address_that_nobody_vouches_for_gets_three_however_many_places_are_there),
		CASE(what_somebody_else_sends_is_answered_by_nothing_and_changes_nothing),
		CASE(a_datagram_that_comes_twice_is_answered_once),
	};

	return RUN(cases);
}

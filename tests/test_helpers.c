/* SPDX-License-Identifier: MIT */
/*
 * test_helpers.c - what members do for each other's links where the hub is silent: they pass offers
 * on, and are called where they were met before. Whole sites in the simulator's world.
 */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "gossip/envelope.h"
#include "site/links_internal.h"
#include "tests/gamers.h"

/* A hub, and three gamers. */
static struct world *make_world(
	enum home_type a, enum home_type b, enum home_type c, enum site_when when)
{
	const enum home_type types[3] = {a, b, c};

	return gamers_found(types, 3, when, 7);
}

/* Under traffic, how long until they are, or are no more; -1: not in that time. */
static usec_t time_until(struct world *world, uint32_t a, uint32_t b, bool direct, usec_t within)
{
	usec_t from = world->now;

	while (world->now - from < within) {
		if (gamers_are_direct(world, a, b) == direct)
			return world->now - from;
		host_ping(&world->hosts[a], &world->hosts[b]);
		host_ping(&world->hosts[b], &world->hosts[a]);
		gamers_run(world, 10 * USEC_MSEC);
	}
	return -1;
}

/* Three that are linked, and the hub is gone for so long. */
static struct world *alone(enum home_type third, usec_t span)
{
	struct world *world = make_world(HOME, HOME, third, SITE_WHEN_ALWAYS);

	gamers_power(world);
	gamers_run(world, 8 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_true(gamers_are_direct(world, 1, 3));
	assert_true(gamers_are_direct(world, 2, 3));
	host_power(&world->hosts[0], false);
	gamers_run(world, span);
	assert_true(gamers_are_direct(world, 1, 2));
	return world;
}

static void assert_meets_again(struct world *world)
{
	gamers_run(world, USEC_SECOND);
	world_renumber(world, 1);
	assert_in_range(time_until(world, 1, 2, false, 5 * USEC_SECOND), 1, 3 * USEC_SECOND);
	if (time_until(world, 1, 2, true, 5 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	gamers_run(world, USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_true(gamers_are_direct(world, 1, 3));
	world_free(world);
}

TEST(two_homes_meet_again_without_the_hub_where_a_third_one_knows_both)
{
	(void)state;
	assert_meets_again(alone(PUBLIC, USEC_SECOND));
	assert_meets_again(alone(CONE, USEC_SECOND));
}

/* The receipts of the hub are too old, and everybody knows that it is down. */
TEST(they_do_so_when_the_hub_has_been_gone_for_long)
{
	(void)state;
	assert_meets_again(alone(PUBLIC, 10 * USEC_MINUTE));
}

TEST(two_that_never_met_do_so_without_the_hub)
{
	struct world *world = make_world(HOME, HOME, PUBLIC, SITE_WHEN_ALWAYS);

	(void)state;
	gamers_power(world);
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 8 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 3));
	assert_true(gamers_are_direct(world, 2, 3));
	assert_false(gamers_are_direct(world, 1, 2));
	host_power(&world->hosts[0], false);
	gamers_run(world, 4 * USEC_MINUTE);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	if (time_until(world, 1, 2, true, 20 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	world_free(world);
}

/* Who cannot be met any more says so, and harms nobody. */
TEST(without_a_third_one_they_stay_apart_until_the_hub_is_back)
{
	struct world *world = alone(HOME, USEC_SECOND);

	(void)state;
	world_renumber(world, 1);
	assert_true(time_until(world, 1, 2, false, 5 * USEC_SECOND) > 0);
	assert_int_equal(time_until(world, 1, 2, true, 5 * USEC_MINUTE), -1);
	assert_true(gamers_are_direct(world, 2, 3));
	host_power(&world->hosts[0], true);
	if (time_until(world, 1, 2, true, 90 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	world_free(world);
}

/* What is remembered. */

static void restart(struct world *world, uint32_t number)
{
	host_power(&world->hosts[number], false);
	gamers_run(world, USEC_SECOND);
	host_power(&world->hosts[number], true);
}

TEST(a_site_that_begins_anew_without_the_hub_calls_whom_it_met)
{
	struct world *world = alone(PUBLIC, 3 * USEC_MINUTE);

	(void)state;
	restart(world, 1);
	if (time_until(world, 1, 3, true, 15 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 3), gamers_why(world, 3, 1));
	/* And is helped to the others by those. */
	if (time_until(world, 1, 2, true, 15 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	/* Everybody at once. */
	restart(world, 1);
	restart(world, 2);
	restart(world, 3);
	if (time_until(world, 1, 3, true, 60 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 3), gamers_why(world, 3, 1));
	if (time_until(world, 1, 2, true, 60 * USEC_SECOND) < 0)
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	/* With the hub back all is as ever. */
	host_power(&world->hosts[0], true);
	gamers_run(world, USEC_MINUTE);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_true(gamers_are_direct(world, 1, 3));
	assert_true(gamers_are_direct(world, 2, 3));
	world_free(world);
}

/* Who was expelled, and knows it, is not called again; nor is one whose link was ended. */
TEST(what_is_over_is_not_remembered)
{
	struct world *world = alone(PUBLIC, USEC_SECOND);

	(void)state;
	assert_true(site_link_of(world->hosts[1].site, &world->hosts[2].id)->memory.kept);
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 10 * USEC_SECOND);
	assert_false(site_link_of(world->hosts[1].site, &world->hosts[2].id)->memory.kept);
	restart(world, 1);
	gamers_run(world, 5 * USEC_SECOND);
	assert_false(site_link_of(world->hosts[1].site, &world->hosts[2].id)->memory.kept);
	assert_true(site_link_of(world->hosts[1].site, &world->hosts[3].id)->memory.kept);
	world_free(world);
}

/* Nobody is called blindly while the hub is there. */
TEST(with_the_hub_nobody_is_called_where_it_was)
{
	struct world *world = make_world(HOME, HOME, PUBLIC, SITE_WHEN_ALWAYS);
	uint32_t seconds = 0;

	(void)state;
	gamers_power(world);
	gamers_run(world, 8 * USEC_SECOND);
	host_power(&world->hosts[3], false);
	gamers_run(world, USEC_MINUTE);
	restart(world, 1);
	for (uint32_t i = 0; i < 120; i++) {
		const struct site_link *link;

		gamers_run(world, USEC_SECOND);
		link = site_link_of(world->hosts[1].site, &world->hosts[3].id);
		seconds += link->reason == LINK_RECALLING;
	}
	assert_int_equal(seconds, 0);
	world_free(world);
}

/* Passing on. */

static void bring(struct world *world, uint32_t to, uint32_t from, enum site_interface interface,
	const void *bytes, size_t size)
{
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};

	event.datagram.interface = interface;
	event.datagram.from = (struct endpoint){world->hosts[from].overlay, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = size;
	host_event(&world->hosts[to], &event);
}

static size_t enclose(const struct world *world, uint8_t out[static ENVELOPE_SIZE_MAX],
	enum envelope_type type, uint32_t about, const void *bytes, size_t size)
{
	struct wire_writer writer;

	envelope_begin(&writer, out, ENVELOPE_SIZE_MAX, type, ENVELOPE_HEAD + 2,
		&site_ledger(world->hosts[1].site)->collective, 0);
	wire_write_bin(&writer, world->hosts[about].id.bytes, ROW_ID_SIZE);
	wire_write_bin(&writer, bytes, size);
	return writer.length;
}

static uint64_t own_tx(struct world *world, uint32_t from, uint32_t to)
{
	return site_link_of(world->hosts[from].site, &world->hosts[to].id)->peer.own_tx;
}

/* Site 3 is asked by site 1 to pass something on to site 2. Returns whether it did. */
static bool is_passed_on(struct world *world, enum site_interface interface, uint32_t about,
	const void *bytes, size_t size)
{
	uint8_t message[ENVELOPE_SIZE_MAX];
	size_t length = enclose(world, message, ENVELOPE_PASS, about, bytes, size);
	uint64_t before = own_tx(world, 3, 2) + own_tx(world, 3, 1);

	bring(world, 3, 1, interface, message, length);
	return own_tx(world, 3, 2) + own_tx(world, 3, 1) >= before + size;
}

TEST(only_offers_are_passed_on_and_only_a_few_and_over_links)
{
	struct world *world = alone(PUBLIC, USEC_SECOND);
	uint8_t offer[1000] = {0};
	struct wire_writer writer;
	uint32_t passed = 0;

	(void)state;
	envelope_begin(&writer, offer, sizeof offer, ENVELOPE_OFFER, ENVELOPE_HEAD + 1,
		&site_ledger(world->hosts[1].site)->collective, 0);
	assert_true(is_passed_on(world, SITE_LINKS, 2, offer, sizeof offer));
	assert_false(is_passed_on(world, SITE_BACKBONE, 2, offer, sizeof offer));
	/* Nor back to where it came from, to the hub, or to itself. */
	assert_false(is_passed_on(world, SITE_LINKS, 1, offer, sizeof offer));
	assert_false(is_passed_on(world, SITE_LINKS, 0, offer, sizeof offer));
	assert_false(is_passed_on(world, SITE_LINKS, 3, offer, sizeof offer));
	envelope_begin(&writer, offer, sizeof offer, ENVELOPE_PASS, ENVELOPE_HEAD + 1,
		&site_ledger(world->hosts[1].site)->collective, 0);
	assert_false(is_passed_on(world, SITE_LINKS, 2, offer, sizeof offer));
	envelope_begin(&writer, offer, sizeof offer, ENVELOPE_ANSWER, ENVELOPE_HEAD + 1,
		&site_ledger(world->hosts[1].site)->collective, 0);
	for (int i = 0; i < 100; i++)
		passed += is_passed_on(world, SITE_LINKS, 2, offer, sizeof offer);
	assert_in_range(passed, 10, 20);
	world_free(world);
}

/* What is said to come from somebody is his only if he has signed it. */
TEST(who_passes_on_cannot_speak_for_others)
{
	struct world *world = alone(PUBLIC, USEC_SECOND);
	uint8_t message[ENVELOPE_SIZE_MAX];
	uint8_t offer[200] = {0};
	struct wire_writer writer;
	uint64_t refused = world->hosts[2].site->counters[SITE_COUNT_OFFER_BAD];
	size_t size;

	(void)state;
	envelope_begin(&writer, offer, sizeof offer, ENVELOPE_OFFER, ENVELOPE_HEAD + 1,
		&site_ledger(world->hosts[1].site)->collective, 0);
	size = enclose(world, message, ENVELOPE_PASSED, 1, offer, sizeof offer);
	bring(world, 2, 3, SITE_LINKS, message, size);
	assert_int_equal(world->hosts[2].site->counters[SITE_COUNT_OFFER_BAD], refused + 1);
	/* Cut short, or of nobody. */
	for (size_t i = 0; i < size; i++)
		bring(world, 2, 3, SITE_LINKS, message, i);
	gamers_run(world, USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(two_homes_meet_again_without_the_hub_where_a_third_one_knows_both),
		CASE(they_do_so_when_the_hub_has_been_gone_for_long),
		CASE(two_that_never_met_do_so_without_the_hub),
		CASE(without_a_third_one_they_stay_apart_until_the_hub_is_back),
		CASE(a_site_that_begins_anew_without_the_hub_calls_whom_it_met),
		CASE(what_is_over_is_not_remembered),
		CASE(with_the_hub_nobody_is_called_where_it_was),
		CASE(only_offers_are_passed_on_and_only_a_few_and_over_links),
		CASE(who_passes_on_cannot_speak_for_others),
	};

	return RUN(cases);
}

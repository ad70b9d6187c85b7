/* SPDX-License-Identifier: MIT */
/*
 * test_links.c - direct links between whole sites, in the simulator's world: real offers, models of
 * routers and of WireGuard.
 */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/envelope.h"
#include "site/links_internal.h"
#include "tests/gamers.h"

/* A hub and two sites, 10 ms from the middle of the internet each. */
static struct world *make_world(
	enum home_type a, enum home_type b, enum site_when when, uint64_t seed)
{
	const enum home_type types[2] = {a, b};
	struct world *world = gamers_found(types, 2, when, seed);

	gamers_power(world);
	return world;
}

TEST(two_homes_meet_by_themselves)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 1);

	(void)state;
	world_run(world, 5 * USEC_SECOND);
	if (!gamers_are_direct(world, 1, 2))
		fail_msg("%s", gamers_why(world, 1, 2));
	assert_int_equal(site_link_of(world->hosts[1].site, &world->hosts[2].id)->attempts, 1);
	assert_int_equal(site_link_of(world->hosts[2].site, &world->hosts[1].id)->attempts, 1);
	world_free(world);
}

/* Who can meet, by what routers do; of pairs that cannot both are told why. */
static bool can_meet(enum home_type a, enum home_type b)
{
	bool hard_a = a == SYMMETRIC;
	bool hard_b = b == SYMMETRIC;

	if (hard_a && hard_b)
		return false;
	if (hard_a)
		return b == PUBLIC || b == CONE || b == RESTRICTED;
	if (hard_b)
		return a == PUBLIC || a == CONE || a == RESTRICTED;
	return true;
}

TEST(pairs_meet_where_their_routers_allow_it)
{
	(void)state;
	for (enum home_type a = PUBLIC; a < CARRIER; a++) {
		for (enum home_type b = PUBLIC; b < CARRIER; b++) {
			struct world *world = make_world(a, b, SITE_WHEN_ALWAYS, 2);

			world_run(world, 5 * USEC_SECOND);
			if (gamers_are_direct(world, 1, 2) != can_meet(a, b))
				fail_msg("%s and %s: %s / %s", home_name(a), home_name(b),
					gamers_why(world, 1, 2), gamers_why(world, 2, 1));
			world_free(world);
		}
	}
}

/* Life. */

static struct world *linked(uint64_t seed)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, seed);

	world_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	return world;
}

/* Both ping each other every 10 ms. Returns how many got no answer; the last ones have time. */
static uint32_t lost_of(struct world *world, usec_t span)
{
	struct host *a = &world->hosts[1];
	struct host *b = &world->hosts[2];
	uint32_t before = a->pings_sent - a->pings_answered + b->pings_sent - b->pings_answered;

	for (usec_t passed = 0; passed < span; passed += 10 * USEC_MSEC) {
		host_ping(a, b);
		host_ping(b, a);
		gamers_run(world, 10 * USEC_MSEC);
	}
	gamers_run(world, USEC_SECOND);
	return a->pings_sent - a->pings_answered + b->pings_sent - b->pings_answered - before;
}

static const struct site_link *link_of(const struct world *world, uint32_t from, uint32_t to)
{
	return site_link_of(world->hosts[from].site, &world->hosts[to].id);
}

static uint32_t links_peers(const struct world *world, uint32_t number)
{
	return wireguard_peer_count(world->hosts[number].links);
}

TEST(one_end_calls_and_the_other_waits_to_be_called)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world *world = linked(seed);

		assert_int_equal(
			link_of(world, 1, 2)->initiates + link_of(world, 2, 1)->initiates, 1);
		assert_int_equal(link_of(world, 1, 2)->calls + link_of(world, 2, 1)->calls, 1);
		world_free(world);
	}
}

TEST(the_first_packet_goes_at_once_by_the_hub)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_TRAFFIC, 3);

	(void)state;
	gamers_run(world, 20 * USEC_SECOND);
	assert_false(gamers_are_direct(world, 1, 2));
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

TEST(a_link_that_no_traffic_wants_any_more_goes_without_loss)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_TRAFFIC, 3);

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	assert_true(gamers_are_direct(world, 1, 2));
	gamers_run(world, LINK_TRAFFIC_LASTS + 10 * USEC_SECOND);
	assert_false(gamers_are_direct(world, 1, 2));
	assert_int_equal(links_peers(world, 1), 0);
	assert_int_equal(links_peers(world, 2), 0);
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	world_free(world);
}

TEST(a_planned_end_and_a_new_beginning_lose_nothing)
{
	struct world *world = linked(4);

	(void)state;
	assert_int_equal(lost_of(world, USEC_SECOND), 0);
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	assert_int_equal(lost_of(world, 5 * USEC_SECOND), 0);
	assert_false(host_is_direct(&world->hosts[1], &world->hosts[2]));
	assert_false(host_is_direct(&world->hosts[2], &world->hosts[1]));
	assert_int_equal(links_peers(world, 1) + links_peers(world, 2), 0);
	assert_non_null(strstr(gamers_why(world, 1, 2), "said \"unlink\""));
	gamers_run(world, USEC_MINUTE);
	assert_non_null(strstr(gamers_why(world, 2, 1), "its configuration allows no direct link"));
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	assert_int_equal(lost_of(world, 5 * USEC_SECOND), 0);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* What was there before the end is no way any more, though it is there still. */
TEST(what_was_ended_does_not_come_back_where_the_other_end_refuses)
{
	struct world *world = linked(6);

	(void)state;
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 60 * USEC_MSEC);
	gamers_say(world, 2, SITE_COMMAND_UNLINK, 1, 0);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	assert_int_equal(lost_of(world, 5 * USEC_SECOND), 0);
	assert_false(host_is_direct(&world->hosts[1], &world->hosts[2]));
	assert_int_equal(links_peers(world, 1) + links_peers(world, 2), 0);
	world_free(world);
}

/* An admin took something from it: it agrees to the end, and goes on as before. */
TEST(who_keeps_its_end_of_what_was_ended_gets_no_way_back)
{
	struct world *world = linked(7);
	struct site *site = world->hosts[1].site;
	struct site_link *link = site_link_of(site, &world->hosts[2].id);
	struct site_link *kept = site_link_of(world->hosts[2].site, &world->hosts[1].id);

	(void)state;
	link->peer.certificate.bytes[0] ^= 1;
	site->links_generation--;
	while (kept->stage != LINK_LEAVES) {
		gamers_run(world, USEC_MSEC);
		assert_true(world->now < USEC_HOUR);
	}
	kept->until = USEC_NEVER / 4;
	kept->their_clock = UINT64_MAX;
	for (uint32_t second = 0; second < 600; second++) {
		(void)lost_of(world, USEC_SECOND);
		assert_false(host_is_direct(&world->hosts[1], &world->hosts[2]));
		assert_true(second < 10 || links_peers(world, 1) == 0);
	}
	world_free(world);
}

TEST(what_the_owner_said_outlives_a_restart)
{
	struct world *world = linked(5);

	(void)state;
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	host_run(&world->hosts[1], false);
	host_run(&world->hosts[1], true);
	gamers_run(world, USEC_MINUTE);
	assert_false(gamers_are_direct(world, 1, 2));
	assert_non_null(strstr(gamers_why(world, 1, 2), "said \"unlink\""));
	world_free(world);
}

TEST(a_link_is_asked_for_and_ends_by_itself)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 6);

	(void)state;
	gamers_run(world, USEC_MINUTE);
	assert_false(gamers_are_direct(world, 1, 2));
	assert_non_null(strstr(gamers_why(world, 1, 2), "nobody asked"));
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 120000);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	gamers_run(world, 100 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_int_equal(lost_of(world, 30 * USEC_SECOND), 0);
	assert_false(gamers_are_direct(world, 1, 2));
	assert_int_equal(links_peers(world, 1) + links_peers(world, 2), 0);
	world_free(world);
}

/* Both begin it anew under traffic, however soon the owner changes his mind, and nothing is lost:
 * what was on its way when it ended has a second to arrive. */
TEST(a_link_that_was_ended_is_there_again_as_soon_as_it_is_asked_for)
{
	(void)state;
	for (usec_t pause = 0; pause <= 2 * USEC_SECOND; pause += 37 * USEC_MSEC) {
		struct world *world = linked(6);
		usec_t from;

		(void)lost_of(world, USEC_SECOND);
		gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
		gamers_run(world, pause);
		gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
		from = world->now;
		gamers_run(world, 50 * USEC_MSEC);
		while (!gamers_are_direct(world, 1, 2) && world->now - from < 5 * USEC_SECOND) {
			host_ping(&world->hosts[1], &world->hosts[2]);
			host_ping(&world->hosts[2], &world->hosts[1]);
			gamers_run(world, 10 * USEC_MSEC);
		}
		/* Both round trips by the hub, that of the end and that of the offer, too. */
		assert_in_range(world->now - from, 0, 1500 * USEC_MSEC);
		gamers_run(world, USEC_SECOND);
		assert_int_equal(lost_of(world, USEC_SECOND), 0);
		world_free(world);
	}
}

TEST(what_is_on_its_way_when_a_link_ends_has_a_second_to_arrive)
{
	struct world *world = linked(6);
	usec_t ended;

	(void)state;
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	while (link_of(world, 1, 2)->direct || link_of(world, 2, 1)->direct) {
		gamers_run(world, USEC_MSEC);
		assert_true(world->now < USEC_MINUTE);
	}
	for (ended = world->now; world->now < ended + USEC_SECOND;) {
		/* The peer is there as it was, with the session of these packets. */
		assert_int_equal(link_of(world, 1, 2)->stage, LINK_LEAVES);
		assert_int_equal(link_of(world, 2, 1)->stage, LINK_LEAVES);
		gamers_run(world, 10 * USEC_MSEC);
	}
	world_free(world);
}

TEST(one_who_wants_it_still_keeps_it)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 7);

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 60000);
	gamers_say(world, 2, SITE_COMMAND_LINK, 1, 0);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	gamers_run(world, 2 * USEC_MINUTE);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* Nothing passes between the two homes; the hub reaches both. */
static void wall(struct world *world, bool up)
{
	world_wall(world, 1, 2, up);
	world_wall(world, 2, 1, up);
}

TEST(a_dead_path_is_left_within_the_bound_and_comes_back)
{
	struct world *world = linked(8);
	uint32_t lost;

	(void)state;
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	wall(world, true);
	lost = lost_of(world, 5 * USEC_SECOND);
	/* 4 x 250 ms, the wait for the last answer, and the way of the first packet: both ends. */
	assert_in_range(lost, 2 * 60, 2 * 135);
	assert_false(gamers_are_direct(world, 1, 2));
	wall(world, false);
	assert_int_equal(lost_of(world, 60 * USEC_SECOND), 0);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* One end finds it dead; the other one, which does nothing at all, hears of it. */
TEST(the_other_end_is_told_that_the_path_is_dead)
{
	struct world *world = linked(8);
	usec_t until;

	(void)state;
	gamers_run(world, 2 * USEC_MINUTE);
	assert_true(gamers_are_direct(world, 1, 2));
	wall(world, true);
	until = world->now + 5 * USEC_SECOND;
	while (world->now < until && host_is_direct(&world->hosts[1], &world->hosts[2])) {
		host_ping(&world->hosts[1], &world->hosts[2]);
		gamers_run(world, 10 * USEC_MSEC);
	}
	assert_false(host_is_direct(&world->hosts[1], &world->hosts[2]));
	gamers_run(world, 2 * USEC_SECOND);
	assert_false(host_is_direct(&world->hosts[2], &world->hosts[1]));
	world_free(world);
}

/* What it waits for is said; also while nobody looks at the way. */
TEST(a_way_that_has_come_and_gone_six_times_is_left_alone_and_why_says_so)
{
	struct world *world = linked(8);

	(void)state;
	for (int i = 0; i < 6; i++) {
		wall(world, true);
		(void)lost_of(world, 3 * USEC_SECOND);
		assert_null(strstr(gamers_why(world, 1, 2), "six times"));
		wall(world, false);
		(void)lost_of(world, 10 * USEC_SECOND);
		assert_int_equal(gamers_are_direct(world, 1, 2), i < 5);
	}
	assert_non_null(strstr(gamers_why(world, 1, 2), "six times"));
	assert_non_null(strstr(gamers_why(world, 1, 2), "It is taken again within 10 min."));
	gamers_run(world, 5 * USEC_MINUTE);
	assert_non_null(strstr(gamers_why(world, 1, 2), "It is taken again within 5 min."));
	gamers_run(world, 5 * USEC_MINUTE);
	(void)lost_of(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

TEST(a_router_that_gets_another_address_is_met_again_within_five_seconds)
{
	struct world *world = linked(9);
	uint32_t lost;

	(void)state;
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	world_renumber(world, 1);
	lost = lost_of(world, 5 * USEC_SECOND);
	assert_in_range(lost, 1, 2 * 300);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_int_equal(lost_of(world, 3 * USEC_SECOND), 0);
	world_free(world);
}

TEST(a_link_lives_on_without_the_hub_and_gossip_goes_over_it)
{
	struct world *world = linked(10);
	struct site_command command = {.kind = SITE_COMMAND_ENDPOINTS,
		.request = 9,
		.endpoint_count = 1,
		.endpoints = {{.host = "192.0.2.9", .port = 999}}};
	const struct member *member;
	struct record record;

	(void)state;
	host_power(&world->hosts[0], false);
	assert_int_equal(lost_of(world, 10 * USEC_SECOND), 0);
	host_command(&world->hosts[1], &command);
	gamers_run(world, 3 * USEC_MINUTE);
	assert_true(gamers_are_direct(world, 1, 2));
	member = ledger_find(site_ledger(world->hosts[2].site), &world->hosts[1].id);
	assert_true(ledger_record(site_ledger(world->hosts[2].site), member, &record));
	assert_int_equal(record.sequence, world->hosts[1].site->author.sequence);
	world_free(world);
}

TEST(an_agent_that_begins_again_is_direct_again)
{
	struct world *world = linked(11);

	(void)state;
	host_run(&world->hosts[1], false);
	gamers_run(world, USEC_SECOND);
	host_run(&world->hosts[1], true);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_int_equal(lost_of(world, USEC_SECOND), 0);
	world_free(world);
}

/* Where WireGuard's packets of the other end come from. */
static struct endpoint called_at(const struct world *world, uint32_t from, uint32_t to)
{
	struct wireguard_statistics seen;

	assert_true(wireguard_peer(
		world->hosts[from].links, &link_of(world, from, to)->peer.key, &seen));
	assert_true(seen.has_endpoint);
	return seen.endpoint;
}

/* Its packets come from there, and no meeting was needed. */
TEST(who_moved_is_remembered_where_it_is_now)
{
	struct world *world = make_world(PUBLIC, HOME, SITE_WHEN_ALWAYS, 19);
	struct endpoint before;
	struct endpoint now;

	(void)state;
	world_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	before = called_at(world, 1, 2);
	assert_true(endpoint_equal(&link_of(world, 1, 2)->memory.place, &before));
	world_renumber(world, 2);
	(void)lost_of(world, 10 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	now = called_at(world, 1, 2);
	assert_false(address_equal(&now.address, &before.address));
	assert_true(endpoint_equal(&link_of(world, 1, 2)->memory.place, &now));
	world_free(world);
}

/* Whoever calls before it was found is direct at once, and then found. */
TEST(who_calls_first_is_remembered_where_it_is)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 20);
	uint32_t waits;
	struct endpoint now;
	struct site_link *link;

	(void)state;
	while (!gamers_are_direct(world, 1, 2))
		world_run(world, world->now + USEC_MSEC);
	waits = link_of(world, 1, 2)->initiates ? 2 : 1;
	link = site_link_of(world->hosts[waits].site, &world->hosts[3 - waits].id);
	/* As if none of the other end's answers had come by then. */
	link->found = (struct endpoint){.port = 0};
	link->memory.kept = false;
	world_run(world, world->now + 10 * USEC_SECOND);
	now = called_at(world, waits, 3 - waits);
	assert_true(link->memory.kept);
	assert_true(endpoint_equal(&link->memory.place, &now));
	world_free(world);
}

/* Without the hub, and away while another one moved: it is called in vain where it was. A third
 * member passes offers on. */
TEST(who_is_not_where_it_was_is_met_by_the_help_of_another)
{
	const enum home_type types[3] = {HOME, HOME, PUBLIC};
	struct world *world = gamers_found(types, 3, SITE_WHEN_ALWAYS, 21);

	(void)state;
	gamers_power(world);
	world_run(world, 10 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	host_power(&world->hosts[0], false);
	world_run(world, USEC_MINUTE);
	host_power(&world->hosts[2], false);
	world_run(world, 2 * USEC_MINUTE);
	world_renumber(world, 1);
	world_run(world, 3 * USEC_MINUTE);
	host_power(&world->hosts[2], true);
	world_run(world, 3 * USEC_MINUTE + 10 * USEC_SECOND);
	if (!gamers_are_direct(world, 1, 2))
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	world_free(world);
}

TEST(keys_change_under_a_link_and_nothing_is_lost)
{
	struct world *world = linked(12);
	struct key before = link_of(world, 2, 1)->peer.key;

	(void)state;
	gamers_say(world, 1, SITE_COMMAND_ROTATE, 1, 0);
	assert_int_equal(lost_of(world, 60 * USEC_SECOND), 0);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_false(key_equal(&before, &link_of(world, 2, 1)->peer.key));
	assert_int_equal(links_peers(world, 1), 1);
	assert_int_equal(links_peers(world, 2), 1);
	world_free(world);
}

TEST(who_is_expelled_loses_its_link_at_once)
{
	struct world *world = linked(13);

	(void)state;
	gamers_say(world, 0, SITE_COMMAND_EXPEL, 1, 0);
	gamers_run(world, 500 * USEC_MSEC);
	assert_int_equal(links_peers(world, 2), 0);
	assert_null(link_of(world, 2, 1));
	assert_false(host_is_direct(&world->hosts[2], &world->hosts[1]));
	world_free(world);
}

/* Time. */

/* From the wish until a packet would go directly, at both ends; both know where they are seen. */
static usec_t time_to_direct(enum home_type a, enum home_type b, usec_t delay, uint64_t seed)
{
	struct world *world = make_world(a, b, SITE_WHEN_ASKED, seed);
	usec_t begun;

	for (uint32_t i = 0; i < 3; i++) {
		world->hosts[i].up.options.delay = delay;
		world->hosts[i].down.options.delay = delay;
	}

	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_NETCHECK, 1, 0);
	gamers_say(world, 2, SITE_COMMAND_NETCHECK, 2, 0);
	gamers_run(world, USEC_SECOND);
	begun = world->now;
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	while (!gamers_are_direct(world, 1, 2) && world->now < begun + 10 * USEC_SECOND)
		gamers_run(world, USEC_MSEC);
	begun = world->now - begun;
	world_free(world);
	return begun;
}

static int by_time(const void *a, const void *b)
{
	const usec_t *left = a;
	const usec_t *right = b;

	return (*left > *right) - (*left < *right);
}

static void assert_soon_direct(enum home_type a, enum home_type b, usec_t delay)
{
	const usec_t hub = 8 * delay;
	const usec_t direct = 4 * delay;
	usec_t times[21];

	for (uint32_t i = 0; i < 21; i++)
		times[i] = time_to_direct(a, b, delay, i + 1);
	qsort(times, 21, sizeof times[0], by_time);
	if (times[10] > hub + 2 * direct + 100 * USEC_MSEC || times[20] > 1500 * USEC_MSEC)
		fail_msg("%s and %s: %ld ms, at worst %ld", home_name(a), home_name(b),
			(long)(times[10] / USEC_MSEC), (long)(times[20] / USEC_MSEC));
}

TEST(both_go_direct_within_a_round_trip_by_the_hub_and_two_direct_ones)
{
	(void)state;
	for (enum home_type a = PUBLIC; a < HOME_TYPES; a++) {
		for (enum home_type b = PUBLIC; b < HOME_TYPES; b++) {
			if (can_meet(a, b))
				assert_soon_direct(a, b, 10 * USEC_MSEC);
		}
	}
	/* Far from each other, too. Beyond, the last round trip takes more than the 100 ms. */
	assert_soon_direct(HOME, HOME, 20 * USEC_MSEC);
	assert_soon_direct(PUBLIC, HOME, 20 * USEC_MSEC);
	assert_soon_direct(SEQUENTIAL, CARRIER, 20 * USEC_MSEC);
}

/* A tenth is lost on every way: offers, answers, openers, probes, handshakes. */
TEST(lossy_lines_make_it_slower_and_do_not_prevent_it)
{
	uint32_t slow = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, seed);
		usec_t begun;

		gamers_run(world, 5 * USEC_SECOND);
		for (uint32_t i = 0; i < world->host_count; i++) {
			world->hosts[i].up.options.loss = 51000;
			world->hosts[i].down.options.loss = 51000;
		}
		begun = world->now;
		gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
		gamers_say(world, 2, SITE_COMMAND_LINK, 1, 0);
		while (!gamers_are_direct(world, 1, 2) && world->now < begun + USEC_MINUTE)
			gamers_run(world, 10 * USEC_MSEC);
		if (!gamers_are_direct(world, 1, 2))
			fail_msg("seed %lu: %s / %s", (unsigned long)seed, gamers_why(world, 1, 2),
				"");
		slow += world->now - begun > 5 * USEC_SECOND;
		world_free(world);
	}
	assert_in_range(slow, 0, 5);
}

/* Failing. */

TEST(what_failed_rests_ever_longer_and_never_more_than_ten_minutes)
{
	struct world *world = make_world(SYMMETRIC, SYMMETRIC, SITE_WHEN_ALWAYS, 14);
	usec_t at[6];
	usec_t before = -1;

	(void)state;
	for (int i = 0; i < 6;) {
		gamers_run(world, 100 * USEC_MSEC);
		if (link_of(world, 1, 2) && link_of(world, 1, 2)->failed_at > before) {
			before = link_of(world, 1, 2)->failed_at;
			at[i++] = before;
		}
		assert_true(world->now < USEC_HOUR);
	}
	assert_in_range(at[1] - at[0], 35 * USEC_SECOND, 50 * USEC_SECOND);
	assert_in_range(at[2] - at[1], 125 * USEC_SECOND, 160 * USEC_SECOND);
	assert_in_range(at[3] - at[2], 300 * USEC_SECOND, 370 * USEC_SECOND);
	assert_in_range(at[4] - at[3], 600 * USEC_SECOND, 610 * USEC_SECOND);
	assert_in_range(at[5] - at[4], 600 * USEC_SECOND, 610 * USEC_SECOND);
	/* Meanwhile nothing is left of it in WireGuard. */
	assert_int_equal(links_peers(world, 1), 0);
	assert_non_null(strstr(gamers_why(world, 1, 2), "Both routers are in the way"));
	world_free(world);
}

/* Its own address has not changed: only the hub can tell it. */
/* As where the router opens a port while it is tried without. */
TEST(what_changes_during_an_attempt_is_tried_at_once)
{
	struct world *world = make_world(SYMMETRIC, HOME, SITE_WHEN_ALWAYS, 9);
	const struct site_link *link;
	usec_t failed;

	(void)state;
	while (!link_of(world, 1, 2) || link_of(world, 1, 2)->stage != LINK_MEETS) {
		gamers_run(world, USEC_MSEC);
		assert_true(world->now < USEC_MINUTE);
	}
	link = link_of(world, 1, 2);
	gamers_run(world, 300 * USEC_MSEC);
	assert_int_equal(link->stage, LINK_MEETS);
	site_links_reset(world->hosts[1].site);
	while (link->failed_at < 0) {
		gamers_run(world, USEC_MSEC);
		assert_true(world->now < USEC_MINUTE);
	}
	failed = link->failed_at;
	gamers_run(world, USEC_SECOND);
	assert_true(link->trial.at >= failed);
	assert_int_equal(link->stage, LINK_MEETS);
	/* And that is all. */
	gamers_run(world, 20 * USEC_SECOND);
	assert_int_equal(link->stage, LINK_RESTS);
	assert_int_equal(link->quiet.failures, 1);
	world_free(world);
}

/* Two whom a wall has kept apart for so long that they rest for ten minutes; it is gone now. */
static struct world *resting(uint64_t seed)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, seed);

	wall(world, true);
	while (link_of(world, 1, 2) == NULL || link_of(world, 1, 2)->quiet.failures < 4)
		gamers_run(world, USEC_SECOND);
	wall(world, false);
	gamers_run(world, 60 * USEC_SECOND);
	assert_false(gamers_are_direct(world, 1, 2));
	return world;
}

TEST(a_new_outside_address_ends_a_long_rest)
{
	struct world *world = resting(23);
	usec_t from;

	(void)state;
	world_renumber(world, 1);
	from = world->now;
	while (!gamers_are_direct(world, 1, 2) && world->now - from < 10 * USEC_MINUTE)
		gamers_run(world, USEC_SECOND);
	assert_in_range(world->now - from, 0, 160 * USEC_SECOND);
	world_free(world);
}

TEST(who_wakes_up_ends_a_long_rest)
{
	for (uint32_t number = 1; number <= 2; number++) {
		struct world *world = resting(23);

		(void)state;
		host_suspend(&world->hosts[number]);
		gamers_run(world, 10 * USEC_SECOND);
		assert_true(gamers_are_direct(world, 1, 2));
		world_free(world);
	}
}

/* Also where the one that begins anew wants no link of itself. */
TEST(an_agent_that_begins_again_ends_a_long_rest)
{
	for (uint32_t number = 1; number <= 2; number++) {
		struct world *world = resting(23);
		struct host *again = &world->hosts[number];

		(void)state;
		host_run(again, false);
		again->options.links.when = SITE_WHEN_ASKED;
		host_run(again, true);
		gamers_run(world, 10 * USEC_SECOND);
		if (!gamers_are_direct(world, 1, 2))
			fail_msg("%s", gamers_why(world, 3 - number, number));
		world_free(world);
	}
}

TEST(one_that_is_away_is_called_rarely_and_at_once_when_it_is_back)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 15);
	uint64_t sent;

	(void)state;
	host_power(&world->hosts[2], false);
	gamers_run(world, 10 * USEC_MINUTE);
	assert_non_null(strstr(gamers_why(world, 1, 2), "does not answer the offer"));
	sent = world->hosts[1].inner_messages;
	gamers_run(world, 10 * USEC_MINUTE);
	/* An offer every five minutes, and a summary every minute. */
	assert_true(world->hosts[1].inner_messages - sent < 30);
	host_power(&world->hosts[2], true);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* Places. */

static bool is_told(const struct world *world, const char *address)
{
	struct site_standing standing;
	struct address wanted;

	assert_int_equal(address_parse(address, strlen(address), &wanted), 0);
	assert_true(site_standing(world->hosts[1].site, &standing));
	for (uint32_t i = 0; i < standing.place_count; i++) {
		if (address_equal(&standing.places[i].endpoint.address, &wanted))
			return true;
	}
	return false;
}

static void tell_places(struct world *world, const char *address, bool containers)
{
	struct host *host = &world->hosts[1];
	struct site_own_address own[2] = {
		{.address = host->local.address}, {.containers = containers}};
	struct site_event event = {.kind = SITE_EVENT_PLACES, .places = {.count = 2, .items = own}};

	assert_int_equal(address_parse(address, strlen(address), &own[1].address), 0);
	event.places.ports[SITE_BACKBONE] = host->local.port;
	event.places.ports[SITE_LINKS] = host->links_local.port;
	host_event(host, &event);
}

TEST(only_places_where_friends_may_find_it_are_told)
{
	static const struct {
		const char *address;
		bool containers;
		bool told;
	} rows[] = {
		{"192.168.77.5", false, true},
		{"172.17.0.1", true, false},  /* a bridge of containers */
		{"10.200.0.7", false, false}, /* isolated */
		{"10.100.2.9", false, false}, /* through the tunnel */
		{"127.0.0.1", false, false},
		{"169.254.3.4", false, false},
		{"2001:470::5", false, true},
		{"fe80::1", false, false},
		{"fd00::5", false, false},
	};
	static const struct prefix isolated = {{ADDRESS_IPV4, {10, 200}}, 16};
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 17);

	(void)state;
	host_run(&world->hosts[1], false);
	world->hosts[1].options.isolated = (struct site_networks){1, &isolated};
	host_run(&world->hosts[1], true);
	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_NETCHECK, 1, 0);
	gamers_run(world, USEC_SECOND);
	assert_true(is_told(world, "11.0.0.2"));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tell_places(world, rows[i].address, rows[i].containers);
		if (is_told(world, rows[i].address) != rows[i].told)
			fail_msg("%s", rows[i].address);
	}
	world_free(world);
}

/* Hostile members. */

static void bring(
	struct world *world, uint32_t to, uint32_t from, const uint8_t *bytes, size_t size)
{
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};

	event.datagram.interface = SITE_BACKBONE;
	event.datagram.from = (struct endpoint){world->hosts[from].overlay, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = size;
	host_event(&world->hosts[to], &event);
}

TEST(an_offer_that_comes_again_is_not_followed_again)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 18);
	struct site_link *asker;
	uint64_t datagrams;
	uint8_t bytes[OFFER_SIZE_MAX];
	uint16_t size;

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	asker = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	while (asker->stage != LINK_OFFERS)
		gamers_run(world, USEC_MSEC);
	size = asker->sent_size;
	memcpy(bytes, asker->sent, size);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, USEC_MINUTE);
	datagrams = world->datagrams;
	for (int i = 0; i < 100; i++)
		bring(world, 2, 1, bytes, size);
	/* Changed in any byte it is no offer at all. */
	for (uint16_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		bring(world, 2, 1, bytes, size);
		bytes[i] ^= 1;
	}
	gamers_run(world, USEC_SECOND);
	assert_int_equal(link_of(world, 2, 1)->stage, LINK_RESTS);
	assert_int_equal(links_peers(world, 2), 0);
	assert_true(world->datagrams - datagrams < 20);
	world_free(world);
}

/* Whoever kept it says it to an agent that has begun since, and knows of none. */
TEST(an_offer_from_before_it_began_is_not_followed)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 18);
	const struct site_link *asker;
	const struct site_link *asked;
	uint8_t bytes[OFFER_SIZE_MAX];
	uint16_t size;

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	asker = link_of(world, 1, 2);
	while (asker->stage != LINK_OFFERS)
		gamers_run(world, USEC_MSEC);
	size = asker->sent_size;
	memcpy(bytes, asker->sent, size);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 20 * USEC_SECOND);
	host_power(&world->hosts[2], false);
	host_power(&world->hosts[2], true);
	gamers_run(world, 5 * USEC_SECOND);
	bring(world, 2, 1, bytes, size);
	gamers_run(world, USEC_SECOND);
	asked = link_of(world, 2, 1);
	assert_non_null(asked);
	assert_int_equal(asked->stage, LINK_RESTS);
	assert_int_equal(asked->attempts, 0);
	assert_int_equal(links_peers(world, 2), 0);
	/* What is new is. */
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	assert_int_equal(asked->attempts, 1);
	world_free(world);
}

/* Nor where it was forgotten, since others took the place of its row. */
TEST(an_offer_that_was_forgotten_is_not_followed)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 18);
	struct site *site = world->hosts[2].site;
	struct site_link *asked;
	uint8_t bytes[OFFER_SIZE_MAX];
	struct row_id other = {.bytes = {1}};
	uint16_t size;

	(void)state;
	gamers_run(world, USEC_MINUTE);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	while (link_of(world, 1, 2)->stage != LINK_OFFERS)
		gamers_run(world, USEC_MSEC);
	size = link_of(world, 1, 2)->sent_size;
	memcpy(bytes, link_of(world, 1, 2)->sent, size);
	gamers_run(world, 5 * USEC_SECOND);
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	while (link_of(world, 2, 1)) {
		struct site_link *row = site_link_for_offer(site, &other);

		assert_non_null(row);
		row->asked = true;
		other.bytes[0]++;
		assert_int_not_equal(other.bytes[0], 1);
	}
	other.bytes[0] = 1;
	site_link_of(site, &other)->asked = false;
	bring(world, 2, 1, bytes, size);
	asked = site_link_of(site, &world->hosts[1].id);
	assert_non_null(asked);
	assert_int_equal(asked->stage, LINK_RESTS);
	assert_int_equal(asked->attempts, 0);
	world_free(world);
}

/* The port that a router is told to forward is named, where it helps: behind one that draws. */
TEST(a_port_that_may_be_forwarded_is_offered_behind_a_router_that_draws_them)
{
	static const enum home_type types[] = {HOME, SYMMETRIC, SEQUENTIAL};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		struct world *world = make_world(types[i], HOME, SITE_WHEN_ALWAYS, 24);
		const struct host *host = &world->hosts[1];
		struct candidates places;
		bool named = false;

		gamers_run(world, 10 * USEC_SECOND);
		site_link_places(host->site, &places);
		for (uint32_t k = 0; k < places.count; k++) {
			const struct endpoint *place = &places.items[k].endpoint;
			struct address outside = world_outside(world, 1);

			named = named || (places.items[k].kind == CANDIDATE_PREDICTED &&
						 address_equal(&place->address, &outside) &&
						 place->port == host->links_local.port);
		}
		assert_int_equal(named, types[i] == SYMMETRIC);
		world_free(world);
	}
}

/* Behind the answer whole packets come: a router that is not open by then would remember them. */
TEST(what_opens_leaves_before_the_answer_does)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 18);
	struct site_actions *actions = calloc(1, sizeof *actions);
	const struct site_link *asker = NULL;
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	uint32_t opened = 0;
	bool answered = false;

	(void)state;
	assert_non_null(actions);
	while (!asker || asker->stage != LINK_OFFERS) {
		gamers_run(world, USEC_MSEC);
		asker = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	}
	event.datagram.interface = SITE_BACKBONE;
	event.datagram.from = (struct endpoint){world->hosts[1].overlay, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = asker->sent;
	event.datagram.size = asker->sent_size;
	event.wall = host_wall(&world->hosts[2]);
	site_step(world->hosts[2].site, world->now, &event, actions);
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_SEND_OUTSIDE && action->outside.ttl != 0) {
			assert_false(answered);
			opened++;
		}
		if (action->kind == SITE_SEND &&
			envelope_type(action->send.bytes, action->send.size) == ENVELOPE_ANSWER)
			answered = true;
	}
	assert_true(answered);
	assert_int_equal(opened, link_of(world, 2, 1)->meeting.count);
	assert_true(opened > 0);
	free(actions);
	world_free(world);
}

static uint32_t sent_to(const struct world *world, const char *address)
{
	const struct meeting *meeting = &link_of(world, 2, 1)->meeting;
	struct address wanted;
	uint32_t sent = 0;

	assert_int_equal(address_parse(address, strlen(address), &wanted), 0);
	for (uint32_t i = 0; i < meeting->count; i++) {
		if (address_equal(&meeting->places[i].endpoint.address, &wanted))
			sent += meeting->places[i].sent;
	}
	return sent;
}

/* Nobody but a hub's receipt shows where somebody is: else three datagrams are the most. */
TEST(a_victim_that_a_member_names_gets_three_datagrams_at_most)
{
	struct world *world = make_world(SYMMETRIC, HOME, SITE_WHEN_ASKED, 19);
	struct site_command command = {.kind = SITE_COMMAND_ENDPOINTS,
		.request = 9,
		.endpoint_count = 3,
		.endpoints = {{.host = "169.254.7.7", .port = 53},
			{.host = "13.14.15.16", .port = 53}, {.host = "13.14.15.16", .port = 123}}};

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	host_command(&world->hosts[1], &command);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_run(world, 10 * USEC_SECOND);
	assert_int_equal(link_of(world, 2, 1)->reason, LINK_NOT_MET);
	assert_int_equal(sent_to(world, "13.14.15.16"), MEETING_UNVOUCHED_MAX);
	assert_int_equal(sent_to(world, "169.254.7.7"), 0);
	assert_in_range(sent_to(world, "11.0.0.2"), 2, MEETING_DATAGRAMS_MAX);
	world_free(world);
}

TEST(words_of_others_and_of_an_earlier_link_are_not_obeyed)
{
	struct world *world = linked(20);
	struct site_link *link = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	uint8_t sealed[SEAL_DATAGRAM_MAX];
	const uint8_t end = 2;
	struct wire_writer writer;
	struct seal seal = link->words;

	(void)state;
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PATH, ENVELOPE_HEAD + 1,
		&site_ledger(world->hosts[1].site)->collective, 0);
	wire_write_bin(&writer, sealed, seal_write(&seal, &end, 1, sealed));
	/* The hub knows no key of the link, and what it changes is no word. */
	for (size_t i = writer.length - 20; i < writer.length; i++) {
		bytes[i] ^= 1;
		bring(world, 2, 1, bytes, writer.length);
		bytes[i] ^= 1;
	}
	/* Nor is a word of one member a word of another. */
	bring(world, 2, 0, bytes, writer.length);
	gamers_run(world, USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	bring(world, 2, 1, bytes, writer.length);
	gamers_run(world, 100 * USEC_MSEC);
	assert_false(gamers_are_direct(world, 1, 2));
	gamers_run(world, 10 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	/* It was of the link before. */
	bring(world, 2, 1, bytes, writer.length);
	gamers_run(world, USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

TEST(advice_makes_the_other_end_look_and_no_more)
{
	struct world *world = linked(21);
	struct site_link *link = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	uint8_t sealed[SEAL_DATAGRAM_MAX];
	const uint8_t doubt = 1;
	struct wire_writer writer;

	(void)state;
	for (int i = 0; i < 20; i++) {
		envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PATH, ENVELOPE_HEAD + 1,
			&site_ledger(world->hosts[1].site)->collective, 0);
		wire_write_bin(&writer, sealed, seal_write(&link->words, &doubt, 1, sealed));
		bring(world, 2, 1, bytes, writer.length);
		gamers_run(world, 500 * USEC_MSEC);
		assert_true(gamers_are_direct(world, 1, 2));
	}
	assert_int_equal(link_of(world, 2, 1)->switches, 1);
	world_free(world);
}

/* Words. */

TEST(every_reason_has_a_sentence_and_a_word_of_its_own)
{
	(void)state;
	for (unsigned i = 0; i < LINK_REASONS; i++) {
		const char *sentence = site_link_sentence((enum link_reason)i);

		assert_non_null(sentence);
		assert_non_null(strstr(sentence, "%s"));
		assert_null(strstr(strstr(sentence, "%s") + 1, "%"));
		assert_int_equal(sentence[strlen(sentence) - 1] == '.', i != LINK_REFUSED);
		assert_true(text_is_name(site_link_word((enum link_reason)i)) ||
			    strchr(site_link_word((enum link_reason)i), '_'));
		for (unsigned k = 0; k < i; k++) {
			assert_string_not_equal(sentence, site_link_sentence((enum link_reason)k));
			assert_string_not_equal(site_link_word((enum link_reason)i),
				site_link_word((enum link_reason)k));
		}
	}
	assert_null(site_link_sentence(LINK_REASONS));
	for (unsigned i = 0; i < OFFER_VERDICTS; i++)
		assert_true(strlen(offer_verdict_text((enum offer_verdict)i)) > 8);
}

/* Of whatever was tried both homes are told, and of what failed the attempt. */
TEST(what_was_tried_is_explained_with_both_homes)
{
	static const enum link_reason reasons[] = {
		LINK_DIRECT, LINK_HUB_BETTER, LINK_DIED, LINK_NOT_MET, LINK_NO_HANDSHAKE};
	struct world *world = linked(11);
	struct site_link *link = site_link_of(world->hosts[1].site, &world->hosts[2].id);

	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		bool failed = reasons[i] == LINK_NOT_MET || reasons[i] == LINK_NO_HANDSHAKE;
		bool rests = failed || reasons[i] == LINK_DIED;
		const char *why;

		link->stage = rests ? LINK_RESTS : LINK_LIVES;
		link->reason = reasons[i];
		why = gamers_why(world, 1, 2);
		assert_memory_equal(why, site_link_sentence(reasons[i]), 8);
		assert_non_null(strstr(why, "Both are seen by everybody at the same port"));
		assert_int_equal(strstr(why, "attempt 1: ") != NULL, failed);
	}
	world_free(world);
}

TEST(an_explanation_of_the_longest_kind_fits)
{
	struct world *world = make_world(SYMMETRIC, SYMMETRIC, SITE_WHEN_ALWAYS, 16);

	(void)state;
	gamers_run(world, 5 * USEC_SECOND);
	assert_in_range(strlen(gamers_why(world, 1, 2)), 300, SITE_WHY_SIZE - 100);
	world_free(world);
}

/* By their first attempt: it has either met or failed, and rests. */
static void assert_meets(enum home_type a, enum home_type b, bool expected)
{
	struct world *world = make_world(a, b, SITE_WHEN_ALWAYS, 3);
	const struct site_link *link;

	world_run(world, 5 * USEC_SECOND);
	link = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	assert_non_null(link);
	assert_int_equal(link->quiet.failures, expected ? 0 : 1);
	if (gamers_are_direct(world, 1, 2) != expected)
		fail_msg("%s and %s: %s / %s", home_name(a), home_name(b), gamers_why(world, 1, 2),
			gamers_why(world, 2, 1));
	world_free(world);
}

/* The lab holds real sites behind real routers to this very table. */
TEST(whole_sites_meet_as_the_table_of_the_lab_says)
{
	struct home_pair pairs[HOME_PAIRS];

	(void)state;
	home_pairs(pairs);
	for (uint32_t i = 0; i < HOME_PAIRS; i++) {
		assert_meets(pairs[i].a, pairs[i].b, pairs[i].meets);
		assert_meets(pairs[i].b, pairs[i].a, pairs[i].meets);
	}
}

TEST(whole_sites_meet_through_routers_that_let_in_what_is_theirs)
{
	struct home_pair pairs[HOME_DOUBLES];

	(void)state;
	home_doubles(pairs);
	for (uint32_t i = 0; i < HOME_DOUBLES; i++) {
		assert_meets(pairs[i].a, pairs[i].b, pairs[i].meets);
		assert_meets(pairs[i].b, pairs[i].a, pairs[i].meets);
	}
}

/* Each attempt uses up what a router foretold to the others: they take turns. */
TEST(homes_whose_ports_follow_each_other_meet_all_others_within_seconds)
{
	const enum home_type types[5] = {SEQUENTIAL, SEQUENTIAL, SEQUENTIAL, HOME, HOME};

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct world *world = gamers_found(types, 5, SITE_WHEN_ALWAYS, seed);

		gamers_power(world);
		world_run(world, 5 * USEC_SECOND);
		for (uint32_t a = 1; a < 6; a++) {
			for (uint32_t b = 1; b < 6; b++) {
				if (a != b && !host_is_direct(&world->hosts[a], &world->hosts[b]))
					fail_msg("%s", gamers_why(world, a, b));
			}
		}
		world_free(world);
	}
}

/* What WireGuard has counted by now, with what of it was our own. */
static bool looks_like_traffic(struct site *site, struct site_link *link, uint64_t rx, uint64_t tx,
	uint64_t own_rx, uint64_t own_tx)
{
	const struct site_statistics seen = {.peer = link->peer.key,
		.rx_bytes = link->peer.rx_bytes + rx,
		.tx_bytes = link->peer.tx_bytes + tx,
		.handshake = link->peer.handshake};
	const struct site_event event = {.kind = SITE_EVENT_STATISTICS,
		.statistics = {.interface = SITE_LINKS, .count = 1, .peers = &seen}};
	struct site_actions out = {.count = 0};

	link->traffic_at = -1;
	link->peer.own_rx = own_rx;
	link->peer.own_tx = own_tx;
	site_links_statistics(site, &event, &out);
	return link->traffic_at >= 0;
}

/* A link that is there, and was just looked at. */
static struct site_link *counted_link(struct world *world)
{
	struct site_link *link;

	world_run(world, 5 * USEC_SECOND);
	assert_true(gamers_are_direct(world, 1, 2));
	link = site_link_of(world->hosts[1].site, &world->hosts[2].id);
	(void)looks_like_traffic(world->hosts[1].site, link, 0, 0, 0, 0);
	return link;
}

/* However a look and a probe meet: links that nobody uses would be probed for ever. */
TEST(probes_are_no_traffic_whenever_they_are_counted)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 4);
	struct site *site = world->hosts[1].site;
	struct site_link *link = counted_link(world);

	(void)state;
	assert_false(looks_like_traffic(site, link, 0, 0, 0, 0));
	assert_false(looks_like_traffic(site, link, 112, 112, 112, 112));
	/* Sent, and counted at the next look; counted, and heard behind the look. */
	assert_false(looks_like_traffic(site, link, 0, 0, 0, 224));
	assert_false(looks_like_traffic(site, link, 0, 224, 0, 0));
	assert_false(looks_like_traffic(site, link, 112, 0, 0, 0));
	assert_false(looks_like_traffic(site, link, 112, 0, 112, 0));
	assert_false(looks_like_traffic(site, link, 0, 0, 112, 0));
	/* Keepalives, however many. */
	for (int i = 0; i < 8; i++)
		assert_false(looks_like_traffic(site, link, 32, 32, 0, 0));
	/* What is no message of ours: at once where it leaves, at the second look where it comes.
	 */
	assert_true(looks_like_traffic(site, link, 0, 128, 0, 0));
	assert_false(looks_like_traffic(site, link, 128, 0, 0, 0));
	assert_true(looks_like_traffic(site, link, 128, 0, 0, 0));
	/* What was lost before it was counted hides nothing for long. */
	assert_false(looks_like_traffic(site, link, 0, 0, 0, 224));
	assert_false(looks_like_traffic(site, link, 0, 0, 0, 0));
	assert_true(looks_like_traffic(site, link, 0, 128, 0, 0));
	world_free(world);
}

/* A link that carries a transfer is told so: it is not left for the queue that this makes. */
TEST(much_in_either_direction_is_known_to_the_path)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 6);
	struct site *site = world->hosts[1].site;
	struct site_link *link = counted_link(world);

	(void)state;
	assert_true(looks_like_traffic(site, link, PATH_MUCH / 2 - 1, PATH_MUCH / 2, 0, 0));
	assert_int_equal(link->path.much_at, -1);
	assert_true(looks_like_traffic(site, link, 0, PATH_MUCH, 0, 0));
	assert_int_equal(link->path.much_at, link->path.now);
	link->path.much_at = -1;
	assert_true(looks_like_traffic(site, link, PATH_MUCH, 0, 0, 0));
	assert_int_equal(link->path.much_at, link->path.now);
	world_free(world);
}

/* A link is for whom the configuration names, and for nobody else. */
TEST(a_policy_names_members)
{
	const enum home_type homes[] = {HOME, HOME, HOME};
	struct site_selector by_name[1 + COUNT(homes)] = {{.is_tag = false}};

	(void)state;
	for (uint32_t named = 2; named <= 3; named++) {
		struct world *world = gamers_found(homes, COUNT(homes), SITE_WHEN_ALWAYS, 7);

		for (uint32_t i = 1; i <= COUNT(homes); i++) {
			(void)snprintf(by_name[i].name, sizeof by_name[i].name, "site-%u",
				i == 1 ? named : 1U);
			world->hosts[i].options.links.items = &by_name[i];
		}
		gamers_power(world);
		world_run(world, 5 * USEC_SECOND);
		assert_true(gamers_are_direct(world, 1, named));
		assert_false(gamers_are_direct(world, 1, 5 - named));
		assert_false(gamers_are_direct(world, 2, 3));
		assert_non_null(strstr(gamers_why(world, 1, 5 - named), "names neither"));
		world_free(world);
	}
}

/* Whose offer stands declines the other one; what it then repeats is its offer all the same. */
TEST(an_offer_that_was_lost_goes_again_though_another_one_was_declined)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ASKED, 5);
	uint32_t stands = memcmp(world->hosts[1].site_key.bytes, world->hosts[2].site_key.bytes,
				  KEY_SIZE) < 0
				  ? 1
				  : 2;

	(void)state;
	world_run(world, 5 * USEC_SECOND);
	/* Both know from where they are seen, so that they offer as soon as they are asked to. */
	gamers_say(world, 1, SITE_COMMAND_NETCHECK, 1, 0);
	gamers_say(world, 2, SITE_COMMAND_NETCHECK, 2, 0);
	world_run(world, 7 * USEC_SECOND);
	world->hosts[stands].up.options.loss = 1000000;
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_say(world, 2, SITE_COMMAND_LINK, 1, 0);
	world_run(world, 7 * USEC_SECOND + 100 * USEC_MSEC);
	assert_int_equal(link_of(world, stands, 3 - stands)->stage, LINK_OFFERS);
	world->hosts[stands].up.options.loss = 0;
	world_run(world, 15 * USEC_SECOND);
	if (!gamers_are_direct(world, 1, 2))
		fail_msg("%s / %s", gamers_why(world, 1, 2), gamers_why(world, 2, 1));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_homes_meet_by_themselves),
		cmocka_unit_test(pairs_meet_where_their_routers_allow_it),
		cmocka_unit_test(one_end_calls_and_the_other_waits_to_be_called),
		cmocka_unit_test(the_first_packet_goes_at_once_by_the_hub),
		cmocka_unit_test(a_link_that_no_traffic_wants_any_more_goes_without_loss),
		cmocka_unit_test(a_planned_end_and_a_new_beginning_lose_nothing),
		cmocka_unit_test(what_was_ended_does_not_come_back_where_the_other_end_refuses),
		cmocka_unit_test(who_keeps_its_end_of_what_was_ended_gets_no_way_back),
		cmocka_unit_test(what_the_owner_said_outlives_a_restart),
		cmocka_unit_test(a_link_is_asked_for_and_ends_by_itself),
		cmocka_unit_test(a_link_that_was_ended_is_there_again_as_soon_as_it_is_asked_for),
		cmocka_unit_test(what_is_on_its_way_when_a_link_ends_has_a_second_to_arrive),
		cmocka_unit_test(one_who_wants_it_still_keeps_it),
		cmocka_unit_test(a_dead_path_is_left_within_the_bound_and_comes_back),
		cmocka_unit_test(the_other_end_is_told_that_the_path_is_dead),
		cmocka_unit_test(
			a_way_that_has_come_and_gone_six_times_is_left_alone_and_why_says_so),
		cmocka_unit_test(
			a_router_that_gets_another_address_is_met_again_within_five_seconds),
		cmocka_unit_test(a_link_lives_on_without_the_hub_and_gossip_goes_over_it),
		cmocka_unit_test(an_agent_that_begins_again_is_direct_again),
		cmocka_unit_test(who_moved_is_remembered_where_it_is_now),
		cmocka_unit_test(who_calls_first_is_remembered_where_it_is),
		cmocka_unit_test(who_is_not_where_it_was_is_met_by_the_help_of_another),
		cmocka_unit_test(keys_change_under_a_link_and_nothing_is_lost),
		cmocka_unit_test(who_is_expelled_loses_its_link_at_once),
		cmocka_unit_test(both_go_direct_within_a_round_trip_by_the_hub_and_two_direct_ones),
		cmocka_unit_test(lossy_lines_make_it_slower_and_do_not_prevent_it),
		cmocka_unit_test(what_failed_rests_ever_longer_and_never_more_than_ten_minutes),
		cmocka_unit_test(what_changes_during_an_attempt_is_tried_at_once),
		cmocka_unit_test(a_new_outside_address_ends_a_long_rest),
		cmocka_unit_test(who_wakes_up_ends_a_long_rest),
		cmocka_unit_test(an_agent_that_begins_again_ends_a_long_rest),
		cmocka_unit_test(one_that_is_away_is_called_rarely_and_at_once_when_it_is_back),
		cmocka_unit_test(only_places_where_friends_may_find_it_are_told),
		cmocka_unit_test(an_offer_that_comes_again_is_not_followed_again),
		cmocka_unit_test(an_offer_from_before_it_began_is_not_followed),
		cmocka_unit_test(an_offer_that_was_forgotten_is_not_followed),
		cmocka_unit_test(
			a_port_that_may_be_forwarded_is_offered_behind_a_router_that_draws_them),
		cmocka_unit_test(what_opens_leaves_before_the_answer_does),
		cmocka_unit_test(a_victim_that_a_member_names_gets_three_datagrams_at_most),
		cmocka_unit_test(words_of_others_and_of_an_earlier_link_are_not_obeyed),
		cmocka_unit_test(advice_makes_the_other_end_look_and_no_more),
		cmocka_unit_test(every_reason_has_a_sentence_and_a_word_of_its_own),
		cmocka_unit_test(what_was_tried_is_explained_with_both_homes),
		cmocka_unit_test(an_explanation_of_the_longest_kind_fits),
		cmocka_unit_test(whole_sites_meet_as_the_table_of_the_lab_says),
		cmocka_unit_test(whole_sites_meet_through_routers_that_let_in_what_is_theirs),
		cmocka_unit_test(
			homes_whose_ports_follow_each_other_meet_all_others_within_seconds),
		cmocka_unit_test(probes_are_no_traffic_whenever_they_are_counted),
		cmocka_unit_test(much_in_either_direction_is_known_to_the_path),
		cmocka_unit_test(a_policy_names_members),
		cmocka_unit_test(an_offer_that_was_lost_goes_again_though_another_one_was_declined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Lines, plans and the world itself: what a run is made of, and that it can be repeated.
 */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/host.h"
#include "simulator/run.h"

#define PACKETS 20000

static const uint8_t seed[PRNG_SEED_SIZE] = "the world";

static struct link line_of(const struct link_options *options)
{
	struct prng prng;
	struct link link;

	prng_init(&prng, seed);
	link_init(&link, options, &prng, 0);
	return link;
}

static unsigned lost_of(struct link *link, usec_t every)
{
	unsigned lost = 0;

	for (usec_t i = 0; i < PACKETS; i++)
		lost += link_pass(link, i * every, 100) == USEC_NEVER;
	return lost;
}

TEST(link_loses_the_share_that_it_is_to_lose)
{
	struct link link = line_of(&(struct link_options){.loss = 100000});
	unsigned lost = lost_of(&link, USEC_MSEC);

	(void)state;
	assert_in_range(lost, PACKETS / 10 - PACKETS / 100, PACKETS / 10 + PACKETS / 100);
}

TEST(link_that_is_ill_loses_everything_for_a_time_and_not_for_a_number_of_packets)
{
	const struct link_options options = {.well = 9 * USEC_SECOND, .ill = USEC_SECOND};
	struct link busy = line_of(&options);
	struct link quiet = line_of(&options);
	unsigned lost = lost_of(&busy, 5 * USEC_MSEC);

	(void)state;
	assert_in_range(lost, PACKETS / 20, PACKETS / 5);
	/* One packet in ten seconds meets an ill line as often, and never twice in a row for long.
	 */
	lost = lost_of(&quiet, 10 * USEC_SECOND);
	assert_in_range(lost, PACKETS / 20, PACKETS / 5);
}

TEST(link_delays_by_its_jitter_at_most)
{
	struct link link = line_of(
		&(struct link_options){.delay = 20 * USEC_MSEC, .jitter = 5 * USEC_MSEC});

	(void)state;
	for (usec_t i = 0; i < 1000; i++) {
		usec_t took = link_pass(&link, i * USEC_SECOND, 100) - i * USEC_SECOND;

		assert_true(took >= 20 * USEC_MSEC && took <= 25 * USEC_MSEC);
	}
}

TEST(link_with_a_rate_makes_packets_wait_and_drops_what_waits_too_long)
{
	/* 100,000 bytes a second: a packet of 972 and its headers take 10 ms. */
	struct link link = line_of(&(struct link_options){.rate = 100000, .queue = 95 * USEC_MSEC});

	(void)state;
	for (usec_t i = 1; i <= 10; i++)
		assert_true(link_pass(&link, 0, 972) == i * 10 * USEC_MSEC);
	assert_true(link_pass(&link, 0, 972) == USEC_NEVER);
	assert_true(link_pass(&link, 60 * USEC_MSEC, 972) == 110 * USEC_MSEC);
}

TEST(link_drops_what_is_larger_than_its_mtu)
{
	struct link link = line_of(&(struct link_options){.mtu = 1400});

	(void)state;
	assert_true(link_pass(&link, 0, 1400) == 0);
	assert_true(link_pass(&link, 0, 1401) == USEC_NEVER);
}

TEST(heap_gives_back_by_time_and_then_in_order)
{
	struct heap heap = {.count = 0};
	usec_t before = -1;
	uint32_t host = 0;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	for (uint32_t i = 0; i < 1000; i++)
		heap_push(&heap, (usec_t)prng_below(&prng, 50), 0, i, NULL);
	while (heap.count > 0) {
		struct heap_item item = heap_pop(&heap);

		assert_true(item.at > before || (item.at == before && item.host > host));
		before = item.at;
		host = item.host;
	}
	heap_free(&heap);
}

TEST(plan_of_one_kind_does_not_depend_on_the_others)
{
	uint32_t counts[PLAN_KINDS] = {[PLAN_CRASH] = 5, [PLAN_WALL] = 5, [PLAN_KILL] = 5};
	struct plan all = {.count = 0};
	struct plan fewer = {.count = 0};
	struct prng prng;
	uint32_t at = 0;

	(void)state;
	/* A seed that draws walls. */
	for (uint8_t i = 0; fewer.count == 0; i++) {
		plan_free(&all);
		prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){i});
		plan_draw(&all, &prng, counts, 10, USEC_HOUR);
		prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){i});
		plan_draw(&fewer, &prng, (const uint32_t[PLAN_KINDS]){[PLAN_WALL] = 5}, 10,
			USEC_HOUR);
	}
	for (uint32_t i = 0; i < all.count; i++) {
		if (all.items[i].kind != PLAN_WALL)
			continue;
		assert_true(all.items[i].at == fewer.items[at].at);
		assert_int_equal(all.items[i].site, fewer.items[at].site);
		at++;
	}
	assert_int_equal(at, fewer.count);
	plan_free(&all);
	plan_free(&fewer);
}

static struct world *two_sites(void)
{
	struct world *world = world_new(&(struct world_options){.seed = 5, .sites = 2});

	world_found(world, true);
	host_power(&world->hosts[0], true);
	host_power(&world->hosts[1], true);
	world_run(world, 5 * USEC_SECOND);
	return world;
}

TEST(world_lets_a_ping_through_and_a_wall_does_not)
{
	struct world *world = two_sites();

	(void)state;
	host_ping(&world->hosts[1], &world->hosts[0]);
	world_run(world, 6 * USEC_SECOND);
	assert_int_equal(world->hosts[1].pings_answered, 1);
	world_wall(world, 1, 0, true);
	host_ping(&world->hosts[1], &world->hosts[0]);
	world_run(world, 7 * USEC_SECOND);
	assert_int_equal(world->hosts[1].pings_answered, 1);
	world_free(world);
}

TEST(world_loses_what_dies_on_the_way)
{
	struct world *world = two_sites();
	struct host *from = &world->hosts[1];
	struct packet packet = {.source = from->local,
		.destination = world->hosts[0].local,
		.kind = PACKET_PLAIN,
		.size = 20};
	uint64_t before;

	(void)state;
	from->up.options.hops = 3;
	world->hosts[0].down.options.hops = 4;
	for (uint8_t ttl = 6; ttl <= 8; ttl++) {
		before = world->heap.count;
		packet.ttl = ttl;
		world_send(from, &packet);
		assert_int_equal(world->heap.count - before, ttl > 7);
	}
	world_free(world);
}

TEST(world_puts_a_home_behind_its_providers_router)
{
	struct world *world = world_new(&(struct world_options){.seed = 5, .sites = 2});
	const struct router_options home = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = ROUTER_ENDPOINT_INDEPENDENT,
		.allocation = ROUTER_PORT_KEPT,
		.input = ROUTER_INPUT_DROP,
		.timeout_new = USEC_MINUTE,
		.timeout_assured = USEC_MINUTE};
	struct address outside;

	(void)state;
	world_add_router(world, 1, &home, true);
	world_found(world, true);
	host_power(&world->hosts[0], true);
	host_power(&world->hosts[1], true);
	world_run(world, 5 * USEC_SECOND);
	host_ping(&world->hosts[1], &world->hosts[0]);
	world_run(world, 6 * USEC_SECOND);
	assert_int_equal(world->hosts[1].pings_answered, 1);
	/* Both have mapped it, and the hub sees the provider's address. */
	assert_int_equal(router_mappings(world->hosts[1].router, world->now), 1);
	assert_int_equal(router_mappings(world->hosts[1].carrier, world->now), 1);
	outside = world_outside(world, 1);
	assert_true(address_equal(&outside, &router_options(world->hosts[1].carrier)->outside));
	world_free(world);
}

TEST(clock_that_drifts_does_not_jump)
{
	struct world *world = two_sites();
	struct host *host = &world->hosts[1];
	uint64_t before;

	(void)state;
	world_run(world, USEC_HOUR);
	before = host_wall(host);
	host_set_drift(host, -500);
	assert_true(host_wall(host) == before);
	world_run(world, 2 * USEC_HOUR);
	/* 3.6 million ms and a half per mille less. */
	assert_in_range(host_wall(host) - before, 3598199, 3598201);
	host_set_drift(host, 0);
	assert_in_range(host_wall(host) - before, 3598199, 3598201);
	world_free(world);
}

static struct run_result run_with(FILE *trace)
{
	struct scenario scenario = {.sites = 5,
		.acquainted = true,
		.duration = 5 * USEC_MINUTE,
		.heal_at = 2 * USEC_MINUTE,
		.settle = 2 * USEC_MINUTE,
		.line = {.delay = 20 * USEC_MSEC, .jitter = 20 * USEC_MSEC, .loss = 50000},
		.properties = UINT32_MAX};
	struct run_result result;

	scenario.faults[PLAN_CRASH] = 6;
	run_scenario(&scenario, 9, false, trace, &result);
	return result;
}

TEST(run_is_the_same_whether_anybody_reads_along)
{
	char *text = NULL;
	size_t size = 0;
	FILE *trace = open_memstream(&text, &size);
	struct run_result told;
	struct run_result quiet;

	(void)state;
	assert_non_null(trace);
	told = run_with(trace);
	assert_int_equal(fclose(trace), 0);
	quiet = run_with(NULL);
	assert_true(told.hash == quiet.hash && told.events == quiet.events);
	assert_int_equal(told.failed, PROPERTY_NONE);
	assert_non_null(strstr(text, "hub           says to site-"));
	free(text);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(link_loses_the_share_that_it_is_to_lose),
		cmocka_unit_test(
			link_that_is_ill_loses_everything_for_a_time_and_not_for_a_number_of_packets),
		cmocka_unit_test(link_delays_by_its_jitter_at_most),
		cmocka_unit_test(link_with_a_rate_makes_packets_wait_and_drops_what_waits_too_long),
		cmocka_unit_test(link_drops_what_is_larger_than_its_mtu),
		cmocka_unit_test(heap_gives_back_by_time_and_then_in_order),
		cmocka_unit_test(plan_of_one_kind_does_not_depend_on_the_others),
		cmocka_unit_test(world_lets_a_ping_through_and_a_wall_does_not),
		cmocka_unit_test(world_loses_what_dies_on_the_way),
		cmocka_unit_test(world_puts_a_home_behind_its_providers_router),
		cmocka_unit_test(clock_that_drifts_does_not_jump),
		cmocka_unit_test(run_is_the_same_whether_anybody_reads_along),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_links.c - direct links between whole sites, in the simulator's world: real offers, models of
 * routers and of WireGuard.
 */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "simulator/host.h"
#include "site/links_internal.h"

enum type { PUBLIC, CONE, RESTRICTED, HOME, ACCEPTING, SYMMETRIC, SEQUENTIAL, TYPES };

static const char *const type_names[TYPES] = {
	"public", "full cone", "restricted", "home", "accepting home", "symmetric", "sequential"};

static struct router_options router_of(enum type type)
{
	return (struct router_options){
		.mapping = type == SYMMETRIC || type == SEQUENTIAL
				   ? ROUTER_ADDRESS_AND_PORT_DEPENDENT
				   : ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = type == CONE         ? ROUTER_ENDPOINT_INDEPENDENT
			     : type == RESTRICTED ? ROUTER_ADDRESS_DEPENDENT
						  : ROUTER_ADDRESS_AND_PORT_DEPENDENT,
		.allocation = type == SYMMETRIC    ? ROUTER_PORT_RANDOM
			      : type == SEQUENTIAL ? ROUTER_PORT_SEQUENTIAL
						   : ROUTER_PORT_KEPT,
		.input = type == ACCEPTING ? ROUTER_INPUT_ACCEPT : ROUTER_INPUT_DROP,
		.timeout_new = 30 * USEC_SECOND,
		.timeout_assured = 120 * USEC_SECOND,
		.assured_after = 2 * USEC_SECOND,
	};
}

/* A hub and two sites, 10 ms from the middle of the internet each. */
static struct world *make_world(enum type a, enum type b, enum site_when when, uint64_t seed)
{
	const struct world_options options = {
		.seed = seed, .sites = 3, .links = true, .when = when};
	struct world *world = world_new(&options);
	const enum type types[2] = {a, b};

	for (uint32_t i = 0; i < 2; i++) {
		struct router_options router = router_of(types[i]);

		if (types[i] != PUBLIC)
			world_add_router(world, i + 1, &router, false);
	}
	world_found(world, true);
	for (uint32_t i = 0; i < 3; i++)
		host_power(&world->hosts[i], true);
	return world;
}

static bool both_direct(const struct world *world)
{
	return host_is_direct(&world->hosts[1], &world->hosts[2]) &&
	       host_is_direct(&world->hosts[2], &world->hosts[1]);
}

static const char *why(const struct world *world, uint32_t from, uint32_t to)
{
	static char text[SITE_WHY_SIZE];

	site_why(world->hosts[from].site, &world->hosts[to].id, text);
	return text;
}

TEST(two_homes_meet_by_themselves)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, 1);

	(void)state;
	world_run(world, 5 * USEC_SECOND);
	if (!both_direct(world))
		fail_msg("%s", why(world, 1, 2));
	world_free(world);
}

/* Who can meet, by what routers do; of pairs that cannot both are told why. */
static bool can_meet(enum type a, enum type b)
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
	for (enum type a = PUBLIC; a < TYPES; a++) {
		for (enum type b = PUBLIC; b < TYPES; b++) {
			struct world *world = make_world(a, b, SITE_WHEN_ALWAYS, 2);

			world_run(world, 5 * USEC_SECOND);
			if (both_direct(world) != can_meet(a, b))
				fail_msg("%s and %s: %s / %s", type_names[a], type_names[b],
					why(world, 1, 2), why(world, 2, 1));
			world_free(world);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_homes_meet_by_themselves),
		cmocka_unit_test(pairs_meet_where_their_routers_allow_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "tests/gamers.h"

#include <stdio.h>

struct world *gamers_found(
	const enum home_type *types, uint32_t count, enum site_when when, uint64_t seed)
{
	const struct world_options options = {
		.seed = seed, .sites = 1 + count, .links = true, .when = when};
	struct world *world = world_new(&options);

	for (uint32_t i = 0; i < count; i++) {
		struct router_options router = home_router(types[i]);

		if (types[i] != PUBLIC)
			world_add_router(world, 1 + i, &router, home_has_carrier(types[i]));
	}
	world_found(world, true);
	return world;
}

void gamers_power(struct world *world)
{
	for (uint32_t i = 0; i < world->host_count; i++)
		host_power(&world->hosts[i], true);
}

void gamers_run(struct world *world, usec_t span)
{
	world_run(world, world->now + span);
}

bool gamers_are_direct(const struct world *world, uint32_t a, uint32_t b)
{
	return host_is_direct(&world->hosts[a], &world->hosts[b]) &&
	       host_is_direct(&world->hosts[b], &world->hosts[a]);
}

const char *gamers_why(const struct world *world, uint32_t from, uint32_t to)
{
	static char text[SITE_WHY_SIZE];

	site_why(world->hosts[from].site, &world->hosts[to].id, text);
	return text;
}

void gamers_say(struct world *world, uint32_t number, enum site_command_kind kind, uint32_t about,
	uint64_t lifetime_ms)
{
	struct site_command command = {.kind = kind, .request = 5, .lifetime_ms = lifetime_ms};

	if (about != number)
		(void)snprintf(command.name, sizeof command.name, "site-%u", about);
	host_command(&world->hosts[number], &command);
}

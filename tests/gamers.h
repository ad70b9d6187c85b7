/* SPDX-License-Identifier: MIT */
/*
 * gamers.h - whole sites in the simulator's world, each at a home of some type, who all want links
 * with each other.
 */
#pragma once

#include "simulator/host.h"
#include "tests/homes.h"

/*
 * A hub, and a site at each of these homes, of the numbers from 1 on, 10 ms from the middle of the
 * internet each. They know each other, and wait for power.
 */
struct world *gamers_found(
	const enum home_type *types, uint32_t count, enum site_when when, uint64_t seed);
void gamers_power(struct world *world);
void gamers_run(struct world *world, usec_t span);
bool gamers_are_direct(const struct world *world, uint32_t a, uint32_t b);

/* What a person there is told of the way to another; until the next call. */
const char *gamers_why(const struct world *world, uint32_t from, uint32_t to);

/* A person's command about another site; about nobody where that is its own. */
void gamers_say(struct world *world, uint32_t number, enum site_command_kind kind, uint32_t about,
	uint64_t lifetime_ms);

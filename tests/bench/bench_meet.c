/* SPDX-License-Identifier: MIT */
/*
 * bench_meet.c - the time to a direct link by pair of routers: tools/bench meet [SEEDS [DELAY-MS]]
 *
 * Whole sites in the simulator, by their first attempt. The time runs from when both ports of the
 * hub have told both sites where they are, until routes lead over the link at both ends. The line
 * of each site loses nothing; R_hub is eight times its delay, R_direct four times. What is printed
 * is a table in Markdown; the times are virtual, so they are the same on every machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/host.h"

#define SEEDS 20
#define SEEDS_MAX 1000
#define DELAY_MS 10
#define ATTEMPT (5 * USEC_SECOND)
#define STEP USEC_MSEC

#define EIM .mapping = ROUTER_ENDPOINT_INDEPENDENT
#define APDM .mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT
#define EIF .filtering = ROUTER_ENDPOINT_INDEPENDENT
#define ADF .filtering = ROUTER_ADDRESS_DEPENDENT
#define APDF .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT
#define KEPT .allocation = ROUTER_PORT_KEPT
#define COUNTED .allocation = ROUTER_PORT_SEQUENTIAL
#define DRAWN .allocation = ROUTER_PORT_RANDOM
#define DROP .input = ROUTER_INPUT_DROP
#define ACCEPT .input = ROUTER_INPUT_ACCEPT
#define TIMES                                                                  \
	.timeout_new = 30 * USEC_SECOND, .timeout_assured = 120 * USEC_SECOND, \
	.assured_after = 2 * USEC_SECOND

/* In the words of tests/lab/pairs.txt. */
static const struct type {
	const char *name;
	bool carrier;
	struct router_options router;
} types[] = {
	{"public", false, {EIM}},
	{"home", false, {EIM, APDF, KEPT, DROP, TIMES}},
	{"home-accept", false, {EIM, APDF, KEPT, ACCEPT, TIMES}},
	{"full-cone", false, {EIM, EIF, KEPT, DROP, TIMES}},
	{"address-restricted", false, {EIM, ADF, KEPT, DROP, TIMES}},
	{"symmetric", false, {APDM, APDF, DRAWN, DROP, TIMES}},
	{"sequential", false, {APDM, APDF, COUNTED, DROP, TIMES}},
	{"cgnat", true, {EIM, APDF, KEPT, DROP, TIMES}},
};

#define TYPES (sizeof types / sizeof types[0])

/* Which ports of the hub have told a site where it is, and when the second one had. */
struct told {
	uint16_t port;
	usec_t at;
};

static void received(
	struct world *world, struct host *host, const struct packet *packet, void *context)
{
	struct told *told = (struct told *)context + host->number;

	if (packet->kind != PACKET_PLAIN || packet->origin != 0 || host->hub)
		return;
	if (told->port == 0)
		told->port = packet->source.port;
	if (told->port != packet->source.port && told->at < 0)
		told->at = world->now;
}

/* How long it took; -1: they did not meet. */
static usec_t meet(const struct type *a, const struct type *b, usec_t delay, uint64_t seed)
{
	const struct world_options options = {.seed = seed, .sites = 3, .links = true};
	struct world *world = world_new(&options);
	struct told told[3] = {{0, -1}, {0, -1}, {0, -1}};
	usec_t took = -1;

	for (uint32_t i = 0; i < 3; i++) {
		const struct type *type = i == 1 ? a : b;

		world->hosts[i].up.options.delay = delay;
		world->hosts[i].down.options.delay = delay;
		if (i > 0 && type != types)
			world_add_router(world, i, &type->router, type->carrier);
	}
	world->received = received;
	world->context = told;
	world_found(world, true);
	for (uint32_t i = 0; i < 3; i++)
		host_power(&world->hosts[i], true);
	while (world->now < ATTEMPT && took < 0) {
		world_run(world, world->now + STEP);
		if (host_is_direct(&world->hosts[1], &world->hosts[2]) &&
			host_is_direct(&world->hosts[2], &world->hosts[1]))
			took = world->now - (told[1].at > told[2].at ? told[1].at : told[2].at);
	}
	world->received = NULL;
	world_free(world);
	return took;
}

static int by_time(const void *a, const void *b)
{
	const usec_t *x = a;
	const usec_t *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const struct type *a, const struct type *b, usec_t delay, uint32_t seeds)
{
	usec_t took[SEEDS_MAX];
	uint32_t met = 0;

	for (uint32_t seed = 1; seed <= seeds; seed++) {
		usec_t one = meet(a, b, delay, seed);

		if (one >= 0)
			took[met++] = one;
	}
	qsort(took, met, sizeof took[0], by_time);
	if (met == 0) {
		printf("| %s | %s | 0 of %u | | |\n", a->name, b->name, seeds);
		return;
	}
	printf("| %s | %s | %u of %u | %lld | %lld |\n", a->name, b->name, met, seeds,
		(long long)(took[met / 2] / USEC_MSEC),
		(long long)(took[(met * 99 - 1) / 100] / USEC_MSEC));
}

int main(int argc, char **argv)
{
	long seeds = argc > 1 ? strtol(argv[1], NULL, 10) : SEEDS;
	long delay = argc > 2 ? strtol(argv[2], NULL, 10) : DELAY_MS;

	if (seeds < 1 || seeds > SEEDS_MAX || delay < 1 || delay > 1000) {
		(void)fprintf(stderr, "usage: bench_meet [SEEDS [DELAY-MS]]\n");
		return 2;
	}
	printf("R_hub %ld ms, R_direct %ld ms: R_hub + 2 R_direct + 100 ms = %ld ms\n\n", 8 * delay,
		4 * delay, 16 * delay + 100);
	printf("| A | B | met | p50, ms | p99, ms |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < TYPES; i++) {
		for (size_t k = i; k < TYPES; k++)
			measure(&types[i], &types[k], delay * USEC_MSEC, (uint32_t)seeds);
	}
	return 0;
}

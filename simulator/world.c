/* SPDX-License-Identifier: MIT */
#include "simulator/world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/flow.h"
#include "simulator/host.h"
#include "simulator/once.h"
#include "simulator/stub.h"

#define LEAST_DELAY 1 /* µs: nothing arrives in the moment it was sent */
#define OUTSIDE_BASE 0x0b000001
#define INSIDE_BASE 0xc0a80002
#define SHARED_BASE 0x64400000 /* 100.64.0.0, between providers and their customers */
#define FNV_PRIME UINT64_C(1099511628211)

static const struct site_selector gamers = {.is_tag = true, .name = WORLD_TAG};

struct address world_outside(const struct world *world, uint32_t number)
{
	const struct host *host = &world->hosts[number];

	if (host->carrier)
		return router_options(host->carrier)->outside;
	if (host->router)
		return router_options(host->router)->outside;
	return address_ipv4(OUTSIDE_BASE + number);
}

/* The trace. */

/* Eight bytes at a time, the lowest first on every machine. */
void world_mix_bytes(struct world *world, const uint8_t *bytes, size_t size)
{
	uint64_t word = size;

	for (size_t i = 0; i < size; i++) {
		word = word << 8 | bytes[i];
		if (i % 8 == 7 || i + 1 == size)
			world->hash = (world->hash ^ word ^ world->hash >> 29) * FNV_PRIME;
	}
}

void world_mix(struct world *world, uint64_t a, uint64_t b, uint64_t c)
{
	world->hash = (world->hash ^ a) * FNV_PRIME;
	world->hash = (world->hash ^ b) * FNV_PRIME;
	world->hash = (world->hash ^ c ^ world->hash >> 29) * FNV_PRIME;
}

void world_say(struct world *world, const struct host *host, const char *format, ...)
{
	char line[256];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	assert(size >= 0);
	world_mix_bytes(world, (const uint8_t *)line, (size_t)strlen(line));
	world_mix(world, (uint64_t)world->now, host ? host->number : UINT32_MAX, 1);
	if (world->options.trace)
		(void)fprintf(world->options.trace, "%12.6f  %-12s  %s\n",
			(double)world->now / (double)USEC_SECOND, host ? host->name : "-", line);
}

/* The world. */

static void make_host(struct world *world, uint32_t number)
{
	struct host *host = &world->hosts[number];
	const struct link_options line = {.delay = 10 * USEC_MSEC, .hops = LINK_HOPS};

	host->world = world;
	host->number = number;
	host->hub = number == 0;
	(void)snprintf(host->name, sizeof host->name, number == 0 ? "hub" : "site-%u", number);
	prng_fork(&host->prng, &world->prng, "host", number);
	prng_fork(&host->links_prng, &world->prng, "links", number);
	for (int i = 0; i < SITE_INTERFACES; i++)
		host->ends[i] = (struct host_end){host, (enum site_interface)i};
	link_init(&host->up, &line, &world->prng, 2 * (uint64_t)number);
	link_init(&host->down, &line, &world->prng, 2 * (uint64_t)number + 1);
	host->local = (struct endpoint){address_ipv4(OUTSIDE_BASE + number),
		host->hub ? WORLD_PORT : (uint16_t)(20000 + prng_below(&host->prng, 40000))};
	host->links_local = host->local;
	do {
		host->links_local.port = (uint16_t)(20000 + prng_below(&host->links_prng, 40000));
	} while (host->links_local.port == host->local.port);
	host->wireguard_at = USEC_NEVER;
	host->site_at = USEC_NEVER;
	host->options = (struct site_options){
		.sites_max = world->options.sites < 16 ? 16 : world->options.sites + 8,
		.neighbours_max = host->hub ? (world->options.sites < 16 ? 16
									 : world->options.sites + 8)
					    : 16,
		.crypto = world->crypto,
		.built_ms = WORLD_WALL - UINT64_C(86400000) * 30,
		.program = number % 4 == 3 ? "0.2.0" : "0.1.0",
	};
	if (world->options.links)
		host->options.links = (struct site_policy){
			.count = 1, .items = &gamers, .when = world->options.when};
	assert(store_open_memory(&host->store) == 0);
}

struct world *world_new(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof *world);
	uint8_t seed[PRNG_SEED_SIZE] = {0};

	assert(world && options->sites >= 1 && options->sites <= WORLD_HOSTS_MAX);
	for (size_t i = 0; i < sizeof options->seed; i++)
		seed[i] = (uint8_t)(options->seed >> 8 * i);
	world->options = *options;
	world->crypto = options->real_crypto ? &crypto_once : &crypto_stub;
	world->hash = UINT64_C(14695981039346656037);
	prng_init(&world->prng, seed);
	world->supernet = (struct prefix){address_ipv4(0x0a640000), 16};
	if (options->sites > 250)
		world->supernet = (struct prefix){address_ipv4(0x0a000000), 8};
	world->host_count = options->sites;
	world->hosts = calloc(options->sites, sizeof *world->hosts);
	world->moved = calloc(options->sites, sizeof *world->moved);
	assert(world->hosts && world->moved);
	for (uint32_t i = 0; i < options->sites; i++)
		make_host(world, i);
	return world;
}

void world_free(struct world *world)
{
	if (!world)
		return;
	/* The end of a world is no part of what happens in it. */
	world->options.trace = NULL;
	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		host_free(host);
		router_free(host->router);
		router_free(host->carrier);
		store_close(host->store);
	}
	while (world->heap.count > 0)
		free(heap_pop(&world->heap).data);
	heap_free(&world->heap);
	flow_free(world);
	free(world->walls);
	free(world->moved);
	free(world->hosts);
	free(world);
}

/* Translation by a provider: one mapping for all, few ports, and nobody gets in uncalled. */
static void add_carrier(struct host *host, const struct address *inside)
{
	const struct router_options options = {
		.outside = address_ipv4(OUTSIDE_BASE + host->number),
		.inside = {address_ipv4(SHARED_BASE), 10},
		.mapping = ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
		.allocation = ROUTER_PORT_RANDOM,
		.input = ROUTER_INPUT_DROP,
		.ports_max = 64,
		.timeout_new = 30 * USEC_SECOND,
		.timeout_assured = 300 * USEC_SECOND,
	};

	assert(prefix_has_address(&options.inside, inside));
	host->carrier = router_new(&options, &host->prng);
}

void world_add_router(
	struct world *world, uint32_t number, const struct router_options *options, bool carrier)
{
	struct host *host = &world->hosts[number];
	struct router_options own = *options;

	own.outside = address_ipv4((carrier ? SHARED_BASE + 2 : OUTSIDE_BASE) + number);
	if (carrier)
		add_carrier(host, &own.outside);
	own.inside = (struct prefix){address_ipv4(0xc0a80000), 24};
	host->local.address = address_ipv4(INSIDE_BASE);
	host->links_local.address = host->local.address;
	host->router = router_new(&own, &host->prng);
	/* A hub's port is forwarded by its owner. */
	if (host->hub)
		assert(router_map(host->router, 0, &host->local, host->local.port, USEC_NEVER) ==
			host->local.port);
}

/* Walls. */

static bool is_walled(const struct world *world, uint32_t from, uint32_t to)
{
	return world->walls && world->walls[(size_t)from * world->host_count + to];
}

void world_wall(struct world *world, uint32_t from, uint32_t to, bool up)
{
	if (!world->walls) {
		world->walls = calloc((size_t)world->host_count, world->host_count);
		assert(world->walls);
	}
	world->walls[(size_t)from * world->host_count + to] = up;
}

void world_unwall(struct world *world)
{
	if (world->walls)
		memset(world->walls, 0, (size_t)world->host_count * world->host_count);
}

/* Datagrams on their way. */

/* A home that was renumbered has its address in another of the provider's ranges. */
static uint32_t outside_number(const struct world *world, uint32_t number)
{
	return OUTSIDE_BASE + (world->moved[number] % 200 << 16) + number;
}

static uint32_t find_outside(const struct world *world, const struct address *address)
{
	uint32_t value = ((uint32_t)address->bytes[0] << 24 | (uint32_t)address->bytes[1] << 16 |
			  (uint32_t)address->bytes[2] << 8 | address->bytes[3]);
	uint32_t number = (value - OUTSIDE_BASE) & 0xffff;

	if (address->family != ADDRESS_IPV4 || number >= world->host_count ||
		outside_number(world, number) != value)
		return UINT32_MAX;
	return number;
}

void world_renumber(struct world *world, uint32_t number)
{
	struct host *host = &world->hosts[number];
	struct address outside;

	world->moved[number]++;
	outside = address_ipv4(outside_number(world, number));
	router_renumber(host->carrier ? host->carrier : host->router, &outside);
}

static void copy_of(struct world *world, usec_t at, uint32_t to, const struct packet *packet)
{
	size_t size = offsetof(struct packet, inner.bytes) + packet->inner.size;
	struct packet *copy = malloc(sizeof *packet);

	assert(copy);
	memcpy(copy, packet, size);
	heap_push(&world->heap, at, EVENT_ARRIVAL, to, copy);
}

/* From the outside of one home to the outside of the other. */
static void carry(struct world *world, struct host *from, const struct packet *packet)
{
	uint32_t number = find_outside(world, &packet->destination.address);
	usec_t at = link_pass(&from->up, world->now, packet->size);
	struct host *to;

	from->sent_bytes += packet->size + 28u;
	if (packet->destination.port == WORLD_STRANGER_PORT)
		world->answered_strangers++;
	if (at == USEC_NEVER || number == UINT32_MAX || is_walled(world, from->number, number))
		return;
	to = &world->hosts[number];
	at = link_pass(&to->down, at, packet->size);
	/* One that is to die on the way has opened the sender's router, and reaches no other. */
	if (at == USEC_NEVER || packet->ttl <= from->up.options.hops + to->down.options.hops)
		return;
	copy_of(world, at + LEAST_DELAY, number, packet);
	if (link_copies(&from->up))
		copy_of(world, at + 2 * LEAST_DELAY + (at - world->now) / 2, number, packet);
}

/* Through one router on the way out. Returns whether it came out there. */
static bool pass_out(struct host *from, struct router *router, struct packet *packet)
{
	struct world *world = from->world;

	if (!router)
		return true;
	switch (router_from_inside(router, world->now, packet)) {
	case ROUTER_OUT:
		return true;
	case ROUTER_IN:
		copy_of(world, world->now + LEAST_DELAY, from->number, packet);
		return false;
	case ROUTER_DROPPED:
	case ROUTER_CONSUMED:
		break;
	}
	return false;
}

void world_send(struct host *from, const struct packet *packet)
{
	struct world *world = from->world;
	struct packet sent;

	world->datagrams++;
	memcpy(&sent, packet, offsetof(struct packet, inner.bytes) + packet->inner.size);
	sent.origin = from->number;
	world_mix(world, packet->size, packet->destination.port, from->number);
	if (pass_out(from, from->router, &sent) && pass_out(from, from->carrier, &sent))
		carry(world, from, &sent);
}

/* Through one router on the way in; what turned round inside is in already. */
static bool pass_in(struct host *host, struct router *router, struct packet *packet)
{
	return !router || address_equal(&packet->destination.address, &host->local.address) ||
	       (router != host->router && !address_equal(&packet->destination.address,
						  &router_options(router)->outside)) ||
	       router_from_outside(router, host->world->now, packet) == ROUTER_IN;
}

static void arrive(struct host *host, struct packet *packet)
{
	if (!pass_in(host, host->carrier, packet) || !pass_in(host, host->router, packet))
		return;
	if (!endpoint_equal(&packet->destination, &host->local) &&
		!endpoint_equal(&packet->destination, &host->links_local))
		return;
	host_receive(host, packet);
}

void world_run(struct world *world, usec_t until)
{
	while (world->heap.count > 0 && world->heap.items[0].at <= until && !world->stopped) {
		struct heap_item item = heap_pop(&world->heap);
		struct host *host = item.kind == EVENT_FLOW ? NULL : &world->hosts[item.host];

		assert(item.at >= world->now);
		world->now = item.at;
		world->events++;
		switch ((enum event_kind)item.kind) {
		case EVENT_ARRIVAL:
			arrive(host, item.data);
			free(item.data);
			break;
		case EVENT_WIREGUARD:
			host_wireguard_timer(host, item.at);
			break;
		case EVENT_SITE:
			host_site_timer(host, item.at);
			break;
		case EVENT_MISCHIEF:
			host_mischief(host);
			break;
		case EVENT_FLOW:
			flow_step(world, item.host);
			break;
		}
	}
	world->now = until > world->now ? until : world->now;
}

struct host *world_host(const struct world *world, const struct row_id *id)
{
	for (uint32_t i = 0; i < world->host_count; i++) {
		if (memcmp(&world->hosts[i].id, id, sizeof *id) == 0)
			return &world->hosts[i];
	}
	return NULL;
}

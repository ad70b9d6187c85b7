/* SPDX-License-Identifier: MIT */
/*
 * model.c - the rows of conformance on the simulator's hosts, routers and WireGuard, in virtual
 * time:
 *
 *   conformance-model ROWS          prints "name: outcome" for each row that the simulator can play
 *   conformance-model --tap ROWS    the same as cases, held against the outcomes of the table
 *
 * No agent runs on the hosts: what one would do is done to them.
 */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/host.h"
#include "tests/conformance/play.h"
#include "tests/homes.h"

#define HUB 0 /* of the world's hosts; the sides come behind it */
#define HOSTS (1 + ROWS_SIDES)
#define TRAFFIC_PORT 12
#define TRAFFIC_SIZE 100
#define SETTLE USEC_SECOND

struct model {
	const struct rows_entry *row;
	struct world *world;
	usec_t ready_at;
	uint64_t datagrams;               /* until then */
	struct endpoint told[ROWS_SIDES]; /* where the hub saw each of them */
	uint32_t spoken;
	uint32_t heard;
	/* Of plain datagrams that came to each host. */
	uint32_t received[HOSTS];
	struct endpoint observed[HOSTS];
};

static struct host *side_host(struct model *model, unsigned side)
{
	return &model->world->hosts[1 + side];
}

static struct key private_of(uint32_t number)
{
	/* Not in the first byte, of which a curve drops the low bits. */
	return (struct key){{0, (uint8_t)(number + 1)}};
}

static struct key public_of(uint32_t number)
{
	const struct key private_key = private_of(number);
	struct key key;
	int r = crypto_scalarmult_base(key.bytes, private_key.bytes);

	assert(r == 0);
	return key;
}

static struct prefix subnet(uint32_t number)
{
	return (struct prefix){address_ipv4(0x0a640000 + 256 * number), 24};
}

static struct address overlay(uint32_t number)
{
	return address_ipv4(0x0a640001 + 256 * number);
}

/* What a host does. */

static void set_device(struct host *host, enum site_interface interface)
{
	const struct site_action action = {
		.kind = SITE_DEVICE, .interface = interface, .device = private_of(host->number)};

	host_perform(host, &action);
}

static void set_address(struct host *host, enum site_interface interface)
{
	const struct site_action action = {.kind = SITE_ADDRESS,
		.interface = interface,
		.address = {.address = overlay(host->number)}};

	host_perform(host, &action);
}

static void set_peer(struct host *host, enum site_interface interface, uint32_t peer,
	const struct endpoint *endpoint, uint16_t keepalive)
{
	struct site_action action = {.kind = SITE_PEER,
		.interface = interface,
		.peer = {.key = public_of(peer), .keepalive = keepalive}};

	if (endpoint) {
		action.peer.set_endpoint = true;
		action.peer.port = endpoint->port;
		address_print(&endpoint->address, action.peer.host);
	}
	host_perform(host, &action);
}

static void allow(struct host *host, enum site_interface interface, uint32_t peer,
	const struct prefix *prefix)
{
	const struct site_action action = {.kind = SITE_ALLOW,
		.interface = interface,
		.allow = {.key = public_of(peer), .prefix = *prefix}};

	host_perform(host, &action);
}

static void know(struct host *host, enum site_interface interface, uint32_t peer)
{
	const struct prefix prefix = subnet(peer);

	set_peer(host, interface, peer, NULL, 0);
	allow(host, interface, peer, &prefix);
}

static void forget(struct host *host, uint32_t peer)
{
	const struct site_action action = {.kind = SITE_PEER_REMOVE,
		.interface = SITE_LINKS,
		.allow = {.key = public_of(peer)}};

	host_perform(host, &action);
}

static void set_route(struct host *host, const struct prefix *prefix, enum site_route_kind kind)
{
	const struct site_action action = {
		.kind = SITE_ROUTE, .route = {.prefix = *prefix, .kind = kind}};

	host_perform(host, &action);
}

static void send_plain(struct host *host, const struct endpoint *to, uint8_t ttl)
{
	const struct site_action action = {.kind = SITE_SEND_OUTSIDE,
		.interface = SITE_LINKS,
		.outside = {.to = *to, .ttl = ttl, .size = 16}};

	host_perform(host, &action);
}

/* The stage. */

static void note_received(
	struct world *world, struct host *host, const struct packet *packet, void *context)
{
	struct model *model = context;

	(void)world;
	if (packet->kind != PACKET_PLAIN)
		return;
	model->received[host->number]++;
	model->observed[host->number] = packet->source;
}

static void note_inner(struct world *world, struct host *host, enum site_interface interface,
	const struct inner *inner, void *context)
{
	struct model *model = context;

	(void)world;
	(void)interface;
	if (inner->destination.port == TRAFFIC_PORT &&
		address_equal(&inner->destination.address, &host->overlay))
		model->heard++;
}

static int64_t model_now_ms(void *context)
{
	const struct model *model = context;

	return (model->world->now - model->ready_at) / USEC_MSEC;
}

static void model_wait_until(void *context, int64_t ms)
{
	struct model *model = context;

	world_run(model->world, model->ready_at + ms * USEC_MSEC);
}

/* Packets to the other site go to it directly, or by the hub. */
static void turn(struct model *model, unsigned side, bool direct)
{
	struct host *host = side_host(model, side);
	uint32_t other = 1 + !side;
	const struct prefix prefix = subnet(other);

	if (model->row->two_interfaces)
		set_route(host, &prefix, direct ? SITE_ROUTE_LINKS : SITE_ROUTE_BACKBONE);
	else
		allow(host, SITE_BACKBONE, direct ? other : HUB, &prefix);
}

static void model_act(void *context, unsigned side, enum rows_act act, uint32_t number)
{
	struct model *model = context;
	struct host *host = side_host(model, side);
	uint32_t other = 1 + !side;
	struct endpoint told = model->told[!side];

	switch (act) {
	case ROWS_KNOW:
		know(host, SITE_LINKS, other);
		break;
	case ROWS_BEGIN:
		set_peer(host, SITE_LINKS, other, &told, PLAY_KEEPALIVE_S);
		break;
	case ROWS_OPEN:
		send_plain(host, &told, PLAY_OPENER_TTL);
		break;
	case ROWS_REST:
		forget(host, other);
		know(host, SITE_LINKS, other);
		break;
	case ROWS_MOVE:
		told.port = (uint16_t)(told.port + number % 2);
		set_peer(host, SITE_LINKS, other, &told, PLAY_KEEPALIVE_S);
		break;
	case ROWS_RESTART:
		set_peer(host, SITE_LINKS, other, NULL, 0);
		set_peer(host, SITE_LINKS, other, &told, PLAY_KEEPALIVE_S);
		break;
	case ROWS_RENEW:
		forget(host, other);
		set_peer(host, SITE_LINKS, other, &told, PLAY_KEEPALIVE_S);
		break;
	case ROWS_DIRECT:
	case ROWS_BACK:
		turn(model, side, act == ROWS_DIRECT);
		break;
	case ROWS_ACTS:
		break;
	}
}

static struct wireguard_statistics statistics(struct model *model, unsigned side)
{
	struct wireguard_statistics result = {.last_handshake = -1};
	struct key other = public_of(1 + !side);

	(void)wireguard_peer(side_host(model, side)->links, &other, &result);
	return result;
}

static bool model_has_heard(void *context, unsigned side)
{
	return statistics(context, side).rx_bytes > 0;
}

static int64_t model_met_ms(void *context)
{
	const struct model *model = context;
	usec_t first = statistics(context, 0).last_handshake;
	usec_t second = statistics(context, 1).last_handshake;

	if (first < 0 || second < 0)
		return PLAY_NOT_MET;
	return ((first > second ? first : second) - model->ready_at) / USEC_MSEC;
}

static uint32_t model_initiations(void *context)
{
	const struct model *model = context;

	/* Nobody answers: whatever was sent was an initiation. */
	return (uint32_t)(model->world->datagrams - model->datagrams);
}

static void model_speak(void *context)
{
	struct model *model = context;

	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		struct inner inner = {.source = {overlay(1 + side), TRAFFIC_PORT},
			.destination = {overlay(1 + !side), TRAFFIC_PORT},
			.size = TRAFFIC_SIZE};

		model->spoken++;
		(void)host_transmit(side_host(model, side), &inner);
	}
}

static void model_settle(void *context)
{
	struct model *model = context;

	world_run(model->world, model->world->now + SETTLE);
}

static uint32_t model_lost(void *context)
{
	const struct model *model = context;

	return model->spoken - model->heard;
}

static struct router_options router_of(const char *type)
{
	int i = PUBLIC;

	while (i < HOME_TYPES_NAMED && strcmp(home_name((enum home_type)i), type) != 0)
		i++;
	assert(i < HOME_TYPES_NAMED);
	return home_router((enum home_type)i);
}

static void build(struct model *model)
{
	const struct world_options options = {.seed = 1, .sites = HOSTS};
	struct world *world = world_new(&options);

	model->world = world;
	world->context = model;
	world->received = note_received;
	world->tunnelled = note_inner;
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct host *host = &world->hosts[i];

		host->up.options.delay = 0;
		host->down.options.delay = 0;
		if (i > HUB && strcmp(model->row->types[i - 1], "public") != 0) {
			const struct router_options router = router_of(model->row->types[i - 1]);

			world_add_router(world, i, &router, false);
		}
		host->powered = true;
		set_device(host, SITE_BACKBONE);
		set_device(host, SITE_LINKS);
	}
	/* As in the lane, where one end's line has it all. */
	world->hosts[1].up.options.delay = model->row->delay_ms * USEC_MSEC;
	world->hosts[1].down.options.delay = model->row->delay_ms * USEC_MSEC;
}

/* Each side learns where the hub sees it. */
static void reflect(struct model *model)
{
	const struct endpoint hub = model->world->hosts[HUB].local;

	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		send_plain(side_host(model, side), &hub, 0);
		world_run(model->world, model->world->now + SETTLE);
		assert(model->received[HUB] == 1 + side);
		model->told[side] = model->observed[HUB];
	}
}

/* Both reach each other by the hub, and have a session with each other beside it. */
static void build_ways(struct model *model)
{
	struct host *hub = &model->world->hosts[HUB];
	enum site_interface beside = model->row->two_interfaces ? SITE_LINKS : SITE_BACKBONE;
	const struct prefix near = subnet(HUB);

	set_address(hub, SITE_BACKBONE);
	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		struct host *host = side_host(model, side);
		uint32_t other = 1 + !side;
		const struct prefix own = subnet(1 + side);
		const struct prefix there = subnet(other);
		const struct endpoint direct = beside == SITE_LINKS
						       ? model->world->hosts[other].links_local
						       : model->world->hosts[other].local;

		know(hub, SITE_BACKBONE, 1 + side);
		set_route(hub, &own, SITE_ROUTE_BACKBONE);
		set_address(host, SITE_BACKBONE);
		if (model->row->both_addressed)
			set_address(host, SITE_LINKS);
		/* Before the other one begins, so that it finds itself known. */
		set_peer(host, beside, other, NULL, 0);
		if (beside == SITE_LINKS)
			allow(host, beside, other, &there);
		set_peer(host, SITE_BACKBONE, HUB, &hub->local, PLAY_KEEPALIVE_S);
		allow(host, SITE_BACKBONE, HUB, &near);
		allow(host, SITE_BACKBONE, HUB, &there);
		set_route(host, &there, SITE_ROUTE_BACKBONE);
		if (side == 1)
			set_peer(host, beside, other, &direct, PLAY_KEEPALIVE_S);
	}
	world_run(model->world, model->world->now + SETTLE);
}

/* In the words of probe.py. */
static void play_port(struct model *model, char ret[static PLAY_CLASS_SIZE])
{
	struct host *home = side_host(model, 0);
	struct host *peer = side_host(model, 1);
	const struct endpoint told = {world_outside(model->world, 1), home->links_local.port};
	const char *port;
	uint32_t early;

	if (model->row->peer_first)
		send_plain(peer, &told, 0);
	model_wait_until(model, 100);
	early = model->received[1];
	send_plain(home, &peer->links_local, 0);
	model_wait_until(model, 200);
	port = model->received[2] == 0                      ? "none"
	       : endpoint_equal(&model->observed[2], &told) ? "kept"
							    : "another";
	send_plain(peer, &told, 0);
	model_wait_until(model, 300);
	(void)snprintf(ret, PLAY_CLASS_SIZE, "%s, %s", port,
		model->received[1] > early ? "arrive" : "lost");
}

static void play_on_model(const struct rows_entry *row, char ret[static PLAY_CLASS_SIZE])
{
	struct model model = {.row = row};
	const struct stage stage = {
		.context = &model,
		.pause_ms = 10,
		.now_ms = model_now_ms,
		.wait_until = model_wait_until,
		.act = model_act,
		.has_heard = model_has_heard,
		.met_ms = model_met_ms,
		.initiations = model_initiations,
		.speak = model_speak,
		.settle = model_settle,
		.lost = model_lost,
	};

	build(&model);
	if (row->kind == ROWS_SWITCH)
		build_ways(&model);
	else if (row->kind != ROWS_PORT)
		reflect(&model);
	model.ready_at = model.world->now;
	model.datagrams = model.world->datagrams;
	if (row->kind == ROWS_PORT)
		play_port(&model, ret);
	else
		play(row, &stage, ret);
	world_free(model.world);
}

int main(int argc, char **argv)
{
	static struct rows_entry rows[ROWS_MAX];
	bool tap = argc == 3 && strcmp(argv[1], "--tap") == 0;
	uint32_t played = 0;
	uint32_t failed = 0;
	uint32_t count;

	if (argc != 2 + tap || sodium_init() < 0)
		return EXIT_FAILURE;
	count = rows_read(argv[1 + tap], rows);
	for (uint32_t i = 0; i < count; i++) {
		char outcome[PLAY_CLASS_SIZE];
		bool equal;

		if (!rows_has_model(&rows[i]))
			continue;
		play_on_model(&rows[i], outcome);
		equal = strcmp(outcome, rows[i].outcome) == 0;
		played++;
		failed += !equal;
		if (!tap)
			(void)printf("%s: %s\n", rows[i].name, outcome);
		else if (equal)
			(void)printf("ok %u - %s: %s\n", played, rows[i].name, outcome);
		else
			(void)printf("not ok %u - %s: %s, not %s\n", played, rows[i].name, outcome,
				rows[i].outcome);
	}
	if (tap)
		(void)printf("1..%u\n", played);
	return tap && failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

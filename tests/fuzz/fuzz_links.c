/* SPDX-License-Identifier: MIT */
/*
 * fuzz_links.c - a hub and three members with direct links, and whatever can be done to them: time,
 * datagrams in and out of the tunnel, letters and probes by a member that has real keys and keeps
 * to nothing, what WireGuard and the machine say, commands, restarts. What must hold is looked at
 * after every step of every host.
 *
 * Two bytes say which homes there are and when links are wanted. An event is four bytes and what
 * belongs to it: what happens, to whom and from whom, how many bytes follow (two).
 */
#include <string.h>

#include "gossip/field.h"
#include "simulator/router.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/hostile.h"
#include "tests/fuzz/watch.h"

#define SITES WATCH_SITES
#define EVENTS_MAX 48
#define STEPS_MAX 3000 /* of all hosts: no input takes long */
#define LONG_MAX 700   /* seconds that may pass in all, in steps of a second */
#define HOMES 6

enum happening {
	PASSES,
	PASSES_LONG,
	HEARS,
	HEARS_CHANGED,
	IS_OFFERED,
	IS_ANSWERED,
	IS_PROBED,
	IS_REFLECTED,
	HEARS_OUTSIDE,
	HEARS_WORD,
	IS_PASSED,
	COUNTS,
	SEES_TRAFFIC,
	MOVES,
	IS_TOLD,
	RESTARTS,
	IS_POWERED,
	PINGS,
	IS_WALLED,
	IS_RENUMBERED,
	HAPPENINGS,
};

struct event {
	uint8_t which; /* to whom, from whom, and two flags */
	struct feed feed;
};

struct run {
	struct world *world;
	struct watch watch;
	uint32_t seconds;
};

static struct host *target(const struct run *run, const struct event *event)
{
	return &run->world->hosts[event->which % SITES];
}

static struct host *other(const struct run *run, const struct event *event)
{
	return &run->world->hosts[event->which / 4 % SITES];
}

/* What comes. */

static void deliver(struct host *to, const struct host *from, enum site_interface interface,
	uint16_t port, const uint8_t *bytes, size_t size)
{
	struct site_event heard = {.kind = SITE_EVENT_DATAGRAM};
	/* A block of exactly this size, so that reading beyond it is seen. */
	uint8_t *exact = malloc(size + 1);

	REQUIRE(exact);
	memcpy(exact + 1, bytes, size);
	heard.datagram.interface = interface;
	heard.datagram.from = (struct endpoint){from->overlay, port};
	heard.datagram.port = port;
	heard.datagram.bytes = exact + 1;
	heard.datagram.size = size;
	host_event(to, &heard);
	free(exact);
}

static void deliver_outside(struct run *run, struct host *to, const struct event *event,
	const struct endpoint *from, const uint8_t *bytes, size_t size)
{
	struct site_event heard = {.kind = SITE_EVENT_OUTSIDE};
	uint8_t *exact = malloc(size + 1);

	REQUIRE(exact);
	memcpy(exact + 1, bytes, size);
	heard.outside.interface = event->which & 128 ? SITE_BACKBONE : SITE_LINKS;
	heard.outside.from = *from;
	heard.outside.bytes = exact + 1;
	heard.outside.size = size;
	watch_outside(&run->watch, to, &heard);
	host_event(to, &heard);
	free(exact);
}

static enum site_interface interface_of(const struct event *event)
{
	return event->which & 64 ? SITE_LINKS : SITE_BACKBONE;
}

static void pass(struct run *run, struct event *event)
{
	world_run(run->world, run->world->now + (event->which + 1) * 20 * USEC_MSEC);
}

static void pass_long(struct run *run, struct event *event)
{
	uint32_t seconds = event->which + 1u;

	if (run->seconds + seconds > LONG_MAX)
		return;
	run->seconds += seconds;
	world_run(run->world, run->world->now + (usec_t)seconds * USEC_SECOND);
}

static void hear(struct run *run, struct event *event)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	uint8_t how = feed_byte(&event->feed);
	size_t size;

	if (how & 1)
		size = hostile_message(&event->feed, run->world,
			(enum envelope_type)(ENVELOPE_OFFER + how / 2 % 8), bytes);
	else
		size = feed_rest(&event->feed, bytes, sizeof bytes);
	deliver(target(run, event), other(run, event), interface_of(event), SITE_PORT, bytes, size);
}

/* Something that it heard before, with bytes changed: pairs of a place and what is added there. */
static void hear_changed(struct run *run, struct event *event)
{
	struct host *host = target(run, event);
	struct inner changed;
	uint32_t back = feed_byte(&event->feed);

	if (back >= host->heard_count)
		return;
	changed = host->heard[host->heard_count - 1 - back];
	while (event->feed.size >= 2 && changed.size > 0) {
		size_t at = feed_byte(&event->feed) * 5u % changed.size;

		changed.bytes[at] += feed_byte(&event->feed);
	}
	deliver(host, other(run, event), interface_of(event), SITE_PORT, changed.bytes,
		changed.size);
}

static void write_letter(
	struct run *run, struct event *event, bool answer, struct hostile_letter *ret)
{
	hostile_letter(ret, &event->feed, other(run, event), target(run, event), answer);
	for (uint32_t i = 0; i < ret->proven_count; i++)
		watch_prove(&run->watch, target(run, event), &ret->proven[i]);
}

static void be_written_to(struct run *run, struct event *event, bool answer)
{
	struct hostile_letter letter;

	write_letter(run, event, answer, &letter);
	if (letter.size > 0)
		deliver(target(run, event), other(run, event), interface_of(event), SITE_PORT,
			letter.bytes, letter.size);
}

static void be_offered(struct run *run, struct event *event)
{
	be_written_to(run, event, false);
}

static void be_answered(struct run *run, struct event *event)
{
	be_written_to(run, event, true);
}

/* By whoever is neither of the two, to one of them. */
static void be_passed(struct run *run, struct event *event)
{
	uint8_t how = feed_byte(&event->feed);
	struct host *third = &run->world->hosts[how % SITES];
	struct hostile_letter letter;

	write_letter(run, event, how & 16, &letter);
	if (letter.size == 0)
		return;
	if (how & 4)
		hostile_enclose(&letter, run->world, ENVELOPE_PASSED, other(run, event));
	else
		hostile_enclose(&letter, run->world, ENVELOPE_PASS, target(run, event));
	if (letter.size == 0)
		return;
	deliver(how & 4 ? target(run, event) : third, how & 4 ? third : other(run, event),
		how & 8 ? SITE_BACKBONE : SITE_LINKS, SITE_PORT, letter.bytes, letter.size);
}

static void hear_word(struct run *run, struct event *event)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	size_t size = hostile_word(&event->feed, target(run, event), &other(run, event)->id, bytes);

	if (size > 0)
		deliver(target(run, event), other(run, event), interface_of(event), SITE_PORT,
			bytes, size);
}

static void be_probed(struct run *run, struct event *event)
{
	uint8_t bytes[SEAL_DATAGRAM_MAX];
	struct endpoint from = feed_endpoint(&event->feed, run->world);
	size_t size = hostile_probe(
		&event->feed, target(run, event), &other(run, event)->id, bytes);

	if (size > 0)
		deliver_outside(run, target(run, event), event, &from, bytes, size);
}

static void be_reflected(struct run *run, struct event *event)
{
	uint8_t bytes[SEAL_DATAGRAM_MAX];
	struct endpoint from = feed_endpoint(&event->feed, run->world);
	size_t size = hostile_reflection(&event->feed, target(run, event), bytes);

	if (size > 0)
		deliver_outside(run, target(run, event), event, &from, bytes, size);
}

static void hear_outside(struct run *run, struct event *event)
{
	uint8_t bytes[2 * SEAL_DATAGRAM_MAX] = {0};
	struct endpoint from = feed_endpoint(&event->feed, run->world);
	size_t size = 0;

	if (event->which & 64) {
		size = SEAL_MAGIC_SIZE;
		memcpy(bytes, seal_magic, size);
	}
	size += feed_rest(&event->feed, bytes + size, sizeof bytes - size);
	deliver_outside(run, target(run, event), event, &from, bytes, size);
}

/* What the machine says. */

static void count(struct run *run, struct event *event)
{
	struct host *host = target(run, event);
	struct wireguard *wireguard = event->which & 64 ? host->backbone : host->links;
	uint32_t peers = wireguard ? wireguard_peer_count(wireguard) : 0;
	struct site_statistics seen[4];
	struct site_event counted = {.kind = SITE_EVENT_STATISTICS};

	counted.statistics.interface = event->which & 64 ? SITE_BACKBONE : SITE_LINKS;
	counted.statistics.count = event->which / 4 % 5;
	counted.statistics.peers = seen;
	for (uint32_t i = 0; i < counted.statistics.count; i++) {
		uint8_t how = feed_byte(&event->feed);

		seen[i] = (struct site_statistics){.has_endpoint = how & 1};
		if (peers > 0 && how < 240)
			seen[i].peer = *wireguard_peer_at(wireguard, how / 2 % peers);
		seen[i].rx_bytes = feed_number(&event->feed);
		seen[i].tx_bytes = feed_number(&event->feed);
		seen[i].handshake = how & 128 ? feed_number(&event->feed) : host_wall(host);
		seen[i].endpoint = feed_endpoint(&event->feed, run->world);
	}
	host_event(host, &counted);
}

static void see_traffic(struct run *run, struct event *event)
{
	struct host *host = target(run, event);
	struct prefix prefixes[3];
	struct site_event seen = {.kind = SITE_EVENT_TRAFFIC};

	seen.traffic.count = event->which / 4 % 4;
	seen.traffic.items = prefixes;
	for (uint32_t i = 0; i < seen.traffic.count; i++) {
		uint8_t which = feed_byte(&event->feed);

		prefixes[i] = world_subnet(run->world, which % SITES);
		if (which >= 192)
			prefixes[i] = (struct prefix){
				address_ipv4(0xac100000u + (which % SITES << 8)), 24};
		if (which >= 240)
			prefixes[i].length = which % 33;
	}
	host_event(host, &seen);
}

/* Its own addresses, its ports, its router's word, and whether it hears at all. */
static void move(struct run *run, struct event *event)
{
	struct host *host = target(run, event);
	struct site_own_address own[BEHAVIOUR_LOCALS_MAX + 4];
	struct site_event moved = {.kind = SITE_EVENT_PLACES};
	uint8_t how = feed_byte(&event->feed);

	moved.places.ports[SITE_BACKBONE] = host->local.port;
	moved.places.ports[SITE_LINKS] = how & 1 ? (uint16_t)feed_number(&event->feed)
						 : host->links_local.port;
	moved.places.deaf = how & 2;
	if (how & 4)
		moved.places.mapped = feed_endpoint(&event->feed, run->world);
	moved.places.count = feed_byte(&event->feed) % (BEHAVIOUR_LOCALS_MAX + 5);
	moved.places.items = own;
	for (uint32_t i = 0; i < moved.places.count; i++)
		own[i] = (struct site_own_address){
			.address = feed_endpoint(&event->feed, run->world).address,
			.containers = i % 8 == 7};
	if (how & 8)
		own[0] = (struct site_own_address){.address = host->local.address};
	if (how & 8 && moved.places.count == 0)
		moved.places.count = 1;
	host_event(host, &moved);
}

static void be_told(struct run *run, struct event *event)
{
	static const enum site_command_kind kinds[] = {SITE_COMMAND_LINK, SITE_COMMAND_UNLINK,
		SITE_COMMAND_WHY, SITE_COMMAND_NETCHECK, SITE_COMMAND_LINK, SITE_COMMAND_PING,
		SITE_COMMAND_ROTATE, SITE_COMMAND_EXPEL, SITE_COMMAND_ENDPOINTS,
		SITE_COMMAND_SURVEY, SITE_COMMAND_LEAVE, SITE_COMMAND_DOWN};
	struct site_command command = {.request = 1, .text = ""};
	uint8_t how = feed_byte(&event->feed);

	command.kind = kinds[how % (sizeof kinds / sizeof kinds[0])];
	/* What a client may ask for. */
	command.lifetime_ms = event->which & 64 ? feed_number(&event->feed) & FIELD_TIME_MAX : 0;
	memcpy(command.name, other(run, event)->name, sizeof command.name);
	if (event->which & 128 && command.kind == SITE_COMMAND_WHY)
		command.text = run->world->hosts[feed_byte(&event->feed) % SITES].name;
	if (command.kind == SITE_COMMAND_ENDPOINTS) {
		struct endpoint endpoint = feed_endpoint(&event->feed, run->world);

		command.endpoint_count = 1;
		command.endpoints[0].port = endpoint.port;
		address_print(&endpoint.address, command.endpoints[0].host);
	}
	host_command(target(run, event), &command);
}

/* Each only remembers what it hears: the turns of one who repeats it do not begin. */
static void start(struct host *host, void (*how)(struct host *host, bool on))
{
	host->mischief = MISCHIEF_NONE;
	how(host, true);
	host->mischief = MISCHIEF_REPLAY;
}

static void restart(struct run *run, struct event *event)
{
	struct host *host = target(run, event);

	if (event->which & 64) {
		host_suspend(host);
		return;
	}
	host_run(host, false);
	if (!host->powered)
		return;
	if (event->which & 128)
		world_run(run->world, run->world->now + USEC_SECOND);
	start(host, host_run);
}

static void be_powered(struct run *run, struct event *event)
{
	struct host *host = target(run, event);

	if (host->powered)
		host_power(host, false);
	else
		start(host, host_power);
}

static void ping(struct run *run, struct event *event)
{
	for (int i = 0; i < 1 + event->which / 64; i++) {
		host_ping(target(run, event), other(run, event));
		world_run(run->world, run->world->now + 10 * USEC_MSEC);
	}
}

static void be_walled(struct run *run, struct event *event)
{
	uint32_t a = target(run, event)->number;
	uint32_t b = other(run, event)->number;

	world_wall(run->world, a, b, !(event->which & 64));
	if (event->which & 128)
		world_wall(run->world, b, a, !(event->which & 64));
}

static void be_renumbered(struct run *run, struct event *event)
{
	struct host *host = target(run, event);

	if (!host->router)
		return;
	if (event->which & 64)
		router_reboot(host->router);
	else
		world_renumber(run->world, host->number);
}

static void (*const plays[HAPPENINGS])(struct run *run, struct event *event) = {
	[PASSES] = pass,
	[PASSES_LONG] = pass_long,
	[HEARS] = hear,
	[HEARS_CHANGED] = hear_changed,
	[IS_OFFERED] = be_offered,
	[IS_ANSWERED] = be_answered,
	[IS_PROBED] = be_probed,
	[IS_REFLECTED] = be_reflected,
	[HEARS_OUTSIDE] = hear_outside,
	[HEARS_WORD] = hear_word,
	[IS_PASSED] = be_passed,
	[COUNTS] = count,
	[SEES_TRAFFIC] = see_traffic,
	[MOVES] = move,
	[IS_TOLD] = be_told,
	[RESTARTS] = restart,
	[IS_POWERED] = be_powered,
	[PINGS] = ping,
	[IS_WALLED] = be_walled,
	[IS_RENUMBERED] = be_renumbered,
};

/* Beginning. */

static void add_home(struct world *world, uint32_t number, unsigned type)
{
	struct router_options options = {
		.mapping = ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
		.allocation = ROUTER_PORT_KEPT,
		.input = type == 2 ? ROUTER_INPUT_ACCEPT : ROUTER_INPUT_DROP,
		.timeout_new = 30 * USEC_SECOND,
		.timeout_assured = 120 * USEC_SECOND,
		.assured_after = 2 * USEC_SECOND,
	};

	if (type == 0)
		return;
	if (type == 3 || type == 4)
		options.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT;
	if (type == 3)
		options.allocation = ROUTER_PORT_RANDOM;
	if (type == 4)
		options.allocation = ROUTER_PORT_SEQUENTIAL;
	world_add_router(world, number, &options, type == 5);
}

static void begin(struct run *run, uint8_t homes, uint8_t how)
{
	const struct world_options options = {
		.seed = 1, .sites = SITES, .links = true, .when = (enum site_when)(how / 8 % 3)};

	run->world = world_new(&options);
	run->seconds = 0;
	add_home(run->world, 1, homes % HOMES);
	add_home(run->world, 2, homes / HOMES % HOMES);
	add_home(run->world, 3, homes / (HOMES * HOMES) % HOMES);
	world_found(run->world, true);
	watch_begin(&run->watch, run->world);
	for (uint32_t i = 0; i < SITES; i++) {
		run->world->hosts[i].options.links.publishes = how & 1 && i == 3;
		start(&run->world->hosts[i], host_power);
	}
	world_run(run->world, how & 2 ? 3 * USEC_SECOND : 300 * USEC_MSEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;

	if (size < 2)
		return 0;
	begin(&run, data[0], data[1]);
	data += 2;
	size -= 2;
	for (uint32_t i = 0; i < EVENTS_MAX && size >= 4 && run.world->steps < STEPS_MAX; i++) {
		size_t length = (size_t)data[2] << 8 | data[3];
		struct event event = {.which = data[1], .feed = {.bytes = data + 4}};

		event.feed.size = length < size - 4 ? length : size - 4;
		length = event.feed.size;
		watch_event(&run.watch);
		plays[data[0] % HAPPENINGS](&run, &event);
		watch_check(run.world);
		data += 4 + length;
		size -= 4 + length;
	}
	watch_end(run.world);
	world_free(run.world);
	return 0;
}

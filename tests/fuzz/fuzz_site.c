/* SPDX-License-Identifier: MIT */
/*
 * fuzz_site.c - anything that can happen to a hub and three spokes, in any order: bytes out of the
 * tunnel, real messages with some bytes changed, commands, statistics, time, restarts. After each,
 * what must always be true is checked.
 *
 * An event is four bytes and what belongs to it: what happens, to whom and from whom, how many
 * bytes follow (two).
 */
#include <string.h>

#include "simulator/host.h"
#include "tests/fuzz/fuzz.h"

#define SITES 4
#define EVENTS_MAX 64

enum happening { PASSES, HEARS, HEARS_CHANGED, IS_TOLD, COUNTS, RESTARTS, HAPPENINGS };

struct event {
	enum happening what;
	uint8_t which;
	const uint8_t *bytes;
	size_t size;
};

static void check(const struct host *host)
{
	struct site_limit limit;

	for (uint32_t i = 0; host->running && site_limit(host->site, i, &limit); i++)
		REQUIRE(limit.used <= limit.most);
}

static void hear(struct world *world, struct host *host, const struct event *event,
	const uint8_t *bytes, size_t size)
{
	const struct host *from = &world->hosts[event->which / 4 % SITES];
	struct site_event heard = {.kind = SITE_EVENT_DATAGRAM};

	heard.datagram.from.address = event->which >= 128 ? address_ipv4(0xa9fe4d01)
							  : from->overlay;
	heard.datagram.port = event->which & 64 ? SITE_JOIN_PORT : SITE_PORT;
	heard.datagram.bytes = bytes;
	heard.datagram.size = size;
	host_event(host, &heard);
}

/* Something that it heard before, with bytes changed: pairs of a place and what is added there. */
static void hear_changed(struct world *world, struct host *host, const struct event *event)
{
	struct inner changed;

	if (host->heard_count == 0 || event->size == 0)
		return;
	changed = host->heard[event->bytes[0] % host->heard_count];
	for (size_t i = 1; i + 1 < event->size && changed.size > 0; i += 2)
		changed.bytes[event->bytes[i] * 5u % changed.size] += event->bytes[i + 1];
	hear(world, host, event, changed.bytes, changed.size);
}

static void tell(struct host *host, const struct event *event)
{
	struct site_command command = {.request = 1, .text = ""};
	char text[INVITE_TEXT_SIZE] = "";
	size_t size = event->size < sizeof text ? event->size : sizeof text - 1;

	if (size > 0)
		memcpy(text, event->bytes, size);
	command.kind = (enum site_command_kind)(event->which / 4 % SITE_COMMANDS);
	command.text = text;
	memcpy(command.name, text, sizeof command.name - 1);
	command.approval = event->which >= 128;
	if (size >= 8) {
		command.routes = (struct prefixes){
			1, {{address_ipv4(0xac100000 + ((uint32_t)event->bytes[0] << 8)), 24}}};
		command.key.bytes[0] = event->bytes[7];
	}
	host_command(host, &command);
}

static void count(struct host *host, const struct event *event)
{
	struct site_statistics seen = {.has_endpoint = event->which & 4};
	struct site_event counted = {.kind = SITE_EVENT_STATISTICS};
	uint32_t peers = host->backbone ? wireguard_peer_count(host->backbone) : 0;

	if (peers > 0)
		seen.peer = *wireguard_peer_at(host->backbone, event->which / 8 % peers);
	seen.endpoint = (struct endpoint){address_ipv4(0xcb007100 + event->which), 51821};
	seen.rx_bytes = event->size > 0 ? (uint64_t)event->bytes[0] << 8 : 1;
	seen.handshake = host_wall(host);
	counted.statistics.count = 1;
	counted.statistics.peers = &seen;
	host_event(host, &counted);
}

static void play(struct world *world, const struct event *event)
{
	struct host *host = &world->hosts[event->which % SITES];

	switch (event->what) {
	case PASSES:
		world_run(world, world->now + (event->which + 1) * 50 * USEC_MSEC);
		break;
	case HEARS:
		hear(world, host, event, event->bytes, event->size);
		break;
	case HEARS_CHANGED:
		hear_changed(world, host, event);
		break;
	case IS_TOLD:
		tell(host, event);
		break;
	case COUNTS:
		count(host, event);
		break;
	case RESTARTS:
		host_run(host, false);
		host_run(host, true);
		break;
	case HAPPENINGS:
		break;
	}
	for (uint32_t i = 0; i < SITES; i++)
		check(&world->hosts[i]);
}

static struct world *begin(void)
{
	const struct world_options options = {.seed = 1, .sites = SITES};
	struct world *world = world_new(&options);

	world_found(world, false);
	for (uint32_t i = 0; i < SITES; i++) {
		host_power(&world->hosts[i], true);
		/* Only remembers what it hears: its turns do not begin. */
		world->hosts[i].mischief = MISCHIEF_REPLAY;
	}
	world_run(world, USEC_SECOND);
	return world;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *world = begin();

	for (uint32_t i = 0; i < EVENTS_MAX && size >= 4; i++) {
		struct event event = {.what = (enum happening)(data[0] % HAPPENINGS),
			.which = data[1],
			.bytes = data + 4,
			.size = ((size_t)data[2] << 8 | data[3]) % (MESSAGE_SIZE_MAX + 1)};

		if (event.size > size - 4)
			event.size = size - 4;
		data += 4 + event.size;
		size -= 4 + event.size;
		play(world, &event);
	}
	world_free(world);
	return 0;
}

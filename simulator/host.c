/* SPDX-License-Identifier: MIT */
/*
 * host.c - a machine that carries a site: what the agent does on a real one.
 */
#include "simulator/host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/record.h"
#include "simulator/flow.h"
#include "simulator/story.h"

#define PORT_PING 7
#define PORT_PONG 8
#define PING_SIZE 56
#define TRAFFIC_EVERY (250 * USEC_MSEC)

/* The brain and the store say the same words, in the same order: agent/keeper.c holds them
 * together. */
_Static_assert((int)SITE_TABLE_FLOOR == (int)STORE_FLOOR, "tables of the brain are the store's");
_Static_assert((int)SITE_KEY_ROOT == (int)STORE_KEY_ROOT, "keys of the brain are the store's");

static uint64_t host_wall_at(const struct host *host, usec_t at)
{
	return WORLD_WALL + (uint64_t)(at / USEC_MSEC) +
	       (uint64_t)(host->clock_ms + at / USEC_MSEC * host->drift / 1000000);
}

uint64_t host_wall(const struct host *host)
{
	return host_wall_at(host, host->world->now);
}

static struct wireguard **interface_of(struct host *host, enum site_interface interface)
{
	return interface == SITE_LINKS ? &host->links : &host->backbone;
}

/* Timers. */

static void schedule(struct host *host)
{
	struct world *world = host->world;
	usec_t at = host->backbone ? wireguard_wakeup(host->backbone) : USEC_NEVER;

	if (host->links)
		at = usec_min(at, wireguard_wakeup(host->links));

	if (host->powered && at != USEC_NEVER && at < host->wireguard_at) {
		host->wireguard_at = at > world->now ? at : world->now;
		heap_push(&world->heap, host->wireguard_at, EVENT_WIREGUARD, host->number, NULL);
	}
	if (!host->running)
		return;
	at = site_wakeup(host->site);
	if (at < host->paused_until)
		at = host->paused_until;
	if (at != USEC_NEVER && at < host->site_at) {
		host->site_at = at > world->now ? at : world->now;
		heap_push(&world->heap, host->site_at, EVENT_SITE, host->number, NULL);
	}
}

void host_wireguard_timer(struct host *host, usec_t at)
{
	if (at != host->wireguard_at)
		return;
	host->wireguard_at = USEC_NEVER;
	if (!host->powered)
		return;
	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct wireguard *wireguard = *interface_of(host, (enum site_interface)i);

		if (wireguard)
			wireguard_step(wireguard, host->world->now);
	}
	schedule(host);
}

void host_site_timer(struct host *host, usec_t at)
{
	const struct site_event event = {.kind = SITE_EVENT_TIMER};

	if (at != host->site_at)
		return;
	host->site_at = USEC_NEVER;
	if (host->running)
		host_event(host, &event);
}

/* Inner packets. */

static bool is_ours(const struct host *host, const struct address *address)
{
	return host->overlay.family != ADDRESS_NONE && address_equal(&host->overlay, address);
}

/* The route that Linux would take: the longest prefix; the guard stands behind a real one. */
static const struct host_route *find_route(const struct host *host, const struct address *address)
{
	const struct host_route *best = NULL;

	for (uint32_t i = 0; i < host->route_count; i++) {
		const struct host_route *route = &host->routes[i];

		if (route->kind == SITE_ROUTE_OWN || !prefix_has_address(&route->prefix, address))
			continue;
		if (!best || route->prefix.length > best->prefix.length ||
			(route->prefix.length == best->prefix.length &&
				best->kind == SITE_ROUTE_GUARD))
			best = route;
	}
	return best;
}

/* What the agent sees of packets that go by the backbone: now and then one. */
static void notice_traffic(struct host *host, const struct address *address)
{
	struct site_event event = {.kind = SITE_EVENT_TRAFFIC};
	struct prefix watched;

	if (!host->running || host->world->now < host->traffic_at)
		return;
	for (uint32_t i = 0; site_watches(host->site, i, &watched); i++) {
		if (!prefix_has_address(&watched, address))
			continue;
		host->traffic_at = host->world->now + TRAFFIC_EVERY;
		event.traffic.count = 1;
		event.traffic.items = &watched;
		host_event(host, &event);
		return;
	}
}

bool host_transmit(struct host *host, const struct inner *inner)
{
	struct wireguard *through;
	const struct host_route *route = find_route(host, &inner->destination.address);

	if (!host->powered)
		return false;
	if (!route) {
		/* Out in clear by the default route: what the guards are there against. */
		if (prefix_has_address(&host->world->supernet, &inner->destination.address) ||
			(inner->destination.address.bytes[0] == 172 &&
				inner->destination.address.bytes[1] == 16))
			host->leaks++;
		return false;
	}
	through = route->kind == SITE_ROUTE_LINKS ? host->links : host->backbone;
	if (route->kind == SITE_ROUTE_GUARD || !through)
		return false;
	if (route->kind == SITE_ROUTE_BACKBONE)
		notice_traffic(host, &inner->destination.address);
	if (inner->destination.port == FLOW_PORT)
		host->flow_bytes += FLOW_ON_WIRE;
	(void)wireguard_transmit(through, host->world->now, inner);
	schedule(host);
	return true;
}

bool host_is_direct(const struct host *host, const struct host *to)
{
	const struct host_route *route = find_route(host, &to->overlay);

	return route && route->kind == SITE_ROUTE_LINKS;
}

void host_ping(struct host *host, const struct host *to)
{
	struct inner inner = {
		.source = {host->overlay, PORT_PONG},
		.destination = {to->overlay, PORT_PING},
		.size = PING_SIZE,
	};

	if (host->overlay.family == ADDRESS_NONE || to->overlay.family == ADDRESS_NONE)
		return;
	host->pings_sent++;
	(void)host_transmit(host, &inner);
}

/*
 * Where Linux, with rp_filter 2, lets in what comes by an interface without an address: only where
 * the way back leads through that very interface.
 */
static bool answers_by_links(const struct host *host, const struct inner *inner)
{
	const struct host_route *route = find_route(host, &inner->source.address);

	return route && route->kind == SITE_ROUTE_LINKS;
}

static void receive_inner(
	struct host *host, enum site_interface interface, const struct inner *inner)
{
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	struct inner reply = *inner;

	if (interface == SITE_LINKS && !host->links_addressed && !answers_by_links(host, inner))
		return;
	if (host->world->tunnelled)
		host->world->tunnelled(host->world, host, interface, inner, host->world->context);
	if (!is_ours(host, &inner->destination.address)) {
		/* Its table for what comes in by our interfaces has no default route. */
		if (host->hub && host->powered && find_route(host, &inner->destination.address) &&
			!host_meddles(host, inner))
			(void)host_transmit(host, inner);
		return;
	}
	if (inner->destination.port == FLOW_PORT) {
		flow_arrived(host, inner);
		return;
	}
	if (inner->destination.port == PORT_PING) {
		reply.source = inner->destination;
		reply.destination = inner->source;
		(void)host_transmit(host, &reply);
		return;
	}
	if (inner->destination.port == PORT_PONG) {
		host->pings_answered++;
		return;
	}
	if (!host->running || host->world->now < host->paused_until)
		return;
	host_remember(host, inner);
	event.datagram.interface = interface;
	event.datagram.from = inner->source;
	event.datagram.port = inner->destination.port;
	event.datagram.bytes = inner->bytes;
	event.datagram.size = inner->size;
	if (host->world->options.trace)
		story_datagram(host, &event);
	host_event(host, &event);
}

static void copy_inner(struct inner *to, const struct inner *from)
{
	memcpy(to, from, offsetof(struct inner, bytes) + from->size);
}

/* What WireGuard hands up while it works is looked at once it is done. */
static void deliver(void *context, const struct key *peer, const struct inner *inner)
{
	const struct host_end *end = context;
	struct host *host = end->host;
	struct inner *copy = malloc(offsetof(struct inner, bytes) + inner->size);

	(void)peer;
	assert(copy && host->inbox_count < WORLD_INBOX);
	copy_inner(copy, inner);
	host->inbox[host->inbox_count++] = (struct host_arrival){end->interface, copy};
}

static void send_packet(void *context, const struct packet *packet)
{
	const struct host_end *end = context;

	world_send(end->host, packet);
}

static void read_inbox(struct host *host)
{
	struct inner whole;

	for (uint32_t i = 0; i < host->inbox_count; i++) {
		memset(&whole, 0, offsetof(struct inner, bytes));
		copy_inner(&whole, host->inbox[i].inner);
		free(host->inbox[i].inner);
		receive_inner(host, host->inbox[i].interface, &whole);
	}
	host->inbox_count = 0;
}

/* A sealed datagram, as the agent picks them out on WireGuard's ports. */
static void receive_outside(
	struct host *host, enum site_interface interface, const struct packet *packet)
{
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};

	if (!host->running || host->world->now < host->paused_until ||
		!site_listens_outside(host->site))
		return;
	event.outside.interface = interface;
	event.outside.from = packet->source;
	event.outside.bytes = packet->inner.bytes;
	event.outside.size = packet->inner.size;
	host_event(host, &event);
}

void host_receive(struct host *host, const struct packet *packet)
{
	enum site_interface interface = packet->destination.port == host->local.port ? SITE_BACKBONE
										     : SITE_LINKS;
	struct wireguard *wireguard = *interface_of(host, interface);

	if (!host->powered || !wireguard)
		return;
	if (host->world->received)
		host->world->received(host->world, host, packet, host->world->context);
	if (packet->kind == PACKET_PLAIN)
		receive_outside(host, interface, packet);
	wireguard = *interface_of(host, interface);
	if (!wireguard)
		return;
	wireguard_receive(wireguard, host->world->now, packet);
	read_inbox(host);
	schedule(host);
}

/* Actions. */

static struct store_row row_of(const struct site_row *row)
{
	return (struct store_row){
		.table = (enum store_table)row->table,
		.kind = row->kind,
		.key_size = row->key_size,
		.key = row->key,
		.version = row->version,
		.bytes = row->bytes,
		.size = row->size,
		.remove = row->remove,
	};
}

void host_set_identity(struct host *host, const struct secret *identity)
{
	host->site_key = secret_public(identity);
	host->site_hash = hash_of(host->site_key.bytes, KEY_SIZE);
	host->id = row_id_of(&host->site_hash);
}

static int save_key(struct host *host, enum site_key_slot slot, const struct key *key)
{
	struct secret secret;

	if (host->full)
		return -ENOSPC;
	if (slot == SITE_KEY_IDENTITY) {
		secret_from_seed(&secret, key);
		host_set_identity(host, &secret);
	}
	return store_key_write(host->store, (enum store_key_slot)slot, key);
}

static void set_device(struct host *host, enum site_interface interface, const struct key *key)
{
	const struct wireguard_surroundings surroundings = {
		.context = &host->ends[interface], .send = send_packet, .deliver = deliver};
	struct wireguard **wireguard = interface_of(host, interface);

	if (key_is_zero(key)) {
		wireguard_free(*wireguard);
		*wireguard = NULL;
		return;
	}
	if (!*wireguard) {
		*wireguard = wireguard_new(
			interface == SITE_LINKS ? &host->links_prng : &host->prng, &surroundings);
		wireguard_set_wall(*wireguard, (int64_t)WORLD_WALL + host->clock_ms);
		wireguard_set_address(
			*wireguard, interface == SITE_LINKS ? &host->links_local : &host->local);
	}
	wireguard_set_key(*wireguard, host->world->now, key);
}

static void say_peer(struct host *host, const struct key *key)
{
	if (host->said_all)
		return;
	if ((host->said_count & (host->said_count - 1)) == 0)
		host->said = realloc(host->said,
			(host->said_count ? 2 * host->said_count : 1) * sizeof *host->said);
	assert(host->said);
	host->said[host->said_count++] = *key;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, KEY_SIZE);
}

/* What was said is sorted by now. */
static bool was_said(const struct host *host, const struct key *key)
{
	return host->said_count > 0 &&
	       bsearch(key, host->said, host->said_count, sizeof *host->said, by_bytes);
}

static void remove_peer(struct host *host, struct wireguard *wireguard, const struct key *key)
{
	const struct wireguard_change change = {.peer = *key, .remove = true};

	wireguard_change(wireguard, host->world->now, &change);
}

/* A new agent has told all that it wants: what an older one left behind goes. */
static void settle(struct host *host)
{
	host->said_all = true;
	if (host->said_count > 0)
		qsort(host->said, host->said_count, sizeof *host->said, by_bytes);
	for (int k = 0; k < SITE_INTERFACES; k++) {
		struct wireguard *wireguard = *interface_of(host, (enum site_interface)k);

		for (uint32_t i = wireguard ? wireguard_peer_count(wireguard) : 0; i > 0; i--) {
			struct key key = *wireguard_peer_at(wireguard, i - 1);

			if (!was_said(host, &key))
				remove_peer(host, wireguard, &key);
		}
	}
}

static void set_peer(struct host *host, const struct site_action *action)
{
	struct wireguard *wireguard = *interface_of(host, action->interface);
	struct wireguard_change change = {
		.peer = action->peer.key,
		.set_preshared = true,
		.preshared = action->peer.preshared,
		.set_keepalive = true,
		.keepalive = action->peer.keepalive,
	};

	if (!wireguard)
		return;
	if (action->peer.set_endpoint && address_parse(action->peer.host, strlen(action->peer.host),
						 &change.endpoint.address) == 0) {
		change.set_endpoint = true;
		change.endpoint.port = action->peer.port;
	}
	say_peer(host, &action->peer.key);
	wireguard_change(wireguard, host->world->now, &change);
}

static void allow(struct host *host, const struct site_action *action)
{
	const struct wireguard_change change = {.peer = action->allow.key,
		.update_only = true,
		.allowed_count = 1,
		.allowed = &action->allow.prefix};

	struct wireguard *wireguard = *interface_of(host, action->interface);

	if (wireguard)
		wireguard_change(wireguard, host->world->now, &change);
}

/* WireGuard of this age cannot take one prefix away: the others are set anew. */
static void disallow(struct host *host, const struct site_action *action)
{
	struct wireguard_change change = {
		.peer = action->allow.key, .update_only = true, .replace_allowed = true};
	struct wireguard *wireguard = *interface_of(host, action->interface);
	struct prefix *kept;
	uint32_t count;

	if (!wireguard)
		return;
	count = wireguard_allowed(wireguard, &action->allow.key, NULL, 0);
	kept = calloc(count + 1, sizeof *kept);
	assert(kept);
	(void)wireguard_allowed(wireguard, &action->allow.key, kept, count);
	for (uint32_t i = 0; i < count; i++) {
		if (!prefix_equal(&kept[i], &action->allow.prefix))
			kept[change.allowed_count++] = kept[i];
	}
	change.allowed = kept;
	if (change.allowed_count < count)
		wireguard_change(wireguard, host->world->now, &change);
	free(kept);
}

static void set_route(struct host *host, const struct site_action *action, bool remove)
{
	bool guard = action->route.kind == SITE_ROUTE_GUARD;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < host->route_count; i++) {
		const struct host_route *route = &host->routes[i];
		bool same = prefix_equal(&route->prefix, &action->route.prefix) &&
			    (route->kind == SITE_ROUTE_GUARD) == guard &&
			    (route->kind == SITE_ROUTE_OWN) ==
				    (action->route.kind == SITE_ROUTE_OWN);

		if (!same)
			host->routes[kept++] = *route;
	}
	host->route_count = kept;
	if (remove)
		return;
	host->routes = realloc(host->routes, (kept + 1) * sizeof *host->routes);
	assert(host->routes);
	host->routes[host->route_count++] = (struct host_route){
		action->route.prefix, action->route.kind};
}

static void set_address(struct host *host, const struct site_action *action)
{
	if (action->interface == SITE_LINKS) {
		host->links_addressed = !action->address.remove;
		return;
	}
	if (action->address.remove)
		host->overlay = (struct address){.family = ADDRESS_NONE};
	else
		host->overlay = action->address.address;
}

static void send_datagram(struct host *host, const struct site_action *action)
{
	struct wireguard *through = *interface_of(host, action->interface);
	struct inner inner = {
		.source = {action->send.from, action->send.port},
		.destination = action->send.to,
		.size = action->send.size,
	};

	if (!through || host_censors(host, action))
		return;
	memcpy(inner.bytes, action->send.bytes, action->send.size);
	host->inner_messages++;
	/* Its socket is bound to the device: no route is asked for. */
	(void)wireguard_transmit(through, host->world->now, &inner);
}

/* From WireGuard's own port, so the routers give it the mapping that WireGuard will have. */
static void send_outside(struct host *host, const struct site_action *action)
{
	struct packet packet = {
		.source = action->interface == SITE_LINKS ? host->links_local : host->local,
		.destination = action->outside.to,
		.ttl = action->outside.ttl != 0 ? action->outside.ttl : PACKET_TTL,
		.kind = PACKET_PLAIN,
		.size = action->outside.size,
	};

	packet.inner.size = action->outside.size;
	memcpy(packet.inner.bytes, action->outside.bytes, action->outside.size);
	world_send(host, &packet);
}

static void tell(struct host *host, const struct site_action *action)
{
	if (action->kind == SITE_LOG) {
		host->logs[action->log.code]++;
		if (action->log.code == SITE_LOG_SAVE_WELL)
			host->unsaved = false;
		story_log(host, action);
		return;
	}
	host->replies++;
	if (action->reply.request == WORLD_REQUEST_LEAVE &&
		action->reply.status == SITE_REPLY_DONE && !action->reply.note[0])
		host->told_farewell = true;
	world_say(host->world, host, "reply: %s%s%s%s",
		action->reply.status == SITE_REPLY_DONE     ? "done"
		: action->reply.status == SITE_REPLY_FAILED ? "failed"
							    : "going on",
		action->reply.name[0] || action->reply.note[0] ? " " : "", action->reply.name,
		action->reply.note);
	if (action->reply.text[0])
		memcpy(host->invite, action->reply.text, sizeof host->invite);
}

/* What a list of actions leaves to be done. */
struct aftermath {
	bool saves;
	int saved;
	bool polls[SITE_INTERFACES];
};

static void perform(struct host *host, const struct site_action *action, struct aftermath *after)
{
	if (action->kind >= SITE_DEVICE && action->kind <= SITE_SETTLED)
		host->changes++;
	switch (action->kind) {
	case SITE_SAVE:
	case SITE_SAVE_KEY:
	case SITE_PROMOTE_KEY:
		break;
	case SITE_SEND:
		if (after->saved == 0)
			send_datagram(host, action);
		break;
	case SITE_SEND_OUTSIDE:
		if (after->saved == 0)
			send_outside(host, action);
		break;
	case SITE_DEVICE:
		set_device(host, action->interface, &action->device);
		break;
	case SITE_ADDRESS:
		set_address(host, action);
		break;
	case SITE_PEER:
		set_peer(host, action);
		break;
	case SITE_PEER_REMOVE:
		if (*interface_of(host, action->interface))
			remove_peer(
				host, *interface_of(host, action->interface), &action->allow.key);
		break;
	case SITE_ALLOW:
		allow(host, action);
		break;
	case SITE_DISALLOW:
		disallow(host, action);
		break;
	case SITE_ROUTE:
		set_route(host, action, false);
		break;
	case SITE_ROUTE_REMOVE:
		set_route(host, action, true);
		break;
	case SITE_SETTLED:
		settle(host);
		break;
	case SITE_POLL:
		after->polls[action->interface] = true;
		break;
	case SITE_LOG:
		tell(host, action);
		break;
	case SITE_REPLY:
		if (after->saved == 0)
			tell(host, action);
		break;
	}
}

void host_perform(struct host *host, const struct site_action *action)
{
	struct aftermath after = {.saves = false};

	perform(host, action, &after);
	schedule(host);
}

/* What a leaver says last. */
static void note_farewell(struct host *host, const struct site_row *row)
{
	struct record record;
	struct fact fact;

	if (row->table == SITE_TABLE_FACT && row->kind == FACT_RECORD &&
		fact_open(&fact, row->bytes, row->size) == 0 && record_read(&record, &fact) == 0 &&
		key_equal(&record.site, &host->site_key) && record.flags & RECORD_LEFT)
		host->farewell = record.sequence;
}

/* Keys, then all rows at once, then promotions; from the first failure on, none. */
static void save_all(struct host *host, const struct site_actions *actions, struct aftermath *after)
{
	struct store_row rows[SITE_ACTIONS_MAX];
	size_t count = 0;

	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_SAVE && host->leaving)
			note_farewell(host, &action->row);
		if (action->kind == SITE_SAVE)
			rows[count++] = row_of(&action->row);
		else if (action->kind == SITE_SAVE_KEY && after->saved == 0)
			after->saved = save_key(host, action->key.slot, &action->key.key);
		after->saves = after->saves || action->kind <= SITE_PROMOTE_KEY;
	}
	if (count > 0 && after->saved == 0)
		after->saved = host->full ? -ENOSPC : store_write(host->store, rows, count);
	for (uint32_t i = 0; i < actions->count && after->saved == 0; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_PROMOTE_KEY)
			after->saved = host->full ? -ENOSPC
						  : store_key_promote(host->store,
							    (enum store_key_slot)action->key.slot);
	}
}

/* The statistics of all peers, as many as go into an event at a time. */
static void poll(struct host *host, enum site_interface interface)
{
	struct site_statistics seen[SITE_STATISTICS_MAX];
	struct site_event event = {.kind = SITE_EVENT_STATISTICS};
	struct wireguard **wireguard = interface_of(host, interface);
	uint32_t count = *wireguard ? wireguard_peer_count(*wireguard) : 0;
	uint32_t filled = 0;

	event.statistics.interface = interface;
	event.statistics.peers = seen;
	for (uint32_t i = 0; i < count; i++) {
		struct wireguard_statistics peer;
		const struct key *key = wireguard_peer_at(*wireguard, i);

		(void)wireguard_peer(*wireguard, key, &peer);
		seen[filled++] = (struct site_statistics){.peer = *key,
			.rx_bytes = peer.rx_bytes,
			.tx_bytes = peer.tx_bytes,
			.handshake = peer.last_handshake < 0
					     ? 0
					     : host_wall_at(host, peer.last_handshake),
			.has_endpoint = peer.has_endpoint,
			.endpoint = peer.endpoint};
		if (filled < SITE_STATISTICS_MAX && i + 1 < count)
			continue;
		event.statistics.count = filled;
		filled = 0;
		host_event(host, &event);
		if (!*wireguard)
			return;
		/* Peers may have gone meanwhile. */
		count = wireguard_peer_count(*wireguard);
	}
}

/* Every byte that is said or kept counts for the hash. */
static void mix_action(struct world *world, const struct site_action *action)
{
	world_mix(world, action->kind, world->now, 0);
	if (action->kind == SITE_SEND)
		world_mix_bytes(world, action->send.bytes, action->send.size);
	else if (action->kind == SITE_SEND_OUTSIDE)
		world_mix_bytes(world, action->outside.bytes, action->outside.size);
	else if (action->kind == SITE_SAVE)
		world_mix_bytes(world, action->row.bytes, action->row.size);
	else if (action->kind == SITE_PEER || action->kind == SITE_PEER_REMOVE ||
		 action->kind == SITE_ALLOW || action->kind == SITE_DISALLOW)
		world_mix_bytes(world, action->allow.key.bytes, KEY_SIZE);
}

void host_event(struct host *host, const struct site_event *given)
{
	struct world *world = host->world;
	struct site_actions *actions = &world->actions;
	struct site_event event = *given;
	struct aftermath after = {.saves = false};

	if (!host->running || (world->now < host->paused_until))
		return;
	event.wall = host_wall(host);
	site_step(host->site, world->now, &event, actions);
	world->steps++;
	world_mix(world, (uint64_t)world->now, (uint64_t)event.kind << 32 | host->number,
		actions->count);
	save_all(host, actions, &after);
	for (uint32_t i = 0; i < actions->count; i++) {
		mix_action(world, &actions->items[i]);
		if (world->options.trace)
			story_action(host, &actions->items[i]);
		perform(host, &actions->items[i], &after);
	}
	host->unsaved = host->unsaved || after.saved < 0;
	if (world->stepped)
		world->stepped(world, host, world->context);
	if (after.saves && host->running) {
		event = (struct site_event){.kind = SITE_EVENT_SAVED, .saved = after.saved};
		host_event(host, &event);
	}
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (after.polls[i] && host->running)
			poll(host, (enum site_interface)i);
	}
	schedule(host);
}

void host_command(struct host *host, const struct site_command *command)
{
	const struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = command};

	host_event(host, &event);
}

void host_set_drift(struct host *host, int32_t drift)
{
	usec_t ms = host->world->now / USEC_MSEC;

	/* What it was off by until now stays. */
	host->clock_ms += ms * host->drift / 1000000 - ms * drift / 1000000;
	host->drift = drift;
}

void host_set_clock(struct host *host, int64_t offset_ms)
{
	host->clock_ms = offset_ms;
	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct wireguard *wireguard = *interface_of(host, (enum site_interface)i);

		if (wireguard)
			wireguard_set_wall(wireguard, (int64_t)WORLD_WALL + offset_ms);
	}
}

void host_wake(struct host *host)
{
	const struct site_event event = {.kind = SITE_EVENT_TIMER};

	host_event(host, &event);
}

/* Starting and ending. */

static int restore_row(const struct store_row *row, void *context)
{
	struct host *host = context;
	struct site_row restored = {
		.kind = row->kind,
		.key_size = row->key_size,
		.version = row->version,
		.size = (uint16_t)row->size,
	};

	restored.table = (enum site_table)row->table;
	memcpy(restored.key, row->key, row->key_size);
	if (row->size > 0)
		memcpy(restored.bytes, row->bytes, row->size);
	(void)site_restore(host->site, &restored);
	return 0;
}

static void restore(struct host *host)
{
	char why[STORE_WHY_SIZE];
	struct key key;

	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++) {
		if (store_key_read(host->store, (enum store_key_slot)slot, &key, why) == 0)
			site_restore_key(host->site, (enum site_key_slot)slot, &key);
	}
	for (int table = 0; table < SITE_TABLES; table++)
		assert(store_walk(host->store, (enum store_table)table, restore_row, host) == 0);
}

/* Very many hosts may never run: only those that do need room for all others. */
static void remember(struct host *host)
{
	struct host_memory *memory = &host->memory_of;
	uint32_t count = host->world->host_count;

	if (memory->sequence)
		return;
	memory->sequence = calloc(count, sizeof(uint64_t));
	memory->left = calloc(count, sizeof(uint64_t));
	memory->revoked = calloc(count, 1);
	assert(memory->sequence && memory->left && memory->revoked);
}

/* What was heard while the disk was full is gone with the process; but not its own numbers. */
static void forget(struct host *host)
{
	struct host_memory *memory = &host->memory_of;
	uint32_t count = host->world->host_count;
	uint64_t own;

	host->unsaved = false;
	if (!memory->sequence)
		return;
	own = memory->sequence[host->number];
	memset(memory->sequence, 0, count * sizeof(uint64_t));
	memset(memory->left, 0, count * sizeof(uint64_t));
	memset(memory->revoked, 0, count);
	memory->sequence[host->number] = own;
}

/* Where the machine is, as far as it knows by itself. */
static void tell_places(struct host *host)
{
	const struct site_own_address own = {.address = host->local.address};
	struct site_event event = {.kind = SITE_EVENT_PLACES};

	event.places.ports[SITE_BACKBONE] = host->local.port;
	event.places.ports[SITE_LINKS] = host->links_local.port;
	event.places.count = 1;
	event.places.items = &own;
	host_event(host, &event);
}

void host_run(struct host *host, bool on)
{
	const struct site_event event = {.kind = SITE_EVENT_START};
	uint8_t seed[PRNG_SEED_SIZE];

	if (on == host->running)
		return;
	host->running = on;
	host->begun_at = host->world->now;
	world_say(host->world, host, on ? "agent starts" : "agent ends");
	if (!on) {
		site_wipe(host->site);
		free(host->memory);
		host->memory = NULL;
		host->site = NULL;
		host->site_at = USEC_NEVER;
		return;
	}
	host->memory = aligned_alloc(16, (site_size(&host->options) + 15) / 16 * 16);
	assert(host->memory);
	prng_bytes(&host->prng, seed, sizeof seed);
	host->site = site_init(host->memory, &host->options, seed);
	host->starts++;
	host->changes++;
	/* It was another process that was stopped. */
	host->paused_until = 0;
	host->said_all = false;
	host->said_count = 0;
	/* Routes and addresses of an older agent are looked up, not remembered. */
	host->route_count = 0;
	remember(host);
	if (host->unsaved)
		forget(host);
	host->sequence_at_start = host->memory_of.sequence[host->number];
	restore(host);
	tell_places(host);
	host_event(host, &event);
	if (host->mischief != MISCHIEF_NONE)
		host_begin_mischief(host);
}

void host_power(struct host *host, bool on)
{
	if (on == host->powered)
		return;
	if (!on) {
		world_say(host->world, host, "power fails");
		host_run(host, false);
		wireguard_free(host->backbone);
		wireguard_free(host->links);
		host->backbone = NULL;
		host->links = NULL;
		host->links_addressed = false;
		host->wireguard_at = USEC_NEVER;
		host->overlay = (struct address){.family = ADDRESS_NONE};
		host->route_count = 0;
	}
	host->powered = on;
	if (on)
		host_run(host, true);
}

void host_suspend(struct host *host)
{
	const struct site_event event = {.kind = SITE_EVENT_RESUME};

	if (host->backbone)
		wireguard_suspend(host->backbone, host->world->now);
	if (host->links)
		wireguard_suspend(host->links, host->world->now);
	world_say(host->world, host, "wakes up");
	host_event(host, &event);
}

void host_wipe(struct host *host)
{
	bool on = host->powered;

	host_power(host, false);
	world_say(host->world, host, "loses its state");
	store_close(host->store);
	assert(store_open_memory(&host->store) == 0);
	forget(host);
	if (host->memory_of.sequence)
		host->memory_of.sequence[host->number] = 0;
	if (on)
		host_power(host, true);
}

void host_free(struct host *host)
{
	host_run(host, false);
	wireguard_free(host->backbone);
	wireguard_free(host->links);
	for (uint32_t i = 0; i < host->inbox_count; i++)
		free(host->inbox[i].inner);
	free(host->said);
	free(host->routes);
	free(host->heard);
	free(host->memory_of.sequence);
	free(host->memory_of.left);
	free(host->memory_of.revoked);
}

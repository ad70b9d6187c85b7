/* SPDX-License-Identifier: MIT */
/*
 * test_site.c - what the brain asks for, and in which order.
 *
 * Up to three sites are carried here: a list of rows for a store, a table of peers for WireGuard,
 * and wires with 10 ms of delay between those whose keys fit. A site can lose its power after any
 * action. What must hold at every instant is asserted while actions are performed: one owner for
 * each prefix, no keepalive without endpoint, a guard behind every route.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "gossip/envelope.h"
#include "gossip/join.h"
#include "gossip/petition.h"
#include "gossip/sync.h"
#include "site/rows.h"
#include "site/site.h"
#include "tests/founding.h"

#define MACHINES 3
#define ROWS_MAX 400
#define PEERS_MAX 400
#define ALLOWED_MAX 6
#define ROUTES_MAX 1200
#define QUEUE_MAX 256
#define SPINS_MAX 300 /* steps of one site at one instant */
#define DELAY (10 * USEC_MSEC)
#define HUB_HOST "192.0.2.1"
#define NEVER_CUT UINT32_MAX

/* The carrier. */

struct wg_peer {
	struct key key;
	struct key preshared;
	uint16_t keepalive;
	bool endpoint;
	bool said;
	uint64_t rx;
	uint64_t handshake;
	uint32_t count;
	struct prefix allowed[ALLOWED_MAX];
};

struct routing {
	struct prefix prefix;
	enum site_route_kind kind;
};

struct machine {
	uint32_t number;
	uint32_t starts;
	struct site *site;
	struct site_options options;
	int64_t clock_ms;
	bool clock_stands;

	/* What is kept. */
	struct site_row *rows;
	uint32_t row_count;
	struct key keys[SITE_KEY_SLOTS];
	bool has_key[SITE_KEY_SLOTS];
	bool full;
	bool no_promotion; /* the disk refuses that alone */
	uint32_t cut;      /* actions until its power fails */

	/* The machine's side. */
	bool unplugged;
	bool blind;        /* no statistics come */
	struct key device; /* its public key; zero: there is none */
	struct key links;  /* the private key of the other one */
	struct address addresses[SITE_INTERFACES];
	struct address address;
	uint32_t peer_count;
	struct wg_peer peers[PEERS_MAX];
	uint32_t route_count;
	struct routing routes[ROUTES_MAX];

	/* What was seen. */
	struct site_action outside; /* the last */
	uint32_t outside_count;
	uint32_t steps;
	uint32_t settled;
	uint32_t polls;
	uint32_t told[SITE_REPLY + 1]; /* actions by kind */
	uint32_t logs[SITE_LOG_CODES];
	char log_name[TEXT_NAME_MAX + 1];
	uint32_t asked; /* the request whose replies are kept */
	bool answered;
	struct site_action reply;
	uint32_t promised; /* facts that were sent and are not in the store */
	uint32_t sent;     /* datagrams, also those that came nowhere */
	uint32_t deltas;
	uint32_t petitions;
	uint32_t joins;
	char host[INVITE_HOST_MAX + 1]; /* that a peer was told last */
};

struct packet {
	usec_t at;
	uint32_t to;
	struct endpoint from;
	uint16_t port;
	size_t size;
	uint8_t bytes[MESSAGE_SIZE_MAX];
};

struct world {
	usec_t now;
	uint32_t requests;
	struct machine machines[MACHINES];
	uint32_t queued;
	struct packet queue[QUEUE_MAX];
	struct site_actions actions;
};

static uint64_t wall_of(const struct world *world, const struct machine *machine)
{
	int64_t wall = (int64_t)FOUNDING_NOW + machine->clock_ms;

	return (uint64_t)(machine->clock_stands ? wall : wall + world->now / USEC_MSEC);
}

/* The store. */

static struct site_row *find_row(const struct machine *machine, const struct site_row *wanted)
{
	for (uint32_t i = 0; i < machine->row_count; i++) {
		struct site_row *row = &machine->rows[i];

		if (row->table == wanted->table && row->kind == wanted->kind &&
			row->key_size == wanted->key_size &&
			memcmp(row->key, wanted->key, row->key_size) == 0)
			return row;
	}
	return NULL;
}

static const struct site_row *setting(const struct machine *machine, const char *name)
{
	struct site_row wanted = {.table = SITE_TABLE_SETTING, .key_size = (uint8_t)strlen(name)};

	memcpy(wanted.key, name, wanted.key_size);
	return find_row(machine, &wanted);
}

static uint64_t floor_of(const struct machine *machine, const char *name)
{
	struct site_row wanted = {.table = SITE_TABLE_FLOOR, .key_size = (uint8_t)strlen(name)};
	const struct site_row *row;

	memcpy(wanted.key, name, wanted.key_size);
	row = find_row(machine, &wanted);
	return row ? row->version : 0;
}

static void put_row(struct machine *machine, const struct site_row *row)
{
	struct site_row *place = find_row(machine, row);

	if (row->remove) {
		if (place)
			*place = machine->rows[--machine->row_count];
		return;
	}
	if (place && row->table == SITE_TABLE_FLOOR && place->version > row->version)
		return;
	assert_true(place || machine->row_count < ROWS_MAX);
	if (!place)
		place = &machine->rows[machine->row_count++];
	*place = *row;
}

static void put_key(struct machine *machine, enum site_key_slot slot, const struct key *key)
{
	machine->keys[slot] = *key;
	machine->has_key[slot] = !key_is_zero(key);
}

static int promote(struct machine *machine, enum site_key_slot pending)
{
	enum site_key_slot current = pending == SITE_KEY_BACKBONE_PENDING ? SITE_KEY_BACKBONE
									  : SITE_KEY_LINKS;

	if (!machine->has_key[pending])
		return -ENOENT;
	machine->keys[current] = machine->keys[pending];
	machine->has_key[pending] = false;
	return 0;
}

static bool is_stored(const struct machine *machine, const uint8_t *bytes, size_t size)
{
	for (uint32_t i = 0; i < machine->row_count; i++) {
		const struct site_row *row = &machine->rows[i];

		if (row->table == SITE_TABLE_FACT && row->size == size &&
			memcmp(row->bytes, bytes, size) == 0)
			return true;
	}
	return false;
}

/* WireGuard. */

static struct wg_peer *peer_with(struct machine *machine, const struct key *key)
{
	for (uint32_t i = 0; i < machine->peer_count; i++) {
		if (key_equal(&machine->peers[i].key, key))
			return &machine->peers[i];
	}
	return NULL;
}

static struct wg_peer *known_peer(struct machine *machine, const struct key *key)
{
	struct wg_peer *peer = peer_with(machine, key);

	if (peer)
		return peer;
	fail_msg("site %u has no such peer", machine->number);
	abort();
}

/* The peer that has an address: by the longest prefix. */
static struct wg_peer *peer_for(struct machine *machine, const struct address *address)
{
	struct wg_peer *best = NULL;
	int length = -1;

	for (uint32_t i = 0; i < machine->peer_count; i++) {
		struct wg_peer *peer = &machine->peers[i];

		for (uint32_t k = 0; k < peer->count; k++) {
			if (!prefix_has_address(&peer->allowed[k], address) ||
				peer->allowed[k].length <= length)
				continue;
			length = peer->allowed[k].length;
			best = peer;
		}
	}
	return best;
}

/* Who is at the other end of a peer, when a handshake would work. */
static struct machine *other_end(
	struct world *world, const struct machine *machine, const struct wg_peer *peer)
{
	for (uint32_t i = 0; i < MACHINES; i++) {
		struct machine *other = &world->machines[i];
		const struct wg_peer *back;

		if (other == machine || !other->site || !key_equal(&other->device, &peer->key) ||
			other->unplugged || machine->unplugged)
			continue;
		back = peer_with(other, &machine->device);
		if (back && key_equal(&back->preshared, &peer->preshared) &&
			(back->endpoint || peer->endpoint))
			return other;
	}
	return NULL;
}

static void set_peer(struct machine *machine, const struct site_action *action)
{
	struct wg_peer *peer = peer_with(machine, &action->peer.key);

	assert_false(key_is_zero(&machine->device));
	if (!peer) {
		assert_true(machine->peer_count < PEERS_MAX);
		peer = &machine->peers[machine->peer_count++];
		*peer = (struct wg_peer){.key = action->peer.key};
	}
	peer->preshared = action->peer.preshared;
	peer->keepalive = action->peer.keepalive;
	peer->said = true;
	if (action->peer.set_endpoint) {
		peer->endpoint = true;
		memcpy(machine->host, action->peer.host, sizeof machine->host);
	}
	assert_true(peer->keepalive == 0 || peer->endpoint);
}

static void remove_peer(struct machine *machine, const struct key *key)
{
	struct wg_peer *peer = peer_with(machine, key);

	if (peer)
		*peer = machine->peers[--machine->peer_count];
}

static void disallow(struct wg_peer *peer, const struct prefix *prefix)
{
	for (uint32_t i = peer->count; i > 0; i--) {
		if (prefix_equal(&peer->allowed[i - 1], prefix))
			peer->allowed[i - 1] = peer->allowed[--peer->count];
	}
}

/* One owner for each prefix, at every instant. */
static void allow(struct machine *machine, const struct site_action *action)
{
	struct wg_peer *peer = known_peer(machine, &action->allow.key);

	for (uint32_t i = 0; i < machine->peer_count; i++) {
		struct wg_peer *other = &machine->peers[i];

		disallow(other, &action->allow.prefix);
		for (uint32_t k = 0; other != peer && k < other->count; k++)
			assert_false(prefix_overlaps(&other->allowed[k], &action->allow.prefix));
	}
	assert_true(peer->count < ALLOWED_MAX);
	peer->allowed[peer->count++] = action->allow.prefix;
}

/* Routes. */

static struct routing *find_route(
	struct machine *machine, const struct prefix *prefix, enum site_route_kind kind)
{
	for (uint32_t i = 0; i < machine->route_count; i++) {
		if (machine->routes[i].kind == kind &&
			prefix_equal(&machine->routes[i].prefix, prefix))
			return &machine->routes[i];
	}
	return NULL;
}

static bool has_route(struct machine *machine, const char *text, enum site_route_kind kind)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return find_route(machine, &prefix, kind) != NULL;
}

static void set_route(struct machine *machine, const struct site_action *action)
{
	const struct prefix *prefix = &action->route.prefix;

	/* Nothing falls to the default route in clear. */
	if (action->route.kind == SITE_ROUTE_BACKBONE)
		assert_non_null(find_route(machine, prefix, SITE_ROUTE_GUARD));
	if (find_route(machine, prefix, action->route.kind))
		return;
	assert_true(machine->route_count < ROUTES_MAX);
	machine->routes[machine->route_count++] = (struct routing){*prefix, action->route.kind};
}

static void remove_route(struct machine *machine, const struct site_action *action)
{
	struct routing *route = find_route(machine, &action->route.prefix, action->route.kind);

	if (action->route.kind == SITE_ROUTE_GUARD)
		assert_null(find_route(machine, &action->route.prefix, SITE_ROUTE_BACKBONE));
	if (route)
		*route = machine->routes[--machine->route_count];
}

/* Actions. */

static void set_device(struct machine *machine, const struct site_action *action)
{
	const struct key *secret = &action->device;

	if (action->interface == SITE_LINKS) {
		machine->links = *secret;
		return;
	}
	if (key_is_zero(secret)) {
		machine->device = *secret;
		machine->peer_count = 0;
		return;
	}
	(void)crypto_scalarmult_base(machine->device.bytes, secret->bytes);
}

static void settle(struct machine *machine)
{
	machine->settled++;
	for (uint32_t i = machine->peer_count; i > 0; i--) {
		if (!machine->peers[i - 1].said)
			machine->peers[i - 1] = machine->peers[--machine->peer_count];
	}
}

/* What goes out as a fact has to be in the store by then. */
static void look_at(struct machine *machine, const struct site_action *action)
{
	const struct ledger *ledger = site_ledger(machine->site);
	struct message message;
	bool joins = action->send.port == SITE_JOIN_PORT;

	machine->sent++;
	machine->joins += joins;
	if (!joins && envelope_type(action->send.bytes, action->send.size) == ENVELOPE_PETITION)
		machine->petitions++;
	if (joins || message_read(&message, &ledger->collective, action->send.bytes,
			     action->send.size) < 0)
		return;
	machine->deltas += message.type == MESSAGE_DELTA;
	for (uint32_t i = 0; message.type == MESSAGE_DELTA && i < message.fact_count; i++)
		machine->promised += !is_stored(machine, message.facts[i], message.fact_sizes[i]);
}

static void transmit(struct world *world, struct machine *machine, const struct site_action *action)
{
	struct wg_peer *peer = peer_for(machine, &action->send.to.address);
	struct machine *to = peer ? other_end(world, machine, peer) : NULL;
	struct packet *packet = &world->queue[world->queued];

	look_at(machine, action);
	if (!to || !address_equal(&machine->address, &action->send.from) ||
		!address_equal(&to->address, &action->send.to.address) ||
		peer_for(to, &action->send.from) != peer_with(to, &machine->device))
		return;
	assert_true(world->queued < QUEUE_MAX);
	world->queued++;
	*packet = (struct packet){.at = world->now + DELAY,
		.to = to->number,
		.from = {action->send.from, action->send.port},
		.port = action->send.to.port,
		.size = action->send.size};
	memcpy(packet->bytes, action->send.bytes, action->send.size);
	peer = known_peer(to, &machine->device);
	peer->endpoint = true;
	peer->rx += action->send.size;
}

static void tell(struct machine *machine, const struct site_action *action)
{
	if (action->kind == SITE_LOG) {
		machine->logs[action->log.code]++;
		memcpy(machine->log_name, action->log.name, sizeof machine->log_name);
		return;
	}
	if (action->reply.request != machine->asked)
		return;
	assert_false(machine->answered);
	machine->answered = action->reply.status != SITE_REPLY_PROGRESS;
	machine->reply = *action;
}

static int save(struct machine *machine, const struct site_action *action)
{
	if (machine->full || (machine->no_promotion && action->kind == SITE_PROMOTE_KEY))
		return -ENOSPC;
	if (action->kind == SITE_SAVE)
		put_row(machine, &action->row);
	else if (action->kind == SITE_SAVE_KEY)
		put_key(machine, action->key.slot, &action->key.key);
	else
		return promote(machine, action->key.slot);
	return 0;
}

static void change_wireguard(struct machine *machine, const struct site_action *action)
{
	struct wg_peer *peer;

	if (action->kind == SITE_PEER) {
		set_peer(machine, action);
	} else if (action->kind == SITE_PEER_REMOVE) {
		remove_peer(machine, &action->allow.key);
	} else if (action->kind == SITE_ALLOW) {
		allow(machine, action);
	} else if (action->kind == SITE_DISALLOW) {
		peer = peer_with(machine, &action->allow.key);
		if (peer)
			disallow(peer, &action->allow.prefix);
	}
}

struct aftermath {
	bool saves;
	int saved;
	bool poll;
};

static void perform(struct world *world, struct machine *machine, const struct site_action *action,
	struct aftermath *after)
{
	machine->told[action->kind]++;
	switch (action->kind) {
	case SITE_SAVE:
	case SITE_SAVE_KEY:
	case SITE_PROMOTE_KEY:
		after->saves = true;
		if (after->saved == 0)
			after->saved = save(machine, action);
		break;
	case SITE_SEND:
		if (after->saved == 0)
			transmit(world, machine, action);
		break;
	case SITE_SEND_OUTSIDE:
		machine->outside = *action;
		machine->outside_count++;
		break;
	case SITE_DEVICE:
		set_device(machine, action);
		break;
	case SITE_ADDRESS:
		machine->addresses[action->interface] =
			action->address.remove ? (struct address){.family = ADDRESS_NONE}
					       : action->address.address;
		if (action->interface == SITE_LINKS)
			break;
		machine->address = action->address.remove ? (struct address){.family = ADDRESS_NONE}
							  : action->address.address;
		break;
	case SITE_PEER:
	case SITE_PEER_REMOVE:
	case SITE_ALLOW:
	case SITE_DISALLOW:
		change_wireguard(machine, action);
		break;
	case SITE_ROUTE:
		set_route(machine, action);
		break;
	case SITE_ROUTE_REMOVE:
		remove_route(machine, action);
		break;
	case SITE_SETTLED:
		settle(machine);
		break;
	case SITE_POLL:
		machine->polls++;
		after->poll = true;
		break;
	case SITE_LOG:
		tell(machine, action);
		break;
	case SITE_REPLY:
		if (after->saved == 0)
			tell(machine, action);
		break;
	}
}

static void stop(struct machine *machine)
{
	if (!machine->site)
		return;
	site_wipe(machine->site);
	free(machine->site);
	machine->site = NULL;
}

static void step(struct world *world, struct machine *machine, const struct site_event *given);

/* Bytes come from whoever a handshake works with: its keepalives. */
static void poll_peers(struct world *world, struct machine *machine)
{
	struct site_statistics seen[SITE_STATISTICS_MAX];
	struct site_event event = {.kind = SITE_EVENT_STATISTICS};
	uint32_t next = 0;

	event.statistics.peers = seen;
	while (machine->site && next < machine->peer_count) {
		uint32_t filled = 0;

		for (; next < machine->peer_count && filled < SITE_STATISTICS_MAX; next++) {
			struct wg_peer *peer = &machine->peers[next];

			if (other_end(world, machine, peer)) {
				peer->rx += 32;
				peer->endpoint = true;
				peer->handshake = wall_of(world, machine);
			}
			seen[filled++] = (struct site_statistics){.peer = peer->key,
				.rx_bytes = peer->rx,
				.handshake = peer->handshake,
				.has_endpoint = peer->endpoint,
				.endpoint = {address_ipv4(0xc6336400 + next), 51821}};
		}
		event.statistics.count = filled;
		step(world, machine, &event);
	}
}

/* Keys come first, then the rows, then promotions, then all else. */
static int rank_of(const struct site_action *action)
{
	if (action->kind == SITE_SAVE_KEY)
		return 0;
	if (action->kind == SITE_SAVE)
		return 1;
	return action->kind == SITE_PROMOTE_KEY ? 2 : 3;
}

/* Performs the list that stands in the world. Returns false when the power fails. */
static bool perform_all(struct world *world, struct machine *machine, struct aftermath *after)
{
	for (int rank = 0; rank <= 3; rank++) {
		bool first = true;

		for (uint32_t i = 0; i < world->actions.count; i++) {
			const struct site_action *action = &world->actions.items[i];

			if (rank_of(action) != rank)
				continue;
			/* The rows of a list are one change of the store. */
			if ((rank != 1 || first) && machine->cut != NEVER_CUT &&
				machine->cut-- == 0) {
				machine->cut = NEVER_CUT;
				stop(machine);
				return false;
			}
			first = false;
			perform(world, machine, action, after);
		}
	}
	return true;
}

static void step(struct world *world, struct machine *machine, const struct site_event *given)
{
	struct site_event event = *given;
	struct aftermath after = {.saves = false};

	if (!machine->site)
		return;
	event.wall = wall_of(world, machine);
	machine->steps++;
	site_step(machine->site, world->now, &event, &world->actions);
	assert_true(world->actions.count <= SITE_ACTIONS_MAX);
	if (!perform_all(world, machine, &after))
		return;
	if (after.saves)
		step(world, machine,
			&(struct site_event){.kind = SITE_EVENT_SAVED, .saved = after.saved});
	if (after.poll && !machine->blind)
		poll_peers(world, machine);
}

static void step_kind(struct world *world, struct machine *machine, enum site_event_kind kind)
{
	step(world, machine, &(struct site_event){.kind = kind});
}

/* Time. */

static usec_t next_event(const struct world *world)
{
	usec_t at = world->queued > 0 ? world->queue[0].at : USEC_NEVER;

	for (uint32_t i = 0; i < MACHINES; i++) {
		if (world->machines[i].site)
			at = usec_min(at, site_wakeup(world->machines[i].site));
	}
	return at;
}

static void deliver(struct world *world)
{
	while (world->queued > 0 && world->queue[0].at <= world->now) {
		const struct packet packet = world->queue[0];
		struct site_event event = {.kind = SITE_EVENT_DATAGRAM};

		world->queued--;
		memmove(world->queue, world->queue + 1, world->queued * sizeof packet);
		event.datagram.from = packet.from;
		event.datagram.port = packet.port;
		event.datagram.bytes = packet.bytes;
		event.datagram.size = packet.size;
		step(world, &world->machines[packet.to], &event);
	}
}

static void step_due(struct world *world, struct machine *machine)
{
	uint32_t spins = 0;

	while (machine->site && site_wakeup(machine->site) <= world->now) {
		/* A wake-up that comes again and again for nothing would take the machine. */
		assert_true(spins++ < SPINS_MAX);
		step_kind(world, machine, SITE_EVENT_TIMER);
	}
}

static void run(struct world *world, usec_t duration)
{
	usec_t end = world->now + duration;

	for (usec_t at = next_event(world); at <= end; at = next_event(world)) {
		world->now = at > world->now ? at : world->now;
		deliver(world);
		for (uint32_t i = 0; i < MACHINES; i++)
			step_due(world, &world->machines[i]);
	}
	world->now = end;
}

/* Starting. */

static void make_site(struct machine *machine)
{
	uint8_t seed[PRNG_SEED_SIZE] = {(uint8_t)machine->number, (uint8_t)machine->starts++};
	void *memory = aligned_alloc(16, (site_size(&machine->options) + 15) / 16 * 16);

	assert_non_null(memory);
	machine->site = site_init(memory, &machine->options, seed);
}

static int compare_rows(const void *left, const void *right)
{
	const struct site_row *a = left;
	const struct site_row *b = right;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return memcmp(a->key, b->key, SITE_ROW_KEY_MAX);
}

static void restore_all(struct machine *machine)
{
	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++) {
		if (machine->has_key[slot])
			site_restore_key(
				machine->site, (enum site_key_slot)slot, &machine->keys[slot]);
	}
	qsort(machine->rows, machine->row_count, sizeof machine->rows[0], compare_rows);
	for (uint32_t i = 0; i < machine->row_count; i++)
		assert_int_equal(site_restore(machine->site, &machine->rows[i]), 0);
}

static void start(struct world *world, struct machine *machine)
{
	make_site(machine);
	restore_all(machine);
	for (uint32_t i = 0; i < machine->peer_count; i++)
		machine->peers[i].said = false;
	step_kind(world, machine, SITE_EVENT_START);
}

/* The agent alone begins again; WireGuard goes on. */
static void restart(struct world *world, struct machine *machine)
{
	stop(machine);
	start(world, machine);
}

/* The machine begins again: nothing is left but what was saved. */
static void reboot(struct world *world, struct machine *machine)
{
	stop(machine);
	machine->device = (struct key){{0}};
	machine->address = (struct address){.family = ADDRESS_NONE};
	machine->peer_count = 0;
	machine->route_count = 0;
	start(world, machine);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->now = USEC_SECOND;
	for (uint32_t i = 0; i < MACHINES; i++) {
		struct machine *machine = &world->machines[i];

		machine->number = i;
		machine->cut = NEVER_CUT;
		machine->rows = calloc(ROWS_MAX, sizeof machine->rows[0]);
		assert_non_null(machine->rows);
		machine->options = (struct site_options){.sites_max = 16,
			.neighbours_max = 16,
			.crypto = &crypto_stub,
			.built_ms = FOUNDING_NOW - UINT64_C(40) * 86400000,
			.program = "0.1.0"};
	}
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	for (uint32_t i = 0; i < MACHINES; i++) {
		stop(&world->machines[i]);
		free(world->machines[i].rows);
	}
	free(world);
	return 0;
}

#define CARRIED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Commands. */

static const struct site_action *command(
	struct world *world, struct machine *machine, struct site_command given)
{
	const struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = &given};

	given.request = ++world->requests;
	machine->asked = given.request;
	machine->answered = false;
	machine->reply = (struct site_action){.kind = SITE_REPLY};
	step(world, machine, &event);
	return &machine->reply;
}

static struct site_command named(enum site_command_kind kind, const char *name)
{
	struct site_command given = {.kind = kind};

	memcpy(given.name, name, strlen(name));
	return given;
}

static struct site_command founding_command(void)
{
	struct site_command given = named(SITE_COMMAND_FOUND, "hub");

	given.supernet = (struct prefix){address_ipv4(0x0a640000), 16};
	given.subnet = (struct prefix){address_ipv4(0x0a640000), 24};
	given.endpoint_count = 1;
	given.endpoints[0] = (struct invite_endpoint){HUB_HOST, 51821};
	return given;
}

static struct machine *found(struct world *world)
{
	struct machine *hub = &world->machines[0];

	start(world, hub);
	assert_int_equal(command(world, hub, founding_command())->reply.status, SITE_REPLY_DONE);
	run(world, USEC_SECOND);
	return hub;
}

static void invite(struct world *world, const char *name, char word[static INVITE_TEXT_SIZE])
{
	const struct site_action *reply = command(
		world, &world->machines[0], named(SITE_COMMAND_INVITE, name));

	assert_int_equal(reply->reply.status, SITE_REPLY_DONE);
	memcpy(word, reply->reply.text, INVITE_TEXT_SIZE);
}

static void join(struct world *world, struct machine *machine, const char *word)
{
	struct site_command given = {.kind = SITE_COMMAND_JOIN, .text = word};

	(void)command(world, machine, given);
}

static const char *name_of(uint32_t number)
{
	return number == 1 ? "anna" : "bert";
}

/* A hub, and members that have come to rest. */
static void gather(struct world *world, uint32_t spokes)
{
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	for (uint32_t i = 1; i <= spokes; i++) {
		start(world, &world->machines[i]);
		invite(world, name_of(i), word);
		join(world, &world->machines[i], word);
		run(world, 8 * USEC_SECOND);
		assert_int_equal(site_state(world->machines[i].site), SITE_MEMBER);
	}
	run(world, 20 * USEC_SECOND);
}

/* Asking. */

static const struct member *member_of(const struct machine *machine, const char *name)
{
	return ledger_find_name(site_ledger(machine->site), name);
}

static struct certificate certificate_of(const struct machine *machine, const char *name)
{
	const struct member *member = member_of(machine, name);
	struct certificate certificate;

	assert_non_null(member);
	ledger_certificate(site_ledger(machine->site), member, &certificate);
	return certificate;
}

static uint64_t counter(const struct machine *machine, const char *name)
{
	struct site_counter found_counter;

	for (uint32_t i = 0; site_counter(machine->site, i, &found_counter); i++) {
		if (strcmp(found_counter.name, name) == 0)
			return found_counter.value;
	}
	fail_msg("there is no counter %s", name);
	return 0;
}

static uint64_t limit_used(const struct machine *machine, const char *name)
{
	struct site_limit limit;

	for (uint32_t i = 0; site_limit(machine->site, i, &limit); i++) {
		if (strcmp(limit.name, name) == 0)
			return limit.used;
	}
	fail_msg("there is no limit %s", name);
	return 0;
}

static bool agree(const struct machine *a, const struct machine *b)
{
	struct ledger_summary one = *site_summary(a->site);
	struct ledger_summary two = *site_summary(b->site);

	return one.facts == two.facts && one.revocations == two.revocations &&
	       hash_equal(&one.facts_hash, &two.facts_hash) &&
	       hash_equal(&one.revocations_hash, &two.revocations_hash);
}

/* Whether two machines could speak: keys and preshared keys fit both ways. */
static bool connected(struct world *world, struct machine *a, struct machine *b)
{
	struct wg_peer *peer = peer_with(a, &b->device);

	return peer && other_end(world, a, peer) == b && peer_for(a, &b->address) == peer &&
	       peer_for(b, &a->address) == peer_with(b, &a->device);
}

static void datagram(struct world *world, struct machine *machine, const struct address *from,
	uint16_t port, const void *bytes, size_t size)
{
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};

	event.datagram.from = (struct endpoint){*from, port};
	event.datagram.port = port;
	event.datagram.bytes = bytes;
	event.datagram.size = size;
	step(world, machine, &event);
}

/* What the action lists say, in a number: padding does not count. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ at[i]) * UINT64_C(1099511628211);
	return sum;
}

static uint64_t sum_of(uint64_t sum, const struct site_actions *actions)
{
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		sum = mix(sum, &action->kind, sizeof action->kind);
		if (action->kind == SITE_SAVE)
			sum = mix(sum, action->row.bytes, action->row.size);
		else if (action->kind == SITE_SEND)
			sum = mix(sum, action->send.bytes, action->send.size);
		else if (action->kind == SITE_SAVE_KEY)
			sum = mix(sum, action->key.key.bytes, KEY_SIZE);
		else if (action->kind == SITE_REPLY)
			sum = mix(sum, action->reply.text, sizeof action->reply.text);
	}
	return sum;
}

/* The contract of the core. */

TEST(a_timer_at_the_wakeup_always_makes_progress)
{
	struct world *world = *state;

	gather(world, 2);
	for (uint32_t i = 0; i < MACHINES; i++)
		world->machines[i].steps = 0;
	run(world, USEC_HOUR);
	/* Polls every ten seconds, and a few dozen summaries. */
	for (uint32_t i = 0; i < MACHINES; i++)
		assert_in_range(world->machines[i].steps, 360, 2000);
	assert_true(agree(&world->machines[0], &world->machines[1]));
	assert_true(agree(&world->machines[0], &world->machines[2]));
}

/* Its certificate was in the save that a crash took. */
TEST(a_member_that_lost_its_certificate_waits_for_it_without_spinning)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct certificate own;
	struct site_row row;

	gather(world, 1);
	own = certificate_of(anna, "anna");
	for (uint32_t i = 0; i < anna->row_count; i++) {
		struct fact fact;
		struct certificate certificate;

		if (anna->rows[i].table == SITE_TABLE_FACT &&
			anna->rows[i].kind == FACT_CERTIFICATE &&
			fact_open(&fact, anna->rows[i].bytes, anna->rows[i].size) == 0 &&
			certificate_read(&certificate, &fact) == 0 &&
			key_equal(&certificate.site, &own.site))
			row = anna->rows[i];
	}
	row.remove = true;
	put_row(anna, &row);
	world->machines[0].unplugged = true;
	restart(world, anna);
	run(world, USEC_SECOND);
	/* It hears the time of the hub, and nothing else. */
	world->machines[0].unplugged = false;
	run(world, 20 * USEC_SECOND);
	assert_non_null(member_of(anna, "anna"));
}

#define MANY 300

static struct machine *restore_many(struct world *world)
{
	struct machine *hub = &world->machines[0];
	struct founding founding;
	struct delegation delegation;
	struct bytes fact;
	struct site_row row;
	struct site_collective collective = {.endpoint_count = 0};
	const struct key seeds[3] = {{{3, 0, 0, 0}}, {{9}}, {{10}}};

	founding_init(&founding, &crypto_stub, 320);
	hub->options.sites_max = 320;
	hub->options.neighbours_max = 320;
	put_key(hub, SITE_KEY_IDENTITY, &seeds[0]);
	put_key(hub, SITE_KEY_BACKBONE, &seeds[1]);
	put_key(hub, SITE_KEY_LINKS, &seeds[2]);
	collective.root = founding.options.root;
	collective.supernet = founding.options.supernet;
	collective.hub_address = address_ipv4(0x0a640001);
	collective.address = collective.hub_address;
	(void)crypto_scalarmult_base(collective.hub_key.bytes, seeds[1].bytes);
	site_row_collective(&row, &collective);
	put_row(hub, &row);
	delegation = founding_delegation(&founding, 0);
	fact = founding_seal_delegation(&founding, &delegation);
	site_row_fact(&row, fact.bytes, fact.size);
	put_row(hub, &row);
	for (uint32_t i = 0; i < MANY; i++) {
		struct certificate certificate = founding_certificate(&founding, 0, i);

		certificate.address = address_ipv4(0x0a640001 + i * 64);
		certificate.subnets.items[0] = (struct prefix){
			address_ipv4(0x0a640000 + i * 64), 26};
		certificate.roles = i == 0 ? ROLE_HUB : 0;
		if (i == 0)
			certificate.backbone = collective.hub_key;
		fact = founding_seal_certificate(&founding, 0, &certificate);
		site_row_fact(&row, fact.bytes, fact.size);
		put_row(hub, &row);
	}
	start(world, hub);
	return hub;
}

TEST(a_large_hub_is_told_in_several_lists_and_settles_once)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];

	hub->blind = true;
	(void)restore_many(world);
	while (hub->settled == 0 && hub->steps < 100) {
		assert_int_equal(site_wakeup(hub->site), world->now);
		step_kind(world, hub, SITE_EVENT_TIMER);
	}
	/* A peer, a prefix and a guard or route now and then; 96 in a list. */
	assert_in_range(hub->steps, 7, 20);
	assert_int_equal(hub->settled, 1);
	assert_int_equal(hub->peer_count, MANY - 1);
	/* One of each: nothing was lost, nothing was said twice. */
	assert_int_equal(hub->told[SITE_PEER], MANY - 1);
	assert_int_equal(hub->told[SITE_ALLOW], MANY - 1);
	assert_int_equal(hub->told[SITE_PEER_REMOVE], 0);
	for (uint32_t i = 0; i < hub->peer_count; i++)
		assert_int_equal(hub->peers[i].count, 1);
	assert_true(has_route(hub, "10.100.0.0/16", SITE_ROUTE_BACKBONE));
}

TEST(a_settled_hub_is_told_nothing_more)
{
	struct world *world = *state;
	struct machine *hub = restore_many(world);
	uint32_t before[SITE_REPLY + 1];

	run(world, USEC_SECOND);
	memcpy(before, hub->told, sizeof before);
	run(world, 50 * USEC_SECOND);
	for (int kind = 0; kind < SITE_REPLY; kind++) {
		if (kind != SITE_POLL && kind != SITE_SAVE && kind != SITE_SEND)
			assert_int_equal(hub->told[kind], before[kind]);
	}
	assert_int_equal(hub->settled, 1);
}

static uint64_t sum_of_founding(struct world *world, uint8_t chance)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {chance};
	const struct machine *machine = &world->machines[0];
	struct site_command given = founding_command();
	struct site_event event = {.kind = SITE_EVENT_START, .wall = FOUNDING_NOW};
	void *memory = aligned_alloc(16, (site_size(&machine->options) + 15) / 16 * 16);
	struct site *site = site_init(memory, &machine->options, seed);
	uint64_t sum = 0;

	site_step(site, 1, &event, &world->actions);
	sum = sum_of(sum, &world->actions);
	event.kind = SITE_EVENT_COMMAND;
	event.command = &given;
	site_step(site, 2, &event, &world->actions);
	sum = sum_of(sum, &world->actions);
	given = named(SITE_COMMAND_INVITE, "anna");
	site_step(site, 3, &event, &world->actions);
	sum = sum_of(sum, &world->actions);
	site_wipe(site);
	free(memory);
	return sum;
}

TEST(the_same_seed_and_events_cause_the_same_actions)
{
	struct world *world = *state;
	uint64_t first = sum_of_founding(world, 1);

	assert_true(sum_of_founding(world, 1) == first);
	assert_true(sum_of_founding(world, 2) != first);
}

TEST(limits_and_counters_have_names_and_an_end)
{
	struct world *world = *state;
	struct machine *hub;
	struct site_limit limit;
	struct site_counter found_counter;
	uint32_t limits = 0;
	uint32_t counters = 0;

	/* Also of a site that knows nothing. */
	start(world, &world->machines[1]);
	while (site_limit(world->machines[1].site, limits, &limit))
		limits++;
	assert_true(limits >= 10);
	hub = found(world);
	for (limits = 0; site_limit(hub->site, limits, &limit); limits++) {
		assert_true(strlen(limit.name) > 0);
		assert_true(limit.most > 0 && limit.used <= limit.most);
	}
	assert_false(site_limit(hub->site, UINT32_MAX, &limit));
	for (; site_counter(hub->site, counters, &found_counter); counters++)
		assert_true(found_counter.name && strlen(found_counter.name) > 0);
	assert_int_equal(counters, 15 + SYNC_COUNTERS + VERDICTS);
	assert_false(site_counter(hub->site, UINT32_MAX, &found_counter));
}

TEST(every_log_code_has_words_of_its_own)
{
	(void)state;
	for (unsigned code = 0; code < SITE_LOG_CODES; code++) {
		const char *text = site_log_text((enum site_log_code)code);

		assert_true(text && strlen(text) > 0);
		for (unsigned other = 0; other < code; other++)
			assert_string_not_equal(text, site_log_text((enum site_log_code)other));
	}
	assert_string_equal(site_log_text(SITE_LOG_CODES), "");
}

/* Saves before sends. */

static bool lists_record(const struct site_actions *actions)
{
	for (uint32_t i = 0; i < actions->count; i++) {
		if (actions->items[i].kind == SITE_SAVE &&
			actions->items[i].row.table == SITE_TABLE_FACT &&
			actions->items[i].row.kind == FACT_RECORD)
			return true;
	}
	return false;
}

TEST(a_record_waits_until_its_number_is_saved)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = founding_command();
	struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = &given};
	struct aftermath after = {.saves = false};

	start(world, hub);
	event.wall = wall_of(world, hub);
	site_step(hub->site, world->now, &event, &world->actions);
	assert_false(lists_record(&world->actions));
	assert_true(perform_all(world, hub, &after));
	assert_true(floor_of(hub, "sequence") >= event.wall);
	/* Before the save is reported as done nothing is said either. */
	event.kind = SITE_EVENT_TIMER;
	site_step(hub->site, world->now, &event, &world->actions);
	assert_false(lists_record(&world->actions));
	event = (struct site_event){.kind = SITE_EVENT_SAVED, .wall = event.wall};
	site_step(hub->site, world->now, &event, &world->actions);
	assert_true(lists_record(&world->actions));
}

TEST(what_is_said_of_members_is_in_the_store)
{
	struct world *world = *state;

	gather(world, 2);
	for (uint32_t i = 0; i < MACHINES; i++) {
		assert_true(world->machines[i].deltas > 0);
		assert_int_equal(world->machines[i].promised, 0);
	}
}

TEST(a_failing_disk_is_told_once_and_so_is_its_recovery)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 1};

	given.endpoints[0] = (struct invite_endpoint){"192.0.2.7", 51821};
	hub->full = true;
	(void)command(world, hub, given);
	run(world, 30 * USEC_SECOND);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_FAILED], 1);
	assert_true(counter(hub, "saves_failed") > 1);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_WELL], 0);
	hub->full = false;
	run(world, 30 * USEC_SECOND);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_FAILED], 1);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_WELL], 1);
}

TEST(facts_that_could_not_be_saved_are_saved_again)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	gather(world, 1);
	hub = &world->machines[0];
	anna->full = true;
	start(world, &world->machines[2]);
	invite(world, "bert", word);
	join(world, &world->machines[2], word);
	run(world, 10 * USEC_SECOND);
	assert_int_equal(site_state(world->machines[2].site), SITE_MEMBER);
	assert_non_null(member_of(anna, "bert"));
	anna->full = false;
	run(world, 20 * USEC_SECOND);
	hub->unplugged = true;
	reboot(world, anna);
	assert_non_null(member_of(anna, "bert"));
	assert_true(agree(anna, hub));
}

TEST(a_reply_does_not_stand_before_what_it_rests_on)
{
	struct world *world = *state;
	struct machine *hub = found(world);

	hub->full = true;
	(void)command(world, hub, named(SITE_COMMAND_INVITE, "anna"));
	/* Nobody may hold a word that the hub does not know after a restart. */
	assert_false(hub->answered && hub->reply.reply.status == SITE_REPLY_DONE);
}

TEST(no_number_is_used_twice_when_the_last_save_was_lost)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 0};
	uint64_t last = 0;

	/* The clock stands: only what was saved tells the numbers apart. */
	hub->clock_stands = true;
	for (uint32_t cut = 0; cut < 12; cut++) {
		given.endpoint_count = cut % 2;
		given.endpoints[0] = (struct invite_endpoint){"192.0.2.7", 51821};
		(void)command(world, hub, given);
		hub->cut = cut;
		run(world, 5 * USEC_MINUTE);
		if (hub->site)
			last = member_of(hub, "hub")->sequence;
		hub->cut = NEVER_CUT;
		/* The record is not in the store any more, but its number is. */
		for (uint32_t i = hub->row_count; i > 0; i--) {
			if (hub->rows[i - 1].table == SITE_TABLE_FACT &&
				hub->rows[i - 1].kind == FACT_RECORD)
				hub->rows[i - 1] = hub->rows[--hub->row_count];
		}
		reboot(world, hub);
		run(world, 5 * USEC_SECOND);
		assert_true(member_of(hub, "hub")->sequence > last);
		last = member_of(hub, "hub")->sequence;
	}
}

/* Founding and joining. */

TEST(founding_makes_a_hub_with_one_member)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct certificate own = certificate_of(hub, "hub");

	assert_int_equal(site_state(hub->site), SITE_MEMBER);
	assert_true(site_is_hub(hub->site));
	assert_int_equal(site_ledger(hub->site)->members.count, 1);
	assert_true(address_equal(&own.address,
		&(struct address){.family = own.address.family, .bytes = {10, 100, 0, 1}}));
	assert_true(own.roles & ROLE_HUB);
	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++)
		assert_int_equal(hub->has_key[slot],
			slot != SITE_KEY_BACKBONE_PENDING && slot != SITE_KEY_LINKS_PENDING);
	assert_int_equal(hub->logs[SITE_LOG_FOUNDED], 1);
	reboot(world, hub);
	assert_true(site_is_hub(hub->site));
	assert_int_equal(hub->logs[SITE_LOG_FOUNDED], 1);
}

TEST(the_invite_names_the_hub_and_what_is_reserved)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	char word[INVITE_TEXT_SIZE];
	struct invite read;

	invite(world, "anna", word);
	assert_int_equal(invite_read(&read, word), INVITE_GOOD);
	assert_true(key_equal(&read.hub_key, &hub->device));
	assert_true(address_equal(&read.hub_address, &hub->address));
	assert_int_equal(read.endpoint_count, 1);
	assert_string_equal(read.endpoints[0].host, HUB_HOST);
	assert_true(prefix_equal(&read.reserved, &(struct prefix){address_ipv4(0x0a640100), 24}));
	assert_true(prefix_equal(&read.reserved, &hub->reply.reply.prefix));
	assert_int_equal(read.expires, (wall_of(world, hub) + 86400000) / 1000);
	assert_false(read.approval);
}

TEST(joining_ends_in_membership_on_both_sides)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct certificate own;

	gather(world, 1);
	hub = &world->machines[0];
	own = certificate_of(anna, "anna");
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_string_equal(anna->reply.reply.name, "anna");
	assert_true(prefix_equal(&anna->reply.reply.prefix, &own.subnets.items[0]));
	assert_int_equal(anna->logs[SITE_LOG_JOINED], 1);
	assert_string_equal(site_join_text(anna->site), "");
	assert_true(key_equal(&own.backbone, &anna->device));
	assert_int_equal(own.version, 1);
	assert_true(agree(anna, hub));
	assert_true(connected(world, hub, anna));
	assert_int_equal(site_presence(hub->site, &member_of(hub, "anna")->id), SITE_HEARD);
	assert_int_equal(site_presence(anna->site, &member_of(hub, "hub")->id), SITE_HEARD);
	assert_int_equal(site_presence(anna->site, &member_of(hub, "anna")->id), SITE_SELF);
	assert_null(setting(anna, "join"));
}

TEST(others_hear_of_a_new_member_once)
{
	struct world *world = *state;

	gather(world, 2);
	assert_int_equal(world->machines[1].logs[SITE_LOG_MEMBER_NEW], 1);
	assert_string_equal(world->machines[1].log_name, "bert");
}

/* The one whose power fails after so many actions joins or is joined. Returns whether it failed. */
static bool interrupt_joining(struct world *world, uint32_t victim, uint32_t cut)
{
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];
	bool failed;

	start(world, anna);
	invite(world, "anna", word);
	world->machines[victim].cut = cut;
	join(world, anna, word);
	for (int i = 0; i < 100 && hub->site && anna->site; i++)
		run(world, 100 * USEC_MSEC);
	failed = !world->machines[victim].site;
	world->machines[victim].cut = NEVER_CUT;
	if (failed)
		reboot(world, &world->machines[victim]);
	/* What was not saved of the wish has to be wished again. */
	if (site_state(anna->site) == SITE_BLANK)
		join(world, anna, word);
	run(world, 3 * USEC_MINUTE);
	return failed;
}

static void check_joined(struct world *world, uint32_t cut)
{
	const struct machine *hub = &world->machines[0];
	const struct machine *anna = &world->machines[1];
	uint32_t certificates = 0;

	if (site_state(anna->site) != SITE_MEMBER)
		fail_msg(
			"not joined after a cut at action %u: %s", cut, site_join_text(anna->site));
	assert_int_equal(site_ledger(hub->site)->members.count, 2);
	assert_int_equal(certificate_of(hub, "anna").version, 1);
	assert_true(agree(hub, anna));
	for (uint32_t i = 0; i < hub->row_count; i++)
		certificates += hub->rows[i].table == SITE_TABLE_FACT &&
				hub->rows[i].kind == FACT_CERTIFICATE;
	assert_int_equal(certificates, 2);
}

static void interrupt_all(void **state, uint32_t victim)
{
	bool failed = true;

	for (uint32_t cut = 0; failed; cut++) {
		assert_true(cut < 300);
		failed = interrupt_joining(*state, victim, cut);
		check_joined(*state, cut);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

TEST(a_joiner_that_falls_after_any_action_becomes_a_member)
{
	interrupt_all(state, 1);
}

TEST(a_hub_that_falls_after_any_action_lets_the_joiner_in)
{
	interrupt_all(state, 0);
}

TEST(another_identity_is_refused_and_both_are_named)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *bert = &world->machines[2];
	char word[INVITE_TEXT_SIZE];

	start(world, &world->machines[1]);
	start(world, bert);
	invite(world, "anna", word);
	join(world, &world->machines[1], word);
	run(world, 10 * USEC_SECOND);
	join(world, bert, word);
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(bert->site), SITE_JOINING);
	assert_int_equal(bert->reply.reply.status, SITE_REPLY_FAILED);
	/* The redeeming site, and whom to tell: "join on a used invite names the redeeming site".
	 */
	assert_string_equal(bert->reply.reply.name, "anna");
	assert_non_null(strstr(site_join_text(bert->site), "used on another machine"));
	assert_int_equal(hub->logs[SITE_LOG_STRANGER], 1);
	assert_string_equal(hub->log_name, "anna");
	assert_int_equal(site_ledger(hub->site)->members.count, 2);
}

TEST(another_identity_is_refused_and_told_so)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *bert = &world->machines[2];
	char word[INVITE_TEXT_SIZE];

	start(world, &world->machines[1]);
	start(world, bert);
	invite(world, "anna", word);
	join(world, &world->machines[1], word);
	run(world, 10 * USEC_SECOND);
	join(world, bert, word);
	run(world, 20 * USEC_SECOND);
	assert_true(bert->answered);
	assert_int_equal(bert->reply.reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(bert->reply.reply.note, "used on another machine"));
	assert_int_equal(hub->logs[SITE_LOG_STRANGER], 1);
	assert_string_equal(hub->log_name, "anna");
	assert_int_equal(site_ledger(hub->site)->members.count, 2);
}

TEST(a_withdrawn_invite_lets_nobody_in)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	start(world, anna);
	invite(world, "anna", word);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_UNINVITE, "anna"))->reply.status,
		SITE_REPLY_DONE);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_UNINVITE, "anna"))->reply.status,
		SITE_REPLY_FAILED);
	reboot(world, hub);
	join(world, anna, word);
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_JOINING);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(site_join_text(anna->site), "withdrawn"));
	assert_int_equal(site_ledger(hub->site)->members.count, 1);
	/* Once more, it is asked and answered once more. */
	join(world, anna, word);
	assert_false(anna->answered);
	run(world, 20 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
}

TEST(a_silent_hub_is_told_of_within_seconds)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	invite(world, "anna", word);
	stop(hub);
	start(world, anna);
	join(world, anna, word);
	run(world, USEC_SECOND);
	assert_int_equal(anna->reply.reply.request, 0);
	run(world, 3 * USEC_SECOND);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_PROGRESS);
	assert_non_null(strstr(anna->reply.reply.note, "the hub is silent"));
	assert_false(anna->answered);
	/* Whose name nobody vouches for yet is not spoken of. */
	run(world, 2 * USEC_MINUTE);
	assert_int_equal(anna->logs[SITE_LOG_HUB_SUSPECT], 0);
}

TEST(an_expired_invite_lets_nobody_in)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	struct site_command given = named(SITE_COMMAND_INVITE, "anna");
	char word[INVITE_TEXT_SIZE];

	given.lifetime_ms = 60000;
	memcpy(word, command(world, hub, given)->reply.text, sizeof word);
	run(world, 61 * USEC_SECOND);
	start(world, anna);
	join(world, anna, word);
	assert_false(anna->answered);
	run(world, 10 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(site_join_text(anna->site), "expired"));
	assert_int_equal(site_ledger(hub->site)->members.count, 1);
}

TEST(an_invite_with_approval_waits_for_a_yes)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	struct site_command given = named(SITE_COMMAND_INVITE, "anna");
	char word[INVITE_TEXT_SIZE];

	given.approval = true;
	memcpy(word, command(world, hub, given)->reply.text, sizeof word);
	start(world, anna);
	join(world, anna, word);
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_JOINING);
	assert_false(anna->answered);
	assert_non_null(strstr(site_join_text(anna->site), "approve"));
	/* Both are told, once. */
	assert_non_null(strstr(anna->reply.reply.note, "approve"));
	assert_int_equal(hub->logs[SITE_LOG_APPLIED], 1);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_APPROVE, "anna"))->reply.status,
		SITE_REPLY_DONE);
	run(world, 8 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_APPROVE, "anna"))->reply.status,
		SITE_REPLY_FAILED);
}

TEST(a_joiner_whose_clock_is_off_goes_by_the_hubs)
{
	static const int64_t days[] = {-30, -2, 2, 30};

	for (size_t i = 0; i < COUNT(days); i++) {
		struct world *world = *state;
		struct machine *anna = &world->machines[1];
		int64_t off;

		/* As of its last step, which may be ten seconds ago. */
		anna->clock_ms = days[i] * 86400000;
		gather(world, 1);
		assert_int_equal(anna->logs[SITE_LOG_CLOCK_OFF], 1);
		off = (int64_t)site_wall(anna->site) - (int64_t)wall_of(world, world->machines);
		assert_true(off > -15000 && off < 1000);
		assert_true(agree(&world->machines[0], anna));
		anna->clock_ms = 0;
		run(world, 3 * USEC_MINUTE);
		assert_int_equal(anna->logs[SITE_LOG_CLOCK_WELL], 1);
		assert_int_equal(anna->logs[SITE_LOG_CLOCK_OFF], 1);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* Until the hub is heard again: what was said or saved in between would be of that time. */
TEST(what_a_clock_is_set_by_is_no_time_that_passed)
{
	static const int64_t hours[] = {13, -13, 24 * 365};
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct site_event event = {.kind = SITE_EVENT_TIMER};

	gather(world, 1);
	hub = &world->machines[0];
	for (size_t i = 0; i < COUNT(hours); i++) {
		int64_t off;

		run(world, USEC_MINUTE);
		anna->clock_ms = hours[i] * 3600000;
		step(world, anna, &event);
		off = (int64_t)site_wall(anna->site) - (int64_t)wall_of(world, hub);
		assert_true(off > -1000 && off < 1000);
		assert_int_equal(anna->logs[SITE_LOG_CLOCK_OFF], i + 1);
		anna->clock_ms = 0;
		step(world, anna, &event);
		off = (int64_t)site_wall(anna->site) - (int64_t)wall_of(world, hub);
		assert_true(off > -1000 && off < 1000);
	}
	/* While it slept time did pass. */
	anna->clock_ms = 3600000;
	event.kind = SITE_EVENT_RESUME;
	step(world, anna, &event);
	assert_true(site_wall(anna->site) > wall_of(world, hub) + 3599000);
}

TEST(a_word_with_a_typing_error_is_refused_with_its_reason)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	invite(world, "anna", word);
	word[30] = word[30] == 'A' ? 'B' : 'A';
	start(world, anna);
	join(world, anna, word);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_string_equal(anna->reply.reply.note, invite_fault_text(INVITE_TYPO));
	assert_int_equal(site_state(anna->site), SITE_BLANK);
	assert_false(anna->has_key[SITE_KEY_IDENTITY]);
}

TEST(a_refused_joiner_comes_in_with_another_invite)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	start(world, anna);
	invite(world, "anna", word);
	(void)command(world, hub, named(SITE_COMMAND_UNINVITE, "anna"));
	join(world, anna, word);
	run(world, 10 * USEC_SECOND);
	invite(world, "anna-2", word);
	join(world, anna, word);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_non_null(member_of(hub, "anna-2"));
}

TEST(a_collective_is_founded_or_joined_once)
{
	struct world *world = *state;
	struct machine *hub;
	char word[INVITE_TEXT_SIZE];

	gather(world, 1);
	hub = &world->machines[0];
	invite(world, "bert", word);
	for (uint32_t i = 0; i < 2; i++) {
		struct machine *machine = &world->machines[i];
		const struct key identity = machine->keys[SITE_KEY_IDENTITY];

		assert_int_equal(command(world, machine, founding_command())->reply.status,
			SITE_REPLY_FAILED);
		assert_true(strlen(machine->reply.reply.note) > 0);
		/* A member of it is one still, and hears so. */
		join(world, machine, word);
		assert_int_equal(machine->reply.reply.status, SITE_REPLY_DONE);
		assert_non_null(strstr(machine->reply.reply.note, "already"));
		assert_true(key_equal(&identity, &machine->keys[SITE_KEY_IDENTITY]));
	}
	assert_int_equal(site_state(hub->site), SITE_MEMBER);
}

/* Peers, prefixes and routes. */

TEST(the_temporary_peer_owns_its_join_address_only)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct invite_keys keys;
	struct invite read;
	char word[INVITE_TEXT_SIZE];
	const struct wg_peer *peer;
	struct prefix wanted;

	invite(world, "anna", word);
	assert_int_equal(invite_read(&read, word), INVITE_GOOD);
	invite_derive(&read.secret, &keys);
	wanted = (struct prefix){invite_join_address(read.join_number), 32};
	peer = known_peer(hub, &keys.public_key);
	assert_int_equal(peer->count, 1);
	assert_true(prefix_equal(&peer->allowed[0], &wanted));
	assert_true(key_equal(&peer->preshared, &keys.preshared_key));
	assert_int_equal(peer->keepalive, 0);
	/* Also beside the member's own peer, until it goes after seven days. */
	start(world, &world->machines[1]);
	join(world, &world->machines[1], word);
	run(world, USEC_MINUTE);
	assert_int_equal(hub->peer_count, 2);
	assert_int_equal(known_peer(hub, &keys.public_key)->count, 1);
	run(world, 7 * USEC_DAY + USEC_HOUR);
	assert_int_equal(hub->peer_count, 1);
	assert_null(peer_with(hub, &keys.public_key));
	assert_int_equal(limit_used(hub, "invites"), 0);
}

TEST(a_peer_is_kept_alive_once_it_has_an_endpoint)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	hub = &world->machines[0];
	assert_int_equal(known_peer(anna, &hub->device)->keepalive, SITE_KEEPALIVE_S);
	assert_int_equal(known_peer(hub, &anna->device)->keepalive, SITE_KEEPALIVE_S);
	/* Where it was never heard there is none; that no keepalive stands is asserted above. */
	for (uint32_t i = hub->row_count; i > 0; i--) {
		if (hub->rows[i - 1].table == SITE_TABLE_ENDPOINT)
			hub->rows[i - 1] = hub->rows[--hub->row_count];
	}
	anna->unplugged = true;
	reboot(world, hub);
	run(world, USEC_MINUTE);
	assert_int_equal(known_peer(hub, &anna->device)->keepalive, 0);
	assert_false(known_peer(hub, &anna->device)->endpoint);
	anna->unplugged = false;
	run(world, USEC_MINUTE);
	assert_int_equal(known_peer(hub, &anna->device)->keepalive, SITE_KEEPALIVE_S);
}

TEST(a_hub_calls_members_where_it_last_heard_them)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 1);
	hub = &world->machines[0];
	world->machines[1].unplugged = true;
	reboot(world, hub);
	assert_true(known_peer(hub, &world->machines[1].device)->endpoint);
	assert_int_equal(strncmp(hub->host, "198.51.100.", 11), 0);
}

static void come_in_just_now(struct world *world, struct machine *anna)
{
	char word[INVITE_TEXT_SIZE];

	run(world, 5 * USEC_SECOND);
	start(world, anna);
	invite(world, "anna", word);
	join(world, anna, word);
	for (int i = 0; i < 100 && site_state(anna->site) != SITE_MEMBER; i++)
		run(world, 20 * USEC_MSEC);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
}

/* A spoke takes 15 s to notice that its session is gone; a hub that knows where it is calls it. */
TEST(a_hub_calls_also_a_member_that_came_in_a_moment_ago)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];

	come_in_just_now(world, anna);
	run(world, 1500 * USEC_MSEC);
	anna->unplugged = true;
	reboot(world, hub);
	assert_true(known_peer(hub, &anna->device)->endpoint);
}

TEST(a_hub_calls_also_a_member_that_came_in_just_before_its_agent_began_again)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];

	come_in_just_now(world, anna);
	known_peer(hub, &anna->device)->endpoint = true;
	known_peer(hub, &anna->device)->handshake = wall_of(world, hub);
	restart(world, hub);
	run(world, 500 * USEC_MSEC);
	anna->unplugged = true;
	reboot(world, hub);
	assert_true(known_peer(hub, &anna->device)->endpoint);
}

TEST(a_site_announces_its_own_subnet_and_guards_it)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	assert_true(has_route(anna, "10.100.1.0/24", SITE_ROUTE_OWN));
	assert_true(has_route(anna, "10.100.1.0/24", SITE_ROUTE_GUARD));
	assert_true(has_route(anna, "10.100.0.0/16", SITE_ROUTE_GUARD));
	assert_true(has_route(anna, "10.100.0.0/16", SITE_ROUTE_BACKBONE));
	assert_false(has_route(anna, "10.100.1.0/24", SITE_ROUTE_BACKBONE));
}

static void invite_with_home(struct world *world, struct machine *machine, const char *name)
{
	struct site_command given = named(SITE_COMMAND_INVITE, name);
	char word[INVITE_TEXT_SIZE];

	given.routes = (struct prefixes){1, {{address_ipv4(0xc0a80500), 24}}};
	memcpy(word, command(world, world->machines, given)->reply.text, sizeof word);
	start(world, machine);
	join(world, machine, word);
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(machine->site), SITE_MEMBER);
}

static void networks(struct world *world, struct machine *machine, const char *text)
{
	struct site_event event = {.kind = SITE_EVENT_NETWORKS};
	struct prefix prefix;

	event.networks.count = text ? 1 : 0;
	event.networks.items = &prefix;
	if (text)
		assert_int_equal(prefix_parse(text, &prefix), 0);
	step(world, machine, &event);
}

TEST(a_members_home_network_is_routed_where_it_is_no_local_one)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	invite_with_home(world, &world->machines[2], "bert");
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	assert_true(has_route(world->machines, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(has_route(&world->machines[2], "192.168.5.0/24", SITE_ROUTE_OWN));
	assert_false(has_route(&world->machines[2], "192.168.5.0/24", SITE_ROUTE_GUARD));
}

TEST(networks_told_before_the_start_do_not_settle_anything)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	uint32_t settled;

	gather(world, 1);
	stop(anna);
	make_site(anna);
	restore_all(anna);
	settled = anna->settled;
	networks(world, anna, "192.168.0.0/16");
	assert_int_equal(anna->settled, settled);
	step_kind(world, anna, SITE_EVENT_START);
	assert_int_equal(anna->settled, settled + 1);
}

TEST(no_route_goes_over_a_network_that_the_machine_is_in)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	networks(world, anna, "192.168.0.0/16");
	invite_with_home(world, &world->machines[2], "bert");
	run(world, USEC_MINUTE);
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	assert_int_equal(anna->logs[SITE_LOG_ROUTE_REFUSED], 1);
}

TEST(a_route_goes_when_the_machine_comes_into_that_network_and_returns_with_it)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	invite_with_home(world, &world->machines[2], "bert");
	networks(world, anna, "192.168.5.0/24");
	run(world, USEC_SECOND);
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_int_equal(anna->logs[SITE_LOG_ROUTE_REFUSED], 1);
	networks(world, anna, NULL);
	run(world, USEC_SECOND);
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
}

/* From any peer. */
static bool takes_in(const struct machine *machine, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	for (uint32_t i = 0; i < machine->peer_count; i++) {
		for (uint32_t k = 0; k < machine->peers[i].count; k++) {
			if (prefix_equal(&machine->peers[i].allowed[k], &prefix))
				return true;
		}
	}
	return false;
}

static bool leaves_out(struct machine *machine, const char *text, const char *owner)
{
	struct site_refused_view view;
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	if (!site_refused(machine->site, 0, &view))
		return false;
	assert_true(prefix_equal(&view.prefix, &prefix));
	assert_string_equal(view.name, owner);
	assert_false(site_refused(machine->site, 1, &view));
	return true;
}

TEST(no_route_covers_a_network_that_the_machine_is_in)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	networks(world, anna, "192.168.5.64/26");
	invite_with_home(world, &world->machines[2], "bert");
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_false(takes_in(anna, "192.168.5.0/24"));
	assert_true(leaves_out(anna, "192.168.5.0/24", "bert"));
	networks(world, anna, NULL);
	run(world, USEC_SECOND);
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(takes_in(anna, "192.168.5.0/24"));
	assert_false(leaves_out(anna, "192.168.5.0/24", "bert"));
	networks(world, anna, "192.168.5.64/26");
	run(world, USEC_SECOND);
	assert_false(takes_in(anna, "192.168.5.0/24"));
}

static const struct prefix isolated[] = {{{ADDRESS_IPV4, {192, 168, 5, 128}}, 25}};

TEST(what_is_isolated_is_neither_routed_nor_taken_in)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	anna->options.isolated = (struct site_networks){1, isolated};
	gather(world, 1);
	invite_with_home(world, &world->machines[2], "bert");
	run(world, USEC_MINUTE);
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	assert_false(takes_in(anna, "192.168.5.0/24"));
	assert_int_equal(anna->logs[SITE_LOG_ROUTE_REFUSED], 1);
	assert_true(leaves_out(anna, "192.168.5.0/24", "bert"));
	/* To others it is what it was. */
	assert_true(takes_in(&world->machines[0], "192.168.5.0/24"));
}

TEST(what_is_isolated_is_not_opened_though_it_was_granted)
{
	struct world *world = *state;
	struct machine *bert = &world->machines[2];
	struct site_command given = {.kind = SITE_COMMAND_ROUTES};

	bert->options.isolated = (struct site_networks){1, isolated};
	gather(world, 1);
	invite_with_home(world, bert, "bert");
	assert_false(has_route(bert, "192.168.5.0/24", SITE_ROUTE_OWN));
	assert_true(leaves_out(bert, "192.168.5.0/24", "bert"));
	given.routes = (struct prefixes){1, {{address_ipv4(0xc0a80580), 26}}};
	assert_int_equal(command(world, bert, given)->reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(bert->reply.reply.note, "isolates"));
}

static const struct prefix offered[] = {{{ADDRESS_IPV4, {192, 168, 9, 0}}, 24}};

TEST(what_the_configuration_offers_is_asked_for)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	anna->options.offered = (struct site_networks){1, offered};
	gather(world, 1);
	assert_false(has_route(anna, "192.168.9.0/24", SITE_ROUTE_OWN));
	assert_int_equal(site_routes_awaited(anna->site).count, 1);
	assert_int_equal(
		command(world, world->machines, named(SITE_COMMAND_APPROVE, "anna"))->reply.status,
		SITE_REPLY_DONE);
	run(world, 6 * USEC_MINUTE);
	assert_true(has_route(anna, "192.168.9.0/24", SITE_ROUTE_OWN));
	assert_true(has_route(world->machines, "192.168.9.0/24", SITE_ROUTE_BACKBONE));
	assert_int_equal(site_routes_awaited(anna->site).count, 0);
	/* What was granted is not asked for again. */
	anna->petitions = 0;
	restart(world, anna);
	run(world, USEC_MINUTE);
	assert_int_equal(anna->petitions, 0);
}

TEST(what_an_admins_own_configuration_offers_is_granted_at_once)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];

	hub->options.offered = (struct site_networks){1, offered};
	gather(world, 1);
	assert_true(has_route(hub, "192.168.9.0/24", SITE_ROUTE_OWN));
	assert_true(has_route(&world->machines[1], "192.168.9.0/24", SITE_ROUTE_BACKBONE));
}

TEST(who_is_in_the_collectives_network_otherwise_does_not_join)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct site_command given = {.kind = SITE_COMMAND_JOIN};
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	start(world, anna);
	invite(world, "anna", word);
	networks(world, anna, "10.100.200.0/24");
	given.text = word;
	assert_int_equal(command(world, anna, given)->reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(anna->reply.reply.note, "10.100.200.0/24 overlaps"));
	assert_int_equal(site_state(anna->site), SITE_BLANK);
	/* The network that will be its own may be there. */
	networks(world, anna, "10.100.1.0/25");
	join(world, anna, word);
	run(world, 8 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
}

TEST(nobody_founds_in_a_network_that_the_machine_is_in)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = named(SITE_COMMAND_FOUND, "home");

	start(world, hub);
	networks(world, hub, "10.0.0.0/8");
	given.supernet = (struct prefix){address_ipv4(0x0a640000), 16};
	given.subnet = (struct prefix){address_ipv4(0x0a640000), 24};
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(hub->reply.reply.note, "--supernet"));
	assert_int_equal(site_state(hub->site), SITE_BLANK);
	networks(world, hub, NULL);
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_DONE);
}

TEST(a_network_in_ones_own_subnet_leaves_the_way_to_the_others)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	stop(anna);
	anna->route_count = 0;
	make_site(anna);
	restore_all(anna);
	networks(world, anna, "10.100.1.0/24");
	step_kind(world, anna, SITE_EVENT_START);
	run(world, USEC_SECOND);
	/* "An unreachable route for the own /24, unless the host has a network in it." */
	assert_false(has_route(anna, "10.100.1.0/24", SITE_ROUTE_GUARD));
	assert_true(has_route(anna, "10.100.0.0/16", SITE_ROUTE_BACKBONE));
}

/* Expelling and leaving. */

TEST(expelling_takes_the_peer_and_its_prefixes_at_once)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *bert = &world->machines[2];
	struct key site_key;

	gather(world, 1);
	hub = &world->machines[0];
	invite_with_home(world, bert, "bert");
	site_key = certificate_of(hub, "bert").site;
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	/* In the very list that answers the command. */
	assert_null(peer_with(hub, &bert->device));
	assert_null(peer_for(
		hub, &(struct address){.family = hub->address.family, .bytes = {192, 168, 5, 1}}));
	assert_null(peer_for(hub, &bert->address));
	assert_false(has_route(hub, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(has_route(hub, "192.168.5.0/24", SITE_ROUTE_GUARD));
	assert_true(site_is_revoked(hub->site, &site_key));
	run(world, 2 * USEC_SECOND);
	assert_true(site_is_revoked(world->machines[1].site, &site_key));
	assert_int_equal(world->machines[1].logs[SITE_LOG_MEMBER_GONE], 1);
	assert_false(has_route(&world->machines[1], "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(has_route(&world->machines[1], "192.168.5.0/24", SITE_ROUTE_GUARD));
	reboot(world, hub);
	run(world, USEC_MINUTE);
	assert_null(peer_with(hub, &bert->device));
}

static int invited_peers(struct machine *hub)
{
	int count = 0;

	for (unsigned number = 1; number <= 254; number++) {
		struct address at = invite_join_address((uint8_t)number);

		count += peer_for(hub, &at) != NULL;
	}
	return count;
}

/* The secret of its invite is still its own. */
TEST(who_was_expelled_does_not_come_by_its_invite_either)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 2);
	hub = &world->machines[0];
	assert_int_equal(invited_peers(hub), 2);
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	assert_int_equal(invited_peers(hub), 1);
	reboot(world, hub);
	run(world, USEC_MINUTE);
	assert_int_equal(invited_peers(hub), 1);
}

TEST(the_answer_to_an_expulsion_counts_all_who_confirmed)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 2);
	hub = &world->machines[0];
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, 2 * USEC_SECOND);
	assert_true(hub->answered);
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_DONE);
	assert_int_equal(hub->reply.reply.count, 1);
	assert_int_equal(hub->reply.reply.of, 1);
	assert_in_range(hub->reply.reply.age_ms, 1, 1000);
}

TEST(the_answer_to_an_expulsion_comes_when_not_all_confirm)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 2);
	hub = &world->machines[0];
	world->machines[1].unplugged = true;
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, 9 * USEC_SECOND);
	assert_false(hub->answered);
	run(world, 2 * USEC_SECOND);
	assert_true(hub->answered);
	assert_int_equal(hub->reply.reply.count, 0);
	assert_true(hub->reply.reply.of > 0);
}

/* The revocation comes to whom it is about. */
static void tell_revocation(struct world *world, struct machine *machine)
{
	const struct ledger *ledger = site_ledger(world->machines[0].site);
	struct message message = {.type = MESSAGE_DELTA,
		.protocol = MESSAGE_PROTOCOL,
		.clock = wall_of(world, machine),
		.fact_count = 1};
	uint8_t bytes[MESSAGE_SIZE_MAX];
	uint32_t handles[3];
	size_t size;

	assert_int_equal(ledger_out_at(ledger, 0, handles), 1);
	message.facts[0] = ledger_bytes(ledger, handles[0], &message.fact_sizes[0]);
	size = message_write(&message, &ledger->collective, bytes);
	datagram(world, machine, &world->machines[0].address, SITE_PORT, bytes, size);
}

TEST(an_expelled_site_takes_everything_off_and_stays_out)
{
	struct world *world = *state;
	struct machine *bert = &world->machines[2];

	gather(world, 2);
	(void)command(world, world->machines, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, USEC_SECOND);
	tell_revocation(world, bert);
	run(world, USEC_SECOND);
	assert_int_equal(site_state(bert->site), SITE_OUT);
	assert_int_equal(bert->logs[SITE_LOG_EXPELLED], 1);
	assert_int_equal(bert->peer_count, 0);
	assert_int_equal(bert->route_count, 0);
	assert_true(key_is_zero(&bert->device));
	assert_int_equal(bert->address.family, ADDRESS_NONE);
	reboot(world, bert);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(bert->site), SITE_OUT);
	assert_int_equal(bert->route_count, 0);
	assert_true(key_is_zero(&bert->device));
	assert_int_equal(bert->logs[SITE_LOG_EXPELLED], 1);
}

TEST(leaving_ends_as_soon_as_the_hub_has_confirmed_it)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, 2 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_string_equal(anna->reply.reply.note, "");
	assert_int_equal(site_state(anna->site), SITE_OUT);
}

TEST(leaving_says_farewell_and_stays_out)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	uint32_t sent;

	gather(world, 2);
	hub = &world->machines[0];
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, 6 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_int_equal(site_state(anna->site), SITE_OUT);
	assert_int_equal(anna->route_count, 0);
	assert_int_equal(anna->peer_count, 0);
	assert_true(member_of(hub, "anna")->left);
	assert_true(member_of(&world->machines[2], "anna")->left);
	assert_null(peer_for(
		hub, &(struct address){.family = hub->address.family, .bytes = {10, 100, 1, 1}}));
	sent = anna->sent;
	reboot(world, anna);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(anna->site), SITE_OUT);
	assert_int_equal(anna->sent, sent);
}

TEST(a_farewell_is_written_down_by_the_others)
{
	struct world *world = *state;

	gather(world, 2);
	(void)command(
		world, &world->machines[1], (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, 10 * USEC_SECOND);
	assert_int_equal(world->machines[0].logs[SITE_LOG_MEMBER_LEFT], 1);
	assert_int_equal(world->machines[2].logs[SITE_LOG_MEMBER_LEFT], 1);
}

TEST(leaving_without_the_hub_says_that_nobody_heard_it)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	world->machines[0].unplugged = true;
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, 4 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	run(world, 2 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_OUT);
	assert_true(anna->answered);
	assert_true(strlen(anna->reply.reply.note) > 0);
}

/* Coming back takes a new key, and so a new state. */
TEST(a_site_that_left_joins_with_a_new_state_only)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	gather(world, 1);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, 6 * USEC_SECOND);
	invite(world, "anna-2", word);
	join(world, anna, word);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_int_equal(site_state(anna->site), SITE_OUT);
	stop(anna);
	anna->row_count = 0;
	memset(anna->has_key, 0, sizeof anna->has_key);
	start(world, anna);
	join(world, anna, word);
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_true(connected(world, world->machines, anna));
}

TEST(taking_down_keeps_the_state_and_clears_the_machine)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	assert_int_equal(command(world, anna, (struct site_command){.kind = SITE_COMMAND_DOWN})
				 ->reply.status,
		SITE_REPLY_DONE);
	run(world, USEC_MINUTE);
	assert_int_equal(anna->peer_count, 0);
	assert_int_equal(anna->route_count, 0);
	assert_true(key_is_zero(&anna->device));
	assert_true(key_is_zero(&anna->links));
	assert_int_equal(anna->addresses[SITE_LINKS].family, ADDRESS_NONE);
	reboot(world, anna);
	run(world, USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_true(connected(world, world->machines, anna));
}

TEST(the_guard_of_a_network_that_nobody_has_outlives_restarts_until_taken_down)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	invite_with_home(world, &world->machines[2], "bert");
	(void)command(world, world->machines, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, 2 * USEC_SECOND);
	reboot(world, anna);
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_DOWN});
	run(world, USEC_SECOND);
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	reboot(world, anna);
	assert_false(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
}

TEST(a_network_that_was_granted_again_is_guarded_as_any_other)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct machine *bert = &world->machines[2];

	gather(world, 1);
	invite_with_home(world, &world->machines[2], "bert");
	(void)command(world, world->machines, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, 2 * USEC_SECOND);
	reboot(world, anna);
	/* Another person, on the same machine. */
	stop(bert);
	bert->row_count = 0;
	memset(bert->has_key, 0, sizeof bert->has_key);
	invite_with_home(world, bert, "carl");
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_BACKBONE));
	assert_true(has_route(anna, "192.168.5.0/24", SITE_ROUTE_GUARD));
	/* The row is gone with the grant: what follows is as if bert had never been. */
	for (uint32_t i = 0; i < anna->row_count; i++)
		assert_false(anna->rows[i].table == SITE_TABLE_SETTING &&
			     anna->rows[i].kind == SITE_SETTING_GUARD);
}

TEST(the_links_have_an_interface_of_their_own_with_the_same_address)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct certificate certificate;
	struct key before;
	struct key public_key;

	start(world, anna);
	assert_true(key_is_zero(&anna->links));
	stop(anna);
	gather(world, 1);
	(void)crypto_scalarmult_base(public_key.bytes, anna->links.bytes);
	certificate = certificate_of(anna, "anna");
	assert_true(key_equal(&public_key, &certificate.links));
	assert_true(address_equal(&anna->addresses[SITE_LINKS], &anna->addresses[SITE_BACKBONE]));
	before = anna->links;
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_ROTATE});
	run(world, USEC_MINUTE);
	assert_false(key_equal(&before, &anna->links));
	(void)crypto_scalarmult_base(public_key.bytes, anna->links.bytes);
	certificate = certificate_of(anna, "anna");
	assert_true(key_equal(&public_key, &certificate.links));
}

static struct site_view view_of(const struct machine *machine, const char *name)
{
	struct site_view view;

	for (uint32_t i = 0; site_view(machine->site, i, &view); i++) {
		if (strcmp(view.name, name) == 0)
			return view;
	}
	fail_msg("nobody is called %s", name);
	return view;
}

TEST(an_expulsion_that_cannot_be_kept_is_refused_and_not_said)
{
	struct world *world = *state;
	struct machine *hub;
	uint32_t deltas;

	gather(world, 2);
	hub = &world->machines[0];
	run(world, USEC_MINUTE);
	hub->full = true;
	deltas = hub->deltas;
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, USEC_SECOND);
	assert_true(hub->answered);
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_FAILED);
	assert_int_equal(hub->deltas, deltas);
	/* It is kept and said as soon as that can be. */
	hub->full = false;
	run(world, USEC_MINUTE);
	assert_true(hub->deltas > deltas);
}

static struct machine *gather_with_admin(struct world *world)
{
	struct machine *hub;

	gather(world, 1);
	hub = &world->machines[0];
	(void)command(
		world, &world->machines[1], (struct site_command){.kind = SITE_COMMAND_OFFER});
	run(world, 5 * USEC_SECOND);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_DELEGATE, "anna"))->reply.status,
		SITE_REPLY_DONE);
	run(world, 5 * USEC_SECOND);
	return hub;
}

TEST(a_hub_that_others_depend_on_leaves_only_when_it_is_told_twice)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = {.kind = SITE_COMMAND_LEAVE};

	gather(world, 1);
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(hub->reply.reply.note, "--force"));
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(hub->site), SITE_MEMBER);
	given.force = true;
	(void)command(world, hub, given);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(hub->site), SITE_OUT);
}

TEST(a_hub_that_is_alone_leaves_at_once)
{
	struct world *world = *state;
	struct machine *hub = found(world);

	(void)command(world, hub, (struct site_command){.kind = SITE_COMMAND_LEAVE});
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(hub->site), SITE_OUT);
}

TEST(what_was_begun_with_an_invite_can_be_taken_back)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct key identity;
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	start(world, anna);
	invite(world, "anna", word);
	world->machines[0].unplugged = true;
	join(world, anna, word);
	run(world, 5 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_JOINING);
	identity = anna->keys[SITE_KEY_IDENTITY];
	assert_int_equal(command(world, anna, (struct site_command){.kind = SITE_COMMAND_LEAVE})
				 ->reply.status,
		SITE_REPLY_DONE);
	run(world, USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_BLANK);
	assert_int_equal(anna->peer_count, 0);
	assert_int_equal(anna->route_count, 0);
	assert_true(key_is_zero(&anna->device));
	restart(world, anna);
	assert_int_equal(site_state(anna->site), SITE_BLANK);
	/* And begun anew, as somebody else. */
	world->machines[0].unplugged = false;
	join(world, anna, word);
	run(world, 8 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_false(key_equal(&identity, &anna->keys[SITE_KEY_IDENTITY]));
}

TEST(the_root_key_can_be_taken_off_line_and_back)
{
	struct world *world = *state;
	struct machine *hub = gather_with_admin(world);
	struct key root = hub->keys[SITE_KEY_ROOT];
	struct site_command given = {.kind = SITE_COMMAND_ROOT_TAKE, .key = {{7}}};

	assert_int_equal(
		command(world, hub, (struct site_command){.kind = SITE_COMMAND_ROOT_REMOVE})
			->reply.status,
		SITE_REPLY_DONE);
	assert_false(hub->has_key[SITE_KEY_ROOT]);
	assert_int_equal(
		command(world, hub, named(SITE_COMMAND_REMOVE_ADMIN, "anna"))->reply.status,
		SITE_REPLY_FAILED);
	/* It stays away, and another one is not taken for it. */
	restart(world, hub);
	assert_int_equal(
		command(world, hub, (struct site_command){.kind = SITE_COMMAND_ROOT_REMOVE})
			->reply.status,
		SITE_REPLY_FAILED);
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_FAILED);
	assert_false(hub->has_key[SITE_KEY_ROOT]);
	given.key = root;
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_DONE);
	assert_true(hub->has_key[SITE_KEY_ROOT]);
	assert_int_equal(
		command(world, hub, named(SITE_COMMAND_REMOVE_ADMIN, "anna"))->reply.status,
		SITE_REPLY_DONE);
}

TEST(a_ping_says_how_far_a_member_is)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	(void)command(world, anna, named(SITE_COMMAND_PING, "hub"));
	run(world, USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_string_equal(anna->reply.reply.name, "hub");
	assert_int_equal(anna->reply.reply.rtt_us, 2 * DELAY);
	assert_int_equal(view_of(anna, "hub").rtt_us, 2 * DELAY);
	run(world, 30 * USEC_SECOND);
	assert_int_equal(view_of(anna, "hub").rtt_us, -1);
}

TEST(a_ping_without_answer_ends_after_2_s)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	world->machines[0].unplugged = true;
	(void)command(world, anna, named(SITE_COMMAND_PING, "hub"));
	run(world, USEC_SECOND);
	assert_false(anna->answered);
	run(world, 1100 * USEC_MSEC);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_true(strlen(anna->reply.reply.note) > 0);
}

TEST(nobody_is_pinged_who_is_no_member)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	uint32_t sent;

	gather(world, 1);
	sent = anna->sent;
	assert_int_equal(command(world, anna, named(SITE_COMMAND_PING, "carl"))->reply.status,
		SITE_REPLY_FAILED);
	assert_int_equal(command(world, anna, named(SITE_COMMAND_PING, "anna"))->reply.status,
		SITE_REPLY_FAILED);
	assert_int_equal(anna->sent, sent);
}

static struct site_command why_of(const char *whom, const char *about)
{
	struct site_command given = named(SITE_COMMAND_WHY, about);

	given.text = whom;
	return given;
}

/* Of the question that was sent last. */
static uint64_t number_of_question(const struct world *world, const struct machine *asker)
{
	const struct packet *packet = &world->queue[world->queued - 1];
	struct envelope envelope;

	assert_int_equal(
		envelope_open(&envelope, ENVELOPE_WHY, ENVELOPE_HEAD + 2,
			&site_ledger(asker->site)->collective, packet->bytes, packet->size),
		0);
	return wire_read_uint(&envelope.reader, UINT64_MAX);
}

TEST(another_member_is_asked_why_and_says_it_in_letters)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	gather(world, 1);
	(void)command(world, anna, why_of("hub", "anna"));
	run(world, USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_non_null(strstr(anna->reply.reply.text, "anna"));
	/* What another one says may be made for a terminal to obey. */
	(void)command(world, anna, why_of("hub", "anna"));
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_WHY_ANSWER, ENVELOPE_HEAD + 2,
		&site_ledger(anna->site)->collective, 0);
	wire_write_uint(&writer, number_of_question(world, anna));
	wire_write_str(&writer, "a\033[2Jb\r\n\x7f\xc2\x9b"
				"c");
	event.datagram.from = (struct endpoint){world->machines[0].address, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = writer.length;
	step(world, anna, &event);
	assert_true(anna->answered);
	assert_string_equal(anna->reply.reply.text, "a?[2Jb?????c");
}

TEST(a_member_that_does_not_say_why_is_waited_for_2_s)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	world->machines[0].unplugged = true;
	(void)command(world, anna, why_of("hub", "anna"));
	run(world, 2100 * USEC_MSEC);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_int_equal(
		command(world, anna, why_of("carl", "anna"))->reply.status, SITE_REPLY_FAILED);
}

TEST(a_survey_brings_the_hubs_word_of_other_spokes)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct site_view bert;

	gather(world, 2);
	assert_false(view_of(anna, "bert").heard);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_SURVEY});
	run(world, 2 * USEC_SECOND);
	assert_true(anna->answered);
	bert = view_of(anna, "bert");
	assert_true(bert.hubs_word);
	assert_true(bert.heard);
	assert_int_equal(bert.presence, SITE_HEARD);
	world->machines[2].unplugged = true;
	run(world, SITE_DOWN_AFTER + USEC_MINUTE);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_SURVEY});
	run(world, 2 * USEC_SECOND);
	bert = view_of(anna, "bert");
	assert_int_equal(bert.presence, SITE_DOWN);
	assert_true(anna->site && world->now - bert.heard_at > SITE_DOWN_AFTER);
	/* What was said grows old. */
	run(world, 11 * USEC_SECOND);
	assert_false(view_of(anna, "bert").hubs_word);
}

TEST(a_survey_ends_within_a_second_where_nobody_answers)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	world->machines[0].unplugged = true;
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_SURVEY});
	run(world, 1100 * USEC_MSEC);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
}

TEST(a_flood_of_probes_is_answered_within_a_budget)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;
	uint32_t sent;

	gather(world, 1);
	hub = &world->machines[0];
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PROBE, ENVELOPE_HEAD + 1,
		&site_ledger(hub->site)->collective, 1);
	wire_write_uint(&writer, 7);
	event.datagram.from = (struct endpoint){anna->address, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = writer.length;
	sent = hub->sent;
	for (int i = 0; i < 1000; i++)
		step(world, hub, &event);
	assert_in_range(hub->sent - sent, 40, 45);
}

TEST(a_site_that_is_down_is_silent)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	uint32_t sent;

	gather(world, 1);
	run(world, USEC_MINUTE);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_DOWN});
	sent = anna->sent;
	for (int i = 0; i < 20; i++) {
		run(world, USEC_HOUR);
		networks(world, anna, NULL);
	}
	assert_int_equal(anna->sent, sent);
}

TEST(a_hub_that_left_makes_no_invites)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 1);
	hub = &world->machines[0];
	(void)command(world, hub, (struct site_command){.kind = SITE_COMMAND_LEAVE, .force = true});
	run(world, 10 * USEC_SECOND);
	assert_int_equal(site_state(hub->site), SITE_OUT);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_INVITE, "bert"))->reply.status,
		SITE_REPLY_FAILED);
}

/* Changing the key of the backbone. */

static void rotate(struct world *world, struct machine *machine)
{
	(void)command(world, machine, (struct site_command){.kind = SITE_COMMAND_ROTATE});
}

TEST(a_rotation_changes_the_key_on_both_sides)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct key before;
	struct key preshared;
	struct key secret;

	gather(world, 1);
	hub = &world->machines[0];
	before = anna->device;
	secret = anna->keys[SITE_KEY_BACKBONE];
	preshared = known_peer(hub, &before)->preshared;
	rotate(world, anna);
	run(world, 5 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_int_equal(anna->logs[SITE_LOG_KEY_CHANGED], 1);
	assert_false(key_equal(&before, &anna->device));
	assert_false(key_equal(&secret, &anna->keys[SITE_KEY_BACKBONE]));
	assert_false(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_int_equal(certificate_of(hub, "anna").version, 2);
	assert_true(connected(world, hub, anna));
	assert_false(key_equal(&preshared, &known_peer(hub, &anna->device)->preshared));
	/* Both sides hold it over a restart. */
	reboot(world, anna);
	reboot(world, hub);
	run(world, USEC_SECOND);
	assert_true(connected(world, hub, anna));
	assert_int_equal(certificate_of(hub, "anna").version, 2);
}

TEST(the_pending_key_is_saved_before_it_is_asked_for)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	anna->petitions = 0;
	/* Its power fails after the key is saved, and before it is. */
	anna->cut = 0;
	rotate(world, anna);
	assert_false(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_int_equal(anna->petitions, 0);
	reboot(world, anna);
	anna->cut = 1;
	rotate(world, anna);
	assert_true(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_int_equal(anna->petitions, 0);
	reboot(world, anna);
	run(world, 10 * USEC_SECOND);
	assert_false(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_int_equal(certificate_of(anna, "anna").version, 2);
}

TEST(the_old_key_carries_the_traffic_until_the_new_one_is_heard)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct key before;

	gather(world, 1);
	hub = &world->machines[0];
	before = anna->device;
	rotate(world, anna);
	/* The petition has come; the certificate has not gone back. */
	run(world, DELAY);
	assert_int_equal(certificate_of(hub, "anna").version, 2);
	assert_int_equal(certificate_of(anna, "anna").version, 1);
	assert_ptr_equal(peer_for(hub, &anna->address), peer_with(hub, &before));
	assert_true(connected(world, hub, anna));
	run(world, 5 * USEC_SECOND);
	assert_ptr_equal(peer_for(hub, &anna->address), peer_with(hub, &anna->device));
}

TEST(the_old_key_goes_after_ten_seconds)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct key before;

	gather(world, 1);
	hub = &world->machines[0];
	before = anna->device;
	rotate(world, anna);
	run(world, 5 * USEC_SECOND);
	assert_non_null(peer_with(hub, &before));
	run(world, 10 * USEC_SECOND);
	assert_null(peer_with(hub, &before));
}

/* The power of one fails after so many actions, in a change of keys. */
static bool interrupt_rotation(struct world *world, uint32_t victim, uint32_t cut)
{
	struct machine *fallen = &world->machines[victim];
	struct machine *anna = &world->machines[1];
	bool failed;

	gather(world, 1);
	rotate(world, anna);
	fallen->cut = cut;
	for (int i = 0; i < 200 && fallen->site; i++)
		run(world, 20 * USEC_MSEC);
	failed = !fallen->site;
	fallen->cut = NEVER_CUT;
	if (failed)
		reboot(world, fallen);
	run(world, 5 * USEC_MINUTE);
	return failed;
}

static void interrupt_all_rotations(void **state, uint32_t victim)
{
	bool failed = true;

	for (uint32_t cut = 0; failed; cut++) {
		struct world *world = *state;
		struct machine *hub = &world->machines[0];
		struct machine *anna = &world->machines[1];

		assert_true(cut < 100);
		failed = interrupt_rotation(world, victim, cut);
		if (!connected(world, hub, anna))
			fail_msg("the keys do not fit after a cut at action %u", cut);
		assert_int_equal(certificate_of(hub, "anna").version, 2);
		assert_true(agree(hub, anna));
		assert_false(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

TEST(a_spoke_that_falls_after_any_action_ends_with_keys_that_fit)
{
	interrupt_all_rotations(state, 1);
}

TEST(a_hub_that_falls_after_any_action_ends_with_keys_that_fit)
{
	interrupt_all_rotations(state, 0);
}

TEST(a_hub_that_falls_before_the_certificate_has_gone_out_keeps_the_spoke)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	hub = &world->machines[0];
	rotate(world, anna);
	run(world, DELAY);
	assert_int_equal(certificate_of(hub, "anna").version, 2);
	world->queued = 0;
	reboot(world, hub);
	run(world, 10 * USEC_MINUTE);
	assert_true(connected(world, hub, anna));
	assert_int_equal(certificate_of(anna, "anna").version, 2);
}

TEST(a_hub_changes_its_key_and_every_spoke_comes_along)
{
	struct world *world = *state;
	struct machine *hub;
	struct key before;

	gather(world, 2);
	hub = &world->machines[0];
	before = hub->device;
	rotate(world, hub);
	run(world, USEC_MINUTE);
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_DONE);
	assert_false(key_equal(&hub->device, &before));
	for (uint32_t i = 1; i <= 2; i++) {
		assert_true(connected(world, hub, &world->machines[i]));
		assert_null(peer_with(&world->machines[i], &before));
	}
	assert_false(hub->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_false(hub->has_key[SITE_KEY_LINKS_PENDING]);
}

TEST(a_hub_keeps_its_key_until_everybody_has_heard_of_the_next)
{
	struct world *world = *state;
	struct machine *hub;
	struct key before;

	gather(world, 2);
	hub = &world->machines[0];
	before = hub->device;
	stop(&world->machines[2]);
	rotate(world, hub);
	run(world, 10 * USEC_MINUTE);
	assert_true(key_equal(&hub->device, &before));
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_PROGRESS);
	assert_true(strlen(hub->reply.reply.name) > 0);
	assert_true(connected(world, hub, &world->machines[1]));
	start(world, &world->machines[2]);
	run(world, 2 * USEC_MINUTE);
	assert_false(key_equal(&hub->device, &before));
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_DONE);
	assert_true(connected(world, hub, &world->machines[1]));
	assert_true(connected(world, hub, &world->machines[2]));
}

/* Else it would begin with the old one again, which everybody has dropped by then. */
TEST(a_hub_uses_its_next_key_once_that_is_saved)
{
	struct world *world = *state;
	struct machine *hub;
	struct key before;

	gather(world, 2);
	hub = &world->machines[0];
	before = hub->device;
	hub->no_promotion = true;
	rotate(world, hub);
	run(world, USEC_MINUTE);
	assert_true(hub->logs[SITE_LOG_SAVE_FAILED] > 0);
	assert_true(key_equal(&hub->device, &before));
	stop(hub);
	start(world, hub);
	run(world, USEC_MINUTE);
	assert_true(key_equal(&hub->device, &before));
	hub->no_promotion = false;
	run(world, USEC_MINUTE);
	assert_false(key_equal(&hub->device, &before));
	assert_true(connected(world, hub, &world->machines[1]));
	assert_true(connected(world, hub, &world->machines[2]));
}

/* One whose disk is full would have forgotten it after a fall, and with it the hub. */
TEST(a_hub_does_not_count_on_who_cannot_keep_its_next_key)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct key before;

	gather(world, 2);
	hub = &world->machines[0];
	before = hub->device;
	anna->full = true;
	rotate(world, hub);
	run(world, 3 * USEC_MINUTE);
	assert_true(key_equal(&hub->device, &before));
	reboot(world, anna);
	run(world, USEC_MINUTE);
	assert_true(connected(world, hub, anna));
	anna->full = false;
	run(world, USEC_MINUTE);
	assert_false(key_equal(&hub->device, &before));
	assert_true(connected(world, hub, anna));
}

/* It may have been begun before the key was changed. */
TEST(a_handshake_alone_does_not_prove_a_new_key)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct key before;
	struct site_statistics seen = {.rx_bytes = 1u << 20, .tx_bytes = 1u << 20};
	struct site_event event = {.kind = SITE_EVENT_STATISTICS};

	gather(world, 1);
	hub = &world->machines[0];
	before = anna->device;
	hub->unplugged = true;
	rotate(world, anna);
	for (int i = 0; i < 300 && key_equal(&anna->device, &before); i++)
		run(world, USEC_SECOND);
	assert_false(key_equal(&anna->device, &before));
	seen.peer = hub->device;
	seen.handshake = wall_of(world, anna) + 5;
	event.statistics.interface = SITE_BACKBONE;
	event.statistics.count = 1;
	event.statistics.peers = &seen;
	step(world, anna, &event);
	run(world, USEC_SECOND);
	assert_int_equal(anna->logs[SITE_LOG_KEY_CHANGED], 0);
	assert_true(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
	hub->unplugged = false;
	run(world, 2 * USEC_MINUTE);
	assert_int_equal(anna->logs[SITE_LOG_KEY_CHANGED], 1);
	assert_true(connected(world, hub, anna));
}

TEST(both_ends_may_change_their_keys_at_once)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	hub = &world->machines[0];
	rotate(world, anna);
	rotate(world, hub);
	run(world, 5 * USEC_MINUTE);
	assert_true(connected(world, hub, anna));
	assert_false(hub->has_key[SITE_KEY_BACKBONE_PENDING]);
	assert_false(anna->has_key[SITE_KEY_BACKBONE_PENDING]);
}

/* Presence. */

TEST(a_silent_hub_is_suspected_after_55_s_and_down_after_180_s)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct row_id hub;

	gather(world, 1);
	hub = member_of(anna, "hub")->id;
	run(world, USEC_MINUTE);
	world->machines[0].unplugged = true;
	/* Silence is seen to begin with a poll, and there is one every ten seconds. */
	run(world, 44 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_HEARD);
	run(world, 22 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_SUSPECT);
	assert_int_equal(anna->logs[SITE_LOG_HUB_SUSPECT], 1);
	assert_string_equal(anna->log_name, "hub");
	run(world, 102 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_SUSPECT);
	run(world, 24 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_DOWN);
	assert_int_equal(anna->logs[SITE_LOG_HUB_DOWN], 1);
	run(world, USEC_HOUR);
	assert_int_equal(anna->logs[SITE_LOG_HUB_SUSPECT], 1);
	assert_int_equal(anna->logs[SITE_LOG_HUB_DOWN], 1);
	assert_int_equal(anna->logs[SITE_LOG_HUB_BACK], 0);
	world->machines[0].unplugged = false;
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_HEARD);
	assert_int_equal(anna->logs[SITE_LOG_HUB_BACK], 1);
	assert_true(agree(anna, world->machines));
}

TEST(a_hub_writes_down_a_silent_site_and_its_return_once)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 2);
	hub = &world->machines[0];
	world->machines[1].unplugged = true;
	run(world, USEC_HOUR);
	assert_int_equal(hub->logs[SITE_LOG_SITE_DOWN], 1);
	assert_string_equal(hub->log_name, "anna");
	assert_int_equal(site_presence(hub->site, &member_of(hub, "anna")->id), SITE_DOWN);
	assert_int_equal(site_presence(hub->site, &member_of(hub, "bert")->id), SITE_HEARD);
	world->machines[1].unplugged = false;
	run(world, USEC_MINUTE);
	assert_int_equal(hub->logs[SITE_LOG_SITE_DOWN], 1);
	assert_int_equal(hub->logs[SITE_LOG_SITE_BACK], 1);
}

TEST(a_silence_too_short_to_be_written_down_has_no_end_to_write_down)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 1);
	hub = &world->machines[0];
	world->machines[1].unplugged = true;
	run(world, 80 * USEC_SECOND);
	world->machines[1].unplugged = false;
	run(world, USEC_MINUTE);
	assert_int_equal(hub->logs[SITE_LOG_SITE_DOWN], 0);
	assert_int_equal(hub->logs[SITE_LOG_SITE_BACK], 0);
}

TEST(the_endpoints_of_a_silent_hub_are_tried_in_turn)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 2};
	char word[INVITE_TEXT_SIZE];
	char first[INVITE_HOST_MAX + 1];
	uint32_t told;

	given.endpoints[0] = (struct invite_endpoint){HUB_HOST, 51821};
	given.endpoints[1] = (struct invite_endpoint){"hub.example.org", 51821};
	(void)command(world, hub, given);
	start(world, anna);
	invite(world, "anna", word);
	join(world, anna, word);
	run(world, USEC_MINUTE);
	assert_string_equal(anna->host, HUB_HOST);
	told = anna->told[SITE_PEER];
	hub->unplugged = true;
	run(world, 44 * USEC_SECOND);
	assert_int_equal(anna->told[SITE_PEER], told);
	run(world, 22 * USEC_SECOND);
	assert_true(anna->told[SITE_PEER] > told);
	memcpy(first, anna->host, sizeof first);
	run(world, 16 * USEC_SECOND);
	assert_string_not_equal(anna->host, first);
	run(world, 16 * USEC_SECOND);
	assert_string_equal(anna->host, first);
}

TEST(a_machine_that_wakes_up_asks_and_greets_at_once)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	uint32_t sent;
	uint32_t polls;

	gather(world, 1);
	run(world, USEC_MINUTE);
	sent = anna->sent;
	polls = anna->polls;
	step_kind(world, anna, SITE_EVENT_RESUME);
	assert_int_equal(anna->polls, polls + 1);
	run(world, 1);
	assert_true(anna->sent > sent);
}

TEST(a_machine_that_moves_greets_at_once)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	uint32_t sent;

	gather(world, 1);
	run(world, USEC_MINUTE);
	sent = anna->sent;
	networks(world, anna, "192.168.44.0/24");
	run(world, 1);
	assert_true(anna->sent > sent);
}

TEST(what_wireguard_counted_before_the_start_is_no_sign_of_life)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct row_id hub;

	gather(world, 1);
	hub = member_of(anna, "hub")->id;
	world->machines[0].unplugged = true;
	restart(world, anna);
	run(world, 10 * USEC_SECOND);
	assert_int_equal(site_presence(anna->site, &hub), SITE_UNKNOWN);
}

TEST(a_hub_that_begins_again_tells_news_at_once)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct row_id ben;

	gather(world, 2);
	run(world, USEC_MINUTE);
	ben = member_of(hub, "bert")->id;
	restart(world, hub);
	run(world, USEC_SECOND);
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, USEC_SECOND);
	assert_null(ledger_find(site_ledger(world->machines[1].site), &ben));
}

TEST(of_several_endpoints_each_is_soon_tried_where_the_hub_was_never_heard)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 2};
	char first[INVITE_HOST_MAX + 1];
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	given.endpoints[0] = (struct invite_endpoint){"2001:db8::1", 51821};
	given.endpoints[1] = (struct invite_endpoint){HUB_HOST, 51821};
	(void)command(world, &world->machines[0], given);
	invite(world, "anna", word);
	start(world, anna);
	world->machines[0].unplugged = true;
	join(world, anna, word);
	run(world, USEC_SECOND);
	memcpy(first, anna->host, sizeof first);
	run(world, 6 * USEC_SECOND);
	assert_string_not_equal(anna->host, first);
	world->machines[0].unplugged = false;
	run(world, 20 * USEC_SECOND);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	/* From disk as well. */
	world->machines[0].unplugged = true;
	restart(world, anna);
	run(world, USEC_SECOND);
	memcpy(first, anna->host, sizeof first);
	run(world, 6 * USEC_SECOND);
	assert_string_not_equal(anna->host, first);
}

/* Outside the tunnel: nothing travels there by itself. */

static const struct endpoint seen_at = {{ADDRESS_IPV4, {203, 0, 113, 7}}, 40123};

/* What a machine sent last comes to another one, from there. */
static void carry_outside(struct world *world, const struct machine *sender,
	struct machine *receiver, const struct endpoint *from)
{
	const struct site_action sent = sender->outside;
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};

	event.outside.interface = sent.interface == SITE_LINKS ? SITE_BACKBONE : SITE_LINKS;
	event.outside.from = *from;
	event.outside.bytes = sent.outside.bytes;
	event.outside.size = sent.outside.size;
	step(world, receiver, &event);
}

static struct machine *ask_where(struct world *world)
{
	struct machine *anna = &world->machines[1];

	gather(world, 2);
	run(world, USEC_MINUTE);
	(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_NETCHECK});
	assert_false(anna->answered);
	run(world, 200 * USEC_MSEC);
	assert_int_equal(anna->outside_count, 1);
	assert_int_equal(anna->outside.interface, SITE_LINKS);
	return anna;
}

TEST(a_site_learns_from_its_hub_where_it_is_seen)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);

	carry_outside(world, anna, hub, &seen_at);
	assert_int_equal(hub->outside_count, 1);
	assert_true(endpoint_equal(&hub->outside.outside.to, &seen_at));
	assert_true(hub->outside.outside.size <= anna->outside.outside.size);
	/* From the port that was asked. */
	assert_int_equal(hub->outside.interface, SITE_BACKBONE);
	carry_outside(world, hub, anna, &anna->outside.outside.to);
	/* A router at home may open a port meanwhile. */
	run(world, 400 * USEC_MSEC);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_string_equal(anna->reply.reply.text, "203.0.113.7:40123");
	/* A hub may be asked at any time; others listen while they wait for something. */
	assert_true(site_listens_outside(anna->site));
	run(world, 6 * USEC_SECOND);
	assert_false(site_listens_outside(anna->site));
	assert_true(site_listens_outside(hub->site));
}

TEST(what_was_asked_twice_is_answered_once_and_strangers_are_not)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);
	struct machine copy;

	carry_outside(world, anna, hub, &seen_at);
	carry_outside(world, anna, hub, &seen_at);
	assert_int_equal(hub->outside_count, 1);
	copy = *anna;
	for (uint16_t i = 0; i < copy.outside.outside.size; i++) {
		copy.outside.outside.bytes[i] ^= 1;
		carry_outside(world, &copy, hub, &seen_at);
		copy.outside.outside.bytes[i] ^= 1;
	}
	assert_int_equal(hub->outside_count, 1);
	/* Nor does one who is no reflector answer. */
	carry_outside(world, anna, &world->machines[2], &seen_at);
	assert_int_equal(world->machines[2].outside_count, 0);
}

/* Whoever saw the name of a session pass by can say it, in front of what is no question. */
TEST(what_is_no_question_leaves_the_answers_to_those_who_ask)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);
	struct machine copy = *anna;

	copy.outside.outside.bytes[copy.outside.outside.size - 1] ^= 1;
	for (int i = 0; i < 1000; i++)
		carry_outside(world, &copy, hub, &seen_at);
	assert_int_equal(hub->outside_count, 0);
	carry_outside(world, anna, hub, &seen_at);
	assert_int_equal(hub->outside_count, 1);
}

TEST(who_was_expelled_is_not_told_where_it_is_seen)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);

	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "anna"));
	carry_outside(world, anna, hub, &seen_at);
	assert_int_equal(hub->outside_count, 0);
}

TEST(a_hub_that_forgot_is_asked_under_a_new_session)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);
	struct seal_id first;
	struct seal_id second;

	assert_true(seal_peek(anna->outside.outside.bytes, anna->outside.outside.size, &first));
	restart(world, hub);
	carry_outside(world, anna, hub, &seen_at);
	assert_int_equal(hub->outside_count, 0);
	run(world, 4500 * USEC_MSEC);
	assert_true(seal_peek(anna->outside.outside.bytes, anna->outside.outside.size, &second));
	assert_memory_not_equal(&first, &second, sizeof first);
	carry_outside(world, anna, hub, &seen_at);
	assert_true(hub->outside_count > 0);
}

TEST(a_member_has_one_session_at_a_time)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct machine *anna = ask_where(world);
	struct site_limit limit = {.name = ""};

	for (int i = 0; i < 3; i++) {
		restart(world, anna);
		run(world, 10 * USEC_SECOND);
		(void)command(world, anna, (struct site_command){.kind = SITE_COMMAND_NETCHECK});
		run(world, USEC_SECOND);
	}
	for (uint32_t i = 0; strcmp(limit.name, "reflection sessions") != 0; i++)
		assert_true(site_limit(hub->site, i, &limit));
	assert_int_equal(limit.used, 1);
}

TEST(a_hub_that_is_deaf_outside_is_said_to_be)
{
	struct world *world = *state;
	struct machine *anna = ask_where(world);

	run(world, 6 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_true(anna->outside_count <= 8);
	/* And nothing goes on by itself. */
	anna->outside_count = 0;
	run(world, USEC_MINUTE);
	assert_int_equal(anna->outside_count, 0);
}

/* Input that is hostile, or bad. */

TEST(datagrams_of_strangers_are_counted_and_not_answered)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	const struct address stranger = address_ipv4(0x0a640909);
	uint8_t bytes[64] = {0x94};
	uint32_t sent = hub->sent;

	datagram(world, hub, &stranger, SITE_PORT, bytes, sizeof bytes);
	datagram(world, hub, &stranger, SITE_JOIN_PORT, bytes, sizeof bytes);
	run(world, USEC_SECOND);
	assert_int_equal(counter(hub, "datagrams_of_strangers"), 2);
	assert_int_equal(hub->sent, sent);
}

TEST(datagrams_to_other_ports_and_interfaces_are_counted)
{
	struct world *world = *state;
	struct machine *hub;
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	const uint8_t bytes[4] = {0};

	gather(world, 1);
	hub = &world->machines[0];
	datagram(world, hub, &world->machines[1].address, 53, bytes, sizeof bytes);
	assert_int_equal(counter(hub, "datagrams_misplaced"), 1);
	event.datagram.interface = SITE_LINKS;
	event.datagram.from.address = world->machines[1].address;
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = sizeof bytes;
	step(world, hub, &event);
	assert_int_equal(counter(hub, "datagrams_misplaced"), 2);
	/* A blank site takes nothing. */
	start(world, &world->machines[2]);
	datagram(world, &world->machines[2], &hub->address, SITE_PORT, bytes, sizeof bytes);
	assert_int_equal(counter(&world->machines[2], "datagrams_misplaced"), 1);
}

TEST(garbage_from_a_member_is_counted_and_changes_nothing)
{
	struct world *world = *state;
	struct machine *hub;
	uint8_t bytes[2000];
	uint64_t before;
	struct ledger_summary summary;

	gather(world, 1);
	hub = &world->machines[0];
	summary = *site_summary(hub->site);
	before = counter(hub, "gossip_malformed");
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37);
	for (size_t size = 0; size < 40; size++)
		datagram(world, hub, &world->machines[1].address, SITE_PORT, bytes, size);
	datagram(world, hub, &world->machines[1].address, SITE_PORT, bytes, sizeof bytes);
	assert_int_equal(counter(hub, "gossip_malformed"), before + 41);
	assert_int_equal(site_summary(hub->site)->facts, summary.facts);
	assert_true(hash_equal(&site_summary(hub->site)->facts_hash, &summary.facts_hash));
}

static struct address join_address(const char *word)
{
	struct invite read;

	assert_int_equal(invite_read(&read, word), INVITE_GOOD);
	return invite_join_address(read.join_number);
}

TEST(a_flood_of_join_requests_meets_a_budget)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	const uint8_t bytes[100] = {0x94, 16};
	char word[INVITE_TEXT_SIZE];
	struct address from;

	invite(world, "anna", word);
	from = join_address(word);
	run(world, 10 * USEC_SECOND);
	for (int i = 0; i < 100; i++)
		datagram(world, hub, &from, SITE_JOIN_PORT, bytes, sizeof bytes);
	assert_int_equal(counter(hub, "joins_malformed"), 20);
	assert_int_equal(counter(hub, "joins_over_budget"), 80);
	/* Five more each second; a friend gets in all the same. */
	run(world, USEC_SECOND);
	for (int i = 0; i < 100; i++)
		datagram(world, hub, &from, SITE_JOIN_PORT, bytes, sizeof bytes);
	assert_int_equal(counter(hub, "joins_malformed"), 25);
	start(world, &world->machines[1]);
	join(world, &world->machines[1], word);
	run(world, 10 * USEC_SECOND);
	assert_int_equal(site_state(world->machines[1].site), SITE_MEMBER);
}

/* Another's name, under the asker's own signature. */
static size_t write_petition(const struct machine *signer, const struct certificate *about,
	uint8_t bytes[static PETITION_SIZE_MAX])
{
	struct petition petition = {.site = about->site,
		.version = about->version,
		.backbone = {{77}},
		.links = about->links,
		.routes = about->routes,
		.clock = FOUNDING_NOW};
	struct secret secret;

	secret_from_seed(&secret, &signer->keys[SITE_KEY_IDENTITY]);
	return petition_write(
		&petition, &secret, &site_ledger(signer->site)->collective, &crypto_stub, bytes);
}

TEST(nobody_asks_for_a_certificate_in_anothers_name)
{
	struct world *world = *state;
	struct machine *hub;
	struct certificate anna;
	uint8_t bytes[PETITION_SIZE_MAX];
	size_t size;

	gather(world, 2);
	hub = &world->machines[0];
	anna = certificate_of(hub, "anna");
	/* Signed by another; and well signed, but from another's address. */
	size = write_petition(&world->machines[2], &anna, bytes);
	datagram(world, hub, &world->machines[2].address, SITE_PORT, bytes, size);
	datagram(world, hub, &world->machines[1].address, SITE_PORT, bytes, size);
	size = write_petition(&world->machines[1], &anna, bytes);
	datagram(world, hub, &world->machines[2].address, SITE_PORT, bytes, size);
	assert_int_equal(counter(hub, "petitions_refused"), 3);
	assert_int_equal(certificate_of(hub, "anna").version, 1);
	/* Who holds no admin's key answers none. */
	datagram(world, &world->machines[1], &hub->address, SITE_PORT, bytes, size);
	assert_int_equal(counter(&world->machines[1], "petitions_refused"), 1);
	datagram(world, hub, &world->machines[1].address, SITE_PORT, bytes, size);
	assert_int_equal(certificate_of(hub, "anna").version, 2);
}

TEST(other_routes_wait_for_a_yes)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];
	struct site_command given = {.kind = SITE_COMMAND_ROUTES};

	gather(world, 1);
	hub = &world->machines[0];
	given.routes = (struct prefixes){1, {{address_ipv4(0xc0a80700), 24}}};
	(void)command(world, anna, given);
	run(world, 5 * USEC_SECOND);
	assert_false(anna->answered);
	assert_int_equal(hub->logs[SITE_LOG_PETITION], 1);
	assert_int_equal(certificate_of(hub, "anna").version, 1);
	assert_int_equal(command(world, hub, named(SITE_COMMAND_APPROVE, "anna"))->reply.status,
		SITE_REPLY_DONE);
	run(world, 5 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	assert_true(has_route(hub, "192.168.7.0/24", SITE_ROUTE_BACKBONE));
}

TEST(asking_again_for_other_routes_is_written_down_once)
{
	struct world *world = *state;
	struct site_command given = {.kind = SITE_COMMAND_ROUTES};

	gather(world, 1);
	given.routes = (struct prefixes){1, {{address_ipv4(0xc0a80700), 24}}};
	(void)command(world, &world->machines[1], given);
	run(world, 5 * USEC_MINUTE);
	assert_int_equal(world->machines[0].logs[SITE_LOG_PETITION], 1);
}

TEST(a_row_that_nobody_wrote_is_refused_and_counted)
{
	static const char *const settings[] = {"collective", "join"};
	static const enum site_table tables[] = {
		SITE_TABLE_FACT, SITE_TABLE_PRESHARED, SITE_TABLE_INVITE, SITE_TABLE_ENDPOINT};
	struct world *world = *state;
	struct machine *hub = found(world);
	uint64_t bad = 0;

	stop(hub);
	make_site(hub);
	restore_all(hub);
	for (size_t i = 0; i < COUNT(settings); i++) {
		struct site_row row = {.table = SITE_TABLE_SETTING,
			.key_size = (uint8_t)strlen(settings[i]),
			.size = 3,
			.bytes = {0xc1, 1, 2}};

		memcpy(row.key, settings[i], row.key_size);
		assert_int_equal(site_restore(hub->site, &row), -EBADMSG);
		assert_int_equal(counter(hub, "rows_refused"), ++bad);
	}
	for (size_t i = 0; i < COUNT(tables); i++) {
		const struct site_row row = {
			.table = tables[i], .key_size = 5, .size = 3, .bytes = {0xc1, 1, 2}};

		assert_int_equal(site_restore(hub->site, &row), -EBADMSG);
		assert_int_equal(counter(hub, "rows_refused"), ++bad);
	}
	step_kind(world, hub, SITE_EVENT_START);
	run(world, USEC_SECOND);
	assert_true(site_is_hub(hub->site));
}

TEST(a_fact_without_its_collective_is_refused)
{
	struct world *world = *state;
	struct machine *hub = found(world);

	stop(hub);
	make_site(hub);
	for (uint32_t i = 0; i < hub->row_count; i++) {
		if (hub->rows[i].table == SITE_TABLE_FACT)
			assert_int_equal(site_restore(hub->site, &hub->rows[i]), -EBADMSG);
	}
	assert_true(counter(hub, "rows_refused") > 0);
	step_kind(world, hub, SITE_EVENT_START);
	assert_int_equal(site_state(hub->site), SITE_BLANK);
}

TEST(a_fact_with_one_changed_byte_is_refused)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	uint64_t facts = 0;

	stop(hub);
	make_site(hub);
	for (uint32_t i = 0; i < hub->row_count; i++) {
		if (hub->rows[i].table != SITE_TABLE_FACT)
			continue;
		hub->rows[i].bytes[hub->rows[i].size - 1] ^= 1;
		facts++;
	}
	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++) {
		if (hub->has_key[slot])
			site_restore_key(hub->site, (enum site_key_slot)slot, &hub->keys[slot]);
	}
	for (uint32_t i = 0; i < hub->row_count; i++)
		(void)site_restore(hub->site, &hub->rows[i]);
	assert_true(facts >= 3);
	/* The certificate hangs on a delegation that is not there: refused before its signature. */
	assert_true(counter(hub, "rows_refused") >= 1);
	assert_int_equal(site_ledger(hub->site)->members.count, 0);
}

static void check_refused(
	struct world *world, struct machine *machine, const struct site_command *given)
{
	uint32_t rows = machine->row_count;
	enum site_state before = site_state(machine->site);

	(void)command(world, machine, *given);
	assert_true(machine->answered);
	assert_int_equal(machine->reply.reply.status, SITE_REPLY_FAILED);
	assert_true(strlen(machine->reply.reply.note) > 0);
	assert_int_equal(site_state(machine->site), before);
	assert_int_equal(machine->row_count, rows);
}

TEST(a_blank_site_refuses_what_takes_a_collective)
{
	static const enum site_command_kind kinds[] = {SITE_COMMAND_ENDPOINTS, SITE_COMMAND_INVITE,
		SITE_COMMAND_UNINVITE, SITE_COMMAND_APPROVE, SITE_COMMAND_EXPEL, SITE_COMMAND_LEAVE,
		SITE_COMMAND_ROTATE, SITE_COMMAND_ROUTES, SITE_COMMAND_DELEGATE,
		SITE_COMMAND_REMOVE_ADMIN};
	struct world *world = *state;
	struct machine *blank = &world->machines[1];

	start(world, blank);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct site_command given = named(kinds[i], "anna");

		check_refused(world, blank, &given);
	}
	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++)
		assert_false(blank->has_key[slot]);
}

TEST(a_member_without_admins_key_refuses_what_takes_one)
{
	static const enum site_command_kind kinds[] = {SITE_COMMAND_INVITE, SITE_COMMAND_UNINVITE,
		SITE_COMMAND_APPROVE, SITE_COMMAND_EXPEL, SITE_COMMAND_DELEGATE,
		SITE_COMMAND_REMOVE_ADMIN};
	struct world *world = *state;

	gather(world, 2);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct site_command given = named(kinds[i], "bert");

		check_refused(world, &world->machines[1], &given);
	}
}

TEST(a_hub_refuses_names_that_are_nobodys_and_itself)
{
	static const enum site_command_kind kinds[] = {SITE_COMMAND_UNINVITE, SITE_COMMAND_APPROVE,
		SITE_COMMAND_EXPEL, SITE_COMMAND_REMOVE_ADMIN};
	struct world *world = *state;
	struct machine *hub;
	struct site_command given;

	gather(world, 1);
	hub = &world->machines[0];
	for (size_t i = 0; i < COUNT(kinds); i++) {
		given = named(kinds[i], "nobody");
		check_refused(world, hub, &given);
	}
	given = named(SITE_COMMAND_EXPEL, "hub");
	check_refused(world, hub, &given);
	given = named(SITE_COMMAND_INVITE, "anna");
	check_refused(world, hub, &given);
	/* A subnet that a member has, or another invite. */
	given = named(SITE_COMMAND_INVITE, "bert");
	given.subnet = (struct prefix){address_ipv4(0x0a640100), 24};
	check_refused(world, hub, &given);
	given.subnet = (struct prefix){address_ipv4(0x0a640000), 24};
	check_refused(world, hub, &given);
	assert_non_null(strstr(hub->reply.reply.note, "member"));
	/* Subnets lie in the collective's network, routes do not. */
	given.subnet = (struct prefix){address_ipv4(0xc0a80300), 24};
	check_refused(world, hub, &given);
	assert_non_null(strstr(hub->reply.reply.note, "part of the collective's own"));
	given = named(SITE_COMMAND_INVITE, "bert");
	given.routes = (struct prefixes){1, {{address_ipv4(0x0a640700), 24}}};
	check_refused(world, hub, &given);
	assert_non_null(strstr(hub->reply.reply.note, "outside the collective's own"));
}

TEST(an_invite_without_endpoint_is_refused_with_the_way_out)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS};

	(void)command(world, hub, given);
	given = named(SITE_COMMAND_INVITE, "anna");
	check_refused(world, hub, &given);
	assert_non_null(strstr(hub->reply.reply.note, "endpoint add"));
}

/* What cannot be an invite must not stay as one: its name and subnet would be taken. */
TEST(an_invite_that_cannot_be_written_leaves_nothing_behind)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = named(SITE_COMMAND_INVITE, "anna");

	given.subnet = (struct prefix){address_ipv4(0xc0a80100), 24};
	(void)command(world, hub, given);
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_FAILED);
	assert_int_equal(limit_used(hub, "invites"), 0);
	given.subnet = (struct prefix){.address.family = ADDRESS_NONE};
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_DONE);
}

TEST(an_invite_for_what_is_no_name_is_refused)
{
	static const char *const names[] = {"", "Anna", "anna lee", "anna_lee"};
	struct world *world = *state;
	struct machine *hub = found(world);

	for (size_t i = 0; i < COUNT(names); i++) {
		struct site_command given = named(SITE_COMMAND_INVITE, names[i]);

		check_refused(world, hub, &given);
	}
}

/* What becomes of a command; in a process of its own, since it may end that. -1: it did. */
static int try_command(
	struct world *world, struct machine *machine, const struct site_command *given)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const struct site_action *reply;

		/* What an assertion has to say would be taken for a result. */
		(void)close(STDERR_FILENO);
		reply = command(world, machine, *given);
		_exit((int)reply->reply.status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_refused(
	struct world *world, struct machine *machine, const struct site_command *given)
{
	return try_command(world, machine, given) == SITE_REPLY_FAILED;
}

static bool ends_well(
	struct world *world, struct machine *machine, const struct site_command *given)
{
	int status = try_command(world, machine, given);

	return status == SITE_REPLY_DONE || status == SITE_REPLY_FAILED;
}

TEST(founding_outside_the_supernet_is_refused)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = founding_command();

	start(world, hub);
	given.subnet = (struct prefix){address_ipv4(0x0a650000), 24};
	check_refused(world, hub, &given);
	given = founding_command();
	given.subnet.length = 32;
	check_refused(world, hub, &given);
}

TEST(founding_under_what_is_no_name_is_refused)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = founding_command();

	start(world, hub);
	memcpy(given.name, "No Name", 8);
	assert_true(is_refused(world, hub, &given));
	given.name[0] = '\0';
	assert_true(is_refused(world, hub, &given));
}

TEST(founding_with_prefixes_that_cannot_be_is_refused)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];
	struct site_command given = founding_command();

	start(world, hub);
	given.routes = (struct prefixes){1, {{address_ipv4(0x0a640900), 24}}};
	assert_true(is_refused(world, hub, &given));
	given = founding_command();
	given.subnet.address.bytes[3] = 5;
	assert_true(is_refused(world, hub, &given));
}

/* The second spoke's place is free, and the first one is an admin. */
TEST(an_admin_elsewhere_makes_invites_that_the_hub_lets_in)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct machine *ben = &world->machines[2];
	struct machine *hub = gather_with_admin(world);
	struct site_command join = {.kind = SITE_COMMAND_JOIN};
	char word[INVITE_TEXT_SIZE];

	(void)command(world, anna, named(SITE_COMMAND_INVITE, "ben"));
	assert_false(anna->answered);
	run(world, 5 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	memcpy(word, anna->reply.reply.text, sizeof word);
	start(world, ben);
	join.text = word;
	(void)command(world, ben, join);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(ben->site), SITE_MEMBER);
	assert_true(connected(world, hub, ben));
	assert_int_equal(certificate_of(hub, "ben").version, 1);
}

TEST(a_hub_without_an_admins_key_asks_the_admin_who_made_the_invite)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct machine *ben = &world->machines[2];
	struct machine *hub = gather_with_admin(world);
	struct site_command join = {.kind = SITE_COMMAND_JOIN};
	char word[INVITE_TEXT_SIZE];
	struct certificate issued;
	struct record record;
	struct hash by;

	/* The hub's own admin is removed: its certificate stays. */
	assert_int_equal(command(world, hub, named(SITE_COMMAND_REMOVE_ADMIN, "hub"))->reply.status,
		SITE_REPLY_DONE);
	run(world, 5 * USEC_SECOND);
	(void)command(world, anna, named(SITE_COMMAND_INVITE, "ben"));
	run(world, 5 * USEC_SECOND);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
	memcpy(word, anna->reply.reply.text, sizeof word);
	start(world, ben);
	join.text = word;
	(void)command(world, ben, join);
	run(world, USEC_MINUTE);
	assert_int_equal(site_state(ben->site), SITE_MEMBER);
	assert_true(connected(world, hub, ben));
	assert_true(ledger_record(site_ledger(hub->site), member_of(hub, "anna"), &record));
	by = hash_of(record.admin.bytes, KEY_SIZE);
	issued = certificate_of(hub, "ben");
	assert_true(hash_equal(&issued.issuer, &by));
}

TEST(an_invite_that_the_hub_never_hears_of_is_not_given_out)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct machine *hub = gather_with_admin(world);

	hub->unplugged = true;
	(void)command(world, anna, named(SITE_COMMAND_INVITE, "ben"));
	run(world, 15 * USEC_SECOND);
	assert_true(anna->answered);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_true(strlen(anna->reply.reply.note) > 0);
	/* The name is free again. */
	hub->unplugged = false;
	run(world, 5 * USEC_MINUTE);
	(void)command(world, anna, named(SITE_COMMAND_INVITE, "ben"));
	run(world, 5 * USEC_SECOND);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_DONE);
}

TEST(a_hub_says_why_it_does_not_take_an_invite)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	struct machine *hub = gather_with_admin(world);

	assert_int_equal(command(world, hub, named(SITE_COMMAND_INVITE, "ben"))->reply.status,
		SITE_REPLY_DONE);
	(void)command(world, anna, named(SITE_COMMAND_INVITE, "ben"));
	run(world, 5 * USEC_SECOND);
	assert_int_equal(anna->reply.reply.status, SITE_REPLY_FAILED);
	assert_non_null(strstr(anna->reply.reply.note, "name"));
}

TEST(delegating_with_bad_arguments_is_refused)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = named(SITE_COMMAND_DELEGATE, "anna");

	/* No key. */
	assert_true(is_refused(world, hub, &given));
	given = named(SITE_COMMAND_DELEGATE, "No Name");
	given.key = (struct key){{5}};
	assert_true(is_refused(world, hub, &given));
}

TEST(delegating_twice_does_not_end_the_agent)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = named(SITE_COMMAND_DELEGATE, "anna");

	given.key = (struct key){{5}};
	for (int i = 0; i < 8; i++) {
		run(world, USEC_SECOND);
		assert_true(ends_well(world, hub, &given));
		(void)command(world, hub, given);
	}
}

TEST(an_admin_that_was_removed_is_not_delegated_to_again)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = named(SITE_COMMAND_DELEGATE, "anna");

	given.key = (struct key){{5}};
	assert_int_equal(command(world, hub, given)->reply.status, SITE_REPLY_DONE);
	assert_int_equal(
		command(world, hub, named(SITE_COMMAND_REMOVE_ADMIN, "anna"))->reply.status,
		SITE_REPLY_DONE);
	run(world, USEC_SECOND);
	assert_true(is_refused(world, hub, &given));
}

TEST(routes_that_cannot_be_are_refused)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ROUTES};

	given.routes = (struct prefixes){1, {{address_ipv4(0x0a640900), 24}}};
	(void)command(world, hub, given);
	run(world, USEC_MINUTE);
	assert_true(hub->answered);
	assert_int_equal(hub->reply.reply.status, SITE_REPLY_FAILED);
}

/* What a failing disk takes. */

TEST(a_record_whose_number_could_not_be_saved_is_said_once_it_can)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 1};
	uint64_t before = member_of(hub, "hub")->sequence;

	run(world, USEC_MINUTE);
	given.endpoints[0] = (struct invite_endpoint){"192.0.2.7", 51821};
	hub->full = true;
	(void)command(world, hub, given);
	run(world, USEC_SECOND);
	hub->full = false;
	run(world, 5 * USEC_MINUTE);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_WELL], 1);
	assert_true(member_of(hub, "hub")->sequence > before);
}

/* A clock that stands does not hide it: numbers count up by one, within the reserve. */
TEST(a_number_whose_save_failed_is_saved_before_it_is_spoken)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct site_command given = {.kind = SITE_COMMAND_ENDPOINTS, .endpoint_count = 1};
	uint32_t endpoint = 0;

	hub->clock_stands = true;
	hub->clock_ms = -1000;
	given.endpoints[0] = (struct invite_endpoint){"192.0.2.7", 51821};
	run(world, USEC_MINUTE);
	/* The reserve is used up while the disk is full. */
	while (member_of(hub, "hub")->sequence < floor_of(hub, "sequence")) {
		assert_true(endpoint++ < 200);
		(void)command(world, hub, given);
		run(world, 5 * USEC_MINUTE);
	}
	hub->full = true;
	(void)command(world, hub, given);
	run(world, USEC_SECOND);
	hub->full = false;
	run(world, 5 * USEC_MINUTE);
	(void)command(world, hub, given);
	run(world, 5 * USEC_MINUTE);
	assert_true(member_of(hub, "hub")->sequence <= floor_of(hub, "sequence"));
}

TEST(keys_that_could_not_be_saved_are_saved_again)
{
	struct world *world = *state;
	struct machine *hub = &world->machines[0];

	start(world, hub);
	hub->full = true;
	(void)command(world, hub, founding_command());
	run(world, USEC_SECOND);
	hub->full = false;
	run(world, USEC_MINUTE);
	assert_int_equal(hub->logs[SITE_LOG_SAVE_WELL], 1);
	/* "The state is saved again". */
	assert_true(hub->has_key[SITE_KEY_IDENTITY]);
	assert_true(hub->has_key[SITE_KEY_BACKBONE]);
	assert_true(hub->has_key[SITE_KEY_ROOT]);
}

TEST(a_command_whose_save_failed_gets_its_last_reply)
{
	struct world *world = *state;
	struct machine *hub = found(world);

	hub->full = true;
	(void)command(world, hub, named(SITE_COMMAND_INVITE, "anna"));
	run(world, USEC_MINUTE);
	hub->full = false;
	run(world, USEC_MINUTE);
	assert_true(hub->answered);
}

TEST(no_certificate_is_asked_for_a_key_that_is_not_saved)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	anna->full = true;
	rotate(world, anna);
	anna->petitions = 0;
	run(world, USEC_MINUTE);
	assert_int_equal(anna->petitions, 0);
}

TEST(keys_that_changed_on_a_full_disk_fit_after_a_restart)
{
	struct world *world = *state;
	struct machine *hub;
	struct machine *anna = &world->machines[1];

	gather(world, 1);
	hub = &world->machines[0];
	anna->full = true;
	rotate(world, anna);
	run(world, USEC_MINUTE);
	anna->full = false;
	run(world, USEC_MINUTE);
	reboot(world, anna);
	run(world, 5 * USEC_MINUTE);
	assert_true(connected(world, hub, anna));
}

TEST(nobody_asks_to_join_under_an_identity_that_is_not_saved)
{
	struct world *world = *state;
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	(void)found(world);
	invite(world, "anna", word);
	start(world, anna);
	anna->full = true;
	join(world, anna, word);
	anna->joins = 0;
	run(world, 10 * USEC_SECOND);
	assert_int_equal(anna->joins, 0);
}

TEST(a_fact_that_could_not_be_saved_is_not_confirmed)
{
	struct world *world = *state;
	struct machine *hub;

	gather(world, 2);
	hub = &world->machines[0];
	world->machines[1].full = true;
	(void)command(world, hub, named(SITE_COMMAND_EXPEL, "bert"));
	run(world, 11 * USEC_SECOND);
	assert_true(hub->answered);
	assert_int_equal(hub->reply.reply.count, 0);
}

TEST(preshared_keys_that_could_not_be_saved_are_saved_again)
{
	struct world *world = *state;
	struct machine *hub = found(world);
	struct machine *anna = &world->machines[1];
	char word[INVITE_TEXT_SIZE];

	start(world, anna);
	invite(world, "anna", word);
	hub->full = true;
	join(world, anna, word);
	run(world, USEC_SECOND);
	hub->full = false;
	run(world, 2 * USEC_MINUTE);
	assert_int_equal(site_state(anna->site), SITE_MEMBER);
	assert_true(connected(world, hub, anna));
	/* The invite, which has a copy of the key, is forgotten by then. */
	run(world, 8 * USEC_DAY);
	assert_int_equal(limit_used(hub, "invites"), 0);
	reboot(world, hub);
	run(world, USEC_MINUTE);
	assert_true(connected(world, hub, anna));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CARRIED(a_timer_at_the_wakeup_always_makes_progress),
		CARRIED(a_member_that_lost_its_certificate_waits_for_it_without_spinning),
		CARRIED(a_large_hub_is_told_in_several_lists_and_settles_once),
		CARRIED(a_settled_hub_is_told_nothing_more),
		CARRIED(the_same_seed_and_events_cause_the_same_actions),
		CARRIED(limits_and_counters_have_names_and_an_end),
		CARRIED(every_log_code_has_words_of_its_own),
		CARRIED(a_record_waits_until_its_number_is_saved),
		CARRIED(what_is_said_of_members_is_in_the_store),
		CARRIED(a_failing_disk_is_told_once_and_so_is_its_recovery),
		CARRIED(facts_that_could_not_be_saved_are_saved_again),
		CARRIED(a_reply_does_not_stand_before_what_it_rests_on),
		CARRIED(no_number_is_used_twice_when_the_last_save_was_lost),
		CARRIED(founding_makes_a_hub_with_one_member),
		CARRIED(the_invite_names_the_hub_and_what_is_reserved),
		CARRIED(joining_ends_in_membership_on_both_sides),
		CARRIED(others_hear_of_a_new_member_once),
		CARRIED(a_joiner_that_falls_after_any_action_becomes_a_member),
		CARRIED(a_hub_that_falls_after_any_action_lets_the_joiner_in),
		CARRIED(another_identity_is_refused_and_both_are_named),
		CARRIED(another_identity_is_refused_and_told_so),
		CARRIED(a_withdrawn_invite_lets_nobody_in),
		CARRIED(a_silent_hub_is_told_of_within_seconds),
		CARRIED(an_expired_invite_lets_nobody_in),
		CARRIED(an_invite_with_approval_waits_for_a_yes),
		CARRIED(a_joiner_whose_clock_is_off_goes_by_the_hubs),
		CARRIED(what_a_clock_is_set_by_is_no_time_that_passed),
		CARRIED(a_word_with_a_typing_error_is_refused_with_its_reason),
		CARRIED(a_refused_joiner_comes_in_with_another_invite),
		CARRIED(a_collective_is_founded_or_joined_once),
		CARRIED(the_temporary_peer_owns_its_join_address_only),
		CARRIED(a_peer_is_kept_alive_once_it_has_an_endpoint),
		CARRIED(a_hub_calls_members_where_it_last_heard_them),
		CARRIED(a_hub_calls_also_a_member_that_came_in_a_moment_ago),
		CARRIED(a_hub_calls_also_a_member_that_came_in_just_before_its_agent_began_again),
		CARRIED(a_site_announces_its_own_subnet_and_guards_it),
		CARRIED(a_members_home_network_is_routed_where_it_is_no_local_one),
		CARRIED(networks_told_before_the_start_do_not_settle_anything),
		CARRIED(no_route_goes_over_a_network_that_the_machine_is_in),
		CARRIED(no_route_covers_a_network_that_the_machine_is_in),
		CARRIED(what_is_isolated_is_neither_routed_nor_taken_in),
		CARRIED(what_is_isolated_is_not_opened_though_it_was_granted),
		CARRIED(what_the_configuration_offers_is_asked_for),
		CARRIED(what_an_admins_own_configuration_offers_is_granted_at_once),
		CARRIED(who_is_in_the_collectives_network_otherwise_does_not_join),
		CARRIED(nobody_founds_in_a_network_that_the_machine_is_in),
		CARRIED(a_route_goes_when_the_machine_comes_into_that_network_and_returns_with_it),
		CARRIED(a_network_in_ones_own_subnet_leaves_the_way_to_the_others),
		CARRIED(expelling_takes_the_peer_and_its_prefixes_at_once),
		CARRIED(who_was_expelled_does_not_come_by_its_invite_either),
		CARRIED(the_answer_to_an_expulsion_counts_all_who_confirmed),
		CARRIED(the_answer_to_an_expulsion_comes_when_not_all_confirm),
		CARRIED(an_expelled_site_takes_everything_off_and_stays_out),
		CARRIED(leaving_ends_as_soon_as_the_hub_has_confirmed_it),
		CARRIED(leaving_says_farewell_and_stays_out),
		CARRIED(a_farewell_is_written_down_by_the_others),
		CARRIED(leaving_without_the_hub_says_that_nobody_heard_it),
		CARRIED(a_site_that_left_joins_with_a_new_state_only),
		CARRIED(taking_down_keeps_the_state_and_clears_the_machine),
		CARRIED(the_guard_of_a_network_that_nobody_has_outlives_restarts_until_taken_down),
		CARRIED(a_network_that_was_granted_again_is_guarded_as_any_other),
		CARRIED(the_links_have_an_interface_of_their_own_with_the_same_address),
		CARRIED(an_expulsion_that_cannot_be_kept_is_refused_and_not_said),
		CARRIED(a_hub_that_others_depend_on_leaves_only_when_it_is_told_twice),
		CARRIED(a_hub_that_is_alone_leaves_at_once),
		CARRIED(what_was_begun_with_an_invite_can_be_taken_back),
		CARRIED(the_root_key_can_be_taken_off_line_and_back),
		CARRIED(a_ping_says_how_far_a_member_is),
		CARRIED(a_ping_without_answer_ends_after_2_s),
		CARRIED(nobody_is_pinged_who_is_no_member),
		CARRIED(another_member_is_asked_why_and_says_it_in_letters),
		CARRIED(a_member_that_does_not_say_why_is_waited_for_2_s),
		CARRIED(a_survey_brings_the_hubs_word_of_other_spokes),
		CARRIED(a_survey_ends_within_a_second_where_nobody_answers),
		CARRIED(a_flood_of_probes_is_answered_within_a_budget),
		CARRIED(a_site_that_is_down_is_silent),
		CARRIED(a_hub_that_left_makes_no_invites),
		CARRIED(a_rotation_changes_the_key_on_both_sides),
		CARRIED(the_pending_key_is_saved_before_it_is_asked_for),
		CARRIED(the_old_key_carries_the_traffic_until_the_new_one_is_heard),
		CARRIED(the_old_key_goes_after_ten_seconds),
		CARRIED(a_spoke_that_falls_after_any_action_ends_with_keys_that_fit),
		CARRIED(a_hub_that_falls_after_any_action_ends_with_keys_that_fit),
		CARRIED(a_hub_that_falls_before_the_certificate_has_gone_out_keeps_the_spoke),
		CARRIED(a_hub_changes_its_key_and_every_spoke_comes_along),
		CARRIED(a_hub_keeps_its_key_until_everybody_has_heard_of_the_next),
		CARRIED(a_hub_uses_its_next_key_once_that_is_saved),
		CARRIED(a_hub_does_not_count_on_who_cannot_keep_its_next_key),
		CARRIED(a_handshake_alone_does_not_prove_a_new_key),
		CARRIED(both_ends_may_change_their_keys_at_once),
		CARRIED(a_silent_hub_is_suspected_after_55_s_and_down_after_180_s),
		CARRIED(a_hub_writes_down_a_silent_site_and_its_return_once),
		CARRIED(a_silence_too_short_to_be_written_down_has_no_end_to_write_down),
		CARRIED(the_endpoints_of_a_silent_hub_are_tried_in_turn),
		CARRIED(a_machine_that_wakes_up_asks_and_greets_at_once),
		CARRIED(a_machine_that_moves_greets_at_once),
		CARRIED(what_wireguard_counted_before_the_start_is_no_sign_of_life),
		CARRIED(a_hub_that_begins_again_tells_news_at_once),
		CARRIED(of_several_endpoints_each_is_soon_tried_where_the_hub_was_never_heard),
		CARRIED(a_site_learns_from_its_hub_where_it_is_seen),
		CARRIED(what_was_asked_twice_is_answered_once_and_strangers_are_not),
		CARRIED(what_is_no_question_leaves_the_answers_to_those_who_ask),
		CARRIED(who_was_expelled_is_not_told_where_it_is_seen),
		CARRIED(a_hub_that_forgot_is_asked_under_a_new_session),
		CARRIED(a_member_has_one_session_at_a_time),
		CARRIED(a_hub_that_is_deaf_outside_is_said_to_be),
		CARRIED(datagrams_of_strangers_are_counted_and_not_answered),
		CARRIED(datagrams_to_other_ports_and_interfaces_are_counted),
		CARRIED(garbage_from_a_member_is_counted_and_changes_nothing),
		CARRIED(a_flood_of_join_requests_meets_a_budget),
		CARRIED(nobody_asks_for_a_certificate_in_anothers_name),
		CARRIED(other_routes_wait_for_a_yes),
		CARRIED(asking_again_for_other_routes_is_written_down_once),
		CARRIED(a_row_that_nobody_wrote_is_refused_and_counted),
		CARRIED(a_fact_without_its_collective_is_refused),
		CARRIED(a_fact_with_one_changed_byte_is_refused),
		CARRIED(a_blank_site_refuses_what_takes_a_collective),
		CARRIED(a_member_without_admins_key_refuses_what_takes_one),
		CARRIED(a_hub_refuses_names_that_are_nobodys_and_itself),
		CARRIED(an_invite_without_endpoint_is_refused_with_the_way_out),
		CARRIED(an_invite_that_cannot_be_written_leaves_nothing_behind),
		CARRIED(an_invite_for_what_is_no_name_is_refused),
		CARRIED(founding_outside_the_supernet_is_refused),
		CARRIED(founding_under_what_is_no_name_is_refused),
		CARRIED(founding_with_prefixes_that_cannot_be_is_refused),
		CARRIED(an_admin_elsewhere_makes_invites_that_the_hub_lets_in),
		CARRIED(a_hub_without_an_admins_key_asks_the_admin_who_made_the_invite),
		CARRIED(an_invite_that_the_hub_never_hears_of_is_not_given_out),
		CARRIED(a_hub_says_why_it_does_not_take_an_invite),
		CARRIED(delegating_with_bad_arguments_is_refused),
		CARRIED(delegating_twice_does_not_end_the_agent),
		CARRIED(an_admin_that_was_removed_is_not_delegated_to_again),
		CARRIED(routes_that_cannot_be_are_refused),
		CARRIED(a_record_whose_number_could_not_be_saved_is_said_once_it_can),
		CARRIED(a_number_whose_save_failed_is_saved_before_it_is_spoken),
		CARRIED(keys_that_could_not_be_saved_are_saved_again),
		CARRIED(a_command_whose_save_failed_gets_its_last_reply),
		CARRIED(no_certificate_is_asked_for_a_key_that_is_not_saved),
		CARRIED(keys_that_changed_on_a_full_disk_fit_after_a_restart),
		CARRIED(nobody_asks_to_join_under_an_identity_that_is_not_saved),
		CARRIED(a_fact_that_could_not_be_saved_is_not_confirmed),
		CARRIED(preshared_keys_that_could_not_be_saved_are_saved_again),
	};

	return RUN(cases);
}

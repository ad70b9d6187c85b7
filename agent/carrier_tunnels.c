/* SPDX-License-Identifier: MIT */
/*
 * carrier_tunnels.c - peers and their prefixes.
 *
 * What differs is marked as due, and all that is due goes out in one change: peers that are new or
 * changed with their prefixes, then prefixes that move to others, then what goes. So a prefix never
 * lies bare between two peers of one list.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "agent/carrier_internal.h"
#include "agent/memory.h"

#define SESSION_LIFE_MS 180000

static void peer_key(
	enum site_interface interface, const struct key *key, uint8_t out[static 1 + KEY_SIZE])
{
	out[0] = (uint8_t)interface;
	memcpy(out + 1, key->bytes, KEY_SIZE);
}

static struct carrier_peer *find_peer(
	const struct carrier *carrier, enum site_interface interface, const struct key *key)
{
	uint8_t sought[1 + KEY_SIZE];

	peer_key(interface, key, sought);
	return table_find(&carrier->peers, sought);
}

static void allowed_key(enum site_interface interface, const struct prefix *prefix,
	uint8_t out[static 1 + CARRIER_PREFIX_KEY])
{
	out[0] = (uint8_t)interface;
	carrier_prefix_key(prefix, out + 1);
}

static struct prefix prefix_of(const struct carrier_allowed *allowed)
{
	return carrier_prefix_of(allowed->key + 1);
}

/* Wanting. */

static void want_peer(struct carrier *carrier, const struct site_action *action)
{
	struct carrier_peer *peer = find_peer(carrier, action->interface, &action->peer.key);
	uint8_t key[1 + KEY_SIZE];
	struct address address;

	if (!peer) {
		peer_key(action->interface, &action->peer.key, key);
		peer = table_add(&carrier->peers, key);
	}
	if (!peer) {
		carrier_refused(carrier, "there is no room for another peer: %u are the most",
			carrier->peers.capacity);
		return;
	}
	if (!peer->wanted)
		peer->has_endpoint = false;
	peer->wanted = true;
	peer->due = true;
	peer->preshared = action->peer.preshared;
	peer->keepalive = action->peer.keepalive;
	carrier->devices[action->interface].tunnels_due = true;
	if (!action->peer.set_endpoint ||
		address_parse(action->peer.host, strlen(action->peer.host), &address) < 0)
		return;
	peer->endpoint = (struct endpoint){address, action->peer.port};
	peer->has_endpoint = true;
	peer->endpoint_due = true;
}

void carrier_resolved(struct carrier *carrier, enum site_interface interface, const struct key *key,
	const struct endpoint *endpoint)
{
	struct carrier_peer *peer = find_peer(carrier, interface, key);

	if (!peer || !peer->wanted)
		return;
	peer->endpoint = *endpoint;
	peer->has_endpoint = true;
	peer->endpoint_due = true;
	peer->due = true;
	carrier->devices[interface].tunnels_due = true;
}

/* With a peer go its prefixes: WireGuard forgets them by itself. */
static void unwant_peer(
	struct carrier *carrier, enum site_interface interface, const struct key *key)
{
	struct carrier_peer *peer = find_peer(carrier, interface, key);

	if (!peer)
		return;
	peer->wanted = false;
	peer->again = true;
	peer->due = true;
	carrier->devices[interface].tunnels_due = true;
	for (uint32_t i = carrier->allowed.count; i > 0; i--) {
		const struct carrier_allowed *allowed = table_at(&carrier->allowed, i - 1);

		if (allowed->key[0] == interface && key_equal(&allowed->peer, key))
			table_remove(&carrier->allowed, i - 1);
	}
}

static void want_allowed(
	struct carrier *carrier, const struct site_action *action, const struct key *peer)
{
	struct carrier_allowed *allowed;
	uint8_t key[1 + CARRIER_PREFIX_KEY];

	allowed_key(action->interface, &action->allow.prefix, key);
	allowed = table_find(&carrier->allowed, key);
	/* To be taken from a peer that does not have it: another has it by now, or nobody. */
	if (key_is_zero(peer) && (!allowed || !key_equal(&allowed->peer, &action->allow.key)))
		return;
	if (!allowed)
		allowed = table_add(&carrier->allowed, key);
	if (!allowed) {
		carrier_refused(carrier, "there is no room for another prefix: %u are the most",
			carrier->allowed.capacity);
		return;
	}
	allowed->peer = *peer;
	allowed->due = true;
	carrier->devices[action->interface].tunnels_due = true;
}

void carrier_tunnels_want(struct carrier *carrier, const struct site_action *action)
{
	static const struct key nobody;

	if (action->kind == SITE_PEER)
		want_peer(carrier, action);
	else if (action->kind == SITE_PEER_REMOVE)
		unwant_peer(carrier, action->interface, &action->allow.key);
	else if (action->kind == SITE_ALLOW)
		want_allowed(carrier, action, &action->allow.key);
	else
		want_allowed(carrier, action, &nobody);
}

void carrier_tunnels_anew(struct carrier *carrier, enum site_interface interface)
{
	carrier->devices[interface].tunnels_due = true;
	for (uint32_t i = 0; i < carrier->peers.count; i++) {
		struct carrier_peer *peer = table_at(&carrier->peers, i);

		if (peer->interface != interface)
			continue;
		peer->due = true;
		peer->endpoint_due = peer->has_endpoint;
	}
	for (uint32_t i = 0; i < carrier->allowed.count; i++) {
		struct carrier_allowed *allowed = table_at(&carrier->allowed, i);

		if (allowed->key[0] == interface)
			allowed->due = true;
	}
}

/* Applying. */

struct change {
	struct wireguard_peer_change *items;
	uint32_t count;
	uint32_t capacity;
	struct prefix *prefixes; /* of all of them, one after the other */
};

static struct wireguard_peer_change *add_item(struct change *change, const struct key *key)
{
	struct wireguard_peer_change *item;

	change->items = memory_grown(
		change->items, &change->capacity, change->count + 1, sizeof *change->items);
	item = &change->items[change->count++];
	item->key = *key;
	return item;
}

/*
 * Whoever runs on while an agent is replaced knows better where it is than that agent's successor:
 * a session that lives keeps its endpoint.
 */
static bool keeps_endpoint(const struct carrier_device *device, struct carrier_peer *peer)
{
	const struct wireguard_peer *seen = wireguard_device_peer(&device->seen, &peer->key);
	struct timespec now;
	uint64_t now_ms;

	if (!seen || !seen->has_endpoint || seen->handshake == 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	now_ms = (uint64_t)now.tv_sec * 1000;
	if (seen->handshake + SESSION_LIFE_MS < now_ms)
		return false;
	peer->endpoint = seen->endpoint;
	peer->has_endpoint = true;
	return true;
}

/* Returns what is said of the peer itself, to which its prefixes are added. */
static struct wireguard_peer_change *say_peer(
	struct change *change, struct carrier *carrier, struct carrier_peer *peer)
{
	const struct carrier_device *device = &carrier->devices[peer->interface];
	struct wireguard_peer_change *item;

	if (peer->again)
		add_item(change, &peer->key)->remove = true;
	item = add_item(change, &peer->key);
	item->set_preshared = true;
	item->preshared = peer->preshared;
	if (peer->endpoint_due &&
		(carrier->settled || peer->again || !keeps_endpoint(device, peer))) {
		item->set_endpoint = true;
		item->endpoint = peer->endpoint;
	}
	/* A keepalive without an endpoint would only spoil the next handshake. */
	item->set_keepalive = true;
	item->keepalive = peer->has_endpoint ? peer->keepalive : 0;
	return item;
}

/* A prefix of which something is due. */
struct due {
	const struct carrier_allowed *allowed;
};

static int by_peer(const void *a, const void *b)
{
	const struct carrier_allowed *left = ((const struct due *)a)->allowed;
	const struct carrier_allowed *right = ((const struct due *)b)->allowed;
	int order = memcmp(left->peer.bytes, right->peer.bytes, KEY_SIZE);

	return order ? order : memcmp(left->key, right->key, sizeof left->key);
}

/* The prefixes that are due, those of one peer together, nobody's first. */
static struct due *list_due(
	const struct carrier *carrier, enum site_interface interface, uint32_t *ret_count)
{
	struct due *due = memory_zeroed(carrier->allowed.count + 1, sizeof *due);
	uint32_t count = 0;

	for (uint32_t i = 0; i < carrier->allowed.count; i++) {
		const struct carrier_allowed *allowed = table_at(&carrier->allowed, i);

		if (allowed->key[0] == interface && allowed->due)
			due[count++].allowed = allowed;
	}
	if (count > 1)
		qsort(due, count, sizeof *due, by_peer);
	*ret_count = count;
	return due;
}

/* Takes the next peer's prefixes over into the change. Returns how many these are. */
static uint32_t take_prefixes(
	struct change *change, const struct due *due, uint32_t begin, uint32_t end)
{
	const struct key *peer = &due[begin].allowed->peer;
	uint32_t i = begin;

	for (; i < end && key_equal(&due[i].allowed->peer, peer); i++)
		change->prefixes[i] = prefix_of(due[i].allowed);
	return i - begin;
}

/* The next peer of the interface of which something is due, from a position on; NULL: none. */
static struct carrier_peer *next_due(
	const struct carrier *carrier, enum site_interface interface, uint32_t *position)
{
	for (; *position < carrier->peers.count; (*position)++) {
		struct carrier_peer *peer = table_at(&carrier->peers, *position);

		if (peer->interface == interface && peer->due && peer->wanted)
			return peer;
	}
	return NULL;
}

/* Both peers and prefixes stand in the order of keys: they are told side by side. */
static void say_peers(struct change *change, struct carrier *carrier, enum site_interface interface,
	const struct due *due, uint32_t begin, uint32_t end)
{
	uint32_t position = 0;
	struct carrier_peer *peer = next_due(carrier, interface, &position);

	while (peer || begin < end) {
		int order = !peer          ? 1
			    : begin == end ? -1
					   : memcmp(peer->key.bytes, due[begin].allowed->peer.bytes,
						     KEY_SIZE);
		struct wireguard_peer_change *item;

		if (order <= 0) {
			item = say_peer(change, carrier, peer);
			position++;
			peer = next_due(carrier, interface, &position);
		} else {
			item = add_item(change, &due[begin].allowed->peer);
			item->update_only = true;
		}
		if (order < 0)
			continue;
		item->allowed = &change->prefixes[begin];
		item->allowed_count = take_prefixes(change, due, begin, end);
		begin += item->allowed_count;
	}
}

/*
 * No WireGuard of this age takes one prefix from a peer and leaves it the others. So what is to be
 * nobody's goes to a peer whose key nobody has, and goes with it.
 */
static void say_nobodys(struct change *change, const struct carrier_strays *strays, uint32_t count)
{
	static const char words[] = "collective: whom nothing belongs to";
	struct wireguard_peer_change *item;
	struct key key;

	if (strays->allowed_count == 0 && count == 0)
		return;
	(void)crypto_generichash(
		key.bytes, KEY_SIZE, (const uint8_t *)words, sizeof words, NULL, 0);
	for (int i = 0; i < 2; i++) {
		item = add_item(change, &key);
		item->allowed = i == 0 ? change->prefixes : strays->allowed;
		item->allowed_count = i == 0 ? count : strays->allowed_count;
	}
	add_item(change, &key)->remove = true;
}

static void say_goners(
	struct change *change, const struct carrier *carrier, enum site_interface interface)
{
	const struct carrier_strays *strays = &carrier->devices[interface].strays;

	for (uint32_t i = 0; i < carrier->peers.count; i++) {
		const struct carrier_peer *peer = table_at(&carrier->peers, i);

		if (peer->interface == interface && !peer->wanted)
			add_item(change, &peer->key)->remove = true;
	}
	for (uint32_t i = 0; i < strays->peer_count; i++)
		add_item(change, &strays->peers[i])->remove = true;
}

/* All was said: what is gone is forgotten, and nothing is due. */
static void conclude(struct carrier *carrier, enum site_interface interface)
{
	static const struct key nobody;
	struct carrier_device *device = &carrier->devices[interface];

	for (uint32_t i = carrier->peers.count; i > 0; i--) {
		struct carrier_peer *peer = table_at(&carrier->peers, i - 1);

		if (peer->interface != interface)
			continue;
		peer->again = false;
		peer->due = false;
		peer->endpoint_due = false;
		if (!peer->wanted)
			table_remove(&carrier->peers, i - 1);
	}
	for (uint32_t i = carrier->allowed.count; i > 0; i--) {
		struct carrier_allowed *allowed = table_at(&carrier->allowed, i - 1);

		if (allowed->key[0] != interface)
			continue;
		allowed->due = false;
		if (key_equal(&allowed->peer, &nobody))
			table_remove(&carrier->allowed, i - 1);
	}
	device->strays.peer_count = 0;
	device->strays.allowed_count = 0;
	device->tunnels_due = false;
}

int carrier_tunnels_apply(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	struct wireguard_change whole = {.set_private_key = device->key_due,
		.private_key = device->key,
		.set_port = device->port_due,
		.port = device->port};
	struct change change = {.count = 0};
	struct due *due;
	uint32_t nobodys = 0;
	uint32_t count;
	int r = 0;

	if (!device->tunnels_due && !device->key_due && !device->port_due)
		return 0;
	due = list_due(carrier, interface, &count);
	change.prefixes = memory_zeroed(count + 1, sizeof *change.prefixes);
	if (count > 0 && key_is_zero(&due[0].allowed->peer))
		nobodys = take_prefixes(&change, due, 0, count);
	say_peers(&change, carrier, interface, due, nobodys, count);
	say_nobodys(&change, &device->strays, nobodys);
	say_goners(&change, carrier, interface);
	whole.peer_count = change.count;
	whole.peers = change.items;
	if (change.count > 0 || whole.set_private_key || whole.set_port)
		r = wireguard_write(carrier->doors[device->kind], device->options.name, &whole);
	if (r == 0) {
		conclude(carrier, interface);
		device->key_due = false;
		device->port_due = false;
	}
	sodium_memzero(&whole, sizeof whole);
	if (change.items)
		sodium_memzero(change.items, change.count * sizeof *change.items);
	free(change.items);
	free(change.prefixes);
	free(due);
	return r;
}

/* Reviewing. */

static const struct prefix *seen_prefix(const struct wireguard_device *seen,
	const struct wireguard_peer *peer, const struct prefix *prefix)
{
	uint32_t low = 0;
	uint32_t high = peer->allowed_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct prefix *at = &seen->allowed[peer->allowed + middle];
		int order = prefix_compare(at, prefix);

		if (order == 0)
			return at;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void name_of(const struct key *key, char out[static KEY_BASE64_SIZE])
{
	key_to_base64(key, out);
	/* Enough to tell peers apart. */
	memcpy(out + 8, "…", sizeof "…");
}

static void review_peer(struct carrier *carrier, struct carrier_peer *peer)
{
	struct carrier_device *device = &carrier->devices[peer->interface];
	const struct wireguard_peer *seen = wireguard_device_peer(&device->seen, &peer->key);
	const char *what = NULL;
	char name[KEY_BASE64_SIZE];

	if (!peer->wanted)
		return;
	if (seen && seen->has_endpoint && !peer->endpoint_due) {
		peer->endpoint = seen->endpoint;
		/* One that called us is kept alive from now on. */
		if (!peer->has_endpoint && peer->keepalive) {
			peer->due = true;
			device->tunnels_due = true;
		}
		peer->has_endpoint = true;
	}
	if (peer->due)
		return;
	if (!seen)
		what = "removed";
	else if (!key_equal(&seen->preshared, &peer->preshared))
		what = "given another preshared key";
	else if (seen->keepalive != (peer->has_endpoint ? peer->keepalive : 0))
		what = "given another keepalive";
	if (!what)
		return;
	peer->due = true;
	peer->endpoint_due = !seen && peer->has_endpoint;
	device->tunnels_due = true;
	name_of(&peer->key, name);
	carrier_broken(carrier, "the peer %s of %s was %s", name, device->options.name, what);
}

static void review_allowed(struct carrier *carrier, struct carrier_allowed *allowed)
{
	struct carrier_device *device = &carrier->devices[allowed->key[0]];
	const struct wireguard_peer *seen = wireguard_device_peer(&device->seen, &allowed->peer);
	const struct carrier_peer *peer = find_peer(carrier, allowed->key[0], &allowed->peer);
	struct prefix prefix = prefix_of(allowed);
	char text[PREFIX_TEXT_SIZE];

	if (allowed->due || (seen && seen_prefix(&device->seen, seen, &prefix)))
		return;
	allowed->due = true;
	device->tunnels_due = true;
	/* Of a peer that is gone this was said. */
	if (!peer || peer->due)
		return;
	prefix_print(&prefix, text);
	carrier_broken(carrier, "%s was taken from its peer of %s", text, device->options.name);
}

static void stray_prefix(
	struct carrier *carrier, enum site_interface interface, const struct prefix *prefix)
{
	struct carrier_device *device = &carrier->devices[interface];
	struct carrier_strays *strays = &device->strays;
	char text[PREFIX_TEXT_SIZE];

	strays->allowed = memory_grown(strays->allowed, &strays->allowed_capacity,
		strays->allowed_count + 1, sizeof *strays->allowed);
	strays->allowed[strays->allowed_count++] = *prefix;
	device->tunnels_due = true;
	prefix_print(prefix, text);
	carrier_broken(carrier, "%s belongs to no peer of %s", text, device->options.name);
}

static void stray_peer(
	struct carrier *carrier, enum site_interface interface, const struct key *key)
{
	struct carrier_device *device = &carrier->devices[interface];
	struct carrier_strays *strays = &device->strays;
	char name[KEY_BASE64_SIZE];

	strays->peers = memory_grown(strays->peers, &strays->peer_capacity, strays->peer_count + 1,
		sizeof *strays->peers);
	strays->peers[strays->peer_count++] = *key;
	device->tunnels_due = true;
	name_of(key, name);
	carrier_broken(
		carrier, "%s had a peer %s that does not belong there", device->options.name, name);
}

/* What is there and should not be. */
static void find_strays(
	struct carrier *carrier, enum site_interface interface, const struct wireguard_peer *seen)
{
	const struct carrier_peer *peer = find_peer(carrier, interface, &seen->key);
	const struct prefix *prefixes = carrier->devices[interface].seen.allowed + seen->allowed;

	if (!peer) {
		stray_peer(carrier, interface, &seen->key);
		return;
	}
	for (uint32_t i = 0; i < seen->allowed_count; i++) {
		uint8_t key[1 + CARRIER_PREFIX_KEY];
		const struct carrier_allowed *allowed;

		allowed_key(interface, &prefixes[i], key);
		allowed = table_find(&carrier->allowed, key);
		/* Where it is another's, giving it back takes it from here. */
		if (!allowed)
			stray_prefix(carrier, interface, &prefixes[i]);
	}
}

void carrier_tunnels_review(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];

	device->strays.peer_count = 0;
	device->strays.allowed_count = 0;
	for (uint32_t i = 0; i < carrier->peers.count; i++) {
		struct carrier_peer *peer = table_at(&carrier->peers, i);

		if (peer->interface == interface)
			review_peer(carrier, peer);
	}
	for (uint32_t i = 0; i < carrier->allowed.count; i++) {
		struct carrier_allowed *allowed = table_at(&carrier->allowed, i);

		if (allowed->key[0] == interface)
			review_allowed(carrier, allowed);
	}
	for (uint32_t i = 0; i < device->seen.peer_count && carrier->settled; i++)
		find_strays(carrier, interface, &device->seen.peers[i]);
}

/* SPDX-License-Identifier: MIT */
/*
 * backbone.c - what the carrier is told of the backbone: a function of the ledger, the open invites
 * and our own keys.
 *
 * What was told is kept here, and compared with what is wanted whenever one of these has changed;
 * only the difference is told. What does not fit into one list of actions goes into the next.
 */
#include <assert.h>
#include <string.h>

#include "site/site_internal.h"

#define RETIRE_AFTER (10 * USEC_SECOND)
#define LEAVE_AFTER (5 * USEC_SECOND)
/* While a member changes its key; and a hub, which first waits until all have heard of the next. */
#define FAST_POLLS (5 * USEC_SECOND)
#define FAST_POLLS_FOR_HUB (30 * USEC_SECOND)
#define CALL_NEXT_AFTER (30 * USEC_SECOND) /* longer than a keepalive takes */

#define SESSION_LASTS_MS 180000

static const struct key no_key;

/* Preshared keys. */

static void secret_key(const struct key *peer, const struct key *own, uint8_t out[static 64])
{
	memcpy(out, peer->bytes, KEY_SIZE);
	memcpy(out + KEY_SIZE, own->bytes, KEY_SIZE);
}

const struct key *site_secret_of(
	const struct site *site, const struct key *peer, const struct key *own)
{
	const struct site_secret *secret;
	uint8_t key[2 * KEY_SIZE];

	secret_key(peer, own, key);
	secret = table_find(&site->secrets, key);
	return secret ? &secret->preshared : NULL;
}

void site_set_secret(struct site *site, struct site_actions *out, const struct key *peer,
	const struct key *own, const struct key *preshared)
{
	struct site_secret *secret;
	uint8_t key[2 * KEY_SIZE];

	secret_key(peer, own, key);
	secret = table_find(&site->secrets, key);
	if (secret && key_equal(&secret->preshared, preshared))
		return;
	if (!secret)
		secret = table_add(&site->secrets, key);
	if (!secret)
		return;
	secret->preshared = *preshared;
	site_save_secret(site, out, secret);
}

void site_drop_secret(
	struct site *site, struct site_actions *out, const struct key *peer, const struct key *own)
{
	const struct site_secret none = {.peer = *peer, .own = *own};
	uint8_t key[2 * KEY_SIZE];

	secret_key(peer, own, key);
	if (!table_find(&site->secrets, key))
		return;
	site_save_secret(site, out, &none);
	table_remove(&site->secrets, table_lower_bound(&site->secrets, key));
}

const struct key *site_own_key(const struct site *site)
{
	if (site->state == SITE_JOINING && site->joiner.state == JOINER_ASKING)
		return &site->invite_keys.public_key;
	return site->rotation.state == ROTATION_SWITCHED ? &site->pending[SITE_BACKBONE].public_key
							 : &site->pairs[SITE_BACKBONE].public_key;
}

/* Peers. */

static uint32_t first_peer(const struct site *site, const struct row_id *member)
{
	uint8_t key[ROW_ID_SIZE + KEY_SIZE] = {0};

	memcpy(key, member->bytes, ROW_ID_SIZE);
	return table_lower_bound(&site->peers, key);
}

static struct site_peer *peer_at(
	const struct site *site, uint32_t position, const struct row_id *member)
{
	struct site_peer *peer;

	if (position >= site->peers.count)
		return NULL;
	peer = table_at(&site->peers, position);
	return memcmp(&peer->member, member, ROW_ID_SIZE) == 0 ? peer : NULL;
}

struct site_peer *site_peer_of(const struct site *site, const struct row_id *member)
{
	struct site_peer *peer;

	for (uint32_t i = first_peer(site, member); (peer = peer_at(site, i, member)); i++) {
		if (peer->stage == SITE_PEER_CURRENT)
			return peer;
	}
	return NULL;
}

static struct site_peer *peer_with_key(const struct site *site, const struct key *key)
{
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);

		if (memcmp(peer->key.bytes, key->bytes, KEY_SIZE) == 0)
			return peer;
	}
	return NULL;
}

bool site_peer_calls(const struct site *site, const struct site_peer *peer)
{
	const struct site_peer *hub;

	if (peer->stage != SITE_PEER_NEXT)
		return peer->stage == SITE_PEER_CURRENT;
	if (site->hub_role)
		return false;
	/*
	 * A hub that changes its key begins, and nobody else: where both ends do, neither has a
	 * session. Only when it is not heard any more is it called under its next key.
	 */
	hub = site_peer_of(site, &peer->member);
	return !hub || hub->presence != SITE_HEARD || site->now - hub->heard_at > CALL_NEXT_AFTER;
}

/* A peer without an endpoint is not kept alive: that would only spoil its handshake. */
void site_peer_tell(struct site *site, struct site_actions *out, struct site_peer *peer,
	const struct invite_endpoint *endpoint)
{
	const struct key *preshared = site_secret_of(site, &peer->key, site_own_key(site));
	struct site_action *action = site_emit(out, SITE_PEER);

	peer->keepalive = (endpoint || peer->has_endpoint) && !peer->joiner &&
			  site_peer_calls(site, peer);
	action->interface = SITE_BACKBONE;
	action->peer.key = peer->key;
	peer->preshared = preshared ? *preshared : no_key;
	action->peer.preshared = peer->preshared;
	action->peer.keepalive = peer->keepalive ? SITE_KEEPALIVE_S : 0;
	if (!endpoint)
		return;
	action->peer.set_endpoint = true;
	memcpy(action->peer.host, endpoint->host, sizeof action->peer.host);
	action->peer.port = endpoint->port;
}

static bool is_gone(const struct site *site)
{
	return site->down || site->state == SITE_OUT || site->state == SITE_BLANK;
}

static void remove_peer(struct site *site, struct site_actions *out, uint32_t position)
{
	const struct site_peer *peer = table_at(&site->peers, position);
	const struct row_id member = peer->member;
	const struct key key = peer->key;
	struct site_action *action;
	bool forget = !is_gone(site) && (peer->stage == SITE_PEER_OLD || peer->joiner ||
						!ledger_find(&site->ledger, &member));

	table_remove(&site->peers, position);
	if (!site_peer_of(site, &member))
		sync_disconnect(&site->sync, &member);
	/* WireGuard knows peers by their keys alone. */
	if (peer_with_key(site, &key))
		return;
	if (forget)
		site_drop_secret(site, out, &key, site_own_key(site));
	action = site_emit(out, SITE_PEER_REMOVE);
	action->interface = SITE_BACKBONE;
	action->allow.key = key;
}

static bool first_endpoint(
	const struct site *site, const struct row_id *member, struct invite_endpoint *ret);

void site_peer_renew(struct site *site, struct site_actions *out, struct site_peer *peer)
{
	struct invite_endpoint endpoint;
	struct site_action *action = site_emit(out, SITE_PEER_REMOVE);

	action->interface = SITE_BACKBONE;
	action->allow.key = peer->key;
	/* With it go its prefixes: they are told again. */
	for (uint32_t i = 0; i < site->prefixes.count; i++) {
		struct site_prefix *entry = table_at(&site->prefixes, i);

		if (key_equal(&entry->peer, &peer->key))
			entry->peer = no_key;
	}
	peer->rx_bytes = 0;
	peer->has_endpoint = first_endpoint(site, &peer->member, &endpoint);
	site_peer_tell(site, out, peer, peer->has_endpoint ? &endpoint : NULL);
	site->dirty = true;
}

void site_peer_call_next(struct site *site, struct site_actions *out)
{
	struct invite_endpoint endpoint;

	for (uint32_t i = 0; i < site->peers.count && !site->hub_role && site_room(out) > 1; i++) {
		struct site_peer *peer = table_at(&site->peers, i);
		bool calls = site_peer_calls(site, peer);

		if (peer->stage == SITE_PEER_NEXT && calls != peer->keepalive &&
			first_endpoint(site, &peer->member, &endpoint))
			site_peer_tell(site, out, peer, calls ? &endpoint : NULL);
	}
}

void site_peer_rename(struct site *site, const struct row_id *from, const struct row_id *to)
{
	struct site_peer *peer = site_peer_of(site, from);
	struct site_peer renamed;

	if (!peer || site_peer_of(site, to))
		return;
	renamed = *peer;
	renamed.member = *to;
	table_remove(&site->peers, table_lower_bound(&site->peers, peer->member.bytes));
	peer = table_add(&site->peers, renamed.member.bytes);
	assert(peer);
	*peer = renamed;
}

/* Where the hub or a member is to be called first. Returns false when nothing is known. */
static bool first_endpoint(
	const struct site *site, const struct row_id *member, struct invite_endpoint *ret)
{
	const struct site_place *place = table_find(&site->places, member->bytes);

	if (!site_is_hub(site) && site->collective.endpoint_count > 0) {
		*ret = site->collective
			       .endpoints[site->endpoint_turn % site->collective.endpoint_count];
		return true;
	}
	if (!place)
		return false;
	*ret = (struct invite_endpoint){.port = place->endpoint.port};
	address_print(&place->endpoint.address, ret->host);
	return true;
}

static struct site_peer *add_peer(struct site *site, struct site_actions *out,
	const struct row_id *member, const struct key *key, enum site_peer_stage stage, bool joiner)
{
	uint8_t table_key[ROW_ID_SIZE + KEY_SIZE];
	struct invite_endpoint endpoint;
	struct site_peer *peer;
	bool called;

	memcpy(table_key, member->bytes, ROW_ID_SIZE);
	memcpy(table_key + ROW_ID_SIZE, key->bytes, KEY_SIZE);
	peer = table_add(&site->peers, table_key);
	if (!peer)
		return NULL;
	peer->joiner = joiner;
	peer->stage = stage;
	peer->presence = SITE_UNKNOWN;
	peer->counted = site->settled;
	peer->heard_at = site->now;
	site->presence_at = usec_min(site->presence_at, site->now + SITE_SUSPECT_AFTER);
	called = !joiner && first_endpoint(site, member, &endpoint);
	peer->has_endpoint = called;
	site_peer_tell(site, out, peer, called ? &endpoint : NULL);
	return peer;
}

static void prepare_secret(struct site *site, struct site_actions *out, const struct key *held,
	const struct key *fresh, const struct key *own)
{
	const struct key *before = site_secret_of(site, held, own);
	struct key next;

	if (!before || site_secret_of(site, fresh, own))
		return;
	preshared_next(before, fresh, &next);
	site_set_secret(site, out, fresh, own, &next);
	key_wipe(&next);
}

void site_prepare_secret(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct key *fresh)
{
	const struct site_peer *peer = site_peer_of(site, member);

	if (!peer || key_equal(&peer->key, fresh))
		return;
	/* Our own key may be changing, too, and the change may be taken back. */
	prepare_secret(site, out, &peer->key, fresh, &site->pairs[SITE_BACKBONE].public_key);
	if (site->pending[SITE_BACKBONE].present)
		prepare_secret(
			site, out, &peer->key, fresh, &site->pending[SITE_BACKBONE].public_key);
}

/* A peer that stays; its preshared key changes with our own key. */
static bool keep_peer(struct site *site, struct site_actions *out, struct site_peer *peer)
{
	const struct key *preshared = site_secret_of(site, &peer->key, site_own_key(site));

	if (site_room(out) < 2)
		return false;
	peer->wanted = true;
	if (!key_equal(&peer->preshared, preshared ? preshared : &no_key))
		site_peer_tell(site, out, peer, NULL);
	return true;
}

/* Wants a member's peer. Returns false when there is no room to tell it now. */
static bool want_member(struct site *site, struct site_actions *out, const struct member *member)
{
	struct site_peer *peer = site_peer_of(site, &member->id);
	struct certificate certificate;
	struct site_peer *other;

	if (peer && hash_equal(&peer->certificate, &member->certificate_hash))
		return keep_peer(site, out, peer);
	if (site_room(out) < 4)
		return false;
	ledger_certificate(&site->ledger, member, &certificate);
	for (uint32_t i = first_peer(site, &member->id); (other = peer_at(site, i, &member->id));
		i++) {
		if (memcmp(other->key.bytes, certificate.backbone.bytes, KEY_SIZE) != 0)
			continue;
		other->certificate = member->certificate_hash;
		/* While it has not been heard under its new key, the old one carries its traffic.
		 */
		return keep_peer(site, out, other) && (!peer || keep_peer(site, out, peer));
	}
	site_prepare_secret(site, out, &member->id, &certificate.backbone);
	other = add_peer(site, out, &member->id, &certificate.backbone,
		peer ? SITE_PEER_NEXT : SITE_PEER_CURRENT, false);
	if (!other)
		return true;
	other->certificate = member->certificate_hash;
	other->wanted = true;
	if (peer) {
		peer->wanted = true;
		site->poll_fast_until = site->now +
					(site->hub_role ? FAST_POLLS : FAST_POLLS_FOR_HUB);
		site->poll_at = site->now;
	}
	return true;
}

void site_peer_promote(struct site *site, struct site_peer *peer)
{
	struct site_peer *before = site_peer_of(site, &peer->member);

	if (before) {
		before->stage = SITE_PEER_OLD;
		before->retire_at = site->now + RETIRE_AFTER;
		site->retire_at = usec_min(site->retire_at, before->retire_at);
	}
	peer->stage = SITE_PEER_CURRENT;
	site->presence_at = usec_min(site->presence_at, site->now + SITE_SUSPECT_AFTER);
	site->dirty = true;
}

static bool want_joiner(
	struct site *site, struct site_actions *out, const struct invitation *invitation)
{
	struct row_id id = row_id_of(&invitation->id);
	struct site_peer *peer = site_peer_of(site, &id);
	struct site_action *action;

	if (invitation->gone || invitation_is_shut(invitation, &site->ledger))
		return true;
	if (peer) {
		peer->wanted = true;
		return true;
	}
	if (site_room(out) < 4)
		return false;
	site_set_secret(
		site, out, &invitation->peer, site_own_key(site), &invitation->preshared_key);
	peer = add_peer(site, out, &id, &invitation->peer, SITE_PEER_CURRENT, true);
	if (!peer)
		return true;
	peer->wanted = true;
	action = site_emit(out, SITE_ALLOW);
	action->interface = SITE_BACKBONE;
	action->allow.key = invitation->peer;
	action->allow.prefix = (struct prefix){invite_join_address(invitation->join_number), 32};
	return true;
}

/* The hub as a joining site knows it, before there is a certificate of it. */
static bool want_provisional(struct site *site, struct site_actions *out)
{
	const struct site_collective *collective = &site->collective;
	struct site_peer *peer = site_peer_of(site, &site->hub);

	if (site->state == SITE_JOINING && site_room(out) > 4)
		site_set_secret(site, out, &collective->hub_key, site_own_key(site),
			&site->invite_keys.preshared_key);
	if (peer && memcmp(peer->key.bytes, collective->hub_key.bytes, KEY_SIZE) == 0)
		return keep_peer(site, out, peer);
	if (site_room(out) < 3)
		return false;
	peer = add_peer(site, out, &site->hub, &collective->hub_key, SITE_PEER_CURRENT, false);
	if (peer)
		peer->wanted = true;
	return true;
}

/* Who leaves keeps its tunnel until its farewell was acknowledged, and never gets it back. */
static bool is_leaving(struct site *site, const struct member *member)
{
	struct site_peer *peer = site_peer_of(site, &member->id);

	if (!peer)
		return false;
	if (peer->retire_at == 0)
		peer->retire_at = site->now + LEAVE_AFTER;
	site->retire_at = usec_min(site->retire_at, peer->retire_at);
	return peer->retire_at > site->now;
}

static bool is_wanted_member(struct site *site, const struct member *member)
{
	return member->in_force && memcmp(&member->id, &site->id, ROW_ID_SIZE) != 0 &&
	       (!member->left || is_leaving(site, member));
}

/* Until a hub was heard under the key of its certificate, the one that worked is kept beside it. */
static bool want_hub(struct site *site, struct site_actions *out, const struct member *hub)
{
	struct site_peer *peer = site_peer_of(site, &hub->id);
	struct certificate certificate;

	ledger_certificate(&site->ledger, hub, &certificate);
	if (!peer && !key_equal(&certificate.backbone, &site->collective.hub_key)) {
		if (site_room(out) < 4)
			return false;
		(void)add_peer(
			site, out, &hub->id, &site->collective.hub_key, SITE_PEER_CURRENT, false);
	}
	return want_member(site, out, hub);
}

static bool want_all(struct site *site, struct site_actions *out)
{
	const struct ledger *ledger = &site->ledger;
	const struct member *hub = ledger_find(ledger, &site->hub);

	if (!site_is_hub(site))
		return hub ? want_hub(site, out, hub) : want_provisional(site, out);
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);

		if (is_wanted_member(site, member) && !want_member(site, out, member))
			return false;
	}
	for (uint32_t i = 0; i < site->invitations.table.count; i++) {
		if (!want_joiner(site, out, table_at(&site->invitations.table, i)))
			return false;
	}
	return true;
}

/* Returns whether all was told. */
static bool review_peers(struct site *site, struct site_actions *out)
{
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);

		peer->wanted = false;
	}
	if (!is_gone(site) && !want_all(site, out))
		return false; /* whom it did not come to is not unwanted */
	for (uint32_t i = site->peers.count; i > 0; i--) {
		const struct site_peer *peer = table_at(&site->peers, i - 1);
		bool retiring = peer->stage == SITE_PEER_OLD && peer->retire_at > site->now &&
				!is_gone(site) && ledger_find(&site->ledger, &peer->member);

		if (retiring)
			site->retire_at = usec_min(site->retire_at, peer->retire_at);
		if (peer->wanted || retiring)
			continue;
		if (site_room(out) < 2)
			return false;
		remove_peer(site, out, i - 1);
	}
	return true;
}

/* Prefixes. */

void site_prefix_key(const struct prefix *prefix, uint8_t out[static 18])
{
	out[0] = prefix->address.family;
	memcpy(out + 1, prefix->address.bytes, 16);
	out[17] = prefix->length;
}

struct prefix site_prefix_of(const struct site_prefix *entry)
{
	struct prefix prefix = {.address.family = entry->key[0], .length = entry->key[17]};

	memcpy(prefix.address.bytes, entry->key + 1, 16);
	return prefix;
}

static void tell_allow(struct site_actions *out, enum site_action_kind kind, const struct key *peer,
	const struct prefix *prefix)
{
	struct site_action *action = site_emit(out, kind);

	action->interface = SITE_BACKBONE;
	action->allow.key = *peer;
	action->allow.prefix = *prefix;
}

static void tell_route(struct site_actions *out, enum site_action_kind kind,
	const struct prefix *prefix, enum site_route_kind route)
{
	struct site_action *action = site_emit(out, kind);

	action->route.prefix = *prefix;
	action->route.kind = route;
}

/* A guard that stays without its network is remembered, also when the machine starts again. */
static void remember_guard(struct site *site, struct site_actions *out, struct site_prefix *entry)
{
	if (entry->kept)
		return;
	entry->kept = true;
	site_save_guard(site, out, entry);
}

static void forget_guard(struct site *site, struct site_actions *out, struct site_prefix *entry)
{
	if (!entry->kept)
		return;
	entry->kept = false;
	site_save_guard(site, out, entry);
}

/* A guard of a network that nobody has any more: it makes room for one that is in force. */
static bool drop_guard(struct site *site, struct site_actions *out)
{
	for (uint32_t i = 0; i < site->prefixes.count; i++) {
		const struct site_prefix *entry = table_at(&site->prefixes, i);
		struct prefix prefix = site_prefix_of(entry);

		if (!key_is_zero(&entry->peer) || entry->routed || entry->own || entry->wanted)
			continue;
		if (entry->guarded)
			tell_route(out, SITE_ROUTE_REMOVE, &prefix, SITE_ROUTE_GUARD);
		forget_guard(site, out, table_at(&site->prefixes, i));
		table_remove(&site->prefixes, i);
		return true;
	}
	return false;
}

static struct site_prefix *place_for(
	struct site *site, struct site_actions *out, const uint8_t key[static 18])
{
	struct site_prefix *entry = table_find(&site->prefixes, key);

	if (entry)
		return entry;
	if (site->prefixes.count == site->prefixes.capacity &&
		(site_room(out) < 4 || !drop_guard(site, out))) {
		site->counters[SITE_COUNT_PREFIX_FULL]++;
		return NULL;
	}
	return table_add(&site->prefixes, key);
}

bool site_is_isolated(const struct site *site, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < site->options.isolated.count; i++) {
		if (prefix_overlaps(&site->options.isolated.items[i], prefix))
			return true;
	}
	return false;
}

/*
 * Whether this machine is itself in a network that a route would take from it. In the collective's
 * own network it may have a part, which is its site's.
 */
static bool is_local(const struct site *site, const struct prefix *prefix)
{
	bool inside = prefix_contains(&site->collective.supernet, prefix);

	for (uint32_t i = 0; i < site->network_count; i++) {
		const struct prefix *network = &site->networks[i];

		if (inside ? prefix_contains(network, prefix) : prefix_overlaps(network, prefix))
			return true;
	}
	return false;
}

/* Says once that a network is left out, by its own name. */
static bool refuse(struct site_actions *out, struct site_prefix *entry, const struct prefix *prefix,
	bool refused)
{
	char text[PREFIX_TEXT_SIZE];

	_Static_assert(PREFIX_TEXT_SIZE <= TEXT_NAME_MAX + 1, "a network stands in a log's name");
	prefix_print(prefix, text);
	if (refused && !entry->refused)
		site_log(out, SITE_LOG_ROUTE_REFUSED, text, 0);
	entry->refused = refused;
	return refused;
}

/* Takes the way there away, whichever it is. */
static void drop_route(
	struct site_actions *out, struct site_prefix *entry, const struct prefix *prefix)
{
	if (entry->routed)
		tell_route(out, SITE_ROUTE_REMOVE, prefix,
			entry->linked ? SITE_ROUTE_LINKS : SITE_ROUTE_BACKBONE);
	entry->routed = false;
	entry->linked = false;
}

static void route(struct site *site, struct site_actions *out, struct site_prefix *entry,
	const struct prefix *prefix)
{
	bool refused = is_local(site, prefix) || site_is_isolated(site, prefix);
	bool inside = prefix_contains(&site->collective.supernet, prefix) &&
		      !prefix_equal(&site->collective.supernet, prefix);

	if (refuse(out, entry, prefix, refused)) {
		drop_route(out, entry, prefix);
		if (entry->guarded)
			tell_route(out, SITE_ROUTE_REMOVE, prefix, SITE_ROUTE_GUARD);
		entry->guarded = false;
		return;
	}
	if (entry->routed)
		return;
	/*
	 * The guard stands before the route does, so nothing falls between them. Inside the
	 * collective's own network that one's guard is enough: what stood before such a route would
	 * stop packets that go by the hub.
	 */
	if (!inside && !entry->guarded)
		tell_route(out, SITE_ROUTE, prefix, SITE_ROUTE_GUARD);
	tell_route(out, SITE_ROUTE, prefix, SITE_ROUTE_BACKBONE);
	entry->guarded = entry->guarded || !inside;
	entry->routed = true;
	forget_guard(site, out, entry);
}

/*
 * Wants a prefix, with the peer it is allowed to (zero: none) and perhaps a route. Returns false
 * when there is no room to tell it now.
 */
static bool want_prefix(struct site *site, struct site_actions *out, const struct prefix *prefix,
	const struct key *peer, bool routed)
{
	struct site_prefix *entry;
	uint8_t key[18];

	if (site_room(out) < 5)
		return false;
	site_prefix_key(prefix, key);
	entry = place_for(site, out, key);
	if (!entry)
		return true;
	entry->wanted = true;
	if (routed)
		route(site, out, entry, prefix);
	/* From a network that is left out nothing is taken in either. */
	if (entry->refused && !prefix_equal(prefix, &site->collective.supernet)) {
		if (!key_is_zero(&entry->peer))
			tell_allow(out, SITE_DISALLOW, &entry->peer, prefix);
		entry->peer = no_key;
	} else if (!key_equal(&entry->peer, peer)) {
		if (!key_is_zero(peer))
			tell_allow(out, SITE_ALLOW, peer, prefix);
		entry->peer = *peer;
	}
	return true;
}

static bool want_own(struct site *site, struct site_actions *out)
{
	const struct member *self = site_member(site);
	struct certificate certificate;
	struct site_prefix *entry;
	uint8_t key[18];

	if (!self || !self->in_force)
		return true;
	ledger_certificate(&site->ledger, self, &certificate);
	for (uint32_t i = 0; i < certificate.subnets.count + certificate.routes.count; i++) {
		bool subnet = i < certificate.subnets.count;
		const struct prefix *prefix =
			subnet ? &certificate.subnets.items[i]
			       : &certificate.routes.items[i - certificate.subnets.count];

		if (site_room(out) < 4)
			return false;
		site_prefix_key(prefix, key);
		entry = place_for(site, out, key);
		if (!entry)
			return true;
		entry->wanted = true;
		if (refuse(out, entry, prefix, site_is_isolated(site, prefix)))
			continue;
		if (!entry->own)
			tell_route(out, SITE_ROUTE, prefix, SITE_ROUTE_OWN);
		entry->own = true;
		if (subnet && !entry->guarded && !is_local(site, prefix)) {
			tell_route(out, SITE_ROUTE, prefix, SITE_ROUTE_GUARD);
			entry->guarded = true;
		}
	}
	return true;
}

/* The peer that carries a member's prefixes from here. */
static const struct key *carrier_of(const struct site *site, const struct row_id *owner)
{
	const struct site_peer *peer = site_peer_of(site, site_is_hub(site) ? owner : &site->hub);

	return peer ? &peer->key : &no_key;
}

/* What lies inside goes by the hub without a route of its own, but for members with a link. */
static bool want_linked(struct site *site, struct site_actions *out)
{
	const struct ledger *ledger = &site->ledger;

	for (uint32_t i = 0; i < ledger->prefixes.count && site->links.count > 0; i++) {
		struct row_id owner;
		struct prefix prefix = ledger_prefix(ledger, i, &owner);

		if (prefix_contains(&site->collective.supernet, &prefix) &&
			site_link_is_routed(site, &owner) &&
			!want_prefix(site, out, &prefix, &no_key, true))
			return false;
	}
	return true;
}

static bool want_prefixes(struct site *site, struct site_actions *out)
{
	const struct ledger *ledger = &site->ledger;
	const struct prefix *supernet = &site->collective.supernet;
	bool hub = site_is_hub(site);
	/* From a spoke everything goes the same way. */
	const struct key *carrier = hub ? &no_key : carrier_of(site, &site->hub);

	if (!want_prefix(site, out, supernet, carrier, true))
		return false;
	/* A newcomer has heard only a part of who belongs. */
	if (site->state != SITE_MEMBER)
		return true;
	for (uint32_t i = 0; i < ledger->prefixes.count; i++) {
		struct row_id owner;
		struct prefix prefix = ledger_prefix(ledger, i, &owner);
		bool inside = prefix_contains(supernet, &prefix);
		const struct member *member;

		/* The hub has all that is inside. */
		if (inside && !hub) {
			i = ledger_prefix_behind(ledger, supernet) - 1;
			continue;
		}
		if (memcmp(&owner, &site->id, ROW_ID_SIZE) == 0)
			continue;
		member = ledger_find(ledger, &owner);
		if (!member || (member->left && !site_peer_of(site, &owner)))
			continue;
		if (!want_prefix(
			    site, out, &prefix, hub ? carrier_of(site, &owner) : carrier, !inside))
			return false;
	}
	return want_linked(site, out) && want_own(site, out);
}

/* Takes a prefix back. The guard stays: what went to it must not leave in clear. */
static void drop_prefix(struct site *site, struct site_actions *out, uint32_t position)
{
	struct site_prefix *entry = table_at(&site->prefixes, position);
	struct prefix prefix = site_prefix_of(entry);

	if (!key_is_zero(&entry->peer))
		tell_allow(out, SITE_DISALLOW, &entry->peer, &prefix);
	drop_route(out, entry, &prefix);
	if (entry->own)
		tell_route(out, SITE_ROUTE_REMOVE, &prefix, SITE_ROUTE_OWN);
	entry->peer = no_key;
	entry->own = false;
	if (entry->guarded && !is_gone(site)) {
		remember_guard(site, out, entry);
		return;
	}
	if (entry->guarded)
		tell_route(out, SITE_ROUTE_REMOVE, &prefix, SITE_ROUTE_GUARD);
	forget_guard(site, out, entry);
	table_remove(&site->prefixes, position);
}

/* Remembered from before a restart. */
static void guard_again(struct site *site, struct site_actions *out, struct site_prefix *entry)
{
	struct prefix prefix = site_prefix_of(entry);

	entry->guarded = true;
	if (!is_local(site, &prefix))
		tell_route(out, SITE_ROUTE, &prefix, SITE_ROUTE_GUARD);
}

static bool review_prefixes(struct site *site, struct site_actions *out)
{
	for (uint32_t i = 0; i < site->prefixes.count; i++) {
		struct site_prefix *entry = table_at(&site->prefixes, i);

		entry->wanted = false;
	}
	if (!is_gone(site) && !want_prefixes(site, out))
		return false;
	for (uint32_t i = site->prefixes.count; i > 0; i--) {
		struct site_prefix *entry = table_at(&site->prefixes, i - 1);
		bool bare;

		if (entry->wanted)
			continue;
		bare = key_is_zero(&entry->peer) && !entry->routed && !entry->own;
		if (bare && !is_gone(site) && (entry->guarded || !entry->kept))
			continue;
		if (site_room(out) < 6)
			return false;
		if (bare && !is_gone(site))
			guard_again(site, out, entry);
		else
			drop_prefix(site, out, i - 1);
	}
	return true;
}

/* Devices and their addresses. */

static void wanted_device(const struct site *site, enum site_interface interface,
	struct key *device, struct address *address)
{
	*device = no_key;
	*address = (struct address){.family = ADDRESS_NONE};
	if (is_gone(site))
		return;
	if (site->state == SITE_JOINING && interface == SITE_LINKS)
		return;
	if (site->state == SITE_JOINING && site->joiner.state == JOINER_ASKING) {
		*device = site->invite_keys.private_key;
		*address = invite_join_address(site->invite.join_number);
		return;
	}
	*device = site->rotation.state == ROTATION_SWITCHED ? site->pending[interface].secret
							    : site->pairs[interface].secret;
	/* A link's packets are accepted only where the interface has the address, too. */
	*address = site->collective.address;
}

static void tell_address(struct site_actions *out, enum site_interface interface,
	const struct address *address, bool remove)
{
	struct site_action *action = site_emit(out, SITE_ADDRESS);

	action->interface = interface;
	action->address.address = *address;
	action->address.remove = remove;
}

static bool review_device(
	struct site *site, struct site_actions *out, enum site_interface interface)
{
	struct key *told = &site->devices[interface];
	struct address *told_address = &site->addresses[interface];
	struct key device;
	struct address address;
	struct site_action *action;

	if (site_room(out) < 3)
		return false;
	wanted_device(site, interface, &device, &address);
	if (memcmp(device.bytes, told->bytes, KEY_SIZE) != 0 && !key_is_zero(&device)) {
		action = site_emit(out, SITE_DEVICE);
		action->interface = interface;
		action->device = device;
		*told = device;
	}
	if (!address_equal(&address, told_address)) {
		if (told_address->family != ADDRESS_NONE)
			tell_address(out, interface, told_address, true);
		if (address.family != ADDRESS_NONE)
			tell_address(out, interface, &address, false);
		*told_address = address;
	}
	key_wipe(&device);
	return true;
}

static bool review_devices(struct site *site, struct site_actions *out)
{
	return review_device(site, out, SITE_BACKBONE) && review_device(site, out, SITE_LINKS);
}

/* Taken away last, when nothing stands on them any more. */
static bool remove_devices(struct site *site, struct site_actions *out)
{
	struct site_action *action;

	for (int i = 0; i < SITE_INTERFACES && is_gone(site); i++) {
		if (key_is_zero(&site->devices[i]))
			continue;
		if (site_room(out) == 0)
			return false;
		action = site_emit(out, SITE_DEVICE);
		action->interface = (enum site_interface)i;
		key_wipe(&site->devices[i]);
	}
	return true;
}

void site_backbone_clear(struct site *site)
{
	while (site->peers.count > 0)
		table_remove(&site->peers, site->peers.count - 1);
	for (uint32_t i = site->prefixes.count; i > 0; i--) {
		struct site_prefix *entry = table_at(&site->prefixes, i - 1);

		if (!entry->kept) {
			table_remove(&site->prefixes, i - 1);
			continue;
		}
		entry->peer = no_key;
		entry->routed = false;
		entry->linked = false;
		entry->own = false;
		entry->guarded = false;
	}
	for (int i = 0; i < SITE_INTERFACES; i++) {
		key_wipe(&site->devices[i]);
		site->addresses[i] = (struct address){.family = ADDRESS_NONE};
	}
	site->dirty = true;
}

static bool tell_settled(struct site *site, struct site_actions *out)
{
	if (site->settled)
		return true;
	if (site_room(out) == 0)
		return false;
	(void)site_emit(out, SITE_SETTLED);
	site->settled = true;
	return true;
}

void site_backbone_step(struct site *site, struct site_actions *out)
{
	if (site->now >= site->retire_at) {
		site->retire_at = USEC_NEVER;
		site->dirty = true;
	}
	if (!site->dirty && (!site->has_collective || site->generation == site->ledger.generation))
		return;
	if (site->has_collective)
		site->generation = site->ledger.generation;
	site->dirty = true;
	if (review_devices(site, out) && review_peers(site, out) && review_prefixes(site, out) &&
		remove_devices(site, out) && tell_settled(site, out))
		site->dirty = false;
}

/* Statistics. */

static void save_place(struct site *site, struct site_actions *out, const struct site_peer *peer)
{
	struct site_place *place = table_find(&site->places, peer->member.bytes);

	if (place && endpoint_equal(&place->endpoint, &peer->endpoint))
		return;
	if (!place)
		place = table_add(&site->places, peer->member.bytes);
	if (!place || site_room(out) < 2)
		return;
	place->endpoint = peer->endpoint;
	site_save_place(site, out, place);
}

/* Whether a peer has another key that it has not called with yet. */
static bool awaits_key(const struct site *site)
{
	for (uint32_t i = 0; i < site->peers.count; i++) {
		const struct site_peer *peer = table_at(&site->peers, i);

		if (peer->stage == SITE_PEER_NEXT)
			return true;
	}
	return false;
}

static void note_heard(struct site *site, struct site_actions *out, struct site_peer *peer)
{
	peer->heard_at = site->now;
	if (peer->joiner)
		return;
	if (peer->stage == SITE_PEER_NEXT) {
		site_peer_promote(site, peer);
		if (!awaits_key(site))
			site->poll_fast_until = site->now;
		if (!site->hub_role && site_room(out) > 4) {
			site->collective.hub_key = peer->key;
			site_save_collective(site, out);
		}
	}
	if (peer->stage == SITE_PEER_OLD)
		return;
	if (peer->has_endpoint)
		save_place(site, out, peer);
	site_presence_datagram(site, &peer->member);
}

/*
 * What WireGuard learned while no agent looked, and nobody may have kept. It is no sign of life;
 * but where a session may live, a hub greets, and whoever is there answers.
 */
static void take_over(struct site *site, struct site_actions *out, struct site_peer *peer,
	const struct site_statistics *seen)
{
	if (seen->handshake == 0)
		return;
	save_place(site, out, peer);
	if (seen->handshake <= site->machine_wall &&
		site->machine_wall - seen->handshake < SESSION_LASTS_MS)
		site_presence_greet(site, &peer->member);
}

void site_backbone_statistics(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	for (uint32_t i = 0; i < event->statistics.count; i++) {
		const struct site_statistics *seen = &event->statistics.peers[i];
		struct site_peer *peer = peer_with_key(site, &seen->peer);

		if (!peer)
			continue;
		peer->has_endpoint = seen->has_endpoint;
		peer->endpoint = seen->endpoint;
		if (seen->rx_bytes > peer->rx_bytes && peer->counted)
			note_heard(site, out, peer);
		else if (!peer->counted && seen->has_endpoint && !peer->joiner &&
			 peer->stage == SITE_PEER_CURRENT)
			take_over(site, out, peer, seen);
		peer->counted = true;
		peer->handshake = seen->handshake;
		/* A peer that was made anew counts from zero. */
		peer->rx_bytes = seen->rx_bytes;
		if (peer->has_endpoint && !peer->keepalive && !peer->joiner &&
			peer->stage == SITE_PEER_CURRENT && site_room(out) > 8)
			site_peer_tell(site, out, peer, NULL);
	}
}

/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/watch.h"

#include <string.h>

#include "site/links_internal.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_AT_ONCE 64
#define STEPS_A_SECOND 1000
#define OUTSIDE_BYTES_MAX 148
#define ATTEMPT_MAX 20
#define ATTEMPT_UNPROVEN_MAX 3
#define PROVEN_FOR (2 * USEC_SECOND) /* from the letter to the first datagram */

/* Outside the tunnel. */

/* Where a host is or was, or could be at home, or was honestly seen. */
static bool is_proven(
	const struct watch *watch, const struct host *host, const struct address *address)
{
	if (!candidate_is_public(address) ||
		(address->family == ADDRESS_IPV4 && address->bytes[0] == 0x0b))
		return true;
	for (uint32_t i = 0; i < watch->proven_count && i < WATCH_PROVEN; i++) {
		const struct watch_proof *proof = &watch->proven[i];

		if (proof->host == host->number && address_equal(&proof->address, address) &&
			host->world->now - proof->at <= PROVEN_FOR)
			return true;
	}
	return false;
}

static struct watch_attempt *attempt_of(struct watch *watch, const struct host *host,
	const struct seal_id *id, const struct address *address)
{
	struct watch_host *watched = &watch->hosts[host->number];
	struct watch_attempt *attempt;

	for (uint32_t i = 0; i < watched->attempt_count && i < WATCH_ATTEMPTS; i++) {
		attempt = &watched->attempts[i];
		if (memcmp(&attempt->id, id, sizeof *id) == 0 &&
			address_equal(&attempt->address, address))
			return attempt;
	}
	attempt = &watched->attempts[watched->attempt_count++ % WATCH_ATTEMPTS];
	*attempt = (struct watch_attempt){
		.id = *id, .address = *address, .proven = is_proven(watch, host, address)};
	return attempt;
}

/* Questions where we are, and their answers: they have bounds of their own. */
static bool is_reflection(const struct site *site, const struct seal_id *id)
{
	for (uint32_t i = 0; i < SITE_REFLECTORS; i++) {
		if (memcmp(&site->reflectors[i].seal.id, id, sizeof *id) == 0)
			return true;
	}
	return table_find(&site->sessions, id->bytes) != NULL;
}

static void count_outside(
	struct watch *watch, const struct host *host, const struct site_action *send)
{
	struct watch_attempt *attempt;
	struct seal_id id;

	REQUIRE(send->outside.size <= OUTSIDE_BYTES_MAX);
	REQUIRE(seal_peek(send->outside.bytes, send->outside.size, &id));
	if (is_reflection(host->site, &id))
		return;
	attempt = attempt_of(watch, host, &id, &send->outside.to.address);
	attempt->sent++;
	REQUIRE(attempt->heard || attempt->sent <= ATTEMPT_MAX);
	REQUIRE(attempt->heard || attempt->proven || attempt->sent <= ATTEMPT_UNPROVEN_MAX);
}

void watch_outside(struct watch *watch, const struct host *host, const struct site_event *event)
{
	struct seal_id id;

	if (!host->running || event->outside.interface != SITE_LINKS ||
		!seal_peek(event->outside.bytes, event->outside.size, &id))
		return;
	for (uint32_t i = 0; i < host->site->links.count; i++) {
		const struct site_link *link = table_at(&host->site->links, i);
		struct seal seal = link->meeting.seal;
		uint8_t body[SEAL_BODY_MAX];

		if (seal_read(&seal, event->outside.bytes, event->outside.size, body) ==
				MEETING_BODY &&
			(body[0] == 1 || body[0] == 2))
			attempt_of(watch, host, &id, &event->outside.from.address)->heard = true;
	}
}

static void arrived(
	struct world *world, struct host *host, const struct packet *packet, void *context)
{
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};

	(void)world;
	if (packet->kind != PACKET_PLAIN || packet->destination.port == host->local.port)
		return;
	event.outside.interface = SITE_LINKS;
	event.outside.from = packet->source;
	event.outside.bytes = packet->inner.bytes;
	event.outside.size = packet->inner.size;
	watch_outside(context, host, &event);
}

/* What the carrier was told. */

static const struct site_link *link_of_route(const struct site *site, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < site->ledger.prefixes.count; i++) {
		struct row_id owner;
		struct prefix other = ledger_prefix(&site->ledger, i, &owner);

		if (prefix_equal(&other, prefix))
			return site_link_of(site, &owner);
	}
	return NULL;
}

static void check_routes(const struct host *host)
{
	for (uint32_t i = 0; i < host->route_count; i++) {
		const struct site_link *link;

		if (host->routes[i].kind != SITE_ROUTE_LINKS)
			continue;
		link = link_of_route(host->site, &host->routes[i].prefix);
		REQUIRE(link);
		REQUIRE(link->direct);
		REQUIRE(link->has_path);
	}
}

static bool is_told(const struct site *site, const struct key *key)
{
	for (uint32_t i = 0; i < site->links.count; i++) {
		const struct site_link *link = table_at(&site->links, i);

		if (link->peer.told && key_equal(&link->peer.key, key))
			return true;
	}
	return false;
}

static void check_peers(const struct host *host)
{
	uint32_t count = host->links ? wireguard_peer_count(host->links) : 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct key *key = wireguard_peer_at(host->links, i);
		struct wireguard_statistics peer;

		REQUIRE(is_told(host->site, key));
		REQUIRE(wireguard_peer(host->links, key, &peer));
		REQUIRE(!key_is_zero(&peer.preshared));
	}
}

static void check_link(const struct host *host, const struct site_link *link)
{
	const struct member *member = ledger_find(&host->site->ledger, &link->member);
	struct wireguard_statistics peer;

	REQUIRE(!link->direct || link->has_path);
	REQUIRE(!link->has_path || link->peer.told);
	REQUIRE(link->meeting.count <= MEETING_PLACES_MAX);
	REQUIRE(link->stage < LINK_MEETS || link->peer.told);
	if (!link->peer.told)
		return;
	REQUIRE(member);
	REQUIRE(member->in_force);
	/* Who is not wanted any more is on the way out. */
	REQUIRE(link->stage == LINK_LEAVES || site_link_objection(host->site, member) == LINK_NEW);
	REQUIRE(host->links && wireguard_peer(host->links, &link->peer.key, &peer));
}

/* Big work is cut over several steps: what is not done yet may differ. */
static bool is_at_rest(const struct host *host)
{
	const struct site *site = host->site;

	return site->state == SITE_MEMBER && !site->down && !site->dirty && site->settled &&
	       host->said_all && site->generation == site->ledger.generation &&
	       site->links_generation == site->ledger.generation;
}

/* Time. */

/* A wake-up that stays in the past, or comes again at once, would take a whole processor. */
static void check_pace(struct watch_host *watched, usec_t now)
{
	if (watched->stepped_at != now)
		watched->steps = 0;
	watched->stepped_at = now;
	watched->steps++;
	REQUIRE(watched->steps <= STEPS_AT_ONCE);
	if (now - watched->window_at >= USEC_SECOND) {
		watched->window_at = now;
		watched->window = 0;
	}
	watched->window++;
	REQUIRE(watched->window <= STEPS_A_SECOND);
}

static void stepped(struct world *world, struct host *host, void *context)
{
	struct watch *watch = context;

	check_pace(&watch->hosts[host->number], world->now);
	for (uint32_t i = 0; i < world->actions.count; i++) {
		if (world->actions.items[i].kind == SITE_SEND_OUTSIDE)
			count_outside(watch, host, &world->actions.items[i]);
	}
	if (!is_at_rest(host))
		return;
	check_routes(host);
	check_peers(host);
	for (uint32_t i = 0; i < host->site->links.count; i++)
		check_link(host, table_at(&host->site->links, i));
}

void watch_begin(struct watch *watch, struct world *world)
{
	memset(watch, 0, sizeof *watch);
	world->stepped = stepped;
	world->received = arrived;
	world->context = watch;
}

/* Limits. */

static void check_limits(const struct host *host)
{
	struct site_limit limit;

	for (uint32_t i = 0; site_limit(host->site, i, &limit); i++)
		REQUIRE(limit.used <= limit.most);
	REQUIRE(host->site->words.count <= host->site->words.capacity);
	REQUIRE(host->site->places.count <= host->site->places.capacity);
	REQUIRE(host->site->links.count <= SITE_LINKS_MAX);
}

void watch_check(const struct world *world)
{
	for (uint32_t i = 0; i < world->host_count; i++) {
		if (world->hosts[i].running)
			check_limits(&world->hosts[i]);
	}
}

/* Asking changes nothing, and has words for everything. */
static void ask(const struct host *host)
{
	struct site_standing standing;
	struct site_view view;
	struct prefix watched;
	char text[SITE_WHY_SIZE];

	for (uint32_t i = 0; site_view(host->site, i, &view); i++) {
		site_why(host->site, &view.id, text);
		REQUIRE(memchr(text, '\0', sizeof text));
	}
	if (site_standing(host->site, &standing))
		site_standing_text(&standing, text);
	for (uint32_t i = 0; site_watches(host->site, i, &watched); i++)
		REQUIRE(i < 64);
	(void)site_wants_mapping(host->site);
}

void watch_end(const struct world *world)
{
	for (uint32_t i = 0; i < world->host_count; i++) {
		if (world->hosts[i].running)
			ask(&world->hosts[i]);
	}
}

void watch_event(struct watch *watch)
{
	for (uint32_t i = 0; i < WATCH_SITES; i++) {
		watch->hosts[i].steps = 0;
		watch->hosts[i].window = 0;
	}
}

void watch_prove(struct watch *watch, const struct host *host, const struct address *address)
{
	watch->proven[watch->proven_count++ % WATCH_PROVEN] = (struct watch_proof){
		.host = host->number, .address = *address, .at = host->world->now};
}

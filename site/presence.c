/* SPDX-License-Identifier: MIT */
/*
 * presence.c - who is heard over the backbone, and whom gossip is spoken with.
 *
 * Bytes that come from a peer are the signal: keepalives alone make them grow every 25 s. A silent
 * peer is suspected after 55 s and down after 180 s; nobody is believed who says so of a third.
 */
#include <string.h>

#include "site/site_internal.h"

#define POLL_SLOW (10 * USEC_SECOND)
#define POLL_WATCHFUL USEC_SECOND
#define POLL_FAST (5 * USEC_MSEC)
#define POLL_EXPECTANT (100 * USEC_MSEC) /* the hub is about to change its key */
#define ENDPOINT_EVERY (15 * USEC_SECOND)
#define ENDPOINT_EVERY_OF_SEVERAL (5 * USEC_SECOND) /* as often as WireGuard itself calls */

static void log_presence(struct site *site, struct site_actions *out, const struct site_peer *peer,
	enum site_presence before)
{
	const struct member *member = ledger_find(&site->ledger, &peer->member);
	bool hub = memcmp(&peer->member, &site->hub, ROW_ID_SIZE) == 0;
	struct certificate certificate;

	/* A hub that nobody vouches for yet has no name: joining says itself how it goes. */
	if (!member)
		return;
	ledger_certificate(&site->ledger, member, &certificate);
	if (peer->presence == SITE_DOWN)
		site_log(out, hub ? SITE_LOG_HUB_DOWN : SITE_LOG_SITE_DOWN, certificate.name, 0);
	else if (peer->presence == SITE_SUSPECT && hub)
		site_log(out, SITE_LOG_HUB_SUSPECT, certificate.name, 0);
	else if (peer->presence == SITE_HEARD && (hub || before == SITE_DOWN))
		site_log(out, hub ? SITE_LOG_HUB_BACK : SITE_LOG_SITE_BACK, certificate.name, 0);
}

static bool is_connectable(const struct site *site)
{
	return site->state == SITE_MEMBER ||
	       (site->state == SITE_JOINING && site->joiner.state != JOINER_ASKING);
}

void site_presence_datagram(struct site *site, const struct row_id *member)
{
	struct site_peer *peer = site_peer_of(site, member);
	enum neighbour_kind kind = NEIGHBOUR_SPOKE;
	const struct member *known = ledger_find(&site->ledger, member);

	if (!peer || peer->joiner)
		return;
	peer->heard_at = site->now;
	/* A hub that loses its power calls whom it knows the place of; others notice after 15 s. */
	if (site->hub_role && !peer->has_endpoint)
		site->poll_at = usec_min(site->poll_at, site->now + POLL_WATCHFUL);
	if (!site->hub_role || (known && known->hub))
		kind = NEIGHBOUR_HUB;
	if (is_connectable(site) &&
		(!sync_neighbour(&site->sync, member) || peer->presence == SITE_DOWN))
		(void)sync_connect(&site->sync, site->now, member, kind);
	/* Told in the next step. */
	if (peer->presence == SITE_DOWN || peer->presence == SITE_SUSPECT)
		site->presence_at = site->now;
	else
		peer->presence = SITE_HEARD;
}

void site_presence_greet(struct site *site, const struct row_id *member)
{
	const struct member *known = ledger_find(&site->ledger, member);

	if (site->hub_role && is_connectable(site) && !sync_neighbour(&site->sync, member))
		(void)sync_connect(&site->sync, site->now, member,
			known && known->hub ? NEIGHBOUR_HUB : NEIGHBOUR_SPOKE);
}

void site_presence_reset(struct site *site)
{
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);

		if (sync_neighbour(&site->sync, &peer->member))
			(void)sync_connect(&site->sync, site->now, &peer->member,
				sync_neighbour(&site->sync, &peer->member)->kind);
	}
	site->poll_at = site->now;
}

static enum site_presence judge(const struct site *site, const struct site_peer *peer)
{
	usec_t silent = site->now - peer->heard_at;

	if (silent >= SITE_DOWN_AFTER)
		return SITE_DOWN;
	if (silent >= SITE_SUSPECT_AFTER)
		return SITE_SUSPECT;
	return peer->presence == SITE_UNKNOWN ? SITE_UNKNOWN : SITE_HEARD;
}

/* The hub is silent: its name may lead elsewhere by now, or another of its endpoints be well. */
static void call_hub(struct site *site, struct site_actions *out)
{
	const struct site_collective *collective = &site->collective;
	struct site_peer *peer = site_peer_of(site, &site->hub);
	usec_t every = collective->endpoint_count > 1 ? ENDPOINT_EVERY_OF_SEVERAL : ENDPOINT_EVERY;

	if (site->hub_role || !peer || collective->endpoint_count == 0 ||
		site->now < site->endpoint_at || site_room(out) == 0)
		return;
	/* One that was heard may be silent for a while; one that never was, may not be there. */
	if (site->now - peer->heard_at <
		(peer->presence == SITE_UNKNOWN ? every : SITE_SUSPECT_AFTER))
		return;
	site->endpoint_at = site->now + every;
	site->endpoint_turn++;
	site_peer_tell(site, out, peer,
		&collective->endpoints[site->endpoint_turn % collective->endpoint_count]);
}

/* When a peer's silence means more than it does now. */
static usec_t next_judgement(const struct site_peer *peer)
{
	switch (peer->presence) {
	case SITE_SUSPECT:
		return peer->heard_at + SITE_DOWN_AFTER;
	case SITE_DOWN:
		return USEC_NEVER;
	case SITE_SELF:
	case SITE_UNKNOWN:
	case SITE_HEARD:
		break;
	}
	return peer->heard_at + SITE_SUSPECT_AFTER;
}

static void judge_all(struct site *site, struct site_actions *out)
{
	site->presence_at = USEC_NEVER;
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);
		enum site_presence before = peer->presence;

		if (peer->joiner || peer->stage != SITE_PEER_CURRENT)
			continue;
		if (site_room(out) < 4) {
			site->presence_at = site->now;
			return;
		}
		peer->presence = judge(site, peer);
		if (peer->presence != before)
			log_presence(site, out, peer, before);
		if (peer->presence == SITE_DOWN && before != SITE_DOWN)
			sync_disconnect(&site->sync, &peer->member);
		/* WireGuard takes no initiation that is dated before the last one. */
		if (peer->presence == SITE_DOWN && site->hub_role && site->now >= peer->renew_at) {
			peer->renew_at = site->now + SITE_DOWN_AFTER;
			site_peer_renew(site, out, peer);
		}
		site->presence_at = usec_min(site->presence_at, next_judgement(peer));
		if (peer->presence == SITE_DOWN && site->hub_role)
			site->presence_at = usec_min(site->presence_at, peer->renew_at);
	}
}

static bool is_watchful(const struct site *site)
{
	const struct site_peer *hub = site->hub_role ? NULL : site_peer_of(site, &site->hub);

	return site->state == SITE_JOINING || site->rotation.state == ROTATION_SWITCHED ||
	       site->now < site->watchful_until || (hub && hub->presence != SITE_HEARD);
}

/* Whether a spoke's hub has a key under which it was not heard yet. */
static bool is_expectant(const struct site *site)
{
	for (uint32_t i = 0; i < site->peers.count && !site->hub_role; i++) {
		const struct site_peer *peer = table_at(&site->peers, i);

		if (peer->stage == SITE_PEER_NEXT)
			return true;
	}
	return false;
}

static void poll(struct site *site, struct site_actions *out)
{
	struct site_action *action;

	if (site->now < site->poll_at || site_room(out) == 0)
		return;
	action = site_emit(out, SITE_POLL);
	action->interface = SITE_BACKBONE;
	site->poll_at = site->now + (site->now < site->poll_fast_until ? POLL_FAST
					    : is_expectant(site)       ? POLL_EXPECTANT
					    : is_watchful(site)        ? POLL_WATCHFUL
								       : POLL_SLOW);
}

/* A spoke speaks to its hub from the start; a hub answers whoever calls. */
static void connect_hub(struct site *site)
{
	const struct site_peer *peer = site_peer_of(site, &site->hub);

	if (site->hub_role || !is_connectable(site)) {
		if (site->state == SITE_JOINING)
			sync_disconnect(&site->sync, &site->hub);
		return;
	}
	if (peer && peer->presence != SITE_DOWN && !sync_neighbour(&site->sync, &site->hub))
		(void)sync_connect(&site->sync, site->now, &site->hub, NEIGHBOUR_HUB);
}

void site_presence_step(struct site *site, struct site_actions *out)
{
	if (!site->has_collective || site->state == SITE_BLANK || site->state == SITE_OUT ||
		site->down)
		return;
	connect_hub(site);
	if (site->now >= site->presence_at)
		judge_all(site, out);
	call_hub(site, out);
	site_peer_call_next(site, out);
	poll(site, out);
}

usec_t site_presence_wakeup(const struct site *site)
{
	usec_t at = usec_min(site->poll_at, site->presence_at);

	if (!site->has_collective || site->state == SITE_BLANK || site->state == SITE_OUT ||
		site->down)
		return USEC_NEVER;
	return at;
}

bool site_hub_is_silent(const struct site *site)
{
	const struct site_peer *hub = site_peer_of(site, &site->hub);

	return hub && (hub->presence == SITE_SUSPECT || hub->presence == SITE_DOWN);
}

enum site_presence site_presence(const struct site *site, const struct row_id *member)
{
	const struct site_peer *peer;

	if (memcmp(member, &site->id, ROW_ID_SIZE) == 0)
		return SITE_SELF;
	peer = site_peer_of(site, member);
	return peer ? peer->presence : SITE_UNKNOWN;
}

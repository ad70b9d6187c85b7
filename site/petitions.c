/* SPDX-License-Identifier: MIT */
/*
 * petitions.c - what a site asks admins for: a certificate of other keys, of other routes, or with
 * a later end. Asking goes on until the certificate is there.
 */
#include <string.h>

#include "site/site_internal.h"

#define ROUTES_ASK_EVERY (10 * USEC_SECOND)
#define ROUTES_ASK_MOST (5 * USEC_MINUTE)
#define RENEW_ASK_EVERY (10 * USEC_MINUTE)
#define ENDS_SOON_MS (UINT64_C(7) * 24 * 3600 * 1000)
#define HUB_LOOKS_EVERY (100 * USEC_MSEC)
#define HUB_TELLS_AFTER (5 * USEC_SECOND)

/* Whom to ask: sites that say an admin's agent runs there, each in its turn, the hub first. */
static const struct member *issuer_to_ask(const struct site *site, uint32_t turn)
{
	const struct member *hub = ledger_find(&site->ledger, &site->hub);
	const struct member *found[8];
	uint32_t count = 0;

	if (hub && memcmp(&hub->id, &site->id, ROW_ID_SIZE) != 0)
		found[count++] = hub;
	for (uint32_t i = 0; i < site->ledger.members.count && count < 8; i++) {
		const struct member *member = table_at(&site->ledger.members, i);
		struct record record;

		if (member != hub && member->in_force &&
			memcmp(&member->id, &site->id, ROW_ID_SIZE) != 0 &&
			ledger_record(&site->ledger, member, &record) && record.roles & ROLE_ISSUER)
			found[count++] = member;
	}
	return count > 0 ? found[turn % count] : NULL;
}

/* Nobody grants these, however often we ask. */
static void refuse_routes(struct site *site, enum petition_result result, struct site_actions *out)
{
	if (!site->routes_wanted || (result != PETITION_REFUSED && result != PETITION_TAKEN))
		return;
	site_reply(out, site->routes_request, SITE_REPLY_FAILED, petition_text(result));
	site->routes_wanted = false;
}

/* Asks for a certificate with the keys that we want and these routes. */
static void ask(
	struct site *site, uint32_t turn, const struct prefixes *routes, struct site_actions *out)
{
	const struct member *self = site_member(site);
	const struct member *issuer = issuer_to_ask(site, turn);
	struct certificate certificate;
	struct certificate theirs;
	struct petition petition;
	uint8_t bytes[PETITION_SIZE_MAX];
	size_t size;

	if (!self)
		return;
	ledger_certificate(&site->ledger, self, &certificate);
	petition = (struct petition){
		.site = site->site_key,
		.version = certificate.version,
		.backbone = site->pending[SITE_BACKBONE].present
				    ? site->pending[SITE_BACKBONE].public_key
				    : certificate.backbone,
		.links = site->pending[SITE_LINKS].present ? site->pending[SITE_LINKS].public_key
							   : certificate.links,
		.routes = routes ? *routes : certificate.routes,
		.clock = site_wall(site),
	};
	if (site_may_issue(site)) {
		refuse_routes(site, site_answer_petition(site, &petition, true, out), out);
		return;
	}
	if (!issuer)
		return;
	ledger_certificate(&site->ledger, issuer, &theirs);
	size = petition_write(
		&petition, &site->identity, &site->ledger.collective, site->options.crypto, bytes);
	site_send(out, &site->collective.address, &theirs.address, SITE_PORT, bytes, size);
	/* Said once: it is asked again and again. */
	if (!routes || site->routes_request == 0 || site->routes_told)
		return;
	site->routes_told = true;
	site_reply(out, site->routes_request, SITE_REPLY_PROGRESS,
		"is asked; an admin may have to approve it");
	memcpy(out->items[out->count - 1].reply.name, theirs.name, sizeof theirs.name);
}

/* Rotation. */

/*
 * What stands between each peer and our current key, and will between it and the pending one.
 * Returns whether all of it is saved.
 */
static bool prepare_pending(struct site *site, struct site_actions *out)
{
	const struct key *fresh = &site->pending[SITE_BACKBONE].public_key;
	const struct key *own = &site->pairs[SITE_BACKBONE].public_key;

	for (uint32_t i = 0; i < site->peers.count; i++) {
		const struct site_peer *peer = table_at(&site->peers, i);
		const struct key *before = site_secret_of(site, &peer->key, own);
		struct key next;

		if (!before || site_secret_of(site, &peer->key, fresh))
			continue;
		if (site_room(out) < 16)
			return false;
		preshared_next(before, fresh, &next);
		site_set_secret(site, out, &peer->key, fresh, &next);
		key_wipe(&next);
	}
	return true;
}

/* Secrets of keys that are ours no longer. Returns whether none is left. */
static bool tidy_secrets(struct site *site, struct site_actions *out)
{
	for (uint32_t i = site->secrets.count; i > 0; i--) {
		const struct site_secret *secret = table_at(&site->secrets, i - 1);
		const struct key peer = secret->peer;
		const struct key own = secret->own;

		if (key_equal(&own, &site->pairs[SITE_BACKBONE].public_key))
			continue;
		if (site_room(out) < 16)
			return false;
		site_drop_secret(site, out, &peer, &own);
	}
	return true;
}

static void save_promotion(const struct site *site, struct site_actions *out)
{
	if (site->pending[SITE_BACKBONE].present)
		site_emit(out, SITE_PROMOTE_KEY)->key.slot = SITE_KEY_BACKBONE_PENDING;
	if (site->pending[SITE_LINKS].present)
		site_emit(out, SITE_PROMOTE_KEY)->key.slot = SITE_KEY_LINKS_PENDING;
}

static void promote_keys(struct site *site, struct site_actions *out)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (!site->pending[i].present)
			continue;
		site->pairs[i] = site->pending[i];
		site->pending[i].present = false;
		key_wipe(&site->pending[i].secret);
	}
	site->untidy = true;
	site->dirty = true;
	site_log(out, SITE_LOG_KEY_CHANGED, "", 0);
	if (site->rotate_request != 0)
		site_reply(out, site->rotate_request, SITE_REPLY_DONE, "");
	site->rotate_request = 0;
}

/* Nothing is asked for a key that is not on disk. */
static bool may_rotate(const struct site *site)
{
	return site->rotation.state != ROTATION_IDLE && site->state == SITE_MEMBER &&
	       !site->save_failed && site_member(site);
}

/* Whether our certificate, as this site holds it, is for the pending key. */
static bool is_granted(const struct site *site)
{
	struct certificate certificate;

	ledger_certificate(&site->ledger, site_member(site), &certificate);
	return key_equal(&certificate.backbone, &site->pending[SITE_BACKBONE].public_key);
}

/*
 * Whether another side knows the key in use. Bytes are no proof, since old sessions go on: only a
 * handshake is that was completed after the change. One that was begun before is completed by the
 * first packet that comes; whoever really knows the new key says so as well, in our certificate.
 */
static bool is_proven(const struct site *site)
{
	if (!is_granted(site))
		return false;
	for (uint32_t i = 0; i < site->peers.count; i++) {
		const struct site_peer *peer = table_at(&site->peers, i);

		if (peer->handshake != peer->handshake_before &&
			peer->handshake + 1 >= site->switched_at)
			return true;
	}
	return false;
}

static void change_device(struct site *site)
{
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);

		peer->handshake_before = peer->handshake;
	}
	site->dirty = true;
	site->switched_at = site->machine_wall;
	/* Whoever hears of it makes a handshake. */
	site_presence_reset(site);
}

/* The first member that may not know yet which key we will have; NULL: all do. */
static const struct member *find_unaware(const struct site *site)
{
	for (uint32_t i = 0; i < site->ledger.members.count; i++) {
		const struct member *member = table_at(&site->ledger.members, i);
		const struct neighbour *n;

		if (!member->in_force || member->left ||
			memcmp(&member->id, &site->id, ROW_ID_SIZE) == 0)
			continue;
		n = sync_neighbour(&site->sync, &member->id);
		if (!n || !n->agreed)
			return member;
	}
	return NULL;
}

/* Whom a hub waits for, its owner has to know. */
static void tell_unaware(struct site *site, struct site_actions *out, const struct member *unaware)
{
	struct certificate certificate;
	struct site_action *action;

	if (site->rotate_request == 0 || site->rotate_told ||
		site->now - site->certified_at < HUB_TELLS_AFTER)
		return;
	ledger_certificate(&site->ledger, unaware, &certificate);
	site_reply(out, site->rotate_request, SITE_REPLY_PROGRESS,
		"waits until this member has heard of the new key; or expel it");
	action = &out->items[out->count - 1];
	memcpy(action->reply.name, certificate.name, sizeof action->reply.name);
	site->rotate_told = true;
}

/*
 * Whether the pending key is the one that others expect. A hub waits until every member has heard
 * of it: whoever had not would have lost the hub.
 */
static bool is_certified(struct site *site, struct site_actions *out)
{
	const struct member *unaware;

	if (!is_granted(site)) {
		site->certified_at = USEC_NEVER;
		return false;
	}
	if (site->certified_at == USEC_NEVER) {
		site->certified_at = site->now;
		site->rotate_told = false;
		sync_doubt_all(&site->sync);
	}
	/* Links carry nothing while their key changes. */
	if (!site->hub_role)
		return site_links_are_away(site, out);
	site->unaware_at = site->now + HUB_LOOKS_EVERY;
	unaware = find_unaware(site);
	if (unaware)
		tell_unaware(site, out, unaware);
	return !unaware;
}

static void step_rotation(struct site *site, struct site_actions *out)
{
	const struct site_peer *hub = site_peer_of(site, &site->hub);
	bool silent = hub && (hub->presence == SITE_SUSPECT || hub->presence == SITE_DOWN);
	struct rotation_action action;

	if (site->untidy && site->rotation.state == ROTATION_IDLE)
		site->untidy = !tidy_secrets(site, out);
	if (!may_rotate(site) || site_room(out) < 16 || !prepare_pending(site, out))
		return;
	action = rotation_step(
		&site->rotation, site->now, is_certified(site, out), silent, is_proven(site));
	if (action.ask)
		ask(site, site->rotation.asked, NULL, out);
	if (action.promote || (action.use_new && site->hub_role))
		save_promotion(site, out);
	/* Where all know of a hub's new key there is no way back: it is used once this site would
	 * begin with it again. */
	if (action.use_new && site->hub_role) {
		site->promotes = true;
		rotation_begin(&site->rotation, site->now);
		return;
	}
	if (action.use_new || action.use_old)
		change_device(site);
	if (action.promote)
		promote_keys(site, out);
}

void site_promotion_saved(struct site *site, bool saved, struct site_actions *out)
{
	if (site->promotes && saved) {
		rotation_init(&site->rotation);
		change_device(site);
		promote_keys(site, out);
	}
	site->promotes = false;
}

static usec_t rotation_due(const struct site *site)
{
	usec_t at = USEC_NEVER;

	if (site->untidy && site->rotation.state == ROTATION_IDLE && !site->save_failed)
		return site->now;
	if (!may_rotate(site))
		return at;
	at = rotation_wakeup(&site->rotation);
	if (site->hub_role && site->rotation.state == ROTATION_ASKING)
		at = usec_min(at, site->unaware_at);
	return at > site->now ? at : site->now;
}

/* Routes. */

static bool has_routes(const struct site *site, const struct prefixes *routes)
{
	const struct member *self = site_member(site);
	struct certificate certificate;

	if (!self)
		return false;
	ledger_certificate(&site->ledger, self, &certificate);
	return prefixes_equal(&certificate.routes, routes);
}

/* What the owner offers is asked for together with what there is, once after each start. */
static void offer_networks(struct site *site)
{
	const struct member *self = site_member(site);
	struct certificate certificate;
	struct prefixes routes;

	if (site->offered || site->state != SITE_MEMBER || !self || site->routes_wanted)
		return;
	site->offered = true;
	ledger_certificate(&site->ledger, self, &certificate);
	routes = certificate.routes;
	for (uint32_t i = 0; i < site->options.offered.count; i++) {
		const struct prefixes one = {1, {site->options.offered.items[i]}};

		if (!prefixes_contain(&routes, &one) && routes.count < FIELD_PREFIXES_MAX)
			routes.items[routes.count++] = one.items[0];
	}
	prefixes_sort(&routes);
	if (prefixes_equal(&routes, &certificate.routes))
		return;
	site->routes = routes;
	site->routes_wanted = true;
	site->routes_request = 0;
	site->routes_ask_at = site->now;
}

static void step_routes(struct site *site, struct site_actions *out)
{
	offer_networks(site);
	if (!site->routes_wanted || site->state != SITE_MEMBER || site_room(out) < 8)
		return;
	if (has_routes(site, &site->routes)) {
		site->routes_wanted = false;
		site_reply(out, site->routes_request, SITE_REPLY_DONE, "");
		return;
	}
	if (site->now < site->routes_ask_at)
		return;
	/* An admin who has to approve is a person. */
	site->routes_ask_at = site->now +
			      usec_min(ROUTES_ASK_EVERY
					       << (site->routes_turn < 5 ? site->routes_turn : 5),
				      ROUTES_ASK_MOST);
	ask(site, site->routes_turn++, &site->routes, out);
}

/* When our certificate is to be renewed, in monotonic time. */
static usec_t renewal_due(const struct site *site)
{
	usec_t at;

	if (site->renew_from == 0 || site->state != SITE_MEMBER || site->save_failed ||
		!site_clock_trusted(site))
		return USEC_NEVER;
	at = site_at_wall(site, site->renew_from);
	return at > site->renew_ask_at ? at : site->renew_ask_at;
}

/* A certificate with an end is renewed while a third of its life is left. */
static void step_renewal(struct site *site, struct site_actions *out)
{
	struct certificate certificate;
	uint64_t wall = site_wall(site);

	if (renewal_due(site) > site->now || site_room(out) < 16)
		return;
	ledger_certificate(&site->ledger, site_member(site), &certificate);
	ask(site, site->renew_turn++, NULL, out);
	site->renew_ask_at = site->now + RENEW_ASK_EVERY;
	if (!site->end_told && certificate.not_after < wall + ENDS_SOON_MS) {
		site_log(out, SITE_LOG_CERTIFICATE_ENDS, certificate.name,
			(int64_t)(certificate.not_after / 1000));
		site->end_told = true;
	}
}

void site_petitions_step(struct site *site, struct site_actions *out)
{
	step_rotation(site, out);
	step_routes(site, out);
	step_renewal(site, out);
}

usec_t site_petitions_wakeup(const struct site *site)
{
	usec_t at = usec_min(rotation_due(site), renewal_due(site));

	return site->routes_wanted ? usec_min(at, site->routes_ask_at) : at;
}

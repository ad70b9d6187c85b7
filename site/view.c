/* SPDX-License-Identifier: MIT */
/*
 * view.c - what a site can be asked about; nothing here changes anything.
 */
#include <string.h>

#include "site/site_internal.h"

bool site_view(const struct site *site, uint32_t place, struct site_view *ret)
{
	const struct ledger *ledger = &site->ledger;
	const struct site_peer *peer;
	const struct member *member;
	const struct site_word *word;
	struct certificate certificate;
	struct record record;

	if (!site->has_collective || place >= ledger->members.count)
		return false;
	member = table_at(&ledger->members, place);
	peer = site_peer_of(site, &member->id);
	ledger_certificate(ledger, member, &certificate);
	*ret = (struct site_view){.id = member->id,
		.site = member->site,
		.backbone = peer ? peer->key : certificate.backbone,
		.links = certificate.links,
		.address = certificate.address,
		.subnets = certificate.subnets,
		.routes = certificate.routes,
		.tags = certificate.tags,
		.roles = certificate.roles,
		.left = member->left,
		.presence = site_presence(site, &member->id),
		.heard = peer && peer->presence != SITE_UNKNOWN,
		.heard_at = peer ? peer->heard_at : 0};
	ret->rtt_us = site_rtt(site, &member->id);
	site_link_view(site, member, ret);
	word = site_word(site, &member->id);
	if (ret->presence == SITE_UNKNOWN && word) {
		ret->presence = word->presence;
		ret->hubs_word = true;
		ret->heard = word->presence != SITE_UNKNOWN && word->presence != SITE_SELF;
		ret->heard_at = word->heard_at;
	}
	memcpy(ret->name, certificate.name, sizeof ret->name);
	if (ledger_record(ledger, member, &record)) {
		memcpy(ret->program, record.program, sizeof ret->program);
		ret->roles |= record.roles & ROLE_ISSUER;
	}
	return true;
}

bool site_invite_view(const struct site *site, uint32_t place, struct site_invite_view *ret)
{
	static const char *const states[] = {
		[INVITATION_OPEN] = "open",
		[INVITATION_ISSUED] = "used",
		[INVITATION_REDEEMED] = "used",
		[INVITATION_WITHDRAWN] = "withdrawn",
		[INVITATION_EXPIRED] = "expired",
	};
	const struct invitation *invitation;

	if (place >= site->invitations.table.count)
		return false;
	invitation = table_at(&site->invitations.table, place);
	*ret = (struct site_invite_view){.state = states[invitation->state],
		.reserved = invitation->reserved,
		.expires = invitation->expires,
		.approval = invitation->approval,
		.applied = invitation->applied};
	memcpy(ret->name, invitation->name, sizeof ret->name);
	return true;
}

uint32_t site_endpoints(
	const struct site *site, struct invite_endpoint ret[static INVITE_ENDPOINTS_MAX])
{
	if (site->hub_role) {
		memcpy(ret, site->collective.endpoints, sizeof site->collective.endpoints);
		return site->collective.endpoint_count;
	}
	memcpy(ret, site->published.items, sizeof site->published.items);
	return site->published.count;
}

struct prefixes site_routes(const struct site *site)
{
	const struct member *self = site->has_collective ? site_member(site) : NULL;
	struct certificate certificate = {.routes = {.count = 0}};

	if (site->routes_wanted)
		return site->routes;
	if (self)
		ledger_certificate(&site->ledger, self, &certificate);
	return certificate.routes;
}

struct prefixes site_routes_awaited(const struct site *site)
{
	const struct member *self = site->has_collective ? site_member(site) : NULL;
	struct prefixes awaited = {.count = 0};
	struct certificate certificate;

	if (!site->routes_wanted || !self)
		return awaited;
	ledger_certificate(&site->ledger, self, &certificate);
	for (uint32_t i = 0; i < site->routes.count; i++) {
		const struct prefixes one = {1, {site->routes.items[i]}};

		if (!prefixes_contain(&certificate.routes, &one))
			awaited.items[awaited.count++] = one.items[0];
	}
	return awaited;
}

/* The name of whoever has a network; "" where nobody has. */
static void name_owner(
	const struct site *site, const struct prefix *prefix, char ret[static TEXT_NAME_MAX + 1])
{
	for (uint32_t i = 0; i < site->ledger.prefixes.count; i++) {
		struct row_id owner;
		struct prefix theirs = ledger_prefix(&site->ledger, i, &owner);
		const struct member *member = ledger_find(&site->ledger, &owner);
		struct certificate certificate;

		if (!member || !prefix_equal(&theirs, prefix))
			continue;
		ledger_certificate(&site->ledger, member, &certificate);
		memcpy(ret, certificate.name, sizeof certificate.name);
		return;
	}
}

bool site_refused(const struct site *site, uint32_t place, struct site_refused_view *ret)
{
	for (uint32_t i = 0; i < site->prefixes.count; i++) {
		const struct site_prefix *entry = table_at(&site->prefixes, i);

		if (!entry->refused || !entry->wanted || place-- > 0)
			continue;
		*ret = (struct site_refused_view){.prefix = site_prefix_of(entry)};
		ret->isolated = site_is_isolated(site, &ret->prefix);
		name_owner(site, &ret->prefix, ret->name);
		return true;
	}
	return false;
}

struct prefix site_supernet(const struct site *site)
{
	const struct prefix none = {{.family = ADDRESS_NONE}, 0};

	return site->has_collective ? site->collective.supernet : none;
}

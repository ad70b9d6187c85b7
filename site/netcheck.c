/* SPDX-License-Identifier: MIT */
/*
 * netcheck.c - how this site stands towards the internet, in words: from where it is seen, what its
 * router does, where it may be met, and what its owner or his provider could change.
 */
#include <stdio.h>
#include <string.h>

#include "site/links_internal.h"

static const char *const kind_words[CANDIDATE_PREDICTED + 1] = {
	[CANDIDATE_LAN] = "lan",
	[CANDIDATE_IPV6] = "ipv6",
	[CANDIDATE_STATIC] = "static",
	[CANDIDATE_MAPPED] = "mapped",
	[CANDIDATE_HUB] = "seen",
	[CANDIDATE_REFLECTED] = "seen",
	[CANDIDATE_PREDICTED] = "foretold",
};

static const char *mapping_word(const struct site_standing *standing)
{
	switch (standing->mapping) {
	case BEHAVIOUR_INDEPENDENT:
		return "independent";
	case BEHAVIOUR_BY_ADDRESS:
		return "by_address";
	case BEHAVIOUR_BY_PORT:
		return "by_port";
	default:
		return "unknown";
	}
}

static const char *ports_word(const struct behaviour_class *class)
{
	switch (class->allocation) {
	case BEHAVIOUR_PORTS_KEPT:
		return "kept";
	case BEHAVIOUR_PORTS_SEQUENTIAL:
		return "sequential";
	case BEHAVIOUR_PORTS_RANDOM:
		return "random";
	case BEHAVIOUR_PORTS_UNKNOWN:
		break;
	}
	return "unknown";
}

static void list_places(const struct site *site, struct site_standing *ret)
{
	struct candidates places;

	site_link_places(site, &places);
	for (uint32_t i = 0; i < places.count; i++) {
		ret->places[ret->place_count].kind = kind_words[places.items[i].kind];
		ret->places[ret->place_count++].endpoint = places.items[i].endpoint;
	}
}

bool site_standing(const struct site *site, struct site_standing *ret)
{
	const struct site_reflector *reflector = site_reflect_place(site);
	struct behaviour_facts facts = behaviour_facts(&site->behaviour);

	*ret = (struct site_standing){.rtt_us = -1, .port = site->ground.ports[SITE_LINKS]};
	if (!site->has_collective || site->state != SITE_MEMBER || site->hub_role)
		return false;
	if (reflector) {
		ret->seen = reflector->seen;
		ret->rtt_us = reflector->rtt_us;
	}
	/* What the inner one of two routers opens leads to nobody. */
	if (candidate_is_public(&site->ground.mapped.address))
		ret->mapped = site->ground.mapped;
	ret->is_public = site->behaviour.class.is_untranslated;
	ret->is_carrier_nat = facts.is_carrier_nat;
	ret->is_double_nat = facts.is_double_nat;
	ret->mapping = behaviour_mapping(&site->behaviour);
	ret->mapping_word = mapping_word(ret);
	ret->ports_word = ports_word(&site->behaviour.class);
	list_places(site, ret);
	return true;
}

/* What the router's ways mean for links. */
static const char *meaning(const struct site_standing *standing, bool sequential)
{
	if (standing->is_public)
		return "It stands on the internet itself: everybody can be met, unless a firewall "
		       "drops UDP.";
	if (standing->mapping == BEHAVIOUR_INDEPENDENT)
		return "Its router shows everybody the same port: other homes can be met directly, "
		       "but for those whose routers are \"symmetric\".";
	if (standing->mapping == BEHAVIOUR_UNKNOWN)
		return "How its router chooses ports could not be seen.";
	if (sequential)
		return "Its router takes another port for everybody, the next in a row, which can "
		       "be foretold: most other homes can be met directly.";
	return "Its router takes another port for everybody, at random (a \"symmetric\" one): only "
	       "sites on the internet itself, or behind open routers, can be met directly.";
}

static const char *remedy(const struct site_standing *standing, bool sequential)
{
	if (standing->is_public || standing->mapped.port != 0 ||
		standing->mapping == BEHAVIOUR_INDEPENDENT || sequential)
		return "";
	if (standing->is_carrier_nat)
		return " The provider translates addresses, too: a change of this home's router "
		       "alone does not help. What helps: IPv6, or a public address from the "
		       "provider.";
	if (standing->is_double_nat)
		return " Two routers in a row translate: what helps has to be set on both, or the "
		       "outer one made a bridge. Where that is the provider's: IPv6, or a public "
		       "address.";
	return "";
}

void site_standing_text(const struct site_standing *standing, char ret[static SITE_WHY_SIZE])
{
	bool sequential = strcmp(standing->ports_word, "sequential") == 0;
	const char *known = remedy(standing, sequential);
	char place[ENDPOINT_TEXT_SIZE];
	size_t used;

	(void)snprintf(ret, SITE_WHY_SIZE, "%s%s", meaning(standing, sequential), known);
	used = strlen(ret);
	if (standing->mapped.port != 0) {
		endpoint_print(&standing->mapped, place);
		(void)snprintf(ret + used, SITE_WHY_SIZE - used,
			" The router has opened %s for this site's links.", place);
	} else if (!known[0] && !sequential && standing->port != 0 &&
		   standing->mapping != BEHAVIOUR_INDEPENDENT && !standing->is_public) {
		(void)snprintf(ret + used, SITE_WHY_SIZE - used,
			" What helps: forward UDP port %u to this machine on the router, or let it "
			"answer NAT-PMP.",
			(unsigned)standing->port);
	}
}

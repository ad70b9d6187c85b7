/* SPDX-License-Identifier: MIT */
/*
 * firewall.h - what the packet filters of this machine do with what a collective lives on, and the
 * very command that opens what they shut. It looks and changes nothing.
 */
#pragma once

#include "agent/netlink.h"
#include "agent/ruleset.h"
#include "config/config.h"
#include "gossip/field.h"

#define FIREWALL_NAME_SIZE 160
#define FIREWALL_REMEDY_SIZE 448

/* Packets without which something does not work. */
enum firewall_way {
	FIREWALL_CALLS,  /* from outside, to WireGuard's port of a hub */
	FIREWALL_INSIDE, /* in the tunnel, to the agent of a hub: of joiners and of members */
	FIREWALL_SPOKES, /* in the tunnel, from one member on to another */
	FIREWALL_BEHIND, /* between members and the networks behind this site, both ways */
	FIREWALL_WAYS,
};

/* What has to be known of this site. */
struct firewall_site {
	const struct config *config;
	struct prefix supernet; /* family ADDRESS_NONE: not known */
	struct address own;     /* inside; family ADDRESS_NONE: not known */
	struct prefixes announced;
};

struct firewall_finding {
	enum ruleset_verdict verdict;
	bool asked;                    /* false: there is nothing of that kind here */
	char name[FIREWALL_NAME_SIZE]; /* of the filter: "filter FORWARD, Docker" */
	char remedy[FIREWALL_REMEDY_SIZE];
};

struct firewall {
	uint32_t generation; /* of the rules that were looked at; 0: of none */
	bool forwards;       /* no filter drops whatever is forwarded by whatever interfaces */
	struct firewall_finding ways[FIREWALL_WAYS];
};

/*
 * Looks at all ways; route is a socket on NETLINK_ROUTE. Returns 0, -EPERM where this user may not
 * look, -E2BIG where there are too many chains, -EINTR where rules never stay as they are, or
 * another error: there is no nf_tables.
 */
int firewall_look(struct netlink *route, const struct firewall_site *site, struct firewall *ret);

/* Whether the rules are still those that were looked at. */
bool firewall_stands(const struct firewall *firewall);

/* UDP port of a hub's backbone, as it is configured. */
uint16_t firewall_port(const struct config *config);

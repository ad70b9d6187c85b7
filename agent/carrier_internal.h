/* SPDX-License-Identifier: MIT */
/*
 * carrier_internal.h - what the files of the carrier share: what is wanted, and what is known to be
 * there.
 */
#pragma once

#include "agent/carrier.h"
#include "agent/filter.h"
#include "agent/link.h"
#include "agent/netlink.h"
#include "agent/route.h"
#include "agent/watch.h"
#include "base/table.h"

#define CARRIER_PREFIX_KEY 18
#define CARRIER_FAMILIES 2

/* A peer that is wanted, or that is to go. The first two members are the table's key. */
struct carrier_peer {
	uint8_t interface;
	struct key key;
	bool wanted;
	bool again; /* what is there has to go first */
	bool due;
	bool endpoint_due;
	bool has_endpoint;
	uint16_t keepalive; /* once there is an endpoint */
	struct key preshared;
	struct endpoint endpoint; /* as it was told, or where the peer was seen since */
};

/* A prefix, and the peer that it is allowed to. */
struct carrier_allowed {
	uint8_t key[1 + CARRIER_PREFIX_KEY]; /* interface, prefix */
	struct key peer;                     /* zero: nobody's any more */
	bool due;
};

/* Which way a route leads. */
enum carrier_way { WAY_NONE, WAY_BACKBONE, WAY_LINKS, WAY_ASTRAY };

/* All that is wanted of one prefix, and what is there of it. */
struct carrier_course {
	enum carrier_way way;
	bool guard;
	bool own;
};

struct carrier_route {
	uint8_t key[CARRIER_PREFIX_KEY];
	struct carrier_course wanted;
	struct carrier_course there; /* its way in the main table */
	enum carrier_way inner;      /* its way in the inner table */
	struct address source;       /* that the route in the main table prefers */
	uint8_t refused;             /* bits of what another program's route stands in the way of */
};

/* What is to be taken away that nobody spoke of. */
struct carrier_strays {
	uint32_t peer_count;
	uint32_t peer_capacity;
	struct key *peers;
	uint32_t allowed_count;
	uint32_t allowed_capacity;
	struct prefix *allowed;
};

struct carrier_device {
	struct carrier_interface options;
	bool wanted;
	struct key key;         /* private */
	struct address address; /* ADDRESS_NONE: none */

	unsigned index; /* 0: not there, or not ours */
	bool ours;      /* it was, since this agent runs */
	enum wireguard_kind kind;
	bool up;
	bool prepared;
	uint32_t mtu;
	uint16_t port;
	bool key_due;
	bool port_due;
	bool address_there;
	bool rules_there[CARRIER_FAMILIES];
	bool tunnels_due; /* peers or prefixes */
	struct carrier_strays strays;
	struct wireguard_device seen; /* as it was read last */
};

/* The packet filter. */
struct carrier_filter {
	struct netlink *netlink; /* NULL: the kernel has none */
	bool there;
	struct filter set;       /* as it was set; zero: by an older agent */
	struct filter_seal seal; /* and as it stood then, */
	uint32_t generation;     /* or when it was looked at last */
	bool refused;
	usec_t again_at;
};

struct carrier {
	struct carrier_options options;
	struct log *log;
	struct netlink *netlink;
	struct watch *watch;
	struct wireguard *doors[WIREGUARD_KINDS];
	struct carrier_device devices[SITE_INTERFACES];
	void *memory;
	struct table peers;
	struct table allowed;
	struct table routes;
	struct carrier_filter filter;
	bool inner_default[CARRIER_FAMILIES];
	uint32_t rule_priority[CARRIER_FAMILIES]; /* before the rules of others, */
	uint32_t overtaken_by[CARRIER_FAMILIES];  /* but this one; ROUTE_NO_RULE: none */
	char overtaken[WIREGUARD_WHY_SIZE];
	bool routes_due;
	bool settled;
	usec_t now;

	/* What is there and nobody spoke of. */
	uint32_t stray_route_count;
	uint32_t stray_route_capacity;
	struct route *stray_routes;
	uint32_t stray_rule_count;
	uint32_t stray_rule_capacity;
	struct route_rule *stray_rules;
	uint32_t stray_address_count;
	uint32_t stray_address_capacity;
	struct route_address *stray_addresses;

	uint32_t network_count;
	struct prefix networks[SITE_NETWORKS_MAX];
	bool networks_changed;
	uint32_t address_count;
	struct site_own_address addresses[CARRIER_ADDRESSES_MAX];
	unsigned address_devices[CARRIER_ADDRESSES_MAX];
	bool addresses_changed;

	/* Time. */
	usec_t tick_at;   /* interfaces and peers are looked at */
	usec_t review_at; /* all is; USEC_NEVER: nothing happened */
	usec_t reviewed_at;
	usec_t retry_at; /* what was refused is tried again */
	usec_t retry_after;

	char trouble[WIREGUARD_WHY_SIZE];
	bool troubled; /* in this turn */
	uint64_t repairs;
	uint64_t refusals;
};

/* Says that something was refused, once until all went well again. */
void carrier_refused(struct carrier *carrier, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says that another program broke something, and counts it. */
void carrier_broken(struct carrier *carrier, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All is to be looked at, but not all the time. */
void carrier_review_soon(struct carrier *carrier);

void carrier_prefix_key(const struct prefix *prefix, uint8_t out[static CARRIER_PREFIX_KEY]);
struct prefix carrier_prefix_of(const uint8_t key[static CARRIER_PREFIX_KEY]);

/* carrier_tunnels.c: peers and their prefixes. */

/* Takes in an action about a peer or an allowed prefix. */
void carrier_tunnels_want(struct carrier *carrier, const struct site_action *action);

/* All of an interface is to be said anew: it was just made, or found. */
void carrier_tunnels_anew(struct carrier *carrier, enum site_interface interface);

/* Says what is due to an interface. Returns 0 or an error, after which it is all due. */
int carrier_tunnels_apply(struct carrier *carrier, enum site_interface interface);

/* Holds what was read of an interface against what is wanted; marks what differs. */
void carrier_tunnels_review(struct carrier *carrier, enum site_interface interface);

/* carrier_devices.c: the interfaces themselves. */

/* Makes or finds an interface that is wanted. Returns 0 or an error that was said. */
int carrier_device_establish(struct carrier *carrier, enum site_interface interface);

/* Sets key, port, size and settings where they differ, and sets it up. */
int carrier_device_apply(struct carrier *carrier, enum site_interface interface);

/* Takes an interface of ours away. */
int carrier_device_remove(struct carrier *carrier, enum site_interface interface);

/* An interface of ours that an older agent left, and that nobody wants: it is to be removed. */
void carrier_device_find_left_over(struct carrier *carrier, enum site_interface interface);

/* Looks whether it is there as it was. */
void carrier_device_review(struct carrier *carrier, enum site_interface interface);

/* Reads an interface into its seen. */
int carrier_device_read(struct carrier *carrier, enum site_interface interface);

/* It is gone, and what stood on it. */
void carrier_device_lost(struct carrier *carrier, enum site_interface interface);

/* carrier_ground.c: addresses, routes, rules. */

void carrier_ground_want(struct carrier *carrier, const struct site_action *action);

/* Before packets may come in: the inner table's end, the rules that lead there, guards. */
int carrier_ground_prepare(struct carrier *carrier);

/* Addresses, guards, routes; then what has to go. */
int carrier_ground_apply(struct carrier *carrier);

/* Looks at all of it; marks what differs. */
int carrier_ground_review(struct carrier *carrier);

/* Routes that led there are gone with an interface. */
void carrier_ground_lost(struct carrier *carrier, enum site_interface interface);

/* carrier_filter.c: what this machine takes in. */

/* Looks whether there is one; a kernel without any is said, and worked with. */
void carrier_filter_open(struct carrier *carrier);
void carrier_filter_close(struct carrier *carrier);

/* Before packets may come in: sets what is wanted, where that is not there. */
void carrier_filter_apply(struct carrier *carrier);

/* Behind the last interface: takes it away. */
void carrier_filter_end(struct carrier *carrier);

/* Looks whether it is as it was set. */
void carrier_filter_review(struct carrier *carrier);

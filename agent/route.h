/* SPDX-License-Identifier: MIT */
/*
 * route.h - addresses, routes and rules of this machine, over rtnetlink.
 *
 * Routes and rules that are made here carry ROUTE_PROTOCOL, and only such are listed or removed:
 * whatever else is on the machine is not ours to touch.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/rtnetlink.h>

#include "agent/netlink.h"
#include "base/endpoint.h"
#include "base/prefix.h"

#define ROUTE_PROTOCOL 110 /* our mark on routes and rules */
#define ROUTE_TABLE_MAIN RT_TABLE_MAIN
#define ROUTE_TABLE_INNER 11010 /* for what comes in by our interfaces */
#define ROUTE_RULE_PRIORITY                                                                     \
	1010                    /* behind the local table, before all that others add by number \
				 */
#define ROUTE_METRIC_GUARD 4096 /* behind every real route */
#define ROUTE_NAME_SIZE 16

struct route {
	struct prefix prefix;
	uint32_t table;
	uint32_t metric;
	uint8_t type;          /* RTN_UNICAST, RTN_UNREACHABLE, RTN_THROW */
	unsigned device;       /* of RTN_UNICAST; 0 else */
	struct address source; /* preferred; ADDRESS_NONE: the system's choice */
};

/* Adds a route. Returns 0; -EEXIST where one with its prefix, table and metric stands. */
int route_add(struct netlink *netlink, const struct route *route);

/* Puts a route in the place of the one that stands there, in one step. */
int route_replace(struct netlink *netlink, const struct route *route);

/* Removes a route of ours; absent is fine. */
int route_remove(struct netlink *netlink, const struct route *route);

typedef int (*route_each_fn)(const struct route *route, void *context);

/* Calls each for every route of ours, of both families. -EINTR: to be asked again. */
int route_list(struct netlink *netlink, route_each_fn each, void *context);

/* A rule: what comes in by an interface looks into ROUTE_TABLE_INNER. */
struct route_rule {
	uint8_t family; /* ADDRESS_IPV4, ADDRESS_IPV6 */
	char name[ROUTE_NAME_SIZE];
	bool proper; /* such as we make them, whatever its priority */
	uint32_t table;
	uint32_t priority;
};

typedef int (*route_each_rule_fn)(const struct route_rule *rule, void *context);

int route_rule_add(struct netlink *netlink, uint8_t family, const char *name, uint32_t priority);
int route_rule_remove(struct netlink *netlink, const struct route_rule *rule);
int route_rule_list(struct netlink *netlink, route_each_rule_fn each, void *context);

/* Whether packets from this network come in by our interfaces; length 0: from anywhere. */
typedef bool (*route_comes_fn)(const struct prefix *from, void *context);

#define ROUTE_NO_RULE UINT32_MAX

/* Priorities of rules that could take what comes in by our interfaces. */
struct route_foremost {
	uint32_t local;  /* the local table's, which ours do not stand before; 0 without one */
	uint32_t before; /* another program's up to there; ROUTE_NO_RULE: none */
	uint32_t behind; /* another program's behind it; likewise */
};

/*
 * Finds the foremost rules of others that could take what comes in by our interfaces. Those for
 * other interfaces, which they name, are no such ones. Who adds a rule without a priority has it
 * stand before all that are there but the first.
 */
int route_rule_foremost(struct netlink *netlink, uint8_t family, route_comes_fn comes,
	void *context, struct route_foremost *ret);

/* An address of an interface. */
struct route_address {
	unsigned device;
	struct prefix prefix; /* the address itself, with its network's length */
	bool near;            /* of this host or link only */
};

typedef int (*route_each_address_fn)(const struct route_address *address, void *context);

/* Gives an interface an address, alone in its network. Returns 0, also when it had it. */
int route_address_add(struct netlink *netlink, unsigned device, const struct address *address);
int route_address_remove(struct netlink *netlink, const struct route_address *address);
int route_address_list(struct netlink *netlink, route_each_address_fn each, void *context);

/* A UDP datagram that is to go out. */
struct route_flow {
	struct endpoint to;
	struct address from; /* ADDRESS_NONE: the system's choice */
	uint16_t from_port;
	uint32_t mark;
	unsigned in; /* the device that it comes in by; 0: it begins here */
};

/* The way it would go. */
struct route_way {
	unsigned device;
	struct address source;
};

/*
 * Asks which way out of this machine a datagram would go. Returns 0; -ENETUNREACH where none does,
 * also to this machine itself and to many at once; or what else the system says of the route. An
 * IPv6 address to come from is taken as it is.
 */
int route_find(struct netlink *netlink, const struct route_flow *flow, struct route_way *ret);

/* The device of the first default route for IPv4. Returns whether there is one. */
bool route_default(char ret[static ROUTE_NAME_SIZE]);

/* Whether this machine speaks IPv6 at all. */
bool route_has_ipv6(void);

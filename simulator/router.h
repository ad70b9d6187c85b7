/* SPDX-License-Identifier: MIT */
/*
 * router.h - a home's router: address translation, filter, and how they go wrong.
 *
 * Mapping, filtering and the choice of ports are independent, as in RFC 4787. The table of
 * connections behaves like Linux's conntrack: a packet from outside that the router's own INPUT
 * accepts becomes an entry, and a later flow from inside that clashes with it gets another port,
 * which later new destinations of the same socket get as well. tests/test_router.c replays the
 * measurements.
 *
 * Only IPv4 behind an IPv4 address is translated. Everything else passes as it is through a filter
 * that remembers what the inside opened, as RFC 6092 wants it.
 *
 * Not modelled: ICMP, fragments, and what else the router itself sends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prefix.h"
#include "base/prng.h"
#include "base/usec.h"
#include "simulator/packet.h"

/* How far a mapping, or a hole in the filter, reaches. */
enum router_scope {
	ROUTER_ENDPOINT_INDEPENDENT = 1,
	ROUTER_ADDRESS_DEPENDENT,
	ROUTER_ADDRESS_AND_PORT_DEPENDENT,
};

enum router_allocation { ROUTER_PORT_KEPT = 1, ROUTER_PORT_SEQUENTIAL, ROUTER_PORT_RANDOM };

/* What becomes of a datagram to the router itself. */
enum router_input { ROUTER_INPUT_DROP = 1, ROUTER_INPUT_ACCEPT, ROUTER_INPUT_REJECT };

struct router_options {
	struct address outside;
	struct prefix inside;
	enum router_scope mapping;
	enum router_scope filtering;
	enum router_allocation allocation;
	enum router_input input;
	bool hairpin;
	bool udp_blocked;       /* nothing passes */
	bool port_mapping;      /* answers requests for a mapping */
	uint32_t ports_max;     /* outside ports per inside host; 0: no bound */
	usec_t timeout_new;     /* of a mapping with traffic in one direction only; 30 s on Linux */
	usec_t timeout_assured; /* with traffic both ways; 120 s on Linux */
	usec_t assured_after;   /* but not before it is so old; 2 s on Linux */
};

/* Where a datagram goes on. Addresses and ports in it were rewritten. */
enum router_verdict {
	ROUTER_DROPPED,
	ROUTER_OUT,     /* to the outside */
	ROUTER_IN,      /* to the inside, from either side: a hairpin comes back in */
	ROUTER_CONSUMED /* it was for the router itself, and accepted */
};

struct router;

struct router *router_new(const struct router_options *options, struct prng *prng);
void router_free(struct router *router);

/* Another one that is in the same state, and will draw the same. */
struct router *router_copy(const struct router *router);

/* A datagram from the inside, or from the outside. TTL is the caller's. */
enum router_verdict router_from_inside(struct router *router, usec_t now, struct packet *packet);
enum router_verdict router_from_outside(struct router *router, usec_t now, struct packet *packet);

/* Loses all mappings, as at a restart, and what was mapped for a lifetime; forwards stay. */
void router_reboot(struct router *router);

/* Gets another address from the provider, and loses the same. */
void router_renumber(struct router *router, const struct address *outside);

/*
 * A static forward, or the answer to a request for a mapping: what comes to the outside port goes
 * to inside. wanted is the port that is asked for, 0 for any; the result is the one that was given,
 * 0 where there is none. Asking again renews; lifetime 0 gives back. lifetime USEC_NEVER is a
 * forward: it needs no port_mapping, gets the wanted port or none, and outlives a restart.
 */
uint16_t router_map(struct router *router, usec_t now, const struct endpoint *inside,
	uint16_t wanted, usec_t lifetime);

/* Entries of the table of connections that are alive, poison included; forwards are none. */
uint32_t router_mappings(const struct router *router, usec_t now);

const struct router_options *router_options(const struct router *router);

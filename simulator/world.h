/* SPDX-License-Identifier: MIT */
/*
 * world.h - hosts, their homes' routers and lines, and an internet in between, in virtual time.
 *
 * A host carries a site: it hands it events and performs its actions on the models of WireGuard,
 * routes and disk. The site is the very object that the agent links. Everything comes from one
 * seed; chance for each purpose has a stream of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/prng.h"
#include "simulator/heap.h"
#include "simulator/link.h"
#include "simulator/router.h"
#include "simulator/wireguard.h"
#include "site/site.h"
#include "store/store.h"

#define WORLD_WALL UINT64_C(1790000000000) /* ms: when the virtual time is 0 */
#define WORLD_PORT 51821                   /* of the hubs */
#define WORLD_HOSTS_MAX 20000
#define WORLD_STRANGER_PORT 999 /* from which a stranger calls; nobody may answer it */
#define WORLD_REQUEST_LEAVE 7
#define WORLD_TAG "gaming"
#define WORLD_VICTIM 0x0c22384e /* 12.34.56.78: an address at which nobody is */
#define WORLD_INBOX 160         /* packets that one datagram may set free */

/* How a host misbehaves. */
enum mischief {
	MISCHIEF_NONE,
	MISCHIEF_GARBAGE,    /* random bytes to everybody's ports, in and out of the tunnel */
	MISCHIEF_FLOOD,      /* its own messages, hundreds a second */
	MISCHIEF_REPLAY,     /* what it ever heard, again and again */
	MISCHIEF_EQUIVOCATE, /* two records under one number */
	MISCHIEF_LIE,        /* certificates and revocations that it may not sign */
	MISCHIEF_USURP,      /* has an admin's key: admits and expels whom it invents */
	MISCHIEF_NEWER,      /* speaks like a program of the future, beside what we understand */
	MISCHIEF_CENSOR,     /* a hub that passes nothing of one site on */
	MISCHIEF_MEDDLE,     /* a hub that keeps back and repeats what is said about links */
	MISCHIEF_DOUBT,      /* tells its links' other ends that they are dead, all the time */
	MISCHIEF_POINT,      /* offers links at a stranger's address */
	MISCHIEFS,
};

struct host_route {
	struct prefix prefix;
	enum site_route_kind kind;
};

/* What a host has accepted and must not forget; NULL before its agent first runs. */
struct host_memory {
	uint64_t *sequence; /* by host number: the greatest record of it that was held */
	uint64_t *left;     /* the sequence under which it left; 0: it did not */
	uint8_t *revoked;   /* a revocation of it was held */
};

struct world;
struct host;

/* The end of an interface of WireGuard's: what comes out there is told apart by it. */
struct host_end {
	struct host *host;
	enum site_interface interface;
};

/* A packet that came out of a tunnel and waits to be looked at. */
struct host_arrival {
	enum site_interface interface;
	struct inner *inner;
};

struct host {
	struct world *world;
	uint32_t number;
	char name[TEXT_NAME_MAX + 1];
	bool hub;
	bool powered;
	bool running; /* the agent */
	bool full;    /* the disk */
	bool unsaved; /* what the disk refused has not been saved since */
	bool broken;  /* not a part of the core that heals */
	enum mischief mischief;
	bool mischievous; /* its turns have begun */
	uint32_t victim;  /* of a censor */
	int64_t clock_ms; /* off by this much */
	int32_t drift;    /* per million */
	usec_t paused_until;
	struct endpoint local;  /* address and port of WireGuard, inside */
	struct router *router;  /* NULL: none */
	struct router *carrier; /* its provider's, in front of that one; NULL: none */
	struct link up;
	struct link down;
	struct endpoint links_local; /* the same address, and the port of its direct links */
	struct wireguard *backbone;
	struct wireguard *links;
	bool links_addressed; /* the links' interface has the overlay address, too */
	struct host_end ends[SITE_INTERFACES];
	struct prng links_prng;
	usec_t traffic_at;   /* the next look for traffic that somebody wants to know of */
	usec_t wireguard_at; /* of the timer in the heap */
	usec_t site_at;
	struct site_options options;
	void *memory;
	struct site *site; /* NULL while the agent does not run */
	struct store *store;
	uint32_t starts;
	uint64_t sequence_at_start; /* of its own record that the agent knew */
	bool leaving;
	bool told_farewell; /* somebody confirmed that it left */
	uint64_t farewell;  /* the sequence of its farewell, once it was made; 0: none */
	struct address overlay;
	uint64_t changes; /* of WireGuard's configuration */
	usec_t begun_at;  /* its agent */
	bool said_all;    /* since then */
	struct key *said; /* peers that the agent has told since its start */
	uint32_t said_count;
	struct host_route *routes;
	uint32_t route_count;
	struct key site_key; /* of its identity, once there is one */
	struct hash site_hash;
	struct row_id id;
	struct host_memory memory_of;
	struct prng prng;
	/* Counted. */
	uint64_t sent_bytes; /* on its line */
	uint64_t inner_messages;
	uint64_t logs[SITE_LOG_CODES];
	uint64_t replies;
	uint64_t flow_bytes; /* of packets of flows, which are nobody's fault */
	uint32_t pings_sent;
	uint32_t pings_answered;
	uint64_t leaks;
	uint32_t inbox_count;
	struct host_arrival inbox[WORLD_INBOX];
	char invite[INVITE_TEXT_SIZE];
	uint32_t invented;      /* sites, by one that has an admin's key */
	struct secret identity; /* of one that misbehaves, as it last needed it */
	bool invited;           /* its name was given away once */
	/* What a replayer heard. */
	struct inner *heard;
	uint32_t heard_count;
};

struct world_options {
	uint64_t seed;
	uint32_t sites; /* hub included */
	bool real_crypto;
	bool links;          /* all have a tag, and links with all who have it */
	enum site_when when; /* of links */
	FILE *trace;         /* NULL: none is written; it is hashed even so */
};

struct world {
	struct world_options options;
	const struct crypto *crypto;
	usec_t now;
	struct heap heap;
	struct prng prng;
	uint32_t host_count;
	struct host *hosts;
	uint64_t hash; /* of the trace */
	uint64_t events;
	uint64_t steps;
	uint64_t datagrams;
	usec_t changed_at;  /* the last change that somebody wanted */
	uint32_t *moved;    /* host by host: how often its outside address has changed */
	uint8_t *walls;     /* host by host: a wall between them */
	struct secret root; /* of a collective that was founded before the world began */
	struct secret admin;
	struct hash collective;
	struct prefix supernet;
	uint32_t flow_count;
	struct flow *flows;
	/* For who looks on: after a step of a host, before a datagram that came to its ports, and
	 * before an IP packet that came out of a tunnel there, or goes on to another one. */
	void (*stepped)(struct world *world, struct host *host, void *context);
	void (*received)(
		struct world *world, struct host *host, const struct packet *packet, void *context);
	void (*tunnelled)(struct world *world, struct host *host, enum site_interface interface,
		const struct inner *inner, void *context);
	void *context;
	struct site_actions actions;
	bool stopped;                /* nothing more happens: a property is broken for good */
	uint64_t answered_strangers; /* datagrams to somebody who is no peer */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

/* The outside address of a host, and where it is found. */
struct address world_outside(const struct world *world, uint32_t number);

/* Puts a host behind a router; carrier: and that one behind one of its provider's. */
void world_add_router(
	struct world *world, uint32_t number, const struct router_options *options, bool carrier);

/* The home's router gets a new address from its provider. */
void world_renumber(struct world *world, uint32_t number);

/* The subnet of a host in a collective that was founded here. */
struct prefix world_subnet(const struct world *world, uint32_t number);

/* A collective that exists when the world begins: everybody holds what the first rows say. */
void world_found(struct world *world, bool acquainted);

/* Starts and ends. */
void host_power(struct host *host, bool on); /* with it goes WireGuard's state */
void host_run(struct host *host, bool on);   /* the agent alone: WireGuard goes on */
void host_suspend(struct host *host);        /* wakes up at once, without sessions */
void host_wipe(struct host *host);           /* loses its state, and starts as it was born */
void host_command(struct host *host, const struct site_command *command);
void host_event(struct host *host, const struct site_event *event);
uint64_t host_wall(const struct host *host);

void host_set_clock(struct host *host, int64_t offset_ms);
void host_set_drift(struct host *host, int32_t drift);
void host_wake(struct host *host); /* after a pause */

/* Whether traffic to another host goes over a direct link. */
bool host_is_direct(const struct host *host, const struct host *to);

/* Sends a ping to another host's overlay address. */
void host_ping(struct host *host, const struct host *to);

/* Whether datagrams pass from one host to the other. */
void world_wall(struct world *world, uint32_t from, uint32_t to, bool up);
void world_unwall(struct world *world); /* there is none any more */

/* Lets everything happen that is due until then, or until somebody stops the world. */
void world_run(struct world *world, usec_t until);

/* A line of the trace, which always counts for its hash. */
void world_say(struct world *world, const struct host *host, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The host with this row id; NULL: none. */
struct host *world_host(const struct world *world, const struct row_id *id);

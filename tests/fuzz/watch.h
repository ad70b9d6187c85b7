/* SPDX-License-Identifier: MIT */
/*
 * watch.h - what must hold of direct links after each step of each host, whoever says what.
 *
 * It counts by itself what leaves outside the tunnel and what was shown of an address, and looks at
 * what the carrier was told: peers, routes. That everybody meets in the end is not asked here.
 */
#pragma once

#include "simulator/host.h"

#define WATCH_SITES 4
#define WATCH_ATTEMPTS 512
#define WATCH_PROVEN 64

/* What one host sent to one address in one meeting. */
struct watch_attempt {
	struct seal_id id;
	struct address address;
	uint32_t sent;
	bool heard;  /* the other end called from there */
	bool proven; /* when it began */
};

/* Somebody has honestly signed that a member who writes to this host is there. */
struct watch_proof {
	uint32_t host;
	struct address address;
	usec_t at;
};

struct watch_host {
	uint32_t attempt_count;
	struct watch_attempt attempts[WATCH_ATTEMPTS]; /* the oldest is forgotten for a new one */
	usec_t stepped_at;
	uint32_t steps; /* at that time, since something happened to it */
	usec_t window_at;
	uint32_t window; /* steps since then */
};

struct watch {
	struct watch_host hosts[WATCH_SITES];
	uint32_t proven_count;
	struct watch_proof proven[WATCH_PROVEN]; /* the newest */
};

/* Looks on from now. */
void watch_begin(struct watch *watch, struct world *world);

/* How full everything is. */
void watch_check(const struct world *world);

/* Something is about to happen: what it costs in steps is no spin. */
void watch_event(struct watch *watch);

/* Somebody who is believed has signed that whoever writes to this host now is at this address. */
void watch_prove(struct watch *watch, const struct host *host, const struct address *address);

/* A datagram is about to be handed to a host's site, outside the tunnel. */
void watch_outside(struct watch *watch, const struct host *host, const struct site_event *event);

/* Asks everybody for everything, as an owner may at any time. */
void watch_end(const struct world *world);

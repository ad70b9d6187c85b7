/* SPDX-License-Identifier: MIT */
/*
 * mapping.h - keeps a port of the home's router open for the direct links, while somebody wants it:
 * what nat/lease.h decides, carried by portmap.h.
 */
#pragma once

#include <event2/event.h>

#include "base/endpoint.h"
#include "base/usec.h"

struct mapping;

/* The port outside is another one, or gone, or the router says another thing of itself; also called
 * from mapping_turn(). */
typedef void (*mapping_fn)(void *context);

struct mapping *mapping_new(struct event_base *loop, mapping_fn changed, void *context);
void mapping_free(struct mapping *mapping);

/* Wants a way in to this port of ours from now on; 0: none, and what is held is given back. */
void mapping_follow(struct mapping *mapping, usec_t now, uint16_t port);

/* The home's network may be another one: all is asked for anew. */
void mapping_renew(struct mapping *mapping, usec_t now);

usec_t mapping_wakeup(const struct mapping *mapping);
void mapping_turn(struct mapping *mapping, usec_t now);

/* Where this machine is reached from outside; port 0: nowhere by a mapping. */
struct endpoint mapping_outside(const struct mapping *mapping);

/* What the home's router says of itself. */
struct mapping_router {
	struct address outside; /* its address there; no address: it said none */
	bool is_inside;         /* it says that it has none on the internet */
};

struct mapping_router mapping_router(const struct mapping *mapping);

/* Why there is none, in words; "" where nothing is known to be wrong, or none is wanted. */
const char *mapping_word(const struct mapping *mapping);

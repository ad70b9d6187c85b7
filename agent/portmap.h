/* SPDX-License-Identifier: MIT */
/*
 * portmap.h - asks the home router for a way in: a UDP port of its own that leads to one of ours
 * (NAT-PMP, RFC 6886, by libnatpmp).
 *
 * One question at a time. It names a port of this machine without owning it, so the port may be
 * WireGuard's. When to ask, for how long and when again is not decided here, nor whether an outside
 * address is worth anything: a router behind another one gives its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/endpoint.h"

#define PORTMAP_PATIENCE_MS 4000 /* four tries, 250 ms apart and doubling */

/* What routers answer (RFC 6886, section 3.5). */
enum portmap_result {
	PORTMAP_GRANTED,
	PORTMAP_UNSUPPORTED_VERSION,
	PORTMAP_REFUSED,
	PORTMAP_NETWORK_FAILURE, /* it has no public address itself */
	PORTMAP_OUT_OF_RESOURCES,
	PORTMAP_UNSUPPORTED_OPCODE,
	PORTMAP_UNKNOWN, /* another number */
};

struct portmap_answer {
	/*
	 * 0: the router answered. -ETIMEDOUT it did not; -ECONNREFUSED it knows nothing of this;
	 * or what the system said.
	 */
	int error;
	enum portmap_result result; /* all below is valid only without error and when granted */
	uint16_t port;              /* of ours; valid always */
	bool announced; /* nobody asked: it says its outside address and its age, and no port */
	struct endpoint outside; /* port 0: released */
	uint32_t lifetime_s;     /* may be other than what was asked for; 0: released */
	uint32_t epoch_s;        /* since the router lost its state */
};

struct portmap;

/* Answers and announcements. It may ask anew. */
typedef void (*portmap_answer_fn)(void *context, const struct portmap_answer *answer);

/* NULL: there is no memory. */
struct portmap *portmap_new(struct event_base *loop, portmap_answer_fn answer, void *context);
void portmap_free(struct portmap *portmap);

/*
 * Asks the router that the default route leads to for a way to a port of ours; wanted is the
 * outside one that it had, 0 for any. A question that is open is dropped, and is not answered.
 * Returns 0, -ENETUNREACH there is no such router, or what the system said; there is no answer
 * then.
 */
int portmap_ask(struct portmap *portmap, uint16_t port, uint16_t wanted, uint32_t lifetime_s);

/* Gives the way to a port back; answered as a question is. */
int portmap_release(struct portmap *portmap, uint16_t port);

/*
 * Hears what the router that was asked last announces to everybody in the home, when it has begun
 * anew or has another outside address (RFC 6886, section 3.2.1); or hears it no more. Where another
 * program keeps that port to itself nothing is heard.
 */
void portmap_listen(struct portmap *portmap, bool wanted);

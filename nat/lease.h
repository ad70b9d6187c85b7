/* SPDX-License-Identifier: MIT */
/*
 * lease.h - a port that the home's router opens on request: NAT-PMP, RFC 6886.
 *
 * Asks for the router's outside address, then for a port, one question at a time, as the RFC wants
 * it. Keeps the port by asking again at half of its life, asks anew when the router has forgotten
 * everything, and gives it back at the end. Each ask is one datagram, and each is sent again as
 * this says and not by whoever carries it.
 *
 * It does not read packets, and does not find the router: whoever carries passes only what came
 * from the router's own address.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/usec.h"

#define LEASE_LIFETIME_S 7200
#define LEASE_LIFETIME_MAX_S 86400 /* what a router grants beyond is not believed */

#define LEASE_RETRY (250 * USEC_MSEC) /* doubled with each ask that is not answered */
#define LEASE_ASKS 9                  /* without an answer, and the router knows nothing of this */
#define LEASE_RENEW_LEAST USEC_MINUTE /* however short a life is granted */

enum lease_state {
	LEASE_IDLE,        /* nothing is wanted */
	LEASE_ASK_OUTSIDE, /* what is the router's outside address? */
	LEASE_ASK_PORT,    /* may we have a port? */
	LEASE_REST,        /* nothing is asked, with a port or without one */
};

enum lease_result {
	LEASE_OK = 0, /* these are the RFC's numbers */
	LEASE_VERSION,
	LEASE_REFUSED,
	LEASE_NETWORK,
	LEASE_RESOURCES,
	LEASE_OPCODE,
	LEASE_SILENT, /* and these are ours */
	LEASE_NONSENSE,
};

struct lease {
	enum lease_state state;
	enum lease_result result; /* of the last question that came to an end */
	uint16_t inside;          /* WireGuard's port */
	uint16_t wanted;          /* outside; what was held last is asked for again */
	uint16_t port;            /* outside, that is held; 0: none */
	struct address router;    /* its outside address; no address: not known */
	struct endpoint told;     /* what others were told of; no address: nothing */
	uint32_t asks;            /* of this question, unanswered */
	usec_t next_at;           /* the next ask; USEC_NEVER in IDLE */
	usec_t expires_at;        /* of what is held; USEC_NEVER: nothing is */
	bool heard;               /* the router has named its age: */
	uint32_t epoch_s;
	usec_t epoch_at;
};

struct lease_reply {
	uint16_t result;
	uint32_t epoch_s;       /* how long the router has kept its table */
	bool is_port;           /* else the answer to what the outside address is */
	struct address outside; /* of the address; IPv4 */
	uint16_t inside_port;   /* the rest is of the port */
	uint16_t outside_port;
	uint32_t lifetime_s;
};

enum lease_action_kind {
	LEASE_SEND_OUTSIDE = 1, /* ask for the outside address */
	LEASE_SEND_PORT,        /* ask for a port: inside, wanted (0: any), lifetime */
	LEASE_SEND_RETURN,      /* the same with lifetime 0 */
	LEASE_HELD,             /* others may be told of the endpoint; also when it changed */
	LEASE_LOST,             /* and not any more */
};

struct lease_action {
	enum lease_action_kind kind;
	uint16_t inside;
	uint16_t wanted;
	uint32_t lifetime_s;
	struct endpoint endpoint; /* of HELD and LOST */
};

#define LEASE_ACTIONS_MAX 2 /* one to the router, one to others */

struct lease_actions {
	uint32_t count;
	struct lease_action items[LEASE_ACTIONS_MAX];
};

void lease_init(struct lease *lease, uint16_t inside);

/* A port is wanted from now on. Also where the home's network changed: all is asked for anew. */
void lease_begin(struct lease *lease, usec_t now);

/*
 * The router's answer, or what it announces unasked. Returns 0, or -EPROTO where that fits no
 * question of ours and no announcement.
 */
int lease_answer(struct lease *lease, usec_t now, const struct lease_reply *reply);

/* Does what is due; out is written anew. */
void lease_step(struct lease *lease, usec_t now, struct lease_actions *out);

/* When to step next; 0 where an answer has brought what others are to be told. */
usec_t lease_wakeup(const struct lease *lease);

/* Gives back what is held, once: a router that does not hear of it forgets it in time. */
void lease_end(struct lease *lease, struct lease_actions *out);

/* The least age that a router which has not begun anew names now; 0 where none is known. */
uint32_t lease_epoch_least(const struct lease *lease, usec_t now);

/* Why there is no port, in words: "the router refuses it". "" where nothing is known to be wrong.
 */
const char *lease_word(enum lease_result result);

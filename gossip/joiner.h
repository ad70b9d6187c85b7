/* SPDX-License-Identifier: MIT */
/*
 * joiner.h - the friend's side of joining: asks under the temporary key until the certificate is
 * granted, then comes under its own key until it holds the ledger. Whichever key meets with
 * silence, the other is tried: what the hub knows of us may be more or less than we remember.
 * What it needs to begin again after a crash is the invite and its keys.
 */
#pragma once

#include "base/usec.h"
#include "gossip/invite.h"
#include "gossip/join.h"

#define JOINER_ASK_FIRST (200 * USEC_MSEC)
#define JOINER_ASK_MOST (5 * USEC_SECOND)
#define JOINER_ASK_FOR (15 * USEC_SECOND) /* without an answer, before trying its own key */
#define JOINER_SETTLE (12 * USEC_SECOND)  /* under its own key and silence: two handshakes */

enum joiner_state {
	JOINER_ASKING,   /* temporary key */
	JOINER_SETTLING, /* own key; waits for its certificate and the ledger */
	JOINER_JOINED,
	JOINER_REFUSED, /* for good: reply says why */
};

struct joiner {
	enum joiner_state state;
	struct join_request request;
	struct join_reply reply; /* the last one; status 0: none yet */
	bool answered;           /* by the hub, ever */
	usec_t next;
	usec_t pause;
	usec_t asking_since;  /* or the last answer */
	int64_t clock_offset; /* ms, the hub's minus ours */
};

/* What a step asks for: which key the backbone has, and whether a request is to be sent now. */
struct joiner_action {
	bool own_key;
	bool send;
};

/* Begins, or begins again. The request's clock is filled in by the caller when it is sent. */
void joiner_init(struct joiner *joiner, usec_t now, const struct join_request *request);

struct joiner_action joiner_step(struct joiner *joiner, usec_t now);
usec_t joiner_wakeup(const struct joiner *joiner);

/* A reply came; wall is our clock, ms. Replies to others are passed over. */
void joiner_receive(
	struct joiner *joiner, usec_t now, uint64_t wall, const struct join_reply *reply);

/* The hub spoke to us under our own key. */
void joiner_heard(struct joiner *joiner, usec_t now);

/* The ledger holds our certificate, and one complete exchange with the hub was made. */
void joiner_settled(struct joiner *joiner);

/* What stands between us and membership, as a sentence for people; "" when nothing does. */
const char *joiner_text(const struct joiner *joiner);

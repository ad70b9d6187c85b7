/* SPDX-License-Identifier: MIT */
/*
 * candidate.h - the places where a site may be met: at most eight, its own or those that another
 * site offers.
 *
 * What can never work, or leads through the tunnel, is refused. Where there are more than eight the
 * least likely go, but of each kind one stays: a way that was not thought of is the one that works.
 * Who offers a place may name a victim's, so how many datagrams it is worth depends on what shows
 * that the site was there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/prefix.h"

#define CANDIDATES_MAX 8
#define CANDIDATE_RECEIPTS_MAX 3
#define CANDIDATE_BUDGET 20         /* datagrams to one address, for a whole attempt */
#define CANDIDATE_BUDGET_UNPROVEN 3 /* where nothing shows that the site was there */

/* In the order in which they are kept; the numbers go over the wire. */
enum candidate_kind {
	CANDIDATE_LAN = 1,
	CANDIDATE_IPV6 = 2,      /* a global address of its own */
	CANDIDATE_STATIC = 3,    /* its owner says so */
	CANDIDATE_MAPPED = 4,    /* its router does */
	CANDIDATE_HUB = 5,       /* the hub saw it there */
	CANDIDATE_REFLECTED = 6, /* another site did */
	CANDIDATE_PREDICTED = 7, /* its router may choose this port next, or lead it here */
};

enum candidate_verdict {
	CANDIDATE_TAKEN = 0,
	CANDIDATE_NONSENSE,   /* no endpoint at all, or no kind */
	CANDIDATE_RESERVED,   /* loopback, multicast, link-local and the like */
	CANDIDATE_MISPLACED,  /* a public address in a home, a private one on the internet */
	CANDIDATE_OVERLAY,    /* it would lead through the tunnel */
	CANDIDATE_ISOLATED,   /* the owner of this site keeps that network apart */
	CANDIDATE_CONTAINERS, /* a bridge that leads to nobody else */
	CANDIDATE_DUPLICATE,
	CANDIDATE_CUT, /* others are likelier */
};

struct candidate {
	enum candidate_kind kind;
	struct endpoint endpoint;
};

struct candidates {
	uint32_t count;
	struct candidate items[CANDIDATES_MAX]; /* by kind, then as they came */
};

/*
 * A network in which no candidate may be, and why: OVERLAY for the supernet and members' prefixes
 * (without this site's own, where these are its own candidates), ISOLATED or CONTAINERS.
 */
struct candidate_barrier {
	struct prefix prefix;
	enum candidate_verdict why;
};

void candidates_init(struct candidates *candidates);

/* Adds one, or says why not. Where eight are there another may have to go for it. */
enum candidate_verdict candidates_add(struct candidates *candidates,
	const struct candidate *candidate, const struct candidate_barrier *barriers,
	uint32_t count);

/* Whether it is nobody's home, and shared by no provider's customers. */
bool candidate_is_public(const struct address *address);

/* What shows that a site is where it says. */
struct candidate_proof {
	uint32_t receipt_count;
	struct endpoint receipts[CANDIDATE_RECEIPTS_MAX]; /* what reflectors signed */
	uint32_t certified_count;
	const struct endpoint *certified; /* in its certificate */
};

/* Whether both sites were seen at the same public address: then they may share a home. */
bool candidate_same_home(const struct candidate_proof *ours, const struct candidate_proof *theirs);

/*
 * How many datagrams a place that another site offers is worth: 20, 3 or none. They are for the
 * address, not for each of its ports: whoever sends counts by address.
 */
uint32_t candidate_budget(
	const struct candidate *candidate, const struct candidate_proof *theirs, bool same_home);

/* Why one was not taken, in words; "" for CANDIDATE_TAKEN. */
const char *candidate_word(enum candidate_verdict verdict);

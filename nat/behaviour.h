/* SPDX-License-Identifier: MIT */
/*
 * behaviour.h - where am I, seen from outside: the address and port that others see, and how the
 * home's router behaves.
 *
 * Everything is concluded from what reflectors saw of one local port. Two ports of one address tell
 * whether the port matters to the router, two addresses whether the address does; a row of ports
 * tells where the next one will be. What the router lets in cannot be seen in this way: it is told.
 *
 * One of these is for one address family.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/usec.h"
#include "nat/rarely.h"

#define BEHAVIOUR_SEEN_MAX 8
#define BEHAVIOUR_LOCALS_MAX 16
#define BEHAVIOUR_USED_MAX 32
#define BEHAVIOUR_GUESSES_MAX 4
#define BEHAVIOUR_KEPT_FOR (2 * USEC_MINUTE) /* then the router may have forgotten */
#define BEHAVIOUR_FRESH_FOR (25 * USEC_SECOND)
#define BEHAVIOUR_STEP_MAX 32 /* between two ports that follow each other */

/* Of mapping and filtering. The numbers are those of records. */
enum behaviour_scope {
	BEHAVIOUR_UNKNOWN = 0,
	BEHAVIOUR_INDEPENDENT = 1, /* the same to everybody */
	BEHAVIOUR_BY_ADDRESS = 2,
	BEHAVIOUR_BY_PORT = 3, /* by address and port */
};

enum behaviour_ports {
	BEHAVIOUR_PORTS_UNKNOWN = 0,
	BEHAVIOUR_PORTS_KEPT = 1,
	BEHAVIOUR_PORTS_SEQUENTIAL = 2,
	BEHAVIOUR_PORTS_RANDOM = 3,
};

struct behaviour_class {
	enum behaviour_scope mapping;
	enum behaviour_scope filtering;
	enum behaviour_ports allocation;
	uint16_t step;        /* of SEQUENTIAL */
	bool is_untranslated; /* outside it has the address and port that it has here */
};

/* What one reflector saw. */
struct behaviour_seen {
	struct endpoint reflector;
	struct endpoint seen;
	usec_t at;
};

struct behaviour {
	enum address_family family;
	uint16_t local_port; /* that all of it is about */
	uint32_t count;
	struct behaviour_seen seen[BEHAVIOUR_SEEN_MAX]; /* the oldest first */
	uint32_t local_count;
	struct address locals[BEHAVIOUR_LOCALS_MAX]; /* this machine's own */
	struct address router; /* outside, as the home's router believes; no address: not known */
	bool router_is_inside; /* it believes to be behind another one */
	struct address
		outside; /* that was seen last; it stays known when what was seen is too old */
	uint32_t ahead;  /* flows that the router has seen since, behind the last port of a row */
	uint32_t used_count;                      /* of all */
	struct endpoint used[BEHAVIOUR_USED_MAX]; /* to these; the oldest makes room */
	struct behaviour_class class; /* what was concluded last stands until it is refuted */
	struct rarely moves;          /* to another address, that were told */
	struct rarely turns;          /* to another class */
};

/* What is worth a sentence to people. */
struct behaviour_facts {
	bool is_private;     /* this machine's addresses of the family all are */
	bool is_carrier_nat; /* the provider translates, too: 100.64.0.0/10 is in between */
	bool is_double_nat;  /* two routers translate, whoever has the second */
};

void behaviour_init(struct behaviour *behaviour, enum address_family family);

/* This machine's own addresses of the family; others and surplus ones are passed over. */
void behaviour_set_locals(
	struct behaviour *behaviour, const struct address *locals, uint32_t count);

/* What the home's router says its outside address is; no address: it says nothing, or, inside, that
 * it has none on the internet. */
void behaviour_set_router(
	struct behaviour *behaviour, const struct address *outside, bool is_inside);

/* What the router lets in, as meetings have shown. Numbers that mean nothing are passed over. */
void behaviour_set_filtering(struct behaviour *behaviour, enum behaviour_scope filtering);

/*
 * A reflector saw a datagram from this local port. Returns 0, or -EINVAL where it can not be.
 * changed: the outside address or the class is another one, so what failed before may work now.
 * Of either it is said six times an hour at most: some networks use several addresses in turn.
 */
int behaviour_observe(struct behaviour *behaviour, usec_t now, uint16_t local_port,
	const struct endpoint *reflector, const struct endpoint *seen, bool *ret_changed);

/* The newest endpoint that was seen and its age. Returns false where there is none. */
bool behaviour_outside(
	const struct behaviour *behaviour, usec_t now, struct endpoint *ret, usec_t *ret_age);

/* Whether it is young enough to be told to others. */
bool behaviour_is_fresh(const struct behaviour *behaviour, usec_t now);

/*
 * This machine has sent to these places, in this order: where ports follow each other, each that is
 * new got a port of its own. The one of that number saw us at seen, which is NULL where none did.
 * What does not fit the row is passed over: it may be a lie. A place that was used before counts
 * for nothing, however long ago: a port too few still is among those that are foretold, and one too
 * many is not.
 */
void behaviour_used(struct behaviour *behaviour, usec_t now, const struct endpoint *places,
	uint32_t count, uint32_t number, const struct endpoint *seen);

/* The ports that the router will probably use next, nearest first. Returns how many; 0: no idea. */
uint32_t behaviour_guess(const struct behaviour *behaviour, usec_t now,
	struct endpoint ret[static BEHAVIOUR_GUESSES_MAX]);

/*
 * What the router probably makes of a port. A router that goes by the address, and not by the port,
 * is a rare one: that two ports of one reflector saw the same is enough.
 */
enum behaviour_scope behaviour_mapping(const struct behaviour *behaviour);

struct behaviour_facts behaviour_facts(const struct behaviour *behaviour);

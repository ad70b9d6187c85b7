/* SPDX-License-Identifier: MIT */
/*
 * homes.h - the types of homes that the tables speak of, as the simulator has them, and the table
 * that real routers are held to.
 */
#pragma once

#include "simulator/router.h"

enum home_type {
	PUBLIC,
	CONE,
	RESTRICTED,
	HOME,
	ACCEPTING,
	SYMMETRIC,
	SEQUENTIAL,
	CARRIER, /* a home's router behind a provider's */
	HOME_TYPES,
	/* The same routers, which let strangers in as far as themselves: ACCEPTING is HOME's. */
	CONE_ACCEPTING = HOME_TYPES,
	RESTRICTED_ACCEPTING,
	SYMMETRIC_ACCEPTING,
	SEQUENTIAL_ACCEPTING,
	CARRIER_ACCEPTING,
	HOME_TYPES_ALL,
	REJECTING = HOME_TYPES_ALL, /* HOME, which tells strangers so; in no table of pairs */
	HOME_TYPES_NAMED,
};

#define HOME_PAIRS (HOME_TYPES * (HOME_TYPES + 1) / 2)
#define HOME_DOUBLES (HOME_TYPES_ALL * (HOME_TYPES_ALL + 1) / 2 - HOME_PAIRS)

/* In the words of tests/lab/pairs.txt. */
const char *home_name(enum home_type type);

/* Whether there is a provider's router before its own. */
bool home_has_carrier(enum home_type type);

/* The router of such a home; a PUBLIC one has none. Where it is, the caller says. */
struct router_options home_router(enum home_type type);

struct home_pair {
	enum home_type a;
	enum home_type b;
	bool meets;
	char how[16]; /* which end has to begin, as the table puts it */
};

/*
 * Reads the table, which has every pair once, or that of the pairs which have one of the last five
 * types, tests/lab/doubles.txt. A test that cannot fails.
 */
void home_pairs(struct home_pair ret[static HOME_PAIRS]);
void home_doubles(struct home_pair ret[static HOME_DOUBLES]);

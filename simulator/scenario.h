/* SPDX-License-Identifier: MIT */
/*
 * scenario.h - a claim about a collective, and the world in which it is to hold: a YAML file in
 * simulator/scenarios, or the record of a run that failed.
 *
 * docs/scenarios.md explains every key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/problem.h"
#include "simulator/plan.h"
#include "simulator/world.h"

#define SCENARIO_ROUTERS_MAX 16
#define SCENARIO_MISCHIEF_MAX 16
#define SCENARIO_CLAIM_SIZE 256
#define SCENARIO_NAME_SIZE 64
#define SCENARIO_PROGRAM_SIZE 32
#define SCENARIO_SEEDS_MAX 10000000 /* in one run */

enum property {
	PROPERTY_NONE,
	PROPERTY_CONVERGENCE = 1, /* P1 */
	PROPERTY_NO_RETURN,       /* P2 */
	PROPERTY_NO_SPLIT,        /* P3 */
	PROPERTY_SEQUENCE,        /* P4 */
	PROPERTY_TRAFFIC,         /* P5 */
	PROPERTY_MEMORY,          /* P6 */
	PROPERTY_DIRECT,          /* P7: with links */
	PROPERTY_HOLES,           /* P8: with links */
	PROPERTY_REACH,           /* P9 */
	PROPERTY_LIVENESS,        /* P10 */
	PROPERTY_SILENCE,         /* P11 */
	PROPERTY_CONFIGURATION,   /* P12 */
	PROPERTY_EVICTION,        /* P13 */
	PROPERTY_DETERMINISM,     /* P14 */
	PROPERTY_PRIVACY,         /* P15 */
	PROPERTIES,
};

#define SCENARIO_PROPERTIES_ALL ((1u << PROPERTIES) - 2u) /* a bit for each */

struct scenario_mischief {
	uint32_t site;
	enum mischief kind;
	uint32_t victim;
};

struct scenario {
	char name[SCENARIO_NAME_SIZE];
	char claim[SCENARIO_CLAIM_SIZE];
	uint32_t sites;
	bool acquainted;     /* everybody knows everybody from the start */
	bool joining;        /* all but the hub come in by invite */
	bool links;          /* all may have direct links with all */
	enum site_when when; /* of links: when there are any */
	bool forgets;        /* states are lost, and come back over the network */
	bool rotates; /* keys change, so peers may be of keys that are not certified any more */
	bool real_crypto;
	bool crypto_by_seed;
	uint32_t seeds;
	uint64_t seed; /* of a failure; else 0 */
	bool has_seed;
	usec_t duration;
	usec_t heal_at; /* faults end; USEC_NEVER: there are none */
	usec_t settle;  /* after that everything has to be well */
	struct link_options line;
	uint32_t router_count; /* homes take them in turn; none: no routers */
	struct router_options routers[SCENARIO_ROUTERS_MAX];
	const char *router_names[SCENARIO_ROUTERS_MAX];
	bool router_carrier[SCENARIO_ROUTERS_MAX]; /* behind one of the provider's */
	uint32_t mischief_count;
	struct scenario_mischief mischief[SCENARIO_MISCHIEF_MAX];
	uint32_t properties;                 /* bits */
	struct plan plan;                    /* what stands in the file */
	uint32_t faults[PLAN_KINDS];         /* how many of each are drawn, on average */
	enum property expected;              /* of a failure; PROPERTY_NONE: it is none */
	uint64_t hash;                       /* of its trace; 0: the run died, or nobody knows */
	char program[SCENARIO_PROGRAM_SIZE]; /* the version that failed; "": nobody knows */
};

/* Reads a scenario. Returns 0; -EINVAL with problems said; what opening and reading returned. */
int scenario_load(struct scenario *ret, const char *path, struct problems *problems);
void scenario_free(struct scenario *scenario);

/*
 * Writes a failure as a scenario of its own: the plan as it was, the seed, the property. What was
 * written can be loaded, and is the same scenario then.
 */
void scenario_write(FILE *out, const struct scenario *scenario);

/* "P1". */
const char *property_name(enum property property);
enum property property_of(const char *name); /* PROPERTY_NONE: there is none */

const char *mischief_name(enum mischief kind);

/* "always": when there are direct links. */
const char *links_name(enum site_when when);

/* SPDX-License-Identifier: MIT */
/*
 * check.h - the properties that hold whatever happens, and those that hold once it is over.
 */
#pragma once

#include "simulator/run.h"

/* What the world's maker knows of a host, beside what the host believes. */
struct fate {
	bool member;  /* was certified, and nobody has taken that back */
	bool joining; /* has an invite, and may become a member */
	bool expelled;
	bool left;
	usec_t odd_since;       /* it has left, and still has a tunnel; 0: no */
	bool lost;              /* its state, or it is a twin: not a part of what has to be well */
	usec_t asks_until;      /* for other networks, and the hub's owner says yes */
	usec_t unsettled_since; /* its configuration waits; 0: it does not */
	usec_t stepped_at;
	uint32_t steps_at_once;
	uint64_t steps;        /* in this second */
	uint64_t seen;         /* version() at the last look */
	uint64_t sent_before;  /* bytes, at the last look */
	uint64_t flow_before;  /* of them, of flows */
	uint32_t pings_before; /* answered, at the last look */
};

struct check {
	const struct scenario *scenario;
	struct world *world;
	struct run_result *result;
	struct fate *fates;
	struct check_links *links; /* NULL: there are none */
	usec_t looked_at;
	usec_t forced_at; /* all was looked at, changed or not */
};

void check_init(struct check *check, const struct scenario *scenario, struct world *world,
	struct run_result *result);
void check_done(struct check *check);

/* After a step of a host: the host alone. */
void check_step(struct world *world, struct host *host, void *context);

/* Every second: pairs, ledgers, owners of prefixes; of those in which something has changed. */
void check_second(struct check *check);

/* The same at once; forced: of all. */
void check_all(struct check *check, bool forced);

/* Whether all that have to be well hold the same. */
bool check_agreement(const struct check *check, uint32_t *odd);

/* After it is over. */
void check_converged(struct check *check, bool faults);

/* Whether they agreed as soon as comparisons alone would make them. */
void check_in_time(struct check *check, bool faults);
void check_begin_reach(struct check *check);
void check_try_reach(struct check *check);
void check_end_reach(struct check *check);
void check_rest(struct check *check, usec_t duration);

/* A property does not hold; the first is what counts. */
void check_fail(struct check *check, enum property property, const struct host *host,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A member that has to be well: honest, neither expelled nor gone nor lost, and running. */
bool check_is_core(const struct check *check, uint32_t number);

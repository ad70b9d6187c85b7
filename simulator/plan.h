/* SPDX-License-Identifier: MIT */
/*
 * plan.h - what happens to a world and when: drawn before the run from a stream of its own, so that
 * leaving one out does not shift the others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "base/usec.h"

enum plan_kind {
	PLAN_CRASH,    /* power fails, for a while */
	PLAN_KILL,     /* the agent alone, for a while */
	PLAN_WIPE,     /* the state is lost; it comes back as one that knows nothing */
	PLAN_PAUSE,    /* the agent stands still */
	PLAN_SUSPEND,  /* the machine slept */
	PLAN_WALL,     /* nothing passes between a site and the hub */
	PLAN_ONE_WAY,  /* nothing passes from a site to the hub */
	PLAN_REBOOT,   /* the home's router forgets */
	PLAN_RENUMBER, /* the home's router gets a new address; forgets */
	PLAN_CLOCK,    /* the clock jumps by value ms */
	PLAN_DRIFT,    /* the clock runs wrong by value per million */
	PLAN_FULL,     /* the disk is full */
	PLAN_LOSS,     /* the line loses value per million */
	PLAN_EXPEL,    /* the owner's doings */
	PLAN_LEAVE,
	PLAN_ROTATE,
	PLAN_ROUTES,
	PLAN_JOIN, /* the hub invites, the site joins */
	PLAN_TWIN, /* a copy of the site's state comes to life on another host: value */
	PLAN_OFF,  /* power fails, and stays away */
	PLAN_PART, /* nothing passes between a site and another one, value, but by the hub */
	PLAN_FLOW, /* packets between a site and another one, both ways, one each in 10 ms */
	PLAN_LINK, /* the site's owner wants a direct link with another one */
	PLAN_UNLINK,
	PLAN_RENEW, /* the site says a new record of itself */
	PLAN_KINDS,
};

struct plan_item {
	usec_t at;
	enum plan_kind kind;
	uint32_t site;
	usec_t lasts; /* 0: for good, or a moment */
	int64_t value;
};

struct plan {
	uint32_t count;
	struct plan_item *items;
};

void plan_add(struct plan *plan, const struct plan_item *item);

/* By time; of those at one time, as they were added. */
void plan_sort(struct plan *plan);
void plan_copy(struct plan *to, const struct plan *from);
void plan_remove(struct plan *plan, uint32_t first, uint32_t count);
void plan_free(struct plan *plan);

const char *plan_kind_name(enum plan_kind kind);
enum plan_kind plan_kind_of(const char *name); /* PLAN_KINDS: there is none */

bool plan_kind_lasts(enum plan_kind kind);     /* it has an end of its own */
bool plan_kind_has_value(enum plan_kind kind); /* and cannot be told without it */
bool plan_kind_has_other(enum plan_kind kind); /* its value is another site, which is no hub */

/*
 * Draws faults into a plan: of each kind about as many as counts says, or none at all: which kinds
 * there are in a run is drawn, too. Until is when the last one has ended.
 */
void plan_draw(struct plan *plan, struct prng *prng, const uint32_t counts[static PLAN_KINDS],
	uint32_t sites, usec_t until);

/* SPDX-License-Identifier: MIT */
/*
 * check_links.h - what must hold of direct links: who has one and how soon, what was shown before a
 * route leads there, what is sent to strangers, what the hub can read, and what a change of path
 * costs.
 *
 * It knows the world, and of a site only what it does. Whether two routers let their sites meet is
 * asked of the oracle, which tries everything.
 */
#pragma once

#include "simulator/check.h"

/* Begins to look on. Where the scenario has no links nothing is done, here and below. */
void check_links_init(struct check *check);
void check_links_done(struct check *check);

/* Something of the plan begins or ends; heal: all that is broken ends. */
void check_links_begins(struct check *check, const struct plan_item *item);
void check_links_ends(struct check *check, const struct plan_item *item);
void check_links_heals(struct check *check);

/* After a step of a host; every second; when the world ends. */
void check_links_step(struct check *check, struct host *host);
void check_links_second(struct check *check);
void check_links_end(struct check *check);

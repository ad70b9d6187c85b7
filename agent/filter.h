/* SPDX-License-Identifier: MIT */
/*
 * filter.h - which packets out of a tunnel this machine takes in, as a table of the kernel's packet
 * filter that is ours alone.
 *
 * Routes decide where packets go on to, but what is meant for an address of this machine itself is
 * delivered before any of them: also for one in a network that nobody announced, and also from
 * somebody who only holds an invite. The table is always set as a whole, in one step.
 */
#pragma once

#include "agent/netlink.h"
#include "agent/wireguard.h"
#include "base/prefix.h"

#define FILTER_TABLE "collective"
#define FILTER_INTERFACES_MAX 2
#define FILTER_OPEN_MAX 64
#define FILTER_RULES_MAX (FILTER_OPEN_MAX + 8)

struct filter {
	uint32_t interface_count;
	char interfaces[FILTER_INTERFACES_MAX][WIREGUARD_NAME_SIZE]; /* that packets come in by */
	uint32_t open_count;
	struct prefix open[FILTER_OPEN_MAX]; /* what may be reached on this machine */
	struct prefix joiners;               /* who has an invite only, */
	uint16_t join_port;                  /* and the UDP port that answers them */
};

/* The rules as they stand, by what the kernel calls them. */
struct filter_seal {
	uint32_t count;
	uint64_t rules[FILTER_RULES_MAX];
};

/* All calls want a socket on NETLINK_NETFILTER. */

/* Sets the table in place of the one that stands there. Returns 0 or negative errno. */
int filter_set(struct netlink *netlink, const struct filter *filter);

/* Removes it; absent is fine. */
int filter_remove(struct netlink *netlink);

/* Whether there is such a table. Returns 0 or negative errno. */
int filter_find(struct netlink *netlink, bool *ret);

/* A number that changes whenever anybody changes a packet filter. */
int filter_generation(struct netlink *netlink, uint32_t *ret);

/* The rules of the table as they stand; none without it. */
int filter_read(struct netlink *netlink, struct filter_seal *ret);
bool filter_seal_equal(const struct filter_seal *a, const struct filter_seal *b);

/* SPDX-License-Identifier: MIT */
/*
 * sight.h - notices packets between this site and networks that matter now, as they pass an
 * interface of ours.
 *
 * Not a count: once some were seen it looks away for a while, so that a transfer costs no more
 * than a ping. Our own gossip is no traffic.
 */
#pragma once

#include <event2/event.h>

#include "base/prefix.h"

#define SIGHT_NETWORKS_MAX 32
#define SIGHT_PAUSE_MS 500

struct sight;

/* Packets to or from these of the networks that are watched were seen. */
typedef void (*sight_fn)(void *context, const struct prefix *seen, uint32_t count);

/* It sees nothing yet. Opens what it needs with the first network. */
struct sight *sight_new(struct event_base *loop, sight_fn seen, void *context);
void sight_free(struct sight *sight);

/*
 * Watches these networks on an interface from now on; only the first SIGHT_NETWORKS_MAX. Nothing is
 * done where all is as it was. Returns 0 or what the system said; to be tried again with the next
 * call.
 */
int sight_follow(
	struct sight *sight, unsigned device, const struct prefix *networks, uint32_t count);

/* SPDX-License-Identifier: MIT */
/*
 * tunnel.h - the sockets inside the tunnel: they hear what comes in by one interface, and nothing
 * else.
 *
 * Bound to the interface, they need no route, and are opened anew when the interface is another
 * one.
 */
#pragma once

#include <stdint.h>

#include <event2/event.h>

#include "site/site.h"

#define TUNNEL_PORTS 2 /* of gossip; and of the join responder, on the backbone */

struct tunnel;

/* A datagram came in; to is our address that it was sent to. */
typedef void (*tunnel_receive_fn)(void *context, const struct endpoint *from,
	const struct endpoint *to, const uint8_t *bytes, size_t size);

/* With the first so many ports. */
struct tunnel *tunnel_new(
	struct event_base *loop, int port_count, tunnel_receive_fn receive, void *context);
void tunnel_free(struct tunnel *tunnel);

/*
 * Follows an interface, by its name and its number, 0 where it is not there. Returns 0 or what
 * opening a socket returned; it is tried again with the next call.
 */
int tunnel_follow(struct tunnel *tunnel, const char *name, unsigned index);

/* Sends a datagram as an action says. What cannot be sent now is lost, as on any network. */
void tunnel_send(struct tunnel *tunnel, const struct site_action *action);

/* SPDX-License-Identifier: MIT */
/*
 * lookup.h - where the names of peers' endpoints lead, asked within the loop.
 *
 * Servers and hosts are read anew whenever their files have changed. A name with several addresses
 * gives another one each time it is asked for, so that one that does not answer is not the last
 * word.
 */
#pragma once

#include <event2/event.h>

#include "agent/log.h"
#include "base/endpoint.h"
#include "base/key.h"
#include "site/site.h"

#define LOOKUP_ASKED_MAX 16 /* at once */

struct lookup;

typedef void (*lookup_found_fn)(void *context, enum site_interface interface,
	const struct key *peer, const struct endpoint *endpoint);

struct lookup *lookup_new(
	struct event_base *loop, struct log *log, lookup_found_fn found, void *context);
void lookup_free(struct lookup *lookup);

/* Asks where a peer's endpoint is. A question about the same peer that is open is dropped. */
void lookup_ask(struct lookup *lookup, enum site_interface interface, const struct key *peer,
	const char *host, uint16_t port);

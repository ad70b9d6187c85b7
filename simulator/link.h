/* SPDX-License-Identifier: MIT */
/*
 * link.h - a home's line to the internet: delay, jitter, loss alone and in bursts, copies,
 * overtaking, a rate with a queue, and a largest datagram.
 *
 * Loss in bursts is Gilbert and Elliott's: the line is well or ill, and loses all while it is ill.
 * Both last for a time, not for a number of packets: a line that is hardly used gets well, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "base/usec.h"

#define LINK_HOPS 5

struct link_options {
	usec_t delay;       /* one way */
	usec_t jitter;      /* added evenly from 0 to this */
	uint32_t loss;      /* per million, each alone */
	usec_t well;        /* from getting well to falling ill, on average; 0: never ill */
	usec_t ill;         /* from falling ill to getting well, on average */
	uint32_t duplicate; /* per million */
	uint32_t reorder;   /* per million: held back by up to four delays */
	uint64_t rate;      /* bytes a second; 0: no bound */
	usec_t queue;       /* the longest wait in the queue; more is dropped */
	uint16_t mtu;       /* the largest UDP payload; 0: no bound */
	uint8_t hops;       /* routers between home and the middle of the internet */
};

struct link {
	struct link_options options;
	bool is_ill;
	usec_t turns_at; /* when that changes; 0: to be drawn */
	usec_t busy_until;
	uint64_t lost;
	uint64_t bytes;
	struct prng prng;
};

void link_init(struct link *link, const struct link_options *options, const struct prng *parent,
	uint64_t number);

/* When a datagram of this size comes out at the other end; USEC_NEVER: not at all. */
usec_t link_pass(struct link *link, usec_t now, uint32_t size);

/* Whether it comes out a second time. */
bool link_copies(struct link *link);

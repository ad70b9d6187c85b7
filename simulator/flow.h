/* SPDX-License-Identifier: MIT */
/*
 * flow.h - packets between two hosts, one each way every 10 ms, and what became of each.
 *
 * They are what a game or a call is: nobody sends them again. Whoever looks for holes asks for the
 * runs of packets that did not come.
 */
#pragma once

#include "simulator/world.h"

#define FLOW_EVERY (10 * USEC_MSEC)
#define FLOW_PORT 11
#define FLOW_SIZE 100
#define FLOW_ON_WIRE 208               /* with all that WireGuard, UDP and IP add */
#define FLOW_TRAVELS (5 * USEC_SECOND) /* what has not come by then is lost */

enum flow_fate { FLOW_NOT_SENT, FLOW_SENT, FLOW_CAME };

struct flow {
	uint32_t hosts[2];
	usec_t begun_at;
	uint32_t count;    /* of packets each way, in all */
	uint32_t next;     /* the next to be sent */
	uint8_t *fates[2]; /* of those from each host */
	bool judged;       /* for whoever looks at it */
};

/* Packets that were lost one behind the other, and when the first and the last of them were sent.
 */
struct flow_hole {
	usec_t from;
	usec_t to;
	uint32_t lost;
};

/* Begins one. */
void flow_begin(struct world *world, uint32_t a, uint32_t b, usec_t lasts);

/* Sends the next packets of one; a packet of one came. */
void flow_step(struct world *world, uint32_t number);
void flow_arrived(struct host *host, const struct inner *inner);

void flow_free(struct world *world);

/* Whether all that can come has come. */
bool flow_is_over(const struct world *world, const struct flow *flow);

/*
 * The next run of lost packets from one of the two hosts, beginning with this packet; runs that are
 * no more than a moment apart are one. Returns the packet behind it; count where there is none.
 */
uint32_t flow_next_hole(
	const struct flow *flow, uint32_t side, uint32_t from, usec_t apart, struct flow_hole *ret);

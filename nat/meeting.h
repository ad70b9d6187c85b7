/* SPDX-License-Identifier: MIT */
/*
 * meeting.h - one attempt of two sites to find a way to each other that no hub carries.
 *
 * Both begin within half a round trip, by an offer and its answer. Each sends to every place where
 * the other may be: first packets that die before they arrive, which open the own router and leave
 * no trace in the other's; then whole ones, the answerer later, so that what they meet is open. A
 * place is verified when a probe was answered from it: packets pass both ways then. What comes from
 * a place that nobody named is tried as well, since some routers choose their ports anew.
 *
 * Pure: it is told the time and what came, and says what to send.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/usec.h"
#include "nat/seal.h"

#define MEETING_OFFERED_MAX 8
#define MEETING_PLACES_MAX 12 /* with those that packets came from */
#define MEETING_PENDING 4
#define MEETING_DATAGRAMS_MAX 20 /* to an address that never answered */
#define MEETING_UNVOUCHED_MAX 3  /* to an address that nobody saw the other at, whatever port */
#define MEETING_ACTIONS_MAX 8
#define MEETING_BODY 32

struct meeting_place_offered {
	struct endpoint endpoint;
	bool vouched; /* a receipt says that the other end was seen there, or the address is near */
};

struct meeting_options {
	bool offerer;
	bool elusive;    /* the other end cannot know our port: it has to be called first */
	uint8_t attempt; /* how many failed before it: each goes about it in another way */
	usec_t hub_rtt;  /* to the other end by the hub and back; as good as it is known */
	struct key probe;
	uint32_t count;
	struct meeting_place_offered places[MEETING_OFFERED_MAX];
};

struct meeting_place {
	struct endpoint endpoint;
	bool vouched;
	bool heard; /* the other end is there: something that it sealed came from there */
	uint32_t sent;
	uint32_t openers;
	uint32_t rounds;
	usec_t next_at;
	int64_t rtt_us; /* -1: it was not verified */
	struct {
		uint32_t number;
		usec_t at;
	} pending[MEETING_PENDING];
	uint32_t pending_next;
};

enum meeting_state {
	MEETING_TRYING,
	MEETING_VERIFIED,
	MEETING_FAILED,
};

struct meeting {
	enum meeting_state state;
	struct seal seal;
	uint32_t number;
	usec_t begun_at;
	usec_t wholes_from; /* whole packets go from then on, or once one came */
	usec_t until; /* it has failed by then; once verified: no better place is looked for */
	bool over;    /* nothing is due, since it was verified before that */
	uint8_t opener_ttl;
	bool wholes;
	uint32_t count;
	struct meeting_place places[MEETING_PLACES_MAX];
	uint32_t best;      /* of those verified */
	uint32_t heard;     /* datagrams of the other end */
	uint32_t answered;  /* of ours */
	uint32_t held_back; /* not sent, since it would have been too many */
	bool has_seen;
	struct endpoint seen; /* from where the other end saw us, last */
};

enum meeting_action_kind {
	MEETING_SEND,
	MEETING_FOUND,  /* the way to the other end: packets pass there, both ways */
	MEETING_BETTER, /* a shorter one */
	MEETING_LOST,   /* there is none, for now */
};

struct meeting_action {
	enum meeting_action_kind kind;
	struct endpoint endpoint;
	uint8_t ttl; /* 0: the system's */
	int64_t rtt_us;
	uint16_t size;
	uint8_t bytes[SEAL_DATAGRAM_MAX];
};

struct meeting_actions {
	uint32_t count;
	struct meeting_action items[MEETING_ACTIONS_MAX];
};

void meeting_begin(struct meeting *meeting, usec_t now, const struct meeting_options *options);
void meeting_end(struct meeting *meeting);

/*
 * A datagram of this session came. Returns 0, or -EBADMSG and -EALREADY, which change nothing and
 * are answered by nothing.
 */
int meeting_receive(struct meeting *meeting, usec_t now, const struct endpoint *from,
	const void *bytes, size_t size, struct meeting_actions *out);

/* Does what is due, as far as there is room; what is left is due at once. */
void meeting_step(struct meeting *meeting, usec_t now, struct meeting_actions *out);
usec_t meeting_wakeup(const struct meeting *meeting);

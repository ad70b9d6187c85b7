/* SPDX-License-Identifier: MIT */
/*
 * sync.h - bringing ledgers together: who is told what, when, and how often again.
 *
 * A new fact is pushed at once to the hub, and by the hub to everybody else; the row that comes
 * back is the acknowledgement. What is not acknowledged is pushed again at 250, 500 and 1000 ms.
 * Direct links get a notice only, and the eager copies while no hub can be reached. Summaries
 * compare whole ledgers now and then and on every connection; where they differ, rows of ranges do.
 *
 * Pure: time comes in, messages and learned facts come out, in lists of fixed size. What does not
 * fit into one step goes out in the next, for which the wake-up is at once.
 */
#pragma once

#include "base/budget.h"
#include "base/prng.h"
#include "base/usec.h"
#include "gossip/message.h"

#define SYNC_OUT_MAX 64      /* rows on their way to one neighbour */
#define SYNC_TELL_MAX 32     /* rows to be acknowledged or noticed to one neighbour */
#define SYNC_WANT_MAX 64     /* rows to be asked of one neighbour */
#define SYNC_MESSAGES_MAX 16 /* in one step */
#define SYNC_LEARNED_MAX MESSAGE_FACTS_MAX
#define SYNC_WATCHES_MAX 16

#define SYNC_COALESCE (20 * USEC_MSEC)
#define SYNC_WANT_DELAY (500 * USEC_MSEC) /* for the eager copy to come by the hub */
#define SYNC_INTERVAL_MIN (10 * USEC_SECOND)
#define SYNC_INTERVAL_MAX (60 * USEC_SECOND)
#define SYNC_JITTER 20 /* percent */

/* Messages and verifications that a neighbour may cost. */
#define SYNC_MESSAGES_PER_SECOND 50
#define SYNC_MESSAGES_BURST 100
#define SYNC_ANSWER_PER_SECOND (64 * 1024) /* bytes of facts that answer its questions */
#define SYNC_ANSWER_BURST (256 * 1024)
#define SYNC_VERIFY_PER_SECOND 400
#define SYNC_VERIFY_RESERVED 100 /* per second, for hubs' and admins' facts */
#define SYNC_RECORD_SPACING (2 * USEC_SECOND)
#define SYNC_RECORD_BURST 5

enum neighbour_kind {
	NEIGHBOUR_HUB,   /* a hub, seen from anywhere */
	NEIGHBOUR_SPOKE, /* a site, seen from its hub */
	NEIGHBOUR_LINK,  /* a site at the other end of a direct link */
};

/* A row whose facts are to be sent: those newer than have. */
struct sync_out {
	struct row have;
	struct row sent; /* of a push: what has to come back as the acknowledgement */
	usec_t at;
	uint8_t tries;
	uint8_t sent_facts; /* of those that go together, in messages before */
	bool push;          /* sent until acknowledged; else an answer, sent once */
	bool same;          /* also what is of this very row */
};

struct sync_want {
	struct row row; /* as the neighbour has it */
	usec_t at;
};

struct neighbour {
	struct row_id id;
	enum neighbour_kind kind;
	bool asked;  /* a summary of ours waits for its answer */
	bool unsure; /* a push came to nothing: a spoke, too, is asked once what it holds */
	uint8_t asked_again;
	bool agreed;   /* since it was connected we held the same at some time */
	bool scan_out; /* digests are being sent with those that are out */
	uint32_t out_count;
	uint32_t tell_count;
	uint32_t want_count;
	uint64_t boot;
	int64_t clock_offset; /* ms, theirs minus ours */
	uint8_t hellos;       /* sent without answer */
	usec_t hello_at;      /* USEC_NEVER: none is due */
	usec_t tell_at;       /* the same */
	usec_t scan_at;       /* the same */
	usec_t summary_at;
	usec_t interval;
	usec_t wake_at;      /* the earliest of all that is due; 0: not known */
	uint32_t deltas_due; /* that answer a WANT of ours, and cost the neighbour nothing */
	uint32_t forged;     /* facts with a wrong signature that it brought */
	uint32_t scans;      /* comparisons that it began since we last agreed, */
	uint32_t hurried;    /* and those that we wished to be soon */
	struct row_id next_range;
	struct budget messages;
	struct budget verify;
	struct budget answers;
	struct sync_out out[SYNC_OUT_MAX];
	struct row tell[SYNC_TELL_MAX];
	struct sync_want want[SYNC_WANT_MAX];
	uint16_t watched; /* bits of the watches that were acknowledged */
	uint64_t refused; /* messages over the budget, malformed or foreign */
};

enum sync_counter {
	SYNC_SENT,
	SYNC_RECEIVED,
	SYNC_MALFORMED,
	SYNC_FOREIGN,
	SYNC_NEWER,
	SYNC_STRANGER,
	SYNC_OVER_BUDGET,
	SYNC_PUT_OFF,
	SYNC_OVERFLOW,
	SYNC_UNACKNOWLEDGED,
	SYNC_COUNTERS,
};

/* A fact whose way to all neighbours is followed: a revocation, or a site's farewell. */
struct sync_watch {
	struct row row; /* what acknowledges it; version 0: not in use */
	usec_t begun;
};

struct sync_confirmation {
	uint32_t confirmed; /* neighbours that have it */
	uint32_t of;        /* neighbours */
	usec_t age;
};

struct sync_options {
	struct row_id self;
	bool hub;
	uint32_t neighbours_max;
	uint64_t boot;
};

struct sync {
	struct sync_options options;
	struct ledger *ledger;
	struct prng *prng;
	struct table neighbours;
	struct budget verify;
	struct budget verify_reserved;
	struct sync_watch watches[SYNC_WATCHES_MAX];
	uint32_t next_watch;
	uint32_t turn; /* where the next step begins: everybody gets a turn */
	uint64_t counters[SYNC_COUNTERS];
};

struct sync_send {
	struct row_id to;
	size_t size;
	uint8_t bytes[MESSAGE_SIZE_MAX];
};

/* What a step asks for. Learned facts are made durable before the messages are sent. */
struct sync_actions {
	uint32_t learned_count;
	struct ledger_outcome learned[SYNC_LEARNED_MAX];
	uint32_t message_count;
	struct sync_send messages[SYNC_MESSAGES_MAX];
};

size_t sync_memory(const struct sync_options *options);

/* Prepares it over memory aligned to 16. The ledger and the generator stay the caller's. */
void sync_init(struct sync *sync, const struct sync_options *options, struct ledger *ledger,
	struct prng *prng, void *memory);

/* A neighbour can be reached, from now on or again. Returns false when there are too many. */
bool sync_connect(struct sync *sync, usec_t now, const struct row_id *id, enum neighbour_kind kind);

/* A neighbour cannot be reached any more. */
void sync_disconnect(struct sync *sync, const struct row_id *id);

/* This site made a fact, which the ledger has taken. */
void sync_publish(struct sync *sync, usec_t now, const struct ledger_outcome *outcome);

/* A datagram came from a neighbour. wall is milliseconds. */
void sync_receive(struct sync *sync, usec_t now, uint64_t wall, const struct row_id *from,
	const void *bytes, size_t size, struct sync_actions *actions);

/* Sends what is due. */
void sync_step(struct sync *sync, usec_t now, uint64_t wall, struct sync_actions *actions);

/* When sync_step() is to be called; may be in the past. */
usec_t sync_wakeup(const struct sync *sync);

/*
 * Who among the neighbours has what was last published under an id that is followed: revocations
 * and removals, and farewells. Returns false when it is not followed (any more).
 */
bool sync_confirmed(const struct sync *sync, usec_t now, const struct row_id *id,
	struct sync_confirmation *ret);

/* Whether some hub can be reached. */
bool sync_has_hub(const struct sync *sync);

/* From now on nobody agrees with us until it has said so again. */
void sync_doubt_all(struct sync *sync);

struct neighbour *sync_neighbour(const struct sync *sync, const struct row_id *id);

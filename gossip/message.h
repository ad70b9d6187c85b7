/* SPDX-License-Identifier: MIT */
/*
 * message.h - what sites say to each other inside the tunnel to bring their ledgers together.
 *
 * A message is one datagram of at most MESSAGE_SIZE_MAX bytes: an array in wire form that begins
 * with type, protocol version, the first bytes of the collective's id, and the sender's clock.
 * Items behind the ones known are passed over, so a newer program may add some.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/ledger.h"

#define MESSAGE_SIZE_MAX 1232 /* in a packet of at most 1280 bytes, IPv6 inside the tunnel */
#define MESSAGE_PROTOCOL 1
#define MESSAGE_TAG_SIZE 8 /* of the collective's id, in the head */
#define MESSAGE_ROWS_MAX 64
#define MESSAGE_FACTS_MAX 16

enum message_type {
	MESSAGE_HELLO = 1,   /* on connecting: who I am since when, and what I hold */
	MESSAGE_SUMMARY = 2, /* what I hold: counts and hashes */
	MESSAGE_DIGEST = 3,  /* the rows of a range of ids */
	MESSAGE_WANT = 4,    /* rows as I have them: send what is newer */
	MESSAGE_IHAVE = 5,   /* rows as I have them: an acknowledgement, or a notice */
	MESSAGE_DELTA = 6,   /* facts */
};

struct message {
	enum message_type type;
	uint32_t protocol;
	uint64_t clock;                /* sender's wall time, ms */
	uint64_t boot;                 /* HELLO: changes when the sender forgot everything */
	bool answer;                   /* HELLO, SUMMARY: wants no answer */
	bool out;                      /* DIGEST: with the rows of those that are out */
	struct ledger_summary summary; /* HELLO, SUMMARY */
	struct row_id first;           /* DIGEST */
	struct row_id end;             /* DIGEST: inclusive */
	struct hash hash;              /* DIGEST: over the facts of the range */
	uint32_t row_count;            /* DIGEST, WANT, IHAVE; ascending by id in a DIGEST */
	struct row rows[MESSAGE_ROWS_MAX];
	uint32_t fact_count; /* DELTA; point into the datagram */
	const uint8_t *facts[MESSAGE_FACTS_MAX];
	size_t fact_sizes[MESSAGE_FACTS_MAX];
};

/* Writes a message. Returns its size; it fits if its counts are within their limits and, for
 * a DELTA, message_delta_room() said so. */
size_t message_write(const struct message *message, const struct hash *collective,
	uint8_t out[static MESSAGE_SIZE_MAX]);

/* Whether one more fact of this size fits into a DELTA. */
bool message_delta_room(const struct message *message, size_t size);

/*
 * Reads a datagram. Returns 0; -EBADMSG when it is no message; -EXDEV when it is another
 * collective's; -ENOTSUP when its type is one of a newer program.
 */
int message_read(
	struct message *ret, const struct hash *collective, const void *bytes, size_t size);

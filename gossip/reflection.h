/* SPDX-License-Identifier: MIT */
/*
 * reflection.h - "from where do you see me?": asked outside the tunnel, on WireGuard's own port, of
 * a member that has a public address.
 *
 * A session is opened inside the tunnel, by a key of its own; from then on only its two ends know
 * the number that names it, and whoever knows none is not answered. A question is as long as its
 * answer, which goes to where the question came from and nowhere else.
 */
#pragma once

#include "base/prng.h"
#include "gossip/envelope.h"
#include "gossip/offer.h"
#include "gossip/receipt.h"

#define REFLECTION_BODY 97
#define REFLECTION_OPEN_MAX 128
#define REFLECTION_LASTS (60 * 60 * INT64_C(1000000)) /* µs, of a session */

/* Opens a session at a reflector: who asks draws a pair and sends its public half. */
size_t reflection_open_write(const struct offer_pair *pair, const struct hash *collective,
	uint64_t clock, uint8_t out[static REFLECTION_OPEN_MAX]);
int reflection_open_read(
	struct key *ret_ephemeral, const struct hash *collective, const void *bytes, size_t size);

/*
 * What both ends know: from the pair and both links keys. Who asked passes its pair's private key
 * and its own links key, the reflector its links key twice. Returns 0 or -EKEYREJECTED.
 */
int reflection_secret(struct key *ret, const struct hash *collective, bool asker,
	const struct key *own_private, const struct key *own_links, const struct key *ephemeral,
	const struct key *other_links);

struct reflection_question {
	uint32_t number;
	bool receipt; /* a signed one is wanted */
};

struct reflection_answer {
	uint32_t number;
	struct endpoint seen;
	uint16_t other_port; /* at which the reflector answers, too; 0: none */
	bool signed_too;
	uint64_t time; /* of the receipt */
	uint8_t signature[SIGNATURE_SIZE];
};

/* Bodies of sealed datagrams. Reading returns 0 or -EBADMSG. */
void reflection_question_write(
	const struct reflection_question *question, uint8_t out[static REFLECTION_BODY]);
int reflection_question_read(struct reflection_question *ret, const uint8_t *body, size_t size);
void reflection_answer_write(
	const struct reflection_answer *answer, uint8_t out[static REFLECTION_BODY]);
int reflection_answer_read(struct reflection_answer *ret, const uint8_t *body, size_t size);

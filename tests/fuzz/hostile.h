/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - what a member can say that has keys of its own and keeps to nothing: offers, answers
 * and datagrams as they have to be sealed and signed, with whatever bytes of a fuzzer's want in
 * them.
 *
 * The keys are taken out of the sites of a virtual world, each at the end that has them.
 */
#pragma once

#include "simulator/host.h"
#include "site/links_internal.h"

/* What is left of the bytes of an event; behind them all is 0. */
struct feed {
	const uint8_t *bytes;
	size_t size;
};

uint8_t feed_byte(struct feed *feed);

/* From nothing to more than fits anywhere. */
uint64_t feed_number(struct feed *feed);

/* Writes at most most bytes that are left. Returns how many. */
size_t feed_rest(struct feed *feed, uint8_t *out, size_t most);

/* A site's, its home's, a victim's, or any. */
struct endpoint feed_endpoint(struct feed *feed, const struct world *world);

/* An offer by one site to another; an answer to what that one has offered last. Either has the
 * size 0 where there are no keys for it. */
struct hostile_letter {
	size_t size;
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	uint32_t proven_count;
	struct address proven[OFFER_RECEIPTS_MAX]; /* somebody has honestly signed that it is there
						    */
};

void hostile_letter(struct hostile_letter *ret, struct feed *feed, const struct host *from,
	const struct host *to, bool answer);

/* Puts a letter into one that asks somebody to pass it on, or that was passed on. */
void hostile_enclose(struct hostile_letter *letter, const struct world *world,
	enum envelope_type type, const struct host *about);

/* A message of one of these types whose head is right. Returns its size. */
size_t hostile_message(struct feed *feed, const struct world *world, enum envelope_type type,
	uint8_t out[static ENVELOPE_SIZE_MAX]);

/* A word about the path of a link that a host has; the size is 0 where it has none. */
size_t hostile_word(struct feed *feed, const struct host *to, const struct row_id *from,
	uint8_t out[static ENVELOPE_SIZE_MAX]);

/* Outside the tunnel, with the key of a host's meeting, or of its reflection. */
size_t hostile_probe(struct feed *feed, const struct host *to, const struct row_id *from,
	uint8_t out[static SEAL_DATAGRAM_MAX]);
size_t hostile_reflection(
	struct feed *feed, const struct host *to, uint8_t out[static SEAL_DATAGRAM_MAX]);

/* The other end of a sealed session: it writes what this one opens. */
struct seal hostile_end(const struct seal *seal);

/* SPDX-License-Identifier: MIT */
/*
 * receipt.h - "I saw this site at this address": signed by the one who saw it.
 *
 * Whoever is to send packets to an address that only a stranger named would be a weapon. So a site
 * shows who saw it there, and when.
 */
#pragma once

#include "gossip/crypto.h"
#include "gossip/field.h"

#define RECEIPT_VALID_MS (5 * 60 * 1000)

struct receipt {
	struct hash reflector; /* of the key of the site that saw it */
	struct endpoint seen;
	uint64_t time; /* ms, by the reflector's clock */
	uint8_t signature[SIGNATURE_SIZE];
};

/* Signs what reflector, seen and time say of a site. */
void receipt_sign(struct receipt *receipt, const struct hash *site, const struct secret *reflector,
	const struct hash *collective, const struct crypto *crypto);

/* Whether it says so of this site, and was signed by this key. */
bool receipt_verify(const struct receipt *receipt, const struct hash *site,
	const struct key *reflector, const struct hash *collective, const struct crypto *crypto);

/* Whether it is of the last minutes. A clock that is a little ahead is no reason to doubt it. */
bool receipt_is_fresh(const struct receipt *receipt, uint64_t now);

void receipt_write(struct wire_writer *writer, const struct receipt *receipt);
void receipt_read(struct wire_reader *reader, struct receipt *out);

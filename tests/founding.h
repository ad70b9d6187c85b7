/* SPDX-License-Identifier: MIT */
/*
 * founding.h - a collective made up for a test: a root, admins and sites whose keys come from
 * numbers, and facts about them, signed.
 */
#pragma once

#include <stdbool.h>

#include "gossip/ledger.h"
#include "simulator/stub.h"

#define FOUNDING_ADMINS 3
#define FOUNDING_NOW UINT64_C(1790000000000) /* milliseconds: the test's present */

struct bytes {
	size_t size;
	uint8_t bytes[FACT_SIZE_MAX];
};

struct founding {
	const struct crypto *crypto;
	struct secret root;
	struct secret admins[FOUNDING_ADMINS];
	struct hash collective;
	struct ledger_options options;
};

/* A collective with the supernet 10.100.0.0/16. */
void founding_init(struct founding *founding, const struct crypto *crypto, uint32_t sites_max);

/* The secret of a site. */
struct secret founding_site(uint32_t number);

struct hash founding_hash(const struct secret *secret);

/* A delegation that grants everything, to be changed before it is sealed. */
struct delegation founding_delegation(const struct founding *founding, uint32_t admin);

/* A certificate by an admin for a site with 10.100.N.0/24, to be changed before it is sealed. */
struct certificate founding_certificate(
	const struct founding *founding, uint32_t admin, uint32_t site);

/* A record of a site, to be changed before it is sealed. */
struct record founding_record(uint32_t site, uint64_t sequence);

/* Sealing. Each fails the test when it does not fit. */
struct bytes founding_seal_delegation(
	const struct founding *founding, const struct delegation *delegation);
struct bytes founding_seal_certificate(
	const struct founding *founding, uint32_t admin, const struct certificate *certificate);
struct bytes founding_seal_record(
	const struct founding *founding, uint32_t site, const struct record *record);
struct bytes founding_revocation(const struct founding *founding, uint32_t admin, uint32_t site);
/* The number tells several removals of one admin apart. */
struct bytes founding_removal(const struct founding *founding, uint32_t admin, uint64_t number,
	const struct hash *kept, uint32_t count);

/* Memory and a ledger in it; freed by founding_ledger_free(). */
struct ledger *founding_ledger(const struct founding *founding);
void founding_ledger_free(struct ledger *ledger);

/* Offers at FOUNDING_NOW. */
enum verdict founding_offer(struct ledger *ledger, const struct bytes *fact);

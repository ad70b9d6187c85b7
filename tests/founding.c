/* SPDX-License-Identifier: MIT */
#include "tests/founding.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static struct secret numbered(uint8_t type, uint32_t number)
{
	struct key seed = {
		{type, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
	struct secret secret;

	secret_from_seed(&secret, &seed);
	return secret;
}

void founding_init(struct founding *founding, const struct crypto *crypto, uint32_t sites_max)
{
	struct prefix supernet = {address_ipv4(0x0a640000), 16};

	*founding = (struct founding){.crypto = crypto, .root = numbered(1, 0)};
	for (uint32_t i = 0; i < FOUNDING_ADMINS; i++)
		founding->admins[i] = numbered(2, i);
	founding->options = (struct ledger_options){
		.sites_max = sites_max,
		.root = secret_public(&founding->root),
		.supernet = supernet,
		.crypto = crypto,
	};
	founding->collective = collective_id(&founding->options.root);
}

struct secret founding_site(uint32_t number)
{
	/* Making a key pair costs more than all else that a history of facts does. */
	static struct secret known[1024];
	static bool made[1024];

	if (number >= 1024)
		return numbered(3, number);
	if (!made[number])
		known[number] = numbered(3, number);
	made[number] = true;
	return known[number];
}

struct hash founding_hash(const struct secret *secret)
{
	struct key key = secret_public(secret);

	return hash_of(key.bytes, KEY_SIZE);
}

struct delegation founding_delegation(const struct founding *founding, uint32_t admin)
{
	return (struct delegation){
		.admin = secret_public(&founding->admins[admin]),
		.version = 1,
		.name = "admin",
		.grants = GRANT_ADMIT | GRANT_REVOKE | GRANT_BACKBONE | GRANT_ROUTES,
		.issued_at = FOUNDING_NOW - 1000000,
		.since = FOUNDING_NOW - 1000000,
	};
}

struct certificate founding_certificate(
	const struct founding *founding, uint32_t admin, uint32_t site)
{
	struct secret secret = founding_site(site);
	struct certificate certificate = {
		.site = secret_public(&secret),
		.version = 1,
		.backbone = {{4, (uint8_t)(site >> 8), (uint8_t)site}},
		.links = {{5, (uint8_t)(site >> 8), (uint8_t)site}},
		.address = address_ipv4(0x0a640001 + site % 256 * 256),
		.subnets = {1, {{address_ipv4(0x0a640000 + site % 256 * 256), 24}}},
		.since = FOUNDING_NOW - 900000 + site,
		.issued_at = FOUNDING_NOW - 900000 + site,
		.issuer = founding_hash(&founding->admins[admin]),
	};

	/* Beyond 256 sites each has a /28. */
	if (site >= 256) {
		certificate.address = address_ipv4(0x0a640001 + site * 16);
		certificate.subnets.items[0].address = address_ipv4(0x0a640000 + site * 16);
		certificate.subnets.items[0].length = 28;
	}
	(void)snprintf(certificate.name, sizeof certificate.name, "site-%u", site);
	return certificate;
}

struct record founding_record(uint32_t site, uint64_t sequence)
{
	struct secret secret = founding_site(site);

	return (struct record){
		.site = secret_public(&secret),
		.sequence = sequence,
		.issued_at = FOUNDING_NOW - 1000,
		.lifetime = RECORD_LIFETIME_S,
		.protocol = 1,
		.program = "0.1.0",
	};
}

static struct bytes sealed(struct bytes *bytes, int size)
{
	assert_true(size > 0);
	bytes->size = (size_t)size;
	return *bytes;
}

struct bytes founding_seal_delegation(
	const struct founding *founding, const struct delegation *delegation)
{
	struct bytes bytes;

	return sealed(&bytes, delegation_seal(delegation, bytes.bytes, &founding->root,
				      &founding->collective, founding->crypto));
}

struct bytes founding_seal_certificate(
	const struct founding *founding, uint32_t admin, const struct certificate *certificate)
{
	struct bytes bytes;

	return sealed(&bytes, certificate_seal(certificate, bytes.bytes, &founding->admins[admin],
				      &founding->collective, founding->crypto));
}

struct bytes founding_seal_record(
	const struct founding *founding, uint32_t site, const struct record *record)
{
	struct secret secret = founding_site(site);
	struct bytes bytes;

	return sealed(&bytes,
		record_seal(record, bytes.bytes, &secret, &founding->collective, founding->crypto));
}

struct bytes founding_revocation(const struct founding *founding, uint32_t admin, uint32_t site)
{
	struct secret secret = founding_site(site);
	const struct revocation revocation = {
		.subject = founding_hash(&secret),
		.issuer = founding_hash(&founding->admins[admin]),
		.issued_at = FOUNDING_NOW - 500,
	};
	struct bytes bytes;

	return sealed(&bytes, revocation_seal(&revocation, bytes.bytes, &founding->admins[admin],
				      &founding->collective, founding->crypto));
}

struct bytes founding_removal(const struct founding *founding, uint32_t admin, uint64_t number,
	const struct hash *kept, uint32_t count)
{
	struct removal removal = {
		.subject = founding_hash(&founding->admins[admin]),
		.parts = 1,
		.issued_at = FOUNDING_NOW - 400 + number,
		.count = count,
	};
	struct bytes bytes;

	if (count > 0)
		memcpy(removal.kept, kept, count * sizeof *kept);
	return sealed(&bytes, removal_seal(&removal, bytes.bytes, &founding->root,
				      &founding->collective, founding->crypto));
}

struct ledger *founding_ledger(const struct founding *founding)
{
	struct ledger *ledger = malloc(sizeof *ledger);
	void *memory = aligned_alloc(16, ledger_memory(&founding->options));

	assert_non_null(ledger);
	assert_non_null(memory);
	ledger_init(ledger, &founding->options, memory);
	return ledger;
}

void founding_ledger_free(struct ledger *ledger)
{
	/* The arena's handles are the first part of its memory. */
	free(ledger->arena.places);
	free(ledger);
}

enum verdict founding_offer(struct ledger *ledger, const struct bytes *fact)
{
	return ledger_offer(ledger, FOUNDING_NOW, fact->bytes, fact->size, true).verdict;
}

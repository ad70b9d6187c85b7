/* SPDX-License-Identifier: MIT */
/*
 * test_trust.c - what a stolen key can do, and what is left of it once its holder is removed.
 */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "tests/founding.h"

static struct founding founding;
static struct ledger *ledger;

static int set_up(void **state)
{
	(void)state;
	founding_init(&founding, &crypto_stub, 16);
	ledger = founding_ledger(&founding);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	founding_ledger_free(ledger);
	return 0;
}

static enum verdict offer(struct bytes fact)
{
	return founding_offer(ledger, &fact);
}

static struct bytes delegation(uint32_t admin)
{
	struct delegation delegation = founding_delegation(&founding, admin);

	return founding_seal_delegation(&founding, &delegation);
}

static struct bytes certificate(uint32_t admin, uint32_t site, uint32_t version)
{
	struct certificate certificate = founding_certificate(&founding, admin, site);

	certificate.version = version;
	return founding_seal_certificate(&founding, admin, &certificate);
}

static struct bytes record(uint32_t site, uint64_t sequence)
{
	struct record record = founding_record(site, sequence);

	return founding_seal_record(&founding, site, &record);
}

static struct member *member(uint32_t site)
{
	struct secret secret = founding_site(site);
	struct key key = secret_public(&secret);

	return ledger_find_site(ledger, &key);
}

/* Two admins; the first admitted sites 1 to 3. The second is the thief. */
static void populate(void)
{
	assert_int_equal(offer(delegation(0)), VERDICT_NEW);
	assert_int_equal(offer(delegation(1)), VERDICT_NEW);
	for (uint32_t site = 1; site <= 3; site++)
		assert_int_equal(offer(certificate(0, site, 1)), VERDICT_NEW);
}

static bool is_revoked(uint32_t site)
{
	struct secret secret = founding_site(site);
	struct hash hash = founding_hash(&secret);

	return ledger_is_revoked(ledger, &hash);
}

TEST(trust_thief_that_revokes_again_brings_nobody_back)
{
	(void)state;
	populate();
	assert_int_equal(offer(founding_revocation(&founding, 0, 1)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 1, 1)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 1, 2)), VERDICT_NEW);
	assert_int_equal(offer(founding_removal(&founding, 1, 0, NULL, 0)), VERDICT_NEW);
	assert_true(is_revoked(1));
	assert_int_equal(offer(certificate(0, 1, 2)), VERDICT_REVOKED);
	/* Whom the thief alone revoked comes back. */
	assert_false(is_revoked(2));
	assert_int_equal(offer(certificate(0, 2, 1)), VERDICT_NEW);
}

TEST(trust_certificates_that_a_thief_signed_over_come_back)
{
	struct certificate stolen = founding_certificate(&founding, 1, 1);

	(void)state;
	populate();
	assert_int_equal(offer(record(1, 10)), VERDICT_NEW);
	stolen.version = CERTIFICATE_VERSION_MAX;
	stolen.backbone.bytes[31] = 1;
	assert_int_equal(offer(founding_seal_certificate(&founding, 1, &stolen)), VERDICT_NEW);
	assert_int_equal(member(1)->version, CERTIFICATE_VERSION_MAX);
	assert_int_equal(ledger->spares.count, 1);
	/* Meanwhile its own admin renews it, in vain but not for nothing. */
	assert_int_equal(offer(certificate(0, 1, 2)), VERDICT_SPARE);
	assert_int_equal(offer(certificate(0, 1, 2)), VERDICT_KNOWN);
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_OLDER);
	assert_int_equal(ledger->spares.count, 1);
	assert_int_equal(offer(founding_removal(&founding, 1, 0, NULL, 0)), VERDICT_NEW);
	assert_non_null(member(1));
	assert_int_equal(member(1)->version, 2);
	assert_int_equal(member(1)->sequence, 10);
	assert_true(member(1)->in_force);
	assert_int_equal(ledger->spares.count, 0);

	struct certificate held;
	struct certificate wanted = founding_certificate(&founding, 0, 1);

	ledger_certificate(ledger, member(1), &held);
	assert_true(key_equal(&held.backbone, &wanted.backbone));
}

TEST(trust_spares_are_bounded_and_fall_with_their_site)
{
	(void)state;
	populate();
	assert_int_equal(offer(delegation(2)), VERDICT_NEW);
	for (uint32_t site = 4; site < 15; site++)
		assert_int_equal(offer(certificate(0, site, 1)), VERDICT_NEW);
	for (uint32_t site = 1; site < 15; site++)
		assert_int_equal(offer(certificate(1, site, 2)), VERDICT_NEW);
	assert_int_equal(ledger->spares.count, 14);
	/* Beyond their number a newer certificate still counts, and the oldest is let go. */
	for (uint32_t site = 1; site < 15; site++)
		assert_int_equal(offer(certificate(2, site, 3)), VERDICT_NEW);
	assert_int_equal(ledger->spares.count, 16);
	assert_int_equal(offer(certificate(1, 14, 2)), VERDICT_KNOWN);
	assert_int_equal(offer(certificate(0, 14, 2)), VERDICT_OLDER);
	for (uint32_t site = 1; site < 15; site++)
		assert_int_equal(offer(founding_revocation(&founding, 0, site)), VERDICT_NEW);
	assert_int_equal(ledger->spares.count, 0);
	assert_int_equal(ledger->members.count, 0);
}

TEST(trust_limited_admin_displaces_nobody)
{
	struct delegation limited = founding_delegation(&founding, 1);
	struct certificate mine = founding_certificate(&founding, 1, 5);

	(void)state;
	limited.within = (struct prefixes){1, {{address_ipv4(0x0a640500), 24}}};
	assert_int_equal(offer(delegation(0)), VERDICT_NEW);
	assert_int_equal(offer(founding_seal_delegation(&founding, &limited)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_NEW);
	/* Dated back, with the hub's name and key. */
	mine.since = 1;
	(void)snprintf(mine.name, sizeof mine.name, "site-1");
	mine.backbone = founding_certificate(&founding, 0, 1).backbone;
	assert_int_equal(offer(founding_seal_certificate(&founding, 1, &mine)), VERDICT_NEW);
	assert_true(member(1)->in_force);
	assert_false(member(5)->in_force);
	/* Who came later through an admin without limits stands before it, too. */
	assert_int_equal(offer(founding_revocation(&founding, 0, 1)), VERDICT_NEW);
	assert_true(member(5)->in_force);

	struct certificate later = founding_certificate(&founding, 0, 6);

	(void)snprintf(later.name, sizeof later.name, "site-1");
	assert_int_equal(offer(founding_seal_certificate(&founding, 0, &later)), VERDICT_NEW);
	assert_true(member(6)->in_force);
	assert_false(member(5)->in_force);
}

TEST(trust_nobody_is_older_than_its_admin)
{
	struct delegation late = founding_delegation(&founding, 1);
	struct certificate mine = founding_certificate(&founding, 1, 5);

	(void)state;
	late.since = FOUNDING_NOW - 10;
	late.issued_at = FOUNDING_NOW - 10;
	populate();
	late.version = 2;
	assert_int_equal(offer(founding_seal_delegation(&founding, &late)), VERDICT_NEW);
	mine.since = 1;
	(void)snprintf(mine.name, sizeof mine.name, "site-1");
	assert_int_equal(offer(founding_seal_certificate(&founding, 1, &mine)), VERDICT_NEW);
	assert_true(member(5)->since == FOUNDING_NOW - 10);
	assert_true(member(1)->in_force);
	assert_false(member(5)->in_force);
	/* When the root says it has been an admin for longer, its members are older. */
	late.version = 3;
	late.since = 2;
	assert_int_equal(offer(founding_seal_delegation(&founding, &late)), VERDICT_NEW);
	assert_true(member(5)->since == 2);
	assert_true(member(5)->in_force);
	assert_false(member(1)->in_force);
}

static struct bytes part_of(uint64_t issued_at, uint32_t part, uint32_t parts)
{
	struct removal removal = {.subject = founding_hash(&founding.admins[0]),
		.parts = parts,
		.part = part,
		.issued_at = issued_at};
	struct bytes bytes;
	int size = removal_seal(
		&removal, bytes.bytes, &founding.root, &founding.collective, founding.crypto);

	assert_true(size > 0);
	bytes.size = (size_t)size;
	return bytes;
}

TEST(trust_removed_once_is_removed_for_ever)
{
	struct hash kept;
	struct bytes first = certificate(0, 1, 1);

	(void)state;
	populate();
	kept = hash_of(first.bytes, first.size);
	assert_int_equal(offer(founding_removal(&founding, 0, 0, &kept, 1)), VERDICT_NEW);
	assert_int_equal(ledger->members.count, 1);
	/* A second removal begins to arrive: nothing comes back meanwhile. */
	assert_int_equal(offer(part_of(FOUNDING_NOW, 2, 3)), VERDICT_NEW);
	assert_int_equal(offer(part_of(FOUNDING_NOW, 0, 3)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 2, 1)), VERDICT_REMOVED_ISSUER);
	assert_non_null(member(1));
	/* Once it is whole it takes away what it does not list. */
	assert_int_equal(offer(part_of(FOUNDING_NOW, 1, 3)), VERDICT_NEW);
	assert_null(member(1));
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_REMOVED_ISSUER);
}

/* A revocation by an admin, or by the root, of somebody that nobody knows. */
static enum verdict revoke_stranger(uint8_t issuer, uint8_t number)
{
	const struct secret *key = issuer < FOUNDING_ADMINS ? &founding.admins[issuer]
							    : &founding.root;
	struct revocation revocation = {.subject = {{issuer + 1, number}},
		.issuer = founding_hash(key),
		.issued_at = FOUNDING_NOW};
	struct bytes bytes;
	int size = revocation_seal(
		&revocation, bytes.bytes, key, &founding.collective, founding.crypto);

	bytes.size = (size_t)size;
	return offer(bytes);
}

TEST(trust_revocations_of_a_thief_leave_room_for_others)
{
	uint32_t places = ledger->revocations.capacity;
	uint32_t open = places - places / 8;

	(void)state;
	populate();
	for (uint32_t i = 0; i < open / 2; i++)
		assert_int_equal(revoke_stranger(1, (uint8_t)i), VERDICT_NEW);
	assert_int_equal(revoke_stranger(1, 99), VERDICT_FULL);
	for (uint32_t i = 0; i < open / 2; i++)
		assert_int_equal(revoke_stranger(0, (uint8_t)i), VERDICT_NEW);
	assert_int_equal(revoke_stranger(0, 99), VERDICT_FULL);
	/* The root has places of its own, and with the thief all that it took is free again. */
	assert_int_equal(revoke_stranger(FOUNDING_ADMINS, 1), VERDICT_NEW);
	assert_int_equal(offer(founding_removal(&founding, 1, 0, NULL, 0)), VERDICT_NEW);
	assert_int_equal(ledger->revocations.count, open / 2 + 1);
	for (uint32_t i = 2; i <= places - open / 2; i++)
		assert_int_equal(revoke_stranger(FOUNDING_ADMINS, (uint8_t)i), VERDICT_NEW);
	assert_int_equal(revoke_stranger(FOUNDING_ADMINS, 99), VERDICT_FULL);
}

/* As much as a certificate can hold. */
static struct certificate large(uint32_t site)
{
	struct certificate certificate = founding_certificate(&founding, 0, site);

	certificate.routes.count = FIELD_PREFIXES_MAX;
	for (uint32_t i = 0; i < FIELD_PREFIXES_MAX; i++) {
		struct prefix *route = &certificate.routes.items[i];

		*route = (struct prefix){.address = {.family = 6}, .length = 64};
		route->address.bytes[0] = 0xfd;
		route->address.bytes[6] = (uint8_t)site;
		route->address.bytes[7] = (uint8_t)i;
	}
	return certificate;
}

TEST(trust_members_leave_room_for_who_is_out)
{
	struct certificate big = large(1);
	struct record filled = founding_record(1, 10);

	(void)state;
	populate();
	big.version = 2;
	/* Nothing is left but the reserve. */
	ledger->arena.size = ledger->arena.live + ledger->options.sites_max * 128;
	assert_int_equal(offer(founding_seal_certificate(&founding, 0, &big)), VERDICT_FULL);
	assert_int_equal(offer(founding_seal_record(&founding, 1, &filled)), VERDICT_FULL);
	assert_int_equal(member(1)->version, 1);
	for (uint8_t i = 0; i < 8; i++)
		assert_int_equal(revoke_stranger(1, i), VERDICT_NEW);
}

TEST(trust_site_that_comes_again_does_not_repeat_itself)
{
	struct record farewell = founding_record(1, 10);

	(void)state;
	populate();
	farewell.flags = RECORD_LEFT;
	assert_int_equal(offer(record(1, 9)), VERDICT_NEW);
	assert_int_equal(offer(founding_seal_record(&founding, 1, &farewell)), VERDICT_NEW);
	assert_true(member(1)->left);
	assert_int_equal(offer(founding_removal(&founding, 0, 0, NULL, 0)), VERDICT_NEW);
	assert_null(member(1));
	/* Another admin admits it again: what it said before it left stays said. */
	assert_int_equal(offer(certificate(1, 1, 1)), VERDICT_NEW);
	assert_int_equal(ledger_row(ledger, &member(1)->id).sequence, 0);
	assert_int_equal(offer(record(1, 9)), VERDICT_OLDER);
	assert_int_equal(offer(founding_seal_record(&founding, 1, &farewell)), VERDICT_NEW);
	assert_true(member(1)->left);
	assert_int_equal(ledger->equivocations, 0);
	assert_int_equal(offer(record(1, 11)), VERDICT_NEW);
	assert_false(member(1)->left);
}

TEST(trust_rows_tell_every_fact_of_who_is_out_apart)
{
	struct row_id lowest = {{0}};
	struct row_id highest;
	struct row_id last;
	struct row rows[64];
	uint32_t handles[3];
	uint32_t count;
	uint32_t out = 0;

	(void)state;
	memset(&highest, 0xff, sizeof highest);
	populate();
	assert_int_equal(offer(founding_revocation(&founding, 0, 1)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 1, 1)), VERDICT_NEW);
	assert_int_equal(offer(part_of(FOUNDING_NOW, 0, 2)), VERDICT_NEW);
	assert_int_equal(offer(part_of(FOUNDING_NOW - 1, 0, 2)), VERDICT_NEW);
	count = ledger_rows(ledger, &lowest, &highest, true, rows, 64, &last);
	for (uint32_t i = 0; i < count; i++) {
		if (rows[i].version != LEDGER_REVOKED_VERSION)
			continue;
		out++;
		assert_int_equal(ledger_newer(ledger, 0, &rows[i], false, handles), 1);
		for (uint32_t k = 0; k < i; k++)
			assert_true(memcmp(&rows[i].id, &rows[k].id, ROW_ID_SIZE) != 0 ||
				    rows[i].sequence != rows[k].sequence);
	}
	assert_int_equal(out, 4);
	/* More under one id than a message has room for is cut, and the walk goes on. */
	count = ledger_rows(ledger, &lowest, &highest, true, rows, 1, &last);
	assert_int_equal(count, 1);
	assert_memory_equal(&last, &rows[0].id, sizeof last);
}

#define TRUST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		TRUST(trust_thief_that_revokes_again_brings_nobody_back),
		TRUST(trust_certificates_that_a_thief_signed_over_come_back),
		TRUST(trust_spares_are_bounded_and_fall_with_their_site),
		TRUST(trust_limited_admin_displaces_nobody),
		TRUST(trust_nobody_is_older_than_its_admin),
		TRUST(trust_removed_once_is_removed_for_ever),
		TRUST(trust_revocations_of_a_thief_leave_room_for_others),
		TRUST(trust_members_leave_room_for_who_is_out),
		TRUST(trust_site_that_comes_again_does_not_repeat_itself),
		TRUST(trust_rows_tell_every_fact_of_who_is_out_apart),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_ledger.c - what is believed, what is refused and why, and that order does not matter.
 */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "tests/files.h"
#include "tests/founding.h"

static struct founding founding;
static struct ledger *ledger;

static int set_up(void **state)
{
	(void)state;
	founding_init(&founding, &crypto_real, 16);
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

static struct hash hash_of_bytes(struct bytes bytes)
{
	return hash_of(bytes.bytes, bytes.size);
}

/* Two admins, and sites 1 to 3 of the first. */
static void populate(void)
{
	assert_int_equal(offer(delegation(0)), VERDICT_NEW);
	assert_int_equal(offer(delegation(1)), VERDICT_NEW);
	for (uint32_t site = 1; site <= 3; site++)
		assert_int_equal(offer(certificate(0, site, 1)), VERDICT_NEW);
}

TEST(ledger_takes_facts_once)
{
	struct record held;

	(void)state;
	populate();
	assert_int_equal(offer(record(1, 10)), VERDICT_NEW);
	assert_int_equal(offer(record(1, 10)), VERDICT_KNOWN);
	assert_int_equal(offer(record(1, 9)), VERDICT_OLDER);
	assert_int_equal(offer(record(1, 11)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_KNOWN);
	assert_int_equal(offer(certificate(0, 1, 2)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_OLDER);
	assert_int_equal(offer(delegation(0)), VERDICT_KNOWN);
	assert_int_equal(member(1)->sequence, 11);
	assert_int_equal(member(1)->version, 2);
	assert_true(member(1)->in_force);
	assert_int_equal(ledger->counters[VERDICT_KNOWN], 3);
	/* Found by name, and read back. */
	assert_ptr_equal(ledger_find_name(ledger, "site-1"), member(1));
	assert_null(ledger_find_name(ledger, "site-9"));
	assert_true(ledger_record(ledger, member(1), &held));
	assert_int_equal(held.sequence, 11);
	assert_false(ledger_record(ledger, member(2), &held));
}

TEST(ledger_refuses_with_a_reason_and_a_counter)
{
	struct certificate foreign;
	struct delegation delegated;
	struct record signed_wrong;
	struct founding other;
	struct bytes bytes;

	(void)state;
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_UNKNOWN_ISSUER);
	populate();
	/* Records of nobody, of the future, of the past. */
	assert_int_equal(offer(record(9, 1)), VERDICT_NOT_MEMBER);
	assert_int_equal(offer(record(1, FOUNDING_NOW + LEDGER_FUTURE_MS + 1)), VERDICT_FUTURE);
	assert_int_equal(offer(record(1, FOUNDING_NOW + LEDGER_FUTURE_MS)), VERDICT_NEW);
	signed_wrong = founding_record(2, 5);
	signed_wrong.issued_at = FOUNDING_NOW + LEDGER_FUTURE_MS + 1;
	assert_int_equal(offer(founding_seal_record(&founding, 2, &signed_wrong)), VERDICT_FUTURE);
	signed_wrong.issued_at = FOUNDING_NOW - UINT64_C(1000) * RECORD_LIFETIME_S;
	assert_int_equal(offer(founding_seal_record(&founding, 2, &signed_wrong)), VERDICT_EXPIRED);
	/* Signed by another site; by nobody; for another collective. */
	signed_wrong = founding_record(2, 5);
	assert_int_equal(
		offer(founding_seal_record(&founding, 3, &signed_wrong)), VERDICT_UNSIGNED);
	bytes = record(2, 5);
	memset(bytes.bytes + bytes.size - SIGNATURE_SIZE, 0, SIGNATURE_SIZE);
	assert_int_equal(offer(bytes), VERDICT_UNSIGNED);
	other = founding;
	other.collective.bytes[0] ^= 1;
	signed_wrong = founding_record(2, 5);
	assert_int_equal(offer(founding_seal_record(&other, 2, &signed_wrong)), VERDICT_UNSIGNED);
	/* A certificate that a member made for itself, and one by an admin of nobody's. */
	foreign = founding_certificate(&founding, 0, 5);
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 1, &foreign)), VERDICT_UNSIGNED);
	foreign.issuer = founding_hash(&founding.admins[2]);
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 2, &foreign)), VERDICT_UNKNOWN_ISSUER);
	/* Prefixes that are not a site's to have. */
	foreign = founding_certificate(&founding, 0, 5);
	foreign.routes = (struct prefixes){1, {{address_ipv4(0x0a640700), 24}}};
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 0, &foreign)), VERDICT_MISPLACED);
	foreign = founding_certificate(&founding, 0, 5);
	foreign.issued_at = FOUNDING_NOW + LEDGER_FUTURE_MS + 1;
	assert_int_equal(offer(founding_seal_certificate(&founding, 0, &foreign)), VERDICT_FUTURE);
	/* More than was granted. */
	delegated = founding_delegation(&founding, 2);
	delegated.grants = GRANT_ADMIT;
	assert_int_equal(offer(founding_seal_delegation(&founding, &delegated)), VERDICT_NEW);
	foreign = founding_certificate(&founding, 2, 6);
	foreign.roles = ROLE_HUB;
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 2, &foreign)), VERDICT_NOT_GRANTED);
	assert_int_equal(offer(founding_revocation(&founding, 2, 1)), VERDICT_NOT_GRANTED);
	/* An admin's key is nobody's site key. */
	foreign = founding_certificate(&founding, 0, 7);
	foreign.site = secret_public(&founding.admins[1]);
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 0, &foreign)), VERDICT_COLLISION);
	/* One network claimed twice. */
	foreign = founding_certificate(&founding, 0, 7);
	foreign.routes = (struct prefixes){1, {foreign.subnets.items[0]}};
	assert_int_equal(
		offer(founding_seal_certificate(&founding, 0, &foreign)), VERDICT_COLLISION);
	/* Not facts at all. */
	bytes = record(1, 20);
	bytes.bytes[0] = 0xc1;
	assert_int_equal(offer(bytes), VERDICT_MALFORMED);
	bytes = record(1, 20);
	bytes.bytes[4] = 2;
	assert_int_equal(offer(bytes), VERDICT_NEWER_FORMAT);
	bytes.size = 10;
	assert_int_equal(offer(bytes), VERDICT_OVERSIZED);
	/* Nothing of it was taken, all of it was counted. */
	assert_int_equal(ledger->members.count, 3);
	assert_int_equal(ledger->counters[VERDICT_UNSIGNED], 4);
	assert_int_equal(ledger->counters[VERDICT_FUTURE], 3);
	for (int verdict = 0; verdict < VERDICTS; verdict++)
		assert_true(strlen(verdict_text(verdict)) > 0);
}

TEST(ledger_revoked_site_never_returns)
{
	struct secret site = founding_site(1);
	struct hash hash = founding_hash(&site);
	struct row_id id = row_id_of(&hash);
	struct row row;

	(void)state;
	populate();
	assert_int_equal(offer(record(1, 10)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 1, 1)), VERDICT_NEW);
	assert_null(member(1));
	assert_true(ledger_is_revoked(ledger, &hash));
	assert_int_equal(offer(record(1, 11)), VERDICT_REVOKED);
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_REVOKED);
	assert_int_equal(offer(certificate(0, 1, 99)), VERDICT_REVOKED);
	assert_int_equal(offer(founding_revocation(&founding, 1, 1)), VERDICT_KNOWN);
	row = ledger_row(ledger, &id);
	assert_true(row.version == LEDGER_REVOKED_VERSION);
	/* Known before the certificate is, it counts as well. */
	assert_int_equal(offer(founding_revocation(&founding, 0, 5)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 5, 1)), VERDICT_REVOKED);
	/* What it had is free for others. */
	struct certificate heir = founding_certificate(&founding, 0, 1);
	struct secret heir_site = founding_site(8);

	heir.site = secret_public(&heir_site);
	assert_int_equal(offer(founding_seal_certificate(&founding, 0, &heir)), VERDICT_NEW);
	assert_true(member(8)->in_force);
}

TEST(ledger_two_admins_revoke_at_once)
{
	struct bytes a = founding_revocation(&founding, 0, 1);
	struct bytes b = founding_revocation(&founding, 1, 1);
	struct ledger *other = founding_ledger(&founding);
	struct ledger_summary ours;
	struct ledger_summary theirs;
	struct bytes delegations[] = {delegation(0), delegation(1)};

	(void)state;
	populate();
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(founding_offer(other, &delegations[i]), VERDICT_NEW);
	(void)offer(a);
	(void)offer(b);
	(void)founding_offer(other, &b);
	(void)founding_offer(other, &a);
	ours = *ledger_summarize(ledger, FOUNDING_NOW);
	theirs = *ledger_summarize(other, FOUNDING_NOW);
	/* Both stand: one may fall with its issuer. */
	assert_int_equal(ours.revocations, 2);
	assert_memory_equal(&ours.revocations_hash, &theirs.revocations_hash, sizeof(struct hash));
	founding_ledger_free(other);
}

TEST(ledger_removed_admin_leaves_what_was_listed)
{
	struct hash kept[] = {hash_of_bytes(certificate(0, 2, 1))};
	uint64_t before;

	(void)state;
	populate();
	assert_int_equal(offer(certificate(1, 4, 1)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 0, 9)), VERDICT_NEW);
	before = ledger->generation;
	assert_int_equal(offer(founding_removal(&founding, 0, 0, kept, 1)), VERDICT_NEW);
	assert_true(ledger->generation > before);
	assert_null(member(1));
	assert_non_null(member(2));
	assert_null(member(3));
	assert_non_null(member(4));
	/* Its revocation was not listed: it falls, too. */
	assert_int_equal(ledger->revocations.count, 0);
	/* What it signs from now on is refused, also what it dates back. */
	assert_int_equal(offer(certificate(0, 5, 1)), VERDICT_REMOVED_ISSUER);
	assert_int_equal(offer(certificate(0, 2, 2)), VERDICT_REMOVED_ISSUER);
	assert_int_equal(offer(founding_revocation(&founding, 0, 4)), VERDICT_REMOVED_ISSUER);
	assert_int_equal(offer(certificate(0, 2, 1)), VERDICT_KNOWN);
	/* Another admin takes the site over. */
	assert_int_equal(offer(certificate(1, 2, 2)), VERDICT_NEW);
}

TEST(ledger_removal_in_parts_counts_once_it_is_whole)
{
	struct bytes parts[2];
	struct hash kept[2] = {
		hash_of_bytes(certificate(0, 1, 1)), hash_of_bytes(certificate(0, 3, 1))};

	(void)state;
	populate();
	for (uint32_t i = 0; i < 2; i++) {
		struct removal removal = {.subject = founding_hash(&founding.admins[0]),
			.parts = 2,
			.part = i,
			.issued_at = FOUNDING_NOW,
			.count = 1,
			.kept = {kept[i]}};
		int size = removal_seal(&removal, parts[i].bytes, &founding.root,
			&founding.collective, founding.crypto);

		assert_true(size > 0);
		parts[i].size = (size_t)size;
	}
	assert_int_equal(offer(parts[1]), VERDICT_NEW);
	assert_int_equal(ledger->members.count, 3);
	assert_int_equal(offer(parts[0]), VERDICT_NEW);
	assert_int_equal(ledger->members.count, 2);
	assert_null(member(2));
	/* Removed before its delegation is known: it comes as one that is removed. */
	struct removal early = {.subject = founding_hash(&founding.admins[2]),
		.parts = 1,
		.issued_at = FOUNDING_NOW};
	struct bytes bytes;
	int size = removal_seal(
		&early, bytes.bytes, &founding.root, &founding.collective, founding.crypto);

	bytes.size = (size_t)size;
	assert_int_equal(offer(bytes), VERDICT_NEW);
	assert_int_equal(offer(delegation(2)), VERDICT_NEW);
	assert_int_equal(offer(certificate(2, 7, 1)), VERDICT_REMOVED_ISSUER);
}

TEST(ledger_narrower_delegation_takes_back)
{
	struct delegation narrower = founding_delegation(&founding, 0);

	(void)state;
	populate();
	narrower.version = 2;
	narrower.within = (struct prefixes){1, {{address_ipv4(0x0a640200), 24}}};
	assert_int_equal(offer(founding_seal_delegation(&founding, &narrower)), VERDICT_NEW);
	assert_null(member(1));
	assert_non_null(member(2));
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_NOT_GRANTED);
	assert_int_equal(offer(delegation(0)), VERDICT_OLDER);
}

/* A certificate of site 5, the younger, that meets site 2 in one thing. */
static void expect_rivals(struct certificate younger, const char *what)
{
	struct row_id rival;
	const char *said;

	populate();
	said = ledger_rivalry(ledger, &younger, &rival);
	assert_non_null(said);
	assert_string_equal(said, what);
	assert_memory_equal(&rival, &member(2)->id, sizeof rival);
	assert_int_equal(offer(founding_seal_certificate(&founding, 1, &younger)), VERDICT_NEW);
	assert_false(member(5)->in_force);
	assert_true(member(2)->in_force);
	/* It waits, and comes into force when the elder goes. */
	assert_int_equal(offer(founding_revocation(&founding, 0, 2)), VERDICT_NEW);
	assert_true(member(5)->in_force);
	assert_int_equal(ledger->rivals, 0);
	assert_null(ledger_rivalry(ledger, &(struct certificate){.name = "new"}, &rival));
}

TEST(ledger_rivals_for_a_name)
{
	struct certificate younger = founding_certificate(&founding, 1, 5);

	(void)state;
	(void)snprintf(younger.name, sizeof younger.name, "site-2");
	expect_rivals(younger, "the name of a member");
}

TEST(ledger_rivals_for_a_wireguard_key)
{
	struct certificate younger = founding_certificate(&founding, 1, 5);

	(void)state;
	younger.links = founding_certificate(&founding, 0, 2).backbone;
	expect_rivals(younger, "a WireGuard key of a member");
}

TEST(ledger_rivals_for_a_prefix)
{
	struct certificate younger = founding_certificate(&founding, 1, 5);

	(void)state;
	younger.subnets = (struct prefixes){1, {{address_ipv4(0x0a640280), 25}}};
	younger.address = address_ipv4(0x0a640281);
	expect_rivals(younger, "a network of a member");
}

TEST(ledger_equivocation_is_decided_alike_and_proved)
{
	struct record one = founding_record(1, 10);
	struct record two = founding_record(1, 10);
	struct bytes a;
	struct bytes b;
	struct hash winner;

	(void)state;
	two.issued_at++;
	a = founding_seal_record(&founding, 1, &one);
	b = founding_seal_record(&founding, 1, &two);
	winner = hash_of_bytes(a);
	if (hash_compare(&winner, &(struct hash){0}) > 0) {
		struct hash other = hash_of_bytes(b);

		if (hash_compare(&other, &winner) > 0)
			winner = other;
	}
	populate();
	assert_int_equal(offer(a), VERDICT_NEW);
	(void)offer(b);
	(void)offer(a);
	(void)offer(b);
	assert_memory_equal(&member(1)->record_hash, &winner, sizeof winner);
	assert_true(member(1)->equivocates);
	assert_true(member(1)->proof != ARENA_NONE);
	assert_int_equal(ledger->equivocations, 1);
	assert_int_equal(ledger->proofs, 1);
	/* A later record heals it; the flag stays. */
	assert_int_equal(offer(record(1, 11)), VERDICT_NEW);
	assert_true(member(1)->equivocates);
	/* A second record under another's signature proves nothing. */
	two = founding_record(2, 10);
	assert_int_equal(offer(record(2, 10)), VERDICT_NEW);
	two.issued_at++;
	assert_int_equal(offer(founding_seal_record(&founding, 3, &two)), VERDICT_UNSIGNED);
	assert_false(member(2)->equivocates);
}

TEST(ledger_full_is_counted)
{
	(void)state;
	assert_int_equal(offer(delegation(0)), VERDICT_NEW);
	for (uint32_t site = 0; site < 16; site++)
		assert_int_equal(offer(certificate(0, site, 1)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 16, 1)), VERDICT_FULL);
	assert_int_equal(ledger->counters[VERDICT_FULL], 1);
	assert_int_equal(ledger->members.count, 16);
	assert_int_equal(offer(founding_revocation(&founding, 0, 3)), VERDICT_NEW);
	assert_int_equal(offer(certificate(0, 16, 1)), VERDICT_NEW);
}

TEST(ledger_expensive_check_waits_for_permission)
{
	struct bytes bytes = record(1, 10);
	struct bytes older = record(1, 5);

	(void)state;
	populate();
	assert_int_equal(ledger_offer(ledger, FOUNDING_NOW, bytes.bytes, bytes.size, false).verdict,
		VERDICT_DEFERRED);
	assert_int_equal(member(1)->record, ARENA_NONE);
	assert_int_equal(offer(bytes), VERDICT_NEW);
	/* What needs no verifying gets its answer without. */
	assert_int_equal(ledger_offer(ledger, FOUNDING_NOW, bytes.bytes, bytes.size, false).verdict,
		VERDICT_KNOWN);
	assert_int_equal(ledger_offer(ledger, FOUNDING_NOW, older.bytes, older.size, false).verdict,
		VERDICT_OLDER);
}

TEST(ledger_expired_record_leaves_hashes_but_neither_row_nor_member)
{
	uint64_t later = FOUNDING_NOW - 1000 + UINT64_C(1000) * RECORD_LIFETIME_S;
	struct ledger_summary before;
	struct ledger_summary after;
	struct row row;

	(void)state;
	populate();
	assert_int_equal(offer(record(1, 10)), VERDICT_NEW);
	before = *ledger_summarize(ledger, later - 1);
	after = *ledger_summarize(ledger, later);
	assert_int_equal(before.facts, after.facts + 1);
	assert_memory_not_equal(&before.facts_hash, &after.facts_hash, sizeof after.facts_hash);
	row = ledger_row(ledger, &member(1)->id);
	assert_int_equal(row.version, 1);
	/* The row still says which record it was, so that nobody sends an older one. */
	assert_int_equal(row.sequence, 10);
	assert_false(member_is_live(member(1), later));
	/* Its sequence number is remembered. */
	assert_int_equal(offer(record(1, 9)), VERDICT_OLDER);
}

TEST(ledger_rows_and_what_is_newer)
{
	struct row_id lowest = {{0}};
	struct row_id highest;
	struct row_id last;
	struct row rows[32];
	uint32_t handles[3];
	uint32_t count;
	size_t size;

	(void)state;
	memset(&highest, 0xff, sizeof highest);
	populate();
	assert_int_equal(offer(record(2, 10)), VERDICT_NEW);
	assert_int_equal(offer(founding_revocation(&founding, 0, 3)), VERDICT_NEW);
	count = ledger_rows(ledger, &lowest, &highest, false, rows, 32, &last);
	assert_int_equal(count, 4);
	assert_memory_equal(&last, &highest, sizeof last);
	count = ledger_rows(ledger, &lowest, &highest, true, rows, 32, &last);
	assert_int_equal(count, 5);
	for (uint32_t i = 1; i < count; i++)
		assert_true(memcmp(rows[i - 1].id.bytes, rows[i].id.bytes, ROW_ID_SIZE) < 0);
	/* In two ranges. */
	count = ledger_rows(ledger, &lowest, &highest, true, rows, 3, &last);
	assert_int_equal(count, 3);
	assert_memory_equal(&last, &rows[2].id, sizeof last);

	/* Somebody who has nothing of site 2 gets certificate and record; who has both, nothing. */
	struct row row = {.id = member(2)->id};

	assert_int_equal(ledger_newer(ledger, FOUNDING_NOW, &row, false, handles), 2);
	(void)ledger_bytes(ledger, handles[0], &size);
	assert_int_equal(size, certificate(0, 2, 1).size);
	row = ledger_row(ledger, &row.id);
	assert_int_equal(ledger_newer(ledger, FOUNDING_NOW, &row, false, handles), 0);
	assert_int_equal(ledger_newer(ledger, FOUNDING_NOW, &row, true, handles), 2);
	row.sequence--;
	assert_int_equal(ledger_newer(ledger, FOUNDING_NOW, &row, false, handles), 1);
}

/* Any order, any duplication. */

#define POOL 40

static struct bytes draw_delegation(struct prng *prng, uint32_t admin)
{
	struct delegation drawn = founding_delegation(&founding, admin);

	drawn.version = 1 + (prng_below(prng, 4) == 0);
	if (drawn.version > 1 && prng_below(prng, 2))
		drawn.grants &= ~(uint32_t)GRANT_REVOKE;
	else if (drawn.version > 1)
		drawn.within = (struct prefixes){1, {{address_ipv4(0x0a640000), 22}}};
	return founding_seal_delegation(&founding, &drawn);
}

static struct bytes draw_certificate(struct prng *prng, uint32_t admin, uint32_t site)
{
	struct certificate drawn = founding_certificate(&founding, admin, site);

	/* Some want what others have. */
	if (prng_below(prng, 3) == 0) {
		drawn.subnets.items[0].address.bytes[2] = (uint8_t)prng_below(prng, 6);
		drawn.address.bytes[2] = drawn.subnets.items[0].address.bytes[2];
	}
	if (prng_below(prng, 6) == 0)
		drawn.name[5] = (char)('0' + prng_below(prng, 6));
	drawn.version = 1 + (uint32_t)prng_below(prng, 3);
	drawn.since -= prng_below(prng, 3);
	return founding_seal_certificate(&founding, admin, &drawn);
}

static struct bytes draw_record(struct prng *prng, uint32_t site)
{
	struct record drawn = founding_record(site, 1 + prng_below(prng, 4));

	drawn.issued_at -= prng_below(prng, 2);
	if (prng_below(prng, 5) == 0)
		drawn.flags = RECORD_LEFT;
	return founding_seal_record(&founding, site, &drawn);
}

/* Facts among which there are rivals, versions, revocations, removals and equivocations. */
static void draw_pool(struct prng *prng, struct bytes pool[static POOL])
{
	for (uint32_t i = 0; i < POOL; i++) {
		uint32_t admin = (uint32_t)prng_below(prng, FOUNDING_ADMINS);
		uint32_t site = (uint32_t)prng_below(prng, 6);
		uint64_t kind = prng_below(prng, 36);

		if (i < 2 * FOUNDING_ADMINS) {
			pool[i] = draw_delegation(prng, i % FOUNDING_ADMINS);
		} else if (kind < 3) {
			pool[i] = founding_revocation(&founding, admin, site);
		} else if (kind < 4) {
			struct hash kept = hash_of_bytes(pool[prng_below(prng, i)]);

			pool[i] = founding_removal(&founding, admin, prng_below(prng, 2), &kept, 1);
		} else if (kind < 14) {
			pool[i] = draw_certificate(prng, admin, site);
		} else {
			pool[i] = draw_record(prng, site);
		}
	}
}

/* Offers a pool in a random order, with repetitions, until nothing is new any more. */
static void offer_all(struct ledger *to, struct prng *prng, const struct bytes *pool, size_t count)
{
	bool changed = true;

	for (size_t i = 0; i < count; i++)
		(void)founding_offer(to, &pool[prng_below(prng, count)]);
	while (changed) {
		size_t start = (size_t)prng_below(prng, count);
		/* 7 has no factor in common with the size of the pool. */
		changed = false;
		for (size_t i = 0; i < count; i++)
			changed |= founding_offer(to, &pool[(start + 7 * i) % count]) ==
				   VERDICT_NEW;
	}
}

static void expect_equal(struct ledger *a, struct ledger *b)
{
	struct ledger_summary x = *ledger_summarize(a, FOUNDING_NOW);
	struct ledger_summary y = *ledger_summarize(b, FOUNDING_NOW);

	assert_int_equal(x.facts, y.facts);
	assert_int_equal(x.revocations, y.revocations);
	assert_memory_equal(&x.facts_hash, &y.facts_hash, sizeof x.facts_hash);
	assert_memory_equal(&x.revocations_hash, &y.revocations_hash, sizeof x.revocations_hash);
	assert_int_equal(a->members.count, b->members.count);
	assert_int_equal(a->spares.count, b->spares.count);
	for (uint32_t i = 0; i < a->members.count; i++) {
		const struct member *m = table_at(&a->members, i);
		const struct member *n = table_at(&b->members, i);

		assert_int_equal(m->in_force, n->in_force);
		assert_int_equal(m->left, n->left);
	}
}

static bool meet(const struct certificate *a, const struct certificate *b)
{
	return strcmp(a->name, b->name) == 0 || key_equal(&a->backbone, &b->backbone) ||
	       prefix_overlaps(&a->subnets.items[0], &b->subnets.items[0]);
}

/* Whoever waits, waits for an elder that it meets. */
static void expect_elder(struct ledger *l, const struct member *m)
{
	struct certificate held;
	bool found = m->in_force;

	ledger_certificate(l, m, &held);
	for (uint32_t i = 0; i < l->members.count && !found; i++) {
		const struct member *other = table_at(&l->members, i);
		struct certificate theirs;

		ledger_certificate(l, other, &theirs);
		found = other->in_force && other->limited <= m->limited &&
			(other->limited < m->limited || other->since <= m->since) &&
			meet(&held, &theirs);
	}
	assert_true(found);
}

/* What must be true of every ledger at every moment. */
static void expect_sound(struct ledger *l)
{
	uint32_t waiting = 0;
	uint32_t prefixes = 0;

	for (uint32_t i = 0; i < l->members.count; i++) {
		const struct member *m = table_at(&l->members, i);
		struct certificate held;

		ledger_certificate(l, m, &held);
		assert_false(ledger_is_revoked(l, &m->site));
		waiting += !m->in_force;
		if (m->in_force)
			prefixes += held.subnets.count + held.routes.count;
		for (uint32_t k = 0; k < i && m->in_force; k++) {
			const struct member *other = table_at(&l->members, k);
			struct certificate theirs;

			if (!other->in_force)
				continue;
			ledger_certificate(l, other, &theirs);
			assert_string_not_equal(held.name, theirs.name);
			assert_false(
				prefix_overlaps(&held.subnets.items[0], &theirs.subnets.items[0]));
		}
	}
	for (uint32_t i = 0; i < l->members.count; i++)
		expect_elder(l, table_at(&l->members, i));
	assert_int_equal(l->rivals, waiting);
	assert_int_equal(l->prefixes.count, prefixes);
	assert_int_equal(l->claims.count, 4 * (l->members.count - waiting));
}

TEST(ledger_order_and_duplication_do_not_matter)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {10};
	int histories = files_setting("LEDGER_HISTORIES", 1000);
	uint64_t rivals = 0;
	uint64_t revoked = 0;
	uint64_t removed = 0;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	founding_init(&founding, &crypto_stub, 16);
	for (int i = 0; i < histories; i++) {
		struct ledger *a = founding_ledger(&founding);
		struct ledger *b = founding_ledger(&founding);
		struct bytes pool[POOL];

		draw_pool(&prng, pool);
		offer_all(a, &prng, pool, POOL);
		offer_all(b, &prng, pool, POOL);
		expect_sound(a);
		expect_equal(a, b);
		rivals += a->rivals;
		revoked += a->revocations.count;
		removed += a->removals.count;
		founding_ledger_free(a);
		founding_ledger_free(b);
	}
	print_message(
		"# %d histories, each in two orders; %lu rivals, %lu revocations, %lu removals\n",
		histories, (unsigned long)rivals, (unsigned long)revoked, (unsigned long)removed);
	assert_true(rivals > 0 && revoked > 0 && removed > 0);
}

/* All rows, range by range, as a comparison sends them. */
static uint32_t count_rows(struct ledger *l)
{
	struct row_id first = {{0}};
	struct row_id end;
	struct row_id last;
	struct row rows[64];
	uint32_t all = 0;
	uint32_t count;

	memset(&end, 0xff, sizeof end);
	do {
		count = ledger_rows(l, &first, &end, true, rows, 64, &last);
		all += count;
		first = last;
		for (int i = ROW_ID_SIZE - 1; i >= 0 && ++first.bytes[i] == 0; i--)
			continue;
	} while (memcmp(&last, &end, sizeof end) != 0);
	return all;
}

TEST(ledger_of_ten_thousand_sites)
{
	struct prefix wide = {address_ipv4(0x0a000000), 8};
	struct bytes bytes = {0};

	(void)state;
	founding_ledger_free(ledger);
	founding_init(&founding, &crypto_stub, 10000);
	founding.options.supernet = wide;
	ledger = founding_ledger(&founding);
	assert_int_equal(offer(delegation(0)), VERDICT_NEW);
	for (uint32_t site = 256; site < 10256; site++) {
		struct certificate drawn = founding_certificate(&founding, 0, site);
		struct record said = {.site = drawn.site,
			.sequence = 1,
			.issued_at = FOUNDING_NOW,
			.lifetime = 60,
			.protocol = 1,
			.program = "0.1.0"};
		struct secret secret = founding_site(site);
		int size;

		assert_int_equal(
			offer(founding_seal_certificate(&founding, 0, &drawn)), VERDICT_NEW);
		size = record_seal(
			&said, bytes.bytes, &secret, &founding.collective, founding.crypto);
		assert_true(size > 0);
		bytes.size = (size_t)size;
		assert_int_equal(offer(bytes), VERDICT_NEW);
	}
	assert_int_equal(offer(certificate(0, 1, 1)), VERDICT_FULL);
	assert_int_equal(ledger->members.count, 10000);
	assert_int_equal(ledger->rivals, 0);
	assert_int_equal(count_rows(ledger), 10001);
	assert_int_equal(ledger_summarize(ledger, FOUNDING_NOW)->facts, 20001);
}

TEST(ledger_memory_for_1024_sites)
{
	struct ledger_options options = {.sites_max = 1024};

	(void)state;
	print_message("# 1024 sites: %zu KiB\n", ledger_memory(&options) / 1024);
	assert_true(ledger_memory(&options) <= 2560 * 1024);
}

#define LEDGER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		LEDGER(ledger_takes_facts_once),
		LEDGER(ledger_refuses_with_a_reason_and_a_counter),
		LEDGER(ledger_revoked_site_never_returns),
		LEDGER(ledger_two_admins_revoke_at_once),
		LEDGER(ledger_removed_admin_leaves_what_was_listed),
		LEDGER(ledger_removal_in_parts_counts_once_it_is_whole),
		LEDGER(ledger_narrower_delegation_takes_back),
		LEDGER(ledger_rivals_for_a_name),
		LEDGER(ledger_rivals_for_a_wireguard_key),
		LEDGER(ledger_rivals_for_a_prefix),
		LEDGER(ledger_equivocation_is_decided_alike_and_proved),
		LEDGER(ledger_full_is_counted),
		LEDGER(ledger_expensive_check_waits_for_permission),
		LEDGER(ledger_expired_record_leaves_hashes_but_neither_row_nor_member),
		LEDGER(ledger_rows_and_what_is_newer),
		LEDGER(ledger_order_and_duplication_do_not_matter),
		LEDGER(ledger_of_ten_thousand_sites),
		CASE(ledger_memory_for_1024_sites),
	};

	return RUN(cases);
}

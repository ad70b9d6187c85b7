/* SPDX-License-Identifier: MIT */
/*
 * test_stubborn.c - what once made two ledgers compare for ever, or kept a removal from being
 * believed: each ends, and after few messages.
 */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "tests/mesh.h"

#define HUB 0
#define SPOKE 1

static struct mesh mesh;

static int tear_down(void **state)
{
	(void)state;
	mesh_free(&mesh);
	return 0;
}

/* A hub and a spoke, not yet connected, that know nothing. */
static void pair(uint8_t seed, uint32_t hub_max, uint32_t spoke_max)
{
	mesh_init(&mesh, 2, seed, true);
	mesh_empty(&mesh, HUB, hub_max);
	mesh_empty(&mesh, SPOKE, spoke_max);
}

/* They meet, and have come to rest if they can. */
static void meet(void)
{
	mesh_connect_hub(&mesh, SPOKE);
	mesh_run(&mesh, 5 * USEC_SECOND);
	mesh_reset_counts(&mesh);
}

static enum verdict offer(uint32_t site, struct bytes fact)
{
	return mesh_offer(&mesh, site, &fact);
}

static void give(uint32_t site, struct bytes fact)
{
	assert_int_equal(offer(site, fact), VERDICT_NEW);
}

static void give_both(struct bytes fact)
{
	give(HUB, fact);
	give(SPOKE, fact);
}

static struct bytes delegation(uint32_t admin)
{
	struct delegation delegation = founding_delegation(&mesh.founding, admin);

	return founding_seal_delegation(&mesh.founding, &delegation);
}

/* The variant tells apart certificates of one version. */
static struct bytes certificate(uint32_t admin, uint32_t site, uint32_t version, uint8_t variant)
{
	struct certificate certificate = founding_certificate(&mesh.founding, admin, site);

	certificate.version = version;
	certificate.backbone.bytes[31] = variant;
	return founding_seal_certificate(&mesh.founding, admin, &certificate);
}

/* Two of these, or one and a large record, do not fit into one message. */
static struct bytes large_certificate(uint32_t admin, uint32_t site, uint8_t variant)
{
	struct certificate certificate = founding_certificate(&mesh.founding, admin, site);

	certificate.version = CERTIFICATE_VERSION_MAX;
	certificate.backbone.bytes[31] = variant;
	certificate.tags.count = FIELD_NAMES_MAX;
	for (uint32_t i = 0; i < FIELD_NAMES_MAX; i++)
		(void)snprintf(
			certificate.tags.items[i], sizeof certificate.tags.items[i], "%064u", i);
	return founding_seal_certificate(&mesh.founding, admin, &certificate);
}

/* As large as its services make it: 70 bytes for each. */
static struct bytes record(uint32_t site, uint64_t sequence, uint32_t services, uint16_t port)
{
	struct record record = founding_record(site, sequence);

	record.service_count = services;
	for (uint32_t i = 0; i < services; i++) {
		(void)snprintf(record.services[i].name, sizeof record.services[i].name, "%064u", i);
		record.services[i].protocol = 6;
		record.services[i].port = port;
	}
	return founding_seal_record(&mesh.founding, site, &record);
}

static struct bytes revocation(
	const struct hash *subject, const struct hash *issuer, const struct secret *secret)
{
	const struct revocation revocation = {
		.subject = *subject, .issuer = *issuer, .issued_at = FOUNDING_NOW - 500};
	struct bytes bytes;
	int size = revocation_seal(
		&revocation, bytes.bytes, secret, &mesh.founding.collective, mesh.founding.crypto);

	assert_true(size > 0);
	bytes.size = (size_t)size;
	return bytes;
}

static struct bytes revocation_by_admin(const struct hash *subject, uint32_t admin)
{
	struct hash issuer = founding_hash(&mesh.founding.admins[admin]);

	return revocation(subject, &issuer, &mesh.founding.admins[admin]);
}

static struct bytes revocation_by_root(const struct hash *subject)
{
	struct hash issuer = founding_hash(&mesh.founding.root);

	return revocation(subject, &issuer, &mesh.founding.root);
}

/* A part of a removal that lists nothing. */
static struct bytes part_of(
	const struct hash *admin, uint64_t issued_at, uint32_t part, uint32_t parts)
{
	const struct removal removal = {
		.subject = *admin, .parts = parts, .part = part, .issued_at = issued_at};
	struct bytes bytes;
	int size = removal_seal(&removal, bytes.bytes, &mesh.founding.root,
		&mesh.founding.collective, mesh.founding.crypto);

	assert_true(size > 0);
	bytes.size = (size_t)size;
	return bytes;
}

static const struct member *member(uint32_t at, uint32_t site)
{
	struct secret secret = founding_site(site);
	struct key key = secret_public(&secret);

	return ledger_find_site(mesh.sites[at].ledger, &key);
}

/* The site at this place in the order of ids. */
static uint32_t site_at(uint32_t place)
{
	const struct member *wanted = table_at(&mesh.sites[HUB].ledger->members, place);
	uint32_t site = 0;

	while (member(HUB, site) != wanted)
		site++;
	return site;
}

TEST(stubborn_tie_before_an_id_with_many_rows_is_found)
{
	static const struct hash stranger = {{0xff, 0xff}};
	struct hash admin;
	uint32_t site;

	(void)state;
	pair(1, 64, 64);
	give_both(delegation(0));
	for (uint32_t i = 0; i < 60; i++)
		give_both(certificate(0, i, 1, 0));
	/* Right behind the site stands a removal in twenty parts, all in the first message. */
	site = site_at(10);
	admin = member(HUB, site)->site;
	assert_true(admin.bytes[ROW_ID_SIZE - 1] < 0xff);
	admin.bytes[ROW_ID_SIZE - 1] = 0xff;
	for (uint32_t part = 0; part < 20; part++)
		give_both(part_of(&admin, FOUNDING_NOW - 1000, part, 20));
	meet();
	assert_true(mesh_agrees(&mesh));
	/* A revocation, in another message, has rows of who is out compared. */
	give(HUB, certificate(0, site, 2, 1));
	give(SPOKE, certificate(0, site, 2, 2));
	give(HUB, revocation_by_root(&stranger));
	mesh_run(&mesh, 3 * USEC_MINUTE);
	assert_true(mesh_agrees(&mesh));
	/* The range is halved until the id is left, perhaps by both at once. */
	assert_true(mesh.messages[MESSAGE_DIGEST] <= 50);
	assert_true(mesh.messages[MESSAGE_DELTA] <= 8);
}

TEST(stubborn_large_certificate_of_the_last_version_goes_out_once)
{
	(void)state;
	for (uint8_t at = HUB; at <= SPOKE; at++) {
		pair(2, 16, 16);
		give_both(delegation(1));
		give_both(certificate(1, 2, 1, 0));
		give_both(record(2, 10, RECORD_SERVICES_MAX, 1));
		meet();
		assert_true(mesh_agrees(&mesh));
		give(at, large_certificate(1, 2, 1));
		give(at == HUB ? SPOKE : HUB, large_certificate(1, 2, 2));
		mesh_run(&mesh, 2 * USEC_MINUTE);
		assert_true(mesh_agrees(&mesh));
		/* Certificate and record of each side, and once more. */
		assert_true(mesh.messages[MESSAGE_DELTA] <= 8);
		if (at == HUB)
			mesh_free(&mesh);
	}
}

TEST(stubborn_equivocations_leave_room_for_who_is_out)
{
	struct ledger *ledger;

	(void)state;
	pair(3, 16, 16);
	ledger = mesh.sites[HUB].ledger;
	give(HUB, delegation(0));
	give(HUB, delegation(1));
	for (uint32_t site = 0; site < 9; site++) {
		give(HUB, certificate(1, site, 1, 0));
		give(HUB, record(site, 10, 0, 0));
	}
	/* Nothing is left but the reserve, and the thief's sites say two things at once. */
	ledger->arena.size = ledger->arena.live + ledger->options.sites_max * 128;
	for (uint32_t services = RECORD_SERVICES_MAX; services > 0; services--) {
		for (uint32_t site = 0; site < 9; site++)
			(void)offer(HUB, record(site, 10, services, 1));
	}
	for (uint8_t i = 0; i < 8; i++)
		give(HUB, revocation_by_admin(&(struct hash){{0xff, i}}, 0));
	give(HUB, founding_removal(&mesh.founding, 1, 0, NULL, 0));
	assert_int_equal(ledger->members.count, 0);
}

/* Both sides hold another certificate of site 2; with dead, the hub also an expired row. */
static void resolve_tie(uint32_t second_issuer, uint32_t sites, bool swap, bool dead)
{
	pair(4, 32, 32);
	give_both(delegation(0));
	give_both(delegation(1));
	for (uint32_t site = 0; site < sites; site++)
		give_both(certificate(0, site, 1, 0));
	if (dead) {
		struct record record = founding_record(3, 10);

		record.issued_at = mesh_wall(&mesh, HUB) - 500;
		record.lifetime = 1;
		give(HUB, founding_seal_record(&mesh.founding, 3, &record));
		mesh_run(&mesh, 2 * USEC_SECOND);
	}
	meet();
	assert_true(mesh_agrees(&mesh));
	give(swap ? SPOKE : HUB, certificate(0, 2, 2, 1));
	give(swap ? HUB : SPOKE, certificate(second_issuer, 2, 2, 2));
	mesh_run(&mesh, 3 * USEC_MINUTE);
	assert_true(mesh_agrees(&mesh));
	assert_memory_equal(&member(HUB, 2)->certificate_hash, &member(SPOKE, 2)->certificate_hash,
		sizeof(struct hash));
	assert_true(mesh.messages[MESSAGE_DIGEST] <= 40);
	assert_true(mesh.messages[MESSAGE_DELTA] <= 8);
}

TEST(stubborn_tie_between_two_issuers_is_resolved)
{
	(void)state;
	/* Whose question comes first depends on how often the range can be halved. */
	for (uint32_t sites = 4; sites <= 6; sites++) {
		resolve_tie(1, sites, false, false);
		mesh_free(&mesh);
		resolve_tie(1, sites, true, false);
		if (sites < 6)
			mesh_free(&mesh);
	}
}

TEST(stubborn_tie_beside_an_expired_row_is_resolved)
{
	(void)state;
	for (uint32_t issuer = 0; issuer < 2; issuer++) {
		resolve_tie(issuer, 4, false, true);
		mesh_free(&mesh);
		resolve_tie(issuer, 4, true, true);
		if (issuer < 1)
			mesh_free(&mesh);
	}
}

TEST(stubborn_removal_stands_beside_a_part_of_a_longer_one)
{
	uint32_t held = 0;

	(void)state;
	/* Of the two facts either may have the smaller hash: both are among these times. */
	for (uint64_t i = 0; i < 16; i++) {
		uint64_t at = FOUNDING_NOW - 1000 + i;
		struct hash admin;

		pair(5, 16, 16);
		admin = founding_hash(&mesh.founding.admins[1]);
		give(HUB, delegation(1));
		give(HUB, certificate(1, 2, 1, 0));
		give(HUB, part_of(&admin, at, 0, 1));
		assert_null(member(HUB, 2));
		(void)offer(HUB, part_of(&admin, at, 0, 2));
		assert_int_equal(offer(HUB, certificate(1, 2, 1, 0)), VERDICT_REMOVED_ISSUER);
		held += mesh.sites[HUB].ledger->removals.count;
		if (i < 15)
			mesh_free(&mesh);
	}
	assert_int_equal(held, 2 * 16);
}

TEST(stubborn_delegation_is_told_where_a_certificate_has_its_key)
{
	struct certificate stolen;

	(void)state;
	pair(6, 16, 16);
	give_both(delegation(0));
	give_both(delegation(1));
	/* Before the root makes it an admin, a thief certifies its key as a site's. */
	stolen = founding_certificate(&mesh.founding, 1, 9);
	stolen.site = secret_public(&mesh.founding.admins[2]);
	stolen.version = CERTIFICATE_VERSION_MAX;
	give_both(founding_seal_certificate(&mesh.founding, 1, &stolen));
	meet();
	assert_true(mesh_agrees(&mesh));
	give(HUB, delegation(2));
	give(HUB, certificate(2, 5, 1, 0));
	mesh_run(&mesh, 3 * USEC_MINUTE);
	assert_true(mesh_agrees(&mesh));
	assert_int_equal(mesh.sites[SPOKE].ledger->admins.count, 3);
	assert_non_null(member(SPOKE, 5));
	assert_true(mesh.messages[MESSAGE_DELTA] <= 10);
}

TEST(stubborn_comparison_with_a_full_ledger_slows_down)
{
	(void)state;
	pair(7, 32, 4);
	give_both(delegation(0));
	for (uint32_t site = 0; site < 24; site++) {
		give(HUB, certificate(0, site, 1, 0));
		give(HUB, record(site, 10, 0, 0));
	}
	meet();
	mesh_run(&mesh, USEC_MINUTE);
	mesh_reset_counts(&mesh);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	assert_false(mesh_agrees(&mesh));
	/* Both sides ask at the shortest of the ordinary intervals, give or take a fifth. */
	assert_true(mesh.messages[MESSAGE_SUMMARY] <=
		    2 * 5 * USEC_MINUTE / (SYNC_INTERVAL_MIN * (100 - SYNC_JITTER) / 100));
}

TEST(stubborn_removal_settles_rivals_once)
{
	struct certificate rival;
	struct ledger *ledger;
	uint64_t generation;

	(void)state;
	pair(8, 32, 32);
	ledger = mesh.sites[HUB].ledger;
	give(HUB, delegation(0));
	give(HUB, delegation(1));
	for (uint32_t site = 0; site < 20; site++) {
		give(HUB, certificate(0, site, 1, 0));
		give(HUB, certificate(1, site, CERTIFICATE_VERSION_MAX, 1));
	}
	rival = founding_certificate(&mesh.founding, 0, 20);
	memcpy(rival.name, founding_certificate(&mesh.founding, 0, 1).name, sizeof rival.name);
	give(HUB, founding_seal_certificate(&mesh.founding, 0, &rival));
	assert_int_equal(ledger->rivals, 1);
	generation = ledger->generation;
	give(HUB, founding_removal(&mesh.founding, 1, 0, NULL, 0));
	/* Every settling sorts all members anew. */
	assert_int_equal(ledger->generation - generation, 1);
	assert_int_equal(ledger->rivals, 1);
	for (uint32_t site = 0; site < 20; site++) {
		assert_int_equal(member(HUB, site)->version, 1);
		assert_true(member(HUB, site)->in_force);
	}
}

TEST(stubborn_removal_is_told_behind_made_up_revocations)
{
	struct hash admin;

	(void)state;
	pair(9, 128, 128);
	admin = founding_hash(&mesh.founding.admins[2]);
	for (uint32_t i = 0; i < FOUNDING_ADMINS; i++)
		give_both(delegation(i));
	give_both(certificate(2, 2, 1, 0));
	/* More rows under one id than a message holds. */
	for (uint8_t i = 0; i < MESSAGE_ROWS_MAX + 6; i++) {
		struct hash made_up = admin;

		made_up.bytes[ROW_ID_SIZE] = 0;
		made_up.bytes[ROW_ID_SIZE + 1] = i;
		(void)offer(HUB, revocation_by_admin(&made_up, 1));
		(void)offer(SPOKE, revocation_by_admin(&made_up, 1));
	}
	meet();
	assert_true(mesh_agrees(&mesh));
	give(HUB, founding_removal(&mesh.founding, 2, 0, NULL, 0));
	mesh_run(&mesh, 3 * USEC_MINUTE);
	assert_true(mesh_agrees(&mesh));
	assert_int_equal(mesh.sites[SPOKE].ledger->removals.count, 1);
	assert_null(member(SPOKE, 2));
	assert_true(mesh.messages[MESSAGE_DELTA] <= 8);
}

#define STUBBORN(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		STUBBORN(stubborn_tie_before_an_id_with_many_rows_is_found),
		STUBBORN(stubborn_large_certificate_of_the_last_version_goes_out_once),
		STUBBORN(stubborn_equivocations_leave_room_for_who_is_out),
		STUBBORN(stubborn_tie_between_two_issuers_is_resolved),
		STUBBORN(stubborn_tie_beside_an_expired_row_is_resolved),
		STUBBORN(stubborn_removal_stands_beside_a_part_of_a_longer_one),
		STUBBORN(stubborn_delegation_is_told_where_a_certificate_has_its_key),
		STUBBORN(stubborn_comparison_with_a_full_ledger_slows_down),
		STUBBORN(stubborn_removal_settles_rivals_once),
		STUBBORN(stubborn_removal_is_told_behind_made_up_revocations),
	};

	return RUN(cases);
}

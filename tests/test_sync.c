/* SPDX-License-Identifier: MIT */
/*
 * test_sync.c - what one change costs, how fast it spreads, and what happens when things are lost.
 */
#include "tests/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mesh.h"

static struct mesh mesh;

static int tear_down(void **state)
{
	(void)state;
	mesh_free(&mesh);
	return 0;
}

/* A star that has come to rest. */
static void rest(uint32_t count, uint8_t seed)
{
	mesh_init(&mesh, count, seed, true);
	for (uint32_t i = 1; i < count; i++)
		mesh_connect_hub(&mesh, i);
	for (uint32_t i = 0; i < count; i++)
		mesh_record(&mesh, i);
	assert_true(mesh_converge(&mesh, 60 * USEC_SECOND) != USEC_NEVER);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	mesh_reset_counts(&mesh);
}

TEST(sync_one_change_in_fifty_sites_costs_what_it_must)
{
	usec_t start;
	usec_t latest = 0;

	(void)state;
	rest(50, 1);
	start = mesh.now;
	mesh_record(&mesh, 7);
	mesh_run(&mesh, 900 * USEC_MSEC);
	assert_true(mesh_agrees(&mesh));
	for (uint32_t i = 0; i < 50; i++)
		latest = mesh.sites[i].learned_at > latest ? mesh.sites[i].learned_at : latest;
	print_message("# one change in 50 sites: %" PRIu64 " deltas, %" PRIu64
		      " rows' messages, %" PRIu64 " bytes, %" PRId64 " ms\n",
		mesh.messages[MESSAGE_DELTA], mesh.messages[MESSAGE_IHAVE], mesh.bytes,
		(latest - start) / USEC_MSEC);
	assert_int_equal(mesh.messages[MESSAGE_DELTA], 49);
	assert_int_equal(mesh.messages[MESSAGE_IHAVE], 49);
	assert_int_equal(mesh.messages[MESSAGE_WANT], 0);
	assert_true(mesh.bytes <= 26000);
	/* Two ways of 20 ms, give or take a tenth, and 20 ms of waiting for more. */
	assert_true(latest - start <= 2 * 22 * USEC_MSEC + SYNC_COALESCE);
}

TEST(sync_idle_costs_next_to_nothing)
{
	uint64_t per_spoke;

	(void)state;
	rest(50, 2);
	mesh_run(&mesh, USEC_HOUR);
	per_spoke = mesh.bytes / 49 / 3600;
	print_message("# idle: %" PRIu64
		      " bytes/s a spoke, both directions (without WireGuard's own)\n",
		per_spoke);
	/* WireGuard's keepalives and handshakes are about 10 bytes/s more. */
	assert_true(per_spoke <= 30);
	assert_int_equal(mesh.messages[MESSAGE_DELTA], 0);
	assert_int_equal(mesh.messages[MESSAGE_DIGEST], 0);
}

TEST(sync_fits_into_1280_bytes)
{
	(void)state;
	mesh_init(&mesh, 60, 3, false);
	for (uint32_t i = 1; i < 60; i++)
		mesh_connect_hub(&mesh, i);
	for (uint32_t i = 0; i < 60; i++)
		mesh_record(&mesh, i);
	assert_true(mesh_converge(&mesh, 60 * USEC_SECOND) != USEC_NEVER);
	/* With IPv6 inside the tunnel 20 more. */
	assert_true(mesh.largest + 20 <= 1280);
	assert_true(mesh.largest > 1000);
}

TEST(sync_converges_under_loss_and_duplication)
{
	(void)state;
	for (uint8_t seed = 0; seed < 20; seed++) {
		usec_t took;

		mesh_init(&mesh, 20, seed, true);
		mesh.loss = 300;
		mesh.twice = 200;
		for (uint32_t i = 1; i < 20; i++)
			mesh_connect_hub(&mesh, i);
		for (uint32_t i = 0; i < 20; i++)
			mesh_record(&mesh, i);
		mesh_run(&mesh, 2 * USEC_SECOND);
		mesh_record(&mesh, seed);
		mesh_run(&mesh, 2 * USEC_SECOND);
		took = mesh_converge(&mesh, 5 * USEC_MINUTE);
		assert_true(took != USEC_NEVER);
		if (seed < 19)
			mesh_free(&mesh);
	}
}

TEST(sync_newcomer_gets_everything_at_once)
{
	usec_t took;

	(void)state;
	mesh_init(&mesh, 40, 4, false);
	for (uint32_t i = 1; i < 39; i++)
		mesh_connect_hub(&mesh, i);
	for (uint32_t i = 0; i < 39; i++)
		mesh_record(&mesh, i);
	mesh.sites[39].down = true;
	assert_true(mesh_converge(&mesh, 60 * USEC_SECOND) != USEC_NEVER);
	mesh_run(&mesh, USEC_MINUTE);
	mesh.sites[39].down = false;
	mesh_connect_hub(&mesh, 39);
	took = mesh_converge(&mesh, 10 * USEC_SECOND);
	print_message("# a newcomer among 40 knows all after %" PRId64 " ms\n", took / USEC_MSEC);
	assert_true(took <= USEC_SECOND);
}

TEST(sync_partition_heals)
{
	usec_t took;

	(void)state;
	rest(20, 5);
	mesh_disconnect(&mesh, 5, 0);
	mesh_disconnect(&mesh, 6, 0);
	mesh_record(&mesh, 5);
	mesh_record(&mesh, 6);
	mesh_record(&mesh, 7);
	mesh_run(&mesh, 10 * USEC_MINUTE);
	assert_false(mesh_agrees(&mesh));
	mesh_connect_hub(&mesh, 5);
	mesh_connect_hub(&mesh, 6);
	took = mesh_converge(&mesh, USEC_MINUTE);
	/* On reconnection at once: a few round trips. */
	assert_true(took <= USEC_SECOND);
}

TEST(sync_lost_push_is_repeated_and_then_compared)
{
	usec_t took;

	(void)state;
	rest(10, 6);
	/* Nothing gets through for ten seconds: all repetitions are lost. */
	mesh.loss = 1000;
	mesh_record(&mesh, 3);
	mesh_run(&mesh, 10 * USEC_SECOND);
	assert_true(mesh.sites[3].sync.counters[SYNC_UNACKNOWLEDGED] > 0);
	mesh.loss = 0;
	took = mesh_converge(&mesh, USEC_MINUTE);
	/* 1.2 intervals and three round trips, for each of the two hops. */
	assert_true(took <= 2 * (12 * USEC_SECOND + 3 * 40 * USEC_MSEC));
}

TEST(sync_revocation_reaches_everybody_and_is_acknowledged)
{
	struct sync_confirmation confirmation;
	struct bytes fact;

	(void)state;
	rest(20, 7);
	assert_false(
		sync_confirmed(&mesh.sites[0].sync, mesh.now, &mesh.sites[9].id, &confirmation));
	fact = founding_revocation(&mesh.founding, 0, 9);
	mesh_publish(&mesh, 4, &fact);
	mesh_run(&mesh, 300 * USEC_MSEC);
	/* The admin's site knows that the hub has it; the hub knows that all have it. */
	assert_true(
		sync_confirmed(&mesh.sites[4].sync, mesh.now, &mesh.sites[9].id, &confirmation));
	assert_int_equal(confirmation.confirmed, 1);
	assert_int_equal(confirmation.of, 1);
	assert_true(confirmation.age == 300 * USEC_MSEC);
	assert_true(
		sync_confirmed(&mesh.sites[0].sync, mesh.now, &mesh.sites[9].id, &confirmation));
	assert_int_equal(confirmation.confirmed, 19);
	assert_int_equal(confirmation.of, 19);
	for (uint32_t i = 0; i < 20; i++) {
		assert_null(ledger_find(mesh.sites[i].ledger, &mesh.sites[9].id));
		assert_int_equal(mesh.sites[i].ledger->revocations.count, 1);
	}
	/* The hub has nobody left to tell. */
	for (uint32_t i = 0; i < mesh.sites[0].sync.neighbours.count; i++) {
		const struct neighbour *n = table_at(&mesh.sites[0].sync.neighbours, i);

		assert_int_equal(n->out_count, 0);
	}
	/* Who was away hears of it on coming back. */
	mesh_disconnect(&mesh, 5, 0);
	mesh.wires[0][6] = false;
	fact = founding_revocation(&mesh.founding, 1, 8);
	mesh_publish(&mesh, 4, &fact);
	mesh_run(&mesh, 5 * USEC_SECOND);
	assert_true(
		sync_confirmed(&mesh.sites[0].sync, mesh.now, &mesh.sites[8].id, &confirmation));
	assert_int_equal(confirmation.confirmed, 17);
	assert_int_equal(confirmation.of, 18);
	mesh.wires[0][6] = true;
	mesh_run(&mesh, 15 * USEC_SECOND);
	assert_true(
		sync_confirmed(&mesh.sites[0].sync, mesh.now, &mesh.sites[8].id, &confirmation));
	assert_int_equal(confirmation.confirmed, 18);
	assert_false(mesh_agrees(&mesh));
	mesh_connect_hub(&mesh, 5);
	assert_true(mesh_converge(&mesh, USEC_SECOND) != USEC_NEVER);
	assert_null(ledger_find(mesh.sites[5].ledger, &mesh.sites[8].id));
}

TEST(sync_farewell_is_followed)
{
	struct sync_confirmation confirmation;
	struct record record;
	struct bytes fact;

	(void)state;
	rest(10, 14);
	record = founding_record(5, mesh_wall(&mesh, 5) + 1);
	record.issued_at = mesh_wall(&mesh, 5);
	record.flags = RECORD_LEFT;
	record.lifetime = RECORD_LEFT_LIFETIME_S;
	fact = founding_seal_record(&mesh.founding, 5, &record);
	mesh_publish(&mesh, 5, &fact);
	mesh_run(&mesh, 200 * USEC_MSEC);
	assert_true(
		sync_confirmed(&mesh.sites[5].sync, mesh.now, &mesh.sites[5].id, &confirmation));
	assert_int_equal(confirmation.confirmed, 1);
	for (uint32_t i = 0; i < 10; i++)
		assert_true(ledger_find(mesh.sites[i].ledger, &mesh.sites[5].id)->left);
	/* It comes back by a later record. */
	mesh.sites[5].sequence = record.sequence;
	mesh_record(&mesh, 5);
	mesh_run(&mesh, 200 * USEC_MSEC);
	for (uint32_t i = 0; i < 10; i++)
		assert_false(ledger_find(mesh.sites[i].ledger, &mesh.sites[5].id)->left);
}

TEST(sync_over_links_alone_when_the_hub_is_gone)
{
	usec_t took;
	struct bytes fact;

	(void)state;
	rest(12, 8);
	/* A ring of links, then no hub. */
	for (uint32_t i = 1; i < 12; i++)
		mesh_connect(&mesh, i, i == 11 ? 1 : i + 1);
	mesh_run(&mesh, USEC_MINUTE);
	for (uint32_t i = 1; i < 12; i++)
		mesh_disconnect(&mesh, i, 0);
	mesh.sites[0].down = true;
	mesh_record(&mesh, 3);
	took = mesh_converge(&mesh, USEC_MINUTE);
	print_message("# a change around a ring of 11 links: %" PRId64 " ms\n", took / USEC_MSEC);
	assert_true(took <= USEC_SECOND);
	fact = founding_revocation(&mesh.founding, 0, 7);
	mesh_publish(&mesh, 1, &fact);
	assert_true(mesh_converge(&mesh, USEC_MINUTE) <= USEC_SECOND);
	/* Two halves that are joined again. */
	mesh_disconnect(&mesh, 3, 4);
	mesh_disconnect(&mesh, 9, 10);
	mesh_record(&mesh, 1);
	mesh_record(&mesh, 8);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	assert_false(mesh_agrees(&mesh));
	mesh_connect(&mesh, 3, 4);
	assert_true(mesh_converge(&mesh, USEC_MINUTE) <= 2 * USEC_SECOND);
}

TEST(sync_link_notice_saves_the_copy_that_the_hub_brings)
{
	(void)state;
	rest(10, 9);
	mesh_connect(&mesh, 2, 3);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	mesh_reset_counts(&mesh);
	mesh_record(&mesh, 2);
	mesh_run(&mesh, 900 * USEC_MSEC);
	assert_int_equal(mesh.messages[MESSAGE_DELTA], 9);
	assert_int_equal(mesh.messages[MESSAGE_WANT], 0);
	/* If the hub's copy does not come, it is asked for over the link. */
	mesh.wires[0][3] = false;
	mesh_record(&mesh, 2);
	mesh_run(&mesh, 700 * USEC_MSEC);
	assert_int_equal(mesh.messages[MESSAGE_WANT], 1);
	assert_memory_equal(&ledger_find(mesh.sites[3].ledger, &mesh.sites[2].id)->sequence,
		&mesh.sites[2].sequence, sizeof(uint64_t));
}

TEST(sync_equivocation_ends_alike_everywhere)
{
	struct record record = founding_record(5, FOUNDING_NOW + 700000);
	struct record other = record;
	struct bytes a;
	struct bytes b;

	(void)state;
	rest(10, 10);
	record.issued_at = other.issued_at = FOUNDING_NOW + 300000;
	other.flags = RECORD_RELAY_ONLY;
	a = founding_seal_record(&mesh.founding, 5, &record);
	b = founding_seal_record(&mesh.founding, 5, &other);
	/* The same site, twice: one says a, the other says b, at two places of the star; either
	 * way. */
	for (int turn = 0; turn < 2; turn++) {
		mesh_disconnect(&mesh, 5, 0);
		mesh_publish(&mesh, 5, turn ? &b : &a);
		mesh_publish(&mesh, 3, turn ? &a : &b);
		mesh_run(&mesh, USEC_SECOND);
		mesh_connect_hub(&mesh, 5);
		assert_true(mesh_converge(&mesh, USEC_MINUTE) != USEC_NEVER);
		assert_true(
			mesh.sites[0].ledger->equivocations + mesh.sites[5].ledger->equivocations >
			0);
		if (turn == 0) {
			mesh_free(&mesh);
			rest(10, 10);
		}
	}
	assert_true(mesh.sites[0].ledger->equivocations + mesh.sites[5].ledger->equivocations > 0);
}

TEST(sync_tie_is_answered_with_the_winner)
{
	struct message message = {.type = MESSAGE_DELTA, .fact_count = 1};
	struct record record = founding_record(2, FOUNDING_NOW + 700000);
	uint8_t datagram[MESSAGE_SIZE_MAX];
	struct sync_actions actions;
	struct bytes facts[2];
	struct hash hashes[2];
	bool answered = false;
	size_t winner;

	(void)state;
	rest(5, 16);
	record.issued_at = mesh_wall(&mesh, 0);
	for (size_t i = 0; i < 2; i++) {
		record.flags = i ? RECORD_RELAY_ONLY : 0;
		facts[i] = founding_seal_record(&mesh.founding, 2, &record);
		hashes[i] = hash_of(facts[i].bytes, facts[i].size);
	}
	winner = hash_compare(&hashes[1], &hashes[0]) > 0;
	(void)ledger_offer(mesh.sites[0].ledger, mesh_wall(&mesh, 0), facts[winner].bytes,
		facts[winner].size, true);
	message.facts[0] = facts[!winner].bytes;
	message.fact_sizes[0] = facts[!winner].size;
	sync_receive(&mesh.sites[0].sync, mesh.now, mesh_wall(&mesh, 0), &mesh.sites[3].id,
		datagram, message_write(&message, &mesh.founding.collective, datagram), &actions);
	sync_step(&mesh.sites[0].sync, mesh.now, mesh_wall(&mesh, 0), &actions);
	for (uint32_t i = 0; i < actions.message_count; i++)
		answered |= memmem(actions.messages[i].bytes, actions.messages[i].size,
				    facts[winner].bytes, facts[winner].size) != NULL;
	assert_true(answered);
}

TEST(sync_flood_costs_the_flooder)
{
	struct mesh_site *hub = &mesh.sites[0];
	struct sync_actions actions;
	struct record record;
	uint64_t taken = 0;
	usec_t took;

	(void)state;
	rest(10, 11);
	record = founding_record(3, 0);
	/* 2,000 records of its own in one second, each newer than the one before. */
	for (uint32_t i = 0; i < 2000; i++) {
		struct message message = {.type = MESSAGE_DELTA, .fact_count = 1};
		uint8_t datagram[MESSAGE_SIZE_MAX];
		struct bytes fact;
		size_t size;

		record.sequence = mesh_wall(&mesh, 3) + i;
		record.issued_at = mesh_wall(&mesh, 3);
		fact = founding_seal_record(&mesh.founding, 3, &record);
		message.facts[0] = fact.bytes;
		message.fact_sizes[0] = fact.size;
		size = message_write(&message, &mesh.founding.collective, datagram);
		mesh.now += 500;
		sync_receive(&hub->sync, mesh.now, mesh_wall(&mesh, 0), &mesh.sites[3].id, datagram,
			size, &actions);
		taken += actions.learned_count;
	}
	print_message("# of 2000 records in a second %" PRIu64 " were taken\n", taken);
	assert_true(taken <= SYNC_RECORD_BURST + 1);
	assert_true(hub->sync.counters[SYNC_OVER_BUDGET] > 1500);
	/* An honest site does not notice. */
	mesh_reset_counts(&mesh);
	mesh_record(&mesh, 7);
	took = mesh.now;
	mesh_run(&mesh, 500 * USEC_MSEC);
	assert_true(mesh.sites[8].learned_at - took <= 100 * USEC_MSEC);
}

TEST(sync_questions_do_not_multiply)
{
	const struct message empty = {
		.type = MESSAGE_DIGEST, .end = {{255, 255, 255, 255, 255, 255, 255, 255}}};
	uint8_t datagram[MESSAGE_SIZE_MAX];
	struct sync_actions actions;
	uint64_t answered = 0;
	usec_t end;
	size_t size;

	(void)state;
	rest(50, 15);
	size = message_write(&empty, &mesh.founding.collective, datagram);
	/* Twenty seconds of empty digests, as fast as they are taken: each asks for everything. */
	for (end = mesh.now + 20 * USEC_SECOND; mesh.now < end; mesh.now += 20 * USEC_MSEC) {
		sync_receive(&mesh.sites[0].sync, mesh.now, mesh_wall(&mesh, 0), &mesh.sites[3].id,
			datagram, size, &actions);
		do {
			sync_step(&mesh.sites[0].sync, mesh.now, mesh_wall(&mesh, 0), &actions);
			for (uint32_t i = 0; i < actions.message_count; i++)
				answered += actions.messages[i].size;
		} while (actions.message_count > 0);
	}
	print_message("# answers to a flood of questions: %" PRIu64 " bytes/s\n", answered / 20);
	assert_true(answered <= SYNC_ANSWER_BURST + 21 * SYNC_ANSWER_PER_SECOND);
}

TEST(sync_garbage_is_counted_and_not_answered)
{
	struct sync_actions actions;
	struct sync *sync;
	uint8_t bytes[MESSAGE_SIZE_MAX + 1];
	uint64_t wall;
	struct row_id stranger = {{1}};
	struct message message = {.type = MESSAGE_HELLO};
	size_t size;

	(void)state;
	rest(5, 12);
	sync = &mesh.sites[0].sync;
	wall = mesh_wall(&mesh, 0);
	for (int i = 0; i < 90; i++) {
		prng_bytes(&mesh.prng, bytes, sizeof bytes);
		sync_receive(sync, mesh.now, wall, &mesh.sites[1].id, bytes, (size_t)i, &actions);
		assert_int_equal(actions.message_count + actions.learned_count, 0);
	}
	assert_int_equal(sync->counters[SYNC_MALFORMED], 90);
	sync_receive(sync, mesh.now, wall, &mesh.sites[1].id, bytes, sizeof bytes, &actions);
	assert_int_equal(sync->counters[SYNC_MALFORMED], 91);
	mesh.now += 10 * USEC_SECOND;
	size = message_write(&message, &(struct hash){{9}}, bytes);
	sync_receive(sync, mesh.now, wall, &mesh.sites[1].id, bytes, size, &actions);
	assert_int_equal(sync->counters[SYNC_FOREIGN], 1);
	size = message_write(&message, &mesh.founding.collective, bytes);
	sync_receive(sync, mesh.now, wall, &stranger, bytes, size, &actions);
	assert_int_equal(sync->counters[SYNC_STRANGER], 1);
	assert_int_equal(actions.message_count, 0);
	bytes[1] = 7;
	sync_receive(sync, mesh.now, wall, &mesh.sites[1].id, bytes, size, &actions);
	assert_int_equal(sync->counters[SYNC_NEWER], 1);
}

/* Three hubs, each connected to both others, and three spokes on each; site 11 is on two hubs. */
static void rest_on_three_hubs(uint8_t seed)
{
	mesh_init(&mesh, 12, seed, true);
	for (uint32_t hub = 0; hub < 3; hub++)
		mesh.sites[hub].sync.options.hub = true;
	for (uint32_t i = 0; i < 12; i++) {
		for (uint32_t hub = 0; hub < 3; hub++) {
			bool spoke = i >= 3 && (i % 3 == hub || (i == 11 && hub == 0));

			if (i < 3 && i != hub)
				mesh_wire(&mesh, i, hub, NEIGHBOUR_HUB);
			if (!spoke)
				continue;
			mesh_wire(&mesh, i, hub, NEIGHBOUR_HUB);
			mesh_wire(&mesh, hub, i, NEIGHBOUR_SPOKE);
		}
	}
	for (uint32_t i = 0; i < 12; i++)
		mesh_record(&mesh, i);
	assert_true(mesh_converge(&mesh, 60 * USEC_SECOND) != USEC_NEVER);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	mesh_reset_counts(&mesh);
}

TEST(sync_what_a_hub_said_hubs_know)
{
	(void)state;
	rest_on_three_hubs(14);
	/* One copy for each of the eleven others, and one more where a site is on two hubs. */
	mesh_record(&mesh, 3);
	mesh_run(&mesh, 900 * USEC_MSEC);
	assert_true(mesh_agrees(&mesh));
	assert_int_equal(mesh.messages[MESSAGE_DELTA], 11 + 1);
	/* Whoever is on two hubs tells both; each has it before the other could say so. */
	mesh_reset_counts(&mesh);
	mesh_record(&mesh, 11);
	mesh_run(&mesh, 900 * USEC_MSEC);
	assert_true(mesh_agrees(&mesh));
	assert_true(mesh.messages[MESSAGE_DELTA] <= 2 + 4 + 8);
	/* A wire between hubs that breaks is made good by comparison. */
	mesh.wires[0][1] = false;
	mesh.wires[1][0] = false;
	mesh_record(&mesh, 3);
	assert_true(mesh_converge(&mesh, 24 * USEC_SECOND) != USEC_NEVER);
}

TEST(sync_revocations_by_two_admins_reach_everybody)
{
	struct bytes facts[2];

	(void)state;
	rest(12, 15);
	mesh.loss = 200;
	for (uint32_t i = 0; i < 2; i++)
		facts[i] = founding_revocation(&mesh.founding, i, 9);
	mesh_publish(&mesh, 3, &facts[0]);
	mesh_publish(&mesh, 7, &facts[1]);
	assert_true(mesh_converge(&mesh, 90 * USEC_SECOND) != USEC_NEVER);
	mesh.loss = 0;
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(mesh.sites[i].ledger->revocations.count, 2);
	/* The thief among them goes; the revocation by the other stands everywhere. */
	facts[1] = founding_removal(&mesh.founding, 1, 0, NULL, 0);
	mesh_publish(&mesh, 0, &facts[1]);
	assert_true(mesh_converge(&mesh, 30 * USEC_SECOND) != USEC_NEVER);
	for (uint32_t i = 0; i < 12; i++) {
		assert_int_equal(mesh.sites[i].ledger->revocations.count, 1);
		assert_null(ledger_find(mesh.sites[i].ledger, &mesh.sites[9].id));
	}
}

TEST(sync_revocation_is_told_to_whoever_speaks_of_the_site)
{
	struct bytes fact;

	(void)state;
	rest(4, 16);
	/* The hub alone knows; a spoke that missed it passes on a record of the revoked site. */
	fact = founding_revocation(&mesh.founding, 0, 2);
	assert_int_equal(founding_offer(mesh.sites[0].ledger, &fact), VERDICT_NEW);
	mesh_record(&mesh, 2);
	mesh_run(&mesh, 500 * USEC_MSEC);
	assert_int_equal(mesh.sites[2].ledger->revocations.count, 1);
}

TEST(sync_expired_record_is_not_asked_for)
{
	(void)state;
	rest(3, 17);
	/* For site 1, whose clock is ahead, the record of site 2 has expired. */
	mesh.sites[1].clock_ms = (int64_t)RECORD_LIFETIME_S * 1000;
	mesh_run(&mesh, 3 * USEC_MINUTE);
	assert_int_equal(mesh.messages[MESSAGE_WANT], 0);
	assert_int_equal(ledger_row(mesh.sites[1].ledger, &mesh.sites[2].id).sequence,
		ledger_row(mesh.sites[0].ledger, &mesh.sites[2].id).sequence);
}

TEST(message_items_of_a_newer_program_are_passed_over)
{
	struct message message = {.type = MESSAGE_SUMMARY, .clock = 5, .summary = {.facts = 3}};
	struct message out;
	uint8_t bytes[MESSAGE_SIZE_MAX];
	size_t size;

	(void)state;
	mesh_init(&mesh, 2, 13, true);
	size = message_write(&message, &mesh.founding.collective, bytes);
	assert_int_equal(message_read(&out, &mesh.founding.collective, bytes, size), 0);
	bytes[0]++;
	bytes[size++] = 0xc0;
	assert_int_equal(message_read(&out, &mesh.founding.collective, bytes, size), 0);
	assert_int_equal(out.summary.facts, 3);
	assert_int_equal(out.clock, 5);
}

#define SYNC(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		SYNC(sync_one_change_in_fifty_sites_costs_what_it_must),
		SYNC(sync_idle_costs_next_to_nothing),
		SYNC(sync_fits_into_1280_bytes),
		SYNC(sync_converges_under_loss_and_duplication),
		SYNC(sync_newcomer_gets_everything_at_once),
		SYNC(sync_partition_heals),
		SYNC(sync_lost_push_is_repeated_and_then_compared),
		SYNC(sync_revocation_reaches_everybody_and_is_acknowledged),
		SYNC(sync_farewell_is_followed),
		SYNC(sync_over_links_alone_when_the_hub_is_gone),
		SYNC(sync_link_notice_saves_the_copy_that_the_hub_brings),
		SYNC(sync_equivocation_ends_alike_everywhere),
		SYNC(sync_tie_is_answered_with_the_winner),
		SYNC(sync_flood_costs_the_flooder),
		SYNC(sync_questions_do_not_multiply),
		SYNC(sync_garbage_is_counted_and_not_answered),
		SYNC(sync_what_a_hub_said_hubs_know),
		SYNC(sync_revocations_by_two_admins_reach_everybody),
		SYNC(sync_revocation_is_told_to_whoever_speaks_of_the_site),
		SYNC(sync_expired_record_is_not_asked_for),
		SYNC(message_items_of_a_newer_program_are_passed_over),
	};

	return RUN(cases);
}

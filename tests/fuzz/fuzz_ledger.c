/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ledger.c - sequences of events for a small ledger and its sync: facts of every kind in any
 * order, times, messages with any bytes, neighbours that come and go. After each, what must always
 * be true is checked.
 *
 * Two bytes are one event: what, and about whom.
 */
#include <string.h>

#include "gossip/sync.h"
#include "tests/founding.h"
#include "tests/fuzz/fuzz.h"

#define SITES 6
#define NEIGHBOURS 4

struct world {
	struct founding founding;
	struct ledger *ledger;
	struct sync sync;
	struct prng prng;
	struct row_id neighbours[NEIGHBOURS];
	usec_t now;
	uint64_t wall;
	_Alignas(16) uint8_t memory[NEIGHBOURS * (sizeof(struct neighbour) + 4)];
};

/* Names, prefixes and counts in force agree with the members. */
static void check_ledger(const struct world *w)
{
	const struct ledger *ledger = w->ledger;
	uint32_t waiting = 0;

	REQUIRE(ledger->members.count <= ledger->options.sites_max);
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);
		struct certificate certificate;

		ledger_certificate(ledger, member, &certificate);
		REQUIRE(!ledger_is_revoked(ledger, &member->site));
		REQUIRE(certificate.version == member->version);
		waiting += !member->in_force;
	}
	REQUIRE(ledger->rivals == waiting);
	REQUIRE(ledger->claims.count == 4 * (ledger->members.count - waiting));
	REQUIRE(ledger->arena.live <= ledger->arena.used &&
		ledger->arena.used <= ledger->arena.size);
}

static void check_actions(const struct sync_actions *actions)
{
	REQUIRE(actions->message_count <= SYNC_MESSAGES_MAX);
	REQUIRE(actions->learned_count <= SYNC_LEARNED_MAX);
	for (uint32_t i = 0; i < actions->message_count; i++)
		REQUIRE(actions->messages[i].size <= MESSAGE_SIZE_MAX);
}

static void make_fact(struct world *w, uint8_t what, uint8_t whom, struct bytes *out)
{
	uint32_t site = whom % SITES;
	uint32_t admin = whom / 16 % FOUNDING_ADMINS;
	struct delegation delegation = founding_delegation(&w->founding, admin);
	struct certificate certificate = founding_certificate(&w->founding, admin, site);
	struct record record = founding_record(site, 1 + what / 8 % 8);

	switch (what % 8) {
	case 0:
		delegation.version = 1 + what / 8 % 4;
		delegation.grants = what / 16 + 1u;
		*out = founding_seal_delegation(&w->founding, &delegation);
		break;
	case 1:
	case 2:
		certificate.version = 1 + what / 8 % 4;
		certificate.since -= what / 32;
		if (what & 0x80)
			memcpy(certificate.name, "same", 5);
		*out = founding_seal_certificate(&w->founding, admin, &certificate);
		break;
	case 3:
		*out = founding_revocation(&w->founding, admin, site);
		break;
	case 4:
		*out = founding_removal(&w->founding, admin, what % 2, NULL, 0);
		break;
	default:
		record.issued_at += what / 64;
		*out = founding_seal_record(&w->founding, site, &record);
		break;
	}
}

static void receive(struct world *w, const struct row_id *from, const void *bytes, size_t size)
{
	struct sync_actions actions;

	sync_receive(&w->sync, w->now, w->wall, from, bytes, size, &actions);
	check_actions(&actions);
}

/* A fact arrives in a message of a neighbour. */
static void deliver(struct world *w, uint8_t what, uint8_t whom)
{
	struct message message = {.type = MESSAGE_DELTA, .fact_count = 1};
	uint8_t datagram[MESSAGE_SIZE_MAX];
	struct bytes fact;

	make_fact(w, what, whom, &fact);
	message.facts[0] = fact.bytes;
	message.fact_sizes[0] = fact.size;
	receive(w, &w->neighbours[whom % NEIGHBOURS], datagram,
		message_write(&message, &w->founding.collective, datagram));
}

/* Any bytes arrive as a message that is at least addressed right. */
static void deliver_raw(struct world *w, uint8_t whom, const uint8_t *bytes, size_t size)
{
	struct message message = {.type = 1 + whom % 5, .end = {{255}}};
	uint8_t datagram[MESSAGE_SIZE_MAX];
	size_t written = message_write(&message, &w->founding.collective, datagram);

	for (size_t i = 0; i < size; i++)
		datagram[12 + i % (written - 12)] ^= bytes[i];
	receive(w, &w->neighbours[whom % NEIGHBOURS], datagram, written);
}

static void pass_time(struct world *w, usec_t duration)
{
	struct sync_actions actions;
	usec_t end = w->now + duration;

	for (int steps = 0; sync_wakeup(&w->sync) <= end; steps++) {
		usec_t at = sync_wakeup(&w->sync);

		/* A machine that wakes itself for ever would be a fault. */
		REQUIRE(steps < 10000);
		w->now = at > w->now ? at : w->now;
		sync_step(&w->sync, w->now, w->wall, &actions);
		check_actions(&actions);
	}
	w->wall += (uint64_t)(duration / USEC_MSEC);
	w->now = end;
}

static void play(struct world *w, uint8_t what, uint8_t whom, const uint8_t *rest, size_t size)
{
	const struct row_id *id = &w->neighbours[whom % NEIGHBOURS];

	switch (what % 16) {
	case 12:
		(void)sync_connect(&w->sync, w->now, id, whom / 4 % 3);
		break;
	case 13:
		sync_disconnect(&w->sync, id);
		break;
	case 14:
		pass_time(w, (1 + whom) * 100 * USEC_MSEC);
		break;
	case 15:
		deliver_raw(w, whom, rest, size < 32 ? size : 32);
		break;
	default:
		deliver(w, what, whom);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct world w;
	const struct sync_options options = {
		.neighbours_max = NEIGHBOURS, .boot = 1, .hub = size % 2};

	if (size > 400)
		return 0;
	memset(&w, 0, sizeof w);
	founding_init(&w.founding, &crypto_stub, 4);
	w.ledger = founding_ledger(&w.founding);
	w.now = USEC_SECOND;
	w.wall = FOUNDING_NOW;
	prng_init(&w.prng, (const uint8_t[PRNG_SEED_SIZE]){1});
	for (uint8_t i = 0; i < NEIGHBOURS; i++)
		w.neighbours[i].bytes[0] = i;
	sync_init(&w.sync, &options, w.ledger, &w.prng, w.memory);
	for (size_t i = 0; i + 1 < size; i += 2) {
		play(&w, bytes[i], bytes[i + 1], bytes + i, size - i);
		check_ledger(&w);
	}
	founding_ledger_free(w.ledger);
	return 0;
}

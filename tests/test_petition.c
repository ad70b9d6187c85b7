/* SPDX-License-Identifier: MIT */
/*
 * test_petition.c - the next version of a certificate, the rotation of keys, and the numbers of
 * records.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "gossip/author.h"
#include "gossip/petition.h"
#include "tests/founding.h"

static struct founding founding;
static struct ledger *ledger;
static uint8_t fact[FACT_SIZE_MAX];
static struct ledger_outcome outcome;

static int set_up(void **state)
{
	struct delegation delegation;
	struct bytes bytes;

	(void)state;
	founding_init(&founding, &crypto_stub, 16);
	ledger = founding_ledger(&founding);
	delegation = founding_delegation(&founding, 0);
	bytes = founding_seal_delegation(&founding, &delegation);
	assert_int_equal(founding_offer(ledger, &bytes), VERDICT_NEW);
	for (uint32_t site = 1; site <= 2; site++) {
		struct certificate certificate = founding_certificate(&founding, 0, site);

		bytes = founding_seal_certificate(&founding, 0, &certificate);
		assert_int_equal(founding_offer(ledger, &bytes), VERDICT_NEW);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	founding_ledger_free(ledger);
	return 0;
}

/* Site 1 wants another backbone key. */
static struct petition petition_of(uint8_t key)
{
	struct certificate held = founding_certificate(&founding, 0, 1);

	return (struct petition){
		.site = held.site,
		.version = 1,
		.backbone = {{20, key}},
		.links = held.links,
		.clock = FOUNDING_NOW,
	};
}

static enum petition_result answer(const struct petition *petition, bool approved)
{
	const struct petition_terms terms = {
		.admin = &founding.admins[0], .routes_approved = approved};

	return petition_answer(ledger, FOUNDING_NOW, petition, &terms, fact, &outcome);
}

static struct certificate held_by(uint32_t site)
{
	struct secret secret = founding_site(site);
	struct key key = secret_public(&secret);
	struct certificate certificate;

	ledger_certificate(ledger, ledger_find_site(ledger, &key), &certificate);
	return certificate;
}

TEST(petition_round_trips_and_is_signed)
{
	struct petition in = petition_of(1);
	struct petition out;
	struct secret site = founding_site(1);
	struct hash other = {{1}};
	uint8_t bytes[PETITION_SIZE_MAX];
	size_t size;

	(void)state;
	in.routes = (struct prefixes){1, {{address_ipv4(0xc0a80700), 24}}};
	size = petition_write(&in, &site, &founding.collective, &crypto_real, bytes);
	assert_int_equal(petition_read(&out, &founding.collective, &crypto_real, bytes, size), 0);
	assert_true(key_equal(&in.backbone, &out.backbone));
	assert_int_equal(out.version, 1);
	assert_int_equal(out.routes.count, 1);
	assert_int_equal(petition_read(&out, &other, &crypto_real, bytes, size), -EXDEV);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		assert_true(
			petition_read(&out, &founding.collective, &crypto_real, bytes, size) < 0);
		bytes[i] ^= 1;
		assert_int_equal(petition_read(&out, &founding.collective, &crypto_real, bytes, i),
			-EBADMSG);
	}
}

TEST(petition_for_a_new_key_keeps_all_else)
{
	struct certificate before = held_by(1);
	struct petition petition = petition_of(1);
	struct certificate after;

	(void)state;
	assert_int_equal(answer(&petition, false), PETITION_GRANTED);
	assert_true(outcome.verdict == VERDICT_NEW);
	after = held_by(1);
	assert_int_equal(after.version, 2);
	assert_true(key_equal(&after.backbone, &petition.backbone));
	assert_true(key_equal(&after.links, &before.links));
	assert_string_equal(after.name, before.name);
	assert_true(after.since == before.since);
	assert_true(after.issued_at == FOUNDING_NOW);
	/* Again: the same certificate. An old one again: nothing. */
	assert_int_equal(answer(&petition, false), PETITION_DONE);
	assert_int_equal(held_by(1).version, 2);
	petition.backbone.bytes[1] = 2;
	assert_int_equal(answer(&petition, false), PETITION_STALE);
	petition.version = 2;
	assert_int_equal(answer(&petition, false), PETITION_GRANTED);
	assert_int_equal(held_by(1).version, 3);
}

TEST(petition_refusals)
{
	struct petition petition = petition_of(1);
	struct secret stranger = founding_site(9);

	(void)state;
	petition.site = secret_public(&stranger);
	assert_int_equal(answer(&petition, false), PETITION_STRANGER);
	petition = petition_of(1);
	petition.backbone = held_by(2).links;
	assert_int_equal(answer(&petition, false), PETITION_TAKEN);
	petition = petition_of(1);
	petition.routes = (struct prefixes){1, {{address_ipv4(0xc0a80700), 24}}};
	assert_int_equal(answer(&petition, false), PETITION_APPROVAL);
	assert_int_equal(held_by(1).version, 1);
	assert_int_equal(answer(&petition, true), PETITION_GRANTED);
	assert_int_equal(held_by(1).routes.count, 1);
	/* Networks that are the collective's own. */
	petition.version = 2;
	petition.routes.items[0].address = address_ipv4(0x0a640700);
	assert_int_equal(answer(&petition, true), PETITION_REFUSED);
	/* Another member's network. */
	petition.site = held_by(2).site;
	petition.version = 1;
	petition.backbone = (struct key){{30}};
	petition.links = (struct key){{31}};
	petition.routes.items[0].address = address_ipv4(0xc0a80700);
	assert_int_equal(answer(&petition, true), PETITION_TAKEN);
	for (int result = PETITION_GRANTED; result <= PETITION_REFUSED; result++)
		assert_true(strlen(petition_text((enum petition_result)result)) > 5);
}

TEST(petition_renews_what_has_an_end)
{
	struct certificate limited = founding_certificate(&founding, 0, 1);
	struct petition petition = petition_of(1);
	struct bytes bytes;

	(void)state;
	assert_true(petition_renewal(&limited) == 0);
	limited.version = 2;
	limited.not_after = limited.issued_at + 3000000;
	bytes = founding_seal_certificate(&founding, 0, &limited);
	assert_int_equal(founding_offer(ledger, &bytes), VERDICT_NEW);
	assert_true(petition_renewal(&limited) == limited.issued_at + 2000000);
	petition.version = 2;
	petition.backbone = limited.backbone;
	/* Not before it is due. */
	assert_int_equal(answer(&petition, false), PETITION_DONE);
	limited.version = 3;
	limited.not_after = limited.issued_at + 1000000;
	bytes = founding_seal_certificate(&founding, 0, &limited);
	assert_int_equal(founding_offer(ledger, &bytes), VERDICT_NEW);
	petition.version = 3;
	assert_int_equal(answer(&petition, false), PETITION_GRANTED);
	assert_true(held_by(1).not_after == FOUNDING_NOW + 1000000);
	assert_int_equal(held_by(1).version, 4);
}

TEST(preshared_keys_follow_from_each_other)
{
	struct key first = {{1}};
	struct key fresh = {{2}};
	struct key a;
	struct key b;

	(void)state;
	preshared_next(&first, &fresh, &a);
	preshared_next(&first, &fresh, &b);
	assert_true(key_equal(&a, &b));
	fresh.bytes[1] = 1;
	preshared_next(&first, &fresh, &b);
	assert_false(key_equal(&a, &b));
	assert_false(key_equal(&a, &first));
}

TEST(preshared_keys_are_the_same_in_whichever_order_both_ends_change)
{
	struct key first = {{1}};
	struct key hub = {{2}};
	struct key spoke = {{3}};
	struct key a;
	struct key b;

	(void)state;
	preshared_next(&first, &hub, &a);
	preshared_next(&a, &spoke, &a);
	preshared_next(&first, &spoke, &b);
	preshared_next(&b, &hub, &b);
	assert_true(key_equal(&a, &b));
}

/* A rotation with an admin that answers after a while, a hub that may be late, and crashes. */
static usec_t rotate(uint8_t seed, unsigned loss, unsigned crashes)
{
	struct rotation rotation;
	struct prng prng;
	bool certified = false;
	bool uses_new = false;
	usec_t now = 0;

	prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){seed});
	rotation_begin(&rotation, now);
	while (rotation.state != ROTATION_IDLE && now < USEC_HOUR) {
		bool hub_has_it = certified && prng_below(&prng, 1000) >= loss;
		struct rotation_action action = rotation_step(
			&rotation, now, certified, false, uses_new && hub_has_it);

		if (action.ask && prng_below(&prng, 1000) >= loss)
			certified = true;
		if (action.use_new) {
			assert_true(certified);
			uses_new = true;
		}
		if (action.use_old)
			uses_new = false;
		if (action.promote)
			assert_true(uses_new && certified);
		/* After a crash the pending key is on disk and the old one in use. */
		if (rotation.state != ROTATION_IDLE && prng_below(&prng, 1000) < crashes) {
			rotation_begin(&rotation, now);
			uses_new = false;
		}
		now += 100 * USEC_MSEC;
	}
	assert_int_equal(rotation.state, ROTATION_IDLE);
	assert_true(uses_new);
	return now;
}

TEST(rotation_completes_through_losses_and_crashes)
{
	usec_t most = 0;

	(void)state;
	assert_true(rotate(0, 0, 0) <= USEC_SECOND);
	for (unsigned seed = 0; seed < 200; seed++) {
		usec_t took = rotate((uint8_t)seed, 100 * (seed % 10), 3 * (seed % 7));

		most = took > most ? took : most;
	}
	print_message("# 200 interrupted rotations, the longest %d s\n", (int)(most / USEC_SECOND));
}

TEST(rotation_goes_back_when_nobody_answers)
{
	struct rotation rotation;
	struct rotation_action action;

	(void)state;
	rotation_init(&rotation);
	assert_true(rotation_wakeup(&rotation) == USEC_NEVER);
	rotation_begin(&rotation, 0);
	action = rotation_step(&rotation, 0, false, false, false);
	assert_true(action.ask && !action.use_new);
	action = rotation_step(&rotation, USEC_MSEC, true, false, false);
	assert_true(action.use_new);
	action = rotation_step(&rotation, USEC_MSEC + ROTATION_PROOF, true, false, false);
	assert_true(action.use_old);
	/* Not at once again: traffic flows under the old key meanwhile. */
	action = rotation_step(&rotation, 2 * USEC_MSEC + ROTATION_PROOF, true, false, false);
	assert_false(action.use_new);
	action = rotation_step(
		&rotation, USEC_MSEC + ROTATION_PROOF + ROTATION_ASK_MOST, true, false, false);
	assert_true(action.use_new);
	action = rotation_step(&rotation, USEC_MINUTE, true, false, true);
	assert_true(action.promote);
}

TEST(author_numbers_rise_and_flapping_slows_down)
{
	struct author author;
	usec_t now = 100 * USEC_SECOND;
	uint64_t before = 0;
	bool save;
	unsigned records = 0;

	(void)state;
	author_init(&author, 0);
	assert_true(author_wakeup(&author) == USEC_NEVER);
	author_changed(&author, now);
	assert_true(author_wakeup(&author) == now);
	/* Something changes every 100 ms for ten minutes. */
	for (usec_t end = now + 10 * USEC_MINUTE; now < end; now += 100 * USEC_MSEC) {
		author_changed(&author, now);
		if (author_wakeup(&author) > now)
			continue;

		uint64_t number = author_take(
			&author, now, FOUNDING_NOW + (uint64_t)(now / USEC_MSEC), &save);

		assert_true(number > before);
		assert_true(number <= author.reserved);
		before = number;
		records++;
	}
	/* 2, 4, 8, 16, 32 s apart, then every minute. */
	assert_in_range(records, 13, 17);
	/* Quiet for long: made anew after eight hours, and the next change goes at once. */
	assert_true(author_wakeup(&author) <= now + AUTHOR_REFRESH);
	now += AUTHOR_REFRESH;
	(void)author_take(&author, now, before, &save);
	now += 10 * USEC_SECOND;
	author_changed(&author, now);
	assert_true(author_wakeup(&author) == now);
}

TEST(author_goes_on_above_what_it_forgot)
{
	struct author author;
	bool save;

	(void)state;
	/* The clock is a day back, and the floor is what was saved. */
	author_init(&author, 5000);
	author_changed(&author, 0);
	assert_true(author_take(&author, 0, 100, &save) == 5001);
	assert_true(save);
	assert_true(author.reserved == 5001 + AUTHOR_BLOCK);
	author_changed(&author, USEC_MINUTE);
	assert_true(author_take(&author, USEC_MINUTE, 100, &save) == 5002);
	assert_false(save);
	/* All was lost; a friend still has number 9000. */
	author_init(&author, 0);
	author_heard(&author, 0, 9000);
	assert_true(author_wakeup(&author) == 0);
	assert_true(author_take(&author, 0, 100, &save) == 9001);
	author_heard(&author, USEC_SECOND, 7);
	assert_true(author_wakeup(&author) > USEC_HOUR);
}

#define PETITION(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		PETITION(petition_round_trips_and_is_signed),
		PETITION(petition_for_a_new_key_keeps_all_else),
		PETITION(petition_refusals),
		PETITION(petition_renews_what_has_an_end),
		CASE(preshared_keys_follow_from_each_other),
		CASE(preshared_keys_are_the_same_in_whichever_order_both_ends_change),
		CASE(rotation_completes_through_losses_and_crashes),
		CASE(rotation_goes_back_when_nobody_answers),
		CASE(author_numbers_rise_and_flapping_slows_down),
		CASE(author_goes_on_above_what_it_forgot),
	};

	return RUN(cases);
}

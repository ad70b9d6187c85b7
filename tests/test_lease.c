/* SPDX-License-Identifier: MIT */
/*
 * test_lease.c - a port that the home's router opens on request.
 */
#include <errno.h>

#include "tests/test.h"

#include "base/prng.h"
#include "nat/lease.h"

#define START (50 * USEC_SECOND)
#define INSIDE 51820
#define EPOCH 1000

static struct address outside(void)
{
	return address_ipv4(0xc0000209); /* 192.0.2.9 */
}

static struct lease_reply address_reply(uint32_t epoch_s)
{
	return (struct lease_reply){.epoch_s = epoch_s, .outside = outside()};
}

static struct lease_reply port_reply(uint32_t epoch_s, uint16_t port, uint32_t lifetime_s)
{
	return (struct lease_reply){.epoch_s = epoch_s,
		.is_port = true,
		.inside_port = INSIDE,
		.outside_port = port,
		.lifetime_s = lifetime_s};
}

static struct lease_actions step(struct lease *lease, usec_t now)
{
	struct lease_actions out;

	lease_step(lease, now, &out);
	assert_true(lease_wakeup(lease) > now);
	return out;
}

static void answer(struct lease *lease, usec_t now, struct lease_reply reply)
{
	assert_int_equal(lease_answer(lease, now, &reply), 0);
}

static void expect_one(const struct lease_actions *out, enum lease_action_kind kind)
{
	assert_int_equal(out->count, 1);
	assert_int_equal(out->items[0].kind, kind);
}

/* A lease whose first question was asked and answered, and whose second was asked. */
static struct lease asking_port(void)
{
	struct lease_actions out;
	struct lease lease;

	lease_init(&lease, INSIDE);
	lease_begin(&lease, START);
	out = step(&lease, START);
	expect_one(&out, LEASE_SEND_OUTSIDE);
	answer(&lease, START, address_reply(EPOCH));
	out = step(&lease, START);
	expect_one(&out, LEASE_SEND_PORT);
	return lease;
}

/* One that holds port 40000 since START. */
static struct lease holding(uint32_t lifetime_s)
{
	struct lease lease = asking_port();
	struct lease_actions out;

	answer(&lease, START, port_reply(EPOCH, 40000, lifetime_s));
	assert_int_equal(lease_wakeup(&lease), 0);
	out = step(&lease, START);
	expect_one(&out, LEASE_HELD);
	return lease;
}

TEST(nothing_is_asked_before_it_is_wanted)
{
	struct lease_reply reply = address_reply(EPOCH);
	struct lease_actions out;
	struct lease lease;

	(void)state;
	lease_init(&lease, INSIDE);
	assert_int_equal(lease_wakeup(&lease), USEC_NEVER);
	assert_int_equal(lease_answer(&lease, START, &reply), -EPROTO);
	lease_step(&lease, START, &out);
	assert_int_equal(out.count, 0);
	lease_end(&lease, &out);
	assert_int_equal(out.count, 0);
}

TEST(the_address_is_asked_for_then_the_port_and_others_are_told)
{
	struct lease lease = asking_port();
	struct lease_actions out;

	(void)state;
	lease = asking_port();
	out = step(&lease, START + LEASE_RETRY);
	expect_one(&out, LEASE_SEND_PORT);
	assert_int_equal(out.items[0].inside, INSIDE);
	assert_int_equal(out.items[0].wanted, INSIDE);
	assert_int_equal(out.items[0].lifetime_s, 7200);
	answer(&lease, START + USEC_SECOND, port_reply(EPOCH + 1, 40000, 3600));
	out = step(&lease, START + USEC_SECOND);
	expect_one(&out, LEASE_HELD);
	assert_int_equal(out.items[0].endpoint.port, 40000);
	assert_true(address_equal(
		&out.items[0].endpoint.address, &(struct address){ADDRESS_IPV4, {192, 0, 2, 9}}));
	/* Half of the hour that was granted. */
	assert_int_equal(lease_wakeup(&lease), START + USEC_SECOND + 30 * USEC_MINUTE);
	assert_string_equal(lease_word(lease.result), "");
}

TEST(a_router_that_is_silent_is_asked_nine_times_each_after_twice_the_wait)
{
	usec_t next = START;
	struct lease_actions out;
	struct lease lease;

	(void)state;
	lease_init(&lease, INSIDE);
	lease_begin(&lease, START);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(lease_wakeup(&lease), next);
		lease_step(&lease, next - 1, &out);
		assert_int_equal(out.count, 0);
		out = step(&lease, next);
		expect_one(&out, LEASE_SEND_OUTSIDE);
		next += (250 * USEC_MSEC) << i;
	}
	/* 64 s after the ninth it is believed. */
	assert_int_equal(next, START + 127750 * USEC_MSEC);
	out = step(&lease, next);
	assert_int_equal(out.count, 0);
	assert_int_equal(lease.result, LEASE_SILENT);
	assert_string_equal(lease_word(lease.result), "the router does not answer NAT-PMP");
	assert_int_equal(lease_wakeup(&lease), next + USEC_HOUR);
	out = step(&lease, next + USEC_HOUR);
	expect_one(&out, LEASE_SEND_OUTSIDE);
	/* A new network is asked at once. */
	lease_begin(&lease, next + USEC_HOUR + 1);
	out = step(&lease, next + USEC_HOUR + 1);
	expect_one(&out, LEASE_SEND_OUTSIDE);
}

TEST(at_half_its_life_it_is_renewed_with_the_port_that_is_held)
{
	struct lease lease = holding(7200);
	usec_t half = START + USEC_HOUR;
	struct lease_actions out;

	(void)state;
	assert_int_equal(lease_wakeup(&lease), half);
	out = step(&lease, half);
	expect_one(&out, LEASE_SEND_OUTSIDE);
	answer(&lease, half, address_reply(EPOCH + 3600));
	out = step(&lease, half);
	expect_one(&out, LEASE_SEND_PORT);
	assert_int_equal(out.items[0].wanted, 40000);
	answer(&lease, half, port_reply(EPOCH + 3600, 40000, 7200));
	out = step(&lease, half);
	assert_int_equal(out.count, 0); /* nothing new */
	assert_int_equal(lease_wakeup(&lease), half + USEC_HOUR);
	/* Another port, and another address, are news. */
	lease_step(&lease, half + USEC_HOUR, &out);
	answer(&lease, half + USEC_HOUR, address_reply(EPOCH + 7200));
	lease_step(&lease, half + USEC_HOUR, &out);
	answer(&lease, half + USEC_HOUR, port_reply(EPOCH + 7200, 40001, 7200));
	out = step(&lease, half + USEC_HOUR);
	expect_one(&out, LEASE_HELD);
	assert_int_equal(out.items[0].endpoint.port, 40001);
}

TEST(what_is_not_renewed_is_held_to_its_end)
{
	struct lease lease = holding(600);
	usec_t at = START;
	uint32_t asks = 0;

	(void)state;
	/* Silent from now on. */
	for (;;) {
		struct lease_actions out;

		at = lease_wakeup(&lease);
		out = step(&lease, at);
		if (out.count > 0 && out.items[out.count - 1].kind == LEASE_LOST) {
			assert_int_equal(out.items[out.count - 1].endpoint.port, 40000);
			break;
		}
		assert_int_equal(lease.port, 40000);
		asks += out.count;
	}
	assert_int_equal(at, START + 600 * USEC_SECOND);
	/* At half: nine; at half of what was left then, and so on, some more. */
	assert_true(asks >= 2 * 9 && asks <= 3 * 9);
}

TEST(however_short_a_life_is_granted_it_is_renewed_once_a_minute_at_most)
{
	static const uint32_t lives[] = {1, 30, 60, 119, 120};
	struct lease lease;

	(void)state;
	for (size_t i = 0; i < COUNT(lives); i++) {
		lease = holding(lives[i]);
		assert_int_equal(lease.next_at, START + USEC_MINUTE);
		assert_int_equal(lease.expires_at, START + lives[i] * USEC_SECOND);
	}
	lease = holding(122);
	assert_int_equal(lease.next_at, START + 61 * USEC_SECOND);
	lease = holding(UINT32_MAX);
	assert_int_equal(lease.expires_at, START + USEC_DAY);
	assert_int_equal(lease.next_at, START + USEC_DAY / 2);
}

TEST(refusals_have_words_and_each_its_rest)
{
	static const struct {
		uint16_t number;
		enum lease_result result;
		usec_t rest;
	} rows[] = {
		{1, LEASE_VERSION, USEC_HOUR},
		{2, LEASE_REFUSED, USEC_HOUR},
		{3, LEASE_NETWORK, USEC_MINUTE},
		{4, LEASE_RESOURCES, 15 * USEC_MINUTE},
		{5, LEASE_OPCODE, USEC_HOUR},
		{6, LEASE_NONSENSE, USEC_HOUR},
		{65535, LEASE_NONSENSE, USEC_HOUR},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lease lease = asking_port();
		struct lease_actions out;

		/* What stands behind a refusal is not looked at. */
		answer(&lease, START,
			(struct lease_reply){
				.is_port = true, .epoch_s = EPOCH, .result = rows[i].number});
		out = step(&lease, START);
		assert_int_equal(out.count, 0);
		assert_int_equal(lease.result, rows[i].result);
		assert_true(lease_word(lease.result)[0] != '\0');
		assert_int_equal(lease_wakeup(&lease), START + rows[i].rest);
		/* The same, to the first question. */
		lease_begin(&lease, START);
		lease_step(&lease, START, &out);
		answer(&lease, START,
			(struct lease_reply){.epoch_s = EPOCH, .result = rows[i].number});
		assert_int_equal(lease.result, rows[i].result);
		assert_int_equal(lease_wakeup(&lease), START + rows[i].rest);
	}
}

TEST(a_refused_renewal_takes_nothing_away)
{
	struct lease lease = holding(7200);
	usec_t half = START + USEC_HOUR;
	struct lease_actions out;

	(void)state;
	lease_step(&lease, half, &out);
	answer(&lease, half, (struct lease_reply){.epoch_s = EPOCH + 3600, .result = 2});
	out = step(&lease, half);
	assert_int_equal(out.count, 0);
	assert_int_equal(lease.port, 40000);
	/* Half of the hour that is left. */
	assert_int_equal(lease_wakeup(&lease), half + 30 * USEC_MINUTE);
}

TEST(answers_that_make_no_sense_hold_nothing)
{
	struct lease lease = asking_port();

	(void)state;
	answer(&lease, START, port_reply(EPOCH, 40000, 0));
	assert_int_equal(lease.result, LEASE_NONSENSE);
	assert_int_equal(lease.port, 0);
	lease = asking_port();
	answer(&lease, START, port_reply(EPOCH, 0, 7200));
	assert_int_equal(lease.result, LEASE_NONSENSE);
	assert_int_equal(lease.port, 0);
}

TEST(an_outside_address_that_is_none_is_no_line)
{
	static const uint32_t numbers[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0xa9fe0001};

	(void)state;
	for (size_t i = 0; i <= COUNT(numbers); i++) {
		struct lease_reply reply = address_reply(EPOCH);
		struct lease_actions out;
		struct lease lease;

		if (i < COUNT(numbers))
			reply.outside = address_ipv4(numbers[i]);
		else
			reply.outside = (struct address){ADDRESS_IPV6, {0x20, 1}};
		lease_init(&lease, INSIDE);
		lease_begin(&lease, START);
		lease_step(&lease, START, &out);
		answer(&lease, START, reply);
		assert_int_equal(lease.result, LEASE_NETWORK);
		assert_int_equal(lease.router.family, ADDRESS_NONE);
		assert_int_equal(lease.state, LEASE_REST);
	}
}

TEST(what_fits_no_question_changes_nothing)
{
	struct lease lease = asking_port();
	struct lease_reply reply = port_reply(EPOCH, 40000, 7200);

	(void)state;
	reply.inside_port = INSIDE + 1;
	assert_int_equal(lease_answer(&lease, START, &reply), -EPROTO);
	reply = (struct lease_reply){.epoch_s = EPOCH, .result = 3};
	assert_int_equal(lease_answer(&lease, START, &reply), -EPROTO);
	assert_int_equal(lease.state, LEASE_ASK_PORT);
	assert_int_equal(lease.next_at, START + LEASE_RETRY);
	/* The same answer twice. */
	lease = holding(7200);
	reply = port_reply(0, 40001, 7200);
	assert_int_equal(lease_answer(&lease, START + USEC_MINUTE, &reply), -EPROTO);
	assert_int_equal(lease.port, 40000);
	assert_int_equal(lease.epoch_s, EPOCH);
	/* Before it was asked. */
	lease_begin(&lease, START);
	reply = port_reply(EPOCH, 40001, 7200);
	assert_int_equal(lease_answer(&lease, START, &reply), -EPROTO);
}

TEST(the_least_age_of_a_router_grows_by_seven_eighths)
{
	struct lease lease;

	(void)state;
	lease_init(&lease, INSIDE);
	assert_int_equal(lease_epoch_least(&lease, START), 0);
	lease = holding(7200);
	assert_int_equal(lease_epoch_least(&lease, START), 998);
	assert_int_equal(lease_epoch_least(&lease, START + 80 * USEC_SECOND), 1068);
	assert_int_equal(lease_epoch_least(&lease, START - USEC_HOUR), 998);
	lease.epoch_s = 1;
	assert_int_equal(lease_epoch_least(&lease, START), 0);
	lease.epoch_s = UINT32_MAX;
	assert_int_equal(lease_epoch_least(&lease, START + USEC_DAY), UINT32_MAX);
}

TEST(a_router_that_began_anew_is_asked_at_once)
{
	usec_t at = START + 80 * USEC_SECOND;
	struct lease_actions out;
	struct lease lease = holding(7200);

	(void)state;
	/* As old as it may be at the least. */
	answer(&lease, at, address_reply(1068));
	assert_int_equal(lease.port, 40000);
	assert_int_equal(lease.state, LEASE_REST);
	lease = holding(7200);
	answer(&lease, at, address_reply(1067));
	assert_int_equal(lease_wakeup(&lease), 0);
	out = step(&lease, at);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.items[0].kind, LEASE_SEND_OUTSIDE);
	assert_int_equal(out.items[1].kind, LEASE_LOST);
	answer(&lease, at, address_reply(1067));
	out = step(&lease, at);
	expect_one(&out, LEASE_SEND_PORT);
	assert_int_equal(out.items[0].wanted, 40000);
	/* The answer that grants the port shows that it began anew: the port is held all the same.
	 */
	answer(&lease, at, port_reply(3, 40000, 7200));
	out = step(&lease, at);
	expect_one(&out, LEASE_HELD);
	assert_int_equal(lease.port, 40000);
}

TEST(a_router_that_always_begins_anew_brings_no_storm)
{
	struct lease lease = holding(7200);
	uint32_t sent = 0;

	(void)state;
	for (usec_t at = START; at < START + USEC_MINUTE; at += 10 * USEC_MSEC) {
		struct lease_reply reply = address_reply(0);
		struct lease_actions out;

		(void)lease_answer(&lease, at, &reply);
		out = step(&lease, at);
		for (uint32_t i = 0; i < out.count; i++)
			sent += out.items[i].kind != LEASE_LOST && out.items[i].kind != LEASE_HELD;
		reply = port_reply(0, 40000, 7200);
		(void)lease_answer(&lease, at, &reply);
	}
	assert_true(sent <= 2 * 25);
}

TEST(an_announced_address_is_news)
{
	struct lease lease = holding(7200);
	struct lease_reply reply = address_reply(EPOCH + 60);
	struct lease_actions out;

	(void)state;
	reply.outside = address_ipv4(0xcb007105);
	answer(&lease, START + USEC_MINUTE, reply);
	assert_int_equal(lease_wakeup(&lease), 0);
	out = step(&lease, START + USEC_MINUTE);
	expect_one(&out, LEASE_HELD);
	assert_true(address_equal(&out.items[0].endpoint.address, &reply.outside));
	assert_int_equal(lease.next_at, START + USEC_HOUR);
}

TEST(at_the_end_it_is_given_back)
{
	struct lease lease = holding(7200);
	struct lease_actions out;

	(void)state;
	lease_end(&lease, &out);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.items[0].kind, LEASE_SEND_RETURN);
	assert_int_equal(out.items[0].inside, INSIDE);
	assert_int_equal(out.items[0].wanted, 0);
	assert_int_equal(out.items[0].lifetime_s, 0);
	assert_int_equal(out.items[1].kind, LEASE_LOST);
	assert_int_equal(lease_wakeup(&lease), USEC_NEVER);
	lease_end(&lease, &out);
	assert_int_equal(out.count, 0);
	/* What was asked for may have been granted. */
	lease = asking_port();
	lease_end(&lease, &out);
	expect_one(&out, LEASE_SEND_RETURN);
	/* What was not, cannot. */
	lease_begin(&lease, START);
	lease_step(&lease, START, &out);
	answer(&lease, START, address_reply(EPOCH));
	lease_end(&lease, &out);
	assert_int_equal(out.count, 0);
	/* A new network, before its router was asked for anything: nothing to give back. */
	lease = holding(7200);
	lease_begin(&lease, START);
	lease_end(&lease, &out);
	expect_one(&out, LEASE_LOST);
	/* What comes behind it is no answer. */
	struct lease_reply reply = address_reply(EPOCH);
	assert_int_equal(lease_answer(&lease, START, &reply), -EPROTO);
}

TEST(another_network_has_another_router)
{
	struct lease lease = holding(7200);
	struct lease_actions out;

	(void)state;
	lease.result = LEASE_REFUSED;
	lease_begin(&lease, START + USEC_HOUR);
	assert_int_equal(lease.result, LEASE_OK);
	assert_int_equal(lease_epoch_least(&lease, START + USEC_HOUR), 0);
	out = step(&lease, START + USEC_HOUR);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.items[0].kind, LEASE_SEND_OUTSIDE);
	assert_int_equal(out.items[1].kind, LEASE_LOST);
	/* It is younger than the one before, and that is no restart. */
	answer(&lease, START + USEC_HOUR, address_reply(5));
	out = step(&lease, START + USEC_HOUR);
	expect_one(&out, LEASE_SEND_PORT);
}

TEST(whatever_comes_the_wakeup_is_ahead_and_datagrams_are_few)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {3};
	usec_t now = START;
	uint32_t sent = 0;
	struct lease lease;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	lease_init(&lease, INSIDE);
	lease_begin(&lease, now);
	for (int i = 0; i < 20000; i++) {
		struct lease_reply reply = {.result = (uint16_t)prng_below(&prng, 8),
			.epoch_s = (uint32_t)prng_below(&prng, 100000),
			.is_port = prng_below(&prng, 2),
			.outside = address_ipv4((uint32_t)prng_u64(&prng)),
			.inside_port = (uint16_t)(INSIDE + prng_below(&prng, 2)),
			.outside_port = (uint16_t)prng_below(&prng, 4),
			.lifetime_s = (uint32_t)prng_below(&prng, 1000)};
		struct lease_actions out;

		if (prng_below(&prng, 2))
			reply.result = 0;
		(void)lease_answer(&lease, now, &reply);
		lease_step(&lease, now, &out);
		for (uint32_t k = 0; k < out.count; k++)
			sent += out.items[k].kind < LEASE_SEND_RETURN;
		assert_true(lease_wakeup(&lease) > now);
		assert_true((lease.port == 0) == (lease.expires_at == USEC_NEVER));
		now += (usec_t)prng_below(&prng, (uint64_t)USEC_SECOND);
	}
	/* Each time it begins anew costs two; a router cannot pretend that at every answer. */
	assert_true(sent < 20000 / 2);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(nothing_is_asked_before_it_is_wanted),
		CASE(the_address_is_asked_for_then_the_port_and_others_are_told),
		CASE(a_router_that_is_silent_is_asked_nine_times_each_after_twice_the_wait),
		CASE(at_half_its_life_it_is_renewed_with_the_port_that_is_held),
		CASE(what_is_not_renewed_is_held_to_its_end),
		CASE(however_short_a_life_is_granted_it_is_renewed_once_a_minute_at_most),
		CASE(refusals_have_words_and_each_its_rest),
		CASE(a_refused_renewal_takes_nothing_away),
		CASE(answers_that_make_no_sense_hold_nothing),
		CASE(an_outside_address_that_is_none_is_no_line),
		CASE(what_fits_no_question_changes_nothing),
		CASE(the_least_age_of_a_router_grows_by_seven_eighths),
		CASE(a_router_that_began_anew_is_asked_at_once),
		CASE(a_router_that_always_begins_anew_brings_no_storm),
		CASE(an_announced_address_is_news),
		CASE(at_the_end_it_is_given_back),
		CASE(another_network_has_another_router),
		CASE(whatever_comes_the_wakeup_is_ahead_and_datagrams_are_few),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_behaviour.c - what others see of us, and what that says of the router.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#include "base/prng.h"
#include "nat/behaviour.h"

#define START (50 * USEC_SECOND)
#define LOCAL 40000

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

static struct address address(const char *text)
{
	struct address result;

	assert_int_equal(address_parse(text, strlen(text), &result), 0);
	return result;
}

static struct behaviour fresh(void)
{
	struct behaviour behaviour;

	behaviour_init(&behaviour, ADDRESS_IPV4);
	return behaviour;
}

/* Three vantages: two ports of one address, and another address. */
#define HUB "198.51.100.1:51820"
#define HUB_OTHER "198.51.100.1:51821"
#define FAR "203.0.113.1:51820"
#define FARTHER "203.0.113.2:51820"

static bool see(struct behaviour *behaviour, usec_t now, const char *reflector, const char *seen)
{
	struct endpoint from = at(reflector);
	struct endpoint what = at(seen);
	bool changed;

	assert_int_equal(behaviour_observe(behaviour, now, LOCAL, &from, &what, &changed), 0);
	return changed;
}

TEST(one_reflector_tells_where_and_not_how)
{
	struct behaviour behaviour = fresh();
	struct endpoint endpoint = {0};
	usec_t age = -1;

	(void)state;
	assert_false(behaviour_outside(&behaviour, START, &endpoint, &age));
	assert_false(behaviour_is_fresh(&behaviour, START));
	assert_int_equal(age, -1);
	assert_false(see(&behaviour, START, HUB, "192.0.2.1:50001"));
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_UNKNOWN);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_UNKNOWN);
	assert_false(behaviour.class.is_untranslated);
	assert_true(behaviour_outside(&behaviour, START + USEC_SECOND, &endpoint, &age));
	assert_int_equal(endpoint.port, 50001);
	assert_int_equal(age, USEC_SECOND);
	assert_true(behaviour_outside(&behaviour, START - 1, &endpoint, &age));
	assert_int_equal(age, 0);
}

TEST(it_is_fresh_for_25_seconds_and_kept_for_two_minutes)
{
	struct behaviour behaviour = fresh();
	struct endpoint endpoint;
	usec_t age;

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	assert_true(behaviour_is_fresh(&behaviour, START + 25 * USEC_SECOND));
	assert_false(behaviour_is_fresh(&behaviour, START + 25 * USEC_SECOND + 1));
	assert_true(behaviour_outside(&behaviour, START + 2 * USEC_MINUTE, &endpoint, &age));
	assert_false(behaviour_outside(&behaviour, START + 2 * USEC_MINUTE + 1, &endpoint, &age));
}

TEST(mapping_follows_from_pairs_of_reflectors)
{
	static const struct {
		const char *seen[4]; /* by HUB, HUB_OTHER, FAR; NULL: not asked */
		enum behaviour_scope mapping;
	} rows[] = {
		{{"192.0.2.1:5001", NULL, "192.0.2.1:5001"}, BEHAVIOUR_INDEPENDENT},
		{{"192.0.2.1:5001", "192.0.2.1:5001", "192.0.2.1:5001"}, BEHAVIOUR_INDEPENDENT},
		{{"192.0.2.1:5001", "192.0.2.1:5001", "192.0.2.1:6001"}, BEHAVIOUR_BY_ADDRESS},
		{{"192.0.2.1:5001", "192.0.2.1:7001", "192.0.2.1:6001"}, BEHAVIOUR_BY_PORT},
		{{"192.0.2.1:5001", "192.0.2.1:7001", NULL}, BEHAVIOUR_BY_PORT},
		{{"192.0.2.1:5001", NULL, "192.0.2.1:6001"}, BEHAVIOUR_BY_PORT},
		/* Independent of the port: of two that are left, none is known. */
		{{"192.0.2.1:5001", "192.0.2.1:5001", NULL}, BEHAVIOUR_UNKNOWN},
	};
	static const char *const reflectors[] = {HUB, HUB_OTHER, FAR};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct behaviour behaviour = fresh();

		for (size_t k = 0; k < COUNT(reflectors); k++) {
			if (rows[i].seen[k] != NULL)
				assert_false(
					see(&behaviour, START, reflectors[k], rows[i].seen[k]));
		}
		assert_int_equal(behaviour.class.mapping, rows[i].mapping);
	}
}

TEST(an_address_of_this_machine_is_not_translated)
{
	const struct address locals[] = {address("10.0.0.2"), address("192.0.2.1")};
	struct behaviour behaviour = fresh();

	(void)state;
	behaviour_set_locals(&behaviour, locals, 2);
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	assert_true(behaviour.class.is_untranslated);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_KEPT);
	/* Another port, or another's address, is. */
	behaviour = fresh();
	behaviour_set_locals(&behaviour, locals, 2);
	see(&behaviour, START, HUB, "192.0.2.1:40001");
	assert_false(behaviour.class.is_untranslated);
	behaviour = fresh();
	behaviour_set_locals(&behaviour, locals, 2);
	see(&behaviour, START, HUB, "192.0.2.2:40000");
	assert_false(behaviour.class.is_untranslated);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_UNKNOWN);
}

static struct behaviour with_ports(const char *a, const char *b, const char *c, const char *d)
{
	struct behaviour behaviour = fresh();

	see(&behaviour, START, HUB, a);
	see(&behaviour, START, HUB_OTHER, b);
	see(&behaviour, START, FAR, c);
	if (d != NULL)
		see(&behaviour, START, FARTHER, d);
	return behaviour;
}

TEST(allocation_follows_from_the_row_of_ports)
{
	struct behaviour behaviour;

	(void)state;
	behaviour = with_ports("192.0.2.1:40000", "192.0.2.1:40000", "192.0.2.1:40000", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_KEPT);
	behaviour = with_ports("192.0.2.1:7000", "192.0.2.1:7000", "192.0.2.1:7000", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_UNKNOWN);
	/* Answers come in any order. */
	behaviour = with_ports("192.0.2.1:7002", "192.0.2.1:7000", "192.0.2.1:7001", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	assert_int_equal(behaviour.class.step, 1);
	behaviour = with_ports(
		"192.0.2.1:7000", "192.0.2.1:7006", "192.0.2.1:7010", "192.0.2.1:7002");
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	assert_int_equal(behaviour.class.step, 2);
	behaviour = with_ports("192.0.2.1:7000", "192.0.2.1:7032", "192.0.2.1:7064", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	assert_int_equal(behaviour.class.step, 32);
	behaviour = with_ports("192.0.2.1:7000", "192.0.2.1:7032", "192.0.2.1:7065", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_RANDOM);
	assert_int_equal(behaviour.class.step, 0);
	/* Two ports are a row where they are near: a hub has no third one to be asked at. */
	behaviour = with_ports("192.0.2.1:7000", "192.0.2.1:7001", "192.0.2.1:7001", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	assert_int_equal(behaviour.class.step, 1);
	behaviour = with_ports("192.0.2.1:7000", "192.0.2.1:7033", "192.0.2.1:7033", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_UNKNOWN);
}

TEST(the_next_ports_of_a_row_are_guessed)
{
	struct behaviour behaviour = with_ports(
		"192.0.2.1:7004", "192.0.2.1:7000", "192.0.2.1:7002", NULL);
	struct endpoint guesses[BEHAVIOUR_GUESSES_MAX];

	(void)state;
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(guesses[i].port, 7006 + 2 * i);
		assert_int_equal(guesses[i].address.bytes[0], 192);
	}
	assert_int_equal(behaviour_guess(&behaviour, START + 25 * USEC_SECOND, guesses), 4);
	assert_int_equal(behaviour_guess(&behaviour, START + 25 * USEC_SECOND + 1, guesses), 0);
	/* Around the end of the numbers. */
	behaviour = with_ports("192.0.2.1:65534", "192.0.2.1:65530", "192.0.2.1:65532", NULL);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 1024);
	assert_int_equal(guesses[3].port, 1030);
	behaviour = with_ports("192.0.2.1:65534", "192.0.2.1:2", "192.0.2.1:65535", NULL);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 3);
	behaviour = with_ports("192.0.2.1:9000", "192.0.2.1:20000", "192.0.2.1:40000", NULL);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 0);
}

TEST(another_address_is_a_change_and_all_is_learned_anew)
{
	struct behaviour behaviour = with_ports("192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);

	(void)state;
	behaviour_set_filtering(&behaviour, BEHAVIOUR_BY_PORT);
	assert_int_equal(behaviour.class.filtering, BEHAVIOUR_BY_PORT);
	assert_true(see(&behaviour, START, HUB, "192.0.2.2:7"));
	assert_int_equal(behaviour.count, 1);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_UNKNOWN);
	assert_int_equal(behaviour.class.filtering, BEHAVIOUR_UNKNOWN);
	assert_false(see(&behaviour, START, FAR, "192.0.2.2:7"));
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
	/* Also long after the last was seen. */
	assert_true(see(&behaviour, START + USEC_DAY, HUB, "192.0.2.1:7"));
}

TEST(another_class_is_a_change)
{
	struct behaviour behaviour = with_ports("192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);

	(void)state;
	assert_true(see(&behaviour, START, FARTHER, "192.0.2.1:8"));
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_BY_ADDRESS);
	assert_false(see(&behaviour, START, FARTHER, "192.0.2.1:8"));
}

TEST(another_port_is_no_change_and_what_others_saw_is_forgotten)
{
	struct behaviour behaviour = with_ports("192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);

	(void)state;
	/* The router restarted: to compare the new port with the old ones would show another class.
	 */
	assert_false(see(&behaviour, START + USEC_SECOND, FAR, "192.0.2.1:9"));
	assert_int_equal(behaviour.count, 1);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
	assert_false(see(&behaviour, START + USEC_SECOND, HUB, "192.0.2.1:9"));
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
}

TEST(what_is_too_old_is_compared_with_nothing)
{
	struct behaviour behaviour = fresh();

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:7");
	see(&behaviour, START + 2 * USEC_MINUTE + 1, FAR, "192.0.2.1:8");
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_UNKNOWN);
	behaviour = fresh();
	see(&behaviour, START, HUB, "192.0.2.1:7");
	see(&behaviour, START + 2 * USEC_MINUTE, FAR, "192.0.2.1:8");
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_BY_PORT);
}

TEST(the_harder_explanation_gives_way_to_evidence)
{
	struct behaviour behaviour = fresh();

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:7");
	see(&behaviour, START, FAR, "192.0.2.1:8");
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_BY_PORT);
	assert_true(see(&behaviour, START, HUB_OTHER, "192.0.2.1:7"));
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_BY_ADDRESS);
	/* A port that is kept no more is not known to be kept. */
	behaviour = fresh();
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_KEPT);
	assert_false(see(&behaviour, START, HUB, "192.0.2.1:40001"));
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_UNKNOWN);
}

TEST(another_local_port_begins_anew_with_the_class_that_is_known)
{
	struct behaviour behaviour = with_ports("192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);
	struct endpoint hub = at("203.0.113.9:1");
	struct endpoint seen = at("192.0.2.1:8");
	bool changed;

	(void)state;
	assert_int_equal(behaviour_observe(&behaviour, START, LOCAL + 1, &hub, &seen, &changed), 0);
	assert_false(changed);
	assert_int_equal(behaviour.count, 1);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
}

TEST(eight_are_kept_and_the_oldest_goes)
{
	struct behaviour behaviour = fresh();

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		char reflector[32];

		(void)snprintf(reflector, sizeof reflector, "198.51.100.%u:9", i + 1);
		see(&behaviour, START + i, reflector, "192.0.2.1:7");
	}
	assert_int_equal(behaviour.count, 8);
	assert_int_equal(behaviour.seen[0].reflector.address.bytes[3], 13);
	assert_int_equal(behaviour.seen[7].reflector.address.bytes[3], 20);
	/* Who speaks again is the newest. */
	see(&behaviour, START + 20, "198.51.100.13:9", "192.0.2.1:7");
	assert_int_equal(behaviour.count, 8);
	assert_int_equal(behaviour.seen[0].reflector.address.bytes[3], 14);
	assert_int_equal(behaviour.seen[7].reflector.address.bytes[3], 13);
}

TEST(changes_are_told_six_times_an_hour)
{
	struct behaviour behaviour = fresh();
	uint32_t told = 0;

	(void)state;
	/* Two lines that take turns. */
	for (int i = 0; i < 120; i++) {
		usec_t now = START + i * 30 * USEC_SECOND;

		told += see(&behaviour, now, HUB, i % 2 ? "192.0.2.1:7" : "192.0.2.2:7");
	}
	assert_int_equal(told, 6);
	/* A router that changes its mind, likewise. */
	behaviour = with_ports("192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);
	told = 0;
	for (int i = 0; i < 100; i++) {
		usec_t now = START + i * 30 * USEC_SECOND;

		told += see(&behaviour, now, HUB, "192.0.2.1:7");
		told += see(&behaviour, now, FAR, i % 2 ? "192.0.2.1:7" : "192.0.2.1:8");
		told += see(&behaviour, now, HUB, "192.0.2.1:7");
	}
	assert_int_equal(told, 6);
}

TEST(another_choice_of_ports_is_a_change)
{
	struct behaviour behaviour = with_ports(
		"192.0.2.1:7000", "192.0.2.1:7001", "192.0.2.1:7002", NULL);

	(void)state;
	assert_int_equal(behaviour.class.step, 1);
	assert_true(see(&behaviour, START, FARTHER, "192.0.2.1:30000"));
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_RANDOM);
	assert_int_equal(behaviour.class.step, 0);
	assert_false(see(&behaviour, START, "203.0.113.3:1", "192.0.2.1:30001"));
}

TEST(what_cannot_be_is_refused_and_changes_nothing)
{
	static const char *const bad[] = {"127.0.0.1:7", "224.0.0.1:7", "0.0.0.0:7",
		"255.255.255.255:7", "169.254.1.1:7", "[2001:db8::1]:7"};
	const struct behaviour before = with_ports(
		"192.0.2.1:7", "192.0.2.1:7", "192.0.2.1:7", NULL);
	struct behaviour behaviour = before;
	struct endpoint good = at(HUB);
	struct endpoint empty = {0};
	struct endpoint no_port = good;
	bool changed = true;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct endpoint endpoint = at(bad[i]);

		assert_int_equal(
			behaviour_observe(&behaviour, START, LOCAL, &endpoint, &good, &changed),
			-EINVAL);
		assert_int_equal(
			behaviour_observe(&behaviour, START, LOCAL, &good, &endpoint, &changed),
			-EINVAL);
	}
	no_port.port = 0;
	assert_int_equal(
		behaviour_observe(&behaviour, START, LOCAL, &good, &no_port, &changed), -EINVAL);
	assert_int_equal(
		behaviour_observe(&behaviour, START, LOCAL, &no_port, &good, &changed), -EINVAL);
	assert_int_equal(
		behaviour_observe(&behaviour, START, LOCAL, &empty, &good, &changed), -EINVAL);
	assert_int_equal(behaviour_observe(&behaviour, START, 0, &good, &good, &changed), -EINVAL);
	behaviour_set_filtering(&behaviour, (enum behaviour_scope)4);
	assert_true(changed);
	assert_int_equal(behaviour.count, before.count);
	assert_int_equal(behaviour.class.filtering, before.class.filtering);
	assert_int_equal(behaviour.local_port, LOCAL);
}

TEST(each_family_is_one_of_its_own)
{
	const struct address locals[] = {
		address("192.0.2.1"), address("2001:db8::5"), address("fe80::1")};
	struct endpoint hub = at("[2001:db8:1::1]:51820");
	struct endpoint seen = at("[2001:db8::5]:40000");
	struct behaviour behaviour;
	bool changed;

	(void)state;
	behaviour_init(&behaviour, ADDRESS_IPV6);
	behaviour_set_locals(&behaviour, locals, 3);
	assert_int_equal(behaviour.local_count, 1);
	assert_int_equal(behaviour_observe(&behaviour, START, LOCAL, &hub, &seen, &changed), 0);
	assert_true(behaviour.class.is_untranslated);
}

TEST(facts_tell_of_providers_and_second_routers)
{
	const struct address home[] = {address("192.168.1.5"), address("172.31.0.1")};
	const struct address mixed[] = {address("192.168.1.5"), address("172.32.0.1")};
	const struct address modem[] = {address("100.64.3.4")};
	const struct {
		const char *router; /* NULL: it says nothing */
		bool carrier;
		bool twice;
	} rows[] = {
		{NULL, false, false},
		{"192.0.2.1", false, false},
		{"192.0.2.2", false, true},
		{"10.0.0.7", false, true},
		{"100.127.255.255", true, true},
		{"100.128.0.1", false, true},
		{"127.0.0.1", false, false},
	};
	struct behaviour behaviour = fresh();
	struct address none = {0};

	(void)state;
	assert_false(behaviour_facts(&behaviour).is_private);
	behaviour_set_locals(&behaviour, modem, 1);
	assert_true(behaviour_facts(&behaviour).is_carrier_nat);
	assert_true(behaviour_facts(&behaviour).is_private);
	behaviour_set_locals(&behaviour, mixed, 2);
	assert_false(behaviour_facts(&behaviour).is_private);
	behaviour_set_locals(&behaviour, home, 2);
	assert_true(behaviour_facts(&behaviour).is_private);
	assert_false(behaviour_facts(&behaviour).is_carrier_nat);
	see(&behaviour, START, HUB, "192.0.2.1:7");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address router = rows[i].router != NULL ? address(rows[i].router) : none;

		behaviour_set_router(&behaviour, &router, false);
		assert_int_equal(behaviour_facts(&behaviour).is_carrier_nat, rows[i].carrier);
		assert_int_equal(behaviour_facts(&behaviour).is_double_nat, rows[i].twice);
	}
	/* It may say no more than that it has none. */
	behaviour_set_router(&behaviour, &none, true);
	assert_true(behaviour_facts(&behaviour).is_double_nat);
	assert_false(behaviour_facts(&behaviour).is_carrier_nat);
	/* A hub in the same home sees us as we are. */
	behaviour = fresh();
	see(&behaviour, START, "192.168.1.9:7", "192.168.1.5:40000");
	struct address router = address("192.0.2.1");
	behaviour_set_router(&behaviour, &router, false);
	assert_false(behaviour_facts(&behaviour).is_double_nat);
}

TEST(whatever_is_seen_the_bounds_hold)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {5};
	struct behaviour behaviour = fresh();
	uint32_t told = 0;
	usec_t now = START;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	while (now < START + 10 * USEC_HOUR) {
		struct endpoint from = {address_ipv4((uint32_t)prng_below(&prng, 4) + 0xc6336400),
			(uint16_t)prng_below(&prng, 3)};
		struct endpoint seen = {address_ipv4((uint32_t)prng_below(&prng, 2) + 0xc0000200),
			(uint16_t)(prng_below(&prng, 2) ? prng_below(&prng, 40)
							: 65500 + prng_below(&prng, 36))};
		struct endpoint guesses[BEHAVIOUR_GUESSES_MAX];
		bool changed = false;

		now += (usec_t)prng_below(&prng, 20 * (uint64_t)USEC_SECOND);
		(void)behaviour_observe(&behaviour, now,
			(uint16_t)(LOCAL + (prng_below(&prng, 50) == 0)), &from, &seen, &changed);
		told += changed;
		assert_true(behaviour.count <= BEHAVIOUR_SEEN_MAX);
		for (uint32_t i = 0; i < behaviour_guess(&behaviour, now, guesses); i++)
			assert_int_not_equal(guesses[i].port, 0);
	}
	assert_true(told <= 2 * 6 * 10);
}

/* Where ports follow each other, what a meeting has used up is known. */
TEST(ports_that_meetings_took_are_left_out_of_what_is_foretold)
{
	struct endpoint guesses[BEHAVIOUR_GUESSES_MAX];
	struct behaviour behaviour = fresh();
	const struct endpoint places[] = {at("203.0.113.9:1"), at("203.0.113.9:2"),
		at("203.0.113.9:3"), at("203.0.113.9:4"), at("203.0.113.9:5"), at("203.0.113.9:6"),
		at("203.0.113.9:7"), at("203.0.113.9:8"), at("203.0.113.9:9")};
	struct endpoint seen;

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	see(&behaviour, START, HUB_OTHER, "192.0.2.1:40002");
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40004);
	/* Nobody was met: so many flows. */
	behaviour_used(&behaviour, START, places, 3, 3, NULL);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40010);
	/* The second of four places saw it: two more were used behind it. */
	seen = at("192.0.2.1:40012");
	behaviour_used(&behaviour, START, places + 3, 4, 1, &seen);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40018);
	/* What does not belong to the row is not believed; what was sent is counted. */
	seen = at("192.0.2.1:53");
	behaviour_used(&behaviour, START, places + 7, 1, 0, &seen);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40020);
	seen = at("192.0.2.77:40020");
	behaviour_used(&behaviour, START, places + 8, 1, 0, &seen);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40022);
	/* A place that has its port already takes no other one. */
	behaviour_used(&behaviour, START, places, 9, 9, NULL);
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40022);
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	/* A new flow that a reflector sees is where the row goes on. */
	see(&behaviour, START, FARTHER, "192.0.2.1:40030");
	assert_int_equal(behaviour_guess(&behaviour, START, guesses), 4);
	assert_int_equal(guesses[0].port, 40032);
}

/* Once in a thousand times drawn ports look like a row. */
TEST(two_near_ports_are_a_row_until_two_others_are_not)
{
	struct behaviour behaviour = fresh();
	struct endpoint guesses[BEHAVIOUR_GUESSES_MAX];
	usec_t later = START + 5 * USEC_MINUTE;

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	see(&behaviour, START, HUB_OTHER, "192.0.2.1:40007");
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_SEQUENTIAL);
	see(&behaviour, later, HUB, "192.0.2.1:31000");
	see(&behaviour, later, HUB_OTHER, "192.0.2.1:52000");
	assert_int_equal(behaviour.class.allocation, BEHAVIOUR_PORTS_UNKNOWN);
	assert_int_equal(behaviour.class.mapping, BEHAVIOUR_BY_PORT);
	assert_int_equal(behaviour_guess(&behaviour, later, guesses), 0);
}

TEST(where_ports_do_not_follow_each_other_nothing_is_used_up)
{
	const struct endpoint places[] = {at(FAR), at(FARTHER)};
	struct endpoint seen = at("192.0.2.1:40001");
	struct behaviour behaviour = fresh();

	(void)state;
	see(&behaviour, START, HUB, "192.0.2.1:40000");
	see(&behaviour, START, HUB_OTHER, "192.0.2.1:40000");
	behaviour_used(&behaviour, START, places, 2, 1, &seen);
	assert_int_equal(behaviour.count, 2);
	assert_int_equal(behaviour.ahead, 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(one_reflector_tells_where_and_not_how),
		CASE(it_is_fresh_for_25_seconds_and_kept_for_two_minutes),
		CASE(mapping_follows_from_pairs_of_reflectors),
		CASE(an_address_of_this_machine_is_not_translated),
		CASE(allocation_follows_from_the_row_of_ports),
		CASE(the_next_ports_of_a_row_are_guessed),
		CASE(another_address_is_a_change_and_all_is_learned_anew),
		CASE(another_class_is_a_change),
		CASE(another_port_is_no_change_and_what_others_saw_is_forgotten),
		CASE(what_is_too_old_is_compared_with_nothing),
		CASE(the_harder_explanation_gives_way_to_evidence),
		CASE(another_local_port_begins_anew_with_the_class_that_is_known),
		CASE(eight_are_kept_and_the_oldest_goes),
		CASE(another_choice_of_ports_is_a_change),
		CASE(changes_are_told_six_times_an_hour),
		CASE(what_cannot_be_is_refused_and_changes_nothing),
		CASE(each_family_is_one_of_its_own),
		CASE(facts_tell_of_providers_and_second_routers),
		CASE(whatever_is_seen_the_bounds_hold),
		CASE(ports_that_meetings_took_are_left_out_of_what_is_foretold),
		CASE(two_near_ports_are_a_row_until_two_others_are_not),
		CASE(where_ports_do_not_follow_each_other_nothing_is_used_up),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_candidate.c - the places where a site may be met.
 */
#include <string.h>

#include "tests/test.h"

#include "base/prng.h"
#include "nat/candidate.h"

static struct candidate candidate(enum candidate_kind kind, const char *text)
{
	struct candidate result = {.kind = kind};

	assert_int_equal(endpoint_parse(text, &result.endpoint), 0);
	return result;
}

static enum candidate_verdict add(
	struct candidates *candidates, enum candidate_kind kind, const char *text)
{
	struct candidate item = candidate(kind, text);

	return candidates_add(candidates, &item, NULL, 0);
}

static struct endpoint at(const char *text)
{
	return candidate(CANDIDATE_LAN, text).endpoint;
}

TEST(addresses_where_nobody_can_be_met_are_refused)
{
	static const char *const bad[] = {"127.0.0.1:1", "127.255.255.255:1", "0.0.0.0:1",
		"0.1.2.3:1", "169.254.0.1:1", "224.0.0.1:1", "239.255.255.255:1", "240.0.0.1:1",
		"255.255.255.255:1", "[::]:1", "[::1]:1", "[fe80::1]:1", "[febf::1]:1",
		"[ff02::1]:1"};

	(void)state;
	for (enum candidate_kind kind = CANDIDATE_LAN; kind <= CANDIDATE_PREDICTED; kind++) {
		for (size_t i = 0; i < COUNT(bad); i++) {
			struct candidates candidates;

			candidates_init(&candidates);
			assert_int_equal(add(&candidates, kind, bad[i]), CANDIDATE_RESERVED);
			assert_int_equal(candidates.count, 0);
		}
	}
}

TEST(what_is_no_endpoint_or_no_kind_is_refused)
{
	struct candidate bad[5];
	struct candidates candidates;

	(void)state;
	candidates_init(&candidates);
	for (size_t i = 0; i < COUNT(bad); i++)
		bad[i] = candidate(CANDIDATE_HUB, "192.0.2.1:1");
	bad[0].kind = (enum candidate_kind)0;
	bad[1].kind = (enum candidate_kind)8;
	bad[2].endpoint.port = 0;
	bad[3].endpoint.address.family = ADDRESS_NONE;
	bad[4].endpoint.address.family = 5;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(candidates_add(&candidates, &bad[i], NULL, 0), CANDIDATE_NONSENSE);
	assert_int_equal(candidates.count, 0);
}

TEST(homes_have_private_addresses_and_the_internet_has_public_ones)
{
	static const struct {
		const char *text;
		bool lan;
		bool ipv6;
		bool other;
	} rows[] = {
		{"10.0.0.1:1", true, false, false},
		{"172.16.0.1:1", true, false, false},
		{"172.31.255.255:1", true, false, false},
		{"172.32.0.1:1", false, false, true},
		{"192.168.1.1:1", true, false, false},
		{"192.169.1.1:1", false, false, true},
		/* A provider's own: in a home of it, and seen by a hub there. */
		{"100.64.0.1:1", true, false, true},
		{"100.127.255.255:1", true, false, true},
		{"100.128.0.1:1", false, false, true},
		{"192.0.2.1:1", false, false, true},
		{"[fd00::1]:1", true, false, false},
		{"[2001:db8::1]:1", false, true, true},
		{"[3fff::1]:1", false, true, true},
		{"[4000::1]:1", false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (enum candidate_kind kind = CANDIDATE_LAN; kind <= CANDIDATE_PREDICTED;
			kind++) {
			struct candidates candidates;
			bool good = kind == CANDIDATE_LAN    ? rows[i].lan
				    : kind == CANDIDATE_IPV6 ? rows[i].ipv6
							     : rows[i].other;

			candidates_init(&candidates);
			assert_int_equal(add(&candidates, kind, rows[i].text),
				good ? CANDIDATE_TAKEN : CANDIDATE_MISPLACED);
			assert_int_equal(candidates.count, good);
		}
	}
}

TEST(no_candidate_is_behind_a_barrier)
{
	struct candidate_barrier barriers[] = {
		{.why = CANDIDATE_OVERLAY},
		{.why = CANDIDATE_ISOLATED},
		{.why = CANDIDATE_CONTAINERS},
		{.why = CANDIDATE_OVERLAY},
	};
	static const struct {
		const char *text;
		enum candidate_verdict verdict;
	} rows[] = {
		{"10.100.0.1:1", CANDIDATE_OVERLAY},
		{"10.100.255.255:1", CANDIDATE_OVERLAY},
		{"10.101.0.1:1", CANDIDATE_TAKEN},
		{"192.168.7.1:1", CANDIDATE_ISOLATED},
		{"172.17.0.1:1", CANDIDATE_CONTAINERS},
		{"192.168.8.1:1", CANDIDATE_TAKEN},
		{"[fd00:1::1]:1", CANDIDATE_OVERLAY},
	};
	struct candidates candidates;

	(void)state;
	assert_int_equal(prefix_parse("10.100.0.0/16", &barriers[0].prefix), 0);
	assert_int_equal(prefix_parse("192.168.7.0/24", &barriers[1].prefix), 0);
	assert_int_equal(prefix_parse("172.17.0.0/16", &barriers[2].prefix), 0);
	assert_int_equal(prefix_parse("fd00:1::/32", &barriers[3].prefix), 0);
	candidates_init(&candidates);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct candidate item = candidate(CANDIDATE_LAN, rows[i].text);

		assert_int_equal(candidates_add(&candidates, &item, barriers, COUNT(barriers)),
			rows[i].verdict);
	}
	assert_int_equal(candidates.count, 2);
}

TEST(they_are_in_the_order_of_their_kinds)
{
	struct candidates candidates;

	(void)state;
	candidates_init(&candidates);
	assert_int_equal(add(&candidates, CANDIDATE_REFLECTED, "192.0.2.1:3"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_LAN, "10.0.0.1:1"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_LAN, "10.0.0.1:2"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_PREDICTED, "192.0.2.1:4"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_LAN, "10.0.0.1:5"), CANDIDATE_TAKEN);
	assert_int_equal(candidates.count, 5);
	static const uint16_t ports[] = {1, 2, 5, 3, 4};
	for (uint32_t i = 0; i < COUNT(ports); i++)
		assert_int_equal(candidates.items[i].endpoint.port, ports[i]);
}

TEST(one_place_is_there_once_as_its_likeliest_kind)
{
	struct candidates candidates;

	(void)state;
	candidates_init(&candidates);
	assert_int_equal(add(&candidates, CANDIDATE_HUB, "192.0.2.1:3"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_REFLECTED, "192.0.2.1:3"), CANDIDATE_DUPLICATE);
	assert_int_equal(candidates.items[0].kind, CANDIDATE_HUB);
	assert_int_equal(add(&candidates, CANDIDATE_STATIC, "192.0.2.1:3"), CANDIDATE_DUPLICATE);
	assert_int_equal(candidates.items[0].kind, CANDIDATE_STATIC);
	assert_int_equal(candidates.count, 1);
	assert_int_equal(add(&candidates, CANDIDATE_HUB, "192.0.2.1:4"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_HUB, "192.0.2.2:3"), CANDIDATE_TAKEN);
	assert_int_equal(candidates.count, 3);
}

TEST(of_more_than_eight_the_least_likely_go_and_one_of_each_kind_stays)
{
	struct candidates candidates;

	(void)state;
	candidates_init(&candidates);
	for (uint16_t port = 1; port <= 8; port++) {
		struct candidate item = candidate(CANDIDATE_LAN, "10.0.0.1:1");

		item.endpoint.port = port;
		assert_int_equal(candidates_add(&candidates, &item, NULL, 0), CANDIDATE_TAKEN);
	}
	assert_int_equal(add(&candidates, CANDIDATE_LAN, "10.0.0.1:9"), CANDIDATE_CUT);
	assert_int_equal(add(&candidates, CANDIDATE_PREDICTED, "192.0.2.1:1"), CANDIDATE_TAKEN);
	assert_int_equal(candidates.items[6].endpoint.port, 7);
	assert_int_equal(candidates.items[7].kind, CANDIDATE_PREDICTED);
	/* A second of the least likely is no gain. */
	assert_int_equal(add(&candidates, CANDIDATE_PREDICTED, "192.0.2.1:2"), CANDIDATE_CUT);
	assert_int_equal(add(&candidates, CANDIDATE_HUB, "192.0.2.1:9"), CANDIDATE_TAKEN);
	assert_int_equal(add(&candidates, CANDIDATE_REFLECTED, "192.0.2.1:8"), CANDIDATE_TAKEN);
	assert_int_equal(candidates.count, 8);
	assert_int_equal(candidates.items[4].endpoint.port, 5);
	assert_int_equal(candidates.items[5].kind, CANDIDATE_HUB);
	assert_int_equal(candidates.items[6].kind, CANDIDATE_REFLECTED);
	assert_int_equal(candidates.items[7].kind, CANDIDATE_PREDICTED);
}

/* Adds all, the first or the last of them first, and counts what stays by kind. */
static void count_kept(
	const struct candidate *items, uint32_t total, bool backwards, uint32_t kept[8])
{
	struct candidates candidates;

	candidates_init(&candidates);
	for (uint32_t i = 0; i < total; i++)
		(void)candidates_add(&candidates, &items[backwards ? total - 1 - i : i], NULL, 0);
	assert_int_equal(candidates.count, total < 8 ? total : 8);
	for (uint32_t i = 0; i < candidates.count; i++) {
		kept[candidates.items[i].kind]++;
		if (i > 0)
			assert_true(candidates.items[i - 1].kind <= candidates.items[i].kind);
	}
}

TEST(what_stays_does_not_depend_on_the_order_in_which_they_came)
{
	static const char *const places[] = {NULL, "10.0.0.1:1", "[2001:db8::1]:1", "192.0.2.1:1",
		"192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:1"};
	const uint8_t seed[PRNG_SEED_SIZE] = {9};
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	for (int round = 0; round < 300; round++) {
		uint32_t total = 1 + (uint32_t)prng_below(&prng, 20);
		uint32_t kinds[8] = {0};
		uint32_t kept[2][8] = {{0}};
		struct candidate items[20];

		for (uint32_t i = 0; i < total; i++) {
			enum candidate_kind kind = (enum candidate_kind)(1 + prng_below(&prng, 7));

			items[i] = candidate(kind, places[kind]);
			items[i].endpoint.port = (uint16_t)(i + 1);
			kinds[kind]++;
		}
		count_kept(items, total, false, kept[0]);
		count_kept(items, total, true, kept[1]);
		assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
		for (int kind = 1; kind <= 7; kind++)
			assert_int_equal(kinds[kind] > 0, kept[0][kind] > 0);
	}
}

TEST(two_sites_share_a_home_where_both_were_seen_at_one_public_address)
{
	static const struct {
		const char *ours;
		const char *theirs;
		bool same;
	} rows[] = {
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"192.168.1.1:1", "192.168.1.1:2", false},
		{"100.64.0.1:1", "100.64.0.1:2", false},
		{"[2001:db8::1]:1", "[2001:db8::1]:2", true},
		{"[2001:db8::1]:1", "192.0.2.1:1", false},
	};
	struct candidate_proof ours = {.receipt_count = 2};
	struct candidate_proof theirs = {.receipt_count = 2};
	struct candidate_proof nothing = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ours.receipts[0] = at("203.0.113.1:1");
		ours.receipts[1] = at(rows[i].ours);
		theirs.receipts[0] = at(rows[i].theirs);
		theirs.receipts[1] = at("203.0.113.2:1");
		assert_int_equal(candidate_same_home(&ours, &theirs), rows[i].same);
		assert_int_equal(candidate_same_home(&theirs, &ours), rows[i].same);
	}
	assert_false(candidate_same_home(&ours, &nothing));
	assert_false(candidate_same_home(&nothing, &nothing));
	/* What stands behind the count is none. */
	theirs = ours;
	theirs.receipt_count = 1;
	theirs.receipts[0] = at("203.0.113.77:1");
	assert_false(candidate_same_home(&ours, &theirs));
	/* No address is no address in common, and a number beyond the room is not believed. */
	ours = theirs = (struct candidate_proof){.receipt_count = UINT32_MAX};
	assert_false(candidate_same_home(&ours, &theirs));
}

TEST(a_place_is_worth_as_many_datagrams_as_is_shown)
{
	const struct endpoint certified[] = {at("198.51.100.7:51820")};
	const struct candidate_proof proof = {
		.receipt_count = 1,
		.receipts = {at("192.0.2.1:1000")},
		.certified_count = 1,
		.certified = certified,
	};
	const struct candidate_proof nothing = {0};
	static const struct {
		const char *text;
		enum candidate_kind kind;
		uint32_t budget;
	} rows[] = {
		{"192.0.2.1:1000", CANDIDATE_HUB, 20},
		{"192.0.2.1:2000", CANDIDATE_MAPPED, 20},
		{"192.0.2.1:1001", CANDIDATE_PREDICTED, 20},
		{"192.0.2.2:1000", CANDIDATE_HUB, 3},
		{"198.51.100.7:51820", CANDIDATE_STATIC, 20},
		{"198.51.100.7:53", CANDIDATE_STATIC, 3},
		{"[2001:db8::1]:1", CANDIDATE_IPV6, 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct candidate item = candidate(rows[i].kind, rows[i].text);

		assert_int_equal(candidate_budget(&item, &proof, false), rows[i].budget);
		assert_int_equal(candidate_budget(&item, &proof, true), rows[i].budget);
		assert_int_equal(candidate_budget(&item, &nothing, true), 3);
	}
	struct candidate lan = candidate(CANDIDATE_LAN, "10.0.0.1:1");
	assert_int_equal(candidate_budget(&lan, &proof, false), 0);
	assert_int_equal(candidate_budget(&lan, &proof, true), 20);
}

TEST(each_refusal_has_words_of_its_own)
{
	(void)state;
	assert_string_equal(candidate_word(CANDIDATE_TAKEN), "");
	for (enum candidate_verdict a = CANDIDATE_NONSENSE; a <= CANDIDATE_CUT; a++) {
		for (enum candidate_verdict b = CANDIDATE_TAKEN; b < a; b++)
			assert_string_not_equal(candidate_word(a), candidate_word(b));
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(addresses_where_nobody_can_be_met_are_refused),
		CASE(what_is_no_endpoint_or_no_kind_is_refused),
		CASE(homes_have_private_addresses_and_the_internet_has_public_ones),
		CASE(no_candidate_is_behind_a_barrier),
		CASE(they_are_in_the_order_of_their_kinds),
		CASE(one_place_is_there_once_as_its_likeliest_kind),
		CASE(of_more_than_eight_the_least_likely_go_and_one_of_each_kind_stays),
		CASE(what_stays_does_not_depend_on_the_order_in_which_they_came),
		CASE(two_sites_share_a_home_where_both_were_seen_at_one_public_address),
		CASE(a_place_is_worth_as_many_datagrams_as_is_shown),
		CASE(each_refusal_has_words_of_its_own),
	};

	return RUN(cases);
}

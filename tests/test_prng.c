/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <string.h>

#include "base/key.h"
#include "base/prng.h"

static const uint8_t seed[PRNG_SEED_SIZE] = "a seed that only this test uses";

TEST(prng_same_seed_gives_same_bytes_however_they_are_drawn)
{
	struct prng whole;
	struct prng parts;
	uint8_t a[2000];
	uint8_t b[2000];
	size_t done = 0;

	(void)state;
	prng_init(&whole, seed);
	prng_init(&parts, seed);
	prng_bytes(&whole, a, sizeof a);
	for (size_t step = 1; done < sizeof b; step++) {
		size_t part = step < sizeof b - done ? step : sizeof b - done;

		prng_bytes(&parts, b + done, part);
		done += part;
	}
	assert_memory_equal(a, b, sizeof a);
}

TEST(prng_first_bytes_are_pinned)
{
	/* The same on every machine and in every version: failures are replayed by seed. */
	struct prng prng;
	struct key key;
	char hex[KEY_HEX_SIZE];

	(void)state;
	prng_init(&prng, seed);
	prng_bytes(&prng, key.bytes, KEY_SIZE);
	key_to_hex(&key, hex);
	assert_string_equal(
		hex, "89f94273c09f7247eea60b371a691c5f88b25a89064b60569dc67fb2869823aa");
}

TEST(prng_forgets_what_it_handed_out)
{
	struct prng prng;
	uint8_t bytes[64];

	(void)state;
	prng_init(&prng, seed);
	prng_bytes(&prng, bytes, sizeof bytes);
	assert_memory_not_equal(prng.seed, seed, sizeof seed);
	for (size_t at = 0; at + 16 <= sizeof prng.pool; at++)
		assert_memory_not_equal(prng.pool + at, bytes, 16);
}

TEST(prng_forks_are_independent_of_each_other_and_the_parent)
{
	struct prng parent;
	struct prng untouched;
	struct prng a;
	struct prng b;
	struct prng c;

	(void)state;
	prng_init(&parent, seed);
	prng_init(&untouched, seed);
	prng_fork(&a, &parent, "link", 1);
	prng_fork(&b, &parent, "link", 2);
	prng_fork(&c, &parent, "plan", 1);
	assert_int_not_equal(prng_u64(&a), prng_u64(&b));
	assert_int_not_equal(prng_u64(&a), prng_u64(&c));
	assert_int_equal(prng_u64(&parent), prng_u64(&untouched));
}

TEST(prng_below_is_uniform_and_stays_below)
{
	struct prng prng;
	unsigned hits[7] = {0};

	(void)state;
	prng_init(&prng, seed);
	for (int i = 0; i < 70000; i++) {
		uint64_t value = prng_below(&prng, 7);

		assert_true(value < 7);
		hits[value]++;
	}
	/* Six standard deviations of 93. */
	for (int i = 0; i < 7; i++)
		assert_in_range(hits[i], 10000 - 560, 10000 + 560);
	assert_int_equal(prng_below(&prng, 1), 0);
	/* A limit just above half the range is where taking a remainder would be most unfair. */
	unsigned low = 0;

	for (int i = 0; i < 4000; i++)
		low += prng_below(&prng, (UINT64_C(1) << 63) + 1) < (UINT64_C(1) << 62);
	assert_in_range(low, 2000 - 190, 2000 + 190);
}

TEST(prng_jitter_spreads_over_the_whole_interval)
{
	struct prng prng;
	usec_t least = USEC_NEVER;
	usec_t most = 0;

	(void)state;
	prng_init(&prng, seed);
	for (int i = 0; i < 10000; i++) {
		usec_t value = prng_jitter(&prng, 10 * USEC_SECOND, 20);

		least = value < least ? value : least;
		most = value > most ? value : most;
	}
	assert_in_range(least, 8 * USEC_SECOND, 8 * USEC_SECOND + 10 * USEC_MSEC);
	assert_in_range(most, 12 * USEC_SECOND - 10 * USEC_MSEC, 12 * USEC_SECOND);
	assert_int_equal(prng_jitter(&prng, 1234, 0), 1234);
	assert_true(prng_jitter(&prng, 1, 100) >= 1);
}

TEST(prng_wipe_leaves_nothing)
{
	static const struct prng nothing;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	(void)prng_u64(&prng);
	prng_wipe(&prng);
	assert_memory_equal(&prng, &nothing, sizeof prng);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(prng_same_seed_gives_same_bytes_however_they_are_drawn),
		CASE(prng_first_bytes_are_pinned),
		CASE(prng_forgets_what_it_handed_out),
		CASE(prng_forks_are_independent_of_each_other_and_the_parent),
		CASE(prng_below_is_uniform_and_stays_below),
		CASE(prng_jitter_spreads_over_the_whole_interval),
		CASE(prng_wipe_leaves_nothing),
	};

	return RUN(cases);
}

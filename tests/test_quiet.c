/* SPDX-License-Identifier: MIT */
/*
 * test_quiet.c - how long nobody tries after it failed.
 */
#include "tests/test.h"

#include "nat/quiet.h"

static struct prng chance(uint8_t seed)
{
	const uint8_t bytes[PRNG_SEED_SIZE] = {seed};
	struct prng prng;

	prng_init(&prng, bytes);
	return prng;
}

TEST(each_failure_is_followed_by_a_longer_quiet_up_to_ten_minutes)
{
	static const usec_t least[] = {35 * USEC_SECOND, 125 * USEC_SECOND, 5 * USEC_MINUTE,
		10 * USEC_MINUTE, 10 * USEC_MINUTE, 10 * USEC_MINUTE};

	(void)state;
	for (int seed = 0; seed < 100; seed++) {
		struct prng prng = chance((uint8_t)seed);
		struct quiet quiet;

		quiet_init(&quiet);
		assert_int_equal(quiet_until(&quiet), 0);
		for (size_t i = 0; i < COUNT(least); i++) {
			usec_t last = (usec_t)i * USEC_HOUR;
			usec_t time;

			quiet_failed(&quiet, last, &prng);
			time = quiet_until(&quiet) - last;
			assert_true(time >= least[i]);
			assert_true(time <= least[i] + least[i] / 5);
			assert_true(time <= QUIET_LONGEST);
		}
	}
}

TEST(a_change_ends_the_quiet_and_begins_it_anew)
{
	struct prng prng = chance(1);
	struct quiet quiet;

	(void)state;
	quiet_init(&quiet);
	for (int i = 0; i < 5; i++)
		quiet_failed(&quiet, 0, &prng);
	quiet_reset(&quiet);
	assert_int_equal(quiet_until(&quiet), 0);
	quiet_failed(&quiet, USEC_HOUR, &prng);
	assert_true(quiet_until(&quiet) < USEC_HOUR + USEC_MINUTE);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(each_failure_is_followed_by_a_longer_quiet_up_to_ten_minutes),
		CASE(a_change_ends_the_quiet_and_begins_it_anew),
	};

	return RUN(cases);
}

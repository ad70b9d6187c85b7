/* SPDX-License-Identifier: MIT */
/*
 * test_rarely.c - six times in any hour.
 */
#include "tests/test.h"

#include "nat/rarely.h"

TEST(six_times_are_free_and_the_seventh_waits_for_the_first_to_be_an_hour_old)
{
	struct rarely rarely;

	(void)state;
	rarely_init(&rarely);
	for (usec_t i = 0; i < RARELY_TIMES; i++) {
		assert_true(rarely_may(&rarely, i * USEC_MINUTE));
		assert_true(rarely_from(&rarely) <= 0);
		rarely_note(&rarely, i * USEC_MINUTE);
	}
	assert_false(rarely_may(&rarely, 6 * USEC_MINUTE));
	assert_false(rarely_may(&rarely, USEC_HOUR - 1));
	assert_int_equal(rarely_from(&rarely), USEC_HOUR);
	assert_true(rarely_may(&rarely, USEC_HOUR));
	rarely_note(&rarely, USEC_HOUR);
	assert_false(rarely_may(&rarely, USEC_HOUR));
	assert_false(rarely_may(&rarely, USEC_HOUR + USEC_MINUTE - 1));
	assert_true(rarely_may(&rarely, USEC_HOUR + USEC_MINUTE));
}

TEST(it_holds_however_long_it_goes_on)
{
	usec_t done[200];
	struct rarely rarely;
	uint32_t count = 0;

	(void)state;
	rarely_init(&rarely);
	for (usec_t now = 0; count < COUNT(done); now += 7 * USEC_MINUTE) {
		if (!rarely_may(&rarely, now))
			continue;
		rarely_note(&rarely, now);
		done[count++] = now;
		if (count > RARELY_TIMES)
			assert_true(now - done[count - 1 - RARELY_TIMES] >= RARELY_SPAN);
	}
	/* It is used as far as it may be: six in each 63 minutes. */
	assert_true(done[COUNT(done) - 1] <= (usec_t)COUNT(done) * 63 * USEC_MINUTE / RARELY_TIMES);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(six_times_are_free_and_the_seventh_waits_for_the_first_to_be_an_hour_old),
		CASE(it_holds_however_long_it_goes_on),
	};

	return RUN(cases);
}

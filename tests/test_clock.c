/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <time.h>

#include "agent/clock.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static int64_t wall_ms(void)
{
	struct timespec time;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &time), 0);
	return INT64_C(1000) * time.tv_sec + time.tv_nsec / 1000000;
}

TEST(monotonic_time_never_goes_back)
{
	usec_t before = clock_now();

	(void)state;
	assert_true(before > 0);
	for (int i = 0; i < 100000; i++) {
		usec_t now = clock_now();

		assert_true(now >= before);
		before = now;
	}
}

TEST(monotonic_time_is_in_microseconds)
{
	const struct timespec while_ms = {.tv_nsec = 20000000};
	usec_t before = clock_now();

	(void)state;
	assert_int_equal(nanosleep(&while_ms, NULL), 0);
	assert_true(clock_now() - before >= 20 * USEC_MSEC);
	assert_true(clock_now() - before < 20 * USEC_SECOND);
}

TEST(wait_is_what_is_left)
{
	static const struct {
		usec_t left;
		struct timeval wait;
	} cases[] = {
		{-1, {0, 0}},
		{INT64_MIN, {0, 0}},
		{0, {0, 0}},
		{1, {0, 1}},
		{USEC_SECOND - 1, {0, 999999}},
		{90 * USEC_SECOND + 5, {90, 5}},
		{INT32_MAX * USEC_SECOND, {INT32_MAX, 0}},
		{INT32_MAX * USEC_SECOND + 1, {INT32_MAX, 0}},
		{USEC_NEVER, {INT32_MAX, 0}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct timeval wait = clock_wait(cases[i].left);

		assert_int_equal(wait.tv_sec, cases[i].wait.tv_sec);
		assert_int_equal(wait.tv_usec, cases[i].wait.tv_usec);
	}
}

TEST(wall_time_is_the_machines_with_an_offset)
{
	static const int64_t offsets[] = {0, 5, HOUR_MS, -HOUR_MS, -24 * HOUR_MS};
	struct clock clock;

	(void)state;
	for (size_t i = 0; i < COUNT(offsets); i++) {
		int64_t before = wall_ms();
		int64_t wall;

		clock_init(&clock, offsets[i]);
		wall = (int64_t)clock_wall(&clock) - offsets[i];
		assert_true(wall >= before);
		assert_true(wall <= wall_ms());
	}
}

TEST(machine_that_did_not_sleep_says_so)
{
	struct clock clock;

	(void)state;
	clock_init(&clock, 0);
	for (int i = 0; i < 1000; i++)
		assert_false(clock_slept(&clock));
}

/* As if the clock had been prepared before the machine slept. */
TEST(sleep_is_noticed_once)
{
	struct clock clock;

	(void)state;
	clock_init(&clock, 0);
	clock.asleep -= 2 * USEC_SECOND;
	assert_true(clock_slept(&clock));
	assert_false(clock_slept(&clock));
	clock.asleep -= USEC_SECOND / 2;
	assert_false(clock_slept(&clock));
	/* Short ones add up. */
	clock.asleep -= USEC_SECOND * 6 / 10;
	assert_true(clock_slept(&clock));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(monotonic_time_never_goes_back),
		CASE(monotonic_time_is_in_microseconds),
		CASE(wait_is_what_is_left),
		CASE(wall_time_is_the_machines_with_an_offset),
		CASE(machine_that_did_not_sleep_says_so),
		CASE(sleep_is_noticed_once),
	};

	return RUN(cases);
}

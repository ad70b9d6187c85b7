/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include "base/usec.h"

TEST(usec_sum_stops_at_the_ends)
{
	(void)state;
	assert_int_equal(usec_add(5, 7), 12);
	assert_int_equal(usec_add(5, -7), -2);
	assert_int_equal(usec_add(USEC_NEVER, -7), USEC_NEVER);
	assert_int_equal(usec_add(7, USEC_NEVER), USEC_NEVER);
	assert_int_equal(usec_add(USEC_NEVER - 1, 5), USEC_NEVER);
	assert_int_equal(usec_add(INT64_MIN + 1, -5), INT64_MIN);
	assert_int_equal(usec_min(3, USEC_NEVER), 3);
	assert_int_equal(usec_min(USEC_NEVER, -3), -3);
}

TEST(usec_prints_durations_as_people_say_them)
{
	static const struct {
		usec_t duration;
		const char *text;
	} rows[] = {
		{0, "0 µs"},
		{350, "350 µs"},
		{999, "999 µs"},
		{USEC_MSEC, "1.0 ms"},
		{9999, "9.9 ms"},
		{10 * USEC_MSEC, "10 ms"},
		{42 * USEC_MSEC, "42 ms"},
		{3200 * USEC_MSEC, "3.2 s"},
		{USEC_SECOND, "1.0 s"},
		{10 * USEC_SECOND, "10 s"},
		{4 * USEC_MINUTE, "4 min"},
		{7 * USEC_HOUR, "7 h"},
		{12 * USEC_DAY, "12 d"},
		{USEC_NEVER - 1, "106751991 d"},
		{USEC_NEVER, "never"},
		{-5, "0 µs"},
	};
	char text[USEC_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		usec_print(rows[i].duration, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(usec_sum_stops_at_the_ends),
		CASE(usec_prints_durations_as_people_say_them),
	};

	return RUN(cases);
}

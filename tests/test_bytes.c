/* SPDX-License-Identifier: MIT */
/*
 * test_bytes.c - numbers in forms of fixed length.
 */
#include "tests/test.h"

#include <string.h>

#include "base/bytes.h"

TEST(numbers_stand_with_their_most_significant_byte_first)
{
	static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
	uint8_t out[10];

	(void)state;
	for (size_t size = 0; size <= 8; size++) {
		uint64_t number = size ? UINT64_C(0x0102030405060708) >> (64 - 8 * size) : 0;

		memset(out, 0xee, sizeof out);
		bytes_put(out + 1, number, size);
		assert_memory_equal(out + 1, expected, size);
		assert_int_equal(out[0], 0xee);
		assert_int_equal(out[1 + size], 0xee);
		assert_true(bytes_get(out + 1, size) == number);
	}
}

TEST(what_has_no_room_is_left_out)
{
	uint8_t out[2];

	(void)state;
	bytes_put(out, UINT64_MAX, 2);
	assert_int_equal(bytes_get(out, 2), 0xffff);
	bytes_put(out, 0x12345, 2);
	assert_int_equal(bytes_get(out, 2), 0x2345);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(numbers_stand_with_their_most_significant_byte_first),
		CASE(what_has_no_room_is_left_out),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_seal.c - datagrams outside the tunnel: who opens them, and who does not.
 */
#include "tests/test.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "nat/seal.h"

struct ends {
	struct seal ann;
	struct seal bob;
};

static struct ends ends_of(uint8_t number)
{
	const struct key secret = {{number}};
	struct ends ends;

	seal_init(&ends.ann, "test", &secret, true);
	seal_init(&ends.bob, "test", &secret, false);
	return ends;
}

TEST(what_one_end_seals_the_other_opens)
{
	struct ends ends = ends_of(1);
	uint8_t datagram[SEAL_DATAGRAM_MAX];
	uint8_t body[SEAL_BODY_MAX];
	uint8_t long_body[SEAL_BODY_MAX];
	size_t size;

	(void)state;
	memset(long_body, 7, sizeof long_body);
	size = seal_write(&ends.ann, "hello", 5, datagram);
	assert_int_equal(size, 5 + SEAL_EXTRA);
	assert_int_equal(seal_read(&ends.bob, datagram, size, body), 5);
	assert_memory_equal(body, "hello", 5);
	size = seal_write(&ends.bob, long_body, sizeof long_body, datagram);
	assert_int_equal(size, SEAL_DATAGRAM_MAX);
	assert_int_equal(seal_read(&ends.ann, datagram, size, body), SEAL_BODY_MAX);
	assert_memory_equal(body, long_body, sizeof long_body);
	size = seal_write(&ends.ann, "", 0, datagram);
	assert_int_equal(seal_read(&ends.bob, datagram, size, body), 0);
}

TEST(nobody_else_opens_it_nor_the_sender_himself)
{
	struct ends ends = ends_of(1);
	struct ends others = ends_of(2);
	uint8_t datagram[SEAL_DATAGRAM_MAX];
	uint8_t body[SEAL_BODY_MAX];
	size_t size = seal_write(&ends.ann, "hello", 5, datagram);

	(void)state;
	assert_int_equal(seal_read(&others.bob, datagram, size, body), -EBADMSG);
	/* Even where the session's number is the same. */
	others.bob.id = ends.bob.id;
	assert_int_equal(seal_read(&others.bob, datagram, size, body), -EBADMSG);
	assert_int_equal(seal_read(&ends.ann, datagram, size, body), -EBADMSG);
	assert_int_equal(seal_read(&ends.bob, datagram, size, body), 5);
}

TEST(every_byte_counts)
{
	struct ends ends = ends_of(1);
	uint8_t datagram[SEAL_DATAGRAM_MAX];
	uint8_t body[SEAL_BODY_MAX];
	size_t size = seal_write(&ends.ann, "hello", 5, datagram);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		datagram[i] ^= 0x40;
		assert_true(seal_read(&ends.bob, datagram, size, body) < 0);
		datagram[i] ^= 0x40;
	}
	for (size_t i = 0; i < size; i++)
		assert_int_equal(seal_read(&ends.bob, datagram, i, body), -EBADMSG);
	assert_int_equal(seal_read(&ends.bob, datagram, size, body), 5);
}

TEST(nothing_is_taken_twice_in_whatever_order_it_comes)
{
	struct ends ends = ends_of(3);
	uint8_t datagrams[200][SEAL_DATAGRAM_MAX];
	uint8_t body[SEAL_BODY_MAX];
	bool taken[200] = {false};
	size_t size = 0;
	uint32_t newest = 0;

	(void)state;
	for (uint32_t i = 0; i < COUNT(datagrams); i++)
		size = seal_write(&ends.ann, &i, sizeof i, datagrams[i]);
	/* Steps of 7 in a ring, so that some come late and some too late. */
	for (uint32_t k = 0; k < 3 * COUNT(datagrams); k++) {
		uint32_t i = k * 7 % COUNT(datagrams);
		bool late = newest > i + 64;
		int r = seal_read(&ends.bob, datagrams[i], size, body);

		assert_int_equal(r, taken[i] || late ? -EALREADY : (int)sizeof i);
		if (r > 0) {
			taken[i] = true;
			newest = i > newest ? i : newest;
		}
	}
}

TEST(the_very_first_is_not_taken_twice_either)
{
	struct ends ends = ends_of(4);
	uint8_t first[SEAL_DATAGRAM_MAX];
	uint8_t second[SEAL_DATAGRAM_MAX];
	uint8_t body[SEAL_BODY_MAX];
	size_t size = seal_write(&ends.ann, "x", 1, first);

	(void)state;
	(void)seal_write(&ends.ann, "y", 1, second);
	assert_int_equal(seal_read(&ends.bob, first, size, body), 1);
	assert_int_equal(seal_read(&ends.bob, first, size, body), -EALREADY);
	assert_int_equal(seal_read(&ends.bob, second, size, body), 1);
	assert_int_equal(seal_read(&ends.bob, second, size, body), -EALREADY);
	assert_int_equal(seal_read(&ends.bob, first, size, body), -EALREADY);
}

TEST(wireguard_passes_over_them)
{
	struct ends ends = ends_of(1);
	uint8_t datagram[SEAL_DATAGRAM_MAX];
	struct seal_id id;
	size_t size = seal_write(&ends.ann, "x", 1, datagram);
	uint32_t word = datagram[0] | (uint32_t)datagram[1] << 8 | (uint32_t)datagram[2] << 16 |
			(uint32_t)datagram[3] << 24;

	(void)state;
	assert_true(word > 4);
	assert_true(seal_peek(datagram, size, &id));
	assert_memory_equal(&id, &ends.bob.id, sizeof id);
	memset(datagram, 0, sizeof datagram);
	datagram[0] = 1;
	assert_false(seal_peek(datagram, 148, &id));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(what_one_end_seals_the_other_opens),
		CASE(nobody_else_opens_it_nor_the_sender_himself),
		CASE(every_byte_counts),
		CASE(nothing_is_taken_twice_in_whatever_order_it_comes),
		CASE(the_very_first_is_not_taken_twice_either),
		CASE(wireguard_passes_over_them),
	};

	return RUN(cases);
}

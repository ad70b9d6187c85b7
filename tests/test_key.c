/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/key.h"

static struct key numbered(void)
{
	struct key key;

	for (uint8_t i = 0; i < KEY_SIZE; i++)
		key.bytes[i] = (uint8_t)(i * 7 + 1);
	return key;
}

TEST(key_text_forms_round_trip)
{
	struct key key = numbered();
	struct key back = {0};
	char hex[KEY_HEX_SIZE];
	char base64[KEY_BASE64_SIZE];

	(void)state;
	key_to_hex(&key, hex);
	assert_string_equal(
		hex, "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da");
	assert_int_equal(key_from_hex(hex, &back), 0);
	assert_true(key_equal(&key, &back));

	key_to_base64(&key, base64);
	assert_string_equal(base64, "AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=");
	memset(&back, 0, sizeof back);
	assert_int_equal(key_from_base64(base64, &back), 0);
	assert_true(key_equal(&key, &back));
}

TEST(key_refuses_every_other_text)
{
	static const char *const hex[] = {"", "01",
		"01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3d",
		"01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da0",
		"01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dg",
		" 1080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da"};
	static const char *const base64[] = {"", "=", "AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o==",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09p=",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=\n",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM-9o=",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09 ="};
	struct key key = numbered();
	struct key before = key;

	(void)state;
	for (size_t i = 0; i < COUNT(hex); i++)
		assert_int_equal(key_from_hex(hex[i], &key), -EINVAL);
	for (size_t i = 0; i < COUNT(base64); i++)
		assert_int_equal(key_from_base64(base64[i], &key), -EINVAL);
	assert_memory_equal(&key, &before, sizeof key);
}

TEST(key_wipe_and_zero)
{
	struct key key = numbered();

	(void)state;
	assert_false(key_is_zero(&key));
	key_wipe(&key);
	assert_true(key_is_zero(&key));
	key.bytes[KEY_SIZE - 1] = 1;
	assert_false(key_is_zero(&key));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(key_text_forms_round_trip),
		CASE(key_refuses_every_other_text),
		CASE(key_wipe_and_zero),
	};

	return RUN(cases);
}

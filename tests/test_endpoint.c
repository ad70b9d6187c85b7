/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>

#include "base/endpoint.h"

TEST(endpoint_round_trips)
{
	static const char *const rows[] = {"192.0.2.1:51821", "255.255.255.255:65535", "[::]:1",
		"[2001:db8::1]:51820", "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"};
	struct endpoint endpoint;
	struct endpoint other;
	char text[ENDPOINT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(endpoint_parse(rows[i], &endpoint), 0);
		endpoint_print(&endpoint, text);
		assert_string_equal(text, rows[i]);
		assert_int_equal(endpoint_parse(text, &other), 0);
		assert_true(endpoint_equal(&endpoint, &other));
		other.port--;
		assert_false(endpoint_equal(&endpoint, &other));
	}
}

TEST(endpoint_refuses_the_rest)
{
	static const char *const rows[] = {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0",
		"192.0.2.1:65536", "192.0.2.1:051", "192.0.2.1:+5", "192.0.2.1:5 ", "192.0.2.1:5x",
		"192.0.2.1:99999999999999999999", "192.0.2.1 :5", ":5", "[192.0.2.1]:5", "::1:5",
		"2001:db8::1:51820", "[::1]", "[::1]:", "[::1]5", "[::1:5", "[]:5", "[::1%lo]:5",
		"[fe80::1%eth0]:51820", "[::ffff:192.0.2.1]:5", "hub.example.org:51821",
		"[::1]:5]"};
	struct endpoint endpoint = {.port = 9};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(endpoint_parse(rows[i], &endpoint), -EINVAL);
	assert_int_equal(endpoint.port, 9);
}

TEST(endpoint_in_a_fixed_form_comes_back_and_has_one_form)
{
	static const char *const texts[] = {"203.0.113.7:40123", "[2001:db8::7]:1"};
	struct endpoint endpoint;
	struct endpoint back;
	uint8_t bytes[ENDPOINT_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(endpoint_parse(texts[i], &endpoint), 0);
		endpoint_put(&endpoint, bytes);
		assert_int_equal(endpoint_get(bytes, &back), 0);
		assert_true(endpoint_equal(&endpoint, &back));
		bytes[17] = bytes[18] = 0;
		assert_int_equal(endpoint_get(bytes, &back), -EBADMSG);
	}
	assert_int_equal(endpoint_parse(texts[0], &endpoint), 0);
	endpoint_put(&endpoint, bytes);
	bytes[16] = 1;
	assert_int_equal(endpoint_get(bytes, &back), -EBADMSG);
	bytes[16] = 0;
	bytes[0] = ADDRESS_NONE;
	assert_int_equal(endpoint_get(bytes, &back), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(endpoint_round_trips),
		CASE(endpoint_refuses_the_rest),
		CASE(endpoint_in_a_fixed_form_comes_back_and_has_one_form),
	};

	return RUN(cases);
}

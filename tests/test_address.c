/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/address.h"
#include "base/prng.h"

static int parse(const char *text, struct address *out)
{
	return address_parse(text, strlen(text), out);
}

TEST(address_reads_and_writes_one_form)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"10.100.3.1", "10.100.3.1"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"0:0:0:1:0:0:0:0", "0:0:0:1::"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"1:2:3:4:5:6:192.0.2.33", "1:2:3:4:5:6:c000:221"},
	};
	char text[ADDRESS_TEXT_SIZE];
	struct address address;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(rows[i].in, &address), 0);
		address_print(&address, text);
		assert_string_equal(text, rows[i].out);
	}
}

TEST(address_refuses_what_has_no_one_meaning)
{
	static const char *const rows[] = {"", ".", "1", "10.1", "10.1.2", "1.2.3.4.", "1.2.3.4.5",
		".1.2.3", "1..2.3", "1.2.3.256", "1.2.3.04", "1.2.3.0x4", "1.2.3.-4", "1.2.3.4 ",
		" 1.2.3.4", "1.2.3.1000", ":", ":::", "1:::2", "1::2::3", ":1::", "1:", ":1",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
		"12345::", "g::", "fe80::1%eth0", "::1/128", "[::1]", "::ffff:192.0.2.1",
		"::ffff:0:0", "1:2:3:4:5:6:7:192.0.2.1", "::192.0.2", "::192.0.2.1:5",
		"192.0.2.1::", "::1 "};
	struct address address = address_ipv4(7);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(parse(rows[i], &address), -EINVAL);
	assert_true(address.bytes[3] == 7);
}

TEST(address_agrees_with_the_c_library)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {1};
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	for (int i = 0; i < 20000; i++) {
		struct address address = {.family = ADDRESS_IPV6};
		struct address back;
		char ours[ADDRESS_TEXT_SIZE];
		char theirs[INET6_ADDRSTRLEN];
		uint8_t bytes[16];

		/* Many zero groups, so that every place of "::" occurs. */
		prng_bytes(&prng, address.bytes, 16);
		for (int group = 0; group < 8; group++) {
			if (prng_below(&prng, 3) > 0)
				memset(address.bytes + 2 * group, 0, 2);
		}
		address_print(&address, ours);
		assert_int_equal(inet_pton(AF_INET6, ours, bytes), 1);
		assert_memory_equal(bytes, address.bytes, 16);
		assert_non_null(inet_ntop(AF_INET6, address.bytes, theirs, sizeof theirs));
		if (!strchr(theirs, '.')) {
			assert_string_equal(ours, theirs);
			assert_int_equal(parse(theirs, &back), 0);
			assert_true(address_equal(&address, &back));
		}
	}
}

TEST(address_order_and_sizes)
{
	struct address none = {0};
	struct address small = address_ipv4(0x0a640001);
	struct address big = address_ipv4(0x0a640002);
	struct address six;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(parse("::", &six), 0);
	assert_true(address_compare(&none, &small) < 0);
	assert_true(address_compare(&small, &big) < 0);
	assert_true(address_compare(&six, &big) > 0);
	assert_true(address_compare(&six, &six) == 0);
	assert_int_equal(address_bits(&none), 0);
	assert_int_equal(address_bits(&small), 32);
	assert_int_equal(address_size(&six), 16);
	address_print(&none, text);
	assert_string_equal(text, "none");
	address_print(&small, text);
	assert_string_equal(text, "10.100.0.1");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(address_reads_and_writes_one_form),
		CASE(address_refuses_what_has_no_one_meaning),
		CASE(address_agrees_with_the_c_library),
		CASE(address_order_and_sizes),
	};

	return RUN(cases);
}

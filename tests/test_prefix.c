/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/prefix.h"
#include "base/prng.h"

static struct prefix of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

TEST(prefix_round_trips)
{
	static const char *const rows[] = {"0.0.0.0/0", "10.100.0.0/16", "10.100.3.0/24",
		"10.100.3.1/32", "128.0.0.0/1", "::/0", "2001:db8::/32", "2001:db8::1/128",
		"fe80::/10", "8000::/1"};
	char text[PREFIX_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix prefix = of(rows[i]);

		prefix_print(&prefix, text);
		assert_string_equal(text, rows[i]);
	}
}

TEST(prefix_refusals_have_reasons)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"", -EINVAL},
		{"/", -EINVAL},
		{"10.1/16", -EINVAL},
		{"10.0.0.0", -EINVAL},
		{"10.0.0.0/", -EINVAL},
		{"10.0.0.0/08", -EINVAL},
		{"10.0.0.0/+8", -EINVAL},
		{"10.0.0.0/8 ", -EINVAL},
		{"10.0.0.0/8/8", -EINVAL},
		{"10.0.0.0/255.0.0.0", -EINVAL},
		{"fe80::%eth0/64", -EINVAL},
		{"::ffff:10.0.0.0/104", -EINVAL},
		{"10.0.0.0/33", -ERANGE},
		{"::/129", -ERANGE},
		{"10.0.0.0/999", -ERANGE},
		{"10.0.0.0/9999", -EINVAL},
		{"10.1.2.3/16", -EDOM},
		{"0.0.0.1/0", -EDOM},
		{"2001:db8::1/64", -EDOM},
	};
	struct prefix prefix;
	char text[PREFIX_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(prefix_parse(rows[i].text, &prefix), rows[i].r);
	/* What was meant is at hand. */
	assert_int_equal(prefix_parse("10.1.2.3/15", &prefix), -EDOM);
	prefix_print(&prefix, text);
	assert_string_equal(text, "10.0.0.0/15");
}

/* The truth, bit by bit. */
static bool bits_agree(const struct address *a, const struct address *b, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned mask = 0x80u >> (i % 8);

		if ((a->bytes[i / 8] & mask) != (b->bytes[i / 8] & mask))
			return false;
	}
	return true;
}

TEST(prefix_relations_agree_with_bit_arithmetic)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {2};
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	for (int i = 0; i < 50000; i++) {
		struct prefix p[2];

		for (int k = 0; k < 2; k++) {
			p[k] = (struct prefix){0};
			p[k].address.family = prng_below(&prng, 4) ? ADDRESS_IPV4 : ADDRESS_IPV6;
			/* Few bits set, so that many pairs meet. */
			p[k].address.bytes[0] = (uint8_t)(prng_below(&prng, 4) << 6);
			p[k].address.bytes[3] = (uint8_t)prng_below(&prng, 4);
			p[k].length = (uint8_t)prng_below(&prng, address_bits(&p[k].address) + 1u);
			p[k] = prefix_canonical(&p[k]);
		}

		bool family = p[0].address.family == p[1].address.family;
		unsigned shorter = p[0].length < p[1].length ? p[0].length : p[1].length;
		bool meet = family && bits_agree(&p[0].address, &p[1].address, shorter);

		assert_int_equal(prefix_overlaps(&p[0], &p[1]), meet);
		assert_int_equal(prefix_overlaps(&p[1], &p[0]), meet);
		assert_int_equal(prefix_contains(&p[0], &p[1]), meet && p[0].length <= p[1].length);
		assert_int_equal(prefix_has_address(&p[0], &p[1].address),
			family && bits_agree(&p[0].address, &p[1].address, p[0].length));
		assert_true(prefix_equal(&p[0], &p[0]));
		assert_int_equal(
			prefix_compare(&p[0], &p[1]) < 0, prefix_compare(&p[1], &p[0]) > 0);
	}
}

TEST(prefix_order_puts_the_wider_first)
{
	struct prefix a = of("10.0.0.0/8");
	struct prefix b = of("10.0.0.0/16");
	struct prefix c = of("10.0.1.0/24");

	(void)state;
	assert_true(prefix_compare(&a, &b) < 0);
	assert_true(prefix_compare(&b, &c) < 0);
	assert_false(prefix_equal(&a, &b));
}

TEST(prefix_reserved_ranges)
{
	static const struct {
		const char *text;
		const char *reserved;
	} rows[] = {
		{"0.0.0.0/0", "the whole internet"},
		{"::/0", "the whole internet"},
		{"127.0.0.1/32", "loopback"},
		{"126.0.0.0/7", "loopback"},
		{"169.254.77.0/24", "link-local"},
		{"239.1.0.0/16", "multicast"},
		{"0.0.0.0/8", "no network of hosts"},
		{"255.255.255.255/32", "reserved"},
		{"240.0.0.0/5", "reserved"},
		{"::/128", "the unspecified address"},
		{"::1/128", "loopback"},
		{"fe80::/64", "link-local"},
		{"ff02::/16", "multicast"},
		{"10.100.3.0/24", NULL},
		{"192.168.7.0/24", NULL},
		{"100.64.0.0/10", NULL},
		{"2001:db8::/32", NULL},
		{"fd00::/8", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix prefix = of(rows[i].text);
		const char *reserved = prefix_reserved(&prefix);

		if (rows[i].reserved)
			assert_string_equal(reserved, rows[i].reserved);
		else
			assert_null(reserved);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(prefix_round_trips),
		CASE(prefix_refusals_have_reasons),
		CASE(prefix_relations_agree_with_bit_arithmetic),
		CASE(prefix_order_puts_the_wider_first),
		CASE(prefix_reserved_ranges),
	};

	return RUN(cases);
}

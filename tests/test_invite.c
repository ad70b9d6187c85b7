/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "gossip/invite.h"

static struct invite sample(void)
{
	struct invite invite = {
		.root = {{1}},
		.supernet = {address_ipv4(0x0a640000), 16},
		.hub_address = address_ipv4(0x0a640101),
		.hub_length = 24,
		.hub_key = {{2}},
		.endpoint_count = 2,
		.endpoints = {{"hub.example.org", 51821}, {"2001:db8::1", 51821}},
		.join_number = 7,
		.reserved = {address_ipv4(0x0a640300), 24},
		.expires = 1790000000,
		.secret = {{3}},
	};

	return invite;
}

static void expect_same(const struct invite *a, const struct invite *b)
{
	assert_true(key_equal(&a->root, &b->root));
	assert_true(key_equal(&a->hub_key, &b->hub_key));
	assert_true(key_equal(&a->secret, &b->secret));
	assert_true(prefix_equal(&a->supernet, &b->supernet));
	assert_true(prefix_equal(&a->reserved, &b->reserved));
	assert_true(address_equal(&a->hub_address, &b->hub_address));
	assert_int_equal(a->hub_length, b->hub_length);
	assert_int_equal(a->join_number, b->join_number);
	assert_true(a->expires == b->expires);
	assert_int_equal(a->approval, b->approval);
	assert_int_equal(a->endpoint_count, b->endpoint_count);
	for (uint32_t i = 0; i < a->endpoint_count; i++) {
		assert_string_equal(a->endpoints[i].host, b->endpoints[i].host);
		assert_int_equal(a->endpoints[i].port, b->endpoints[i].port);
	}
}

TEST(invite_round_trips)
{
	struct invite in = sample();
	struct invite out;
	char text[INVITE_TEXT_SIZE];

	(void)state;
	for (int approval = 0; approval < 2; approval++) {
		in.approval = approval;
		assert_true(invite_write(&in, text) > 0);
		assert_memory_equal(text, "collective1_", 12);
		assert_int_equal(invite_read(&out, text), INVITE_GOOD);
		expect_same(&in, &out);
	}
}

TEST(invite_fits_into_one_line)
{
	struct invite invite = sample();
	char text[INVITE_TEXT_SIZE];
	int usual;
	int longest;

	(void)state;
	/* Three names of 30 characters; then three of 64. */
	invite.endpoint_count = 3;
	for (int i = 0; i < 3; i++) {
		memset(invite.endpoints[i].host, 'a', 30);
		invite.endpoints[i].host[30] = '\0';
		invite.endpoints[i].port = 51821;
	}
	usual = invite_write(&invite, text);
	assert_true(usual > 0 && usual <= 320);
	for (int i = 0; i < 3; i++)
		memset(invite.endpoints[i].host, 'a', INVITE_HOST_MAX);
	longest = invite_write(&invite, text);
	assert_true(longest > 0 && longest <= 450);
	print_message("# 90 characters of names: %d; three of 64: %d\n", usual, longest);
}

TEST(invite_survives_what_terminals_do)
{
	struct invite in = sample();
	struct invite out;
	char text[INVITE_TEXT_SIZE];
	char wrapped[2 * INVITE_TEXT_SIZE] = " \t";
	size_t used = 2;

	(void)state;
	assert_true(invite_write(&in, text) > 0);
	for (size_t i = 0; text[i]; i++) {
		wrapped[used++] = text[i];
		for (const char *at = "\r\n  "; i % 72 == 71 && *at; at++)
			wrapped[used++] = *at;
	}
	memcpy(wrapped + used, "\n", 2);
	assert_int_equal(invite_read(&out, wrapped), INVITE_GOOD);
	expect_same(&in, &out);
}

TEST(invite_typing_errors_are_named_as_such)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct invite invite = sample();
	struct invite out = {.join_number = 99};
	char text[INVITE_TEXT_SIZE];
	char changed[INVITE_TEXT_SIZE];
	int length = invite_write(&invite, text);

	(void)state;
	assert_true(length > 0);
	/* Any other character at any place; any cut; two neighbours swapped. */
	for (int i = 12; i < length; i++) {
		for (size_t k = 0; k < sizeof alphabet - 1; k++) {
			memcpy(changed, text, sizeof text);
			changed[i] = alphabet[k];
			assert_int_equal(invite_read(&out, changed),
				alphabet[k] == text[i] ? INVITE_GOOD : INVITE_TYPO);
		}
		memcpy(changed, text, sizeof text);
		changed[i] = '\0';
		assert_int_equal(invite_read(&out, changed), INVITE_TYPO);
		memcpy(changed, text, sizeof text);
		if (i > 12 && changed[i] != changed[i - 1]) {
			changed[i] = text[i - 1];
			changed[i - 1] = text[i];
			assert_int_equal(invite_read(&out, changed), INVITE_TYPO);
		}
	}
	memcpy(changed, text, sizeof text);
	changed[20] = '!';
	assert_int_equal(invite_read(&out, changed), INVITE_TYPO);
	memcpy(changed, text, sizeof text);
	changed[length] = 'A';
	changed[length + 1] = '\0';
	assert_int_equal(invite_read(&out, changed), INVITE_TYPO);
}

TEST(invite_other_words_are_told_apart)
{
	struct invite out;
	char longer[1000];

	(void)state;
	assert_int_equal(invite_read(&out, ""), INVITE_OTHER);
	assert_int_equal(invite_read(&out, "hello"), INVITE_OTHER);
	assert_int_equal(invite_read(&out, "collective_abc"), INVITE_OTHER);
	assert_int_equal(invite_read(&out, "https://example.org/collective1_"), INVITE_OTHER);
	assert_int_equal(invite_read(&out, "collective2_abc"), INVITE_NEWER);
	assert_int_equal(invite_read(&out, "collective17_"), INVITE_NEWER);
	assert_int_equal(invite_read(&out, "collective1_"), INVITE_TYPO);
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(invite_read(&out, longer), INVITE_OTHER);
	memcpy(longer, "collective1_", 12);
	assert_int_equal(invite_read(&out, longer), INVITE_TYPO);
	for (int fault = INVITE_GOOD; fault <= INVITE_INVALID; fault++)
		assert_true(strlen(invite_fault_text(fault)) > 10);
}

/* Writing refuses this. */
static void expect_refused(struct invite invite)
{
	char text[INVITE_TEXT_SIZE];

	assert_int_equal(invite_write(&invite, text), -EINVAL);
}

TEST(invite_values_that_cannot_be_are_refused)
{
	struct invite invite;

	(void)state;
	invite = sample();
	invite.endpoint_count = 0;
	expect_refused(invite);
	invite = sample();
	invite.endpoints[0].port = 0;
	expect_refused(invite);
	invite = sample();
	(void)snprintf(invite.endpoints[0].host, sizeof invite.endpoints[0].host, "a b");
	expect_refused(invite);
	invite = sample();
	invite.reserved.address = address_ipv4(0x0a650300);
	expect_refused(invite);
	invite = sample();
	invite.reserved = invite.supernet; /* holds the hub's own address */
	expect_refused(invite);
	invite = sample();
	invite.hub_address = address_ipv4(0x0b000001);
	expect_refused(invite);
	invite = sample();
	invite.join_number = 255;
	expect_refused(invite);
	invite = sample();
	invite.expires = 0;
	expect_refused(invite);
	invite = sample();
	key_wipe(&invite.secret);
	expect_refused(invite);
	invite = sample();
	invite.supernet.address.bytes[3] = 1;
	expect_refused(invite);
}

TEST(invite_expiry)
{
	struct invite invite = sample();

	(void)state;
	assert_false(invite_expired(&invite, UINT64_C(1789999999999)));
	assert_true(invite_expired(&invite, UINT64_C(1790000000000)));
}

TEST(invite_keys_are_pinned_and_differ)
{
	struct invite invite = sample();
	struct invite_keys keys;
	struct invite_keys other;
	struct address join = invite_join_address(7);
	char text[ADDRESS_TEXT_SIZE];
	char hex[KEY_HEX_SIZE];

	(void)state;
	invite_derive(&invite.secret, &keys);
	key_to_hex(&keys.public_key, hex);
	assert_string_equal(
		hex, "8cf4e5f4090bbec614ecbd6e8358197f4fa5cd08220f201ebdd62374bfc58307");
	key_to_hex(&keys.preshared_key, hex);
	assert_string_equal(
		hex, "7c4b3dc016f210719a56f44bbb5a2b164342e1cca6396912467b47dd19e7d3ff");
	invite.secret.bytes[31] ^= 1;
	invite_derive(&invite.secret, &other);
	assert_false(key_equal(&keys.private_key, &other.private_key));
	assert_false(key_equal(&keys.preshared_key, &other.preshared_key));
	assert_false(hash_equal(&keys.id, &other.id));
	assert_false(key_equal(&keys.private_key, &keys.preshared_key));
	address_print(&join, text);
	assert_string_equal(text, "169.254.77.7");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(invite_round_trips),
		CASE(invite_fits_into_one_line),
		CASE(invite_survives_what_terminals_do),
		CASE(invite_typing_errors_are_named_as_such),
		CASE(invite_other_words_are_told_apart),
		CASE(invite_values_that_cannot_be_are_refused),
		CASE(invite_expiry),
		CASE(invite_keys_are_pinned_and_differ),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
#include "base/key.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(
	KEY_BASE64_SIZE == sodium_base64_ENCODED_LEN(KEY_SIZE, sodium_base64_VARIANT_ORIGINAL),
	"base64 of a key");

bool key_equal(const struct key *a, const struct key *b)
{
	return sodium_memcmp(a->bytes, b->bytes, KEY_SIZE) == 0;
}

bool key_is_zero(const struct key *key)
{
	return sodium_is_zero(key->bytes, KEY_SIZE) == 1;
}

void key_wipe(struct key *key)
{
	sodium_memzero(key->bytes, KEY_SIZE);
}

void key_to_hex(const struct key *key, char out[static KEY_HEX_SIZE])
{
	sodium_bin2hex(out, KEY_HEX_SIZE, key->bytes, KEY_SIZE);
}

int key_from_hex(const char *text, struct key *out)
{
	struct key key;
	size_t size;

	if (strnlen(text, KEY_HEX_SIZE) != KEY_HEX_SIZE - 1)
		return -EINVAL;
	if (sodium_hex2bin(key.bytes, KEY_SIZE, text, KEY_HEX_SIZE - 1, NULL, &size, NULL) < 0 ||
		size != KEY_SIZE)
		return -EINVAL;
	*out = key;
	key_wipe(&key);
	return 0;
}

void key_to_base64(const struct key *key, char out[static KEY_BASE64_SIZE])
{
	sodium_bin2base64(
		out, KEY_BASE64_SIZE, key->bytes, KEY_SIZE, sodium_base64_VARIANT_ORIGINAL);
}

int key_from_base64(const char *text, struct key *out)
{
	struct key key;
	size_t size;

	/* libsodium refuses other paddings and set bits behind the last byte: one form per key. */
	if (strnlen(text, KEY_BASE64_SIZE) != KEY_BASE64_SIZE - 1)
		return -EINVAL;
	if (sodium_base642bin(key.bytes, KEY_SIZE, text, KEY_BASE64_SIZE - 1, NULL, &size, NULL,
		    sodium_base64_VARIANT_ORIGINAL) < 0 ||
		size != KEY_SIZE)
		return -EINVAL;
	*out = key;
	key_wipe(&key);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "gossip/invite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"

#define PREFIX "collective1_"
#define ANY_PREFIX "collective" /* then a version, then '_' */
#define CHECKSUM_SIZE 4
#define FIXED_SIZE (3 * KEY_SIZE + 5 + 5 + 5 + 1 + 5 + 1 + 1)
#define ENDPOINT_SIZE_MAX (1 + INVITE_HOST_MAX + 2)
#define BYTES_MAX (FIXED_SIZE + INVITE_ENDPOINTS_MAX * ENDPOINT_SIZE_MAX + CHECKSUM_SIZE)
#define EXPIRES_MAX ((UINT64_C(1) << 40) - 1)
#define FLAG_APPROVAL 1

_Static_assert(sizeof PREFIX - 1 +
			       sodium_base64_ENCODED_LEN(
				       BYTES_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <=
		       INVITE_TEXT_SIZE,
	"the longest invite");

struct address invite_join_address(uint8_t number)
{
	return address_ipv4(0xa9fe4d00u | number);
}

struct prefix invite_join_addresses(void)
{
	return (struct prefix){invite_join_address(0), 24};
}

/* A host name or an address: what stands in a URL's place for it, without brackets. */
static bool is_host(const char *host)
{
	size_t length = strnlen(host, INVITE_HOST_MAX + 1);

	return length >= 1 && length <= INVITE_HOST_MAX &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_") ==
		       length;
}

static bool is_ipv4(const struct prefix *prefix)
{
	struct prefix canonical = prefix_canonical(prefix);

	return prefix->address.family == ADDRESS_IPV4 && prefix->length <= 32 &&
	       prefix_equal(&canonical, prefix);
}

static bool is_valid(const struct invite *invite)
{
	const struct prefix hub = {invite->hub_address, invite->hub_length};

	for (uint32_t i = 0; i < invite->endpoint_count; i++) {
		if (!is_host(invite->endpoints[i].host) || invite->endpoints[i].port == 0)
			return false;
	}
	return invite->endpoint_count >= 1 && invite->endpoint_count <= INVITE_ENDPOINTS_MAX &&
	       is_ipv4(&invite->supernet) && is_ipv4(&invite->reserved) &&
	       prefix_contains(&invite->supernet, &invite->reserved) &&
	       hub.address.family == ADDRESS_IPV4 && hub.length <= 32 &&
	       hub.length >= invite->supernet.length &&
	       prefix_has_address(&invite->supernet, &hub.address) &&
	       !prefix_has_address(&invite->reserved, &hub.address) && invite->join_number >= 1 &&
	       invite->join_number <= 254 && invite->expires >= 1 &&
	       invite->expires <= EXPIRES_MAX && !key_is_zero(&invite->root) &&
	       !key_is_zero(&invite->hub_key) && !key_is_zero(&invite->secret);
}

/* Bytes are laid out one behind the other; both directions go through the same few steps. */
struct cursor {
	uint8_t *at;
	const uint8_t *end;
	bool short_of; /* of bytes, while reading */
};

static void put(struct cursor *cursor, const void *bytes, size_t size)
{
	memcpy(cursor->at, bytes, size);
	cursor->at += size;
}

static void put_number(struct cursor *cursor, uint64_t value, unsigned size)
{
	bytes_put(cursor->at, value, size);
	cursor->at += size;
}

static void get(struct cursor *cursor, void *out, size_t size)
{
	if ((size_t)(cursor->end - cursor->at) < size) {
		cursor->short_of = true;
		memset(out, 0, size);
		return;
	}
	memcpy(out, cursor->at, size);
	cursor->at += size;
}

static uint64_t get_number(struct cursor *cursor, unsigned size)
{
	uint8_t bytes[8] = {0};

	get(cursor, bytes, size);
	return bytes_get(bytes, size);
}

static void put_prefix(struct cursor *cursor, const struct address *address, uint8_t length)
{
	put(cursor, address->bytes, 4);
	put_number(cursor, length, 1);
}

static uint8_t get_prefix(struct cursor *cursor, struct address *address)
{
	*address = (struct address){.family = ADDRESS_IPV4};
	get(cursor, address->bytes, 4);
	return (uint8_t)get_number(cursor, 1);
}

static void checksum(const uint8_t *bytes, size_t size, uint8_t out[static CHECKSUM_SIZE])
{
	struct hash hash = hash_of(bytes, size);

	memcpy(out, hash.bytes, CHECKSUM_SIZE);
}

int invite_write(const struct invite *invite, char out[static INVITE_TEXT_SIZE])
{
	uint8_t bytes[BYTES_MAX];
	struct cursor cursor = {.at = bytes};

	if (!is_valid(invite))
		return -EINVAL;
	put(&cursor, invite->root.bytes, KEY_SIZE);
	put_prefix(&cursor, &invite->supernet.address, invite->supernet.length);
	put_prefix(&cursor, &invite->hub_address, invite->hub_length);
	put(&cursor, invite->hub_key.bytes, KEY_SIZE);
	put_number(&cursor, invite->join_number, 1);
	put_prefix(&cursor, &invite->reserved.address, invite->reserved.length);
	put_number(&cursor, invite->expires, 5);
	put_number(&cursor, invite->approval ? FLAG_APPROVAL : 0, 1);
	put(&cursor, invite->secret.bytes, KEY_SIZE);
	put_number(&cursor, invite->endpoint_count, 1);
	for (uint32_t i = 0; i < invite->endpoint_count; i++) {
		const struct invite_endpoint *endpoint = &invite->endpoints[i];
		size_t length = strlen(endpoint->host);

		put_number(&cursor, length, 1);
		put(&cursor, endpoint->host, length);
		put_number(&cursor, endpoint->port, 2);
	}
	checksum(bytes, (size_t)(cursor.at - bytes), cursor.at);
	cursor.at += CHECKSUM_SIZE;
	memcpy(out, PREFIX, sizeof PREFIX);
	sodium_bin2base64(out + sizeof PREFIX - 1, INVITE_TEXT_SIZE - (sizeof PREFIX - 1), bytes,
		(size_t)(cursor.at - bytes), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof bytes);
	return (int)strlen(out);
}

static void get_endpoint(struct cursor *cursor, struct invite_endpoint *endpoint)
{
	size_t length = (size_t)get_number(cursor, 1);

	memset(endpoint, 0, sizeof *endpoint);
	if (length > INVITE_HOST_MAX) {
		cursor->short_of = true;
		return;
	}
	get(cursor, endpoint->host, length);
	/* A NUL inside would hide what follows it. */
	if (strlen(endpoint->host) != length)
		cursor->short_of = true;
	endpoint->port = (uint16_t)get_number(cursor, 2);
}

static enum invite_fault read_bytes(struct invite *invite, uint8_t *bytes, size_t size)
{
	struct cursor cursor = {.at = bytes, .end = bytes + size};

	get(&cursor, invite->root.bytes, KEY_SIZE);
	invite->supernet.length = get_prefix(&cursor, &invite->supernet.address);
	invite->hub_length = get_prefix(&cursor, &invite->hub_address);
	get(&cursor, invite->hub_key.bytes, KEY_SIZE);
	invite->join_number = (uint8_t)get_number(&cursor, 1);
	invite->reserved.length = get_prefix(&cursor, &invite->reserved.address);
	invite->expires = get_number(&cursor, 5);
	invite->approval = get_number(&cursor, 1) & FLAG_APPROVAL;
	get(&cursor, invite->secret.bytes, KEY_SIZE);
	invite->endpoint_count = (uint32_t)get_number(&cursor, 1);
	if (invite->endpoint_count > INVITE_ENDPOINTS_MAX)
		return INVITE_INVALID;
	for (uint32_t i = 0; i < invite->endpoint_count; i++)
		get_endpoint(&cursor, &invite->endpoints[i]);
	if (cursor.short_of || cursor.at != cursor.end || !is_valid(invite))
		return INVITE_INVALID;
	return INVITE_GOOD;
}

/* The word without white space. Returns false when it is longer than any invite. */
static bool squeeze(const char *text, char out[static INVITE_TEXT_SIZE])
{
	size_t used = 0;

	for (; *text; text++) {
		if (strchr(" \t\r\n", *text))
			continue;
		if (used == INVITE_TEXT_SIZE - 1)
			return false;
		out[used++] = *text;
	}
	out[used] = '\0';
	return true;
}

/* "collective2_" and the like: the word of a newer program. */
static bool is_newer(const char *word)
{
	const char *at = word + sizeof ANY_PREFIX - 1;
	size_t digits;

	if (strncmp(word, ANY_PREFIX, sizeof ANY_PREFIX - 1) != 0)
		return false;
	digits = strspn(at, "0123456789");
	return digits > 0 && digits < 4 && at[0] != '0' && at[digits] == '_';
}

static enum invite_fault read_word(struct invite *invite, const char *word)
{
	uint8_t bytes[INVITE_TEXT_SIZE] = {0};
	uint8_t sum[CHECKSUM_SIZE];
	enum invite_fault fault;
	size_t size;

	if (strncmp(word, PREFIX, sizeof PREFIX - 1) != 0)
		return is_newer(word) ? INVITE_NEWER : INVITE_OTHER;
	word += sizeof PREFIX - 1;
	if (sodium_base642bin(bytes, sizeof bytes, word, strlen(word), NULL, &size, NULL,
		    sodium_base64_VARIANT_URLSAFE_NO_PADDING) < 0 ||
		size <= CHECKSUM_SIZE)
		return INVITE_TYPO;
	size -= CHECKSUM_SIZE;
	checksum(bytes, size, sum);
	fault = memcmp(sum, bytes + size, CHECKSUM_SIZE) == 0 ? read_bytes(invite, bytes, size)
							      : INVITE_TYPO;
	sodium_memzero(bytes, sizeof bytes);
	return fault;
}

enum invite_fault invite_read(struct invite *ret, const char *text)
{
	char word[INVITE_TEXT_SIZE] = "";
	struct invite invite = {0};
	enum invite_fault fault = INVITE_TYPO;

	if (squeeze(text, word))
		fault = read_word(&invite, word);
	else if (strncmp(word, PREFIX, sizeof PREFIX - 1) != 0)
		fault = INVITE_OTHER;
	if (fault == INVITE_GOOD)
		*ret = invite;
	sodium_memzero(word, sizeof word);
	sodium_memzero(&invite, sizeof invite);
	return fault;
}

const char *invite_fault_text(enum invite_fault fault)
{
	switch (fault) {
	case INVITE_GOOD:
		return "this is an invite";
	case INVITE_OTHER:
		return "this is no invite: an invite is one long word that begins with "
		       "\"" PREFIX "\"";
	case INVITE_NEWER:
		return "this invite was made by a newer collective: upgrade this one first";
	case INVITE_TYPO:
		return "this invite was mistyped or cut off: copy it once more, whole";
	case INVITE_INVALID:
		return "this invite is whole but makes no sense: ask for a new one";
	}
	return "this is no invite";
}

bool invite_expired(const struct invite *invite, uint64_t now)
{
	return now / 1000 >= invite->expires;
}

static void derive(const struct key *secret, const char *purpose, void *out, size_t size)
{
	(void)crypto_generichash(
		out, size, (const uint8_t *)purpose, strlen(purpose), secret->bytes, KEY_SIZE);
}

void invite_derive(const struct key *secret, struct invite_keys *ret)
{
	derive(secret, "collective join key", ret->private_key.bytes, KEY_SIZE);
	derive(secret, "collective join preshared key", ret->preshared_key.bytes, KEY_SIZE);
	derive(secret, "collective join id", ret->id.bytes, HASH_SIZE);
	/* As WireGuard does before it uses a private key. */
	ret->private_key.bytes[0] &= 248;
	ret->private_key.bytes[31] = (ret->private_key.bytes[31] & 127) | 64;
	(void)crypto_scalarmult_base(ret->public_key.bytes, ret->private_key.bytes);
}

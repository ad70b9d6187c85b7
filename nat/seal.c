/* SPDX-License-Identifier: MIT */
#include "nat/seal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"

#define WINDOW 64
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(SEAL_EXTRA == SEAL_HEAD + crypto_aead_xchacha20poly1305_ietf_ABYTES, "the tag");

/* As a little-endian word it is none of WireGuard's types, which are 1 to 4. */
const uint8_t seal_magic[SEAL_MAGIC_SIZE] = {0xc0, 'l', 'l', 'e', 'c', 't', 'v', 1};

/* One key for each direction, and the number that names the session. */
static void derive(
	const char *label, const char *part, const struct key *secret, void *out, size_t size)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, secret->bytes, KEY_SIZE, size < 16 ? 16 : size);
	(void)crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
	(void)crypto_generichash_update(&state, (const uint8_t *)part, strlen(part) + 1);
	if (size < 16) {
		uint8_t whole[16];

		(void)crypto_generichash_final(&state, whole, sizeof whole);
		memcpy(out, whole, size);
	} else {
		(void)crypto_generichash_final(&state, out, size);
	}
	sodium_memzero(&state, sizeof state);
}

void seal_init(struct seal *ret, const char *label, const struct key *secret, bool first)
{
	memset(ret, 0, sizeof *ret);
	derive(label, "session", secret, ret->id.bytes, SEAL_ID_SIZE);
	derive(label, first ? "from the first" : "from the second", secret, ret->out.bytes,
		KEY_SIZE);
	derive(label, first ? "from the second" : "from the first", secret, ret->in.bytes,
		KEY_SIZE);
}

void seal_wipe(struct seal *seal)
{
	sodium_memzero(seal, sizeof *seal);
}

/* The head is vouched for as well, and its number makes each nonce another one. */
static void make_nonce(const uint8_t head[static SEAL_HEAD], uint8_t nonce[static NONCE_SIZE])
{
	memset(nonce, 0, NONCE_SIZE);
	memcpy(nonce + NONCE_SIZE - 8, head + SEAL_HEAD - 8, 8);
}

size_t seal_write(
	struct seal *seal, const void *body, size_t size, uint8_t out[static SEAL_DATAGRAM_MAX])
{
	uint8_t nonce[NONCE_SIZE];

	assert(size <= SEAL_BODY_MAX);
	memcpy(out, seal_magic, SEAL_MAGIC_SIZE);
	memcpy(out + SEAL_MAGIC_SIZE, seal->id.bytes, SEAL_ID_SIZE);
	bytes_put(out + SEAL_HEAD - 8, ++seal->sent, 8);
	make_nonce(out, nonce);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
		out + SEAL_HEAD, NULL, body, size, out, SEAL_HEAD, NULL, nonce, seal->out.bytes);
	return size + SEAL_EXTRA;
}

bool seal_peek(const void *bytes, size_t size, struct seal_id *ret)
{
	const uint8_t *at = bytes;

	if (size < SEAL_EXTRA || size > SEAL_DATAGRAM_MAX ||
		memcmp(at, seal_magic, SEAL_MAGIC_SIZE) != 0)
		return false;
	memcpy(ret->bytes, at + SEAL_MAGIC_SIZE, SEAL_ID_SIZE);
	return true;
}

static bool was_taken(const struct seal *seal, uint64_t number)
{
	uint64_t behind = seal->newest - number;

	if (number > seal->newest)
		return false;
	return behind == 0 || behind > WINDOW || (seal->before >> (behind - 1) & 1);
}

static void take(struct seal *seal, uint64_t number)
{
	uint64_t ahead = number - seal->newest;

	if (number < seal->newest) {
		seal->before |= UINT64_C(1) << (seal->newest - number - 1);
		return;
	}
	/* The one that was the newest is now one of those before. */
	seal->before = ahead < WINDOW ? seal->before << ahead : 0;
	if (ahead <= WINDOW && seal->newest != 0)
		seal->before |= UINT64_C(1) << (ahead - 1);
	seal->newest = number;
}

int seal_read(struct seal *seal, const void *bytes, size_t size, uint8_t body[static SEAL_BODY_MAX])
{
	const uint8_t *at = bytes;
	uint8_t nonce[NONCE_SIZE];
	struct seal_id id;
	uint64_t number;

	if (!seal_peek(bytes, size, &id) || memcmp(&id, &seal->id, sizeof id) != 0)
		return -EBADMSG;
	number = bytes_get(at + SEAL_HEAD - 8, 8);
	if (number == 0)
		return -EBADMSG;
	if (was_taken(seal, number))
		return -EALREADY;
	make_nonce(at, nonce);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(body, NULL, NULL, at + SEAL_HEAD,
		    size - SEAL_HEAD, at, SEAL_HEAD, nonce, seal->in.bytes) < 0)
		return -EBADMSG;
	take(seal, number);
	return (int)(size - SEAL_EXTRA);
}

/* SPDX-License-Identifier: MIT */
#include "gossip/crypto.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SIGNATURE_SIZE == crypto_sign_BYTES && SECRET_SIZE == crypto_sign_SECRETKEYBYTES &&
		       KEY_SIZE == crypto_sign_PUBLICKEYBYTES && KEY_SIZE == crypto_sign_SEEDBYTES,
	"sizes of Ed25519");

static void sign_real(uint8_t signature[static SIGNATURE_SIZE], const void *message, size_t size,
	const struct secret *secret)
{
	/* Deterministic: the nonce comes from the secret and the message. */
	(void)crypto_sign_detached(signature, NULL, message, size, secret->bytes);
}

static bool verify_real(const uint8_t signature[static SIGNATURE_SIZE], const void *message,
	size_t size, const struct key *signer)
{
	return crypto_sign_verify_detached(signature, message, size, signer->bytes) == 0;
}

const struct crypto crypto_real = {.sign = sign_real, .verify = verify_real};

void secret_from_seed(struct secret *secret, const struct key *seed)
{
	uint8_t public_key[KEY_SIZE];

	(void)crypto_sign_seed_keypair(public_key, secret->bytes, seed->bytes);
}

struct key secret_seed(const struct secret *secret)
{
	struct key key;

	memcpy(key.bytes, secret->bytes, KEY_SIZE);
	return key;
}

struct key secret_public(const struct secret *secret)
{
	struct key key;

	memcpy(key.bytes, secret->bytes + SECRET_SIZE - KEY_SIZE, KEY_SIZE);
	return key;
}

struct hash hash_of(const void *bytes, size_t size)
{
	struct hash hash;

	(void)crypto_generichash(hash.bytes, HASH_SIZE, bytes, size, NULL, 0);
	return hash;
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
	return hash_compare(a, b) == 0;
}

int hash_compare(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE);
}

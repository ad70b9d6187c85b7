/* SPDX-License-Identifier: MIT */
/*
 * crypto.h - the primitives that facts stand on: Ed25519 signatures and BLAKE2b hashes.
 *
 * Signing and verifying go through a table of two functions, so that a simulation of very many
 * sites may replace them. It replaces the primitives only, never a decision.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

#define HASH_SIZE 16
#define SIGNATURE_SIZE 64
#define SECRET_SIZE 64

/* The first 16 bytes of a 32-byte result are not the same thing: the length is part of the hash. */
struct hash {
	uint8_t bytes[HASH_SIZE];
};

/* An Ed25519 secret: seed, then public key. */
struct secret {
	uint8_t bytes[SECRET_SIZE];
};

struct crypto {
	void (*sign)(uint8_t signature[static SIGNATURE_SIZE], const void *message, size_t size,
		const struct secret *secret);
	bool (*verify)(const uint8_t signature[static SIGNATURE_SIZE], const void *message,
		size_t size, const struct key *signer);
};

/* Ed25519 of libsodium. */
extern const struct crypto crypto_real;

/* The key pair of a seed. */
void secret_from_seed(struct secret *secret, const struct key *seed);

/* The public key of a secret. */
/* What it was made from. */
struct key secret_seed(const struct secret *secret);

struct key secret_public(const struct secret *secret);

/* BLAKE2b of 16 bytes. */
struct hash hash_of(const void *bytes, size_t size);

bool hash_equal(const struct hash *a, const struct hash *b);

/* By bytes: negative, 0 or positive. */
int hash_compare(const struct hash *a, const struct hash *b);

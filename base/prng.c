/* SPDX-License-Identifier: MIT */
#include "base/prng.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(PRNG_SEED_SIZE == randombytes_SEEDBYTES, "the seed is libsodium's");

void prng_init(struct prng *prng, const uint8_t seed[static PRNG_SEED_SIZE])
{
	*prng = (struct prng){0};
	memcpy(prng->seed, seed, PRNG_SEED_SIZE);
}

void prng_fork(struct prng *child, const struct prng *parent, const char *purpose, uint64_t number)
{
	crypto_generichash_state state;
	uint8_t seed[PRNG_SEED_SIZE];
	uint8_t digits[8];

	for (size_t i = 0; i < sizeof digits; i++)
		digits[i] = (uint8_t)(number >> (8 * i));

	/* Keyed by the parent's next key: the child's bytes say nothing about the parent's. */
	crypto_generichash_init(&state, parent->seed, sizeof parent->seed, sizeof seed);
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose));
	crypto_generichash_update(&state, digits, sizeof digits);
	crypto_generichash_final(&state, seed, sizeof seed);
	prng_init(child, seed);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(&state, sizeof state);
}

static void refill(struct prng *prng)
{
	uint8_t block[PRNG_SEED_SIZE + PRNG_POOL_SIZE];

	randombytes_buf_deterministic(block, sizeof block, prng->seed);
	memcpy(prng->seed, block, PRNG_SEED_SIZE);
	memcpy(prng->pool, block + PRNG_SEED_SIZE, PRNG_POOL_SIZE);
	sodium_memzero(block, sizeof block);
	prng->left = PRNG_POOL_SIZE;
	prng->counter++;
}

void prng_bytes(struct prng *prng, void *out, size_t size)
{
	uint8_t *to = out;

	while (size > 0) {
		if (prng->left == 0)
			refill(prng);

		size_t part = size < prng->left ? size : prng->left;
		uint8_t *from = prng->pool + PRNG_POOL_SIZE - prng->left;

		memcpy(to, from, part);
		memset(from, 0, part);
		prng->left -= part;
		to += part;
		size -= part;
	}
}

uint64_t prng_u64(struct prng *prng)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	/* Read in one byte order, so that a seed means the same on every machine. */
	prng_bytes(prng, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

uint64_t prng_below(struct prng *prng, uint64_t limit)
{
	assert(limit > 0);

	/* Numbers below this threshold would make small results likelier; they are drawn again. */
	uint64_t threshold = -limit % limit;
	uint64_t value;

	do {
		value = prng_u64(prng);
	} while (value < threshold);
	return value % limit;
}

usec_t prng_jitter(struct prng *prng, usec_t interval, unsigned percent)
{
	assert(interval > 0 && interval <= INT64_MAX / 200);
	assert(percent <= 100);

	usec_t spread = interval * percent / 100;
	usec_t value = interval - spread + (usec_t)prng_below(prng, 2 * (uint64_t)spread + 1);

	return value > 0 ? value : 1;
}

void prng_wipe(struct prng *prng)
{
	sodium_memzero(prng, sizeof *prng);
}

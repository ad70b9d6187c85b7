/* SPDX-License-Identifier: MIT */
#include "simulator/once.h"

#include <sodium.h>
#include <string.h>

#define PLACES 16384

/* An answer of libsodium's. A newer one takes the place of an older one. */
struct answer {
	struct hash question;
	bool known;
	bool valid;
};

/* Of the process, as it depends on no world: the same question has the same answer in all. */
static struct answer answers[PLACES];

/* All parts but the message have a fixed size, so no two questions are the same bytes. */
static struct hash question_of(const uint8_t signature[static SIGNATURE_SIZE], const void *message,
	size_t size, const struct key *signer)
{
	crypto_generichash_state state;
	struct hash question;

	(void)crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
	(void)crypto_generichash_update(&state, signature, SIGNATURE_SIZE);
	(void)crypto_generichash_update(&state, signer->bytes, KEY_SIZE);
	(void)crypto_generichash_update(&state, message, size);
	(void)crypto_generichash_final(&state, question.bytes, HASH_SIZE);
	return question;
}

static bool verify_once(const uint8_t signature[static SIGNATURE_SIZE], const void *message,
	size_t size, const struct key *signer)
{
	struct hash question = question_of(signature, message, size, signer);
	uint32_t place = (question.bytes[0] | (uint32_t)question.bytes[1] << 8) % PLACES;
	struct answer *answer = &answers[place];

	if (!answer->known || !hash_equal(&answer->question, &question))
		*answer = (struct answer){
			question, true, crypto_real.verify(signature, message, size, signer)};
	return answer->valid;
}

static void sign(uint8_t signature[static SIGNATURE_SIZE], const void *message, size_t size,
	const struct secret *secret)
{
	crypto_real.sign(signature, message, size, secret);
}

const struct crypto crypto_once = {.sign = sign, .verify = verify_once};

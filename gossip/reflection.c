/* SPDX-License-Identifier: MIT */
#include "gossip/reflection.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/bytes.h"
#include "gossip/field.h"

#define OPEN_ITEMS (ENVELOPE_HEAD + 1)
#define FLAG_RECEIPT 1

enum body_kind { BODY_QUESTION = 3, BODY_ANSWER = 4 };

static const char tag[] = "collective reflection 1";

size_t reflection_open_write(const struct offer_pair *pair, const struct hash *collective,
	uint64_t clock, uint8_t out[static REFLECTION_OPEN_MAX])
{
	struct wire_writer writer;

	envelope_begin(&writer, out, REFLECTION_OPEN_MAX, ENVELOPE_REFLECTION, OPEN_ITEMS,
		collective, clock);
	field_write_key(&writer, &pair->public_key);
	return writer.length;
}

int reflection_open_read(
	struct key *ret_ephemeral, const struct hash *collective, const void *bytes, size_t size)
{
	struct envelope envelope;
	struct key ephemeral;
	int r = envelope_open(&envelope, ENVELOPE_REFLECTION, OPEN_ITEMS, collective, bytes, size);

	if (r < 0)
		return r;
	field_read_key(&envelope.reader, &ephemeral);
	if (envelope_end(&envelope) < 0)
		return -EBADMSG;
	*ret_ephemeral = ephemeral;
	return 0;
}

int reflection_secret(struct key *ret, const struct hash *collective, bool asker,
	const struct key *own_private, const struct key *own_links, const struct key *ephemeral,
	const struct key *other_links)
{
	uint8_t message[sizeof tag + HASH_SIZE + 3 * KEY_SIZE];
	uint8_t *at = message + sizeof tag;
	int r;

	memcpy(message, tag, sizeof tag);
	memcpy(at, collective->bytes, HASH_SIZE);
	at += HASH_SIZE;
	memcpy(at, ephemeral->bytes, KEY_SIZE);
	at += KEY_SIZE;
	/* The asker's pair and the reflector's links key; then both links keys. */
	r = crypto_scalarmult(
		at, own_private->bytes, asker ? other_links->bytes : ephemeral->bytes);
	if (r == 0)
		r = crypto_scalarmult(at + KEY_SIZE, own_links->bytes, other_links->bytes);
	if (r == 0)
		(void)crypto_generichash(ret->bytes, KEY_SIZE, message, sizeof message, NULL, 0);
	sodium_memzero(message, sizeof message);
	return r < 0 ? -EKEYREJECTED : 0;
}

/* Bodies. */

void reflection_question_write(
	const struct reflection_question *question, uint8_t out[static REFLECTION_BODY])
{
	memset(out, 0, REFLECTION_BODY);
	out[0] = BODY_QUESTION;
	bytes_put(out + 1, question->number, 4);
	out[5] = question->receipt ? FLAG_RECEIPT : 0;
}

int reflection_question_read(struct reflection_question *ret, const uint8_t *body, size_t size)
{
	if (size != REFLECTION_BODY || body[0] != BODY_QUESTION || body[5] > FLAG_RECEIPT)
		return -EBADMSG;
	ret->number = (uint32_t)bytes_get(body + 1, 4);
	ret->receipt = body[5] == FLAG_RECEIPT;
	return 0;
}

enum {
	AT_ENDPOINT = 6,
	AT_PORT = AT_ENDPOINT + ENDPOINT_BYTES,
	AT_TIME = AT_PORT + 2,
	AT_SIGNATURE = AT_TIME + 6
};

_Static_assert(AT_SIGNATURE + SIGNATURE_SIZE == REFLECTION_BODY, "the longest answer");

void reflection_answer_write(
	const struct reflection_answer *answer, uint8_t out[static REFLECTION_BODY])
{
	memset(out, 0, REFLECTION_BODY);
	out[0] = BODY_ANSWER;
	bytes_put(out + 1, answer->number, 4);
	endpoint_put(&answer->seen, out + AT_ENDPOINT);
	bytes_put(out + AT_PORT, answer->other_port, 2);
	if (!answer->signed_too)
		return;
	out[5] = FLAG_RECEIPT;
	bytes_put(out + AT_TIME, answer->time, 6);
	memcpy(out + AT_SIGNATURE, answer->signature, SIGNATURE_SIZE);
}

int reflection_answer_read(struct reflection_answer *ret, const uint8_t *body, size_t size)
{
	struct reflection_answer answer = {.number = 0};

	if (size != REFLECTION_BODY || body[0] != BODY_ANSWER || body[5] > FLAG_RECEIPT ||
		endpoint_get(body + AT_ENDPOINT, &answer.seen) < 0)
		return -EBADMSG;
	answer.number = (uint32_t)bytes_get(body + 1, 4);
	answer.other_port = (uint16_t)bytes_get(body + AT_PORT, 2);
	answer.signed_too = body[5] == FLAG_RECEIPT;
	if (answer.signed_too) {
		answer.time = bytes_get(body + AT_TIME, 6);
		memcpy(answer.signature, body + AT_SIGNATURE, SIGNATURE_SIZE);
	}
	*ret = answer;
	return 0;
}

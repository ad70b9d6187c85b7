/* SPDX-License-Identifier: MIT */
#include "gossip/grant.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/envelope.h"

#define ITEMS (ENVELOPE_HEAD + 13)
#define ANSWER_ITEMS (ENVELOPE_HEAD + 2)
#define SEALED_SIZE (KEY_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)

static const char tag[] = "collective grant 1";
static const char seal_tag[] = "collective grant seal 1";

/* The key that seals: from both public keys and what only their owners can compute. */
static int seal_key(const struct key *own_private, const struct key *other_public,
	const struct key *ephemeral, const struct key *hub, struct key *ret)
{
	uint8_t message[sizeof seal_tag + 3 * KEY_SIZE];
	uint8_t *shared = message + sizeof seal_tag;

	memcpy(message, seal_tag, sizeof seal_tag);
	if (crypto_scalarmult(shared, own_private->bytes, other_public->bytes) < 0)
		return -EKEYREJECTED;
	memcpy(shared + KEY_SIZE, ephemeral->bytes, KEY_SIZE);
	memcpy(shared + 2 * (size_t)KEY_SIZE, hub->bytes, KEY_SIZE);
	(void)crypto_generichash(ret->bytes, KEY_SIZE, message, sizeof message, NULL, 0);
	sodium_memzero(message, sizeof message);
	return 0;
}

/* Each seal has an ephemeral key of its own, so its nonce may be the same for all. */
static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

static int seal(const struct key *plain, const struct hash *id, const struct key *hub,
	struct prng *prng, struct key *ephemeral, uint8_t sealed[static SEALED_SIZE])
{
	struct key private_key;
	struct key key;
	int r;

	prng_bytes(prng, private_key.bytes, KEY_SIZE);
	(void)crypto_scalarmult_base(ephemeral->bytes, private_key.bytes);
	r = seal_key(&private_key, hub, ephemeral, hub, &key);
	if (r == 0)
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, plain->bytes,
			KEY_SIZE, id->bytes, HASH_SIZE, NULL, nonce, key.bytes);
	key_wipe(&private_key);
	key_wipe(&key);
	return r;
}

static int unseal(const uint8_t sealed[static SEALED_SIZE], const struct hash *id,
	const struct key *hub_private, const struct key *ephemeral, struct key *ret)
{
	struct key hub;
	struct key key;
	int r;

	(void)crypto_scalarmult_base(hub.bytes, hub_private->bytes);
	r = seal_key(hub_private, ephemeral, ephemeral, &hub, &key);
	if (r == 0 && crypto_aead_xchacha20poly1305_ietf_decrypt(ret->bytes, NULL, NULL, sealed,
			      SEALED_SIZE, id->bytes, HASH_SIZE, nonce, key.bytes) < 0)
		r = -EKEYREJECTED;
	key_wipe(&key);
	return r;
}

int grant_write(const struct invitation *invitation, uint64_t clock, const struct key *hub_key,
	const struct secret *admin, const struct hash *collective, const struct crypto *crypto,
	struct prng *prng, uint8_t out[static GRANT_SIZE_MAX])
{
	uint8_t sealed[SEALED_SIZE];
	struct key public_key = secret_public(admin);
	struct hash issuer = hash_of(public_key.bytes, KEY_SIZE);
	struct wire_writer writer;
	struct key ephemeral;
	int r = seal(
		&invitation->preshared_key, &invitation->id, hub_key, prng, &ephemeral, sealed);

	if (r < 0)
		return r;
	envelope_begin(&writer, out, GRANT_SIZE_MAX, ENVELOPE_GRANT, ITEMS, collective, clock);
	field_write_hash(&writer, &issuer);
	field_write_hash(&writer, &invitation->id);
	field_write_key(&writer, &invitation->peer);
	field_write_key(&writer, &ephemeral);
	wire_write_bin(&writer, sealed, sizeof sealed);
	wire_write_uint(&writer, invitation->join_number);
	wire_write_str(&writer, invitation->name);
	field_write_prefix(&writer, &invitation->reserved);
	field_write_prefixes(&writer, &invitation->routes);
	field_write_names(&writer, &invitation->tags);
	wire_write_uint(&writer, invitation->expires);
	wire_write_bool(&writer, invitation->approval);
	return envelope_sign(&writer, tag, admin, collective, crypto);
}

/* A grant as it came, not yet believed. */
struct draft {
	struct invitation invitation;
	struct hash issuer;
	struct key ephemeral;
	uint8_t sealed[SEALED_SIZE];
	struct envelope envelope;
};

static int read_draft(
	struct draft *draft, const struct hash *collective, const void *bytes, size_t size)
{
	struct invitation *invitation = &draft->invitation;
	struct wire_reader *reader = &draft->envelope.reader;
	int r;

	memset(draft, 0, sizeof *draft);
	r = envelope_open(&draft->envelope, ENVELOPE_GRANT, ITEMS, collective, bytes, size);
	if (r < 0)
		return r;
	field_read_hash(reader, &draft->issuer);
	field_read_hash(reader, &invitation->id);
	field_read_key(reader, &invitation->peer);
	field_read_key(reader, &draft->ephemeral);
	wire_read_exact(reader, draft->sealed, SEALED_SIZE);
	invitation->join_number = (uint8_t)wire_read_uint(reader, 254);
	field_read_name(reader, invitation->name);
	field_read_prefix(reader, &invitation->reserved);
	field_read_prefixes(reader, &invitation->routes);
	field_read_names(reader, &invitation->tags);
	invitation->expires = wire_read_uint(reader, FIELD_TIME_MAX);
	invitation->approval = wire_read_bool(reader);
	envelope_read_signature(&draft->envelope);
	if (envelope_end(&draft->envelope) < 0 || invitation->join_number == 0)
		return -EBADMSG;
	return 0;
}

/* Whether the admin may promise all of this: what is promised is a certificate. */
static bool may_promise(const struct invitation *invitation, const struct delegation *delegation,
	const struct prefix *supernet)
{
	struct certificate promised = {.subnets = {1, {invitation->reserved}},
		.routes = invitation->routes,
		.tags = invitation->tags};

	return certificate_fits(&promised, supernet) && certificate_granted(&promised, delegation);
}

int grant_read(struct invitation *ret, const struct ledger *ledger, uint64_t now,
	const struct key *hub_private, const void *bytes, size_t size)
{
	struct delegation delegation;
	struct draft draft;
	int r = read_draft(&draft, &ledger->collective, bytes, size);

	if (r < 0)
		return r;
	if (!ledger_delegation(ledger, &draft.issuer, &delegation))
		return -EKEYREJECTED;
	if (!envelope_verify(&draft.envelope, tag, &delegation.admin, &ledger->collective,
		    ledger->options.crypto) ||
		!may_promise(&draft.invitation, &delegation, &ledger->options.supernet))
		return -EKEYREJECTED;
	if (now >= draft.invitation.expires)
		return -EKEYEXPIRED;
	r = unseal(draft.sealed, &draft.invitation.id, hub_private, &draft.ephemeral,
		&draft.invitation.preshared_key);
	if (r < 0)
		return r;
	memcpy(draft.invitation.sponsor, delegation.name, sizeof delegation.name);
	*ret = draft.invitation;
	key_wipe(&draft.invitation.preshared_key);
	return 0;
}

size_t grant_answer_write(const struct grant_answer *answer, const struct hash *collective,
	uint8_t out[static GRANT_SIZE_MAX])
{
	struct wire_writer writer;

	envelope_begin(&writer, out, GRANT_SIZE_MAX, ENVELOPE_GRANT_ANSWER, ANSWER_ITEMS,
		collective, answer->clock);
	field_write_hash(&writer, &answer->invite);
	if (answer->why[0])
		wire_write_str(&writer, answer->why);
	else
		wire_write_nil(&writer);
	assert(wire_writer_end(&writer) > 0);
	return writer.length;
}

int grant_answer_read(
	struct grant_answer *ret, const struct hash *collective, const void *bytes, size_t size)
{
	struct grant_answer answer = {.clock = 0};
	struct envelope envelope;
	const char *why = NULL;
	size_t length = 0;
	int r;

	r = envelope_open(&envelope, ENVELOPE_GRANT_ANSWER, ANSWER_ITEMS, collective, bytes, size);
	if (r < 0)
		return r;
	answer.clock = envelope.clock;
	field_read_hash(&envelope.reader, &answer.invite);
	if (!wire_read_nil(&envelope.reader))
		why = wire_read_str(&envelope.reader, 1, sizeof answer.why - 1, &length);
	if (envelope_end(&envelope) < 0)
		return -EBADMSG;
	/* It is shown to a person. */
	for (size_t i = 0; i < length; i++)
		answer.why[i] = why[i] >= ' ' && why[i] < 127 ? why[i] : '?';
	*ret = answer;
	return 0;
}

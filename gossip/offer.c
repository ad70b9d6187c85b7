/* SPDX-License-Identifier: MIT */
#include "gossip/offer.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#define OUTER_ITEMS (ENVELOPE_HEAD + 2)
#define INNER_ITEMS (ENVELOPE_HEAD + 12)
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define INNER_MAX (OFFER_SIZE_MAX - 80)
#define ATTEMPT_MAX 255
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

static const char offer_tag[] = "collective offer 1";
static const char answer_tag[] = "collective answer 1";
static const char link_tag[] = "collective link 1";

/* Each meeting has keys of its own, so the nonce may be the same for all. */
static const uint8_t nonce[NONCE_SIZE];

void offer_pair_draw(struct offer_pair *ret, struct prng *prng)
{
	prng_bytes(prng, ret->private_key.bytes, KEY_SIZE);
	(void)crypto_scalarmult_base(ret->public_key.bytes, ret->private_key.bytes);
}

struct hash offer_hash(const void *bytes, size_t size)
{
	return hash_of(bytes, size);
}

/* Mixing: words, keys and what only two owners can compute, one behind the other. */

struct mix {
	crypto_generichash_state state;
	int error;
};

static void mix_begin(struct mix *mix, const char *tag)
{
	mix->error = 0;
	(void)crypto_generichash_init(&mix->state, NULL, 0, KEY_SIZE);
	(void)crypto_generichash_update(&mix->state, (const uint8_t *)tag, strlen(tag) + 1);
}

static void mix_bytes(struct mix *mix, const void *bytes, size_t size)
{
	(void)crypto_generichash_update(&mix->state, bytes, size);
}

static void mix_shared(struct mix *mix, const struct key *own, const struct key *other)
{
	struct key shared;

	/* A key of low order would leave nothing that is secret. */
	if (crypto_scalarmult(shared.bytes, own->bytes, other->bytes) < 0)
		mix->error = -EKEYREJECTED;
	else
		mix_bytes(mix, shared.bytes, KEY_SIZE);
	key_wipe(&shared);
}

static int mix_end(struct mix *mix, struct key *ret)
{
	(void)crypto_generichash_final(&mix->state, ret->bytes, KEY_SIZE);
	sodium_memzero(&mix->state, sizeof mix->state);
	return mix->error;
}

static struct key public_of(const struct key *private_key)
{
	struct key public_key;

	(void)crypto_scalarmult_base(public_key.bytes, private_key->bytes);
	return public_key;
}

/* What seals an offer: its own ephemeral key and the reader's links key. */
static int offer_key(const struct key *own, const struct key *other, const struct key *ephemeral,
	const struct key *reader, const struct hash *collective, struct key *ret)
{
	struct mix mix;

	mix_begin(&mix, offer_tag);
	mix_bytes(&mix, collective->bytes, HASH_SIZE);
	mix_bytes(&mix, ephemeral->bytes, KEY_SIZE);
	mix_bytes(&mix, reader->bytes, KEY_SIZE);
	mix_shared(&mix, own, other);
	return mix_end(&mix, ret);
}

/* An answer's is that of both ephemeral keys besides: who reads it made the offer. */
static int answer_key(const struct key *own, const struct key *other_links,
	const struct key *own_links, const struct key *other_ephemeral, bool answerer,
	const struct hash *collective, struct key *ret)
{
	struct key own_public = public_of(own);
	struct mix mix;

	mix_begin(&mix, answer_tag);
	mix_bytes(&mix, collective->bytes, HASH_SIZE);
	mix_bytes(&mix, answerer ? own_public.bytes : other_ephemeral->bytes, KEY_SIZE);
	mix_bytes(&mix, answerer ? other_ephemeral->bytes : own_public.bytes, KEY_SIZE);
	mix_shared(&mix, own, other_ephemeral);
	/* The answerer's ephemeral key and the offerer's links key. */
	if (answerer)
		mix_shared(&mix, own, other_links);
	else
		mix_shared(&mix, own_links, other_ephemeral);
	return mix_end(&mix, ret);
}

/* Inside: an envelope of its own, which is signed. */

static void write_candidates(struct wire_writer *writer, const struct offer *offer)
{
	wire_write_array(writer, 2 * offer->candidate_count);
	for (uint32_t i = 0; i < offer->candidate_count; i++) {
		wire_write_uint(writer, offer->candidates[i].kind);
		field_write_endpoint(writer, &offer->candidates[i].endpoint);
	}
}

static void read_candidates(struct wire_reader *reader, struct offer *offer)
{
	offer->candidate_count = wire_read_array(reader, 0, 2 * OFFER_CANDIDATES_MAX) / 2;
	for (uint32_t i = 0; i < offer->candidate_count && !reader->error; i++) {
		offer->candidates[i].kind = (uint8_t)wire_read_uint(reader, UINT8_MAX);
		field_read_endpoint(reader, &offer->candidates[i].endpoint);
	}
}

static int write_inner(const struct offer *offer, const struct offer_ends *ends,
	const struct offer_pair *pair, uint8_t out[static INNER_MAX])
{
	struct key own = secret_public(ends->own);
	struct hash reader = hash_of(ends->other_site->bytes, KEY_SIZE);
	struct wire_writer writer;

	envelope_begin(&writer, out, INNER_MAX, offer->is_answer ? ENVELOPE_ANSWER : ENVELOPE_OFFER,
		INNER_ITEMS, ends->collective, offer->clock);
	field_write_key(&writer, &own);
	field_write_hash(&writer, &reader);
	field_write_key(&writer, &pair->public_key);
	wire_write_uint(&writer, nat_class_number(&offer->nat));
	wire_write_bool(&writer, offer->clock_off);
	wire_write_uint(&writer, offer->attempt);
	write_candidates(&writer, offer);
	wire_write_array(&writer, offer->receipt_count);
	for (uint32_t i = 0; i < offer->receipt_count; i++)
		receipt_write(&writer, &offer->receipts[i]);
	field_write_hash(&writer, &offer->offer);
	wire_write_uint(&writer, offer->verdict);
	wire_write_bool(&writer, offer->initiates);
	return envelope_sign(&writer, offer->is_answer ? answer_tag : offer_tag, ends->own,
		ends->collective, ends->crypto);
}

static int read_inner(struct offer *ret, const struct offer_ends *ends, const struct key *ephemeral,
	const uint8_t *bytes, size_t size)
{
	struct key own = secret_public(ends->own);
	struct hash own_hash = hash_of(own.bytes, KEY_SIZE);
	struct wire_reader *reader;
	struct envelope envelope;
	struct hash for_whom;
	int r = envelope_open(&envelope, ret->is_answer ? ENVELOPE_ANSWER : ENVELOPE_OFFER,
		INNER_ITEMS, ends->collective, bytes, size);

	if (r < 0)
		return r;
	reader = &envelope.reader;
	ret->clock = envelope.clock;
	field_read_key(reader, &ret->site);
	field_read_hash(reader, &for_whom);
	field_read_key(reader, &ret->ephemeral);
	ret->nat = nat_class_of((uint32_t)wire_read_uint(reader, NAT_CLASS_MAX));
	ret->clock_off = wire_read_bool(reader);
	ret->attempt = (uint8_t)wire_read_uint(reader, ATTEMPT_MAX);
	read_candidates(reader, ret);
	ret->receipt_count = wire_read_array(reader, 0, OFFER_RECEIPTS_MAX);
	for (uint32_t i = 0; i < ret->receipt_count && !reader->error; i++)
		receipt_read(reader, &ret->receipts[i]);
	field_read_hash(reader, &ret->offer);
	ret->verdict = (enum offer_verdict)wire_read_uint(reader, OFFER_VERDICTS - 1);
	ret->initiates = wire_read_bool(reader);
	envelope_read_signature(&envelope);
	if (envelope_end(&envelope) < 0)
		return -EBADMSG;
	if (!hash_equal(&for_whom, &own_hash) || !key_equal(&ret->ephemeral, ephemeral) ||
		(ends->other_site && !key_equal(ends->other_site, &ret->site)) ||
		!envelope_verify(&envelope, ret->is_answer ? answer_tag : offer_tag, &ret->site,
			ends->collective, ends->crypto))
		return -EKEYREJECTED;
	return 0;
}

/* Outside: what stands before the sealed part is vouched for as well. */

int offer_write(const struct offer *offer, const struct offer_ends *ends,
	const struct offer_pair *pair, const struct offer *answered,
	uint8_t out[static OFFER_SIZE_MAX])
{
	uint8_t inner[INNER_MAX];
	uint8_t sealed[INNER_MAX + TAG_BYTES];
	struct wire_writer writer;
	struct key key;
	int size = write_inner(offer, ends, pair, inner);
	int r;

	if (size < 0)
		return size;
	r = offer->is_answer ? answer_key(&pair->private_key, ends->other_links, ends->own_links,
				       &answered->ephemeral, true, ends->collective, &key)
			     : offer_key(&pair->private_key, ends->other_links, &pair->public_key,
				       ends->other_links, ends->collective, &key);
	/* The clock stands inside: outside it would tell the hub more than it has to know. */
	envelope_begin(&writer, out, OFFER_SIZE_MAX,
		offer->is_answer ? ENVELOPE_ANSWER : ENVELOPE_OFFER, OUTER_ITEMS, ends->collective,
		0);
	field_write_key(&writer, &pair->public_key);
	if (r == 0)
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, inner, (size_t)size,
			writer.bytes, writer.length, NULL, nonce, key.bytes);
	key_wipe(&key);
	if (r < 0)
		return r;
	wire_write_bin(&writer, sealed, (size_t)size + TAG_BYTES);
	return wire_writer_end(&writer) < 0 ? -EMSGSIZE : (int)writer.length;
}

/* A message as it came. */
struct draft {
	const uint8_t *head;
	size_t head_size;
	struct key ephemeral;
	const uint8_t *sealed;
	size_t sealed_size;
};

static int unseal(struct offer *ret, const struct offer_ends *ends, const struct offer_pair *pair,
	const struct draft *draft)
{
	uint8_t inner[OFFER_SIZE_MAX];
	struct key own_links = public_of(ends->own_links);
	struct key key;
	int r = ret->is_answer ? answer_key(&pair->private_key, ends->other_links, ends->own_links,
					 &draft->ephemeral, false, ends->collective, &key)
			       : offer_key(ends->own_links, &draft->ephemeral, &draft->ephemeral,
					 &own_links, ends->collective, &key);

	if (r == 0 &&
		crypto_aead_xchacha20poly1305_ietf_decrypt(inner, NULL, NULL, draft->sealed,
			draft->sealed_size, draft->head, draft->head_size, nonce, key.bytes) < 0)
		r = -EKEYREJECTED;
	key_wipe(&key);
	return r < 0 ? r
		     : read_inner(
			       ret, ends, &draft->ephemeral, inner, draft->sealed_size - TAG_BYTES);
}

int offer_read(struct offer *ret, const struct offer_ends *ends, const struct offer_pair *pair,
	const void *bytes, size_t size)
{
	struct offer read = {.is_answer = pair != NULL};
	struct draft draft = {.head = bytes};
	struct envelope envelope;
	int r = envelope_open(&envelope, read.is_answer ? ENVELOPE_ANSWER : ENVELOPE_OFFER,
		OUTER_ITEMS, ends->collective, bytes, size);

	if (r < 0)
		return r;
	field_read_key(&envelope.reader, &draft.ephemeral);
	draft.head_size = (size_t)(envelope.reader.at - draft.head);
	draft.sealed = wire_read_bin(
		&envelope.reader, TAG_BYTES, OFFER_SIZE_MAX, &draft.sealed_size);
	if (envelope_end(&envelope) < 0)
		return -EBADMSG;
	r = unseal(&read, ends, pair, &draft);
	if (r == 0)
		*ret = read;
	return r;
}

/* Keys. */

static void part(const struct key *secret, const char *name, struct key *ret)
{
	(void)crypto_generichash(
		ret->bytes, KEY_SIZE, (const uint8_t *)name, strlen(name), secret->bytes, KEY_SIZE);
}

int link_keys_derive(struct link_keys *ret, const struct offer_pair *pair, bool offerer,
	const struct key *own_links, const struct key *other_ephemeral,
	const struct key *other_links, const struct hash *offer, const struct hash *answer)
{
	struct key secret;
	struct mix mix;
	int r;

	mix_begin(&mix, link_tag);
	mix_bytes(&mix, offer->bytes, HASH_SIZE);
	mix_bytes(&mix, answer->bytes, HASH_SIZE);
	mix_shared(&mix, &pair->private_key, other_ephemeral);
	/* The offerer's ephemeral key and the answerer's links key, then the other way round. */
	mix_shared(&mix, offerer ? &pair->private_key : own_links,
		offerer ? other_links : other_ephemeral);
	mix_shared(&mix, offerer ? own_links : &pair->private_key,
		offerer ? other_ephemeral : other_links);
	r = mix_end(&mix, &secret);
	if (r == 0) {
		part(&secret, "preshared", &ret->preshared);
		part(&secret, "probe", &ret->probe);
		part(&secret, "path", &ret->path);
	}
	key_wipe(&secret);
	return r;
}

void link_keys_wipe(struct link_keys *keys)
{
	sodium_memzero(keys, sizeof *keys);
}

const char *offer_verdict_text(enum offer_verdict verdict)
{
	static const char *const texts[OFFER_VERDICTS] = {
		[OFFER_ACCEPTED] = "it agreed",
		[OFFER_POLICY] = "its configuration allows no direct link with this site",
		[OFFER_QUIET] = "it waits until its router has forgotten the last attempt",
		[OFFER_BUSY] = "it meets as many others at once as it can",
		[OFFER_CROSSED] = "both offered at once, and its offer stands",
		[OFFER_STALE] = "it took the offer for an old one: one of the clocks is off",
		[OFFER_UNREADY] = "it does not know yet where it is seen from outside",
	};

	return verdict < OFFER_VERDICTS ? texts[verdict] : "";
}

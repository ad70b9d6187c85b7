/* SPDX-License-Identifier: MIT */
/*
 * test_offer.c - two sites agree to meet, and nobody else learns where or gets a word in.
 */
#include "tests/test.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/offer.h"
#include "gossip/reflection.h"
#include "tests/founding.h"

/* One end: who it is, and its links key. */
struct end {
	struct secret identity;
	struct key site;
	struct key links_private;
	struct key links;
	struct offer_pair pair;
};

struct meeting {
	struct founding founding;
	struct prng prng;
	struct end ann;
	struct end bob;
	struct end eve;
	struct offer offer;
	struct offer answer;
	uint8_t offered[OFFER_SIZE_MAX];
	int offered_size;
	uint8_t answered[OFFER_SIZE_MAX];
	int answered_size;
};

static struct end end_of(struct meeting *m, uint32_t number)
{
	struct end end = {.identity = founding_site(number)};

	end.site = secret_public(&end.identity);
	prng_bytes(&m->prng, end.links_private.bytes, KEY_SIZE);
	(void)crypto_scalarmult_base(end.links.bytes, end.links_private.bytes);
	offer_pair_draw(&end.pair, &m->prng);
	return end;
}

static struct offer_ends ends_of(
	const struct meeting *m, const struct end *own, const struct end *other)
{
	return (struct offer_ends){.collective = &m->founding.collective,
		.crypto = m->founding.crypto,
		.own = &own->identity,
		.own_links = &own->links_private,
		.other_site = other ? &other->site : NULL,
		.other_links = other ? &other->links : NULL};
}

static struct endpoint home(uint32_t number)
{
	return (struct endpoint){address_ipv4(0xcb007100u + number), (uint16_t)(40000 + number)};
}

static struct receipt receipt_for(const struct meeting *m, const struct end *site, uint32_t number)
{
	struct hash hash = hash_of(site->site.bytes, KEY_SIZE);
	struct secret hub = founding_site(99);
	struct key key = secret_public(&hub);
	struct receipt receipt = {.reflector = hash_of(key.bytes, KEY_SIZE),
		.seen = home(number),
		.time = FOUNDING_NOW};

	receipt_sign(&receipt, &hash, &hub, &m->founding.collective, m->founding.crypto);
	return receipt;
}

static void begin(struct meeting *m, const struct crypto *crypto)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {5};

	memset(m, 0, sizeof *m);
	founding_init(&m->founding, crypto, 16);
	prng_init(&m->prng, seed);
	m->ann = end_of(m, 1);
	m->bob = end_of(m, 2);
	m->eve = end_of(m, 3);
	m->offer = (struct offer){.clock = FOUNDING_NOW,
		.nat = {.mapping = 1, .filtering = 3, .allocation = 2, .remapped = 1},
		.attempt = 4,
		.candidate_count = OFFER_CANDIDATES_MAX,
		.receipt_count = OFFER_RECEIPTS_MAX};
	for (uint32_t i = 0; i < OFFER_CANDIDATES_MAX; i++)
		m->offer.candidates[i] = (struct offer_candidate){(uint8_t)i, home(i)};
	assert_int_equal(address_parse("2001:db8:7:7:7777:7777:7777:7777", 32,
				 &m->offer.candidates[3].endpoint.address),
		0);
	for (uint32_t i = 0; i < OFFER_RECEIPTS_MAX; i++)
		m->offer.receipts[i] = receipt_for(m, &m->ann, i);
}

static void offer_to_bob(struct meeting *m)
{
	struct offer_ends ends = ends_of(m, &m->ann, &m->bob);

	m->offered_size = offer_write(&m->offer, &ends, &m->ann.pair, NULL, m->offered);
	assert_true(m->offered_size > 0);
}

static void answer_to_ann(struct meeting *m)
{
	struct offer_ends reading = ends_of(m, &m->bob, NULL);
	struct offer_ends writing = ends_of(m, &m->bob, &m->ann);
	struct offer read;

	assert_int_equal(offer_read(&read, &reading, NULL, m->offered, (size_t)m->offered_size), 0);
	m->answer = m->offer;
	m->answer.is_answer = true;
	m->answer.initiates = true;
	m->answer.verdict = OFFER_QUIET;
	m->answer.offer = offer_hash(m->offered, (size_t)m->offered_size);
	m->answered_size = offer_write(&m->answer, &writing, &m->bob.pair, &read, m->answered);
	assert_true(m->answered_size > 0);
}

static void expect_same(const struct offer *a, const struct offer *b)
{
	assert_int_equal(a->clock, b->clock);
	assert_memory_equal(&a->nat, &b->nat, sizeof a->nat);
	assert_int_equal(a->clock_off, b->clock_off);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->candidate_count, b->candidate_count);
	for (uint32_t i = 0; i < a->candidate_count; i++) {
		assert_int_equal(a->candidates[i].kind, b->candidates[i].kind);
		assert_true(endpoint_equal(&a->candidates[i].endpoint, &b->candidates[i].endpoint));
	}
	assert_int_equal(a->receipt_count, b->receipt_count);
	for (uint32_t i = 0; i < a->receipt_count; i++) {
		const struct receipt *one = &a->receipts[i];
		const struct receipt *other = &b->receipts[i];

		assert_true(hash_equal(&one->reflector, &other->reflector));
		assert_true(endpoint_equal(&one->seen, &other->seen));
		assert_int_equal(one->time, other->time);
		assert_memory_equal(one->signature, other->signature, sizeof one->signature);
	}
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->initiates, b->initiates);
	assert_true(hash_equal(&a->offer, &b->offer));
}

static void expect_round_trip(const struct crypto *crypto)
{
	struct meeting m;
	struct offer_ends bobs;
	struct offer_ends anns;
	struct offer read;

	begin(&m, crypto);
	offer_to_bob(&m);
	bobs = ends_of(&m, &m.bob, NULL);
	assert_int_equal(offer_read(&read, &bobs, NULL, m.offered, (size_t)m.offered_size), 0);
	expect_same(&read, &m.offer);
	assert_true(key_equal(&read.site, &m.ann.site));
	assert_true(key_equal(&read.ephemeral, &m.ann.pair.public_key));
	answer_to_ann(&m);
	anns = ends_of(&m, &m.ann, &m.bob);
	assert_int_equal(
		offer_read(&read, &anns, &m.ann.pair, m.answered, (size_t)m.answered_size), 0);
	expect_same(&read, &m.answer);
	assert_true(key_equal(&read.site, &m.bob.site));
}

TEST(an_offer_and_its_answer_arrive_as_they_were_written)
{
	(void)state;
	expect_round_trip(&crypto_real);
	expect_round_trip(&crypto_stub);
}

TEST(the_fullest_fits_into_a_packet)
{
	struct meeting m;

	(void)state;
	begin(&m, &crypto_real);
	for (uint32_t i = 0; i < OFFER_CANDIDATES_MAX; i++) {
		m.offer.candidates[i] = m.offer.candidates[3];
		m.offer.candidates[i].kind = 255;
		m.offer.candidates[i].endpoint.port = 65535;
	}
	for (uint32_t i = 0; i < OFFER_RECEIPTS_MAX; i++)
		m.offer.receipts[i].seen = m.offer.candidates[3].endpoint;
	m.offer.attempt = 255;
	m.offer.clock_off = true;
	offer_to_bob(&m);
	assert_true(m.offered_size <= OFFER_SIZE_MAX);
	answer_to_ann(&m);
	assert_true(m.answered_size <= OFFER_SIZE_MAX);
}

TEST(nobody_but_its_reader_opens_it)
{
	struct meeting m;
	struct offer_ends eves;
	struct offer_ends anns;
	struct offer read;

	(void)state;
	begin(&m, &crypto_real);
	offer_to_bob(&m);
	answer_to_ann(&m);
	eves = ends_of(&m, &m.eve, NULL);
	assert_int_equal(
		offer_read(&read, &eves, NULL, m.offered, (size_t)m.offered_size), -EKEYREJECTED);
	/* Nor she who wrote it. */
	anns = ends_of(&m, &m.ann, NULL);
	assert_int_equal(
		offer_read(&read, &anns, NULL, m.offered, (size_t)m.offered_size), -EKEYREJECTED);
	/* An answer needs the key that the offer was made with. */
	anns = ends_of(&m, &m.ann, &m.bob);
	assert_int_equal(offer_read(&read, &anns, &m.eve.pair, m.answered, (size_t)m.answered_size),
		-EKEYREJECTED);
	/* And the links key of whom it was meant for. */
	anns.own_links = &m.eve.links_private;
	assert_int_equal(offer_read(&read, &anns, &m.ann.pair, m.answered, (size_t)m.answered_size),
		-EKEYREJECTED);
}

TEST(an_answer_of_somebody_else_is_none)
{
	struct meeting m;
	struct offer_ends writing;
	struct offer_ends reading;
	struct offer read;

	(void)state;
	begin(&m, &crypto_real);
	offer_to_bob(&m);
	answer_to_ann(&m);
	/* Eve, who is a member, saw the offer's key on its way. */
	read = m.offer;
	read.ephemeral = m.ann.pair.public_key;
	writing = ends_of(&m, &m.eve, &m.ann);
	m.answered_size = offer_write(&m.answer, &writing, &m.eve.pair, &read, m.answered);
	assert_true(m.answered_size > 0);
	reading = ends_of(&m, &m.ann, &m.bob);
	assert_int_equal(
		offer_read(&read, &reading, &m.ann.pair, m.answered, (size_t)m.answered_size),
		-EKEYREJECTED);
}

/* A member who got an offer shows it to another one as if it were for him. */
TEST(an_offer_cannot_be_passed_on)
{
	struct meeting m;
	struct offer_ends reading;
	struct offer read;
	uint8_t copy[OFFER_SIZE_MAX];

	(void)state;
	begin(&m, &crypto_real);
	offer_to_bob(&m);
	memcpy(copy, m.offered, sizeof copy);
	reading = ends_of(&m, &m.bob, NULL);
	reading.own = &m.eve.identity;
	assert_int_equal(
		offer_read(&read, &reading, NULL, copy, (size_t)m.offered_size), -EKEYREJECTED);
}

TEST(every_byte_counts)
{
	struct meeting m;
	struct offer_ends bobs;
	struct offer_ends anns;
	struct offer read = {.clock = 7};

	(void)state;
	begin(&m, &crypto_stub);
	offer_to_bob(&m);
	answer_to_ann(&m);
	bobs = ends_of(&m, &m.bob, NULL);
	anns = ends_of(&m, &m.ann, &m.bob);
	for (int i = 0; i < m.offered_size; i++) {
		m.offered[i] ^= 1;
		assert_true(offer_read(&read, &bobs, NULL, m.offered, (size_t)m.offered_size) < 0);
		m.offered[i] ^= 1;
		assert_true(offer_read(&read, &bobs, NULL, m.offered, (size_t)i) < 0);
	}
	for (int i = 0; i < m.answered_size; i++) {
		m.answered[i] ^= 1;
		assert_true(offer_read(&read, &anns, &m.ann.pair, m.answered,
				    (size_t)m.answered_size) < 0);
		m.answered[i] ^= 1;
	}
	assert_int_equal(read.clock, 7);
}

TEST(a_key_of_low_order_is_refused)
{
	struct meeting m;
	struct offer_ends ends;
	struct link_keys keys;
	struct hash hash = {{0}};

	(void)state;
	begin(&m, &crypto_real);
	memset(&m.bob.links, 0, sizeof m.bob.links);
	m.bob.links.bytes[0] = 1;
	ends = ends_of(&m, &m.ann, &m.bob);
	assert_int_equal(offer_write(&m.offer, &ends, &m.ann.pair, NULL, m.offered), -EKEYREJECTED);
	assert_int_equal(link_keys_derive(&keys, &m.ann.pair, true, &m.ann.links_private,
				 &m.bob.pair.public_key, &m.bob.links, &hash, &hash),
		-EKEYREJECTED);
}

static void derive(struct meeting *m, struct link_keys *anns, struct link_keys *bobs)
{
	struct hash offer = offer_hash(m->offered, (size_t)m->offered_size);
	struct hash answer = offer_hash(m->answered, (size_t)m->answered_size);

	assert_int_equal(link_keys_derive(anns, &m->ann.pair, true, &m->ann.links_private,
				 &m->bob.pair.public_key, &m->bob.links, &offer, &answer),
		0);
	assert_int_equal(link_keys_derive(bobs, &m->bob.pair, false, &m->bob.links_private,
				 &m->ann.pair.public_key, &m->ann.links, &offer, &answer),
		0);
}

TEST(both_ends_have_the_same_keys_and_each_meeting_others)
{
	struct meeting m;
	struct link_keys first[2];
	struct link_keys second[2];

	(void)state;
	begin(&m, &crypto_real);
	offer_to_bob(&m);
	answer_to_ann(&m);
	derive(&m, &first[0], &first[1]);
	assert_memory_equal(&first[0], &first[1], sizeof first[0]);
	assert_false(key_equal(&first[0].preshared, &first[0].probe));
	assert_false(key_equal(&first[0].preshared, &first[0].path));
	assert_false(key_equal(&first[0].probe, &first[0].path));
	/* Another key of one end is enough. */
	offer_pair_draw(&m.bob.pair, &m.prng);
	answer_to_ann(&m);
	derive(&m, &second[0], &second[1]);
	assert_memory_equal(&second[0], &second[1], sizeof second[0]);
	assert_false(key_equal(&first[0].preshared, &second[0].preshared));
}

TEST(a_receipt_is_of_one_site_one_place_and_one_reflector)
{
	struct meeting m;
	struct secret hub = founding_site(99);
	struct key key = secret_public(&hub);
	struct key other;
	struct hash ann;
	struct hash eve;
	struct receipt receipt;
	const struct hash *collective = &m.founding.collective;

	(void)state;
	begin(&m, &crypto_real);
	ann = hash_of(m.ann.site.bytes, KEY_SIZE);
	eve = hash_of(m.eve.site.bytes, KEY_SIZE);
	other = m.eve.site;
	receipt = receipt_for(&m, &m.ann, 7);
	assert_true(receipt_verify(&receipt, &ann, &key, collective, &crypto_real));
	assert_false(receipt_verify(&receipt, &eve, &key, collective, &crypto_real));
	assert_false(receipt_verify(&receipt, &ann, &other, collective, &crypto_real));
	receipt.seen.port++;
	assert_false(receipt_verify(&receipt, &ann, &key, collective, &crypto_real));
	receipt.seen.port--;
	receipt.time++;
	assert_false(receipt_verify(&receipt, &ann, &key, collective, &crypto_real));
	receipt.time--;
	assert_true(receipt_is_fresh(&receipt, FOUNDING_NOW + RECEIPT_VALID_MS));
	assert_false(receipt_is_fresh(&receipt, FOUNDING_NOW + RECEIPT_VALID_MS + 1));
	assert_true(receipt_is_fresh(&receipt, FOUNDING_NOW - RECEIPT_VALID_MS));
	assert_false(receipt_is_fresh(&receipt, FOUNDING_NOW - RECEIPT_VALID_MS - 1));
}

TEST(a_reflection_is_opened_by_one_word_and_known_to_its_two_ends)
{
	struct meeting m;
	uint8_t bytes[REFLECTION_OPEN_MAX];
	struct key ephemeral;
	struct key anns;
	struct key hubs;
	struct key eves;
	size_t size;
	const struct hash *collective = &m.founding.collective;

	(void)state;
	begin(&m, &crypto_real);
	size = reflection_open_write(&m.ann.pair, collective, FOUNDING_NOW, bytes);
	assert_int_equal(reflection_open_read(&ephemeral, collective, bytes, size), 0);
	assert_true(key_equal(&ephemeral, &m.ann.pair.public_key));
	for (size_t i = 0; i < size; i++)
		assert_int_equal(reflection_open_read(&ephemeral, collective, bytes, i), -EBADMSG);
	/* Bob is the reflector. */
	assert_int_equal(reflection_secret(&anns, collective, true, &m.ann.pair.private_key,
				 &m.ann.links_private, &m.ann.pair.public_key, &m.bob.links),
		0);
	assert_int_equal(reflection_secret(&hubs, collective, false, &m.bob.links_private,
				 &m.bob.links_private, &ephemeral, &m.ann.links),
		0);
	assert_true(key_equal(&anns, &hubs));
	/* Somebody else who opens one with the same word gets another. */
	assert_int_equal(reflection_secret(&eves, collective, false, &m.bob.links_private,
				 &m.bob.links_private, &ephemeral, &m.eve.links),
		0);
	assert_false(key_equal(&anns, &eves));
}

TEST(what_a_reflector_says_arrives_and_is_no_longer_than_the_question)
{
	struct meeting m;
	struct receipt receipt;
	struct reflection_question question = {.number = 0xfffffffe, .receipt = true};
	struct reflection_question asked;
	struct reflection_answer answer = {.number = 77, .seen = home(3)};
	struct reflection_answer said;
	uint8_t body[REFLECTION_BODY];

	(void)state;
	begin(&m, &crypto_real);
	reflection_question_write(&question, body);
	assert_int_equal(reflection_question_read(&asked, body, sizeof body), 0);
	assert_int_equal(asked.number, question.number);
	assert_true(asked.receipt);
	assert_int_equal(reflection_answer_read(&said, body, sizeof body), -EBADMSG);
	assert_int_equal(reflection_question_read(&asked, body, sizeof body - 1), -EBADMSG);
	reflection_answer_write(&answer, body);
	assert_int_equal(reflection_answer_read(&said, body, sizeof body), 0);
	assert_true(endpoint_equal(&said.seen, &answer.seen));
	assert_false(said.signed_too);
	receipt = receipt_for(&m, &m.ann, 3);
	answer.signed_too = true;
	answer.seen = m.offer.candidates[3].endpoint;
	answer.time = receipt.time;
	memcpy(answer.signature, receipt.signature, sizeof answer.signature);
	reflection_answer_write(&answer, body);
	assert_int_equal(reflection_answer_read(&said, body, sizeof body), 0);
	assert_true(said.signed_too);
	assert_true(endpoint_equal(&said.seen, &answer.seen));
	assert_int_equal(said.time, receipt.time);
	assert_memory_equal(said.signature, receipt.signature, sizeof said.signature);
	for (int family = 0; family < 256; family++) {
		body[6] = (uint8_t)family;
		assert_int_equal(reflection_answer_read(&said, body, sizeof body),
			family == ADDRESS_IPV6 ? 0 : -EBADMSG);
	}
	body[6] = ADDRESS_IPV6;
	for (int flag = 0; flag < 256; flag++) {
		body[5] = (uint8_t)flag;
		assert_int_equal(
			reflection_answer_read(&said, body, sizeof body), flag < 2 ? 0 : -EBADMSG);
	}
}

TEST(every_verdict_has_words)
{
	(void)state;
	for (int i = 0; i < OFFER_VERDICTS; i++)
		assert_true(offer_verdict_text((enum offer_verdict)i)[0] != '\0');
	assert_string_equal(offer_verdict_text(OFFER_VERDICTS), "");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(an_offer_and_its_answer_arrive_as_they_were_written),
		CASE(the_fullest_fits_into_a_packet),
		CASE(nobody_but_its_reader_opens_it),
		CASE(an_answer_of_somebody_else_is_none),
		CASE(an_offer_cannot_be_passed_on),
		CASE(every_byte_counts),
		CASE(a_key_of_low_order_is_refused),
		CASE(both_ends_have_the_same_keys_and_each_meeting_others),
		CASE(a_receipt_is_of_one_site_one_place_and_one_reflector),
		CASE(a_reflection_is_opened_by_one_word_and_known_to_its_two_ends),
		CASE(what_a_reflector_says_arrives_and_is_no_longer_than_the_question),
		CASE(every_verdict_has_words),
	};

	return RUN(cases);
}

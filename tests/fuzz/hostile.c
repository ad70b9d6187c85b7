/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/hostile.h"

#include <string.h>

#include "base/bytes.h"
#include "gossip/reflection.h"

#define VICTIMS 8

/* Bytes. */

uint8_t feed_byte(struct feed *feed)
{
	if (feed->size == 0)
		return 0;
	feed->size--;
	return *feed->bytes++;
}

uint64_t feed_number(struct feed *feed)
{
	uint64_t value = feed_byte(feed);

	return value << feed_byte(feed) % 64;
}

size_t feed_rest(struct feed *feed, uint8_t *out, size_t most)
{
	size_t size = feed->size < most ? feed->size : most;

	if (size > 0)
		memcpy(out, feed->bytes, size);
	feed->bytes += size;
	feed->size -= size;
	return size;
}

static uint32_t feed_word(struct feed *feed)
{
	uint32_t word = 0;

	for (int i = 0; i < 4; i++)
		word = word << 8 | feed_byte(feed);
	return word;
}

/* Of each range of addresses that is something of its own. */
static struct address special_address(uint8_t which)
{
	static const uint32_t ranges[] = {
		0xc0a80007, /* a home's */
		0xc0a80002, /* the one that everybody has in his */
		0x0a640101, /* of the collective */
		0xac100301, /* a member's network */
		0x7f000001, /* its own */
		0xe0000001, /* of many */
		0x64400009, /* of a provider's customers */
		0xa9fe0001, /* link-local */
		0xffffffff,
		0x00000000,
	};

	return address_ipv4(ranges[which % (sizeof ranges / sizeof ranges[0])]);
}

struct endpoint feed_endpoint(struct feed *feed, const struct world *world)
{
	uint8_t which = feed_byte(feed);
	uint8_t port = feed_byte(feed);
	const struct host *host = &world->hosts[which % world->host_count];
	struct endpoint endpoint = {.port = (uint16_t)(5000 + port)};

	if (which < 64) {
		endpoint.address = world_outside(world, host->number);
		endpoint.port = (uint16_t)(host->links_local.port + port);
	} else if (which < 160) {
		endpoint.address = address_ipv4(WORLD_VICTIM + which % VICTIMS);
	} else if (which < 200) {
		endpoint.address = special_address(which);
	} else if (which < 232) {
		endpoint.address.family = ADDRESS_IPV6;
		endpoint.address.bytes[0] = which & 1 ? 0x20 : 0xfe;
		endpoint.address.bytes[1] = which & 2 ? 0x01 : 0x80;
		endpoint.address.bytes[15] = port;
	} else {
		endpoint.address = address_ipv4(feed_word(feed));
		endpoint.port = (uint16_t)(feed_byte(feed) << 8 | port | 1);
	}
	return endpoint;
}

/* Letters. */

/* Mostly one that is taken: of now, and later than the last. */
static uint64_t clock_of(struct feed *feed, const struct host *to, const struct site_link *link)
{
	uint64_t now = host_wall(to);
	uint8_t how = feed_byte(feed);

	if (how >= 240)
		return feed_number(feed);
	if (how >= 200)
		return now - 600000 + (uint64_t)feed_byte(feed) * 5000;
	return link && link->their_clock >= now ? link->their_clock + 1 : now;
}

/* By whom, of whom, of where and when: each may be right or not. */
static void put_receipt(struct feed *feed, const struct host *from, const struct host *to,
	struct hostile_letter *letter, struct receipt *ret)
{
	const struct world *world = from->world;
	uint8_t how = feed_byte(feed);
	const struct host *by = &world->hosts[how % world->host_count];
	const struct host *of = how & 4 ? to : from;
	uint64_t late = feed_byte(feed);

	*ret = (struct receipt){.reflector = by->site_hash,
		.seen = feed_endpoint(feed, world),
		.time = host_wall(to) - late * 4000};
	if (by->site)
		receipt_sign(ret, &of->site_hash, &by->site->identity, &world->collective,
			world->crypto);
	if (how & 8)
		ret->signature[late % SIGNATURE_SIZE]++;
	else if (by->site && by != from && by != to && of == from &&
		 receipt_is_fresh(ret, host_wall(to)))
		letter->proven[letter->proven_count++] = ret->seen.address;
}

static void describe(struct feed *feed, const struct host *from, const struct host *to,
	struct hostile_letter *letter, struct offer *ret)
{
	uint8_t flags = feed_byte(feed);
	uint8_t verdict = feed_byte(feed);

	ret->nat = nat_class_of(feed_byte(feed) % (NAT_CLASS_MAX + 1));
	ret->attempt = flags & 16 ? feed_byte(feed) : flags % 4;
	ret->clock_off = flags & 32;
	ret->initiates = flags & 64;
	ret->verdict = verdict < 192 ? OFFER_ACCEPTED
				     : (enum offer_verdict)(verdict % OFFER_VERDICTS);
	ret->candidate_count = feed_byte(feed) % (OFFER_CANDIDATES_MAX + 1);
	for (uint32_t i = 0; i < ret->candidate_count; i++) {
		uint8_t kind = feed_byte(feed);

		ret->candidates[i].kind = kind < 250 ? kind % 9 : kind;
		ret->candidates[i].endpoint = feed_endpoint(feed, from->world);
	}
	ret->receipt_count = feed_byte(feed) % (OFFER_RECEIPTS_MAX + 1);
	for (uint32_t i = 0; i < ret->receipt_count; i++)
		put_receipt(feed, from, to, letter, &ret->receipts[i]);
}

void hostile_letter(struct hostile_letter *ret, struct feed *feed, const struct host *from,
	const struct host *to, bool answer)
{
	const struct site_link *link = to->site ? site_link_of(to->site, &from->id) : NULL;
	struct offer offer = {.is_answer = answer};
	struct offer_ends ends = {
		.collective = &from->world->collective, .crypto = from->world->crypto};
	struct offer answered = {.is_answer = false};
	struct offer_pair pair;
	uint8_t keys = feed_byte(feed);
	struct prng prng;
	int size;

	ret->size = 0;
	ret->proven_count = 0;
	if (!from->site || !to->site || (answer && (!link || link->stage != LINK_OFFERS)))
		return;
	offer.clock = clock_of(feed, to, link);
	describe(feed, from, to, ret, &offer);
	if (answer) {
		offer.offer = link->offered;
		answered.ephemeral = link->pair.public_key;
	}
	prng_fork(&prng, &from->world->prng, "hostile", keys);
	offer_pair_draw(&pair, &prng);
	/* One of low order. */
	if (keys == 255)
		pair.public_key = (struct key){{0}};
	ends.own = &from->site->identity;
	ends.own_links = &from->site->pairs[SITE_LINKS].secret;
	ends.other_site = &to->site->site_key;
	ends.other_links = &to->site->pairs[SITE_LINKS].public_key;
	size = offer_write(&offer, &ends, &pair, &answered, ret->bytes);
	if (size > 0)
		ret->size = (size_t)size;
}

void hostile_enclose(struct hostile_letter *letter, const struct world *world,
	enum envelope_type type, const struct host *about)
{
	uint8_t outer[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	envelope_begin(
		&writer, outer, sizeof outer, type, ENVELOPE_HEAD + 2, &world->collective, 0);
	wire_write_bin(&writer, about->id.bytes, ROW_ID_SIZE);
	wire_write_bin(&writer, letter->bytes, letter->size);
	letter->size = wire_writer_end(&writer) < 0 ? 0 : writer.length;
	memcpy(letter->bytes, outer, letter->size);
}

size_t hostile_message(struct feed *feed, const struct world *world, enum envelope_type type,
	uint8_t out[static ENVELOPE_SIZE_MAX])
{
	struct wire_writer writer;
	uint8_t items = feed_byte(feed) % 8;

	envelope_begin(&writer, out, ENVELOPE_SIZE_MAX, type, ENVELOPE_HEAD + items,
		&world->collective, feed_number(feed));
	return writer.length +
	       feed_rest(feed, out + writer.length, ENVELOPE_SIZE_MAX - writer.length);
}

/* Sealed. */

struct seal hostile_end(const struct seal *seal)
{
	return (struct seal){
		.id = seal->id, .out = seal->in, .in = seal->out, .sent = seal->newest};
}

/* Mostly the next one, or some of those before or behind it. */
static struct seal end_of(const struct seal *seal, struct feed *feed)
{
	struct seal end = hostile_end(seal);
	uint8_t ahead = feed_byte(feed);

	end.sent += ahead < 128 ? ahead % 16 : (uint64_t)ahead - 256;
	return end;
}

size_t hostile_word(struct feed *feed, const struct host *to, const struct row_id *from,
	uint8_t out[static ENVELOPE_SIZE_MAX])
{
	const struct site_link *link = to->site ? site_link_of(to->site, from) : NULL;
	uint8_t body[2] = {(uint8_t)(feed_byte(feed) % 8), 0};
	uint8_t sealed[SEAL_DATAGRAM_MAX];
	struct wire_writer writer;
	struct seal end;
	size_t size;

	if (!link)
		return 0;
	end = end_of(&link->words, feed);
	size = seal_write(&end, body, feed_byte(feed) < 240 ? 1 : 2, sealed);
	envelope_begin(&writer, out, ENVELOPE_SIZE_MAX, ENVELOPE_PATH, ENVELOPE_HEAD + 1,
		&to->world->collective, 0);
	wire_write_bin(&writer, sealed, size);
	return writer.length;
}

/* The number of a question that is open, or any. */
static uint32_t probe_number(const struct meeting *meeting, struct feed *feed)
{
	uint8_t which = feed_byte(feed);
	const struct meeting_place *place = &meeting->places[which % MEETING_PLACES_MAX];

	return which < 240 ? place->pending[feed_byte(feed) % MEETING_PENDING].number : which;
}

size_t hostile_probe(struct feed *feed, const struct host *to, const struct row_id *from,
	uint8_t out[static SEAL_DATAGRAM_MAX])
{
	const struct site_link *link = to->site ? site_link_of(to->site, from) : NULL;
	uint8_t kind = feed_byte(feed);
	uint8_t body[SEAL_BODY_MAX] = {kind < 250 ? 1 + kind % 2 : kind};
	size_t size = MEETING_BODY;
	struct endpoint seen;
	uint8_t spoil;
	struct seal end;

	if (!link)
		return 0;
	bytes_put(body + 1, probe_number(&link->meeting, feed), 4);
	seen = feed_endpoint(feed, to->world);
	if (seen.port != 0)
		endpoint_put(&seen, body + 5);
	end = end_of(&link->meeting.seal, feed);
	if (kind >= 220)
		size = feed_byte(feed) % (SEAL_BODY_MAX + 1);
	size = seal_write(&end, body, size, out);
	spoil = feed_byte(feed);
	if (spoil >= 240)
		out[size - 1 - spoil % 8]++;
	return size;
}

/* What somebody says who is asked. */
static size_t reflected(
	struct feed *feed, const struct host *to, uint8_t out[static SEAL_DATAGRAM_MAX])
{
	uint8_t which = feed_byte(feed);
	const struct site_reflector *reflector = &to->site->reflectors[which % SITE_REFLECTORS];
	struct reflection_answer answer = {
		.number = which < 240 ? reflector->vantages[which / 2 % 2].number : which,
		.seen = feed_endpoint(feed, to->world),
		.other_port = (uint16_t)(feed_byte(feed) * 257),
		.signed_too = which & 4,
		.time = host_wall(to) - (uint64_t)feed_byte(feed) * 4000};
	uint8_t body[REFLECTION_BODY];
	struct seal end;

	if (!reflector->open)
		return 0;
	reflection_answer_write(&answer, body);
	end = end_of(&reflector->seal, feed);
	body[feed_byte(feed) % sizeof body] += feed_byte(feed);
	return seal_write(
		&end, body, sizeof body - (feed_byte(feed) > 240 ? feed_byte(feed) % 97 : 0), out);
}

size_t hostile_reflection(
	struct feed *feed, const struct host *to, uint8_t out[static SEAL_DATAGRAM_MAX])
{
	uint8_t how = feed_byte(feed);
	struct reflection_question question = {.receipt = how & 2};
	const struct site_session *session;
	uint8_t body[REFLECTION_BODY];
	struct seal end;

	if (!to->site)
		return 0;
	if (how & 1 || to->site->sessions.count == 0)
		return reflected(feed, to, out);
	session = table_at(&to->site->sessions, feed_byte(feed) % to->site->sessions.count);
	question.number = feed_byte(feed);
	reflection_question_write(&question, body);
	end = end_of(&session->seal, feed);
	body[feed_byte(feed) % sizeof body] += feed_byte(feed);
	return seal_write(&end, body, sizeof body, out);
}

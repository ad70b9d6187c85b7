/* SPDX-License-Identifier: MIT */
/*
 * mischief.c - members that misbehave: beside what their site does, they say what no site would.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/envelope.h"
#include "gossip/message.h"
#include "gossip/offer.h"
#include "nat/candidate.h"
#include "simulator/host.h"
#include "site/links_internal.h"

#define EVERY (200 * USEC_MSEC)
#define FLOOD_AT_ONCE 100
#define HEARD_MAX 512
#define WORD_DOUBT 1 /* of site/links_carry.c */

static void next_turn(struct host *host)
{
	heap_push(&host->world->heap, host->world->now + EVERY, EVENT_MISCHIEF, host->number, NULL);
}

void host_begin_mischief(struct host *host)
{
	/* One chain of turns, however often the agent starts. */
	if (host->mischievous || host->mischief == MISCHIEF_CENSOR)
		return;
	host->mischievous = true;
	next_turn(host);
}

/* To the hub, as if our site had said it. */
static void say(struct host *host, const void *bytes, size_t size)
{
	const struct host *hub = &host->world->hosts[0];
	struct inner inner = {
		.source = {host->overlay, SITE_PORT},
		.destination = {hub->overlay, SITE_PORT},
		.size = (uint16_t)size,
	};

	if (!host->backbone || hub->overlay.family == ADDRESS_NONE)
		return;
	memcpy(inner.bytes, bytes, size);
	(void)wireguard_transmit(host->backbone, host->world->now, &inner);
}

/* To a member, by the hub. */
static void say_to(struct host *host, const struct address *to, const void *bytes, size_t size)
{
	struct inner inner = {
		.source = {host->overlay, SITE_PORT},
		.destination = {*to, SITE_PORT},
		.size = (uint16_t)size,
	};

	if (!host->backbone)
		return;
	memcpy(inner.bytes, bytes, size);
	(void)wireguard_transmit(host->backbone, host->world->now, &inner);
}

static void say_fact(struct host *host, const uint8_t *fact, int size)
{
	struct message message = {.type = MESSAGE_DELTA,
		.clock = host_wall(host),
		.fact_count = 1,
		.facts = {fact},
		.fact_sizes = {(size_t)size}};
	uint8_t bytes[MESSAGE_SIZE_MAX];

	assert(size > 0);
	say(host, bytes, message_write(&message, &host->world->collective, bytes));
}

/* Right at the beginning, and more of everything than there may be. */
static void say_too_much(struct host *host)
{
	uint8_t bytes[MESSAGE_SIZE_MAX];
	uint8_t junk[16];
	struct wire_writer writer;
	uint32_t count = (uint32_t)prng_below(&host->prng, 60);
	int size;

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 5);
	wire_write_uint(&writer, 1 + prng_below(&host->prng, 7));
	wire_write_uint(&writer, MESSAGE_PROTOCOL);
	wire_write_bin(&writer, host->world->collective.bytes, MESSAGE_TAG_SIZE);
	wire_write_uint(&writer, host_wall(host));
	wire_write_array(&writer, count);
	for (uint32_t i = 0; i < count; i++) {
		prng_bytes(&host->prng, junk, sizeof junk);
		wire_write_bin(&writer, junk, 1 + (size_t)prng_below(&host->prng, sizeof junk));
	}
	size = wire_writer_end(&writer);
	if (size > 0)
		say(host, bytes, (size_t)size);
}

static void garbage(struct host *host)
{
	struct world *world = host->world;
	uint8_t bytes[MESSAGE_SIZE_MAX];
	struct packet packet = {
		.source = host->local,
		.ttl = PACKET_TTL,
		.kind = PACKET_PLAIN,
	};
	uint32_t victim = (uint32_t)prng_below(&host->prng, world->host_count);
	size_t size = (size_t)prng_below(&host->prng, sizeof bytes);

	prng_bytes(&host->prng, bytes, size);
	say(host, bytes, size);
	say_too_much(host);
	/* And from outside, at whatever port; as a handshake that nobody has asked for, too. */
	packet.destination = (struct endpoint){world_outside(world, victim), WORLD_PORT};
	packet.size = 148;
	packet.kind = prng_below(&host->prng, 2) ? PACKET_INITIATION : PACKET_PLAIN;
	prng_bytes(&host->prng, packet.from.bytes, KEY_SIZE);
	prng_bytes(&host->prng, packet.to.bytes, KEY_SIZE);
	packet.source.port = WORLD_STRANGER_PORT;
	world_send(host, &packet);
}

static void flood(struct host *host)
{
	struct message message = {.type = MESSAGE_SUMMARY,
		.clock = host_wall(host),
		.summary = {.facts = (uint32_t)prng_below(&host->prng, 1000)}};
	uint8_t bytes[MESSAGE_SIZE_MAX];
	size_t size = message_write(&message, &host->world->collective, bytes);

	for (int i = 0; i < FLOOD_AT_ONCE; i++)
		say(host, bytes, size);
}

static struct record false_record(const struct host *host, uint64_t sequence)
{
	return (struct record){
		.site = host->site_key,
		.sequence = sequence,
		.issued_at = host_wall(host),
		.lifetime = RECORD_LIFETIME_S,
		.protocol = 1,
		.program = "0.0.9",
	};
}

/* Derived once, and not with every turn: most of a liar's time went into that. */
static bool identity(struct host *host, struct secret *ret)
{
	struct key known = secret_seed(&host->identity);
	char why[STORE_WHY_SIZE];
	struct key seed;

	if (store_key_read(host->store, STORE_KEY_IDENTITY, &seed, why) < 0)
		return false;
	if (!key_equal(&seed, &known))
		secret_from_seed(&host->identity, &seed);
	*ret = host->identity;
	return true;
}

static void equivocate(struct host *host)
{
	uint64_t sequence = host_wall(host);
	uint8_t fact[FACT_SIZE_MAX];
	struct secret secret;

	if (!identity(host, &secret) || prng_below(&host->prng, 20) > 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		struct record record = false_record(host, sequence);

		record.nat.mapping = (uint8_t)(1 + i);
		say_fact(host, fact,
			record_seal(&record, fact, &secret, &host->world->collective,
				host->world->crypto));
	}
}

/* Signed by its own key, which is no admin's. */
static void lie(struct host *host)
{
	struct world *world = host->world;
	uint32_t victim = (uint32_t)prng_below(&host->prng, world->host_count);
	struct key admin = secret_public(&world->admin);
	struct revocation revocation = {
		.subject = hash_of(world->hosts[victim].site_key.bytes, KEY_SIZE),
		.issuer = hash_of(admin.bytes, KEY_SIZE),
		.issued_at = host_wall(host),
	};
	struct record record = false_record(host, host_wall(host));
	uint8_t fact[FACT_SIZE_MAX];
	struct secret secret;

	if (!identity(host, &secret))
		return;
	say_fact(host, fact,
		revocation_seal(&revocation, fact, &secret, &world->collective, world->crypto));
	/* A farewell in another's name. */
	record.site = world->hosts[victim].site_key;
	record.flags = RECORD_LEFT;
	record.lifetime = RECORD_LEFT_LIFETIME_S;
	say_fact(
		host, fact, record_seal(&record, fact, &secret, &world->collective, world->crypto));
	/* More than it was given. */
	{
		struct certificate certificate = {
			.site = host->site_key,
			.version = 1000,
			.backbone = {{7, (uint8_t)victim}},
			.links = {{8, (uint8_t)victim}},
			.name = "greedy",
			.address = world->hosts[victim].overlay,
			.subnets = {1, {world->supernet}},
			.since = 1,
			.issued_at = 1,
			.issuer = revocation.issuer,
		};

		if (certificate.address.family != ADDRESS_NONE)
			say_fact(host, fact,
				certificate_seal(&certificate, fact, &secret, &world->collective,
					world->crypto));
	}
}

static struct key invent(struct host *host)
{
	struct key key;

	prng_bytes(&host->prng, key.bytes, KEY_SIZE);
	return key;
}

/* Members that nobody knows, one behind the other, and as many expulsions. */
static void usurp(struct host *host)
{
	struct world *world = host->world;
	struct key admin = secret_public(&world->admin);
	uint32_t number = 1000 + host->invented++ % 20000;
	struct certificate certificate = {
		.site = invent(host),
		.version = 1,
		.backbone = invent(host),
		.links = invent(host),
		.address = address_ipv4(0x0a640000 + (number << 1)),
		.since = host_wall(host),
		.issued_at = host_wall(host),
		.issuer = hash_of(admin.bytes, KEY_SIZE),
	};
	struct revocation revocation = {
		.issuer = certificate.issuer,
		.issued_at = host_wall(host),
	};
	struct key subject = invent(host);
	uint8_t fact[FACT_SIZE_MAX];

	certificate.address.bytes[1] = 100;
	certificate.subnets = (struct prefixes){1, {{certificate.address, 32}}};
	(void)snprintf(certificate.name, sizeof certificate.name, "thief-%u", number);
	revocation.subject = hash_of(subject.bytes, KEY_SIZE);
	say_fact(host, fact,
		certificate_seal(
			&certificate, fact, &world->admin, &world->collective, world->crypto));
	say_fact(host, fact,
		revocation_seal(
			&revocation, fact, &world->admin, &world->collective, world->crypto));
}

/* Messages and fields that no program of today knows: passed over, passed on, never a fault. */
static void be_newer(struct host *host)
{
	struct record record = false_record(host, host->memory_of.sequence[host->number] + 1);
	uint8_t bytes[MESSAGE_SIZE_MAX];
	uint8_t fact[FACT_SIZE_MAX];
	struct wire_writer writer;
	struct secret secret;
	int size;

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 5);
	wire_write_uint(&writer, 9);
	wire_write_uint(&writer, MESSAGE_PROTOCOL + 1);
	wire_write_bin(&writer, host->world->collective.bytes, MESSAGE_TAG_SIZE);
	wire_write_uint(&writer, host_wall(host));
	wire_write_str(&writer, "what is new");
	size = wire_writer_end(&writer);
	assert(size > 0);
	say(host, bytes, (size_t)size);
	if (!identity(host, &secret) || prng_below(&host->prng, 50) > 0)
		return;
	record.protocol = MESSAGE_PROTOCOL + 1;
	(void)snprintf(record.program, sizeof record.program, "9.9.9");
	fact_begin(&writer, fact, FACT_RECORD, 7);
	wire_write_uint(&writer, FACT_FIRST_FIELD);
	wire_write_bin(&writer, record.site.bytes, KEY_SIZE);
	wire_write_uint(&writer, 3);
	wire_write_uint(&writer, record.sequence);
	wire_write_uint(&writer, 4);
	wire_write_uint(&writer, record.issued_at);
	wire_write_uint(&writer, 5);
	wire_write_uint(&writer, record.lifetime);
	wire_write_uint(&writer, 6);
	wire_write_uint(&writer, record.protocol);
	wire_write_uint(&writer, 7);
	wire_write_str(&writer, record.program);
	wire_write_uint(&writer, 60);
	wire_write_str(&writer, "a field of the future");
	say_fact(host, fact,
		fact_seal(&writer, &secret, &host->world->collective, host->world->crypto));
}

void host_remember(struct host *host, const struct inner *inner)
{
	if (host->mischief != MISCHIEF_REPLAY)
		return;
	if (!host->heard)
		host->heard = calloc(HEARD_MAX, sizeof *host->heard);
	assert(host->heard);
	if (host->heard_count < HEARD_MAX)
		memcpy(&host->heard[host->heard_count++], inner,
			offsetof(struct inner, bytes) + inner->size);
}

static void replay(struct host *host)
{
	for (int i = 0; i < 8 && host->heard_count > 0; i++) {
		const struct inner *old = &host->heard[prng_below(&host->prng, host->heard_count)];

		say(host, old->bytes, old->size);
	}
}

static void keep(struct host *host, const struct inner *inner)
{
	uint32_t place = host->heard_count;

	if (!host->heard)
		host->heard = calloc(HEARD_MAX, sizeof *host->heard);
	assert(host->heard);
	if (place == HEARD_MAX)
		place = (uint32_t)prng_below(&host->prng, HEARD_MAX);
	else
		host->heard_count++;
	memcpy(&host->heard[place], inner, offsetof(struct inner, bytes) + inner->size);
}

/* Of what two sites say to each other about a link it keeps half back. */
bool host_meddles(struct host *host, const struct inner *inner)
{
	unsigned type;

	if (host->mischief != MISCHIEF_MEDDLE)
		return false;
	type = envelope_type(inner->bytes, inner->size);
	if (type != ENVELOPE_OFFER && type != ENVELOPE_ANSWER && type != ENVELOPE_PATH)
		return false;
	keep(host, inner);
	return prng_below(&host->prng, 2) == 0;
}

/* And passes on again what it passed on before. */
static void meddle(struct host *host)
{
	for (int i = 0; i < 2 && host->heard_count > 0; i++) {
		uint32_t place = (uint32_t)prng_below(&host->prng, host->heard_count);

		(void)host_transmit(host, &host->heard[place]);
	}
}

/* The member at this number, where there is one and it is no hub. */
static bool member_of(const struct host *host, uint32_t number, struct certificate *ret)
{
	const struct ledger *ledger = site_ledger(host->site);
	const struct member *member = ledger ? ledger_find(ledger, &host->world->hosts[number].id)
					     : NULL;

	if (!member || !member->in_force || member->hub || number == host->number)
		return false;
	ledger_certificate(ledger, member, ret);
	return true;
}

/* "Our link is dead", sealed as it has to be, and not true. */
static void doubt(struct host *host)
{
	struct world *world = host->world;
	const uint8_t body[1] = {WORD_DOUBT};

	for (uint32_t i = 1; i < world->host_count; i++) {
		struct site_link *link = site_link_of(host->site, &world->hosts[i].id);
		uint8_t sealed[SEAL_DATAGRAM_MAX];
		uint8_t bytes[ENVELOPE_SIZE_MAX];
		struct certificate other;
		struct wire_writer writer;

		if (!link || link->stage != LINK_LIVES || !member_of(host, i, &other))
			continue;
		envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PATH, ENVELOPE_HEAD + 1,
			&world->collective, 0);
		wire_write_bin(
			&writer, sealed, seal_write(&link->words, body, sizeof body, sealed));
		say_to(host, &other.address, bytes, writer.length);
	}
}

/*
 * Three receipts that show nothing: the hub's by name and not by signature, the liar's own, and one
 * that the hub gave to somebody else.
 */
static void vouch(struct host *host, const struct secret *own, const struct hash *somebody,
	struct offer *offer)
{
	struct host *hub = &host->world->hosts[0];
	struct secret secret;

	for (int i = 0; i < OFFER_RECEIPTS_MAX; i++)
		offer->receipts[i] = (struct receipt){
			.reflector = i == 1 ? host->site_hash : hub->site_hash,
			.seen = {address_ipv4(WORLD_VICTIM), 5000},
			.time = host_wall(host)};
	for (int i = 0; i < 2; i++)
		receipt_sign(&offer->receipts[i], &host->site_hash, own, &host->world->collective,
			host->world->crypto);
	offer->receipt_count = 2;
	if (!identity(hub, &secret))
		return;
	receipt_sign(&offer->receipts[2], somebody, &secret, &host->world->collective,
		host->world->crypto);
	offer->receipt_count = 3;
}

/* An offer as it has to be, but for the places in it, and what is to show that they are its own:
 * all are ports of somebody's who asked for nothing. */
static void point(struct host *host)
{
	static const enum candidate_kind kinds[] = {CANDIDATE_HUB, CANDIDATE_REFLECTED,
		CANDIDATE_MAPPED, CANDIDATE_STATIC, CANDIDATE_PREDICTED, CANDIDATE_HUB,
		CANDIDATE_MAPPED, CANDIDATE_PREDICTED};
	struct world *world = host->world;
	uint32_t number = 1 + (uint32_t)prng_below(&host->prng, world->host_count - 1);
	struct offer offer = {.site = host->site_key,
		.clock = host_wall(host),
		.candidate_count = OFFER_CANDIDATES_MAX};
	struct offer_ends ends = {.collective = &world->collective, .crypto = world->crypto};
	char why[STORE_WHY_SIZE];
	struct certificate other;
	struct offer_pair pair;
	struct secret secret;
	struct key links;
	uint8_t bytes[OFFER_SIZE_MAX];
	int size;

	if (!member_of(host, number, &other) || !identity(host, &secret) ||
		store_key_read(host->store, STORE_KEY_LINKS, &links, why) < 0)
		return;
	for (uint32_t i = 0; i < OFFER_CANDIDATES_MAX; i++)
		offer.candidates[i] = (struct offer_candidate){
			(uint8_t)kinds[i], {address_ipv4(WORLD_VICTIM), (uint16_t)(5000 + i)}};
	vouch(host, &secret, &world->hosts[number].site_hash, &offer);
	ends.own = &secret;
	ends.own_links = &links;
	ends.other_site = &other.site;
	ends.other_links = &other.links;
	offer_pair_draw(&pair, &host->prng);
	size = offer_write(&offer, &ends, &pair, NULL, bytes);
	assert(size > 0);
	say_to(host, &other.address, bytes, (size_t)size);
}

void host_mischief(struct host *host)
{
	next_turn(host);
	if (!host->powered || !host->running || host->overlay.family == ADDRESS_NONE)
		return;
	switch (host->mischief) {
	case MISCHIEF_GARBAGE:
		garbage(host);
		break;
	case MISCHIEF_FLOOD:
		flood(host);
		break;
	case MISCHIEF_REPLAY:
		replay(host);
		break;
	case MISCHIEF_EQUIVOCATE:
		equivocate(host);
		break;
	case MISCHIEF_LIE:
		lie(host);
		break;
	case MISCHIEF_USURP:
		usurp(host);
		break;
	case MISCHIEF_NEWER:
		be_newer(host);
		break;
	case MISCHIEF_MEDDLE:
		meddle(host);
		break;
	case MISCHIEF_DOUBT:
		doubt(host);
		break;
	case MISCHIEF_POINT:
		point(host);
		break;
	case MISCHIEF_NONE:
	case MISCHIEF_CENSOR:
	case MISCHIEFS:
		break;
	}
}

bool host_censors(const struct host *host, const struct site_action *send)
{
	const struct host *victim = &host->world->hosts[host->victim];

	return host->mischief == MISCHIEF_CENSOR &&
	       address_equal(&send->send.to.address, &victim->overlay);
}

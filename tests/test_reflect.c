/* SPDX-License-Identifier: MIT */
/*
 * test_reflect.c - members tell each other where they are seen, beside the hub: who is asked, how
 * often, and what the word of one is worth that lies. Whole sites in the simulator's world.
 */
#include "tests/test.h"

#include <string.h>

#include "gossip/record.h"
#include "gossip/reflection.h"
#include "site/links_internal.h"
#include "tests/gamers.h"

#define VICTIM "198.51.100.77:53"

static struct world *make_world(
	enum home_type a, enum home_type b, enum home_type c, enum site_when when)
{
	const enum home_type types[3] = {a, b, c};

	return gamers_found(types, 3, when, 7);
}

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

static struct site_reflector *reflector_of(
	const struct world *world, uint32_t number, enum site_reflector_place which)
{
	return &world->hosts[number].site->reflectors[which];
}

static const struct record *record_of(const struct world *world, uint32_t at, uint32_t about)
{
	static struct record record;
	const struct ledger *ledger = site_ledger(world->hosts[at].site);
	const struct member *member = ledger_find(ledger, &world->hosts[about].id);

	assert_non_null(member);
	assert_true(ledger_record(ledger, member, &record));
	return &record;
}

TEST(a_public_member_that_wants_it_tells_others_where_they_are)
{
	struct world *world = make_world(HOME, SYMMETRIC, PUBLIC, SITE_WHEN_ASKED);
	const struct site_reflector *other;

	(void)state;
	world->hosts[3].options.links.publishes = true;
	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	assert_int_equal(record_of(world, 1, 3)->endpoint_count, 1);
	assert_true(endpoint_equal(
		&record_of(world, 1, 3)->endpoints[0], &world->hosts[3].links_local));
	assert_int_equal(record_of(world, 3, 1)->endpoint_count, 0);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_say(world, 2, SITE_COMMAND_LINK, 1, 0);
	gamers_run(world, 5 * USEC_SECOND);
	other = &world->hosts[1].site->reflectors[SITE_REFLECTOR_OTHER];
	assert_memory_equal(&other->member, &world->hosts[3].id, ROW_ID_SIZE);
	assert_true(other->has_receipt);
	assert_true(endpoint_equal(
		&other->seen, &world->hosts[1].site->reflectors[SITE_REFLECTOR_HUB].seen));
	/* Two addresses were seen: now it is known, and not only probable. */
	assert_int_equal(world->hosts[1].site->behaviour.class.mapping, BEHAVIOUR_INDEPENDENT);
	assert_int_equal(world->hosts[2].site->behaviour.class.mapping, BEHAVIOUR_BY_PORT);
	world_free(world);
}

TEST(nobody_publishes_and_nobody_is_asked_unless_the_owner_says_so)
{
	struct world *world = make_world(HOME, HOME, PUBLIC, SITE_WHEN_ALWAYS);

	(void)state;
	gamers_power(world);
	gamers_run(world, 30 * USEC_SECOND);
	assert_int_equal(record_of(world, 1, 3)->endpoint_count, 0);
	assert_false(world->hosts[1].site->reflectors[SITE_REFLECTOR_OTHER].open);
	assert_int_equal(world->hosts[3].site->sessions.count, 0);
	world_free(world);
}

/* Who has no say in our links does not learn where we are. */
TEST(only_members_that_a_link_is_permitted_with_are_asked)
{
	struct world *world = make_world(HOME, HOME, PUBLIC, SITE_WHEN_ALWAYS);

	(void)state;
	world->hosts[3].options.links.publishes = true;
	gamers_power(world);
	gamers_say(world, 1, SITE_COMMAND_UNLINK, 3, 0);
	gamers_run(world, 30 * USEC_SECOND);
	assert_int_equal(record_of(world, 1, 3)->endpoint_count, 1);
	assert_false(world->hosts[1].site->reflectors[SITE_REFLECTOR_OTHER].open);
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* How often members are asked, answered or not. */

static uint32_t questions_within(struct world *world, usec_t span)
{
	struct site_reflector *other = reflector_of(world, 1, SITE_REFLECTOR_OTHER);
	uint32_t before = other->number;

	site_reflect_want(world->hosts[1].site, USEC_NEVER);
	gamers_run(world, span);
	return other->number - before;
}

/* Another one says to site 1 that it can be found there. */
static void claim(struct world *world, uint32_t number, const char *place)
{
	struct site *site = world->hosts[1].site;
	struct record record = *record_of(world, 1, number);
	uint8_t fact[FACT_SIZE_MAX];
	int size;

	record.sequence++;
	record.endpoint_count = 1;
	record.endpoints[0] = endpoint_of(place);
	size = record_seal(&record, fact, &world->hosts[number].site->identity,
		&site->ledger.collective, site->options.crypto);
	assert_true(size > 0);
	assert_int_equal(
		ledger_offer(&site->ledger, site_wall(site), fact, (size_t)size, true).verdict,
		VERDICT_NEW);
}

/* Sites 2 and 3 say where they are, and then nothing more. */
static struct world *with_claims(const char *of_2, const char *of_3)
{
	struct world *world = make_world(HOME, HOME, HOME, SITE_WHEN_ASKED);

	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	claim(world, 2, of_2);
	claim(world, 3, of_3);
	host_run(&world->hosts[2], false);
	host_run(&world->hosts[3], false);
	return world;
}

/* Each of them names a stranger, who has nothing to do with it. */
TEST(strangers_whom_members_name_are_asked_a_few_times_and_then_seldom)
{
	struct world *world = with_claims(VICTIM, "203.0.113.99:123");

	(void)state;
	assert_int_equal(questions_within(world, USEC_MINUTE), 3 * 4);
	assert_in_range(questions_within(world, 10 * USEC_MINUTE), 1, 4);
	assert_in_range(questions_within(world, USEC_HOUR), 5 * 4, 6 * 4);
	world_free(world);
}

/* Nor does it help to be heard in between. */
TEST(an_answer_in_between_does_not_make_strangers_be_asked_more)
{
	struct world *world = with_claims(VICTIM, VICTIM);
	uint32_t questions = 0;

	(void)state;
	(void)questions_within(world, 10 * USEC_MINUTE);
	for (int i = 0; i < 60; i++) {
		struct site_reflector *other = reflector_of(world, 1, SITE_REFLECTOR_OTHER);

		questions += questions_within(world, USEC_MINUTE);
		other->tries = 0;
		other->silences = 0;
		site_reflect_now(world->hosts[1].site);
	}
	assert_in_range(questions, 6 * 4, 7 * 5);
	world_free(world);
}

TEST(another_network_makes_everybody_worth_asking_again)
{
	struct world *world = with_claims(VICTIM, VICTIM);

	(void)state;
	(void)questions_within(world, USEC_MINUTE);
	assert_int_equal(questions_within(world, USEC_MINUTE), 0);
	site_links_resumed(world->hosts[1].site);
	assert_int_equal(questions_within(world, USEC_MINUTE), 3 * 4);
	world_free(world);
}

/* What is inside, or at somebody's home, or of this machine alone, is nobody's public place. */
TEST(nobody_is_asked_at_an_address_that_is_not_public)
{
	static const char *const places[] = {"10.100.2.1:51820", "192.168.1.1:53", "127.0.0.1:22",
		"100.64.0.1:53", "224.0.0.1:5353", "255.255.255.255:67", "0.0.0.0:53",
		"169.254.0.1:80"};

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct world *world = with_claims(places[i], places[i]);

		assert_int_equal(questions_within(world, USEC_MINUTE), 0);
		world_free(world);
	}
}

TEST(nobody_is_asked_inside_a_network_that_the_owner_keeps_for_himself)
{
	struct world *world = with_claims(VICTIM, VICTIM);
	struct prefix kept;

	(void)state;
	assert_int_equal(prefix_parse("198.51.100.0/24", &kept), 0);
	world->hosts[1].site->options.isolated = (struct site_networks){.count = 1, .items = &kept};
	assert_int_equal(questions_within(world, USEC_MINUTE), 0);
	world_free(world);
}

/* A reflector that lies. */

/* Site 3 answers site 1's question before its own agent does: that it is seen as the victim. */
static void lie(struct world *world, uint32_t number)
{
	struct host *host = &world->hosts[3];
	struct site_reflector *asked = reflector_of(world, 1, SITE_REFLECTOR_OTHER);
	struct site_session *session = table_find(&host->site->sessions, asked->seal.id.bytes);
	const struct member *about = ledger_find(&host->site->ledger, &world->hosts[1].id);
	struct reflection_answer answer = {.number = number,
		.seen = endpoint_of(VICTIM),
		.signed_too = true,
		.time = site_wall(host->site)};
	struct receipt receipt = {
		.reflector = host->site->site_hash, .seen = answer.seen, .time = answer.time};
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};
	uint8_t body[REFLECTION_BODY];
	uint8_t bytes[SEAL_DATAGRAM_MAX];

	assert_non_null(session);
	receipt_sign(&receipt, &about->site, &host->site->identity, &host->site->ledger.collective,
		host->site->options.crypto);
	memcpy(answer.signature, receipt.signature, sizeof answer.signature);
	reflection_answer_write(&answer, body);
	event.outside.interface = SITE_LINKS;
	event.outside.from = host->links_local;
	event.outside.size = seal_write(&session->seal, body, sizeof body, bytes);
	event.outside.bytes = bytes;
	host_event(&world->hosts[1], &event);
}

static void await_question(struct world *world)
{
	const struct site_vantage *open =
		&reflector_of(world, 1, SITE_REFLECTOR_OTHER)->vantages[0];

	for (int i = 0; i < 60 * 1000 && (open->answered || open->number == 0); i++)
		gamers_run(world, USEC_MSEC);
	assert_false(open->answered);
}

static struct world *with_a_liar(void)
{
	struct world *world = make_world(HOME, HOME, PUBLIC, SITE_WHEN_ALWAYS);

	world->hosts[3].options.links.publishes = true;
	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	site_reflect_want(world->hosts[1].site, USEC_NEVER);
	return world;
}

static bool is_seen_as(const struct world *world, const char *text)
{
	const struct endpoint endpoint = endpoint_of(text);
	const struct site_reflector *place = site_reflect_place(world->hosts[1].site);

	return place && endpoint_equal(&place->seen, &endpoint);
}

TEST(a_reflector_that_lies_is_not_believed_while_the_hub_says_otherwise)
{
	struct world *world = with_a_liar();
	struct site *site = world->hosts[1].site;
	struct endpoint truth = reflector_of(world, 1, SITE_REFLECTOR_HUB)->seen;

	(void)state;
	for (int i = 0; i < 20; i++) {
		await_question(world);
		lie(world, reflector_of(world, 1, SITE_REFLECTOR_OTHER)->vantages[0].number);
		assert_false(is_seen_as(world, VICTIM));
		assert_true(endpoint_equal(&site_reflect_place(site)->seen, &truth));
		assert_true(address_equal(&site->behaviour.outside, &truth.address));
		assert_int_equal(behaviour_mapping(&site->behaviour), BEHAVIOUR_INDEPENDENT);
		gamers_run(world, 30 * USEC_SECOND);
	}
	assert_true(gamers_are_direct(world, 1, 2));
	world_free(world);
}

/* One answer to each question, and none to what was not asked; also where its word counts. */
TEST(what_was_not_asked_is_not_heard)
{
	struct world *world = with_a_liar();
	struct site_reflector *other = reflector_of(world, 1, SITE_REFLECTOR_OTHER);
	struct site_reflector before;

	(void)state;
	host_power(&world->hosts[0], false);
	gamers_run(world, USEC_MINUTE);
	assert_ptr_equal(site_reflect_place(world->hosts[1].site), other);
	await_question(world);
	lie(world, other->vantages[0].number - 1);
	lie(world, other->vantages[0].number + 1);
	assert_false(other->vantages[0].answered);
	gamers_run(world, USEC_SECOND);
	assert_true(other->vantages[0].answered);
	before = *other;
	lie(world, other->vantages[0].number);
	lie(world, other->vantages[0].number + 1);
	lie(world, 0);
	/* Nor does it answer for the hub, whose questions have numbers of their own. */
	lie(world, reflector_of(world, 1, SITE_REFLECTOR_HUB)->vantages[0].number);
	assert_true(endpoint_equal(&other->seen, &before.seen));
	assert_int_equal(other->seen_at, before.seen_at);
	assert_false(is_seen_as(world, VICTIM));
	world_free(world);
}

/* One that opens sessions without end. */

static void open_session(struct world *world, uint32_t from)
{
	struct site *hub = world->hosts[0].site;
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	uint8_t bytes[REFLECTION_OPEN_MAX];
	struct offer_pair pair;

	offer_pair_draw(&pair, &world->prng);
	event.datagram.interface = SITE_BACKBONE;
	event.datagram.from = (struct endpoint){world->hosts[from].overlay, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = reflection_open_write(
		&pair, &hub->ledger.collective, site_wall(hub), bytes);
	host_event(&world->hosts[0], &event);
}

/* Each opening is worth three multiplications on a curve. Others go on being told where they are.
 */
TEST(a_member_that_opens_sessions_without_end_costs_little_and_keeps_nobody_out)
{
	struct world *world = make_world(HOME, HOME, HOME, SITE_WHEN_ALWAYS);
	const struct site *hub;
	uint64_t over;

	(void)state;
	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	hub = world->hosts[0].site;
	over = hub->counters[SITE_COUNT_COSTLY_OVER];
	assert_int_equal(over, 0);
	for (int i = 0; i < 10 * 1000; i++) {
		open_session(world, 2);
		if (i % 10 == 9)
			gamers_run(world, 10 * USEC_MSEC);
	}
	over = hub->counters[SITE_COUNT_COSTLY_OVER] - over;
	assert_in_range(10 * 1000 - over, 100, 20 + 10 * 10 + 1);
	/* Whoever does not share with it is told as ever. */
	assert_true(site_reflect_is_fresh(world->hosts[1].site));
	assert_true(site_reflect_is_fresh(world->hosts[3].site));
	world_free(world);
}

/* What one member asks at once keeps nobody else from being answered. */

static void ask_without_end(struct world *world, uint32_t from, struct seal *seal)
{
	const struct endpoint seen = reflector_of(world, from, SITE_REFLECTOR_HUB)->seen;
	struct reflection_question question = {.receipt = true};
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};
	uint8_t body[REFLECTION_BODY];
	uint8_t bytes[SEAL_DATAGRAM_MAX];

	question.number = (uint32_t)seal->sent;
	reflection_question_write(&question, body);
	event.outside.interface = SITE_LINKS;
	event.outside.from = seen;
	event.outside.size = seal_write(seal, body, sizeof body, bytes);
	event.outside.bytes = bytes;
	host_event(&world->hosts[0], &event);
}

static void offer_without_end(struct world *world, uint32_t from, uint32_t to)
{
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_OFFER, ENVELOPE_HEAD + 1,
		&world->hosts[0].site->ledger.collective, 0);
	wire_write_uint(&writer, 7);
	event.datagram.interface = SITE_BACKBONE;
	event.datagram.from = (struct endpoint){world->hosts[from].overlay, SITE_PORT};
	event.datagram.port = SITE_PORT;
	event.datagram.bytes = bytes;
	event.datagram.size = writer.length;
	host_event(&world->hosts[to], &event);
}

/* Two that want to meet, while the third asks a thousand times a second. */
static void assert_met_meanwhile(bool offers)
{
	struct world *world = make_world(HOME, HOME, HOME, SITE_WHEN_ASKED);
	uint64_t before;
	struct seal seal;

	gamers_power(world);
	site_reflect_want(world->hosts[3].site, USEC_NEVER);
	gamers_run(world, 5 * USEC_SECOND);
	seal = reflector_of(world, 3, SITE_REFLECTOR_HUB)->seal;
	seal.sent += 100000;
	before = world->hosts[offers ? 2 : 0].site->counters[SITE_COUNT_COSTLY_OVER];
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	for (int ms = 0; ms < 2000; ms++) {
		if (offers)
			offer_without_end(world, 3, 2);
		else
			ask_without_end(world, 3, &seal);
		gamers_run(world, USEC_MSEC);
	}
	assert_true(gamers_are_direct(world, 1, 2));
	assert_in_range(
		world->hosts[offers ? 2 : 0].site->counters[SITE_COUNT_COSTLY_OVER] - before, 1900,
		1990);
	world_free(world);
}

TEST(a_member_that_asks_without_end_keeps_nobody_from_meeting)
{
	(void)state;
	assert_met_meanwhile(false);
}

TEST(a_member_that_offers_without_end_keeps_nobody_from_meeting)
{
	(void)state;
	assert_met_meanwhile(true);
}

/* Whoever shares with one that floods does not for ever. */
TEST(with_whom_a_member_shares_changes)
{
	struct world *world = make_world(HOME, HOME, HOME, SITE_WHEN_ASKED);
	struct row_id noisy = world->hosts[1].id;
	uint32_t shared[2] = {0};
	struct row_id other = {{0}};
	struct site *hub;

	(void)state;
	gamers_power(world);
	hub = world->hosts[0].site;
	for (uint32_t number = 0; number < 1024; number++) {
		bool kept_out[2];

		memcpy(other.bytes, &number, sizeof number);
		other.bytes[7] = (uint8_t)(number * 37);
		for (int round = 0; round < 2; round++) {
			while (site_may_cost(hub, SITE_COST_KEYS, &noisy))
				continue;
			kept_out[round] = !site_may_cost(hub, SITE_COST_KEYS, &other);
			hub->now += 6 * USEC_MINUTE;
		}
		shared[0] += kept_out[0];
		shared[1] += kept_out[0] && kept_out[1];
	}
	assert_in_range(shared[0], 1, 40);
	assert_in_range(shared[1], 0, 5);
	world_free(world);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(a_public_member_that_wants_it_tells_others_where_they_are),
		CASE(nobody_publishes_and_nobody_is_asked_unless_the_owner_says_so),
		CASE(only_members_that_a_link_is_permitted_with_are_asked),
		CASE(strangers_whom_members_name_are_asked_a_few_times_and_then_seldom),
		CASE(an_answer_in_between_does_not_make_strangers_be_asked_more),
		CASE(another_network_makes_everybody_worth_asking_again),
		CASE(nobody_is_asked_at_an_address_that_is_not_public),
		CASE(nobody_is_asked_inside_a_network_that_the_owner_keeps_for_himself),
		CASE(a_reflector_that_lies_is_not_believed_while_the_hub_says_otherwise),
		CASE(what_was_not_asked_is_not_heard),
		CASE(a_member_that_opens_sessions_without_end_costs_little_and_keeps_nobody_out),
		cmocka_unit_test(a_member_that_asks_without_end_keeps_nobody_from_meeting),
		cmocka_unit_test(a_member_that_offers_without_end_keeps_nobody_from_meeting),
		cmocka_unit_test(with_whom_a_member_shares_changes),
	};

	return RUN(cases);
}

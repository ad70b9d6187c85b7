/* SPDX-License-Identifier: MIT */
#include "simulator/oracle.h"

#include <assert.h>
#include <string.h>

#define CHOICES 8 /* of a packet: whose, an opener or not, to the next port or not */

static const uint8_t seed[PRNG_SEED_SIZE] = "oracle";

/* One of the two, in one trial. */
struct host {
	struct router *routers[ORACLE_LAYERS_MAX];
	uint32_t router_count;
	struct endpoint local;
	struct endpoint told; /* where the second reflector saw it */
	bool counts;          /* the port that it saw was one more than the first one's */
};

struct trial {
	struct host hosts[2];
	usec_t now;
};

struct move {
	uint8_t side;
	bool opener;
	bool next; /* to the port after the one that was told */
};

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;
	int error = endpoint_parse(text, &endpoint);

	assert(error == 0);
	(void)error;
	return endpoint;
}

static struct prefix network(const char *text)
{
	struct prefix prefix;
	int error = prefix_parse(text, &prefix);

	assert(error == 0);
	(void)error;
	return prefix;
}

static void host_init(
	struct host *host, const struct oracle_side *side, const char *outside, struct prng *prng)
{
	assert(side->layer_count <= ORACLE_LAYERS_MAX);
	*host = (struct host){.local = at(outside), .router_count = side->layer_count};
	for (uint32_t i = 0; i < side->layer_count; i++) {
		struct router_options options = side->layers[i];
		bool outermost = i + 1 == side->layer_count;

		options.outside = outermost ? at(outside).address : at("100.64.1.2:1").address;
		options.inside = network(i == 0 ? "192.168.1.0/24" : "100.64.0.0/10");
		host->routers[i] = router_new(&options, prng);
	}
	if (side->layer_count > 0)
		host->local = at("192.168.1.2:51820");
}

static bool goes_out(struct trial *trial, const struct host *host, struct packet *packet)
{
	packet->source = host->local;
	for (uint32_t i = 0; i < host->router_count; i++) {
		if (router_from_inside(host->routers[i], trial->now, packet) != ROUTER_OUT)
			return false;
	}
	return true;
}

static bool comes_in(struct trial *trial, const struct host *host, struct packet *packet)
{
	for (uint32_t i = host->router_count; i > 0; i--) {
		if (router_from_outside(host->routers[i - 1], trial->now, packet) != ROUTER_IN)
			return false;
	}
	return endpoint_equal(&packet->destination, &host->local);
}

static void reflect(struct trial *trial, struct host *host)
{
	static const char *const reflectors[] = {"192.0.2.2:7", "192.0.2.3:7"};
	uint16_t before = 0;

	for (uint32_t i = 0; i < 2; i++) {
		struct packet packet = {.destination = at(reflectors[i])};
		struct packet answer;

		if (!goes_out(trial, host, &packet))
			return;
		before = host->told.port;
		host->told = packet.source;
		answer = (struct packet){
			.source = packet.destination, .destination = packet.source};
		(void)comes_in(trial, host, &answer);
	}
	host->counts = before + 1 == host->told.port;
}

static void trial_init(
	struct trial *trial, const struct oracle_side *a, const struct oracle_side *b)
{
	struct prng prng;

	memset(trial, 0, sizeof *trial);
	prng_init(&prng, seed);
	host_init(&trial->hosts[0], a, "203.0.113.1:51820", &prng);
	host_init(&trial->hosts[1], b, "203.0.113.2:51820", &prng);
	reflect(trial, &trial->hosts[0]);
	reflect(trial, &trial->hosts[1]);
}

/* The same, from where it stands: what comes next leaves the other one as it is. */
static void trial_copy(struct trial *copy, const struct trial *trial)
{
	*copy = *trial;
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < trial->hosts[i].router_count; j++)
			copy->hosts[i].routers[j] = router_copy(trial->hosts[i].routers[j]);
	}
}

static void trial_done(struct trial *trial)
{
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < trial->hosts[i].router_count; j++)
			router_free(trial->hosts[i].routers[j]);
	}
}

/* Whether there was an answer. */
static bool play(struct trial *trial, const struct move *move)
{
	const struct host *from = &trial->hosts[move->side];
	const struct host *to = &trial->hosts[1 - move->side];
	struct packet packet = {.destination = to->told};
	struct packet answer;

	trial->now += USEC_MSEC;
	if (move->next)
		packet.destination.port++;
	if (!goes_out(trial, from, &packet) || move->opener)
		return false;
	if (!comes_in(trial, to, &packet))
		return false;
	answer = (struct packet){.destination = packet.source};
	return goes_out(trial, to, &answer) && comes_in(trial, from, &answer);
}

struct search {
	struct trial begun; /* both have seen where they are, and nothing was sent yet */
	struct move choices[CHOICES];
	uint32_t choice_count;
	enum oracle_first first;
};

static void search_init(struct search *search, const struct oracle_side *a,
	const struct oracle_side *b, const struct oracle_means *means)
{
	*search = (struct search){.first = means->first};
	trial_init(&search->begun, a, b);
	for (uint32_t i = 0; i < CHOICES; i++) {
		struct move move = {.side = i & 1, .opener = i & 2, .next = i & 4};

		if (move.opener && !means->openers)
			continue;
		if (move.next && !(means->prediction && search->begun.hosts[1 - move.side].counts))
			continue;
		search->choices[search->choice_count++] = move;
	}
}

/* Whether this choice may be the first one, or follow another. */
static bool may_choose(const struct search *search, uint32_t choice, uint32_t before)
{
	uint8_t side = search->choices[choice].side;

	if (before < CHOICES)
		/* The same twice in a row says nothing new. */
		return choice != before;
	return !(search->first == ORACLE_FIRST_A && side != 0) &&
	       !(search->first == ORACLE_FIRST_B && side != 1);
}

/*
 * Whether so many packets more, behind those of a trial, lead to a meeting. Every beginning is
 * played once for all that may follow it. before is the choice that was made last; CHOICES: none.
 */
static bool extend(
	const struct search *search, const struct trial *trial, uint32_t before, uint32_t more)
{
	bool met = false;

	for (uint32_t i = 0; i < search->choice_count && !met; i++) {
		struct trial next;

		if (!may_choose(search, i, before))
			continue;
		trial_copy(&next, trial);
		met = play(&next, &search->choices[i]) ||
		      (more > 1 && extend(search, &next, i, more - 1));
		trial_done(&next);
	}
	return met;
}

uint32_t oracle_sends(
	const struct oracle_side *a, const struct oracle_side *b, const struct oracle_means *means)
{
	struct search search;
	uint32_t length = 1;

	search_init(&search, a, b, means);
	/* The shortest is found first. */
	while (length <= ORACLE_SENDS_MAX && !extend(&search, &search.begun, CHOICES, length))
		length++;
	trial_done(&search.begun);
	return length <= ORACLE_SENDS_MAX ? length : 0;
}

const char *oracle_how(const struct oracle_side *a, const struct oracle_side *b)
{
	struct oracle_means means = {.first = ORACLE_FIRST_A};
	bool a_first = oracle_sends(a, b, &means) > 0;
	bool b_first;

	means.first = ORACLE_FIRST_B;
	b_first = oracle_sends(a, b, &means) > 0;
	if (a_first && b_first)
		return "any";
	if (a_first || b_first)
		return a_first ? "a-first" : "b-first";
	means = (struct oracle_means){.openers = true};
	if (oracle_sends(a, b, &means) > 0)
		return "openers";
	means.prediction = true;
	return oracle_sends(a, b, &means) > 0 ? "predict" : "-";
}

/* SPDX-License-Identifier: MIT */
/*
 * links_meet.c - an attempt at a direct link: offer and answer, the places where either may be
 * met, and what came of probing them.
 */
#include <string.h>

#include "gossip/envelope.h"
#include "site/links_internal.h"

#define ANSWER_AT_LEAST (300 * USEC_MSEC)
#define ANSWERS_WITHIN (1 * USEC_SECOND)
#define HUB_RTT_UNKNOWN (200 * USEC_MSEC)
#define LISTEN_FOR (20 * USEC_SECOND)
#define CALL_WITHIN (6 * USEC_SECOND)
#define QUIET_AT_LEAST (35 * USEC_SECOND)
#define OFFER_TIMES 4
#define CLOCK_STALE_MS (5 * 60 * 1000)
#define OFFERS_PER_SECOND 100 /* of all members together */
#define OFFERS_BURST 200
#define ATTEMPT_EVERY (15 * USEC_SECOND)
#define ATTEMPTS_MAX UINT8_MAX
#define BUSY_MOST 6 /* doublings of what is waited for one who is busy */

/* Where we are. */

static void add_place(const struct site *site, struct candidates *places, enum candidate_kind kind,
	const struct endpoint *endpoint)
{
	const struct candidate place = {kind, *endpoint};
	struct candidate_barrier barriers[SITE_BARRIERS_MAX];
	uint32_t count = site_link_barriers(site, &endpoint->address, barriers);

	(void)candidates_add(places, &place, barriers, count);
}

static void add_own(const struct site *site, struct candidates *places)
{
	for (uint32_t i = 0; i < site->ground.count; i++) {
		const struct site_own_address *own = &site->ground.items[i];
		const struct endpoint endpoint = {own->address, site->ground.ports[SITE_LINKS]};

		/* Whatever it is: what does not belong to a kind is refused. */
		if (!own->containers)
			add_place(site, places,
				own->address.family == ADDRESS_IPV6 ? CANDIDATE_IPV6
								    : CANDIDATE_LAN,
				&endpoint);
	}
}

static void add_published(const struct site *site, struct candidates *places)
{
	for (uint32_t i = 0; i < site->published.count; i++) {
		const struct invite_endpoint *item = &site->published.items[i];
		struct endpoint endpoint = {.port = item->port};

		if (address_parse(item->host, strlen(item->host), &endpoint.address) == 0)
			add_place(site, places, CANDIDATE_STATIC, &endpoint);
	}
}

/*
 * What the hub saw, and what the router will make of the next flow. Where ports follow each other
 * the one that was seen is not named: to call it would use up the one that was foretold.
 */
static void add_seen(const struct site *site, struct candidates *places)
{
	struct endpoint guesses[BEHAVIOUR_GUESSES_MAX];
	uint32_t count = behaviour_guess(&site->behaviour, site->now, guesses);

	for (uint32_t i = 0; i < count; i++)
		add_place(site, places, CANDIDATE_PREDICTED, &guesses[i]);
	for (uint32_t i = 0; i < SITE_REFLECTORS && count == 0; i++) {
		const struct site_reflector *by = &site->reflectors[i];

		if (by->seen.address.family != ADDRESS_NONE &&
			site->now - by->seen_at <= BEHAVIOUR_KEPT_FOR)
			add_place(site, places,
				i == SITE_REFLECTOR_HUB ? CANDIDATE_HUB : CANDIDATE_REFLECTED,
				&by->seen);
	}
}

static struct nat_class own_class(const struct site *site)
{
	const struct behaviour_class *seen = &site->behaviour.class;

	return (struct nat_class){.mapping = (uint8_t)behaviour_mapping(&site->behaviour),
		.filtering = (uint8_t)seen->filtering,
		.allocation = (uint8_t)seen->allocation};
}

/*
 * Behind a router that takes another port for everybody the one of its own is of use where its
 * owner has it forwarded, which is what `why` tells people to do.
 */
static void add_forwarded(const struct site *site, struct candidates *places)
{
	const struct site_reflector *by = site_reflect_place(site);
	const struct nat_class class = own_class(site);
	struct endpoint place = {.port = site->ground.ports[SITE_LINKS]};

	if (!by || site->now - by->seen_at > BEHAVIOUR_KEPT_FOR || place.port == 0 ||
		!site_link_is_elusive(&class))
		return;
	place.address = by->seen.address;
	add_place(site, places, CANDIDATE_PREDICTED, &place);
}

void site_link_places(const struct site *site, struct candidates *ret)
{
	candidates_init(ret);
	if (site->ground.ports[SITE_LINKS] != 0)
		add_own(site, ret);
	if (site->ground.mapped.address.family != ADDRESS_NONE)
		add_place(site, ret, CANDIDATE_MAPPED, &site->ground.mapped);
	add_published(site, ret);
	add_seen(site, ret);
	add_forwarded(site, ret);
}

bool site_link_knows_places(const struct site *site)
{
	struct candidates places;

	site_link_places(site, &places);
	/* The home's own addresses are of use to nobody who does not know that he is there. */
	return places.count > 0 && places.items[places.count - 1].kind != CANDIDATE_LAN;
}

static bool has_fresh_receipt(const struct site *site, const struct site_reflector *by)
{
	return by->has_receipt && receipt_is_fresh(&by->receipt, site_wall(site));
}

static bool clock_is_off(const struct site *site)
{
	return site->clock_is_off || !site_clock_trusted(site);
}

/* What we say of ourselves, in an offer or in an answer. */
static void describe(const struct site *site, struct site_link *link, struct offer *ret)
{
	const struct site_reflector *seen = site_reflect_place(site);
	struct candidates places;
	uint64_t clock = site_wall(site);

	site_link_places(site, &places);
	link->seen_as = seen ? seen->seen : (struct endpoint){.port = 0};
	link->our_clock = clock > link->our_clock ? clock : link->our_clock + 1;
	*ret = (struct offer){
		.clock = link->our_clock, .nat = own_class(site), .clock_off = clock_is_off(site)};
	ret->attempt = (uint8_t)(link->quiet.failures < ATTEMPTS_MAX ? link->quiet.failures
								     : ATTEMPTS_MAX);
	for (uint32_t i = 0; i < places.count; i++)
		ret->candidates[ret->candidate_count++] = (struct offer_candidate){
			(uint8_t)places.items[i].kind, places.items[i].endpoint};
	for (uint32_t i = 0; i < SITE_REFLECTORS; i++) {
		if (has_fresh_receipt(site, &site->reflectors[i]))
			ret->receipts[ret->receipt_count++] = site->reflectors[i].receipt;
	}
}

/* Writing. */

static struct offer_ends ends_of(const struct site *site, const struct certificate *other)
{
	return (struct offer_ends){.collective = &site->ledger.collective,
		.crypto = site->options.crypto,
		.own = &site->identity,
		.own_links = &site->pairs[SITE_LINKS].secret,
		.other_site = other ? &other->site : NULL,
		.other_links = other ? &other->links : NULL};
}

/* What is on its way to the other end, as it was written. */
static void send_again(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	const struct link_letter letter = {.bytes = link->sent,
		.size = link->sent_size,
		.urgent = link->stage == LINK_OFFERS,
		.helped = link->stage != LINK_OFFERS && link->helped,
		.helper = link->helper};

	link->sent_times++;
	site_link_post(site, out, member, &letter);
}

static usec_t hub_rtt(const struct site *site, const struct site_link *link)
{
	int64_t rtt = -1;

	if (link->has_path)
		rtt = path_measured(&link->path, PATH_HUB).rtt_us;
	if (rtt < 0 && site->reflectors[SITE_REFLECTOR_HUB].seen_at > 0)
		rtt = 2 * site->reflectors[SITE_REFLECTOR_HUB].rtt_us;
	return rtt < 0 ? HUB_RTT_UNKNOWN : rtt;
}

/* Doubled each time: the other end may have to ask first from where it is seen. */
static usec_t patience(const struct site *site, const struct site_link *link)
{
	usec_t first = 3 * hub_rtt(site, link);

	return (first > ANSWER_AT_LEAST ? first : ANSWER_AT_LEAST) << (link->sent_times - 1);
}

void site_link_offer(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);
	struct certificate other;
	struct offer_ends ends;
	struct offer offer;
	int size;

	ledger_certificate(&site->ledger, member, &other);
	ends = ends_of(site, &other);
	offer_pair_draw(&link->pair, &site->prng);
	describe(site, link, &offer);
	size = offer_write(&offer, &ends, &link->pair, NULL, link->sent);
	if (size < 0) {
		site_link_fail(site, link, out, LINK_NOT_MET);
		return;
	}
	link->offered = offer_hash(link->sent, (size_t)size);
	link->sent_size = (uint16_t)size;
	link->sent_times = 0;
	link->offered_at = site->now;
	link->offerer = true;
	link->trial = (struct link_trial){
		.at = site->now, .attempt = offer.attempt, .ours = offer.nat, .rtt_us = -1};
	link->helped = false;
	send_again(site, link, out, member);
	site_link_turn(site, link, LINK_OFFERS, LINK_OFFERED);
	link->until = site->now + patience(site, link);
}

bool site_link_offer_again(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (link->sent_times == OFFER_TIMES)
		return false;
	send_again(site, link, out, ledger_find(&site->ledger, &link->member));
	link->until = site->now + patience(site, link);
	return true;
}

/* Meeting. */

/* What shows that the other end is where it says. */
static void prove(const struct site *site, const struct member *member, const struct offer *theirs,
	struct candidate_proof *ret)
{
	*ret = (struct candidate_proof){.receipt_count = 0};
	for (uint32_t i = 0; i < theirs->receipt_count; i++) {
		const struct receipt *receipt = &theirs->receipts[i];
		const struct row_id id = row_id_of(&receipt->reflector);
		const struct member *reflector = ledger_find(&site->ledger, &id);
		struct certificate certificate;

		/* Of who sees others, hubs are believed, and whom we would meet ourselves. */
		if (!reflector || !reflector->in_force || reflector == member ||
			(!reflector->hub && site_link_objection(site, reflector) != LINK_NEW) ||
			!receipt_is_fresh(receipt, site_wall(site)))
			continue;
		ledger_certificate(&site->ledger, reflector, &certificate);
		if (receipt_verify(receipt, &member->site, &certificate.site,
			    &site->ledger.collective, site->options.crypto))
			ret->receipts[ret->receipt_count++] = receipt->seen;
	}
}

static void choose_places(const struct site *site, struct site_link *link,
	const struct member *member, const struct offer *theirs, struct meeting_options *options)
{
	struct candidate_proof ours = {.receipt_count = 0};
	struct candidates places;
	struct candidate_proof proof;
	uint32_t expected = 0;

	candidates_init(&places);
	prove(site, member, theirs, &proof);
	for (uint32_t i = 0; i < SITE_REFLECTORS; i++) {
		if (has_fresh_receipt(site, &site->reflectors[i]))
			ours.receipts[ours.receipt_count++] = site->reflectors[i].receipt.seen;
	}
	link->trial.same_home = candidate_same_home(&ours, &proof);
	for (uint32_t i = 0; i < theirs->candidate_count; i++)
		add_place(site, &places, (enum candidate_kind)theirs->candidates[i].kind,
			&theirs->candidates[i].endpoint);
	for (uint32_t i = 0; i < places.count; i++) {
		uint32_t budget = candidate_budget(&places.items[i], &proof, link->trial.same_home);

		/* Another home's own addresses are none here, and nobody expects them to be. */
		expected += places.items[i].kind == CANDIDATE_LAN && budget == 0;
		if (budget == 0)
			continue;
		options->places[options->count++] = (struct meeting_place_offered){
			places.items[i].endpoint, budget >= CANDIDATE_BUDGET};
	}
	link->trial.places = (uint8_t)options->count;
	link->trial.refused = (uint8_t)(theirs->candidate_count - options->count - expected);
}

static void begin_meeting(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member, const struct offer *theirs, usec_t rtt)
{
	struct meeting_options options = {.offerer = link->offerer,
		.attempt = link->offerer ? link->trial.attempt : theirs->attempt,
		.hub_rtt = rtt,
		.elusive = site_link_is_elusive(&link->trial.ours),
		.probe = link->keys.probe};
	struct meeting_actions actions;

	link->attempts++;
	choose_places(site, link, member, theirs, &options);
	meeting_end(&link->meeting);
	meeting_begin(&link->meeting, site->now, &options);
	key_wipe(&options.probe);
	link->listen_until = site->now + LISTEN_FOR;
	seal_wipe(&link->words);
	seal_init(&link->words, "collective path", &link->keys.path, link->offerer);
	link->has_words = true;
	link->trial.theirs = theirs->nat;
	link->has_path = false;
	link->recalls = false;
	link->found = (struct endpoint){.port = 0};
	link->calls = 0;
	site_link_turn(site, link, LINK_MEETS, LINK_MEETING);
	meeting_step(&link->meeting, site->now, &actions);
	site_link_meet(site, link, out, &actions);
}

/* What is left of a life before: traffic has to be with the hub while the peer is made anew. */
static void make_way(struct site *site, struct site_link *link, struct site_actions *out)
{
	site_link_route(site, link, out, false);
	site_link_drop_peer(site, link, out);
}

/* Answering. */

/* Writes an answer. Returns its size, or less than 0. */
static int write_answer(const struct site *site, const struct offer *answer,
	const struct certificate *other, const struct offer *theirs, const struct offer_pair *pair,
	uint8_t bytes[static OFFER_SIZE_MAX])
{
	struct offer_ends ends = ends_of(site, other);

	return offer_write(answer, &ends, pair, theirs, bytes);
}

/* An answer that says no. Who is refused learns nothing of where we are. */
static void refuse(struct site *site, struct site_actions *out, const struct member *member,
	const struct offer *theirs, const struct hash *hash, const struct link_letter *came,
	enum offer_verdict verdict)
{
	const struct offer answer = {
		.is_answer = true, .clock = site_wall(site), .offer = *hash, .verdict = verdict};
	struct link_letter letter = *came;
	uint8_t bytes[OFFER_SIZE_MAX];
	struct offer_pair pair;
	struct certificate other;
	int size;

	ledger_certificate(&site->ledger, member, &other);
	offer_pair_draw(&pair, &site->prng);
	size = write_answer(site, &answer, &other, theirs, &pair, bytes);
	key_wipe(&pair.private_key);
	letter.bytes = bytes;
	letter.size = (size_t)(size > 0 ? size : 0);
	if (size > 0)
		site_link_post(site, out, member, &letter);
}

/* Says yes, and has the keys of the meeting. Returns false where the offer's own is none. */
static bool agree(struct site *site, struct site_link *link, const struct offer *answer,
	const struct certificate *other)
{
	struct offer_pair pair;
	struct hash hash;
	bool agreed;
	int size;

	offer_pair_draw(&pair, &site->prng);
	size = write_answer(site, answer, other, &link->theirs, &pair, link->sent);
	hash = offer_hash(link->sent, (size_t)(size > 0 ? size : 0));
	agreed = size > 0 &&
		 link_keys_derive(&link->keys, &pair, false, &site->pairs[SITE_LINKS].secret,
			 &link->theirs.ephemeral, &other->links, &link->theirs_hash, &hash) == 0;
	key_wipe(&pair.private_key);
	link->sent_size = (uint16_t)(agreed ? size : 0);
	link->sent_times = 0;
	return agreed;
}

static void accept_offer(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	struct certificate other;
	struct offer answer;

	ledger_certificate(&site->ledger, member, &other);
	describe(site, link, &answer);
	answer.is_answer = true;
	answer.offer = link->theirs_hash;
	answer.initiates = link->theirs.clock_off && !clock_is_off(site);
	if (!agree(site, link, &answer, &other)) {
		site->counters[SITE_COUNT_OFFER_BAD]++;
		site_link_fail(site, link, out, LINK_NOT_MET);
		return;
	}
	make_way(site, link, out);
	site_link_add_peer(site, link, out);
	link->offerer = false;
	link->initiates = answer.initiates;
	link->invited = true;
	link->released = false;
	link->trial = (struct link_trial){
		.at = site->now, .attempt = link->theirs.attempt, .ours = answer.nat, .rtt_us = -1};
	/* What opens leaves first: behind the answer whole packets come, and a router that lets
	 * them in before it was opened remembers them. */
	begin_meeting(site, link, out, member, &link->theirs, hub_rtt(site, link));
	send_again(site, link, out, member);
}

void site_link_answer(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);
	const struct link_letter came = {.helped = link->helped, .helper = link->helper};

	if (site_link_knows_places(site)) {
		accept_offer(site, link, out, member);
		return;
	}
	refuse(site, out, member, &link->theirs, &link->theirs_hash, &came, OFFER_UNREADY);
	site_link_fall_back(site, link, out, LINK_UNSEEN);
}

/* Attempts that others may cause: a few at once, then now and then. */
static bool spend_attempt(struct site *site, struct site_link *link)
{
	usec_t steps = (site->now - link->budget_at) / ATTEMPT_EVERY;

	if (steps > 0) {
		link->budget_at += steps * ATTEMPT_EVERY;
		link->budget_left = steps > LINK_ATTEMPTS_MAX - (usec_t)link->budget_left
					    ? LINK_ATTEMPTS_MAX
					    : link->budget_left + (uint32_t)steps;
	}
	if (link->budget_left == 0)
		return false;
	link->budget_left--;
	return true;
}

/* Whoever kept what was offered before its row went says it again. */
static bool is_from_before(
	const struct site *site, const struct site_link *link, const struct offer *theirs)
{
	return link->their_clock == 0 && theirs->clock <= site->offers_floor;
}

/* What we say to an offer. A number that is no verdict: nothing. */
static enum offer_verdict judge(struct site *site, struct site_link *link,
	const struct member *member, const struct offer *theirs)
{
	uint64_t wall = site_wall(site);

	if (theirs->clock + CLOCK_STALE_MS < wall || theirs->clock > wall + CLOCK_STALE_MS ||
		is_from_before(site, link, theirs))
		return OFFER_STALE;
	if (theirs->clock <= link->their_clock)
		return OFFER_VERDICTS; /* it came before */
	link->their_clock = theirs->clock;
	if (site_link_objection(site, member) != LINK_NEW)
		return OFFER_POLICY;
	/* Who ended it, and offers, knows that it has ended. */
	if (site_links_rotate(site) || site_link_is_engaged(site, link) ||
		(link->stage == LINK_LEAVES && link->reason != LINK_THEY_ENDED))
		return OFFER_BUSY;
	if (link->stage == LINK_OFFERS &&
		memcmp(site->site_key.bytes, theirs->site.bytes, KEY_SIZE) < 0)
		return OFFER_CROSSED;
	/* Who says that less has failed there has seen something change. */
	if (link->failed_at >= 0 && site->now - link->failed_at < QUIET_AT_LEAST &&
		link->quiet.failures > 0 && theirs->attempt >= link->quiet.failures)
		return OFFER_QUIET;
	return spend_attempt(site, link) ? OFFER_ACCEPTED : OFFER_BUSY;
}

/* An offer that came before: its answer was lost, or is not there yet. */
static bool is_known(struct site *site, const struct hash *hash, struct site_actions *out,
	const struct member *member, const struct link_letter *came)
{
	struct site_link *link = site_link_of(site, &member->id);

	if (!link || !hash_equal(hash, &link->theirs_hash))
		return false;
	/* It comes another way, too: that one works. */
	link->helped = came->helped;
	link->helper = came->helper;
	if ((link->stage == LINK_MEETS || link->stage == LINK_CALLS) && !link->offerer &&
		link->sent_times < OFFER_TIMES)
		send_again(site, link, out, member);
	return true;
}

static void receive_offer(struct site *site, const struct link_letter *came,
	struct site_actions *out, const struct member *member)
{
	const struct hash hash = offer_hash(came->bytes, came->size);
	struct offer_ends ends = ends_of(site, NULL);
	struct certificate other;
	enum offer_verdict verdict;
	struct site_link *link;
	struct offer theirs;

	if (is_known(site, &hash, out, member, came))
		return;
	ledger_certificate(&site->ledger, member, &other);
	if (offer_read(&theirs, &ends, NULL, came->bytes, came->size) < 0 ||
		!key_equal(&theirs.site, &other.site)) {
		site->counters[SITE_COUNT_OFFER_BAD]++;
		return;
	}
	link = site_link_for_offer(site, &member->id);
	if (!link)
		return;
	verdict = judge(site, link, member, &theirs);
	if (verdict == OFFER_VERDICTS)
		return;
	if (verdict != OFFER_ACCEPTED) {
		refuse(site, out, member, &theirs, &hash, came, verdict);
		return;
	}
	link->theirs = theirs;
	link->theirs_hash = hash;
	link->helped = came->helped;
	link->helper = came->helper;
	/* It has lost what there was; nothing of ours may go there any more. */
	site_link_route(site, link, out, false);
	/* Something changed there. Else both count what failed, and rest as long. */
	if (theirs.attempt == 0)
		quiet_reset(&link->quiet);
	site_link_turn(site, link, LINK_ANSWERS, LINK_MEETING);
	link->changed = false;
	link->until = site->now + ANSWERS_WITHIN;
	site_reflect_want(site, site->now + LISTEN_FOR);
	if (site_reflect_is_fresh(site))
		site_link_answer(site, link, out);
	else
		site_reflect_now(site);
}

static void take_refusal(struct site *site, struct site_link *link, struct site_actions *out,
	enum offer_verdict verdict)
{
	static const usec_t pauses[OFFER_VERDICTS] = {
		[OFFER_POLICY] = 10 * USEC_MINUTE,
		[OFFER_QUIET] = QUIET_AT_LEAST,
		[OFFER_BUSY] = 500 * USEC_MSEC,
		[OFFER_CROSSED] = 2 * USEC_SECOND,
		[OFFER_STALE] = USEC_MINUTE,
		[OFFER_UNREADY] = 2 * USEC_SECOND,
	};

	key_wipe(&link->pair.private_key);
	link->trial.verdict = verdict;
	link->next_at = site->now + pauses[verdict];
	if (verdict == OFFER_BUSY && link->busy < BUSY_MOST)
		link->busy++;
	if (verdict == OFFER_BUSY)
		link->next_at += (usec_t)prng_below(&site->prng, 500000u << link->busy);
	site_link_fall_back(site, link, out, LINK_REFUSED);
}

static void receive_answer(struct site *site, const struct link_letter *came,
	struct site_actions *out, const struct member *member)
{
	struct site_link *link = site_link_of(site, &member->id);
	struct certificate other;
	struct offer_ends ends;
	struct offer theirs;
	struct hash hash;

	if (!link || link->stage != LINK_OFFERS)
		return;
	ledger_certificate(&site->ledger, member, &other);
	ends = ends_of(site, &other);
	if (offer_read(&theirs, &ends, &link->pair, came->bytes, came->size) < 0 ||
		!hash_equal(&theirs.offer, &link->offered)) {
		site->counters[SITE_COUNT_OFFER_BAD]++;
		return;
	}
	link->unanswered = 0;
	if (theirs.verdict != OFFER_BUSY)
		link->busy = 0;
	if (theirs.verdict != OFFER_ACCEPTED) {
		take_refusal(site, link, out, theirs.verdict);
		return;
	}
	hash = offer_hash(came->bytes, came->size);
	if (link_keys_derive(&link->keys, &link->pair, true, &site->pairs[SITE_LINKS].secret,
		    &theirs.ephemeral, &other.links, &link->offered, &hash) < 0)
		return;
	key_wipe(&link->pair.private_key);
	make_way(site, link, out);
	site_link_add_peer(site, link, out);
	link->initiates = !theirs.initiates;
	/* That it agrees does not say that it would keep it. */
	link->invited = false;
	begin_meeting(site, link, out, member, &theirs, site->now - link->offered_at);
}

static void receive_letter(struct site *site, const struct link_letter *came,
	struct site_actions *out, const struct row_id *from)
{
	const struct member *member = ledger_find(&site->ledger, from);

	if (!member || !member->in_force || memcmp(from, &site->id, ROW_ID_SIZE) == 0)
		return;
	budget_refill(&site->offer_budget, site->now, OFFERS_PER_SECOND, OFFERS_BURST);
	if (!budget_spend(&site->offer_budget)) {
		site->counters[SITE_COUNT_OFFER_OVER]++;
		return;
	}
	if (envelope_type(came->bytes, came->size) == ENVELOPE_OFFER)
		receive_offer(site, came, out, member);
	else
		receive_answer(site, came, out, member);
}

bool site_link_datagram(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	struct link_letter came = {.bytes = event->datagram.bytes, .size = event->datagram.size};
	struct row_id from = *sender;

	switch (envelope_type(event->datagram.bytes, event->datagram.size)) {
	case ENVELOPE_PATH:
		site_link_take_word(site, event, out, sender);
		return true;
	case ENVELOPE_OFFER:
	case ENVELOPE_ANSWER:
		break;
	case ENVELOPE_PASS:
	case ENVELOPE_PASSED:
		if (site_room(out) < SITE_ACTIONS_MAX / 2 || site->state != SITE_MEMBER ||
			!site_link_enclosed(site, event, out, sender, &from, &came))
			return true;
		break;
	default:
		return false;
	}
	if (site->state == SITE_MEMBER && site_room(out) >= SITE_ACTIONS_MAX / 2)
		receive_letter(site, &came, out, &from);
	return true;
}

/* Outside. */

/* What the router has seen of it, once it is over. */
static void note_ports(struct site *site, const struct meeting *meeting)
{
	struct endpoint places[MEETING_PLACES_MAX];
	uint32_t number = MEETING_PLACES_MAX;
	uint32_t count = 0;

	for (uint32_t i = 0; i < meeting->count; i++) {
		const struct meeting_place *place = &meeting->places[i];

		if (place->sent == 0 || place->endpoint.address.family != ADDRESS_IPV4 ||
			!candidate_is_public(&place->endpoint.address))
			continue;
		if (meeting->state == MEETING_VERIFIED && i == meeting->best)
			number = count;
		places[count++] = place->endpoint;
	}
	behaviour_used(&site->behaviour, site->now, places, count, number,
		meeting->has_seen ? &meeting->seen : NULL);
}

static void note_trial(struct site_link *link)
{
	const struct meeting *meeting = &link->meeting;

	link->trial.heard = meeting->heard;
	for (uint32_t i = 0; i < meeting->count; i++) {
		/* Those that were not offered stand behind those that were. */
		if (meeting->places[i].heard && i >= link->trial.places)
			link->trial.remapped = true;
	}
}

/* Only one end begins WireGuard's handshake: where both do, neither has a session. */
static void find_way(struct site *site, struct site_link *link, struct site_actions *out,
	const struct meeting_action *action)
{
	link->found = action->endpoint;
	link->trial.rtt_us = action->rtt_us;
	if (link->stage == LINK_MEETS) {
		site_link_turn(site, link, LINK_CALLS, LINK_CALLING);
		link->until = site->now + CALL_WITHIN;
	}
	if (link->initiates)
		site_link_call(site, link, out);
}

void site_link_meet(struct site *site, struct site_link *link, struct site_actions *out,
	const struct meeting_actions *actions)
{
	note_trial(link);
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct meeting_action *action = &actions->items[i];
		struct site_action *send;

		switch (action->kind) {
		case MEETING_SEND:
			if (site_room(out) == 0)
				break;
			send = site_emit(out, SITE_SEND_OUTSIDE);
			send->interface = SITE_LINKS;
			send->outside.to = action->endpoint;
			send->outside.ttl = action->ttl;
			send->outside.size = action->size;
			memcpy(send->outside.bytes, action->bytes, action->size);
			break;
		case MEETING_FOUND:
			note_ports(site, &link->meeting);
			if (link->stage == LINK_MEETS || link->stage == LINK_CALLS)
				find_way(site, link, out, action);
			break;
		case MEETING_BETTER:
			if (link->stage == LINK_MEETS || link->stage == LINK_CALLS)
				find_way(site, link, out, action);
			break;
		case MEETING_LOST:
			note_ports(site, &link->meeting);
			if (link->stage == LINK_MEETS)
				site_link_fail(site, link, out, LINK_NOT_MET);
			break;
		}
	}
}

bool site_link_outside(struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct seal_id id;

	if (!seal_peek(event->outside.bytes, event->outside.size, &id))
		return true;
	for (uint32_t i = 0; i < site->links.count; i++) {
		struct site_link *link = table_at(&site->links, i);
		struct meeting_actions actions;

		if (site->now >= link->listen_until || event->outside.interface != SITE_LINKS ||
			memcmp(&link->meeting.seal.id, &id, sizeof id) != 0)
			continue;
		if (site_room(out) >= SITE_ACTIONS_MAX / 2 &&
			meeting_receive(&link->meeting, site->now, &event->outside.from,
				event->outside.bytes, event->outside.size, &actions) == 0)
			site_link_meet(site, link, out, &actions);
		return true;
	}
	return false;
}

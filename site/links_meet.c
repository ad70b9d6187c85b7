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
#define OFFERS_PER_SECOND 20
#define OFFERS_BURST 60
#define ATTEMPT_EVERY (15 * USEC_SECOND)
#define ATTEMPTS_MAX UINT8_MAX

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
	if (count == 0 && site->reflector.seen.address.family != ADDRESS_NONE &&
		site->now - site->reflector.seen_at <= BEHAVIOUR_KEPT_FOR)
		add_place(site, places, CANDIDATE_HUB, &site->reflector.seen);
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
}

bool site_link_knows_places(const struct site *site)
{
	struct candidates places;

	site_link_places(site, &places);
	/* The home's own addresses are of use to nobody who does not know that he is there. */
	return places.count > 0 && places.items[places.count - 1].kind != CANDIDATE_LAN;
}

static bool has_fresh_receipt(const struct site *site)
{
	return site->reflector.has_receipt &&
	       receipt_is_fresh(&site->reflector.receipt, site_wall(site));
}

static struct nat_class own_class(const struct site *site)
{
	const struct behaviour_class *seen = &site->behaviour.class;
	enum behaviour_scope mapping = seen->mapping;

	/* A router that goes by the address, and not by the port, is a rare one. */
	if (mapping == BEHAVIOUR_UNKNOWN && behaviour_facts(&site->behaviour).is_one_port)
		mapping = BEHAVIOUR_INDEPENDENT;
	return (struct nat_class){.mapping = (uint8_t)mapping,
		.filtering = (uint8_t)seen->filtering,
		.allocation = (uint8_t)seen->allocation};
}

static bool clock_is_off(const struct site *site)
{
	return site->clock_is_off || !site_clock_trusted(site);
}

/* What we say of ourselves, in an offer or in an answer. */
static void describe(const struct site *site, struct site_link *link, struct offer *ret)
{
	struct candidates places;
	uint64_t clock = site_wall(site);

	site_link_places(site, &places);
	link->seen_as = site->reflector.seen;
	link->our_clock = clock > link->our_clock ? clock : link->our_clock + 1;
	*ret = (struct offer){
		.clock = link->our_clock, .nat = own_class(site), .clock_off = clock_is_off(site)};
	ret->attempt = (uint8_t)(link->quiet.failures < ATTEMPTS_MAX ? link->quiet.failures
								     : ATTEMPTS_MAX);
	for (uint32_t i = 0; i < places.count; i++)
		ret->candidates[ret->candidate_count++] = (struct offer_candidate){
			(uint8_t)places.items[i].kind, places.items[i].endpoint};
	if (has_fresh_receipt(site))
		ret->receipts[ret->receipt_count++] = site->reflector.receipt;
}

/* Writing. */

static struct offer_ends ends_of(const struct site *site, const struct certificate *other)
{
	return (struct offer_ends){.collective = &site->ledger.collective,
		.crypto = site->options.crypto,
		.own = &site->identity,
		.own_links = &site_link_pair(site)->secret,
		.other_site = other ? &other->site : NULL,
		.other_links = other ? &other->links : NULL};
}

/* What is on its way to the other end, as it was written. */
static void send_again(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	struct certificate other;

	ledger_certificate(&site->ledger, member, &other);
	link->sent_times++;
	site_send(out, &site->collective.address, &other.address, SITE_PORT, link->sent,
		link->sent_size);
}

static usec_t hub_rtt(const struct site *site, const struct site_link *link)
{
	int64_t rtt = -1;

	if (link->has_path)
		rtt = path_measured(&link->path, PATH_HUB).rtt_us;
	if (rtt < 0 && site->reflector.seen_at > 0)
		rtt = 2 * site->reflector.rtt_us;
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
	link->trial = (struct link_trial){.at = site->now,
		.offered = true,
		.attempt = offer.attempt,
		.ours = offer.nat,
		.rtt_us = -1};
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

		/* Of who sees others, only hubs are believed. */
		if (!reflector || !reflector->in_force || !reflector->hub ||
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
	if (has_fresh_receipt(site))
		ours.receipts[ours.receipt_count++] = site->reflector.receipt.seen;
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

static bool is_elusive(const struct site *site)
{
	const struct behaviour_class *seen = &site->behaviour.class;

	return seen->mapping > BEHAVIOUR_INDEPENDENT &&
	       seen->allocation != BEHAVIOUR_PORTS_SEQUENTIAL;
}

static void begin_meeting(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member, const struct offer *theirs, usec_t rtt)
{
	struct meeting_options options = {.offerer = link->offerer,
		.attempt = link->offerer ? link->trial.attempt : theirs->attempt,
		.hub_rtt = rtt,
		.elusive = is_elusive(site),
		.probe = link->keys.probe};
	struct meeting_actions actions;

	choose_places(site, link, member, theirs, &options);
	meeting_end(&link->meeting);
	meeting_begin(&link->meeting, site->now, &options);
	key_wipe(&options.probe);
	link->listen_until = site->now + LISTEN_FOR;
	seal_wipe(&link->words);
	seal_init(&link->words, "collective path", &link->keys.path, link->offerer);
	link->trial.theirs = theirs->nat;
	link->has_path = false;
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

/* An answer that says no. Who is refused learns nothing of where we are. */
static void refuse(struct site *site, struct site_actions *out, const struct member *member,
	const struct offer *theirs, const struct hash *hash, enum offer_verdict verdict)
{
	const struct offer answer = {
		.is_answer = true, .clock = site_wall(site), .offer = *hash, .verdict = verdict};
	uint8_t bytes[OFFER_SIZE_MAX];
	struct offer_pair pair;
	struct certificate other;
	struct offer_ends ends;
	int size;

	ledger_certificate(&site->ledger, member, &other);
	ends = ends_of(site, &other);
	offer_pair_draw(&pair, &site->prng);
	size = offer_write(&answer, &ends, &pair, theirs, bytes);
	key_wipe(&pair.private_key);
	if (size > 0)
		site_send(out, &site->collective.address, &other.address, SITE_PORT, bytes,
			(size_t)size);
}

static void accept_offer(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	struct offer_pair pair;
	struct certificate other;
	struct offer_ends ends;
	struct offer answer;
	struct hash hash;
	int size;

	ledger_certificate(&site->ledger, member, &other);
	ends = ends_of(site, &other);
	offer_pair_draw(&pair, &site->prng);
	describe(site, link, &answer);
	answer.is_answer = true;
	answer.offer = link->theirs_hash;
	answer.initiates = link->theirs.clock_off && !clock_is_off(site);
	size = offer_write(&answer, &ends, &pair, &link->theirs, link->sent);
	hash = offer_hash(link->sent, (size_t)(size > 0 ? size : 0));
	if (size > 0 &&
		link_keys_derive(&link->keys, &pair, false, &site_link_pair(site)->secret,
			&link->theirs.ephemeral, &other.links, &link->theirs_hash, &hash) == 0) {
		link->sent_size = (uint16_t)size;
		link->sent_times = 0;
		make_way(site, link, out);
		site_link_add_peer(site, link, out);
		link->offerer = false;
		link->initiates = answer.initiates;
		link->invited = true;
		link->released = false;
		link->trial = (struct link_trial){.at = site->now,
			.attempt = link->theirs.attempt,
			.ours = answer.nat,
			.rtt_us = -1};
		send_again(site, link, out, member);
		begin_meeting(site, link, out, member, &link->theirs, hub_rtt(site, link));
	}
	key_wipe(&pair.private_key);
}

void site_link_answer(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);

	if (site_link_knows_places(site)) {
		accept_offer(site, link, out, member);
		return;
	}
	refuse(site, out, member, &link->theirs, &link->theirs_hash, OFFER_UNREADY);
	site_link_turn(site, link, LINK_RESTS, LINK_UNSEEN);
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

/* What we say to an offer. A number that is no verdict: nothing. */
static enum offer_verdict judge(struct site *site, struct site_link *link,
	const struct member *member, const struct offer *theirs)
{
	uint64_t wall = site_wall(site);

	if (theirs->clock + CLOCK_STALE_MS < wall || theirs->clock > wall + CLOCK_STALE_MS)
		return OFFER_STALE;
	if (theirs->clock <= link->their_clock)
		return OFFER_VERDICTS; /* it came before */
	link->their_clock = theirs->clock;
	if (site_link_objection(site, member) != LINK_NEW)
		return OFFER_POLICY;
	if (site_links_rotate(site) || link->stage == LINK_LEAVES)
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
static bool is_known(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct member *member)
{
	struct hash hash = offer_hash(event->datagram.bytes, event->datagram.size);
	struct site_link *link = site_link_of(site, &member->id);

	if (!link || !hash_equal(&hash, &link->theirs_hash))
		return false;
	if ((link->stage == LINK_MEETS || link->stage == LINK_CALLS) && !link->offerer &&
		link->sent_times < OFFER_TIMES)
		send_again(site, link, out, member);
	return true;
}

static void receive_offer(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct member *member)
{
	struct offer_ends ends = ends_of(site, NULL);
	struct certificate other;
	enum offer_verdict verdict;
	struct site_link *link;
	struct offer theirs;
	struct hash hash;

	if (is_known(site, event, out, member))
		return;
	ledger_certificate(&site->ledger, member, &other);
	if (offer_read(&theirs, &ends, NULL, event->datagram.bytes, event->datagram.size) < 0 ||
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
	hash = offer_hash(event->datagram.bytes, event->datagram.size);
	if (verdict != OFFER_ACCEPTED) {
		refuse(site, out, member, &theirs, &hash, verdict);
		return;
	}
	link->theirs = theirs;
	link->theirs_hash = hash;
	/* It has lost what there was; nothing of ours may go there any more. */
	site_link_route(site, link, out, false);
	/* Something changed there. Else both count what failed, and rest as long. */
	if (theirs.attempt == 0)
		quiet_reset(&link->quiet);
	site_link_turn(site, link, LINK_ANSWERS, LINK_MEETING);
	link->until = site->now + ANSWERS_WITHIN;
	site_reflect_want(site, site->now + LISTEN_FOR);
	if (site_reflect_is_fresh(site))
		site_link_answer(site, link, out);
	else
		site_reflect_now(site);
}

static void take_refusal(struct site *site, struct site_link *link, enum offer_verdict verdict)
{
	static const usec_t pauses[OFFER_VERDICTS] = {
		[OFFER_POLICY] = 10 * USEC_MINUTE,
		[OFFER_QUIET] = QUIET_AT_LEAST,
		[OFFER_BUSY] = 15 * USEC_SECOND,
		[OFFER_CROSSED] = 2 * USEC_SECOND,
		[OFFER_STALE] = USEC_MINUTE,
		[OFFER_UNREADY] = 2 * USEC_SECOND,
	};

	link->trial.verdict = verdict;
	link->next_at = site->now + pauses[verdict];
	site_link_turn(site, link, LINK_RESTS, LINK_REFUSED);
}

static void receive_answer(struct site *site, const struct site_event *event,
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
	if (offer_read(&theirs, &ends, &link->pair, event->datagram.bytes, event->datagram.size) <
			0 ||
		!hash_equal(&theirs.offer, &link->offered)) {
		site->counters[SITE_COUNT_OFFER_BAD]++;
		return;
	}
	link->unanswered = 0;
	if (theirs.verdict != OFFER_ACCEPTED) {
		take_refusal(site, link, theirs.verdict);
		return;
	}
	hash = offer_hash(event->datagram.bytes, event->datagram.size);
	if (link_keys_derive(&link->keys, &link->pair, true, &site_link_pair(site)->secret,
		    &theirs.ephemeral, &other.links, &link->offered, &hash) < 0)
		return;
	make_way(site, link, out);
	site_link_add_peer(site, link, out);
	link->initiates = !theirs.initiates;
	/* That it agrees does not say that it would keep it. */
	link->invited = false;
	begin_meeting(site, link, out, member, &theirs, site->now - link->offered_at);
}

bool site_link_datagram(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	unsigned type = envelope_type(event->datagram.bytes, event->datagram.size);
	const struct member *member = ledger_find(&site->ledger, sender);

	if (type == ENVELOPE_PATH) {
		site_link_take_word(site, event, out, sender);
		return true;
	}
	if (type != ENVELOPE_OFFER && type != ENVELOPE_ANSWER)
		return false;
	if (!member || !member->in_force || site->state != SITE_MEMBER ||
		site_room(out) < SITE_ACTIONS_MAX / 2)
		return true;
	budget_refill(&site->offer_budget, site->now, OFFERS_PER_SECOND, OFFERS_BURST);
	if (!budget_spend(&site->offer_budget)) {
		site->counters[SITE_COUNT_OFFER_OVER]++;
		return true;
	}
	if (type == ENVELOPE_OFFER)
		receive_offer(site, event, out, member);
	else
		receive_answer(site, event, out, member);
	return true;
}

/* Outside. */

static void note_trial(struct site_link *link)
{
	const struct meeting *meeting = &link->meeting;

	link->trial.heard = meeting->heard;
	link->trial.sent = 0;
	for (uint32_t i = 0; i < meeting->count; i++) {
		link->trial.sent += meeting->places[i].sent;
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
		case MEETING_BETTER:
			if (link->stage == LINK_MEETS || link->stage == LINK_CALLS)
				find_way(site, link, out, action);
			break;
		case MEETING_LOST:
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

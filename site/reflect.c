/* SPDX-License-Identifier: MIT */
/*
 * reflect.c - from where others see us: asked of the hub and of one other, and told as one who is
 * asked.
 *
 * The question leaves from the port that links will use, so what is seen is what a link will have.
 * A session is opened inside the tunnel and lasts an hour; a hub whose agent has begun again knows
 * it no more, is silent, and gets another one.
 */
#include <string.h>

#include "gossip/reflection.h"
#include "site/links_internal.h"

#define LABEL "collective reflection"
#define FIRST_AFTER (100 * USEC_MSEC) /* the word that opens is on its way */
#define AGAIN_FIRST (250 * USEC_MSEC) /* and twice as long each time, until */
#define AGAIN_AFTER USEC_SECOND
#define OTHERS_AGAIN_AFTER FRESH_FOR
#define HUB_TRIES_MAX 2  /* and somebody else is asked, too */
#define HUB_TRIES_SURE 5 /* on bad lines much is lost */
#define OTHERS_TRIES_MAX 3
#define SILENT_EVERY (10 * USEC_MINUTE) /* one who may be silent is asked, in the long run */
#define SILENT_BURST 3
#define FRESH_FOR (20 * USEC_SECOND)    /* below what routers forget in, with time for an answer */
#define MAPPED_WITHIN (500 * USEC_MSEC) /* a router at home answers sooner */
#define OTHER_WITHIN (300 * USEC_MSEC)
#define SILENCES_MAX 3
#define SILENCES_AT_FIRST 1
#define NETCHECK_WITHIN (5 * USEC_SECOND)
#define ANSWERS_PER_SECOND 100
#define ANSWERS_BURST 200

/* As one who is asked. */

/* The hub for everybody. Another one for those who may have a link with it: they know where it is,
 * or were told by its record. */
static bool reflects_for(const struct site *site, const struct member *member)
{
	return site->state == SITE_MEMBER && member && member->in_force &&
	       (site->hub_role || site_link_objection(site, member) == LINK_NEW);
}

/* A place for a session: a free one, or that of the one which ends first. */
static struct site_session *place_for(struct site *site, const struct seal_id *id)
{
	struct site_session *session = table_find(&site->sessions, id->bytes);
	uint32_t oldest = 0;

	if (!session && site->sessions.count == site->sessions.capacity) {
		for (uint32_t i = 1; i < site->sessions.count; i++) {
			const struct site_session *one = table_at(&site->sessions, i);
			const struct site_session *other = table_at(&site->sessions, oldest);

			if (one->until < other->until)
				oldest = i;
		}
		table_remove(&site->sessions, oldest);
	}
	return session ? session : table_add(&site->sessions, id->bytes);
}

/* A member has one at a time. */
static void drop_sessions_of(struct site *site, const struct row_id *member)
{
	for (uint32_t i = site->sessions.count; i > 0; i--) {
		const struct site_session *session = table_at(&site->sessions, i - 1);

		if (memcmp(&session->member, member, ROW_ID_SIZE) == 0)
			table_remove(&site->sessions, i - 1);
	}
}

bool site_reflect_datagram(
	struct site *site, const struct site_event *event, const struct row_id *sender)
{
	const struct key *own = &site->pairs[SITE_LINKS].secret;
	const struct member *member = ledger_find(&site->ledger, sender);
	struct certificate certificate;
	struct site_session *session;
	struct key ephemeral;
	struct key secret;
	struct seal seal;

	if (envelope_type(event->datagram.bytes, event->datagram.size) != ENVELOPE_REFLECTION)
		return false;
	if (!reflects_for(site, member) ||
		reflection_open_read(&ephemeral, &site->ledger.collective, event->datagram.bytes,
			event->datagram.size) < 0)
		return true;
	ledger_certificate(&site->ledger, member, &certificate);
	if (reflection_secret(&secret, &site->ledger.collective, false, own, own, &ephemeral,
		    &certificate.links) < 0)
		return true;
	seal_init(&seal, LABEL, &secret, false);
	drop_sessions_of(site, sender);
	session = place_for(site, &seal.id);
	if (session) {
		session->seal = seal;
		session->member = *sender;
		session->until = site->now + REFLECTION_LASTS;
	}
	seal_wipe(&seal);
	key_wipe(&secret);
	return true;
}

static void send_outside(struct site_actions *out, enum site_interface interface, struct seal *seal,
	const struct endpoint *to, const uint8_t body[static REFLECTION_BODY])
{
	struct site_action *action = site_emit(out, SITE_SEND_OUTSIDE);

	action->interface = interface;
	action->outside.to = *to;
	action->outside.size = (uint16_t)seal_write(
		seal, body, REFLECTION_BODY, action->outside.bytes);
}

static void answer(struct site *site, const struct site_event *event, struct site_actions *out,
	struct site_session *session, const struct reflection_question *question)
{
	const struct member *member = ledger_find(&site->ledger, &session->member);
	enum site_interface other = event->outside.interface == SITE_LINKS ? SITE_BACKBONE
									   : SITE_LINKS;
	struct reflection_answer said = {.number = question->number,
		.seen = event->outside.from,
		.other_port = site->hub_role ? site->ground.ports[other] : 0,
		.time = site_wall(site)};
	struct receipt receipt = {
		.reflector = site->site_hash, .seen = event->outside.from, .time = site_wall(site)};
	uint8_t body[REFLECTION_BODY];

	/* Who was expelled since has nothing more to ask. */
	if (!member || !member->in_force || site_room(out) == 0)
		return;
	if (question->receipt) {
		receipt_sign(&receipt, &member->site, &site->identity, &site->ledger.collective,
			site->options.crypto);
		memcpy(said.signature, receipt.signature, sizeof said.signature);
		said.signed_too = true;
	}
	reflection_answer_write(&said, body);
	send_outside(out, event->outside.interface, &session->seal, &event->outside.from, body);
}

/* As one who asks. */

static bool is_the_hub(const struct site *site, const struct site_reflector *reflector)
{
	return reflector == &site->reflectors[SITE_REFLECTOR_HUB];
}

static void ask_vantage(struct site_actions *out, struct site_reflector *reflector,
	uint32_t position, const struct endpoint *to, usec_t now)
{
	struct site_vantage *vantage = &reflector->vantages[position];
	struct reflection_question question = {.receipt = position == 0};
	uint8_t body[REFLECTION_BODY];

	question.number = ++reflector->number;
	*vantage = (struct site_vantage){.number = question.number, .asked_at = now};
	reflection_question_write(&question, body);
	send_outside(out, SITE_LINKS, &reflector->seal, to, body);
}

/* Another port of the same machine shows what the router makes of ports. */
static void ask_other_port(struct site *site, struct site_actions *out,
	struct site_reflector *reflector, const struct endpoint *first)
{
	const struct endpoint other = {first->address, reflector->other_port};

	if (other.port != 0 && other.port != first->port && site_room(out) > 0)
		ask_vantage(out, reflector, 1, &other, site->now);
}

static void observe(struct site *site, const struct endpoint *from, const struct endpoint *seen)
{
	bool changed = false;

	if (behaviour_observe(&site->behaviour, site->now, site->ground.ports[SITE_LINKS], from,
		    seen, &changed) == 0 &&
		changed)
		site_links_reset(site);
}

static bool seems_silent(const struct site *site, uint32_t tries)
{
	return site_hub_is_silent(site) || site->reflectors[SITE_REFLECTOR_HUB].tries > tries;
}

/*
 * A member that says something else than the hub lies, or stands where the way to it leads through
 * another router: neither helps anybody to meet this site, and a lie would have others call a
 * stranger. The hub's word counts for as long as it has one.
 */
static bool is_contradicted(const struct site *site, const struct site_reflector *reflector,
	const struct reflection_answer *said)
{
	const struct site_reflector *hub = &site->reflectors[SITE_REFLECTOR_HUB];

	return !is_the_hub(site, reflector) && hub->seen.address.family != ADDRESS_NONE &&
	       !seems_silent(site, HUB_TRIES_MAX) &&
	       !address_equal(&hub->seen.address, &said->seen.address);
}

static void take_answer(struct site *site, struct site_actions *out,
	struct site_reflector *reflector, const struct endpoint *from,
	const struct reflection_answer *said)
{
	struct site_vantage *vantage =
		&reflector->vantages[said->number == reflector->vantages[1].number];

	if (said->number != vantage->number || vantage->answered)
		return;
	vantage->answered = true;
	reflector->heard = true;
	if (is_contradicted(site, reflector, said)) {
		reflector->silences = 0;
		reflector->next_at = site->now + OTHERS_AGAIN_AFTER;
		return;
	}
	observe(site, from, &said->seen);
	if (vantage != reflector->vantages)
		return;
	reflector->silences = 0;
	reflector->tries = 0;
	reflector->seen = said->seen;
	reflector->seen_at = site->now;
	reflector->rtt_us = site->now - vantage->asked_at;
	reflector->has_receipt = said->signed_too;
	reflector->receipt = (struct receipt){
		.reflector = reflector->site, .seen = said->seen, .time = said->time};
	memcpy(reflector->receipt.signature, said->signature, sizeof said->signature);
	reflector->next_at = site->now + FRESH_FOR;
	if (said->other_port != reflector->other_port) {
		reflector->other_port = said->other_port;
		ask_other_port(site, out, reflector, from);
	}
}

/* Returns false where it answers nothing that was asked of anybody. */
static bool receive_answer(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct seal_id *id)
{
	for (uint32_t i = 0; i < SITE_REFLECTORS; i++) {
		struct site_reflector *reflector = &site->reflectors[i];
		struct reflection_answer said;
		uint8_t body[SEAL_BODY_MAX];
		int size;

		if (!reflector->open || memcmp(id, &reflector->seal.id, sizeof *id) != 0)
			continue;
		size = seal_read(&reflector->seal, event->outside.bytes, event->outside.size, body);
		if (size > 0 && reflection_answer_read(&said, body, (size_t)size) == 0)
			take_answer(site, out, reflector, &event->outside.from, &said);
		return true;
	}
	return false;
}

void site_reflect_outside(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct reflection_question question;
	struct site_session *session;
	uint8_t body[SEAL_BODY_MAX];
	struct seal_id id;
	int size;

	if (!seal_peek(event->outside.bytes, event->outside.size, &id) ||
		receive_answer(site, event, out, &id))
		return;
	session = table_find(&site->sessions, id.bytes);
	if (!session || session->until <= site->now)
		return;
	size = seal_read(&session->seal, event->outside.bytes, event->outside.size, body);
	if (size < 0 || reflection_question_read(&question, body, (size_t)size) < 0)
		return;
	/* What anybody could have sent costs nobody an answer. */
	budget_refill(&site->reflect_budget, site->now, ANSWERS_PER_SECOND, ANSWERS_BURST);
	if (!site_may_cost(site, SITE_COST_QUESTION, &session->member))
		return;
	if (budget_spend(&site->reflect_budget))
		answer(site, event, out, session, &question);
	else
		site->counters[SITE_COUNT_REFLECT_OVER]++;
}

/* Whom to ask. */

bool site_hub_seems_silent(const struct site *site)
{
	return seems_silent(site, HUB_TRIES_SURE);
}

/* A member says there what it likes: what is inside, or at anybody's home, is not called for it. */
static bool may_be_called(const struct site *site, const struct endpoint *endpoint)
{
	struct candidate_barrier barriers[SITE_BARRIERS_MAX];

	return endpoint->address.family == ADDRESS_IPV4 && endpoint->port != 0 &&
	       candidate_is_public(&endpoint->address) &&
	       site_link_barriers(site, &endpoint->address, barriers) == 0;
}

/* Where a member that is no hub may be asked. Who is asked learns where this site is, so it is
 * somebody who would be told that anyway. */
static bool is_askable(const struct site *site, const struct member *member, struct endpoint *ret)
{
	struct record record;

	if (member->hub || site_link_objection(site, member) != LINK_NEW)
		return false;
	if (seems_silent(site, HUB_TRIES_MAX) && site_link_place(site, &member->id, ret))
		return true;
	if (!ledger_record(&site->ledger, member, &record))
		return false;
	for (uint32_t i = 0; i < record.endpoint_count; i++) {
		*ret = record.endpoints[i];
		if (may_be_called(site, ret))
			return true;
	}
	return false;
}

/* The next one behind the one that was silent; the same where there is no other. */
static void choose_other(struct site *site)
{
	struct site_reflector *other = &site->reflectors[SITE_REFLECTOR_OTHER];
	uint32_t count = site->ledger.members.count;

	for (uint32_t i = 0; i < count; i++) {
		const struct member *member = table_at(
			&site->ledger.members, (site->reflect_turn + i) % count);

		if (!is_askable(site, member, &other->endpoint))
			continue;
		site->reflect_turn = (site->reflect_turn + i) % count + 1;
		other->tries = 0;
		other->chosen = true;
		other->member = member->id;
		return;
	}
}

/*
 * What a member says of its place may be a stranger's, who then is asked in vain by everybody. So
 * not many are in a row, and from then on seldom. What is said in between does not count: two of
 * them could take turns.
 */
static void pass_over(struct site *site, struct site_reflector *other)
{
	const usec_t least = site->now - (SILENT_BURST - 1) * SILENT_EVERY;

	other->chosen = false;
	if (site->others_from < least)
		site->others_from = least;
	site->others_from += SILENT_EVERY;
}

/* Where this one is to be asked now. NULL: there is nobody. */
static const struct member *find_reflector(
	const struct site *site, struct site_reflector *reflector)
{
	const struct site_peer *peer = site_peer_of(site, &site->hub);
	const struct member *member;

	if (is_the_hub(site, reflector)) {
		if (!peer || !peer->has_endpoint)
			return NULL;
		reflector->member = site->hub;
		reflector->endpoint = peer->endpoint;
		return ledger_find(&site->ledger, &site->hub);
	}
	member = reflector->chosen ? ledger_find(&site->ledger, &reflector->member) : NULL;
	return member && is_askable(site, member, &reflector->endpoint) ? member : NULL;
}

/* Whom to ask beside the hub. */
static void settle_other(struct site *site, struct site_reflector *other)
{
	bool asked = other->chosen && other->tries > 0;

	if (asked && (other->tries > OTHERS_TRIES_MAX || !find_reflector(site, other)))
		pass_over(site, other);
	if (!find_reflector(site, other) && site->now >= site->others_from)
		choose_other(site);
}

static void open_session(struct site *site, struct site_actions *out,
	struct site_reflector *reflector, const struct member *member)
{
	uint8_t bytes[REFLECTION_OPEN_MAX];
	struct certificate certificate;
	struct offer_pair pair;
	struct key secret;
	size_t size;

	ledger_certificate(&site->ledger, member, &certificate);
	offer_pair_draw(&pair, &site->prng);
	reflector->next_at = site->now + FIRST_AFTER;
	reflector->open = false;
	if (reflection_secret(&secret, &site->ledger.collective, true, &pair.private_key,
		    &site->pairs[SITE_LINKS].secret, &pair.public_key, &certificate.links) == 0) {
		seal_init(&reflector->seal, LABEL, &secret, true);
		size = reflection_open_write(
			&pair, &site->ledger.collective, site_wall(site), bytes);
		site_send_member(site, out, &member->id, &certificate.address, bytes, size);
		reflector->open = true;
		reflector->opened_at = site->now;
		reflector->links = certificate.links;
		reflector->site = member->site;
		reflector->silences = 0;
		reflector->heard = false;
		/* Nothing was asked yet. */
		reflector->vantages[0] = (struct site_vantage){.answered = true};
		reflector->vantages[1] = (struct site_vantage){.answered = true};
	}
	key_wipe(&secret);
	key_wipe(&pair.private_key);
}

static void ask(struct site *site, struct site_actions *out, struct site_reflector *reflector)
{
	const struct endpoint to = reflector->endpoint;
	usec_t most = is_the_hub(site, reflector) ? AGAIN_AFTER : OTHERS_AGAIN_AFTER;

	if (!reflector->vantages[0].answered)
		reflector->silences++;
	reflector->next_at = site->now +
			     usec_min(AGAIN_FIRST << usec_min(reflector->tries++, 6), most);
	/* It says nothing: somebody else may. */
	if (is_the_hub(site, reflector) && reflector->tries == HUB_TRIES_MAX + 1)
		site->reflectors[SITE_REFLECTOR_OTHER].next_at = site->now;
	ask_vantage(out, reflector, 0, &to, site->now);
	ask_other_port(site, out, reflector, &to);
}

/* Whether the session is one that the other end may still know, and under the keys of now. */
static bool is_usable(const struct site *site, const struct site_reflector *reflector,
	const struct member *member)
{
	struct certificate certificate;

	ledger_certificate(&site->ledger, member, &certificate);
	/* What opens it may have been lost, too. */
	return reflector->open && hash_equal(&reflector->site, &member->site) &&
	       reflector->silences + !reflector->vantages[0].answered <
		       (reflector->heard ? SILENCES_MAX : SILENCES_AT_FIRST) &&
	       site->now - reflector->opened_at < REFLECTION_LASTS - USEC_MINUTE &&
	       key_equal(&reflector->links, &certificate.links);
}

static bool wants(const struct site *site)
{
	return site->state == SITE_MEMBER && !site->hub_role && !site->down && !site->save_failed &&
	       site->now < site->reflect_until;
}

void site_netcheck(struct site *site, const struct site_command *command, struct site_actions *out)
{
	if (site->state != SITE_MEMBER)
		site_fail(command, out, "this site belongs to no collective");
	else if (site->hub_role)
		site_fail(command, out,
			"this site is the hub: the others ask it, and it asks nobody");
	if (site->state != SITE_MEMBER || site->hub_role)
		return;
	if (site->netcheck_request != 0)
		site_reply(out, site->netcheck_request, SITE_REPLY_FAILED, "asked once more");
	site->netcheck_request = command->request;
	site->netcheck_from = site->now;
	site_reflect_now(site);
	site_reflect_want(site, site->now + NETCHECK_WITHIN);
}

static bool is_fresh(const struct site *site, const struct site_reflector *reflector)
{
	const struct site_vantage *other = &reflector->vantages[1];

	return reflector->seen.address.family != ADDRESS_NONE &&
	       site->now - reflector->seen_at <= BEHAVIOUR_FRESH_FOR &&
	       (reflector->other_port == 0 || other->answered ||
		       site->now - other->asked_at >= OTHER_WITHIN);
}

/* Whoever asked hears what came since, or that nothing did. */
static void step_netcheck(struct site *site, struct site_actions *out)
{
	const struct site_reflector *reflector = &site->reflectors[SITE_REFLECTOR_HUB];
	bool settled = site->ground.mapped.port != 0 ||
		       site->now >= site->netcheck_from + MAPPED_WITHIN;
	struct site_action *action;

	if (site->netcheck_request == 0 || site_room(out) == 0)
		return;
	if (reflector->seen_at >= site->netcheck_from && is_fresh(site, reflector) && settled) {
		site_reply(out, site->netcheck_request, SITE_REPLY_DONE, "");
		action = &out->items[out->count - 1];
		endpoint_print(&reflector->seen, action->reply.text);
		action->reply.rtt_us = reflector->rtt_us;
	} else if (site->now >= site->netcheck_from + NETCHECK_WITHIN) {
		site_reply(out, site->netcheck_request, SITE_REPLY_FAILED,
			"the hub answers nothing outside the tunnel: it is down, or its agent may "
			"not hear there (CAP_NET_RAW)");
	} else {
		return;
	}
	site->netcheck_request = 0;
}

static void step_reflector(
	struct site *site, struct site_actions *out, struct site_reflector *reflector)
{
	const struct member *member;

	if (site->now < reflector->next_at || site_room(out) < 2)
		return;
	if (!is_the_hub(site, reflector))
		settle_other(site, reflector);
	member = find_reflector(site, reflector);
	if (!member) {
		reflector->next_at = site->now + (is_the_hub(site, reflector) ? AGAIN_AFTER
									      : OTHERS_AGAIN_AFTER);
	} else if (!is_usable(site, reflector, member)) {
		open_session(site, out, reflector, member);
	} else {
		ask(site, out, reflector);
	}
}

void site_reflect_step(struct site *site, struct site_actions *out)
{
	step_netcheck(site, out);
	for (uint32_t i = 0; i < SITE_REFLECTORS && wants(site); i++)
		step_reflector(site, out, &site->reflectors[i]);
}

static usec_t next_question(const struct site *site)
{
	usec_t at = site->reflect_until;

	for (uint32_t i = 0; i < SITE_REFLECTORS; i++)
		at = usec_min(at, site->reflectors[i].next_at);
	return at;
}

usec_t site_reflect_wakeup(const struct site *site)
{
	/* Also when it is wanted no more, for whoever listens. */
	usec_t at = wants(site) ? next_question(site) : USEC_NEVER;

	if (site->netcheck_request == 0)
		return at;
	at = usec_min(at, site->netcheck_from + NETCHECK_WITHIN);
	return site->now < site->netcheck_from + MAPPED_WITHIN
		       ? usec_min(at, site->netcheck_from + MAPPED_WITHIN)
		       : at;
}

void site_reflect_want(struct site *site, usec_t until)
{
	if (until > site->reflect_until)
		site->reflect_until = until;
}

void site_reflect_hush(struct site *site)
{
	site->reflect_until = usec_min(site->reflect_until, site->now);
}

/* Nobody was silent so far, however young time is. */
void site_reflect_init(struct site *site)
{
	site->others_from = -SILENT_BURST * SILENT_EVERY;
}

void site_reflect_anew(struct site *site)
{
	site_reflect_init(site);
	site_reflect_now(site);
}

void site_reflect_now(struct site *site)
{
	for (uint32_t i = 0; i < SITE_REFLECTORS; i++) {
		struct site_reflector *reflector = &site->reflectors[i];

		/* What was just asked need not be asked again. */
		if (!reflector->open || reflector->vantages[0].answered ||
			site->now - reflector->vantages[0].asked_at >= AGAIN_AFTER)
			reflector->next_at = usec_min(reflector->next_at, site->now);
	}
}

const struct site_reflector *site_reflect_place(const struct site *site)
{
	const struct site_reflector *hub = &site->reflectors[SITE_REFLECTOR_HUB];
	const struct site_reflector *other = &site->reflectors[SITE_REFLECTOR_OTHER];
	const struct site_reflector *best = hub;

	/* The hub's word counts for as long as it has one. */
	if (other->seen.address.family != ADDRESS_NONE &&
		(hub->seen.address.family == ADDRESS_NONE ||
			(seems_silent(site, HUB_TRIES_MAX) && other->seen_at > hub->seen_at)))
		best = other;
	return best->seen.address.family != ADDRESS_NONE ? best : NULL;
}

bool site_reflect_is_fresh(const struct site *site)
{
	const struct site_reflector *best = site_reflect_place(site);

	return best && is_fresh(site, best);
}

static bool has_sessions(const struct site *site)
{
	for (uint32_t i = 0; i < site->sessions.count; i++) {
		const struct site_session *session = table_at(&site->sessions, i);

		if (session->until > site->now)
			return true;
	}
	return false;
}

bool site_listens_outside(const struct site *site)
{
	return (site->state == SITE_MEMBER && (site->hub_role || has_sessions(site))) ||
	       wants(site) || site_links_listen(site);
}

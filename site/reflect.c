/* SPDX-License-Identifier: MIT */
/*
 * reflect.c - from where others see us: asked of the hub, and told as one who is asked.
 *
 * The question leaves from the port that links will use, so what is seen is what a link will have.
 * A session is opened inside the tunnel and lasts an hour; a hub whose agent has begun again knows
 * it no more, is silent, and gets another one.
 */
#include <string.h>

#include "gossip/reflection.h"
#include "site/site_internal.h"

#define LABEL "collective reflection"
#define FIRST_AFTER (100 * USEC_MSEC) /* the word that opens is on its way */
#define AGAIN_FIRST (250 * USEC_MSEC) /* and twice as long each time, until */
#define AGAIN_AFTER USEC_SECOND
#define FRESH_FOR (20 * USEC_SECOND)    /* below what routers forget in, with time for an answer */
#define MAPPED_WITHIN (500 * USEC_MSEC) /* a router at home answers sooner */
#define OTHER_WITHIN (300 * USEC_MSEC)
#define SILENCES_MAX 3
#define SILENCES_AT_FIRST 1
#define NETCHECK_WITHIN (5 * USEC_SECOND)
#define ANSWERS_PER_SECOND 100
#define ANSWERS_BURST 200

/* As one who is asked. */

static bool is_reflector(const struct site *site)
{
	return site->state == SITE_MEMBER && site->hub_role;
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
	if (!is_reflector(site) || !member || !member->in_force ||
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
		.other_port = site->ground.ports[other],
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

static void ask_vantage(
	struct site *site, struct site_actions *out, uint32_t position, const struct endpoint *to)
{
	struct site_reflector *reflector = &site->reflector;
	struct site_vantage *vantage = &reflector->vantages[position];
	struct reflection_question question = {.receipt = position == 0};
	uint8_t body[REFLECTION_BODY];

	question.number = ++reflector->number;
	*vantage = (struct site_vantage){.number = question.number, .asked_at = site->now};
	reflection_question_write(&question, body);
	send_outside(out, SITE_LINKS, &reflector->seal, to, body);
}

/* Another port of the same machine shows what the router makes of ports. */
static void ask_other(struct site *site, struct site_actions *out, const struct endpoint *hub)
{
	const struct endpoint other = {hub->address, site->reflector.other_port};

	if (other.port != 0 && other.port != hub->port && site_room(out) > 0)
		ask_vantage(site, out, 1, &other);
}

static void observe(struct site *site, const struct endpoint *from, const struct endpoint *seen)
{
	bool changed = false;

	if (behaviour_observe(&site->behaviour, site->now, site->ground.ports[SITE_LINKS], from,
		    seen, &changed) == 0 &&
		changed)
		site_links_reset(site);
}

static void take_answer(struct site *site, struct site_actions *out, const struct endpoint *from,
	const uint8_t *body, int size)
{
	struct site_reflector *reflector = &site->reflector;
	struct reflection_answer said;
	struct site_vantage *vantage;

	if (reflection_answer_read(&said, body, (size_t)size) < 0)
		return;
	vantage = &reflector->vantages[said.number == reflector->vantages[1].number];
	if (said.number != vantage->number || vantage->answered)
		return;
	vantage->answered = true;
	reflector->heard = true;
	observe(site, from, &said.seen);
	if (vantage != reflector->vantages)
		return;
	reflector->silences = 0;
	reflector->tries = 0;
	reflector->seen = said.seen;
	reflector->seen_at = site->now;
	reflector->rtt_us = site->now - vantage->asked_at;
	reflector->has_receipt = said.signed_too;
	reflector->receipt = (struct receipt){
		.reflector = reflector->site, .seen = said.seen, .time = said.time};
	memcpy(reflector->receipt.signature, said.signature, sizeof said.signature);
	reflector->next_at = site->now + FRESH_FOR;
	if (said.other_port != reflector->other_port) {
		reflector->other_port = said.other_port;
		ask_other(site, out, from);
	}
}

void site_reflect_outside(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct site_reflector *reflector = &site->reflector;
	struct reflection_question question;
	struct site_session *session;
	uint8_t body[SEAL_BODY_MAX];
	struct seal_id id;
	int size;

	if (!seal_peek(event->outside.bytes, event->outside.size, &id))
		return;
	if (reflector->open && memcmp(&id, &reflector->seal.id, sizeof id) == 0) {
		size = seal_read(&reflector->seal, event->outside.bytes, event->outside.size, body);
		if (size > 0)
			take_answer(site, out, &event->outside.from, body, size);
		return;
	}
	session = table_find(&site->sessions, id.bytes);
	if (!session || session->until <= site->now)
		return;
	budget_refill(&site->reflect_budget, site->now, ANSWERS_PER_SECOND, ANSWERS_BURST);
	if (!budget_spend(&site->reflect_budget)) {
		site->counters[SITE_COUNT_REFLECT_OVER]++;
		return;
	}
	size = seal_read(&session->seal, event->outside.bytes, event->outside.size, body);
	if (size > 0 && reflection_question_read(&question, body, (size_t)size) == 0)
		answer(site, event, out, session, &question);
}

static void open_session(struct site *site, struct site_actions *out, const struct member *hub)
{
	struct site_reflector *reflector = &site->reflector;
	uint8_t bytes[REFLECTION_OPEN_MAX];
	struct certificate certificate;
	struct offer_pair pair;
	struct key secret;
	size_t size;

	ledger_certificate(&site->ledger, hub, &certificate);
	offer_pair_draw(&pair, &site->prng);
	reflector->next_at = site->now + FIRST_AFTER;
	reflector->open = false;
	if (reflection_secret(&secret, &site->ledger.collective, true, &pair.private_key,
		    &site->pairs[SITE_LINKS].secret, &pair.public_key, &certificate.links) == 0) {
		seal_init(&reflector->seal, LABEL, &secret, true);
		size = reflection_open_write(
			&pair, &site->ledger.collective, site_wall(site), bytes);
		site_send(out, &site->collective.address, &certificate.address, SITE_PORT, bytes,
			size);
		reflector->open = true;
		reflector->opened_at = site->now;
		reflector->links = certificate.links;
		reflector->site = hub->site;
		reflector->silences = 0;
		reflector->heard = false;
		/* Nothing was asked yet. */
		reflector->vantages[0] = (struct site_vantage){.answered = true};
		reflector->vantages[1] = (struct site_vantage){.answered = true};
	}
	key_wipe(&secret);
	key_wipe(&pair.private_key);
}

static void ask(struct site *site, struct site_actions *out, const struct endpoint *hub)
{
	struct site_reflector *reflector = &site->reflector;

	if (!reflector->vantages[0].answered)
		reflector->silences++;
	reflector->next_at = site->now +
			     usec_min(AGAIN_FIRST << usec_min(reflector->tries++, 4), AGAIN_AFTER);
	ask_vantage(site, out, 0, hub);
	ask_other(site, out, hub);
}

/* Whether the session is one that the hub may still know, and under the keys of now. */
static bool is_usable(const struct site *site, const struct member *hub)
{
	const struct site_reflector *reflector = &site->reflector;
	struct certificate certificate;

	ledger_certificate(&site->ledger, hub, &certificate);
	/* What opens it may have been lost, too. */
	return reflector->open &&
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

/* Whoever asked hears what came since, or that nothing did. */
static void step_netcheck(struct site *site, struct site_actions *out)
{
	const struct site_reflector *reflector = &site->reflector;
	bool settled = site->ground.mapped.port != 0 ||
		       site->now >= site->netcheck_from + MAPPED_WITHIN;
	struct site_action *action;

	if (site->netcheck_request == 0 || site_room(out) == 0)
		return;
	if (reflector->seen_at >= site->netcheck_from && site_reflect_is_fresh(site) && settled) {
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

void site_reflect_step(struct site *site, struct site_actions *out)
{
	const struct site_peer *peer;
	const struct member *hub;

	step_netcheck(site, out);
	if (!wants(site) || site->now < site->reflector.next_at || site_room(out) < 2)
		return;
	hub = ledger_find(&site->ledger, &site->hub);
	peer = site_peer_of(site, &site->hub);
	if (!hub || !peer || !peer->has_endpoint) {
		site->reflector.next_at = site->now + AGAIN_AFTER;
		return;
	}
	if (!is_usable(site, hub))
		open_session(site, out, hub);
	else
		ask(site, out, &peer->endpoint);
}

usec_t site_reflect_wakeup(const struct site *site)
{
	/* Also when it is wanted no more, for whoever listens. */
	usec_t at = wants(site) ? usec_min(site->reflector.next_at, site->reflect_until)
				: USEC_NEVER;

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

void site_reflect_now(struct site *site)
{
	struct site_reflector *reflector = &site->reflector;

	/* What was just asked need not be asked again. */
	if (reflector->open && !reflector->vantages[0].answered &&
		site->now - reflector->vantages[0].asked_at < AGAIN_AFTER)
		return;
	reflector->next_at = usec_min(reflector->next_at, site->now);
}

bool site_reflect_is_fresh(const struct site *site)
{
	const struct site_reflector *reflector = &site->reflector;
	const struct site_vantage *other = &reflector->vantages[1];

	return reflector->seen.address.family != ADDRESS_NONE &&
	       site->now - reflector->seen_at <= BEHAVIOUR_FRESH_FOR &&
	       (reflector->other_port == 0 || other->answered ||
		       site->now - other->asked_at >= OTHER_WITHIN);
}

bool site_listens_outside(const struct site *site)
{
	return is_reflector(site) || wants(site) || site_links_listen(site);
}

/* SPDX-License-Identifier: MIT */
/*
 * probes.c - how far others are, and what the hub hears of them: asked for when somebody wants to
 * know, and never by itself.
 *
 * A probe goes through the tunnel and comes back, wherever the way leads. Of other spokes a spoke
 * hears nothing itself; it asks its hub, and what it shows is the hub's word.
 */
#include <string.h>

#include "gossip/envelope.h"
#include "site/site_internal.h"

#define PROBE_ANSWERED_WITHIN (2 * USEC_SECOND)
#define SURVEY_DONE_WITHIN USEC_SECOND
#define REMEMBERED_FOR (10 * USEC_SECOND)
#define ANSWERS_PER_SECOND 200 /* of all members together */
#define ANSWERS_BURST 400
#define WORDS_IN_ANSWER 48
#define AGE_MAX_S (366 * 24 * 3600)

bool site_may_answer(struct site *site, const struct row_id *member)
{
	if (!site_may_cost(site, SITE_COST_PROBE, member))
		return false;
	budget_refill(&site->probe_budget, site->now, ANSWERS_PER_SECOND, ANSWERS_BURST);
	if (budget_spend(&site->probe_budget))
		return true;
	site->counters[SITE_COUNT_PROBE_OVER]++;
	return false;
}

static void write_number(const struct site *site, struct wire_writer *writer,
	uint8_t out[static ENVELOPE_SIZE_MAX], enum envelope_type type, uint64_t number)
{
	envelope_begin(writer, out, ENVELOPE_SIZE_MAX, type, ENVELOPE_HEAD + 1,
		&site->ledger.collective, site_wall(site));
	wire_write_uint(writer, number);
}

static void send_number(struct site *site, struct site_actions *out, enum envelope_type type,
	const struct address *to, uint64_t number)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	write_number(site, &writer, bytes, type, number);
	site_send(out, &site->collective.address, to, SITE_PORT, bytes, writer.length);
}

/* A place for a probe: a free one, or that of the oldest which nobody waits for. */
static struct site_probe *place_for(struct site *site)
{
	struct site_probe *best = NULL;

	for (uint32_t i = 0; i < SITE_PROBES_MAX; i++) {
		struct site_probe *probe = &site->probes[i];

		if (!probe->used)
			return probe;
		if (!probe->open && (!best || probe->sent_at < best->sent_at))
			best = probe;
	}
	return best;
}

/* Sends a probe to a member. Returns false when there is no place for it. */
static bool send_probe(
	struct site *site, struct site_actions *out, const struct member *member, uint32_t request)
{
	struct site_probe *probe = place_for(site);
	struct certificate certificate;

	if (!probe || site_room(out) < 2)
		return false;
	ledger_certificate(&site->ledger, member, &certificate);
	*probe = (struct site_probe){.used = true,
		.open = true,
		.member = member->id,
		.number = prng_u64(&site->prng),
		.sent_at = site->now,
		.request = request,
		.rtt_us = -1};
	send_number(site, out, ENVELOPE_PROBE, &certificate.address, probe->number);
	return true;
}

void site_ping(struct site *site, const struct site_command *command, struct site_actions *out)
{
	const struct member *member = site->has_collective
					      ? ledger_find_name(&site->ledger, command->name)
					      : NULL;

	if (site->state != SITE_MEMBER || !member || member->left)
		site_fail_unknown(command, out, command->name);
	else if (memcmp(&member->id, &site->id, ROW_ID_SIZE) == 0)
		site_fail(command, out, "this site itself has this name");
	else if (!send_probe(site, out, member, command->request))
		site_fail(command, out, "too many wait for answers already");
}

/* Surveys. */

static void ask_presence(struct site *site, struct site_actions *out, const struct row_id *first)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PRESENCE, ENVELOPE_HEAD + 1,
		&site->ledger.collective, site_wall(site));
	wire_write_bin(&writer, first->bytes, ROW_ID_SIZE);
	site_send(out, &site->collective.address, &site->collective.hub_address, SITE_PORT, bytes,
		writer.length);
}

/* Whether it makes sense to ask how far this one is. */
static bool is_probed(const struct site *site, const struct member *member)
{
	enum site_presence presence = site_presence(site, &member->id);

	return member->in_force && !member->left && presence != SITE_SELF &&
	       presence != SITE_DOWN && !(site->hub_role && presence == SITE_UNKNOWN);
}

void site_survey(struct site *site, const struct site_command *command, struct site_actions *out)
{
	const struct row_id first = {{0}};

	if (site->state != SITE_MEMBER || site->down) {
		site_done(command, out);
		return;
	}
	/* Whoever asked before sees what is known by now. */
	if (site->survey_request != 0)
		site_reply(out, site->survey_request, SITE_REPLY_DONE, "");
	site->survey_request = command->request;
	site->survey_until = site->now + SURVEY_DONE_WITHIN;
	site->survey_words = !site->hub_role;
	if (!site->hub_role)
		ask_presence(site, out, &first);
	for (uint32_t i = 0; i < site->ledger.members.count; i++) {
		const struct member *member = table_at(&site->ledger.members, i);

		if (is_probed(site, member) && !send_probe(site, out, member, 0))
			return;
	}
}

/* Answers. */

static void receive_probe(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;
	struct envelope envelope;
	uint64_t number;

	if (envelope_open(&envelope, ENVELOPE_PROBE, ENVELOPE_HEAD + 1, &site->ledger.collective,
		    event->datagram.bytes, event->datagram.size) < 0)
		return;
	number = wire_read_uint(&envelope.reader, UINT64_MAX);
	if (envelope_end(&envelope) < 0 || site_room(out) == 0)
		return;
	/* The answer goes the way that the probe came: it is that way which is measured. */
	if (event->datagram.interface == SITE_BACKBONE) {
		if (site_may_answer(site, sender))
			send_number(site, out, ENVELOPE_PROBE_ANSWER, &event->datagram.from.address,
				number);
		return;
	}
	/* Each link has a budget of its own: whoever floods one starves no other. */
	if (!site_link_may_answer(site, sender))
		return;
	write_number(site, &writer, bytes, ENVELOPE_PROBE_ANSWER, number);
	site_link_send(site, out, sender, &event->datagram.from.address, bytes, writer.length);
}

static void finish_probe(
	struct site *site, struct site_actions *out, struct site_probe *probe, const char *why)
{
	const struct member *member = ledger_find(&site->ledger, &probe->member);
	struct certificate certificate = {.name = ""};
	struct site_action *action;

	probe->open = false;
	if (probe->request == 0)
		return;
	if (member)
		ledger_certificate(&site->ledger, member, &certificate);
	site_reply(out, probe->request, why ? SITE_REPLY_FAILED : SITE_REPLY_DONE, why ? why : "");
	action = &out->items[out->count - 1];
	memcpy(action->reply.name, certificate.name, sizeof action->reply.name);
	action->reply.rtt_us = probe->rtt_us;
	probe->request = 0;
}

static void receive_probe_answer(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	struct envelope envelope;
	uint64_t number;

	if (envelope_open(&envelope, ENVELOPE_PROBE_ANSWER, ENVELOPE_HEAD + 1,
		    &site->ledger.collective, event->datagram.bytes, event->datagram.size) < 0)
		return;
	number = wire_read_uint(&envelope.reader, UINT64_MAX);
	if (envelope_end(&envelope) < 0)
		return;
	(void)site_link_probed(site, out, sender, event->datagram.interface, number);
	for (uint32_t i = 0; i < SITE_PROBES_MAX; i++) {
		struct site_probe *probe = &site->probes[i];

		if (!probe->open || probe->number != number || site_room(out) < 2 ||
			memcmp(&probe->member, sender, ROW_ID_SIZE) != 0)
			continue;
		probe->rtt_us = site->now - probe->sent_at;
		finish_probe(site, out, probe, NULL);
	}
}

static void receive_presence(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct envelope envelope;
	struct wire_writer writer;
	struct row_id first;
	uint32_t begin;
	uint32_t end;

	if (envelope_open(&envelope, ENVELOPE_PRESENCE, ENVELOPE_HEAD + 1, &site->ledger.collective,
		    event->datagram.bytes, event->datagram.size) < 0)
		return;
	wire_read_exact(&envelope.reader, first.bytes, ROW_ID_SIZE);
	if (envelope_end(&envelope) < 0 || !site->hub_role || !site_may_answer(site, sender) ||
		site_room(out) == 0)
		return;
	begin = table_lower_bound(&site->ledger.members, first.bytes);
	end = begin + WORDS_IN_ANSWER < site->ledger.members.count ? begin + WORDS_IN_ANSWER
								   : site->ledger.members.count;
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PRESENCE_ANSWER, ENVELOPE_HEAD + 1,
		&site->ledger.collective, site_wall(site));
	wire_write_array(&writer, 3 * (end - begin));
	for (uint32_t i = begin; i < end; i++) {
		const struct member *member = table_at(&site->ledger.members, i);
		const struct site_peer *peer = site_peer_of(site, &member->id);
		usec_t age = peer ? (site->now - peer->heard_at) / USEC_SECOND : 0;

		wire_write_bin(&writer, member->id.bytes, ROW_ID_SIZE);
		wire_write_uint(&writer, site_presence(site, &member->id));
		wire_write_uint(&writer, (uint64_t)usec_min(age, AGE_MAX_S));
	}
	if (wire_writer_end(&writer) > 0)
		site_send(out, &site->collective.address, &event->datagram.from.address, SITE_PORT,
			bytes, writer.length);
}

/* The next id, to go on behind the last one that was told. Returns false behind the last of all. */
static bool next_id(struct row_id *id)
{
	for (int i = ROW_ID_SIZE - 1; i >= 0; i--) {
		if (++id->bytes[i] != 0)
			return true;
	}
	return false;
}

static void take_word(struct site *site, const struct row_id *id, uint64_t presence, uint64_t age)
{
	struct site_word *word = table_find(&site->words, id->bytes);

	if (!ledger_find(&site->ledger, id))
		return;
	if (!word)
		word = table_add(&site->words, id->bytes);
	if (!word)
		return;
	word->presence = (enum site_presence)presence;
	word->heard_at = site->now - (usec_t)age * USEC_SECOND;
	word->told_at = site->now;
}

static void receive_presence_answer(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	struct envelope envelope;
	struct row_id last = {{0}};
	uint32_t items;

	if (!site->survey_words || memcmp(sender, &site->hub, ROW_ID_SIZE) != 0 ||
		envelope_open(&envelope, ENVELOPE_PRESENCE_ANSWER, ENVELOPE_HEAD + 1,
			&site->ledger.collective, event->datagram.bytes, event->datagram.size) < 0)
		return;
	items = wire_read_array(&envelope.reader, 0, 3 * WORDS_IN_ANSWER);
	for (uint32_t i = 0; i < items / 3; i++) {
		uint64_t presence;
		uint64_t age;

		wire_read_exact(&envelope.reader, last.bytes, ROW_ID_SIZE);
		presence = wire_read_uint(&envelope.reader, SITE_DOWN);
		age = wire_read_uint(&envelope.reader, AGE_MAX_S);
		if (envelope.reader.error == 0)
			take_word(site, &last, presence, age);
	}
	if (envelope.reader.error || items < 3 * WORDS_IN_ANSWER || !next_id(&last) ||
		site_room(out) == 0)
		site->survey_words = false;
	else
		ask_presence(site, out, &last);
}

bool site_probe_datagram(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	switch (envelope_type(event->datagram.bytes, event->datagram.size)) {
	case ENVELOPE_PROBE:
		receive_probe(site, event, out, sender);
		return true;
	case ENVELOPE_PROBE_ANSWER:
		receive_probe_answer(site, event, out, sender);
		return true;
	case ENVELOPE_PRESENCE:
		receive_presence(site, event, out, sender);
		return true;
	case ENVELOPE_PRESENCE_ANSWER:
		receive_presence_answer(site, event, out, sender);
		return true;
	default:
		return false;
	}
}

/* Time. */

void site_probes_step(struct site *site, struct site_actions *out)
{
	bool waits = site->survey_words;

	for (uint32_t i = 0; i < SITE_PROBES_MAX; i++) {
		struct site_probe *probe = &site->probes[i];

		if (probe->open && site->now - probe->sent_at >= PROBE_ANSWERED_WITHIN &&
			site_room(out) > 2)
			finish_probe(site, out, probe, "no answer within 2 s");
		waits = waits || (probe->open && probe->request == 0);
	}
	if (site->survey_request == 0 || site_room(out) < 2 ||
		(waits && site->now < site->survey_until))
		return;
	site_reply(out, site->survey_request, SITE_REPLY_DONE, "");
	site->survey_request = 0;
	site->survey_words = false;
}

usec_t site_probes_wakeup(const struct site *site)
{
	usec_t at = site->survey_request != 0 ? site->survey_until : USEC_NEVER;

	for (uint32_t i = 0; i < SITE_PROBES_MAX; i++) {
		if (site->probes[i].open)
			at = usec_min(at, site->probes[i].sent_at + PROBE_ANSWERED_WITHIN);
	}
	return at;
}

int64_t site_rtt(const struct site *site, const struct row_id *member)
{
	const struct site_probe *last = NULL;

	for (uint32_t i = 0; i < SITE_PROBES_MAX; i++) {
		const struct site_probe *probe = &site->probes[i];

		if (probe->used && probe->rtt_us >= 0 &&
			site->now - probe->sent_at <= REMEMBERED_FOR &&
			memcmp(&probe->member, member, ROW_ID_SIZE) == 0 &&
			(!last || probe->sent_at > last->sent_at))
			last = probe;
	}
	return last ? last->rtt_us : -1;
}

const struct site_word *site_word(const struct site *site, const struct row_id *member)
{
	const struct site_word *word = table_find(&site->words, member->bytes);

	return word && site->now - word->told_at <= REMEMBERED_FOR ? word : NULL;
}

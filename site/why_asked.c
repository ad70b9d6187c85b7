/* SPDX-License-Identifier: MIT */
/*
 * why_asked.c - "why is it on this path?", asked of this site by its owner, or of another member.
 *
 * A member answers in the words that its own owner would see. They hold no addresses: where a site
 * is, only whom it meets is told.
 */
#include <stdio.h>
#include <string.h>

#include "gossip/envelope.h"
#include "site/site_internal.h"

#define ANSWERED_WITHIN (2 * USEC_SECOND)

static const struct member *named(const struct site *site, const char *name)
{
	const struct member *member = ledger_find_name(&site->ledger, name);

	return member && member->in_force ? member : NULL;
}

static void tell(struct site_actions *out, uint32_t request, const char *text)
{
	struct site_action *action;

	site_reply(out, request, SITE_REPLY_DONE, "");
	action = &out->items[out->count - 1];
	(void)snprintf(action->reply.text, sizeof action->reply.text, "%s", text);
}

static void ask(struct site *site, struct site_actions *out, const struct member *whom,
	const struct member *about, uint32_t request)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct certificate certificate;
	struct wire_writer writer;

	if (site->why.request != 0)
		site_reply(out, site->why.request, SITE_REPLY_FAILED, "asked once more");
	ledger_certificate(&site->ledger, whom, &certificate);
	site->why = (struct site_question){.request = request,
		.number = prng_u64(&site->prng),
		.whom = whom->id,
		.until = site->now + ANSWERED_WITHIN};
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_WHY, ENVELOPE_HEAD + 2,
		&site->ledger.collective, site_wall(site));
	wire_write_uint(&writer, site->why.number);
	wire_write_bin(&writer, about->id.bytes, ROW_ID_SIZE);
	site_send(out, &site->collective.address, &certificate.address, SITE_PORT, bytes,
		writer.length);
}

/* The command's text names whom to ask, where it is not this site. */
void site_why_command(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	bool other = command->text && command->text[0] != '\0';
	const struct member *about = site->has_collective ? named(site, command->name) : NULL;
	const struct member *whom = about && other ? named(site, command->text) : NULL;
	char text[SITE_WHY_SIZE];

	if (site->state != SITE_MEMBER || !about || (other && !whom)) {
		site_fail_unknown(command, out, about ? command->text : command->name);
	} else if (!whom || memcmp(&whom->id, &site->id, ROW_ID_SIZE) == 0) {
		site_why(site, &about->id, text);
		tell(out, command->request, text);
	} else {
		ask(site, out, whom, about, command->request);
	}
}

static void answer(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct envelope envelope;
	struct wire_writer writer;
	char text[SITE_WHY_SIZE];
	struct row_id about;
	uint64_t number;

	if (envelope_open(&envelope, ENVELOPE_WHY, ENVELOPE_HEAD + 2, &site->ledger.collective,
		    event->datagram.bytes, event->datagram.size) < 0)
		return;
	number = wire_read_uint(&envelope.reader, UINT64_MAX);
	wire_read_exact(&envelope.reader, about.bytes, ROW_ID_SIZE);
	if (envelope_end(&envelope) < 0 || site_room(out) == 0 || !site_may_answer(site, sender))
		return;
	site_why(site, &about, text);
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_WHY_ANSWER, ENVELOPE_HEAD + 2,
		&site->ledger.collective, site_wall(site));
	wire_write_uint(&writer, number);
	wire_write_str(&writer, text);
	if (wire_writer_end(&writer) > 0)
		site_send(out, &site->collective.address, &event->datagram.from.address, SITE_PORT,
			bytes, writer.length);
}

static void take_answer(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	struct envelope envelope;
	char text[SITE_WHY_SIZE];
	const char *said;
	uint64_t number;
	size_t size;

	if (site->why.request == 0 || memcmp(sender, &site->why.whom, ROW_ID_SIZE) != 0 ||
		site_room(out) < 2 ||
		envelope_open(&envelope, ENVELOPE_WHY_ANSWER, ENVELOPE_HEAD + 2,
			&site->ledger.collective, event->datagram.bytes, event->datagram.size) < 0)
		return;
	number = wire_read_uint(&envelope.reader, UINT64_MAX);
	said = wire_read_str(&envelope.reader, 0, SITE_WHY_SIZE - 1, &size);
	if (envelope_end(&envelope) < 0 || number != site->why.number)
		return;
	/* Somebody else's words go to a terminal: nothing in them may be more than a letter. */
	for (size_t i = 0; i < size; i++)
		text[i] = said[i];
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7f)
			text[i] = '?';
	}
	text[size] = '\0';
	tell(out, site->why.request, text);
	site->why.request = 0;
}

bool site_why_datagram(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	switch (envelope_type(event->datagram.bytes, event->datagram.size)) {
	case ENVELOPE_WHY:
		answer(site, event, out, sender);
		return true;
	case ENVELOPE_WHY_ANSWER:
		take_answer(site, event, out, sender);
		return true;
	default:
		return false;
	}
}

void site_why_step(struct site *site, struct site_actions *out)
{
	if (site->why.request == 0 || site->now < site->why.until || site_room(out) < 2)
		return;
	site_reply(out, site->why.request, SITE_REPLY_FAILED,
		"that site does not answer within 2 s: its agent is not running, or an older one");
	site->why.request = 0;
}

usec_t site_why_wakeup(const struct site *site)
{
	return site->why.request != 0 ? site->why.until : USEC_NEVER;
}

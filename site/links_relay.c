/* SPDX-License-Identifier: MIT */
/*
 * links_relay.c - offers and answers on their way: by the hub, and where that is silent by members
 * with which both ends have a link.
 *
 * What is passed on is sealed from end to end. Who passes it on can keep it back, and no more.
 */
#include <string.h>

#include "gossip/envelope.h"
#include "site/links_internal.h"

#define ITEMS (ENVELOPE_HEAD + 2)
#define ROUND_MAX 3          /* members that are asked to pass the same on */
#define PASSES_PER_SECOND 20 /* of all members together */
#define PASSES_BURST 60

_Static_assert(OFFER_SIZE_MAX + 80 <= ENVELOPE_SIZE_MAX, "what is passed on fits into an envelope");

static void send_enclosed(struct site *site, struct site_actions *out, const struct member *to,
	enum envelope_type type, const struct row_id *about, const void *bytes, size_t size)
{
	uint8_t message[ENVELOPE_SIZE_MAX];
	struct certificate certificate;
	struct wire_writer writer;

	ledger_certificate(&site->ledger, to, &certificate);
	envelope_begin(&writer, message, sizeof message, type, ITEMS, &site->ledger.collective, 0);
	wire_write_bin(&writer, about->bytes, ROW_ID_SIZE);
	wire_write_bin(&writer, bytes, size);
	site_link_send(site, out, &to->id, &certificate.address, message, writer.length);
}

/* Whoever is linked with us may be with the other end. */
static bool may_help(const struct site *site, const struct site_link *link, const struct row_id *to)
{
	return site_links_carry(site, &link->member) && memcmp(&link->member, to, ROW_ID_SIZE) != 0;
}

static void ask_around(struct site *site, struct site_actions *out, const struct row_id *to,
	const void *bytes, size_t size)
{
	uint32_t asked = 0;

	for (uint32_t i = 0; i < site->links.count && asked < ROUND_MAX; i++) {
		const struct site_link *link = table_at(&site->links, i);
		const struct member *member = ledger_find(&site->ledger, &link->member);

		if (!member || site_room(out) == 0 || !may_help(site, link, to))
			continue;
		send_enclosed(site, out, member, ENVELOPE_PASS, to, bytes, size);
		asked++;
	}
}

bool site_link_has_helper(const struct site *site, const struct row_id *to)
{
	for (uint32_t i = 0; i < site->links.count; i++) {
		if (may_help(site, table_at(&site->links, i), to))
			return true;
	}
	return false;
}

void site_link_post(struct site *site, struct site_actions *out, const struct member *to,
	const struct link_letter *letter)
{
	const struct member *by = letter->helped ? ledger_find(&site->ledger, &letter->helper)
						 : NULL;
	struct certificate certificate;

	ledger_certificate(&site->ledger, to, &certificate);
	if (by && by->in_force && site_links_carry(site, &letter->helper)) {
		send_enclosed(site, out, by, ENVELOPE_PASS, &to->id, letter->bytes, letter->size);
		return;
	}
	site_send(out, &site->collective.address, &certificate.address, SITE_PORT, letter->bytes,
		letter->size);
	if (letter->urgent)
		ask_around(site, out, &to->id, letter->bytes, letter->size);
}

static bool is_letter(const uint8_t *bytes, size_t size)
{
	unsigned type = envelope_type(bytes, size);

	return type == ENVELOPE_OFFER || type == ENVELOPE_ANSWER;
}

/* Between two members that this site has a link with, and not more than a few. */
static void pass_on(struct site *site, struct site_actions *out, const struct row_id *from,
	const struct row_id *to, const struct link_letter *letter)
{
	const struct member *member = ledger_find(&site->ledger, to);

	budget_refill(&site->pass_budget, site->now, PASSES_PER_SECOND, PASSES_BURST);
	if (!member || !member->in_force || memcmp(from, to, ROW_ID_SIZE) == 0 ||
		!site_links_carry(site, to))
		return;
	if (!budget_spend(&site->pass_budget)) {
		site->counters[SITE_COUNT_OFFER_OVER]++;
		return;
	}
	send_enclosed(site, out, member, ENVELOPE_PASSED, from, letter->bytes, letter->size);
}

bool site_link_enclosed(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender, struct row_id *ret_from, struct link_letter *ret)
{
	unsigned type = envelope_type(event->datagram.bytes, event->datagram.size);
	struct envelope envelope;
	struct row_id about = {{0}};
	const uint8_t *bytes;
	size_t size = 0;

	/* Who helps has a link with both. */
	if (event->datagram.interface != SITE_LINKS ||
		envelope_open(&envelope, type, ITEMS, &site->ledger.collective,
			event->datagram.bytes, event->datagram.size) < 0)
		return false;
	bytes = wire_read_bin(&envelope.reader, ROW_ID_SIZE, ROW_ID_SIZE, &size);
	if (bytes)
		memcpy(about.bytes, bytes, ROW_ID_SIZE);
	bytes = wire_read_bin(&envelope.reader, 1, OFFER_SIZE_MAX, &size);
	if (envelope_end(&envelope) < 0 || !is_letter(bytes, size))
		return false;
	*ret = (struct link_letter){
		.bytes = bytes, .size = size, .helped = true, .helper = *sender};
	*ret_from = about;
	if (type == ENVELOPE_PASSED)
		return true;
	pass_on(site, out, sender, &about, ret);
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "simulator/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "gossip/envelope.h"
#include "gossip/join.h"
#include "gossip/message.h"
#include "gossip/record.h"

#define TEXT_SIZE 200
#define PLURAL(count) ((count) == 1 ? "" : "s")

/* A line that is being put together; what does not fit is left out. */
struct text {
	size_t used;
	char bytes[TEXT_SIZE];
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	size_t room = sizeof text->bytes - text->used;
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(text->bytes + text->used, room, format, arguments);
	va_end(arguments);
	text->used += size < 0 ? 0 : (size_t)size < room ? (size_t)size : room - 1;
}

static void tell(const struct host *host, const struct text *text)
{
	const struct world *world = host->world;

	(void)fprintf(world->options.trace, "%12.6f  %-12s  %s\n",
		(double)world->now / (double)USEC_SECOND, host->name, text->bytes);
}

/* Names. */

static void add_site(struct text *text, const struct world *world, const struct row_id *id)
{
	const struct host *host = world_host(world, id);

	if (host)
		add(text, "%s", host->name);
	else
		add(text, "%02x%02x%02x%02x", id->bytes[0], id->bytes[1], id->bytes[2],
			id->bytes[3]);
}

static void add_address(struct text *text, const struct world *world, const struct address *address)
{
	char printed[ADDRESS_TEXT_SIZE];

	for (uint32_t i = 0; i < world->host_count; i++) {
		if (address_equal(&world->hosts[i].overlay, address)) {
			add(text, "%s", world->hosts[i].name);
			return;
		}
	}
	address_print(address, printed);
	add(text, "%s", printed);
}

/* Whose key it is in this world, or by what this host knows. */
static const struct host *owner_of(const struct host *host, const struct key *key)
{
	const struct world *world = host->world;
	const struct ledger *ledger = site_ledger(host->site);

	for (uint32_t i = 0; i < world->host_count; i++) {
		const struct wireguard *backbone = world->hosts[i].backbone;

		if (backbone && key_equal(wireguard_public_key(backbone), key))
			return &world->hosts[i];
	}
	for (uint32_t i = 0; ledger && i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);
		struct certificate certificate;

		ledger_certificate(ledger, member, &certificate);
		if (key_equal(&certificate.backbone, key))
			return world_host(world, &member->id);
	}
	return NULL;
}

/* A key that is nobody's any more, or was invented, goes by its first bytes. */
static void add_key(struct text *text, const struct host *host, const struct key *key)
{
	const struct host *owner = owner_of(host, key);

	if (owner) {
		add(text, "%s", owner->name);
		return;
	}
	add(text, "%02x%02x%02x%02x", key->bytes[0], key->bytes[1], key->bytes[2], key->bytes[3]);
}

static void add_prefix(struct text *text, const struct prefix *prefix)
{
	char printed[PREFIX_TEXT_SIZE];

	prefix_print(prefix, printed);
	add(text, "%s", printed);
}

/* Facts. */

static void add_certificate(struct text *text, const struct fact *fact)
{
	struct certificate certificate;

	if (certificate_read(&certificate, fact) == 0)
		add(text, "certificate %u of %s", certificate.version, certificate.name);
	else
		add(text, "a certificate nobody can read");
}

static void add_record(struct text *text, const struct world *world, const struct fact *fact)
{
	struct record record;
	struct hash hash;
	struct row_id id;

	if (record_read(&record, fact) < 0) {
		add(text, "a record nobody can read");
		return;
	}
	hash = hash_of(record.site.bytes, KEY_SIZE);
	id = row_id_of(&hash);
	add(text, "%s %" PRIu64 " of ", record.flags & RECORD_LEFT ? "farewell" : "record",
		record.sequence);
	add_site(text, world, &id);
}

static void add_revocation(struct text *text, const struct world *world, const struct fact *fact)
{
	struct revocation revocation;
	struct row_id id;

	if (revocation_read(&revocation, fact) < 0) {
		add(text, "a revocation nobody can read");
		return;
	}
	id = row_id_of(&revocation.subject);
	add(text, "revocation of ");
	add_site(text, world, &id);
}

static void add_fact(
	struct text *text, const struct world *world, const uint8_t *bytes, size_t size)
{
	struct fact fact;

	if (fact_open(&fact, bytes, size) < 0) {
		add(text, "no fact");
		return;
	}
	switch (fact.kind) {
	case FACT_DELEGATION:
		add(text, "delegation of an admin");
		break;
	case FACT_CERTIFICATE:
		add_certificate(text, &fact);
		break;
	case FACT_REVOCATION:
		add_revocation(text, world, &fact);
		break;
	case FACT_REMOVAL:
		add(text, "removal of an admin");
		break;
	case FACT_RECORD:
		add_record(text, world, &fact);
		break;
	}
}

/* Messages. */

static void add_gossip(struct text *text, const struct world *world, const struct message *message)
{
	switch (message->type) {
	case MESSAGE_HELLO:
		add(text, "hello, I hold %u fact%s", message->summary.facts,
			PLURAL(message->summary.facts));
		break;
	case MESSAGE_SUMMARY:
		add(text, "I hold %u fact%s", message->summary.facts,
			PLURAL(message->summary.facts));
		break;
	case MESSAGE_DIGEST:
		add(text, "a range of %u row%s", message->row_count, PLURAL(message->row_count));
		break;
	case MESSAGE_WANT:
		add(text, "send me what is newer than %s %u row%s",
			message->row_count == 1 ? "this" : "these", message->row_count,
			PLURAL(message->row_count));
		break;
	case MESSAGE_IHAVE:
		add(text, "I have %s %u row%s", message->row_count == 1 ? "this" : "these",
			message->row_count, PLURAL(message->row_count));
		break;
	case MESSAGE_DELTA:
		for (uint32_t i = 0; i < message->fact_count; i++) {
			add(text, "%s", i > 0 ? ", " : "");
			add_fact(text, world, message->facts[i], message->fact_sizes[i]);
		}
		break;
	}
}

static void add_datagram(
	struct text *text, const struct world *world, const uint8_t *bytes, size_t size)
{
	struct message message;
	struct join_reply reply;

	if (message_read(&message, &world->collective, bytes, size) == 0) {
		add_gossip(text, world, &message);
		return;
	}
	switch (envelope_type(bytes, size)) {
	case ENVELOPE_JOIN_REQUEST:
		add(text, "let me in");
		break;
	case ENVELOPE_JOIN_REPLY:
		if (join_reply_read(&reply, &world->collective, bytes, size) == 0)
			add(text, "answer %u to who wants in", (unsigned)reply.status);
		break;
	case ENVELOPE_PETITION:
		add(text, "certify other keys or routes for me");
		break;
	case ENVELOPE_GRANT:
		add(text, "an invite of mine");
		break;
	case ENVELOPE_PROBE:
		add(text, "are you there?");
		break;
	case ENVELOPE_PROBE_ANSWER:
		add(text, "I am there");
		break;
	case ENVELOPE_OFFER:
		add(text, "let us meet; sealed");
		break;
	case ENVELOPE_ANSWER:
		add(text, "what I say to your offer; sealed");
		break;
	case ENVELOPE_REFLECTION:
		add(text, "where do you see me?");
		break;
	case ENVELOPE_PATH:
		add(text, "a word about our link; sealed");
		break;
	default:
		add(text, "%zu byte%s of garbage", size, PLURAL(size));
		break;
	}
}

void story_datagram(const struct host *host, const struct site_event *event)
{
	struct text text = {.used = 0};

	add(&text, "hears from ");
	add_address(&text, host->world, &event->datagram.from.address);
	add(&text, ": ");
	add_datagram(&text, host->world, event->datagram.bytes, event->datagram.size);
	tell(host, &text);
}

/* Actions. */

static void add_peer(struct text *text, const struct host *host, const struct site_action *action)
{
	add(text, "peer ");
	add_key(text, host, &action->peer.key);
	if (action->peer.set_endpoint)
		add(text, " at %s:%u", action->peer.host, action->peer.port);
	add(text, action->peer.keepalive > 0 ? ", kept alive" : ", not kept alive");
}

static void add_saved(struct text *text, const struct world *world, const struct site_row *row)
{
	static const char *const tables[SITE_TABLES] = {
		[SITE_TABLE_SETTING] = "a setting",
		[SITE_TABLE_FACT] = "a fact",
		[SITE_TABLE_PRESHARED] = "a preshared key",
		[SITE_TABLE_INVITE] = "an invite",
		[SITE_TABLE_ENDPOINT] = "where a member was",
		[SITE_TABLE_FLOOR] = "a floor",
	};

	add(text, row->remove ? "forgets " : "keeps ");
	if (row->table == SITE_TABLE_FACT && !row->remove)
		add_fact(text, world, row->bytes, row->size);
	else if (row->table == SITE_TABLE_SETTING || row->table == SITE_TABLE_FLOOR)
		add(text, "%s: %.*s", tables[row->table], row->key_size, (const char *)row->key);
	else
		add(text, "%s", tables[row->table]);
}

static void add_route(struct text *text, const struct site_action *action)
{
	static const char *const kinds[] = {
		[SITE_ROUTE_BACKBONE] = "over the backbone",
		[SITE_ROUTE_LINKS] = "over a link",
		[SITE_ROUTE_GUARD] = "unreachable, behind all others",
		[SITE_ROUTE_OWN] = "at home",
	};

	add(text, action->kind == SITE_ROUTE ? "route to " : "no route any more to ");
	add_prefix(text, &action->route.prefix);
	add(text, ": %s", kinds[action->route.kind]);
}

static void add_allow(struct text *text, const struct host *host, const struct site_action *action)
{
	add(text, action->kind == SITE_ALLOW ? "lets peer " : "takes from peer ");
	add_key(text, host, &action->allow.key);
	add(text, action->kind == SITE_ALLOW ? " have " : " ");
	add_prefix(text, &action->allow.prefix);
}

/* Returns false for what is no part of the story, or told elsewhere. */
static bool add_action(struct text *text, const struct host *host, const struct site_action *action)
{
	const struct world *world = host->world;
	char place[ENDPOINT_TEXT_SIZE];

	switch (action->kind) {
	case SITE_SAVE:
		add_saved(text, world, &action->row);
		return true;
	case SITE_SAVE_KEY:
		add(text, "keeps a private key");
		return true;
	case SITE_PROMOTE_KEY:
		add(text, "its new key is the current one now");
		return true;
	case SITE_SEND:
		add(text, "says to ");
		add_address(text, world, &action->send.to.address);
		add(text, ": ");
		add_datagram(text, world, action->send.bytes, action->send.size);
		return true;
	case SITE_SEND_OUTSIDE:
		endpoint_print(&action->outside.to, place);
		add(text, "calls %s outside the tunnel", place);
		if (action->outside.ttl != 0)
			add(text, ", no further than %u hops", action->outside.ttl);
		return true;
	case SITE_DEVICE:
		if (action->interface == SITE_LINKS)
			return false;
		add(text, key_is_zero(&action->device) ? "takes its interface away"
						       : "its interface has a key");
		return true;
	case SITE_ADDRESS:
		if (action->interface == SITE_LINKS)
			return false;
		add(text,
			action->address.remove ? "has no longer the address " : "has the address ");
		add_address(text, world, &action->address.address);
		return true;
	case SITE_PEER:
		add_peer(text, host, action);
		return true;
	case SITE_PEER_REMOVE:
		add(text, "no peer ");
		add_key(text, host, &action->allow.key);
		add(text, " any more");
		return true;
	case SITE_ALLOW:
	case SITE_DISALLOW:
		add_allow(text, host, action);
		return true;
	case SITE_ROUTE:
	case SITE_ROUTE_REMOVE:
		add_route(text, action);
		return true;
	case SITE_SETTLED:
		add(text, "has said all that it wants");
		return true;
	case SITE_POLL:
	case SITE_LOG:
	case SITE_REPLY:
		break;
	}
	return false;
}

void story_action(const struct host *host, const struct site_action *action)
{
	struct text text = {.used = 0};

	if (add_action(&text, host, action))
		tell(host, &text);
}

void story_log(const struct host *host, const struct site_action *action)
{
	struct text text = {.used = 0};

	for (const char *at = site_log_text(action->log.code); *at; at++) {
		if (strncmp(at, "%s", 2) == 0) {
			add(&text, "%s", action->log.name);
			at += 1;
		} else if (strncmp(at, "%lld", 4) == 0) {
			add(&text, "%" PRId64, action->log.number);
			at += 3;
		} else {
			add(&text, "%c", *at);
		}
	}
	world_say(host->world, host, "log: %s", text.bytes);
}

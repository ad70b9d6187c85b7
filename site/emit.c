/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "site/site_internal.h"

uint32_t site_room(const struct site_actions *out)
{
	return SITE_ACTIONS_MAX - out->count;
}

struct site_action *site_emit(struct site_actions *out, enum site_action_kind kind)
{
	struct site_action *action = &out->items[out->count];

	assert(out->count < SITE_ACTIONS_MAX);
	out->count++;
	memset(action, 0, sizeof *action);
	action->kind = kind;
	return action;
}

void site_log(struct site_actions *out, enum site_log_code code, const char *name, int64_t number)
{
	struct site_action *action;

	/* What is written down is the first thing to do without. */
	if (site_room(out) == 0)
		return;
	action = site_emit(out, SITE_LOG);
	action->log.code = code;
	action->log.number = number;
	(void)snprintf(action->log.name, sizeof action->log.name, "%s", name);
}

void site_reply(
	struct site_actions *out, uint32_t request, enum site_reply_status status, const char *note)
{
	struct site_action *action = site_emit(out, SITE_REPLY);

	action->reply.request = request;
	action->reply.status = status;
	(void)snprintf(action->reply.note, sizeof action->reply.note, "%s", note);
}

void site_save(struct site *site, struct site_actions *out, const struct site_row *row)
{
	struct site_action *action = site_emit(out, SITE_SAVE);

	action->row = *row;
	site->saving = true;
}

static void add_key(struct site_row *row, const void *bytes, size_t size)
{
	assert(row->key_size + size <= SITE_ROW_KEY_MAX);
	memcpy(row->key + row->key_size, bytes, size);
	row->key_size = (uint8_t)(row->key_size + size);
}

/* Facts are kept under what they are about, and by whom where there may be several. */
static void fact_key(struct site_row *row, const struct fact *fact)
{
	struct hash hash = hash_of(fact->bytes, fact->size);
	struct certificate certificate;
	struct delegation delegation;
	struct revocation revocation;
	struct key site;

	switch (fact->kind) {
	case FACT_DELEGATION:
		assert(delegation_read(&delegation, fact) == 0);
		add_key(row, delegation.admin.bytes, KEY_SIZE);
		return;
	case FACT_CERTIFICATE:
		assert(certificate_read(&certificate, fact) == 0);
		add_key(row, certificate.site.bytes, KEY_SIZE);
		add_key(row, certificate.issuer.bytes, HASH_SIZE);
		return;
	case FACT_REVOCATION:
		assert(revocation_read(&revocation, fact) == 0);
		add_key(row, revocation.subject.bytes, HASH_SIZE);
		add_key(row, revocation.issuer.bytes, HASH_SIZE);
		return;
	case FACT_RECORD:
		assert(record_peek(fact->bytes, fact->size, &site));
		add_key(row, site.bytes, KEY_SIZE);
		return;
	case FACT_REMOVAL:
		break;
	}
	add_key(row, hash.bytes, HASH_SIZE);
}

void site_save_fact(
	struct site *site, struct site_actions *out, const void *bytes, size_t size, bool remove)
{
	struct site_row row = {
		.table = SITE_TABLE_FACT, .size = (uint16_t)size, .remove = remove, .version = 1};
	struct fact fact;

	assert(fact_open(&fact, bytes, size) == 0);
	row.kind = (uint8_t)fact.kind;
	fact_key(&row, &fact);
	memcpy(row.bytes, bytes, size);
	site_save(site, out, &row);
}

void site_save_key(struct site_actions *out, enum site_key_slot slot, const struct key *key)
{
	struct site_action *action = site_emit(out, SITE_SAVE_KEY);

	action->key.slot = slot;
	action->key.key = *key;
}

void site_save_collective(struct site *site, struct site_actions *out)
{
	const struct site_collective *collective = &site->collective;
	struct site_row row = {.table = SITE_TABLE_SETTING};
	struct site_row supernet = {.table = SITE_TABLE_SETTING};
	char text[PREFIX_TEXT_SIZE];
	struct wire_writer writer;
	int size;

	add_key(&row, "collective", strlen("collective"));
	wire_writer_init(&writer, row.bytes, sizeof row.bytes);
	wire_write_array(&writer, 5 + 2 * collective->endpoint_count);
	field_write_key(&writer, &collective->root);
	field_write_prefix(&writer, &collective->supernet);
	field_write_address(&writer, &collective->hub_address);
	field_write_key(&writer, &collective->hub_key);
	field_write_address(&writer, &collective->address);
	for (uint32_t i = 0; i < collective->endpoint_count; i++) {
		wire_write_str(&writer, collective->endpoints[i].host);
		wire_write_uint(&writer, collective->endpoints[i].port);
	}
	size = wire_writer_end(&writer);
	assert(size > 0);
	row.size = (uint16_t)size;
	site_save(site, out, &row);
	/* For a glance by the command line, as text. */
	add_key(&supernet, "supernet", strlen("supernet"));
	prefix_print(&collective->supernet, text);
	supernet.size = (uint16_t)strlen(text);
	memcpy(supernet.bytes, text, supernet.size);
	site_save(site, out, &supernet);
}

void site_save_secret(
	struct site *site, struct site_actions *out, const struct key *peer, const struct key *key)
{
	struct site_row row = {
		.table = SITE_TABLE_PRESHARED, .size = KEY_SIZE, .remove = key_is_zero(key)};

	add_key(&row, peer->bytes, KEY_SIZE);
	memcpy(row.bytes, key->bytes, KEY_SIZE);
	site_save(site, out, &row);
}

void site_save_invitations(struct site *site, struct site_actions *out)
{
	for (uint32_t i = 0; i < site->invitations.table.count && site_room(out) > 1; i++) {
		struct invitation *invitation = table_at(&site->invitations.table, i);
		struct site_row row = {.table = SITE_TABLE_INVITE, .remove = invitation->gone};

		if (!invitation->changed)
			continue;
		add_key(&row, invitation->id.bytes, HASH_SIZE);
		row.size = (uint16_t)invitation_pack(invitation, row.bytes);
		site_save(site, out, &row);
		/* While the disk fails it is tried again. */
		invitation->changed = site->save_failed;
	}
}

void site_save_floor(struct site *site, struct site_actions *out, const char *name, uint64_t number)
{
	struct site_row row = {.table = SITE_TABLE_FLOOR, .version = number};

	add_key(&row, name, strlen(name));
	site_save(site, out, &row);
}

void site_send(struct site_actions *out, const struct address *from, const struct address *to,
	uint16_t port, const void *bytes, size_t size)
{
	struct site_action *action = site_emit(out, SITE_SEND);

	assert(size <= sizeof action->send.bytes);
	action->interface = SITE_BACKBONE;
	action->send.from = *from;
	action->send.to = (struct endpoint){*to, port};
	action->send.port = port;
	action->send.size = (uint16_t)size;
	memcpy(action->send.bytes, bytes, size);
}

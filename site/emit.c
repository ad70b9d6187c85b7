/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "site/links_internal.h"

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

void site_save_fact(
	struct site *site, struct site_actions *out, const void *bytes, size_t size, bool remove)
{
	struct site_row row;

	site_row_fact(&row, bytes, size);
	row.remove = remove;
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
	struct site_row row;

	site_row_collective(&row, &site->collective);
	site_save(site, out, &row);
	site_row_supernet(&row, &site->collective.supernet);
	site_save(site, out, &row);
}

void site_save_secret(struct site *site, struct site_actions *out, const struct site_secret *secret)
{
	struct site_row row;

	site_row_secret(&row, &secret->peer, &secret->own, &secret->preshared);
	site_save(site, out, &row);
}

void site_save_place(struct site *site, struct site_actions *out, const struct site_place *place)
{
	struct site_row row = {.table = SITE_TABLE_ENDPOINT, .key_size = ROW_ID_SIZE};
	struct wire_writer writer;

	memcpy(row.key, place->member.bytes, ROW_ID_SIZE);
	row.version = site_wall(site);
	wire_writer_init(&writer, row.bytes, sizeof row.bytes);
	field_write_address(&writer, &place->endpoint.address);
	wire_write_uint(&writer, place->endpoint.port);
	row.size = (uint16_t)wire_writer_end(&writer);
	site_save(site, out, &row);
}

void site_save_membership(struct site *site, struct site_actions *out)
{
	struct site_row row = {.table = SITE_TABLE_SETTING, .key_size = 4};

	if (site->state == SITE_JOINING) {
		memcpy(row.key, "join", 4);
		row.size = (uint16_t)strlen(site->join_word);
		memcpy(row.bytes, site->join_word, row.size);
	} else if (site->state == SITE_OUT) {
		memcpy(row.key, "left", 4);
		row.size = 1;
	} else {
		return;
	}
	site_save(site, out, &row);
}

void site_save_guard(struct site *site, struct site_actions *out, const struct site_prefix *entry)
{
	struct site_row row = {.table = SITE_TABLE_SETTING,
		.kind = SITE_SETTING_GUARD,
		.key_size = sizeof entry->key,
		.remove = !entry->kept};

	memcpy(row.key, entry->key, sizeof entry->key);
	site_save(site, out, &row);
}

void site_save_memory(struct site *site, struct site_actions *out, const struct site_link *link)
{
	const struct link_memory *memory = &link->memory;
	struct site_row row = {.table = SITE_TABLE_SETTING,
		.kind = SITE_SETTING_MEMORY,
		.key_size = ROW_ID_SIZE,
		.remove = !memory->kept};
	struct wire_writer writer;

	memcpy(row.key, link->member.bytes, ROW_ID_SIZE);
	wire_writer_init(&writer, row.bytes, sizeof row.bytes);
	field_write_address(&writer, &memory->place.address);
	wire_write_uint(&writer, memory->place.port);
	field_write_key(&writer, &memory->preshared);
	field_write_hash(&writer, &memory->certificate);
	row.size = (uint16_t)(memory->kept ? wire_writer_end(&writer) : 0);
	site_save(site, out, &row);
}

void site_save_offers(
	struct site *site, struct site_actions *out, const struct site_link *link, bool remove)
{
	struct site_row row = {.table = SITE_TABLE_SETTING,
		.kind = SITE_SETTING_OFFERS,
		.key_size = ROW_ID_SIZE,
		.version = link->their_clock,
		.remove = remove};

	memcpy(row.key, link->member.bytes, ROW_ID_SIZE);
	site_save(site, out, &row);
}

void site_save_wish(
	struct site *site, struct site_actions *out, const struct site_link *link, bool remove)
{
	struct site_row row = {.table = SITE_TABLE_SETTING,
		.kind = SITE_SETTING_LINK,
		.key_size = ROW_ID_SIZE,
		.version = link->asked_until,
		.size = 1,
		.remove = remove};

	memcpy(row.key, link->member.bytes, ROW_ID_SIZE);
	row.bytes[0] = link->asked ? SITE_WISH_LINK : SITE_WISH_NONE;
	site_save(site, out, &row);
}

void site_save_invitations(struct site *site, struct site_actions *out)
{
	for (uint32_t i = 0; i < site->invitations.table.count && site_room(out) > 1; i++) {
		struct invitation *invitation = table_at(&site->invitations.table, i);
		struct site_row row = {.table = SITE_TABLE_INVITE, .remove = invitation->gone};

		if (!invitation->changed)
			continue;
		memcpy(row.key, invitation->id.bytes, HASH_SIZE);
		row.key_size = HASH_SIZE;
		row.size = (uint16_t)invitation_pack(invitation, row.bytes);
		site_save(site, out, &row);
		invitation->changed = false;
	}
}

void site_save_floor(struct site *site, struct site_actions *out, const char *name, uint64_t number)
{
	struct site_row row = {.table = SITE_TABLE_FLOOR, .version = number};

	row.key_size = (uint8_t)strlen(name);
	memcpy(row.key, name, row.key_size);
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

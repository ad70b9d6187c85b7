/* SPDX-License-Identifier: MIT */
/*
 * restore.c - from the rows of the store to a site that goes on where it was.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "site/site_internal.h"

#define SAVE_AGAIN (5 * USEC_SECOND)

struct site_pair site_pair_of(const struct key *secret)
{
	struct site_pair pair = {.present = true, .secret = *secret};

	(void)crypto_scalarmult_base(pair.public_key.bytes, secret->bytes);
	return pair;
}

void site_take_identity(struct site *site, const struct key *seed)
{
	secret_from_seed(&site->identity, seed);
	site->has_identity = true;
	site->site_key = secret_public(&site->identity);
	site->site_hash = hash_of(site->site_key.bytes, KEY_SIZE);
	site->id = row_id_of(&site->site_hash);
}

/* The id under which the hub is a neighbour until its certificate is known. */
static struct row_id provisional(const struct key *hub_key)
{
	struct hash hash = hash_of(hub_key->bytes, KEY_SIZE);

	return row_id_of(&hash);
}

void site_take_collective(struct site *site, const struct site_collective *collective)
{
	const struct ledger_options ledger = {
		.sites_max = site->options.sites_max,
		.root = collective->root,
		.supernet = collective->supernet,
		.crypto = site->options.crypto,
	};
	struct sync_options sync = {
		.self = site->id,
		.neighbours_max = site->options.neighbours_max,
		.boot = prng_u64(&site->prng),
	};

	site->collective = *collective;
	site->has_collective = true;
	ledger_init(&site->ledger, &ledger, site->ledger_memory);
	sync_init(&site->sync, &sync, &site->ledger, &site->prng, site->sync_memory);
	site->hub = provisional(&collective->hub_key);
}

static bool is_setting(const struct site_row *row, const char *name)
{
	return row->key_size == strlen(name) && memcmp(row->key, name, row->key_size) == 0;
}

static int restore_collective(struct site *site, const struct site_row *row)
{
	struct site_collective collective = {.endpoint_count = 0};
	struct wire_reader reader;
	uint32_t items;

	wire_reader_init(&reader, row->bytes, row->size);
	items = wire_read_array(&reader, 5, 5 + 2 * INVITE_ENDPOINTS_MAX);
	field_read_key(&reader, &collective.root);
	field_read_prefix(&reader, &collective.supernet);
	field_read_address(&reader, &collective.hub_address);
	field_read_key(&reader, &collective.hub_key);
	field_read_address(&reader, &collective.address);
	for (uint32_t i = 5; i + 1 < items; i += 2) {
		struct invite_endpoint *endpoint =
			&collective.endpoints[collective.endpoint_count++];
		size_t size;
		const char *host = wire_read_str(&reader, 1, INVITE_HOST_MAX, &size);

		if (host)
			memcpy(endpoint->host, host, size);
		endpoint->port = (uint16_t)wire_read_uint(&reader, UINT16_MAX);
	}
	if (wire_reader_end(&reader) < 0 || !site->has_identity)
		return -EBADMSG;
	site_take_collective(site, &collective);
	return 0;
}

static int restore_setting(struct site *site, const struct site_row *row)
{
	struct invite invite;
	char word[INVITE_TEXT_SIZE] = "";

	if (is_setting(row, "collective"))
		return restore_collective(site, row);
	if (is_setting(row, "left")) {
		site->state = SITE_OUT;
		return 0;
	}
	if (!is_setting(row, "join"))
		return 0; /* another layer's, or a newer program's */
	if (row->size >= sizeof word)
		return -EBADMSG;
	memcpy(word, row->bytes, row->size);
	if (invite_read(&invite, word) != INVITE_GOOD || !site->has_identity)
		return -EBADMSG;
	site_begin_join(site, &invite, word);
	return 0;
}

static int restore_fact(struct site *site, const struct site_row *row)
{
	struct ledger_outcome outcome;

	if (!site->has_collective)
		return -EBADMSG;
	outcome = ledger_restore(&site->ledger, row->bytes, row->size);
	/* What does not count any more stays in the store until something newer takes its place. */
	if (outcome.verdict == VERDICT_MALFORMED || outcome.verdict == VERDICT_UNSIGNED ||
		outcome.verdict == VERDICT_OVERSIZED)
		return -EBADMSG;
	return 0;
}

static int restore_invite(struct site *site, const struct site_row *row)
{
	struct invitation invitation;
	struct invitation *added;

	if (invitation_unpack(&invitation, row->bytes, row->size) < 0)
		return -EBADMSG;
	added = table_add(&site->invitations.table, invitation.id.bytes);
	if (!added)
		return -EBADMSG;
	*added = invitation;
	return 0;
}

static int restore_place(struct site *site, const struct site_row *row)
{
	struct endpoint endpoint = {.port = 0};
	struct wire_reader reader;
	struct site_place *place;

	wire_reader_init(&reader, row->bytes, row->size);
	field_read_address(&reader, &endpoint.address);
	endpoint.port = (uint16_t)wire_read_uint(&reader, UINT16_MAX);
	if (wire_reader_end(&reader) < 0 || row->key_size != ROW_ID_SIZE)
		return -EBADMSG;
	place = table_add(&site->places, row->key);
	if (place)
		place->endpoint = endpoint;
	return 0;
}

static int restore_floor(struct site *site, const struct site_row *row)
{
	if (is_setting(row, "clock"))
		site->clock_floor = row->version;
	if (is_setting(row, "sequence"))
		author_init(&site->author, row->version);
	return 0;
}

int site_restore(struct site *site, const struct site_row *row)
{
	struct key preshared;
	struct key key;
	int r = 0;

	switch (row->table) {
	case SITE_TABLE_SETTING:
		r = restore_setting(site, row);
		break;
	case SITE_TABLE_FACT:
		r = restore_fact(site, row);
		break;
	case SITE_TABLE_PRESHARED:
		if (row->key_size != KEY_SIZE || row->size != KEY_SIZE)
			return -EBADMSG;
		memcpy(key.bytes, row->key, KEY_SIZE);
		memcpy(preshared.bytes, row->bytes, KEY_SIZE);
		site_set_secret(site, &key, &preshared);
		key_wipe(&preshared);
		break;
	case SITE_TABLE_INVITE:
		r = restore_invite(site, row);
		break;
	case SITE_TABLE_FLOOR:
		r = restore_floor(site, row);
		break;
	case SITE_TABLE_ENDPOINT:
		r = restore_place(site, row);
		break;
	case SITE_TABLES:
		break;
	}
	if (r < 0)
		site->counters[SITE_COUNT_RESTORE_BAD]++;
	return r;
}

void site_restore_key(struct site *site, enum site_key_slot slot, const struct key *key)
{
	switch (slot) {
	case SITE_KEY_IDENTITY:
		site_take_identity(site, key);
		break;
	case SITE_KEY_BACKBONE:
		site->pairs[SITE_BACKBONE] = site_pair_of(key);
		break;
	case SITE_KEY_LINKS:
		site->pairs[SITE_LINKS] = site_pair_of(key);
		break;
	case SITE_KEY_BACKBONE_PENDING:
		site->pending[SITE_BACKBONE] = site_pair_of(key);
		break;
	case SITE_KEY_LINKS_PENDING:
		site->pending[SITE_LINKS] = site_pair_of(key);
		break;
	case SITE_KEY_ADMIN:
		secret_from_seed(&site->admin, key);
		site->has_admin = true;
		break;
	case SITE_KEY_ROOT:
		secret_from_seed(&site->root, key);
		site->has_root = true;
		break;
	case SITE_KEY_SLOTS:
		break;
	}
}

/* After a failure everything is saved once more, since nobody knows what of it was not. */
void site_saved(struct site *site, int result, struct site_actions *out)
{
	if (result < 0) {
		site->counters[SITE_COUNT_SAVE_FAILED]++;
		if (!site->save_failed)
			site_log(out, SITE_LOG_SAVE_FAILED, "", -result);
		site->save_failed = true;
		if (site->record_waits)
			author_unsaved(&site->author, site->now);
		site->record_waits = false;
		site->save_cursor = 0;
		site->save_again_at = site->now + SAVE_AGAIN;
		for (uint32_t i = 0; i < site->invitations.table.count; i++) {
			struct invitation *invitation = table_at(&site->invitations.table, i);

			invitation->changed = true;
		}
		return;
	}
	site_record_saved(site, out);
	if (site->save_failed && site->save_cursor == UINT32_MAX) {
		site->save_failed = false;
		site_log(out, SITE_LOG_SAVE_WELL, "", 0);
	}
}

/* The facts of one member or of those that are out, by a number that counts through all of them. */
static uint32_t fact_at(const struct ledger *ledger, uint32_t position, uint32_t handles[static 3])
{
	const uint32_t members = ledger->members.count;
	const uint32_t admins = ledger->admins.count;
	struct row row = {.version = 0};

	if (position < members + admins) {
		const struct member *member = position < members
						      ? table_at(&ledger->members, position)
						      : NULL;
		const struct admin *admin = member ? NULL
						   : table_at(&ledger->admins, position - members);

		row.id = member ? member->id : admin->id;
		return ledger_newer(ledger, 0, &row, false, handles);
	}
	return ledger_out_at(ledger, position - members - admins, handles);
}

void site_save_again(struct site *site, struct site_actions *out)
{
	const struct ledger *ledger = &site->ledger;
	uint32_t all = 0;

	if (!site->save_failed || site->now < site->save_again_at)
		return;
	if (site->has_collective)
		all = ledger->members.count + ledger->admins.count + ledger->revocations.count +
		      ledger->removals.count;
	if (site->has_collective && site->save_cursor == 0 && site_room(out) > 4)
		site_save_collective(site, out);
	while (site->save_cursor < all && site_room(out) > 8) {
		uint32_t handles[3];
		uint32_t count = fact_at(ledger, site->save_cursor, handles);

		for (uint32_t i = 0; i < count; i++) {
			size_t size;
			const uint8_t *bytes = ledger_bytes(ledger, handles[i], &size);

			site_save_fact(site, out, bytes, size, false);
		}
		site->save_cursor++;
	}
	if (site->save_cursor >= all) {
		site->save_cursor = UINT32_MAX;
		site->save_again_at = USEC_NEVER;
		site_save_floor(site, out, "clock", site_wall(site));
	} else {
		site->save_again_at = site->now;
	}
}

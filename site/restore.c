/* SPDX-License-Identifier: MIT */
/*
 * restore.c - from the rows of the store to a site that goes on where it was.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "site/links_internal.h"

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

static void read_endpoints(
	struct wire_reader *reader, uint32_t count, struct invite_endpoint *endpoints)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t size;
		const char *host = wire_read_str(reader, 1, INVITE_HOST_MAX, &size);

		if (host)
			memcpy(endpoints[i].host, host, size);
		endpoints[i].port = (uint16_t)wire_read_uint(reader, UINT16_MAX);
	}
}

static int restore_published(struct site *site, const struct site_row *row)
{
	struct site_published published = {.count = 0};
	struct wire_reader reader;

	wire_reader_init(&reader, row->bytes, row->size);
	published.count = wire_read_array(&reader, 2, 2 * INVITE_ENDPOINTS_MAX) / 2;
	read_endpoints(&reader, published.count, published.items);
	if (wire_reader_end(&reader) < 0)
		return -EBADMSG;
	site->published = published;
	return 0;
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
	collective.endpoint_count = items > 5 ? (items - 5) / 2 : 0;
	read_endpoints(&reader, collective.endpoint_count, collective.endpoints);
	if (wire_reader_end(&reader) < 0 || !site->has_identity)
		return -EBADMSG;
	site_take_collective(site, &collective);
	return 0;
}

/* Of a network that nobody has any more: what goes to it must not leave in clear. */
static int restore_guard(struct site *site, const struct site_row *row)
{
	struct site_prefix *entry;
	struct prefix prefix = {.length = row->key[sizeof entry->key - 1]};
	struct prefix canonical;

	prefix.address.family = row->key[0];
	memcpy(prefix.address.bytes, row->key + 1, sizeof prefix.address.bytes);
	if (row->key_size != sizeof entry->key || address_bits(&prefix.address) == 0 ||
		prefix.length > address_bits(&prefix.address))
		return -EBADMSG;
	canonical = prefix_canonical(&prefix);
	if (!prefix_equal(&canonical, &prefix))
		return -EBADMSG;
	entry = table_find(&site->prefixes, row->key);
	if (!entry)
		entry = table_add(&site->prefixes, row->key);
	if (entry)
		entry->kept = true;
	return 0;
}

/* What the owner said of a direct link. */
static int restore_wish(struct site *site, const struct site_row *row)
{
	struct row_id member;

	if (row->key_size != ROW_ID_SIZE || row->size != 1)
		return -EBADMSG;
	memcpy(member.bytes, row->key, ROW_ID_SIZE);
	return site_link_restore(site, &member, row->bytes[0], row->version) ? 0 : -EBADMSG;
}

/* Where a member was met last. */
static int restore_memory(struct site *site, const struct site_row *row)
{
	struct link_memory memory = {.kept = true};
	struct wire_reader reader;
	struct row_id member;

	wire_reader_init(&reader, row->bytes, row->size);
	field_read_address(&reader, &memory.place.address);
	memory.place.port = (uint16_t)wire_read_uint(&reader, UINT16_MAX);
	field_read_key(&reader, &memory.preshared);
	field_read_hash(&reader, &memory.certificate);
	if (wire_reader_end(&reader) < 0 || row->key_size != ROW_ID_SIZE)
		return -EBADMSG;
	memcpy(member.bytes, row->key, ROW_ID_SIZE);
	site_link_restore_memory(site, &member, &memory);
	return 0;
}

/* What it offered last, of what came to a link: the same is not followed again. */
static int restore_offers(struct site *site, const struct site_row *row)
{
	struct row_id member;

	if (row->key_size != ROW_ID_SIZE || row->size != 0)
		return -EBADMSG;
	memcpy(member.bytes, row->key, ROW_ID_SIZE);
	site_link_restore_offers(site, &member, row->version);
	return 0;
}

static int restore_setting(struct site *site, const struct site_row *row)
{
	struct invite invite;
	char word[INVITE_TEXT_SIZE] = "";

	if (row->kind == SITE_SETTING_GUARD)
		return restore_guard(site, row);
	if (row->kind == SITE_SETTING_LINK)
		return restore_wish(site, row);
	if (row->kind == SITE_SETTING_MEMORY)
		return restore_memory(site, row);
	if (row->kind == SITE_SETTING_OFFERS)
		return restore_offers(site, row);
	if (is_setting(row, "collective"))
		return restore_collective(site, row);
	if (is_setting(row, "published"))
		return restore_published(site, row);
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

static int restore_secret(struct site *site, const struct site_row *row)
{
	struct site_secret *secret;

	if (row->key_size != 2 * KEY_SIZE || row->size != KEY_SIZE)
		return -EBADMSG;
	secret = table_find(&site->secrets, row->key);
	if (!secret)
		secret = table_add(&site->secrets, row->key);
	if (!secret)
		return -EBADMSG;
	memcpy(secret->preshared.bytes, row->bytes, KEY_SIZE);
	return 0;
}

int site_restore(struct site *site, const struct site_row *row)
{
	int r = 0;

	switch (row->table) {
	case SITE_TABLE_SETTING:
		r = restore_setting(site, row);
		break;
	case SITE_TABLE_FACT:
		r = restore_fact(site, row);
		break;
	case SITE_TABLE_PRESHARED:
		r = restore_secret(site, row);
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

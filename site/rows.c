/* SPDX-License-Identifier: MIT */
#include "site/rows.h"

#include <assert.h>
#include <string.h>

#include "base/wire.h"

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

void site_row_fact(struct site_row *row, const void *bytes, size_t size)
{
	struct fact fact;

	assert(fact_open(&fact, bytes, size) == 0);
	*row = (struct site_row){.table = SITE_TABLE_FACT,
		.kind = (uint8_t)fact.kind,
		.size = (uint16_t)size,
		.version = 1};
	fact_key(row, &fact);
	memcpy(row->bytes, bytes, size);
}

static void write_endpoints(
	struct wire_writer *writer, uint32_t count, const struct invite_endpoint *endpoints)
{
	for (uint32_t i = 0; i < count; i++) {
		wire_write_str(writer, endpoints[i].host);
		wire_write_uint(writer, endpoints[i].port);
	}
}

void site_row_collective(struct site_row *row, const struct site_collective *collective)
{
	struct wire_writer writer;
	int size;

	*row = (struct site_row){.table = SITE_TABLE_SETTING};
	add_key(row, "collective", strlen("collective"));
	wire_writer_init(&writer, row->bytes, sizeof row->bytes);
	wire_write_array(&writer, 5 + 2 * collective->endpoint_count);
	field_write_key(&writer, &collective->root);
	field_write_prefix(&writer, &collective->supernet);
	field_write_address(&writer, &collective->hub_address);
	field_write_key(&writer, &collective->hub_key);
	field_write_address(&writer, &collective->address);
	write_endpoints(&writer, collective->endpoint_count, collective->endpoints);
	size = wire_writer_end(&writer);
	assert(size > 0);
	row->size = (uint16_t)size;
}

void site_row_published(struct site_row *row, const struct site_published *published)
{
	struct wire_writer writer;
	int size;

	*row = (struct site_row){.table = SITE_TABLE_SETTING, .remove = published->count == 0};
	add_key(row, "published", strlen("published"));
	wire_writer_init(&writer, row->bytes, sizeof row->bytes);
	wire_write_array(&writer, 2 * published->count);
	write_endpoints(&writer, published->count, published->items);
	size = wire_writer_end(&writer);
	assert(size > 0);
	row->size = (uint16_t)size;
}

void site_row_supernet(struct site_row *row, const struct prefix *supernet)
{
	char text[PREFIX_TEXT_SIZE];

	*row = (struct site_row){.table = SITE_TABLE_SETTING};
	add_key(row, "supernet", strlen("supernet"));
	prefix_print(supernet, text);
	row->size = (uint16_t)strlen(text);
	memcpy(row->bytes, text, row->size);
}

void site_row_secret(struct site_row *row, const struct key *peer, const struct key *own,
	const struct key *preshared)
{
	*row = (struct site_row){
		.table = SITE_TABLE_PRESHARED, .size = KEY_SIZE, .remove = key_is_zero(preshared)};
	add_key(row, peer->bytes, KEY_SIZE);
	add_key(row, own->bytes, KEY_SIZE);
	memcpy(row->bytes, preshared->bytes, KEY_SIZE);
}

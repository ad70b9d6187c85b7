/* SPDX-License-Identifier: MIT */
#include "gossip/authority.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define BIT(field) (UINT64_C(1) << (field))

enum delegation_field {
	DELEGATION_ADMIN = FACT_FIRST_FIELD,
	DELEGATION_VERSION,
	DELEGATION_NAME,
	DELEGATION_GRANTS,
	DELEGATION_WITHIN,
	DELEGATION_TAGS,
	DELEGATION_ISSUED_AT,
	DELEGATION_SINCE,
	DELEGATION_END,
};

int delegation_seal(const struct delegation *delegation, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *root, const struct hash *collective, const struct crypto *crypto)
{
	struct wire_writer writer;

	fact_begin(&writer, out, FACT_DELEGATION, DELEGATION_END - FACT_FIRST_FIELD);
	wire_write_uint(&writer, DELEGATION_ADMIN);
	field_write_key(&writer, &delegation->admin);
	wire_write_uint(&writer, DELEGATION_VERSION);
	wire_write_uint(&writer, delegation->version);
	wire_write_uint(&writer, DELEGATION_NAME);
	wire_write_str(&writer, delegation->name);
	wire_write_uint(&writer, DELEGATION_GRANTS);
	wire_write_uint(&writer, delegation->grants);
	wire_write_uint(&writer, DELEGATION_WITHIN);
	field_write_prefixes(&writer, &delegation->within);
	wire_write_uint(&writer, DELEGATION_TAGS);
	field_write_names(&writer, &delegation->tags);
	wire_write_uint(&writer, DELEGATION_ISSUED_AT);
	wire_write_uint(&writer, delegation->issued_at);
	wire_write_uint(&writer, DELEGATION_SINCE);
	wire_write_uint(&writer, delegation->since);
	return fact_seal(&writer, root, collective, crypto);
}

int delegation_read(struct delegation *ret, const struct fact *fact)
{
	struct delegation delegation = {0};
	struct fact_fields fields;
	struct wire_reader *reader = &fields.reader;
	uint64_t key;

	assert(fact->kind == FACT_DELEGATION);
	fact_fields_init(&fields, fact);
	while (fact_fields_next(&fields, &key)) {
		switch (key) {
		case DELEGATION_ADMIN:
			field_read_key(reader, &delegation.admin);
			break;
		case DELEGATION_VERSION:
			delegation.version = (uint32_t)wire_read_uint(reader, UINT32_MAX - 1);
			break;
		case DELEGATION_NAME:
			field_read_name(reader, delegation.name);
			break;
		case DELEGATION_GRANTS:
			delegation.grants = (uint32_t)wire_read_uint(reader, UINT32_MAX);
			break;
		case DELEGATION_WITHIN:
			field_read_prefixes(reader, &delegation.within);
			break;
		case DELEGATION_TAGS:
			field_read_names(reader, &delegation.tags);
			break;
		case DELEGATION_ISSUED_AT:
			delegation.issued_at = wire_read_uint(reader, FIELD_TIME_MAX);
			break;
		case DELEGATION_SINCE:
			delegation.since = wire_read_uint(reader, FIELD_TIME_MAX);
			break;
		default:
			wire_skip(reader);
			break;
		}
	}
	if (fact_fields_end(&fields, BIT(DELEGATION_END) - BIT(FACT_FIRST_FIELD)) < 0 ||
		delegation.version == 0 || delegation.since > delegation.issued_at)
		return -EBADMSG;
	*ret = delegation;
	return 0;
}

enum revocation_field {
	REVOCATION_SUBJECT = FACT_FIRST_FIELD,
	REVOCATION_REASON,
	REVOCATION_ISSUER,
	REVOCATION_ISSUED_AT,
	REVOCATION_END,
};

int revocation_seal(const struct revocation *revocation, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *issuer, const struct hash *collective, const struct crypto *crypto)
{
	struct wire_writer writer;

	fact_begin(&writer, out, FACT_REVOCATION, REVOCATION_END - FACT_FIRST_FIELD);
	wire_write_uint(&writer, REVOCATION_SUBJECT);
	field_write_hash(&writer, &revocation->subject);
	wire_write_uint(&writer, REVOCATION_REASON);
	wire_write_uint(&writer, revocation->reason);
	wire_write_uint(&writer, REVOCATION_ISSUER);
	field_write_hash(&writer, &revocation->issuer);
	wire_write_uint(&writer, REVOCATION_ISSUED_AT);
	wire_write_uint(&writer, revocation->issued_at);
	return fact_seal(&writer, issuer, collective, crypto);
}

int revocation_read(struct revocation *ret, const struct fact *fact)
{
	struct revocation revocation = {0};
	struct fact_fields fields;
	struct wire_reader *reader = &fields.reader;
	uint64_t key;

	assert(fact->kind == FACT_REVOCATION);
	fact_fields_init(&fields, fact);
	while (fact_fields_next(&fields, &key)) {
		switch (key) {
		case REVOCATION_SUBJECT:
			field_read_hash(reader, &revocation.subject);
			break;
		case REVOCATION_REASON:
			/* A reason that a newer program added changes nothing about the effect. */
			revocation.reason = (enum revocation_reason)wire_read_uint(
				reader, UINT8_MAX);
			break;
		case REVOCATION_ISSUER:
			field_read_hash(reader, &revocation.issuer);
			break;
		case REVOCATION_ISSUED_AT:
			revocation.issued_at = wire_read_uint(reader, FIELD_TIME_MAX);
			break;
		default:
			wire_skip(reader);
			break;
		}
	}
	if (fact_fields_end(&fields, BIT(REVOCATION_END) - BIT(FACT_FIRST_FIELD)) < 0)
		return -EBADMSG;
	*ret = revocation;
	return 0;
}

enum removal_field {
	REMOVAL_SUBJECT = FACT_FIRST_FIELD,
	REMOVAL_PARTS,
	REMOVAL_PART,
	REMOVAL_ISSUED_AT,
	REMOVAL_KEPT,
	REMOVAL_END,
};

int removal_seal(const struct removal *removal, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *root, const struct hash *collective, const struct crypto *crypto)
{
	struct wire_writer writer;

	assert(removal->count <= REMOVAL_KEPT_MAX);
	fact_begin(&writer, out, FACT_REMOVAL, REMOVAL_END - FACT_FIRST_FIELD);
	wire_write_uint(&writer, REMOVAL_SUBJECT);
	field_write_hash(&writer, &removal->subject);
	wire_write_uint(&writer, REMOVAL_PARTS);
	wire_write_uint(&writer, removal->parts);
	wire_write_uint(&writer, REMOVAL_PART);
	wire_write_uint(&writer, removal->part);
	wire_write_uint(&writer, REMOVAL_ISSUED_AT);
	wire_write_uint(&writer, removal->issued_at);
	wire_write_uint(&writer, REMOVAL_KEPT);
	wire_write_bin(&writer, removal->kept, (size_t)removal->count * HASH_SIZE);
	return fact_seal(&writer, root, collective, crypto);
}

static void read_kept(struct wire_reader *reader, struct removal *removal)
{
	size_t size;
	const uint8_t *bytes = wire_read_bin(reader, 0, sizeof removal->kept, &size);

	if (!bytes)
		return;
	if (size % HASH_SIZE != 0) {
		wire_refuse(reader);
		return;
	}
	memcpy(removal->kept, bytes, size);
	removal->count = (uint32_t)(size / HASH_SIZE);
	for (uint32_t i = 1; i < removal->count; i++) {
		if (hash_compare(&removal->kept[i - 1], &removal->kept[i]) >= 0)
			wire_refuse(reader);
	}
}

int removal_read(struct removal *ret, const struct fact *fact)
{
	struct removal removal = {0};
	struct fact_fields fields;
	struct wire_reader *reader = &fields.reader;
	uint64_t key;

	assert(fact->kind == FACT_REMOVAL);
	fact_fields_init(&fields, fact);
	while (fact_fields_next(&fields, &key)) {
		switch (key) {
		case REMOVAL_SUBJECT:
			field_read_hash(reader, &removal.subject);
			break;
		case REMOVAL_PARTS:
			removal.parts = (uint32_t)wire_read_uint(reader, REMOVAL_PARTS_MAX);
			break;
		case REMOVAL_PART:
			removal.part = (uint32_t)wire_read_uint(reader, REMOVAL_PARTS_MAX - 1);
			break;
		case REMOVAL_ISSUED_AT:
			removal.issued_at = wire_read_uint(reader, FIELD_TIME_MAX);
			break;
		case REMOVAL_KEPT:
			read_kept(reader, &removal);
			break;
		default:
			wire_skip(reader);
			break;
		}
	}
	if (fact_fields_end(&fields, BIT(REMOVAL_END) - BIT(FACT_FIRST_FIELD)) < 0 ||
		removal.part >= removal.parts)
		return -EBADMSG;
	*ret = removal;
	return 0;
}

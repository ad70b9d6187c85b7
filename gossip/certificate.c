/* SPDX-License-Identifier: MIT */
#include "gossip/certificate.h"

#include <assert.h>
#include <errno.h>

#define BIT(field) (UINT64_C(1) << (field))

enum certificate_field {
	CERTIFICATE_SITE = FACT_FIRST_FIELD,
	CERTIFICATE_VERSION,
	CERTIFICATE_BACKBONE,
	CERTIFICATE_LINKS,
	CERTIFICATE_NAME,
	CERTIFICATE_ADDRESS,
	CERTIFICATE_SUBNETS,
	CERTIFICATE_ROUTES,
	CERTIFICATE_TAGS,
	CERTIFICATE_ROLES,
	CERTIFICATE_SINCE,
	CERTIFICATE_ISSUED_AT,
	CERTIFICATE_ISSUER,
	CERTIFICATE_REQUIRED_END,
	CERTIFICATE_NOT_AFTER = CERTIFICATE_REQUIRED_END, /* only where there is one */
};

int certificate_seal(const struct certificate *certificate, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *admin, const struct hash *collective, const struct crypto *crypto)
{
	bool limited = certificate->not_after != 0;
	struct wire_writer writer;

	fact_begin(&writer, out, FACT_CERTIFICATE,
		CERTIFICATE_REQUIRED_END - FACT_FIRST_FIELD + (limited ? 1u : 0u));
	wire_write_uint(&writer, CERTIFICATE_SITE);
	field_write_key(&writer, &certificate->site);
	wire_write_uint(&writer, CERTIFICATE_VERSION);
	wire_write_uint(&writer, certificate->version);
	wire_write_uint(&writer, CERTIFICATE_BACKBONE);
	field_write_key(&writer, &certificate->backbone);
	wire_write_uint(&writer, CERTIFICATE_LINKS);
	field_write_key(&writer, &certificate->links);
	wire_write_uint(&writer, CERTIFICATE_NAME);
	wire_write_str(&writer, certificate->name);
	wire_write_uint(&writer, CERTIFICATE_ADDRESS);
	field_write_address(&writer, &certificate->address);
	wire_write_uint(&writer, CERTIFICATE_SUBNETS);
	field_write_prefixes(&writer, &certificate->subnets);
	wire_write_uint(&writer, CERTIFICATE_ROUTES);
	field_write_prefixes(&writer, &certificate->routes);
	wire_write_uint(&writer, CERTIFICATE_TAGS);
	field_write_names(&writer, &certificate->tags);
	wire_write_uint(&writer, CERTIFICATE_ROLES);
	wire_write_uint(&writer, certificate->roles);
	wire_write_uint(&writer, CERTIFICATE_SINCE);
	wire_write_uint(&writer, certificate->since);
	wire_write_uint(&writer, CERTIFICATE_ISSUED_AT);
	wire_write_uint(&writer, certificate->issued_at);
	wire_write_uint(&writer, CERTIFICATE_ISSUER);
	field_write_hash(&writer, &certificate->issuer);
	if (limited) {
		wire_write_uint(&writer, CERTIFICATE_NOT_AFTER);
		wire_write_uint(&writer, certificate->not_after);
	}
	return fact_seal(&writer, admin, collective, crypto);
}

static void read_field(struct wire_reader *reader, uint64_t key, struct certificate *certificate)
{
	switch (key) {
	case CERTIFICATE_SITE:
		field_read_key(reader, &certificate->site);
		break;
	case CERTIFICATE_VERSION:
		certificate->version = (uint32_t)wire_read_uint(reader, CERTIFICATE_VERSION_MAX);
		break;
	case CERTIFICATE_BACKBONE:
		field_read_key(reader, &certificate->backbone);
		break;
	case CERTIFICATE_LINKS:
		field_read_key(reader, &certificate->links);
		break;
	case CERTIFICATE_NAME:
		field_read_name(reader, certificate->name);
		break;
	case CERTIFICATE_ADDRESS:
		field_read_address(reader, &certificate->address);
		break;
	case CERTIFICATE_SUBNETS:
		field_read_prefixes(reader, &certificate->subnets);
		break;
	case CERTIFICATE_ROUTES:
		field_read_prefixes(reader, &certificate->routes);
		break;
	case CERTIFICATE_TAGS:
		field_read_names(reader, &certificate->tags);
		break;
	case CERTIFICATE_ROLES:
		certificate->roles = (uint32_t)wire_read_uint(reader, UINT32_MAX);
		break;
	case CERTIFICATE_SINCE:
		certificate->since = wire_read_uint(reader, FIELD_TIME_MAX);
		break;
	case CERTIFICATE_ISSUED_AT:
		certificate->issued_at = wire_read_uint(reader, FIELD_TIME_MAX);
		break;
	case CERTIFICATE_ISSUER:
		field_read_hash(reader, &certificate->issuer);
		break;
	case CERTIFICATE_NOT_AFTER:
		certificate->not_after = wire_read_uint(reader, FIELD_TIME_MAX);
		if (certificate->not_after == 0)
			wire_refuse(reader);
		break;
	default:
		wire_skip(reader);
		break;
	}
}

static bool has_address(const struct prefixes *prefixes, const struct address *address)
{
	for (uint32_t i = 0; i < prefixes->count; i++) {
		if (prefix_has_address(&prefixes->items[i], address))
			return true;
	}
	return false;
}

int certificate_read(struct certificate *ret, const struct fact *fact)
{
	struct certificate certificate = {0};
	struct fact_fields fields;
	uint64_t key;

	assert(fact->kind == FACT_CERTIFICATE);
	fact_fields_init(&fields, fact);
	while (fact_fields_next(&fields, &key))
		read_field(&fields.reader, key, &certificate);
	if (fact_fields_end(&fields, BIT(CERTIFICATE_REQUIRED_END) - BIT(FACT_FIRST_FIELD)) < 0)
		return -EBADMSG;
	if (certificate.version == 0 || certificate.since > certificate.issued_at ||
		key_equal(&certificate.backbone, &certificate.links) ||
		!has_address(&certificate.subnets, &certificate.address))
		return -EBADMSG;
	*ret = certificate;
	return 0;
}

bool certificate_fits(const struct certificate *certificate, const struct prefix *supernet)
{
	for (uint32_t i = 0; i < certificate->subnets.count; i++) {
		if (!prefix_contains(supernet, &certificate->subnets.items[i]))
			return false;
	}
	for (uint32_t i = 0; i < certificate->routes.count; i++) {
		if (prefix_overlaps(supernet, &certificate->routes.items[i]) ||
			prefix_reserved(&certificate->routes.items[i]))
			return false;
	}
	return true;
}

bool certificate_granted(const struct certificate *certificate, const struct delegation *delegation)
{
	const struct prefixes *within = &delegation->within;

	if (!(delegation->grants & GRANT_ADMIT))
		return false;
	if (certificate->roles != 0 && !(delegation->grants & GRANT_BACKBONE))
		return false;
	if (certificate->routes.count > 0 && !(delegation->grants & GRANT_ROUTES))
		return false;
	if (within->count > 0 && (!prefixes_contain(within, &certificate->subnets) ||
					 !prefixes_contain(within, &certificate->routes)))
		return false;
	return delegation->tags.count == 0 || names_contain(&delegation->tags, &certificate->tags);
}

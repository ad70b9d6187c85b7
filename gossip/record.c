/* SPDX-License-Identifier: MIT */
#include "gossip/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define BIT(field) (UINT64_C(1) << (field))
#define LINK_SIZE (ROW_ID_SIZE + 2)

/* Fields from FLAGS on stand only where they are not empty: most records are small. */
enum record_field {
	RECORD_SITE = FACT_FIRST_FIELD,
	RECORD_SEQUENCE,
	RECORD_ISSUED_AT,
	RECORD_LIFETIME,
	RECORD_PROTOCOL,
	RECORD_PROGRAM,
	RECORD_REQUIRED_END,
	RECORD_FLAGS = RECORD_REQUIRED_END,
	RECORD_NAT,
	RECORD_ROLES,
	RECORD_ENDPOINTS,
	RECORD_SERVICES,
	RECORD_LINKS,
	RECORD_ADMIN,
};

uint32_t nat_class_number(const struct nat_class *nat)
{
	return (uint32_t)nat->mapping | (uint32_t)nat->filtering << 2 |
	       (uint32_t)nat->allocation << 4 | (uint32_t)nat->remapped << 6;
}

struct nat_class nat_class_of(uint32_t number)
{
	return (struct nat_class){.mapping = number & 3,
		.filtering = number >> 2 & 3,
		.allocation = number >> 4 & 3,
		.remapped = number >> 6 & 1};
}

static void write_services(struct wire_writer *writer, const struct record *record)
{
	wire_write_array(writer, record->service_count);
	for (uint32_t i = 0; i < record->service_count; i++) {
		const struct service *service = &record->services[i];

		wire_write_array(writer, 3);
		wire_write_str(writer, service->name);
		wire_write_uint(writer, service->protocol);
		wire_write_uint(writer, service->port);
	}
}

static void write_links(struct wire_writer *writer, const struct record *record)
{
	uint8_t bytes[RECORD_LINKS_MAX * LINK_SIZE];

	for (uint32_t i = 0; i < record->link_count; i++) {
		uint8_t *at = bytes + (size_t)i * LINK_SIZE;

		memcpy(at, record->links[i].peer.bytes, ROW_ID_SIZE);
		at[ROW_ID_SIZE] = (uint8_t)(record->links[i].rtt >> 8);
		at[ROW_ID_SIZE + 1] = (uint8_t)record->links[i].rtt;
	}
	wire_write_bin(writer, bytes, (size_t)record->link_count * LINK_SIZE);
}

static void write_optional(struct wire_writer *writer, const struct record *record)
{
	if (record->flags) {
		wire_write_uint(writer, RECORD_FLAGS);
		wire_write_uint(writer, record->flags);
	}
	if (nat_class_number(&record->nat)) {
		wire_write_uint(writer, RECORD_NAT);
		wire_write_uint(writer, nat_class_number(&record->nat));
	}
	if (record->roles) {
		wire_write_uint(writer, RECORD_ROLES);
		wire_write_uint(writer, record->roles);
	}
	if (record->endpoint_count) {
		wire_write_uint(writer, RECORD_ENDPOINTS);
		wire_write_array(writer, record->endpoint_count);
		for (uint32_t i = 0; i < record->endpoint_count; i++)
			field_write_endpoint(writer, &record->endpoints[i]);
	}
	if (record->service_count) {
		wire_write_uint(writer, RECORD_SERVICES);
		write_services(writer, record);
	}
	if (record->link_count) {
		wire_write_uint(writer, RECORD_LINKS);
		write_links(writer, record);
	}
	if (!key_is_zero(&record->admin)) {
		wire_write_uint(writer, RECORD_ADMIN);
		field_write_key(writer, &record->admin);
	}
}

int record_seal(const struct record *record, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *site, const struct hash *collective, const struct crypto *crypto)
{
	uint32_t optional = (record->flags != 0) + (nat_class_number(&record->nat) != 0) +
			    (record->roles != 0) + (record->endpoint_count != 0) +
			    (record->service_count != 0) + (record->link_count != 0) +
			    !key_is_zero(&record->admin);
	struct wire_writer writer;

	assert(record->endpoint_count <= RECORD_ENDPOINTS_MAX &&
		record->service_count <= RECORD_SERVICES_MAX &&
		record->link_count <= RECORD_LINKS_MAX);
	fact_begin(&writer, out, FACT_RECORD, RECORD_REQUIRED_END - FACT_FIRST_FIELD + optional);
	wire_write_uint(&writer, RECORD_SITE);
	field_write_key(&writer, &record->site);
	wire_write_uint(&writer, RECORD_SEQUENCE);
	wire_write_uint(&writer, record->sequence);
	wire_write_uint(&writer, RECORD_ISSUED_AT);
	wire_write_uint(&writer, record->issued_at);
	wire_write_uint(&writer, RECORD_LIFETIME);
	wire_write_uint(&writer, record->lifetime);
	wire_write_uint(&writer, RECORD_PROTOCOL);
	wire_write_uint(&writer, record->protocol);
	wire_write_uint(&writer, RECORD_PROGRAM);
	wire_write_str(&writer, record->program);
	write_optional(&writer, record);
	return fact_seal(&writer, site, collective, crypto);
}

/* A version for people: printable, so that it can be shown as it is. */
static void read_program(struct wire_reader *reader, struct record *record)
{
	size_t size;
	const char *text = wire_read_str(reader, 1, sizeof record->program - 1, &size);

	memset(record->program, 0, sizeof record->program);
	for (size_t i = 0; text && i < size; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			wire_refuse(reader);
	}
	if (text && !reader->error)
		memcpy(record->program, text, size);
}

static void read_nat(struct wire_reader *reader, struct nat_class *nat)
{
	uint32_t number = (uint32_t)wire_read_uint(reader, 0x7f);

	if (number == 0)
		wire_refuse(reader);
	*nat = nat_class_of(number);
}

static void read_endpoints(struct wire_reader *reader, struct record *record)
{
	record->endpoint_count = wire_read_array(reader, 1, RECORD_ENDPOINTS_MAX);
	for (uint32_t i = 0; i < record->endpoint_count; i++)
		field_read_endpoint(reader, &record->endpoints[i]);
}

static void read_services(struct wire_reader *reader, struct record *record)
{
	record->service_count = wire_read_array(reader, 1, RECORD_SERVICES_MAX);
	for (uint32_t i = 0; i < record->service_count; i++) {
		struct service *service = &record->services[i];

		(void)wire_read_array(reader, 3, 3);
		field_read_name(reader, service->name);
		service->protocol = (uint8_t)wire_read_uint(reader, UINT8_MAX);
		service->port = (uint16_t)wire_read_uint(reader, UINT16_MAX);
		if (i > 0 && strcmp(service[-1].name, service->name) >= 0)
			wire_refuse(reader);
	}
}

static void read_links(struct wire_reader *reader, struct record *record)
{
	size_t size;
	const uint8_t *bytes = wire_read_bin(
		reader, LINK_SIZE, (size_t)RECORD_LINKS_MAX * LINK_SIZE, &size);

	if (!bytes)
		return;
	if (size % LINK_SIZE != 0) {
		wire_refuse(reader);
		return;
	}
	record->link_count = (uint32_t)(size / LINK_SIZE);
	for (uint32_t i = 0; i < record->link_count; i++) {
		struct direct_link *link = &record->links[i];
		const uint8_t *at = bytes + (size_t)i * LINK_SIZE;

		memcpy(link->peer.bytes, at, ROW_ID_SIZE);
		link->rtt = (uint16_t)(at[ROW_ID_SIZE] << 8 | at[ROW_ID_SIZE + 1]);
		if (i > 0 && memcmp(link[-1].peer.bytes, link->peer.bytes, ROW_ID_SIZE) >= 0)
			wire_refuse(reader);
	}
}

/* A number that stands only where it is not 0, so that a record has one encoding. */
static uint32_t read_nonzero(struct wire_reader *reader)
{
	uint32_t value = (uint32_t)wire_read_uint(reader, UINT32_MAX);

	if (value == 0)
		wire_refuse(reader);
	return value;
}

static void read_field(struct wire_reader *reader, uint64_t key, struct record *record)
{
	switch (key) {
	case RECORD_SITE:
		field_read_key(reader, &record->site);
		break;
	case RECORD_SEQUENCE:
		record->sequence = wire_read_uint(reader, FIELD_TIME_MAX);
		break;
	case RECORD_ISSUED_AT:
		record->issued_at = wire_read_uint(reader, FIELD_TIME_MAX);
		break;
	case RECORD_LIFETIME:
		record->lifetime = (uint32_t)wire_read_uint(reader, RECORD_LEFT_LIFETIME_S);
		break;
	case RECORD_PROTOCOL:
		record->protocol = (uint32_t)wire_read_uint(reader, UINT16_MAX);
		break;
	case RECORD_PROGRAM:
		read_program(reader, record);
		break;
	case RECORD_FLAGS:
		record->flags = read_nonzero(reader);
		break;
	case RECORD_NAT:
		read_nat(reader, &record->nat);
		break;
	case RECORD_ROLES:
		record->roles = read_nonzero(reader);
		break;
	case RECORD_ENDPOINTS:
		read_endpoints(reader, record);
		break;
	case RECORD_SERVICES:
		read_services(reader, record);
		break;
	case RECORD_LINKS:
		read_links(reader, record);
		break;
	case RECORD_ADMIN:
		field_read_key(reader, &record->admin);
		break;
	default:
		wire_skip(reader);
		break;
	}
}

int record_read(struct record *ret, const struct fact *fact)
{
	struct record record = {0};
	struct fact_fields fields;
	uint64_t key;

	assert(fact->kind == FACT_RECORD);
	fact_fields_init(&fields, fact);
	while (fact_fields_next(&fields, &key))
		read_field(&fields.reader, key, &record);
	if (fact_fields_end(&fields, BIT(RECORD_REQUIRED_END) - BIT(FACT_FIRST_FIELD)) < 0 ||
		record.sequence == 0)
		return -EBADMSG;
	if (record.lifetime > RECORD_LIFETIME_S && !(record.flags & RECORD_LEFT))
		return -EBADMSG;
	*ret = record;
	return 0;
}

bool record_peek(const void *bytes, size_t size, struct key *site)
{
	/* Behind the map's head: kind, format, and the first field with its bin's head. */
	static const uint8_t head[] = {0, FACT_RECORD, 1, FACT_FORMAT, RECORD_SITE, 0xc4, KEY_SIZE};
	const uint8_t *at = bytes;

	if (size < 1 + sizeof head + KEY_SIZE + SIGNATURE_SIZE ||
		memcmp(at + 1, head, sizeof head) != 0)
		return false;
	memcpy(site->bytes, at + 1 + sizeof head, KEY_SIZE);
	return true;
}

uint64_t record_expires(const struct record *record)
{
	return record->issued_at + (uint64_t)record->lifetime * 1000;
}

/* SPDX-License-Identifier: MIT */
#include "gossip/fact.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* With its final NUL: no tag is the beginning of another. */
static const char fact_tag[] = "collective fact 1";
static const char root_tag[] = "collective root 1";

#define SIGNED_SIZE_MAX (sizeof fact_tag + 1 + HASH_SIZE + FACT_SIZE_MAX)

/* For what cannot fail unless we are wrong. */
static void require(int r)
{
	assert(r == 0);
	(void)r;
}

struct row_id row_id_of(const struct hash *hash)
{
	struct row_id id;

	memcpy(id.bytes, hash->bytes, ROW_ID_SIZE);
	return id;
}

struct hash collective_id(const struct key *root)
{
	uint8_t bytes[sizeof root_tag + KEY_SIZE];

	memcpy(bytes, root_tag, sizeof root_tag);
	memcpy(bytes + sizeof root_tag, root->bytes, KEY_SIZE);
	return hash_of(bytes, sizeof bytes);
}

static size_t body_size(const struct fact *fact)
{
	return fact->size - SIGNATURE_SIZE;
}

/* Reads the keys 0 and 1, which every body begins with. */
static void read_head(
	struct wire_reader *reader, struct wire_map *map, uint64_t *kind, uint64_t *format)
{
	uint64_t key;

	*map = wire_read_map(reader, FACT_FIELDS_MAX);
	if (!wire_next_key(reader, map, &key) || key != 0)
		wire_refuse(reader);
	*kind = wire_read_uint(reader, UINT16_MAX);
	if (!wire_next_key(reader, map, &key) || key != 1)
		wire_refuse(reader);
	*format = wire_read_uint(reader, UINT16_MAX);
}

int fact_open(struct fact *ret, const void *bytes, size_t size)
{
	struct wire_reader reader;
	struct wire_map map;
	uint64_t kind;
	uint64_t format;
	uint64_t key;

	if (size > FACT_SIZE_MAX || size <= SIGNATURE_SIZE)
		return -EMSGSIZE;
	wire_reader_init(&reader, bytes, size - SIGNATURE_SIZE);
	read_head(&reader, &map, &kind, &format);
	while (wire_next_key(&reader, &map, &key))
		wire_skip(&reader);
	if (wire_reader_end(&reader) < 0 || kind == 0 || format == 0)
		return -EBADMSG;
	if (kind > FACT_RECORD || format > FACT_FORMAT)
		return -ENOTSUP;
	*ret = (struct fact){.kind = (enum fact_kind)kind, .bytes = bytes, .size = size};
	return 0;
}

/* Lays out what a signature covers. Returns its size. */
static size_t lay_out(uint8_t out[static SIGNED_SIZE_MAX], uint8_t kind,
	const struct hash *collective, const void *body, size_t size)
{
	size_t used = 0;

	assert(size <= FACT_SIZE_MAX);
	memcpy(out, fact_tag, sizeof fact_tag);
	used += sizeof fact_tag;
	out[used++] = kind;
	memcpy(out + used, collective->bytes, HASH_SIZE);
	used += HASH_SIZE;
	memcpy(out + used, body, size);
	return used + size;
}

bool fact_verify(const struct fact *fact, const struct key *signer, const struct hash *collective,
	const struct crypto *crypto)
{
	uint8_t message[SIGNED_SIZE_MAX];
	size_t size = lay_out(
		message, (uint8_t)fact->kind, collective, fact->bytes, body_size(fact));

	return crypto->verify(fact->bytes + body_size(fact), message, size, signer);
}

void fact_begin(struct wire_writer *writer, uint8_t out[static FACT_SIZE_MAX], enum fact_kind kind,
	uint32_t fields)
{
	wire_writer_init(writer, out, FACT_SIZE_MAX - SIGNATURE_SIZE);
	wire_write_map(writer, FACT_FIRST_FIELD + fields);
	wire_write_uint(writer, 0);
	wire_write_uint(writer, kind);
	wire_write_uint(writer, 1);
	wire_write_uint(writer, FACT_FORMAT);
}

int fact_seal(struct wire_writer *writer, const struct secret *signer,
	const struct hash *collective, const struct crypto *crypto)
{
	uint8_t message[SIGNED_SIZE_MAX];
	struct fact fact;
	int body = wire_writer_end(writer);
	size_t size;

	if (body < 0)
		return -EMSGSIZE;
	require(fact_open(&fact, writer->bytes,
		(size_t)body + SIGNATURE_SIZE)); /* a body that was begun by fact_begin */
	size = lay_out(message, (uint8_t)fact.kind, collective, writer->bytes, (size_t)body);
	crypto->sign(writer->bytes + body, message, size, signer);
	return body + SIGNATURE_SIZE;
}

void fact_fields_init(struct fact_fields *fields, const struct fact *fact)
{
	uint64_t kind;
	uint64_t format;

	fields->seen = 0;
	wire_reader_init(&fields->reader, fact->bytes, body_size(fact));
	read_head(&fields->reader, &fields->map, &kind, &format);
}

bool fact_fields_next(struct fact_fields *fields, uint64_t *key)
{
	if (!wire_next_key(&fields->reader, &fields->map, key))
		return false;
	if (*key < 64)
		fields->seen |= UINT64_C(1) << *key;
	return true;
}

int fact_fields_end(const struct fact_fields *fields, uint64_t required)
{
	if (wire_reader_end(&fields->reader) < 0 || (fields->seen & required) != required)
		return -EBADMSG;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "gossip/envelope.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/field.h"

#define ITEMS_MAX 32
#define TAG_SIZE_MAX 32
#define SIGNED_SIZE_MAX (TAG_SIZE_MAX + HASH_SIZE + ENVELOPE_SIZE_MAX)

/* Lays out what a signature covers; the tag with its final NUL. Returns the size. */
static size_t lay_out(uint8_t out[static SIGNED_SIZE_MAX], const char *tag,
	const struct hash *collective, const uint8_t *bytes, size_t size)
{
	size_t tag_size = strlen(tag) + 1;

	assert(tag_size <= TAG_SIZE_MAX && size <= ENVELOPE_SIZE_MAX);
	memcpy(out, tag, tag_size);
	memcpy(out + tag_size, collective->bytes, HASH_SIZE);
	memcpy(out + tag_size + HASH_SIZE, bytes, size);
	return tag_size + HASH_SIZE + size;
}

unsigned envelope_type(const void *bytes, size_t size)
{
	struct wire_reader reader;

	wire_reader_init(&reader, bytes, size);
	(void)wire_read_array(&reader, ENVELOPE_HEAD, ITEMS_MAX);
	return (unsigned)wire_read_uint(&reader, 127);
}

void envelope_begin(struct wire_writer *writer, void *out, size_t size, enum envelope_type type,
	uint32_t items, const struct hash *collective, uint64_t clock)
{
	wire_writer_init(writer, out, size);
	wire_write_array(writer, items);
	wire_write_uint(writer, type);
	wire_write_uint(writer, ENVELOPE_PROTOCOL);
	field_write_hash(writer, collective);
	wire_write_uint(writer, clock);
}

int envelope_sign(struct wire_writer *writer, const char *tag, const struct secret *signer,
	const struct hash *collective, const struct crypto *crypto)
{
	uint8_t message[SIGNED_SIZE_MAX];
	uint8_t signature[SIGNATURE_SIZE];

	if (wire_writer_end(writer) < 0)
		return -EMSGSIZE;
	crypto->sign(signature, message,
		lay_out(message, tag, collective, writer->bytes, writer->length), signer);
	wire_write_bin(writer, signature, SIGNATURE_SIZE);
	return wire_writer_end(writer) < 0 ? -EMSGSIZE : (int)writer->length;
}

int envelope_open(struct envelope *envelope, enum envelope_type type, uint32_t known,
	const struct hash *collective, const void *bytes, size_t size)
{
	struct wire_reader *reader = &envelope->reader;
	uint64_t found;
	uint64_t protocol;
	struct hash of;

	memset(envelope, 0, sizeof *envelope);
	if (size > ENVELOPE_SIZE_MAX)
		return -EBADMSG;
	envelope->bytes = bytes;
	envelope->known = known;
	wire_reader_init(reader, bytes, size);
	envelope->items = wire_read_array(reader, known, ITEMS_MAX);
	found = wire_read_uint(reader, UINT16_MAX);
	protocol = wire_read_uint(reader, UINT16_MAX);
	field_read_hash(reader, &of);
	envelope->clock = wire_read_uint(reader, FIELD_TIME_MAX);
	if (reader->error || found != type || protocol == 0)
		return -EBADMSG;
	return hash_equal(&of, collective) ? 0 : -EXDEV;
}

void envelope_read_signature(struct envelope *envelope)
{
	envelope->signed_size = (size_t)(envelope->reader.at - envelope->bytes);
	wire_read_exact(&envelope->reader, envelope->signature, SIGNATURE_SIZE);
}

int envelope_end(struct envelope *envelope)
{
	for (uint32_t i = envelope->known; i < envelope->items; i++)
		wire_skip(&envelope->reader);
	return wire_reader_end(&envelope->reader);
}

bool envelope_verify(const struct envelope *envelope, const char *tag, const struct key *signer,
	const struct hash *collective, const struct crypto *crypto)
{
	uint8_t message[SIGNED_SIZE_MAX];

	return crypto->verify(envelope->signature, message,
		lay_out(message, tag, collective, envelope->bytes, envelope->signed_size), signer);
}

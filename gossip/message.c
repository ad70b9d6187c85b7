/* SPDX-License-Identifier: MIT */
#include "gossip/message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define HEAD_ITEMS 4
#define ITEMS_MAX 32
#define DELTA_HEAD_MAX 32 /* bytes of a DELTA before its first fact */
#define BIN_HEAD_MAX 3

static void put_row(uint8_t out[static ROW_SIZE], const struct row *row)
{
	memcpy(out, row->id.bytes, ROW_ID_SIZE);
	bytes_put(out + 8, row->version, 4);
	bytes_put(out + 12, row->sequence, 6);
}

static struct row get_row(const uint8_t in[static ROW_SIZE])
{
	struct row row = {0};

	memcpy(row.id.bytes, in, ROW_ID_SIZE);
	row.version = (uint32_t)bytes_get(in + 8, 4);
	row.sequence = bytes_get(in + 12, 6);
	return row;
}

static void write_rows(struct wire_writer *writer, const struct message *message)
{
	uint8_t bytes[MESSAGE_ROWS_MAX * ROW_SIZE];

	assert(message->row_count <= MESSAGE_ROWS_MAX);
	for (uint32_t i = 0; i < message->row_count; i++)
		put_row(bytes + (size_t)i * ROW_SIZE, &message->rows[i]);
	wire_write_bin(writer, bytes, (size_t)message->row_count * ROW_SIZE);
}

static void read_rows(struct wire_reader *reader, struct message *message)
{
	size_t size;
	const uint8_t *bytes = wire_read_bin(reader, 0, (size_t)MESSAGE_ROWS_MAX * ROW_SIZE, &size);

	if (!bytes)
		return;
	if (size % ROW_SIZE != 0) {
		wire_refuse(reader);
		return;
	}
	message->row_count = (uint32_t)(size / ROW_SIZE);
	for (uint32_t i = 0; i < message->row_count; i++)
		message->rows[i] = get_row(bytes + (size_t)i * ROW_SIZE);
}

static void write_summary(struct wire_writer *writer, const struct ledger_summary *summary)
{
	wire_write_uint(writer, summary->facts);
	field_write_hash(writer, &summary->facts_hash);
	wire_write_uint(writer, summary->revocations);
	field_write_hash(writer, &summary->revocations_hash);
}

static void read_summary(struct wire_reader *reader, struct ledger_summary *summary)
{
	summary->facts = (uint32_t)wire_read_uint(reader, UINT32_MAX);
	field_read_hash(reader, &summary->facts_hash);
	summary->revocations = (uint32_t)wire_read_uint(reader, UINT32_MAX);
	field_read_hash(reader, &summary->revocations_hash);
}

static void write_digest(struct wire_writer *writer, const struct message *message)
{
	wire_write_bin(writer, message->first.bytes, ROW_ID_SIZE);
	wire_write_bin(writer, message->end.bytes, ROW_ID_SIZE);
	wire_write_bool(writer, message->out);
	field_write_hash(writer, &message->hash);
	write_rows(writer, message);
}

/* The rows of a digest are in order and inside its range. */
static void read_digest(struct wire_reader *reader, struct message *message)
{
	wire_read_exact(reader, message->first.bytes, ROW_ID_SIZE);
	wire_read_exact(reader, message->end.bytes, ROW_ID_SIZE);
	message->out = wire_read_bool(reader);
	field_read_hash(reader, &message->hash);
	read_rows(reader, message);
	if (memcmp(message->first.bytes, message->end.bytes, ROW_ID_SIZE) > 0)
		wire_refuse(reader);
	for (uint32_t i = 0; i < message->row_count; i++) {
		const uint8_t *id = message->rows[i].id.bytes;
		const uint8_t *before = i > 0 ? message->rows[i - 1].id.bytes
					      : message->first.bytes;

		if (memcmp(before, id, ROW_ID_SIZE) > 0 ||
			memcmp(id, message->end.bytes, ROW_ID_SIZE) > 0)
			wire_refuse(reader);
	}
}

/* Items of each type behind the head. */
static uint32_t item_count(const struct message *message)
{
	switch (message->type) {
	case MESSAGE_HELLO:
		return 6;
	case MESSAGE_SUMMARY:
	case MESSAGE_DIGEST:
		return 5;
	case MESSAGE_WANT:
	case MESSAGE_IHAVE:
	case MESSAGE_DELTA:
	default:
		return 1;
	}
}

size_t message_write(const struct message *message, const struct hash *collective,
	uint8_t out[static MESSAGE_SIZE_MAX])
{
	struct wire_writer writer;

	wire_writer_init(&writer, out, MESSAGE_SIZE_MAX);
	wire_write_array(&writer, HEAD_ITEMS + item_count(message));
	wire_write_uint(&writer, message->type);
	wire_write_uint(&writer, MESSAGE_PROTOCOL);
	wire_write_bin(&writer, collective->bytes, MESSAGE_TAG_SIZE);
	wire_write_uint(&writer, message->clock);
	switch (message->type) {
	case MESSAGE_HELLO:
	case MESSAGE_SUMMARY:
		wire_write_bool(&writer, message->answer);
		write_summary(&writer, &message->summary);
		if (message->type == MESSAGE_HELLO)
			wire_write_uint(&writer, message->boot);
		break;
	case MESSAGE_DIGEST:
		write_digest(&writer, message);
		break;
	case MESSAGE_WANT:
	case MESSAGE_IHAVE:
		write_rows(&writer, message);
		break;
	case MESSAGE_DELTA:
		wire_write_array(&writer, message->fact_count);
		for (uint32_t i = 0; i < message->fact_count; i++)
			wire_write_bin(&writer, message->facts[i], message->fact_sizes[i]);
		break;
	}
	assert(wire_writer_end(&writer) > 0);
	return writer.length;
}

bool message_delta_room(const struct message *message, size_t size)
{
	size_t used = DELTA_HEAD_MAX;

	for (uint32_t i = 0; i < message->fact_count; i++)
		used += BIN_HEAD_MAX + message->fact_sizes[i];
	return message->fact_count < MESSAGE_FACTS_MAX &&
	       used + BIN_HEAD_MAX + size <= MESSAGE_SIZE_MAX;
}

static void read_facts(struct wire_reader *reader, struct message *message)
{
	message->fact_count = wire_read_array(reader, 1, MESSAGE_FACTS_MAX);
	for (uint32_t i = 0; i < message->fact_count; i++)
		message->facts[i] = wire_read_bin(
			reader, 1, FACT_SIZE_MAX, &message->fact_sizes[i]);
}

static void read_body(struct wire_reader *reader, struct message *message)
{
	switch (message->type) {
	case MESSAGE_HELLO:
	case MESSAGE_SUMMARY:
		message->answer = wire_read_bool(reader);
		read_summary(reader, &message->summary);
		if (message->type == MESSAGE_HELLO)
			message->boot = wire_read_uint(reader, UINT64_MAX);
		break;
	case MESSAGE_DIGEST:
		read_digest(reader, message);
		break;
	case MESSAGE_WANT:
	case MESSAGE_IHAVE:
		read_rows(reader, message);
		break;
	case MESSAGE_DELTA:
		read_facts(reader, message);
		break;
	}
}

int message_read(struct message *ret, const struct hash *collective, const void *bytes, size_t size)
{
	struct wire_reader reader;
	uint8_t tag[MESSAGE_TAG_SIZE];
	uint32_t items;
	uint64_t type;

	memset(ret, 0, offsetof(struct message, rows));
	ret->fact_count = 0;
	if (size > MESSAGE_SIZE_MAX)
		return -EBADMSG;
	wire_reader_init(&reader, bytes, size);
	items = wire_read_array(&reader, HEAD_ITEMS, ITEMS_MAX);
	type = wire_read_uint(&reader, UINT16_MAX);
	ret->protocol = (uint32_t)wire_read_uint(&reader, UINT16_MAX);
	wire_read_exact(&reader, tag, MESSAGE_TAG_SIZE);
	ret->clock = wire_read_uint(&reader, FIELD_TIME_MAX);
	if (reader.error || type == 0 || ret->protocol == 0)
		return -EBADMSG;
	if (memcmp(tag, collective->bytes, MESSAGE_TAG_SIZE) != 0)
		return -EXDEV;
	if (type > MESSAGE_DELTA)
		return -ENOTSUP;
	ret->type = (enum message_type)type;
	if (items < HEAD_ITEMS + item_count(ret))
		return -EBADMSG;
	read_body(&reader, ret);
	for (uint32_t i = HEAD_ITEMS + item_count(ret); i < items; i++)
		wire_skip(&reader);
	return wire_reader_end(&reader);
}

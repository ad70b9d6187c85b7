/* SPDX-License-Identifier: MIT */
#include "gossip/receipt.h"

#include <string.h>

#include "base/bytes.h"

#define ITEMS 4

static const char tag[] = "collective receipt 1";

/* What the signature covers. */
struct statement {
	uint8_t bytes[sizeof tag + 3 * HASH_SIZE + ENDPOINT_BYTES + 8];
	size_t size;
};

static void add(struct statement *statement, const void *bytes, size_t size)
{
	memcpy(statement->bytes + statement->size, bytes, size);
	statement->size += size;
}

static struct statement state(
	const struct receipt *receipt, const struct hash *site, const struct hash *collective)
{
	struct statement statement = {.size = 0};
	uint8_t seen[ENDPOINT_BYTES];
	uint8_t time[8];

	endpoint_put(&receipt->seen, seen);
	bytes_put(time, receipt->time, sizeof time);
	add(&statement, tag, sizeof tag);
	add(&statement, collective->bytes, HASH_SIZE);
	add(&statement, receipt->reflector.bytes, HASH_SIZE);
	add(&statement, site->bytes, HASH_SIZE);
	add(&statement, seen, sizeof seen);
	add(&statement, time, sizeof time);
	return statement;
}

void receipt_sign(struct receipt *receipt, const struct hash *site, const struct secret *reflector,
	const struct hash *collective, const struct crypto *crypto)
{
	struct statement statement = state(receipt, site, collective);

	crypto->sign(receipt->signature, statement.bytes, statement.size, reflector);
}

bool receipt_verify(const struct receipt *receipt, const struct hash *site,
	const struct key *reflector, const struct hash *collective, const struct crypto *crypto)
{
	struct statement statement = state(receipt, site, collective);
	struct hash hash = hash_of(reflector->bytes, KEY_SIZE);

	return hash_equal(&hash, &receipt->reflector) &&
	       crypto->verify(receipt->signature, statement.bytes, statement.size, reflector);
}

bool receipt_is_fresh(const struct receipt *receipt, uint64_t now)
{
	uint64_t off = now > receipt->time ? now - receipt->time : receipt->time - now;

	return off <= RECEIPT_VALID_MS;
}

void receipt_write(struct wire_writer *writer, const struct receipt *receipt)
{
	wire_write_array(writer, ITEMS);
	field_write_hash(writer, &receipt->reflector);
	field_write_endpoint(writer, &receipt->seen);
	wire_write_uint(writer, receipt->time);
	wire_write_bin(writer, receipt->signature, SIGNATURE_SIZE);
}

void receipt_read(struct wire_reader *reader, struct receipt *out)
{
	(void)wire_read_array(reader, ITEMS, ITEMS);
	field_read_hash(reader, &out->reflector);
	field_read_endpoint(reader, &out->seen);
	out->time = wire_read_uint(reader, FIELD_TIME_MAX);
	wire_read_exact(reader, out->signature, SIGNATURE_SIZE);
}

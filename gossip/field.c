/* SPDX-License-Identifier: MIT */
#include "gossip/field.h"

#include <string.h>

void field_read_name(struct wire_reader *reader, char out[static TEXT_NAME_MAX + 1])
{
	size_t size;
	const char *text = wire_read_str(reader, 1, TEXT_NAME_MAX, &size);

	memset(out, 0, TEXT_NAME_MAX + 1);
	if (!text)
		return;
	memcpy(out, text, size);
	/* A NUL inside would hide what follows it. */
	if (strlen(out) != size || !text_is_name(out)) {
		wire_refuse(reader);
		out[0] = '\0';
	}
}

void field_read_key(struct wire_reader *reader, struct key *out)
{
	wire_read_exact(reader, out->bytes, KEY_SIZE);
	if (key_is_zero(out))
		wire_refuse(reader);
}

void field_write_key(struct wire_writer *writer, const struct key *key)
{
	wire_write_bin(writer, key->bytes, KEY_SIZE);
}

void field_read_hash(struct wire_reader *reader, struct hash *out)
{
	wire_read_exact(reader, out->bytes, HASH_SIZE);
}

void field_write_hash(struct wire_writer *writer, const struct hash *hash)
{
	wire_write_bin(writer, hash->bytes, HASH_SIZE);
}

/* Takes an address from bytes that hold nothing else. */
static bool take_address(const uint8_t *bytes, size_t size, struct address *out)
{
	/* ::ffff:0:0/96 is IPv4 in disguise: one host must not have two values. */
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*out = (struct address){0};
	if (size == 4)
		out->family = ADDRESS_IPV4;
	else if (size == 16 && memcmp(bytes, mapped, sizeof mapped) != 0)
		out->family = ADDRESS_IPV6;
	else
		return false;
	memcpy(out->bytes, bytes, size);
	return true;
}

void field_read_address(struct wire_reader *reader, struct address *out)
{
	size_t size;
	const uint8_t *bytes = wire_read_bin(reader, 4, 16, &size);

	*out = (struct address){0};
	if (bytes && !take_address(bytes, size, out))
		wire_refuse(reader);
}

void field_write_address(struct wire_writer *writer, const struct address *address)
{
	wire_write_bin(writer, address->bytes, address_size(address));
}

void field_read_endpoint(struct wire_reader *reader, struct endpoint *out)
{
	size_t size;
	const uint8_t *bytes = wire_read_bin(reader, 6, 18, &size);

	*out = (struct endpoint){0};
	if (!bytes)
		return;
	out->port = (uint16_t)(bytes[size - 2] << 8 | bytes[size - 1]);
	if (!take_address(bytes, size - 2, &out->address) || out->port == 0)
		wire_refuse(reader);
}

void field_write_endpoint(struct wire_writer *writer, const struct endpoint *endpoint)
{
	size_t size = address_size(&endpoint->address);
	uint8_t bytes[18];

	memcpy(bytes, endpoint->address.bytes, size);
	bytes[size] = (uint8_t)(endpoint->port >> 8);
	bytes[size + 1] = (uint8_t)endpoint->port;
	wire_write_bin(writer, bytes, size + 2);
}

void field_read_prefix(struct wire_reader *reader, struct prefix *out)
{
	struct prefix canonical;
	size_t size;
	const uint8_t *bytes = wire_read_bin(reader, 5, 17, &size);

	*out = (struct prefix){0};
	if (!bytes)
		return;
	if (!take_address(bytes + 1, size - 1, &out->address) ||
		bytes[0] > address_bits(&out->address)) {
		wire_refuse(reader);
		return;
	}
	out->length = bytes[0];
	canonical = prefix_canonical(out);
	if (!prefix_equal(&canonical, out))
		wire_refuse(reader);
}

void field_write_prefix(struct wire_writer *writer, const struct prefix *prefix)
{
	size_t size = address_size(&prefix->address);
	uint8_t bytes[17];

	bytes[0] = prefix->length;
	memcpy(bytes + 1, prefix->address.bytes, size);
	wire_write_bin(writer, bytes, size + 1);
}

void field_read_prefixes(struct wire_reader *reader, struct prefixes *out)
{
	out->count = wire_read_array(reader, 0, FIELD_PREFIXES_MAX);
	for (uint32_t i = 0; i < out->count; i++) {
		struct prefix *items = out->items;

		field_read_prefix(reader, &items[i]);
		/* Of two that overlap, the sorted neighbours do. */
		if (i > 0 && (prefix_compare(&items[i - 1], &items[i]) >= 0 ||
				     prefix_overlaps(&items[i - 1], &items[i])))
			wire_refuse(reader);
	}
	if (reader->error)
		out->count = 0;
}

bool prefixes_equal(const struct prefixes *a, const struct prefixes *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (!prefix_equal(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}

void field_write_prefixes(struct wire_writer *writer, const struct prefixes *prefixes)
{
	wire_write_array(writer, prefixes->count);
	for (uint32_t i = 0; i < prefixes->count; i++)
		field_write_prefix(writer, &prefixes->items[i]);
}

void field_read_names(struct wire_reader *reader, struct names *out)
{
	out->count = wire_read_array(reader, 0, FIELD_NAMES_MAX);
	for (uint32_t i = 0; i < out->count; i++) {
		field_read_name(reader, out->items[i]);
		if (i > 0 && strcmp(out->items[i - 1], out->items[i]) >= 0)
			wire_refuse(reader);
	}
	if (reader->error)
		out->count = 0;
}

void field_write_names(struct wire_writer *writer, const struct names *names)
{
	wire_write_array(writer, names->count);
	for (uint32_t i = 0; i < names->count; i++)
		wire_write_str(writer, names->items[i]);
}

void prefixes_sort(struct prefixes *prefixes)
{
	struct prefix *items = prefixes->items;

	for (uint32_t i = 1; i < prefixes->count; i++) {
		struct prefix moved = items[i];
		uint32_t place = i;

		for (; place > 0 && prefix_compare(&items[place - 1], &moved) > 0; place--)
			items[place] = items[place - 1];
		items[place] = moved;
	}
}

void names_sort(struct names *names)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < names->count; i++) {
		char moved[TEXT_NAME_MAX + 1];
		uint32_t place = count;

		memcpy(moved, names->items[i], sizeof moved);
		while (place > 0 && strcmp(names->items[place - 1], moved) > 0)
			place--;
		if (place > 0 && strcmp(names->items[place - 1], moved) == 0)
			continue;
		memmove(names->items[place + 1], names->items[place],
			(count - place) * sizeof names->items[0]);
		memcpy(names->items[place], moved, sizeof moved);
		count++;
	}
	names->count = count;
}

bool prefixes_contain(const struct prefixes *outer, const struct prefixes *inner)
{
	for (uint32_t i = 0; i < inner->count; i++) {
		bool found = false;

		for (uint32_t k = 0; k < outer->count && !found; k++)
			found = prefix_contains(&outer->items[k], &inner->items[i]);
		if (!found)
			return false;
	}
	return true;
}

bool names_contain(const struct names *outer, const struct names *inner)
{
	for (uint32_t i = 0; i < inner->count; i++) {
		bool found = false;

		for (uint32_t k = 0; k < outer->count && !found; k++)
			found = strcmp(outer->items[k], inner->items[i]) == 0;
		if (!found)
			return false;
	}
	return true;
}

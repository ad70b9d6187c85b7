/* SPDX-License-Identifier: MIT */
/*
 * wire_reader.c - our own bounded decoder. msgpack-c's is not used: it trusts lengths, and a
 * message of 5 bytes makes it ask for 128 GiB.
 */
#include "base/wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* First bytes, from the msgpack specification ("Formats: Overview"). */
enum {
	FIXMAP = 0x80,
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	NIL = 0xc0,
	FALSE = 0xc2,
	TRUE = 0xc3,
	BIN8 = 0xc4,
	BIN16 = 0xc5,
	BIN32 = 0xc6,
	UINT8 = 0xcc,
	UINT16 = 0xcd,
	UINT32 = 0xce,
	UINT64 = 0xcf,
	INT8 = 0xd0,
	INT16 = 0xd1,
	INT32 = 0xd2,
	INT64 = 0xd3,
	STR8 = 0xd9,
	STR16 = 0xda,
	STR32 = 0xdb,
	ARRAY16 = 0xdc,
	ARRAY32 = 0xdd,
	MAP16 = 0xde,
	MAP32 = 0xdf,
	NEGFIX = 0xe0,
};

enum wire_type {
	TYPE_NIL,
	TYPE_BOOL,
	TYPE_UINT,
	TYPE_NINT,
	TYPE_BIN,
	TYPE_STR,
	TYPE_ARRAY,
	TYPE_MAP
};

/* The first byte of an item and the number behind it, checked for shortest form. */
struct head {
	enum wire_type type;
	uint64_t number; /* value, length or count; a negative integer in two's complement */
};

void wire_reader_init(struct wire_reader *reader, const void *bytes, size_t size)
{
	static const uint8_t nothing;

	/* Nothing can be nowhere, but there is no arithmetic on nowhere. */
	if (size == 0)
		bytes = &nothing;
	*reader = (struct wire_reader){.at = bytes, .end = (const uint8_t *)bytes + size};
}

int wire_reader_end(const struct wire_reader *reader)
{
	return reader->error || reader->at != reader->end ? -EBADMSG : 0;
}

void wire_refuse(struct wire_reader *reader)
{
	reader->error = -EBADMSG;
}

static size_t bytes_left(const struct wire_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

/* Reads size bytes of a number that in shortest form is greater than least. */
static int read_number(struct wire_reader *reader, size_t size, uint64_t least, uint64_t *out)
{
	uint64_t value = 0;

	if (bytes_left(reader) < size)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | *reader->at++;
	if (value <= least)
		return -EBADMSG;
	*out = value;
	return 0;
}

/* Reads size bytes of a negative number that in shortest form is less than limit. */
static int read_negative(struct wire_reader *reader, size_t size, int64_t limit, uint64_t *out)
{
	uint64_t value = UINT64_MAX;

	if (bytes_left(reader) < size || *reader->at < 0x80)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | *reader->at++;
	if ((int64_t)value >= limit)
		return -EBADMSG;
	*out = value;
	return 0;
}

/* Forms that carry their number behind the first byte. */
static int read_long_head(struct wire_reader *reader, uint8_t first, struct head *head)
{
	static const struct {
		uint8_t first;
		uint8_t type;
		uint8_t size;
		uint32_t least; /* numbers up to here have a shorter form */
	} forms[] = {
		{BIN16, TYPE_BIN, 2, UINT8_MAX},
		{BIN32, TYPE_BIN, 4, UINT16_MAX},
		{UINT8, TYPE_UINT, 1, 0x7f},
		{UINT16, TYPE_UINT, 2, UINT8_MAX},
		{UINT32, TYPE_UINT, 4, UINT16_MAX},
		{UINT64, TYPE_UINT, 8, UINT32_MAX},
		{STR8, TYPE_STR, 1, 31},
		{STR16, TYPE_STR, 2, UINT8_MAX},
		{STR32, TYPE_STR, 4, UINT16_MAX},
		{ARRAY16, TYPE_ARRAY, 2, 15},
		{ARRAY32, TYPE_ARRAY, 4, UINT16_MAX},
		{MAP16, TYPE_MAP, 2, 15},
		{MAP32, TYPE_MAP, 4, UINT16_MAX},
	};

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (forms[i].first == first) {
			head->type = forms[i].type;
			return read_number(reader, forms[i].size, forms[i].least, &head->number);
		}
	}
	head->type = TYPE_NINT;
	switch (first) {
	case INT8:
		return read_negative(reader, 1, -32, &head->number);
	case INT16:
		return read_negative(reader, 2, INT8_MIN, &head->number);
	case INT32:
		return read_negative(reader, 4, INT16_MIN, &head->number);
	case INT64:
		return read_negative(reader, 8, INT32_MIN, &head->number);
	default:
		return -EBADMSG; /* floats, extensions, and what msgpack never uses */
	}
}

static int read_head(struct wire_reader *reader, struct head *head)
{
	uint8_t first;

	if (reader->error || bytes_left(reader) == 0)
		return -EBADMSG;
	first = *reader->at++;

	if (first < FIXMAP) {
		*head = (struct head){TYPE_UINT, first};
	} else if (first < FIXARRAY) {
		*head = (struct head){TYPE_MAP, first - FIXMAP};
	} else if (first < FIXSTR) {
		*head = (struct head){TYPE_ARRAY, first - FIXARRAY};
	} else if (first < NIL) {
		*head = (struct head){TYPE_STR, first - FIXSTR};
	} else if (first >= NEGFIX) {
		*head = (struct head){TYPE_NINT, (uint64_t)(int64_t)(int8_t)first};
	} else if (first == NIL) {
		*head = (struct head){TYPE_NIL, 0};
	} else if (first == FALSE || first == TRUE) {
		*head = (struct head){TYPE_BOOL, first == TRUE};
	} else if (first == BIN8) {
		/* The only form whose number has no shorter one: 0 is allowed. */
		if (bytes_left(reader) < 1)
			return -EBADMSG;
		*head = (struct head){TYPE_BIN, *reader->at++};
	} else {
		return read_long_head(reader, first, head);
	}
	return 0;
}

/* Reads a head that must be of this type with a number of min to max. */
static bool expect(struct wire_reader *reader, enum wire_type type, uint64_t min, uint64_t max,
	uint64_t *number)
{
	struct head head;

	if (read_head(reader, &head) < 0 || head.type != type || head.number < min ||
		head.number > max) {
		wire_refuse(reader);
		return false;
	}
	*number = head.number;
	return true;
}

uint64_t wire_read_uint(struct wire_reader *reader, uint64_t max)
{
	uint64_t value = 0;

	(void)expect(reader, TYPE_UINT, 0, max, &value);
	return value;
}

int64_t wire_read_int(struct wire_reader *reader, int64_t min, int64_t max)
{
	struct head head;

	if (read_head(reader, &head) == 0 &&
		((head.type == TYPE_UINT && head.number <= INT64_MAX) || head.type == TYPE_NINT) &&
		(int64_t)head.number >= min && (int64_t)head.number <= max)
		return (int64_t)head.number;
	wire_refuse(reader);
	return 0;
}

bool wire_read_bool(struct wire_reader *reader)
{
	uint64_t value = 0;

	(void)expect(reader, TYPE_BOOL, 0, 1, &value);
	return value != 0;
}

bool wire_read_nil(struct wire_reader *reader)
{
	if (reader->error || bytes_left(reader) == 0 || *reader->at != NIL)
		return false;
	reader->at++;
	return true;
}

static const uint8_t *read_bytes(
	struct wire_reader *reader, enum wire_type type, size_t min, size_t max, size_t *size)
{
	uint64_t number;

	*size = 0;
	if (!expect(reader, type, min, max, &number))
		return NULL;
	if (number > bytes_left(reader)) {
		wire_refuse(reader);
		return NULL;
	}

	const uint8_t *bytes = reader->at;

	reader->at += number;
	*size = (size_t)number;
	return bytes;
}

const uint8_t *wire_read_bin(struct wire_reader *reader, size_t min, size_t max, size_t *size)
{
	return read_bytes(reader, TYPE_BIN, min, max, size);
}

void wire_read_exact(struct wire_reader *reader, void *out, size_t size)
{
	size_t found;
	const uint8_t *bytes = read_bytes(reader, TYPE_BIN, size, size, &found);

	if (bytes)
		memcpy(out, bytes, size);
	else
		memset(out, 0, size);
}

const char *wire_read_str(struct wire_reader *reader, size_t min, size_t max, size_t *size)
{
	return (const char *)read_bytes(reader, TYPE_STR, min, max, size);
}

/* A count of items of at least item_size bytes each, which must be there. */
static uint32_t read_count(struct wire_reader *reader, enum wire_type type, uint32_t min,
	uint32_t max, size_t item_size)
{
	uint64_t count;

	if (!expect(reader, type, min, max, &count))
		return 0;
	if (count > bytes_left(reader) / item_size) {
		wire_refuse(reader);
		return 0;
	}
	return (uint32_t)count;
}

uint32_t wire_read_array(struct wire_reader *reader, uint32_t min, uint32_t max)
{
	return read_count(reader, TYPE_ARRAY, min, max, 1);
}

struct wire_map wire_read_map(struct wire_reader *reader, uint32_t max)
{
	return (struct wire_map){.left = read_count(reader, TYPE_MAP, 0, max, 2)};
}

bool wire_next_key(struct wire_reader *reader, struct wire_map *map, uint64_t *key)
{
	uint64_t value;

	if (reader->error || map->left == 0)
		return false;
	value = wire_read_uint(reader, UINT64_MAX);
	if (reader->error)
		return false;
	if (map->begun && value <= map->previous) {
		wire_refuse(reader);
		return false;
	}
	map->begun = true;
	map->previous = value;
	map->left--;
	*key = value;
	return true;
}

/* One level of what is being skipped. */
struct level {
	struct wire_map map; /* also counts the items of an array */
	bool is_map;
};

/* Opens an array or a map as a new level; passes over anything else. Returns 1, 0 or -EBADMSG. */
static int skip_head(struct wire_reader *reader, struct level *level)
{
	struct head head;

	if (read_head(reader, &head) < 0)
		return -EBADMSG;
	switch (head.type) {
	case TYPE_BIN:
	case TYPE_STR:
		if (head.number > bytes_left(reader))
			return -EBADMSG;
		reader->at += head.number;
		return 0;
	case TYPE_ARRAY:
	case TYPE_MAP:
		if (head.number > bytes_left(reader) / (head.type == TYPE_MAP ? 2 : 1))
			return -EBADMSG;
		*level = (struct level){
			.map = {.left = (uint32_t)head.number}, .is_map = head.type == TYPE_MAP};
		return 1;
	case TYPE_NIL:
	case TYPE_BOOL:
	case TYPE_UINT:
	case TYPE_NINT:
	default:
		return 0;
	}
}

/* Moves to the next item of a level. Returns false at its end and after a fault. */
static bool next_item(struct wire_reader *reader, struct level *level)
{
	uint64_t key;

	if (level->is_map)
		return wire_next_key(reader, &level->map, &key);
	if (level->map.left == 0)
		return false;
	level->map.left--;
	return true;
}

void wire_skip(struct wire_reader *reader)
{
	struct level levels[WIRE_DEPTH_MAX];
	struct level opened;
	size_t depth = 0;

	do {
		int r = skip_head(reader, &opened);

		if (r < 0 || (r > 0 && depth == WIRE_DEPTH_MAX)) {
			wire_refuse(reader);
			return;
		}
		if (r > 0)
			levels[depth++] = opened;
		while (depth > 0 && !next_item(reader, &levels[depth - 1]))
			depth--;
	} while (depth > 0 && !reader->error);
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_cursor.c - any bytes as a message. The first bytes choose which reads are made; whatever
 * they are, nothing outside the message is looked at and an error stays.
 */
#include <string.h>

#include "base/wire.h"
#include "tests/fuzz/fuzz.h"

static void read_group(struct wire_reader *reader, uint8_t choice)
{
	if (choice & 0x80) {
		struct wire_map map = wire_read_map(reader, UINT32_MAX);
		uint64_t before = 0;
		uint64_t key;
		bool first = true;

		while (wire_next_key(reader, &map, &key)) {
			REQUIRE(first || key > before);
			before = key;
			first = false;
			wire_skip(reader);
		}
		REQUIRE(reader->error || map.left == 0);
	} else {
		uint32_t count = wire_read_array(reader, 0, UINT32_MAX);

		REQUIRE(count <= (size_t)(reader->end - reader->at));
		for (uint32_t i = 0; i < count && !reader->error; i++)
			wire_skip(reader);
	}
}

static void read_one(struct wire_reader *reader, uint8_t choice)
{
	uint8_t exact[5];
	const void *at;
	size_t size;

	switch (choice % 8) {
	case 0:
		REQUIRE(wire_read_uint(reader, choice) <= choice);
		break;
	case 1:
		REQUIRE(wire_read_int(reader, -choice, choice) <= choice);
		break;
	case 2:
		(void)wire_read_bool(reader);
		break;
	case 3:
		(void)wire_read_nil(reader);
		break;
	case 4:
		at = wire_read_bin(reader, 0, choice, &size);
		REQUIRE(size <= choice && (at != NULL || size == 0));
		break;
	case 5:
		at = wire_read_str(reader, 1, choice, &size);
		REQUIRE(size <= choice && (at != NULL) == (size > 0));
		break;
	case 6:
		wire_read_exact(reader, exact, sizeof exact);
		break;
	default:
		read_group(reader, choice);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t choices = size > 0 ? bytes[0] % 8 : 0;
	struct wire_reader reader;
	struct wire_reader whole;

	if (size < 1 + choices)
		return 0;
	wire_reader_init(&reader, bytes + 1 + choices, size - 1 - choices);
	for (size_t i = 0; i < choices; i++) {
		int error = reader.error;
		const uint8_t *at = reader.at;

		read_one(&reader, bytes[1 + i]);
		REQUIRE(!error || reader.error);
		REQUIRE(reader.at >= at && reader.at <= reader.end);
	}

	/* A message that can be skipped whole is in canonical form: so is every item copied raw. */
	wire_reader_init(&whole, bytes + 1 + choices, size - 1 - choices);
	wire_skip(&whole);
	REQUIRE(whole.error || whole.at > bytes + choices);
	return 0;
}

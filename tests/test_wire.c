/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/prng.h"
#include "base/wire.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Whether one item that fills the bytes is accepted as it stands. */
static bool skips(const uint8_t *bytes, size_t size)
{
	struct wire_reader reader;

	wire_reader_init(&reader, bytes, size);
	wire_skip(&reader);
	return wire_reader_end(&reader) == 0;
}

TEST(wire_round_trips_every_kind)
{
	uint8_t bytes[600];
	uint8_t blob[300] = {1, 2, 3};
	uint8_t exact[4];
	struct wire_writer writer;
	struct wire_reader reader;
	struct wire_map map;
	const uint8_t *bin;
	const char *str;
	uint64_t key;
	size_t size;

	(void)state;
	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 8);
	wire_write_nil(&writer);
	wire_write_bool(&writer, true);
	wire_write_uint(&writer, UINT64_MAX);
	wire_write_int(&writer, -5);
	wire_write_bin(&writer, blob, sizeof blob);
	wire_write_str(&writer, "alex");
	wire_write_map(&writer, 2);
	wire_write_uint(&writer, 1);
	wire_write_bool(&writer, false);
	wire_write_uint(&writer, 300);
	wire_write_bin(&writer, NULL, 0);
	wire_write_bin(&writer, "\x9\x8\x7\x6", 4);
	assert_true(wire_writer_end(&writer) > 0);

	wire_reader_init(&reader, bytes, (size_t)wire_writer_end(&writer));
	assert_int_equal(wire_read_array(&reader, 8, 8), 8);
	assert_true(wire_read_nil(&reader));
	assert_true(wire_read_bool(&reader));
	assert_true(wire_read_uint(&reader, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(wire_read_int(&reader, -5, 5), -5);
	bin = wire_read_bin(&reader, 0, sizeof blob, &size);
	assert_int_equal(size, sizeof blob);
	assert_memory_equal(bin, blob, sizeof blob);
	str = wire_read_str(&reader, 1, 64, &size);
	assert_int_equal(size, 4);
	assert_memory_equal(str, "alex", 4);
	map = wire_read_map(&reader, 2);
	assert_true(wire_next_key(&reader, &map, &key));
	assert_int_equal(key, 1);
	assert_false(wire_read_bool(&reader));
	assert_true(wire_next_key(&reader, &map, &key));
	assert_int_equal(key, 300);
	assert_non_null(wire_read_bin(&reader, 0, 0, &size));
	assert_false(wire_next_key(&reader, &map, &key));
	wire_read_exact(&reader, exact, sizeof exact);
	assert_memory_equal(exact, "\x9\x8\x7\x6", 4);
	assert_int_equal(wire_reader_end(&reader), 0);

	/* Every shorter message is refused, and nothing is read beyond its end. */
	assert_true(skips(bytes, (size_t)wire_writer_end(&writer)));
	for (size_t cut = 0; cut < (size_t)wire_writer_end(&writer); cut++)
		assert_false(skips(bytes, cut));
}

TEST(wire_numbers_have_one_form)
{
	static const int64_t numbers[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295,
		4294967296, INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769, -2147483648,
		-2147483649, INT64_MIN};
	struct wire_reader reader;
	struct wire_writer writer;
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		wire_writer_init(&writer, bytes, sizeof bytes);
		wire_write_int(&writer, numbers[i]);
		wire_reader_init(&reader, bytes, (size_t)wire_writer_end(&writer));
		assert_true(wire_read_int(&reader, INT64_MIN, INT64_MAX) == numbers[i]);
		assert_int_equal(wire_reader_end(&reader), 0);
	}
}

TEST(wire_refuses_longer_forms)
{
	(void)state;
	assert_false(skips(BYTES(0xcc, 0x7f)));
	assert_true(skips(BYTES(0xcc, 0x80)));
	assert_false(skips(BYTES(0xcd, 0x00, 0xff)));
	assert_true(skips(BYTES(0xcd, 0x01, 0x00)));
	assert_false(skips(BYTES(0xce, 0, 0, 0xff, 0xff)));
	assert_true(skips(BYTES(0xce, 0, 1, 0, 0)));
	assert_false(skips(BYTES(0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)));
	assert_true(skips(BYTES(0xcf, 0, 0, 0, 1, 0, 0, 0, 0)));
	assert_false(skips(BYTES(0xd0, 0xe0)));
	assert_true(skips(BYTES(0xd0, 0xdf)));
	assert_false(skips(BYTES(0xd0, 0x05)));
	assert_false(skips(BYTES(0xd1, 0xff, 0x80)));
	assert_true(skips(BYTES(0xd1, 0xff, 0x7f)));
	assert_false(skips(BYTES(0xd1, 0x00, 0x05)));
	assert_false(skips(BYTES(0xd2, 0xff, 0xff, 0x80, 0x00)));
	assert_true(skips(BYTES(0xd2, 0xff, 0xff, 0x7f, 0xff)));
	assert_false(skips(BYTES(0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0)));
	assert_true(skips(BYTES(0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff)));
	assert_false(skips(BYTES(0xd9, 3, 'a', 'b', 'c')));
	assert_true(skips(BYTES(0xa3, 'a', 'b', 'c')));
	assert_true(skips(BYTES(0xc4, 0)));
	assert_false(skips(BYTES(0xc5, 0, 1, 9)));
	assert_false(skips(BYTES(0xdc, 0, 1, 0xc0)));
	assert_true(skips(BYTES(0x91, 0xc0)));
	assert_false(skips(BYTES(0xde, 0, 1, 0x01, 0xc0)));
	assert_true(skips(BYTES(0x81, 0x01, 0xc0)));
}

TEST(wire_refuses_what_is_not_in_the_grammar)
{
	(void)state;
	assert_false(skips(BYTES(0xc1)));
	assert_false(skips(BYTES(0xca, 0, 0, 0, 0)));
	assert_false(skips(BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0)));
	assert_false(skips(BYTES(0xd4, 1, 2)));
	assert_false(skips(BYTES(0xc7, 1, 2, 3)));
	/* Maps: keys are unsigned, ascending, each once. */
	assert_true(skips(BYTES(0x82, 0x01, 0xc0, 0x02, 0xc0)));
	assert_false(skips(BYTES(0x82, 0x02, 0xc0, 0x01, 0xc0)));
	assert_false(skips(BYTES(0x82, 0x01, 0xc0, 0x01, 0xc0)));
	assert_false(skips(BYTES(0x81, 0xa1, 'k', 0xc0)));
	assert_false(skips(BYTES(0x81, 0xff, 0xc0)));
	assert_true(
		skips(BYTES(0x82, 0x00, 0xc0, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255, 0xc0)));
	/* Something behind the item. */
	assert_false(skips(BYTES(0xc0, 0xc0)));
}

TEST(wire_counts_are_bounded_by_the_bytes_that_are_there)
{
	struct wire_reader reader;
	struct wire_map map;
	static const uint8_t array[] = {0xdd, 0x00, 0xff, 0xff, 0xff};
	static const uint8_t pairs[] = {0x82, 0x01, 0xc0, 0x02};

	(void)state;
	/* Five bytes that made another decoder ask for 128 GiB. */
	assert_false(skips(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)));
	assert_false(skips(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff)));
	assert_false(skips(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff)));
	assert_false(skips(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff)));
	wire_reader_init(&reader, array, sizeof array);
	assert_int_equal(wire_read_array(&reader, 0, UINT32_MAX), 0);
	assert_int_equal(reader.error, -EBADMSG);
	wire_reader_init(&reader, pairs, sizeof pairs);
	map = wire_read_map(&reader, 16);
	assert_int_equal(map.left, 0);
	assert_int_equal(reader.error, -EBADMSG);
}

TEST(wire_depth_is_bounded)
{
	uint8_t nested[WIRE_DEPTH_MAX + 2];

	(void)state;
	memset(nested, 0x91, sizeof nested);
	nested[WIRE_DEPTH_MAX] = 0xc0;
	assert_true(skips(nested, WIRE_DEPTH_MAX + 1));
	nested[WIRE_DEPTH_MAX] = 0x91;
	nested[WIRE_DEPTH_MAX + 1] = 0xc0;
	assert_false(skips(nested, WIRE_DEPTH_MAX + 2));
}

TEST(wire_bounds_are_the_callers)
{
	struct wire_reader reader;
	uint8_t exact[2] = {9, 9};
	size_t size = 9;

	(void)state;
	wire_reader_init(&reader, BYTES(0x05));
	assert_int_equal(wire_read_uint(&reader, 4), 0);
	assert_int_equal(wire_reader_end(&reader), -EBADMSG);
	wire_reader_init(&reader, BYTES(0xa3, 'a', 'b', 'c'));
	assert_null(wire_read_str(&reader, 1, 2, &size));
	assert_int_equal(size, 0);
	wire_reader_init(&reader, BYTES(0xc4, 3, 1, 2, 3));
	wire_read_exact(&reader, exact, sizeof exact);
	assert_int_equal(exact[0], 0);
	assert_int_equal(wire_reader_end(&reader), -EBADMSG);
	wire_reader_init(&reader, BYTES(0xcf, 255, 255, 255, 255, 255, 255, 255, 255));
	assert_int_equal(wire_read_int(&reader, INT64_MIN, INT64_MAX), 0);
	assert_int_equal(reader.error, -EBADMSG);
	/* An error stays: nothing more is read. */
	wire_reader_init(&reader, BYTES(0xc0, 0x05));
	wire_refuse(&reader);
	assert_false(wire_read_nil(&reader));
	assert_int_equal(wire_read_uint(&reader, 10), 0);
	assert_int_equal(wire_reader_end(&reader), -EBADMSG);
}

TEST(wire_writer_says_when_it_is_full)
{
	uint8_t bytes[5] = {0};
	struct wire_writer writer;

	(void)state;
	wire_writer_init(&writer, bytes, 4);
	wire_write_uint(&writer, 70000);
	wire_write_uint(&writer, 1);
	assert_int_equal(wire_writer_end(&writer), -ENOBUFS);
	assert_int_equal(bytes[4], 0);
	wire_writer_init(&writer, bytes, 4);
	wire_write_str(&writer, "abc");
	assert_int_equal(wire_writer_end(&writer), 4);
	wire_write_nil(&writer);
	assert_int_equal(wire_writer_end(&writer), -ENOBUFS);
	assert_int_equal(bytes[4], 0);
}

/* Writes what a reader understood; used to show that there is only one encoding. */
static void copy_item(struct wire_reader *reader, struct wire_writer *writer, int depth);

static bool peek_in(const struct wire_reader *reader, uint8_t from, uint8_t to)
{
	return *reader->at >= from && *reader->at <= to;
}

static void copy_group(struct wire_reader *reader, struct wire_writer *writer, int depth)
{
	if (peek_in(reader, 0x80, 0x8f) || peek_in(reader, 0xde, 0xdf)) {
		struct wire_map map = wire_read_map(reader, UINT32_MAX);
		uint64_t key;

		wire_write_map(writer, map.left);
		while (wire_next_key(reader, &map, &key)) {
			wire_write_uint(writer, key);
			copy_item(reader, writer, depth + 1);
		}
		return;
	}

	uint32_t count = wire_read_array(reader, 0, UINT32_MAX);

	wire_write_array(writer, count);
	for (uint32_t i = 0; i < count && !reader->error; i++)
		copy_item(reader, writer, depth + 1);
}

static void copy_item(struct wire_reader *reader, struct wire_writer *writer, int depth)
{
	const void *bytes;
	size_t size;

	if (reader->at == reader->end || depth > WIRE_DEPTH_MAX) {
		wire_refuse(reader);
	} else if (wire_read_nil(reader)) {
		wire_write_nil(writer);
	} else if (peek_in(reader, 0xc2, 0xc3)) {
		wire_write_bool(writer, wire_read_bool(reader));
	} else if (peek_in(reader, 0xc4, 0xc6)) {
		bytes = wire_read_bin(reader, 0, SIZE_MAX, &size);
		wire_write_bin(writer, bytes, size);
	} else if (peek_in(reader, 0xa0, 0xbf) || peek_in(reader, 0xd9, 0xdb)) {
		char text[512];

		bytes = wire_read_str(reader, 0, sizeof text - 1, &size);
		if (bytes && memchr(bytes, 0, size))
			size = 0;
		if (bytes)
			memcpy(text, bytes, size);
		text[size] = '\0';
		wire_write_str(writer, text);
	} else if (peek_in(reader, 0xd0, 0xd3) || peek_in(reader, 0xe0, 0xff)) {
		wire_write_int(writer, wire_read_int(reader, INT64_MIN, -1));
	} else if (peek_in(reader, 0x80, 0x9f) || peek_in(reader, 0xdc, 0xdf)) {
		copy_group(reader, writer, depth);
	} else {
		wire_write_uint(writer, wire_read_uint(reader, UINT64_MAX));
	}
}

TEST(wire_accepted_bytes_are_the_only_encoding)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {4};
	struct prng prng;
	unsigned accepted = 0;

	(void)state;
	prng_init(&prng, seed);
	for (int i = 0; i < 300000; i++) {
		uint8_t in[16];
		uint8_t out[32];
		struct wire_reader reader;
		struct wire_writer writer;
		size_t size = 1 + (size_t)prng_below(&prng, sizeof in);

		prng_bytes(&prng, in, size);
		/* Small first bytes and zeros make accepted messages likelier. */
		for (size_t k = 0; k < size; k++) {
			if (prng_below(&prng, 2))
				in[k] = (uint8_t)prng_below(&prng, 4);
		}
		wire_reader_init(&reader, in, size);
		wire_writer_init(&writer, out, sizeof out);
		copy_item(&reader, &writer, 0);
		assert_int_equal(wire_reader_end(&reader) == 0, skips(in, size));
		if (wire_reader_end(&reader) < 0 || memchr(in, 0, size) != NULL)
			continue;
		accepted++;
		assert_int_equal(wire_writer_end(&writer), (int)size);
		assert_memory_equal(in, out, size);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(wire_round_trips_every_kind),
		CASE(wire_numbers_have_one_form),
		CASE(wire_refuses_longer_forms),
		CASE(wire_refuses_what_is_not_in_the_grammar),
		CASE(wire_counts_are_bounded_by_the_bytes_that_are_there),
		CASE(wire_depth_is_bounded),
		CASE(wire_bounds_are_the_callers),
		CASE(wire_writer_says_when_it_is_full),
		CASE(wire_accepted_bytes_are_the_only_encoding),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * wire.h - the bytes of messages and facts: a strict subset of msgpack.
 *
 * Grammar: nil, booleans, integers, bin, str, arrays, and maps whose keys are unsigned integers in
 * strictly ascending order. No floats, no extensions. Everything in its shortest form, so a value
 * has exactly one encoding.
 *
 * The reader never allocates, copies or looks beyond the bytes it was given. A count is refused
 * when the bytes that are left could not hold that many items. An error is kept: every later read
 * yields zero or nothing, so a decoder reads its fields straight down, asks wire_reader_end() once
 * and only then believes them.
 *
 * The writer fills a buffer of fixed size. What does not fit is an error that is kept, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_DEPTH_MAX 8 /* arrays and maps inside each other, in parts that are skipped */

struct wire_reader {
	const uint8_t *at;
	const uint8_t *end;
	int error; /* 0, or -EBADMSG from the first fault on */
};

void wire_reader_init(struct wire_reader *reader, const void *bytes, size_t size);

/* Returns 0 when all was read without fault, -EBADMSG after a fault or with bytes left over. */
int wire_reader_end(const struct wire_reader *reader);

/* Marks the message as faulty: for rules that the decoder alone knows. */
void wire_refuse(struct wire_reader *reader);

/* An unsigned integer of at most max. */
uint64_t wire_read_uint(struct wire_reader *reader, uint64_t max);

/* An integer of min to max. */
int64_t wire_read_int(struct wire_reader *reader, int64_t min, int64_t max);

bool wire_read_bool(struct wire_reader *reader);

/* Reads a nil if one is next; otherwise reads nothing and returns false. */
bool wire_read_nil(struct wire_reader *reader);

/* A byte string of min to max bytes. Points into the message; NULL and 0 after a fault. */
const uint8_t *wire_read_bin(struct wire_reader *reader, size_t min, size_t max, size_t *size);

/* A byte string of exactly this size, copied; zeros after a fault. */
void wire_read_exact(struct wire_reader *reader, void *out, size_t size);

/* A text of min to max bytes. Points into the message, without NUL; NULL and 0 after a fault. */
const char *wire_read_str(struct wire_reader *reader, size_t min, size_t max, size_t *size);

/* The head of an array: the number of items that follow, min to max. */
uint32_t wire_read_array(struct wire_reader *reader, uint32_t min, uint32_t max);

/* A walk over a map. */
struct wire_map {
	uint64_t previous;
	uint32_t left;
	bool begun;
};

/* The head of a map of at most max pairs. */
struct wire_map wire_read_map(struct wire_reader *reader, uint32_t max);

/* Reads the next key. Returns false at the end and after a fault. The value is read next. */
bool wire_next_key(struct wire_reader *reader, struct wire_map *map, uint64_t *key);

/* Passes over one item, whatever it is, checking its form. */
void wire_skip(struct wire_reader *reader);

struct wire_writer {
	uint8_t *bytes;
	size_t size;
	size_t length;
	int error; /* 0, or -ENOBUFS from the first item on that did not fit */
};

void wire_writer_init(struct wire_writer *writer, void *bytes, size_t size);

/* Returns the number of bytes written, or -ENOBUFS. */
int wire_writer_end(const struct wire_writer *writer);

void wire_write_nil(struct wire_writer *writer);
void wire_write_bool(struct wire_writer *writer, bool value);
void wire_write_uint(struct wire_writer *writer, uint64_t value);
void wire_write_int(struct wire_writer *writer, int64_t value);
void wire_write_bin(struct wire_writer *writer, const void *bytes, size_t size);
void wire_write_str(struct wire_writer *writer, const char *text);
void wire_write_array(struct wire_writer *writer, uint32_t count);
void wire_write_map(struct wire_writer *writer, uint32_t count);

/* Appends bytes that are an encoding already. */
void wire_write_raw(struct wire_writer *writer, const void *bytes, size_t size);

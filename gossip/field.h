/* SPDX-License-Identifier: MIT */
/*
 * field.h - values that several kinds of facts and messages hold, in wire form.
 *
 * Lists are strictly ascending, so a set has one encoding. Readers refuse by the reader's own
 * error.
 */
#pragma once

#include <stdint.h>

#include "base/endpoint.h"
#include "base/prefix.h"
#include "base/text.h"
#include "base/wire.h"
#include "gossip/crypto.h"

#define FIELD_PREFIXES_MAX 16
#define FIELD_NAMES_MAX 8

/* The time of facts: milliseconds since 1970, in 48 bits. */
#define FIELD_TIME_MAX ((UINT64_C(1) << 48) - 1)

struct prefixes {
	uint32_t count;
	struct prefix items[FIELD_PREFIXES_MAX];
};

struct names {
	uint32_t count;
	char items[FIELD_NAMES_MAX][TEXT_NAME_MAX + 1];
};

/* A name: 1 to 64 of a-z, 0-9 and '-'. Empty after a fault. */
void field_read_name(struct wire_reader *reader, char out[static TEXT_NAME_MAX + 1]);

/* A key, which is not all zeros. */
void field_read_key(struct wire_reader *reader, struct key *out);
void field_write_key(struct wire_writer *writer, const struct key *key);

void field_read_hash(struct wire_reader *reader, struct hash *out);
void field_write_hash(struct wire_writer *writer, const struct hash *hash);

/* An address: a bin of 4 or 16 bytes. */
void field_read_address(struct wire_reader *reader, struct address *out);
void field_write_address(struct wire_writer *writer, const struct address *address);

/* An endpoint: a bin of an address and two bytes of port, which is not 0. */
void field_read_endpoint(struct wire_reader *reader, struct endpoint *out);
void field_write_endpoint(struct wire_writer *writer, const struct endpoint *endpoint);

/* A prefix: a bin of its length and its address; canonical. */
void field_read_prefix(struct wire_reader *reader, struct prefix *out);
void field_write_prefix(struct wire_writer *writer, const struct prefix *prefix);

/* Prefixes, ascending, of which no two overlap. */
void field_read_prefixes(struct wire_reader *reader, struct prefixes *out);
bool prefixes_equal(const struct prefixes *a, const struct prefixes *b);

void field_write_prefixes(struct wire_writer *writer, const struct prefixes *prefixes);

/* Names, ascending. */
void field_read_names(struct wire_reader *reader, struct names *out);
void field_write_names(struct wire_writer *writer, const struct names *names);

/* Brings a list into the order it is written in; equal names become one. */
void prefixes_sort(struct prefixes *prefixes);
void names_sort(struct names *names);

/* Whether every prefix of inner lies inside one of outer. */
bool prefixes_contain(const struct prefixes *outer, const struct prefixes *inner);

/* Whether every name of inner is in outer. */
bool names_contain(const struct names *outer, const struct names *inner);

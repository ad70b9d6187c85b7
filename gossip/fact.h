/* SPDX-License-Identifier: MIT */
/*
 * fact.h - the envelope of everything that is gossiped.
 *
 * A fact is a body and a signature of 64 bytes behind it. The body is a map in wire form; its key 0
 * is the kind, key 1 the format. The signature covers a domain tag, the kind, the collective's id
 * and the body, so a fact of one kind or collective is never one of another.
 *
 * The exact bytes are kept and passed on: fields that a newer version added survive the older ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "gossip/crypto.h"

#define FACT_SIZE_MAX 1024
#define FACT_FORMAT 1      /* of every kind, so far */
#define FACT_FIELDS_MAX 40 /* in a body */
#define FACT_FIRST_FIELD 2 /* the keys before it are the kind and the format */
#define ROW_ID_SIZE 8

enum fact_kind {
	FACT_DELEGATION = 1,  /* root: who may admit members, and how far */
	FACT_CERTIFICATE = 2, /* admin: who is a member */
	FACT_REVOCATION = 3,  /* admin or root: who is not any more */
	FACT_REMOVAL = 4,     /* root: which admin is not any more, and what of its stays */
	FACT_RECORD = 5,      /* site: what it says of itself */
};

/* The first bytes of a key's hash: under which its facts stand in tables and messages. */
struct row_id {
	uint8_t bytes[ROW_ID_SIZE];
};

/* A fact that was taken apart; points into the bytes it came from. */
struct fact {
	enum fact_kind kind;
	const uint8_t *bytes;
	size_t size;
};

/* The row id of a hash of a key. */
struct row_id row_id_of(const struct hash *hash);

/* The id of the collective with this root key. */
struct hash collective_id(const struct key *root);

/*
 * Takes bytes apart. Returns 0; -EMSGSIZE when they are too many or too few; -EBADMSG when they are
 * no fact in canonical form; -ENOTSUP when the kind or the format is one of a newer program.
 */
int fact_open(struct fact *ret, const void *bytes, size_t size);

/* Whether this key signed it, for this collective. */
bool fact_verify(const struct fact *fact, const struct key *signer, const struct hash *collective,
	const struct crypto *crypto);

/*
 * Begins to write a fact of this many fields beside kind and format. The caller writes each field's
 * key and value in ascending order, then seals.
 */
void fact_begin(struct wire_writer *writer, uint8_t out[static FACT_SIZE_MAX], enum fact_kind kind,
	uint32_t fields);

/* Signs what was written. Returns the fact's size, or -EMSGSIZE when it does not fit. */
int fact_seal(struct wire_writer *writer, const struct secret *signer,
	const struct hash *collective, const struct crypto *crypto);

/* A walk over the fields of a fact's body, from FACT_FIRST_FIELD on. */
struct fact_fields {
	struct wire_reader reader;
	struct wire_map map;
	uint64_t seen; /* bits of the keys below 64 that were read */
};

void fact_fields_init(struct fact_fields *fields, const struct fact *fact);

/* The key of the next field. Returns false at the end and after a fault. */
bool fact_fields_next(struct fact_fields *fields, uint64_t *key);

/* Returns 0 when all was read without fault and every field of required (bits) was there. */
int fact_fields_end(const struct fact_fields *fields, uint64_t required);

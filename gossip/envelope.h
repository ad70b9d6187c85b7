/* SPDX-License-Identifier: MIT */
/*
 * envelope.h - what messages about membership have in common: the head, and a signature over a tag,
 * the collective and all that stands before it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "gossip/crypto.h"

#define ENVELOPE_SIZE_MAX 1200
#define ENVELOPE_PROTOCOL 1
#define ENVELOPE_HEAD 4 /* items */

enum envelope_type {
	ENVELOPE_JOIN_REQUEST = 16,
	ENVELOPE_JOIN_REPLY = 17,
	ENVELOPE_PETITION = 18,
	ENVELOPE_GRANT = 19,
	ENVELOPE_GRANT_ANSWER = 20,
	ENVELOPE_PROBE = 21,
	ENVELOPE_PROBE_ANSWER = 22,
	ENVELOPE_PRESENCE = 23,
	ENVELOPE_PRESENCE_ANSWER = 24,
	ENVELOPE_OFFER = 25,
	ENVELOPE_ANSWER = 26,
	ENVELOPE_REFLECTION = 27,
	ENVELOPE_PATH = 28,
	ENVELOPE_WHY = 29,
	ENVELOPE_WHY_ANSWER = 30,
	ENVELOPE_PASS = 31,
	ENVELOPE_PASSED = 32,
};

/* The type that a message says it has; 0 where it is none. Promises nothing about the rest. */
unsigned envelope_type(const void *bytes, size_t size);

/* Begins a message of this many items, head and signature included. */
void envelope_begin(struct wire_writer *writer, void *out, size_t size, enum envelope_type type,
	uint32_t items, const struct hash *collective, uint64_t clock);

/* Appends the signature as the last item. Returns the message's size, or -EMSGSIZE. */
int envelope_sign(struct wire_writer *writer, const char *tag, const struct secret *signer,
	const struct hash *collective, const struct crypto *crypto);

/* A message that is being read. */
struct envelope {
	struct wire_reader reader;
	const uint8_t *bytes;
	uint32_t items; /* in all */
	uint32_t known;
	uint64_t clock;
	size_t signed_size;
	uint8_t signature[SIGNATURE_SIZE];
};

/*
 * Reads the head of a message of this type with at least known items. Returns 0, -EBADMSG, or
 * -EXDEV when it is another collective's.
 */
int envelope_open(struct envelope *envelope, enum envelope_type type, uint32_t known,
	const struct hash *collective, const void *bytes, size_t size);

/* Reads the signature, which is the next item. */
void envelope_read_signature(struct envelope *envelope);

/* Passes over what a newer program added. Returns 0 or -EBADMSG. */
int envelope_end(struct envelope *envelope);

/* Whether the signature that was read is by this key. */
bool envelope_verify(const struct envelope *envelope, const char *tag, const struct key *signer,
	const struct hash *collective, const struct crypto *crypto);

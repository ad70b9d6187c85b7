/* SPDX-License-Identifier: MIT */
/*
 * seal.h - datagrams outside the tunnel, between two agents on WireGuard's own ports.
 *
 * One begins with a magic that WireGuard passes over in silence, then names a session by a number
 * that its two ends agreed upon inside the tunnel, then counts; all else is sealed. Each direction
 * has a key of its own. Who does not know the session's keys gets no answer, and nothing that was
 * taken once is taken again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

#define SEAL_MAGIC_SIZE 8
#define SEAL_ID_SIZE 8
#define SEAL_HEAD (SEAL_MAGIC_SIZE + SEAL_ID_SIZE + 8)
#define SEAL_EXTRA (SEAL_HEAD + 16)
#define SEAL_DATAGRAM_MAX 148 /* as large as WireGuard's own first message */
#define SEAL_BODY_MAX (SEAL_DATAGRAM_MAX - SEAL_EXTRA)

/* The first word, by which the system picks such datagrams out. */
extern const uint8_t seal_magic[SEAL_MAGIC_SIZE];

struct seal_id {
	uint8_t bytes[SEAL_ID_SIZE];
};

struct seal {
	struct seal_id id;
	struct key out; /* for what this end sends */
	struct key in;
	uint64_t sent;
	uint64_t newest; /* of those taken; 0: none */
	uint64_t before; /* a bit for each of the 64 before it */
};

/*
 * A session from a secret that both ends know, and no one else. They pass the same label and
 * secret, and one of them says that it is first.
 */
void seal_init(struct seal *ret, const char *label, const struct key *secret, bool first);
void seal_wipe(struct seal *seal);

/* Writes a datagram around a body of at most SEAL_BODY_MAX bytes. Returns its size. */
size_t seal_write(
	struct seal *seal, const void *body, size_t size, uint8_t out[static SEAL_DATAGRAM_MAX]);

/* Whether this may be such a datagram, and of which session. */
bool seal_peek(const void *bytes, size_t size, struct seal_id *ret);

/*
 * Opens a datagram of this session. Returns the body's size; -EBADMSG where it was not sealed by
 * the other end; -EALREADY where it was taken before, or is too old to tell.
 */
int seal_read(
	struct seal *seal, const void *bytes, size_t size, uint8_t body[static SEAL_BODY_MAX]);

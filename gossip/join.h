/* SPDX-License-Identifier: MIT */
/*
 * join.h - what a newcomer and the hub say to each other through the temporary tunnel.
 *
 * The tunnel proves that the newcomer holds the invite and that it talks to the hub that made it.
 * The request is signed by the newcomer's own new identity, so nobody is given a certificate for
 * somebody else's key. Every message may be lost or come twice; the answer to the same request is
 * the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gossip/crypto.h"
#include "gossip/field.h"

#define JOIN_MESSAGE_MAX 512

struct join_request {
	struct hash invite; /* id, from the secret */
	struct key site;
	struct key backbone; /* WireGuard public keys that the site made for itself */
	struct key links;
	uint64_t clock; /* wall time, ms */
};

enum join_status {
	JOIN_GRANTED = 1,   /* the certificate is there: come under your own key */
	JOIN_APPROVAL = 2,  /* an admin has to approve */
	JOIN_NO_ADMIN = 3,  /* the admin who can issue it cannot be reached now */
	JOIN_USED = 4,      /* somebody else has redeemed it */
	JOIN_WITHDRAWN = 5, /* its maker took it back */
	JOIN_EXPIRED = 6,
	JOIN_UNKNOWN = 7, /* the hub has no such invite (any more) */
	JOIN_TAKEN = 8,   /* one of the keys, the name or the subnet is another's */
	JOIN_STATUSES,
};

struct join_reply {
	enum join_status status;
	struct hash invite;
	struct key site;                 /* whose request this answers */
	uint64_t clock;                  /* the hub's wall time, ms */
	char name[TEXT_NAME_MAX + 1];    /* the newcomer's; used: the redeeming site's; "" */
	char contact[TEXT_NAME_MAX + 1]; /* whom to ask: the sponsor; "" */
};

/* Writes and signs. Return the size. */
size_t join_request_write(const struct join_request *request, const struct secret *site,
	const struct hash *collective, const struct crypto *crypto,
	uint8_t out[static JOIN_MESSAGE_MAX]);
size_t join_reply_write(const struct join_reply *reply, const struct hash *collective,
	uint8_t out[static JOIN_MESSAGE_MAX]);

/* Reads and verifies. Returns 0, -EBADMSG, -EXDEV for another collective, -EKEYREJECTED. */
int join_request_read(struct join_request *ret, const struct hash *collective,
	const struct crypto *crypto, const void *bytes, size_t size);

/* Reads. A status of a newer program is read as JOIN_UNKNOWN. */
int join_reply_read(
	struct join_reply *ret, const struct hash *collective, const void *bytes, size_t size);

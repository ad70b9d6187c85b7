/* SPDX-License-Identifier: MIT */
/*
 * invite.h - the one word that lets a friend in.
 *
 * It names the collective, the way to its hub, what is reserved for the newcomer, and a one-time
 * secret. From the secret come the temporary WireGuard key and the preshared key under which the
 * newcomer meets the hub; whoever records the traffic and later breaks Curve25519 still lacks it.
 *
 * The word: "collective1_", then base64 without padding in the alphabet for URLs. Its last four
 * bytes are a checksum, so a typing error is seen as one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gossip/crypto.h"
#include "gossip/field.h"

#define INVITE_ENDPOINTS_MAX 3
#define INVITE_HOST_MAX 64   /* characters of a host name or address */
#define INVITE_TEXT_SIZE 451 /* with the final NUL, three endpoints of 64 characters */

struct invite_endpoint {
	char host[INVITE_HOST_MAX + 1]; /* a name, or an address without brackets */
	uint16_t port;
};

struct invite {
	struct key root;
	struct prefix supernet;     /* IPv4 */
	struct address hub_address; /* overlay, IPv4 */
	uint8_t hub_length;         /* of the hub's own subnet */
	struct key hub_key;         /* WireGuard public key of its backbone */
	uint32_t endpoint_count;
	struct invite_endpoint endpoints[INVITE_ENDPOINTS_MAX];
	uint8_t join_number;    /* N of the join address 169.254.77.N, 1 to 254 */
	struct prefix reserved; /* the newcomer's subnet, inside the supernet */
	uint64_t expires;       /* seconds since 1970 */
	bool approval;          /* an admin has to approve */
	struct key secret;
};

/* What both sides derive from the secret. */
struct invite_keys {
	struct key private_key; /* temporary, of WireGuard */
	struct key public_key;
	struct key preshared_key;
	struct hash id; /* under which the hub and admins speak of the invite */
};

/* Why a word is no invite. */
enum invite_fault {
	INVITE_GOOD = 0,
	INVITE_OTHER,   /* something else altogether */
	INVITE_NEWER,   /* of a newer program */
	INVITE_TYPO,    /* a character or a part is wrong or missing */
	INVITE_INVALID, /* whole, but with values that cannot be */
};

/* The join address that belongs to a number. */
struct address invite_join_address(uint8_t number);

/* All of them. */
struct prefix invite_join_addresses(void);

/* Writes the word. Returns its length, or -EINVAL for values that cannot be. */
int invite_write(const struct invite *invite, char out[static INVITE_TEXT_SIZE]);

/* Reads a word; white space around it and inside, as terminals put there, is passed over. */
enum invite_fault invite_read(struct invite *ret, const char *text);

/* A sentence for a fault: what is wrong and what to do. */
const char *invite_fault_text(enum invite_fault fault);

/* Whether it has expired at this wall time, in milliseconds. */
bool invite_expired(const struct invite *invite, uint64_t now);

/* Derives the keys. The caller wipes them, and the invite. */
void invite_derive(const struct key *secret, struct invite_keys *ret);

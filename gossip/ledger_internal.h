/* SPDX-License-Identifier: MIT */
/*
 * ledger_internal.h - what the files of the ledger share. The index knows which claims (names,
 * keys, addresses, prefixes) are in force, and whose they are.
 */
#pragma once

#include "gossip/ledger.h"

struct revocation_row {
	struct hash subject;
	struct hash issuer;
	struct hash hash; /* of the fact */
	uint32_t fact;    /* handle */
};

struct removal_row {
	uint8_t key[HASH_SIZE + 1]; /* hash of the admin's key, part */
	uint8_t parts;
	struct hash hash; /* of the fact */
	uint32_t fact;    /* handle */
};

/* A name, key or address that is taken. */
struct claim {
	uint8_t digest[8];
	struct row_id owner;
};

/* A prefix that is taken. The key puts prefixes into the order of their addresses. */
struct prefix_claim {
	uint8_t key[18]; /* family, address, length */
	struct row_id owner;
};

/*
 * Whether a certificate meets what others than self (NULL: anybody) have in force: says what, and
 * whose. NULL: it does not.
 */
const char *index_meeting(const struct ledger *ledger, const struct certificate *certificate,
	const struct row_id *self, struct row_id *rival);

/* Whether a certificate claims one thing twice, as with two keys that are told apart too little. */
bool index_doubles(const struct certificate *certificate);

/* Puts a member into force, or a rival into waiting, after its certificate came or changed. */
void index_admit(
	struct ledger *ledger, struct member *member, const struct certificate *certificate);

/* Takes a certificate's claims out of force. To be followed by index_settle() once all is done. */
void index_withdraw(
	struct ledger *ledger, struct member *member, const struct certificate *certificate);

/* Gives what became free to those who wait for it. */
void index_settle(struct ledger *ledger);

/* The fact behind a handle, which is whole: it was checked when it came. */
struct fact ledger_fact(const struct ledger *ledger, uint32_t handle);

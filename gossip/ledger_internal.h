/* SPDX-License-Identifier: MIT */
/*
 * ledger_internal.h - what the files of the ledger share. The index knows which claims (names,
 * keys, addresses, prefixes) are in force, and whose they are.
 */
#pragma once

#include "gossip/ledger.h"

/* Of one issuer there is one revocation under an id: more would hide what else stands there. */
struct revocation_key {
	struct row_id subject;
	struct hash issuer;
};

struct revocation_row {
	struct revocation_key key;
	struct hash subject;
	struct hash hash; /* of the fact */
	uint32_t fact;    /* handle */
};

/* The parts of one removal were signed at one time and agree on how many they are. */
struct removal_key {
	struct hash admin;
	uint8_t issued_at[6];
	uint8_t parts;
	uint8_t part;
};

struct removal_row {
	struct removal_key key;
	struct hash hash; /* of the fact */
	uint32_t fact;    /* handle */
};

struct spare_key {
	struct row_id site;
	struct hash issuer;
};

/* A site's newest certificate by an issuer, beside a newer one by another. */
struct spare {
	struct spare_key key;
	uint32_t version;
	uint32_t fact; /* handle */
	struct hash hash;
};

/* What is remembered of a site that fell with its admin, in case another admits it again. */
struct departed {
	struct hash site;
	uint64_t sequence;
};

#define CLAIM_SIZE 8

/* A name, key or address that is taken. */
struct claim {
	uint8_t digest[CLAIM_SIZE];
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

/* The owner of an overlay address in force; NULL: nobody's. */
const struct row_id *index_address(const struct ledger *ledger, const struct address *address);

/* Puts a member into force, or a rival into waiting, after its certificate came or changed. */
void index_admit(
	struct ledger *ledger, struct member *member, const struct certificate *certificate);

/* Takes a certificate's claims out of force. To be followed by index_settle() once all is done. */
void index_withdraw(
	struct ledger *ledger, struct member *member, const struct certificate *certificate);

/* Gives what became free to those who wait for it. */
void index_settle(struct ledger *ledger);

/* The row of a revocation or of a part of a removal. */
struct row row_of_out(const struct row_id *id, const struct hash *fact);

struct removal_key removal_key(const struct removal *removal);

struct member *ledger_find_hash(const struct ledger *ledger, const struct hash *site);

/* Trust: whose word counts, and what falls when that changes. */

struct admin *trust_find_admin(const struct ledger *ledger, const struct hash *key);

/* Whether some removal of this admin is there in whole. */
bool trust_is_removed(const struct ledger *ledger, const struct hash *admin);

/* Whether an admin's word counts for this fact; says what it may grant. */
enum verdict trust_check(const struct ledger *ledger, const struct admin *admin,
	const struct hash *fact, struct delegation *delegation);

/* Whether an issuer has a place left for one more revocation. */
bool trust_may_revoke(const struct ledger *ledger, const struct hash *issuer);

/* By (version, hash). */
bool trust_is_older(
	uint32_t version, const struct hash *hash, uint32_t held, const struct hash *held_hash);

/* How old a member is, and by whose word. */
void trust_set_seniority(struct member *member, const struct certificate *certificate,
	const struct delegation *delegation);

/* After an admin's delegation changed or it was removed: what it signed stands or falls anew. */
void trust_review(struct ledger *ledger, const struct hash *admin);

/* Takes a member away with all its certificates, and remembers how far its records had come. */
void trust_drop_member(struct ledger *ledger, const struct row_id *id);

/* Gives a member that comes again what was remembered. */
void trust_recall(struct ledger *ledger, struct member *member);

struct spare *trust_find_spare(
	const struct ledger *ledger, const struct row_id *site, const struct hash *issuer);
struct spare *trust_add_spare(
	struct ledger *ledger, const struct row_id *site, const struct hash *issuer);
void trust_drop_spare(struct ledger *ledger, const struct spare *spare);

/* The member's own certificate becomes a spare, or is freed where there is no room. */
void trust_spare_current(struct ledger *ledger, const struct member *member);

/* The fact behind a handle, which is whole: it was checked when it came. */
struct fact ledger_fact(const struct ledger *ledger, uint32_t handle);

/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - the merged state: everything that is believed, and nothing else.
 *
 * Facts may come in any order and any number of times: ledgers that were offered the same facts
 * hold the same. Certificates and delegations merge by (version, hash), records by (sequence,
 * hash), revocations and removals by union. What a revocation or removal takes away never comes
 * back. Of each issuer a site's newest certificate is kept: when an admin turns out to be a thief
 * and is removed, what it had signed over falls back to what others had signed.
 *
 * Two members whose names, WireGuard keys, addresses or prefixes meet are rivals. Who was admitted
 * by an admin without limits stands before who was not, then the elder (by since, which cannot be
 * before its admin was one, then by the hash of the site's key); the other is kept but not in
 * force until it does not meet any more. This is so on every site.
 *
 * Everything is bounded by the options; full is a counted outcome. No allocation after init. Times
 * are wall-clock milliseconds; the caller corrects a clock that is off.
 */
#pragma once

#include "base/arena.h"
#include "base/table.h"
#include "gossip/authority.h"
#include "gossip/certificate.h"
#include "gossip/fact.h"
#include "gossip/record.h"

#define LEDGER_ADMINS_MAX 64
#define LEDGER_REMOVALS_MAX 256
#define LEDGER_PROOFS_MAX 64
#define LEDGER_FUTURE_MS (10 * 60 * 1000) /* how far ahead of our clock a fact may be dated */
#define LEDGER_REVOKED_VERSION UINT32_MAX

/* What became of a fact that was offered. */
enum verdict {
	VERDICT_NEW,      /* taken */
	VERDICT_KNOWN,    /* already held */
	VERDICT_OLDER,    /* something newer is held */
	VERDICT_SPARE,    /* taken, and kept beside a newer one of another issuer */
	VERDICT_DEFERRED, /* worth verifying, which the caller did not permit now */
	/* Refused: */
	VERDICT_OVERSIZED,
	VERDICT_MALFORMED,
	VERDICT_NEWER_FORMAT,
	VERDICT_UNSIGNED,
	VERDICT_NOT_MEMBER,
	VERDICT_REVOKED,
	VERDICT_UNKNOWN_ISSUER,
	VERDICT_REMOVED_ISSUER,
	VERDICT_NOT_GRANTED,
	VERDICT_MISPLACED,
	VERDICT_FUTURE,
	VERDICT_EXPIRED,
	VERDICT_COLLISION,
	VERDICT_FULL,
	VERDICTS,
};

struct ledger_options {
	uint32_t sites_max;
	struct key root;
	struct prefix supernet;
	const struct crypto *crypto;
};

/* A member. Its facts stand in the arena. */
struct member {
	struct row_id id;
	bool in_force;    /* its certificate meets no elder's */
	bool hub;         /* by its certificate */
	bool limited;     /* admitted by an admin who may certify some prefixes only */
	bool equivocates; /* signed two records with one sequence number */
	bool left;
	uint32_t version;     /* of the certificate */
	uint32_t certificate; /* handles */
	uint32_t record;      /* ARENA_NONE: none yet */
	uint32_t proof;       /* the other record of an equivocator; ARENA_NONE: not kept */
	struct hash site;     /* of the site's key */
	struct hash issuer;
	struct hash certificate_hash;
	struct hash record_hash;
	uint64_t since;    /* no earlier than its issuer has been an admin */
	uint64_t sequence; /* nothing below is taken, also where there is no record (any more) */
	uint64_t expires;  /* the record; 0: none */
	int64_t paced;     /* for the caller's budget of records by this author */
};

struct admin {
	struct row_id id;
	bool removed;
	uint32_t version;
	uint32_t delegation; /* handle */
	struct hash key;     /* hash of it */
	struct hash hash;    /* of the delegation */
};

/* One line of what is held, as it travels. */
struct row {
	struct row_id id;
	uint32_t version;  /* of the certificate or delegation; LEDGER_REVOKED_VERSION: it is out */
	uint64_t sequence; /* of the record, if any; of what is out: the first bytes of its hash */
};

#define ROW_SEQUENCE_SIZE 6
#define ROW_SIZE (ROW_ID_SIZE + 4 + ROW_SEQUENCE_SIZE)

struct ledger_summary {
	uint32_t facts; /* delegations, certificates and records that have not expired */
	struct hash facts_hash;
	uint32_t revocations; /* revocations and removals */
	struct hash revocations_hash;
};

struct ledger {
	struct ledger_options options;
	struct hash collective;
	struct hash root; /* of its key */
	struct table members;
	struct table admins;
	struct table spares;
	struct table departed;
	struct table revocations;
	struct table removals;
	struct table claims;
	struct table prefixes;
	struct arena arena;
	uint32_t *seniority; /* room to put members into the order of age */
	uint32_t rivals;     /* members that are not in force */
	uint32_t proofs;
	uint64_t generation; /* grows with every change of who is a member with what */
	uint64_t counters[VERDICTS];
	uint64_t equivocations;
	struct ledger_summary summary; /* as of summary_until */
	uint64_t summary_from;
	uint64_t summary_until; /* 0: to be made anew */
};

/* What an offer did. */
struct ledger_outcome {
	enum verdict verdict;
	enum fact_kind kind; /* 0 when the fact could not be read */
	struct row row;      /* what is held now under the fact's id */
	struct row_id author;
	bool tie; /* older only by its hash: whoever sent it lacks ours, and rows may not tell */
};

/* Bytes of memory that a ledger with these options needs. */
size_t ledger_memory(const struct ledger_options *options);

/* Prepares an empty ledger in memory that is aligned to 16. */
void ledger_init(struct ledger *ledger, const struct ledger_options *options, void *memory);

/* Offers a fact. Cheap checks come first; may_verify permits the expensive one. */
struct ledger_outcome ledger_offer(
	struct ledger *ledger, uint64_t now, const void *bytes, size_t size, bool may_verify);

/* Takes back what was believed before, whatever the clock shows now. */
struct ledger_outcome ledger_restore(struct ledger *ledger, const void *bytes, size_t size);

/* A sentence fragment for people: "not signed by whom it should be". */
const char *verdict_text(enum verdict verdict);

/* Asking. */

struct member *ledger_find(const struct ledger *ledger, const struct row_id *id);
struct member *ledger_find_site(const struct ledger *ledger, const struct key *site);
struct member *ledger_find_name(const struct ledger *ledger, const char *name);

/* The member in force with this overlay address. */
struct member *ledger_find_address(const struct ledger *ledger, const struct address *address);
bool ledger_is_revoked(const struct ledger *ledger, const struct hash *site);

void ledger_certificate(
	const struct ledger *ledger, const struct member *member, struct certificate *ret);

/* Whether a member in force has something of this prefix. */
bool ledger_prefix_taken(const struct ledger *ledger, const struct prefix *prefix);

/* The prefix at this place among those in force, by family, address and length; and whose it is. */
struct prefix ledger_prefix(const struct ledger *ledger, uint32_t place, struct row_id *owner);

/*
 * The hashes of what this admin signed and is held: certificates, spares and revocations, from the
 * first-th on. Returns how many there are in ret.
 */
uint32_t ledger_signed_by(const struct ledger *ledger, const struct hash *admin, uint32_t first,
	struct hash *ret, uint32_t most);

/* The place of the first one behind all of this network. */
uint32_t ledger_prefix_behind(const struct ledger *ledger, const struct prefix *network);

/* Whether there is a record; false also where there is none. Expired ones are read, too. */
bool ledger_record(const struct ledger *ledger, const struct member *member, struct record *ret);

/* Whether there is a record that is believed at this time. */
bool member_is_live(const struct member *member, uint64_t now);

/* The delegation of an admin who is not removed, by the hash of its key. False: there is none. */
bool ledger_delegation(
	const struct ledger *ledger, const struct hash *admin, struct delegation *ret);

/* Why a certificate could not be issued beside those that are in force; NULL where it could. */
const char *ledger_rivalry(
	const struct ledger *ledger, const struct certificate *certificate, struct row_id *rival);

/* The same for a member's next certificate: what it holds itself is not in its way. */
const char *ledger_rivalry_of(const struct ledger *ledger, const struct certificate *certificate,
	const struct row_id *self, struct row_id *rival);

/* Counts and hashes of what is held at this time. */
const struct ledger_summary *ledger_summarize(struct ledger *ledger, uint64_t now);

/*
 * Rows from the id first on, ascending, at most most; with those that are out where out is set.
 * Says in last the id that the rows reach to: all ones where nothing follows.
 */
uint32_t ledger_rows(const struct ledger *ledger, const struct row_id *first,
	const struct row_id *end, bool out, struct row *rows, uint32_t most, struct row_id *last);

/* The row of one id, as held; of a revoked site that of a revocation. */
struct row ledger_row(const struct ledger *ledger, const struct row_id *id);

/*
 * Handles of the facts of an id that somebody with this row lacks, certificates first; at most 3.
 * With same, also those that are of the row's own version and sequence.
 */
uint32_t ledger_newer(const struct ledger *ledger, uint64_t now, const struct row *row, bool same,
	uint32_t handles[static 3]);

/* Handles of the revocation or part of a removal at this place among them; 0 or 1 of them. */
uint32_t ledger_out_at(const struct ledger *ledger, uint32_t place, uint32_t handles[static 3]);

/* The handle of the fact that an outcome speaks of; ARENA_NONE when it is not held any more. */
uint32_t ledger_taken(const struct ledger *ledger, const struct ledger_outcome *outcome);

/* The bytes behind such a handle, good until the next offer. */
const uint8_t *ledger_bytes(const struct ledger *ledger, uint32_t handle, size_t *size);

/* The hash over the rows of a range, as ledger_rows() gives them. */
struct hash ledger_range_hash(const struct ledger *ledger, uint64_t now, const struct row_id *first,
	const struct row_id *end, bool out);

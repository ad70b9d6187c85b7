/* SPDX-License-Identifier: MIT */
#include "gossip/ledger.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/layout.h"
#include "gossip/ledger_internal.h"

#define CLAIMS_PER_SITE 4
#define PREFIXES_PER_SITE 4 /* on average */
#define REVOCATIONS_PER_SITE 2
#define SITES_PER_DEPARTED 4
#define ARENA_PER_SITE 1912
#define ARENA_RESERVE_PER_SITE 128 /* which certificates and records leave to who is out */
#define ARENA_BESIDES (64 * 1024)  /* delegations and removals */

/* A fact on its way in. */
struct offer {
	struct ledger *ledger;
	uint64_t now;
	struct fact fact;
	struct hash hash; /* of its bytes, once needed */
	bool may_verify;
	bool restored; /* was believed before: dates are not judged again */
	struct ledger_outcome *outcome;
};

/* For what cannot fail unless we are wrong. */
static void require(int r)
{
	assert(r == 0);
	(void)r;
}

/* Memory. */

static uint32_t arena_size(uint32_t sites)
{
	return sites * ARENA_PER_SITE + ARENA_BESIDES;
}

/* Lays a ledger out. With no memory it only measures. */
static size_t lay_ledger(struct ledger *ledger, uint32_t sites, void *memory)
{
	struct layout layout = {.memory = memory};
	uint32_t revocations = REVOCATIONS_PER_SITE * sites;
	/* Two facts a member and one to spare, revocations, admins, removals, proofs. */
	uint32_t handles = 1 + 3 * sites + revocations + LEDGER_ADMINS_MAX + LEDGER_REMOVALS_MAX +
			   LEDGER_PROOFS_MAX;
	uint32_t *places = layout_part(&layout, handles * sizeof *places);
	void *bytes = layout_part(&layout, arena_size(sites));

	layout_table(&layout, &ledger->members, sites, sizeof(struct member),
		offsetof(struct member, id), ROW_ID_SIZE);
	layout_table(&layout, &ledger->admins, LEDGER_ADMINS_MAX, sizeof(struct admin),
		offsetof(struct admin, id), ROW_ID_SIZE);
	layout_table(&layout, &ledger->spares, sites, sizeof(struct spare),
		offsetof(struct spare, key), sizeof(struct spare_key));
	layout_table(&layout, &ledger->departed, 1 + sites / SITES_PER_DEPARTED,
		sizeof(struct departed), offsetof(struct departed, site), HASH_SIZE);
	layout_table(&layout, &ledger->revocations, revocations, sizeof(struct revocation_row),
		offsetof(struct revocation_row, key), sizeof(struct revocation_key));
	layout_table(&layout, &ledger->removals, LEDGER_REMOVALS_MAX, sizeof(struct removal_row),
		offsetof(struct removal_row, key), sizeof(struct removal_key));
	layout_table(&layout, &ledger->claims, CLAIMS_PER_SITE * sites, sizeof(struct claim),
		offsetof(struct claim, digest), sizeof((struct claim *)0)->digest);
	layout_table(&layout, &ledger->prefixes, PREFIXES_PER_SITE * sites,
		sizeof(struct prefix_claim), offsetof(struct prefix_claim, key),
		sizeof((struct prefix_claim *)0)->key);
	ledger->seniority = layout_part(&layout, sites * sizeof *ledger->seniority);
	if (memory)
		arena_init(&ledger->arena, bytes, arena_size(sites), places, handles);
	return layout.used;
}

size_t ledger_memory(const struct ledger_options *options)
{
	struct ledger measured;

	return lay_ledger(&measured, options->sites_max, NULL);
}

void ledger_init(struct ledger *ledger, const struct ledger_options *options, void *memory)
{
	assert((uintptr_t)memory % LAYOUT_ALIGNMENT == 0);
	*ledger = (struct ledger){.options = *options};
	ledger->collective = collective_id(&options->root);
	ledger->root = hash_of(options->root.bytes, KEY_SIZE);
	(void)lay_ledger(ledger, options->sites_max, memory);
}

/* What is held. */

struct fact ledger_fact(const struct ledger *ledger, uint32_t handle)
{
	struct fact fact;
	size_t size;
	const uint8_t *bytes = arena_get(&ledger->arena, handle, &size);

	require(fact_open(&fact, bytes, size)); /* a fact that was taken is whole */
	return fact;
}

const uint8_t *ledger_bytes(const struct ledger *ledger, uint32_t handle, size_t *size)
{
	return arena_get(&ledger->arena, handle, size);
}

static bool holds_same(const struct ledger *ledger, uint32_t handle, const struct fact *fact)
{
	size_t size;
	const uint8_t *bytes;

	if (handle == ARENA_NONE)
		return false;
	bytes = arena_get(&ledger->arena, handle, &size);
	return size == fact->size && memcmp(bytes, fact->bytes, size) == 0;
}

static bool replace(struct ledger *ledger, uint32_t *handle, const struct fact *fact)
{
	return arena_replace(&ledger->arena, handle, fact->bytes, (uint16_t)fact->size);
}

/* Members do not fill the room that is kept for the facts about who is out. */
static bool leaves_reserve(const struct ledger *ledger, const struct fact *fact)
{
	uint32_t reserve = ledger->options.sites_max * ARENA_RESERVE_PER_SITE;

	return ledger->arena.live + fact->size + 2 * ARENA_HEAD_SIZE + reserve <=
	       ledger->arena.size;
}

struct member *ledger_find(const struct ledger *ledger, const struct row_id *id)
{
	return table_find(&ledger->members, id->bytes);
}

struct member *ledger_find_hash(const struct ledger *ledger, const struct hash *site)
{
	struct row_id id = row_id_of(site);
	struct member *member = ledger_find(ledger, &id);

	return member && hash_equal(&member->site, site) ? member : NULL;
}

struct member *ledger_find_site(const struct ledger *ledger, const struct key *site)
{
	struct hash hash = hash_of(site->bytes, KEY_SIZE);

	return ledger_find_hash(ledger, &hash);
}

void ledger_certificate(
	const struct ledger *ledger, const struct member *member, struct certificate *ret)
{
	struct fact fact = ledger_fact(ledger, member->certificate);

	require(certificate_read(ret, &fact)); /* a certificate that was taken is whole */
}

bool ledger_record(const struct ledger *ledger, const struct member *member, struct record *ret)
{
	struct fact fact;

	if (member->record == ARENA_NONE)
		return false;
	fact = ledger_fact(ledger, member->record);
	require(record_read(ret, &fact)); /* a record that was taken is whole */
	return true;
}

bool member_is_live(const struct member *member, uint64_t now)
{
	return member->expires > now;
}

/* Offers, by kind. Each returns VERDICT_NEW only when all of it was done. */

static enum verdict check_signature(struct offer *offer, const struct key *signer)
{
	const struct ledger *ledger = offer->ledger;

	if (!offer->may_verify)
		return VERDICT_DEFERRED;
	return fact_verify(&offer->fact, signer, &ledger->collective, ledger->options.crypto)
		       ? VERDICT_NEW
		       : VERDICT_UNSIGNED;
}

static bool is_future(const struct offer *offer, uint64_t time)
{
	return !offer->restored && time > offer->now + LEDGER_FUTURE_MS;
}

/* By (version, hash): what the offered fact is to the one that is held. */
static enum verdict compare_version(struct offer *offer, uint32_t version, uint32_t held,
	const struct hash *held_hash, uint32_t handle)
{
	if (version != held)
		return version > held ? VERDICT_NEW : VERDICT_OLDER;
	if (holds_same(offer->ledger, handle, &offer->fact))
		return VERDICT_KNOWN;
	if (hash_compare(&offer->hash, held_hash) > 0)
		return VERDICT_NEW;
	offer->outcome->tie = true;
	return VERDICT_OLDER;
}

static enum verdict take_delegation(
	struct offer *offer, const struct delegation *delegation, const struct hash *key)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(key);
	struct admin *admin = table_find(&ledger->admins, id.bytes);

	if (!admin) {
		admin = table_add(&ledger->admins, id.bytes);
		if (!admin)
			return VERDICT_FULL;
		admin->key = *key;
		admin->delegation = ARENA_NONE;
	}
	if (!replace(ledger, &admin->delegation, &offer->fact)) {
		if (admin->delegation == ARENA_NONE)
			table_remove(&ledger->admins, table_lower_bound(&ledger->admins, id.bytes));
		return VERDICT_FULL;
	}
	admin->version = delegation->version;
	admin->hash = offer->hash;
	admin->removed = trust_is_removed(ledger, key);
	/* One id is one row: an admin's key is nobody's site key. */
	if (ledger_find(ledger, &id))
		trust_drop_member(ledger, &id);
	trust_review(ledger, key);
	return VERDICT_NEW;
}

static enum verdict offer_delegation(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	struct delegation delegation;
	const struct admin *admin;
	enum verdict verdict;
	struct row_id id;
	struct hash key;

	if (delegation_read(&delegation, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	key = hash_of(delegation.admin.bytes, KEY_SIZE);
	id = row_id_of(&key);
	offer->outcome->author = id;
	offer->outcome->row.id = id;
	admin = table_find(&ledger->admins, id.bytes);
	/* Two admin keys with one id: the root does not sign the second. */
	if (admin && !hash_equal(&admin->key, &key))
		return VERDICT_COLLISION;
	if (admin) {
		verdict = compare_version(
			offer, delegation.version, admin->version, &admin->hash, admin->delegation);
		if (verdict != VERDICT_NEW)
			return verdict;
	}
	if (is_future(offer, delegation.issued_at))
		return VERDICT_FUTURE;
	verdict = check_signature(offer, &ledger->options.root);
	return verdict == VERDICT_NEW ? take_delegation(offer, &delegation, &key) : verdict;
}

/* What an offered certificate is to the one that is held of the same issuer. */
static enum verdict compare_certificate(
	struct offer *offer, const struct certificate *certificate, const struct member *member)
{
	const struct spare *spare;
	enum verdict verdict;

	/* Rows of one version do not tell the certificates of two issuers apart: whoever sent the
	 * one that loses lacks ours. */
	if (hash_equal(&member->issuer, &certificate->issuer))
		return compare_version(offer, certificate->version, member->version,
			&member->certificate_hash, member->certificate);
	spare = trust_find_spare(offer->ledger, &member->id, &certificate->issuer);
	verdict = spare ? compare_version(offer, certificate->version, spare->version, &spare->hash,
				  spare->fact)
			: VERDICT_NEW;
	offer->outcome->tie = certificate->version == member->version &&
			      hash_compare(&offer->hash, &member->certificate_hash) < 0;
	return verdict;
}

static enum verdict check_certificate(struct offer *offer, const struct certificate *certificate,
	const struct hash *site, struct delegation *delegation)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(site);
	const struct member *member = ledger_find(ledger, &id);
	enum verdict verdict;

	if (ledger_is_revoked(ledger, site))
		return VERDICT_REVOKED;
	/* Whoever believes it does not know whose id this is. */
	if (table_find(&ledger->admins, id.bytes) ||
		(member && hash_compare(&member->site, site) < 0)) {
		offer->outcome->tie = true;
		return VERDICT_COLLISION;
	}
	if (member && hash_equal(&member->site, site)) {
		verdict = compare_certificate(offer, certificate, member);
		if (verdict != VERDICT_NEW)
			return verdict;
	}
	if (!certificate_fits(certificate, &ledger->options.supernet))
		return VERDICT_MISPLACED;
	if (is_future(offer, certificate->issued_at))
		return VERDICT_FUTURE;
	verdict = trust_check(
		ledger, trust_find_admin(ledger, &certificate->issuer), &offer->hash, delegation);
	if (verdict != VERDICT_NEW)
		return verdict;
	if (!certificate_granted(certificate, delegation))
		return VERDICT_NOT_GRANTED;
	if (!leaves_reserve(ledger, &offer->fact) ||
		(!member && ledger->members.count == ledger->members.capacity))
		return VERDICT_FULL;
	return check_signature(offer, &delegation->admin);
}

static void put_in_force(struct offer *offer, struct member *member,
	const struct certificate *certificate, const struct delegation *delegation)
{
	member->version = certificate->version;
	member->certificate_hash = offer->hash;
	member->issuer = certificate->issuer;
	trust_set_seniority(member, certificate, delegation);
	index_admit(offer->ledger, member, certificate);
}

static enum verdict take_newcomer(struct offer *offer, const struct certificate *certificate,
	const struct hash *site, const struct delegation *delegation)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(site);
	struct member *member = table_add(&ledger->members, id.bytes);

	if (!member)
		return VERDICT_FULL;
	if (!replace(ledger, &member->certificate, &offer->fact)) {
		table_remove(&ledger->members, table_lower_bound(&ledger->members, id.bytes));
		return VERDICT_FULL;
	}
	member->site = *site;
	trust_recall(ledger, member);
	put_in_force(offer, member, certificate, delegation);
	return VERDICT_NEW;
}

/* Keeps a certificate beside a newer one of another issuer, for when that one falls. */
static enum verdict take_spare(
	struct offer *offer, const struct certificate *certificate, const struct member *member)
{
	struct ledger *ledger = offer->ledger;
	struct spare *spare = trust_find_spare(ledger, &member->id, &certificate->issuer);

	if (!spare)
		spare = trust_add_spare(ledger, &member->id, &certificate->issuer);
	if (!spare)
		return VERDICT_OLDER;
	if (!replace(ledger, &spare->fact, &offer->fact)) {
		if (spare->fact == ARENA_NONE)
			trust_drop_spare(ledger, spare);
		return VERDICT_FULL;
	}
	spare->version = certificate->version;
	spare->hash = offer->hash;
	return VERDICT_SPARE;
}

/* A member's certificate gives way to a newer one. That of another issuer stays as a spare. */
static enum verdict take_successor(struct offer *offer, const struct certificate *certificate,
	struct member *member, const struct delegation *delegation)
{
	struct ledger *ledger = offer->ledger;
	bool same_issuer = hash_equal(&member->issuer, &certificate->issuer);
	uint32_t handle = same_issuer ? member->certificate : ARENA_NONE;
	struct certificate before;
	struct spare *spare;

	ledger_certificate(ledger, member, &before);
	if (!replace(ledger, &handle, &offer->fact))
		return VERDICT_FULL;
	if (!same_issuer) {
		spare = trust_find_spare(ledger, &member->id, &certificate->issuer);
		if (spare)
			trust_drop_spare(ledger, spare);
		trust_spare_current(ledger, member);
	}
	index_withdraw(ledger, member, &before);
	member->certificate = handle;
	put_in_force(offer, member, certificate, delegation);
	return VERDICT_NEW;
}

static enum verdict take_certificate(struct offer *offer, const struct certificate *certificate,
	const struct hash *site, const struct delegation *delegation)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(site);
	struct member *member = ledger_find(ledger, &id);

	if (member && !hash_equal(&member->site, site)) {
		trust_drop_member(ledger, &id);
		member = NULL;
	}
	if (!member)
		return take_newcomer(offer, certificate, site, delegation);
	if (!hash_equal(&member->issuer, &certificate->issuer) &&
		trust_is_older(certificate->version, &offer->hash, member->version,
			&member->certificate_hash))
		return take_spare(offer, certificate, member);
	return take_successor(offer, certificate, member, delegation);
}

static enum verdict offer_certificate(struct offer *offer)
{
	struct certificate certificate;
	struct delegation delegation;
	enum verdict verdict;
	struct hash site;

	if (certificate_read(&certificate, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	if (index_doubles(&certificate))
		return VERDICT_COLLISION;
	site = hash_of(certificate.site.bytes, KEY_SIZE);
	offer->outcome->author = row_id_of(&certificate.issuer);
	offer->outcome->row.id = row_id_of(&site);
	verdict = check_certificate(offer, &certificate, &site, &delegation);
	return verdict == VERDICT_NEW ? take_certificate(offer, &certificate, &site, &delegation)
				      : verdict;
}

/* Of two facts under one key of a set that only grows the one with the smaller hash is kept. */
static enum verdict compare_out(struct offer *offer, const struct hash *held)
{
	offer->outcome->row = row_of_out(&offer->outcome->row.id, held);
	if (hash_equal(held, &offer->hash))
		return VERDICT_KNOWN;
	if (hash_compare(held, &offer->hash) > 0)
		return VERDICT_NEW;
	offer->outcome->tie = true;
	return VERDICT_OLDER;
}

static enum verdict take_revocation(
	struct offer *offer, const struct revocation *revocation, const struct revocation_key *key)
{
	struct ledger *ledger = offer->ledger;
	struct revocation_row *row = table_find(&ledger->revocations, key);

	if (!row && trust_may_revoke(ledger, &revocation->issuer))
		row = table_add(&ledger->revocations, key);
	if (!row)
		return VERDICT_FULL;
	if (!replace(ledger, &row->fact, &offer->fact)) {
		if (row->fact == ARENA_NONE)
			table_remove(
				&ledger->revocations, table_lower_bound(&ledger->revocations, key));
		return VERDICT_FULL;
	}
	row->subject = revocation->subject;
	row->hash = offer->hash;
	if (ledger_find_hash(ledger, &revocation->subject))
		trust_drop_member(ledger, &offer->outcome->row.id);
	return VERDICT_NEW;
}

static enum verdict check_revocation(struct offer *offer, const struct revocation *revocation)
{
	struct ledger *ledger = offer->ledger;
	struct delegation delegation;
	enum verdict verdict;

	if (is_future(offer, revocation->issued_at))
		return VERDICT_FUTURE;
	if (hash_equal(&revocation->issuer, &ledger->root))
		return check_signature(offer, &ledger->options.root);
	verdict = trust_check(
		ledger, trust_find_admin(ledger, &revocation->issuer), &offer->hash, &delegation);
	if (verdict == VERDICT_NEW && !(delegation.grants & GRANT_REVOKE))
		verdict = VERDICT_NOT_GRANTED;
	return verdict == VERDICT_NEW ? check_signature(offer, &delegation.admin) : verdict;
}

static enum verdict offer_revocation(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	const struct revocation_row *row;
	struct revocation revocation;
	struct revocation_key key;
	enum verdict verdict;

	if (revocation_read(&revocation, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	key = (struct revocation_key){row_id_of(&revocation.subject), revocation.issuer};
	offer->outcome->author = row_id_of(&revocation.issuer);
	offer->outcome->row.id = row_id_of(&revocation.subject);
	row = table_find(&ledger->revocations, &key);
	verdict = row ? compare_out(offer, &row->hash) : VERDICT_NEW;
	if (verdict == VERDICT_NEW)
		verdict = check_revocation(offer, &revocation);
	if (verdict == VERDICT_NEW)
		verdict = take_revocation(offer, &revocation, &key);
	if (verdict == VERDICT_NEW)
		offer->outcome->row = row_of_out(&offer->outcome->row.id, &offer->hash);
	return verdict;
}

static enum verdict take_removal(
	struct offer *offer, const struct removal *removal, const struct removal_key *key)
{
	struct ledger *ledger = offer->ledger;
	struct removal_row *row = table_find(&ledger->removals, key);

	if (!row)
		row = table_add(&ledger->removals, key);
	if (!row)
		return VERDICT_FULL;
	if (!replace(ledger, &row->fact, &offer->fact)) {
		if (row->fact == ARENA_NONE)
			table_remove(&ledger->removals, table_lower_bound(&ledger->removals, key));
		return VERDICT_FULL;
	}
	row->hash = offer->hash;
	trust_review(ledger, &removal->subject);
	return VERDICT_NEW;
}

static enum verdict offer_removal(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	const struct removal_row *row;
	struct removal removal;
	struct removal_key key;
	enum verdict verdict;

	if (removal_read(&removal, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	key = removal_key(&removal);
	offer->outcome->author = row_id_of(&ledger->root);
	offer->outcome->row.id = row_id_of(&removal.subject);
	row = table_find(&ledger->removals, &key);
	verdict = row ? compare_out(offer, &row->hash) : VERDICT_NEW;
	if (verdict == VERDICT_NEW && is_future(offer, removal.issued_at))
		return VERDICT_FUTURE;
	if (verdict == VERDICT_NEW)
		verdict = check_signature(offer, &ledger->options.root);
	if (verdict == VERDICT_NEW)
		verdict = take_removal(offer, &removal, &key);
	if (verdict == VERDICT_NEW)
		offer->outcome->row = row_of_out(&offer->outcome->row.id, &offer->hash);
	return verdict;
}

/* Keeps the record that lost as a proof, once, while there is room for it. */
static void keep_proof(struct ledger *ledger, struct member *member, uint32_t loser)
{
	if (!member->equivocates)
		ledger->equivocations++;
	member->equivocates = true;
	if (member->proof == ARENA_NONE && ledger->proofs < LEDGER_PROOFS_MAX &&
		loser != ARENA_NONE) {
		member->proof = loser;
		ledger->proofs++;
	} else {
		arena_free(&ledger->arena, loser);
	}
}

/* Who leaves or comes back is another matter than one more record. */
static void note_left(struct ledger *ledger, struct member *member, const struct record *record)
{
	bool left = record->flags & RECORD_LEFT;

	if (left != member->left)
		ledger->generation++;
	member->left = left;
}

/* Two records with one sequence number, both signed: the greater hash stands. */
static enum verdict take_equivocation(
	struct offer *offer, struct member *member, const struct record *record)
{
	struct ledger *ledger = offer->ledger;
	struct hash held = member->record_hash;
	uint32_t handle;

	handle = leaves_reserve(ledger, &offer->fact)
			 ? arena_put(&ledger->arena, offer->fact.bytes, (uint16_t)offer->fact.size)
			 : ARENA_NONE;
	if (hash_compare(&offer->hash, &held) < 0) {
		keep_proof(ledger, member, handle);
		offer->outcome->tie = true;
		return VERDICT_OLDER;
	}
	if (handle == ARENA_NONE)
		return VERDICT_FULL;
	keep_proof(ledger, member, member->record);
	member->record = handle;
	member->record_hash = offer->hash;
	member->expires = record_expires(record);
	note_left(ledger, member, record);
	return VERDICT_NEW;
}

static enum verdict take_record(
	struct offer *offer, struct member *member, const struct record *record)
{
	if (!leaves_reserve(offer->ledger, &offer->fact) ||
		!replace(offer->ledger, &member->record, &offer->fact))
		return VERDICT_FULL;
	member->record_hash = offer->hash;
	member->sequence = record->sequence;
	member->expires = record_expires(record);
	note_left(offer->ledger, member, record);
	return VERDICT_NEW;
}

static enum verdict check_record(
	const struct offer *offer, const struct member *member, const struct record *record)
{
	if (record->sequence < member->sequence)
		return VERDICT_OLDER;
	if (record->sequence == member->sequence &&
		holds_same(offer->ledger, member->record, &offer->fact))
		return VERDICT_KNOWN;
	if (record->sequence == member->sequence &&
		holds_same(offer->ledger, member->proof, &offer->fact)) {
		offer->outcome->tie = true;
		return VERDICT_OLDER;
	}
	if (is_future(offer, record->sequence) || is_future(offer, record->issued_at))
		return VERDICT_FUTURE;
	if (!offer->restored && record_expires(record) <= offer->now)
		return VERDICT_EXPIRED;
	return VERDICT_NEW;
}

static enum verdict offer_record(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	struct member *member;
	struct record record;
	enum verdict verdict;
	struct hash site;

	if (record_read(&record, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	site = hash_of(record.site.bytes, KEY_SIZE);
	offer->outcome->author = row_id_of(&site);
	offer->outcome->row.id = offer->outcome->author;
	member = ledger_find_hash(ledger, &site);
	if (!member)
		return ledger_is_revoked(ledger, &site) ? VERDICT_REVOKED : VERDICT_NOT_MEMBER;
	verdict = check_record(offer, member, &record);
	if (verdict == VERDICT_NEW)
		verdict = check_signature(offer, &record.site);
	if (verdict != VERDICT_NEW)
		return verdict;
	offer->hash = hash_of(offer->fact.bytes, offer->fact.size);
	if (record.sequence == member->sequence && member->record != ARENA_NONE)
		return take_equivocation(offer, member, &record);
	return take_record(offer, member, &record);
}

static enum verdict open_verdict(int r)
{
	switch (r) {
	case -EMSGSIZE:
		return VERDICT_OVERSIZED;
	case -ENOTSUP:
		return VERDICT_NEWER_FORMAT;
	default:
		return VERDICT_MALFORMED;
	}
}

static enum verdict offer_opened(struct offer *offer)
{
	/* Records come most often and wait with their hash until it is needed. */
	if (offer->fact.kind != FACT_RECORD)
		offer->hash = hash_of(offer->fact.bytes, offer->fact.size);
	switch (offer->fact.kind) {
	case FACT_DELEGATION:
		return offer_delegation(offer);
	case FACT_CERTIFICATE:
		return offer_certificate(offer);
	case FACT_REVOCATION:
		return offer_revocation(offer);
	case FACT_REMOVAL:
		return offer_removal(offer);
	case FACT_RECORD:
		return offer_record(offer);
	default:
		return VERDICT_NEWER_FORMAT;
	}
}

/* The record that most offers are: the very bytes that are held already. */
static bool is_held_record(
	const struct ledger *ledger, const void *bytes, size_t size, struct ledger_outcome *outcome)
{
	const struct fact fact = {.kind = FACT_RECORD, .bytes = bytes, .size = size};
	const struct member *member;
	struct key site;

	if (!record_peek(bytes, size, &site))
		return false;
	member = ledger_find_site(ledger, &site);
	if (!member || !holds_same(ledger, member->record, &fact))
		return false;
	*outcome = (struct ledger_outcome){
		.verdict = VERDICT_KNOWN,
		.kind = FACT_RECORD,
		.row = {member->id, member->version, member->sequence},
		.author = member->id,
	};
	return true;
}

static struct ledger_outcome offer_bytes(const struct offer *given, const void *bytes, size_t size)
{
	struct ledger_outcome outcome = {0};
	struct offer offer = *given;
	struct ledger *ledger = offer.ledger;
	int r;

	offer.outcome = &outcome;

	if (is_held_record(ledger, bytes, size, &outcome)) {
		ledger->counters[VERDICT_KNOWN]++;
		return outcome;
	}
	r = fact_open(&offer.fact, bytes, size);
	outcome.verdict = r < 0 ? open_verdict(r) : offer_opened(&offer);
	ledger->counters[outcome.verdict]++;
	if (r < 0)
		return outcome;
	outcome.kind = offer.fact.kind;
	if (outcome.verdict == VERDICT_NEW)
		ledger->summary_until = 0;
	if (outcome.row.version != LEDGER_REVOKED_VERSION)
		outcome.row = ledger_row(ledger, &outcome.row.id);
	return outcome;
}

struct ledger_outcome ledger_offer(
	struct ledger *ledger, uint64_t now, const void *bytes, size_t size, bool may_verify)
{
	const struct offer offer = {.ledger = ledger, .now = now, .may_verify = may_verify};

	return offer_bytes(&offer, bytes, size);
}

struct ledger_outcome ledger_restore(struct ledger *ledger, const void *bytes, size_t size)
{
	const struct offer offer = {.ledger = ledger, .may_verify = true, .restored = true};

	return offer_bytes(&offer, bytes, size);
}

const char *verdict_text(enum verdict verdict)
{
	static const char *const texts[VERDICTS] = {
		[VERDICT_NEW] = "new",
		[VERDICT_KNOWN] = "already known",
		[VERDICT_OLDER] = "older than what is held",
		[VERDICT_SPARE] = "kept beside a newer one",
		[VERDICT_DEFERRED] = "put off",
		[VERDICT_OVERSIZED] = "too long or too short",
		[VERDICT_MALFORMED] = "malformed",
		[VERDICT_NEWER_FORMAT] = "of a format that only a newer program knows",
		[VERDICT_UNSIGNED] = "not signed by whom it should be",
		[VERDICT_NOT_MEMBER] = "of a site that is no member",
		[VERDICT_REVOKED] = "of a site that was revoked",
		[VERDICT_UNKNOWN_ISSUER] = "issued by somebody who is no admin",
		[VERDICT_REMOVED_ISSUER] = "issued by an admin who was removed",
		[VERDICT_NOT_GRANTED] = "more than its issuer may grant",
		[VERDICT_MISPLACED] = "about prefixes that are not a site's to have",
		[VERDICT_FUTURE] = "dated in the future",
		[VERDICT_EXPIRED] = "expired",
		[VERDICT_COLLISION] = "under an id that another key has",
		[VERDICT_FULL] = "one too many",
	};

	return verdict < VERDICTS ? texts[verdict] : "unknown";
}

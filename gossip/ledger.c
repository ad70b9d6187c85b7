/* SPDX-License-Identifier: MIT */
#include "gossip/ledger.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "gossip/ledger_internal.h"

#define CLAIMS_PER_SITE 4
#define PREFIXES_PER_SITE 4 /* on average */
#define ARENA_PER_SITE 2048
#define ARENA_BESIDES (64 * 1024) /* delegations and removals */
#define ALIGNMENT 16

/* A fact on its way in. */
struct offer {
	struct ledger *ledger;
	uint64_t now;
	struct fact fact;
	struct hash hash; /* of its bytes, once needed */
	bool may_verify;
	struct ledger_outcome *outcome;
};

/* For what cannot fail unless we are wrong. */
static void require(int r)
{
	assert(r == 0);
	(void)r;
}

/* Memory. */

/* Hands out the parts of one block; measures when there is none. */
struct layout {
	uint8_t *memory;
	size_t used;
};

static void *part(struct layout *layout, size_t size)
{
	uint8_t *at = layout->memory ? layout->memory + layout->used : NULL;

	layout->used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static void lay_table(struct layout *layout, struct table *table, uint32_t capacity,
	size_t item_size, size_t key_offset, size_t key_size)
{
	void *items = part(layout, capacity * item_size);
	uint32_t *order = part(layout, capacity * sizeof *order);

	if (layout->memory)
		table_init(table, items, order, capacity, item_size, key_offset, key_size);
}

static uint32_t arena_size(uint32_t sites)
{
	return sites * ARENA_PER_SITE + ARENA_BESIDES;
}

/* Lays a ledger out. With no memory it only measures. */
static size_t lay_ledger(struct ledger *ledger, uint32_t sites, void *memory)
{
	struct layout layout = {.memory = memory};
	/* Two facts a member, a revocation each, admins, removals, proofs. */
	uint32_t handles = 1 + 3 * sites + LEDGER_ADMINS_MAX + LEDGER_REMOVALS_MAX +
			   LEDGER_PROOFS_MAX;
	uint32_t *places = part(&layout, handles * sizeof *places);
	void *bytes = part(&layout, arena_size(sites));

	lay_table(&layout, &ledger->members, sites, sizeof(struct member),
		offsetof(struct member, id), ROW_ID_SIZE);
	lay_table(&layout, &ledger->admins, LEDGER_ADMINS_MAX, sizeof(struct admin),
		offsetof(struct admin, id), ROW_ID_SIZE);
	lay_table(&layout, &ledger->revocations, sites, sizeof(struct revocation_row),
		offsetof(struct revocation_row, subject), HASH_SIZE);
	lay_table(&layout, &ledger->removals, LEDGER_REMOVALS_MAX, sizeof(struct removal_row),
		offsetof(struct removal_row, key), HASH_SIZE + 1);
	lay_table(&layout, &ledger->claims, CLAIMS_PER_SITE * sites, sizeof(struct claim),
		offsetof(struct claim, digest), sizeof((struct claim *)0)->digest);
	lay_table(&layout, &ledger->prefixes, PREFIXES_PER_SITE * sites,
		sizeof(struct prefix_claim), offsetof(struct prefix_claim, key),
		sizeof((struct prefix_claim *)0)->key);
	ledger->seniority = part(&layout, sites * sizeof *ledger->seniority);
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
	assert((uintptr_t)memory % ALIGNMENT == 0);
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

struct member *ledger_find(const struct ledger *ledger, const struct row_id *id)
{
	return table_find(&ledger->members, id->bytes);
}

static struct member *find_hash(const struct ledger *ledger, const struct hash *site)
{
	struct row_id id = row_id_of(site);
	struct member *member = ledger_find(ledger, &id);

	return member && hash_equal(&member->site, site) ? member : NULL;
}

struct member *ledger_find_site(const struct ledger *ledger, const struct key *site)
{
	struct hash hash = hash_of(site->bytes, KEY_SIZE);

	return find_hash(ledger, &hash);
}

static struct admin *find_admin(const struct ledger *ledger, const struct hash *key)
{
	struct row_id id = row_id_of(key);
	struct admin *admin = table_find(&ledger->admins, id.bytes);

	return admin && hash_equal(&admin->key, key) ? admin : NULL;
}

bool ledger_is_revoked(const struct ledger *ledger, const struct hash *site)
{
	return table_find(&ledger->revocations, site->bytes) != NULL;
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

/* Taking away. */

static void drop_member_at(struct ledger *ledger, uint32_t position)
{
	struct member *member = table_at(&ledger->members, position);
	struct certificate certificate;

	ledger_certificate(ledger, member, &certificate);
	index_withdraw(ledger, member, &certificate);
	arena_free(&ledger->arena, member->certificate);
	arena_free(&ledger->arena, member->record);
	if (member->proof != ARENA_NONE)
		ledger->proofs--;
	arena_free(&ledger->arena, member->proof);
	table_remove(&ledger->members, position);
	ledger->summary_until = 0;
}

static void drop_member(struct ledger *ledger, const struct row_id *id)
{
	drop_member_at(ledger, table_lower_bound(&ledger->members, id->bytes));
	index_settle(ledger);
}

/* The removals of one admin: where they begin, and whether all parts are there. */
static bool removal_complete(const struct ledger *ledger, const struct hash *admin, uint32_t *first)
{
	uint8_t key[HASH_SIZE + 1] = {0};
	uint32_t count = 0;
	uint32_t parts = 1;

	memcpy(key, admin->bytes, HASH_SIZE);
	*first = table_lower_bound(&ledger->removals, key);
	while (count < parts && *first + count < ledger->removals.count) {
		const struct removal_row *row = table_at(&ledger->removals, *first + count);

		if (memcmp(row->key, admin->bytes, HASH_SIZE) != 0 || row->key[HASH_SIZE] != count)
			return false;
		if (count == 0)
			parts = row->parts;
		count++;
	}
	return count == parts;
}

/* Whether the removal of this admin lists the fact with this hash. */
static bool removal_keeps(
	const struct ledger *ledger, const struct hash *admin, const struct hash *fact_hash)
{
	uint32_t first;
	bool complete = removal_complete(ledger, admin, &first);
	const struct removal_row *row;

	if (!complete)
		return true;
	row = table_at(&ledger->removals, first);
	for (uint32_t part = 0, parts = row->parts; part < parts; part++) {
		struct removal removal;
		struct fact fact;

		row = table_at(&ledger->removals, first + part);
		fact = ledger_fact(ledger, row->fact);
		require(removal_read(&removal, &fact)); /* a removal that was taken is whole */
		for (uint32_t i = 0; i < removal.count; i++) {
			if (hash_equal(&removal.kept[i], fact_hash))
				return true;
		}
	}
	return false;
}

/* Whether an admin's word counts, as far as it is there and not removed. */
static enum verdict check_admin(const struct ledger *ledger, const struct admin *admin,
	const struct hash *fact_hash, struct delegation *delegation)
{
	struct fact fact;

	if (!admin || admin->delegation == ARENA_NONE)
		return VERDICT_UNKNOWN_ISSUER;
	if (admin->removed && !removal_keeps(ledger, &admin->key, fact_hash))
		return VERDICT_REMOVED_ISSUER;
	fact = ledger_fact(ledger, admin->delegation);
	require(delegation_read(delegation, &fact)); /* a delegation that was taken is whole */
	return VERDICT_NEW;
}

bool ledger_delegation(
	const struct ledger *ledger, const struct hash *admin, struct delegation *ret)
{
	const struct admin *found = find_admin(ledger, admin);
	static const struct hash nothing;

	return found && !found->removed && check_admin(ledger, found, &nothing, ret) == VERDICT_NEW;
}

static bool member_stands(const struct ledger *ledger, const struct member *member)
{
	const struct admin *admin = find_admin(ledger, &member->issuer);
	struct certificate certificate;
	struct delegation delegation;

	if (check_admin(ledger, admin, &member->certificate_hash, &delegation) != VERDICT_NEW)
		return false;
	ledger_certificate(ledger, member, &certificate);
	return certificate_granted(&certificate, &delegation);
}

static bool revocation_stands(const struct ledger *ledger, const struct revocation_row *row)
{
	struct delegation delegation;

	if (hash_equal(&row->issuer, &ledger->root))
		return true;
	if (check_admin(ledger, find_admin(ledger, &row->issuer), &row->hash, &delegation) !=
		VERDICT_NEW)
		return false;
	return delegation.grants & GRANT_REVOKE;
}

/* After an admin's delegation changed or it was removed: what it signed stands or falls anew. */
static void review_admin(struct ledger *ledger, const struct hash *admin)
{
	for (uint32_t i = ledger->members.count; i > 0; i--) {
		const struct member *member = table_at(&ledger->members, i - 1);

		if (hash_equal(&member->issuer, admin) && !member_stands(ledger, member))
			drop_member_at(ledger, i - 1);
	}
	for (uint32_t i = ledger->revocations.count; i > 0; i--) {
		const struct revocation_row *row = table_at(&ledger->revocations, i - 1);

		if (!hash_equal(&row->issuer, admin) || revocation_stands(ledger, row))
			continue;
		arena_free(&ledger->arena, row->fact);
		table_remove(&ledger->revocations, i - 1);
	}
	ledger->summary_until = 0;
	index_settle(ledger);
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
	return time > offer->now + LEDGER_FUTURE_MS;
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
	struct member *namesake;
	uint32_t first;

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
	admin->removed = removal_complete(ledger, key, &first);
	/* One id is one row: an admin's key is nobody's site key. */
	namesake = ledger_find(ledger, &id);
	if (namesake)
		drop_member(ledger, &id);
	review_admin(ledger, key);
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

static enum verdict check_certificate(struct offer *offer, const struct certificate *certificate,
	const struct hash *site, struct delegation *delegation)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(site);
	const struct member *member = ledger_find(ledger, &id);
	enum verdict verdict;

	if (ledger_is_revoked(ledger, site))
		return VERDICT_REVOKED;
	if (table_find(&ledger->admins, id.bytes))
		return VERDICT_COLLISION;
	if (member && !hash_equal(&member->site, site)) {
		if (hash_compare(&member->site, site) < 0)
			return VERDICT_COLLISION;
	} else if (member) {
		verdict = compare_version(offer, certificate->version, member->version,
			&member->certificate_hash, member->certificate);
		if (verdict != VERDICT_NEW)
			return verdict;
	}
	if (!certificate_fits(certificate, &ledger->options.supernet))
		return VERDICT_MISPLACED;
	if (is_future(offer, certificate->issued_at))
		return VERDICT_FUTURE;
	verdict = check_admin(
		ledger, find_admin(ledger, &certificate->issuer), &offer->hash, delegation);
	if (verdict != VERDICT_NEW)
		return verdict;
	if (!certificate_granted(certificate, delegation))
		return VERDICT_NOT_GRANTED;
	return check_signature(offer, &delegation->admin);
}

static enum verdict take_certificate(
	struct offer *offer, const struct certificate *certificate, const struct hash *site)
{
	struct ledger *ledger = offer->ledger;
	struct row_id id = row_id_of(site);
	struct member *member = ledger_find(ledger, &id);
	struct certificate before;
	bool fresh = false;

	if (member && !hash_equal(&member->site, site)) {
		drop_member(ledger, &id);
		member = NULL;
	}
	if (member) {
		ledger_certificate(ledger, member, &before);
	} else {
		member = table_add(&ledger->members, id.bytes);
		if (!member)
			return VERDICT_FULL;
		member->site = *site;
		fresh = true;
	}
	if (!replace(ledger, &member->certificate, &offer->fact)) {
		if (fresh)
			table_remove(
				&ledger->members, table_lower_bound(&ledger->members, id.bytes));
		return VERDICT_FULL;
	}
	if (!fresh)
		index_withdraw(ledger, member, &before);
	member->version = certificate->version;
	member->certificate_hash = offer->hash;
	member->issuer = certificate->issuer;
	member->since = certificate->since;
	index_admit(ledger, member, certificate);
	return VERDICT_NEW;
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
	return verdict == VERDICT_NEW ? take_certificate(offer, &certificate, &site) : verdict;
}

static enum verdict take_revocation(struct offer *offer, const struct revocation *revocation)
{
	struct ledger *ledger = offer->ledger;
	struct revocation_row *row = table_find(&ledger->revocations, revocation->subject.bytes);

	if (!row) {
		row = table_add(&ledger->revocations, revocation->subject.bytes);
		if (!row)
			return VERDICT_FULL;
	}
	if (!replace(ledger, &row->fact, &offer->fact)) {
		if (row->fact == ARENA_NONE)
			table_remove(&ledger->revocations,
				table_lower_bound(&ledger->revocations, revocation->subject.bytes));
		return VERDICT_FULL;
	}
	row->issuer = revocation->issuer;
	row->hash = offer->hash;
	if (find_hash(ledger, &revocation->subject))
		drop_member(ledger, &offer->outcome->row.id);
	return VERDICT_NEW;
}

static enum verdict offer_revocation(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	const struct revocation_row *row;
	struct revocation revocation;
	struct delegation delegation;
	enum verdict verdict;

	if (revocation_read(&revocation, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	offer->outcome->author = row_id_of(&revocation.issuer);
	offer->outcome->row.id = row_id_of(&revocation.subject);
	row = table_find(&ledger->revocations, revocation.subject.bytes);
	/* Two admins revoke at once: the smaller hash is kept, the effect is the same. */
	if (row && hash_compare(&row->hash, &offer->hash) <= 0) {
		offer->outcome->tie = !hash_equal(&row->hash, &offer->hash);
		return offer->outcome->tie ? VERDICT_OLDER : VERDICT_KNOWN;
	}
	if (is_future(offer, revocation.issued_at))
		return VERDICT_FUTURE;
	if (hash_equal(&revocation.issuer, &ledger->root)) {
		verdict = check_signature(offer, &ledger->options.root);
	} else {
		verdict = check_admin(
			ledger, find_admin(ledger, &revocation.issuer), &offer->hash, &delegation);
		if (verdict == VERDICT_NEW && !(delegation.grants & GRANT_REVOKE))
			verdict = VERDICT_NOT_GRANTED;
		if (verdict == VERDICT_NEW)
			verdict = check_signature(offer, &delegation.admin);
	}
	return verdict == VERDICT_NEW ? take_revocation(offer, &revocation) : verdict;
}

static enum verdict take_removal(
	struct offer *offer, const struct removal *removal, const uint8_t key[static HASH_SIZE + 1])
{
	struct ledger *ledger = offer->ledger;
	struct removal_row *row = table_find(&ledger->removals, key);
	struct admin *admin = find_admin(ledger, &removal->subject);
	uint32_t first;

	if (!row) {
		row = table_add(&ledger->removals, key);
		if (!row)
			return VERDICT_FULL;
	}
	if (!replace(ledger, &row->fact, &offer->fact)) {
		if (row->fact == ARENA_NONE)
			table_remove(&ledger->removals, table_lower_bound(&ledger->removals, key));
		return VERDICT_FULL;
	}
	row->parts = (uint8_t)removal->parts;
	row->hash = offer->hash;
	if (admin)
		admin->removed = removal_complete(ledger, &removal->subject, &first);
	review_admin(ledger, &removal->subject);
	return VERDICT_NEW;
}

static enum verdict offer_removal(struct offer *offer)
{
	struct ledger *ledger = offer->ledger;
	const struct removal_row *row;
	uint8_t key[HASH_SIZE + 1];
	struct removal removal;
	enum verdict verdict;

	if (removal_read(&removal, &offer->fact) < 0)
		return VERDICT_MALFORMED;
	memcpy(key, removal.subject.bytes, HASH_SIZE);
	key[HASH_SIZE] = (uint8_t)removal.part;
	offer->outcome->author = row_id_of(&ledger->root);
	offer->outcome->row.id = row_id_of(&removal.subject);
	row = table_find(&ledger->removals, key);
	if (row && hash_compare(&row->hash, &offer->hash) <= 0) {
		offer->outcome->tie = !hash_equal(&row->hash, &offer->hash);
		return offer->outcome->tie ? VERDICT_OLDER : VERDICT_KNOWN;
	}
	if (is_future(offer, removal.issued_at))
		return VERDICT_FUTURE;
	verdict = check_signature(offer, &ledger->options.root);
	if (verdict == VERDICT_NEW)
		verdict = take_removal(offer, &removal, key);
	offer->outcome->row.sequence = 1 + removal.part;
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

/* Two records with one sequence number, both signed: the greater hash stands. */
static enum verdict take_equivocation(
	struct offer *offer, struct member *member, const struct record *record)
{
	struct ledger *ledger = offer->ledger;
	struct hash held = member->record_hash;
	uint32_t handle;

	handle = arena_put(&ledger->arena, offer->fact.bytes, (uint16_t)offer->fact.size);
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
	member->left = record->flags & RECORD_LEFT;
	return VERDICT_NEW;
}

static enum verdict take_record(
	struct offer *offer, struct member *member, const struct record *record)
{
	if (!replace(offer->ledger, &member->record, &offer->fact))
		return VERDICT_FULL;
	member->record_hash = offer->hash;
	member->sequence = record->sequence;
	member->expires = record_expires(record);
	member->left = record->flags & RECORD_LEFT;
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
	if (record_expires(record) <= offer->now)
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
	member = find_hash(ledger, &site);
	if (!member)
		return ledger_is_revoked(ledger, &site) ? VERDICT_REVOKED : VERDICT_NOT_MEMBER;
	verdict = check_record(offer, member, &record);
	if (verdict == VERDICT_NEW)
		verdict = check_signature(offer, &record.site);
	if (verdict != VERDICT_NEW)
		return verdict;
	offer->hash = hash_of(offer->fact.bytes, offer->fact.size);
	if (record.sequence == member->sequence)
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
static bool is_held_record(const struct ledger *ledger, uint64_t now, const void *bytes,
	size_t size, struct ledger_outcome *outcome)
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
		.row = {member->id, member->version,
			member_is_live(member, now) ? member->sequence : 0},
		.author = member->id,
	};
	return true;
}

struct ledger_outcome ledger_offer(
	struct ledger *ledger, uint64_t now, const void *bytes, size_t size, bool may_verify)
{
	struct ledger_outcome outcome = {0};
	struct offer offer = {
		.ledger = ledger, .now = now, .may_verify = may_verify, .outcome = &outcome};
	uint64_t removal_part;
	int r;

	if (is_held_record(ledger, now, bytes, size, &outcome)) {
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
	removal_part = outcome.row.sequence;
	outcome.row = ledger_row(ledger, now, &outcome.row.id);
	if (removal_part > 0)
		outcome.row = (struct row){outcome.row.id, LEDGER_REVOKED_VERSION, removal_part};
	return outcome;
}

const char *verdict_text(enum verdict verdict)
{
	static const char *const texts[VERDICTS] = {
		[VERDICT_NEW] = "new",
		[VERDICT_KNOWN] = "already known",
		[VERDICT_OLDER] = "older than what is held",
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

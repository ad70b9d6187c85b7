/* SPDX-License-Identifier: MIT */
/*
 * ledger_trust.c - whose word counts, and what falls when that changes.
 */
#include <assert.h>
#include <string.h>

#include "gossip/ledger_internal.h"

/* For what cannot fail unless we are wrong. */
static void require(int r)
{
	assert(r == 0);
	(void)r;
}

/* Admins and their removals. */

struct admin *trust_find_admin(const struct ledger *ledger, const struct hash *key)
{
	struct row_id id = row_id_of(key);
	struct admin *admin = table_find(&ledger->admins, id.bytes);

	return admin && hash_equal(&admin->key, key) ? admin : NULL;
}

struct removal_key removal_key(const struct removal *removal)
{
	struct removal_key key = {.admin = removal->subject,
		.parts = (uint8_t)removal->parts,
		.part = (uint8_t)removal->part};
	uint64_t issued_at = removal->issued_at;

	for (size_t i = sizeof key.issued_at; i > 0; i--) {
		key.issued_at[i - 1] = (uint8_t)issued_at;
		issued_at >>= 8;
	}
	return key;
}

/* The parts of one removal, which stand side by side. */
struct parts {
	uint32_t at;
	uint32_t count;
	bool complete;
};

/* The next removal of an admin; first with zeros. Returns false when there is no more. */
static bool next_removal(const struct ledger *ledger, const struct hash *admin, struct parts *parts)
{
	const struct table *removals = &ledger->removals;
	const struct removal_row *first;

	if (parts->count == 0) {
		struct removal_key key = {.admin = *admin};

		parts->at = table_lower_bound(removals, &key);
	}
	parts->at += parts->count;
	parts->count = 0;
	if (parts->at == removals->count)
		return false;
	first = table_at(removals, parts->at);
	if (!hash_equal(&first->key.admin, admin))
		return false;
	while (parts->at + parts->count < removals->count) {
		const struct removal_row *row = table_at(removals, parts->at + parts->count);

		if (memcmp(&row->key, &first->key, offsetof(struct removal_key, part)) != 0)
			break;
		parts->count++;
	}
	/* Under one key stands one part, so as many as there are to be are all. */
	parts->complete = parts->count == first->key.parts;
	return true;
}

bool trust_is_removed(const struct ledger *ledger, const struct hash *admin)
{
	struct parts parts = {0};

	while (next_removal(ledger, admin, &parts)) {
		if (parts.complete)
			return true;
	}
	return false;
}

static bool lists(
	const struct ledger *ledger, const struct parts *parts, const struct hash *fact_hash)
{
	for (uint32_t i = 0; i < parts->count; i++) {
		const struct removal_row *row = table_at(&ledger->removals, parts->at + i);
		struct fact fact = ledger_fact(ledger, row->fact);
		struct removal removal;

		require(removal_read(&removal, &fact)); /* a removal that was taken is whole */
		for (uint32_t k = 0; k < removal.count; k++) {
			if (hash_equal(&removal.kept[k], fact_hash))
				return true;
		}
	}
	return false;
}

/* Whether every whole removal of this admin lists the fact. */
static bool is_kept(
	const struct ledger *ledger, const struct hash *admin, const struct hash *fact_hash)
{
	struct parts parts = {0};

	while (next_removal(ledger, admin, &parts)) {
		if (parts.complete && !lists(ledger, &parts, fact_hash))
			return false;
	}
	return true;
}

enum verdict trust_check(const struct ledger *ledger, const struct admin *admin,
	const struct hash *fact, struct delegation *delegation)
{
	struct fact delegated;

	if (!admin)
		return VERDICT_UNKNOWN_ISSUER;
	if (admin->removed && !is_kept(ledger, &admin->key, fact))
		return VERDICT_REMOVED_ISSUER;
	delegated = ledger_fact(ledger, admin->delegation);
	require(delegation_read(delegation, &delegated)); /* what was taken is whole */
	return VERDICT_NEW;
}

bool ledger_delegation(
	const struct ledger *ledger, const struct hash *admin, struct delegation *ret)
{
	const struct admin *found = trust_find_admin(ledger, admin);
	static const struct hash nothing;

	return found && !found->removed && trust_check(ledger, found, &nothing, ret) == VERDICT_NEW;
}

/* Revocations. */

bool ledger_is_revoked(const struct ledger *ledger, const struct hash *site)
{
	struct revocation_key key = {.subject = row_id_of(site)};

	for (uint32_t i = table_lower_bound(&ledger->revocations, &key);
		i < ledger->revocations.count; i++) {
		const struct revocation_row *row = table_at(&ledger->revocations, i);

		if (memcmp(&row->key.subject, &key.subject, ROW_ID_SIZE) != 0)
			break;
		if (hash_equal(&row->subject, site))
			return true;
	}
	return false;
}

/*
 * Half of the places but the reserve are the most that one admin fills, so that a thief does not
 * silence the others; the reserve is the root's.
 */
bool trust_may_revoke(const struct ledger *ledger, const struct hash *issuer)
{
	const struct table *revocations = &ledger->revocations;
	uint32_t open = revocations->capacity - revocations->capacity / 8;
	uint32_t own = 0;

	if (hash_equal(issuer, &ledger->root))
		return true;
	for (uint32_t i = 0; i < revocations->count; i++) {
		const struct revocation_row *row = table_at(revocations, i);

		own += hash_equal(&row->key.issuer, issuer);
	}
	return revocations->count < open && own < open / 2;
}

static bool revocation_stands(const struct ledger *ledger, const struct revocation_row *row)
{
	const struct admin *admin = trust_find_admin(ledger, &row->key.issuer);
	struct delegation delegation;

	return trust_check(ledger, admin, &row->hash, &delegation) == VERDICT_NEW &&
	       delegation.grants & GRANT_REVOKE;
}

/* What a site's departure leaves. */

static void remember(struct ledger *ledger, const struct member *member)
{
	struct table *departed = &ledger->departed;
	struct departed *entry;

	if (member->sequence == 0 || ledger_is_revoked(ledger, &member->site))
		return;
	entry = table_find(departed, member->site.bytes);
	if (!entry && departed->count == departed->capacity) {
		uint32_t oldest = 0;

		for (uint32_t i = 1; i < departed->count; i++) {
			const struct departed *a = table_at(departed, i);
			const struct departed *b = table_at(departed, oldest);

			if (a->sequence < b->sequence)
				oldest = i;
		}
		table_remove(departed, oldest);
	}
	if (!entry)
		entry = table_add(departed, member->site.bytes);
	entry->sequence = member->sequence;
}

void trust_recall(struct ledger *ledger, struct member *member)
{
	const struct departed *entry = table_find(&ledger->departed, member->site.bytes);

	if (!entry)
		return;
	member->sequence = entry->sequence;
	table_remove(&ledger->departed, table_lower_bound(&ledger->departed, member->site.bytes));
}

/* Spares. */

static struct spare_key spare_key(const struct row_id *site, const struct hash *issuer)
{
	return (struct spare_key){*site, *issuer};
}

static uint32_t first_spare(const struct ledger *ledger, const struct row_id *site)
{
	static const struct hash lowest;
	struct spare_key key = spare_key(site, &lowest);

	return table_lower_bound(&ledger->spares, &key);
}

/* The spare at this place, if it is one of the site. */
static struct spare *spare_at(
	const struct ledger *ledger, uint32_t position, const struct row_id *site)
{
	struct spare *spare;

	if (position >= ledger->spares.count)
		return NULL;
	spare = table_at(&ledger->spares, position);
	return memcmp(&spare->key.site, site, ROW_ID_SIZE) == 0 ? spare : NULL;
}

struct spare *trust_find_spare(
	const struct ledger *ledger, const struct row_id *site, const struct hash *issuer)
{
	struct spare_key key = spare_key(site, issuer);

	return table_find(&ledger->spares, &key);
}

struct spare *trust_add_spare(
	struct ledger *ledger, const struct row_id *site, const struct hash *issuer)
{
	struct spare_key key = spare_key(site, issuer);

	return table_add(&ledger->spares, &key);
}

void trust_drop_spare(struct ledger *ledger, const struct spare *spare)
{
	uint32_t position = table_lower_bound(&ledger->spares, &spare->key);

	arena_free(&ledger->arena, spare->fact);
	table_remove(&ledger->spares, position);
}

static struct spare *worst_spare(const struct ledger *ledger, const struct row_id *site)
{
	uint32_t i = first_spare(ledger, site);
	struct spare *worst = spare_at(ledger, i, site);
	struct spare *spare;

	while ((spare = spare_at(ledger, ++i, site))) {
		if (trust_is_older(spare->version, &spare->hash, worst->version, &worst->hash))
			worst = spare;
	}
	return worst;
}

void trust_spare_current(struct ledger *ledger, const struct member *member)
{
	struct spare *spare = trust_add_spare(ledger, &member->id, &member->issuer);

	/* The newer one is the better to fall back on: an older one of this site makes room. */
	if (!spare && spare_at(ledger, first_spare(ledger, &member->id), &member->id)) {
		trust_drop_spare(ledger, worst_spare(ledger, &member->id));
		spare = trust_add_spare(ledger, &member->id, &member->issuer);
	}
	if (!spare) {
		arena_free(&ledger->arena, member->certificate);
		return;
	}
	spare->version = member->version;
	spare->fact = member->certificate;
	spare->hash = member->certificate_hash;
}

/* Members. */

bool trust_is_older(
	uint32_t version, const struct hash *hash, uint32_t held, const struct hash *held_hash)
{
	return version != held ? version < held : hash_compare(hash, held_hash) < 0;
}

void trust_set_seniority(struct member *member, const struct certificate *certificate,
	const struct delegation *delegation)
{
	member->hub = certificate->roles & ROLE_HUB;
	member->limited = delegation->within.count > 0;
	member->since = certificate->since > delegation->since ? certificate->since
							       : delegation->since;
}

/* Whether a certificate counts; says what and by whose leave. */
static bool certificate_stands(const struct ledger *ledger, uint32_t handle,
	const struct hash *hash, struct certificate *certificate, struct delegation *delegation)
{
	struct fact fact = ledger_fact(ledger, handle);
	const struct admin *admin;

	require(certificate_read(certificate, &fact)); /* a certificate that was taken is whole */
	admin = trust_find_admin(ledger, &certificate->issuer);
	return trust_check(ledger, admin, hash, delegation) == VERDICT_NEW &&
	       certificate_granted(certificate, delegation);
}

static void drop_member_at(struct ledger *ledger, uint32_t position)
{
	struct member *member = table_at(&ledger->members, position);
	struct certificate certificate;
	const struct spare *spare;

	ledger_certificate(ledger, member, &certificate);
	index_withdraw(ledger, member, &certificate);
	while ((spare = spare_at(ledger, first_spare(ledger, &member->id), &member->id)))
		trust_drop_spare(ledger, spare);
	remember(ledger, member);
	arena_free(&ledger->arena, member->certificate);
	arena_free(&ledger->arena, member->record);
	if (member->proof != ARENA_NONE)
		ledger->proofs--;
	arena_free(&ledger->arena, member->proof);
	table_remove(&ledger->members, position);
	ledger->summary_until = 0;
}

void trust_drop_member(struct ledger *ledger, const struct row_id *id)
{
	drop_member_at(ledger, table_lower_bound(&ledger->members, id->bytes));
	index_settle(ledger);
}

/* Puts the newest spare in the place of a member's certificate. Returns false: there is none. */
static bool promote(struct ledger *ledger, struct member *member)
{
	struct spare *best = NULL;
	struct certificate certificate;
	struct delegation delegation;
	struct spare *spare;

	for (uint32_t i = first_spare(ledger, &member->id);
		(spare = spare_at(ledger, i, &member->id)); i++) {
		if (certificate_stands(
			    ledger, spare->fact, &spare->hash, &certificate, &delegation) &&
			(!best || trust_is_older(best->version, &best->hash, spare->version,
					  &spare->hash)))
			best = spare;
	}
	if (!best)
		return false;
	ledger_certificate(ledger, member, &certificate);
	index_withdraw(ledger, member, &certificate);
	arena_free(&ledger->arena, member->certificate);
	member->certificate = best->fact;
	member->version = best->version;
	member->certificate_hash = best->hash;
	best->fact = ARENA_NONE;
	(void)certificate_stands(
		ledger, member->certificate, &member->certificate_hash, &certificate, &delegation);
	member->issuer = certificate.issuer;
	trust_set_seniority(member, &certificate, &delegation);
	trust_drop_spare(ledger, best);
	/* It waits; the review settles who is in force, once for all of them. */
	ledger->rivals++;
	return true;
}

static void review_members(struct ledger *ledger, const struct hash *admin)
{
	struct certificate certificate;
	struct delegation delegation;

	for (uint32_t i = ledger->members.count; i > 0; i--) {
		struct member *member = table_at(&ledger->members, i - 1);

		if (!hash_equal(&member->issuer, admin))
			continue;
		if (certificate_stands(ledger, member->certificate, &member->certificate_hash,
			    &certificate, &delegation))
			trust_set_seniority(member, &certificate, &delegation);
		else if (!promote(ledger, member))
			drop_member_at(ledger, i - 1);
	}
}

static void review_spares(struct ledger *ledger, const struct hash *admin)
{
	struct certificate certificate;
	struct delegation delegation;

	for (uint32_t i = ledger->spares.count; i > 0; i--) {
		const struct spare *spare = table_at(&ledger->spares, i - 1);

		if (hash_equal(&spare->key.issuer, admin) &&
			!certificate_stands(
				ledger, spare->fact, &spare->hash, &certificate, &delegation))
			trust_drop_spare(ledger, spare);
	}
}

void trust_review(struct ledger *ledger, const struct hash *admin)
{
	struct admin *held = trust_find_admin(ledger, admin);

	if (held)
		held->removed = trust_is_removed(ledger, admin);
	review_members(ledger, admin);
	review_spares(ledger, admin);
	for (uint32_t i = ledger->revocations.count; i > 0; i--) {
		const struct revocation_row *row = table_at(&ledger->revocations, i - 1);

		if (!hash_equal(&row->key.issuer, admin) || revocation_stands(ledger, row))
			continue;
		arena_free(&ledger->arena, row->fact);
		table_remove(&ledger->revocations, i - 1);
	}
	ledger->summary_until = 0;
	index_settle(ledger);
}

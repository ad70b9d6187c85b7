/* SPDX-License-Identifier: MIT */
/*
 * ledger_query.c - what the ledger holds, as rows, counts and hashes.
 */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "gossip/ledger_internal.h"

static int compare_ids(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ROW_ID_SIZE);
}

/* Places in the four tables that rows come from, moved along together in the order of ids. */
struct cursor {
	const struct ledger *ledger;
	uint64_t now;
	uint32_t member;
	uint32_t admin;
	uint32_t revocation;
	uint32_t removal;
	bool out; /* also those that are out */
};

/* One row and the hashes that stand behind it. */
struct item {
	struct row row;
	struct hash hashes[2];
	size_t hash_count;
};

static struct cursor cursor_at(
	const struct ledger *ledger, uint64_t now, const struct row_id *first, bool out)
{
	uint8_t key[sizeof(struct removal_key)] = {0};
	struct cursor cursor = {.ledger = ledger, .now = now, .out = out};

	_Static_assert(sizeof key >= sizeof(struct revocation_key), "the longest of the keys");

	memcpy(key, first->bytes, ROW_ID_SIZE);
	cursor.member = table_lower_bound(&ledger->members, key);
	cursor.admin = table_lower_bound(&ledger->admins, key);
	cursor.revocation = table_lower_bound(&ledger->revocations, key);
	cursor.removal = table_lower_bound(&ledger->removals, key);
	return cursor;
}

/* Where there is no record (any more) but a floor for the next one, the row says nothing of it. */
static struct row row_of_member(const struct member *member)
{
	return (struct row){
		member->id, member->version, member->record != ARENA_NONE ? member->sequence : 0};
}

static struct item member_item(const struct member *member, uint64_t now)
{
	return (struct item){
		.row = row_of_member(member),
		.hashes = {member->certificate_hash, member->record_hash},
		.hash_count = member_is_live(member, now) ? 2 : 1,
	};
}

struct row row_of_out(const struct row_id *id, const struct hash *fact)
{
	struct row row = {.id = *id, .version = LEDGER_REVOKED_VERSION};

	row.sequence = bytes_get(fact->bytes, ROW_SEQUENCE_SIZE);
	return row;
}

static struct item out_item(const struct hash *subject, const struct hash *fact)
{
	struct row_id id = row_id_of(subject);

	return (struct item){.row = row_of_out(&id, fact), .hashes = {*fact}, .hash_count = 1};
}

/* Takes a candidate for the next row if it comes before the one so far. */
static bool comes_first(const struct item *best, bool found, const struct item *candidate)
{
	return !found || compare_ids(candidate->row.id.bytes, best->row.id.bytes) < 0;
}

static bool next_item(struct cursor *cursor, struct item *ret)
{
	const struct ledger *ledger = cursor->ledger;
	uint32_t *moved = NULL;
	struct item candidate;
	bool found = false;

	if (cursor->member < ledger->members.count) {
		*ret = member_item(table_at(&ledger->members, cursor->member), cursor->now);
		moved = &cursor->member;
		found = true;
	}
	if (cursor->admin < ledger->admins.count) {
		const struct admin *admin = table_at(&ledger->admins, cursor->admin);

		candidate = (struct item){.row = {admin->id, admin->version, 0},
			.hashes = {admin->hash},
			.hash_count = 1};
		if (comes_first(ret, found, &candidate)) {
			*ret = candidate;
			moved = &cursor->admin;
			found = true;
		}
	}
	if (cursor->out && cursor->removal < ledger->removals.count) {
		const struct removal_row *row = table_at(&ledger->removals, cursor->removal);

		candidate = out_item(&row->key.admin, &row->hash);
		if (comes_first(ret, found, &candidate)) {
			*ret = candidate;
			moved = &cursor->removal;
			found = true;
		}
	}
	if (cursor->out && cursor->revocation < ledger->revocations.count) {
		const struct revocation_row *row = table_at(
			&ledger->revocations, cursor->revocation);

		candidate = out_item(&row->subject, &row->hash);
		if (comes_first(ret, found, &candidate)) {
			*ret = candidate;
			moved = &cursor->revocation;
			found = true;
		}
	}
	if (found)
		++*moved;
	return found;
}

uint32_t ledger_rows(const struct ledger *ledger, const struct row_id *first,
	const struct row_id *end, bool out, struct row *rows, uint32_t most, struct row_id *last)
{
	struct cursor cursor = cursor_at(ledger, 0, first, out); /* rows do not tell what is live */
	struct item item;
	uint32_t count = 0;

	*last = *end;
	while (next_item(&cursor, &item) && compare_ids(item.row.id.bytes, end->bytes) <= 0) {
		if (count == most) {
			/* All rows of one id go together: the range ends before this one begins. */
			while (count > 0 &&
				compare_ids(rows[count - 1].id.bytes, item.row.id.bytes) == 0)
				count--;
			/* One id alone has more than there is room for: the rest goes unsaid. */
			if (count == 0)
				count = most;
			*last = rows[count - 1].id;
			break;
		}
		rows[count++] = item.row;
	}
	return count;
}

struct hash ledger_range_hash(const struct ledger *ledger, uint64_t now, const struct row_id *first,
	const struct row_id *end, bool out)
{
	struct cursor cursor = cursor_at(ledger, now, first, out);
	struct item item;
	struct hash chained = {{0}};

	while (next_item(&cursor, &item) && compare_ids(item.row.id.bytes, end->bytes) <= 0) {
		struct hash parts[3] = {chained, item.hashes[0], item.hashes[1]};

		chained = hash_of(parts, (1 + item.hash_count) * sizeof parts[0]);
	}
	return chained;
}

struct row ledger_row(const struct ledger *ledger, const struct row_id *id)
{
	const struct member *member = ledger_find(ledger, id);
	const struct admin *admin = table_find(&ledger->admins, id->bytes);
	struct revocation_key key = {.subject = *id};
	uint32_t at;

	if (member)
		return row_of_member(member);
	if (admin)
		return (struct row){admin->id, admin->version, 0};
	at = table_lower_bound(&ledger->revocations, &key);
	if (at < ledger->revocations.count) {
		const struct revocation_row *row = table_at(&ledger->revocations, at);

		if (compare_ids(row->key.subject.bytes, id->bytes) == 0)
			return row_of_out(id, &row->hash);
	}
	return (struct row){.id = *id};
}

uint32_t ledger_out_at(const struct ledger *ledger, uint32_t place, uint32_t handles[static 3])
{
	const struct revocation_row *revocation;
	const struct removal_row *removal;

	if (place < ledger->revocations.count) {
		revocation = table_at(&ledger->revocations, place);
		handles[0] = revocation->fact;
		return 1;
	}
	place -= ledger->revocations.count;
	if (place >= ledger->removals.count)
		return 0;
	removal = table_at(&ledger->removals, place);
	handles[0] = removal->fact;
	return 1;
}

/* The one fact behind a row of somebody who is out. */
static uint32_t find_out(
	const struct ledger *ledger, const struct row *row, uint32_t handles[static 3])
{
	struct cursor cursor = cursor_at(ledger, 0, &row->id, true);

	for (uint32_t i = cursor.revocation; i < ledger->revocations.count; i++) {
		const struct revocation_row *held = table_at(&ledger->revocations, i);

		if (compare_ids(held->key.subject.bytes, row->id.bytes) != 0)
			break;
		handles[0] = held->fact;
		if (row_of_out(&row->id, &held->hash).sequence == row->sequence)
			return 1;
	}
	for (uint32_t i = cursor.removal; i < ledger->removals.count; i++) {
		const struct removal_row *held = table_at(&ledger->removals, i);

		if (compare_ids(held->key.admin.bytes, row->id.bytes) != 0)
			break;
		handles[0] = held->fact;
		if (row_of_out(&row->id, &held->hash).sequence == row->sequence)
			return 1;
	}
	return 0;
}

uint32_t ledger_newer(const struct ledger *ledger, uint64_t now, const struct row *row, bool same,
	uint32_t handles[static 3])
{
	const struct member *member = ledger_find(ledger, &row->id);
	const struct admin *admin = table_find(&ledger->admins, row->id.bytes);
	uint32_t count = 0;

	if (row->version == LEDGER_REVOKED_VERSION)
		return find_out(ledger, row, handles);
	if (admin && (admin->version > row->version || (same && admin->version == row->version)))
		handles[count++] = admin->delegation;
	if (!member)
		return count;
	if (member->version > row->version || (same && member->version == row->version))
		handles[count++] = member->certificate;
	if (member_is_live(member, now) &&
		(member->sequence > row->sequence || (same && member->sequence == row->sequence)))
		handles[count++] = member->record;
	return count;
}

/* Revocations and removals stand for themselves: their set is small and only grows. */
static struct hash hash_out(const struct ledger *ledger)
{
	struct hash parts[2] = {{{0}}, {{0}}};

	for (uint32_t i = 0; i < ledger->revocations.count; i++) {
		const struct revocation_row *row = table_at(&ledger->revocations, i);

		parts[1] = row->hash;
		parts[0] = hash_of(parts, sizeof parts);
	}
	for (uint32_t i = 0; i < ledger->removals.count; i++) {
		const struct removal_row *row = table_at(&ledger->removals, i);

		parts[1] = row->hash;
		parts[0] = hash_of(parts, sizeof parts);
	}
	return parts[0];
}

const struct ledger_summary *ledger_summarize(struct ledger *ledger, uint64_t now)
{
	static const struct row_id lowest;
	struct row_id highest;
	struct ledger_summary *summary = &ledger->summary;

	if (now >= ledger->summary_from && now < ledger->summary_until)
		return summary;
	memset(highest.bytes, 0xff, sizeof highest.bytes);
	*summary = (struct ledger_summary){
		.facts_hash = ledger_range_hash(ledger, now, &lowest, &highest, false),
		.revocations = ledger->revocations.count + ledger->removals.count,
		.revocations_hash = hash_out(ledger),
	};
	ledger->summary_from = now;
	ledger->summary_until = UINT64_MAX;
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);

		summary->facts++;
		if (!member_is_live(member, now))
			continue;
		summary->facts++;
		if (member->expires < ledger->summary_until)
			ledger->summary_until = member->expires;
	}
	summary->facts += ledger->admins.count;
	return summary;
}

struct member *ledger_find_name(const struct ledger *ledger, const char *name)
{
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		struct member *member = table_at(&ledger->members, i);
		struct certificate certificate;

		ledger_certificate(ledger, member, &certificate);
		if (member->in_force && strcmp(certificate.name, name) == 0)
			return member;
	}
	return NULL;
}

struct member *ledger_find_address(const struct ledger *ledger, const struct address *address)
{
	const struct row_id *owner = index_address(ledger, address);

	return owner ? ledger_find(ledger, owner) : NULL;
}

/* The spare that came from an issuer of whom only the row id is known. */
static uint32_t taken_spare(const struct ledger *ledger, const struct ledger_outcome *outcome)
{
	for (uint32_t i = 0; i < ledger->spares.count; i++) {
		const struct spare *spare = table_at(&ledger->spares, i);

		if (compare_ids(spare->key.site.bytes, outcome->row.id.bytes) == 0 &&
			compare_ids(spare->key.issuer.bytes, outcome->author.bytes) == 0)
			return spare->fact;
	}
	return ARENA_NONE;
}

uint32_t ledger_taken(const struct ledger *ledger, const struct ledger_outcome *outcome)
{
	const struct member *member = ledger_find(ledger, &outcome->row.id);
	const struct admin *admin = table_find(&ledger->admins, outcome->row.id.bytes);
	uint32_t handles[3];

	switch (outcome->kind) {
	case FACT_DELEGATION:
		return admin ? admin->delegation : ARENA_NONE;
	case FACT_CERTIFICATE:
		if (outcome->verdict == VERDICT_SPARE)
			return taken_spare(ledger, outcome);
		return member ? member->certificate : ARENA_NONE;
	case FACT_RECORD:
		return member ? member->record : ARENA_NONE;
	case FACT_REVOCATION:
	case FACT_REMOVAL:
		return find_out(ledger, &outcome->row, handles) ? handles[0] : ARENA_NONE;
	}
	return ARENA_NONE;
}

const char *ledger_rivalry(
	const struct ledger *ledger, const struct certificate *certificate, struct row_id *rival)
{
	return index_meeting(ledger, certificate, NULL, rival);
}

const char *ledger_rivalry_of(const struct ledger *ledger, const struct certificate *certificate,
	const struct row_id *self, struct row_id *rival)
{
	return index_meeting(ledger, certificate, self, rival);
}

/* A list that begins somewhere in the middle. */
struct collected {
	uint32_t skip;
	uint32_t count;
	uint32_t most;
	struct hash *items;
};

static void collect(struct collected *collected, const struct hash *hash)
{
	if (collected->skip > 0)
		collected->skip--;
	else if (collected->count < collected->most)
		collected->items[collected->count++] = *hash;
}

uint32_t ledger_signed_by(const struct ledger *ledger, const struct hash *admin, uint32_t first,
	struct hash *ret, uint32_t most)
{
	struct collected collected = {.skip = first, .most = most, .items = ret};

	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);

		if (hash_equal(&member->issuer, admin))
			collect(&collected, &member->certificate_hash);
	}
	for (uint32_t i = 0; i < ledger->spares.count; i++) {
		const struct spare *spare = table_at(&ledger->spares, i);

		if (hash_equal(&spare->key.issuer, admin))
			collect(&collected, &spare->hash);
	}
	for (uint32_t i = 0; i < ledger->revocations.count; i++) {
		const struct revocation_row *row = table_at(&ledger->revocations, i);

		if (hash_equal(&row->key.issuer, admin))
			collect(&collected, &row->hash);
	}
	return collected.count;
}

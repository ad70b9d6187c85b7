/* SPDX-License-Identifier: MIT */
/*
 * saving.c - what is done when the disk refuses: nothing more is promised, and once there is room
 * everything is saved anew, since nobody knows what of it was not.
 */
#include <assert.h>
#include <string.h>

#include "site/links_internal.h"

#define SAVE_AGAIN (5 * USEC_SECOND)
#define ROOM_FOR_FIRST 24 /* keys, settings and floors */

/* The last answer to a command was left out with what it stood on. */
static void answer_unsaved(struct site *site, struct site_actions *out)
{
	struct site_unsaved *unsaved = &site->unsaved;

	if (unsaved->request == 0)
		return;
	if (site->watch_request == unsaved->request)
		site->watch_request = 0;
	if (unsaved->invite[0])
		invitations_drop(&site->invitations, unsaved->invite);
	site_reply(out, unsaved->request, SITE_REPLY_FAILED,
		"the state cannot be saved: is the disk full? It will be tried again");
	*unsaved = (struct site_unsaved){.request = 0};
}

void site_saved(struct site *site, int result, struct site_actions *out)
{
	site_promotion_saved(site, result == 0, out);
	if (result == 0) {
		site->unsaved = (struct site_unsaved){.request = 0};
		site_record_saved(site, out);
		if (site->save_failed && site->save_cursor == UINT32_MAX) {
			site->save_failed = false;
			site_log(out, SITE_LOG_SAVE_WELL, "", 0);
		}
		return;
	}
	site->counters[SITE_COUNT_SAVE_FAILED]++;
	if (!site->save_failed)
		site_log(out, SITE_LOG_SAVE_FAILED, "", -result);
	site->save_failed = true;
	if (site->record_waits)
		author_unsaved(&site->author, site->now);
	site->record_waits = false;
	site->save_cursor = 0;
	site->save_again_at = site->now + SAVE_AGAIN;
	answer_unsaved(site, out);
}

/* All over again. */

static void save_pair(
	struct site_actions *out, enum site_key_slot slot, const struct site_pair *pair)
{
	if (pair->present)
		site_save_key(out, slot, &pair->secret);
}

static void save_secret(
	struct site_actions *out, enum site_key_slot slot, bool has, const struct secret *secret)
{
	struct key seed;

	if (!has)
		return;
	seed = secret_seed(secret);
	site_save_key(out, slot, &seed);
	key_wipe(&seed);
}

static void save_first(struct site *site, struct site_actions *out)
{
	struct site_row row;

	save_secret(out, SITE_KEY_IDENTITY, site->has_identity, &site->identity);
	save_secret(out, SITE_KEY_ADMIN, site->has_admin, &site->admin);
	save_secret(out, SITE_KEY_ROOT, site->has_root, &site->root);
	save_pair(out, SITE_KEY_BACKBONE, &site->pairs[SITE_BACKBONE]);
	save_pair(out, SITE_KEY_BACKBONE_PENDING, &site->pending[SITE_BACKBONE]);
	save_pair(out, SITE_KEY_LINKS, &site->pairs[SITE_LINKS]);
	save_pair(out, SITE_KEY_LINKS_PENDING, &site->pending[SITE_LINKS]);
	if (site->has_collective)
		site_save_collective(site, out);
	site_save_membership(site, out);
	site_row_published(&row, &site->published);
	site_save(site, out, &row);
	site_save_floor(site, out, "clock", site->clock_floor);
	if (site->author.reserved > 0)
		site_save_floor(site, out, "sequence", site->author.reserved);
	for (uint32_t i = 0; i < site->invitations.table.count; i++) {
		struct invitation *invitation = table_at(&site->invitations.table, i);

		invitation->changed = true;
	}
}

/* The facts of one member or of those that are out, by a number that counts through all of them. */
static uint32_t fact_at(const struct ledger *ledger, uint32_t position, uint32_t handles[static 3])
{
	const uint32_t members = ledger->members.count;
	const uint32_t admins = ledger->admins.count;
	struct row row = {.version = 0};

	if (position < members + admins) {
		const struct member *member = position < members
						      ? table_at(&ledger->members, position)
						      : NULL;
		const struct admin *admin = member ? NULL
						   : table_at(&ledger->admins, position - members);

		row.id = member ? member->id : admin->id;
		return ledger_newer(ledger, 0, &row, false, handles);
	}
	return ledger_out_at(ledger, position - members - admins, handles);
}

static void save_facts(struct site *site, struct site_actions *out, uint32_t position)
{
	uint32_t handles[3];
	uint32_t count = fact_at(&site->ledger, position, handles);

	for (uint32_t i = 0; i < count; i++) {
		size_t size;
		const uint8_t *bytes = ledger_bytes(&site->ledger, handles[i], &size);

		site_save_fact(site, out, bytes, size, false);
	}
}

/* Secrets, places, guards, wishes and facts, by a number that counts through them. Returns whether
 * there was one.
 */
static bool save_at(struct site *site, struct site_actions *out, uint32_t position)
{
	const struct ledger *ledger = &site->ledger;

	if (position < site->secrets.count) {
		site_save_secret(site, out, table_at(&site->secrets, position));
		return true;
	}
	position -= site->secrets.count;
	if (position < site->places.count) {
		site_save_place(site, out, table_at(&site->places, position));
		return true;
	}
	position -= site->places.count;
	if (position < site->prefixes.count) {
		const struct site_prefix *entry = table_at(&site->prefixes, position);

		if (entry->kept)
			site_save_guard(site, out, entry);
		return true;
	}
	position -= site->prefixes.count;
	if (position < site->links.count) {
		const struct site_link *link = table_at(&site->links, position);

		if (link->asked || link->unlinked)
			site_save_wish(site, out, link, false);
		if (link->memory.kept)
			site_save_memory(site, out, link);
		if (link->their_saved > 0)
			site_save_offers(site, out, link, false);
		return true;
	}
	position -= site->links.count;
	if (!site->has_collective || position >= ledger->members.count + ledger->admins.count +
							 ledger->revocations.count +
							 ledger->removals.count)
		return false;
	save_facts(site, out, position);
	return true;
}

void site_save_again(struct site *site, struct site_actions *out)
{
	bool more = true;

	if (!site->save_failed || site->now < site->save_again_at ||
		site_room(out) < ROOM_FOR_FIRST)
		return;
	if (site->save_cursor == 0)
		save_first(site, out);
	site_save_invitations(site, out);
	while (more && site_room(out) > 8) {
		more = save_at(site, out, site->save_cursor);
		site->save_cursor++;
	}
	site->save_again_at = more ? site->now : USEC_NEVER;
	if (!more)
		site->save_cursor = UINT32_MAX;
}

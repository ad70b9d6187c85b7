/* SPDX-License-Identifier: MIT */
#include "agent/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The brain and the store say the same words, in the same order. */
_Static_assert((int)SITE_TABLE_SETTING == (int)STORE_SETTING &&
		       (int)SITE_TABLE_FACT == (int)STORE_FACT &&
		       (int)SITE_TABLE_PRESHARED == (int)STORE_PRESHARED &&
		       (int)SITE_TABLE_INVITE == (int)STORE_INVITE &&
		       (int)SITE_TABLE_ENDPOINT == (int)STORE_ENDPOINT &&
		       (int)SITE_TABLE_FLOOR == (int)STORE_FLOOR,
	"tables of the brain are the store's");
_Static_assert((int)SITE_KEY_IDENTITY == (int)STORE_KEY_IDENTITY &&
		       (int)SITE_KEY_BACKBONE == (int)STORE_KEY_BACKBONE &&
		       (int)SITE_KEY_BACKBONE_PENDING == (int)STORE_KEY_BACKBONE_PENDING &&
		       (int)SITE_KEY_LINKS == (int)STORE_KEY_LINKS &&
		       (int)SITE_KEY_LINKS_PENDING == (int)STORE_KEY_LINKS_PENDING &&
		       (int)SITE_KEY_ADMIN == (int)STORE_KEY_ADMIN &&
		       (int)SITE_KEY_ROOT == (int)STORE_KEY_ROOT,
	"keys of the brain are the store's");

/* Settings of the agent's own, which the brain does not know. */
static const char *const port_settings[SITE_INTERFACES] = {
	[SITE_BACKBONE] = "port.backbone",
	[SITE_LINKS] = "port.links",
};

/* Restoring. */

struct restoring {
	struct site *site;
	enum site_table table;
};

static bool is_agents_own(const struct store_row *row)
{
	static const char begin[] = "port.";

	return row->table == STORE_SETTING && row->key_size > sizeof begin - 1 &&
	       memcmp(row->key, begin, sizeof begin - 1) == 0;
}

static int restore_row(const struct store_row *row, void *context)
{
	const struct restoring *restoring = context;
	struct site_row restored = {
		.table = restoring->table,
		.kind = row->kind,
		.key_size = row->key_size,
		.version = row->version,
		.size = (uint16_t)row->size,
	};

	if (is_agents_own(row))
		return 0;
	/* What is larger was not written by a brain. */
	if (row->key_size > sizeof restored.key || row->size > sizeof restored.bytes)
		return 0;
	memcpy(restored.key, row->key, row->key_size);
	if (row->size > 0)
		memcpy(restored.bytes, row->bytes, row->size);
	/* It counts what it cannot read; a program of tomorrow may have written it. */
	(void)site_restore(restoring->site, &restored);
	return 0;
}

int keeper_restore(struct store *store, struct site *site, char why[static STORE_WHY_SIZE])
{
	struct key key;
	int r;

	for (int slot = 0; slot < SITE_KEY_SLOTS; slot++) {
		r = store_key_read(store, (enum store_key_slot)slot, &key, why);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		site_restore_key(site, (enum site_key_slot)slot, &key);
		key_wipe(&key);
	}
	for (int table = 0; table < SITE_TABLES; table++) {
		struct restoring restoring = {.site = site, .table = (enum site_table)table};

		r = store_walk(store, (enum store_table)table, restore_row, &restoring);
		if (r < 0) {
			(void)snprintf(
				why, STORE_WHY_SIZE, "the state cannot be read: %s", strerror(-r));
			return r;
		}
	}
	return 0;
}

/* Saving. */

static struct store_row row_of(const struct site_row *row)
{
	return (struct store_row){
		.table = (enum store_table)row->table,
		.kind = row->kind,
		.key_size = row->key_size,
		.key = row->key,
		.version = row->version,
		.bytes = row->bytes,
		.size = row->size,
		.remove = row->remove,
	};
}

static int save_keys(struct store *store, const struct site_actions *actions)
{
	int r = 0;

	for (uint32_t i = 0; i < actions->count && r == 0; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind != SITE_SAVE_KEY)
			continue;
		r = key_is_zero(&action->key.key)
			    ? store_key_remove(store, (enum store_key_slot)action->key.slot)
			    : store_key_write(store, (enum store_key_slot)action->key.slot,
				      &action->key.key);
	}
	return r;
}

static int promote_keys(struct store *store, const struct site_actions *actions)
{
	int r = 0;

	for (uint32_t i = 0; i < actions->count && r == 0; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_PROMOTE_KEY)
			r = store_key_promote(store, (enum store_key_slot)action->key.slot);
	}
	return r;
}

int keeper_put(struct store *store, const struct site_row *row)
{
	const struct store_row stored = row_of(row);

	return store_write(store, &stored, 1);
}

int keeper_save(struct store *store, const struct site_actions *actions, bool *ret_any)
{
	struct store_row rows[SITE_ACTIONS_MAX];
	size_t count = 0;
	int r;

	*ret_any = false;
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_SAVE)
			rows[count++] = row_of(&action->row);
		*ret_any = *ret_any || action->kind <= SITE_PROMOTE_KEY;
	}
	if (!*ret_any)
		return 0;
	r = save_keys(store, actions);
	if (r == 0 && count > 0)
		r = store_write(store, rows, count);
	return r == 0 ? promote_keys(store, actions) : r;
}

/* What the agent itself keeps. */

uint32_t keeper_interface_keys(
	struct store *store, struct key ret[static SITE_KEY_SLOTS], enum site_interface interface)
{
	static const enum store_key_slot ours[SITE_INTERFACES][2] = {
		[SITE_BACKBONE] = {STORE_KEY_BACKBONE, STORE_KEY_BACKBONE_PENDING},
		[SITE_LINKS] = {STORE_KEY_LINKS, STORE_KEY_LINKS_PENDING},
	};
	char why[STORE_WHY_SIZE];
	uint32_t count = 0;

	for (int i = 0; i < 2; i++)
		count += store_key_read(store, ours[interface][i], &ret[count], why) == 0;
	return count;
}

uint16_t keeper_port(struct store *store, enum site_interface interface)
{
	const char *name = port_settings[interface];
	struct store_value value;

	if (store_read(store, STORE_SETTING, 0, name, strlen(name), &value) < 0 ||
		value.version > UINT16_MAX)
		return 0;
	return (uint16_t)value.version;
}

int keeper_save_port(struct store *store, enum site_interface interface, uint16_t port)
{
	const char *name = port_settings[interface];
	const struct store_row row = {.table = STORE_SETTING,
		.key_size = (uint8_t)strlen(name),
		.key = name,
		.version = port,
		.bytes = ""};

	return store_write(store, &row, 1);
}

int keeper_save_event(struct store *store, uint64_t wall, const char *text)
{
	const struct store_row row = {
		.table = STORE_EVENT, .version = wall, .bytes = text, .size = strlen(text)};

	return store_write(store, &row, 1);
}

void keeper_words(const struct site_action *log, char ret[static KEEPER_WORDS_SIZE])
{
	const char *text = site_log_text(log->log.code);
	const char *name = strstr(text, "%s");
	const char *rest;
	char number[24];
	int used = 0;

	ret[0] = '\0';
	(void)snprintf(number, sizeof number, "%lld", (long long)log->log.number);
	if (name)
		used = snprintf(
			ret, KEEPER_WORDS_SIZE, "%.*s%s", (int)(name - text), text, log->log.name);
	text = name ? name + 2 : text;
	rest = strstr(text, "%lld");
	if (used < 0 || used >= KEEPER_WORDS_SIZE)
		return;
	(void)snprintf(ret + used, (size_t)(KEEPER_WORDS_SIZE - used), "%.*s%s%s",
		rest ? (int)(rest - text) : (int)strlen(text), text, rest ? number : "",
		rest ? rest + 4 : "");
}

int keeper_save_log(struct store *store, uint64_t wall, const struct site_action *log)
{
	char words[KEEPER_WORDS_SIZE];

	keeper_words(log, words);
	return keeper_save_event(store, wall, words);
}

/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/backend.h"

#define EVENT_KEY_SIZE 8

int explain(char why[static STORE_WHY_SIZE], int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, STORE_WHY_SIZE, format, arguments);
	va_end(arguments);
	return r;
}

const char *store_table_name(enum store_table table)
{
	static const char *const names[STORE_TABLES] = {
		[STORE_SETTING] = "setting",
		[STORE_FACT] = "fact",
		[STORE_PRESHARED] = "preshared",
		[STORE_INVITE] = "invite",
		[STORE_ENDPOINT] = "endpoint",
		[STORE_FLOOR] = "floor",
		[STORE_EVENT] = "event",
	};

	return names[table];
}

void store_close(struct store *store)
{
	if (store)
		store->backend->close(store);
}

static bool row_fits(const struct store_row *row)
{
	bool is_event = row->table == STORE_EVENT;

	return row->table < STORE_TABLES && row->key_size <= STORE_KEY_MAX &&
	       row->size <= STORE_BYTES_MAX && row->version <= INT64_MAX &&
	       (is_event ? !row->remove && row->key_size == 0 && row->kind == 0
			 : row->key_size > 0) &&
	       !(row->table == STORE_FLOOR && row->remove);
}

/* A change as it is handed to the backend, with room for the keys that the store gives. */
struct change {
	size_t count;
	struct store_row rows[2 * STORE_ROWS_MAX];
	uint8_t keys[2 * STORE_ROWS_MAX][EVENT_KEY_SIZE];
};

static void plan_event_row(struct change *change, const struct store_row *row, uint64_t number)
{
	uint8_t *key = change->keys[change->count];

	/* Its most significant byte is first: key order is time order. */
	bytes_put(key, number, EVENT_KEY_SIZE);
	change->rows[change->count] = *row;
	change->rows[change->count].key = key;
	change->rows[change->count].key_size = EVENT_KEY_SIZE;
	change->count++;
}

/* Adds an event and takes out the one that it pushes over the limit. */
static void plan_event(struct change *change, const struct store_row *row, uint64_t *next)
{
	static const struct store_row stale = {.table = STORE_EVENT, .remove = true};

	plan_event_row(change, row, *next);
	if (*next >= STORE_EVENTS_MAX)
		plan_event_row(change, &stale, *next - STORE_EVENTS_MAX);
	(*next)++;
}

/* A floor within this change that stands above the row's: then the row has no effect. */
static bool has_higher_floor(const struct change *change, const struct store_row *row)
{
	for (size_t i = 0; i < change->count; i++) {
		const struct store_row *other = &change->rows[i];

		if (other->table == STORE_FLOOR && other->kind == row->kind &&
			other->key_size == row->key_size &&
			memcmp(other->key, row->key, row->key_size) == 0 && !other->remove &&
			other->version > row->version)
			return true;
	}
	return false;
}

/* Adds a row that raises a floor, unless it would lower it. */
static int plan_floor(struct store *store, struct change *change, const struct store_row *row)
{
	struct store_value value;
	int r = store->backend->read(store, row, &value);

	if (r < 0 && r != -ENOENT)
		return r;
	if ((r == 0 && value.version > row->version) || has_higher_floor(change, row))
		return 0;
	change->rows[change->count++] = *row;
	return 0;
}

int store_write(struct store *store, const struct store_row *rows, size_t count)
{
	struct change *change;
	uint64_t next = store->next_event;
	int r = 0;

	if (count > STORE_ROWS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		if (!row_fits(&rows[i]))
			return -EINVAL;
	}
	change = malloc(sizeof *change);
	if (!change)
		return -ENOMEM;
	change->count = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		if (rows[i].table == STORE_EVENT)
			plan_event(change, &rows[i], &next);
		else if (rows[i].table == STORE_FLOOR && !rows[i].remove)
			r = plan_floor(store, change, &rows[i]);
		else
			change->rows[change->count++] = rows[i];
	}
	if (r == 0 && change->count > 0)
		r = store->backend->write(store, change->rows, change->count);
	if (r == 0)
		store->next_event = next;
	free(change);
	return r;
}

int store_read(struct store *store, enum store_table table, uint8_t kind, const void *key,
	size_t key_size, struct store_value *ret)
{
	struct store_row wanted = {.table = table, .kind = kind, .key = key};

	if (key_size < 1 || key_size > STORE_KEY_MAX)
		return -EINVAL;
	wanted.key_size = (uint8_t)key_size;
	return store->backend->read(store, &wanted, ret);
}

int store_walk(struct store *store, enum store_table table, store_each_fn each, void *context)
{
	return store->backend->walk(store, table, each, context);
}

int store_key_read(struct store *store, enum store_key_slot slot, struct key *ret,
	char why[static STORE_WHY_SIZE])
{
	return store->backend->key_read(store, slot, ret, why);
}

int store_key_write(struct store *store, enum store_key_slot slot, const struct key *key)
{
	return store->backend->key_write(store, slot, key);
}

int store_key_promote(struct store *store, enum store_key_slot pending)
{
	switch (pending) {
	case STORE_KEY_BACKBONE_PENDING:
		return store->backend->key_promote(store, pending, STORE_KEY_BACKBONE);
	case STORE_KEY_LINKS_PENDING:
		return store->backend->key_promote(store, pending, STORE_KEY_LINKS);
	case STORE_KEY_IDENTITY:
	case STORE_KEY_BACKBONE:
	case STORE_KEY_LINKS:
	case STORE_KEY_ADMIN:
	case STORE_KEY_ROOT:
	case STORE_KEY_SLOTS:
	default:
		return -EINVAL;
	}
}

int store_key_remove(struct store *store, enum store_key_slot slot)
{
	return store->backend->key_remove(store, slot);
}

static int take_event_number(const struct store_row *row, void *context)
{
	uint64_t *next = context;

	if (row->key_size != EVENT_KEY_SIZE)
		return -EBADMSG;
	*next = bytes_get(row->key, EVENT_KEY_SIZE) + 1;
	return 0;
}

int store_find_next_event(struct store *store)
{
	return store->backend->walk(store, STORE_EVENT, take_event_number, &store->next_event);
}

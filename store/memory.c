/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the twin of the durable store: same rules, nothing on disk. Rows stand in one array
 * sorted by table, kind and key.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "store/backend.h"

struct memory_row {
	uint64_t version;
	uint16_t size;
	uint8_t table;
	uint8_t kind;
	uint8_t key_size;
	uint8_t data[]; /* key, then bytes */
};

struct memory_store {
	struct store store;
	struct memory_row **rows;
	size_t count;
	size_t capacity;
	struct key keys[STORE_KEY_SLOTS];
	bool has_key[STORE_KEY_SLOTS];
};

static struct memory_store *of(struct store *store)
{
	return (struct memory_store *)store;
}

static void row_free(struct memory_row *row)
{
	if (row)
		sodium_memzero(row->data, (size_t)row->key_size + row->size);
	free(row);
}

static struct memory_row *row_new(const struct store_row *from)
{
	struct memory_row *row = malloc(sizeof *row + from->key_size + from->size);

	if (!row)
		return NULL;
	row->version = from->version;
	row->size = (uint16_t)from->size;
	row->table = (uint8_t)from->table;
	row->kind = from->kind;
	row->key_size = from->key_size;
	memcpy(row->data, from->key, from->key_size);
	if (from->size > 0)
		memcpy(row->data + from->key_size, from->bytes, from->size);
	return row;
}

/* By table, kind, then key as SQLite compares blobs: bytes first, then the shorter. */
static int compare(const struct memory_row *row, const struct store_row *wanted)
{
	size_t common = row->key_size < wanted->key_size ? row->key_size : wanted->key_size;
	int order;

	if (row->table != wanted->table)
		return row->table < wanted->table ? -1 : 1;
	if (row->kind != wanted->kind)
		return row->kind < wanted->kind ? -1 : 1;
	order = common > 0 ? memcmp(row->data, wanted->key, common) : 0;
	return order ? order : row->key_size - wanted->key_size;
}

static size_t lower_bound(const struct memory_store *memory, const struct store_row *wanted)
{
	size_t low = 0;
	size_t high = memory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(memory->rows[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct memory_store *memory, size_t at, const struct store_row *wanted)
{
	return at < memory->count && compare(memory->rows[at], wanted) == 0;
}

static void memory_close(struct store *store)
{
	struct memory_store *memory = of(store);

	for (size_t i = 0; i < memory->count; i++)
		row_free(memory->rows[i]);
	free(memory->rows);
	sodium_memzero(memory->keys, sizeof memory->keys);
	free(memory);
}

static int reserve(struct memory_store *memory, size_t more)
{
	size_t need = memory->count + more;
	size_t capacity = memory->capacity ? memory->capacity : 16;
	struct memory_row **rows;

	if (need <= memory->capacity)
		return 0;
	while (capacity < need)
		capacity *= 2;
	rows = reallocarray(memory->rows, capacity, sizeof(struct memory_row *));
	if (!rows)
		return -ENOMEM;
	memory->rows = rows;
	memory->capacity = capacity;
	return 0;
}

/* Cannot fail: the room is there, and made is ready (NULL: remove). */
static void apply(struct memory_store *memory, const struct store_row *row, struct memory_row *made)
{
	size_t at = lower_bound(memory, row);
	struct memory_row **place = memory->rows + at;

	if (is_at(memory, at, row)) {
		row_free(*place);
		if (made) {
			*place = made;
			return;
		}
		memory->count--;
		memmove(place, place + 1, (memory->count - at) * sizeof(struct memory_row *));
	} else if (made) {
		memmove(place + 1, place, (memory->count - at) * sizeof(struct memory_row *));
		*place = made;
		memory->count++;
	}
}

static int memory_write(struct store *store, const struct store_row *rows, size_t count)
{
	struct memory_store *memory = of(store);
	struct memory_row **made = calloc(count, sizeof(struct memory_row *));
	int r = made ? reserve(memory, count) : -ENOMEM;

	/* Everything that can fail comes first: all of the change or none of it. */
	for (size_t i = 0; i < count && r == 0; i++) {
		if (rows[i].remove)
			continue;
		made[i] = row_new(&rows[i]);
		if (!made[i])
			r = -ENOMEM;
	}
	for (size_t i = 0; i < count && made; i++) {
		if (r == 0)
			apply(memory, &rows[i], made[i]);
		else
			row_free(made[i]);
	}
	free(made);
	return r;
}

static int memory_read(struct store *store, const struct store_row *wanted, struct store_value *ret)
{
	struct memory_store *memory = of(store);
	size_t at = lower_bound(memory, wanted);
	const struct memory_row *row;

	if (!is_at(memory, at, wanted))
		return -ENOENT;
	row = memory->rows[at];
	ret->version = row->version;
	ret->size = row->size;
	memcpy(ret->bytes, row->data + row->key_size, row->size);
	return 0;
}

static int memory_walk(
	struct store *store, enum store_table table, store_each_fn each, void *context)
{
	struct memory_store *memory = of(store);
	const struct store_row first = {.table = table};

	for (size_t i = lower_bound(memory, &first); i < memory->count; i++) {
		const struct memory_row *row = memory->rows[i];
		struct store_row shown = {
			.table = table,
			.kind = row->kind,
			.key_size = row->key_size,
			.key = row->data,
			.version = row->version,
			.bytes = row->data + row->key_size,
			.size = row->size,
		};
		int r;

		if (row->table != table)
			break;
		r = each(&shown, context);
		if (r < 0)
			return r;
	}
	return 0;
}

static int memory_key_read(struct store *store, enum store_key_slot slot, struct key *ret,
	char why[static STORE_WHY_SIZE])
{
	struct memory_store *memory = of(store);

	if (!memory->has_key[slot])
		return explain(why, -ENOENT, "there is no %s", store_key_files[slot]);
	*ret = memory->keys[slot];
	return 0;
}

static int memory_key_write(struct store *store, enum store_key_slot slot, const struct key *key)
{
	of(store)->keys[slot] = *key;
	of(store)->has_key[slot] = true;
	return 0;
}

static int memory_key_remove(struct store *store, enum store_key_slot slot)
{
	key_wipe(&of(store)->keys[slot]);
	of(store)->has_key[slot] = false;
	return 0;
}

static int memory_key_promote(struct store *store, enum store_key_slot from, enum store_key_slot to)
{
	if (!of(store)->has_key[from])
		return -ENOENT;
	(void)memory_key_write(store, to, &of(store)->keys[from]);
	return memory_key_remove(store, from);
}

static const struct store_backend memory_backend = {
	.close = memory_close,
	.write = memory_write,
	.read = memory_read,
	.walk = memory_walk,
	.key_read = memory_key_read,
	.key_write = memory_key_write,
	.key_promote = memory_key_promote,
	.key_remove = memory_key_remove,
};

int store_open_memory(struct store **ret)
{
	struct memory_store *memory = calloc(1, sizeof *memory);

	if (!memory)
		return -ENOMEM;
	memory->store.backend = &memory_backend;
	*ret = &memory->store;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * test_store.c - what both makes of store promise: every case runs on each.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "store/store.h"
#include "tests/files.h"

struct fixture {
	char directory[FILES_PATH_SIZE]; /* empty: in memory */
	char why[STORE_WHY_SIZE];
	struct store *store;
};

static int set_up_memory(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_int_equal(store_open_memory(&f->store), 0);
	*state = f;
	return 0;
}

static int set_up_sqlite(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	files_make(f->directory);
	assert_int_equal(store_open(&f->store, f->directory, true, f->why), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	if (f->directory[0])
		files_remove(f->directory);
	free(f);
	return 0;
}

/* Closes and opens again what is on disk; memory has nothing to come back from. */
static void reopen(struct fixture *f)
{
	if (!f->directory[0])
		return;
	store_close(f->store);
	assert_int_equal(store_open(&f->store, f->directory, false, f->why), 0);
}

static struct store_row row_of(
	enum store_table table, uint8_t kind, const char *key, uint64_t version, const char *bytes)
{
	return (struct store_row){.table = table,
		.kind = kind,
		.key_size = (uint8_t)strlen(key),
		.key = key,
		.version = version,
		.bytes = bytes,
		.size = strlen(bytes)};
}

static void put(struct fixture *f, enum store_table table, uint8_t kind, const char *key,
	uint64_t version, const char *bytes)
{
	struct store_row row = row_of(table, kind, key, version, bytes);

	assert_int_equal(store_write(f->store, &row, 1), 0);
}

static void expect(struct fixture *f, enum store_table table, uint8_t kind, const char *key,
	uint64_t version, const char *bytes)
{
	struct store_value value;

	assert_int_equal(store_read(f->store, table, kind, key, strlen(key), &value), 0);
	assert_true(value.version == version);
	assert_int_equal(value.size, strlen(bytes));
	assert_memory_equal(value.bytes, bytes, value.size);
}

static void expect_none(struct fixture *f, enum store_table table, uint8_t kind, const char *key)
{
	struct store_value value;

	assert_int_equal(store_read(f->store, table, kind, key, strlen(key), &value), -ENOENT);
}

TEST(store_keeps_what_was_written)
{
	struct fixture *f = *state;

	expect_none(f, STORE_FACT, 1, "k");
	put(f, STORE_FACT, 1, "k", 7, "first");
	put(f, STORE_FACT, 2, "k", 8, "other kind");
	put(f, STORE_SETTING, 1, "k", 9, "other table");
	put(f, STORE_FACT, 1, "k", 3, "second, of a lower version");
	put(f, STORE_FACT, 1, "empty", INT64_MAX, "");
	reopen(f);
	expect(f, STORE_FACT, 1, "k", 3, "second, of a lower version");
	expect(f, STORE_FACT, 2, "k", 8, "other kind");
	expect(f, STORE_SETTING, 1, "k", 9, "other table");
	expect(f, STORE_FACT, 1, "empty", INT64_MAX, "");
	expect_none(f, STORE_FACT, 3, "k");
	expect_none(f, STORE_FACT, 1, "kk");
}

TEST(store_change_is_all_or_nothing)
{
	struct fixture *f = *state;
	char big[STORE_BYTES_MAX + 1];
	struct store_row rows[] = {
		row_of(STORE_FACT, 1, "a", 1, "new"),
		row_of(STORE_FACT, 1, "b", 1, "new"),
		row_of(STORE_FACT, 1, "c", 1, "new"),
	};

	put(f, STORE_FACT, 1, "b", 1, "old");
	rows[1].remove = true;
	assert_int_equal(store_write(f->store, rows, 3), 0);
	reopen(f);
	expect(f, STORE_FACT, 1, "a", 1, "new");
	expect_none(f, STORE_FACT, 1, "b");
	expect(f, STORE_FACT, 1, "c", 1, "new");

	/* The last row does not fit: none is taken. */
	rows[0] = row_of(STORE_FACT, 1, "a", 2, "newer");
	rows[2].bytes = big;
	rows[2].size = sizeof big;
	memset(big, 'x', sizeof big);
	assert_int_equal(store_write(f->store, rows, 3), -EINVAL);
	rows[2] = row_of(STORE_FACT, 1, "", 1, "no key");
	assert_int_equal(store_write(f->store, rows, 3), -EINVAL);
	rows[2] = row_of(STORE_FACT, 1, "c", UINT64_MAX, "version beyond the range");
	assert_int_equal(store_write(f->store, rows, 3), -EINVAL);
	expect(f, STORE_FACT, 1, "a", 1, "new");
	assert_int_equal(store_write(f->store, rows, 0), 0);
}

TEST(store_takes_the_largest_row_and_the_largest_change)
{
	struct fixture *f = *state;
	struct store_row *rows = calloc(STORE_ROWS_MAX + 1, sizeof *rows);
	char(*keys)[STORE_KEY_MAX + 1] = calloc(STORE_ROWS_MAX + 1, sizeof *keys);
	char big[STORE_BYTES_MAX];
	struct store_value value;

	assert_non_null(rows);
	assert_non_null(keys);
	memset(big, 'x', sizeof big);
	for (int i = 0; i <= STORE_ROWS_MAX; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "%064d", i);
		rows[i] = row_of(STORE_FACT, 255, keys[i], 1, "");
		rows[i].bytes = big;
		rows[i].size = sizeof big;
	}
	assert_int_equal(store_write(f->store, rows, STORE_ROWS_MAX + 1), -E2BIG);
	assert_int_equal(store_write(f->store, rows, STORE_ROWS_MAX), 0);
	reopen(f);
	assert_int_equal(store_read(f->store, STORE_FACT, 255, keys[17], STORE_KEY_MAX, &value), 0);
	assert_int_equal(value.size, STORE_BYTES_MAX);
	assert_memory_equal(value.bytes, big, sizeof big);
	free(rows);
	free(keys);
}

TEST(store_floor_never_falls)
{
	struct fixture *f = *state;
	struct store_row rows[2];

	put(f, STORE_FLOOR, 0, "sequence", 100, "");
	put(f, STORE_FLOOR, 0, "sequence", 99, "");
	expect(f, STORE_FLOOR, 0, "sequence", 100, "");
	put(f, STORE_FLOOR, 0, "sequence", 101, "");
	/* Within one change, too. */
	rows[0] = row_of(STORE_FLOOR, 0, "sequence", 300, "");
	rows[1] = row_of(STORE_FLOOR, 0, "sequence", 200, "");
	assert_int_equal(store_write(f->store, rows, 2), 0);
	reopen(f);
	expect(f, STORE_FLOOR, 0, "sequence", 300, "");
	rows[0].remove = true;
	assert_int_equal(store_write(f->store, rows, 1), -EINVAL);
	put(f, STORE_FLOOR, 0, "clock", 5, "");
	expect(f, STORE_FLOOR, 0, "clock", 5, "");
}

struct walk {
	unsigned count;
	unsigned stop_at;
	size_t used;
	char last[80];
	char seen[4096];
};

static int note_row(const struct store_row *row, void *context)
{
	struct walk *walk = context;

	(void)snprintf(walk->last, sizeof walk->last, "%u/%.*s=%.*s@%d ", row->kind, row->key_size,
		(const char *)row->key, (int)row->size, (const char *)row->bytes,
		(int)row->version);
	walk->used += (size_t)snprintf(
		walk->seen + walk->used, sizeof walk->seen - walk->used, "%s", walk->last);
	assert_true(walk->used < sizeof walk->seen);
	walk->count++;
	return walk->count == walk->stop_at ? -ECANCELED : 0;
}

TEST(store_walks_in_order_and_stops_when_told)
{
	struct fixture *f = *state;
	struct walk walk = {0};
	struct walk cut = {.stop_at = 2};

	put(f, STORE_FACT, 2, "a", 1, "v");
	put(f, STORE_FACT, 1, "b", 2, "w");
	put(f, STORE_FACT, 1, "aa", 3, "x");
	put(f, STORE_FACT, 1, "a", 4, "y");
	put(f, STORE_INVITE, 1, "z", 5, "other table");
	reopen(f);
	assert_int_equal(store_walk(f->store, STORE_FACT, note_row, &walk), 0);
	assert_string_equal(walk.seen, "1/a=y@4 1/aa=x@3 1/b=w@2 2/a=v@1 ");
	assert_int_equal(store_walk(f->store, STORE_FACT, note_row, &cut), -ECANCELED);
	assert_int_equal(cut.count, 2);
	assert_int_equal(store_walk(f->store, STORE_PRESHARED, note_row, &cut), 0);
}

static int check_history(const struct store_row *row, void *context)
{
	uint64_t *expected = context;

	assert_true(row->version == *expected);
	assert_int_equal(row->size, 5);
	(*expected)++;
	return 0;
}

TEST(store_history_is_bounded_and_in_order)
{
	struct fixture *f = *state;
	struct store_row rows[STORE_ROWS_MAX];
	uint64_t time = 0;

	for (int i = 0; i < STORE_ROWS_MAX; i++)
		rows[i] = row_of(STORE_EVENT, 0, "", 0, "event");
	while (time < STORE_EVENTS_MAX + 300) {
		size_t count = 1 + (size_t)(time % STORE_ROWS_MAX);

		for (size_t i = 0; i < count; i++)
			rows[i].version = time++;
		assert_int_equal(store_write(f->store, rows, count), 0);
		if (time % 5 == 0)
			reopen(f);
	}

	uint64_t expected = time - STORE_EVENTS_MAX;

	assert_int_equal(store_walk(f->store, STORE_EVENT, check_history, &expected), 0);
	assert_true(expected == time);
	/* The store gives the key; nobody takes out a single event. */
	rows[0].key = "k";
	rows[0].key_size = 1;
	assert_int_equal(store_write(f->store, rows, 1), -EINVAL);
	rows[0].key_size = 0;
	rows[0].remove = true;
	assert_int_equal(store_write(f->store, rows, 1), -EINVAL);
}

TEST(store_private_keys)
{
	struct fixture *f = *state;
	struct key key = {{1, 2, 3}};
	struct key next = {{4, 5, 6}};
	struct key back;

	assert_int_equal(store_key_read(f->store, STORE_KEY_BACKBONE, &back, f->why), -ENOENT);
	assert_int_equal(store_key_promote(f->store, STORE_KEY_BACKBONE_PENDING), -ENOENT);
	assert_int_equal(store_key_write(f->store, STORE_KEY_BACKBONE, &key), 0);
	assert_int_equal(store_key_write(f->store, STORE_KEY_BACKBONE_PENDING, &next), 0);
	reopen(f);
	assert_int_equal(store_key_read(f->store, STORE_KEY_BACKBONE, &back, f->why), 0);
	assert_true(key_equal(&back, &key));
	assert_int_equal(store_key_promote(f->store, STORE_KEY_BACKBONE_PENDING), 0);
	reopen(f);
	assert_int_equal(store_key_read(f->store, STORE_KEY_BACKBONE, &back, f->why), 0);
	assert_true(key_equal(&back, &next));
	assert_int_equal(
		store_key_read(f->store, STORE_KEY_BACKBONE_PENDING, &back, f->why), -ENOENT);
	assert_int_equal(store_key_remove(f->store, STORE_KEY_BACKBONE), 0);
	assert_int_equal(store_key_remove(f->store, STORE_KEY_BACKBONE), 0);
	assert_int_equal(store_key_read(f->store, STORE_KEY_BACKBONE, &back, f->why), -ENOENT);
	assert_int_equal(store_key_promote(f->store, STORE_KEY_IDENTITY), -EINVAL);
}

static int compare_row(const struct store_row *row, void *context)
{
	struct store *other = context;
	struct store_value value;

	assert_int_equal(
		store_read(other, row->table, row->kind, row->key, row->key_size, &value), 0);
	assert_true(value.version == row->version);
	assert_int_equal(value.size, row->size);
	assert_memory_equal(value.bytes, row->bytes, row->size);
	return 0;
}

static int count_row(const struct store_row *row, void *context)
{
	(void)row;
	++*(unsigned *)context;
	return 0;
}

/* Draws a change of random rows. The memory they point to is static. */
static size_t draw_change(struct prng *prng, struct store_row rows[static 4])
{
	static char keys[4][4];
	static char bytes[4][50];
	size_t count = 1 + (size_t)prng_below(prng, 4);

	for (size_t i = 0; i < count; i++) {
		prng_bytes(prng, keys[i], sizeof keys[i]);
		for (size_t k = 0; k < sizeof keys[i]; k++)
			keys[i][k] &= 1;
		prng_bytes(prng, bytes[i], sizeof bytes[i]);
		rows[i] = (struct store_row){
			.table = (enum store_table)prng_below(prng, STORE_EVENT),
			.kind = (uint8_t)prng_below(prng, 2),
			.key_size = (uint8_t)(1 + prng_below(prng, 4)),
			.key = keys[i],
			.version = prng_below(prng, 100),
			.bytes = bytes[i],
			.size = (unsigned)prng_below(prng, sizeof bytes[i]),
			.remove = prng_below(prng, 3) == 0,
		};
		/* Floors stay. */
		if (rows[i].table == STORE_FLOOR)
			rows[i].remove = false;
	}
	return count;
}

TEST(store_twins_agree_on_random_histories)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {5};
	struct fixture *f = *state;
	struct store *twin;
	struct prng prng;

	assert_int_equal(store_open_memory(&twin), 0);
	prng_init(&prng, seed);
	for (int step = 0; step < 400; step++) {
		struct store_row rows[4];
		size_t count = draw_change(&prng, rows);

		assert_int_equal(store_write(f->store, rows, count), 0);
		assert_int_equal(store_write(twin, rows, count), 0);
	}
	reopen(f);
	for (int table = 0; table < STORE_TABLES; table++) {
		unsigned ours = 0;
		unsigned theirs = 0;

		assert_int_equal(store_walk(f->store, table, compare_row, twin), 0);
		assert_int_equal(store_walk(f->store, table, count_row, &ours), 0);
		assert_int_equal(store_walk(twin, table, count_row, &theirs), 0);
		assert_int_equal(ours, theirs);
		assert_true(ours > 0 || table == STORE_EVENT);
	}
	store_close(twin);
}

/* A case for each make of store. */
#define BOTH(name)                                                      \
	{#name " (memory)", name, set_up_memory, tear_down, NULL},      \
	{                                                               \
#name " (sqlite)", name, set_up_sqlite, tear_down, NULL \
	}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		BOTH(store_keeps_what_was_written),
		BOTH(store_change_is_all_or_nothing),
		BOTH(store_takes_the_largest_row_and_the_largest_change),
		BOTH(store_floor_never_falls),
		BOTH(store_walks_in_order_and_stops_when_told),
		BOTH(store_history_is_bounded_and_in_order),
		BOTH(store_private_keys),
		BOTH(store_twins_agree_on_random_histories),
	};

	return RUN(cases);
}

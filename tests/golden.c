/* SPDX-License-Identifier: MIT */
#include "tests/golden.h"

#include <errno.h>
#include <string.h>

#include "tests/test.h"

static const struct key identity = {{1, 'i', 'd'}};
static const struct key pending = {{2, 'p', 'e', 'n', 'd'}};

static const struct store_row rows[] = {
	{.table = STORE_SETTING,
		.key = "supernet",
		.key_size = 8,
		.bytes = "10.100.0.0/16",
		.size = 13},
	{.table = STORE_FACT,
		.kind = 1,
		.key = "one",
		.key_size = 3,
		.version = 7,
		.bytes = "a",
		.size = 1},
	{.table = STORE_FACT,
		.kind = 2,
		.key = "one",
		.key_size = 3,
		.version = INT64_MAX,
		.bytes = "",
		.size = 0},
	{.table = STORE_PRESHARED, .key = "peer", .key_size = 4, .bytes = "secret", .size = 6},
	{.table = STORE_INVITE,
		.key = "alex",
		.key_size = 4,
		.version = 5,
		.bytes = "sealed",
		.size = 6},
	{.table = STORE_ENDPOINT,
		.key = "hub",
		.key_size = 3,
		.version = 1000,
		.bytes = "where",
		.size = 5},
	{.table = STORE_FLOOR,
		.key = "sequence",
		.key_size = 8,
		.version = 123456789,
		.bytes = "",
		.size = 0},
	{.table = STORE_EVENT, .version = 2000, .bytes = "founded", .size = 7},
};

int golden_fill(struct store *store)
{
	int r = store_write(store, rows, COUNT(rows));

	if (r == 0)
		r = store_key_write(store, STORE_KEY_IDENTITY, &identity);
	if (r == 0)
		r = store_key_write(store, STORE_KEY_LINKS_PENDING, &pending);
	return r;
}

static int expect_event(const struct store_row *row, void *context)
{
	assert_true(row->version == 2000);
	assert_int_equal(row->size, 7);
	assert_memory_equal(row->bytes, "founded", 7);
	++*(int *)context;
	return 0;
}

void golden_expect(struct store *store)
{
	char why[STORE_WHY_SIZE];
	struct store_value value;
	struct key key;
	int events = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct store_row *row = &rows[i];

		if (row->table == STORE_EVENT)
			continue;
		assert_int_equal(
			store_read(store, row->table, row->kind, row->key, row->key_size, &value),
			0);
		assert_true(value.version == row->version);
		assert_int_equal(value.size, row->size);
		assert_memory_equal(value.bytes, row->bytes, row->size);
	}
	assert_int_equal(store_walk(store, STORE_EVENT, expect_event, &events), 0);
	assert_int_equal(events, 1);
	assert_int_equal(store_key_read(store, STORE_KEY_IDENTITY, &key, why), 0);
	assert_true(key_equal(&key, &identity));
	assert_int_equal(store_key_read(store, STORE_KEY_LINKS_PENDING, &key, why), 0);
	assert_true(key_equal(&key, &pending));
	assert_int_equal(store_key_read(store, STORE_KEY_BACKBONE, &key, why), -ENOENT);
}

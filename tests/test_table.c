/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdbool.h>
#include <string.h>

#include "base/prng.h"
#include "base/table.h"

#define CAPACITY 32

struct item {
	uint32_t before;
	uint8_t key[2];
	uint32_t value;
};

struct fixture {
	struct table table;
	struct item items[CAPACITY];
	uint32_t order[CAPACITY];
};

static void init(struct fixture *f)
{
	table_init(&f->table, f->items, f->order, CAPACITY, sizeof(struct item),
		offsetof(struct item, key), sizeof f->items[0].key);
}

TEST(table_walks_in_key_order_and_full_is_an_outcome)
{
	struct fixture f;

	(void)state;
	init(&f);
	for (unsigned i = 0; i < CAPACITY; i++) {
		uint8_t key[2] = {(uint8_t)(i * 37 % CAPACITY), (uint8_t)i};

		assert_non_null(table_add(&f.table, key));
	}
	assert_null(table_add(&f.table, (uint8_t[2]){255, 255}));
	for (uint32_t i = 1; i < f.table.count; i++) {
		const struct item *a = table_at(&f.table, i - 1);
		const struct item *b = table_at(&f.table, i);

		assert_true(memcmp(a->key, b->key, 2) < 0);
	}
}

TEST(table_items_keep_their_place)
{
	struct fixture f;
	struct item *kept;

	(void)state;
	init(&f);
	kept = table_add(&f.table, (uint8_t[2]){100, 0});
	kept->value = 7;
	for (uint8_t i = 0; i < CAPACITY - 1; i++)
		assert_non_null(table_add(&f.table, (uint8_t[2]){(uint8_t)(i * 8), 1}));
	while (f.table.count > 1) {
		uint32_t last = f.table.count - 1;

		table_remove(&f.table, table_at(&f.table, last) == kept ? last - 1 : last);
	}
	assert_ptr_equal(table_find(&f.table, (uint8_t[2]){100, 0}), kept);
	assert_int_equal(kept->value, 7);
}

TEST(table_wipes_what_it_removes)
{
	struct fixture f;
	struct item *item;

	(void)state;
	init(&f);
	item = table_add(&f.table, (uint8_t[2]){1, 2});
	item->value = 0xdeadbeef;
	table_remove(&f.table, 0);
	assert_int_equal(item->value, 0);
	item = table_add(&f.table, (uint8_t[2]){1, 3});
	assert_int_equal(item->value, 0);
	assert_int_equal(item->key[1], 3);
}

TEST(table_agrees_with_a_plain_array)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {3};
	bool present[64] = {false};
	struct fixture f;
	struct prng prng;
	uint32_t count = 0;

	(void)state;
	init(&f);
	prng_init(&prng, seed);
	for (int step = 0; step < 20000; step++) {
		uint8_t number = (uint8_t)prng_below(&prng, COUNT(present));
		uint8_t key[2] = {number, 0};
		uint32_t position = table_lower_bound(&f.table, key);
		uint32_t below = 0;

		for (uint8_t i = 0; i < number; i++)
			below += present[i];
		assert_int_equal(position, below);
		assert_int_equal(table_find(&f.table, key) != NULL, present[number]);
		if (present[number]) {
			table_remove(&f.table, position);
			present[number] = false;
			count--;
		} else if (table_add(&f.table, key)) {
			present[number] = true;
			count++;
		} else {
			assert_int_equal(count, CAPACITY);
		}
		assert_int_equal(f.table.count, count);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(table_walks_in_key_order_and_full_is_an_outcome),
		CASE(table_items_keep_their_place),
		CASE(table_wipes_what_it_removes),
		CASE(table_agrees_with_a_plain_array),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void table_init(struct table *table, void *items, uint32_t *order, uint32_t capacity,
	size_t item_size, size_t key_offset, size_t key_size)
{
	assert(key_size > 0 && key_offset + key_size <= item_size);

	*table = (struct table){
		.items = items,
		.order = order,
		.item_size = item_size,
		.key_offset = key_offset,
		.key_size = key_size,
		.capacity = capacity,
	};
	for (uint32_t i = 0; i < capacity; i++)
		order[i] = i;
}

void *table_at(const struct table *table, uint32_t position)
{
	assert(position < table->count);
	return table->items + (size_t)table->order[position] * table->item_size;
}

static int compare_at(const struct table *table, uint32_t position, const void *key)
{
	const uint8_t *item = table_at(table, position);

	return memcmp(item + table->key_offset, key, table->key_size);
}

uint32_t table_lower_bound(const struct table *table, const void *key)
{
	uint32_t low = 0;
	uint32_t high = table->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (compare_at(table, middle, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *table_find(const struct table *table, const void *key)
{
	uint32_t position = table_lower_bound(table, key);

	if (position == table->count || compare_at(table, position, key) != 0)
		return NULL;
	return table_at(table, position);
}

void *table_add(struct table *table, const void *key)
{
	uint32_t position = table_lower_bound(table, key);

	if (table->count == table->capacity)
		return NULL;
	assert(position == table->count || compare_at(table, position, key) != 0);

	uint32_t place = table->order[table->count];

	memmove(table->order + position + 1, table->order + position,
		(table->count - position) * sizeof *table->order);
	table->order[position] = place;
	table->count++;

	uint8_t *item = table_at(table, position);

	memset(item, 0, table->item_size);
	memcpy(item + table->key_offset, key, table->key_size);
	return item;
}

void table_remove(struct table *table, uint32_t position)
{
	uint32_t place;

	/* Some items hold secrets; wiping all of them is cheap. */
	sodium_memzero(table_at(table, position), table->item_size);
	place = table->order[position];
	memmove(table->order + position, table->order + position + 1,
		(table->count - position - 1) * sizeof *table->order);
	table->count--;
	table->order[table->count] = place;
}

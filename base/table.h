/* SPDX-License-Identifier: MIT */
/*
 * table.h - a sorted table of fixed capacity over memory that the caller owns.
 *
 * Items keep their place for as long as they live, so pointers to them stay valid. They are found
 * by key in O(log n) and walked in key order, which is the same on every machine. Full is an
 * outcome, not a fault. No allocation.
 *
 * Walking while removing: go from the last position to the first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table {
	uint8_t *items;
	uint32_t *order; /* [0, count): places by key; [count, capacity): places that are free */
	size_t item_size;
	size_t key_offset;
	size_t key_size;
	uint32_t count;
	uint32_t capacity;
};

/*
 * Prepares an empty table over items[capacity] and order[capacity]. The key is key_size bytes at
 * key_offset in each item, compared as bytes; it does not change while the item is in the table.
 */
void table_init(struct table *table, void *items, uint32_t *order, uint32_t capacity,
	size_t item_size, size_t key_offset, size_t key_size);

/* The item with this key, or NULL. */
void *table_find(const struct table *table, const void *key);

/* Adds an item, zero but for its key, that is not there yet. Returns NULL when the table is full.
 */
void *table_add(struct table *table, const void *key);

/* Removes the item at this position; its memory is wiped. */
void table_remove(struct table *table, uint32_t position);

/* The item at this position in key order; position is below the count. */
void *table_at(const struct table *table, uint32_t position);

/* The position of the first item whose key is not less; the count when there is none. */
uint32_t table_lower_bound(const struct table *table, const void *key);

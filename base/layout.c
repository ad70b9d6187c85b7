/* SPDX-License-Identifier: MIT */
#include "base/layout.h"

void *layout_part(struct layout *layout, size_t size)
{
	uint8_t *at = layout->memory ? layout->memory + layout->used : NULL;

	layout->used += (size + LAYOUT_ALIGNMENT - 1) / LAYOUT_ALIGNMENT * LAYOUT_ALIGNMENT;
	return at;
}

void layout_table(struct layout *layout, struct table *table, uint32_t capacity, size_t item_size,
	size_t key_offset, size_t key_size)
{
	void *items = layout_part(layout, capacity * item_size);
	uint32_t *order = layout_part(layout, capacity * sizeof *order);

	if (layout->memory)
		table_init(table, items, order, capacity, item_size, key_offset, key_size);
}

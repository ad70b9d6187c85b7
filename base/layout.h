/* SPDX-License-Identifier: MIT */
/*
 * layout.h - one block of memory, laid out in parts. With no memory it only measures, so what is
 * measured and what is laid out cannot differ.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/table.h"

#define LAYOUT_ALIGNMENT 16

struct layout {
	uint8_t *memory; /* aligned; NULL: measures */
	size_t used;
};

/* The next part; NULL where nothing but the size matters. */
void *layout_part(struct layout *layout, size_t size);

/* Makes a table of the next parts; where only the size matters it is left as it is. */
void layout_table(struct layout *layout, struct table *table, uint32_t capacity, size_t item_size,
	size_t key_offset, size_t key_size);

/* SPDX-License-Identifier: MIT */
#include "agent/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define FIRST 16

void *memory_zeroed(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory) {
		(void)fputs("collective: no memory is left\n", stderr);
		exit(EXIT_FAILURE);
	}
	return memory;
}

void *memory_grown(void *items, uint32_t *capacity, uint32_t count, size_t size)
{
	uint32_t larger = *capacity ? 2 * *capacity : FIRST;
	void *memory;

	if (count <= *capacity)
		return items;
	if (larger < count)
		larger = count;
	memory = memory_zeroed(larger, size);
	if (items) {
		memcpy(memory, items, *capacity * size);
		sodium_memzero(items, *capacity * size);
		free(items);
	}
	*capacity = larger;
	return memory;
}

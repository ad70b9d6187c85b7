/* SPDX-License-Identifier: MIT */
#include "simulator/heap.h"

#include <assert.h>
#include <stdlib.h>

static bool is_before(const struct heap_item *a, const struct heap_item *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

void heap_push(struct heap *heap, usec_t at, uint32_t kind, uint32_t host, void *data)
{
	struct heap_item item = {at, heap->number++, kind, host, data};
	size_t i = heap->count;

	if (heap->count == heap->capacity) {
		heap->capacity = heap->capacity ? 2 * heap->capacity : 1024;
		heap->items = realloc(heap->items, heap->capacity * sizeof item);
		assert(heap->items);
	}
	heap->count++;
	for (; i > 0 && is_before(&item, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
		heap->items[i] = heap->items[(i - 1) / 2];
	heap->items[i] = item;
}

struct heap_item heap_pop(struct heap *heap)
{
	struct heap_item first;
	struct heap_item last;
	size_t i = 0;

	assert(heap->count > 0);
	first = heap->items[0];
	last = heap->items[--heap->count];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
			is_before(&heap->items[child + 1], &heap->items[child]))
			child++;
		if (!is_before(&heap->items[child], &last))
			break;
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i] = last;
	return first;
}

void heap_free(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){.items = NULL};
}

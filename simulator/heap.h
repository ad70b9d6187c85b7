/* SPDX-License-Identifier: MIT */
/*
 * heap.h - what is to happen, in the order of time; of things at one time the earlier planned comes
 * first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/usec.h"

struct heap_item {
	usec_t at;
	uint64_t number;
	uint32_t kind;
	uint32_t host;
	void *data;
};

struct heap {
	struct heap_item *items;
	size_t count;
	size_t capacity;
	uint64_t number;
};

void heap_push(struct heap *heap, usec_t at, uint32_t kind, uint32_t host, void *data);

/* The first item; the heap is not empty. */
struct heap_item heap_pop(struct heap *heap);

void heap_free(struct heap *heap);

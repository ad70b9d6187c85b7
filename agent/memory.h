/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory of the agent. There is none left: the process ends with a sentence.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for count items; freed by free(). */
void *memory_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/*
 * An array with room for count items at least: the same, or a larger one in its place, which holds
 * what it held. What was left behind is overwritten, since it may have been secret.
 */
void *memory_grown(void *items, uint32_t *capacity, uint32_t count, size_t size);

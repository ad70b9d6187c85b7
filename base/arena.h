/* SPDX-License-Identifier: MIT */
/*
 * arena.h - byte strings of many sizes in memory of one fixed size.
 *
 * What is freed leaves a gap; the gaps are closed when room runs out. A string is known by its
 * handle. A pointer to it is good until the next arena_put(). Full is an outcome.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_NONE 0
#define ARENA_HEAD_SIZE 8 /* that every string costs besides its bytes */

struct arena {
	uint8_t *bytes;
	uint32_t size;
	uint32_t used;    /* strings and gaps lie below */
	uint32_t live;    /* strings alone, with their heads */
	uint32_t *places; /* by handle; of a free handle: the next free one */
	uint32_t handles;
	uint32_t free_handle;
};

/*
 * Prepares an empty arena over bytes[size], whose start is aligned to 8, and places[handles], of
 * which the first is not used.
 */
void arena_init(
	struct arena *arena, void *bytes, uint32_t size, uint32_t *places, uint32_t handles);

/* Keeps a copy. Returns its handle, or ARENA_NONE when there is no room. The bytes are not inside.
 */
uint32_t arena_put(struct arena *arena, const void *bytes, uint16_t size);

/*
 * Puts a copy in the place of another string, or of none. Returns false when there is no room for
 * it even without the other; then all is as it was.
 */
bool arena_replace(struct arena *arena, uint32_t *handle, const void *bytes, uint16_t size);

/* The string of a handle. */
const uint8_t *arena_get(const struct arena *arena, uint32_t handle, size_t *size);

/* Frees a string; ARENA_NONE is fine. */
void arena_free(struct arena *arena, uint32_t handle);

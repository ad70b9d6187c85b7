/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <assert.h>
#include <string.h>

/* Stands in front of every string. */
struct head {
	uint32_t handle; /* ARENA_NONE: a gap */
	uint16_t size;   /* of the string */
	uint16_t unused;
};

_Static_assert(sizeof(struct head) == ARENA_HEAD_SIZE, "the head is 8 bytes");

/* Heads stay aligned. */
static uint32_t space_of(uint16_t size)
{
	return ARENA_HEAD_SIZE + ((uint32_t)size + 7) / 8 * 8;
}

static struct head read_head(const struct arena *arena, uint32_t place)
{
	struct head head;

	memcpy(&head, arena->bytes + place, sizeof head);
	return head;
}

static void write_head(struct arena *arena, uint32_t place, struct head head)
{
	memcpy(arena->bytes + place, &head, sizeof head);
}

void arena_init(struct arena *arena, void *bytes, uint32_t size, uint32_t *places, uint32_t handles)
{
	assert(handles > 1);
	*arena = (struct arena){
		.bytes = bytes,
		.size = size / 8 * 8,
		.places = places,
		.handles = handles,
		.free_handle = 1,
	};
	for (uint32_t i = 1; i < handles; i++)
		places[i] = i + 1 < handles ? i + 1 : ARENA_NONE;
}

static void close_gaps(struct arena *arena)
{
	uint32_t to = 0;

	for (uint32_t from = 0; from < arena->used;) {
		struct head head = read_head(arena, from);
		uint32_t space = space_of(head.size);

		if (head.handle != ARENA_NONE) {
			memmove(arena->bytes + to, arena->bytes + from, space);
			arena->places[head.handle] = to;
			to += space;
		}
		from += space;
	}
	arena->used = to;
	assert(arena->used == arena->live);
}

uint32_t arena_put(struct arena *arena, const void *bytes, uint16_t size)
{
	uint32_t handle = arena->free_handle;
	uint32_t space = space_of(size);

	if (handle == ARENA_NONE || space > arena->size - arena->live)
		return ARENA_NONE;
	if (space > arena->size - arena->used)
		close_gaps(arena);
	arena->free_handle = arena->places[handle];
	arena->places[handle] = arena->used;
	write_head(arena, arena->used, (struct head){.handle = handle, .size = size});
	memcpy(arena->bytes + arena->used + ARENA_HEAD_SIZE, bytes, size);
	arena->used += space;
	arena->live += space;
	return handle;
}

const uint8_t *arena_get(const struct arena *arena, uint32_t handle, size_t *size)
{
	assert(handle != ARENA_NONE && handle < arena->handles);

	uint32_t place = arena->places[handle];
	struct head head = read_head(arena, place);

	assert(head.handle == handle);
	*size = head.size;
	return arena->bytes + place + ARENA_HEAD_SIZE;
}

void arena_free(struct arena *arena, uint32_t handle)
{
	if (handle == ARENA_NONE)
		return;
	assert(handle < arena->handles);

	uint32_t place = arena->places[handle];
	struct head head = read_head(arena, place);

	assert(head.handle == handle);
	arena->live -= space_of(head.size);
	head.handle = ARENA_NONE;
	write_head(arena, place, head);
	arena->places[handle] = arena->free_handle;
	arena->free_handle = handle;
}

bool arena_replace(struct arena *arena, uint32_t *handle, const void *bytes, uint16_t size)
{
	uint32_t fresh = arena_put(arena, bytes, size);
	uint32_t space = 0;
	size_t old_size;

	if (fresh == ARENA_NONE && *handle != ARENA_NONE) {
		/* There is no room for both: the old one goes first if that is enough. */
		(void)arena_get(arena, *handle, &old_size);
		space = space_of((uint16_t)old_size);
		if (space_of(size) > arena->size - arena->live + space)
			return false;
		arena_free(arena, *handle);
		*handle = arena_put(arena, bytes, size);
		assert(*handle != ARENA_NONE);
		return true;
	}
	if (fresh == ARENA_NONE)
		return false;
	arena_free(arena, *handle);
	*handle = fresh;
	return true;
}

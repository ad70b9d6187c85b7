/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/prng.h"

#define HANDLES 40
#define SIZE 2048

static _Alignas(8) uint8_t memory[SIZE];
static uint32_t places[HANDLES];
static struct arena arena;

static void begin(void)
{
	arena_init(&arena, memory, SIZE, places, HANDLES);
}

TEST(arena_full_is_an_outcome)
{
	uint8_t bytes[1000] = {1};
	uint32_t first;
	uint32_t second;
	size_t size;

	(void)state;
	begin();
	first = arena_put(&arena, bytes, 1000);
	second = arena_put(&arena, bytes, 1000);
	assert_true(first != ARENA_NONE && second != ARENA_NONE);
	assert_int_equal(arena_put(&arena, bytes, 100), ARENA_NONE);
	arena_free(&arena, first);
	arena_free(&arena, ARENA_NONE);
	/* The gap is in front: what is behind it moves. */
	assert_int_not_equal(arena_put(&arena, bytes, 900), ARENA_NONE);
	assert_non_null(arena_get(&arena, second, &size));
	assert_int_equal(size, 1000);
	/* Handles can run out before bytes do. */
	begin();
	for (int i = 1; i < HANDLES; i++)
		assert_int_not_equal(arena_put(&arena, bytes, 0), ARENA_NONE);
	assert_int_equal(arena_put(&arena, bytes, 0), ARENA_NONE);
}

TEST(arena_replaces_when_there_is_no_room_for_both)
{
	uint8_t bytes[1100];
	uint32_t a = ARENA_NONE;
	uint32_t b;
	size_t size;

	(void)state;
	begin();
	memset(bytes, 1, sizeof bytes);
	assert_true(arena_replace(&arena, &a, bytes, 1000));
	b = arena_put(&arena, bytes, 900);
	memset(bytes, 2, sizeof bytes);
	assert_true(arena_replace(&arena, &a, bytes, 1100));
	assert_int_equal(arena_get(&arena, a, &size)[1099], 2);
	assert_int_equal(size, 1100);
	assert_int_equal(arena_get(&arena, b, &size)[899], 1);
	/* Too large even so: the old one stays. */
	assert_false(arena_replace(&arena, &b, bytes, 1000));
	assert_int_equal(arena_get(&arena, b, &size)[899], 1);
	assert_int_equal(size, 900);
}

TEST(arena_keeps_strings_through_any_history)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {9};
	static uint8_t copies[HANDLES][300];
	static uint16_t sizes[HANDLES];
	bool live[HANDLES] = {false};
	struct prng prng;
	unsigned full = 0;

	(void)state;
	begin();
	prng_init(&prng, seed);
	for (int step = 0; step < 20000; step++) {
		uint32_t handle = 1 + (uint32_t)prng_below(&prng, HANDLES - 1);
		uint8_t bytes[300];
		uint16_t size = (uint16_t)prng_below(&prng, sizeof bytes + 1);

		if (live[handle] && prng_below(&prng, 2)) {
			arena_free(&arena, handle);
			live[handle] = false;
			continue;
		}
		prng_bytes(&prng, bytes, size);
		handle = arena_put(&arena, bytes, size);
		if (handle == ARENA_NONE) {
			full++;
			continue;
		}
		assert_false(live[handle]);
		live[handle] = true;
		sizes[handle] = size;
		memcpy(copies[handle], bytes, size);
		for (uint32_t i = 1; i < HANDLES; i++) {
			size_t found;
			const uint8_t *at;

			if (!live[i])
				continue;
			at = arena_get(&arena, i, &found);
			assert_int_equal(found, sizes[i]);
			assert_memory_equal(at, copies[i], found);
		}
	}
	assert_true(full > 100);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(arena_full_is_an_outcome),
		CASE(arena_replaces_when_there_is_no_room_for_both),
		CASE(arena_keeps_strings_through_any_history),
	};

	return RUN(cases);
}

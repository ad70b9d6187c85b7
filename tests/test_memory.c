/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/memory.h"

TEST(memory_is_zero)
{
	uint64_t *items = memory_zeroed(1000, sizeof *items);

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		assert_true(items[i] == 0);
	free(items);
}

TEST(array_grows_and_keeps_what_it_holds)
{
	uint32_t capacity = 0;
	uint32_t moves = 0;
	uint64_t *items = NULL;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t before = capacity;

		items = memory_grown(items, &capacity, i + 1, sizeof *items);
		assert_true(capacity >= i + 1);
		moves += capacity != before;
		/* What is new is zero. */
		assert_true(items[i] == 0);
		items[i] = i ^ 0x5a5a;
	}
	for (uint32_t i = 0; i < 100000; i++)
		assert_true(items[i] == (i ^ 0x5a5a));
	/* Twice as large each time, or it would be slow. */
	assert_true(moves < 20);
	free(items);
}

TEST(array_that_is_large_enough_stays)
{
	uint32_t capacity = 0;
	char *items = memory_grown(NULL, &capacity, 1, 1);
	char *same = memory_grown(items, &capacity, capacity, 1);

	(void)state;
	assert_ptr_equal(same, items);
	assert_ptr_equal(memory_grown(items, &capacity, 0, 1), items);
	free(items);
}

TEST(array_grows_to_any_count_at_once)
{
	uint32_t capacity = 0;
	char *items = memory_grown(NULL, &capacity, 5000, 3);

	(void)state;
	assert_true(capacity >= 5000);
	items[14999] = 1;
	free(items);
	/* Nothing at all needs nothing. */
	capacity = 0;
	assert_null(memory_grown(NULL, &capacity, 0, 3));
}

/* By its name, since what runs may be something that looks on. */
static const char *program;

TEST(without_memory_the_process_ends_with_a_sentence)
{
	char said[1024] = "";
	size_t length = 0;
	ssize_t size;
	int status = 0;
	int ends[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		/* The sanitizers, which look at this when a program begins, have words of their
		 * own.
		 */
		(void)setenv("ASAN_OPTIONS", "allocator_may_return_null=1", 1);
		(void)execl(program, "test_memory", "exhaust", NULL);
		_exit(99);
	}
	(void)close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
	while ((size = read(ends[0], said + length, sizeof said - 1 - length)) > 0)
		length += (size_t)size;
	(void)close(ends[0]);
	assert_non_null(strstr(said, "collective: no memory is left\n"));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		CASE(memory_is_zero),
		CASE(array_grows_and_keeps_what_it_holds),
		CASE(array_that_is_large_enough_stays),
		CASE(array_grows_to_any_count_at_once),
		CASE(without_memory_the_process_ends_with_a_sentence),
	};

	program = argv[0];

	/* More than there are addresses for, whatever their size. */
	if (argc == 2 && strcmp(argv[1], "exhaust") == 0) {
		free(memory_zeroed(SIZE_MAX / 4, 3));
		return EXIT_SUCCESS;
	}
	return RUN(cases);
}

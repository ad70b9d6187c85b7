/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/files.h"
#include "tests/vectors.h"

TEST(vectors_are_still_the_ones_that_were_published)
{
	const char *source = getenv("SOURCE");
	char directory[FILES_PATH_SIZE];
	char *made = NULL;
	char *published;
	size_t size;
	FILE *file;

	(void)state;
	assert_non_null(source);
	(void)snprintf(directory, sizeof directory, "%s/tests/vectors", source);
	published = files_read(directory, "vectors.txt", &size);
	file = open_memstream(&made, &size);
	assert_non_null(file);
	vectors_print(file);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(made, published);
	free(made);
	free(published);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(vectors_are_still_the_ones_that_were_published),
	};

	return RUN(cases);
}

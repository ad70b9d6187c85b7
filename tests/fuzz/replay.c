/* SPDX-License-Identifier: MIT */
/*
 * replay.c - hands every file of a directory to a harness: REPLAY DIRECTORY LEAST. At least LEAST
 * files must be there, so that a corpus that was lost does not pass.
 */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (2 * 1024 * 1024)

static bool replay_file(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *bytes;
	size_t size;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "re");
	bytes = malloc(INPUT_MAX);
	if (!file || !bytes) {
		(void)printf("# %s cannot be read\n", path);
		free(bytes);
		if (file)
			(void)fclose(file);
		return false;
	}
	size = fread(bytes, 1, INPUT_MAX, file);
	(void)fclose(file);

	/* A block of exactly this size, so that reading beyond it is seen. */
	uint8_t *exact = malloc(size ? size : 1);

	if (exact) {
		memcpy(exact, bytes, size);
		(void)LLVMFuzzerTestOneInput(exact, size);
	}
	free(exact);
	free(bytes);
	return exact != NULL;
}

int main(int argc, char **argv)
{
	long least = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	DIR *dir = argc == 3 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	bool good = true;
	long count = 0;

	if (!dir) {
		(void)fprintf(stderr, "usage: replay DIRECTORY LEAST\n");
		return 2;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		good = replay_file(argv[1], entry->d_name) && good;
		count++;
	}
	(void)closedir(dir);
	good = good && count >= least;
	(void)printf(
		"1..1\n%sok 1 - %ld inputs of at least %ld\n", good ? "" : "not ", count, least);
	return good ? 0 : 1;
}

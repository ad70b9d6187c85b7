/* SPDX-License-Identifier: MIT */
#include "tests/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

void files_make(char out[static FILES_PATH_SIZE])
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(
		out, FILES_PATH_SIZE, "%s/collective-test-XXXXXX", base && base[0] ? base : "/tmp");
	assert_non_null(mkdtemp(out));
}

static void remove_in(const char *directory, int depth)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		char path[2 * FILES_PATH_SIZE];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		if (unlink(path) < 0 && depth > 0)
			remove_in(path, depth - 1);
	}
	(void)closedir(dir);
	(void)rmdir(directory);
}

void files_remove(const char *directory)
{
	remove_in(directory, 1);
}

char *files_read(const char *directory, const char *name, size_t *size)
{
	char path[2 * FILES_PATH_SIZE];
	struct stat status;
	char *bytes;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	bytes = malloc((size_t)status.st_size + 1);
	assert_non_null(bytes);
	*size = fread(bytes, 1, (size_t)status.st_size, file);
	assert_int_equal(*size, status.st_size);
	bytes[*size] = '\0';
	(void)fclose(file);
	return bytes;
}

void files_write(const char *directory, const char *name, const void *bytes, size_t size)
{
	char path[2 * FILES_PATH_SIZE];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(close(fd), 0);
}

bool files_exist(const char *directory, const char *name)
{
	char path[2 * FILES_PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

int files_setting(const char *name, int fallback)
{
	const char *text = getenv(name);

	return text && text[0] ? (int)strtol(text, NULL, 10) : fallback;
}

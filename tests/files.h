/* SPDX-License-Identifier: MIT */
/*
 * files.h - directories and files that a test makes and takes away again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FILES_PATH_SIZE 256

/* A new private directory; the test fails when there is none to be had. */
void files_make(char out[static FILES_PATH_SIZE]);

/* Removes a directory and what is in it, two levels deep. */
void files_remove(const char *directory);

/* Reads a whole file into memory that the caller frees. */
char *files_read(const char *directory, const char *name, size_t *size);

/* Writes a whole file, mode 0600. */
void files_write(const char *directory, const char *name, const void *bytes, size_t size);

bool files_exist(const char *directory, const char *name);

/* A number from the environment, or the fallback. */
int files_setting(const char *name, int fallback);

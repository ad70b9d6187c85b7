/* SPDX-License-Identifier: MIT */
/*
 * problem.h - what is wrong in a file, with its place, collected so that all of it is said at once.
 */
#pragma once

#include <stdint.h>

#define PROBLEMS_MAX 100
#define PROBLEM_TEXT_SIZE 320

struct problem {
	uint32_t line;   /* from 1; 0 for the file as a whole */
	uint32_t column; /* from 1, in characters */
	char text[PROBLEM_TEXT_SIZE];
};

struct problems {
	uint32_t count;   /* in items */
	uint32_t dropped; /* more than fit */
	struct problem items[PROBLEMS_MAX];
};

/* Adds a problem. One with the same place and text is not added twice. */
void problems_add(struct problems *problems, uint32_t line, uint32_t column, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* Sorts by place in the file. */
void problems_sort(struct problems *problems);

/* SPDX-License-Identifier: MIT */
#include "config/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void problems_add(
	struct problems *problems, uint32_t line, uint32_t column, const char *format, ...)
{
	struct problem problem = {.line = line, .column = column};
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(problem.text, sizeof problem.text, format, arguments);
	va_end(arguments);

	for (uint32_t i = 0; i < problems->count; i++) {
		const struct problem *other = &problems->items[i];

		if (other->line == line && other->column == column &&
			strcmp(other->text, problem.text) == 0)
			return;
	}
	if (problems->count == PROBLEMS_MAX) {
		problems->dropped++;
		return;
	}
	problems->items[problems->count++] = problem;
}

static int by_place(const void *a, const void *b)
{
	const struct problem *x = a;
	const struct problem *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void problems_sort(struct problems *problems)
{
	qsort(problems->items, problems->count, sizeof problems->items[0], by_place);
}

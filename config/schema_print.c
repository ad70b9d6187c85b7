/* SPDX-License-Identifier: MIT */
/*
 * schema_print.c - the table of keys as people read it. A failed write shows when the caller
 * flushes.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/schema.h"

static void print_indent(FILE *out, int depth)
{
	(void)fprintf(out, "%*s", 2 * depth, "");
}

/* Writes each line of a text behind a lead. */
static void print_lines(FILE *out, int depth, const char *lead, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		print_indent(out, depth);
		(void)fprintf(out, "%s%.*s\n", lead, (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/* Opens the sections of a path that the path before it was not in. Returns how deep the key is. */
static int print_sections(FILE *out, const char *path, const char *before)
{
	bool same = true;
	int depth = 0;

	for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
		size_t upto = (size_t)(dot - path) + 1;
		const char *start = dot;

		if (!before || strncmp(path, before, upto) != 0)
			same = false;
		if (!same) {
			while (start > path && start[-1] != '.')
				start--;
			print_indent(out, depth);
			(void)fprintf(out, "%.*s:\n", (int)(dot - start), start);
		}
		depth++;
	}
	return depth;
}

void schema_print_example(FILE *out)
{
	const char *before = NULL;

	(void)fputs("# Configuration of this site's collective agent.\n"
		    "#\n"
		    "# Every key is optional. To set one, remove the \"#\" in front of it.\n"
		    "# Check the result with: collective config check\n",
		out);
	for (size_t i = 0; i < schema_key_count; i++) {
		const struct schema_key *key = &schema_keys[i];
		const char *leaf = strrchr(key->path, '.');
		char allowed[SCHEMA_ALLOWED_SIZE];
		int depth;

		(void)fputc('\n', out);
		depth = print_sections(out, key->path, before);
		before = key->path;
		schema_allowed(key, allowed);
		print_lines(out, depth, "# ", key->help);
		print_indent(out, depth);
		(void)fprintf(out, "# Allowed: %s.", allowed);
		if (key->fallback[0])
			(void)fprintf(out, " Default: %s.", key->fallback);
		(void)fputc('\n', out);
		print_indent(out, depth);
		(void)fprintf(out, "#%s: %s\n", leaf ? leaf + 1 : key->path,
			key->sample ? key->sample : key->fallback);
	}
}

/* scdoc gives a meaning to these characters. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\#[]<>~", *text))
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
}

void schema_print_manual(FILE *out)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		const struct schema_key *key = &schema_keys[i];
		char allowed[SCHEMA_ALLOWED_SIZE];
		const char *line = key->help;

		schema_allowed(key, allowed);
		(void)fputc('*', out);
		print_escaped(out, key->path);
		(void)fputs("*\n", out);
		while (*line) {
			size_t length = strcspn(line, "\n");
			char copy[128];

			(void)snprintf(copy, sizeof copy, "%.*s", (int)length, line);
			(void)fputc('\t', out);
			print_escaped(out, copy);
			(void)fputc('\n', out);
			line += length + (line[length] == '\n');
		}
		(void)fputs("\n\tAllowed: ", out);
		print_escaped(out, allowed);
		(void)fputs(". Default: ", out);
		print_escaped(out, key->fallback[0] ? key->fallback : "none");
		(void)fputs(".\n\n", out);
	}
}

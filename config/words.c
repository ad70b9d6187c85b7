/* SPDX-License-Identifier: MIT */
#include "config/words.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAME_SIZE 64
#define SHOWN_SIZE 64

/* What getopt_long() returns for a name is this and its place. */
enum { FIRST_LONG = 256 };

static int refuse(const struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct words *words, const char *format, ...)
{
	va_list arguments;

	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: ", words->program);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	return words->wrong_use;
}

/* Says that there is no such option, with the nearest one there is. */
static int refuse_option(const struct words *words, const char *word)
{
	struct text_nearest nearest;
	char typed[NAME_SIZE];
	char shown[SHOWN_SIZE];

	(void)snprintf(typed, sizeof typed, "%s", word);
	typed[strcspn(typed, "=")] = '\0';
	text_show(typed, strlen(typed), shown, sizeof shown);
	text_nearest_init(&nearest, typed + strspn(typed, "-"));
	for (int i = 0; i < words->count && typed[1] == '-'; i++)
		text_nearest_offer(&nearest, words->options[i].name);
	if (nearest.best)
		return refuse(words, "there is no option \"%s\": did you mean \"--%s\"?", shown,
			nearest.best);
	return refuse(words, "there is no option \"%s\": \"%s\" lists them", shown, words->list);
}

static void fill_getopt(const struct words *words, struct option *rows, char *letters)
{
	size_t count = 0;

	letters[count++] = ':';
	for (int i = 0; i < words->count; i++) {
		const struct words_option *option = &words->options[i];

		rows[i] = (struct option){option->name,
			option->argument ? required_argument : no_argument, NULL, FIRST_LONG + i};
		if (option->letter)
			letters[count++] = option->letter;
	}
	rows[words->count] = (struct option){0};
	letters[count] = '\0';
}

/* Says what is wrong with the option that getopt_long() stopped at. */
static int explain(const struct words *words, int found, char **argv)
{
	char letter[3] = {'-', (char)optopt, '\0'};

	if (found == ':')
		return refuse(words, "%s needs an argument", argv[optind - 1]);
	/* An option that takes no argument but was given one has its number here. */
	if (optopt >= FIRST_LONG)
		return refuse(
			words, "--%s takes no argument", words->options[optopt - FIRST_LONG].name);
	return refuse_option(words, optopt ? letter : argv[optind - 1]);
}

static int option_of(const struct words *words, int found)
{
	int id = 0;

	if (found >= FIRST_LONG)
		return found - FIRST_LONG;
	while (words->options[id].letter != found)
		id++;
	return id;
}

/* The word that getopt_long() just took: before the argument where that stood alone. */
static const char *typed_option(char **argv)
{
	const char *word = argv[optind - 1];

	return optarg == word ? argv[optind - 2] : word;
}

/* Beginnings of names are not taken: they would change their meaning with every new option. */
static bool is_written_out(char **argv, const char *name)
{
	const char *typed = typed_option(argv) + 2;

	return strcspn(typed, "=") == strlen(name);
}

int words_read(const struct words *words, int argc, char **argv,
	int (*take)(int option, const char *argument, void *context), void *context)
{
	struct option rows[WORDS_OPTIONS_MAX + 1];
	char letters[WORDS_OPTIONS_MAX + 2];
	int found;

	assert(words->count <= WORDS_OPTIONS_MAX);
	/* Options may stand behind the command, whatever the environment says of POSIX. */
	(void)unsetenv("POSIXLY_CORRECT");
	fill_getopt(words, rows, letters);
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, rows, NULL)) != -1) {
		int id;
		int r;

		if (found == ':' || found == '?')
			return explain(words, found, argv);
		id = option_of(words, found);
		if (found >= FIRST_LONG && !is_written_out(argv, words->options[id].name))
			return refuse_option(words, typed_option(argv));
		r = take(id, optarg ? optarg : "", context);
		if (r != 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * words.h - the options among the words of a command line, wherever they stand.
 *
 * Both programs read theirs by tables of their own; what is one and what is a mistake is the same.
 */
#pragma once

#define WORDS_OPTIONS_MAX 32

struct words_option {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none */
};

struct words {
	const char *program; /* stands in front of what is said on standard error */
	const char *list;    /* the command that lists options */
	int count;
	struct words_option options[WORDS_OPTIONS_MAX];
	int wrong_use; /* exit status */
};

/*
 * Hands each option to take(), with its argument or "", until that returns something other than 0,
 * which is then the result. The other words stand behind optind afterwards. Returns 0, or
 * wrong_use when a mistake was said.
 */
int words_read(const struct words *words, int argc, char **argv,
	int (*take)(int option, const char *argument, void *context), void *context);

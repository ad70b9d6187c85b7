/* SPDX-License-Identifier: MIT */
/*
 * text.h - words that people type and text that strangers send.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TEXT_NAME_MAX 64 /* characters of a site, tag or admin name */

/* Whether this is a name: 1 to 64 of a-z, 0-9 and '-'. */
bool text_is_name(const char *text);

/*
 * Copies text so that it can be shown on a terminal: what is not printable ASCII becomes "\xNN",
 * what does not fit ends in "...". size is at least 4.
 */
void text_show(const char *text, size_t length, char *out, size_t size);

/* Finds, among the words that are offered, the one a mistyped word was meant to be. */
struct text_nearest {
	const char *word;
	const char *best; /* NULL while nothing is near enough to suggest */
	size_t distance;
};

/* Starts looking for this word. */
void text_nearest_init(struct text_nearest *nearest, const char *word);

/* Considers a candidate. The first of equally near ones stays. */
void text_nearest_offer(struct text_nearest *nearest, const char *candidate);

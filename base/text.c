/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Longer words are not compared: no key, command or option is as long. */
#define WORD_MAX 48

bool text_is_name(const char *text)
{
	size_t length = strnlen(text, TEXT_NAME_MAX + 1);

	return length >= 1 && length <= TEXT_NAME_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f;
}

void text_show(const char *text, size_t length, char *out, size_t size)
{
	size_t whole = 0;
	size_t used = 0;
	size_t most;

	assert(size >= 4);
	for (size_t i = 0; i < length; i++)
		whole += is_plain(text[i]) ? 1 : 4;
	most = whole < size ? whole : size - 4;
	for (size_t i = 0; i < length; i++) {
		size_t need = is_plain(text[i]) ? 1 : 4;

		if (used + need > most)
			break;
		if (need == 1)
			out[used] = text[i];
		else
			(void)snprintf(out + used, size - used, "\\x%02x", (unsigned char)text[i]);
		used += need;
	}
	(void)snprintf(out + used, size - used, "%s", most < whole ? "..." : "");
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from one to the other. */
static size_t edit_distance(const char *a, const char *b)
{
	uint8_t rows[3][WORD_MAX + 1];
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= a_length; i++) {
		uint8_t *row = rows[i % 3];
		const uint8_t *above = rows[(i + 2) % 3];
		const uint8_t *two_above = rows[(i + 1) % 3];

		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t cost = a[i - 1] != b[j - 1];
			size_t best = least(above[j] + 1u, row[j - 1] + 1u, above[j - 1] + cost);

			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, best, two_above[j - 2] + 1u);
			row[j] = (uint8_t)best;
		}
	}
	return rows[a_length % 3][b_length];
}

void text_nearest_init(struct text_nearest *nearest, const char *word)
{
	/* A third of the letters may be wrong; beyond that a suggestion is noise. */
	*nearest = (struct text_nearest){.word = word, .distance = strnlen(word, WORD_MAX) / 3 + 2};
}

void text_nearest_offer(struct text_nearest *nearest, const char *candidate)
{
	size_t distance = edit_distance(nearest->word, candidate);

	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}

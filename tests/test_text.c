/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <string.h>

#include "base/text.h"

TEST(text_names)
{
	char longest[TEXT_NAME_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof longest);
	longest[TEXT_NAME_MAX] = '\0';
	assert_true(text_is_name(longest));
	longest[TEXT_NAME_MAX] = 'a';
	longest[TEXT_NAME_MAX + 1] = '\0';
	assert_false(text_is_name(longest));
	assert_true(text_is_name("alex-2"));
	assert_false(text_is_name(""));
	assert_false(text_is_name("Alex"));
	assert_false(text_is_name("al ex"));
	assert_false(text_is_name("alex\n"));
	assert_false(text_is_name("älex"));
}

TEST(text_shown_cannot_steer_a_terminal)
{
	char out[16];

	(void)state;
	text_show("plain", 5, out, sizeof out);
	assert_string_equal(out, "plain");
	text_show("a\x1b[2J", 5, out, sizeof out);
	assert_string_equal(out, "a\\x1b[2J");
	text_show("\0\x7f\xff", 3, out, sizeof out);
	assert_string_equal(out, "\\x00\\x7f\\xff");
	text_show("exactly fifteen", 15, out, sizeof out);
	assert_string_equal(out, "exactly fifteen");
	text_show("exactly sixteen!", 16, out, sizeof out);
	assert_string_equal(out, "exactly sixt...");
	text_show("", 0, out, 4);
	assert_string_equal(out, "");
	text_show("abcdef", 6, out, 4);
	assert_string_equal(out, "...");
	text_show("\x01\x01\x01\x01\x01", 5, out, sizeof out);
	assert_string_equal(out, "\\x01\\x01\\x01...");
}

static const char *nearest_of(const char *word)
{
	static const char *const words[] = {"config check", "backup", "restore", "status", "mtu"};
	struct text_nearest nearest;

	text_nearest_init(&nearest, word);
	for (size_t i = 0; i < COUNT(words); i++)
		text_nearest_offer(&nearest, words[i]);
	return nearest.best;
}

TEST(text_nearest_finds_what_was_meant)
{
	(void)state;
	assert_string_equal(nearest_of("bakcup"), "backup");
	assert_string_equal(nearest_of("restor"), "restore");
	assert_string_equal(nearest_of("satus"), "status");
	assert_string_equal(nearest_of("mut"), "mtu");
	assert_string_equal(nearest_of("backup"), "backup");
	assert_null(nearest_of("zzzzzzzz"));
	assert_null(nearest_of("a word that is far longer than anything that is compared here"));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(text_names),
		CASE(text_shown_cannot_steer_a_terminal),
		CASE(text_nearest_finds_what_was_meant),
	};

	return RUN(cases);
}

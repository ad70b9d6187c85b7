/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"

#define TOKENS 20
#define EVERY (3 * USEC_SECOND)

static char said[65536];

/* What a function writes to standard error is in said[] afterwards. */
static void listen_to(void (*speak)(struct log *log), struct log *log)
{
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	size_t size;

	assert_non_null(file);
	assert_true(kept >= 0);
	(void)fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	speak(log);
	(void)fflush(stderr);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	rewind(file);
	size = fread(said, 1, sizeof said - 1, file);
	said[size] = '\0';
	(void)fclose(file);
}

static unsigned lines(void)
{
	unsigned count = 0;

	for (const char *at = said; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static void say_one(struct log *log)
{
	log_write(log, LOG_TROUBLE, CONFIG_LEVEL_WARNING, "trouble %d", 7);
}

static void say_fifty(struct log *log)
{
	for (int i = 0; i < 50; i++)
		say_one(log);
}

static void begin(struct log *log, enum config_level level)
{
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_init(log, level);
	/* A machine that has been up for a while. */
	log->now = 12345678 * USEC_SECOND;
}

TEST(line_says_who_speaks)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_one, &log);
	assert_string_equal(said, "collective: trouble 7\n");
}

TEST(journal_is_told_the_level)
{
	struct log log;

	(void)state;
	assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
	log_init(&log, CONFIG_LEVEL_INFO);
	listen_to(say_one, &log);
	assert_string_equal(said, "<4>collective: trouble 7\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

static void say_every_level(struct log *log)
{
	static const enum config_level levels[] = {CONFIG_LEVEL_ERROR, CONFIG_LEVEL_WARNING,
		CONFIG_LEVEL_NOTICE, CONFIG_LEVEL_INFO, CONFIG_LEVEL_DEBUG};

	for (size_t i = 0; i < COUNT(levels); i++)
		log_write(log, LOG_LIFE, levels[i], "%zu", i);
}

TEST(levels_up_to_the_one_that_is_set_are_said)
{
	static const enum config_level levels[] = {CONFIG_LEVEL_ERROR, CONFIG_LEVEL_WARNING,
		CONFIG_LEVEL_NOTICE, CONFIG_LEVEL_INFO, CONFIG_LEVEL_DEBUG};
	struct log log;

	(void)state;
	for (unsigned i = 0; i < COUNT(levels); i++) {
		begin(&log, levels[i]);
		listen_to(say_every_level, &log);
		assert_int_equal(lines(), i + 1);
	}
}

static void say_fifty_quietly(struct log *log)
{
	for (int i = 0; i < 50; i++)
		log_write(log, LOG_TROUBLE, CONFIG_LEVEL_DEBUG, "hush");
}

TEST(lines_below_the_level_cost_nothing)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty_quietly, &log);
	assert_int_equal(lines(), 0);
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), TOKENS);
}

TEST(twenty_lines_at_once_then_none)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), TOKENS);
	assert_null(strstr(said, "left out"));
	log.now += USEC_MSEC;
	listen_to(say_one, &log);
	assert_int_equal(lines(), 0);
}

TEST(one_more_comes_every_three_seconds)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty, &log);
	for (int i = 0; i < 5; i++) {
		log.now += EVERY;
		listen_to(say_fifty, &log);
		assert_int_equal(lines(), 1);
	}
	log.now += 4 * EVERY;
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), 4);
}

TEST(what_was_left_out_is_counted_once)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty, &log);
	log.now += 2 * EVERY;
	listen_to(say_one, &log);
	assert_string_equal(said, "collective: trouble 7 (30 lines like this were left out)\n");
	listen_to(say_one, &log);
	assert_string_equal(said, "collective: trouble 7\n");
}

TEST(bucket_does_not_overflow)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty, &log);
	log.now += 1000000 * EVERY;
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), TOKENS);
	/* Half a token of waiting is not lost. */
	log.now += EVERY * 3 / 2;
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), 1);
	log.now += EVERY * 3 / 2;
	listen_to(say_fifty, &log);
	assert_int_equal(lines(), 2);
}

static void say_another(struct log *log)
{
	log_write(log, LOG_REPAIR, CONFIG_LEVEL_WARNING, "repair");
}

TEST(classes_have_buckets_of_their_own)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_fifty, &log);
	listen_to(say_another, &log);
	assert_string_equal(said, "collective: repair\n");
}

static void say_much(struct log *log)
{
	char word[2000];

	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	log_write(log, LOG_LIFE, CONFIG_LEVEL_ERROR, "%s", word);
}

TEST(line_that_is_too_long_is_cut)
{
	struct log log;

	(void)state;
	begin(&log, CONFIG_LEVEL_INFO);
	listen_to(say_much, &log);
	assert_int_equal(lines(), 1);
	assert_true(strlen(said) > 400 && strlen(said) < 600);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(line_says_who_speaks),
		CASE(journal_is_told_the_level),
		CASE(levels_up_to_the_one_that_is_set_are_said),
		CASE(lines_below_the_level_cost_nothing),
		CASE(twenty_lines_at_once_then_none),
		CASE(one_more_comes_every_three_seconds),
		CASE(what_was_left_out_is_counted_once),
		CASE(bucket_does_not_overflow),
		CASE(classes_have_buckets_of_their_own),
		CASE(line_that_is_too_long_is_cut),
	};

	return RUN(cases);
}

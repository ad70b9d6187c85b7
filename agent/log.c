/* SPDX-License-Identifier: MIT */
#include "agent/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 20
#define TOKEN_EVERY (3 * USEC_SECOND)
#define LINE_SIZE 512

/* As syslog and the journal count them. */
static const int numbers[] = {
	[CONFIG_LEVEL_ERROR] = 3,
	[CONFIG_LEVEL_WARNING] = 4,
	[CONFIG_LEVEL_NOTICE] = 5,
	[CONFIG_LEVEL_INFO] = 6,
	[CONFIG_LEVEL_DEBUG] = 7,
};

void log_init(struct log *log, enum config_level level)
{
	memset(log, 0, sizeof *log);
	log->level = level;
	log->prefixed = getenv("JOURNAL_STREAM") != NULL;
	for (int i = 0; i < LOG_CLASSES; i++)
		log->buckets[i].tokens = TOKENS_MAX;
}

static bool take_token(struct log *log, struct log_bucket *bucket)
{
	usec_t fresh = (log->now - bucket->filled_at) / TOKEN_EVERY;

	if (fresh > 0) {
		bucket->tokens = fresh >= TOKENS_MAX - (usec_t)bucket->tokens
					 ? TOKENS_MAX
					 : bucket->tokens + (uint32_t)fresh;
		bucket->filled_at += fresh * TOKEN_EVERY;
	}
	if (bucket->tokens == 0) {
		bucket->left_out++;
		return false;
	}
	bucket->tokens--;
	return true;
}

void log_write(
	struct log *log, enum log_class class, enum config_level level, const char *format, ...)
{
	struct log_bucket *bucket = &log->buckets[class];
	char line[LINE_SIZE];
	char more[64] = "";
	char head[8] = "";
	va_list arguments;

	if (level > log->level || !take_token(log, bucket))
		return;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (bucket->left_out > 0)
		(void)snprintf(
			more, sizeof more, " (%u lines like this were left out)", bucket->left_out);
	bucket->left_out = 0;
	if (log->prefixed)
		(void)snprintf(head, sizeof head, "<%d>", numbers[level]);
	(void)fprintf(stderr, "%scollective: %s%s\n", head, line, more);
}

/* SPDX-License-Identifier: MIT */
#include "agent/json.h"

#include <inttypes.h>
#include <string.h>

void json_init(struct json *json, FILE *file)
{
	*json = (struct json){.file = file};
}

/* Bytes of the UTF-8 character here, or 0 when there is none (RFC 3629 section 4). */
static size_t utf8_size(const unsigned char *at)
{
	size_t size;
	unsigned low = 0x80;
	unsigned high = 0xbf;

	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		size = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		size = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		size = 4;
	else
		return 0;
	/* No long forms, no surrogates, nothing above U+10FFFF. */
	if (at[0] == 0xe0)
		low = 0xa0;
	if (at[0] == 0xed)
		high = 0x9f;
	if (at[0] == 0xf0)
		low = 0x90;
	if (at[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < size; i++) {
		if (at[i] < low || at[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return size;
}

static void write_text(struct json *json, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	(void)fputc('"', json->file);
	while (*at) {
		size_t size = utf8_size(at);

		if (size == 0) {
			(void)fputs("\\ufffd", json->file);
			size = 1;
		} else if (*at == '"' || *at == '\\') {
			(void)fprintf(json->file, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f) {
			(void)fprintf(json->file, "\\u%04x", *at);
		} else {
			(void)fwrite(at, 1, size, json->file);
		}
		at += size;
	}
	(void)fputc('"', json->file);
}

static void begin_item(struct json *json, const char *key)
{
	if (json->follows)
		(void)fputc(',', json->file);
	if (key) {
		write_text(json, key);
		(void)fputc(':', json->file);
	}
	json->follows = true;
}

static void open_group(struct json *json, const char *key, char mark)
{
	begin_item(json, key);
	(void)fputc(mark, json->file);
	json->follows = false;
}

static void close_group(struct json *json, char mark)
{
	(void)fputc(mark, json->file);
	json->follows = true;
}

void json_object(struct json *json, const char *key)
{
	open_group(json, key, '{');
}

void json_object_end(struct json *json)
{
	close_group(json, '}');
}

void json_array(struct json *json, const char *key)
{
	open_group(json, key, '[');
}

void json_array_end(struct json *json)
{
	close_group(json, ']');
}

void json_text(struct json *json, const char *key, const char *value)
{
	begin_item(json, key);
	write_text(json, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	begin_item(json, key);
	(void)fprintf(json->file, "%" PRId64, value);
}

void json_thousandths(struct json *json, const char *key, int64_t value)
{
	int64_t rest = value % 1000;

	begin_item(json, key);
	(void)fprintf(json->file, "%s%" PRId64 ".%03" PRId64, value < 0 && value > -1000 ? "-" : "",
		value / 1000, rest < 0 ? -rest : rest);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_item(json, key);
	(void)fputs(value ? "true" : "false", json->file);
}

void json_null(struct json *json, const char *key)
{
	begin_item(json, key);
	(void)fputs("null", json->file);
}

void json_end(struct json *json)
{
	(void)fputc('\n', json->file);
}

/* SPDX-License-Identifier: MIT */
/*
 * json.h - writing JSON for people's scripts. There is no reader: nothing is configured by JSON.
 *
 * Text that is not UTF-8 is written with U+FFFD in place of the faulty bytes. A failed write shows
 * when the caller flushes the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *file;
	bool follows; /* a comma is due before the next item */
};

void json_init(struct json *json, FILE *file);

/* In an object every item is preceded by its key; in an array and at the top key is NULL. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_text(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, int64_t value);

/* A number with three places behind the point, of which the value is the thousandths. */
void json_thousandths(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* Ends the text with a line end. */
void json_end(struct json *json);

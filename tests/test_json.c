/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/json.h"

static char *text;
static size_t size;

static struct json begin(void)
{
	struct json json;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	json_init(&json, file);
	return json;
}

static void expect(struct json *json, const char *wanted)
{
	assert_int_equal(fclose(json->file), 0);
	assert_string_equal(text, wanted);
	free(text);
}

TEST(json_nests_with_commas_where_they_belong)
{
	struct json json = begin();

	(void)state;
	json_object(&json, NULL);
	json_array(&json, "empty");
	json_array_end(&json);
	json_array(&json, "two");
	json_number(&json, NULL, INT64_MIN);
	json_object(&json, NULL);
	json_object_end(&json);
	json_array_end(&json);
	json_bool(&json, "yes", true);
	json_null(&json, "nothing");
	json_text(&json, "last", "");
	json_object_end(&json);
	json_end(&json);
	expect(&json,
		"{\"empty\":[],\"two\":[-9223372036854775808,{}],\"yes\":true,\"nothing\":null,"
		"\"last\":\"\"}\n");
}

TEST(json_text_is_always_valid)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\x01\n\x7f", "\"\\u0001\\u000a\\u007f\""},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
			"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\xff", "\"\\ufffd\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xc0\x80", "\"\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\xe2\x82x", "\"\\ufffd\\ufffdx\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json json = begin();

		json_text(&json, NULL, rows[i].in);
		expect(&json, rows[i].out);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(json_nests_with_commas_where_they_belong),
		CASE(json_text_is_always_valid),
	};

	return RUN(cases);
}

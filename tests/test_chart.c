/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#include "simulator/chart.h"

TEST(logarithms_are_exact_to_a_65536th)
{
	(void)state;
	assert_int_equal(chart_log2(1), 0);
	assert_int_equal(chart_log2(2), 65536);
	assert_int_equal(chart_log2(3), 103872);
	assert_int_equal(chart_log2(10), 217705);
	assert_int_equal(chart_log2(1024), 655360);
	assert_int_equal(chart_log2(1000000), 1306235);
	assert_int_equal(chart_log2(UINT64_C(1) << 63), 63 * 65536);
}

static void assert_ticks(
	const int64_t *ticks, uint32_t count, const int64_t *wanted, uint32_t wanted_count)
{
	assert_int_equal(count, wanted_count);
	assert_memory_equal(ticks, wanted, count * sizeof *ticks);
}

TEST(ticks_are_round_and_few)
{
	static const int64_t hundreds[] = {0, 100, 200, 300, 400, 500, 600};
	static const int64_t fives[] = {5, 10, 15, 20, 25, 30, 35, 40};
	static const int64_t single[] = {7};
	int64_t ticks[CHART_TICKS_MAX];

	(void)state;
	assert_ticks(ticks, chart_ticks(0, 636, ticks), hundreds, COUNT(hundreds));
	assert_ticks(ticks, chart_ticks(3, 42, ticks), fives, COUNT(fives));
	assert_ticks(ticks, chart_ticks(7, 7, ticks), single, COUNT(single));
}

TEST(logarithmic_ticks_are_decades_where_there_are_many)
{
	static const int64_t fine[] = {5, 10, 20, 50, 100, 200, 500, 1000, 2000};
	static const int64_t coarse[] = {1000, 10000, 100000, 1000000};
	int64_t ticks[CHART_TICKS_MAX];

	(void)state;
	assert_ticks(ticks, chart_ticks_log(5, 3000, ticks), fine, COUNT(fine));
	assert_ticks(ticks, chart_ticks_log(500, 2600000, ticks), coarse, COUNT(coarse));
}

TEST(numbers_have_no_more_decimals_than_they_need)
{
	static const struct {
		int64_t value;
		int64_t unit;
		const char *text;
	} rows[] = {
		{0, 1, "0"},
		{5, 10, "0.5"},
		{20000, 1000, "20"},
		{100, 10, "10"},
		{1234567, 1000, "1234.567"},
		{9999, 10000, "1"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		chart_number(rows[i].value, rows[i].unit, text, sizeof text);
		assert_string_equal(text, rows[i].text);
	}
}

/* A curve, a limit and words that are also marks of XML. */
TEST(a_chart_is_a_whole_picture)
{
	struct chart chart = {
		.title = "title",
		.subtitle = "a < b & c",
		.description = "description",
		.x_title = "sites",
		.tick_count = 2,
		.ticks = {2, 1000},
		.key_count = 1,
		.keys = {{CHART_BLUE, false, "key"}},
		.panel_count = 1,
		.panels = {{.title = "panel",
			.unit = 1,
			.most = 10,
			.curve_count = 2,
			/* The first was never measured. */
			.curves = {{.label = "nothing"},
				{.label = "curve", .count = 2, .points = {{2, 3}, {1000, 20}}}}}},
	};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	chart_write(out, &chart);
	assert_int_equal(fclose(out), 0);
	assert_memory_equal(text, "<svg ", 5);
	assert_non_null(strstr(text, ">a &lt; b &amp; c</text>"));
	assert_non_null(strstr(text, ">curve</text>"));
	assert_null(strstr(text, ">nothing</text>"));
	/* The value beyond the axis stands at its end, and nothing leaves the picture. */
	assert_null(strstr(text, " -"));
	assert_string_equal(text + size - 7, "</svg>\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(logarithms_are_exact_to_a_65536th),
		CASE(ticks_are_round_and_few),
		CASE(logarithmic_ticks_are_decades_where_there_are_many),
		CASE(numbers_have_no_more_decimals_than_they_need),
		CASE(a_chart_is_a_whole_picture),
	};

	return RUN(cases);
}

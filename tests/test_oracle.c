/* SPDX-License-Identifier: MIT */
/*
 * The simulator's routers let the same pairs meet, in the same ways, as the lab's: the table is
 * tests/lab/pairs.txt, which real routers are held to by tests/lab/pairs.sh.
 */
#include "tests/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/oracle.h"
#include "tests/files.h"

#define TYPES 8
#define WORD_SIZE 32

#define EIM .mapping = ROUTER_ENDPOINT_INDEPENDENT
#define APDM .mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT
#define EIF .filtering = ROUTER_ENDPOINT_INDEPENDENT
#define ADF .filtering = ROUTER_ADDRESS_DEPENDENT
#define APDF .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT
#define KEPT .allocation = ROUTER_PORT_KEPT
#define COUNTED .allocation = ROUTER_PORT_SEQUENTIAL
#define DRAWN .allocation = ROUTER_PORT_RANDOM
#define DROP .input = ROUTER_INPUT_DROP
#define ACCEPT .input = ROUTER_INPUT_ACCEPT
#define TIMES .timeout_new = 30 * USEC_SECOND, .timeout_assured = 120 * USEC_SECOND

struct type {
	const char *name;
	struct oracle_side side;
};

static const struct type types[TYPES] = {
	{"public", {.layer_count = 0}},
	{"home", {.layers = {{EIM, APDF, KEPT, DROP, TIMES}}, .layer_count = 1}},
	{"home-accept", {.layers = {{EIM, APDF, KEPT, ACCEPT, TIMES}}, .layer_count = 1}},
	{"full-cone", {.layers = {{EIM, EIF, KEPT, DROP, TIMES}}, .layer_count = 1}},
	{"address-restricted", {.layers = {{EIM, ADF, KEPT, DROP, TIMES}}, .layer_count = 1}},
	{"symmetric", {.layers = {{APDM, APDF, DRAWN, DROP, TIMES}}, .layer_count = 1}},
	{"sequential", {.layers = {{APDM, APDF, COUNTED, DROP, TIMES}}, .layer_count = 1}},
	{"cgnat", {.layers = {{EIM, APDF, KEPT, DROP, TIMES}, {EIM, EIF, DRAWN, DROP, TIMES}},
			  .layer_count = 2}},
};

static const struct oracle_side *side_of(const char *name)
{
	size_t i = 0;

	while (i + 1 < TYPES && strcmp(types[i].name, name) != 0)
		i++;
	assert_string_equal(types[i].name, name);
	return &types[i].side;
}

struct row {
	char a[WORD_SIZE];
	char b[WORD_SIZE];
	char meets[WORD_SIZE];
	char how[WORD_SIZE];
};

static void assert_agrees(const struct row *row)
{
	const char *how = oracle_how(side_of(row->a), side_of(row->b));
	const char *swapped = oracle_how(side_of(row->b), side_of(row->a));
	const char *expected = row->how;

	if (strcmp(how, row->how) != 0)
		fail_msg("%s and %s: %s, not %s", row->a, row->b, how, row->how);
	assert_string_equal(row->meets, strcmp(how, "-") == 0 ? "no" : "yes");
	if (strcmp(row->how, "a-first") == 0)
		expected = "b-first";
	else if (strcmp(row->how, "b-first") == 0)
		expected = "a-first";
	assert_string_equal(swapped, expected);
}

TEST(oracle_agrees_with_the_table_that_real_routers_are_held_to)
{
	const char *source = getenv("SOURCE");
	uint32_t rows = 0;
	size_t size;
	char *line;
	char *rest;
	char *text;

	(void)state;
	assert_non_null(source);
	text = files_read(source, "tests/lab/pairs.txt", &size);
	text = realloc(text, size + 1);
	assert_non_null(text);
	text[size] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct row row;

		if (line[0] == '#')
			continue;
		assert_int_equal(
			sscanf(line, "%31s %31s %31s %31s", row.a, row.b, row.meets, row.how), 4);
		assert_agrees(&row);
		rows++;
	}
	assert_int_equal(rows, TYPES * (TYPES + 1) / 2);
	free(text);
}

static uint32_t sends(const char *a, const char *b, enum oracle_first first, bool everything)
{
	struct oracle_means means = {
		.first = first, .openers = everything, .prediction = everything};

	return oracle_sends(side_of(a), side_of(b), &means);
}

TEST(oracle_finds_the_shortest_way)
{
	(void)state;
	assert_int_equal(sends("public", "home", ORACLE_FIRST_B, false), 1);
	assert_int_equal(sends("public", "home", ORACLE_FIRST_A, false), 2);
	assert_int_equal(sends("home", "home", ORACLE_FIRST_A, false), 2);
	/* nat.md section 3: "A opens, then B from its unpredictable port". */
	assert_int_equal(sends("address-restricted", "symmetric", ORACLE_FIRST_A, false), 2);
	assert_int_equal(sends("address-restricted", "symmetric", ORACLE_FIRST_B, false), 3);
	/* nat.md section 5, where both open. It is enough that the one does who then is sent to. */
	assert_int_equal(sends("home-accept", "home-accept", ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends("home", "sequential", ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends("sequential", "sequential", ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends("symmetric", "symmetric", ORACLE_FIRST_EITHER, true), 0);
}

TEST(oracle_finds_no_way_where_nothing_passes)
{
	struct oracle_side blocked = *side_of("home");
	struct oracle_means means = {.openers = true, .prediction = true};

	(void)state;
	blocked.layers[0].udp_blocked = true;
	for (size_t i = 0; i < TYPES; i++)
		assert_int_equal(oracle_sends(&types[i].side, &blocked, &means), 0);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(oracle_agrees_with_the_table_that_real_routers_are_held_to),
		CASE(oracle_finds_the_shortest_way),
		CASE(oracle_finds_no_way_where_nothing_passes),
	};

	return RUN(cases);
}

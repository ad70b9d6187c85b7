/* SPDX-License-Identifier: MIT */
/*
 * The simulator's routers let the same pairs meet, in the same ways, as the lab's: the table is
 * tests/lab/pairs.txt, which real routers are held to by tests/lab/pairs.sh.
 */
#include "tests/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "simulator/oracle.h"
#include "tests/homes.h"

/* Behind what it stands. */
static struct oracle_side side_of(enum home_type type)
{
	struct oracle_side side = {
		.layers = {home_router(type)}, .layer_count = type == PUBLIC ? 0 : 1};

	/* The provider's own router takes in whatever comes, at ports that it draws. */
	if (home_has_carrier(type)) {
		side.layers[1] = home_router(CONE);
		side.layers[1].allocation = ROUTER_PORT_RANDOM;
		side.layer_count = 2;
	}
	return side;
}

static void assert_agrees(const struct home_pair *row)
{
	const struct oracle_side a = side_of(row->a);
	const struct oracle_side b = side_of(row->b);
	const char *how = oracle_how(&a, &b);
	const char *swapped = oracle_how(&b, &a);
	const char *expected = row->how;

	if (strcmp(how, row->how) != 0)
		fail_msg("%s and %s: %s, not %s", home_name(row->a), home_name(row->b), how,
			row->how);
	assert_int_equal(row->meets, strcmp(how, "-") != 0);
	if (strcmp(row->how, "a-first") == 0)
		expected = "b-first";
	else if (strcmp(row->how, "b-first") == 0)
		expected = "a-first";
	assert_string_equal(swapped, expected);
}

TEST(oracle_agrees_with_the_table_that_real_routers_are_held_to)
{
	struct home_pair pairs[HOME_PAIRS];

	(void)state;
	home_pairs(pairs);
	for (uint32_t i = 0; i < HOME_PAIRS; i++)
		assert_agrees(&pairs[i]);
}

TEST(oracle_agrees_with_that_of_routers_which_let_in_what_is_theirs)
{
	struct home_pair pairs[HOME_DOUBLES];

	(void)state;
	home_doubles(pairs);
	for (uint32_t i = 0; i < HOME_DOUBLES; i++)
		assert_agrees(&pairs[i]);
}

static uint32_t sends(
	enum home_type type_a, enum home_type type_b, enum oracle_first first, bool everything)
{
	struct oracle_means means = {
		.first = first, .openers = everything, .prediction = everything};

	const struct oracle_side a = side_of(type_a);
	const struct oracle_side b = side_of(type_b);

	return oracle_sends(&a, &b, &means);
}

TEST(oracle_finds_the_shortest_way)
{
	(void)state;
	assert_int_equal(sends(PUBLIC, HOME, ORACLE_FIRST_B, false), 1);
	assert_int_equal(sends(PUBLIC, HOME, ORACLE_FIRST_A, false), 2);
	assert_int_equal(sends(HOME, HOME, ORACLE_FIRST_A, false), 2);
	/* nat.md section 3: "A opens, then B from its unpredictable port". */
	assert_int_equal(sends(RESTRICTED, SYMMETRIC, ORACLE_FIRST_A, false), 2);
	assert_int_equal(sends(RESTRICTED, SYMMETRIC, ORACLE_FIRST_B, false), 3);
	/* nat.md section 5, where both open. It is enough that the one does who then is sent to. */
	assert_int_equal(sends(ACCEPTING, ACCEPTING, ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends(HOME, SEQUENTIAL, ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends(SEQUENTIAL, SEQUENTIAL, ORACLE_FIRST_EITHER, true), 2);
	assert_int_equal(sends(SYMMETRIC, SYMMETRIC, ORACLE_FIRST_EITHER, true), 0);
}

TEST(oracle_finds_no_way_where_nothing_passes)
{
	struct oracle_side blocked = side_of(HOME);
	struct oracle_means means = {.openers = true, .prediction = true};

	(void)state;
	blocked.layers[0].udp_blocked = true;
	for (enum home_type type = PUBLIC; type < HOME_TYPES; type++) {
		const struct oracle_side side = side_of(type);

		assert_int_equal(oracle_sends(&side, &blocked, &means), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(oracle_agrees_with_the_table_that_real_routers_are_held_to),
		CASE(oracle_agrees_with_that_of_routers_which_let_in_what_is_theirs),
		CASE(oracle_finds_the_shortest_way),
		CASE(oracle_finds_no_way_where_nothing_passes),
	};

	return RUN(cases);
}

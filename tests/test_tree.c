/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tree.h"

static struct problems problems;
static struct tree tree;

static void parse(const char *text)
{
	problems = (struct problems){0};
	assert_int_equal(tree_parse(&tree, text, strlen(text), &problems), 0);
}

static int tear_down(void **state)
{
	(void)state;
	tree_free(&tree);
	return 0;
}

/* The one problem that this text has. */
static void expect_problem(const char *text, uint32_t line, uint32_t column, const char *words)
{
	parse(text);
	assert_int_equal(problems.count, 1);
	assert_int_equal(problems.items[0].line, line);
	assert_int_equal(problems.items[0].column, column);
	assert_non_null(strstr(problems.items[0].text, words));
	tree_free(&tree);
}

TEST(tree_knows_the_place_of_everything)
{
	const struct tree_node *list;

	(void)state;
	parse("# a remark\n"
	      "first: 1\n"
	      "second:\n"
	      "  - ä b\n"
	      "  - {x: \"y\"}\n");
	assert_int_equal(problems.count, 0);
	assert_string_equal(tree_get(tree.root, "first")->text, "1");
	assert_int_equal(tree_get(tree.root, "first")->line, 2);
	assert_int_equal(tree_get(tree.root, "first")->column, 8);
	list = tree_get(tree.root, "second");
	assert_int_equal(list->kind, TREE_LIST);
	assert_string_equal(list->children->text, "ä b");
	assert_false(list->children->quoted);
	assert_true(tree_get(list->children->next, "x")->quoted);
	assert_int_equal(tree_get(list->children->next, "x")->column, 9);
	assert_null(list->children->next->next);
	assert_null(tree_get(tree.root, "third"));
	assert_null(tree_get(NULL, "x"));
}

TEST(tree_of_nothing_has_no_root)
{
	static const char *const rows[] = {"", "\n\n", "# only a remark\n", "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		parse(rows[i]);
		assert_null(tree.root);
		assert_int_equal(problems.count, 0);
	}
	parse("\xef\xbb\xbfkey: value\n");
	assert_string_equal(tree_get(tree.root, "key")->text, "value");
}

TEST(tree_refuses_what_is_not_used)
{
	(void)state;
	expect_problem("a: &x 1\n", 1, 4, "anchors");
	expect_problem("a: &x [1]\n", 1, 4, "anchors");
	expect_problem("a: !!int 1\n", 1, 4, "tags");
	expect_problem("a: !x {b: 1}\n", 1, 4, "tags");
	expect_problem(
		"a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key \"a\": it already stands in line 1");
	expect_problem("? [a]\n: b\n", 1, 3, "a key must be a plain word");
	expect_problem("a: 1\n---\nb: 2\n", 2, 1, "second document");
	expect_problem("%YAML 1.1\n---\na: 1\n", 1, 1, "directives");
	expect_problem("a: \"x\\0y\"\n", 1, 4, "NUL");
	expect_problem("a: [1\n", 2, 1, "not YAML");
	expect_problem("a: b: c\n", 1, 5, "not YAML");
	expect_problem("a: \"\xff\"\n", 1, 1, "not YAML");
	expect_problem("a:\n\t- b\n", 2, 1, "not YAML");
}

TEST(tree_aliases_cannot_multiply)
{
	(void)state;
	parse("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n");
	assert_true(problems.count >= 5);
	assert_true(tree.count < 20);
	for (uint32_t i = 0; i < problems.count; i++)
		assert_true(strstr(problems.items[i].text, "anchors") ||
			    strstr(problems.items[i].text, "aliases"));
}

TEST(tree_is_bounded)
{
	char *big = malloc(TREE_FILE_MAX + 1);
	size_t used = 0;

	(void)state;
	assert_non_null(big);
	memset(big, '[', 100);
	big[100] = '\0';
	expect_problem(big, 1, TREE_DEPTH_MAX + 1, "nested more than");

	for (int i = 0; i <= TREE_KEYS_MAX; i++)
		used += (size_t)sprintf(big + used, "k%d: 1\n", i);
	expect_problem(big, TREE_KEYS_MAX + 1, 1, "more than 1000 keys");

	big[0] = '[';
	for (int i = 0; i < TREE_NODES_MAX; i++)
		memcpy(big + 1 + 2 * i, "1,", 2);
	memcpy(big + 1 + 2 * (size_t)TREE_NODES_MAX, "1]", 3);
	expect_problem(big, 1, 2 * TREE_NODES_MAX, "more than 20000 values");

	memset(big, '#', TREE_FILE_MAX + 1);
	problems = (struct problems){0};
	assert_int_equal(tree_parse(&tree, big, TREE_FILE_MAX + 1, &problems), 0);
	assert_int_equal(problems.count, 1);
	assert_non_null(strstr(problems.items[0].text, "1 MiB"));
	problems = (struct problems){0};
	assert_int_equal(tree_parse(&tree, big, TREE_FILE_MAX, &problems), 0);
	assert_int_equal(problems.count, 0);
	free(big);
}

TEST(problems_are_sorted_bounded_and_said_once)
{
	(void)state;
	problems = (struct problems){0};
	problems_add(&problems, 3, 1, "c");
	problems_add(&problems, 2, 9, "b");
	problems_add(&problems, 2, 1, "a");
	problems_add(&problems, 2, 1, "a");
	problems_sort(&problems);
	assert_int_equal(problems.count, 3);
	assert_string_equal(problems.items[0].text, "a");
	assert_string_equal(problems.items[2].text, "c");
	for (uint32_t i = 0; i < 2 * PROBLEMS_MAX; i++)
		problems_add(&problems, 10 + i, 1, "more");
	assert_int_equal(problems.count, PROBLEMS_MAX);
	assert_int_equal(problems.dropped, PROBLEMS_MAX + 3);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(tree_knows_the_place_of_everything, tear_down),
		cmocka_unit_test_teardown(tree_of_nothing_has_no_root, tear_down),
		cmocka_unit_test_teardown(tree_refuses_what_is_not_used, tear_down),
		cmocka_unit_test_teardown(tree_aliases_cannot_multiply, tear_down),
		cmocka_unit_test_teardown(tree_is_bounded, tear_down),
		CASE(problems_are_sorted_bounded_and_said_once),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
/*
 * test.h - what every test file includes: cmocka in the one order it can be included in, and short
 * words for cases. A case that is not listed in main() does not compile: it would be unused.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name) static void name(void **state)
#define CASE(name) cmocka_unit_test(name)
#define RUN(cases) cmocka_run_group_tests(cases, NULL, NULL)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

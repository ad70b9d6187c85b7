/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what a harness brings: one function that is handed bytes from outside. It aborts when a
 * promise is broken; the sanitizers find the rest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Stays on in every build, unlike assert(). */
#define REQUIRE(condition)                                                                    \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                              \
		}                                                                             \
	} while (0)

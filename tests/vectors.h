/* SPDX-License-Identifier: MIT */
/*
 * vectors.h - the examples that docs/PROTOCOL.md speaks of, made from fixed keys.
 */
#pragma once

#include <stdio.h>

/* Writes all of them in the form of tests/vectors/vectors.txt. */
void vectors_print(FILE *out);

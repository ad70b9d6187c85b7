/* SPDX-License-Identifier: MIT */
/*
 * golden.h - the state that stands in tests/golden, one directory per schema that ever was.
 */
#pragma once

#include "store/store.h"

/* Writes it into an empty state. Returns 0 or an error of the store. */
int golden_fill(struct store *store);

/* Fails the test unless this is that state. */
void golden_expect(struct store *store);

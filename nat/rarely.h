/* SPDX-License-Identifier: MIT */
/*
 * rarely.h - what may be done six times in any hour and no oftener: things that are right once and
 * a nuisance when they go back and forth.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

#define RARELY_TIMES 6
#define RARELY_SPAN USEC_HOUR

struct rarely {
	uint32_t count;             /* of all that were noted */
	usec_t times[RARELY_TIMES]; /* the last of them, in a circle */
};

void rarely_init(struct rarely *rarely);

/* Whether it may be done now: fewer than six were in the hour that ends now. */
bool rarely_may(const struct rarely *rarely, usec_t now);

/* From when on it may, if it is not done meanwhile; INT64_MIN: always. */
usec_t rarely_from(const struct rarely *rarely);

/* It was done. */
void rarely_note(struct rarely *rarely, usec_t now);

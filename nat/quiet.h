/* SPDX-License-Identifier: MIT */
/*
 * quiet.h - how long nobody tries after it failed.
 *
 * Long enough for what routers remember to die, and never longer than ten minutes. Chance makes it
 * longer only: what is shorter would keep alive what is to die.
 */
#pragma once

#include <stdint.h>

#include "base/prng.h"
#include "base/usec.h"

#define QUIET_LONGEST (10 * USEC_MINUTE)

struct quiet {
	uint32_t failures; /* in a row */
	usec_t until;
};

void quiet_init(struct quiet *quiet);

/* It failed; last is when either end sent the last packet. */
void quiet_failed(struct quiet *quiet, usec_t last, struct prng *prng);

/* Something changed, here or there: it may be tried at once, and the count begins anew. */
void quiet_reset(struct quiet *quiet);

/* When it may be tried again; in the past: now. */
usec_t quiet_until(const struct quiet *quiet);

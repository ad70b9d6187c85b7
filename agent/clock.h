/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the machine's clocks, read in one place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "base/usec.h"

struct clock {
	int64_t offset_ms; /* of wall time; for tests of sites whose clock is wrong */
	usec_t asleep;     /* how long the machine slept in all, as far as was noticed */
};

/* Prepares a clock. */
void clock_init(struct clock *clock, int64_t offset_ms);

/* Monotonic time; it stands still while the machine sleeps. */
usec_t clock_now(void);

/* How long to wait from now on: nothing for what is past, and 68 years, which is what every machine
 * can count, for what is further away. */
struct timeval clock_wait(usec_t left);

/* Wall time, in milliseconds. */
uint64_t clock_wall(const struct clock *clock);

/* Whether the machine slept since this was asked last. */
bool clock_slept(struct clock *clock);

/* SPDX-License-Identifier: MIT */
/*
 * usec.h - time as a number of microseconds.
 *
 * Every decision takes the time as an argument. The clock is monotonic unless a name says "wall".
 * Nothing here reads a clock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_MSEC ((usec_t)1000)
#define USEC_SECOND (1000 * USEC_MSEC)
#define USEC_MINUTE (60 * USEC_SECOND)
#define USEC_HOUR (60 * USEC_MINUTE)
#define USEC_DAY (24 * USEC_HOUR)

/* Later than every time; adding to it leaves it as it is. */
#define USEC_NEVER INT64_MAX

#define USEC_TEXT_SIZE 32

/* Sum that stops at the ends of the range instead of overflowing. */
usec_t usec_add(usec_t time, usec_t delta);

/* The earlier of two times. */
usec_t usec_min(usec_t a, usec_t b);

/* Writes a duration as people say it: "350 µs", "7.0 ms", "42 ms", "3.2 s", "4 min", "7 h", "12 d",
 * "never".
 */
void usec_print(usec_t duration, char out[static USEC_TEXT_SIZE]);

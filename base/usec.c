/* SPDX-License-Identifier: MIT */
#include "base/usec.h"

#include <inttypes.h>
#include <stdio.h>

usec_t usec_add(usec_t time, usec_t delta)
{
	usec_t sum;

	if (time == USEC_NEVER || delta == USEC_NEVER)
		return USEC_NEVER;
	if (__builtin_add_overflow(time, delta, &sum))
		return delta > 0 ? USEC_NEVER : INT64_MIN;
	return sum;
}

usec_t usec_min(usec_t a, usec_t b)
{
	return a < b ? a : b;
}

void usec_print(usec_t duration, char out[static USEC_TEXT_SIZE])
{
	/* Each row speaks for durations below its limit; the limit leaves room for rounding. */
	static const struct {
		usec_t below;
		usec_t unit;
		const char *name;
	} rows[] = {
		{USEC_MSEC, 1, "µs"},
		{10 * USEC_SECOND, USEC_MSEC, "ms"},
		{2 * USEC_MINUTE, USEC_SECOND, "s"},
		{2 * USEC_HOUR, USEC_MINUTE, "min"},
		{2 * USEC_DAY, USEC_HOUR, "h"},
		{USEC_NEVER, USEC_DAY, "d"},
	};

	if (duration == USEC_NEVER) {
		(void)snprintf(out, USEC_TEXT_SIZE, "never");
		return;
	}
	if (duration < 0) {
		duration = 0;
	}
	if (duration >= USEC_MSEC && duration < 10 * USEC_MSEC) {
		(void)snprintf(out, USEC_TEXT_SIZE, "%" PRId64 ".%" PRId64 " ms",
			duration / USEC_MSEC, duration % USEC_MSEC / 100);
		return;
	}
	if (duration >= USEC_SECOND && duration < 10 * USEC_SECOND) {
		(void)snprintf(out, USEC_TEXT_SIZE, "%" PRId64 ".%" PRId64 " s",
			duration / USEC_SECOND, duration % USEC_SECOND / (100 * USEC_MSEC));
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (duration < rows[i].below) {
			(void)snprintf(out, USEC_TEXT_SIZE, "%" PRId64 " %s",
				duration / rows[i].unit, rows[i].name);
			return;
		}
	}
}

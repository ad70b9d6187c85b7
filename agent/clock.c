/* SPDX-License-Identifier: MIT */
#include "agent/clock.h"

#include <time.h>

#define SLEEP_MIN USEC_SECOND /* shorter ones are the reading of two clocks */
#define WAIT_MAX (INT32_MAX * USEC_SECOND)

static usec_t read_clock(clockid_t id)
{
	struct timespec time = {.tv_sec = 0};

	/* These clocks are there on every Linux. */
	(void)clock_gettime(id, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

static usec_t read_asleep(void)
{
	return read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);
}

void clock_init(struct clock *clock, int64_t offset_ms)
{
	clock->offset_ms = offset_ms;
	clock->asleep = read_asleep();
}

usec_t clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

struct timeval clock_wait(usec_t left)
{
	left = usec_min(left > 0 ? left : 0, WAIT_MAX);
	/* Where time_t has 32 bits, it holds these. */
	return (struct timeval){
		.tv_sec = (time_t)(left / USEC_SECOND),
		.tv_usec = (suseconds_t)(left % USEC_SECOND),
	};
}

uint64_t clock_wall(const struct clock *clock)
{
	return (uint64_t)(read_clock(CLOCK_REALTIME) / USEC_MSEC + clock->offset_ms);
}

bool clock_slept(struct clock *clock)
{
	usec_t asleep = read_asleep();

	if (asleep - clock->asleep < SLEEP_MIN)
		return false;
	clock->asleep = asleep;
	return true;
}

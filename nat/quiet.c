/* SPDX-License-Identifier: MIT */
#include "nat/quiet.h"

/* The first two outlive what Linux remembers of a flow: 30 s unanswered, 120 s answered. */
static const usec_t times[] = {35 * USEC_SECOND, 125 * USEC_SECOND, 5 * USEC_MINUTE, QUIET_LONGEST};

#define TIMES (sizeof times / sizeof times[0])
#define JITTER 5 /* a fifth of the time at most */

void quiet_init(struct quiet *quiet)
{
	quiet_reset(quiet);
}

void quiet_failed(struct quiet *quiet, usec_t last, struct prng *prng)
{
	usec_t time = times[quiet->failures < TIMES ? quiet->failures : TIMES - 1];
	usec_t more = (usec_t)prng_below(prng, (uint64_t)(time / JITTER));

	quiet->failures++;
	quiet->until = usec_add(last, usec_min(time + more, QUIET_LONGEST));
}

void quiet_reset(struct quiet *quiet)
{
	quiet->failures = 0;
	quiet->until = 0;
}

usec_t quiet_until(const struct quiet *quiet)
{
	return quiet->until;
}

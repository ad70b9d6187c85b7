/* SPDX-License-Identifier: MIT */
/*
 * shares.c - what one member may cost this site: no more than it ever has a reason for, so that
 * whoever floods is heard itself no more, and everybody else is as before.
 *
 * Members share what they may cost by a number that nobody else knows, and that changes: nobody can
 * choose a key that comes upon somebody else's share, and who does by chance does not for long.
 */
#include <string.h>

#include "site/site_internal.h"

#define SHARED_FOR (5 * USEC_MINUTE)
#define STEP UINT64_C(6364136223846793005)

static const struct {
	int64_t per_second;
	int64_t burst;
} most[SITE_COSTS] = {
	[SITE_COST_KEYS] = {10, 20},
	[SITE_COST_QUESTION] = {5, 20},
	[SITE_COST_PROBE] = {20, 40},
};

void site_shares_init(struct site *site)
{
	struct site_shares *shares = &site->shares;
	struct prng prng;

	prng_fork(&prng, &site->prng, "costly", 0);
	shares->salt = prng_u64(&prng) | 1;
	prng_wipe(&prng);
	for (uint32_t cost = 0; cost < SITE_COSTS; cost++) {
		for (uint32_t i = 0; i < 1 << SITE_SHARES_BITS; i++)
			budget_init(&shares->left[cost][i]);
	}
}

bool site_may_cost(struct site *site, enum site_cost cost, const struct row_id *member)
{
	struct site_shares *shares = &site->shares;
	struct budget *budget;
	uint64_t number;

	if (site->now >= shares->until) {
		shares->salt = shares->salt * STEP + 2; /* odd again */
		shares->until = site->now + SHARED_FOR;
	}
	memcpy(&number, member->bytes, sizeof number);
	budget = &shares->left[cost][number * shares->salt >> (64 - SITE_SHARES_BITS)];
	budget_refill(budget, site->now, most[cost].per_second, most[cost].burst);
	if (budget_spend(budget))
		return true;
	site->counters[SITE_COUNT_COSTLY_OVER]++;
	return false;
}

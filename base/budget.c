/* SPDX-License-Identifier: MIT */
#include "base/budget.h"

/* Longer ones fill every budget anyway, and could overflow it. */
#define REST_MAX (10 * USEC_SECOND)

void budget_init(struct budget *budget)
{
	*budget = (struct budget){.at = -REST_MAX};
}

void budget_refill(struct budget *budget, usec_t now, int64_t per_second, int64_t burst)
{
	usec_t gone = usec_min(now - budget->at, REST_MAX);

	budget->left += gone * per_second;
	if (budget->left > burst * BUDGET_ONE)
		budget->left = burst * BUDGET_ONE;
	budget->at = now;
}

bool budget_spend(struct budget *budget)
{
	if (budget->left < BUDGET_ONE)
		return false;
	budget->left -= BUDGET_ONE;
	return true;
}

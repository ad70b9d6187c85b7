/* SPDX-License-Identifier: MIT */
/*
 * budget.h - so many a second, and so many at once: what keeps a flood from filling anything.
 */
#pragma once

#include <stdbool.h>

#include "base/usec.h"

#define BUDGET_ONE INT64_C(1000000) /* what one costs: budgets count in millionths */

struct budget {
	usec_t at; /* filled up to this time */
	int64_t left;
};

/* One that was never spent from: its first filling is a whole burst, however young time is. */
void budget_init(struct budget *budget);

/* Fills it up to now. Of a long rest no more than a burst is kept. */
void budget_refill(struct budget *budget, usec_t now, int64_t per_second, int64_t burst);

/* Takes one out. Returns false where there is none. */
bool budget_spend(struct budget *budget);

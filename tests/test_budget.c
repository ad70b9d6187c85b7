/* SPDX-License-Identifier: MIT */
#include "base/budget.h"

#include "tests/test.h"

/* How many it lets through now. */
static int spend_all(struct budget *budget)
{
	int count = 0;

	while (budget_spend(budget))
		count++;
	return count;
}

TEST(a_new_budget_is_empty_until_it_was_filled)
{
	struct budget budget = {0};

	(void)state;
	assert_false(budget_spend(&budget));
	budget_refill(&budget, USEC_SECOND, 5, 100);
	assert_int_equal(spend_all(&budget), 5);
}

TEST(one_that_was_never_spent_from_holds_a_burst)
{
	struct budget budget;

	(void)state;
	budget_init(&budget);
	budget_refill(&budget, 0, 20, 60);
	assert_int_equal(spend_all(&budget), 60);
	budget_refill(&budget, USEC_SECOND, 20, 60);
	assert_int_equal(spend_all(&budget), 20);
}

TEST(no_more_than_a_burst_is_kept)
{
	struct budget budget = {0};

	(void)state;
	budget_refill(&budget, USEC_MINUTE, 50, 100);
	assert_int_equal(spend_all(&budget), 100);
	budget_refill(&budget, USEC_MINUTE, 50, 100);
	assert_int_equal(spend_all(&budget), 0);
}

TEST(parts_of_one_are_not_lost)
{
	struct budget budget = {0};
	int count = 0;

	(void)state;
	for (usec_t now = 0; now <= USEC_SECOND; now += 1000) {
		budget_refill(&budget, now, 3, 10);
		count += spend_all(&budget);
	}
	assert_int_equal(count, 3);
}

TEST(a_rest_of_years_overflows_nothing)
{
	struct budget budget = {0};

	(void)state;
	budget_refill(&budget, USEC_NEVER - 1, 1000000, 7);
	assert_int_equal(spend_all(&budget), 7);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(a_new_budget_is_empty_until_it_was_filled),
		CASE(one_that_was_never_spent_from_holds_a_burst),
		CASE(no_more_than_a_burst_is_kept),
		CASE(parts_of_one_are_not_lost),
		CASE(a_rest_of_years_overflows_nothing),
	};

	return RUN(cases);
}

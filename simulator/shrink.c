/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - from a failure with dozens of faults to the few that matter.
 *
 * A step is kept only if the same property fails: first halves of the plan are left out, then
 * quarters and so on down to single faults; then time behind the failure, sites, losses and
 * routers.
 */
#include "simulator/commands.h"

#include <inttypes.h>

#include "simulator/batch.h"

struct shrinking {
	struct scenario *scenario;
	FILE *progress;
	uint32_t tries;
	usec_t failed_at;
};

static bool still_fails(struct shrinking *s, const struct scenario *candidate)
{
	struct run_result result;

	s->tries++;
	if (s->progress)
		(void)fprintf(s->progress, "\r%u tries, %u faults left ", s->tries,
			candidate->plan.count);
	if (batch_run_one(candidate, &result) < 0 || result.failed != candidate->expected)
		return false;
	s->scenario->hash = result.hash;
	s->failed_at = result.at;
	return true;
}

/* Leaves out as many faults as can be, in pieces of this size. */
static bool cut_pieces(struct shrinking *s, uint32_t size)
{
	struct scenario *scenario = s->scenario;
	bool cut = false;

	for (uint32_t first = 0; first < scenario->plan.count;) {
		struct scenario candidate = *scenario;

		plan_copy(&candidate.plan, &scenario->plan);
		plan_remove(&candidate.plan, first, size);
		if (still_fails(s, &candidate)) {
			plan_free(&scenario->plan);
			scenario->plan = candidate.plan;
			cut = true;
		} else {
			plan_free(&candidate.plan);
			first += size;
		}
	}
	return cut;
}

static void try_with(struct shrinking *s, const struct scenario *candidate)
{
	if (still_fails(s, candidate)) {
		uint64_t hash = s->scenario->hash;

		*s->scenario = *candidate;
		s->scenario->hash = hash;
	}
}

static bool mentions(const struct scenario *scenario, uint32_t site)
{
	for (uint32_t i = 0; i < scenario->plan.count; i++) {
		if (scenario->plan.items[i].site >= site)
			return true;
	}
	for (uint32_t i = 0; i < scenario->mischief_count; i++) {
		if (scenario->mischief[i].site >= site || scenario->mischief[i].victim >= site)
			return true;
	}
	return false;
}

static void cut_sites(struct shrinking *s)
{
	for (uint32_t sites = 2; sites < s->scenario->sites; sites++) {
		struct scenario candidate = *s->scenario;

		if (mentions(&candidate, sites))
			continue;
		candidate.sites = sites;
		if (still_fails(s, &candidate)) {
			s->scenario->sites = sites;
			return;
		}
	}
}

static void simplify(struct shrinking *s)
{
	struct scenario candidate = *s->scenario;

	candidate.line = (struct link_options){.delay = candidate.line.delay};
	try_with(s, &candidate);
	candidate = *s->scenario;
	candidate.router_count = 0;
	try_with(s, &candidate);
	candidate = *s->scenario;
	candidate.mischief_count = 0;
	try_with(s, &candidate);
}

/* What would have come behind the failure. */
static void cut_time(struct shrinking *s)
{
	struct scenario candidate = *s->scenario;

	if (!still_fails(s, &candidate) || s->failed_at >= candidate.duration)
		return;
	candidate.duration = (s->failed_at / USEC_SECOND + 1) * USEC_SECOND;
	if (candidate.heal_at != USEC_NEVER && candidate.heal_at > candidate.duration)
		candidate.heal_at = candidate.duration;
	try_with(s, &candidate);
}

static void try_times(struct shrinking *s, uint32_t item, usec_t at, usec_t lasts)
{
	struct scenario *scenario = s->scenario;
	struct scenario candidate = *scenario;

	plan_copy(&candidate.plan, &scenario->plan);
	candidate.plan.items[item].at = at;
	candidate.plan.items[item].lasts = lasts;
	if (still_fails(s, &candidate)) {
		scenario->plan.items[item].at = at;
		scenario->plan.items[item].lasts = lasts;
	}
	plan_free(&candidate.plan);
}

/* Whole seconds are easier to read, if the order of things stays. */
static void round_times(struct shrinking *s)
{
	const struct plan *plan = &s->scenario->plan;

	for (uint32_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];
		usec_t at = item->at / USEC_SECOND * USEC_SECOND;
		usec_t lasts = item->lasts / USEC_SECOND * USEC_SECOND;

		if ((at == item->at && lasts == item->lasts) || at == 0 ||
			(item->lasts > 0 && lasts == 0) || (i > 0 && at < plan->items[i - 1].at))
			continue;
		try_times(s, i, at, lasts);
	}
}

void shrink_scenario(struct scenario *scenario, FILE *progress)
{
	struct shrinking s = {.scenario = scenario, .progress = progress};

	for (uint32_t size = scenario->plan.count / 2; size > 0; size /= 2)
		(void)cut_pieces(&s, size);
	while (cut_pieces(&s, 1))
		continue;
	cut_sites(&s);
	simplify(&s);
	round_times(&s);
	cut_time(&s);
	if (progress)
		(void)fprintf(
			progress, "\r%u tries, %u faults left\n", s.tries, scenario->plan.count);
}

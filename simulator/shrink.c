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

struct shrinking {
	struct scenario *scenario;
	FILE *progress;
	uint32_t tries;
};

static bool still_fails(struct shrinking *s, const struct scenario *candidate)
{
	struct run_result result;

	s->tries++;
	if (s->progress)
		(void)fprintf(s->progress, "\r%u tries, %u faults left ", s->tries,
			candidate->plan.count);
	run_scenario(candidate, candidate->seed, true, NULL, &result, NULL);
	if (result.failed != candidate->expected)
		return false;
	s->scenario->hash = result.hash;
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

void shrink_scenario(struct scenario *scenario, FILE *progress)
{
	struct shrinking s = {scenario, progress, 0};

	for (uint32_t size = scenario->plan.count / 2; size > 0; size /= 2)
		(void)cut_pieces(&s, size);
	while (cut_pieces(&s, 1))
		continue;
	cut_sites(&s);
	simplify(&s);
	if (progress)
		(void)fprintf(
			progress, "\r%u tries, %u faults left\n", s.tries, scenario->plan.count);
}

/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - from a failure with dozens of faults to the few that matter.
 *
 * A step is kept only if the same property fails: first halves of the plan are left out, then
 * quarters and so on down to single faults; then losses, routers, mischief, sites, and time behind
 * the failure. Whatever is kept can be written and read again.
 */
#include "simulator/commands.h"

#include <inttypes.h>

#include "simulator/batch.h"
#include "simulator/report.h"

struct shrinking {
	struct scenario *scenario;
	struct run_result *result; /* of the last run that failed alike */
	FILE *progress;
	uint32_t tries;
};

/* Something smaller that may be tried. */
static struct scenario candidate_of(const struct shrinking *s)
{
	struct scenario candidate = *s->scenario;

	plan_copy(&candidate.plan, &s->scenario->plan);
	return candidate;
}

static void show_progress(const struct shrinking *s, uint32_t faults, const char *end)
{
	if (s->progress)
		(void)fprintf(s->progress, "\r%u tr%s, %u fault%s left %s", s->tries,
			s->tries == 1 ? "y" : "ies", faults, PLURAL(faults), end);
}

/* Takes the candidate if it fails alike. Either way its plan is not the caller's any more. */
static bool offer(struct shrinking *s, struct scenario *candidate)
{
	struct batch_report report;

	s->tries++;
	show_progress(s, candidate->plan.count, "");
	if (batch_run_one(candidate, &report) < 0 || report.result.failed != candidate->expected) {
		plan_free(&candidate->plan);
		return false;
	}
	plan_free(&s->scenario->plan);
	*s->scenario = *candidate;
	s->scenario->hash = report.result.hash;
	*s->result = report.result;
	return true;
}

/* Leaves out as many faults as can be, in pieces of this size. */
static bool cut_pieces(struct shrinking *s, uint32_t size)
{
	bool cut = false;

	for (uint32_t first = 0; first < s->scenario->plan.count;) {
		struct scenario candidate = candidate_of(s);

		plan_remove(&candidate.plan, first, size);
		if (offer(s, &candidate))
			cut = true;
		else
			first += size;
	}
	return cut;
}

static bool mentions(const struct scenario *scenario, uint32_t site)
{
	for (uint32_t i = 0; i < scenario->plan.count; i++) {
		const struct plan_item *item = &scenario->plan.items[i];

		bool names = item->kind == PLAN_TWIN || plan_kind_has_other(item->kind);

		if (item->site >= site || (names && item->value >= (int64_t)site))
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
		struct scenario candidate;

		if (mentions(s->scenario, sites))
			continue;
		candidate = candidate_of(s);
		candidate.sites = sites;
		if (offer(s, &candidate))
			return;
	}
}

/* What needs a router goes with the last of them. */
static void cut_routers(struct shrinking *s)
{
	struct scenario candidate;

	if (s->scenario->router_count == 0)
		return;
	candidate = candidate_of(s);
	candidate.router_count = 0;
	for (uint32_t i = candidate.plan.count; i > 0; i--) {
		enum plan_kind kind = candidate.plan.items[i - 1].kind;

		if (kind == PLAN_REBOOT || kind == PLAN_RENUMBER)
			plan_remove(&candidate.plan, i - 1, 1);
	}
	(void)offer(s, &candidate);
}

static void cut_mischief(struct shrinking *s)
{
	for (uint32_t i = s->scenario->mischief_count; i > 0; i--) {
		struct scenario candidate = candidate_of(s);

		candidate.mischief_count--;
		for (uint32_t j = i - 1; j < candidate.mischief_count; j++)
			candidate.mischief[j] = candidate.mischief[j + 1];
		(void)offer(s, &candidate);
	}
}

static void simplify(struct shrinking *s)
{
	const struct link_options plain = {.delay = s->scenario->line.delay};
	struct scenario candidate = candidate_of(s);

	candidate.line = plain;
	(void)offer(s, &candidate);
	cut_routers(s);
	cut_mischief(s);
}

/* Nothing of a plan is behind the end of the world, nor ends there where nothing heals. */
static usec_t end_of(const struct scenario *scenario, usec_t failed_at)
{
	usec_t end = (failed_at / USEC_SECOND + 1) * USEC_SECOND;

	for (uint32_t i = 0; i < scenario->plan.count; i++) {
		const struct plan_item *item = &scenario->plan.items[i];

		if (scenario->heal_at == USEC_NEVER && usec_add(item->at, item->lasts) > end)
			end = usec_add(item->at, item->lasts);
	}
	return end;
}

/* What would have come behind the failure. */
static void cut_time(struct shrinking *s)
{
	struct scenario candidate = candidate_of(s);

	/* A run that died has not said when. */
	if (s->result->at == 0) {
		plan_free(&candidate.plan);
		return;
	}
	for (uint32_t i = candidate.plan.count; i > 0; i--) {
		if (candidate.plan.items[i - 1].at > s->result->at)
			plan_remove(&candidate.plan, i - 1, 1);
	}
	candidate.duration = usec_min(candidate.duration, end_of(&candidate, s->result->at));
	if (candidate.heal_at != USEC_NEVER) {
		candidate.heal_at = usec_min(candidate.heal_at, candidate.duration);
		candidate.settle = usec_min(
			candidate.settle, candidate.duration - candidate.heal_at);
	}
	(void)offer(s, &candidate);
}

/* Whole seconds are easier to read, if the order of things stays. */
static void round_times(struct shrinking *s)
{
	for (uint32_t i = 0; i < s->scenario->plan.count; i++) {
		const struct plan *plan = &s->scenario->plan;
		const struct plan_item *item = &plan->items[i];
		usec_t at = item->at / USEC_SECOND * USEC_SECOND;
		usec_t lasts = item->lasts / USEC_SECOND * USEC_SECOND;
		struct scenario candidate;

		if ((at == item->at && lasts == item->lasts) || at == 0 ||
			(item->lasts > 0 && lasts == 0) || (i > 0 && at < plan->items[i - 1].at))
			continue;
		candidate = candidate_of(s);
		candidate.plan.items[i].at = at;
		candidate.plan.items[i].lasts = lasts;
		(void)offer(s, &candidate);
	}
}

void shrink_scenario(struct scenario *scenario, struct run_result *ret, FILE *progress)
{
	struct shrinking s = {.scenario = scenario, .result = ret, .progress = progress};

	for (uint32_t size = scenario->plan.count / 2; size > 0; size /= 2)
		(void)cut_pieces(&s, size);
	while (cut_pieces(&s, 1))
		continue;
	simplify(&s);
	cut_sites(&s);
	round_times(&s);
	cut_time(&s);
	show_progress(&s, scenario->plan.count, "\n");
}

/* SPDX-License-Identifier: MIT */
#include "simulator/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PLAN_KINDS] = {
	[PLAN_CRASH] = "crash",
	[PLAN_KILL] = "kill",
	[PLAN_WIPE] = "wipe",
	[PLAN_PAUSE] = "pause",
	[PLAN_SUSPEND] = "suspend",
	[PLAN_WALL] = "wall",
	[PLAN_ONE_WAY] = "one-way",
	[PLAN_REBOOT] = "reboot",
	[PLAN_RENUMBER] = "renumber",
	[PLAN_CLOCK] = "clock",
	[PLAN_DRIFT] = "drift",
	[PLAN_FULL] = "full",
	[PLAN_LOSS] = "loss",
	[PLAN_EXPEL] = "expel",
	[PLAN_LEAVE] = "leave",
	[PLAN_ROTATE] = "rotate",
	[PLAN_ROUTES] = "routes",
	[PLAN_JOIN] = "join",
	[PLAN_TWIN] = "twin",
	[PLAN_OFF] = "off",
	[PLAN_PART] = "part",
	[PLAN_FLOW] = "flow",
	[PLAN_LINK] = "link",
	[PLAN_UNLINK] = "unlink",
	[PLAN_RENEW] = "renew",
};

const char *plan_kind_name(enum plan_kind kind)
{
	return names[kind];
}

enum plan_kind plan_kind_of(const char *name)
{
	int kind = 0;

	while (kind < PLAN_KINDS && strcmp(names[kind], name) != 0)
		kind++;
	return (enum plan_kind)kind;
}

bool plan_kind_lasts(enum plan_kind kind)
{
	static const bool lasts[PLAN_KINDS] = {
		[PLAN_CRASH] = true,
		[PLAN_KILL] = true,
		[PLAN_PAUSE] = true,
		[PLAN_WALL] = true,
		[PLAN_ONE_WAY] = true,
		[PLAN_FULL] = true,
		[PLAN_LOSS] = true,
		[PLAN_OFF] = true,
		[PLAN_PART] = true,
		[PLAN_FLOW] = true,
	};

	return lasts[kind];
}

bool plan_kind_has_value(enum plan_kind kind)
{
	return kind == PLAN_CLOCK || kind == PLAN_DRIFT || kind == PLAN_LOSS || kind == PLAN_TWIN;
}

bool plan_kind_has_other(enum plan_kind kind)
{
	return kind == PLAN_PART || kind == PLAN_FLOW || kind == PLAN_LINK || kind == PLAN_UNLINK;
}

void plan_add(struct plan *plan, const struct plan_item *item)
{
	if ((plan->count & (plan->count - 1)) == 0)
		plan->items = realloc(
			plan->items, (plan->count ? 2 * (size_t)plan->count : 1) * sizeof *item);
	assert(plan->items);
	plan->items[plan->count++] = *item;
}

void plan_sort(struct plan *plan)
{
	/* Plans are short, and equal times keep their order. */
	for (uint32_t i = 1; i < plan->count; i++) {
		struct plan_item moved = plan->items[i];
		uint32_t at = i;

		for (; at > 0 && plan->items[at - 1].at > moved.at; at--)
			plan->items[at] = plan->items[at - 1];
		plan->items[at] = moved;
	}
}

void plan_copy(struct plan *to, const struct plan *from)
{
	*to = (struct plan){.count = 0};
	for (uint32_t i = 0; i < from->count; i++)
		plan_add(to, &from->items[i]);
}

void plan_remove(struct plan *plan, uint32_t first, uint32_t count)
{
	struct plan kept = {.count = 0};

	for (uint32_t i = 0; i < plan->count; i++) {
		if (i < first || i >= first + count)
			plan_add(&kept, &plan->items[i]);
	}
	plan_free(plan);
	*plan = kept;
}

void plan_free(struct plan *plan)
{
	free(plan->items);
	*plan = (struct plan){.count = 0};
}

static int64_t draw_value(struct prng *prng, enum plan_kind kind)
{
	if (kind == PLAN_CLOCK)
		return (int64_t)prng_below(prng, 2 * 86400000) - 86400000;
	/* A bad quartz is off by 100, a machine that sleeps by more. */
	if (kind == PLAN_DRIFT)
		return (int64_t)prng_below(prng, 2001) - 1000;
	if (kind == PLAN_LOSS)
		return 100000 + (int64_t)prng_below(prng, 500000);
	return 0;
}

/* One of the spokes, and not this one. */
static uint32_t draw_other(struct prng *prng, uint32_t site, uint32_t sites)
{
	uint32_t other = 1 + (uint32_t)prng_below(prng, sites - 2);

	return other < site ? other : other + 1;
}

static struct plan_item draw_item(
	struct prng *prng, enum plan_kind kind, uint32_t sites, usec_t until)
{
	struct plan_item item = {.kind = kind};
	usec_t longest = usec_min(5 * USEC_MINUTE, until / 4);

	item.at = USEC_SECOND + (usec_t)prng_below(prng, (uint64_t)until);
	item.lasts = 100 * USEC_MSEC + (usec_t)prng_below(prng, (uint64_t)longest);
	/* What happens happens to the hub as often as to all spokes together. */
	item.site = (uint32_t)prng_below(prng, 4) == 0 ? 0 : (uint32_t)prng_below(prng, sites);
	if (item.site == 0 && kind != PLAN_CRASH && kind != PLAN_KILL && kind != PLAN_PAUSE &&
		kind != PLAN_SUSPEND && kind != PLAN_FULL && kind != PLAN_LOSS && kind != PLAN_OFF)
		item.site = 1 + (uint32_t)prng_below(prng, sites - 1);
	if (item.at + item.lasts > until)
		item.at = until > item.lasts ? until - item.lasts : 0;
	if (!plan_kind_lasts(kind))
		item.lasts = 0;
	item.value = draw_value(prng, kind);
	if (plan_kind_has_other(kind))
		item.value = draw_other(prng, item.site, sites);
	return item;
}

void plan_draw(struct plan *plan, struct prng *prng, const uint32_t counts[static PLAN_KINDS],
	uint32_t sites, usec_t until)
{
	for (int kind = 0; kind < PLAN_KINDS && sites > 1; kind++) {
		struct prng own;
		uint32_t count;

		if (counts[kind] == 0)
			continue;
		prng_fork(&own, prng, names[kind], 0);
		count = (uint32_t)prng_below(&own, 2)
				? (uint32_t)prng_below(&own, 2 * (uint64_t)counts[kind] + 1)
				: 0;
		for (uint32_t i = 0; i < count; i++) {
			struct plan_item item = draw_item(&own, (enum plan_kind)kind, sites, until);

			plan_add(plan, &item);
		}
	}
	plan_sort(plan);
}

/* SPDX-License-Identifier: MIT */
/*
 * clock.c - which time it is, when the machine may be wrong about it.
 *
 * A machine without a battery wakes up in the past. The hub's clock is heard over the tunnel; when
 * ours is off by more than five minutes we go by the hub's. Never by less than what is certain: the
 * time that this program was built, that we saved, and that an admin signed. And what somebody sets
 * the machine's clock by is no time that passed.
 */
#include "site/site_internal.h"

#define SET_LEAST_MS 1000 /* less is how clocks are read */

uint64_t site_wall(const struct site *site)
{
	int64_t wall = (int64_t)site->machine_wall;

	if (site->clock_is_off)
		wall += site->hub_offset;
	return wall > (int64_t)site->clock_floor ? (uint64_t)wall : site->clock_floor;
}

usec_t site_at_wall(const struct site *site, uint64_t wall)
{
	uint64_t now = site_wall(site);

	if (wall > now && wall - now > (uint64_t)(USEC_NEVER / 2 / USEC_MSEC))
		return USEC_NEVER;
	return wall <= now ? site->now : site->now + (usec_t)(wall - now) * USEC_MSEC;
}

/* A hub goes by its own clock; everybody else waits until a hub was heard. */
bool site_clock_trusted(const struct site *site)
{
	return site->hub_role || site->has_offset;
}

void site_clock_heard(struct site *site, struct site_actions *out, int64_t offset_ms)
{
	int64_t off = offset_ms < 0 ? -offset_ms : offset_ms;
	bool is_off = off > SITE_CLOCK_OFF_MS;

	if (site->hub_role)
		return;
	site->hub_offset = offset_ms;
	site->has_offset = true;
	if (is_off != site->clock_is_off)
		site_log(out, is_off ? SITE_LOG_CLOCK_OFF : SITE_LOG_CLOCK_WELL, "",
			offset_ms / 1000);
	site->clock_is_off = is_off;
}

void site_clock_read(
	struct site *site, usec_t now, const struct site_event *event, struct site_actions *out)
{
	int64_t passed = (now - site->now) / USEC_MSEC;
	int64_t set = (int64_t)(event->wall - site->machine_wall) - passed;
	bool first = site->machine_wall == 0;

	site->now = now;
	site->machine_wall = event->wall;
	/* Who slept does not know for how long by any other clock. */
	if (first || !site->has_offset || event->kind == SITE_EVENT_RESUME ||
		(set > -SET_LEAST_MS && set < SET_LEAST_MS))
		return;
	site_clock_heard(site, out, site->hub_offset - set);
}

void site_clock_step(struct site *site, struct site_actions *out)
{
	uint64_t wall = site_wall(site);

	if (site->now < site->clock_save_at || !site_clock_trusted(site) || site_room(out) < 2)
		return;
	site->clock_save_at = site->now + SITE_CLOCK_SAVED_EVERY;
	if (wall <= site->clock_floor)
		return;
	site->clock_floor = wall;
	site_save_floor(site, out, "clock", wall);
}

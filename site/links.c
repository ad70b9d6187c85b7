/* SPDX-License-Identifier: MIT */
/*
 * links.c - which direct links there are, and what becomes of each: wanted, offered, met, alive,
 * left.
 *
 * A link needs the consent of both owners. Who wants one offers; who is offered one agrees by his
 * own rules. What failed rests until routers have forgotten it, and is tried at once where
 * something changed.
 */
#include <string.h>

#include "site/links_internal.h"

#define LOOKS_WITHIN (1500 * USEC_MSEC)
#define TURN_AFTER (100 * USEC_MSEC)
#define LOOKS_AGAIN (5 * USEC_SECOND)
#define REFLECTED_FOR (2 * USEC_MINUTE) /* beyond now, while one is wanted */
#define AWAY_MOST (5 * USEC_MINUTE)
#define HUSHED_REST 2
#define GLANCE_EVERY (150 * USEC_SECOND) /* longer than routers remember */
#define GLANCE_FOR (2 * USEC_SECOND)
#define RECALLS_ALONE (3 * USEC_SECOND) /* where another member would pass an offer on */
#define ROOM_FOR_ONE 40                 /* actions that a link may need in a step */

/* Rows. */

static void wipe(struct site_link *link)
{
	link_keys_wipe(&link->keys);
	key_wipe(&link->memory.preshared);
	key_wipe(&link->pair.private_key);
	seal_wipe(&link->words);
	meeting_end(&link->meeting);
}

struct site_link *site_link_of(const struct site *site, const struct row_id *member)
{
	return table_find(&site->links, member->bytes);
}

static void init_row(const struct site *site, struct site_link *link, const struct row_id *member)
{
	*link = (struct site_link){.member = *member,
		.since = site->now,
		.failed_at = -1,
		.traffic_at = -1,
		.next_at = site->now,
		.budget_left = LINK_ATTEMPTS_MAX,
		.budget_at = site->now,
		.trial = {.at = -1, .rtt_us = -1}};
	quiet_init(&link->quiet);
	budget_init(&link->answers);
}

static bool is_idle(const struct site_link *link)
{
	return link->stage == LINK_RESTS && !link->peer.told && !link->asked && !link->unlinked;
}

static struct site_link *make_row(struct site *site, const struct row_id *member)
{
	struct site_link *link = site_link_of(site, member);

	if (link)
		return link;
	for (uint32_t i = site->links.count; i > 0 && site->links.count == site->links.capacity;
		i--) {
		struct site_link *other = table_at(&site->links, i - 1);
		const struct member *whose = ledger_find(&site->ledger, &other->member);

		if (!is_idle(other) || (whose && site_link_idleness(site, whose) == LINK_NEW))
			continue;
		if (other->their_clock > site->offers_floor)
			site->offers_floor = other->their_clock;
		wipe(other);
		table_remove(&site->links, i - 1);
	}
	link = table_add(&site->links, member->bytes);
	if (link)
		init_row(site, link, member);
	else
		site->counters[SITE_COUNT_LINK_FULL]++;
	return link;
}

struct site_link *site_link_for_offer(struct site *site, const struct row_id *member)
{
	return make_row(site, member);
}

void site_link_turn(
	struct site *site, struct site_link *link, enum link_stage stage, enum link_reason reason)
{
	if (link->stage != stage || link->reason != reason)
		link->since = site->now;
	link->stage = stage;
	link->reason = reason;
	link->until = USEC_NEVER;
}

/* What is allowed, and what is wanted. */

static bool is_named(const struct site_policy *policy, const struct certificate *certificate)
{
	for (uint32_t i = 0; i < policy->count; i++) {
		const struct site_selector *selector = &policy->items[i];

		if (!selector->is_tag && strcmp(selector->name, certificate->name) == 0)
			return true;
		for (uint32_t k = 0; selector->is_tag && k < certificate->tags.count; k++) {
			if (strcmp(selector->name, certificate->tags.items[k]) == 0)
				return true;
		}
	}
	return false;
}

static bool is_asked(const struct site *site, const struct site_link *link)
{
	return link && link->asked &&
	       (link->asked_until == 0 || site_wall(site) < link->asked_until);
}

/* What the ledger says of a member: what is against it there, and whether the policy names it. */
static struct link_standing stand(const struct site *site, const struct member *member)
{
	struct link_standing standing = {.against = LINK_NEW};
	struct certificate certificate;
	struct record record;

	if (memcmp(&member->id, &site->id, ROW_ID_SIZE) == 0)
		standing.against = LINK_SELF;
	else if (!member->in_force || member->left)
		standing.against = LINK_GONE;
	else if (member->hub || site->hub_role)
		standing.against = LINK_WITH_HUB;
	else if (ledger_record(&site->ledger, member, &record) && record.flags & RECORD_RELAY_ONLY)
		standing.against = LINK_RELAY_ONLY;
	if (standing.against != LINK_NEW)
		return standing;
	ledger_certificate(&site->ledger, member, &certificate);
	standing.is_named = is_named(&site->options.links, &certificate);
	return standing;
}

/* The same, read once for each state of the ledger: it is asked for in every step. */
static struct link_standing standing_of(
	const struct site *site, struct site_link *link, const struct member *member)
{
	if (!link)
		return stand(site, member);
	if (!link->judged || link->judged_generation != site->ledger.generation) {
		link->standing = stand(site, member);
		link->judged_generation = site->ledger.generation;
		link->judged = true;
	}
	return link->standing;
}

enum link_reason site_link_objection(const struct site *site, const struct member *member)
{
	struct site_link *link = site_link_of(site, &member->id);
	struct link_standing standing = standing_of(site, link, member);

	if (standing.against != LINK_NEW && standing.against != LINK_RELAY_ONLY)
		return standing.against;
	if (link && link->unlinked)
		return LINK_UNLINKED;
	if (standing.against != LINK_NEW)
		return standing.against;
	if (!standing.is_named && !is_asked(site, link))
		return LINK_NO_POLICY;
	return site->ground.deaf ? LINK_DEAF : LINK_NEW;
}

enum link_reason site_link_idleness(const struct site *site, const struct member *member)
{
	const struct site_link *link = site_link_of(site, &member->id);
	enum link_reason objection = site_link_objection(site, member);

	if (objection != LINK_NEW || is_asked(site, link))
		return objection;
	switch (site->options.links.when) {
	case SITE_WHEN_ALWAYS:
		return LINK_NEW;
	case SITE_WHEN_TRAFFIC:
		return link && link->traffic_at >= 0 &&
				       site->now - link->traffic_at < LINK_TRAFFIC_LASTS
			       ? LINK_NEW
			       : LINK_NO_TRAFFIC;
	case SITE_WHEN_ASKED:
		break;
	}
	return LINK_NOT_ASKED;
}

static bool operates(const struct site *site)
{
	return site->has_collective && site->state == SITE_MEMBER && !site->hub_role && !site->down;
}

bool site_links_rotate(const struct site *site)
{
	return site->rotation.state == ROTATION_SWITCHED ||
	       (site->rotation.state != ROTATION_IDLE && site->certified_at != USEC_NEVER);
}

/* Whether offers find their way. */
enum link_reason site_link_obstacle(const struct site *site, const struct row_id *member)
{
	bool silent = !site_peer_of(site, &site->hub) || site_hub_is_silent(site);

	if (site_links_rotate(site))
		return LINK_ROTATING;
	return silent && !site_link_has_helper(site, member) ? LINK_HUB_SILENT : LINK_NEW;
}

/* Following the ledger. */

static void forget(struct site *site, struct site_actions *out, struct site_link *link)
{
	site_link_route(site, link, out, false);
	site_link_drop_peer(site, link, out);
	wipe(link);
}

/* Returns false where there was no room for all. */
static bool review_rows(struct site *site, struct site_actions *out)
{
	for (uint32_t i = site->links.count; i > 0; i--) {
		struct site_link *link = table_at(&site->links, i - 1);
		const struct member *member = ledger_find(&site->ledger, &link->member);

		if (site_room(out) < ROOM_FOR_ONE)
			return false;
		if (!member || !member->in_force) {
			forget(site, out, link);
			site_link_forget(site, link, out);
			if (link->asked || link->unlinked)
				site_save_wish(site, out, link, true);
			if (link->their_saved > 0)
				site_save_offers(site, out, link, true);
			table_remove(&site->links, i - 1);
		} else if (link->peer.told &&
			   !hash_equal(&link->peer.certificate, &member->certificate_hash) &&
			   link->stage != LINK_LEAVES) {
			site_link_leave(site, link, out, LINK_ENDING);
		}
	}
	return true;
}

static bool review(struct site *site, struct site_actions *out)
{
	if (!review_rows(site, out))
		return false;
	/* Where the policy names nobody, nobody without a row is wanted: no certificate is read. */
	if (site->options.links.when != SITE_WHEN_ALWAYS || site->options.links.count == 0)
		return true;
	for (uint32_t i = 0; i < site->ledger.members.count; i++) {
		const struct member *member = table_at(&site->ledger.members, i);

		if (site_link_idleness(site, member) == LINK_NEW)
			(void)make_row(site, &member->id);
	}
	return true;
}

/* Attempts. */

void site_link_fail(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason)
{
	site_link_route(site, link, out, false);
	site_link_drop_peer(site, link, out);
	link->recalls = false;
	/* Where the other end has counted more, that counts. */
	if (link->quiet.failures < link->trial.attempt)
		link->quiet.failures = link->trial.attempt;
	quiet_failed(&link->quiet, site->now, &site->prng);
	link->failed_at = site->now;
	link->has_path = false;
	/* It was tried with what there was before. */
	if (link->changed) {
		quiet_reset(&link->quiet);
		link->next_at = site->now;
		link->changed = false;
	}
	if (link->quiet.failures >= HUSHED_REST)
		site_reflect_hush(site);
	site_link_turn(site, link, LINK_RESTS, reason);
}

static bool is_seen(const struct site *site, const struct site_link *link)
{
	return site_reflect_is_fresh(site) && site_reflect_place(site)->seen_at >= link->fresh_from;
}

static void begin(struct site *site, struct site_link *link)
{
	site_link_turn(site, link, LINK_LOOKS, LINK_LOOKING);
	link->until = site->now + LOOKS_WITHIN;
	link->changed = false;
	if (!is_seen(site, link))
		site_reflect_now(site);
}

/*
 * What there was before goes on being looked at: it may come back, or be all there is. What was
 * ended does not: it may have been for what the other end may say no longer.
 */
void site_link_fall_back(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason)
{
	if (link->peer.ended) {
		site_link_drop_peer(site, link, out);
		site_link_forget(site, link, out);
	}
	if (site_link_recall(site, link, out))
		return;
	if (link->peer.told && !link->awaits)
		site_link_turn(site, link, LINK_LIVES, LINK_DIED);
	else
		site_link_turn(site, link, LINK_RESTS, reason);
}

bool site_link_is_engaged(const struct site *site, const struct site_link *link)
{
	if (site->behaviour.class.allocation != BEHAVIOUR_PORTS_SEQUENTIAL)
		return false;
	for (uint32_t i = 0; i < site->links.count; i++) {
		const struct site_link *other = table_at(&site->links, i);

		if (other != link && (other->stage == LINK_OFFERS || other->stage == LINK_ANSWERS ||
					     other->stage == LINK_MEETS))
			return true;
	}
	return false;
}

static void look(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (site_link_is_engaged(site, link)) {
		link->next_at = site->now + TURN_AFTER +
				(usec_t)prng_below(&site->prng, (uint32_t)TURN_AFTER);
		site_link_fall_back(site, link, out, LINK_LOOKING);
	} else if (is_seen(site, link)) {
		site_link_offer(site, link, out);
	} else if (site->now >= link->until) {
		if (site_link_knows_places(site)) {
			site_link_offer(site, link, out);
			return;
		}
		link->next_at = site->now + LOOKS_AGAIN;
		site_link_fall_back(site, link, out, LINK_UNSEEN);
	}
}

/* Ever more rarely: somebody who is away costs little. */
static void miss_answer(struct site *site, struct site_link *link, struct site_actions *out)
{
	uint32_t doublings = link->unanswered < 9 ? link->unanswered : 9;

	key_wipe(&link->pair.private_key);
	link->unanswered++;
	link->next_at = site->now + usec_min(USEC_SECOND << doublings, AWAY_MOST);
	site_link_fall_back(site, link, out, LINK_UNANSWERED);
}

/*
 * From the second rest on nothing leaves by the links' port for this link, questions to the hub
 * included: they would keep alive what a router remembers wrongly of that port. Now and then there
 * is a glance at whether this site is still seen at the same place; between two of them routers
 * forget.
 */
static bool is_hushed(const struct site *site, const struct site_link *link)
{
	return link->quiet.failures >= HUSHED_REST && site->now < quiet_until(&link->quiet);
}

/* That the hub is silent is understood later than that nothing was answered. */
static bool may_recall(
	const struct site *site, const struct site_link *link, enum link_reason against)
{
	return site->now >= quiet_until(&link->quiet) &&
	       (link->reason == LINK_UNSEEN || link->reason == LINK_UNANSWERED ||
		       (against == LINK_HUB_SILENT && site->now >= link->next_at));
}

static void rest(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	enum link_reason idleness = site_link_idleness(site, member);
	enum link_reason against = idleness == LINK_NEW ? site_link_obstacle(site, &link->member)
							: idleness;

	if (against != LINK_HUB_SILENT && link->awaits)
		site_link_drop_peer(site, link, out);
	if (against == LINK_HUB_SILENT && site_hub_seems_silent(site))
		site_link_await(site, link, out);
	if (idleness == LINK_NEW && may_recall(site, link, against) &&
		site_link_recall(site, link, out))
		return;
	/* What failed is worth knowing until it is tried again. */
	if (against != LINK_NEW) {
		if (link->failed_at < 0)
			site_link_turn(site, link, LINK_RESTS, against);
		return;
	}
	if (!is_hushed(site, link)) {
		site_reflect_want(site, site->now + REFLECTED_FOR);
		site->glance_at = site->now + GLANCE_EVERY;
	} else if (site->now >= site->glance_at) {
		site_reflect_want(site, site->now + GLANCE_FOR);
		site_reflect_now(site);
		site->glance_at = site->now + GLANCE_EVERY;
	}
	/* What was waited for is known now. */
	if (link->reason == LINK_UNSEEN && is_seen(site, link))
		link->next_at = site->now;
	if (site->now >= link->next_at && site->now >= quiet_until(&link->quiet))
		begin(site, link);
}

static void meet(struct site *site, struct site_link *link, struct site_actions *out)
{
	struct meeting_actions actions;

	if (meeting_wakeup(&link->meeting) > site->now)
		return;
	meeting_step(&link->meeting, site->now, &actions);
	site_link_meet(site, link, out, &actions);
}

/* What was agreed to may be taken back while it is on its way. */
static bool is_withdrawn(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	enum link_reason objection = site_link_objection(site, member);

	if (objection == LINK_NEW || link->stage == LINK_RESTS || link->stage == LINK_LEAVES)
		return false;
	if (link->peer.told) {
		site_link_leave(site, link, out, objection);
	} else {
		site_link_turn(site, link, LINK_RESTS, objection);
	}
	return true;
}

static bool is_dead(const struct site_link *link)
{
	return !link->has_path || link->path.dead_at != USEC_NEVER;
}

/* Whether this site is seen at another place than the other end was told of, and calls in vain. */
static bool has_moved(const struct site *site, const struct site_link *link)
{
	return is_dead(link) && is_seen(site, link) &&
	       !endpoint_equal(&site_reflect_place(site)->seen, &link->seen_as);
}

/* From a link that there was, and that did not rest: nobody asks yet where this site is seen. */
static void begin_anew(struct site *site, struct site_link *link, struct site_actions *out)
{
	begin(site, link);
	site_reflect_want(site, site->now + REFLECTED_FOR);
	look(site, link, out);
}

static void live(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	bool wanted = site_link_idleness(site, member) == LINK_NEW;

	if (wanted)
		link->released = false;
	else if (!link->invited && !link->released)
		site_link_release(site, link, out);
	site_link_step_path(site, link, out);
	if (link->stage != LINK_LIVES || !wanted || !has_moved(site, link) ||
		site->now < link->next_at || site_link_obstacle(site, &link->member) != LINK_NEW)
		return;
	/* What was there does not come back: another way is looked for at once. */
	begin_anew(site, link, out);
}

/* Called for long enough where it was, while others could ask it: it may be elsewhere. */
static bool is_recalled_in_vain(
	const struct site *site, const struct site_link *link, const struct member *member)
{
	return link->stage == LINK_CALLS && link->recalls &&
	       site->now >= link->since + RECALLS_ALONE && site->now >= link->next_at &&
	       site->now >= quiet_until(&link->quiet) &&
	       site_link_idleness(site, member) == LINK_NEW &&
	       site_link_obstacle(site, &link->member) == LINK_NEW;
}

static void call(struct site *site, struct site_link *link, struct site_actions *out,
	const struct member *member)
{
	meet(site, link, out);
	if (link->stage == LINK_CALLS)
		site_link_step_path(site, link, out);
	if (!is_recalled_in_vain(site, link, member))
		return;
	link->recalls = false;
	link->has_path = false;
	begin_anew(site, link, out);
}

static void step_one(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);

	if (!member || is_withdrawn(site, link, out, member))
		return;
	if (link->stage == LINK_RESTS)
		rest(site, link, out, member);
	switch (link->stage) {
	case LINK_RESTS:
	case LINK_STAGES:
		return;
	case LINK_LOOKS:
		look(site, link, out);
		if (link->has_path && link->stage != LINK_MEETS)
			site_link_step_path(site, link, out);
		return;
	case LINK_OFFERS:
		if (link->has_path)
			site_link_step_path(site, link, out);
		if (link->stage != LINK_OFFERS)
			return;
		if (site->now >= link->until && !site_link_offer_again(site, link, out))
			miss_answer(site, link, out);
		return;
	case LINK_ANSWERS:
		if (site_reflect_is_fresh(site) || site->now >= link->until)
			site_link_answer(site, link, out);
		return;
	case LINK_MEETS:
		meet(site, link, out);
		return;
	case LINK_CALLS:
		call(site, link, out, member);
		return;
	case LINK_LIVES:
		live(site, link, out, member);
		return;
	case LINK_LEAVES:
		site_link_step_leave(site, link, out);
		return;
	}
}

static void poll(struct site *site, struct site_actions *out)
{
	usec_t after = USEC_NEVER;
	struct site_action *action;

	for (uint32_t i = 0; i < site->links.count; i++) {
		const struct site_link *link = table_at(&site->links, i);

		if (link->stage == LINK_LIVES && link->has_path)
			after = usec_min(after, path_poll_after(&link->path));
	}
	if (after == USEC_NEVER) {
		site->links_poll_at = USEC_NEVER;
		return;
	}
	site->links_poll_at = usec_min(site->links_poll_at, site->now + after);
	if (site->now < site->links_poll_at || site_room(out) == 0)
		return;
	site->links_poll_at = site->now + after;
	action = site_emit(out, SITE_POLL);
	action->interface = SITE_LINKS;
}

void site_links_step(struct site *site, struct site_actions *out)
{
	if (!operates(site)) {
		site_links_clear(site);
		return;
	}
	if (site->links_generation != site->ledger.generation && review(site, out))
		site->links_generation = site->ledger.generation;
	for (uint32_t i = 0; i < site->links.count && site_room(out) >= ROOM_FOR_ONE; i++)
		step_one(site, table_at(&site->links, i), out);
	poll(site, out);
}

static usec_t rest_wakeup(const struct site *site, const struct site_link *link)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);
	usec_t at = link->next_at > quiet_until(&link->quiet) ? link->next_at
							      : quiet_until(&link->quiet);

	if (!member || site_link_idleness(site, member) != LINK_NEW)
		return USEC_NEVER;
	if (site_link_obstacle(site, &link->member) != LINK_NEW)
		return link->memory.kept && at > site->now ? at : USEC_NEVER;
	return is_hushed(site, link) ? usec_min(at, site->glance_at) : at;
}

/* When a wish ends by itself. */
static usec_t wish_ends(const struct site *site, const struct site_link *link)
{
	usec_t at = USEC_NEVER;

	if (link->stage != LINK_LIVES || link->released)
		return at;
	if (link->asked && link->asked_until != 0)
		at = site_at_wall(site, link->asked_until);
	if (link->traffic_at >= 0 && site->options.links.when == SITE_WHEN_TRAFFIC)
		at = usec_min(at, link->traffic_at + LINK_TRAFFIC_LASTS);
	return at > site->now ? at : USEC_NEVER;
}

static usec_t wakeup_of(const struct site *site, const struct site_link *link)
{
	usec_t at = usec_min(link->until, wish_ends(site, link));

	switch (link->stage) {
	case LINK_RESTS:
		return rest_wakeup(site, link);
	case LINK_MEETS:
		return usec_min(at, meeting_wakeup(&link->meeting));
	case LINK_CALLS:
		at = usec_min(at, meeting_wakeup(&link->meeting));
		if (link->recalls && link->since + RECALLS_ALONE > site->now)
			at = usec_min(at, link->since + RECALLS_ALONE);
		break;
	case LINK_LIVES:
		if (has_moved(site, link))
			at = usec_min(at, rest_wakeup(site, link));
		break;
	case LINK_LOOKS:
	case LINK_OFFERS:
	case LINK_LEAVES:
		break;
	case LINK_ANSWERS:
	case LINK_STAGES:
		return at;
	}
	return usec_min(at, site_link_path_wakeup(site, link));
}

usec_t site_links_wakeup(const struct site *site)
{
	usec_t at = USEC_NEVER;

	if (!operates(site))
		return at;
	if (site->links_generation != site->ledger.generation)
		return site->now;
	for (uint32_t i = 0; i < site->links.count; i++)
		at = usec_min(at, wakeup_of(site, table_at(&site->links, i)));
	return usec_min(at, site->links_poll_at);
}

/* What others tell them. */

void site_links_clear(struct site *site)
{
	for (uint32_t i = site->links.count; i > 0; i--) {
		struct site_link *link = table_at(&site->links, i - 1);
		struct site_link kept = *link;

		wipe(link);
		init_row(site, link, &kept.member);
		link->asked = kept.asked;
		link->unlinked = kept.unlinked;
		link->asked_until = kept.asked_until;
		link->memory = kept.memory;
		link->their_clock = kept.their_clock;
		link->their_saved = kept.their_saved;
		wipe(&kept);
		if (!link->asked && !link->unlinked && !link->memory.kept && link->their_saved == 0)
			table_remove(&site->links, i - 1);
	}
	site->links_poll_at = USEC_NEVER;
}

void site_links_reset(struct site *site)
{
	for (uint32_t i = 0; i < site->links.count; i++) {
		struct site_link *link = table_at(&site->links, i);

		quiet_reset(&link->quiet);
		link->unanswered = 0;
		if (link->stage == LINK_RESTS || link->stage == LINK_LIVES)
			link->next_at = site->now;
		else
			link->changed = true;
		if (link->stage == LINK_LIVES && link->has_path)
			path_doubted(&link->path, site->now);
	}
}

void site_links_resumed(struct site *site)
{
	site_links_reset(site);
	site_reflect_anew(site);
	for (uint32_t i = 0; i < site->links.count; i++) {
		struct site_link *link = table_at(&site->links, i);

		if (link->has_path)
			path_resumed(&link->path, site->now);
	}
}

void site_links_heard_of(struct site *site, const struct row_id *member)
{
	struct site_link *link = site_link_of(site, member);

	if (!link)
		return;
	/* What it says of itself is no change of the ledger's members. */
	link->judged = false;
	if (link->stage != LINK_RESTS)
		return;
	/* A record comes when its agent begins, or what is said of it changes; else every 8 hours.
	 */
	quiet_reset(&link->quiet);
	link->unanswered = 0;
	if (link->reason == LINK_UNANSWERED || link->reason == LINK_REFUSED ||
		link->reason == LINK_NOT_MET || link->reason == LINK_NO_HANDSHAKE)
		link->next_at = site->now;
}

bool site_links_are_away(struct site *site, struct site_actions *out)
{
	bool away = true;

	for (uint32_t i = 0; i < site->links.count; i++) {
		struct site_link *link = table_at(&site->links, i);

		if (link->peer.told && link->stage != LINK_LEAVES && site_room(out) >= ROOM_FOR_ONE)
			site_link_leave(site, link, out, LINK_ROTATING);
		else if (!link->peer.told && link->stage != LINK_RESTS)
			site_link_turn(site, link, LINK_RESTS, LINK_ROTATING);
		away = away && !link->peer.told;
	}
	return away;
}

bool site_links_listen(const struct site *site)
{
	for (uint32_t i = 0; i < site->links.count; i++) {
		const struct site_link *link = table_at(&site->links, i);

		if (site->now < link->listen_until)
			return true;
	}
	return false;
}

bool site_wants_mapping(const struct site *site)
{
	for (uint32_t i = 0; i < site->links.count && operates(site); i++) {
		const struct site_link *link = table_at(&site->links, i);
		const struct member *member = ledger_find(&site->ledger, &link->member);

		if (link->stage != LINK_RESTS ||
			(member && site_link_idleness(site, member) == LINK_NEW))
			return true;
	}
	return operates(site) && site->netcheck_request != 0;
}

bool site_link_is_routed(const struct site *site, const struct row_id *member)
{
	const struct site_link *link = site_link_of(site, member);

	return link && link->routed;
}

bool site_links_carry(const struct site *site, const struct row_id *member)
{
	const struct site_link *link = site_link_of(site, member);

	return link && link->stage == LINK_LIVES && link->has_path &&
	       link->path.dead_at == USEC_NEVER;
}

/* Commands. */

static struct site_link *link_for_command(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	const struct member *member = site->has_collective
					      ? ledger_find_name(&site->ledger, command->name)
					      : NULL;
	struct site_link *link;

	if (site->state != SITE_MEMBER || !member || member->left || !member->in_force)
		site_fail_unknown(command, out, command->name);
	else if (memcmp(&member->id, &site->id, ROW_ID_SIZE) == 0)
		site_fail(command, out, "this site itself has this name");
	else if (site->hub_role || member->hub)
		site_fail(command, out,
			"a hub needs no direct link: the backbone leads straight to it");
	else if ((link = make_row(site, &member->id)) == NULL)
		site_fail(command, out, "there are as many links as this site may have");
	else
		return link;
	return NULL;
}

void site_link_command(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	bool wants = command->kind == SITE_COMMAND_LINK;
	struct site_link *link = link_for_command(site, command, out);

	if (!link)
		return;
	link->asked = wants;
	link->unlinked = !wants;
	link->asked_until = wants && command->lifetime_ms != 0
				    ? site_wall(site) + command->lifetime_ms
				    : 0;
	quiet_reset(&link->quiet);
	link->unanswered = 0;
	if (link->stage == LINK_RESTS)
		link->next_at = site->now;
	site_save_wish(site, out, link, false);
	site_done(command, out);
}

void site_link_restore_memory(
	struct site *site, const struct row_id *member, const struct link_memory *memory)
{
	struct site_link *link = make_row(site, member);

	if (link)
		link->memory = *memory;
}

void site_link_restore_offers(struct site *site, const struct row_id *member, uint64_t clock)
{
	struct site_link *link = make_row(site, member);

	if (link)
		link->their_clock = link->their_saved = clock;
	else if (clock > site->offers_floor)
		site->offers_floor = clock;
}

bool site_link_restore(struct site *site, const struct row_id *member, uint8_t wish, uint64_t until)
{
	struct site_link *link = make_row(site, member);

	if (wish != SITE_WISH_LINK && wish != SITE_WISH_NONE)
		return false;
	if (!link)
		return true;
	link->asked = wish == SITE_WISH_LINK;
	link->unlinked = !link->asked;
	link->asked_until = until;
	return true;
}

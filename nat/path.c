/* SPDX-License-Identifier: MIT */
#include "nat/path.h"

#include <assert.h>

#define POLL_PROBED (250 * USEC_MSEC)
#define POLL_SILENT (1 * USEC_SECOND)

#define WAIT_UNKNOWN (1 * USEC_SECOND) /* for an answer, where the round trip is not known */
#define WAIT_MIN (PATH_PROBE_BUSY / 2) /* as late a machine may be that has much to do */
#define WAIT_MAX PATH_ANSWER_MAX

/* So old may be the answer that a switch is founded on. */
#define FRESH_DIRECT (1 * USEC_SECOND)
#define FRESH_HUB (2 * PATH_PROBE_IDLE + 1 * USEC_SECOND)

enum decision {
	DECISION_NONE,
	DECISION_FIRST,  /* the direct way works: take it */
	DECISION_DEAD,   /* it does not any more: leave it */
	DECISION_OVER,   /* it will not: give it up */
	DECISION_DIRECT, /* it is worth coming back to */
	DECISION_HUB,    /* it works, but the hub's has been better for long */
};

static void probes_init(struct path_probes *probes, uint64_t first)
{
	*probes = (struct path_probes){
		.number = first, .last_at = -1, .answered_at = -1, .rtt_us = -1};
	for (uint32_t i = 0; i < PATH_PENDING; i++)
		probes->sent_at[i] = -1;
}

/* What was sent is neither answered nor missed any more, and what was counted begins anew. */
static void probes_forget(struct path_probes *probes)
{
	for (uint32_t i = 0; i < PATH_PENDING; i++)
		probes->sent_at[i] = -1;
	probes->answered = 0;
	probes->missed = 0;
}

/*
 * How long an answer is waited for: an eighth of a second, or the round trip and what it usually
 * varies by. The outage on a path that dies may be one round trip longer than the misses take;
 * half of one is used here, and the other is the way of the first packet by the hub. One that comes
 * later than that is no miss any more.
 */
static usec_t probes_wait(const struct path_probes *probes)
{
	usec_t margin;
	usec_t wait;
	usec_t longest;

	if (probes->rtt_us < 0)
		return WAIT_UNKNOWN;
	margin = 4 * probes->jitter_us;
	if (margin < probes->rtt_us / 8)
		margin = probes->rtt_us / 8;
	wait = probes->rtt_us + margin;
	longest = (probes->rtt_us < PATH_PROBE_BUSY ? PATH_PROBE_BUSY : probes->rtt_us) +
		  probes->rtt_us / 2;
	if (wait > longest)
		wait = longest;
	if (wait < WAIT_MIN)
		wait = WAIT_MIN;
	return usec_min(wait, WAIT_MAX);
}

/* The place of a probe's bit, 0 for the newest. */
static uint64_t probes_age(const struct path_probes *probes, uint64_t number)
{
	return probes->number - 1 - number;
}

/* Whether the probe with its bit at this age still waits for its answer. */
static bool probes_open(const struct path_probes *probes, uint64_t age)
{
	return probes->sent_at[(probes->number - 1 - age) % PATH_PENDING] >= 0 &&
	       !(probes->missed & UINT64_C(1) << age);
}

/* Misses in a row since the newest probe that was answered. */
static uint32_t probes_misses(const struct path_probes *probes)
{
	uint32_t count = 0;

	for (uint64_t bit = 1; bit != 0 && !(probes->answered & bit); bit <<= 1)
		count += (probes->missed & bit) != 0;
	return count;
}

/* Answers in a row since the newest probe that was missed. */
static uint32_t probes_clean(const struct path_probes *probes)
{
	uint32_t count = 0;

	for (uint64_t bit = 1; bit != 0 && !(probes->missed & bit); bit <<= 1)
		count += (probes->answered & bit) != 0;
	return count;
}

static bool probes_dead(const struct path_probes *probes)
{
	return probes_misses(probes) >= PATH_MISSES;
}

/* Whether something can be said of how good the way is. */
static bool probes_good(const struct path_probes *probes)
{
	return probes->rtt_us >= 0 && probes_clean(probes) >= PATH_CLEAN_ANSWERS;
}

static void probes_judge(struct path_probes *probes, usec_t now)
{
	usec_t wait = probes_wait(probes);

	for (uint64_t age = 0; age < PATH_PENDING; age++) {
		usec_t sent_at = probes->sent_at[(probes->number - 1 - age) % PATH_PENDING];

		/* The place of the oldest is needed: whoever is open after so many was missed. */
		if (probes_open(probes, age) && (now >= sent_at + wait || age == PATH_PENDING - 1))
			probes->missed |= UINT64_C(1) << age;
	}
}

/* When the first of those that are still open is to be judged. */
static usec_t probes_judge_at(const struct path_probes *probes)
{
	usec_t wait = probes_wait(probes);
	usec_t at = USEC_NEVER;

	for (uint64_t age = 0; age < PATH_PENDING; age++) {
		usec_t sent_at = probes->sent_at[(probes->number - 1 - age) % PATH_PENDING];

		if (probes_open(probes, age))
			at = usec_min(at, sent_at + wait);
	}
	return at;
}

static uint64_t probes_send(struct path_probes *probes, usec_t now)
{
	uint64_t number = probes->number;

	probes->answered <<= 1;
	probes->missed <<= 1;
	probes->sent_at[number % PATH_PENDING] = now;
	probes->last_at = now;
	probes->number++;
	return number;
}

static void probes_measure(struct path_probes *probes, int64_t rtt)
{
	int64_t difference;

	if (probes->rtt_us < 0) {
		probes->rtt_us = rtt;
		probes->jitter_us = rtt / 8;
		return;
	}
	difference = rtt - probes->rtt_us;
	probes->rtt_us += difference / 8;
	probes->jitter_us += ((difference < 0 ? -difference : difference) - probes->jitter_us) / 4;
}

/* Returns false where no such probe is awaited. One that was given up may still come. */
static bool probes_answered(struct path_probes *probes, usec_t now, uint64_t number)
{
	usec_t *sent_at = &probes->sent_at[number % PATH_PENDING];
	uint64_t age = probes_age(probes, number);
	uint64_t bit;

	if (age >= PATH_PENDING || *sent_at < 0 || now - *sent_at > PATH_ANSWER_MAX)
		return false;
	bit = UINT64_C(1) << age;
	probes->answered |= bit;
	probes->missed &= ~bit;
	probes_measure(probes, now - *sent_at);
	*sent_at = -1;
	probes->answered_at = now;
	return true;
}

void path_init(struct path *path, usec_t now, uint64_t first)
{
	assert(now >= 0);
	*path = (struct path){
		.now = now,
		.began_at = now,
		.way = PATH_HUB,
		.traffic_at = -1,
		.much_at = -1,
		.dead_at = USEC_NEVER,
		.alive_at = -1,
		.worse_at = USEC_NEVER,
		.burst_at = -1,
		.pause_at = -1,
	};
	probes_init(&path->probes[PATH_HUB], first);
	probes_init(&path->probes[PATH_DIRECT], first);
	rarely_init(&path->switches);
}

static bool traffic_within(const struct path *path, usec_t span)
{
	return path->traffic_at >= 0 && path->now < path->traffic_at + span;
}

/* Whether there is an answer by the hub that says how it is now, or there was never one, or there
 * will be none. */
static bool is_hub_known(const struct path *path)
{
	const struct path_probes *hub = &path->probes[PATH_HUB];

	return hub->rtt_us < 0 || probes_dead(hub) ||
	       hub->answered_at >= path->alive_at - FRESH_HUB;
}

/* A path that died answers again: is it worth coming back to? */
static bool is_undecided(const struct path *path)
{
	return path->alive_at >= 0 && path->dead_at == USEC_NEVER &&
	       !(probes_good(&path->probes[PATH_DIRECT]) && is_hub_known(path));
}

static usec_t interval_hub(const struct path *path)
{
	uint32_t misses = probes_misses(&path->probes[PATH_HUB]);

	if (is_undecided(path) && probes_good(&path->probes[PATH_DIRECT]))
		return PATH_PROBE_BUSY;
	if (misses > 0 && misses < PATH_MISSES)
		return PATH_PROBE_BUSY;
	return traffic_within(path, PATH_BUSY_FOR) ? PATH_PROBE_IDLE : USEC_NEVER;
}

static usec_t interval_direct(const struct path *path)
{
	bool dead = path->dead_at != USEC_NEVER;

	if (path->burst > 0)
		return PATH_PROBE_BURST;
	if (!path->verified || path->probes[PATH_DIRECT].last_at < 0 ||
		traffic_within(path, PATH_BUSY_FOR) || is_undecided(path))
		return PATH_PROBE_BUSY;
	/* One that was missed is followed up, so that traffic need not find a dead path. */
	if (!dead && probes_misses(&path->probes[PATH_DIRECT]) > 0)
		return PATH_PROBE_BUSY;
	return dead || traffic_within(path, PATH_PROBES_FOR) ? PATH_PROBE_IDLE : USEC_NEVER;
}

/* When the next probe is to leave by this way; what is past is due. */
static usec_t due_at(const struct path *path, enum path_way way)
{
	usec_t last_at = path->probes[way].last_at;
	usec_t interval = way == PATH_HUB ? interval_hub(path) : interval_direct(path);

	if (interval == USEC_NEVER)
		return USEC_NEVER;
	return last_at < 0 ? path->now : last_at + interval;
}

/* When the link ends if nothing is heard by the direct way. */
static usec_t over_at(const struct path *path)
{
	if (!path->verified)
		return path->began_at + PATH_FIRST_MAX;
	return usec_add(path->dead_at, PATH_DEAD_MAX);
}

/* Whether the direct way is good, as far as is known, and not the longer one. */
static bool is_back(const struct path *path)
{
	const struct path_probes *hub = &path->probes[PATH_HUB];
	const struct path_probes *direct = &path->probes[PATH_DIRECT];

	if (!probes_good(direct))
		return false;
	/* Nobody has to stay on a dead way, this one or the other. */
	return probes_dead(hub) || hub->rtt_us < 0 ||
	       direct->rtt_us < hub->rtt_us - (path->left ? PATH_BETTER_BY : 0);
}

/* Not often, where nothing is wrong with the hub's. */
static usec_t returns_from(const struct path *path)
{
	usec_t from = rarely_from(&path->switches);

	if (probes_dead(&path->probes[PATH_HUB]))
		return INT64_MIN;
	/* One that has died often is believed again as late as one that was never found. */
	return path->left ? from : usec_min(from, usec_add(path->away_at, PATH_AWAY_MAX));
}

static bool is_worth_return(const struct path *path)
{
	return is_back(path) && path->now >= returns_from(path) &&
	       path->now - path->probes[PATH_DIRECT].answered_at <= FRESH_DIRECT;
}

static bool is_crowded(const struct path *path)
{
	return path->much_at >= 0 && path->now < path->much_at + PATH_MUCH_FOR;
}

static bool is_slower(const struct path *path)
{
	const struct path_probes *hub = &path->probes[PATH_HUB];
	const struct path_probes *direct = &path->probes[PATH_DIRECT];

	return path->way == PATH_DIRECT && !is_crowded(path) && probes_good(hub) &&
	       probes_good(direct) && direct->rtt_us > hub->rtt_us + PATH_BETTER_BY;
}

static bool is_worth_leaving(const struct path *path)
{
	return path->now >= usec_add(path->worse_at, PATH_WORSE_FOR) && is_slower(path) &&
	       path->now - path->probes[PATH_HUB].answered_at <= FRESH_HUB &&
	       rarely_may(&path->switches, path->now);
}

static enum decision decide(const struct path *path)
{
	const struct path_probes *direct = &path->probes[PATH_DIRECT];

	if (!path->verified && (direct->answered_at >= 0 || path->heard) && !probes_dead(direct))
		return DECISION_FIRST;
	if (path->now >= over_at(path))
		return DECISION_OVER;
	if (!path->verified || path->dead_at != USEC_NEVER)
		return DECISION_NONE;
	if (probes_dead(direct))
		return DECISION_DEAD;
	if (path->way == PATH_HUB)
		return is_worth_return(path) ? DECISION_DIRECT : DECISION_NONE;
	return is_worth_leaving(path) ? DECISION_HUB : DECISION_NONE;
}

/* One that died is alive for all that is known. */
static void revive(struct path *path)
{
	if (path->dead_at == USEC_NEVER)
		return;
	path->dead_at = USEC_NEVER;
	path->alive_at = path->now;
}

static void forget(struct path *path)
{
	probes_forget(&path->probes[PATH_HUB]);
	probes_forget(&path->probes[PATH_DIRECT]);
	revive(path);
	path->worse_at = USEC_NEVER;
	path->burst = PATH_BURST;
	path->burst_at = path->now;
	path->heard = false;
	if (!path->verified) {
		path->began_at = path->now;
		path->probes[PATH_DIRECT].answered_at = -1;
	}
}

/*
 * Time goes on. Who comes long after the wake-up did not run, and answers may lie unread. That is
 * believed once in a while only: on a machine that is always late a dead path has to be left, too.
 */
static void path_advance(struct path *path, usec_t now)
{
	usec_t late_at = usec_add(path_wakeup(path), PATH_PAUSE);

	assert(now < USEC_NEVER / 2);
	if (now <= path->now)
		return;
	path->now = now;
	if (now <= late_at || (path->pause_at >= 0 && now - path->pause_at < PATH_PAUSE_REST))
		return;
	path->pause_at = now;
	forget(path);
}

static void doubt(struct path *path)
{
	if (path->burst_at >= 0 && path->now - path->burst_at < PATH_BURST_REST)
		return;
	path->burst = PATH_BURST;
	path->burst_at = path->now;
}

void path_traffic(struct path *path, usec_t now, uint64_t bytes)
{
	path_advance(path, now);
	/*
	 * What was compared before a silence is no reason to switch after it; and nobody knows
	 * whether the direct way, which was not probed meanwhile, still leads anywhere.
	 */
	if (!traffic_within(path, PATH_PROBES_FOR)) {
		path->worse_at = USEC_NEVER;
		if (path->verified)
			doubt(path);
	}
	path->traffic_at = path->now;
	if (bytes >= PATH_MUCH)
		path->much_at = path->now;
}

void path_heard(struct path *path, usec_t now)
{
	path_advance(path, now);
	path->heard = true;
}

void path_answered(struct path *path, usec_t now, enum path_way way, uint64_t number)
{
	assert(way == PATH_HUB || way == PATH_DIRECT);
	path_advance(path, now);
	if (path->over || !probes_answered(&path->probes[way], path->now, number))
		return;
	if (!probes_dead(&path->probes[PATH_DIRECT]))
		revive(path);
	if (!is_slower(path))
		path->worse_at = USEC_NEVER;
	else if (path->worse_at == USEC_NEVER)
		path->worse_at = path->now;
}

void path_doubted(struct path *path, usec_t now)
{
	path_advance(path, now);
	doubt(path);
}

void path_resumed(struct path *path, usec_t now)
{
	path_advance(path, now);
	forget(path);
}

static void act(
	struct path_actions *out, enum path_action_kind kind, enum path_way way, uint64_t number)
{
	assert(out->count < PATH_ACTIONS_MAX);
	out->items[out->count++] = (struct path_action){kind, way, number};
}

static void take(struct path *path, enum path_way way, struct path_actions *out)
{
	path->way = way;
	path->worse_at = USEC_NEVER;
	path->alive_at = -1;
	if (way == PATH_HUB)
		path->away_at = path->now;
	act(out, PATH_SWITCH, way, 0);
}

static void die(struct path *path, struct path_actions *out)
{
	path->left = false;
	path->dead_at = path->now;
	path->alive_at = -1;
	path->burst = 0;
	/* What comes after may be another way altogether. */
	path->probes[PATH_DIRECT].rtt_us = -1;
	path->probes[PATH_DIRECT].jitter_us = 0;
	probes_judge(&path->probes[PATH_DIRECT], path->now);
	if (path->way == PATH_HUB)
		return;
	take(path, PATH_HUB, out);
	act(out, PATH_TELL, PATH_HUB, 0);
}

static void follow(struct path *path, enum decision decision, struct path_actions *out)
{
	switch (decision) {
	case DECISION_NONE:
		return;
	case DECISION_FIRST:
		path->verified = true;
		rarely_note(&path->switches, path->now);
		take(path, PATH_DIRECT, out);
		return;
	case DECISION_DEAD:
		die(path, out);
		return;
	case DECISION_OVER:
		path->over = true;
		act(out, PATH_OVER, PATH_DIRECT, 0);
		return;
	case DECISION_DIRECT:
		if (!probes_dead(&path->probes[PATH_HUB]))
			rarely_note(&path->switches, path->now);
		take(path, PATH_DIRECT, out);
		return;
	case DECISION_HUB:
		path->left = true;
		rarely_note(&path->switches, path->now);
		take(path, PATH_HUB, out);
		return;
	}
}

void path_step(struct path *path, usec_t now, struct path_actions *out)
{
	out->count = 0;
	if (path->over)
		return;
	path_advance(path, now);
	probes_judge(&path->probes[PATH_HUB], path->now);
	probes_judge(&path->probes[PATH_DIRECT], path->now);
	follow(path, decide(path), out);
	for (enum path_way way = PATH_HUB; way <= PATH_DIRECT && !path->over; way++) {
		if (due_at(path, way) > path->now)
			continue;
		act(out, PATH_SEND, way, probes_send(&path->probes[way], path->now));
		if (way == PATH_DIRECT && path->burst > 0)
			path->burst--;
	}
}

usec_t path_wakeup(const struct path *path)
{
	usec_t at;

	if (path->over)
		return USEC_NEVER;
	if (decide(path) != DECISION_NONE)
		return path->now;
	at = usec_min(over_at(path), usec_min(due_at(path, PATH_HUB), due_at(path, PATH_DIRECT)));
	return usec_min(at, usec_min(probes_judge_at(&path->probes[PATH_HUB]),
				    probes_judge_at(&path->probes[PATH_DIRECT])));
}

usec_t path_poll_after(const struct path *path)
{
	return path->over || interval_direct(path) == USEC_NEVER ? POLL_SILENT : POLL_PROBED;
}

static uint32_t count_bits(uint64_t bits)
{
	uint32_t count = 0;

	for (; bits != 0; bits &= bits - 1)
		count++;
	return count;
}

usec_t path_held_until(const struct path *path)
{
	bool held = path->way == PATH_HUB && path->verified && path->dead_at == USEC_NEVER &&
		    !path->over && is_back(path) && path->now < returns_from(path);

	return held ? returns_from(path) : 0;
}

struct path_measure path_measured(const struct path *path, enum path_way way)
{
	const struct path_probes *probes = &path->probes[way];

	return (struct path_measure){
		.rtt_us = probes->rtt_us,
		.jitter_us = probes->jitter_us,
		.judged = count_bits(probes->answered | probes->missed),
		.lost = count_bits(probes->missed),
	};
}

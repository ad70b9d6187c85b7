/* SPDX-License-Identifier: MIT */
/*
 * test_path.c - a direct path beside the hub's: what is probed, what is believed, where traffic
 * goes.
 */
#include "tests/test.h"

#include <string.h>

#include "base/prng.h"
#include "nat/path.h"

#define MS USEC_MSEC
#define SECOND USEC_SECOND
#define START (100 * USEC_SECOND)
#define FIRST_NUMBER UINT64_C(1000)
#define FLIGHT_MAX 256

/* One answer on its way. */
struct flight {
	usec_t at;
	enum path_way way;
	uint64_t number;
};

/* The two ways, and what became of what was sent. */
struct ground {
	struct path path;
	usec_t now;
	usec_t rtt[2];
	bool broken[2];
	bool traffic; /* flows, and is looked for every 250 ms */
	usec_t traffic_next;
	uint64_t bytes; /* of it, by the direct way from one look to the next */
	usec_t much_until;
	struct flight flights[FLIGHT_MAX];
	uint32_t flight_count;
	uint32_t sent[2];
	usec_t sent_at[2]; /* the newest */
	uint32_t switches;
	usec_t switched_at;
	uint32_t told;
	uint32_t over;
	usec_t over_at;
};

static struct ground new_ground(usec_t hub, usec_t direct)
{
	struct ground ground = {.now = START, .rtt = {hub, direct}};

	path_init(&ground.path, START, FIRST_NUMBER);
	return ground;
}

static void launch(struct ground *ground, const struct path_action *action)
{
	ground->sent[action->way]++;
	ground->sent_at[action->way] = ground->now;
	if (ground->broken[action->way])
		return;
	assert_true(ground->flight_count < FLIGHT_MAX);
	ground->flights[ground->flight_count++] = (struct flight){
		ground->now + ground->rtt[action->way], action->way, action->number};
}

static void perform(struct ground *ground, const struct path_actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct path_action *action = &out->items[i];

		switch (action->kind) {
		case PATH_SEND:
			launch(ground, action);
			break;
		case PATH_SWITCH:
			ground->switches++;
			ground->switched_at = ground->now;
			assert_int_equal(ground->path.way, action->way);
			break;
		case PATH_TELL:
			ground->told++;
			break;
		case PATH_OVER:
			ground->over++;
			ground->over_at = ground->now;
			break;
		}
	}
}

static void step(struct ground *ground)
{
	struct path_actions out;

	path_step(&ground->path, ground->now, &out);
	perform(ground, &out);
	assert_true(path_wakeup(&ground->path) > ground->now);
}

/* The answers that are due come in. */
static void land(struct ground *ground)
{
	for (uint32_t i = 0; i < ground->flight_count;) {
		struct flight flight = ground->flights[i];

		if (flight.at > ground->now) {
			i++;
			continue;
		}
		ground->flights[i] = ground->flights[--ground->flight_count];
		if (!ground->broken[flight.way])
			path_answered(&ground->path, ground->now, flight.way, flight.number);
	}
}

static void look(struct ground *ground)
{
	if (!ground->traffic || ground->traffic_next > ground->now)
		return;
	path_traffic(&ground->path, ground->now, ground->bytes);
	ground->traffic_next = ground->now + 250 * MS;
	if (ground->bytes >= PATH_MUCH)
		ground->much_until = ground->now + PATH_MUCH_FOR;
}

static usec_t next_event(const struct ground *ground)
{
	usec_t at = path_wakeup(&ground->path);

	for (uint32_t i = 0; i < ground->flight_count; i++)
		at = usec_min(at, ground->flights[i].at);
	return ground->traffic ? usec_min(at, ground->traffic_next) : at;
}

/* Lets the time pass, with all that happens in it, up to and with end. */
static void run(struct ground *ground, usec_t end)
{
	for (usec_t at = next_event(ground); at <= end; at = next_event(ground)) {
		if (at > ground->now)
			ground->now = at;
		land(ground);
		look(ground);
		if (path_wakeup(&ground->path) <= ground->now)
			step(ground);
	}
	ground->now = end;
}

static void run_for(struct ground *ground, usec_t span)
{
	run(ground, ground->now + span);
}

static void flow(struct ground *ground)
{
	ground->traffic = true;
	ground->traffic_next = ground->now;
}

/* A path that has carried traffic for 30 s; the last direct probe left at this very time. */
static struct ground busy_ground(usec_t hub, usec_t direct)
{
	struct ground ground = new_ground(hub, direct);

	flow(&ground);
	run_for(&ground, 30 * SECOND);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	assert_int_equal(ground.sent_at[PATH_DIRECT], ground.now);
	return ground;
}

TEST(the_first_answer_brings_traffic_over_at_once)
{
	struct ground ground = new_ground(60 * MS, 20 * MS);

	(void)state;
	assert_int_equal(path_wakeup(&ground.path), START);
	run(&ground, START + 20 * MS - 1);
	assert_int_equal(ground.sent[PATH_DIRECT], 1);
	assert_int_equal(ground.switches, 0);
	assert_int_equal(ground.path.way, PATH_HUB);
	run_for(&ground, 1);
	assert_int_equal(ground.switches, 1);
	assert_int_equal(ground.switched_at, START + 20 * MS);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	assert_int_equal(ground.told, 0);
}

/* Who was called has answered, and that has got there. */
TEST(an_end_that_was_called_goes_over_when_it_hears_the_caller)
{
	struct ground ground = new_ground(60 * MS, 20 * MS);
	struct path_actions out;

	(void)state;
	path_heard(&ground.path, START);
	assert_int_equal(path_wakeup(&ground.path), START);
	path_step(&ground.path, START, &out);
	assert_int_equal(out.items[0].kind, PATH_SWITCH);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	/* It is measured all the same, and left if nothing answers. */
	assert_int_equal(out.items[1].kind, PATH_SEND);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).rtt_us, -1);
	ground.broken[PATH_DIRECT] = true;
	path_traffic(&ground.path, START, 0);
	run(&ground, START + 5 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_equal(ground.told, 1);
}

TEST(a_path_that_never_answers_is_given_up_after_five_seconds)
{
	struct ground ground = new_ground(60 * MS, 20 * MS);
	struct path_actions out;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run(&ground, START + 5 * SECOND - 1);
	assert_int_equal(ground.over, 0);
	assert_int_equal(ground.sent[PATH_DIRECT], 20);
	run(&ground, START + USEC_HOUR);
	assert_int_equal(ground.over, 1);
	assert_int_equal(ground.over_at, START + 5 * SECOND);
	assert_int_equal(ground.sent[PATH_DIRECT], 20);
	assert_int_equal(ground.switches, 0);
	assert_int_equal(path_wakeup(&ground.path), USEC_NEVER);
	/* Nothing wakes it again. */
	path_traffic(&ground.path, ground.now, ground.bytes);
	path_doubted(&ground.path, ground.now);
	path_resumed(&ground.path, ground.now);
	path_answered(&ground.path, ground.now, PATH_DIRECT, FIRST_NUMBER + 19);
	path_step(&ground.path, ground.now, &out);
	assert_int_equal(out.count, 0);
	assert_int_equal(path_wakeup(&ground.path), USEC_NEVER);
	assert_int_equal(path_poll_after(&ground.path), 1 * SECOND);
}

TEST(probes_follow_traffic)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	uint32_t direct = ground.sent[PATH_DIRECT];
	uint32_t hub = ground.sent[PATH_HUB];
	usec_t last;

	(void)state;
	run_for(&ground, 30 * SECOND);
	assert_int_equal(ground.sent[PATH_DIRECT] - direct, 4 * 30);
	assert_int_equal(ground.sent[PATH_HUB] - hub, 10);
	/* It ends with this look: two seconds of the same, then every three, and after 45 none. */
	ground.traffic = false;
	last = ground.path.traffic_at;
	assert_int_equal(last, ground.now);
	run_for(&ground, 2 * SECOND - 1);
	direct = ground.sent[PATH_DIRECT];
	hub = ground.sent[PATH_HUB];
	run(&ground, last + 45 * SECOND - 1);
	assert_int_equal(ground.sent[PATH_DIRECT] - direct, 14);
	assert_int_equal(path_poll_after(&ground.path), 250 * MS);
	run(&ground, last + USEC_HOUR);
	assert_int_equal(ground.sent[PATH_DIRECT] - direct, 14);
	assert_int_equal(ground.sent[PATH_HUB], hub);
	assert_int_equal(path_wakeup(&ground.path), USEC_NEVER);
	assert_int_equal(path_poll_after(&ground.path), 1 * SECOND);
	assert_int_equal(ground.switches, 1);
}

TEST(the_first_traffic_after_a_silence_is_followed_by_a_probe_at_once)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	uint32_t hub = ground.sent[PATH_HUB];
	uint32_t direct;

	(void)state;
	ground.traffic = false;
	run_for(&ground, 2 * USEC_MINUTE);
	direct = ground.sent[PATH_DIRECT];
	path_traffic(&ground.path, ground.now, ground.bytes);
	assert_true(path_wakeup(&ground.path) <= ground.now);
	step(&ground);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 1);
	assert_int_equal(ground.sent[PATH_HUB], hub + 1);
}

/* The path breaks right behind an answered probe: the worst case. Returns after how long it is
 * left. */
static usec_t outage(usec_t rtt)
{
	struct ground ground = busy_ground(2 * SECOND, rtt);
	usec_t broken_at;

	run_for(&ground, 1 * SECOND);
	broken_at = ground.now;
	ground.broken[PATH_DIRECT] = true;
	ground.switches = 0;
	run_for(&ground, 6 * SECOND);
	assert_int_equal(ground.switches, 1);
	assert_int_equal(ground.told, 1);
	assert_int_equal(ground.path.way, PATH_HUB);
	return ground.switched_at - broken_at;
}

TEST(a_dead_path_is_left_after_four_misses_and_the_wait_for_an_answer)
{
	(void)state;
	/* The answer to the probe of this moment is lost, too: three more leave, and a wait. */
	assert_int_equal(outage(20 * MS), 750 * MS + 125 * MS);
	assert_int_equal(outage(200 * MS), 750 * MS + 225 * MS);
	/* One more was on its way, and a quick answer takes an eighth longer at times. */
	assert_int_equal(outage(400 * MS), 500 * MS + 450 * MS);
	for (usec_t rtt = 1 * MS; rtt <= 1200 * MS; rtt += 37 * MS) {
		usec_t longest = 4 * 250 * MS + (rtt > 250 * MS ? rtt : 250 * MS) + rtt;

		assert_true(outage(rtt) <= longest);
	}
}

/* Somebody's upload begins, and every packet stands in its queue. */
TEST(a_way_that_slows_down_all_at_once_is_not_dead)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	(void)state;
	ground.switches = 0;
	ground.rtt[PATH_DIRECT] = 850 * MS;
	ground.bytes = PATH_MUCH;
	run_for(&ground, 4 * SECOND);
	assert_int_equal(ground.switches, 0);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
}

TEST(three_misses_are_forgiven)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	(void)state;
	run_for(&ground, 100 * MS);
	for (int i = 0; i < 20; i++) {
		ground.broken[PATH_DIRECT] = true;
		run_for(&ground, 750 * MS);
		ground.broken[PATH_DIRECT] = false;
		run_for(&ground, 250 * MS);
	}
	assert_int_equal(ground.switches, 1);
	assert_true(path_measured(&ground.path, PATH_DIRECT).lost >= 45);
}

/* A path that died where nobody used it, and what was once measured of the hub's way. */
static struct ground dead_in_silence(usec_t hub, usec_t direct)
{
	struct ground ground = busy_ground(hub, direct);

	ground.traffic = false;
	run_for(&ground, 2 * USEC_MINUTE);
	ground.broken[PATH_DIRECT] = true;
	path_doubted(&ground.path, ground.now);
	run_for(&ground, 5 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_true(ground.path.dead_at != USEC_NEVER);
	ground.broken[PATH_DIRECT] = false;
	return ground;
}

/* The next of three seconds' probes; five answers; and four misses by the hub, or an answer. */
TEST(a_path_that_answers_again_is_come_back_to_where_nothing_flows)
{
	struct ground ground = dead_in_silence(20 * MS, 20 * MS);
	uint32_t sent;

	(void)state;
	/* It takes longer than the hub once did; the hub is gone. */
	ground.rtt[PATH_DIRECT] = 30 * MS;
	ground.broken[PATH_HUB] = true;
	run_for(&ground, 3 * SECOND + 5 * 250 * MS + 4 * 250 * MS + 250 * MS);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	run_for(&ground, 5 * SECOND);
	sent = ground.sent[PATH_DIRECT] + ground.sent[PATH_HUB];
	run_for(&ground, USEC_HOUR);
	assert_int_equal(ground.sent[PATH_DIRECT] + ground.sent[PATH_HUB], sent);
	assert_int_equal(ground.path.way, PATH_DIRECT);
}

TEST(also_where_one_of_its_first_answers_is_lost)
{
	(void)state;
	for (usec_t after = 0; after <= 4 * SECOND; after += 50 * MS) {
		struct ground ground = dead_in_silence(60 * MS, 20 * MS);

		run_for(&ground, after);
		ground.broken[PATH_DIRECT] = true;
		run_for(&ground, 260 * MS);
		ground.broken[PATH_DIRECT] = false;
		run_for(&ground, 8 * SECOND);
		assert_int_equal(ground.path.way, PATH_DIRECT);
	}
}

TEST(and_is_not_where_the_hub_is_nearer_nor_probed_any_more)
{
	struct ground ground = dead_in_silence(20 * MS, 20 * MS);
	uint32_t sent[2];

	(void)state;
	ground.rtt[PATH_DIRECT] = 30 * MS;
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	memcpy(sent, ground.sent, sizeof sent);
	run_for(&ground, USEC_HOUR);
	assert_memory_equal(ground.sent, sent, sizeof sent);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(a_dead_path_is_found_soon_after_a_silence)
{
	struct ground ground = busy_ground(600 * MS, 400 * MS);
	usec_t begin;

	(void)state;
	ground.traffic = false;
	run_for(&ground, 5 * USEC_MINUTE);
	ground.broken[PATH_DIRECT] = true;
	begin = ground.now;
	/* Up to a second goes by until anybody looks. */
	run_for(&ground, path_poll_after(&ground.path));
	flow(&ground);
	run_for(&ground, 3 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_true(ground.switched_at - begin <= 2500 * MS);
}

/* The other end, which hears nothing meanwhile, has to find it out behind this one. */
TEST(after_a_silence_a_dead_path_is_left_by_a_burst)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	usec_t begin;

	(void)state;
	ground.traffic = false;
	run_for(&ground, 5 * USEC_MINUTE);
	ground.broken[PATH_DIRECT] = true;
	begin = ground.now;
	flow(&ground);
	run_for(&ground, 3 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_equal(ground.switched_at - begin, 300 * MS + 125 * MS);
}

TEST(a_miss_while_idle_is_followed_up_before_traffic_finds_it)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	(void)state;
	ground.traffic = false;
	run_for(&ground, 10 * SECOND);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 3 * SECOND + 4 * 250 * MS + 250 * MS);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_equal(ground.told, 1);
}

TEST(one_miss_while_idle_costs_two_more_probes_and_no_switch)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	uint32_t direct;

	(void)state;
	ground.traffic = false;
	run_for(&ground, 10 * SECOND);
	while (ground.sent_at[PATH_DIRECT] != ground.now)
		run(&ground, path_wakeup(&ground.path));
	direct = ground.sent[PATH_DIRECT];
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 249 * MS);
	ground.broken[PATH_DIRECT] = false;
	run_for(&ground, 1 * SECOND);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 1);
	run_for(&ground, 2250 * MS);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 2);
	assert_int_equal(ground.switches, 1);
}

TEST(traffic_comes_back_after_five_answers_and_not_four)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	usec_t first;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 3 * SECOND);
	assert_int_equal(ground.switches, 2);
	ground.broken[PATH_DIRECT] = false;
	ground.sent_at[PATH_DIRECT] = 0;
	while (ground.sent_at[PATH_DIRECT] == 0)
		run_for(&ground, 1 * MS);
	first = ground.sent_at[PATH_DIRECT];
	run(&ground, first + 4 * 250 * MS + 20 * MS - 1);
	assert_int_equal(ground.path.way, PATH_HUB);
	run_for(&ground, 1);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	assert_int_equal(ground.switches, 3);
	assert_int_equal(ground.told, 1);
}

static bool comes_back(usec_t hub, usec_t direct, bool hub_broken)
{
	struct ground ground = busy_ground(hub, direct);

	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 3 * SECOND);
	ground.broken[PATH_DIRECT] = false;
	ground.broken[PATH_HUB] = hub_broken;
	run_for(&ground, 10 * SECOND);
	return ground.path.way == PATH_DIRECT;
}

TEST(traffic_comes_back_to_a_way_that_died_where_that_is_the_shorter_one)
{
	(void)state;
	assert_true(comes_back(20 * MS + 100, 20 * MS, false));
	assert_false(comes_back(20 * MS, 20 * MS, false));
	assert_false(comes_back(19 * MS, 20 * MS, false));
	assert_true(comes_back(19 * MS, 20 * MS, true));
	/* Of a hub that never answered nothing is known. */
	struct ground ground = new_ground(21 * MS, 20 * MS);
	ground.broken[PATH_HUB] = true;
	flow(&ground);
	run_for(&ground, 1 * SECOND);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 1500 * MS);
	assert_int_equal(ground.path.way, PATH_HUB);
	ground.broken[PATH_DIRECT] = false;
	run_for(&ground, 2 * SECOND);
	assert_int_equal(ground.path.way, PATH_DIRECT);
}

TEST(a_slower_path_is_left_only_after_ten_seconds)
{
	struct ground ground = busy_ground(20 * MS, 22 * MS);

	(void)state;
	run_for(&ground, USEC_MINUTE);
	assert_int_equal(ground.switches, 1);
	ground = new_ground(20 * MS, 22 * MS + 1);
	flow(&ground);
	/* Five answers by the hub take twelve seconds and a round trip. */
	run(&ground, START + 12 * SECOND + 20 * MS + 10 * SECOND - 1);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	run_for(&ground, USEC_MINUTE);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_true(ground.switched_at < START + 23 * SECOND);
	assert_int_equal(ground.switches, 2);
	assert_int_equal(ground.told, 0);
}

/* To a way that was left for being slow. */
TEST(traffic_comes_back_to_a_slower_way_only_where_it_gains_two_milliseconds)
{
	struct ground ground = new_ground(20 * MS, 40 * MS);

	(void)state;
	flow(&ground);
	run_for(&ground, USEC_MINUTE);
	assert_int_equal(ground.path.way, PATH_HUB);
	ground.rtt[PATH_DIRECT] = 19 * MS;
	run_for(&ground, 2 * USEC_MINUTE);
	assert_int_equal(ground.path.way, PATH_HUB);
	ground.rtt[PATH_DIRECT] = 17 * MS;
	run_for(&ground, 2 * USEC_MINUTE);
	assert_int_equal(ground.path.way, PATH_DIRECT);
}

TEST(traffic_does_not_go_back_and_forth_more_than_six_times_an_hour)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	usec_t until;

	(void)state;
	for (int i = 0; i < 12; i++) {
		ground.broken[PATH_DIRECT] = true;
		run_for(&ground, 3 * SECOND);
		assert_int_equal(ground.path.way, PATH_HUB);
		assert_int_equal(path_held_until(&ground.path), 0);
		ground.broken[PATH_DIRECT] = false;
		run_for(&ground, 10 * SECOND);
		assert_int_equal(ground.path.way, i < 5 ? PATH_DIRECT : PATH_HUB);
		assert_int_equal(path_held_until(&ground.path) > ground.now, i >= 5);
	}
	assert_int_equal(ground.switches, 1 + 6 + 5);
	/* What has died so often is believed again after as long as what was never found. */
	until = path_held_until(&ground.path);
	assert_in_range(until - ground.now, 8 * USEC_MINUTE, 9 * USEC_MINUTE);
	run_for(&ground, until - ground.now - SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	run_for(&ground, 2 * SECOND);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	assert_int_equal(path_held_until(&ground.path), 0);
	/* Where the hub is dead nobody counts. */
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 3 * SECOND);
	ground.broken[PATH_DIRECT] = false;
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	ground.broken[PATH_HUB] = true;
	run_for(&ground, 3 * SECOND + 4 * 250 * MS + 250 * MS);
	assert_int_equal(ground.path.way, PATH_DIRECT);
}

TEST(a_dead_path_is_given_up_after_thirty_seconds)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 40 * SECOND);
	assert_int_equal(ground.over, 1);
	assert_int_equal(ground.over_at - ground.switched_at, 30 * SECOND);
	assert_int_equal(path_wakeup(&ground.path), USEC_NEVER);
	/* An answer in between gives it as long again. */
	ground = busy_ground(60 * MS, 20 * MS);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 25 * SECOND);
	ground.broken[PATH_DIRECT] = false;
	run_for(&ground, 300 * MS);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 25 * SECOND);
	assert_int_equal(ground.over, 0);
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.over, 1);
}

TEST(advice_makes_it_look_and_never_switch)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	uint32_t direct;

	(void)state;
	ground.traffic = false;
	run_for(&ground, 5 * USEC_MINUTE);
	direct = ground.sent[PATH_DIRECT];
	path_doubted(&ground.path, ground.now);
	assert_true(path_wakeup(&ground.path) <= ground.now);
	step(&ground);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 1);
	run_for(&ground, 400 * MS);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 5);
	/* Who repeats it gets no more, until two seconds are over. */
	for (int i = 0; i < 15; i++) {
		path_doubted(&ground.path, ground.now);
		run_for(&ground, 100 * MS);
	}
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 5);
	run_for(&ground, 100 * MS);
	path_doubted(&ground.path, ground.now);
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 10);
	assert_int_equal(ground.switches, 1);
	/* Where it is right, the path is left sooner than by misses alone. */
	ground.broken[PATH_DIRECT] = true;
	path_doubted(&ground.path, ground.now);
	run_for(&ground, 300 * MS + 125 * MS - 1);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	run_for(&ground, 1);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(sleep_is_no_loss)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	uint32_t direct = ground.sent[PATH_DIRECT];
	int64_t rtt = path_measured(&ground.path, PATH_DIRECT).rtt_us;

	(void)state;
	/* It is told of; the answers that waited in the socket say nothing. */
	ground.now += USEC_HOUR;
	path_resumed(&ground.path, ground.now);
	land(&ground);
	step(&ground);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 1);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).judged, 0);
	run_for(&ground, 5 * SECOND);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).rtt_us, rtt);
	assert_int_equal(ground.switches, 1);
	/* It is not told of, but the step comes so late that it must be. */
	ground.now += 20 * SECOND;
	ground.traffic_next = ground.now;
	step(&ground);
	land(&ground);
	run_for(&ground, 5 * SECOND);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
	assert_int_equal(ground.switches, 1);
	/* Where the path died meanwhile, it is left as soon as a burst tells. */
	ground.broken[PATH_DIRECT] = true;
	ground.now += USEC_HOUR;
	path_resumed(&ground.path, ground.now);
	step(&ground);
	run_for(&ground, 300 * MS + 250 * MS);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(whoever_is_always_late_leaves_a_dead_path_too)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	usec_t broken_at = ground.now;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	while (ground.path.way == PATH_DIRECT && ground.now < broken_at + USEC_MINUTE) {
		ground.now = path_wakeup(&ground.path) + 1500 * MS;
		path_traffic(&ground.path, ground.now, ground.bytes);
		step(&ground);
	}
	assert_true(ground.now < broken_at + 30 * SECOND);
}

TEST(an_answer_that_comes_late_counts)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	struct path_measure before;
	struct path_measure after;

	(void)state;
	run_for(&ground, 100 * MS);
	/* The line fills up: answers come after 700 ms, and none is lost. */
	ground.rtt[PATH_DIRECT] = 700 * MS;
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.switches, 1);
	before = path_measured(&ground.path, PATH_DIRECT);
	assert_int_equal(before.lost, 0);
	assert_true(before.rtt_us > 650 * MS);
	/* What was not sent, comes twice, or is too old, does not. */
	path_answered(
		&ground.path, ground.now, PATH_DIRECT, ground.path.probes[PATH_DIRECT].number);
	path_answered(&ground.path, ground.now, PATH_DIRECT, FIRST_NUMBER);
	path_answered(&ground.path, ground.now, PATH_DIRECT, 0);
	path_answered(&ground.path, ground.now, PATH_DIRECT, UINT64_MAX);
	path_answered(
		&ground.path, ground.now, PATH_DIRECT, ground.path.probes[PATH_DIRECT].number - 4);
	after = path_measured(&ground.path, PATH_DIRECT);
	assert_memory_equal(&before, &after, sizeof before);
}

TEST(an_answer_to_a_probe_from_before_a_switch_counts)
{
	struct ground ground = busy_ground(600 * MS, 200 * MS);
	uint64_t number;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 1 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_not_equal(ground.path.dead_at, USEC_NEVER);
	number = ground.path.probes[PATH_DIRECT].number - 2;
	path_answered(&ground.path, ground.now, PATH_DIRECT, number);
	assert_int_equal(ground.path.dead_at, USEC_NEVER);
	assert_true(path_measured(&ground.path, PATH_DIRECT).rtt_us > 0);
	step(&ground);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(round_trips_are_smoothed)
{
	struct ground ground = new_ground(60 * MS, 80 * MS);
	struct path_measure measure = path_measured(&ground.path, PATH_DIRECT);

	(void)state;
	assert_int_equal(measure.rtt_us, -1);
	assert_int_equal(measure.judged, 0);
	flow(&ground);
	run(&ground, START + 80 * MS);
	measure = path_measured(&ground.path, PATH_DIRECT);
	assert_int_equal(measure.rtt_us, 80 * MS);
	assert_int_equal(measure.jitter_us, 10 * MS);
	ground.rtt[PATH_DIRECT] = 160 * MS;
	run(&ground, START + 410 * MS);
	measure = path_measured(&ground.path, PATH_DIRECT);
	assert_int_equal(measure.rtt_us, 90 * MS);
	assert_int_equal(measure.jitter_us, 10 * MS + 70 * MS / 4);
	assert_int_equal(measure.judged, 2);
	assert_int_equal(measure.lost, 0);
	run_for(&ground, USEC_MINUTE);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).judged, 64);
	assert_int_equal(path_measured(&ground.path, PATH_HUB).rtt_us, 60 * MS);
}

/* Three probes were missed, and the fourth is about to be. */
static struct ground doubtful_ground(void)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 800 * MS);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 3);
	ground.broken[PATH_DIRECT] = false;
	return ground;
}

TEST(what_was_missed_before_sleep_does_not_count_after_it)
{
	struct ground ground = doubtful_ground();
	uint32_t direct = ground.sent[PATH_DIRECT];

	(void)state;
	/* A clock that stands still while the machine sleeps. */
	path_resumed(&ground.path, ground.now);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).judged, 0);
	assert_int_equal(path_measured(&ground.path, PATH_HUB).judged, 0);
	run_for(&ground, 450 * MS);
	assert_int_equal(ground.sent[PATH_DIRECT], direct + 5);
	run_for(&ground, 5 * SECOND);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
	assert_int_equal(ground.switches, 1);
	/* Advice behind it has to wait. */
	ground = doubtful_ground();
	path_resumed(&ground.path, ground.now);
	run_for(&ground, 1950 * MS);
	direct = ground.sent[PATH_DIRECT];
	path_doubted(&ground.path, ground.now);
	run_for(&ground, 49 * MS);
	assert_int_equal(ground.sent[PATH_DIRECT], direct);
}

TEST(who_comes_more_than_a_second_late_did_not_run)
{
	struct ground ground = doubtful_ground();
	usec_t late_at = path_wakeup(&ground.path) + 1 * SECOND;

	(void)state;
	ground.now = late_at;
	step(&ground);
	assert_int_equal(ground.path.way, PATH_HUB);
	ground = doubtful_ground();
	ground.now = late_at + 1;
	step(&ground);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	/* But not again so soon. */
	ground.broken[PATH_DIRECT] = true;
	ground.traffic_next = ground.now;
	run_for(&ground, 500 * MS);
	ground.now = late_at + 10 * SECOND;
	step(&ground);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(a_path_that_is_new_begins_anew_after_sleep)
{
	struct ground ground = new_ground(60 * MS, 20 * MS);
	struct path_actions out;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run(&ground, START + 4 * SECOND);
	path_resumed(&ground.path, ground.now);
	run(&ground, START + 9 * SECOND - 1);
	assert_int_equal(ground.over, 0);
	run_for(&ground, 1);
	assert_int_equal(ground.over, 1);
	/* An answer from before is none. */
	ground = new_ground(60 * MS, 20 * MS);
	step(&ground);
	ground.now += 20 * MS;
	land(&ground);
	path_resumed(&ground.path, ground.now);
	path_step(&ground.path, ground.now, &out);
	assert_int_equal(ground.path.way, PATH_HUB);
}

TEST(a_dead_path_has_its_thirty_seconds_anew_after_sleep)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);
	usec_t resumed_at;

	(void)state;
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 25 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	resumed_at = ground.now;
	path_resumed(&ground.path, ground.now);
	run_for(&ground, 30 * SECOND);
	assert_int_equal(ground.over, 0);
	run_for(&ground, 10 * SECOND);
	assert_int_equal(ground.over, 1);
	assert_true(ground.over_at >= resumed_at + 30 * SECOND);
	assert_int_equal(ground.told, 1);
}

TEST(an_answer_is_waited_for_four_seconds)
{
	struct ground ground = new_ground(60 * MS, 4 * SECOND);

	(void)state;
	run(&ground, START + 4 * SECOND);
	assert_int_equal(ground.path.probes[PATH_DIRECT].answered_at, START + 4 * SECOND);
	ground = new_ground(60 * MS, 4 * SECOND + 1);
	run(&ground, START + 10 * SECOND);
	assert_int_equal(ground.path.probes[PATH_DIRECT].answered_at, -1);
	assert_int_equal(ground.over, 1);
}

TEST(an_answer_that_varies_is_not_taken_for_lost)
{
	struct ground ground = busy_ground(600 * MS, 290 * MS);

	(void)state;
	for (int i = 0; i < 120; i++) {
		ground.rtt[PATH_DIRECT] = (i % 2 ? 250 : 330) * MS;
		for (int k = 0; k < 25; k++) {
			run_for(&ground, 10 * MS);
			if (i > 40)
				assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
		}
	}
	assert_int_equal(ground.switches, 1);
}

TEST(a_second_pause_is_believed_after_ten_seconds)
{
	struct ground ground = doubtful_ground();

	(void)state;
	ground.now = path_wakeup(&ground.path) + 1 * SECOND + 1;
	ground.traffic_next = ground.now;
	step(&ground);
	run_for(&ground, 10 * SECOND);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 900 * MS);
	ground.broken[PATH_DIRECT] = false;
	ground.now = path_wakeup(&ground.path) + 1 * SECOND + 1;
	step(&ground);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	assert_int_equal(path_measured(&ground.path, PATH_DIRECT).lost, 0);
}

TEST(ten_seconds_of_a_slower_path_are_in_a_row)
{
	struct ground ground = busy_ground(20 * MS, 20 * MS);

	(void)state;
	for (int i = 0; i < 5; i++) {
		ground.rtt[PATH_DIRECT] = 40 * MS;
		run_for(&ground, 5 * SECOND);
		ground.rtt[PATH_DIRECT] = 20 * MS;
		run_for(&ground, 5 * SECOND + 250 * MS);
	}
	assert_int_equal(ground.path.way, PATH_DIRECT);
	/* Nor do they count from before a silence. */
	ground.rtt[PATH_DIRECT] = 40 * MS;
	run_for(&ground, 1 * SECOND);
	ground.traffic = false;
	run_for(&ground, 2 * USEC_MINUTE);
	flow(&ground);
	run_for(&ground, 9 * SECOND);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	run_for(&ground, 2 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_equal(ground.switches, 2);
}

/* A transfer's own queue is no reason to leave: it would be there on the other way, too. */
TEST(much_traffic_does_not_leave_for_what_it_does_itself)
{
	struct ground ground = busy_ground(20 * MS, 18 * MS);
	usec_t calm_from;

	(void)state;
	ground.bytes = PATH_MUCH;
	ground.rtt[PATH_DIRECT] = 140 * MS;
	run_for(&ground, USEC_HOUR);
	assert_int_equal(ground.switches, 1);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	/* Behind it the queue is gone before ways are compared. */
	ground.bytes = PATH_MUCH - 1;
	ground.rtt[PATH_DIRECT] = 18 * MS;
	run_for(&ground, 5 * USEC_MINUTE);
	assert_int_equal(ground.switches, 1);
	/* A way that is the longer one without that is left, but not at once behind it. */
	ground.rtt[PATH_DIRECT] = 140 * MS;
	run_for(&ground, 5 * SECOND);
	ground.bytes = PATH_MUCH;
	run_for(&ground, 250 * MS);
	ground.bytes = 100;
	calm_from = ground.path.much_at + PATH_MUCH_FOR;
	run(&ground, calm_from + 10 * SECOND - 1);
	assert_int_equal(ground.path.way, PATH_DIRECT);
	run_for(&ground, 1 * SECOND);
	assert_int_equal(ground.path.way, PATH_HUB);
}

/* One that dies is left all the same. */
TEST(much_traffic_leaves_a_dead_path)
{
	struct ground ground = busy_ground(60 * MS, 20 * MS);

	(void)state;
	ground.bytes = 100 * PATH_MUCH;
	run_for(&ground, 10 * SECOND);
	ground.broken[PATH_DIRECT] = true;
	run_for(&ground, 1250 * MS);
	assert_int_equal(ground.path.way, PATH_HUB);
	assert_int_equal(ground.told, 1);
}

/* What holds whatever happens. */
struct watch {
	usec_t switches[4096];
	uint32_t voluntary;
	usec_t last_sent[2];
	usec_t burst_at;
	bool fair; /* the direct path is broken, traffic flows, and nothing interferes */
	usec_t fair_since;
};

static void watch_actions(struct watch *watch, const struct ground *ground,
	const struct path *before, const struct path_actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct path_action *action = &out->items[i];

		if (action->kind == PATH_SEND) {
			assert_true(ground->now - watch->last_sent[action->way] >= 100 * MS);
			watch->last_sent[action->way] = ground->now;
		}
		if (action->kind != PATH_SWITCH)
			continue;
		assert_int_not_equal(action->way, before->way);
		if (action->way == PATH_DIRECT) {
			/* Verified, alive, and heard of just now. */
			assert_int_not_equal(before->probes[PATH_DIRECT].answered & 0xffffU, 0);
			assert_true(before->dead_at == USEC_NEVER);
			assert_true(ground->now - before->probes[PATH_DIRECT].answered_at <=
				    1 * SECOND);
		}
		if (ground->path.switches.count == before->switches.count) {
			/* Nobody counts who leaves what is dead, this way or the other. */
			assert_true(action->way == PATH_DIRECT
					    ? !(before->probes[PATH_HUB].answered & 0xfU)
					    : ground->path.dead_at == ground->now);
			continue;
		}
		/* Nor who comes back as late as one that was never found would be tried. */
		if (action->way == PATH_DIRECT && !before->left &&
			ground->now - before->away_at >= PATH_AWAY_MAX)
			continue;
		assert_true(action->way == PATH_DIRECT || ground->now >= ground->much_until);
		assert_true(watch->voluntary < COUNT(watch->switches));
		watch->switches[watch->voluntary++] = ground->now;
		if (watch->voluntary > 6)
			assert_true(
				ground->now - watch->switches[watch->voluntary - 7] >= USEC_HOUR);
	}
}

/* How long traffic may stay on a path that is dead. */
static void watch_outage(
	struct watch *watch, const struct ground *ground, const struct path *before)
{
	int64_t rtt = before->probes[PATH_DIRECT].rtt_us;
	bool fair = ground->broken[PATH_DIRECT] && ground->traffic &&
		    watch->burst_at == ground->path.burst_at &&
		    ground->path.traffic_at > ground->now - 251 * MS;

	if (!fair || !watch->fair)
		watch->fair_since = ground->now;
	watch->fair = fair;
	watch->burst_at = ground->path.burst_at;
	if (ground->path.way == PATH_DIRECT)
		assert_true(ground->now - watch->fair_since <=
			    1000 * MS + (rtt > 250 * MS ? rtt : 250 * MS) + rtt);
}

static void weather(struct ground *ground, struct prng *prng)
{
	enum path_way way = prng_below(prng, 2) ? PATH_DIRECT : PATH_HUB;

	switch (prng_below(prng, 40)) {
	case 0:
		ground->broken[way] = !ground->broken[way];
		break;
	case 1:
		ground->broken[way] = false;
		break;
	case 2:
		ground->rtt[way] = (usec_t)prng_below(prng, 300) * MS + 1;
		break;
	case 3:
		ground->rtt[way] = (usec_t)prng_below(prng, 3000) * MS + 1;
		break;
	case 4:
		ground->traffic = !ground->traffic;
		ground->traffic_next = ground->now;
		break;
	case 5:
		path_doubted(&ground->path, ground->now);
		break;
	case 6:
		if (prng_below(prng, 10) == 0) {
			ground->now += (usec_t)prng_below(prng, 3600) * SECOND;
			ground->traffic_next = ground->now + 251 * MS;
			path_resumed(&ground->path, ground->now);
		}
		break;
	case 7:
		if (!ground->broken[way])
			path_answered(&ground->path, ground->now, way,
				ground->path.probes[way].number - prng_below(prng, 20));
		break;
	case 8:
		if (!ground->traffic && prng_below(prng, 10) == 0)
			ground->now += USEC_MINUTE; /* nobody steps */
		break;
	case 9:
		ground->bytes = ground->bytes > 0 ? 0 : PATH_MUCH;
		break;
	default:
		break;
	}
}

static void one_life(uint8_t number)
{
	const uint8_t seed[PRNG_SEED_SIZE] = {number, 7};
	struct ground ground = new_ground(60 * MS, 20 * MS);
	struct watch watch = {.last_sent = {-SECOND, -SECOND}};
	struct prng prng;

	prng_init(&prng, seed);
	for (int i = 0; i < 6000; i++) {
		struct path_actions out;
		struct path before;
		usec_t next = next_event(&ground);

		if (next == USEC_NEVER)
			next = ground.now + 20 * SECOND;
		if (next > ground.now)
			ground.now = next;
		land(&ground);
		weather(&ground, &prng);
		look(&ground);
		before = ground.path;
		path_step(&ground.path, ground.now, &out);
		watch_outage(&watch, &ground, &before);
		watch_actions(&watch, &ground, &before, &out);
		perform(&ground, &out);
		assert_true(path_wakeup(&ground.path) > ground.now);
		/* No silence under traffic, and no traffic on what is dead. */
		if (!ground.path.over && ground.traffic) {
			assert_true(path_wakeup(&ground.path) <= ground.now + 250 * MS);
			assert_true(ground.now - ground.sent_at[PATH_DIRECT] < 250 * MS);
		}
		assert_true(ground.path.way == PATH_HUB || ground.path.dead_at == USEC_NEVER);
		if (ground.over) {
			assert_int_equal(ground.path.way, PATH_HUB);
			path_init(&ground.path, ground.now, FIRST_NUMBER + (uint64_t)i * 100);
			ground.over = 0;
			ground.traffic_next = ground.now;
			watch.voluntary = 0; /* a path of its own */
			watch.last_sent[PATH_HUB] = watch.last_sent[PATH_DIRECT] = 0;
		}
	}
}

TEST(whatever_happens_nothing_is_stormed_and_nobody_stays_on_a_dead_path)
{
	(void)state;
	for (uint8_t number = 0; number < 20; number++)
		one_life(number);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(the_first_answer_brings_traffic_over_at_once),
		CASE(an_end_that_was_called_goes_over_when_it_hears_the_caller),
		CASE(a_path_that_never_answers_is_given_up_after_five_seconds),
		CASE(probes_follow_traffic),
		CASE(the_first_traffic_after_a_silence_is_followed_by_a_probe_at_once),
		CASE(a_dead_path_is_left_after_four_misses_and_the_wait_for_an_answer),
		CASE(a_way_that_slows_down_all_at_once_is_not_dead),
		CASE(three_misses_are_forgiven),
		CASE(a_path_that_answers_again_is_come_back_to_where_nothing_flows),
		CASE(also_where_one_of_its_first_answers_is_lost),
		CASE(and_is_not_where_the_hub_is_nearer_nor_probed_any_more),
		CASE(a_dead_path_is_found_soon_after_a_silence),
		CASE(after_a_silence_a_dead_path_is_left_by_a_burst),
		CASE(a_miss_while_idle_is_followed_up_before_traffic_finds_it),
		CASE(one_miss_while_idle_costs_two_more_probes_and_no_switch),
		CASE(traffic_comes_back_after_five_answers_and_not_four),
		CASE(traffic_comes_back_to_a_way_that_died_where_that_is_the_shorter_one),
		CASE(traffic_comes_back_to_a_slower_way_only_where_it_gains_two_milliseconds),
		CASE(a_slower_path_is_left_only_after_ten_seconds),
		CASE(traffic_does_not_go_back_and_forth_more_than_six_times_an_hour),
		CASE(a_dead_path_is_given_up_after_thirty_seconds),
		CASE(advice_makes_it_look_and_never_switch),
		CASE(sleep_is_no_loss),
		CASE(whoever_is_always_late_leaves_a_dead_path_too),
		CASE(an_answer_that_comes_late_counts),
		CASE(an_answer_to_a_probe_from_before_a_switch_counts),
		CASE(round_trips_are_smoothed),
		CASE(what_was_missed_before_sleep_does_not_count_after_it),
		CASE(who_comes_more_than_a_second_late_did_not_run),
		CASE(a_path_that_is_new_begins_anew_after_sleep),
		CASE(a_dead_path_has_its_thirty_seconds_anew_after_sleep),
		CASE(an_answer_is_waited_for_four_seconds),
		CASE(an_answer_that_varies_is_not_taken_for_lost),
		CASE(a_second_pause_is_believed_after_ten_seconds),
		CASE(ten_seconds_of_a_slower_path_are_in_a_row),
		CASE(much_traffic_does_not_leave_for_what_it_does_itself),
		CASE(much_traffic_leaves_a_dead_path),
		CASE(whatever_happens_nothing_is_stormed_and_nobody_stays_on_a_dead_path),
	};

	return RUN(cases);
}

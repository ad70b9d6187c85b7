/* SPDX-License-Identifier: MIT */
/*
 * bench_meet.c - the time to a direct link by pair of routers:
 *
 *   tools/bench meet [--write DIRECTORY]
 *
 * Whole sites in the simulator, by their first attempt. The time runs from when both ports of the
 * hub have told both sites where they are, until routes lead over the link at both ends. R_hub is
 * eight times the delay of a line, R_direct four times. The times are virtual, so they are the same
 * on every machine. With --write the page meet.md and its picture are made anew, else printed is
 * the page.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/chart.h"
#include "tests/gamers.h"

#define SEEDS 20
#define SEEDS_DRAWN 40
#define ATTEMPT (5 * USEC_SECOND)
#define BEGINNING_MAX USEC_MINUTE /* what is lost at first is sent again after seconds */
#define STEP USEC_MSEC
#define DELAYS 5
#define LOSSES 3
#define GROUPS 3

static const uint32_t delays_ms[DELAYS] = {5, 10, 20, 40, 80};
static const uint32_t losses[LOSSES] = {0, 20000, 100000}; /* per million, each direction */

/* How many met, of how many that tried, and how long they took. */
struct outcome {
	uint32_t tries;
	uint32_t met;
	usec_t p50;
	usec_t p99;
};

/* Which port of the hub has told a site where it is, and when the second one had, or the first. */
struct told {
	uint16_t port;
	bool both;
	usec_t at;
};

static void received(
	struct world *world, struct host *host, const struct packet *packet, void *context)
{
	struct told *told = (struct told *)context + host->number;

	if (packet->kind != PACKET_PLAIN || packet->origin != 0 || host->hub)
		return;
	if (told->port == 0) {
		told->port = packet->source.port;
		told->at = world->now;
	}
	/* An answer that is lost is not waited for. */
	if (told->port != packet->source.port && !told->both) {
		told->both = true;
		told->at = world->now;
	}
}

static struct world *make_world(
	const struct home_pair *pair, usec_t delay, uint32_t loss, uint64_t seed)
{
	const enum home_type types[2] = {pair->a, pair->b};
	struct world *world = gamers_found(types, 2, SITE_WHEN_ALWAYS, seed);

	for (uint32_t i = 0; i < 3; i++) {
		struct link_options *up = &world->hosts[i].up.options;
		struct link_options *down = &world->hosts[i].down.options;

		up->delay = delay;
		down->delay = delay;
		/* The hub has a good line: else everything would meet its loss twice as often. */
		up->loss = i > 0 ? loss : 0;
		down->loss = up->loss;
	}
	return world;
}

/* When both sites knew; -1: one does not. */
static usec_t both_told(const struct told told[static 3])
{
	if (told[1].at < 0 || told[2].at < 0)
		return -1;
	return told[1].at > told[2].at ? told[1].at : told[2].at;
}

static bool is_over(const struct world *world, const struct told told[static 3])
{
	usec_t since = both_told(told);

	return world->now >= BEGINNING_MAX || (since >= 0 && world->now >= since + ATTEMPT);
}

/* How long it took; -1: they did not meet. */
static usec_t meet(const struct home_pair *pair, usec_t delay, uint32_t loss, uint64_t seed)
{
	struct world *world = make_world(pair, delay, loss, seed);
	struct told told[3] = {{.at = -1}, {.at = -1}, {.at = -1}};
	usec_t took = -1;

	world->received = received;
	world->context = told;
	gamers_power(world);
	while (took < 0 && !is_over(world, told)) {
		world_run(world, world->now + STEP);
		if (gamers_are_direct(world, 1, 2))
			took = world->now - both_told(told);
	}
	world->received = NULL;
	world_free(world);
	return took;
}

static int by_time(const void *a, const void *b)
{
	const usec_t *x = a;
	const usec_t *y = b;

	return (*x > *y) - (*x < *y);
}

static struct outcome measure(
	const struct home_pair *pairs, uint32_t count, usec_t delay, uint32_t loss, uint32_t seeds)
{
	struct outcome outcome = {.tries = count * seeds};
	usec_t *took = calloc(outcome.tries, sizeof *took);

	if (!took)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t seed = 1; seed <= seeds; seed++) {
			usec_t one = meet(&pairs[i], delay, loss, seed);

			if (one >= 0)
				took[outcome.met++] = one;
		}
	}
	if (outcome.met > 0) {
		qsort(took, outcome.met, sizeof took[0], by_time);
		outcome.p50 = took[outcome.met / 2];
		outcome.p99 = took[(outcome.met * 99 - 1) / 100];
	}
	free(took);
	return outcome;
}

/* The table. */

/* Its curve in figures: p50 over the delay, and what of p99 is another. */
static void write_row(FILE *out, const struct home_pair *pair)
{
	uint32_t tries = 0;
	uint32_t met = 0;
	usec_t worst = 0;

	(void)fprintf(out, "| %s | %s |", home_name(pair->a), home_name(pair->b));
	for (uint32_t i = 0; i < DELAYS; i++) {
		struct outcome outcome = measure(pair, 1, delays_ms[i] * USEC_MSEC, 0, SEEDS);

		met += outcome.met;
		tries += outcome.tries;
		worst = outcome.met > 0 && outcome.p99 - outcome.p50 > worst
				? outcome.p99 - outcome.p50
				: worst;
		if (outcome.met == 0)
			(void)fprintf(out, " |");
		else
			(void)fprintf(out, " %lld |", (long long)(outcome.p50 / USEC_MSEC));
	}
	if (met == 0)
		(void)fprintf(out, " | 0 of %u |\n", tries);
	else
		(void)fprintf(
			out, " %lld | %u of %u |\n", (long long)(worst / USEC_MSEC), met, tries);
}

/* The goal of p50, as the last of the rows. */
static void write_goal(FILE *out)
{
	(void)fprintf(out, "| R_hub + 2 R_direct + 100 ms | |");
	for (uint32_t i = 0; i < DELAYS; i++)
		(void)fprintf(out, " %lld |", (long long)(16 * delays_ms[i] + 100));
	(void)fprintf(out, " | |\n");
}

static void write_page(FILE *out)
{
	struct home_pair pairs[HOME_PAIRS];

	home_pairs(pairs);
	(void)fprintf(out,
		"# How soon two homes are direct\n\n"
		"Made by `tools/bench meet --write docs`: whole sites in the simulator, by their "
		"first attempt. The time runs from when\n"
		"both ports of the hub have told both sites where they are, until routes lead over "
		"the link at both ends. It is virtual, so\n"
		"it is the same on every machine.\n\n"
		"![Time to direct](meet.svg)\n\n"
		"How a pair is met matters little: all ways are tried at once. What matters is the "
		"way by the hub, which offer and answer take,\n"
		"and loss, since what is lost is sent again 150 ms later and more.\n\n"
		"Each pair, on lines of so many ms that lose nothing (R_hub is eight of them, "
		"R_direct four): p50 in ms, by how much p99 is more\n"
		"at most, and how many first attempts met.\n\n"
		"| A | B | 5 ms | 10 ms | 20 ms | 40 ms | 80 ms | p99, more | met |\n"
		"|---|---|--:|--:|--:|--:|--:|--:|---|\n");
	for (uint32_t i = 0; i < HOME_PAIRS; i++)
		write_row(out, &pairs[i]);
	write_goal(out);
	(void)fprintf(out, "\nOf the pairs in the picture, how many were direct within 5 s after "
			   "both knew where "
			   "they are seen:\n\n"
			   "| loss in each direction | 5 ms | 10 ms | 20 ms | 40 ms | 80 ms |\n"
			   "|---|---|---|---|---|---|\n");
}

/* The picture. */

static const struct group {
	const char *name;
	enum chart_tone tone;
	uint32_t count;
	struct home_pair pairs[4];
} groups[GROUPS] = {
	{"homes, carriers", CHART_BLUE, 4,
		{{.a = HOME, .b = HOME}, {.a = PUBLIC, .b = HOME}, {.a = HOME, .b = CARRIER},
			{.a = ACCEPTING, .b = CONE}}},
	{"symmetric, with open", CHART_ORANGE, 3,
		{{.a = PUBLIC, .b = SYMMETRIC}, {.a = CONE, .b = SYMMETRIC},
			{.a = RESTRICTED, .b = SYMMETRIC}}},
	{"sequential", CHART_GREEN, 3,
		{{.a = SEQUENTIAL, .b = SEQUENTIAL}, {.a = HOME, .b = SEQUENTIAL},
			{.a = SEQUENTIAL, .b = CARRIER}}},
};

struct drawing {
	struct chart chart;
	usec_t most;
	struct outcome outcomes[LOSSES][DELAYS][GROUPS];
};

static void add_group(struct drawing *drawing, uint32_t loss, uint32_t number)
{
	struct chart_panel *panel = &drawing->chart.panels[loss];
	struct chart_curve *half = &panel->curves[panel->curve_count++];
	struct chart_curve *nearly_all = &panel->curves[panel->curve_count++];

	*half = (struct chart_curve){.tone = groups[number].tone, .count = DELAYS};
	*nearly_all = (struct chart_curve){
		.tone = groups[number].tone, .hollow = true, .count = DELAYS};
	for (uint32_t i = 0; i < DELAYS; i++) {
		struct outcome *outcome = &drawing->outcomes[loss][i][number];

		*outcome = measure(groups[number].pairs, groups[number].count,
			delays_ms[i] * USEC_MSEC, losses[loss], SEEDS_DRAWN);
		half->points[i] = (struct chart_point){delays_ms[i], outcome->p50};
		nearly_all->points[i] = (struct chart_point){delays_ms[i], outcome->p99};
		drawing->most = outcome->p99 > drawing->most ? outcome->p99 : drawing->most;
	}
}

/* R_hub + 2 R_direct + 100 ms. */
static void add_goal(struct chart_panel *panel)
{
	struct chart_curve *goal = &panel->curves[panel->curve_count++];

	*goal = (struct chart_curve){.tone = CHART_GREY, .count = DELAYS};
	for (uint32_t i = 0; i < DELAYS; i++)
		goal->points[i] = (struct chart_point){
			delays_ms[i], (16 * delays_ms[i] + 100) * USEC_MSEC};
}

static void draw(struct drawing *drawing)
{
	static const char *const titles[LOSSES] = {
		"no loss", "2 % lost, each direction", "10 % lost, each direction"};
	struct chart *chart = &drawing->chart;

	*chart = (struct chart){
		.title = "How soon two homes are direct",
		.subtitle = "From both knowing where they are seen, until routes lead over the "
			    "link at both ends; first attempts.",
		.description = "Three panels, for lines that lose nothing, 2 and 10 percent: time "
			       "until a pair is direct over the delay of a line, p50 and p99 of "
			       "three groups of routers, with the goal for p50.",
		.x_title = "delay of each line, ms",
		.tick_count = DELAYS,
		.panel_count = LOSSES,
	};
	for (uint32_t i = 0; i < GROUPS; i++)
		chart->keys[chart->key_count++] = (struct chart_key){
			groups[i].tone, false, groups[i].name};
	chart->keys[chart->key_count++] = (struct chart_key){CHART_GREY, false, "goal of p50"};
	chart->keys[chart->key_count++] = (struct chart_key){CHART_BLUE, true, "p99"};
	memcpy(chart->ticks, delays_ms, sizeof delays_ms);
	for (uint32_t loss = 0; loss < LOSSES; loss++) {
		(void)snprintf(chart->panels[loss].title, sizeof chart->panels[loss].title, "%s",
			titles[loss]);
		for (uint32_t i = 0; i < GROUPS; i++)
			add_group(drawing, loss, i);
		add_goal(&chart->panels[loss]);
	}
	chart->panels[0].y_title = "time to direct, ms";
	for (uint32_t loss = 0; loss < LOSSES; loss++) {
		chart->panels[loss].unit = USEC_MSEC;
		chart->panels[loss].logarithmic = true;
		chart->panels[loss].least = 100 * USEC_MSEC;
		chart->panels[loss].most = drawing->most * 3 / 2;
	}
}

/* How many first attempts came to something. */
static void write_shares(FILE *out, const struct drawing *drawing)
{
	for (uint32_t loss = 0; loss < LOSSES; loss++) {
		(void)fprintf(out, "| %u %% |", losses[loss] / 10000);
		for (uint32_t i = 0; i < DELAYS; i++) {
			uint32_t met = 0;
			uint32_t tries = 0;

			for (uint32_t k = 0; k < GROUPS; k++) {
				met += drawing->outcomes[loss][i][k].met;
				tries += drawing->outcomes[loss][i][k].tries;
			}
			(void)fprintf(out, " %u of %u |", met, tries);
		}
		(void)fprintf(out, "\n");
	}
}

static FILE *create(const char *directory, const char *name)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file)
		perror(path);
	return file;
}

int main(int argc, char **argv)
{
	static struct drawing drawing;
	bool writes = argc == 3 && strcmp(argv[1], "--write") == 0;
	FILE *page = writes ? create(argv[2], "meet.md") : stdout;
	FILE *picture = writes ? create(argv[2], "meet.svg") : NULL;

	if ((argc > 1 && !writes) || !page || (writes && !picture)) {
		(void)fprintf(stderr, "usage: bench_meet [--write DIRECTORY]\n");
		return 2;
	}
	draw(&drawing);
	write_page(page);
	write_shares(page, &drawing);
	if (picture) {
		chart_write(picture, &drawing.chart);
		(void)fclose(picture);
		return fclose(page) == 0 ? 0 : 1;
	}
	return 0;
}

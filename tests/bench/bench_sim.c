/* SPDX-License-Identifier: MIT */
/*
 * bench_sim.c - speed and size of the simulator: tools/bench sim [--long | PART…]
 *
 * Events are counted beside the bare heap of the same run: the ratios are the figures. Times and
 * events a second are this machine's, and only published. Every part has a process of its own, so
 * that the greatest resident memory is the part's and nobody else's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gossip/message.h"
#include "gossip/record.h"
#include "simulator/check.h"
#include "simulator/heap.h"
#include "simulator/host.h"
#include "simulator/run.h"

#define ROUNDS 5
#define MIB (1024.0 * 1024)
#define DAYS_A_YEAR 365.25

#define HEAP_EVENTS 4000000 /* in one round */
#define FEW_PENDING 50
#define MANY_PENDING 5000

#define IDLE_SITES 50
#define IDLE_SETTLE (10 * USEC_MINUTE) /* until comparisons are as rare as they become */
#define GOAL_YEARS 10

#define THOUSAND "simulator/scenarios/thousand_sites_cold_start.yaml"
#define GOAL_THOUSAND_S 60

#define FULL_SITES 2000
#define GOAL_FULL_MIB (8 * 1024)

#define MEMBERS 10000
#define AWAKE 100                   /* full sites, hub included */
#define SPEAKER 1                   /* the member whose tunnel the other records come through */
#define HAND_EVERY (50 * USEC_MSEC) /* the hub takes fifty datagrams a second of one member */
#define HAND_FACTS 5                /* in one datagram: a hundred a second */
#define HAND_AGAIN_AFTER (5 * USEC_SECOND)
#define HAND_PASSES 20

#define AGREE_LOOK_EVERY USEC_SECOND
#define AGREE_FOR (60 * USEC_MINUTE) /* the longest wait for agreement */

static double read_clock(clockid_t clock)
{
	struct timespec time;

	(void)clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, by_size);
	return values[count / 2];
}

static double seconds(usec_t time)
{
	return (double)time / (double)USEC_SECOND;
}

/* VmHWM: what this process, and so this part, held at most. */
static double peak_mib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024 / MIB;
}

static const char *kept(bool is)
{
	return is ? "goal kept" : "goal missed";
}

/* A goal of wall time: other programs of a busy machine take a part of it. */
static const char *kept_in_time(double wall, double own, double goal)
{
	if (wall <= goal || own > goal)
		return kept(wall <= goal);
	return "goal missed by the wall, kept in CPU time: the machine was busy";
}

/* What a part has cost since it began. */
struct meter {
	double wall;
	double cpu;
};

static struct meter meter_begin(void)
{
	return (struct meter){read_clock(CLOCK_MONOTONIC), cpu()};
}

static struct meter meter_read(const struct meter *begun)
{
	return (struct meter){read_clock(CLOCK_MONOTONIC) - begun->wall, cpu() - begun->cpu};
}

/* Speed of 50 idle sites. */

/* Events a second that the heap alone lets through, with so many always pending. */
static double measure_heap(uint32_t pending)
{
	struct heap heap = {.items = NULL};
	uint64_t chance = 1;
	double times[ROUNDS];

	for (uint32_t i = 0; i < pending; i++)
		heap_push(&heap, i, 0, i, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu();

		for (uint32_t i = 0; i < HEAP_EVENTS; i++) {
			struct heap_item item = heap_pop(&heap);

			/* Knuth's generator: the cheapest that spreads them well enough. */
			chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
			heap_push(&heap, item.at + (usec_t)(chance >> 44), 0, item.host, NULL);
		}
		times[round] = cpu() - start;
	}
	heap_free(&heap);
	return HEAP_EVENTS / median(times, ROUNDS);
}

static struct world *found(uint32_t sites, uint32_t awake, bool acquainted)
{
	const struct world_options options = {.seed = 1, .sites = sites};
	struct world *world = world_new(&options);

	world_found(world, acquainted);
	for (uint32_t i = 0; i < awake; i++)
		host_power(&world->hosts[i], true);
	return world;
}

struct speed {
	double events; /* a second */
	double years;  /* of the mesh in a day of one core */
};

/* One virtual hour; with the checks of run_scenario() where there are some. */
static struct speed run_hour(struct world *world, struct check *check)
{
	uint64_t events = world->events;
	usec_t until = world->now + USEC_HOUR;
	double start = cpu();
	double took;

	if (!check)
		world_run(world, until);
	while (world->now < until) {
		world_run(world, world->now + USEC_SECOND);
		check_second(check);
	}
	took = cpu() - start;
	return (struct speed){
		(double)(world->events - events) / took, seconds(USEC_HOUR) / took / DAYS_A_YEAR};
}

static void print_speed(const char *name, const struct speed *speed, double few, double many)
{
	(void)printf("%-31s %12.0f  events/s (published only)\n", name, speed->events);
	(void)printf("  ratio to the bare heap        %12.4f  with %d pending (no goal)\n",
		speed->events / few, FEW_PENDING);
	(void)printf("  ratio to the bare heap        %12.4f  with %d pending (no goal)\n",
		speed->events / many, MANY_PENDING);
	(void)printf("  mesh-years per core-day       %12.1f  (goal: at least %d): %s\n",
		speed->years, GOAL_YEARS, kept(speed->years >= GOAL_YEARS));
}

/* The hours are run in turns, so that a slow moment of the machine meets both kinds. */
static bool measure_idle(void)
{
	const struct scenario scenario = {.name = "idle",
		.sites = IDLE_SITES,
		.acquainted = true,
		.heal_at = USEC_NEVER,
		.properties = SCENARIO_PROPERTIES_ALL};
	struct world *world = found(IDLE_SITES, IDLE_SITES, true);
	struct run_result result = {.failed = PROPERTY_NONE};
	struct speed plain[ROUNDS];
	struct speed checked[ROUNDS];
	struct check check;
	double few = measure_heap(FEW_PENDING);
	double many = measure_heap(MANY_PENDING);

	check_init(&check, &scenario, world, &result);
	for (uint32_t i = 0; i < IDLE_SITES; i++)
		check.fates[i].member = true;
	world_run(world, IDLE_SETTLE);
	for (int round = 0; round < ROUNDS; round++) {
		world->stepped = NULL;
		plain[round] = run_hour(world, NULL);
		world->stepped = check_step;
		world->context = &check;
		/* It counts bytes between its looks, of which there were none for an hour. */
		for (uint32_t i = 0; i < IDLE_SITES; i++)
			check.fates[i].sent_before = world->hosts[i].sent_bytes;
		checked[round] = run_hour(world, &check);
	}
	check_converged(&check, false);
	(void)printf("bare heap, %4d pending         %12.0f  events/s (published only)\n",
		FEW_PENDING, few);
	(void)printf("bare heap, %4d pending         %12.0f  events/s (published only)\n",
		MANY_PENDING, many);
	(void)printf("load: nothing changes; 20 ms one way between any two homes\n");
	/* The events stand first in the struct. */
	qsort(plain, ROUNDS, sizeof plain[0], by_size);
	qsort(checked, ROUNDS, sizeof checked[0], by_size);
	print_speed("50 idle sites, no checks", &plain[ROUNDS / 2], few, many);
	print_speed("50 idle sites, all checks", &checked[ROUNDS / 2], few, many);
	if (result.failed != PROPERTY_NONE)
		(void)fprintf(stderr, "bench sim: idle: %s: %s\n", property_name(result.failed),
			result.text);
	world->stepped = NULL;
	check_done(&check);
	world_free(world);
	return result.failed == PROPERTY_NONE;
}

/* A thousand sites, as the scenario has it. */

static bool measure_thousand(void)
{
	const struct meter begun = meter_begin();
	struct problems problems = {.count = 0};
	struct run_result result;
	struct scenario scenario;
	struct meter took;

	if (scenario_load(&scenario, THOUSAND, &problems) < 0) {
		(void)fprintf(stderr, "bench sim: %s cannot be read\n", THOUSAND);
		return false;
	}
	run_scenario(&scenario, 1, false, NULL, &result);
	took = meter_read(&begun);
	(void)printf("1,000 sites, cold start, 7 min  %12.1f  s (goal: at most %d): %s\n",
		took.wall, GOAL_THOUSAND_S, kept_in_time(took.wall, took.cpu, GOAL_THOUSAND_S));
	(void)printf("  CPU time                      %12.1f  s (published only)\n", took.cpu);
	(void)printf("  all agree after               %12.1f  virtual s (published only)\n",
		result.converged == USEC_NEVER ? -1 : seconds(result.converged));
	(void)printf("  resident at most              %12.0f  MiB (published only)\n", peak_mib());
	if (result.failed != PROPERTY_NONE)
		(void)fprintf(stderr, "bench sim: thousand: %s: %s\n", property_name(result.failed),
			result.text);
	scenario_free(&scenario);
	return result.failed == PROPERTY_NONE;
}

/* Very many. */

static bool same(const struct ledger_summary *a, const struct ledger_summary *b)
{
	return a->facts == b->facts && a->revocations == b->revocations &&
	       hash_equal(&a->facts_hash, &b->facts_hash) &&
	       hash_equal(&a->revocations_hash, &b->revocations_hash);
}

/* All that are awake hold the same, and so much of it. */
static bool agree(const struct world *world, uint32_t awake, uint32_t facts)
{
	const struct ledger_summary *first = site_summary(world->hosts[0].site);

	if (first->facts != facts)
		return false;
	for (uint32_t i = 1; i < awake; i++) {
		if (!same(site_summary(world->hosts[i].site), first))
			return false;
	}
	return true;
}

static bool await_agreement(struct world *world, uint32_t awake, uint32_t facts)
{
	usec_t until = world->now + AGREE_FOR;

	while (world->now < until) {
		world_run(world, world->now + AGREE_LOOK_EVERY);
		if (agree(world, awake, facts))
			return true;
	}
	(void)fprintf(stderr,
		"bench sim: no agreement on %" PRIu32 " facts: the hub has %" PRIu32
		", the last %" PRIu32 "\n",
		facts, site_summary(world->hosts[0].site)->facts,
		site_summary(world->hosts[awake - 1].site)->facts);
	return false;
}

/* The first delegation, and a certificate for each. */
static uint32_t founding_facts(uint32_t sites)
{
	return 1 + sites;
}

static bool measure_full(void)
{
	const struct meter begun = meter_begin();
	struct world *world = found(FULL_SITES, FULL_SITES, false);
	bool agreed = await_agreement(world, FULL_SITES, founding_facts(FULL_SITES) + FULL_SITES);
	const struct meter took = meter_read(&begun);

	(void)printf("2,000 full sites, resident      %12.0f  MiB (goal: at most %d): %s\n",
		peak_mib(), GOAL_FULL_MIB, kept(peak_mib() <= GOAL_FULL_MIB));
	(void)printf("  all agree after               %12.0f  virtual s (published only)\n",
		seconds(world->now));
	(void)printf("  wall time, CPU time           %12.1f  s, %.1f s (published only)\n",
		took.wall, took.cpu);
	/* Its memory goes with the process. */
	return agreed;
}

/* Ten thousand members, most of which are only spoken of. */

/* What its site would say of itself, by the key that stands in its store. */
static int make_record(const struct host *host, uint8_t out[static FACT_SIZE_MAX])
{
	const struct world *world = host->world;
	struct record record = {
		.site = host->site_key,
		.sequence = host_wall(host),
		.issued_at = host_wall(host),
		.lifetime = RECORD_LIFETIME_S,
		.protocol = MESSAGE_PROTOCOL,
		.program = "0.1.0",
	};
	char why[STORE_WHY_SIZE];
	struct secret secret;
	struct key seed;

	if (store_key_read(host->store, STORE_KEY_IDENTITY, &seed, why) < 0)
		abort();
	secret_from_seed(&secret, &seed);
	return record_seal(&record, out, &secret, &world->collective, world->crypto);
}

/* To the hub, as if the speaker's site had said it. */
static void say(struct world *world, struct message *message)
{
	struct host *speaker = &world->hosts[SPEAKER];
	struct inner inner = {
		.source = {speaker->overlay, SITE_PORT},
		.destination = {world->hosts[0].overlay, SITE_PORT},
	};

	message->clock = host_wall(speaker);
	inner.size = (uint16_t)message_write(message, &world->collective, inner.bytes);
	if (!host_transmit(speaker, &inner))
		abort();
	world_run(world, world->now + HAND_EVERY);
	message->fact_count = 0;
}

/* Everybody's record that the hub lacks, at a rate that the hub takes. Returns how many. */
static uint32_t hand_over(struct world *world)
{
	static uint8_t facts[HAND_FACTS][FACT_SIZE_MAX];
	struct message message = {.type = MESSAGE_DELTA};
	uint32_t handed = 0;

	for (uint32_t i = AWAKE; i < MEMBERS; i++) {
		const struct member *member = ledger_find(
			site_ledger(world->hosts[0].site), &world->hosts[i].id);
		int size;

		if (!member || member->record != ARENA_NONE)
			continue;
		size = make_record(&world->hosts[i], facts[message.fact_count]);
		if (size <= 0)
			abort();
		message.facts[message.fact_count] = facts[message.fact_count];
		message.fact_sizes[message.fact_count++] = (size_t)size;
		handed++;
		if (message.fact_count == HAND_FACTS)
			say(world, &message);
	}
	if (message.fact_count > 0)
		say(world, &message);
	return handed;
}

static bool measure_members(void)
{
	const struct meter begun = meter_begin();
	struct world *world = found(MEMBERS, AWAKE, false);
	uint32_t handed = 0;
	uint32_t more = 1;
	usec_t acquainted;
	struct meter took;
	bool agreed;

	(void)printf("10,000 members, once founded    %12.0f  MiB (published only)\n", peak_mib());
	agreed = await_agreement(world, AWAKE, founding_facts(MEMBERS) + AWAKE);
	acquainted = world->now;
	took = meter_read(&begun);
	(void)printf("  100 awake hold certificates   %12.0f  virtual s, %.1f s of CPU time "
		     "(published only)\n",
		seconds(acquainted), took.cpu);
	for (int pass = 0; agreed && more > 0 && pass < HAND_PASSES; pass++) {
		more = hand_over(world);
		handed += more;
		world_run(world, world->now + HAND_AGAIN_AFTER);
	}
	agreed = agreed && more == 0 &&
		 await_agreement(world, AWAKE, founding_facts(MEMBERS) + MEMBERS);
	took = meter_read(&begun);
	(void)printf("  and all records after         %12.0f  virtual s more, %" PRIu32
		     " handed in at %d a second (published only)\n",
		seconds(world->now - acquainted), handed,
		(int)(HAND_FACTS * USEC_SECOND / HAND_EVERY));
	(void)printf("  resident at most              %12.0f  MiB (published only)\n", peak_mib());
	(void)printf("  wall time, CPU time           %12.1f  s, %.1f s (published only)\n",
		took.wall, took.cpu);
	return agreed;
}

/* Parts. */

struct part {
	const char *name;
	const char *text;
	bool is_long;
	bool (*measure)(void);
};

static const struct part parts[] = {
	{"idle", "50 idle sites", false, measure_idle},
	{"thousand", "a thousand sites' cold start", false, measure_thousand},
	{"full", "2,000 full sites", true, measure_full},
	{"members", "10,000 members", true, measure_members},
};

#define PARTS (sizeof parts / sizeof parts[0])

static bool run_part(const struct part *part)
{
	pid_t child;
	int status = 1;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		bool good = part->measure();

		_exit(fflush(stdout) == 0 && good ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		(void)fprintf(
			stderr, "bench sim: part \"%s\" failed, status %d\n", part->name, status);
	return status == 0;
}

static bool is_wanted(const struct part *part, int argc, char **argv)
{
	if (argc == 1)
		return !part->is_long;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--long") == 0 || strcmp(argv[i], part->name) == 0)
			return true;
	}
	return false;
}

static bool is_known(const char *argument)
{
	bool known = strcmp(argument, "--long") == 0;

	for (size_t i = 0; i < PARTS; i++)
		known = known || strcmp(argument, parts[i].name) == 0;
	return known;
}

int main(int argc, char **argv)
{
	bool good = true;

	/* Line by line: what a long part has found can be read while it goes on. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		if (is_known(argv[i]))
			continue;
		(void)fprintf(stderr,
			"usage: tools/bench sim [--long | PART…]; parts: idle thousand "
			"full members\n");
		return 2;
	}
	for (size_t i = 0; i < PARTS; i++) {
		if (is_wanted(&parts[i], argc, argv))
			good = run_part(&parts[i]) && good;
		else if (argc == 1)
			(void)printf("%s: left out; --long has it\n", parts[i].text);
	}
	return good ? 0 : 1;
}

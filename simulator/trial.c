/* SPDX-License-Identifier: MIT */
#include "simulator/trial.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "simulator/world.h"

#define COLD_LOOK_EVERY (10 * USEC_MSEC)

/* Who holds the origin's new record, and since when. */
struct watch {
	const struct host *origin;
	uint64_t before; /* the number of its last record */
	usec_t *since;   /* by host number; USEC_NEVER: not yet */
};

static struct world *build(const struct trial *trial)
{
	const struct world_options options = {.seed = trial->seed, .sites = trial->sites};
	struct world *world = world_new(&options);

	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		host->up.options = (struct link_options){
			.delay = i == 0 ? 0 : trial->delay, .loss = i == 0 ? 0 : trial->loss};
		host->down.options = host->up.options;
	}
	return world;
}

static uint64_t bytes_sent(const struct world *world)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < world->host_count; i++)
		sum += world->hosts[i].sent_bytes;
	return sum;
}

/* Cold start: each spoke knows the hub and itself. */

static bool same_summary(const struct ledger_summary *a, const struct ledger_summary *b)
{
	return a->facts == b->facts && a->revocations == b->revocations &&
	       hash_equal(&a->facts_hash, &b->facts_hash) &&
	       hash_equal(&a->revocations_hash, &b->revocations_hash);
}

/* All hold everybody's certificate and record, and so the same. */
static bool agree(const struct world *world)
{
	const struct ledger *ledger = site_ledger(world->hosts[0].site);
	const struct ledger_summary *first = site_summary(world->hosts[0].site);

	if (ledger->members.count < world->host_count)
		return false;
	for (uint32_t i = 0; i < world->host_count; i++) {
		const struct member *member = ledger_find(ledger, &world->hosts[i].id);

		if (!member || member->record == ARENA_NONE ||
			!same_summary(site_summary(world->hosts[i].site), first))
			return false;
	}
	return true;
}

static void start_cold(struct trial *trial, struct world *world)
{
	bool agreed = false;

	world_found(world, false);
	for (uint32_t i = 0; i < world->host_count; i++)
		host_power(&world->hosts[i], true);
	while (!agreed && world->now < TRIAL_COLD_FOR) {
		world_run(world, world->now + COLD_LOOK_EVERY);
		agreed = agree(world);
	}
	trial->cold = agreed ? world->now : USEC_NEVER;
	trial->cold_bytes = bytes_sent(world);
}

/* Rest. */

static uint64_t spoke_bytes(const struct world *world)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i < world->host_count; i++)
		sum += world->hosts[i].up.bytes + world->hosts[i].down.bytes;
	return sum;
}

static void rest(struct trial *trial, struct world *world)
{
	uint64_t before;

	world_run(world, world->now + TRIAL_SETTLE_FOR);
	before = spoke_bytes(world);
	world_run(world, world->now + TRIAL_IDLE_FOR);
	trial->idle_spokes = spoke_bytes(world) - before;
}

/* Changes. */

static void let_pass(struct world *world, struct traffic *sum)
{
	uint64_t bytes = bytes_sent(world);
	uint64_t datagrams = world->datagrams;
	usec_t begun = world->now;

	world_run(world, begun + TRIAL_SOON);
	sum->soon_bytes += bytes_sent(world) - bytes;
	sum->soon_datagrams += world->datagrams - datagrams;
	world_run(world, begun + TRIAL_CHANGE_FOR);
	sum->later_bytes += bytes_sent(world) - bytes;
}

/*
 * The very same world without the change, to tell apart what the change costs: a process forked
 * here has it. Its sums come back through the memory of the trial.
 */
static void run_sibling(struct trial *trial, struct world *world)
{
	pid_t child = fork();
	int status = 1;

	if (child == 0) {
		let_pass(world, &trial->without);
		_exit(0);
	}
	/* Without it there is no result; the one that waits says so. */
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		_exit(1);
}

static uint64_t sequence_of(const struct host *host, const struct host *origin)
{
	const struct member *member = ledger_find(site_ledger(host->site), &origin->id);

	return member ? member->sequence : 0;
}

/* After each step of a host: exact to the microsecond. */
static void notice(struct world *world, struct host *host, void *context)
{
	struct watch *watch = context;

	if (watch->since[host->number] == USEC_NEVER &&
		sequence_of(host, watch->origin) > watch->before)
		watch->since[host->number] = world->now;
}

/*
 * The smallest change that an owner can make by itself: the origin is told its own endpoints anew,
 * and says a new record. No certificate changes, so nobody else has to act first.
 */
static void change(struct trial *trial, struct world *world, struct watch *watch, usec_t *took)
{
	const struct site_command command = {.kind = SITE_COMMAND_ENDPOINTS, .request = 1};
	struct host *origin = &world->hosts[1 + prng_below(&world->prng, trial->sites - 1)];
	usec_t begun = world->now;

	run_sibling(trial, world);
	watch->origin = origin;
	watch->before = sequence_of(origin, origin);
	for (uint32_t i = 0; i < world->host_count; i++)
		watch->since[i] = USEC_NEVER;
	world->stepped = notice;
	world->context = watch;
	host_command(origin, &command);
	let_pass(world, &trial->with);
	world->stepped = NULL;
	for (uint32_t i = 0; i < world->host_count; i++) {
		if (i != origin->number)
			*took++ = watch->since[i] == USEC_NEVER ? USEC_NEVER
								: watch->since[i] - begun;
	}
}

usec_t trial_bound(const struct trial *trial, uint32_t time)
{
	return time % (trial->sites - 1) == 0 ? trial->delay : 2 * trial->delay;
}

void trial_run(struct trial *trial)
{
	struct world *world = build(trial);
	struct watch watch = {.since = calloc(trial->sites, sizeof *watch.since)};

	assert(watch.since);
	start_cold(trial, world);
	rest(trial, world);
	for (uint32_t i = 0; i < trial->changes; i++) {
		change(trial, world, &watch, trial->took + (size_t)i * (trial->sites - 1));
		/* The next one does not meet the same phase of what recurs every two minutes. */
		world_run(world, world->now + (usec_t)prng_below(&world->prng, USEC_MINUTE));
	}
	free(watch.since);
	world_free(world);
}

/* SPDX-License-Identifier: MIT */
#include "simulator/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/check_links.h"
#include "simulator/flow.h"
#include "simulator/host.h"

#define JOIN_FIRST (2 * USEC_SECOND)
#define JOIN_EVERY (2 * USEC_SECOND)
#define CALL_EVERY (3 * USEC_SECOND)
#define PORT_CALL 9
#define REACH_FOR (5 * USEC_SECOND)
#define REACH_FOR_LOSSY (30 * USEC_SECOND) /* a lost handshake is tried again after 5 s */
#define REST_FOR (2 * USEC_MINUTE)

/* A moment at which something begins or ends. */
struct moment {
	usec_t at;
	uint32_t item;
	bool ends;
};

struct run {
	const struct scenario *scenario;
	struct world *world;
	struct check check;
	struct plan plan;
	struct moment *moments;
	uint32_t moment_count;
	uint32_t next;
	usec_t quiet_at; /* calls end, and rest begins */
};

/* Doing. */

static struct site_command command_for(enum site_command_kind kind, const struct host *host)
{
	struct site_command command = {.kind = kind, .request = 1};

	(void)snprintf(command.name, sizeof command.name, "%s", host->name);
	return command;
}

static void expel(struct run *run, struct host *host)
{
	struct site_command command = command_for(SITE_COMMAND_EXPEL, host);
	struct host *hub = &run->world->hosts[0];

	if (!hub->running || host->hub || !run->check.fates[host->number].member)
		return;
	hub->replies = 0;
	world_say(run->world, hub, "expels %s", host->name);
	host_command(hub, &command);
	if (!site_is_revoked(hub->site, &host->site_key))
		return;
	/* What the disk refused may be forgotten, and its owner was told so. */
	run->check.fates[host->number].expelled = !hub->unsaved;
	run->check.fates[host->number].lost = hub->unsaved;
}

static void join(struct run *run, struct host *host)
{
	struct site_command invite = command_for(SITE_COMMAND_INVITE, host);
	struct site_command command = {.kind = SITE_COMMAND_JOIN, .request = 2};
	struct host *hub = &run->world->hosts[0];

	if (!hub->running)
		return;
	if (run->scenario->links)
		invite.tags = (struct names){1, {WORLD_TAG}};
	if (host->invited)
		(void)snprintf(
			invite.name, sizeof invite.name, "%.40s-%u", host->name, host->starts);
	hub->invite[0] = '\0';
	host_command(hub, &invite);
	if (hub->invite[0] == '\0')
		return;
	host->invited = true;
	host_power(host, true);
	command.text = hub->invite;
	world_say(run->world, host, "joins");
	host_command(host, &command);
	host->told_farewell = false;
	host->leaving = false;
	host->farewell = 0;
	run->check.fates[host->number].joining = true;
	run->check.fates[host->number].lost = false;
}

static void change_routes(struct run *run, struct host *host)
{
	struct site_command command = command_for(SITE_COMMAND_ROUTES, host);

	command.routes = (struct prefixes){
		1, {{address_ipv4(0xac100000 + (host->number << 8)), 24}}};
	host_command(host, &command);
	run->check.fates[host->number].asks_until = run->world->now + USEC_MINUTE;
}

/* The hub's owner says yes once the question has come. */
static void approve_all(struct run *run)
{
	for (uint32_t i = 1; i < run->world->host_count; i++) {
		struct host *host = &run->world->hosts[i];
		struct site_command command = command_for(SITE_COMMAND_APPROVE, host);

		if (run->world->now < run->check.fates[i].asks_until)
			host_command(&run->world->hosts[0], &command);
	}
}

static int copy_row(const struct store_row *row, void *context)
{
	return store_write(context, row, 1);
}

/* The same state comes to life a second time. */
static void twin(struct run *run, struct host *host, int64_t number)
{
	struct host *other = &run->world->hosts[(uint64_t)number % run->world->host_count];
	char why[STORE_WHY_SIZE];
	struct key key;

	if (other == host || other->hub)
		return;
	host_wipe(other);
	host_power(other, false);
	for (int table = 0; table < STORE_TABLES; table++)
		(void)store_walk(host->store, (enum store_table)table, copy_row, other->store);
	for (int slot = 0; slot < STORE_KEY_SLOTS; slot++) {
		if (store_key_read(host->store, (enum store_key_slot)slot, &key, why) == 0)
			(void)store_key_write(other->store, (enum store_key_slot)slot, &key);
	}
	run->check.fates[other->number].lost = true;
	run->check.fates[host->number].lost = true;
	host_power(other, true);
}

static void change_wish(struct run *run, struct host *host, enum site_command_kind kind, int64_t to)
{
	struct site_command command = command_for(
		kind, &run->world->hosts[(uint64_t)to % run->world->host_count]);

	host_command(host, &command);
}

/* The smallest change that an owner can make: it is told its own endpoints anew. */
static void renew(struct host *host)
{
	const struct site_command command = {.kind = SITE_COMMAND_ENDPOINTS, .request = 1};

	host_command(host, &command);
}

static void part(struct run *run, const struct plan_item *item, bool apart)
{
	uint32_t other = (uint32_t)((uint64_t)item->value % run->world->host_count);

	world_wall(run->world, item->site, other, apart);
	world_wall(run->world, other, item->site, apart);
}

static void begin(struct run *run, const struct plan_item *item)
{
	struct world *world = run->world;
	struct host *host = &world->hosts[item->site];

	world_say(world, host, "begins: %s", plan_kind_name(item->kind));
	check_links_begins(&run->check, item);
	switch (item->kind) {
	case PLAN_CRASH:
		host_power(host, false);
		if (item->lasts == 0)
			host_power(host, true);
		break;
	case PLAN_KILL:
		if (host->powered)
			host_run(host, false);
		if (item->lasts == 0 && host->powered)
			host_run(host, true);
		break;
	case PLAN_WIPE:
		host_wipe(host);
		run->check.fates[host->number].lost = true;
		break;
	case PLAN_PAUSE:
		host->paused_until = usec_add(world->now, item->lasts);
		break;
	case PLAN_SUSPEND:
		host_suspend(host);
		break;
	case PLAN_WALL:
		world_wall(world, item->site, 0, true);
		world_wall(world, 0, item->site, true);
		break;
	case PLAN_ONE_WAY:
		world_wall(world, item->site, 0, true);
		break;
	case PLAN_REBOOT:
		if (host->router)
			router_reboot(host->router);
		if (host->carrier)
			router_reboot(host->carrier);
		break;
	case PLAN_RENUMBER:
		if (host->router)
			world_renumber(world, item->site);
		break;
	case PLAN_CLOCK:
		host_set_clock(host, item->value);
		break;
	case PLAN_DRIFT:
		host_set_drift(host, (int32_t)item->value);
		break;
	case PLAN_FULL:
		host->full = true;
		break;
	case PLAN_LOSS:
		host->up.options.loss = (uint32_t)item->value;
		host->down.options.loss = (uint32_t)item->value;
		break;
	case PLAN_EXPEL:
		expel(run, host);
		break;
	case PLAN_LEAVE: {
		struct site_command command = command_for(SITE_COMMAND_LEAVE, host);

		command.request = WORLD_REQUEST_LEAVE;
		if (host->running && site_state(host->site) == SITE_MEMBER) {
			run->check.fates[host->number].left = true;
			host->leaving = true;
			host_command(host, &command);
		}
		break;
	}
	case PLAN_ROTATE: {
		struct site_command command = command_for(SITE_COMMAND_ROTATE, host);

		host_command(host, &command);
		break;
	}
	case PLAN_ROUTES:
		change_routes(run, host);
		break;
	case PLAN_JOIN:
		join(run, host);
		break;
	case PLAN_TWIN:
		twin(run, host, item->value);
		break;
	case PLAN_OFF:
		host_power(host, false);
		break;
	case PLAN_PART:
		part(run, item, true);
		break;
	case PLAN_FLOW:
		flow_begin(world, item->site, (uint32_t)item->value, item->lasts);
		break;
	case PLAN_LINK:
		change_wish(run, host, SITE_COMMAND_LINK, item->value);
		break;
	case PLAN_UNLINK:
		change_wish(run, host, SITE_COMMAND_UNLINK, item->value);
		break;
	case PLAN_RENEW:
		renew(host);
		break;
	case PLAN_KINDS:
		break;
	}
}

static void end(struct run *run, const struct plan_item *item)
{
	struct world *world = run->world;
	struct host *host = &world->hosts[item->site];

	world_say(world, host, "ends: %s", plan_kind_name(item->kind));
	check_links_ends(&run->check, item);
	switch (item->kind) {
	case PLAN_CRASH:
	case PLAN_OFF:
		host_power(host, true);
		break;
	case PLAN_KILL:
		if (host->powered)
			host_run(host, true);
		break;
	case PLAN_PAUSE:
		host->paused_until = world->now;
		host_wake(host);
		break;
	case PLAN_WALL:
	case PLAN_ONE_WAY:
		world_wall(world, item->site, 0, false);
		world_wall(world, 0, item->site, false);
		break;
	case PLAN_PART:
		part(run, item, false);
		break;
	case PLAN_FULL:
		host->full = false;
		break;
	case PLAN_LOSS:
		host->up.options.loss = run->scenario->line.loss;
		host->down.options.loss = run->scenario->line.loss;
		break;
	case PLAN_WIPE:
	case PLAN_SUSPEND:
	case PLAN_REBOOT:
	case PLAN_RENUMBER:
	case PLAN_CLOCK:
	case PLAN_DRIFT:
	case PLAN_EXPEL:
	case PLAN_LEAVE:
	case PLAN_ROTATE:
	case PLAN_ROUTES:
	case PLAN_JOIN:
	case PLAN_TWIN:
	case PLAN_FLOW:
	case PLAN_LINK:
	case PLAN_UNLINK:
	case PLAN_RENEW:
	case PLAN_KINDS:
		break;
	}
}

/* The plan. */

static void add_moment(struct run *run, usec_t at, uint32_t item, bool ends)
{
	uint32_t i = run->moment_count++;

	for (; i > 0 && run->moments[i - 1].at > at; i--)
		run->moments[i] = run->moments[i - 1];
	run->moments[i] = (struct moment){at, item, ends};
}

static void lay_moments(struct run *run)
{
	run->moments = calloc(2 * (size_t)run->plan.count + 1, sizeof *run->moments);
	assert(run->moments);
	for (uint32_t i = 0; i < run->plan.count; i++) {
		const struct plan_item *item = &run->plan.items[i];

		add_moment(run, item->at, i, false);
		if (item->lasts > 0)
			add_moment(run, usec_add(item->at, item->lasts), i, true);
	}
}

void run_plan(const struct scenario *scenario, uint64_t seed, bool drawn, struct plan *ret)
{
	uint8_t bytes[PRNG_SEED_SIZE] = {0};
	struct prng prng;

	plan_copy(ret, &scenario->plan);
	if (drawn)
		return;
	for (size_t i = 0; i < sizeof seed; i++)
		bytes[i] = (uint8_t)(seed >> 8 * i);
	bytes[31] = 1;
	/* One seed is not to draw the same kinds in every scenario. */
	for (size_t i = 0; scenario->name[i]; i++)
		bytes[8 + i % 16] ^= (uint8_t)scenario->name[i];
	prng_init(&prng, bytes);
	plan_draw(ret, &prng, scenario->faults, scenario->sites,
		scenario->heal_at == USEC_NEVER ? scenario->duration : scenario->heal_at);
	for (uint32_t i = 1; scenario->joining && i < scenario->sites; i++) {
		struct plan_item item = {
			.at = JOIN_FIRST + i * JOIN_EVERY, .kind = PLAN_JOIN, .site = i};

		plan_add(ret, &item);
	}
	plan_sort(ret);
}

bool run_is_real(const struct scenario *scenario, uint64_t seed)
{
	return scenario->crypto_by_seed ? seed % 4 == 0 : scenario->real_crypto;
}

/* The world. */

static void furnish(struct run *run)
{
	const struct scenario *scenario = run->scenario;
	struct world *world = run->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		link_init(&host->up, &scenario->line, &world->prng, 2 * (uint64_t)i);
		link_init(&host->down, &scenario->line, &world->prng, 2 * (uint64_t)i + 1);
		if (i > 0 && scenario->router_count > 0)
			world_add_router(world, i, &scenario->routers[i % scenario->router_count],
				scenario->router_carrier[i % scenario->router_count]);
	}
	for (uint32_t i = 0; i < scenario->mischief_count; i++) {
		struct host *host = &world->hosts[scenario->mischief[i].site];

		host->mischief = scenario->mischief[i].kind;
		host->victim = scenario->mischief[i].victim;
	}
}

static void found_by_command(struct run *run)
{
	struct host *hub = &run->world->hosts[0];
	struct site_command command = command_for(SITE_COMMAND_FOUND, hub);
	struct address outside = world_outside(run->world, 0);

	command.supernet = run->world->supernet;
	command.subnet = world_subnet(run->world, 0);
	command.endpoint_count = 1;
	command.endpoints[0].port = WORLD_PORT;
	address_print(&outside, command.endpoints[0].host);
	host_power(hub, true);
	host_command(hub, &command);
	run->world->collective = site_ledger(hub->site)->collective;
	run->check.fates[0].member = true;
}

static void begin_world(struct run *run)
{
	struct world *world = run->world;

	if (run->scenario->joining) {
		found_by_command(run);
		return;
	}
	world_found(world, run->scenario->acquainted);
	for (uint32_t i = 0; i < world->host_count; i++) {
		run->check.fates[i].member = true;
		host_power(&world->hosts[i], true);
	}
}

/* Whatever is still broken is mended, but for what cannot be. */
static void heal(struct run *run)
{
	struct world *world = run->world;

	world_say(world, NULL, "all that can be is mended");
	for (; run->next < run->moment_count; run->next++) {
		const struct moment *moment = &run->moments[run->next];

		if (moment->ends)
			end(run, &run->plan.items[moment->item]);
	}
	world_unwall(world);
	check_links_heals(&run->check);
	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		host->full = false;
		host->up.options.loss = run->scenario->line.loss;
		host->down.options.loss = run->scenario->line.loss;
		/* What it says at such a rate never comes to rest. */
		if (host->mischief == MISCHIEF_EQUIVOCATE)
			host->mischief = MISCHIEF_GARBAGE;
		if (run->check.fates[i].member || run->check.fates[i].joining) {
			host_power(host, true);
			host_run(host, true);
		}
	}
}

/* To the network behind a site: nothing of it may leave in clear, while anybody says it is there.
 */
static void call_home(struct run *run, struct host *host, const struct host *to)
{
	const struct ledger *ledger = site_ledger(host->site);
	const struct member *member = ledger_find(ledger, &to->id);
	struct inner inner = {
		.source = {host->overlay, PORT_CALL},
		.size = 56,
		.destination = {address_ipv4(0xac100001 + (to->number << 8)), PORT_CALL + 1},
	};
	const struct prefix network = {inner.destination.address, 32};

	if (member && !member->left && !run->check.fates[host->number].lost &&
		!run->check.fates[to->number].lost && ledger_prefix_taken(ledger, &network))
		(void)host_transmit(host, &inner);
}

/* Ordinary traffic, to sites and to the networks behind them. */
static void call_somebody(struct run *run)
{
	struct world *world = run->world;
	uint32_t turn = (uint32_t)(world->now / CALL_EVERY);

	if (world->host_count > 100 || world->now > run->quiet_at || world->now % CALL_EVERY != 0)
		return;
	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];
		uint32_t to = (i + 1 + turn % (world->host_count - 1)) % world->host_count;

		/* Who belongs to nothing yet, or no more, has routes of its own to think of. */
		if (!host->powered || !host->running || site_state(host->site) != SITE_MEMBER ||
			host->overlay.family == ADDRESS_NONE || to == i)
			continue;
		host_ping(host, &world->hosts[to]);
		call_home(run, host, &world->hosts[to]);
	}
}

/* Second by second, with what is planned in between. */
static void advance(struct run *run, usec_t until)
{
	struct world *world = run->world;

	while (world->now < until && run->check.result->failed == PROPERTY_NONE) {
		usec_t second = (world->now / USEC_SECOND + 1) * USEC_SECOND;
		usec_t to = usec_min(second, until);

		run->check.result->virtual_time = world->now;
		if (run->next < run->moment_count && run->moments[run->next].at <= to) {
			const struct moment *moment = &run->moments[run->next++];

			world_run(world, moment->at > world->now ? moment->at : world->now);
			if (moment->ends)
				end(run, &run->plan.items[moment->item]);
			else
				begin(run, &run->plan.items[moment->item]);
			continue;
		}
		world_run(world, to);
		if (to == second) {
			call_somebody(run);
			approve_all(run);
			check_second(&run->check);
		}
	}
}

/* Until all agree, at most until then. Says how long it took since from. */
static void await_agreement(struct run *run, usec_t from, usec_t until)
{
	uint32_t odd;

	while (run->world->now < until && run->check.result->failed == PROPERTY_NONE) {
		if (check_agreement(&run->check, &odd)) {
			run->check.result->converged = run->world->now - from;
			break;
		}
		advance(run, usec_min(run->world->now + USEC_SECOND / 10, until));
	}
	advance(run, until);
}

/* Everybody calls its neighbour until it answers. */
static void try_reach(struct run *run)
{
	const struct link_options *line = &run->scenario->line;
	usec_t patience = line->loss > 0 || line->well > 0 ? REACH_FOR_LOSSY : REACH_FOR;
	usec_t until = run->world->now + patience;

	check_begin_reach(&run->check);
	while (run->world->now < until) {
		check_try_reach(&run->check);
		advance(run, run->world->now + USEC_SECOND);
		if (run->check.result->failed != PROPERTY_NONE)
			return;
	}
	check_end_reach(&run->check);
}

static void play(struct run *run)
{
	const struct scenario *scenario = run->scenario;
	struct run_result *result = run->check.result;
	bool faults = scenario->heal_at != USEC_NEVER;
	usec_t settled;
	usec_t rest;

	run->quiet_at = faults ? scenario->heal_at + scenario->settle : 0;
	begin_world(run);
	if (faults) {
		advance(run, scenario->heal_at);
		if (result->failed != PROPERTY_NONE)
			return;
		heal(run);
		settled = scenario->heal_at + scenario->settle;
	} else {
		usec_t last = run->moment_count > 0 ? run->moments[run->moment_count - 1].at : 0;

		advance(run, last);
		settled = usec_min(last + scenario->settle, scenario->duration);
	}
	await_agreement(run, run->world->now, settled);
	check_converged(&run->check, faults);
	check_in_time(&run->check, faults);
	if (result->failed != PROPERTY_NONE)
		return;
	check_all(&run->check, true);
	try_reach(run);
	rest = scenario->duration - run->world->now;
	advance(run, scenario->duration > REST_FOR && rest > REST_FOR
			     ? scenario->duration - REST_FOR
			     : run->world->now);
	if (rest > REST_FOR) {
		/* Others look every ten seconds: the last of that is what this begins with. */
		for (uint32_t i = 0; i < run->world->host_count; i++)
			run->check.fates[i].sent_before = run->world->hosts[i].sent_bytes;
		run->check.looked_at = USEC_NEVER / 2;
		advance(run, scenario->duration);
		check_rest(&run->check, REST_FOR);
	} else {
		advance(run, scenario->duration);
	}
	check_converged(&run->check, faults);
	check_links_end(&run->check);
}

void run_scenario(const struct scenario *scenario, uint64_t seed, bool drawn, FILE *trace,
	struct run_result *ret)
{
	const struct world_options options = {
		.seed = seed,
		.sites = scenario->sites,
		.real_crypto = run_is_real(scenario, seed),
		.links = scenario->links,
		.when = scenario->when,
		.trace = trace,
	};
	struct run run = {.scenario = scenario};

	*ret = (struct run_result){.converged = USEC_NEVER};
	run.world = world_new(&options);
	check_init(&run.check, scenario, run.world, ret);
	run.world->stepped = check_step;
	run.world->context = &run.check;
	run_plan(scenario, seed, drawn, &run.plan);
	lay_moments(&run);
	furnish(&run);
	play(&run);
	ret->hash = run.world->hash;
	ret->events = run.world->events;
	ret->steps = run.world->steps;
	ret->datagrams = run.world->datagrams;
	ret->virtual_time = run.world->now;
	for (uint32_t i = 0; i < run.world->host_count; i++)
		ret->bytes += run.world->hosts[i].sent_bytes;
	plan_free(&run.plan);
	run.world->stepped = NULL;
	run.world->received = NULL;
	run.world->tunnelled = NULL;
	free(run.moments);
	check_done(&run.check);
	world_free(run.world);
}

/* SPDX-License-Identifier: MIT */
#include "simulator/check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/ledger_internal.h"
#include "simulator/check_links.h"
#include "simulator/host.h"

/* Bytes in one look, ten seconds; what WireGuard has staged comes at once. */
#define SPOKE_BURST_MAX (72 * 1024)
#define SPOKE_BURST_EACH 1024 /* and for each site */
#define HUB_BURST_MAX (300 * 1024)
#define HUB_BURST_EACH (32 * 1024)
#define IDLE_MAX 60   /* bytes a second of a spoke at rest */
#define IDLE_LINKS 20 /* and for being seen, where there are links, */
#define IDLE_LINK 3   /* and for each that may be */
#define LOOK_EVERY (10 * USEC_SECOND)
#define STEPS_AT_ONCE_MAX 20000
#define STEPS_A_SECOND_MAX 2500
#define UNSETTLED_MAX (10 * USEC_SECOND)
/* 1.2 intervals of 60 s, twice: to the hub and from it. */
#define AGREE_WITHIN (144 * USEC_SECOND)
#define LEAVING_MAX (8 * USEC_SECOND)
#define FORCED_EVERY (5 * USEC_MINUTE)

void check_init(struct check *check, const struct scenario *scenario, struct world *world,
	struct run_result *result)
{
	*check = (struct check){.scenario = scenario, .world = world, .result = result};
	check->fates = calloc(world->host_count, sizeof *check->fates);
	assert(check->fates);
	check_links_init(check);
}

void check_done(struct check *check)
{
	check_links_done(check);
	free(check->fates);
}

void check_fail(struct check *check, enum property property, const struct host *host,
	const char *format, ...)
{
	struct run_result *result = check->result;
	va_list arguments;

	if (result->failed != PROPERTY_NONE || !(check->scenario->properties >> property & 1))
		return;
	result->failed = property;
	result->at = check->world->now;
	result->site = host ? host->number : 0;
	va_start(arguments, format);
	(void)vsnprintf(result->text, sizeof result->text, format, arguments);
	va_end(arguments);
	world_say(
		check->world, host, "%s DOES NOT HOLD: %s", property_name(property), result->text);
}

bool check_is_core(const struct check *check, uint32_t number)
{
	const struct host *host = &check->world->hosts[number];
	const struct fate *fate = &check->fates[number];

	return fate->member && !fate->expelled && !fate->left && !fate->lost && host->powered &&
	       host->running && (host->mischief == MISCHIEF_NONE || host->hub);
}

/* After a step. */

static void check_limits(struct check *check, const struct host *host)
{
	struct site_limit limit;

	for (uint32_t i = 0; site_limit(host->site, i, &limit); i++) {
		if (limit.used > limit.most)
			check_fail(check, PROPERTY_MEMORY, host, "%s: %llu of %llu", limit.name,
				(unsigned long long)limit.used, (unsigned long long)limit.most);
	}
}

void check_step(struct world *world, struct host *host, void *context)
{
	struct check *check = context;
	struct fate *fate = &check->fates[host->number];

	check_limits(check, host);
	check_links_step(check, host);
	fate->steps++;
	if (fate->stepped_at != world->now)
		fate->steps_at_once = 0;
	fate->stepped_at = world->now;
	if (++fate->steps_at_once > STEPS_AT_ONCE_MAX) {
		check_fail(check, PROPERTY_TRAFFIC, host, "steps in one moment come to no end");
		world->stopped = true;
	}
}

static void check_steps(struct check *check, const struct host *host)
{
	struct fate *fate = &check->fates[host->number];

	if (fate->steps > STEPS_A_SECOND_MAX + (host->hub ? 150u * check->world->host_count : 0) &&
		host->mischief == MISCHIEF_NONE && check->scenario->mischief_count == 0)
		check_fail(check, PROPERTY_TRAFFIC, host, "%llu steps in a second",
			(unsigned long long)fate->steps);
	fate->steps = 0;
}

/* Whoever is nobody says something to a hub: at no port of it is there an answer. */
static void check_silence(struct check *check, struct host *host)
{
	static const struct {
		uint8_t address[4];
		uint16_t port;
	} strangers[] = {
		{{169, 254, 77, 250}, SITE_JOIN_PORT}, /* invited by nobody */
		{{169, 254, 77, 1}, SITE_JOIN_PORT},   /* invited, but this is no request */
		{{10, 100, 250, 1}, SITE_PORT},        /* no member */
		{{10, 100, 250, 1}, SITE_JOIN_PORT},
		{{10, 100, 1, 1}, 7777}, /* a port that nothing has to do with */
	};
	uint32_t turn = (uint32_t)(check->world->now / USEC_SECOND) % 20;
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};
	const struct site_actions *actions = &check->world->actions;
	uint8_t bytes[200];

	if (turn >= sizeof strangers / sizeof strangers[0] || host->mischief != MISCHIEF_NONE)
		return;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)((uint64_t)check->world->now / USEC_SECOND * 31 + i * i);
	event.datagram.from.address = (struct address){.family = ADDRESS_IPV4};
	memcpy(event.datagram.from.address.bytes, strangers[turn].address, 4);
	event.datagram.from.port = strangers[turn].port;
	event.datagram.port = strangers[turn].port;
	event.datagram.bytes = bytes;
	event.datagram.size = sizeof bytes;
	host_event(host, &event);
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_SEND && action->send.port == strangers[turn].port &&
			address_equal(&action->send.to.address, &event.datagram.from.address))
			check_fail(
				check, PROPERTY_SILENCE, host, "a stranger got an answer within");
	}
}

/* What a started agent, and a changed ledger, lead to is told soon: until then nothing is checked.
 */
static void check_settling(struct check *check, const struct host *host)
{
	struct fate *fate = &check->fates[host->number];
	bool settled = site_wakeup(host->site) > check->world->now &&
		       (host->said_all || site_state(host->site) == SITE_BLANK);

	if (settled || check->world->now < host->paused_until) {
		fate->unsettled_since = 0;
		return;
	}
	if (fate->unsettled_since == 0)
		fate->unsettled_since = check->world->now;
	if (check->world->now - fate->unsettled_since > UNSETTLED_MAX)
		check_fail(check, PROPERTY_CONFIGURATION, host,
			"its configuration is not settled for ten seconds");
}

/* Who is out has nothing left on its machine. */
static void check_out(struct check *check, const struct host *host)
{
	if (site_state(host->site) != SITE_OUT || site_wakeup(host->site) <= check->world->now)
		return;
	if (host->backbone || host->route_count > 0 || host->overlay.family != ADDRESS_NONE)
		check_fail(check, PROPERTY_CONFIGURATION, host,
			"it is out, and has a tunnel, an address or routes");
}

/* Every record that is held is what its owner signed, and was not old when it came. */
static void check_records(struct check *check, struct host *host)
{
	const struct ledger *ledger = site_ledger(host->site);

	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);
		struct record record;
		struct fact fact;

		if (!ledger_record(ledger, member, &record))
			continue;
		fact = ledger_fact(ledger, member->record);
		if (!fact_verify(&fact, &record.site, &ledger->collective, check->world->crypto))
			check_fail(check, PROPERTY_SEQUENCE, host, "holds a record nobody signed");
	}
}

/* Every second. */

/* What was once accepted of a member is not undone: its number, its farewell, its expulsion. */
static void check_memory(struct check *check, struct host *host, uint32_t other)
{
	const struct ledger *ledger = site_ledger(host->site);
	const struct host *about = &check->world->hosts[other];
	const struct member *member = ledger_find(ledger, &about->id);
	struct host_memory *memory = &host->memory_of;

	if (ledger_is_revoked(ledger, &about->site_hash))
		memory->revoked[other] = 1;
	else if (memory->revoked[other])
		check_fail(check, PROPERTY_NO_RETURN, host, "the revocation of %s was forgotten",
			about->name);
	if (!member)
		return;
	if (memory->revoked[other])
		check_fail(check, PROPERTY_NO_RETURN, host, "%s is a member again", about->name);
	if (member->sequence < memory->sequence[other])
		check_fail(check, PROPERTY_SEQUENCE, host,
			"the record of %s went back from "
			"%llu to %llu",
			about->name, (unsigned long long)memory->sequence[other],
			(unsigned long long)member->sequence);
	memory->sequence[other] = member->sequence;
	if (member->left)
		memory->left[other] = member->sequence;
	else if (member->sequence <= memory->left[other] && member->record != ARENA_NONE)
		check_fail(check, PROPERTY_NO_RETURN, host, "%s left and is back", about->name);
}

static bool publishes(const struct world *world, const struct row_id *member)
{
	for (uint32_t i = 0; i < world->options.sites; i++) {
		const struct host *host = &world->hosts[i];

		if (memcmp(&host->id, member, ROW_ID_SIZE) == 0)
			return host->options.links.publishes;
	}
	return false;
}

static void check_privacy(struct check *check, const struct host *host)
{
	const struct ledger *ledger = site_ledger(host->site);

	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);
		struct record record;

		if (!member->hub && ledger_record(ledger, member, &record) &&
			record.endpoint_count > 0 && !publishes(check->world, &member->id))
			check_fail(check, PROPERTY_PRIVACY, host,
				"an address stands in the record of a site that is no hub, and "
				"whose owner did not ask for it");
	}
}

/* The host whose WireGuard key this is, by what the ledger says. */
static const struct member *owner_of(const struct ledger *ledger, const struct key *key)
{
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		const struct member *member = table_at(&ledger->members, i);
		struct certificate certificate;

		ledger_certificate(ledger, member, &certificate);
		if (key_equal(&certificate.backbone, key))
			return member;
	}
	return NULL;
}

static bool is_join_address(const struct prefix *prefix)
{
	return prefix->length == 32 && prefix->address.bytes[0] == 169 &&
	       prefix->address.bytes[1] == 254;
}

/* What a peer of the hub may have: what its owner was founded with, and its own home network. */
static bool is_founded(
	const struct world *world, const struct host *owner, const struct prefix *prefix)
{
	struct prefix subnet = world_subnet(world, owner->number);
	struct prefix home = {address_ipv4(0xac100000 + (owner->number << 8)), 24};

	return prefix_equal(prefix, &subnet) || prefix_equal(prefix, &home);
}

/* Who has left keeps its tunnel for a moment, for the acknowledgement. */
static void check_leaver(struct check *check, const struct host *host, const struct member *owner)
{
	const struct host *about = world_host(check->world, &owner->id);
	struct fate *fate = about ? &check->fates[about->number] : NULL;
	usec_t now = check->world->now;

	if (!owner->in_force)
		check_fail(check, PROPERTY_CONFIGURATION, host, "a peer of who is no member");
	if (!fate || !owner->left)
		return;
	if (fate->odd_since == 0)
		fate->odd_since = now;
	if (now - fate->odd_since > LEAVING_MAX)
		check_fail(check, PROPERTY_CONFIGURATION, host, "%s has left and keeps its tunnel",
			about->name);
}

/* Whether somebody signed that a hub's peer has this prefix; or, at a spoke, that it may. */
static bool is_certified(const struct check *check, const struct host *host,
	const struct member *owner, const struct prefix *prefix)
{
	struct certificate certificate;

	if (!site_is_hub(host->site))
		return prefix->length >= 8 &&
		       (prefix_equal(prefix, &check->world->supernet) ||
			       !prefix_overlaps(prefix, &check->world->supernet));
	if (check->scenario->rotates)
		return true;
	if (!owner)
		return is_join_address(prefix);
	ledger_certificate(site_ledger(host->site), owner, &certificate);
	for (uint32_t i = 0; i < certificate.subnets.count; i++) {
		if (prefix_equal(prefix, &certificate.subnets.items[i]))
			return true;
	}
	for (uint32_t i = 0; i < certificate.routes.count; i++) {
		if (prefix_equal(prefix, &certificate.routes.items[i]))
			return true;
	}
	return false;
}

/* What is certified of an honest member in force is let through, all of it. */
static void check_complete(struct check *check, const struct host *host, const struct member *owner,
	const struct host *about, uint32_t count)
{
	struct certificate certificate;

	if (!owner->in_force || owner->left || check->scenario->rotates || !about ||
		about->mischief != MISCHIEF_NONE)
		return;
	ledger_certificate(site_ledger(host->site), owner, &certificate);
	if (count < certificate.subnets.count + certificate.routes.count)
		check_fail(check, PROPERTY_CONFIGURATION, host,
			"the peer of %s lacks a prefix of its certificate", about->name);
}

static void check_hubs_peer(struct check *check, const struct host *host,
	const struct member *owner, const struct prefix *allowed, uint32_t count)
{
	const struct host *about = owner ? world_host(check->world, &owner->id) : NULL;

	if (!owner) {
		if (!check->scenario->rotates && !(count == 1 && is_join_address(&allowed[0])))
			check_fail(check, PROPERTY_CONFIGURATION, host, "a peer that is nobody's");
		return;
	}
	check_complete(check, host, owner, about, count);
	if (check->scenario->joining)
		return;
	check_leaver(check, host, owner);
	for (uint32_t i = 0; i < count; i++) {
		if (about && !is_founded(check->world, about, &allowed[i]))
			check_fail(check, PROPERTY_CONFIGURATION, host,
				"%s has a prefix that is not in its certificate", about->name);
	}
}

static void check_peer(struct check *check, const struct host *host, const struct key *key)
{
	const struct member *owner = owner_of(site_ledger(host->site), key);
	bool settled = site_state(host->site) == SITE_MEMBER && !check->scenario->rotates;
	struct wireguard_statistics seen;
	struct prefix allowed[64];
	uint32_t count = wireguard_allowed(host->backbone, key, allowed, 64);

	/* A spoke's hub has everybody's networks: the first ones are looked at. */
	if (count > 64)
		count = 64;
	(void)wireguard_peer(host->backbone, key, &seen);
	if (!seen.has_endpoint && seen.keepalive > 0)
		check_fail(check, PROPERTY_CONFIGURATION, host,
			"a peer without endpoint is kept alive");
	if (settled && owner && key_is_zero(&seen.preshared))
		check_fail(check, PROPERTY_CONFIGURATION, host, "a peer without preshared key");
	for (uint32_t i = 0; i < count; i++) {
		if (!is_certified(check, host, owner, &allowed[i]))
			check_fail(check, PROPERTY_CONFIGURATION, host,
				"a peer has a prefix that nobody certified");
	}
	if (site_is_hub(host->site))
		check_hubs_peer(check, host, owner, allowed, count);
	else if (settled && !check->scenario->joining && !(owner && owner->hub))
		check_fail(
			check, PROPERTY_CONFIGURATION, host, "a spoke has a peer besides its hub");
}

static void check_configuration(struct check *check, struct host *host)
{
	if (!host->backbone || site_wakeup(host->site) <= check->world->now || !host->said_all)
		return;
	for (uint32_t i = 0; i < wireguard_peer_count(host->backbone); i++)
		check_peer(check, host, wireguard_peer_at(host->backbone, i));
}

/* The hub keeps a peer for everybody that belongs, for as long as the certificate stands. */
static void check_eviction(struct check *check, const struct host *hub)
{
	const struct ledger *ledger = site_ledger(hub->site);

	if (site_wakeup(hub->site) <= check->world->now || !hub->said_all || !hub->backbone)
		return;
	for (uint32_t i = 1; i < check->world->host_count; i++) {
		const struct host *other = &check->world->hosts[i];
		const struct fate *fate = &check->fates[i];
		struct wireguard_statistics seen;
		const struct member *member;
		struct certificate certificate;

		member = ledger_find(ledger, &other->id);
		/* What is not on disk is promised to nobody: it may fall over, and begin again. */
		if (fate->joining && member && !hub->unsaved)
			check->fates[i].member = true;
		if (!fate->member || fate->expelled || fate->left || fate->lost)
			continue;
		if (!member || !member->in_force) {
			check_fail(check, PROPERTY_EVICTION, hub, "%s is no member any more",
				other->name);
			return;
		}
		if (member->left && other->mischief != MISCHIEF_NONE)
			continue;
		if (member->left) {
			check_fail(check, PROPERTY_EVICTION, hub, "%s is said to have left",
				other->name);
			return;
		}
		ledger_certificate(ledger, member, &certificate);
		if (!wireguard_peer(hub->backbone, &certificate.backbone, &seen) &&
			!check->scenario->rotates)
			check_fail(check, PROPERTY_EVICTION, hub, "%s lost its peer", other->name);
	}
}

static void check_traffic(struct check *check)
{
	const uint64_t sites = check->world->host_count;
	/* Who meets for the first time, or lost its state, has all to say. */
	const bool cold = !check->scenario->acquainted || check->scenario->joining ||
			  check->scenario->forgets;

	if (check->world->now - check->looked_at < LOOK_EVERY)
		return;
	check->looked_at = check->world->now;
	for (uint32_t i = 0; i < check->world->host_count; i++) {
		struct host *host = &check->world->hosts[i];
		uint64_t sent = host->sent_bytes - check->fates[i].sent_before;
		uint64_t most = host->hub ? HUB_BURST_MAX + HUB_BURST_EACH * sites
					  : SPOKE_BURST_MAX + SPOKE_BURST_EACH * sites;

		check->fates[i].sent_before = host->sent_bytes;
		if (cold)
			most += 1024 * sites * (host->hub ? sites : 2);
		most += host->flow_bytes - check->fates[i].flow_before;
		check->fates[i].flow_before = host->flow_bytes;
		if (host->mischief == MISCHIEF_NONE && sent > most)
			check_fail(check, PROPERTY_TRAFFIC, host, "%llu bytes in ten seconds",
				(unsigned long long)sent);
	}
}

/* Grows with whatever a host learns or sets up. */
static uint64_t version(const struct host *host)
{
	const struct ledger *ledger = site_ledger(host->site);
	uint64_t sum = host->changes + ledger->generation;

	for (int verdict = 0; verdict < VERDICTS; verdict++)
		sum += ledger->counters[verdict];
	return sum + 1;
}

static void check_host(struct check *check, struct host *host)
{
	for (uint32_t i = 0; i < check->world->host_count; i++)
		check_memory(check, host, i);
	check_privacy(check, host);
	check_records(check, host);
	check_out(check, host);
	if (host->number < 16)
		check_configuration(check, host);
	if (host->hub && site_is_hub(host->site))
		check_eviction(check, host);
}

/* Of very many sites each is looked at now and then only. */
static bool is_due(const struct check *check, const struct host *host, bool forced)
{
	uint32_t every = check->world->host_count > 100 ? check->world->host_count / 2 : 1;

	if (every > 1 && !forced)
		return (uint64_t)(check->world->now / USEC_SECOND) % every == host->number % every;
	return forced || version(host) != check->fates[host->number].seen;
}

void check_all(struct check *check, bool forced)
{
	struct world *world = check->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		check_steps(check, host);
		if (!host->running || !site_ledger(host->site))
			continue;
		check_settling(check, host);
		if (host->hub && !forced)
			check_silence(check, host);
		if (host->leaks > 0)
			check_fail(check, PROPERTY_REACH, host,
				"a packet for the overlay left in clear");
		if (!is_due(check, host, forced))
			continue;
		check_host(check, host);
		/* What is not settled yet is looked at again. */
		if (site_wakeup(host->site) > world->now)
			check->fates[i].seen = version(host);
	}
	if (world->answered_strangers > 0)
		check_fail(check, PROPERTY_SILENCE, NULL, "a stranger got an answer");
	check_traffic(check);
}

void check_second(struct check *check)
{
	bool forced = check->world->now - check->forced_at >= FORCED_EVERY &&
		      check->world->host_count <= 100;

	if (forced)
		check->forced_at = check->world->now;
	check_all(check, forced);
	check_links_second(check);
}

/* Afterwards. */

bool check_agreement(const struct check *check, uint32_t *odd)
{
	const struct ledger_summary *first = NULL;

	for (uint32_t i = 0; i < check->world->host_count; i++) {
		struct host *host = &check->world->hosts[i];
		const struct ledger_summary *own;

		if (!check_is_core(check, i))
			continue;
		*odd = i;
		if (site_state(host->site) != SITE_MEMBER)
			return false;
		own = site_summary(host->site);
		if (!first)
			first = own;
		else if (own->facts != first->facts || own->revocations != first->revocations ||
			 !hash_equal(&own->facts_hash, &first->facts_hash) ||
			 !hash_equal(&own->revocations_hash, &first->revocations_hash))
			return false;
	}
	return true;
}

/* Who has gone, and was heard to go, has no tunnel and is no member to anybody. */
static void check_gone(struct check *check, const struct host *gone)
{
	const struct world *world = check->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		const struct host *host = &world->hosts[i];
		const struct ledger *ledger = site_ledger(host->site);
		const struct member *member;

		if (!check_is_core(check, i) || !ledger)
			continue;
		member = ledger_find(ledger, &gone->id);
		if (!member || !member->in_force || member->left)
			continue;
		/* Who knows its farewell takes it for gone. */
		if (ledger_is_revoked(ledger, &gone->site_hash) || gone->told_farewell ||
			(gone->farewell > 0 && member->sequence >= gone->farewell))
			check_fail(check, PROPERTY_NO_RETURN, host, "%s is gone, and a member",
				gone->name);
	}
}

/* What a site says of itself since its agent started is known to the hub. */
static void check_fresh(struct check *check, const struct host *host, bool faults)
{
	const struct host *hub = &check->world->hosts[0];
	const struct member *member = ledger_find(site_ledger(hub->site), &host->id);

	if (!member || member->sequence <= host->sequence_at_start)
		check_fail(check, faults ? PROPERTY_LIVENESS : PROPERTY_CONVERGENCE, hub,
			"%s has said nothing that is believed since it started", host->name);
}

static void check_each(struct check *check, bool faults)
{
	const struct host *hub = &check->world->hosts[0];

	for (uint32_t i = 0; i < check->world->host_count; i++) {
		const struct host *host = &check->world->hosts[i];
		const struct fate *fate = &check->fates[i];

		if (fate->expelled || fate->left)
			check_gone(check, host);
		else if (hub->mischief == MISCHIEF_NONE && check_is_core(check, i) &&
			 check_is_core(check, 0))
			check_fresh(check, host, faults);
	}
}

/* Member by member, and not by the hashes that the sites themselves go by. */
static bool holds_alike(const struct check *check, const struct ledger *a, const struct ledger *b)
{
	if (a->members.count != b->members.count || a->revocations.count != b->revocations.count ||
		a->admins.count != b->admins.count)
		return false;
	for (uint32_t i = 0; i < a->members.count; i++) {
		const struct member *x = table_at(&a->members, i);
		const struct member *y = table_at(&b->members, i);
		uint64_t now = WORLD_WALL + (uint64_t)(check->world->now / USEC_MSEC);

		if (memcmp(&x->id, &y->id, sizeof x->id) != 0 || x->version != y->version ||
			x->in_force != y->in_force ||
			!hash_equal(&x->certificate_hash, &y->certificate_hash))
			return false;
		if (!member_is_live(x, now) && !member_is_live(y, now))
			continue;
		if (x->sequence != y->sequence || x->left != y->left ||
			!hash_equal(&x->record_hash, &y->record_hash))
			return false;
	}
	for (uint32_t i = 0; i < a->revocations.count; i++) {
		const struct revocation_row *x = table_at(&a->revocations, i);
		const struct revocation_row *y = table_at(&b->revocations, i);

		if (!hash_equal(&x->subject, &y->subject) || !hash_equal(&x->hash, &y->hash))
			return false;
	}
	return true;
}

static bool check_alike(const struct check *check, uint32_t *odd)
{
	const struct ledger *first = NULL;

	for (uint32_t i = 0; i < check->world->host_count; i++) {
		if (!check_is_core(check, i))
			continue;
		*odd = i;
		if (!first)
			first = site_ledger(check->world->hosts[i].site);
		else if (!holds_alike(check, first, site_ledger(check->world->hosts[i].site)))
			return false;
	}
	return true;
}

void check_converged(struct check *check, bool faults)
{
	uint32_t odd = 0;

	check_each(check, faults);

	if (!check_agreement(check, &odd) || !check_alike(check, &odd))
		check_fail(check, faults ? PROPERTY_LIVENESS : PROPERTY_CONVERGENCE,
			&check->world->hosts[odd], "%s does not hold what the others hold",
			check->world->hosts[odd].name);
}

void check_in_time(struct check *check, bool faults)
{
	const struct link_options *line = &check->scenario->line;
	usec_t most = AGREE_WITHIN + 3 * 4 * (line->delay + line->jitter);
	usec_t took = check->result->converged;

	/* Comparisons are rarer among very many sites. */
	if (check->world->host_count <= 64 && took != USEC_NEVER && took > most)
		check_fail(check, faults ? PROPERTY_LIVENESS : PROPERTY_CONVERGENCE, NULL,
			"all agreed only after %lld s", (long long)(took / USEC_SECOND));
}

static uint32_t next_core(const struct check *check, uint32_t from)
{
	for (uint32_t i = 1; i <= check->world->host_count; i++) {
		uint32_t number = (from + i) % check->world->host_count;

		if (check_is_core(check, number))
			return number;
	}
	return from;
}

void check_begin_reach(struct check *check)
{
	struct world *world = check->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		check->fates[i].pings_before = world->hosts[i].pings_answered;
	}
}

void check_try_reach(struct check *check)
{
	struct world *world = check->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		if (check_is_core(check, i) &&
			world->hosts[i].pings_answered == check->fates[i].pings_before)
			host_ping(&world->hosts[i], &world->hosts[next_core(check, i)]);
	}
}

void check_end_reach(struct check *check)
{
	struct world *world = check->world;

	for (uint32_t i = 0; i < world->host_count; i++) {
		uint32_t other = next_core(check, i);

		if (check_is_core(check, i) && other != i &&
			world->hosts[i].pings_answered == check->fates[i].pings_before)
			check_fail(check, PROPERTY_REACH, &world->hosts[i], "%s does not reach %s",
				world->hosts[i].name, world->hosts[other].name);
	}
}

void check_rest(struct check *check, usec_t duration)
{
	struct world *world = check->world;
	uint64_t most = IDLE_MAX;
	uint64_t sum = 0;
	uint32_t count = 0;

	for (uint32_t i = 1; i < world->host_count; i++) {
		if (!check_is_core(check, i))
			continue;
		sum += world->hosts[i].sent_bytes - check->fates[i].sent_before;
		count++;
	}
	if (count == 0 || duration < USEC_SECOND)
		return;
	if (check->scenario->links)
		most += IDLE_LINKS + IDLE_LINK * world->host_count;
	check->result->idle = sum / count / (uint64_t)(duration / USEC_SECOND);
	if (check->result->idle > most && check->scenario->mischief_count == 0)
		check_fail(check, PROPERTY_TRAFFIC, NULL, "%llu bytes a second at rest",
			(unsigned long long)check->result->idle);
}

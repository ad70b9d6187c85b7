/* SPDX-License-Identifier: MIT */
#include "simulator/check_links.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/flow.h"
#include "simulator/host.h"
#include "simulator/oracle.h"

/* What is sent outside the tunnel. */
#define ATTEMPT_MAX 20       /* datagrams to an address that never answered */
#define ATTEMPT_UNSEEN_MAX 3 /* where nobody was seen */
#define ATTEMPT_BYTES_MAX 148
#define ATTEMPT_PAUSE (5 * USEC_SECOND) /* so long, and it is another attempt */
#define ATTEMPTS_A_MINUTE 12 /* that others may cause: eight at once, and one each 15 s */
#define STRANGERS_MAX 24
#define HEARD_MAX 8

/* What is shown before it is used. */
#define SHOWN_FOR (20 * USEC_SECOND)
#define SHOWN_WITHIN_FOR (10 * USEC_SECOND)

/* When a link has to be there. */
#define FIRST_WITHIN (10 * USEC_SECOND)
#define LATER_WITHIN (13 * USEC_MINUTE) /* the longest rest, with its chance, and an attempt */
#define ENDED_WITHIN (10 * USEC_SECOND)
#define TRAFFIC_LASTS (11 * USEC_MINUTE)
#define PEER_OUTLIVES (60 * USEC_SECOND)
#define SWITCHES_AN_HOUR 6
#define PACING (100 * USEC_MSEC)
#define NEARLY_ALL_WITHIN (1500 * USEC_MSEC)

/* How long no packet may come. */
#define IDLE_OUTAGE (2500 * USEC_MSEC)
#define HOLE_APART (2 * USEC_SECOND) /* two holes so close are one outage */

/* 1.2 intervals of 60 s for each neighbour that takes its turn. */
#define HOP_WITHIN (72 * USEC_SECOND)
#define HOP_SITES_MAX 16

/* One address to which a host has sent outside the tunnel. */
struct stranger {
	struct address address;
	bool answered; /* something came from there */
	bool seen;     /* a site is there */
	uint32_t owner;
	uint32_t sent;   /* in this attempt */
	uint32_t failed; /* attempts before it, since something changed */
	usec_t last_at;
	usec_t window_at; /* when a minute began, */
	uint32_t window;  /* and how many were sent in it */
};

/* The last places from which something came, and when. */
struct heard {
	struct {
		struct endpoint from;
		usec_t at;
	} items[HEARD_MAX];
	uint32_t next;
};

/* What happened at one host of two, with regard to the other. */
struct half {
	struct heard heard;   /* datagrams of its agent, outside the tunnel */
	struct heard carried; /* packets of the tunnel between the two */
	usec_t heard_at;      /* the last datagram; -1: none */
	usec_t arrived_at;    /* anything of it at the links' port */
	usec_t inner_at;      /* through the tunnel between the two */
	usec_t traffic_at;    /* a packet to it, of no agent's */
	bool asked;
	bool unlinked;
	bool calls;   /* its peer was given an endpoint */
	bool recalls; /* that of a link before */
	bool direct;
	usec_t direct_since;
	bool voluntary; /* it left the path for another reason than its death */
	usec_t switches[SWITCHES_AN_HOUR];
	uint32_t switch_next;
};

struct both {
	usec_t may_not_since; /* a link is not permitted, and there is one; 0: no */
	usec_t seen_direct;   /* the last second at which both were direct */
	usec_t first;         /* when both were for the first time; -1: not yet */
	usec_t wanted_at;
	usec_t helped_at; /* since when members carry their offers in the hub's stead; 0: none */
	bool wanted;
};

/* A thing of the plan that has an effect on links. */
struct trouble {
	usec_t at;
	usec_t until; /* USEC_NEVER: it goes on */
	enum plan_kind kind;
	uint32_t site;
	uint32_t other;
};

struct check_links {
	struct check *check;
	uint32_t count;
	struct half *halves;        /* host by host */
	struct both *both;          /* host by host, the smaller number first */
	usec_t *behind;             /* who, than whom, about whom */
	int8_t *can;                /* router by router: whether they meet; -1: not known */
	struct stranger *strangers; /* of each host so many */
	usec_t *reflected_at;   /* both ports of the hub have told it where it is; -1: not yet */
	uint16_t *reflected_by; /* the port that has */
	uint64_t *changes;
	struct packet *last; /* datagrams that came, outside the tunnel */
	struct trouble *troubles;
	uint32_t trouble_count;
	usec_t healed_at;
};

static struct half *half_of(const struct check_links *links, uint32_t at, uint32_t of)
{
	return &links->halves[(size_t)at * links->count + of];
}

static struct both *both_of(const struct check_links *links, uint32_t a, uint32_t b)
{
	uint32_t low = a < b ? a : b;
	uint32_t high = a < b ? b : a;

	return &links->both[(size_t)low * links->count + high];
}

static void *make(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	assert(memory);
	return memory;
}

/* Troubles. */

/* What does nothing to a path that is there, or is no trouble at all. */
static bool is_harmless(enum plan_kind kind)
{
	return kind == PLAN_FLOW || kind == PLAN_RENEW;
}

static bool is_of_two(enum plan_kind kind)
{
	return kind == PLAN_PART || kind == PLAN_LINK || kind == PLAN_UNLINK;
}

/* A path may die of it, and the one by the hub does not. */
static bool kills_path(enum plan_kind kind)
{
	return kind == PLAN_PART || kind == PLAN_REBOOT || kind == PLAN_RENUMBER;
}

/* What is done on purpose, and is to cost nothing. */
static bool is_planned(enum plan_kind kind)
{
	return kind == PLAN_LINK || kind == PLAN_UNLINK || kind == PLAN_ROTATE ||
	       kind == PLAN_ROUTES || kind == PLAN_RENEW || kind == PLAN_FLOW;
}

static bool concerns(const struct trouble *trouble, uint32_t a, uint32_t b)
{
	if (is_of_two(trouble->kind))
		return (trouble->site == a && trouble->other == b) ||
		       (trouble->site == b && trouble->other == a);
	return trouble->site == 0 || trouble->site == a || trouble->site == b;
}

/* Since when nothing troubles two sites; USEC_NEVER: something does. */
static usec_t calm_since(const struct check_links *links, uint32_t a, uint32_t b)
{
	usec_t since = links->healed_at;

	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];

		if (concerns(trouble, a, b) && trouble->until > since)
			since = trouble->until;
	}
	return since;
}

/* The same, where nothing but the end of the hub is wrong with it. */
static usec_t calm_alone_since(const struct check_links *links, uint32_t a, uint32_t b)
{
	usec_t since = links->healed_at;

	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];
		bool off = trouble->site == 0 && trouble->kind == PLAN_OFF;
		usec_t until = off ? trouble->at : trouble->until;

		if (concerns(trouble, a, b) && until > since)
			since = until;
	}
	return since;
}

/* The same, where the two may be apart: their machines and the hub are well. */
static usec_t well_since(const struct check_links *links, uint32_t a, uint32_t b)
{
	usec_t since = links->healed_at;

	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];

		if (concerns(trouble, a, b) && !is_of_two(trouble->kind) && trouble->until > since)
			since = trouble->until;
	}
	return since;
}

/* Nothing has ever troubled them, nor does it lie in the lines or in the others' nature. */
static bool is_pristine(const struct check_links *links, uint32_t a, uint32_t b)
{
	const struct scenario *scenario = links->check->scenario;

	return scenario->line.loss == 0 && scenario->line.well == 0 && scenario->line.queue == 0 &&
	       scenario->line.rate == 0 && scenario->line.mtu == 0 &&
	       scenario->mischief_count == 0 && calm_since(links, a, b) == 0;
}

void check_links_begins(struct check *check, const struct plan_item *item)
{
	struct check_links *links = check->links;
	struct trouble trouble = {.at = check->world->now, .kind = item->kind, .site = item->site};

	if (!links)
		return;
	/* An owner whose agent does not run is not heard. */
	if ((item->kind == PLAN_LINK || item->kind == PLAN_UNLINK) &&
		check->world->hosts[item->site].running &&
		check->world->now >= check->world->hosts[item->site].paused_until) {
		struct half *half = half_of(links, item->site, (uint32_t)item->value);

		half->asked = item->kind == PLAN_LINK;
		half->unlinked = !half->asked;
	}
	if (is_harmless(item->kind))
		return;
	if (is_of_two(item->kind))
		trouble.other = (uint32_t)item->value;
	trouble.until = item->lasts == 0 ? check->world->now : USEC_NEVER;
	if (plan_kind_lasts(item->kind) && item->lasts == 0 && item->kind != PLAN_CRASH &&
		item->kind != PLAN_KILL)
		trouble.until = USEC_NEVER;
	links->troubles = realloc(
		links->troubles, (links->trouble_count + 1) * sizeof *links->troubles);
	assert(links->troubles);
	links->troubles[links->trouble_count++] = trouble;
}

void check_links_ends(struct check *check, const struct plan_item *item)
{
	struct check_links *links = check->links;

	for (uint32_t i = 0; links && i < links->trouble_count; i++) {
		struct trouble *trouble = &links->troubles[i];

		if (trouble->until == USEC_NEVER && trouble->kind == item->kind &&
			trouble->site == item->site)
			trouble->until = check->world->now;
	}
}

void check_links_heals(struct check *check)
{
	struct check_links *links = check->links;

	if (!links)
		return;
	for (uint32_t i = 0; i < links->trouble_count; i++)
		links->troubles[i].until = usec_min(links->troubles[i].until, check->world->now);
	if (links->trouble_count > 0)
		links->healed_at = check->world->now;
}

/* Hosts by what packets and actions say. */

static uint32_t host_with(const struct check_links *links, const struct prefix *prefix)
{
	const struct world *world = links->check->world;

	for (uint32_t i = 1; i < links->count; i++) {
		if (world->hosts[i].overlay.family != ADDRESS_NONE &&
			prefix_has_address(prefix, &world->hosts[i].overlay))
			return i;
	}
	return 0;
}

static uint32_t host_at(const struct check_links *links, const struct address *overlay)
{
	const struct world *world = links->check->world;

	for (uint32_t i = 1; i < links->count; i++) {
		if (address_equal(&world->hosts[i].overlay, overlay))
			return i;
	}
	return 0;
}

/* By what a host knows: whom it calls may be switched off. */
static uint32_t host_of_key(
	const struct check_links *links, const struct host *host, const struct key *key)
{
	const struct world *world = links->check->world;
	const struct ledger *ledger = site_ledger(host->site);

	for (uint32_t i = 1; i < links->count; i++) {
		const struct member *member = ledger_find(ledger, &world->hosts[i].id);
		struct certificate certificate;

		if (world->hosts[i].links &&
			key_equal(wireguard_public_key(world->hosts[i].links), key))
			return i;
		if (!member)
			continue;
		ledger_certificate(ledger, member, &certificate);
		if (key_equal(&certificate.links, key))
			return i;
	}
	return 0;
}

/* Strangers: P11. */

static struct stranger *stranger_of(
	struct check_links *links, uint32_t host, const struct address *address)
{
	struct stranger *first = &links->strangers[(size_t)host * STRANGERS_MAX];
	const struct world *world = links->check->world;
	uint32_t i = 0;

	while (i < STRANGERS_MAX && first[i].address.family != ADDRESS_NONE &&
		!address_equal(&first[i].address, address))
		i++;
	if (i == STRANGERS_MAX)
		return NULL;
	if (first[i].address.family != ADDRESS_NONE)
		return &first[i];
	first[i] = (struct stranger){.address = *address, .last_at = -1};
	for (uint32_t k = 0; k < world->host_count; k++) {
		struct address outside = world_outside(world, k);

		if (!address_equal(&outside, address))
			continue;
		first[i].seen = true;
		first[i].owner = k;
	}
	return &first[i];
}

static usec_t rest_after(uint32_t failed)
{
	static const usec_t rests[] = {
		35 * USEC_SECOND, 125 * USEC_SECOND, 5 * USEC_MINUTE, 10 * USEC_MINUTE};

	return rests[failed - 1 < 4 ? failed - 1 : 3];
}

/* An honest site, and one that says of its paths what is not true; of others anything may come. */
static bool is_honest(const struct host *host)
{
	return host->mischief == MISCHIEF_NONE || host->mischief == MISCHIEF_DOUBT;
}

/* Offers and answers reach each other, so that both ends count the same attempts. */
static bool hub_carries_all(const struct check_links *links)
{
	const struct scenario *scenario = links->check->scenario;

	return scenario->line.loss == 0 && scenario->line.well == 0 && scenario->line.rate == 0 &&
	       scenario->mischief_count == 0;
}

/* A new attempt: not before what failed was forgotten, unless something has changed. */
static void begin_attempt(struct check_links *links, struct host *host, struct stranger *stranger)
{
	usec_t now = links->check->world->now;
	usec_t calm = calm_since(links, host->number, stranger->owner);
	usec_t least;

	stranger->sent = 0;
	/* It takes a moment until somebody has seen what is different. */
	if (stranger->last_at < 0 ||
		(calm > 0 && usec_add(calm, USEC_MINUTE) >= stranger->last_at)) {
		stranger->failed = 1;
		return;
	}
	/* Once something was broken the two ends may have counted differently. */
	least = rest_after(calm == 0 ? stranger->failed : 1);
	stranger->failed++;
	if (hub_carries_all(links) && now - stranger->last_at < least)
		check_fail(links->check, PROPERTY_SILENCE, host,
			"an address that never answered is tried again after %lld s",
			(long long)((now - stranger->last_at) / USEC_SECOND));
}

static void check_datagram(
	struct check_links *links, struct host *host, const struct site_action *action)
{
	struct check *check = links->check;
	const struct address hub = world_outside(check->world, 0);
	struct stranger *stranger;
	usec_t now = check->world->now;
	uint32_t most;
	usec_t calm;

	if (action->outside.size > ATTEMPT_BYTES_MAX)
		check_fail(check, PROPERTY_SILENCE, host,
			"a datagram of %u bytes outside the tunnel", action->outside.size);
	if (host->hub || address_equal(&hub, &action->outside.to.address))
		return;
	stranger = stranger_of(links, host->number, &action->outside.to.address);
	if (!stranger || stranger->answered)
		return;
	if (stranger->last_at < 0 || now - stranger->last_at > ATTEMPT_PAUSE)
		begin_attempt(links, host, stranger);
	stranger->last_at = now;
	stranger->sent++;
	if (now - stranger->window_at > USEC_MINUTE) {
		stranger->window_at = now;
		stranger->window = 0;
	}
	stranger->window++;
	most = stranger->seen ? ATTEMPT_MAX : ATTEMPT_UNSEEN_MAX;
	calm = calm_since(links, host->number, stranger->owner);
	if (stranger->window > ATTEMPTS_A_MINUTE * most)
		check_fail(check, PROPERTY_SILENCE, host,
			"%u datagrams in a minute to an address %s", stranger->window,
			stranger->seen ? "that never answered" : "where nobody was seen");
	if (stranger->sent > most && hub_carries_all(links) &&
		(calm == 0 || usec_add(calm, USEC_MINUTE) < now))
		check_fail(check, PROPERTY_SILENCE, host,
			"%u datagrams in an attempt to an address %s", stranger->sent,
			stranger->seen ? "that never answered" : "where nobody was seen");
}

/* Whoever is nobody, and what somebody said but for one bit, gets no answer outside the tunnel. */
static void check_strangers(struct check_links *links, struct host *host)
{
	static const struct endpoint nobody = {
		{.family = ADDRESS_IPV4, .bytes = {198, 18, 0, 9}}, WORLD_STRANGER_PORT};
	const struct packet *last = &links->last[host->number];
	const struct site_actions *actions = &links->check->world->actions;
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};
	uint64_t turn = (uint64_t)links->check->world->now / USEC_SECOND;
	uint8_t bytes[SEAL_DATAGRAM_MAX];
	size_t size = last->inner.size;

	if (!site_listens_outside(host->site) || turn % 7 != host->number % 7 || size == 0 ||
		size > sizeof bytes || host->mischief != MISCHIEF_NONE)
		return;
	memcpy(bytes, last->inner.bytes, size);
	bytes[turn * 13 % size] ^= (uint8_t)(1u << turn % 8);
	event.outside.interface = last->destination.port == host->local.port ? SITE_BACKBONE
									     : SITE_LINKS;
	event.outside.from = nobody;
	event.outside.bytes = bytes;
	event.outside.size = size;
	host_event(host, &event);
	for (uint32_t i = 0; i < actions->count; i++) {
		if (actions->items[i].kind == SITE_SEND_OUTSIDE &&
			endpoint_equal(&actions->items[i].outside.to, &nobody))
			check_fail(links->check, PROPERTY_SILENCE, host,
				"a stranger got an answer outside the tunnel");
	}
}

/* Each place once; the oldest makes room. */
static void note_heard(struct heard *heard, const struct endpoint *from, usec_t now)
{
	for (uint32_t i = 0; i < HEARD_MAX; i++) {
		if (heard->items[i].at > 0 && endpoint_equal(&heard->items[i].from, from)) {
			heard->items[i].at = now;
			return;
		}
	}
	heard->items[heard->next].from = *from;
	heard->items[heard->next].at = now;
	heard->next = (heard->next + 1) % HEARD_MAX;
}

/* What comes. */

static void received(
	struct world *world, struct host *host, const struct packet *packet, void *context)
{
	struct check *check = context;
	struct check_links *links = check->links;
	struct half *half;

	if (packet->destination.port != host->links_local.port || packet->origin >= links->count) {
		if (packet->kind == PACKET_PLAIN && host->hub &&
			packet->source.port != WORLD_STRANGER_PORT)
			links->last[0] = *packet;
		return;
	}
	half = half_of(links, host->number, packet->origin);
	half->arrived_at = world->now;
	if (packet->kind == PACKET_DATA)
		note_heard(&half->carried, &packet->source, world->now);
	if (packet->kind != PACKET_PLAIN)
		return;
	links->last[host->number] = *packet;
	if (packet->origin == 0) {
		if (links->reflected_by[host->number] == 0)
			links->reflected_by[host->number] = packet->source.port;
		if (links->reflected_by[host->number] != packet->source.port &&
			links->reflected_at[host->number] < 0)
			links->reflected_at[host->number] = world->now;
		return;
	}
	half->heard_at = world->now;
	note_heard(&half->heard, &packet->source, world->now);
	if (!host->hub) {
		struct stranger *stranger = stranger_of(
			links, host->number, &packet->source.address);

		if (stranger)
			stranger->answered = true;
	}
}

/* No address at which a site may be met stands in what the hub passes on: P15. */
static void check_hubs_view(struct check_links *links, struct host *hub, const struct inner *inner)
{
	const struct world *world = links->check->world;

	if (inner->destination.port != SITE_PORT)
		return;
	for (uint32_t i = 1; i < links->count; i++) {
		const struct host *host = &world->hosts[i];
		struct address places[2] = {host->links_local.address, world_outside(world, i)};

		for (uint32_t k = 0; k < 2; k++) {
			uint8_t bytes[6];

			memcpy(bytes, places[k].bytes, 4);
			bytes[4] = (uint8_t)(host->links_local.port >> 8);
			bytes[5] = (uint8_t)host->links_local.port;
			if (memmem(inner->bytes, inner->size, bytes, sizeof bytes))
				check_fail(links->check, PROPERTY_PRIVACY, hub,
					"it reads where %s may be met", host->name);
		}
	}
}

static void tunnelled(struct world *world, struct host *host, enum site_interface interface,
	const struct inner *inner, void *context)
{
	struct check *check = context;
	struct check_links *links = check->links;
	uint32_t from = host_at(links, &inner->source.address);

	if (host->hub && !address_equal(&inner->destination.address, &host->overlay))
		check_hubs_view(links, host, inner);
	if (from == 0)
		return;
	if (interface == SITE_LINKS)
		half_of(links, host->number, from)->inner_at = world->now;
	if (inner->destination.port != SITE_PORT && !host->hub) {
		half_of(links, host->number, from)->traffic_at = world->now;
		half_of(links, from, host->number)->traffic_at = world->now;
	}
}

/* What a site does: P7. */

static bool was_heard(
	const struct heard *heard, const struct endpoint *from, usec_t now, usec_t within)
{
	for (uint32_t i = 0; i < HEARD_MAX; i++) {
		if (heard->items[i].at > 0 && now - heard->items[i].at <= within &&
			endpoint_equal(&heard->items[i].from, from))
			return true;
	}
	return false;
}

/* Packets have just passed there both ways, and its agent knows. */
static bool is_shown(
	const struct check_links *links, uint32_t at, uint32_t of, const struct endpoint *endpoint)
{
	const struct world *world = links->check->world;
	const struct half *theirs = half_of(links, of, at);
	usec_t within = usec_min(SHOWN_FOR, world->now - world->hosts[at].begun_at);

	return was_heard(&half_of(links, at, of)->heard, endpoint, world->now, within) &&
	       theirs->heard_at >= 0 && world->now - theirs->heard_at <= SHOWN_FOR;
}

/*
 * Or it is where the other end was met before, and nobody carries offers: where it moved under a
 * link, its packets came from there.
 */
static bool may_call(
	const struct check_links *links, uint32_t at, uint32_t of, const struct endpoint *endpoint)
{
	const struct half *half = half_of(links, at, of);
	usec_t now = links->check->world->now;

	return is_shown(links, at, of, endpoint) ||
	       (half->direct_since > 0 && (was_heard(&half->heard, endpoint, now, now) ||
						  was_heard(&half->carried, endpoint, now, now)));
}

static void check_calls(
	struct check_links *links, struct host *host, const struct site_action *action)
{
	uint32_t other = host_of_key(links, host, &action->peer.key);
	const struct host *called = &links->check->world->hosts[other];
	struct half *half = half_of(links, host->number, other);
	const struct half *theirs = half_of(links, other, host->number);
	struct wireguard_statistics seen;
	struct endpoint endpoint = {.port = action->peer.port};

	if (action->interface != SITE_LINKS)
		return;
	if (!action->peer.set_endpoint) {
		if (other != 0 && action->peer.keepalive == 0)
			half->calls = false;
		return;
	}
	if (address_parse(action->peer.host, strlen(action->peer.host), &endpoint.address) < 0 ||
		other == 0 || !may_call(links, host->number, other, &endpoint)) {
		check_fail(links->check, PROPERTY_DIRECT, host,
			"an endpoint was set before packets passed there both ways");
		return;
	}
	half->calls = true;
	half->recalls = !is_shown(links, host->number, other, &endpoint);
	if (theirs->calls && !half->recalls && !theirs->recalls && host->links && called->links &&
		wireguard_peer(called->links, wireguard_public_key(host->links), &seen))
		check_fail(links->check, PROPERTY_DIRECT, host, "both ends call: it and %s",
			called->name);
}

static void check_switch(struct check_links *links, struct host *host, struct half *half)
{
	usec_t *oldest = &half->switches[half->switch_next++ % SWITCHES_AN_HOUR];
	usec_t now = links->check->world->now;

	if (*oldest != 0 && now - *oldest < USEC_HOUR)
		check_fail(links->check, PROPERTY_DIRECT, host,
			"more than %d changes of path in an hour that nobody needed",
			SWITCHES_AN_HOUR);
	*oldest = now;
}

static void go_direct(struct check_links *links, struct host *host, uint32_t other)
{
	struct half *half = half_of(links, host->number, other);
	usec_t now = links->check->world->now;

	if (half->direct)
		return;
	half->direct = true;
	half->direct_since = now;
	/* What comes through the tunnel is sealed by a session, for which packets went both ways.
	 */
	if (half->inner_at < 0 || now - half->inner_at > SHOWN_WITHIN_FOR)
		check_fail(links->check, PROPERTY_DIRECT, host,
			"a route leads over a link on which nothing has come back");
	if (half->voluntary)
		check_switch(links, host, half);
	if (half_of(links, other, host->number)->direct &&
		both_of(links, host->number, other)->first < 0)
		both_of(links, host->number, other)->first = now;
}

static void check_route(
	struct check_links *links, struct host *host, const struct site_action *action)
{
	uint32_t other = host_with(links, &action->route.prefix);
	struct half *half = half_of(links, host->number, other);

	if (other == 0 || other == host->number || action->route.prefix.length < 17)
		return;
	if (action->kind == SITE_ROUTE && action->route.kind == SITE_ROUTE_LINKS)
		go_direct(links, host, other);
	else if (action->kind == SITE_ROUTE_REMOVE || action->route.kind == SITE_ROUTE_BACKBONE)
		half->direct = false;
}

static uint32_t host_named(const struct check_links *links, const char *name)
{
	uint32_t i = 1;

	while (i < links->count && strcmp(links->check->world->hosts[i].name, name) != 0)
		i++;
	return i < links->count ? i : 0;
}

static void check_log(
	struct check_links *links, struct host *host, const struct site_action *action)
{
	uint32_t other = host_named(links, action->log.name);
	struct half *half = half_of(links, host->number, other);
	const struct link_options *line = &links->check->scenario->line;

	if (action->log.code == SITE_LOG_LINK_DEAD)
		half->voluntary = false;
	if (action->log.code == SITE_LOG_LINK_HUB) {
		half->voluntary = true;
		check_switch(links, host, half);
	}
	if (action->log.code == SITE_LOG_LINK_DEAD && other != 0 && line->loss == 0 &&
		line->well == 0 && line->rate == 0 && is_honest(host) &&
		is_honest(&links->check->world->hosts[0]) &&
		is_honest(&links->check->world->hosts[other]) &&
		links->check->world->now - calm_since(links, host->number, other) > USEC_MINUTE)
		check_fail(links->check, PROPERTY_DIRECT, host,
			"gives up the path to %s, to which nothing has happened",
			links->check->world->hosts[other].name);
}

/* WireGuard's configuration: P12. */

static void check_links_peer(
	struct check_links *links, struct host *host, const struct key *key, bool settled)
{
	struct check *check = links->check;
	const struct ledger *ledger = site_ledger(host->site);
	struct wireguard_statistics seen;
	struct prefix allowed[64];
	uint32_t count = wireguard_allowed(host->links, key, allowed, 64);
	const struct member *owner = NULL;
	struct certificate certificate;

	(void)wireguard_peer(host->links, key, &seen);
	if (!seen.has_endpoint && seen.keepalive > 0)
		check_fail(check, PROPERTY_CONFIGURATION, host,
			"a link's peer without endpoint is kept alive");
	if (!settled)
		return;
	for (uint32_t i = 0; i < ledger->members.count && !owner; i++) {
		const struct member *member = table_at(&ledger->members, i);

		ledger_certificate(ledger, member, &certificate);
		if (key_equal(&certificate.links, key))
			owner = member;
	}
	if (check->scenario->rotates)
		return;
	if (!owner || !owner->in_force || owner->hub) {
		check_fail(check, PROPERTY_CONFIGURATION, host, "a link's peer that is no member");
		return;
	}
	if (key_is_zero(&seen.preshared))
		check_fail(check, PROPERTY_CONFIGURATION, host, "a link without a key of its own");
	for (uint32_t i = 0; i < count && i < 64; i++) {
		bool certified = false;

		for (uint32_t k = 0; k < certificate.subnets.count; k++)
			certified |= prefix_equal(&allowed[i], &certificate.subnets.items[k]);
		for (uint32_t k = 0; k < certificate.routes.count; k++)
			certified |= prefix_equal(&allowed[i], &certificate.routes.items[k]);
		if (!certified)
			check_fail(check, PROPERTY_CONFIGURATION, host,
				"a link's peer has a prefix that is not in its certificate");
	}
}

/* One owner for a prefix. */
static void check_overlaps(struct check_links *links, struct host *host)
{
	struct prefix all[128];
	uint32_t count = 0;

	for (uint32_t i = 0; i < wireguard_peer_count(host->links) && count < 64; i++) {
		uint32_t first = count;
		uint32_t own = wireguard_allowed(
			host->links, wireguard_peer_at(host->links, i), all + count, 64);

		count += own < 64 ? own : 64;
		for (uint32_t k = first; k < count; k++) {
			for (uint32_t m = 0; m < first; m++) {
				if (prefix_overlaps(&all[k], &all[m]))
					check_fail(links->check, PROPERTY_CONFIGURATION, host,
						"two links' peers have one prefix");
			}
		}
	}
}

static void check_peers(struct check_links *links, struct host *host)
{
	bool settled = site_wakeup(host->site) > links->check->world->now && host->said_all &&
		       site_state(host->site) == SITE_MEMBER;

	if (!host->links || !site_ledger(host->site))
		return;
	for (uint32_t i = 0; i < wireguard_peer_count(host->links); i++)
		check_links_peer(links, host, wireguard_peer_at(host->links, i), settled);
	check_overlaps(links, host);
	if (settled && wireguard_peer_count(host->links) > 0 && !host->links_addressed)
		check_fail(links->check, PROPERTY_CONFIGURATION, host,
			"the interface of links has no address");
}

void check_links_step(struct check *check, struct host *host)
{
	const struct site_actions *actions = &check->world->actions;
	struct check_links *links = check->links;

	if (!links)
		return;
	for (uint32_t i = 0; i < actions->count; i++) {
		const struct site_action *action = &actions->items[i];

		if (action->kind == SITE_SEND_OUTSIDE)
			check_datagram(links, host, action);
		else if (action->kind == SITE_PEER)
			check_calls(links, host, action);
		else if (action->kind == SITE_ROUTE || action->kind == SITE_ROUTE_REMOVE)
			check_route(links, host, action);
		else if (action->kind == SITE_LOG)
			check_log(links, host, action);
	}
	if (!host->hub && host->running && links->changes[host->number] != host->changes) {
		links->changes[host->number] = host->changes;
		check_peers(links, host);
	}
}

/* Who can meet, and may: P7. */

static struct oracle_side side_of(const struct host *host)
{
	struct oracle_side side = {.layer_count = 0};

	if (host->router)
		side.layers[side.layer_count++] = *router_options(host->router);
	if (host->carrier)
		side.layers[side.layer_count++] = *router_options(host->carrier);
	return side;
}

enum meeting_kind { APART, MEET, GUESS };

/* GUESS: only by the port that a router will take next, which others take as well. */
static enum meeting_kind can_meet(struct check_links *links, uint32_t a, uint32_t b)
{
	const struct scenario *scenario = links->check->scenario;
	uint32_t kinds = scenario->router_count > 0 ? scenario->router_count : 1;
	int8_t *known = &links->can[(a % kinds) * kinds + b % kinds];

	if (*known < 0) {
		const struct oracle_means plain = {.openers = true};
		const struct oracle_means all = {.openers = true, .prediction = true};
		struct oracle_side x = side_of(&links->check->world->hosts[a]);
		struct oracle_side y = side_of(&links->check->world->hosts[b]);

		*known = oracle_sends(&x, &y, &plain) > 0 ? MEET
			 : oracle_sends(&x, &y, &all) > 0 ? GUESS
							  : APART;
	}
	return (enum meeting_kind) * known;
}

/* Where a port is foretold, others who meet at the same time may take it. */
static bool has_to_meet(struct check_links *links, uint32_t a, uint32_t b)
{
	enum meeting_kind kind = can_meet(links, a, b);

	return kind == MEET || (kind == GUESS && links->count == 3);
}

static bool wants(const struct check_links *links, uint32_t a, uint32_t b)
{
	const struct half *half = half_of(links, a, b);

	switch (links->check->scenario->when) {
	case SITE_WHEN_ALWAYS:
		return true;
	case SITE_WHEN_TRAFFIC:
		return half->asked ||
		       (half->traffic_at >= 0 &&
			       links->check->world->now - half->traffic_at < TRAFFIC_LASTS);
	case SITE_WHEN_ASKED:
		return half->asked;
	}
	return false;
}

/* A member of the core, or one that is only misbehaved. */
static bool is_there(const struct check_links *links, uint32_t number)
{
	const struct host *host = &links->check->world->hosts[number];
	const struct fate *fate = &links->check->fates[number];

	return fate->member && !fate->expelled && !fate->left && !fate->lost && host->powered &&
	       host->running && site_state(host->site) == SITE_MEMBER;
}

static bool is_permitted(const struct check_links *links, uint32_t a, uint32_t b)
{
	return is_there(links, a) && is_there(links, b) && !half_of(links, a, b)->unlinked &&
	       !half_of(links, b, a)->unlinked;
}

/* Whether one of the two wants it for certain: traffic may be a little too old already. */
static bool is_wanted(const struct check_links *links, uint32_t a, uint32_t b)
{
	usec_t now = links->check->world->now;
	const usec_t lately = 9 * USEC_MINUTE;
	const struct half *one = half_of(links, a, b);
	const struct half *other = half_of(links, b, a);

	if (links->check->scenario->when != SITE_WHEN_TRAFFIC || one->asked || other->asked)
		return wants(links, a, b) || wants(links, b, a);
	return (one->traffic_at >= 0 && now - one->traffic_at < lately) ||
	       (other->traffic_at >= 0 && now - other->traffic_at < lately);
}

/* Whether the hub carries offers between the two. */
static bool has_hub(const struct check_links *links)
{
	return check_is_core(links->check, 0);
}

/* Who has said of what is not there why that is so. */
static void check_missing(struct check_links *links, uint32_t a, uint32_t b, usec_t since)
{
	struct check *check = links->check;
	struct host *host = &check->world->hosts[a];
	usec_t now = check->world->now;
	usec_t most = is_pristine(links, a, b) ? FIRST_WITHIN : LATER_WITHIN;
	char why[SITE_WHY_SIZE];

	/* Who keeps offers back delays the meeting. */
	if (!is_honest(&check->world->hosts[0]))
		most *= 2;
	if (now - since <= most)
		return;
	site_why(host->site, &check->world->hosts[b].id, why);
	check_fail(check, PROPERTY_DIRECT, host, "%s could be met, and is not for %lld s: %.120s",
		check->world->hosts[b].name, (long long)((now - since) / USEC_SECOND), why);
}

static usec_t later(usec_t a, usec_t b)
{
	return a > b ? a : b;
}

/*
 * Whether the router of a host calls everybody from another port. Two of those that are drawn may
 * lie near each other, so that a site cannot tell one that draws from one that counts; where an
 * attempt came to nothing, neither was foretold.
 */
static bool hides_port(const struct host *host)
{
	const struct router_options *options = host->router ? router_options(host->router) : NULL;

	return options && options->mapping != ROUTER_ENDPOINT_INDEPENDENT;
}

/* Who cannot be met by a whole attempt is told of, with the router that is in the way. */
static void check_said(struct check_links *links, uint32_t a, uint32_t b)
{
	const struct host *host = &links->check->world->hosts[a];
	const struct host *other = &links->check->world->hosts[b];
	char expected[TEXT_NAME_MAX + 64] = "Both routers are in the way";
	char why[SITE_WHY_SIZE];

	if (!hides_port(host) && !hides_port(other))
		return;
	if (!hides_port(host) || !hides_port(other))
		(void)snprintf(expected, sizeof expected, "The router of %s is in the way",
			hides_port(host) ? "this site" : other->name);
	site_why(host->site, &other->id, why);
	if (strstr(why, "no direct way") && !strstr(why, expected))
		check_fail(links->check, PROPERTY_DIRECT, host,
			"%s cannot be met, and why does not say so: %.120s", other->name, why);
}

/* A path that died and is well again is gone back to once packets show that it is. */
static bool waits_for_traffic(const struct check_links *links, uint32_t a, uint32_t b)
{
	const struct half *x = half_of(links, a, b);
	const struct half *y = half_of(links, b, a);
	usec_t now = links->check->world->now;

	return both_of(links, a, b)->first >= 0 && now - x->arrived_at < PEER_OUTLIVES &&
	       now - y->arrived_at < PEER_OUTLIVES &&
	       (x->traffic_at < 0 || now - x->traffic_at > FIRST_WITHIN);
}

/* Nobody is linked who may not be, or whom neither wants. */
static void check_needless(struct check_links *links, uint32_t a, uint32_t b, bool permitted)
{
	struct check *check = links->check;
	struct both *both = both_of(links, a, b);
	const struct host *x = &check->world->hosts[a];
	const struct host *y = &check->world->hosts[b];
	usec_t now = check->world->now;
	usec_t calm = calm_since(links, a, b);

	if (!permitted && calm != USEC_NEVER) {
		if (both->may_not_since == 0)
			both->may_not_since = now;
		if (now - later(both->may_not_since, calm) > ENDED_WITHIN)
			check_fail(check, PROPERTY_DIRECT, x, "a link with %s that may not be",
				y->name);
		return;
	}
	both->may_not_since = 0;
	if (permitted && !wants(links, a, b) && !wants(links, b, a) &&
		now - later(both->wanted_at, calm) > LATER_WITHIN)
		check_fail(check, PROPERTY_DIRECT, x, "a link with %s that nobody wants", y->name);
}

/* Whether a third one is linked with both, who carries what they say. */
static bool has_helper(const struct check_links *links, uint32_t a, uint32_t b)
{
	for (uint32_t i = 1; i < links->count; i++) {
		if (i != a && i != b && is_there(links, i) &&
			is_honest(&links->check->world->hosts[i]) && half_of(links, a, i)->direct &&
			half_of(links, i, a)->direct && half_of(links, b, i)->direct &&
			half_of(links, i, b)->direct)
			return true;
	}
	return false;
}

/* With the hub gone members stand in for it. */
static void check_alone(struct check_links *links, uint32_t a, uint32_t b)
{
	const struct world *world = links->check->world;
	struct both *both = both_of(links, a, b);
	usec_t calm = calm_alone_since(links, a, b);

	if (has_hub(links) || !both->wanted || calm == USEC_NEVER || !has_helper(links, a, b) ||
		!is_honest(&world->hosts[a]) || !is_honest(&world->hosts[b])) {
		both->helped_at = 0;
		return;
	}
	if (both->helped_at == 0)
		both->helped_at = world->now;
	if (has_to_meet(links, a, b))
		check_missing(links, a, b,
			later(later(calm, both->seen_direct),
				later(both->helped_at, both->wanted_at)));
}

/* Both are honest and know where they are, and the hub carries what they say. */
static bool is_ready(const struct check_links *links, uint32_t a, uint32_t b)
{
	const struct world *world = links->check->world;

	return has_hub(links) && calm_since(links, a, b) != USEC_NEVER &&
	       links->reflected_at[a] >= 0 && links->reflected_at[b] >= 0 &&
	       is_honest(&world->hosts[a]) && is_honest(&world->hosts[b]);
}

static void check_pair(struct check_links *links, uint32_t a, uint32_t b)
{
	const struct world *world = links->check->world;
	struct both *both = both_of(links, a, b);
	const struct host *x = &world->hosts[a];
	const struct host *y = &world->hosts[b];
	bool direct_x = is_there(links, a) && host_is_direct(x, y);
	bool direct_y = is_there(links, b) && host_is_direct(y, x);
	bool permitted = is_permitted(links, a, b);
	bool wanted = permitted && is_wanted(links, a, b);

	if ((direct_x && direct_y) || waits_for_traffic(links, a, b))
		both->seen_direct = world->now;
	if (wanted && !both->wanted)
		both->wanted_at = world->now;
	both->wanted = wanted;
	if (direct_x || direct_y)
		check_needless(links, a, b, permitted);
	else
		both->may_not_since = 0;
	check_alone(links, a, b);
	if (!wanted || !is_ready(links, a, b))
		return;
	if (can_meet(links, a, b) == APART && is_pristine(links, a, b) &&
		world->now - later(both->wanted_at,
				     later(links->reflected_at[a], links->reflected_at[b])) >
			2 * FIRST_WITHIN) {
		check_said(links, a, b);
		check_said(links, b, a);
	}
	if (!has_to_meet(links, a, b))
		return;
	check_missing(links, a, b,
		later(later(later(calm_since(links, a, b), both->seen_direct), both->wanted_at),
			later(links->reflected_at[a], links->reflected_at[b])));
}

/* Whoever failed has given up: nothing of WireGuard's own keeps routers from forgetting. */
static void check_quiet(struct check_links *links, struct host *host)
{
	usec_t now = links->check->world->now;

	for (uint32_t i = 0;
		host->links && hub_carries_all(links) && i < wireguard_peer_count(host->links);
		i++) {
		const struct key *key = wireguard_peer_at(host->links, i);
		uint32_t other = host_of_key(links, host, key);
		const struct half *half = half_of(links, host->number, other);
		struct wireguard_statistics seen;

		(void)wireguard_peer(host->links, key, &seen);
		if (other == 0 || !seen.has_endpoint || half->direct || !has_hub(links) ||
			now - half->arrived_at < PEER_OUTLIVES ||
			now - half->direct_since < PEER_OUTLIVES ||
			usec_add(well_since(links, host->number, other), PEER_OUTLIVES) > now)
			continue;
		check_fail(links->check, PROPERTY_DIRECT, host,
			"%s is called by WireGuard and does not answer",
			links->check->world->hosts[other].name);
	}
}

/* What one of two that are linked knows the other hears: P3. */

static uint64_t sequence_of(const struct host *host, const struct host *about)
{
	const struct member *member = ledger_find(site_ledger(host->site), &about->id);

	return member ? member->sequence : 0;
}

/* Something is wrong with the site itself, at this moment. */
static bool is_ill(const struct check_links *links, uint32_t site)
{
	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];

		if (trouble->site == site && trouble->until == USEC_NEVER &&
			trouble->kind != PLAN_PART)
			return true;
	}
	return false;
}

static void check_hop(struct check_links *links, uint32_t x, uint32_t y, uint32_t about)
{
	const struct check *check = links->check;
	const struct host *ahead = &check->world->hosts[x];
	const struct host *behind = &check->world->hosts[y];
	usec_t *since = &links->behind[((size_t)x * links->count + y) * links->count + about];
	const struct link_options *line = &check->scenario->line;
	usec_t now = check->world->now;
	uint32_t degree = 1;
	usec_t most;

	if (!is_there(links, x) || !is_there(links, y) || !half_of(links, x, y)->direct ||
		!half_of(links, y, x)->direct || is_ill(links, x) || is_ill(links, y) ||
		ahead->mischief != MISCHIEF_NONE || behind->mischief != MISCHIEF_NONE ||
		sequence_of(ahead, &check->world->hosts[about]) <=
			sequence_of(behind, &check->world->hosts[about])) {
		*since = 0;
		return;
	}
	if (*since == 0)
		*since = now;
	for (uint32_t i = 1; i < links->count; i++)
		degree += half_of(links, y, i)->direct;
	most = HOP_WITHIN * degree + 12 * (line->delay + line->jitter);
	if (now - *since > most)
		check_fail(links->check, PROPERTY_NO_SPLIT, behind,
			"%s, to which it is linked, knows more of %s for %lld s", ahead->name,
			check->world->hosts[about].name, (long long)((now - *since) / USEC_SECOND));
}

static void check_hops(struct check_links *links)
{
	for (uint32_t x = 1; x < links->count && links->count <= HOP_SITES_MAX; x++) {
		for (uint32_t y = 1; y < links->count; y++) {
			for (uint32_t about = 0; about < links->count && x != y; about++)
				check_hop(links, x, y, about);
		}
	}
}

/* Holes: P8. */

static usec_t way_and_back(const struct check_links *links, uint32_t lines)
{
	const struct link_options *line = &links->check->scenario->line;

	return 2 * (usec_t)lines * (line->delay + line->jitter);
}

/* What a hole is called: allowed, since something else was broken; or how long it may be. */
static bool is_rough(const struct check_links *links, const struct flow *flow)
{
	usec_t end = flow->begun_at + flow->count * FLOW_EVERY;

	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];

		if (concerns(trouble, flow->hosts[0], flow->hosts[1]) &&
			!kills_path(trouble->kind) && !is_planned(trouble->kind) &&
			trouble->at <= end &&
			usec_add(trouble->until, USEC_MINUTE) >= flow->begun_at)
			return true;
	}
	return false;
}

/* The longest outage that what has happened explains; 0: nothing has. */
static usec_t outage_for(
	const struct check_links *links, const struct flow *flow, const struct flow_hole *hole)
{
	usec_t rtt = way_and_back(links, 2);
	usec_t most = 0;

	for (uint32_t i = 0; i < links->trouble_count; i++) {
		const struct trouble *trouble = &links->troubles[i];
		usec_t travels = way_and_back(links, 1) + USEC_SECOND;

		if (!concerns(trouble, flow->hosts[0], flow->hosts[1]) ||
			!kills_path(trouble->kind) || trouble->at > hole->to + USEC_SECOND)
			continue;
		if (trouble->at >= flow->begun_at && hole->from + travels >= trouble->at)
			most = later(most, USEC_SECOND + later(250 * USEC_MSEC, rtt) + rtt);
		else if (trouble->at < flow->begun_at && hole->from < flow->begun_at + USEC_SECOND)
			most = later(most, IDLE_OUTAGE);
	}
	return most;
}

static void judge_flow(struct check_links *links, struct flow *flow)
{
	const struct link_options *line = &links->check->scenario->line;
	const struct world *world = links->check->world;
	bool lossy = line->loss > 0 || line->well > 0 || line->rate > 0;
	struct flow_hole hole;

	flow->judged = true;
	if (is_rough(links, flow) || links->check->scenario->mischief_count > 0)
		return;
	for (uint32_t side = 0; side < 2; side++) {
		const struct host *to = &world->hosts[flow->hosts[1 - side]];
		uint32_t at = 0;

		while ((at = flow_next_hole(flow, side, at, lossy ? FLOW_EVERY : HOLE_APART,
				&hole)) < flow->count) {
			usec_t most = outage_for(links, flow, &hole);
			usec_t took = hole.to - hole.from + FLOW_EVERY;

			if (lossy)
				most = later(most, USEC_SECOND) + 4 * line->ill;
			if (took > most)
				check_fail(links->check, PROPERTY_HOLES, to,
					"%u packets of %s's did not come, in %lld ms from "
					"%lld.%03lld s",
					hole.lost, world->hosts[flow->hosts[side]].name,
					(long long)(took / USEC_MSEC),
					(long long)(hole.from / USEC_SECOND),
					(long long)(hole.from / USEC_MSEC % 1000));
		}
	}
}

void check_links_second(struct check *check)
{
	struct check_links *links = check->links;
	struct world *world = check->world;

	for (uint32_t i = 0; links && i < world->flow_count; i++) {
		if (!world->flows[i].judged && flow_is_over(world, &world->flows[i]))
			judge_flow(links, &world->flows[i]);
	}
	for (uint32_t a = 1; links && a < links->count; a++) {
		for (uint32_t b = a + 1; b < links->count; b++)
			check_pair(links, a, b);
		if (is_there(links, a)) {
			check_quiet(links, &world->hosts[a]);
			check_strangers(links, &world->hosts[a]);
		}
	}
	if (!links)
		return;
	if (check_is_core(check, 0))
		check_strangers(links, &world->hosts[0]);
	check_hops(links);
}

/* The time to direct: P7. */

static int by_time(const void *a, const void *b)
{
	const usec_t *x = a;
	const usec_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Where ports follow each other one attempt uses up what was foretold to the next: they queue. */
static bool takes_turns(const struct check_links *links, uint32_t number)
{
	const struct host *host = &links->check->world->hosts[number];

	return links->count > 3 && hides_port(host) &&
	       router_options(host->router)->allocation == ROUTER_PORT_SEQUENTIAL;
}

/* So many of them may take no longer. */
static void check_times(const struct check_links *links, usec_t *took, uint32_t count,
	uint32_t percent, usec_t bound)
{
	usec_t most;

	if (count == 0)
		return;
	qsort(took, count, sizeof *took, by_time);
	most = took[(count * percent - 1) / 100];
	if (most > bound)
		check_fail(links->check, PROPERTY_DIRECT, NULL,
			"of 100 links %u took up to %lld ms, and %lld ms are allowed",
			(unsigned)percent, (long long)(most / USEC_MSEC),
			(long long)(bound / USEC_MSEC));
}

void check_links_end(struct check *check)
{
	struct check_links *links = check->links;
	usec_t bound;
	usec_t *took;
	usec_t *alone; /* of those who need not wait for others */
	uint32_t count = 0;
	uint32_t alone_count = 0;

	if (!links)
		return;
	took = make((size_t)links->count * links->count, sizeof *took);
	alone = make((size_t)links->count * links->count, sizeof *alone);
	bound = way_and_back(links, 4) + 2 * way_and_back(links, 2) + PACING;
	for (uint32_t a = 1; a < links->count; a++) {
		for (uint32_t b = a + 1; b < links->count; b++) {
			const struct both *both = both_of(links, a, b);
			usec_t ready = later(links->reflected_at[a], links->reflected_at[b]);

			if (both->first < 0 || !is_pristine(links, a, b) ||
				check->scenario->when != SITE_WHEN_ALWAYS)
				continue;
			took[count++] = both->first - ready;
			if (!takes_turns(links, a) && !takes_turns(links, b))
				alone[alone_count++] = both->first - ready;
		}
	}
	check_times(links, took, count, 50, bound);
	check_times(links, alone, alone_count, 99, later(NEARLY_ALL_WITHIN, bound));
	free(took);
	free(alone);
}

void check_links_init(struct check *check)
{
	uint32_t count = check->world->host_count;
	size_t kinds = check->scenario->router_count > 0 ? check->scenario->router_count : 1;
	struct check_links *links;

	if (!check->scenario->links)
		return;
	links = make(1, sizeof *links);
	*links = (struct check_links){.check = check, .count = count};
	links->halves = make((size_t)count * count, sizeof *links->halves);
	links->both = make((size_t)count * count, sizeof *links->both);
	links->behind = make((size_t)count * count * count, sizeof *links->behind);
	links->can = make(kinds * kinds, 1);
	links->strangers = make((size_t)count * STRANGERS_MAX, sizeof *links->strangers);
	links->reflected_at = make(count, sizeof *links->reflected_at);
	links->reflected_by = make(count, sizeof *links->reflected_by);
	links->changes = make(count, sizeof *links->changes);
	links->last = make(count, sizeof *links->last);
	memset(links->can, -1, kinds * kinds);
	for (uint32_t i = 0; i < count; i++)
		links->reflected_at[i] = -1;
	for (uint32_t i = 0; i < count * count; i++) {
		struct half *half = &links->halves[i];

		half->heard_at = half->inner_at = half->traffic_at = -1;
		links->both[i].first = -1;
	}
	check->links = links;
	check->world->received = received;
	check->world->tunnelled = tunnelled;
}

void check_links_done(struct check *check)
{
	struct check_links *links = check->links;

	if (!links)
		return;
	free(links->halves);
	free(links->both);
	free(links->behind);
	free(links->can);
	free(links->strangers);
	free(links->reflected_at);
	free(links->reflected_by);
	free(links->changes);
	free(links->last);
	free(links->troubles);
	free(links);
}

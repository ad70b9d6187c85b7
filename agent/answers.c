/* SPDX-License-Identifier: MIT */
/*
 * answers.c - what is asked at the control socket, and what the agent answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent_internal.h"

/* Addresses may be others then; a change of rules is seen at once. */
#define LOOK_AGAIN_AFTER USEC_SECOND

static void answer(struct agent *agent, uint32_t number, const struct control_answer *what)
{
	control_answer(agent->control, number, what);
}

static void done(struct agent *agent, uint32_t number)
{
	const struct control_answer last = {.kind = CONTROL_DONE};

	answer(agent, number, &last);
}

/* Status. */

static const char *state_words(enum site_state state)
{
	switch (state) {
	case SITE_BLANK:
		return "blank";
	case SITE_JOINING:
		return "joining";
	case SITE_MEMBER:
		return "member";
	case SITE_OUT:
		return "out";
	}
	return "";
}

static enum control_path path_of(const struct agent *agent, const struct site_view *view)
{
	if (view->path == SITE_PATH_DIRECT)
		return CONTROL_PATH_DIRECT;
	switch (view->presence) {
	case SITE_SELF:
		return CONTROL_PATH_SELF;
	case SITE_SUSPECT:
	case SITE_DOWN:
		return CONTROL_PATH_DOWN;
	case SITE_HEARD:
		return CONTROL_PATH_HUB;
	case SITE_UNKNOWN:
		break;
	}
	/* A hub hears everybody itself; elsewhere the way leads over the hub. */
	return site_is_hub(agent->brain.site) ? CONTROL_PATH_DOWN : CONTROL_PATH_HUB;
}

static void fill_link(
	const struct agent *agent, const struct site_link_view *view, struct control_link *link)
{
	*link = (struct control_link){
		.since_ms = view->since < 0 ? -1 : (agent->now - view->since) / USEC_MSEC,
		.next_ms = view->next_at == USEC_NEVER   ? -1
			   : view->next_at <= agent->now ? 0
							 : (view->next_at - agent->now) / USEC_MSEC,
		.hub_rtt_us = view->hub.rtt_us,
		.hub_jitter_us = view->hub.jitter_us,
		.direct_rtt_us = view->direct.rtt_us,
		.direct_jitter_us = view->direct.jitter_us,
		.hub_judged = view->hub.judged,
		.hub_lost = view->hub.lost,
		.direct_judged = view->direct.judged,
		.direct_lost = view->direct.lost,
		.attempts = view->attempts,
		.switches = view->switches};
	(void)snprintf(link->state, sizeof link->state, "%s", view->state);
	(void)snprintf(link->reason, sizeof link->reason, "%s", view->reason);
}

/* A peer of the links, by its own key; NULL: there is none. */
static const struct wireguard_peer *linked_peer(
	const struct agent *agent, const struct site_view *view)
{
	const struct wireguard_device *device = carrier_seen(agent->carrier, SITE_LINKS);

	return device ? wireguard_device_peer(device, &view->links) : NULL;
}

static void fill_from_view(
	const struct agent *agent, const struct site_view *view, struct control_answer *what)
{
	const struct wireguard_device *device = carrier_seen(agent->carrier, SITE_BACKBONE);
	const struct wireguard_peer *peer = device ? wireguard_device_peer(device, &view->backbone)
						   : NULL;

	memcpy(what->name, view->name, sizeof what->name);
	(void)snprintf(what->note, sizeof what->note, "%s", view->program);
	what->id = view->site;
	what->address = view->address;
	what->subnets = view->subnets;
	for (uint32_t i = 0; i < view->routes.count && what->subnets.count < FIELD_PREFIXES_MAX;
		i++)
		what->subnets.items[what->subnets.count++] = view->routes.items[i];
	prefixes_sort(&what->subnets);
	what->tags = view->tags;
	what->roles = view->roles;
	what->path = path_of(agent, view);
	what->age_ms = view->heard ? (agent->now - view->heard_at) / USEC_MSEC : -1;
	what->hubs_word = view->hubs_word;
	what->rtt_us = view->rtt_us;
	fill_link(agent, &view->link, &what->link);
	if (!peer)
		peer = linked_peer(agent, view);
	if (!peer)
		return;
	what->rx_bytes = peer->rx_bytes;
	what->tx_bytes = peer->tx_bytes;
	if (peer->has_endpoint)
		what->endpoint = peer->endpoint;
}

static void answer_members(struct agent *agent, uint32_t number)
{
	struct site_view view;

	for (uint32_t i = 0; site_view(agent->brain.site, i, &view); i++) {
		struct control_answer what = {.kind = CONTROL_SITE};

		if (view.left)
			continue;
		fill_from_view(agent, &view, &what);
		answer(agent, number, &what);
	}
}

static void answer_limits(struct agent *agent, uint32_t number)
{
	struct site_counter counter;
	struct site_limit limit;

	for (uint32_t i = 0; site_limit(agent->brain.site, i, &limit); i++) {
		struct control_answer what = {.kind = CONTROL_LIMIT,
			.count = limit.used,
			.of = limit.most,
			.refused = limit.refused};

		(void)snprintf(what.text, sizeof what.text, "%s", limit.name);
		answer(agent, number, &what);
	}
	for (uint32_t i = 0; site_counter(agent->brain.site, i, &counter); i++) {
		struct control_answer what = {.kind = CONTROL_COUNTER, .count = counter.value};

		(void)snprintf(what.text, sizeof what.text, "%s", counter.name);
		answer(agent, number, &what);
	}
}

static void answer_own_counters(struct agent *agent, uint32_t number)
{
	const struct site_counter counters[] = {
		{CONTROL_COUNTER_REPAIRS, carrier_repairs(agent->carrier)},
		{"refused by this machine", carrier_refusals(agent->carrier)},
	};

	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
		struct control_answer what = {.kind = CONTROL_COUNTER, .count = counters[i].value};

		(void)snprintf(what.text, sizeof what.text, "%s", counters[i].name);
		answer(agent, number, &what);
	}
}

/* A site that was expelled is not told so: to it, too, the hub is silent. */
static void answer_silence(struct agent *agent, uint32_t number)
{
	struct site_view view;

	for (uint32_t i = 0; site_view(agent->brain.site, i, &view); i++) {
		struct control_answer what = {.kind = CONTROL_TROUBLE};
		char since[USEC_TEXT_SIZE];

		if (!(view.roles & ROLE_HUB) ||
			(view.presence != SITE_SUSPECT && view.presence != SITE_DOWN))
			continue;
		usec_print(agent->now - view.heard_at, since);
		(void)snprintf(what.text, sizeof what.text,
			"hub %s was not heard for %s: it is down, UDP does not get through, or "
			"this "
			"site was expelled",
			view.name, since);
		answer(agent, number, &what);
	}
}

/* Networks that are not reached from here, or that nobody reaches here yet. */
static void answer_networks(struct agent *agent, uint32_t number)
{
	struct prefixes awaited = site_routes_awaited(agent->brain.site);
	struct site_refused_view view;
	char text[PREFIX_TEXT_SIZE];

	for (uint32_t i = 0; site_refused(agent->brain.site, i, &view); i++) {
		struct control_answer what = {.kind = CONTROL_TROUBLE};

		prefix_print(&view.prefix, text);
		(void)snprintf(what.text, sizeof what.text,
			view.isolated ? "%s%s%s is left out: it has to do with a network that is "
					"isolated in this site's configuration"
				      : "%s%s%s is not reached from here: this machine is itself "
					"in a network that overlaps it",
			text, view.name[0] ? " of " : "", view.name);
		answer(agent, number, &what);
	}
	for (uint32_t i = 0; i < awaited.count; i++) {
		struct control_answer what = {.kind = CONTROL_TROUBLE};

		prefix_print(&awaited.items[i], text);
		(void)snprintf(what.text, sizeof what.text,
			"%s is offered, and not granted yet: an admin has to \"collective "
			"approve\" this "
			"site",
			text);
		answer(agent, number, &what);
	}
}

static void answer_troubles(struct agent *agent, uint32_t number)
{
	const char *const troubles[] = {carrier_trouble(agent->carrier),
		carrier_overtaken(agent->carrier), site_join_text(agent->brain.site)};

	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
		struct control_answer what = {.kind = CONTROL_TROUBLE};

		if (!troubles[i][0])
			continue;
		(void)snprintf(what.text, sizeof what.text, "%s", troubles[i]);
		answer(agent, number, &what);
	}
}

static void answer_shut(struct agent *agent, uint32_t number, const char *what,
	const struct firewall_finding *finding, const char *does)
{
	struct control_answer trouble = {.kind = CONTROL_TROUBLE};

	if (!finding->asked || finding->verdict != RULESET_DROPS)
		return;
	(void)snprintf(trouble.text, sizeof trouble.text,
		"%s: this machine's firewall (%s) drops %s; this lets them through: %s", what,
		finding->name, does, finding->remedy);
	answer(agent, number, &trouble);
}

/* Whoever asks again soon hears what was found, unless rules have changed since. */
static void look_at_firewall(struct agent *agent)
{
	struct site *brain = agent->brain.site;
	struct firewall_site site = {
		.config = agent->options->config, .supernet = site_supernet(brain)};
	struct netlink *route;
	struct control_answer self = {.kind = CONTROL_SITE};
	struct firewall firewall;
	struct site_view view;

	if (agent->now - agent->firewall_at < LOOK_AGAIN_AFTER && firewall_stands(&agent->firewall))
		return;
	memset(&agent->firewall, 0, sizeof agent->firewall);
	agent->firewall_at = agent->now;
	for (uint32_t i = 0; site_view(brain, i, &view); i++) {
		if (view.presence != SITE_SELF)
			continue;
		fill_from_view(agent, &view, &self);
		site.own = self.address;
		site.announced = self.subnets;
	}
	if (netlink_open(&route, NETLINK_ROUTE) < 0)
		return;
	if (firewall_look(route, &site, &firewall) == 0)
		agent->firewall = firewall;
	netlink_close(route);
}

/* What a hub does for others, they cannot see for themselves. */
static void answer_firewall(struct agent *agent, uint32_t number)
{
	const struct firewall_finding *ways = agent->firewall.ways;

	look_at_firewall(agent);
	if (site_is_hub(agent->brain.site)) {
		answer_shut(agent, number, "nobody can call this hub", &ways[FIREWALL_CALLS],
			"packets to WireGuard's port");
		answer_shut(agent, number, "nobody can join", &ways[FIREWALL_INSIDE],
			"what members say to this agent in the tunnel");
		answer_shut(agent, number, "spokes cannot reach each other", &ways[FIREWALL_SPOKES],
			"packets that are forwarded");
	}
	answer_shut(agent, number, "members cannot reach the networks behind this site",
		&ways[FIREWALL_BEHIND], "packets that are forwarded");
}

static void answer_status(struct agent *agent, uint32_t number)
{
	struct control_answer what = {.kind = CONTROL_SELF,
		.prefix = site_supernet(agent->brain.site),
		.wall = site_wall(agent->brain.site)};
	const struct ledger *ledger = site_ledger(agent->brain.site);
	const struct wireguard_device *backbone = carrier_seen(agent->carrier, SITE_BACKBONE);

	if (ledger)
		what.id = ledger->collective;
	if (backbone)
		what.count = backbone->port;
	(void)snprintf(
		what.text, sizeof what.text, "%s", state_words(site_state(agent->brain.site)));
	answer(agent, number, &what);
	/* As it is now, not as it was seen some seconds ago. */
	(void)carrier_read(agent->carrier, agent->now, SITE_BACKBONE);
	(void)carrier_read(agent->carrier, agent->now, SITE_LINKS);
	answer_members(agent, number);
	answer_limits(agent, number);
	answer_own_counters(agent, number);
	answer_troubles(agent, number);
	answer_networks(agent, number);
	answer_firewall(agent, number);
	answer_silence(agent, number);
	done(agent, number);
}

/* Who asked for a status waits until others have been asked how they are. */
static bool take_surveyor(struct agent *agent, uint32_t number)
{
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		if (number == 0 || agent->surveyors[i] != number)
			continue;
		agent->surveyors[i] = 0;
		return true;
	}
	return false;
}

/* How this site stands towards the internet. */

static void answer_fact(struct agent *agent, uint32_t number, const char *name, const char *value)
{
	struct control_answer what = {.kind = CONTROL_FACT};

	(void)snprintf(what.text, sizeof what.text, "%s", name);
	(void)snprintf(what.note, sizeof what.note, "%s", value);
	answer(agent, number, &what);
}

static const char *yes_or_no(bool is)
{
	return is ? "yes" : "no";
}

/* A port that an inner router opened leads to nobody outside. */
static const char *mapping_says(const struct agent *agent, const struct site_standing *standing)
{
	if (standing->mapped.port != 0)
		return "granted";
	if (mapping_outside(agent->mapping).port != 0)
		return "the router that opened one is behind another router";
	return mapping_word(agent->mapping);
}

static void answer_standing(struct agent *agent, uint32_t number, struct control_answer *last)
{
	struct site_standing standing;

	if (!site_standing(agent->brain.site, &standing))
		return;
	answer_fact(agent, number, "mapping", standing.mapping_word);
	answer_fact(agent, number, "ports", standing.ports_word);
	answer_fact(agent, number, "public", yes_or_no(standing.is_public));
	answer_fact(agent, number, "carrier_nat", yes_or_no(standing.is_carrier_nat));
	answer_fact(agent, number, "double_nat", yes_or_no(standing.is_double_nat));
	answer_fact(agent, number, "port_mapping", mapping_says(agent, &standing));
	for (uint32_t i = 0; i < standing.place_count; i++) {
		struct control_answer place = {
			.kind = CONTROL_PLACE, .endpoint = standing.places[i].endpoint};

		(void)snprintf(place.text, sizeof place.text, "%s", standing.places[i].kind);
		answer(agent, number, &place);
	}
	last->endpoint = standing.seen;
	site_standing_text(&standing, last->text);
}

/* The brain's answers. */

void agent_reply(struct agent *agent, const struct site_action *action)
{
	static const enum control_answer_kind kinds[] = {
		[SITE_REPLY_PROGRESS] = CONTROL_PROGRESS,
		[SITE_REPLY_DONE] = CONTROL_DONE,
		[SITE_REPLY_FAILED] = CONTROL_FAILED,
	};
	struct control_answer what = {.kind = kinds[action->reply.status],
		.rtt_us = action->reply.rtt_us,
		.prefix = action->reply.prefix,
		.count = action->reply.count,
		.of = action->reply.of,
		.age_ms = action->reply.age_ms};

	_Static_assert(sizeof what.text >= sizeof action->reply.text, "every text fits");
	_Static_assert(sizeof what.text >= SITE_WHY_SIZE, "an explanation fits");
	memcpy(what.name, action->reply.name, sizeof what.name);
	memcpy(what.note, action->reply.note, sizeof what.note);
	memcpy(what.text, action->reply.text, sizeof action->reply.text);
	if (action->reply.request != 0 && action->reply.request == agent->checker) {
		agent->checker = 0;
		if (what.kind == CONTROL_DONE)
			answer_standing(agent, action->reply.request, &what);
	}
	if (take_surveyor(agent, action->reply.request))
		answer_status(agent, action->reply.request);
	else
		answer(agent, action->reply.request, &what);
}

void agent_tell_down(struct agent *agent)
{
	if (agent->down_asked != 0)
		done(agent, agent->down_asked);
	agent->down_asked = 0;
}

static void survey(struct agent *agent, uint32_t number)
{
	const struct site_command given = {.kind = SITE_COMMAND_SURVEY, .request = number};
	struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = &given};

	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		if (agent->surveyors[i] != 0 &&
			control_is_open(agent->control, agent->surveyors[i]))
			continue;
		agent->surveyors[i] = number;
		agent_feed(agent, &event);
		return;
	}
	answer_status(agent, number);
}

static void answer_invites(struct agent *agent, uint32_t number)
{
	struct site_invite_view view;

	for (uint32_t i = 0; site_invite_view(agent->brain.site, i, &view); i++) {
		struct control_answer what = {.kind = CONTROL_INVITE,
			.prefix = view.reserved,
			.wall = view.expires,
			.count = view.approval,
			.of = view.applied};

		memcpy(what.name, view.name, sizeof what.name);
		(void)snprintf(what.text, sizeof what.text, "%s", view.state);
		answer(agent, number, &what);
	}
	done(agent, number);
}

/* History. */

struct history {
	struct agent *agent;
	uint32_t number;
};

static int answer_event(const struct store_row *row, void *context)
{
	const struct history *history = context;
	struct control_answer what = {.kind = CONTROL_EVENT, .wall = row->version};
	size_t size = row->size < sizeof what.text ? row->size : sizeof what.text - 1;

	if (size > 0)
		memcpy(what.text, row->bytes, size);
	answer(history->agent, history->number, &what);
	return 0;
}

static void answer_events(struct agent *agent, uint32_t number)
{
	struct history history = {agent, number};

	(void)store_walk(agent->store, STORE_EVENT, answer_event, &history);
	done(agent, number);
}

/* Lists that are added to, or taken from. Each returns NULL, or why that cannot be. */

static bool same_endpoint(const struct invite_endpoint *a, const struct invite_endpoint *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static const char *change_endpoints(
	const struct agent *agent, enum control_mode mode, struct site_command *command)
{
	struct invite_endpoint list[INVITE_ENDPOINTS_MAX];
	uint32_t count = site_endpoints(agent->brain.site, list);

	for (uint32_t i = 0; i < command->endpoint_count; i++) {
		const struct invite_endpoint *one = &command->endpoints[i];
		uint32_t at = 0;

		while (at < count && !same_endpoint(&list[at], one))
			at++;
		if (mode == CONTROL_REMOVE && at == count)
			return "this endpoint was never told";
		if (mode == CONTROL_REMOVE)
			memmove(&list[at], &list[at + 1], (--count - at) * sizeof list[0]);
		else if (at == count && count == INVITE_ENDPOINTS_MAX)
			return "an invite has room for three endpoints: remove one first";
		else if (at == count)
			list[count++] = *one;
	}
	command->endpoint_count = count;
	memcpy(command->endpoints, list, sizeof list);
	return NULL;
}

static bool is_offered(const struct agent *agent, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < agent->brain.offered.count; i++) {
		if (prefix_equal(&agent->brain.offered.items[i], prefix))
			return true;
	}
	return false;
}

static const char *change_routes(
	const struct agent *agent, enum control_mode mode, struct site_command *command)
{
	struct prefixes list = site_routes(agent->brain.site);

	for (uint32_t i = 0; i < command->routes.count; i++) {
		const struct prefix *one = &command->routes.items[i];
		uint32_t at = 0;

		while (at < list.count && !prefix_equal(&list.items[at], one))
			at++;
		if (mode == CONTROL_REMOVE && at == list.count)
			return "this site announces no such network";
		if (mode == CONTROL_REMOVE && is_offered(agent, one))
			return "this network stands under site.lan in the configuration: take it "
			       "out there, "
			       "start the agent anew, and then remove it";
		if (mode == CONTROL_REMOVE)
			memmove(&list.items[at], &list.items[at + 1],
				(--list.count - at) * sizeof list.items[0]);
		else if (at == list.count && list.count == FIELD_PREFIXES_MAX)
			return "a certificate has room for no more networks";
		else if (at == list.count)
			list.items[list.count++] = *one;
	}
	prefixes_sort(&list);
	command->routes = list;
	return NULL;
}

static const char *change_list(
	const struct agent *agent, enum control_mode mode, struct site_command *command)
{
	if (mode == CONTROL_REPLACE)
		return NULL;
	if (command->kind == SITE_COMMAND_ENDPOINTS)
		return change_endpoints(agent, mode, command);
	return command->kind == SITE_COMMAND_ROUTES ? change_routes(agent, mode, command) : NULL;
}

/* Asking. */

static void command(struct agent *agent, uint32_t number, const struct control_request *request)
{
	struct site_command given = request->command;
	struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = &given};
	const char *why = change_list(agent, request->mode, &given);
	struct control_answer refusal = {.kind = CONTROL_FAILED};

	given.request = number;
	if (why) {
		(void)snprintf(refusal.note, sizeof refusal.note, "%s", why);
		answer(agent, number, &refusal);
		return;
	}
	if (given.kind == SITE_COMMAND_DOWN) {
		agent->down_asked = number;
		agent_take_down(agent);
		return;
	}
	if (given.kind == SITE_COMMAND_NETCHECK)
		agent->checker = number;
	agent_feed(agent, &event);
	key_wipe(&given.key);
}

void agent_asked(void *context, uint32_t number, const struct control_request *request)
{
	struct agent *agent = context;

	agent_begin_turn(agent);
	switch (request->kind) {
	case CONTROL_COMMAND:
		command(agent, number, request);
		break;
	case CONTROL_STATUS:
		survey(agent, number);
		break;
	case CONTROL_INVITES:
		answer_invites(agent, number);
		break;
	case CONTROL_EVENTS:
		answer_events(agent, number);
		break;
	case CONTROL_KINDS:
		break;
	}
	agent_end_turn(agent);
}

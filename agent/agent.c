/* SPDX-License-Identifier: MIT */

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <sodium.h>

#include "agent/agent_internal.h"
#include "agent/command.h"
#include "agent/memory.h"
#include "agent/notify.h"

#define LISTS_MAX 64 /* of actions, before others have their turn */

/* Performing. */

static void perform_peer(struct agent *agent, const struct site_action *action)
{
	struct address address;

	carrier_want(agent->carrier, action);
	if (!action->peer.set_endpoint ||
		address_parse(action->peer.host, strlen(action->peer.host), &address) == 0)
		return;
	lookup_ask(agent->lookup, action->interface, &action->peer.key, action->peer.host,
		action->peer.port);
}

/* A hub's port is the one that its router forwards; else one that was free is kept. */
static void perform_device(struct agent *agent, const struct site_action *action)
{
	const struct config *config = agent->options->config;
	const struct config_interface *own = action->interface == SITE_LINKS ? &config->links
									     : &config->backbone;
	bool hub = action->interface == SITE_BACKBONE && site_holds_hub(agent->brain.site);

	if (own->port != 0 || hub)
		carrier_want_port(agent->carrier, action->interface,
			own->port != 0 ? own->port : CONFIG_HUB_PORT, false);
	else
		carrier_want_port(agent->carrier, action->interface,
			keeper_port(agent->store, action->interface), true);
	carrier_want(agent->carrier, action);
}

/* What is sent stands on what was set up before it. */
static void apply(struct agent *agent)
{
	if (!agent->wants_apply)
		return;
	agent->wants_apply = false;
	carrier_apply(agent->carrier, agent->now);
}

static void follow(struct agent *agent)
{
	const struct config *config = agent->options->config;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		const char *name = i == SITE_LINKS ? config->links.name : config->backbone.name;
		int r = tunnel_follow(agent->ways[i].tunnel, name,
			carrier_index(agent->carrier, (enum site_interface)i));

		if (r < 0)
			log_write(&agent->log, LOG_TROUBLE, CONFIG_LEVEL_ERROR,
				"no socket could be opened in %s: %s", name, strerror(-r));
	}
}

static void perform_send(struct agent *agent, const struct site_action *action)
{
	apply(agent);
	follow(agent);
	tunnel_send(agent->ways[action->interface].tunnel, action);
}

/* Where datagrams outside the tunnel come to, and which interfaces they are not to leave by. */
static void follow_ports(struct agent *agent)
{
	struct tap_ground ground = {.port_count = 0};
	int r;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		uint16_t port = carrier_port(agent->carrier, (enum site_interface)i);
		unsigned device = carrier_index(agent->carrier, (enum site_interface)i);

		if (port != 0 && device != 0 && site_listens_outside(agent->brain.site))
			ground.ports[ground.port_count++] = port;
		if (device != 0)
			ground.devices[ground.device_count++] = device;
	}
	if (!agent->tap || memcmp(&ground, &agent->ground, sizeof ground) == 0)
		return;
	r = tap_follow(agent->tap, &ground);
	if (r == 0)
		agent->ground = ground;
	else
		log_write(&agent->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
			"what comes outside the tunnel cannot be heard: %s", strerror(-r));
}

/* Where a link may take over, or was asked for by traffic, packets by the backbone matter. */
static void follow_traffic(struct agent *agent)
{
	struct prefix networks[SIGHT_NETWORKS_MAX];
	uint32_t count = 0;
	int r;

	while (count < SIGHT_NETWORKS_MAX &&
		site_watches(agent->brain.site, count, &networks[count]))
		count++;
	r = sight_follow(
		agent->sight, carrier_index(agent->carrier, SITE_BACKBONE), networks, count);
	if (r < 0)
		log_write(&agent->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
			"traffic by the backbone cannot be seen: %s", strerror(-r));
}

/*
 * What cannot be sent is lost, as on any line: whoever asked asks again. It leaves by the tunnel's
 * port and not by its peers, so these are not waited for: what opens the own router is to leave
 * before the other end's packets come, and on a slow machine a peer takes longer than they do.
 */
static void perform_send_outside(struct agent *agent, const struct site_action *action)
{
	struct tap_departure departure;

	if (carrier_port(agent->carrier, action->interface) == 0)
		apply(agent);
	follow_ports(agent);
	departure = (struct tap_departure){.port = carrier_port(agent->carrier, action->interface),
		.from.family = ADDRESS_NONE,
		.to = action->outside.to,
		.hops = action->outside.ttl,
		.bytes = action->outside.bytes,
		.size = action->outside.size};
	if (agent->tap && departure.port != 0)
		(void)tap_send(agent->tap, &departure);
}

static enum config_level level_of(enum site_log_code code)
{
	switch (code) {
	case SITE_LOG_HUB_SUSPECT:
	case SITE_LOG_HUB_DOWN:
	case SITE_LOG_EQUIVOCATION:
	case SITE_LOG_CLOCK_OFF:
	case SITE_LOG_EXPELLED:
	case SITE_LOG_RIVAL:
	case SITE_LOG_ROUTE_REFUSED:
	case SITE_LOG_CERTIFICATE_ENDS:
		return CONFIG_LEVEL_WARNING;
	case SITE_LOG_SAVE_FAILED:
		return CONFIG_LEVEL_ERROR;
	case SITE_LOG_STARTED:
	case SITE_LOG_FOUNDED:
	case SITE_LOG_JOINED:
	case SITE_LOG_MEMBER_NEW:
	case SITE_LOG_MEMBER_GONE:
	case SITE_LOG_MEMBER_LEFT:
	case SITE_LOG_HUB_BACK:
	case SITE_LOG_SITE_DOWN:
	case SITE_LOG_SITE_BACK:
	case SITE_LOG_STRANGER:
	case SITE_LOG_CLOCK_WELL:
	case SITE_LOG_SAVE_WELL:
	case SITE_LOG_KEY_CHANGED:
	case SITE_LOG_PETITION:
	case SITE_LOG_APPLIED:
	case SITE_LOG_LINK_DIRECT:
	case SITE_LOG_LINK_DIRECT_WITHIN:
	case SITE_LOG_LINK_HUB:
	case SITE_LOG_LINK_DEAD:
	case SITE_LOG_LINK_ENDED:
	case SITE_LOG_CODES:
		break;
	}
	return CONFIG_LEVEL_NOTICE;
}

static void perform_log(struct agent *agent, const struct site_action *action)
{
	char words[KEEPER_WORDS_SIZE];

	/* A brain that is made anew, of another size, is no start of the agent's. */
	if (action->log.code == SITE_LOG_STARTED && agent->started)
		return;
	agent->started = agent->started || action->log.code == SITE_LOG_STARTED;
	keeper_words(action, words);
	log_write(&agent->log, LOG_SITE, level_of(action->log.code), "%s", words);
	/* What cannot be kept was said at least. */
	(void)keeper_save_log(agent->store, clock_wall(&agent->clock), action);
}

static void perform(struct agent *agent, const struct site_action *action)
{
	switch (action->kind) {
	case SITE_SAVE:
	case SITE_SAVE_KEY:
	case SITE_PROMOTE_KEY:
		break;
	case SITE_SEND:
		if (agent->saved == 0)
			perform_send(agent, action);
		break;
	case SITE_SEND_OUTSIDE:
		if (agent->saved == 0)
			perform_send_outside(agent, action);
		break;
	case SITE_PEER:
		perform_peer(agent, action);
		agent->wants_apply = true;
		break;
	case SITE_DEVICE:
		perform_device(agent, action);
		agent->wants_apply = true;
		break;
	case SITE_ADDRESS:
	case SITE_PEER_REMOVE:
	case SITE_ALLOW:
	case SITE_DISALLOW:
	case SITE_ROUTE:
	case SITE_ROUTE_REMOVE:
	case SITE_SETTLED:
		carrier_want(agent->carrier, action);
		agent->wants_apply = true;
		break;
	case SITE_POLL:
		agent->polls[action->interface] = true;
		break;
	case SITE_LOG:
		perform_log(agent, action);
		break;
	case SITE_REPLY:
		if (agent->saved == 0)
			agent_reply(agent, action);
		break;
	}
}

/* The brain. */

static void step(struct agent *agent, struct site_event *event)
{
	bool any;

	event->wall = clock_wall(&agent->clock);
	site_step(agent->brain.site, agent->now, event, agent->actions);
	agent->saved = keeper_save(agent->store, agent->actions, &any);
	agent->saves = any;
	for (uint32_t i = 0; i < agent->actions->count; i++)
		perform(agent, &agent->actions->items[i]);
	/* Lists hold keys. */
	sodium_memzero(
		agent->actions, sizeof agent->actions->count +
					agent->actions->count * sizeof agent->actions->items[0]);
}

/* Tells the brain how its saving went, for as long as it saves. */
void agent_feed(struct agent *agent, struct site_event *event)
{
	struct site_event saved;

	step(agent, event);
	for (int i = 0; i < LISTS_MAX && agent->saves; i++) {
		saved = (struct site_event){.kind = SITE_EVENT_SAVED, .saved = agent->saved};
		step(agent, &saved);
	}
}

static void feed_statistics(struct agent *agent, enum site_interface interface)
{
	struct site_statistics seen[SITE_STATISTICS_MAX];
	struct site_event event = {.kind = SITE_EVENT_STATISTICS};
	const struct wireguard_device *device;
	struct wireguard_peer *peers;
	uint32_t count;

	apply(agent);
	device = carrier_read(agent->carrier, agent->now, interface);
	if (!device || device->peer_count == 0)
		return;
	/* What the brain answers may have the device read again. */
	count = device->peer_count;
	peers = memory_zeroed(count, sizeof *peers);
	memcpy(peers, device->peers, count * sizeof *peers);
	event.statistics.interface = interface;
	event.statistics.peers = seen;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t k = event.statistics.count++;

		seen[k] = (struct site_statistics){.peer = peers[i].key,
			.rx_bytes = peers[i].rx_bytes,
			.tx_bytes = peers[i].tx_bytes,
			.handshake = peers[i].handshake == 0
					     ? 0
					     : peers[i].handshake +
						       (uint64_t)agent->clock.offset_ms,
			.has_endpoint = peers[i].has_endpoint,
			.endpoint = peers[i].endpoint};
		if (event.statistics.count < SITE_STATISTICS_MAX && i + 1 < count)
			continue;
		agent_feed(agent, &event);
		event.statistics.count = 0;
	}
	sodium_memzero(peers, count * sizeof *peers);
	free(peers);
}

static void feed_networks(struct agent *agent)
{
	struct prefix networks[SITE_NETWORKS_MAX];
	struct site_event event = {.kind = SITE_EVENT_NETWORKS, .networks.items = networks};

	if (!carrier_networks(agent->carrier, networks, &event.networks.count))
		return;
	mapping_renew(agent->mapping, agent->now);
	agent_feed(agent, &event);
}

/* Where this machine is: its ports, and its addresses outside the tunnel. */
static void feed_places(struct agent *agent)
{
	struct site_own_address addresses[CARRIER_ADDRESSES_MAX];
	struct site_event event = {.kind = SITE_EVENT_PLACES};
	struct mapping_router router;
	bool changed = carrier_addresses(agent->carrier, addresses, &event.places.count);

	for (int i = 0; i < SITE_INTERFACES; i++)
		event.places.ports[i] = carrier_port(agent->carrier, (enum site_interface)i);
	event.places.items = addresses;
	event.places.deaf = !agent->tap;
	event.places.mapped = mapping_outside(agent->mapping);
	router = mapping_router(agent->mapping);
	event.places.router = router.outside;
	event.places.router_is_inside = router.is_inside;
	if (!changed && !agent->mapped && agent->told_places &&
		memcmp(agent->told_ports, event.places.ports, sizeof agent->told_ports) == 0)
		return;
	memcpy(agent->told_ports, event.places.ports, sizeof agent->told_ports);
	agent->told_places = true;
	agent->mapped = false;
	agent_feed(agent, &event);
}

/* A port that was found free is kept: others have the way there in mind. */
static void keep_port(struct agent *agent)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		enum site_interface interface = (enum site_interface)i;
		uint16_t port = carrier_port(agent->carrier, interface);

		if (port == 0 || port == agent->kept_ports[i])
			continue;
		agent->kept_ports[i] = port;
		if (port != keeper_port(agent->store, interface) &&
			keeper_save_port(agent->store, interface, port) < 0)
			log_write(&agent->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
				"the port of %s could not be kept",
				i == SITE_BACKBONE ? "the backbone" : "the links");
	}
}

/* The loop. */

static void arm(struct agent *agent)
{
	usec_t at = usec_min(mapping_wakeup(agent->mapping),
		usec_min(site_wakeup(agent->brain.site), carrier_wakeup(agent->carrier)));
	usec_t left = at - clock_now();
	struct timeval wait;

	if (at == USEC_NEVER) {
		(void)event_del(agent->timer);
		return;
	}
	wait = clock_wait(left);
	(void)event_add(agent->timer, &wait);
}

void agent_begin_turn(struct agent *agent)
{
	struct site_event event = {.kind = SITE_EVENT_RESUME};

	agent->now = clock_now();
	agent->log.now = agent->now;
	if (clock_slept(&agent->clock)) {
		mapping_renew(agent->mapping, agent->now);
		agent_feed(agent, &event);
	}
}

static bool take_polls(struct agent *agent)
{
	bool any = false;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (!agent->polls[i])
			continue;
		agent->polls[i] = false;
		feed_statistics(agent, (enum site_interface)i);
		any = true;
	}
	return any;
}

/* Who has become a hub, or is none any more, needs a brain of another size. */
static void become(struct agent *agent)
{
	struct site_event event = {.kind = SITE_EVENT_START};
	char why[STORE_WHY_SIZE] = "";

	if (!brain_is_outgrown(&agent->brain))
		return;
	if (brain_renew(&agent->brain, agent->store, why) < 0) {
		log_write(&agent->log, LOG_LIFE, CONFIG_LEVEL_ERROR, "%s", why);
		agent->status = STATUS_FAILED;
		agent->ended = true;
		return;
	}
	agent->told_places = false;
	feed_places(agent);
	agent_feed(agent, &event);
	apply(agent);
}

/* Whatever is due now is done, up to a bound; then the machine is made as it is wanted. */
void agent_end_turn(struct agent *agent)
{
	struct site_event event = {.kind = SITE_EVENT_TIMER};

	for (int i = 0; i < LISTS_MAX; i++) {
		bool due = site_wakeup(agent->brain.site) <= agent->now;

		if (due)
			agent_feed(agent, &event);
		if (!take_polls(agent) && !due)
			break;
	}
	apply(agent);
	/* Other networks are a reason to offer links anew, and the offer says where this machine
	 * is. */
	feed_places(agent);
	feed_networks(agent);
	apply(agent);
	follow(agent);
	follow_ports(agent);
	follow_traffic(agent);
	mapping_follow(agent->mapping, agent->now,
		site_wants_mapping(agent->brain.site) ? carrier_port(agent->carrier, SITE_LINKS)
						      : 0);
	keep_port(agent);
	become(agent);
	arm(agent);
	/* All that was to be taken away has been spoken of. */
	if (agent->ending && site_wakeup(agent->brain.site) > agent->now)
		agent->ended = true;
	if (agent->ended)
		(void)event_base_loopbreak(agent->loop);
}

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
	struct agent *agent = context;

	(void)descriptor;
	(void)what;
	agent_begin_turn(agent);
	carrier_turn(agent->carrier, agent->now);
	mapping_turn(agent->mapping, agent->now);
	agent_end_turn(agent);
}

static void on_notice(evutil_socket_t descriptor, short what, void *context)
{
	struct agent *agent = context;

	(void)descriptor;
	(void)what;
	agent_begin_turn(agent);
	carrier_notice(agent->carrier, agent->now);
	agent_end_turn(agent);
}

static void on_datagram(void *context, const struct endpoint *from, const struct endpoint *to,
	const uint8_t *bytes, size_t size)
{
	const struct agent_way *way = context;
	struct agent *agent = way->agent;
	struct site_event event = {.kind = SITE_EVENT_DATAGRAM};

	/* To any other address of this host they are not ours to answer. */
	if (!carrier_has_address(agent->carrier, way->interface, &to->address))
		return;
	agent_begin_turn(agent);
	event.datagram.interface = way->interface;
	event.datagram.from = *from;
	event.datagram.port = to->port;
	event.datagram.bytes = bytes;
	event.datagram.size = size;
	agent_feed(agent, &event);
	agent_end_turn(agent);
}

static void on_arrival(void *context, const struct tap_arrival *arrival)
{
	struct agent *agent = context;
	struct site_event event = {.kind = SITE_EVENT_OUTSIDE};

	agent_begin_turn(agent);
	event.outside.interface = arrival->to.port == carrier_port(agent->carrier, SITE_LINKS)
					  ? SITE_LINKS
					  : SITE_BACKBONE;
	event.outside.from = arrival->from;
	event.outside.bytes = arrival->bytes;
	event.outside.size = arrival->size;
	agent_feed(agent, &event);
	agent_end_turn(agent);
}

/* The brain hears of it at the end of the turn. */
static void on_mapped(void *context)
{
	struct agent *agent = context;

	const struct timeval soon = {.tv_sec = 0};

	agent->mapped = true;
	(void)event_add(agent->timer, &soon);
}

static void on_sight(void *context, const struct prefix *seen, uint32_t count)
{
	struct agent *agent = context;
	struct site_event event = {
		.kind = SITE_EVENT_TRAFFIC, .traffic.count = count, .traffic.items = seen};

	agent_begin_turn(agent);
	agent_feed(agent, &event);
	agent_end_turn(agent);
}

static void on_found(void *context, enum site_interface interface, const struct key *peer,
	const struct endpoint *endpoint)
{
	struct agent *agent = context;

	agent_begin_turn(agent);
	carrier_resolved(agent->carrier, interface, peer, endpoint);
	agent->wants_apply = true;
	agent_end_turn(agent);
}

void agent_take_down(struct agent *agent)
{
	const struct site_command command = {.kind = SITE_COMMAND_DOWN};
	struct site_event event = {.kind = SITE_EVENT_COMMAND, .command = &command};

	if (agent->ending)
		return;
	agent->ending = true;
	log_write(&agent->log, LOG_LIFE, CONFIG_LEVEL_NOTICE,
		"ending: interfaces and routes are taken away");
	agent_feed(agent, &event);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct agent *agent = context;

	(void)what;
	agent_begin_turn(agent);
	if (number == SIGTERM) {
		log_write(&agent->log, LOG_LIFE, CONFIG_LEVEL_NOTICE,
			"ending: interfaces and routes stay for the next agent");
		agent->ended = true;
	} else if (number == SIGINT) {
		agent_take_down(agent);
	} else if (number == SIGCHLD) {
		carrier_reap(agent->carrier);
	}
	agent_end_turn(agent);
}

static void on_watchdog(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	(void)context;
	notify_send("WATCHDOG=1");
}

/* Starting and ending. */

static const int signal_numbers[SIGNALS] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};

static int begin_loop(struct agent *agent)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	usec_t watchdog = notify_watchdog();
	struct timeval every;

	(void)signal(SIGPIPE, SIG_IGN);
	agent->loop = event_base_new();
	if (!agent->loop)
		return -ENOMEM;
	agent->timer = evtimer_new(agent->loop, on_timer, agent);
	agent->noticed = event_new(agent->loop, carrier_descriptor(agent->carrier),
		EV_READ | EV_PERSIST, on_notice, agent);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct agent_way *way = &agent->ways[i];

		*way = (struct agent_way){.agent = agent, .interface = (enum site_interface)i};
		way->tunnel = tunnel_new(
			agent->loop, i == SITE_BACKBONE ? TUNNEL_PORTS : 1, on_datagram, way);
	}
	agent->lookup = lookup_new(agent->loop, &agent->log, on_found, agent);
	agent->mapping = mapping_new(agent->loop, on_mapped, agent);
	if (!agent->mapping)
		return -ENOMEM;
	agent->sight = sight_new(agent->loop, on_sight, agent);
	/* Without it everything goes by the hub. */
	if (tap_new(&agent->tap, agent->loop, on_arrival, agent, why) < 0)
		log_write(&agent->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING, "%s", why);
	if (control_open(&agent->control, agent->loop, agent->options->run, &agent->log,
		    agent_asked, agent, why) < 0) {
		say("%s", why);
		return -EINVAL;
	}
	if (!agent->timer || !agent->noticed || event_add(agent->noticed, NULL) < 0)
		return -ENOMEM;
	for (int i = 0; i < SIGNALS; i++) {
		agent->signals[i] = evsignal_new(agent->loop, signal_numbers[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	if (watchdog == USEC_NEVER)
		return 0;
	/* Twice as often as is demanded, and from within the loop: one that stands still is
	 * noticed. */
	every = clock_wait(watchdog / 2);
	agent->watchdog = event_new(agent->loop, -1, EV_PERSIST, on_watchdog, agent);
	return agent->watchdog && event_add(agent->watchdog, &every) == 0 ? 0 : -ENOMEM;
}

static void end_events(struct agent *agent)
{
	control_end(agent->control);
	lookup_free(agent->lookup);
	tap_free(agent->tap);
	sight_free(agent->sight);
	mapping_free(agent->mapping);
	for (int i = 0; i < SITE_INTERFACES; i++)
		tunnel_free(agent->ways[i].tunnel);
	for (int i = 0; i < SIGNALS; i++) {
		if (agent->signals[i])
			event_free(agent->signals[i]);
	}
	if (agent->watchdog)
		event_free(agent->watchdog);
	if (agent->noticed)
		event_free(agent->noticed);
	if (agent->timer)
		event_free(agent->timer);
}

static void choose_interface(const struct agent *agent, enum site_interface interface,
	const struct config_interface *config, struct carrier_options *options)
{
	struct carrier_interface *chosen = &options->interfaces[interface];
	struct key keys[SITE_KEY_SLOTS];
	uint32_t count = keeper_interface_keys(agent->store, keys, interface);

	(void)snprintf(chosen->name, sizeof chosen->name, "%s", config->name);
	chosen->mtu = config->mtu;
	for (uint32_t i = 0; i < count; i++)
		options->keys[options->key_count++] = keys[i];
	sodium_memzero(keys, sizeof keys);
}

static int begin_carrier(struct agent *agent)
{
	const struct config *config = agent->options->config;
	struct carrier_options options = {
		.implementation = config->implementation,
		/* Joiners, and keys that change, beside the members. */
		.peers_max = 2 * (config->limits_sites + 128),
		.prefixes_max = 8 * config->limits_sites + 1024,
		.log = &agent->log,
	};
	char why[WIREGUARD_WHY_SIZE] = "";
	int r;

	choose_interface(agent, SITE_BACKBONE, &config->backbone, &options);
	choose_interface(agent, SITE_LINKS, &config->links, &options);
	r = carrier_open(&agent->carrier, &options, why);
	sodium_memzero(options.keys, sizeof options.keys);
	if (r < 0)
		say("%s", why);
	return r;
}

static int begin(struct agent *agent)
{
	char why[STORE_WHY_SIZE] = "";
	int r = store_open(&agent->store, agent->options->state, true, why);

	if (r == 0)
		r = brain_open(&agent->brain, agent->options->config, agent->store, why);
	if (r < 0) {
		say("%s", why);
		return r;
	}
	r = begin_carrier(agent);
	if (r == 0)
		r = begin_loop(agent);
	return r;
}

static void run(struct agent *agent)
{
	struct site_event event = {.kind = SITE_EVENT_START};

	agent_begin_turn(agent);
	feed_networks(agent);
	feed_places(agent);
	agent_feed(agent, &event);
	if (site_state(agent->brain.site) == SITE_BLANK)
		log_write(&agent->log, LOG_LIFE, CONFIG_LEVEL_NOTICE,
			"this site belongs to no collective yet: \"collective init\" founds one, "
			"\"collective join\" joins one");
	agent_end_turn(agent);
	notify_send("READY=1");
	if (!agent->ended)
		(void)event_base_dispatch(agent->loop);
	notify_send("STOPPING=1");
}

int agent_run(const struct agent_options *options)
{
	struct agent *agent = memory_zeroed(1, sizeof *agent);
	int status;

	/* Of large tables few pages are touched, and a huge page is 2 MiB. */
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	agent->options = options;
	agent->actions = memory_zeroed(1, sizeof *agent->actions);
	agent->status = STATUS_DONE;
	log_init(&agent->log, options->config->log_level);
	clock_init(&agent->clock, options->clock_offset_ms);
	if (begin(agent) == 0)
		run(agent);
	else
		agent->status = STATUS_FAILED;
	end_events(agent);
	carrier_close(agent->carrier);
	brain_close(&agent->brain);
	store_close(agent->store);
	/* Whoever waits for the end hears of it once another agent can begin. */
	agent_tell_down(agent);
	control_close(agent->control);
	if (agent->loop)
		event_base_free(agent->loop);
	status = agent->status;
	free(agent->actions);
	sodium_memzero(agent, sizeof *agent);
	free(agent);
	return status;
}

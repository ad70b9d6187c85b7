/* SPDX-License-Identifier: MIT */
/*
 * links_carry.c - what a direct link is made of: a peer in WireGuard, routes, probes through the
 * tunnel, and words to the other end.
 *
 * A route leads over a link from the first answer of the other end through it until four are
 * missed. To go either way a route is replaced, never taken away; both interfaces take in what
 * comes, whichever way the other end has chosen. Words go by the hub, sealed with the link's own
 * key: a hub can keep them back, and no more.
 */
#include <string.h>

#include "gossip/envelope.h"
#include "site/links_internal.h"

#define WORD_AGAIN (500 * USEC_MSEC)
#define WORD_TIMES 4
#define IN_FLIGHT USEC_SECOND       /* packets that the other end sent before it knew */
#define ENDED_FOR (2 * USEC_SECOND) /* it may not have heard that we agree */
#define CALLS_MAX 5
#define CALL_AGAIN (400 * USEC_MSEC)
#define PATH_AGAIN (10 * USEC_SECOND)
#define RECALL_FOR (20 * USEC_SECOND) /* WireGuard itself calls every 5 s */
#define ANSWERS_PER_SECOND 20         /* at most ten probes a second come, in a burst */
#define ANSWERS_BURST 40

/* What WireGuard counts of a packet beside its padded bytes, of a keepalive, of a handshake. */
#define WIRE_EXTRA 32
#define WIRE_HEADERS 28
#define WIRE_BLOCK 16
#define WIRE_INITIATION 148
#define WIRE_RESPONSE 92
#define WIRE_HANDSHAKE (WIRE_INITIATION + WIRE_RESPONSE)

enum word { WORD_DOUBT = 1, WORD_END, WORD_ENDED, WORD_RELEASE, WORD_KEEP };

/* Places where nothing is to be sent. */

uint32_t site_link_barriers(const struct site *site, const struct address *address,
	struct candidate_barrier ret[static SITE_BARRIERS_MAX])
{
	uint32_t count = 0;

	if (prefix_has_address(&site->collective.supernet, address))
		ret[count++] = (struct candidate_barrier){
			site->collective.supernet, CANDIDATE_OVERLAY};
	for (uint32_t i = 0; i < site->options.isolated.count && count < SITE_BARRIERS_MAX; i++) {
		if (prefix_has_address(&site->options.isolated.items[i], address))
			ret[count++] = (struct candidate_barrier){
				site->options.isolated.items[i], CANDIDATE_ISOLATED};
	}
	for (uint32_t i = 0; i < site->prefixes.count && count < SITE_BARRIERS_MAX; i++) {
		const struct site_prefix *entry = table_at(&site->prefixes, i);
		struct prefix prefix = site_prefix_of(entry);

		if (entry->routed && prefix_has_address(&prefix, address))
			ret[count++] = (struct candidate_barrier){prefix, CANDIDATE_OVERLAY};
	}
	return count;
}

/* Peers. */

static void tell_peer(struct site_link *link, struct site_actions *out, uint16_t keepalive)
{
	struct site_action *action = site_emit(out, SITE_PEER);

	action->interface = SITE_LINKS;
	action->peer.key = link->peer.key;
	action->peer.preshared = link->keys.preshared;
	action->peer.keepalive = keepalive;
	if (keepalive == 0 || !link->initiates || link->found.port == 0)
		return;
	action->peer.set_endpoint = true;
	address_print(&link->found.address, action->peer.host);
	action->peer.port = link->found.port;
}

/* Calls each for every network of a member that is in force and not left out here. */
static void each_prefix(struct site *site, struct site_link *link, struct site_actions *out,
	void (*each)(struct site *site, struct site_link *link, struct site_actions *out,
		const struct prefix *prefix))
{
	for (uint32_t i = 0; i < site->ledger.prefixes.count; i++) {
		struct row_id owner;
		struct prefix prefix = ledger_prefix(&site->ledger, i, &owner);

		if (memcmp(&owner, &link->member, ROW_ID_SIZE) == 0)
			each(site, link, out, &prefix);
	}
}

static struct site_prefix *entry_of(struct site *site, const struct prefix *prefix)
{
	uint8_t key[sizeof((struct site_prefix *)0)->key];

	site_prefix_key(prefix, key);
	return table_find(&site->prefixes, key);
}

static void allow(struct site *site, struct site_link *link, struct site_actions *out,
	const struct prefix *prefix)
{
	const struct site_prefix *entry = entry_of(site, prefix);
	struct site_action *action;

	if (site_room(out) == 0 || (entry && entry->refused))
		return;
	action = site_emit(out, SITE_ALLOW);
	action->interface = SITE_LINKS;
	action->allow.key = link->peer.key;
	action->allow.prefix = *prefix;
}

void site_link_add_peer(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);
	struct certificate other;

	ledger_certificate(&site->ledger, member, &other);
	link->peer = (struct link_peer){.told = true,
		.key = other.links,
		.certificate = member->certificate_hash,
		.heard_at = site->now};
	link->awaits = false;
	tell_peer(link, out, 0);
	each_prefix(site, link, out, allow);
	/* Its networks get routes of their own, which lead to the hub for now. */
	link->routed = true;
	site->dirty = true;
}

void site_link_drop_peer(struct site *site, struct site_link *link, struct site_actions *out)
{
	struct site_action *action;

	link->has_path = false;
	link->awaits = false;
	link->awaited = 0;
	if (!link->peer.told)
		return;
	action = site_emit(out, SITE_PEER_REMOVE);
	action->interface = SITE_LINKS;
	action->allow.key = link->peer.key;
	link->peer.told = false;
	link->peer.ended = false;
	sync_disconnect(&site->sync, &link->member);
}

static void begin_path(struct site *site, struct site_link *link)
{
	path_init(&link->path, site->now, prng_u64(&site->prng) >> 1);
	link->has_path = true;
}

void site_link_call(struct site *site, struct site_link *link, struct site_actions *out)
{
	tell_peer(link, out, SITE_KEEPALIVE_S);
	if (!link->has_path)
		begin_path(site, link);
	link->calls++;
	link->call_again_at = site->now + CALL_AGAIN + 3 * link->trial.rtt_us;
	site_link_step_path(site, link, out);
}

/* An initiation that was lost is sent again by WireGuard after 5 s; a new peer begins at once. */
static void call_again(struct site *site, struct site_link *link, struct site_actions *out)
{
	struct path path = link->path;

	if (link->calls >= CALLS_MAX || site->now < link->call_again_at || !link->initiates)
		return;
	site_link_drop_peer(site, link, out);
	site_link_add_peer(site, link, out);
	link->path = path;
	link->has_path = true;
	site_link_call(site, link, out);
}

/* Where it was met last. */

static void remember(struct site *site, struct site_link *link, struct site_actions *out)
{
	const struct link_memory now = {.kept = true,
		.place = link->found,
		.preshared = link->keys.preshared,
		.certificate = link->peer.certificate};
	struct link_memory *memory = &link->memory;

	if (link->their_clock > link->their_saved && site_room(out) > 0) {
		site_save_offers(site, out, link, false);
		link->their_saved = link->their_clock;
	}
	/* The other end has called, and nobody has looked yet from where. */
	if (link->found.port == 0)
		return;
	if (memory->kept && endpoint_equal(&memory->place, &now.place) &&
		key_equal(&memory->preshared, &now.preshared) &&
		hash_equal(&memory->certificate, &now.certificate))
		return;
	*memory = now;
	if (site_room(out) > 0)
		site_save_memory(site, out, link);
}

void site_link_forget(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (!link->memory.kept)
		return;
	key_wipe(&link->memory.preshared);
	link->memory = (struct link_memory){.kept = false};
	if (site_room(out) > 0)
		site_save_memory(site, out, link);
}

/* Whether it is still the same one, with the same keys. */
static bool is_remembered(const struct site *site, const struct site_link *link)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);

	return link->memory.kept && member && member->in_force &&
	       hash_equal(&link->memory.certificate, &member->certificate_hash);
}

void site_link_await(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (link->peer.told || !is_remembered(site, link))
		return;
	link->keys.preshared = link->memory.preshared;
	link->initiates = false;
	site_link_add_peer(site, link, out);
	link->awaits = true;
}

bool site_link_recall(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (!site_hub_seems_silent(site) || !is_remembered(site, link) || link->has_path)
		return false;
	site_link_await(site, link, out);
	link->found = link->memory.place;
	link->initiates = true;
	link->recalls = true;
	link->calls = 0;
	link->changed = false;
	link->trial = (struct link_trial){.at = site->now, .places = 1, .rtt_us = -1};
	site_link_turn(site, link, LINK_CALLS, LINK_RECALLING);
	link->until = site->now + RECALL_FOR;
	site_link_call(site, link, out);
	return true;
}

/* Routes. */

static void lead(struct site *site, struct site_link *link, struct site_actions *out,
	const struct prefix *prefix)
{
	struct site_prefix *entry = entry_of(site, prefix);
	struct site_action *action;

	if (!entry || !entry->routed || entry->linked == link->direct || site_room(out) == 0)
		return;
	action = site_emit(out, SITE_ROUTE);
	action->route.prefix = *prefix;
	action->route.kind = link->direct ? SITE_ROUTE_LINKS : SITE_ROUTE_BACKBONE;
	entry->linked = link->direct;
}

void site_link_route(
	struct site *site, struct site_link *link, struct site_actions *out, bool direct)
{
	if (link->direct != direct)
		link->switches++;
	link->direct = direct;
	each_prefix(site, link, out, lead);
}

/* Sending. */

static uint64_t wire_size(size_t payload)
{
	return WIRE_EXTRA + (payload + WIRE_HEADERS + 15) / 16 * 16;
}

void site_link_send(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct address *to, const void *bytes, size_t size)
{
	struct site_link *link = site_link_of(site, member);

	site_send(out, &site->collective.address, to, SITE_PORT, bytes, size);
	out->items[out->count - 1].interface = SITE_LINKS;
	if (link)
		link->peer.own_tx += wire_size(size);
}

bool site_link_place(const struct site *site, const struct row_id *member, struct endpoint *ret)
{
	const struct site_link *link = site_link_of(site, member);

	if (!link || !site_links_carry(site, member) ||
		link->found.address.family != ADDRESS_IPV4 ||
		!candidate_is_public(&link->found.address))
		return false;
	*ret = link->found;
	return true;
}

void site_send_member(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct address *to, const void *bytes, size_t size)
{
	if (site_links_carry(site, member))
		site_link_send(site, out, member, to, bytes, size);
	else
		site_send(out, &site->collective.address, to, SITE_PORT, bytes, size);
}

static struct address address_of(const struct site *site, const struct site_link *link)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);
	struct certificate other = {.address = {.family = ADDRESS_NONE}};

	if (member)
		ledger_certificate(&site->ledger, member, &other);
	return other.address;
}

static void send_probe(struct site *site, struct site_link *link, struct site_actions *out,
	const struct path_action *probe)
{
	struct address to = address_of(site, link);
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	if (site_room(out) == 0)
		return;
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PROBE, ENVELOPE_HEAD + 1,
		&site->ledger.collective, site_wall(site));
	wire_write_uint(&writer, probe->number);
	if (probe->way == PATH_DIRECT)
		site_link_send(site, out, &link->member, &to, bytes, writer.length);
	else
		site_send(out, &site->collective.address, &to, SITE_PORT, bytes, writer.length);
}

static void say(struct site *site, struct site_link *link, struct site_actions *out, enum word word)
{
	struct address to = address_of(site, link);
	const uint8_t body[1] = {(uint8_t)word};
	uint8_t sealed[SEAL_DATAGRAM_MAX];
	uint8_t bytes[ENVELOPE_SIZE_MAX];
	struct wire_writer writer;

	if (site_room(out) == 0 || !link->has_words)
		return;
	envelope_begin(&writer, bytes, sizeof bytes, ENVELOPE_PATH, ENVELOPE_HEAD + 1,
		&site->ledger.collective, 0);
	wire_write_bin(&writer, sealed, seal_write(&link->words, body, sizeof body, sealed));
	site_send(out, &site->collective.address, &to, SITE_PORT, bytes, writer.length);
}

/* A word that is said again until it is answered. */
static void ask(struct site *site, struct site_link *link, struct site_actions *out, enum word word)
{
	link->awaited = (uint8_t)word;
	link->word_times = 1;
	link->word_at = site->now + WORD_AGAIN;
	say(site, link, out, word);
}

static const char *name_of(
	const struct site *site, const struct site_link *link, struct certificate *ret)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);

	ret->name[0] = '\0';
	if (member)
		ledger_certificate(&site->ledger, member, ret);
	return ret->name;
}

/* Ending. */

void site_link_leave(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason)
{
	site_link_route(site, link, out, false);
	link->has_path = false;
	link->peer.ended = true;
	site_link_turn(site, link, LINK_LEAVES, reason);
	ask(site, link, out, WORD_END);
}

void site_link_release(struct site *site, struct site_link *link, struct site_actions *out)
{
	link->released = true;
	ask(site, link, out, WORD_RELEASE);
}

/* The other end has ended it: its packets may still be on their way. */
static void be_left(struct site *site, struct site_link *link, struct site_actions *out)
{
	say(site, link, out, WORD_ENDED);
	if (!link->peer.told)
		return;
	site_link_route(site, link, out, false);
	link->has_path = false;
	link->peer.ended = true;
	link->awaited = 0;
	link->invited = false;
	site_link_turn(site, link, LINK_LEAVES, LINK_THEY_ENDED);
	link->until = site->now + ENDED_FOR;
}

static void step_word(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (link->awaited == 0 || site->now < link->word_at)
		return;
	if (link->word_times < WORD_TIMES) {
		link->word_times++;
		link->word_at = site->now + WORD_AGAIN;
		say(site, link, out, (enum word)link->awaited);
		return;
	}
	/* Nobody answers: then nobody minds. */
	if (link->awaited == WORD_RELEASE) {
		site_link_leave(site, link, out, LINK_ENDING);
		return;
	}
	link->until = site->now;
	link->awaited = 0;
}

void site_link_step_leave(struct site *site, struct site_link *link, struct site_actions *out)
{
	struct certificate other;

	step_word(site, link, out);
	if (site->now < link->until)
		return;
	site_link_drop_peer(site, link, out);
	site_link_forget(site, link, out);
	site_log(out, SITE_LOG_LINK_ENDED, name_of(site, link, &other), 0);
	site_link_turn(site, link, LINK_RESTS, link->reason);
	link->next_at = site->now + (link->reason == LINK_THEY_ENDED ? WORD_AGAIN : 0);
}

/* Life. */

static void take_way(
	struct site *site, struct site_link *link, struct site_actions *out, enum path_way way)
{
	bool dead = link->path.dead_at != USEC_NEVER;
	struct certificate other;
	int64_t rtt = path_measured(&link->path, PATH_DIRECT).rtt_us;

	site_link_route(site, link, out, way == PATH_DIRECT);
	if (way == PATH_DIRECT) {
		rtt = rtt < 0 ? link->trial.rtt_us : rtt;
		remember(site, link, out);
		link->recalls = false;
		site_log(out, rtt < 0 ? SITE_LOG_LINK_DIRECT : SITE_LOG_LINK_DIRECT_WITHIN,
			name_of(site, link, &other), rtt);
		quiet_reset(&link->quiet);
		link->unanswered = 0;
		link->failed_at = -1;
		link->next_at = site->now;
		/* What came to something costs the other end nothing. */
		if (link->stage == LINK_CALLS && !link->offerer &&
			link->budget_left < LINK_ATTEMPTS_MAX)
			link->budget_left++;
		site_link_turn(site, link, LINK_LIVES, LINK_DIRECT);
		if (!sync_neighbour(&site->sync, &link->member))
			(void)sync_connect(&site->sync, site->now, &link->member, NEIGHBOUR_LINK);
		site->links_poll_at = usec_min(site->links_poll_at, site->now);
		return;
	}
	site_log(
		out, dead ? SITE_LOG_LINK_DEAD : SITE_LOG_LINK_HUB, name_of(site, link, &other), 0);
	site_link_turn(site, link, LINK_LIVES, dead ? LINK_DIED : LINK_HUB_BETTER);
}

/* The path will not come back by itself; without a hub it is the only one there is. */
static void give_up(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (link->stage == LINK_CALLS && link->recalls && site->now < link->until) {
		begin_path(site, link);
		return;
	}
	if (link->stage == LINK_CALLS) {
		site_link_fail(site, link, out, LINK_NO_HANDSHAKE);
		return;
	}
	if (site_hub_seems_silent(site)) {
		link->has_path = false;
		link->call_again_at = site->now + PATH_AGAIN;
		/* It is to be noticed that the hub is back. */
		site_reflect_want(site, site->now + 2 * PATH_AGAIN);
		return;
	}
	site_link_route(site, link, out, false);
	site_link_drop_peer(site, link, out);
	if (link->stage == LINK_LIVES) {
		site_link_turn(site, link, LINK_RESTS, LINK_DIED);
		link->next_at = site->now;
	}
}

static void follow_path(struct site *site, struct site_link *link, struct site_actions *out)
{
	struct path_actions actions;

	path_step(&link->path, site->now, &actions);
	for (uint32_t i = 0; i < actions.count; i++) {
		switch (actions.items[i].kind) {
		case PATH_SEND:
			send_probe(site, link, out, &actions.items[i]);
			break;
		case PATH_SWITCH:
			take_way(site, link, out, actions.items[i].way);
			break;
		case PATH_TELL:
			say(site, link, out, WORD_DOUBT);
			/* Where we are seen may be another place now. */
			link->fresh_from = site->now;
			link->next_at = site->now;
			site_reflect_want(site, site->now + PATH_DEAD_MAX);
			site_reflect_now(site);
			break;
		case PATH_OVER:
			give_up(site, link, out);
			return;
		}
	}
}

void site_link_step_path(struct site *site, struct site_link *link, struct site_actions *out)
{
	if (link->stage == LINK_CALLS && site->now >= link->until) {
		site_link_fail(site, link, out, LINK_NO_HANDSHAKE);
		return;
	}
	if (link->stage == LINK_CALLS && link->has_path)
		call_again(site, link, out);
	if (link->stage == LINK_LIVES) {
		step_word(site, link, out);
		if (link->stage != LINK_LIVES)
			return;
		if (!link->has_path && site->now >= link->call_again_at)
			begin_path(site, link);
		/* Keepalives fail to come: a reason to look. */
		if (link->has_path && site->now - link->peer.heard_at >= SITE_SUSPECT_AFTER) {
			path_doubted(&link->path, site->now);
			link->peer.heard_at = site->now;
		}
	}
	if (link->has_path && path_wakeup(&link->path) <= site->now)
		follow_path(site, link, out);
}

usec_t site_link_path_wakeup(const struct site *site, const struct site_link *link)
{
	bool speaks = link->stage == LINK_LIVES || link->stage == LINK_LEAVES;
	usec_t at = speaks && link->awaited != 0 ? link->word_at : USEC_NEVER;

	(void)site;
	if (link->stage == LINK_LEAVES)
		return at;
	if (link->stage == LINK_CALLS && link->has_path && link->initiates &&
		link->calls < CALLS_MAX)
		at = usec_min(at, link->call_again_at);
	if (link->stage == LINK_LIVES && !link->has_path)
		at = usec_min(at, link->call_again_at);
	if (link->stage == LINK_LIVES && link->has_path)
		at = usec_min(at, link->peer.heard_at + SITE_SUSPECT_AFTER);
	return link->has_path ? usec_min(at, path_wakeup(&link->path)) : at;
}

/* What comes. */

bool site_link_heard(
	struct site *site, struct site_actions *out, const struct row_id *member, size_t size)
{
	struct site_link *link = site_link_of(site, member);

	if (!link || !link->peer.told)
		return false;
	link->peer.own_rx += wire_size(size);
	link->peer.heard_at = site->now;
	/* What was dead may be well again. */
	if (link->has_path && link->path.dead_at != USEC_NEVER)
		path_doubted(&link->path, site->now);
	if (link->has_path || (link->stage != LINK_MEETS && link->stage != LINK_CALLS &&
				      link->stage != LINK_RESTS && link->stage != LINK_LIVES))
		return true;
	/* The other end has called, and its session is confirmed: now this end may speak, too. */
	if (link->stage == LINK_RESTS || link->stage == LINK_LIVES) {
		link->initiates = false;
		link->found = (struct endpoint){.port = 0};
	}
	link->awaits = false;
	site_link_turn(site, link, LINK_CALLS, LINK_CALLING);
	link->until = site->now + PATH_AGAIN;
	tell_peer(link, out, SITE_KEEPALIVE_S);
	begin_path(site, link);
	path_heard(&link->path, site->now);
	follow_path(site, link, out);
	return true;
}

bool site_link_may_answer(struct site *site, const struct row_id *member)
{
	struct site_link *link = site_link_of(site, member);

	if (!link)
		return false;
	budget_refill(&link->answers, site->now, ANSWERS_PER_SECOND, ANSWERS_BURST);
	return budget_spend(&link->answers);
}

bool site_link_probed(struct site *site, struct site_actions *out, const struct row_id *member,
	enum site_interface interface, uint64_t number)
{
	struct site_link *link = site_link_of(site, member);

	if (!link || !link->has_path || site_room(out) < 16)
		return false;
	path_answered(
		&link->path, site->now, interface == SITE_LINKS ? PATH_DIRECT : PATH_HUB, number);
	if (path_wakeup(&link->path) <= site->now)
		follow_path(site, link, out);
	return true;
}

static void obey(
	struct site *site, struct site_link *link, struct site_actions *out, enum word word)
{
	const struct member *member = ledger_find(&site->ledger, &link->member);

	switch (word) {
	case WORD_DOUBT:
		if (link->has_path)
			path_doubted(&link->path, site->now);
		return;
	case WORD_END:
		be_left(site, link, out);
		return;
	case WORD_ENDED:
		if (link->stage != LINK_LEAVES || link->awaited != WORD_END)
			return;
		link->awaited = 0;
		link->until = site->now + IN_FLIGHT;
		return;
	case WORD_RELEASE:
		link->invited = false;
		if (member && site_link_idleness(site, member) == LINK_NEW)
			say(site, link, out, WORD_KEEP);
		else if (link->stage == LINK_LIVES)
			site_link_leave(site, link, out, LINK_ENDING);
		return;
	case WORD_KEEP:
		link->invited = true;
		if (link->awaited == WORD_RELEASE)
			link->awaited = 0;
		return;
	}
}

void site_link_take_word(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender)
{
	struct site_link *link = site_link_of(site, sender);
	uint8_t body[SEAL_BODY_MAX];
	struct envelope envelope;
	const uint8_t *sealed;
	size_t size = 0;

	if (!link || !link->has_words || site_room(out) < SITE_ACTIONS_MAX / 2 ||
		envelope_open(&envelope, ENVELOPE_PATH, ENVELOPE_HEAD + 1, &site->ledger.collective,
			event->datagram.bytes, event->datagram.size) < 0)
		return;
	sealed = wire_read_bin(&envelope.reader, SEAL_EXTRA, SEAL_DATAGRAM_MAX, &size);
	if (envelope_end(&envelope) < 0 || seal_read(&link->words, sealed, size, body) != 1)
		return;
	obey(site, link, out, (enum word)body[0]);
}

/* Looking. */

/*
 * What of these bytes a handshake can be that is not completed, or never was answered. Packets are
 * padded to whole blocks, and neither half of a handshake is: what is left over tells which it was.
 */
static uint64_t half_handshakes(uint64_t bytes)
{
	if (bytes % WIRE_BLOCK == WIRE_INITIATION % WIRE_BLOCK)
		return WIRE_INITIATION;
	if (bytes % WIRE_BLOCK == WIRE_RESPONSE % WIRE_BLOCK)
		return WIRE_RESPONSE;
	return bytes % WIRE_BLOCK == 2 * WIRE_INITIATION % WIRE_BLOCK ? 2 * WIRE_INITIATION : 0;
}

/* What WireGuard says by itself between two looks. */
static uint64_t extra_of(uint64_t bytes, bool shook)
{
	return WIRE_EXTRA + (shook ? WIRE_HANDSHAKE : half_handshakes(bytes));
}

/*
 * Whether more than our own messages, keepalives and handshakes went over the link. What we sent
 * just before a look is counted at the next one; what was counted just before it is heard behind
 * it. So what is too much of what came has to become more once again.
 */
static bool has_traffic(struct link_peer *peer, const struct site_statistics *seen)
{
	bool shook = seen->handshake != peer->handshake;
	uint64_t rx = seen->rx_bytes - peer->rx_bytes;
	uint64_t tx = seen->tx_bytes - peer->tx_bytes;
	uint64_t came = rx + peer->rx_over;
	uint64_t own = peer->own_tx + peer->tx_late;
	uint64_t over = came > peer->own_rx ? came - peer->own_rx : 0;
	bool comes = peer->rx_over > 0 && over > peer->rx_over + extra_of(rx, shook);

	peer->rx_over = !comes && over > extra_of(rx, shook) ? over : 0;
	/* What never leaves is not waited for. */
	peer->tx_late = own > tx ? own - tx : 0;
	if (peer->tx_late > peer->own_tx)
		peer->tx_late = peer->own_tx;
	return comes || tx > own + extra_of(tx, shook);
}

/* What comes last comes from where the other end is, wherever it was met: WireGuard follows it. */
static void follow(struct site *site, struct site_link *link, struct site_actions *out,
	const struct site_statistics *seen)
{
	uint64_t before = link->peer.counted ? link->peer.rx_bytes : 0;

	if (!link->has_path || !seen->has_endpoint || seen->rx_bytes <= before)
		return;
	link->found = seen->endpoint;
	if (link->direct)
		remember(site, link, out);
}

void site_links_statistics(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	for (uint32_t i = 0; i < event->statistics.count; i++) {
		const struct site_statistics *seen = &event->statistics.peers[i];

		for (uint32_t k = 0; k < site->links.count; k++) {
			struct site_link *link = table_at(&site->links, k);
			struct link_peer *peer = &link->peer;

			if (!peer->told || !key_equal(&peer->key, &seen->peer))
				continue;
			follow(site, link, out, seen);
			if (peer->counted && seen->rx_bytes > peer->rx_bytes)
				peer->heard_at = site->now;
			if (peer->counted && seen->rx_bytes >= peer->rx_bytes &&
				seen->tx_bytes >= peer->tx_bytes && has_traffic(peer, seen))
				site_link_traffic(site, link,
					seen->rx_bytes - peer->rx_bytes + seen->tx_bytes -
						peer->tx_bytes);
			peer->counted = true;
			peer->rx_bytes = seen->rx_bytes;
			peer->tx_bytes = seen->tx_bytes;
			peer->handshake = seen->handshake;
			peer->own_rx = 0;
			peer->own_tx = 0;
		}
	}
}

void site_link_traffic(struct site *site, struct site_link *link, uint64_t bytes)
{
	link->traffic_at = site->now;
	if (link->has_path)
		path_traffic(&link->path, site->now, bytes);
}

void site_links_traffic(struct site *site, const struct site_event *event)
{
	for (uint32_t i = 0; i < event->traffic.count; i++) {
		struct prefix watched;

		for (uint32_t k = 0; k < site->ledger.prefixes.count; k++) {
			struct site_link *link;
			struct row_id owner;

			watched = ledger_prefix(&site->ledger, k, &owner);
			if (!prefix_equal(&watched, &event->traffic.items[i]))
				continue;
			link = site_link_for_offer(site, &owner);
			if (link)
				site_link_traffic(site, link, 0);
		}
	}
}

/* Whether it matters if packets go to this member by the backbone. */
static bool is_watched(const struct site *site, const struct row_id *id)
{
	const struct member *member = ledger_find(&site->ledger, id);
	const struct site_link *link = site_link_of(site, id);

	if (link && link->stage == LINK_LIVES && !link->direct)
		return true;
	return site->options.links.when == SITE_WHEN_TRAFFIC && member && !(link && link->direct) &&
	       site_link_objection(site, member) == LINK_NEW;
}

bool site_watches(const struct site *site, uint32_t place, struct prefix *ret)
{
	if (site->state != SITE_MEMBER || site->hub_role || site->down ||
		(site->links.count == 0 && site->options.links.when != SITE_WHEN_TRAFFIC))
		return false;
	for (uint32_t i = 0; i < site->ledger.prefixes.count; i++) {
		struct row_id owner;

		*ret = ledger_prefix(&site->ledger, i, &owner);
		if (is_watched(site, &owner) && place-- == 0)
			return true;
	}
	return false;
}

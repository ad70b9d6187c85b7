/* SPDX-License-Identifier: MIT */
#include "site/site.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/layout.h"
#include "gossip/envelope.h"
#include "site/links_internal.h"

/* What one event may cause by itself; the rest of the list is for what was due anyway. */
_Static_assert(SITE_ACTIONS_MAX >= 2 * SITE_ROOM_FOR_SYNC, "an event and a step fit into a list");

/* Memory. */

static struct ledger_options sized(const struct site_options *options)
{
	return (struct ledger_options){.sites_max = options->sites_max};
}

/* Lays a site out. With no memory it only measures. */
static size_t lay_site(struct site *site, const struct site_options *options, void *memory)
{
	struct ledger_options ledger = sized(options);
	struct sync_options sync = {.neighbours_max = options->neighbours_max};
	uint32_t peers = options->neighbours_max + SITE_SPARE_PEERS;
	struct layout layout = {.memory = memory};
	struct site measured;

	(void)layout_part(&layout, sizeof *site);
	if (!site)
		site = &measured;
	site->ledger_memory = layout_part(&layout, ledger_memory(&ledger));
	site->sync_memory = layout_part(&layout, sync_memory(&sync));
	layout_table(&layout, &site->peers, peers, sizeof(struct site_peer),
		offsetof(struct site_peer, member), ROW_ID_SIZE + KEY_SIZE);
	/* As many as can be in force, and a guard for as many that were. */
	layout_table(&layout, &site->prefixes, 8 * options->sites_max, sizeof(struct site_prefix),
		offsetof(struct site_prefix, key), sizeof((struct site_prefix *)0)->key);
	/* Both ends may be changing their keys. */
	layout_table(&layout, &site->secrets, 2 * peers, sizeof(struct site_secret),
		offsetof(struct site_secret, peer), 2 * KEY_SIZE);
	layout_table(&layout, &site->places, peers, sizeof(struct site_place),
		offsetof(struct site_place, member), ROW_ID_SIZE);
	layout_table(&layout, &site->sessions, options->neighbours_max, sizeof(struct site_session),
		0, SEAL_ID_SIZE);
	layout_table(&layout, &site->links,
		options->sites_max < SITE_LINKS_MAX ? options->sites_max : SITE_LINKS_MAX,
		sizeof(struct site_link), offsetof(struct site_link, member), ROW_ID_SIZE);
	layout_table(&layout, &site->words, options->sites_max, sizeof(struct site_word),
		offsetof(struct site_word, member), ROW_ID_SIZE);
	return layout.used;
}

_Static_assert(offsetof(struct site_peer, key) == offsetof(struct site_peer, member) + ROW_ID_SIZE,
	"member and key are one key");

size_t site_size(const struct site_options *options)
{
	return lay_site(NULL, options, NULL);
}

struct site *site_init(
	void *memory, const struct site_options *options, const uint8_t seed[static PRNG_SEED_SIZE])
{
	struct site *site = memory;

	assert((uintptr_t)memory % LAYOUT_ALIGNMENT == 0);
	memset(site, 0, sizeof *site);
	site->options = *options;
	prng_init(&site->prng, seed);
	site_shares_init(site);
	site_reflect_init(site);
	(void)lay_site(site, options, memory);
	site->state = SITE_BLANK;
	site->clock_floor = options->built_ms;
	author_init(&site->author, 0);
	invitations_init(&site->invitations);
	rotation_init(&site->rotation);
	behaviour_init(&site->behaviour, ADDRESS_IPV4);
	budget_init(&site->reflect_budget);
	budget_init(&site->offer_budget);
	budget_init(&site->pass_budget);
	site->links_poll_at = USEC_NEVER;
	site->presence_at = 0;
	site->retire_at = USEC_NEVER;
	site->certified_at = USEC_NEVER;
	site->settled = true; /* there is nothing to be told before the start */
	return site;
}

void site_wipe(struct site *site)
{
	prng_wipe(&site->prng);
	for (uint32_t i = 0; i < site->secrets.count; i++) {
		struct site_secret *secret = table_at(&site->secrets, i);

		key_wipe(&secret->preshared);
	}
	for (uint32_t i = 0; i < site->peers.count; i++) {
		struct site_peer *peer = table_at(&site->peers, i);

		key_wipe(&peer->preshared);
	}
	for (uint32_t i = 0; i < site->invitations.table.count; i++) {
		struct invitation *invitation = table_at(&site->invitations.table, i);

		key_wipe(&invitation->preshared_key);
	}
	for (uint32_t i = 0; i < site->links.count; i++) {
		struct site_link *link = table_at(&site->links, i);

		sodium_memzero(link, sizeof *link);
	}
	sodium_memzero(site, sizeof *site);
}

/* Events. */

static void start(struct site *site)
{
	site->watchful_until = site->now + SITE_WATCHFUL_AT_FIRST;
	/* What else was restored says that the site is one. */
	if (site->state == SITE_BLANK && site->has_collective)
		site->state = SITE_MEMBER;
	site->untidy = site->state == SITE_MEMBER;
	site->issuer = site_may_issue(site);
	if (site->pending[SITE_BACKBONE].present)
		rotation_begin(&site->rotation, site->now);
	site_backbone_clear(site);
	site->settled = false;
	site->generation = site->has_collective ? site->ledger.generation - 1 : 0;
	site->links_generation = site->generation;
	site->poll_at = site->now;
	site->clock_save_at = site->now;
	if (site->state == SITE_MEMBER)
		author_changed(&site->author, site->now);
	if (site->state == SITE_JOINING)
		joiner_init(&site->joiner, site->now,
			&(struct join_request){.invite = site->joiner.request.invite,
				.site = site->joiner.request.site,
				.backbone = site->joiner.request.backbone,
				.links = site->joiner.request.links});
}

/* What could not be saved is neither acknowledged nor passed on, nor said to be held. */
static bool speaks(const struct site *site)
{
	return site->has_collective && site->state != SITE_OUT && !site->down && !site->save_failed;
}

static void perform_sync(
	struct site *site, const struct sync_actions *actions, struct site_actions *out)
{
	for (uint32_t i = 0; i < actions->learned_count; i++)
		site_learned(site, &actions->learned[i], out);
	for (uint32_t i = 0; i < actions->message_count && speaks(site); i++) {
		const struct sync_send *send = &actions->messages[i];
		const struct member *to = ledger_find(&site->ledger, &send->to);
		struct certificate certificate = {.address = site->collective.hub_address};

		/* Who was expelled a moment ago is told nothing more. */
		if (!to && (site->hub_role || memcmp(&send->to, &site->hub, ROW_ID_SIZE) != 0))
			continue;
		if (to)
			ledger_certificate(&site->ledger, to, &certificate);
		site_send_member(
			site, out, &send->to, &certificate.address, send->bytes, send->size);
	}
}

/* Whose address this is; of a site that is joining, the hub's is known before its certificate. */
static bool find_sender(const struct site *site, const struct address *address, struct row_id *ret)
{
	const struct member *member = ledger_find_address(&site->ledger, address);

	if (member && memcmp(&member->id, &site->id, ROW_ID_SIZE) != 0 && !member->left) {
		*ret = member->id;
		return true;
	}
	if (!member && !site->hub_role && address_equal(address, &site->collective.hub_address)) {
		*ret = site->hub;
		return true;
	}
	return false;
}

/* What members ask of admins and hubs. Returns false for gossip. */
static bool receive_petition(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	switch (envelope_type(event->datagram.bytes, event->datagram.size)) {
	case ENVELOPE_PETITION:
		site_petition_datagram(site, event, out);
		return true;
	case ENVELOPE_GRANT:
		site_grant_datagram(site, event, out);
		return true;
	case ENVELOPE_GRANT_ANSWER:
		site_grant_answer(site, event, out);
		return true;
	case ENVELOPE_JOIN_REQUEST:
		site_forwarded_join(site, event, out);
		return true;
	default:
		return false;
	}
}

/* What costs public-key work, here or at whom it is passed on to, before it is known to be worth
 * any. */
static bool is_costly(const struct site_event *event)
{
	switch (envelope_type(event->datagram.bytes, event->datagram.size)) {
	case ENVELOPE_PETITION:
	case ENVELOPE_GRANT:
	case ENVELOPE_REFLECTION:
	case ENVELOPE_OFFER:
	case ENVELOPE_ANSWER:
	case ENVELOPE_PASS:
	case ENVELOPE_PASSED:
		return true;
	default:
		return false;
	}
}

/* Returns false where it came over a link that there is not, or asks what nobody asks there. */
static bool came_well(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender)
{
	return event->datagram.interface == SITE_BACKBONE ||
	       (site_room(out) > SITE_ACTIONS_MAX / 2 &&
		       site_link_heard(site, out, sender, event->datagram.size));
}

static void receive_gossip(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	const struct neighbour *neighbour;
	struct sync_actions actions;
	struct row_id sender;

	if (!find_sender(site, &event->datagram.from.address, &sender)) {
		site->counters[SITE_COUNT_STRANGER]++;
		return;
	}
	if (!came_well(site, event, out, &sender)) {
		site->counters[SITE_COUNT_MISPLACED]++;
		return;
	}
	if (event->datagram.interface == SITE_BACKBONE)
		site_presence_datagram(site, &sender);
	joiner_heard(&site->joiner, site->now);
	if (is_costly(event) && !site_may_cost(site, SITE_COST_KEYS, &sender))
		return;
	if (receive_petition(site, event, out) || site_probe_datagram(site, event, out, &sender) ||
		site_reflect_datagram(site, event, &sender) ||
		site_link_datagram(site, event, out, &sender) ||
		site_why_datagram(site, event, out, &sender))
		return;
	sync_receive(&site->sync, site->now, site_wall(site), &sender, event->datagram.bytes,
		event->datagram.size, &actions);
	neighbour = sync_neighbour(&site->sync, &sender);
	if (neighbour && neighbour->kind == NEIGHBOUR_HUB && neighbour->hello_at == USEC_NEVER)
		site_clock_heard(site, out,
			neighbour->clock_offset + (int64_t)site_wall(site) -
				(int64_t)site->machine_wall);
	perform_sync(site, &actions, out);
	/* The first to be heard under its own key has redeemed its invite. */
	if (site->hub_role && site->invitations.table.count > 0) {
		const struct member *member = ledger_find(&site->ledger, &sender);
		struct certificate certificate;

		if (member) {
			ledger_certificate(&site->ledger, member, &certificate);
			invitations_heard(&site->invitations, site_wall(site), &certificate.site);
			site_save_invitations(site, out);
		}
	}
}

static void receive(struct site *site, const struct site_event *event, struct site_actions *out)
{
	bool backbone = event->datagram.interface == SITE_BACKBONE;

	if (!site->has_collective || site->state == SITE_BLANK || site->state == SITE_OUT ||
		site->down) {
		site->counters[SITE_COUNT_MISPLACED]++;
		return;
	}
	if (event->datagram.port == SITE_JOIN_PORT && backbone)
		site_join_datagram(site, event, out);
	else if (event->datagram.port == SITE_PORT)
		receive_gossip(site, event, out);
	else
		site->counters[SITE_COUNT_MISPLACED]++;
}

static void take_networks(struct site *site, const struct site_event *event)
{
	uint32_t count = event->networks.count < SITE_NETWORKS_MAX ? event->networks.count
								   : SITE_NETWORKS_MAX;

	memcpy(site->networks, event->networks.items, count * sizeof site->networks[0]);
	site->network_count = count;
	site->dirty = true;
	/* Who moved has another place now, and the hub learns of it by whatever is sent from there.
	 */
	if (site->settled && site->state == SITE_MEMBER) {
		site_presence_reset(site);
		site_links_resumed(site);
	}
}

static bool places_equal(const struct site_places *a, const struct site_places *b)
{
	bool same = a->count == b->count && a->deaf == b->deaf &&
		    endpoint_equal(&a->mapped, &b->mapped) &&
		    a->ports[SITE_LINKS] == b->ports[SITE_LINKS];

	for (uint32_t i = 0; i < a->count && same; i++)
		same = address_equal(&a->items[i].address, &b->items[i].address) &&
		       a->items[i].containers == b->items[i].containers;
	return same;
}

static void take_places(struct site *site, const struct site_event *event)
{
	struct site_places *places = &site->ground;
	struct address locals[BEHAVIOUR_LOCALS_MAX];
	struct site_places before = *places;

	memset(places, 0, sizeof *places);
	memcpy(places->ports, event->places.ports, sizeof places->ports);
	places->deaf = event->places.deaf;
	places->mapped = event->places.mapped;
	for (uint32_t i = 0; i < event->places.count && i < BEHAVIOUR_LOCALS_MAX; i++) {
		places->items[places->count] = event->places.items[i];
		locals[places->count++] = event->places.items[i].address;
	}
	behaviour_set_locals(&site->behaviour, locals, places->count);
	behaviour_set_router(
		&site->behaviour, &event->places.router, event->places.router_is_inside);
	if (places_equal(&before, places))
		return;
	site_links_reset(site);
	if ((site->options.links.publishes || before.deaf != places->deaf) &&
		site->state == SITE_MEMBER)
		author_changed(&site->author, site->now);
}

static void handle(struct site *site, const struct site_event *event, struct site_actions *out)
{
	switch (event->kind) {
	case SITE_EVENT_START:
		start(site);
		site_log(out, SITE_LOG_STARTED, "", 0);
		break;
	case SITE_EVENT_DATAGRAM:
		receive(site, event, out);
		break;
	case SITE_EVENT_STATISTICS:
		if (event->statistics.interface == SITE_BACKBONE)
			site_backbone_statistics(site, event, out);
		else
			site_links_statistics(site, event, out);
		break;
	case SITE_EVENT_NETWORKS:
		take_networks(site, event);
		break;
	case SITE_EVENT_COMMAND:
		site_command(site, event->command, out);
		break;
	case SITE_EVENT_SAVED:
		site_saved(site, event->saved, out);
		break;
	case SITE_EVENT_RESUME:
		if (site->has_collective) {
			site_presence_reset(site);
			site_links_resumed(site);
		}
		break;
	case SITE_EVENT_OUTSIDE:
		if (site->has_collective && site->state == SITE_MEMBER && !site->down &&
			!site_link_outside(site, event, out))
			site_reflect_outside(site, event, out);
		break;
	case SITE_EVENT_PLACES:
		take_places(site, event);
		break;
	case SITE_EVENT_TRAFFIC:
		if (site->state == SITE_MEMBER && !site->down)
			site_links_traffic(site, event);
		break;
	case SITE_EVENT_TIMER:
		break;
	}
}

static void step_sync(struct site *site, struct site_actions *out)
{
	struct sync_actions actions;

	if (!speaks(site) || site_room(out) < SITE_ROOM_FOR_SYNC ||
		sync_wakeup(&site->sync) > site->now)
		return;
	sync_step(&site->sync, site->now, site_wall(site), &actions);
	perform_sync(site, &actions, out);
}

void site_step(
	struct site *site, usec_t now, const struct site_event *event, struct site_actions *out)
{
	assert(now >= site->now);
	site->saving = false;
	out->count = 0;
	site_clock_read(site, now, event, out);
	handle(site, event, out);
	site_save_again(site, out);
	site_review_self(site, out);
	site_presence_step(site, out);
	site_links_step(site, out);
	site_backbone_step(site, out);
	site_membership_step(site, out);
	site_clock_step(site, out);
	site_command_step(site, out);
	site_probes_step(site, out);
	site_reflect_step(site, out);
	site_why_step(site, out);
	step_sync(site, out);
}

usec_t site_wakeup(const struct site *site)
{
	usec_t at = USEC_NEVER;

	if (site->dirty || (site->has_collective && site->generation != site->ledger.generation))
		return site->now;
	if (speaks(site))
		at = usec_min(at, sync_wakeup(&site->sync));
	at = usec_min(at, site_presence_wakeup(site));
	at = usec_min(at, site_reflect_wakeup(site));
	at = usec_min(at, site_links_wakeup(site));
	at = usec_min(at, site_why_wakeup(site));
	at = usec_min(at, site->retire_at);
	at = usec_min(at, site_membership_wakeup(site));
	at = usec_min(at, site_command_wakeup(site));
	at = usec_min(at, site_probes_wakeup(site));
	if (site->save_failed)
		at = usec_min(at, site->save_again_at);
	if (site->has_collective && site_clock_trusted(site))
		at = usec_min(at, site->clock_save_at);
	return at;
}

/* Asking. */

enum site_state site_state(const struct site *site)
{
	return site->state;
}

bool site_is_hub(const struct site *site)
{
	return site->hub_role;
}

bool site_holds_hub(const struct site *site)
{
	const struct member *self = site->has_collective ? site_member(site) : NULL;

	return self && self->hub && self->in_force;
}

const struct ledger *site_ledger(const struct site *site)
{
	return site->has_collective ? &site->ledger : NULL;
}

const struct ledger_summary *site_summary(struct site *site)
{
	return ledger_summarize(&site->ledger, site_wall(site));
}

bool site_is_revoked(const struct site *site, const struct key *key)
{
	struct hash hash = hash_of(key->bytes, KEY_SIZE);

	return site->has_collective && ledger_is_revoked(&site->ledger, &hash);
}

const char *site_join_text(const struct site *site)
{
	return site->state == SITE_JOINING ? joiner_text(&site->joiner) : "";
}

bool site_limit(const struct site *site, uint32_t position, struct site_limit *ret)
{
	const struct ledger *ledger = &site->ledger;
	const struct site_limit limits[] = {
		{"members", ledger->members.count, site->options.sites_max,
			ledger->counters[VERDICT_FULL]},
		{"admins", ledger->admins.count, LEDGER_ADMINS_MAX, 0},
		{"revocations", ledger->revocations.count, ledger->revocations.capacity, 0},
		{"removals", ledger->removals.count, ledger->removals.capacity, 0},
		{"spare certificates", ledger->spares.count, ledger->spares.capacity, 0},
		{"facts, bytes", ledger->arena.live, ledger->arena.size, 0},
		{"neighbours", site->sync.neighbours.count, site->options.neighbours_max,
			site->sync.counters[SYNC_OVERFLOW]},
		{"peers", site->peers.count, site->peers.capacity, 0},
		{"prefixes", site->prefixes.count, site->prefixes.capacity, 0},
		{"preshared keys", site->secrets.count, site->secrets.capacity, 0},
		{"invites", site->invitations.table.count, INVITATIONS_MAX, 0},
		{"reflection sessions", site->sessions.count, site->sessions.capacity, 0},
		{"links", site->links.count, site->links.capacity,
			site->counters[SITE_COUNT_LINK_FULL]},
		{"own networks", site->network_count, SITE_NETWORKS_MAX, 0},
	};

	if (position >= sizeof limits / sizeof limits[0])
		return false;
	*ret = limits[position];
	return true;
}

bool site_counter(const struct site *site, uint32_t position, struct site_counter *ret)
{
	static const char *const sync_names[SYNC_COUNTERS] = {
		[SYNC_SENT] = "gossip_sent",
		[SYNC_RECEIVED] = "gossip_received",
		[SYNC_MALFORMED] = "gossip_malformed",
		[SYNC_FOREIGN] = "gossip_foreign",
		[SYNC_NEWER] = "gossip_newer",
		[SYNC_STRANGER] = "gossip_stranger",
		[SYNC_OVER_BUDGET] = "gossip_over_budget",
		[SYNC_PUT_OFF] = "gossip_put_off",
		[SYNC_OVERFLOW] = "gossip_overflow",
		[SYNC_UNACKNOWLEDGED] = "gossip_unacknowledged",
	};
	static const char *const site_names[] = {
		[SITE_COUNT_STRANGER] = "datagrams_of_strangers",
		[SITE_COUNT_MISPLACED] = "datagrams_misplaced",
		[SITE_COUNT_JOIN_OVER] = "joins_over_budget",
		[SITE_COUNT_JOIN_BAD] = "joins_malformed",
		[SITE_COUNT_PETITION_BAD] = "petitions_refused",
		[SITE_COUNT_RESTORE_BAD] = "rows_refused",
		[SITE_COUNT_SAVE_FAILED] = "saves_failed",
		[SITE_COUNT_PETITION_FULL] = "petitions_over_limit",
		[SITE_COUNT_PREFIX_FULL] = "prefixes_over_limit",
		[SITE_COUNT_PROBE_OVER] = "probes_over_budget",
		[SITE_COUNT_REFLECT_OVER] = "reflections_over_budget",
		[SITE_COUNT_COSTLY_OVER] = "costly_over_budget",
		[SITE_COUNT_LINK_FULL] = "links_over_limit",
		[SITE_COUNT_OFFER_BAD] = "offers_refused",
		[SITE_COUNT_OFFER_OVER] = "offers_over_budget",
	};
	const uint32_t own = sizeof site_names / sizeof site_names[0];

	if (position < own)
		*ret = (struct site_counter){site_names[position], site->counters[position]};
	else if (position < own + SYNC_COUNTERS)
		*ret = (struct site_counter){
			sync_names[position - own], site->sync.counters[position - own]};
	else if (position < own + SYNC_COUNTERS + VERDICTS)
		*ret = (struct site_counter){
			verdict_text((enum verdict)(position - own - SYNC_COUNTERS)),
			site->ledger.counters[position - own - SYNC_COUNTERS]};
	else
		return false;
	return true;
}

const char *site_log_text(enum site_log_code code)
{
	static const char *const texts[SITE_LOG_CODES] = {
		[SITE_LOG_STARTED] = "started",
		[SITE_LOG_FOUNDED] = "the collective was founded; this hub is %s",
		[SITE_LOG_JOINED] = "joined as %s",
		[SITE_LOG_MEMBER_NEW] = "%s is a member now",
		[SITE_LOG_MEMBER_GONE] = "%s was expelled",
		[SITE_LOG_MEMBER_LEFT] = "%s has left",
		[SITE_LOG_HUB_SUSPECT] = "hub %s was not heard for 55 s",
		[SITE_LOG_HUB_DOWN] =
			("hub %s was not heard for 3 minutes: it is down, or UDP does "
			 "not get through"),
		[SITE_LOG_HUB_BACK] = "hub %s is heard",
		[SITE_LOG_SITE_DOWN] = "%s was not heard for 3 minutes",
		[SITE_LOG_SITE_BACK] = "%s is heard",
		[SITE_LOG_STRANGER] = ("another identity tried the invite of %s: if nobody knows "
				       "why, withdraw it"),
		[SITE_LOG_EQUIVOCATION] = "the key of %s is used twice",
		[SITE_LOG_CLOCK_OFF] = "this machine's clock is off by %lld s: going by the hub's",
		[SITE_LOG_CLOCK_WELL] = "this machine's clock is right again",
		[SITE_LOG_EXPELLED] = "this site was expelled",
		[SITE_LOG_RIVAL] = "%s claims what another member has",
		[SITE_LOG_ROUTE_REFUSED] = ("%s overlaps a network that this machine is in, or one "
					    "that is isolated: it is left out"),
		[SITE_LOG_SAVE_FAILED] = ("the state could not be saved (error %lld): is the disk "
					  "full?"),
		[SITE_LOG_SAVE_WELL] = "the state is saved again",
		[SITE_LOG_KEY_CHANGED] = "the WireGuard key was changed",
		[SITE_LOG_CERTIFICATE_ENDS] = "the certificate of %s ends soon",
		[SITE_LOG_APPLIED] = "%s waits to be let in: \"collective approve\" does so",
		[SITE_LOG_LINK_DIRECT] = "packets to %s go directly",
		[SITE_LOG_LINK_DIRECT_WITHIN] = "packets to %s go directly: %lld µs there and back",
		[SITE_LOG_LINK_HUB] = "packets to %s go by the hub, which is the faster way",
		[SITE_LOG_LINK_DEAD] =
			"the direct way to %s does not answer: packets go by the hub",
		[SITE_LOG_LINK_ENDED] = "the direct link with %s has ended: packets go by the hub",
		[SITE_LOG_PETITION] = ("%s asks for other networks: \"collective approve\" allows "
				       "them"),
	};

	return code < SITE_LOG_CODES ? texts[code] : "";
}

/* SPDX-License-Identifier: MIT */
/*
 * membership.c - coming in, letting in, changing keys, and what a site says of itself.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "gossip/envelope.h"
#include "nat/candidate.h"
#include "site/site_internal.h"

#define JOIN_REQUESTS_PER_SECOND 5
#define JOIN_REQUESTS_BURST 20
#define AGAIN (10 * USEC_SECOND)
#define SILENT_AFTER (2 * USEC_SECOND) /* an answer takes one round trip or two */

struct member *site_member(const struct site *site)
{
	return site->has_collective ? ledger_find(&site->ledger, &site->id) : NULL;
}

bool site_may_issue(const struct site *site)
{
	struct key admin = secret_public(&site->admin);
	struct hash hash = hash_of(admin.bytes, KEY_SIZE);
	struct delegation delegation;

	return site->has_admin && site->has_collective &&
	       ledger_delegation(&site->ledger, &hash, &delegation);
}

/* Whether we may issue stands in our record: others ask by it. */
static void review_issuer(struct site *site)
{
	bool issuer = site_may_issue(site);

	if (issuer != site->issuer)
		author_changed(&site->author, site->now);
	site->issuer = issuer;
}

void site_publish(struct site *site, struct site_actions *out, const void *fact, size_t size,
	const struct ledger_outcome *outcome)
{
	if (outcome->kind == FACT_DELEGATION || outcome->kind == FACT_REMOVAL)
		review_issuer(site);
	site_save_fact(site, out, fact, size, false);
	sync_publish(&site->sync, site->now, outcome);
}

/* What follows from the ledger for ourselves. */

static const struct member *elect_hub(const struct site *site)
{
	const struct member *best = ledger_find(&site->ledger, &site->hub);

	if (best && best->hub && best->in_force && !best->left)
		return best;
	best = NULL;
	for (uint32_t i = 0; i < site->ledger.members.count; i++) {
		const struct member *member = table_at(&site->ledger.members, i);

		if (member->hub && member->in_force && !member->left &&
			(!best || member->since < best->since))
			best = member;
	}
	return best;
}

static void follow_hub(struct site *site, struct site_actions *out)
{
	const struct member *hub = elect_hub(site);
	struct certificate certificate;

	if (!hub)
		return;
	if (memcmp(&hub->id, &site->hub, ROW_ID_SIZE) != 0) {
		/* The hub so far was known by its key alone. */
		sync_disconnect(&site->sync, &site->hub);
		site_peer_rename(site, &site->hub, &hub->id);
		site->hub = hub->id;
		site->dirty = true;
	}
	ledger_certificate(&site->ledger, hub, &certificate);
	if (address_equal(&certificate.address, &site->collective.hub_address))
		return;
	/* To begin with after the next start. */
	site->collective.hub_address = certificate.address;
	if (site_room(out) > 4)
		site_save_collective(site, out);
}

static void go_out(struct site *site, struct site_actions *out)
{
	struct site_row row = {.table = SITE_TABLE_SETTING, .key_size = 4, .size = 1};

	memcpy(row.key, "left", 4);
	site_save(site, out, &row);
	site->state = SITE_OUT;
	site->dirty = true;
	for (uint32_t i = site->sync.neighbours.count; i > 0; i--) {
		const struct neighbour *n = table_at(&site->sync.neighbours, i - 1);
		struct row_id id = n->id;

		sync_disconnect(&site->sync, &id);
	}
}

/* Certificates with an end are renewed, each in its time. */
static void note_end(struct site *site, const struct member *self)
{
	struct certificate certificate;

	site->renew_from = 0;
	if (!self)
		return;
	ledger_certificate(&site->ledger, self, &certificate);
	site->renew_from = petition_renewal(&certificate);
}

void site_review_self(struct site *site, struct site_actions *out)
{
	const struct member *self = site_member(site);
	bool hub = site_holds_hub(site);

	if (!site->has_collective || site->generation == site->ledger.generation)
		return;
	if (site->state == SITE_MEMBER && ledger_is_revoked(&site->ledger, &site->site_hash)) {
		site_log(out, SITE_LOG_EXPELLED, "", 0);
		go_out(site, out);
		return;
	}
	note_end(site, self);
	if (hub != site->hub_role)
		author_changed(&site->author, site->now);
	site->hub_role = hub;
	site->sync.options.hub = hub;
	if (!hub)
		follow_hub(site, out);
	else
		site->hub = site->id;
}

/* News from others. */

static void log_member(struct site *site, struct site_actions *out, enum site_log_code code,
	const struct member *m)
{
	struct certificate certificate;

	ledger_certificate(&site->ledger, m, &certificate);
	site_log(out, code, certificate.name, m->version);
}

static void tell_record(struct site *site, struct site_actions *out, const struct member *member)
{
	if (member->left)
		log_member(site, out, SITE_LOG_MEMBER_LEFT, member);
	if (site->ledger.equivocations > site->equivocations)
		log_member(site, out, SITE_LOG_EQUIVOCATION, member);
	site->equivocations = site->ledger.equivocations;
}

void site_learned(struct site *site, const struct ledger_outcome *outcome, struct site_actions *out)
{
	const struct member *member = ledger_find(&site->ledger, &outcome->row.id);
	uint32_t handle = ledger_taken(&site->ledger, outcome);
	bool self = memcmp(&outcome->row.id, &site->id, ROW_ID_SIZE) == 0;
	const uint8_t *bytes;
	size_t size;

	if (handle == ARENA_NONE)
		return; /* replaced within one message */
	bytes = ledger_bytes(&site->ledger, handle, &size);
	site_save_fact(site, out, bytes, size, false);
	if (outcome->kind == FACT_DELEGATION || outcome->kind == FACT_REMOVAL)
		review_issuer(site);
	if (outcome->kind == FACT_CERTIFICATE && member && site_peer_of(site, &member->id)) {
		struct certificate certificate;

		ledger_certificate(&site->ledger, member, &certificate);
		site_prepare_secret(site, out, &member->id, &certificate.backbone);
	}
	if (outcome->kind == FACT_RECORD && self)
		author_heard(&site->author, site->now, outcome->row.sequence);
	if (outcome->kind == FACT_RECORD && member && !self) {
		tell_record(site, out, member);
		site_links_heard_of(site, &member->id);
	}
	if (outcome->kind == FACT_CERTIFICATE && member && outcome->verdict == VERDICT_NEW &&
		member->version == 1 && !self && site->state == SITE_MEMBER)
		log_member(site, out, SITE_LOG_MEMBER_NEW, member);
	if (outcome->kind == FACT_CERTIFICATE && member && !member->in_force)
		log_member(site, out, SITE_LOG_RIVAL, member);
	if (outcome->kind == FACT_REVOCATION)
		site_log(out, SITE_LOG_MEMBER_GONE, "a member", 0);
}

/* Joining. */

void site_begin_join(struct site *site, const struct invite *invite, const char *word)
{
	struct site_collective collective = {
		.root = invite->root,
		.supernet = invite->supernet,
		.hub_address = invite->hub_address,
		.hub_key = invite->hub_key,
		.address = invite->reserved.address,
		.endpoint_count = invite->endpoint_count,
	};
	struct join_request request = {
		.site = site->site_key,
		.backbone = site->pairs[SITE_BACKBONE].public_key,
		.links = site->pairs[SITE_LINKS].public_key,
	};

	if (invite->reserved.length < 32)
		collective.address.bytes[3]++;
	memcpy(collective.endpoints, invite->endpoints, sizeof collective.endpoints);
	memcpy(site->join_word, word, strlen(word) + 1);
	site->invite = *invite;
	invite_derive(&invite->secret, &site->invite_keys);
	site_take_collective(site, &collective);
	request.invite = site->invite_keys.id;
	site->state = SITE_JOINING;
	joiner_init(&site->joiner, site->now, &request);
	site->dirty = true;
}

static void send_join_request(struct site *site, struct site_actions *out)
{
	struct address from = invite_join_address(site->invite.join_number);
	uint8_t bytes[JOIN_MESSAGE_MAX];
	size_t size;

	site->joiner.request.clock = site_wall(site);
	size = join_request_write(&site->joiner.request, &site->identity, &site->ledger.collective,
		site->options.crypto, bytes);
	site_send(out, &from, &site->collective.hub_address, SITE_JOIN_PORT, bytes, size);
}

static void become_member(struct site *site, struct site_actions *out)
{
	struct site_row row = {.table = SITE_TABLE_SETTING, .key_size = 4, .remove = true};
	struct certificate certificate;

	joiner_settled(&site->joiner);
	site->untidy = true;
	site->state = SITE_MEMBER;
	site->dirty = true;
	memcpy(row.key, "join", 4);
	site_save_collective(site, out);
	site_save(site, out, &row);
	ledger_certificate(&site->ledger, site_member(site), &certificate);
	site_log(out, SITE_LOG_JOINED, certificate.name, 0);
	if (site->join_request != 0) {
		site_reply(out, site->join_request, SITE_REPLY_DONE, "");
		memcpy(out->items[out->count - 1].reply.name, certificate.name,
			sizeof certificate.name);
		out->items[out->count - 1].reply.prefix = certificate.subnets.items[0];
	}
	author_changed(&site->author, site->now);
	sodium_memzero(&site->invite.secret, sizeof site->invite.secret);
}

/* Whoever waits is told so before long. */
static void tell_silence(struct site *site, struct site_actions *out)
{
	if (site->join_request == 0 || site->join_told || site->joiner.answered ||
		site->now - site->joiner.asking_since < SILENT_AFTER)
		return;
	site->join_told = true;
	site_reply(out, site->join_request, SITE_REPLY_PROGRESS, joiner_text(&site->joiner));
}

static void step_joiner(struct site *site, struct site_actions *out)
{
	enum joiner_state before = site->joiner.state;
	const struct neighbour *hub = sync_neighbour(&site->sync, &site->hub);
	struct joiner_action action;

	if (site->state != SITE_JOINING || site_room(out) < 8)
		return;
	if (before == JOINER_SETTLING && hub && hub->agreed && site_member(site)) {
		become_member(site, out);
		return;
	}
	action = joiner_step(&site->joiner, site->now);
	if (site->joiner.state != before)
		site->dirty = true;
	if (action.send)
		tell_silence(site, out);
	/* Only once the device is what the request is to be sent from, and the keys are kept. */
	if (action.send && !site->dirty && !site->save_failed)
		send_join_request(site, out);
	else if (action.send)
		site->joiner.next = site->save_failed ? site->now + USEC_SECOND : site->now;
}

static void receive_join_reply(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	enum joiner_state before = site->joiner.state;
	const char *said = joiner_text(&site->joiner);
	struct join_reply reply;

	if (site->state != SITE_JOINING ||
		!address_equal(&event->datagram.from.address, &site->collective.hub_address) ||
		join_reply_read(&reply, &site->ledger.collective, event->datagram.bytes,
			event->datagram.size) < 0) {
		site->counters[SITE_COUNT_JOIN_BAD]++;
		return;
	}
	joiner_receive(&site->joiner, site->now, site->machine_wall, &reply);
	if (hash_equal(&reply.invite, &site->joiner.request.invite))
		site_clock_heard(site, out, site->joiner.clock_offset);
	if (site->joiner.state != before)
		site->dirty = true;
	/* Each answer once, however often it comes. */
	if (site->join_request == 0 ||
		(site->joiner.state == before && strcmp(joiner_text(&site->joiner), said) == 0))
		return;
	site_reply(out, site->join_request,
		site->joiner.state == JOINER_REFUSED ? SITE_REPLY_FAILED : SITE_REPLY_PROGRESS,
		joiner_text(&site->joiner));
	memcpy(out->items[out->count - 1].reply.name, reply.name, sizeof reply.name);
}

/* Letting in. */

static bool spend_join(struct site *site)
{
	budget_refill(&site->join_budget, site->now, JOIN_REQUESTS_PER_SECOND, JOIN_REQUESTS_BURST);
	return budget_spend(&site->join_budget);
}

/* The sites that say an admin's agent runs there; the next one from place on. */
static const struct member *next_issuer(const struct site *site, uint32_t *place)
{
	for (; *place < site->ledger.members.count; (*place)++) {
		const struct member *member = table_at(&site->ledger.members, *place);
		struct record record;

		if (member->in_force && !member->left &&
			memcmp(&member->id, &site->id, ROW_ID_SIZE) != 0 &&
			ledger_record(&site->ledger, member, &record) && record.roles & ROLE_ISSUER)
			return member;
	}
	return NULL;
}

/* A hub without an admin's key lets those decide who have one. Returns a name to ask for. */
static void forward_join(struct site *site, const struct site_event *event,
	struct site_actions *out, char contact[static TEXT_NAME_MAX + 1])
{
	const struct member *issuer;
	struct certificate certificate;

	for (uint32_t i = 0; (issuer = next_issuer(site, &i)) && site_room(out) > 8; i++) {
		ledger_certificate(&site->ledger, issuer, &certificate);
		if (!contact[0])
			memcpy(contact, certificate.name, sizeof certificate.name);
		site_send(out, &site->collective.address, &certificate.address, SITE_PORT,
			event->datagram.bytes, event->datagram.size);
	}
}

static void request_join(struct site *site, const struct invitation *invitation,
	const struct join_request *request, struct site_actions *out,
	struct invitation_outcome *outcome)
{
	const struct invitation_issuer issuer = {
		.admin = site_may_issue(site) ? &site->admin : NULL, .admin_name = ""};
	bool applied = invitation->applied;

	invitations_request(
		&site->invitations, &site->ledger, site_wall(site), request, &issuer, outcome);
	/* Also when an admin elsewhere has issued it, and the peer is there already. */
	if (site->hub_role && outcome->reply.status == JOIN_GRANTED) {
		site_set_secret(site, out, &request->backbone, site_own_key(site),
			&invitation->preshared_key);
		site->dirty = true;
	}
	if (outcome->issued) {
		site_publish(site, out, outcome->fact, outcome->fact_size, &outcome->ledger);
		site_log(out, SITE_LOG_MEMBER_NEW, invitation->name, 1);
	}
	if (outcome->reply.status == JOIN_APPROVAL && !applied)
		site_log(out, SITE_LOG_APPLIED, invitation->name, 0);
	if (outcome->alert)
		site_log(out, SITE_LOG_STRANGER, invitation->name, invitation->strangers);
	site_save_invitations(site, out);
}

static void answer_join(struct site *site, const struct invitation *invitation,
	const struct site_event *event, const struct join_request *request,
	struct site_actions *out)
{
	struct address from = site->collective.address;
	struct address to = invite_join_address(invitation->join_number);
	struct invitation_outcome outcome;
	uint8_t bytes[JOIN_MESSAGE_MAX];
	size_t size;

	request_join(site, invitation, request, out, &outcome);
	/* What could not be kept must not be promised. */
	if (site->save_failed)
		return;
	if (outcome.reply.status == JOIN_NO_ADMIN)
		forward_join(site, event, out, outcome.reply.contact);
	size = join_reply_write(&outcome.reply, &site->ledger.collective, bytes);
	site_send(out, &from, &to, SITE_JOIN_PORT, bytes, size);
}

void site_forwarded_join(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	const struct member *from = ledger_find_address(
		&site->ledger, &event->datagram.from.address);
	struct invitation_outcome outcome;
	struct invitation *invitation;
	struct join_request request;

	if (!site_may_issue(site) || !from || !from->hub || !spend_join(site) ||
		join_request_read(&request, &site->ledger.collective, site->options.crypto,
			event->datagram.bytes, event->datagram.size) < 0) {
		site->counters[SITE_COUNT_JOIN_BAD]++;
		return;
	}
	/* Only what was promised here. */
	invitation = invitations_find(&site->invitations, &request.invite);
	if (invitation)
		request_join(site, invitation, &request, out, &outcome);
}

/* The invitation whose temporary peer alone can have sent this. */
static struct invitation *invitation_at(const struct site *site, const struct address *from)
{
	for (uint32_t i = 0; i < site->invitations.table.count; i++) {
		struct invitation *invitation = table_at(&site->invitations.table, i);
		struct address at = invite_join_address(invitation->join_number);

		if (address_equal(&at, from))
			return invitation;
	}
	return NULL;
}

void site_join_datagram(struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct invitation *invitation;
	struct join_request request;

	if (!site->hub_role) {
		receive_join_reply(site, event, out);
		return;
	}
	invitation = invitation_at(site, &event->datagram.from.address);
	if (!invitation) {
		site->counters[SITE_COUNT_STRANGER]++;
		return;
	}
	if (!spend_join(site)) {
		site->counters[SITE_COUNT_JOIN_OVER]++;
		return;
	}
	if (join_request_read(&request, &site->ledger.collective, site->options.crypto,
		    event->datagram.bytes, event->datagram.size) < 0 ||
		!hash_equal(&request.invite, &invitation->id)) {
		site->counters[SITE_COUNT_JOIN_BAD]++;
		return;
	}
	answer_join(site, invitation, event, &request, out);
}

/* Petitions. */

/* Returns whether it is one that was not asked before. */
static bool keep_petition(struct site *site, const struct petition *petition)
{
	struct site_petition *place = NULL;
	bool same;

	for (uint32_t i = 0; i < SITE_PETITIONS_MAX; i++) {
		struct site_petition *kept = &site->petitions[i];

		if (kept->used && key_equal(&kept->petition.site, &petition->site)) {
			same = prefixes_equal(&kept->petition.routes, &petition->routes);
			kept->petition = *petition;
			return !same;
		}
		if (!kept->used && !place)
			place = kept;
	}
	if (!place) {
		site->counters[SITE_COUNT_PETITION_FULL]++;
		return false;
	}
	*place = (struct site_petition){true, *petition};
	return true;
}

enum petition_result site_answer_petition(
	struct site *site, const struct petition *petition, bool approved, struct site_actions *out)
{
	const struct petition_terms terms = {.admin = &site->admin, .routes_approved = approved};
	struct ledger_outcome outcome;
	uint8_t fact[FACT_SIZE_MAX];
	enum petition_result result = petition_answer(
		&site->ledger, site_wall(site), petition, &terms, fact, &outcome);
	size_t size;

	if (result != PETITION_GRANTED)
		return result;
	(void)ledger_bytes(&site->ledger, ledger_taken(&site->ledger, &outcome), &size);
	if (site->hub_role)
		site_prepare_secret(site, out, &outcome.row.id, &petition->backbone);
	site_publish(site, out, fact, size, &outcome);
	return result;
}

void site_petition_datagram(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	const struct member *from = ledger_find_address(
		&site->ledger, &event->datagram.from.address);
	struct petition petition;
	struct hash hash;

	if (!site_may_issue(site) ||
		petition_read(&petition, &site->ledger.collective, site->options.crypto,
			event->datagram.bytes, event->datagram.size) < 0) {
		site->counters[SITE_COUNT_PETITION_BAD]++;
		return;
	}
	hash = hash_of(petition.site.bytes, KEY_SIZE);
	if (!from || !hash_equal(&from->site, &hash)) {
		site->counters[SITE_COUNT_PETITION_BAD]++;
		return;
	}
	if (site_answer_petition(site, &petition, false, out) == PETITION_APPROVAL &&
		keep_petition(site, &petition))
		log_member(site, out, SITE_LOG_PETITION, from);
}

bool site_approve_petition(struct site *site, const struct member *member, struct site_actions *out)
{
	for (uint32_t i = 0; i < SITE_PETITIONS_MAX; i++) {
		struct site_petition *kept = &site->petitions[i];
		struct hash hash = hash_of(kept->petition.site.bytes, KEY_SIZE);

		if (!kept->used || !hash_equal(&hash, &member->site))
			continue;
		kept->used = false;
		return site_answer_petition(site, &kept->petition, true, out) == PETITION_GRANTED;
	}
	return false;
}

/* What the site says of itself. */

static void add_endpoint(struct record *record, const struct endpoint *endpoint)
{
	if (record->endpoint_count < RECORD_ENDPOINTS_MAX)
		record->endpoints[record->endpoint_count++] = *endpoint;
}

/* Where its own machine, or its router, says that everybody can call. */
static void add_public_places(const struct site *site, struct record *record)
{
	if (site->ground.mapped.address.family != ADDRESS_NONE &&
		candidate_is_public(&site->ground.mapped.address))
		add_endpoint(record, &site->ground.mapped);
	for (uint32_t i = 0; i < site->ground.count; i++) {
		const struct site_own_address *own = &site->ground.items[i];
		const struct endpoint endpoint = {own->address, site->ground.ports[SITE_LINKS]};

		if (!own->containers && endpoint.port != 0 && candidate_is_public(&own->address))
			add_endpoint(record, &endpoint);
	}
}

static void fill_record(const struct site *site, struct record *record)
{
	const struct invite_endpoint *named = site->published.items;
	uint32_t count = site->published.count;

	*record = (struct record){
		.site = site->site_key,
		.sequence = site->record_sequence,
		.issued_at = site_wall(site),
		.lifetime = site->leaving ? RECORD_LEFT_LIFETIME_S : RECORD_LIFETIME_S,
		.flags = (site->leaving ? RECORD_LEFT : 0u) |
			 (site->ground.deaf ? RECORD_RELAY_ONLY : 0u),
		.protocol = MESSAGE_PROTOCOL,
		.roles = (site->hub_role ? ROLE_HUB : 0u) |
			 (site_may_issue(site) ? ROLE_ISSUER : 0u),
	};
	if (site->has_admin)
		record->admin = secret_public(&site->admin);
	memcpy(record->program, site->options.program, strlen(site->options.program) + 1);
	/* Nobody's address but a hub's, unless its owner wants it. */
	if (site->hub_role) {
		named = site->collective.endpoints;
		count = site->collective.endpoint_count;
	}
	for (uint32_t i = 0; i < count; i++, named++) {
		struct endpoint endpoint = {.port = named->port};

		if (address_parse(named->host, strlen(named->host), &endpoint.address) == 0)
			add_endpoint(record, &endpoint);
	}
	if (!site->hub_role && site->options.links.publishes)
		add_public_places(site, record);
}

static void publish_record(struct site *site, struct site_actions *out)
{
	struct ledger_outcome outcome;
	struct record record;
	uint8_t fact[FACT_SIZE_MAX];
	int size;

	fill_record(site, &record);
	size = record_seal(
		&record, fact, &site->identity, &site->ledger.collective, site->options.crypto);
	assert(size > 0);
	outcome = ledger_offer(&site->ledger, site_wall(site), fact, (size_t)size, true);
	if (outcome.verdict == VERDICT_NEW)
		site_publish(site, out, fact, (size_t)size, &outcome);
	else
		site->author.due = usec_min(site->author.due, site->now + AGAIN);
}

static void step_author(struct site *site, struct site_actions *out)
{
	bool save;

	if (site->state != SITE_MEMBER || site->record_waits || site->save_failed ||
		author_wakeup(&site->author) > site->now || !site_clock_trusted(site) ||
		!site_member(site) || site_room(out) < 4)
		return;
	site->record_sequence = author_take(&site->author, site->now, site_wall(site), &save);
	/* The number is durable before it is spoken. */
	if (save) {
		site_save_floor(site, out, "sequence", site->author.reserved);
		site->record_waits = true;
		return;
	}
	publish_record(site, out);
}

void site_record_saved(struct site *site, struct site_actions *out)
{
	if (!site->record_waits)
		return;
	site->record_waits = false;
	publish_record(site, out);
}

/* Leaving: the farewell has a while to come to others before the tunnel goes. */
static void step_leave(struct site *site, struct site_actions *out)
{
	struct sync_confirmation confirmation;
	bool told;

	if (!site->leaving || site->state != SITE_MEMBER || site_room(out) < 8)
		return;
	told = sync_confirmed(&site->sync, site->now, &site->id, &confirmation) &&
	       confirmation.confirmed > 0;
	if (!told && site->now < site->leave_until)
		return;
	if (site->leave_request != 0)
		site_reply(out, site->leave_request, SITE_REPLY_DONE,
			told ? "" : "nobody confirmed it: the hub may still show this site");
	go_out(site, out);
}

static void step_invitations(struct site *site, struct site_actions *out)
{
	uint64_t wall = site_wall(site);

	if (invitations_wakeup(&site->invitations) > wall || site_room(out) < 16)
		return;
	invitations_step(&site->invitations, wall);
	site_save_invitations(site, out);
	site->dirty = true;
}

void site_membership_step(struct site *site, struct site_actions *out)
{
	if (!site->has_collective || site->down)
		return;
	step_joiner(site, out);
	step_invitations(site, out);
	site_grants_step(site, out);
	site_petitions_step(site, out);
	step_author(site, out);
	step_leave(site, out);
}

usec_t site_membership_wakeup(const struct site *site)
{
	usec_t at = USEC_NEVER;

	if (!site->has_collective || site->state == SITE_OUT || site->state == SITE_BLANK ||
		site->down)
		return USEC_NEVER;
	if (site->state == SITE_JOINING)
		at = usec_min(at, joiner_wakeup(&site->joiner));
	at = usec_min(at, site_petitions_wakeup(site));
	at = usec_min(at, site_grants_wakeup(site));
	at = usec_min(at, site_at_wall(site, invitations_wakeup(&site->invitations)));
	if (site->state == SITE_MEMBER && !site->record_waits && !site->save_failed &&
		site_clock_trusted(site) && site_member(site))
		at = usec_min(at, author_wakeup(&site->author));
	if (site->leaving)
		at = usec_min(at, site->leave_until);
	return at;
}

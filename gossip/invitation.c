/* SPDX-License-Identifier: MIT */
#include "gossip/invitation.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/wire.h"

void invitations_init(struct invitations *invitations)
{
	table_init(&invitations->table, invitations->items, invitations->order, INVITATIONS_MAX,
		sizeof(struct invitation), offsetof(struct invitation, id), HASH_SIZE);
}

struct invitation *invitations_find(const struct invitations *invitations, const struct hash *id)
{
	return table_find(&invitations->table, id->bytes);
}

static bool is_open(const struct invitation *invitation)
{
	return invitation->state == INVITATION_OPEN || invitation->state == INVITATION_ISSUED;
}

struct invitation *invitations_find_name(const struct invitations *invitations, const char *name)
{
	struct invitation *found = NULL;

	for (uint32_t i = 0; i < invitations->table.count; i++) {
		struct invitation *invitation = table_at(&invitations->table, i);

		if (strcmp(invitation->name, name) == 0 && (!found || is_open(invitation)))
			found = invitation;
	}
	return found;
}

void invitations_drop(struct invitations *invitations, const char *name)
{
	const struct invitation *invitation = invitations_find_name(invitations, name);

	if (invitation)
		table_remove(&invitations->table,
			table_lower_bound(&invitations->table, invitation->id.bytes));
}

/* The certificate that this invitation leads to. */
static struct certificate certificate_for(
	const struct invitation *invitation, const struct hash *issuer, uint64_t now)
{
	struct certificate certificate = {
		.site = invitation->site,
		.version = 1,
		.backbone = invitation->backbone,
		.links = invitation->links,
		.address = invitation->reserved.address,
		.subnets = {1, {invitation->reserved}},
		.routes = invitation->routes,
		.tags = invitation->tags,
		.since = now,
		.issued_at = now,
		.issuer = *issuer,
	};

	memcpy(certificate.name, invitation->name, sizeof certificate.name);
	/* The first host of the subnet; a subnet of one address is that address. */
	if (invitation->reserved.length < 32)
		certificate.address.bytes[3]++;
	return certificate;
}

static const char *find_conflict(const struct invitations *invitations, const struct ledger *ledger,
	const struct invitation *wanted)
{
	struct certificate certificate = certificate_for(
		wanted, &(struct hash){{0}}, wanted->expires);
	struct row_id rival;

	for (uint32_t i = 0; i < invitations->table.count; i++) {
		const struct invitation *other = table_at(&invitations->table, i);

		if (other->join_number == wanted->join_number)
			return "the join address of another invite";
		if (!is_open(other))
			continue;
		if (strcmp(other->name, wanted->name) == 0)
			return "the name of an open invite: 'uninvite' withdraws it";
		if (prefix_overlaps(&other->reserved, &wanted->reserved))
			return "the subnet of an open invite";
	}
	/* Keys are not known yet: they cannot be in the way. */
	return ledger_rivalry(ledger, &certificate, &rival);
}

struct invitation *invitations_add(struct invitations *invitations, const struct ledger *ledger,
	const struct invitation *invitation, const char **why)
{
	struct invitation *added;

	*why = find_conflict(invitations, ledger, invitation);
	if (*why)
		return NULL;
	if (invitations_find(invitations, &invitation->id)) {
		*why = "the id of another invite";
		return NULL;
	}
	added = table_add(&invitations->table, invitation->id.bytes);
	if (!added) {
		*why = "one too many: there are as many invites as there can be";
		return NULL;
	}
	*added = *invitation;
	added->state = INVITATION_OPEN;
	added->changed = true;
	return added;
}

static void close_at(struct invitation *invitation, enum invitation_state state, uint64_t now)
{
	invitation->state = state;
	invitation->closed_at = now;
	invitation->changed = true;
}

/* Another identity holds the same word: the admins hear of it, at most once an hour. */
static void note_stranger(
	struct invitation *invitation, uint64_t now, struct invitation_outcome *ret)
{
	if (invitation->strangers > 0 && now - invitation->told_at < INVITATION_ALERT_MS)
		return;
	invitation->told_at = now;
	invitation->strangers++;
	invitation->changed = true;
	ret->alert = true;
}

static bool keys_are_free(const struct ledger *ledger, const struct invitation *invitation)
{
	struct certificate certificate = certificate_for(invitation, &(struct hash){{0}}, 1);
	struct hash site = hash_of(invitation->site.bytes, KEY_SIZE);
	struct row_id id = row_id_of(&site);
	struct row_id rival;

	return !ledger_is_revoked(ledger, &site) && !ledger_find(ledger, &id) &&
	       !ledger_rivalry(ledger, &certificate, &rival);
}

/* Makes the certificate and puts it into the ledger. */
static enum join_status issue(struct invitation *invitation, struct ledger *ledger, uint64_t now,
	const struct invitation_issuer *issuer, struct invitation_outcome *ret)
{
	struct key admin = secret_public(issuer->admin);
	struct hash admin_hash = hash_of(admin.bytes, KEY_SIZE);
	struct certificate certificate = certificate_for(invitation, &admin_hash, now);
	int size;

	if (!keys_are_free(ledger, invitation)) {
		/* With other keys it can be tried again, also by a new identity. */
		invitation->applied = false;
		return JOIN_TAKEN;
	}
	size = certificate_seal(&certificate, ret->fact, issuer->admin, &ledger->collective,
		ledger->options.crypto);
	if (size < 0)
		return JOIN_TAKEN;
	ret->ledger = ledger_offer(ledger, now, ret->fact, (size_t)size, true);
	if (ret->ledger.verdict != VERDICT_NEW)
		return JOIN_NO_ADMIN;
	ret->issued = true;
	ret->fact_size = (size_t)size;
	invitation->state = INVITATION_ISSUED;
	invitation->issued_at = now;
	invitation->changed = true;
	return JOIN_GRANTED;
}

static bool has_keys_of(const struct invitation *invitation, const struct join_request *request)
{
	return key_equal(&invitation->backbone, &request->backbone) &&
	       key_equal(&invitation->links, &request->links);
}

/* The first identity that asks has the invite until it is redeemed or falls. */
static enum join_status apply(struct invitation *invitation, struct ledger *ledger, uint64_t now,
	const struct join_request *request, const struct invitation_issuer *issuer,
	struct invitation_outcome *ret)
{
	if (!invitation->applied || !has_keys_of(invitation, request)) {
		invitation->applied = true;
		invitation->site = request->site;
		invitation->backbone = request->backbone;
		invitation->links = request->links;
		invitation->changed = true;
	}
	if (invitation->approval)
		return JOIN_APPROVAL;
	if (!issuer->admin)
		return JOIN_NO_ADMIN;
	return issue(invitation, ledger, now, issuer, ret);
}

/*
 * Whether the site that asks is the member that this invitation was to make: an admin elsewhere has
 * issued the certificate meanwhile, or we did and a crash took our mark.
 */
static bool is_fulfilled(const struct invitation *invitation, const struct ledger *ledger,
	const struct join_request *request)
{
	const struct member *member = ledger_find_site(ledger, &request->site);
	struct certificate held;

	if (!member)
		return false;
	ledger_certificate(ledger, member, &held);
	return strcmp(held.name, invitation->name) == 0 &&
	       key_equal(&held.backbone, &request->backbone) &&
	       key_equal(&held.links, &request->links) && held.subnets.count == 1 &&
	       prefix_equal(&held.subnets.items[0], &invitation->reserved);
}

static void fulfil(struct invitation *invitation, uint64_t now, const struct join_request *request)
{
	invitation->state = INVITATION_ISSUED;
	invitation->issued_at = now;
	invitation->applied = true;
	invitation->site = request->site;
	invitation->backbone = request->backbone;
	invitation->links = request->links;
	invitation->changed = true;
}

static enum join_status answer(struct invitation *invitation, struct ledger *ledger, uint64_t now,
	const struct join_request *request, const struct invitation_issuer *issuer,
	struct invitation_outcome *ret)
{
	bool same = invitation->applied && key_equal(&invitation->site, &request->site);

	if (invitation->applied && !same)
		note_stranger(invitation, now, ret);
	switch (invitation->state) {
	case INVITATION_WITHDRAWN:
		return JOIN_WITHDRAWN;
	case INVITATION_EXPIRED:
		return JOIN_EXPIRED;
	case INVITATION_ISSUED:
	case INVITATION_REDEEMED:
		if (!same)
			return JOIN_USED;
		/* Other keys nobody has certified, and nothing is kept for them. */
		return has_keys_of(invitation, request) ? JOIN_GRANTED : JOIN_TAKEN;
	case INVITATION_OPEN:
	default:
		if (invitation->applied && !same)
			return JOIN_USED;
		return apply(invitation, ledger, now, request, issuer, ret);
	}
}

static void expire(struct invitation *invitation, uint64_t now)
{
	if (invitation->state == INVITATION_OPEN && now >= invitation->expires)
		close_at(invitation, INVITATION_EXPIRED, now);
}

void invitations_request(struct invitations *invitations, struct ledger *ledger, uint64_t now,
	const struct join_request *request, const struct invitation_issuer *issuer,
	struct invitation_outcome *ret)
{
	struct invitation *invitation = invitations_find(invitations, &request->invite);
	struct join_reply *reply = &ret->reply;

	memset(ret, 0, sizeof *ret);
	reply->invite = request->invite;
	reply->site = request->site;
	reply->clock = now;
	reply->status = JOIN_UNKNOWN;
	if (!invitation)
		return;
	if (invitation->state == INVITATION_OPEN && is_fulfilled(invitation, ledger, request))
		fulfil(invitation, now, request);
	expire(invitation, now);
	reply->status = answer(invitation, ledger, now, request, issuer, ret);
	memcpy(reply->name, invitation->name, sizeof reply->name);
	if (reply->status == JOIN_NO_ADMIN)
		(void)snprintf(reply->contact, sizeof reply->contact, "%s", issuer->admin_name);
	else
		memcpy(reply->contact, invitation->sponsor, sizeof reply->contact);
}

int invitation_approve(struct invitation *invitation)
{
	if (invitation->state != INVITATION_OPEN || !invitation->approval)
		return -EALREADY;
	invitation->approval = false;
	invitation->changed = true;
	return 0;
}

int invitation_withdraw(struct invitation *invitation, uint64_t now)
{
	if (invitation->state != INVITATION_OPEN)
		return -EALREADY;
	close_at(invitation, INVITATION_WITHDRAWN, now);
	return 0;
}

bool invitation_is_shut(const struct invitation *invitation, const struct ledger *ledger)
{
	struct hash site = hash_of(invitation->site.bytes, KEY_SIZE);

	return (invitation->state == INVITATION_ISSUED ||
		       invitation->state == INVITATION_REDEEMED) &&
	       ledger_is_revoked(ledger, &site);
}

void invitations_heard(struct invitations *invitations, uint64_t now, const struct key *site)
{
	for (uint32_t i = 0; i < invitations->table.count; i++) {
		struct invitation *invitation = table_at(&invitations->table, i);

		if (invitation->state == INVITATION_ISSUED && key_equal(&invitation->site, site))
			close_at(invitation, INVITATION_REDEEMED, now);
	}
}

/* When an invitation changes by itself, ms. */
static uint64_t next_change(const struct invitation *invitation)
{
	switch (invitation->state) {
	case INVITATION_OPEN:
		return invitation->expires;
	case INVITATION_ISSUED:
		return invitation->issued_at + INVITATION_REDEEMED_AFTER_MS;
	case INVITATION_REDEEMED:
	case INVITATION_WITHDRAWN:
	case INVITATION_EXPIRED:
	default:
		/* As long as a copy of the grant could bring it back, it is remembered. */
		return invitation->closed_at + INVITATION_KEPT_MS > invitation->expires
			       ? invitation->closed_at + INVITATION_KEPT_MS
			       : invitation->expires;
	}
}

void invitations_step(struct invitations *invitations, uint64_t now)
{
	for (uint32_t i = invitations->table.count; i > 0; i--) {
		struct invitation *invitation = table_at(&invitations->table, i - 1);

		if (invitation->gone) {
			table_remove(&invitations->table, i - 1);
			continue;
		}
		if (next_change(invitation) > now)
			continue;
		if (invitation->state == INVITATION_OPEN) {
			expire(invitation, now);
		} else if (invitation->state == INVITATION_ISSUED) {
			close_at(invitation, INVITATION_REDEEMED, now);
		} else {
			invitation->gone = true;
			invitation->changed = true;
		}
	}
}

uint64_t invitations_wakeup(const struct invitations *invitations)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t i = 0; i < invitations->table.count; i++) {
		const struct invitation *invitation = table_at(&invitations->table, i);
		uint64_t change = invitation->gone ? 0 : next_change(invitation);

		at = change < at ? change : at;
	}
	return at;
}

/* In the store: an array, in this order. */
#define PACKED_ITEMS 20

size_t invitation_pack(const struct invitation *invitation, uint8_t out[static INVITATION_SIZE_MAX])
{
	struct wire_writer writer;

	wire_writer_init(&writer, out, INVITATION_SIZE_MAX);
	wire_write_array(&writer, PACKED_ITEMS);
	field_write_hash(&writer, &invitation->id);
	wire_write_uint(&writer, invitation->state);
	wire_write_bool(&writer, invitation->approval);
	wire_write_bool(&writer, invitation->applied);
	wire_write_uint(&writer, invitation->join_number);
	field_write_key(&writer, &invitation->peer);
	field_write_key(&writer, &invitation->preshared_key);
	wire_write_str(&writer, invitation->name);
	if (invitation->sponsor[0])
		wire_write_str(&writer, invitation->sponsor);
	else
		wire_write_nil(&writer);
	field_write_prefix(&writer, &invitation->reserved);
	field_write_prefixes(&writer, &invitation->routes);
	field_write_names(&writer, &invitation->tags);
	wire_write_uint(&writer, invitation->expires);
	wire_write_uint(&writer, invitation->issued_at);
	wire_write_uint(&writer, invitation->closed_at);
	wire_write_bin(&writer, invitation->site.bytes, KEY_SIZE);
	wire_write_bin(&writer, invitation->backbone.bytes, KEY_SIZE);
	wire_write_bin(&writer, invitation->links.bytes, KEY_SIZE);
	wire_write_uint(&writer, invitation->strangers);
	wire_write_uint(&writer, invitation->told_at);
	assert(wire_writer_end(&writer) > 0);
	return writer.length;
}

int invitation_unpack(struct invitation *ret, const void *bytes, size_t size)
{
	struct invitation invitation = {0};
	struct wire_reader reader;

	wire_reader_init(&reader, bytes, size);
	(void)wire_read_array(&reader, PACKED_ITEMS, PACKED_ITEMS);
	field_read_hash(&reader, &invitation.id);
	invitation.state = (enum invitation_state)wire_read_uint(&reader, INVITATION_EXPIRED);
	invitation.approval = wire_read_bool(&reader);
	invitation.applied = wire_read_bool(&reader);
	invitation.join_number = (uint8_t)wire_read_uint(&reader, 254);
	field_read_key(&reader, &invitation.peer);
	field_read_key(&reader, &invitation.preshared_key);
	field_read_name(&reader, invitation.name);
	if (!wire_read_nil(&reader))
		field_read_name(&reader, invitation.sponsor);
	field_read_prefix(&reader, &invitation.reserved);
	field_read_prefixes(&reader, &invitation.routes);
	field_read_names(&reader, &invitation.tags);
	invitation.expires = wire_read_uint(&reader, FIELD_TIME_MAX);
	invitation.issued_at = wire_read_uint(&reader, FIELD_TIME_MAX);
	invitation.closed_at = wire_read_uint(&reader, FIELD_TIME_MAX);
	wire_read_exact(&reader, invitation.site.bytes, KEY_SIZE);
	wire_read_exact(&reader, invitation.backbone.bytes, KEY_SIZE);
	wire_read_exact(&reader, invitation.links.bytes, KEY_SIZE);
	invitation.strangers = (uint32_t)wire_read_uint(&reader, UINT32_MAX);
	invitation.told_at = wire_read_uint(&reader, FIELD_TIME_MAX);
	if (wire_reader_end(&reader) < 0 || invitation.state == 0 || invitation.join_number == 0)
		return -EBADMSG;
	*ret = invitation;
	return 0;
}

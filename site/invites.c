/* SPDX-License-Identifier: MIT */
/*
 * invites.c - making invites: at the hub, and by an admin elsewhere, whose hub has to let the
 * newcomer's temporary peer in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "gossip/grant.h"
#include "site/site_internal.h"

#define INVITE_LIFETIME_MS (UINT64_C(24) * 3600 * 1000)
#define JOIN_NUMBERS 254
#define GRANT_EVERY USEC_SECOND
#define GRANT_FOR (10 * USEC_SECOND)

/* The first subnet of a length that nobody has and no invite reserves. */
static bool free_subnet(const struct site *site, uint8_t length, struct prefix *ret)
{
	const struct prefix *supernet = &site->collective.supernet;
	uint32_t step = length <= 32 ? UINT32_C(1) << (32 - length) : 1;
	uint32_t base = (uint32_t)supernet->address.bytes[0] << 24 |
			(uint32_t)supernet->address.bytes[1] << 16 |
			(uint32_t)supernet->address.bytes[2] << 8 | supernet->address.bytes[3];
	uint32_t count = UINT32_C(1) << (length - supernet->length);

	for (uint32_t i = 0; i < count; i++) {
		struct prefix wanted = {address_ipv4(base + i * step), length};
		bool taken = ledger_prefix_taken(&site->ledger, &wanted);

		for (uint32_t k = 0; k < site->invitations.table.count && !taken; k++) {
			const struct invitation *other = table_at(&site->invitations.table, k);

			taken = (other->state == INVITATION_OPEN ||
					other->state == INVITATION_ISSUED) &&
				prefix_overlaps(&other->reserved, &wanted);
		}
		if (taken)
			continue;
		*ret = wanted;
		return true;
	}
	return false;
}

/* why: what somebody else has. */
static void fail_taken(
	const struct site_command *command, struct site_actions *out, const char *why)
{
	char note[SITE_NOTE_SIZE];

	(void)snprintf(note, sizeof note, "this is already %s", why);
	site_fail(command, out, note);
}

/* Elsewhere than at the hub nobody knows which ones are free: the hub says so. */
static uint8_t free_join_number(struct site *site)
{
	if (!site->hub_role)
		return (uint8_t)(1 + prng_below(&site->prng, JOIN_NUMBERS));
	for (unsigned number = 1; number <= JOIN_NUMBERS; number++) {
		bool taken = false;

		for (uint32_t i = 0; i < site->invitations.table.count && !taken; i++) {
			const struct invitation *other = table_at(&site->invitations.table, i);

			taken = other->join_number == number;
		}
		if (!taken)
			return (uint8_t)number;
	}
	return 0;
}

static void reply_invite(uint32_t request, const struct invitation *invitation,
	const char text[static INVITE_TEXT_SIZE], struct site_actions *out)
{
	struct site_action *action;

	site_reply(out, request, SITE_REPLY_DONE, "");
	action = &out->items[out->count - 1];
	action->reply.prefix = invitation->reserved;
	memcpy(action->reply.name, invitation->name, sizeof action->reply.name);
	memcpy(action->reply.text, text, INVITE_TEXT_SIZE);
}

/* Writes the word. Returns false when there is none for these endpoints. */
static bool write_invite(const struct site *site, const struct invitation *invitation,
	const struct key *secret, char text[static INVITE_TEXT_SIZE])
{
	const struct member *hub = ledger_find(&site->ledger, &site->hub);
	struct certificate certificate;
	struct invite invite = {
		.root = site->collective.root,
		.supernet = site->collective.supernet,
		.endpoint_count = site->collective.endpoint_count,
		.join_number = invitation->join_number,
		.reserved = invitation->reserved,
		.expires = invitation->expires / 1000,
		.approval = invitation->approval,
		.secret = *secret,
	};
	int r;

	if (!hub)
		return false;
	ledger_certificate(&site->ledger, hub, &certificate);
	invite.hub_address = certificate.address;
	invite.hub_key = certificate.backbone;
	invite.hub_length = certificate.subnets.items[0].length;
	memcpy(invite.endpoints, site->collective.endpoints, sizeof invite.endpoints);
	r = invite_write(&invite, text);
	sodium_memzero(&invite.secret, sizeof invite.secret);
	return r >= 0;
}

static const char *refuse_networks(const struct site *site, const struct site_command *command)
{
	const struct prefix *supernet = &site->collective.supernet;
	const struct certificate routes = {.routes = command->routes};

	if (!certificate_fits(&routes, supernet))
		return "a route leads to a network outside the collective's own, and to no "
		       "reserved one";
	if (command->subnet.address.family == ADDRESS_NONE)
		return NULL;
	if (!prefix_contains(supernet, &command->subnet))
		return "the subnet has to be a part of the collective's own network";
	if (ledger_prefix_taken(&site->ledger, &command->subnet))
		return "this is already a network of a member";
	return NULL;
}

static const char *refuse_invite(const struct site *site, const struct site_command *command)
{
	if (site->state != SITE_MEMBER || !site_may_issue(site))
		return "invites are made where an admin's key is";
	if (!text_is_name(command->name))
		return "a name is 1 to 64 of a-z, 0-9 and -";
	if (site->collective.endpoint_count == 0)
		return "friends cannot find this hub: run \"collective endpoint add\"";
	return refuse_networks(site, command);
}

/* Grants: an invite that is made elsewhere than at the hub. */

static void begin_grant(struct site *site, const struct site_command *command,
	const struct invitation *invitation, const char text[static INVITE_TEXT_SIZE])
{
	struct site_grant *grant = &site->grant;

	grant->request = command->request;
	grant->id = invitation->id;
	grant->next = site->now;
	grant->until = site->now + GRANT_FOR;
	memcpy(grant->text, text, sizeof grant->text);
}

static void end_grant(struct site *site, struct site_actions *out, const char *why)
{
	struct site_grant *grant = &site->grant;
	struct invitation *invitation = invitations_find(&site->invitations, &grant->id);

	if (!why && invitation) {
		/* From now on it is ours to issue what it promises. */
		site_save_invitations(site, out);
		reply_invite(grant->request, invitation, grant->text, out);
	} else {
		if (invitation)
			invitations_drop(&site->invitations, invitation->name);
		site_reply(out, grant->request, SITE_REPLY_FAILED, why ? why : "it was withdrawn");
	}
	sodium_memzero(grant, sizeof *grant);
}

static void send_grant(struct site *site, struct site_actions *out)
{
	const struct member *hub = ledger_find(&site->ledger, &site->hub);
	const struct invitation *invitation = invitations_find(&site->invitations, &site->grant.id);
	struct certificate certificate;
	uint8_t bytes[GRANT_SIZE_MAX];
	int size;

	if (!hub || !invitation)
		return;
	ledger_certificate(&site->ledger, hub, &certificate);
	size = grant_write(invitation, site_wall(site), &certificate.backbone, &site->admin,
		&site->ledger.collective, site->options.crypto, &site->prng, bytes);
	if (size > 0)
		site_send(out, &site->collective.address, &certificate.address, SITE_PORT, bytes,
			(size_t)size);
}

void site_grants_step(struct site *site, struct site_actions *out)
{
	struct site_grant *grant = &site->grant;

	if (grant->request == 0 || site_room(out) < 8)
		return;
	if (site->now >= grant->until) {
		end_grant(site, out, "the hub does not answer: try again when it does");
		return;
	}
	if (site->now < grant->next)
		return;
	grant->next = site->now + GRANT_EVERY;
	send_grant(site, out);
}

usec_t site_grants_wakeup(const struct site *site)
{
	const struct site_grant *grant = &site->grant;

	return grant->request == 0 ? USEC_NEVER : usec_min(grant->next, grant->until);
}

void site_grant_answer(struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct grant_answer answer;

	if (site->grant.request == 0 ||
		!address_equal(&event->datagram.from.address, &site->collective.hub_address) ||
		grant_answer_read(&answer, &site->ledger.collective, event->datagram.bytes,
			event->datagram.size) < 0 ||
		!hash_equal(&answer.invite, &site->grant.id)) {
		site->counters[SITE_COUNT_PETITION_BAD]++;
		return;
	}
	end_grant(site, out, answer.why[0] ? answer.why : NULL);
}

/* At the hub. */
void site_grant_datagram(
	struct site *site, const struct site_event *event, struct site_actions *out)
{
	struct grant_answer answer = {.clock = site_wall(site)};
	struct invitation invitation;
	uint8_t bytes[GRANT_SIZE_MAX];
	const char *why = NULL;
	int r;

	r = site->hub_role ? grant_read(&invitation, &site->ledger, site_wall(site),
				     &site->pairs[SITE_BACKBONE].secret, event->datagram.bytes,
				     event->datagram.size)
			   : -EBADMSG;
	if (r < 0) {
		site->counters[SITE_COUNT_PETITION_BAD]++;
		return;
	}
	answer.invite = invitation.id;
	/* It may come twice. */
	if (!invitations_find(&site->invitations, &invitation.id) &&
		!invitations_add(&site->invitations, &site->ledger, &invitation, &why))
		(void)snprintf(answer.why, sizeof answer.why, "this is already %s", why);
	site_save_invitations(site, out);
	site->dirty = true;
	if (site->save_failed)
		return;
	site_send(out, &site->collective.address, &event->datagram.from.address, SITE_PORT, bytes,
		grant_answer_write(&answer, &site->ledger.collective, bytes));
}

void site_invite(struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct invitation invitation = {
		.approval = command->approval,
		.join_number = free_join_number(site),
		.reserved = command->subnet,
		.routes = command->routes,
		.tags = command->tags,
		.expires = site_wall(site) +
			   (command->lifetime_ms ? command->lifetime_ms : INVITE_LIFETIME_MS),
	};
	struct key secret;
	struct invite_keys keys;
	struct certificate own;
	const char *why = refuse_invite(site, command);
	char text[INVITE_TEXT_SIZE] = "";

	if (!why && !site->hub_role && site->grant.request != 0)
		why = "another invite is on its way to the hub";
	if (why) {
		site_fail(command, out, why);
		return;
	}
	ledger_certificate(&site->ledger, site_member(site), &own);
	if (invitation.reserved.address.family == ADDRESS_NONE &&
		!free_subnet(site, own.subnets.items[0].length, &invitation.reserved)) {
		site_fail(command, out, "there is no free subnet left");
		return;
	}
	prng_bytes(&site->prng, secret.bytes, KEY_SIZE);
	invite_derive(&secret, &keys);
	invitation.id = keys.id;
	invitation.peer = keys.public_key;
	invitation.preshared_key = keys.preshared_key;
	memcpy(invitation.name, command->name, sizeof invitation.name);
	memcpy(invitation.sponsor, own.name, sizeof invitation.sponsor);
	if (!write_invite(site, &invitation, &secret, text))
		site_fail(command, out, "the invite cannot be written: check the endpoints");
	else if (!invitations_add(&site->invitations, &site->ledger, &invitation, &why))
		fail_taken(command, out, why);
	else if (!site->hub_role)
		begin_grant(site, command, &invitation, text);
	else {
		site_save_invitations(site, out);
		site->dirty = true;
		memcpy(site->unsaved.invite, invitation.name, sizeof site->unsaved.invite);
		reply_invite(command->request, &invitation, text, out);
	}
	key_wipe(&secret);
	sodium_memzero(&keys, sizeof keys);
	sodium_memzero(text, sizeof text);
}

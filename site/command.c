/* SPDX-License-Identifier: MIT */
/*
 * command.c - what the owner asks for. Every command gets a last reply, DONE or FAILED, with a note
 * that says what to do.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "site/site_internal.h"

#define WATCH_FOR (10 * USEC_SECOND)
#define LEAVE_FOR (5 * USEC_SECOND)

static const char out_text[] =
	"this site left its collective, or was expelled; to belong to another: \"collective "
	"down\", "
	"and remove its state (/var/lib/collective, unless --state names another)";

void site_fail(const struct site_command *command, struct site_actions *out, const char *note)
{
	site_reply(out, command->request, SITE_REPLY_FAILED, note);
}

void site_fail_unknown(
	const struct site_command *command, struct site_actions *out, const char *name)
{
	char note[SITE_NOTE_SIZE];

	(void)snprintf(note, sizeof note, "no member has the name \"%s\"", name);
	site_fail(command, out, text_is_name(name) ? note : "no member has this name");
}

void site_done(const struct site_command *command, struct site_actions *out)
{
	site_reply(out, command->request, SITE_REPLY_DONE, "");
}

/* An older command that waits gets its last reply. */
static void supersede(
	uint32_t request, const struct site_command *command, struct site_actions *out)
{
	if (request != 0 && request != command->request)
		site_reply(out, request, SITE_REPLY_FAILED, "the same was asked for again");
}

static struct key draw_key(struct site *site)
{
	struct key key;

	prng_bytes(&site->prng, key.bytes, KEY_SIZE);
	return key;
}

/* Keys that this site makes for itself; they are saved before anything is said under them. */
static void make_keys(struct site *site, struct site_actions *out)
{
	static const enum site_key_slot slots[SITE_INTERFACES] = {
		SITE_KEY_BACKBONE, SITE_KEY_LINKS};
	struct key seed = draw_key(site);

	if (!site->has_identity) {
		site_take_identity(site, &seed);
		site_save_key(out, SITE_KEY_IDENTITY, &seed);
	}
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (site->pairs[i].present)
			continue;
		seed = draw_key(site);
		site->pairs[i] = site_pair_of(&seed);
		site_save_key(out, slots[i], &seed);
	}
	key_wipe(&seed);
}

static struct delegation first_delegation(const struct site *site, const char *name)
{
	struct delegation delegation = {
		.admin = secret_public(&site->admin),
		.version = 1,
		.grants = GRANT_ADMIT | GRANT_REVOKE | GRANT_BACKBONE | GRANT_ROUTES,
		.issued_at = site_wall(site),
		.since = site_wall(site),
	};

	memcpy(delegation.name, name, sizeof delegation.name);
	return delegation;
}

static struct certificate own_certificate(
	const struct site *site, const struct site_command *command)
{
	struct key admin = secret_public(&site->admin);
	struct certificate certificate = {
		.site = site->site_key,
		.version = 1,
		.backbone = site->pairs[SITE_BACKBONE].public_key,
		.links = site->pairs[SITE_LINKS].public_key,
		.address = site->collective.address,
		.subnets = {1, {command->subnet}},
		.routes = command->routes,
		.roles = ROLE_HUB | ROLE_REFLECTOR,
		.since = site_wall(site),
		.issued_at = site_wall(site),
		.issuer = hash_of(admin.bytes, KEY_SIZE),
	};

	memcpy(certificate.name, command->name, sizeof certificate.name);
	return certificate;
}

/* A fact that we have just made ourselves. Returns why it does not count; NULL: it does. */
static const char *take_own(
	struct site *site, struct site_actions *out, const uint8_t *fact, int size)
{
	struct ledger_outcome outcome;

	if (size < 0)
		return "this is more than one certificate can hold";
	outcome = ledger_offer(&site->ledger, site_wall(site), fact, (size_t)size, true);
	if (outcome.verdict == VERDICT_NEW)
		site_publish(site, out, fact, (size_t)size, &outcome);
	if (outcome.verdict == VERDICT_NEW || outcome.verdict == VERDICT_KNOWN)
		return NULL;
	if (outcome.verdict == VERDICT_FULL)
		return "there is no room for more of this kind";
	if (outcome.verdict == VERDICT_NOT_GRANTED)
		return "this site's admin key may not do that";
	if (outcome.verdict == VERDICT_REMOVED_ISSUER)
		return "this admin was removed: take a new key";
	return verdict_text(outcome.verdict);
}

/*
 * A network for the collective that this machine has to do with otherwise. A part of it that will
 * be this site's own may be there already. Returns false where there is none.
 */
static bool find_overlap(const struct site *site, const struct prefix *supernet,
	const struct prefix *own, struct prefix *ret)
{
	const struct site_networks lists[] = {
		{site->network_count, site->networks}, site->options.isolated};

	for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
		for (uint32_t i = 0; i < lists[k].count; i++) {
			*ret = lists[k].items[i];
			if (prefix_overlaps(supernet, ret) && !prefix_contains(own, ret))
				return true;
		}
	}
	return false;
}

static void fail_with_overlap(const struct site_command *command, struct site_actions *out,
	const struct prefix *supernet, const struct prefix *other, const char *remedy)
{
	char ours[PREFIX_TEXT_SIZE];
	char theirs[PREFIX_TEXT_SIZE];
	char note[SITE_NOTE_SIZE];

	prefix_print(other, ours);
	prefix_print(supernet, theirs);
	(void)snprintf(note, sizeof note, "this machine's %s overlaps the collective's %s: %s",
		ours, theirs, remedy);
	site_fail(command, out, note);
}

static const char *refuse_founding(const struct site *site, const struct site_command *command)
{
	struct certificate certificate = {
		.address = command->subnet.address,
		.subnets = {1, {command->subnet}},
		.routes = command->routes,
	};
	struct prefix canonical;

	if (site->state == SITE_OUT)
		return out_text;
	if (site->state == SITE_JOINING)
		return "this site has begun to join a collective: \"collective leave\" takes that "
		       "back";
	if (site->state == SITE_MEMBER)
		return "this site belongs to a collective already: \"collective status\" shows it";
	if (!text_is_name(command->name))
		return "a name is 1 to 64 of a-z, 0-9 and -";
	certificate.address.bytes[3]++;
	canonical = prefix_canonical(&command->subnet);
	if (!prefix_equal(&canonical, &command->subnet) || prefix_reserved(&command->supernet) ||
		command->subnet.length >= 32 ||
		!prefix_contains(&command->supernet, &command->subnet) ||
		!certificate_fits(&certificate, &command->supernet))
		return "the site's subnet has to be a part of the supernet";
	return NULL;
}

static void found(struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct site_collective collective = {
		.supernet = command->supernet,
		.address = command->subnet.address,
		.endpoint_count = command->endpoint_count,
	};
	const char *why = refuse_founding(site, command);
	struct delegation delegation;
	struct certificate certificate;
	uint8_t fact[FACT_SIZE_MAX];
	struct prefix other;
	struct key seed;

	if (why) {
		site_fail(command, out, why);
		return;
	}
	if (find_overlap(site, &command->supernet, &command->subnet, &other)) {
		fail_with_overlap(command, out, &command->supernet, &other,
			"choose another one with --supernet");
		return;
	}
	make_keys(site, out);
	seed = draw_key(site);
	secret_from_seed(&site->root, &seed);
	site->has_root = true;
	site_save_key(out, SITE_KEY_ROOT, &seed);
	seed = draw_key(site);
	secret_from_seed(&site->admin, &seed);
	site->has_admin = true;
	site_save_key(out, SITE_KEY_ADMIN, &seed);
	key_wipe(&seed);

	collective.root = secret_public(&site->root);
	collective.address.bytes[3]++;
	collective.hub_address = collective.address;
	collective.hub_key = site->pairs[SITE_BACKBONE].public_key;
	memcpy(collective.endpoints, command->endpoints, sizeof collective.endpoints);
	site_take_collective(site, &collective);
	site_save_collective(site, out);
	delegation = first_delegation(site, command->name);
	why = take_own(site, out, fact,
		delegation_seal(&delegation, fact, &site->root, &site->ledger.collective,
			site->options.crypto));
	assert(!why); /* it was looked at before */
	certificate = own_certificate(site, command);
	why = take_own(site, out, fact,
		certificate_seal(&certificate, fact, &site->admin, &site->ledger.collective,
			site->options.crypto));
	assert(!why);
	site->state = SITE_MEMBER;
	site->dirty = true;
	author_changed(&site->author, site->now);
	site_log(out, SITE_LOG_FOUNDED, command->name, 0);
	site_done(command, out);
}

static void uninvite(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct invitation *invitation = invitations_find_name(&site->invitations, command->name);

	if (!invitation) {
		site_fail(command, out, "there is no invite for this name");
		return;
	}
	if (!site->hub_role) {
		site_fail(command, out, "the hub has it by now: withdraw it there");
		return;
	}
	if (invitation_withdraw(invitation, site_wall(site)) < 0) {
		site_fail(command, out, "this invite is not open any more");
		return;
	}
	site_save_invitations(site, out);
	site_done(command, out);
}

static void approve(struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct invitation *invitation = invitations_find_name(&site->invitations, command->name);
	const struct member *member = site->has_collective
					      ? ledger_find_name(&site->ledger, command->name)
					      : NULL;

	if (invitation && invitation_approve(invitation) == 0) {
		site_save_invitations(site, out);
		site_done(command, out);
		return;
	}
	if (member && site_approve_petition(site, member, out)) {
		site_done(command, out);
		return;
	}
	site_fail(command, out, "nothing of this name waits for approval here");
}

/* A member that joins once more is one still. */
static void join_again(struct site *site, const struct site_command *command,
	const struct invite *invite, struct site_actions *out)
{
	const struct member *member = site_member(site);
	struct certificate certificate;
	struct site_action *action;

	if (site->state == SITE_OUT) {
		site_fail(command, out, out_text);
		return;
	}
	if (!member || !key_equal(&invite->root, &site->collective.root)) {
		site_fail(command, out, "this site belongs to another collective already");
		return;
	}
	ledger_certificate(&site->ledger, member, &certificate);
	site_reply(out, command->request, SITE_REPLY_DONE,
		"this site is a member already: nothing was changed");
	action = &out->items[out->count - 1];
	memcpy(action->reply.name, certificate.name, sizeof action->reply.name);
	action->reply.prefix = certificate.subnets.items[0];
}

static void join(struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct site_row row = {.table = SITE_TABLE_SETTING, .key_size = 4};
	enum invite_fault fault;
	struct prefix other;
	struct invite read;

	fault = invite_read(&read, command->text);
	if (fault != INVITE_GOOD) {
		site_fail(command, out, invite_fault_text(fault));
		return;
	}
	if (site->state == SITE_MEMBER || site->state == SITE_OUT) {
		join_again(site, command, &read, out);
		return;
	}
	if (find_overlap(site, &read.supernet, &read.reserved, &other)) {
		fail_with_overlap(
			command, out, &read.supernet, &other, "one of the two needs other numbers");
		return;
	}
	supersede(site->state == SITE_JOINING ? site->join_request : 0, command, out);
	site->join_told = false;
	/* The same again: it goes on. One that was refused is tried anew. */
	if (site->state == SITE_JOINING && site->joiner.state != JOINER_REFUSED &&
		memcmp(&read.secret, &site->invite.secret, sizeof read.secret) == 0) {
		site->join_request = command->request;
		if (site->joiner.answered)
			site_reply(out, command->request, SITE_REPLY_PROGRESS,
				joiner_text(&site->joiner));
		return;
	}
	if (strlen(command->text) >= sizeof row.bytes ||
		strlen(command->text) >= INVITE_TEXT_SIZE) {
		site_fail(command, out, "the invite is too long");
		return;
	}
	make_keys(site, out);
	memcpy(row.key, "join", 4);
	row.size = (uint16_t)strlen(command->text);
	memcpy(row.bytes, command->text, row.size);
	site_save(site, out, &row);
	site_begin_join(site, &read, command->text);
	site->join_request = command->request;
	if (invite_expired(&read, site_wall(site)))
		site_reply(out, command->request, SITE_REPLY_PROGRESS,
			"by this machine's clock the invite has expired; asking the hub");
}

/* How many know of an expulsion by now. */
static void finish_watch(struct site *site, struct site_actions *out)
{
	struct sync_confirmation confirmation;
	struct site_action *action;

	if (site->watch_request == 0)
		return;
	if (!sync_confirmed(&site->sync, site->now, &site->watched, &confirmation))
		confirmation = (struct sync_confirmation){0};
	site_reply(out, site->watch_request, SITE_REPLY_DONE, "");
	action = &out->items[out->count - 1];
	action->reply.count = confirmation.confirmed;
	action->reply.of = confirmation.of;
	action->reply.age_ms = confirmation.age / USEC_MSEC;
	site->watch_request = 0;
}

static void expel(struct site *site, const struct site_command *command, struct site_actions *out)
{
	const struct member *member = site->has_collective
					      ? ledger_find_name(&site->ledger, command->name)
					      : NULL;
	struct key admin = secret_public(&site->admin);
	struct revocation revocation = {
		.reason = REVOCATION_EXPELLED, .issued_at = site_wall(site)};
	uint8_t fact[FACT_SIZE_MAX];
	const char *why;

	if (!member) {
		site_fail_unknown(command, out, command->name);
		return;
	}
	if (!site_may_issue(site)) {
		site_fail(command, out, "this site holds no admin's key");
		return;
	}
	if (memcmp(&member->id, &site->id, ROW_ID_SIZE) == 0) {
		site_fail(
			command, out, "this is the site itself: \"collective leave\" takes it out");
		return;
	}
	revocation.subject = member->site;
	revocation.issuer = hash_of(admin.bytes, KEY_SIZE);
	finish_watch(site, out);
	site->watched = member->id;
	why = take_own(site, out, fact,
		revocation_seal(&revocation, fact, &site->admin, &site->ledger.collective,
			site->options.crypto));
	if (why) {
		site_fail(command, out, why);
		return;
	}
	site_log(out, SITE_LOG_MEMBER_GONE, command->name, 0);
	site->watch_request = command->request;
	site->watch_until = site->now + WATCH_FOR;
}

static bool others_depend(const struct site *site)
{
	for (uint32_t i = 0; i < site->ledger.members.count; i++) {
		const struct member *member = table_at(&site->ledger.members, i);

		if (member->in_force && !member->left &&
			memcmp(&member->id, &site->id, ROW_ID_SIZE) != 0)
			return true;
	}
	return false;
}

/* What was begun with an invite is undone: this site is as it was before. */
static void forget_join(struct site *site, struct site_actions *out)
{
	static const enum site_key_slot slots[] = {
		SITE_KEY_IDENTITY, SITE_KEY_BACKBONE, SITE_KEY_LINKS};
	const struct key none = {{0}};
	struct site_row row = {.table = SITE_TABLE_SETTING, .key_size = 4, .remove = true};

	memcpy(row.key, "join", 4);
	site_save(site, out, &row);
	while (site->secrets.count > 0) {
		const struct site_secret *secret = table_at(&site->secrets, 0);
		const struct key peer = secret->peer;
		const struct key own = secret->own;

		site_drop_secret(site, out, &peer, &own);
	}
	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
		site_save_key(out, slots[i], &none);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		key_wipe(&site->pairs[i].secret);
		site->pairs[i].present = false;
	}
	sodium_memzero(&site->identity, sizeof site->identity);
	site->has_identity = false;
	sodium_memzero(&site->invite_keys, sizeof site->invite_keys);
	sodium_memzero(&site->invite, sizeof site->invite);
	sodium_memzero(site->join_word, sizeof site->join_word);
	site->join_request = 0;
	site->state = SITE_BLANK;
	site->has_collective = false;
	site->dirty = true;
}

static void leave(struct site *site, const struct site_command *command, struct site_actions *out)
{
	if (site->state == SITE_JOINING) {
		supersede(site->join_request, command, out);
		forget_join(site, out);
		site_done(command, out);
		return;
	}
	if (site->state != SITE_MEMBER) {
		site_fail(command, out, "this site belongs to no collective");
		return;
	}
	if (site->hub_role && !command->force && others_depend(site)) {
		site_fail(command, out,
			"this site is the hub: without it the others do not reach each other; "
			"\"collective leave --force\" leaves all the same");
		return;
	}
	supersede(site->leave_request, command, out);
	site->leaving = true;
	site->leave_request = command->request;
	site->leave_until = site->now + LEAVE_FOR;
	author_changed(&site->author, site->now);
}

static void make_pending(struct site *site, struct site_actions *out, enum site_interface interface,
	enum site_key_slot slot)
{
	struct key seed = draw_key(site);

	site->pending[interface] = site_pair_of(&seed);
	site_save_key(out, slot, &seed);
	key_wipe(&seed);
}

static void rotate(struct site *site, const struct site_command *command, struct site_actions *out)
{
	if (site->state != SITE_MEMBER) {
		site_fail(command, out, "this site belongs to no collective");
		return;
	}
	if (site->rotation.state == ROTATION_IDLE) {
		make_pending(site, out, SITE_BACKBONE, SITE_KEY_BACKBONE_PENDING);
		make_pending(site, out, SITE_LINKS, SITE_KEY_LINKS_PENDING);
		rotation_begin(&site->rotation, site->now);
	}
	supersede(site->rotate_request, command, out);
	site->rotate_request = command->request;
}

static void change_routes(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	if (site->state != SITE_MEMBER) {
		site_fail(command, out, "this site belongs to no collective");
		return;
	}
	for (uint32_t i = 0; i < command->routes.count; i++) {
		if (site_is_isolated(site, &command->routes.items[i])) {
			site_fail(command, out,
				"this has to do with a network that the configuration isolates");
			return;
		}
	}
	supersede(site->routes_wanted ? site->routes_request : 0, command, out);
	site->routes = command->routes;
	site->routes_wanted = true;
	site->routes_request = command->request;
	site->routes_told = false;
	site->routes_ask_at = site->now;
}

static void change_endpoints(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct site_row row;

	if (site->state != SITE_MEMBER) {
		site_fail(command, out, "this site belongs to no collective");
		return;
	}
	if (site->hub_role) {
		site->collective.endpoint_count = command->endpoint_count;
		memcpy(site->collective.endpoints, command->endpoints, sizeof command->endpoints);
		site_save_collective(site, out);
	} else {
		site->published.count = command->endpoint_count;
		memcpy(site->published.items, command->endpoints, sizeof command->endpoints);
		site_row_published(&row, &site->published);
		site_save(site, out, &row);
	}
	author_changed(&site->author, site->now);
	site_done(command, out);
}

static void offer(struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct key seed;

	if (site->state != SITE_MEMBER) {
		site_fail(command, out, "this site belongs to no collective");
		return;
	}
	if (!site->has_admin) {
		seed = draw_key(site);
		secret_from_seed(&site->admin, &seed);
		site->has_admin = true;
		site_save_key(out, SITE_KEY_ADMIN, &seed);
		key_wipe(&seed);
	}
	author_changed(&site->author, site->now);
	site_done(command, out);
}

static void take_root(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct secret root;
	struct key key;

	secret_from_seed(&root, &command->key);
	key = secret_public(&root);
	if (site->has_collective && key_equal(&key, &site->collective.root)) {
		site->root = root;
		site->has_root = true;
		site_save_key(out, SITE_KEY_ROOT, &command->key);
		site_done(command, out);
	} else {
		site_fail(command, out, "this is the root key of another collective");
	}
	sodium_memzero(&root, sizeof root);
}

static void remove_root(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	const struct key none = {{0}};

	if (!site->has_root) {
		site_fail(command, out, "the root key is not on this site");
		return;
	}
	sodium_memzero(&site->root, sizeof site->root);
	site->has_root = false;
	site_save_key(out, SITE_KEY_ROOT, &none);
	site_done(command, out);
}

/* A key that is given, or what the member of this name offers. */
static bool find_admin_key(
	const struct site *site, const struct site_command *command, struct key *ret)
{
	const struct member *member = ledger_find_name(&site->ledger, command->name);
	struct record record;

	*ret = command->key;
	if (!key_is_zero(ret))
		return true;
	if (!member || !ledger_record(&site->ledger, member, &record))
		return false;
	*ret = record.admin;
	return !key_is_zero(ret);
}

static void delegate(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct delegation delegation;
	struct delegation held;
	struct hash hash;
	struct key key;
	uint8_t fact[FACT_SIZE_MAX];
	const char *why;

	if (!site->has_root || !site->has_collective) {
		site_fail(command, out, "the root key is not on this site");
		return;
	}
	if (!text_is_name(command->name) || !find_admin_key(site, command, &key)) {
		site_fail(command, out, "no member of this name offers to be an admin");
		return;
	}
	hash = hash_of(key.bytes, KEY_SIZE);
	delegation = first_delegation(site, command->name);
	delegation.admin = key;
	if (ledger_delegation(&site->ledger, &hash, &held)) {
		if (strcmp(held.name, command->name) == 0 && held.grants == delegation.grants) {
			site_done(command, out);
			return;
		}
		delegation.version = held.version + 1;
		delegation.since = held.since;
	}
	why = take_own(site, out, fact,
		delegation_seal(&delegation, fact, &site->root, &site->ledger.collective,
			site->options.crypto));
	if (why)
		site_fail(command, out, why);
	else
		site_done(command, out);
}

static void sort_hashes(struct hash *hashes, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct hash moved = hashes[i];
		uint32_t at = i;

		for (; at > 0 && hash_compare(&hashes[at - 1], &moved) > 0; at--)
			hashes[at] = hashes[at - 1];
		hashes[at] = moved;
	}
}

/* Lists all that this admin signed, in as many parts as it takes: it stays, and nothing else. */
static const char *publish_removal(
	struct site *site, struct site_actions *out, const struct hash *admin)
{
	struct removal removal = {.subject = *admin, .issued_at = site_wall(site)};
	struct hash more;
	uint8_t fact[FACT_SIZE_MAX];

	removal.parts = 1;
	while (ledger_signed_by(&site->ledger, admin, removal.parts * REMOVAL_KEPT_MAX, &more, 1) >
		0)
		removal.parts++;
	if (removal.parts > REMOVAL_PARTS_MAX)
		return "this admin has signed more than a removal can list";
	/* Only the last part makes them count: until then all is still there to be listed. */
	for (; removal.part < removal.parts; removal.part++) {
		const char *why;

		removal.count = ledger_signed_by(&site->ledger, admin,
			removal.part * REMOVAL_KEPT_MAX, removal.kept, REMOVAL_KEPT_MAX);
		sort_hashes(removal.kept, removal.count);
		why = take_own(site, out, fact,
			removal_seal(&removal, fact, &site->root, &site->ledger.collective,
				site->options.crypto));
		if (why)
			return why;
	}
	return NULL;
}

static const struct admin *admin_named(
	const struct site *site, const char *name, struct delegation *delegation)
{
	for (uint32_t i = 0; i < site->ledger.admins.count; i++) {
		const struct admin *admin = table_at(&site->ledger.admins, i);

		if (ledger_delegation(&site->ledger, &admin->key, delegation) &&
			strcmp(delegation->name, name) == 0)
			return admin;
	}
	return NULL;
}

static void remove_admin(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	struct delegation delegation;
	const struct admin *admin;
	struct hash hash;
	const char *why;

	if (!site->has_root || !site->has_collective) {
		site_fail(command, out, "the root key is not on this site");
		return;
	}
	admin = admin_named(site, command->name, &delegation);
	if (!admin) {
		site_fail(command, out, "no admin has this name");
		return;
	}
	hash = admin->key;
	why = publish_removal(site, out, &hash);
	if (why)
		site_fail(command, out, why);
	else
		site_done(command, out);
}

static void take_down(
	struct site *site, const struct site_command *command, struct site_actions *out)
{
	site->down = true;
	site->dirty = true;
	site_done(command, out);
}

void site_command(struct site *site, const struct site_command *command, struct site_actions *out)
{
	static void (*const commands[SITE_COMMANDS])(
		struct site *, const struct site_command *, struct site_actions *) = {
		[SITE_COMMAND_FOUND] = found,
		[SITE_COMMAND_ENDPOINTS] = change_endpoints,
		[SITE_COMMAND_INVITE] = site_invite,
		[SITE_COMMAND_UNINVITE] = uninvite,
		[SITE_COMMAND_APPROVE] = approve,
		[SITE_COMMAND_JOIN] = join,
		[SITE_COMMAND_EXPEL] = expel,
		[SITE_COMMAND_LEAVE] = leave,
		[SITE_COMMAND_ROTATE] = rotate,
		[SITE_COMMAND_ROUTES] = change_routes,
		[SITE_COMMAND_OFFER] = offer,
		[SITE_COMMAND_DELEGATE] = delegate,
		[SITE_COMMAND_REMOVE_ADMIN] = remove_admin,
		[SITE_COMMAND_PING] = site_ping,
		[SITE_COMMAND_SURVEY] = site_survey,
		[SITE_COMMAND_DOWN] = take_down,
		[SITE_COMMAND_ROOT_TAKE] = take_root,
		[SITE_COMMAND_ROOT_REMOVE] = remove_root,
		[SITE_COMMAND_NETCHECK] = site_netcheck,
		[SITE_COMMAND_LINK] = site_link_command,
		[SITE_COMMAND_UNLINK] = site_link_command,
		[SITE_COMMAND_WHY] = site_why_command,
	};
	uint32_t before = out->count;
	bool saving;

	assert(command->kind < SITE_COMMANDS);
	site->unsaved.invite[0] = '\0';
	commands[command->kind](site, command, out);
	saving = site->saving;
	for (uint32_t i = before; i < out->count; i++)
		saving = saving || out->items[i].kind == SITE_SAVE_KEY;
	/* An answer that stands on a save waits for it with the save. */
	for (uint32_t i = before; i < out->count && saving; i++) {
		if (out->items[i].kind == SITE_REPLY &&
			out->items[i].reply.status != SITE_REPLY_PROGRESS)
			site->unsaved.request = out->items[i].reply.request;
	}
	/* Confirmations of what was not kept are none to wait for. */
	if (site->saving && site->watch_request == command->request)
		site->unsaved.request = command->request;
}

/* How many have heard of an expulsion: said when all have, or after a while. */
void site_command_step(struct site *site, struct site_actions *out)
{
	struct sync_confirmation confirmation;

	if (site->watch_request == 0 || site_room(out) < 2)
		return;
	if (!sync_confirmed(&site->sync, site->now, &site->watched, &confirmation))
		confirmation = (struct sync_confirmation){0};
	if (confirmation.confirmed >= confirmation.of || site->now >= site->watch_until)
		finish_watch(site, out);
}
usec_t site_command_wakeup(const struct site *site)
{
	return site->watch_request != 0 ? site->watch_until : USEC_NEVER;
}

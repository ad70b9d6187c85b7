/* SPDX-License-Identifier: MIT */
/*
 * test_join.c - a friend comes in: once, by one identity, through losses and crashes on both sides.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/prng.h"
#include "gossip/grant.h"
#include "gossip/joiner.h"
#include "tests/founding.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* A hub with an admin key, one open invitation, and what it has saved. */
struct hub {
	struct founding founding;
	struct ledger *ledger;
	struct invitations invitations;
	struct invitation_issuer issuer;
	uint64_t wall;
	uint8_t saved[INVITATION_SIZE_MAX];
	size_t saved_size;
	struct bytes saved_fact;
};

static struct hub hub;

static struct join_request request_of(uint32_t site)
{
	struct secret secret = founding_site(site);

	return (struct join_request){
		.invite = {{7}},
		.site = secret_public(&secret),
		.backbone = {{9, (uint8_t)site}},
		.links = {{10, (uint8_t)site}},
	};
}

static struct invitation sample(void)
{
	return (struct invitation){
		.id = {{7}},
		.join_number = 3,
		.peer = {{11}},
		.preshared_key = {{12}},
		.name = "alex",
		.sponsor = "blair",
		.reserved = {address_ipv4(0x0a640900), 24},
		.tags = {1, {"gaming"}},
		.expires = FOUNDING_NOW + DAY_MS,
	};
}

static struct invitation *the_invitation(void)
{
	return invitations_find(&hub.invitations, &(struct hash){{7}});
}

static void save(void)
{
	struct invitation *invitation = the_invitation();

	if (invitation && invitation->changed) {
		hub.saved_size = invitation_pack(invitation, hub.saved);
		invitation->changed = false;
	}
}

static void fill_ledger(void)
{
	struct delegation delegation = founding_delegation(&hub.founding, 0);
	struct certificate certificate = founding_certificate(&hub.founding, 0, 1);
	struct bytes fact = founding_seal_delegation(&hub.founding, &delegation);

	hub.ledger = founding_ledger(&hub.founding);
	assert_int_equal(founding_offer(hub.ledger, &fact), VERDICT_NEW);
	fact = founding_seal_certificate(&hub.founding, 0, &certificate);
	assert_int_equal(founding_offer(hub.ledger, &fact), VERDICT_NEW);
	if (hub.saved_fact.size > 0)
		assert_int_equal(founding_offer(hub.ledger, &hub.saved_fact), VERDICT_NEW);
}

static int set_up(void **state)
{
	const struct invitation invitation = sample();
	const char *why;

	(void)state;
	memset(&hub, 0, sizeof hub);
	founding_init(&hub.founding, &crypto_stub, 16);
	hub.wall = FOUNDING_NOW;
	hub.issuer = (struct invitation_issuer){.admin = &hub.founding.admins[0], .admin_name = ""};
	fill_ledger();
	invitations_init(&hub.invitations);
	assert_non_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	save();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	founding_ledger_free(hub.ledger);
	return 0;
}

/* The hub dies and comes back with what it had saved. */
static void crash_hub(void)
{
	struct invitation invitation;
	const char *why;

	founding_ledger_free(hub.ledger);
	fill_ledger();
	invitations_init(&hub.invitations);
	assert_int_equal(invitation_unpack(&invitation, hub.saved, hub.saved_size), 0);
	/* As it was saved, whatever state that is. */
	if (!invitations_add(&hub.invitations, hub.ledger, &invitation, &why)) {
		struct invitation *item = table_add(&hub.invitations.table, invitation.id.bytes);

		assert_non_null(item);
	}
	*the_invitation() = invitation;
}

static struct invitation_outcome ask(uint32_t site)
{
	struct join_request request = request_of(site);
	struct invitation_outcome outcome;

	invitations_request(
		&hub.invitations, hub.ledger, hub.wall, &request, &hub.issuer, &outcome);
	if (outcome.issued) {
		hub.saved_fact.size = outcome.fact_size;
		memcpy(hub.saved_fact.bytes, outcome.fact, outcome.fact_size);
	}
	save();
	return outcome;
}

TEST(join_messages_round_trip)
{
	struct secret secret = founding_site(5);
	struct join_request request = request_of(5);
	struct join_request request_out;
	struct join_reply reply = {.status = JOIN_USED,
		.invite = {{7}},
		.site = request.site,
		.clock = 99,
		.name = "alex",
		.contact = ""};
	struct join_reply reply_out;
	struct hash *collective = &hub.founding.collective;
	struct hash other = {{1}};
	uint8_t bytes[JOIN_MESSAGE_MAX];
	size_t size;

	(void)state;
	request.clock = 1234;
	size = join_request_write(&request, &secret, collective, &crypto_real, bytes);
	assert_int_equal(join_request_read(&request_out, collective, &crypto_real, bytes, size), 0);
	assert_memory_equal(&request, &request_out, sizeof request);
	assert_int_equal(
		join_request_read(&request_out, &other, &crypto_real, bytes, size), -EXDEV);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		assert_true(
			join_request_read(&request_out, collective, &crypto_real, bytes, size) < 0);
		bytes[i] ^= 1;
		assert_int_equal(
			join_request_read(&request_out, collective, &crypto_real, bytes, i),
			-EBADMSG);
	}
	size = join_reply_write(&reply, collective, bytes);
	assert_int_equal(join_reply_read(&reply_out, collective, bytes, size), 0);
	assert_int_equal(reply_out.status, JOIN_USED);
	assert_string_equal(reply_out.name, "alex");
	assert_string_equal(reply_out.contact, "");
	for (size_t i = 0; i < size; i++)
		assert_int_equal(join_reply_read(&reply_out, collective, bytes, i), -EBADMSG);
}

TEST(join_grants_a_certificate_with_all_that_was_promised)
{
	struct invitation_outcome outcome = ask(5);
	struct certificate certificate;
	struct join_request request = request_of(5);
	const struct member *member = ledger_find_site(hub.ledger, &request.site);
	struct prefix reserved = sample().reserved;
	char address[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(outcome.reply.status, JOIN_GRANTED);
	assert_string_equal(outcome.reply.name, "alex");
	assert_true(outcome.issued);
	assert_non_null(member);
	assert_true(member->in_force);
	ledger_certificate(hub.ledger, member, &certificate);
	assert_string_equal(certificate.name, "alex");
	assert_string_equal(certificate.tags.items[0], "gaming");
	assert_true(prefix_equal(&certificate.subnets.items[0], &reserved));
	address_print(&certificate.address, address);
	assert_string_equal(address, "10.100.9.1");
	assert_true(key_equal(&certificate.backbone, &request.backbone));
	assert_int_equal(certificate.version, 1);
}

TEST(join_again_by_the_same_identity_is_the_same)
{
	struct invitation_outcome first = ask(5);
	struct invitation_outcome second;

	(void)state;
	hub.wall += 5000;
	second = ask(5);
	assert_int_equal(second.reply.status, JOIN_GRANTED);
	assert_false(second.issued);
	assert_int_equal(hub.ledger->members.count, 2);
	assert_int_equal(first.reply.status, JOIN_GRANTED);
	/* Redeemed: by its first packet, or after a minute. */
	assert_int_equal(the_invitation()->state, INVITATION_ISSUED);
	hub.wall += INVITATION_REDEEMED_AFTER_MS;
	invitations_step(&hub.invitations, hub.wall);
	assert_int_equal(the_invitation()->state, INVITATION_REDEEMED);
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
}

/* Else a member could have the hub keep preshared keys without end. */
TEST(join_again_with_other_keys_is_not_granted)
{
	struct join_request request = request_of(5);
	struct invitation_outcome outcome;

	(void)state;
	(void)ask(5);
	request.backbone.bytes[31] ^= 1;
	invitations_request(
		&hub.invitations, hub.ledger, hub.wall, &request, &hub.issuer, &outcome);
	assert_int_equal(outcome.reply.status, JOIN_TAKEN);
	assert_false(outcome.issued);
	request = request_of(5);
	request.links.bytes[31] ^= 1;
	invitations_request(
		&hub.invitations, hub.ledger, hub.wall, &request, &hub.issuer, &outcome);
	assert_int_equal(outcome.reply.status, JOIN_TAKEN);
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
}

TEST(join_by_another_identity_is_refused_and_told)
{
	struct invitation_outcome outcome;

	(void)state;
	(void)ask(5);
	outcome = ask(6);
	assert_int_equal(outcome.reply.status, JOIN_USED);
	assert_string_equal(outcome.reply.name, "alex");
	assert_string_equal(outcome.reply.contact, "blair");
	assert_true(outcome.alert);
	/* Once an hour, not for each packet, whoever they are; a restart does not forget it. */
	assert_false(ask(6).alert);
	assert_false(ask(8).alert);
	crash_hub();
	assert_false(ask(6).alert);
	assert_int_equal(the_invitation()->strangers, 1);
	hub.wall += INVITATION_ALERT_MS;
	assert_true(ask(8).alert);
	assert_int_equal(hub.ledger->members.count, 2);
	/* After redemption, too. */
	invitations_heard(&hub.invitations, hub.wall, &the_invitation()->site);
	assert_int_equal(the_invitation()->state, INVITATION_REDEEMED);
	assert_int_equal(ask(6).reply.status, JOIN_USED);
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
}

TEST(join_two_at_the_same_instant_one_gets_in)
{
	(void)state;
	assert_int_equal(ask(6).reply.status, JOIN_GRANTED);
	assert_int_equal(ask(5).reply.status, JOIN_USED);
	assert_int_equal(hub.ledger->members.count, 2);
}

TEST(join_waits_for_approval)
{
	struct invitation_outcome outcome;

	(void)state;
	the_invitation()->approval = true;
	outcome = ask(5);
	assert_int_equal(outcome.reply.status, JOIN_APPROVAL);
	assert_int_equal(hub.ledger->members.count, 1);
	/* Somebody else with the same word does not push the first aside. */
	assert_int_equal(ask(6).reply.status, JOIN_USED);
	assert_int_equal(invitation_approve(the_invitation()), 0);
	assert_int_equal(invitation_approve(the_invitation()), -EALREADY);
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
}

TEST(join_waits_for_an_admin_and_says_whose)
{
	struct certificate certificate = founding_certificate(&hub.founding, 0, 5);
	struct join_request request = request_of(5);
	struct invitation_outcome outcome;
	struct bytes fact;

	(void)state;
	hub.issuer = (struct invitation_issuer){.admin = NULL, .admin_name = "casey"};
	outcome = ask(5);
	assert_int_equal(outcome.reply.status, JOIN_NO_ADMIN);
	assert_string_equal(outcome.reply.contact, "casey");
	/* The certificate comes by gossip, with another subnet than was promised: that is not it.
	 */
	memcpy(certificate.name, "alex", 5);
	certificate.backbone = request.backbone;
	certificate.links = request.links;
	fact = founding_seal_certificate(&hub.founding, 0, &certificate);
	assert_int_equal(founding_offer(hub.ledger, &fact), VERDICT_NEW);
	assert_int_equal(ask(5).reply.status, JOIN_NO_ADMIN);
	/* With the promised one it is granted. */
	certificate.version = 2;
	certificate.subnets.items[0] = sample().reserved;
	certificate.address = address_ipv4(0x0a640901);
	certificate.backbone = request.backbone;
	certificate.links = request.links;
	fact = founding_seal_certificate(&hub.founding, 0, &certificate);
	assert_int_equal(founding_offer(hub.ledger, &fact), VERDICT_NEW);
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
}

TEST(join_withdrawn_and_expired)
{
	(void)state;
	assert_int_equal(invitation_withdraw(the_invitation(), hub.wall), 0);
	assert_int_equal(ask(5).reply.status, JOIN_WITHDRAWN);
	assert_int_equal(invitation_withdraw(the_invitation(), hub.wall), -EALREADY);
	assert_int_equal(hub.ledger->members.count, 1);
	(void)tear_down(state);
	(void)set_up(state);
	hub.wall += DAY_MS;
	assert_int_equal(ask(5).reply.status, JOIN_EXPIRED);
	/* Seven days later nothing is left of it. */
	assert_true(invitations_wakeup(&hub.invitations) == hub.wall + INVITATION_KEPT_MS);
	hub.wall += INVITATION_KEPT_MS;
	invitations_step(&hub.invitations, hub.wall);
	assert_true(the_invitation()->gone && the_invitation()->changed);
	invitations_step(&hub.invitations, hub.wall);
	assert_null(the_invitation());
	assert_int_equal(ask(5).reply.status, JOIN_UNKNOWN);
	assert_true(invitations_wakeup(&hub.invitations) == UINT64_MAX);
}

TEST(join_by_a_member_burns_nobodys_invite)
{
	struct certificate held = founding_certificate(&hub.founding, 0, 1);
	struct join_request request = request_of(1);
	struct invitation_outcome outcome;

	(void)state;
	assert_int_equal(ask(1).reply.status, JOIN_TAKEN);
	request.backbone = held.backbone;
	request.links = held.links;
	invitations_request(
		&hub.invitations, hub.ledger, hub.wall, &request, &hub.issuer, &outcome);
	assert_int_equal(outcome.reply.status, JOIN_TAKEN);
	/* The newcomer still gets in, and its word is kept as long as it could be played again. */
	assert_int_equal(ask(5).reply.status, JOIN_GRANTED);
	the_invitation()->expires = hub.wall + 30 * DAY_MS;
	invitations_heard(&hub.invitations, hub.wall, &the_invitation()->site);
	assert_true(invitations_wakeup(&hub.invitations) == hub.wall + 30 * DAY_MS);
}

TEST(invitation_without_a_sponsor_is_kept)
{
	struct invitation in = sample();
	struct invitation out;
	uint8_t bytes[INVITATION_SIZE_MAX];

	(void)state;
	in.sponsor[0] = '\0';
	in.state = INVITATION_OPEN;
	assert_int_equal(invitation_unpack(&out, bytes, invitation_pack(&in, bytes)), 0);
	assert_string_equal(out.sponsor, "");
}

TEST(join_taken_keys_are_refused)
{
	struct invitation_outcome outcome;
	struct join_request request = request_of(5);

	(void)state;
	/* A WireGuard key that another member holds; a revoked identity; a member already. */
	request.links = founding_certificate(&hub.founding, 0, 1).backbone;
	invitations_request(
		&hub.invitations, hub.ledger, hub.wall, &request, &hub.issuer, &outcome);
	assert_int_equal(outcome.reply.status, JOIN_TAKEN);
	(void)tear_down(state);
	(void)set_up(state);
	struct bytes revocation = founding_revocation(&hub.founding, 0, 5);

	assert_int_equal(founding_offer(hub.ledger, &revocation), VERDICT_NEW);
	assert_int_equal(ask(5).reply.status, JOIN_TAKEN);
	assert_int_equal(hub.ledger->members.count, 1);
}

TEST(invitation_conflicts_are_refused_when_made)
{
	struct invitation invitation = sample();
	const char *why;

	(void)state;
	invitation.id.bytes[0] = 8;
	assert_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	assert_string_equal(why, "the join address of another invite");
	invitation.join_number = 4;
	assert_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	assert_string_equal(why, "the name of an open invite: 'uninvite' withdraws it");
	(void)snprintf(invitation.name, sizeof invitation.name, "dana");
	assert_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	assert_string_equal(why, "the subnet of an open invite");
	invitation.reserved.address = address_ipv4(0x0a640100);
	assert_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	assert_string_equal(why, "the address of a member");
	invitation.reserved.address = address_ipv4(0x0a640a00);
	(void)snprintf(invitation.name, sizeof invitation.name, "site-1");
	assert_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	assert_string_equal(why, "the name of a member");
	(void)snprintf(invitation.name, sizeof invitation.name, "dana");
	assert_non_null(invitations_add(&hub.invitations, hub.ledger, &invitation, &why));
	for (uint8_t i = 5; invitations_find_name(&hub.invitations, "dana") && i < 200; i++) {
		invitation.id.bytes[0] = (uint8_t)(i + 10);
		invitation.join_number = i;
		invitation.reserved.address.bytes[2] = (uint8_t)(i + 10);
		(void)snprintf(invitation.name, sizeof invitation.name, "n%d", i);
		if (!invitations_add(&hub.invitations, hub.ledger, &invitation, &why))
			break;
	}
	assert_int_equal(hub.invitations.table.count, INVITATIONS_MAX);
	assert_non_null(strstr(why, "as many invites as"));
}

TEST(grant_of_another_admin_reaches_the_hub)
{
	struct key hub_private = {{8, 1}};
	struct key hub_public;
	struct key other_private = {{16, 2}};
	struct invitation in = sample();
	struct invitation out;
	uint8_t bytes[GRANT_SIZE_MAX];
	struct prng prng;
	int size;

	(void)state;
	prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){1});
	(void)crypto_scalarmult_base(hub_public.bytes, hub_private.bytes);
	in.approval = true;
	in.routes = (struct prefixes){1, {{address_ipv4(0xc0a80700), 24}}};
	size = grant_write(&in, hub.wall, &hub_public, &hub.founding.admins[0],
		&hub.founding.collective, hub.founding.crypto, &prng, bytes);
	assert_true(size > 0);
	assert_null(memmem(bytes, (size_t)size, in.preshared_key.bytes, KEY_SIZE));
	assert_int_equal(
		grant_read(&out, hub.ledger, hub.wall, &hub_private, bytes, (size_t)size), 0);
	assert_true(key_equal(&in.preshared_key, &out.preshared_key));
	assert_true(key_equal(&in.peer, &out.peer));
	assert_true(hash_equal(&in.id, &out.id));
	assert_string_equal(out.name, "alex");
	assert_string_equal(out.sponsor, "admin");
	assert_true(out.approval);
	assert_int_equal(out.routes.count, 1);
	assert_true(prefix_equal(&in.reserved, &out.reserved));
	/* Another hub cannot open it; a changed one is nobody's; in time it is worth nothing. */
	assert_int_equal(
		grant_read(&out, hub.ledger, hub.wall, &other_private, bytes, (size_t)size),
		-EKEYREJECTED);
	assert_int_equal(
		grant_read(&out, hub.ledger, in.expires, &hub_private, bytes, (size_t)size),
		-EKEYEXPIRED);
	for (int i = 0; i < size; i++) {
		bytes[i] ^= 1;
		assert_true(grant_read(&out, hub.ledger, hub.wall, &hub_private, bytes,
				    (size_t)size) < 0);
		bytes[i] ^= 1;
		assert_int_equal(
			grant_read(&out, hub.ledger, hub.wall, &hub_private, bytes, (size_t)i),
			-EBADMSG);
	}
	/* By somebody who is no admin, and by an admin who was removed. */
	size = grant_write(&in, hub.wall, &hub_public, &hub.founding.admins[1],
		&hub.founding.collective, hub.founding.crypto, &prng, bytes);
	assert_int_equal(grant_read(&out, hub.ledger, hub.wall, &hub_private, bytes, (size_t)size),
		-EKEYREJECTED);
	size = grant_write(&in, hub.wall, &hub_public, &hub.founding.admins[0],
		&hub.founding.collective, hub.founding.crypto, &prng, bytes);
	struct bytes removal = founding_removal(&hub.founding, 0, 0, NULL, 0);

	assert_int_equal(founding_offer(hub.ledger, &removal), VERDICT_NEW);
	assert_int_equal(grant_read(&out, hub.ledger, hub.wall, &hub_private, bytes, (size_t)size),
		-EKEYREJECTED);
}

/* Chances in a thousand. */
struct weather {
	struct prng prng;
	unsigned loss;
	unsigned crash;
};

static bool is_lost(struct weather *weather)
{
	return prng_below(&weather->prng, 1000) < weather->loss;
}

static bool crashes(struct weather *weather)
{
	return prng_below(&weather->prng, 1000) < weather->crash;
}

/* A request that is on its way, perhaps twice, and its answer. */
static void exchange(struct joiner *joiner, usec_t now, struct weather *weather)
{
	unsigned copies = 1 + (prng_below(&weather->prng, 4) == 0);

	for (unsigned copy = 0; copy < copies && !is_lost(weather); copy++) {
		struct invitation_outcome outcome = ask(5);

		if (crashes(weather))
			crash_hub();
		else if (!is_lost(weather))
			joiner_receive(joiner, now, hub.wall, &outcome.reply);
	}
}

/* Packets under the own key arrive where the hub has the certificate. */
static void come(struct joiner *joiner, struct weather *weather)
{
	if (!ledger_find_site(hub.ledger, &joiner->request.site) || is_lost(weather))
		return;
	invitations_heard(&hub.invitations, hub.wall, &joiner->request.site);
	save();
	if (!is_lost(weather))
		joiner_settled(joiner);
}

/*
 * The two machines against each other: messages are lost or come twice, both sides crash at any
 * moment.
 */
static unsigned run_interrupted(uint8_t seed, unsigned loss, unsigned crash)
{
	const struct join_request request = request_of(5);
	struct weather weather = {.loss = loss, .crash = crash};
	struct joiner joiner;
	usec_t now = 0;
	unsigned steps = 0;

	prng_init(&weather.prng, (const uint8_t[PRNG_SEED_SIZE]){seed});
	joiner_init(&joiner, now, &request);
	while (joiner.state != JOINER_JOINED && steps < 2000) {
		struct joiner_action action = joiner_step(&joiner, now);

		steps++;
		if (action.send)
			exchange(&joiner, now, &weather);
		else if (action.own_key)
			come(&joiner, &weather);
		if (crashes(&weather))
			crash_hub();
		if (crashes(&weather))
			joiner_init(&joiner, now, &request);
		now += 100 * USEC_MSEC;
		hub.wall += 100;
		invitations_step(&hub.invitations, hub.wall);
		save();
	}
	assert_int_equal(joiner.state, JOINER_JOINED);
	/* One member more, once; the invite is used up. */
	assert_int_equal(hub.ledger->members.count, 2);
	assert_true(the_invitation()->state >= INVITATION_ISSUED);
	return steps;
}

TEST(join_completes_through_losses_and_crashes)
{
	unsigned most = 0;

	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		unsigned steps;

		(void)tear_down(state);
		(void)set_up(state);
		steps = run_interrupted((uint8_t)seed, 100 * (seed % 6), 20 * (seed % 8));
		most = steps > most ? steps : most;
	}
	print_message("# 200 interrupted joins, the longest %u.%u s\n", most / 10, most % 10);
}

TEST(joiner_without_losses_needs_two_steps)
{
	(void)state;
	assert_true(run_interrupted(1, 0, 0) <= 3);
}

TEST(joiner_refusals_are_final_and_told)
{
	const struct join_request request = request_of(5);
	struct joiner joiner;

	(void)state;
	for (int status = JOIN_GRANTED; status < JOIN_STATUSES; status++) {
		struct join_reply reply = {.status = (enum join_status)status,
			.invite = request.invite,
			.site = request.site,
			.clock = FOUNDING_NOW + 86400000};

		joiner_init(&joiner, 0, &request);
		assert_non_null(strstr(joiner_text(&joiner), "silent"));
		joiner_receive(&joiner, 0, FOUNDING_NOW, &reply);
		assert_int_equal(joiner.state == JOINER_REFUSED, status >= JOIN_USED);
		assert_true(strlen(joiner_text(&joiner)) > 10);
		/* A clock that is a day off is known from the first answer. */
		assert_true(joiner.clock_offset == 86400000);
		if (status >= JOIN_USED)
			assert_true(joiner_wakeup(&joiner) == USEC_NEVER);
		else
			assert_true(joiner_wakeup(&joiner) ==
				    (status == JOIN_GRANTED ? JOINER_SETTLE : JOINER_ASK_MOST));
	}
	/* An answer to somebody else is none to us. */
	struct join_reply other = {.status = JOIN_USED, .invite = request.invite, .site = {{1}}};

	joiner_init(&joiner, 0, &request);
	joiner_receive(&joiner, 0, FOUNDING_NOW, &other);
	assert_int_equal(joiner.state, JOINER_ASKING);
	joiner_settled(&joiner);
	assert_string_equal(joiner_text(&joiner), "");
}

#define JOIN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		JOIN(join_messages_round_trip),
		JOIN(join_grants_a_certificate_with_all_that_was_promised),
		JOIN(join_again_by_the_same_identity_is_the_same),
		JOIN(join_again_with_other_keys_is_not_granted),
		JOIN(join_by_another_identity_is_refused_and_told),
		JOIN(join_two_at_the_same_instant_one_gets_in),
		JOIN(join_waits_for_approval),
		JOIN(join_waits_for_an_admin_and_says_whose),
		JOIN(join_withdrawn_and_expired),
		JOIN(join_by_a_member_burns_nobodys_invite),
		JOIN(invitation_without_a_sponsor_is_kept),
		JOIN(join_taken_keys_are_refused),
		JOIN(invitation_conflicts_are_refused_when_made),
		JOIN(grant_of_another_admin_reaches_the_hub),
		JOIN(join_completes_through_losses_and_crashes),
		JOIN(joiner_without_losses_needs_two_steps),
		JOIN(joiner_refusals_are_final_and_told),
	};

	return RUN(cases);
}

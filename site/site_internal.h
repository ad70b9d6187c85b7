/* SPDX-License-Identifier: MIT */
/*
 * site_internal.h - what the files of the brain share.
 */
#pragma once

#include "gossip/author.h"
#include "gossip/invitation.h"
#include "gossip/joiner.h"
#include "gossip/petition.h"
#include "gossip/receipt.h"
#include "gossip/sync.h"
#include "nat/behaviour.h"
#include "site/rows.h"
#include "site/site.h"

#define SITE_SPARE_PEERS 72 /* beside one for each member: joiners, and keys that change */
#define SITE_PETITIONS_MAX 16
#define SITE_PROBES_MAX 64
#define SITE_ROOM_FOR_SYNC (SYNC_LEARNED_MAX * 2 + SYNC_MESSAGES_MAX)
#define SITE_CLOCK_OFF_MS (5 * 60 * 1000)
#define SITE_CLOCK_SAVED_EVERY USEC_HOUR
#define SITE_WATCHFUL_AT_FIRST (10 * USEC_SECOND)

/* A WireGuard key pair. */
struct site_pair {
	bool present;
	struct key secret;
	struct key public_key;
};

enum site_peer_stage {
	SITE_PEER_CURRENT,
	SITE_PEER_NEXT, /* its prefixes come over once it was heard */
	SITE_PEER_OLD,  /* goes at retire_at */
};

/* A peer of the backbone as the carrier was told of it. The first two members are its key. */
struct site_peer {
	struct row_id member; /* of a joiner: the first bytes of the invite's id */
	struct key key;
	struct key preshared;
	struct hash certificate; /* that it follows from; of a joiner: the invite's id */
	bool joiner;
	bool wanted;
	bool has_endpoint;
	bool keepalive;
	enum site_presence presence;
	bool counted; /* what WireGuard counted before we came is no sign of life */
	enum site_peer_stage stage;
	uint64_t rx_bytes;
	uint64_t handshake;        /* the last one, as WireGuard says it */
	uint64_t handshake_before; /* the same, when our key was changed */
	usec_t heard_at;
	usec_t retire_at; /* of an old one, or of one who leaves; 0: none */
	usec_t renew_at;  /* of one that is down: made anew no sooner */
	struct endpoint endpoint;
};

/* Where a member was last heard. */
struct site_place {
	struct row_id member;
	struct endpoint endpoint;
};

/* A prefix as the carrier was told of it. */
struct site_prefix {
	uint8_t key[18]; /* family, address, length: the ledger's order */
	struct key peer; /* that it is allowed to; zero: to none */
	bool wanted;
	bool refused; /* this machine is in that network itself, or it is isolated */
	bool routed;
	bool guarded;
	bool own;
	bool linked; /* its route leads over the direct link */
	bool kept;   /* a row says that its guard stays, though nobody has it any more */
};

/* The preshared key between a peer and us. Of a pair of keys, since both ends change theirs. */
struct site_secret {
	struct key peer; /* public keys; the first two members are the table's key */
	struct key own;
	struct key preshared;
};

/* A command whose answer stands on saves that are not confirmed yet. */
struct site_unsaved {
	uint32_t request;
	char invite[TEXT_NAME_MAX + 1]; /* that it made; "": none */
};

/* A member that asks for other routes than it has. */
struct site_petition {
	bool used;
	struct petition petition;
};

/* An invite of ours that the hub has to know before anybody gets it. */
struct site_grant {
	uint32_t request; /* 0: there is none */
	struct hash id;
	usec_t next;
	usec_t until;
	char text[INVITE_TEXT_SIZE];
};

/* A probe, and what came of it. */
struct site_probe {
	bool used;
	bool open; /* the answer may still come */
	struct row_id member;
	uint64_t number;
	usec_t sent_at;
	uint32_t request; /* of whoever wants to hear of it; 0: nobody */
	int64_t rtt_us;   /* -1: no answer */
};

/* What the hub said of a member when it was asked last. */
struct site_word {
	struct row_id member;
	enum site_presence presence;
	usec_t heard_at;
	usec_t told_at;
};

enum site_count {
	SITE_COUNT_STRANGER,  /* datagrams from addresses of no member */
	SITE_COUNT_MISPLACED, /* to a port that is not ours, or of a type that does not belong */
	SITE_COUNT_JOIN_OVER, /* join requests over the budget */
	SITE_COUNT_JOIN_BAD,
	SITE_COUNT_PETITION_BAD,
	SITE_COUNT_RESTORE_BAD,
	SITE_COUNT_SAVE_FAILED,
	SITE_COUNT_PETITION_FULL,
	SITE_COUNT_PREFIX_FULL,
	SITE_COUNT_PROBE_OVER,
	SITE_COUNT_REFLECT_OVER,
	SITE_COUNT_COSTLY_OVER,
	SITE_COUNT_LINK_FULL,
	SITE_COUNT_OFFER_BAD,
	SITE_COUNT_OFFER_OVER,
	SITE_COUNTS,
};

/* A member that asks us from where it is seen. The first member is the key. */
struct site_session {
	struct seal seal;
	struct row_id member;
	usec_t until;
};

_Static_assert(offsetof(struct seal, id) == 0, "a session is found by its number");

#define SITE_SHARES_BITS 6 /* 64 */

/* What a member may cost, each by itself. */
enum site_cost {
	SITE_COST_KEYS,     /* public-key work */
	SITE_COST_QUESTION, /* from where it is seen */
	SITE_COST_PROBE,    /* and what else is answered at once */
	SITE_COSTS,
};

struct site_shares {
	uint64_t salt; /* odd */
	usec_t until;  /* it is another one */
	struct budget left[SITE_COSTS][1 << SITE_SHARES_BITS];
};

/* A port of the hub's that we ask. */
struct site_vantage {
	uint32_t number; /* of the last question */
	usec_t asked_at;
	bool answered;
};

enum site_reflector_place { SITE_REFLECTOR_HUB, SITE_REFLECTOR_OTHER, SITE_REFLECTORS };

/* One whom we ask. */
struct site_reflector {
	bool chosen;
	struct row_id member;
	struct endpoint endpoint;
	bool open;
	bool heard; /* something was answered in this session */
	struct seal seal;
	struct key links; /* of the reflector, with which the session was opened */
	struct hash site;
	usec_t opened_at;
	usec_t next_at;
	uint32_t number;
	struct site_vantage vantages[2]; /* the backbone's port and the links' */
	uint16_t other_port;             /* that of its links; 0: it did not say */
	uint32_t silences;               /* in a row, of the first, in this session */
	uint32_t tries;                  /* and in all */
	struct endpoint seen;
	usec_t seen_at;
	int64_t rtt_us;
	bool has_receipt;
	struct receipt receipt;
};

/* Where this machine is, as it knows by itself. */
struct site_places {
	uint16_t ports[SITE_INTERFACES];
	bool deaf;
	struct endpoint mapped;
	uint32_t count;
	struct site_own_address items[BEHAVIOUR_LOCALS_MAX];
};

/* What was asked of another member. */
struct site_question {
	uint32_t request; /* 0: nothing */
	uint64_t number;
	struct row_id whom;
	usec_t until;
};

struct site {
	struct site_options options;
	struct prng prng;
	enum site_state state;
	usec_t now;
	uint64_t machine_wall;

	struct secret identity;
	bool has_identity;
	struct key site_key;
	struct hash site_hash;
	struct row_id id;
	struct site_pair pairs[SITE_INTERFACES];
	struct site_pair pending[SITE_INTERFACES];
	bool hub_role; /* our certificate says that we are a hub */
	bool issuer;   /* an admin's key that counts is here */
	bool has_admin;
	bool has_root;
	struct secret admin;
	struct secret root;

	bool has_collective;
	struct site_collective collective;
	struct ledger ledger;
	void *ledger_memory;
	struct sync sync;
	void *sync_memory;

	/* Time. */
	int64_t hub_offset; /* ms, the hub's clock minus ours */
	bool has_offset;
	bool clock_is_off;
	uint64_t clock_floor; /* ms */
	usec_t clock_save_at;

	/* What it says of itself. */
	struct site_published published;
	struct author author;
	bool record_waits; /* its number is being saved */
	uint64_t record_sequence;
	bool leaving;
	uint32_t leave_request;
	usec_t leave_until;

	/* Membership. */
	struct joiner joiner;
	struct invite invite;
	struct invite_keys invite_keys;
	uint32_t join_request;
	bool join_told; /* whoever asked knows that the hub is silent */
	char join_word[INVITE_TEXT_SIZE];
	struct invitations invitations;
	struct site_grant grant;
	struct budget join_budget;
	struct rotation rotation;
	bool promotes; /* waits until its new keys are saved as the current ones */
	uint32_t rotate_request;
	uint64_t switched_at; /* ms by the machine's clock: the pending key came into use */
	usec_t certified_at;  /* our pending key was, as far as we know */
	usec_t unaware_at;    /* a hub looks again who knows of it */
	bool rotate_told;     /* its owner knows whom it waits for */
	bool untidy;          /* secrets of old keys may be left */
	bool routes_wanted;
	struct prefixes routes;
	usec_t routes_ask_at;
	uint32_t routes_turn;
	uint64_t renew_from; /* ms, wall; 0: never */
	usec_t renew_ask_at;
	uint32_t renew_turn;
	bool end_told; /* that our certificate ends soon was written down */
	uint32_t routes_request;
	bool routes_told; /* whoever asked knows which admin is asked */
	bool offered;     /* what the owner offers was asked for, since the start */
	struct site_petition petitions[SITE_PETITIONS_MAX];
	uint64_t equivocations; /* that were written down */
	struct row_id watched;  /* an expulsion whose confirmations are told */
	uint32_t watch_request;
	usec_t watch_until;

	/* The backbone as it was told. */
	struct table peers;
	struct table prefixes;
	struct table secrets;
	struct table places;
	uint64_t generation; /* of the ledger, that the backbone follows */
	bool dirty;          /* there is more to be told than one list had room for */
	bool down;           /* taken off the machine */
	bool settled;        /* all was told once since the start */
	struct key devices[SITE_INTERFACES]; /* the private keys that interfaces were told */
	struct address addresses[SITE_INTERFACES];
	uint32_t network_count;
	struct prefix networks[SITE_NETWORKS_MAX];

	/* Presence. */
	struct row_id hub; /* our neighbour there; provisional until its certificate is known */
	usec_t presence_at;
	usec_t retire_at; /* of the first old peer */
	usec_t poll_at;
	usec_t poll_fast_until;
	usec_t watchful_until; /* after the start: whoever is there answers soon */
	usec_t endpoint_at;    /* when the next endpoint of the hub is tried */
	uint32_t endpoint_turn;

	/* Probes. */
	struct site_probe probes[SITE_PROBES_MAX];
	struct budget probe_budget;
	struct table words;
	uint32_t survey_request; /* 0: none */
	usec_t survey_until;
	bool survey_words; /* the hub has not told all yet */

	/* Saving. */
	bool save_failed;
	usec_t save_again_at;
	uint32_t save_cursor; /* in the walk over all facts after a failure */
	bool saving;          /* the list has saves in it */
	struct site_unsaved unsaved;

	/* Reflection. */
	struct table sessions;
	struct budget reflect_budget;
	struct site_shares shares;
	struct site_reflector reflectors[SITE_REFLECTORS];
	uint32_t reflect_turn; /* of the members, who is asked beside the hub */
	usec_t others_from;    /* somebody else may be, where the last ones were silent */
	usec_t reflect_until;  /* it is wanted until then */
	uint32_t netcheck_request;
	usec_t netcheck_from;
	struct site_places ground;
	struct behaviour behaviour; /* of IPv4 */

	/* Direct links. */
	struct table links;
	struct budget offer_budget;
	struct budget pass_budget; /* offers between others that we pass on */
	uint64_t links_generation; /* of the ledger, that they follow */
	uint64_t offers_floor;     /* the newest clock of offers whose rows went */
	usec_t links_poll_at;
	usec_t glance_at; /* while all that failed rests: are we seen where we were? */
	struct site_question why;

	uint64_t counters[SITE_COUNTS];
};

/* emit.c: actions. */

/* Room that is left in the list. */
uint32_t site_room(const struct site_actions *out);

/* The next action, zero but for its kind; there is room. */
struct site_action *site_emit(struct site_actions *out, enum site_action_kind kind);
void site_log(struct site_actions *out, enum site_log_code code, const char *name, int64_t number);
void site_reply(struct site_actions *out, uint32_t request, enum site_reply_status status,
	const char *note);
void site_save(struct site *site, struct site_actions *out, const struct site_row *row);
void site_save_fact(
	struct site *site, struct site_actions *out, const void *bytes, size_t size, bool remove);
void site_save_key(struct site_actions *out, enum site_key_slot slot, const struct key *key);
void site_save_collective(struct site *site, struct site_actions *out);
void site_save_secret(
	struct site *site, struct site_actions *out, const struct site_secret *secret);
void site_save_place(struct site *site, struct site_actions *out, const struct site_place *place);

/* That we are joining, or out; nothing where we are neither. */
void site_save_membership(struct site *site, struct site_actions *out);
void site_save_invitations(struct site *site, struct site_actions *out);
/* That a guard stays, or does not any more. */
void site_save_guard(struct site *site, struct site_actions *out, const struct site_prefix *entry);
void site_save_floor(
	struct site *site, struct site_actions *out, const char *name, uint64_t number);
void site_send(struct site_actions *out, const struct address *from, const struct address *to,
	uint16_t port, const void *bytes, size_t size);

/* restore.c */
void site_take_collective(struct site *site, const struct site_collective *collective);
struct site_pair site_pair_of(const struct key *secret);
void site_take_identity(struct site *site, const struct key *seed);

/* saving.c */
void site_saved(struct site *site, int result, struct site_actions *out);
void site_save_again(struct site *site, struct site_actions *out);

/* clock.c */
void site_clock_heard(struct site *site, struct site_actions *out, int64_t offset_ms);
/* Begins a step: what time it is by both clocks. */
void site_clock_read(
	struct site *site, usec_t now, const struct site_event *event, struct site_actions *out);
void site_clock_step(struct site *site, struct site_actions *out);
bool site_clock_trusted(const struct site *site);

/* In monotonic time, when a wall time comes. */
usec_t site_at_wall(const struct site *site, uint64_t wall);

/* backbone.c: what the carrier is told of peers, prefixes and routes. */
void site_backbone_step(struct site *site, struct site_actions *out);
void site_backbone_statistics(
	struct site *site, const struct site_event *event, struct site_actions *out);
struct prefix site_prefix_of(const struct site_prefix *entry);
void site_prefix_key(const struct prefix *prefix, uint8_t out[static 18]);

/* Whether a network has to do with one that the owner isolated. */
bool site_is_isolated(const struct site *site, const struct prefix *prefix);

/* The peer that a member's traffic goes to; NULL: none. */
struct site_peer *site_peer_of(const struct site *site, const struct row_id *member);
/* The public key that our interface has, or is to have. */
const struct key *site_own_key(const struct site *site);

/* The preshared key between a peer's key and one of ours; NULL: there is none. */
const struct key *site_secret_of(
	const struct site *site, const struct key *peer, const struct key *own);
void site_set_secret(struct site *site, struct site_actions *out, const struct key *peer,
	const struct key *own, const struct key *preshared);
void site_drop_secret(
	struct site *site, struct site_actions *out, const struct key *peer, const struct key *own);

/* Before a member's new key is heard: what will stand between it and us, from what stands now. */
void site_prepare_secret(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct key *fresh);
void site_peer_tell(struct site *site, struct site_actions *out, struct site_peer *peer,
	const struct invite_endpoint *endpoint);
/* Whether a peer is one that we call, and not one that calls us. */
bool site_peer_calls(const struct site *site, const struct site_peer *peer);

/* A hub that changes its key is called under the next one while it is silent, and not else. */
void site_peer_call_next(struct site *site, struct site_actions *out);

/* A peer that was known by its key alone turns out to be this member. */
void site_peer_rename(struct site *site, const struct row_id *from, const struct row_id *to);
void site_backbone_clear(struct site *site);

void site_peer_promote(struct site *site, struct site_peer *peer);

/* Makes a silent member's peer anew: a clock that went back is no reason to be refused for ever. */
void site_peer_renew(struct site *site, struct site_actions *out, struct site_peer *peer);

/* presence.c: who is heard, and whom gossip is spoken with. */
void site_presence_step(struct site *site, struct site_actions *out);
void site_presence_datagram(struct site *site, const struct row_id *member);
/* Speaks with a member that may be there, as a hub whose agent has begun again. */
/* Whether the hub has not been heard for so long that it may be down. */
bool site_hub_is_silent(const struct site *site);
void site_presence_greet(struct site *site, const struct row_id *member);
void site_presence_reset(struct site *site);
usec_t site_presence_wakeup(const struct site *site);

/* membership.c */
void site_membership_step(struct site *site, struct site_actions *out);
usec_t site_membership_wakeup(const struct site *site);
void site_begin_join(struct site *site, const struct invite *invite, const char *word);
void site_join_datagram(
	struct site *site, const struct site_event *event, struct site_actions *out);
void site_petition_datagram(
	struct site *site, const struct site_event *event, struct site_actions *out);

/* Whether the pending keys are on disk as the current ones, where that was asked for. */
void site_promotion_saved(struct site *site, bool saved, struct site_actions *out);

/* A join request that a hub without an admin's key passed on to us. */
void site_forwarded_join(
	struct site *site, const struct site_event *event, struct site_actions *out);
void site_learned(
	struct site *site, const struct ledger_outcome *outcome, struct site_actions *out);
/* A fact of our own making: saved, and spread. */
void site_publish(struct site *site, struct site_actions *out, const void *fact, size_t size,
	const struct ledger_outcome *outcome);

/* What we do about a member's petition, as one who may issue. */
enum petition_result site_answer_petition(struct site *site, const struct petition *petition,
	bool approved, struct site_actions *out);

/* probes.c: how far others are, and what the hub hears of them. */
void site_ping(struct site *site, const struct site_command *command, struct site_actions *out);
void site_survey(struct site *site, const struct site_command *command, struct site_actions *out);

/* Takes a datagram by a member. Returns false where it is none of these. */
bool site_probe_datagram(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender);
void site_probes_step(struct site *site, struct site_actions *out);
usec_t site_probes_wakeup(const struct site *site);

/* Whether one more question of a member may be answered now. */
bool site_may_answer(struct site *site, const struct row_id *member);

/* As it was measured of late, µs; -1: it was not. What the hub said of late; NULL: nothing. */
int64_t site_rtt(const struct site *site, const struct row_id *member);
const struct site_word *site_word(const struct site *site, const struct row_id *member);

/* shares.c: what members may cost. */
void site_shares_init(struct site *site);

/* Takes it from the member's share. Returns false where that is used up. */
bool site_may_cost(struct site *site, enum site_cost cost, const struct row_id *member);

/* reflect.c: from where we are seen. */
void site_reflect_init(struct site *site);

/* Takes a datagram by a member. Returns false where it is none of these. */
bool site_reflect_datagram(
	struct site *site, const struct site_event *event, const struct row_id *sender);
void site_reflect_outside(
	struct site *site, const struct site_event *event, struct site_actions *out);
void site_reflect_step(struct site *site, struct site_actions *out);
usec_t site_reflect_wakeup(const struct site *site);

/* Somebody has a use for it until then; and at once. */
void site_reflect_want(struct site *site, usec_t until);
void site_reflect_now(struct site *site);

/* Nobody has: who still does says so again. */
void site_reflect_hush(struct site *site);

/* When all that is asked was answered, or will not be; USEC_NEVER: nothing is asked. */
bool site_reflect_is_fresh(const struct site *site);

/* This machine is somewhere else: whoever was silent may be heard from here. */
void site_reflect_anew(struct site *site);

/* Whether the hub is silent outside the tunnel or inside; noticed before its keepalives are missed.
 */
bool site_hub_seems_silent(const struct site *site);

/* Who has seen where we are, the hub if it still sees; NULL: nobody has. */
const struct site_reflector *site_reflect_place(const struct site *site);
void site_netcheck(struct site *site, const struct site_command *command, struct site_actions *out);

/* links.c, links_meet.c, links_carry.c: direct links. */
enum site_wish { SITE_WISH_LINK = 1, SITE_WISH_NONE };

struct site_link;
void site_links_step(struct site *site, struct site_actions *out);
usec_t site_links_wakeup(const struct site *site);

/* Forgets all of them: whatever they were made of goes with the interface. */
void site_links_clear(struct site *site);

/* Something changed here: what failed may work now. */
void site_links_reset(struct site *site);
void site_links_resumed(struct site *site);

/* Something was heard of a member, who may be back. */
void site_links_heard_of(struct site *site, const struct row_id *member);

/* Leads everything back to the hub. Returns whether it is. */
bool site_links_are_away(struct site *site, struct site_actions *out);

/* Whether a meeting is going on outside the tunnel; whether a member is reached over its link. */
bool site_links_listen(const struct site *site);
bool site_links_carry(const struct site *site, const struct row_id *member);
uint32_t site_links_alive(const struct site *site);

/* Takes a datagram by a member. Returns false where it is none of these. */
bool site_link_datagram(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender);

/* One outside the tunnel: the same. */
bool site_link_outside(struct site *site, const struct site_event *event, struct site_actions *out);

/* Something came over a link. Returns false where there is none. */
bool site_link_heard(
	struct site *site, struct site_actions *out, const struct row_id *member, size_t size);

/* Whether one more probe that came over a link may be answered now. */
bool site_link_may_answer(struct site *site, const struct row_id *member);

/* A probe came back. Returns whether it may have been a link's. */
bool site_link_probed(struct site *site, struct site_actions *out, const struct row_id *member,
	enum site_interface interface, uint64_t number);

/* Sends to a member over its link, or else by the hub. */
void site_send_member(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct address *to, const void *bytes, size_t size);

/* Sends over a link. */
void site_link_send(struct site *site, struct site_actions *out, const struct row_id *member,
	const struct address *to, const void *bytes, size_t size);
void site_links_statistics(
	struct site *site, const struct site_event *event, struct site_actions *out);
void site_links_traffic(struct site *site, const struct site_event *event);

/* Whether a member's networks have routes of their own. */
bool site_link_is_routed(const struct site *site, const struct row_id *member);
void site_link_command(
	struct site *site, const struct site_command *command, struct site_actions *out);
bool site_link_restore(
	struct site *site, const struct row_id *member, uint8_t wish, uint64_t until);
void site_save_memory(struct site *site, struct site_actions *out, const struct site_link *link);
void site_save_offers(
	struct site *site, struct site_actions *out, const struct site_link *link, bool remove);
void site_save_wish(
	struct site *site, struct site_actions *out, const struct site_link *link, bool remove);
void site_link_view(const struct site *site, const struct member *member, struct site_view *ret);

/* why_asked.c: why sites are on the path that they are on. */
void site_why_command(
	struct site *site, const struct site_command *command, struct site_actions *out);
bool site_why_datagram(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender);
void site_why_step(struct site *site, struct site_actions *out);
usec_t site_why_wakeup(const struct site *site);

/* petitions.c: what we ask others for. */
void site_petitions_step(struct site *site, struct site_actions *out);
usec_t site_petitions_wakeup(const struct site *site);

/* Says yes to other routes of a member. Returns false where it asked for none, or in vain. */
bool site_approve_petition(
	struct site *site, const struct member *member, struct site_actions *out);

/* The number of our record is durable. */
void site_record_saved(struct site *site, struct site_actions *out);

/* Our own member entry; NULL: there is none. */
struct member *site_member(const struct site *site);

/* Looks again who we are, after the ledger has changed. */
void site_review_self(struct site *site, struct site_actions *out);
bool site_may_issue(const struct site *site);

/* invites.c */
void site_invite(struct site *site, const struct site_command *command, struct site_actions *out);
void site_grant_datagram(
	struct site *site, const struct site_event *event, struct site_actions *out);
void site_grant_answer(struct site *site, const struct site_event *event, struct site_actions *out);
void site_grants_step(struct site *site, struct site_actions *out);
usec_t site_grants_wakeup(const struct site *site);

/* command.c */
void site_fail(const struct site_command *command, struct site_actions *out, const char *note);
void site_fail_unknown(
	const struct site_command *command, struct site_actions *out, const char *name);
void site_done(const struct site_command *command, struct site_actions *out);
void site_command(struct site *site, const struct site_command *command, struct site_actions *out);
void site_command_step(struct site *site, struct site_actions *out);
usec_t site_command_wakeup(const struct site *site);

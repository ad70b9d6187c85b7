/* SPDX-License-Identifier: MIT */
/*
 * links_internal.h - what the files of the direct links share.
 *
 * Of each member with which there is a link, or was to be one, a row says how far it is. What
 * carries traffic never depends on it: a route leads over a link only while probes through it are
 * answered, and everything else goes by the hub.
 */
#pragma once

#include "gossip/offer.h"
#include "nat/candidate.h"
#include "nat/meeting.h"
#include "nat/path.h"
#include "nat/quiet.h"
#include "site/site_internal.h"

#define SITE_LINKS_MAX 32
#define SITE_BARRIERS_MAX 4
#define LINK_ATTEMPTS_MAX 8                   /* that others may cause at once */
#define LINK_TRAFFIC_LASTS (10 * USEC_MINUTE) /* a link that traffic asked for outlives it */

enum link_stage {
	LINK_RESTS,   /* nothing is going on */
	LINK_LOOKS,   /* asks from where it is seen, before it offers */
	LINK_OFFERS,  /* waits for an answer */
	LINK_ANSWERS, /* an offer came: asks from where it is seen, before it answers */
	LINK_MEETS,   /* looks for a way */
	LINK_CALLS,   /* there is one: WireGuard's handshake, and a probe through it */
	LINK_LIVES,   /* a probe was answered through it */
	LINK_LEAVES,  /* traffic is with the hub again, and the other end is told */
	LINK_STAGES,
};

/* Why it is as it is. Each has its sentence in why.c. */
enum link_reason {
	LINK_NEW, /* nothing has happened yet */
	LINK_SELF,
	LINK_WITH_HUB,
	LINK_GONE,       /* it left, or was expelled */
	LINK_NO_POLICY,  /* links.with does not name it */
	LINK_UNLINKED,   /* the owner took it back */
	LINK_NOT_ASKED,  /* links.when: asked */
	LINK_NO_TRAFFIC, /* links.when: traffic */
	LINK_RELAY_ONLY, /* it says that it can have none */
	LINK_FULL,
	LINK_DEAF,       /* this machine may not send outside the tunnel */
	LINK_HUB_SILENT, /* the hub carries no offer */
	LINK_ROTATING,
	LINK_LOOKING,
	LINK_UNSEEN, /* the hub does not answer outside the tunnel, and nothing else is known */
	LINK_OFFERED,
	LINK_UNANSWERED,
	LINK_REFUSED, /* the verdict says why */
	LINK_MEETING,
	LINK_NOT_MET,
	LINK_CALLING,
	LINK_RECALLING,
	LINK_NO_HANDSHAKE,
	LINK_DIRECT,
	LINK_HUB_BETTER,
	LINK_DIED,
	LINK_HELD, /* it is good again, but has changed too often */
	LINK_ENDING,
	LINK_THEY_ENDED,
	LINK_REASONS,
};

/* What the last attempt showed. */
struct link_trial {
	usec_t at; /* -1: there was none */
	uint8_t attempt;
	uint8_t places;  /* of the other end that were tried */
	uint8_t refused; /* that were not */
	uint32_t heard;  /* datagrams of the other end */
	bool remapped;   /* it came from another port than it had named */
	bool same_home;
	enum offer_verdict verdict;
	struct nat_class theirs;
	struct nat_class ours;
	int64_t rtt_us; /* where it was found; -1: it was not */
};

/* The peer in WireGuard. */
struct link_peer {
	bool told;
	bool ended; /* one end has said so: nothing goes there any more */
	struct key key;
	struct hash certificate; /* that it follows from */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t handshake;
	uint64_t own_rx; /* of probes and gossip, since the last look */
	uint64_t own_tx;
	uint64_t tx_late; /* of own_tx that WireGuard had not counted at the last look */
	uint64_t rx_over; /* that it had counted then, and that nobody has accounted for */
	bool counted;
	usec_t heard_at;
};

/* Where and how it was met last: kept on disk, for when the hub is gone. */
struct link_memory {
	bool kept;
	struct endpoint place;
	struct key preshared;
	struct hash certificate;
};

/* What the ledger says of a member. */
struct link_standing {
	enum link_reason against; /* LINK_NEW: nothing */
	bool is_named;            /* by the policy here */
};

struct site_link {
	struct row_id member; /* the key */
	enum link_stage stage;
	enum link_reason reason;
	usec_t since;

	struct link_standing standing; /* as of that generation of the ledger */
	uint64_t judged_generation;
	bool judged;

	/* What the owner said. */
	bool asked;
	bool unlinked;
	uint64_t asked_until; /* ms, wall; 0: for ever */
	bool invited;         /* the other end wants it */
	bool released;        /* and it was told that we do not, any more */
	usec_t traffic_at;    /* -1: there was none */

	/* When it is tried. */
	struct quiet quiet;
	usec_t next_at;
	usec_t until; /* of the stage */
	uint32_t unanswered;
	uint32_t busy;        /* answers in a row that said so */
	usec_t failed_at;     /* -1: it did not */
	uint32_t budget_left; /* attempts that others may cause */
	usec_t budget_at;
	usec_t fresh_from;    /* what was seen before says nothing of where we are now */
	bool changed;         /* something, while an attempt went on */
	uint64_t their_clock; /* of the last offer that was taken */
	uint64_t their_saved; /* of the last that came to a link: the next agent knows of it */
	uint64_t our_clock;

	struct link_memory memory;
	bool awaits;  /* whoever calls with the keys of then is let in, and nothing more */
	bool recalls; /* it is called where it was met last */

	/* An attempt. */
	struct offer_pair pair;
	struct hash offered;
	usec_t offered_at;
	struct endpoint seen_as;      /* by the hub, when this end said where it is */
	uint8_t sent[OFFER_SIZE_MAX]; /* the offer, or the answer: what was lost is sent again */
	uint16_t sent_size;
	uint8_t sent_times;
	struct offer theirs; /* that is to be answered */
	struct hash theirs_hash;
	bool helped; /* it was passed on by this member: the answer goes that way, too */
	struct row_id helper;
	struct link_keys keys;
	bool offerer;
	bool initiates;
	struct meeting meeting;
	usec_t listen_until; /* for its datagrams outside the tunnel */
	struct endpoint found;
	uint32_t calls;
	usec_t call_again_at;
	struct link_trial trial;
	uint64_t attempts; /* at a meeting, that both ends wanted */

	/* A life. */
	struct link_peer peer;
	struct budget answers; /* to probes */
	bool has_path;
	struct path path;
	bool has_words; /* there was a meeting, and both ends know the key */
	struct seal words;
	uint8_t awaited; /* the word that was said and is not answered; 0: none */
	usec_t word_at;
	uint32_t word_times;
	bool routed; /* its networks have routes of their own */
	bool direct; /* which lead over it */
	uint64_t switches;
};

/* links.c */
struct site_link *site_link_of(const struct site *site, const struct row_id *member);
/* The same, made where there is none; NULL: there are too many. */
struct site_link *site_link_for_offer(struct site *site, const struct row_id *member);
void site_link_turn(
	struct site *site, struct site_link *link, enum link_stage stage, enum link_reason reason);
/* What is against a link with a member here; and why none is wanted now. LINK_NEW: nothing. */
enum link_reason site_link_objection(const struct site *site, const struct member *member);
enum link_reason site_link_idleness(const struct site *site, const struct member *member);
/* New keys are certified, or in use and not proven: links that are there have to end. */
bool site_links_rotate(const struct site *site);
/* Whether offers find their way. LINK_NEW: they do. */
enum link_reason site_link_obstacle(const struct site *site, const struct row_id *member);
/* Whether another attempt is going on with which this one would not agree: where ports follow each
 * other, each uses up what was foretold to the others. */
bool site_link_is_engaged(const struct site *site, const struct site_link *link);
/* It is not tried now: what there was before goes on being looked at. */
void site_link_fall_back(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason);
/* What was kept of it. */
void site_link_restore_offers(struct site *site, const struct row_id *member, uint64_t clock);
void site_link_restore_memory(
	struct site *site, const struct row_id *member, const struct link_memory *memory);
/* It came to nothing: a new attempt when routers have forgotten. */
void site_link_fail(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason);

/* links_meet.c */

/* Where we may be met, as it would be offered now. */
void site_link_places(const struct site *site, struct candidates *ret);
bool site_link_knows_places(const struct site *site);
void site_link_offer(struct site *site, struct site_link *link, struct site_actions *out);
/* Nobody answers: the offer goes once more. Returns false where that was done often enough. */
bool site_link_offer_again(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_answer(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_meet(struct site *site, struct site_link *link, struct site_actions *out,
	const struct meeting_actions *actions);

/* links_relay.c */

/* An offer or an answer that is on its way. */
struct link_letter {
	const uint8_t *bytes;
	size_t size;
	bool urgent; /* nobody answered before: who is linked with us may pass it on */
	bool helped; /* this member passed it on, and passes on what is said to it */
	struct row_id helper;
};

/* Sends one. */
void site_link_post(struct site *site, struct site_actions *out, const struct member *to,
	const struct link_letter *letter);

/* Whether there is somebody who might pass it on. */
bool site_link_has_helper(const struct site *site, const struct row_id *to);

/* Takes a letter that somebody passed on, or passes it on. Returns whether it is for this site. */
bool site_link_enclosed(struct site *site, const struct site_event *event, struct site_actions *out,
	const struct row_id *sender, struct row_id *ret_from, struct link_letter *ret);

/* links_carry.c */

/* The networks around an address in which no place may be. */
uint32_t site_link_barriers(const struct site *site, const struct address *address,
	struct candidate_barrier ret[static SITE_BARRIERS_MAX]);

/* The other end in WireGuard, without an endpoint: whoever calls is let in. */
void site_link_add_peer(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_drop_peer(struct site *site, struct site_link *link, struct site_actions *out);

/* Begins WireGuard's handshake with the place that was found. */
void site_link_call(struct site *site, struct site_link *link, struct site_actions *out);

/* Where the other end of a living link is met on the internet. */
bool site_link_place(const struct site *site, const struct row_id *member, struct endpoint *ret);

/* Calls it where it was met last, since nobody carries offers. Returns false where it never was. */
bool site_link_recall(struct site *site, struct site_link *link, struct site_actions *out);
/* Until then whoever calls with the keys of that time is let in. */
void site_link_await(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_forget(struct site *site, struct site_link *link, struct site_actions *out);

/* Leads its networks this way. */
void site_link_route(
	struct site *site, struct site_link *link, struct site_actions *out, bool direct);
void site_link_step_path(struct site *site, struct site_link *link, struct site_actions *out);
usec_t site_link_path_wakeup(const struct site *site, const struct site_link *link);
void site_link_traffic(struct site *site, struct site_link *link, uint64_t bytes);

/* Ends it without loss; or leaves the end to the other one, who may want it still. */
void site_link_leave(struct site *site, struct site_link *link, struct site_actions *out,
	enum link_reason reason);
void site_link_release(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_step_leave(struct site *site, struct site_link *link, struct site_actions *out);
void site_link_take_word(struct site *site, const struct site_event *event,
	struct site_actions *out, const struct row_id *sender);

/* why.c */

/* Whether such a router calls from ports that nobody can know. */
bool site_link_is_elusive(const struct nat_class *class);

enum link_reason site_link_reason(const struct site *site, const struct member *member);

/* A sentence with one "%s" for the member's name; a word for scripts. NULL behind the last. */
const char *site_link_sentence(enum link_reason reason);
const char *site_link_word(enum link_reason reason);

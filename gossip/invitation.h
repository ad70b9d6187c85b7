/* SPDX-License-Identifier: MIT */
/*
 * invitation.h - the hub's side of invites: who may come in by which, and who came.
 *
 * An invitation is open until somebody redeems it, its maker withdraws it, or it expires. Then its
 * temporary peer stays seven days and reaches only an answer that says what happened. Redeeming is
 * idempotent for one identity with the keys of its certificate; for another it is refused and both
 * are named.
 *
 * Pure: the caller saves what is marked as changed before it sends an answer, and then forgets the
 * mark. Whoever is interrupted by a crash begins again with the same request.
 */
#pragma once

#include "base/table.h"
#include "base/usec.h"
#include "gossip/invite.h"
#include "gossip/join.h"
#include "gossip/ledger.h"

#define INVITATIONS_MAX 64
#define INVITATION_SIZE_MAX 1024
#define INVITATION_ALERT_MS (3600 * 1000)
#define INVITATION_REDEEMED_AFTER_MS (60 * 1000)
#define INVITATION_KEPT_MS (UINT64_C(7) * 24 * 3600 * 1000)

enum invitation_state {
	INVITATION_OPEN = 1,
	INVITATION_ISSUED = 2,   /* a certificate was made; it may not have been heard of yet */
	INVITATION_REDEEMED = 3, /* the site came under its own key, or had the time to */
	INVITATION_WITHDRAWN = 4,
	INVITATION_EXPIRED = 5,
};

struct invitation {
	struct hash id;
	enum invitation_state state;
	bool approval; /* asked for, and not given yet */
	bool applied;  /* somebody has asked; the keys below are theirs */
	bool changed;  /* to be saved */
	bool gone;     /* to be removed from the store; taken out with the next step */
	uint8_t join_number;
	struct key peer;          /* the temporary peer: its public key, */
	struct key preshared_key; /* and what stands under both keys */
	char name[TEXT_NAME_MAX + 1];
	char sponsor[TEXT_NAME_MAX + 1];
	struct prefix reserved;
	struct prefixes routes;
	struct names tags;
	uint64_t expires;   /* ms */
	uint64_t issued_at; /* ms */
	uint64_t closed_at; /* ms: redeemed, withdrawn or expired */
	struct key site;
	struct key backbone;
	struct key links;
	uint32_t strangers; /* times that another identity was told of */
	uint64_t told_at;   /* ms: when the admins last heard of one */
};

struct invitations {
	struct table table;
	struct invitation items[INVITATIONS_MAX];
	uint32_t order[INVITATIONS_MAX];
};

/* What this hub can do by itself. */
struct invitation_issuer {
	const struct secret *admin; /* NULL: this hub holds no admin key */
	const char *admin_name;     /* whose agent is asked otherwise; "" */
};

/* What came of a request. */
struct invitation_outcome {
	struct join_reply reply;
	bool alert;  /* another identity tried: the admins are to be told */
	bool issued; /* fact is new and in the ledger: to be saved and spread */
	struct ledger_outcome ledger;
	size_t fact_size;
	uint8_t fact[FACT_SIZE_MAX];
};

void invitations_init(struct invitations *invitations);

/*
 * Adds an open one. Returns NULL and says why: no room, or the name or subnet is a member's or
 * another open invitation's.
 */
struct invitation *invitations_add(struct invitations *invitations, const struct ledger *ledger,
	const struct invitation *invitation, const char **why);

struct invitation *invitations_find(const struct invitations *invitations, const struct hash *id);
struct invitation *invitations_find_name(const struct invitations *invitations, const char *name);

/* Forgets an invite that could not be saved, as if it had never been made. */
void invitations_drop(struct invitations *invitations, const char *name);

/* Answers a request that came through the temporary tunnel. */
void invitations_request(struct invitations *invitations, struct ledger *ledger, uint64_t now,
	const struct join_request *request, const struct invitation_issuer *issuer,
	struct invitation_outcome *ret);

/* An admin approved, or the maker took it back. Return 0, or -EALREADY where it is too late. */
int invitation_approve(struct invitation *invitation);
int invitation_withdraw(struct invitation *invitation, uint64_t now);

/* Whether the site that came by it was expelled since: then nothing answers its temporary peer. */
bool invitation_is_shut(const struct invitation *invitation, const struct ledger *ledger);

/* The member with this key was heard under its own key. */
void invitations_heard(struct invitations *invitations, uint64_t now, const struct key *site);

/* Lets time pass; those marked as gone in the step before are taken out. */
void invitations_step(struct invitations *invitations, uint64_t now);

/* The wall time of the next change by itself, ms; UINT64_MAX: none. */
uint64_t invitations_wakeup(const struct invitations *invitations);

/* For the store. Returns the size. */
size_t invitation_pack(
	const struct invitation *invitation, uint8_t out[static INVITATION_SIZE_MAX]);
int invitation_unpack(struct invitation *ret, const void *bytes, size_t size);

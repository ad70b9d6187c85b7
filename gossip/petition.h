/* SPDX-License-Identifier: MIT */
/*
 * petition.h - a member asks an admin for the next version of its certificate: new WireGuard keys,
 * a longer life, or other routes.
 *
 * The petition is signed by the site and names the version it stands on, so an old one cannot be
 * played again. Any admin's agent may answer; the answer is the certificate itself, which spreads
 * like any fact. Asked again, the same petition yields the same certificate.
 */
#pragma once

#include "base/usec.h"
#include "gossip/ledger.h"

#define PETITION_SIZE_MAX 1024

struct petition {
	struct key site;
	uint32_t version; /* of the certificate that it stands on */
	struct key backbone;
	struct key links;
	struct prefixes routes;
	uint64_t clock; /* ms */
};

enum petition_result {
	PETITION_GRANTED,  /* a new certificate was made */
	PETITION_DONE,     /* it was made before */
	PETITION_STALE,    /* stands on another version than the one held */
	PETITION_STRANGER, /* of no member */
	PETITION_TAKEN,    /* a key or prefix is another's */
	PETITION_APPROVAL, /* other routes: a person has to say yes */
	PETITION_REFUSED,  /* more than this admin may grant */
};

/* Writes and signs. Returns the size. */
size_t petition_write(const struct petition *petition, const struct secret *site,
	const struct hash *collective, const struct crypto *crypto,
	uint8_t out[static PETITION_SIZE_MAX]);

/* Reads and verifies. Returns 0, -EBADMSG, -EXDEV, -EKEYREJECTED. */
int petition_read(struct petition *ret, const struct hash *collective, const struct crypto *crypto,
	const void *bytes, size_t size);

/* How an admin answers. */
struct petition_terms {
	const struct secret *admin;
	bool routes_approved; /* by a person */
	uint64_t lifetime_ms; /* of certificates that have an end; 0: as long as before */
};

/*
 * Answers a petition. After PETITION_GRANTED the certificate is in the ledger and in fact, to be
 * saved and spread.
 */
enum petition_result petition_answer(struct ledger *ledger, uint64_t now,
	const struct petition *petition, const struct petition_terms *terms,
	uint8_t fact[static FACT_SIZE_MAX], struct ledger_outcome *outcome);

/* A sentence for people. */
const char *petition_text(enum petition_result result);

/* When a certificate with an end is to be renewed, ms: a third of its life before; 0: never. */
uint64_t petition_renewal(const struct certificate *certificate);

/*
 * The preshared key that belongs to a new WireGuard key, from the one before. Both ends compute it;
 * what made the first one safe makes this one safe. Where both ends change their keys at once the
 * result is the same in either order.
 */
void preshared_next(const struct key *before, const struct key *fresh, struct key *ret);

/* The rotation of one of a site's keys, seen from the site. Both key pairs are on disk first. */
enum rotation_state {
	ROTATION_IDLE,
	ROTATION_ASKING,   /* the certificate with the new key is not there yet */
	ROTATION_SWITCHED, /* the new key is in use; the other side was not heard under it yet */
};

#define ROTATION_ASK_FIRST USEC_SECOND
#define ROTATION_ASK_MOST (30 * USEC_SECOND)
#define ROTATION_PROOF                                                             \
	(15 * USEC_SECOND) /* to be heard under the new key, or go back to the old \
			    */

struct rotation {
	enum rotation_state state;
	usec_t next;
	usec_t pause;
	uint32_t asked; /* how often: the admin to ask is this modulo their number */
};

/* What a step asks for. At most one is set. */
struct rotation_action {
	bool ask;     /* send the petition to an admin */
	bool use_new; /* set the pending key and its preshared key, in one change */
	bool use_old; /* go back */
	bool promote; /* the pending key is the current one now; the old one is to be forgotten */
};

void rotation_init(struct rotation *rotation);

/* A pending key pair was saved, now or before a crash. */
void rotation_begin(struct rotation *rotation, usec_t now);

/*
 * Lets time pass. certified: the ledger's certificate names the pending key. silent: the other side
 * was not heard for long under the key in use; perhaps it knows the pending one already, and could
 * not say so. heard: the other side answered under the pending key since it was set.
 */
struct rotation_action rotation_step(
	struct rotation *rotation, usec_t now, bool certified, bool silent, bool heard);
usec_t rotation_wakeup(const struct rotation *rotation);

/* SPDX-License-Identifier: MIT */
/*
 * offer.h - two sites agree to meet: an offer, an answer, and the keys that come of both.
 *
 * They travel through the tunnel, by the hub, which reads neither: each is sealed to its reader and
 * signed by its writer. Each end brings a key of its own for this one meeting, so that what was
 * recorded opens to nobody later, and a link has keys that no other link has. An offer that comes
 * twice, or late, is known by its clock.
 */
#pragma once

#include "base/prng.h"
#include "gossip/envelope.h"
#include "gossip/receipt.h"
#include "gossip/record.h"

#define OFFER_CANDIDATES_MAX 8
#define OFFER_RECEIPTS_MAX 3
#define OFFER_SIZE_MAX 1100

/* Why somebody does not meet; the first one says that he does. */
enum offer_verdict {
	OFFER_ACCEPTED,
	OFFER_POLICY,  /* this site wants no link with that one */
	OFFER_QUIET,   /* it failed a moment ago: routers have to forget first */
	OFFER_BUSY,    /* too many meetings at once */
	OFFER_CROSSED, /* the reader's own offer stands, and is on its way */
	OFFER_STALE,   /* the offer is old, or came before */
	OFFER_UNREADY, /* it does not know yet where it is */
	OFFER_VERDICTS,
};

struct offer_candidate {
	uint8_t kind; /* nat's kinds; one that is not known is tried all the same */
	struct endpoint endpoint;
};

/* An offer, or an answer, which has a verdict and the hash of the offer that it is to. */
struct offer {
	bool is_answer;
	struct key site;      /* who wrote it */
	struct key ephemeral; /* X25519, for this meeting alone */
	uint64_t clock;       /* ms, by the writer's clock; each offer to a site has a later one */
	struct nat_class nat;
	bool clock_off;  /* its clock is not to be trusted: WireGuard might refuse its initiation */
	uint8_t attempt; /* how many went before it, since something changed */
	uint32_t candidate_count;
	struct offer_candidate candidates[OFFER_CANDIDATES_MAX];
	uint32_t receipt_count;
	struct receipt receipts[OFFER_RECEIPTS_MAX];
	struct hash offer;          /* of an answer */
	enum offer_verdict verdict; /* of an answer */
	bool initiates; /* of an answer: whether its writer begins WireGuard's handshake */
};

/* The private half of what one end brings. */
struct offer_pair {
	struct key private_key;
	struct key public_key;
};

void offer_pair_draw(struct offer_pair *ret, struct prng *prng);

/* Of whom an end of a meeting knows what. All keys but the ephemeral one are certified. */
struct offer_ends {
	const struct hash *collective;
	const struct crypto *crypto;
	const struct secret *own;    /* that signs */
	const struct key *own_links; /* private, of our links interface */
	const struct key
		*other_site; /* writing: the reader; reading: NULL, who it is stands inside */
	const struct key *other_links; /* public; reading an offer: NULL */
};

/*
 * Writes one, sealed to the other end. An answer is sealed with the offer's key as well. Returns
 * its size, -EMSGSIZE, or -EKEYREJECTED for a key that is none.
 */
int offer_write(const struct offer *offer, const struct offer_ends *ends,
	const struct offer_pair *pair, const struct offer *answered,
	uint8_t out[static OFFER_SIZE_MAX]);

/*
 * Reads one. Of an answer, pair and offered are what we offered. Returns 0; -EBADMSG; -EXDEV for
 * another collective's; -EKEYREJECTED where it is not for us, or not by whom it says. Whether its
 * writer is a member, who reads it has to see.
 */
int offer_read(struct offer *ret, const struct offer_ends *ends, const struct offer_pair *pair,
	const void *bytes, size_t size);

/* Of the bytes of an offer: what its answer names. */
struct hash offer_hash(const void *bytes, size_t size);

/* What a link has of its own. */
struct link_keys {
	struct key preshared; /* WireGuard's */
	struct key probe;     /* of datagrams outside the tunnel */
	struct key path;      /* of words about the path, by the hub */
};

/*
 * The keys of a meeting, the same at both ends: from both ephemeral keys and both links keys. offer
 * and answer are the hashes of their bytes. Returns 0 or -EKEYREJECTED.
 */
int link_keys_derive(struct link_keys *ret, const struct offer_pair *pair, bool offerer,
	const struct key *own_links, const struct key *other_ephemeral,
	const struct key *other_links, const struct hash *offer, const struct hash *answer);
void link_keys_wipe(struct link_keys *keys);

/* The verdict in words for people, from the other end's side: "%s wants no direct link with this
 * site". */
const char *offer_verdict_text(enum offer_verdict verdict);

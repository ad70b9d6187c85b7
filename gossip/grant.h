/* SPDX-License-Identifier: MIT */
/*
 * grant.h - an invite made by an admin elsewhere, on its way to the hub.
 *
 * The hub has to let the newcomer's temporary peer in; the invite's secret it need not know. So the
 * admin sends what the hub needs, signed by the admin, with the preshared key sealed to the hub's
 * WireGuard key. It travels over the network like any message, and may come twice.
 */
#pragma once

#include "base/prng.h"
#include "gossip/envelope.h"
#include "gossip/invitation.h"

#define GRANT_SIZE_MAX ENVELOPE_SIZE_MAX

/*
 * Writes, seals and signs. hub_key is the hub's backbone key; chance comes from prng. Returns the
 * size, or -EMSGSIZE.
 */
int grant_write(const struct invitation *invitation, uint64_t clock, const struct key *hub_key,
	const struct secret *admin, const struct hash *collective, const struct crypto *crypto,
	struct prng *prng, uint8_t out[static GRANT_SIZE_MAX]);

/*
 * Reads, verifies and opens, at the hub. Returns 0; -EBADMSG; -EXDEV for another collective;
 * -EKEYREJECTED when it is not signed by a living admin who may grant all of it, or is not sealed
 * to this key; -EKEYEXPIRED when the invite has expired.
 */
int grant_read(struct invitation *ret, const struct ledger *ledger, uint64_t now,
	const struct key *hub_private, const void *bytes, size_t size);

#define GRANT_WHY_SIZE 80

/* What the hub says to it. It comes through the tunnel, unsigned, like the answer to a join. */
struct grant_answer {
	struct hash invite;
	uint64_t clock;
	char why[GRANT_WHY_SIZE]; /* it cannot be; "": it was taken */
};

size_t grant_answer_write(const struct grant_answer *answer, const struct hash *collective,
	uint8_t out[static GRANT_SIZE_MAX]);

/* Returns 0, -EBADMSG, or -EXDEV for another collective. */
int grant_answer_read(
	struct grant_answer *ret, const struct hash *collective, const void *bytes, size_t size);

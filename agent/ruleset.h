/* SPDX-License-Identifier: MIT */
/*
 * ruleset.h - what the packet filters of this machine would do with a packet, as nf_tables has
 * them; the rules of iptables-nft are among these.
 *
 * Rules are walked as the kernel walks them, and read when the way leads there. What cannot be told
 * from here (how many came before, say) makes the answer unsure, and so does a way that is longer
 * than the work that is allowed. Looks at IPv4, and at the hooks for what comes in and for what is
 * forwarded; at no older iptables.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define RULESET_NAME_SIZE 256

/* Of one look, in about tenths of a microsecond; one expression of a rule is one. */
#define RULESET_WORK_MAX 300000

struct ruleset;

/* A UDP datagram, from any port. */
struct ruleset_packet {
	const char *in;
	const char *out; /* NULL: it is for this machine */
	struct address from;
	struct address to;
	uint16_t port;
	bool answer; /* of a connection that is known; else it begins one */
};

enum ruleset_verdict {
	RULESET_PASSES,
	RULESET_DROPS,
	RULESET_UNSURE, /* what a rule does that decides cannot be told */
};

/* Whose word it is: the chain at which the kernel hands packets to a filter. */
struct ruleset_place {
	uint8_t family;
	char table[RULESET_NAME_SIZE]; /* "": none drops */
	char chain[RULESET_NAME_SIZE];
};

/* Firewalls that write rules, by the names that they give them. */
struct ruleset_authors {
	bool docker;
	bool ufw;
	bool firewalld;
};

/*
 * Begins a look. Returns 0, -EPERM where this user may not look, -E2BIG where there are too many
 * chains, or another error: no nf_tables.
 */
int ruleset_open(struct ruleset **ret);

/* NULL is fine. */
void ruleset_close(struct ruleset *ruleset);

/* What becomes of a packet, and by which filter. */
enum ruleset_verdict ruleset_ask(
	struct ruleset *ruleset, const struct ruleset_packet *packet, struct ruleset_place *ret_by);

/*
 * The number of the rules with which the look began, and of those that stand now; 0: it cannot be
 * had. It is another one after each change, and what was answered meanwhile is worth nothing then.
 */
uint32_t ruleset_generation(const struct ruleset *ruleset);
uint32_t ruleset_generation_now(void);

/* Work that was done. */
uint32_t ruleset_work(const struct ruleset *ruleset);

struct ruleset_authors ruleset_authors(const struct ruleset *ruleset);

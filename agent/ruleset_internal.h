/* SPDX-License-Identifier: MIT */
/*
 * ruleset_internal.h - a rule set as it was read, and a packet on its way through it.
 */
#pragma once

#include <netinet/ip.h>
#include <netinet/udp.h>

#include "agent/netlink.h"
#include "agent/ruleset.h"

#define RULESET_REGISTERS_SIZE 80 /* bytes: one place of 16 for verdicts, four of 16 */
#define RULESET_SOURCE_PORT 41641 /* one that no service has */

/* ruleset.c */

struct ruleset_table {
	uint8_t family;
	char name[RULESET_NAME_SIZE];
};

struct ruleset_chain {
	uint8_t family;
	char table[RULESET_NAME_SIZE];
	char name[RULESET_NAME_SIZE];
	bool is_base; /* the kernel hands packets to it, at a hook */
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
	uint32_t use; /* its rules are no more than this */
	bool is_read;
	uint8_t *rules; /* the nests of their expressions, one behind the other */
	uint32_t size, capacity;
};

struct ruleset {
	struct netlink *netlink; /* rules and sets are asked for when the way leads there */
	uint32_t generation;     /* of what was read */
	uint32_t work;
	struct ruleset_authors authors;
	struct ruleset_table *sleepers; /* tables without effect */
	uint32_t sleeper_count, sleeper_capacity;
	uint32_t table_use;           /* chains and sets of all tables, and what else is theirs */
	struct ruleset_chain *chains; /* base chains first */
	uint32_t base_count, chain_count, chain_capacity;
};

/* Counts work that is about to be done. Returns whether it may be: once it was not, nothing may. */
bool ruleset_spend(struct ruleset *ruleset, uint32_t work);

/* Reads the rules of a chain, unless they are there. Returns whether they are. */
bool ruleset_read(struct ruleset *ruleset, struct ruleset_chain *chain);

/* Where a rule of a chain leads by a name; NULL: nowhere. */
struct ruleset_chain *ruleset_find(
	const struct ruleset *ruleset, const struct ruleset_chain *from, const char *name);

/* How many bytes the keys of a set have. Returns 0 or negative errno. */
int ruleset_key_size(
	struct ruleset *ruleset, const struct ruleset_chain *chain, const char *set, uint32_t *ret);

struct ruleset_key {
	const uint8_t *bytes;
	uint32_t size;
};

typedef void (*ruleset_element_fn)(const struct nlattr *element, void *context);

/*
 * What a set has for a key, as the kernel finds it: also by a range. NULL: what it has for all
 * other keys. Returns 0, -ENOENT where there is nothing, or another error.
 */
int ruleset_element(struct ruleset *ruleset, const struct ruleset_chain *chain, const char *set,
	const struct ruleset_key *key, ruleset_element_fn take, void *context);

/* An attribute of a nest, its text, its number; NULL, "", the default where there is none. */
const struct nlattr *ruleset_part(const struct nlattr *nest, uint16_t type);
const char *ruleset_text(const struct nlattr *attribute);
uint32_t ruleset_number(const struct nlattr *attribute, uint32_t otherwise);

/* ruleset_walk.c, ruleset_rule.c and ruleset_match.c */

enum truth { TRUTH_NO, TRUTH_YES, TRUTH_PERHAPS };

enum truth ruleset_truth(bool value);

/* Beside the kernel's own verdicts: what becomes of the packet cannot be told any more. */
#define RULESET_LOST NFT_BREAK

struct packet_bytes {
	struct iphdr ip;
	struct udphdr udp;
};

#define GUESSED 0xff

struct walk {
	struct ruleset *ruleset;
	const struct ruleset_packet *packet;
	const struct ruleset_chain *chain; /* where it is */
	struct packet_bytes bytes;
	struct packet_bytes guessed; /* GUESSED at bytes of which none is known */
	uint32_t in, out;            /* interfaces; 0: none */
	bool marked;                 /* marks may have been set, */
	bool untracked;              /* and what connection tracking says */
	uint8_t registers[RULESET_REGISTERS_SIZE];
	bool known[RULESET_REGISTERS_SIZE];
	/* Of a rule: */
	int verdict; /* NFT_CONTINUE: it has none */
	char target[RULESET_NAME_SIZE];
	bool perhaps; /* whether it applies cannot be told */
	/* Of a base chain: a rule of which that cannot be told accepts, or drops. */
	bool may_pass, may_drop;
};

/* What a rule says of the packet stays in the walk. */
void ruleset_rule(struct walk *walk, const struct nlattr *expressions);

/* What iptables-nft leaves to older code: whether a match of that applies. */
enum truth ruleset_match(const struct walk *walk, const struct nlattr *data);

/* Bits of NF_CT_STATE_BIT(): what connection tracking says of the packet. */
uint32_t ruleset_state(const struct walk *walk);

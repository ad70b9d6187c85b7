/* SPDX-License-Identifier: MIT */
/*
 * ruleset_walk.c - a packet on its way through the chains of a rule set.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "agent/ruleset_internal.h"

#define DEPTH_MAX 16 /* as the kernel has it */

static int do_chain(struct walk *walk, struct ruleset_chain *chain, int depth);

/* What a rule has said; NFT_CONTINUE: the next one is asked. Sets whether the chain ends there. */
static int follow(struct walk *walk, int depth, bool *ends)
{
	int verdict = walk->verdict;
	struct ruleset_chain *target;

	*ends = verdict != NFT_CONTINUE;
	if (verdict == NFT_CONTINUE || verdict == NFT_RETURN)
		return NFT_CONTINUE;
	if (verdict != NFT_JUMP && verdict != NFT_GOTO)
		return verdict == NF_DROP || verdict == NF_ACCEPT ? verdict : RULESET_LOST;
	target = ruleset_find(walk->ruleset, walk->chain, walk->target);
	*ends = verdict == NFT_GOTO;
	verdict = target ? do_chain(walk, target, depth + 1) : RULESET_LOST;
	*ends = *ends || verdict != NFT_CONTINUE;
	return verdict;
}

/* Remembers what a rule does, if it applies. Returns whether the chain goes on if it does not. */
static bool may(struct walk *walk, int verdict)
{
	walk->may_pass = walk->may_pass || verdict == NF_ACCEPT;
	walk->may_drop = walk->may_drop || verdict == NF_DROP;
	return verdict == NF_ACCEPT || verdict == NF_DROP;
}

/* Returns NF_ACCEPT, NF_DROP, NFT_CONTINUE at the end of a chain, or RULESET_LOST. */
static int do_chain(struct walk *walk, struct ruleset_chain *chain, int depth)
{
	const struct nlattr *rule;
	uint32_t at = 0;

	if (depth == DEPTH_MAX || !ruleset_spend(walk->ruleset, 1) ||
		!ruleset_read(walk->ruleset, chain))
		return RULESET_LOST;
	for (; at < chain->size; at += MNL_ALIGN(rule->nla_len)) {
		bool ends = false;
		bool perhaps;
		int verdict;

		if (!ruleset_spend(walk->ruleset, 1))
			return RULESET_LOST;
		walk->chain = chain;
		rule = (const void *)(chain->rules + at);
		ruleset_rule(walk, rule);
		perhaps = walk->perhaps;
		verdict = follow(walk, depth, &ends);
		if (ends && !perhaps)
			return verdict;
		if (ends && !may(walk, verdict))
			return RULESET_LOST;
	}
	return NFT_CONTINUE;
}

static void make_packet(struct walk *walk)
{
	const struct ruleset_packet *packet = walk->packet;

	walk->bytes.ip.version = IPVERSION;
	walk->bytes.ip.ihl = sizeof walk->bytes.ip / 4;
	walk->bytes.ip.protocol = IPPROTO_UDP;
	memcpy(&walk->bytes.ip.saddr, packet->from.bytes, sizeof walk->bytes.ip.saddr);
	memcpy(&walk->bytes.ip.daddr, packet->to.bytes, sizeof walk->bytes.ip.daddr);
	walk->bytes.udp.source = htons(RULESET_SOURCE_PORT);
	walk->bytes.udp.dest = htons(packet->port);
	memset(&walk->guessed.ip.tos, GUESSED, sizeof walk->guessed.ip.tos);
	memset(&walk->guessed.ip.tot_len, GUESSED, sizeof walk->guessed.ip.tot_len);
	memset(&walk->guessed.ip.id, GUESSED, sizeof walk->guessed.ip.id);
	memset(&walk->guessed.ip.ttl, GUESSED, sizeof walk->guessed.ip.ttl);
	memset(&walk->guessed.ip.check, GUESSED, sizeof walk->guessed.ip.check);
	memset(&walk->guessed.udp.len, GUESSED, sizeof walk->guessed.udp.len);
	memset(&walk->guessed.udp.check, GUESSED, sizeof walk->guessed.udp.check);
	walk->in = if_nametoindex(packet->in);
	walk->out = packet->out ? if_nametoindex(packet->out) : 0;
}

static enum ruleset_verdict judge(struct walk *walk, struct ruleset_chain *chain)
{
	int verdict;

	walk->may_pass = false;
	walk->may_drop = false;
	verdict = do_chain(walk, chain, 0);
	if (verdict == NFT_CONTINUE)
		verdict = (int)chain->policy;
	if (verdict == NF_DROP)
		return walk->may_pass ? RULESET_UNSURE : RULESET_DROPS;
	if (verdict == NF_ACCEPT)
		return walk->may_drop ? RULESET_UNSURE : RULESET_PASSES;
	/* Rules that were not come to may have changed all of it. */
	memset(&walk->guessed, GUESSED, sizeof walk->guessed);
	walk->marked = true;
	walk->untracked = true;
	return RULESET_UNSURE;
}

enum ruleset_verdict ruleset_ask(
	struct ruleset *ruleset, const struct ruleset_packet *packet, struct ruleset_place *ret_by)
{
	struct walk walk = {.ruleset = ruleset, .packet = packet};
	uint32_t hook = packet->out ? NF_INET_FORWARD : NF_INET_LOCAL_IN;
	enum ruleset_verdict worst = RULESET_PASSES;

	make_packet(&walk);
	memset(ret_by, 0, sizeof *ret_by);
	/* Each base chain has to let it through, whatever another said. */
	for (uint32_t i = 0; i < ruleset->base_count && worst != RULESET_DROPS; i++) {
		struct ruleset_chain *chain = &ruleset->chains[i];
		enum ruleset_verdict verdict;

		if (chain->hook != NF_INET_PRE_ROUTING && chain->hook != hook)
			continue;
		verdict = judge(&walk, chain);
		/* Before routing, packets are marked and changed; what is dropped there is not
		 * told. */
		if (chain->hook != hook || verdict == RULESET_PASSES || verdict == worst)
			continue;
		worst = verdict;
		ret_by->family = chain->family;
		memcpy(ret_by->table, chain->table, sizeof ret_by->table);
		memcpy(ret_by->chain, chain->name, sizeof ret_by->chain);
	}
	return worst;
}

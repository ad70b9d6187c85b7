/* SPDX-License-Identifier: MIT */
/*
 * ruleset_rule.c - one rule, and the expressions of which rules are made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/rtnetlink.h>

#include "agent/ruleset_internal.h"

static enum truth do_expression(struct walk *walk, const struct nlattr *expression);

/* Registers: 16 bytes each by their old names, 4 by the newer ones. */

static size_t place_of(uint32_t number)
{
	if (number <= NFT_REG_4)
		return (size_t)number * NFT_REG_SIZE;
	return ((size_t)number - NFT_REG32_00) * NFT_REG32_SIZE + NFT_REG_SIZE;
}

/* As the kernel does it, up to the end of a word: behind the value stand zeros. */
static void load(struct walk *walk, const struct nlattr *target, const void *value, size_t size)
{
	size_t place = place_of(ruleset_number(target, 0));
	size_t whole = (size + NFT_REG32_SIZE - 1) / NFT_REG32_SIZE * NFT_REG32_SIZE;

	if (whole > RULESET_REGISTERS_SIZE || place > RULESET_REGISTERS_SIZE - whole)
		return;
	memset(walk->registers + place, 0, whole);
	if (value)
		memcpy(walk->registers + place, value, size);
	memset(walk->known + place, value != NULL, whole);
}

static void forget_registers(struct walk *walk)
{
	memset(walk->known, false, sizeof walk->known);
}

/* What a register holds; NULL where that is not known. */
static const uint8_t *held(const struct walk *walk, const struct nlattr *source, size_t size)
{
	size_t place = place_of(ruleset_number(source, 0));

	if (size > RULESET_REGISTERS_SIZE || place > RULESET_REGISTERS_SIZE - size)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		if (!walk->known[place + i])
			return NULL;
	}
	return walk->registers + place;
}

enum truth ruleset_truth(bool value)
{
	return value ? TRUTH_YES : TRUTH_NO;
}

/* Loading. */

static enum truth do_payload(struct walk *walk, const struct nlattr *data)
{
	uint32_t base = ruleset_number(ruleset_part(data, NFTA_PAYLOAD_BASE), UINT32_MAX);
	uint32_t offset = ruleset_number(ruleset_part(data, NFTA_PAYLOAD_OFFSET), 0);
	uint32_t size = ruleset_number(ruleset_part(data, NFTA_PAYLOAD_LEN), 0);
	const struct nlattr *target = ruleset_part(data, NFTA_PAYLOAD_DREG);
	const struct packet_bytes *bytes = &walk->bytes;
	const struct packet_bytes *guessed = &walk->guessed;
	const uint8_t *from = (const uint8_t *)&bytes->ip;
	const uint8_t *guess = (const uint8_t *)&guessed->ip;
	size_t there = sizeof bytes->ip;

	if (!target) {
		/* It writes into the packet. */
		memset(&walk->guessed, GUESSED, sizeof walk->guessed);
		return TRUTH_YES;
	}
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER) {
		from = (const uint8_t *)&bytes->udp;
		guess = (const uint8_t *)&guessed->udp;
		there = sizeof bytes->udp;
	}
	if ((base != NFT_PAYLOAD_NETWORK_HEADER && base != NFT_PAYLOAD_TRANSPORT_HEADER) ||
		offset > there || size > there - offset || memchr(guess + offset, GUESSED, size))
		from = NULL;
	load(walk, target, from ? from + offset : NULL, size);
	return TRUTH_YES;
}

static void load_name(struct walk *walk, const struct nlattr *target, const char *name)
{
	char text[IFNAMSIZ] = "";

	(void)snprintf(text, sizeof text, "%s", name ? name : "");
	load(walk, target, text, sizeof text);
}

static enum truth do_meta(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *target = ruleset_part(data, NFTA_META_DREG);
	const uint8_t protocol = IPPROTO_UDP;
	const uint8_t family = NFPROTO_IPV4;
	const uint16_t ethernet = htons(0x0800);
	const uint32_t none = 0;

	if (!target) {
		walk->marked = true;
		return TRUTH_YES;
	}
	switch (ruleset_number(ruleset_part(data, NFTA_META_KEY), UINT32_MAX)) {
	case NFT_META_L4PROTO:
		load(walk, target, &protocol, sizeof protocol);
		break;
	case NFT_META_NFPROTO:
		load(walk, target, &family, sizeof family);
		break;
	case NFT_META_PROTOCOL:
		load(walk, target, &ethernet, sizeof ethernet);
		break;
	case NFT_META_PKTTYPE: /* PACKET_HOST */
	case NFT_META_MARK:
		load(walk, target, walk->marked ? NULL : &none, sizeof none);
		break;
	case NFT_META_IIFNAME:
		load_name(walk, target, walk->packet->in);
		break;
	case NFT_META_OIFNAME:
		load_name(walk, target, walk->packet->out);
		break;
	case NFT_META_IIF:
		load(walk, target, &walk->in, sizeof walk->in);
		break;
	case NFT_META_OIF:
		load(walk, target, &walk->out, sizeof walk->out);
		break;
	default:
		load(walk, target, NULL, NFT_REG_SIZE);
	}
	return TRUTH_YES;
}

uint32_t ruleset_state(const struct walk *walk)
{
	return walk->packet->answer ? NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
				    : NF_CT_STATE_BIT(IP_CT_NEW);
}

static enum truth do_ct(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *target = ruleset_part(data, NFTA_CT_DREG);
	const bool answer = walk->packet->answer;
	const uint32_t state = ruleset_state(walk);
	const uint32_t none = 0;

	if (!target) {
		walk->marked = true;
		return TRUTH_YES;
	}
	switch (ruleset_number(ruleset_part(data, NFTA_CT_KEY), UINT32_MAX)) {
	case NFT_CT_STATE:
		load(walk, target, walk->untracked ? NULL : &state, sizeof state);
		break;
	case NFT_CT_STATUS: /* it was not translated */
		load(walk, target, walk->untracked || answer ? NULL : &none, sizeof none);
		break;
	case NFT_CT_MARK:
		load(walk, target, walk->marked || answer ? NULL : &none, sizeof none);
		break;
	default:
		load(walk, target, NULL, NFT_REG_SIZE);
	}
	return TRUTH_YES;
}

static enum truth do_fib(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *target = ruleset_part(data, NFTA_FIB_DREG);
	uint32_t flags = ruleset_number(ruleset_part(data, NFTA_FIB_FLAGS), 0);
	uint32_t kind = flags & NFTA_FIB_F_DADDR && !walk->packet->out ? RTN_LOCAL : RTN_UNICAST;

	if (ruleset_number(ruleset_part(data, NFTA_FIB_RESULT), 0) == NFT_FIB_RESULT_ADDRTYPE &&
		walk->guessed.ip.daddr == 0)
		load(walk, target, &kind, sizeof kind);
	else
		load(walk, target, NULL, NFT_REG_SIZE);
	return TRUTH_YES;
}

static enum truth do_bitwise(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *mask = ruleset_part(
		ruleset_part(data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE);
	const struct nlattr *other = ruleset_part(
		ruleset_part(data, NFTA_BITWISE_XOR), NFTA_DATA_VALUE);
	uint32_t size = ruleset_number(ruleset_part(data, NFTA_BITWISE_LEN), 0);
	const uint8_t *from = held(walk, ruleset_part(data, NFTA_BITWISE_SREG), size);
	uint8_t result[RULESET_REGISTERS_SIZE];

	if (!from || !mask || !other || mnl_attr_get_payload_len(mask) < size ||
		mnl_attr_get_payload_len(other) < size) {
		load(walk, ruleset_part(data, NFTA_BITWISE_DREG), NULL, size);
		return TRUTH_YES;
	}
	for (uint32_t i = 0; i < size; i++)
		result[i] = (uint8_t)((from[i] & ((const uint8_t *)mnl_attr_get_payload(mask))[i]) ^
				      ((const uint8_t *)mnl_attr_get_payload(other))[i]);
	load(walk, ruleset_part(data, NFTA_BITWISE_DREG), result, size);
	return TRUTH_YES;
}

/* Comparing. */

static enum truth do_cmp(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *value = ruleset_part(
		ruleset_part(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
	size_t size = value ? mnl_attr_get_payload_len(value) : 0;
	const uint8_t *have = held(walk, ruleset_part(data, NFTA_CMP_SREG), size);
	int order;

	if (!value || !have)
		return TRUTH_PERHAPS;
	order = memcmp(have, mnl_attr_get_payload(value), size);
	switch (ruleset_number(ruleset_part(data, NFTA_CMP_OP), UINT32_MAX)) {
	case NFT_CMP_EQ:
		return ruleset_truth(order == 0);
	case NFT_CMP_NEQ:
		return ruleset_truth(order != 0);
	case NFT_CMP_LT:
		return ruleset_truth(order < 0);
	case NFT_CMP_LTE:
		return ruleset_truth(order <= 0);
	case NFT_CMP_GT:
		return ruleset_truth(order > 0);
	case NFT_CMP_GTE:
		return ruleset_truth(order >= 0);
	default:
		return TRUTH_PERHAPS;
	}
}

static enum truth do_range(struct walk *walk, const struct nlattr *data)
{
	const struct nlattr *from = ruleset_part(
		ruleset_part(data, NFTA_RANGE_FROM_DATA), NFTA_DATA_VALUE);
	const struct nlattr *to = ruleset_part(
		ruleset_part(data, NFTA_RANGE_TO_DATA), NFTA_DATA_VALUE);
	size_t size = from ? mnl_attr_get_payload_len(from) : 0;
	const uint8_t *have = held(walk, ruleset_part(data, NFTA_RANGE_SREG), size);
	bool inside;

	if (!have || !to || size == 0 || mnl_attr_get_payload_len(to) != size)
		return TRUTH_PERHAPS;
	inside = memcmp(have, mnl_attr_get_payload(from), size) >= 0 &&
		 memcmp(have, mnl_attr_get_payload(to), size) <= 0;
	return ruleset_truth(
		inside == (ruleset_number(ruleset_part(data, NFTA_RANGE_OP), 0) == NFT_RANGE_EQ));
}

/* Verdicts, which stand in rules and in maps. */

static void take_data(struct walk *walk, const struct nlattr *target, const struct nlattr *data)
{
	const struct nlattr *verdict = ruleset_part(data, NFTA_DATA_VERDICT);
	const struct nlattr *value = ruleset_part(data, NFTA_DATA_VALUE);

	if (verdict) {
		walk->verdict = (int)ruleset_number(
			ruleset_part(verdict, NFTA_VERDICT_CODE), (uint32_t)NFT_CONTINUE);
		(void)snprintf(walk->target, sizeof walk->target, "%s",
			ruleset_text(ruleset_part(verdict, NFTA_VERDICT_CHAIN)));
	} else if (value) {
		load(walk, target, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value));
	}
}

static enum truth do_immediate(struct walk *walk, const struct nlattr *data)
{
	take_data(walk, ruleset_part(data, NFTA_IMMEDIATE_DREG),
		ruleset_part(data, NFTA_IMMEDIATE_DATA));
	return TRUTH_YES;
}

static enum truth do_reject(struct walk *walk, const struct nlattr *data)
{
	(void)data;
	walk->verdict = NF_DROP;
	return TRUTH_YES;
}

/* Sets. The kernel looks into them itself: they may be large. */

struct search {
	struct walk *walk;
	const struct nlattr *target; /* of what a map has for it */
	bool found;
	enum truth applies; /* what the element's own expression says */
};

static void see_element(const struct nlattr *element, void *context)
{
	struct search *search = context;
	const struct nlattr *expression = ruleset_part(element, NFTA_SET_ELEM_EXPR);

	search->found = true;
	if (expression)
		search->applies = do_expression(search->walk, expression);
	if (ruleset_part(element, NFTA_SET_ELEM_EXPRESSIONS))
		search->applies = TRUTH_PERHAPS;
	take_data(search->walk, search->target, ruleset_part(element, NFTA_SET_ELEM_DATA));
}

/* Returns 0, or negative errno where that cannot be told. */
static int find(struct search *search, const struct nlattr *data)
{
	struct walk *walk = search->walk;
	const char *set = ruleset_text(ruleset_part(data, NFTA_LOOKUP_SET));
	struct ruleset_key key;
	int r = ruleset_key_size(walk->ruleset, walk->chain, set, &key.size);

	if (r < 0)
		return r;
	key.bytes = held(walk, ruleset_part(data, NFTA_LOOKUP_SREG), key.size);
	if (!key.bytes)
		return -ENODATA;
	r = ruleset_element(walk->ruleset, walk->chain, set, &key, see_element, search);
	if (r == -ENOENT)
		r = ruleset_element(walk->ruleset, walk->chain, set, NULL, see_element, search);
	return r == -ENOENT ? 0 : r;
}

static enum truth do_lookup(struct walk *walk, const struct nlattr *data)
{
	struct search search = {
		.walk = walk, .target = ruleset_part(data, NFTA_LOOKUP_DREG), .applies = TRUTH_YES};
	bool inverted = ruleset_number(ruleset_part(data, NFTA_LOOKUP_FLAGS), 0) & NFT_LOOKUP_F_INV;

	if (find(&search, data) < 0) {
		forget_registers(walk);
		if (search.target &&
			ruleset_number(search.target, NFT_REG_VERDICT) == NFT_REG_VERDICT)
			walk->verdict = RULESET_LOST;
		return TRUTH_PERHAPS;
	}
	return search.found == inverted ? TRUTH_NO : search.applies;
}

/* What else is done with a packet. */

static enum truth do_target(struct walk *walk, const struct nlattr *data)
{
	enum does { NOTHING, DROPS, MARKS, UNTRACKS };
	static const struct {
		const char *name;
		enum does does;
	} targets[] = {
		{"CLASSIFY", NOTHING},
		{"CONNMARK", MARKS},
		{"CT", UNTRACKS},
		{"LOG", NOTHING},
		{"MARK", MARKS},
		{"NFLOG", NOTHING},
		{"NOTRACK", UNTRACKS},
		{"REJECT", DROPS},
		{"SET", NOTHING},
		{"TCPMSS", NOTHING},
		{"TRACE", NOTHING},
	};
	const char *name = ruleset_text(ruleset_part(data, NFTA_TARGET_NAME));

	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (strcmp(name, targets[i].name) != 0)
			continue;
		if (targets[i].does == DROPS)
			walk->verdict = NF_DROP;
		walk->marked = walk->marked || targets[i].does == MARKS;
		walk->untracked = walk->untracked || targets[i].does == UNTRACKS;
		return TRUTH_YES;
	}
	walk->verdict = RULESET_LOST;
	return TRUTH_PERHAPS;
}

static enum truth do_notrack(struct walk *walk, const struct nlattr *data)
{
	(void)data;
	walk->untracked = true;
	return TRUTH_YES;
}

/* Seldom asked, a limit lets through; beyond it there is nobody. */
static enum truth do_limit(struct walk *walk, const struct nlattr *data)
{
	(void)walk;
	return ruleset_truth(
		!(ruleset_number(ruleset_part(data, NFTA_LIMIT_FLAGS), 0) & NFT_LIMIT_F_INV));
}

static enum truth do_match(struct walk *walk, const struct nlattr *data)
{
	return ruleset_match(walk, data);
}

/* A counter with a name, say. */
static enum truth do_object(struct walk *walk, const struct nlattr *data)
{
	(void)walk;
	switch (ruleset_number(ruleset_part(data, NFTA_OBJREF_IMM_TYPE), NFT_OBJECT_UNSPEC)) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_CT_HELPER:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_CT_EXPECT:
	case NFT_OBJECT_SECMARK:
		return TRUTH_YES;
	default:
		return TRUTH_PERHAPS;
	}
}

/* It ends a rule, or loads what is not known. */
static enum truth do_perhaps(struct walk *walk, const struct nlattr *data)
{
	(void)data;
	forget_registers(walk);
	return TRUTH_PERHAPS;
}

static enum truth do_nothing(struct walk *walk, const struct nlattr *data)
{
	(void)walk, (void)data;
	return TRUTH_YES;
}

static enum truth do_expression(struct walk *walk, const struct nlattr *expression)
{
	static const struct {
		const char *name;
		enum truth (*what)(struct walk *walk, const struct nlattr *data);
	} expressions[] = {
		{"bitwise", do_bitwise},
		{"byteorder", do_perhaps},
		{"cmp", do_cmp},
		{"connlimit", do_perhaps},
		{"counter", do_nothing},
		{"ct", do_ct},
		{"dup", do_nothing},
		{"dynset", do_perhaps},
		{"exthdr", do_perhaps},
		{"fib", do_fib},
		{"flow_offload", do_nothing},
		{"hash", do_perhaps},
		{"immediate", do_immediate},
		{"inner", do_perhaps},
		{"last", do_nothing},
		{"limit", do_limit},
		{"log", do_nothing},
		{"lookup", do_lookup},
		{"match", do_match},
		{"meta", do_meta},
		{"notrack", do_notrack},
		{"numgen", do_perhaps},
		{"objref", do_object},
		{"osf", do_perhaps},
		{"payload", do_payload},
		{"quota", do_perhaps},
		{"range", do_range},
		{"reject", do_reject},
		{"rt", do_perhaps},
		{"socket", do_perhaps},
		{"target", do_target},
		{"tunnel", do_perhaps},
		{"xfrm", do_perhaps},
	};
	const char *name = ruleset_text(ruleset_part(expression, NFTA_EXPR_NAME));

	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
		if (strcmp(name, expressions[i].name) == 0)
			return expressions[i].what(walk, ruleset_part(expression, NFTA_EXPR_DATA));
	}
	/* It may be one that decides, such as a queue. */
	walk->verdict = RULESET_LOST;
	return TRUTH_PERHAPS;
}

void ruleset_rule(struct walk *walk, const struct nlattr *expressions)
{
	const struct nlattr *expression;

	walk->verdict = NFT_CONTINUE;
	walk->perhaps = false;
	forget_registers(walk);
	netlink_for_each_nested (expression, expressions) {
		enum truth truth;

		/* What follows upon a verdict is not done. */
		if (walk->verdict != NFT_CONTINUE)
			return;
		if (!ruleset_spend(walk->ruleset, 1)) {
			walk->verdict = RULESET_LOST;
			return;
		}
		truth = do_expression(walk, expression);
		walk->perhaps = walk->perhaps || truth == TRUTH_PERHAPS;
		if (truth == TRUTH_NO) {
			walk->verdict = NFT_CONTINUE;
			return;
		}
	}
}

/* SPDX-License-Identifier: MIT */
#include "agent/filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#define CHAIN_JOINERS "joiners"
#define CHAIN_INSIDE "inside"
#define PRIORITY_RAW (-300)   /* before connections are tracked */
#define PRIORITY_INSIDE (-10) /* before the filters of others */
#define NAME_SIZE 16          /* of an interface, as the kernel compares it */
#define ADDRESS_BYTES_MAX 16

/* A batch. */

static struct nlmsghdr *put_head(struct nlmsghdr *message, uint8_t family, uint16_t resource)
{
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	head->res_id = htons(resource);
	return message;
}

static void begin(struct netlink *netlink)
{
	(void)put_head(netlink_begin_batch(netlink, NFNL_MSG_BATCH_BEGIN), AF_UNSPEC,
		NFNL_SUBSYS_NFTABLES);
}

static struct nlmsghdr *next(struct netlink *netlink, uint8_t type, uint16_t flags)
{
	return put_head(netlink_next(netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags),
		NFPROTO_INET, 0);
}

static int end(struct netlink *netlink)
{
	(void)put_head(
		netlink_next(netlink, NFNL_MSG_BATCH_END, 0), AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return netlink_run(netlink, NULL, NULL);
}

static void put_number(struct nlmsghdr *message, uint16_t type, uint32_t number)
{
	mnl_attr_put_u32(message, type, htonl(number));
}

static void put_table(struct netlink *netlink, uint8_t type, uint16_t flags)
{
	mnl_attr_put_strz(next(netlink, type, flags), NFTA_TABLE_NAME, FILTER_TABLE);
}

static void put_chain(struct netlink *netlink, const char *name, uint32_t hook, int priority)
{
	struct nlmsghdr *message = next(netlink, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *nest;

	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, FILTER_TABLE);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, name);
	nest = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	put_number(message, NFTA_HOOK_HOOKNUM, hook);
	put_number(message, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	mnl_attr_nest_end(message, nest);
	put_number(message, NFTA_CHAIN_POLICY, NF_ACCEPT);
	mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
}

/* Rules are lists of expressions: one loads a part of the packet, the next compares it. */

struct rule {
	struct nlmsghdr *message;
	struct nlattr *expressions;
};

static struct rule begin_rule(struct netlink *netlink, const char *chain, bool last)
{
	struct rule rule = {
		.message = next(netlink, NFT_MSG_NEWRULE,
			(uint16_t)(NLM_F_CREATE | NLM_F_APPEND | (last ? NLM_F_ACK : 0)))};

	mnl_attr_put_strz(rule.message, NFTA_RULE_TABLE, FILTER_TABLE);
	mnl_attr_put_strz(rule.message, NFTA_RULE_CHAIN, chain);
	rule.expressions = mnl_attr_nest_start(rule.message, NFTA_RULE_EXPRESSIONS);
	return rule;
}

struct expression {
	struct nlattr *element;
	struct nlattr *data;
};

static struct expression begin_expression(struct rule *rule, const char *name)
{
	struct expression expression = {
		.element = mnl_attr_nest_start(rule->message, NFTA_LIST_ELEM)};

	mnl_attr_put_strz(rule->message, NFTA_EXPR_NAME, name);
	expression.data = mnl_attr_nest_start(rule->message, NFTA_EXPR_DATA);
	return expression;
}

static void end_expression(struct rule *rule, struct expression *expression)
{
	mnl_attr_nest_end(rule->message, expression->data);
	mnl_attr_nest_end(rule->message, expression->element);
}

static void put_value(struct rule *rule, uint16_t type, const void *bytes, size_t size)
{
	struct nlattr *nest = mnl_attr_nest_start(rule->message, type);

	mnl_attr_put(rule->message, NFTA_DATA_VALUE, size, bytes);
	mnl_attr_nest_end(rule->message, nest);
}

static void load_meta(struct rule *rule, enum nft_meta_keys key)
{
	struct expression expression = begin_expression(rule, "meta");

	put_number(rule->message, NFTA_META_KEY, key);
	put_number(rule->message, NFTA_META_DREG, NFT_REG_1);
	end_expression(rule, &expression);
}

static void load_payload(struct rule *rule, enum nft_payload_bases base, size_t offset, size_t size)
{
	struct expression expression = begin_expression(rule, "payload");

	put_number(rule->message, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_number(rule->message, NFTA_PAYLOAD_BASE, base);
	put_number(rule->message, NFTA_PAYLOAD_OFFSET, (uint32_t)offset);
	put_number(rule->message, NFTA_PAYLOAD_LEN, (uint32_t)size);
	end_expression(rule, &expression);
}

static void mask(struct rule *rule, uint8_t length, size_t size)
{
	const uint8_t zero[ADDRESS_BYTES_MAX] = {0};
	uint8_t bits[ADDRESS_BYTES_MAX] = {0};
	struct expression expression = begin_expression(rule, "bitwise");

	for (uint8_t i = 0; i < length; i++)
		bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
	put_number(rule->message, NFTA_BITWISE_SREG, NFT_REG_1);
	put_number(rule->message, NFTA_BITWISE_DREG, NFT_REG_1);
	put_number(rule->message, NFTA_BITWISE_LEN, (uint32_t)size);
	put_value(rule, NFTA_BITWISE_MASK, bits, size);
	put_value(rule, NFTA_BITWISE_XOR, zero, size);
	end_expression(rule, &expression);
}

static void compare(struct rule *rule, enum nft_cmp_ops how, const void *bytes, size_t size)
{
	struct expression expression = begin_expression(rule, "cmp");

	put_number(rule->message, NFTA_CMP_SREG, NFT_REG_1);
	put_number(rule->message, NFTA_CMP_OP, how);
	put_value(rule, NFTA_CMP_DATA, bytes, size);
	end_expression(rule, &expression);
}

/* What becomes of a packet that came this far; ends the rule. */
static void decide(struct rule *rule, int verdict)
{
	struct expression expression = begin_expression(rule, "immediate");
	struct nlattr *data;
	struct nlattr *nest;

	put_number(rule->message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(rule->message, NFTA_IMMEDIATE_DATA);
	nest = mnl_attr_nest_start(rule->message, NFTA_DATA_VERDICT);
	put_number(rule->message, NFTA_VERDICT_CODE, (uint32_t)verdict);
	mnl_attr_nest_end(rule->message, nest);
	mnl_attr_nest_end(rule->message, data);
	end_expression(rule, &expression);
	mnl_attr_nest_end(rule->message, rule->expressions);
}

static void match_byte(struct rule *rule, enum nft_meta_keys key, uint8_t value)
{
	load_meta(rule, key);
	compare(rule, NFT_CMP_EQ, &value, sizeof value);
}

static void match_interface(struct rule *rule, enum nft_cmp_ops how, const char *name)
{
	char padded[NAME_SIZE] = "";

	memcpy(padded, name, strnlen(name, sizeof padded - 1));
	load_meta(rule, NFT_META_IIFNAME);
	compare(rule, how, padded, sizeof padded);
}

static void match_address(struct rule *rule, const struct prefix *prefix, bool source)
{
	bool ipv6 = prefix->address.family == ADDRESS_IPV6;
	size_t size = address_size(&prefix->address);
	size_t offset;

	if (ipv6)
		offset = source ? offsetof(struct ip6_hdr, ip6_src)
				: offsetof(struct ip6_hdr, ip6_dst);
	else
		offset = source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
	match_byte(rule, NFT_META_NFPROTO, ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	if (prefix->length < address_bits(&prefix->address))
		mask(rule, prefix->length, size);
	compare(rule, NFT_CMP_EQ, prefix->address.bytes, size);
}

/* The rules themselves. */

/* Whoever has only an invite gets as far as the port that answers it, and no packet further. */
static void put_joiners(struct netlink *netlink, const struct filter *filter)
{
	const uint16_t port = htons(filter->join_port);

	for (uint32_t i = 0; i < filter->interface_count; i++) {
		for (uint32_t k = 0; k < filter->open_count; k++) {
			struct rule rule;

			if (filter->open[k].length < address_bits(&filter->open[k].address) ||
				filter->open[k].address.family != filter->joiners.address.family)
				continue;
			rule = begin_rule(netlink, CHAIN_JOINERS, false);
			match_interface(&rule, NFT_CMP_EQ, filter->interfaces[i]);
			match_address(&rule, &filter->joiners, true);
			match_address(&rule, &filter->open[k], false);
			match_byte(&rule, NFT_META_L4PROTO, IPPROTO_UDP);
			load_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER,
				offsetof(struct udphdr, dest), sizeof port);
			compare(&rule, NFT_CMP_EQ, &port, sizeof port);
			decide(&rule, NF_ACCEPT);
		}
	}
	for (uint32_t i = 0; i < filter->interface_count; i++) {
		struct rule rule = begin_rule(netlink, CHAIN_JOINERS, false);

		match_interface(&rule, NFT_CMP_EQ, filter->interfaces[i]);
		match_address(&rule, &filter->joiners, true);
		decide(&rule, NF_DROP);
	}
}

static void put_inside(struct netlink *netlink, const struct filter *filter)
{
	struct rule rule = begin_rule(netlink, CHAIN_INSIDE, false);

	for (uint32_t i = 0; i < filter->interface_count; i++)
		match_interface(&rule, NFT_CMP_NEQ, filter->interfaces[i]);
	decide(&rule, NF_ACCEPT);
	for (uint32_t i = 0; i < filter->open_count; i++) {
		rule = begin_rule(netlink, CHAIN_INSIDE, false);
		match_address(&rule, &filter->open[i], false);
		decide(&rule, NF_ACCEPT);
	}
	rule = begin_rule(netlink, CHAIN_INSIDE, true);
	decide(&rule, NF_DROP);
}

int filter_set(struct netlink *netlink, const struct filter *filter)
{
	begin(netlink);
	/* What is removed has to be there, so it is made first. */
	put_table(netlink, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_table(netlink, NFT_MSG_DELTABLE, 0);
	put_table(netlink, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_chain(netlink, CHAIN_JOINERS, NF_INET_PRE_ROUTING, PRIORITY_RAW);
	put_chain(netlink, CHAIN_INSIDE, NF_INET_LOCAL_IN, PRIORITY_INSIDE);
	put_joiners(netlink, filter);
	put_inside(netlink, filter);
	return end(netlink);
}

int filter_remove(struct netlink *netlink)
{
	int r;

	begin(netlink);
	put_table(netlink, NFT_MSG_DELTABLE, NLM_F_ACK);
	r = end(netlink);
	return r == -ENOENT ? 0 : r;
}

/* Reading. */

static struct nlmsghdr *ask(struct netlink *netlink, uint8_t type, uint16_t flags)
{
	return put_head(netlink_begin(netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags),
		NFPROTO_INET, 0);
}

int filter_find(struct netlink *netlink, bool *ret)
{
	int r;

	mnl_attr_put_strz(ask(netlink, NFT_MSG_GETTABLE, 0), NFTA_TABLE_NAME, FILTER_TABLE);
	r = netlink_run(netlink, NULL, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = r == 0;
	return 0;
}

static int read_generation(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *attribute;

	netlink_for_each (attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) == NFTA_GEN_ID &&
			mnl_attr_get_payload_len(attribute) == sizeof(uint32_t))
			*(uint32_t *)context = ntohl(mnl_attr_get_u32(attribute));
	}
	return 0;
}

int filter_generation(struct netlink *netlink, uint32_t *ret)
{
	(void)put_head(netlink_begin_question(netlink, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN),
		NFPROTO_UNSPEC, 0);
	return netlink_run(netlink, read_generation, ret);
}

static bool is_word(const struct nlattr *attribute, const char *word)
{
	return mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(attribute), word) == 0;
}

/* Older kernels list the rules of all tables. */
static int read_rule(const struct nlmsghdr *message, void *context)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
	struct filter_seal *seal = context;
	const struct nlattr *attribute;
	uint64_t handle = 0;
	bool ours = false;

	if (mnl_nlmsg_get_payload_len(message) < sizeof *head || head->nfgen_family != NFPROTO_INET)
		return 0;
	netlink_for_each (attribute, message, sizeof *head) {
		if (mnl_attr_get_type(attribute) == NFTA_RULE_TABLE)
			ours = is_word(attribute, FILTER_TABLE);
		else if (mnl_attr_get_type(attribute) == NFTA_RULE_HANDLE &&
			 mnl_attr_get_payload_len(attribute) == sizeof handle)
			handle = mnl_attr_get_u64(attribute);
	}
	if (!ours)
		return 0;
	if (seal->count < FILTER_RULES_MAX)
		seal->rules[seal->count] = handle;
	seal->count++;
	return 0;
}

int filter_read(struct netlink *netlink, struct filter_seal *ret)
{
	int r = -EINTR;

	for (int attempt = 0; attempt < 8 && r == -EINTR; attempt++) {
		memset(ret, 0, sizeof *ret);
		mnl_attr_put_strz(
			ask(netlink, NFT_MSG_GETRULE, NLM_F_DUMP), NFTA_RULE_TABLE, FILTER_TABLE);
		r = netlink_run(netlink, read_rule, ret);
	}
	return r;
}

bool filter_seal_equal(const struct filter_seal *a, const struct filter_seal *b)
{
	return a->count == b->count && memcmp(a->rules, b->rules, sizeof a->rules) == 0;
}

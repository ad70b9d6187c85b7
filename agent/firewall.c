/* SPDX-License-Identifier: MIT */
#include "agent/firewall.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "agent/filter.h"
#include "agent/netlink.h"

struct reading {
	const char *interface;
	struct firewall *firewall;
};

/* Chains. */

struct chain {
	const char *table;
	const char *name;
	uint32_t hook;
	uint32_t policy;
	bool is_base;
};

static void read_chain(const struct nlmsghdr *message, struct chain *chain)
{
	const struct nlattr *attribute;
	const struct nlattr *part;

	netlink_for_each (attribute, message, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attribute)) {
		case NFTA_CHAIN_TABLE:
			if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
				chain->table = mnl_attr_get_str(attribute);
			break;
		case NFTA_CHAIN_NAME:
			if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
				chain->name = mnl_attr_get_str(attribute);
			break;
		case NFTA_CHAIN_POLICY:
			if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
				chain->policy = ntohl(mnl_attr_get_u32(attribute));
			break;
		case NFTA_CHAIN_HOOK:
			chain->is_base = true;
			netlink_for_each_nested (part, attribute) {
				if (mnl_attr_get_type(part) == NFTA_HOOK_HOOKNUM &&
					mnl_attr_validate(part, MNL_TYPE_U32) == 0)
					chain->hook = ntohl(mnl_attr_get_u32(part));
			}
			break;
		default:
			break;
		}
	}
}

static int take_chain(const struct nlmsghdr *message, void *context)
{
	struct firewall *firewall = ((struct reading *)context)->firewall;
	struct chain chain = {.table = "", .name = "", .policy = NF_ACCEPT};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return 0;
	read_chain(message, &chain);
	firewall->docker = firewall->docker || strcmp(chain.name, "DOCKER-USER") == 0;
	firewall->ufw = firewall->ufw || strncmp(chain.name, "ufw-", 4) == 0;
	firewall->firewalld = firewall->firewalld || strcmp(chain.table, "firewalld") == 0;
	if (chain.is_base && chain.hook == NF_INET_FORWARD && chain.policy == NF_DROP)
		(void)snprintf(
			firewall->drops, sizeof firewall->drops, "%s %s", chain.table, chain.name);
	return 0;
}

/* Rules: those that compare with our interface's name, and let through what matches. */

/* An attribute of a nest; NULL where there is none. */
static const struct nlattr *part_of(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *part;

	if (!nest)
		return NULL;
	netlink_for_each_nested (part, nest) {
		if (mnl_attr_get_type(part) == type)
			return part;
	}
	return NULL;
}

static bool is_expression(const struct nlattr *expression, const char *name)
{
	const struct nlattr *part = part_of(expression, NFTA_EXPR_NAME);

	return part && mnl_attr_validate(part, MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(part), name) == 0;
}

static bool compares_with(const struct nlattr *expression, const char *interface)
{
	const struct nlattr *data = part_of(expression, NFTA_EXPR_DATA);
	const struct nlattr *value = part_of(part_of(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
	size_t length = strlen(interface) + 1;

	return is_expression(expression, "cmp") && value &&
	       mnl_attr_get_payload_len(value) >= length &&
	       memcmp(mnl_attr_get_payload(value), interface, length) == 0;
}

static bool lets_on(const struct nlattr *expression)
{
	const struct nlattr *data = part_of(expression, NFTA_EXPR_DATA);
	const struct nlattr *code = part_of(
		part_of(part_of(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT), NFTA_VERDICT_CODE);
	int verdict;

	if (!is_expression(expression, "immediate") || !code ||
		mnl_attr_validate(code, MNL_TYPE_U32) < 0)
		return false;
	verdict = (int)ntohl(mnl_attr_get_u32(code));
	return verdict == NF_ACCEPT || verdict == NFT_JUMP || verdict == NFT_GOTO;
}

static int take_rule(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct nlattr *attribute;
	const struct nlattr *expression;
	bool named = false;
	bool on = false;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return 0;
	netlink_for_each (attribute, message, sizeof(struct nfgenmsg)) {
		/* Our own table has to do with other packets. */
		if (mnl_attr_get_type(attribute) == NFTA_RULE_TABLE &&
			mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 &&
			strcmp(mnl_attr_get_str(attribute), FILTER_TABLE) == 0)
			return 0;
		if (mnl_attr_get_type(attribute) != NFTA_RULE_EXPRESSIONS)
			continue;
		netlink_for_each_nested (expression, attribute) {
			named = named || compares_with(expression, reading->interface);
			on = on || lets_on(expression);
		}
	}
	reading->firewall->lets_through = reading->firewall->lets_through || (named && on);
	return 0;
}

static int list(struct netlink *netlink, uint16_t type, netlink_each_fn each, void *context)
{
	struct nlmsghdr *message = netlink_begin(
		netlink, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->nfgen_family = AF_UNSPEC;
	return netlink_run(netlink, each, context);
}

int firewall_read(const char *interface, struct firewall *ret)
{
	struct reading reading = {interface, ret};
	struct netlink *netlink;
	int r = netlink_open(&netlink, NETLINK_NETFILTER);

	memset(ret, 0, sizeof *ret);
	if (r < 0)
		return r;
	r = list(netlink, NFT_MSG_GETCHAIN, take_chain, &reading);
	/* The rules of a large firewall are many: only where one of them may matter. */
	if (r == 0 && ret->drops[0])
		r = list(netlink, NFT_MSG_GETRULE, take_rule, &reading);
	netlink_close(netlink);
	/* It changed while it was read: what was seen of it is good enough for words. */
	return r == -EINTR ? 0 : r;
}

void firewall_name(const struct firewall *firewall, char ret[static FIREWALL_NAME_SIZE])
{
	(void)snprintf(ret, FIREWALL_NAME_SIZE, "%s%s", firewall->drops,
		firewall->firewalld ? ", firewalld"
		: firewall->ufw     ? ", ufw"
		: firewall->docker  ? ", Docker"
				    : "");
}

void firewall_remedy(const struct firewall *firewall, const char *interface,
	char ret[static FIREWALL_REMEDY_SIZE])
{
	static const size_t size = FIREWALL_REMEDY_SIZE;

	if (firewall->firewalld)
		(void)snprintf(ret, size,
			"firewall-cmd --permanent --zone=trusted --add-interface=%s && "
			"firewall-cmd --reload",
			interface);
	else if (firewall->ufw)
		(void)snprintf(ret, size, "ufw route allow in on %s", interface);
	else if (firewall->docker)
		(void)snprintf(ret, size, "iptables -I DOCKER-USER -i %s -j ACCEPT", interface);
	else
		(void)snprintf(ret, size, "iptables -I FORWARD -i %s -j ACCEPT", interface);
}

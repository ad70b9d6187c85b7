/* SPDX-License-Identifier: MIT */
#include "agent/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>

#define METRIC_IPV6 1024 /* that of routes which are added without one */

static uint8_t system_family(uint8_t family)
{
	return family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
}

static uint8_t own_family(uint8_t family)
{
	return family == AF_INET6 ? ADDRESS_IPV6 : family == AF_INET ? ADDRESS_IPV4 : ADDRESS_NONE;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct address *address)
{
	mnl_attr_put(message, type, address_size(address), address->bytes);
}

/* An attribute as an address of a family; ADDRESS_NONE where it is none. */
static struct address read_address(const struct nlattr *attribute, uint8_t family)
{
	struct address address = {.family = family};

	if (mnl_attr_get_payload_len(attribute) != address_size(&address))
		return (struct address){.family = ADDRESS_NONE};
	memcpy(address.bytes, mnl_attr_get_payload(attribute), address_size(&address));
	return address;
}

bool route_has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

/* Routes. */

static void put_route(struct nlmsghdr *message, const struct route *route, bool whole)
{
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	uint32_t metric = route->metric;

	/* Said or not; but to remove "any metric" would take the guard where nothing else stands.
	 */
	if (metric == 0 && route->prefix.address.family == ADDRESS_IPV6)
		metric = METRIC_IPV6;
	head->rtm_family = system_family(route->prefix.address.family);
	head->rtm_dst_len = route->prefix.length;
	head->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	head->rtm_protocol = ROUTE_PROTOCOL;
	head->rtm_type = route->type;
	head->rtm_scope = !whole                       ? RT_SCOPE_NOWHERE
			  : route->type == RTN_UNICAST ? RT_SCOPE_LINK
						       : RT_SCOPE_UNIVERSE;
	mnl_attr_put_u32(message, RTA_TABLE, route->table);
	if (route->prefix.length > 0)
		put_address(message, RTA_DST, &route->prefix.address);
	if (metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, metric);
	if (!whole)
		return;
	if (route->device)
		mnl_attr_put_u32(message, RTA_OIF, route->device);
	if (route->source.family == route->prefix.address.family)
		put_address(message, RTA_PREFSRC, &route->source);
}

int route_add(struct netlink *netlink, const struct route *route)
{
	put_route(netlink_begin(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), route, true);
	return netlink_run(netlink, NULL, NULL);
}

int route_replace(struct netlink *netlink, const struct route *route)
{
	put_route(netlink_begin(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE), route, true);
	return netlink_run(netlink, NULL, NULL);
}

int route_remove(struct netlink *netlink, const struct route *route)
{
	int r;

	put_route(netlink_begin(netlink, RTM_DELROUTE, 0), route, false);
	r = netlink_run(netlink, NULL, NULL);
	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

struct listing {
	route_each_fn route;
	route_each_rule_fn rule;
	route_each_address_fn address;
	void *context;
};

static int read_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct listing *listing = context;
	const struct nlattr *attribute;
	uint8_t family = own_family(head->rtm_family);
	struct route route = {
		.prefix = {{.family = family}, head->rtm_dst_len},
		.table = head->rtm_table,
		.type = head->rtm_type,
		.source = {.family = ADDRESS_NONE},
	};

	/* Older kernels list all that there is. */
	if (head->rtm_protocol != ROUTE_PROTOCOL || family == ADDRESS_NONE ||
		head->rtm_flags & RTM_F_CLONED)
		return 0;
	netlink_for_each (attribute, message, sizeof *head) {
		switch (mnl_attr_get_type(attribute)) {
		case RTA_TABLE:
			route.table = mnl_attr_get_u32(attribute);
			break;
		case RTA_DST:
			route.prefix.address = read_address(attribute, family);
			break;
		case RTA_PRIORITY:
			route.metric = mnl_attr_get_u32(attribute);
			break;
		case RTA_OIF:
			route.device = mnl_attr_get_u32(attribute);
			break;
		case RTA_PREFSRC:
			route.source = read_address(attribute, family);
			break;
		default:
			break;
		}
	}
	/* For IPv6 the system names the loopback interface in routes that lead nowhere. */
	if (route.type != RTN_UNICAST)
		route.device = 0;
	return listing->route(&route, listing->context);
}

static int list_routes(struct netlink *netlink, uint8_t family, struct listing *listing)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = family;
	head->rtm_protocol = ROUTE_PROTOCOL;
	return netlink_run(netlink, read_route, listing);
}

int route_list(struct netlink *netlink, route_each_fn each, void *context)
{
	struct listing listing = {.route = each, .context = context};
	int r = list_routes(netlink, AF_INET, &listing);

	return r < 0 || !route_has_ipv6() ? r : list_routes(netlink, AF_INET6, &listing);
}

/* Ways out. */

static void put_flow(struct nlmsghdr *message, const struct route_flow *flow)
{
	struct rtmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->rtm_family = system_family(flow->to.address.family);
	head->rtm_dst_len = (uint8_t)address_bits(&flow->to.address);
	put_address(message, RTA_DST, &flow->to.address);
	if (flow->from.family != ADDRESS_NONE) {
		head->rtm_src_len = (uint8_t)address_bits(&flow->from);
		put_address(message, RTA_SRC, &flow->from);
	}
	if (flow->mark)
		mnl_attr_put_u32(message, RTA_MARK, flow->mark);
	if (flow->in)
		mnl_attr_put_u32(message, RTA_IIF, flow->in);
	/* There are rules for ports, and several ways to one place are told apart by them. */
	mnl_attr_put_u8(message, RTA_IP_PROTO, IPPROTO_UDP);
	mnl_attr_put_u16(message, RTA_SPORT, htons(flow->from_port));
	mnl_attr_put_u16(message, RTA_DPORT, htons(flow->to.port));
}

static int read_way(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct route_way *way = context;
	const struct nlattr *attribute;

	if (head->rtm_type != RTN_UNICAST)
		return -ENETUNREACH;
	netlink_for_each (attribute, message, sizeof *head) {
		if (mnl_attr_get_type(attribute) == RTA_OIF)
			way->device = mnl_attr_get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == RTA_PREFSRC)
			way->source = read_address(attribute, own_family(head->rtm_family));
	}
	return 0;
}

int route_find(struct netlink *netlink, const struct route_flow *flow, struct route_way *ret)
{
	struct route_way way = {.device = 0, .source = {.family = ADDRESS_NONE}};
	int r;

	if (flow->from.family != ADDRESS_NONE && flow->from.family != flow->to.address.family)
		return -EINVAL;
	put_flow(netlink_begin_question(netlink, RTM_GETROUTE), flow);
	r = netlink_run(netlink, read_way, &way);
	if (r < 0)
		return r;
	if (flow->from.family != ADDRESS_NONE)
		way.source = flow->from;
	if (way.device == 0 || way.source.family != flow->to.address.family)
		return -ENETUNREACH;
	*ret = way;
	return 0;
}

/* Rules. */

static void put_rule(struct nlmsghdr *message, const struct route_rule *rule)
{
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->family = system_family(rule->family);
	head->action = FR_ACT_TO_TBL;
	head->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(message, FRA_PROTOCOL, ROUTE_PROTOCOL);
	if (rule->name[0])
		mnl_attr_put_strz(message, FRA_IIFNAME, rule->name);
}

int route_rule_add(struct netlink *netlink, uint8_t family, const char *name, uint32_t priority)
{
	struct route_rule rule = {
		.family = family, .table = ROUTE_TABLE_INNER, .priority = priority};

	strncpy(rule.name, name, sizeof rule.name - 1);
	put_rule(netlink_begin(netlink, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL), &rule);
	return netlink_run(netlink, NULL, NULL);
}

int route_rule_remove(struct netlink *netlink, const struct route_rule *rule)
{
	int r;

	put_rule(netlink_begin(netlink, RTM_DELRULE, 0), rule);
	r = netlink_run(netlink, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}

static int read_rule(const struct nlmsghdr *message, void *context)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	const struct listing *listing = context;
	const struct nlattr *attribute;
	struct route_rule rule = {.family = own_family(head->family), .table = head->table};
	uint8_t protocol = 0;
	bool plain = head->action == FR_ACT_TO_TBL && head->src_len == 0 && head->dst_len == 0 &&
		     !(head->flags & FIB_RULE_INVERT);

	netlink_for_each (attribute, message, sizeof *head) {
		switch (mnl_attr_get_type(attribute)) {
		case FRA_PROTOCOL:
			protocol = mnl_attr_get_u8(attribute);
			break;
		case FRA_TABLE:
			rule.table = mnl_attr_get_u32(attribute);
			break;
		case FRA_PRIORITY:
			rule.priority = mnl_attr_get_u32(attribute);
			break;
		case FRA_IIFNAME:
			strncpy(rule.name, mnl_attr_get_str(attribute), sizeof rule.name - 1);
			break;
		default:
			break;
		}
	}
	if (protocol != ROUTE_PROTOCOL || rule.family == ADDRESS_NONE)
		return 0;
	rule.proper = plain && rule.table == ROUTE_TABLE_INNER && rule.name[0];
	return listing->rule(&rule, listing->context);
}

static int list_rules(struct netlink *netlink, uint8_t family, struct listing *listing)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->family = family;
	return netlink_run(netlink, read_rule, listing);
}

int route_rule_list(struct netlink *netlink, route_each_rule_fn each, void *context)
{
	struct listing listing = {.rule = each, .context = context};
	int r = list_rules(netlink, AF_INET, &listing);

	if (r < 0 || !route_has_ipv6())
		return r;
	r = list_rules(netlink, AF_INET6, &listing);
	/* A kernel may know IPv6 and no rules for it. */
	return r == -EAFNOSUPPORT || r == -EOPNOTSUPP ? 0 : r;
}

/* A rule, by what it could take of what comes in by our interfaces. */
struct other_rule {
	uint32_t priority;
	struct prefix from;
	bool ours;
	bool elsewhere; /* nothing: it is for other interfaces, or for what is sent from here */
	bool all;       /* and whatever else there is */
};

static struct other_rule read_other(const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	struct other_rule rule = {.from = {{.family = own_family(head->family)}, head->src_len},
		.all = head->tos == 0};
	const struct nlattr *attribute;

	netlink_for_each (attribute, message, sizeof *head) {
		switch (mnl_attr_get_type(attribute)) {
		case FRA_TABLE:
		case FRA_SUPPRESS_PREFIXLEN:
			break;
		case FRA_PRIORITY:
			rule.priority = mnl_attr_get_u32(attribute);
			break;
		case FRA_PROTOCOL:
			rule.ours = mnl_attr_get_u8(attribute) == ROUTE_PROTOCOL;
			break;
		case FRA_IIFNAME:
		case FRA_OIFNAME:
		case FRA_L3MDEV: /* of interfaces that were put into one, which ours are not */
			rule.elsewhere = true;
			rule.all = false;
			break;
		case FRA_SRC:
			rule.from.address = read_address(attribute, rule.from.address.family);
			rule.all = false;
			break;
		default:
			rule.all = false;
		}
	}
	/* One that is inverted takes what it does not name: of two interfaces at least one. */
	if (head->flags & FIB_RULE_INVERT) {
		rule.from.length = 0;
		rule.elsewhere = false;
	}
	return rule;
}

struct search {
	route_comes_fn comes;
	void *context;
	bool local_seen;
	struct route_foremost found;
};

/* They come in the order in which packets meet them. */
static int read_foremost(const struct nlmsghdr *message, void *context)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	struct other_rule rule = read_other(message);
	struct search *search = context;
	struct route_foremost *found = &search->found;
	uint32_t *first = rule.priority <= found->local ? &found->before : &found->behind;

	if (head->table == RT_TABLE_LOCAL) {
		if (!rule.all || search->local_seen)
			return 0;
		/* What came until now came before it. */
		search->local_seen = true;
		found->local = rule.priority;
		if (found->before == ROUTE_NO_RULE)
			found->before = found->behind;
		found->behind = ROUTE_NO_RULE;
	} else if (!rule.ours && !rule.elsewhere && *first == ROUTE_NO_RULE &&
		   search->comes(&rule.from, search->context)) {
		*first = rule.priority;
	}
	return 0;
}

int route_rule_foremost(struct netlink *netlink, uint8_t family, route_comes_fn comes,
	void *context, struct route_foremost *ret)
{
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	struct search search = {.comes = comes,
		.context = context,
		.found = {.before = ROUTE_NO_RULE, .behind = ROUTE_NO_RULE}};
	int r;

	head->family = system_family(family);
	r = netlink_run(netlink, read_foremost, &search);
	if (r == 0)
		*ret = search.found;
	return r;
}

/* Addresses. */

static void put_ifaddr(struct nlmsghdr *message, const struct route_address *address)
{
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = system_family(address->prefix.address.family);
	head->ifa_prefixlen = address->prefix.length;
	head->ifa_index = address->device;
	head->ifa_scope = RT_SCOPE_UNIVERSE;
	put_address(message, IFA_LOCAL, &address->prefix.address);
	put_address(message, IFA_ADDRESS, &address->prefix.address);
}

int route_address_add(struct netlink *netlink, unsigned device, const struct address *address)
{
	const struct route_address whole = {
		.device = device, .prefix = {*address, (uint8_t)address_bits(address)}};
	int r;

	put_ifaddr(netlink_begin(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL), &whole);
	r = netlink_run(netlink, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

int route_address_remove(struct netlink *netlink, const struct route_address *address)
{
	int r;

	put_ifaddr(netlink_begin(netlink, RTM_DELADDR, 0), address);
	r = netlink_run(netlink, NULL, NULL);
	return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}

static int read_ifaddr(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	const struct listing *listing = context;
	const struct nlattr *attribute;
	uint8_t family = own_family(head->ifa_family);
	struct route_address address = {
		.device = head->ifa_index,
		.prefix = {{.family = ADDRESS_NONE}, head->ifa_prefixlen},
		.near = head->ifa_scope >= RT_SCOPE_LINK,
	};
	bool local = false;

	if (family == ADDRESS_NONE)
		return 0;
	/* Where both are given, the local one is ours and the other the far end's. */
	netlink_for_each (attribute, message, sizeof *head) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local))
			address.prefix.address = read_address(attribute, family);
		local = local || type == IFA_LOCAL;
	}
	return address.prefix.address.family == ADDRESS_NONE
		       ? 0
		       : listing->address(&address, listing->context);
}

int route_address_list(struct netlink *netlink, route_each_address_fn each, void *context)
{
	struct listing listing = {.address = each, .context = context};
	struct nlmsghdr *message = netlink_begin(netlink, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifa_family = AF_UNSPEC;
	return netlink_run(netlink, read_ifaddr, &listing);
}

/* By the kernel's table for people. */
bool route_default(char ret[static ROUTE_NAME_SIZE])
{
	char line[256];
	FILE *file = fopen("/proc/net/route", "re");
	bool found = false;

	/* Name and destination, in hexadecimal, are the first two words of a line. */
	while (file && !found && fgets(line, sizeof line, file)) {
		size_t length = strcspn(line, " \t");

		if (length >= ROUTE_NAME_SIZE || strncmp(line + length, "\t00000000\t", 10) != 0)
			continue;
		memcpy(ret, line, length);
		ret[length] = '\0';
		found = true;
	}
	if (file)
		(void)fclose(file);
	return found;
}

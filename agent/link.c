/* SPDX-License-Identifier: MIT */
#include "agent/link.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

#define REVERSE_PATH_LOOSE 2
#define SIGHTINGS_MAX 256

struct setting {
	uint16_t number; /* IPV4_DEVCONF_… */
	uint32_t value;
};

static const struct setting settings[] = {
	{IPV4_DEVCONF_FORWARDING, 1},
	{IPV4_DEVCONF_RP_FILTER, REVERSE_PATH_LOOSE},
	{IPV4_DEVCONF_SEND_REDIRECTS, 0},
	{IPV4_DEVCONF_ACCEPT_REDIRECTS, 0},
};

#define SETTINGS (sizeof settings / sizeof settings[0])

static struct ifinfomsg *begin(
	struct netlink *netlink, uint16_t type, uint16_t flags, unsigned index)
{
	struct nlmsghdr *message = netlink_begin(netlink, type, flags);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->ifi_family = AF_UNSPEC;
	head->ifi_index = (int)index;
	return head;
}

/* The request that a head belongs to. */
static struct nlmsghdr *message_of(struct ifinfomsg *head)
{
	return (struct nlmsghdr *)((char *)head - MNL_NLMSG_HDRLEN);
}

/* Reading. */

static void read_kind(const struct nlattr *nest, struct link *link)
{
	const struct nlattr *attribute;

	netlink_for_each_nested (attribute, nest) {
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
			mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(link->kind, mnl_attr_get_str(attribute), sizeof link->kind - 1);
	}
}

/* An array of numbers, the first of which is setting 1. */
static bool has_settings(const struct nlattr *array)
{
	const uint32_t *values = mnl_attr_get_payload(array);
	size_t count = mnl_attr_get_payload_len(array) / sizeof *values;

	for (size_t i = 0; i < SETTINGS; i++) {
		if (settings[i].number > count ||
			values[settings[i].number - 1] != settings[i].value)
			return false;
	}
	return true;
}

static bool has_no_own_addresses(const struct nlattr *nest)
{
	const struct nlattr *attribute;

	netlink_for_each_nested (attribute, nest) {
		if (mnl_attr_get_type(attribute) == IFLA_INET6_ADDR_GEN_MODE)
			return mnl_attr_get_u8(attribute) == IN6_ADDR_GEN_MODE_NONE;
	}
	return true;
}

static void read_families(const struct nlattr *nest, struct link *link)
{
	const struct nlattr *family;
	const struct nlattr *attribute;
	bool narrow = false;
	bool wide = true;

	netlink_for_each_nested (family, nest) {
		if (mnl_attr_get_type(family) == AF_INET6)
			wide = has_no_own_addresses(family);
		if (mnl_attr_get_type(family) != AF_INET)
			continue;
		netlink_for_each_nested (attribute, family) {
			if (mnl_attr_get_type(attribute) == IFLA_INET_CONF)
				narrow = has_settings(attribute);
		}
	}
	link->prepared = narrow && wide;
}

static int read_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	struct link *link = context;
	const struct nlattr *attribute;

	link->index = (unsigned)head->ifi_index;
	link->up = head->ifi_flags & IFF_UP;
	netlink_for_each (attribute, message, sizeof *head) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attribute);
			break;
		case IFLA_LINKINFO:
			read_kind(attribute, link);
			break;
		case IFLA_AF_SPEC:
			read_families(attribute, link);
			break;
		default:
			break;
		}
	}
	return 0;
}

/* Kinds of which one is not a way to the home's other machines. */
static bool is_inner_kind(const char *kind)
{
	static const char *const kinds[] = {"veth", "tun", "wireguard", "vxlan", "geneve", "dummy",
		"ipip", "sit", "gre", "ip6tnl"};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

struct sighting {
	unsigned index;
	unsigned master; /* the bridge that it hangs on; 0: none */
	char kind[LINK_KIND_SIZE];
};

struct sightings {
	uint32_t count;
	struct sighting items[SIGHTINGS_MAX];
};

static int see_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	struct sightings *all = context;
	const struct nlattr *attribute;
	struct sighting *one;
	struct link link = {.index = 0};

	if (all->count == SIGHTINGS_MAX)
		return 0;
	one = &all->items[all->count++];
	*one = (struct sighting){.index = (unsigned)head->ifi_index};
	netlink_for_each (attribute, message, sizeof *head) {
		if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			read_kind(attribute, &link);
		if (mnl_attr_get_type(attribute) == IFLA_MASTER &&
			mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			one->master = mnl_attr_get_u32(attribute);
	}
	memcpy(one->kind, link.kind, sizeof one->kind);
	return 0;
}

/* A bridge leads to the home where something real hangs on it. */
static bool is_secluded(const struct sightings *all, const struct sighting *one)
{
	if (strcmp(one->kind, "bridge") != 0)
		return is_inner_kind(one->kind) && strcmp(one->kind, "veth") != 0;
	for (uint32_t i = 0; i < all->count; i++) {
		if (all->items[i].master == one->index && !is_inner_kind(all->items[i].kind))
			return false;
	}
	return true;
}

int link_secluded(struct netlink *netlink, struct link_set *ret)
{
	struct sightings all = {.count = 0};
	int r;

	(void)begin(netlink, RTM_GETLINK, NLM_F_DUMP, 0);
	r = netlink_run(netlink, see_link, &all);
	ret->count = 0;
	for (uint32_t i = 0; i < all.count && ret->count < LINK_SET_MAX; i++) {
		if (is_secluded(&all, &all.items[i]))
			ret->items[ret->count++] = all.items[i].index;
	}
	return r;
}

bool link_set_has(const struct link_set *set, unsigned index)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->items[i] == index)
			return true;
	}
	return false;
}

int link_find(struct netlink *netlink, const char *name, struct link *ret)
{
	struct nlmsghdr *message = netlink_begin_question(netlink, RTM_GETLINK);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	struct link link = {.index = 0};
	int r;

	head->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = netlink_run(netlink, read_link, &link);
	if (r < 0)
		return r;
	*ret = link;
	return 0;
}

/* Changing. */

int link_create(struct netlink *netlink, const char *name, const char *kind)
{
	struct nlmsghdr *message = message_of(
		begin(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0));
	struct nlattr *nest;

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(message, nest);
	return netlink_run(netlink, NULL, NULL);
}

int link_remove(struct netlink *netlink, const char *name)
{
	struct nlmsghdr *message = message_of(begin(netlink, RTM_DELLINK, 0, 0));
	int r;

	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	r = netlink_run(netlink, NULL, NULL);
	return r == -ENODEV ? 0 : r;
}

int link_prepare(struct netlink *netlink, unsigned index)
{
	struct nlmsghdr *message = message_of(begin(netlink, RTM_SETLINK, 0, index));
	struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET);
	struct nlattr *list = mnl_attr_nest_start(message, IFLA_INET_CONF);
	int r;

	for (size_t i = 0; i < SETTINGS; i++)
		mnl_attr_put_u32(message, settings[i].number, settings[i].value);
	mnl_attr_nest_end(message, list);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, families);
	r = netlink_run(netlink, NULL, NULL);
	if (r < 0)
		return r;
	message = message_of(begin(netlink, RTM_SETLINK, 0, index));
	families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(message, AF_INET6);
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, families);
	r = netlink_run(netlink, NULL, NULL);
	/* Where IPv6 is switched off there is nothing to be told. */
	return r == -EAFNOSUPPORT || r == -EINVAL ? 0 : r;
}

int link_set_mtu(struct netlink *netlink, unsigned index, uint32_t mtu)
{
	mnl_attr_put_u32(message_of(begin(netlink, RTM_SETLINK, 0, index)), IFLA_MTU, mtu);
	return netlink_run(netlink, NULL, NULL);
}

int link_set_up(struct netlink *netlink, unsigned index)
{
	struct ifinfomsg *head = begin(netlink, RTM_SETLINK, 0, index);

	head->ifi_flags = IFF_UP;
	head->ifi_change = IFF_UP;
	return netlink_run(netlink, NULL, NULL);
}

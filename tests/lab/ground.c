/* SPDX-License-Identifier: MIT */
/*
 * ground.c - the promises of agent/netlink.h, link.h, route.h and filter.h of agent/, on a real
 * kernel:
 *
 *   ground [user]
 *
 * In namespaces of its own, as root or as the unit's user.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/filter.h"
#include "agent/link.h"
#include "agent/route.h"
#include "agent/sockaddr.h"
#include "agent/wireguard.h"
#include "tests/lab/room.h"

#define LISTED_MAX 64

static struct room room;
static struct netlink *net;
static const char name[] = "ground0";
static const char other[] = "ground1";

static unsigned index_of(const char *device)
{
	struct link link;

	assert_int_equal(link_find(net, device, &link), 0);
	return link.index;
}

static int set_up(void **state)
{
	struct link link;

	(void)state;
	if (link_create(net, name, "bridge") < 0 || link_create(net, other, "bridge") < 0)
		return -1;
	if (link_find(net, name, &link) < 0 || link_set_up(net, link.index) < 0)
		return -1;
	return link_find(net, other, &link) < 0 ? -1 : link_set_up(net, link.index);
}

/* Routes and addresses go with their interface; what is left is told to go. */
static int tear_down(void **state)
{
	(void)state;
	(void)room_shell("ip route flush proto %d table all", ROUTE_PROTOCOL);
	(void)room_shell("ip -6 route flush proto %d table all", ROUTE_PROTOCOL);
	return link_remove(net, name) < 0 || link_remove(net, other) < 0 ? -1 : 0;
}

/* The conversation. */

static int refuse(const struct nlmsghdr *message, void *context)
{
	(void)message;
	++*(int *)context;
	return -EXFULL;
}

TEST(refusal_is_a_number_and_the_kernels_words)
{
	const struct route bad = {.prefix = {address_ipv4(0x0a000001), 8},
		.table = ROUTE_TABLE_MAIN,
		.type = RTN_UNREACHABLE};
	const struct route good = {.prefix = {address_ipv4(0x0a000000), 8},
		.table = ROUTE_TABLE_MAIN,
		.type = RTN_UNREACHABLE};

	(void)state;
	assert_int_equal(route_add(net, &bad), -EINVAL);
	assert_non_null(strstr(netlink_complaint(net), "prefix"));
	/* Words are of the last request only. */
	assert_int_equal(route_add(net, &good), 0);
	assert_string_equal(netlink_complaint(net), "");
	assert_int_equal(route_add(net, &bad), -EINVAL);
	assert_int_equal(route_remove(net, &good), 0);
	assert_string_equal(netlink_complaint(net), "");
}

TEST(bad_requests_are_refused)
{
	struct nlmsghdr *message;
	struct ifinfomsg *head;

	(void)state;
	/* Of a type that there is none of. */
	(void)netlink_begin(net, RTM_MAX + 100, 0);
	assert_int_equal(netlink_run(net, NULL, NULL), -EOPNOTSUPP);
	/* With less of a header than belongs there. */
	message = netlink_begin(net, RTM_NEWROUTE, NLM_F_CREATE);
	*(uint8_t *)mnl_nlmsg_put_extra_header(message, 4) = AF_INET;
	assert_int_equal(netlink_run(net, NULL, NULL), -EINVAL);
	/* A list that is asked for with something that cannot be asked for. */
	message = netlink_begin(net, RTM_GETLINK, NLM_F_DUMP);
	head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	head->ifi_type = 77;
	assert_int_equal(netlink_run(net, NULL, NULL), -EINVAL);
	assert_true(netlink_complaint(net)[0] != '\0');
	/* The socket is as good as before. */
	assert_true(index_of("lo") == 1);
}

TEST(first_error_of_the_reader_is_told_and_the_rest_not_read)
{
	struct nlmsghdr *message = netlink_begin(net, RTM_GETLINK, NLM_F_DUMP);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
	int count = 0;

	(void)state;
	head->ifi_family = AF_UNSPEC;
	assert_int_equal(netlink_run(net, refuse, &count), -EXFULL);
	assert_int_equal(count, 1);
	assert_true(index_of("lo") == 1);
}

TEST(bus_that_is_none_is_not_opened)
{
	struct netlink *none = NULL;

	(void)state;
	assert_int_equal(netlink_open(&none, 200), -EPROTONOSUPPORT);
	assert_null(none);
	netlink_close(NULL);
}

TEST(sockets_have_names_of_their_own)
{
	struct netlink *second;

	(void)state;
	assert_int_equal(netlink_open(&second, NETLINK_ROUTE), 0);
	assert_true(netlink_port(net) != 0);
	assert_true(netlink_port(second) != netlink_port(net));
	netlink_close(second);
}

static int try_without(void *context)
{
	const struct route route = {.prefix = {address_ipv4(0x0a000000), 8},
		.table = ROUTE_TABLE_MAIN,
		.type = RTN_UNREACHABLE};
	const struct address address = address_ipv4(0x0a000001);
	const unsigned *index = context;
	struct netlink *own;
	struct link link;
	int bad = 0;

	room_give_up();
	if (netlink_open(&own, NETLINK_ROUTE) < 0)
		return 128;
	bad |= link_create(own, "ground9", "bridge") != -EPERM;
	bad |= (link_remove(own, name) != -EPERM) << 1;
	bad |= (link_prepare(own, *index) != -EPERM) << 2;
	bad |= (link_set_up(own, *index) != -EPERM || link_set_mtu(own, *index, 1400) != -EPERM)
	       << 3;
	bad |= (route_add(own, &route) != -EPERM || route_remove(own, &route) != -EPERM) << 4;
	bad |= (route_rule_add(own, ADDRESS_IPV4, name, ROUTE_RULE_PRIORITY) != -EPERM) << 5;
	bad |= (route_address_add(own, *index, &address) != -EPERM) << 6;
	/* Looking is free. */
	bad |= (link_find(own, name, &link) != 0) << 7;
	return bad;
}

TEST(without_the_capability_nothing_is_changed)
{
	unsigned index = index_of(name);

	(void)state;
	assert_int_equal(room_child(try_without, &index), 0);
}

/* Interfaces. */

TEST(interfaces_are_found_as_they_are)
{
	struct link link = {.index = 9};

	(void)state;
	assert_int_equal(link_find(net, "absent0", &link), -ENODEV);
	assert_int_equal(link.index, 9);
	assert_int_equal(link_find(net, "lo", &link), 0);
	assert_int_equal(link.index, 1);
	assert_true(link.up);
	assert_int_equal(link.mtu, 65536);
	assert_string_equal(link.kind, "");
	assert_int_equal(room_shell("ip link add ground2 type veth peer name ground3"), 0);
	assert_int_equal(link_find(net, "ground2", &link), 0);
	assert_false(link.up);
	assert_string_equal(link.kind, "veth");
	assert_int_equal(link.mtu, 1500);
	assert_int_equal(link_remove(net, "ground2"), 0);
	assert_int_equal(room_shell("ip tuntap add ground2 mode tun"), 0);
	assert_int_equal(link_find(net, "ground2", &link), 0);
	assert_string_equal(link.kind, "tun");
	assert_int_equal(link_remove(net, "ground2"), 0);
}

TEST(interface_is_made_and_taken_away)
{
	struct link link;

	(void)state;
	assert_int_equal(link_create(net, "ground2", "bridge"), 0);
	assert_int_equal(link_find(net, "ground2", &link), 0);
	assert_string_equal(link.kind, "bridge");
	assert_false(link.up);
	assert_int_equal(link_create(net, "ground2", "bridge"), -EEXIST);
	assert_int_equal(link_create(net, "ground2", "veth"), -EEXIST);
	assert_int_equal(link_create(net, "ground3", "nothing-such"), -EOPNOTSUPP);
	assert_int_equal(link_remove(net, "ground2"), 0);
	assert_int_equal(link_remove(net, "ground2"), 0);
	assert_int_equal(link_find(net, "ground2", &link), -ENODEV);
}

TEST(interface_comes_up_and_changes_its_mtu)
{
	unsigned index;
	struct link link;

	(void)state;
	assert_int_equal(link_create(net, "ground2", "bridge"), 0);
	index = index_of("ground2");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_set_up(net, index), 0);
		assert_int_equal(link_set_mtu(net, index, 1380), 0);
		assert_int_equal(link_find(net, "ground2", &link), 0);
		assert_true(link.up);
		assert_int_equal(link.mtu, 1380);
	}
	assert_int_equal(link_set_mtu(net, index, 7), -EINVAL);
	assert_int_equal(link_remove(net, "ground2"), 0);
	assert_int_equal(link_set_up(net, index), -ENODEV);
	assert_int_equal(link_set_mtu(net, index, 1380), -ENODEV);
	assert_int_equal(link_prepare(net, index), -ENODEV);
}

/* What a setting of an interface is, of "all" and of "default" too. */
static long setting_of(const char *device, const char *setting)
{
	char path[128];
	char text[16] = "";
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", device, setting);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof text, file));
	(void)fclose(file);
	return strtol(text, NULL, 10);
}

static const struct {
	const char *setting;
	long wanted;
	long foreign;
} prepared[] = {
	{"forwarding", 1, 0},
	{"rp_filter", 2, 1},
	{"send_redirects", 0, 1},
	{"accept_redirects", 0, 1},
};

static bool is_prepared(void)
{
	struct link link;

	assert_int_equal(link_find(net, name, &link), 0);
	return link.prepared;
}

TEST(prepared_interface_is_set_and_no_other)
{
	static const char *const others[] = {"all", "default", "lo", other};
	long before[COUNT(others)][COUNT(prepared)];

	(void)state;
	assert_false(is_prepared());
	for (size_t i = 0; i < COUNT(others); i++) {
		for (size_t j = 0; j < COUNT(prepared); j++)
			before[i][j] = setting_of(others[i], prepared[j].setting);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_prepare(net, index_of(name)), 0);
		assert_true(is_prepared());
		for (size_t j = 0; j < COUNT(prepared); j++)
			assert_int_equal(setting_of(name, prepared[j].setting), prepared[j].wanted);
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		for (size_t j = 0; j < COUNT(prepared); j++)
			assert_int_equal(setting_of(others[i], prepared[j].setting), before[i][j]);
	}
}

TEST(setting_that_another_changed_is_seen_and_mended)
{
	(void)state;
	assert_int_equal(link_prepare(net, index_of(name)), 0);
	for (size_t i = 0; i < COUNT(prepared); i++) {
		assert_true(is_prepared());
		assert_int_equal(room_shell("sysctl -w net.ipv4.conf.%s.%s=%ld", name,
					 prepared[i].setting, prepared[i].foreign),
			0);
		assert_false(is_prepared());
		assert_int_equal(link_prepare(net, index_of(name)), 0);
	}
	assert_int_equal(room_shell("ip link set %s addrgenmode eui64", name), 0);
	assert_false(is_prepared());
	assert_int_equal(link_prepare(net, index_of(name)), 0);
	assert_true(is_prepared());
}

static int count_wide(const struct route_address *address, void *context)
{
	const unsigned *index = context;

	return address->device == *index && address->prefix.address.family == ADDRESS_IPV6 ? -EXFULL
											   : 0;
}

TEST(prepared_interface_takes_no_address_that_nobody_asked_for)
{
	unsigned index;

	(void)state;
	/* Of two lines, one prepared: the other one gets its address at once. */
	assert_int_equal(room_shell("ip link add ground2 type veth peer name ground3"), 0);
	index = index_of("ground2");
	assert_int_equal(link_prepare(net, index), 0);
	assert_int_equal(link_set_up(net, index), 0);
	assert_int_equal(link_set_up(net, index_of("ground3")), 0);
	assert_int_equal(route_address_list(net, count_wide, &index), 0);
	index = index_of("ground3");
	assert_int_equal(route_address_list(net, count_wide, &index), -EXFULL);
	assert_int_equal(link_remove(net, "ground2"), 0);
}

TEST(interface_without_ipv6_is_prepared_all_the_same)
{
	(void)state;
	/* Too small for IPv6, which then is not there at all. */
	assert_int_equal(link_set_mtu(net, index_of(name), 1000), 0);
	assert_int_equal(link_prepare(net, index_of(name)), 0);
	assert_true(is_prepared());
	assert_int_equal(link_set_mtu(net, index_of(name), 1420), 0);
	assert_false(is_prepared());
	/* Switched off. */
	assert_int_equal(room_shell("sysctl -w net.ipv6.conf.%s.disable_ipv6=1", name), 0);
	assert_int_equal(link_prepare(net, index_of(name)), 0);
	assert_true(is_prepared());
}

/* Routes. */

struct listed {
	uint32_t count;
	struct route routes[LISTED_MAX];
};

static int take_route(const struct route *route, void *context)
{
	struct listed *listed = context;

	if (listed->count == LISTED_MAX)
		return -ENOBUFS;
	listed->routes[listed->count++] = *route;
	return 0;
}

static struct listed list(void)
{
	struct listed listed = {.count = 0};

	assert_int_equal(route_list(net, take_route, &listed), 0);
	return listed;
}

static bool same_route(const struct route *a, const struct route *b)
{
	return prefix_equal(&a->prefix, &b->prefix) && a->table == b->table &&
	       a->metric == b->metric && a->type == b->type && a->device == b->device &&
	       address_equal(&a->source, &b->source);
}

static void expect_listed(const struct route *route, bool wanted)
{
	struct listed listed = list();
	bool found = false;

	for (uint32_t i = 0; i < listed.count; i++)
		found = found || same_route(&listed.routes[i], route);
	assert_int_equal(found, wanted);
}

/* IPv6 has no routes without a metric. */
static struct route route_of(const char *prefix, uint32_t table, uint8_t type)
{
	struct route route = {.prefix = room_prefix(prefix), .table = table, .type = type};

	route.metric = route.prefix.address.family == ADDRESS_IPV6 ? 1024 : 0;
	route.device = type == RTN_UNICAST ? index_of(name) : 0;
	return route;
}

static const char *const prefixes[] = {
	"10.1.0.0/16", "10.2.3.4/32", "0.0.0.0/0", "2001:db8:1::/48", "2001:db8::1/128", "::/0"};

TEST(routes_are_listed_as_they_were_added)
{
	static const uint32_t tables[] = {ROUTE_TABLE_MAIN, ROUTE_TABLE_INNER, 200};
	static const uint8_t types[] = {RTN_UNICAST, RTN_UNREACHABLE, RTN_THROW};
	uint32_t count = 0;

	(void)state;
	assert_int_equal(list().count, 0);
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		for (size_t j = 0; j < COUNT(tables); j++) {
			for (size_t k = 0; k < COUNT(types); k++) {
				struct route route = route_of(prefixes[i], tables[j], types[k]);

				route.metric = 1000 + (uint32_t)k;
				assert_int_equal(route_add(net, &route), 0);
				assert_int_equal(route_add(net, &route), -EEXIST);
				assert_int_equal(list().count, ++count);
				expect_listed(&route, true);
			}
		}
	}
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		for (size_t j = 0; j < COUNT(tables); j++) {
			for (size_t k = 0; k < COUNT(types); k++) {
				struct route route = route_of(prefixes[i], tables[j], types[k]);

				route.metric = 1000 + (uint32_t)k;
				assert_int_equal(route_remove(net, &route), 0);
				expect_listed(&route, false);
				assert_int_equal(list().count, --count);
				assert_int_equal(route_remove(net, &route), 0);
				assert_int_equal(list().count, count);
			}
		}
	}
}

TEST(route_has_the_source_it_prefers)
{
	struct route route = route_of("10.1.0.0/16", ROUTE_TABLE_MAIN, RTN_UNICAST);
	struct route wide = route_of("2001:db8:1::/48", ROUTE_TABLE_MAIN, RTN_UNICAST);
	const struct prefix source = room_prefix("10.100.3.1/32");
	const struct prefix wide_source = room_prefix("2001:db8:9::1/128");

	(void)state;
	route.source = source.address;
	wide.source = wide_source.address;
	/* Not before it is ours. */
	assert_int_equal(route_add(net, &route), -EINVAL);
	assert_int_equal(route_address_add(net, index_of(name), &route.source), 0);
	assert_int_equal(route_add(net, &route), 0);
	expect_listed(&route, true);
	assert_int_equal(room_shell("ip -6 address add 2001:db8:9::1/128 dev %s nodad", name), 0);
	assert_int_equal(route_add(net, &wide), 0);
	expect_listed(&wide, true);
	/* One of the other family is none. */
	wide.source = route.source;
	assert_int_equal(route_replace(net, &wide), 0);
	wide.source.family = ADDRESS_NONE;
	memset(&wide.source, 0, sizeof wide.source);
	expect_listed(&wide, true);
}

TEST(route_by_a_device_that_is_none_is_refused)
{
	struct route route = route_of("10.1.0.0/16", ROUTE_TABLE_MAIN, RTN_UNICAST);

	(void)state;
	route.device = 99999;
	assert_int_equal(route_add(net, &route), -ENODEV);
	assert_int_equal(list().count, 0);
}

TEST(foreign_routes_are_neither_listed_nor_removed)
{
	static const char *const same[] = {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16",
		"10.4.0.0/16", "2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48"};
	static const uint8_t types[] = {RTN_UNICAST, RTN_UNREACHABLE, RTN_UNICAST, RTN_THROW,
		RTN_UNICAST, RTN_UNREACHABLE, RTN_UNICAST};

	(void)state;
	assert_int_equal(room_shell("printf '%%s\\n' '10.1.0.0/16 dev ground0' "
				    "'unreachable 10.2.0.0/16' "
				    "'10.3.0.0/16 dev ground0 proto static' "
				    "'throw 10.4.0.0/16 table 11010' "
				    "'2001:db8:1::/48 dev ground0 metric 1024' "
				    "'unreachable 2001:db8:2::/48 metric 1024' "
				    "'2001:db8:3::/48 dev ground0 metric 1024 proto static' | "
				    "sed 's/^/route add /' | ip -batch -"),
		0);
	for (size_t i = 0; i < COUNT(same); i++) {
		struct route route = route_of(
			same[i], i == 3 ? ROUTE_TABLE_INNER : ROUTE_TABLE_MAIN, types[i]);

		assert_int_equal(list().count, 0);
		assert_int_equal(route_remove(net, &route), 0);
		/* It stands in the way all the same. */
		assert_int_equal(route_add(net, &route), -EEXIST);
		assert_int_equal(list().count, 0);
	}
	assert_int_equal(
		room_shell("test $(ip route show table all | grep -c '10\\.[1234]\\.0\\.0/16') "
			   "-eq 4"),
		0);
	assert_int_equal(
		room_shell("test $(ip -6 route show | grep -c 2001:db8:[123]::/48) -eq 3"), 0);
}

/* The guard stands behind; where the way went before, it has to stay. */
TEST(guard_stays_when_a_way_is_removed_that_is_not_there)
{
	static const char *const rows[] = {"10.1.0.0/16", "2001:db8:1::/48", "0.0.0.0/0", "::/0"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct route guard = route_of(rows[i], ROUTE_TABLE_MAIN, RTN_UNREACHABLE);
		struct route way = route_of(rows[i], ROUTE_TABLE_MAIN, RTN_UNICAST);
		struct route bare = way;
		struct route inner = guard;
		struct route throw = route_of(rows[i], ROUTE_TABLE_INNER, RTN_THROW);

		guard.metric = ROUTE_METRIC_GUARD;
		inner.metric = ROUTE_METRIC_GUARD;
		inner.table = ROUTE_TABLE_INNER;
		bare.metric = 0;
		throw.metric = 0;
		assert_int_equal(route_add(net, &guard), 0);
		assert_int_equal(route_add(net, &inner), 0);
		assert_int_equal(route_remove(net, &way), 0);
		assert_int_equal(route_remove(net, &bare), 0);
		assert_int_equal(route_remove(net, &throw), 0);
		expect_listed(&guard, true);
		expect_listed(&inner, true);
		assert_int_equal(route_add(net, &way), 0);
		assert_int_equal(route_remove(net, &guard), 0);
		expect_listed(&way, true);
		expect_listed(&guard, false);
		assert_int_equal(route_remove(net, &way), 0);
		assert_int_equal(route_remove(net, &inner), 0);
		assert_int_equal(list().count, 0);
	}
}

TEST(replaced_route_is_one_route)
{
	static const char *const rows[] = {"10.1.0.0/16", "2001:db8:1::/48"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct route guard = route_of(rows[i], ROUTE_TABLE_MAIN, RTN_UNREACHABLE);
		struct route route = route_of(rows[i], ROUTE_TABLE_MAIN, RTN_UNICAST);

		guard.metric = ROUTE_METRIC_GUARD;
		assert_int_equal(route_add(net, &guard), 0);
		/* Also where there is none yet. */
		for (int j = 0; j < 4; j++) {
			expect_listed(&route, false);
			assert_int_equal(route_replace(net, &route), 0);
			expect_listed(&route, true);
			expect_listed(&guard, true);
			assert_int_equal(list().count, 2);
			route.device = index_of(j % 2 ? name : other);
		}
		assert_int_equal(route_remove(net, &guard), 0);
		/* Whichever device it has. */
		assert_int_equal(route_remove(net, &route), 0);
		assert_int_equal(list().count, 0);
	}
}

/* Replaces a route for ever. */
static void flip(const char *prefix)
{
	struct route route = route_of(prefix, ROUTE_TABLE_MAIN, RTN_UNICAST);
	unsigned devices[2];
	struct netlink *own;

	devices[0] = index_of(name);
	devices[1] = index_of(other);
	if (netlink_open(&own, NETLINK_ROUTE) < 0)
		_exit(1);
	for (int i = 0; i < INT32_MAX; i++) {
		route.device = devices[i % 2];
		if (route_replace(own, &route) < 0)
			_exit(2);
	}
	_exit(3);
}

static bool leads_somewhere(const char *endpoint)
{
	const struct endpoint to = room_endpoint(endpoint);
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&to, &storage);
	int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool leads;

	assert_true(fd >= 0);
	leads = connect(fd, (struct sockaddr *)&storage, length) == 0;
	(void)close(fd);
	return leads;
}

TEST(route_that_is_replaced_leaves_no_gap)
{
	static const char *const rows[][2] = {
		{"10.1.0.0/16", "10.1.0.1:9"}, {"2001:db8:1::/48", "[2001:db8:1::1]:9"}};

	(void)state;
	assert_int_equal(room_shell("ip address add 10.100.3.1/32 dev lo"), 0);
	assert_int_equal(room_shell("ip address add 2001:db8:9::1/128 dev lo nodad"), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct route route = route_of(rows[i][0], ROUTE_TABLE_MAIN, RTN_UNICAST);
		int64_t until = room_now_ms() + 400;
		int missing = 0;
		int tries = 0;
		int status = 0;
		pid_t child;

		assert_false(leads_somewhere(rows[i][1]));
		assert_int_equal(route_add(net, &route), 0);
		(void)fflush(stdout);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			flip(rows[i][0]);
		while (room_now_ms() < until) {
			missing += !leads_somewhere(rows[i][1]);
			tries++;
		}
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		/* It went on for all the time. */
		assert_true(WIFSIGNALED(status));
		/*
		 * A lookup that holds the old route at the very moment it is let go finds none:
		 * of so many exchanges some are met. Of those between which there is none, most.
		 */
		assert_true(tries >= 100);
		if (missing > tries / 50)
			fail_msg("%s: %d of %d", rows[i][0], missing, tries);
		assert_int_equal(list().count, 1);
		assert_int_equal(route_remove(net, &route), 0);
	}
	assert_int_equal(room_shell("ip address delete 10.100.3.1/32 dev lo"), 0);
	assert_int_equal(room_shell("ip address delete 2001:db8:9::1/128 dev lo"), 0);
}

TEST(routes_that_lead_nowhere_answer_at_once)
{
	struct route route = route_of("10.1.0.0/16", ROUTE_TABLE_MAIN, RTN_UNREACHABLE);
	struct sockaddr_storage storage;
	const struct endpoint to = room_endpoint("10.1.0.1:9");
	socklen_t length = sockaddr_from(&to, &storage);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(route_add(net, &route), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&storage, length), -1);
	assert_int_equal(errno, EHOSTUNREACH);
	(void)close(fd);
}

/* Rules. */

struct rules {
	uint32_t count;
	struct route_rule rules[9];
};

static int take_rule(const struct route_rule *rule, void *context)
{
	struct rules *rules = context;

	if (rules->count == COUNT(rules->rules))
		return -ENOBUFS;
	rules->rules[rules->count++] = *rule;
	return 0;
}

static struct rules list_rules(void)
{
	struct rules rules = {.count = 0};

	assert_int_equal(route_rule_list(net, take_rule, &rules), 0);
	return rules;
}

TEST(rules_are_listed_as_they_were_added)
{
	static const uint8_t families[] = {ADDRESS_IPV4, ADDRESS_IPV6};
	struct rules rules = list_rules();

	(void)state;
	assert_int_equal(rules.count, 0);
	for (uint32_t i = 0; i < COUNT(families); i++) {
		assert_int_equal(route_rule_add(net, families[i], name, ROUTE_RULE_PRIORITY), 0);
		assert_int_equal(
			route_rule_add(net, families[i], name, ROUTE_RULE_PRIORITY), -EEXIST);
		rules = list_rules();
		assert_int_equal(rules.count, i + 1);
		assert_int_equal(rules.rules[i].family, families[i]);
		assert_string_equal(rules.rules[i].name, name);
		assert_true(rules.rules[i].proper);
		assert_int_equal(rules.rules[i].table, ROUTE_TABLE_INNER);
		assert_int_equal(rules.rules[i].priority, ROUTE_RULE_PRIORITY);
	}
	for (uint32_t i = 0; i < COUNT(families); i++) {
		assert_int_equal(route_rule_remove(net, &rules.rules[i]), 0);
		assert_int_equal(route_rule_remove(net, &rules.rules[i]), 0);
		assert_int_equal(list_rules().count, 1 - i);
	}
}

TEST(foreign_rules_are_neither_listed_nor_removed)
{
	const struct route_rule same = {.family = ADDRESS_IPV4,
		.name = "ground0",
		.table = ROUTE_TABLE_INNER,
		.priority = ROUTE_RULE_PRIORITY};

	(void)state;
	assert_int_equal(room_shell("ip rule add iif %s lookup %d priority %d", name,
				 ROUTE_TABLE_INNER, ROUTE_RULE_PRIORITY),
		0);
	assert_int_equal(list_rules().count, 0);
	assert_int_equal(route_rule_remove(net, &same), 0);
	assert_int_equal(
		room_shell("ip rule show | grep -q 'iif %s lookup %d'", name, ROUTE_TABLE_INNER),
		0);
	assert_int_equal(room_shell("ip rule delete iif %s", name), 0);
}

/* Rules of ours, but not as we make them: listed, as what is to be removed. In the words of ip. */
static void expect_bent(const char *rows, uint32_t count)
{
	struct rules rules;

	assert_int_equal(room_shell("printf '%%s\\n' %s | sed 's/.*/rule add & protocol %d/' | "
				    "ip -batch -",
				 rows, ROUTE_PROTOCOL),
		0);
	rules = list_rules();
	assert_int_equal(rules.count, count);
	for (uint32_t i = 0; i < rules.count; i++)
		assert_false(rules.rules[i].proper);
	(void)room_shell("while ip rule delete protocol %d; do :; done", ROUTE_PROTOCOL);
	assert_int_equal(list_rules().count, 0);
}

TEST(rules_that_were_bent_are_told_apart)
{
	(void)state;
	expect_bent("'iif ground0 lookup 200 priority 1010' "
		    "'lookup 11010 priority 1010' "
		    "'iif ground0 from 10.0.0.0/8 lookup 11010 priority 1010' "
		    "'iif ground0 to 10.0.0.0/8 lookup 11010 priority 1010' "
		    "'iif ground0 unreachable priority 1010'",
		5);
	/* Which the kernel takes for the same as another one of these. */
	expect_bent("'not iif ground0 lookup 11010 priority 1010'", 1);
}

/* Only from there. */
static bool comes_from_ten(const struct prefix *from, void *context)
{
	static const struct prefix ten = {{ADDRESS_IPV4, {10}}, 8};

	(void)context;
	return from->length == 0 || prefix_overlaps(from, &ten);
}

static struct route_foremost find_foremost(void)
{
	struct route_foremost foremost = {0};

	assert_int_equal(
		route_rule_foremost(net, ADDRESS_IPV4, comes_from_ten, NULL, &foremost), 0);
	return foremost;
}

/* By the words of ip. */
static void expect_foremost(const char *rule, uint32_t priority)
{
	struct route_foremost foremost;

	assert_int_equal(room_shell("ip rule add %s", rule), 0);
	foremost = find_foremost();
	assert_int_equal(foremost.local, 0);
	assert_int_equal(foremost.before, ROUTE_NO_RULE);
	assert_int_equal(foremost.behind, priority);
	assert_int_equal(room_shell("ip rule delete %s", rule), 0);
}

static const uint32_t main_priority = 32766; /* of a rule that every system has */

TEST(the_foremost_rule_of_others_is_found)
{
	(void)state;
	expect_foremost("lookup 200 priority 900", 900);
	expect_foremost("not fwmark 1 lookup 200 priority 900", 900);
	expect_foremost("unreachable priority 5", 5);
	expect_foremost("from 10.100.0.0/16 lookup 200 priority 900", 900);
	expect_foremost("from 192.0.2.98 lookup 200 priority 900", main_priority);
	expect_foremost("not from 192.0.2.98 lookup 200 priority 900", 900);
	expect_foremost("lookup 200 priority 900 protocol 110", main_priority);
	expect_foremost("lookup local priority 900", main_priority);
	/* Without a priority it is before all that is there, but for the local table. */
	assert_int_equal(route_rule_add(net, ADDRESS_IPV4, name, ROUTE_RULE_PRIORITY), 0);
	expect_foremost("lookup 200", ROUTE_RULE_PRIORITY - 1);
	assert_int_equal(room_shell("ip rule delete protocol %d", ROUTE_PROTOCOL), 0);
}

/* One that is inverted takes what comes in by all but the one that it names. */
TEST(rules_for_other_interfaces_are_passed_over_unless_inverted)
{
	static const char *const rules[] = {"iif lan", "iif ground0", "oif lan", "l3mdev"};
	char rule[64];

	(void)state;
	for (uint32_t i = 0; i < COUNT(rules); i++) {
		const char *table = strcmp(rules[i], "l3mdev") == 0 ? "" : "lookup 200";

		(void)snprintf(rule, sizeof rule, "%s %s priority 900", rules[i], table);
		expect_foremost(rule, main_priority);
		(void)snprintf(rule, sizeof rule, "not %s %s priority 900", rules[i], table);
		expect_foremost(rule, 900);
	}
}

/* In the words of ip: the local table is where others put it, and rules are set around it. */
static void expect_around_local(const char *rules, uint32_t local, uint32_t before, uint32_t behind)
{
	struct route_foremost foremost;

	assert_int_equal(
		room_shell("printf '%%s\\n' %s | sed 's/^/rule add /' | ip -batch -", rules), 0);
	assert_int_equal(room_shell("ip rule delete priority 0 lookup local"), 0);
	foremost = find_foremost();
	assert_int_equal(room_shell("ip rule flush && ip rule add lookup local priority 0 && "
				    "ip rule add lookup main priority 32766 && "
				    "ip rule add lookup default priority 32767"),
		0);
	assert_int_equal(foremost.local, local);
	assert_int_equal(foremost.before, before);
	assert_int_equal(foremost.behind, behind);
}

TEST(rules_are_told_apart_by_the_local_table)
{
	(void)state;
	expect_around_local("'lookup local priority 100'", 100, ROUTE_NO_RULE, main_priority);
	expect_around_local("'lookup 200 priority 9' 'lookup 200 priority 10' "
			    "'lookup local priority 100' 'lookup 200 priority 101'",
		100, 9, 101);
	/* Beside it, on either side. */
	expect_around_local(
		"'lookup 200 priority 100' 'lookup local priority 100'", 100, 100, main_priority);
	expect_around_local(
		"'lookup local priority 100' 'lookup 200 priority 100'", 100, 100, main_priority);
	/* What is for some packets only does not stand for it, nor does a second one. */
	expect_around_local("'from 10.0.0.0/8 lookup local priority 5' "
			    "'fwmark 1 lookup local priority 6' "
			    "'not iif lan lookup local priority 7' "
			    "'lookup local priority 100' 'lookup 200 priority 200' "
			    "'lookup local priority 300'",
		100, ROUTE_NO_RULE, 200);
	/* There is none. */
	expect_around_local("'lookup 200 priority 9'", 0, ROUTE_NO_RULE, 9);
	expect_around_local("'lookup 200 priority 0'", 0, 0, main_priority);
}

TEST(rule_with_another_table_is_removed_as_listed)
{
	struct rules rules;

	(void)state;
	assert_int_equal(room_shell("ip rule add iif %s lookup 200 priority 7 protocol %d", name,
				 ROUTE_PROTOCOL),
		0);
	rules = list_rules();
	assert_int_equal(rules.count, 1);
	assert_int_equal(route_rule_remove(net, &rules.rules[0]), 0);
	assert_int_equal(list_rules().count, 0);
}

/* Addresses. */

struct addresses {
	unsigned device;
	uint32_t count;
	struct route_address addresses[8];
};

static int take_address(const struct route_address *address, void *context)
{
	struct addresses *addresses = context;

	if (address->device != addresses->device || addresses->count == 8)
		return 0;
	addresses->addresses[addresses->count++] = *address;
	return 0;
}

static struct addresses addresses_of(const char *device)
{
	struct addresses addresses = {.device = index_of(device)};

	assert_int_equal(route_address_list(net, take_address, &addresses), 0);
	return addresses;
}

TEST(addresses_are_listed_as_they_were_added)
{
	static const char *const rows[] = {"10.100.3.1/32", "2001:db8:9::1/128"};
	struct addresses addresses;

	(void)state;
	assert_int_equal(link_prepare(net, index_of(name)), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct prefix prefix = room_prefix(rows[i]);
		unsigned index = index_of(name);

		assert_int_equal(room_shell("ip address flush dev %s", name), 0);
		for (int j = 0; j < 2; j++)
			assert_int_equal(route_address_add(net, index, &prefix.address), 0);
		addresses = addresses_of(name);
		assert_int_equal(addresses.count, 1);
		assert_true(prefix_equal(&addresses.addresses[0].prefix, &prefix));
		assert_false(addresses.addresses[0].near);
		for (int j = 0; j < 2; j++)
			assert_int_equal(route_address_remove(net, &addresses.addresses[0]), 0);
		assert_int_equal(addresses_of(name).count, 0);
	}
	addresses.addresses[0].device = 99999;
	assert_int_equal(route_address_remove(net, &addresses.addresses[0]), 0);
}

TEST(addresses_say_how_far_they_reach_and_whose_they_are)
{
	struct addresses addresses = addresses_of("lo");
	const struct prefix own = room_prefix("10.5.0.1/32");

	(void)state;
	assert_true(addresses.count >= 1);
	for (uint32_t i = 0; i < addresses.count; i++)
		assert_true(addresses.addresses[i].near);
	assert_int_equal(room_shell("ip address flush dev %s", name), 0);
	assert_int_equal(room_shell("ip address add 10.5.0.1 peer 10.5.0.2 dev %s", name), 0);
	addresses = addresses_of(name);
	assert_int_equal(addresses.count, 1);
	assert_true(address_equal(&addresses.addresses[0].prefix.address, &own.address));
	assert_int_equal(room_shell("ip address flush dev %s", name), 0);
	assert_int_equal(room_shell("ip address add 10.5.0.1/24 dev %s", name), 0);
	assert_int_equal(addresses_of(name).addresses[0].prefix.length, 24);
}

TEST(machine_with_ipv6_switched_off_works)
{
	const struct prefix address = room_prefix("10.100.3.1/32");
	const struct prefix wide = room_prefix("2001:db8:9::1/128");
	struct route route = route_of("10.1.0.0/16", ROUTE_TABLE_MAIN, RTN_UNICAST);
	unsigned index = index_of(name);
	struct rules rules;

	(void)state;
	assert_true(route_has_ipv6());
	assert_int_equal(room_shell("sysctl -w net.ipv6.conf.all.disable_ipv6=1"), 0);
	assert_int_equal(link_prepare(net, index), 0);
	assert_true(is_prepared());
	assert_int_equal(route_address_add(net, index, &address.address), 0);
	assert_true(route_address_add(net, index, &wide.address) < 0);
	assert_int_equal(route_add(net, &route), 0);
	expect_listed(&route, true);
	assert_int_equal(route_rule_add(net, ADDRESS_IPV4, name, ROUTE_RULE_PRIORITY), 0);
	rules = list_rules();
	assert_int_equal(rules.count, 1);
	assert_int_equal(route_rule_remove(net, &rules.rules[0]), 0);
	assert_int_equal(addresses_of(name).count, 1);
	assert_int_equal(room_shell("sysctl -w net.ipv6.conf.all.disable_ipv6=0"), 0);
}

/* The packet filter. */

static struct netlink *packets;

static int set_up_filter(void **state)
{
	(void)state;
	return netlink_open(&packets, NETLINK_NETFILTER);
}

static int tear_down_filter(void **state)
{
	int r = filter_remove(packets);

	(void)state;
	(void)room_shell("nft flush ruleset");
	netlink_close(packets);
	return r;
}

static struct filter filter_of(const char *network)
{
	return (struct filter){.interface_count = 2,
		.interfaces = {"ground0", "ground1"},
		.open_count = 3,
		.open = {room_prefix("10.100.3.1/32"), room_prefix(network),
			room_prefix("2001:db8:7::/49")},
		.joiners = room_prefix("169.254.77.0/24"),
		.join_port = 51823};
}

/* The words of nft, which knows nothing of ours. */
static void expect_filter(const char *rules)
{
	char path[] = "/tmp/filter-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(write(fd, rules, strlen(rules)) == (ssize_t)strlen(rules));
	close(fd);
	assert_int_equal(room_shell("nft list table inet collective | diff %s -", path), 0);
	assert_int_equal(unlink(path), 0);
}

TEST(filter_stands_as_nft_reads_it)
{
	struct filter filter = filter_of("192.168.0.0/18");

	(void)state;
	assert_int_equal(filter_set(packets, &filter), 0);
	expect_filter("table inet collective {\n"
		      "\tchain joiners {\n"
		      "\t\ttype filter hook prerouting priority raw; policy accept;\n"
		      "\t\tiifname \"ground0\" ip saddr 169.254.77.0/24 ip daddr 10.100.3.1 udp "
		      "dport 51823 accept\n"
		      "\t\tiifname \"ground1\" ip saddr 169.254.77.0/24 ip daddr 10.100.3.1 udp "
		      "dport 51823 accept\n"
		      "\t\tiifname \"ground0\" ip saddr 169.254.77.0/24 drop\n"
		      "\t\tiifname \"ground1\" ip saddr 169.254.77.0/24 drop\n"
		      "\t}\n\n"
		      "\tchain inside {\n"
		      "\t\ttype filter hook input priority filter - 10; policy accept;\n"
		      "\t\tiifname != \"ground0\" iifname != \"ground1\" accept\n"
		      "\t\tip daddr 10.100.3.1 accept\n"
		      "\t\tip daddr 192.168.0.0/18 accept\n"
		      "\t\tip6 daddr 2001:db8:7::/49 accept\n"
		      "\t\tdrop\n"
		      "\t}\n"
		      "}\n");
}

TEST(filter_takes_the_place_of_the_one_before)
{
	struct filter filter = filter_of("192.168.7.0/24");
	struct filter_seal seal;

	(void)state;
	assert_int_equal(filter_set(packets, &filter), 0);
	filter = filter_of("192.168.8.0/24");
	filter.interface_count = 1;
	assert_int_equal(filter_set(packets, &filter), 0);
	assert_int_equal(room_shell("nft list ruleset | grep -q 192.168.8.0/24"), 0);
	assert_int_not_equal(room_shell("nft list ruleset | grep -q 192.168.7.0/24"), 0);
	assert_int_not_equal(room_shell("nft list ruleset | grep -q ground1"), 0);
	assert_int_equal(filter_read(packets, &seal), 0);
	assert_int_equal(seal.count, 7);
}

TEST(filter_is_found_and_removed_and_others_are_left)
{
	struct filter filter = filter_of("192.168.7.0/24");
	bool found = true;

	(void)state;
	assert_int_equal(room_shell("nft add table inet other && nft add table ip collective"), 0);
	assert_int_equal(filter_find(packets, &found), 0);
	assert_false(found);
	assert_int_equal(filter_remove(packets), 0);
	assert_int_equal(filter_set(packets, &filter), 0);
	assert_int_equal(filter_find(packets, &found), 0);
	assert_true(found);
	assert_int_equal(filter_remove(packets), 0);
	assert_int_equal(filter_find(packets, &found), 0);
	assert_false(found);
	assert_int_equal(
		room_shell("nft list table inet other && nft list table ip collective"), 0);
}

TEST(seal_tells_that_somebody_changed_the_filter)
{
	static const char *const changes[] = {"nft insert rule inet collective inside accept",
		"nft flush chain inet collective joiners", "nft flush ruleset"};
	struct filter filter = filter_of("192.168.7.0/24");
	uint32_t before = 0;
	uint32_t after = 0;
	struct filter_seal seal;
	struct filter_seal seen;

	(void)state;
	for (uint32_t i = 0; i < COUNT(changes); i++) {
		assert_int_equal(filter_set(packets, &filter), 0);
		assert_int_equal(filter_generation(packets, &before), 0);
		assert_int_equal(filter_read(packets, &seal), 0);
		/* Another's rules are no matter of ours. */
		assert_int_equal(room_shell("nft add table inet other%u", i), 0);
		assert_int_equal(filter_generation(packets, &after), 0);
		assert_int_not_equal(before, after);
		assert_int_equal(filter_read(packets, &seen), 0);
		assert_true(filter_seal_equal(&seal, &seen));
		assert_int_equal(room_shell("%s", changes[i]), 0);
		assert_int_equal(filter_read(packets, &seen), 0);
		assert_false(filter_seal_equal(&seal, &seen));
	}
}

TEST(filter_that_cannot_be_leaves_the_one_before)
{
	struct filter filter = filter_of("192.168.7.0/24");
	struct filter_seal seal;
	struct filter_seal seen;

	(void)state;
	assert_int_equal(filter_set(packets, &filter), 0);
	assert_int_equal(filter_read(packets, &seal), 0);
	/* Nothing to be compared with nothing. */
	filter.open[0] = (struct prefix){.length = 0};
	assert_true(filter_set(packets, &filter) < 0);
	assert_int_equal(filter_read(packets, &seen), 0);
	assert_true(filter_seal_equal(&seal, &seen));
}

static int try_filter_without(void *context)
{
	const struct filter *filter = context;
	struct netlink *own;

	room_give_up();
	if (netlink_open(&own, NETLINK_NETFILTER) < 0)
		return 128;
	return filter_set(own, filter) == -EPERM && filter_remove(own) == -EPERM ? 0 : 1;
}

TEST(without_the_capability_no_filter_is_set)
{
	struct filter filter = filter_of("192.168.7.0/24");

	(void)state;
	assert_int_equal(room_child(try_filter_without, &filter), 0);
}

#define ALONE(test) cmocka_unit_test(test)
#define FILTERED(test) cmocka_unit_test_setup_teardown(test, set_up_filter, tear_down_filter)
#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		ALONE(refusal_is_a_number_and_the_kernels_words),
		ALONE(bad_requests_are_refused),
		MADE(first_error_of_the_reader_is_told_and_the_rest_not_read),
		ALONE(bus_that_is_none_is_not_opened),
		ALONE(sockets_have_names_of_their_own),
		MADE(without_the_capability_nothing_is_changed),
		ALONE(interfaces_are_found_as_they_are),
		ALONE(interface_is_made_and_taken_away),
		ALONE(interface_comes_up_and_changes_its_mtu),
		MADE(prepared_interface_is_set_and_no_other),
		MADE(setting_that_another_changed_is_seen_and_mended),
		MADE(prepared_interface_takes_no_address_that_nobody_asked_for),
		MADE(interface_without_ipv6_is_prepared_all_the_same),
		MADE(routes_are_listed_as_they_were_added),
		MADE(route_has_the_source_it_prefers),
		MADE(route_by_a_device_that_is_none_is_refused),
		MADE(foreign_routes_are_neither_listed_nor_removed),
		MADE(guard_stays_when_a_way_is_removed_that_is_not_there),
		MADE(replaced_route_is_one_route),
		MADE(route_that_is_replaced_leaves_no_gap),
		MADE(routes_that_lead_nowhere_answer_at_once),
		MADE(rules_are_listed_as_they_were_added),
		MADE(foreign_rules_are_neither_listed_nor_removed),
		MADE(rules_that_were_bent_are_told_apart),
		MADE(the_foremost_rule_of_others_is_found),
		MADE(rules_for_other_interfaces_are_passed_over_unless_inverted),
		MADE(rules_are_told_apart_by_the_local_table),
		MADE(rule_with_another_table_is_removed_as_listed),
		MADE(addresses_are_listed_as_they_were_added),
		MADE(addresses_say_how_far_they_reach_and_whose_they_are),
		MADE(machine_with_ipv6_switched_off_works),
		FILTERED(filter_stands_as_nft_reads_it),
		FILTERED(filter_takes_the_place_of_the_one_before),
		FILTERED(filter_is_found_and_removed_and_others_are_left),
		FILTERED(seal_tells_that_somebody_changed_the_filter),
		FILTERED(filter_that_cannot_be_leaves_the_one_before),
		FILTERED(without_the_capability_no_filter_is_set),
	};
	int failed;

	(void)alarm(120);
	room_begin(&room, argc > 1 && strcmp(argv[1], "user") == 0);
	net = room.netlink;
	failed = RUN(cases);
	netlink_close(net);
	return failed;
}

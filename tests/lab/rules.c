/* SPDX-License-Identifier: MIT */
/*
 * rules.c - how the carrier's rules of routing stand towards those of other programs, on a real
 * kernel:
 *
 *   rules [user]
 *
 * In namespaces of its own, as root or as the unit's user. Time is the test's: what is looked at
 * once a minute is looked at at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "agent/carrier.h"
#include "agent/route.h"
#include "tests/lab/room.h"

#define OURS_MAX 8

static struct room room;
static struct carrier *carrier;
static struct log quiet;
static usec_t now;
static bool refuses_rules;

/* Stands in the place of libmnl's: the kernel may have no memory for another rule. */
ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t size)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct nlmsghdr *message = bytes;

	if (refuses_rules && message->nlmsg_type == RTM_NEWRULE) {
		errno = ENOMEM;
		return -1;
	}
	return sendto(mnl_socket_get_fd(socket), bytes, size, 0, (const struct sockaddr *)&kernel,
		sizeof kernel);
}

/* The carrier, and what it is told. */

static void open_carrier(void)
{
	struct carrier_options options = {.implementation = CONFIG_IMPLEMENTATION_AUTO,
		.interfaces = {{.name = "rules0", .mtu = 1420}, {.name = "rules1", .mtu = 1420}},
		.peers_max = 16,
		.prefixes_max = 16,
		.log = &quiet};
	char why[WIREGUARD_WHY_SIZE] = "";

	if (carrier_open(&carrier, &options, why) < 0)
		fail_msg("%s", why);
}

static void want_device(enum site_interface interface, const struct key *key)
{
	const struct site_action action = {
		.kind = SITE_DEVICE, .interface = interface, .device = *key};

	carrier_want(carrier, &action);
}

static void want_way(const char *network)
{
	struct site_action action = {.kind = SITE_ROUTE};

	action.route.kind = SITE_ROUTE_BACKBONE;
	action.route.prefix = room_prefix(network);
	carrier_want(carrier, &action);
}

static void settle(void)
{
	const struct site_action action = {.kind = SITE_SETTLED};

	carrier_want(carrier, &action);
	carrier_apply(carrier, now);
	carrier_turn(carrier, now);
	assert_string_equal(carrier_trouble(carrier), "");
}

static void pass(usec_t time)
{
	now += time;
	carrier_turn(carrier, now);
}

/* A member of 10.77.0.0/16, at 10.77.1.1. More may be to come. */
static void begin_unsettled(void)
{
	struct site_action action = {.kind = SITE_ADDRESS};

	open_carrier();
	for (int i = 0; i < SITE_INTERFACES; i++) {
		const struct key key = room_private((uint8_t)(i + 1));

		want_device((enum site_interface)i, &key);
	}
	action.address.address = address_ipv4(0x0a4d0101);
	carrier_want(carrier, &action);
	want_way("10.77.0.0/16");
	carrier_apply(carrier, now);
}

static void begin(void)
{
	begin_unsettled();
	settle();
}

static void end(void)
{
	const struct key none = {{0}};

	for (int i = 0; i < SITE_INTERFACES; i++)
		want_device((enum site_interface)i, &none);
	carrier_apply(carrier, now);
	carrier_close(carrier);
	carrier = NULL;
}

static int set_up(void **state)
{
	(void)state;
	now += USEC_MINUTE;
	refuses_rules = false;
	return 0;
}

/* Rules are as a system has them, and none of ours was left. */
static int tear_down(void **state)
{
	(void)state;
	if (carrier)
		end();
	return room_shell("! { ip rule; ip -6 rule; } | grep -q 'proto %d' && "
			  "ip rule flush && while ip rule delete priority 0; do :; done && "
			  "ip rule add lookup local priority 0 && "
			  "ip rule add lookup main priority 32766 && "
			  "ip rule add lookup default priority 32767",
		ROUTE_PROTOCOL);
}

/* What is there. */

struct ours {
	uint32_t count;
	uint32_t priorities[OURS_MAX];
};

static int take_ours(const struct route_rule *rule, void *context)
{
	struct ours *ours = context;

	assert_true(rule->proper);
	assert_true(ours->count < OURS_MAX);
	if (rule->family == ADDRESS_IPV4)
		ours->priorities[ours->count++] = rule->priority;
	return 0;
}

/* One for each interface stands there, and no other. */
static void expect_ours(uint32_t priority)
{
	struct ours ours = {.count = 0};

	assert_int_equal(route_rule_list(room.netlink, take_ours, &ours), 0);
	assert_int_equal(ours.count, SITE_INTERFACES);
	for (uint32_t i = 0; i < ours.count; i++)
		assert_int_equal(ours.priorities[i], priority);
}

/* The way of what a member sends: a word in what ip says of it. */
static void expect_way(const char *to, const char *word)
{
	assert_int_equal(
		room_shell("ip route get %s from 10.77.2.1 iif rules0 | grep -q '%s'", to, word),
		0);
}

static void expect_nowhere(const char *to)
{
	assert_int_not_equal(room_shell("ip route get %s from 10.77.2.1 iif rules0", to), 0);
}

static void run(const char *words)
{
	assert_int_equal(room_shell("%s", words), 0);
}

/* The claims. */

TEST(ours_move_before_those_of_others_and_back)
{
	(void)state;
	begin();
	expect_ours(ROUTE_RULE_PRIORITY);
	run("ip rule add lookup 200 priority 900");
	pass(USEC_MINUTE);
	expect_ours(899);
	assert_int_equal(carrier_repairs(carrier), 1);
	run("ip rule delete priority 900");
	pass(USEC_MINUTE);
	expect_ours(ROUTE_RULE_PRIORITY);
	assert_int_equal(carrier_repairs(carrier), 1);
	assert_string_equal(carrier_overtaken(carrier), "");
}

/* It takes what comes in by all other interfaces, ours among them. */
TEST(inverted_rules_for_an_interface_do_not_overtake_ours)
{
	(void)state;
	run("ip route add default dev lo table 200");
	begin();
	expect_nowhere("192.168.5.9");
	run("ip rule add not iif lo lookup 200 priority 900");
	pass(USEC_MINUTE);
	expect_ours(899);
	expect_nowhere("192.168.5.9");
	run("ip route flush table 200");
}

TEST(what_stood_there_before_us_is_no_repair)
{
	(void)state;
	run("ip rule add lookup 200 priority 900");
	run("ip rule add from 10.77.0.0/16 lookup 200 priority 800");
	for (int i = 0; i < 2; i++) {
		begin();
		pass(USEC_MINUTE);
		expect_ours(799);
		assert_int_equal(carrier_repairs(carrier), 0);
		end();
	}
}

TEST(what_is_set_before_all_is_told_is_no_repair)
{
	(void)state;
	begin_unsettled();
	run("ip rule add lookup 200 priority 900");
	carrier_notice(carrier, now);
	settle();
	expect_ours(899);
	assert_int_equal(carrier_repairs(carrier), 0);
}

TEST(who_wants_nothing_says_nothing_of_rules)
{
	(void)state;
	open_carrier();
	settle();
	run("ip rule add lookup 200 priority 900 && ip rule add lookup 200 priority 0");
	pass(USEC_MINUTE);
	assert_int_equal(carrier_repairs(carrier), 0);
	assert_string_equal(carrier_overtaken(carrier), "");
}

/* As Cilium sets them. */
TEST(ours_do_not_stand_before_the_local_table)
{
	(void)state;
	run("ip rule add lookup local priority 100 && ip rule delete priority 0 && "
	    "ip rule add fwmark 0x200/0xf00 lookup 2004 priority 9");
	begin();
	expect_ours(ROUTE_RULE_PRIORITY);
	expect_way("10.77.1.1", "^local");
	assert_non_null(strstr(carrier_overtaken(carrier), "rule of priority 9 (\"ip rule\""));
	/* There is room between it and this one. */
	run("ip rule add lookup 200 priority 200");
	pass(USEC_MINUTE);
	expect_ours(199);
	/* There is none. */
	run("ip rule add lookup 201 priority 101");
	pass(USEC_MINUTE);
	expect_ours(100);
	expect_way("10.77.1.1", "^local");
	expect_way("10.77.2.2", "dev rules0");
	assert_int_equal(carrier_repairs(carrier), 2);
	run("ip rule delete priority 9");
	pass(USEC_MINUTE);
	assert_string_equal(carrier_overtaken(carrier), "");
	run("ip rule delete priority 101 && ip rule delete priority 200 && "
	    "ip rule add lookup local priority 2000 && ip rule delete priority 100");
	pass(USEC_MINUTE);
	expect_ours(2000);
	expect_way("10.77.1.1", "^local");
	run("ip rule add lookup local priority 0 && ip rule delete priority 2000");
	pass(USEC_MINUTE);
	expect_ours(ROUTE_RULE_PRIORITY);
	assert_int_equal(carrier_repairs(carrier), 2);
}

TEST(rule_that_ours_cannot_stand_before_is_a_trouble_and_no_repair)
{
	(void)state;
	begin();
	run("ip rule add lookup 200 priority 0");
	pass(USEC_MINUTE);
	expect_ours(ROUTE_RULE_PRIORITY);
	assert_non_null(strstr(carrier_overtaken(carrier), "rule of priority 0 (\"ip rule\""));
	run("ip -6 rule add lookup 200 priority 0 && ip rule delete lookup 200");
	pass(USEC_MINUTE);
	assert_non_null(strstr(carrier_overtaken(carrier), "rule of priority 0 (\"ip -6 rule\""));
	run("ip -6 rule delete lookup 200");
	pass(USEC_MINUTE);
	assert_string_equal(carrier_overtaken(carrier), "");
	assert_int_equal(carrier_repairs(carrier), 0);
	assert_int_equal(carrier_refusals(carrier), 0);
}

TEST(rule_stays_where_it_stood_until_it_stands_in_its_new_place)
{
	(void)state;
	begin();
	run("ip rule add lookup 200 priority 900");
	refuses_rules = true;
	pass(USEC_MINUTE);
	expect_ours(ROUTE_RULE_PRIORITY);
	assert_true(carrier_refusals(carrier) > 0);
	refuses_rules = false;
	pass(USEC_MINUTE);
	expect_ours(899);
	assert_int_equal(carrier_repairs(carrier), 1);
}

/* It was of no concern while nobody sent from there. */
TEST(rule_for_a_new_members_network_is_seen_soon)
{
	(void)state;
	run("ip rule add from 192.168.9.0/24 lookup 200 priority 900");
	begin();
	expect_ours(ROUTE_RULE_PRIORITY);
	want_way("192.168.9.0/24");
	carrier_apply(carrier, now);
	pass(300 * USEC_MSEC);
	expect_ours(899);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		HERE(ours_move_before_those_of_others_and_back),
		HERE(inverted_rules_for_an_interface_do_not_overtake_ours),
		HERE(what_stood_there_before_us_is_no_repair),
		HERE(what_is_set_before_all_is_told_is_no_repair),
		HERE(who_wants_nothing_says_nothing_of_rules),
		HERE(ours_do_not_stand_before_the_local_table),
		HERE(rule_that_ours_cannot_stand_before_is_a_trouble_and_no_repair),
		HERE(rule_stays_where_it_stood_until_it_stands_in_its_new_place),
		HERE(rule_for_a_new_members_network_is_seen_soon),
	};

	(void)alarm(120);
	log_init(&quiet, CONFIG_LEVEL_ERROR);
	room_begin(&room, argc > 1 && strcmp(argv[1], "user") == 0);
	return RUN(cases);
}

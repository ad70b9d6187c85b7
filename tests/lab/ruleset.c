/* SPDX-License-Identifier: MIT */
/*
 * ruleset.c - the promises of agent/ruleset.h and firewall.h, on a real kernel's packet filter:
 *
 *   ruleset [user]
 *
 * In namespaces of its own, as root or as the unit's user. That packets meet what is promised here
 * is shown in neighbours/rules.sh.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/firewall.h"
#include "agent/ruleset.h"
#include "tests/lab/room.h"

static struct room room;

static const char *const words[] = {
	[RULESET_PASSES] = "passes",
	[RULESET_DROPS] = "drops",
	[RULESET_UNSURE] = "unsure",
};

/* To this machine, from somebody on the internet. */
static struct ruleset_packet call(void)
{
	return (struct ruleset_packet){.in = "lo",
		.from = address_ipv4(0x0b16212c),
		.to = address_ipv4(0xc0000201),
		.port = 51820};
}

/* Rules in the words of nft: a file that is written, and loaded in place of all that was there. */

static char path[32];

static FILE *begin_rules(void)
{
	FILE *rules;
	int fd;

	(void)snprintf(path, sizeof path, "%s", "/tmp/ruleset-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	rules = fdopen(fd, "w");
	assert_non_null(rules);
	(void)fputs("flush ruleset\n", rules);
	return rules;
}

static void load_rules(FILE *rules)
{
	assert_int_equal(fclose(rules), 0);
	assert_int_equal(room_shell("nft -f %s", path), 0);
	assert_int_equal(unlink(path), 0);
}

static void load(const char *text)
{
	FILE *rules = begin_rules();

	(void)fputs(text, rules);
	load_rules(rules);
}

/* What becomes of a packet, by which chain ("": none drops it), and the work that it took. */
static void expect_of(const struct ruleset_packet *packet, enum ruleset_verdict verdict,
	const char *chain, uint32_t work_max)
{
	struct ruleset *ruleset;
	struct ruleset_place by;

	assert_int_equal(ruleset_open(&ruleset), 0);
	assert_string_equal(words[ruleset_ask(ruleset, packet, &by)], words[verdict]);
	assert_string_equal(by.chain, chain);
	assert_true(ruleset_work(ruleset) <= work_max);
	assert_int_equal(ruleset_generation(ruleset), ruleset_generation_now());
	ruleset_close(ruleset);
}

static void expect(enum ruleset_verdict verdict, const char *chain, uint32_t work_max)
{
	struct ruleset_packet packet = call();

	expect_of(&packet, verdict, chain, work_max);
}

/* Sets and chains beside a chain for what comes in, with its policy and rules. */
struct row {
	const char *beside;
	const char *inside;
	enum ruleset_verdict verdict;
};

static const struct row *row_asked; /* and not answered yet */

static int tear_down(void **state)
{
	(void)state;
	if (row_asked)
		print_message("# of: %s policy %s\n", row_asked->beside, row_asked->inside);
	row_asked = NULL;
	return room_shell("nft flush ruleset");
}

/* Work. */

/* Twelve levels of four jumps are 16 million ways. */
TEST(tree_of_jumps_ends_with_the_work_that_is_allowed)
{
	FILE *rules = begin_rules();

	(void)state;
	(void)fputs("table inet t {\nchain c12 { counter\n}\n", rules);
	for (int i = 11; i >= 0; i--) {
		(void)fprintf(rules, "chain c%d {\n", i);
		for (int j = 0; j < 4; j++)
			(void)fprintf(rules, "jump c%d\n", i + 1);
		(void)fputs("}\n", rules);
	}
	(void)fputs("chain i { type filter hook input priority 0; policy accept; jump c0\n}\n}\n",
		rules);
	load_rules(rules);
	expect(RULESET_UNSURE, "i", RULESET_WORK_MAX);
}

/* And one look has no more of it for many questions than for one. */
TEST(work_is_counted_over_all_questions)
{
	struct ruleset_packet packet = call();
	struct ruleset *ruleset;
	struct ruleset_place by;
	uint32_t before;

	(void)state;
	load("table inet t { chain i { type filter hook input priority 0; policy drop;\n"
	     "udp dport 51820 accept\n"
	     "}\n}");
	assert_int_equal(ruleset_open(&ruleset), 0);
	assert_int_equal(ruleset_ask(ruleset, &packet, &by), RULESET_PASSES);
	before = ruleset_work(ruleset);
	assert_int_equal(ruleset_ask(ruleset, &packet, &by), RULESET_PASSES);
	assert_true(ruleset_work(ruleset) > before);
	while (ruleset_ask(ruleset, &packet, &by) == RULESET_PASSES)
		continue;
	assert_int_equal(ruleset_ask(ruleset, &packet, &by), RULESET_UNSURE);
	assert_int_equal(ruleset_work(ruleset), RULESET_WORK_MAX);
	ruleset_close(ruleset);
}

static void put_chain(FILE *rules, const char *name, int count)
{
	(void)fprintf(rules, "chain %s {\n", name);
	for (int i = 0; i < count; i++)
		(void)fprintf(rules, "udp dport %d accept\n", i + 1);
	(void)fputs("}\n", rules);
}

TEST(only_chains_that_the_way_leads_to_are_read)
{
	FILE *rules = begin_rules();

	(void)state;
	(void)fputs("table ip t {\n", rules);
	put_chain(rules, "many", 5000);
	put_chain(rules, "few", 10);
	(void)fputs("chain i { type filter hook input priority 0; policy drop;\n"
		    "iifname \"wan\" jump many\njump few\n}\n}\n",
		rules);
	load_rules(rules);
	expect(RULESET_DROPS, "i", 2000);
}

TEST(chain_that_is_longer_than_the_work_is_not_read)
{
	FILE *rules = begin_rules();

	(void)state;
	(void)fputs("table ip t {\n", rules);
	put_chain(rules, "many", 30000);
	(void)fputs("chain late { type filter hook input priority 9; policy drop;\n}\n"
		    "chain i { type filter hook input priority 0; policy drop;\njump many\n}\n}\n",
		rules);
	load_rules(rules);
	/* What it would have cost is left to others. */
	expect(RULESET_DROPS, "late", 2000);
	assert_int_equal(room_shell("nft delete chain ip t late"), 0);
	expect(RULESET_UNSURE, "i", 2000);
}

TEST(more_chains_than_the_limit_are_refused)
{
	FILE *rules = begin_rules();
	struct ruleset *ruleset;

	(void)state;
	(void)fputs("table ip t {\n", rules);
	for (int i = 0; i < 8200; i++)
		(void)fprintf(rules, "chain c%d { }\n", i);
	(void)fputs("}\n", rules);
	load_rules(rules);
	assert_int_equal(ruleset_open(&ruleset), -E2BIG);
}

TEST(names_are_told_apart_by_their_last_letter)
{
	char name[128];
	FILE *rules = begin_rules();

	(void)state;
	memset(name, 'n', sizeof name);
	name[126] = '\0';
	(void)fprintf(rules,
		"table ip t {\nchain %sa { accept\n}\nchain %sb { drop\n}\n"
		"chain i { type filter hook input priority 0; jump %sb\n}\n}\n",
		name, name, name);
	load_rules(rules);
	expect(RULESET_DROPS, "i", 2000);
}

TEST(change_during_a_look_is_seen)
{
	struct ruleset *ruleset;

	(void)state;
	load("table inet t { chain i { type filter hook input priority 0; policy drop;\n}\n}");
	assert_int_equal(ruleset_open(&ruleset), 0);
	assert_int_equal(ruleset_generation(ruleset), ruleset_generation_now());
	assert_int_equal(room_shell("nft add rule inet t i accept"), 0);
	assert_int_not_equal(ruleset_generation(ruleset), ruleset_generation_now());
	ruleset_close(ruleset);
}

/* Sets. */

static void load_row(const struct row *row)
{
	FILE *rules = begin_rules();

	(void)fprintf(rules,
		"table inet t {\n%s\nchain i { type filter hook input priority 0; policy "
		"%s\n}\n}\n",
		row->beside, row->inside);
	load_rules(rules);
}

static void expect_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		row_asked = &rows[i];
		load_row(&rows[i]);
		expect(rows[i].verdict, rows[i].verdict == RULESET_PASSES ? "" : "i", 2000);
	}
	row_asked = NULL;
}

TEST(sets_of_all_kinds_are_searched)
{
	static const struct row rows[] = {
		{"", "drop; udp dport { 53, 51820 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 53, 51821 } accept", RULESET_DROPS},
		{"", "drop; udp dport != { 53, 51821 } accept", RULESET_PASSES},
		{"", "drop; udp dport != { 53, 51820 } accept", RULESET_DROPS},
		{"", "drop; ip saddr { 11.22.33.44, 11.22.33.45 } accept", RULESET_PASSES},
		{"", "drop; ip saddr { 11.22.33.43, 11.22.33.45 } accept", RULESET_DROPS},
		{"", "drop; iifname { eth0, lo } accept", RULESET_PASSES},
		{"", "drop; iifname { eth0, l* } accept", RULESET_PASSES},
		{"", "drop; iifname { eth0, e* } accept", RULESET_DROPS},
		{"", "drop; ip saddr . ip daddr { 11.22.33.44 . 192.0.2.1 } accept",
			RULESET_PASSES},
		{"", "drop; ip saddr . ip daddr { 11.22.33.44 . 192.0.2.2 } accept", RULESET_DROPS},
		{"", "drop; ip saddr . ip daddr { 11.22.0.0/16 . 192.0.2.0-192.0.2.1 } accept",
			RULESET_PASSES},
		{"", "drop; ip saddr . ip daddr { 11.22.0.0/16 . 192.0.2.2-192.0.2.3 } accept",
			RULESET_DROPS},
		{"set s { type ipv4_addr; flags timeout; elements = { 11.22.33.44 timeout 1h }\n}",
			"accept; ip saddr @s drop", RULESET_DROPS},
		{"set s { type ipv4_addr; counter; elements = { 11.22.33.44 counter }\n}",
			"accept; ip saddr @s drop", RULESET_DROPS},
		{"set s { type ipv4_addr; size 9; flags dynamic; elements = { 11.22.33.44 limit "
		 "rate "
		 "over 9/second }\n}",
			"accept; ip saddr @s drop", RULESET_PASSES},
		{"set s { type ipv4_addr;\n}", "accept; ip saddr @s drop", RULESET_PASSES},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

TEST(ranges_hold_their_ends_and_no_more)
{
	static const struct row rows[] = {
		{"", "drop; udp dport { 53, 51820-51829 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 53, 51811-51820 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 53, 51821-51829 } accept", RULESET_DROPS},
		{"", "drop; udp dport { 53, 51811-51819 } accept", RULESET_DROPS},
		{"", "drop; udp dport { 51811-51819, 51821-51829 } accept", RULESET_DROPS},
		{"", "drop; udp dport { 51811-51819, 51820-51829 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 51820, 51821-51829 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 0-51820 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 51820-65535 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 0-65535 } accept", RULESET_PASSES},
		{"", "drop; udp dport { 51821-65535 } accept", RULESET_DROPS},
		{"", "drop; udp dport != { 51820-65535 } accept", RULESET_DROPS},
		{"", "drop; ip saddr { 10.0.0.0/8, 11.22.32.0/20 } accept", RULESET_PASSES},
		{"", "drop; ip saddr { 10.0.0.0/8, 11.22.64.0/20 } accept", RULESET_DROPS},
		{"", "drop; ip saddr { 0.0.0.0/0 } accept", RULESET_PASSES},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

TEST(maps_give_what_they_have)
{
	static const struct row rows[] = {
		{"", "drop; udp dport vmap { 53 : drop, 51820 : accept }", RULESET_PASSES},
		{"", "accept; udp dport vmap { 53 : accept, 51820 : drop }", RULESET_DROPS},
		{"", "accept; udp dport vmap { 53 : drop, 51821 : drop }", RULESET_PASSES},
		{"", "accept; udp dport vmap { 51000-51900 : drop }", RULESET_DROPS},
		{"", "drop; udp dport vmap { 53 : drop, * : accept }", RULESET_PASSES},
		{"", "drop; udp dport vmap { 51820 : drop, * : accept }", RULESET_DROPS},
		{"", "drop; udp dport vmap { 51000-51900 : accept, * : drop }", RULESET_PASSES},
		{"chain a { accept\n}", "drop; udp dport vmap { 51820 : jump a }", RULESET_PASSES},
		{"chain a { counter\n}", "drop; udp dport vmap { 51820 : jump a }; accept",
			RULESET_PASSES},
		{"chain a { counter\n}", "drop; udp dport vmap { 51820 : goto a }; accept",
			RULESET_DROPS},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

/* As crowds of addresses are kept out: the kernel is asked for one of them. */
TEST(large_set_costs_as_much_as_a_small_one)
{
	static const char *const kinds[] = {"", "flags interval;"};

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		FILE *rules = begin_rules();

		(void)fprintf(
			rules, "table ip t { set s { type ipv4_addr; %s elements = {\n", kinds[i]);
		for (uint32_t n = 0; n < 50000; n++)
			(void)fprintf(rules, "12.%u.%u.%u,\n", n >> 15, n >> 7 & 255, n << 1 & 255);
		(void)fputs("11.22.33.44 }\n}\n"
			    "chain i { type filter hook input priority 0;\n"
			    "ip daddr @s drop; ip saddr @s drop\n}\n}\n",
			rules);
		load_rules(rules);
		expect(RULESET_DROPS, "i", 2000);
		assert_int_equal(room_shell("nft delete element ip t s { 11.22.33.44 }"), 0);
		expect(RULESET_PASSES, "", 2000);
	}
}

/* What is sure, and what is not. */

/* Fields of two bytes and of one stand in four; what is behind them is zero. */
TEST(fields_are_joined_as_the_kernel_joins_them)
{
	static const struct row rows[] = {
		{"", "drop; iifname . udp dport vmap { lo . 51820 : accept }", RULESET_PASSES},
		{"",
			"drop; meta l4proto . th dport vmap { udp . 51820 : accept, tcp . 22 : "
			"accept }",
			RULESET_PASSES},
		{"",
			"drop; ip saddr 11.22.33.44 udp dport . ip saddr vmap { 51820 . "
			"11.22.33.44 : drop, * : accept }",
			RULESET_DROPS},
		{"", "drop; udp dport . ip saddr { 51000-52000 . 11.22.33.0/24 } accept",
			RULESET_PASSES},
		{"", "drop; udp dport . ip saddr { 51821-52000 . 11.22.33.0/24 } accept",
			RULESET_DROPS},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

/* The packet's TTL is such a thing. */
TEST(what_cannot_be_told_is_unsure_where_it_decides)
{
	static const struct row rows[] = {
		{"", "accept; ip ttl 1 drop", RULESET_UNSURE},
		{"", "drop; ip ttl 1 accept", RULESET_UNSURE},
		{"", "drop; ip ttl 1 drop", RULESET_DROPS},
		{"", "accept; ip ttl 1 accept", RULESET_PASSES},
		{"", "accept; ip ttl 1 return; drop", RULESET_UNSURE},
		{"", "accept; ip ttl 1 udp dport 53 drop", RULESET_PASSES},
		{"chain a { counter\n}", "drop; ip ttl 1 jump a", RULESET_DROPS},
		{"chain a { accept\n}", "drop; ip ttl 1 jump a", RULESET_UNSURE},
		{"chain a { accept\n}", "accept; ip ttl 1 jump a", RULESET_PASSES},
		{"chain a { drop\n}", "accept; ip ttl 1 jump a", RULESET_UNSURE},
		{"", "drop; ip ttl vmap { 1 : accept }", RULESET_UNSURE},
		{"", "accept; ip ttl vmap { 1 : drop }", RULESET_UNSURE},
		{"", "drop; ip ttl { 1, 2 } accept", RULESET_UNSURE},
		{"", "drop; ip ttl . udp dport { 1 . 51820 } accept", RULESET_UNSURE},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

TEST(what_is_not_known_is_not_passed_over)
{
	static const struct row rows[] = {
		{"counter x {\n}", "accept; udp dport 51820 counter name x drop", RULESET_DROPS},
		{"counter x {\n}", "drop; udp dport 51820 counter name x accept", RULESET_PASSES},
		{"quota q { over 10 mbytes\n}", "accept; quota name q drop", RULESET_UNSURE},
		{"", "accept; quota over 10 mbytes drop", RULESET_UNSURE},
		{"", "accept; numgen inc mod 2 0 drop", RULESET_UNSURE},
		{"set s { type ipv4_addr; size 9; flags dynamic;\n}",
			"accept; add @s { ip saddr limit rate over 9/second } drop",
			RULESET_UNSURE},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

TEST(what_rules_set_is_not_known_any_more)
{
	static const struct row rows[] = {
		{"", "drop; meta mark 0x1 accept", RULESET_DROPS},
		{"",
			"drop; meta mark set udp dport map { 51820 : 0x1, 51821 : 0x2 }; meta mark "
			"0x1 accept",
			RULESET_UNSURE},
		{"",
			"drop; meta mark set udp dport map { 51820 : 0x1, 51821 : 0x2 } meta mark "
			"0x1 accept",
			RULESET_UNSURE},
		{"", "drop; udp dport 53 meta mark set 1; meta mark 0x1 accept", RULESET_DROPS},
		{"", "drop; ct mark set 1; ct mark 0x1 accept", RULESET_UNSURE},
		{"chain early { type filter hook input priority -10; meta mark set 1\n}",
			"drop; meta mark 1 accept", RULESET_UNSURE},
		{"chain late { type filter hook input priority 10; meta mark set 1\n}",
			"drop; meta mark 1 accept", RULESET_DROPS},
		{"chain before { type filter hook prerouting priority -150; meta mark set 1\n}",
			"drop; meta mark 1 accept", RULESET_UNSURE},
		{"chain before { type filter hook prerouting priority -300; notrack\n}",
			"drop; ct state new accept", RULESET_UNSURE},
		{"chain before { type filter hook prerouting priority -300; ip saddr set "
		 "1.2.3.4\n}",
			"drop; ip saddr 11.22.33.44 accept", RULESET_UNSURE},
	};

	(void)state;
	expect_rows(rows, COUNT(rows));
}

TEST(who_surely_drops_is_named_before_who_may)
{
	static const struct row rows[] = {
		{"chain early { type filter hook input priority -10; ip ttl 1 drop\n}", "drop",
			RULESET_DROPS},
		{"chain late { type filter hook input priority 10; ip ttl 1 drop\n}", "drop",
			RULESET_DROPS},
	};
	struct row unsure = {"chain early { type filter hook input priority -10; ip ttl 1 drop\n}",
		"accept", RULESET_UNSURE};

	(void)state;
	expect_rows(rows, COUNT(rows));
	load_row(&unsure);
	expect(RULESET_UNSURE, "early", 2000);
}

TEST(table_that_is_asleep_has_no_effect)
{
	(void)state;
	load("table inet t { flags dormant;\n"
	     "chain i { type filter hook input priority 0; policy drop;\n}\n}");
	expect(RULESET_PASSES, "", 0);
	assert_int_equal(room_shell("nft add table inet t"), 0);
	expect(RULESET_DROPS, "i", 2000);
}

TEST(answer_belongs_to_what_is_known)
{
	static const struct row rows[] = {
		{"", "drop; ct state established accept", RULESET_PASSES},
		{"", "drop; ct state new accept", RULESET_DROPS},
		{"", "drop; ct status assured accept", RULESET_UNSURE},
		{"", "drop; ct mark 1 accept", RULESET_UNSURE},
	};
	struct ruleset_packet packet = call();

	(void)state;
	packet.answer = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		load_row(&rows[i]);
		expect_of(&packet, rows[i].verdict, rows[i].verdict == RULESET_PASSES ? "" : "i",
			2000);
	}
}

/* Each stands beside those before. */
TEST(target_that_is_not_known_is_not_passed_over)
{
	static const struct {
		const char *words;
		enum ruleset_verdict verdict;
	} rows[] = {
		{"iptables -A INPUT -j LOG", RULESET_PASSES},
		{"iptables -A INPUT -p tcp -j NFQUEUE", RULESET_PASSES},
		{"iptables -A INPUT -p udp --dport 53 -j NFQUEUE", RULESET_PASSES},
		{"iptables -A INPUT -j NFQUEUE", RULESET_UNSURE},
		{"iptables -I INPUT -p udp --dport 51820 -j REJECT", RULESET_DROPS},
		{"iptables -F INPUT; iptables -P INPUT DROP", RULESET_DROPS},
		{"iptables -t raw -A PREROUTING -j NFQUEUE", RULESET_DROPS},
		{"iptables -A INPUT -p udp --dport 51820 -j ACCEPT", RULESET_UNSURE},
		{"iptables -I INPUT -j ACCEPT", RULESET_PASSES},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(room_shell("%s", rows[i].words), 0);
		expect(rows[i].verdict, rows[i].verdict == RULESET_PASSES ? "" : "INPUT", 2000);
	}
}

/* What status says, again and again. */
TEST(finding_stands_until_rules_change)
{
	static struct config config;
	static struct firewall found;
	const struct firewall_site site = {.config = &config,
		.supernet = room_prefix("10.100.0.0/16"),
		.own = address_ipv4(0x0a640001)};
	struct netlink *route;

	(void)state;
	(void)snprintf(config.backbone.name, sizeof config.backbone.name, "%s", "collective0");
	(void)snprintf(config.links.name, sizeof config.links.name, "%s", "collective1");
	assert_false(firewall_stands(&found));
	load("table inet t { chain i { type filter hook input priority 0; policy drop;\n}\n}");
	assert_int_equal(netlink_open(&route, NETLINK_ROUTE), 0);
	assert_int_equal(firewall_look(route, &site, &found), 0);
	assert_int_equal(found.ways[FIREWALL_INSIDE].verdict, RULESET_DROPS);
	assert_true(firewall_stands(&found));
	assert_int_equal(room_shell("nft add chain inet t i '{ policy accept; }'"), 0);
	assert_false(firewall_stands(&found));
	assert_int_equal(firewall_look(route, &site, &found), 0);
	assert_int_equal(found.ways[FIREWALL_INSIDE].verdict, RULESET_PASSES);
	netlink_close(route);
}

#define RULES(test) cmocka_unit_test_teardown(test, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		RULES(tree_of_jumps_ends_with_the_work_that_is_allowed),
		RULES(work_is_counted_over_all_questions),
		RULES(only_chains_that_the_way_leads_to_are_read),
		RULES(chain_that_is_longer_than_the_work_is_not_read),
		RULES(more_chains_than_the_limit_are_refused),
		RULES(names_are_told_apart_by_their_last_letter),
		RULES(change_during_a_look_is_seen),
		RULES(sets_of_all_kinds_are_searched),
		RULES(ranges_hold_their_ends_and_no_more),
		RULES(maps_give_what_they_have),
		RULES(large_set_costs_as_much_as_a_small_one),
		RULES(fields_are_joined_as_the_kernel_joins_them),
		RULES(what_cannot_be_told_is_unsure_where_it_decides),
		RULES(what_is_not_known_is_not_passed_over),
		RULES(what_rules_set_is_not_known_any_more),
		RULES(who_surely_drops_is_named_before_who_may),
		RULES(table_that_is_asleep_has_no_effect),
		RULES(answer_belongs_to_what_is_known),
		RULES(target_that_is_not_known_is_not_passed_over),
		RULES(finding_stands_until_rules_change),
	};
	int failed;

	(void)alarm(120);
	room_begin(&room, argc > 1 && strcmp(argv[1], "user") == 0);
	failed = RUN(cases);
	netlink_close(room.netlink);
	return failed;
}

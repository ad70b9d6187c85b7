/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/schema.h"

static struct config config;
static struct problems problems;

static int parse(const char *text)
{
	problems = (struct problems){0};
	return config_parse(&config, text, strlen(text), &problems);
}

/* Whether this problem was said at this place, in these words among others. */
static void expect_said(uint32_t line, uint32_t column, const char *words)
{
	for (uint32_t i = 0; i < problems.count; i++) {
		if (problems.items[i].line == line && problems.items[i].column == column &&
			strstr(problems.items[i].text, words))
			return;
	}
	print_error("not said at %u:%u: %s\n", line, column, words);
	for (uint32_t i = 0; i < problems.count; i++)
		print_error("said: %u:%u: %s\n", problems.items[i].line, problems.items[i].column,
			problems.items[i].text);
	fail();
}

/* The text has this problem and no other. */
static void expect_only(const char *text, uint32_t line, uint32_t column, const char *words)
{
	assert_int_equal(parse(text), -EINVAL);
	expect_said(line, column, words);
	assert_int_equal(problems.count, 1);
}

TEST(config_defaults_are_those_of_the_manual)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(config.site_name, "");
	assert_int_equal(config.site_lan.count, 0);
	assert_string_equal(config.backbone.name, "collective0");
	assert_int_equal(config.backbone.port, 0);
	assert_int_equal(config.backbone.mtu, 1420);
	assert_string_equal(config.links.name, "collective1");
	assert_int_equal(config.links.port, 0);
	assert_int_equal(config.links.mtu, 1420);
	assert_int_equal(config.implementation, CONFIG_IMPLEMENTATION_AUTO);
	assert_int_equal(config.links_with.count, 1);
	assert_true(config.links_with.items[0].is_tag);
	assert_string_equal(config.links_with.items[0].name, "gaming");
	assert_int_equal(config.links_when, CONFIG_WHEN_ALWAYS);
	assert_false(config.links_publish_addresses);
	assert_int_equal(config.isolate.count, 0);
	assert_int_equal(config.limits_sites, 1024);
	assert_int_equal(config.log_level, CONFIG_LEVEL_NOTICE);
	assert_true(config.log_redact);
}

TEST(config_reads_every_key)
{
	(void)state;
	assert_int_equal(parse("site:\n"
			       "  name: alex-2\n"
			       "  lan: [192.168.7.0/24, \"2001:db8:7::/48\"]\n"
			       "interfaces:\n"
			       "  implementation: userspace\n"
			       "  backbone: {name: wg-hub, port: 51999, mtu: 1380}\n"
			       "  links: {name: wg.links_1, port: 40000, mtu: 9000}\n"
			       "links:\n"
			       "  with: [tag:gaming, blair]\n"
			       "  when: asked\n"
			       "  publish_addresses: true\n"
			       "isolate:\n"
			       "  - 10.200.0.0/24\n"
			       "limits: {sites: 10000}\n"
			       "log: {level: debug, redact: false}\n"),
		0);
	assert_string_equal(config.site_name, "alex-2");
	assert_int_equal(config.site_lan.count, 2);
	assert_int_equal(config.site_lan.items[1].prefix.length, 48);
	assert_int_equal(config.site_lan.items[1].line, 3);
	assert_int_equal(config.implementation, CONFIG_IMPLEMENTATION_USERSPACE);
	assert_string_equal(config.backbone.name, "wg-hub");
	assert_int_equal(config.backbone.port, 51999);
	assert_int_equal(config.backbone.mtu, 1380);
	assert_string_equal(config.links.name, "wg.links_1");
	assert_int_equal(config.links.port, 40000);
	assert_int_equal(config.links.mtu, 9000);
	assert_int_equal(config.links_with.count, 2);
	assert_false(config.links_with.items[1].is_tag);
	assert_string_equal(config.links_with.items[1].name, "blair");
	assert_int_equal(config.links_when, CONFIG_WHEN_ASKED);
	assert_true(config.links_publish_addresses);
	assert_int_equal(config.isolate.count, 1);
	assert_int_equal(config.limits_sites, 10000);
	assert_int_equal(config.log_level, CONFIG_LEVEL_DEBUG);
	assert_false(config.log_redact);
}

TEST(config_an_empty_section_or_list_is_fine)
{
	(void)state;
	assert_int_equal(parse("site:\ninterfaces:\n  links:\nlinks:\n  with: []\n"), 0);
	assert_int_equal(config.links_with.count, 0);
	assert_string_equal(config.links.name, "collective1");
}

TEST(config_unknown_keys_are_refused_with_the_nearest)
{
	(void)state;
	expect_only("sites:\n  name: x\n", 1, 1, "did you mean \"site\"?");
	expect_only("site:\n  nmae: x\n", 2, 3,
		"unknown key \"site.nmae\": did you mean \"site.name\"?");
	expect_only("links:\n  port: 5\n", 2, 3, "did you mean \"interfaces.links.port\"?");
	expect_only("redact: true\n", 1, 1, "did you mean \"log.redact\"?");
	expect_only("interfaces:\n  backbone:\n    prot: 5\n", 3, 5,
		"did you mean \"interfaces.backbone.port\"?");
	expect_only("zzzzzzzzzz: 1\n", 1, 1, "\"collective config keys\" lists the known ones");
	expect_only("\"\\e[2J\": 1\n", 1, 1, "unknown key \"\\x1b[2J\"");
	expect_only(
		"site.name: x\n", 1, 1, "\"site.name\" is written as sections inside each other");
}

TEST(config_values_are_refused_with_what_is_allowed)
{
	(void)state;
	expect_only("site: {name: Alex}\n", 1, 14,
		"site.name: \"Alex\" is not allowed: write 1 to 64 of");
	expect_only("limits: {sites: 1}\n", 1, 17, "a number from 2 to 10000");
	expect_only("limits: {sites: 0x20}\n", 1, 17, "a number from 2 to 10000");
	expect_only("limits: {sites: 99999999999999999999}\n", 1, 17, "a number from 2 to 10000");
	expect_only("limits: {sites: 007}\n", 1, 17, "a number from 2 to 10000");
	expect_only("log: {level: loud}\n", 1, 14, "one of error, warning, notice, info, debug");
	expect_only("log: {redact: yes}\n", 1, 15, "true or false");
	expect_only("interfaces: {links: {port: 0}}\n", 1, 28, "auto, or a number from 1 to 65535");
	expect_only("interfaces: {links: {mtu: 1279}}\n", 1, 27, "a number from 1280 to 9000");
	expect_only("interfaces: {links: {name: far-too-long-for-it}}\n", 1, 28, "1 to 15 of");
	expect_only(
		"interfaces: {links: {name: all}}\n", 1, 28, "means something else to the kernel");
	expect_only("interfaces: {links: {name: a/b}}\n", 1, 28, "1 to 15 of");
	expect_only("links: {with: [Tag]}\n", 1, 16, "neither \"tag:NAME\" nor the name of a site");
	expect_only("links: {with: [\"tag:\"]}\n", 1, 16, "neither");
	expect_only("log: {level: }\n", 1, 14, "nothing is set");
	expect_only("log: {level: [info]}\n", 1, 14, "a list stands where one of");
	expect_only("isolate: 10.0.0.0/8\n", 1, 10, "a single value stands where a list of");
	expect_only("isolate: {a: b}\n", 1, 10, "a section stands where a list of");
	expect_only("isolate: [[10.0.0.0/8]]\n", 1, 11, "an entry must be a single value");
	expect_only("log: info\n", 1, 6, "log: keys are expected here");
	expect_only("just text\n", 1, 1, "at the top keys are expected here");
}

TEST(config_networks_are_refused_with_a_reason)
{
	(void)state;
	expect_only("isolate: [10.1/16]\n", 1, 11, "write ADDRESS/LENGTH in full");
	expect_only("isolate: [10.1.2.3/16]\n", 1, 11, "did you mean 10.1.0.0/16?");
	expect_only("isolate: [10.0.0.0/33]\n", 1, 11, "at most /32");
	expect_only("site: {lan: [0.0.0.0/0]}\n", 1, 14, "the whole internet");
	expect_only("site: {lan: [127.1.0.0/16]}\n", 1, 14, "loopback");
	expect_only("site: {lan: [169.254.77.0/24]}\n", 1, 14, "link-local");
	expect_only("site: {lan: [\"ff02::/16\"]}\n", 1, 14, "multicast");
}

TEST(config_overlaps_name_both_lines)
{
	struct prefix supernet;

	(void)state;
	expect_only("site:\n  lan:\n    - 192.168.7.0/24\n    - 192.168.7.128/25\n", 4, 7,
		"192.168.7.128/25 in line 4 overlaps 192.168.7.0/24 in line 3");
	expect_only("isolate:\n  - 10.0.0.0/8\nsite:\n  lan: [10.9.0.0/16]\n", 4, 9,
		"site.lan: 10.9.0.0/16 in line 4 overlaps 10.0.0.0/8 in line 2 (isolate)");
	expect_only("site:\n  lan: [10.9.0.0/16]\nisolate:\n  - 10.0.0.0/8\n", 4, 5,
		"isolate: 10.0.0.0/8 in line 4 overlaps 10.9.0.0/16 in line 2 (site.lan)");

	assert_int_equal(parse("site:\n  lan: [10.100.9.0/24]\nisolate: [10.200.0.0/16]\n"), 0);
	assert_int_equal(prefix_parse("10.100.0.0/16", &supernet), 0);
	assert_int_equal(config_check_supernet(&config, &supernet, &problems), -EINVAL);
	assert_int_equal(problems.count, 1);
	expect_said(2, 9, "10.100.9.0/24 overlaps 10.100.0.0/16, the collective's own network");
	assert_int_equal(prefix_parse("10.101.0.0/16", &supernet), 0);
	assert_int_equal(config_check_supernet(&config, &supernet, &problems), 0);
}

TEST(config_interfaces_are_two)
{
	(void)state;
	expect_only("interfaces: {links: {name: collective0}}\n", 1, 28, "they are two interfaces");
	expect_only(
		"interfaces: {backbone: {name: collective1}}\n", 1, 31, "they are two interfaces");
	expect_only("interfaces:\n  backbone: {port: 5000}\n  links: {port: 5000}\n", 3, 17,
		"each interface needs its own");
}

TEST(config_too_many_entries_are_refused)
{
	char text[4096] = "links:\n  with:\n";
	size_t used = strlen(text);

	(void)state;
	for (int i = 0; i <= CONFIG_SELECTORS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "    - site-%d\n", i);
	expect_only(text, 3 + CONFIG_SELECTORS_MAX, 7, "more than 64 entries");
	assert_int_equal(config.links_with.count, CONFIG_SELECTORS_MAX);
}

TEST(config_all_problems_are_said_at_once)
{
	(void)state;
	assert_int_equal(parse("site:\n"
			       "  name: Alex!\n"
			       "  lan: [10.1/16]\n"
			       "  nmae: x\n"
			       "interfaces:\n"
			       "  implementation: kernal\n"
			       "  backbone:\n"
			       "    port: 70000\n"
			       "    mtu: 90\n"
			       "    mtu: 1420\n"
			       "links:\n"
			       "  with: [&a blair]\n"
			       "  when: !!str never\n"
			       "isolate: [10.200.0.5/24]\n"),
		-EINVAL);
	expect_said(2, 9, "\"Alex!\"");
	expect_said(3, 9, "\"10.1/16\"");
	expect_said(4, 3, "site.nmae");
	expect_said(6, 19, "\"kernal\"");
	expect_said(8, 11, "\"70000\"");
	expect_said(9, 10, "\"90\"");
	expect_said(10, 5, "duplicate key \"mtu\"");
	expect_said(12, 10, "anchors");
	expect_said(13, 9, "tags");
	expect_said(14, 11, "10.200.0.0/24");
	assert_int_equal(problems.count, 10);
}

/* The sample as it is printed, and with every "#" in front of a key taken away. */
static char *print_example(bool uncomment)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	schema_print_example(file);
	assert_int_equal(fclose(file), 0);
	for (char *at = text; uncomment && *at; at++) {
		if (*at == '#' && at[1] >= 'a' && at[1] <= 'z')
			memmove(at, at + 1, strlen(at));
	}
	return text;
}

TEST(config_example_is_right_and_means_the_defaults)
{
	struct config defaults;
	char *text = print_example(false);

	(void)state;
	assert_int_equal(config_defaults(&defaults), 0);
	assert_int_equal(parse(text), 0);
	assert_memory_equal(&config, &defaults, sizeof config);
	free(text);

	text = print_example(true);
	assert_int_equal(parse(text), 0);
	assert_string_equal(config.site_name, "alex");
	assert_int_equal(config.isolate.count, 1);
	assert_int_equal(config.links.port, 40123);
	for (size_t i = 0; i < schema_key_count; i++) {
		const char *leaf = strrchr(schema_keys[i].path, '.');

		assert_non_null(strstr(text, leaf ? leaf + 1 : schema_keys[i].path));
	}
	free(text);
}

TEST(config_load_says_what_opening_says)
{
	(void)state;
	problems = (struct problems){0};
	assert_int_equal(config_load(&config, "/nonexistent/collective.yaml", &problems), -ENOENT);
	assert_int_equal(config_load(&config, "/", &problems), -EISDIR);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(config_defaults_are_those_of_the_manual),
		CASE(config_reads_every_key),
		CASE(config_an_empty_section_or_list_is_fine),
		CASE(config_unknown_keys_are_refused_with_the_nearest),
		CASE(config_values_are_refused_with_what_is_allowed),
		CASE(config_networks_are_refused_with_a_reason),
		CASE(config_overlaps_name_both_lines),
		CASE(config_interfaces_are_two),
		CASE(config_too_many_entries_are_refused),
		CASE(config_all_problems_are_said_at_once),
		CASE(config_example_is_right_and_means_the_defaults),
		CASE(config_load_says_what_opening_says),
	};

	return RUN(cases);
}

/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/run.h"
#include "simulator/scenario.h"
#include "tests/files.h"

/* Three lines: what a case adds begins in the fourth. */
#define BASE "claim: c\nsites: 4\nduration: 10m\n"
#define HEALS "heal: 5m\n"
#define HOMES "routers: [home]\n"

static char directory[FILES_PATH_SIZE];
static struct scenario scenario;
static struct problems problems;

static int set_up(void **state)
{
	(void)state;
	files_make(directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	files_remove(directory);
	return 0;
}

static int load(const char *text)
{
	char path[2 * FILES_PATH_SIZE];

	files_write(directory, "mine.yaml", text, strlen(text));
	(void)snprintf(path, sizeof path, "%s/mine.yaml", directory);
	problems = (struct problems){0};
	return scenario_load(&scenario, path, &problems);
}

static void expect_fine(const char *text)
{
	int r = load(text);

	for (uint32_t i = 0; i < problems.count; i++)
		print_error("said: %u:%u: %s\n", problems.items[i].line, problems.items[i].column,
			problems.items[i].text);
	assert_int_equal(r, 0);
	scenario_free(&scenario);
}

/* The text has this problem, in these very words, and no other. */
static void expect_only(const char *text, uint32_t line, uint32_t column, const char *words)
{
	assert_int_equal(load(text), -EINVAL);
	if (problems.count != 1 || strcmp(problems.items[0].text, words) != 0) {
		for (uint32_t i = 0; i < problems.count; i++)
			print_error("said: %u:%u: %s\n", problems.items[i].line,
				problems.items[i].column, problems.items[i].text);
	}
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.items[0].text, words);
	assert_int_equal(problems.items[0].line, line);
	assert_int_equal(problems.items[0].column, column);
}

TEST(scenario_has_defaults)
{
	(void)state;
	assert_int_equal(load(BASE), 0);
	assert_string_equal(scenario.name, "mine");
	assert_string_equal(scenario.claim, "c");
	assert_int_equal(scenario.sites, 4);
	assert_int_equal(scenario.seeds, 20);
	assert_true(scenario.acquainted);
	assert_false(scenario.joining);
	assert_false(scenario.links);
	assert_true(scenario.crypto_by_seed);
	assert_int_equal(scenario.duration, 10 * USEC_MINUTE);
	assert_true(scenario.heal_at == USEC_NEVER);
	assert_int_equal(scenario.settle, USEC_MINUTE);
	assert_int_equal(scenario.line.delay, 10 * USEC_MSEC);
	assert_int_equal(scenario.properties, SCENARIO_PROPERTIES_ALL);
	assert_int_equal(scenario.expected, PROPERTY_NONE);
	assert_false(scenario.has_seed);
	scenario_free(&scenario);
}

TEST(scenario_says_what_is_missing)
{
	(void)state;
	expect_only("sites: 2\nduration: 1m\n", 1, 1, "what is claimed? \"claim\" is missing");
	expect_only("claim: c\nduration: 1m\n", 1, 1, "how many sites? \"sites\" is missing");
	expect_only("claim: c\nsites: 2\n", 1, 1, "for how long? \"duration\" is missing");
	expect_only("", 1, 1, "this is no scenario: keys and values belong here");
	expect_only("- a\n", 1, 1, "this is no scenario: keys and values belong here");
}

TEST(scenario_unknown_words_are_refused_with_the_nearest)
{
	(void)state;
	expect_only(BASE "setle: 1m\n", 4, 1,
		"\"setle\" is no key of a scenario: did you mean \"settle\"?");
	expect_only(BASE "line: {dely: 1ms}\n", 4, 8,
		"\"dely\" is no key of a line: did you mean \"delay\"?");
	expect_only(BASE "events: [{at: 1s, do: crash, stie: 3}]\n", 4, 30,
		"\"stie\" is no key of an event: did you mean \"site\"?");
	expect_only(BASE "mischief: [{site: 1, does: lie, too: 3}]\n", 4, 33,
		"\"too\" is no key of a mischief: did you mean \"to\"?");
	expect_only(BASE "events: [{at: 1s, do: crsh}]\n", 4, 23,
		"\"crsh\" is no event: did you mean \"crash\"?");
	expect_only(BASE HEALS "faults: {kil: 1}\n", 5, 10,
		"\"kil\" is no fault: did you mean \"kill\"?");
	expect_only(BASE "routers: [hom]\n", 4, 11, "\"hom\" is no router: did you mean \"home\"?");
	expect_only(BASE "routers: [fridge]\n", 4, 11,
		"\"fridge\" is no router; there are: home, home-accepting, full-cone, "
		"address-restricted, symmetric, sequential, blocked, carrier");
	expect_only(BASE "mischief: [{site: 1, does: none}]\n", 4, 28,
		"\"none\" is no mischief; there are: garbage, flood, replay, equivocate, lie, "
		"usurp, newer, censor, meddle, doubt, point");
	expect_only(BASE "links: alway\n", 4, 8,
		"\"alway\" is no time for links: did you mean \"always\"?");
	expect_only(BASE "links: never\n", 4, 8,
		"\"never\" is no time for links; there are: always, traffic, asked");
	expect_only(BASE "crypto: rael\n", 4, 9,
		"\"rael\" is no kind of cryptography: did you mean \"real\"?");
	expect_only(BASE "properties: [p1]\n", 4, 14, "\"p1\" is no property: they are P1 to P15");
	expect_only(
		BASE "seed: 1\nfails: none\n", 5, 8, "\"none\" is no property: they are P1 to P15");
	expect_only(BASE "seed: 1\nfails: \"\\e[2J\"\n", 5, 8,
		"\"\\x1b[2J\" is no property: they are P1 to P15");
	expect_only(BASE "seed: 1\nfails:\n", 5, 7, "a single value belongs here");
}

TEST(scenario_lists_and_maps_are_asked_for)
{
	(void)state;
	expect_only(BASE "properties: P1\n", 4, 13, "a list belongs here, as in: [P2, P4]");
	expect_only(BASE "properties:\n", 4, 12, "a list belongs here, as in: [P2, P4]");
	expect_only(BASE "properties: []\n", 4, 13,
		"with no property nothing is checked: name one, or none of this");
	expect_only(BASE "mischief: {site: 1, does: lie}\n", 4, 11,
		"a list belongs here, as in: [{site: 3, does: flood}]");
	expect_only(BASE "mischief: [lie]\n", 4, 12,
		"who does what belongs here, as in: {site: 3, does: flood}");
	expect_only(BASE "events: {at: 1s}\n", 4, 9,
		"a list belongs here, as in: [{at: 60s, do: crash, site: 2, for: 20s}]");
	expect_only(BASE "events: [crash]\n", 4, 10,
		"what happens belongs here, as in: {at: 60s, do: crash, site: 2, for: 20s}");
	expect_only(BASE "routers: home\n", 4, 10, "a list belongs here, as in: [home, symmetric]");
	expect_only(BASE "line: 20ms\n", 4, 7,
		"keys and values belong here, as in: {delay: 20ms, loss: 1%}");
	expect_only(BASE HEALS "faults: [crash]\n", 5, 9,
		"keys and values belong here, as in: {crash: 4, wall: 2}");
	expect_only(BASE "settle: [1m]\n", 4, 9, "a single value belongs here");
}

TEST(scenario_values_are_refused_with_what_is_allowed)
{
	(void)state;
	expect_only("claim: c\nsites: 0\nduration: 1m\n", 2, 8,
		"\"0\" is not a number from 1 to 20000");
	expect_only("claim: c\nsites: 010\nduration: 1m\n", 2, 8,
		"\"010\": write the number without the 0 in front");
	expect_only(BASE "seeds: 0\n", 4, 8, "\"0\" is not a number from 1 to 10000000");
	expect_only(
		BASE "seeds: 10000001\n", 4, 8, "\"10000001\" is not a number from 1 to 10000000");
	expect_only(BASE "seeds: -1\n", 4, 8, "\"-1\" is not a number from 1 to 10000000");
	expect_only(BASE "seed: 18446744073709551616\n", 4, 7,
		"\"18446744073709551616\" is not a number from 0 to 18446744073709551615");
	expect_only(BASE "hash: 0x1g\n", 4, 7,
		"\"0x1g\" is not a number from 0 to 18446744073709551615");
	expect_only(BASE "settle: 10\n", 4, 9,
		"\"10\" is not a time: write a whole number and one of us, ms, s, m, h, d, up to "
		"1000d");
	expect_only(BASE "settle: 1001d\n", 4, 9,
		"\"1001d\" is not a time: write a whole number and one of us, ms, s, m, h, d, up "
		"to 1000d");
	expect_only(BASE "line: {loss: 1}\n", 4, 14,
		"\"1\" is not a share: write it as in 1.5%, with at most four places, up to 100%");
	expect_only(BASE "line: {loss: 100.1%}\n", 4, 14,
		"\"100.1%\" is not a share: write it as in 1.5%, with at most four places, up to "
		"100%");
	expect_only(BASE "acquainted: yes\n", 4, 13, "\"yes\" is neither true nor false");
	expect_only("claim: \"\"\nsites: 4\nduration: 1m\n", 1, 8, "what is claimed?");
	expect_only("claim: c\nsites: 4\nduration: 0s\n", 3, 11,
		"for how long? In no time nothing happens");
	expect_only(BASE "program: 0123456789012345678901234567890123456789\n", 4, 10,
		"this text is longer than 31 bytes");
	expect_only(BASE "line: {ill: 1s}\n", 4, 7,
		"\"well\" and \"ill\" have an effect only together");
	expect_only(
		BASE "line: {well: 1s, ill: 1us}\n", 4, 7, "\"well\" and \"ill\" are 1ms at least");
}

TEST(scenario_that_breaks_off_is_no_yaml)
{
	static const char *const rows[] = {"faults: {crash",
		"faults: {crash: ", "events: [{at: 1s, do", "events: [{at",
		"mischief: [{site: ", "line: {delay", "properties: [P1", "fails"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[256];

		(void)snprintf(text, sizeof text, BASE "%s", rows[i]);
		assert_int_equal(load(text), -EINVAL);
	}
	expect_only("claim: c\nsites", 3, 1,
		"not YAML: could not find expected ':' (while scanning a simple key that begins in "
		"line 2)");
	expect_only(BASE "? [a]\n: b\n", 4, 3, "a key must be a plain word");
	expect_only(BASE HEALS "faults: {? [a] : 1}\n", 5, 12, "a key must be a plain word");
}

TEST(scenario_one_mistake_is_said_once)
{
	(void)state;
	expect_only(
		"claim: c\nsites: many\nduration: 10m\nevents: [{at: 1s, do: crash, site: 3}]\n", 2,
		8, "\"many\" is not a number from 1 to 20000");
	expect_only("claim: c\nsites: 4\nduration: long\nheal: 5m\n"
		    "events: [{at: 1s, do: crash, site: 3}]\n",
		3, 11,
		"\"long\" is not a time: write a whole number and one of us, ms, s, m, h, d, up to "
		"1000d");
	expect_only(BASE "heal: soon\nfaults: {crash: 1}\nevents: [{at: 1h, do: crash}]\n", 4, 7,
		"\"soon\" is not a time: write a whole number and one of us, ms, s, m, h, d, up to "
		"1000d");
	expect_only(BASE "routers: [hom]\nevents: [{at: 1s, do: reboot, site: 1}]\n", 4, 11,
		"\"hom\" is no router: did you mean \"home\"?");
	expect_only("claim: [c]\nsites: 4\nduration: 10m\n", 1, 8, "a single value belongs here");
}

TEST(scenario_order_of_keys_is_free)
{
	(void)state;
	expect_fine("events: [{at: 1s, do: reboot, site: 3}]\n" HOMES BASE);
}

TEST(scenario_sites_are_those_there_are)
{
	(void)state;
	expect_only(BASE "events: [{at: 1s, do: crash, site: 4}]\n", 4, 36,
		"there is no site 4, only 4 sites: 0 (the hub) to 3");
	expect_only("claim: c\nsites: 1\nduration: 1m\nevents: [{at: 1s, do: crash, site: 1}]\n", 4,
		36, "there is no site 1, only site 0, the hub");
	expect_only(BASE "mischief: [{site: 9, does: lie}]\n", 4, 19,
		"there is no site 9, only 4 sites: 0 (the hub) to 3");
}

TEST(scenario_bounds_are_said)
{
	(void)state;
	expect_only(BASE "routers: [home, home, home, home, home, home, home, home, home, home, "
			 "home, home, home, home, home, home, blocked]\n",
		4, 107, "more than 16 routers; homes take them in turn");
}

TEST(scenario_events_that_cannot_happen_are_mistakes)
{
	(void)state;
	expect_only(BASE HEALS "events: [{at: 6m, do: crash}]\n", 5, 15,
		"this is behind \"heal\": it would never happen");
	expect_only(BASE "events: [{at: 11m, do: crash}]\n", 4, 15,
		"this is behind \"duration\": it would never happen");
	expect_only(BASE "events: [{at: 9m, do: crash, for: 2m}]\n", 4, 35,
		"this ends behind \"duration\"");
	expect_fine(BASE HEALS "events: [{at: 5m, do: crash, for: 2m}]\n");
	expect_only(BASE "events: [{at: 1s, do: reboot, site: 1}]\n", 4, 23,
		"no site has a router: \"routers\" is missing");
	expect_only(BASE HOMES "events: [{at: 1s, do: renumber, site: 0}]\n", 5, 39,
		"\"renumber\" is nothing that can happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: wall, site: 0}]\n", 4, 35,
		"\"wall\" is nothing that can happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: expel}]\n", 4, 10,
		"\"site\" is missing: \"expel\" cannot happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: leave, site: 0}]\n", 4, 36,
		"\"leave\" is nothing that can happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: expel, site: 1, for: 1m}]\n", 4, 44,
		"\"expel\" has no end: \"for\" has no meaning here");
	expect_only(BASE "events: [{at: 1s, do: join, site: 1}]\n", 4, 23,
		"nobody joins where all are members from the beginning: \"joining: true\" is "
		"missing");
	expect_only(BASE "joining: no\nevents: [{at: 1s, do: join, site: 1}]\n", 4, 10,
		"\"no\" is neither true nor false");
	expect_only(BASE "events: [{at: 1s, do: pause, site: 1}]\n", 4, 10,
		"for how long? A pause needs \"for\"");
	expect_only(BASE "events: [{do: crash}]\n", 4, 10,
		"\"at\" is missing, as in: {at: 60s, do: crash, site: 2, for: 20s}");
	expect_only(BASE "events: [{at: 1s}]\n", 4, 10,
		"\"do\" is missing, as in: {at: 60s, do: crash, site: 2, for: 20s}");
}

TEST(scenario_values_of_events_are_asked_for)
{
	(void)state;
	expect_only(
		BASE "events: [{at: 1s, do: crash, value: 1}]\n", 4, 37, "\"crash\" has no value");
	expect_only(BASE "events: [{at: 1s, do: clock, site: 1}]\n", 4, 10,
		"\"clock\" needs \"value\": by how many milliseconds the clock is off");
	expect_only(BASE "events: [{at: 1s, do: loss, site: 1}]\n", 4, 10,
		"\"loss\" needs \"value\": how many packets of a million are lost");
	expect_only(BASE "events: [{at: 1s, do: twin, site: 1}]\n", 4, 10,
		"\"twin\" needs \"value\": the site that becomes the copy");
	expect_only(BASE "events: [{at: 1s, do: twin, site: 0, value: 1}]\n", 4, 35,
		"\"twin\" is nothing that can happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: twin, site: 1, value: 1}]\n", 4, 45,
		"a copy comes to life at another site, and not at the hub");
	expect_only(BASE "events: [{at: 1s, do: loss, site: 1, value: 1000001}]\n", 4, 45,
		"\"1000001\" is not a number from 0 to 1000000");
	expect_only(BASE "events: [{at: 1s, do: clock, site: 1, value: 1h}]\n", 4, 46,
		"\"1h\" is not a number of milliseconds: a whole one, within 10000 days");
	expect_fine(BASE "events: [{at: 1s, do: clock, site: 1, value: -86400000}]\n");
}

TEST(scenario_faults_are_mended)
{
	(void)state;
	expect_only(BASE "faults: {crash: 1}\n", 4, 9,
		"faults may last to the end: say with \"heal\" when all is mended, or name "
		"\"properties\" without P1, P9 and P10");
	expect_only(BASE "properties: [P2, P9]\nfaults: {crash: 1}\n", 5, 9,
		"faults may last to the end: say with \"heal\" when all is mended, or name "
		"\"properties\" without P1, P9 and P10");
	expect_fine(BASE "properties: [P2]\nfaults: {crash: 1}\n");
	expect_fine(BASE "faults: {}\n");
	expect_only(BASE HEALS "faults: {twin: 1}\n", 5, 10,
		"a twin is not drawn, as it needs \"value\": write it under \"events\"");
	expect_only(BASE HEALS "faults: {reboot: 1}\n", 5, 10,
		"no site has a router: \"routers\" is missing");
	expect_only(BASE HEALS "seed: 1\nfaults: {crash: 1}\n", 6, 9,
		"nothing is drawn where \"seed\" stands: write what happens under \"events\"");
	expect_only(BASE "heal: 0s\nfaults: {crash: 1}\n", 5, 9,
		"there is no time for faults: they need a second at least");
	expect_only("claim: c\nsites: 1\nduration: 9m\nheal: 1m\nfaults: {crash: 1}\n", 5, 9,
		"faults need two sites at least");
	expect_only(BASE HEALS "faults: {crash: 1001}\n", 5, 17,
		"\"1001\" is not a number from 0 to 1000");
}

TEST(scenario_times_fit_together)
{
	(void)state;
	expect_only(BASE "heal: 9500ms\nsettle: 10m\n", 4, 7,
		"\"heal\" and \"settle\" together are longer than \"duration\"");
	expect_only(BASE "heal: 10m\n", 4, 7,
		"\"heal\" and \"settle\" (1m) together are longer than \"duration\"");
	expect_only("claim: c\nsites: 100\nduration: 3m\njoining: true\n", 4, 10,
		"the last of 100 sites would join after 200s, behind \"duration\"");
}

TEST(scenario_events_of_two_sites_name_the_other)
{
	(void)state;
	expect_fine(BASE "events: [{at: 1s, do: part, site: 1, to: 2}]\n");
	expect_fine(BASE "links: asked\nevents: [{at: 1s, do: link, site: 1, to: 2}]\n");
	expect_only(BASE "events: [{at: 1s, do: part, site: 1}]\n", 4, 10,
		"\"part\" needs \"to\": the other site");
	expect_only(BASE "events: [{at: 1s, do: part, site: 1, to: 1}]\n", 4, 42,
		"another site belongs here, and not the hub");
	expect_only(BASE "events: [{at: 1s, do: part, site: 1, to: 0}]\n", 4, 42,
		"another site belongs here, and not the hub");
	expect_only(BASE "events: [{at: 1s, do: part, site: 1, to: 4}]\n", 4, 42,
		"there is no site 4, only 4 sites: 0 (the hub) to 3");
	expect_only(BASE "events: [{at: 1s, do: crash, site: 1, to: 2}]\n", 4, 43,
		"\"crash\" is with nobody: \"to\" has no meaning here");
	expect_only(BASE "events: [{at: 1s, do: part, to: 2}]\n", 4, 10,
		"\"site\" is missing: \"part\" cannot happen to the hub");
	expect_only(BASE "events: [{at: 1s, do: flow, site: 1, to: 2}]\n", 4, 10,
		"for how long? A flow needs \"for\"");
	expect_only(BASE "events: [{at: 1s, do: unlink, site: 1, to: 2}]\n", 4, 23,
		"nobody has links: \"links\" is missing");
	expect_only(BASE HEALS "faults: {unlink: 1}\n", 5, 10,
		"nobody has links: \"links\" is missing");
	expect_only("claim: c\nsites: 2\nduration: 10m\n" HEALS "faults: {part: 1}\n", 5, 10,
		"it needs two sites beside the hub");
}

TEST(scenario_mischief_is_whole)
{
	(void)state;
	expect_only(BASE "mischief: [{site: 1}]\n", 4, 12,
		"\"does\" is missing, as in: {site: 3, does: flood}");
	expect_only(BASE "mischief: [{site: 0, does: censor}]\n", 4, 28,
		"\"to\" is missing: the site that a censor keeps quiet about");
	expect_only(BASE "mischief: [{site: 1, does: lie, to: 2}]\n", 4, 37,
		"only a censor needs \"to\"");
	expect_only(BASE "mischief: [{site: 1, does: lie}, {site: 1, does: flood}]\n", 4, 41,
		"site 1 misbehaves already: one mischief a site");
}

TEST(scenario_failures_name_their_seed)
{
	(void)state;
	expect_only(BASE "fails: P1\n", 4, 8, "which run failed? \"seed\" is missing");
	assert_int_equal(load(BASE "seed: 7\nfails: P15\nhash: 0xff\nprogram: 0.0.1\n"), 0);
	assert_true(scenario.has_seed);
	assert_int_equal(scenario.seed, 7);
	assert_int_equal(scenario.expected, PROPERTY_PRIVACY);
	assert_int_equal(scenario.hash, 255);
	assert_string_equal(scenario.program, "0.0.1");
	scenario_free(&scenario);
}

TEST(scenario_files_that_are_not_there_are_said)
{
	(void)state;
	assert_int_equal(scenario_load(&scenario, "/nonexistent/mine.yaml", &problems), -ENOENT);
}

/* Everything that a failure can say, some of it awkward. */
static const char everything[] =
	"claim: \"a \\\"b\\\" \\\\ c: #d \\n ä 😀 \\x85 \\u2028 \\uFEFF\"\n"
	"sites: 9\n"
	"acquainted: false\n"
	"joining: true\n"
	"crypto: real\n"
	"duration: 90061s\n"
	"heal: 1500ms\n"
	"settle: 1234567us\n"
	"line: {delay: 20ms, jitter: 1us, loss: 1.5%, well: 60s, ill: 500ms, duplicate: 0.0001%, "
	"reorder: 100%, rate: 12345, queue: 7ms, mtu: 1400, hops: 7}\n"
	"links: traffic\n"
	"routers: [home, home-accepting, full-cone, address-restricted, symmetric, sequential, "
	"blocked, carrier]\n"
	"mischief:\n"
	"  - {site: 0, does: censor, to: 2}\n"
	"  - {site: 1, does: garbage}\n"
	"events:\n"
	"  - {at: 0s, do: crash, site: 0}\n"
	"  - {at: 1us, do: kill, site: 1, for: 1us}\n"
	"  - {at: 2ms, do: wipe, site: 2}\n"
	"  - {at: 2ms, do: pause, site: 2, for: 100s}\n"
	"  - {at: 3ms, do: suspend, site: 2}\n"
	"  - {at: 4ms, do: wall, site: 3, for: 3s}\n"
	"  - {at: 5ms, do: one-way, site: 3}\n"
	"  - {at: 6ms, do: reboot, site: 4}\n"
	"  - {at: 7ms, do: renumber, site: 4}\n"
	"  - {at: 8ms, do: clock, site: 5, value: -86400000}\n"
	"  - {at: 8ms, do: drift, site: 5, value: -100}\n"
	"  - {at: 9ms, do: full, site: 5}\n"
	"  - {at: 10ms, do: loss, site: 6, for: 1m, value: 0}\n"
	"  - {at: 1s, do: expel, site: 6}\n"
	"  - {at: 1s, do: leave, site: 7}\n"
	"  - {at: 1s, do: rotate, site: 7}\n"
	"  - {at: 1s, do: routes, site: 7}\n"
	"  - {at: 1s, do: join, site: 8}\n"
	"  - {at: 1500ms, do: twin, site: 8, value: 7}\n"
	"  - {at: 1500ms, do: \"off\", site: 0}\n"
	"  - {at: 1500ms, do: part, site: 1, for: 1s, to: 2}\n"
	"  - {at: 1500ms, do: flow, site: 1, for: 1s, to: 3}\n"
	"  - {at: 1500ms, do: link, site: 2, to: 3}\n"
	"  - {at: 1500ms, do: unlink, site: 3, to: 2}\n"
	"  - {at: 1500ms, do: renew, site: 3}\n"
	"properties: [P1, P2, P14]\n"
	"seed: 18446744073709551615\n"
	"fails: P10\n"
	"hash: 0xfedcba9876543210\n"
	"program: \"0.0.9 \\\"x\\\"\"\n";

static char *write_scenario(const struct scenario *from)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	scenario_write(file, from);
	assert_int_equal(fclose(file), 0);
	return text;
}

TEST(scenario_written_and_read_is_the_same)
{
	struct scenario first;
	char *text;
	char *again;

	(void)state;
	expect_fine(everything);
	assert_int_equal(load(everything), 0);
	first = scenario;
	text = write_scenario(&first);
	assert_int_equal(load(text), 0);
	again = write_scenario(&scenario);
	assert_string_equal(text, again);
	assert_string_equal(scenario.claim, first.claim);
	assert_string_equal(scenario.program, first.program);
	assert_int_equal(scenario.sites, 9);
	assert_int_equal(scenario.acquainted, first.acquainted);
	assert_int_equal(scenario.joining, first.joining);
	assert_true(scenario.links);
	assert_int_equal(scenario.when, SITE_WHEN_TRAFFIC);
	assert_int_equal(scenario.rotates, first.rotates);
	assert_true(scenario.real_crypto && !scenario.crypto_by_seed);
	assert_int_equal(scenario.duration, first.duration);
	assert_int_equal(scenario.heal_at, first.heal_at);
	assert_int_equal(scenario.settle, first.settle);
	assert_int_equal(scenario.line.delay, first.line.delay);
	assert_int_equal(scenario.line.jitter, first.line.jitter);
	assert_int_equal(scenario.line.loss, 15000);
	assert_int_equal(scenario.line.well, first.line.well);
	assert_int_equal(scenario.line.ill, first.line.ill);
	assert_int_equal(scenario.line.duplicate, 1);
	assert_int_equal(scenario.line.reorder, 1000000);
	assert_int_equal(scenario.line.rate, 12345);
	assert_int_equal(scenario.line.queue, first.line.queue);
	assert_int_equal(scenario.line.mtu, 1400);
	assert_int_equal(scenario.router_count, first.router_count);
	assert_memory_equal(scenario.router_names, first.router_names, sizeof first.router_names);
	assert_int_equal(scenario.mischief_count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(scenario.mischief[i].site, first.mischief[i].site);
		assert_int_equal(scenario.mischief[i].kind, first.mischief[i].kind);
		assert_int_equal(scenario.mischief[i].victim, first.mischief[i].victim);
	}
	assert_int_equal(scenario.plan.count, PLAN_KINDS);
	for (uint32_t i = 0; i < PLAN_KINDS; i++) {
		const struct plan_item *a = &scenario.plan.items[i];
		const struct plan_item *b = &first.plan.items[i];

		assert_int_equal(a->kind, i);
		assert_int_equal(a->at, b->at);
		assert_int_equal(a->site, b->site);
		assert_int_equal(a->lasts, b->lasts);
		assert_int_equal(a->value, b->value);
	}
	assert_int_equal(scenario.properties, first.properties);
	assert_true(scenario.has_seed);
	assert_true(scenario.seed == UINT64_MAX);
	assert_int_equal(scenario.expected, PROPERTY_LIVENESS);
	assert_true(scenario.hash == UINT64_C(0xfedcba9876543210));
	free(text);
	free(again);
	scenario_free(&first);
	scenario_free(&scenario);
}

TEST(scenario_is_written_for_people)
{
	char *text;

	(void)state;
	assert_int_equal(load(everything), 0);
	text = write_scenario(&scenario);
	assert_non_null(strstr(text, "\nduration: 90061s\nheal: 1500ms\nsettle: 1234567us\n"));
	assert_non_null(strstr(text, "{delay: 20ms, jitter: 1us, loss: 1.5%, well: 60s"));
	assert_non_null(strstr(text, "duplicate: 0.0001%, reorder: 100%,"));
	assert_non_null(strstr(text, "  - {site: 0, does: censor, to: 2}\n"
				     "  - {site: 1, does: garbage}\n"));
	assert_non_null(strstr(text, "  - {at: 0s, do: crash, site: 0}\n"));
	assert_non_null(strstr(text, "  - {at: 10ms, do: loss, site: 6, for: 60s, value: 0}\n"));
	free(text);
	scenario_free(&scenario);
}

TEST(scenario_of_a_run_that_died_has_no_hash)
{
	char *text;

	(void)state;
	assert_int_equal(load(BASE "seed: 1\nfails: P6\n"), 0);
	text = write_scenario(&scenario);
	assert_null(strstr(text, "hash:"));
	assert_non_null(strstr(text, "program: \"" COLLECTIVE_VERSION "\""));
	scenario_free(&scenario);
	expect_fine(text);
	free(text);
}

/* What is drawn for these seeds can be written down, and read again. */
static void expect_draws_are_readable(const struct scenario *drawn)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct scenario failure = *drawn;
		char *text;

		run_plan(drawn, seed, false, &failure.plan);
		failure.seed = seed;
		failure.expected = PROPERTY_NO_RETURN;
		text = write_scenario(&failure);
		expect_fine(text);
		free(text);
		plan_free(&failure.plan);
	}
}

TEST(scenario_every_one_that_comes_with_the_program_is_read)
{
	char path[1024];
	const char *source = getenv("SOURCE");
	struct dirent *entry;
	struct scenario each;
	uint32_t count = 0;
	DIR *folder;

	(void)state;
	assert_non_null(source);
	(void)snprintf(path, sizeof path, "%s/simulator/scenarios", source);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (!strstr(entry->d_name, ".yaml"))
			continue;
		(void)snprintf(
			path, sizeof path, "%s/simulator/scenarios/%s", source, entry->d_name);
		problems = (struct problems){0};
		if (scenario_load(&each, path, &problems) != 0)
			fail_msg("%s:%u: %s", path, problems.items[0].line, problems.items[0].text);
		expect_draws_are_readable(&each);
		scenario_free(&each);
		count++;
	}
	assert_int_equal(closedir(folder), 0);
	assert_true(count >= 10);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(scenario_has_defaults),
		CASE(scenario_says_what_is_missing),
		CASE(scenario_unknown_words_are_refused_with_the_nearest),
		CASE(scenario_lists_and_maps_are_asked_for),
		CASE(scenario_values_are_refused_with_what_is_allowed),
		CASE(scenario_that_breaks_off_is_no_yaml),
		CASE(scenario_one_mistake_is_said_once),
		CASE(scenario_order_of_keys_is_free),
		CASE(scenario_sites_are_those_there_are),
		CASE(scenario_bounds_are_said),
		CASE(scenario_events_that_cannot_happen_are_mistakes),
		CASE(scenario_values_of_events_are_asked_for),
		CASE(scenario_faults_are_mended),
		CASE(scenario_times_fit_together),
		CASE(scenario_events_of_two_sites_name_the_other),
		CASE(scenario_mischief_is_whole),
		CASE(scenario_failures_name_their_seed),
		CASE(scenario_files_that_are_not_there_are_said),
		CASE(scenario_written_and_read_is_the_same),
		CASE(scenario_is_written_for_people),
		CASE(scenario_of_a_run_that_died_has_no_hash),
		CASE(scenario_every_one_that_comes_with_the_program_is_read),
	};

	return cmocka_run_group_tests(cases, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/*
 * test_why.c - what people are told of a link and of their router: every reason is met in a world
 * of its own, and every piece of advice stands where it helps.
 */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/links_internal.h"
#include "tests/gamers.h"

#define MANY (SITE_LINKS_MAX + 2)

/* Watching. */

/* What site 1 was told of site 2, and of others, after each step of anybody. */
struct watch {
	uint32_t about;
	bool seen[LINK_REASONS];
	char first[LINK_REASONS][SITE_WHY_SIZE]; /* as it was told first */
	void (*meddle)(struct world *world, struct host *host);
};

static void watch_step(struct world *world, struct host *host, void *context)
{
	struct watch *watch = context;
	const struct host *teller = &world->hosts[1];
	const struct member *member;
	enum link_reason reason;

	if (watch->meddle)
		watch->meddle(world, host);
	if (!teller->site || !teller->site->has_collective)
		return;
	member = ledger_find(&teller->site->ledger, &world->hosts[watch->about].id);
	if (!member)
		return;
	reason = site_link_reason(teller->site, member);
	if (watch->seen[reason])
		return;
	watch->seen[reason] = true;
	site_why(teller->site, &member->id, watch->first[reason]);
}

/* A hub, site 1, and site 2; nobody has power yet. */
static struct world *make_world(
	enum home_type a, enum home_type b, enum site_when when, struct watch *watch)
{
	const enum home_type types[2] = {a, b};
	struct world *world = gamers_found(types, 2, when, 31);

	watch->about = 2;
	world->stepped = watch_step;
	world->context = watch;
	return world;
}

static struct world *homes(enum site_when when, struct watch *watch)
{
	struct world *world = make_world(HOME, HOME, when, watch);

	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

static struct world *linked(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ALWAYS, watch);

	assert_true(gamers_are_direct(world, 1, 2));
	return world;
}

static void flows_for(struct world *world, usec_t span)
{
	for (usec_t passed = 0; passed < span; passed += 10 * USEC_MSEC) {
		host_ping(&world->hosts[1], &world->hosts[2]);
		host_ping(&world->hosts[2], &world->hosts[1]);
		gamers_run(world, 10 * USEC_MSEC);
	}
}

static void wall(struct world *world, bool up)
{
	world_wall(world, 1, 2, up);
	world_wall(world, 2, 1, up);
}

static void be_deaf(struct host *host)
{
	struct site_own_address own = {.address = host->local.address};
	struct site_event event = {
		.kind = SITE_EVENT_PLACES, .places = {.count = 1, .items = &own, .deaf = true}};

	event.places.ports[SITE_BACKBONE] = host->local.port;
	event.places.ports[SITE_LINKS] = host->links_local.port;
	host_event(host, &event);
}

/* How each reason comes about. */

static struct world *meets(struct watch *watch)
{
	return linked(watch);
}

static struct world *asks_itself(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ALWAYS, watch);

	watch->about = 1;
	gamers_run(world, USEC_MINUTE);
	return world;
}

static struct world *asks_the_hub(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ALWAYS, watch);

	watch->about = 0;
	gamers_run(world, USEC_MINUTE);
	return world;
}

static struct world *other_end_leaves(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_say(world, 2, SITE_COMMAND_LEAVE, 2, 0);
	gamers_run(world, 10 * USEC_SECOND);
	return world;
}

static struct world *is_not_named(struct watch *watch)
{
	struct world *world = make_world(HOME, HOME, SITE_WHEN_ALWAYS, watch);

	world->hosts[1].options.links.count = 0;
	gamers_power(world);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

static struct world *is_unlinked(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_say(world, 1, SITE_COMMAND_UNLINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

static struct world *is_not_asked(struct watch *watch)
{
	return homes(SITE_WHEN_ASKED, watch);
}

static struct world *is_without_traffic(struct watch *watch)
{
	return homes(SITE_WHEN_TRAFFIC, watch);
}

static struct world *other_end_is_deaf(struct watch *watch)
{
	struct world *world = linked(watch);

	be_deaf(&world->hosts[2]);
	gamers_run(world, USEC_MINUTE);
	assert_false(gamers_are_direct(world, 1, 2));
	return world;
}

static struct world *is_deaf(struct watch *watch)
{
	struct world *world = linked(watch);

	be_deaf(&world->hosts[1]);
	gamers_run(world, 5 * USEC_SECOND);
	assert_false(gamers_are_direct(world, 1, 2));
	return world;
}

/* Site 1 may have 32, and its owner asks for 33. */
static struct world *has_many(struct watch *watch)
{
	static enum home_type types[MANY];
	struct world *world;

	for (uint32_t i = 0; i < MANY; i++)
		types[i] = PUBLIC;
	world = gamers_found(types, MANY, SITE_WHEN_ALWAYS, 31);
	for (uint32_t i = 2; i <= MANY; i++)
		world->hosts[i].options.links.when = SITE_WHEN_ASKED;
	gamers_power(world);
	gamers_run(world, 20 * USEC_SECOND);
	for (watch->about = 2; watch->about <= MANY; watch->about++) {
		if (!site_link_of(world->hosts[1].site, &world->hosts[watch->about].id))
			break;
	}
	assert_in_range(watch->about, 2, MANY);
	watch_step(world, &world->hosts[1], watch);
	return world;
}

static struct world *hub_goes(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ASKED, watch);

	host_power(&world->hosts[0], false);
	gamers_run(world, 5 * USEC_MINUTE);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

static struct world *hub_goes_and_both_begin_anew(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_run(world, USEC_MINUTE);
	host_power(&world->hosts[0], false);
	for (uint32_t i = 1; i <= 2; i++) {
		host_power(&world->hosts[i], false);
		host_power(&world->hosts[i], true);
	}
	gamers_run(world, 5 * USEC_MINUTE);
	return world;
}

static struct world *changes_its_keys(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_say(world, 1, SITE_COMMAND_ROTATE, 1, 0);
	gamers_run(world, USEC_MINUTE);
	return world;
}

static struct world *other_end_changes_its_keys(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_say(world, 2, SITE_COMMAND_ROTATE, 2, 0);
	gamers_run(world, USEC_MINUTE);
	return world;
}

/* A hub that hears nothing outside the tunnel: what was agreed on inside is of no use. */
static void make_hub_deaf(struct world *world, struct host *host)
{
	(void)world;
	while (host->number == 0 && host->site && host->site->sessions.count > 0)
		table_remove(&host->site->sessions, 0);
}

static struct world *is_not_seen(struct watch *watch)
{
	watch->meddle = make_hub_deaf;
	return homes(SITE_WHEN_ALWAYS, watch);
}

static struct world *other_end_is_away(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ASKED, watch);

	host_power(&world->hosts[2], false);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_run(world, USEC_MINUTE);
	return world;
}

static struct world *other_end_declines(struct watch *watch)
{
	struct world *world = homes(SITE_WHEN_ASKED, watch);

	gamers_say(world, 2, SITE_COMMAND_UNLINK, 1, 0);
	gamers_say(world, 1, SITE_COMMAND_LINK, 2, 0);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

static struct world *cannot_meet(struct watch *watch)
{
	struct world *world = make_world(SYMMETRIC, SYMMETRIC, SITE_WHEN_ALWAYS, watch);

	gamers_power(world);
	gamers_run(world, 10 * USEC_SECOND);
	return world;
}

/* Probes pass, and the other end's WireGuard knows nobody. */
static void spoil_peers(struct world *world, struct host *host)
{
	struct wireguard_change change = {.remove = true};

	if (host->number != 2 || !host->links || wireguard_peer_count(host->links) == 0)
		return;
	change.peer = *wireguard_peer_at(host->links, 0);
	wireguard_change(host->links, world->now, &change);
}

static struct world *calls_in_vain(struct watch *watch)
{
	struct world *world;

	watch->meddle = spoil_peers;
	world = homes(SITE_WHEN_ALWAYS, watch);
	gamers_run(world, 10 * USEC_SECOND);
	return world;
}

/* As fast as no way by the hub is in these worlds. */
static void praise_the_hub(struct world *world, struct host *host)
{
	struct site_link *link;

	for (uint32_t i = 1; i <= 2 && host->site; i++) {
		link = host->number == 3 - i ? site_link_of(host->site, &world->hosts[i].id) : NULL;
		if (link && link->path.probes[PATH_HUB].rtt_us > 0)
			link->path.probes[PATH_HUB].rtt_us = 1000;
	}
}

static struct world *hub_is_faster(struct watch *watch)
{
	struct world *world = linked(watch);

	watch->meddle = praise_the_hub;
	flows_for(world, 30 * USEC_SECOND);
	assert_false(gamers_are_direct(world, 1, 2));
	return world;
}

static struct world *dies(struct watch *watch)
{
	struct world *world = linked(watch);

	wall(world, true);
	flows_for(world, 3 * USEC_SECOND);
	return world;
}

static struct world *comes_and_goes(struct watch *watch)
{
	struct world *world = linked(watch);

	for (int i = 0; i < 6; i++) {
		wall(world, true);
		flows_for(world, 3 * USEC_SECOND);
		wall(world, false);
		flows_for(world, 10 * USEC_SECOND);
	}
	return world;
}

static struct world *other_end_unlinks(struct watch *watch)
{
	struct world *world = linked(watch);

	gamers_say(world, 2, SITE_COMMAND_UNLINK, 1, 0);
	gamers_run(world, 5 * USEC_SECOND);
	return world;
}

/* The way to each reason, and words that only it has. */
static const struct {
	struct world *(*live)(struct watch *watch);
	const char *says;
} lives[LINK_REASONS] = {
	[LINK_NEW] = {meets, "about to be tried"},
	[LINK_SELF] = {asks_itself, "site-1 is this site itself"},
	[LINK_WITH_HUB] = {asks_the_hub, "a hub needs no direct link"},
	[LINK_GONE] = {other_end_leaves, "site-2 has left, or was expelled"},
	[LINK_NO_POLICY] = {is_not_named, "names neither site-2 nor a tag"},
	[LINK_UNLINKED] = {is_unlinked, "said \"unlink\" for site-2"},
	[LINK_NOT_ASKED] = {is_not_asked, "links.when is \"asked\""},
	[LINK_NO_TRAFFIC] = {is_without_traffic, "links.when is \"traffic\""},
	[LINK_RELAY_ONLY] = {other_end_is_deaf, "site-2 says that it can have no direct links"},
	[LINK_FULL] = {has_many, "as many direct links as it may have"},
	[LINK_DEAF] = {is_deaf, "this machine may not send or hear outside"},
	[LINK_HUB_SILENT] = {hub_goes, "a link is tried once the hub is back"},
	[LINK_ROTATING] = {changes_its_keys, "keys are being changed"},
	[LINK_LOOKING] = {meets, "asks the hub from where it is seen"},
	[LINK_UNSEEN] = {is_not_seen, "does not answer outside the tunnel"},
	[LINK_OFFERED] = {meets, "was offered to site-2, which has not answered"},
	[LINK_UNANSWERED] = {other_end_is_away, "Its agent is not running"},
	[LINK_REFUSED] = {other_end_declines, "its configuration allows no direct link"},
	[LINK_MEETING] = {meets, "looking for a way to each other right now"},
	[LINK_NOT_MET] = {cannot_meet, "no direct way to site-2 was found"},
	[LINK_CALLING] = {meets, "WireGuard is setting it up"},
	[LINK_RECALLING] = {hub_goes_and_both_begin_anew, "is called where it was met last"},
	[LINK_NO_HANDSHAKE] = {calls_in_vain, "WireGuard's own packets do not pass"},
	[LINK_DIRECT] = {meets, "Packets to site-2 go directly."},
	[LINK_HUB_BETTER] = {hub_is_faster, "the way by the hub is the faster one"},
	[LINK_DIED] = {dies, "does not answer any more"},
	[LINK_HELD] = {comes_and_goes, "come and gone six times"},
	[LINK_ENDING] = {other_end_changes_its_keys, "is being ended"},
	[LINK_THEY_ENDED] = {other_end_unlinks, "site-2 has ended the direct link"},
};

/* What was said when it came about is a sentence, with the name of whom it is about. */
TEST(every_reason_comes_about_and_is_said)
{
	(void)state;
	for (unsigned i = 0; i < LINK_REASONS; i++) {
		struct watch *watch = calloc(1, sizeof *watch);
		const char *said = watch->first[i];
		struct world *world;

		assert_non_null(lives[i].live);
		world = lives[i].live(watch);
		if (!watch->seen[i])
			fail_msg("%s did not come about", site_link_word((enum link_reason)i));
		if (!strstr(said, lives[i].says) || said[strlen(said) - 1] != '.' ||
			!strstr(said, world->hosts[watch->about].name))
			fail_msg("%s: %s", site_link_word((enum link_reason)i), said);
		world_free(world);
		free(watch);
	}
}

/* Whose router is in the way. */

static const struct nat_class known = {
	.mapping = BEHAVIOUR_INDEPENDENT, .allocation = BEHAVIOUR_PORTS_KEPT};
static const struct nat_class drawn = {
	.mapping = BEHAVIOUR_BY_PORT, .allocation = BEHAVIOUR_PORTS_RANDOM};
static const struct nat_class in_a_row = {
	.mapping = BEHAVIOUR_BY_PORT, .allocation = BEHAVIOUR_PORTS_SEQUENTIAL};

static const struct {
	const struct nat_class *ours;
	const struct nat_class *theirs;
	uint32_t heard;
	bool remapped;
	const char *culprit;
	const char *help; /* the whole of it */
} blames[] = {
	{&drawn, &drawn, 0, false, "Both routers are in the way",
		"One change helps: forward UDP port 51822 to this machine on this site's router, "
		"or forward the UDP port of site-2's links to its machine on its router."},
	{&drawn, &in_a_row, 0, false, "Both routers are in the way",
		"What helps: forward UDP port 51822 to this machine on this site's router."},
	{&in_a_row, &drawn, 0, false, "Both routers are in the way",
		"What helps: forward the UDP port of site-2's links to its machine on its router."},
	{&in_a_row, &in_a_row, 0, false, "Both routers are in the way",
		"One change helps: have the router of this site keep ports (\"static port\", "
		"\"full cone\"), or have the router of site-2 keep ports (\"static port\", "
		"\"full cone\")."},
	{&drawn, &known, 0, false,
		"The router of this site is in the way: it calls from a port that the other end "
		"cannot know",
		"What helps: forward UDP port 51822 to this machine on this site's router, or have "
		"that router keep ports"},
	{&known, &drawn, 7, false,
		"The router of site-2 is in the way: it calls from a port that the other end "
		"cannot know",
		"What helps: forward the UDP port of site-2's links to its machine on its router, "
		"or have that router keep ports"},
	{&in_a_row, &known, 0, false,
		"The router of this site is in the way: it calls from a port that the other end "
		"did not foretell",
		"What helps: have the router of this site keep ports"},
	{&known, &in_a_row, 0, false,
		"The router of site-2 is in the way: it calls from a port that the other end did "
		"not foretell",
		"What helps: have the router of site-2 keep ports"},
	{&known, &known, 3, true, "Packets of site-2 came from another port than it had named",
		"has to forget it first."},
	{&known, &known, 3, false,
		"Packets come here but none get there: the router or firewall of site-2",
		"What helps: let it take in UDP to the port of its links."},
	{&known, &known, 0, false, "Nothing came through in either direction",
		"What helps: forward UDP port 51822 to this machine on this site's router."},
};

/* One is blamed, and no other. */
TEST(what_failed_names_whose_router_it_was_and_what_helps)
{
	struct watch *watch = calloc(1, sizeof *watch);
	struct world *world = cannot_meet(watch);
	struct site *site = world->hosts[1].site;
	struct site_link *link = site_link_of(site, &world->hosts[2].id);

	(void)state;
	assert_int_equal(link->reason, LINK_NOT_MET);
	site->ground.ports[SITE_LINKS] = 51822;
	for (size_t i = 0; i < COUNT(blames); i++) {
		const char *why;

		link->trial.ours = *blames[i].ours;
		link->trial.theirs = *blames[i].theirs;
		link->trial.heard = blames[i].heard;
		link->trial.remapped = blames[i].remapped;
		why = gamers_why(world, 1, 2);
		if (!strstr(why, blames[i].culprit) || !strstr(why, blames[i].help))
			fail_msg("%zu: %s", i, why);
		for (size_t k = 0; k < COUNT(blames); k++) {
			if (strcmp(blames[i].culprit, blames[k].culprit) != 0 &&
				strstr(why, blames[k].culprit))
				fail_msg("%zu: %s", i, why);
		}
	}
	/* Where two routers translate, what is done to one of them alone does not help. */
	link->trial.ours = link->trial.theirs = drawn;
	site->behaviour.router_is_inside = true;
	assert_non_null(strstr(gamers_why(world, 1, 2),
		"forward UDP port 51822 to this machine on both of this site's routers, or have a "
		"public address from its provider, or forward the UDP port of site-2's links"));
	site->behaviour.router = address_ipv4(0x64400102);
	assert_non_null(strstr(gamers_why(world, 1, 2),
		"have IPv6, or a public address, from this site's provider, or forward the UDP "
		"port of site-2's links"));
	world_free(world);
	free(watch);
}

/* The router by itself. */

static const struct {
	struct site_standing standing;
	const char *says;
	const char *helps; /* NULL: nothing has to */
} standings[] = {
	{{.is_public = true}, "It stands on the internet itself", NULL},
	{{.mapping = BEHAVIOUR_INDEPENDENT, .ports_word = "kept"}, "everybody the same port", NULL},
	{{.mapping = BEHAVIOUR_INDEPENDENT, .ports_word = "kept", .is_carrier_nat = true},
		"everybody the same port", NULL},
	{{.mapping = BEHAVIOUR_BY_PORT, .ports_word = "sequential"}, "which can be foretold", NULL},
	{{.mapping = BEHAVIOUR_BY_PORT, .ports_word = "random"}, "at random (a \"symmetric\" one)",
		"What helps: forward UDP port 51822 to this machine on the router, or let it "
		"answer NAT-PMP."},
	{{.mapping = BEHAVIOUR_BY_ADDRESS, .ports_word = "random"}, "at random",
		"What helps: forward UDP port 51822"},
	{{.mapping = BEHAVIOUR_BY_PORT, .ports_word = "random", .is_carrier_nat = true},
		"at random", "What helps: IPv6, or a public address from the provider."},
	{{.mapping = BEHAVIOUR_BY_PORT, .ports_word = "random", .is_double_nat = true}, "at random",
		"what helps has to be set on both, or the outer one made a bridge. Where that is "
		"the "
		"provider's: IPv6, or a public address."},
	{{.mapping = BEHAVIOUR_UNKNOWN, .ports_word = "unknown"}, "could not be seen",
		"What helps: forward UDP port 51822"},
};

TEST(a_router_is_described_and_what_helps_is_said_where_something_has_to)
{
	(void)state;
	for (size_t i = 0; i < COUNT(standings); i++) {
		struct site_standing standing = standings[i].standing;
		const char *helps = standings[i].helps;
		char text[SITE_WHY_SIZE];

		standing.port = 51822;
		if (!standing.ports_word)
			standing.ports_word = "unknown";
		site_standing_text(&standing, text);
		if (!strstr(text, standings[i].says) || text[strlen(text) - 1] != '.' ||
			(helps ? !strstr(text, helps)
			       : strstr(text, "elps") || strstr(text, "forward")))
			fail_msg("%zu: %s", i, text);
		/* Where the router has opened a port, nothing else has to help. */
		standing.mapped = (struct endpoint){address_ipv4(0xcb007107), 4444};
		site_standing_text(&standing, text);
		if (!strstr(text, "The router has opened 203.0.113.7:4444") || strstr(text, "elps"))
			fail_msg("%zu: %s", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(what_failed_names_whose_router_it_was_and_what_helps),
		CASE(a_router_is_described_and_what_helps_is_said_where_something_has_to),
		CASE(every_reason_comes_about_and_is_said),
	};

	return RUN(cases);
}

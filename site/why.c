/* SPDX-License-Identifier: MIT */
/*
 * why.c - why two sites are on the path that they are on, in words: what is wanted, what was
 * tried, how the routers of both behave, which of them is in the way, and what would help.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "site/links_internal.h"

#define NOTABLE_LOSS 2 /* of a hundred */

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	if (size < 0)
		return;
	if ((size_t)size >= text->left)
		size = text->left > 0 ? (int)text->left - 1 : 0;
	text->at += size;
	text->left -= (size_t)size;
}

/* "12 s", "3 min", "2 h". */
static void add_span(struct text *text, usec_t span)
{
	int64_t seconds = span / USEC_SECOND;

	if (seconds < 120)
		add(text, "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		add(text, "%" PRId64 " min", seconds / 60);
	else
		add(text, "%" PRId64 " h", seconds / 3600);
}

static void add_rtt(struct text *text, int64_t rtt_us)
{
	add(text, "%" PRId64 ".%" PRId64 " ms", rtt_us / 1000, rtt_us % 1000 / 100);
}

/* How a router behaves. */

static bool hides_port(const struct nat_class *class)
{
	return class->mapping > BEHAVIOUR_INDEPENDENT;
}

static bool is_in_a_row(const struct nat_class *class)
{
	return hides_port(class) && class->allocation == BEHAVIOUR_PORTS_SEQUENTIAL;
}

bool site_link_is_elusive(const struct nat_class *class)
{
	return hides_port(class) && !is_in_a_row(class);
}

/* Of one site, and of two. Whether there is a router at all is known of one's own home alone. */
struct class_words {
	const char *one;
	const char *both;
};

static const struct class_words *words_of(const struct nat_class *class)
{
	static const struct class_words unknown = {
		"has not been seen enough to say how its router behaves",
		"have not been seen enough to say how their routers behave"};
	static const struct class_words independent = {
		"is seen by everybody at the same port, which is what direct links need",
		"are seen by everybody at the same port, which is what direct links need"};
	static const struct class_words sequential = {
		"is behind a router that takes another port for everybody, the next in a row, "
		"which can be foretold",
		"are behind routers that take another port for everybody, the next in a row, which "
		"can be foretold"};
	static const struct class_words random = {
		"is behind a router that takes another port for everybody, at random (a "
		"\"symmetric\" one)",
		"are behind routers that take another port for everybody, at random "
		"(\"symmetric\" ones)"};

	if (class->mapping == BEHAVIOUR_UNKNOWN)
		return &unknown;
	if (class->mapping == BEHAVIOUR_INDEPENDENT)
		return &independent;
	return class->allocation == BEHAVIOUR_PORTS_SEQUENTIAL ? &sequential : &random;
}

static void add_classes(struct text *text, const struct site *site, const struct link_trial *trial,
	const char *name)
{
	const struct class_words *ours = words_of(&trial->ours);
	const struct class_words *theirs = words_of(&trial->theirs);

	if (trial->at < 0)
		return;
	if (site->behaviour.class.is_untranslated)
		add(text, " This site stands on the internet itself; %s %s.", name, theirs->one);
	else if (ours == theirs)
		add(text, " Both %s.", ours->both);
	else
		add(text, " This site %s; %s %s.", ours->one, name, theirs->one);
}

/* What was tried. */

/* Where ports follow each other those are offered, and not the machine's own. */
static void add_remedy(struct text *text, const struct site *site, const struct link_trial *trial,
	bool here, const char *name)
{
	struct behaviour_facts facts = behaviour_facts(&site->behaviour);

	if (is_in_a_row(here ? &trial->ours : &trial->theirs))
		add(text, "have the router of %s keep ports (\"static port\", \"full cone\")",
			here ? "this site" : name);
	else if (here && facts.is_carrier_nat)
		add(text, "have IPv6, or a public address, from this site's provider");
	else if (here && facts.is_double_nat)
		add(text,
			"forward UDP port %u to this machine on both of this site's routers, or "
			"have a public address from its provider",
			(unsigned)site->ground.ports[SITE_LINKS]);
	else if (here && site->ground.ports[SITE_LINKS] != 0)
		add(text, "forward UDP port %u to this machine on this site's router",
			(unsigned)site->ground.ports[SITE_LINKS]);
	else
		add(text, "forward the UDP port of %s's links to its machine on its router", name);
}

/*
 * What was foretold of a row of ports did not help either: two ports that are drawn lie near each
 * other now and then, and others may have taken the next one.
 */
static void add_culprit(struct text *text, const struct site *site, const struct link_trial *trial,
	const char *name)
{
	bool ours = hides_port(&trial->ours);
	bool theirs = hides_port(&trial->theirs);
	bool row_here = is_in_a_row(&trial->ours);
	bool row_there = is_in_a_row(&trial->theirs);

	/* A port that is drawn has to be known; whose ports follow each other may call it. */
	if (ours && theirs && row_here != row_there) {
		add(text, " Both routers are in the way: each calls from a port that the other end "
			  "does not know. What helps: ");
		add_remedy(text, site, trial, row_there, name);
		add(text, ".");
	} else if (ours && theirs) {
		add(text, " Both routers are in the way: each calls from a port that the other end "
			  "does not know. One change helps: ");
		add_remedy(text, site, trial, true, name);
		add(text, ", or ");
		add_remedy(text, site, trial, false, name);
		add(text, ".");
	} else if (ours || theirs) {
		const struct nat_class *class = ours ? &trial->ours : &trial->theirs;

		add(text,
			" The router of %s is in the way: it calls from a port that the other "
			"end %s, and the other router lets in nothing else. What helps: ",
			ours ? "this site" : name,
			site_link_is_elusive(class) ? "cannot know" : "did not foretell");
		add_remedy(text, site, trial, ours, name);
		add(text, "%s.",
			is_in_a_row(class) ? ""
					   : ", or have that router keep ports (\"static port\", "
					     "\"full cone\")");
	} else if (trial->remapped) {
		add(text,
			" Packets of %s came from another port than it had named: a router "
			"remembers an earlier attempt, and has to forget it first.",
			name);
	} else if (trial->heard > 0) {
		add(text,
			" Packets come here but none get there: the router or firewall of %s is "
			"in the way. What helps: let it take in UDP to the port of its links.",
			name);
	} else {
		add(text, " Nothing came through in either direction: a firewall of one of the two "
			  "drops UDP. What helps: ");
		add_remedy(text, site, trial, true, name);
		add(text, ".");
	}
}

static void add_trial(
	struct text *text, const struct site *site, const struct site_link *link, const char *name)
{
	const struct link_trial *trial = &link->trial;

	if (trial->at < 0)
		return;
	add(text, " Tried ");
	add_span(text, site->now - trial->at);
	add(text, " ago, attempt %u: %u place%s of %s called, %u packet%s of it came.",
		(unsigned)trial->attempt + 1, (unsigned)trial->places,
		trial->places == 1 ? "" : "s", name, (unsigned)trial->heard,
		trial->heard == 1 ? "" : "s");
	if (trial->refused > 0)
		add(text,
			" %u more that it named lead through the tunnel, or to networks that are "
			"kept apart here.",
			(unsigned)trial->refused);
}

static void add_next(struct text *text, const struct site *site, const struct site_link *link)
{
	usec_t at = link->next_at > quiet_until(&link->quiet) ? link->next_at
							      : quiet_until(&link->quiet);

	if (link->stage != LINK_RESTS)
		return;
	if (at <= site->now) {
		add(text, " It is tried again now.");
		return;
	}
	add(text, " It is tried again in ");
	add_span(text, at - site->now);
	add(text, ", or as soon as something changes here or there.");
}

/* What is measured. */

static void add_measures(struct text *text, const struct site_link *link)
{
	struct path_measure direct = path_measured(&link->path, PATH_DIRECT);
	struct path_measure hub = path_measured(&link->path, PATH_HUB);

	if (!link->has_path)
		return;
	if (direct.rtt_us >= 0) {
		add(text, " The direct way takes ");
		add_rtt(text, direct.rtt_us);
		if (hub.rtt_us >= 0) {
			add(text, ", the way by the hub ");
			add_rtt(text, hub.rtt_us);
		}
		add(text, ".");
	}
	if (direct.judged > 0 && direct.lost * 100 >= direct.judged * NOTABLE_LOSS)
		add(text, " Of the last %u probes on the direct way %u were lost.",
			(unsigned)direct.judged, (unsigned)direct.lost);
}

/* One sentence for each reason; %s is the member's name. */
static const char *const sentences[LINK_REASONS] = {
	[LINK_NEW] = "A direct link with %s is about to be tried.",
	[LINK_SELF] = "%s is this site itself.",
	[LINK_WITH_HUB] = "The backbone already leads straight there: a hub needs no direct link "
			  "with %s.",
	[LINK_GONE] = "%s has left, or was expelled.",
	[LINK_NO_POLICY] = "Everything goes by the hub: links.with in this site's configuration "
			   "names neither %s nor a tag that it carries. \"collective link\" asks "
			   "for a link without it.",
	[LINK_UNLINKED] = "Everything goes by the hub: the owner of this site said \"unlink\" for "
			  "%s. \"collective link\" takes it back.",
	[LINK_NOT_ASKED] = "Everything goes by the hub: links.when is \"asked\", and nobody asked "
			   "for a link with %s. \"collective link\" does.",
	[LINK_NO_TRAFFIC] = "Everything goes by the hub: links.when is \"traffic\", and none "
			    "flows between this site and %s.",
	[LINK_RELAY_ONLY] =
		"Everything goes by the hub: %s says that it can have no direct links. Its "
		"agent may not send or hear outside the tunnel, and needs CAP_NET_RAW.",
	[LINK_FULL] = "Everything goes by the hub: this site has as many direct links as it may "
		      "have, and %s would be one more.",
	[LINK_DEAF] = "Everything goes by the hub: this machine may not send or hear outside the "
		      "tunnel, so no way to %s can be looked for. The agent needs CAP_NET_RAW.",
	[LINK_HUB_SILENT] =
		"The hub is silent, and nobody that this site is linked with passes offers on to "
		"%s: a link is tried once the hub is back.",
	[LINK_ROTATING] = "This site's keys are being changed: a link with %s is made anew "
			  "afterwards.",
	[LINK_LOOKING] = "This site asks the hub from where it is seen, to offer that to %s.",
	[LINK_UNSEEN] = "Everything goes by the hub: it does not answer outside the tunnel, so "
			"this site has no place to offer to %s. UDP may be blocked here, or the "
			"hub's agent lacks CAP_NET_RAW.",
	[LINK_OFFERED] = "A direct link was offered to %s, which has not answered yet.",
	[LINK_UNANSWERED] = "Everything goes by the hub: %s does not answer the offer of a direct "
			    "link. Its agent is not running, or the site is not there.",
	[LINK_REFUSED] = "Everything goes by the hub: %s declined the offer of a direct link",
	[LINK_MEETING] = "This site and %s are looking for a way to each other right now.",
	[LINK_NOT_MET] = "Everything goes by the hub: no direct way to %s was found.",
	[LINK_CALLING] = "A direct way to %s was found, and WireGuard is setting it up.",
	[LINK_RECALLING] = "The hub is silent: %s is called where it was met last.",
	[LINK_NO_HANDSHAKE] = "Everything goes by the hub: a direct way to %s was found, but "
			      "WireGuard's own packets do not pass there. The firewall of one of "
			      "the two machines drops them: let UDP to the links' port in.",
	[LINK_DIRECT] = "Packets to %s go directly.",
	[LINK_HUB_BETTER] = "A direct link with %s is there, but the way by the hub is the faster "
			    "one, and carries the packets.",
	[LINK_DIED] = "The direct way to %s does not answer any more; packets go by the hub until "
		      "another one is found.",
	[LINK_HELD] = "The direct way to %s is good again, but it has come and gone six times "
		      "within an hour: packets stay with the hub for a while, so that nothing "
		      "jumps back and forth.",
	[LINK_ENDING] = "The direct link with %s is being ended; packets go by the hub.",
	[LINK_THEY_ENDED] = "%s has ended the direct link; packets go by the hub.",
};

static const char *const words[LINK_REASONS] = {
	[LINK_NEW] = "new",
	[LINK_SELF] = "self",
	[LINK_WITH_HUB] = "with_hub",
	[LINK_GONE] = "gone",
	[LINK_NO_POLICY] = "no_policy",
	[LINK_UNLINKED] = "unlinked",
	[LINK_NOT_ASKED] = "not_asked",
	[LINK_NO_TRAFFIC] = "no_traffic",
	[LINK_RELAY_ONLY] = "relay_only",
	[LINK_FULL] = "full",
	[LINK_DEAF] = "deaf",
	[LINK_HUB_SILENT] = "hub_silent",
	[LINK_ROTATING] = "rotating",
	[LINK_LOOKING] = "looking",
	[LINK_UNSEEN] = "unseen",
	[LINK_OFFERED] = "offered",
	[LINK_UNANSWERED] = "unanswered",
	[LINK_REFUSED] = "refused",
	[LINK_MEETING] = "meeting",
	[LINK_NOT_MET] = "not_met",
	[LINK_CALLING] = "calling",
	[LINK_RECALLING] = "recalling",
	[LINK_NO_HANDSHAKE] = "no_handshake",
	[LINK_DIRECT] = "direct",
	[LINK_HUB_BETTER] = "hub_better",
	[LINK_DIED] = "died",
	[LINK_HELD] = "held",
	[LINK_ENDING] = "ending",
	[LINK_THEY_ENDED] = "they_ended",
};

const char *site_link_sentence(enum link_reason reason)
{
	return reason < LINK_REASONS ? sentences[reason] : NULL;
}

const char *site_link_word(enum link_reason reason)
{
	return reason < LINK_REASONS ? words[reason] : NULL;
}

enum link_reason site_link_reason(const struct site *site, const struct member *member)
{
	const struct site_link *link = site_link_of(site, &member->id);
	enum link_reason idleness = site_link_idleness(site, member);

	if (link && link->stage == LINK_LIVES && link->has_path && path_held_until(&link->path) > 0)
		return LINK_HELD;
	if (link && link->stage != LINK_RESTS)
		return link->reason;
	/* The other end may have asked, in vain. */
	if (link && link->failed_at >= 0 && site->now - link->failed_at < QUIET_LONGEST &&
		(idleness == LINK_NOT_ASKED || idleness == LINK_NO_TRAFFIC))
		return link->reason;
	if (idleness != LINK_NEW)
		return idleness;
	if (!link)
		return site->links.count == site->links.capacity ? LINK_FULL : LINK_NEW;
	return link->reason;
}

static void add_sentence(struct text *text, const char *sentence, const char *name)
{
	const char *place = strstr(sentence, "%s");

	add(text, "%.*s%s%s", (int)(place - sentence), sentence, name, place + 2);
}

static void add_details(struct text *text, const struct site *site, const struct site_link *link,
	enum link_reason reason, const char *name)
{
	if (reason == LINK_REFUSED)
		add(text, ": %s.", offer_verdict_text(link->trial.verdict));
	if (reason == LINK_DIRECT && site->now - link->since >= USEC_SECOND) {
		add(text, " They have for ");
		add_span(text, site->now - link->since);
		add(text, ".");
	}
	if (reason == LINK_HELD) {
		add(text, " It is taken again within ");
		add_span(text, path_held_until(&link->path) - site->now + USEC_MINUTE);
		add(text, ".");
	}
	if (reason == LINK_DIRECT || reason == LINK_HUB_BETTER || reason == LINK_DIED ||
		reason == LINK_HELD) {
		add_measures(text, link);
		add_classes(text, site, &link->trial, name);
	}
	if (reason == LINK_NOT_MET || reason == LINK_NO_HANDSHAKE) {
		add_classes(text, site, &link->trial, name);
		add_trial(text, site, link, name);
	}
	if (reason == LINK_NOT_MET)
		add_culprit(text, site, &link->trial, name);
	if (reason == LINK_REFUSED || reason == LINK_NOT_MET || reason == LINK_NO_HANDSHAKE ||
		reason == LINK_UNSEEN || reason == LINK_UNANSWERED)
		add_next(text, site, link);
}

void site_why(const struct site *site, const struct row_id *id, char ret[static SITE_WHY_SIZE])
{
	const struct member *member = site->has_collective ? ledger_find(&site->ledger, id) : NULL;
	struct text text = {ret, SITE_WHY_SIZE};
	const struct site_link *link;
	struct certificate other;
	enum link_reason reason;

	ret[0] = '\0';
	if (!member)
		return;
	link = site_link_of(site, id);
	reason = site_link_reason(site, member);
	ledger_certificate(&site->ledger, member, &other);
	add_sentence(&text, sentences[reason], other.name);
	if (link)
		add_details(&text, site, link, reason, other.name);
}

/* For a glance. */

static const char *state_of(const struct site_link *link, enum link_reason reason)
{
	if (reason <= LINK_DEAF && reason != LINK_NEW)
		return "off";
	if (!link)
		return "waiting";
	switch (link->stage) {
	case LINK_LOOKS:
	case LINK_OFFERS:
	case LINK_ANSWERS:
	case LINK_MEETS:
	case LINK_CALLS:
		return "meeting";
	case LINK_LIVES:
		return link->direct ? "direct" : "hub";
	case LINK_LEAVES:
		return "ending";
	case LINK_RESTS:
	case LINK_STAGES:
		break;
	}
	return "waiting";
}

static struct site_measure measure_of(const struct site_link *link, enum path_way way)
{
	struct path_measure measure = {.rtt_us = -1, .jitter_us = -1};

	if (link && link->has_path)
		measure = path_measured(&link->path, way);
	return (struct site_measure){
		measure.rtt_us, measure.jitter_us, measure.judged, measure.lost};
}

void site_link_view(const struct site *site, const struct member *member, struct site_view *ret)
{
	const struct site_link *link = site_link_of(site, &member->id);
	enum link_reason reason = site_link_reason(site, member);

	ret->link = (struct site_link_view){.state = state_of(link, reason),
		.reason = words[reason],
		.since = link ? link->since : -1,
		.next_at = USEC_NEVER,
		.hub = measure_of(link, PATH_HUB),
		.direct = measure_of(link, PATH_DIRECT),
		.attempts = link ? link->attempts : 0,
		.switches = link ? link->switches : 0};
	if (link && link->stage == LINK_RESTS && site_link_idleness(site, member) == LINK_NEW)
		ret->link.next_at = link->next_at > quiet_until(&link->quiet)
					    ? link->next_at
					    : quiet_until(&link->quiet);
	if (reason == LINK_SELF)
		ret->path = SITE_PATH_SELF;
	else if (!member->in_force || member->left || site->state != SITE_MEMBER)
		ret->path = SITE_PATH_NONE;
	else
		ret->path = link && link->direct ? SITE_PATH_DIRECT : SITE_PATH_HUB;
}

/* SPDX-License-Identifier: MIT */
#include "simulator/scenario.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/tree.h"

static const char *const property_names[PROPERTIES] = {
	[PROPERTY_NONE] = "none",
	[PROPERTY_CONVERGENCE] = "P1",
	[PROPERTY_NO_RETURN] = "P2",
	[PROPERTY_NO_SPLIT] = "P3",
	[PROPERTY_SEQUENCE] = "P4",
	[PROPERTY_TRAFFIC] = "P5",
	[PROPERTY_MEMORY] = "P6",
	[PROPERTY_DIRECT] = "P7",
	[PROPERTY_HOLES] = "P8",
	[PROPERTY_REACH] = "P9",
	[PROPERTY_LIVENESS] = "P10",
	[PROPERTY_SILENCE] = "P11",
	[PROPERTY_CONFIGURATION] = "P12",
	[PROPERTY_EVICTION] = "P13",
	[PROPERTY_DETERMINISM] = "P14",
	[PROPERTY_PRIVACY] = "P15",
};

const char *property_name(enum property property)
{
	return property_names[property];
}

enum property property_of(const char *name)
{
	for (int property = PROPERTY_NONE + 1; property < PROPERTIES; property++) {
		if (strcmp(property_names[property], name) == 0)
			return (enum property)property;
	}
	return PROPERTY_NONE;
}

/* A kind of router by its name, as people know them. */
struct router_kind {
	const char *name;
	struct router_options options;
	bool carrier;
};

#define HOME                                                                   \
	.timeout_new = 30 * USEC_SECOND, .timeout_assured = 120 * USEC_SECOND, \
	.assured_after = 2 * USEC_SECOND

#define ROUTER_KINDS (sizeof router_kinds / sizeof router_kinds[0])

static const struct router_kind router_kinds[] = {
	{.name = "home",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_DROP,
			HOME}},
	{.name = "home-accepting",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_ACCEPT,
			HOME}},
	{.name = "full-cone",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ENDPOINT_INDEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_DROP,
			.hairpin = true,
			HOME}},
	{.name = "address-restricted",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ADDRESS_DEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_DROP,
			HOME}},
	{.name = "symmetric",
		.options = {.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_RANDOM,
			.input = ROUTER_INPUT_DROP,
			HOME}},
	{.name = "sequential",
		.options = {.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_SEQUENTIAL,
			.input = ROUTER_INPUT_DROP,
			HOME}},
	{.name = "blocked",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_DROP,
			.udp_blocked = true,
			HOME}},
	{.name = "carrier",
		.options = {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			.allocation = ROUTER_PORT_KEPT,
			.input = ROUTER_INPUT_DROP,
			HOME},
		.carrier = true},
};

static const char *const mischiefs[MISCHIEFS] = {
	[MISCHIEF_NONE] = "none",
	[MISCHIEF_GARBAGE] = "garbage",
	[MISCHIEF_FLOOD] = "flood",
	[MISCHIEF_REPLAY] = "replay",
	[MISCHIEF_EQUIVOCATE] = "equivocate",
	[MISCHIEF_LIE] = "lie",
	[MISCHIEF_USURP] = "usurp",
	[MISCHIEF_NEWER] = "newer",
	[MISCHIEF_CENSOR] = "censor",
	[MISCHIEF_MEDDLE] = "meddle",
	[MISCHIEF_DOUBT] = "doubt",
	[MISCHIEF_POINT] = "point",
};

const char *mischief_name(enum mischief kind)
{
	return mischiefs[kind];
}

static const char *const whens[] = {
	[SITE_WHEN_ALWAYS] = "always",
	[SITE_WHEN_TRAFFIC] = "traffic",
	[SITE_WHEN_ASKED] = "asked",
};

#define WHENS (sizeof whens / sizeof whens[0])

const char *links_name(enum site_when when)
{
	return whens[when];
}

/* Reading. */

#define TIME_MAX (1000 * USEC_DAY)
#define CLOCK_MAX_MS INT64_C(864000000000) /* ten thousand days: no clock goes below 0 by it */
#define FAULTS_MAX 1000                    /* of a kind */
#define JOIN_FIRST (2 * USEC_SECOND)       /* as run.c lets them in */
#define JOIN_EVERY (2 * USEC_SECOND)
#define SHOWN_SIZE 64
#define WORDS_MAX 32
#define LIST_SIZE 256

#define EVENT_EXAMPLE "{at: 60s, do: crash, site: 2, for: 20s}"
#define MISCHIEF_EXAMPLE "{site: 3, does: flood}"

struct reading {
	struct scenario *scenario;
	struct problems *problems;
	const struct tree_node *root;
	bool whole; /* the file is YAML to its end: what is not there is missing */
	/* What was read without a mistake, so that one mistake is not said twice. */
	bool sites_known;
	bool duration_known;
	bool heal_known; /* that there is one, or none */
	bool routers_known;
	bool joining_known;
	bool links_known;
};

static void refuse(struct reading *reading, const struct tree_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct reading *reading, const struct tree_node *node, const char *format, ...)
{
	char text[PROBLEM_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	problems_add(reading->problems, node->line, node->column, "%s", text);
}

struct shown {
	char text[SHOWN_SIZE];
};

/* What somebody wrote, as it can be shown on a terminal. */
static struct shown show(const struct tree_node *node)
{
	struct shown shown;

	text_show(node->text, strlen(node->text), shown.text, sizeof shown.text);
	return shown;
}

/* Words that may stand somewhere. */
struct words {
	uint32_t count;
	const char *words[WORDS_MAX];
};

/* Names the word that was meant, or else all there are. */
static void refuse_word(struct reading *reading, const struct tree_node *node, const char *what,
	const struct words *words)
{
	struct text_nearest nearest;
	char list[LIST_SIZE] = "";
	size_t used = 0;

	text_nearest_init(&nearest, node->text);
	for (uint32_t i = 0; i < words->count; i++) {
		text_nearest_offer(&nearest, words->words[i]);
		if (used < sizeof list)
			used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
				i > 0 ? ", " : "", words->words[i]);
	}
	if (nearest.best)
		refuse(reading, node, "\"%s\" is no %s: did you mean \"%s\"?", show(node).text,
			what, nearest.best);
	else
		refuse(reading, node, "\"%s\" is no %s; there are: %s", show(node).text, what,
			list);
}

/* The map has no other keys than these. */
static void check_keys(struct reading *reading, const struct tree_node *map, const char *what,
	const struct words *words)
{
	for (const struct tree_node *key = map->children; key; key = key->next) {
		uint32_t i = 0;

		if (key->faulty || key->kind != TREE_SCALAR)
			continue;
		while (i < words->count && strcmp(words->words[i], key->text) != 0)
			i++;
		if (i == words->count)
			refuse_word(reading, key, what, words);
	}
}

static bool is_scalar(struct reading *reading, const struct tree_node *node)
{
	if (node->kind == TREE_SCALAR && !tree_is_empty(node))
		return true;
	refuse(reading, node, "a single value belongs here");
	return false;
}

/* Only digits: a number in decimal, or in hexadecimal behind 0x. */
static bool parse_digits(const char *text, const char *digits, uint64_t base, uint64_t *ret)
{
	*ret = 0;
	for (const char *at = text; *at; at++) {
		const char *digit = strchr(digits, *at);
		uint64_t value = digit ? (uint64_t)(digit - digits) % 16 : base;

		if (value >= base || *ret > (UINT64_MAX - value) / base)
			return false;
		*ret = *ret * base + value;
	}
	return *text != '\0';
}

static bool read_number(struct reading *reading, const struct tree_node *node, uint64_t least,
	uint64_t most, uint64_t *ret)
{
	bool hexadecimal;
	uint64_t value;

	if (!is_scalar(reading, node))
		return false;
	hexadecimal = strncmp(node->text, "0x", 2) == 0;
	if (!hexadecimal && node->text[0] == '0' && node->text[1] != '\0' &&
		parse_digits(node->text, "0123456789", 10, &value)) {
		refuse(reading, node, "\"%s\": write the number without the 0 in front",
			show(node).text);
		return false;
	}
	if (!(hexadecimal ? parse_digits(
				    node->text + 2, "0123456789abcdef0123456789ABCDEF", 16, &value)
			  : parse_digits(node->text, "0123456789", 10, &value)) ||
		value < least || value > most) {
		refuse(reading, node, "\"%s\" is not a number from %" PRIu64 " to %" PRIu64,
			show(node).text, least, most);
		return false;
	}
	*ret = value;
	return true;
}

static bool read_time(struct reading *reading, const struct tree_node *node, usec_t *ret)
{
	static const struct {
		const char *unit;
		usec_t length;
	} units[] = {{"us", 1}, {"ms", USEC_MSEC}, {"s", USEC_SECOND}, {"m", USEC_MINUTE},
		{"h", USEC_HOUR}, {"d", USEC_DAY}};
	uint64_t value = 0;
	const char *end;

	if (!is_scalar(reading, node))
		return false;
	for (end = node->text; *end >= '0' && *end <= '9' && value <= (uint64_t)TIME_MAX; end++)
		value = value * 10 + (uint64_t)(*end - '0');
	for (size_t i = 0; end != node->text && i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(end, units[i].unit) == 0 &&
			value <= (uint64_t)(TIME_MAX / units[i].length)) {
			*ret = (usec_t)value * units[i].length;
			return true;
		}
	}
	refuse(reading, node,
		"\"%s\" is not a time: write a whole number and one of us, ms, s, m, h, d, "
		"up to 1000d",
		show(node).text);
	return false;
}

/* "1%" and "0.1%", to a millionth. */
static bool read_share(struct reading *reading, const struct tree_node *node, uint32_t *ret)
{
	uint64_t whole = 0;
	uint64_t part = 0;
	uint64_t place = 10000;
	const char *at;

	if (!is_scalar(reading, node))
		return false;
	for (at = node->text; *at >= '0' && *at <= '9' && whole <= 100; at++)
		whole = 10 * whole + (uint64_t)(*at - '0');
	if (at != node->text && *at == '.') {
		for (at++; *at >= '0' && *at <= '9' && place > 1; at++) {
			place /= 10;
			part += place * (uint64_t)(*at - '0');
		}
	}
	if (at == node->text || strcmp(at, "%") != 0 || whole * 10000 + part > 1000000) {
		refuse(reading, node,
			"\"%s\" is not a share: write it as in 1.5%%, with at most four places, up "
			"to 100%%",
			show(node).text);
		return false;
	}
	*ret = (uint32_t)(whole * 10000 + part);
	return true;
}

static bool read_flag(struct reading *reading, const struct tree_node *node, bool *ret)
{
	if (!is_scalar(reading, node))
		return false;
	*ret = strcmp(node->text, "true") == 0;
	if (*ret || strcmp(node->text, "false") == 0)
		return true;
	refuse(reading, node, "\"%s\" is neither true nor false", show(node).text);
	return false;
}

/* A site that there is. Where nobody knows how many there are, any will do. */
static bool read_site(struct reading *reading, const struct tree_node *node, uint32_t *ret)
{
	const uint32_t sites = reading->scenario->sites;
	uint64_t site;

	if (!read_number(reading, node, 0, UINT32_MAX, &site))
		return false;
	*ret = (uint32_t)site;
	if (!reading->sites_known || site < sites)
		return true;
	if (sites == 1)
		refuse(reading, node, "there is no site %" PRIu64 ", only site 0, the hub", site);
	else
		refuse(reading, node,
			"there is no site %" PRIu64 ", only %u sites: 0 (the hub) to %u", site,
			sites, sites - 1);
	return false;
}

/* The value of a key; NULL where it does not stand, or was found to be a mistake. */
static const struct tree_node *get(const struct tree_node *map, const char *name)
{
	const struct tree_node *node = tree_get(map, name);

	return node && !node->faulty ? node : NULL;
}

/* Each of these reads the value of a key if it stands there, and returns whether it was good. */

static bool take_number(struct reading *reading, const struct tree_node *map, const char *name,
	uint64_t least, uint64_t most, uint64_t *ret)
{
	const struct tree_node *node = get(map, name);

	return node && read_number(reading, node, least, most, ret);
}

static bool take_time(
	struct reading *reading, const struct tree_node *map, const char *name, usec_t *ret)
{
	const struct tree_node *node = get(map, name);

	return node && read_time(reading, node, ret);
}

static bool take_share(
	struct reading *reading, const struct tree_node *map, const char *name, uint32_t *ret)
{
	const struct tree_node *node = get(map, name);

	return node && read_share(reading, node, ret);
}

static bool take_flag(
	struct reading *reading, const struct tree_node *map, const char *name, bool *ret)
{
	const struct tree_node *node = get(map, name);

	return node && read_flag(reading, node, ret);
}

static bool take_text(struct reading *reading, const struct tree_node *map, const char *name,
	char *out, size_t size)
{
	const struct tree_node *node = get(map, name);

	if (!node || !is_scalar(reading, node))
		return false;
	if (strlen(node->text) >= size) {
		refuse(reading, node, "this text is longer than %zu bytes", size - 1);
		return false;
	}
	(void)snprintf(out, size, "%s", node->text);
	return true;
}

/* Whether a key does not stand in an item of a list; that is said. */
static bool lacks(struct reading *reading, const struct tree_node *item, const char *name,
	const char *example)
{
	if (!reading->whole || tree_get(item, name))
		return false;
	refuse(reading, item, "\"%s\" is missing, as in: %s", name, example);
	return true;
}

/* The items of a list; an example says what they look like. */
static const struct tree_node *take_list(
	struct reading *reading, const struct tree_node *map, const char *name, const char *example)
{
	const struct tree_node *node = get(map, name);

	if (!node || node->kind == TREE_LIST)
		return node ? node->children : NULL;
	refuse(reading, node, "a list belongs here, as in: [%s]", example);
	return NULL;
}

static const struct tree_node *take_map(
	struct reading *reading, const struct tree_node *map, const char *name, const char *example)
{
	const struct tree_node *node = get(map, name);

	if (!node || node->kind == TREE_MAP)
		return node;
	refuse(reading, node, "keys and values belong here, as in: %s", example);
	return NULL;
}

/* The parts of a scenario. */

static void read_line(struct reading *reading)
{
	static const struct words keys = {
		11, {"delay", "jitter", "loss", "well", "ill", "duplicate", "reorder", "rate",
			    "queue", "mtu", "hops"}};
	const struct tree_node *map = take_map(
		reading, reading->root, "line", "{delay: 20ms, loss: 1%}");
	struct link_options *line = &reading->scenario->line;
	uint32_t before = reading->problems->count;
	uint64_t mtu = 0;
	uint64_t hops;

	if (!map)
		return;
	check_keys(reading, map, "key of a line", &keys);
	(void)take_time(reading, map, "delay", &line->delay);
	(void)take_time(reading, map, "jitter", &line->jitter);
	(void)take_share(reading, map, "loss", &line->loss);
	(void)take_time(reading, map, "well", &line->well);
	(void)take_time(reading, map, "ill", &line->ill);
	(void)take_share(reading, map, "duplicate", &line->duplicate);
	(void)take_share(reading, map, "reorder", &line->reorder);
	(void)take_number(reading, map, "rate", 0, UINT64_C(10000000000), &line->rate);
	(void)take_time(reading, map, "queue", &line->queue);
	(void)take_number(reading, map, "mtu", 0, UINT16_MAX, &mtu);
	line->mtu = (uint16_t)mtu;
	if (take_number(reading, map, "hops", 0, 31, &hops))
		line->hops = (uint8_t)hops;
	if (reading->problems->count > before)
		return;
	if ((line->well > 0) != (line->ill > 0))
		refuse(reading, map, "\"well\" and \"ill\" have an effect only together");
	else if (line->well > 0 && (line->well < USEC_MSEC || line->ill < USEC_MSEC))
		refuse(reading, map, "\"well\" and \"ill\" are 1ms at least");
}

static size_t router_kind_of(const char *name)
{
	size_t kind = 0;

	while (kind < ROUTER_KINDS && strcmp(router_kinds[kind].name, name) != 0)
		kind++;
	return kind;
}

static void read_router(struct reading *reading, const struct tree_node *item)
{
	struct scenario *scenario = reading->scenario;
	struct words words = {ROUTER_KINDS, {NULL}};
	size_t kind;

	if (item->faulty || !is_scalar(reading, item))
		return;
	kind = router_kind_of(item->text);
	for (size_t i = 0; i < ROUTER_KINDS; i++)
		words.words[i] = router_kinds[i].name;
	if (kind == ROUTER_KINDS) {
		refuse_word(reading, item, "router", &words);
	} else if (scenario->router_count == SCENARIO_ROUTERS_MAX) {
		refuse(reading, item, "more than %d routers; homes take them in turn",
			SCENARIO_ROUTERS_MAX);
	} else {
		scenario->router_names[scenario->router_count] = router_kinds[kind].name;
		scenario->router_carrier[scenario->router_count] = router_kinds[kind].carrier;
		scenario->routers[scenario->router_count++] = router_kinds[kind].options;
	}
}

static void read_routers(struct reading *reading)
{
	uint32_t before = reading->problems->count;

	for (const struct tree_node *item =
			take_list(reading, reading->root, "routers", "home, symmetric");
		item; item = item->next)
		read_router(reading, item);
	reading->routers_known = reading->problems->count == before;
}

static bool read_mischief_kind(
	struct reading *reading, const struct tree_node *node, enum mischief *ret)
{
	struct words words = {0, {NULL}};

	if (!is_scalar(reading, node))
		return false;
	for (int kind = MISCHIEF_NONE + 1; kind < MISCHIEFS; kind++) {
		words.words[words.count++] = mischiefs[kind];
		*ret = (enum mischief)kind;
		if (strcmp(mischiefs[kind], node->text) == 0)
			return true;
	}
	refuse_word(reading, node, "mischief", &words);
	return false;
}

static bool misbehaves(const struct scenario *scenario, uint32_t site)
{
	for (uint32_t i = 0; i < scenario->mischief_count; i++) {
		if (scenario->mischief[i].site == site)
			return true;
	}
	return false;
}

static void read_mischief(struct reading *reading, const struct tree_node *item)
{
	static const struct words keys = {3, {"site", "does", "to"}};
	struct scenario *scenario = reading->scenario;
	struct scenario_mischief entry = {.site = 0};
	const struct tree_node *site = get(item, "site");
	const struct tree_node *kind = get(item, "does");
	const struct tree_node *victim = get(item, "to");

	if (item->kind != TREE_MAP) {
		refuse(reading, item, "who does what belongs here, as in: " MISCHIEF_EXAMPLE);
		return;
	}
	check_keys(reading, item, "key of a mischief", &keys);
	if (lacks(reading, item, "site", MISCHIEF_EXAMPLE) ||
		lacks(reading, item, "does", MISCHIEF_EXAMPLE) || !site || !kind)
		return;
	if (!read_site(reading, site, &entry.site) ||
		!read_mischief_kind(reading, kind, &entry.kind) ||
		(victim && !read_site(reading, victim, &entry.victim)))
		return;
	if (!victim && entry.kind == MISCHIEF_CENSOR)
		refuse(reading, kind,
			"\"to\" is missing: the site that a censor keeps quiet about");
	else if (victim && entry.kind != MISCHIEF_CENSOR)
		refuse(reading, victim, "only a censor needs \"to\"");
	else if (misbehaves(scenario, entry.site))
		refuse(reading, site, "site %u misbehaves already: one mischief a site",
			entry.site);
	else if (scenario->mischief_count == SCENARIO_MISCHIEF_MAX)
		refuse(reading, item, "more than %d mischiefs", SCENARIO_MISCHIEF_MAX);
	else
		scenario->mischief[scenario->mischief_count++] = entry;
}

static bool read_kind(struct reading *reading, const struct tree_node *node, const char *what,
	enum plan_kind *ret)
{
	struct words words = {PLAN_KINDS, {NULL}};

	for (int kind = 0; kind < PLAN_KINDS; kind++)
		words.words[kind] = plan_kind_name((enum plan_kind)kind);
	*ret = plan_kind_of(node->text);
	if (*ret == PLAN_KINDS)
		refuse_word(reading, node, what, &words);
	return *ret != PLAN_KINDS;
}

/* What a plan says the hub cannot do: there is a wall to it, it expels, it has no router. */
static bool spares_the_hub(enum plan_kind kind)
{
	static const bool spares[PLAN_KINDS] = {
		[PLAN_WALL] = true,
		[PLAN_ONE_WAY] = true,
		[PLAN_REBOOT] = true,
		[PLAN_RENUMBER] = true,
		[PLAN_EXPEL] = true,
		[PLAN_LEAVE] = true,
		[PLAN_JOIN] = true,
		[PLAN_TWIN] = true,
		[PLAN_PART] = true,
		[PLAN_FLOW] = true,
		[PLAN_LINK] = true,
		[PLAN_UNLINK] = true,
		[PLAN_RENEW] = true,
	};

	return spares[kind];
}

static bool needs_router(enum plan_kind kind)
{
	return kind == PLAN_REBOOT || kind == PLAN_RENUMBER;
}

static bool needs_links(enum plan_kind kind)
{
	return kind == PLAN_LINK || kind == PLAN_UNLINK;
}

/* Whoever is a member from the beginning has a name already, and is not invited under it. */
static bool nobody_joins(const struct reading *reading, enum plan_kind kind)
{
	return kind == PLAN_JOIN && reading->joining_known && !reading->scenario->joining;
}

/* From then on nothing happens any more. */
static usec_t last_moment(const struct scenario *scenario)
{
	return scenario->heal_at != USEC_NEVER ? scenario->heal_at : scenario->duration;
}

static void check_time(
	struct reading *reading, const struct tree_node *item, const struct plan_item *event)
{
	const struct scenario *scenario = reading->scenario;
	bool heals = scenario->heal_at != USEC_NEVER;
	const struct tree_node *lasts = get(item, "for");

	if (!reading->heal_known || (!heals && !reading->duration_known))
		return;
	if (event->at > last_moment(scenario))
		refuse(reading, get(item, "at"), "this is behind \"%s\": it would never happen",
			heals ? "heal" : "duration");
	else if (!heals && lasts && usec_add(event->at, event->lasts) > scenario->duration)
		refuse(reading, lasts, "this ends behind \"duration\"");
}

static bool check_place(
	struct reading *reading, const struct tree_node *item, const struct plan_item *event)
{
	const char *kind = plan_kind_name(event->kind);
	const struct tree_node *site = get(item, "site");

	if (spares_the_hub(event->kind) && event->site == 0) {
		if (site)
			refuse(reading, site, "\"%s\" is nothing that can happen to the hub", kind);
		else
			refuse(reading, item,
				"\"site\" is missing: \"%s\" cannot happen to the hub", kind);
		return false;
	}
	if (needs_router(event->kind) && reading->routers_known &&
		reading->scenario->router_count == 0) {
		refuse(reading, get(item, "do"), "no site has a router: \"routers\" is missing");
		return false;
	}
	if (needs_links(event->kind) && reading->links_known && !reading->scenario->links) {
		refuse(reading, get(item, "do"), "nobody has links: \"links\" is missing");
		return false;
	}
	if (nobody_joins(reading, event->kind)) {
		refuse(reading, get(item, "do"),
			"nobody joins where all are members from the beginning: \"joining: true\" "
			"is "
			"missing");
		return false;
	}
	return true;
}

static void check_end(
	struct reading *reading, const struct tree_node *item, const struct plan_item *event)
{
	const struct tree_node *lasts = get(item, "for");

	if (lasts && !plan_kind_lasts(event->kind))
		refuse(reading, lasts, "\"%s\" has no end: \"for\" has no meaning here",
			plan_kind_name(event->kind));
	else if ((event->kind == PLAN_PAUSE || event->kind == PLAN_FLOW) && event->lasts == 0)
		refuse(reading, lasts ? lasts : item, "for how long? A %s needs \"for\"",
			plan_kind_name(event->kind));
}

static const char *value_meaning(enum plan_kind kind)
{
	if (kind == PLAN_CLOCK)
		return "by how many milliseconds the clock is off";
	if (kind == PLAN_DRIFT)
		return "by how many millionths the clock runs wrong";
	if (kind == PLAN_LOSS)
		return "how many packets of a million are lost";
	return "the site that becomes the copy";
}

/* A whole number, which may be negative. */
static bool read_value(
	struct reading *reading, const struct tree_node *node, struct plan_item *event)
{
	bool negative;
	uint64_t value;
	uint32_t site;

	if (event->kind == PLAN_TWIN) {
		if (!read_site(reading, node, &site))
			return false;
		event->value = site;
		if (site != 0 && site != event->site)
			return true;
		refuse(reading, node, "a copy comes to life at another site, and not at the hub");
		return false;
	}
	if (event->kind == PLAN_LOSS) {
		if (!read_number(reading, node, 0, 1000000, &value))
			return false;
		event->value = (int64_t)value;
		return true;
	}
	negative = is_scalar(reading, node) && node->text[0] == '-';
	if (node->kind != TREE_SCALAR || tree_is_empty(node) ||
		!parse_digits(node->text + negative, "0123456789", 10, &value) ||
		value > (uint64_t)CLOCK_MAX_MS) {
		refuse(reading, node,
			"\"%s\" is not a number of milliseconds: a whole one, within 10000 days",
			node->kind == TREE_SCALAR ? show(node).text : "");
		return false;
	}
	event->value = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool take_value(
	struct reading *reading, const struct tree_node *item, struct plan_item *event)
{
	const struct tree_node *value = get(item, "value");
	const char *kind = plan_kind_name(event->kind);

	if (value && !plan_kind_has_value(event->kind)) {
		refuse(reading, value, "\"%s\" has no value", kind);
		return false;
	}
	if (!value && plan_kind_has_value(event->kind)) {
		refuse(reading, item, "\"%s\" needs \"value\": %s", kind,
			value_meaning(event->kind));
		return false;
	}
	return !value || read_value(reading, value, event);
}

/* With whom: another spoke. */
static bool take_other(
	struct reading *reading, const struct tree_node *item, struct plan_item *event)
{
	const struct tree_node *to = get(item, "to");
	const char *kind = plan_kind_name(event->kind);
	uint32_t other;

	if (to && !plan_kind_has_other(event->kind)) {
		refuse(reading, to, "\"%s\" is with nobody: \"to\" has no meaning here", kind);
		return false;
	}
	if (!to && plan_kind_has_other(event->kind)) {
		refuse(reading, item, "\"%s\" needs \"to\": the other site", kind);
		return false;
	}
	if (!to)
		return true;
	if (!read_site(reading, to, &other))
		return false;
	event->value = other;
	if (other != 0 && other != event->site)
		return true;
	refuse(reading, to, "another site belongs here, and not the hub");
	return false;
}

static void read_event(struct reading *reading, const struct tree_node *item)
{
	static const struct words keys = {6, {"at", "do", "site", "for", "value", "to"}};
	const struct tree_node *what = get(item, "do");
	const struct tree_node *at = get(item, "at");
	const struct tree_node *site = get(item, "site");
	const struct tree_node *lasts = get(item, "for");
	struct plan_item event = {.kind = PLAN_KINDS};
	bool good;

	if (item->kind != TREE_MAP) {
		refuse(reading, item, "what happens belongs here, as in: " EVENT_EXAMPLE);
		return;
	}
	check_keys(reading, item, "key of an event", &keys);
	if (lacks(reading, item, "at", EVENT_EXAMPLE) ||
		lacks(reading, item, "do", EVENT_EXAMPLE) || !what || !at)
		return;
	good = is_scalar(reading, what) && read_kind(reading, what, "event", &event.kind);
	good = (!site || read_site(reading, site, &event.site)) && good;
	good = read_time(reading, at, &event.at) && good;
	good = (!lasts || read_time(reading, lasts, &event.lasts)) && good;
	if (!good || !check_place(reading, item, &event) || !take_value(reading, item, &event) ||
		!take_other(reading, item, &event))
		return;
	check_time(reading, item, &event);
	check_end(reading, item, &event);
	plan_add(&reading->scenario->plan, &event);
}

static void read_fault(struct reading *reading, const struct tree_node *key)
{
	struct scenario *scenario = reading->scenario;
	enum plan_kind kind;
	uint64_t count;

	/* Where the file is no YAML any more a key may be without a value. */
	if (key->faulty || key->kind != TREE_SCALAR || !read_kind(reading, key, "fault", &kind) ||
		!key->value || key->value->faulty ||
		!read_number(reading, key->value, 0, FAULTS_MAX, &count))
		return;
	if (kind == PLAN_TWIN)
		refuse(reading, key,
			"a twin is not drawn, as it needs \"value\": write it under \"events\"");
	else if (needs_router(kind) && reading->routers_known && scenario->router_count == 0)
		refuse(reading, key, "no site has a router: \"routers\" is missing");
	else if (needs_links(kind) && reading->links_known && !scenario->links)
		refuse(reading, key, "nobody has links: \"links\" is missing");
	else if (plan_kind_has_other(kind) && reading->sites_known && scenario->sites < 3)
		refuse(reading, key, "it needs two sites beside the hub");
	else if (nobody_joins(reading, kind))
		refuse(reading, key,
			"nobody joins where all are members from the beginning: \"joining: true\" "
			"is "
			"missing");
	scenario->faults[kind] = (uint32_t)count;
}

/* What is looked at in the end holds only where everything was mended before. */
static bool looks_at_the_end(const struct scenario *scenario)
{
	return (scenario->properties >> PROPERTY_CONVERGENCE & 1) ||
	       (scenario->properties >> PROPERTY_REACH & 1) ||
	       (scenario->properties >> PROPERTY_LIVENESS & 1);
}

static void read_faults(struct reading *reading)
{
	const struct scenario *scenario = reading->scenario;
	const struct tree_node *map = take_map(
		reading, reading->root, "faults", "{crash: 4, wall: 2}");

	if (!map)
		return;
	for (const struct tree_node *key = map->children; key; key = key->next)
		read_fault(reading, key);
	if (!map->children)
		return;
	if (scenario->has_seed)
		refuse(reading, map,
			"nothing is drawn where \"seed\" stands: write what happens under "
			"\"events\"");
	else if (reading->sites_known && scenario->sites == 1)
		refuse(reading, map, "faults need two sites at least");
	else if (reading->heal_known && scenario->heal_at == USEC_NEVER &&
		 looks_at_the_end(scenario))
		refuse(reading, map,
			"faults may last to the end: say with \"heal\" when all is mended, or name "
			"\"properties\" without P1, P9 and P10");
	else if (reading->heal_known && reading->duration_known &&
		 last_moment(scenario) < USEC_SECOND)
		refuse(reading, map, "there is no time for faults: they need a second at least");
}

static bool read_property(struct reading *reading, const struct tree_node *node, enum property *ret)
{
	*ret = PROPERTY_NONE;
	if (node->faulty || !is_scalar(reading, node))
		return false;
	*ret = property_of(node->text);
	if (*ret == PROPERTY_NONE)
		refuse(reading, node, "\"%s\" is no property: they are P1 to P15", show(node).text);
	return *ret != PROPERTY_NONE;
}

static void read_properties(struct reading *reading)
{
	const struct tree_node *node = get(reading->root, "properties");
	uint32_t properties = 0;
	enum property property;

	for (const struct tree_node *item =
			take_list(reading, reading->root, "properties", "P2, P4");
		item; item = item->next) {
		if (read_property(reading, item, &property))
			properties |= 1u << property;
	}
	if (!node || node->kind != TREE_LIST)
		return;
	if (!node->children)
		refuse(reading, node,
			"with no property nothing is checked: name one, or none of "
			"this");
	reading->scenario->properties = properties;
}

static void read_crypto(struct reading *reading)
{
	static const struct words kinds = {3, {"real", "stub", "by-seed"}};
	const struct tree_node *node = get(reading->root, "crypto");
	struct scenario *scenario = reading->scenario;

	if (!node || !is_scalar(reading, node))
		return;
	scenario->crypto_by_seed = strcmp(node->text, "by-seed") == 0;
	scenario->real_crypto = strcmp(node->text, "real") == 0;
	if (!scenario->crypto_by_seed && !scenario->real_crypto && strcmp(node->text, "stub") != 0)
		refuse_word(reading, node, "kind of cryptography", &kinds);
}

static void read_links(struct reading *reading)
{
	const struct tree_node *node = get(reading->root, "links");
	struct scenario *scenario = reading->scenario;
	struct words words = {WHENS, {NULL}};
	size_t when = 0;

	reading->links_known = !tree_get(reading->root, "links");
	if (!node || !is_scalar(reading, node))
		return;
	for (size_t i = 0; i < WHENS; i++)
		words.words[i] = whens[i];
	while (when < WHENS && strcmp(whens[when], node->text) != 0)
		when++;
	if (when == WHENS) {
		refuse_word(reading, node, "time for links", &words);
		return;
	}
	reading->links_known = true;
	scenario->links = true;
	scenario->when = (enum site_when)when;
}

/* What stands in failures only. */
static void read_failure(struct reading *reading)
{
	struct scenario *scenario = reading->scenario;
	const struct tree_node *fails = get(reading->root, "fails");

	scenario->has_seed = get(reading->root, "seed") != NULL;
	(void)take_number(reading, reading->root, "seed", 0, UINT64_MAX, &scenario->seed);
	(void)take_number(reading, reading->root, "hash", 0, UINT64_MAX, &scenario->hash);
	(void)take_text(
		reading, reading->root, "program", scenario->program, sizeof scenario->program);
	if (!fails || !read_property(reading, fails, &scenario->expected))
		return;
	if (!tree_get(reading->root, "seed"))
		refuse(reading, fails, "which run failed? \"seed\" is missing");
}

static bool is_missing(const struct reading *reading, const char *name)
{
	return reading->whole && !tree_get(reading->root, name);
}

static void read_claim(struct reading *reading)
{
	struct scenario *scenario = reading->scenario;

	if (is_missing(reading, "claim"))
		refuse(reading, reading->root, "what is claimed? \"claim\" is missing");
	else if (take_text(reading, reading->root, "claim", scenario->claim,
			 sizeof scenario->claim) &&
		 scenario->claim[0] == '\0')
		refuse(reading, get(reading->root, "claim"), "what is claimed?");
}

static void read_sizes(struct reading *reading)
{
	struct scenario *scenario = reading->scenario;
	uint64_t number = 0;

	if (is_missing(reading, "sites"))
		refuse(reading, reading->root, "how many sites? \"sites\" is missing");
	if (take_number(reading, reading->root, "sites", 1, WORLD_HOSTS_MAX, &number)) {
		scenario->sites = (uint32_t)number;
		reading->sites_known = true;
	}
	if (take_number(reading, reading->root, "seeds", 1, SCENARIO_SEEDS_MAX, &number))
		scenario->seeds = (uint32_t)number;
}

static void read_times(struct reading *reading)
{
	struct scenario *scenario = reading->scenario;
	const struct tree_node *heal = tree_get(reading->root, "heal");
	bool settle_known;

	if (is_missing(reading, "duration"))
		refuse(reading, reading->root, "for how long? \"duration\" is missing");
	reading->duration_known = take_time(
		reading, reading->root, "duration", &scenario->duration);
	if (reading->duration_known && scenario->duration == 0)
		refuse(reading, get(reading->root, "duration"),
			"for how long? In no time nothing happens");
	reading->heal_known = !heal ||
			      take_time(reading, reading->root, "heal", &scenario->heal_at);
	settle_known = take_time(reading, reading->root, "settle", &scenario->settle) ||
		       !tree_get(reading->root, "settle");
	if (heal && reading->heal_known && reading->duration_known && settle_known &&
		scenario->heal_at + scenario->settle > scenario->duration)
		refuse(reading, heal,
			"\"heal\" and \"settle\"%s together are longer than \"duration\"",
			tree_get(reading->root, "settle") ? "" : " (1m)");
}

static void read_beginning(struct reading *reading)
{
	struct scenario *scenario = reading->scenario;
	usec_t last;

	(void)take_flag(reading, reading->root, "acquainted", &scenario->acquainted);
	reading->joining_known = take_flag(reading, reading->root, "joining", &scenario->joining) ||
				 !tree_get(reading->root, "joining");
	if (!reading->joining_known || !scenario->joining || scenario->has_seed ||
		!reading->sites_known || !reading->duration_known || !reading->heal_known)
		return;
	last = JOIN_FIRST + (scenario->sites - 1) * JOIN_EVERY;
	if (scenario->sites > 1 && last > last_moment(scenario))
		refuse(reading, get(reading->root, "joining"),
			"the last of %u sites would join after %" PRId64 "s, behind \"%s\"",
			scenario->sites, last / USEC_SECOND,
			scenario->heal_at != USEC_NEVER ? "heal" : "duration");
}

/* What something else is measured by is read before it, wherever it stands. */
static void read_scenario(struct reading *reading)
{
	static const struct words keys = {
		20, {"claim", "sites", "seeds", "duration", "heal", "settle", "acquainted",
			    "joining", "crypto", "line", "links", "routers", "mischief", "events",
			    "faults", "properties", "seed", "fails", "hash", "program"}};

	check_keys(reading, reading->root, "key of a scenario", &keys);
	read_claim(reading);
	read_sizes(reading);
	read_times(reading);
	read_failure(reading);
	read_beginning(reading);
	read_crypto(reading);
	read_line(reading);
	read_links(reading);
	read_routers(reading);
	read_properties(reading);
	for (const struct tree_node *item =
			take_list(reading, reading->root, "mischief", MISCHIEF_EXAMPLE);
		item; item = item->next)
		read_mischief(reading, item);
	for (const struct tree_node *item =
			take_list(reading, reading->root, "events", EVENT_EXAMPLE);
		item; item = item->next)
		read_event(reading, item);
	read_faults(reading);
}

static void take_name(struct scenario *scenario, const char *path)
{
	const char *base = strrchr(path, '/');
	size_t length;

	base = base ? base + 1 : path;
	length = strcspn(base, ".");
	if (length >= sizeof scenario->name)
		length = sizeof scenario->name - 1;
	memcpy(scenario->name, base, length);
}

static bool has(const struct scenario *scenario, enum plan_kind kind)
{
	for (uint32_t i = 0; i < scenario->plan.count; i++) {
		if (scenario->plan.items[i].kind == kind)
			return true;
	}
	return scenario->faults[kind] > 0;
}

int scenario_load(struct scenario *ret, const char *path, struct problems *problems)
{
	struct scenario scenario = {
		.acquainted = true,
		.seeds = 20,
		.heal_at = USEC_NEVER,
		.settle = USEC_MINUTE,
		.crypto_by_seed = true,
		.line = {.delay = 10 * USEC_MSEC, .hops = LINK_HOPS},
		.properties = SCENARIO_PROPERTIES_ALL,
		.expected = PROPERTY_NONE,
	};
	struct reading reading = {.scenario = &scenario, .problems = problems};
	uint32_t before = problems->count;
	struct tree tree = {.root = NULL};
	char *bytes;
	size_t size;
	int r = tree_read_file(path, &bytes, &size);

	if (r < 0)
		return r;
	take_name(&scenario, path);
	r = tree_parse(&tree, bytes, size, problems);
	reading.root = tree.root;
	reading.whole = problems->count == before;
	if (r == 0 && tree.root && tree.root->kind == TREE_MAP)
		read_scenario(&reading);
	else if (r == 0 && problems->count == before)
		problems_add(problems, 1, 1, "this is no scenario: keys and values belong here");
	tree_free(&tree);
	free(bytes);
	plan_sort(&scenario.plan);
	scenario.rotates = has(&scenario, PLAN_ROTATE);
	scenario.forgets = has(&scenario, PLAN_WIPE) || has(&scenario, PLAN_TWIN);
	if (r == 0 && problems->count > before)
		r = -EINVAL;
	if (r < 0)
		plan_free(&scenario.plan);
	else
		*ret = scenario;
	return r;
}

void scenario_free(struct scenario *scenario)
{
	plan_free(&scenario->plan);
}

/* SPDX-License-Identifier: MIT */
#include "simulator/scenario.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* A kind of router by its name, as people know them. */
struct router_kind {
	const char *name;
	struct router_options options;
};

#define HOME                                                                   \
	.timeout_new = 30 * USEC_SECOND, .timeout_assured = 120 * USEC_SECOND, \
	.assured_after = 2 * USEC_SECOND

static const struct router_kind router_kinds[] = {
	{"home", {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			 .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			 .allocation = ROUTER_PORT_KEPT,
			 .input = ROUTER_INPUT_DROP,
			 HOME}},
	{"home-accepting", {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
				   .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
				   .allocation = ROUTER_PORT_KEPT,
				   .input = ROUTER_INPUT_ACCEPT,
				   HOME}},
	{"full-cone", {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			      .filtering = ROUTER_ENDPOINT_INDEPENDENT,
			      .allocation = ROUTER_PORT_KEPT,
			      .input = ROUTER_INPUT_DROP,
			      .hairpin = true,
			      HOME}},
	{"address-restricted", {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
				       .filtering = ROUTER_ADDRESS_DEPENDENT,
				       .allocation = ROUTER_PORT_KEPT,
				       .input = ROUTER_INPUT_DROP,
				       HOME}},
	{"symmetric", {.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			      .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			      .allocation = ROUTER_PORT_RANDOM,
			      .input = ROUTER_INPUT_DROP,
			      HOME}},
	{"sequential", {.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			       .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			       .allocation = ROUTER_PORT_SEQUENTIAL,
			       .input = ROUTER_INPUT_DROP,
			       HOME}},
	{"blocked", {.mapping = ROUTER_ENDPOINT_INDEPENDENT,
			    .filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
			    .allocation = ROUTER_PORT_KEPT,
			    .input = ROUTER_INPUT_DROP,
			    .udp_blocked = true,
			    HOME}},
};

static const char *const mischiefs[MISCHIEFS] = {
	[MISCHIEF_NONE] = "none",
	[MISCHIEF_GARBAGE] = "garbage",
	[MISCHIEF_FLOOD] = "flood",
	[MISCHIEF_REPLAY] = "replay",
	[MISCHIEF_EQUIVOCATE] = "equivocate",
	[MISCHIEF_LIE] = "lie",
	[MISCHIEF_USURP] = "usurp",
	[MISCHIEF_CENSOR] = "censor",
};

/* Reading. */

#define TIME_MAX (1000 * USEC_DAY)

struct reading {
	struct scenario *scenario;
	struct problems *problems;
};

static void refuse(struct reading *reading, const struct tree_node *node, const char *what)
{
	problems_add(reading->problems, node->line, node->column, "%s", what);
}

static bool is_scalar(struct reading *reading, const struct tree_node *node)
{
	if (node->kind == TREE_SCALAR)
		return true;
	refuse(reading, node, "a single value belongs here");
	return false;
}

static uint64_t read_number(struct reading *reading, const struct tree_node *node, uint64_t most)
{
	char *end;
	unsigned long long value;

	if (!is_scalar(reading, node))
		return 0;
	errno = 0;
	value = strtoull(node->text, &end, 0);
	if (*end != '\0' || end == node->text || errno != 0 || value > most ||
		node->text[0] == '-') {
		problems_add(reading->problems, node->line, node->column,
			"\"%s\" is not a number from 0 to %" PRIu64, node->text, most);
		return 0;
	}
	return value;
}

static usec_t read_time(struct reading *reading, const struct tree_node *node)
{
	static const struct {
		const char *unit;
		usec_t length;
	} units[] = {{"us", 1}, {"ms", USEC_MSEC}, {"s", USEC_SECOND}, {"m", USEC_MINUTE},
		{"h", USEC_HOUR}, {"d", USEC_DAY}};
	char *end;
	unsigned long long value;

	if (!is_scalar(reading, node))
		return 0;
	errno = 0;
	value = strtoull(node->text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (end != node->text && strcmp(end, units[i].unit) == 0 && errno == 0 &&
			value <= (unsigned long long)(TIME_MAX / units[i].length))
			return (usec_t)value * units[i].length;
	}
	problems_add(reading->problems, node->line, node->column,
		"\"%s\" is not a time: write a number and one of us, ms, s, m, h, d", node->text);
	return 0;
}

/* "1%" and "0.1%", to a millionth. */
static uint32_t read_share(struct reading *reading, const struct tree_node *node)
{
	uint64_t whole = 0;
	uint64_t part = 0;
	uint64_t place = 10000;
	const char *at;

	if (!is_scalar(reading, node))
		return 0;
	for (at = node->text; *at >= '0' && *at <= '9' && whole <= 100; at++)
		whole = 10 * whole + (uint64_t)(*at - '0');
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++) {
			place /= 10;
			part += place * (uint64_t)(*at - '0');
		}
	}
	if (at == node->text || strcmp(at, "%") != 0 || whole * 10000 + part > 1000000) {
		problems_add(reading->problems, node->line, node->column,
			"\"%s\" is not a share: write it as in 1.5%%", node->text);
		return 0;
	}
	return (uint32_t)(whole * 10000 + part);
}

static bool read_flag(struct reading *reading, const struct tree_node *node)
{
	if (!is_scalar(reading, node))
		return false;
	if (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)
		problems_add(reading->problems, node->line, node->column,
			"\"%s\" is neither true nor false", node->text);
	return strcmp(node->text, "true") == 0;
}

static uint32_t read_site(struct reading *reading, const struct tree_node *node)
{
	uint64_t site = read_number(reading, node, WORLD_HOSTS_MAX);

	if (site >= reading->scenario->sites) {
		problems_add(reading->problems, node->line, node->column,
			"there are only %u sites, 0 (the hub) to %u; does \"sites\" stand above?",
			reading->scenario->sites, reading->scenario->sites - 1);
		return 0;
	}
	return (uint32_t)site;
}

static void read_line(struct reading *reading, const struct tree_node *map)
{
	struct link_options *line = &reading->scenario->line;

	if (map->kind != TREE_MAP) {
		refuse(reading, map, "keys belong here: delay, jitter, loss, …");
		return;
	}
	for (const struct tree_node *key = map->children; key; key = key->next) {
		if (strcmp(key->text, "delay") == 0)
			line->delay = read_time(reading, key->value);
		else if (strcmp(key->text, "jitter") == 0)
			line->jitter = read_time(reading, key->value);
		else if (strcmp(key->text, "loss") == 0)
			line->loss = read_share(reading, key->value);
		else if (strcmp(key->text, "ill") == 0)
			line->ill = read_time(reading, key->value);
		else if (strcmp(key->text, "well") == 0)
			line->well = read_time(reading, key->value);
		else if (strcmp(key->text, "duplicate") == 0)
			line->duplicate = read_share(reading, key->value);
		else if (strcmp(key->text, "reorder") == 0)
			line->reorder = read_share(reading, key->value);
		else if (strcmp(key->text, "rate") == 0)
			line->rate = read_number(reading, key->value, UINT64_C(10000000000));
		else if (strcmp(key->text, "queue") == 0)
			line->queue = read_time(reading, key->value);
		else if (strcmp(key->text, "mtu") == 0)
			line->mtu = (uint16_t)read_number(reading, key->value, 65535);
		else
			refuse(reading, key, "unknown key of a line");
	}
}

static void read_routers(struct reading *reading, const struct tree_node *list)
{
	struct scenario *scenario = reading->scenario;

	for (const struct tree_node *item = list->kind == TREE_LIST ? list->children : list; item;
		item = item->next) {
		size_t kind = 0;
		const size_t kinds = sizeof router_kinds / sizeof router_kinds[0];

		if (!is_scalar(reading, item))
			return;
		while (kind < kinds && strcmp(router_kinds[kind].name, item->text) != 0)
			kind++;
		if (kind == kinds || scenario->router_count == SCENARIO_ROUTERS_MAX) {
			problems_add(reading->problems, item->line, item->column,
				"\"%s\" is no router: home, home-accepting, full-cone, "
				"address-restricted, symmetric, sequential, blocked (16 at most)",
				item->text);
			continue;
		}
		scenario->router_names[scenario->router_count] = router_kinds[kind].name;
		scenario->routers[scenario->router_count++] = router_kinds[kind].options;
		if (list->kind != TREE_LIST)
			return;
	}
}

static void read_mischief(struct reading *reading, const struct tree_node *list)
{
	struct scenario *scenario = reading->scenario;

	for (const struct tree_node *item = list->kind == TREE_LIST ? list->children : NULL; item;
		item = item->next) {
		const struct tree_node *site = tree_get(item, "site");
		const struct tree_node *kind = tree_get(item, "does");
		const struct tree_node *victim = tree_get(item, "to");
		struct scenario_mischief entry = {.site = 0};

		if (item->kind != TREE_MAP || !site || !kind || !is_scalar(reading, kind) ||
			scenario->mischief_count == SCENARIO_MISCHIEF_MAX) {
			refuse(reading, item, "as in: {site: 3, does: flood}; 16 at most");
			continue;
		}
		entry.site = read_site(reading, site);
		entry.victim = victim ? read_site(reading, victim) : 0;
		while (entry.kind < MISCHIEFS && strcmp(mischiefs[entry.kind], kind->text) != 0)
			entry.kind++;
		if (entry.kind == MISCHIEFS)
			problems_add(reading->problems, kind->line, kind->column,
				"\"%s\" is no mischief: garbage, flood, replay, equivocate, lie, "
				"usurp, censor",
				kind->text);
		else
			scenario->mischief[scenario->mischief_count++] = entry;
	}
}

static void read_event(struct reading *reading, const struct tree_node *item)
{
	const struct tree_node *what = tree_get(item, "do");
	const struct tree_node *at = tree_get(item, "at");
	const struct tree_node *site = tree_get(item, "site");
	const struct tree_node *lasts = tree_get(item, "for");
	const struct tree_node *value = tree_get(item, "value");
	struct plan_item event = {.kind = PLAN_KINDS};

	if (!what || !at || !is_scalar(reading, what)) {
		refuse(reading, item, "as in: {at: 60s, do: crash, site: 2, for: 20s}");
		return;
	}
	event.kind = plan_kind_of(what->text);
	if (event.kind == PLAN_KINDS) {
		problems_add(reading->problems, what->line, what->column,
			"\"%s\" is nothing that can happen", what->text);
		return;
	}
	event.at = read_time(reading, at);
	event.site = site ? read_site(reading, site) : 0;
	event.lasts = lasts ? read_time(reading, lasts) : 0;
	if (value && is_scalar(reading, value)) {
		char *end;

		event.value = strtoll(value->text, &end, 10);
		if (*end != '\0')
			refuse(reading, value, "a whole number belongs here");
	}
	plan_add(&reading->scenario->plan, &event);
}

static void read_events(struct reading *reading, const struct tree_node *list)
{
	if (list->kind != TREE_LIST) {
		refuse(reading, list, "a list of what happens belongs here");
		return;
	}
	for (const struct tree_node *item = list->children; item; item = item->next) {
		if (item->kind == TREE_MAP)
			read_event(reading, item);
		else
			refuse(reading, item, "as in: {at: 60s, do: crash, site: 2, for: 20s}");
	}
}

static void read_faults(struct reading *reading, const struct tree_node *map)
{
	if (map->kind != TREE_MAP) {
		refuse(reading, map, "as in: {crash: 4, wall: 2}: how many, on average");
		return;
	}
	for (const struct tree_node *key = map->children; key; key = key->next) {
		enum plan_kind kind = plan_kind_of(key->text);

		if (kind == PLAN_KINDS)
			refuse(reading, key, "no fault has this name");
		else
			reading->scenario->faults[kind] = (uint32_t)read_number(
				reading, key->value, 1000);
	}
}

static enum property property_of(const char *name)
{
	int property = PROPERTY_NONE + 1;

	while (property < PROPERTIES && strcmp(property_names[property], name) != 0)
		property++;
	return (enum property)property;
}

static void read_properties(struct reading *reading, const struct tree_node *list)
{
	reading->scenario->properties = 0;
	for (const struct tree_node *item = list->kind == TREE_LIST ? list->children : NULL; item;
		item = item->next) {
		enum property property = is_scalar(reading, item) ? property_of(item->text)
								  : PROPERTY_NONE;

		if (property == PROPERTIES)
			refuse(reading, item, "no property has this name: P1 to P15");
		else
			reading->scenario->properties |= 1u << property;
	}
}

static void read_text(struct reading *reading, const struct tree_node *node, char *out, size_t size)
{
	if (!is_scalar(reading, node))
		return;
	if (strlen(node->text) >= size)
		refuse(reading, node, "this text is too long");
	(void)snprintf(out, size, "%s", node->text);
}

static void read_crypto(struct reading *reading, const struct tree_node *node)
{
	struct scenario *scenario = reading->scenario;

	if (!is_scalar(reading, node))
		return;
	scenario->crypto_by_seed = strcmp(node->text, "by-seed") == 0;
	scenario->real_crypto = strcmp(node->text, "real") == 0;
	if (!scenario->crypto_by_seed && !scenario->real_crypto && strcmp(node->text, "stub") != 0)
		refuse(reading, node, "real, stub or by-seed belongs here");
}

static bool read_simple(struct reading *reading, const char *key, const struct tree_node *value)
{
	struct scenario *scenario = reading->scenario;

	if (strcmp(key, "claim") == 0)
		read_text(reading, value, scenario->claim, sizeof scenario->claim);
	else if (strcmp(key, "sites") == 0)
		scenario->sites = (uint32_t)read_number(reading, value, WORLD_HOSTS_MAX);
	else if (strcmp(key, "acquainted") == 0)
		scenario->acquainted = read_flag(reading, value);
	else if (strcmp(key, "joining") == 0)
		scenario->joining = read_flag(reading, value);
	else if (strcmp(key, "seeds") == 0)
		scenario->seeds = (uint32_t)read_number(reading, value, 1000000);
	else if (strcmp(key, "duration") == 0)
		scenario->duration = read_time(reading, value);
	else if (strcmp(key, "heal") == 0)
		scenario->heal_at = read_time(reading, value);
	else if (strcmp(key, "settle") == 0)
		scenario->settle = read_time(reading, value);
	else if (strcmp(key, "seed") == 0)
		scenario->seed = read_number(reading, value, UINT64_MAX);
	else if (strcmp(key, "hash") == 0)
		scenario->hash = read_number(reading, value, UINT64_MAX);
	else
		return false;
	scenario->has_seed |= strcmp(key, "seed") == 0;
	return true;
}

static void read_key(struct reading *reading, const struct tree_node *key)
{
	const struct tree_node *value = key->value;

	if (value->faulty || read_simple(reading, key->text, value))
		return;
	if (strcmp(key->text, "crypto") == 0)
		read_crypto(reading, value);
	else if (strcmp(key->text, "line") == 0)
		read_line(reading, value);
	else if (strcmp(key->text, "routers") == 0)
		read_routers(reading, value);
	else if (strcmp(key->text, "mischief") == 0)
		read_mischief(reading, value);
	else if (strcmp(key->text, "events") == 0)
		read_events(reading, value);
	else if (strcmp(key->text, "faults") == 0)
		read_faults(reading, value);
	else if (strcmp(key->text, "properties") == 0)
		read_properties(reading, value);
	else if (strcmp(key->text, "fails") == 0 && is_scalar(reading, value))
		reading->scenario->expected = property_of(value->text);
	else
		refuse(reading, key, "unknown key");
}

static void check_whole(struct reading *reading, const struct tree_node *root)
{
	struct scenario *scenario = reading->scenario;

	if (scenario->claim[0] == '\0')
		problems_add(reading->problems, root->line, root->column,
			"what is claimed? \"claim\" is missing");
	if (scenario->sites < 1)
		problems_add(reading->problems, root->line, root->column,
			"how many sites? \"sites\" is missing or 0");
	if (scenario->duration == 0)
		problems_add(reading->problems, root->line, root->column,
			"for how long? \"duration\" is missing");
	if (scenario->heal_at != USEC_NEVER &&
		scenario->heal_at + scenario->settle > scenario->duration)
		problems_add(reading->problems, root->line, root->column,
			"\"heal\" and \"settle\" together are longer than \"duration\"");
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

int scenario_load(struct scenario *ret, const char *path, struct problems *problems)
{
	struct scenario scenario = {
		.acquainted = true,
		.seeds = 20,
		.heal_at = USEC_NEVER,
		.settle = USEC_MINUTE,
		.crypto_by_seed = true,
		.line = {.delay = 10 * USEC_MSEC},
		.properties = UINT32_MAX,
		.expected = PROPERTY_NONE,
	};
	struct reading reading = {&scenario, problems};
	uint32_t before = problems->count;
	struct tree tree = {.root = NULL};
	char *bytes;
	size_t size;
	int r = tree_read_file(path, &bytes, &size);

	if (r < 0)
		return r;
	take_name(&scenario, path);
	r = tree_parse(&tree, bytes, size, problems);
	if (r == 0 && tree.root && tree.root->kind == TREE_MAP) {
		for (const struct tree_node *key = tree.root->children; key; key = key->next)
			read_key(&reading, key);
		check_whole(&reading, tree.root);
	} else if (r == 0 && problems->count == before) {
		problems_add(problems, 1, 1, "this is no scenario: keys and values belong here");
	}
	tree_free(&tree);
	free(bytes);
	plan_sort(&scenario.plan);
	scenario.rotates = scenario.faults[PLAN_ROTATE] > 0;
	for (uint32_t i = 0; i < scenario.plan.count; i++)
		scenario.rotates |= scenario.plan.items[i].kind == PLAN_ROTATE;
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

/* Writing. */

static void write_share(FILE *out, const char *name, uint32_t share)
{
	if (share > 0)
		(void)fprintf(out, ", %s: %u.%04u%%", name, share / 10000, share % 10000);
}

static void write_line(FILE *out, const struct link_options *line)
{
	(void)fprintf(out, "line: {delay: %" PRId64 "us, jitter: %" PRId64 "us", line->delay,
		line->jitter);
	write_share(out, "loss", line->loss);
	if (line->well > 0)
		(void)fprintf(
			out, ", well: %" PRId64 "us, ill: %" PRId64 "us", line->well, line->ill);
	write_share(out, "duplicate", line->duplicate);
	write_share(out, "reorder", line->reorder);
	if (line->rate > 0)
		(void)fprintf(
			out, ", rate: %" PRIu64 ", queue: %" PRId64 "us", line->rate, line->queue);
	if (line->mtu > 0)
		(void)fprintf(out, ", mtu: %u", line->mtu);
	(void)fprintf(out, "}\n");
}

static void write_routers(FILE *out, const struct scenario *scenario)
{
	for (uint32_t i = 0; i < scenario->router_count; i++) {
		(void)fprintf(out, "%s%s", i == 0 ? "routers: [" : ", ", scenario->router_names[i]);
	}
	if (scenario->router_count > 0)
		(void)fprintf(out, "]\n");
}

void scenario_write(FILE *out, const struct scenario *scenario)
{
	bool first = true;

	(void)fprintf(out, "# This is how a run failed: collective-sim replay FILE runs it again, "
			   "shrink FILE makes it smaller.\n");
	(void)fprintf(out, "claim: \"%s\"\nsites: %u\nacquainted: %s\njoining: %s\ncrypto: %s\n",
		scenario->claim, scenario->sites, scenario->acquainted ? "true" : "false",
		scenario->joining ? "true" : "false", scenario->real_crypto ? "real" : "stub");
	(void)fprintf(out, "duration: %" PRId64 "us\n", scenario->duration);
	if (scenario->heal_at != USEC_NEVER)
		(void)fprintf(out, "heal: %" PRId64 "us\n", scenario->heal_at);
	(void)fprintf(out, "settle: %" PRId64 "us\n", scenario->settle);
	write_line(out, &scenario->line);
	write_routers(out, scenario);
	for (uint32_t i = 0; i < scenario->mischief_count; i++)
		(void)fprintf(out, "%s  - {site: %u, does: %s, to: %u}\n",
			i == 0 ? "mischief:\n" : "", scenario->mischief[i].site,
			mischiefs[scenario->mischief[i].kind], scenario->mischief[i].victim);
	for (uint32_t i = 0; i < scenario->plan.count; i++) {
		const struct plan_item *item = &scenario->plan.items[i];

		(void)fprintf(out,
			"%s  - {at: %" PRId64 "us, do: %s, site: %u, for: %" PRId64
			"us, value: %" PRId64 "}\n",
			i == 0 ? "events:\n" : "", item->at, plan_kind_name(item->kind), item->site,
			item->lasts, item->value);
	}
	(void)fprintf(out, "properties: [");
	for (int property = 1; property < PROPERTIES; property++) {
		if (!(scenario->properties >> property & 1))
			continue;
		(void)fprintf(out, "%s%s", first ? "" : ", ", property_names[property]);
		first = false;
	}
	(void)fprintf(out, "]\nseed: %" PRIu64 "\nfails: %s\nhash: 0x%016" PRIx64 "\n",
		scenario->seed, property_name(scenario->expected), scenario->hash);
}

/* SPDX-License-Identifier: MIT */
/*
 * carrier_ground.c - what packets walk on: addresses, routes, rules.
 *
 * A prefix may have a guard (unreachable, behind all else), a way (by one of our interfaces, in the
 * main table for what this host sends and in the inner table for what comes in by our interfaces),
 * or be our own (the inner table then leaves the decision to the main one). What comes in by our
 * interfaces sees the inner table only, which ends in "unreachable": networks that nobody announced
 * cannot be reached by a member that sends to them all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/carrier_internal.h"
#include "agent/memory.h"

/* What of a prefix another program's route may stand in the way of. */
enum { REFUSED_GUARD = 1, REFUSED_OWN = 2, REFUSED_WAY = 4, REFUSED_INNER = 8 };

static const uint8_t families[CARRIER_FAMILIES] = {ADDRESS_IPV4, ADDRESS_IPV6};

static bool has_family(int family)
{
	return families[family] == ADDRESS_IPV4 || route_has_ipv6();
}

static void describe(const struct carrier_route *route, char out[static PREFIX_TEXT_SIZE])
{
	struct prefix prefix = carrier_prefix_of(route->key);

	prefix_print(&prefix, out);
}

static void add_stray_address(struct carrier *carrier, const struct route_address *address)
{
	carrier->stray_addresses = memory_grown(carrier->stray_addresses,
		&carrier->stray_address_capacity, carrier->stray_address_count + 1,
		sizeof *address);
	carrier->stray_addresses[carrier->stray_address_count++] = *address;
}

/* Wanting. */

static void want_route(struct carrier *carrier, const struct site_action *action, bool remove)
{
	enum carrier_way way = action->route.kind == SITE_ROUTE_LINKS ? WAY_LINKS : WAY_BACKBONE;
	struct carrier_route *route;
	uint8_t key[CARRIER_PREFIX_KEY];

	carrier_prefix_key(&action->route.prefix, key);
	route = table_find(&carrier->routes, key);
	if (!route && !remove)
		route = table_add(&carrier->routes, key);
	if (!route) {
		if (!remove)
			carrier_refused(carrier,
				"there is no room for another route: %u are the most",
				carrier->routes.capacity);
		return;
	}
	carrier->routes_due = true;
	switch (action->route.kind) {
	case SITE_ROUTE_GUARD:
		route->wanted.guard = !remove;
		return;
	case SITE_ROUTE_OWN:
		route->wanted.own = !remove;
		return;
	case SITE_ROUTE_BACKBONE:
	case SITE_ROUTE_LINKS:
		break;
	}
	/* A rule of others may be for who comes in from there. */
	if (!remove && route->wanted.way == WAY_NONE && carrier->settled)
		carrier_review_soon(carrier);
	/* Who takes a way back that was left for another one means nothing by it. */
	if (!remove)
		route->wanted.way = way;
	else if (route->wanted.way == way)
		route->wanted.way = WAY_NONE;
}

/* What an interface had goes once the routes that prefer it have been turned. */
static void want_address(struct carrier *carrier, const struct site_action *action)
{
	struct carrier_device *device = &carrier->devices[action->interface];
	const struct address *address = &action->address.address;
	const struct address none = {.family = ADDRESS_NONE};
	const struct route_address old = {.device = device->index,
		.prefix = {device->address, (uint8_t)address_bits(&device->address)}};

	if (action->address.remove != address_equal(&device->address, address))
		return;
	if (device->index != 0 && device->address.family != ADDRESS_NONE)
		add_stray_address(carrier, &old);
	device->address = action->address.remove ? none : *address;
	device->address_there = false;
	carrier->routes_due = true;
}

void carrier_ground_want(struct carrier *carrier, const struct site_action *action)
{
	if (action->kind == SITE_ADDRESS)
		want_address(carrier, action);
	else
		want_route(carrier, action, action->kind == SITE_ROUTE_REMOVE);
}

void carrier_ground_lost(struct carrier *carrier, enum site_interface interface)
{
	enum carrier_way way = interface == SITE_LINKS ? WAY_LINKS : WAY_BACKBONE;

	carrier->devices[interface].address_there = false;
	carrier->routes_due = true;
	for (uint32_t i = 0; i < carrier->routes.count; i++) {
		struct carrier_route *route = table_at(&carrier->routes, i);

		if (route->there.way == way)
			route->there.way = WAY_NONE;
		if (route->inner == way)
			route->inner = WAY_NONE;
	}
}

/* Applying. */

static struct carrier_device *device_of(struct carrier *carrier, enum carrier_way way)
{
	return &carrier->devices[way == WAY_LINKS ? SITE_LINKS : SITE_BACKBONE];
}

static struct route guard_of(const struct prefix *prefix)
{
	return (struct route){.prefix = *prefix,
		.table = ROUTE_TABLE_MAIN,
		.metric = ROUTE_METRIC_GUARD,
		.type = RTN_UNREACHABLE};
}

static struct route own_of(const struct prefix *prefix)
{
	return (struct route){.prefix = *prefix, .table = ROUTE_TABLE_INNER, .type = RTN_THROW};
}

static struct route inner_end(int family)
{
	return (struct route){.prefix = {{.family = families[family]}, 0},
		.table = ROUTE_TABLE_INNER,
		.metric = ROUTE_METRIC_GUARD,
		.type = RTN_UNREACHABLE};
}

/* IPv6 has no routes without a metric. */
static struct route course_of(
	struct carrier *carrier, const struct prefix *prefix, enum carrier_way way, uint32_t table)
{
	const struct carrier_device *device = device_of(carrier, way);
	bool prefers = table == ROUTE_TABLE_MAIN &&
		       device->address.family == prefix->address.family;

	return (struct route){.prefix = *prefix,
		.table = table,
		.metric = prefix->address.family == ADDRESS_IPV6 ? 1024 : 0,
		.type = RTN_UNICAST,
		.device = device->index,
		.source = prefers ? device->address : (struct address){.family = ADDRESS_NONE}};
}

/* Adds a route where none of ours stands, and says so where another's does. */
static int add(struct carrier *carrier, struct carrier_route *entry, const struct route *route,
	uint8_t bit)
{
	char text[PREFIX_TEXT_SIZE];
	int r = route_add(carrier->netlink, route);

	if (r != -EEXIST) {
		entry->refused &= (uint8_t)~bit;
		return r;
	}
	describe(entry, text);
	if (!(entry->refused & bit))
		log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
			"another program's route to %s stands in the way of ours: remove it, or "
			"tell "
			"the admin of that network (\"ip route get\" shows it)",
			text);
	entry->refused |= bit;
	carrier->refusals++;
	carrier->troubled = true;
	return 0;
}

static int set_bit(struct carrier *carrier, struct carrier_route *entry, const struct route *route,
	bool wanted, bool *there)
{
	uint8_t bit = route->type == RTN_THROW ? REFUSED_OWN : REFUSED_GUARD;
	int r;

	if (wanted == *there)
		return 0;
	r = wanted ? add(carrier, entry, route, bit) : route_remove(carrier->netlink, route);
	if (r == 0)
		*there = wanted && !(entry->refused & bit);
	return r;
}

/* One way in one table. The device is exchanged in one step: no packet finds no route. */
static int set_way(struct carrier *carrier, struct carrier_route *entry, enum carrier_way wanted,
	uint32_t table, enum carrier_way *there)
{
	struct prefix prefix = carrier_prefix_of(entry->key);
	struct route route = course_of(carrier, &prefix, wanted, table);
	uint8_t bit = table == ROUTE_TABLE_MAIN ? REFUSED_WAY : REFUSED_INNER;
	bool same_source = table != ROUTE_TABLE_MAIN ||
			   address_equal(&entry->source, &route.source);
	int r = 0;

	if (wanted == WAY_NONE) {
		if (*there != WAY_NONE)
			r = route_remove(carrier->netlink, &route);
	} else if (route.device == 0 || (*there == wanted && same_source)) {
		return 0; /* it comes with its interface */
	} else if (*there != WAY_NONE) {
		r = route_replace(carrier->netlink, &route);
	} else {
		r = add(carrier, entry, &route, bit);
	}
	if (r < 0)
		return r;
	*there = entry->refused & bit ? WAY_NONE : wanted;
	if (table == ROUTE_TABLE_MAIN)
		entry->source = route.source;
	return 0;
}

/* In this order nothing is ever without a guard that has one. */
static int set_route(struct carrier *carrier, struct carrier_route *entry)
{
	struct prefix prefix = carrier_prefix_of(entry->key);
	struct route guard = guard_of(&prefix);
	struct route own = own_of(&prefix);
	int r = 0;

	if (entry->wanted.guard)
		r = set_bit(carrier, entry, &guard, true, &entry->there.guard);
	if (r == 0 && !entry->wanted.own)
		r = set_bit(carrier, entry, &own, false, &entry->there.own);
	if (r == 0)
		r = set_way(carrier, entry, entry->wanted.way, ROUTE_TABLE_INNER, &entry->inner);
	if (r == 0)
		r = set_way(carrier, entry, entry->wanted.way, ROUTE_TABLE_MAIN, &entry->there.way);
	if (r == 0 && entry->wanted.own)
		r = set_bit(carrier, entry, &own, true, &entry->there.own);
	if (r == 0 && !entry->wanted.guard)
		r = set_bit(carrier, entry, &guard, false, &entry->there.guard);
	return r;
}

static bool is_wanted(const struct carrier_course *course)
{
	return course->way != WAY_NONE || course->guard || course->own;
}

static int set_routes(struct carrier *carrier)
{
	int first = 0;

	for (uint32_t i = carrier->routes.count; i > 0; i--) {
		struct carrier_route *entry = table_at(&carrier->routes, i - 1);
		char text[PREFIX_TEXT_SIZE];
		int r;

		if (!is_wanted(&entry->wanted) && !carrier->settled)
			continue;
		r = set_route(carrier, entry);
		if (r < 0) {
			describe(entry, text);
			carrier_refused(carrier, "the route to %s could not be set: %s%s%s", text,
				strerror(-r), netlink_complaint(carrier->netlink)[0] ? ": " : "",
				netlink_complaint(carrier->netlink));
			first = first ? first : r;
		} else if (!is_wanted(&entry->wanted)) {
			table_remove(&carrier->routes, i - 1);
		}
	}
	return first;
}

static int set_address(struct carrier *carrier, struct carrier_device *device)
{
	int r;

	if (device->index == 0 || device->address_there || device->address.family == ADDRESS_NONE)
		return 0;
	r = route_address_add(carrier->netlink, device->index, &device->address);
	device->address_there = r == 0;
	if (r < 0)
		carrier_refused(carrier, "%s could not be given its address: %s",
			device->options.name, strerror(-r));
	return r;
}

static bool any_wanted(const struct carrier *carrier)
{
	bool any = false;

	for (int i = 0; i < SITE_INTERFACES; i++)
		any = any || carrier->devices[i].wanted;
	return any;
}

static bool is_prepared(const struct carrier *carrier, int family)
{
	bool all = carrier->inner_default[family];

	for (int i = 0; i < SITE_INTERFACES; i++)
		all = all &&
		      (!carrier->devices[i].wanted || carrier->devices[i].rules_there[family]);
	return all;
}

static int prepare_family(struct carrier *carrier, int family)
{
	struct route end = inner_end(family);
	int r = 0;

	if (!carrier->inner_default[family]) {
		r = route_add(carrier->netlink, &end);
		if (r == -EEXIST)
			r = 0;
		carrier->inner_default[family] = r == 0;
	}
	for (int i = 0; i < SITE_INTERFACES && r == 0; i++) {
		struct carrier_device *device = &carrier->devices[i];

		if (!device->wanted || device->rules_there[family])
			continue;
		r = route_rule_add(carrier->netlink, families[family], device->options.name,
			carrier->rule_priority[family]);
		if (r == -EEXIST)
			r = 0;
		device->rules_there[family] = r == 0;
	}
	return r;
}

/* What comes in before there are routes must not be answered in clear. */
static int set_guards(struct carrier *carrier)
{
	int r = 0;

	for (uint32_t i = 0; i < carrier->routes.count && r == 0; i++) {
		struct carrier_route *entry = table_at(&carrier->routes, i);
		struct prefix prefix = carrier_prefix_of(entry->key);
		struct route guard = guard_of(&prefix);

		if (entry->wanted.guard)
			r = set_bit(carrier, entry, &guard, true, &entry->there.guard);
	}
	return r;
}

int carrier_ground_prepare(struct carrier *carrier)
{
	int r = 0;

	if (!any_wanted(carrier))
		return 0;
	for (int i = 0; i < CARRIER_FAMILIES && r == 0; i++) {
		if (!is_prepared(carrier, i) && has_family(i))
			r = prepare_family(carrier, i);
	}
	if (r == 0 && carrier->routes_due)
		r = set_guards(carrier);
	if (r == -EPERM)
		carrier_refused(carrier, "setting routes needs CAP_NET_ADMIN: run this as root, or "
					 "with that capability");
	else if (r < 0)
		carrier_refused(carrier, "rules and guards could not be set: %s", strerror(-r));
	return r;
}

static void remove_rules(struct carrier *carrier)
{
	for (int i = 0; i < SITE_INTERFACES * CARRIER_FAMILIES; i++) {
		struct carrier_device *device = &carrier->devices[i / CARRIER_FAMILIES];
		int family = i % CARRIER_FAMILIES;
		struct route_rule rule = {.family = families[family],
			.table = ROUTE_TABLE_INNER,
			.priority = carrier->rule_priority[family]};

		if (device->wanted || device->index != 0 || !device->rules_there[family])
			continue;
		strncpy(rule.name, device->options.name, sizeof rule.name - 1);
		device->rules_there[family] = route_rule_remove(carrier->netlink, &rule) < 0;
	}
	for (int family = 0; family < CARRIER_FAMILIES && !any_wanted(carrier); family++) {
		struct route end = inner_end(family);

		if (carrier->inner_default[family])
			carrier->inner_default[family] = route_remove(carrier->netlink, &end) < 0;
	}
}

static bool is_own_address(const struct carrier *carrier, const struct route_address *address)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		const struct carrier_device *device = &carrier->devices[i];

		if (device->index == address->device &&
			address_equal(&device->address, &address->prefix.address) &&
			address->prefix.length == address_bits(&device->address))
			return true;
	}
	return false;
}

/* The interface that a rule of ours is for, wherever it stands; NULL: none that is wanted. */
static const struct carrier_device *device_of_rule(
	const struct carrier *carrier, const struct route_rule *rule)
{
	for (int i = 0; i < SITE_INTERFACES && rule->proper; i++) {
		const struct carrier_device *device = &carrier->devices[i];

		if (device->wanted && strcmp(device->options.name, rule->name) == 0)
			return device;
	}
	return NULL;
}

/* A rule stays where it stood until there is one in its new place. */
static void remove_stray_rules(struct carrier *carrier)
{
	for (uint32_t i = 0; i < carrier->stray_rule_count; i++) {
		const struct route_rule *rule = &carrier->stray_rules[i];
		const struct carrier_device *device = device_of_rule(carrier, rule);

		if (!device || device->rules_there[rule->family == ADDRESS_IPV6])
			(void)route_rule_remove(carrier->netlink, rule);
	}
	carrier->stray_rule_count = 0;
}

static void remove_strays(struct carrier *carrier)
{
	remove_stray_rules(carrier);
	for (uint32_t i = 0; i < carrier->stray_route_count; i++)
		(void)route_remove(carrier->netlink, &carrier->stray_routes[i]);
	for (uint32_t i = 0; i < carrier->stray_address_count; i++) {
		if (!is_own_address(carrier, &carrier->stray_addresses[i]))
			(void)route_address_remove(carrier->netlink, &carrier->stray_addresses[i]);
	}
	carrier->stray_route_count = 0;
	carrier->stray_address_count = 0;
}

int carrier_ground_apply(struct carrier *carrier)
{
	int r = 0;

	for (int i = 0; i < SITE_INTERFACES && r == 0; i++)
		r = set_address(carrier, &carrier->devices[i]);
	if (r == 0 && carrier->routes_due) {
		r = set_routes(carrier);
		carrier->routes_due = r < 0;
	}
	remove_rules(carrier);
	if (r == 0)
		remove_strays(carrier);
	return r;
}

/* Reviewing. */

static enum carrier_way way_of(const struct carrier *carrier, unsigned device)
{
	if (device != 0 && device == carrier->devices[SITE_BACKBONE].index)
		return WAY_BACKBONE;
	if (device != 0 && device == carrier->devices[SITE_LINKS].index)
		return WAY_LINKS;
	return WAY_ASTRAY;
}

/* Whether a route is the end of the inner table. */
static bool is_inner_end(struct carrier *carrier, const struct route *route)
{
	int family = route->prefix.address.family == ADDRESS_IPV6;

	if (route->table != ROUTE_TABLE_INNER || route->prefix.length != 0 ||
		route->type != RTN_UNREACHABLE || route->metric != ROUTE_METRIC_GUARD)
		return false;
	carrier->inner_default[family] = true;
	return true;
}

/* Whether a route is what we would make of its prefix; notes it then. */
static bool is_course(
	struct carrier *carrier, struct carrier_route *entry, const struct route *route)
{
	uint32_t metric = route->prefix.address.family == ADDRESS_IPV6 ? 1024 : 0;

	if (route->type == RTN_UNREACHABLE && route->table == ROUTE_TABLE_MAIN &&
		route->metric == ROUTE_METRIC_GUARD)
		return entry->there.guard = true;
	if (route->type == RTN_THROW && route->table == ROUTE_TABLE_INNER)
		return entry->there.own = true;
	if (route->type != RTN_UNICAST || route->metric != metric)
		return false;
	if (route->table == ROUTE_TABLE_INNER) {
		entry->inner = way_of(carrier, route->device);
		return true;
	}
	if (route->table != ROUTE_TABLE_MAIN)
		return false;
	entry->there.way = way_of(carrier, route->device);
	entry->source = route->source;
	return true;
}

static int see_route(const struct route *route, void *context)
{
	struct carrier *carrier = context;
	struct carrier_route *entry;
	uint8_t key[CARRIER_PREFIX_KEY];

	if (is_inner_end(carrier, route))
		return 0;
	carrier_prefix_key(&route->prefix, key);
	entry = table_find(&carrier->routes, key);
	/* One that an older agent made, and that may be wanted yet. */
	if (!entry)
		entry = table_add(&carrier->routes, key);
	if (entry && is_course(carrier, entry, route))
		return 0;
	if (!carrier->settled)
		return 0;
	carrier->stray_routes = memory_grown(carrier->stray_routes, &carrier->stray_route_capacity,
		carrier->stray_route_count + 1, sizeof *route);
	carrier->stray_routes[carrier->stray_route_count++] = *route;
	return 0;
}

static bool same_course(const struct carrier_course *a, const struct carrier_course *b)
{
	return a->way == b->way && a->guard == b->guard && a->own == b->own;
}

/* What was there is held against what is there. */
static void compare_route(struct carrier *carrier, const struct carrier_route *before,
	const struct carrier_route *entry)
{
	const struct carrier_course *wanted = &entry->wanted;
	char text[PREFIX_TEXT_SIZE];
	const char *what = NULL;

	if (wanted->guard && before->there.guard && !entry->there.guard)
		what = "the guard of";
	else if (wanted->own && before->there.own && !entry->there.own)
		what = "the way to our own";
	else if (wanted->way != WAY_NONE &&
		 ((before->there.way == wanted->way && entry->there.way != wanted->way) ||
			 (before->inner == wanted->way && entry->inner != wanted->way)))
		what = "the route to";
	else if (!is_wanted(wanted) && is_wanted(&entry->there) && !is_wanted(&before->there))
		what = "a route that does not belong there, to";
	if (!same_course(&entry->there, &before->there) || entry->inner != before->inner ||
		!address_equal(&entry->source, &before->source))
		carrier->routes_due = true;
	if (!what || !carrier->settled)
		return;
	describe(entry, text);
	carrier_broken(carrier, "%s %s was changed", what, text);
}

static int review_routes(struct carrier *carrier)
{
	bool ends[CARRIER_FAMILIES];
	struct carrier_route *before = memory_zeroed(carrier->routes.count + 1, sizeof *before);
	uint32_t count = carrier->routes.count;
	int r = -EINTR;

	memcpy(ends, carrier->inner_default, sizeof ends);
	for (uint32_t i = 0; i < count; i++)
		before[i] = *(struct carrier_route *)table_at(&carrier->routes, i);
	for (int attempt = 0; attempt < 8 && r == -EINTR; attempt++) {
		for (uint32_t i = 0; i < carrier->routes.count; i++) {
			struct carrier_route *entry = table_at(&carrier->routes, i);

			memset(&entry->there, 0, sizeof entry->there);
			entry->inner = WAY_NONE;
			entry->source = (struct address){.family = ADDRESS_NONE};
		}
		memset(carrier->inner_default, 0, sizeof carrier->inner_default);
		carrier->stray_route_count = 0;
		r = route_list(carrier->netlink, see_route, carrier);
	}
	for (uint32_t i = 0, k = 0; i < carrier->routes.count; i++) {
		const struct carrier_route *entry = table_at(&carrier->routes, i);
		struct carrier_route blank = {.source = {.family = ADDRESS_NONE}};
		bool known = k < count && memcmp(before[k].key, entry->key, sizeof entry->key) == 0;

		compare_route(carrier, known ? &before[k] : &blank, entry);
		k += known;
	}
	for (int i = 0; i < CARRIER_FAMILIES; i++) {
		if (ends[i] && !carrier->inner_default[i])
			carrier_broken(carrier, "the end of our table of routes was removed");
	}
	for (uint32_t i = 0; i < carrier->stray_route_count; i++) {
		char text[PREFIX_TEXT_SIZE];

		prefix_print(&carrier->stray_routes[i].prefix, text);
		carrier_broken(carrier, "a route with our mark, to %s, is not ours", text);
	}
	free(before);
	return r;
}

static int see_rule(const struct route_rule *rule, void *context)
{
	struct carrier *carrier = context;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct carrier_device *device = &carrier->devices[i];

		if (!rule->proper || strcmp(device->options.name, rule->name) != 0 ||
			rule->priority != carrier->rule_priority[rule->family == ADDRESS_IPV6])
			continue;
		device->rules_there[rule->family == ADDRESS_IPV6] = true;
		if (device->wanted || !carrier->settled)
			return 0;
	}
	if (!carrier->settled)
		return 0;
	carrier->stray_rules = memory_grown(carrier->stray_rules, &carrier->stray_rule_capacity,
		carrier->stray_rule_count + 1, sizeof *rule);
	carrier->stray_rules[carrier->stray_rule_count++] = *rule;
	return 0;
}

/* Whether members send from there. Until all is told, they may from anywhere. */
static bool comes_in(const struct prefix *from, void *context)
{
	const struct carrier *carrier = context;

	if (from->length == 0 || !carrier->settled)
		return true;
	for (uint32_t i = 0; i < carrier->routes.count; i++) {
		const struct carrier_route *entry = table_at(&carrier->routes, i);
		struct prefix prefix = carrier_prefix_of(entry->key);

		if (entry->wanted.way != WAY_NONE && prefix_overlaps(&prefix, from))
			return true;
	}
	return false;
}

/* Whether ours stood behind this one, which is then put right. */
static bool was_set_before(const struct carrier *carrier, int family, uint32_t priority)
{
	bool stood = false;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		const struct carrier_device *device = &carrier->devices[i];

		stood = stood || (device->wanted && device->rules_there[family]);
	}
	return carrier->settled && stood && priority <= carrier->rule_priority[family];
}

/*
 * What comes in by our interfaces must not find a way by the rules of others. One that is added
 * without a priority stands before all that were there, as those of wg-quick do: ours then move,
 * but not before the local table, which has to find what is meant for this machine.
 */
static int stand_first(struct carrier *carrier, int family)
{
	struct route_foremost foremost;
	uint32_t wanted = ROUTE_RULE_PRIORITY;
	int r = route_rule_foremost(
		carrier->netlink, families[family], comes_in, carrier, &foremost);

	if (r < 0)
		return r;
	if (foremost.behind <= wanted)
		wanted = foremost.behind - 1;
	/* Of those with one priority the last that was added is the last. */
	if (wanted < foremost.local)
		wanted = foremost.local;
	if (wanted < carrier->rule_priority[family] &&
		was_set_before(carrier, family, foremost.behind))
		carrier_broken(
			carrier, "a rule of priority %u was set before ours", foremost.behind);
	carrier->rule_priority[family] = wanted;
	carrier->overtaken_by[family] = foremost.before;
	return 0;
}

/* In each family that there is. What changes meanwhile is asked for again. */
static int all_stand_first(struct carrier *carrier)
{
	for (int i = 0; i < CARRIER_FAMILIES; i++) {
		int r = -EINTR;

		for (int attempt = 0; attempt < 8 && r == -EINTR && has_family(i); attempt++)
			r = stand_first(carrier, i);
		if (r < 0 && r != -EINTR && r != -EAFNOSUPPORT && r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

/* What cannot be put right is said, once until it changes. */
static void tell_overtaken(struct carrier *carrier)
{
	bool tells = carrier->settled && any_wanted(carrier);
	char words[WIREGUARD_WHY_SIZE] = "";

	for (int i = 0; i < CARRIER_FAMILIES && tells && !words[0]; i++) {
		if (carrier->overtaken_by[i] != ROUTE_NO_RULE)
			(void)snprintf(words, sizeof words,
				"another program's rule of priority %u (\"ip%s rule\" shows it) is "
				"not behind the local table, so ours cannot stand before it: what "
				"it takes of members' packets goes its way; give it a priority "
				"behind the local table's",
				carrier->overtaken_by[i], families[i] == ADDRESS_IPV6 ? " -6" : "");
	}
	if (strcmp(words, carrier->overtaken) == 0)
		return;
	memcpy(carrier->overtaken, words, sizeof words);
	if (words[0])
		log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING, "%s", words);
	else
		log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_NOTICE,
			"no rule of another program's is in the way of ours any more");
}

static int review_rules(struct carrier *carrier)
{
	bool before[SITE_INTERFACES][CARRIER_FAMILIES];
	uint32_t priority[CARRIER_FAMILIES];
	int r;

	memcpy(priority, carrier->rule_priority, sizeof priority);
	r = all_stand_first(carrier);
	if (r < 0)
		return r;
	tell_overtaken(carrier);
	r = -EINTR;
	for (int i = 0; i < SITE_INTERFACES; i++)
		memcpy(before[i], carrier->devices[i].rules_there, sizeof before[i]);
	for (int attempt = 0; attempt < 8 && r == -EINTR; attempt++) {
		carrier->stray_rule_count = 0;
		for (int i = 0; i < SITE_INTERFACES; i++)
			memset(carrier->devices[i].rules_there, 0, sizeof before[i]);
		r = route_rule_list(carrier->netlink, see_rule, carrier);
	}
	for (int i = 0; i < SITE_INTERFACES * CARRIER_FAMILIES; i++) {
		const struct carrier_device *device = &carrier->devices[i / CARRIER_FAMILIES];
		int family = i % CARRIER_FAMILIES;

		if (device->wanted && before[i / CARRIER_FAMILIES][family] &&
			priority[family] == carrier->rule_priority[family] &&
			!device->rules_there[family])
			carrier_broken(
				carrier, "the rule for %s was removed", device->options.name);
	}
	for (uint32_t i = 0; i < carrier->stray_rule_count; i++) {
		const struct route_rule *rule = &carrier->stray_rules[i];

		/* One that stands where it stood before others came is no stranger's. */
		if (!device_of_rule(carrier, rule))
			carrier_broken(carrier, "a rule with our mark, for %s, is not ours",
				rule->name[0] ? rule->name : "any interface");
	}
	return r;
}

static void add_network(struct carrier *carrier, const struct route_address *address)
{
	struct prefix network = prefix_canonical(&address->prefix);

	if (carrier->network_count == SITE_NETWORKS_MAX || address->near)
		return;
	for (uint32_t i = 0; i < carrier->network_count; i++) {
		if (prefix_equal(&carrier->networks[i], &network))
			return;
	}
	carrier->networks[carrier->network_count++] = network;
}

static void add_own_address(struct carrier *carrier, const struct route_address *address)
{
	if (carrier->address_count == CARRIER_ADDRESSES_MAX || address->near)
		return;
	carrier->address_devices[carrier->address_count] = address->device;
	memset(&carrier->addresses[carrier->address_count], 0, sizeof carrier->addresses[0]);
	carrier->addresses[carrier->address_count++].address = address->prefix.address;
}

static int see_address(const struct route_address *address, void *context)
{
	struct carrier *carrier = context;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct carrier_device *device = &carrier->devices[i];

		if (device->index == 0 || device->index != address->device)
			continue;
		if (is_own_address(carrier, address))
			device->address_there = true;
		else if (carrier->settled && !address->near)
			add_stray_address(carrier, address);
		return 0;
	}
	add_network(carrier, address);
	add_own_address(carrier, address);
	return 0;
}

static int review_addresses(struct carrier *carrier)
{
	struct prefix networks[SITE_NETWORKS_MAX];
	uint32_t network_count = carrier->network_count;
	struct site_own_address addresses[CARRIER_ADDRESSES_MAX];
	uint32_t address_count = carrier->address_count;
	struct link_set secluded = {.count = 0};
	bool before[SITE_INTERFACES];
	int r = -EINTR;

	memcpy(addresses, carrier->addresses, sizeof addresses);
	memcpy(networks, carrier->networks, sizeof networks);
	for (int i = 0; i < SITE_INTERFACES; i++)
		before[i] = carrier->devices[i].address_there;
	for (int attempt = 0; attempt < 8 && r == -EINTR; attempt++) {
		for (int i = 0; i < SITE_INTERFACES; i++)
			carrier->devices[i].address_there = false;
		carrier->stray_address_count = 0;
		carrier->network_count = 0;
		carrier->address_count = 0;
		r = route_address_list(carrier->netlink, see_address, carrier);
	}
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (before[i] && !carrier->devices[i].address_there)
			carrier_broken(carrier, "the address of %s was removed",
				carrier->devices[i].options.name);
	}
	for (uint32_t i = 0; i < carrier->stray_address_count; i++) {
		char text[PREFIX_TEXT_SIZE];

		prefix_print(&carrier->stray_addresses[i].prefix, text);
		carrier_broken(carrier, "an interface of ours had the address %s", text);
	}
	if (network_count != carrier->network_count ||
		memcmp(networks, carrier->networks, network_count * sizeof networks[0]) != 0)
		carrier->networks_changed = true;
	if (r == 0 && link_secluded(carrier->netlink, &secluded) == 0) {
		for (uint32_t i = 0; i < carrier->address_count; i++)
			carrier->addresses[i].containers = link_set_has(
				&secluded, carrier->address_devices[i]);
	}
	if (address_count != carrier->address_count ||
		memcmp(addresses, carrier->addresses, address_count * sizeof addresses[0]) != 0)
		carrier->addresses_changed = true;
	return r;
}

int carrier_ground_review(struct carrier *carrier)
{
	int r = review_addresses(carrier);

	if (r == 0)
		r = review_routes(carrier);
	return r == 0 ? review_rules(carrier) : r;
}

/* SPDX-License-Identifier: MIT */
#include "nat/behaviour.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/prefix.h"

#define PORT_LEAST 1024 /* routers hand out none below */

static const struct prefix carrier = {{ADDRESS_IPV4, {100, 64}}, 10};

static bool is_private(const struct address *address)
{
	static const struct prefix rows[] = {
		{{ADDRESS_IPV4, {10}}, 8},
		{{ADDRESS_IPV4, {172, 16}}, 12},
		{{ADDRESS_IPV4, {192, 168}}, 16},
		{{ADDRESS_IPV4, {100, 64}}, 10},
		{{ADDRESS_IPV6, {0xfc}}, 7},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (prefix_has_address(&rows[i], address))
			return true;
	}
	return false;
}

/* Whether a host can have this address beyond its own cable. */
static bool is_host(const struct behaviour *behaviour, const struct address *address)
{
	struct prefix prefix = {*address, (uint8_t)address_bits(address)};

	return address->family == behaviour->family && prefix_reserved(&prefix) == NULL;
}

void behaviour_init(struct behaviour *behaviour, enum address_family family)
{
	assert(family == ADDRESS_IPV4 || family == ADDRESS_IPV6);
	*behaviour = (struct behaviour){.family = family};
	rarely_init(&behaviour->moves);
	rarely_init(&behaviour->turns);
}

void behaviour_set_locals(struct behaviour *behaviour, const struct address *locals, uint32_t count)
{
	behaviour->local_count = 0;
	for (uint32_t i = 0; i < count && behaviour->local_count < BEHAVIOUR_LOCALS_MAX; i++) {
		if (is_host(behaviour, &locals[i]))
			behaviour->locals[behaviour->local_count++] = locals[i];
	}
}

void behaviour_set_router(
	struct behaviour *behaviour, const struct address *outside, bool is_inside)
{
	behaviour->router_is_inside = is_inside;
	behaviour->router = is_host(behaviour, outside) ? *outside : (struct address){0};
}

void behaviour_set_filtering(struct behaviour *behaviour, enum behaviour_scope filtering)
{
	if (filtering <= BEHAVIOUR_BY_PORT)
		behaviour->class.filtering = filtering;
}

static void drop(struct behaviour *behaviour, uint32_t index)
{
	struct behaviour_seen *at = &behaviour->seen[index];

	assert(index < behaviour->count);
	behaviour->count--;
	memmove(at, at + 1, (behaviour->count - index) * sizeof *at);
}

static bool is_local(const struct behaviour *behaviour, const struct address *address)
{
	for (uint32_t i = 0; i < behaviour->local_count; i++) {
		if (address_equal(&behaviour->locals[i], address))
			return true;
	}
	return false;
}

static const struct behaviour_seen *newest(const struct behaviour *behaviour)
{
	return behaviour->count > 0 ? &behaviour->seen[behaviour->count - 1] : NULL;
}

/* What pairs of reflectors say. */
struct pairs {
	bool port_same; /* two ports of one address saw the same */
	bool port_differs;
	bool address_same; /* two addresses did */
	bool address_differs;
};

static struct pairs compare(const struct behaviour *behaviour)
{
	struct pairs pairs = {0};

	for (uint32_t i = 0; i < behaviour->count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			const struct behaviour_seen *a = &behaviour->seen[i];
			const struct behaviour_seen *b = &behaviour->seen[k];
			bool same = endpoint_equal(&a->seen, &b->seen);

			if (address_equal(&a->reflector.address, &b->reflector.address)) {
				pairs.port_same |= same;
				pairs.port_differs |= !same;
			} else {
				pairs.address_same |= same;
				pairs.address_differs |= !same;
			}
		}
	}
	return pairs;
}

/* Where two explanations are left, the one that makes meetings harder. */
static enum behaviour_scope conclude_mapping(const struct behaviour *behaviour)
{
	struct pairs pairs = compare(behaviour);

	if (behaviour->class.is_untranslated)
		return BEHAVIOUR_INDEPENDENT;
	if (pairs.port_differs)
		return BEHAVIOUR_BY_PORT;
	if (pairs.address_differs)
		return pairs.port_same ? BEHAVIOUR_BY_ADDRESS : BEHAVIOUR_BY_PORT;
	if (pairs.address_same)
		return BEHAVIOUR_INDEPENDENT;
	if (pairs.port_same && behaviour->class.mapping == BEHAVIOUR_BY_PORT)
		return BEHAVIOUR_BY_ADDRESS;
	return behaviour->class.mapping;
}

/* Ports that were seen, each once, as they follow each other around the end of the numbers. */
struct row {
	uint32_t count;
	uint16_t ports[BEHAVIOUR_SEEN_MAX]; /* ascending */
	uint16_t last;                      /* the one before the widest gap */
	uint16_t widest;                    /* of all other gaps */
	uint16_t step;                      /* that divides all other gaps; 0: there are none */
};

static void row_insert(struct row *row, uint16_t port)
{
	uint32_t at = row->count;

	while (at > 0 && row->ports[at - 1] > port)
		at--;
	if (at > 0 && row->ports[at - 1] == port)
		return;
	memmove(&row->ports[at + 1], &row->ports[at], (row->count - at) * sizeof row->ports[0]);
	row->ports[at] = port;
	row->count++;
}

static uint16_t row_gap(const struct row *row, uint32_t index)
{
	return (uint16_t)(row->ports[(index + 1) % row->count] - row->ports[index]);
}

static uint16_t greatest_divisor(uint16_t a, uint16_t b)
{
	while (b != 0) {
		uint16_t rest = (uint16_t)(a % b);

		a = b;
		b = rest;
	}
	return a;
}

static struct row row_of(const struct behaviour *behaviour)
{
	struct row row = {0};
	uint32_t end = 0;

	for (uint32_t i = 0; i < behaviour->count; i++)
		row_insert(&row, behaviour->seen[i].seen.port);
	for (uint32_t i = 0; i < row.count; i++) {
		if (row_gap(&row, i) > row_gap(&row, end))
			end = i;
	}
	row.last = row.ports[end];
	for (uint32_t i = 0; i < row.count; i++) {
		uint16_t gap = row_gap(&row, i);

		if (i == end)
			continue;
		row.step = greatest_divisor(gap, row.step);
		if (gap > row.widest)
			row.widest = gap;
	}
	return row;
}

static void conclude_ports(struct behaviour *behaviour)
{
	struct behaviour_class *class = &behaviour->class;
	struct row row = row_of(behaviour);

	if (row.count == 1 && row.last == behaviour->local_port) {
		class->allocation = BEHAVIOUR_PORTS_KEPT;
	} else if (row.count < 3 && !(row.count == 2 && row.widest <= BEHAVIOUR_STEP_MAX)) {
		/* A single port that was not kept, or two far from each other, tell no more than
		 * that. Two that are drawn lie so near by chance once in a thousand times, and are
		 * of no use then anyway; the next two refute them. */
		if (class->allocation == BEHAVIOUR_PORTS_KEPT ||
			(class->allocation == BEHAVIOUR_PORTS_SEQUENTIAL && row.count == 2))
			class->allocation = BEHAVIOUR_PORTS_UNKNOWN;
	} else if (row.widest <= BEHAVIOUR_STEP_MAX) {
		class->allocation = BEHAVIOUR_PORTS_SEQUENTIAL;
		class->step = row.step;
	} else {
		class->allocation = BEHAVIOUR_PORTS_RANDOM;
	}
	if (class->allocation != BEHAVIOUR_PORTS_SEQUENTIAL)
		class->step = 0;
}

/* Returns whether a class that was known has become another one that is. */
static bool conclude(struct behaviour *behaviour)
{
	struct behaviour_class *class = &behaviour->class;
	const struct behaviour_class old = *class;
	const struct behaviour_seen *last = &behaviour->seen[behaviour->count - 1];

	class->is_untranslated = last->seen.port == behaviour->local_port &&
				 is_local(behaviour, &last->seen.address);
	class->mapping = conclude_mapping(behaviour);
	conclude_ports(behaviour);
	return (old.mapping != BEHAVIOUR_UNKNOWN && old.mapping != class->mapping) ||
	       (old.allocation != BEHAVIOUR_PORTS_UNKNOWN &&
		       class->allocation != BEHAVIOUR_PORTS_UNKNOWN &&
		       old.allocation != class->allocation);
}

/* Another address: another network, about which nothing is known yet. Returns whether it is one. */
static bool move(struct behaviour *behaviour, const struct address *address)
{
	bool known = behaviour->outside.family != ADDRESS_NONE;

	if (address_equal(&behaviour->outside, address))
		return false;
	behaviour->outside = *address;
	behaviour->count = 0;
	behaviour->used_count = 0;
	behaviour->class = (struct behaviour_class){0};
	return known;
}

/* Takes away what the new one contradicts, replaces, or outlives. */
static void make_room(struct behaviour *behaviour, usec_t now, const struct endpoint *reflector,
	const struct endpoint *seen)
{
	for (uint32_t i = behaviour->count; i-- > 0;) {
		if (!endpoint_equal(&behaviour->seen[i].reflector, reflector))
			continue;
		/* The same reflector sees another port: the router has forgotten the others, too.
		 */
		if (!endpoint_equal(&behaviour->seen[i].seen, seen)) {
			behaviour->count = 0;
			return;
		}
		drop(behaviour, i);
	}
	while (behaviour->count > 0 && now - behaviour->seen[0].at > BEHAVIOUR_KEPT_FOR)
		drop(behaviour, 0);
	if (behaviour->count == BEHAVIOUR_SEEN_MAX)
		drop(behaviour, 0);
}

static bool once_more(struct rarely *rarely, usec_t now, bool happened)
{
	if (!happened || !rarely_may(rarely, now))
		return false;
	rarely_note(rarely, now);
	return true;
}

int behaviour_observe(struct behaviour *behaviour, usec_t now, uint16_t local_port,
	const struct endpoint *reflector, const struct endpoint *seen, bool *ret_changed)
{
	uint16_t last = row_of(behaviour).last;
	bool moved;
	bool turned;

	if (local_port == 0 || reflector->port == 0 || seen->port == 0 ||
		!is_host(behaviour, &reflector->address) || !is_host(behaviour, &seen->address))
		return -EINVAL;
	if (local_port != behaviour->local_port) {
		behaviour->count = 0;
		behaviour->used_count = 0;
	}
	behaviour->local_port = local_port;
	moved = move(behaviour, &seen->address);
	make_room(behaviour, now, reflector, seen);
	behaviour->seen[behaviour->count++] = (struct behaviour_seen){*reflector, *seen, now};
	turned = conclude(behaviour);
	if (moved || row_of(behaviour).last != last)
		behaviour->ahead = 0;
	moved = once_more(&behaviour->moves, now, moved);
	turned = once_more(&behaviour->turns, now, turned);
	*ret_changed = moved || turned;
	return 0;
}

bool behaviour_outside(
	const struct behaviour *behaviour, usec_t now, struct endpoint *ret, usec_t *ret_age)
{
	const struct behaviour_seen *last = newest(behaviour);

	if (last == NULL || now - last->at > BEHAVIOUR_KEPT_FOR)
		return false;
	*ret = last->seen;
	*ret_age = now > last->at ? now - last->at : 0;
	return true;
}

bool behaviour_is_fresh(const struct behaviour *behaviour, usec_t now)
{
	struct endpoint endpoint;
	usec_t age;

	return behaviour_outside(behaviour, now, &endpoint, &age) && age <= BEHAVIOUR_FRESH_FOR;
}

/* Whether a port is one of those that come next. */
static bool is_ahead(const struct behaviour *behaviour, uint16_t port)
{
	uint16_t last = row_of(behaviour).last;

	for (uint32_t i = 1; i <= BEHAVIOUR_STEP_MAX; i++) {
		if ((uint16_t)(last + i * behaviour->class.step) == port)
			return true;
	}
	return false;
}

/* Notes that it was sent to. Returns whether that is new. */
static bool use(struct behaviour *behaviour, const struct endpoint *place)
{
	uint32_t known = behaviour->used_count < BEHAVIOUR_USED_MAX ? behaviour->used_count
								    : BEHAVIOUR_USED_MAX;

	for (uint32_t i = 0; i < known; i++) {
		if (endpoint_equal(&behaviour->used[i], place))
			return false;
	}
	behaviour->used[behaviour->used_count++ % BEHAVIOUR_USED_MAX] = *place;
	return true;
}

void behaviour_used(struct behaviour *behaviour, usec_t now, const struct endpoint *places,
	uint32_t count, uint32_t number, const struct endpoint *seen)
{
	uint32_t behind = 0; /* new ones, and those behind the one that was seen */
	uint32_t all = 0;
	bool changed;

	if (behaviour->class.allocation != BEHAVIOUR_PORTS_SEQUENTIAL ||
		!behaviour_is_fresh(behaviour, now))
		return;
	for (uint32_t i = 0; i < count; i++) {
		bool is_new = use(behaviour, &places[i]);

		all += is_new;
		behind += is_new && i > number;
	}
	if (seen && number < count && address_equal(&seen->address, &behaviour->outside) &&
		is_ahead(behaviour, seen->port) &&
		behaviour_observe(behaviour, now, behaviour->local_port, &places[number], seen,
			&changed) == 0)
		behaviour->ahead = behind;
	else
		behaviour->ahead += all;
}

uint32_t behaviour_guess(const struct behaviour *behaviour, usec_t now,
	struct endpoint ret[static BEHAVIOUR_GUESSES_MAX])
{
	uint32_t port;

	if (behaviour->class.allocation != BEHAVIOUR_PORTS_SEQUENTIAL ||
		!behaviour_is_fresh(behaviour, now))
		return 0;
	port = row_of(behaviour).last + behaviour->ahead * behaviour->class.step;
	for (uint32_t i = 0; i < BEHAVIOUR_GUESSES_MAX; i++) {
		port += behaviour->class.step;
		if (port > UINT16_MAX)
			port = PORT_LEAST + (port - UINT16_MAX - 1) % BEHAVIOUR_STEP_MAX;
		ret[i] = (struct endpoint){behaviour->outside, (uint16_t)port};
	}
	return BEHAVIOUR_GUESSES_MAX;
}

enum behaviour_scope behaviour_mapping(const struct behaviour *behaviour)
{
	struct pairs pairs = compare(behaviour);

	if (behaviour->class.mapping == BEHAVIOUR_UNKNOWN && pairs.port_same &&
		!pairs.port_differs && !pairs.address_differs)
		return BEHAVIOUR_INDEPENDENT;
	return behaviour->class.mapping;
}

struct behaviour_facts behaviour_facts(const struct behaviour *behaviour)
{
	const struct address *router = &behaviour->router;
	const struct address *outside = &behaviour->outside;
	struct behaviour_facts facts = {.is_private = behaviour->local_count > 0};

	for (uint32_t i = 0; i < behaviour->local_count; i++) {
		facts.is_private = facts.is_private && is_private(&behaviour->locals[i]);
		facts.is_carrier_nat |= prefix_has_address(&carrier, &behaviour->locals[i]);
	}
	facts.is_carrier_nat |= prefix_has_address(&carrier, router) ||
				prefix_has_address(&carrier, outside);
	/* A reflector in the same home sees no router at all. */
	facts.is_double_nat = is_private(router) || behaviour->router_is_inside ||
			      (router->family != ADDRESS_NONE && outside->family != ADDRESS_NONE &&
				      !is_private(outside) && !address_equal(router, outside));
	return facts;
}

/* SPDX-License-Identifier: MIT */
#include "simulator/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Substitutes come from here; a port that is kept may be lower. */
#define PORT_FIRST 1024
#define PORT_COUNT (65536 - PORT_FIRST)
#define PORT_TRIES 128

/* Of all kinds together. What would be one more is dropped, as conntrack does. */
#define ENTRIES_MAX 65536

/*
 * One connection as the router sees it: everything between one remote endpoint and one of our
 * ports. Three kinds:
 *   translated: inside and port are there;
 *   plain (IPv6, and IPv4 that needs no translation): the port is 0;
 *   poison, taken by the router itself: there is no inside.
 */
struct entry {
	struct endpoint inside;
	struct endpoint remote;
	struct endpoint seen; /* what the inside takes the remote for; see seen_as() */
	uint16_t port;
	bool opened; /* its first packet came from the inside */
	bool sent;   /* the inside has sent */
	bool heard;  /* the remote has sent */
	usec_t since;
	usec_t until;
	uint64_t number; /* in order of birth */
};

/* Entries in the order of one comparison, which has no ties. */
struct index {
	int (*compare)(const struct entry *a, const struct entry *b);
	struct entry **at;
	uint32_t count;
	uint32_t capacity;
};

struct forward {
	struct endpoint inside;
	uint16_t port;
	usec_t until; /* USEC_NEVER: the owner's own, which outlives a restart */
};

struct router {
	struct router_options options;
	uint8_t seed[PRNG_SEED_SIZE]; /* of the next draw; a whole generator would be 500 bytes */
	struct index by_outside;      /* all entries; they are freed here */
	struct index by_inside;       /* all but poison */
	struct forward *forwards;
	uint32_t forward_count;
	uint32_t forward_capacity;
	uint64_t born;
	usec_t earliest;    /* no entry and no forward ends before */
	uint16_t next_port; /* of sequential allocation */
};

static uint64_t draw(struct router *router, uint64_t limit)
{
	struct prng prng;
	uint64_t value;

	prng_init(&prng, router->seed);
	prng_bytes(&prng, router->seed, sizeof router->seed);
	value = prng_below(&prng, limit);
	prng_wipe(&prng);
	return value;
}

static int compare_endpoints(const struct endpoint *a, const struct endpoint *b)
{
	int order = address_compare(&a->address, &b->address);

	return order ? order : a->port - b->port;
}

static int compare_outside(const struct entry *a, const struct entry *b)
{
	int order = a->port - b->port;

	if (!order)
		order = compare_endpoints(&a->remote, &b->remote);
	return order ? order : compare_endpoints(&a->inside, &b->inside);
}

static int compare_inside(const struct entry *a, const struct entry *b)
{
	int order = compare_endpoints(&a->inside, &b->inside);

	return order ? order : compare_endpoints(&a->seen, &b->seen);
}

static uint32_t lower_bound(const struct index *index, const struct entry *key)
{
	uint32_t low = 0;
	uint32_t high = index->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->compare(index->at[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void index_add(struct index *index, struct entry *entry)
{
	uint32_t position = lower_bound(index, entry);

	assert(position == index->count || index->compare(index->at[position], entry) != 0);
	if (index->count == index->capacity) {
		index->capacity = index->capacity ? 2 * index->capacity : 4;
		index->at = realloc(index->at, index->capacity * sizeof(struct entry *));
		assert(index->at);
	}
	memmove(index->at + position + 1, index->at + position,
		(index->count - position) * sizeof(struct entry *));
	index->at[position] = entry;
	index->count++;
}

static bool is_poison(const struct entry *entry)
{
	return entry->inside.address.family == ADDRESS_NONE;
}

static struct entry *find_outside(
	const struct router *router, uint16_t port, const struct endpoint *remote)
{
	const struct index *index = &router->by_outside;
	struct entry key = {.port = port, .remote = *remote};
	uint32_t position = lower_bound(index, &key);

	if (position == index->count || index->at[position]->port != port ||
		!endpoint_equal(&index->at[position]->remote, remote))
		return NULL;
	return index->at[position];
}

static struct entry *find_inside(
	const struct router *router, const struct endpoint *inside, const struct endpoint *seen)
{
	const struct index *index = &router->by_inside;
	struct entry key = {.inside = *inside, .seen = *seen};
	uint32_t position = lower_bound(index, &key);

	if (position == index->count || compare_inside(index->at[position], &key) != 0)
		return NULL;
	return index->at[position];
}

/* Adds what pattern says of the two ends. Returns NULL where the table is full. */
static struct entry *keep_entry(struct router *router, const struct entry *pattern)
{
	struct entry *entry = malloc(sizeof *entry);

	assert(entry);
	*entry = *pattern;
	index_add(&router->by_outside, entry);
	if (!is_poison(entry))
		index_add(&router->by_inside, entry);
	return entry;
}

static struct entry *add_entry(struct router *router, usec_t now, const struct entry *pattern)
{
	struct entry entry = *pattern;

	if (router->by_outside.count >= ENTRIES_MAX)
		return NULL;
	entry.since = now;
	entry.number = router->born++;
	return keep_entry(router, &entry);
}

static void remove_entries(struct router *router, usec_t now)
{
	struct index *inside = &router->by_inside;
	struct index *outside = &router->by_outside;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < inside->count; i++) {
		if (inside->at[i]->until > now)
			inside->at[kept++] = inside->at[i];
	}
	inside->count = kept;
	kept = 0;
	for (uint32_t i = 0; i < outside->count; i++) {
		struct entry *entry = outside->at[i];

		if (entry->until <= now) {
			free(entry);
			continue;
		}
		router->earliest = usec_min(router->earliest, entry->until);
		outside->at[kept++] = entry;
	}
	outside->count = kept;
}

static void remove_forwards(struct router *router, usec_t now)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < router->forward_count; i++) {
		if (router->forwards[i].until <= now)
			continue;
		router->earliest = usec_min(router->earliest, router->forwards[i].until);
		router->forwards[kept++] = router->forwards[i];
	}
	router->forward_count = kept;
}

/* Afterwards everything in the tables is alive. */
static void expire(struct router *router, usec_t now)
{
	if (now < router->earliest)
		return;
	router->earliest = USEC_NEVER;
	remove_entries(router, now);
	remove_forwards(router, now);
}

/* A packet of either side keeps an entry alive, poison, too. */
static void refresh(struct router *router, usec_t now, struct entry *entry, bool outward)
{
	const struct router_options *options = &router->options;
	bool assured;

	if (outward)
		entry->sent = true;
	else
		entry->heard = true;
	assured = entry->sent && entry->heard && now - entry->since >= options->assured_after;
	entry->until = usec_add(now, assured ? options->timeout_assured : options->timeout_new);
	router->earliest = usec_min(router->earliest, entry->until);
}

static bool reaches(
	enum router_scope scope, const struct endpoint *opened_to, const struct endpoint *remote)
{
	switch (scope) {
	case ROUTER_ENDPOINT_INDEPENDENT:
		return true;
	case ROUTER_ADDRESS_DEPENDENT:
		return address_equal(&opened_to->address, &remote->address);
	case ROUTER_ADDRESS_AND_PORT_DEPENDENT:
		return endpoint_equal(opened_to, remote);
	}
	assert(false);
	return false;
}

/*
 * Where the entries begin that have this port, or this inside endpoint, and reach this remote. They
 * stand together: a key with nothing in its last part is less than all that have something there.
 */
static uint32_t first_of_port(const struct router *router, uint16_t port, enum router_scope scope,
	const struct endpoint *remote)
{
	struct entry key = {.port = port};

	if (scope != ROUTER_ENDPOINT_INDEPENDENT)
		key.remote.address = remote->address;
	if (scope == ROUTER_ADDRESS_AND_PORT_DEPENDENT)
		key.remote.port = remote->port;
	return lower_bound(&router->by_outside, &key);
}

static uint32_t first_of_socket(const struct router *router, const struct endpoint *inside,
	enum router_scope scope, const struct endpoint *remote)
{
	struct entry key = {.inside = *inside};

	/* The inside may see another port than the remote's, but never another address. */
	if (scope != ROUTER_ENDPOINT_INDEPENDENT)
		key.seen.address = remote->address;
	return lower_bound(&router->by_inside, &key);
}

/* IPv4 behind an IPv4 address; everything else passes as it is. */
static bool translates(const struct router *router, const struct address *inside)
{
	return inside->family == ADDRESS_IPV4 && router->options.outside.family == ADDRESS_IPV4;
}

static const struct forward *forward_of_port(const struct router *router, uint16_t port)
{
	assert(router->forwards || router->forward_count == 0);
	for (uint32_t i = 0; i < router->forward_count; i++) {
		const struct forward *forward = &router->forwards[i];

		if (forward->port == port && translates(router, &forward->inside.address))
			return forward;
	}
	return NULL;
}

/* Some forward to this endpoint; the one from wanted, where there are several. */
static struct forward *forward_to(
	const struct router *router, const struct endpoint *inside, uint16_t wanted)
{
	struct forward *found = NULL;

	for (uint32_t i = 0; i < router->forward_count; i++) {
		struct forward *forward = &router->forwards[i];

		if (endpoint_equal(&forward->inside, inside) && (!found || forward->port == wanted))
			found = forward;
	}
	return found;
}

/*
 * Whether a flow that begins cannot share a port with this entry, which has another remote
 * endpoint. A port is shared as far as the filter can tell the answers apart: masquerading, which
 * compares both endpoints, lets two hosts use one port towards different destinations, while a full
 * cone has one owner per port. Dependent mappings share nothing, or they would look independent.
 * Poison takes its own remote endpoint away and no more.
 */
static bool clashes(const struct router *router, const struct entry *entry,
	const struct endpoint *inside, const struct endpoint *remote)
{
	enum router_scope mapping = router->options.mapping;

	if (is_poison(entry))
		return false;
	if (!endpoint_equal(&entry->inside, inside))
		return true;
	return !reaches(mapping, &entry->remote, remote);
}

static bool port_is_free(const struct router *router, uint16_t port, const struct endpoint *inside,
	const struct endpoint *remote)
{
	const struct router_options *options = &router->options;
	const struct index *index = &router->by_outside;
	const struct forward *forward = forward_of_port(router, port);
	enum router_scope scope = options->mapping == ROUTER_ENDPOINT_INDEPENDENT
					  ? options->filtering
					  : ROUTER_ENDPOINT_INDEPENDENT;

	/* A forward lets everybody in, and so shares its port with nobody. */
	if (forward && !endpoint_equal(&forward->inside, inside))
		return false;
	/* Answers to the two could not be told apart. */
	if (find_outside(router, port, remote))
		return false;
	for (uint32_t i = first_of_port(router, port, scope, remote); i < index->count; i++) {
		const struct entry *entry = index->at[i];

		if (entry->port != port || !reaches(scope, &entry->remote, remote))
			break;
		if (clashes(router, entry, inside, remote))
			return false;
	}
	return true;
}

static uint16_t next_free(const struct router *router, uint16_t from, const struct endpoint *inside,
	const struct endpoint *remote)
{
	assert(from >= PORT_FIRST);
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		uint16_t port = (uint16_t)(PORT_FIRST + (from - PORT_FIRST + i) % PORT_COUNT);

		if (port_is_free(router, port, inside, remote))
			return port;
	}
	return 0;
}

static uint16_t random_port(
	struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	uint16_t port = PORT_FIRST;

	for (uint32_t i = 0; i < PORT_TRIES; i++) {
		port = (uint16_t)(PORT_FIRST + draw(router, PORT_COUNT));
		if (port_is_free(router, port, inside, remote))
			return port;
	}
	return next_free(router, port, inside, remote);
}

/*
 * The flow whose mapping a new one of the same socket belongs to. As in conntrack that is the
 * newest: so a substitute spreads to later destinations, and is forgotten with the last flow that
 * has it.
 */
static const struct entry *find_sibling(
	const struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	const struct router_options *options = &router->options;
	const struct index *index = &router->by_inside;
	const struct entry *found = NULL;
	uint32_t first = first_of_socket(router, inside, options->mapping, remote);

	/* Such a flow is alone, and it is not there yet. */
	if (options->mapping == ROUTER_ADDRESS_AND_PORT_DEPENDENT)
		return NULL;
	for (uint32_t i = first; i < index->count; i++) {
		const struct entry *entry = index->at[i];

		if (!endpoint_equal(&entry->inside, inside) ||
			!reaches(options->mapping, &entry->remote, remote))
			break;
		/* Where ports are kept, masquerading looks only at what the inside began. */
		if (!entry->opened && (!entry->sent || options->allocation == ROUTER_PORT_KEPT))
			continue;
		if (!found || entry->number > found->number)
			found = entry;
	}
	return found;
}

static void mark(uint64_t *set, uint16_t port)
{
	set[port / 64] |= UINT64_C(1) << port % 64;
}

/* Whether a host may hold this port: it does so already, or holds less than ports_max. */
static bool is_within_bound(const struct router *router, const struct address *host, uint16_t port)
{
	const struct index *index = &router->by_inside;
	struct entry key = {.inside.address = *host};
	uint64_t held[65536 / 64] = {0};
	uint32_t count = 0;

	for (uint32_t i = lower_bound(index, &key); i < index->count; i++) {
		if (!address_equal(&index->at[i]->inside.address, host))
			break;
		mark(held, index->at[i]->port);
	}
	for (uint32_t i = 0; i < router->forward_count; i++) {
		if (address_equal(&router->forwards[i].inside.address, host))
			mark(held, router->forwards[i].port);
	}
	if (held[port / 64] >> port % 64 & 1)
		return true;
	for (uint32_t i = 0; i < sizeof held / sizeof held[0]; i++)
		count += (uint32_t)__builtin_popcountll(held[i]);
	return count < router->options.ports_max;
}

/* The port if the host may have it, 0 otherwise. */
static uint16_t grant(const struct router *router, const struct address *host, uint16_t port)
{
	if (router->options.ports_max == 0 || port == 0)
		return port;
	return is_within_bound(router, host, port) ? port : 0;
}

/* Returns 0 where there is none. */
static uint16_t allocate_port(
	struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	uint16_t port;

	switch (router->options.allocation) {
	case ROUTER_PORT_KEPT:
		if (port_is_free(router, inside->port, inside, remote))
			return inside->port;
		return random_port(router, inside, remote);
	case ROUTER_PORT_SEQUENTIAL:
		port = next_free(router, router->next_port, inside, remote);
		if (port)
			router->next_port = port == UINT16_MAX ? PORT_FIRST : (uint16_t)(port + 1);
		return port;
	case ROUTER_PORT_RANDOM:
		return random_port(router, inside, remote);
	}
	assert(false);
	return 0;
}

static uint16_t choose_port(
	struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	const struct entry *sibling = find_sibling(router, inside, remote);

	if (sibling && port_is_free(router, sibling->port, inside, remote))
		return sibling->port;
	return grant(router, &inside->address, allocate_port(router, inside, remote));
}

/*
 * A packet that a hole or a forward lets in begins an entry. If the socket knows that remote by
 * another port of ours already, it must tell the two apart: Linux then changes the source port.
 */
static struct endpoint seen_as(
	struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	struct endpoint seen = *remote;

	for (uint32_t i = 0; i < PORT_TRIES && find_inside(router, inside, &seen); i++)
		seen.port = (uint16_t)(PORT_FIRST + draw(router, PORT_COUNT));
	return seen;
}

static struct entry *let_in(struct router *router, usec_t now, const struct endpoint *inside,
	const struct endpoint *remote, uint16_t port)
{
	struct entry pattern = {.inside = *inside, .remote = *remote, .port = port};

	pattern.seen = seen_as(router, inside, remote);
	if (find_inside(router, inside, &pattern.seen))
		return NULL;
	return add_entry(router, now, &pattern);
}

/* Whom a packet to this port may go to when it belongs to no entry; NULL: to nobody. */
static const struct endpoint *find_holder(const struct router *router, uint16_t port,
	const struct endpoint *remote, enum router_scope filtering)
{
	const struct index *index = &router->by_outside;
	const struct forward *forward = forward_of_port(router, port);
	const struct entry *found = NULL;

	if (forward)
		return &forward->inside;
	for (uint32_t i = first_of_port(router, port, filtering, remote); i < index->count; i++) {
		const struct entry *entry = index->at[i];

		if (entry->port != port || !reaches(filtering, &entry->remote, remote))
			break;
		/* A hole is open while the inside sends through it; others only pass. */
		if (is_poison(entry) || !entry->sent)
			continue;
		if (!found || entry->number > found->number)
			found = entry;
	}
	return found ? &found->inside : NULL;
}

static bool translate_outward(struct router *router, usec_t now, struct packet *packet)
{
	struct entry *entry = find_inside(router, &packet->source, &packet->destination);

	if (!entry) {
		struct entry pattern = {
			.inside = packet->source,
			.remote = packet->destination,
			.seen = packet->destination,
			.opened = true,
		};

		pattern.port = choose_port(router, &pattern.inside, &pattern.remote);
		if (!pattern.port)
			return false;
		entry = add_entry(router, now, &pattern);
		if (!entry)
			return false;
	}
	refresh(router, now, entry, true);
	packet->source = (struct endpoint){router->options.outside, entry->port};
	packet->destination = entry->remote;
	return true;
}

static enum router_verdict translate_inward(
	struct router *router, usec_t now, struct packet *packet, enum router_scope filtering)
{
	uint16_t port = packet->destination.port;
	struct entry *entry = find_outside(router, port, &packet->source);

	if (!entry) {
		const struct endpoint *inside = find_holder(
			router, port, &packet->source, filtering);
		struct entry poison = {.remote = packet->source, .port = port};

		if (inside)
			entry = let_in(router, now, inside, &packet->source, port);
		else if (router->options.input == ROUTER_INPUT_ACCEPT)
			entry = add_entry(router, now, &poison);
		if (!entry)
			return ROUTER_DROPPED;
	}
	refresh(router, now, entry, false);
	if (is_poison(entry))
		return ROUTER_CONSUMED;
	packet->source = entry->seen;
	packet->destination = entry->inside;
	return ROUTER_IN;
}

/* From the inside to our own outside address: out and in again, and no filter looks at it. */
static enum router_verdict turn_around(struct router *router, usec_t now, struct packet *packet)
{
	const enum router_scope unfiltered = ROUTER_ENDPOINT_INDEPENDENT;

	if (!router->options.hairpin)
		return ROUTER_DROPPED;
	if (!find_holder(router, packet->destination.port, &packet->source, unfiltered))
		return ROUTER_DROPPED;
	if (!translate_outward(router, now, packet))
		return ROUTER_DROPPED;
	return translate_inward(router, now, packet, unfiltered);
}

static enum router_verdict pass_outward(
	struct router *router, usec_t now, const struct packet *packet)
{
	struct entry *entry = find_inside(router, &packet->source, &packet->destination);
	struct entry pattern = {
		.inside = packet->source,
		.remote = packet->destination,
		.seen = packet->destination,
		.opened = true,
	};

	if (!entry)
		entry = add_entry(router, now, &pattern);
	if (!entry)
		return ROUTER_DROPPED;
	refresh(router, now, entry, true);
	return ROUTER_OUT;
}

static bool has_plain_hole(
	const struct router *router, const struct endpoint *inside, const struct endpoint *remote)
{
	enum router_scope scope = router->options.filtering;
	const struct index *index = &router->by_inside;

	if (forward_to(router, inside, inside->port))
		return true;
	for (uint32_t i = first_of_socket(router, inside, scope, remote); i < index->count; i++) {
		const struct entry *entry = index->at[i];

		if (!endpoint_equal(&entry->inside, inside))
			break;
		if (entry->sent && reaches(scope, &entry->remote, remote))
			return true;
	}
	return false;
}

/* What the filter refuses leaves no trace, so there is no poison here. */
static enum router_verdict pass_inward(
	struct router *router, usec_t now, const struct packet *packet)
{
	struct entry *entry = find_inside(router, &packet->destination, &packet->source);

	if (address_equal(&packet->destination.address, &router->options.outside))
		return router->options.input == ROUTER_INPUT_ACCEPT ? ROUTER_CONSUMED
								    : ROUTER_DROPPED;
	if (!entry && has_plain_hole(router, &packet->destination, &packet->source))
		entry = let_in(router, now, &packet->destination, &packet->source, 0);
	if (!entry)
		return ROUTER_DROPPED;
	refresh(router, now, entry, false);
	return ROUTER_IN;
}

struct router *router_new(const struct router_options *options, struct prng *prng)
{
	struct router *router = calloc(1, sizeof *router);
	struct prng own;

	assert(router);
	assert(options->timeout_new > 0);
	assert(options->timeout_assured > 0);
	assert(options->assured_after >= 0);
	/* The number differs with every call, so one generator serves any number of routers. */
	prng_fork(&own, prng, "router", prng_u64(prng));
	prng_bytes(&own, router->seed, sizeof router->seed);
	prng_wipe(&own);
	router->by_outside.compare = compare_outside;
	router->by_inside.compare = compare_inside;
	router->options = *options;
	router->earliest = USEC_NEVER;
	router->next_port = (uint16_t)(PORT_FIRST + draw(router, PORT_COUNT));
	return router;
}

static void forget_entries(struct router *router)
{
	for (uint32_t i = 0; i < router->by_outside.count; i++)
		free(router->by_outside.at[i]);
	free(router->by_outside.at);
	free(router->by_inside.at);
	router->by_outside = (struct index){.compare = compare_outside};
	router->by_inside = (struct index){.compare = compare_inside};
}

void router_free(struct router *router)
{
	if (!router)
		return;
	forget_entries(router);
	free(router->forwards);
	free(router);
}

struct router *router_copy(const struct router *router)
{
	struct router *copy = malloc(sizeof *copy);
	size_t forwards = router->forward_count * sizeof *router->forwards;

	assert(copy);
	*copy = *router;
	copy->by_outside = (struct index){.compare = compare_outside};
	copy->by_inside = (struct index){.compare = compare_inside};
	for (uint32_t i = 0; i < router->by_outside.count; i++)
		keep_entry(copy, router->by_outside.at[i]);
	copy->forwards = NULL;
	copy->forward_capacity = router->forward_count;
	if (router->forward_count == 0)
		return copy;
	copy->forwards = malloc(forwards);
	assert(copy->forwards);
	memcpy(copy->forwards, router->forwards, forwards);
	return copy;
}

/* Whether anything but a bug, or an attacker, would send this. */
static bool is_well_formed(const struct packet *packet)
{
	const struct endpoint *source = &packet->source;
	const struct endpoint *destination = &packet->destination;

	return source->port != 0 && destination->port != 0 &&
	       source->address.family != ADDRESS_NONE &&
	       source->address.family == destination->address.family;
}

enum router_verdict router_from_inside(struct router *router, usec_t now, struct packet *packet)
{
	expire(router, now);
	if (router->options.udp_blocked || !is_well_formed(packet))
		return ROUTER_DROPPED;
	/* Subscribers of one provider reach each other without translation. */
	if (prefix_has_address(&router->options.inside, &packet->destination.address))
		return ROUTER_IN;
	if (!translates(router, &packet->source.address))
		return pass_outward(router, now, packet);
	if (address_equal(&packet->destination.address, &router->options.outside))
		return turn_around(router, now, packet);
	return translate_outward(router, now, packet) ? ROUTER_OUT : ROUTER_DROPPED;
}

enum router_verdict router_from_outside(struct router *router, usec_t now, struct packet *packet)
{
	expire(router, now);
	if (router->options.udp_blocked || !is_well_formed(packet))
		return ROUTER_DROPPED;
	if (!translates(router, &packet->destination.address))
		return pass_inward(router, now, packet);
	if (!address_equal(&packet->destination.address, &router->options.outside))
		return ROUTER_DROPPED;
	return translate_inward(router, now, packet, router->options.filtering);
}

void router_reboot(struct router *router)
{
	forget_entries(router);
	/* All that ends at some time. */
	remove_forwards(router, USEC_NEVER - 1);
	router->earliest = USEC_NEVER;
}

void router_renumber(struct router *router, const struct address *outside)
{
	router->options.outside = *outside;
	router_reboot(router);
}

/* The port that a new forward gets, or 0. */
static uint16_t choose_forward(
	struct router *router, const struct endpoint *inside, uint16_t wanted, bool lease)
{
	/* It is for every remote, but takes no single one away from anybody. */
	static const struct endpoint nobody;
	uint16_t port = wanted;

	if (!translates(router, &inside->address))
		return inside->port;
	if (!lease)
		return forward_of_port(router, wanted) ? 0 : wanted;
	if (!port_is_free(router, wanted, inside, &nobody))
		port = random_port(router, inside, &nobody);
	return grant(router, &inside->address, port);
}

static void add_forward(struct router *router, const struct forward *forward)
{
	if (router->forward_count == router->forward_capacity) {
		uint32_t capacity = router->forward_capacity ? 2 * router->forward_capacity : 2;

		router->forwards = realloc(router->forwards, capacity * sizeof *forward);
		router->forward_capacity = capacity;
	}
	assert(router->forwards);
	router->forwards[router->forward_count++] = *forward;
	router->earliest = usec_min(router->earliest, forward->until);
}

static void remove_forward(struct router *router, struct forward *forward)
{
	size_t behind = (size_t)(router->forwards + router->forward_count - (forward + 1));

	memmove(forward, forward + 1, behind * sizeof *forward);
	router->forward_count--;
}

uint16_t router_map(struct router *router, usec_t now, const struct endpoint *inside,
	uint16_t wanted, usec_t lifetime)
{
	bool lease = lifetime != USEC_NEVER;
	struct forward forward = {.inside = *inside, .until = usec_add(now, lifetime)};
	struct forward *known;

	assert(inside->port != 0);
	if (lease && !router->options.port_mapping)
		return 0;
	expire(router, now);
	if (wanted == 0)
		wanted = inside->port;
	known = forward_to(router, inside, wanted);
	if (lifetime <= 0) {
		if (known && known->until != USEC_NEVER)
			remove_forward(router, known);
		return 0;
	}
	if (known && (lease || known->port == wanted)) {
		/* What the owner set up, no lease shortens. */
		if (known->until != USEC_NEVER)
			known->until = forward.until;
		router->earliest = usec_min(router->earliest, known->until);
		return known->port;
	}
	forward.port = choose_forward(router, inside, wanted, lease);
	if (forward.port)
		add_forward(router, &forward);
	return forward.port;
}

uint32_t router_mappings(const struct router *router, usec_t now)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < router->by_outside.count; i++)
		count += router->by_outside.at[i]->until > now;
	return count;
}

const struct router_options *router_options(const struct router *router)
{
	return &router->options;
}

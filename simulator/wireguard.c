/* SPDX-License-Identifier: MIT */
/*
 * The interface keeps its peers sorted by key, the prefixes of all of them sorted by address, and
 * a heap of the peers by what is due next. Indices of sessions name a slot of an array, so that a
 * datagram finds its session at once. Events of a peer are handled in the order of the kernel's
 * code, because that order decides which timer survives.
 */
#include "simulator/wireguard.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define REKEY_TIMEOUT (5 * USEC_SECOND)
#define REKEY_TIMEOUT_JITTER (USEC_SECOND / 3)
#define KEEPALIVE_TIMEOUT (10 * USEC_SECOND)
#define REKEY_AFTER_TIME (120 * USEC_SECOND)
#define REJECT_AFTER_TIME (180 * USEC_SECOND)
/* An initiator that only receives renews this late, with time left for one answer and one retry. */
#define REKEY_AFTER_RECEIVING (REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT)
#define ERASE_AFTER_TIME (3 * REJECT_AFTER_TIME)
#define TIMER_HANDSHAKES_MAX 18 /* makes 20 attempts: the first, and one more than this */
#define INITIATION_SPACING (20 * USEC_MSEC)
#define STAMP_STEP_MS 17 /* stamps tell no more of the clock than the spacing needs */
#define STAGED_MAX 128

#define INITIATION_SIZE 148
#define RESPONSE_SIZE 92
#define KEEPALIVE_SIZE 32 /* and what every data message has around the inner packet */
#define PADDING 16
#define HEADERS_IPV4 28 /* of the inner packet: IP and UDP */
#define HEADERS_IPV6 48

/* The kernel's window takes 8,128 counters; a quarter of it is more than any wire here reorders. */
#define WINDOW_WORDS 32
#define WINDOW_COUNTERS (64 * (WINDOW_WORDS - 1))

#define SLOT_BITS 18
#define SLOT_MASK ((UINT32_C(1) << SLOT_BITS) - 1)
#define NO_INDEX 0 /* slot 0 is never handed out */

#define IPV4_LENGTHS 33
#define IPV6_LENGTHS 129

enum timer {
	TIMER_ERASE,         /* keys have been of no use for long */
	TIMER_RETRANSMIT,    /* the initiation was not answered */
	TIMER_NEW_HANDSHAKE, /* data was sent and nothing came back */
	TIMER_PASSIVE,       /* data came in and nothing was sent back */
	TIMER_PERSISTENT,    /* the keepalive that was asked for */
	TIMERS,
};

struct session {
	uint32_t local;
	uint32_t remote;
	bool is_initiator;
	bool may_send; /* a session that must not send any more still receives */
	usec_t born;
	uint64_t sent;
	uint64_t greatest; /* counter received */
	uint64_t window[WINDOW_WORDS];
};

/* An inner packet that waits for a session. */
struct staged {
	struct staged *next;
	bool is_keepalive;
	uint16_t size; /* as in struct inner */
	struct endpoint source;
	struct endpoint destination;
	uint8_t bytes[];
};

struct peer {
	struct key key;
	struct key preshared;
	bool has_endpoint;
	struct endpoint endpoint;
	uint16_t keepalive; /* seconds */

	uint32_t handshake;      /* index of the initiation that awaits its response, or NO_INDEX */
	usec_t initiate_at;      /* the limiter: no initiation before this */
	usec_t consume_at;       /* and none is taken before this */
	uint64_t greatest_stamp; /* of the initiations that were taken */
	unsigned attempts;
	bool has_sent_last_minute; /* the renewal of this session on receiving was asked for */

	struct session *current;  /* sends and receives */
	struct session *previous; /* receives what is still on its way */
	struct session *next;     /* we answered, and wait for the proof that the answer arrived */

	struct staged *staged_first;
	struct staged *staged_last;
	uint32_t staged_count;

	usec_t timers[TIMERS]; /* USEC_NEVER: not armed */
	bool needs_another_keepalive;
	usec_t due;     /* no timer is armed for earlier; it may be too early, never too late */
	uint32_t place; /* in the heap */

	usec_t last_handshake;
	uint64_t rx_bytes;
	uint64_t tx_bytes;

	struct prefix *allowed; /* sorted */
	uint32_t allowed_count;
	uint32_t allowed_capacity;
};

struct route {
	struct prefix prefix;
	struct peer *peer;
};

struct slot {
	uint32_t index;          /* changes with each use above SLOT_BITS */
	uint32_t next_free;      /* slot number; 0: none */
	struct peer *peer;       /* NULL: free */
	struct session *session; /* NULL: the peer's handshake */
};

struct wireguard {
	struct wireguard_surroundings surroundings;
	struct prng prng;
	bool is_up;
	bool has_key;
	struct key private_key;
	struct key public_key;
	struct endpoint local;
	int64_t wall_offset_ms;
	uint64_t misdirected;

	struct peer **peers; /* sorted by key */
	struct peer **heap;  /* the same peers by due */
	uint32_t peer_count;
	uint32_t peer_capacity;
	uint32_t heap_capacity;

	struct route *routes; /* sorted */
	uint32_t route_count;
	uint32_t route_capacity;
	uint32_t ipv4_lengths[IPV4_LENGTHS]; /* how many routes have this length */
	uint32_t ipv6_lengths[IPV6_LENGTHS];

	struct slot *slots;
	uint32_t slot_count;
	uint32_t slot_capacity;
	uint32_t slot_free;
};

/* Makes room for one item more than count. */
static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t item_size)
{
	void *grown;

	if (count < *capacity)
		return array;
	*capacity = *capacity > 0 ? 2 * *capacity : 4;
	grown = realloc(array, *capacity * item_size);
	assert(grown);
	return grown;
}

/* ---- The heap of what is due ---- */

static void heap_put(struct wireguard *wireguard, struct peer *peer, uint32_t place)
{
	wireguard->heap[place] = peer;
	peer->place = place;
}

static void heap_rise(struct wireguard *wireguard, struct peer *peer)
{
	uint32_t place = peer->place;

	while (place > 0) {
		struct peer *above = wireguard->heap[(place - 1) / 2];

		if (above->due <= peer->due)
			break;
		heap_put(wireguard, above, place);
		place = (place - 1) / 2;
	}
	heap_put(wireguard, peer, place);
}

static void heap_sink(struct wireguard *wireguard, struct peer *peer)
{
	uint32_t place = peer->place;

	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= wireguard->peer_count)
			break;
		if (child + 1 < wireguard->peer_count &&
			wireguard->heap[child + 1]->due < wireguard->heap[child]->due)
			child++;
		if (wireguard->heap[child]->due >= peer->due)
			break;
		heap_put(wireguard, wireguard->heap[child], place);
		place = child;
	}
	heap_put(wireguard, peer, place);
}

/* ---- Timers ---- */

static void arm(struct wireguard *wireguard, struct peer *peer, enum timer timer, usec_t at)
{
	if (!wireguard->is_up)
		return;
	peer->timers[timer] = at;
	/* Traffic moves most timers to later again and again: the heap hears of earlier only. */
	if (at < peer->due) {
		peer->due = at;
		heap_rise(wireguard, peer);
	}
}

static void disarm(struct peer *peer, enum timer timer)
{
	peer->timers[timer] = USEC_NEVER;
}

static bool is_armed(const struct peer *peer, enum timer timer)
{
	return peer->timers[timer] != USEC_NEVER;
}

static usec_t retry_jitter(struct wireguard *wireguard)
{
	return (usec_t)prng_below(&wireguard->prng, (uint64_t)REKEY_TIMEOUT_JITTER);
}

/* Something authenticated goes out or came in. */
static void note_traversal(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	if (peer->keepalive > 0)
		arm(wireguard, peer, TIMER_PERSISTENT, now + peer->keepalive * USEC_SECOND);
}

static void note_sending(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	note_traversal(wireguard, now, peer);
	disarm(peer, TIMER_PASSIVE);
}

static void note_received(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	disarm(peer, TIMER_NEW_HANDSHAKE);
	note_traversal(wireguard, now, peer);
}

static void note_data_received(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	if (is_armed(peer, TIMER_PASSIVE))
		peer->needs_another_keepalive = true;
	else
		arm(wireguard, peer, TIMER_PASSIVE, now + KEEPALIVE_TIMEOUT);
}

static void note_handshake_complete(usec_t now, struct peer *peer)
{
	disarm(peer, TIMER_RETRANSMIT);
	peer->attempts = 0;
	peer->has_sent_last_minute = false;
	peer->last_handshake = now;
}

/* ---- Indices ---- */

static uint32_t take_index(struct wireguard *wireguard, struct peer *peer)
{
	uint32_t number = wireguard->slot_free;
	struct slot *slot;

	if (number != 0) {
		slot = &wireguard->slots[number];
		wireguard->slot_free = slot->next_free;
		/* What was on its way to the former user must not fit. */
		slot->index += UINT32_C(1) << SLOT_BITS;
	} else {
		number = wireguard->slot_count > 0 ? wireguard->slot_count : 1;
		assert(number <= SLOT_MASK);
		wireguard->slots = grow(wireguard->slots, number, &wireguard->slot_capacity,
			sizeof *wireguard->slots);
		wireguard->slot_count = number + 1;
		slot = &wireguard->slots[number];
		/* By chance, so that another life of this interface had other indices. */
		slot->index = (uint32_t)prng_u64(&wireguard->prng) << SLOT_BITS | number;
	}
	slot->peer = peer;
	slot->session = NULL;
	return slot->index;
}

static void release_index(struct wireguard *wireguard, uint32_t index)
{
	uint32_t number = index & SLOT_MASK;

	assert(wireguard->slots[number].index == index);
	wireguard->slots[number].peer = NULL;
	wireguard->slots[number].session = NULL;
	wireguard->slots[number].next_free = wireguard->slot_free;
	wireguard->slot_free = number;
}

/* NULL when nothing of ours has this index. */
static const struct slot *find_index(const struct wireguard *wireguard, uint32_t index)
{
	uint32_t number = index & SLOT_MASK;

	if (number == 0 || number >= wireguard->slot_count)
		return NULL;

	const struct slot *slot = &wireguard->slots[number];

	return slot->peer && slot->index == index ? slot : NULL;
}

/* ---- Sessions ---- */

static void drop_session(struct wireguard *wireguard, struct session **session)
{
	if (!*session)
		return;
	release_index(wireguard, (*session)->local);
	free(*session);
	*session = NULL;
}

static void drop_sessions(struct wireguard *wireguard, struct peer *peer)
{
	drop_session(wireguard, &peer->current);
	drop_session(wireguard, &peer->previous);
	drop_session(wireguard, &peer->next);
}

static void drop_handshake(struct wireguard *wireguard, struct peer *peer)
{
	if (peer->handshake == NO_INDEX)
		return;
	release_index(wireguard, peer->handshake);
	peer->handshake = NO_INDEX;
}

/* Begins a session under an index that was taken before. */
static void begin_session(struct wireguard *wireguard, usec_t now, struct peer *peer,
	uint32_t local, uint32_t remote, bool is_initiator)
{
	struct session *session = calloc(1, sizeof *session);

	assert(session);
	session->local = local;
	session->remote = remote;
	session->is_initiator = is_initiator;
	session->may_send = true;
	session->born = now;
	wireguard->slots[local & SLOT_MASK].session = session;

	drop_session(wireguard, &peer->previous);
	if (!is_initiator) {
		/* It may not send before the other end has proved that it got our answer. */
		drop_session(wireguard, &peer->next);
		peer->next = session;
	} else if (peer->next) {
		peer->previous = peer->next;
		peer->next = NULL;
		drop_session(wireguard, &peer->current);
		peer->current = session;
	} else {
		peer->previous = peer->current;
		peer->current = session;
	}
	arm(wireguard, peer, TIMER_ERASE, now + ERASE_AFTER_TIME);
}

/* Whether this counter is new to the session; marks it as seen. */
static bool take_counter(struct session *session, uint64_t counter)
{
	uint64_t top = session->greatest / 64;
	uint64_t word = counter / 64;
	uint64_t bit = UINT64_C(1) << (counter % 64);

	if (counter > session->greatest) {
		for (uint64_t i = 1; i <= word - top && i <= WINDOW_WORDS; i++)
			session->window[(top + i) % WINDOW_WORDS] = 0;
		session->greatest = counter;
	} else if (session->greatest - counter > WINDOW_COUNTERS) {
		return false;
	}
	if (session->window[word % WINDOW_WORDS] & bit)
		return false;
	session->window[word % WINDOW_WORDS] |= bit;
	return true;
}

/* ---- Sending ---- */

/* Puts a datagram on the wire; false when nobody knows where to. */
static bool post(struct wireguard *wireguard, struct peer *peer, struct packet *packet)
{
	if (!peer->has_endpoint)
		return false;
	packet->source = wireguard->local;
	packet->destination = peer->endpoint;
	packet->ttl = PACKET_TTL;
	peer->tx_bytes += packet->size;
	wireguard->surroundings.send(wireguard->surroundings.context, packet);
	return true;
}

static uint64_t stamp_now(const struct wireguard *wireguard, usec_t now)
{
	int64_t wall = now / USEC_MSEC + wireguard->wall_offset_ms;

	/* Rounded up, because 0 is what a peer without any stamp starts from. */
	return (uint64_t)((wall > 0 ? wall : 0) / STAMP_STEP_MS + 1) * STAMP_STEP_MS;
}

static void initiate(struct wireguard *wireguard, usec_t now, struct peer *peer, bool is_retry)
{
	struct packet packet = {0};

	if (!is_retry)
		peer->attempts = 0;
	/* A retransmission that ends here has nothing that would wake it again: so it really is. */
	if (now < peer->initiate_at)
		return;
	peer->initiate_at = now + REKEY_TIMEOUT;
	if (!wireguard->has_key)
		return;
	drop_handshake(wireguard, peer);
	peer->handshake = take_index(wireguard, peer);

	packet.kind = PACKET_INITIATION;
	packet.size = INITIATION_SIZE;
	packet.from = wireguard->public_key;
	packet.to = peer->key;
	packet.preshared = peer->preshared;
	packet.sender = peer->handshake;
	packet.stamp = stamp_now(wireguard, now);
	note_sending(wireguard, now, peer);
	/* Without endpoint nothing leaves, and all the rest happens nevertheless. */
	(void)post(wireguard, peer, &packet);
	arm(wireguard, peer, TIMER_RETRANSMIT, now + REKEY_TIMEOUT + retry_jitter(wireguard));
}

static void respond(struct wireguard *wireguard, usec_t now, struct peer *peer, uint32_t remote)
{
	struct packet packet = {0};

	peer->initiate_at = now + REKEY_TIMEOUT;
	packet.kind = PACKET_RESPONSE;
	packet.size = RESPONSE_SIZE;
	packet.from = wireguard->public_key;
	packet.to = peer->key;
	packet.preshared = peer->preshared;
	packet.sender = take_index(wireguard, peer);
	packet.receiver = remote;
	begin_session(wireguard, now, peer, packet.sender, remote, false);
	note_sending(wireguard, now, peer);
	(void)post(wireguard, peer, &packet);
}

/* Takes the oldest out; the caller frees it. NULL: there is none. */
static struct staged *unstage(struct peer *peer)
{
	struct staged *staged = peer->staged_first;

	if (!staged)
		return NULL;
	peer->staged_first = staged->next;
	peer->staged_count--;
	return staged;
}

/* Queues an inner packet; NULL: a keepalive. The oldest gives way. */
static void stage(struct peer *peer, const struct inner *inner)
{
	size_t stored = 0;
	struct staged *staged;

	if (inner)
		stored = inner->size < PACKET_BYTES_MAX ? inner->size : PACKET_BYTES_MAX;
	staged = malloc(sizeof *staged + stored);
	assert(staged);
	*staged = (struct staged){.is_keepalive = !inner};
	if (inner) {
		staged->size = inner->size;
		staged->source = inner->source;
		staged->destination = inner->destination;
		memcpy(staged->bytes, inner->bytes, stored);
	}
	if (peer->staged_count == STAGED_MAX)
		free(unstage(peer));
	if (peer->staged_first)
		peer->staged_last->next = staged;
	else
		peer->staged_first = staged;
	peer->staged_last = staged;
	peer->staged_count++;
}

static void purge_staged(struct peer *peer)
{
	struct staged *staged;

	while ((staged = unstage(peer)))
		free(staged);
}

static uint16_t wire_size(const struct staged *staged)
{
	unsigned size = staged->size;

	if (staged->is_keepalive)
		return KEEPALIVE_SIZE;
	size += staged->destination.address.family == ADDRESS_IPV6 ? HEADERS_IPV6 : HEADERS_IPV4;
	return (uint16_t)(KEEPALIVE_SIZE + (size + PADDING - 1) / PADDING * PADDING);
}

/* Whether the packet left. Its counter is used up in any case. */
static bool post_data(struct wireguard *wireguard, struct peer *peer, struct session *session,
	const struct staged *staged)
{
	struct packet packet = {0};
	size_t stored = staged->size < PACKET_BYTES_MAX ? staged->size : PACKET_BYTES_MAX;

	packet.kind = PACKET_DATA;
	packet.size = wire_size(staged);
	packet.sender = session->local;
	packet.receiver = session->remote;
	packet.stamp = session->sent++;
	packet.inner.source = staged->source;
	packet.inner.destination = staged->destination;
	packet.inner.size = staged->size;
	memcpy(packet.inner.bytes, staged->bytes, stored);
	return post(wireguard, peer, &packet);
}

/* Sends all that is staged, or asks for a session where there is none to send it with. */
static void send_staged(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	struct session *session = peer->current;
	struct staged *staged;
	bool data_left = false;

	if (!peer->staged_first)
		return;
	if (session && now - session->born >= REJECT_AFTER_TIME)
		session->may_send = false;
	if (!session || !session->may_send) {
		initiate(wireguard, now, peer, false);
		return;
	}
	note_sending(wireguard, now, peer);
	while ((staged = unstage(peer))) {
		bool left = post_data(wireguard, peer, session, staged);

		data_left = data_left || (left && !staged->is_keepalive);
		free(staged);
	}
	if (data_left && !is_armed(peer, TIMER_NEW_HANDSHAKE))
		arm(wireguard, peer, TIMER_NEW_HANDSHAKE,
			now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + retry_jitter(wireguard));
	if (session->is_initiator && now - session->born >= REKEY_AFTER_TIME)
		initiate(wireguard, now, peer, false);
}

static void send_keepalive(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	/* Packets that wait are as good a sign of life. */
	if (!peer->staged_first)
		stage(peer, NULL);
	send_staged(wireguard, now, peer);
}

/* ---- Prefixes ---- */

static uint32_t *lengths_of(struct wireguard *wireguard, const struct prefix *prefix)
{
	return prefix->address.family == ADDRESS_IPV4 ? &wireguard->ipv4_lengths[prefix->length]
						      : &wireguard->ipv6_lengths[prefix->length];
}

/* The position of the first route that is not before the prefix. */
static uint32_t find_route(const struct wireguard *wireguard, const struct prefix *prefix)
{
	uint32_t low = 0;
	uint32_t high = wireguard->route_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (prefix_compare(&wireguard->routes[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_route(
	const struct wireguard *wireguard, uint32_t position, const struct prefix *prefix)
{
	return position < wireguard->route_count &&
	       prefix_equal(&wireguard->routes[position].prefix, prefix);
}

/* The peer with the longest match; few lengths are in use, and each costs one search. */
static struct peer *owner_of(const struct wireguard *wireguard, const struct address *address)
{
	const uint32_t *lengths = address->family == ADDRESS_IPV4 ? wireguard->ipv4_lengths
								  : wireguard->ipv6_lengths;

	if (address->family == ADDRESS_NONE)
		return NULL;
	for (unsigned length = address_bits(address) + 1; length-- > 0;) {
		struct prefix prefix = {*address, (uint8_t)length};

		if (lengths[length] == 0)
			continue;
		prefix = prefix_canonical(&prefix);

		uint32_t position = find_route(wireguard, &prefix);

		if (is_route(wireguard, position, &prefix))
			return wireguard->routes[position].peer;
	}
	return NULL;
}

static uint32_t find_allowed(const struct peer *peer, const struct prefix *prefix)
{
	uint32_t low = 0;
	uint32_t high = peer->allowed_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (prefix_compare(&peer->allowed[middle], prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void list_allowed(struct peer *peer, const struct prefix *prefix)
{
	uint32_t position = find_allowed(peer, prefix);

	peer->allowed = grow(
		peer->allowed, peer->allowed_count, &peer->allowed_capacity, sizeof *peer->allowed);
	memmove(peer->allowed + position + 1, peer->allowed + position,
		(peer->allowed_count - position) * sizeof *peer->allowed);
	peer->allowed[position] = *prefix;
	peer->allowed_count++;
}

static void unlist_allowed(struct peer *peer, const struct prefix *prefix)
{
	uint32_t position = find_allowed(peer, prefix);

	assert(position < peer->allowed_count);
	peer->allowed_count--;
	memmove(peer->allowed + position, peer->allowed + position + 1,
		(peer->allowed_count - position) * sizeof *peer->allowed);
}

static void allow(struct wireguard *wireguard, struct peer *peer, const struct prefix *wanted)
{
	struct prefix prefix = prefix_canonical(wanted);
	uint32_t position = find_route(wireguard, &prefix);
	struct route *route;

	assert(prefix.address.family != ADDRESS_NONE);
	assert(prefix.length <= address_bits(&prefix.address));
	if (is_route(wireguard, position, &prefix)) {
		route = &wireguard->routes[position];
		if (route->peer == peer)
			return;
		unlist_allowed(route->peer, &prefix);
		route->peer = peer;
		list_allowed(peer, &prefix);
		return;
	}
	wireguard->routes = grow(wireguard->routes, wireguard->route_count,
		&wireguard->route_capacity, sizeof *wireguard->routes);
	route = &wireguard->routes[position];
	memmove(route + 1, route, (wireguard->route_count - position) * sizeof *route);
	*route = (struct route){.prefix = prefix, .peer = peer};
	wireguard->route_count++;
	*lengths_of(wireguard, &prefix) += 1;
	list_allowed(peer, &prefix);
}

static void disallow_all(struct wireguard *wireguard, struct peer *peer)
{
	for (uint32_t i = 0; i < peer->allowed_count; i++) {
		uint32_t position = find_route(wireguard, &peer->allowed[i]);
		struct route *route = &wireguard->routes[position];

		assert(is_route(wireguard, position, &peer->allowed[i]));
		wireguard->route_count--;
		memmove(route, route + 1, (wireguard->route_count - position) * sizeof *route);
		*lengths_of(wireguard, &peer->allowed[i]) -= 1;
	}
	peer->allowed_count = 0;
}

/* ---- Peers ---- */

/* The position of the first peer whose key is not less. */
static uint32_t find_position(const struct wireguard *wireguard, const struct key *key)
{
	uint32_t low = 0;
	uint32_t high = wireguard->peer_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (memcmp(wireguard->peers[middle]->key.bytes, key->bytes, KEY_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct peer *find_peer(const struct wireguard *wireguard, const struct key *key)
{
	uint32_t position = find_position(wireguard, key);

	if (position == wireguard->peer_count ||
		memcmp(wireguard->peers[position]->key.bytes, key->bytes, KEY_SIZE) != 0)
		return NULL;
	return wireguard->peers[position];
}

static struct peer *add_peer(struct wireguard *wireguard, const struct key *key)
{
	uint32_t position = find_position(wireguard, key);
	uint32_t count = wireguard->peer_count;
	struct peer *peer = calloc(1, sizeof *peer);

	assert(peer);
	peer->key = *key;
	peer->initiate_at = INT64_MIN;
	peer->consume_at = INT64_MIN;
	peer->last_handshake = -1;
	peer->due = USEC_NEVER;
	for (int i = 0; i < TIMERS; i++)
		peer->timers[i] = USEC_NEVER;

	wireguard->peers = grow(
		wireguard->peers, count, &wireguard->peer_capacity, sizeof(struct peer *));
	wireguard->heap = grow(
		wireguard->heap, count, &wireguard->heap_capacity, sizeof(struct peer *));
	memmove(wireguard->peers + position + 1, wireguard->peers + position,
		(count - position) * sizeof(struct peer *));
	wireguard->peers[position] = peer;
	/* It is never due so far: the heap's last place is its own. */
	heap_put(wireguard, peer, count);
	wireguard->peer_count++;
	return peer;
}

static void free_peer(struct wireguard *wireguard, struct peer *peer)
{
	drop_handshake(wireguard, peer);
	drop_sessions(wireguard, peer);
	purge_staged(peer);
	free(peer->allowed);
	free(peer);
}

static void remove_peer(struct wireguard *wireguard, struct peer *peer)
{
	uint32_t position = find_position(wireguard, &peer->key);
	uint32_t place = peer->place;

	wireguard->peer_count--;
	memmove(wireguard->peers + position, wireguard->peers + position + 1,
		(wireguard->peer_count - position) * sizeof(struct peer *));
	if (place < wireguard->peer_count) {
		struct peer *last = wireguard->heap[wireguard->peer_count];

		heap_put(wireguard, last, place);
		heap_rise(wireguard, last);
		heap_sink(wireguard, last);
	}
	disallow_all(wireguard, peer);
	free_peer(wireguard, peer);
}

/* ---- Receiving ---- */

static void roam(struct peer *peer, const struct packet *packet)
{
	peer->endpoint = packet->source;
	peer->has_endpoint = true;
}

static void receive_initiation(struct wireguard *wireguard, usec_t now, const struct packet *packet)
{
	struct peer *peer;

	if (!wireguard->has_key || !key_equal(&packet->to, &wireguard->public_key))
		return;
	peer = find_peer(wireguard, &packet->from);
	if (!peer || packet->stamp <= peer->greatest_stamp || now < peer->consume_at)
		return;
	/*
	 * The preshared key enters with the response: an initiation is taken without it, and does
	 * all that it does.
	 */
	peer->greatest_stamp = packet->stamp;
	peer->consume_at = now + INITIATION_SPACING;
	/* There is one slot: the answer to an initiation of our own will find nothing. */
	drop_handshake(wireguard, peer);
	roam(peer, packet);
	respond(wireguard, now, peer, packet->sender);
	peer->rx_bytes += packet->size;
	note_received(wireguard, now, peer);
}

static void receive_response(struct wireguard *wireguard, usec_t now, const struct packet *packet)
{
	const struct slot *slot = find_index(wireguard, packet->receiver);
	struct peer *peer;
	uint32_t local;

	if (!slot || slot->session)
		return;
	peer = slot->peer;
	if (!key_equal(&packet->from, &peer->key) ||
		!key_equal(&packet->to, &wireguard->public_key) ||
		!key_equal(&packet->preshared, &peer->preshared))
		return;
	local = peer->handshake;
	peer->handshake = NO_INDEX;
	roam(peer, packet);
	begin_session(wireguard, now, peer, local, packet->sender, true);
	note_handshake_complete(now, peer);
	/* The first packet proves to the other end that the session stands. */
	send_keepalive(wireguard, now, peer);
	peer->rx_bytes += packet->size;
	note_received(wireguard, now, peer);
}

static void confirm_session(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	drop_session(wireguard, &peer->previous);
	peer->previous = peer->current;
	peer->current = peer->next;
	peer->next = NULL;
	note_handshake_complete(now, peer);
	send_staged(wireguard, now, peer);
}

static void renew_on_receiving(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	const struct session *session = peer->current;

	if (peer->has_sent_last_minute || !session || !session->may_send ||
		!session->is_initiator || now - session->born < REKEY_AFTER_RECEIVING)
		return;
	peer->has_sent_last_minute = true;
	initiate(wireguard, now, peer, false);
}

static void receive_data(struct wireguard *wireguard, usec_t now, const struct packet *packet)
{
	const struct slot *slot = find_index(wireguard, packet->receiver);
	struct session *session = slot ? slot->session : NULL;
	struct peer *peer;

	/* The pair of indices stands for the key: with another sender it does not decrypt. */
	if (!session || packet->sender != session->remote ||
		now - session->born >= REJECT_AFTER_TIME || !take_counter(session, packet->stamp))
		return;
	peer = slot->peer;
	roam(peer, packet);
	if (session == peer->next)
		confirm_session(wireguard, now, peer);
	renew_on_receiving(wireguard, now, peer);
	note_received(wireguard, now, peer);
	if (packet->size == KEEPALIVE_SIZE) {
		peer->rx_bytes += packet->size;
		return;
	}
	note_data_received(wireguard, now, peer);
	if (owner_of(wireguard, &packet->inner.source.address) != peer) {
		wireguard->misdirected++;
		return;
	}
	peer->rx_bytes += packet->size;

	/* Last, and with a copy: a hub sends it on from within, and may do more than that. */
	struct key from = peer->key;

	wireguard->surroundings.deliver(wireguard->surroundings.context, &from, &packet->inner);
}

/* ---- What is due ---- */

static void retransmit(struct wireguard *wireguard, usec_t now, struct peer *peer)
{
	if (peer->attempts <= TIMER_HANDSHAKES_MAX) {
		peer->attempts++;
		initiate(wireguard, now, peer, true);
		return;
	}
	disarm(peer, TIMER_PASSIVE);
	purge_staged(peer);
	if (!is_armed(peer, TIMER_ERASE))
		arm(wireguard, peer, TIMER_ERASE, now + ERASE_AFTER_TIME);
}

static void fire(struct wireguard *wireguard, usec_t now, struct peer *peer, enum timer timer)
{
	switch (timer) {
	case TIMER_ERASE:
		drop_handshake(wireguard, peer);
		drop_sessions(wireguard, peer);
		break;
	case TIMER_RETRANSMIT:
		retransmit(wireguard, now, peer);
		break;
	case TIMER_NEW_HANDSHAKE:
		initiate(wireguard, now, peer, false);
		break;
	case TIMER_PASSIVE:
		send_keepalive(wireguard, now, peer);
		if (peer->needs_another_keepalive) {
			peer->needs_another_keepalive = false;
			arm(wireguard, peer, TIMER_PASSIVE, now + KEEPALIVE_TIMEOUT);
		}
		break;
	case TIMER_PERSISTENT:
		/* Switched off meanwhile, it runs out once more. */
		if (peer->keepalive > 0)
			send_keepalive(wireguard, now, peer);
		break;
	case TIMERS:
		break;
	}
}

void wireguard_step(struct wireguard *wireguard, usec_t now)
{
	while (wireguard->peer_count > 0 && wireguard->heap[0]->due <= now) {
		struct peer *peer = wireguard->heap[0];

		for (enum timer timer = 0; timer < TIMERS; timer++) {
			if (peer->timers[timer] > now)
				continue;
			disarm(peer, timer);
			fire(wireguard, now, peer, timer);
		}
		peer->due = USEC_NEVER;
		for (int i = 0; i < TIMERS; i++)
			peer->due = usec_min(peer->due, peer->timers[i]);
		heap_sink(wireguard, peer);
	}
}

usec_t wireguard_wakeup(const struct wireguard *wireguard)
{
	return wireguard->peer_count > 0 ? wireguard->heap[0]->due : USEC_NEVER;
}

/* ---- From outside ---- */

struct wireguard *wireguard_new(
	struct prng *prng, const struct wireguard_surroundings *surroundings)
{
	struct wireguard *wireguard = calloc(1, sizeof *wireguard);

	assert(wireguard);
	wireguard->surroundings = *surroundings;
	/* A number of its own for each: forks of one parent by one name would be the same. */
	prng_fork(&wireguard->prng, prng, "wireguard", prng_u64(prng));
	wireguard->is_up = true;
	return wireguard;
}

void wireguard_free(struct wireguard *wireguard)
{
	if (!wireguard)
		return;
	for (uint32_t i = 0; i < wireguard->peer_count; i++)
		free_peer(wireguard, wireguard->peers[i]);
	free(wireguard->peers);
	free(wireguard->heap);
	free(wireguard->routes);
	free(wireguard->slots);
	free(wireguard);
}

void wireguard_set_key(struct wireguard *wireguard, usec_t now, const struct key *private_key)
{
	bool had_key = wireguard->has_key;
	struct key public_key = {0};
	struct peer *self;

	if (had_key && key_equal(&wireguard->private_key, private_key))
		return;
	wireguard->has_key = !key_is_zero(private_key) &&
			     crypto_scalarmult_base(public_key.bytes, private_key->bytes) == 0;
	wireguard->private_key = *private_key;
	wireguard->public_key = public_key;
	self = wireguard->has_key ? find_peer(wireguard, &public_key) : NULL;
	if (self)
		remove_peer(wireguard, self);
	for (uint32_t i = 0; i < wireguard->peer_count; i++) {
		struct peer *peer = wireguard->peers[i];

		/* What the peers send with the old sessions is still read. */
		drop_handshake(wireguard, peer);
		peer->initiate_at = INT64_MIN;
		if (peer->current)
			peer->current->may_send = false;
		if (peer->next)
			peer->next->may_send = false;
		if (!had_key && wireguard->has_key && wireguard->is_up)
			send_staged(wireguard, now, peer);
	}
}

void wireguard_set_address(struct wireguard *wireguard, const struct endpoint *local)
{
	wireguard->local = *local;
}

void wireguard_set_wall(struct wireguard *wireguard, int64_t offset_ms)
{
	wireguard->wall_offset_ms = offset_ms;
}

static void change_settings(struct wireguard *wireguard, usec_t now, struct peer *peer,
	const struct wireguard_change *change)
{
	bool is_kept_alive = peer->keepalive > 0;

	if (change->set_preshared)
		peer->preshared = change->preshared;
	if (change->set_endpoint && change->endpoint.address.family != ADDRESS_NONE) {
		peer->endpoint = change->endpoint;
		peer->has_endpoint = true;
	}
	if (change->replace_allowed)
		disallow_all(wireguard, peer);
	for (uint32_t i = 0; i < change->allowed_count; i++)
		allow(wireguard, peer, &change->allowed[i]);
	if (change->set_keepalive)
		peer->keepalive = change->keepalive;
	if (!wireguard->is_up)
		return;
	if (!is_kept_alive && peer->keepalive > 0)
		send_keepalive(wireguard, now, peer);
	send_staged(wireguard, now, peer);
}

void wireguard_change(
	struct wireguard *wireguard, usec_t now, const struct wireguard_change *change)
{
	struct peer *peer = find_peer(wireguard, &change->peer);

	if (change->remove) {
		if (peer)
			remove_peer(wireguard, peer);
		return;
	}
	if (!peer) {
		/* One with our own key is ignored without a word. */
		if (change->update_only ||
			(wireguard->has_key && key_equal(&change->peer, &wireguard->public_key)))
			return;
		peer = add_peer(wireguard, &change->peer);
	}
	change_settings(wireguard, now, peer, change);
}

static void stop_peer(struct wireguard *wireguard, struct peer *peer)
{
	purge_staged(peer);
	for (int i = 0; i < TIMERS; i++)
		peer->timers[i] = USEC_NEVER;
	drop_handshake(wireguard, peer);
	drop_sessions(wireguard, peer);
	peer->initiate_at = INT64_MIN;
}

void wireguard_set_up(struct wireguard *wireguard, usec_t now, bool up)
{
	if (wireguard->is_up == up)
		return;
	wireguard->is_up = up;
	for (uint32_t i = 0; i < wireguard->peer_count; i++) {
		struct peer *peer = wireguard->peers[i];

		if (!up)
			stop_peer(wireguard, peer);
		else if (peer->keepalive > 0)
			send_keepalive(wireguard, now, peer);
	}
}

void wireguard_suspend(struct wireguard *wireguard, usec_t now)
{
	(void)now;
	for (uint32_t i = 0; i < wireguard->peer_count; i++) {
		struct peer *peer = wireguard->peers[i];

		/* The other timers and the limiter go on as if nothing had happened. */
		disarm(peer, TIMER_ERASE);
		drop_handshake(wireguard, peer);
		drop_sessions(wireguard, peer);
	}
}

int wireguard_transmit(struct wireguard *wireguard, usec_t now, const struct inner *inner)
{
	struct peer *peer;

	if (!wireguard->is_up)
		return -ENETDOWN;
	peer = owner_of(wireguard, &inner->destination.address);
	if (!peer)
		return -ENOKEY;
	if (!peer->has_endpoint)
		return -EDESTADDRREQ;
	stage(peer, inner);
	send_staged(wireguard, now, peer);
	return 0;
}

void wireguard_receive(struct wireguard *wireguard, usec_t now, const struct packet *packet)
{
	if (!wireguard->is_up)
		return;
	switch (packet->kind) {
	case PACKET_INITIATION:
		receive_initiation(wireguard, now, packet);
		break;
	case PACKET_RESPONSE:
		receive_response(wireguard, now, packet);
		break;
	case PACKET_DATA:
		receive_data(wireguard, now, packet);
		break;
	case PACKET_PLAIN:
	case PACKET_COOKIE:
		break;
	}
}

bool wireguard_peer(
	const struct wireguard *wireguard, const struct key *peer, struct wireguard_statistics *ret)
{
	const struct peer *found = find_peer(wireguard, peer);

	if (!found)
		return false;
	*ret = (struct wireguard_statistics){
		.preshared = found->preshared,
		.has_endpoint = found->has_endpoint,
		.endpoint = found->endpoint,
		.last_handshake = found->last_handshake,
		.rx_bytes = found->rx_bytes,
		.tx_bytes = found->tx_bytes,
		.keepalive = found->keepalive,
	};
	return true;
}

const struct key *wireguard_public_key(const struct wireguard *wireguard)
{
	return &wireguard->public_key;
}

uint32_t wireguard_peer_count(const struct wireguard *wireguard)
{
	return wireguard->peer_count;
}

const struct key *wireguard_peer_at(const struct wireguard *wireguard, uint32_t position)
{
	assert(position < wireguard->peer_count);
	return &wireguard->peers[position]->key;
}

const struct key *wireguard_owner(const struct wireguard *wireguard, const struct address *address)
{
	const struct peer *peer = owner_of(wireguard, address);

	return peer ? &peer->key : NULL;
}

uint32_t wireguard_allowed(const struct wireguard *wireguard, const struct key *peer,
	struct prefix *ret, uint32_t most)
{
	const struct peer *found = find_peer(wireguard, peer);
	uint32_t count = found ? found->allowed_count : 0;

	for (uint32_t i = 0; i < count && i < most; i++)
		ret[i] = found->allowed[i];
	return count;
}

uint64_t wireguard_misdirected(const struct wireguard *wireguard)
{
	return wireguard->misdirected;
}

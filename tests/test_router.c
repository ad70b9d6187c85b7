/* SPDX-License-Identifier: MIT */
/*
 * Replays what was measured at real routers: the numbers of sections are those of the sheets nat.md
 * and lab.md in the project's design. A tiny world carries the packets: hosts and routers in a
 * tree, the internet at its root, and the datagrams in flight.
 */
#include "tests/test.h"

#include <stdbool.h>
#include <string.h>

#include "simulator/router.h"

#define NODES_MAX 12
#define FLIGHTS_MAX 16
#define HOPS 3                  /* of the internet, beside the routers */
#define DELAY (10 * USEC_MSEC)  /* one way */
#define RETRY (5 * USEC_SECOND) /* of a handshake */
#define LAG (300 * USEC_MSEC)   /* between the one who is first and the other */
#define PATIENCE (30 * USEC_SECOND)
#define PORT 51820 /* of every host that matters */
#define HUB "198.51.100.1:51820"

static const uint8_t seed[PRNG_SEED_SIZE] = "routers";

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

static void assert_at(const struct endpoint *endpoint, const char *text)
{
	char found[ENDPOINT_TEXT_SIZE];

	endpoint_print(endpoint, found);
	assert_string_equal(found, text);
}

static struct packet datagram(const char *source, const char *destination)
{
	return (struct packet){.source = at(source), .destination = at(destination)};
}

/* A plain home router: Linux masquerade that drops what comes unasked. */
static struct router_options home_options(const char *outside)
{
	struct router_options options = {
		.mapping = ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
		.allocation = ROUTER_PORT_KEPT,
		.input = ROUTER_INPUT_DROP,
		.timeout_new = 30 * USEC_SECOND,
		.timeout_assured = 120 * USEC_SECOND,
	};

	assert_int_equal(address_parse(outside, strlen(outside), &options.outside), 0);
	assert_int_equal(prefix_parse("192.168.1.0/24", &options.inside), 0);
	return options;
}

static struct router_options symmetric_options(const char *outside)
{
	struct router_options options = home_options(outside);

	options.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT;
	options.allocation = ROUTER_PORT_RANDOM;
	return options;
}

static struct router *make_router(const struct router_options *options)
{
	struct prng prng;

	prng_init(&prng, seed);
	return router_new(options, &prng);
}

/* Sends outward; the port that the outside sees. */
static uint16_t port_of(struct router *router, usec_t now, const char *inside, const char *remote)
{
	struct packet packet = datagram(inside, remote);

	assert_int_equal(router_from_inside(router, now, &packet), ROUTER_OUT);
	assert_at(&packet.destination, remote);
	assert_true(address_equal(&packet.source.address, &router_options(router)->outside));
	return packet.source.port;
}

static enum router_verdict verdict_out(
	struct router *router, usec_t now, const char *inside, const char *remote)
{
	struct packet packet = datagram(inside, remote);

	return router_from_inside(router, now, &packet);
}

/* Sends from the outside to a port of the router; what becomes of it. */
static enum router_verdict verdict_in(
	struct router *router, usec_t now, const char *remote, uint16_t port)
{
	struct packet packet = {
		.source = at(remote), .destination = {router_options(router)->outside, port}};

	return router_from_outside(router, now, &packet);
}

static bool enters(
	struct router *router, usec_t now, const char *remote, uint16_t port, const char *inside)
{
	struct endpoint expected = at(inside);
	struct packet packet = {
		.source = at(remote), .destination = {router_options(router)->outside, port}};

	return router_from_outside(router, now, &packet) == ROUTER_IN &&
	       endpoint_equal(&packet.destination, &expected);
}

/* A host, or a router with what is behind it. */
struct node {
	struct node *parent;   /* NULL: the internet */
	struct router *router; /* NULL: a host */
	struct endpoint local; /* of a host */
	uint32_t received;
	uint32_t responses;       /* among them */
	struct endpoint observed; /* where the last one came from */
	usec_t heard;             /* when the last response came */
};

struct flight {
	usec_t arrival;
	struct packet packet;
};

struct world {
	usec_t now;
	struct prng prng;
	struct node nodes[NODES_MAX];
	uint32_t node_count;
	struct flight flights[FLIGHTS_MAX]; /* in the order of arrival: all take as long */
	uint32_t flight_count;
};

static void world_init(struct world *world)
{
	memset(world, 0, sizeof *world);
	prng_init(&world->prng, seed);
}

static void world_done(struct world *world)
{
	for (uint32_t i = 0; i < world->node_count; i++)
		router_free(world->nodes[i].router);
}

static struct node *add_node(struct world *world, struct node *parent)
{
	struct node *node = &world->nodes[world->node_count++];

	assert_true(world->node_count <= NODES_MAX);
	node->parent = parent;
	return node;
}

static struct node *add_host(struct world *world, struct node *parent, const char *local)
{
	struct node *node = add_node(world, parent);

	node->local = at(local);
	return node;
}

static struct node *add_router(
	struct world *world, struct node *parent, const struct router_options *options)
{
	struct node *node = add_node(world, parent);

	node->router = router_new(options, &world->prng);
	return node;
}

static void send(struct world *world, struct node *host, const struct endpoint *to,
	enum packet_kind kind, uint8_t ttl);

static void receive(struct world *world, struct node *host, const struct packet *packet)
{
	host->received++;
	host->observed = packet->source;
	if (packet->kind == PACKET_INITIATION)
		send(world, host, &packet->source, PACKET_RESPONSE, PACKET_TTL);
	if (packet->kind == PACKET_RESPONSE) {
		host->responses++;
		host->heard = world->now;
	}
}

static struct node *find_child(
	struct world *world, const struct node *parent, const struct endpoint *destination)
{
	for (uint32_t i = 0; i < world->node_count; i++) {
		struct node *node = &world->nodes[i];
		const struct router *router = node->router;

		if (node->parent != parent)
			continue;
		if (router &&
			address_equal(&router_options(router)->outside, &destination->address))
			return node;
		if (!router && endpoint_equal(&node->local, destination))
			return node;
	}
	return NULL;
}

/* From a router, or the internet, down to the host. */
static void carry_down(struct world *world, const struct node *from, struct packet *packet)
{
	struct node *node = find_child(world, from, &packet->destination);

	while (node && node->router) {
		if (router_from_outside(node->router, world->now, packet) != ROUTER_IN)
			return;
		node = find_child(world, node, &packet->destination);
	}
	if (node)
		receive(world, node, packet);
}

static void send(struct world *world, struct node *host, const struct endpoint *to,
	enum packet_kind kind, uint8_t ttl)
{
	struct packet packet = {
		.source = host->local, .destination = *to, .kind = kind, .ttl = ttl};

	for (struct node *node = host->parent; node; node = node->parent) {
		enum router_verdict verdict;

		/* It dies before it is translated, and so opens nothing. */
		if (--packet.ttl == 0)
			return;
		verdict = router_from_inside(node->router, world->now, &packet);
		if (verdict == ROUTER_IN)
			carry_down(world, node, &packet);
		if (verdict != ROUTER_OUT)
			return;
	}
	if (packet.ttl <= HOPS)
		return;
	assert_true(world->flight_count < FLIGHTS_MAX);
	world->flights[world->flight_count++] = (struct flight){world->now + DELAY, packet};
}

/* Lets time pass. */
static void run(struct world *world, usec_t duration)
{
	usec_t until = world->now + duration;

	while (world->flight_count > 0 && world->flights[0].arrival <= until) {
		struct flight flight = world->flights[0];

		world->flight_count--;
		memmove(world->flights, world->flights + 1, world->flight_count * sizeof flight);
		world->now = flight.arrival;
		carry_down(world, NULL, &flight.packet);
	}
	world->now = until;
}

static void send_to(struct world *world, struct node *host, const char *to)
{
	struct endpoint destination = at(to);

	send(world, host, &destination, PACKET_PLAIN, PACKET_TTL);
	run(world, 2 * DELAY);
}

struct order_row {
	enum router_input input;
	bool peer_first;
	bool kept;    /* the port that the peer sees */
	bool arrives; /* what the peer sends later, to the port that it was told */
};

static void replay_order(const struct order_row *row, enum router_scope filtering)
{
	struct world world;
	struct router_options options = home_options("203.0.113.1");
	struct node *router;
	struct node *host;
	struct node *peer;

	world_init(&world);
	options.input = row->input;
	options.filtering = filtering;
	router = add_router(&world, NULL, &options);
	host = add_host(&world, router, "192.168.1.2:51820");
	peer = add_host(&world, NULL, "203.0.113.2:51820");
	if (row->peer_first)
		send_to(&world, peer, "203.0.113.1:51820");
	assert_int_equal(host->received, 0);
	send_to(&world, host, "203.0.113.2:51820");
	assert_int_equal(peer->received, 1);
	assert_int_equal(peer->observed.port == PORT, row->kept);
	send_to(&world, peer, "203.0.113.1:51820");
	assert_int_equal(host->received, row->arrives ? 1 : 0);
	world_done(&world);
}

TEST(router_poison_takes_the_port_where_input_accepts_and_the_peer_was_first)
{
	/* nat.md section 5, first table; lab.md section 3: "with EIF maps too". */
	static const struct order_row rows[] = {
		{ROUTER_INPUT_ACCEPT, false, true, true},
		{ROUTER_INPUT_ACCEPT, true, false, false},
		{ROUTER_INPUT_DROP, false, true, true},
		{ROUTER_INPUT_DROP, true, true, true},
		{ROUTER_INPUT_REJECT, false, true, true},
		{ROUTER_INPUT_REJECT, true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		replay_order(&rows[i], ROUTER_ENDPOINT_INDEPENDENT);
		replay_order(&rows[i], ROUTER_ADDRESS_DEPENDENT);
		replay_order(&rows[i], ROUTER_ADDRESS_AND_PORT_DEPENDENT);
	}
}

/* Two homes and what they do to each other. */
struct homes {
	struct world world;
	struct node *a;
	struct node *b;
	struct endpoint told_a; /* where the other one was told to send to */
	struct endpoint told_b;
};

static void homes_init(struct homes *homes, enum router_input a, enum router_input b)
{
	struct router_options options_a = home_options("203.0.113.1");
	struct router_options options_b = home_options("203.0.113.2");
	struct world *world = &homes->world;

	world_init(world);
	options_a.input = a;
	options_b.input = b;
	homes->a = add_host(world, add_router(world, NULL, &options_a), "192.168.1.2:51820");
	homes->b = add_host(world, add_router(world, NULL, &options_b), "192.168.1.2:51820");
	homes->told_a = at("203.0.113.1:51820");
	homes->told_b = at("203.0.113.2:51820");
}

static void initiate(struct homes *homes, const struct node *side)
{
	struct node *from = side == homes->a ? homes->a : homes->b;

	send(&homes->world, from, side == homes->a ? &homes->told_b : &homes->told_a,
		PACKET_INITIATION, PACKET_TTL);
}

static bool have_session(const struct homes *homes)
{
	return homes->a->responses + homes->b->responses > 0;
}

/*
 * One side sends, the other follows, both retry. Returns how long after the second side's first
 * packet there was a session; USEC_NEVER: there was none.
 */
static usec_t handshake(struct homes *homes, const struct node *first)
{
	const struct node *second = first == homes->a ? homes->b : homes->a;
	struct world *world = &homes->world;
	usec_t begin = world->now + LAG;

	while (world->now < begin + PATIENCE && !have_session(homes)) {
		initiate(homes, first);
		run(world, LAG);
		initiate(homes, second);
		run(world, RETRY - LAG);
	}
	if (homes->a->responses > 0)
		return homes->a->heard - begin;
	return homes->b->responses > 0 ? homes->b->heard - begin : USEC_NEVER;
}

static usec_t first_contact(enum router_input a, enum router_input b, bool a_first)
{
	struct homes homes;
	usec_t after;

	homes_init(&homes, a, b);
	after = handshake(&homes, a_first ? homes.a : homes.b);
	world_done(&homes.world);
	return after;
}

TEST(router_pair_that_drops_meets_with_the_second_packet)
{
	/* nat.md section 5: "both drop; A, then B 0.3 s later: 20 ms after B's packet". */
	(void)state;
	assert_int_equal(first_contact(ROUTER_INPUT_DROP, ROUTER_INPUT_DROP, true), 2 * DELAY);
	assert_int_equal(first_contact(ROUTER_INPUT_REJECT, ROUTER_INPUT_REJECT, true), 2 * DELAY);
}

TEST(router_that_accepts_never_meets_one_that_went_first)
{
	/* nat.md section 5: "B's accepts; A first: none in 30 s". */
	(void)state;
	assert_int_equal(first_contact(ROUTER_INPUT_DROP, ROUTER_INPUT_ACCEPT, true), USEC_NEVER);
}

TEST(router_that_accepts_meets_when_it_goes_first)
{
	/* nat.md section 5: "B's accepts; B first: 20 ms". */
	(void)state;
	assert_int_equal(first_contact(ROUTER_INPUT_DROP, ROUTER_INPUT_ACCEPT, false), 2 * DELAY);
}

TEST(router_pair_that_accepts_never_meets)
{
	/* nat.md section 5: "both accept; A first: none in 30 s". */
	(void)state;
	assert_int_equal(first_contact(ROUTER_INPUT_ACCEPT, ROUTER_INPUT_ACCEPT, true), USEC_NEVER);
	assert_int_equal(
		first_contact(ROUTER_INPUT_ACCEPT, ROUTER_INPUT_ACCEPT, false), USEC_NEVER);
}

TEST(router_pair_that_accepts_meets_after_openers_with_low_ttl)
{
	/* nat.md section 5: "both accept; both send TTL-2 openers, then A starts: 20 ms". */
	struct homes homes;

	(void)state;
	homes_init(&homes, ROUTER_INPUT_ACCEPT, ROUTER_INPUT_ACCEPT);
	send(&homes.world, homes.a, &homes.told_b, PACKET_PLAIN, 2);
	send(&homes.world, homes.b, &homes.told_a, PACKET_PLAIN, 2);
	run(&homes.world, LAG);
	assert_int_equal(homes.a->received + homes.b->received, 0);
	initiate(&homes, homes.a);
	run(&homes.world, 2 * DELAY);
	assert_int_equal(homes.a->responses, 1);
	world_done(&homes.world);
}

/* A poisons B's router for as long as B is patient; both are silent; B goes first. */
static usec_t contact_after_silence(usec_t silence)
{
	struct homes homes;
	usec_t after;

	homes_init(&homes, ROUTER_INPUT_DROP, ROUTER_INPUT_ACCEPT);
	assert_int_equal(handshake(&homes, homes.a), USEC_NEVER);
	run(&homes.world, silence - (RETRY - LAG)); /* the last packet was so long ago */
	after = handshake(&homes, homes.b);
	world_done(&homes.world);
	return after;
}

TEST(router_poison_outlives_a_short_silence)
{
	/* nat.md section 5: "poisoned; silent 10 s, then B first: none". */
	(void)state;
	assert_int_equal(contact_after_silence(10 * USEC_SECOND), USEC_NEVER);
}

TEST(router_poison_is_gone_after_35_seconds_of_silence)
{
	/* nat.md section 5: "poisoned; silent 35 s, then B first: 20 ms". */
	(void)state;
	assert_int_equal(contact_after_silence(35 * USEC_SECOND), 2 * DELAY);
}

TEST(router_poison_is_refreshed_by_every_packet_of_the_peer)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	usec_t now = 0;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	for (int i = 0; i < 20; i++, now += 29 * USEC_SECOND)
		assert_int_equal(verdict_in(router, now, HUB, PORT), ROUTER_CONSUMED);
	assert_int_equal(router_mappings(router, now), 1);
	assert_int_not_equal(port_of(router, now, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

TEST(router_poison_concerns_one_remote_endpoint)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(verdict_in(router, 0, "198.51.100.1:7", PORT), ROUTER_CONSUMED);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.1:8"), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.2:7"), PORT);
	router_free(router);
}

TEST(router_poison_comes_as_well_where_the_hole_does_not_match)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	assert_int_equal(verdict_in(router, 0, "198.51.100.2:7", PORT), ROUTER_CONSUMED);
	assert_int_not_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.2:7"), PORT);
	router_free(router);
}

TEST(router_substitute_spreads_to_later_destinations_of_the_socket)
{
	/* lab.md section 3, last paragraph. */
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	uint16_t substitute;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	assert_int_equal(verdict_in(router, 1, "198.51.100.2:7", PORT), ROUTER_CONSUMED);
	substitute = port_of(router, 2, "192.168.1.2:51820", "198.51.100.2:7");
	assert_in_range(substitute, 1024, 65535);
	assert_int_not_equal(substitute, PORT);
	assert_int_equal(port_of(router, 3, "192.168.1.2:51820", "198.51.100.3:7"), substitute);
	/* What was opened earlier keeps its port, and another socket is not concerned. */
	assert_int_equal(port_of(router, 4, "192.168.1.2:51820", HUB), PORT);
	assert_int_equal(port_of(router, 5, "192.168.1.2:999", "198.51.100.2:7"), 999);
	router_free(router);
}

TEST(router_port_is_kept_again_when_the_substitute_has_gone)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	uint16_t substitute;
	usec_t now = 0;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(verdict_in(router, now, HUB, PORT), ROUTER_CONSUMED);
	substitute = port_of(router, now, "192.168.1.2:51820", HUB);
	/* Poison alone has gone: whoever still has the substitute hands it on. */
	now += 20 * USEC_SECOND;
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", HUB), substitute);
	now += 20 * USEC_SECOND;
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", "198.51.100.3:7"), substitute);
	now += 35 * USEC_SECOND;
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

static const char *const vantages[] = {
	"198.51.100.1:1001", "198.51.100.1:1002", "198.51.100.2:1001", "198.51.100.2:1002"};

/* What the vantages see of one socket tells the scope of its mapping. */
static enum router_scope classify_mapping(struct world *world, struct node *host, uint16_t *ports)
{
	for (size_t i = 0; i < COUNT(vantages); i++) {
		struct node *vantage = add_host(world, NULL, vantages[i]);

		send_to(world, host, vantages[i]);
		assert_int_equal(vantage->received, 1);
		ports[i] = vantage->observed.port;
	}
	if (ports[0] != ports[1] || ports[2] != ports[3]) {
		assert_int_not_equal(ports[0], ports[1]);
		assert_int_not_equal(ports[2], ports[3]);
		return ROUTER_ADDRESS_AND_PORT_DEPENDENT;
	}
	return ports[0] == ports[2] ? ROUTER_ENDPOINT_INDEPENDENT : ROUTER_ADDRESS_DEPENDENT;
}

/* Who may answer what went to one vantage tells the scope of the filter. */
static enum router_scope classify_filtering(struct world *world, struct node *host)
{
	struct node *asked = add_host(world, NULL, vantages[0]);
	struct node *other_port = add_host(world, NULL, vantages[1]);
	struct node *other_address = add_host(world, NULL, vantages[2]);
	struct endpoint mapped;

	send_to(world, host, vantages[0]);
	mapped = asked->observed;
	send(world, other_address, &mapped, PACKET_PLAIN, PACKET_TTL);
	run(world, DELAY);
	if (host->received == 1)
		return ROUTER_ENDPOINT_INDEPENDENT;
	send(world, other_port, &mapped, PACKET_PLAIN, PACKET_TTL);
	run(world, DELAY);
	if (host->received == 1)
		return ROUTER_ADDRESS_DEPENDENT;
	send(world, asked, &mapped, PACKET_PLAIN, PACKET_TTL);
	run(world, DELAY);
	assert_int_equal(host->received, 1);
	return ROUTER_ADDRESS_AND_PORT_DEPENDENT;
}

static void assert_allocation(
	enum router_allocation allocation, enum router_scope mapping, const uint16_t ports[4])
{
	bool in_sequence = true;

	for (int i = 1; i < 4; i++)
		in_sequence &= ports[i] == ports[i - 1] || ports[i] == ports[i - 1] + 1;
	assert_int_equal(ports[0] == PORT, allocation == ROUTER_PORT_KEPT);
	if (mapping != ROUTER_ENDPOINT_INDEPENDENT)
		assert_int_equal(in_sequence, allocation == ROUTER_PORT_SEQUENTIAL);
}

static struct node *one_home(struct world *world, const struct router_options *options)
{
	world_init(world);
	return add_host(world, add_router(world, NULL, options), "192.168.1.2:51820");
}

TEST(router_is_classified_as_what_it_was_made)
{
	/* lab.md section 1, all 3 x 3 x 3. */
	struct world world;
	struct router_options options = home_options("203.0.113.1");
	uint16_t ports[COUNT(vantages)];

	(void)state;
	for (int i = 0; i < 27; i++) {
		options.mapping = (enum router_scope)(1 + i / 9);
		options.filtering = (enum router_scope)(1 + i / 3 % 3);
		options.allocation = (enum router_allocation)(1 + i % 3);
		assert_int_equal(classify_mapping(&world, one_home(&world, &options), ports),
			options.mapping);
		assert_allocation(options.allocation, options.mapping, ports);
		world_done(&world);
		assert_int_equal(
			classify_filtering(&world, one_home(&world, &options)), options.filtering);
		world_done(&world);
	}
}

TEST(router_mapping_lives_on_in_what_came_through_it_and_was_answered)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	usec_t now = 0;
	uint16_t port;

	(void)state;
	options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	options.allocation = ROUTER_PORT_RANDOM;
	router = make_router(&options);
	port = port_of(router, now, "192.168.1.2:51820", HUB);
	assert_true(enters(router, now, "198.51.100.2:7", port, "192.168.1.2:51820"));
	now += 20 * USEC_SECOND;
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", "198.51.100.2:7"), port);
	now += 20 * USEC_SECOND;
	assert_int_equal(router_mappings(router, now), 1);
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", HUB), port);
	assert_true(enters(router, now, "198.51.100.3:7", port, "192.168.1.2:51820"));
	router_free(router);
}

TEST(router_keeps_a_low_port_and_substitutes_by_a_high_one)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(port_of(router, 0, "192.168.1.2:53", HUB), 53);
	assert_in_range(port_of(router, 0, "192.168.1.3:53", HUB), 1024, 65535);
	router_free(router);
}

TEST(router_that_masquerades_shares_a_port_except_towards_one_destination)
{
	/* nat.md section 4: two hosts with one port clash towards the hub only. */
	struct router_options options = home_options("203.0.113.1");
	struct router *router = make_router(&options);
	uint16_t substitute;

	(void)state;
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.2:7"), PORT);
	substitute = port_of(router, 0, "192.168.1.3:51820", HUB);
	assert_int_not_equal(substitute, PORT);
	/* Answers find the right host, although both have the port. */
	assert_true(enters(router, 0, HUB, PORT, "192.168.1.2:51820"));
	assert_true(enters(router, 0, "198.51.100.2:7", PORT, "192.168.1.3:51820"));
	assert_true(enters(router, 0, HUB, substitute, "192.168.1.3:51820"));
	/* lab.md section 3: this substitute spreads as well, in the port that peers must know. */
	assert_int_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.3:7"), substitute);
	router_free(router);
}

TEST(router_with_wide_holes_gives_a_port_to_one_host)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	router = make_router(&options);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	assert_int_not_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.2:7"), PORT);
	router_free(router);
	options.filtering = ROUTER_ADDRESS_DEPENDENT;
	router = make_router(&options);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.2:7"), PORT);
	assert_int_not_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.1:7"), PORT);
	router_free(router);
}

TEST(router_with_dependent_mappings_gives_a_port_to_one_host)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.mapping = ROUTER_ADDRESS_DEPENDENT;
	router = make_router(&options);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.1:1"), PORT);
	assert_int_not_equal(port_of(router, 0, "192.168.1.3:51820", "198.51.100.1:2"), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.1:3"), PORT);
	router_free(router);
}

TEST(router_changes_the_source_where_a_socket_has_two_ports_towards_one_remote)
{
	/* The socket has the substitute towards the peer, who comes in by the port of old. */
	struct router_options options = home_options("203.0.113.1");
	struct packet packet = datagram("198.51.100.2:7", "203.0.113.1:51820");
	struct packet answer;
	struct router *router;
	uint16_t substitute;

	(void)state;
	options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(verdict_in(router, 0, HUB, PORT), ROUTER_CONSUMED);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.9:9"), PORT);
	substitute = port_of(router, 0, "192.168.1.2:51820", HUB);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.2:7"), substitute);
	assert_int_equal(router_from_outside(router, 0, &packet), ROUTER_IN);
	assert_at(&packet.destination, "192.168.1.2:51820");
	assert_int_not_equal(packet.source.port, 7);
	/* The answer to where it seems to come from goes back the way it came. */
	answer = (struct packet){.source = packet.destination, .destination = packet.source};
	assert_int_equal(router_from_inside(router, 0, &answer), ROUTER_OUT);
	assert_at(&answer.source, "203.0.113.1:51820");
	assert_at(&answer.destination, "198.51.100.2:7");
	router_free(router);
}

TEST(router_draws_the_same_ports_from_the_same_seed)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct router *one = make_router(&options);
	struct router *two = make_router(&options);
	struct prng prng;
	struct router *siblings[2];
	uint16_t port = port_of(one, 0, "192.168.1.2:51820", HUB);

	(void)state;
	assert_int_equal(port_of(two, 0, "192.168.1.2:51820", HUB), port);
	router_free(one);
	router_free(two);
	/* Two routers of one generator differ. */
	prng_init(&prng, seed);
	siblings[0] = router_new(&options, &prng);
	siblings[1] = router_new(&options, &prng);
	assert_int_equal(port_of(siblings[0], 0, "192.168.1.2:51820", HUB), port);
	assert_int_not_equal(port_of(siblings[1], 0, "192.168.1.2:51820", HUB), port);
	router_free(siblings[0]);
	router_free(siblings[1]);
}

enum type { OPEN, FULL_CONE, RESTRICTED, HOME, SYMMETRIC, COUNTING };

static struct node *add_side(struct world *world, enum type type, const char *outside)
{
	struct router_options options = home_options(outside);
	struct node *host;

	if (type == SYMMETRIC || type == COUNTING)
		options = symmetric_options(outside);
	if (type == COUNTING)
		options.allocation = ROUTER_PORT_SEQUENTIAL;
	if (type == FULL_CONE)
		options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	if (type == RESTRICTED)
		options.filtering = ROUTER_ADDRESS_DEPENDENT;
	if (type != OPEN)
		return add_host(world, add_router(world, NULL, &options), "192.168.1.2:51820");
	host = add_host(world, NULL, HUB);
	host->local = (struct endpoint){options.outside, PORT};
	return host;
}

/* Both have asked the hub what it sees of them, and have been told of the other. */
static void pair_init(struct homes *pair, enum type a, enum type b)
{
	struct node *hub;

	world_init(&pair->world);
	hub = add_host(&pair->world, NULL, HUB);
	pair->a = add_side(&pair->world, a, "203.0.113.1");
	pair->b = add_side(&pair->world, b, "203.0.113.2");
	send_to(&pair->world, pair->a, HUB);
	pair->told_a = hub->observed;
	send_to(&pair->world, pair->b, HUB);
	pair->told_b = hub->observed;
	assert_int_equal(hub->received, 2);
}

enum starters { A_FIRST, B_FIRST, CROSSING, A_ALONE, B_ALONE };

/* Who does not start only answers, to where the packet came from. */
static void exchange(struct homes *pair, enum starters starters, int times)
{
	bool b_begins = starters == B_FIRST || starters == B_ALONE;
	bool alone = starters == A_ALONE || starters == B_ALONE;

	for (int i = 0; i < times && !have_session(pair); i++) {
		initiate(pair, b_begins ? pair->b : pair->a);
		if (starters != CROSSING)
			run(&pair->world, 2 * DELAY);
		if (!alone)
			initiate(pair, b_begins ? pair->a : pair->b);
		run(&pair->world, 2 * DELAY);
	}
}

static bool meets(enum type a, enum type b, enum starters starters, int times)
{
	struct homes pair;
	bool met;

	pair_init(&pair, a, b);
	exchange(&pair, starters, times);
	met = have_session(&pair);
	world_done(&pair.world);
	return met;
}

struct pair_row {
	enum type a;
	enum type b;
	bool both;  /* both send, in any order */
	bool alone; /* A sends, B only answers */
	bool other; /* the other way round */
};

TEST(router_pairs_meet_where_the_table_says_so_and_nowhere_else)
{
	/* nat.md section 3, row by row. */
	static const struct pair_row rows[] = {
		{OPEN, OPEN, true, true, true},
		{OPEN, FULL_CONE, true, true, true},
		{OPEN, RESTRICTED, true, false, true},
		{OPEN, HOME, true, false, true},
		{OPEN, SYMMETRIC, true, false, true},
		{FULL_CONE, FULL_CONE, true, true, true},
		{FULL_CONE, RESTRICTED, true, false, true},
		{FULL_CONE, HOME, true, false, true},
		{FULL_CONE, SYMMETRIC, true, false, true},
		{RESTRICTED, RESTRICTED, true, false, false},
		{RESTRICTED, HOME, true, false, false},
		{RESTRICTED, SYMMETRIC, true, false, false},
		{HOME, HOME, true, false, false},
		{HOME, SYMMETRIC, false, false, false},
		{SYMMETRIC, SYMMETRIC, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct pair_row *row = &rows[i];

		assert_int_equal(meets(row->a, row->b, A_FIRST, 100), row->both);
		assert_int_equal(meets(row->a, row->b, B_FIRST, 100), row->both);
		assert_int_equal(meets(row->a, row->b, CROSSING, 100), row->both);
		assert_int_equal(meets(row->a, row->b, A_ALONE, 100), row->alone);
		assert_int_equal(meets(row->a, row->b, B_ALONE, 100), row->other);
	}
}

TEST(router_pair_of_restricted_and_symmetric_depends_on_the_order)
{
	/* nat.md section 3: "A opens, then B from its unpredictable port". */
	(void)state;
	assert_true(meets(RESTRICTED, SYMMETRIC, A_FIRST, 1));
	assert_false(meets(RESTRICTED, SYMMETRIC, B_FIRST, 1));
	assert_true(meets(HOME, HOME, A_FIRST, 1));
	assert_true(meets(HOME, HOME, B_FIRST, 1));
}

TEST(router_with_sequential_ports_is_met_by_prediction)
{
	/* nat.md section 3: EIM/APDF x APDM "prediction if ports are sequential". */
	struct homes pair;

	(void)state;
	assert_false(meets(HOME, COUNTING, A_FIRST, 100));
	pair_init(&pair, HOME, COUNTING);
	pair.told_b.port++;
	exchange(&pair, A_FIRST, 1);
	assert_true(have_session(&pair));
	world_done(&pair.world);
	/* Of random ports the next one says nothing. */
	pair_init(&pair, HOME, SYMMETRIC);
	pair.told_b.port++;
	exchange(&pair, A_FIRST, 100);
	assert_false(have_session(&pair));
	world_done(&pair.world);
}

static struct router_options provider_options(void)
{
	struct router_options options = home_options("203.0.113.1");

	assert_int_equal(prefix_parse("100.64.0.0/10", &options.inside), 0);
	return options;
}

static struct node *double_home(
	struct world *world, const struct router_options *inner, const struct router_options *outer)
{
	struct node *provider;

	world_init(world);
	provider = add_router(world, NULL, outer);
	return add_host(world, add_router(world, provider, inner), "192.168.1.2:51820");
}

TEST(router_chain_maps_as_its_most_dependent_layer)
{
	/* nat.md section 4: "EIM of EIM = EIM; one APDM layer makes all APDM". */
	struct router_options inner = home_options("100.64.1.2");
	struct router_options outer = provider_options();
	uint16_t ports[COUNT(vantages)];
	struct world world;

	(void)state;
	for (int i = 0; i < 27; i++) {
		inner.mapping = (enum router_scope)(1 + i / 9);
		outer.mapping = (enum router_scope)(1 + i / 3 % 3);
		inner.allocation = outer.allocation = (enum router_allocation)(1 + i % 3);
		assert_int_equal(
			classify_mapping(&world, double_home(&world, &inner, &outer), ports),
			inner.mapping > outer.mapping ? inner.mapping : outer.mapping);
		world_done(&world);
	}
}

TEST(router_chain_filters_as_its_strictest_layer)
{
	/* nat.md section 4: "filters intersect". */
	struct router_options inner = home_options("100.64.1.2");
	struct router_options outer = provider_options();
	struct world world;

	(void)state;
	for (int i = 0; i < 9; i++) {
		inner.filtering = (enum router_scope)(1 + i / 3);
		outer.filtering = (enum router_scope)(1 + i % 3);
		assert_int_equal(classify_filtering(&world, double_home(&world, &inner, &outer)),
			inner.filtering > outer.filtering ? inner.filtering : outer.filtering);
		world_done(&world);
	}
}

static uint32_t arrivals_after(usec_t silence, usec_t inner_timeout, usec_t outer_timeout)
{
	struct router_options inner = home_options("100.64.1.2");
	struct router_options outer = provider_options();
	struct world world;
	struct node *host;
	struct node *hub;
	uint32_t received;

	inner.timeout_new = inner_timeout;
	outer.timeout_new = outer_timeout;
	host = double_home(&world, &inner, &outer);
	hub = add_host(&world, NULL, HUB);
	send_to(&world, host, HUB);
	run(&world, silence);
	send(&world, hub, &hub->observed, PACKET_PLAIN, PACKET_TTL);
	run(&world, DELAY);
	received = host->received;
	world_done(&world);
	return received;
}

TEST(router_chain_forgets_with_its_shortest_timeout)
{
	/* nat.md section 4: "the shortest timeout wins". */
	(void)state;
	assert_int_equal(arrivals_after(40 * USEC_SECOND, 60 * USEC_SECOND, 60 * USEC_SECOND), 1);
	assert_int_equal(arrivals_after(40 * USEC_SECOND, 30 * USEC_SECOND, 60 * USEC_SECOND), 0);
	assert_int_equal(arrivals_after(40 * USEC_SECOND, 60 * USEC_SECOND, 30 * USEC_SECOND), 0);
}

TEST(router_chain_is_opened_by_port_mapping_in_its_inner_layer_only)
{
	/* nat.md section 4: "port mapping opens only the inner layer". */
	struct router_options inner = home_options("100.64.1.2");
	struct router_options outer = provider_options();
	struct world world;
	struct node *host;
	struct node *neighbour;
	struct node *stranger;

	(void)state;
	inner.port_mapping = true;
	host = double_home(&world, &inner, &outer);
	neighbour = add_host(&world, host->parent->parent, "100.64.2.2:51820");
	stranger = add_host(&world, NULL, HUB);
	assert_int_equal(router_map(host->parent->router, 0, &host->local, PORT, USEC_HOUR), PORT);
	send_to(&world, stranger, "203.0.113.1:51820");
	assert_int_equal(host->received, 0);
	send_to(&world, neighbour, "100.64.1.2:51820");
	assert_int_equal(host->received, 1);
	world_done(&world);
}

/* Two homes behind one provider, who meet by what the hub sees of them. */
static bool subscribers_meet(bool hairpin)
{
	struct router_options options = provider_options();
	struct router_options options_a = home_options("100.64.1.2");
	struct router_options options_b = home_options("100.64.2.2");
	struct world world;
	struct node *provider;
	struct node *hub;
	struct node *a;
	struct node *b;
	struct endpoint told[2];
	bool met;

	world_init(&world);
	options.hairpin = hairpin;
	provider = add_router(&world, NULL, &options);
	hub = add_host(&world, NULL, HUB);
	a = add_host(&world, add_router(&world, provider, &options_a), "192.168.1.2:51820");
	b = add_host(&world, add_router(&world, provider, &options_b), "192.168.1.2:51821");
	send_to(&world, a, HUB);
	told[0] = hub->observed;
	send_to(&world, b, HUB);
	told[1] = hub->observed;
	send(&world, a, &told[1], PACKET_INITIATION, PACKET_TTL);
	assert_int_equal(b->received, 0);
	send(&world, b, &told[0], PACKET_INITIATION, PACKET_TTL);
	met = b->responses == 1 && a->received == 1;
	world_done(&world);
	return met;
}

TEST(router_with_hairpin_lets_two_homes_behind_it_meet)
{
	/* lab.md section 4: through the hairpin, the first packet being eaten by the far home. */
	(void)state;
	assert_true(subscribers_meet(true));
	assert_false(subscribers_meet(false));
}

TEST(router_routes_between_its_inside_networks_without_translation)
{
	struct router_options options = provider_options();
	struct router *router = make_router(&options);
	struct packet packet = datagram("100.64.1.2:51820", "100.64.2.2:51820");

	(void)state;
	assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_IN);
	assert_at(&packet.source, "100.64.1.2:51820");
	assert_at(&packet.destination, "100.64.2.2:51820");
	router_free(router);
}

TEST(router_hairpin_comes_from_the_outside_mapping)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct packet packet = datagram("192.168.1.2:51820", "203.0.113.1:1");
	struct packet answer;
	struct router *router;

	(void)state;
	options.hairpin = true;
	router = make_router(&options);
	packet.destination.port = port_of(router, 0, "192.168.1.3:51820", HUB);
	answer.destination = packet.destination;
	assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_IN);
	assert_at(&packet.destination, "192.168.1.3:51820");
	assert_true(address_equal(&packet.source.address, &options.outside));
	/* And back: the first sees the answer come from where it had sent to. */
	answer = (struct packet){.source = packet.destination,
		.destination = packet.source,
		.receiver = answer.destination.port};
	assert_int_equal(router_from_inside(router, 0, &answer), ROUTER_IN);
	assert_at(&answer.destination, "192.168.1.2:51820");
	assert_int_equal(answer.source.port, answer.receiver);
	assert_true(address_equal(&answer.source.address, &options.outside));
	router_free(router);
}

TEST(router_hairpin_needs_the_option_and_a_mapped_port)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router = make_router(&options);

	(void)state;
	(void)port_of(router, 0, "192.168.1.3:51820", HUB);
	assert_int_equal(
		verdict_out(router, 0, "192.168.1.2:7", "203.0.113.1:51820"), ROUTER_DROPPED);
	router_free(router);
	options.hairpin = true;
	router = make_router(&options);
	(void)port_of(router, 0, "192.168.1.3:51820", HUB);
	assert_int_equal(verdict_out(router, 0, "192.168.1.2:7", "203.0.113.1:51820"), ROUTER_IN);
	assert_int_equal(
		verdict_out(router, 0, "192.168.1.2:7", "203.0.113.1:51821"), ROUTER_DROPPED);
	router_free(router);
}

TEST(router_forgets_what_was_never_answered_after_30_seconds)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router = make_router(&options);

	(void)state;
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	assert_int_equal(router_mappings(router, 30 * USEC_SECOND - 1), 1);
	assert_int_equal(router_mappings(router, 30 * USEC_SECOND), 0);
	assert_false(enters(router, 30 * USEC_SECOND, HUB, PORT, "192.168.1.2:51820"));
	router_free(router);
}

TEST(router_remembers_what_went_both_ways_for_120_seconds)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router = make_router(&options);
	usec_t now = USEC_SECOND;

	(void)state;
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	assert_true(enters(router, now, HUB, PORT, "192.168.1.2:51820"));
	now += 120 * USEC_SECOND - 1;
	assert_true(enters(router, now, HUB, PORT, "192.168.1.2:51820"));
	now += 120 * USEC_SECOND;
	assert_false(enters(router, now, HUB, PORT, "192.168.1.2:51820"));
	router_free(router);
}

TEST(router_may_ask_a_flow_to_last_before_it_is_assured)
{
	/* Linux: what is over within 2 s was no stream, and has 30 s. */
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.assured_after = 2 * USEC_SECOND;
	router = make_router(&options);
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	assert_true(enters(router, USEC_SECOND, HUB, PORT, "192.168.1.2:51820"));
	assert_int_equal(router_mappings(router, 31 * USEC_SECOND), 0);
	(void)port_of(router, 2 * USEC_SECOND, "192.168.1.2:51820", HUB);
	assert_int_equal(router_mappings(router, 122 * USEC_SECOND - 1), 1);
	router_free(router);
}

TEST(router_mapping_is_refreshed_by_what_goes_out)
{
	/* RFC 4787: outbound MUST refresh. */
	struct router_options options = symmetric_options("203.0.113.1");
	struct router *router = make_router(&options);
	uint16_t port = port_of(router, 0, "192.168.1.2:51820", HUB);
	usec_t now = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		now += 25 * USEC_SECOND;
		assert_int_equal(port_of(router, now, "192.168.1.2:51820", HUB), port);
	}
	assert_true(enters(router, now, HUB, port, "192.168.1.2:51820"));
	router_free(router);
}

TEST(router_hole_is_not_held_open_by_strangers)
{
	/* A full cone's binding lives by what the inside sends; strangers keep but their own way.
	 */
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	usec_t now = 0;

	(void)state;
	options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	router = make_router(&options);
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	for (; now < 60 * USEC_SECOND; now += 20 * USEC_SECOND)
		assert_true(enters(router, now, "198.51.100.2:7", PORT, "192.168.1.2:51820"));
	assert_int_equal(verdict_in(router, now, "198.51.100.3:7", PORT), ROUTER_DROPPED);
	router_free(router);
}

TEST(router_refuses_more_ports_than_a_host_may_have_and_evicts_none)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct router *router;
	uint16_t port;

	(void)state;
	options.ports_max = 2;
	router = make_router(&options);
	port = port_of(router, 0, "192.168.1.2:51820", "198.51.100.1:1");
	(void)port_of(router, 0, "192.168.1.2:51820", "198.51.100.1:2");
	assert_int_equal(
		verdict_out(router, 0, "192.168.1.2:51820", "198.51.100.1:3"), ROUTER_DROPPED);
	assert_true(enters(router, 0, "198.51.100.1:1", port, "192.168.1.2:51820"));
	/* Another host has its own share; and time gives back. */
	(void)port_of(router, 0, "192.168.1.3:51820", "198.51.100.1:3");
	(void)port_of(router, 30 * USEC_SECOND, "192.168.1.2:51820", "198.51.100.1:3");
	router_free(router);
}

TEST(router_counts_ports_not_destinations)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.ports_max = 1;
	router = make_router(&options);
	for (int i = 1; i < 100; i++) {
		struct packet packet = datagram("192.168.1.2:51820", HUB);

		packet.destination.port = (uint16_t)i;
		assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_OUT);
	}
	assert_int_equal(verdict_out(router, 0, "192.168.1.2:51821", HUB), ROUTER_DROPPED);
	assert_int_equal(router_mappings(router, 0), 99);
	router_free(router);
}

TEST(router_counts_no_port_twice)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router;

	(void)state;
	options.port_mapping = true;
	options.ports_max = 1;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_HOUR), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

TEST(router_that_has_given_all_ports_drops)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct packet packet = datagram("192.168.1.2:51820", HUB);
	struct router *router;
	uint32_t given = 0;

	(void)state;
	options.allocation = ROUTER_PORT_SEQUENTIAL;
	router = make_router(&options);
	for (uint16_t port = 1; port < 65000; port++) {
		struct packet next = {.source = packet.source, .destination = packet.destination};

		next.destination.port = port;
		if (router_from_inside(router, 0, &next) != ROUTER_OUT)
			break;
		given++;
	}
	assert_int_equal(given, 65536 - 1024);
	assert_int_equal(
		verdict_out(router, 30 * USEC_SECOND, "192.168.1.2:51820", HUB), ROUTER_OUT);
	assert_int_equal(router_mappings(router, 30 * USEC_SECOND), 1);
	router_free(router);
}

TEST(router_with_a_full_table_drops_what_is_new)
{
	struct router_options options = home_options("203.0.113.1");
	struct packet packet = datagram(HUB, "203.0.113.1:51820");
	struct router *router;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	for (uint32_t i = 0; i < 65536; i++) {
		packet.source.address = address_ipv4(0xc6120000 + i);
		assert_int_equal(router_from_outside(router, 0, &packet), ROUTER_CONSUMED);
	}
	assert_int_equal(verdict_in(router, 0, HUB, PORT), ROUTER_DROPPED);
	assert_int_equal(verdict_out(router, 0, "192.168.1.2:51820", HUB), ROUTER_DROPPED);
	assert_int_equal(router_mappings(router, 0), 65536);
	assert_int_equal(port_of(router, 30 * USEC_SECOND, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

TEST(router_that_blocks_udp_lets_nothing_pass)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router;

	(void)state;
	options.udp_blocked = true;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_NEVER), PORT);
	assert_int_equal(verdict_out(router, 0, "192.168.1.2:51820", HUB), ROUTER_DROPPED);
	assert_int_equal(verdict_in(router, 0, HUB, PORT), ROUTER_DROPPED);
	assert_int_equal(
		verdict_out(router, 0, "[2001:db8::2]:51820", "[2001:db8:1::1]:1"), ROUTER_DROPPED);
	assert_int_equal(router_mappings(router, 0), 0);
	router_free(router);
}

TEST(router_drops_what_is_malformed_or_not_for_it)
{
	struct router_options options = home_options("203.0.113.1");
	struct packet mixed = {.source = at("192.168.1.2:1"), .destination = at("[2001:db8::1]:1")};
	struct packet elsewhere = datagram(HUB, "192.168.1.2:51820");
	struct packet no_port = datagram("192.168.1.2:51820", HUB);
	struct packet nothing = {0};
	struct router *router;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	no_port.destination.port = 0;
	assert_int_equal(router_from_inside(router, 0, &mixed), ROUTER_DROPPED);
	assert_int_equal(router_from_inside(router, 0, &no_port), ROUTER_DROPPED);
	assert_int_equal(router_from_inside(router, 0, &nothing), ROUTER_DROPPED);
	assert_int_equal(router_from_outside(router, 0, &nothing), ROUTER_DROPPED);
	assert_int_equal(router_from_outside(router, 0, &elsewhere), ROUTER_DROPPED);
	assert_int_equal(router_mappings(router, 0), 0);
	router_free(router);
}

TEST(router_that_is_rebooted_has_forgotten_all_but_forwards)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint forwarded = at("192.168.1.3:1");
	struct endpoint leased = at("192.168.1.4:2");
	struct router *router;

	(void)state;
	options.port_mapping = true;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &forwarded, 1, USEC_NEVER), 1);
	assert_int_equal(router_map(router, 0, &leased, 2, USEC_DAY), 2);
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	router_reboot(router);
	assert_int_equal(router_mappings(router, 0), 0);
	assert_false(enters(router, 0, HUB, PORT, "192.168.1.2:51820"));
	assert_false(enters(router, 0, HUB, 2, "192.168.1.4:2"));
	assert_true(enters(router, 0, HUB, 1, "192.168.1.3:1"));
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

TEST(router_that_is_renumbered_has_another_address_and_only_its_forwards)
{
	struct router_options options = home_options("203.0.113.1");
	struct packet old = datagram(HUB, "203.0.113.1:1");
	struct packet packet = datagram("192.168.1.2:51820", HUB);
	struct endpoint forwarded = at("192.168.1.3:1");
	struct endpoint leased = at("192.168.1.4:2");
	struct address outside = address_ipv4(0xcb007109);
	struct router *router;

	(void)state;
	options.port_mapping = true;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &forwarded, 1, USEC_NEVER), 1);
	assert_int_equal(router_map(router, 0, &leased, 2, USEC_DAY), 2);
	(void)port_of(router, 0, "192.168.1.2:51820", HUB);
	router_renumber(router, &outside);
	assert_int_equal(router_mappings(router, 0), 0);
	assert_int_equal(router_from_outside(router, 0, &old), ROUTER_DROPPED);
	assert_false(enters(router, 0, HUB, PORT, "192.168.1.2:51820"));
	assert_false(enters(router, 0, HUB, 2, "192.168.1.4:2"));
	assert_true(enters(router, 0, HUB, 1, "192.168.1.3:1"));
	assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_OUT);
	assert_at(&packet.source, "203.0.113.9:51820");
	router_free(router);
}

TEST(router_lease_lets_everybody_in_until_it_ends)
{
	/* nat.md section 11. */
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router;
	usec_t now = 0;

	(void)state;
	options.port_mapping = true;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(router_map(router, now, &inside, PORT, 7200 * USEC_SECOND), PORT);
	assert_true(enters(router, now, HUB, PORT, "192.168.1.2:51820"));
	/* A peer that comes first finds the host, and so makes no poison. */
	assert_int_equal(port_of(router, now, "192.168.1.2:51820", HUB), PORT);
	now += 3600 * USEC_SECOND;
	assert_int_equal(router_map(router, now, &inside, PORT, 7200 * USEC_SECOND), PORT);
	now += 7200 * USEC_SECOND - 1;
	assert_true(enters(router, now, "198.51.100.2:1", PORT, "192.168.1.2:51820"));
	assert_int_equal(verdict_in(router, now + 1, "198.51.100.3:1", PORT), ROUTER_CONSUMED);
	router_free(router);
}

TEST(router_lease_is_given_back_by_lifetime_zero)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router;

	(void)state;
	options.port_mapping = true;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &inside, 0, USEC_HOUR), PORT);
	assert_int_equal(router_map(router, 0, &inside, 0, 0), 0);
	assert_int_equal(verdict_in(router, 0, HUB, PORT), ROUTER_DROPPED);
	router_free(router);
}

TEST(router_lease_gets_another_port_where_the_wanted_one_is_taken)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint first = at("192.168.1.2:51820");
	struct endpoint second = at("192.168.1.3:51820");
	struct router *router;
	uint16_t port;

	(void)state;
	options.port_mapping = true;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &first, PORT, USEC_HOUR), PORT);
	port = router_map(router, 0, &second, PORT, USEC_HOUR);
	assert_in_range(port, 1024, 65535);
	assert_int_not_equal(port, PORT);
	assert_true(enters(router, 0, HUB, PORT, "192.168.1.2:51820"));
	assert_true(enters(router, 0, HUB, port, "192.168.1.3:51820"));
	/* Asking again gives the same; a forward has the port that it names, or none. */
	assert_int_equal(router_map(router, 0, &second, PORT, USEC_HOUR), port);
	assert_int_equal(router_map(router, 0, &second, PORT, USEC_NEVER), 0);
	router_free(router);
}

TEST(router_lease_is_refused_where_port_mapping_is_off_or_the_host_has_its_ports)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct endpoint second = at("192.168.1.2:51821");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_HOUR), 0);
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_NEVER), PORT);
	router_free(router);
	options.port_mapping = true;
	options.ports_max = 1;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_HOUR), PORT);
	assert_int_equal(router_map(router, 0, &second, 0, USEC_HOUR), 0);
	router_free(router);
}

TEST(router_forward_is_answered_from_its_port_under_every_mapping)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_map(router, 0, &inside, 443, USEC_NEVER), 443);
	assert_true(enters(router, 0, HUB, 443, "192.168.1.2:51820"));
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), 443);
	router_free(router);
}

TEST(router_that_masquerades_takes_no_port_over_from_a_forward)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_map(router, 0, &inside, 443, USEC_NEVER), 443);
	assert_true(enters(router, 0, HUB, 443, "192.168.1.2:51820"));
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), 443);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", "198.51.100.2:7"), PORT);
	router_free(router);
}

TEST(router_forward_shares_its_port_with_nobody)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at("192.168.1.2:51820");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_map(router, 0, &inside, PORT, USEC_NEVER), PORT);
	assert_int_not_equal(port_of(router, 0, "192.168.1.3:51820", HUB), PORT);
	assert_int_equal(port_of(router, 0, "192.168.1.2:51820", HUB), PORT);
	router_free(router);
}

#define SIX "[2001:db8:a::2]:51820"

static enum router_verdict six_in(struct router *router, usec_t now, const char *remote)
{
	struct packet packet = datagram(remote, SIX);
	enum router_verdict verdict = router_from_outside(router, now, &packet);

	assert_at(&packet.source, remote);
	assert_at(&packet.destination, SIX);
	return verdict;
}

TEST(router_passes_ipv6_as_it_is)
{
	struct router_options options = symmetric_options("203.0.113.1");
	struct packet packet = datagram(SIX, "[2001:db8:b::2]:7");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_OUT);
	assert_at(&packet.source, SIX);
	assert_at(&packet.destination, "[2001:db8:b::2]:7");
	assert_int_equal(six_in(router, 1, "[2001:db8:b::2]:7"), ROUTER_IN);
	router_free(router);
}

TEST(router_filters_ipv6_by_scope_and_forgets_in_time)
{
	struct router_options options = home_options("203.0.113.1");

	(void)state;
	for (int i = 1; i <= 3; i++) {
		struct router *router;

		options.filtering = (enum router_scope)i;
		router = make_router(&options);
		assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:7"), ROUTER_DROPPED);
		assert_int_equal(verdict_out(router, 0, SIX, "[2001:db8:b::2]:7"), ROUTER_OUT);
		assert_int_equal(six_in(router, 0, "[2001:db8:b::3]:7") == ROUTER_IN, i == 1);
		assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:8") == ROUTER_IN, i <= 2);
		assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:7"), ROUTER_IN);
		assert_int_equal(
			six_in(router, 120 * USEC_SECOND, "[2001:db8:b::2]:7"), ROUTER_DROPPED);
		router_free(router);
	}
}

TEST(router_filter_of_ipv6_is_not_held_open_by_strangers)
{
	struct router_options options = home_options("203.0.113.1");
	struct router *router;
	usec_t now = 0;

	(void)state;
	options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	router = make_router(&options);
	assert_int_equal(verdict_out(router, 0, SIX, "[2001:db8:b::2]:7"), ROUTER_OUT);
	for (; now < 60 * USEC_SECOND; now += 20 * USEC_SECOND)
		(void)six_in(router, now, "[2001:db8:b::3]:7");
	assert_int_equal(six_in(router, now, "[2001:db8:b::4]:7"), ROUTER_DROPPED);
	router_free(router);
}

TEST(router_filter_of_ipv6_is_not_poisoned)
{
	/* lab.md section 4: "drops unsolicited packets and leaves no trace". */
	struct router_options options = home_options("203.0.113.1");
	struct router *router;

	(void)state;
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:7"), ROUTER_DROPPED);
	assert_int_equal(router_mappings(router, 0), 0);
	assert_int_equal(verdict_out(router, 0, SIX, "[2001:db8:b::2]:7"), ROUTER_OUT);
	assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:7"), ROUTER_IN);
	router_free(router);
}

TEST(router_takes_ipv6_to_itself_only_where_input_accepts)
{
	struct router_options options = home_options("2001:db8:a::1");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(verdict_in(router, 0, "[2001:db8:b::2]:7", PORT), ROUTER_DROPPED);
	router_free(router);
	options.input = ROUTER_INPUT_ACCEPT;
	router = make_router(&options);
	assert_int_equal(verdict_in(router, 0, "[2001:db8:b::2]:7", PORT), ROUTER_CONSUMED);
	assert_int_equal(router_mappings(router, 0), 0);
	router_free(router);
}

TEST(router_opens_ipv6_by_a_lease_without_another_port)
{
	struct router_options options = home_options("203.0.113.1");
	struct endpoint inside = at(SIX);
	struct router *router;

	(void)state;
	options.port_mapping = true;
	router = make_router(&options);
	assert_int_equal(router_map(router, 0, &inside, 7, USEC_HOUR), PORT);
	assert_int_equal(six_in(router, 0, "[2001:db8:b::2]:7"), ROUTER_IN);
	assert_int_equal(six_in(router, USEC_HOUR, "[2001:db8:b::3]:7"), ROUTER_DROPPED);
	router_free(router);
}

TEST(router_without_ipv4_outside_passes_ipv4_as_it_is)
{
	struct router_options options = home_options("2001:db8:a::1");
	struct packet packet = datagram("192.0.2.2:51820", HUB);
	struct packet stranger = datagram("198.51.100.2:1", "192.0.2.2:51820");
	struct packet answer = datagram(HUB, "192.0.2.2:51820");
	struct router *router = make_router(&options);

	(void)state;
	assert_int_equal(router_from_inside(router, 0, &packet), ROUTER_OUT);
	assert_at(&packet.source, "192.0.2.2:51820");
	assert_int_equal(router_from_outside(router, 0, &stranger), ROUTER_DROPPED);
	assert_int_equal(router_from_outside(router, 0, &answer), ROUTER_IN);
	router_free(router);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(router_poison_takes_the_port_where_input_accepts_and_the_peer_was_first),
		CASE(router_pair_that_drops_meets_with_the_second_packet),
		CASE(router_that_accepts_never_meets_one_that_went_first),
		CASE(router_that_accepts_meets_when_it_goes_first),
		CASE(router_pair_that_accepts_never_meets),
		CASE(router_pair_that_accepts_meets_after_openers_with_low_ttl),
		CASE(router_poison_outlives_a_short_silence),
		CASE(router_poison_is_gone_after_35_seconds_of_silence),
		CASE(router_poison_is_refreshed_by_every_packet_of_the_peer),
		CASE(router_poison_concerns_one_remote_endpoint),
		CASE(router_poison_comes_as_well_where_the_hole_does_not_match),
		CASE(router_substitute_spreads_to_later_destinations_of_the_socket),
		CASE(router_port_is_kept_again_when_the_substitute_has_gone),
		CASE(router_is_classified_as_what_it_was_made),
		CASE(router_mapping_lives_on_in_what_came_through_it_and_was_answered),
		CASE(router_keeps_a_low_port_and_substitutes_by_a_high_one),
		CASE(router_that_masquerades_shares_a_port_except_towards_one_destination),
		CASE(router_with_wide_holes_gives_a_port_to_one_host),
		CASE(router_with_dependent_mappings_gives_a_port_to_one_host),
		CASE(router_changes_the_source_where_a_socket_has_two_ports_towards_one_remote),
		CASE(router_draws_the_same_ports_from_the_same_seed),
		CASE(router_pairs_meet_where_the_table_says_so_and_nowhere_else),
		CASE(router_pair_of_restricted_and_symmetric_depends_on_the_order),
		CASE(router_with_sequential_ports_is_met_by_prediction),
		CASE(router_chain_maps_as_its_most_dependent_layer),
		CASE(router_chain_filters_as_its_strictest_layer),
		CASE(router_chain_forgets_with_its_shortest_timeout),
		CASE(router_chain_is_opened_by_port_mapping_in_its_inner_layer_only),
		CASE(router_with_hairpin_lets_two_homes_behind_it_meet),
		CASE(router_routes_between_its_inside_networks_without_translation),
		CASE(router_hairpin_comes_from_the_outside_mapping),
		CASE(router_hairpin_needs_the_option_and_a_mapped_port),
		CASE(router_forgets_what_was_never_answered_after_30_seconds),
		CASE(router_remembers_what_went_both_ways_for_120_seconds),
		CASE(router_may_ask_a_flow_to_last_before_it_is_assured),
		CASE(router_mapping_is_refreshed_by_what_goes_out),
		CASE(router_hole_is_not_held_open_by_strangers),
		CASE(router_refuses_more_ports_than_a_host_may_have_and_evicts_none),
		CASE(router_counts_ports_not_destinations),
		CASE(router_counts_no_port_twice),
		CASE(router_that_has_given_all_ports_drops),
		CASE(router_with_a_full_table_drops_what_is_new),
		CASE(router_that_blocks_udp_lets_nothing_pass),
		CASE(router_drops_what_is_malformed_or_not_for_it),
		CASE(router_that_is_rebooted_has_forgotten_all_but_forwards),
		CASE(router_that_is_renumbered_has_another_address_and_only_its_forwards),
		CASE(router_lease_lets_everybody_in_until_it_ends),
		CASE(router_lease_is_given_back_by_lifetime_zero),
		CASE(router_lease_gets_another_port_where_the_wanted_one_is_taken),
		CASE(router_lease_is_refused_where_port_mapping_is_off_or_the_host_has_its_ports),
		CASE(router_forward_is_answered_from_its_port_under_every_mapping),
		CASE(router_that_masquerades_takes_no_port_over_from_a_forward),
		CASE(router_forward_shares_its_port_with_nobody),
		CASE(router_passes_ipv6_as_it_is),
		CASE(router_filters_ipv6_by_scope_and_forgets_in_time),
		CASE(router_filter_of_ipv6_is_not_held_open_by_strangers),
		CASE(router_filter_of_ipv6_is_not_poisoned),
		CASE(router_takes_ipv6_to_itself_only_where_input_accepts),
		CASE(router_opens_ipv6_by_a_lease_without_another_port),
		CASE(router_without_ipv4_outside_passes_ipv4_as_it_is),
	};

	return RUN(cases);
}

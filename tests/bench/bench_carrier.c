/* SPDX-License-Identifier: MIT */
/*
 * bench_carrier.c - what the carrier takes, beside wg, and what its switches lose.
 *
 *   peers     1 and 1,000 peers told to an empty interface, in turns with "wg syncconf" of as many
 *   nothing   a look at 1,024 peers and all routes that finds nothing to do
 *   switches  1,000 times a route to and fro between two interfaces, under 1,000 packets/s
 *
 * Needs root; everything happens in namespaces of its own. Times are of this machine: the ratios
 * and the losses are the figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/carrier.h"

#define ROUNDS 7
#define MANY 1000
#define NOTHING_PEERS 1024
#define NOTHING_ROUNDS 30
#define SWITCHES 1000
#define SWITCH_EVERY (10 * USEC_MSEC)
#define PACKET_EVERY USEC_MSEC
#define PORT 40000
#define PATIENCE (10 * USEC_SECOND)

extern char **environ;

static usec_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

static void rest(usec_t time)
{
	const struct timespec wait = {
		(time_t)(time / USEC_SECOND), (long)(time % USEC_SECOND * 1000)};

	(void)nanosleep(&wait, NULL);
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_carrier: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Runs a program, without a shell, and waits for its end. */
static void run(const char *const *words)
{
	pid_t child;
	int status;

	check(posix_spawnp(
		      &child, words[0], NULL, NULL, (char *const *)(uintptr_t)words, environ) == 0,
		words[0]);
	check(waitpid(child, &status, 0) == child && status == 0, words[0]);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static int by_size(const void *a, const void *b)
{
	usec_t x = *(const usec_t *)a;
	usec_t y = *(const usec_t *)b;

	return (x > y) - (x < y);
}

static usec_t median(usec_t *times, size_t count)
{
	qsort(times, count, sizeof *times, by_size);
	return times[count / 2];
}

static struct key draw(void)
{
	struct key key;

	randombytes_buf(key.bytes, sizeof key.bytes);
	return key;
}

static struct key public_of(const struct key *secret)
{
	struct key key;

	(void)crypto_scalarmult_base(key.bytes, secret->bytes);
	return key;
}

/* A carrier, and what it is told. */

static struct log quiet;

static struct carrier *open_carrier(const char *backbone, const char *links, uint16_t port)
{
	struct carrier_options options = {.implementation = CONFIG_IMPLEMENTATION_AUTO,
		.peers_max = 4096,
		.prefixes_max = 8192,
		.log = &quiet};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct carrier *carrier = NULL;

	(void)snprintf(options.interfaces[SITE_BACKBONE].name, WIREGUARD_NAME_SIZE, "%s", backbone);
	(void)snprintf(options.interfaces[SITE_LINKS].name, WIREGUARD_NAME_SIZE, "%s", links);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		options.interfaces[i].mtu = 1420;
		options.interfaces[i].port = (uint16_t)(port + i);
	}
	check(carrier_open(&carrier, &options, why) == 0, why);
	return carrier;
}

static void want_device(struct carrier *carrier, enum site_interface interface,
	const struct key *secret, uint32_t address)
{
	struct site_action action = {
		.kind = SITE_DEVICE, .interface = interface, .device = *secret};

	carrier_want(carrier, &action);
	action = (struct site_action){.kind = SITE_ADDRESS, .interface = interface};
	action.address.address = address_ipv4(address);
	carrier_want(carrier, &action);
}

static void want_peer(struct carrier *carrier, enum site_interface interface,
	const struct key *peer, const struct key *preshared, const char *host, uint16_t port)
{
	struct site_action action = {.kind = SITE_PEER, .interface = interface};

	action.peer.key = *peer;
	action.peer.preshared = *preshared;
	if (host) {
		action.peer.set_endpoint = true;
		action.peer.port = port;
		(void)snprintf(action.peer.host, sizeof action.peer.host, "%s", host);
	}
	carrier_want(carrier, &action);
}

static void want_allow(struct carrier *carrier, enum site_interface interface,
	const struct key *peer, struct prefix prefix)
{
	struct site_action action = {.kind = SITE_ALLOW, .interface = interface};

	action.allow.key = *peer;
	action.allow.prefix = prefix;
	carrier_want(carrier, &action);
}

static void want(struct carrier *carrier, enum site_action_kind kind, enum site_route_kind route,
	struct prefix prefix)
{
	struct site_action action = {.kind = kind};

	action.route.kind = route;
	action.route.prefix = prefix;
	carrier_want(carrier, &action);
}

static void apply(struct carrier *carrier)
{
	carrier_apply(carrier, now());
	if (carrier_trouble(carrier)[0])
		(void)fprintf(stderr, "bench_carrier: %s\n", carrier_trouble(carrier));
	check(!carrier_trouble(carrier)[0], "the carrier was refused something");
}

static struct prefix subnet(uint32_t number)
{
	return (struct prefix){address_ipv4(0x0a000000 + (number << 8)), 24};
}

/* Peers. */

static void write_config(
	const char *path, const struct key *private_key, const struct key *peers, uint32_t count)
{
	FILE *file = fopen(path, "we");
	char text[KEY_BASE64_SIZE];

	check(file != NULL, path);
	/* Up and with a key, as ours is, an interface does more for every peer. */
	key_to_base64(private_key, text);
	(void)fprintf(file, "[Interface]\nPrivateKey = %s\n", text);
	for (uint32_t i = 0; i < count; i++) {
		struct prefix prefix = subnet(i + 1);
		char network[PREFIX_TEXT_SIZE];

		key_to_base64(&peers[i], text);
		prefix_print(&prefix, network);
		(void)fprintf(file,
			"[Peer]\nPublicKey = %s\nPresharedKey = %s\nEndpoint = 192.0.2.2:%u\n"
			"AllowedIPs = %s\n",
			text, text, 1000 + i, network);
	}
	check(fclose(file) == 0, path);
}

static usec_t tell_carrier(struct carrier *carrier, const struct key *peers, uint32_t count)
{
	usec_t begin;
	usec_t took;

	for (uint32_t i = 0; i < count; i++) {
		want_peer(carrier, SITE_BACKBONE, &peers[i], &peers[i], "192.0.2.2",
			(uint16_t)(1000 + i));
		want_allow(carrier, SITE_BACKBONE, &peers[i], subnet(i + 1));
	}
	begin = now();
	apply(carrier);
	took = now() - begin;
	for (uint32_t i = 0; i < count; i++) {
		struct site_action action = {.kind = SITE_PEER_REMOVE};

		action.allow.key = peers[i];
		carrier_want(carrier, &action);
	}
	apply(carrier);
	return took;
}

static usec_t tell_wg(const char *path, const struct key *peers, uint32_t count)
{
	usec_t begin;
	struct key private_key = draw();
	usec_t took;

	write_config(path, &private_key, peers, count);
	begin = now();
	RUN("wg", "syncconf", "wgb1", path);
	took = now() - begin;
	write_config(path, &private_key, peers, 0);
	RUN("wg", "syncconf", "wgb1", path);
	return took;
}

static void bench_peers(struct carrier *carrier, const char *directory, uint32_t count)
{
	struct key *peers = calloc(count, sizeof *peers);
	usec_t ours[ROUNDS];
	usec_t theirs[ROUNDS];
	char path[256];

	check(peers != NULL, "memory");
	(void)snprintf(path, sizeof path, "%s/wg.conf", directory);
	for (uint32_t i = 0; i < count; i++)
		peers[i] = draw();
	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = tell_carrier(carrier, peers, count);
		theirs[i] = tell_wg(path, peers, count);
	}
	(void)printf("%5" PRIu32 " peers            %8" PRId64 " us   wg syncconf %8" PRId64
		     " us   ratio %.2f (goal 1.00)\n",
		count, median(ours, ROUNDS), median(theirs, ROUNDS),
		(double)median(ours, ROUNDS) / (double)median(theirs, ROUNDS));
	free(peers);
}

static void bench_nothing(struct carrier *carrier)
{
	struct key keys[NOTHING_PEERS];
	usec_t times[NOTHING_ROUNDS];
	usec_t fake;

	for (uint32_t i = 0; i < NOTHING_PEERS; i++) {
		keys[i] = draw();
		want_peer(carrier, SITE_BACKBONE, &keys[i], &keys[i], NULL, 0);
		want_allow(carrier, SITE_BACKBONE, &keys[i], subnet(i + 1));
	}
	apply(carrier);
	fake = now();
	for (int i = 0; i < NOTHING_ROUNDS; i++) {
		usec_t begin = now();

		/* In a minute, as it were, when all is due to be looked at. */
		fake += 2 * USEC_MINUTE;
		carrier_turn(carrier, fake);
		times[i] = now() - begin;
	}
	check(carrier_repairs(carrier) == 0, "something was put right that was right");
	(void)printf("nothing to do, %d peers %6" PRId64 " us   (goal 10000)\n", NOTHING_PEERS,
		median(times, NOTHING_ROUNDS));
}

/* Switches. */

static int own_namespace;
static int other_namespace;

static void enter(int descriptor)
{
	check(setns(descriptor, CLONE_NEWNET) == 0, "entering a namespace");
}

static int open_namespace(void)
{
	int descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	check(descriptor >= 0, "/proc/self/ns/net");
	return descriptor;
}

/* Two machines and a wire between them. */
static void make_wire(void)
{
	char self[64];

	own_namespace = open_namespace();
	check(unshare(CLONE_NEWNET) == 0, "a second namespace");
	other_namespace = open_namespace();
	RUN("ip", "link", "set", "lo", "up");
	(void)snprintf(self, sizeof self, "/proc/%d/fd/%d", getpid(), own_namespace);
	RUN("ip", "link", "add", "name", "wire", "type", "veth", "peer", "name", "wire", "netns",
		self);
	RUN("ip", "addr", "add", "192.0.2.2/24", "dev", "wire");
	RUN("ip", "link", "set", "wire", "up");
	enter(own_namespace);
	RUN("ip", "addr", "add", "192.0.2.1/24", "dev", "wire");
	RUN("ip", "link", "set", "wire", "up");
}

struct end {
	struct carrier *carrier;
	struct key secrets[SITE_INTERFACES];
	struct key publics[SITE_INTERFACES];
	uint32_t address;
	const char *host;
	uint16_t port;
	struct prefix prefix;
};

static void meet(struct end *own, const struct end *other)
{
	const struct prefix all = {address_ipv4(0x0a640000), 16};
	const struct key none = {{0}};

	for (int i = 0; i < SITE_INTERFACES; i++) {
		enum site_interface interface = (enum site_interface)i;

		want_device(own->carrier, interface, &own->secrets[i], own->address);
		want_peer(own->carrier, interface, &other->publics[i], &none, other->host,
			(uint16_t)(other->port + i));
		want_allow(
			own->carrier, interface, &other->publics[i], i == 0 ? all : other->prefix);
	}
	want(own->carrier, SITE_ROUTE, SITE_ROUTE_GUARD, all);
	want(own->carrier, SITE_ROUTE, SITE_ROUTE_BACKBONE, all);
	want(own->carrier, SITE_ROUTE, SITE_ROUTE_BACKBONE, other->prefix);
	want(own->carrier, SITE_ROUTE, SITE_ROUTE_OWN, own->prefix);
	want(own->carrier, SITE_SETTLED, SITE_ROUTE_OWN, all);
	apply(own->carrier);
}

static void prepare_end(struct end *end, const char *backbone, const char *links)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		end->secrets[i] = draw();
		end->publics[i] = public_of(&end->secrets[i]);
	}
	end->carrier = open_carrier(backbone, links, end->port);
}

static int open_socket(uint32_t address, uint16_t port)
{
	const struct timeval patience = {.tv_usec = 200000};
	struct sockaddr_in own = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check(descriptor >= 0 && bind(descriptor, (struct sockaddr *)&own, sizeof own) == 0 &&
			setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
				sizeof patience) == 0,
		"a socket");
	return descriptor;
}

static void send_number(int descriptor, uint32_t address, uint32_t number)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(address)};

	(void)sendto(descriptor, &number, sizeof number, 0, (struct sockaddr *)&to, sizeof to);
}

/* Sends numbered packets until it is told to end; says on a pipe how many there were. */
static pid_t begin_sending(const struct end *from, const struct end *to, int *ret_pipe)
{
	int out[2];
	pid_t child;

	check(pipe2(out, O_CLOEXEC) == 0, "a pipe");
	child = fork();
	check(child >= 0, "a process");
	if (child == 0) {
		int descriptor = open_socket(from->address, 0);
		uint32_t count = SWITCHES * (uint32_t)(SWITCH_EVERY / PACKET_EVERY) + 500;
		usec_t next = now();

		for (uint32_t i = 1; i <= count; i++) {
			send_number(descriptor, to->address, i);
			next += PACKET_EVERY;
			if (next > now())
				rest(next - now());
		}
		check(write(out[1], &count, sizeof count) == sizeof count, "the pipe");
		_exit(EXIT_SUCCESS);
	}
	(void)close(out[1]);
	*ret_pipe = out[0];
	return child;
}

/* Counts packets, each once, until none has come for a while; says on a pipe how many there were.
 */
static pid_t begin_counting(const struct end *at, int *ret_pipe)
{
	int out[2];
	pid_t child;

	check(pipe2(out, O_CLOEXEC) == 0, "a pipe");
	child = fork();
	check(child >= 0, "a process");
	if (child == 0) {
		static bool seen[1 << 16];
		int descriptor = open_socket(at->address, PORT);
		uint32_t count = 0;
		usec_t last = now();

		while (now() - last < 2 * USEC_SECOND) {
			uint32_t number;

			if (recv(descriptor, &number, sizeof number, 0) != sizeof number)
				continue;
			last = now();
			if (number == 0 || number >= sizeof seen || seen[number])
				continue;
			seen[number] = true;
			count++;
		}
		check(write(out[1], &count, sizeof count) == sizeof count, "the pipe");
		_exit(EXIT_SUCCESS);
	}
	(void)close(out[1]);
	*ret_pipe = out[0];
	return child;
}

static uint32_t read_count(int descriptor, pid_t child)
{
	uint32_t count = 0;

	check(read(descriptor, &count, sizeof count) == sizeof count, "a count");
	check(waitpid(child, NULL, 0) == child, "a process");
	(void)close(descriptor);
	return count;
}

/* Both tunnels have a session once a packet has come through each. */
static void wake(struct end *own, const struct end *other)
{
	int here = open_socket(own->address, 0);
	int there;
	uint32_t number = 0;

	enter(other_namespace);
	there = open_socket(other->address, PORT);
	enter(own_namespace);
	for (int way = 0; way < 2; way++) {
		usec_t begin = now();

		want(own->carrier, SITE_ROUTE, way ? SITE_ROUTE_LINKS : SITE_ROUTE_BACKBONE,
			other->prefix);
		apply(own->carrier);
		do {
			check(now() - begin < PATIENCE, "no packet came through");
			send_number(here, other->address, 0);
		} while (recv(there, &number, sizeof number, 0) != sizeof number);
	}
	(void)close(here);
	(void)close(there);
}

static void bench_switches(void)
{
	struct end own = {.address = 0x0a640101,
		.host = "192.0.2.1",
		.port = 41000,
		.prefix = {address_ipv4(0x0a640100), 24}};
	struct end other = {.address = 0x0a640201,
		.host = "192.0.2.2",
		.port = 42000,
		.prefix = {address_ipv4(0x0a640200), 24}};
	uint32_t sent;
	uint32_t received;
	pid_t sender;
	pid_t counter;
	int sent_pipe;
	int received_pipe;
	usec_t next;

	make_wire();
	prepare_end(&own, "own0", "own1");
	enter(other_namespace);
	prepare_end(&other, "other0", "other1");
	meet(&other, &own);
	enter(own_namespace);
	meet(&own, &other);
	wake(&own, &other);
	enter(other_namespace);
	counter = begin_counting(&other, &received_pipe);
	enter(own_namespace);
	sender = begin_sending(&own, &other, &sent_pipe);
	next = now();
	for (int i = 0; i < SWITCHES; i++) {
		want(own.carrier, SITE_ROUTE, i % 2 ? SITE_ROUTE_LINKS : SITE_ROUTE_BACKBONE,
			other.prefix);
		apply(own.carrier);
		next += SWITCH_EVERY;
		if (next > now())
			rest(next - now());
	}
	sent = read_count(sent_pipe, sender);
	received = read_count(received_pipe, counter);
	(void)printf("%d switches           %8" PRIu32 " packets sent, %" PRIu32 " lost (goal 0)\n",
		SWITCHES, sent, sent - received);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		const struct key gone = {{0}};
		struct site_action action = {
			.kind = SITE_DEVICE, .interface = (enum site_interface)i, .device = gone};

		carrier_want(own.carrier, &action);
		enter(other_namespace);
		carrier_want(other.carrier, &action);
		enter(own_namespace);
	}
	carrier_apply(own.carrier, now());
	enter(other_namespace);
	carrier_apply(other.carrier, now());
	enter(own_namespace);
	carrier_close(own.carrier);
	carrier_close(other.carrier);
}

static void bench_local(const char *directory)
{
	struct carrier *carrier = open_carrier("wgb0", "wgb9", 43000);
	struct key secret = draw();
	struct site_action action = {.kind = SITE_DEVICE};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard *door = NULL;
	const struct wireguard_device *device;
	enum wireguard_kind kind = WIREGUARD_KERNEL;

	want_device(carrier, SITE_BACKBONE, &secret, 0x0a640001);
	apply(carrier);
	device = carrier_read(carrier, now(), SITE_BACKBONE);
	check(device != NULL, "the interface");
	/* Another one of the same kind, for wg. */
	if (wireguard_open(&door, kind, why) < 0) {
		kind = WIREGUARD_USERSPACE;
		check(wireguard_open(&door, kind, why) == 0, why);
	}
	check(wireguard_create(door, "wgb1", why) == 0, why);
	RUN("ip", "link", "set", "wgb1", "up");
	(void)printf("WireGuard: %s\n", wireguard_kind_name(kind));
	bench_peers(carrier, directory, 1);
	bench_peers(carrier, directory, MANY);
	bench_nothing(carrier);
	check(wireguard_destroy(door, "wgb1") == 0, "wgb1");
	wireguard_close(door);
	memset(&action.device, 0, sizeof action.device);
	carrier_want(carrier, &action);
	carrier_apply(carrier, now());
	carrier_close(carrier);
}

int main(void)
{
	char directory[] = "/tmp/bench-carrier-XXXXXX";
	char path[64];

	if (geteuid() != 0) {
		(void)fprintf(stderr, "bench_carrier: needs root, for namespaces of its own\n");
		return EXIT_FAILURE;
	}
	check(sodium_init() >= 0, "libsodium");
	log_init(&quiet, CONFIG_LEVEL_WARNING);
	check(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "namespaces");
	check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	check(mount("run", "/run", "tmpfs", 0, "mode=755") == 0, "a /run of its own");
	check(mkdtemp(directory) != NULL, directory);
	RUN("ip", "link", "set", "lo", "up");
	bench_local(directory);
	bench_switches();
	(void)snprintf(path, sizeof path, "%s/wg.conf", directory);
	(void)unlink(path);
	(void)rmdir(directory);
	return EXIT_SUCCESS;
}

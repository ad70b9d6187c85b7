/* SPDX-License-Identifier: MIT */
/*
 * bench_tap.c - what the tap costs a machine whose traffic it is not meant for: its filter is asked
 * about every packet that comes in.
 *
 *   packets   nanoseconds of a processor for each, sent and received over the loopback
 *             interface, with the tap and without in turns; beside it what the tap might have been
 *   stream    a TCP connection over the loopback interface
 *
 * Needs root; everything happens in a namespace of its own. The differences are the figures: what a
 * packet takes at all depends on the machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "agent/sockaddr.h"
#include "agent/tap.h"

#define PORT 51821
#define ROUNDS 31
#define PACKETS 10000
#define PACKET_SIZE 128
#define STREAM_ROUNDS 15
#define STREAM_MS 300
#define OTHER_PROTOCOL 253 /* RFC 3692: for experiments */

static struct event_base *loop;

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_tap: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec time;

	(void)clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void begin(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	check(unshare(CLONE_NEWNET) == 0, "a namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo");
	(void)close(fd);
	loop = event_base_new();
	check(loop, "a loop");
}

static void ignore(void *context, const struct tap_arrival *arrival)
{
	(void)context;
	(void)arrival;
}

static struct tap *tap_on(void)
{
	const struct tap_ground ground = {.port_count = 2, .ports = {PORT, PORT + 1}};
	char why[TAP_WHY_SIZE] = "";
	struct tap *tap;

	check(tap_new(&tap, loop, ignore, NULL, why) == 0, why);
	check(tap_follow(tap, &ground) == 0, "tap_follow");
	return tap;
}

/* What the tap is not: a packet socket that is asked about all protocols. */
static int one_for_all(void)
{
	const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	static const uint16_t ports[] = {PORT, PORT + 1};
	struct sock_filter filter[TAP_FILTER_MAX];
	struct sock_fprog program = {
		(unsigned short)tap_packet_filter(ADDRESS_IPV4, ports, 2, filter), filter};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int yes = 1;

	check(fd >= 0, "a packet socket");
	check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0,
		"a filter");
	check(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0,
		"PACKET_IGNORE_OUTGOING");
	check(bind(fd, (const struct sockaddr *)&all, sizeof all) == 0, "all protocols");
	return fd;
}

static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
static const struct sock_fprog nothing_passes = {1, nothing};

/* Nor is it a raw socket, which is asked about UDP for this machine only. */
static int raw_of(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);

	check(fd >= 0, "a raw socket");
	check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &nothing_passes,
		      sizeof nothing_passes) == 0,
		"a filter");
	return fd;
}

/* Who sends and who receives: nothing is queued. */
struct pair {
	int from;
	int to;
	struct sockaddr_storage address;
	socklen_t length;
};

static struct pair pair_of(const char *text, uint16_t port, int type, int protocol)
{
	struct endpoint endpoint = {.port = port};
	struct pair pair;

	check(address_parse(text, strlen(text), &endpoint.address) == 0, text);
	pair.length = sockaddr_from(&endpoint, &pair.address);
	pair.from = socket(pair.address.ss_family, type | SOCK_CLOEXEC, protocol);
	pair.to = socket(pair.address.ss_family, type | SOCK_CLOEXEC, protocol);
	check(pair.from >= 0 && pair.to >= 0, "sockets");
	check(setsockopt(pair.to, SOL_SOCKET, SO_ATTACH_FILTER, &nothing_passes,
		      sizeof nothing_passes) == 0,
		"a filter");
	check(bind(pair.to, (const struct sockaddr *)&pair.address, pair.length) == 0, "bind");
	return pair;
}

static double round_of(const struct pair *pair)
{
	uint8_t bytes[PACKET_SIZE] = {4}; /* WireGuard's data */
	int64_t begun = now_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < PACKETS; i++)
		check(sendto(pair->from, bytes, sizeof bytes, 0,
			      (const struct sockaddr *)&pair->address, pair->length) > 0,
			"sendto");
	return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - begun) / PACKETS;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double middle(double *values, size_t count)
{
	qsort(values, count, sizeof *values, compare);
	return values[count / 2];
}

static void measure(const char *what, const struct pair *pair)
{
	double without[ROUNDS];
	double tapped[ROUNDS];
	double all[ROUNDS];
	double raw[ROUNDS];
	double base;

	(void)round_of(pair);
	for (int i = 0; i < ROUNDS; i++) {
		struct tap *tap;
		int fd;

		without[i] = round_of(pair);
		tap = tap_on();
		tapped[i] = round_of(pair) - without[i];
		tap_free(tap);
		fd = one_for_all();
		all[i] = round_of(pair) - without[i];
		(void)close(fd);
		fd = raw_of(pair->address.ss_family);
		raw[i] = round_of(pair) - without[i];
		(void)close(fd);
	}
	base = middle(without, ROUNDS);
	(void)printf("%-26s %6.0f ns (%4.0f kpps): the tap %+5.0f ns, all protocols %+5.0f ns, raw "
		     "%+5.0f ns\n",
		what, base, 1e6 / base, middle(tapped, ROUNDS), middle(all, ROUNDS),
		middle(raw, ROUNDS));
	(void)close(pair->from);
	(void)close(pair->to);
}

/* Megabits a second. */
static double stream(int listener)
{
	static uint8_t bytes[65536];
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int64_t begun;
	int64_t total = 0;
	pid_t child;
	int fd;

	check(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
	child = fork();
	check(child >= 0, "fork");
	if (child == 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&address, length) == 0) {
			while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
				;
		}
		_exit(EXIT_SUCCESS);
	}
	fd = accept(listener, NULL, NULL);
	check(fd >= 0, "accept");
	begun = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) - begun < STREAM_MS * 1000000LL)
		total += recv(fd, bytes, sizeof bytes, 0);
	(void)close(fd);
	(void)waitpid(child, NULL, 0);
	return (double)total * 8e3 / (double)(now_ns(CLOCK_MONOTONIC) - begun);
}

static void measure_stream(void)
{
	const struct endpoint here = {address_ipv4(0x7f000001), PORT};
	double ratios[STREAM_ROUNDS];
	double without[STREAM_ROUNDS];
	struct sockaddr_storage address;
	socklen_t length = sockaddr_from(&here, &address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 &&
			listen(listener, 1) == 0,
		"a listener");
	for (int i = 0; i < STREAM_ROUNDS; i++) {
		struct tap *tap;

		without[i] = stream(listener);
		tap = tap_on();
		ratios[i] = stream(listener) / without[i];
		tap_free(tap);
	}
	(void)printf("%-26s %6.0f Mbit/s: with the tap %.2f of it\n", "stream of TCP",
		middle(without, STREAM_ROUNDS), middle(ratios, STREAM_ROUNDS));
	(void)close(listener);
}

int main(void)
{
	struct pair pair;

	begin();
	pair = pair_of("127.0.0.1", PORT, SOCK_DGRAM, 0);
	measure("WireGuard's, IPv4", &pair);
	pair = pair_of("::1", PORT, SOCK_DGRAM, 0);
	measure("WireGuard's, IPv6", &pair);
	pair = pair_of("127.0.0.1", 9, SOCK_DGRAM, 0);
	measure("other UDP", &pair);
	pair = pair_of("127.0.0.1", 0, SOCK_RAW, OTHER_PROTOCOL);
	measure("another protocol, as TCP", &pair);
	measure_stream();
	event_base_free(loop);
	return 0;
}

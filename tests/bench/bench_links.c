/* SPDX-License-Identifier: MIT */
/*
 * bench_links.c - what packets meet while something happens to a link: numbered datagrams both
 * ways between two sites, for bench_links.sh.
 *
 *   bench_links SECONDS RATE NAMESPACE ADDRESS NAMESPACE ADDRESS [-- COMMAND...]
 *
 * The command begins after a second of flow, and nobody waits for it. "ask DIRECTORY NAME" is none,
 * but a request to the agent whose socket is there for a link with that member: what a program
 * needs to begin, on an emulated machine a second, is left out. By the TTL that a packet has
 * left it is seen which way it took: one hop more by the hub. Prints a line: packets lost of those
 * sent, in one direction and in the other; the longest silence in milliseconds in either; and in
 * milliseconds since the command began, when the first packet came by another way than the last one
 * before it, in either direction, "-" for never; the same of the last change; the TTL of the last
 * packet in either.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/client.h"
#include "base/usec.h"

#define PORT 40001
#define PACKETS_MAX 200000
#define COMMAND_AFTER USEC_SECOND
#define LAST_WITHIN (3 * USEC_SECOND)
#define SIZE 64
#define RANGES_MAX 10

extern char **environ;

struct end {
	int socket;
	struct sockaddr_in address;
};

/* What came out of one direction. */
struct flow {
	uint32_t sent;
	uint32_t got;
	bool *seen;
	usec_t last_at;
	usec_t silence;
	int ttl;
	int ttl_before;         /* of the last one before the command */
	usec_t changed_at;      /* first, */
	usec_t changed_last_at; /* and last */
};

static usec_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench_links: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_end(struct end *end, const char *space, const char *address)
{
	char path[256];
	int descriptor;
	int yes = 1;

	(void)snprintf(path, sizeof path, "/run/netns/%s", space);
	descriptor = open(path, O_RDONLY | O_CLOEXEC);
	if (descriptor < 0 || setns(descriptor, CLONE_NEWNET) < 0)
		fail(path);
	(void)close(descriptor);
	end->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
	if (inet_pton(AF_INET, address, &end->address.sin_addr) != 1)
		fail(address);
	end->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (end->socket < 0 ||
		bind(end->socket, (const struct sockaddr *)&end->address, sizeof end->address) <
			0 ||
		setsockopt(end->socket, IPPROTO_IP, IP_RECVTTL, &yes, sizeof yes) < 0)
		fail("a socket");
}

static void send_one(const struct end *from, const struct end *to, struct flow *flow)
{
	uint8_t bytes[SIZE] = {0};

	memcpy(bytes, &flow->sent, sizeof flow->sent);
	/* What finds no way is lost like any other. */
	(void)sendto(from->socket, bytes, sizeof bytes, MSG_NOSIGNAL,
		(const struct sockaddr *)&to->address, sizeof to->address);
	flow->sent++;
}

static int ttl_of(struct msghdr *message)
{
	int ttl = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
		part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TTL)
			memcpy(&ttl, CMSG_DATA(part), sizeof ttl);
	}
	return ttl;
}

static void take(struct flow *flow, uint32_t number, int ttl, usec_t command_at)
{
	usec_t at = now();

	if (number >= PACKETS_MAX || flow->seen[number])
		return;
	flow->seen[number] = true;
	flow->got++;
	if (flow->last_at >= 0 && at - flow->last_at > flow->silence)
		flow->silence = at - flow->last_at;
	flow->last_at = at;
	if (command_at >= 0 && ttl != flow->ttl)
		flow->changed_last_at = at;
	flow->ttl = ttl;
	if (command_at < 0)
		flow->ttl_before = ttl;
	else if (flow->changed_at < 0 && ttl != flow->ttl_before)
		flow->changed_at = at;
}

static void receive_all(const struct end *end, struct flow *flow, usec_t command_at)
{
	uint8_t bytes[SIZE];
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control;
	uint32_t number;

	for (;;) {
		struct iovec part = {bytes, sizeof bytes};
		struct msghdr message = {.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control};
		ssize_t size = recvmsg(end->socket, &message, 0);

		if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (size != SIZE)
			continue;
		memcpy(&number, bytes, sizeof number);
		take(flow, number, ttl_of(&message), command_at);
	}
}

/* What it has to say is no business of whoever reads the figures. */
static void begin(pid_t *child, char **command)
{
	posix_spawn_file_actions_t actions;

	if (posix_spawn_file_actions_init(&actions) != 0 ||
		posix_spawn_file_actions_adddup2(&actions, 2, 1) != 0 ||
		posix_spawnp(child, command[0], &actions, NULL, command, environ) != 0)
		fail(command[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
}

/* Which ones were lost tells when: there are so many a second. */
static void say_lost(const struct flow *flow, const char *name)
{
	uint32_t ranges = 0;

	for (uint32_t i = 0, first; i < flow->sent && ranges < RANGES_MAX; i++) {
		if (flow->seen[i])
			continue;
		for (first = i; i + 1 < flow->sent && !flow->seen[i + 1]; i++) {
		}
		(void)fprintf(
			stderr, "# lost %s: packets %" PRIu32 " to %" PRIu32 "\n", name, first, i);
		ranges++;
	}
}

static void print_change(usec_t at, usec_t command_at)
{
	if (at < 0)
		(void)printf(" -");
	else
		(void)printf(" %.1f", (double)(at - command_at) / USEC_MSEC);
}

static void print(const struct flow flows[static 2], usec_t command_at)
{
	for (int i = 0; i < 2; i++)
		(void)printf("%s%" PRIu32 " %" PRIu32, i ? " " : "", flows[i].sent - flows[i].got,
			flows[i].sent);
	for (int i = 0; i < 2; i++)
		(void)printf(" %.1f", (double)flows[i].silence / USEC_MSEC);
	for (int i = 0; i < 2; i++)
		print_change(flows[i].changed_at, command_at);
	for (int i = 0; i < 2; i++)
		print_change(flows[i].changed_last_at, command_at);
	(void)printf(" %d %d\n", flows[0].ttl, flows[1].ttl);
}

struct bench {
	struct end ends[2];
	struct flow flows[2];
	char **command;       /* NULL: none */
	struct client client; /* descriptor -1: a command is to be begun */
	struct control_request request;
	pid_t child;
	usec_t command_at;
	usec_t begun_at;
	usec_t ends_at;
	usec_t next_at;
	usec_t every;
};

static void open_all(struct bench *bench, char **words)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < 2; i++) {
		open_end(&bench->ends[i], words[2 * i], words[2 * i + 1]);
		bench->flows[i] = (struct flow){
			.last_at = -1, .changed_at = -1, .changed_last_at = -1};
		bench->flows[i].seen = calloc(PACKETS_MAX, sizeof(bool));
		if (!bench->flows[i].seen)
			fail("memory");
	}
	if (own < 0 || setns(own, CLONE_NEWNET) < 0)
		fail("the own namespace");
}

static bool all_came(const struct bench *bench)
{
	return bench->flows[0].got == bench->flows[0].sent &&
	       bench->flows[1].got == bench->flows[1].sent;
}

static void turn(struct bench *bench)
{
	struct pollfd both[2] = {{.fd = bench->ends[0].socket, .events = POLLIN},
		{.fd = bench->ends[1].socket, .events = POLLIN}};
	bool flows = now() < bench->ends_at;
	usec_t left = (flows ? bench->next_at : bench->ends_at + LAST_WITHIN) - now();
	struct timespec wait = {.tv_nsec = left > 0 ? (long)(left % USEC_SECOND * 1000) : 0};

	if (bench->child < 0 && bench->command && now() >= bench->begun_at + COMMAND_AFTER) {
		bench->command_at = now();
		bench->child = 0;
		if (bench->client.descriptor < 0)
			begin(&bench->child, bench->command);
		else if (client_ask(&bench->client, &bench->request) < 0)
			fail("the agent");
	}
	(void)ppoll(both, 2, &wait, NULL);
	receive_all(&bench->ends[1], &bench->flows[0], bench->command_at);
	receive_all(&bench->ends[0], &bench->flows[1], bench->command_at);
	for (; now() < bench->ends_at && now() >= bench->next_at &&
		bench->flows[0].sent < PACKETS_MAX;
		bench->next_at += bench->every) {
		send_one(&bench->ends[0], &bench->ends[1], &bench->flows[0]);
		send_one(&bench->ends[1], &bench->ends[0], &bench->flows[1]);
	}
}

static void end(struct bench *bench)
{
	for (int i = 0; i < 2; i++) {
		struct flow *flow = &bench->flows[i];

		usec_t heard_at = flow->last_at >= 0 ? flow->last_at : bench->begun_at;

		/* A silence that has not ended is one, too. */
		if (bench->ends_at - heard_at > flow->silence)
			flow->silence = bench->ends_at - heard_at;
	}
	if (bench->client.descriptor >= 0)
		client_close(&bench->client);
	if (bench->child > 0)
		(void)waitpid(bench->child, NULL, 0);
	say_lost(&bench->flows[0], "there");
	say_lost(&bench->flows[1], "back");
	print(bench->flows, bench->command_at);
	free(bench->flows[0].seen);
	free(bench->flows[1].seen);
}

/* Connected before it matters. */
static void prepare_to_ask(struct bench *bench, const char *directory, const char *name)
{
	bench->request.version = CONTROL_VERSION;
	bench->request.kind = CONTROL_COMMAND;
	bench->request.command.kind = SITE_COMMAND_LINK;
	(void)snprintf(bench->request.command.name, sizeof bench->request.command.name, "%s", name);
	if (client_open(&bench->client, directory) < 0)
		fail("the agent");
}

int main(int argc, char **argv)
{
	struct bench bench = {.child = -1, .command_at = -1, .client = {.descriptor = -1}};

	if (argc < 7) {
		(void)fprintf(stderr, "usage: bench_links SECONDS RATE NAMESPACE ADDRESS "
				      "NAMESPACE ADDRESS [-- COMMAND...]\n");
		return 2;
	}
	bench.every = USEC_SECOND / strtol(argv[2], NULL, 10);
	bench.command = argc > 8 ? argv + 8 : NULL;
	open_all(&bench, argv + 3);
	if (argc == 11 && strcmp(argv[8], "ask") == 0)
		prepare_to_ask(&bench, argv[9], argv[10]);
	bench.begun_at = now();
	bench.next_at = bench.begun_at;
	bench.ends_at = bench.begun_at + strtol(argv[1], NULL, 10) * USEC_SECOND;
	while (now() < bench.ends_at || (now() < bench.ends_at + LAST_WITHIN && !all_came(&bench)))
		turn(&bench);
	end(&bench);
	return 0;
}

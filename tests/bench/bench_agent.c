/* SPDX-License-Identifier: MIT */
/*
 * bench_agent.c - how long news takes: runs a command and looks on, for bench_agent.sh.
 *
 *   bench_agent SECONDS key|id KEY-FILE NAMESPACE|- ADDRESS STATE... -- COMMAND...
 *
 * A site knows a fact when it writes it into its state, which is what it does before it acts or
 * acknowledges. So inotify tells when the write-ahead log in a directory STATE grew, and nobody is
 * asked: no process starts, no agent answers. What is looked for is the public key of the seed in
 * KEY-FILE, or with "id" a revocation of that key. The file need not be there before the command
 * has ended. Meanwhile ADDRESS is pinged from the namespace every 5 ms, until it answers.
 *
 * Prints milliseconds, "-" for never: from the command's start until the last STATE knew; from the
 * moment the first one knew, whose news it is, until the last; from the start until the ping's
 * answer; until the command's end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/usec.h"
#include "gossip/crypto.h"

#define STATES_MAX 16
#define LOG_HEAD 32 /* of a write-ahead log: its two salts are bytes 16 to 23 */
#define LOG_SALTS 16
#define PAGE 4096
#define FRAME_HEAD 24 /* before each page in it: the salts again are bytes 8 to 15 */
#define FRAME_SALTS 8
#define FRAME_SIZE (FRAME_HEAD + PAGE)
#define SALTS_SIZE 8
#define NEEDLE_MAX (2 + KEY_SIZE)
#define PING_MS 5

extern char **environ;

/* A page of a log, and when it was seen. */
struct sight {
	usec_t at;
	uint8_t bytes[PAGE];
};

struct state {
	int log;
	off_t next; /* the frame that is looked at next; the last one is looked at again */
	uint8_t salts[SALTS_SIZE];
	struct sight *sights;
	size_t count;
	size_t room;
	size_t searched;
	usec_t knew; /* USEC_NEVER: not yet */
};

struct watch {
	usec_t start;
	int notes; /* of inotify */
	bool revoked;
	const char *key_file;
	size_t needle_size; /* 0: not known yet */
	uint8_t needle[NEEDLE_MAX];
	uint32_t count;
	struct state states[STATES_MAX];
	int ping; /* -1: nobody is pinged */
	struct sockaddr_in address;
	usec_t answered;
	int child;
	usec_t ended;
};

static usec_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_agent: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* What was written. */

static struct sight *next_sight(struct state *state)
{
	if (state->count == state->room) {
		state->room = state->room ? 2 * state->room : 64;
		state->sights = realloc(state->sights, state->room * sizeof *state->sights);
		check(state->sights != NULL, "memory");
	}
	return &state->sights[state->count];
}

/* SQLite begins a log from its start again when all of it is in the database; then its salts are
 * others. */
static void look(struct state *state, bool keep)
{
	uint8_t head[LOG_HEAD];
	uint8_t frame[FRAME_SIZE];

	if (pread(state->log, head, sizeof head, 0) != sizeof head)
		return;
	if (memcmp(head + LOG_SALTS, state->salts, SALTS_SIZE) != 0) {
		memcpy(state->salts, head + LOG_SALTS, SALTS_SIZE);
		state->next = LOG_HEAD;
	}
	while (pread(state->log, frame, sizeof frame, state->next) == sizeof frame &&
		memcmp(frame + FRAME_SALTS, state->salts, SALTS_SIZE) == 0) {
		struct sight *sight = next_sight(state);

		state->next += FRAME_SIZE;
		if (!keep)
			continue;
		sight->at = now();
		memcpy(sight->bytes, frame + FRAME_HEAD, PAGE);
		state->count++;
	}
	/* The head of a frame comes before its page. */
	if (keep && state->next > LOG_HEAD)
		state->next -= FRAME_SIZE;
}

static void open_state(struct watch *watch, const char *directory)
{
	struct state *state = &watch->states[watch->count++];
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/state.db-wal", directory);
	*state = (struct state){.log = open(path, O_RDONLY | O_CLOEXEC), .knew = USEC_NEVER};
	check(state->log >= 0, path);
	look(state, false);
	check(inotify_add_watch(watch->notes, path, IN_MODIFY) >= 0, path);
}

static void take_notes(struct watch *watch)
{
	char notes[4096];

	while (read(watch->notes, notes, sizeof notes) > 0)
		continue;
	for (uint32_t i = 0; i < watch->count; i++)
		look(&watch->states[i], true);
}

/* What is looked for, once the key is there. */
static void read_needle(struct watch *watch)
{
	char line[KEY_BASE64_SIZE] = "";
	struct key seed;
	struct key key;
	struct secret secret;
	struct hash id;
	FILE *file = fopen(watch->key_file, "re");

	if (!file)
		return;
	if (fgets(line, sizeof line, file) && key_from_base64(line, &seed) == 0) {
		secret_from_seed(&secret, &seed);
		key = secret_public(&secret);
		id = hash_of(key.bytes, KEY_SIZE);
		/* As facts have it: so many bytes. */
		watch->needle[0] = 0xc4;
		watch->needle[1] = watch->revoked ? HASH_SIZE : KEY_SIZE;
		memcpy(watch->needle + 2, watch->revoked ? id.bytes : key.bytes, watch->needle[1]);
		watch->needle_size = 2 + (size_t)watch->needle[1];
	}
	(void)fclose(file);
}

static bool all_know(struct watch *watch)
{
	bool all = true;

	if (watch->needle_size == 0)
		return false;
	for (uint32_t i = 0; i < watch->count; i++) {
		struct state *state = &watch->states[i];

		for (; state->knew == USEC_NEVER && state->searched < state->count;
			state->searched++) {
			const struct sight *sight = &state->sights[state->searched];

			if (memmem(sight->bytes, PAGE, watch->needle, watch->needle_size))
				state->knew = sight->at;
		}
		all = all && state->knew != USEC_NEVER;
	}
	return all;
}

/* The ping. */

static void open_ping(struct watch *watch, const char *name, const char *address)
{
	char path[PATH_MAX];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there;

	watch->address.sin_family = AF_INET;
	check(inet_pton(AF_INET, address, &watch->address.sin_addr) == 1, address);
	(void)snprintf(path, sizeof path, "/run/netns/%s", name);
	there = open(path, O_RDONLY | O_CLOEXEC);
	check(home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0, path);
	watch->ping = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	check(watch->ping >= 0 && setns(home, CLONE_NEWNET) == 0, "the ping");
	(void)close(home);
	(void)close(there);
}

static void send_ping(const struct watch *watch)
{
	/* All else is zero: its checksum is what is missing to ones. */
	const struct icmphdr echo = {
		.type = ICMP_ECHO, .checksum = htons((uint16_t) ~(ICMP_ECHO << 8))};

	(void)sendto(watch->ping, &echo, sizeof echo, 0, (const struct sockaddr *)&watch->address,
		sizeof watch->address);
}

static void take_answers(struct watch *watch)
{
	uint8_t packet[256];
	struct sockaddr_in from = {.sin_family = AF_INET};
	socklen_t size = sizeof from;

	while (recvfrom(watch->ping, packet, sizeof packet, 0, (struct sockaddr *)&from, &size) >
		0) {
		size_t head = (size_t)(packet[0] & 15) * 4;

		if (from.sin_addr.s_addr == watch->address.sin_addr.s_addr &&
			packet[head] == ICMP_ECHOREPLY && watch->answered == USEC_NEVER)
			watch->answered = now();
	}
}

/* Looking on. */

static void start(struct watch *watch, char **words)
{
	posix_spawn_file_actions_t actions;
	pid_t child;

	/* What it prints is not the measurement. */
	check(posix_spawn_file_actions_init(&actions) == 0 &&
			posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO) ==
				0,
		"memory");
	watch->start = now();
	check(posix_spawnp(&child, words[0], &actions, NULL, words, environ) == 0, words[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
	watch->child = (int)syscall(SYS_pidfd_open, child, 0);
	check(watch->child >= 0, "the command");
}

static bool is_done(struct watch *watch)
{
	if (watch->ended == USEC_NEVER)
		return false;
	if (watch->needle_size == 0)
		read_needle(watch);
	return all_know(watch) && (watch->ping < 0 || watch->answered != USEC_NEVER);
}

static void run(struct watch *watch, usec_t patience)
{
	while (now() - watch->start < patience && !is_done(watch)) {
		bool pings = watch->ping >= 0 && watch->answered == USEC_NEVER;
		struct pollfd pollers[] = {{.fd = watch->notes, .events = POLLIN},
			{.fd = watch->ended == USEC_NEVER ? watch->child : -1, .events = POLLIN},
			{.fd = pings ? watch->ping : -1, .events = POLLIN}};

		if (pings)
			send_ping(watch);
		(void)poll(pollers, sizeof pollers / sizeof pollers[0], pings ? PING_MS : 100);
		if (pollers[0].revents)
			take_notes(watch);
		if (pollers[1].revents)
			watch->ended = now();
		if (pollers[2].revents)
			take_answers(watch);
	}
}

static void print(usec_t from, usec_t to)
{
	if (from == USEC_NEVER || to == USEC_NEVER)
		(void)printf(" -");
	else
		(void)printf(" %.1f", (double)(to - from) / 1000);
}

static void report(const struct watch *watch)
{
	usec_t first = USEC_NEVER;
	usec_t last = 0;

	for (uint32_t i = 0; i < watch->count; i++) {
		first = usec_min(first, watch->states[i].knew);
		last = watch->states[i].knew > last ? watch->states[i].knew : last;
	}
	print(watch->start, last);
	print(first, last);
	print(watch->start, watch->answered);
	print(watch->start, watch->ended);
	(void)printf("\n");
}

int main(int argc, char **argv)
{
	struct watch watch = {.ping = -1, .answered = USEC_NEVER, .ended = USEC_NEVER};
	int i = 6;

	check(sodium_init() >= 0, "libsodium");
	check(argc > 8, "usage: bench_agent SECONDS key|id KEY-FILE NAMESPACE|- ADDRESS STATE... "
			"-- COMMAND...");
	watch.notes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	check(watch.notes >= 0, "inotify");
	watch.revoked = strcmp(argv[2], "id") == 0;
	watch.key_file = argv[3];
	if (strcmp(argv[4], "-") != 0)
		open_ping(&watch, argv[4], argv[5]);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		check(watch.count < STATES_MAX, "too many states");
		open_state(&watch, argv[i]);
	}
	check(i + 1 < argc, "there is no command");
	start(&watch, argv + i + 1);
	run(&watch, strtol(argv[1], NULL, 10) * USEC_SECOND);
	report(&watch);
	return EXIT_SUCCESS;
}

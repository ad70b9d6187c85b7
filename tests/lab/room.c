/* SPDX-License-Identifier: MIT */
#include "tests/lab/room.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/link.h"
#include "agent/sockaddr.h"

#define COMMAND_SIZE 1024
#define FAR_READY_MS 20000
#define INITIATION_SIZE 148

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Time. */

int64_t room_now_ms(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void room_sleep_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* Keys and the like. */

struct key room_key(uint32_t number)
{
	struct key key;

	(void)crypto_generichash(
		key.bytes, sizeof key.bytes, (const uint8_t *)&number, sizeof number, NULL, 0);
	return key;
}

struct key room_private(uint8_t number)
{
	struct key key = room_key(0xffffff00u + number);

	key.bytes[0] &= 248;
	key.bytes[31] = (uint8_t)((key.bytes[31] & 127) | 64);
	return key;
}

struct key room_public(const struct key *private_key)
{
	struct key key;

	(void)crypto_scalarmult_base(key.bytes, private_key->bytes);
	return key;
}

struct key room_near_private(void)
{
	return room_private(1);
}

struct key room_far_public(void)
{
	struct key key = room_private(2);

	return room_public(&key);
}

struct prefix room_prefix(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

struct endpoint room_endpoint(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

/* Processes. */

static int run(const char *command)
{
	char quiet[COMMAND_SIZE + 32];
	int status;

	(void)snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
	status = system(quiet);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int room_shell(const char *format, ...)
{
	char command[COMMAND_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	return run(command);
}

int room_child(int (*child_main)(void *context), void *context)
{
	int status = 0;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	need(child >= 0, "fork");
	if (child == 0)
		_exit(child_main(context));
	need(waitpid(child, &status, 0) == child, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Privileges. */

static void set_capabilities(uint32_t set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = set, .permitted = set, .inheritable = set}};

	need(syscall(SYS_capset, &header, data) == 0, "capset");
}

static void become(uid_t user)
{
	need(setgroups(0, NULL) == 0, "setgroups");
	need(setresgid(user, user, user) == 0, "setresgid");
	need(setresuid(user, user, user) == 0, "setresuid");
}

void room_become_user(void)
{
	static const int kept[] = {CAP_NET_ADMIN, CAP_NET_RAW};

	for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
		if (i != kept[0] && i != kept[1])
			need(prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0, "PR_CAPBSET_DROP");
	}
	need(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "PR_SET_KEEPCAPS");
	become(ROOM_USER);
	set_capabilities(CAP_TO_MASK(CAP_NET_ADMIN) | CAP_TO_MASK(CAP_NET_RAW));
	for (int i = 0; i < 2; i++)
		need(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0) == 0,
			"PR_CAP_AMBIENT");
	/* As if it had been started so. */
	need(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0, "PR_SET_DUMPABLE");
}

void room_give_up(void)
{
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (geteuid() == 0)
		become(ROOM_USER - 1);
	set_capabilities(0);
}

/* Namespaces. */

static void go(void)
{
	need(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "namespaces");
	need(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "a private tree");
	need(mount("run", "/run", "tmpfs", 0, "mode=755") == 0, "a /run of our own");
	need(mkdir("/run/wireguard", 0755) == 0, "/run/wireguard");
	need(chown("/run/wireguard", ROOM_USER, ROOM_USER) == 0, "/run/wireguard");
	need(run("ip link set lo up") == 0, "ip link set lo up");
}

static void set_far(enum wireguard_kind kind)
{
	const struct key own = room_private(2);
	const struct key near = room_near_private();
	const struct prefix allowed = {address_ipv4(0x0a4d0100), 24};
	const struct wireguard_peer_change peer = {
		.key = room_public(&near), .allowed_count = 1, .allowed = &allowed};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = own,
		.set_port = true,
		.port = ROOM_FAR_PORT,
		.peer_count = 1,
		.peers = &peer};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard *door;
	int r = -ETIMEDOUT;

	need(run("ip address add 192.0.2.2/24 dev " ROOM_LINE) == 0, "an address there");
	need(run("ip link set " ROOM_LINE " up") == 0, "a line there");
	need(wireguard_open(&door, kind, why) == 0, why);
	for (int i = 0; i < ROOM_TRIES && r == -ETIMEDOUT; i++)
		r = wireguard_create(door, "far0", why);
	need(r == 0, why);
	need(wireguard_write(door, "far0", &change) == 0, "the far device");
	need(run("ip address add 10.77.2.1/32 dev far0") == 0, "its address");
	need(run("ip link set far0 up") == 0, "the far device does not come up");
	need(run("ip route add 10.77.1.0/24 dev far0") == 0, "its route");
	wireguard_close(door);
}

/* At the other end of two pipes. */
static void live_far(int commands, int answers, enum wireguard_kind kind, bool user)
{
	char byte = 0;

	go();
	need(write(answers, &byte, 1) == 1, "the other site cannot answer");
	/* The line is laid. */
	if (read(commands, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	if (user)
		room_become_user();
	set_far(kind);
	need(write(answers, &byte, 1) == 1, "the other site cannot answer");
	/* Until it is closed. */
	(void)!read(commands, &byte, 1);
	(void)run("ip link delete far0");
	_exit(EXIT_SUCCESS);
}

static int far_answers = -1;

static bool far_answered(void)
{
	struct pollfd waiting = {.fd = far_answers, .events = POLLIN};
	char byte;

	return poll(&waiting, 1, FAR_READY_MS) == 1 && read(far_answers, &byte, 1) == 1;
}

void room_begin_far(struct room *room, enum wireguard_kind kind, bool user)
{
	int commands[2];
	int answers[2];

	need(pipe2(commands, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0, "pipes");
	(void)fflush(stdout);
	room->far = fork();
	need(room->far >= 0, "fork");
	if (room->far == 0) {
		(void)close(commands[1]);
		(void)close(answers[0]);
		live_far(commands[0], answers[1], kind, user);
	}
	(void)close(commands[0]);
	(void)close(answers[1]);
	room->far_ends = commands[1];
	far_answers = answers[0];
	need(far_answered(), "the other site does not begin");
}

bool room_far_is_ready(struct room *room)
{
	return room->far > 0 && far_answered();
}

void room_end_far(struct room *room)
{
	if (room->far <= 0)
		return;
	(void)close(room->far_ends);
	(void)waitpid(room->far, NULL, 0);
}

void room_begin(struct room *room, bool user)
{
	char command[COMMAND_SIZE];

	need(sodium_init() >= 0, "libsodium");
	go();
	if (room->far > 0) {
		(void)snprintf(command, sizeof command,
			"ip link add " ROOM_LINE " type veth peer name " ROOM_LINE " netns %d",
			(int)room->far);
		need(run(command) == 0, "a line");
		need(run("ip address add 192.0.2.1/24 dev " ROOM_LINE) == 0, "an address");
		need(run("ip link set " ROOM_LINE " up") == 0, "a line");
		need(write(room->far_ends, "", 1) == 1, "the other site is gone");
	}
	if (user)
		room_become_user();
	room->user = user;
	need(netlink_open(&room->netlink, NETLINK_ROUTE) == 0, "netlink");
}

/* Listeners. */

void listener_open(struct listener *listener)
{
	static uint32_t number;
	struct sockaddr_storage storage;
	socklen_t length = sizeof storage;

	/* Each on an address of its own, so that a wrong port is not the only thing to be seen. */
	listener->endpoint = (struct endpoint){address_ipv4(0x7f000101 + number++ % 200), 0};
	listener->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(listener->fd >= 0);
	length = sockaddr_from(&listener->endpoint, &storage);
	assert_int_equal(bind(listener->fd, (struct sockaddr *)&storage, length), 0);
	length = sizeof storage;
	assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&storage, &length), 0);
	assert_int_equal(sockaddr_read(&storage, length, &listener->endpoint), 0);
}

void listener_close(struct listener *listener)
{
	(void)close(listener->fd);
}

int listener_count(struct listener *listener, int first_ms, int quiet_ms)
{
	struct pollfd waiting = {.fd = listener->fd, .events = POLLIN};
	int count = 0;

	while (poll(&waiting, 1, count ? quiet_ms : first_ms) == 1) {
		uint8_t bytes[2048];
		ssize_t size = recv(listener->fd, bytes, sizeof bytes, 0);

		assert_int_equal(size, INITIATION_SIZE);
		assert_int_equal(bytes[0], 1);
		assert_true(count < 1000);
		count++;
	}
	return count;
}

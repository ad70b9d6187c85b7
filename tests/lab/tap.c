/* SPDX-License-Identifier: MIT */
/*
 * tap.c - the promises of agent/tap.h, with a WireGuard on the ports that it speaks from:
 *
 *   tap kernel|userspace [user]
 *
 * As root or as the unit's user, in namespaces of its own:
 *
 *   near --- home (a router with NAT) --- inet --- far
 *     \_______________ side _______________________/
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/link.h"
#include "agent/sockaddr.h"
#include "agent/tap.h"
#include "tests/lab/room.h"

#define NEAR_PORT 51821
#define FAR_PORT 51820
#define SEEN_MAX 256
#define ARRIVES_MS 5000
#define HOME "198.51.100.2"
#define INNER "192.168.7.2"
#define FAR "203.0.113.2"
#define WIDE "2001:db8:7::2"
#define FAR_WIDE "2001:db8:113::2"

struct seen {
	struct endpoint from;
	struct endpoint to;
	unsigned device;
	size_t size;
	uint8_t bytes[SEAL_DATAGRAM_MAX];
};

/* One end: its tap, and what came in. */
struct end {
	struct tap *tap;
	uint32_t count;
	struct seen seen[SEEN_MAX];
};

static struct room room;
static struct event_base *loop;
static enum wireguard_kind kind;
static struct wireguard *door;
static struct end near;
static struct end far;
static unsigned far_line;
static unsigned far_side;
static int far_counts; /* asks the far WireGuard what it took */

static const struct tap_ground near_ground = {.port_count = 1, .ports = {NEAR_PORT}};
static const struct tap_ground far_ground = {.port_count = 1, .ports = {FAR_PORT}};

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* The ground. */

static const char *const lines[] = {
	"ip netns add home",
	"ip netns add inet",
	"ip netns add far",
	"ip link add line0 type veth peer name lan netns home",
	"ip -n home link add wan type veth peer name home netns inet",
	"ip -n inet link add far type veth peer name line0 netns far",
	"ip link add side0 type veth peer name side0 netns far",
	"ip address add " INNER "/24 dev line0",
	"ip address add " WIDE "/64 dev line0 nodad",
	"ip -n home address add 192.168.7.1/24 dev lan",
	"ip -n home address add 2001:db8:7::1/64 dev lan nodad",
	"ip -n home address add " HOME "/24 dev wan",
	"ip -n home address add 2001:db8:51::2/64 dev wan nodad",
	"ip -n inet address add 198.51.100.1/24 dev home",
	"ip -n inet address add 2001:db8:51::1/64 dev home nodad",
	"ip -n inet address add 203.0.113.1/24 dev far",
	"ip -n inet address add 2001:db8:113::1/64 dev far nodad",
	"ip -n far address add " FAR "/24 dev line0",
	"ip -n far address add " FAR_WIDE "/64 dev line0 nodad",
	"ip address add 10.9.0.1/24 dev side0",
	"ip address add 10.9.0.11/24 dev side0",
	"ip address add fd00:9::1/64 dev side0 nodad",
	"ip -n far address add 10.9.0.2/24 dev side0",
	"ip -n far address add fd00:9::2/64 dev side0 nodad",
	"for i in line0 side0; do ip link set $i up && ip -n far link set $i up; done",
	"for i in lan wan; do ip -n home link set $i up; done",
	"for i in home far; do ip -n inet link set $i up; done",
	"ip -n far link set lo up",
	"ip route add default via 192.168.7.1",
	"ip -6 route add default via 2001:db8:7::1",
	"ip -n home route add default via 198.51.100.1",
	"ip -n home -6 route add default via 2001:db8:51::1",
	"ip -n inet -6 route add 2001:db8:7::/64 via 2001:db8:51::2",
	"ip -n far route add default via 203.0.113.1",
	"ip -n far -6 route add default via 2001:db8:113::1",
	"for i in home inet; do ip netns exec $i sysctl -w net.ipv4.ip_forward=1 "
	"net.ipv6.conf.all.forwarding=1; done",
	"ip netns exec home nft 'table ip nat { chain post { type nat hook postrouting priority "
	"srcnat; oifname \"wan\" masquerade; }; }'",
	"ip netns exec home nft 'table inet fw { chain forw { type filter hook forward priority "
	"filter; iifname \"wan\" ct state new drop; }; chain inpt { type filter hook input "
	"priority filter; iifname \"wan\" meta l4proto udp ct state new drop; }; }'",
};

static int open_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	need(fd >= 0, path);
	return fd;
}

static void go_to(int namespace)
{
	need(setns(namespace, CLONE_NEWNET) == 0, "setns");
	(void)close(namespace);
}

static void make_device(const char *name, uint8_t number, uint16_t port)
{
	const struct key peer = room_private((uint8_t)(3 - number));
	const struct prefix allowed = {address_ipv4(number == 1 ? 0x0a4d0200 : 0x0a4d0100), 24};
	const struct wireguard_peer_change peers[] = {
		{.key = room_public(&peer), .allowed_count = 1, .allowed = &allowed}};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_private(number),
		.set_port = true,
		.port = port,
		.peer_count = 1,
		.peers = peers};
	char why[WIREGUARD_WHY_SIZE] = "";
	int r = -ETIMEDOUT;

	for (int i = 0; i < ROOM_TRIES && r == -ETIMEDOUT; i++)
		r = wireguard_create(door, name, why);
	need(r == 0, why);
	need(wireguard_write(door, name, &change) == 0, name);
	need(room_shell("ip address add 10.77.%d.1/24 dev %s && ip link set %s up && ip route add "
			"10.77.%d.0/24 dev %s",
		     number, name, name, 3 - number, name) == 0,
		name);
}

static uint64_t bytes_of(const char *name)
{
	struct wireguard_device device;
	uint64_t bytes;

	need(wireguard_read(door, name, &device) == 0, name);
	need(device.peer_count == 1, name);
	bytes = device.peers[0].rx_bytes + device.peers[0].tx_bytes;
	wireguard_device_free(&device);
	return bytes;
}

/* The far WireGuard; says what it took whenever it is asked, until nobody is there to ask. */
static void live_far(int asked, bool user)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	uint64_t bytes = 0;

	go_to(open_namespace("/run/netns/far"));
	if (user)
		room_become_user();
	need(wireguard_open(&door, kind, why) == 0, why);
	make_device("far0", 2, FAR_PORT);
	do {
		bytes = bytes_of("far0");
	} while (write(asked, &bytes, sizeof bytes) == sizeof bytes &&
		 read(asked, &bytes, sizeof bytes) == sizeof bytes);
	(void)wireguard_destroy(door, "far0");
	_exit(EXIT_SUCCESS);
}

static void begin_far(bool user)
{
	int pair[2];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	(void)fflush(stdout);
	room.far = fork();
	need(room.far >= 0, "fork");
	if (room.far == 0) {
		(void)close(pair[0]);
		live_far(pair[1], user);
	}
	(void)close(pair[1]);
	far_counts = pair[0];
}

static uint64_t far_bytes(void)
{
	static bool asked;
	uint64_t bytes = 0;

	if (asked)
		need(write(far_counts, &bytes, sizeof bytes) == sizeof bytes, "the far WireGuard");
	asked = true;
	need(read(far_counts, &bytes, sizeof bytes) == sizeof bytes, "the far WireGuard");
	return bytes;
}

static void on_arrival(void *context, const struct tap_arrival *arrival)
{
	struct end *end = context;
	struct seen *seen = &end->seen[end->count];

	assert_true(end->count < SEEN_MAX);
	assert_in_range(arrival->size, SEAL_EXTRA, SEAL_DATAGRAM_MAX);
	*seen = (struct seen){.from = arrival->from,
		.to = arrival->to,
		.device = arrival->device,
		.size = arrival->size};
	memcpy(seen->bytes, arrival->bytes, arrival->size);
	end->count++;
}

static void open_tap(struct end *end)
{
	char why[TAP_WHY_SIZE] = "";

	need(tap_new(&end->tap, loop, on_arrival, end, why) == 0, why);
}

/* A tap belongs to the namespace where its sockets were opened. */
static void begin(bool user)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	int home;

	room_begin(&room, false);
	for (size_t i = 0; i < COUNT(lines); i++)
		need(room_shell("%s", lines[i]) == 0, lines[i]);
	begin_far(user);
	loop = event_base_new();
	need(loop, "a loop");
	home = open_namespace("/proc/self/ns/net");
	go_to(open_namespace("/run/netns/far"));
	open_tap(&far);
	need(tap_follow(far.tap, &far_ground) == 0, "tap_follow");
	far_line = if_nametoindex("line0");
	far_side = if_nametoindex("side0");
	go_to(home);
	if (user)
		room_become_user();
	need(wireguard_open(&door, kind, why) == 0, why);
	make_device("near0", 1, NEAR_PORT);
	open_tap(&near);
	(void)far_bytes();
}

static void end(void)
{
	(void)wireguard_destroy(door, "near0");
	(void)close(far_counts);
	(void)waitpid(room.far, NULL, 0);
	tap_free(near.tap);
	tap_free(far.tap);
	wireguard_close(door);
	netlink_close(room.netlink);
	event_base_free(loop);
}

/* Doing. */

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, strlen(text), &address), 0);
	return address;
}

static struct endpoint to(const char *text, uint16_t port)
{
	return (struct endpoint){address_of(text), port};
}

/* Each datagram is another one, by its number. */
static const uint8_t *datagram_of(uint32_t number)
{
	static uint8_t bytes[SEAL_DATAGRAM_MAX + 1];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(number + i);
	memcpy(bytes, seal_magic, SEAL_MAGIC_SIZE);
	memcpy(bytes + SEAL_MAGIC_SIZE, &number, sizeof number);
	return bytes;
}

static uint32_t number_of(const struct seen *seen)
{
	uint32_t number;

	memcpy(&number, seen->bytes + SEAL_MAGIC_SIZE, sizeof number);
	return number;
}

static struct tap_departure departure_of(uint32_t number, uint16_t port, struct endpoint where)
{
	return (struct tap_departure){
		.port = port, .to = where, .bytes = datagram_of(number), .size = 100};
}

static int speak(struct end *from, uint32_t number, uint16_t port, struct endpoint where)
{
	const struct tap_departure departure = departure_of(number, port, where);

	return tap_send(from->tap, &departure);
}

static int speak_hops(
	struct end *from, uint32_t number, uint16_t port, struct endpoint where, uint8_t hops)
{
	struct tap_departure departure = departure_of(number, port, where);

	departure.hops = hops;
	return tap_send(from->tap, &departure);
}

static void on_time(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	*(bool *)context = true;
}

/* Waits until so many have come; whether they did. */
static bool wait_for(struct end *end, uint32_t count, int ms)
{
	const struct timeval time = {ms / 1000, ms % 1000 * 1000};
	bool over = false;
	struct event *timer = evtimer_new(loop, on_time, &over);

	assert_non_null(timer);
	assert_int_equal(evtimer_add(timer, &time), 0);
	while (end->count < count && !over)
		assert_int_equal(event_base_loop(loop, EVLOOP_ONCE), 0);
	event_free(timer);
	return end->count >= count;
}

/* What comes next is this one: nothing that was sent before it and is not to come has come. */
static const struct seen *expect(struct end *end, uint32_t number)
{
	static struct seen seen;

	if (!wait_for(end, 1, ARRIVES_MS))
		fail_msg("%u does not come", number);
	seen = end->seen[0];
	end->count--;
	memmove(end->seen, end->seen + 1, end->count * sizeof end->seen[0]);
	assert_int_equal(number_of(&seen), number);
	assert_memory_equal(seen.bytes, datagram_of(number), seen.size);
	return &seen;
}

static void listen_at(struct end *end, const struct tap_ground *ground)
{
	assert_int_equal(tap_follow(end->tap, ground), 0);
}

static unsigned index_of(const char *device)
{
	struct link link;

	assert_int_equal(link_find(room.netlink, device, &link), 0);
	return link.index;
}

static int set_up(void **state)
{
	(void)state;
	listen_at(&near, &near_ground);
	listen_at(&far, &far_ground);
	near.count = 0;
	far.count = 0;
	return 0;
}

/* Whatever comes late is of the case before. */
static int tear_down(void **state)
{
	(void)state;
	(void)wait_for(&near, SEEN_MAX, 20);
	return 0;
}

/* A packet whose transport part is given, on the line beside; IPv4 unless it begins with 6. */
static void inject(const uint8_t *bytes, size_t size)
{
	bool wide = bytes[0] >> 4 == 6;
	const struct endpoint where = {address_of(wide ? "fd00:9::2" : "10.9.0.2"), 0};
	int fd = socket(wide ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&where, &storage);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&storage, length), size);
	(void)close(fd);
}

static size_t packet_of(uint32_t number, bool wide, uint8_t out[static TAP_PACKET_MAX])
{
	const struct tap_packet packet = {.from = to(wide ? "fd00:9::1" : "10.9.0.1", NEAR_PORT),
		.to = to(wide ? "fd00:9::2" : "10.9.0.2", FAR_PORT),
		.bytes = datagram_of(number),
		.size = 100};

	return tap_packet_write(&packet, 64, out);
}

/* The promises. */

struct row {
	const char *far;
	const char *outside; /* what others see of near */
	const char *inside;
};

static const struct row rows[] = {{FAR, HOME, INNER}, {FAR_WIDE, WIDE, WIDE}};

TEST(datagram_comes_from_wireguards_port_and_wireguard_takes_no_notice)
{
	uint64_t near_before = bytes_of("near0");
	uint64_t far_before = far_bytes();

	(void)state;
	for (uint32_t i = 0; i < COUNT(rows); i++) {
		const struct endpoint there = to(rows[i].far, FAR_PORT);
		const struct endpoint here = to(rows[i].inside, NEAR_PORT);
		const struct endpoint back = to(rows[i].outside, NEAR_PORT);
		const struct seen *seen;

		assert_int_equal(speak(&near, i, NEAR_PORT, there), 0);
		seen = expect(&far, i);
		assert_int_equal(seen->size, 100);
		assert_true(endpoint_equal(&seen->from, &back));
		assert_true(endpoint_equal(&seen->to, &there));
		assert_int_equal(seen->device, far_line);
		assert_int_equal(speak(&far, 10 + i, FAR_PORT, seen->from), 0);
		seen = expect(&near, 10 + i);
		assert_true(endpoint_equal(&seen->from, &there));
		assert_true(endpoint_equal(&seen->to, &here));
		assert_int_equal(seen->device, index_of("line0"));
	}
	assert_int_equal(bytes_of("near0"), near_before);
	assert_int_equal(far_bytes(), far_before);
}

TEST(opener_dies_on_its_way_and_opens_only_the_own_router)
{
	(void)state;
	for (uint32_t i = 0; i < COUNT(rows); i++) {
		const struct tap_ground ground = {
			.port_count = 2, .ports = {NEAR_PORT, (uint16_t)(40001 + i)}};
		const struct endpoint outside = to(rows[i].outside, ground.ports[1]);
		const struct endpoint where = to(rows[i].far, FAR_PORT);

		listen_at(&near, &ground);
		/* The way back is open to this port, and to no other. */
		assert_int_equal(speak(&near, 20 + i, NEAR_PORT, where), 0);
		(void)expect(&far, 20 + i);
		assert_int_equal(speak(&far, 30 + i, FAR_PORT, outside), 0);
		assert_int_equal(speak(&far, 40 + i, FAR_PORT, to(rows[i].outside, NEAR_PORT)), 0);
		(void)expect(&near, 40 + i);
		/* One hop is the own router, which opens nothing; two are the one behind it. */
		assert_int_equal(speak_hops(&near, 50 + i, ground.ports[1], where, 1), 0);
		assert_int_equal(speak(&far, 60 + i, FAR_PORT, outside), 0);
		assert_int_equal(speak_hops(&near, 70 + i, ground.ports[1], where, 2), 0);
		room_sleep_ms(20);
		assert_int_equal(speak(&far, 80 + i, FAR_PORT, outside), 0);
		assert_int_equal(expect(&near, 80 + i)->to.port, ground.ports[1]);
		/* Three arrive, and these are the first to do so. */
		assert_int_equal(speak_hops(&near, 90 + i, ground.ports[1], where, 3), 0);
		(void)expect(&far, 90 + i);
	}
}

TEST(wireguard_meets_through_what_a_datagram_opened)
{
	const struct key peer = room_far_public();
	const struct wireguard_peer_change change = {.key = peer,
		.update_only = true,
		.set_endpoint = true,
		.endpoint = to(FAR, FAR_PORT)};
	const struct wireguard_change write = {.peer_count = 1, .peers = &change};

	(void)state;
	assert_int_equal(speak_hops(&near, 1, NEAR_PORT, to(FAR, FAR_PORT), 2), 0);
	assert_int_equal(wireguard_write(door, "near0", &write), 0);
	assert_int_equal(room_shell("ping -c 1 -W 5 -I 10.77.1.1 10.77.2.1"), 0);
	assert_true(far_bytes() > 0);
	/* Beside a session that lives, too. */
	assert_int_equal(speak(&near, 2, NEAR_PORT, to(FAR, FAR_PORT)), 0);
	assert_int_equal(expect(&far, 2)->from.port, NEAR_PORT);
	assert_int_equal(room_shell("ping -c 1 -W 5 -I 10.77.1.1 10.77.2.1"), 0);
}

TEST(source_is_the_one_that_is_asked_for)
{
	struct tap_departure departure = departure_of(1, NEAR_PORT, to("10.9.0.2", FAR_PORT));

	(void)state;
	assert_int_equal(tap_send(near.tap, &departure), 0);
	assert_true(
		address_equal(&expect(&far, 1)->from.address, &(struct address){4, {10, 9, 0, 1}}));
	departure.from = address_of("10.9.0.11");
	assert_int_equal(tap_send(near.tap, &departure), 0);
	assert_true(address_equal(
		&expect(&far, 1)->from.address, &(struct address){4, {10, 9, 0, 11}}));
	departure.from = address_of("10.9.0.12");
	assert_true(tap_send(near.tap, &departure) < 0);
	departure.from = address_of("fd00:9::1");
	assert_int_equal(tap_send(near.tap, &departure), -EINVAL);
	departure.to = to("fd00:9::2", FAR_PORT);
	assert_int_equal(tap_send(near.tap, &departure), 0);
	assert_int_equal(expect(&far, 1)->device, far_side);
	departure.from = address_of("fd00:9::77");
	assert_true(tap_send(near.tap, &departure) < 0);
}

TEST(nothing_goes_out_by_an_interface_of_ours)
{
	struct tap_ground ground = near_ground;
	struct tap_departure departure = departure_of(1, NEAR_PORT, to(FAR, FAR_PORT));

	(void)state;
	ground.device_count = 1;
	ground.devices[0] = index_of("near0");
	listen_at(&near, &ground);
	assert_int_equal(tap_send(near.tap, &departure), 0);
	(void)expect(&far, 1);
	/* All that is not marked goes into the tunnel. */
	assert_int_equal(room_shell("ip route add " FAR "/32 dev near0 && "
				    "ip route add default via 192.168.7.1 table 77 && "
				    "ip rule add fwmark 7 lookup 77"),
		0);
	assert_int_equal(tap_send(near.tap, &departure), -ELOOP);
	departure.mark = 7;
	assert_int_equal(tap_send(near.tap, &departure), 0);
	(void)expect(&far, 1);
	departure.mark = 0;
	assert_int_equal(tap_send(near.tap, &departure), -ELOOP);
	assert_int_equal(room_shell("ip route delete " FAR "/32 && ip route flush table 77 && "
				    "ip rule delete fwmark 7"),
		0);
	assert_int_equal(tap_send(near.tap, &departure), 0);
	(void)expect(&far, 1);
}

TEST(what_cannot_go_out_is_an_error)
{
	struct tap_departure departure = departure_of(1, NEAR_PORT, to(FAR, FAR_PORT));

	(void)state;
	departure.size = SEAL_DATAGRAM_MAX + 1;
	assert_int_equal(tap_send(near.tap, &departure), -EMSGSIZE);
	departure.size = SEAL_DATAGRAM_MAX;
	assert_int_equal(tap_send(near.tap, &departure), 0);
	assert_int_equal(expect(&far, 1)->size, SEAL_DATAGRAM_MAX);
	assert_int_equal(speak(&near, 1, 0, to(FAR, FAR_PORT)), -EINVAL);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to(FAR, 0)), -EINVAL);
	/* This machine itself, everybody, nobody. */
	assert_int_equal(speak(&near, 1, NEAR_PORT, to("127.0.0.1", 9)), -ENETUNREACH);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to(INNER, NEAR_PORT)), -ENETUNREACH);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to(WIDE, NEAR_PORT)), -ENETUNREACH);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to("192.168.7.255", 9)), -ENETUNREACH);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to("224.0.0.1", 9)), -ENETUNREACH);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to("ff02::1", 9)), -ENETUNREACH);
	assert_int_equal(room_shell("ip route add unreachable 203.0.113.9 && "
				    "ip -6 route add unreachable 2001:db8:113::9"),
		0);
	assert_true(speak(&near, 1, NEAR_PORT, to("203.0.113.9", 9)) < 0);
	assert_true(speak(&near, 1, NEAR_PORT, to("2001:db8:113::9", 9)) < 0);
	assert_int_equal(room_shell("ip route delete unreachable 203.0.113.9 && "
				    "ip -6 route delete unreachable 2001:db8:113::9"),
		0);
}

struct spoilt {
	size_t at;
	bool wide;
	uint8_t byte;
};

TEST(what_is_not_ours_is_not_delivered)
{
	/* Fragments, TCP, ports, lengths, magic; headers between IPv6 and UDP. */
	static const struct spoilt spoilt[] = {{6, false, 0x20}, {7, false, 1}, {9, false, 6},
		{23, false, 1}, {25, false, 109}, {25, false, 40}, {24, false, 1}, {28, false, 4},
		{35, false, 2}, {6, true, 0}, {6, true, 44}, {6, true, 60}, {43, true, 1},
		{45, true, 109}, {48, true, 4}, {55, true, 2}};
	uint8_t bytes[TAP_PACKET_MAX + 8];

	(void)state;
	for (uint32_t i = 0; i < COUNT(spoilt); i++) {
		size_t size = packet_of(i, spoilt[i].wide, bytes);

		bytes[spoilt[i].at] = spoilt[i].byte;
		inject(bytes, size);
	}
	for (uint32_t i = 0; i < 2; i++) {
		size_t size = packet_of(100 + i, i == 1, bytes);
		const struct seen *seen;

		inject(bytes, size);
		seen = expect(&far, 100 + i);
		assert_int_equal(seen->size, 100);
		assert_int_equal(seen->device, far_side);
	}
}

TEST(datagram_one_byte_too_long_is_not_delivered)
{
	static const uint8_t head[] = {0x45, 0, 0, 177, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10,
		9, 0, 2, 0, 5, FAR_PORT >> 8, FAR_PORT & 255, 0, 157, 0, 0};
	uint8_t bytes[sizeof head + SEAL_DATAGRAM_MAX + 1];

	(void)state;
	memcpy(bytes, head, sizeof head);
	memcpy(bytes + sizeof head, datagram_of(1), SEAL_DATAGRAM_MAX + 1);
	inject(bytes, sizeof bytes);
	memcpy(bytes + sizeof head, datagram_of(2), SEAL_DATAGRAM_MAX + 1);
	bytes[25]--;
	inject(bytes, sizeof bytes - 1);
	assert_int_equal(expect(&far, 2)->size, SEAL_DATAGRAM_MAX);
}

TEST(checksum_and_options_keep_nothing_away)
{
	uint8_t bytes[TAP_PACKET_MAX + 8];
	size_t size = packet_of(1, false, bytes);

	(void)state;
	/* What stands there before a card has computed it may be anything. */
	bytes[26] ^= 0x55;
	inject(bytes, size);
	(void)expect(&far, 1);
	size = packet_of(2, true, bytes);
	bytes[46] ^= 0x55;
	inject(bytes, size);
	(void)expect(&far, 2);
	size = packet_of(3, false, bytes);
	memmove(bytes + 28, bytes + 20, size - 20);
	memset(bytes + 20, 1, 8);
	bytes[0] = 0x47;
	inject(bytes, size + 8);
	assert_int_equal(expect(&far, 3)->size, 100);
}

/* By a socket of this machine's own, as anybody has. */
static void whisper(uint32_t number, const char *where)
{
	const struct endpoint target = to(where, NEAR_PORT);
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&target, &storage);
	int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		sendto(fd, datagram_of(number), 100, 0, (struct sockaddr *)&storage, length), 100);
	(void)close(fd);
}

TEST(what_this_machine_sends_is_not_delivered_to_it)
{
	const struct tap_ground ground = {.port_count = 2, .ports = {NEAR_PORT, FAR_PORT}};

	(void)state;
	listen_at(&near, &ground);
	assert_int_equal(speak(&near, 1, FAR_PORT, to("10.9.0.2", FAR_PORT)), 0);
	(void)expect(&far, 1);
	whisper(2, "127.0.0.1");
	whisper(3, INNER);
	whisper(4, "::1");
	whisper(5, WIDE);
	assert_int_equal(speak(&far, 6, FAR_PORT, to("10.9.0.1", FAR_PORT)), 0);
	assert_int_equal(expect(&near, 6)->to.port, FAR_PORT);
}

TEST(what_comes_in_by_an_interface_of_ours_is_not_delivered)
{
	struct tap_ground ground = near_ground;

	(void)state;
	ground.device_count = 2;
	ground.devices[0] = index_of("near0");
	ground.devices[1] = index_of("side0");
	listen_at(&near, &ground);
	assert_int_equal(speak(&near, 1, NEAR_PORT, to("10.9.0.2", FAR_PORT)), -ELOOP);
	assert_int_equal(speak(&far, 2, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	assert_int_equal(speak(&far, 3, FAR_PORT, to("fd00:9::1", NEAR_PORT)), 0);
	(void)wait_for(&near, 1, 50);
	listen_at(&near, &near_ground);
	assert_int_equal(speak(&far, 4, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 4);
}

TEST(ports_change_while_it_listens)
{
	struct tap_ground ground = {.port_count = 2, .ports = {40100, 40101}};

	(void)state;
	listen_at(&near, &ground);
	assert_int_equal(speak(&far, 1, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	assert_int_equal(speak(&far, 2, FAR_PORT, to("10.9.0.1", 40101)), 0);
	assert_int_equal(expect(&near, 2)->to.port, 40101);
	assert_int_equal(speak(&far, 3, FAR_PORT, to("fd00:9::1", 40100)), 0);
	assert_int_equal(expect(&near, 3)->to.port, 40100);
	/* What waits since before is not delivered. */
	assert_int_equal(speak(&far, 4, FAR_PORT, to("10.9.0.1", 40101)), 0);
	room_sleep_ms(20);
	listen_at(&near, &near_ground);
	assert_int_equal(speak(&far, 5, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 5);
}

TEST(without_ports_it_has_no_socket_that_listens)
{
	const struct tap_ground nothing = {.port_count = 0};

	(void)state;
	assert_int_equal(room_shell("[ $(grep -c ' 0800 ' /proc/net/packet) = 1 ] && "
				    "[ $(grep -c ' 86dd ' /proc/net/packet) = 1 ] && "
				    "[ $(wc -l </proc/net/packet) = 3 ]"),
		0);
	listen_at(&near, &nothing);
	assert_int_equal(room_shell("[ $(wc -l </proc/net/packet) = 1 ]"), 0);
	assert_int_equal(speak(&far, 1, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	assert_int_equal(speak(&near, 2, NEAR_PORT, to("10.9.0.2", FAR_PORT)), 0);
	(void)expect(&far, 2);
	listen_at(&near, &near_ground);
	assert_int_equal(speak(&far, 3, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 3);
}

TEST(line_goes_and_comes_back)
{
	(void)state;
	assert_int_equal(room_shell("ip link set side0 down"), 0);
	assert_int_equal(room_shell("ip route add unreachable 10.9.0.0/24"), 0);
	assert_true(speak(&near, 1, NEAR_PORT, to("10.9.0.2", FAR_PORT)) < 0);
	assert_int_equal(room_shell("ip route delete unreachable 10.9.0.0/24"), 0);
	assert_int_equal(room_shell("ip link set side0 up"), 0);
	assert_int_equal(room_shell("ip address add fd00:9::1/64 dev side0 nodad"), 0);
	assert_int_equal(speak(&near, 2, NEAR_PORT, to("10.9.0.2", FAR_PORT)), 0);
	(void)expect(&far, 2);
	assert_int_equal(speak(&far, 3, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 3);
}

TEST(wireguard_goes_and_comes_back)
{
	struct tap_ground ground = near_ground;

	(void)state;
	ground.device_count = 1;
	assert_int_equal(wireguard_destroy(door, "near0"), 0);
	/* The port is nobody's: the system says so to who speaks to it, and the tap hears all the
	 * same. */
	assert_int_equal(speak(&far, 1, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 1);
	make_device("near0", 1, NEAR_PORT);
	ground.devices[0] = index_of("near0");
	listen_at(&near, &ground);
	assert_int_equal(speak(&near, 2, NEAR_PORT, to("10.9.0.2", FAR_PORT)), 0);
	assert_int_equal(expect(&far, 2)->from.port, NEAR_PORT);
	assert_int_equal(speak(&far, 3, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	(void)expect(&near, 3);
}

TEST(datagram_through_a_bridge_is_delivered_once)
{
	(void)state;
	assert_int_equal(room_shell("ip link add bridge0 type bridge && "
				    "ip address flush dev side0 && "
				    "ip link set side0 master bridge0 && "
				    "ip address add 10.9.0.1/24 dev bridge0 && "
				    "ip link set bridge0 up"),
		0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(speak(&far, i, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(expect(&near, i)->device, index_of("bridge0"));
	assert_false(wait_for(&near, 1, 50));
	assert_int_equal(room_shell("ip link delete bridge0 && "
				    "ip address add 10.9.0.1/24 dev side0 && "
				    "ip address add 10.9.0.11/24 dev side0 && "
				    "ip address add fd00:9::1/64 dev side0 nodad"),
		0);
}

TEST(many_at_once_are_all_delivered)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(speak(&far, i, FAR_PORT, to("10.9.0.1", NEAR_PORT)), 0);
	for (uint32_t i = 0; i < 40; i++)
		(void)expect(&near, i);
}

static int try_without(void *context)
{
	char why[TAP_WHY_SIZE] = "";
	struct tap *tap = NULL;

	(void)context;
	room_give_up();
	return tap_new(&tap, loop, on_arrival, &near, why) == -EPERM && !tap &&
			       strstr(why, "CAP_NET_RAW")
		       ? 0
		       : 1;
}

TEST(without_the_capability_there_is_none_and_words_say_so)
{
	(void)state;
	assert_int_equal(room_child(try_without, NULL), 0);
}

#define PROMISE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		PROMISE(datagram_comes_from_wireguards_port_and_wireguard_takes_no_notice),
		PROMISE(opener_dies_on_its_way_and_opens_only_the_own_router),
		PROMISE(wireguard_meets_through_what_a_datagram_opened),
		PROMISE(source_is_the_one_that_is_asked_for),
		PROMISE(nothing_goes_out_by_an_interface_of_ours),
		PROMISE(what_cannot_go_out_is_an_error),
		PROMISE(what_is_not_ours_is_not_delivered),
		PROMISE(datagram_one_byte_too_long_is_not_delivered),
		PROMISE(checksum_and_options_keep_nothing_away),
		PROMISE(what_this_machine_sends_is_not_delivered_to_it),
		PROMISE(what_comes_in_by_an_interface_of_ours_is_not_delivered),
		PROMISE(ports_change_while_it_listens),
		PROMISE(without_ports_it_has_no_socket_that_listens),
		PROMISE(line_goes_and_comes_back),
		PROMISE(wireguard_goes_and_comes_back),
		PROMISE(datagram_through_a_bridge_is_delivered_once),
		PROMISE(many_at_once_are_all_delivered),
		PROMISE(without_the_capability_there_is_none_and_words_say_so),
	};
	int failed;

	if (argc < 2) {
		(void)fprintf(stderr, "usage: tap kernel|userspace [user]\n");
		return 2;
	}
	kind = strcmp(argv[1], "kernel") == 0 ? WIREGUARD_KERNEL : WIREGUARD_USERSPACE;
	(void)alarm(120);
	begin(argc > 2 && strcmp(argv[2], "user") == 0);
	failed = RUN(cases);
	end();
	return failed;
}

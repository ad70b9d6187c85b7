/* SPDX-License-Identifier: MIT */
/*
 * door.c - the same promises of both rooms behind agent/wireguard.h:
 *
 *   door kernel|userspace|no-kernel [user|few]
 *
 * As root, in namespaces of its own, which it makes; with user as the unit's user; with few, only
 * some cases. no-kernel is for a machine whose kernel has no WireGuard, and says only that it has
 * none.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/link.h"
#include "agent/memory.h"
#include "agent/uapi_socket.h"
#include "tests/lab/room.h"

#define QUIET_MS 150
#define FIRST_MS 5000
#define UP_MS 5000

static struct room room;
static enum wireguard_kind kind;
static struct wireguard *door;
static const char *const names[] = {"door0", "door1", "kid0"};
static const char name[] = "door0";

/* Doing. */

static void create(const char *device)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	int r = -ETIMEDOUT;

	/* A program may take its time to begin where the machine has much else to do. */
	for (int i = 0; i < ROOM_TRIES && r == -ETIMEDOUT; i++)
		r = wireguard_create(door, device, why);
	if (r < 0)
		fail_msg("%s: %d %s", device, r, why);
}

static void write_change(const struct wireguard_change *change)
{
	assert_int_equal(wireguard_write(door, name, change), 0);
}

static void write_peers(const struct wireguard_peer_change *peers, uint32_t count)
{
	const struct wireguard_change change = {.peer_count = count, .peers = peers};

	write_change(&change);
}

static void read_device(struct wireguard_device *ret)
{
	assert_int_equal(wireguard_read(door, name, ret), 0);
}

static void bring_up(const char *device)
{
	int64_t until = room_now_ms() + UP_MS;
	struct link link;
	uint16_t port = 0;

	assert_int_equal(link_find(room.netlink, device, &link), 0);
	assert_int_equal(link_set_up(room.netlink, link.index), 0);
	/* It has a port once it listens. */
	while (port == 0) {
		struct wireguard_device read;

		assert_true(room_now_ms() < until);
		room_sleep_ms(2);
		assert_int_equal(wireguard_read(door, device, &read), 0);
		port = read.port;
		wireguard_device_free(&read);
	}
}

static int set_up(void **state)
{
	(void)state;
	create(name);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		if (wireguard_destroy(door, names[i]) < 0)
			return -1;
	}
	return 0;
}

/* Whether a device is what a change says: everything set, nothing else. */
static void expect_peer(
	const struct wireguard_device *device, const struct wireguard_peer_change *change)
{
	const struct wireguard_peer *peer = wireguard_device_peer(device, &change->key);

	assert_non_null(peer);
	assert_true(key_equal(&peer->preshared, &change->preshared));
	assert_int_equal(peer->keepalive, change->keepalive);
	assert_int_equal(peer->has_endpoint, change->set_endpoint);
	if (change->set_endpoint)
		assert_true(endpoint_equal(&peer->endpoint, &change->endpoint));
	assert_int_equal(peer->allowed_count, change->allowed_count);
	for (uint32_t i = 0; i < peer->allowed_count; i++)
		assert_true(prefix_equal(&device->allowed[peer->allowed + i], &change->allowed[i]));
}

/* Where no port is set the kernel has none before it is up; a program takes some port at once. */
static const struct wireguard_change blank;

static void expect_device(
	const struct wireguard_device *device, const struct wireguard_change *change)
{
	assert_true(key_equal(&device->private_key, &change->private_key));
	if (change->set_port || kind == WIREGUARD_KERNEL)
		assert_int_equal(device->port, change->port);
	assert_int_equal(device->peer_count, change->peer_count);
	for (uint32_t i = 1; i < device->peer_count; i++)
		assert_true(memcmp(device->peers[i - 1].key.bytes, device->peers[i].key.bytes,
				    KEY_SIZE) < 0);
	for (uint32_t i = 0; i < change->peer_count; i++)
		expect_peer(device, &change->peers[i]);
}

static const struct wireguard_peer *find_peer(
	const struct wireguard_device *device, const struct key *key)
{
	const struct wireguard_peer *peer = wireguard_device_peer(device, key);

	assert_non_null(peer);
	return peer;
}

/* Making and taking away. */

TEST(device_is_made_found_and_taken_away)
{
	struct wireguard_device device;
	struct link link;

	(void)state;
	assert_int_equal(wireguard_probe(door, name), -ENODEV);
	create(name);
	assert_int_equal(wireguard_probe(door, name), 0);
	assert_int_equal(link_find(room.netlink, name, &link), 0);
	assert_false(link.up);
	read_device(&device);
	expect_device(&device, &blank);
	assert_int_equal(device.allowed_count, 0);
	wireguard_device_free(&device);
	assert_int_equal(wireguard_destroy(door, name), 0);
	assert_int_equal(wireguard_probe(door, name), -ENODEV);
	assert_int_equal(link_find(room.netlink, name, &link), -ENODEV);
}

TEST(what_is_absent_is_no_device)
{
	const struct wireguard_change nothing = {.peer_count = 0};
	struct wireguard_device device = {.port = 9};

	(void)state;
	assert_int_equal(wireguard_probe(door, name), -ENODEV);
	assert_int_equal(wireguard_read(door, name, &device), -ENODEV);
	assert_int_equal(device.port, 9);
	assert_int_equal(wireguard_write(door, name, &nothing), -ENODEV);
	assert_int_equal(wireguard_destroy(door, name), 0);
	assert_int_equal(wireguard_destroy(door, name), 0);
}

TEST(device_that_is_there_is_not_made_again)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	const struct wireguard_change change = {.set_port = true, .port = 4242};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	assert_int_equal(wireguard_create(door, name, why), -EEXIST);
	assert_non_null(strstr(why, name));
	read_device(&device);
	assert_int_equal(device.port, 4242);
	wireguard_device_free(&device);
}

TEST(interface_of_another_kind_is_no_device_and_is_left_alone)
{
	static const char *const makers[] = {"ip link add %s type veth peer name door9",
		"ip link add %s type bridge", "ip tuntap add %s mode tun"};
	const struct wireguard_change change = {.set_port = true, .port = 4242};
	char why[WIREGUARD_WHY_SIZE];
	char maker[128];
	struct wireguard_device device = {.port = 9};
	struct link link;

	(void)state;
	for (size_t i = 0; i < COUNT(makers); i++) {
		(void)snprintf(maker, sizeof maker, "%.*s%s%s", (int)strcspn(makers[i], "%"),
			makers[i], name, strchr(makers[i], '%') + 2);
		assert_int_equal(room_shell("%s", maker), 0);
		why[0] = '\0';
		assert_int_equal(wireguard_probe(door, name), -ENODEV);
		assert_int_equal(wireguard_read(door, name, &device), -ENODEV);
		assert_int_equal(device.port, 9);
		assert_int_equal(wireguard_write(door, name, &change), -ENODEV);
		assert_int_equal(wireguard_create(door, name, why), -EEXIST);
		assert_non_null(strstr(why, name));
		assert_int_equal(wireguard_destroy(door, name), 0);
		assert_int_equal(link_find(room.netlink, name, &link), 0);
		assert_int_equal(room_shell("ip link delete %s", name), 0);
	}
}

TEST(what_is_no_name_is_refused)
{
	static const char *const rows[] = {"", ".", "..", "a/b", "a b", "a:b", "wg%d", "%",
		"sixteen-letters-", "much-longer-than-any-name-of-a-device"};
	char why[WIREGUARD_WHY_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		why[0] = '\0';
		if (wireguard_create(door, rows[i], why) != -EINVAL)
			fail_msg("\"%s\"", rows[i]);
		assert_true(why[0] != '\0');
	}
	assert_int_not_equal(room_shell("ip link show wg0"), 0);
}

TEST(destroyed_device_is_made_again_and_knows_nothing)
{
	const struct wireguard_peer_change peer = {.key = room_key(1)};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_private(9),
		.set_port = true,
		.port = 4242,
		.peer_count = 1,
		.peers = &peer};
	struct wireguard_device device;

	(void)state;
	for (int i = 0; i < 3; i++) {
		create(name);
		read_device(&device);
		expect_device(&device, &blank);
		wireguard_device_free(&device);
		write_change(&change);
		assert_int_equal(wireguard_destroy(door, name), 0);
	}
}

TEST(two_devices_are_two)
{
	const struct wireguard_peer_change peers[] = {{.key = room_key(1)}, {.key = room_key(2)}};
	const struct wireguard_change changes[] = {
		{.set_port = true, .port = 4242, .peer_count = 1, .peers = peers},
		{.set_port = true, .port = 4243, .peer_count = 1, .peers = peers + 1}};
	struct wireguard_device device;

	(void)state;
	create(names[0]);
	create(names[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(wireguard_write(door, names[i], &changes[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wireguard_read(door, names[i], &device), 0);
		expect_device(&device, &changes[i]);
		wireguard_device_free(&device);
	}
	assert_int_equal(wireguard_destroy(door, names[0]), 0);
	assert_int_equal(wireguard_probe(door, names[1]), 0);
}

TEST(device_is_adopted_through_another_door)
{
	const struct wireguard_change change = {.set_port = true, .port = 4242};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard_device device;
	struct wireguard *other;

	(void)state;
	assert_int_equal(wireguard_open(&other, kind, why), 0);
	assert_int_equal(wireguard_kind(other), kind);
	assert_int_equal(wireguard_probe(other, name), 0);
	assert_int_equal(wireguard_write(other, name, &change), 0);
	read_device(&device);
	assert_int_equal(device.port, 4242);
	wireguard_device_free(&device);
	assert_int_equal(wireguard_create(other, name, why), -EEXIST);
	assert_int_equal(wireguard_destroy(other, name), 0);
	wireguard_close(other);
	assert_int_equal(wireguard_probe(door, name), -ENODEV);
	wireguard_reap(door);
}

static int create_and_stay(void *context)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard *other;

	(void)context;
	if (wireguard_open(&other, kind, why) < 0 || wireguard_create(other, names[2], why) < 0)
		return 1;
	(void)raise(SIGKILL);
	return 2;
}

TEST(device_outlives_whoever_made_it)
{
	const struct wireguard_change change = {.set_port = true, .port = 4242};

	(void)state;
	/* Killed. */
	assert_int_equal(room_child(create_and_stay, NULL), -1);
	assert_int_equal(wireguard_probe(door, names[2]), 0);
	assert_int_equal(wireguard_write(door, names[2], &change), 0);
	assert_int_equal(wireguard_destroy(door, names[2]), 0);
	assert_int_equal(wireguard_probe(door, names[2]), -ENODEV);
}

/* Without capabilities the status is a bit for each promise that was not kept. */
static int try_without(void *context)
{
	const struct wireguard_change change = {.set_port = true, .port = 4242};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard_device device;
	struct wireguard *other;
	int bad = 0;
	int r;

	(void)context;
	room_give_up();
	r = wireguard_open(&other, kind, why);
	if (kind == WIREGUARD_USERSPACE)
		return (r != -EPERM) | (strstr(why, "CAP_NET_ADMIN") == NULL) << 1;
	if (r < 0)
		return 64;
	bad |= wireguard_create(other, names[1], why) != -EPERM;
	bad |= (strstr(why, "CAP_NET_ADMIN") == NULL) << 1;
	bad |= (wireguard_read(other, name, &device) != -EPERM) << 2;
	bad |= (wireguard_write(other, name, &change) != -EPERM) << 3;
	bad |= (wireguard_destroy(other, name) != -EPERM) << 4;
	bad |= (wireguard_probe(other, name) != 0) << 5;
	return bad;
}

TEST(without_the_capability_nothing_is_done_and_that_is_said)
{
	struct wireguard_device device;

	(void)state;
	assert_int_equal(room_child(try_without, NULL), 0);
	assert_int_equal(wireguard_probe(door, names[1]), -ENODEV);
	read_device(&device);
	assert_int_not_equal(device.port, 4242);
	wireguard_device_free(&device);
}

/* Writing and reading. */

TEST(key_and_port_are_read_as_written)
{
	struct wireguard_change change = {.set_private_key = true, .private_key = room_private(9)};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
	/* One without the other. */
	change.set_private_key = false;
	change.set_port = true;
	change.port = 65535;
	write_change(&change);
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
	change.private_key = room_private(8);
	change.set_private_key = true;
	change.set_port = false;
	write_change(&change);
	change.set_port = true;
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
}

TEST(private_key_of_zeros_is_refused)
{
	const struct wireguard_change zeros = {.set_private_key = true};
	const struct wireguard_change change = {
		.set_private_key = true, .private_key = room_private(9)};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	assert_int_equal(wireguard_write(door, name, &zeros), -EINVAL);
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
}

TEST(change_of_nothing_changes_nothing)
{
	const struct wireguard_peer_change peer = {
		.key = room_key(1), .set_keepalive = true, .keepalive = 7};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_private(9),
		.set_port = true,
		.port = 4242,
		.peer_count = 1,
		.peers = &peer};
	const struct wireguard_change nothing = {.peer_count = 0};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	write_change(&nothing);
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
}

TEST(peers_are_read_as_written)
{
	/* In the order of prefix_compare(). */
	const struct prefix all[] = {room_prefix("0.0.0.0/0"), room_prefix("10.1.0.0/16"),
		room_prefix("10.1.2.3/32"), room_prefix("::/0"), room_prefix("2001:db8::/33"),
		room_prefix("2001:db8::1/128")};
	const struct prefix few[] = {room_prefix("10.0.0.0/8"), room_prefix("2001:db8::/32")};
	const struct wireguard_peer_change peers[] = {
		{.key = room_key(1),
			.set_preshared = true,
			.preshared = room_key(100),
			.set_endpoint = true,
			.endpoint = room_endpoint("192.0.2.9:51820"),
			.set_keepalive = true,
			.keepalive = 65535,
			.allowed_count = COUNT(all),
			.allowed = all},
		{.key = room_key(2),
			.set_endpoint = true,
			.endpoint = room_endpoint("[2001:db8::9]:1"),
			.allowed_count = COUNT(few),
			.allowed = few},
		{.key = room_key(3), .set_keepalive = true, .keepalive = 1},
		{.key = room_key(4)},
	};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_private(9),
		.set_port = true,
		.port = 51820,
		.peer_count = COUNT(peers),
		.peers = peers};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	read_device(&device);
	expect_device(&device, &change);
	assert_int_equal(device.allowed_count, COUNT(all) + COUNT(few));
	for (uint32_t i = 0; i < device.peer_count; i++) {
		assert_true(device.peers[i].rx_bytes == 0);
		assert_true(device.peers[i].handshake == 0);
		/* A program does not wait for its interface to come up. */
		if (kind == WIREGUARD_KERNEL)
			assert_true(device.peers[i].tx_bytes == 0);
	}
	wireguard_device_free(&device);
}

TEST(prefixes_are_read_in_order)
{
	const struct prefix mixed[] = {room_prefix("2001:db8:2::/48"), room_prefix("10.9.0.0/16"),
		room_prefix("10.1.0.0/24"), room_prefix("2001:db8::/32"),
		room_prefix("10.1.0.0/16"), room_prefix("192.168.0.0/24"),
		room_prefix("10.5.0.0/16")};
	const struct wireguard_peer_change peer = {
		.key = room_key(1), .allowed_count = COUNT(mixed), .allowed = mixed};
	struct wireguard_device device;

	(void)state;
	write_peers(&peer, 1);
	read_device(&device);
	assert_int_equal(device.allowed_count, COUNT(mixed));
	for (uint32_t i = 1; i < device.allowed_count; i++)
		assert_true(prefix_compare(&device.allowed[i - 1], &device.allowed[i]) < 0);
	wireguard_device_free(&device);
}

TEST(what_is_not_set_stays)
{
	const struct prefix prefixes[] = {room_prefix("10.1.0.0/16"), room_prefix("10.2.0.0/16")};
	struct wireguard_peer_change peer = {.key = room_key(1),
		.set_preshared = true,
		.preshared = room_key(100),
		.set_endpoint = true,
		.endpoint = room_endpoint("192.0.2.9:51820"),
		.set_keepalive = true,
		.keepalive = 25,
		.allowed_count = 1,
		.allowed = prefixes};
	const struct wireguard_peer_change bare = {.key = room_key(1)};
	struct wireguard_peer_change more = {
		.key = room_key(1), .allowed_count = 1, .allowed = prefixes + 1};
	struct wireguard_device device;

	(void)state;
	write_peers(&peer, 1);
	write_peers(&bare, 1);
	read_device(&device);
	expect_peer(&device, &peer);
	wireguard_device_free(&device);
	/* Prefixes are added. */
	write_peers(&more, 1);
	peer.allowed_count = 2;
	read_device(&device);
	expect_peer(&device, &peer);
	wireguard_device_free(&device);
	/* Each is set without the others. */
	more = bare;
	more.set_preshared = true;
	peer.preshared = more.preshared;
	write_peers(&more, 1);
	more.set_preshared = false;
	more.set_keepalive = true;
	peer.keepalive = 0;
	write_peers(&more, 1);
	more.set_keepalive = false;
	more.set_endpoint = true;
	peer.endpoint = more.endpoint = room_endpoint("[2001:db8::9]:5");
	write_peers(&more, 1);
	read_device(&device);
	expect_peer(&device, &peer);
	wireguard_device_free(&device);
}

TEST(prefix_moves_from_whichever_peer_had_it)
{
	const struct prefix prefixes[] = {room_prefix("10.1.0.0/16"), room_prefix("10.2.0.0/16"),
		room_prefix("2001:db8::/32")};
	struct wireguard_peer_change peers[] = {
		{.key = room_key(1), .allowed_count = 3, .allowed = prefixes},
		{.key = room_key(2)},
		{.key = room_key(3)},
	};
	struct wireguard_device device;

	(void)state;
	write_peers(peers, 3);
	peers[1].allowed_count = 1;
	peers[1].allowed = prefixes + 1;
	peers[2].allowed_count = 1;
	peers[2].allowed = prefixes + 2;
	write_peers(peers + 1, 2);
	peers[0].allowed_count = 1;
	read_device(&device);
	for (int i = 0; i < 3; i++)
		expect_peer(&device, &peers[i]);
	wireguard_device_free(&device);
	/* And back. */
	peers[0].allowed_count = 3;
	write_peers(peers, 1);
	peers[1].allowed_count = peers[2].allowed_count = 0;
	read_device(&device);
	for (int i = 0; i < 3; i++)
		expect_peer(&device, &peers[i]);
	wireguard_device_free(&device);
}

TEST(update_of_an_absent_peer_does_nothing)
{
	const struct prefix prefixes[] = {room_prefix("10.1.0.0/16")};
	const struct wireguard_peer_change peers[] = {
		{.key = room_key(1), .allowed_count = 1, .allowed = prefixes},
		{.key = room_key(2),
			.update_only = true,
			.set_endpoint = true,
			.endpoint = room_endpoint("192.0.2.9:5"),
			.set_keepalive = true,
			.keepalive = 25,
			.allowed_count = 1,
			.allowed = prefixes},
	};
	const struct wireguard_peer_change update = {
		.key = room_key(1), .update_only = true, .set_keepalive = true, .keepalive = 9};
	struct wireguard_device device;

	(void)state;
	write_peers(peers, 2);
	read_device(&device);
	assert_int_equal(device.peer_count, 1);
	expect_peer(&device, &peers[0]);
	wireguard_device_free(&device);
	/* That of one who is there does. */
	write_peers(&update, 1);
	read_device(&device);
	assert_int_equal(find_peer(&device, &update.key)->keepalive, 9);
	wireguard_device_free(&device);
}

TEST(removal_of_an_absent_peer_is_fine)
{
	const struct wireguard_peer_change peers[] = {
		{.key = room_key(1), .remove = true},
		{.key = room_key(2)},
		{.key = room_key(2), .remove = true},
		{.key = room_key(2), .remove = true},
		{.key = room_key(3)},
	};
	struct wireguard_device device;

	(void)state;
	write_peers(peers, COUNT(peers));
	read_device(&device);
	assert_int_equal(device.peer_count, 1);
	expect_peer(&device, &peers[4]);
	wireguard_device_free(&device);
}

TEST(changes_are_done_in_order)
{
	const struct prefix prefixes[] = {room_prefix("10.1.0.0/16")};
	const struct wireguard_peer_change peers[] = {
		{.key = room_key(1), .set_keepalive = true, .keepalive = 5},
		{.key = room_key(2), .allowed_count = 1, .allowed = prefixes},
		{.key = room_key(1), .set_keepalive = true, .keepalive = 6},
		{.key = room_key(3), .allowed_count = 1, .allowed = prefixes},
		{.key = room_key(4)},
		{.key = room_key(4), .remove = true},
		{.key = room_key(5), .remove = true},
		{.key = room_key(5)},
	};
	struct wireguard_device device;

	(void)state;
	write_peers(peers, COUNT(peers));
	read_device(&device);
	assert_int_equal(device.peer_count, 4);
	assert_int_equal(find_peer(&device, &peers[0].key)->keepalive, 6);
	assert_int_equal(find_peer(&device, &peers[1].key)->allowed_count, 0);
	assert_int_equal(find_peer(&device, &peers[3].key)->allowed_count, 1);
	assert_null(wireguard_device_peer(&device, &peers[4].key));
	assert_non_null(wireguard_device_peer(&device, &peers[7].key));
	wireguard_device_free(&device);
}

TEST(peer_with_the_devices_own_key_is_none)
{
	const struct key private_key = room_private(9);
	const struct wireguard_peer_change peers[] = {
		{.key = room_public(&private_key)}, {.key = room_key(2)}};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = private_key,
		.peer_count = 2,
		.peers = peers};
	struct wireguard_device device;

	(void)state;
	write_change(&change);
	read_device(&device);
	assert_int_equal(device.peer_count, 1);
	expect_peer(&device, &peers[1]);
	wireguard_device_free(&device);
}

TEST(port_that_is_taken_is_refused)
{
	struct wireguard_change change = {.set_port = true};
	struct listener taken;

	(void)state;
	bring_up(name);
	listener_open(&taken);
	change.port = taken.endpoint.port;
	assert_int_equal(wireguard_write(door, name, &change), -EADDRINUSE);
	listener_close(&taken);
	write_change(&change);
}

/* Many. */

#define MANY 1024
#define MANY_AS_USER 128 /* a kernel takes its time to take many away */
#define LONGEST 100      /* the one that has */
#define MANY_PREFIXES 3000

static uint32_t prefixes_of(uint32_t peer)
{
	if (peer == LONGEST)
		return MANY_PREFIXES;
	return peer % 16 == 0 ? 1 + peer * 7 % 300 : 1 + peer % 4;
}

/* In the order of prefix_compare(): narrow ones first. */
static void fill_prefixes(struct prefix *prefixes, uint32_t peer, uint32_t count)
{
	uint32_t narrow = (count + 1) / 2;

	for (uint32_t i = 0; i < count; i++) {
		prefixes[i] = (struct prefix){address_ipv4(0x0a000000 + (peer << 12) + i), 32};
		if (i < narrow)
			continue;
		prefixes[i] = room_prefix("2001:db8::/64");
		prefixes[i].address.bytes[4] = (uint8_t)(peer >> 8);
		prefixes[i].address.bytes[5] = (uint8_t)peer;
		prefixes[i].address.bytes[6] = (uint8_t)(i >> 8);
		prefixes[i].address.bytes[7] = (uint8_t)i;
	}
}

TEST(a_thousand_peers_are_read_as_written)
{
	uint32_t many = room.user ? MANY_AS_USER : MANY;
	struct wireguard_peer_change *peers = memory_zeroed(many, sizeof *peers);
	struct prefix *prefixes = memory_zeroed((size_t)many * MANY_PREFIXES, sizeof *prefixes);
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_private(9),
		.set_port = true,
		.port = 4242,
		.peer_count = many,
		.peers = peers};
	/* A program computes for each new peer: on a slow machine for all too long at a time. */
	uint32_t step = kind == WIREGUARD_KERNEL ? many : 64;
	struct wireguard_change part = change;
	struct wireguard_device device;

	(void)state;
	for (uint32_t i = 0; i < many; i++) {
		struct prefix *own = prefixes + (size_t)i * MANY_PREFIXES;

		fill_prefixes(own, i, prefixes_of(i));
		peers[i] = (struct wireguard_peer_change){.key = room_key(i),
			.set_preshared = true,
			.preshared = room_key(i + 5000),
			.set_endpoint = i % 3 > 0,
			.endpoint = room_endpoint(
				i % 3 == 1 ? "192.0.2.9:51820" : "[2001:db8::9]:51820"),
			.set_keepalive = true,
			.keepalive = (uint16_t)(1 + i),
			.allowed_count = prefixes_of(i),
			.allowed = own};
	}
	part.peer_count = step;
	for (uint32_t i = 0; i < many; i += step) {
		part.peers = peers + i;
		write_change(&part);
	}
	read_device(&device);
	expect_device(&device, &change);
	wireguard_device_free(&device);
	free(prefixes);
	free(peers);
}

/* While another changes it. */

#define CHANGING 100
#define CHANGING_PREFIXES 60 /* of each: they make the answer long, and the change not */
#define READS 100

static struct wireguard_peer_change changing[CHANGING];

static void set_all(uint16_t keepalive)
{
	for (uint32_t i = 0; i < CHANGING; i++)
		changing[i] = (struct wireguard_peer_change){
			.key = room_key(i), .set_keepalive = true, .keepalive = keepalive};
}

/* Each time in one message, which is done at once. */
static int change_always(void)
{
	const struct wireguard_change change = {.peer_count = CHANGING, .peers = changing};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard *other;

	if (wireguard_open(&other, kind, why) < 0)
		return 1;
	for (uint16_t i = 2;; i++) {
		set_all(i ? i : 1);
		if (wireguard_write(other, name, &change) < 0)
			return 2;
		/* Now and then as long as the reader may need for all of it. */
		if (i % 32 == 0)
			room_sleep_ms(60);
	}
}

TEST(device_that_changes_is_read_whole_or_not_at_all)
{
	int whole = 0;
	int different = 0;
	uint16_t last = 0;
	pid_t child;

	(void)state;
	set_all(1);
	for (uint32_t i = 0; i < CHANGING; i++) {
		struct prefix prefixes[CHANGING_PREFIXES];

		fill_prefixes(prefixes, i, CHANGING_PREFIXES);
		changing[i].allowed_count = CHANGING_PREFIXES;
		changing[i].allowed = prefixes;
		write_peers(changing + i, 1);
	}
	(void)fflush(stdout);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(change_always());
	for (int i = 0; i < READS || (whole < 3 && i < 10 * READS); i++) {
		struct wireguard_device device;
		int r = wireguard_read(door, name, &device);
		bool mixed = false;

		if (r == -EINTR)
			continue;
		assert_int_equal(r, 0);
		mixed = device.peer_count != CHANGING ||
			device.allowed_count != CHANGING * CHANGING_PREFIXES;
		for (uint32_t j = 1; j < device.peer_count; j++)
			mixed = mixed || device.peers[j].keepalive != device.peers[0].keepalive;
		different += device.peers[0].keepalive != last;
		last = device.peers[0].keepalive;
		wireguard_device_free(&device);
		if (mixed)
			(void)kill(child, SIGKILL);
		assert_false(mixed);
		whole++;
	}
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(whole >= 3);
	assert_true(different >= 2);
}

/* First packets. */

TEST(first_packet_goes_to_the_endpoint_set_with_the_keepalive)
{
	struct listener old;
	struct listener new;
	struct wireguard_peer_change peer = {.key = room_far_public(), .set_endpoint = true};
	struct wireguard_change change = {.set_private_key = true,
		.private_key = room_near_private(),
		.peer_count = 1,
		.peers = &peer};

	(void)state;
	listener_open(&old);
	listener_open(&new);
	bring_up(name);
	peer.endpoint = old.endpoint;
	write_change(&change);
	/* Neither endpoint nor prefix nor key sends. */
	assert_int_equal(listener_count(&old, QUIET_MS, QUIET_MS), 0);
	peer.endpoint = new.endpoint;
	peer.set_keepalive = true;
	peer.keepalive = 25;
	write_change(&change);
	assert_int_equal(listener_count(&new, FIRST_MS, QUIET_MS), 1);
	assert_int_equal(listener_count(&old, 0, 0), 0);
	listener_close(&old);
	listener_close(&new);
}

#define STATIONS 6

TEST(keepalive_that_is_switched_on_sends_once_and_of_that_peer_only)
{
	struct listener stations[STATIONS];
	const struct prefix prefixes[] = {room_prefix("10.1.0.0/16")};
	struct wireguard_peer_change peers[STATIONS];
	struct wireguard_change change = {.set_private_key = true,
		.private_key = room_near_private(),
		.peer_count = STATIONS,
		.peers = peers};

	(void)state;
	bring_up(name);
	for (int i = 0; i < STATIONS; i++) {
		struct key private_key = room_private((uint8_t)(20 + i));

		listener_open(&stations[i]);
		peers[i] = (struct wireguard_peer_change){.key = room_public(&private_key),
			.set_endpoint = true,
			.endpoint = stations[i].endpoint};
	}
	write_change(&change);
	for (int i = 0; i < STATIONS; i++)
		peers[i].set_endpoint = false;
	/* Among others that are changed, before and behind. */
	peers[0].set_preshared = true;
	peers[1].set_keepalive = true;
	peers[1].keepalive = 25;
	peers[2].allowed_count = 1;
	peers[2].allowed = prefixes;
	peers[4].set_keepalive = true;
	write_change(&change);
	assert_int_equal(listener_count(&stations[1], FIRST_MS, QUIET_MS), 1);
	for (int i = 0; i < STATIONS; i++)
		assert_int_equal(listener_count(&stations[i], 0, 0), 0);
	/* What is on is not switched on. */
	peers[1].keepalive = 20;
	write_change(&change);
	for (int i = 0; i < STATIONS; i++)
		assert_int_equal(listener_count(&stations[i], i ? 0 : QUIET_MS, 0), 0);
	for (int i = 0; i < STATIONS; i++)
		listener_close(&stations[i]);
}

/* The other site. */

static void set_near(void)
{
	const struct prefix prefix = room_prefix("10.77.2.0/24");
	const struct wireguard_peer_change peer = {.key = room_far_public(),
		.set_endpoint = true,
		.endpoint = {address_ipv4(0xc0000202), ROOM_FAR_PORT},
		.allowed_count = 1,
		.allowed = &prefix};
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = room_near_private(),
		.peer_count = 1,
		.peers = &peer};

	bring_up(name);
	write_change(&change);
	assert_int_equal(room_shell("ip address add 10.77.1.1/32 dev %s", name), 0);
	assert_int_equal(room_shell("ip route add 10.77.2.0/24 dev %s", name), 0);
}

static void ping(void)
{
	assert_int_equal(room_shell("ping -q -c 1 -W 10 10.77.2.1"), 0);
}

/* What the device says of the other site. */
static struct wireguard_peer far_peer(void)
{
	const struct key key = room_far_public();
	struct wireguard_device device;
	struct wireguard_peer peer;

	read_device(&device);
	peer = *find_peer(&device, &key);
	wireguard_device_free(&device);
	return peer;
}

/* In one flow, since a session takes its time: and each of the next cases goes on with it. */
TEST(packets_travel_and_are_counted)
{
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	struct wireguard_peer before;
	struct wireguard_peer after;

	(void)state;
	create(name);
	assert_true(room_far_is_ready(&room));
	set_near();
	before = far_peer();
	assert_true(before.handshake == 0 && before.rx_bytes == 0 && before.tx_bytes == 0);
	ping();
	before = far_peer();
	assert_true(before.rx_bytes >= 92 + 128);
	assert_true(before.tx_bytes >= 148 + 128);
	assert_true(before.handshake + 5000 >= now_ms);
	assert_true(before.handshake <= (uint64_t)time(NULL) * 1000 + 5000);
	ping();
	after = far_peer();
	/* 84 bytes of a ping are padded to 96, and 32 stand before and behind. */
	assert_true(after.rx_bytes - before.rx_bytes >= 128);
	assert_true(after.rx_bytes - before.rx_bytes <= 128 + 64);
	assert_true(after.tx_bytes - before.tx_bytes >= 128);
	assert_true(after.tx_bytes - before.tx_bytes <= 128 + 64);
	assert_true(after.handshake == before.handshake);
}

TEST(session_survives_a_write_of_what_is_there)
{
	const struct prefix prefix = room_prefix("10.77.2.0/24");
	const struct wireguard_peer_change peer = {.key = room_far_public(),
		.set_preshared = true,
		.set_endpoint = true,
		.endpoint = {address_ipv4(0xc0000202), ROOM_FAR_PORT},
		.set_keepalive = true,
		.keepalive = 25,
		.allowed_count = 1,
		.allowed = &prefix};
	struct wireguard_change change = {.set_private_key = true,
		.private_key = room_near_private(),
		.set_port = true,
		.peer_count = 1,
		.peers = &peer};
	struct wireguard_peer before = far_peer();
	struct wireguard_peer after;
	struct wireguard_device device;

	(void)state;
	read_device(&device);
	change.port = device.port;
	wireguard_device_free(&device);
	for (int i = 0; i < 3; i++)
		write_change(&change);
	ping();
	after = far_peer();
	assert_true(after.handshake == before.handshake);
	/* Neither an initiation nor a response. */
	assert_true(after.tx_bytes - before.tx_bytes < 128 + 148);
	assert_true(after.rx_bytes - before.rx_bytes < 128 + 92);
	assert_true(after.tx_bytes - before.tx_bytes >= 128);
}

TEST(peer_made_again_in_one_change_knows_nothing)
{
	const struct wireguard_peer_change peers[] = {
		{.key = room_far_public(), .remove = true}, {.key = room_far_public()}};
	struct wireguard_device device;

	(void)state;
	write_peers(peers, 2);
	read_device(&device);
	assert_int_equal(device.peer_count, 1);
	assert_int_equal(device.allowed_count, 0);
	expect_peer(&device, &peers[1]);
	assert_true(device.peers[0].rx_bytes == 0);
	assert_true(device.peers[0].tx_bytes == 0);
	assert_true(device.peers[0].handshake == 0);
	wireguard_device_free(&device);
}

/* Only of programs. */

static pid_t program_of(const char *device)
{
	int fd = uapi_connect(device, uapi_deadline());
	pid_t id;

	assert_true(fd >= 0);
	id = uapi_other_end(fd);
	(void)close(fd);
	assert_true(id > 1);
	return id;
}

TEST(program_that_is_killed_is_no_device)
{
	struct wireguard_device device;
	const struct wireguard_change nothing = {.peer_count = 0};
	pid_t id = program_of(name);
	char why[WIREGUARD_WHY_SIZE] = "";

	(void)state;
	assert_int_equal(kill(id, SIGKILL), 0);
	assert_int_equal(wireguard_probe(door, name), -ENODEV);
	assert_int_equal(wireguard_read(door, name, &device), -ENODEV);
	assert_int_equal(wireguard_write(door, name, &nothing), -ENODEV);
	/* The socket that it left is not in the way; the interface may take a moment to go. */
	for (int i = 0; i < 500 && wireguard_create(door, name, why) == -EEXIST; i++)
		room_sleep_ms(10);
	assert_int_equal(wireguard_probe(door, name), 0);
	/* Nothing is left of the first, once it was laid to rest. */
	for (int i = 0; i < 500 && kill(id, 0) == 0; i++) {
		wireguard_reap(door);
		room_sleep_ms(10);
	}
	assert_int_equal(kill(id, 0), -1);
}

TEST(program_that_hangs_is_not_waited_for_long_and_can_be_taken_away)
{
	pid_t id = program_of(name);
	int64_t before;
	int status = 0;

	(void)state;
	assert_int_equal(kill(id, SIGSTOP), 0);
	/* All its threads. */
	assert_int_equal(waitpid(id, &status, WUNTRACED), id);
	assert_true(WIFSTOPPED(status));
	before = room_now_ms();
	assert_int_equal(wireguard_probe(door, name), -ETIMEDOUT);
	assert_true(room_now_ms() - before >= 1950);
	assert_true(room_now_ms() - before < 3500);
	assert_int_equal(wireguard_destroy(door, name), 0);
	assert_true(room_now_ms() - before < 7500);
	assert_int_equal(kill(id, 0), -1);
	assert_int_equal(room_shell("ip link show %s", name), 1);
	assert_int_equal(access("/run/wireguard/door0.sock", F_OK), -1);
	create(name);
	assert_int_equal(wireguard_probe(door, name), 0);
}

/* What a terminal sends to whoever made the device is not for it. */
TEST(program_has_a_session_of_its_own)
{
	pid_t id = program_of(name);

	(void)state;
	assert_int_equal(getsid(id), id);
}

TEST(program_leaves_nothing_behind)
{
	pid_t id = program_of(name);

	(void)state;
	assert_int_equal(access("/run/wireguard/door0.sock", F_OK), 0);
	assert_int_equal(wireguard_destroy(door, name), 0);
	assert_int_equal(kill(id, 0), -1);
	assert_int_equal(access("/run/wireguard/door0.sock", F_OK), -1);
}

/* Where there is none. */

TEST(kernel_without_wireguard_is_told_apart)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	struct wireguard *other = NULL;

	(void)state;
	assert_int_equal(wireguard_open(&other, WIREGUARD_KERNEL, why), -EOPNOTSUPP);
	assert_null(other);
	assert_non_null(strstr(why, "modprobe wireguard"));
	assert_non_null(strstr(why, "apt install wireguard-go"));
}

#define ALONE(test) cmocka_unit_test_teardown(test, tear_down)
#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest both[] = {
	ALONE(device_is_made_found_and_taken_away),
	ALONE(what_is_absent_is_no_device),
	MADE(device_that_is_there_is_not_made_again),
	ALONE(interface_of_another_kind_is_no_device_and_is_left_alone),
	ALONE(what_is_no_name_is_refused),
	ALONE(destroyed_device_is_made_again_and_knows_nothing),
	ALONE(two_devices_are_two),
	MADE(device_is_adopted_through_another_door),
	ALONE(device_outlives_whoever_made_it),
	MADE(without_the_capability_nothing_is_done_and_that_is_said),
	MADE(key_and_port_are_read_as_written),
	MADE(private_key_of_zeros_is_refused),
	MADE(change_of_nothing_changes_nothing),
	MADE(peers_are_read_as_written),
	MADE(prefixes_are_read_in_order),
	MADE(what_is_not_set_stays),
	MADE(prefix_moves_from_whichever_peer_had_it),
	MADE(update_of_an_absent_peer_does_nothing),
	MADE(removal_of_an_absent_peer_is_fine),
	MADE(changes_are_done_in_order),
	MADE(peer_with_the_devices_own_key_is_none),
	MADE(port_that_is_taken_is_refused),
	MADE(a_thousand_peers_are_read_as_written),
	MADE(device_that_changes_is_read_whole_or_not_at_all),
	MADE(first_packet_goes_to_the_endpoint_set_with_the_keepalive),
	MADE(keepalive_that_is_switched_on_sends_once_and_of_that_peer_only),
	CASE(packets_travel_and_are_counted),
	CASE(session_survives_a_write_of_what_is_there),
	ALONE(peer_made_again_in_one_change_knows_nothing),
};

static const struct CMUnitTest of_programs[] = {
	MADE(program_that_is_killed_is_no_device),
	MADE(program_that_hangs_is_not_waited_for_long_and_can_be_taken_away),
	MADE(program_has_a_session_of_its_own),
	MADE(program_leaves_nothing_behind),
};

/* Where machines are slow: whether the room is there at all. */
static const struct CMUnitTest few[] = {
	ALONE(device_is_made_found_and_taken_away),
	MADE(key_and_port_are_read_as_written),
	MADE(peers_are_read_as_written),
	MADE(first_packet_goes_to_the_endpoint_set_with_the_keepalive),
	CASE(packets_travel_and_are_counted),
	ALONE(peer_made_again_in_one_change_knows_nothing),
	MADE(program_leaves_nothing_behind),
};

static int try_room(bool user, bool quick)
{
	struct CMUnitTest cases[COUNT(both) + COUNT(of_programs)];
	size_t count = COUNT(both);
	char why[WIREGUARD_WHY_SIZE] = "";
	int failed;

	memcpy(cases, both, sizeof both);
	if (kind == WIREGUARD_USERSPACE) {
		memcpy(cases + count, of_programs, sizeof of_programs);
		count += COUNT(of_programs);
	}
	if (quick) {
		memcpy(cases, few, sizeof few);
		count = COUNT(few);
	}
	room_begin_far(&room, kind, user);
	room_begin(&room, user);
	if (wireguard_open(&door, kind, why) < 0) {
		(void)printf("Bail out! %s\n", why);
		return EXIT_FAILURE;
	}
	failed = _cmocka_run_group_tests(wireguard_kind_name(kind), cases, count, NULL, NULL);
	wireguard_close(door);
	room_end_far(&room);
	return failed;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest none[] = {CASE(kernel_without_wireguard_is_told_apart)};
	const char *which = argc > 1 ? argv[1] : "";
	bool user = argc > 2 && strcmp(argv[2], "user") == 0;
	bool quick = argc > 2 && strcmp(argv[2], "few") == 0;

	/* Whatever happens, it ends; and what it started ends with the namespace of processes. */
	(void)alarm(120);
	for (int i = 0; i < WIREGUARD_KINDS; i++) {
		kind = (enum wireguard_kind)i;
		if (strcmp(which, wireguard_kind_name(kind)) == 0)
			return try_room(user, quick);
	}
	if (strcmp(which, "no-kernel") != 0) {
		(void)fprintf(stderr, "usage: door kernel|userspace|no-kernel [user|few]\n");
		return 2;
	}
	room_begin(&room, user);
	return RUN(none);
}

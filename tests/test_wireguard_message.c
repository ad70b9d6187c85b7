/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>

#include "agent/wireguard_message.h"

#define NAME "collective0"
#define ROOM 65536
/* What stands before the peers, and one peer with one prefix: less never gets on. */
#define SIZE_MIN (MNL_NLMSG_HDRLEN + GENL_HDRLEN + 20 + 36 + 8 + 4 + 256)

static struct key key_of(uint32_t number)
{
	struct key key;

	memset(key.bytes, 0x5a, sizeof key.bytes);
	memcpy(key.bytes, &number, sizeof number);
	return key;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

static struct nlmsghdr *begin(void *room)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(room);

	message->nlmsg_type = 77;
	(void)mnl_nlmsg_put_extra_header(message, sizeof(struct genlmsghdr));
	return message;
}

/* A block of exactly the message's size, so that reading beyond it is seen. */
static int read_exactly(const struct nlmsghdr *message, struct wireguard_reading *reading)
{
	struct nlmsghdr *exact = malloc(message->nlmsg_len);
	int r;

	assert_non_null(exact);
	memcpy(exact, message, message->nlmsg_len);
	r = wireguard_message_read(exact, reading);
	free(exact);
	return r;
}

/* Saying. */

#define PEERS 60
#define PREFIXES 400

static struct prefix allowed[PREFIXES];
static struct wireguard_peer_change peers[PEERS];

/* Some with many prefixes, some with none; some that are to go. */
static struct wireguard_change make_change(void)
{
	for (uint32_t i = 0; i < PREFIXES; i++) {
		allowed[i] = (struct prefix){address_ipv4(0x0a000000 + (i << 8)), 24};
		if (i % 3 == 0) {
			allowed[i] = prefix_of("2001:db8::/48");
			allowed[i].address.bytes[4] = (uint8_t)(i >> 8);
			allowed[i].address.bytes[5] = (uint8_t)i;
		}
	}
	for (uint32_t i = 0; i < PEERS; i++) {
		peers[i] = (struct wireguard_peer_change){
			.key = key_of(i),
			.remove = i % 10 == 9,
			.update_only = i % 4 == 1,
			.set_preshared = i % 2,
			.set_endpoint = i % 3 > 0,
			.set_keepalive = i % 5 > 0,
			.keepalive = (uint16_t)(i * 1000),
			.preshared = key_of(1000 + i),
			.endpoint = endpoint_of(i % 3 == 1 ? "192.0.2.1:51821" : "[2001:db8::9]:1"),
			.allowed_count = i == 7 ? PREFIXES : i % 6,
			.allowed = allowed,
		};
	}
	return (struct wireguard_change){.set_private_key = true,
		.private_key = key_of(99),
		.set_port = true,
		.port = 51820,
		.peer_count = PEERS,
		.peers = peers};
}

/* What was heard of a change, in order: as a device would, but without doing it. */
struct heard {
	uint32_t messages;
	uint32_t devices; /* that said something of the device itself */
	uint32_t peers;   /* the next one, or the one that goes on */
	uint32_t allowed; /* of the one that may go on */
};

static uint32_t flags_of(const struct nlattr *nest)
{
	const struct nlattr *attribute;

	netlink_for_each_nested (attribute, nest) {
		if (mnl_attr_get_type(attribute) == WGPEER_A_FLAGS)
			return mnl_attr_get_u32(attribute);
	}
	return 0;
}

/* Which attributes stand there, in order, as letters. */
static void letters_of(const struct nlattr *nest, char out[static 16])
{
	static const char letters[] = "?kpfei???a?";
	const struct nlattr *attribute;
	size_t length = 0;

	netlink_for_each_nested (attribute, nest) {
		assert_true(mnl_attr_get_type(attribute) < sizeof letters - 1);
		assert_true(length < 15);
		out[length++] = letters[mnl_attr_get_type(attribute)];
	}
	out[length] = '\0';
}

static void expect_letters(
	const struct nlattr *nest, const struct wireguard_peer_change *peer, bool goes_on)
{
	bool itself = !goes_on && !peer->remove;
	char wanted[16];
	char letters[16];

	(void)snprintf(wanted, sizeof wanted, "k%s%s%s%s%s",
		peer->remove || peer->update_only || goes_on ? "f" : "",
		itself && peer->set_preshared ? "p" : "", itself && peer->set_endpoint ? "e" : "",
		itself && peer->set_keepalive ? "i" : "",
		!peer->remove && peer->allowed_count > 0 ? "a" : "");
	letters_of(nest, letters);
	assert_string_equal(letters, wanted);
}

/* One peer of one message, read by the twin of what said it. */
static void hear_peer(
	struct heard *heard, const struct nlattr *nest, const struct wireguard_reading *reading)
{
	const struct wireguard_peer_change *peer = &peers[heard->peers];
	const struct wireguard_peer *read = &reading->device.peers[reading->device.peer_count - 1];
	bool goes_on = heard->allowed > 0;

	assert_true(heard->peers < PEERS);
	expect_letters(nest, peer, goes_on);
	assert_true(key_equal(&read->key, &peer->key));
	assert_int_equal(flags_of(nest), peer->remove                   ? WGPEER_F_REMOVE_ME
					 : peer->update_only || goes_on ? WGPEER_F_UPDATE_ONLY
									: 0);
	if (peer->remove) {
		heard->peers++;
		return;
	}
	if (!goes_on) {
		assert_int_equal(read->has_endpoint, peer->set_endpoint);
		assert_true(
			!peer->set_endpoint || endpoint_equal(&read->endpoint, &peer->endpoint));
		assert_true(!peer->set_preshared || key_equal(&read->preshared, &peer->preshared));
		assert_int_equal(read->keepalive, peer->set_keepalive ? peer->keepalive : 0);
	}
	/* It never stands there for nothing. */
	assert_true(read->allowed_count > 0 || peer->allowed_count == 0);
	for (uint32_t i = 0; i < read->allowed_count; i++) {
		assert_true(heard->allowed < peer->allowed_count);
		assert_true(prefix_equal(&reading->device.allowed[read->allowed + i],
			&peer->allowed[heard->allowed++]));
	}
	if (heard->allowed == peer->allowed_count) {
		heard->peers++;
		heard->allowed = 0;
	}
}

/* A message with one peer of another one, so that peers that follow one another stay apart. */
static void hear_alone(struct heard *heard, const struct nlattr *nest)
{
	static uint8_t room[ROOM];
	struct nlmsghdr *message = begin(room);
	struct nlattr *list = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
	struct wireguard_reading reading;

	mnl_attr_put(message, 0, mnl_attr_get_payload_len(nest), mnl_attr_get_payload(nest));
	mnl_attr_nest_end(message, list);
	wireguard_reading_init(&reading);
	assert_int_equal(read_exactly(message, &reading), 0);
	assert_int_equal(reading.device.peer_count, 1);
	hear_peer(heard, nest, &reading);
	wireguard_reading_drop(&reading);
}

static void hear(struct heard *heard, const struct nlmsghdr *message)
{
	const struct nlattr *attribute;
	const struct nlattr *nest;
	bool named = false;
	bool device = false;

	netlink_for_each (attribute, message, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attribute)) {
		case WGDEVICE_A_IFNAME:
			assert_string_equal(mnl_attr_get_str(attribute), NAME);
			named = true;
			break;
		case WGDEVICE_A_PEERS:
			assert_true(named);
			netlink_for_each_nested (nest, attribute)
				hear_alone(heard, nest);
			break;
		case WGDEVICE_A_LISTEN_PORT:
			assert_int_equal(mnl_attr_get_u16(attribute), 51820);
			break;
		case WGDEVICE_A_PRIVATE_KEY:
			device = true;
			break;
		default:
			fail_msg("attribute %u", mnl_attr_get_type(attribute));
		}
	}
	assert_true(named);
	heard->devices += device;
	heard->messages++;
}

static struct heard say_in(size_t size)
{
	static uint8_t room[ROOM];
	const struct wireguard_change change = make_change();
	struct wireguard_saying saying = {.change = &change};
	struct heard heard = {0};
	bool more;

	do {
		struct nlmsghdr *message = begin(room);

		memset(room + message->nlmsg_len, 0xee, 64);
		more = wireguard_message_say(message, size, NAME, &saying);
		assert_true(message->nlmsg_len <= size);
		hear(&heard, message);
		assert_true(heard.messages < 10000);
	} while (more);
	assert_int_equal(heard.peers, PEERS);
	assert_int_equal(heard.allowed, 0);
	/* What is said of the device is said once, and first. */
	assert_int_equal(heard.devices, 1);
	return heard;
}

TEST(cut_at_any_size_a_change_is_the_same)
{
	(void)state;
	for (size_t size = SIZE_MIN; size < 2500; size++)
		assert_true(say_in(size).messages > 5);
	for (size_t size = 2500; size <= NETLINK_REQUEST_MAX; size += 97)
		(void)say_in(size);
	assert_int_equal(say_in(NETLINK_REQUEST_MAX).messages, 1);
}

TEST(change_of_nothing_is_one_message)
{
	static uint8_t room[ROOM];
	const struct wireguard_change change = {.peer_count = 0};
	struct wireguard_saying saying = {.change = &change};
	struct nlmsghdr *message = begin(room);

	(void)state;
	assert_false(wireguard_message_say(message, NETLINK_REQUEST_MAX, NAME, &saying));
	assert_int_equal(message->nlmsg_len, MNL_NLMSG_HDRLEN + GENL_HDRLEN + 16);
}

/* Reading. */

static void put_allowed(struct nlmsghdr *message, const struct prefix *prefix)
{
	struct nlattr *nest = mnl_attr_nest_start(message, 0);
	bool narrow = prefix->address.family == ADDRESS_IPV4;

	/* In the kernel's order. */
	mnl_attr_put_u8(message, WGALLOWEDIP_A_CIDR_MASK, prefix->length);
	mnl_attr_put_u16(message, WGALLOWEDIP_A_FAMILY, narrow ? AF_INET : AF_INET6);
	mnl_attr_put(message, WGALLOWEDIP_A_IPADDR, address_size(&prefix->address),
		prefix->address.bytes);
	mnl_attr_nest_end(message, nest);
}

/* A part of an answer: a peer's number, and its prefixes from one to before another. */
struct part {
	uint32_t peer;
	uint32_t first;
	uint32_t last;
};

static struct nlmsghdr *message_of(void *room, const struct part *parts, size_t count)
{
	struct nlmsghdr *message = begin(room);
	struct nlattr *list;

	mnl_attr_put(message, WGDEVICE_A_PRIVATE_KEY, KEY_SIZE, key_of(5).bytes);
	mnl_attr_put_u16(message, WGDEVICE_A_LISTEN_PORT, 7);
	list = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
	for (size_t i = 0; i < count; i++) {
		struct nlattr *nest = mnl_attr_nest_start(message, 0);
		struct nlattr *more;

		mnl_attr_put(message, WGPEER_A_PUBLIC_KEY, KEY_SIZE, key_of(parts[i].peer).bytes);
		/* Later parts have nothing but prefixes. */
		if (parts[i].first == 0) {
			const struct __kernel_timespec time = {1700000000, 123999999};

			mnl_attr_put(message, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof time, &time);
			mnl_attr_put_u64(message, WGPEER_A_RX_BYTES, UINT64_MAX);
			mnl_attr_put_u64(message, WGPEER_A_TX_BYTES, 3);
			mnl_attr_put_u32(message, WGPEER_A_PROTOCOL_VERSION, 1);
			mnl_attr_put_u32(message, 4000, 1); /* of a newer kernel */
		}
		more = mnl_attr_nest_start(message, WGPEER_A_ALLOWEDIPS);
		for (uint32_t j = parts[i].first; j < parts[i].last; j++)
			put_allowed(message, &allowed[j]);
		mnl_attr_nest_end(message, more);
		mnl_attr_nest_end(message, nest);
	}
	mnl_attr_nest_end(message, list);
	return message;
}

TEST(parts_of_a_peer_are_one)
{
	static uint8_t room[ROOM];
	const struct part first[] = {{30, 0, 20}, {20, 0, 200}};
	const struct part second[] = {{20, 200, 350}};
	const struct part third[] = {{20, 350, 400}, {10, 0, 0}};
	struct wireguard_reading reading;
	struct wireguard_device device;

	(void)state;
	(void)make_change();
	wireguard_reading_init(&reading);
	assert_int_equal(read_exactly(message_of(room, first, 2), &reading), 0);
	assert_int_equal(read_exactly(message_of(room, second, 1), &reading), 0);
	assert_int_equal(read_exactly(message_of(room, third, 2), &reading), 0);
	assert_int_equal(wireguard_reading_end(&reading, &device), 0);
	assert_int_equal(device.port, 7);
	assert_int_equal(device.private_key.bytes[0], 5);
	assert_int_equal(device.peer_count, 3);
	assert_int_equal(device.allowed_count, 420);
	assert_int_equal(device.peers[0].key.bytes[0], 10);
	assert_int_equal(device.peers[0].allowed_count, 0);
	assert_int_equal(device.peers[1].allowed_count, 400);
	assert_int_equal(device.peers[2].allowed_count, 20);
	for (uint32_t i = 0; i < 3; i++) {
		const struct wireguard_peer *peer = &device.peers[i];

		assert_true(peer->rx_bytes == UINT64_MAX);
		assert_int_equal(peer->tx_bytes, 3);
		assert_true(peer->handshake == 1700000000123);
		assert_false(peer->has_endpoint);
		for (uint32_t j = 1; j < peer->allowed_count; j++)
			assert_true(prefix_compare(&device.allowed[peer->allowed + j - 1],
					    &device.allowed[peer->allowed + j]) < 0);
	}
	wireguard_device_free(&device);
	assert_null(device.peers);
}

TEST(cut_short_anywhere_nothing_is_read_beyond)
{
	static uint8_t room[ROOM];
	const struct part parts[] = {{30, 0, 9}, {20, 0, 3}};
	const struct nlmsghdr *message;

	(void)state;
	(void)make_change();
	message = message_of(room, parts, 2);
	for (uint32_t length = MNL_NLMSG_HDRLEN; length < message->nlmsg_len; length++) {
		struct nlmsghdr *exact = malloc(length);
		struct wireguard_reading reading;
		int r;

		assert_non_null(exact);
		memcpy(exact, message, length);
		exact->nlmsg_len = length;
		wireguard_reading_init(&reading);
		r = wireguard_message_read(exact, &reading);
		assert_true(r == 0 || r == -EBADMSG);
		assert_true(length >= MNL_NLMSG_HDRLEN + GENL_HDRLEN || r == -EBADMSG);
		wireguard_reading_drop(&reading);
		free(exact);
	}
}

/* One attribute of a size, filled with a byte, at a place in an answer. */
enum place { OF_DEVICE, OF_PEER, OF_PREFIX };

struct row {
	enum place place;
	uint16_t type;
	uint16_t size;
	const void *bytes; /* NULL: ones */
	int wanted;
};

static const uint16_t v4 = AF_INET;
static const uint16_t v6 = AF_INET6;
static const uint16_t other = AF_PACKET;
static const uint8_t mask_0 = 0;
static const uint8_t mask_32 = 32;
static const uint8_t mask_33 = 33;
static const struct __kernel_timespec never = {0, 0};
static const struct __kernel_timespec before = {-1, 0};
static const struct __kernel_timespec too_late = {INT64_MAX, 0};
static const struct __kernel_timespec too_fine = {1, 1000000000};
static const struct __kernel_timespec negative = {1, -1};

static void put_row(struct nlmsghdr *message, const struct row *row)
{
	uint8_t ones[64];

	memset(ones, 1, sizeof ones);
	assert_true(row->size <= sizeof ones);
	mnl_attr_put(message, row->type, row->size, row->bytes ? row->bytes : ones);
}

/* Reads an answer in which rows stand at their place, in order. */
static int read_rows(const struct row *rows, size_t count, struct wireguard_device *ret)
{
	static uint8_t room[ROOM];
	struct nlmsghdr *message = begin(room);
	struct wireguard_reading reading;
	enum place place = rows[0].place;
	struct nlattr *nests[4];
	int depth = 0;
	int r;

	if (place != OF_DEVICE) {
		nests[depth++] = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
		nests[depth++] = mnl_attr_nest_start(message, 0);
	}
	if (place == OF_PREFIX) {
		mnl_attr_put(message, WGPEER_A_PUBLIC_KEY, KEY_SIZE, key_of(1).bytes);
		nests[depth++] = mnl_attr_nest_start(message, WGPEER_A_ALLOWEDIPS);
		nests[depth++] = mnl_attr_nest_start(message, 0);
	}
	for (size_t i = 0; i < count; i++)
		put_row(message, &rows[i]);
	while (depth > 0)
		mnl_attr_nest_end(message, nests[--depth]);
	wireguard_reading_init(&reading);
	r = read_exactly(message, &reading);
	assert_true(r == 0 || r == -EBADMSG);
	if (r == 0)
		r = wireguard_reading_end(&reading, ret);
	else
		wireguard_reading_drop(&reading);
	return r;
}

/* For the analyser, which does not know that an assertion ends a case. */
static bool is_read(const struct row *rows, size_t count, struct wireguard_device *ret)
{
	int r = read_rows(rows, count, ret);

	assert_int_equal(r, 0);
	return r == 0;
}

TEST(attributes_of_a_device_are_checked)
{
	static const struct row rows[] = {
		{OF_DEVICE, WGDEVICE_A_PRIVATE_KEY, 32, NULL, 0},
		{OF_DEVICE, WGDEVICE_A_PRIVATE_KEY, 31, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_PRIVATE_KEY, 33, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_PRIVATE_KEY, 0, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_LISTEN_PORT, 2, NULL, 0},
		{OF_DEVICE, WGDEVICE_A_LISTEN_PORT, 1, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_LISTEN_PORT, 4, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_LISTEN_PORT, 0, NULL, -EBADMSG},
		{OF_DEVICE, WGDEVICE_A_PUBLIC_KEY, 5, NULL, 0},
		{OF_DEVICE, WGDEVICE_A_FWMARK, 5, NULL, 0},
		{OF_DEVICE, 999, 5, NULL, 0},
	};
	struct wireguard_device device;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read_rows(&rows[i], 1, &device), rows[i].wanted);
		if (rows[i].wanted == 0)
			wireguard_device_free(&device);
	}
}

TEST(attributes_of_a_peer_are_checked)
{
	static const struct row rows[] = {
		{OF_PEER, WGPEER_A_PUBLIC_KEY, 32, NULL, 0},
		{OF_PEER, WGPEER_A_PUBLIC_KEY, 31, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_PUBLIC_KEY, 40, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_PRESHARED_KEY, 31, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_PRESHARED_KEY, 33, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 1, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, 4, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_RX_BYTES, 4, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_TX_BYTES, 16, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_TX_BYTES, 0, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof never, &never, 0},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, 8, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, 17, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof before, &before, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof too_late, &too_late, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof too_fine, &too_fine, -EBADMSG},
		{OF_PEER, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof negative, &negative, -EBADMSG},
		{OF_PEER, WGPEER_A_ENDPOINT, 0, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_ENDPOINT, 16, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_ENDPOINT, 28, NULL, -EBADMSG},
		{OF_PEER, WGPEER_A_ENDPOINT, 2, &v4, -EBADMSG},
		{OF_PEER, WGPEER_A_ENDPOINT, 2, &v6, -EBADMSG},
	};
	const struct row key = {OF_PEER, WGPEER_A_PUBLIC_KEY, 32, NULL, 0};
	struct wireguard_device device;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row two[] = {key, rows[i]};

		if (read_rows(two, 2, &device) != rows[i].wanted)
			fail_msg("row %zu", i);
		if (rows[i].wanted == 0)
			wireguard_device_free(&device);
	}
	/* All else belongs to a key that was read. */
	for (size_t i = 3; i < COUNT(rows); i++)
		assert_int_equal(read_rows(&rows[i], 1, &device), -EBADMSG);
}

TEST(prefix_is_whole_or_refused)
{
	static const uint8_t ten[16] = {10};
	static const uint8_t wide[16] = {0x20, 1};
	static const struct {
		struct row parts[4];
		size_t count;
		int wanted;
	} rows[] = {
#define FAMILY(value) {OF_PREFIX, WGALLOWEDIP_A_FAMILY, 2, &(value), 0}
#define ADDRESS(size, value)                                    \
	{                                                       \
		OF_PREFIX, WGALLOWEDIP_A_IPADDR, size, value, 0 \
	}
#define MASK(value)                                                \
	{                                                          \
		OF_PREFIX, WGALLOWEDIP_A_CIDR_MASK, 1, &(value), 0 \
	}
		{{FAMILY(v4), ADDRESS(4, ten), MASK(mask_32)}, 3, 0},
		{{FAMILY(v6), ADDRESS(16, wide), MASK(mask_33)}, 3, 0},
		{{FAMILY(v4), ADDRESS(4, wide + 2), MASK(mask_0)}, 3, 0},
		{{FAMILY(v4), ADDRESS(4, ten), MASK(mask_32), {OF_PREFIX, 99, 3, NULL, 0}}, 4, 0},
		{{FAMILY(v4), ADDRESS(4, ten), MASK(mask_33)}, 3, -EBADMSG},
		{{FAMILY(v4), ADDRESS(16, ten), MASK(mask_32)}, 3, -EBADMSG},
		{{FAMILY(v4), ADDRESS(3, ten), MASK(mask_32)}, 3, -EBADMSG},
		{{FAMILY(v6), ADDRESS(4, ten), MASK(mask_32)}, 3, -EBADMSG},
		{{FAMILY(other), ADDRESS(4, ten), MASK(mask_32)}, 3, -EBADMSG},
		{{ADDRESS(4, ten), MASK(mask_32)}, 2, -EBADMSG},
		/* What is not said is not "all addresses there are". */
		{{FAMILY(v4)}, 1, -EBADMSG},
		{{FAMILY(v6)}, 1, -EBADMSG},
		{{FAMILY(v4), ADDRESS(4, ten)}, 2, -EBADMSG},
		{{FAMILY(v4), MASK(mask_0)}, 2, -EBADMSG},
		{{MASK(mask_0)}, 1, -EBADMSG},
		/* Bits behind the length. */
		{{FAMILY(v4), ADDRESS(4, ten), MASK(mask_0)}, 3, -EBADMSG},
		/* In any order; said twice, the last one counts, and has to fit all else. */
		{{MASK(mask_32), FAMILY(v4), ADDRESS(4, ten)}, 3, 0},
		{{ADDRESS(16, wide), MASK(mask_33), FAMILY(v6)}, 3, 0},
		{{FAMILY(v6), ADDRESS(16, wide), MASK(mask_33), FAMILY(v4)}, 4, -EBADMSG},
		{{FAMILY(v4), MASK(mask_33), ADDRESS(4, ten), MASK(mask_32)}, 4, 0},
		{{ADDRESS(0, ten), FAMILY(v4), MASK(mask_0)}, 3, -EBADMSG},
		{{{OF_PREFIX, WGALLOWEDIP_A_FAMILY, 4, NULL, 0}}, 1, -EBADMSG},
		{{FAMILY(v4), ADDRESS(4, ten), {OF_PREFIX, WGALLOWEDIP_A_CIDR_MASK, 2, NULL, 0}}, 3,
			-EBADMSG},
	};
	struct wireguard_device device;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (read_rows(rows[i].parts, rows[i].count, &device) != rows[i].wanted)
			fail_msg("row %zu", i);
		if (rows[i].wanted < 0)
			continue;
		assert_int_equal(device.allowed_count, 1);
		wireguard_device_free(&device);
	}
}

/* As in the other room: whoever holds a peer's key must not make a device unreadable. */
TEST(strange_endpoints_are_none)
{
	const struct sockaddr_in no_port = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
	const struct sockaddr_in6 no_port_either = {
		.sin6_family = AF_INET6, .sin6_addr.s6_addr = {0x20, 1}};
	const struct sockaddr_in6 zone = {.sin6_family = AF_INET6,
		.sin6_port = htons(5),
		.sin6_scope_id = 2,
		.sin6_addr.s6_addr = {0xfe, 0x80, [15] = 1}};
	const struct row key = {OF_PEER, WGPEER_A_PUBLIC_KEY, 32, NULL, 0};
	const struct row strange[] = {
		{OF_PEER, WGPEER_A_ENDPOINT, sizeof no_port, &no_port, 0},
		{OF_PEER, WGPEER_A_ENDPOINT, sizeof no_port_either, &no_port_either, 0},
		{OF_PEER, WGPEER_A_ENDPOINT, sizeof zone, &zone, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(strange); i++) {
		const struct row two[] = {key, strange[i]};
		struct wireguard_device device;

		if (!is_read(two, 2, &device))
			return;
		assert_int_equal(device.peer_count, 1);
		assert_false(device.peers[0].has_endpoint);
		wireguard_device_free(&device);
	}
}

TEST(endpoints_are_read)
{
	const struct sockaddr_in narrow = {.sin_family = AF_INET,
		.sin_port = htons(51820),
		.sin_addr.s_addr = htonl(0xc0000201)};
	const struct sockaddr_in6 wide = {.sin6_family = AF_INET6,
		.sin6_port = htons(51820),
		.sin6_addr.s6_addr = {0x20, 1, 0xd, 0xb8, [15] = 1}};
	const struct row rows[] = {
		{OF_PEER, WGPEER_A_PUBLIC_KEY, 32, NULL, 0},
		{OF_PEER, WGPEER_A_ENDPOINT, sizeof narrow, &narrow, 0},
		{OF_PEER, WGPEER_A_ENDPOINT, sizeof wide, &wide, 0},
	};
	const char *const wanted[] = {"192.0.2.1:51820", "[2001:db8::1]:51820"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct endpoint endpoint = endpoint_of(wanted[i]);
		const struct row two[] = {rows[0], rows[1 + i]};
		struct wireguard_device device;

		if (!is_read(two, 2, &device))
			return;
		assert_true(device.peers[0].has_endpoint);
		assert_true(endpoint_equal(&device.peers[0].endpoint, &endpoint));
		wireguard_device_free(&device);
	}
}

/* Every byte of a good answer as every other one. */
TEST(bytes_that_are_wrong_do_no_harm)
{
	static uint8_t room[ROOM];
	const struct part parts[] = {{30, 0, 4}};
	struct nlmsghdr *message;
	uint32_t refused = 0;

	(void)state;
	(void)make_change();
	message = message_of(room, parts, 1);
	for (uint32_t i = MNL_NLMSG_HDRLEN; i < message->nlmsg_len; i++) {
		uint8_t kept = room[i];

		for (unsigned value = 0; value < 256; value++) {
			struct wireguard_reading reading;
			int r;

			room[i] = (uint8_t)value;
			wireguard_reading_init(&reading);
			r = read_exactly(message, &reading);
			assert_true(r == 0 || r == -EBADMSG);
			refused += r < 0;
			wireguard_reading_drop(&reading);
		}
		room[i] = kept;
	}
	assert_true(refused > 1000);
}

TEST(answers_are_bounded)
{
	static uint8_t room[ROOM];
	struct wireguard_reading reading;
	uint32_t count = 0;
	int r;

	(void)state;
	(void)make_change();
	wireguard_reading_init(&reading);
	do {
		const struct part part = {count, 0, 0};

		r = read_exactly(message_of(room, &part, 1), &reading);
	} while (r == 0 && ++count < UINT32_MAX);
	assert_int_equal(r, -EBADMSG);
	assert_int_equal(count, WIREGUARD_PEERS_MAX);
	wireguard_reading_drop(&reading);
	for (count = 0; r == 0 || count == 0; count += PREFIXES) {
		const struct part part = {1, 0, PREFIXES};

		r = read_exactly(message_of(room, &part, 1), &reading);
	}
	assert_int_equal(r, -EBADMSG);
	assert_int_equal(reading.device.allowed_count, WIREGUARD_ALLOWED_MAX);
	wireguard_reading_drop(&reading);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(cut_at_any_size_a_change_is_the_same),
		CASE(change_of_nothing_is_one_message),
		CASE(parts_of_a_peer_are_one),
		CASE(cut_short_anywhere_nothing_is_read_beyond),
		CASE(attributes_of_a_device_are_checked),
		CASE(attributes_of_a_peer_are_checked),
		CASE(prefix_is_whole_or_refused),
		CASE(strange_endpoints_are_none),
		CASE(endpoints_are_read),
		CASE(bytes_that_are_wrong_do_no_harm),
		CASE(answers_are_bounded),
	};

	return RUN(cases);
}

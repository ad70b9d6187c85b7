/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/uapi.h"

/* A key, all of whose bytes are the same, in hexadecimal. */
#define HEX8(digits) digits digits digits digits digits digits digits digits
#define HEX(digits) HEX8(digits) HEX8(digits) HEX8(digits) HEX8(digits)

#define DEVICE "private_key=" HEX("01") "\nlisten_port=51821\nfwmark=7\n"
#define PEER(digits) "public_key=" HEX(digits) "\n"
#define OK "errno=0\n\n"

static struct key key_of(uint8_t byte)
{
	struct key key;

	memset(key.bytes, byte, sizeof key.bytes);
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

/* Reads an answer in pieces of this size. */
static int read_in(const char *bytes, size_t size, size_t piece, struct wireguard_device *ret)
{
	struct uapi_answer answer;
	int r = 0;

	uapi_answer_init(&answer);
	for (size_t i = 0; i < size && r == 0; i += piece)
		r = uapi_answer_push(&answer, bytes + i, size - i < piece ? size - i : piece);
	assert_true(r == 0 || r == -EBADMSG);
	assert_true(r == 0 || !uapi_answer_is_whole(&answer));
	/* Once broken it stays so. */
	if (r < 0)
		assert_int_equal(uapi_answer_push(&answer, OK, strlen(OK)), -EBADMSG);
	return uapi_answer_end(&answer, ret);
}

static int read_text(const char *text, struct wireguard_device *ret)
{
	return read_in(text, strlen(text), SIZE_MAX, ret);
}

static void expect_refused(const char *text)
{
	struct wireguard_device device = {.port = 9};
	int r = read_text(text, &device);

	if (r != -EBADMSG)
		fail_msg("%d for:\n%s", r, text);
	assert_int_equal(device.port, 9);
	assert_null(device.peers);
}

/* Requests. */

static void expect_request(
	const struct wireguard_change *change, uint32_t first, uint32_t next, const char *wanted)
{
	struct uapi_text text = {0};

	uapi_ask(&text);
	assert_int_equal(uapi_tell(&text, change, first), next);
	assert_int_equal(text.length, strlen(wanted));
	assert_memory_equal(text.bytes, wanted, text.length);
	uapi_text_free(&text);
	assert_null(text.bytes);
}

TEST(question_is_two_lines)
{
	struct uapi_text text = {0};

	(void)state;
	uapi_ask(&text);
	assert_int_equal(text.length, 7);
	assert_memory_equal(text.bytes, "get=1\n\n", 7);
	uapi_text_free(&text);
}

TEST(change_of_nothing_is_two_lines)
{
	const struct wireguard_change nothing = {0};

	(void)state;
	expect_request(&nothing, 0, 0, "set=1\n\n");
}

TEST(change_of_a_device_names_what_is_set)
{
	struct wireguard_change change = {
		.port = 51821, .set_port = true, .private_key = key_of(0xa0)};

	(void)state;
	expect_request(&change, 0, 0, "set=1\nlisten_port=51821\n\n");
	change.set_private_key = true;
	expect_request(&change, 0, 0, "set=1\nprivate_key=" HEX("a0") "\nlisten_port=51821\n\n");
	change.set_port = false;
	expect_request(&change, 0, 0, "set=1\nprivate_key=" HEX("a0") "\n\n");
}

TEST(endpoint_stands_before_the_keepalive)
{
	const struct prefix allowed[] = {prefix_of("10.100.3.0/24"), prefix_of("2001:db8::/32")};
	const struct wireguard_peer_change peers[] = {{
		.key = key_of(2),
		.update_only = true,
		.set_preshared = true,
		.set_endpoint = true,
		.set_keepalive = true,
		.keepalive = 25,
		.preshared = key_of(3),
		.endpoint = endpoint_of("[2001:db8::1]:51820"),
		.allowed_count = 2,
		.allowed = allowed,
	}};
	const struct wireguard_change change = {.peer_count = 1, .peers = peers};

	(void)state;
	expect_request(&change, 0, 1,
		"set=1\n" PEER("02") "update_only=true\npreshared_key=" HEX(
			"03") "\n"
			      "endpoint=[2001:db8::1]:51820\npersistent_keepalive_interval=25\n"
			      "allowed_ip=10.100.3.0/24\nallowed_ip=2001:db8::/32\n\n");
}

TEST(what_is_not_set_is_not_written)
{
	const struct wireguard_peer_change peers[] = {{
		.key = key_of(2),
		.keepalive = 25,
		.preshared = key_of(3),
		.endpoint = endpoint_of("192.0.2.1:5"),
	}};
	const struct wireguard_change change = {.peer_count = 1, .peers = peers};

	(void)state;
	expect_request(&change, 0, 1, "set=1\n" PEER("02") "\n");
}

TEST(peer_is_removed_and_made_again)
{
	const struct wireguard_peer_change peers[] = {
		{.key = key_of(2), .remove = true, .set_keepalive = true, .keepalive = 3},
		{.key = key_of(2), .set_keepalive = true},
		{.key = key_of(4), .set_preshared = true},
	};
	const struct wireguard_change change = {.peer_count = 3, .peers = peers};

	(void)state;
	expect_request(&change, 0, 3,
		"set=1\n" PEER("02") "remove=true\n" PEER(
			"02") "persistent_keepalive_interval="
			      "0\n" PEER("04") "preshared_"
					       "key=" HEX("00") "\n"
								"\n");
}

TEST(keepalive_that_is_switched_on_is_no_other_peers)
{
	const struct wireguard_peer_change peers[] = {
		{.key = key_of(2), .set_keepalive = true, .keepalive = 25},
		{.key = key_of(3), .remove = true},
		{.key = key_of(4), .set_keepalive = true, .keepalive = 25},
		{.key = key_of(5)},
		{.key = key_of(6)},
		{.key = key_of(7), .set_keepalive = true, .keepalive = 25},
	};
	const struct wireguard_change change = {
		.set_port = true, .port = 5, .peer_count = 6, .peers = peers};

	(void)state;
	expect_request(&change, 0, 3,
		"set=1\nlisten_port=5\n" PEER("02") "persistent_keepalive_interval=25\n" PEER(
			"03") "remove=true\n" PEER("04") "persistent_keepalive_interval=25\n\n");
	expect_request(&change, 3, 6,
		"set=1\n" PEER("05") PEER("06") PEER("07") "persistent_keepalive_interval=25\n\n");
}

/* Answers. */

TEST(device_is_read)
{
	static const char text[] = DEVICE PEER("22") "preshared_key=" HEX(
		"00") "\n"
		      "protocol_version=1\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n"
		      "tx_bytes=0\nrx_bytes=18446744073709551615\npersistent_keepalive_interval="
		      "65535\n"
		      "allowed_ip=10.100.9.0/24\nallowed_ip=10.100.3.0/24\nallowed_ip=::/0\n" PEER(
			      "11") "preshared_key=" HEX("AA") "\nendpoint=[2001:db8::1]:51820\n"
							       "last_handshake_time_sec="
							       "1700000000\nlast_handshake_time_"
							       "nsec=123999999\n"
							       "tx_bytes=5\nrx_bytes=6\nsomething_"
							       "newer=of any kind = at all\n" OK;
	const struct endpoint endpoint = endpoint_of("[2001:db8::1]:51820");
	const struct key preshared = key_of(0xaa);
	struct wireguard_device device;
	const struct wireguard_peer *peer;
	struct key key = key_of(1);

	(void)state;
	assert_int_equal(read_text(text, &device), 0);
	assert_true(key_equal(&device.private_key, &key));
	assert_int_equal(device.port, 51821);
	assert_int_equal(device.peer_count, 2);
	assert_int_equal(device.allowed_count, 3);

	key = key_of(0x11);
	peer = wireguard_device_peer(&device, &key);
	assert_ptr_equal(peer, &device.peers[0]);
	assert_true(key_equal(&peer->preshared, &preshared));
	assert_true(peer->has_endpoint);
	assert_true(endpoint_equal(&peer->endpoint, &endpoint));
	assert_true(peer->handshake == 1700000000123u);
	assert_int_equal(peer->tx_bytes, 5);
	assert_int_equal(peer->rx_bytes, 6);
	assert_int_equal(peer->keepalive, 0);
	assert_int_equal(peer->allowed_count, 0);

	peer = &device.peers[1];
	assert_true(key_is_zero(&peer->preshared));
	assert_false(peer->has_endpoint);
	assert_true(peer->handshake == 0);
	assert_true(peer->rx_bytes == UINT64_MAX);
	assert_int_equal(peer->keepalive, 65535);
	assert_int_equal(peer->allowed_count, 3);
	assert_int_equal(device.allowed[peer->allowed].address.bytes[2], 3);
	wireguard_device_free(&device);
}

TEST(device_without_anything_is_read)
{
	struct wireguard_device device;

	(void)state;
	assert_int_equal(read_text(OK, &device), 0);
	assert_true(key_is_zero(&device.private_key));
	assert_int_equal(device.port, 0);
	assert_int_equal(device.peer_count, 0);
	wireguard_device_free(&device);
}

TEST(error_is_told)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
		{"errno=22\n\n", -EINVAL},
		{"errno=-22\n\n", -EINVAL},
		{"errno=-98\n\n", -EADDRINUSE},
		{DEVICE PEER("22") "errno=1\n\n", -EPERM},
		{"errno=4095\n\n", -4095},
		{"errno=-0\n\n", 0},
	};
	struct wireguard_device device = {.port = 9};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(read_text(rows[i].text, NULL), rows[i].error);
		if (rows[i].error < 0)
			assert_int_equal(read_text(rows[i].text, &device), rows[i].error);
	}
	assert_int_equal(device.port, 9);
}

TEST(pieces_of_any_size_are_read)
{
	static const char text[] =
		DEVICE PEER("22") "endpoint=192.0.2.1:5\nallowed_ip=10.1.0.0/16\n" PEER(
			"21") "rx_bytes=77\n" OK;

	(void)state;
	for (size_t piece = 1; piece <= sizeof text; piece++) {
		struct wireguard_device device;

		assert_int_equal(read_in(text, sizeof text - 1, piece, &device), 0);
		assert_int_equal(device.peer_count, 2);
		assert_int_equal(device.peers[0].rx_bytes, 77);
		assert_int_equal(device.allowed_count, 1);
		wireguard_device_free(&device);
	}
}

TEST(answer_that_ends_early_is_refused)
{
	static const char text[] = DEVICE PEER("22") "endpoint=192.0.2.1:5\n" OK;
	struct wireguard_device device = {.port = 9};

	(void)state;
	for (size_t size = 0; size < sizeof text - 1; size++)
		assert_int_equal(read_in(text, size, 7, &device), -EBADMSG);
	assert_int_equal(device.port, 9);
	assert_int_equal(read_in(text, sizeof text - 1, 7, &device), 0);
	wireguard_device_free(&device);
}

TEST(malformed_lines_are_refused)
{
	static const char *const lines[] = {"\n", "private_key\n", "=\n", "=5\n", " \n",
		"Upper=1\n", "two words=1\n", "private_key=\n", "private_key=" HEX8("01") "\n",
		"private_key=" HEX("01") "0\n", "private_key=" HEX("0g") "\n",
		"private_key=" HEX("01") " \n", "private_key=" HEX("01") "\r\n", "listen_port=\n",
		"listen_port=-1\n", "listen_port=+1\n", "listen_port=01\n", "listen_port=00\n",
		"listen_port=65536\n", "listen_port= 5\n", "listen_port=5 \n", "listen_port=0x5\n",
		"listen_port=99999999999999999999999\n", "public_key=\n",
		"public_key=" HEX8("22") "\n", "newer=a\tb\n", "newer=\x7f\n", "errno\n",
		"errno=\n", "errno=-\n", "errno=--1\n", "errno=+1\n", "errno=4096\n",
		"errno=-4096\n", "errno=01\n", "errno=x\n", "errno=18446744073709551617\n",
		"errno=0\nnewer=1\n", "errno=0\nerrno=0\n", "errno=0\n \n", "errno=0\n\n\n",
		"errno=0\n\nx",
		/* Only of a peer. */
		"preshared_key=" HEX("01") "\n", "endpoint=192.0.2.1:5\n",
		"persistent_keepalive_interval=5\n", "rx_bytes=5\n", "tx_bytes=5\n",
		"last_handshake_time_sec=5\n", "last_handshake_time_nsec=5\n",
		"allowed_ip=10.0.0.0/8\n"};
	char text[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		(void)snprintf(text, sizeof text, "%s" OK, lines[i]);
		expect_refused(text);
	}
}

TEST(malformed_lines_of_a_peer_are_refused)
{
	static const char *const lines[] = {"private_key=" HEX("01") "\n", "listen_port=5\n",
		"preshared_key=\n", "preshared_key=" HEX8("01") "\n", "endpoint=\n", "endpoint=:\n",
		"endpoint=5\n", "endpoint=:5\n", "endpoint=192.0.2.1\n", "endpoint=192.0.2.1:\n",
		"endpoint=192.0.2.1:65536\n", "endpoint=192.0.2.1:00\n", "endpoint=[]:5\n",
		"endpoint=192.0.2:0\n", "endpoint=2001:db8::1:0\n", "endpoint=[fe80::1%eth0]\n",
		"endpoint=[fe80::1%eth0]5\n", "endpoint=[fe80::1%eth0:5\n",
		"endpoint=[fe80::1%eth0]:65536\n", "endpoint=hub.example.org:5\n",
		"persistent_keepalive_interval=off\n", "persistent_keepalive_interval=65536\n",
		"persistent_keepalive_interval=-1\n", "rx_bytes=18446744073709551616\n",
		"rx_bytes=-1\n", "tx_bytes=18446744073709551620\n", "tx_bytes=1.5\n",
		"last_handshake_time_sec=-1\n", "last_handshake_time_sec=18446744073709551\n",
		"last_handshake_time_nsec=1000000000\n", "last_handshake_time_nsec=-1\n",
		"allowed_ip=\n", "allowed_ip=10.0.0.0\n", "allowed_ip=10.0.0.0/33\n",
		"allowed_ip=10.0.0.1/8\n", "allowed_ip=-10.0.0.0/8\n", "allowed_ip=::/129\n",
		"allowed_ip=10.0.0.0/8 \n", "allowed_ip=10.0.0.0/08\n"};
	char text[2048];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		(void)snprintf(text, sizeof text, PEER("22") "%s" OK, lines[i]);
		expect_refused(text);
	}
}

TEST(nul_bytes_are_refused)
{
	static const char text[] = "listen_port=5\0\nerrno=0\n\n";
	struct wireguard_device device;

	(void)state;
	assert_int_equal(read_in(text, sizeof text - 1, SIZE_MAX, &device), -EBADMSG);
}

TEST(strange_endpoints_are_none)
{
	static const char *const rows[] = {"[fe80::1%eth0]:51820", "[fe80::1%br-lan.7]:1",
		"[::ffff:192.0.2.1]:51820", "192.0.2.1:0", "[2001:db8::1]:0"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wireguard_device device;

		(void)snprintf(text, sizeof text,
			PEER("22") "endpoint=192.0.2.1:5\nendpoint=%s\nrx_bytes=3\n" OK, rows[i]);
		assert_int_equal(read_text(text, &device), 0);
		assert_int_equal(device.peer_count, 1);
		assert_false(device.peers[0].has_endpoint);
		assert_int_equal(device.peers[0].rx_bytes, 3);
		wireguard_device_free(&device);
	}
}

TEST(lines_have_an_end)
{
	char value[UAPI_LINE_MAX];
	char text[UAPI_LINE_MAX + 32];
	struct wireguard_device device;

	(void)state;
	memset(value, 'a', sizeof value);
	for (size_t over = 0; over < 2; over++) {
		int length = (int)(UAPI_LINE_MAX - strlen("newer=") + over);

		(void)snprintf(text, sizeof text, "newer=%.*s\n" OK, length, value);
		if (over > 0) {
			expect_refused(text);
			continue;
		}
		assert_int_equal(read_text(text, &device), 0);
		wireguard_device_free(&device);
	}
}

TEST(peer_that_comes_back_is_refused)
{
	struct wireguard_device device;

	(void)state;
	expect_refused(PEER("22") PEER("11") PEER("22") OK);
	assert_int_equal(
		read_text(PEER("22") "rx_bytes=1\n" PEER("22") "tx_bytes=2\n" OK, &device), 0);
	assert_int_equal(device.peer_count, 1);
	assert_int_equal(device.peers[0].rx_bytes, 1);
	assert_int_equal(device.peers[0].tx_bytes, 2);
	wireguard_device_free(&device);
}

/* Pushes many peers, or prefixes of one, until that is refused. Returns how many were taken. */
static uint32_t push_many(bool peers, uint32_t most)
{
	struct uapi_answer answer;
	char text[128];
	uint32_t count = 0;
	int r;

	uapi_answer_init(&answer);
	assert_int_equal(uapi_answer_push(&answer, PEER("22"), strlen(PEER("22"))), 0);
	do {
		if (peers)
			(void)snprintf(text, sizeof text, "public_key=%064x\n", count);
		else
			(void)snprintf(text, sizeof text, "allowed_ip=%u.%u.%u.0/24\n", count >> 16,
				count >> 8 & 0xff, count & 0xff);
		r = uapi_answer_push(&answer, text, strlen(text));
	} while (r == 0 && ++count < most);
	assert_int_equal(uapi_answer_end(&answer, NULL), -EBADMSG);
	return count;
}

TEST(answers_are_bounded)
{
	(void)state;
	assert_int_equal(push_many(true, UINT32_MAX), WIREGUARD_PEERS_MAX - 1);
	assert_int_equal(push_many(false, UINT32_MAX), WIREGUARD_ALLOWED_MAX);
}

/* What is written is read as the same. */

#define PEERS 50

static void make_peers(struct wireguard_peer_change *peers, const struct prefix *allowed)
{
	for (uint32_t i = 0; i < PEERS; i++) {
		peers[i] = (struct wireguard_peer_change){
			.key = key_of((uint8_t)(200 - i)),
			.set_preshared = i % 2,
			.set_endpoint = i % 3 > 0,
			.set_keepalive = true,
			.keepalive = (uint16_t)(i * 1300),
			.preshared = key_of((uint8_t)i),
			.endpoint = endpoint_of(i % 3 == 1 ? "192.0.2.1:51821" : "[::]:1"),
			.allowed_count = i % 4,
			.allowed = allowed,
		};
	}
}

static void expect_peer(
	const struct wireguard_device *device, const struct wireguard_peer_change *change)
{
	const struct wireguard_peer *peer = wireguard_device_peer(device, &change->key);

	assert_non_null(peer);
	assert_int_equal(peer->keepalive, change->keepalive);
	assert_int_equal(peer->has_endpoint, change->set_endpoint);
	if (change->set_endpoint)
		assert_true(endpoint_equal(&peer->endpoint, &change->endpoint));
	if (change->set_preshared)
		assert_true(key_equal(&peer->preshared, &change->preshared));
	else
		assert_true(key_is_zero(&peer->preshared));
	assert_int_equal(peer->allowed_count, change->allowed_count);
	for (uint32_t i = 0; i < peer->allowed_count; i++)
		assert_true(prefix_equal(&device->allowed[peer->allowed + i], &change->allowed[i]));
}

TEST(what_is_written_is_read)
{
	const struct prefix allowed[] = {
		prefix_of("0.0.0.0/0"), prefix_of("10.0.0.1/32"), prefix_of("::/0")};
	struct wireguard_peer_change peers[PEERS];
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = key_of(9),
		.set_port = true,
		.port = 65535,
		.peer_count = PEERS,
		.peers = peers};
	struct wireguard_device device;
	struct uapi_text text = {0};
	struct uapi_answer answer;

	(void)state;
	make_peers(peers, allowed);
	assert_int_equal(uapi_tell(&text, &change, 0), PEERS);
	uapi_answer_init(&answer);
	/* An answer is what a request is without its first line, and with a result at its end. */
	assert_int_equal(uapi_answer_push(&answer, text.bytes + 6, text.length - 7), 0);
	assert_int_equal(uapi_answer_push(&answer, OK, strlen(OK)), 0);
	assert_true(uapi_answer_is_whole(&answer));
	assert_int_equal(uapi_answer_end(&answer, &device), 0);
	uapi_text_free(&text);

	assert_true(key_equal(&device.private_key, &change.private_key));
	assert_int_equal(device.port, 65535);
	assert_int_equal(device.peer_count, PEERS);
	for (uint32_t i = 0; i < PEERS; i++)
		expect_peer(&device, &peers[i]);
	wireguard_device_free(&device);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(question_is_two_lines),
		CASE(change_of_nothing_is_two_lines),
		CASE(change_of_a_device_names_what_is_set),
		CASE(endpoint_stands_before_the_keepalive),
		CASE(what_is_not_set_is_not_written),
		CASE(peer_is_removed_and_made_again),
		CASE(keepalive_that_is_switched_on_is_no_other_peers),
		CASE(device_is_read),
		CASE(device_without_anything_is_read),
		CASE(error_is_told),
		CASE(pieces_of_any_size_are_read),
		CASE(answer_that_ends_early_is_refused),
		CASE(malformed_lines_are_refused),
		CASE(malformed_lines_of_a_peer_are_refused),
		CASE(nul_bytes_are_refused),
		CASE(strange_endpoints_are_none),
		CASE(lines_have_an_end),
		CASE(peer_that_comes_back_is_refused),
		CASE(answers_are_bounded),
		CASE(what_is_written_is_read),
	};

	return RUN(cases);
}

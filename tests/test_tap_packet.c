/* SPDX-License-Identifier: MIT */
#include "tests/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/tap_packet.h"

static uint8_t datagram[SEAL_DATAGRAM_MAX + 1];

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint), 0);
	return endpoint;
}

static struct tap_packet packet_of(const char *from, const char *to, size_t size)
{
	for (size_t i = 0; i < sizeof datagram; i++)
		datagram[i] = (uint8_t)i;
	memcpy(datagram, seal_magic, SEAL_MAGIC_SIZE);
	return (struct tap_packet){endpoint_of(from), endpoint_of(to), datagram, size};
}

static const char *const ends[][2] = {{"192.0.2.1:51820", "198.51.100.7:40000"},
	{"[2001:db8::1]:51820", "[2001:db8:7::9]:40000"}};

/* Whether a filter for these ports passes a packet: a socket that is no network's has filters too.
 */
static bool passes(
	uint8_t family, const uint16_t *ports, size_t count, const void *bytes, size_t size)
{
	struct sock_filter filter[TAP_FILTER_MAX];
	struct sock_fprog program = {
		(unsigned short)tap_packet_filter(family, ports, count, filter), filter};
	uint8_t got[2048];
	int pair[2];
	ssize_t length;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(
		setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
	assert_int_equal(send(pair[0], bytes, size, 0), size);
	length = recv(pair[1], got, sizeof got, 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	if (length >= 0)
		assert_memory_equal(got, bytes, length);
	return length >= 0;
}

static bool passes_40000(const void *bytes, size_t size)
{
	static const uint16_t ports[] = {40000};
	const uint8_t *at = bytes;

	return passes(at[0] >> 4, ports, 1, bytes, size);
}

TEST(packet_is_read_as_it_was_written)
{
	static const size_t sizes[] = {SEAL_EXTRA, SEAL_EXTRA + 1, SEAL_DATAGRAM_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(ends) * COUNT(sizes); i++) {
		const char *const *row = ends[i % COUNT(ends)];
		struct tap_packet packet = packet_of(row[0], row[1], sizes[i / COUNT(ends)]);
		uint8_t bytes[TAP_PACKET_MAX];
		size_t size = tap_packet_write(&packet, 3, bytes);
		struct tap_packet read;

		assert_int_equal(tap_packet_read(bytes, size, &read), 0);
		assert_true(endpoint_equal(&read.from, &packet.from));
		assert_true(endpoint_equal(&read.to, &packet.to));
		assert_int_equal(read.size, packet.size);
		assert_memory_equal(read.bytes, packet.bytes, packet.size);
		assert_int_equal(bytes[i % COUNT(ends) ? 7 : 8], 3);
		assert_true(passes_40000(bytes, size));
		/* What a card has added behind it is not seen. */
		assert_int_equal(tap_packet_read(bytes, TAP_PACKET_MAX, &read), 0);
		assert_int_equal(read.size, packet.size);
	}
}

/* As the receiver checks it: all words, the checksum's as well, come to 0xffff. */
static uint32_t whole_sum(const uint8_t *bytes, size_t size, size_t addresses, size_t udp)
{
	uint32_t sum = 17 + (uint32_t)(size - udp);

	for (size_t i = addresses; i < size; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

TEST(checksum_is_right_and_never_zero)
{
	uint8_t bytes[TAP_PACKET_MAX];
	size_t size;

	(void)state;
	for (size_t i = 0; i < SEAL_DATAGRAM_MAX - SEAL_EXTRA; i++) {
		struct tap_packet packet = packet_of(ends[0][0], ends[0][1], SEAL_EXTRA + i);

		size = tap_packet_write(&packet, 64, bytes);
		assert_int_equal(whole_sum(bytes, size, 12, 20), 0xffff);
		packet = packet_of(ends[1][0], ends[1][1], SEAL_EXTRA + i);
		size = tap_packet_write(&packet, 64, bytes);
		assert_int_equal(whole_sum(bytes, size, 8, 40), 0xffff);
	}
	/* One whose sum is 0xffff before it is turned round. */
	for (uint32_t i = 0; i <= 0xffff; i++) {
		struct tap_packet packet = packet_of(ends[0][0], ends[0][1], SEAL_EXTRA);

		datagram[8] = (uint8_t)(i >> 8);
		datagram[9] = (uint8_t)i;
		(void)tap_packet_write(&packet, 64, bytes);
		assert_false(bytes[26] == 0 && bytes[27] == 0);
	}
}

/* A packet with one byte changed; both parser and filter are asked. */
struct spoilt {
	const char *what;
	size_t at;
	bool wide;
	uint8_t byte;
	bool filtered; /* already by the filter */
};

TEST(what_is_not_ours_is_not_read)
{
	static const struct spoilt rows[] = {
		{"version", 0, false, 0x55, false},
		{"a header shorter than any", 0, false, 0x44, true},
		{"a header longer than the packet", 0, false, 0x4f, true},
		{"longer than it is", 3, false, 69, false},
		{"a first fragment", 6, false, 0x20, true},
		{"a later fragment", 7, false, 0x01, true},
		{"TCP", 9, false, 6, true},
		{"source port 0", 21, false, 0, false},
		{"destination port", 23, false, 0x41, true},
		{"UDP shorter than its header", 25, false, 7, false},
		{"UDP too short for a seal", 25, false, 47, false},
		{"UDP longer than the packet", 25, false, 49, false},
		{"UDP longer than any of ours", 24, false, 1, true},
		{"the first word of magic", 28, false, 0xc1, true},
		{"the second word of magic", 35, false, 2, true},
		{"version", 0, true, 0x50, false},
		{"longer than it is", 5, true, 49, false},
		{"a header before UDP", 6, true, 0, true},
		{"a fragment", 6, true, 44, true},
		{"destination port", 43, true, 0x41, true},
		{"UDP longer than the packet", 45, true, 49, false},
		{"UDP longer than any of ours", 44, true, 1, true},
		{"the second word of magic", 55, true, 2, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct spoilt *row = &rows[i];
		struct tap_packet packet = packet_of(row->wide ? "[2001:db8::1]:5" : "192.0.2.1:5",
			ends[row->wide][1], SEAL_EXTRA);
		static const uint16_t ports[] = {40000};
		uint8_t bytes[TAP_PACKET_MAX];
		size_t size = tap_packet_write(&packet, 64, bytes);
		struct tap_packet read = {.size = 7};

		assert_int_equal(tap_packet_read(bytes, size, &read), 0);
		read.size = 7;
		assert_int_not_equal(bytes[row->at], row->byte);
		bytes[row->at] = row->byte;
		/* Another port is no matter of the reader's. */
		if (strcmp(row->what, "destination port") != 0 &&
			(tap_packet_read(bytes, size, &read) != -EBADMSG || read.size != 7))
			fail_msg("%s is read", row->what);
		if (passes(row->wide ? 6 : 4, ports, 1, bytes, size) == row->filtered)
			fail_msg("%s: %s", row->what, row->filtered ? "passes" : "is filtered");
	}
}

TEST(packet_that_is_cut_off_is_not_read)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct tap_packet packet = packet_of(ends[i][0], ends[i][1], SEAL_DATAGRAM_MAX);
		uint8_t bytes[TAP_PACKET_MAX];
		size_t size = tap_packet_write(&packet, 64, bytes);
		struct tap_packet read;

		for (size_t j = 0; j < size; j++)
			assert_int_equal(tap_packet_read(bytes, j, &read), -EBADMSG);
	}
}

TEST(options_of_ipv4_are_passed_over)
{
	struct tap_packet packet = packet_of(ends[0][0], ends[0][1], SEAL_DATAGRAM_MAX);
	uint8_t bytes[TAP_PACKET_MAX];

	(void)state;
	for (size_t words = 1; words <= 10; words++) {
		size_t size = tap_packet_write(&packet, 64, bytes);
		struct tap_packet read;

		memmove(bytes + 20 + 4 * words, bytes + 20, size - 20);
		memset(bytes + 20, 1, 4 * words);
		bytes[0] = (uint8_t)(0x45 + words);
		size += 4 * words;
		bytes[3] = (uint8_t)size;
		assert_true(size <= TAP_PACKET_MAX);
		assert_int_equal(tap_packet_read(bytes, size, &read), 0);
		assert_int_equal(read.size, packet.size);
		assert_memory_equal(read.bytes, packet.bytes, packet.size);
		assert_true(passes_40000(bytes, size));
	}
}

TEST(filter_knows_two_ports)
{
	static const uint16_t ports[] = {51820, 40000};
	static const uint16_t others[] = {51820, 40001};

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct tap_packet packet = packet_of(ends[i][0], ends[i][1], SEAL_EXTRA);
		uint8_t family = packet.to.address.family;
		uint8_t bytes[TAP_PACKET_MAX];
		size_t size = tap_packet_write(&packet, 64, bytes);

		assert_true(passes(family, ports, 2, bytes, size));
		assert_true(passes(family, ports + 1, 1, bytes, size));
		assert_false(passes(family, ports, 1, bytes, size));
		assert_false(passes(family, others, 2, bytes, size));
	}
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(packet_is_read_as_it_was_written),
		CASE(checksum_is_right_and_never_zero),
		CASE(what_is_not_ours_is_not_read),
		CASE(packet_that_is_cut_off_is_not_read),
		CASE(options_of_ipv4_are_passed_over),
		CASE(filter_knows_two_ports),
	};

	return RUN(cases);
}

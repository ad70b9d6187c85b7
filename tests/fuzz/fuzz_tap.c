/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tap.c - any bytes as a packet that came in: what is read is ours, lies within the packet, is
 * passed by the system's filter, and comes out the same when it is written and read again.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/tap_packet.h"
#include "tests/fuzz/fuzz.h"

/* A socket that is no network's has filters, too. */
static bool passes(const struct tap_packet *packet, const uint8_t *bytes, size_t size)
{
	struct sock_filter filter[TAP_FILTER_MAX];
	struct sock_fprog program = {.filter = filter};
	uint8_t got[TAP_PACKET_MAX];
	int pair[2];
	ssize_t length;

	program.len = (unsigned short)tap_packet_filter(
		packet->to.address.family, &packet->to.port, 1, filter);
	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
	REQUIRE(send(pair[0], bytes, size, 0) == (ssize_t)size);
	length = recv(pair[1], got, sizeof got, 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return length >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t written[TAP_PACKET_MAX];
	struct tap_packet packet;
	struct tap_packet again;
	struct seal_id id;
	int r = tap_packet_read(bytes, size, &packet);

	REQUIRE(r == 0 || r == -EBADMSG);
	if (r < 0)
		return 0;
	REQUIRE(packet.bytes >= bytes && packet.bytes + packet.size <= bytes + size);
	REQUIRE(seal_peek(packet.bytes, packet.size, &id));
	REQUIRE(packet.from.port > 0 && packet.to.port > 0);
	REQUIRE(size > 65000 || passes(&packet, bytes, size));
	REQUIRE(tap_packet_read(written, tap_packet_write(&packet, 64, written), &again) == 0);
	REQUIRE(endpoint_equal(&packet.from, &again.from));
	REQUIRE(endpoint_equal(&packet.to, &again.to));
	REQUIRE(packet.size == again.size);
	REQUIRE(memcmp(packet.bytes, again.bytes, packet.size) == 0);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wireguard_message.c - any bytes as what the kernel answers about a WireGuard device. What is
 * accepted is in order and in range, and is read again as the same once it was said. The first byte
 * is where the answer is cut in two messages, if it is.
 */
#include <errno.h>
#include <string.h>

#include <linux/genetlink.h>

#include "agent/wireguard_message.h"
#include "tests/fuzz/device.h"
#include "tests/fuzz/fuzz.h"

#define ANSWER_MAX 65000
#define NAME "collective0"

static struct nlmsghdr *message_of(const uint8_t *bytes, size_t size)
{
	struct nlmsghdr *message = calloc(1, MNL_NLMSG_HDRLEN + size);

	REQUIRE(message);
	message->nlmsg_len = (uint32_t)(MNL_NLMSG_HDRLEN + size);
	memcpy(mnl_nlmsg_get_payload(message), bytes, size);
	return message;
}

/* Both parts have a generic header of their own. */
static int read_part(struct wireguard_reading *reading, const uint8_t *bytes, size_t size)
{
	struct nlmsghdr *message = message_of(bytes, size);
	int r = wireguard_message_read(message, reading);

	REQUIRE(r == 0 || r == -EBADMSG);
	free(message);
	return r;
}

/* Says one peer of a device, in messages of some size, and reads what was said. */
static void check_said(
	const struct wireguard_device *device, const struct wireguard_peer *peer, size_t size)
{
	static uint8_t room[NETLINK_REQUEST_MAX + MNL_NLMSG_HDRLEN];
	const struct wireguard_peer_change one = {.key = peer->key,
		.set_preshared = true,
		.preshared = peer->preshared,
		.set_endpoint = peer->has_endpoint,
		.endpoint = peer->endpoint,
		.set_keepalive = true,
		.keepalive = peer->keepalive,
		.allowed_count = peer->allowed_count,
		.allowed = peer->allowed_count ? device->allowed + peer->allowed : NULL};
	const struct wireguard_change change = {.peer_count = 1, .peers = &one};
	struct wireguard_saying saying = {.change = &change};
	struct wireguard_reading reading;
	struct wireguard_device again;
	bool more;

	wireguard_reading_init(&reading);
	do {
		struct nlmsghdr *message = mnl_nlmsg_put_header(room);

		(void)mnl_nlmsg_put_extra_header(message, sizeof(struct genlmsghdr));
		more = wireguard_message_say(message, size, NAME, &saying);
		REQUIRE(message->nlmsg_len <= size);
		REQUIRE(wireguard_message_read(message, &reading) == 0);
	} while (more);
	REQUIRE(wireguard_reading_end(&reading, &again) == 0);
	REQUIRE(again.peer_count == 1);
	REQUIRE(key_equal(&again.peers->preshared, &peer->preshared));
	REQUIRE(again.peers->keepalive == peer->keepalive);
	REQUIRE(again.peers->has_endpoint == peer->has_endpoint);
	REQUIRE(!peer->has_endpoint || endpoint_equal(&again.peers->endpoint, &peer->endpoint));
	REQUIRE(again.allowed_count == peer->allowed_count);
	for (uint32_t i = 0; i < again.allowed_count; i++)
		REQUIRE(prefix_equal(&again.allowed[i], &device->allowed[peer->allowed + i]));
	wireguard_device_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wireguard_reading reading;
	struct wireguard_device device;
	size_t first;
	int r;

	if (size == 0 || size > ANSWER_MAX)
		return 0;
	/* Cut where attributes may end; what comes behind begins with whatever stands there. */
	first = (size_t)bytes[0] * 4 < size - 1 ? (size_t)bytes[0] * 4 : size - 1;
	wireguard_reading_init(&reading);
	r = bytes[0] == 0 ? 0 : read_part(&reading, bytes + 1, first);
	if (r == 0)
		r = read_part(&reading, bytes + 1 + (bytes[0] == 0 ? 0 : first),
			size - 1 - (bytes[0] == 0 ? 0 : first));
	if (r < 0) {
		wireguard_reading_drop(&reading);
		return 0;
	}
	r = wireguard_reading_end(&reading, &device);
	REQUIRE(r == 0 || r == -EBADMSG);
	if (r < 0)
		return 0;
	fuzz_check_device(&device);
	for (uint32_t i = 0; i < device.peer_count && i < 8; i++) {
		check_said(&device, &device.peers[i], NETLINK_REQUEST_MAX);
		check_said(&device, &device.peers[i], 400);
	}
	wireguard_device_free(&device);
	return 0;
}

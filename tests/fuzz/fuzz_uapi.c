/* SPDX-License-Identifier: MIT */
/*
 * fuzz_uapi.c - any bytes as the answer of a userspace WireGuard. How they are cut changes nothing;
 * what is accepted is in order and in range, and is read again as the same once it was written. The
 * first byte is the size of the pieces.
 */
#include <errno.h>
#include <string.h>

#include "agent/uapi.h"
#include "tests/fuzz/device.h"
#include "tests/fuzz/fuzz.h"

static int read_in(const char *bytes, size_t size, size_t piece, struct wireguard_device *ret)
{
	struct uapi_answer answer;
	int pushed = 0;
	int r;

	uapi_answer_init(&answer);
	for (size_t i = 0; i < size && pushed == 0; i += piece)
		pushed = uapi_answer_push(&answer, bytes + i, size - i < piece ? size - i : piece);
	r = uapi_answer_end(&answer, ret);
	REQUIRE(pushed == 0 || pushed == -EBADMSG);
	REQUIRE(pushed == 0 || r == -EBADMSG);
	REQUIRE(r <= 0 && r >= -4095);
	return r;
}

static void require_same(const struct wireguard_device *a, const struct wireguard_device *b)
{
	REQUIRE(a->port == b->port);
	REQUIRE(key_equal(&a->private_key, &b->private_key));
	REQUIRE(a->peer_count == b->peer_count);
	REQUIRE(a->allowed_count == b->allowed_count);
	for (uint32_t i = 0; i < a->peer_count; i++) {
		const struct wireguard_peer *left = &a->peers[i];
		const struct wireguard_peer *right = &b->peers[i];

		REQUIRE(key_equal(&left->key, &right->key));
		REQUIRE(key_equal(&left->preshared, &right->preshared));
		REQUIRE(left->keepalive == right->keepalive);
		REQUIRE(left->has_endpoint == right->has_endpoint);
		REQUIRE(!left->has_endpoint || endpoint_equal(&left->endpoint, &right->endpoint));
		REQUIRE(left->allowed_count == right->allowed_count);
		for (uint32_t j = 0; j < left->allowed_count; j++)
			REQUIRE(prefix_equal(
				&a->allowed[left->allowed + j], &b->allowed[right->allowed + j]));
	}
}

/* The whole device as a change: one request, since every peer has its keepalive. */
static void check_written(const struct wireguard_device *device)
{
	struct wireguard_peer_change *peers = calloc(device->peer_count + 1, sizeof *peers);
	struct wireguard_change change = {.set_private_key = true,
		.private_key = device->private_key,
		.set_port = true,
		.port = device->port,
		.peer_count = device->peer_count,
		.peers = peers};
	struct wireguard_device again;
	struct uapi_text text = {0};
	struct uapi_answer answer;

	REQUIRE(peers);
	for (uint32_t i = 0; i < device->peer_count; i++) {
		const struct wireguard_peer *peer = &device->peers[i];

		peers[i] = (struct wireguard_peer_change){.key = peer->key,
			.set_preshared = true,
			.preshared = peer->preshared,
			.set_endpoint = peer->has_endpoint,
			.endpoint = peer->endpoint,
			.set_keepalive = true,
			.keepalive = peer->keepalive,
			.allowed_count = peer->allowed_count,
			.allowed = peer->allowed_count ? device->allowed + peer->allowed : NULL};
	}
	REQUIRE(uapi_tell(&text, &change, 0) == device->peer_count);
	uapi_answer_init(&answer);
	REQUIRE(uapi_answer_push(&answer, text.bytes + 6, text.length - 7) == 0);
	REQUIRE(uapi_answer_push(&answer, "errno=0\n\n", 9) == 0);
	REQUIRE(uapi_answer_end(&answer, &again) == 0);
	require_same(device, &again);
	wireguard_device_free(&again);
	uapi_text_free(&text);
	free(peers);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes + 1;
	struct wireguard_device device;
	struct wireguard_device other;
	int r;

	if (size == 0)
		return 0;
	r = read_in(text, size - 1, size, &device);
	REQUIRE(read_in(text, size - 1, bytes[0] ? bytes[0] : 1, &other) == r);
	if (r < 0)
		return 0;
	fuzz_check_device(&device);
	require_same(&device, &other);
	check_written(&device);
	wireguard_device_free(&device);
	wireguard_device_free(&other);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/device.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

void fuzz_check_device(const struct wireguard_device *device)
{
	uint32_t allowed = 0;

	REQUIRE(device->peer_count <= WIREGUARD_PEERS_MAX);
	REQUIRE(device->allowed_count <= WIREGUARD_ALLOWED_MAX);
	for (uint32_t i = 0; i < device->peer_count; i++) {
		const struct wireguard_peer *peer = &device->peers[i];

		REQUIRE(i == 0 || memcmp(peer[-1].key.bytes, peer->key.bytes, KEY_SIZE) < 0);
		REQUIRE(!peer->has_endpoint || peer->endpoint.port > 0);
		REQUIRE(peer->allowed + peer->allowed_count <= device->allowed_count);
		for (uint32_t j = 0; j < peer->allowed_count; j++) {
			const struct prefix *prefix = &device->allowed[peer->allowed + j];
			struct prefix canonical = prefix_canonical(prefix);

			REQUIRE(address_size(&prefix->address) > 0);
			REQUIRE(prefix_equal(&canonical, prefix));
			REQUIRE(j == 0 || prefix_compare(prefix - 1, prefix) <= 0);
		}
		allowed += peer->allowed_count;
	}
	REQUIRE(allowed == device->allowed_count);
}

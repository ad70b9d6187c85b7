/* SPDX-License-Identifier: MIT */
/*
 * fuzz_message.c - any datagram inside the tunnel: what is read can be written, and is then read as
 * the same.
 */
#include <errno.h>
#include <string.h>

#include "gossip/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct hash collective = {{'c', 'o', 'l', 'l', 'e', 'c', 't', 'e', 'd'}};
	static struct message message;
	static struct message again;
	uint8_t out[MESSAGE_SIZE_MAX];
	size_t written;
	int r = message_read(&message, &collective, bytes, size);

	REQUIRE(r == 0 || r == -EBADMSG || r == -EXDEV || r == -ENOTSUP);
	if (r < 0)
		return 0;
	for (uint32_t i = 0; i < message.fact_count; i++) {
		REQUIRE(message.facts[i] >= bytes);
		REQUIRE(message.facts[i] + message.fact_sizes[i] <= bytes + size);
	}
	written = message_write(&message, &collective, out);
	REQUIRE(written <= size);
	REQUIRE(message_read(&again, &collective, out, written) == 0);
	REQUIRE(again.type == message.type && again.row_count == message.row_count);
	REQUIRE(again.fact_count == message.fact_count);
	return 0;
}

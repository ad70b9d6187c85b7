/* SPDX-License-Identifier: MIT */
/*
 * fuzz_invite.c - any text as an invite. The checksum is mended first, so that the fuzzer gets
 * behind it; what is read is written as the same word.
 */
#include <string.h>

#include <sodium.h>

#include "gossip/invite.h"
#include "tests/fuzz/fuzz.h"

#define PREFIX "collective1_"

static void check(const char *text)
{
	struct invite invite;
	struct invite again;
	char written[INVITE_TEXT_SIZE];
	enum invite_fault fault = invite_read(&invite, text);

	REQUIRE(fault <= INVITE_INVALID);
	if (fault != INVITE_GOOD)
		return;
	REQUIRE(invite_write(&invite, written) > 0);
	REQUIRE(invite_read(&again, written) == INVITE_GOOD);
	REQUIRE(again.expires == invite.expires && again.join_number == invite.join_number);
	REQUIRE(again.endpoint_count == invite.endpoint_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char text[600] = PREFIX;
	uint8_t whole[320];
	struct hash hash;

	if (size > 300)
		return 0;
	/* As it stands. */
	memcpy(text, bytes, size);
	text[size] = '\0';
	check(text);
	/* As the bytes inside, with a right checksum. */
	memcpy(whole, bytes, size);
	hash = hash_of(bytes, size);
	memcpy(whole + size, hash.bytes, 4);
	memcpy(text, PREFIX, sizeof PREFIX);
	sodium_bin2base64(text + sizeof PREFIX - 1, sizeof text - sizeof PREFIX, whole, size + 4,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	check(text);
	return 0;
}

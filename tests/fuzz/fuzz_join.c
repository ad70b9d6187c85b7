/* SPDX-License-Identifier: MIT */
/*
 * fuzz_join.c - any bytes as a message about membership, or as an invitation from the store. What
 * is read can be written and is then read again.
 */
#include <errno.h>
#include <string.h>

#include "gossip/grant.h"
#include "gossip/invitation.h"
#include "gossip/petition.h"
#include "tests/founding.h"
#include "tests/fuzz/fuzz.h"

/* Signatures that fit everything: the fuzzer is to get behind them. */
static void sign_any(uint8_t signature[static SIGNATURE_SIZE], const void *message, size_t size,
	const struct secret *secret)
{
	(void)message;
	(void)size;
	(void)secret;
	memset(signature, 0, SIGNATURE_SIZE);
}

static bool verify_any(const uint8_t signature[static SIGNATURE_SIZE], const void *message,
	size_t size, const struct key *signer)
{
	(void)signature;
	(void)message;
	(void)size;
	(void)signer;
	return true;
}

static const struct crypto lenient = {.sign = sign_any, .verify = verify_any};

static void check_request(const struct hash *collective, const uint8_t *bytes, size_t size)
{
	struct join_request request;
	uint8_t out[JOIN_MESSAGE_MAX];
	size_t written;

	if (join_request_read(&request, collective, &lenient, bytes, size) < 0)
		return;
	written = join_request_write(&request, &(struct secret){{0}}, collective, &lenient, out);
	REQUIRE(written <= size);
	REQUIRE(join_request_read(&request, collective, &lenient, out, written) == 0);
}

static void check_reply(const struct hash *collective, const uint8_t *bytes, size_t size)
{
	struct join_reply reply;
	uint8_t out[JOIN_MESSAGE_MAX];
	size_t written;

	if (join_reply_read(&reply, collective, bytes, size) < 0)
		return;
	REQUIRE(reply.status >= JOIN_GRANTED && reply.status < JOIN_STATUSES);
	written = join_reply_write(&reply, collective, out);
	REQUIRE(join_reply_read(&reply, collective, out, written) == 0);
}

static void check_petition(const struct hash *collective, const uint8_t *bytes, size_t size)
{
	struct petition petition;
	uint8_t out[PETITION_SIZE_MAX];
	size_t written;

	if (petition_read(&petition, collective, &lenient, bytes, size) < 0)
		return;
	written = petition_write(&petition, &(struct secret){{0}}, collective, &lenient, out);
	REQUIRE(petition_read(&petition, collective, &lenient, out, written) == 0);
}

static void check_stored(const uint8_t *bytes, size_t size)
{
	struct invitation invitation;
	uint8_t out[INVITATION_SIZE_MAX];

	if (size > INVITATION_SIZE_MAX || invitation_unpack(&invitation, bytes, size) < 0)
		return;
	REQUIRE(invitation_pack(&invitation, out) == size);
	REQUIRE(memcmp(out, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct hash collective = {{'c', 'o', 'l', 'l', 'e', 'c', 't', 'i', 'v', 'e'}};
	static struct founding founding;
	static struct ledger *ledger;
	struct invitation invitation;
	struct key hub = {{8}};
	int r;

	if (!ledger) {
		struct delegation delegation;
		struct bytes fact;

		founding_init(&founding, &crypto_stub, 4);
		ledger = founding_ledger(&founding);
		delegation = founding_delegation(&founding, 0);
		fact = founding_seal_delegation(&founding, &delegation);
		(void)founding_offer(ledger, &fact);
		ledger->collective = collective;
		ledger->options.crypto = &lenient;
	}
	check_request(&collective, bytes, size);
	check_reply(&collective, bytes, size);
	check_petition(&collective, bytes, size);
	check_stored(bytes, size);
	r = grant_read(&invitation, ledger, FOUNDING_NOW, &hub, bytes, size);
	REQUIRE(r == 0 || r == -EBADMSG || r == -EXDEV || r == -EKEYREJECTED || r == -EKEYEXPIRED);
	return 0;
}

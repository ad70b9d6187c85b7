/* SPDX-License-Identifier: MIT */
/*
 * fuzz_fact.c - any bytes as a fact: what is read can be written, and is the same bytes again but
 * for fields that only a newer program knows.
 */
#include <errno.h>
#include <string.h>

#include "gossip/certificate.h"
#include "gossip/record.h"
#include "tests/fuzz/fuzz.h"

static void sign_nothing(uint8_t signature[static SIGNATURE_SIZE], const void *message, size_t size,
	const struct secret *secret)
{
	(void)message;
	(void)size;
	(void)secret;
	memset(signature, 0, SIGNATURE_SIZE);
}

static const struct crypto crypto = {.sign = sign_nothing};
static const struct secret secret;
static const struct hash collective;

/* What is written from what was read is read as the same. */
static void check_again(const struct fact *before, const uint8_t *bytes, int size)
{
	struct fact after;

	REQUIRE(size > 0);
	REQUIRE((size_t)size <= before->size);
	REQUIRE(fact_open(&after, bytes, (size_t)size) == 0);
	REQUIRE(after.kind == before->kind);
	if (after.size == before->size)
		REQUIRE(memcmp(after.bytes, before->bytes, after.size - SIGNATURE_SIZE) == 0);
}

static void check_certificate(const struct fact *fact)
{
	struct certificate certificate;
	uint8_t out[FACT_SIZE_MAX];

	if (certificate_read(&certificate, fact) < 0)
		return;
	REQUIRE(text_is_name(certificate.name));
	check_again(fact, out, certificate_seal(&certificate, out, &secret, &collective, &crypto));
}

static void check_record(const struct fact *fact)
{
	struct record record;
	uint8_t out[FACT_SIZE_MAX];

	if (record_read(&record, fact) < 0)
		return;
	REQUIRE(record_expires(&record) >= record.issued_at);
	check_again(fact, out, record_seal(&record, out, &secret, &collective, &crypto));
}

static void check_authority(const struct fact *fact)
{
	struct delegation delegation;
	struct revocation revocation;
	struct removal removal;
	uint8_t out[FACT_SIZE_MAX];

	if (fact->kind == FACT_DELEGATION && delegation_read(&delegation, fact) == 0)
		check_again(fact, out,
			delegation_seal(&delegation, out, &secret, &collective, &crypto));
	if (fact->kind == FACT_REVOCATION && revocation_read(&revocation, fact) == 0)
		check_again(fact, out,
			revocation_seal(&revocation, out, &secret, &collective, &crypto));
	if (fact->kind == FACT_REMOVAL && removal_read(&removal, fact) == 0)
		check_again(fact, out, removal_seal(&removal, out, &secret, &collective, &crypto));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fact fact;
	int r = fact_open(&fact, bytes, size);

	REQUIRE(r == 0 || r == -EBADMSG || r == -EMSGSIZE || r == -ENOTSUP);
	if (r < 0)
		return 0;
	if (fact.kind == FACT_CERTIFICATE)
		check_certificate(&fact);
	else if (fact.kind == FACT_RECORD)
		check_record(&fact);
	else
		check_authority(&fact);
	return 0;
}

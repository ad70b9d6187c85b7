/* SPDX-License-Identifier: MIT */
/*
 * test_facts.c - certificates, delegations, revocations, removals and records as bytes.
 */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/founding.h"

static struct founding founding;

static int set_up(void **state)
{
	(void)state;
	founding_init(&founding, &crypto_real, 16);
	return 0;
}

static struct fact open_bytes(const struct bytes *bytes)
{
	struct fact fact;

	assert_int_equal(fact_open(&fact, bytes->bytes, bytes->size), 0);
	return fact;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

TEST(certificate_round_trips_with_every_field)
{
	struct certificate in = founding_certificate(&founding, 0, 3);
	struct certificate out;
	struct bytes bytes;
	struct bytes again;
	struct fact fact;

	(void)state;
	in.version = CERTIFICATE_VERSION_MAX;
	in.routes = (struct prefixes){
		2, {prefix_of("192.168.7.0/24"), prefix_of("2001:db8:7::/48")}};
	in.tags = (struct names){2, {"family", "gaming"}};
	in.roles = ROLE_HUB | ROLE_REFLECTOR;
	in.not_after = FOUNDING_NOW + 1;
	bytes = founding_seal_certificate(&founding, 0, &in);
	fact = open_bytes(&bytes);
	assert_int_equal(fact.kind, FACT_CERTIFICATE);
	assert_int_equal(certificate_read(&out, &fact), 0);
	assert_memory_equal(&in, &out, sizeof in);
	again = founding_seal_certificate(&founding, 0, &out);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.bytes, bytes.bytes, bytes.size);
	in.not_after = 0;
	bytes = founding_seal_certificate(&founding, 0, &in);
	fact = open_bytes(&bytes);
	assert_int_equal(certificate_read(&out, &fact), 0);
	assert_int_equal(out.not_after, 0);
}

TEST(delegation_revocation_and_removal_round_trip)
{
	struct delegation delegation = founding_delegation(&founding, 1);
	struct delegation delegation_out;
	struct removal_reader_check {
		struct removal in;
		struct removal out;
	} removal = {.in = {.subject = {{7}},
			     .parts = 3,
			     .part = 2,
			     .issued_at = 5,
			     .count = 2,
			     .kept = {{{1}}, {{2}}}}};
	struct revocation revocation = {
		.subject = {{9}}, .reason = REVOCATION_LOST, .issuer = {{8}}, .issued_at = 77};
	struct revocation revocation_out;
	struct bytes bytes;
	struct bytes again;
	struct fact fact;
	int size;

	(void)state;
	delegation.within = (struct prefixes){1, {prefix_of("10.100.0.0/17")}};
	delegation.tags = (struct names){1, {"gaming"}};
	bytes = founding_seal_delegation(&founding, &delegation);
	fact = open_bytes(&bytes);
	assert_int_equal(delegation_read(&delegation_out, &fact), 0);
	again = founding_seal_delegation(&founding, &delegation_out);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.bytes, bytes.bytes, bytes.size);

	size = revocation_seal(
		&revocation, bytes.bytes, &founding.root, &founding.collective, &crypto_real);
	assert_int_equal(fact_open(&fact, bytes.bytes, (size_t)size), 0);
	assert_int_equal(revocation_read(&revocation_out, &fact), 0);
	assert_int_equal(revocation_out.reason, REVOCATION_LOST);
	assert_int_equal(revocation_out.issued_at, 77);
	assert_true(hash_equal(&revocation.subject, &revocation_out.subject));
	assert_true(hash_equal(&revocation.issuer, &revocation_out.issuer));

	size = removal_seal(
		&removal.in, bytes.bytes, &founding.root, &founding.collective, &crypto_real);
	assert_int_equal(fact_open(&fact, bytes.bytes, (size_t)size), 0);
	assert_int_equal(removal_read(&removal.out, &fact), 0);
	assert_memory_equal(&removal.in, &removal.out, sizeof removal.in);
	/* The longest list fits. */
	removal.in.count = REMOVAL_KEPT_MAX;
	for (uint8_t i = 0; i < REMOVAL_KEPT_MAX; i++)
		removal.in.kept[i] = (struct hash){{i}};
	assert_true(removal_seal(&removal.in, bytes.bytes, &founding.root, &founding.collective,
			    &crypto_real) > 0);
}

static struct record full_record(void)
{
	struct record record = founding_record(3, 12345);

	record.flags = RECORD_LEFT | RECORD_RELAY_ONLY;
	record.lifetime = RECORD_LEFT_LIFETIME_S;
	record.nat = (struct nat_class){3, 2, 1, 1};
	record.roles = ROLE_HUB;
	record.endpoint_count = 2;
	assert_int_equal(endpoint_parse("192.0.2.1:51821", &record.endpoints[0]), 0);
	assert_int_equal(endpoint_parse("[2001:db8::1]:51821", &record.endpoints[1]), 0);
	record.service_count = 2;
	record.services[0] = (struct service){"http", 6, 80};
	record.services[1] = (struct service){"minecraft", 17, 19132};
	record.link_count = 2;
	record.links[0] = (struct direct_link){{{1}}, 12};
	record.links[1] = (struct direct_link){{{2}}, 65535};
	return record;
}

TEST(record_round_trips_with_every_field)
{
	struct record in = full_record();
	struct record out;
	struct bytes bytes = founding_seal_record(&founding, 3, &in);
	struct bytes again;
	struct fact fact = open_bytes(&bytes);

	(void)state;
	assert_int_equal(record_read(&out, &fact), 0);
	again = founding_seal_record(&founding, 3, &out);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.bytes, bytes.bytes, bytes.size);
	assert_int_equal(out.services[1].port, 19132);
	assert_int_equal(out.links[1].rtt, 65535);
	assert_true(record_expires(&out) == in.issued_at + UINT64_C(87600000));
}

TEST(record_sizes)
{
	struct record record = founding_record(3, FOUNDING_NOW);
	struct bytes bytes;

	(void)state;
	/* A gamer at home with seven links. */
	record.nat = (struct nat_class){1, 3, 1, 0};
	for (uint8_t i = 0; i < 7; i++)
		record.links[record.link_count++] = (struct direct_link){{{i}}, 120};
	bytes = founding_seal_record(&founding, 3, &record);
	print_message("# a record with seven links: %zu bytes\n", bytes.size);
	assert_true(bytes.size <= 260);
	/* The largest there can be. */
	record = full_record();
	record.endpoint_count = RECORD_ENDPOINTS_MAX;
	for (int i = 1; i < RECORD_ENDPOINTS_MAX; i++)
		record.endpoints[i] = record.endpoints[1];
	record.link_count = RECORD_LINKS_MAX;
	for (uint8_t i = 0; i < RECORD_LINKS_MAX; i++)
		record.links[i].peer.bytes[0] = i;
	record.service_count = RECORD_SERVICES_MAX;
	for (int i = 0; i < RECORD_SERVICES_MAX; i++)
		(void)snprintf(record.services[i].name, sizeof record.services[i].name, "%063d%c",
			0, 'a' + i);
	bytes = founding_seal_record(&founding, 3, &record);
	print_message("# the largest record: %zu bytes\n", bytes.size);
	assert_true(bytes.size <= FACT_SIZE_MAX);
}

TEST(certificate_too_large_is_refused_at_the_source)
{
	struct certificate certificate = founding_certificate(&founding, 0, 3);
	uint8_t out[FACT_SIZE_MAX];

	(void)state;
	certificate.routes.count = FIELD_PREFIXES_MAX;
	for (uint8_t i = 0; i < FIELD_PREFIXES_MAX; i++)
		certificate.routes.items[i] = (struct prefix){{ADDRESS_IPV6, {0x20, 1, i}}, 48};
	certificate.tags.count = FIELD_NAMES_MAX;
	for (int i = 0; i < FIELD_NAMES_MAX; i++)
		(void)snprintf(certificate.tags.items[i], sizeof certificate.tags.items[i],
			"%063d%c", 0, 'a' + i);
	assert_int_equal(certificate_seal(&certificate, out, &founding.admins[0],
				 &founding.collective, &crypto_real),
		-EMSGSIZE);
	certificate.tags.count = 1;
	assert_true(certificate_seal(&certificate, out, &founding.admins[0], &founding.collective,
			    &crypto_real) > 0);
}

TEST(fact_signature_covers_kind_collective_and_every_byte)
{
	struct record record = founding_record(3, 1);
	struct bytes bytes = founding_seal_record(&founding, 3, &record);
	struct fact fact = open_bytes(&bytes);
	struct hash other = founding.collective;
	struct secret stranger = founding_site(4);
	struct key stranger_key = secret_public(&stranger);

	(void)state;
	assert_true(fact_verify(&fact, &record.site, &founding.collective, &crypto_real));
	assert_false(fact_verify(&fact, &stranger_key, &founding.collective, &crypto_real));
	other.bytes[0] ^= 1;
	assert_false(fact_verify(&fact, &record.site, &other, &crypto_real));
	fact.kind = FACT_CERTIFICATE;
	assert_false(fact_verify(&fact, &record.site, &founding.collective, &crypto_real));
	fact.kind = FACT_RECORD;
	for (size_t i = 0; i < bytes.size; i++) {
		bytes.bytes[i] ^= 1;
		assert_false(fact_verify(&fact, &record.site, &founding.collective, &crypto_real));
		bytes.bytes[i] ^= 1;
	}
}

/* Writes a fact of this kind and format with given fields (raw bytes), unsigned. */
static struct bytes made(
	uint64_t kind, uint64_t format, uint32_t fields, const void *raw, size_t size)
{
	struct bytes bytes = {0};
	struct wire_writer writer;

	wire_writer_init(&writer, bytes.bytes, sizeof bytes.bytes - SIGNATURE_SIZE);
	wire_write_map(&writer, 2 + fields);
	wire_write_uint(&writer, 0);
	wire_write_uint(&writer, kind);
	wire_write_uint(&writer, 1);
	wire_write_uint(&writer, format);
	wire_write_raw(&writer, raw, size);
	bytes.size = (size_t)wire_writer_end(&writer) + SIGNATURE_SIZE;
	return bytes;
}

TEST(fact_envelope_refusals)
{
	struct bytes bytes = made(5, 1, 0, NULL, 0);
	struct fact fact;
	uint8_t big[FACT_SIZE_MAX + 1] = {0};

	(void)state;
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), 0);
	assert_int_equal(fact_open(&fact, bytes.bytes, SIGNATURE_SIZE), -EMSGSIZE);
	assert_int_equal(fact_open(&fact, big, sizeof big), -EMSGSIZE);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size - 1), -EBADMSG);
	bytes = made(6, 1, 0, NULL, 0);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), -ENOTSUP);
	bytes = made(5, 2, 0, NULL, 0);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), -ENOTSUP);
	bytes = made(0, 1, 0, NULL, 0);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), -EBADMSG);
	bytes = made(5, 0, 0, NULL, 0);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), -EBADMSG);
	/* Keys out of order. */
	bytes = made(5, 1, 1, "\x01\xc0", 2);
	assert_int_equal(fact_open(&fact, bytes.bytes, bytes.size), -EBADMSG);
}

TEST(fact_fields_of_a_newer_program_are_passed_over)
{
	struct record record = founding_record(3, 7);
	struct bytes bytes = founding_seal_record(&founding, 3, &record);
	size_t body = bytes.size - SIGNATURE_SIZE;
	struct record out;
	struct fact fact;

	(void)state;
	/* Two fields more: 60 = {1: "x"}, 200 = nil. */
	assert_int_equal(bytes.bytes[0], 0x80 + 8);
	bytes.bytes[0] = 0x80 + 10;
	memcpy(bytes.bytes + body, "\x3c\x81\x01\xa1x\xcc\xc8\xc0", 8);
	bytes.size += 8;
	fact = open_bytes(&bytes);
	assert_int_equal(record_read(&out, &fact), 0);
	assert_memory_equal(&record, &out, sizeof record);
}

/* Whether a record that was changed before it was sealed is read back. */
static int record_result(struct record record)
{
	struct bytes bytes = founding_seal_record(&founding, 3, &record);
	struct fact fact = open_bytes(&bytes);

	return record_read(&record, &fact);
}

TEST(record_refusals)
{
	struct record record = full_record();

	(void)state;
	assert_int_equal(record_result(record), 0);
	record.sequence = 0;
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	record.sequence = FIELD_TIME_MAX + 1;
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	record.flags = RECORD_RELAY_ONLY;
	assert_int_equal(record_result(record), -EBADMSG); /* too long a life for one that stays */
	record = full_record();
	record.lifetime++;
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	record.endpoints[0].port = 0;
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	record.services[1] = record.services[0];
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	record.links[1] = record.links[0];
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	memset(record.site.bytes, 0, KEY_SIZE);
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	(void)snprintf(record.program, sizeof record.program, "a\x1b[2J");
	assert_int_equal(record_result(record), -EBADMSG);
	record = full_record();
	(void)snprintf(record.services[0].name, sizeof record.services[0].name, "No Name");
	assert_int_equal(record_result(record), -EBADMSG);
}

static int certificate_result(struct certificate certificate)
{
	struct bytes bytes = founding_seal_certificate(&founding, 0, &certificate);
	struct fact fact = open_bytes(&bytes);

	return certificate_read(&certificate, &fact);
}

TEST(certificate_refusals)
{
	const struct certificate good = founding_certificate(&founding, 0, 3);
	struct certificate certificate = good;

	(void)state;
	assert_int_equal(certificate_result(certificate), 0);
	certificate.version = 0;
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate.version = UINT32_MAX;
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.links = certificate.backbone;
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.address = address_ipv4(0x0a640401);
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.since = certificate.issued_at + 1;
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.subnets = (struct prefixes){
		2, {prefix_of("10.100.3.0/24"), prefix_of("10.100.3.0/25")}};
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.tags = (struct names){2, {"b", "a"}};
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	(void)snprintf(certificate.name, sizeof certificate.name, "Alex");
	assert_int_equal(certificate_result(certificate), -EBADMSG);
	certificate = good;
	certificate.subnets.items[0].address.bytes[3] = 1; /* bits behind the length */
	assert_int_equal(certificate_result(certificate), -EBADMSG);
}

TEST(certificate_grants_are_held_against_the_delegation)
{
	struct delegation delegation = founding_delegation(&founding, 0);
	struct certificate certificate = founding_certificate(&founding, 0, 3);
	struct prefix supernet = prefix_of("10.100.0.0/16");

	(void)state;
	assert_true(certificate_granted(&certificate, &delegation));
	delegation.grants = GRANT_REVOKE;
	assert_false(certificate_granted(&certificate, &delegation));
	delegation.grants = GRANT_ADMIT;
	assert_true(certificate_granted(&certificate, &delegation));
	certificate.roles = ROLE_HUB;
	assert_false(certificate_granted(&certificate, &delegation));
	certificate.roles = 0;
	certificate.routes = (struct prefixes){1, {prefix_of("192.168.7.0/24")}};
	assert_false(certificate_granted(&certificate, &delegation));
	delegation.grants = GRANT_ADMIT | GRANT_ROUTES;
	assert_true(certificate_granted(&certificate, &delegation));
	delegation.within = (struct prefixes){1, {prefix_of("10.100.0.0/16")}};
	assert_false(certificate_granted(&certificate, &delegation));
	certificate.routes.count = 0;
	assert_true(certificate_granted(&certificate, &delegation));
	delegation.within = (struct prefixes){1, {prefix_of("10.100.4.0/24")}};
	assert_false(certificate_granted(&certificate, &delegation));
	delegation.within.count = 0;
	delegation.tags = (struct names){1, {"gaming"}};
	certificate.tags = (struct names){2, {"family", "gaming"}};
	assert_false(certificate_granted(&certificate, &delegation));
	certificate.tags = (struct names){1, {"gaming"}};
	assert_true(certificate_granted(&certificate, &delegation));

	assert_true(certificate_fits(&certificate, &supernet));
	certificate.subnets.items[0] = prefix_of("10.101.3.0/24");
	assert_false(certificate_fits(&certificate, &supernet));
	certificate = founding_certificate(&founding, 0, 3);
	certificate.routes = (struct prefixes){1, {prefix_of("10.0.0.0/8")}};
	assert_false(certificate_fits(&certificate, &supernet));
	certificate.routes = (struct prefixes){1, {prefix_of("0.0.0.0/0")}};
	assert_false(certificate_fits(&certificate, &supernet));
	certificate.routes = (struct prefixes){1, {prefix_of("169.254.77.0/24")}};
	assert_false(certificate_fits(&certificate, &supernet));
}

TEST(field_lists_are_sorted_for_writing)
{
	struct names names = {4, {"c", "a", "b", "a"}};
	struct prefixes prefixes = {
		3, {prefix_of("10.2.0.0/16"), prefix_of("10.1.0.0/16"), prefix_of("9.0.0.0/8")}};

	(void)state;
	names_sort(&names);
	assert_int_equal(names.count, 3);
	assert_string_equal(names.items[0], "a");
	assert_string_equal(names.items[2], "c");
	prefixes_sort(&prefixes);
	assert_int_equal(prefixes.items[0].address.bytes[0], 9);
	assert_int_equal(prefixes.items[2].address.bytes[1], 2);
}

#define FACTS(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		FACTS(certificate_round_trips_with_every_field),
		FACTS(delegation_revocation_and_removal_round_trip),
		FACTS(record_round_trips_with_every_field),
		FACTS(record_sizes),
		FACTS(certificate_too_large_is_refused_at_the_source),
		FACTS(fact_signature_covers_kind_collective_and_every_byte),
		FACTS(fact_envelope_refusals),
		FACTS(fact_fields_of_a_newer_program_are_passed_over),
		FACTS(record_refusals),
		FACTS(certificate_refusals),
		FACTS(certificate_grants_are_held_against_the_delegation),
		FACTS(field_lists_are_sorted_for_writing),
	};

	return RUN(cases);
}

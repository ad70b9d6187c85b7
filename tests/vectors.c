/* SPDX-License-Identifier: MIT */
#include "tests/vectors.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "gossip/grant.h"
#include "gossip/invite.h"
#include "gossip/message.h"
#include "gossip/petition.h"
#include "tests/founding.h"
#include "tests/test.h"

static void print_hex(FILE *out, const char *name, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	(void)fprintf(out, "%s ", name);
	for (size_t i = 0; i < size; i++)
		(void)fprintf(out, "%02x", at[i]);
	(void)fputc('\n', out);
}

static void print_number(FILE *out, const char *name, uint64_t value)
{
	(void)fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void print_prefixes(FILE *out, const char *name, const struct prefixes *prefixes)
{
	(void)fputs(name, out);
	for (uint32_t i = 0; i < prefixes->count; i++) {
		char text[PREFIX_TEXT_SIZE];

		prefix_print(&prefixes->items[i], text);
		(void)fprintf(out, " %s", text);
	}
	(void)fputc('\n', out);
}

static void print_names(FILE *out, const char *name, const struct names *names)
{
	(void)fputs(name, out);
	for (uint32_t i = 0; i < names->count; i++)
		(void)fprintf(out, " %s", names->items[i]);
	(void)fputc('\n', out);
}

static void begin(
	FILE *out, const char *name, const struct bytes *bytes, const struct secret *signer)
{
	struct key key = secret_public(signer);
	struct hash hash = hash_of(bytes->bytes, bytes->size);

	(void)fprintf(out, "\nfact %s\n", name);
	print_hex(out, "bytes", bytes->bytes, bytes->size);
	print_hex(out, "hash", hash.bytes, HASH_SIZE);
	print_hex(out, "signer", key.bytes, KEY_SIZE);
}

static void print_certificate(FILE *out, const struct founding *founding, const char *name,
	const struct certificate *certificate)
{
	struct bytes bytes = founding_seal_certificate(founding, 0, certificate);
	char address[ADDRESS_TEXT_SIZE];

	begin(out, name, &bytes, &founding->admins[0]);
	address_print(&certificate->address, address);
	print_hex(out, "site", certificate->site.bytes, KEY_SIZE);
	print_number(out, "version", certificate->version);
	print_hex(out, "backbone", certificate->backbone.bytes, KEY_SIZE);
	print_hex(out, "links", certificate->links.bytes, KEY_SIZE);
	(void)fprintf(out, "name %s\naddress %s\n", certificate->name, address);
	print_prefixes(out, "subnets", &certificate->subnets);
	print_prefixes(out, "routes", &certificate->routes);
	print_names(out, "tags", &certificate->tags);
	print_number(out, "roles", certificate->roles);
	print_number(out, "since", certificate->since);
	print_number(out, "issued_at", certificate->issued_at);
	print_hex(out, "issuer", certificate->issuer.bytes, HASH_SIZE);
	print_number(out, "not_after", certificate->not_after);
}

static void print_record(
	FILE *out, const struct founding *founding, const char *name, const struct record *record)
{
	struct bytes bytes = founding_seal_record(founding, 1, record);
	struct secret signer = founding_site(1);

	begin(out, name, &bytes, &signer);
	print_hex(out, "site", record->site.bytes, KEY_SIZE);
	print_number(out, "sequence", record->sequence);
	print_number(out, "issued_at", record->issued_at);
	print_number(out, "lifetime", record->lifetime);
	print_number(out, "protocol", record->protocol);
	(void)fprintf(out, "program %s\n", record->program);
	print_number(out, "flags", record->flags);
	(void)fprintf(out, "nat %u %u %u %u\n", record->nat.mapping, record->nat.filtering,
		record->nat.allocation, record->nat.remapped);
	print_number(out, "roles", record->roles);
	(void)fputs("endpoints", out);
	for (uint32_t i = 0; i < record->endpoint_count; i++) {
		char text[ENDPOINT_TEXT_SIZE];

		endpoint_print(&record->endpoints[i], text);
		(void)fprintf(out, " %s", text);
	}
	(void)fputs("\nservices", out);
	for (uint32_t i = 0; i < record->service_count; i++)
		(void)fprintf(out, " %s/%u/%u", record->services[i].name,
			record->services[i].protocol, record->services[i].port);
	(void)fputs("\nlinks", out);
	for (uint32_t i = 0; i < record->link_count; i++) {
		(void)fputc(' ', out);
		for (size_t k = 0; k < ROW_ID_SIZE; k++)
			(void)fprintf(out, "%02x", record->links[i].peer.bytes[k]);
		(void)fprintf(out, "/%u", record->links[i].rtt);
	}
	(void)fputc('\n', out);
	if (key_is_zero(&record->admin))
		(void)fputs("admin\n", out);
	else
		print_hex(out, "admin", record->admin.bytes, KEY_SIZE);
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void print_certificates(FILE *out, const struct founding *founding)
{
	struct certificate certificate = founding_certificate(founding, 0, 1);

	print_certificate(out, founding, "certificate-plain", &certificate);
	certificate.version = 7;
	certificate.subnets = (struct prefixes){
		2, {prefix_of("10.100.1.0/24"), prefix_of("10.100.200.0/24")}};
	certificate.routes = (struct prefixes){
		2, {prefix_of("192.168.7.0/24"), prefix_of("2001:db8:7::/48")}};
	certificate.tags = (struct names){2, {"family", "gaming"}};
	certificate.roles = ROLE_HUB | ROLE_REFLECTOR;
	certificate.not_after = FOUNDING_NOW + 86400000;
	print_certificate(out, founding, "certificate-full", &certificate);
}

static void print_records(FILE *out, const struct founding *founding)
{
	struct record record = founding_record(1, FOUNDING_NOW);

	print_record(out, founding, "record-plain", &record);
	record.flags = RECORD_LEFT | RECORD_RELAY_ONLY;
	record.lifetime = RECORD_LEFT_LIFETIME_S;
	record.nat = (struct nat_class){3, 2, 1, 1};
	record.roles = ROLE_HUB;
	record.endpoint_count = 2;
	assert_int_equal(endpoint_parse("192.0.2.1:51821", &record.endpoints[0]), 0);
	assert_int_equal(endpoint_parse("[2001:db8::1]:51820", &record.endpoints[1]), 0);
	record.service_count = 2;
	record.services[0] = (struct service){"http", 6, 80};
	record.services[1] = (struct service){"minecraft", 17, 19132};
	record.link_count = 2;
	record.links[0] = (struct direct_link){{{1, 2, 3}}, 123};
	record.links[1] = (struct direct_link){{{4}}, 65535};
	record.admin = (struct key){{9}};
	print_record(out, founding, "record-full", &record);
}

static void print_authority(FILE *out, const struct founding *founding)
{
	struct delegation delegation = founding_delegation(founding, 0);
	struct secret subject = founding_site(9);
	struct hash subject_hash = founding_hash(&subject);
	struct hash admin_hash = founding_hash(&founding->admins[0]);
	struct hash removed_hash = founding_hash(&founding->admins[1]);
	struct hash kept[2] = {{{1}}, {{2}}};
	struct bytes bytes;

	delegation.within = (struct prefixes){1, {prefix_of("10.100.0.0/17")}};
	delegation.tags = (struct names){1, {"gaming"}};
	bytes = founding_seal_delegation(founding, &delegation);
	begin(out, "delegation", &bytes, &founding->root);
	print_hex(out, "admin", delegation.admin.bytes, KEY_SIZE);
	print_number(out, "version", delegation.version);
	(void)fprintf(out, "name %s\n", delegation.name);
	print_number(out, "grants", delegation.grants);
	print_prefixes(out, "within", &delegation.within);
	print_names(out, "tags", &delegation.tags);
	print_number(out, "issued_at", delegation.issued_at);
	print_number(out, "since", delegation.since);

	bytes = founding_revocation(founding, 0, 9);
	begin(out, "revocation", &bytes, &founding->admins[0]);
	print_hex(out, "subject", subject_hash.bytes, HASH_SIZE);
	print_number(out, "reason", REVOCATION_EXPELLED);
	print_hex(out, "issuer", admin_hash.bytes, HASH_SIZE);
	print_number(out, "issued_at", FOUNDING_NOW - 500);

	bytes = founding_removal(founding, 1, 0, kept, 2);
	begin(out, "removal", &bytes, &founding->root);
	print_hex(out, "subject", removed_hash.bytes, HASH_SIZE);
	print_number(out, "parts", 1);
	print_number(out, "part", 0);
	print_number(out, "issued_at", FOUNDING_NOW - 400);
	print_hex(out, "kept", kept, sizeof kept);
}

static void print_datagram(
	FILE *out, const struct founding *founding, const char *name, struct message *message)
{
	uint8_t bytes[MESSAGE_SIZE_MAX];
	size_t size;

	message->clock = FOUNDING_NOW;
	size = message_write(message, &founding->collective, bytes);
	(void)fprintf(out, "\nmessage %s\n", name);
	print_hex(out, "bytes", bytes, size);
	print_number(out, "type", message->type);
	print_number(out, "clock", message->clock);
	if (message->type == MESSAGE_HELLO || message->type == MESSAGE_SUMMARY) {
		print_number(out, "answer", message->answer);
		print_number(out, "facts", message->summary.facts);
		print_hex(out, "facts_hash", message->summary.facts_hash.bytes, HASH_SIZE);
		print_number(out, "revocations", message->summary.revocations);
		print_hex(out, "revocations_hash", message->summary.revocations_hash.bytes,
			HASH_SIZE);
	}
	if (message->type == MESSAGE_HELLO)
		print_number(out, "boot", message->boot);
	if (message->type == MESSAGE_DIGEST) {
		print_hex(out, "first", message->first.bytes, ROW_ID_SIZE);
		print_hex(out, "end", message->end.bytes, ROW_ID_SIZE);
		print_number(out, "out", message->out);
		print_hex(out, "range_hash", message->hash.bytes, HASH_SIZE);
	}
	if (message->type >= MESSAGE_DIGEST && message->type <= MESSAGE_IHAVE) {
		(void)fputs("rows", out);
		for (uint32_t i = 0; i < message->row_count; i++) {
			(void)fputc(' ', out);
			for (size_t k = 0; k < ROW_ID_SIZE; k++)
				(void)fprintf(out, "%02x", message->rows[i].id.bytes[k]);
			(void)fprintf(out, "/%" PRIu32 "/%" PRIu64, message->rows[i].version,
				message->rows[i].sequence);
		}
		(void)fputc('\n', out);
	}
	if (message->type == MESSAGE_DELTA)
		print_number(out, "fact_count", message->fact_count);
}

static void print_messages(FILE *out, const struct founding *founding)
{
	static struct message message;
	struct delegation delegation = founding_delegation(founding, 0);
	struct bytes fact = founding_seal_delegation(founding, &delegation);
	const struct row rows[2] = {{{{1, 2, 3, 4, 5, 6, 7, 8}}, 3, FOUNDING_NOW},
		{{{9}}, LEDGER_REVOKED_VERSION, 0xa1b2c3d4e5f6}};

	message = (struct message){
		.type = MESSAGE_HELLO, .boot = 123456789, .summary = {101, {{1}}, 2, {{2}}}};
	print_datagram(out, founding, "hello", &message);
	message.type = MESSAGE_SUMMARY;
	message.answer = true;
	print_datagram(out, founding, "summary", &message);
	message.row_count = 2;
	memcpy(message.rows, rows, sizeof rows);
	memset(message.end.bytes, 0xff, ROW_ID_SIZE);
	message.out = true;
	message.hash = (struct hash){{7}};
	message.type = MESSAGE_DIGEST;
	print_datagram(out, founding, "digest", &message);
	message.type = MESSAGE_WANT;
	print_datagram(out, founding, "want", &message);
	message.type = MESSAGE_IHAVE;
	print_datagram(out, founding, "ihave", &message);
	message.type = MESSAGE_DELTA;
	message.fact_count = 2;
	message.facts[0] = message.facts[1] = fact.bytes;
	message.fact_sizes[0] = message.fact_sizes[1] = fact.size;
	print_datagram(out, founding, "delta", &message);
}

static void begin_membership(FILE *out, const char *name, const uint8_t *bytes, size_t size)
{
	(void)fprintf(out, "\nmembership %s\n", name);
	print_hex(out, "bytes", bytes, size);
}

static void print_join(FILE *out, const struct founding *founding)
{
	struct secret site = founding_site(5);
	struct key site_key = secret_public(&site);
	const struct join_request request = {.invite = {{7}},
		.site = site_key,
		.backbone = {{1}},
		.links = {{2}},
		.clock = FOUNDING_NOW};
	const struct join_reply reply = {.status = JOIN_USED,
		.invite = {{7}},
		.site = site_key,
		.clock = FOUNDING_NOW,
		.name = "alex",
		.contact = ""};
	uint8_t bytes[JOIN_MESSAGE_MAX];

	begin_membership(out, "join-request", bytes,
		join_request_write(
			&request, &site, &founding->collective, founding->crypto, bytes));
	print_number(out, "type", 16);
	print_number(out, "clock", request.clock);
	print_hex(out, "invite", request.invite.bytes, HASH_SIZE);
	print_hex(out, "site", site_key.bytes, KEY_SIZE);
	print_hex(out, "backbone", request.backbone.bytes, KEY_SIZE);
	print_hex(out, "links", request.links.bytes, KEY_SIZE);
	print_hex(out, "signer", site_key.bytes, KEY_SIZE);
	begin_membership(
		out, "join-reply", bytes, join_reply_write(&reply, &founding->collective, bytes));
	print_number(out, "type", 17);
	print_number(out, "clock", reply.clock);
	print_hex(out, "invite", reply.invite.bytes, HASH_SIZE);
	print_hex(out, "site", site_key.bytes, KEY_SIZE);
	print_number(out, "status", JOIN_USED);
	(void)fputs("name alex\ncontact\n", out);
}

static void print_petition(FILE *out, const struct founding *founding)
{
	struct secret site = founding_site(1);
	struct key before = {{3}};
	struct key after;
	const struct petition petition = {.site = secret_public(&site),
		.version = 7,
		.backbone = {{1}},
		.links = {{2}},
		.routes = {1, {prefix_of("192.168.7.0/24")}},
		.clock = FOUNDING_NOW};
	uint8_t bytes[PETITION_SIZE_MAX];

	begin_membership(out, "petition", bytes,
		petition_write(&petition, &site, &founding->collective, founding->crypto, bytes));
	print_number(out, "type", 18);
	print_number(out, "clock", petition.clock);
	print_hex(out, "site", petition.site.bytes, KEY_SIZE);
	print_number(out, "version", petition.version);
	print_hex(out, "backbone", petition.backbone.bytes, KEY_SIZE);
	print_hex(out, "links", petition.links.bytes, KEY_SIZE);
	print_prefixes(out, "routes", &petition.routes);
	print_hex(out, "signer", petition.site.bytes, KEY_SIZE);
	preshared_next(&before, &petition.backbone, &after);
	(void)fputs("\npreshared next\n", out);
	print_hex(out, "before", before.bytes, KEY_SIZE);
	print_hex(out, "fresh", petition.backbone.bytes, KEY_SIZE);
	print_hex(out, "after", after.bytes, KEY_SIZE);
}

static void print_grant(FILE *out, const struct founding *founding)
{
	struct key hub_private = {{8, 1}};
	struct key hub_public;
	struct key admin = secret_public(&founding->admins[0]);
	struct hash issuer = founding_hash(&founding->admins[0]);
	const struct invitation invitation = {.id = {{7}},
		.approval = true,
		.join_number = 3,
		.peer = {{11}},
		.preshared_key = {{12}},
		.name = "alex",
		.reserved = prefix_of("10.100.9.0/24"),
		.routes = {1, {prefix_of("192.168.9.0/24")}},
		.tags = {1, {"gaming"}},
		.expires = FOUNDING_NOW + 86400000};
	const struct grant_answer answer = {.invite = {{7}}, .clock = FOUNDING_NOW, .why = "taken"};
	uint8_t bytes[GRANT_SIZE_MAX];
	struct prng prng;
	int size;

	prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){1});
	(void)crypto_scalarmult_base(hub_public.bytes, hub_private.bytes);
	size = grant_write(&invitation, FOUNDING_NOW, &hub_public, &founding->admins[0],
		&founding->collective, founding->crypto, &prng, bytes);
	assert_true(size > 0);
	begin_membership(out, "grant", bytes, (size_t)size);
	print_number(out, "type", 19);
	print_number(out, "clock", FOUNDING_NOW);
	print_hex(out, "issuer", issuer.bytes, HASH_SIZE);
	print_hex(out, "invite", invitation.id.bytes, HASH_SIZE);
	print_hex(out, "peer", invitation.peer.bytes, KEY_SIZE);
	print_number(out, "join_number", invitation.join_number);
	(void)fprintf(out, "name %s\n", invitation.name);
	print_prefixes(out, "reserved", &(struct prefixes){1, {invitation.reserved}});
	print_prefixes(out, "routes", &invitation.routes);
	print_names(out, "tags", &invitation.tags);
	print_number(out, "expires", invitation.expires);
	print_number(out, "approval", invitation.approval);
	print_hex(out, "signer", admin.bytes, KEY_SIZE);
	print_hex(out, "hub_private", hub_private.bytes, KEY_SIZE);
	print_hex(out, "preshared", invitation.preshared_key.bytes, KEY_SIZE);
	begin_membership(out, "grant-answer", bytes,
		grant_answer_write(&answer, &founding->collective, bytes));
	print_number(out, "type", 20);
	print_number(out, "clock", FOUNDING_NOW);
	print_hex(out, "invite", answer.invite.bytes, HASH_SIZE);
	(void)fprintf(out, "why %s\n", answer.why);
}

static void print_invite(FILE *out)
{
	const struct invite invite = {.root = {{1}},
		.supernet = prefix_of("10.100.0.0/16"),
		.hub_address = address_ipv4(0x0a640101),
		.hub_length = 24,
		.hub_key = {{2}},
		.endpoint_count = 2,
		.endpoints = {{"hub.example.org", 51821}, {"2001:db8::1", 51822}},
		.join_number = 7,
		.reserved = prefix_of("10.100.3.0/24"),
		.expires = 1790000000,
		.approval = true,
		.secret = {{3}}};
	char text[INVITE_TEXT_SIZE];
	struct invite_keys keys;

	assert_true(invite_write(&invite, text) > 0);
	invite_derive(&invite.secret, &keys);
	(void)fprintf(out, "\ninvite sample\ntext %s\n", text);
	print_hex(out, "root", invite.root.bytes, KEY_SIZE);
	(void)fputs("supernet 10.100.0.0/16\nhub 10.100.1.1/24\n", out);
	print_hex(out, "hub_key", invite.hub_key.bytes, KEY_SIZE);
	(void)fputs("join_address 169.254.77.7\nreserved 10.100.3.0/24\n", out);
	print_number(out, "expires", invite.expires);
	print_number(out, "approval", invite.approval);
	(void)fputs("endpoints hub.example.org/51821 2001:db8::1/51822\n", out);
	print_hex(out, "secret", invite.secret.bytes, KEY_SIZE);
	print_hex(out, "private", keys.private_key.bytes, KEY_SIZE);
	print_hex(out, "preshared", keys.preshared_key.bytes, KEY_SIZE);
	print_hex(out, "id", keys.id.bytes, HASH_SIZE);
}

void vectors_print(FILE *out)
{
	struct founding founding;

	founding_init(&founding, &crypto_real, 16);
	(void)fputs(
		"# Examples for docs/PROTOCOL.md: what each line says is in the bytes above it.\n",
		out);
	print_hex(out, "root", founding.options.root.bytes, KEY_SIZE);
	print_hex(out, "collective", founding.collective.bytes, HASH_SIZE);
	print_authority(out, &founding);
	print_certificates(out, &founding);
	print_records(out, &founding);
	print_messages(out, &founding);
	print_invite(out);
	print_join(out, &founding);
	print_petition(out, &founding);
	print_grant(out, &founding);
}

/* SPDX-License-Identifier: MIT */
#include "gossip/petition.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "gossip/envelope.h"

#define ITEMS (ENVELOPE_HEAD + 6)

static const char tag[] = "collective petition 1";

size_t petition_write(const struct petition *petition, const struct secret *site,
	const struct hash *collective, const struct crypto *crypto,
	uint8_t out[static PETITION_SIZE_MAX])
{
	struct wire_writer writer;
	int size;

	envelope_begin(&writer, out, PETITION_SIZE_MAX, ENVELOPE_PETITION, ITEMS, collective,
		petition->clock);
	field_write_key(&writer, &petition->site);
	wire_write_uint(&writer, petition->version);
	field_write_key(&writer, &petition->backbone);
	field_write_key(&writer, &petition->links);
	field_write_prefixes(&writer, &petition->routes);
	size = envelope_sign(&writer, tag, site, collective, crypto);
	assert(size > 0);
	return (size_t)size;
}

int petition_read(struct petition *ret, const struct hash *collective, const struct crypto *crypto,
	const void *bytes, size_t size)
{
	struct petition petition = {0};
	struct envelope envelope;
	struct wire_reader *reader = &envelope.reader;
	int r = envelope_open(&envelope, ENVELOPE_PETITION, ITEMS, collective, bytes, size);

	if (r < 0)
		return r;
	petition.clock = envelope.clock;
	field_read_key(reader, &petition.site);
	petition.version = (uint32_t)wire_read_uint(reader, CERTIFICATE_VERSION_MAX - 1);
	field_read_key(reader, &petition.backbone);
	field_read_key(reader, &petition.links);
	field_read_prefixes(reader, &petition.routes);
	envelope_read_signature(&envelope);
	if (envelope_end(&envelope) < 0 || key_equal(&petition.backbone, &petition.links))
		return -EBADMSG;
	if (!envelope_verify(&envelope, tag, &petition.site, collective, crypto))
		return -EKEYREJECTED;
	*ret = petition;
	return 0;
}

static bool asks_for(const struct petition *petition, const struct certificate *certificate)
{
	return key_equal(&petition->backbone, &certificate->backbone) &&
	       key_equal(&petition->links, &certificate->links) &&
	       prefixes_equal(&petition->routes, &certificate->routes);
}

enum petition_result petition_answer(struct ledger *ledger, uint64_t now,
	const struct petition *petition, const struct petition_terms *terms,
	uint8_t fact[static FACT_SIZE_MAX], struct ledger_outcome *outcome)
{
	const struct member *member = ledger_find_site(ledger, &petition->site);
	struct key admin = secret_public(terms->admin);
	struct certificate held;
	struct certificate next;
	struct row_id rival;
	int size;

	if (!member)
		return PETITION_STRANGER;
	ledger_certificate(ledger, member, &held);
	if (held.version == petition->version + 1 && asks_for(petition, &held))
		return PETITION_DONE;
	if (held.version != petition->version)
		return PETITION_STALE;
	/* What changes nothing is no reason for a new certificate, unless the old one nears its
	 * end. */
	if (asks_for(petition, &held) && (held.not_after == 0 || now < petition_renewal(&held)))
		return PETITION_DONE;
	if (!prefixes_equal(&petition->routes, &held.routes) && !terms->routes_approved)
		return PETITION_APPROVAL;
	next = held;
	next.version++;
	next.backbone = petition->backbone;
	next.links = petition->links;
	next.routes = petition->routes;
	next.issued_at = now > held.issued_at ? now : held.issued_at;
	next.issuer = hash_of(admin.bytes, KEY_SIZE);
	if (held.not_after > 0)
		next.not_after = now + (terms->lifetime_ms ? terms->lifetime_ms
							   : held.not_after - held.issued_at);
	if (ledger_rivalry_of(ledger, &next, &member->id, &rival))
		return PETITION_TAKEN;
	size = certificate_seal(
		&next, fact, terms->admin, &ledger->collective, ledger->options.crypto);
	if (size < 0)
		return PETITION_REFUSED;
	*outcome = ledger_offer(ledger, now, fact, (size_t)size, true);
	return outcome->verdict == VERDICT_NEW ? PETITION_GRANTED : PETITION_REFUSED;
}

const char *petition_text(enum petition_result result)
{
	switch (result) {
	case PETITION_GRANTED:
	case PETITION_DONE:
		return "granted";
	case PETITION_STALE:
		return "the certificate has changed meanwhile: ask again";
	case PETITION_STRANGER:
		return "this site is no member";
	case PETITION_TAKEN:
		return "another member has one of these keys or networks";
	case PETITION_APPROVAL:
		return "an admin has to approve the other networks";
	case PETITION_REFUSED:
		return "this is more than the admin may grant";
	}
	return "unknown";
}

uint64_t petition_renewal(const struct certificate *certificate)
{
	uint64_t life;

	if (certificate->not_after == 0)
		return 0;
	if (certificate->not_after <= certificate->issued_at)
		return certificate->issued_at;
	life = certificate->not_after - certificate->issued_at;
	return certificate->not_after - life / 3;
}

void preshared_next(const struct key *before, const struct key *fresh, struct key *ret)
{
	static const char purpose[] = "collective preshared key 2";
	uint8_t message[sizeof purpose + KEY_SIZE];
	uint8_t mask[KEY_SIZE];

	memcpy(message, purpose, sizeof purpose);
	memcpy(message + sizeof purpose, fresh->bytes, KEY_SIZE);
	(void)crypto_generichash(mask, KEY_SIZE, message, sizeof message, NULL, 0);
	for (size_t i = 0; i < KEY_SIZE; i++)
		ret->bytes[i] = before->bytes[i] ^ mask[i];
}

void rotation_init(struct rotation *rotation)
{
	*rotation = (struct rotation){.state = ROTATION_IDLE, .next = USEC_NEVER};
}

void rotation_begin(struct rotation *rotation, usec_t now)
{
	*rotation = (struct rotation){
		.state = ROTATION_ASKING, .next = now, .pause = ROTATION_ASK_FIRST};
}

static struct rotation_action step_asking(struct rotation *rotation, usec_t now, bool certified)
{
	if (certified) {
		rotation->state = ROTATION_SWITCHED;
		rotation->next = now + ROTATION_PROOF;
		return (struct rotation_action){.use_new = true};
	}
	if (rotation->next > now)
		return (struct rotation_action){0};
	rotation->asked++;
	rotation->next = now + rotation->pause;
	rotation->pause = usec_min(2 * rotation->pause, ROTATION_ASK_MOST);
	return (struct rotation_action){.ask = true};
}

static struct rotation_action step_switched(struct rotation *rotation, usec_t now, bool heard)
{
	if (heard) {
		rotation_init(rotation);
		return (struct rotation_action){.promote = true};
	}
	if (rotation->next > now)
		return (struct rotation_action){0};
	/* The other side does not have it yet: the old key still works there. */
	rotation->state = ROTATION_ASKING;
	rotation->pause = ROTATION_ASK_MOST;
	rotation->next = now + rotation->pause;
	return (struct rotation_action){.use_old = true};
}

struct rotation_action rotation_step(
	struct rotation *rotation, usec_t now, bool certified, bool silent, bool heard)
{
	switch (rotation->state) {
	case ROTATION_ASKING:
		certified = certified || (silent && rotation->asked > 0);
		/* After going back to the old key there is a pause before the new one is tried
		 * again. */
		if (certified && rotation->pause == ROTATION_ASK_MOST && rotation->next > now)
			return (struct rotation_action){0};
		return step_asking(rotation, now, certified);
	case ROTATION_SWITCHED:
		return step_switched(rotation, now, heard);
	case ROTATION_IDLE:
	default:
		return (struct rotation_action){0};
	}
}

usec_t rotation_wakeup(const struct rotation *rotation)
{
	return rotation->next;
}

/* SPDX-License-Identifier: MIT */
/*
 * ledger_index.c - who has which name, key, address and prefix.
 *
 * While nobody meets anybody, a certificate costs a few look-ups. Where rivals are, everything is
 * put into force anew in the order of age: rare, and the same everywhere.
 */
#include <assert.h>
#include <string.h>

#include "gossip/ledger_internal.h"

enum claim_type { CLAIM_NAME = 1, CLAIM_KEY, CLAIM_ADDRESS, CLAIM_TYPES };

#define CLAIMS_MAX 4 /* of one member: name, two keys, address */

struct claims {
	size_t count;
	struct claim items[CLAIMS_MAX];
	enum claim_type types[CLAIMS_MAX];
};

/* The type stands first, so that nobody's key is another's address. */
static void add_claim(struct claims *claims, enum claim_type type, const uint8_t *bytes)
{
	struct claim *claim = &claims->items[claims->count];

	assert(claims->count < CLAIMS_MAX);
	claim->digest[0] = (uint8_t)type;
	memcpy(claim->digest + 1, bytes, CLAIM_SIZE - 1);
	claims->types[claims->count++] = type;
}

/* Keys are as random as their hashes, and addresses of the old kind short enough. */
static void add_address(struct claims *claims, const struct address *address)
{
	uint8_t bytes[CLAIM_SIZE] = {0};
	struct hash hash;

	if (address->family == ADDRESS_IPV4) {
		memcpy(bytes, address->bytes, 4);
	} else {
		hash = hash_of(address, sizeof *address);
		memcpy(bytes, hash.bytes, sizeof bytes);
	}
	add_claim(claims, CLAIM_ADDRESS, bytes);
}

static void claims_of(const struct certificate *certificate, struct claims *claims)
{
	const struct hash name = hash_of(certificate->name, strlen(certificate->name));

	claims->count = 0;
	add_claim(claims, CLAIM_NAME, name.bytes);
	add_claim(claims, CLAIM_KEY, certificate->backbone.bytes);
	add_claim(claims, CLAIM_KEY, certificate->links.bytes);
	add_address(claims, &certificate->address);
}

bool index_doubles(const struct certificate *certificate)
{
	if (memcmp(certificate->backbone.bytes, certificate->links.bytes, CLAIM_SIZE - 1) == 0)
		return true;
	for (uint32_t i = 0; i < certificate->subnets.count; i++) {
		for (uint32_t k = 0; k < certificate->routes.count; k++) {
			if (prefix_overlaps(
				    &certificate->subnets.items[i], &certificate->routes.items[k]))
				return true;
		}
	}
	return false;
}

const struct row_id *index_address(const struct ledger *ledger, const struct address *address)
{
	struct claims claims = {.count = 0};
	const struct claim *taken;

	add_address(&claims, address);
	taken = table_find(&ledger->claims, claims.items[0].digest);
	return taken ? &taken->owner : NULL;
}

static void prefix_key(const struct prefix *prefix, uint8_t out[static 18])
{
	out[0] = prefix->address.family;
	memcpy(out + 1, prefix->address.bytes, 16);
	out[17] = prefix->length;
}

static struct prefix key_prefix(const struct prefix_claim *claim)
{
	struct prefix prefix = {.address.family = claim->key[0], .length = claim->key[17]};

	memcpy(prefix.address.bytes, claim->key + 1, 16);
	return prefix;
}

struct prefix ledger_prefix(const struct ledger *ledger, uint32_t place, struct row_id *owner)
{
	const struct prefix_claim *claim = table_at(&ledger->prefixes, place);

	*owner = claim->owner;
	return key_prefix(claim);
}

static bool is_self(const struct row_id *owner, const struct row_id *self)
{
	return self && memcmp(owner->bytes, self->bytes, ROW_ID_SIZE) == 0;
}

/* The owner, other than self, of a prefix in force that overlaps; NULL: none. */
static const struct row_id *overlapping(
	const struct ledger *ledger, const struct prefix *prefix, const struct row_id *self)
{
	const struct table *table = &ledger->prefixes;
	const struct prefix_claim *claim;
	struct prefix taken;
	uint8_t key[18];
	uint32_t at;

	/* None of those in force overlap each other: the one before can hold it, those behind it.
	 */
	prefix_key(prefix, key);
	at = table_lower_bound(table, key);
	for (uint32_t i = at > 0 ? at - 1 : 0; i < table->count; i++) {
		claim = table_at(table, i);
		taken = key_prefix(claim);
		if (!prefix_overlaps(&taken, prefix)) {
			if (i >= at)
				break;
			continue;
		}
		if (!is_self(&claim->owner, self))
			return &claim->owner;
	}
	return NULL;
}

uint32_t ledger_prefix_behind(const struct ledger *ledger, const struct prefix *network)
{
	uint8_t key[18];

	prefix_key(network, key);
	/* Its last address, and longer than any prefix. */
	for (unsigned bit = network->length; bit < (key[0] == ADDRESS_IPV4 ? 32 : 128); bit++)
		key[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	key[17] = UINT8_MAX;
	return table_lower_bound(&ledger->prefixes, key);
}

bool ledger_prefix_taken(const struct ledger *ledger, const struct prefix *prefix)
{
	return overlapping(ledger, prefix, NULL) != NULL;
}

static const char *meeting_prefixes(const struct ledger *ledger, const struct prefixes *prefixes,
	const struct row_id *self, struct row_id *rival)
{
	for (uint32_t i = 0; i < prefixes->count; i++) {
		const struct row_id *owner = overlapping(ledger, &prefixes->items[i], self);

		if (owner) {
			*rival = *owner;
			return "a network of a member";
		}
	}
	return NULL;
}

const char *index_meeting(const struct ledger *ledger, const struct certificate *certificate,
	const struct row_id *self, struct row_id *rival)
{
	static const char *const names[CLAIM_TYPES] = {
		[CLAIM_NAME] = "the name of a member",
		[CLAIM_KEY] = "a WireGuard key of a member",
		[CLAIM_ADDRESS] = "the address of a member",
	};
	struct claims claims;
	const char *what;

	claims_of(certificate, &claims);
	for (size_t i = 0; i < claims.count; i++) {
		const struct claim *taken = table_find(&ledger->claims, claims.items[i].digest);

		if (taken && !is_self(&taken->owner, self)) {
			*rival = taken->owner;
			return names[claims.types[i]];
		}
	}
	what = meeting_prefixes(ledger, &certificate->subnets, self, rival);
	return what ? what : meeting_prefixes(ledger, &certificate->routes, self, rival);
}

static bool has_room(const struct ledger *ledger, const struct certificate *certificate)
{
	uint32_t prefixes = certificate->subnets.count + certificate->routes.count;

	return ledger->claims.capacity - ledger->claims.count >= CLAIMS_MAX &&
	       ledger->prefixes.capacity - ledger->prefixes.count >= prefixes;
}

static void take_prefixes(
	struct ledger *ledger, const struct prefixes *prefixes, struct row_id owner)
{
	for (uint32_t i = 0; i < prefixes->count; i++) {
		struct prefix_claim *claim;
		uint8_t key[18];

		prefix_key(&prefixes->items[i], key);
		claim = table_add(&ledger->prefixes, key);
		assert(claim);
		claim->owner = owner;
	}
}

static void take(
	struct ledger *ledger, struct member *member, const struct certificate *certificate)
{
	struct claims claims;

	claims_of(certificate, &claims);
	for (size_t i = 0; i < claims.count; i++) {
		struct claim *claim = table_add(&ledger->claims, claims.items[i].digest);

		assert(claim);
		claim->owner = member->id;
	}
	take_prefixes(ledger, &certificate->subnets, member->id);
	take_prefixes(ledger, &certificate->routes, member->id);
	member->in_force = true;
}

static void remove_key(struct table *table, const void *key)
{
	uint32_t at = table_lower_bound(table, key);

	assert(table_find(table, key));
	table_remove(table, at);
}

static void give_prefixes(struct ledger *ledger, const struct prefixes *prefixes)
{
	for (uint32_t i = 0; i < prefixes->count; i++) {
		uint8_t key[18];

		prefix_key(&prefixes->items[i], key);
		remove_key(&ledger->prefixes, key);
	}
}

void index_withdraw(
	struct ledger *ledger, struct member *member, const struct certificate *certificate)
{
	struct claims claims;

	if (!member->in_force) {
		ledger->rivals--;
		return;
	}
	claims_of(certificate, &claims);
	for (size_t i = 0; i < claims.count; i++)
		remove_key(&ledger->claims, claims.items[i].digest);
	give_prefixes(ledger, &certificate->subnets);
	give_prefixes(ledger, &certificate->routes);
	member->in_force = false;
}

/* Whether the member at place a is older than the one at place b. */
static bool is_elder(const struct ledger *ledger, uint32_t a, uint32_t b)
{
	const struct member *x = table_at(&ledger->members, a);
	const struct member *y = table_at(&ledger->members, b);

	if (x->limited != y->limited)
		return y->limited;
	if (x->since != y->since)
		return x->since < y->since;
	return hash_compare(&x->site, &y->site) < 0;
}

/* Lets an item of the heap sink below those that are younger. */
static void sink(struct ledger *ledger, uint32_t at, uint32_t count)
{
	uint32_t *order = ledger->seniority;

	for (;;) {
		uint32_t child = 2 * at + 1;
		uint32_t moved = order[at];

		if (child >= count)
			return;
		if (child + 1 < count && is_elder(ledger, order[child], order[child + 1]))
			child++;
		if (!is_elder(ledger, moved, order[child]))
			return;
		order[at] = order[child];
		order[child] = moved;
		at = child;
	}
}

/* Sorts all members by age, in place and without recursion. */
static void sort_by_age(struct ledger *ledger)
{
	uint32_t *order = ledger->seniority;
	uint32_t count = ledger->members.count;

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count / 2; i > 0; i--)
		sink(ledger, i - 1, count);
	for (uint32_t left = count; left > 1; left--) {
		uint32_t youngest = order[0];

		order[0] = order[left - 1];
		order[left - 1] = youngest;
		sink(ledger, 0, left - 1);
	}
}

void index_settle(struct ledger *ledger)
{
	struct row_id rival;

	ledger->generation++;
	if (ledger->rivals == 0)
		return;
	while (ledger->claims.count > 0)
		table_remove(&ledger->claims, ledger->claims.count - 1);
	while (ledger->prefixes.count > 0)
		table_remove(&ledger->prefixes, ledger->prefixes.count - 1);
	ledger->rivals = 0;
	sort_by_age(ledger);
	for (uint32_t i = 0; i < ledger->members.count; i++) {
		struct member *member = table_at(&ledger->members, ledger->seniority[i]);
		struct certificate certificate;

		ledger_certificate(ledger, member, &certificate);
		member->in_force = false;
		if (has_room(ledger, &certificate) &&
			!index_meeting(ledger, &certificate, NULL, &rival))
			take(ledger, member, &certificate);
		else
			ledger->rivals++;
	}
}

void index_admit(
	struct ledger *ledger, struct member *member, const struct certificate *certificate)
{
	struct row_id rival;

	member->in_force = false;
	if (has_room(ledger, certificate) && !index_meeting(ledger, certificate, NULL, &rival))
		take(ledger, member, certificate);
	else
		ledger->rivals++;
	index_settle(ledger);
}

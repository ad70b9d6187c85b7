/* SPDX-License-Identifier: MIT */
#include "nat/candidate.h"

#include <assert.h>
#include <string.h>

/* Addresses of homes. A provider's 100.64.0.0/10 is both: it is shared by many homes. */
static const struct prefix homes[] = {
	{{ADDRESS_IPV4, {10}}, 8},
	{{ADDRESS_IPV4, {172, 16}}, 12},
	{{ADDRESS_IPV4, {192, 168}}, 16},
	{{ADDRESS_IPV6, {0xfc}}, 7},
};
static const struct prefix shared = {{ADDRESS_IPV4, {100, 64}}, 10};
static const struct prefix global_ipv6 = {{ADDRESS_IPV6, {0x20}}, 3};

static bool is_home(const struct address *address)
{
	for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
		if (prefix_has_address(&homes[i], address))
			return true;
	}
	return false;
}

bool candidate_is_public(const struct address *address)
{
	const struct prefix host = {*address, (uint8_t)address_bits(address)};

	return address->family != ADDRESS_NONE && prefix_reserved(&host) == NULL &&
	       !is_home(address) && !prefix_has_address(&shared, address);
}

/* Whether such an address can be of this kind. */
static bool is_misplaced(const struct candidate *candidate)
{
	const struct address *address = &candidate->endpoint.address;

	if (candidate->kind == CANDIDATE_LAN)
		return candidate_is_public(address);
	if (candidate->kind == CANDIDATE_IPV6)
		return !prefix_has_address(&global_ipv6, address);
	return is_home(address);
}

static bool is_sense(const struct candidate *candidate)
{
	uint8_t family = candidate->endpoint.address.family;

	return candidate->kind >= CANDIDATE_LAN && candidate->kind <= CANDIDATE_PREDICTED &&
	       candidate->endpoint.port != 0 && (family == ADDRESS_IPV4 || family == ADDRESS_IPV6);
}

/* What the address alone says. */
static enum candidate_verdict judge(
	const struct candidate *candidate, const struct candidate_barrier *barriers, uint32_t count)
{
	const struct address *address = &candidate->endpoint.address;
	struct prefix host = {*address, (uint8_t)address_bits(address)};

	if (!is_sense(candidate))
		return CANDIDATE_NONSENSE;
	if (prefix_reserved(&host) != NULL)
		return CANDIDATE_RESERVED;
	for (uint32_t i = 0; i < count; i++) {
		if (prefix_has_address(&barriers[i].prefix, address))
			return barriers[i].why;
	}
	return is_misplaced(candidate) ? CANDIDATE_MISPLACED : CANDIDATE_TAKEN;
}

void candidates_init(struct candidates *candidates)
{
	*candidates = (struct candidates){0};
}

static void take_out(struct candidates *candidates, uint32_t index)
{
	struct candidate *at = &candidates->items[index];

	assert(index < candidates->count);
	candidates->count--;
	memmove(at, at + 1, (candidates->count - index) * sizeof *at);
}

/* Behind all of its kind. */
static void put_in(struct candidates *candidates, const struct candidate *candidate)
{
	uint32_t at = candidates->count;

	assert(candidates->count < CANDIDATES_MAX);
	while (at > 0 && candidates->items[at - 1].kind > candidate->kind)
		at--;
	memmove(&candidates->items[at + 1], &candidates->items[at],
		(candidates->count - at) * sizeof *candidate);
	candidates->items[at] = *candidate;
	candidates->count++;
}

/*
 * Makes room for one of this kind: of the kinds that are there more than once, with the new one
 * counted, the least likely gives its last. Returns false where that is the new one itself.
 */
static bool make_room(struct candidates *candidates, enum candidate_kind kind)
{
	uint32_t counts[CANDIDATE_PREDICTED + 1] = {0};
	uint32_t least = CANDIDATE_PREDICTED;
	uint32_t at = candidates->count - 1;

	counts[kind]++;
	for (uint32_t i = 0; i < candidates->count; i++)
		counts[candidates->items[i].kind]++;
	/* Nine of seven kinds: one is there twice. */
	while (counts[least] < 2)
		least--;
	assert(least >= CANDIDATE_LAN);
	if (least == kind)
		return false;
	/* There are two, or one beside the newcomer. */
	while (at > 0 && candidates->items[at].kind != least)
		at--;
	take_out(candidates, at);
	return true;
}

/* The same place is kept as the likelier kind. Returns whether it was there. */
static bool replace(struct candidates *candidates, const struct candidate *candidate)
{
	for (uint32_t i = 0; i < candidates->count; i++) {
		if (!endpoint_equal(&candidates->items[i].endpoint, &candidate->endpoint))
			continue;
		if (candidate->kind < candidates->items[i].kind) {
			take_out(candidates, i);
			put_in(candidates, candidate);
		}
		return true;
	}
	return false;
}

enum candidate_verdict candidates_add(struct candidates *candidates,
	const struct candidate *candidate, const struct candidate_barrier *barriers, uint32_t count)
{
	enum candidate_verdict verdict = judge(candidate, barriers, count);

	if (verdict != CANDIDATE_TAKEN)
		return verdict;
	if (replace(candidates, candidate))
		return CANDIDATE_DUPLICATE;
	if (candidates->count == CANDIDATES_MAX && !make_room(candidates, candidate->kind))
		return CANDIDATE_CUT;
	put_in(candidates, candidate);
	return CANDIDATE_TAKEN;
}

static bool has_receipt_at(const struct candidate_proof *proof, const struct address *address)
{
	for (uint32_t i = 0; i < proof->receipt_count && i < CANDIDATE_RECEIPTS_MAX; i++) {
		if (address_equal(&proof->receipts[i].address, address))
			return true;
	}
	return false;
}

bool candidate_same_home(const struct candidate_proof *ours, const struct candidate_proof *theirs)
{
	for (uint32_t i = 0; i < ours->receipt_count && i < CANDIDATE_RECEIPTS_MAX; i++) {
		const struct address *address = &ours->receipts[i].address;

		if (candidate_is_public(address) && has_receipt_at(theirs, address))
			return true;
	}
	return false;
}

uint32_t candidate_budget(
	const struct candidate *candidate, const struct candidate_proof *theirs, bool same_home)
{
	if (candidate->kind == CANDIDATE_LAN)
		return same_home ? CANDIDATE_BUDGET : 0;
	if (has_receipt_at(theirs, &candidate->endpoint.address))
		return CANDIDATE_BUDGET;
	for (uint32_t i = 0; i < theirs->certified_count; i++) {
		if (endpoint_equal(&theirs->certified[i], &candidate->endpoint))
			return CANDIDATE_BUDGET;
	}
	return CANDIDATE_BUDGET_UNPROVEN;
}

const char *candidate_word(enum candidate_verdict verdict)
{
	static const char *const words[] = {
		[CANDIDATE_TAKEN] = "",
		[CANDIDATE_NONSENSE] = "it is no place at all",
		[CANDIDATE_RESERVED] = "nobody can be met at such an address",
		[CANDIDATE_MISPLACED] = "such an address does not belong there",
		[CANDIDATE_OVERLAY] = "it would lead through the tunnel",
		[CANDIDATE_ISOLATED] = "that network is kept apart here",
		[CANDIDATE_CONTAINERS] = "it is a bridge of containers",
		[CANDIDATE_DUPLICATE] = "it is there already",
		[CANDIDATE_CUT] = "others are likelier",
	};

	return words[verdict];
}

/* SPDX-License-Identifier: MIT */
/*
 * prefix.h - networks: 10.100.3.0/24, 2001:db8::/32.
 *
 * A prefix that was read is canonical: the bits behind its length are zero.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define PREFIX_TEXT_SIZE (ADDRESS_TEXT_SIZE + 4)

struct prefix {
	struct address address;
	uint8_t length;
};

/* The prefix with the bits behind its length set to zero. */
struct prefix prefix_canonical(const struct prefix *prefix);

/*
 * Reads ADDRESS/LENGTH. Returns 0; -EINVAL when that is not its form; -ERANGE when the length is
 * greater than the family allows; -EDOM when bits behind the length are set. With -EDOM, and only
 * then, out receives the canonical prefix, to be suggested.
 */
int prefix_parse(const char *text, struct prefix *out);

/* Writes the one text form. */
void prefix_print(const struct prefix *prefix, char out[static PREFIX_TEXT_SIZE]);

bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* A total order: by address, then the wider first. Negative, 0 or positive. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

/* Whether the address is inside. Families never mix. */
bool prefix_has_address(const struct prefix *prefix, const struct address *address);

/* Whether inner is outer or a part of it. */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);

/* Whether some address is in both. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/*
 * Why no site may claim this prefix: "loopback", "link-local", "multicast", "reserved", "the whole
 * internet" and the like. NULL where one may.
 */
const char *prefix_reserved(const struct prefix *prefix);

/* SPDX-License-Identifier: MIT */
#include "base/prefix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct prefix prefix_canonical(const struct prefix *prefix)
{
	struct prefix result = *prefix;
	size_t whole = prefix->length / 8;
	unsigned rest = prefix->length % 8;

	if (whole >= sizeof result.address.bytes)
		return result;
	result.address.bytes[whole] &= (uint8_t)(0xff00u >> rest);
	memset(result.address.bytes + whole + 1, 0, sizeof result.address.bytes - whole - 1);
	return result;
}

/* Reads up to three digits without leading zero that are the rest of the text. */
static int parse_length(const char *text, unsigned *out)
{
	size_t count = strlen(text);
	unsigned value = 0;

	if (count < 1 || count > 3 || (text[0] == '0' && count > 1))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*out = value;
	return 0;
}

int prefix_parse(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	struct prefix prefix;
	unsigned length;

	if (!slash || address_parse(text, (size_t)(slash - text), &prefix.address) < 0)
		return -EINVAL;
	if (parse_length(slash + 1, &length) < 0)
		return -EINVAL;
	if (length > address_bits(&prefix.address))
		return -ERANGE;
	prefix.length = (uint8_t)length;
	*out = prefix_canonical(&prefix);
	return prefix_equal(out, &prefix) ? 0 : -EDOM;
}

void prefix_print(const struct prefix *prefix, char out[static PREFIX_TEXT_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	address_print(&prefix->address, address);
	(void)snprintf(out, PREFIX_TEXT_SIZE, "%s/%u", address, prefix->length);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return prefix_compare(a, b) == 0;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = address_compare(&a->address, &b->address);

	return order ? order : a->length - b->length;
}

bool prefix_has_address(const struct prefix *prefix, const struct address *address)
{
	struct prefix cut = {*address, prefix->length};

	if (prefix->address.family != address->family)
		return false;
	cut = prefix_canonical(&cut);
	return address_equal(&cut.address, &prefix->address);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	return outer->length <= inner->length && prefix_has_address(outer, &inner->address);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, b) || prefix_contains(b, a);
}

const char *prefix_reserved(const struct prefix *prefix)
{
	static const struct {
		struct prefix prefix;
		const char *name;
	} rows[] = {
		{{{ADDRESS_IPV4, {0}}, 8}, "no network of hosts"},
		{{{ADDRESS_IPV4, {127}}, 8}, "loopback"},
		{{{ADDRESS_IPV4, {169, 254}}, 16}, "link-local"},
		{{{ADDRESS_IPV4, {224}}, 4}, "multicast"},
		{{{ADDRESS_IPV4, {240}}, 4}, "reserved"},
		{{{ADDRESS_IPV6, {0}}, 128}, "the unspecified address"},
		{{{ADDRESS_IPV6, {[15] = 1}}, 128}, "loopback"},
		{{{ADDRESS_IPV6, {0xfe, 0x80}}, 10}, "link-local"},
		{{{ADDRESS_IPV6, {0xff}}, 8}, "multicast"},
	};

	if (prefix->length == 0)
		return "the whole internet";
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (prefix_overlaps(&rows[i].prefix, prefix))
			return rows[i].name;
	}
	return NULL;
}

/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GROUPS 8 /* of 16 bits, in an IPv6 address */

/* A place in text that is not NUL-terminated. */
struct cursor {
	const char *at;
	const char *end;
};

struct address address_ipv4(uint32_t number)
{
	struct address address = {.family = ADDRESS_IPV4};

	for (unsigned i = 0; i < 4; i++)
		address.bytes[i] = (uint8_t)(number >> (24 - 8 * i));
	return address;
}

size_t address_size(const struct address *address)
{
	return address_bits(address) / 8;
}

unsigned address_bits(const struct address *address)
{
	switch (address->family) {
	case ADDRESS_IPV4:
		return 32;
	case ADDRESS_IPV6:
		return 128;
	default:
		return 0;
	}
}

bool address_equal(const struct address *a, const struct address *b)
{
	return address_compare(a, b) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static bool at_char(const struct cursor *cursor, char c)
{
	return cursor->at < cursor->end && *cursor->at == c;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads 1 to most digits of a base. Returns the number, or -EINVAL. */
static int read_number(struct cursor *cursor, int base, int most)
{
	int value = 0;
	int count = 0;

	while (cursor->at < cursor->end) {
		int digit = digit_value(*cursor->at);

		if (digit < 0 || digit >= base)
			break;
		if (++count > most)
			return -EINVAL;
		value = value * base + digit;
		cursor->at++;
	}
	return count > 0 ? value : -EINVAL;
}

static int read_ipv4(struct cursor *cursor, uint8_t out[static 4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0) {
			if (!at_char(cursor, '.'))
				return -EINVAL;
			cursor->at++;
		}

		const char *start = cursor->at;
		int value = read_number(cursor, 10, 3);

		/* A leading zero means octal to some readers: such text has no one meaning. */
		if (value < 0 || value > 255 || (*start == '0' && cursor->at - start > 1))
			return -EINVAL;
		out[i] = (uint8_t)value;
	}
	return 0;
}

/* The groups of an IPv6 address as they are read; gap is where "::" stood, or -1. */
struct ipv6_parts {
	uint16_t groups[GROUPS];
	int count;
	int gap;
};

/* Reads one group, or a dotted decimal tail that counts as two. Returns 1 at a tail, 0, -EINVAL. */
static int read_group(struct cursor *cursor, struct ipv6_parts *parts)
{
	struct cursor ahead = *cursor;
	uint8_t tail[4];
	int value = read_number(&ahead, 16, 4);

	if (value >= 0 && !at_char(&ahead, '.')) {
		if (parts->count >= GROUPS)
			return -EINVAL;
		parts->groups[parts->count++] = (uint16_t)value;
		*cursor = ahead;
		return 0;
	}
	if (parts->count > GROUPS - 2 || read_ipv4(cursor, tail) < 0)
		return -EINVAL;
	parts->groups[parts->count++] = (uint16_t)(tail[0] << 8 | tail[1]);
	parts->groups[parts->count++] = (uint16_t)(tail[2] << 8 | tail[3]);
	return 1;
}

/* Reads ':' or '::' between groups. Returns 1 when the text ends behind a "::", 0, -EINVAL. */
static int read_colons(struct cursor *cursor, struct ipv6_parts *parts)
{
	if (!at_char(cursor, ':'))
		return -EINVAL;
	cursor->at++;
	if (!at_char(cursor, ':'))
		return parts->count > 0 ? 0 : -EINVAL;
	if (parts->gap >= 0)
		return -EINVAL;
	cursor->at++;
	parts->gap = parts->count;
	return cursor->at == cursor->end;
}

/* Reads all groups and what stands between them. */
static int read_parts(struct cursor *cursor, struct ipv6_parts *parts)
{
	int r = 0;

	do {
		if (parts->count > 0 || at_char(cursor, ':')) {
			r = read_colons(cursor, parts);
			if (r != 0)
				break;
		}
		r = read_group(cursor, parts);
	} while (r == 0 && cursor->at < cursor->end);
	return r < 0 ? r : 0;
}

static int read_ipv6(struct cursor *cursor, uint8_t out[static 16])
{
	struct ipv6_parts parts = {.gap = -1};
	int head;
	int zeros;

	if (read_parts(cursor, &parts) < 0)
		return -EINVAL;
	/* "::" stands for at least one group. */
	if (parts.gap < 0 ? parts.count != GROUPS : parts.count >= GROUPS)
		return -EINVAL;

	head = parts.gap < 0 ? GROUPS : parts.gap;
	zeros = GROUPS - parts.count;
	for (int place = 0; place < GROUPS; place++) {
		uint16_t group = 0;

		if (place < head)
			group = parts.groups[place];
		else if (place >= head + zeros)
			group = parts.groups[place - zeros];
		out[2 * place] = (uint8_t)(group >> 8);
		out[2 * place + 1] = (uint8_t)group;
	}
	return 0;
}

static bool is_ipv4_mapped(const struct address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

int address_parse(const char *text, size_t length, struct address *out)
{
	struct cursor cursor = {text, text + length};
	struct address address = {.family = ADDRESS_IPV4};
	int r;

	if (memchr(text, ':', length)) {
		address.family = ADDRESS_IPV6;
		r = read_ipv6(&cursor, address.bytes);
	} else {
		r = read_ipv4(&cursor, address.bytes);
	}
	if (r < 0 || cursor.at != cursor.end)
		return -EINVAL;
	if (address.family == ADDRESS_IPV6 && is_ipv4_mapped(&address))
		return -EINVAL;
	*out = address;
	return 0;
}

static unsigned group_at(const struct address *address, int i)
{
	return (unsigned)address->bytes[2 * i] << 8 | address->bytes[2 * i + 1];
}

/* The first longest run of at least two zero groups, as RFC 5952 section 4.2 asks. */
static int find_zero_run(const struct address *address, int *length)
{
	int best = -1;

	*length = 1;
	for (int i = 0; i < GROUPS; i++) {
		int run = 0;

		while (i + run < GROUPS && group_at(address, i + run) == 0)
			run++;
		if (run > *length) {
			best = i;
			*length = run;
		}
		i += run;
	}
	return best;
}

static void print_ipv6(const struct address *address, char out[static ADDRESS_TEXT_SIZE])
{
	int run_length;
	int run = find_zero_run(address, &run_length);
	size_t used = 0;

	for (int i = 0; i < GROUPS; i++) {
		if (i == run) {
			used += (size_t)snprintf(out + used, ADDRESS_TEXT_SIZE - used, "::");
			i += run_length - 1;
			continue;
		}

		const char *colon = i == 0 || i == run + run_length ? "" : ":";

		if (run < 0 && i > 0)
			colon = ":";
		used += (size_t)snprintf(
			out + used, ADDRESS_TEXT_SIZE - used, "%s%x", colon, group_at(address, i));
	}
}

void address_print(const struct address *address, char out[static ADDRESS_TEXT_SIZE])
{
	const uint8_t *b = address->bytes;

	switch (address->family) {
	case ADDRESS_IPV4:
		(void)snprintf(out, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
		break;
	case ADDRESS_IPV6:
		print_ipv6(address, out);
		break;
	default:
		(void)snprintf(out, ADDRESS_TEXT_SIZE, "none");
		break;
	}
}

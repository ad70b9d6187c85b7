/* SPDX-License-Identifier: MIT */
/*
 * address.h - IPv4 and IPv6 addresses as plain values.
 *
 * One text form per address is written (dotted decimal, RFC 5952). Reading accepts every RFC 4291
 * form, but no zone, no leading zero in dotted decimal, no short form such as 10.1, and no
 * IPv4-mapped IPv6 address: one host must not have two values that compare as different.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT_SIZE 46 /* with the final NUL */

enum address_family { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

/* Bytes beyond the family's size are zero, so values may be compared whole. */
struct address {
	uint8_t family;
	uint8_t bytes[16];
};

/* An IPv4 address from its number, as in 0x0a640001 for 10.100.0.1. */
struct address address_ipv4(uint32_t number);

/* Bytes of an address of this family: 4, 16, or 0 for none. */
size_t address_size(const struct address *address);

/* Bits of an address of this family: 32, 128, or 0 for none. */
unsigned address_bits(const struct address *address);

bool address_equal(const struct address *a, const struct address *b);

/* A total order: no address, IPv4, IPv6; by number within a family. Negative, 0 or positive. */
int address_compare(const struct address *a, const struct address *b);

/* Reads an address that is all of text[0..length). Returns 0 or -EINVAL. */
int address_parse(const char *text, size_t length, struct address *out);

/* Writes the one text form; "none" for no address. */
void address_print(const struct address *address, char out[static ADDRESS_TEXT_SIZE]);

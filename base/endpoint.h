/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - an address and a UDP port: 192.0.2.1:51821 or [2001:db8::1]:51821.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define ENDPOINT_TEXT_SIZE (ADDRESS_TEXT_SIZE + 8)

struct endpoint {
	struct address address;
	uint16_t port; /* never 0 in an endpoint that was read */
};

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* Reads a port, 1 to 65535 without sign or leading zero. Returns 0 or -EINVAL. */
int endpoint_parse_port(const char *text, uint16_t *out);

/* Reads an endpoint; IPv6 stands in brackets. Returns 0 or -EINVAL. */
int endpoint_parse(const char *text, struct endpoint *out);

/* Writes the one text form. */
void endpoint_print(const struct endpoint *endpoint, char out[static ENDPOINT_TEXT_SIZE]);

/* In a form of fixed length: family, address (an IPv4 one is followed by zeros), port. */
#define ENDPOINT_BYTES 19
void endpoint_put(const struct endpoint *endpoint, uint8_t out[static ENDPOINT_BYTES]);

/* Returns 0, or -EBADMSG where the family is none, the port is 0, or there is more than zeros. */
int endpoint_get(const uint8_t in[static ENDPOINT_BYTES], struct endpoint *ret);

/* SPDX-License-Identifier: MIT */
#include "base/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

int endpoint_parse_port(const char *text, uint16_t *out)
{
	unsigned value = 0;

	if (*text < '1' || *text > '9')
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > UINT16_MAX)
			return -EINVAL;
	}
	*out = (uint16_t)value;
	return 0;
}

int endpoint_parse(const char *text, struct endpoint *out)
{
	bool bracketed = *text == '[';
	const char *start = bracketed ? text + 1 : text;
	const char *end = strchr(start, bracketed ? ']' : ':');
	struct endpoint endpoint;

	if (!end || address_parse(start, (size_t)(end - start), &endpoint.address) < 0)
		return -EINVAL;
	if (bracketed != (endpoint.address.family == ADDRESS_IPV6))
		return -EINVAL;
	if (bracketed)
		end++;
	if (*end != ':' || endpoint_parse_port(end + 1, &endpoint.port) < 0)
		return -EINVAL;
	*out = endpoint;
	return 0;
}

void endpoint_print(const struct endpoint *endpoint, char out[static ENDPOINT_TEXT_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];
	bool brackets = endpoint->address.family == ADDRESS_IPV6;

	address_print(&endpoint->address, address);
	(void)snprintf(out, ENDPOINT_TEXT_SIZE, "%s%s%s:%u", brackets ? "[" : "", address,
		brackets ? "]" : "", endpoint->port);
}

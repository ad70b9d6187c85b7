/* SPDX-License-Identifier: MIT */
#include "base/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

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

void endpoint_put(const struct endpoint *endpoint, uint8_t out[static ENDPOINT_BYTES])
{
	out[0] = endpoint->address.family;
	memcpy(out + 1, endpoint->address.bytes, sizeof endpoint->address.bytes);
	bytes_put(out + ENDPOINT_BYTES - 2, endpoint->port, 2);
}

int endpoint_get(const uint8_t in[static ENDPOINT_BYTES], struct endpoint *ret)
{
	struct endpoint endpoint = {.address.family = in[0]};
	size_t size = address_size(&endpoint.address);

	memcpy(endpoint.address.bytes, in + 1, sizeof endpoint.address.bytes);
	endpoint.port = (uint16_t)bytes_get(in + ENDPOINT_BYTES - 2, 2);
	for (size_t i = size; i < sizeof endpoint.address.bytes; i++) {
		if (endpoint.address.bytes[i] != 0)
			return -EBADMSG;
	}
	if (size == 0 || endpoint.port == 0)
		return -EBADMSG;
	*ret = endpoint;
	return 0;
}

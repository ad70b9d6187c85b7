/* SPDX-License-Identifier: MIT */
/*
 * fuzz_endpoint.c - any text as an endpoint: what is accepted is printed as a text that means the
 * same, and has a port.
 */
#include <errno.h>
#include <string.h>

#include "base/endpoint.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char text[128];
	char printed[ENDPOINT_TEXT_SIZE];
	struct endpoint endpoint;
	struct endpoint again;
	int r;

	if (size >= sizeof text)
		return 0;
	memcpy(text, bytes, size);
	text[size] = '\0';
	r = endpoint_parse(text, &endpoint);
	REQUIRE(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	REQUIRE(endpoint.port > 0);
	REQUIRE(endpoint.address.family == ADDRESS_IPV4 || endpoint.address.family == ADDRESS_IPV6);
	endpoint_print(&endpoint, printed);
	REQUIRE(endpoint_parse(printed, &again) == 0);
	REQUIRE(endpoint_equal(&endpoint, &again));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_prefix.c - any text as a network: what is accepted is canonical and is printed as a text
 * that means the same.
 */
#include <errno.h>
#include <string.h>

#include "base/prefix.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char text[128];
	char printed[PREFIX_TEXT_SIZE];
	struct prefix prefix;
	struct prefix again;
	struct prefix canonical;
	int r;

	if (size >= sizeof text)
		return 0;
	memcpy(text, bytes, size);
	text[size] = '\0';
	r = prefix_parse(text, &prefix);
	REQUIRE(r == 0 || r == -EINVAL || r == -ERANGE || r == -EDOM);
	if (r == -EINVAL || r == -ERANGE)
		return 0;
	canonical = prefix_canonical(&prefix);
	REQUIRE(prefix_equal(&canonical, &prefix));
	prefix_print(&prefix, printed);
	REQUIRE(prefix_parse(printed, &again) == 0);
	REQUIRE(prefix_equal(&prefix, &again));
	REQUIRE(prefix_contains(&prefix, &again) && prefix_overlaps(&prefix, &again));
	REQUIRE(prefix_has_address(&prefix, &prefix.address));
	return 0;
}

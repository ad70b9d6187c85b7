/* SPDX-License-Identifier: MIT */
#include "tests/homes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/files.h"
#include "tests/test.h"

#define WORD_SIZE 32

static const struct {
	const char *name;
	enum home_type plain; /* as which it is, but for what it lets in */
	bool accepts;
} kinds[HOME_TYPES_NAMED] = {
	[PUBLIC] = {"public", PUBLIC, false},
	[CONE] = {"full-cone", CONE, false},
	[RESTRICTED] = {"address-restricted", RESTRICTED, false},
	[HOME] = {"home", HOME, false},
	[ACCEPTING] = {"home-accept", HOME, true},
	[SYMMETRIC] = {"symmetric", SYMMETRIC, false},
	[SEQUENTIAL] = {"sequential", SEQUENTIAL, false},
	[CARRIER] = {"cgnat", CARRIER, false},
	[CONE_ACCEPTING] = {"full-cone-accept", CONE, true},
	[RESTRICTED_ACCEPTING] = {"address-restricted-accept", RESTRICTED, true},
	[SYMMETRIC_ACCEPTING] = {"symmetric-accept", SYMMETRIC, true},
	[SEQUENTIAL_ACCEPTING] = {"sequential-accept", SEQUENTIAL, true},
	[CARRIER_ACCEPTING] = {"cgnat-accept", CARRIER, true},
	[REJECTING] = {"home-reject", HOME, false},
};

const char *home_name(enum home_type type)
{
	return kinds[type].name;
}

bool home_has_carrier(enum home_type type)
{
	return kinds[type].plain == CARRIER;
}

struct router_options home_router(enum home_type type)
{
	enum home_type plain = kinds[type].plain;
	struct router_options options = {
		.mapping = ROUTER_ENDPOINT_INDEPENDENT,
		.filtering = ROUTER_ADDRESS_AND_PORT_DEPENDENT,
		.allocation = ROUTER_PORT_KEPT,
		.input = kinds[type].accepts ? ROUTER_INPUT_ACCEPT : ROUTER_INPUT_DROP,
		.timeout_new = 30 * USEC_SECOND,
		.timeout_assured = 120 * USEC_SECOND,
		.assured_after = 2 * USEC_SECOND,
	};

	if (type == REJECTING)
		options.input = ROUTER_INPUT_REJECT;
	if (plain == CONE)
		options.filtering = ROUTER_ENDPOINT_INDEPENDENT;
	if (plain == RESTRICTED)
		options.filtering = ROUTER_ADDRESS_DEPENDENT;
	if (plain == SYMMETRIC || plain == SEQUENTIAL)
		options.mapping = ROUTER_ADDRESS_AND_PORT_DEPENDENT;
	if (plain == SYMMETRIC)
		options.allocation = ROUTER_PORT_RANDOM;
	if (plain == SEQUENTIAL)
		options.allocation = ROUTER_PORT_SEQUENTIAL;
	return options;
}

static enum home_type type_of(const char *name)
{
	int type = PUBLIC;

	while (type < HOME_TYPES_ALL && strcmp(kinds[type].name, name) != 0)
		type++;
	if (type == HOME_TYPES_ALL)
		fail_msg("there is no home of type %s", name);
	return (enum home_type)type;
}

static void read_row(const char *line, struct home_pair *ret)
{
	char a[WORD_SIZE];
	char b[WORD_SIZE];
	char meets[WORD_SIZE];

	assert_int_equal(sscanf(line, "%31s %31s %31s %15s", a, b, meets, ret->how), 4);
	ret->a = type_of(a);
	ret->b = type_of(b);
	ret->meets = strcmp(meets, "yes") == 0;
	assert_true(ret->meets || strcmp(meets, "no") == 0);
}

static void read_table(const char *path, struct home_pair *ret, uint32_t count)
{
	const char *source = getenv("SOURCE");
	uint32_t rows = 0;
	size_t size;
	char *text;
	char *rest;

	assert_non_null(source);
	text = files_read(source, path, &size);
	text = realloc(text, size + 1);
	assert_non_null(text);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == '#')
			continue;
		assert_in_range(rows, 0, count - 1);
		read_row(line, &ret[rows++]);
	}
	assert_int_equal(rows, count);
	free(text);
}

void home_pairs(struct home_pair ret[static HOME_PAIRS])
{
	read_table("tests/lab/pairs.txt", ret, HOME_PAIRS);
}

void home_doubles(struct home_pair ret[static HOME_DOUBLES])
{
	read_table("tests/lab/doubles.txt", ret, HOME_DOUBLES);
}

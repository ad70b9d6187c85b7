/* SPDX-License-Identifier: MIT */
/*
 * schema.h - the one table of configuration keys.
 *
 * The reader, the sample file, the manual page's list and the completion words all come from it,
 * so they cannot disagree.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCHEMA_ALLOWED_SIZE 160

enum schema_type {
	SCHEMA_NAME,      /* char[TEXT_NAME_MAX + 1] */
	SCHEMA_INTERFACE, /* char[CONFIG_INTERFACE_NAME_SIZE] */
	SCHEMA_NETWORKS,  /* struct config_networks */
	SCHEMA_SELECTORS, /* struct config_selectors */
	SCHEMA_PORT,      /* uint16_t; "auto" is 0 */
	SCHEMA_MTU,       /* uint16_t */
	SCHEMA_NUMBER,    /* uint32_t */
	SCHEMA_CHOICE,    /* an enum whose values are positions in words */
	SCHEMA_BOOL,      /* bool */
};

struct schema_key {
	const char *path; /* dotted */
	enum schema_type type;
	size_t offset; /* in struct config */
	uint32_t min;  /* of a number */
	uint32_t max;
	const char *const *words; /* of a choice; NULL-terminated */
	const char *fallback;     /* as one would write it; "" when there is none */
	const char *sample;       /* for the sample file; NULL: the fallback */
	const char *help;         /* lines of at most 76 characters */
};

extern const struct schema_key schema_keys[];
extern const size_t schema_key_count;

/* The key with this dotted path, or NULL. */
const struct schema_key *schema_find(const char *path);

/* Says which values a key takes: "a number from 1280 to 9000". */
void schema_allowed(const struct schema_key *key, char out[static SCHEMA_ALLOWED_SIZE]);

/* Writes the commented sample file. */
void schema_print_example(FILE *out);

/* Writes the list of keys for the manual page, in scdoc's form. */
void schema_print_manual(FILE *out);

/* SPDX-License-Identifier: MIT */
/*
 * authority.h - facts about who may admit members, and about who is out.
 *
 * A delegation makes an admin and says what it may grant. A revocation takes a site out for ever:
 * it comes back with a new key only. A removal takes an admin out for ever and names what stays of
 * what it signed; all else of it falls. A long list stands in several parts, which are signed at
 * one time and count once all of them are there. Of several removals each takes away what it does
 * not name.
 */
#pragma once

#include "gossip/fact.h"
#include "gossip/field.h"

#define REMOVAL_KEPT_MAX 48  /* hashes in one removal */
#define REMOVAL_PARTS_MAX 32 /* removals of one admin */

/* What a delegation may allow. */
enum grant {
	GRANT_ADMIT = 1,    /* issue certificates */
	GRANT_REVOKE = 2,   /* revoke sites */
	GRANT_BACKBONE = 4, /* give the roles hub and reflector */
	GRANT_ROUTES = 8,   /* certify prefixes outside the supernet */
};

struct delegation {
	struct key admin;
	uint32_t version; /* from 1; the greatest stands */
	char name[TEXT_NAME_MAX + 1];
	uint32_t grants;
	struct prefixes within; /* only prefixes inside these; empty: any */
	struct names tags;      /* only these tags; empty: any */
	uint64_t issued_at;
	uint64_t since; /* when the admin first was one: nobody it admits is older */
};

enum revocation_reason {
	REVOCATION_EXPELLED,
	REVOCATION_LOST,
	REVOCATION_REPLACED,
	REVOCATION_LEFT
};

struct revocation {
	struct hash subject; /* of the site's key */
	enum revocation_reason reason;
	struct hash issuer; /* of the admin's key, or the root's */
	uint64_t issued_at;
};

struct removal {
	struct hash subject; /* of the admin's key */
	uint32_t parts;
	uint32_t part; /* below parts */
	uint64_t issued_at;
	uint32_t count;
	struct hash kept[REMOVAL_KEPT_MAX]; /* hashes of facts, ascending */
};

/* Writing and signing. Each returns the fact's size or -EMSGSIZE. */
int delegation_seal(const struct delegation *delegation, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *root, const struct hash *collective, const struct crypto *crypto);
int revocation_seal(const struct revocation *revocation, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *issuer, const struct hash *collective, const struct crypto *crypto);
int removal_seal(const struct removal *removal, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *root, const struct hash *collective, const struct crypto *crypto);

/* Reading; the signature is another matter. Each returns 0 or -EBADMSG. */
int delegation_read(struct delegation *ret, const struct fact *fact);
int revocation_read(struct revocation *ret, const struct fact *fact);
int removal_read(struct removal *ret, const struct fact *fact);

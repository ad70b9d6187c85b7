/* SPDX-License-Identifier: MIT */
/*
 * certificate.h - who is a member: signed by an admin.
 *
 * It binds a site's key to its name, its WireGuard keys, its overlay address, the prefixes it may
 * announce, its tags and roles. Nobody can claim what is not in the certificate. Versions count per
 * site; the greatest stands.
 */
#pragma once

#include "gossip/authority.h"
#include "gossip/fact.h"
#include "gossip/field.h"

/* One below what a revoked site's row shows. */
#define CERTIFICATE_VERSION_MAX (UINT32_MAX - 1)

enum role {
	ROLE_HUB = 1,       /* part of the backbone: everybody's way to everybody */
	ROLE_REFLECTOR = 2, /* tells sites the address they are seen from */
	ROLE_ISSUER = 4,    /* in records only: an admin's agent runs here and answers petitions */
};

struct certificate {
	struct key site;
	uint32_t version;
	struct key backbone; /* WireGuard keys of the two interfaces */
	struct key links;
	char name[TEXT_NAME_MAX + 1];
	struct address address;  /* overlay; inside one of the subnets */
	struct prefixes subnets; /* inside the supernet */
	struct prefixes routes;  /* outside it: networks of the site's home */
	struct names tags;
	uint32_t roles;
	uint64_t since;     /* when the site was first admitted: the elder of two rivals stands */
	uint64_t issued_at; /* when this version was signed */
	uint64_t not_after; /* 0: never */
	struct hash issuer; /* of the admin's key */
};

/* Writes and signs. Returns the fact's size or -EMSGSIZE. */
int certificate_seal(const struct certificate *certificate, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *admin, const struct hash *collective, const struct crypto *crypto);

/* Reads; the signature is another matter. Returns 0 or -EBADMSG. */
int certificate_read(struct certificate *ret, const struct fact *fact);

/* Whether the prefixes are where they belong, given the collective's own network. */
bool certificate_fits(const struct certificate *certificate, const struct prefix *supernet);

/* Whether an admin with this delegation may say all of this. */
bool certificate_granted(
	const struct certificate *certificate, const struct delegation *delegation);

/* SPDX-License-Identifier: MIT */
/*
 * record.h - what a site says of itself: signed by the site.
 *
 * Of two records the one with the greater sequence number stands; of two with the same, the one
 * whose hash is greater. A record holds no home address unless its owner is a hub or reflector or
 * opted in.
 */
#pragma once

#include "gossip/fact.h"
#include "gossip/field.h"

#define RECORD_ENDPOINTS_MAX 8
#define RECORD_SERVICES_MAX 8
#define RECORD_LINKS_MAX 16
#define RECORD_LIFETIME_S (24 * 3600)
#define RECORD_LEFT_LIFETIME_S (RECORD_LIFETIME_S + 20 * 60)

enum record_flag {
	RECORD_LEFT = 1,       /* the site has left; a higher sequence number brings it back */
	RECORD_RELAY_ONLY = 2, /* can have no direct links */
};

/* How a home's router behaves; 0 is "not known". */
struct nat_class {
	uint8_t mapping;    /* 1 endpoint-independent, 2 by address, 3 by address and port */
	uint8_t filtering;  /* the same */
	uint8_t allocation; /* 1 port kept, 2 sequential, 3 random */
	uint8_t remapped;   /* 1: packets came from another port than the one offered */
};

#define NAT_CLASS_MAX 127

/* As a number of at most NAT_CLASS_MAX, and back. */
uint32_t nat_class_number(const struct nat_class *nat);
struct nat_class nat_class_of(uint32_t number);

struct service {
	char name[TEXT_NAME_MAX + 1];
	uint8_t protocol; /* IP's number: 6 TCP, 17 UDP */
	uint16_t port;
};

struct direct_link {
	struct row_id peer;
	uint16_t rtt; /* tenths of a millisecond; 65535: that much or more */
};

struct record {
	struct key site;
	uint64_t sequence;  /* 48 bits */
	uint64_t issued_at; /* ms */
	uint32_t lifetime;  /* s, at most RECORD_LEFT_LIFETIME_S */
	uint32_t flags;
	uint32_t protocol; /* version of the messages it speaks */
	char program[24];  /* version, as in "0.1.0" */
	struct nat_class nat;
	uint32_t roles; /* which of the certificate's roles are active */
	uint32_t endpoint_count;
	struct endpoint endpoints[RECORD_ENDPOINTS_MAX];
	uint32_t service_count;
	struct service services[RECORD_SERVICES_MAX]; /* ascending by name */
	uint32_t link_count;
	struct direct_link links[RECORD_LINKS_MAX]; /* ascending by peer */
	struct key
		admin; /* that it would sign with as an admin; zero: it does not want to be one */
};

/* Writes and signs. Returns the fact's size or -EMSGSIZE. */
int record_seal(const struct record *record, uint8_t out[static FACT_SIZE_MAX],
	const struct secret *site, const struct hash *collective, const struct crypto *crypto);

/* Reads; the signature is another matter. Returns 0 or -EBADMSG. */
int record_read(struct record *ret, const struct fact *fact);

/*
 * The site of what may be a record, without reading more of it than that takes. Returns false when
 * it is none; true promises nothing about the rest.
 */
bool record_peek(const void *bytes, size_t size, struct key *site);

/* The time, in milliseconds, from which on the record is not believed any more. */
uint64_t record_expires(const struct record *record);

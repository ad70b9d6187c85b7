/* SPDX-License-Identifier: MIT */
/*
 * rows.h - what a site keeps, as rows of its store. Also for programs that prepare a state.
 */
#pragma once

#include "site/site.h"

/* Kinds of rows in the table of settings. */
enum {
	SITE_SETTING_NAMED,
	SITE_SETTING_GUARD,
	SITE_SETTING_LINK,
	SITE_SETTING_MEMORY,
	SITE_SETTING_OFFERS,
};

/* What an invite, or the founding, told of the collective and of this site's place in it. */
struct site_collective {
	struct key root;
	struct prefix supernet;
	struct address hub_address;
	struct key hub_key;
	struct address address;  /* our own, in the overlay */
	uint32_t endpoint_count; /* where the hub is called */
	struct invite_endpoint endpoints[INVITE_ENDPOINTS_MAX];
};

/* Where a site that is no hub wants to be called; it need not. */
struct site_published {
	uint32_t count;
	struct invite_endpoint items[INVITE_ENDPOINTS_MAX];
};

void site_row_collective(struct site_row *row, const struct site_collective *collective);

void site_row_published(struct site_row *row, const struct site_published *published);

/* The supernet as text, for a glance by the command line. */
void site_row_supernet(struct site_row *row, const struct prefix *supernet);

/* A fact, under what it is about, and by whom where there may be several. The bytes are a fact. */
void site_row_fact(struct site_row *row, const void *bytes, size_t size);

/* The preshared key between a peer's key and one of our own; zero: none any more. */
void site_row_secret(struct site_row *row, const struct key *peer, const struct key *own,
	const struct key *preshared);

/* SPDX-License-Identifier: MIT */
/*
 * brain.h - a site's brain with what the store holds, as this machine's configuration wants it.
 */
#pragma once

#include "config/config.h"
#include "site/site.h"
#include "store/store.h"

struct brain {
	const struct config *config;
	struct site *site;
	void *memory;
	size_t size;
	bool hub; /* it has room for every site as a neighbour */
	struct prefix isolated[CONFIG_NETWORKS_MAX];
	struct prefixes offered; /* by the configuration */
	struct site_selector selectors[CONFIG_SELECTORS_MAX];
};

/* Makes one; the configuration outlives it. Returns 0 or an error, with why. */
int brain_open(struct brain *ret, const struct config *config, struct store *store,
	char why[static STORE_WHY_SIZE]);

/* Overwrites all secrets; one that was never opened is fine where it is zero. */
void brain_close(struct brain *brain);

/* Whether it has become a hub, or is none any more, and needs to be made anew. */
bool brain_is_outgrown(const struct brain *brain);

/* Makes it anew from the store. Returns 0 or an error, with why. */
int brain_renew(struct brain *brain, struct store *store, char why[static STORE_WHY_SIZE]);

/* SPDX-License-Identifier: MIT */
#include "agent/brain.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/keeper.h"
#include "agent/memory.h"

#define SPOKE_NEIGHBOURS 16
#define BUILT_MS UINT64_C(1767225600000) /* the first of January 2026: no clock shows less */

_Static_assert((int)CONFIG_WHEN_ALWAYS == (int)SITE_WHEN_ALWAYS &&
		       (int)CONFIG_WHEN_TRAFFIC == (int)SITE_WHEN_TRAFFIC &&
		       (int)CONFIG_WHEN_ASKED == (int)SITE_WHEN_ASKED,
	"the configuration's words are the brain's");

static struct site_options options_of(const struct brain *brain)
{
	uint32_t sites = brain->config->limits_sites;

	return (struct site_options){.sites_max = sites,
		.neighbours_max = brain->hub || sites < SPOKE_NEIGHBOURS ? sites : SPOKE_NEIGHBOURS,
		.crypto = &crypto_real,
		.built_ms = BUILT_MS,
		.program = COLLECTIVE_VERSION,
		.isolated = {brain->config->isolate.count, brain->isolated},
		.offered = {brain->offered.count, brain->offered.items},
		.links = {brain->config->links_with.count, brain->selectors,
			(enum site_when)brain->config->links_when,
			brain->config->links_publish_addresses}};
}

static void end_site(struct brain *brain)
{
	if (brain->site)
		site_wipe(brain->site);
	if (brain->memory)
		sodium_memzero(brain->memory, brain->size);
	free(brain->memory);
	brain->memory = NULL;
	brain->site = NULL;
}

static int make_site(struct brain *brain, struct store *store, char why[static STORE_WHY_SIZE])
{
	struct site_options options = options_of(brain);
	uint8_t seed[PRNG_SEED_SIZE];

	end_site(brain);
	brain->size = (site_size(&options) + 15) / 16 * 16;
	brain->memory = memory_zeroed(1, brain->size);
	randombytes_buf(seed, sizeof seed);
	brain->site = site_init(brain->memory, &options, seed);
	sodium_memzero(seed, sizeof seed);
	return keeper_restore(store, brain->site, why);
}

bool brain_is_outgrown(const struct brain *brain)
{
	return site_holds_hub(brain->site) != brain->hub;
}

int brain_renew(struct brain *brain, struct store *store, char why[static STORE_WHY_SIZE])
{
	brain->hub = site_holds_hub(brain->site);
	return make_site(brain, store, why);
}

int brain_open(struct brain *ret, const struct config *config, struct store *store,
	char why[static STORE_WHY_SIZE])
{
	int r;

	memset(ret, 0, sizeof *ret);
	ret->config = config;
	for (uint32_t i = 0; i < config->isolate.count; i++)
		ret->isolated[i] = config->isolate.items[i].prefix;
	for (uint32_t i = 0; i < config->site_lan.count && i < FIELD_PREFIXES_MAX; i++)
		ret->offered.items[ret->offered.count++] = config->site_lan.items[i].prefix;
	prefixes_sort(&ret->offered);
	for (uint32_t i = 0; i < config->links_with.count; i++) {
		const struct config_selector *selector = &config->links_with.items[i];

		ret->selectors[i].is_tag = selector->is_tag;
		memcpy(ret->selectors[i].name, selector->name, sizeof selector->name);
	}
	r = make_site(ret, store, why);
	/* Whoever is a hub has all members as neighbours: there has to be room for them. */
	return r == 0 && brain_is_outgrown(ret) ? brain_renew(ret, store, why) : r;
}

void brain_close(struct brain *brain)
{
	end_site(brain);
}

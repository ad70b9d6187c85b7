/* SPDX-License-Identifier: MIT */
/*
 * founder.c - states of a collective that existed before the world begins.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "simulator/host.h"
#include "site/rows.h"

/* The keys of one site, and what was certified of it. */
struct founded {
	struct secret identity;
	struct key seed;
	struct key secrets[SITE_INTERFACES];
	struct key publics[SITE_INTERFACES];
	struct key preshared; /* between it and the hub */
	struct address address;
	struct prefix subnet;
	size_t size;
	uint8_t certificate[FACT_SIZE_MAX];
};

static void put(struct host *host, const struct site_row *row)
{
	const struct store_row stored = {
		.table = (enum store_table)row->table,
		.kind = row->kind,
		.key_size = row->key_size,
		.key = row->key,
		.version = row->version,
		.bytes = row->bytes,
		.size = row->size,
	};

	assert(store_write(host->store, &stored, 1) == 0);
}

static void put_fact(struct host *host, const uint8_t *bytes, size_t size)
{
	struct site_row row;

	site_row_fact(&row, bytes, size);
	put(host, &row);
}

static struct key draw(struct prng *prng)
{
	struct key key;

	prng_bytes(prng, key.bytes, KEY_SIZE);
	return key;
}

struct prefix world_subnet(const struct world *world, uint32_t number)
{
	uint32_t base = world->supernet.length == 16 ? 0x0a640000 : 0x0a000000;

	return (struct prefix){address_ipv4(base + (number << 8)), 24};
}

static void certify(
	struct world *world, struct prng *prng, uint32_t number, struct founded *founded)
{
	struct key admin = secret_public(&world->admin);
	struct hash collective = world->collective;
	struct certificate certificate = {
		.version = 1,
		.since = WORLD_WALL - 86400000 + number,
		.issued_at = WORLD_WALL - 86400000 + number,
		.issuer = hash_of(admin.bytes, KEY_SIZE),
		.roles = number == 0 ? ROLE_HUB | ROLE_REFLECTOR : 0,
	};
	int size;

	founded->seed = draw(prng);
	secret_from_seed(&founded->identity, &founded->seed);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		founded->secrets[i] = draw(prng);
		(void)crypto_scalarmult_base(founded->publics[i].bytes, founded->secrets[i].bytes);
	}
	founded->preshared = draw(prng);
	founded->subnet = world_subnet(world, number);
	founded->address = founded->subnet.address;
	founded->address.bytes[3]++;
	certificate.site = secret_public(&founded->identity);
	certificate.backbone = founded->publics[SITE_BACKBONE];
	certificate.links = founded->publics[SITE_LINKS];
	certificate.address = founded->address;
	certificate.subnets = (struct prefixes){1, {founded->subnet}};
	memcpy(certificate.name, world->hosts[number].name, sizeof certificate.name);
	if (world->options.links)
		certificate.tags = (struct names){1, {WORLD_TAG}};
	/* Every fourth has a network of its home to announce. */
	if (number % 4 == 3)
		certificate.routes = (struct prefixes){
			1, {{address_ipv4(0xac100000 + (number << 8)), 24}}};
	size = certificate_seal(
		&certificate, founded->certificate, &world->admin, &collective, world->crypto);
	assert(size > 0);
	founded->size = (size_t)size;
}

static void put_keys(struct host *host, const struct founded *founded)
{
	host_set_identity(host, &founded->identity);
	assert(store_key_write(host->store, STORE_KEY_IDENTITY, &founded->seed) == 0);
	assert(store_key_write(host->store, STORE_KEY_BACKBONE, &founded->secrets[SITE_BACKBONE]) ==
		0);
	assert(store_key_write(host->store, STORE_KEY_LINKS, &founded->secrets[SITE_LINKS]) == 0);
}

static void put_collective(struct world *world, uint32_t number, const struct founded *all)
{
	struct site_collective collective = {
		.root = secret_public(&world->root),
		.supernet = world->supernet,
		.hub_address = all[0].address,
		.hub_key = all[0].publics[SITE_BACKBONE],
		.address = all[number].address,
		.endpoint_count = 1,
		.endpoints = {{.port = WORLD_PORT}},
	};
	struct address outside = world_outside(world, 0);
	struct site_row row;

	address_print(&outside, collective.endpoints[0].host);
	site_row_collective(&row, &collective);
	put(&world->hosts[number], &row);
}

static int seal_first_delegation(struct world *world, uint8_t out[static FACT_SIZE_MAX])
{
	struct delegation delegation = {
		.admin = secret_public(&world->admin),
		.version = 1,
		.name = "hub",
		.grants = GRANT_ADMIT | GRANT_REVOKE | GRANT_BACKBONE | GRANT_ROUTES,
		.issued_at = WORLD_WALL - 86400000,
		.since = WORLD_WALL - 86400000,
	};

	return delegation_seal(&delegation, out, &world->root, &world->collective, world->crypto);
}

void world_found(struct world *world, bool acquainted)
{
	struct founded *all = calloc(world->host_count, sizeof *all);
	uint8_t delegation[FACT_SIZE_MAX];
	struct key root_seed;
	struct key admin_seed;
	struct key root;
	struct prng prng;
	struct site_row row;
	int size;

	assert(all);
	prng_fork(&prng, &world->prng, "founding", 0);
	root_seed = draw(&prng);
	admin_seed = draw(&prng);
	secret_from_seed(&world->root, &root_seed);
	secret_from_seed(&world->admin, &admin_seed);
	root = secret_public(&world->root);
	world->collective = collective_id(&root);
	size = seal_first_delegation(world, delegation);
	assert(size > 0);
	for (uint32_t i = 0; i < world->host_count; i++)
		certify(world, &prng, i, &all[i]);
	for (uint32_t i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		put_keys(host, &all[i]);
		put_collective(world, i, all);
		put_fact(host, delegation, (size_t)size);
		put_fact(host, all[0].certificate, all[0].size);
		for (uint32_t k = 1; k < world->host_count; k++) {
			if (acquainted || k == i || i == 0)
				put_fact(host, all[k].certificate, all[k].size);
		}
		if (i == 0)
			continue;
		site_row_secret(&row, &all[0].publics[SITE_BACKBONE],
			&all[i].publics[SITE_BACKBONE], &all[i].preshared);
		put(host, &row);
		site_row_secret(&row, &all[i].publics[SITE_BACKBONE],
			&all[0].publics[SITE_BACKBONE], &all[i].preshared);
		put(&world->hosts[0], &row);
	}
	assert(store_key_write(world->hosts[0].store, STORE_KEY_ADMIN, &admin_seed) == 0);
	assert(store_key_write(world->hosts[0].store, STORE_KEY_ROOT, &root_seed) == 0);
	free(all);
}

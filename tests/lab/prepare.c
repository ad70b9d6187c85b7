/* SPDX-License-Identifier: MIT */
/*
 * prepare.c - writes the states of a collective that was never founded: for agents in the lab.
 *
 *   prepare DIRECTORY HUB-ENDPOINT MEMBERS SITE...
 *
 * SITE is NAME or NAME=NETWORK,..., networks being those of its home that it announces. The first
 * one is the hub, which also is admin and holds the root key; its endpoint is HOST:PORT. MEMBERS is
 * how many more members there are, of whom nobody runs an agent. Site N has 10.100.N.0/24, the hub
 * being the first, and member N a /28: the Nth from 10.100.128.0 on. Each site's state comes to be
 * in DIRECTORY/NAME/state, and its public keys in DIRECTORY/NAME/keys.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sodium.h>

#include "agent/keeper.h"
#include "gossip/authority.h"
#include "gossip/certificate.h"
#include "site/rows.h"
#include "store/store.h"

#define SITES_MAX 128    /* with a state, and a /24 each */
#define MEMBERS_MAX 2048 /* with a /28 each, in the other half of the supernet */
#define DAY_MS UINT64_C(86400000)

struct prepared {
	char name[TEXT_NAME_MAX + 1];
	struct prefixes networks;
	struct key seed;
	struct secret identity;
	struct key secrets[SITE_INTERFACES];
	struct key publics[SITE_INTERFACES];
	struct key preshared; /* between it and the hub */
	struct address address;
	size_t size;
	uint8_t certificate[FACT_SIZE_MAX];
};

struct collective {
	struct key root_seed;
	struct key admin_seed;
	struct secret root;
	struct secret admin;
	struct hash id;
	uint64_t now;
	struct invite_endpoint endpoint;
	size_t delegation_size;
	uint8_t delegation[FACT_SIZE_MAX];
	uint32_t count;
	uint32_t sites; /* that have a state */
	struct prepared *all;
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "prepare: %s\n", what);
	exit(EXIT_FAILURE);
}

static struct key draw(void)
{
	struct key key;

	randombytes_buf(key.bytes, sizeof key.bytes);
	return key;
}

static void put(struct store *store, const struct site_row *row)
{
	check(keeper_put(store, row) == 0, "a row cannot be written");
}

static void put_fact(struct store *store, const uint8_t *bytes, size_t size)
{
	struct site_row row;

	site_row_fact(&row, bytes, size);
	put(store, &row);
}

static void put_secret(struct store *store, const struct prepared *peer, const struct prepared *own,
	const struct key *preshared)
{
	struct site_row row;

	site_row_secret(
		&row, &peer->publics[SITE_BACKBONE], &own->publics[SITE_BACKBONE], preshared);
	put(store, &row);
}

/* Reads NAME or NAME=NETWORK,... */
static void read_site(struct prepared *site, const char *word)
{
	char copy[256];
	char *networks;
	char *rest = NULL;

	(void)snprintf(copy, sizeof copy, "%s", word);
	networks = strchr(copy, '=');
	if (networks)
		*networks++ = '\0';
	check(strlen(copy) <= TEXT_NAME_MAX, "a name is too long");
	memcpy(site->name, copy, strlen(copy));
	for (char *one = networks ? strtok_r(networks, ",", &rest) : NULL; one;
		one = strtok_r(NULL, ",", &rest)) {
		struct prefix *network = &site->networks.items[site->networks.count++];

		check(prefix_parse(one, network) == 0, "a network is none");
	}
}

static struct prefix subnet_of(const struct collective *collective, uint32_t number)
{
	if (number < collective->sites)
		return (struct prefix){address_ipv4(0x0a640000 + (number << 8)), 24};
	return (struct prefix){address_ipv4(0x0a648000 + ((number - collective->sites) << 4)), 28};
}

static void certify(struct collective *collective, uint32_t number)
{
	struct prepared *site = &collective->all[number];
	struct key admin = secret_public(&collective->admin);
	struct prefix subnet = subnet_of(collective, number);
	struct certificate certificate = {
		.version = 1,
		.since = collective->now - DAY_MS + number,
		.issued_at = collective->now - DAY_MS + number,
		.issuer = hash_of(admin.bytes, KEY_SIZE),
		.roles = number == 0 ? ROLE_HUB | ROLE_REFLECTOR : 0,
		.subnets = {1, {subnet}},
		.routes = site->networks,
	};
	int size;

	if (!site->name[0])
		(void)snprintf(site->name, sizeof site->name, "member-%" PRIu32,
			number - collective->sites);
	site->seed = draw();
	secret_from_seed(&site->identity, &site->seed);
	for (int i = 0; i < SITE_INTERFACES; i++) {
		site->secrets[i] = draw();
		(void)crypto_scalarmult_base(site->publics[i].bytes, site->secrets[i].bytes);
	}
	site->preshared = draw();
	site->address = subnet.address;
	site->address.bytes[3]++;
	certificate.site = secret_public(&site->identity);
	certificate.backbone = site->publics[SITE_BACKBONE];
	certificate.links = site->publics[SITE_LINKS];
	certificate.address = site->address;
	memcpy(certificate.name, site->name, sizeof certificate.name);
	size = certificate_seal(
		&certificate, site->certificate, &collective->admin, &collective->id, &crypto_real);
	check(size > 0, "a certificate cannot be sealed");
	site->size = (size_t)size;
}

static void found(struct collective *collective)
{
	struct delegation delegation = {.version = 1,
		.name = "hub",
		.grants = GRANT_ADMIT | GRANT_REVOKE | GRANT_BACKBONE | GRANT_ROUTES,
		.issued_at = collective->now - DAY_MS,
		.since = collective->now - DAY_MS};
	struct key root;
	int size;

	collective->root_seed = draw();
	collective->admin_seed = draw();
	secret_from_seed(&collective->root, &collective->root_seed);
	secret_from_seed(&collective->admin, &collective->admin_seed);
	root = secret_public(&collective->root);
	collective->id = collective_id(&root);
	delegation.admin = secret_public(&collective->admin);
	size = delegation_seal(&delegation, collective->delegation, &collective->root,
		&collective->id, &crypto_real);
	check(size > 0, "the delegation cannot be sealed");
	collective->delegation_size = (size_t)size;
	for (uint32_t i = 0; i < collective->count; i++)
		certify(collective, i);
}

static void put_collective(
	struct store *store, const struct collective *collective, uint32_t number)
{
	const struct site_collective known = {
		.root = secret_public(&collective->root),
		.supernet = {address_ipv4(0x0a640000), 16},
		.hub_address = collective->all[0].address,
		.hub_key = collective->all[0].publics[SITE_BACKBONE],
		.address = collective->all[number].address,
		.endpoint_count = 1,
		.endpoints = {collective->endpoint},
	};
	struct site_row row;

	site_row_collective(&row, &known);
	put(store, &row);
	site_row_supernet(&row, &known.supernet);
	put(store, &row);
}

static void write_keys(const struct prepared *site, const char *directory)
{
	char path[512];
	char text[KEY_BASE64_SIZE];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/keys", directory);
	file = fopen(path, "w");
	check(file != NULL, "the public keys cannot be written");
	for (int i = 0; i < SITE_INTERFACES; i++) {
		key_to_base64(&site->publics[i], text);
		(void)fprintf(file, "%s\n", text);
	}
	check(fclose(file) == 0, "the public keys cannot be written");
}

static void write_state(const struct collective *collective, uint32_t number, const char *parent)
{
	const struct prepared *site = &collective->all[number];
	char directory[256];
	char path[300];
	char why[STORE_WHY_SIZE] = "";
	struct store *store;

	(void)snprintf(directory, sizeof directory, "%s/%s", parent, site->name);
	(void)mkdir(directory, 0755);
	write_keys(site, directory);
	(void)snprintf(path, sizeof path, "%s/state", directory);
	(void)mkdir(path, 0700);
	(void)chmod(path, 0700);
	check(store_open(&store, path, true, why) == 0, why);
	check(store_key_write(store, STORE_KEY_IDENTITY, &site->seed) == 0 &&
			store_key_write(store, STORE_KEY_BACKBONE, &site->secrets[SITE_BACKBONE]) ==
				0 &&
			store_key_write(store, STORE_KEY_LINKS, &site->secrets[SITE_LINKS]) == 0,
		"keys cannot be written");
	if (number == 0)
		check(store_key_write(store, STORE_KEY_ADMIN, &collective->admin_seed) == 0 &&
				store_key_write(store, STORE_KEY_ROOT, &collective->root_seed) == 0,
			"keys cannot be written");
	put_collective(store, collective, number);
	put_fact(store, collective->delegation, collective->delegation_size);
	for (uint32_t i = 0; i < collective->count; i++) {
		put_fact(store, collective->all[i].certificate, collective->all[i].size);
		if (number == 0 && i != 0)
			put_secret(store, &collective->all[i], site, &collective->all[i].preshared);
	}
	if (number != 0)
		put_secret(store, &collective->all[0], site, &site->preshared);
	store_close(store);
}

/* Reads HOST:PORT; an IPv6 address stands in brackets. */
static void read_endpoint(struct invite_endpoint *endpoint, const char *word)
{
	const char *colon = strrchr(word, ':');
	size_t length = colon ? (size_t)(colon - word) : 0;

	check(colon && length > 0 && length <= INVITE_HOST_MAX &&
			endpoint_parse_port(colon + 1, &endpoint->port) == 0,
		"the hub's endpoint is HOST:PORT");
	if (word[0] == '[' && word[length - 1] == ']') {
		word++;
		length -= 2;
	}
	memcpy(endpoint->host, word, length);
}

int main(int argc, char **argv)
{
	struct collective collective = {.count = 0};

	check(sodium_init() >= 0, "libsodium does not start");
	check(argc >= 5, "usage: prepare DIRECTORY HUB-ENDPOINT MEMBERS SITE...");
	read_endpoint(&collective.endpoint, argv[2]);
	collective.now = (uint64_t)time(NULL) * 1000;
	collective.sites = (uint32_t)argc - 4;
	collective.count = (uint32_t)strtoul(argv[3], NULL, 10);
	check(collective.sites <= SITES_MAX && collective.count <= MEMBERS_MAX, "too many sites");
	collective.count += collective.sites;
	collective.all = calloc(collective.count, sizeof *collective.all);
	check(collective.all != NULL, "no memory is left");
	for (uint32_t i = 0; i < collective.sites; i++)
		read_site(&collective.all[i], argv[4 + i]);
	found(&collective);
	for (uint32_t i = 0; i < collective.sites; i++)
		write_state(&collective, i, argv[1]);
	sodium_memzero(collective.all, collective.count * sizeof *collective.all);
	free(collective.all);
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include "agent/firewall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>

#include "agent/route.h"
#include "gossip/invite.h"
#include "site/site.h"

#define ANYBODY 0x0b16212c /* 11.22.33.44: somebody on the internet */
#define ATTEMPTS 3         /* at what changes while it is looked at */
#define FLOW_PORT 40000    /* that two members speak by */

struct looking {
	struct ruleset *ruleset;
	const struct firewall_site *site;
	struct firewall *ret;
	struct address outside; /* of this machine, by which it is called */
	unsigned device;        /* of that */
};

uint16_t firewall_port(const struct config *config)
{
	return config->backbone.port ? config->backbone.port : CONFIG_HUB_PORT;
}

/* A member's address: the one of the n-th subnet. */
static struct address member(const struct firewall_site *site, uint8_t n)
{
	struct address address = site->supernet.address;

	if (address.family == ADDRESS_NONE)
		address = address_ipv4(0x0a640000);
	address.bytes[2] = (uint8_t)(address.bytes[2] + n);
	address.bytes[3] = 1;
	return address;
}

/* Words. */

enum author { AUTHOR_FIREWALLD, AUTHOR_UFW, AUTHOR_DOCKER, AUTHOR_IPTABLES, AUTHOR_NFT };

/* Docker writes nothing for what comes in; what stands in iptables' own chains is iptables'. */
static enum author author_of(const struct ruleset *ruleset, const struct ruleset_place *by)
{
	const struct ruleset_authors authors = ruleset_authors(ruleset);
	bool forwards = strcmp(by->chain, "FORWARD") == 0;

	if (strcmp(by->table, "firewalld") == 0)
		return AUTHOR_FIREWALLD;
	if (by->family != NFPROTO_IPV4 || strcmp(by->table, "filter") != 0 ||
		(!forwards && strcmp(by->chain, "INPUT") != 0))
		return AUTHOR_NFT;
	if (authors.ufw)
		return AUTHOR_UFW;
	return authors.docker && forwards ? AUTHOR_DOCKER : AUTHOR_IPTABLES;
}

static void name(
	enum author author, const struct ruleset_place *by, char ret[static FIREWALL_NAME_SIZE])
{
	static const char *const words[] = {
		[AUTHOR_FIREWALLD] = ", firewalld",
		[AUTHOR_UFW] = ", ufw",
		[AUTHOR_DOCKER] = ", Docker",
		[AUTHOR_IPTABLES] = "",
		[AUTHOR_NFT] = "",
	};

	(void)snprintf(
		ret, FIREWALL_NAME_SIZE, "%.64s %.64s%s", by->table, by->chain, words[author]);
}

static void open_calls(struct firewall_finding *finding, enum author author, const char *chain,
	const struct config *config)
{
	uint16_t port = firewall_port(config);
	char *to = finding->remedy;

	switch (author) {
	case AUTHOR_FIREWALLD:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"firewall-cmd --permanent --add-port=%u/udp && firewall-cmd --reload",
			port);
		break;
	case AUTHOR_UFW:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE, "ufw allow %u/udp", port);
		break;
	case AUTHOR_DOCKER:
	case AUTHOR_IPTABLES:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"iptables -I INPUT -p udp --dport %u -j ACCEPT", port);
		break;
	case AUTHOR_NFT:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE, "nft insert rule %s udp dport %u accept",
			chain, port);
		break;
	}
}

static void open_inside(struct firewall_finding *finding, enum author author, const char *chain,
	const struct config *config)
{
	const char *backbone = config->backbone.name;
	char *to = finding->remedy;

	_Static_assert(SITE_JOIN_PORT == SITE_PORT + 1, "the two ports are one range");
	switch (author) {
	case AUTHOR_FIREWALLD:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"firewall-cmd --permanent --zone=trusted --add-interface=%s && "
			"firewall-cmd --reload",
			backbone);
		break;
	case AUTHOR_UFW:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"ufw allow in on %s to any port %u:%u proto udp", backbone, SITE_PORT,
			SITE_JOIN_PORT);
		break;
	case AUTHOR_DOCKER:
	case AUTHOR_IPTABLES:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"iptables -I INPUT -i %s -p udp --dport %u:%u -j ACCEPT", backbone,
			SITE_PORT, SITE_JOIN_PORT);
		break;
	case AUTHOR_NFT:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"nft insert rule %s iifname %s udp dport %u-%u accept", chain, backbone,
			SITE_PORT, SITE_JOIN_PORT);
		break;
	}
}

/* From member to member all comes in by the backbone, also what answers. */
static void open_spokes(struct firewall_finding *finding, enum author author, const char *chain,
	const struct config *config)
{
	const char *backbone = config->backbone.name;
	char *to = finding->remedy;

	switch (author) {
	case AUTHOR_FIREWALLD:
		open_inside(finding, author, chain, config);
		break;
	case AUTHOR_UFW:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE, "ufw route allow in on %s", backbone);
		break;
	case AUTHOR_DOCKER:
	case AUTHOR_IPTABLES:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE, "iptables -I %s -i %s -j ACCEPT",
			author == AUTHOR_DOCKER ? "DOCKER-USER" : "FORWARD", backbone);
		break;
	case AUTHOR_NFT:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE, "nft insert rule %s iifname %s accept",
			chain, backbone);
		break;
	}
}

/* Members come by either interface, and answers go out by it. */
static void open_behind(struct firewall_finding *finding, enum author author, const char *chain,
	const struct config *config)
{
	const char *a = config->backbone.name;
	const char *b = config->links.name;
	char *to = finding->remedy;

	switch (author) {
	case AUTHOR_FIREWALLD:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"firewall-cmd --permanent --zone=trusted --add-interface=%s "
			"--add-interface=%s && firewall-cmd --reload",
			a, b);
		break;
	case AUTHOR_UFW:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"for i in %s %s; do ufw route allow in on $i; done", a, b);
		break;
	case AUTHOR_DOCKER:
	case AUTHOR_IPTABLES:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"for i in %s %s; do for way in -i -o; do iptables -I %s $way $i -j "
			"ACCEPT; done; done",
			a, b, author == AUTHOR_DOCKER ? "DOCKER-USER" : "FORWARD");
		break;
	case AUTHOR_NFT:
		(void)snprintf(to, FIREWALL_REMEDY_SIZE,
			"for i in %s %s; do for way in iifname oifname; do nft insert rule %s "
			"$way $i accept; done; done",
			a, b, chain);
		break;
	}
}

/* Asking. */

/* Of the packets of one way the first that is dropped is told of. */
static void ask(struct looking *looking, enum firewall_way way, const struct ruleset_packet *packet)
{
	static void (*const open[])(struct firewall_finding * finding, enum author author,
		const char *chain, const struct config *config) = {
		[FIREWALL_CALLS] = open_calls,
		[FIREWALL_INSIDE] = open_inside,
		[FIREWALL_SPOKES] = open_spokes,
		[FIREWALL_BEHIND] = open_behind,
	};
	struct firewall_finding *finding = &looking->ret->ways[way];
	char chain[3 * RULESET_NAME_SIZE];
	struct ruleset_place by;
	enum ruleset_verdict verdict;
	enum author author;

	finding->asked = true;
	if (finding->verdict == RULESET_DROPS)
		return;
	verdict = ruleset_ask(looking->ruleset, packet, &by);
	if (verdict == RULESET_PASSES)
		return;
	finding->verdict = verdict;
	author = author_of(looking->ruleset, &by);
	name(author, &by, finding->name);
	(void)snprintf(chain, sizeof chain, "%s %s %s", by.family == NFPROTO_IPV4 ? "ip" : "inet",
		by.table, by.chain);
	open[way](finding, author, chain, looking->site->config);
}

static void ask_calls(struct looking *looking)
{
	char device[IF_NAMESIZE];
	struct ruleset_packet packet = {.in = device,
		.from = address_ipv4(ANYBODY),
		.to = looking->outside,
		.port = firewall_port(looking->site->config)};

	if (looking->outside.family != ADDRESS_NONE && if_indextoname(looking->device, device))
		ask(looking, FIREWALL_CALLS, &packet);
}

static void ask_inside(struct looking *looking)
{
	struct address own = looking->site->own;
	struct ruleset_packet packet = {.in = looking->site->config->backbone.name,
		.from = invite_join_addresses().address,
		.to = own.family == ADDRESS_NONE ? member(looking->site, 0) : own,
		.port = SITE_JOIN_PORT};

	packet.from.bytes[3] = 2;
	ask(looking, FIREWALL_INSIDE, &packet);
	packet.from = member(looking->site, 200);
	packet.port = SITE_PORT;
	ask(looking, FIREWALL_INSIDE, &packet);
}

static void ask_spokes(struct looking *looking)
{
	struct ruleset_packet packet = {.in = looking->site->config->backbone.name,
		.out = looking->site->config->backbone.name,
		.from = member(looking->site, 200),
		.to = member(looking->site, 201),
		.port = FLOW_PORT};
	struct ruleset_place by;

	ask(looking, FIREWALL_SPOKES, &packet);
	packet.in = "a";
	packet.out = "b";
	looking->ret->forwards = ruleset_ask(looking->ruleset, &packet, &by) == RULESET_PASSES;
}

/* One device that stands in an announced network. */
static void ask_behind(struct looking *looking, const char *device, struct address there)
{
	const char *const inner[] = {
		looking->site->config->backbone.name, looking->site->config->links.name};

	there.bytes[3] ^= 1; /* somebody else there */
	for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
		struct ruleset_packet to = {.in = inner[i],
			.out = device,
			.from = member(looking->site, 200),
			.to = there,
			.port = FLOW_PORT};
		struct ruleset_packet back = {.in = device,
			.out = inner[i],
			.from = there,
			.to = member(looking->site, 200),
			.port = FLOW_PORT,
			.answer = true};

		ask(looking, FIREWALL_BEHIND, &to);
		ask(looking, FIREWALL_BEHIND, &back);
	}
}

static int see_address(const struct route_address *address, void *context)
{
	struct looking *looking = context;
	const struct config *config = looking->site->config;
	const struct prefixes *announced = &looking->site->announced;
	char device[IF_NAMESIZE] = "";

	if (address->near || address->prefix.address.family != ADDRESS_IPV4 ||
		!if_indextoname(address->device, device) ||
		strcmp(device, config->backbone.name) == 0 ||
		strcmp(device, config->links.name) == 0)
		return 0;
	if (looking->outside.family == ADDRESS_NONE && address->device == looking->device)
		looking->outside = address->prefix.address;
	for (uint32_t i = 0; i < announced->count; i++) {
		if (prefix_has_address(&announced->items[i], &address->prefix.address))
			ask_behind(looking, device, address->prefix.address);
	}
	return 0;
}

bool firewall_stands(const struct firewall *firewall)
{
	return firewall->generation != 0 && firewall->generation == ruleset_generation_now();
}

static int look(struct netlink *route, const struct firewall_site *site, struct firewall *ret)
{
	struct looking looking = {.site = site, .ret = ret};
	char device[IF_NAMESIZE];
	int r = ruleset_open(&looking.ruleset);

	memset(ret, 0, sizeof *ret);
	if (r < 0)
		return r;
	if (route_default(device))
		looking.device = if_nametoindex(device);
	r = route_address_list(route, see_address, &looking);
	ask_calls(&looking);
	ask_inside(&looking);
	ask_spokes(&looking);
	ret->generation = ruleset_generation(looking.ruleset);
	if (r == 0 && !firewall_stands(ret))
		r = -EINTR;
	ruleset_close(looking.ruleset);
	return r;
}

int firewall_look(struct netlink *route, const struct firewall_site *site, struct firewall *ret)
{
	int r = -EINTR;

	for (int i = 0; i < ATTEMPTS && r == -EINTR; i++)
		r = look(route, site, ret);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <string.h>

#include "config/config.h"

#define AT(member) offsetof(struct config, member)

static const char *const implementation_words[] = {"auto", "kernel", "userspace", NULL};
static const char *const when_words[] = {"always", "traffic", "asked", NULL};
static const char *const level_words[] = {"error", "warning", "notice", "info", "debug", NULL};

/* Keys of one section stand together. */
const struct schema_key schema_keys[] = {
	{
		.path = "site.name",
		.type = SCHEMA_NAME,
		.offset = AT(site_name),
		.fallback = "",
		.sample = "alex",
		.help = "Name of this site when it founds a collective. A site that joins has the\n"
			"name its invite gave it. Not set: the host's name.",
	},
	{
		.path = "site.lan",
		.type = SCHEMA_NETWORKS,
		.offset = AT(site_lan),
		.fallback = "[]",
		.sample = "[192.168.7.0/24]",
		.help = "Networks of this site that are offered to the collective. An admin has "
			"to\n"
			"grant each of them before others can reach it.",
	},
	{
		.path = "interfaces.implementation",
		.type = SCHEMA_CHOICE,
		.offset = AT(implementation),
		.words = implementation_words,
		.fallback = "auto",
		.help = "Which WireGuard to use: the kernel's, or wireguard-go in userspace. auto\n"
			"takes the kernel's where there is one.",
	},
	{
		.path = "interfaces.backbone.name",
		.type = SCHEMA_INTERFACE,
		.offset = AT(backbone.name),
		.fallback = "collective0",
		.help = "Interface to the hub.",
	},
	{
		.path = "interfaces.backbone.port",
		.type = SCHEMA_PORT,
		.offset = AT(backbone.port),
		.fallback = "auto",
		.sample = "51821",
		.help = "UDP port of the backbone. auto is 51821 on a hub; elsewhere a random one "
			"that\n"
			"is kept. A hub's router must forward it.",
	},
	{
		.path = "interfaces.backbone.mtu",
		.type = SCHEMA_MTU,
		.offset = AT(backbone.mtu),
		.min = 1280,
		.max = 9000,
		.fallback = "1420",
		.help = "Largest packet on the backbone, in bytes.",
	},
	{
		.path = "interfaces.links.name",
		.type = SCHEMA_INTERFACE,
		.offset = AT(links.name),
		.fallback = "collective1",
		.help = "Interface of the direct links.",
	},
	{
		.path = "interfaces.links.port",
		.type = SCHEMA_PORT,
		.offset = AT(links.port),
		.fallback = "auto",
		.sample = "40123",
		.help = "UDP port of the direct links. auto is a random one that is kept. Set it "
			"only\n"
			"if the router forwards this very port.",
	},
	{
		.path = "interfaces.links.mtu",
		.type = SCHEMA_MTU,
		.offset = AT(links.mtu),
		.min = 1280,
		.max = 9000,
		.fallback = "1420",
		.help = "Largest packet on a direct link, in bytes.",
	},
	{
		.path = "links.with",
		.type = SCHEMA_SELECTORS,
		.offset = AT(links_with),
		.fallback = "[tag:gaming]",
		.sample = "[tag:gaming, blair]",
		.help = "Sites this one may have a direct link with: tag:NAME for all that carry "
			"a\n"
			"tag, or a site's name. Both sides have to agree. [] for none.",
	},
	{
		.path = "links.when",
		.type = SCHEMA_CHOICE,
		.offset = AT(links_when),
		.words = when_words,
		.fallback = "always",
		.help = "When a permitted link is made: always, on the first traffic, or only "
			"when\n"
			"somebody asked for it with \"collective link\".",
	},
	{
		.path = "links.publish_addresses",
		.type = SCHEMA_BOOL,
		.offset = AT(links_publish_addresses),
		.fallback = "false",
		.help = "Whether this site's public address may stand in its gossiped record: "
			"friends\n"
			"then ask it, too, from where they are seen. false tells it only to "
			"sites a\n"
			"link is being made with, sealed.",
	},
	{
		.path = "isolate",
		.type = SCHEMA_NETWORKS,
		.offset = AT(isolate),
		.fallback = "[]",
		.sample = "[10.200.0.0/24]",
		.help = "Networks the collective must never route, accept or announce, such as "
			"that of\n"
			"another VPN on this host.",
	},
	{
		.path = "limits.sites",
		.type = SCHEMA_NUMBER,
		.offset = AT(limits_sites),
		.min = 2,
		.max = 10000,
		.fallback = "1024",
		.help = "Most sites this agent keeps in mind. Memory grows with it: about 2.2 KiB "
			"a\n"
			"site.",
	},
	{
		.path = "log.level",
		.type = SCHEMA_CHOICE,
		.offset = AT(log_level),
		.words = level_words,
		.fallback = "notice",
		.help = "How much is logged; each level includes the ones before it.",
	},
	{
		.path = "log.redact",
		.type = SCHEMA_BOOL,
		.offset = AT(log_redact),
		.fallback = "true",
		.help = "Whether addresses and keys are shortened in the log.",
	},
};

const size_t schema_key_count = sizeof schema_keys / sizeof schema_keys[0];

const struct schema_key *schema_find(const char *path)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		if (strcmp(schema_keys[i].path, path) == 0)
			return &schema_keys[i];
	}
	return NULL;
}

static void list_words(const char *const *words, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "one of");

	for (; *words && used < size; words++)
		used += (size_t)snprintf(
			out + used, size - used, " %s%s", *words, words[1] ? "," : "");
}

void schema_allowed(const struct schema_key *key, char out[static SCHEMA_ALLOWED_SIZE])
{
	switch (key->type) {
	case SCHEMA_NAME:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE,
			"1 to %d of the characters a-z, 0-9 and \"-\"", TEXT_NAME_MAX);
		break;
	case SCHEMA_INTERFACE:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE,
			"1 to %d of the characters a-z, A-Z, 0-9, \".\", \"_\" and \"-\"",
			CONFIG_INTERFACE_NAME_SIZE - 1);
		break;
	case SCHEMA_NETWORKS:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE,
			"a list of at most %d networks, such as [192.168.7.0/24]",
			CONFIG_NETWORKS_MAX);
		break;
	case SCHEMA_SELECTORS:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE,
			"a list of at most %d entries, each \"tag:NAME\" or the name of a site",
			CONFIG_SELECTORS_MAX);
		break;
	case SCHEMA_PORT:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE, "auto, or a number from 1 to 65535");
		break;
	case SCHEMA_MTU:
	case SCHEMA_NUMBER:
		(void)snprintf(
			out, SCHEMA_ALLOWED_SIZE, "a number from %u to %u", key->min, key->max);
		break;
	case SCHEMA_CHOICE:
		list_words(key->words, out, SCHEMA_ALLOWED_SIZE);
		break;
	case SCHEMA_BOOL:
		(void)snprintf(out, SCHEMA_ALLOWED_SIZE, "true or false");
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the owner of a site decides, read from one YAML file.
 *
 * Every key is optional. The keys, their ranges, defaults and explanations stand in schema.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prefix.h"
#include "base/text.h"
#include "config/problem.h"

#define CONFIG_HUB_PORT 51821 /* of a hub's backbone, where none is set */
#define CONFIG_NETWORKS_MAX 64
#define CONFIG_SELECTORS_MAX 64
#define CONFIG_INTERFACE_NAME_SIZE 16 /* with the final NUL; Linux's own limit */

enum config_implementation {
	CONFIG_IMPLEMENTATION_AUTO,
	CONFIG_IMPLEMENTATION_KERNEL,
	CONFIG_IMPLEMENTATION_USERSPACE,
};

enum config_when { CONFIG_WHEN_ALWAYS, CONFIG_WHEN_TRAFFIC, CONFIG_WHEN_ASKED };

enum config_level {
	CONFIG_LEVEL_ERROR,
	CONFIG_LEVEL_WARNING,
	CONFIG_LEVEL_NOTICE,
	CONFIG_LEVEL_INFO,
	CONFIG_LEVEL_DEBUG,
};

struct config_network {
	struct prefix prefix;
	uint32_t line; /* where it stands in the file */
	uint32_t column;
};

struct config_networks {
	uint32_t count;
	struct config_network items[CONFIG_NETWORKS_MAX];
};

/* Sites a rule speaks of: all that carry a tag, or one by name. */
struct config_selector {
	bool is_tag;
	char name[TEXT_NAME_MAX + 1];
};

struct config_selectors {
	uint32_t count;
	struct config_selector items[CONFIG_SELECTORS_MAX];
};

struct config_interface {
	char name[CONFIG_INTERFACE_NAME_SIZE];
	uint16_t port; /* 0: chosen by the agent and kept */
	uint16_t mtu;
};

struct config {
	char site_name[TEXT_NAME_MAX + 1]; /* empty: the certificate's, or the host's */
	struct config_networks site_lan;
	struct config_interface backbone;
	struct config_interface links;
	enum config_implementation implementation;
	struct config_selectors links_with;
	enum config_when links_when;
	bool links_publish_addresses;
	struct config_networks isolate;
	uint32_t limits_sites;
	enum config_level log_level;
	bool log_redact;
};

/* Every key at its default. Returns 0 or -ENOMEM. */
int config_defaults(struct config *ret);

/*
 * Reads a configuration. Returns 0; -EINVAL with at least one problem said, ret then holding what
 * was right and defaults elsewhere; -ENOMEM.
 */
int config_parse(struct config *ret, const char *bytes, size_t size, struct problems *problems);

/* The same from a file; "-" is standard input. Also returns what opening and reading returned. */
int config_load(struct config *ret, const char *path, struct problems *problems);

/* Says which networks of the file lie in the collective's own. Returns 0 or -EINVAL. */
int config_check_supernet(
	const struct config *config, const struct prefix *supernet, struct problems *problems);

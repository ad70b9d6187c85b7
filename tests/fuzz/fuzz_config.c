/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c - any bytes as a configuration file: refused with a reason, or read into values
 * that are in range.
 */
#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "tests/fuzz/fuzz.h"

static void check_networks(const struct config_networks *networks)
{
	REQUIRE(networks->count <= CONFIG_NETWORKS_MAX);
	for (uint32_t i = 0; i < networks->count; i++) {
		struct prefix canonical = prefix_canonical(&networks->items[i].prefix);

		REQUIRE(prefix_equal(&canonical, &networks->items[i].prefix));
		REQUIRE(networks->items[i].line > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct problems problems;
	static struct config config;
	int r;

	problems = (struct problems){0};
	r = config_parse(&config, (const char *)bytes, size, &problems);
	REQUIRE(r == 0 || r == -EINVAL);
	REQUIRE((r == 0) == (problems.count == 0));
	for (uint32_t i = 0; i < problems.count; i++) {
		REQUIRE(problems.items[i].text[0] != '\0');
		for (const char *at = problems.items[i].text; *at; at++)
			REQUIRE((unsigned char)*at >= 0x20);
	}
	REQUIRE(config.site_name[0] == '\0' || text_is_name(config.site_name));
	REQUIRE(config.backbone.mtu >= 1280 && config.backbone.mtu <= 9000);
	REQUIRE(config.links.mtu >= 1280 && config.links.mtu <= 9000);
	REQUIRE(config.limits_sites >= 2 && config.limits_sites <= 10000);
	REQUIRE(strlen(config.links.name) > 0);
	REQUIRE(config.log_level <= CONFIG_LEVEL_DEBUG);
	REQUIRE(config.links_with.count <= CONFIG_SELECTORS_MAX);
	for (uint32_t i = 0; i < config.links_with.count; i++)
		REQUIRE(text_is_name(config.links_with.items[i].name));
	check_networks(&config.site_lan);
	check_networks(&config.isolate);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "agent/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/config.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT. Returns 0 or -EINVAL, which was said. */
static int read_endpoint(const char *word, struct invite_endpoint *ret)
{
	struct invite_endpoint endpoint = {.port = CONFIG_HUB_PORT};
	struct address address;
	const char *end = word + strlen(word);
	const char *colon = strrchr(word, ':');
	size_t length;

	/* A bare IPv6 address is full of colons. */
	if (colon && address_parse(word, strlen(word), &address) < 0) {
		if (endpoint_parse_port(colon + 1, &endpoint.port) < 0) {
			say("\"%s\" is no endpoint: write HOST:PORT, such as hub.example.org:%d",
				word, CONFIG_HUB_PORT);
			return -EINVAL;
		}
		end = colon;
	}
	if (word[0] == '[' && end > word + 2 && end[-1] == ']') {
		word++;
		end--;
	}
	length = (size_t)(end - word);
	if (length == 0 || length > INVITE_HOST_MAX || strcspn(word, " \t/") < length) {
		say("\"%s\" is no endpoint: write HOST:PORT, such as hub.example.org:%d", word,
			CONFIG_HUB_PORT);
		return -EINVAL;
	}
	memcpy(endpoint.host, word, length);
	*ret = endpoint;
	return 0;
}

int argument_endpoints(const struct option_list *words, struct site_command *command)
{
	if (words->count > INVITE_ENDPOINTS_MAX) {
		say("an invite has room for %d endpoints", INVITE_ENDPOINTS_MAX);
		return -EINVAL;
	}
	command->endpoint_count = words->count;
	for (uint32_t i = 0; i < words->count; i++) {
		int r = read_endpoint(words->items[i], &command->endpoints[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int argument_network(const char *word, struct prefix *ret)
{
	char better[PREFIX_TEXT_SIZE];
	int r = prefix_parse(word, ret);

	if (r == 0)
		return 0;
	if (r == -EDOM) {
		prefix_print(ret, better);
		say("\"%s\" is an address in a network: did you mean %s?", word, better);
	} else {
		say("\"%s\" is no network: write ADDRESS/LENGTH, such as 192.168.7.0/24", word);
	}
	return -EINVAL;
}

int argument_networks(const struct option_list *words, struct prefixes *ret)
{
	for (uint32_t i = 0; i < words->count; i++) {
		if (ret->count == FIELD_PREFIXES_MAX) {
			say("a site can have %d networks", FIELD_PREFIXES_MAX);
			return -EINVAL;
		}
		if (argument_network(words->items[i], &ret->items[ret->count++]) < 0)
			return -EINVAL;
	}
	prefixes_sort(ret);
	for (uint32_t i = 1; i < ret->count; i++) {
		if (prefix_overlaps(&ret->items[i - 1], &ret->items[i])) {
			say("two of the networks overlap");
			return -EINVAL;
		}
	}
	return 0;
}

int argument_name(const char *word, char ret[static TEXT_NAME_MAX + 1])
{
	char shown[80];

	if (text_is_name(word)) {
		memcpy(ret, word, strlen(word) + 1);
		return 0;
	}
	text_show(word, strlen(word), shown, sizeof shown);
	say("\"%s\" is no name: use 1 to %d of a-z, 0-9 and -", shown, TEXT_NAME_MAX);
	return -EINVAL;
}

int argument_tags(const struct option_list *words, struct names *ret)
{
	for (uint32_t i = 0; i < words->count; i++) {
		if (ret->count == FIELD_NAMES_MAX) {
			say("a site can have %d tags", FIELD_NAMES_MAX);
			return -EINVAL;
		}
		if (argument_name(words->items[i], ret->items[ret->count++]) < 0)
			return -EINVAL;
	}
	names_sort(ret);
	return 0;
}

int argument_lifetime(const char *word, uint64_t *ret_ms)
{
	static const struct {
		char letter;
		uint64_t ms;
	} units[] = {{'m', 60000}, {'h', 3600000}, {'d', DAY_MS}};
	char *end;
	unsigned long number = strtoul(word, &end, 10);

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (end != word && word[0] != '-' && number > 0 && number <= 3650 &&
			end[0] == units[i].letter && end[1] == '\0') {
			*ret_ms = number * units[i].ms;
			return 0;
		}
	}
	say("\"%s\" is no time: write 30m, 24h or 7d", word);
	return -EINVAL;
}

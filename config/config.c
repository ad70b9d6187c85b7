/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endpoint.h"
#include "config/schema.h"
#include "config/tree.h"

#define SHOWN_SIZE 64
#define PATH_SIZE 128

struct reader {
	struct config *config;
	struct problems *problems;
};

/* A value, the key it belongs to, and where it goes. */
struct slot {
	const struct schema_key *key;
	const struct tree_node *node;
	void *target;
};

static void *target_of(struct config *config, const struct schema_key *key)
{
	return (char *)config + key->offset;
}

/* Names with a meaning of their own where the kernel keeps its settings. */
static bool is_taken_by_kernel(const char *name)
{
	static const char *const taken[] = {".", "..", "all", "default", "lo"};

	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		if (strcmp(name, taken[i]) == 0)
			return true;
	}
	return false;
}

static void refuse(struct reader *reader, const struct slot *slot)
{
	char allowed[SCHEMA_ALLOWED_SIZE];
	char shown[SHOWN_SIZE];

	if (slot->key->type == SCHEMA_INTERFACE && is_taken_by_kernel(slot->node->text)) {
		problems_add(reader->problems, slot->node->line, slot->node->column,
			"%s: \"%s\" means something else to the kernel: choose another name",
			slot->key->path, slot->node->text);
		return;
	}
	schema_allowed(slot->key, allowed);
	text_show(slot->node->text, strlen(slot->node->text), shown, sizeof shown);
	problems_add(reader->problems, slot->node->line, slot->node->column,
		"%s: \"%s\" is not allowed: write %s", slot->key->path, shown, allowed);
}

static bool is_interface_name(const char *text)
{
	size_t length = strnlen(text, CONFIG_INTERFACE_NAME_SIZE);

	if (length < 1 || length >= CONFIG_INTERFACE_NAME_SIZE || is_taken_by_kernel(text))
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
	       length;
}

/* Digits only, at most nine of them. */
static int parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	size_t length = strlen(text);
	uint32_t value = 0;

	if (length < 1 || length > 9 || (text[0] == '0' && length > 1))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	if (value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int set_number(const struct slot *slot, uint32_t *number)
{
	return parse_number(slot->node->text, slot->key->min, slot->key->max, number);
}

static int set_choice(const struct slot *slot)
{
	for (unsigned i = 0; slot->key->words[i]; i++) {
		if (strcmp(slot->key->words[i], slot->node->text) == 0) {
			memcpy(slot->target, &i, sizeof i);
			return 0;
		}
	}
	return -EINVAL;
}

static int set_port(const struct slot *slot)
{
	uint16_t port = 0;

	if (strcmp(slot->node->text, "auto") != 0 &&
		endpoint_parse_port(slot->node->text, &port) < 0)
		return -EINVAL;
	memcpy(slot->target, &port, sizeof port);
	return 0;
}

static int set_bool(const struct slot *slot)
{
	bool value = strcmp(slot->node->text, "true") == 0;

	if (!value && strcmp(slot->node->text, "false") != 0)
		return -EINVAL;
	memcpy(slot->target, &value, sizeof value);
	return 0;
}

/* Sets one value that is not a list. Returns 0 or -EINVAL. */
static int set_scalar(const struct slot *slot)
{
	const char *text = slot->node->text;
	uint32_t number;
	uint16_t narrow;

	switch (slot->key->type) {
	case SCHEMA_NAME:
		if (!text_is_name(text))
			return -EINVAL;
		memcpy(slot->target, text, strlen(text) + 1);
		return 0;
	case SCHEMA_INTERFACE:
		if (!is_interface_name(text))
			return -EINVAL;
		memcpy(slot->target, text, strlen(text) + 1);
		return 0;
	case SCHEMA_PORT:
		return set_port(slot);
	case SCHEMA_MTU:
		if (set_number(slot, &number) < 0)
			return -EINVAL;
		narrow = (uint16_t)number;
		memcpy(slot->target, &narrow, sizeof narrow);
		return 0;
	case SCHEMA_NUMBER:
		return set_number(slot, slot->target);
	case SCHEMA_CHOICE:
		return set_choice(slot);
	case SCHEMA_BOOL:
		return set_bool(slot);
	case SCHEMA_NETWORKS:
	case SCHEMA_SELECTORS:
	default:
		return -EINVAL;
	}
}

static void add_network(struct reader *reader, const struct slot *slot)
{
	struct config_networks *networks = slot->target;
	const struct tree_node *node = slot->node;
	struct config_network network = {.line = node->line, .column = node->column};
	char text[PREFIX_TEXT_SIZE];
	char shown[SHOWN_SIZE];

	text_show(node->text, strlen(node->text), shown, sizeof shown);
	switch (prefix_parse(node->text, &network.prefix)) {
	case 0:
		networks->items[networks->count++] = network;
		break;
	case -EDOM:
		prefix_print(&network.prefix, text);
		problems_add(reader->problems, node->line, node->column,
			"%s: \"%s\" has bits set behind its length: did you mean %s?",
			slot->key->path, shown, text);
		break;
	case -ERANGE:
		problems_add(reader->problems, node->line, node->column,
			"%s: \"%s\" has a length that is too great: at most /32 for IPv4, /128 for "
			"IPv6",
			slot->key->path, shown);
		break;
	default:
		problems_add(reader->problems, node->line, node->column,
			"%s: \"%s\" is not a network: write ADDRESS/LENGTH in full, such as "
			"192.168.7.0/24",
			slot->key->path, shown);
		break;
	}
}

static void add_selector(struct reader *reader, const struct slot *slot)
{
	struct config_selectors *selectors = slot->target;
	struct config_selector selector = {0};
	const char *name = slot->node->text;
	char shown[SHOWN_SIZE];

	if (strncmp(name, "tag:", 4) == 0) {
		selector.is_tag = true;
		name += 4;
	}
	if (!text_is_name(name)) {
		text_show(slot->node->text, strlen(slot->node->text), shown, sizeof shown);
		problems_add(reader->problems, slot->node->line, slot->node->column,
			"%s: \"%s\" is neither \"tag:NAME\" nor the name of a site (1 to %d of "
			"a-z, "
			"0-9 and \"-\")",
			slot->key->path, shown, TEXT_NAME_MAX);
		return;
	}
	memcpy(selector.name, name, strlen(name) + 1);
	selectors->items[selectors->count++] = selector;
}

static void set_list(struct reader *reader, const struct slot *slot)
{
	bool networks = slot->key->type == SCHEMA_NETWORKS;
	uint32_t most = networks ? CONFIG_NETWORKS_MAX : CONFIG_SELECTORS_MAX;
	uint32_t count = 0;

	/* What the file says replaces the default. */
	memset(slot->target, 0,
		networks ? sizeof(struct config_networks) : sizeof(struct config_selectors));
	for (const struct tree_node *node = slot->node->children; node; node = node->next) {
		struct slot item = {slot->key, node, slot->target};

		if (++count > most) {
			problems_add(reader->problems, node->line, node->column,
				"%s: more than %u entries", slot->key->path, most);
			return;
		}
		if (node->faulty)
			continue;
		if (node->kind != TREE_SCALAR) {
			problems_add(reader->problems, node->line, node->column,
				"%s: an entry must be a single value", slot->key->path);
			continue;
		}
		if (networks)
			add_network(reader, &item);
		else
			add_selector(reader, &item);
	}
}

static bool is_list(const struct schema_key *key)
{
	return key->type == SCHEMA_NETWORKS || key->type == SCHEMA_SELECTORS;
}

static void set_value(struct reader *reader, const struct slot *slot)
{
	const struct tree_node *node = slot->node;
	char allowed[SCHEMA_ALLOWED_SIZE];

	if (node->faulty)
		return;
	schema_allowed(slot->key, allowed);
	if (tree_is_empty(node)) {
		problems_add(reader->problems, node->line, node->column,
			"%s: nothing is set: write %s, or take the key out", slot->key->path,
			allowed);
	} else if (node->kind != (is_list(slot->key) ? TREE_LIST : TREE_SCALAR)) {
		static const char *const kinds[] = {"a single value", "a list", "a section"};

		problems_add(reader->problems, node->line, node->column,
			"%s: %s stands where %s is expected", slot->key->path, kinds[node->kind],
			allowed);
	} else if (is_list(slot->key)) {
		set_list(reader, slot);
	} else if (set_scalar(slot) < 0) {
		refuse(reader, slot);
	}
}

/* Whether some key begins with this path and a dot. */
static bool is_section(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < schema_key_count; i++) {
		if (strncmp(schema_keys[i].path, path, length) == 0 &&
			schema_keys[i].path[length] == '.')
			return true;
	}
	return false;
}

static bool ends_with(const char *path, const char *section, const char *word)
{
	char tail[PATH_SIZE];
	size_t length = strlen(path);
	size_t tail_length = (size_t)snprintf(
		tail, sizeof tail, ".%s%s%s", section, section[0] ? "." : "", word);

	return tail_length < sizeof tail && length > tail_length &&
	       strcmp(path + length - tail_length, tail) == 0;
}

/* The key that this one was in another place: best with its section, else by its last word. */
static const char *suggest_elsewhere(const char *section, const char *word)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		if (ends_with(schema_keys[i].path, section, word))
			return schema_keys[i].path;
	}
	for (size_t i = 0; i < schema_key_count; i++) {
		if (ends_with(schema_keys[i].path, "", word))
			return schema_keys[i].path;
	}
	return NULL;
}

/* Suggests what stands at this place in the schema, or else a whole path that ends alike. */
static const char *suggest(const char *section, const char *word, char *out, size_t size)
{
	struct text_nearest nearest;
	size_t skip = section[0] ? strlen(section) + 1 : 0;
	char candidates[32][SHOWN_SIZE];
	size_t count = 0;

	text_nearest_init(&nearest, word);
	for (size_t i = 0; i < schema_key_count && count < 32; i++) {
		const char *path = schema_keys[i].path;

		if (skip && (strncmp(path, section, skip - 1) != 0 || path[skip - 1] != '.'))
			continue;
		(void)snprintf(candidates[count], SHOWN_SIZE, "%.*s",
			(int)strcspn(path + skip, "."), path + skip);
		text_nearest_offer(&nearest, candidates[count++]);
	}
	if (!nearest.best)
		return suggest_elsewhere(section, word);
	(void)snprintf(out, size, "%s%s%s", section, section[0] ? "." : "", nearest.best);
	return out;
}

static void say_unknown(struct reader *reader, const char *section, const struct tree_node *key)
{
	char suggestion[PATH_SIZE];
	char shown[SHOWN_SIZE];
	const char *best = suggest(section, key->text, suggestion, sizeof suggestion);

	text_show(key->text, strlen(key->text), shown, sizeof shown);
	if (best)
		problems_add(reader->problems, key->line, key->column,
			"unknown key \"%s%s%s\": did you mean \"%s\"?", section,
			section[0] ? "." : "", shown, best);
	else
		problems_add(reader->problems, key->line, key->column,
			"unknown key \"%s%s%s\": \"collective config keys\" lists the known ones",
			section, section[0] ? "." : "", shown);
}

static void read_section(struct reader *reader, const char *section, const struct tree_node *node);

static void read_key(struct reader *reader, const char *section, const struct tree_node *key)
{
	const struct schema_key *found;
	char path[PATH_SIZE];
	int length = snprintf(
		path, sizeof path, "%s%s%s", section, section[0] ? "." : "", key->text);

	if (length < 0 || (size_t)length >= sizeof path) {
		say_unknown(reader, section, key);
		return;
	}
	found = schema_find(path);
	if (strchr(key->text, '.') && (found || is_section(path))) {
		problems_add(reader->problems, key->line, key->column,
			"\"%s\" is written as sections inside each other, not with a dot", path);
	} else if (found) {
		struct slot slot = {found, key->value, target_of(reader->config, found)};

		set_value(reader, &slot);
	} else if (is_section(path)) {
		read_section(reader, path, key->value);
	} else {
		say_unknown(reader, section, key);
	}
}

/* Recursion is as deep as the schema's paths. NOLINTNEXTLINE(misc-no-recursion) */
static void read_section(struct reader *reader, const char *section, const struct tree_node *node)
{
	if (node->faulty || tree_is_empty(node))
		return;
	if (node->kind != TREE_MAP) {
		problems_add(reader->problems, node->line, node->column,
			"%s%s keys are expected here, each on its own line as KEY: VALUE", section,
			section[0] ? ":" : "at the top");
		return;
	}
	for (const struct tree_node *key = node->children; key; key = key->next) {
		if (!key->faulty && key->value)
			read_key(reader, section, key);
	}
}

/* A network that would take over what is not the site's to offer. */
static void check_offer(const struct config_network *offered, struct problems *problems)
{
	const char *reserved = prefix_reserved(&offered->prefix);
	char text[PREFIX_TEXT_SIZE];

	prefix_print(&offered->prefix, text);
	if (reserved)
		problems_add(problems, offered->line, offered->column,
			"site.lan: %s is or overlaps %s, which no site can offer", text, reserved);
}

/* Names two networks of the file that overlap, at the later one. */
static void check_pair(const char *a_path, const struct config_network *a, const char *b_path,
	const struct config_network *b, struct problems *problems)
{
	bool swap = a->line > b->line || (a->line == b->line && a->column > b->column);
	const struct config_network *first = swap ? b : a;
	const struct config_network *second = swap ? a : b;
	char first_text[PREFIX_TEXT_SIZE];
	char second_text[PREFIX_TEXT_SIZE];

	if (!prefix_overlaps(&a->prefix, &b->prefix))
		return;
	prefix_print(&first->prefix, first_text);
	prefix_print(&second->prefix, second_text);
	problems_add(problems, second->line, second->column,
		"%s: %s in line %u overlaps %s in line %u (%s)", swap ? a_path : b_path,
		second_text, second->line, first_text, first->line, swap ? b_path : a_path);
}

static void check_networks(const struct config *config, struct problems *problems)
{
	const struct {
		const char *path;
		const struct config_networks *networks;
	} lists[] = {{"site.lan", &config->site_lan}, {"isolate", &config->isolate}};

	for (uint32_t i = 0; i < config->site_lan.count; i++)
		check_offer(&config->site_lan.items[i], problems);
	for (size_t x = 0; x < 2; x++) {
		for (uint32_t i = 0; i < lists[x].networks->count; i++) {
			const struct config_network *a = &lists[x].networks->items[i];

			for (uint32_t j = i + 1; j < lists[x].networks->count; j++)
				check_pair(lists[x].path, a, lists[x].path,
					&lists[x].networks->items[j], problems);
			for (uint32_t j = 0; x == 0 && j < lists[1].networks->count; j++)
				check_pair(lists[0].path, a, lists[1].path,
					&lists[1].networks->items[j], problems);
		}
	}
}

static const struct tree_node *find_node(const struct tree *tree, const char *a, const char *b)
{
	return tree_get(tree_get(tree_get(tree->root, "interfaces"), a), b);
}

/* The two interfaces cannot share a name or a port. */
static void check_interfaces(
	const struct config *config, const struct tree *tree, struct problems *problems)
{
	const struct tree_node *name = find_node(tree, "links", "name");
	const struct tree_node *port = find_node(tree, "links", "port");

	if (!name)
		name = find_node(tree, "backbone", "name");
	if (name && strcmp(config->backbone.name, config->links.name) == 0)
		problems_add(problems, name->line, name->column,
			"interfaces.backbone.name and interfaces.links.name are both \"%s\": they "
			"are two interfaces",
			config->links.name);
	if (port && config->links.port != 0 && config->backbone.port == config->links.port)
		problems_add(problems, port->line, port->column,
			"interfaces.backbone.port and interfaces.links.port are both %u: each "
			"interface needs its own",
			config->links.port);
}

/* Sets a key from its default's text, which is right: a test reads every one of them. */
static int set_default(struct reader *reader, const struct schema_key *key)
{
	struct tree tree = {0};
	int r;

	if (!key->fallback[0])
		return 0;
	r = tree_parse(&tree, key->fallback, strlen(key->fallback), reader->problems);
	if (r == 0) {
		struct slot slot = {key, tree.root, target_of(reader->config, key)};

		set_value(reader, &slot);
	}
	tree_free(&tree);
	return r;
}

int config_defaults(struct config *ret)
{
	struct problems *problems = calloc(1, sizeof *problems);
	struct reader reader = {.config = ret, .problems = problems};
	int r = problems ? 0 : -ENOMEM;

	*ret = (struct config){0};
	for (size_t i = 0; r == 0 && i < schema_key_count; i++)
		r = set_default(&reader, &schema_keys[i]);
	free(problems);
	return r;
}

int config_parse(struct config *ret, const char *bytes, size_t size, struct problems *problems)
{
	struct reader reader = {.config = ret, .problems = problems};
	uint32_t before = problems->count + problems->dropped;
	struct tree tree;
	int r;

	r = config_defaults(ret);
	if (r < 0)
		return r;
	r = tree_parse(&tree, bytes, size, problems);
	if (r == 0 && tree.root) {
		read_section(&reader, "", tree.root);
		check_networks(ret, problems);
		check_interfaces(ret, &tree, problems);
	}
	tree_free(&tree);
	if (r < 0)
		return r;
	problems_sort(problems);
	return problems->count + problems->dropped > before ? -EINVAL : 0;
}

int config_load(struct config *ret, const char *path, struct problems *problems)
{
	char *bytes;
	size_t size;
	int r = tree_read_file(path, &bytes, &size);

	if (r < 0)
		return r;
	r = config_parse(ret, bytes, size, problems);
	free(bytes);
	return r;
}

int config_check_supernet(
	const struct config *config, const struct prefix *supernet, struct problems *problems)
{
	const struct config_networks *lists[] = {&config->site_lan, &config->isolate};
	static const char *const paths[] = {"site.lan", "isolate"};
	char own[PREFIX_TEXT_SIZE];
	int r = 0;

	prefix_print(supernet, own);
	for (size_t x = 0; x < 2; x++) {
		for (uint32_t i = 0; i < lists[x]->count; i++) {
			const struct config_network *network = &lists[x]->items[i];
			char text[PREFIX_TEXT_SIZE];

			if (!prefix_overlaps(&network->prefix, supernet))
				continue;
			prefix_print(&network->prefix, text);
			problems_add(problems, network->line, network->column,
				"%s: %s overlaps %s, the collective's own network", paths[x], text,
				own);
			r = -EINVAL;
		}
	}
	problems_sort(problems);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/text.h"

#define SHOWN_SIZE 64

/* A map or list that is being filled. */
struct level {
	struct tree_node *node;
	struct tree_node *last; /* child */
	uint32_t keys;
};

struct builder {
	struct tree *tree;
	struct problems *problems;
	yaml_parser_t parser;
	struct level levels[TREE_DEPTH_MAX];
	size_t depth;
	bool done; /* the first document has ended */
};

static uint32_t line_of(const yaml_mark_t *mark)
{
	return (uint32_t)mark->line + 1;
}

static uint32_t column_of(const yaml_mark_t *mark)
{
	return (uint32_t)mark->column + 1;
}

static struct tree_node *new_node(struct builder *b, enum tree_kind kind, const yaml_mark_t *mark)
{
	struct tree_node *node = calloc(1, sizeof *node);

	if (!node)
		return NULL;
	node->kind = kind;
	node->line = line_of(mark);
	node->column = column_of(mark);
	node->allocated = b->tree->allocated;
	b->tree->allocated = node;
	b->tree->count++;
	return node;
}

/* Says what is wrong with a key; a key that cannot be used is faulty, so its value is passed over.
 */
static void check_key(struct builder *b, const struct level *level, struct tree_node *key)
{
	if (key->faulty)
		return;
	if (key->kind != TREE_SCALAR) {
		problems_add(b->problems, key->line, key->column, "a key must be a plain word");
		key->faulty = true;
		return;
	}
	for (const struct tree_node *other = level->node->children; other; other = other->next) {
		char shown[SHOWN_SIZE];

		if (other == key || other->kind != TREE_SCALAR || !other->text ||
			strcmp(other->text, key->text) != 0)
			continue;
		text_show(key->text, strlen(key->text), shown, sizeof shown);
		problems_add(b->problems, key->line, key->column,
			"duplicate key \"%s\": it already stands in line %u", shown, other->line);
		key->faulty = true;
		return;
	}
}

/* Puts a new node where it belongs. Returns 0 or -E2BIG when a map has too many keys. */
static int place_node(struct builder *b, struct tree_node *node)
{
	if (b->depth == 0) {
		b->tree->root = node;
		return 0;
	}

	struct level *level = &b->levels[b->depth - 1];

	if (level->node->kind == TREE_MAP && level->last && !level->last->value) {
		level->last->value = node;
		return 0;
	}
	if (level->node->kind == TREE_MAP) {
		if (++level->keys > TREE_KEYS_MAX) {
			problems_add(b->problems, node->line, node->column,
				"more than %d keys in one place", TREE_KEYS_MAX);
			return -E2BIG;
		}
		check_key(b, level, node);
	}
	if (level->last)
		level->last->next = node;
	else
		level->node->children = node;
	level->last = node;
	return 0;
}

static void check_decoration(struct builder *b, struct tree_node *node, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	if (anchor) {
		problems_add(b->problems, node->line, node->column,
			"anchors are not used here: write the value out");
		node->faulty = true;
	}
	if (tag) {
		problems_add(b->problems, node->line, node->column,
			"tags are not used here: leave the \"!\" out");
		node->faulty = true;
	}
}

static int fill_scalar(struct builder *b, struct tree_node *node, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;

	node->text = malloc(length + 1);
	if (!node->text)
		return -ENOMEM;
	memcpy(node->text, value, length);
	node->text[length] = '\0';
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (strlen(node->text) != length) {
		problems_add(
			b->problems, node->line, node->column, "a value holds a NUL character");
		node->faulty = true;
	}
	check_decoration(b, node, event->data.scalar.anchor, event->data.scalar.tag);
	return 0;
}

static int fill_alias(struct builder *b, struct tree_node *node)
{
	problems_add(b->problems, node->line, node->column,
		"aliases (\"*name\") are not used here: write the value out");
	node->faulty = true;
	node->text = strdup("");
	return node->text ? 0 : -ENOMEM;
}

static enum tree_kind kind_of(const yaml_event_t *event)
{
	if (event->type == YAML_MAPPING_START_EVENT)
		return TREE_MAP;
	return event->type == YAML_SEQUENCE_START_EVENT ? TREE_LIST : TREE_SCALAR;
}

static int add_node(struct builder *b, const yaml_event_t *event)
{
	struct tree_node *node;
	int r = 0;

	if (b->tree->count == TREE_NODES_MAX) {
		problems_add(b->problems, line_of(&event->start_mark),
			column_of(&event->start_mark), "more than %d values in one file",
			TREE_NODES_MAX);
		return -E2BIG;
	}
	node = new_node(b, kind_of(event), &event->start_mark);
	if (!node)
		return -ENOMEM;
	if (event->type == YAML_SCALAR_EVENT)
		r = fill_scalar(b, node, event);
	else if (event->type == YAML_ALIAS_EVENT)
		r = fill_alias(b, node);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		check_decoration(
			b, node, event->data.sequence_start.anchor, event->data.sequence_start.tag);
	else
		check_decoration(
			b, node, event->data.mapping_start.anchor, event->data.mapping_start.tag);
	if (r < 0)
		return r;
	r = place_node(b, node);
	if (r < 0 || node->kind == TREE_SCALAR)
		return r;
	if (b->depth == TREE_DEPTH_MAX) {
		problems_add(b->problems, node->line, node->column,
			"nested more than %d levels deep", TREE_DEPTH_MAX);
		return -E2BIG;
	}
	b->levels[b->depth++] = (struct level){.node = node};
	return 0;
}

static int start_document(struct builder *b, const yaml_event_t *event)
{
	if (b->done) {
		problems_add(b->problems, line_of(&event->start_mark),
			column_of(&event->start_mark),
			"a second document begins here: one file holds one");
		return -E2BIG;
	}
	if (event->data.document_start.version_directive ||
		event->data.document_start.tag_directives.start !=
			event->data.document_start.tag_directives.end)
		problems_add(b->problems, line_of(&event->start_mark),
			column_of(&event->start_mark),
			"directives (\"%%\") are not used here: leave them out");
	return 0;
}

/* Returns 0 to go on, 1 at the end, -E2BIG to stop with a problem already said, -ENOMEM. */
static int take_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		return start_document(b, event);
	case YAML_DOCUMENT_END_EVENT:
		b->done = true;
		return 0;
	case YAML_ALIAS_EVENT:
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return add_node(b, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	default:
		return 0;
	}
}

/* The parser stopped: its own words, with its own place. */
static int say_syntax(struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	/* A reader error has no mark of its own; the place reached is the best there is. */
	const yaml_mark_t *mark = parser->error == YAML_READER_ERROR ? &parser->mark
								     : &parser->problem_mark;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		problems_add(b->problems, line_of(mark), column_of(mark),
			"not YAML: %s (%s that begins in line %u)", parser->problem,
			parser->context, line_of(&parser->context_mark));
	else
		problems_add(b->problems, line_of(mark), column_of(mark), "not YAML: %s",
			parser->problem ? parser->problem : "cannot be read");
	return -E2BIG;
}

int tree_parse(struct tree *tree, const char *bytes, size_t size, struct problems *problems)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
	struct builder b = {.tree = tree, .problems = problems};
	int r = 0;

	*tree = (struct tree){0};
	if (size > TREE_FILE_MAX) {
		problems_add(problems, 0, 0, "larger than 1 MiB");
		return 0;
	}
	if (size >= 3 && memcmp(bytes, mark, 3) == 0) {
		bytes += 3;
		size -= 3;
	}
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)bytes, size);
	while (r == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&b.parser, &event)) {
			r = say_syntax(&b);
			break;
		}
		r = take_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&b.parser);
	return r == -ENOMEM ? r : 0;
}

static int read_all(int fd, char *bytes, size_t most, size_t *ret_size)
{
	size_t size = 0;

	while (size < most) {
		ssize_t n = read(fd, bytes + size, most - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_size = size;
	return 0;
}

int tree_read_file(const char *path, char **ret_bytes, size_t *ret_size)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *bytes = NULL;
	int r;

	if (fd < 0)
		return -errno;
	/* One byte more than allowed, so that too large is seen as such. */
	bytes = malloc(TREE_FILE_MAX + 1);
	r = bytes ? read_all(fd, bytes, TREE_FILE_MAX + 1, ret_size) : -ENOMEM;
	if (!is_stdin)
		(void)close(fd);
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	return 0;
}

const struct tree_node *tree_get(const struct tree_node *map, const char *key)
{
	if (!map || map->kind != TREE_MAP)
		return NULL;
	for (const struct tree_node *child = map->children; child; child = child->next) {
		if (!child->faulty && strcmp(child->text, key) == 0)
			return child->value;
	}
	return NULL;
}

bool tree_is_empty(const struct tree_node *node)
{
	return node->kind == TREE_SCALAR && !node->quoted && node->text[0] == '\0';
}

void tree_free(struct tree *tree)
{
	while (tree->allocated) {
		struct tree_node *node = tree->allocated;

		tree->allocated = node->allocated;
		free(node->text);
		free(node);
	}
	*tree = (struct tree){0};
}

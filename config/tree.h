/* SPDX-License-Identifier: MIT */
/*
 * tree.h - a YAML text as a bounded tree in which every node knows its place.
 *
 * Maps, lists and scalars only. Anchors, aliases, tags, directives, keys that are not plain words,
 * duplicate keys and a second document are problems. Scalars are text: what they mean is for the
 * reader's own table to say, never for YAML's guessing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/problem.h"

#define TREE_FILE_MAX (1024 * 1024)
#define TREE_DEPTH_MAX 16
#define TREE_NODES_MAX 20000
#define TREE_KEYS_MAX 1000 /* in one map */

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_kind kind;
	bool faulty; /* a problem was already said about it: do not look inside */
	bool quoted; /* a scalar in quotes, or a block */
	uint32_t line;
	uint32_t column;
	char *text;                 /* scalar, NUL-terminated, without NUL inside */
	struct tree_node *children; /* of a list: items; of a map: keys, which are scalars */
	struct tree_node *value;    /* of a key */
	struct tree_node *next;     /* sibling */
	struct tree_node *allocated;
};

struct tree {
	struct tree_node *root; /* NULL for an empty text */
	struct tree_node *allocated;
	uint32_t count;
};

/*
 * Reads a text. Returns 0, also when problems were found in it: the tree then holds what could be
 * read. Returns -ENOMEM when memory ran out. The tree is freed by the caller in either case.
 */
int tree_parse(struct tree *tree, const char *bytes, size_t size, struct problems *problems);

/* Reads a whole file of at most TREE_FILE_MAX; "-" is standard input. Caller frees *ret_bytes. */
int tree_read_file(const char *path, char **ret_bytes, size_t *ret_size);

/* The value under a key of a map, or NULL. */
const struct tree_node *tree_get(const struct tree_node *map, const char *key);

/* Whether nothing was written where a value could stand, as in "site:". */
bool tree_is_empty(const struct tree_node *node);

void tree_free(struct tree *tree);

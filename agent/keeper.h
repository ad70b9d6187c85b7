/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - between the brain and the store: what was kept is handed to the one, and what is to be
 * kept to the other.
 */
#pragma once

#include "site/site.h"
#include "store/store.h"

/* Hands a blank site all that the store holds. Returns 0 or an error, with why. */
int keeper_restore(struct store *store, struct site *site, char why[static STORE_WHY_SIZE]);

/*
 * Does the saving of a list of actions: keys first, then all rows as one change, then promotions;
 * nothing more after the first failure. Says whether there was anything to save. Returns 0 or that
 * failure.
 */
int keeper_save(struct store *store, const struct site_actions *actions, bool *ret_any);

/* Keeps one row: for programs that prepare a state. Returns 0 or an error. */
int keeper_put(struct store *store, const struct site_row *row);

/* The private keys that interfaces of ours have or may have had. Returns how many these are. */
uint32_t keeper_interface_keys(
	struct store *store, struct key ret[static SITE_KEY_SLOTS], enum site_interface interface);

/* The port that an interface got when it was free to choose; 0: none yet. */
uint16_t keeper_port(struct store *store, enum site_interface interface);
int keeper_save_port(struct store *store, enum site_interface interface, uint16_t port);

/* Writes down for "collective events" what happened. */
int keeper_save_event(struct store *store, uint64_t wall, const char *text);

/* The same of what the brain wrote down; words are its words, with name and number in them. */
#define KEEPER_WORDS_SIZE 256
void keeper_words(const struct site_action *log, char ret[static KEEPER_WORDS_SIZE]);
int keeper_save_log(struct store *store, uint64_t wall, const struct site_action *log);

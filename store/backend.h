/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what a make of store has to bring. The rules that both makes share (floors, history,
 * limits) stand in store.c; a backend keeps rows and keys and nothing more.
 */
#pragma once

#include "store/store.h"

struct store_backend {
	void (*close)(struct store *store);
	int (*write)(struct store *store, const struct store_row *rows, size_t count);
	int (*read)(struct store *store, const struct store_row *wanted, struct store_value *ret);
	int (*walk)(struct store *store, enum store_table table, store_each_fn each, void *context);
	int (*key_read)(struct store *store, enum store_key_slot slot, struct key *ret,
		char why[static STORE_WHY_SIZE]);
	int (*key_write)(struct store *store, enum store_key_slot slot, const struct key *key);
	int (*key_promote)(struct store *store, enum store_key_slot from, enum store_key_slot to);
	int (*key_remove)(struct store *store, enum store_key_slot slot);
};

/* The first member of each make's own struct. */
struct store {
	const struct store_backend *backend;
	uint64_t next_event;
};

/* Finds the number of the next event in a store that was just opened. */
int store_find_next_event(struct store *store);

/* Names of the key files in the state directory. */
extern const char *const store_key_files[STORE_KEY_SLOTS];

#define STORE_FILE "state.db"
#define STORE_RESTORING "restoring" /* a directory that is there while a restore goes on */

/* Opens a directory for state: makes it if told, and checks that it is private. */
int directory_open(int *ret_fd, const char *path, bool create, char why[static STORE_WHY_SIZE]);

/* Makes a directory's own entry durable, in the directory that holds it. */
int directory_sync_parent(const char *path);

bool directory_has(int dir_fd, const char *name);

/* Takes the lock of a state directory; it is held until the descriptor is closed. */
int directory_lock(int *ret_fd, int dir_fd, const char *path, char why[static STORE_WHY_SIZE]);

/* Brings everything of a state in SQLite into its one file. To be followed by store_close(). */
int sqlite_gather(struct store *store);

/* Gives a file that root made to the owner of the directory. */
void directory_own(int dir_fd, int file_fd);

/* Key files in a directory. */
int key_file_read(
	int dir_fd, enum store_key_slot slot, struct key *ret, char why[static STORE_WHY_SIZE]);
int key_file_write(int dir_fd, enum store_key_slot slot, const struct key *key);
int key_file_rename(int dir_fd, enum store_key_slot from, enum store_key_slot to);
int key_file_remove(int dir_fd, enum store_key_slot slot);

/* Whether any key file is there. */
bool key_file_any(int dir_fd);

/* What it takes to try a passphrase: Argon2id's passes and memory. */
struct backup_cost {
	uint32_t passes;
	uint32_t kib;
};

/* store_backup() at another cost than the one for people: for tests. */
int backup_write(struct store *store, const char *path, const char *passphrase,
	const struct backup_cost *cost, char why[static STORE_WHY_SIZE]);

/* Empties and removes what a restore has left, where the database itself is in place. */
void restoring_remove(int dir_fd);

/* Writes an explanation. Returns r, so that it can end a function. */
int explain(char why[static STORE_WHY_SIZE], int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

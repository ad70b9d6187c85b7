/* SPDX-License-Identifier: MIT */
/*
 * store.h - what a site must not forget.
 *
 * Rows of opaque bytes in a few tables, and private keys in files of their own. A change of any
 * number of rows is all there or not at all, and durable when store_write() returns. The store
 * does not know what the bytes mean.
 *
 * Two makes behind one face: SQLite in a directory, and a twin in memory for the simulator and for
 * tests. Errors are negative errno: -ENOSPC disk full, -EIO, -EROFS, -EBADMSG what was read is not
 * what was written, -ENOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

#define STORE_KEY_MAX 64       /* bytes of a row's key */
#define STORE_BYTES_MAX 4096   /* bytes of a row */
#define STORE_ROWS_MAX 256     /* rows in one change */
#define STORE_EVENTS_MAX 1000  /* rows of the history; older ones make room */
#define STORE_WHY_SIZE 512     /* an explanation for people */
#define STORE_PASSPHRASE_MIN 8 /* characters */

enum store_table {
	STORE_SETTING,   /* by name: supernet, chosen ports, … */
	STORE_FACT,      /* certificates, records, revocations, delegations */
	STORE_PRESHARED, /* preshared keys by peer */
	STORE_INVITE,    /* sealed secrets of open invites */
	STORE_ENDPOINT,  /* where a peer was last heard; version is the wall time */
	STORE_FLOOR,     /* numbers that never fall; the version is the number */
	STORE_EVENT,     /* history; version is the wall time; the store gives the key, kind is 0 */
	STORE_TABLES,
};

struct store_row {
	enum store_table table;
	uint8_t kind; /* the caller's own division of a table */
	uint8_t key_size;
	const void *key;
	uint64_t version; /* at most INT64_MAX */
	const void *bytes;
	size_t size;
	bool remove; /* in store_write(): take the row out; absent is fine */
};

/* A row that was read, with the memory it stands in. */
struct store_value {
	uint64_t version;
	size_t size;
	uint8_t bytes[STORE_BYTES_MAX];
};

enum store_key_slot {
	STORE_KEY_IDENTITY,
	STORE_KEY_BACKBONE,
	STORE_KEY_BACKBONE_PENDING,
	STORE_KEY_LINKS,
	STORE_KEY_LINKS_PENDING,
	STORE_KEY_ADMIN, /* seeds of the keys that sign delegations and certificates */
	STORE_KEY_ROOT,
	STORE_KEY_SLOTS,
};

struct store;

typedef int (*store_each_fn)(const struct store_row *row, void *context);

/*
 * Opens the state in a directory and locks it; with create, makes it where there is none. Returns
 * 0 or, with the reason and the remedy in why: -ENOENT no state there, -EBUSY in use by another
 * process, -EPERM readable by others, -EBADMSG damaged, -EPROTONOSUPPORT written by a newer
 * program, or what the system said. A state that is refused is left as it was.
 */
int store_open(
	struct store **ret, const char *directory, bool create, char why[static STORE_WHY_SIZE]);

/*
 * Opens a state that another process may have in use, as it stands at this moment: for reading, and
 * for a backup. Nothing can be written: -EROFS. Returns 0 or, with why, what store_open() does.
 */
int store_open_beside(struct store **ret, const char *directory, char why[static STORE_WHY_SIZE]);

/*
 * Reads one row of a state without locking it: for a glance beside a running agent. Returns 0,
 * -ENOENT when there is no state or no such row, -EACCES, -EBADMSG.
 */
int store_peek(const char *directory, enum store_table table, uint8_t kind, const char *key,
	struct store_value *ret);

/* An empty state in memory. */
int store_open_memory(struct store **ret);

/* Closes; NULL is fine. */
void store_close(struct store *store);

/*
 * Makes one durable change. Rows are applied in order. A row of STORE_FLOOR below what is there
 * changes nothing; a row of STORE_EVENT comes without key and pushes out the oldest beyond
 * STORE_EVENTS_MAX. On failure nothing has changed.
 */
int store_write(struct store *store, const struct store_row *rows, size_t count);

/* Reads one row. Returns 0 or -ENOENT. */
int store_read(struct store *store, enum store_table table, uint8_t kind, const void *key,
	size_t key_size, struct store_value *ret);

/* Calls each for every row of a table, by kind and key. Stops at, and returns, a negative result.
 */
int store_walk(struct store *store, enum store_table table, store_each_fn each, void *context);

/*
 * Reads a private key. Returns 0, -ENOENT, -EPERM when others can read its file, -EBADMSG when it
 * holds no key; why says which file and what to do.
 */
int store_key_read(struct store *store, enum store_key_slot slot, struct key *ret,
	char why[static STORE_WHY_SIZE]);

/* Writes a private key durably, in one step. */
int store_key_write(struct store *store, enum store_key_slot slot, const struct key *key);

/* Makes a pending key the current one, in one step. Returns 0 or -ENOENT. */
int store_key_promote(struct store *store, enum store_key_slot pending);

/* Removes a private key; absent is fine. */
int store_key_remove(struct store *store, enum store_key_slot slot);

/* The name of a table, as in the database. */
const char *store_table_name(enum store_table table);

/*
 * Writes the whole state into a new file, sealed by a passphrase. An existing file is not touched:
 * -EEXIST. why says what happened.
 */
int store_backup(struct store *store, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE]);

/*
 * Rebuilds a state from a backup in a directory that holds none. Interrupted, it can be run again.
 * Returns 0 or, with why: -EEXIST there is a state, -EBADMSG not a backup or damaged, -EKEYREJECTED
 * another passphrase, or what the system said.
 */
int store_restore(const char *directory, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE]);

/* The same of a root key alone: a file of its own kind, that is no backup of a site. */
int store_root_export(const struct key *root, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE]);
int store_root_import(
	struct key *ret, const char *path, const char *passphrase, char why[static STORE_WHY_SIZE]);

/* SPDX-License-Identifier: MIT */
/*
 * sqlite.c - rows in SQLite: write-ahead log, every change synced before it is confirmed.
 *
 * Each row carries a checksum, since SQLite's pages have none: what was damaged on the disk is
 * refused instead of believed. A database is made under another name and renamed when it is whole,
 * so an empty or short file is always damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "store/backend.h"

#define APPLICATION_ID 0x636f6c6c /* "coll" */
#define SUM_SIZE 16
#define PATH_SIZE 4096
#define BUSY_MS 2000 /* a person with the sqlite3 shell may hold a read lock for a moment */
#define HEADER_SIZE 100
#define VIEW_ATTEMPTS 5

#define STATE_TABLE(name)                                                                         \
	"CREATE TABLE " name " (kind INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT "   \
	"NULL, bytes BLOB NOT NULL, sum BLOB NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT " \
	"ROWID;"

/* Row n brings a database from schema n to n + 1. Rows are only ever added. */
static const char *const migrations[] = {
	STATE_TABLE("setting") STATE_TABLE("fact") STATE_TABLE("preshared") STATE_TABLE("invite")
		STATE_TABLE("endpoint") STATE_TABLE("floor") STATE_TABLE("event"),
};

#define SCHEMA ((int)(sizeof migrations / sizeof migrations[0]))

enum operation { OPERATION_PUT, OPERATION_DELETE, OPERATION_GET, OPERATION_WALK, OPERATIONS };

struct sqlite_store {
	struct store store;
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_TABLES][OPERATIONS];
	sqlite3_stmt *begin;
	sqlite3_stmt *commit;
	sqlite3_stmt *rollback;
	int dir_fd;
	int lock_fd;
	struct key_copies *copies; /* of one that is beside its owner's; NULL: it is ours */
};

/* Private keys as they stood at one moment. */
struct key_copies {
	int results[STORE_KEY_SLOTS];
	struct key keys[STORE_KEY_SLOTS];
};

static struct sqlite_store *of(struct store *store)
{
	return (struct sqlite_store *)store;
}

/* SQLite's result as a negative errno; 0 for the ones that are none. */
static int to_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	/* Our statements and rows are right: it is what stands there that is not. */
	case SQLITE_ERROR:
	case SQLITE_TOOBIG:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

static int execute(sqlite3 *db, const char *text)
{
	return to_errno(sqlite3_exec(db, text, NULL, NULL, NULL));
}

/* The one number that a PRAGMA answers. */
static int query_number(sqlite3 *db, const char *text, int64_t *out)
{
	sqlite3_stmt *statement;
	int r = to_errno(sqlite3_prepare_v2(db, text, -1, &statement, NULL));

	if (r < 0)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		*out = sqlite3_column_int64(statement, 0);
		r = 0;
	} else {
		r = to_errno(r) < 0 ? to_errno(r) : -EBADMSG;
	}
	(void)sqlite3_finalize(statement);
	return r;
}

static void checksum(const struct store_row *row, uint8_t out[static SUM_SIZE])
{
	const char *table = store_table_name(row->table);
	crypto_generichash_state state;
	uint8_t numbers[10];

	numbers[0] = row->kind;
	numbers[1] = row->key_size;
	for (size_t i = 0; i < 8; i++)
		numbers[2 + i] = (uint8_t)(row->version >> (8 * i));
	crypto_generichash_init(&state, NULL, 0, SUM_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)table, strlen(table) + 1);
	crypto_generichash_update(&state, numbers, sizeof numbers);
	crypto_generichash_update(&state, row->key, row->key_size);
	crypto_generichash_update(&state, row->bytes, row->size);
	crypto_generichash_final(&state, out, SUM_SIZE);
}

/* What stands before and behind the table's name. */
static const char *const operation_texts[OPERATIONS][2] = {
	[OPERATION_PUT] = {"INSERT INTO ",
		" (kind, key, version, bytes, sum) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (kind, "
		"key) DO UPDATE SET version = excluded.version, bytes = excluded.bytes, sum = "
		"excluded.sum"},
	[OPERATION_DELETE] = {"DELETE FROM ", " WHERE kind = ?1 AND key = ?2"},
	[OPERATION_GET] = {"SELECT kind, key, version, bytes, sum FROM ",
		" WHERE kind = ?1 AND key = ?2"},
	[OPERATION_WALK] = {"SELECT kind, key, version, bytes, sum FROM ", " ORDER BY kind, key"},
};

static int prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement)
{
	if (*statement)
		return 0;
	return to_errno(
		sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL));
}

/* A statement, made at its first use. */
static int statement_for(struct sqlite_store *sqlite, enum store_table table,
	enum operation operation, sqlite3_stmt **ret)
{
	char text[256];
	int r;

	(void)snprintf(text, sizeof text, "%s%s%s", operation_texts[operation][0],
		store_table_name(table), operation_texts[operation][1]);
	r = prepare(sqlite->db, text, &sqlite->statements[table][operation]);
	*ret = sqlite->statements[table][operation];
	return r;
}

/* Runs a statement that answers nothing, and makes it ready for the next time. */
static int run(sqlite3_stmt *statement)
{
	int r = to_errno(sqlite3_step(statement));

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return r;
}

static int bind_key(sqlite3_stmt *statement, const struct store_row *row)
{
	int r = sqlite3_bind_int(statement, 1, row->kind);

	if (r == SQLITE_OK)
		r = sqlite3_bind_blob(statement, 2, row->key, row->key_size, SQLITE_STATIC);
	return to_errno(r);
}

static int put_row(struct sqlite_store *sqlite, const struct store_row *row)
{
	uint8_t sum[SUM_SIZE];
	sqlite3_stmt *statement;
	int r = statement_for(
		sqlite, row->table, row->remove ? OPERATION_DELETE : OPERATION_PUT, &statement);

	if (r == 0)
		r = bind_key(statement, row);
	if (r == 0 && !row->remove) {
		checksum(row, sum);
		r = sqlite3_bind_int64(statement, 3, (int64_t)row->version);
		/* An empty blob, not NULL, where there are no bytes. */
		if (r == SQLITE_OK)
			r = sqlite3_bind_blob(statement, 4, row->size ? row->bytes : "",
				(int)row->size, SQLITE_STATIC);
		if (r == SQLITE_OK)
			r = sqlite3_bind_blob(statement, 5, sum, SUM_SIZE, SQLITE_STATIC);
		r = to_errno(r);
	}
	return r == 0 ? run(statement) : r;
}

static int sqlite_write(struct store *store, const struct store_row *rows, size_t count)
{
	struct sqlite_store *sqlite = of(store);
	int r = sqlite->copies ? -EROFS : run(sqlite->begin);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++)
		r = put_row(sqlite, &rows[i]);
	if (r == 0)
		r = run(sqlite->commit);
	/* Some failures end the transaction by themselves. */
	if (r < 0 && !sqlite3_get_autocommit(sqlite->db))
		(void)run(sqlite->rollback);
	return r;
}

/* Takes a row from a statement that stands on one. Its memory lives until the next step. */
static int column_row(sqlite3_stmt *statement, enum store_table table, struct store_row *row)
{
	int key_size = sqlite3_column_bytes(statement, 1);
	int size = sqlite3_column_bytes(statement, 3);
	int64_t kind = sqlite3_column_int64(statement, 0);
	uint8_t sum[SUM_SIZE];

	if (key_size < 1 || key_size > STORE_KEY_MAX || size > STORE_BYTES_MAX || kind < 0 ||
		kind > UINT8_MAX || sqlite3_column_bytes(statement, 4) != SUM_SIZE)
		return -EBADMSG;
	*row = (struct store_row){
		.table = table,
		.kind = (uint8_t)kind,
		.key_size = (uint8_t)key_size,
		.key = sqlite3_column_blob(statement, 1),
		.version = (uint64_t)sqlite3_column_int64(statement, 2),
		.bytes = sqlite3_column_blob(statement, 3),
		.size = (size_t)size,
	};
	checksum(row, sum);
	return memcmp(sum, sqlite3_column_blob(statement, 4), SUM_SIZE) == 0 ? 0 : -EBADMSG;
}

static int sqlite_read(struct store *store, const struct store_row *wanted, struct store_value *ret)
{
	struct sqlite_store *sqlite = of(store);
	sqlite3_stmt *statement;
	struct store_row row;
	int r = statement_for(sqlite, wanted->table, OPERATION_GET, &statement);

	if (r == 0)
		r = bind_key(statement, wanted);
	if (r < 0)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_DONE) {
		r = -ENOENT;
	} else if (r == SQLITE_ROW) {
		r = column_row(statement, wanted->table, &row);
		if (r == 0) {
			ret->version = row.version;
			ret->size = row.size;
			if (row.size > 0)
				memcpy(ret->bytes, row.bytes, row.size);
		}
	} else {
		r = to_errno(r);
	}
	(void)sqlite3_reset(statement);
	return r;
}

static int sqlite_walk(
	struct store *store, enum store_table table, store_each_fn each, void *context)
{
	struct sqlite_store *sqlite = of(store);
	sqlite3_stmt *statement;
	int code;
	int r = statement_for(sqlite, table, OPERATION_WALK, &statement);

	if (r < 0)
		return r;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_row row;

		r = column_row(statement, table, &row);
		if (r == 0)
			r = each(&row, context);
		if (r < 0)
			break;
	}
	(void)sqlite3_reset(statement);
	return r < 0 ? r : to_errno(code);
}

static void sqlite_close(struct store *store)
{
	struct sqlite_store *sqlite = of(store);

	for (int table = 0; table < STORE_TABLES; table++) {
		for (int operation = 0; operation < OPERATIONS; operation++)
			(void)sqlite3_finalize(sqlite->statements[table][operation]);
	}
	(void)sqlite3_finalize(sqlite->begin);
	(void)sqlite3_finalize(sqlite->commit);
	(void)sqlite3_finalize(sqlite->rollback);
	(void)sqlite3_close(sqlite->db);
	/* The lock goes last: who gets it next finds the database closed. */
	if (sqlite->lock_fd >= 0)
		(void)close(sqlite->lock_fd);
	if (sqlite->dir_fd >= 0)
		(void)close(sqlite->dir_fd);
	if (sqlite->copies)
		sodium_memzero(sqlite->copies, sizeof *sqlite->copies);
	free(sqlite->copies);
	free(sqlite);
}

static int sqlite_key_read(struct store *store, enum store_key_slot slot, struct key *ret,
	char why[static STORE_WHY_SIZE])
{
	const struct key_copies *copies = of(store)->copies;

	if (!copies)
		return key_file_read(of(store)->dir_fd, slot, ret, why);
	if (copies->results[slot] == 0)
		*ret = copies->keys[slot];
	return copies->results[slot];
}

static int sqlite_key_write(struct store *store, enum store_key_slot slot, const struct key *key)
{
	return of(store)->copies ? -EROFS : key_file_write(of(store)->dir_fd, slot, key);
}

static int sqlite_key_promote(struct store *store, enum store_key_slot from, enum store_key_slot to)
{
	return of(store)->copies ? -EROFS : key_file_rename(of(store)->dir_fd, from, to);
}

static int sqlite_key_remove(struct store *store, enum store_key_slot slot)
{
	return of(store)->copies ? -EROFS : key_file_remove(of(store)->dir_fd, slot);
}

static const struct store_backend sqlite_backend = {
	.close = sqlite_close,
	.write = sqlite_write,
	.read = sqlite_read,
	.walk = sqlite_walk,
	.key_read = sqlite_key_read,
	.key_write = sqlite_key_write,
	.key_promote = sqlite_key_promote,
	.key_remove = sqlite_key_remove,
};

/* Opening. */

static int explain_damage(char why[static STORE_WHY_SIZE], const char *directory, const char *what)
{
	return explain(why, -EBADMSG,
		"%s/" STORE_FILE ": damaged: %s. Nothing was changed. Move %s away and rebuild it "
		"with \"collective restore\", or join again with a new invite",
		directory, what, directory);
}

/* Makes the database under another name, then gives it its own. */
static int create_database(int dir_fd, const char *directory, char why[static STORE_WHY_SIZE])
{
	static const char fresh[] = STORE_FILE ".new";
	char path[PATH_SIZE];
	sqlite3 *db = NULL;
	char text[64];
	int fd = -1;
	int r;

	(void)snprintf(path, sizeof path, "%s/%s", directory, fresh);
	(void)unlinkat(dir_fd, fresh, 0);
	fd = openat(dir_fd, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		goto out;
	}
	directory_own(dir_fd, fd);
	/* One process, no journal: until the rename there is nothing to lose. */
	(void)snprintf(text, sizeof text, "PRAGMA application_id = %d", APPLICATION_ID);
	r = to_errno(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL));
	if (r == 0)
		r = execute(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
	if (r == 0)
		r = execute(db, text);
	for (int i = 0; i < SCHEMA && r == 0; i++)
		r = execute(db, migrations[i]);
	if (r == 0) {
		(void)snprintf(text, sizeof text, "PRAGMA user_version = %d", SCHEMA);
		r = execute(db, text);
	}
	(void)sqlite3_close(db);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, fresh, dir_fd, STORE_FILE) < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
out:
	if (fd >= 0)
		(void)close(fd);
	if (r < 0) {
		(void)unlinkat(dir_fd, fresh, 0);
		explain(why, r, "%s: the state cannot be made: %s", directory, strerror(-r));
	}
	return r;
}

/* The file itself, before SQLite sees it: private, and begun like a database of ours. */
static int check_file(int dir_fd, const char *directory, char why[static STORE_WHY_SIZE])
{
	static const char magic[16] = "SQLite format 3";
	int fd = openat(dir_fd, STORE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char header[HEADER_SIZE];
	struct stat status;
	int r = 0;

	if (fd < 0 || fstat(fd, &status) < 0) {
		r = -errno;
		explain(why, r, "%s/" STORE_FILE ": %s", directory, strerror(-r));
	} else if (!S_ISREG(status.st_mode)) {
		r = explain_damage(why, directory, "it is not a regular file");
	} else if (status.st_mode & 077) {
		r = explain(why, -EPERM,
			"%s/" STORE_FILE ": others can read this file (mode %03o), and it holds "
			"secrets: run \"chmod 600\" on it",
			directory, status.st_mode & 0777);
	} else if (status.st_size == 0) {
		r = explain_damage(why, directory, "the file is empty");
	} else if (read(fd, header, sizeof header) != (ssize_t)sizeof header) {
		r = explain_damage(why, directory, "the file is cut off");
	} else if (memcmp(header, magic, sizeof magic) != 0) {
		r = explain_damage(why, directory, "the file is not a database");
	}
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int take_nothing(const struct store_row *row, void *context)
{
	(void)row;
	(void)context;
	return 0;
}

/* SQLite's own check of the structure. Returns 0, or an error with SQLite's words in what. */
static int check_structure(sqlite3 *db, char *what, size_t size)
{
	sqlite3_stmt *statement;
	int r = to_errno(sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL));

	if (r == 0) {
		r = sqlite3_step(statement);
		if (r == SQLITE_ROW) {
			const char *text = (const char *)sqlite3_column_text(statement, 0);

			(void)snprintf(what, size, "%s", text ? text : "unreadable");
			r = text && strcmp(text, "ok") == 0 ? 0 : -EBADMSG;
		} else {
			r = to_errno(r);
			(void)snprintf(what, size, "%s", sqlite3_errmsg(db));
		}
		(void)sqlite3_finalize(statement);
	} else {
		(void)snprintf(what, size, "%s", sqlite3_errmsg(db));
	}
	what[strcspn(what, "\n")] = '\0';
	return r;
}

/* Everything that can be known to be wrong, before anything is written. */
static int check_contents(struct sqlite_store *sqlite, const char *directory, int64_t *schema,
	char why[static STORE_WHY_SIZE])
{
	char what[200] = "";
	int64_t application = 0;
	int r = query_number(sqlite->db, "PRAGMA application_id", &application);

	if (r == 0)
		r = query_number(sqlite->db, "PRAGMA user_version", schema);
	if (r == 0 && application != APPLICATION_ID)
		return explain_damage(why, directory, "the file is not a state of collective");
	if (r == 0 && *schema > SCHEMA)
		return explain(why, -EPROTONOSUPPORT,
			"%s/" STORE_FILE ": written by a newer collective (schema %d; this one "
			"knows %d): upgrade, or restore a backup made by this version",
			directory, (int)*schema, SCHEMA);
	if (r == 0)
		r = check_structure(sqlite->db, what, sizeof what);
	for (int table = 0; table < STORE_TABLES && r == 0; table++) {
		r = sqlite_walk(&sqlite->store, table, take_nothing, NULL);
		if (r < 0)
			(void)snprintf(what, sizeof what, "a row of \"%s\" fails its checksum",
				store_table_name(table));
	}
	if (r == -EBADMSG)
		return explain_damage(why, directory, what[0] ? what : "it cannot be read");
	if (r < 0)
		return explain(why, r, "%s/" STORE_FILE ": %s", directory, strerror(-r));
	return 0;
}

static int migrate(sqlite3 *db, int64_t schema)
{
	char text[64];
	int r = execute(db, "BEGIN IMMEDIATE");

	for (int64_t i = schema; i < SCHEMA && r == 0; i++)
		r = execute(db, migrations[i]);
	if (r == 0) {
		(void)snprintf(text, sizeof text, "PRAGMA user_version = %d", SCHEMA);
		r = execute(db, text);
	}
	if (r == 0)
		r = execute(db, "COMMIT");
	return r;
}

/* SQLite does not fail when it cannot keep a write-ahead log: it answers with another word. */
static int start_log(sqlite3 *db)
{
	sqlite3_stmt *statement;
	int r = to_errno(sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL));

	if (r < 0)
		return r;
	r = to_errno(sqlite3_step(statement));
	if (r == 0) {
		const char *mode = (const char *)sqlite3_column_text(statement, 0);

		r = mode && strcmp(mode, "wal") == 0 ? 0 : -EIO;
	}
	(void)sqlite3_finalize(statement);
	return r;
}

static int set_up(struct sqlite_store *sqlite, int64_t schema)
{
	sqlite3 *db = sqlite->db;
	int stays = 1;
	int r = start_log(db);

	/* A log that went with the last connection could not be made again on a full disk. */
	if (r == 0)
		r = to_errno(sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &stays));
	if (r == 0)
		r = execute(db, "PRAGMA synchronous = FULL");
	if (r == 0)
		r = to_errno(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL));
	if (r == 0 && schema < SCHEMA)
		r = migrate(db, schema);
	if (r == 0)
		r = prepare(db, "BEGIN IMMEDIATE", &sqlite->begin);
	if (r == 0)
		r = prepare(db, "COMMIT", &sqlite->commit);
	if (r == 0)
		r = prepare(db, "ROLLBACK", &sqlite->rollback);
	return r;
}

static int open_database(
	struct sqlite_store *sqlite, const char *directory, char why[static STORE_WHY_SIZE])
{
	char path[PATH_SIZE];
	int64_t schema = 0;
	int r;

	if (snprintf(path, sizeof path, "%s/" STORE_FILE, directory) >= (int)sizeof path)
		return explain(why, -ENAMETOOLONG, "%s: the path is too long", directory);
	r = check_file(sqlite->dir_fd, directory, why);
	if (r < 0)
		return r;
	r = to_errno(sqlite3_open_v2(
		path, &sqlite->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE, NULL));
	if (r == 0)
		r = to_errno(sqlite3_busy_timeout(sqlite->db, BUSY_MS));
	/* Until the checks have passed, closing must not touch the file. */
	if (r == 0)
		r = to_errno(
			sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL));
	if (r == 0)
		r = to_errno(
			sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL));
	if (r < 0)
		return explain(why, r, "%s: %s", path, strerror(-r));
	r = check_contents(sqlite, directory, &schema, why);
	if (r < 0)
		return r;
	r = set_up(sqlite, schema);
	if (r == 0)
		r = store_find_next_event(&sqlite->store);
	if (r < 0)
		return explain(why, r, "%s: %s", path, strerror(-r));
	return 0;
}

/* Decides what to do where there is no database. */
static int check_missing(struct sqlite_store *sqlite, const char *directory, bool create,
	char why[static STORE_WHY_SIZE])
{
	if (directory_has(sqlite->dir_fd, STORE_RESTORING))
		return explain(why, -EBADMSG,
			"%s: a restore was cut short here: run \"collective restore\" again",
			directory);
	if (directory_has(sqlite->dir_fd, STORE_FILE "-wal") || key_file_any(sqlite->dir_fd))
		return explain(why, -EBADMSG,
			"%s/" STORE_FILE
			": missing, though other parts of a state are there. Nothing "
			"was changed. Move %s away and rebuild it with \"collective restore\", or "
			"join again with a new invite",
			directory, directory);
	if (!create)
		return explain(why, -ENOENT, "%s: there is no state here", directory);
	return create_database(sqlite->dir_fd, directory, why);
}

/* Opens what the directory's descriptor stands for. On failure the caller closes. */
static int open_in(struct sqlite_store *sqlite, const char *directory, bool create,
	char why[static STORE_WHY_SIZE])
{
	int r = directory_open(&sqlite->dir_fd, directory, create, why);

	/* A directory that is no state is not to be marked by a lock of ours. */
	if (r == 0 && !create && !directory_has(sqlite->dir_fd, STORE_FILE))
		r = check_missing(sqlite, directory, false, why);
	if (r == 0)
		r = directory_lock(&sqlite->lock_fd, sqlite->dir_fd, directory, why);
	if (r == 0 && !directory_has(sqlite->dir_fd, STORE_FILE))
		r = check_missing(sqlite, directory, create, why);
	if (r < 0)
		return r;
	restoring_remove(sqlite->dir_fd);
	return open_database(sqlite, directory, why);
}

/* One that has nothing open yet. */
static struct sqlite_store *new_store(void)
{
	struct sqlite_store *sqlite = calloc(1, sizeof *sqlite);

	if (!sqlite)
		return NULL;
	sqlite->store.backend = &sqlite_backend;
	sqlite->dir_fd = -1;
	sqlite->lock_fd = -1;
	return sqlite;
}

int store_open(
	struct store **ret, const char *directory, bool create, char why[static STORE_WHY_SIZE])
{
	struct sqlite_store *sqlite = new_store();
	int r;

	if (!sqlite)
		return explain(why, -ENOMEM, "out of memory");
	r = open_in(sqlite, directory, create, why);
	if (r < 0) {
		sqlite_close(&sqlite->store);
		return r;
	}
	*ret = &sqlite->store;
	return 0;
}

/* Returns 0, or the first error that is none of a key which is not there. */
static int copy_keys(
	struct sqlite_store *sqlite, struct key_copies *copies, char why[static STORE_WHY_SIZE])
{
	memset(copies, 0, sizeof *copies);
	for (int slot = 0; slot < STORE_KEY_SLOTS; slot++) {
		int r = key_file_read(
			sqlite->dir_fd, (enum store_key_slot)slot, &copies->keys[slot], why);

		if (r < 0 && r != -ENOENT)
			return r;
		copies->results[slot] = r;
	}
	return 0;
}

/* Rows as they stand now: until the end of a transaction that is never ended. */
static int begin_view(
	struct sqlite_store *sqlite, const char *directory, char why[static STORE_WHY_SIZE])
{
	char path[PATH_SIZE];
	int64_t schema = 0;
	int r = check_file(sqlite->dir_fd, directory, why);

	if (r < 0)
		return r;
	if (snprintf(path, sizeof path, "%s/" STORE_FILE, directory) >= (int)sizeof path)
		return explain(why, -ENAMETOOLONG, "%s: the path is too long", directory);
	r = to_errno(sqlite3_open_v2(
		path, &sqlite->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_PRIVATECACHE, NULL));
	if (r == 0)
		r = to_errno(sqlite3_busy_timeout(sqlite->db, BUSY_MS));
	if (r == 0)
		r = execute(sqlite->db, "BEGIN");
	if (r < 0)
		return explain(why, r, "%s: %s", path, strerror(-r));
	return check_contents(sqlite, directory, &schema, why);
}

static void end_view(struct sqlite_store *sqlite)
{
	for (int table = 0; table < STORE_TABLES; table++) {
		for (int operation = 0; operation < OPERATIONS; operation++) {
			(void)sqlite3_finalize(sqlite->statements[table][operation]);
			sqlite->statements[table][operation] = NULL;
		}
	}
	(void)sqlite3_close(sqlite->db);
	sqlite->db = NULL;
}

/* Keys that did not change while the rows were opened belong to them. */
static int open_beside(
	struct sqlite_store *sqlite, const char *directory, char why[static STORE_WHY_SIZE])
{
	struct key_copies after;
	int r = directory_open(&sqlite->dir_fd, directory, false, why);

	if (r == 0 && !directory_has(sqlite->dir_fd, STORE_FILE))
		r = check_missing(sqlite, directory, false, why);
	for (int i = 0; i < VIEW_ATTEMPTS && r == 0; i++) {
		r = copy_keys(sqlite, sqlite->copies, why);
		if (r == 0)
			r = begin_view(sqlite, directory, why);
		if (r == 0)
			r = copy_keys(sqlite, &after, why);
		if (r < 0 || memcmp(&after, sqlite->copies, sizeof after) == 0) {
			sodium_memzero(&after, sizeof after);
			return r;
		}
		end_view(sqlite);
	}
	sodium_memzero(&after, sizeof after);
	return r < 0 ? r
		     : explain(why, -EBUSY, "%s: its keys are being changed: try again", directory);
}

int store_open_beside(struct store **ret, const char *directory, char why[static STORE_WHY_SIZE])
{
	struct sqlite_store *sqlite = new_store();
	int r;

	if (!sqlite)
		return explain(why, -ENOMEM, "out of memory");
	sqlite->copies = calloc(1, sizeof *sqlite->copies);
	r = sqlite->copies ? open_beside(sqlite, directory, why)
			   : explain(why, -ENOMEM, "out of memory");
	if (r < 0) {
		sqlite_close(&sqlite->store);
		return r;
	}
	*ret = &sqlite->store;
	return 0;
}

int sqlite_gather(struct store *store)
{
	int64_t busy = 1;
	int r = query_number(of(store)->db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy);

	if (r == 0 && busy != 0)
		r = -EBUSY;
	return r;
}

/* The URI of a file that nobody writes: SQLite then leaves nothing beside it. */
static void immutable_uri(const char *path, char out[static 3 * PATH_SIZE + 32])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-";
	size_t used = (size_t)sprintf(out, "file:");

	for (; *path; path++) {
		if (strchr(plain, *path))
			out[used++] = *path;
		else
			used += (size_t)sprintf(out + used, "%%%02x", (unsigned char)*path);
	}
	(void)sprintf(out + used, "?immutable=1");
}

int store_peek(const char *directory, enum store_table table, uint8_t kind, const char *key,
	struct store_value *ret)
{
	struct sqlite_store sqlite = {.store.backend = &sqlite_backend};
	const struct store_row wanted = {
		.table = table, .kind = kind, .key = key, .key_size = (uint8_t)strlen(key)};
	char uri[3 * PATH_SIZE + 32];
	char path[PATH_SIZE];
	char log[PATH_SIZE + 8];
	int r;

	if (snprintf(path, sizeof path, "%s/" STORE_FILE, directory) >= (int)sizeof path)
		return -ENAMETOOLONG;
	if (access(path, R_OK) < 0)
		return -errno;
	(void)snprintf(log, sizeof log, "%s-wal", path);
	immutable_uri(path, uri);
	/* With a log beside it somebody is at work, and the log is read, too. */
	r = to_errno(access(log, F_OK) == 0
			     ? sqlite3_open_v2(path, &sqlite.db, SQLITE_OPEN_READONLY, NULL)
			     : sqlite3_open_v2(uri, &sqlite.db,
				       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL));
	if (r == 0)
		r = to_errno(sqlite3_busy_timeout(sqlite.db, BUSY_MS));
	if (r == 0)
		r = sqlite_read(&sqlite.store, &wanted, ret);
	/* A file that has no such table is no state of ours. */
	if (r == -EIO)
		r = -EBADMSG;
	(void)sqlite3_finalize(sqlite.statements[table][OPERATION_GET]);
	(void)sqlite3_close(sqlite.db);
	return r;
}

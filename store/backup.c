/* SPDX-License-Identifier: MIT */
/*
 * backup.c - a whole state in one sealed file, and back.
 *
 * The file: a head of 64 bytes (magic, salt, costs of Argon2id, the stream's own head), then frames
 * of a 4-byte length, most significant byte first, and that many bytes of libsodium's
 * secretstream. The head is authenticated with the first frame. A frame holds one item in wire
 * form: a key [0, slot, key], a row [1, table, kind, key, version, bytes], or at the end [2,
 * items], whose tag says that nothing follows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/bytes.h"
#include "base/wire.h"
#include "store/backend.h"

#define MAGIC_SIZE 16
#define SALT_SIZE crypto_pwhash_argon2id_SALTBYTES
#define STREAM_HEAD_SIZE crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define STREAM_EXTRA crypto_secretstream_xchacha20poly1305_ABYTES
#define HEAD_SIZE (MAGIC_SIZE + SALT_SIZE + 8 + STREAM_HEAD_SIZE)
#define ITEM_MAX (STORE_BYTES_MAX + STORE_KEY_MAX + 64)
#define FRAME_MAX (ITEM_MAX + STREAM_EXTRA)
#define BATCH_ROWS 64
#define PATH_SIZE 4096

#define COST_PASSES_MAX 10 /* of files that are read */
#define COST_KIB_MAX (1024 * 1024)

/* What a file holds. */
enum sealed { SEALED_STATE, SEALED_ROOT };

static const uint8_t magics[][MAGIC_SIZE] = {
	[SEALED_STATE] = "collective bak1",
	[SEALED_ROOT] = "collective key1",
};

/* 64 MiB and three passes: a small router can do it, a guesser cannot do it often. */
static const struct backup_cost dear = {.passes = 3, .kib = 64 * 1024};

enum item { ITEM_KEY, ITEM_ROW, ITEM_END };

_Static_assert(SALT_SIZE == 16 && STREAM_HEAD_SIZE == 24, "the head is 64 bytes");

/* The stream's key from the passphrase and the head. */
static int derive(const uint8_t *head, const char *passphrase,
	uint8_t key[static crypto_secretstream_xchacha20poly1305_KEYBYTES])
{
	uint32_t passes = (uint32_t)bytes_get(head + MAGIC_SIZE + SALT_SIZE, 4);
	uint32_t kib = (uint32_t)bytes_get(head + MAGIC_SIZE + SALT_SIZE + 4, 4);

	if (passes < 1 || passes > COST_PASSES_MAX || kib < 8 || kib > COST_KIB_MAX)
		return -EBADMSG;
	if (crypto_pwhash(key, crypto_secretstream_xchacha20poly1305_KEYBYTES, passphrase,
		    strlen(passphrase), head + MAGIC_SIZE, passes, (size_t)kib * 1024,
		    crypto_pwhash_ALG_ARGON2ID13) < 0)
		return -ENOMEM;
	return 0;
}

/* Writing. */

struct sealer {
	crypto_secretstream_xchacha20poly1305_state stream;
	uint8_t head[HEAD_SIZE];
	FILE *file;
	uint32_t items;
};

/* Seals one item; the head rides along with the first. */
static int seal(struct sealer *sealer, const struct wire_writer *writer, bool last)
{
	uint8_t frame[4 + FRAME_MAX];
	int size = wire_writer_end(writer);
	unsigned char tag = last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
				 : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
	bool first = sealer->items == 0;
	unsigned long long sealed;
	size_t framed;

	if (size < 0)
		return size;
	crypto_secretstream_xchacha20poly1305_push(&sealer->stream, frame + 4, &sealed,
		writer->bytes, (unsigned long long)size, first ? sealer->head : NULL,
		first ? HEAD_SIZE : 0, tag);
	bytes_put(frame, (uint32_t)sealed, 4);
	framed = 4 + (size_t)sealed;
	sealer->items++;
	if (fwrite(frame, 1, framed, sealer->file) != framed)
		return errno ? -errno : -EIO;
	return 0;
}

static int seal_row(const struct store_row *row, void *context)
{
	uint8_t bytes[ITEM_MAX];
	struct wire_writer writer;

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 6);
	wire_write_uint(&writer, ITEM_ROW);
	wire_write_str(&writer, store_table_name(row->table));
	wire_write_uint(&writer, row->kind);
	wire_write_bin(&writer, row->key, row->key_size);
	wire_write_uint(&writer, row->version);
	wire_write_bin(&writer, row->bytes, row->size);
	return seal(context, &writer, false);
}

static int seal_key(struct sealer *sealer, struct store *store, enum store_key_slot slot,
	char why[static STORE_WHY_SIZE])
{
	uint8_t bytes[ITEM_MAX];
	struct wire_writer writer;
	struct key key;
	int r = store_key_read(store, slot, &key, why);

	if (r == -ENOENT) {
		why[0] = '\0';
		return 0;
	}
	if (r < 0)
		return r;
	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 3);
	wire_write_uint(&writer, ITEM_KEY);
	wire_write_str(&writer, store_key_files[slot]);
	wire_write_bin(&writer, key.bytes, KEY_SIZE);
	key_wipe(&key);
	r = seal(sealer, &writer, false);
	sodium_memzero(bytes, sizeof bytes);
	return r;
}

static int seal_end(struct sealer *sealer)
{
	uint8_t bytes[16];
	struct wire_writer writer;

	wire_writer_init(&writer, bytes, sizeof bytes);
	wire_write_array(&writer, 2);
	wire_write_uint(&writer, ITEM_END);
	wire_write_uint(&writer, sealer->items);
	return seal(sealer, &writer, true);
}

static int seal_all(struct sealer *sealer, struct store *store, const char *passphrase,
	const struct backup_cost *cost, enum sealed what, char why[static STORE_WHY_SIZE])
{
	uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	uint8_t *head = sealer->head;
	int r;

	memcpy(head, magics[what], MAGIC_SIZE);
	randombytes_buf(head + MAGIC_SIZE, SALT_SIZE);
	bytes_put(head + MAGIC_SIZE + SALT_SIZE, cost->passes, 4);
	bytes_put(head + MAGIC_SIZE + SALT_SIZE + 4, cost->kib, 4);
	r = derive(head, passphrase, key);
	if (r < 0)
		return r;
	crypto_secretstream_xchacha20poly1305_init_push(
		&sealer->stream, head + HEAD_SIZE - STREAM_HEAD_SIZE, key);
	sodium_memzero(key, sizeof key);
	if (fwrite(head, 1, HEAD_SIZE, sealer->file) != HEAD_SIZE)
		return -errno;
	for (int slot = 0; slot < STORE_KEY_SLOTS && r == 0; slot++)
		r = seal_key(sealer, store, slot, why);
	for (int table = 0; table < STORE_TABLES && r == 0; table++)
		r = store_walk(store, table, seal_row, sealer);
	return r == 0 ? seal_end(sealer) : r;
}

/* Gives the finished file its name unless another has it by now. */
static int publish(const char *part, const char *path)
{
	if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	/* Some file systems cannot look and rename in one step. */
	if (errno != EINVAL)
		return -errno;
	if (access(path, F_OK) == 0)
		return -EEXIST;
	return rename(part, path) < 0 ? -errno : 0;
}

int store_backup(struct store *store, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE])
{
	return backup_write(store, path, passphrase, &dear, why);
}

/* Characters of a UTF-8 text: bytes that do not continue one. */
static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static int write_sealed(struct store *store, const char *path, const char *passphrase,
	const struct backup_cost *cost, enum sealed what, char why[static STORE_WHY_SIZE])
{
	struct sealer sealer = {0};
	char part[PATH_SIZE];
	int fd;
	int r;

	if (count_characters(passphrase) < STORE_PASSPHRASE_MIN)
		return explain(why, -EINVAL, "the passphrase needs at least %d characters",
			STORE_PASSPHRASE_MIN);
	if (snprintf(part, sizeof part, "%s.XXXXXX", path) >= (int)sizeof part)
		return explain(why, -ENAMETOOLONG, "%s: the path is too long", path);
	if (access(path, F_OK) == 0)
		return explain(why, -EEXIST, "%s: a file of this name is there already", path);
	/* A name of its own: what else lies there is not ours to replace. */
	fd = mkostemp(part, O_CLOEXEC);
	sealer.file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!sealer.file) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return explain(why, r, "%s: cannot be written: %s", path, strerror(-r));
	}
	why[0] = '\0';
	r = seal_all(&sealer, store, passphrase, cost, what, why);
	if (r == 0 && (fflush(sealer.file) != 0 || fsync(fd) < 0))
		r = -errno;
	if (fclose(sealer.file) != 0 && r == 0)
		r = -errno;
	sodium_memzero(&sealer, sizeof sealer);
	if (r == 0)
		r = publish(part, path);
	if (r == 0)
		return directory_sync_parent(path);
	if (r < 0) {
		(void)unlink(part);
		if (!why[0])
			explain(why, r, "%s: %s", path, strerror(-r));
	}
	return r;
}

int backup_write(struct store *store, const char *path, const char *passphrase,
	const struct backup_cost *cost, char why[static STORE_WHY_SIZE])
{
	return write_sealed(store, path, passphrase, cost, SEALED_STATE, why);
}

/* Reading. */

/* Rows are written many at a time: one sync for each would take minutes. */
struct batch {
	size_t count;
	struct store_row rows[BATCH_ROWS];
	uint8_t items[BATCH_ROWS][ITEM_MAX]; /* which the rows point into */
};

struct opener {
	crypto_secretstream_xchacha20poly1305_state stream;
	uint8_t head[HEAD_SIZE];
	FILE *file;
	struct batch *batch;
	uint32_t items;
	uint32_t rows;
	bool ended;
};

static int slot_by_name(const char *name, size_t size)
{
	for (int slot = 0; slot < STORE_KEY_SLOTS; slot++) {
		if (strlen(store_key_files[slot]) == size &&
			memcmp(store_key_files[slot], name, size) == 0)
			return slot;
	}
	return -1;
}

static int table_by_name(const char *name, size_t size)
{
	for (int table = 0; table < STORE_TABLES; table++) {
		if (strlen(store_table_name(table)) == size &&
			memcmp(store_table_name(table), name, size) == 0)
			return table;
	}
	return -1;
}

static int take_key(struct store *store, struct wire_reader *reader)
{
	struct key key;
	size_t size;
	const char *name = wire_read_str(reader, 1, 64, &size);
	int slot = name ? slot_by_name(name, size) : -1;
	int r;

	wire_read_exact(reader, key.bytes, KEY_SIZE);
	r = slot < 0 || wire_reader_end(reader) < 0
		    ? -EBADMSG
		    : store_key_write(store, (enum store_key_slot)slot, &key);
	key_wipe(&key);
	return r;
}

static int write_batch(struct store *store, struct batch *batch)
{
	int r = store_write(store, batch->rows, batch->count);

	sodium_memzero(batch->items, sizeof batch->items);
	batch->count = 0;
	return r;
}

static int take_row(
	struct store *store, struct batch *batch, struct wire_reader *reader, uint32_t *rows)
{
	struct store_row row = {0};
	size_t key_size;
	size_t size;
	const char *name = wire_read_str(reader, 1, 64, &size);
	int table = name ? table_by_name(name, size) : -1;

	row.kind = (uint8_t)wire_read_uint(reader, UINT8_MAX);
	row.key = wire_read_bin(reader, 1, STORE_KEY_MAX, &key_size);
	row.version = wire_read_uint(reader, INT64_MAX);
	row.bytes = wire_read_bin(reader, 0, STORE_BYTES_MAX, &row.size);
	if (table < 0 || wire_reader_end(reader) < 0)
		return -EBADMSG;
	row.table = (enum store_table)table;
	row.key_size = (uint8_t)key_size;
	/* The history is numbered anew: order is what counts in it. */
	if (row.table == STORE_EVENT) {
		row.key = NULL;
		row.key_size = 0;
	}
	batch->rows[batch->count++] = row;
	++*rows;
	return batch->count == BATCH_ROWS ? write_batch(store, batch) : 0;
}

/* Takes the item that stands in the batch's next place. */
static int take_item(struct opener *opener, struct store *store, size_t size, bool last)
{
	struct batch *batch = opener->batch;
	struct wire_reader reader;
	uint32_t count;
	uint64_t item;

	wire_reader_init(&reader, batch->items[batch->count], size);
	count = wire_read_array(&reader, 2, 6);
	item = wire_read_uint(&reader, ITEM_END);
	if (reader.error || last != (item == ITEM_END))
		return -EBADMSG;
	opener->items++;
	if (item == ITEM_KEY && count == 3)
		return take_key(store, &reader);
	if (item == ITEM_ROW && count == 6)
		return take_row(store, batch, &reader, &opener->rows);
	if (item != ITEM_END || count != 2 ||
		wire_read_uint(&reader, UINT32_MAX) != opener->items - 1 ||
		wire_reader_end(&reader) < 0)
		return -EBADMSG;
	opener->ended = true;
	return write_batch(store, batch);
}

/* Returns 0, -EBADMSG when the file ends early, or -EREMOTEIO when it cannot be read. */
static int read_exactly(FILE *file, void *out, size_t size)
{
	if (fread(out, 1, size, file) == size)
		return 0;
	return ferror(file) ? -EREMOTEIO : -EBADMSG;
}

static int open_frame(struct opener *opener, struct store *store)
{
	uint8_t frame[FRAME_MAX];
	uint8_t *item = opener->batch->items[opener->batch->count];
	uint8_t length[4];
	unsigned long long size;
	unsigned char tag;
	bool first = opener->items == 0;
	uint32_t sealed;
	int r = read_exactly(opener->file, length, sizeof length);

	if (r < 0)
		return r;
	sealed = (uint32_t)bytes_get(length, 4);
	if (sealed < STREAM_EXTRA || sealed > FRAME_MAX)
		return -EBADMSG;
	r = read_exactly(opener->file, frame, sealed);
	if (r < 0)
		return r;
	/* The first frame is where another passphrase shows. */
	if (crypto_secretstream_xchacha20poly1305_pull(&opener->stream, item, &size, &tag, frame,
		    sealed, first ? opener->head : NULL, first ? HEAD_SIZE : 0) < 0)
		return first ? -EKEYREJECTED : -EBADMSG;
	return take_item(opener, store, (size_t)size,
		tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL);
}

static int open_all(struct opener *opener, struct store *store, const char *passphrase)
{
	uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	int r = derive(opener->head, passphrase, key);

	if (r < 0)
		return r;
	if (crypto_secretstream_xchacha20poly1305_init_pull(
		    &opener->stream, opener->head + HEAD_SIZE - STREAM_HEAD_SIZE, key) < 0)
		r = -EBADMSG;
	sodium_memzero(key, sizeof key);
	while (r == 0 && !opener->ended)
		r = open_frame(opener, store);
	if (r == 0 && fgetc(opener->file) != EOF)
		r = -EBADMSG;
	return r;
}

/* Takes the files out of the directory that a restore works in. */
static void restoring_empty(int dir_fd)
{
	static const char *const files[] = {
		STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm", STORE_FILE ".new", "lock"};
	int fd = openat(dir_fd, STORE_RESTORING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	char name[64];

	if (fd < 0)
		return;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		(void)unlinkat(fd, files[i], 0);
	for (int slot = 0; slot < STORE_KEY_SLOTS; slot++) {
		(void)snprintf(name, sizeof name, "%s.new", store_key_files[slot]);
		(void)unlinkat(fd, name, 0);
		(void)unlinkat(fd, store_key_files[slot], 0);
	}
	(void)close(fd);
}

void restoring_remove(int dir_fd)
{
	restoring_empty(dir_fd);
	(void)unlinkat(dir_fd, STORE_RESTORING, AT_REMOVEDIR);
}

/* Moves what was rebuilt to its place; the database last, since with it the state is there. */
static int settle(int dir_fd)
{
	int fd = openat(dir_fd, STORE_RESTORING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	if (fd < 0)
		return -errno;
	for (int slot = 0; slot < STORE_KEY_SLOTS && r == 0; slot++) {
		const char *name = store_key_files[slot];

		/* A key that a restore before this one had moved already, and this backup lacks. */
		if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
			r = -errno;
		if (r == 0 && renameat(fd, name, dir_fd, name) < 0 && errno != ENOENT)
			r = -errno;
	}
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r == 0 && directory_has(dir_fd, STORE_FILE))
		r = -EEXIST;
	if (r == 0 && renameat(fd, STORE_FILE, dir_fd, STORE_FILE) < 0)
		r = -errno;
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static int count_row(const struct store_row *row, void *context)
{
	(void)row;
	++*(uint32_t *)context;
	return 0;
}

/* Opens what was rebuilt once more: it is whole on the disk, in one file. */
static int check_rebuilt(const char *inner, uint32_t rows, char why[static STORE_WHY_SIZE])
{
	struct store *store = NULL;
	uint32_t found = 0;
	int r = store_open(&store, inner, false, why);

	if (r < 0)
		return r;
	for (int table = 0; table < STORE_TABLES && r == 0; table++)
		r = store_walk(store, (enum store_table)table, count_row, &found);
	/* Closing alone would not say whether the log made it into the file that is moved. */
	if (r == 0)
		r = sqlite_gather(store);
	store_close(store);
	return r == 0 && found != rows ? -EIO : r;
}

/* The directory that a restore works in belongs to whom the state belongs. */
static int make_restoring(int dir_fd)
{
	int fd;

	if (mkdirat(dir_fd, STORE_RESTORING, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir_fd, STORE_RESTORING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	directory_own(dir_fd, fd);
	(void)close(fd);
	return 0;
}

/* Rebuilds the state inside directory/restoring. */
static int rebuild(struct opener *opener, int dir_fd, const char *directory, const char *passphrase,
	char why[static STORE_WHY_SIZE])
{
	char inner[PATH_SIZE];
	struct store *store = NULL;
	int r;

	if (snprintf(inner, sizeof inner, "%s/" STORE_RESTORING, directory) >= (int)sizeof inner)
		return explain(why, -ENAMETOOLONG, "%s: the path is too long", directory);
	r = make_restoring(dir_fd);
	if (r == 0)
		r = store_open(&store, inner, true, why);
	if (r < 0)
		return r;
	r = open_all(opener, store, passphrase);
	store_close(store);
	return r == 0 ? check_rebuilt(inner, opener->rows, why) : r;
}

/* Whether a state is there; keys alone are one whose database is lost, unless a restore was cut
 * short. */
static bool holds_state(int dir_fd)
{
	return directory_has(dir_fd, STORE_FILE) ||
	       (key_file_any(dir_fd) && !directory_has(dir_fd, STORE_RESTORING));
}

static int explain_restore(
	char why[static STORE_WHY_SIZE], int r, const char *path, const char *directory)
{
	switch (r) {
	case -EKEYREJECTED:
		return explain(
			why, r, "%s: this is not its passphrase, or the file is damaged", path);
	case -EREMOTEIO:
		return explain(why, -EIO, "%s: cannot be read: %s", path, strerror(EIO));
	case -EBADMSG:
		return explain(why, r,
			"%s: damaged or cut off: it was not restored; try another backup", path);
	default:
		return explain(why, r, "%s: %s", directory, strerror(-r));
	}
}

static int read_head(
	struct opener *opener, const char *path, enum sealed what, char why[static STORE_WHY_SIZE])
{
	static const char *const others[] = {
		[SEALED_STATE] = "this holds a root key and no site: \"collective root import\" "
				 "takes it",
		[SEALED_ROOT] = "this is the backup of a site: \"collective restore\" takes it",
	};
	enum sealed other = what == SEALED_ROOT ? SEALED_STATE : SEALED_ROOT;
	int r;

	opener->file = fopen(path, "re");
	if (!opener->file) {
		r = -errno;
		return explain(why, r, "%s: %s", path, strerror(-r));
	}
	r = read_exactly(opener->file, opener->head, HEAD_SIZE);
	if (r == -EREMOTEIO)
		return explain(why, -EIO, "%s: cannot be read: %s", path, strerror(errno));
	if (r == 0 && memcmp(opener->head, magics[what], MAGIC_SIZE) == 0)
		return 0;
	if (r == 0 && memcmp(opener->head, magics[other], MAGIC_SIZE) == 0)
		return explain(why, -EBADMSG, "%s: %s", path, others[what]);
	return explain(why, -EBADMSG, "%s: this is not a backup of collective", path);
}

/* Runs a restore in a directory that is ours and holds no state. */
static int restore_in(struct opener *opener, int dir_fd, const char *directory, const char *path,
	const char *passphrase, char why[static STORE_WHY_SIZE])
{
	int r;

	/* The directory itself stays: it tells keys that a restore moved from keys of a lost state.
	 */
	restoring_empty(dir_fd);
	why[0] = '\0';
	r = rebuild(opener, dir_fd, directory, passphrase, why);
	if (r == 0)
		r = settle(dir_fd);
	if (r < 0 && !why[0])
		explain_restore(why, r, path, directory);
	if (r == 0 || !key_file_any(dir_fd))
		restoring_remove(dir_fd);
	return r;
}

static void end_opener(struct opener *opener)
{
	sodium_memzero(&opener->stream, sizeof opener->stream);
	free(opener->batch);
	if (opener->file)
		(void)fclose(opener->file);
}

int store_restore(const char *directory, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE])
{
	struct opener opener = {0};
	int dir_fd = -1;
	int lock_fd = -1;
	int r = read_head(&opener, path, SEALED_STATE, why);

	if (r == 0)
		r = directory_open(&dir_fd, directory, true, why);
	if (r == 0)
		r = directory_lock(&lock_fd, dir_fd, directory, why);
	if (r < 0)
		goto out;
	opener.batch = calloc(1, sizeof *opener.batch);
	if (!opener.batch) {
		r = explain(why, -ENOMEM, "out of memory");
	} else if (directory_has(dir_fd, STORE_FILE) && directory_has(dir_fd, STORE_RESTORING)) {
		/* A restore that was cut short when only its tidying was left. */
		restoring_remove(dir_fd);
	} else if (holds_state(dir_fd)) {
		r = explain(why, -EEXIST,
			"%s: there is a state here already: move it away first, or name another "
			"directory with --state",
			directory);
	} else {
		r = restore_in(&opener, dir_fd, directory, path, passphrase, why);
	}
out:
	end_opener(&opener);
	if (lock_fd >= 0)
		(void)close(lock_fd);
	if (dir_fd >= 0)
		(void)close(dir_fd);
	return r;
}

/* A root key alone is sealed as a state that has nothing else. */

int store_root_export(const struct key *root, const char *path, const char *passphrase,
	char why[static STORE_WHY_SIZE])
{
	struct store *store;
	int r = store_open_memory(&store);

	if (r < 0)
		return explain(why, r, "out of memory");
	r = store_key_write(store, STORE_KEY_ROOT, root);
	r = r < 0 ? explain(why, r, "out of memory")
		  : write_sealed(store, path, passphrase, &dear, SEALED_ROOT, why);
	store_close(store);
	return r;
}

int store_root_import(
	struct key *ret, const char *path, const char *passphrase, char why[static STORE_WHY_SIZE])
{
	struct opener opener = {0};
	struct store *store = NULL;
	int r = read_head(&opener, path, SEALED_ROOT, why);

	if (r == 0) {
		why[0] = '\0';
		opener.batch = calloc(1, sizeof *opener.batch);
		r = opener.batch ? store_open_memory(&store) : -ENOMEM;
		if (r == 0)
			r = open_all(&opener, store, passphrase);
		if (r == 0)
			r = store_key_read(store, STORE_KEY_ROOT, ret, why);
		if (r < 0)
			explain_restore(why, r, path, path);
	}
	end_opener(&opener);
	store_close(store);
	return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * test_store_faults.c - the durable store when things go wrong: killed, full, read-only, damaged,
 * newer, readable by others, locked. What is refused is left as it was.
 */
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/prng.h"
#include "store/store.h"
#include "tests/files.h"
#include "tests/golden.h"

#define NOBODY 65534

static char directory[FILES_PATH_SIZE];
static char why[STORE_WHY_SIZE];

static int set_up(void **state)
{
	(void)state;
	files_make(directory);
	memset(why, 0, sizeof why);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)umount2(directory, MNT_DETACH);
	files_remove(directory);
	return 0;
}

/* A closed state with known contents. */
static void make_golden(void)
{
	struct store *store;

	assert_int_equal(store_open(&store, directory, true, why), 0);
	assert_int_equal(golden_fill(store), 0);
	store_close(store);
}

/* Opening is refused, with these words among others. */
static void expect_refused(int r, const char *words)
{
	struct store *store;

	assert_int_equal(store_open(&store, directory, true, why), r);
	if (!strstr(why, words))
		print_error("\"%s\" is not in: %s\n", words, why);
	assert_non_null(strstr(why, words));
}

static void set_mode(const char *name, mode_t mode)
{
	char path[2 * FILES_PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_int_equal(chmod(path, mode), 0);
}

/* kill -9. */

static struct key key_of(uint64_t number)
{
	struct key key = {{7}};

	memcpy(key.bytes + 1, &number, sizeof number);
	return key;
}

/* Makes numbered changes and says each number once it is confirmed, until it is killed. */
static void write_for_ever(int pipe_fd)
{
	struct store_value value;
	struct store *store;
	uint64_t number = 0;

	if (store_open(&store, directory, false, why) < 0)
		_exit(1);
	if (store_read(store, STORE_FLOOR, 0, "n", 1, &value) == 0)
		number = value.version;
	/* The change before the last kill may have come without its key. */
	struct key key = key_of(number);

	if (store_key_write(store, STORE_KEY_LINKS, &key) < 0)
		_exit(1);
	for (;;) {
		key = key_of(++number);
		const struct store_row rows[] = {
			{.table = STORE_FACT,
				.key = "a",
				.key_size = 1,
				.version = number,
				.bytes = &number,
				.size = 8},
			{.table = STORE_FACT,
				.kind = 1,
				.key = "b",
				.key_size = 1,
				.version = number,
				.bytes = &number,
				.size = 8},
			{.table = STORE_FLOOR,
				.key = "n",
				.key_size = 1,
				.version = number,
				.bytes = "",
				.size = 0},
			{.table = STORE_EVENT, .version = number, .bytes = &number, .size = 8},
		};

		if (store_write(store, rows, COUNT(rows)) < 0 ||
			store_key_write(store, STORE_KEY_LINKS_PENDING, &key) < 0 ||
			store_key_promote(store, STORE_KEY_LINKS_PENDING) < 0 ||
			write(pipe_fd, &number, sizeof number) != sizeof number)
			_exit(1);
	}
}

static int last_event(const struct store_row *row, void *context)
{
	*(uint64_t *)context = row->version;
	return 0;
}

/* Everything that was confirmed is there, and what is there belongs together. */
static uint64_t expect_whole(uint64_t confirmed)
{
	struct store_value a;
	struct store_value b;
	struct store_value floor;
	struct store *store;
	struct key key;
	uint64_t event = 0;
	uint64_t key_number;

	assert_int_equal(store_open(&store, directory, false, why), 0);
	assert_int_equal(store_read(store, STORE_FACT, 0, "a", 1, &a), 0);
	assert_int_equal(store_read(store, STORE_FACT, 1, "b", 1, &b), 0);
	assert_int_equal(store_read(store, STORE_FLOOR, 0, "n", 1, &floor), 0);
	assert_int_equal(store_walk(store, STORE_EVENT, last_event, &event), 0);
	assert_true(floor.version >= confirmed && floor.version <= confirmed + 1);
	assert_true(a.version == floor.version && b.version == floor.version);
	assert_true(event == floor.version);
	assert_memory_equal(a.bytes, b.bytes, 8);
	assert_int_equal(store_key_read(store, STORE_KEY_LINKS, &key, why), 0);
	memcpy(&key_number, key.bytes + 1, sizeof key_number);
	assert_true(key_number == floor.version || key_number + 1 == floor.version);
	store_close(store);
	return floor.version;
}

/* Kills so long after the start; or, amid changes, after the first that was confirmed. */
static uint64_t kill_once(useconds_t after, bool amid, uint64_t confirmed)
{
	int ends[2];
	int status;
	uint64_t number;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(ends[0]);
		write_for_ever(ends[1]);
	}
	(void)close(ends[1]);
	if (amid && read(ends[0], &number, sizeof number) == sizeof number)
		confirmed = number;
	(void)usleep(after);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(ends[0], &number, sizeof number) == sizeof number)
		confirmed = number;
	(void)close(ends[0]);
	return confirmed;
}

TEST(store_killed_at_random_moments_loses_and_tears_nothing)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {6};
	int kills = files_setting("STORE_KILLS", 20);
	const struct store_row first[] = {
		{.table = STORE_FACT,
			.key = "a",
			.key_size = 1,
			.bytes = "\0\0\0\0\0\0\0",
			.size = 8},
		{.table = STORE_FACT,
			.kind = 1,
			.key = "b",
			.key_size = 1,
			.bytes = "\0\0\0\0\0\0\0",
			.size = 8},
		{.table = STORE_FLOOR, .key = "n", .key_size = 1, .bytes = "", .size = 0},
	};
	struct key key = key_of(0);
	uint64_t confirmed = 0;
	unsigned while_writing = 0;
	struct store *store;
	struct prng prng;

	(void)state;
	prng_init(&prng, seed);
	assert_int_equal(store_open(&store, directory, true, why), 0);
	assert_int_equal(store_write(store, first, COUNT(first)), 0);
	assert_int_equal(store_key_write(store, STORE_KEY_LINKS, &key), 0);
	store_close(store);
	for (int i = 0; i < kills; i++) {
		uint64_t before = confirmed;

		/* However slow the machine is, every other one dies between two changes. */
		confirmed = kill_once((useconds_t)prng_below(&prng, 25000), i % 2 == 1, confirmed);
		while_writing += confirmed > before;
		confirmed = expect_whole(confirmed);
	}
	print_message("# %d kills, %u of them amid changes, %lu changes in all\n", kills,
		while_writing, (unsigned long)confirmed);
	assert_true(while_writing >= (unsigned)kills / 2);
}

/* Full disks and read-only ones. */

static void mount_small(const char *options)
{
	assert_int_equal(mount("store-test", directory, "tmpfs", MS_NOSUID | MS_NODEV, options), 0);
}

static void skip_unless_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* Writes large rows until the disk is full. Returns how many were confirmed. */
static uint64_t fill_disk(struct store *store, int *r)
{
	static uint8_t big[STORE_BYTES_MAX];
	uint64_t number = 0;

	do {
		char key[16];
		struct store_row row = {
			.table = STORE_FACT, .key = key, .bytes = big, .size = sizeof big};

		row.key_size = (uint8_t)snprintf(key, sizeof key, "%lu", (unsigned long)number + 1);
		*r = store_write(store, &row, 1);
		number += *r == 0;
	} while (*r == 0 && number < 10000);
	return number;
}

TEST(store_disk_full_is_said_and_nothing_confirmed_is_lost)
{
	struct store *store;
	struct store_row row = {.table = STORE_FACT, .key = "1", .key_size = 1, .remove = true};
	struct key key = {{9}};
	uint64_t written;
	unsigned there = 0;
	int r;

	(void)state;
	skip_unless_root();
	mount_small("size=2m,mode=0700");
	assert_int_equal(store_open(&store, directory, true, why), 0);
	assert_int_equal(store_key_write(store, STORE_KEY_IDENTITY, &key), 0);
	written = fill_disk(store, &r);
	assert_int_equal(r, -ENOSPC);
	assert_true(written > 50);
	/* A key that does not fit leaves the old one. */
	key.bytes[0] = 10;
	r = store_key_write(store, STORE_KEY_IDENTITY, &key);
	if (r < 0) {
		assert_int_equal(r, -ENOSPC);
		assert_int_equal(store_key_read(store, STORE_KEY_IDENTITY, &key, why), 0);
		assert_int_equal(key.bytes[0], 9);
	}
	store_close(store);

	/* More room, and all goes on where it stood. */
	assert_int_equal(mount("store-test", directory, "tmpfs", MS_REMOUNT, "size=8m"), 0);
	assert_int_equal(store_open(&store, directory, false, why), 0);
	for (uint64_t i = 1; i <= written; i++) {
		struct store_value value;
		char name[16];
		int size = snprintf(name, sizeof name, "%lu", (unsigned long)i);

		assert_int_equal(store_read(store, STORE_FACT, 0, name, (size_t)size, &value), 0);
		there++;
	}
	assert_int_equal(there, written);
	assert_int_equal(store_write(store, &row, 1), 0);
	store_close(store);
}

TEST(store_that_was_closed_opens_on_a_full_disk)
{
	char path[2 * FILES_PATH_SIZE] = "";
	const struct store_row row = {
		.table = STORE_FACT, .key = "1", .key_size = 1, .bytes = "x", .size = 1};
	struct store_value value;
	struct store *store;
	int filler;

	(void)state;
	skip_unless_root();
	mount_small("size=2m,mode=0700");
	assert_int_equal(store_open(&store, directory, true, why), 0);
	assert_int_equal(store_write(store, &row, 1), 0);
	store_close(store);
	(void)snprintf(path, sizeof path, "%s/filler", directory);
	filler = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(filler >= 0);
	while (write(filler, path, sizeof path) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	(void)close(filler);
	if (store_open(&store, directory, false, why) < 0)
		fail_msg("%s", why);
	assert_int_equal(store_read(store, STORE_FACT, 0, "1", 1, &value), 0);
	store_close(store);
}

TEST(store_disk_full_from_the_start_leaves_no_half_made_state)
{
	static const char filler[512 * 1024];
	struct store *store;

	(void)state;
	skip_unless_root();
	mount_small("size=512k,mode=0700");
	files_write(directory, "filler", filler, sizeof filler - 8192);
	assert_int_equal(store_open(&store, directory, true, why), -ENOSPC);
	assert_false(files_exist(directory, "state.db"));
	assert_false(files_exist(directory, "state.db.new"));
	assert_int_equal(mount("store-test", directory, "tmpfs", MS_REMOUNT, "size=8m"), 0);
	assert_int_equal(store_open(&store, directory, true, why), 0);
	store_close(store);
}

TEST(store_read_only_disk_is_said)
{
	(void)state;
	skip_unless_root();
	mount_small("size=2m,mode=0700");
	make_golden();
	assert_int_equal(
		mount("store-test", directory, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=2m"), 0);
	expect_refused(-EROFS, "cannot be written: Read-only file system");
}

TEST(store_directory_without_permission_is_said)
{
	int status;
	pid_t child;

	(void)state;
	skip_unless_root();
	make_golden();
	assert_int_equal(chmod(directory, 0500), 0);
	assert_int_equal(chown(directory, NOBODY, NOBODY), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *store;
		int r;

		if (setuid(NOBODY) < 0)
			_exit(99);
		r = store_open(&store, directory, true, why);
		_exit(r == -EACCES && strstr(why, "cannot be written") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Damage. */

/* Opening either gives the state as it was, or refuses it and touches nothing. */
static bool opens_or_stays(const char *bytes, size_t size)
{
	struct store *store;
	size_t after_size;
	char *after;
	int r;

	files_write(directory, "state.db", bytes, size);
	r = store_open(&store, directory, true, why);
	if (r == 0) {
		golden_expect(store);
		store_close(store);
		return true;
	}
	/* Damage in the schema's number looks like a newer program's. */
	if (r != -EPROTONOSUPPORT) {
		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(why, "Nothing was changed"));
		assert_non_null(strstr(why, "collective restore"));
	}
	after = files_read(directory, "state.db", &after_size);
	assert_int_equal(after_size, size);
	assert_memory_equal(after, bytes, size);
	free(after);
	return false;
}

static void remove_log(void)
{
	char path[2 * FILES_PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s/state.db-wal", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/state.db-shm", directory);
	(void)unlink(path);
}

TEST(store_damaged_database_is_refused_and_left_alone)
{
	static const uint8_t seed[PRNG_SEED_SIZE] = {7};
	int tries = files_setting("STORE_DAMAGES", 400);
	unsigned refused = 0;
	struct prng prng;
	size_t size;
	char *whole;

	(void)state;
	make_golden();
	whole = files_read(directory, "state.db", &size);
	assert_true(opens_or_stays(whole, size));
	prng_init(&prng, seed);
	for (int i = 0; i < tries; i++) {
		char *copy = malloc(size);
		size_t at = (size_t)prng_below(&prng, size);
		size_t length = 1 + (size_t)prng_below(&prng, i % 2 ? 4000 : 1);

		assert_non_null(copy);
		memcpy(copy, whole, size);
		if (length > size - at)
			length = size - at;
		for (size_t k = 0; k < length; k++)
			copy[at + k] ^= (char)(1 + prng_below(&prng, 255));
		remove_log();
		refused += !opens_or_stays(copy, size);
		free(copy);
	}
	print_message("# %d damages, %u refused, the others without effect on the contents\n",
		tries, refused);
	assert_true(refused > (unsigned)tries / 4);
	free(whole);
}

TEST(store_truncated_database_is_refused_and_left_alone)
{
	size_t size;
	char *whole;

	(void)state;
	make_golden();
	whole = files_read(directory, "state.db", &size);
	for (size_t cut = 0; cut < size; cut += cut < 200 ? 33 : 1000) {
		remove_log();
		assert_false(opens_or_stays(whole, cut));
	}
	free(whole);
}

TEST(store_lost_database_is_not_made_anew_over_its_keys)
{
	char path[2 * FILES_PATH_SIZE];

	(void)state;
	make_golden();
	(void)snprintf(path, sizeof path, "%s/state.db", directory);
	assert_int_equal(unlink(path), 0);
	expect_refused(-EBADMSG, "missing, though other parts of a state are there");
	assert_false(files_exist(directory, "state.db"));
	assert_true(files_exist(directory, "identity.key"));
}

TEST(store_foreign_files_are_refused)
{
	static const char text[200] = "this is a letter to a friend and no database at all";
	char path[2 * FILES_PATH_SIZE];
	sqlite3 *db;

	(void)state;
	files_write(directory, "state.db", text, sizeof text);
	expect_refused(-EBADMSG, "not a database");
	(void)snprintf(path, sizeof path, "%s/state.db", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	assert_int_equal(chmod(path, 0600), 0);
	expect_refused(-EBADMSG, "not a state of collective");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(-EBADMSG, "not a regular file");
	assert_int_equal(rmdir(path), 0);
}

TEST(store_newer_schema_is_refused_and_left_alone)
{
	char path[2 * FILES_PATH_SIZE];
	size_t before_size;
	size_t after_size;
	char *before;
	char *after;
	sqlite3 *db;

	(void)state;
	make_golden();
	(void)snprintf(path, sizeof path, "%s/state.db", directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	before = files_read(directory, "state.db", &before_size);
	expect_refused(-EPROTONOSUPPORT, "written by a newer collective (schema 99");
	after = files_read(directory, "state.db", &after_size);
	assert_int_equal(before_size, after_size);
	assert_memory_equal(before, after, after_size);
	free(before);
	free(after);
}

TEST(store_every_past_schema_still_loads)
{
	static const char *const files[] = {"state.db", "identity.key", "links.key.pending"};
	const char *source = getenv("SOURCE");
	char golden[FILES_PATH_SIZE];
	struct store *store;

	(void)state;
	assert_non_null(source);
	for (int schema = 1; schema <= 1; schema++) {
		(void)snprintf(golden, sizeof golden, "%s/tests/golden/schema-%d", source, schema);
		for (size_t i = 0; i < COUNT(files); i++) {
			size_t size;
			char *bytes = files_read(golden, files[i], &size);

			files_write(directory, files[i], bytes, size);
			free(bytes);
		}
		assert_int_equal(store_open(&store, directory, false, why), 0);
		golden_expect(store);
		store_close(store);
	}
}

/* Privacy and exclusion. */

TEST(store_that_others_can_read_is_refused)
{
	struct store *store;
	struct key key;

	(void)state;
	make_golden();
	set_mode("state.db", 0640);
	expect_refused(-EPERM, "others can read this file (mode 640)");
	set_mode("state.db", 0600);
	set_mode("", 0750);
	expect_refused(-EPERM, "chmod 700");
	set_mode("", 0700);
	set_mode("identity.key", 0604);
	assert_int_equal(store_open(&store, directory, false, why), 0);
	assert_int_equal(store_key_read(store, STORE_KEY_IDENTITY, &key, why), -EPERM);
	assert_non_null(strstr(why, "identity.key: others can read this private key (mode 604)"));
	set_mode("identity.key", 0600);
	assert_int_equal(store_key_read(store, STORE_KEY_IDENTITY, &key, why), 0);
	store_close(store);
}

TEST(store_files_are_private_whatever_the_umask)
{
	static const char *const files[] = {"state.db", "identity.key", "lock", "state.db-wal"};
	mode_t before = umask(0);
	struct store *store;
	struct stat status;

	(void)state;
	assert_int_equal(store_open(&store, directory, true, why), 0);
	assert_int_equal(golden_fill(store), 0);
	(void)umask(before);
	for (size_t i = 0; i < COUNT(files); i++) {
		char path[2 * FILES_PATH_SIZE];

		(void)snprintf(path, sizeof path, "%s/%s", directory, files[i]);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0600);
	}
	store_close(store);
}

TEST(store_damaged_key_file_is_said)
{
	static const char *const texts[] = {"", "short\n",
		"not base64 at all, but of the right length!!\n",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=",
		"AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o=\nmore\n"};
	struct store *store;
	struct key key = {{3}};

	(void)state;
	assert_int_equal(store_open(&store, directory, true, why), 0);
	for (size_t i = 0; i < COUNT(texts); i++) {
		files_write(directory, "identity.key", texts[i], strlen(texts[i]));
		assert_int_equal(store_key_read(store, STORE_KEY_IDENTITY, &key, why), -EBADMSG);
		assert_non_null(strstr(why, "identity.key: this file holds no key"));
		assert_int_equal(key.bytes[0], 3);
	}
	store_close(store);
}

TEST(store_in_use_is_refused_with_the_holder)
{
	char holder[32];
	struct store *store;
	int go[2];
	int ready[2];
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int r = store_open(&store, directory, true, why);

		(void)close(go[1]);
		(void)!write(ready[1], "x", 1);
		(void)!read(go[0], &c, 1);
		if (r == 0)
			store_close(store);
		_exit(r != 0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)snprintf(holder, sizeof holder, "number %d", child);
	expect_refused(-EBUSY, holder);
	(void)close(go[1]);
	(void)close(go[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(store_open(&store, directory, false, why), 0);
	store_close(store);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

TEST(store_that_is_not_there_is_not_made_unasked)
{
	char path[2 * FILES_PATH_SIZE];
	char *content;
	size_t size;
	struct store *store;

	(void)state;
	/* Somebody's own file of this name is not touched. */
	files_write(directory, "lock", "mine", 4);
	assert_int_equal(store_open(&store, directory, false, why), -ENOENT);
	assert_non_null(strstr(why, "there is no state here"));
	assert_false(files_exist(directory, "state.db"));
	content = files_read(directory, "lock", &size);
	assert_string_equal(content, "mine");
	free(content);
	(void)snprintf(path, sizeof path, "%s/none", directory);
	assert_int_equal(store_open(&store, path, false, why), -ENOENT);
	assert_false(files_exist(directory, "none"));
	(void)snprintf(path, sizeof path, "%s/none/deeper", directory);
	assert_int_equal(store_open(&store, path, true, why), -ENOENT);
}

TEST(store_peek_reads_beside_the_owner)
{
	struct store_value value;
	struct store *store;

	(void)state;
	assert_int_equal(store_peek(directory, STORE_SETTING, 0, "supernet", &value), -ENOENT);
	make_golden();
	remove_log();
	assert_int_equal(store_peek(directory, STORE_SETTING, 0, "supernet", &value), 0);
	assert_false(files_exist(directory, "state.db-wal"));
	assert_false(files_exist(directory, "state.db-shm"));
	assert_int_equal(value.size, 13);
	assert_memory_equal(value.bytes, "10.100.0.0/16", 13);
	assert_int_equal(store_open(&store, directory, false, why), 0);
	assert_int_equal(store_peek(directory, STORE_SETTING, 0, "supernet", &value), 0);
	assert_int_equal(store_peek(directory, STORE_SETTING, 0, "nothing", &value), -ENOENT);
	store_close(store);
}

#define FAULT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		FAULT(store_killed_at_random_moments_loses_and_tears_nothing),
		FAULT(store_disk_full_is_said_and_nothing_confirmed_is_lost),
		FAULT(store_that_was_closed_opens_on_a_full_disk),
		FAULT(store_disk_full_from_the_start_leaves_no_half_made_state),
		FAULT(store_read_only_disk_is_said),
		FAULT(store_directory_without_permission_is_said),
		FAULT(store_damaged_database_is_refused_and_left_alone),
		FAULT(store_truncated_database_is_refused_and_left_alone),
		FAULT(store_lost_database_is_not_made_anew_over_its_keys),
		FAULT(store_foreign_files_are_refused),
		FAULT(store_newer_schema_is_refused_and_left_alone),
		FAULT(store_every_past_schema_still_loads),
		FAULT(store_that_others_can_read_is_refused),
		FAULT(store_files_are_private_whatever_the_umask),
		FAULT(store_damaged_key_file_is_said),
		FAULT(store_in_use_is_refused_with_the_holder),
		FAULT(store_that_is_not_there_is_not_made_unasked),
		FAULT(store_peek_reads_beside_the_owner),
	};

	return RUN(cases);
}

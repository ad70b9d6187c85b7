/* SPDX-License-Identifier: MIT */
/*
 * test_backup.c - a state that is carried to another disk.
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

#include "base/prng.h"
#include "store/backend.h"
#include "tests/files.h"
#include "tests/golden.h"

#define PASSPHRASE "correct horse battery"

/* Cheap, so that the tests try many; one of them pays the price that people pay. */
static const struct backup_cost cheap = {.passes = 1, .kib = 64};

struct fixture {
	char from[FILES_PATH_SIZE];
	char to[FILES_PATH_SIZE];
	char file[2 * FILES_PATH_SIZE];
	char why[STORE_WHY_SIZE];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct store *store;

	assert_non_null(f);
	files_make(f->from);
	files_make(f->to);
	(void)snprintf(f->file, sizeof f->file, "%s/backup", f->from);
	assert_int_equal(store_open(&store, f->from, true, f->why), 0);
	assert_int_equal(golden_fill(store), 0);
	assert_int_equal(backup_write(store, f->file, PASSPHRASE, &cheap, f->why), 0);
	store_close(store);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)umount2(f->to, MNT_DETACH);
	files_remove(f->from);
	files_remove(f->to);
	free(f);
	return 0;
}

static void expect_restored(struct fixture *f)
{
	struct store *store;

	assert_int_equal(store_open(&store, f->to, false, f->why), 0);
	golden_expect(store);
	store_close(store);
	/* A kill may have come before the tidying: opening does it then. */
	assert_false(files_exist(f->to, "restoring"));
}

TEST(backup_restored_elsewhere_is_the_same_state)
{
	struct fixture *f = *state;
	struct stat status;

	assert_int_equal(stat(f->file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
}

TEST(backup_at_the_price_for_people)
{
	struct fixture *f = *state;
	struct store *store;

	(void)snprintf(f->file, sizeof f->file, "%s/dear", f->from);
	assert_int_equal(store_open(&store, f->from, false, f->why), 0);
	assert_int_equal(store_backup(store, f->file, PASSPHRASE, f->why), 0);
	store_close(store);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
}

TEST(backup_holds_nothing_in_clear)
{
	struct fixture *f = *state;
	size_t size;
	char *bytes = files_read(f->from, "backup", &size);

	assert_null(memmem(bytes, size, "secret", 6));
	assert_null(memmem(bytes, size, "supernet", 8));
	assert_null(memmem(bytes, size, "identity", 8));
	free(bytes);
}

TEST(backup_of_many_rows_comes_back_whole)
{
	struct fixture *f = *state;
	char file[2 * FILES_PATH_SIZE];
	struct store_value value;
	struct store *store;
	struct prng prng;
	uint8_t bytes[1000];

	prng_init(&prng, (const uint8_t[PRNG_SEED_SIZE]){8});
	assert_int_equal(store_open(&store, f->from, false, f->why), 0);
	for (uint32_t i = 0; i < 1000; i += 100) {
		struct store_row rows[100];
		uint32_t keys[100];

		prng_bytes(&prng, bytes, sizeof bytes);
		for (uint32_t k = 0; k < 100; k++) {
			keys[k] = i + k;
			rows[k] = (struct store_row){.table = STORE_FACT,
				.kind = 9,
				.key = &keys[k],
				.key_size = 4,
				.version = i,
				.bytes = bytes,
				.size = (i + k) % 1001};
		}
		assert_int_equal(store_write(store, rows, 100), 0);
	}
	(void)snprintf(file, sizeof file, "%s/second", f->from);
	assert_int_equal(backup_write(store, file, PASSPHRASE, &cheap, f->why), 0);
	assert_int_equal(store_restore(f->to, file, PASSPHRASE, f->why), 0);
	expect_restored(f);

	struct store *restored;

	assert_int_equal(store_open(&restored, f->to, false, f->why), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		struct store_value other;

		assert_int_equal(store_read(store, STORE_FACT, 9, &i, 4, &value), 0);
		assert_int_equal(store_read(restored, STORE_FACT, 9, &i, 4, &other), 0);
		assert_int_equal(value.size, other.size);
		assert_true(value.version == other.version);
		assert_memory_equal(value.bytes, other.bytes, value.size);
	}
	store_close(restored);
	store_close(store);
}

TEST(backup_with_another_passphrase_is_refused_and_leaves_nothing)
{
	struct fixture *f = *state;

	assert_int_equal(
		store_restore(f->to, f->file, "wrong horse battery", f->why), -EKEYREJECTED);
	assert_non_null(strstr(f->why, "not its passphrase"));
	assert_false(files_exist(f->to, "state.db"));
	assert_false(files_exist(f->to, "restoring"));
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
}

TEST(backup_damaged_or_cut_off_is_refused_and_leaves_nothing)
{
	static const size_t places[] = {0, 20, 40, 70, 200, 400};
	struct fixture *f = *state;
	char file[2 * FILES_PATH_SIZE];
	size_t size;
	char *bytes = files_read(f->from, "backup", &size);

	(void)snprintf(file, sizeof file, "%s/bad", f->from);
	for (size_t i = 0; i < COUNT(places); i++) {
		int r;

		assert_true(places[i] < size);
		bytes[places[i]] ^= 1;
		files_write(f->from, "bad", bytes, size);
		bytes[places[i]] ^= 1;
		r = store_restore(f->to, file, PASSPHRASE, f->why);
		assert_true(r == -EBADMSG || r == -EKEYREJECTED);
		assert_false(files_exist(f->to, "state.db"));
		assert_false(files_exist(f->to, "identity.key"));

		files_write(f->from, "bad", bytes, places[i]);
		assert_int_equal(store_restore(f->to, file, PASSPHRASE, f->why), -EBADMSG);
		assert_false(files_exist(f->to, "state.db"));
	}
	files_write(f->from, "bad", bytes, size - 1);
	assert_int_equal(store_restore(f->to, file, PASSPHRASE, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "damaged or cut off"));
	files_write(f->from, "bad", "just a letter", 13);
	assert_int_equal(store_restore(f->to, file, PASSPHRASE, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "not a backup of collective"));
	free(bytes);
}

static void skip_unless_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* 200 rows of 4 KiB, into a backup. */
static void make_large(struct fixture *f, char file[static 2 * FILES_PATH_SIZE])
{
	static uint8_t big[STORE_BYTES_MAX];
	struct store *store;

	assert_int_equal(store_open(&store, f->from, false, f->why), 0);
	for (uint32_t i = 0; i < 200; i++) {
		const struct store_row row = {.table = STORE_FACT,
			.key = &i,
			.key_size = 4,
			.bytes = big,
			.size = sizeof big};

		assert_int_equal(store_write(store, &row, 1), 0);
	}
	(void)snprintf(file, 2 * FILES_PATH_SIZE, "%s/large", f->from);
	assert_int_equal(backup_write(store, file, PASSPHRASE, &cheap, f->why), 0);
	store_close(store);
}

TEST(restore_onto_a_disk_too_small_is_not_called_done)
{
	struct fixture *f = *state;
	char file[2 * FILES_PATH_SIZE];
	unsigned done = 0;
	unsigned refused = 0;

	skip_unless_root();
	make_large(f, file);
	for (int kib = 500; kib <= 4000; kib += 125) {
		char options[64];
		struct store *store;
		int r;

		(void)snprintf(options, sizeof options, "size=%dk,mode=0700", kib);
		assert_int_equal(
			mount("backup-test", f->to, "tmpfs", MS_NOSUID | MS_NODEV, options), 0);
		r = store_restore(f->to, file, PASSPHRASE, f->why);
		if (r == 0) {
			struct store_value value;
			uint32_t last = 199;

			assert_int_equal(store_open(&store, f->to, false, f->why), 0);
			golden_expect(store);
			assert_int_equal(store_read(store, STORE_FACT, 0, &last, 4, &value), 0);
			store_close(store);
			done++;
		} else {
			assert_int_equal(r, -ENOSPC);
			assert_false(files_exist(f->to, "state.db"));
			refused++;
		}
		assert_int_equal(umount2(f->to, MNT_DETACH), 0);
	}
	assert_true(done > 0 && refused > 0);
}

TEST(backup_onto_a_full_disk_says_so)
{
	struct fixture *f = *state;
	char file[2 * FILES_PATH_SIZE];
	struct store *store;

	skip_unless_root();
	make_large(f, file);
	assert_int_equal(
		mount("backup-test", f->to, "tmpfs", MS_NOSUID | MS_NODEV, "size=100k,mode=0700"),
		0);
	(void)snprintf(file, sizeof file, "%s/backup", f->to);
	assert_int_equal(store_open(&store, f->from, false, f->why), 0);
	assert_int_equal(backup_write(store, file, PASSPHRASE, &cheap, f->why), -ENOSPC);
	assert_non_null(strstr(f->why, "No space left"));
	assert_int_equal(rmdir(f->to), -1);
	store_close(store);
	assert_int_equal(umount2(f->to, MNT_DETACH), 0);
}

TEST(restore_waits_for_nobody_who_uses_the_directory)
{
	struct fixture *f = *state;
	struct store *store;
	int lock;
	int dir;

	/* Somebody has the directory, though there is no state in it yet. */
	assert_int_equal(directory_open(&dir, f->to, false, f->why), 0);
	assert_int_equal(directory_lock(&lock, dir, f->to, f->why), 0);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), -EBUSY);
	(void)close(lock);
	(void)close(dir);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	/* A state behind a symbolic link is a state. */
	char link[2 * FILES_PATH_SIZE];

	(void)snprintf(link, sizeof link, "%s/link", f->from);
	assert_int_equal(symlink(f->to, link), 0);
	assert_int_equal(store_open(&store, link, false, f->why), 0);
	golden_expect(store);
	store_close(store);
}

TEST(backup_never_overwrites)
{
	struct fixture *f = *state;
	struct store *store;
	size_t before_size;
	size_t after_size;
	char *before = files_read(f->from, "backup", &before_size);
	char *after;

	assert_int_equal(store_open(&store, f->from, false, f->why), 0);
	assert_int_equal(store_backup(store, f->file, PASSPHRASE, f->why), -EEXIST);
	after = files_read(f->from, "backup", &after_size);
	assert_int_equal(before_size, after_size);
	assert_memory_equal(before, after, after_size);
	assert_int_equal(store_backup(store, "/nonexistent/file", PASSPHRASE, f->why), -ENOENT);
	(void)snprintf(f->file, sizeof f->file, "%s/another", f->from);
	assert_int_equal(store_backup(store, f->file, "short", f->why), -EINVAL);
	assert_non_null(strstr(f->why, "at least 8 characters"));
	assert_false(files_exist(f->from, "another"));
	store_close(store);
	free(before);
	free(after);
}

TEST(restore_never_overwrites_a_state)
{
	struct fixture *f = *state;
	char path[2 * FILES_PATH_SIZE];

	assert_int_equal(store_restore(f->from, f->file, PASSPHRASE, f->why), -EEXIST);
	assert_non_null(strstr(f->why, "there is a state here already"));
	/* Keys whose database is lost are a state, too. */
	(void)snprintf(path, sizeof path, "%s/state.db", f->from);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_restore(f->from, f->file, PASSPHRASE, f->why), -EEXIST);
}

TEST(restore_killed_at_any_moment_can_be_run_again)
{
	struct fixture *f = *state;
	unsigned cut_short = 0;

	for (int i = 0; i < 12; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(store_restore(f->to, f->file, PASSPHRASE, f->why) < 0);
		(void)usleep((useconds_t)(1000 * i));
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		if (!files_exist(f->to, "state.db")) {
			struct store *store;
			int r = store_open(&store, f->to, false, f->why);

			cut_short++;
			assert_true(r == -EBADMSG || r == -ENOENT);
			assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
		}
		expect_restored(f);
		files_remove(f->to);
		assert_int_equal(mkdir(f->to, 0700), 0);
	}
	print_message("# %u of 12 restores were cut short\n", cut_short);
	assert_true(cut_short > 0);
}

TEST(restore_cut_short_between_its_moves_can_be_run_again)
{
	struct fixture *f = *state;
	char restoring[2 * FILES_PATH_SIZE];
	struct store *store;

	/* As a crash leaves it: a key is in place, the database is not. */
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	(void)snprintf(restoring, sizeof restoring, "%s/state.db", f->to);
	assert_int_equal(unlink(restoring), 0);
	(void)snprintf(restoring, sizeof restoring, "%s/restoring", f->to);
	assert_int_equal(mkdir(restoring, 0700), 0);
	assert_int_equal(store_open(&store, f->to, true, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "a restore was cut short here"));
	/* A failure in between does not lose the mark. */
	assert_int_equal(
		store_restore(f->to, f->file, "wrong horse battery", f->why), -EKEYREJECTED);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
	/* Run again when only the tidying was missed, it is done. */
	assert_int_equal(mkdir(restoring, 0700), 0);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
	/* And without, the state opens. */
	assert_int_equal(mkdir(restoring, 0700), 0);
	assert_int_equal(store_open(&store, f->to, false, f->why), 0);
	store_close(store);
	expect_restored(f);
}

TEST(root_key_alone_comes_back_with_its_passphrase)
{
	struct fixture *f = *state;
	char file[3 * FILES_PATH_SIZE];
	struct key root = {{1, 2, 3}};
	struct key back;

	(void)snprintf(file, sizeof file, "%s/root", f->from);
	assert_int_equal(store_root_export(&root, file, PASSPHRASE, f->why), 0);
	assert_int_equal(store_root_export(&root, file, PASSPHRASE, f->why), -EEXIST);
	assert_int_equal(store_root_import(&back, file, "another one", f->why), -EKEYREJECTED);
	assert_int_equal(store_root_import(&back, file, PASSPHRASE, f->why), 0);
	assert_true(key_equal(&root, &back));
	/* Neither is taken for the other. */
	assert_int_equal(store_restore(f->to, file, PASSPHRASE, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "root import"));
	assert_int_equal(store_root_import(&back, f->file, PASSPHRASE, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "collective restore"));
}

static const struct store_row later = {.table = STORE_SETTING,
	.key_size = 5,
	.key = "later",
	.version = 1,
	.bytes = "!",
	.size = 1};

TEST(backup_beside_its_owner_is_of_one_moment)
{
	struct fixture *f = *state;
	struct store_value value;
	struct store *owner;
	struct store *beside;
	struct key key = {{77}};

	(void)snprintf(f->file, sizeof f->file, "%s/beside", f->from);
	assert_int_equal(store_open(&owner, f->from, false, f->why), 0);
	assert_int_equal(store_open_beside(&beside, f->from, f->why), 0);
	/* What the owner does from then on is not in it, and succeeds. */
	assert_int_equal(store_write(owner, &later, 1), 0);
	assert_int_equal(store_key_write(owner, STORE_KEY_IDENTITY, &key), 0);
	assert_int_equal(store_key_write(owner, STORE_KEY_LINKS_PENDING, &key), 0);
	assert_int_equal(backup_write(beside, f->file, PASSPHRASE, &cheap, f->why), 0);
	store_close(beside);
	assert_int_equal(store_read(owner, STORE_SETTING, 0, "later", 5, &value), 0);
	store_close(owner);
	assert_int_equal(store_restore(f->to, f->file, PASSPHRASE, f->why), 0);
	expect_restored(f);
}

/* A key and a row that change together, the key first: as when keys are changed. Ends when it is
 * killed. Who reads slowly, as under valgrind, needs the rests. */
static void change_for_ever(const char *directory)
{
	struct store_row row = later;
	struct store *owner;
	unsigned rest = (unsigned)files_setting("BACKUP_REST_MS", 0);
	char why[STORE_WHY_SIZE];
	struct key key = {{0}};

	if (store_open(&owner, directory, false, why) < 0)
		_exit(1);
	for (uint32_t i = 1;; i++) {
		memcpy(key.bytes, &i, sizeof i);
		row.version = i;
		if (store_key_write(owner, STORE_KEY_ADMIN, &key) < 0 ||
			store_write(owner, &row, 1) < 0)
			_exit(1);
		(void)usleep(i % 64 ? i % 8 * 100 : rest * 1000);
	}
}

TEST(keys_and_rows_beside_a_busy_owner_are_of_one_moment)
{
	struct fixture *f = *state;
	char quick[] = "/dev/shm/collective-test-XXXXXX"; /* where no sync slows the owner down */
	const char *directory = mkdtemp(quick) ? quick : f->to;
	struct store *owner;
	int seen = 0;
	pid_t child;

	assert_int_equal(store_open(&owner, directory, true, f->why), 0);
	store_close(owner);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		change_for_ever(directory);
	for (int i = 0; i < 400; i++) {
		struct store_value value;
		struct store *beside;
		struct key key;
		uint32_t number;
		int r = store_open_beside(&beside, directory, f->why);

		/* Where they change all the time, that is said. */
		if (r == -EBUSY)
			continue;
		assert_int_equal(r, 0);
		if (store_read(beside, STORE_SETTING, 0, "later", 5, &value) == 0) {
			assert_int_equal(store_key_read(beside, STORE_KEY_ADMIN, &key, f->why), 0);
			memcpy(&number, key.bytes, sizeof number);
			assert_true(number == value.version || number == value.version + 1);
			seen++;
		}
		store_close(beside);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(seen >= 50);
	if (directory == quick)
		files_remove(quick);
}

TEST(state_that_is_read_beside_its_owner_cannot_be_written)
{
	struct fixture *f = *state;
	struct store_value value;
	struct store *beside;
	struct key key = {{77}};

	assert_int_equal(store_open_beside(&beside, f->to, f->why), -ENOENT);
	assert_false(files_exist(f->to, "lock"));
	assert_int_equal(store_open_beside(&beside, f->from, f->why), 0);
	assert_int_equal(store_write(beside, &later, 1), -EROFS);
	assert_int_equal(store_key_write(beside, STORE_KEY_LINKS, &key), -EROFS);
	assert_int_equal(store_key_promote(beside, STORE_KEY_LINKS_PENDING), -EROFS);
	assert_int_equal(store_key_remove(beside, STORE_KEY_IDENTITY), -EROFS);
	assert_int_equal(store_read(beside, STORE_SETTING, 0, "later", 5, &value), -ENOENT);
	store_close(beside);
}

#define BACKUP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		BACKUP(backup_restored_elsewhere_is_the_same_state),
		BACKUP(backup_at_the_price_for_people),
		BACKUP(backup_holds_nothing_in_clear),
		BACKUP(backup_of_many_rows_comes_back_whole),
		BACKUP(backup_with_another_passphrase_is_refused_and_leaves_nothing),
		BACKUP(backup_damaged_or_cut_off_is_refused_and_leaves_nothing),
		BACKUP(restore_onto_a_disk_too_small_is_not_called_done),
		BACKUP(backup_onto_a_full_disk_says_so),
		BACKUP(restore_waits_for_nobody_who_uses_the_directory),
		BACKUP(root_key_alone_comes_back_with_its_passphrase),
		BACKUP(backup_beside_its_owner_is_of_one_moment),
		BACKUP(keys_and_rows_beside_a_busy_owner_are_of_one_moment),
		BACKUP(state_that_is_read_beside_its_owner_cannot_be_written),
		BACKUP(backup_never_overwrites),
		BACKUP(restore_never_overwrites_a_state),
		BACKUP(restore_killed_at_any_moment_can_be_run_again),
		BACKUP(restore_cut_short_between_its_moves_can_be_run_again),
	};

	return RUN(cases);
}

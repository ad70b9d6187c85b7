/* SPDX-License-Identifier: MIT */
/*
 * directory.c - the state directory and the key files in it. A key file holds one line of base64,
 * belongs to the directory's owner alone, and is replaced in one step.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "store/backend.h"

#define LINE_SIZE (KEY_BASE64_SIZE + 1) /* the key, a line end, and the NUL */

const char *const store_key_files[STORE_KEY_SLOTS] = {
	[STORE_KEY_IDENTITY] = "identity.key",
	[STORE_KEY_BACKBONE] = "backbone.key",
	[STORE_KEY_BACKBONE_PENDING] = "backbone.key.pending",
	[STORE_KEY_LINKS] = "links.key",
	[STORE_KEY_LINKS_PENDING] = "links.key.pending",
	[STORE_KEY_ADMIN] = "admin.key",
	[STORE_KEY_ROOT] = "root.key",
};

bool directory_has(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int directory_sync_parent(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	int r;

	if (strlen(path) >= sizeof copy)
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

int directory_lock(int *ret_fd, int dir_fd, const char *path, char why[static STORE_WHY_SIZE])
{
	int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char holder[24] = "";
	char line[24];
	int length;
	int r;

	if (fd < 0) {
		r = -errno;
		return explain(why, r, "%s: cannot be written: %s%s", path, strerror(-r),
			r == -EROFS ? ". To save this site, copy the directory to another disk and "
				      "back that up"
				    : "");
	}
	directory_own(dir_fd, fd);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)!pread(fd, holder, sizeof holder - 1, 0);
		holder[strspn(holder, "0123456789")] = '\0';
		(void)close(fd);
		return explain(why, r,
			"%s: in use by another process%s%s: stop it first, or let it do this", path,
			holder[0] ? ", number " : "", holder);
	}
	/* Only said to people; a disk that is full does not keep the state from being opened. */
	length = snprintf(line, sizeof line, "%d\n", getpid());
	(void)!ftruncate(fd, 0);
	(void)!pwrite(fd, line, (size_t)length, 0);
	*ret_fd = fd;
	return 0;
}

int directory_open(int *ret_fd, const char *path, bool create, char why[static STORE_WHY_SIZE])
{
	struct stat status;
	int fd;
	int r;

	if (create) {
		r = mkdir(path, 0700) < 0 ? -errno : directory_sync_parent(path);
		if (r < 0 && r != -EEXIST)
			return explain(why, r, "%s: cannot be made: %s", path, strerror(-r));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		return explain(why, r, "%s: %s", path,
			r == -ENOENT ? "there is no state here" : strerror(-r));
	}
	if (fstat(fd, &status) < 0) {
		r = -errno;
		(void)close(fd);
		return explain(why, r, "%s: %s", path, strerror(-r));
	}
	if (status.st_mode & 077) {
		(void)close(fd);
		return explain(why, -EPERM,
			"%s: others can look into this directory (mode %03o), and it holds private "
			"keys: run \"chmod 700 %s\"",
			path, status.st_mode & 0777, path);
	}
	*ret_fd = fd;
	return 0;
}

void directory_own(int dir_fd, int file_fd)
{
	struct stat status;

	/* Only root may give files away, and only root makes files that are not the agent's. */
	if (geteuid() == 0 && fstat(dir_fd, &status) == 0 && status.st_uid != 0)
		(void)!fchown(file_fd, status.st_uid, status.st_gid);
}

static int check_private(int fd, const char *name, char why[static STORE_WHY_SIZE])
{
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0) {
		r = -errno;
		return explain(why, r, "%s: %s", name, strerror(-r));
	}
	if (!S_ISREG(status.st_mode))
		return explain(why, -EBADMSG, "%s: this is not a regular file", name);
	if (status.st_mode & 077)
		return explain(why, -EPERM,
			"%s: others can read this private key (mode %03o): run \"chmod 600\" on "
			"it, "
			"and if anybody may have read it, leave and join again with a new invite",
			name, status.st_mode & 0777);
	return 0;
}

int key_file_read(
	int dir_fd, enum store_key_slot slot, struct key *ret, char why[static STORE_WHY_SIZE])
{
	const char *name = store_key_files[slot];
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char line[LINE_SIZE + 1];
	ssize_t size;
	int r;

	if (fd < 0) {
		r = -errno;
		return explain(why, r, "%s: %s", name, r == -ENOENT ? "missing" : strerror(-r));
	}
	r = check_private(fd, name, why);
	if (r < 0)
		goto out;
	size = read(fd, line, LINE_SIZE);
	if (size < 0) {
		r = -errno;
		explain(why, r, "%s: %s", name, strerror(-r));
		goto out;
	}
	line[size] = '\0';
	if (size != KEY_BASE64_SIZE || line[size - 1] != '\n') {
		r = -EBADMSG;
	} else {
		line[size - 1] = '\0';
		r = key_from_base64(line, ret) < 0 ? -EBADMSG : 0;
	}
	if (r < 0)
		explain(why, r,
			"%s: this file holds no key (44 characters of base64): restore it from a "
			"backup with \"collective restore\"",
			name);
	sodium_memzero(line, sizeof line);
out:
	(void)close(fd);
	return r;
}

static int write_whole(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int key_file_write(int dir_fd, enum store_key_slot slot, const struct key *key)
{
	char line[LINE_SIZE];
	char name[64];
	int fd;
	int r;

	(void)snprintf(name, sizeof name, "%s.new", store_key_files[slot]);
	/* What a crash left there was never a key. */
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	directory_own(dir_fd, fd);
	key_to_base64(key, line);
	line[KEY_BASE64_SIZE - 1] = '\n';
	r = write_whole(fd, line, KEY_BASE64_SIZE);
	sodium_memzero(line, sizeof line);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, name, dir_fd, store_key_files[slot]) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, name, 0);
		return r;
	}
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int key_file_rename(int dir_fd, enum store_key_slot from, enum store_key_slot to)
{
	if (renameat(dir_fd, store_key_files[from], dir_fd, store_key_files[to]) < 0)
		return -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int key_file_remove(int dir_fd, enum store_key_slot slot)
{
	if (unlinkat(dir_fd, store_key_files[slot], 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

bool key_file_any(int dir_fd)
{
	for (int slot = 0; slot < STORE_KEY_SLOTS; slot++) {
		if (directory_has(dir_fd, store_key_files[slot]))
			return true;
	}
	return false;
}

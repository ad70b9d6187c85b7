/* SPDX-License-Identifier: MIT */
#include "agent/wireguard_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/uapi_socket.h"
#include "base/text.h"

#define PROGRAM "wireguard-go"
#define WORDS_SIZE 8192
#define PROC_PATH_SIZE 48

/* Only absolute places: what stands in the current directory is nobody's installed program. */
static bool is_program_in(
	const char *directory, size_t length, char ret_path[static WIREGUARD_PROGRAM_PATH_SIZE])
{
	char path[WIREGUARD_PROGRAM_PATH_SIZE];
	struct stat file;

	if (length == 0 || directory[0] != '/' || length + sizeof PROGRAM + 1 > sizeof path)
		return false;
	(void)snprintf(path, sizeof path, "%.*s/%s", (int)length, directory, PROGRAM);
	if (stat(path, &file) < 0 || !S_ISREG(file.st_mode) ||
		faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return false;
	memcpy(ret_path, path, sizeof path);
	return true;
}

static bool is_program_among(
	const char *directories, char ret_path[static WIREGUARD_PROGRAM_PATH_SIZE])
{
	const char *end;

	for (;; directories = end + 1) {
		end = strchrnul(directories, ':');
		if (is_program_in(directories, (size_t)(end - directories), ret_path))
			return true;
		if (*end == '\0')
			return false;
	}
}

int wireguard_program_find(char ret_path[static WIREGUARD_PROGRAM_PATH_SIZE])
{
	const char *directories = getenv("PATH");

	if (directories && is_program_among(directories, ret_path))
		return 0;
	return is_program_among("/usr/bin:/usr/sbin:/usr/local/bin", ret_path) ? 0 : -ENOENT;
}

/*
 * A file in memory that cannot grow. A pipe would end the program once nobody reads it, or block it
 * once it is full; here what is too much is not written, and the program goes on.
 */
static int open_words(void)
{
	int fd = memfd_create(PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, WORDS_SIZE) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/* What it gets of ours: nothing but the words, since it tells errors on its standard output. */
static int add_actions(posix_spawn_file_actions_t *actions, int words)
{
	int r = posix_spawn_file_actions_adddup2(actions, words, STDERR_FILENO);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(
			actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	/* A directory that it stood in could not be unmounted. */
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(actions, "/");
	return r;
}

/* A session of its own, so that ^C at the agent's terminal is not for it. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes,
			POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

/* Returns 0 or a positive errno, as the calls it is made of do. */
static int spawn(pid_t *ret, const char *path, const char *name, int words)
{
	char program[] = PROGRAM;
	char foreground[] = "-f";
	char directories[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char level[] = "LOG_LEVEL=error";
	char consent[] = "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1";
	char *const environment[] = {directories, level, consent, NULL};
	char device[WIREGUARD_NAME_SIZE];
	char *const arguments[] = {program, foreground, device, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	(void)snprintf(device, sizeof device, "%s", name);
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attributes);
	if (r != 0)
		goto out;
	r = add_actions(&actions, words);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0)
		r = posix_spawn(ret, path, &actions, &attributes, arguments, environment);
	(void)posix_spawnattr_destroy(&attributes);
out:
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

int wireguard_program_start(struct wireguard_program *ret, const char *path, const char *name)
{
	struct wireguard_program program = {.words = open_words()};
	int r;

	if (program.words < 0)
		return program.words;
	r = -spawn(&program.id, path, name, program.words);
	if (r < 0)
		goto out;
	program.process = pidfd_open(program.id, 0);
	if (program.process < 0) {
		/* A child that nobody has waited for keeps its number. */
		r = -errno;
		(void)kill(program.id, SIGKILL);
		(void)waitpid(program.id, NULL, 0);
		goto out;
	}
	*ret = program;
	return 0;
out:
	(void)close(program.words);
	return r;
}

void wireguard_program_close(struct wireguard_program *program)
{
	(void)close(program->process);
	(void)close(program->words);
}

/* Whether the process ends before the deadline. */
static bool ends(int process, usec_t deadline)
{
	struct pollfd waiting = {.fd = process, .events = POLLIN};
	int count;

	do {
		count = poll(&waiting, 1, uapi_left_ms(deadline, INT_MAX));
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

bool wireguard_program_ends(const struct wireguard_program *program, int within_ms)
{
	struct pollfd waiting = {.fd = program->process, .events = POLLIN};

	return poll(&waiting, 1, within_ms) > 0;
}

void wireguard_program_last_words(const struct wireguard_program *program, char *out, size_t size)
{
	char words[WORDS_SIZE + 1];
	ssize_t n = pread(program->words, words, WORDS_SIZE, 0);
	size_t length;
	const char *line;

	words[n > 0 ? n : 0] = '\0';
	length = strlen(words);
	while (length > 0 && words[length - 1] == '\n')
		length--;
	words[length] = '\0';
	line = strrchr(words, '\n');
	line = line ? line + 1 : words;
	text_show(line, strlen(line), out, size);
}

/* Whether a process is wireguard-go, as the kernel names it. */
static bool is_wireguard_go(pid_t id)
{
	char path[PROC_PATH_SIZE];
	char name[sizeof PROGRAM + 1] = {0};
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/comm", (int)id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, sizeof name);
	(void)close(fd);
	return n == (ssize_t)sizeof PROGRAM && memcmp(name, PROGRAM "\n", sizeof PROGRAM) == 0;
}

bool wireguard_program_is_elsewhere(pid_t id)
{
	char path[PROC_PATH_SIZE];
	struct stat ours;
	struct stat theirs;

	(void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)id);
	if (stat("/proc/self/ns/net", &ours) < 0 || stat(path, &theirs) < 0)
		return false;
	return ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino;
}

static int send_signal(int process, int number)
{
	/* It may have ended just now. */
	return pidfd_send_signal(process, number, NULL, 0) == 0 || errno == ESRCH ? 0 : -errno;
}

static int make_end(int process)
{
	int r = send_signal(process, SIGKILL);

	return r < 0 || ends(process, uapi_deadline()) ? r : -ETIMEDOUT;
}

void wireguard_program_kill(const struct wireguard_program *program)
{
	(void)make_end(program->process);
}

static int end(int process, usec_t deadline)
{
	int r = send_signal(process, SIGTERM);

	return r < 0 || ends(process, deadline) ? r : make_end(process);
}

int wireguard_program_end(pid_t id, usec_t deadline)
{
	int process = pidfd_open(id, 0);
	int r;

	if (process < 0)
		return errno == ESRCH ? 0 : -errno;
	/* The descriptor is there first, so what is now found out is true of whom it names. */
	if (ends(process, 0))
		r = 0;
	else if (!is_wireguard_go(id))
		r = -EOPNOTSUPP;
	else if (wireguard_program_is_elsewhere(id))
		r = -EXDEV;
	else
		r = end(process, deadline);
	(void)close(process);
	return r;
}

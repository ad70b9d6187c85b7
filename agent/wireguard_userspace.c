/* SPDX-License-Identifier: MIT */
/*
 * wireguard_userspace.c - the room where every device is a wireguard-go of its own.
 *
 * Nothing is known about a program but what its socket tells, so one that another agent started is
 * as good as our own. Of our own the process ids are kept, to lay them to rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/memory.h"
#include "agent/uapi_socket.h"
#include "agent/wireguard_internal.h"
#include "agent/wireguard_program.h"

#define TUN "/dev/net/tun"
#define START_POLL_MS 2
#define WORDS_SHOWN 160
#define KEPT_MAX 2

/* A connection by which a device was read, and will be again: it is looked at all the time. */
struct kept {
	char name[WIREGUARD_NAME_SIZE]; /* empty: a free place */
	int fd;
};

struct userspace {
	struct wireguard base;
	char program[WIREGUARD_PROGRAM_PATH_SIZE];
	pid_t *children;
	uint32_t child_count;
	uint32_t child_capacity;
	struct kept kept[KEPT_MAX];
};

static struct userspace *userspace_of(struct wireguard *wireguard)
{
	return (struct userspace *)wireguard;
}

/* Says why and returns the error. */
__attribute__((format(printf, 3, 4))) static int explain(
	char why[static WIREGUARD_WHY_SIZE], int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, WIREGUARD_WHY_SIZE, format, arguments);
	va_end(arguments);
	return error;
}

/* What this machine has and we may. */

static int check_tun(char why[static WIREGUARD_WHY_SIZE])
{
	int fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		(void)close(fd);
		return 0;
	}
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return explain(why, -EOPNOTSUPP,
			TUN " is missing, which userspace WireGuard needs: modprobe tun");
	case EACCES:
	case EPERM:
		return explain(why, -EPERM,
			TUN " may not be opened: its mode should be 0666, and a unit needs "
			    "DeviceAllow=" TUN " rw");
	default:
		return explain(why, -errno, TUN ": %s", strerror(errno));
	}
}

/* glibc has no name for this call; the library that has is not needed for one question. */
static bool has_net_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

/* Whether programs that are started have it, too. */
static bool hands_on_net_admin(void)
{
	return geteuid() == 0 ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0) == 1;
}

static int check_capability(char why[static WIREGUARD_WHY_SIZE])
{
	if (has_net_admin())
		return 0;
	return explain(why, -EPERM,
		"CAP_NET_ADMIN is missing: run as root, or in a unit with "
		"AmbientCapabilities=CAP_NET_ADMIN");
}

/* wireguard-go makes the directory where it may. */
static int check_directory(char why[static WIREGUARD_WHY_SIZE])
{
	if (faccessat(AT_FDCWD, UAPI_DIRECTORY, W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno == ENOENT && faccessat(AT_FDCWD, "/var/run", W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	return explain(why, -EPERM,
		UAPI_DIRECTORY
		" cannot be written (%s): as root, install -d -m 755 -o %u -g %u " UAPI_DIRECTORY
		", or a unit with RuntimeDirectory=wireguard",
		strerror(errno), (unsigned)geteuid(), (unsigned)getegid());
}

static int open_room(struct wireguard **ret, char why[static WIREGUARD_WHY_SIZE])
{
	char program[WIREGUARD_PROGRAM_PATH_SIZE];
	struct userspace *userspace;
	int r;

	if (wireguard_program_find(program) < 0)
		return explain(why, -EOPNOTSUPP, "install wireguard-go: apt install wireguard-go");
	r = check_tun(why);
	if (r == 0)
		r = check_capability(why);
	if (r == 0)
		r = check_directory(why);
	if (r < 0)
		return r;
	userspace = memory_zeroed(1, sizeof *userspace);
	userspace->base.room = &wireguard_userspace;
	memcpy(userspace->program, program, sizeof program);
	*ret = &userspace->base;
	return 0;
}

static void drop(struct kept *kept)
{
	if (kept->name[0])
		(void)close(kept->fd);
	kept->name[0] = '\0';
}

static void close_room(struct wireguard *wireguard)
{
	struct userspace *userspace = userspace_of(wireguard);

	for (int i = 0; i < KEPT_MAX; i++)
		drop(&userspace->kept[i]);
	free(userspace->children);
	free(userspace);
}

/* Children. */

static void remember(struct userspace *userspace, pid_t id)
{
	userspace->children = memory_grown(userspace->children, &userspace->child_capacity,
		userspace->child_count + 1, sizeof id);
	userspace->children[userspace->child_count++] = id;
}

/* Each by its own id: others in this process have children as well. */
static void reap(struct wireguard *wireguard)
{
	struct userspace *userspace = userspace_of(wireguard);
	uint32_t left = 0;

	for (uint32_t i = 0; i < userspace->child_count; i++) {
		if (waitpid(userspace->children[i], NULL, WNOHANG) == 0)
			userspace->children[left++] = userspace->children[i];
	}
	userspace->child_count = left;
}

/* Asking. */

/* Returns 0, -ENODEV or what the system said. */
static int find_link(const char *name)
{
	return if_nametoindex(name) > 0 ? 0 : -errno;
}

/* Namespaces may share the sockets: the device of this name that answers is ours, or there is none.
 */
static int connect_here(const char *name, usec_t deadline)
{
	int fd = uapi_connect(name, deadline);
	pid_t id;

	if (fd < 0)
		return fd;
	id = uapi_other_end(fd);
	if (id > 0 && !wireguard_program_is_elsewhere(id))
		return fd;
	(void)close(fd);
	return id < 0 ? id : -ENODEV;
}

/* One question by a connection. The answer is handed over where ret is not NULL. */
static int exchange(
	int fd, const struct uapi_text *text, struct wireguard_device *ret, usec_t deadline)
{
	struct uapi_answer answer;
	int r;

	uapi_answer_init(&answer);
	r = uapi_exchange(fd, text, &answer, deadline);
	if (r == 0)
		return uapi_answer_end(&answer, ret);
	(void)uapi_answer_end(&answer, NULL);
	return r;
}

/* Tells a device one thing. */
static int tell(const char *name, const struct uapi_text *text, usec_t deadline)
{
	int r = find_link(name);
	int fd;

	if (r < 0)
		return r;
	fd = connect_here(name, deadline);
	if (fd < 0)
		return fd;
	r = exchange(fd, text, NULL, deadline);
	(void)close(fd);
	return r;
}

/* The place under this name; of no name, one that is free. */
static struct kept *find_kept(struct userspace *userspace, const char *name)
{
	for (int i = 0; i < KEPT_MAX; i++) {
		if (strcmp(userspace->kept[i].name, name) == 0)
			return &userspace->kept[i];
	}
	return NULL;
}

static void drop_name(struct userspace *userspace, const char *name)
{
	struct kept *kept = find_kept(userspace, name);

	if (kept)
		drop(kept);
}

static int read_anew(struct userspace *userspace, const char *name, const struct uapi_text *text,
	struct wireguard_device *ret, usec_t deadline)
{
	struct kept *place = find_kept(userspace, "");
	int r = find_link(name);
	int fd = r < 0 ? r : connect_here(name, deadline);

	if (fd < 0)
		return fd;
	r = exchange(fd, text, ret, deadline);
	if (r < 0 || !place) {
		(void)close(fd);
		return r;
	}
	(void)snprintf(place->name, sizeof place->name, "%s", name);
	place->fd = fd;
	return 0;
}

/* A program that was started anew has hung up on us. */
static int read_again(struct userspace *userspace, const char *name, const struct uapi_text *text,
	struct wireguard_device *ret, usec_t deadline)
{
	struct kept *kept = find_kept(userspace, name);
	int r = kept ? exchange(kept->fd, text, ret, deadline) : -ENODEV;

	if (r < 0)
		drop_name(userspace, name);
	return r == -ENODEV ? read_anew(userspace, name, text, ret, deadline) : r;
}

static int read_device(struct wireguard *wireguard, const char *name, struct wireguard_device *ret)
{
	struct userspace *userspace = userspace_of(wireguard);
	struct uapi_text text = {0};
	int r;

	uapi_ask(&text);
	r = read_again(userspace, name, &text, ret, uapi_deadline());
	uapi_text_free(&text);
	return r;
}

static int change_device(const char *name, const struct wireguard_change *change, usec_t deadline)
{
	struct uapi_text text = {0};
	uint32_t next = 0;
	int r;

	do {
		next = uapi_tell(&text, change, next);
		r = tell(name, &text, deadline);
	} while (r == 0 && next < change->peer_count);
	uapi_text_free(&text);
	return r;
}

static int write_device(
	struct wireguard *wireguard, const char *name, const struct wireguard_change *change)
{
	(void)wireguard;
	return change_device(name, change, uapi_deadline());
}

/* A change of nothing is answered by whoever can be changed, in few words. */
static int probe_until(const char *name, usec_t deadline)
{
	static const struct wireguard_change nothing;

	return change_device(name, &nothing, deadline);
}

static int probe(struct wireguard *wireguard, const char *name)
{
	(void)wireguard;
	return probe_until(name, uapi_deadline());
}

/* Making and taking away. */

/* What the system said of a file, in the words of wireguard.h. */
static int refusal(void)
{
	return errno == EACCES ? -EPERM : -errno;
}

/*
 * Removes a socket that nobody listens on: it stays behind when a program is killed. Returns 0,
 * also where there is none; -EEXIST somebody listens; -ENOTSOCK; -EPERM.
 */
static int clear_socket(const char *name, usec_t deadline)
{
	char path[UAPI_PATH_SIZE];
	struct stat file;
	int fd;

	uapi_path(name, path);
	if (lstat(path, &file) < 0)
		return errno == ENOENT ? 0 : refusal();
	if (!S_ISSOCK(file.st_mode))
		return -ENOTSOCK;
	fd = uapi_connect(name, deadline);
	if (fd >= 0)
		(void)close(fd);
	if (fd != -ENODEV)
		return fd >= 0 || fd == -ETIMEDOUT ? -EEXIST : fd;
	return unlink(path) == 0 || errno == ENOENT ? 0 : refusal();
}

static int explain_end(const struct wireguard_program *program, const char *name,
	char why[static WIREGUARD_WHY_SIZE])
{
	char words[WORDS_SHOWN];

	wireguard_program_last_words(program, words, sizeof words);
	if (!hands_on_net_admin())
		return explain(why, -EPERM,
			"wireguard-go did not get CAP_NET_ADMIN, which has to be ambient: "
			"AmbientCapabilities= of a unit. It said: %s",
			words);
	return explain(why, -EIO, "wireguard-go for %s ended at once: %s", name,
		words[0] ? words : "it did not say why");
}

/* Waits until the device answers. */
static int await(const struct wireguard_program *program, const char *name, usec_t deadline,
	char why[static WIREGUARD_WHY_SIZE])
{
	for (;;) {
		int r = probe_until(name, deadline);

		if (r == 0)
			return 0;
		if (r == -ETIMEDOUT || uapi_left_ms(deadline, 1) == 0)
			return explain(why, -ETIMEDOUT,
				"wireguard-go for %s did not answer within %d ms", name,
				WIREGUARD_PATIENCE_MS);
		if (r != -ENODEV)
			return explain(why, r, "wireguard-go for %s: %s", name, strerror(-r));
		if (wireguard_program_ends(program, START_POLL_MS))
			return explain_end(program, name, why);
	}
}

static int start(struct userspace *userspace, const char *name, char why[static WIREGUARD_WHY_SIZE])
{
	usec_t deadline = uapi_deadline();
	struct wireguard_program program;
	int r = wireguard_program_start(&program, userspace->program, name);

	if (r < 0)
		return explain(
			why, r, "%s cannot be started: %s", userspace->program, strerror(-r));
	remember(userspace, program.id);
	r = await(&program, name, deadline, why);
	if (r < 0)
		wireguard_program_kill(&program);
	wireguard_program_close(&program);
	if (r < 0) {
		reap(&userspace->base);
		/* The socket stays behind what is killed. */
		(void)clear_socket(name, uapi_deadline());
	}
	return r;
}

static int create(
	struct wireguard *wireguard, const char *name, char why[static WIREGUARD_WHY_SIZE])
{
	int r;

	r = find_link(name);
	if (r == 0)
		return explain(why, -EEXIST, "there is an interface named %s already", name);
	if (r != -ENODEV)
		return explain(why, r, "%s: %s", name, strerror(-r));
	r = clear_socket(name, uapi_deadline());
	if (r == -EEXIST)
		return explain(why, r,
			UAPI_DIRECTORY "/%s.sock is in use: by a device of this name in another "
				       "network namespace, or by a program that hangs",
			name);
	if (r < 0)
		return explain(
			why, r, UAPI_DIRECTORY "/%s.sock is in the way: %s", name, strerror(-r));
	return start(userspace_of(wireguard), name, why);
}

/* Returns 0, -ENODEV nobody stands behind it, or an error. */
static int end_program(const char *name, usec_t deadline)
{
	int fd = uapi_connect(name, deadline);
	pid_t id;

	if (fd < 0)
		return fd;
	id = uapi_other_end(fd);
	(void)close(fd);
	return id < 0 ? id : wireguard_program_end(id, deadline);
}

static int destroy(struct wireguard *wireguard, const char *name)
{
	usec_t deadline = uapi_deadline();
	int r;

	drop_name(userspace_of(wireguard), name);
	r = end_program(name, deadline);
	reap(wireguard);
	/* Of another namespace: there is none here. */
	if (r == -EXDEV)
		return 0;
	if (r < 0 && r != -ENODEV)
		return r;
	/* A program takes its link along: what is still there is another's, or was made to stay. */
	if (r == 0 && find_link(name) == 0)
		return -EBUSY;
	return clear_socket(name, uapi_deadline());
}

const struct wireguard_room wireguard_userspace = {
	.kind = WIREGUARD_USERSPACE,
	.open = open_room,
	.close = close_room,
	.create = create,
	.probe = probe,
	.destroy = destroy,
	.read = read_device,
	.write = write_device,
	.reap = reap,
};

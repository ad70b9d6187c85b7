/* SPDX-License-Identifier: MIT */
#include "agent/uapi_socket.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#define CHUNK_SIZE 16384
#define ACCEPT_POLL_MS 10

static usec_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

usec_t uapi_deadline(void)
{
	return now() + WIREGUARD_PATIENCE_MS * USEC_MSEC;
}

int uapi_left_ms(usec_t deadline, int most)
{
	usec_t left = deadline - now();

	if (left <= 0)
		return 0;
	left = (left + USEC_MSEC - 1) / USEC_MSEC;
	return left < most ? (int)left : most;
}

void uapi_path(const char *name, char out[static UAPI_PATH_SIZE])
{
	(void)snprintf(out, UAPI_PATH_SIZE, "%s/%s.sock", UAPI_DIRECTORY, name);
}

/* Returns 0 or negative errno, -EAGAIN where too many wait to be accepted. */
static int connect_to(int fd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	_Static_assert(UAPI_PATH_SIZE <= sizeof address.sun_path, "a path fits into an address");
	uapi_path(name, address.sun_path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return 0;
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		return -ENODEV;
	case EACCES:
		return -EPERM;
	default:
		return -errno;
	}
}

/* Private keys go to ourselves and to root, not to whoever could make a file in the directory. */
static int check_other_end(int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	return credentials.uid == 0 || credentials.uid == geteuid() ? 0 : -EPERM;
}

int uapi_connect(const char *name, usec_t deadline)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	while ((r = connect_to(fd, name)) == -EAGAIN) {
		int left = uapi_left_ms(deadline, ACCEPT_POLL_MS);

		if (left == 0) {
			r = -ETIMEDOUT;
			break;
		}
		/* Nothing tells when there is room among those who wait. */
		(void)poll(NULL, 0, left);
	}
	if (r == 0)
		r = check_other_end(fd);
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

pid_t uapi_other_end(int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	/* A process that cannot be named from here has no id. */
	return credentials.pid > 0 ? credentials.pid : -EPERM;
}

/* Returns 0 or -ETIMEDOUT, or what poll() says. */
static int wait_for(struct pollfd *waiting, usec_t deadline)
{
	for (;;) {
		int left = uapi_left_ms(deadline, INT_MAX);
		int count;

		/* Also where it is ready: who says a little all the time is not waited for either.
		 */
		if (left == 0)
			return -ETIMEDOUT;
		count = poll(waiting, 1, left);
		if (count > 0)
			return 0;
		if (count < 0 && errno != EINTR)
			return -errno;
	}
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int send_some(int fd, const struct uapi_text *text, uint32_t *sent)
{
	ssize_t n = send(fd, text->bytes + *sent, text->length - *sent, MSG_NOSIGNAL);

	if (n >= 0) {
		*sent += (uint32_t)n;
		return 0;
	}
	/* It hung up on a line that it did not like; its answer says so, and is still to be read.
	 */
	if (errno == EPIPE || errno == ECONNRESET) {
		*sent = text->length;
		return 0;
	}
	return is_passing(errno) ? 0 : -errno;
}

static int receive_some(int fd, struct uapi_answer *answer)
{
	char chunk[CHUNK_SIZE];
	ssize_t n = recv(fd, chunk, sizeof chunk, 0);
	int r;

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return -ENODEV;
	if (n < 0)
		return is_passing(errno) ? 0 : -errno;
	r = uapi_answer_push(answer, chunk, (size_t)n);
	sodium_memzero(chunk, (size_t)n);
	return r;
}

int uapi_exchange(int fd, const struct uapi_text *text, struct uapi_answer *answer, usec_t deadline)
{
	uint32_t sent = 0;
	int r = send_some(fd, text, &sent);

	/* It may answer before it has read everything, so both are done at a time. */
	while (r == 0 && !uapi_answer_is_whole(answer)) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};

		if (sent < text->length)
			waiting.events |= POLLOUT;
		r = wait_for(&waiting, deadline);
		if (r == 0 && sent < text->length && waiting.revents & POLLOUT)
			r = send_some(fd, text, &sent);
		if (r == 0 && waiting.revents & (POLLIN | POLLHUP | POLLERR))
			r = receive_some(fd, answer);
	}
	return r;
}

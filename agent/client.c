/* SPDX-License-Identifier: MIT */
#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/clock.h"
#include "agent/control.h"

int client_open(struct client *client, const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(
		address.sun_path, sizeof address.sun_path, "%s/%s", directory, CONTROL_SOCKET);
	int descriptor;
	int r;

	if (length < 0 || (size_t)length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return -errno;
	if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) {
		r = errno == ECONNREFUSED ? -ENOENT : -errno;
		(void)close(descriptor);
		return r;
	}
	client->descriptor = descriptor;
	return 0;
}

void client_close(struct client *client)
{
	if (client->descriptor >= 0)
		(void)close(client->descriptor);
	client->descriptor = -1;
}

int client_ask(struct client *client, const struct control_request *request)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size = control_request_write(request, bytes);
	size_t sent = 0;
	int r = 0;

	while (sent < size && r == 0) {
		ssize_t more = send(client->descriptor, bytes + sent, size - sent, MSG_NOSIGNAL);

		if (more >= 0)
			sent += (size_t)more;
		else if (errno != EINTR)
			r = -errno;
	}
	sodium_memzero(bytes, sizeof bytes);
	return r;
}

/* Reads exactly so many bytes, until a moment. */
static int read_all(struct client *client, usec_t until, uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		struct pollfd poller = {.fd = client->descriptor, .events = POLLIN};
		usec_t left = until == USEC_NEVER ? USEC_NEVER : until - clock_now();
		ssize_t more;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poller, 1,
			    left == USEC_NEVER ? -1 : (int)(left / USEC_MSEC % INT32_MAX) + 1) <
				0 &&
			errno != EINTR)
			return -errno;
		if (!(poller.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		more = recv(client->descriptor, bytes + done, size - done, 0);
		if (more == 0)
			return -EPIPE;
		/* Turned away before the request was read: that says no more than an end does. */
		if (more < 0 && errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
		done += more > 0 ? (size_t)more : 0;
	}
	return 0;
}

int client_answer(struct client *client, usec_t patience, struct control_answer *ret)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	usec_t until = usec_add(clock_now(), patience);
	size_t size;
	int r = read_all(client, until, bytes, CONTROL_HEAD);

	if (r < 0)
		return r;
	size = control_size(bytes);
	if (size == 0)
		return -EBADMSG;
	r = read_all(client, until, bytes, size);
	return r < 0 ? r : control_answer_read(ret, bytes, size);
}

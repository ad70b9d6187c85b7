/* SPDX-License-Identifier: MIT */
#include "agent/control.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sodium.h>

#include "agent/clock.h"
#include "agent/memory.h"
#include "base/usec.h"

#define BACKLOG 16
#define ASK_WITHIN (10 * USEC_SECOND) /* from the connection to its request */
#define FETCH_WITHIN_S 30             /* the answers */
#define LOOKERS_MAX (CONTROL_CONNECTIONS_MAX / 2)
#define PENDING_MAX (4 * 1024 * 1024) /* bytes of answers that nobody fetches */
#define GROUP "collective"

struct connection {
	struct control *control;
	uint32_t number; /* 0: the place is free */
	bool all;        /* may ask for everything */
	bool asked;
	bool ending;  /* once all was sent */
	usec_t until; /* then it has to have asked */
	struct bufferevent *stream;
};

struct control {
	struct event_base *loop;
	struct log *log;
	control_asked_fn asked;
	void *context;
	int descriptor;
	struct event *event;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	uint32_t next;
	struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static void end(struct connection *connection)
{
	if (connection->stream) {
		/* What was asked may have been secret. */
		struct evbuffer *input = bufferevent_get_input(connection->stream);
		size_t left = evbuffer_get_length(input);

		if (left > 0)
			sodium_memzero(evbuffer_pullup(input, -1), left);
		bufferevent_free(connection->stream);
	}
	*connection = (struct connection){.control = connection->control};
}

static void fail(struct connection *connection, const char *text)
{
	struct control_answer answer = {.kind = CONTROL_FAILED};

	(void)snprintf(answer.text, sizeof answer.text, "%s", text);
	control_answer(connection->control, connection->number, &answer);
}

static void on_ended(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	end(context);
}

static void on_sent(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;

	(void)stream;
	if (connection->ending)
		end(connection);
}

static void ask(struct connection *connection, const uint8_t *bytes, size_t size)
{
	const struct timeval fetching = {.tv_sec = FETCH_WITHIN_S};
	struct control *control = connection->control;
	struct control_request request;

	connection->asked = true;
	bufferevent_set_timeouts(connection->stream, NULL, &fetching);
	if (control_request_read(&request, bytes, size) < 0)
		fail(connection, "the agent does not understand this: is it of another version?");
	else if (!connection->all && !control_is_looking(&request))
		fail(connection, "only root may do this");
	else
		control->asked(control->context, connection->number, &request);
	sodium_memzero(&request, sizeof request);
}

/* A byte now and then is no request: the stream's own timeout begins anew with each. */
static void wait_on(struct connection *connection)
{
	usec_t left = connection->until - clock_now();
	const struct timeval patience = {
		.tv_sec = left / USEC_SECOND, .tv_usec = left % USEC_SECOND};

	if (left > 0)
		bufferevent_set_timeouts(connection->stream, &patience, NULL);
	else
		end(connection);
}

static void on_readable(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	if (connection->asked) {
		/* One request a connection: whatever follows is of no matter. */
		(void)evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	if (evbuffer_copyout(input, bytes, CONTROL_HEAD) < CONTROL_HEAD) {
		wait_on(connection);
		return;
	}
	size = control_size(bytes);
	if (size == 0) {
		connection->asked = true;
		fail(connection, "a request of this size cannot be");
		return;
	}
	if (evbuffer_get_length(input) < CONTROL_HEAD + size) {
		wait_on(connection);
		return;
	}
	(void)evbuffer_remove(input, bytes, CONTROL_HEAD + size);
	ask(connection, bytes + CONTROL_HEAD, size);
	sodium_memzero(bytes, sizeof bytes);
}

/* However many of the group there are, root finds a place. */
static struct connection *free_place(struct control *control, bool all)
{
	struct connection *found = NULL;
	int lookers = 0;

	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->number == 0)
			found = connection;
		else if (!connection->all)
			lookers++;
	}
	return all || lookers < LOOKERS_MAX ? found : NULL;
}

static bool may_do_all(int descriptor)
{
	struct ucred who;
	socklen_t size = sizeof who;

	return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void on_connection(evutil_socket_t listener, short what, void *context)
{
	struct control *control = context;
	int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *connection;
	bool all;

	(void)what;
	if (descriptor < 0)
		return;
	all = may_do_all(descriptor);
	connection = free_place(control, all);
	if (!connection) {
		(void)close(descriptor);
		log_write(control->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
			"too many ask at the control socket at once: %d are the most",
			all ? CONTROL_CONNECTIONS_MAX : LOOKERS_MAX);
		return;
	}
	connection->stream = bufferevent_socket_new(
		control->loop, descriptor, BEV_OPT_CLOSE_ON_FREE);
	if (!connection->stream) {
		(void)close(descriptor);
		return;
	}
	/* Numbers are not given again soon: late answers belong to nobody. */
	connection->number = control->next++;
	if (control->next == 0)
		control->next = 1;
	connection->all = all;
	bufferevent_setcb(connection->stream, on_readable, on_sent, on_ended, connection);
	bufferevent_setwatermark(connection->stream, EV_READ, 0, CONTROL_SIZE_MAX);
	connection->until = clock_now() + ASK_WITHIN;
	wait_on(connection);
	(void)bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

static struct connection *find(const struct control *control, uint32_t number)
{
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX && number != 0; i++) {
		if (control->connections[i].number == number)
			return (struct connection *)(uintptr_t)&control->connections[i];
	}
	return NULL;
}

bool control_is_open(const struct control *control, uint32_t number)
{
	const struct connection *connection = find(control, number);

	return connection && !connection->ending;
}

void control_answer(struct control *control, uint32_t number, const struct control_answer *answer)
{
	struct connection *connection = find(control, number);
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	if (!connection || connection->ending)
		return;
	size = control_answer_write(answer, bytes);
	(void)bufferevent_write(connection->stream, bytes, size);
	sodium_memzero(bytes, size);
	connection->ending = answer->kind == CONTROL_DONE || answer->kind == CONTROL_FAILED;
	if (evbuffer_get_length(bufferevent_get_output(connection->stream)) > PENDING_MAX)
		end(connection);
}

/* Opening. */

static int make_directory(const char *directory, char why[static 256])
{
	struct stat status;

	if (mkdir(directory, 0750) < 0 && errno != EEXIST) {
		(void)snprintf(why, 256, "%s cannot be made: %s", directory, strerror(errno));
		return -errno;
	}
	if (stat(directory, &status) < 0 || !S_ISDIR(status.st_mode)) {
		(void)snprintf(why, 256, "%s is no directory", directory);
		return -ENOTDIR;
	}
	if (status.st_mode & (S_IWGRP | S_IWOTH)) {
		(void)snprintf(why, 256,
			"others can write to %s, and could stand in the agent's place: run \"chmod "
			"750 %s\"",
			directory, directory);
		return -EPERM;
	}
	return 0;
}

/* The group may look, where there is one of that name. */
static void give_to_group(const char *directory, const char *path)
{
	const struct group *group = getgrnam(GROUP);

	if (!group)
		return;
	(void)!chown(directory, (uid_t)-1, group->gr_gid);
	(void)!chown(path, (uid_t)-1, group->gr_gid);
}

static int listen_at(struct control *control, const char *directory, char why[static 256])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	memcpy(address.sun_path, control->path, sizeof address.sun_path);
	control->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->descriptor < 0)
		return -errno;
	/* Whoever holds the state's lock is the agent: what lies here is an older one's. */
	(void)unlink(control->path);
	mask = umask(0117);
	r = bind(control->descriptor, (const struct sockaddr *)&address, sizeof address);
	(void)umask(mask);
	if (r < 0 || listen(control->descriptor, BACKLOG) < 0) {
		r = -errno;
		(void)snprintf(
			why, 256, "%s cannot be listened at: %s", control->path, strerror(-r));
		return r;
	}
	give_to_group(directory, control->path);
	control->event = event_new(
		control->loop, control->descriptor, EV_READ | EV_PERSIST, on_connection, control);
	return control->event && event_add(control->event, NULL) == 0 ? 0 : -ENOMEM;
}

int control_open(struct control **ret, struct event_base *loop, const char *directory,
	struct log *log, control_asked_fn asked, void *context, char why[static 256])
{
	struct control *control = memory_zeroed(1, sizeof *control);
	int length;
	int r;

	control->loop = loop;
	control->log = log;
	control->asked = asked;
	control->context = context;
	control->descriptor = -1;
	control->next = 1;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		control->connections[i].control = control;
	length = snprintf(control->path, sizeof control->path, "%s/%s", directory, CONTROL_SOCKET);
	r = length > 0 && (size_t)length < sizeof control->path ? 0 : -ENAMETOOLONG;
	if (r < 0)
		(void)snprintf(why, 256, "the path %s is too long for a socket", directory);
	if (r == 0)
		r = make_directory(directory, why);
	if (r == 0)
		r = listen_at(control, directory, why);
	if (r < 0) {
		control_close(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_end(struct control *control)
{
	if (!control)
		return;
	if (control->event) {
		event_free(control->event);
		(void)unlink(control->path);
	}
	control->event = NULL;
	if (control->descriptor >= 0)
		(void)close(control->descriptor);
	control->descriptor = -1;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct bufferevent *stream = control->connections[i].stream;

		/* A last word, as far as it goes without waiting; the stream itself has no turn any
		 * more. */
		if (stream) {
			(void)evbuffer_unfreeze(bufferevent_get_output(stream), 1);
			(void)evbuffer_write(
				bufferevent_get_output(stream), bufferevent_getfd(stream));
		}
		end(&control->connections[i]);
	}
	control_end(control);
	free(control);
}

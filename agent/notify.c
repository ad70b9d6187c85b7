/* SPDX-License-Identifier: MIT */
#include "agent/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 100

void notify_send(const char *line)
{
	/* A manager that is busy is waited for; one that hangs must not make us hang as well. */
	const struct timeval patience = {.tv_usec = PATIENCE_MS * 1000};
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int descriptor;

	if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	/* An abstract name is written with @ and begins with a zero byte. */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return;
	(void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	(void)sendto(descriptor, line, strlen(line), MSG_NOSIGNAL, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	(void)close(descriptor);
}

usec_t notify_watchdog(void)
{
	const char *every = getenv("WATCHDOG_USEC");
	const char *process = getenv("WATCHDOG_PID");
	char *end;
	long long usec;

	if (!every || (process && strtol(process, NULL, 10) != (long)getpid()))
		return USEC_NEVER;
	usec = strtoll(every, &end, 10);
	return *end == '\0' && usec > 0 ? (usec_t)usec : USEC_NEVER;
}

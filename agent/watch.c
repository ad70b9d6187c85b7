/* SPDX-License-Identifier: MIT */
#include "agent/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "agent/memory.h"

#define BUFFER_SIZE 32768
#define TURNS_MAX 64 /* reads before others have their turn */

struct watch {
	struct mnl_socket *socket;
	uint8_t buffer[BUFFER_SIZE];
};

static const int groups[] = {
	RTNLGRP_LINK,
	RTNLGRP_IPV4_IFADDR,
	RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV6_ROUTE,
	RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE,
	RTNLGRP_IPV4_NETCONF,
};

/* Groups that a kernel does not have are left out: what they would say is looked up now and then.
 */
static void join_groups(struct mnl_socket *socket)
{
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		int group = groups[i];

		(void)mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
	}
}

int watch_open(struct watch **ret)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct watch *watch;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		(void)mnl_socket_close(socket);
		return r;
	}
	join_groups(socket);
	watch = memory_zeroed(1, sizeof *watch);
	watch->socket = socket;
	*ret = watch;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	(void)mnl_socket_close(watch->socket);
	free(watch);
}

int watch_descriptor(const struct watch *watch)
{
	return mnl_socket_get_fd(watch->socket);
}

static void read_messages(struct watch *watch, int size, netlink_each_fn each, void *context)
{
	const struct nlmsghdr *message = (const void *)watch->buffer;

	for (; mnl_nlmsg_ok(message, size); message = mnl_nlmsg_next(message, &size))
		(void)each(message, context);
}

int watch_read(struct watch *watch, netlink_each_fn each, void *context)
{
	int lost = 0;

	for (int i = 0; i < TURNS_MAX; i++) {
		ssize_t size = mnl_socket_recvfrom(
			watch->socket, watch->buffer, sizeof watch->buffer);

		if (size >= 0)
			read_messages(watch, (int)size, each, context);
		else if (errno == ENOBUFS)
			lost = -ENOBUFS;
		else if (errno != EINTR)
			break;
	}
	return lost;
}

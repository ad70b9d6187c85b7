/* SPDX-License-Identifier: MIT */
#include "agent/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/memory.h"
#include "agent/sockaddr.h"

#define BATCH 32 /* datagrams of one socket before others have their turn */

static const uint16_t ports[TUNNEL_PORTS] = {SITE_PORT, SITE_JOIN_PORT};

struct tunnel_socket {
	struct tunnel *tunnel;
	int descriptor; /* -1: closed */
	uint16_t port;
	struct event *event;
};

struct tunnel {
	struct event_base *loop;
	tunnel_receive_fn receive;
	void *context;
	unsigned index;
	int port_count;
	struct tunnel_socket sockets[TUNNEL_PORTS];
};

static void close_socket(struct tunnel_socket *socket)
{
	if (socket->event)
		event_free(socket->event);
	socket->event = NULL;
	if (socket->descriptor >= 0)
		(void)close(socket->descriptor);
	socket->descriptor = -1;
}

static void close_all(struct tunnel *tunnel)
{
	for (int i = 0; i < TUNNEL_PORTS; i++)
		close_socket(&tunnel->sockets[i]);
	tunnel->index = 0;
}

/* Where a datagram was sent to. */
static bool read_destination(struct msghdr *message, struct endpoint *ret)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
		part = CMSG_NXTHDR(message, part)) {
		struct in_pktinfo info;

		if (part->cmsg_level != IPPROTO_IP || part->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(part), sizeof info);
		ret->address.family = ADDRESS_IPV4;
		memcpy(ret->address.bytes, &info.ipi_addr, sizeof info.ipi_addr);
		return true;
	}
	return false;
}

/* Returns whether there may be more. */
static bool receive_one(struct tunnel_socket *socket)
{
	struct tunnel *tunnel = socket->tunnel;
	/* One byte more than a message has: what is longer is none. */
	uint8_t bytes[MESSAGE_SIZE_MAX + 1];
	struct sockaddr_storage source;
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct iovec part = {bytes, sizeof bytes};
	struct msghdr message = {.msg_name = &source,
		.msg_namelen = sizeof source,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	struct endpoint from;
	struct endpoint to = {.port = socket->port};
	ssize_t size = recvmsg(socket->descriptor, &message, 0);

	if (size < 0)
		return errno == EINTR || errno == ECONNREFUSED || errno == EHOSTUNREACH;
	if (size <= MESSAGE_SIZE_MAX && !(message.msg_flags & MSG_TRUNC) &&
		sockaddr_read(&source, message.msg_namelen, &from) == 0 &&
		read_destination(&message, &to))
		tunnel->receive(tunnel->context, &from, &to, bytes, (size_t)size);
	return true;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
	struct tunnel_socket *socket = context;

	(void)what;
	/* What is received may close this socket, or put another in its place. */
	for (int i = 0; i < BATCH && socket->descriptor == descriptor; i++) {
		if (!receive_one(socket))
			break;
	}
}

static int open_socket(struct tunnel *tunnel, struct tunnel_socket *own, const char *name)
{
	const struct endpoint any = {.address.family = ADDRESS_IPV4, .port = own->port};
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&any, &storage);
	int yes = 1;
	int r;

	own->descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (own->descriptor < 0)
		return -errno;
	if (setsockopt(own->descriptor, SOL_SOCKET, SO_BINDTODEVICE, name,
		    (socklen_t)strlen(name)) < 0 ||
		setsockopt(own->descriptor, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) < 0 ||
		bind(own->descriptor, (const struct sockaddr *)&storage, length) < 0) {
		r = -errno;
		close_socket(own);
		return r;
	}
	own->event = event_new(
		tunnel->loop, own->descriptor, EV_READ | EV_PERSIST, on_readable, own);
	if (!own->event || event_add(own->event, NULL) < 0) {
		close_socket(own);
		return -ENOMEM;
	}
	return 0;
}

struct tunnel *tunnel_new(
	struct event_base *loop, int port_count, tunnel_receive_fn receive, void *context)
{
	struct tunnel *tunnel = memory_zeroed(1, sizeof *tunnel);

	assert(port_count <= TUNNEL_PORTS);
	tunnel->port_count = port_count;
	tunnel->loop = loop;
	tunnel->receive = receive;
	tunnel->context = context;
	for (int i = 0; i < TUNNEL_PORTS; i++)
		tunnel->sockets[i] = (struct tunnel_socket){
			.tunnel = tunnel, .descriptor = -1, .port = ports[i]};
	return tunnel;
}

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	close_all(tunnel);
	free(tunnel);
}

int tunnel_follow(struct tunnel *tunnel, const char *name, unsigned index)
{
	if (index == tunnel->index)
		return 0;
	close_all(tunnel);
	for (int i = 0; i < tunnel->port_count && index != 0; i++) {
		int r = open_socket(tunnel, &tunnel->sockets[i], name);

		if (r < 0) {
			close_all(tunnel);
			return r;
		}
	}
	tunnel->index = index;
	return 0;
}

static struct tunnel_socket *socket_of(struct tunnel *tunnel, uint16_t port)
{
	for (int i = 0; i < TUNNEL_PORTS; i++) {
		if (tunnel->sockets[i].port == port)
			return &tunnel->sockets[i];
	}
	return NULL;
}

void tunnel_send(struct tunnel *tunnel, const struct site_action *action)
{
	const struct tunnel_socket *own = socket_of(tunnel, action->send.port);
	struct sockaddr_storage storage;
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = {.bytes = {0}};
	struct in_pktinfo info = {.ipi_ifindex = 0};
	uint8_t bytes[MESSAGE_SIZE_MAX];
	struct iovec part = {bytes, action->send.size};
	struct msghdr message = {.msg_name = &storage,
		.msg_namelen = sockaddr_from(&action->send.to, &storage),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};

	if (!own || own->descriptor < 0 || action->send.to.address.family != ADDRESS_IPV4 ||
		action->send.from.family != ADDRESS_IPV4)
		return;
	memcpy(bytes, action->send.bytes, action->send.size);
	memcpy(&info.ipi_spec_dst, action->send.from.bytes, sizeof info.ipi_spec_dst);
	control.head.cmsg_level = IPPROTO_IP;
	control.head.cmsg_type = IP_PKTINFO;
	control.head.cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(&control.head), &info, sizeof info);
	(void)sendmsg(own->descriptor, &message, MSG_NOSIGNAL);
}

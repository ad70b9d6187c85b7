/* SPDX-License-Identifier: MIT */
#include "agent/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "agent/memory.h"
#include "agent/route.h"
#include "agent/sockaddr.h"

#define BATCH 32                        /* datagrams of one socket before others have their turn */
#define RECEIVE_BUFFER_SIZE (64 * 1024) /* what waits longer than that is worth nothing */
#define FAMILIES 2

struct tap_family {
	uint8_t own;
	int system;
	uint16_t protocol; /* of the link layer */
	int level;
	int hops; /* the option that has the system's own number */
};

/*
 * A socket for each protocol, and none for all: other protocols cost nothing then, what this
 * machine sends does not pass by, and what came through a bridge or a VLAN passes by once.
 */
static const struct tap_family families[FAMILIES] = {
	{ADDRESS_IPV4, AF_INET, ETH_P_IP, IPPROTO_IP, IP_TTL},
	{ADDRESS_IPV6, AF_INET6, ETH_P_IPV6, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
};

struct tap_ear {
	struct tap *tap;
	int descriptor; /* -1: closed */
	struct event *event;
};

struct tap_mouth {
	int descriptor; /* -1: this machine does not speak it */
	uint32_t mark;
};

struct tap {
	struct event_base *loop;
	tap_receive_fn receive;
	void *context;
	struct netlink *netlink;
	struct tap_ground ground;
	struct tap_ear ears[FAMILIES];
	struct tap_mouth mouths[FAMILIES];
};

static bool is_own_device(const struct tap *tap, unsigned device)
{
	for (uint32_t i = 0; i < tap->ground.device_count; i++) {
		if (tap->ground.devices[i] == device)
			return true;
	}
	return false;
}

static bool is_own_port(const struct tap *tap, uint16_t port)
{
	for (uint32_t i = 0; i < tap->ground.port_count; i++) {
		if (tap->ground.ports[i] == port)
			return true;
	}
	return false;
}

/* Listening. */

static void close_ear(struct tap_ear *ear)
{
	if (ear->event)
		event_free(ear->event);
	ear->event = NULL;
	if (ear->descriptor >= 0)
		(void)close(ear->descriptor);
	ear->descriptor = -1;
}

static void close_ears(struct tap *tap)
{
	for (int i = 0; i < FAMILIES; i++)
		close_ear(&tap->ears[i]);
	tap->ground.port_count = 0;
}

/* Returns whether there may be more. */
static bool receive_one(struct tap_ear *ear)
{
	struct tap *tap = ear->tap;
	uint8_t bytes[TAP_PACKET_MAX];
	struct sockaddr_ll link = {.sll_ifindex = 0};
	socklen_t length = sizeof link;
	struct tap_packet packet;
	ssize_t size = recvfrom(
		ear->descriptor, bytes, sizeof bytes, 0, (struct sockaddr *)&link, &length);

	if (size < 0)
		return errno != EAGAIN;
	/* The filter may have been another when it passed this. */
	if (link.sll_pkttype == PACKET_HOST && link.sll_hatype != ARPHRD_LOOPBACK &&
		!is_own_device(tap, (unsigned)link.sll_ifindex) &&
		tap_packet_read(bytes, (size_t)size, &packet) == 0 &&
		is_own_port(tap, packet.to.port)) {
		const struct tap_arrival arrival = {.from = packet.from,
			.to = packet.to,
			.device = (unsigned)link.sll_ifindex,
			.bytes = packet.bytes,
			.size = packet.size};

		tap->receive(tap->context, &arrival);
	}
	return true;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
	struct tap_ear *ear = context;

	(void)what;
	/* Who is told may close this socket, or put another in its place. */
	for (int i = 0; i < BATCH && ear->descriptor == descriptor; i++) {
		if (!receive_one(ear))
			break;
	}
}

/* Puts a filter in the place of the one before, in one step. */
static int set_filter(int descriptor, uint8_t family, const struct tap_ground *ground)
{
	struct sock_filter filter[TAP_FILTER_MAX];
	struct sock_fprog program = {.filter = filter};

	program.len = (unsigned short)tap_packet_filter(
		family, ground->ports, ground->port_count, filter);
	return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0
		       ? -errno
		       : 0;
}

/* It hears nothing before it is bound, and then by its filter only. */
static int open_ear(
	struct tap_ear *ear, const struct tap_family *family, const struct tap_ground *ground)
{
	const struct sockaddr_ll all = {
		.sll_family = AF_PACKET, .sll_protocol = htons(family->protocol)};
	const int size = RECEIVE_BUFFER_SIZE;
	int r;

	ear->descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ear->descriptor < 0)
		return -errno;
	r = set_filter(ear->descriptor, family->own, ground);
	if (r < 0)
		return r;
	if (setsockopt(ear->descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 ||
		bind(ear->descriptor, (const struct sockaddr *)&all, sizeof all) < 0)
		return -errno;
	ear->event = event_new(
		ear->tap->loop, ear->descriptor, EV_READ | EV_PERSIST, on_readable, ear);
	return ear->event && event_add(ear->event, NULL) == 0 ? 0 : -ENOMEM;
}

static bool same_ports(const struct tap_ground *a, const struct tap_ground *b)
{
	return a->port_count == b->port_count &&
	       memcmp(a->ports, b->ports, a->port_count * sizeof a->ports[0]) == 0;
}

int tap_follow(struct tap *tap, const struct tap_ground *ground)
{
	const struct tap_ground next = *ground;
	int r = 0;

	if (next.port_count == 0)
		close_ears(tap);
	for (int i = 0; i < FAMILIES && next.port_count > 0 && r == 0; i++) {
		struct tap_ear *ear = &tap->ears[i];

		if (ear->descriptor < 0)
			r = open_ear(ear, &families[i], &next);
		else if (!same_ports(&next, &tap->ground))
			r = set_filter(ear->descriptor, families[i].own, &next);
	}
	/* What is not to be sent into holds in any case. */
	tap->ground = next;
	if (r < 0)
		close_ears(tap);
	return r;
}

/* Speaking. */

static int system_hops(const struct tap_mouth *mouth, const struct tap_family *family, uint8_t *ret)
{
	int hops = 0;
	socklen_t length = sizeof hops;

	if (getsockopt(mouth->descriptor, family->level, family->hops, &hops, &length) < 0)
		return -errno;
	*ret = (uint8_t)hops;
	return 0;
}

static int set_mark(struct tap_mouth *mouth, uint32_t mark)
{
	if (mouth->mark == mark)
		return 0;
	if (setsockopt(mouth->descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0)
		return -errno;
	mouth->mark = mark;
	return 0;
}

union way_out {
	struct cmsghdr head;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Names the way that was found, lest a route that changes meanwhile leads into our own tunnel. */
static size_t name_way(const struct route_way *way, union way_out *ret)
{
	struct in_pktinfo narrow = {.ipi_ifindex = (int)way->device};
	struct in6_pktinfo wide = {.ipi6_ifindex = way->device};

	memset(ret, 0, sizeof *ret);
	if (way->source.family == ADDRESS_IPV4) {
		memcpy(&narrow.ipi_spec_dst, way->source.bytes, sizeof narrow.ipi_spec_dst);
		ret->head.cmsg_level = IPPROTO_IP;
		ret->head.cmsg_type = IP_PKTINFO;
		ret->head.cmsg_len = CMSG_LEN(sizeof narrow);
		memcpy(CMSG_DATA(&ret->head), &narrow, sizeof narrow);
		return CMSG_SPACE(sizeof narrow);
	}
	memcpy(&wide.ipi6_addr, way->source.bytes, sizeof wide.ipi6_addr);
	ret->head.cmsg_level = IPPROTO_IPV6;
	ret->head.cmsg_type = IPV6_PKTINFO;
	ret->head.cmsg_len = CMSG_LEN(sizeof wide);
	memcpy(CMSG_DATA(&ret->head), &wide, sizeof wide);
	return CMSG_SPACE(sizeof wide);
}

static int send_packet(const struct tap_mouth *mouth, const struct route_way *way,
	const struct tap_packet *packet, uint8_t hops)
{
	/* A port here would be taken for a protocol. */
	const struct endpoint to = {.address = packet->to.address, .port = 0};
	uint8_t bytes[TAP_PACKET_MAX];
	struct iovec part = {bytes, tap_packet_write(packet, hops, bytes)};
	struct sockaddr_storage storage;
	union way_out control;
	struct msghdr message = {.msg_name = &storage,
		.msg_namelen = sockaddr_from(&to, &storage),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = name_way(way, &control)};

	return sendmsg(mouth->descriptor, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int tap_send(struct tap *tap, const struct tap_departure *departure)
{
	int which = departure->to.address.family == ADDRESS_IPV6;
	struct tap_mouth *mouth = &tap->mouths[which];
	const struct route_flow flow = {.to = departure->to,
		.from = departure->from,
		.from_port = departure->port,
		.mark = departure->mark};
	struct tap_packet packet = {
		.to = departure->to, .bytes = departure->bytes, .size = departure->size};
	uint8_t hops = departure->hops;
	struct route_way way;
	int r;

	if (departure->to.address.family == ADDRESS_NONE || departure->to.port == 0 ||
		departure->port == 0)
		return -EINVAL;
	if (departure->size > SEAL_DATAGRAM_MAX)
		return -EMSGSIZE;
	if (mouth->descriptor < 0)
		return -EAFNOSUPPORT;
	r = route_find(tap->netlink, &flow, &way);
	if (r == 0 && is_own_device(tap, way.device))
		r = -ELOOP;
	if (r == 0 && hops == 0)
		r = system_hops(mouth, &families[which], &hops);
	if (r == 0)
		r = set_mark(mouth, departure->mark);
	if (r < 0)
		return r;
	packet.from = (struct endpoint){way.source, departure->port};
	return send_packet(mouth, &way, &packet, hops);
}

/* Beginning and end. */

static int complain(int r, char why[static TAP_WHY_SIZE])
{
	if (r == -EPERM)
		(void)snprintf(why, TAP_WHY_SIZE,
			"without the capability CAP_NET_RAW no direct links can be tried; the "
			"service unit grants it, and root has it");
	else
		(void)snprintf(why, TAP_WHY_SIZE, "no direct links can be tried: %s", strerror(-r));
	return r;
}

/* They only send: of the protocol they are made for nothing ever comes in, nor any ICMP error. */
static int open_mouth(struct tap_mouth *mouth, const struct tap_family *family)
{
	mouth->descriptor = socket(
		family->system, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	return mouth->descriptor < 0 && errno != EAFNOSUPPORT ? -errno : 0;
}

int tap_new(struct tap **ret, struct event_base *loop, tap_receive_fn receive, void *context,
	char why[static TAP_WHY_SIZE])
{
	struct tap *tap = memory_zeroed(1, sizeof *tap);
	int r = 0;

	tap->loop = loop;
	tap->receive = receive;
	tap->context = context;
	for (int i = 0; i < FAMILIES; i++) {
		tap->ears[i] = (struct tap_ear){.tap = tap, .descriptor = -1};
		tap->mouths[i].descriptor = -1;
	}
	for (int i = 0; i < FAMILIES && r == 0; i++)
		r = open_mouth(&tap->mouths[i], &families[i]);
	if (r == 0)
		r = netlink_open(&tap->netlink, NETLINK_ROUTE);
	if (r < 0) {
		tap_free(tap);
		return complain(r, why);
	}
	*ret = tap;
	return 0;
}

void tap_free(struct tap *tap)
{
	if (!tap)
		return;
	close_ears(tap);
	for (int i = 0; i < FAMILIES; i++) {
		if (tap->mouths[i].descriptor >= 0)
			(void)close(tap->mouths[i].descriptor);
	}
	netlink_close(tap->netlink);
	free(tap);
}

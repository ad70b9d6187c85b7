/* SPDX-License-Identifier: MIT */
#include "agent/portmap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <natpmp.h>

#include "agent/memory.h"
#include "base/bytes.h"

#define ANNOUNCEMENT_PORT 5350
#define ANNOUNCEMENT_SIZE 12
#define ANNOUNCEMENT_KIND 128

struct portmap {
	struct event_base *loop;
	portmap_answer_fn answer;
	void *context;
	bool open;
	natpmp_t router; /* only while open */
	struct event *readable;
	struct event *late;
	struct event *announced; /* NULL: nobody listens */
	in_addr_t gateway;       /* that was asked last */
	bool knows_address;      /* the first of two steps is done */
	struct address address;
	uint16_t port;
	uint16_t wanted;
	uint32_t lifetime_s;
};

static void hang_up(struct portmap *portmap)
{
	if (portmap->readable)
		event_free(portmap->readable);
	portmap->readable = NULL;
	(void)evtimer_del(portmap->late);
	if (portmap->open)
		(void)closenatpmp(&portmap->router);
	portmap->open = false;
}

/* The end of a question; who is told may ask the next one. */
static void tell(struct portmap *portmap, struct portmap_answer answer)
{
	hang_up(portmap);
	answer.port = portmap->port;
	portmap->answer(portmap->context, &answer);
}

static void tell_error(struct portmap *portmap, int error)
{
	tell(portmap, (struct portmap_answer){.error = error, .result = PORTMAP_UNKNOWN});
}

/* libnatpmp's numbers: those of the router, and those of its own. */
static void tell_refusal(struct portmap *portmap, int number)
{
	static const struct {
		int number;
		enum portmap_result result;
	} results[] = {
		{NATPMP_ERR_UNSUPPORTEDVERSION, PORTMAP_UNSUPPORTED_VERSION},
		{NATPMP_ERR_NOTAUTHORIZED, PORTMAP_REFUSED},
		{NATPMP_ERR_NETWORKFAILURE, PORTMAP_NETWORK_FAILURE},
		{NATPMP_ERR_OUTOFRESOURCES, PORTMAP_OUT_OF_RESOURCES},
		{NATPMP_ERR_UNSUPPORTEDOPCODE, PORTMAP_UNSUPPORTED_OPCODE},
		{NATPMP_ERR_UNDEFINEDERROR, PORTMAP_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
		if (results[i].number == number) {
			tell(portmap, (struct portmap_answer){.result = results[i].result});
			return;
		}
	}
	tell_error(portmap, number == NATPMP_ERR_NOGATEWAYSUPPORT ? -ECONNREFUSED : -EIO);
}

/* Waits until an answer comes, or it is time to ask again. */
static int wait_on(struct portmap *portmap)
{
	struct timeval time = {.tv_sec = 0};

	if (getnatpmprequesttimeout(&portmap->router, &time) < 0)
		return -EIO;
	/* The library goes by the wall clock, which may be set. */
	if (time.tv_sec < 0)
		time = (struct timeval){.tv_sec = 0};
	return event_add(portmap->readable, &time) < 0 ? -ENOMEM : 0;
}

/* The outside address, then the port. */
static int ask(struct portmap *portmap)
{
	natpmp_t *router = &portmap->router;
	int r;

	errno = 0;
	r = portmap->knows_address ? sendnewportmappingrequest(router, NATPMP_PROTOCOL_UDP,
					     portmap->port, portmap->wanted, portmap->lifetime_s)
				   : sendpublicaddressrequest(router);
	if (r < 0)
		return errno ? -errno : -EIO;
	return wait_on(portmap);
}

static void go_on(struct portmap *portmap, int r)
{
	if (r < 0)
		tell_error(portmap, r);
}

static void take_address(struct portmap *portmap, const natpmpresp_t *response)
{
	portmap->address = address_ipv4(ntohl(response->pnu.publicaddress.addr.s_addr));
	portmap->knows_address = true;
	go_on(portmap, ask(portmap));
}

static void take_port(struct portmap *portmap, const natpmpresp_t *response)
{
	struct portmap_answer answer = {.result = PORTMAP_GRANTED,
		.outside = {portmap->address, response->pnu.newportmapping.mappedpublicport},
		.lifetime_s = response->pnu.newportmapping.lifetime,
		.epoch_s = response->epoch};

	/* What was given back has no outside, whatever port is named. */
	if (answer.lifetime_s == 0)
		answer.outside.port = 0;
	tell(portmap, answer);
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
	struct portmap *portmap = context;
	natpmpresp_t response = {.type = 0};
	int r = readnatpmpresponseorretry(&portmap->router, &response);

	(void)descriptor;
	(void)what;
	if (r == NATPMP_TRYAGAIN)
		go_on(portmap, wait_on(portmap));
	else if (r < 0)
		tell_refusal(portmap, r);
	else if (!portmap->knows_address && response.type == NATPMP_RESPTYPE_PUBLICADDRESS)
		take_address(portmap, &response);
	else if (portmap->knows_address && response.type == NATPMP_RESPTYPE_UDPPORTMAPPING &&
		 response.pnu.newportmapping.privateport == portmap->port)
		take_port(portmap, &response);
	else
		go_on(portmap, ask(portmap)); /* what comes twice ends the library's waiting */
}

static void on_late(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	tell_error(context, -ETIMEDOUT);
}

static int call(struct portmap *portmap)
{
	const struct timeval patience = {
		PORTMAP_PATIENCE_MS / 1000, PORTMAP_PATIENCE_MS % 1000 * 1000L};
	int r;

	errno = 0;
	r = initnatpmp(&portmap->router, 0, 0);
	portmap->gateway = portmap->router.gateway;
	/* It does not close what it has opened. */
	portmap->open = r == 0;
	if (r < 0 && portmap->router.s >= 0)
		(void)closenatpmp(&portmap->router);
	if (r == NATPMP_ERR_CANNOTGETGATEWAY || r == NATPMP_ERR_CONNECTERR)
		return -ENETUNREACH;
	if (r < 0)
		return errno ? -errno : -EIO;
	(void)fcntl(portmap->router.s, F_SETFD, FD_CLOEXEC);
	portmap->readable = event_new(
		portmap->loop, portmap->router.s, EV_READ, on_readable, portmap);
	if (!portmap->readable || evtimer_add(portmap->late, &patience) < 0)
		return -ENOMEM;
	return 0;
}

static int begin(struct portmap *portmap, uint16_t port, uint16_t wanted, uint32_t lifetime_s)
{
	int r;

	if (port == 0)
		return -EINVAL;
	hang_up(portmap);
	portmap->port = port;
	portmap->wanted = wanted;
	portmap->lifetime_s = lifetime_s;
	/* Nothing is to be reached from outside by what was given back. */
	portmap->knows_address = lifetime_s == 0;
	portmap->address = (struct address){.family = ADDRESS_NONE};
	r = call(portmap);
	if (r == 0)
		r = ask(portmap);
	if (r < 0)
		hang_up(portmap);
	return r;
}

int portmap_ask(struct portmap *portmap, uint16_t port, uint16_t wanted, uint32_t lifetime_s)
{
	return lifetime_s == 0 ? -EINVAL : begin(portmap, port, wanted, lifetime_s);
}

int portmap_release(struct portmap *portmap, uint16_t port)
{
	return begin(portmap, port, 0, 0);
}

/* Version, kind, result, age in seconds, outside address. Whoever else says so is not the router.
 */
static void on_announced(evutil_socket_t descriptor, short what, void *context)
{
	struct portmap *portmap = context;
	struct portmap_answer answer = {.announced = true, .port = portmap->port};
	struct sockaddr_in from = {.sin_family = AF_INET};
	socklen_t size = sizeof from;
	uint8_t bytes[ANNOUNCEMENT_SIZE + 1];
	ssize_t got = recvfrom(
		descriptor, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	(void)what;
	if (got != ANNOUNCEMENT_SIZE || from.sin_addr.s_addr != portmap->gateway || bytes[0] != 0 ||
		bytes[1] != ANNOUNCEMENT_KIND || bytes_get(bytes + 2, 2) != 0)
		return;
	answer.epoch_s = (uint32_t)bytes_get(bytes + 4, 4);
	answer.outside.address = address_ipv4((uint32_t)bytes_get(bytes + 8, 4));
	portmap->answer(portmap->context, &answer);
}

static int open_announcements(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(ANNOUNCEMENT_PORT)};
	const struct ip_mreqn all_hosts = {.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP)};
	const int on = 1;
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (descriptor < 0)
		return -errno;
	(void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* Every interface is in that group; this names the socket's wish all the same. */
	(void)setsockopt(descriptor, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all_hosts, sizeof all_hosts);
	if (bind(descriptor, (const struct sockaddr *)&to, sizeof to) == 0)
		return descriptor;
	(void)close(descriptor);
	return -EADDRINUSE;
}

static void stop_listening(struct portmap *portmap)
{
	if (!portmap->announced)
		return;
	(void)close(event_get_fd(portmap->announced));
	event_free(portmap->announced);
	portmap->announced = NULL;
}

void portmap_listen(struct portmap *portmap, bool wanted)
{
	int descriptor;

	if (wanted == (portmap->announced != NULL))
		return;
	if (!wanted) {
		stop_listening(portmap);
		return;
	}
	descriptor = open_announcements();
	if (descriptor < 0)
		return;
	portmap->announced = event_new(
		portmap->loop, descriptor, EV_READ | EV_PERSIST, on_announced, portmap);
	if (!portmap->announced)
		(void)close(descriptor);
	else if (event_add(portmap->announced, NULL) < 0)
		stop_listening(portmap);
}

struct portmap *portmap_new(struct event_base *loop, portmap_answer_fn answer, void *context)
{
	struct portmap *portmap = memory_zeroed(1, sizeof *portmap);

	portmap->loop = loop;
	portmap->answer = answer;
	portmap->context = context;
	portmap->late = evtimer_new(loop, on_late, portmap);
	if (!portmap->late) {
		free(portmap);
		return NULL;
	}
	return portmap;
}

void portmap_free(struct portmap *portmap)
{
	if (!portmap)
		return;
	hang_up(portmap);
	stop_listening(portmap);
	event_free(portmap->late);
	free(portmap);
}

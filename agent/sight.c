/* SPDX-License-Identifier: MIT */
#include "agent/sight.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "agent/memory.h"
#include "site/site.h"

#define HEAD 20  /* of IPv4, as much as is looked at */
#define BATCH 16 /* packets in one look */
#define AT_PROTOCOL 9
#define AT_SOURCE 12
#define AT_DESTINATION 16
#define PER_NETWORK 3
#define FILTER_MAX (16 + 2 * PER_NETWORK * SIGHT_NETWORKS_MAX)

struct sight {
	struct event_base *loop;
	sight_fn seen;
	void *context;
	unsigned device;
	int descriptor; /* -1: closed */
	struct event *event;
	struct event *pause;
	uint32_t count;
	struct prefix networks[SIGHT_NETWORKS_MAX];
};

/* The filter. */

struct program {
	size_t length;
	struct sock_filter items[FILTER_MAX];
};

static void put(struct program *program, uint16_t code, uint32_t number, uint8_t yes, uint8_t no)
{
	assert(program->length < FILTER_MAX);
	program->items[program->length++] = (struct sock_filter)BPF_JUMP(code, number, yes, no);
}

static uint32_t number_of(const struct address *address)
{
	return (uint32_t)address->bytes[0] << 24 | (uint32_t)address->bytes[1] << 16 |
	       (uint32_t)address->bytes[2] << 8 | address->bytes[3];
}

static uint32_t mask_of(const struct prefix *prefix)
{
	return prefix->length == 0 ? 0 : UINT32_MAX << (32 - prefix->length);
}

/* Behind the test stands what takes the packet in: so no jump is a long one. */
static void put_network(struct program *program, uint32_t at, const struct prefix *prefix)
{
	put(program, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
	put(program, BPF_ALU | BPF_AND | BPF_K, mask_of(prefix), 0, 0);
	put(program, BPF_JMP | BPF_JEQ | BPF_K, number_of(&prefix->address), 0, 1);
	put(program, BPF_RET | BPF_K, HEAD, 0, 0);
}

static void write_filter(const struct sight *sight, struct program *program)
{
	program->length = 0;
	/* What agents say to each other. */
	put(program, BPF_LD | BPF_B | BPF_ABS, AT_PROTOCOL, 0, 0);
	put(program, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 4);
	put(program, BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0);
	put(program, BPF_LD | BPF_H | BPF_IND, 2, 0, 0);
	put(program, BPF_JMP | BPF_JEQ | BPF_K, SITE_PORT, 0, 1);
	put(program, BPF_RET | BPF_K, 0, 0, 0);
	for (uint32_t i = 0; i < sight->count; i++) {
		if (sight->networks[i].address.family != ADDRESS_IPV4)
			continue;
		put_network(program, AT_DESTINATION, &sight->networks[i]);
		put_network(program, AT_SOURCE, &sight->networks[i]);
	}
	put(program, BPF_RET | BPF_K, 0, 0, 0);
}

static int attach(int descriptor, struct program *program)
{
	const struct sock_fprog filter = {
		.len = (unsigned short)program->length, .filter = program->items};

	return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0
		       ? -errno
		       : 0;
}

static int look(const struct sight *sight)
{
	struct program program;

	write_filter(sight, &program);
	return attach(sight->descriptor, &program);
}

static int look_away(int descriptor)
{
	struct program program = {.length = 0};

	put(&program, BPF_RET | BPF_K, 0, 0, 0);
	return attach(descriptor, &program);
}

/* Seeing. */

static bool concerns(const struct prefix *prefix, const uint8_t *head)
{
	struct address address = {.family = ADDRESS_IPV4};

	memcpy(address.bytes, head + AT_SOURCE, 4);
	if (prefix_has_address(prefix, &address))
		return true;
	memcpy(address.bytes, head + AT_DESTINATION, 4);
	return prefix_has_address(prefix, &address);
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
	const struct timeval pause = {.tv_usec = SIGHT_PAUSE_MS * 1000};
	struct prefix seen[SIGHT_NETWORKS_MAX];
	bool marked[SIGHT_NETWORKS_MAX] = {false};
	struct sight *sight = context;
	uint32_t count = 0;
	uint8_t head[HEAD];

	(void)what;
	for (int i = 0; i < BATCH && recv(descriptor, head, sizeof head, 0) == HEAD; i++) {
		for (uint32_t k = 0; k < sight->count; k++)
			marked[k] = marked[k] || concerns(&sight->networks[k], head);
	}
	(void)look_away(descriptor);
	/* What came in meanwhile is no news. */
	for (int i = 0; i < BATCH && recv(descriptor, head, sizeof head, 0) >= 0; i++)
		;
	(void)event_add(sight->pause, &pause);
	for (uint32_t k = 0; k < sight->count; k++) {
		if (marked[k])
			seen[count++] = sight->networks[k];
	}
	if (count > 0)
		sight->seen(sight->context, seen, count);
}

static void on_pause(evutil_socket_t descriptor, short what, void *context)
{
	struct sight *sight = context;

	(void)descriptor;
	(void)what;
	if (sight->descriptor >= 0)
		(void)look(sight);
}

/* Opening and closing. */

static void close_eye(struct sight *sight)
{
	if (sight->event)
		event_free(sight->event);
	sight->event = NULL;
	if (sight->descriptor >= 0)
		(void)close(sight->descriptor);
	sight->descriptor = -1;
}

static int open_eye(struct sight *sight)
{
	const struct sockaddr_ll where = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)sight->device};
	int r;

	/* Nothing comes before the filter stands: a socket without a protocol hears nothing. */
	sight->descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sight->descriptor < 0)
		return -errno;
	r = look(sight);
	if (r == 0 && bind(sight->descriptor, (const struct sockaddr *)&where, sizeof where) < 0)
		r = -errno;
	if (r == 0) {
		sight->event = event_new(
			sight->loop, sight->descriptor, EV_READ | EV_PERSIST, on_readable, sight);
		r = sight->event && event_add(sight->event, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r < 0)
		close_eye(sight);
	return r;
}

struct sight *sight_new(struct event_base *loop, sight_fn seen, void *context)
{
	struct sight *sight = memory_zeroed(1, sizeof *sight);

	sight->loop = loop;
	sight->seen = seen;
	sight->context = context;
	sight->descriptor = -1;
	sight->pause = evtimer_new(loop, on_pause, sight);
	return sight;
}

void sight_free(struct sight *sight)
{
	if (!sight)
		return;
	close_eye(sight);
	if (sight->pause)
		event_free(sight->pause);
	free(sight);
}

int sight_follow(
	struct sight *sight, unsigned device, const struct prefix *networks, uint32_t count)
{
	uint32_t kept = count < SIGHT_NETWORKS_MAX ? count : SIGHT_NETWORKS_MAX;
	bool open = kept > 0 && device != 0;
	bool same = sight->count == kept &&
		    memcmp(sight->networks, networks, kept * sizeof *networks) == 0;

	if (!sight->pause || (open == (sight->descriptor >= 0) && same && sight->device == device))
		return 0;
	if (!open || device != sight->device)
		close_eye(sight);
	memcpy(sight->networks, networks, kept * sizeof *networks);
	sight->count = kept;
	sight->device = device;
	if (!open)
		return 0;
	if (sight->descriptor < 0)
		return open_eye(sight);
	/* While it looks away it goes on doing so. */
	return evtimer_pending(sight->pause, NULL) ? 0 : look(sight);
}

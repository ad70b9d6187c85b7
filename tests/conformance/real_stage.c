/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/route.h"
#include "tests/conformance/real.h"

#define INITIATION_SIZE 148
#define QUIET_MS 300 /* a packet that has not come by then is lost */

/* The stage. */

static int64_t real_now_ms(void *context)
{
	const struct real *real = context;

	return real_clock_ms() - real->begun_ms;
}

static void real_wait_until(void *context, int64_t ms)
{
	const struct real *real = context;
	struct timespec until = {
		(real->begun_ms + ms) / 1000, (real->begun_ms + ms) % 1000 * 1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Packets to the other side go to it directly, or by the hub. */
static void turn(const struct real *real, unsigned side, bool direct)
{
	const struct site *site = &real->sites[side];
	const struct prefix prefix = real_subnet(real, !side);
	const struct route route = {.prefix = prefix,
		.table = ROUTE_TABLE_MAIN,
		.type = RTN_UNICAST,
		.device = site->index[direct],
		.source = real_inside(real, side)};
	const struct wireguard_peer_change owner = {
		.key = real->sites[direct ? (unsigned)!side : REAL_HUB].public_key,
		.update_only = true,
		.allowed_count = 1,
		.allowed = &prefix};

	if (real->row->two_interfaces)
		real_need(route_replace(site->netlink, &route) == 0, real, "a route");
	else
		real_write_peer(real, site, 0, &owner, 1);
}

static void real_act(void *context, unsigned side, enum rows_act act, uint32_t number)
{
	const struct real *real = context;
	const struct site *site = &real->sites[side];
	const struct site *other = &real->sites[!side];
	const struct prefix prefix = real_subnet(real, !side);
	const struct wireguard_peer_change gone = {.key = other->public_key, .remove = true};
	const struct wireguard_peer_change known = {
		.key = other->public_key, .allowed_count = 1, .allowed = &prefix};
	const struct wireguard_peer_change silent = {
		.key = other->public_key, .set_keepalive = true};
	struct wireguard_peer_change called = {.key = other->public_key,
		.set_endpoint = true,
		.endpoint = other->told,
		.set_keepalive = true,
		.keepalive = PLAY_KEEPALIVE_S};

	switch (act) {
	case ROWS_KNOW:
		real_write_peer(real, site, 1, &known, 1);
		break;
	case ROWS_BEGIN:
		real_write_peer(real, site, 1, &called, 1);
		break;
	case ROWS_OPEN:
		real_send_opener(real, site, &other->told);
		break;
	case ROWS_REST:
		real_write_peer(
			real, site, 1, (const struct wireguard_peer_change[]){gone, known}, 2);
		break;
	case ROWS_MOVE:
		called.endpoint.port = (uint16_t)(called.endpoint.port + number % 2);
		real_write_peer(real, site, 1, &called, 1);
		break;
	case ROWS_RESTART:
		real_write_peer(
			real, site, 1, (const struct wireguard_peer_change[]){silent, called}, 2);
		break;
	case ROWS_RENEW:
		real_write_peer(
			real, site, 1, (const struct wireguard_peer_change[]){gone, called}, 2);
		break;
	case ROWS_DIRECT:
	case ROWS_BACK:
		turn(real, side, act == ROWS_DIRECT);
		break;
	case ROWS_ACTS:
		break;
	}
}

static bool real_has_heard(void *context, unsigned side)
{
	return real_read_peer(context, side, 1, !side).rx_bytes > 0;
}

static int64_t real_met_ms(void *context)
{
	const struct real *real = context;
	uint64_t first = real_read_peer(real, 0, 1, 1).handshake;
	uint64_t second = real_read_peer(real, 1, 1, 0).handshake;
	struct timespec wall;
	int64_t ago_ms;

	if (first == 0 || second == 0)
		return PLAY_NOT_MET;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	ago_ms = wall.tv_sec * 1000 + wall.tv_nsec / 1000000 -
		 (int64_t)(first > second ? first : second);
	return real_now_ms(context) - ago_ms;
}

static uint32_t real_initiations(void *context)
{
	struct real *real = context;
	struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t bytes[2 * INITIATION_SIZE];
	} packet;
	const ssize_t fits = offsetof(__typeof__(packet), bytes) + INITIATION_SIZE;
	ssize_t size;

	while ((size = recv(real->initiations, &packet, sizeof packet, MSG_DONTWAIT)) > 0) {
		if (size == fits && packet.bytes[0] == 1 &&
			packet.udp.source == htons(real->sites[0].port[1]))
			real->initiated++;
	}
	return real->initiated;
}

void real_listen(struct real *real)
{
	char bytes[64];

	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		while (recv(real->sites[side].traffic, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			real->heard++;
	}
}

void real_speak(struct real *real)
{
	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		const struct endpoint to = {real_inside(real, !side), REAL_TRAFFIC_PORT};

		real_send_to(real, real->sites[side].traffic, &to);
		real->spoken++;
	}
	real_listen(real);
}

static void settle(void *context)
{
	struct real *real = context;
	struct pollfd waiting[ROWS_SIDES];

	for (unsigned side = 0; side < ROWS_SIDES; side++)
		waiting[side] = (struct pollfd){real->sites[side].traffic, POLLIN, 0};
	do {
		real_listen(real);
	} while (poll(waiting, ROWS_SIDES, QUIET_MS) > 0);
}

static uint32_t real_lost(void *context)
{
	struct real *real = context;

	real_listen(real);
	return real->spoken - real->heard;
}

static void speak(void *context)
{
	real_speak(context);
}

struct stage real_stage(struct real *real, int64_t pause_ms)
{
	return (struct stage){
		.context = real,
		.pause_ms = pause_ms,
		.now_ms = real_now_ms,
		.wait_until = real_wait_until,
		.act = real_act,
		.has_heard = real_has_heard,
		.met_ms = real_met_ms,
		.initiations = real_initiations,
		.speak = speak,
		.settle = settle,
		.lost = real_lost,
	};
}

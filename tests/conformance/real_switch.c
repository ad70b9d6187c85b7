/* SPDX-License-Identifier: MIT */
/*
 * Sites of a switch are public. The hub sends on between them; a link beside it leads from one to
 * the other, over the same interface or over one of its own.
 */
#include <poll.h>
#include <stdio.h>

#include "agent/route.h"
#include "tests/conformance/real.h"

static void set(const struct real *real, const char *device, const char *name, const char *value)
{
	char path[REAL_PATH_SIZE];
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", device, name);
	file = fopen(path, "w");
	real_need(file && fputs(value, file) >= 0 && fclose(file) == 0, real, path);
}

static void prepare_device(const struct real *real, const struct site *site, int way)
{
	char digit[2] = {(char)('0' + real->row->rp_filter), '\0'};

	real_enter(real, site);
	set(real, "all", "rp_filter", "0");
	set(real, "all", "forwarding", "1");
	set(real, site->device[way], "rp_filter", digit);
}

static void make_way(
	const struct real *real, const struct site *site, int way, unsigned to, unsigned from)
{
	const struct route route = {.prefix = real_subnet(real, to),
		.table = ROUTE_TABLE_MAIN,
		.type = RTN_UNICAST,
		.device = site->index[way],
		.source = real_inside(real, from)};

	real_need(route_add(site->netlink, &route) == 0, real, "a route");
}

/* The other side's outer endpoint of a way: sites of a switch are public. */
static struct endpoint outside(const struct real *real, unsigned to, int way)
{
	return (struct endpoint){real->sites[to].told.address, real->sites[to].port[way]};
}

static void make_side(struct real *real, unsigned side)
{
	struct site *site = &real->sites[side];
	unsigned other = !side;
	int beside = real->row->two_interfaces;
	const struct address own = real_inside(real, side);
	const struct endpoint local = {own, REAL_TRAFFIC_PORT};
	const struct prefix behind_hub[] = {real_subnet(real, REAL_HUB), real_subnet(real, other)};
	const struct wireguard_peer_change hub = {.key = real->sites[REAL_HUB].public_key,
		.set_endpoint = true,
		.endpoint = outside(real, REAL_HUB, 0),
		.set_keepalive = true,
		.keepalive = PLAY_KEEPALIVE_S,
		.allowed_count = 2,
		.allowed = behind_hub};
	const struct wireguard_peer_change peer = {.key = real->sites[other].public_key,
		.set_endpoint = side == 1,
		.endpoint = outside(real, other, beside),
		.set_keepalive = side == 1,
		.keepalive = PLAY_KEEPALIVE_S,
		.allowed_count = beside ? 1 : 0,
		.allowed = &behind_hub[1]};

	for (int way = 0; way <= beside; way++)
		prepare_device(real, site, way);
	real_need(route_address_add(site->netlink, site->index[0], &own) == 0, real, "an address");
	if (real->row->both_addressed)
		real_need(route_address_add(site->netlink, site->index[1], &own) == 0, real,
			"an address");
	real_write_peer(real, site, beside, &peer, 1);
	real_write_peer(real, site, 0, &hub, 1);
	make_way(real, site, 0, other, side);
	make_way(real, site, 0, REAL_HUB, side);
	real_enter(real, site);
	site->traffic = real_open_socket(real, &local);
}

static void make_hub(struct real *real)
{
	struct site *site = &real->sites[REAL_HUB];
	const struct address own = real_inside(real, REAL_HUB);

	prepare_device(real, site, 0);
	real_need(route_address_add(site->netlink, site->index[0], &own) == 0, real, "an address");
	for (unsigned side = 0; side < ROWS_SIDES; side++) {
		const struct prefix prefix = real_subnet(real, side);
		const struct wireguard_peer_change peer = {.key = real->sites[side].public_key,
			.allowed_count = 1,
			.allowed = &prefix};

		real_write_peer(real, site, 0, &peer, 1);
		make_way(real, site, 0, side, REAL_HUB);
	}
}

void real_build_ways(struct real *real)
{
	int64_t end = real_clock_ms() + REAL_PATIENCE_MS;
	int beside = real->row->two_interfaces;
	uint32_t heard;

	make_hub(real);
	make_side(real, 0);
	make_side(real, 1);
	while (!real_has_session(real, 0, beside, 1) || !real_has_session(real, 1, beside, 0) ||
		!real_has_session(real, REAL_HUB, 0, 0) ||
		!real_has_session(real, REAL_HUB, 0, 1)) {
		real_need(real_clock_ms() < end, real, "a session does not come about");
		(void)poll(NULL, 0, 100);
	}
	do {
		real_need(real_clock_ms() < end, real, "nothing passes by the hub");
		heard = real->heard;
		real_speak(real);
		(void)poll(NULL, 0, 200);
		real_listen(real);
	} while (real->heard < heard + 2);
	real->spoken = 0;
	real->heard = 0;
}

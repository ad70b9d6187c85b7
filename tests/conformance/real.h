/* SPDX-License-Identifier: MIT */
/*
 * real.h - real routers and real WireGuard as a stage for rows: what the files of conformance-real
 * share.
 *
 * A process has both ends of its row, so nobody has to agree on anything. It goes to the namespaces
 * of a site before it does something there. What cannot be done is told on standard error, and ends
 * the process.
 */
#pragma once

#include "agent/netlink.h"
#include "agent/wireguard.h"
#include "tests/conformance/play.h"

#define REAL_PATH_SIZE 256
#define REAL_SITE_SIZE 12
#define REAL_PATIENCE_MS 20000 /* for what must come */
#define REAL_TRAFFIC_PORT 12
#define REAL_WAYS 2  /* a site's interfaces: the backbone, and beside it the links */
#define REAL_SITES 3 /* two sides, and where there is a switch, the hub */
#define REAL_HUB 2

struct site {
	char name[REAL_SITE_SIZE];
	int network; /* its namespaces, as files */
	int mounts;
	struct wireguard *door;
	struct netlink *netlink;
	char device[REAL_WAYS][WIREGUARD_NAME_SIZE];
	unsigned index[REAL_WAYS];
	struct key private_key;
	struct key public_key;
	uint16_t port[REAL_WAYS];
	struct endpoint told; /* where it is seen from outside, by its last port */
	int traffic;
};

struct real {
	const struct rows_entry *row;
	uint32_t number; /* of the row */
	enum wireguard_kind kind;
	struct site sites[REAL_SITES];
	struct site middle; /* where the reflector is */
	int64_t begun_ms;
	int initiations; /* a socket that sees all that comes to the other side */
	uint32_t initiated;
	uint32_t spoken;
	uint32_t heard;
};

void real_need(bool good, const struct real *real, const char *what);
int64_t real_clock_ms(void);

/* Makes the sites and devices of the row. Ends of a row that is about a switch are not connected.
 */
void real_build(struct real *real);

/* Lets both sides of a switch reach each other by the hub, with a session between them beside it.
 */
void real_build_ways(struct real *real);

/* What is to be done on it. */
struct stage real_stage(struct real *real, int64_t pause_ms);

void real_enter(const struct real *real, const struct site *site);

void real_write_peer(const struct real *real, const struct site *site, int way,
	const struct wireguard_peer_change *peers, uint32_t count);

/* What the device of a site says of another one. */
struct wireguard_peer real_read_peer(const struct real *real, unsigned from, int way, unsigned to);
bool real_has_session(const struct real *real, unsigned from, int way, unsigned to);

void real_send_to(const struct real *real, int fd, const struct endpoint *to);

/* A datagram socket in the namespace where one is. */
int real_open_socket(const struct real *real, const struct endpoint *local);

/* A packet that dies on the way, as the agent sends it: beside WireGuard's socket. */
void real_send_opener(const struct real *real, const struct site *site, const struct endpoint *to);

/* A packet each way inside; and whatever has come is counted. */
void real_speak(struct real *real);
void real_listen(struct real *real);

/* Inside: 10.X.1.0/24, 10.X.2.0/24 and the hub's 10.X.3.0/24, where X is the row's. */
struct address real_inside(const struct real *real, unsigned site);
struct prefix real_subnet(const struct real *real, unsigned site);

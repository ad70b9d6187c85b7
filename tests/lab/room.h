/* SPDX-License-Identifier: MIT */
/*
 * room.h - a place of one's own for tests that need a network: namespaces that nothing leads out
 * of, privileges as the unit has them, another site at the other end of a line.
 */
#pragma once

#include <sys/types.h>

#include "agent/netlink.h"
#include "agent/wireguard.h"
#include "tests/test.h"

#define ROOM_USER 65534
#define ROOM_LINE "veth0" /* the line to the other site; here 192.0.2.1, there 192.0.2.2 */
#define ROOM_FAR_PORT 51820
#define ROOM_TRIES 4 /* of making a device whose program does not answer in time */

struct room {
	bool user; /* an ordinary one, with no more than CAP_NET_ADMIN and CAP_NET_RAW */
	struct netlink *netlink;
	pid_t far;
	int far_ends; /* closed: the other site ends */
};

/* Goes there, for good. With user the privileges are given up. What cannot be had ends the process.
 */
void room_begin(struct room *room, bool user);

/*
 * Begins the other site, with a WireGuard of a kind: 10.77.2.1 in the tunnel, there
 * for 10.77.1.0/24 of the near key. Before room_begin().
 */
void room_begin_far(struct room *room, enum wireguard_kind kind, bool user);
void room_end_far(struct room *room);

/* Whether the other site is ready, which is waited for. */
bool room_far_is_ready(struct room *room);

struct key room_far_public(void);
struct key room_near_private(void);

/* A private key as WireGuard keeps it, and the public one that belongs to it. */
struct key room_private(uint8_t number);
struct key room_public(const struct key *private_key);

/* Any peer's public key. */
struct key room_key(uint32_t number);

struct prefix room_prefix(const char *text);
struct endpoint room_endpoint(const char *text);

/* Runs a command; its status. What is printed is not shown. */
__attribute__((format(printf, 1, 2))) int room_shell(const char *format, ...);

/* Runs a function in a process of its own. Returns its status, -1 where it was ended by a signal.
 */
int room_child(int (*child_main)(void *context), void *context);

/* Becomes the unit's user with no more than its capabilities, for good: what room_begin() does. */
void room_become_user(void);

/* Gives up every capability and becomes nobody's user, for good. */
void room_give_up(void);

int64_t room_now_ms(void);
void room_sleep_ms(int ms);

/* What comes in by a UDP socket on the loopback interface. */
struct listener {
	int fd;
	struct endpoint endpoint;
};

void listener_open(struct listener *listener);
void listener_close(struct listener *listener);

/* How many first packets of sessions come until there was none for so long; waits for the first. */
int listener_count(struct listener *listener, int first_ms, int quiet_ms);

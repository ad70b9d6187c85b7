/* SPDX-License-Identifier: MIT */
/*
 * wireguard_internal.h - what the rooms behind the door share.
 */
#pragma once

#include "agent/wireguard.h"

/* The calls of wireguard.h, as one room answers them. */
struct wireguard_room {
	enum wireguard_kind kind;
	int (*open)(struct wireguard **ret, char why[static WIREGUARD_WHY_SIZE]);
	void (*close)(struct wireguard *wireguard);
	int (*create)(
		struct wireguard *wireguard, const char *name, char why[static WIREGUARD_WHY_SIZE]);
	int (*probe)(struct wireguard *wireguard, const char *name);
	int (*destroy)(struct wireguard *wireguard, const char *name);
	int (*read)(struct wireguard *wireguard, const char *name, struct wireguard_device *ret);
	int (*write)(struct wireguard *wireguard, const char *name,
		const struct wireguard_change *change);
	void (*reap)(struct wireguard *wireguard);
};

/* The first member of what a room opens. */
struct wireguard {
	const struct wireguard_room *room;
};

extern const struct wireguard_room wireguard_kernel;
extern const struct wireguard_room wireguard_userspace;

/*
 * A device that is being read. Prefixes are added to the peer that was added last. Peers and
 * prefixes may come in any order, and a peer in several parts.
 */
struct wireguard_reading {
	struct wireguard_device device;
	uint32_t peer_capacity;
	uint32_t allowed_capacity;
};

void wireguard_reading_init(struct wireguard_reading *reading);

/*
 * A peer to be filled in, zero but for its key; the same again where it was added just before, as a
 * device's answer continues. NULL: more than can be read.
 */
struct wireguard_peer *wireguard_reading_peer(
	struct wireguard_reading *reading, const struct key *key);

/* Adds a prefix to the last peer. Returns 0 or -EBADMSG: no peer, or more than can be read. */
int wireguard_reading_allow(struct wireguard_reading *reading, const struct prefix *prefix);

/*
 * Sorts what was read and hands it over; the reading is empty afterwards. Returns 0, or -EBADMSG
 * where a peer stood there twice with others in between.
 */
int wireguard_reading_end(struct wireguard_reading *reading, struct wireguard_device *ret);

/* Throws away what was read so far. */
void wireguard_reading_drop(struct wireguard_reading *reading);

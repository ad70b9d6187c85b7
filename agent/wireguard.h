/* SPDX-License-Identifier: MIT */
/*
 * wireguard.h - the one door to WireGuard, with two rooms behind it: the kernel's, over netlink,
 * and wireguard-go's, over its socket.
 *
 * Both are asked in the same words and pass the same tests. Nothing is decided here, and nothing
 * remembered but how to reach the room. Calls wait for their answer, a few milliseconds at most
 * where all is well and WIREGUARD_PATIENCE_MS where it is not.
 *
 * Errors are negative errno: -ENODEV there is no such device, -EPERM the capability is missing,
 * -EOPNOTSUPP this machine has no WireGuard of this kind, -ETIMEDOUT it does not answer,
 * -EBADMSG it answers in words that are not its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endpoint.h"
#include "base/key.h"
#include "base/prefix.h"

#define WIREGUARD_NAME_SIZE 16 /* of a device, with the final NUL: Linux's own limit */
#define WIREGUARD_WHY_SIZE 256
#define WIREGUARD_PATIENCE_MS 2000
#define WIREGUARD_PEERS_MAX 16384    /* that are read of one device */
#define WIREGUARD_ALLOWED_MAX 131072 /* prefixes that are read of one device */

enum wireguard_kind { WIREGUARD_KERNEL, WIREGUARD_USERSPACE, WIREGUARD_KINDS };

/* A peer as the device has it. */
struct wireguard_peer {
	struct key key;
	struct key preshared; /* zero: none */
	bool has_endpoint;
	struct endpoint endpoint;
	uint16_t keepalive; /* seconds; 0: none */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t handshake; /* the last one, ms of wall time; 0: never */
	uint32_t allowed;   /* of the device's prefixes, its own begin here */
	uint32_t allowed_count;
};

/* A device as it is, read whole. */
struct wireguard_device {
	struct key private_key; /* zero: none */
	uint16_t port;
	uint32_t peer_count;
	struct wireguard_peer *peers; /* by key, ascending */
	uint32_t allowed_count;
	struct prefix *allowed; /* of one peer in the order of prefix_compare() */
};

/* What is to become of one peer. Fields that are not set stay as they are. */
struct wireguard_peer_change {
	struct key key;
	bool remove;      /* all else is left out; absent is fine */
	bool update_only; /* does nothing where the peer is absent */
	bool set_preshared;
	bool set_endpoint;
	bool set_keepalive;
	uint16_t keepalive;
	struct key preshared;
	struct endpoint endpoint;
	uint32_t allowed_count;
	const struct prefix *allowed; /* added, from whichever peer had them */
};

/*
 * A change of a device, done in the order of its peers. It is not a transaction: after an error the
 * device has to be read to know what was done.
 */
struct wireguard_change {
	bool set_private_key;
	bool set_port;
	uint16_t port;
	struct key private_key;
	uint32_t peer_count;
	const struct wireguard_peer_change *peers;
};

struct wireguard;

/*
 * Opens the door to one room. Returns 0 or, with a sentence that says what to do in why:
 * -EOPNOTSUPP, -EPERM, or what the system said.
 */
int wireguard_open(
	struct wireguard **ret, enum wireguard_kind kind, char why[static WIREGUARD_WHY_SIZE]);

/* Closes it; devices stay. NULL is fine. */
void wireguard_close(struct wireguard *wireguard);

enum wireguard_kind wireguard_kind(const struct wireguard *wireguard);

/*
 * Makes a device that is not there yet; with userspace, starts the program behind it. It is down.
 * Returns 0; -EEXIST a device of this name is there; with a sentence in why.
 */
int wireguard_create(
	struct wireguard *wireguard, const char *name, char why[static WIREGUARD_WHY_SIZE]);

/*
 * Whether a device of this name answers as one of this room: 0, -ENODEV, -ETIMEDOUT where its
 * program hangs, or an error.
 */
int wireguard_probe(struct wireguard *wireguard, const char *name);

/*
 * Takes a device away, with the program behind it, also one that hangs. Absent is fine, and an
 * interface of another kind is left alone. Returns 0 or an error.
 */
int wireguard_destroy(struct wireguard *wireguard, const char *name);

/* Reads a device. Freed by wireguard_device_free(), which overwrites its keys. */
int wireguard_read(struct wireguard *wireguard, const char *name, struct wireguard_device *ret);
void wireguard_device_free(struct wireguard_device *device);

/* Changes a device. */
int wireguard_write(
	struct wireguard *wireguard, const char *name, const struct wireguard_change *change);

/* Programs of ours that have ended are laid to rest. To be called on SIGCHLD; never waits. */
void wireguard_reap(struct wireguard *wireguard);

/* The peer with this key; NULL: there is none. */
const struct wireguard_peer *wireguard_device_peer(
	const struct wireguard_device *device, const struct key *key);

/* "kernel", "userspace" */
const char *wireguard_kind_name(enum wireguard_kind kind);

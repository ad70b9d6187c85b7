/* SPDX-License-Identifier: MIT */
/*
 * wireguard.h - one WireGuard interface, as the kernel's and wireguard-go behave.
 *
 * It keeps to what was measured and read in the sources, traps included: one handshake slot per
 * peer and the collision of two initiations, the limiter of 5 s that a response sets as well, the
 * retransmission that is not armed again when it was suppressed, keepalives that begin with the
 * change from 0, peers without endpoint, the clock floor of initiations, roaming, and AllowedIPs as
 * the way out and the filter in. tests/test_wireguard.c replays the measurements.
 *
 * Not modelled: the encryption, the cookie under load, the rate of more than 50 initiations a
 * second beyond being dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prefix.h"
#include "base/prng.h"
#include "base/usec.h"
#include "simulator/packet.h"

/*
 * What an interface does to its surroundings. Both are called from within the functions below. send
 * must not call any of them; deliver may, as a hub does that sends a packet on.
 */
struct wireguard_surroundings {
	void *context;
	void (*send)(void *context, const struct packet *packet);
	void (*deliver)(void *context, const struct key *peer, const struct inner *inner);
};

/* One change of one peer, as SET_DEVICE takes it; what is not set stays as it is. */
struct wireguard_change {
	struct key peer; /* public key */
	bool remove;
	bool update_only; /* does nothing where the peer is not there */
	bool set_preshared;
	struct key preshared;
	bool set_endpoint;
	struct endpoint endpoint;
	bool set_keepalive;
	uint16_t keepalive; /* seconds; 0: off */
	bool replace_allowed;
	uint32_t allowed_count;
	const struct prefix *allowed; /* added; taken from another peer that held one */
};

struct wireguard_statistics {
	struct key preshared;
	bool has_endpoint;
	struct endpoint endpoint;
	usec_t last_handshake; /* as LAST_HANDSHAKE_TIME moves; -1: never */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint16_t keepalive;
};

struct wireguard;

/*
 * A new interface that is up, without key, port or peers; chance comes from a fork of prng, which
 * gives one number for it.
 */
struct wireguard *wireguard_new(
	struct prng *prng, const struct wireguard_surroundings *surroundings);
void wireguard_free(struct wireguard *wireguard);

/* Another key: old sessions still receive, and what is sent waits for a new one. */
void wireguard_set_key(struct wireguard *wireguard, usec_t now, const struct key *private_key);
void wireguard_set_address(
	struct wireguard *wireguard, const struct endpoint *local); /* address and listen port */
void wireguard_set_wall(struct wireguard *wireguard, int64_t offset_ms); /* wall = now/1000 + it */
void wireguard_change(
	struct wireguard *wireguard, usec_t now, const struct wireguard_change *change);

/* Takes the interface down, or up again. Down erases sessions. */
void wireguard_set_up(struct wireguard *wireguard, usec_t now, bool up);

/* The machine was suspended and woke up: sessions are gone. */
void wireguard_suspend(struct wireguard *wireguard, usec_t now);

/* Its own; zero while it has none. */
const struct key *wireguard_public_key(const struct wireguard *wireguard);

/*
 * Sends an IP packet. Returns 0 when it was sent or staged, -ENOKEY when no peer has its
 * destination, -EDESTADDRREQ when that peer has no endpoint, -ENETDOWN.
 */
int wireguard_transmit(struct wireguard *wireguard, usec_t now, const struct inner *inner);

/* A datagram came to the port. */
void wireguard_receive(struct wireguard *wireguard, usec_t now, const struct packet *packet);

/* Does what is due; and when that is next, or earlier: then nothing is due, and one asks again. */
void wireguard_step(struct wireguard *wireguard, usec_t now);
usec_t wireguard_wakeup(const struct wireguard *wireguard);

/* Returns false when there is no such peer. */
bool wireguard_peer(const struct wireguard *wireguard, const struct key *peer,
	struct wireguard_statistics *ret);

uint32_t wireguard_peer_count(const struct wireguard *wireguard);
/* The peers in the order of their keys. */
const struct key *wireguard_peer_at(const struct wireguard *wireguard, uint32_t position);

/* The peer that a destination, or an inner source, belongs to; NULL: none. */
const struct key *wireguard_owner(const struct wireguard *wireguard, const struct address *address);

/* The allowed prefixes of a peer; returns how many there are, and writes at most most. */
uint32_t wireguard_allowed(const struct wireguard *wireguard, const struct key *peer,
	struct prefix *ret, uint32_t most);

/* Inner packets dropped because their source was not the peer's. */
uint64_t wireguard_misdirected(const struct wireguard *wireguard);

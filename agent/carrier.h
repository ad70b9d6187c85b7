/* SPDX-License-Identifier: MIT */
/*
 * carrier.h - makes this machine equal to what the brain wants, and keeps it so.
 *
 * What is wanted is taken in piece by piece; carrier_apply() brings about the difference between it
 * and what is there, in the smallest change. What is there is looked at when the agent starts,
 * whenever the kernel says that something changed, and once a second: what another program broke is
 * put right, and said. Interfaces are ours by their private key, routes and rules by their mark;
 * nothing else is touched. Until SITE_SETTLED nothing is removed that nobody spoke of: an older
 * agent's work goes on serving until then.
 */
#pragma once

#include "agent/log.h"
#include "agent/wireguard.h"
#include "config/config.h"
#include "site/site.h"

#define CARRIER_KEYS_MAX 8

struct carrier_interface {
	char name[WIREGUARD_NAME_SIZE];
	uint16_t port;    /* 0: any that is free; see carrier_want_port() */
	bool port_yields; /* another one will do where this one is taken */
	uint16_t mtu;
};

struct carrier_options {
	enum config_implementation implementation;
	struct carrier_interface interfaces[SITE_INTERFACES];
	uint32_t key_count; /* private keys of which any makes an interface ours */
	struct key keys[CARRIER_KEYS_MAX];
	uint32_t peers_max; /* of both interfaces */
	uint32_t prefixes_max;
	struct log *log; /* outlives the carrier */
};

struct carrier;

/* Begins; the machine is looked at, and nothing is changed. Returns 0 or negative errno with why.
 */
int carrier_open(struct carrier **ret, const struct carrier_options *options,
	char why[static WIREGUARD_WHY_SIZE]);

/* Ends; everything stays as it is. NULL is fine. */
void carrier_close(struct carrier *carrier);

/* The port that an interface is to have from now on; one that yields is exchanged where it is
 * taken. */
void carrier_want_port(
	struct carrier *carrier, enum site_interface interface, uint16_t port, bool yields);

/* Takes in what is wanted: an action of the kinds SITE_DEVICE to SITE_SETTLED. */
void carrier_want(struct carrier *carrier, const struct site_action *action);

/* A name that a peer's endpoint was told as leads to this address. */
void carrier_resolved(struct carrier *carrier, enum site_interface interface,
	const struct key *peer, const struct endpoint *endpoint);

/* Brings about what is wanted. What is refused is said, and tried again later. */
void carrier_apply(struct carrier *carrier, usec_t now);

/*
 * Reads an interface as it is now, and marks what is not as it should be. Returns NULL where it is
 * not there. Valid until the next call.
 */
const struct wireguard_device *carrier_read(
	struct carrier *carrier, usec_t now, enum site_interface interface);

/* An interface as it was read last; NULL where it is not there. Valid until it is read again. */
const struct wireguard_device *carrier_seen(
	const struct carrier *carrier, enum site_interface interface);

/* When carrier_turn() is due: to look after all, or to try again. */
usec_t carrier_wakeup(const struct carrier *carrier);
void carrier_turn(struct carrier *carrier, usec_t now);

/* Readable when something changed on the machine; then carrier_notice() is due. */
int carrier_descriptor(const struct carrier *carrier);
void carrier_notice(struct carrier *carrier, usec_t now);

/* To be called on SIGCHLD. */
void carrier_reap(struct carrier *carrier);

/* The number of an interface in the system; 0: it is not there. It changes when it is made anew. */
unsigned carrier_index(const struct carrier *carrier, enum site_interface interface);

/* The port on which an interface listens; 0: not known. */
uint16_t carrier_port(const struct carrier *carrier, enum site_interface interface);

/* Whether an interface is to have this address. */
bool carrier_has_address(const struct carrier *carrier, enum site_interface interface,
	const struct address *address);

/*
 * The networks that this machine is in by its other interfaces. Returns whether they changed since
 * they were last asked for.
 */
bool carrier_networks(
	struct carrier *carrier, struct prefix ret[static SITE_NETWORKS_MAX], uint32_t *ret_count);

/*
 * This machine's addresses by its other interfaces, and whether containers or tunnels only are
 * behind them. Returns whether they changed since they were last asked for.
 */
#define CARRIER_ADDRESSES_MAX 16
bool carrier_addresses(struct carrier *carrier,
	struct site_own_address ret[static CARRIER_ADDRESSES_MAX], uint32_t *ret_count);

/* What stands in the way, in a sentence; "" when nothing does. */
const char *carrier_trouble(const struct carrier *carrier);

/* Which rule of another program's ours cannot stand before, in a sentence; "" when none. */
const char *carrier_overtaken(const struct carrier *carrier);

/* How often another program's change was put right; how often something was refused. */
uint64_t carrier_repairs(const struct carrier *carrier);
uint64_t carrier_refusals(const struct carrier *carrier);

/* SPDX-License-Identifier: MIT */
/*
 * tap.h - carries sealed datagrams on UDP ports that belong to WireGuard.
 *
 * WireGuard's socket keeps its port and nothing is bound to it: datagrams go out as whole packets
 * through raw sockets, and are picked out of what comes in, WireGuard getting its copy, which it
 * passes over. So a router on the way gives them the mapping that WireGuard will have.
 *
 * What comes in is seen before this machine's own firewall: that a datagram arrived does not say
 * that WireGuard's would. It is not checked, may have been sent by anybody, and a network may
 * deliver it twice: the seal decides (nat/seal.h), and takes it once.
 */
#pragma once

#include <event2/event.h>

#include "agent/tap_packet.h"

#define TAP_DEVICES 2
#define TAP_WHY_SIZE 256

/* Where it listens. */
struct tap_ground {
	uint32_t port_count;
	uint16_t ports[TAP_PORTS];
	uint32_t device_count;
	unsigned devices[TAP_DEVICES]; /* our own interfaces: nothing of ours goes through them */
};

/* A datagram that came in. */
struct tap_arrival {
	struct endpoint from;
	struct endpoint to; /* its port is one of ours; its address may be another machine's, which
			       this one forwards to */
	unsigned device;    /* the topmost: a bridge or VLAN, not what is below it */
	const uint8_t *bytes;
	size_t size;
};

/* A datagram that is to go out. */
struct tap_departure {
	uint16_t port;       /* it comes from */
	struct address from; /* ADDRESS_NONE: the system's choice */
	struct endpoint to;
	uint8_t hops;  /* it may go; 0: as many as the system gives */
	uint32_t mark; /* that WireGuard's own packets have; 0: none */
	const uint8_t *bytes;
	size_t size;
};

struct tap;

/* It may call all of the functions below but tap_free(). */
typedef void (*tap_receive_fn)(void *context, const struct tap_arrival *arrival);

/*
 * A tap that does not listen yet. Returns 0 or, with a sentence in why, -EPERM without CAP_NET_RAW,
 * or what the system said.
 */
int tap_new(struct tap **ret, struct event_base *loop, tap_receive_fn receive, void *context,
	char why[static TAP_WHY_SIZE]);
void tap_free(struct tap *tap);

/*
 * Listens where ground says from now on; where it has no port, a packet costs nothing. Returns 0,
 * or an error after which it listens nowhere; to be tried again with the next call.
 */
int tap_follow(struct tap *tap, const struct tap_ground *ground);

/*
 * Sends a datagram. Returns 0; -EMSGSIZE longer than any of ours; -ELOOP the way there leads into
 * one of our own interfaces; -ENETUNREACH none leads there, or none from the address that is asked
 * for; or what the system said. What others answer, by ICMP, is not heard.
 */
int tap_send(struct tap *tap, const struct tap_departure *departure);

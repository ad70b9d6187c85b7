/* SPDX-License-Identifier: MIT */
/*
 * packet.h - what travels on the virtual wires: a UDP datagram, and inside it perhaps WireGuard.
 *
 * WireGuard's messages are modelled by what they mean, not by their bytes: nobody breaks the
 * encryption here. What the agents say to each other inside the tunnel is the real encoding.
 */
#pragma once

#include <stdint.h>

#include "base/endpoint.h"
#include "base/key.h"

#define PACKET_BYTES_MAX 1400
#define PACKET_TTL 64

enum packet_kind {
	PACKET_PLAIN,      /* a datagram of any program: WireGuard ignores it */
	PACKET_INITIATION, /* WireGuard's four messages */
	PACKET_RESPONSE,
	PACKET_COOKIE,
	PACKET_DATA, /* an IP packet; a keepalive where inner_size is 0 */
};

/* An IP packet in the clear: UDP from one overlay address to another. */
struct inner {
	struct endpoint source;
	struct endpoint destination;
	uint16_t size; /* of the UDP payload in bytes; what has no bytes is mere ballast */
	uint8_t bytes[PACKET_BYTES_MAX];
};

struct packet {
	struct endpoint source;
	struct endpoint destination;
	uint8_t ttl;
	uint32_t origin; /* the host that sent it, for who looks on: no host asks for it */
	enum packet_kind kind;
	uint16_t size; /* of the UDP payload on the wire, all overhead of WireGuard included */
	/* Of WireGuard's messages: */
	struct key from;      /* initiation, response: the sender's public key */
	struct key to;        /* the public key that it was made for */
	struct key preshared; /* what only the two know */
	uint32_t sender;      /* index of the session at the sender, */
	uint32_t receiver;    /* and at the receiver */
	uint64_t stamp;       /* initiation: the sender's wall clock in ms; data: the counter */
	struct inner inner;   /* of plain datagrams only bytes and their number are used */
};

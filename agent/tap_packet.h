/* SPDX-License-Identifier: MIT */
/*
 * tap_packet.h - the IP packets around our datagrams: what of a machine's traffic is one, reading
 * it, writing it.
 *
 * A datagram of ours begins with seal_magic, has the length of one, and stands whole in its packet:
 * neither in a fragment nor behind headers of IPv6. UDP's checksum is not looked at, since network
 * cards compute it after this; the seal decides.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <linux/filter.h>

#include "base/endpoint.h"
#include "nat/seal.h"

#define TAP_PORTS 2
#define TAP_PACKET_MAX (60 + 8 + SEAL_DATAGRAM_MAX) /* with all the options IPv4 has room for */
#define TAP_FILTER_MAX 24                           /* instructions */

struct tap_packet {
	struct endpoint from;
	struct endpoint to;
	const uint8_t *bytes; /* the datagram, in what was read */
	size_t size;          /* SEAL_EXTRA to SEAL_DATAGRAM_MAX when read */
};

/* Reads a packet that begins with its IP header. Returns 0, or -EBADMSG for all but ours. */
int tap_packet_read(const void *bytes, size_t size, struct tap_packet *ret);

/*
 * Writes the packet for a datagram of SEAL_DATAGRAM_MAX bytes at most, between two endpoints of one
 * family; from must be the address it leaves by, which the checksum is over. Returns its size.
 */
size_t tap_packet_write(
	const struct tap_packet *packet, uint8_t hops, uint8_t out[static TAP_PACKET_MAX]);

/*
 * The filter that passes what tap_packet_read() would read, to one of count (1 to TAP_PORTS) ports
 * and to this machine, of packets of one family. What it passes may still be none of ours. Returns
 * the count of instructions.
 */
size_t tap_packet_filter(uint8_t family, const uint16_t *ports, size_t count,
	struct sock_filter out[static TAP_FILTER_MAX]);

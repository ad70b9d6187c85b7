/* SPDX-License-Identifier: MIT */
#include "agent/tap_packet.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/if_packet.h>

#define IPV4_HEAD 20
#define IPV6_HEAD 40
#define UDP_HEAD 8
#define IPV4_PART 0x3fff /* more fragments, or behind others */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, size_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

/* Reading. */

static struct address read_address(uint8_t family, const uint8_t *at)
{
	struct address address = {.family = family};

	memcpy(address.bytes, at, address_size(&address));
	return address;
}

/* RFC 791, section 3.1. Returns where the UDP header begins, 0 where there is none; its end. */
static size_t read_ipv4(const uint8_t *at, size_t size, struct tap_packet *packet, size_t *ret_end)
{
	size_t head = (size_t)(at[0] & 15) * 4;
	size_t end;

	if (size < IPV4_HEAD || head < IPV4_HEAD)
		return 0;
	end = get16(at + 2);
	if (end > size || head > end || at[9] != IPPROTO_UDP || get16(at + 6) & IPV4_PART)
		return 0;
	packet->from.address = read_address(ADDRESS_IPV4, at + 12);
	packet->to.address = read_address(ADDRESS_IPV4, at + 16);
	*ret_end = end;
	return head;
}

/* RFC 8200, section 3. */
static size_t read_ipv6(const uint8_t *at, size_t size, struct tap_packet *packet, size_t *ret_end)
{
	size_t end;

	if (size < IPV6_HEAD)
		return 0;
	end = IPV6_HEAD + (size_t)get16(at + 4);
	if (end > size || at[6] != IPPROTO_UDP)
		return 0;
	packet->from.address = read_address(ADDRESS_IPV6, at + 8);
	packet->to.address = read_address(ADDRESS_IPV6, at + 24);
	*ret_end = end;
	return IPV6_HEAD;
}

int tap_packet_read(const void *bytes, size_t size, struct tap_packet *ret)
{
	const uint8_t *at = bytes;
	struct tap_packet packet = {.size = 0};
	struct seal_id id;
	size_t begin = 0;
	size_t end = 0;

	if (size > 0 && at[0] >> 4 == 4)
		begin = read_ipv4(at, size, &packet, &end);
	else if (size > 0 && at[0] >> 4 == 6)
		begin = read_ipv6(at, size, &packet, &end);
	if (begin == 0 || end - begin < UDP_HEAD)
		return -EBADMSG;
	packet.from.port = get16(at + begin);
	packet.to.port = get16(at + begin + 2);
	packet.size = get16(at + begin + 4);
	if (packet.size < UDP_HEAD || packet.size > end - begin || packet.from.port == 0 ||
		packet.to.port == 0)
		return -EBADMSG;
	packet.size -= UDP_HEAD;
	packet.bytes = at + begin + UDP_HEAD;
	if (!seal_peek(packet.bytes, packet.size, &id))
		return -EBADMSG;
	*ret = packet;
	return 0;
}

/* Writing. */

/* The ones' complement sum of RFC 1071; only the last part may have an odd size. */
static uint32_t sum(uint32_t before, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		before += get16(at + i);
	if (size % 2)
		before += (uint32_t)at[size - 1] << 8;
	return before;
}

/* Over the addresses, the protocol, the length (twice, RFC 768) and all of UDP. */
static uint16_t checksum(const struct tap_packet *packet, const uint8_t *udp, size_t size)
{
	size_t width = address_size(&packet->from.address);
	uint32_t total = IPPROTO_UDP + (uint32_t)size;

	total = sum(total, packet->from.address.bytes, width);
	total = sum(total, packet->to.address.bytes, width);
	total = sum(total, udp, size);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	/* Zero would say that there is none. */
	return total == 0xffff ? 0xffff : (uint16_t)~total;
}

/* The system adds length, number and checksum of the header. */
static size_t write_ipv4(
	const struct tap_packet *packet, size_t size, uint8_t hops, uint8_t out[static IPV4_HEAD])
{
	memset(out, 0, IPV4_HEAD);
	out[0] = 4 << 4 | IPV4_HEAD / 4;
	put16(out + 2, IPV4_HEAD + size);
	out[8] = hops;
	out[9] = IPPROTO_UDP;
	memcpy(out + 12, packet->from.address.bytes, 4);
	memcpy(out + 16, packet->to.address.bytes, 4);
	return IPV4_HEAD;
}

static size_t write_ipv6(
	const struct tap_packet *packet, size_t size, uint8_t hops, uint8_t out[static IPV6_HEAD])
{
	memset(out, 0, IPV6_HEAD);
	out[0] = 6 << 4;
	put16(out + 4, size);
	out[6] = IPPROTO_UDP;
	out[7] = hops;
	memcpy(out + 8, packet->from.address.bytes, 16);
	memcpy(out + 24, packet->to.address.bytes, 16);
	return IPV6_HEAD;
}

size_t tap_packet_write(
	const struct tap_packet *packet, uint8_t hops, uint8_t out[static TAP_PACKET_MAX])
{
	size_t size = UDP_HEAD + packet->size;
	uint8_t *udp = out;

	assert(packet->size <= SEAL_DATAGRAM_MAX);
	assert(packet->from.address.family == packet->to.address.family);
	udp += packet->to.address.family == ADDRESS_IPV6 ? write_ipv6(packet, size, hops, out)
							 : write_ipv4(packet, size, hops, out);
	put16(udp, packet->from.port);
	put16(udp + 2, packet->to.port);
	put16(udp + 4, size);
	put16(udp + 6, 0);
	memcpy(udp + UDP_HEAD, packet->bytes, packet->size);
	put16(udp + 6, checksum(packet, udp, size));
	return (size_t)(udp - out) + size;
}

/* The filter. */

struct program {
	struct sock_filter *out;
	size_t length;
};

static void put(struct program *program, uint16_t code, uint32_t number)
{
	assert(program->length < TAP_FILTER_MAX);
	program->out[program->length++] = (struct sock_filter)BPF_STMT(code, number);
}

/* Jumps that are not written yet lead to one of these; a filter is far shorter. */
#define NEXT 0
#define ACCEPT 254
#define REJECT 255

static void jump(struct program *program, uint16_t how, uint32_t number, uint8_t yes, uint8_t no)
{
	assert(program->length < TAP_FILTER_MAX);
	program->out[program->length++] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | how | BPF_K, number, yes, no);
}

static uint8_t distance(size_t from, size_t to)
{
	return (uint8_t)(to - from - 1);
}

/* Both ends: what leads to one is told how far it is. */
static void finish(struct program *program)
{
	size_t accept = program->length;
	size_t reject = accept + 1;

	put(program, BPF_RET | BPF_K, TAP_PACKET_MAX);
	put(program, BPF_RET | BPF_K, 0);
	for (size_t i = 0; i < accept; i++) {
		struct sock_filter *at = &program->out[i];

		if (BPF_CLASS(at->code) != BPF_JMP)
			continue;
		if (at->jt >= ACCEPT)
			at->jt = distance(i, at->jt == ACCEPT ? accept : reject);
		if (at->jf >= ACCEPT)
			at->jf = distance(i, at->jf == ACCEPT ? accept : reject);
	}
}

static uint32_t magic_word(size_t from)
{
	return (uint32_t)get16(seal_magic + from) << 16 | get16(seal_magic + from + 2);
}

/*
 * Every packet that comes to the machine is looked at, so what tells most of them apart stands
 * first: two instructions for TCP, five for WireGuard's own packets and all other UDP. A load from
 * behind the end rejects. With IPv4, X is the length of its header.
 */
size_t tap_packet_filter(uint8_t family, const uint16_t *ports, size_t count,
	struct sock_filter out[static TAP_FILTER_MAX])
{
	struct program program = {.out = out};
	bool narrow = family == ADDRESS_IPV4;
	uint16_t mode = narrow ? BPF_IND : BPF_ABS;
	uint32_t udp = narrow ? 0 : IPV6_HEAD;

	assert(count >= 1 && count <= TAP_PORTS);
	put(&program, BPF_LD | BPF_B | BPF_ABS, narrow ? 9 : 6);
	jump(&program, BPF_JEQ, IPPROTO_UDP, NEXT, REJECT);
	if (narrow)
		put(&program, BPF_LDX | BPF_B | BPF_MSH, 0);
	put(&program, BPF_LD | BPF_W | mode, udp + UDP_HEAD);
	jump(&program, BPF_JEQ, magic_word(0), NEXT, REJECT);
	put(&program, BPF_LD | BPF_W | mode, udp + UDP_HEAD + 4);
	jump(&program, BPF_JEQ, magic_word(4), NEXT, REJECT);
	if (narrow) {
		put(&program, BPF_LD | BPF_H | BPF_ABS, 6);
		jump(&program, BPF_JSET, IPV4_PART, REJECT, NEXT);
	}
	put(&program, BPF_LD | BPF_H | mode, udp + 4);
	jump(&program, BPF_JGT, UDP_HEAD + SEAL_DATAGRAM_MAX, REJECT, NEXT);
	put(&program, BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	jump(&program, BPF_JEQ, PACKET_HOST, NEXT, REJECT);
	put(&program, BPF_LD | BPF_H | mode, udp + 2);
	for (size_t i = 0; i < count; i++)
		jump(&program, BPF_JEQ, ports[i], ACCEPT, i + 1 < count ? NEXT : REJECT);
	finish(&program);
	return program.length;
}

/* SPDX-License-Identifier: MIT */
#include "agent/wireguard_message.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>

#include "agent/sockaddr.h"

/* Saying. */

/* What a peer takes at most before its prefixes, and one prefix. */
#define PEER_ROOM 256
#define ALLOWED_ROOM 64

static size_t room(const struct nlmsghdr *message, size_t size)
{
	return size - message->nlmsg_len;
}

static void say_device(
	struct nlmsghdr *message, const char *name, const struct wireguard_saying *saying)
{
	const struct wireguard_change *change = saying->change;

	mnl_attr_put_strz(message, WGDEVICE_A_IFNAME, name);
	if (saying->begun)
		return;
	if (change->set_private_key)
		mnl_attr_put(message, WGDEVICE_A_PRIVATE_KEY, KEY_SIZE, change->private_key.bytes);
	if (change->set_port)
		mnl_attr_put_u16(message, WGDEVICE_A_LISTEN_PORT, change->port);
}

static void say_allowed(struct nlmsghdr *message, const struct prefix *prefix)
{
	struct nlattr *nest = mnl_attr_nest_start(message, 0);
	bool narrow = prefix->address.family == ADDRESS_IPV4;

	mnl_attr_put_u16(message, WGALLOWEDIP_A_FAMILY, narrow ? AF_INET : AF_INET6);
	mnl_attr_put(message, WGALLOWEDIP_A_IPADDR, address_size(&prefix->address),
		prefix->address.bytes);
	mnl_attr_put_u8(message, WGALLOWEDIP_A_CIDR_MASK, prefix->length);
	mnl_attr_nest_end(message, nest);
}

/* The endpoint stands before the keepalive: it may send the first packet, which has to go there. */
static void say_peer_itself(struct nlmsghdr *message, const struct wireguard_peer_change *peer)
{
	struct sockaddr_storage storage;
	socklen_t length;

	if (peer->set_preshared)
		mnl_attr_put(message, WGPEER_A_PRESHARED_KEY, KEY_SIZE, peer->preshared.bytes);
	if (peer->set_endpoint) {
		length = sockaddr_from(&peer->endpoint, &storage);
		mnl_attr_put(message, WGPEER_A_ENDPOINT, length, &storage);
	}
	if (peer->set_keepalive)
		mnl_attr_put_u16(message, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, peer->keepalive);
}

/* As many prefixes of the peer as fit. Returns whether these were all. */
static bool say_prefixes(struct nlmsghdr *message, size_t size,
	const struct wireguard_peer_change *peer, struct wireguard_saying *saying)
{
	struct nlattr *nest;

	if (saying->allowed == peer->allowed_count)
		return true;
	nest = mnl_attr_nest_start(message, WGPEER_A_ALLOWEDIPS);
	while (saying->allowed < peer->allowed_count && room(message, size) >= ALLOWED_ROOM)
		say_allowed(message, &peer->allowed[saying->allowed++]);
	mnl_attr_nest_end(message, nest);
	return saying->allowed == peer->allowed_count;
}

/* Says a peer, or goes on with it. Returns whether all of it was said. */
static bool say_peer(struct nlmsghdr *message, size_t size, struct wireguard_saying *saying)
{
	const struct wireguard_peer_change *peer = &saying->change->peers[saying->peer];
	bool goes_on = saying->allowed > 0;
	struct nlattr *nest = mnl_attr_nest_start(message, 0);
	bool whole = true;
	uint32_t flags = peer->remove                   ? WGPEER_F_REMOVE_ME
			 : goes_on || peer->update_only ? WGPEER_F_UPDATE_ONLY
							: 0;

	mnl_attr_put(message, WGPEER_A_PUBLIC_KEY, KEY_SIZE, peer->key.bytes);
	if (flags)
		mnl_attr_put_u32(message, WGPEER_A_FLAGS, flags);
	if (!peer->remove) {
		if (!goes_on)
			say_peer_itself(message, peer);
		whole = say_prefixes(message, size, peer, saying);
	}
	mnl_attr_nest_end(message, nest);
	return whole;
}

bool wireguard_message_say(
	struct nlmsghdr *message, size_t size, const char *name, struct wireguard_saying *saying)
{
	const struct wireguard_change *change = saying->change;
	struct nlattr *nest;

	/* Lengths of attributes are 16 bits wide. */
	assert(size <= NETLINK_REQUEST_MAX);
	say_device(message, name, saying);
	saying->begun = true;
	if (saying->peer == change->peer_count)
		return false;
	nest = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
	while (saying->peer < change->peer_count && room(message, size) >= PEER_ROOM) {
		if (!say_peer(message, size, saying))
			break;
		saying->peer++;
		saying->allowed = 0;
	}
	mnl_attr_nest_end(message, nest);
	return saying->peer < change->peer_count;
}

/* Reading. */

static int read_key(const struct nlattr *attribute, struct key *ret)
{
	if (mnl_attr_get_payload_len(attribute) != KEY_SIZE)
		return -EBADMSG;
	memcpy(ret->bytes, mnl_attr_get_payload(attribute), KEY_SIZE);
	return 0;
}

static int read_u16(const struct nlattr *attribute, uint16_t *ret)
{
	if (mnl_attr_validate(attribute, MNL_TYPE_U16) < 0)
		return -EBADMSG;
	*ret = mnl_attr_get_u16(attribute);
	return 0;
}

static int read_u64(const struct nlattr *attribute, uint64_t *ret)
{
	if (mnl_attr_validate(attribute, MNL_TYPE_U64) < 0)
		return -EBADMSG;
	*ret = mnl_attr_get_u64(attribute);
	return 0;
}

static int read_time(const struct nlattr *attribute, uint64_t *ret)
{
	struct __kernel_timespec time;

	if (mnl_attr_get_payload_len(attribute) != sizeof time)
		return -EBADMSG;
	memcpy(&time, mnl_attr_get_payload(attribute), sizeof time);
	if (time.tv_sec < 0 || time.tv_sec > INT64_MAX / 1000 - 1 || time.tv_nsec < 0 ||
		time.tv_nsec > 999999999)
		return -EBADMSG;
	*ret = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
	return 0;
}

/* Of one link only, so that it means nothing without the interface. */
static bool needs_zone(const struct address *address)
{
	return address->family == ADDRESS_IPV6 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

/*
 * An endpoint that has no value here is none: with a zone, or with port 0, which whoever holds the
 * peer's key can send from.
 */
static int read_endpoint(const struct nlattr *attribute, struct wireguard_peer *peer)
{
	int r = sockaddr_read(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute),
		&peer->endpoint);

	if (r < 0)
		return -EBADMSG;
	peer->has_endpoint = peer->endpoint.port != 0 && !needs_zone(&peer->endpoint.address);
	return 0;
}

/* The kernel tells the length before the family: what fits is known when all parts are there. */
struct parts {
	uint16_t family;
	bool has_length;
	uint8_t length;
	const struct nlattr *address;
};

static int read_part(const struct nlattr *attribute, struct parts *parts)
{
	switch (mnl_attr_get_type(attribute)) {
	case WGALLOWEDIP_A_FAMILY:
		return read_u16(attribute, &parts->family);
	case WGALLOWEDIP_A_IPADDR:
		parts->address = attribute;
		return 0;
	case WGALLOWEDIP_A_CIDR_MASK:
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) < 0)
			return -EBADMSG;
		parts->length = mnl_attr_get_u8(attribute);
		parts->has_length = true;
		return 0;
	default:
		return 0;
	}
}

/* All of them have to be there: without its length a prefix would be "all addresses there are". */
static int join_parts(const struct parts *parts, struct prefix *ret)
{
	struct prefix prefix = {.length = parts->length};
	struct prefix canonical;

	if (parts->family != AF_INET && parts->family != AF_INET6)
		return -EBADMSG;
	prefix.address.family = parts->family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6;
	if (!parts->has_length || !parts->address ||
		mnl_attr_get_payload_len(parts->address) != address_size(&prefix.address) ||
		prefix.length > address_bits(&prefix.address))
		return -EBADMSG;
	memcpy(prefix.address.bytes, mnl_attr_get_payload(parts->address),
		address_size(&prefix.address));
	canonical = prefix_canonical(&prefix);
	if (!prefix_equal(&canonical, &prefix))
		return -EBADMSG;
	*ret = prefix;
	return 0;
}

static int read_allowed(const struct nlattr *nest, struct wireguard_reading *reading)
{
	const struct nlattr *list;
	const struct nlattr *part;
	int r;

	netlink_for_each_nested (list, nest) {
		struct parts parts = {.family = AF_UNSPEC};
		struct prefix prefix;

		netlink_for_each_nested (part, list) {
			r = read_part(part, &parts);
			if (r < 0)
				return r;
		}
		r = join_parts(&parts, &prefix);
		if (r == 0)
			r = wireguard_reading_allow(reading, &prefix);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_peer_part(const struct nlattr *attribute, struct wireguard_peer *peer)
{
	switch (mnl_attr_get_type(attribute)) {
	case WGPEER_A_PRESHARED_KEY:
		return read_key(attribute, &peer->preshared);
	case WGPEER_A_ENDPOINT:
		return read_endpoint(attribute, peer);
	case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
		return read_u16(attribute, &peer->keepalive);
	case WGPEER_A_LAST_HANDSHAKE_TIME:
		return read_time(attribute, &peer->handshake);
	case WGPEER_A_RX_BYTES:
		return read_u64(attribute, &peer->rx_bytes);
	case WGPEER_A_TX_BYTES:
		return read_u64(attribute, &peer->tx_bytes);
	default:
		return 0;
	}
}

static int read_peer(const struct nlattr *nest, struct wireguard_reading *reading)
{
	struct wireguard_peer *peer = NULL;
	const struct nlattr *attribute;
	struct key key;
	int r;

	/* The key comes first: all else belongs to it. */
	netlink_for_each_nested (attribute, nest) {
		if (mnl_attr_get_type(attribute) == WGPEER_A_PUBLIC_KEY) {
			if (read_key(attribute, &key) < 0)
				return -EBADMSG;
			peer = wireguard_reading_peer(reading, &key);
		}
		if (!peer)
			return -EBADMSG;
		r = mnl_attr_get_type(attribute) == WGPEER_A_ALLOWEDIPS
			    ? read_allowed(attribute, reading)
			    : read_peer_part(attribute, peer);
		if (r < 0)
			return r;
	}
	return 0;
}

int wireguard_message_read(const struct nlmsghdr *message, struct wireguard_reading *reading)
{
	const struct nlattr *attribute;
	const struct nlattr *nest;
	int r = 0;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct genlmsghdr))
		return -EBADMSG;
	netlink_for_each (attribute, message, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attribute)) {
		case WGDEVICE_A_PRIVATE_KEY:
			r = read_key(attribute, &reading->device.private_key);
			break;
		case WGDEVICE_A_LISTEN_PORT:
			r = read_u16(attribute, &reading->device.port);
			break;
		case WGDEVICE_A_PEERS:
			netlink_for_each_nested (nest, attribute) {
				if (r == 0)
					r = read_peer(nest, reading);
			}
			break;
		default:
			break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

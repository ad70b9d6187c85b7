/* SPDX-License-Identifier: MIT */
#include "agent/carrier.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <sodium.h>

#include "agent/carrier_internal.h"
#include "agent/memory.h"
#include "base/layout.h"

#define TICK_EVERY (850 * USEC_MSEC)    /* interfaces and peers: nobody says when these change */
#define REVIEW_EVERY (60 * USEC_SECOND) /* all, should a message have been missed */
#define REVIEW_GAP (200 * USEC_MSEC)    /* who fights us for a route does not keep us busy */
#define RETRY_FIRST USEC_SECOND
#define RETRY_MAX (30 * USEC_SECOND)

/* Saying. */

void carrier_refused(struct carrier *carrier, const char *format, ...)
{
	char words[WIREGUARD_WHY_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	carrier->refusals++;
	carrier->troubled = true;
	if (strcmp(words, carrier->trouble) == 0)
		return;
	memcpy(carrier->trouble, words, sizeof words);
	log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_ERROR, "%s", words);
}

void carrier_broken(struct carrier *carrier, const char *format, ...)
{
	char words[WIREGUARD_WHY_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	carrier->repairs++;
	log_write(carrier->log, LOG_REPAIR, CONFIG_LEVEL_WARNING, "%s, not by us: it is put right",
		words);
}

void carrier_review_soon(struct carrier *carrier)
{
	carrier->review_at = usec_min(carrier->review_at, carrier->reviewed_at + REVIEW_GAP);
}

/* Prefixes as keys of tables: in the order of family, address, length. */

void carrier_prefix_key(const struct prefix *prefix, uint8_t out[static CARRIER_PREFIX_KEY])
{
	out[0] = prefix->address.family;
	memcpy(out + 1, prefix->address.bytes, sizeof prefix->address.bytes);
	out[CARRIER_PREFIX_KEY - 1] = prefix->length;
}

struct prefix carrier_prefix_of(const uint8_t key[static CARRIER_PREFIX_KEY])
{
	struct prefix prefix = {.address.family = key[0], .length = key[CARRIER_PREFIX_KEY - 1]};

	memcpy(prefix.address.bytes, key + 1, sizeof prefix.address.bytes);
	return prefix;
}

/* Life. */

/* As WireGuard keeps a private key, and answers it. */
static struct key clamped(const struct key *key)
{
	struct key result = *key;

	result.bytes[0] &= 248;
	result.bytes[KEY_SIZE - 1] = (uint8_t)((result.bytes[KEY_SIZE - 1] & 127) | 64);
	return result;
}

static size_t lay_out(struct carrier *carrier, void *memory)
{
	struct layout layout = {.memory = memory};
	const struct carrier_options *options = &carrier->options;

	layout_table(&layout, &carrier->peers, options->peers_max, sizeof(struct carrier_peer),
		offsetof(struct carrier_peer, interface), 1 + KEY_SIZE);
	layout_table(&layout, &carrier->allowed, options->prefixes_max,
		sizeof(struct carrier_allowed), offsetof(struct carrier_allowed, key),
		sizeof((struct carrier_allowed *)0)->key);
	layout_table(&layout, &carrier->routes, options->prefixes_max, sizeof(struct carrier_route),
		offsetof(struct carrier_route, key), CARRIER_PREFIX_KEY);
	return layout.used;
}

_Static_assert(offsetof(struct carrier_peer, key) == offsetof(struct carrier_peer, interface) + 1,
	"interface and key are one key");

int carrier_open(struct carrier **ret, const struct carrier_options *options,
	char why[static WIREGUARD_WHY_SIZE])
{
	struct carrier *carrier = memory_zeroed(1, sizeof *carrier);
	int r;

	carrier->options = *options;
	carrier->log = options->log;
	for (int i = 0; i < SITE_INTERFACES; i++)
		carrier->devices[i].options = options->interfaces[i];
	for (uint32_t i = 0; i < carrier->options.key_count; i++)
		carrier->options.keys[i] = clamped(&options->keys[i]);
	carrier->memory = memory_zeroed(1, lay_out(carrier, NULL));
	(void)lay_out(carrier, carrier->memory);
	for (int i = 0; i < CARRIER_FAMILIES; i++) {
		carrier->rule_priority[i] = ROUTE_RULE_PRIORITY;
		carrier->overtaken_by[i] = ROUTE_NO_RULE;
	}
	carrier->tick_at = USEC_NEVER;
	carrier->review_at = USEC_NEVER;
	carrier->retry_at = USEC_NEVER;
	carrier->retry_after = RETRY_FIRST;
	r = netlink_open(&carrier->netlink, NETLINK_ROUTE);
	if (r == 0)
		r = watch_open(&carrier->watch);
	if (r == 0)
		r = carrier_ground_review(carrier);
	if (r == 0)
		carrier_filter_open(carrier);
	if (r < 0) {
		(void)snprintf(why, WIREGUARD_WHY_SIZE, "the kernel's network cannot be asked: %s",
			strerror(-r));
		carrier_close(carrier);
		return r;
	}
	*ret = carrier;
	return 0;
}

void carrier_close(struct carrier *carrier)
{
	if (!carrier)
		return;
	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct carrier_device *device = &carrier->devices[i];

		wireguard_device_free(&device->seen);
		free(device->strays.peers);
		free(device->strays.allowed);
	}
	for (int i = 0; i < WIREGUARD_KINDS; i++)
		wireguard_close(carrier->doors[i]);
	carrier_filter_close(carrier);
	watch_close(carrier->watch);
	netlink_close(carrier->netlink);
	free(carrier->stray_routes);
	free(carrier->stray_rules);
	free(carrier->stray_addresses);
	sodium_memzero(carrier->memory, lay_out(carrier, NULL));
	free(carrier->memory);
	sodium_memzero(carrier, sizeof *carrier);
	free(carrier);
}

/* Wanting. */

void carrier_want_port(
	struct carrier *carrier, enum site_interface interface, uint16_t port, bool yields)
{
	struct carrier_device *device = &carrier->devices[interface];

	device->options.port = port;
	device->options.port_yields = yields;
	if (device->index == 0 || port == 0 || device->port == port)
		return;
	device->port = port;
	device->port_due = true;
}

static void want_device(struct carrier *carrier, const struct site_action *action)
{
	struct carrier_device *device = &carrier->devices[action->interface];

	device->wanted = !key_is_zero(&action->device);
	device->key = device->wanted ? clamped(&action->device) : action->device;
	device->key_due = true;
	carrier->tick_at = carrier->now;
}

void carrier_want(struct carrier *carrier, const struct site_action *action)
{
	switch (action->kind) {
	case SITE_DEVICE:
		want_device(carrier, action);
		break;
	case SITE_PEER:
	case SITE_PEER_REMOVE:
	case SITE_ALLOW:
	case SITE_DISALLOW:
		carrier_tunnels_want(carrier, action);
		break;
	case SITE_ADDRESS:
	case SITE_ROUTE:
	case SITE_ROUTE_REMOVE:
		carrier_ground_want(carrier, action);
		break;
	case SITE_SETTLED:
		carrier->settled = true;
		carrier->routes_due = true;
		carrier->review_at = carrier->now;
		carrier->tick_at = carrier->now;
		break;
	case SITE_SAVE:
	case SITE_SAVE_KEY:
	case SITE_PROMOTE_KEY:
	case SITE_SEND:
	case SITE_SEND_OUTSIDE:
	case SITE_POLL:
	case SITE_LOG:
	case SITE_REPLY:
		break;
	}
}

/* Applying. */

/* Interfaces that stand, each with its key and peers. */
static int apply_devices(struct carrier *carrier)
{
	int first = 0;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		struct carrier_device *device = &carrier->devices[i];
		enum site_interface interface = (enum site_interface)i;
		int r = 0;

		if (!device->wanted)
			continue;
		if (device->index == 0) {
			r = carrier_device_establish(carrier, interface);
			carrier->routes_due = true;
		}
		if (r == 0)
			r = carrier_device_apply(carrier, interface);
		first = first ? first : r;
	}
	return first;
}

static void remove_devices(struct carrier *carrier)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (!carrier->devices[i].wanted)
			(void)carrier_device_remove(carrier, (enum site_interface)i);
	}
}

/* What was refused is tried again, at first soon. */
static void conclude(struct carrier *carrier, int r)
{
	if (r < 0 || carrier->troubled) {
		carrier->retry_at = carrier->now + carrier->retry_after;
		carrier->retry_after = usec_min(2 * carrier->retry_after, RETRY_MAX);
		/* It may have been done by half. */
		carrier->review_at = usec_min(carrier->review_at, carrier->retry_at);
		return;
	}
	if (carrier->trouble[0])
		log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_NOTICE,
			"what was refused before went well now");
	carrier->trouble[0] = '\0';
	carrier->retry_at = USEC_NEVER;
	carrier->retry_after = RETRY_FIRST;
}

void carrier_apply(struct carrier *carrier, usec_t now)
{
	int r;

	carrier->now = now;
	carrier->troubled = false;
	r = carrier_ground_prepare(carrier);
	if (r == 0)
		carrier_filter_apply(carrier);
	if (r == 0)
		r = apply_devices(carrier);
	/* Guards stand whatever became of the interfaces. */
	if (r != -EPERM) {
		int ground = carrier_ground_apply(carrier);

		r = r < 0 ? r : ground;
	}
	remove_devices(carrier);
	carrier_filter_end(carrier);
	if (r >= 0)
		r = carrier_ground_apply(carrier);
	conclude(carrier, r);
}

/* Looking. */

/* What was read of an interface itself. */
static void review_device_itself(struct carrier *carrier, struct carrier_device *device)
{
	const struct wireguard_device *seen = &device->seen;

	if (!device->key_due && !key_equal(&seen->private_key, &device->key)) {
		carrier_broken(carrier, "%s was given another key", device->options.name);
		device->key_due = true;
	}
	if (device->port_due || seen->port == 0)
		return;
	if (device->port == 0) {
		/* It was free to choose; it stays there. */
		device->port = seen->port;
		device->options.port = seen->port;
	} else if (device->port != seen->port) {
		carrier_broken(carrier, "%s was given another port", device->options.name);
		device->port_due = true;
	}
}

const struct wireguard_device *carrier_read(
	struct carrier *carrier, usec_t now, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	int r;

	carrier->now = now;
	if (device->index == 0)
		return NULL;
	r = carrier_device_read(carrier, interface);
	if (r == -ENODEV) {
		carrier_broken(carrier, "the interface %s is gone", device->options.name);
		carrier_device_lost(carrier, interface);
		carrier->tick_at = now;
		return NULL;
	}
	if (r == -ETIMEDOUT && device->kind == WIREGUARD_USERSPACE) {
		carrier_broken(
			carrier, "the program behind %s does not answer", device->options.name);
		(void)wireguard_destroy(carrier->doors[device->kind], device->options.name);
		carrier_device_lost(carrier, interface);
		carrier->tick_at = now;
	}
	if (r < 0) {
		if (r != -ETIMEDOUT)
			carrier_refused(carrier, "%s cannot be read: %s", device->options.name,
				strerror(-r));
		return NULL;
	}
	if (!device->wanted)
		return NULL;
	review_device_itself(carrier, device);
	carrier_tunnels_review(carrier, interface);
	return &device->seen;
}

const struct wireguard_device *carrier_seen(
	const struct carrier *carrier, enum site_interface interface)
{
	const struct carrier_device *device = &carrier->devices[interface];

	return device->index != 0 ? &device->seen : NULL;
}

/* Interfaces and their peers, of which nobody tells us anything. */
static void tick(struct carrier *carrier, usec_t now)
{
	bool any = false;

	for (int i = 0; i < SITE_INTERFACES; i++) {
		carrier_device_review(carrier, (enum site_interface)i);
		(void)carrier_read(carrier, now, (enum site_interface)i);
		any = any || carrier->devices[i].wanted;
	}
	carrier_filter_review(carrier);
	carrier->tick_at = any ? now + TICK_EVERY : USEC_NEVER;
}

static void review(struct carrier *carrier, usec_t now)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		carrier_device_review(carrier, (enum site_interface)i);
		if (carrier->settled)
			carrier_device_find_left_over(carrier, (enum site_interface)i);
	}
	if (carrier_ground_review(carrier) < 0)
		carrier_refused(carrier, "the kernel's routes cannot be read");
	carrier->reviewed_at = now;
	carrier->review_at = now + REVIEW_EVERY;
}

usec_t carrier_wakeup(const struct carrier *carrier)
{
	return usec_min(carrier->retry_at, usec_min(carrier->tick_at, carrier->review_at));
}

void carrier_turn(struct carrier *carrier, usec_t now)
{
	bool retry = now >= carrier->retry_at;

	carrier->now = now;
	if (now < carrier_wakeup(carrier))
		return;
	if (now >= carrier->tick_at)
		tick(carrier, now);
	if (now >= carrier->review_at || retry)
		review(carrier, now);
	carrier_apply(carrier, now);
}

/* Being told. */

static bool is_ours(const struct carrier *carrier, unsigned index)
{
	for (int i = 0; i < SITE_INTERFACES; i++) {
		if (carrier->devices[i].index != 0 && carrier->devices[i].index == index)
			return true;
	}
	return false;
}

/* A route matters with our mark, or where it took the place of one of ours. */
static bool route_matters(const struct carrier *carrier, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct prefix prefix = {.length = head->rtm_dst_len};
	uint8_t key[CARRIER_PREFIX_KEY];

	if (head->rtm_protocol == ROUTE_PROTOCOL)
		return true;
	prefix.address.family = head->rtm_family == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
	netlink_for_each (attribute, message, sizeof *head) {
		if (mnl_attr_get_type(attribute) == RTA_DST &&
			mnl_attr_get_payload_len(attribute) == address_size(&prefix.address))
			memcpy(prefix.address.bytes, mnl_attr_get_payload(attribute),
				address_size(&prefix.address));
	}
	carrier_prefix_key(&prefix, key);
	return table_find(&carrier->routes, key) != NULL;
}

static bool link_matters(const struct carrier *carrier, const struct nlmsghdr *message)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (is_ours(carrier, (unsigned)head->ifi_index))
		return true;
	netlink_for_each (attribute, message, sizeof *head) {
		for (int i = 0; i < SITE_INTERFACES; i++) {
			if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
				strcmp(mnl_attr_get_str(attribute),
					carrier->devices[i].options.name) == 0)
				return true;
		}
	}
	return false;
}

static bool netconf_matters(const struct carrier *carrier, const struct nlmsghdr *message)
{
	const struct nlattr *attribute;

	netlink_for_each (attribute, message, sizeof(struct netconfmsg)) {
		if (mnl_attr_get_type(attribute) == NETCONFA_IFINDEX &&
			is_ours(carrier, mnl_attr_get_u32(attribute)))
			return true;
	}
	return false;
}

static bool matters(const struct carrier *carrier, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_matters(carrier, message);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return true; /* of others, too: routes that cover this host's networks are refused
			      */
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_matters(carrier, message);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return true;
	case RTM_NEWNETCONF:
		return netconf_matters(carrier, message);
	default:
		return false;
	}
}

static int take_notice(const struct nlmsghdr *message, void *context)
{
	struct carrier *carrier = context;

	/* What we did ourselves is known. */
	if (message->nlmsg_pid == netlink_port(carrier->netlink) || !matters(carrier, message))
		return 0;
	carrier_review_soon(carrier);
	return 0;
}

int carrier_descriptor(const struct carrier *carrier)
{
	return watch_descriptor(carrier->watch);
}

void carrier_notice(struct carrier *carrier, usec_t now)
{
	carrier->now = now;
	if (watch_read(carrier->watch, take_notice, carrier) < 0)
		carrier_review_soon(carrier);
	carrier_turn(carrier, now);
}

void carrier_reap(struct carrier *carrier)
{
	for (int i = 0; i < WIREGUARD_KINDS; i++) {
		if (carrier->doors[i])
			wireguard_reap(carrier->doors[i]);
	}
}

/* Asking. */

unsigned carrier_index(const struct carrier *carrier, enum site_interface interface)
{
	return carrier->devices[interface].index;
}

uint16_t carrier_port(const struct carrier *carrier, enum site_interface interface)
{
	return carrier->devices[interface].port;
}

bool carrier_has_address(
	const struct carrier *carrier, enum site_interface interface, const struct address *address)
{
	return address_equal(&carrier->devices[interface].address, address);
}

bool carrier_networks(
	struct carrier *carrier, struct prefix ret[static SITE_NETWORKS_MAX], uint32_t *ret_count)
{
	bool changed = carrier->networks_changed;

	carrier->networks_changed = false;
	*ret_count = carrier->network_count;
	memcpy(ret, carrier->networks, sizeof carrier->networks);
	return changed;
}

bool carrier_addresses(struct carrier *carrier,
	struct site_own_address ret[static CARRIER_ADDRESSES_MAX], uint32_t *ret_count)
{
	bool changed = carrier->addresses_changed;

	carrier->addresses_changed = false;
	*ret_count = carrier->address_count;
	memcpy(ret, carrier->addresses, sizeof carrier->addresses);
	return changed;
}

const char *carrier_trouble(const struct carrier *carrier)
{
	return carrier->trouble;
}

const char *carrier_overtaken(const struct carrier *carrier)
{
	return carrier->overtaken;
}

uint64_t carrier_repairs(const struct carrier *carrier)
{
	return carrier->repairs;
}

uint64_t carrier_refusals(const struct carrier *carrier)
{
	return carrier->refusals;
}

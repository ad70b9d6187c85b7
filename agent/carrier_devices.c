/* SPDX-License-Identifier: MIT */
/*
 * carrier_devices.c - the interfaces: found or made, whose they are, and how they are set.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/carrier_internal.h"
#include "agent/sockaddr.h"

#define PORT_PATIENCE_MS 200

/* Doors. */

static int open_door(struct carrier *carrier, enum wireguard_kind kind)
{
	char why[WIREGUARD_WHY_SIZE] = "";
	int r;

	if (carrier->doors[kind])
		return 0;
	r = wireguard_open(&carrier->doors[kind], kind, why);
	if (r < 0)
		carrier_refused(carrier, "%s", why);
	return r;
}

/* Which WireGuard a new interface is made with. */
static int choose_kind(struct carrier *carrier, enum wireguard_kind *ret)
{
	char kernel[WIREGUARD_WHY_SIZE] = "";
	char userspace[WIREGUARD_WHY_SIZE] = "";
	int r;

	switch (carrier->options.implementation) {
	case CONFIG_IMPLEMENTATION_KERNEL:
		*ret = WIREGUARD_KERNEL;
		return open_door(carrier, WIREGUARD_KERNEL);
	case CONFIG_IMPLEMENTATION_USERSPACE:
		*ret = WIREGUARD_USERSPACE;
		return open_door(carrier, WIREGUARD_USERSPACE);
	case CONFIG_IMPLEMENTATION_AUTO:
		break;
	}
	for (int kind = 0; kind < WIREGUARD_KINDS; kind++) {
		*ret = (enum wireguard_kind)kind;
		if (carrier->doors[kind])
			return 0;
		r = wireguard_open(
			&carrier->doors[kind], *ret, kind == WIREGUARD_KERNEL ? kernel : userspace);
		if (r == 0)
			return 0;
	}
	carrier_refused(carrier, "there is no WireGuard here: %s; %s", kernel, userspace);
	return -EOPNOTSUPP;
}

static bool fits_choice(const struct carrier *carrier, enum wireguard_kind kind)
{
	switch (carrier->options.implementation) {
	case CONFIG_IMPLEMENTATION_KERNEL:
		return kind == WIREGUARD_KERNEL;
	case CONFIG_IMPLEMENTATION_USERSPACE:
		return kind == WIREGUARD_USERSPACE;
	case CONFIG_IMPLEMENTATION_AUTO:
		break;
	}
	return true;
}

/* Ports. */

static bool can_bind(uint8_t family, uint16_t port)
{
	const struct endpoint endpoint = {.address.family = family, .port = port};
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&endpoint, &storage);
	int descriptor = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int yes = 1;
	bool free;

	if (descriptor < 0)
		return true; /* a family that is switched off has all its ports free */
	if (family == ADDRESS_IPV6)
		(void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	free = bind(descriptor, (const struct sockaddr *)&storage, length) == 0 ||
	       errno != EADDRINUSE;
	(void)close(descriptor);
	return free;
}

static bool is_free(uint16_t port)
{
	return can_bind(ADDRESS_IPV4, port) && can_bind(ADDRESS_IPV6, port);
}

/* A program that is killed may have its port for a moment after its interface has gone. */
static bool becomes_free(uint16_t port)
{
	const struct timespec moment = {.tv_nsec = 2000000};

	for (int i = 0; i < PORT_PATIENCE_MS / 2 && !is_free(port); i++)
		(void)nanosleep(&moment, NULL);
	return is_free(port);
}

/* The port for an interface that does not have it yet. Returns 0 or -EADDRINUSE, which was said. */
static int choose_port(struct carrier *carrier, struct carrier_device *device)
{
	uint16_t port = device->options.port;

	if (port == 0 || is_free(port) || (device->ours && becomes_free(port))) {
		device->port = port;
		return 0;
	}
	if (device->options.port_yields) {
		log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_NOTICE,
			"UDP port %u is taken: %s takes another one", port, device->options.name);
		device->options.port = 0;
		device->port = 0;
		return 0;
	}
	carrier_refused(carrier,
		"UDP port %u is in use by another program (\"ss -lunp\" shows which; k3s' flannel "
		"uses 51821): end that, or set another port for %s in the configuration",
		port, device->options.name);
	return -EADDRINUSE;
}

/* Finding and making. */

int carrier_device_read(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	struct wireguard_device seen;
	int r = wireguard_read(carrier->doors[device->kind], device->options.name, &seen);

	if (r < 0)
		return r;
	wireguard_device_free(&device->seen);
	device->seen = seen;
	return 0;
}

static bool is_own_key(
	const struct carrier *carrier, const struct carrier_device *device, const struct key *key)
{
	bool own = device->wanted && key_equal(key, &device->key);

	for (uint32_t i = 0; i < carrier->options.key_count; i++)
		own = key_equal(key, &carrier->options.keys[i]) || own;
	return own;
}

static bool is_wireguard(const struct link *link)
{
	return strcmp(link->kind, "wireguard") == 0 || strcmp(link->kind, "tun") == 0;
}

/* An interface of our name is there. Returns 1 when it is ours, 0 when it was taken away, or an
 * error. */
static int adopt(struct carrier *carrier, enum site_interface interface, const struct link *link)
{
	struct carrier_device *device = &carrier->devices[interface];
	const char *name = device->options.name;
	const struct wireguard_device *seen = &device->seen;
	bool blank;
	int r;

	if (!is_wireguard(link)) {
		carrier_refused(carrier,
			"there is an interface %s that is no WireGuard: remove it, or set another "
			"name "
			"in the configuration",
			name);
		return -EEXIST;
	}
	device->kind = strcmp(link->kind, "wireguard") == 0 ? WIREGUARD_KERNEL
							    : WIREGUARD_USERSPACE;
	r = open_door(carrier, device->kind);
	if (r < 0)
		return r;
	r = carrier_device_read(carrier, interface);
	if (r < 0 && !device->ours) {
		carrier_refused(carrier,
			r == -EPERM
				? "reading the interface %s needs CAP_NET_ADMIN: run this as "
				  "root, or with that capability (%s)"
				: "there is an interface %s that is no WireGuard of ours: remove "
				  "it, or set another name in the configuration (%s)",
			name, strerror(-r));
		return r == -ENODEV ? -EEXIST : r;
	}
	/* It was made, and the agent ended before it had told it anything. */
	blank = r == 0 && key_is_zero(&seen->private_key) && seen->peer_count == 0;
	if (r == 0 && !blank && !is_own_key(carrier, device, &seen->private_key)) {
		carrier_refused(carrier,
			"the interface %s belongs to somebody else: its key is none of ours; "
			"remove "
			"it, or set another name in the configuration",
			name);
		return -EEXIST;
	}
	if (r == 0 && fits_choice(carrier, device->kind))
		return 1;
	log_write(carrier->log, LOG_LIFE, CONFIG_LEVEL_NOTICE, "%s is made anew: %s", name,
		r == 0 ? "another WireGuard was chosen" : "its program does not answer");
	wireguard_device_free(&device->seen);
	return wireguard_destroy(carrier->doors[device->kind], name);
}

static int make(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	char why[WIREGUARD_WHY_SIZE] = "";
	int r = choose_kind(carrier, &device->kind);

	if (r < 0)
		return r;
	r = choose_port(carrier, device);
	if (r < 0)
		return r;
	r = wireguard_create(carrier->doors[device->kind], device->options.name, why);
	if (r < 0) {
		carrier_refused(carrier, "%s", why);
		return r;
	}
	log_write(carrier->log, LOG_LIFE, CONFIG_LEVEL_INFO, "%s is made, with %s WireGuard",
		device->options.name, wireguard_kind_name(device->kind));
	return 0;
}

int carrier_device_establish(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	struct link link;
	int found = link_find(carrier->netlink, device->options.name, &link);
	int r = found;

	if (found == 0) {
		r = adopt(carrier, interface, &link);
		if (r > 0) {
			device->port = device->seen.port;
			device->port_due = device->options.port != 0 &&
					   device->port != device->options.port &&
					   choose_port(carrier, device) == 0 && device->port != 0;
		}
		found = r > 0 ? 0 : r == 0 ? -ENODEV : r;
	}
	if (found == -ENODEV) {
		/* Of one that was deleted the program may still be ending, or hang. */
		if (device->ours && device->kind == WIREGUARD_USERSPACE)
			(void)wireguard_destroy(carrier->doors[device->kind], device->options.name);
		r = make(carrier, interface);
		device->port_due = r == 0;
		if (r == 0)
			r = link_find(carrier->netlink, device->options.name, &link);
	}
	if (r < 0)
		return r;
	device->index = link.index;
	device->ours = true;
	device->up = link.up;
	device->prepared = link.prepared;
	device->mtu = link.mtu;
	device->key_due = !key_equal(&device->seen.private_key, &device->key);
	carrier_tunnels_anew(carrier, interface);
	return 0;
}

/* Setting. */

static int set_link(struct carrier *carrier, struct carrier_device *device)
{
	int r = 0;

	if (!device->prepared)
		r = link_prepare(carrier->netlink, device->index);
	device->prepared = r == 0;
	if (r == 0 && device->mtu != device->options.mtu) {
		r = link_set_mtu(carrier->netlink, device->index, device->options.mtu);
		device->mtu = r == 0 ? device->options.mtu : device->mtu;
	}
	if (r == 0 && !device->up) {
		r = link_set_up(carrier->netlink, device->index);
		device->up = r == 0;
	}
	return r;
}

int carrier_device_apply(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	const char *complaint;
	int r = set_link(carrier, device);

	if (r == 0)
		r = carrier_tunnels_apply(carrier, interface);
	if (r == 0)
		return 0;
	complaint = netlink_complaint(carrier->netlink);
	if (r == -ENODEV)
		carrier_device_lost(carrier, interface);
	else if (r == -EPERM)
		carrier_refused(carrier,
			"setting up %s needs CAP_NET_ADMIN: run this as root, or with that "
			"capability",
			device->options.name);
	else
		carrier_refused(carrier, "%s could not be set up: %s%s%s", device->options.name,
			strerror(-r), complaint[0] ? ": " : "", complaint);
	return r;
}

int carrier_device_remove(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	int r;

	if (device->index == 0)
		return 0;
	r = wireguard_destroy(carrier->doors[device->kind], device->options.name);
	if (r < 0) {
		carrier_refused(carrier, "%s could not be taken away: %s", device->options.name,
			strerror(-r));
		return r;
	}
	carrier_device_lost(carrier, interface);
	device->ours = false;
	return 0;
}

void carrier_device_find_left_over(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	char why[WIREGUARD_WHY_SIZE];
	struct link link;

	if (device->index != 0 || device->wanted ||
		link_find(carrier->netlink, device->options.name, &link) < 0 ||
		!is_wireguard(&link))
		return;
	device->kind = strcmp(link.kind, "wireguard") == 0 ? WIREGUARD_KERNEL : WIREGUARD_USERSPACE;
	if (!carrier->doors[device->kind] &&
		wireguard_open(&carrier->doors[device->kind], device->kind, why) < 0)
		return;
	if (carrier_device_read(carrier, interface) < 0)
		return;
	if (is_own_key(carrier, device, &device->seen.private_key))
		device->index = link.index;
}

void carrier_device_lost(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];

	device->index = 0;
	device->up = false;
	device->prepared = false;
	device->address_there = false;
	device->strays.peer_count = 0;
	device->strays.allowed_count = 0;
	wireguard_device_free(&device->seen);
	carrier_ground_lost(carrier, interface);
}

void carrier_device_review(struct carrier *carrier, enum site_interface interface)
{
	struct carrier_device *device = &carrier->devices[interface];
	const char *name = device->options.name;
	struct link link;
	int r;

	if (device->index == 0)
		return;
	r = link_find(carrier->netlink, name, &link);
	if (r == -ENODEV || (r == 0 && link.index != device->index)) {
		carrier_broken(carrier, "the interface %s is gone", name);
		carrier_device_lost(carrier, interface);
		return;
	}
	if (r < 0)
		return;
	if (device->up && !link.up) {
		carrier_broken(carrier, "the interface %s was set down", name);
		/* Routes fall with it, and nobody is told of them. */
		carrier_ground_lost(carrier, interface);
	}
	if (device->mtu == device->options.mtu && link.mtu != device->mtu)
		carrier_broken(carrier, "the interface %s was given another MTU", name);
	if (device->prepared && !link.prepared)
		carrier_broken(carrier, "settings of %s were changed", name);
	device->up = link.up;
	device->mtu = link.mtu;
	device->prepared = link.prepared;
}

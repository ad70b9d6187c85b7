/* SPDX-License-Identifier: MIT */
/*
 * link.h - network interfaces: made, found, set up and taken away, over rtnetlink.
 *
 * Settings of an interface go the same way, not through files below /proc: that asks for no more
 * than CAP_NET_ADMIN, also where those files cannot be written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/netlink.h"

#define LINK_KIND_SIZE 16

struct link {
	unsigned index;
	bool up;
	bool prepared; /* its settings are those that link_prepare() makes */
	uint32_t mtu;
	char kind[LINK_KIND_SIZE]; /* "wireguard", "tun"; "" for one without */
};

/* Finds an interface by name. Returns 0, -ENODEV, or an error. */
int link_find(struct netlink *netlink, const char *name, struct link *ret);

/* Makes an interface of a kind; it is down. Returns 0, -EEXIST, -EOPNOTSUPP, -EPERM, … */
int link_create(struct netlink *netlink, const char *name, const char *kind);

/*
 * Interfaces that lead to no other machine of the home: tunnels, and bridges that only containers
 * and virtual machines hang on.
 */
#define LINK_SET_MAX 64
struct link_set {
	uint32_t count;
	unsigned items[LINK_SET_MAX];
};

int link_secluded(struct netlink *netlink, struct link_set *ret);
bool link_set_has(const struct link_set *set, unsigned index);

/* Takes an interface away; absent is fine. */
int link_remove(struct netlink *netlink, const char *name);

/*
 * Lets it forward what comes in, by routes of its own choice (loose reverse paths), neither sending
 * nor taking redirects, and without an IPv6 address that nobody asked for.
 */
int link_prepare(struct netlink *netlink, unsigned index);

int link_set_mtu(struct netlink *netlink, unsigned index, uint32_t mtu);
int link_set_up(struct netlink *netlink, unsigned index);

/* SPDX-License-Identifier: MIT */
/*
 * watch.h - hears from the kernel what changes on this machine: interfaces, addresses, routes,
 * rules.
 */
#pragma once

#include "agent/netlink.h"

struct watch;

/* Begins to listen. Returns 0 or negative errno. */
int watch_open(struct watch **ret);
void watch_close(struct watch *watch);

/* Readable when there is something to be heard. */
int watch_descriptor(const struct watch *watch);

/*
 * Calls each for every message that is there. Returns 0, or -ENOBUFS when messages were lost: all
 * has to be looked at then.
 */
int watch_read(struct watch *watch, netlink_each_fn each, void *context);

/* SPDX-License-Identifier: MIT */
/*
 * wireguard_message.h - what is said to the kernel's WireGuard, and what it answers.
 *
 * A large change is cut over several messages and a large device comes in several. Pure: nothing is
 * sent here.
 */
#pragma once

#include "agent/netlink.h"
#include "agent/wireguard_internal.h"

/* How far a change was said. */
struct wireguard_saying {
	const struct wireguard_change *change;
	uint32_t peer;    /* the next one, */
	uint32_t allowed; /* and the next of its prefixes */
	bool begun;       /* what is said of the device itself was */
};

/*
 * Fills a request that is empty but for its headers with as much as fits into size bytes in all.
 * Returns whether there is more to be said.
 */
bool wireguard_message_say(
	struct nlmsghdr *message, size_t size, const char *name, struct wireguard_saying *saying);

/*
 * Reads one message of an answer, behind its netlink header and generic header. Returns 0 or
 * -EBADMSG.
 */
int wireguard_message_read(const struct nlmsghdr *message, struct wireguard_reading *reading);

/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - a conversation with the kernel: one request, its whole answer, errors as numbers.
 *
 * Requests may carry keys, and answers too: both are overwritten once they were used.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#define NETLINK_REQUEST_MAX 32768 /* bytes of one request */

/* Walks the attributes of a message behind a header of so many bytes, and those of a nest. */
#define netlink_for_each(attribute, message, offset)                          \
	for ((attribute) = mnl_nlmsg_get_payload_offset((message), (offset)); \
		netlink_is_within((attribute), netlink_tail_of(message));     \
		(attribute) = mnl_attr_next(attribute))
#define netlink_for_each_nested(attribute, nest)                      \
	for ((attribute) = mnl_attr_get_payload(nest);                \
		netlink_is_within((attribute), netlink_end_of(nest)); \
		(attribute) = mnl_attr_next(attribute))

struct netlink;

typedef int (*netlink_each_fn)(const struct nlmsghdr *message, void *context);

/* Opens a socket on a bus, such as NETLINK_ROUTE. Returns 0 or negative errno. */
int netlink_open(struct netlink **ret, int bus);

/* Closes it; NULL is fine. */
void netlink_close(struct netlink *netlink);

/* An empty request; it stays valid until the next one is begun. Flags beside NLM_F_REQUEST. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/* A question with one answer, behind which there is no other word. */
struct nlmsghdr *netlink_begin_question(struct netlink *netlink, uint16_t type);

/*
 * Several requests that go out as one: the first of them, and another behind those before it. One
 * that is refused is answered; of those that went well only one is, which has NLM_F_ACK.
 */
struct nlmsghdr *netlink_begin_batch(struct netlink *netlink, uint16_t type);
struct nlmsghdr *netlink_next(struct netlink *netlink, uint16_t type, uint16_t flags);

/*
 * Sends what was begun and waits for the end of the answer; each (which may be NULL)
 * gets its messages. Returns 0, the first negative result of each, what the kernel answered, or
 * -EINTR where a list changed while it was read and is worth nothing: to be asked for again.
 */
int netlink_run(struct netlink *netlink, netlink_each_fn each, void *context);

/* Where a message ends, and a nest; whether a whole attribute stands before an end. */
const void *netlink_tail_of(const struct nlmsghdr *message);
const void *netlink_end_of(const struct nlattr *nest);
bool netlink_is_within(const struct nlattr *attribute, const void *end);

/* The name by which the kernel knows this socket: changes made through it carry it. */
uint32_t netlink_port(const struct netlink *netlink);

/* What the kernel said in words of the last request that failed; "" where it said nothing. */
const char *netlink_complaint(const struct netlink *netlink);

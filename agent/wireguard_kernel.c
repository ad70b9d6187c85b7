/* SPDX-License-Identifier: MIT */
/*
 * wireguard_kernel.c - the kernel's WireGuard, over generic netlink.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>

#include "agent/link.h"
#include "agent/memory.h"
#include "agent/wireguard_message.h"

#define READS_MAX 8 /* of a list that changes while it is read */

struct kernel {
	struct wireguard base;
	struct netlink *generic;
	struct netlink *route;
	uint16_t family;
};

static struct kernel *kernel_of(struct wireguard *wireguard)
{
	return (struct kernel *)wireguard;
}

static struct nlmsghdr *begin(
	struct netlink *netlink, uint16_t type, uint16_t flags, uint8_t command, uint8_t version)
{
	struct nlmsghdr *message = netlink_begin(netlink, type, flags);
	struct genlmsghdr *head = mnl_nlmsg_put_extra_header(message, sizeof *head);

	head->cmd = command;
	head->version = version;
	return message;
}

static int take_family(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *attribute;
	uint16_t *family = context;

	netlink_for_each (attribute, message, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
			mnl_attr_validate(attribute, MNL_TYPE_U16) == 0)
			*family = mnl_attr_get_u16(attribute);
	}
	return 0;
}

/* Asking for the name loads the module, where there is one. */
static int find_family(struct kernel *kernel)
{
	struct nlmsghdr *message = begin(kernel->generic, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	int r;

	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	r = netlink_run(kernel->generic, take_family, &kernel->family);
	if (r == -ENOENT || (r == 0 && kernel->family == 0))
		return -EOPNOTSUPP;
	return r;
}

static void close_kernel(struct wireguard *wireguard)
{
	struct kernel *kernel = kernel_of(wireguard);

	netlink_close(kernel->generic);
	netlink_close(kernel->route);
	free(kernel);
}

static int open_kernel(struct wireguard **ret, char why[static WIREGUARD_WHY_SIZE])
{
	struct kernel *kernel = memory_zeroed(1, sizeof *kernel);
	int r;

	kernel->base.room = &wireguard_kernel;
	r = netlink_open(&kernel->generic, NETLINK_GENERIC);
	if (r == 0)
		r = netlink_open(&kernel->route, NETLINK_ROUTE);
	if (r == 0)
		r = find_family(kernel);
	if (r == 0) {
		*ret = &kernel->base;
		return 0;
	}
	close_kernel(&kernel->base);
	if (r == -EOPNOTSUPP)
		(void)snprintf(why, WIREGUARD_WHY_SIZE,
			"this kernel has no WireGuard: \"modprobe wireguard\" as root loads it "
			"where "
			"it is installed; wireguard-go (apt install wireguard-go) does without");
	else
		(void)snprintf(
			why, WIREGUARD_WHY_SIZE, "the kernel cannot be asked: %s", strerror(-r));
	return r;
}

static int create(
	struct wireguard *wireguard, const char *name, char why[static WIREGUARD_WHY_SIZE])
{
	struct kernel *kernel = kernel_of(wireguard);
	int r = link_create(kernel->route, name, "wireguard");

	if (r == -EPERM)
		(void)snprintf(why, WIREGUARD_WHY_SIZE,
			"making the interface %s needs CAP_NET_ADMIN: run this as root, or with "
			"that "
			"capability",
			name);
	else if (r < 0)
		(void)snprintf(why, WIREGUARD_WHY_SIZE,
			"the interface %s could not be made: %s%s%s", name, strerror(-r),
			netlink_complaint(kernel->route)[0] ? ": " : "",
			netlink_complaint(kernel->route));
	return r;
}

static int probe(struct wireguard *wireguard, const char *name)
{
	struct link link;
	int r = link_find(kernel_of(wireguard)->route, name, &link);

	if (r < 0)
		return r;
	return strcmp(link.kind, "wireguard") == 0 ? 0 : -ENODEV;
}

static int destroy(struct wireguard *wireguard, const char *name)
{
	int r = probe(wireguard, name);

	/* An interface of another kind is not ours to take away. */
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return link_remove(kernel_of(wireguard)->route, name);
}

static int take_message(const struct nlmsghdr *message, void *context)
{
	return wireguard_message_read(message, context);
}

static int read_device(struct wireguard *wireguard, const char *name, struct wireguard_device *ret)
{
	struct kernel *kernel = kernel_of(wireguard);
	struct wireguard_reading reading;
	int r = -EINTR;

	wireguard_reading_init(&reading);
	for (int i = 0; i < READS_MAX && r == -EINTR; i++) {
		struct nlmsghdr *message = begin(kernel->generic, kernel->family, NLM_F_DUMP,
			WG_CMD_GET_DEVICE, WG_GENL_VERSION);

		wireguard_reading_drop(&reading);
		mnl_attr_put_strz(message, WGDEVICE_A_IFNAME, name);
		r = netlink_run(kernel->generic, take_message, &reading);
	}
	if (r < 0) {
		wireguard_reading_drop(&reading);
		/* An interface of another kind is no device of this room. */
		return r == -EOPNOTSUPP ? -ENODEV : r;
	}
	return wireguard_reading_end(&reading, ret);
}

static int write_device(
	struct wireguard *wireguard, const char *name, const struct wireguard_change *change)
{
	struct kernel *kernel = kernel_of(wireguard);
	struct wireguard_saying saying = {.change = change};
	bool more = true;
	int r = 0;

	while (more && r == 0) {
		struct nlmsghdr *message = begin(
			kernel->generic, kernel->family, 0, WG_CMD_SET_DEVICE, WG_GENL_VERSION);

		more = wireguard_message_say(message, NETLINK_REQUEST_MAX, name, &saying);
		r = netlink_run(kernel->generic, NULL, NULL);
	}
	return r == -EOPNOTSUPP ? -ENODEV : r;
}

const struct wireguard_room wireguard_kernel = {
	.kind = WIREGUARD_KERNEL,
	.open = open_kernel,
	.close = close_kernel,
	.create = create,
	.probe = probe,
	.destroy = destroy,
	.read = read_device,
	.write = write_device,
};

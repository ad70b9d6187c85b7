/* SPDX-License-Identifier: MIT */
/*
 * carrier_filter.c - who may reach this machine itself out of a tunnel: the packet filter follows
 * from the interfaces, their addresses and our own networks.
 *
 * Nobody tells when another program empties the packet filters, as firewalls do when they are
 * loaded anew. So with every look at the interfaces a number is asked for that would have changed.
 */
#include <errno.h>
#include <string.h>

#include "agent/carrier_internal.h"

#define AGAIN_AFTER (60 * USEC_SECOND) /* where it was refused */

static void refused(struct carrier *carrier, int r)
{
	struct carrier_filter *own = &carrier->filter;

	own->again_at = carrier->now + AGAIN_AFTER;
	if (own->refused)
		return;
	own->refused = true;
	carrier->refusals++;
	log_write(carrier->log, LOG_TROUBLE, CONFIG_LEVEL_WARNING,
		"no packet filter could be set (%s): members can reach this machine also by its "
		"addresses in networks that it does not announce; a kernel with nf_tables closes "
		"that",
		strerror(-r));
}

void carrier_filter_open(struct carrier *carrier)
{
	struct carrier_filter *own = &carrier->filter;
	int r = netlink_open(&own->netlink, NETLINK_NETFILTER);

	/* One that an older agent left serves until all that is wanted was told. */
	if (r == 0)
		r = filter_find(own->netlink, &own->there);
	if (r < 0 && r != -EPERM)
		refused(carrier, r);
}

void carrier_filter_close(struct carrier *carrier)
{
	netlink_close(carrier->filter.netlink);
	carrier->filter.netlink = NULL;
}

static void open_to(struct filter *filter, const struct prefix *prefix)
{
	for (uint32_t i = 0; i < filter->open_count; i++) {
		if (prefix_equal(&filter->open[i], prefix))
			return;
	}
	if (filter->open_count < FILTER_OPEN_MAX)
		filter->open[filter->open_count++] = *prefix;
}

/* Returns whether there is an interface that packets could come in by. */
static bool want(const struct carrier *carrier, struct filter *filter)
{
	memset(filter, 0, sizeof *filter);
	filter->joiners = invite_join_addresses();
	filter->join_port = SITE_JOIN_PORT;
	for (int i = 0; i < SITE_INTERFACES; i++) {
		const struct carrier_device *device = &carrier->devices[i];
		struct prefix address = {device->address, (uint8_t)address_bits(&device->address)};

		if (!device->wanted)
			continue;
		memcpy(filter->interfaces[filter->interface_count++], device->options.name,
			WIREGUARD_NAME_SIZE);
		if (device->address.family != ADDRESS_NONE)
			open_to(filter, &address);
	}
	for (uint32_t i = 0; i < carrier->routes.count; i++) {
		const struct carrier_route *entry = table_at(&carrier->routes, i);
		struct prefix prefix = carrier_prefix_of(entry->key);

		if (entry->wanted.own)
			open_to(filter, &prefix);
	}
	return filter->interface_count > 0;
}

/* What stands now is what we set. */
static int seal(struct carrier_filter *own)
{
	int r = filter_generation(own->netlink, &own->generation);

	return r < 0 ? r : filter_read(own->netlink, &own->seal);
}

void carrier_filter_apply(struct carrier *carrier)
{
	struct carrier_filter *own = &carrier->filter;
	struct filter wanted;
	int r;

	if (!own->netlink || !want(carrier, &wanted) || carrier->now < own->again_at)
		return;
	if (own->there && (!carrier->settled || memcmp(&wanted, &own->set, sizeof wanted) == 0))
		return;
	r = filter_set(own->netlink, &wanted);
	if (r == 0)
		r = seal(own);
	own->there = r == 0;
	if (r < 0) {
		refused(carrier, r);
		return;
	}
	own->set = wanted;
	own->refused = false;
	own->again_at = 0;
}

void carrier_filter_end(struct carrier *carrier)
{
	struct carrier_filter *own = &carrier->filter;
	struct filter wanted;

	if (!own->there || !carrier->settled || want(carrier, &wanted))
		return;
	own->there = filter_remove(own->netlink) < 0;
	memset(&own->set, 0, sizeof own->set);
}

void carrier_filter_review(struct carrier *carrier)
{
	struct carrier_filter *own = &carrier->filter;
	struct filter_seal seen;
	uint32_t generation = 0;

	if (!own->there || own->set.interface_count == 0 ||
		filter_generation(own->netlink, &generation) < 0 || generation == own->generation ||
		filter_read(own->netlink, &seen) < 0)
		return;
	own->generation = generation;
	if (filter_seal_equal(&seen, &own->seal))
		return;
	carrier_broken(carrier, "the packet filter \"" FILTER_TABLE "\" was changed");
	own->there = false;
}

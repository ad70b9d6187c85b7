/* SPDX-License-Identifier: MIT */
/*
 * ruleset_match.c - what iptables-nft leaves to older code: matches of x_tables.
 */
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "agent/ruleset_internal.h"

static bool is_between(uint16_t port, const uint16_t range[static 2])
{
	return port >= range[0] && port <= range[1];
}

static enum truth match_udp(const struct walk *walk, const void *bytes)
{
	struct xt_udp info;

	memcpy(&info, bytes, sizeof info);
	return ruleset_truth(
		is_between(RULESET_SOURCE_PORT, info.spts) !=
			!!(info.invflags & XT_UDP_INV_SRCPT) &&
		is_between(walk->packet->port, info.dpts) != !!(info.invflags & XT_UDP_INV_DSTPT));
}

static enum truth match_multiport(const struct walk *walk, const void *bytes)
{
	struct xt_multiport_v1 info;
	bool found = false;

	memcpy(&info, bytes, sizeof info);
	for (int i = 0; i < info.count && i < XT_MULTI_PORTS; i++) {
		uint16_t range[2] = {info.ports[i], info.ports[i]};

		if (info.pflags[i] && i + 1 < XT_MULTI_PORTS)
			range[1] = info.ports[++i];
		if (info.flags != XT_MULTIPORT_SOURCE)
			found = found || is_between(walk->packet->port, range);
		if (info.flags != XT_MULTIPORT_DESTINATION)
			found = found || is_between(RULESET_SOURCE_PORT, range);
	}
	return ruleset_truth(found != !!info.invert);
}

static enum truth match_conntrack(const struct walk *walk, const void *bytes)
{
	struct xt_conntrack_mtinfo3 info;

	memcpy(&info, bytes, sizeof info);
	if (walk->untracked ||
		info.match_flags & (uint16_t) ~(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS))
		return TRUTH_PERHAPS;
	return ruleset_truth(!!(info.state_mask & ruleset_state(walk)) !=
			     !!(info.invert_flags & XT_CONNTRACK_STATE));
}

static enum truth match_addrtype(const struct walk *walk, const void *bytes)
{
	struct xt_addrtype_info_v1 info;
	uint16_t kind = walk->packet->out ? XT_ADDRTYPE_UNICAST : XT_ADDRTYPE_LOCAL;
	bool holds = true;

	memcpy(&info, bytes, sizeof info);
	if (info.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT))
		return TRUTH_PERHAPS;
	if (info.source)
		holds = !!(info.source & XT_ADDRTYPE_UNICAST) !=
			!!(info.flags & XT_ADDRTYPE_INVERT_SOURCE);
	if (info.dest)
		holds = holds && !!(info.dest & kind) != !!(info.flags & XT_ADDRTYPE_INVERT_DEST);
	return ruleset_truth(holds);
}

static enum truth match_no(const struct walk *walk, const void *bytes)
{
	(void)walk, (void)bytes;
	return TRUTH_NO;
}

static enum truth match_any(const struct walk *walk, const void *bytes)
{
	(void)walk, (void)bytes;
	return TRUTH_YES;
}

enum truth ruleset_match(const struct walk *walk, const struct nlattr *data)
{
	static const struct {
		const char *name;
		uint32_t revision;
		size_t size;
		enum truth (*match)(const struct walk *walk, const void *bytes);
	} matches[] = {
		{"udp", 0, sizeof(struct xt_udp), match_udp},
		{"tcp", 0, 0, match_no},
		{"icmp", 0, 0, match_no},
		{"comment", 0, 0, match_any},
		{"multiport", 1, sizeof(struct xt_multiport_v1), match_multiport},
		{"conntrack", 3, sizeof(struct xt_conntrack_mtinfo3), match_conntrack},
		{"addrtype", 1, sizeof(struct xt_addrtype_info_v1), match_addrtype},
	};
	const char *name = ruleset_text(ruleset_part(data, NFTA_MATCH_NAME));
	const struct nlattr *info = ruleset_part(data, NFTA_MATCH_INFO);

	if (walk->guessed.udp.dest != 0)
		return TRUTH_PERHAPS;
	for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
		if (strcmp(name, matches[i].name) == 0 && info &&
			ruleset_number(ruleset_part(data, NFTA_MATCH_REV), 0) ==
				matches[i].revision &&
			mnl_attr_get_payload_len(info) >= matches[i].size)
			return matches[i].match(walk, mnl_attr_get_payload(info));
	}
	return TRUTH_PERHAPS;
}

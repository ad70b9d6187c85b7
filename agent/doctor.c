/* SPDX-License-Identifier: MIT */
#include "agent/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include <linux/capability.h>

#include "agent/firewall.h"
#include "agent/link.h"
#include "agent/netlink.h"
#include "agent/route.h"
#include "agent/sockaddr.h"
#include "agent/wireguard.h"
#include "site/site.h"

#define OVERHEAD 80 /* of WireGuard over IPv6, the larger one */
#define BRIDGES_MAX 8
#define ANYBODY 0x0b16212c /* 11.22.33.44: somebody on the internet */

struct examination {
	const struct doctor_patient *patient;
	struct doctor_report *report;
	struct netlink *route;
};

static void find(struct examination *examination, enum doctor_weight weight, const char *subject,
	const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

static void find(struct examination *examination, enum doctor_weight weight, const char *subject,
	const char *remedy, const char *format, ...)
{
	struct doctor_report *report = examination->report;
	struct doctor_finding *finding = &report->items[report->count];
	va_list arguments;

	if (report->count == DOCTOR_FINDINGS_MAX)
		return;
	report->count++;
	finding->weight = weight;
	finding->subject = subject;
	(void)snprintf(finding->remedy, sizeof finding->remedy, "%s", remedy);
	va_start(arguments, format);
	(void)vsnprintf(finding->text, sizeof finding->text, format, arguments);
	va_end(arguments);
}

/* A number in a file of the system's; -1 where there is none. */
static long read_number(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "re");
	long number = -1;
	char *end;

	if (!file)
		return -1;
	if (fgets(text, sizeof text, file)) {
		number = strtol(text, &end, 10);
		if (end == text)
			number = -1;
	}
	(void)fclose(file);
	return number;
}

/* WireGuard itself. */

static void look_at_wireguard(struct examination *examination)
{
	char why[WIREGUARD_KINDS][WIREGUARD_WHY_SIZE] = {""};
	bool there[WIREGUARD_KINDS] = {false};

	for (int kind = 0; kind < WIREGUARD_KINDS; kind++) {
		struct wireguard *door = NULL;

		there[kind] = wireguard_open(&door, (enum wireguard_kind)kind, why[kind]) == 0;
		wireguard_close(door);
	}
	if (there[WIREGUARD_KERNEL])
		find(examination, DOCTOR_WELL, "wireguard", "", "the kernel has WireGuard");
	else if (there[WIREGUARD_USERSPACE])
		find(examination, DOCTOR_NOTE, "wireguard", "modprobe wireguard",
			"wireguard-go is used: the kernel, which is faster, has no WireGuard "
			"loaded");
	else
		find(examination, DOCTOR_TROUBLE, "wireguard", "apt install wireguard-go",
			"there is no WireGuard: %.200s", why[WIREGUARD_USERSPACE]);
}

static void look_at_capabilities(struct examination *examination)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = 0}};
	const uint32_t needed = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;

	if (examination->patient->agent_runs)
		return; /* it has what it needs, or says so itself */
	if (syscall(SYS_capget, &head, data) == 0 && (data[0].effective & needed) == needed)
		find(examination, DOCTOR_WELL, "capabilities", "",
			"CAP_NET_ADMIN and CAP_NET_RAW are here");
	else
		find(examination, DOCTOR_NOTE, "capabilities", "sudo collective doctor",
			"this user lacks CAP_NET_ADMIN or CAP_NET_RAW: an agent started by it "
			"could not "
			"work");
}

static void look_at_port(struct examination *examination)
{
	uint16_t port = examination->patient->config->backbone.port;
	const struct endpoint any = {
		.address.family = ADDRESS_IPV4, .port = port ? port : CONFIG_HUB_PORT};
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&any, &storage);
	int descriptor;

	if (examination->patient->agent_runs)
		return; /* it is the one that has it */
	descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return;
	if (bind(descriptor, (const struct sockaddr *)&storage, length) < 0 && errno == EADDRINUSE)
		find(examination, DOCTOR_NOTE, "port", "ss -lunp",
			"UDP port %u, which a hub listens on, is another program's (k3s' flannel "
			"uses "
			"it); interfaces.backbone.port sets another one",
			any.port);
	else
		find(examination, DOCTOR_WELL, "port", "", "UDP port %u is free", any.port);
	(void)close(descriptor);
}

/* Networks. */

struct surroundings {
	struct examination *examination;
	bool overlap;
	bool carrier;
};

static bool is_ours(const struct examination *examination, const char *name)
{
	const struct config *config = examination->patient->config;

	return strcmp(name, config->backbone.name) == 0 || strcmp(name, config->links.name) == 0;
}

static int look_at_address(const struct route_address *address, void *context)
{
	static const struct prefix carriers = {{ADDRESS_IPV4, {100, 64}}, 10};
	struct surroundings *around = context;
	const struct prefix *supernet = &around->examination->patient->supernet;
	struct prefix network = prefix_canonical(&address->prefix);
	char name[IF_NAMESIZE] = "";
	char text[PREFIX_TEXT_SIZE];

	if (address->near || !if_indextoname(address->device, name) ||
		is_ours(around->examination, name))
		return 0;
	prefix_print(&network, text);
	if (prefix_overlaps(&network, supernet)) {
		around->overlap = true;
		find(around->examination, DOCTOR_TROUBLE, "networks",
			"give one of the two another network",
			"%s of %s overlaps the collective's own network: what goes there stays on "
			"this "
			"machine",
			text, name);
	}
	if (prefix_has_address(&carriers, &address->prefix.address) && !around->carrier) {
		around->carrier = true;
		find(around->examination, DOCTOR_NOTE, "networks", "",
			"%s has an address of the range that providers share out (100.64.0.0/10): "
			"nobody "
			"can call this machine from outside, and it cannot be a hub",
			name);
	}
	return 0;
}

static void look_at_networks(struct examination *examination)
{
	struct surroundings around = {.examination = examination};

	if (route_address_list(examination->route, look_at_address, &around) == 0 &&
		!around.overlap && examination->patient->supernet.address.family != ADDRESS_NONE)
		find(examination, DOCTOR_WELL, "networks", "",
			"no network of this machine overlaps the collective's");
}

/* Who is in an announced network answers members by this machine only if it forwards for them. */
static int look_at_gateway(const struct route_address *address, void *context)
{
	struct examination *examination = context;
	const struct prefixes *announced = &examination->patient->announced;
	struct prefix network = prefix_canonical(&address->prefix);
	char name[IF_NAMESIZE] = "";
	char path[80];
	char text[PREFIX_TEXT_SIZE];
	char remedy[96];

	if (address->near || address->prefix.address.family != ADDRESS_IPV4 ||
		!if_indextoname(address->device, name) || is_ours(examination, name))
		return 0;
	(void)snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", name);
	for (uint32_t i = 0; i < announced->count; i++) {
		if (!prefix_overlaps(&announced->items[i], &network) || read_number(path) != 0)
			continue;
		prefix_print(&announced->items[i], text);
		(void)snprintf(
			remedy, sizeof remedy, "sysctl -w net.ipv4.conf.%s.forwarding=1", name);
		find(examination, DOCTOR_NOTE, "gateway", remedy,
			"%s is announced, and this machine does not forward what comes in by %s: "
			"who is there cannot answer members, unless another machine is the way to "
			"them",
			text, name);
	}
	return 0;
}

static void look_at_gateways(struct examination *examination)
{
	(void)route_address_list(examination->route, look_at_gateway, examination);
}

static void look_at_way_out(struct examination *examination)
{
	const struct config *config = examination->patient->config;
	char name[IF_NAMESIZE];
	char remedy[96];
	struct link link;

	if (!route_default(name)) {
		find(examination, DOCTOR_TROUBLE, "way out", "ip route add default via ROUTER",
			"there is no default route: others cannot be called, and a hub cannot let "
			"anybody join");
		return;
	}
	if (link_find(examination->route, name, &link) < 0)
		return;
	if (link.mtu < (uint32_t)config->backbone.mtu + OVERHEAD) {
		(void)snprintf(remedy, sizeof remedy, "set interfaces.backbone.mtu to %u",
			link.mtu - OVERHEAD);
		find(examination, DOCTOR_NOTE, "mtu", remedy,
			"packets of %s have %u bytes at most: those of the tunnel, with %u, are "
			"cut in "
			"two or lost",
			name, link.mtu, config->backbone.mtu);
	} else {
		find(examination, DOCTOR_WELL, "mtu", "",
			"packets of the tunnel fit into those of %s", name);
	}
}

/* Another tunnel that takes everything along takes our packets as well: those outside ours. Rules
 * may lead them around it, by their ports. */
static void look_at_other_tunnels(struct examination *examination)
{
	const struct config *config = examination->patient->config;
	struct route_flow flow = {
		.to = examination->patient->hub, .from_port = examination->patient->port};
	struct route_way way;
	struct link link;
	char name[IF_NAMESIZE] = "";
	char remedy[DOCTOR_TEXT_SIZE] = "";

	if (flow.to.address.family == ADDRESS_NONE)
		flow.to = (struct endpoint){address_ipv4(ANYBODY), CONFIG_HUB_PORT};
	if (route_find(examination->route, &flow, &way) < 0 || !if_indextoname(way.device, name) ||
		is_ours(examination, name) || link_find(examination->route, name, &link) < 0 ||
		(strcmp(link.kind, "wireguard") != 0 && strcmp(link.kind, "tun") != 0))
		return;
	(void)snprintf(remedy, sizeof remedy,
		"for i in %s %s; do ip rule add iif lo ipproto udp sport $(wg show $i "
		"listen-port) lookup main; done",
		config->backbone.name, config->links.name);
	if (examination->patient->role == DOCTOR_HUB)
		find(examination, DOCTOR_TROUBLE, "other tunnel", remedy,
			"the tunnel %s takes everything along, also the answers of this hub: who "
			"calls it gets none from where it called",
			name);
	else
		find(examination, DOCTOR_NOTE, "other tunnel", remedy,
			"the tunnel %s takes everything along, also what goes to the hub and to "
			"homes that are met directly: it is wrapped twice, and they see the other "
			"end of %s in this home's place",
			name, name);
}

/* Who translates addresses for a bridge of containers has both ends of a conversation in one
 * machine; what members send there comes in by our interfaces, whose routes know members only. */
static void look_at_bridge(struct examination *examination, const struct route_address *address)
{
	const struct doctor_patient *patient = examination->patient;
	const struct config *config = patient->config;
	struct prefix network = prefix_canonical(&address->prefix);
	struct route_flow flow = {.to = {address->prefix.address, CONFIG_HUB_PORT},
		.from = patient->member,
		.in = if_nametoindex(config->backbone.name)};
	struct route_way way;
	struct link link;
	char name[IF_NAMESIZE] = "";
	char text[PREFIX_TEXT_SIZE];
	char remedy[DOCTOR_TEXT_SIZE];

	flow.to.address.bytes[3] ^= 3; /* somebody else there */
	if (flow.in == 0 || !if_indextoname(address->device, name) ||
		link_find(examination->route, name, &link) < 0 ||
		strcmp(link.kind, "bridge") != 0 ||
		route_find(examination->route, &flow, &way) == 0)
		return;
	prefix_print(&network, text);
	(void)snprintf(remedy, sizeof remedy,
		"for i in %s %s; do ip rule add iif $i to %s lookup main; done",
		config->backbone.name, config->links.name, text);
	find(examination, DOCTOR_NOTE, "containers", remedy,
		"containers on %s (%s) and members do not reach each other, nor do members what "
		"containers publish at this machine's address",
		name, text);
}

struct bridges {
	struct link_set secluded;
	uint32_t count;
	struct route_address items[BRIDGES_MAX];
};

static int see_bridge(const struct route_address *address, void *context)
{
	struct bridges *bridges = context;

	if (!address->near && address->prefix.address.family == ADDRESS_IPV4 &&
		address->prefix.length <= 30 && bridges->count < BRIDGES_MAX &&
		link_set_has(&bridges->secluded, address->device))
		bridges->items[bridges->count++] = *address;
	return 0;
}

static void look_at_bridges(struct examination *examination)
{
	struct bridges bridges = {.count = 0};

	if (examination->patient->member.family != ADDRESS_IPV4 ||
		link_secluded(examination->route, &bridges.secluded) < 0 ||
		route_address_list(examination->route, see_bridge, &bridges) < 0)
		return;
	for (uint32_t i = 0; i < bridges.count; i++)
		look_at_bridge(examination, &bridges.items[i]);
}

/* What others take away. */

static bool has_entries(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool any = false;

	if (!directory)
		return false;
	while (!any && (entry = readdir(directory)) != NULL)
		any = entry->d_name[0] != '.';
	(void)closedir(directory);
	return any;
}

/* Of the links that it manages, networkd writes down what they are. */
static bool is_networkd_about(void)
{
	static const char *const taught[] = {"/etc/systemd/networkd.conf.d/collective.conf",
		"/run/systemd/networkd.conf.d/collective.conf",
		"/usr/local/lib/systemd/networkd.conf.d/collective.conf",
		"/usr/lib/systemd/networkd.conf.d/collective.conf"};

	for (size_t i = 0; i < sizeof taught / sizeof taught[0]; i++) {
		if (access(taught[i], F_OK) == 0)
			return false;
	}
	return has_entries("/run/systemd/netif/links");
}

static void look_at_repairs(struct examination *examination)
{
	uint64_t repairs = examination->patient->repairs;

	if (is_networkd_about())
		find(examination, DOCTOR_NOTE, "networkd",
			"put ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no below "
			"[Network] into /etc/systemd/networkd.conf.d/collective.conf, and restart "
			"systemd-networkd",
			"systemd-networkd manages this machine, and takes away routes and rules "
			"that are not its own whenever an interface comes: the agent puts them "
			"back within a second");
	if (repairs > 0)
		find(examination, DOCTOR_NOTE, "repairs",
			"journalctl -u collective | grep \"not by us\"",
			"something else on this machine took away, or changed, what is the "
			"agent's: %" PRIu64 " time%s since it began, and it was put right",
			repairs, repairs == 1 ? "" : "s");
}

/* Rules. */

static bool is_of_members(const struct prefix *from, void *context)
{
	const struct examination *examination = context;

	return from->length == 0 || prefix_overlaps(from, &examination->patient->supernet);
}

/* Ours stand before all that could take what members send, but not before the local table. */
static void look_at_rules_of(struct examination *examination, uint8_t family)
{
	const char *option = family == ADDRESS_IPV6 ? " -6" : "";
	struct route_foremost foremost;
	char remedy[96];

	if (route_rule_foremost(examination->route, family, is_of_members, examination, &foremost) <
			0 ||
		foremost.before == ROUTE_NO_RULE)
		return;
	(void)snprintf(remedy, sizeof remedy,
		"give it a priority above %u, that of the local table", foremost.local);
	find(examination, DOCTOR_NOTE, "rules", remedy,
		"the rule of priority %u (\"ip%s rule\" shows it) is not behind the local table, "
		"so those of a collective cannot stand before it: what it takes of members' "
		"packets goes its way, also into networks that are not announced",
		foremost.before, option);
}

static void look_at_rules(struct examination *examination)
{
	look_at_rules_of(examination, ADDRESS_IPV4);
	if (route_has_ipv6())
		look_at_rules_of(examination, ADDRESS_IPV6);
}

/* Time. */

static void look_at_clock(struct examination *examination)
{
	struct timex state = {.modes = 0};

	if (adjtimex(&state) < 0)
		return;
	if (state.status & STA_UNSYNC)
		find(examination, DOCTOR_NOTE, "clock", "timedatectl set-ntp true",
			"nobody keeps this machine's clock: WireGuard lets nobody in whose clock "
			"went "
			"back");
	else
		find(examination, DOCTOR_WELL, "clock", "", "the clock is kept");
}

/* What the system does with packets. */

static void look_at_settings(struct examination *examination)
{
	long redirects = read_number("/proc/sys/net/ipv4/conf/all/send_redirects");
	long filter = read_number("/proc/sys/net/ipv4/conf/all/rp_filter");

	if (redirects == 1)
		find(examination, DOCTOR_NOTE, "redirects",
			"sysctl -w net.ipv4.conf.all.send_redirects=0",
			"a hub here sends ICMP redirects to members that speak through it: "
			"harmless, and "
			"of no use");
	if (filter == 1)
		find(examination, DOCTOR_NOTE, "reverse path", "",
			"net.ipv4.conf.all.rp_filter is 1: on the agent's own interfaces 2 is in "
			"force, "
			"elsewhere nothing changes");
}

/* What a finding of the firewall's weighs for a machine that is a hub, that may become one, that is
 * none. */
static enum doctor_weight weigh(
	const struct examination *examination, const struct firewall_finding *finding)
{
	switch (examination->patient->role) {
	case DOCTOR_HUB:
		return finding->verdict == RULESET_DROPS ? DOCTOR_TROUBLE : DOCTOR_NOTE;
	case DOCTOR_STRANGER:
		return DOCTOR_NOTE;
	case DOCTOR_SPOKE:
		break;
	}
	return DOCTOR_WELL;
}

/* Where a rule of it could not be followed. */
static const char *perhaps(const struct firewall_finding *finding)
{
	return finding->verdict == RULESET_UNSURE
		       ? " (perhaps: what one of its rules does cannot be told from here)"
		       : "";
}

/* What a hub is called by, and what is said to its agent inside: of a spoke, it is what answers. */
static void look_at_calls(struct examination *examination, const struct firewall *firewall)
{
	const struct firewall_finding *calls = &firewall->ways[FIREWALL_CALLS];
	const struct firewall_finding *inside = &firewall->ways[FIREWALL_INSIDE];
	uint16_t port = firewall_port(examination->patient->config);

	if (examination->patient->role == DOCTOR_SPOKE)
		return;
	if (calls->asked && calls->verdict != RULESET_PASSES)
		find(examination, weigh(examination, calls), "firewall", calls->remedy,
			"the firewall (%s) drops what comes in to UDP port %u%s: a hub here cannot "
			"be called, and nobody can join",
			calls->name, port, perhaps(calls));
	if (inside->verdict != RULESET_PASSES)
		find(examination, weigh(examination, inside), "firewall", inside->remedy,
			"the firewall (%s) drops what comes in by %s to UDP ports %u and %u%s: a "
			"hub's agent cannot be spoken to, and nobody can join",
			inside->name, examination->patient->config->backbone.name, SITE_PORT,
			SITE_JOIN_PORT, perhaps(inside));
	if (calls->asked && calls->verdict == RULESET_PASSES && inside->verdict == RULESET_PASSES)
		find(examination, DOCTOR_WELL, "firewall", "",
			"no firewall drops what a hub is called by");
}

static void look_at_forwarding(struct examination *examination, const struct firewall *firewall)
{
	const char *backbone = examination->patient->config->backbone.name;
	const struct firewall_finding *spokes = &firewall->ways[FIREWALL_SPOKES];
	const struct firewall_finding *behind = &firewall->ways[FIREWALL_BEHIND];
	bool spoke = examination->patient->role == DOCTOR_SPOKE;

	if (behind->asked && behind->verdict != RULESET_PASSES)
		find(examination, behind->verdict == RULESET_DROPS ? DOCTOR_TROUBLE : DOCTOR_NOTE,
			"forwarding", behind->remedy,
			"the firewall (%s) drops what is forwarded between members and the "
			"networks behind this site%s",
			behind->name, perhaps(behind));
	if (firewall->forwards)
		find(examination, DOCTOR_WELL, "forwarding", "",
			"no firewall drops what is forwarded by default");
	else if (spokes->verdict == RULESET_PASSES)
		find(examination, DOCTOR_WELL, "forwarding", "",
			"the firewall drops what is forwarded, and lets %s through", backbone);
	else if (spoke && !(behind->asked && behind->verdict != RULESET_PASSES))
		find(examination, DOCTOR_WELL, "forwarding", "",
			"the firewall (%s) drops what is forwarded: this site has no need of it",
			spokes->name);
	else if (!spoke)
		find(examination, spokes->verdict == RULESET_DROPS ? DOCTOR_TROUBLE : DOCTOR_NOTE,
			"forwarding", spokes->remedy,
			"the firewall (%s) drops what is forwarded%s: spokes cannot reach each "
			"other through this hub",
			spokes->name, perhaps(spokes));
}

static void look_at_firewall(struct examination *examination)
{
	const struct doctor_patient *patient = examination->patient;
	const struct firewall_site site = {
		patient->config, patient->supernet, patient->own, patient->announced};
	struct firewall firewall;
	int r = firewall_look(examination->route, &site, &firewall);

	if (r == -EPERM) {
		find(examination, DOCTOR_NOTE, "forwarding", "sudo collective doctor",
			"the firewall was not looked at: that needs root");
		return;
	}
	if (r == -E2BIG || r == -EINTR) {
		find(examination, DOCTOR_NOTE, "forwarding", "",
			"the firewall was not looked at: %s",
			r == -E2BIG ? "it has too many chains" : "its rules change all the time");
		return;
	}
	if (r < 0) {
		find(examination, DOCTOR_NOTE, "packet filter", "modprobe nf_tables",
			"the kernel has no nf_tables (%s): members can reach this machine also by "
			"its addresses in networks that it does not announce",
			strerror(-r));
		return;
	}
	look_at_calls(examination, &firewall);
	look_at_forwarding(examination, &firewall);
}

void doctor_examine(const struct doctor_patient *patient, struct doctor_report *ret)
{
	static void (*const looks[])(struct examination *) = {look_at_wireguard,
		look_at_capabilities, look_at_port, look_at_networks, look_at_gateways,
		look_at_way_out, look_at_other_tunnels, look_at_bridges, look_at_repairs,
		look_at_rules, look_at_clock, look_at_settings, look_at_firewall};
	struct examination examination = {.patient = patient, .report = ret};

	ret->count = 0;
	if (netlink_open(&examination.route, NETLINK_ROUTE) < 0) {
		find(&examination, DOCTOR_TROUBLE, "kernel", "",
			"the kernel's network cannot be asked");
		return;
	}
	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
		looks[i](&examination);
	netlink_close(examination.route);
}

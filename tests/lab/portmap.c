/* SPDX-License-Identifier: MIT */
/*
 * portmap.c - the promises of agent/portmap.h, at routers of several kinds:
 *
 *   portmap [user]
 *
 * As root or as the unit's user, in namespaces of its own. The default route says whose home this
 * is: good has a public address, poor is behind another router, deaf knows nothing of the protocol,
 * mute does not even say so, and odd is played here.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/portmap.h"
#include "agent/sockaddr.h"
#include "tests/lab/room.h"

#define PORT 40000
#define OUTSIDE "44.10.20.2"
#define STRANGERS 3 /* who speak from outside, each from a port of its own */
#define SOON_MS 3000

enum { GOOD = 1, POOR, DEAF, MUTE, ODD };

/* What the odd router answers with. */
struct oddity {
	uint8_t version;
	uint16_t result;
	uint16_t port_added; /* to the port that it was asked for */
	int times;           /* each answer is sent */
};

static struct room room;
static struct event_base *loop;
static struct event *odd_event;
static struct portmap *portmap;
static int strangers[STRANGERS];
static int odd;
static struct oddity oddity;
static uint32_t answered;
static struct portmap_answer last;
static bool ask_again;

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void make_router(int number, const char *name, const char *outside)
{
	need(room_shell("ip netns add %s && "
			"ip link add line%d type veth peer name lan netns %s && "
			"ip address add 192.168.%d.2/24 dev line%d && ip link set line%d up && "
			"ip -n %s address add 192.168.%d.1/24 dev lan && "
			"for i in lan lo; do ip -n %s link set $i up; done && "
			"ip -n %s link add wan type veth peer name %s netns inet && "
			"ip -n %s address add %s/24 dev wan && ip -n %s link set wan up && "
			"ip -n inet link set %s up && "
			"ip netns exec %s sysctl -w net.ipv4.ip_forward=1",
		     name, number, name, number, number, number, name, number, name, name, name,
		     name, outside, name, name, name) == 0,
		name);
	need(room_shell("ip netns exec %s nft 'table inet home {\n"
			"chain forw { type filter hook forward priority filter; jump upnp; "
			"iifname wan ct state new ct status ! dnat drop; }\n"
			"chain pre { type nat hook prerouting priority dstnat; jump dest; }\n"
			"chain post { type nat hook postrouting priority srcnat; jump source; "
			"oifname wan masquerade; }\n"
			"chain upnp { }\n"
			"chain dest { }\n"
			"chain source { }\n"
			"}'",
		     name) == 0,
		name);
}

static void serve(const char *name)
{
	need(room_shell("{ printf '%%s\\n' ext_ifname=wan listening_ip=lan enable_natpmp=yes "
			"enable_upnp=no secure_mode=yes upnp_table_name=home "
			"upnp_nat_table_name=home upnp_forward_chain=upnp upnp_nat_chain=dest "
			"upnp_nat_postrouting_chain=source "
			"uuid=00000000-0000-0000-0000-000000000000 "
			"'allow 1024-65535 0.0.0.0/0 1024-65535'; "
			"} >/run/%s.conf",
		     name) == 0,
		name);
	need(room_shell("ip netns exec %s miniupnpd -d -f /run/%s.conf -P /run/%s.pid & true", name,
		     name, name) == 0,
		name);
	need(room_shell("for i in $(seq 100); do ip netns exec %s ss -Hlun 'sport = 5351' | "
			"grep -q . && exit; sleep 0.05; done; exit 1",
		     name) == 0,
		"miniupnpd does not begin");
}

/* Sockets belong to the namespace where they were opened. */
static int open_at(const char *namespace, const char *address)
{
	const struct endpoint own = room_endpoint(address);
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&own, &storage);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(namespace, O_RDONLY | O_CLOEXEC);
	int fd;

	need(home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0, namespace);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	need(fd >= 0 && bind(fd, (struct sockaddr *)&storage, length) == 0, address);
	need(setns(home, CLONE_NEWNET) == 0, "setns");
	(void)close(home);
	(void)close(there);
	return fd;
}

/* RFC 6886, sections 3.2 and 3.3. */
static void on_odd(evutil_socket_t descriptor, short what, void *context)
{
	uint8_t in[16] = {0};
	uint8_t out[16] = {0};
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	ssize_t size = recvfrom(descriptor, in, sizeof in, 0, (struct sockaddr *)&from, &length);

	(void)what;
	(void)context;
	assert_true(size == 2 || size == 12);
	out[0] = oddity.version;
	out[1] = in[1] | 0x80;
	out[2] = (uint8_t)(oddity.result >> 8);
	out[3] = (uint8_t)oddity.result;
	if (size == 2) {
		memcpy(out + 8, (const uint8_t[]){44, 10, 23, 2}, 4);
	} else {
		memcpy(out + 8, in + 4, 8);
		out[9] = (uint8_t)(out[9] + oddity.port_added);
	}
	for (int i = 0; i < oddity.times; i++)
		assert_true(sendto(descriptor, out, size == 2 ? 12 : 16, 0,
				    (struct sockaddr *)&from, length) > 0);
	/* It mends its ways. */
	oddity.port_added = 0;
}

static void on_answer(void *context, const struct portmap_answer *answer)
{
	(void)context;
	answered++;
	last = *answer;
	if (ask_again)
		assert_int_equal(portmap_ask(portmap, PORT + 1, 0, 600), 0);
	ask_again = false;
}

static void begin(bool user)
{
	room_begin(&room, false);
	need(room_shell("ip netns add inet") == 0, "inet");
	make_router(GOOD, "good", OUTSIDE);
	make_router(POOR, "poor", "100.64.1.2");
	make_router(DEAF, "deaf", "44.10.21.2");
	make_router(MUTE, "mute", "44.10.22.2");
	make_router(ODD, "odd", "44.10.23.2");
	need(room_shell("ip -n inet address add 44.10.20.1/24 dev good") == 0, "inet");
	need(room_shell(
		     "ip netns exec mute nft 'table inet silence { chain inpt { type filter hook "
		     "input priority filter; udp dport 5351 drop; }; }'") == 0,
		"mute");
	serve("good");
	serve("poor");
	for (int i = 0; i < STRANGERS; i++)
		strangers[i] = open_at("/run/netns/inet", i == 0   ? "0.0.0.0:7001"
							  : i == 1 ? "0.0.0.0:7002"
								   : "0.0.0.0:7003");
	odd = open_at("/run/netns/odd", "192.168.5.1:5351");
	if (user)
		room_become_user();
	loop = event_base_new();
	need(loop, "a loop");
	portmap = portmap_new(loop, on_answer, NULL);
	need(portmap, "a portmap");
	odd_event = event_new(loop, odd, EV_READ | EV_PERSIST, on_odd, NULL);
	need(odd_event && event_add(odd_event, NULL) == 0, "an event");
}

/* Doing. */

static void live_at(int router)
{
	assert_int_equal(room_shell("ip route replace default via 192.168.%d.1", router), 0);
	answered = 0;
}

static void on_time(evutil_socket_t descriptor, short what, void *context)
{
	(void)descriptor;
	(void)what;
	*(bool *)context = true;
}

static bool wait_for(uint32_t count, int ms)
{
	const struct timeval time = {ms / 1000, ms % 1000 * 1000L};
	bool over = false;
	struct event *timer = evtimer_new(loop, on_time, &over);

	assert_non_null(timer);
	assert_int_equal(evtimer_add(timer, &time), 0);
	while (answered < count && !over)
		assert_int_equal(event_base_loop(loop, EVLOOP_ONCE), 0);
	event_free(timer);
	return answered >= count;
}

static struct portmap_answer ask(uint16_t port, uint16_t wanted, uint32_t lifetime_s)
{
	answered = 0;
	assert_int_equal(portmap_ask(portmap, port, wanted, lifetime_s), 0);
	assert_true(wait_for(1, PORTMAP_PATIENCE_MS + SOON_MS));
	assert_int_equal(last.port, port);
	return last;
}

static struct portmap_answer release(uint16_t port)
{
	answered = 0;
	assert_int_equal(portmap_release(portmap, port), 0);
	assert_true(wait_for(1, SOON_MS));
	return last;
}

static void expect_granted(const struct portmap_answer *answer)
{
	const struct endpoint outside = {address_ipv4(0x2c0a1402), answer->outside.port};

	assert_int_equal(answer->error, 0);
	assert_int_equal(answer->result, PORTMAP_GRANTED);
	assert_true(endpoint_equal(&answer->outside, &outside));
	assert_int_not_equal(answer->outside.port, 0);
}

/* Whether what a stranger sends to an outside port comes to a port of ours. */
static bool leads_in(int stranger, uint16_t outside, uint16_t port)
{
	const struct endpoint target = {address_ipv4(0x2c0a1402), outside};
	const struct endpoint any = {address_ipv4(0), port};
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&any, &storage);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	bool came;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&storage, length), 0);
	length = sockaddr_from(&target, &storage);
	assert_int_equal(
		sendto(strangers[stranger], "in", 2, 0, (struct sockaddr *)&storage, length), 2);
	came = poll(&waiting, 1, 200) == 1;
	(void)close(fd);
	return came;
}

/* The promises. */

TEST(port_leads_in_until_it_is_given_back)
{
	struct portmap_answer answer;
	uint16_t outside;

	(void)state;
	live_at(GOOD);
	assert_false(leads_in(0, PORT, PORT));
	answer = ask(PORT, 0, 3600);
	expect_granted(&answer);
	assert_int_equal(answer.lifetime_s, 3600);
	outside = answer.outside.port;
	assert_true(leads_in(1, outside, PORT));
	answer = release(PORT);
	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.result, PORTMAP_GRANTED);
	assert_int_equal(answer.lifetime_s, 0);
	assert_int_equal(answer.outside.port, 0);
	assert_false(leads_in(2, outside, PORT));
}

TEST(port_that_it_had_is_the_one_it_gets)
{
	struct portmap_answer answer;
	uint32_t epoch_s;

	(void)state;
	live_at(GOOD);
	answer = ask(PORT, 50123, 600);
	expect_granted(&answer);
	assert_int_equal(answer.outside.port, 50123);
	epoch_s = answer.epoch_s;
	answer = ask(PORT, 50123, 1200);
	expect_granted(&answer);
	assert_int_equal(answer.outside.port, 50123);
	assert_int_equal(answer.lifetime_s, 1200);
	assert_in_range(answer.epoch_s, epoch_s, epoch_s + 10);
	assert_int_equal(release(PORT).error, 0);
}

TEST(epoch_counts_seconds)
{
	struct portmap_answer answer;

	(void)state;
	live_at(GOOD);
	room_sleep_ms(1100);
	answer = ask(PORT, 0, 600);
	expect_granted(&answer);
	assert_true(answer.epoch_s >= 1);
}

TEST(router_behind_another_one_refuses)
{
	struct portmap_answer answer;

	(void)state;
	live_at(POOR);
	answer = ask(PORT, 0, 3600);
	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.result, PORTMAP_NETWORK_FAILURE);
}

TEST(every_refusal_has_its_name)
{
	static const struct {
		uint16_t number;
		enum portmap_result result;
	} rows[] = {
		{1, PORTMAP_UNSUPPORTED_VERSION},
		{2, PORTMAP_REFUSED},
		{3, PORTMAP_NETWORK_FAILURE},
		{4, PORTMAP_OUT_OF_RESOURCES},
		{5, PORTMAP_UNSUPPORTED_OPCODE},
		{6, PORTMAP_UNKNOWN},
		{65535, PORTMAP_UNKNOWN},
	};

	(void)state;
	live_at(ODD);
	for (size_t i = 0; i < COUNT(rows); i++) {
		oddity = (struct oddity){.result = rows[i].number, .times = 1};
		assert_int_equal(ask(PORT, 0, 3600).error, 0);
		assert_int_equal(last.result, rows[i].result);
	}
	/* One of PCP only. */
	oddity = (struct oddity){.version = 2, .times = 1};
	assert_int_equal(ask(PORT, 0, 3600).error, 0);
	assert_int_equal(last.result, PORTMAP_UNSUPPORTED_VERSION);
}

TEST(answer_that_fits_no_question_is_passed_over)
{
	const struct endpoint outside = {address_ipv4(0x2c0a1702), 50000};

	(void)state;
	live_at(ODD);
	for (uint16_t added = 0; added < 2; added++) {
		/* The first one comes in twice, and then stands where the second is waited for. */
		oddity = (struct oddity){.times = 2, .port_added = added};
		assert_int_equal(ask(PORT, 50000, 3600).error, 0);
		assert_int_equal(last.result, PORTMAP_GRANTED);
		assert_true(endpoint_equal(&last.outside, &outside));
		assert_int_equal(last.lifetime_s, 3600);
	}
}

TEST(router_that_knows_nothing_of_it_says_so_at_once)
{
	int64_t begun = room_now_ms();

	(void)state;
	live_at(DEAF);
	assert_int_equal(ask(PORT, 0, 3600).error, -ECONNREFUSED);
	assert_true(room_now_ms() - begun < 1000);
}

TEST(router_that_is_silent_is_not_waited_for)
{
	int64_t begun = room_now_ms();

	(void)state;
	live_at(MUTE);
	assert_int_equal(ask(PORT, 0, 3600).error, -ETIMEDOUT);
	assert_in_range(
		room_now_ms() - begun, PORTMAP_PATIENCE_MS - 100, PORTMAP_PATIENCE_MS + SOON_MS);
}

TEST(without_a_router_there_is_nobody_to_ask)
{
	(void)state;
	assert_int_equal(room_shell("ip route delete default"), 0);
	answered = 0;
	assert_int_equal(portmap_ask(portmap, PORT, 0, 3600), -ENETUNREACH);
	assert_int_equal(portmap_release(portmap, PORT), -ENETUNREACH);
	assert_false(wait_for(1, 50));
}

TEST(nothing_is_asked_for_no_port_and_no_time)
{
	(void)state;
	live_at(GOOD);
	assert_int_equal(portmap_ask(portmap, 0, 0, 3600), -EINVAL);
	assert_int_equal(portmap_ask(portmap, PORT, 0, 0), -EINVAL);
	assert_int_equal(portmap_release(portmap, 0), -EINVAL);
}

TEST(question_that_is_dropped_is_not_answered)
{
	struct portmap_answer answer;

	(void)state;
	live_at(MUTE);
	assert_int_equal(portmap_ask(portmap, PORT, 0, 3600), 0);
	assert_false(wait_for(1, 300));
	live_at(GOOD);
	answer = ask(PORT + 2, 0, 600);
	expect_granted(&answer);
	assert_false(wait_for(2, 500));
}

TEST(who_is_answered_may_ask)
{
	(void)state;
	live_at(GOOD);
	ask_again = true;
	answered = 0;
	assert_int_equal(portmap_ask(portmap, PORT, 0, 600), 0);
	assert_true(wait_for(2, SOON_MS));
	assert_int_equal(last.port, PORT + 1);
	expect_granted(&last);
}

TEST(end_while_a_question_is_open_is_quiet)
{
	(void)state;
	live_at(MUTE);
	assert_int_equal(portmap_ask(portmap, PORT, 0, 3600), 0);
	portmap_free(portmap);
	assert_false(wait_for(1, 400));
	portmap = portmap_new(loop, on_answer, NULL);
	assert_non_null(portmap);
}

/* As a router does to everybody in the home. */
static void announce(uint8_t kind, uint16_t result, uint8_t age, size_t size)
{
	const struct sockaddr_in everybody = {.sin_family = AF_INET,
		.sin_port = htons(5350),
		.sin_addr.s_addr = htonl(INADDR_ALLHOSTS_GROUP)};
	const struct in_addr lan = {htonl(0xc0a80501)};
	const uint8_t bytes[16] = {
		0, kind, (uint8_t)(result >> 8), (uint8_t)result, 0, 0, 0, age, 44, 10, 23, 9};

	need(setsockopt(odd, IPPROTO_IP, IP_MULTICAST_IF, &lan, sizeof lan) == 0, "multicast");
	need(sendto(odd, bytes, size, 0, (const struct sockaddr *)&everybody, sizeof everybody) ==
			(ssize_t)size,
		"announcement");
}

TEST(router_that_begins_anew_is_heard)
{
	const struct address outside = address_ipv4(0x2c0a1709);

	(void)state;
	live_at(ODD);
	oddity = (struct oddity){.times = 1};
	assert_int_equal(ask(PORT, 0, 3600).error, 0);
	portmap_listen(portmap, true);
	portmap_listen(portmap, true);
	answered = 0;
	announce(128, 0, 7, 12);
	assert_true(wait_for(1, SOON_MS));
	assert_true(last.announced);
	assert_int_equal(last.error, 0);
	assert_int_equal(last.epoch_s, 7);
	assert_true(address_equal(&last.outside.address, &outside));
	assert_int_equal(last.outside.port, 0);
	/* What is none is passed over. */
	announce(128, 1, 7, 12);
	announce(129, 0, 7, 12);
	announce(128, 0, 7, 11);
	announce(128, 0, 7, 16);
	assert_false(wait_for(2, 300));
	/* As is who is not this home's router, and what nobody wants to hear. */
	live_at(GOOD);
	(void)ask(PORT, 0, 600);
	answered = 0;
	announce(128, 0, 7, 12);
	assert_false(wait_for(1, 300));
	live_at(ODD);
	(void)ask(PORT, 0, 600);
	portmap_listen(portmap, false);
	answered = 0;
	announce(128, 0, 7, 12);
	assert_false(wait_for(1, 300));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest cases[] = {
		CASE(port_leads_in_until_it_is_given_back),
		CASE(port_that_it_had_is_the_one_it_gets),
		CASE(epoch_counts_seconds),
		CASE(router_behind_another_one_refuses),
		CASE(every_refusal_has_its_name),
		CASE(answer_that_fits_no_question_is_passed_over),
		CASE(router_that_knows_nothing_of_it_says_so_at_once),
		CASE(router_that_is_silent_is_not_waited_for),
		CASE(without_a_router_there_is_nobody_to_ask),
		CASE(nothing_is_asked_for_no_port_and_no_time),
		CASE(question_that_is_dropped_is_not_answered),
		CASE(who_is_answered_may_ask),
		CASE(end_while_a_question_is_open_is_quiet),
		CASE(router_that_begins_anew_is_heard),
	};
	int failed;

	(void)alarm(120);
	begin(argc > 1 && strcmp(argv[1], "user") == 0);
	failed = RUN(cases);
	portmap_free(portmap);
	event_free(odd_event);
	event_base_free(loop);
	netlink_close(room.netlink);
	return failed;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/link.h"
#include "agent/sockaddr.h"
#include "tests/conformance/real.h"

#define INET 0xc0000201 /* 192.0.2.1, in the middle */
#define PORT_BASE 52000 /* of WireGuard: each row has four, and each kind other ones */
#define PORT_KIND 2000
#define CREATE_TRIES 4 /* of a device whose program does not answer in time */

void real_need(bool good, const struct real *real, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s: %s: %s\n", real->row->name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

int64_t real_clock_ms(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Sites. */

void real_enter(const struct real *real, const struct site *site)
{
	real_need(setns(site->network, CLONE_NEWNET) == 0, real, "the site's network");
	real_need(setns(site->mounts, CLONE_NEWNS) == 0, real, "the site's files");
}

static void open_site(const struct real *real, struct site *site)
{
	const char *world = getenv("WORLD");
	const char *directory = getenv("WORLD_DIR");
	char path[REAL_PATH_SIZE];
	char id[16] = "";
	FILE *holder;

	real_need(world && directory, real, "there is no world");
	(void)snprintf(path, sizeof path, "/run/netns/%s-%s", world, site->name);
	site->network = open(path, O_RDONLY | O_CLOEXEC);
	real_need(site->network >= 0, real, path);
	(void)snprintf(path, sizeof path, "%s/%s/holder", directory, site->name);
	holder = fopen(path, "r");
	real_need(holder && fgets(id, sizeof id, holder), real, path);
	(void)fclose(holder);
	id[strcspn(id, "\n")] = '\0';
	(void)snprintf(path, sizeof path, "/proc/%s/ns/mnt", id);
	site->mounts = open(path, O_RDONLY | O_CLOEXEC);
	real_need(site->mounts >= 0, real, path);
}

/* The first letters of what stands before it: "ap", "bfc", and "ap50" where its line has delay. */
static void name_site(const struct rows_entry *row, unsigned side, char ret[static REAL_SITE_SIZE])
{
	const char *type;
	size_t length = 0;

	if (side == REAL_HUB) {
		(void)snprintf(ret, REAL_SITE_SIZE, "hub");
		return;
	}
	type = row->types[side];
	ret[length++] = side == 0 ? 'a' : 'b';
	ret[length++] = *type;
	for (type = strchr(type, '-'); type && length < 5; type = strchr(type + 1, '-'))
		ret[length++] = type[1];
	ret[length] = '\0';
	if (row->delay_ms > 0 && side == 0)
		(void)snprintf(
			ret + length, REAL_SITE_SIZE - length, "%u", (unsigned)row->delay_ms);
}

/* Devices. */

static void write_device(const struct real *real, const struct site *site, int way,
	const struct wireguard_change *change)
{
	int r;

	real_enter(real, site);
	r = wireguard_write(site->door, site->device[way], change);
	errno = -r;
	real_need(r == 0, real, site->device[way]);
}

void real_write_peer(const struct real *real, const struct site *site, int way,
	const struct wireguard_peer_change *peers, uint32_t count)
{
	const struct wireguard_change change = {.peer_count = count, .peers = peers};

	write_device(real, site, way, &change);
}

static void make_device(struct real *real, struct site *site, int way)
{
	const struct wireguard_change change = {.set_private_key = true,
		.private_key = site->private_key,
		.set_port = true,
		.port = site->port[way]};
	char why[WIREGUARD_WHY_SIZE] = "";
	struct link link;
	int r = -ETIMEDOUT;

	for (int i = 0; i < CREATE_TRIES && r == -ETIMEDOUT; i++)
		r = wireguard_create(site->door, site->device[way], why);
	errno = -r;
	real_need(r == 0, real, why);
	write_device(real, site, way, &change);
	r = link_find(site->netlink, site->device[way], &link);
	real_need(r == 0, real, "the device is not there");
	site->index[way] = link.index;
	real_need(link_set_up(site->netlink, link.index) == 0, real, "the device does not come up");
}

int real_open_socket(const struct real *real, const struct endpoint *local)
{
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(local, &storage);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	real_need(fd >= 0 && bind(fd, (struct sockaddr *)&storage, length) == 0, real,
		"a socket cannot be bound");
	return fd;
}

void real_send_to(const struct real *real, int fd, const struct endpoint *to)
{
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(to, &storage);

	real_need(sendto(fd, "conformance", 11, 0, (struct sockaddr *)&storage, length) == 11, real,
		"nothing can be sent");
}

/* From the port that WireGuard will have, to a socket in the middle. */
static void reflect(struct real *real, struct site *site)
{
	const struct site *middle = &real->middle;
	const struct endpoint reflector = {.address = address_ipv4(INET)};
	const struct endpoint own = {address_ipv4(INADDR_ANY), site->port[REAL_WAYS - 1]};
	struct endpoint to = {.port = 0};
	struct sockaddr_storage storage;
	socklen_t length = sizeof storage;
	struct pollfd waiting = {.events = POLLIN};
	char bytes[64];
	int fd;

	real_enter(real, middle);
	waiting.fd = real_open_socket(real, &reflector);
	real_need(getsockname(waiting.fd, (struct sockaddr *)&storage, &length) == 0 &&
			  sockaddr_read(&storage, length, &to) == 0,
		real, "the reflector");
	real_enter(real, site);
	fd = real_open_socket(real, &own);
	real_send_to(real, fd, &to);
	real_need(poll(&waiting, 1, REAL_PATIENCE_MS) == 1, real, "the reflector hears nothing");
	length = sizeof storage;
	real_need(recvfrom(waiting.fd, bytes, sizeof bytes, 0, (struct sockaddr *)&storage,
			  &length) > 0 &&
			  sockaddr_read(&storage, length, &site->told) == 0,
		real, "the reflector");
	(void)close(fd);
	(void)close(waiting.fd);
}

void real_send_opener(const struct real *real, const struct site *site, const struct endpoint *to)
{
	struct {
		struct udphdr header;
		char text[4];
	} datagram = {.text = "open"};
	const int ttl = PLAY_OPENER_TTL;
	struct endpoint host = {.address = to->address};
	struct sockaddr_storage storage;
	socklen_t length = sockaddr_from(&host, &storage);
	int fd;

	real_enter(real, site);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	datagram.header.source = htons(site->port[REAL_WAYS - 1]);
	datagram.header.dest = htons(to->port);
	datagram.header.len = htons(sizeof datagram);
	real_need(fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl) == 0 &&
			  sendto(fd, &datagram, sizeof datagram, 0, (struct sockaddr *)&storage,
				  length) == sizeof datagram,
		real, "an opener");
	(void)close(fd);
}

struct address real_inside(const struct real *real, unsigned site)
{
	return address_ipv4(0x0a000001 | (100 + real->number) << 16 | (site + 1) << 8);
}

struct prefix real_subnet(const struct real *real, unsigned site)
{
	struct prefix prefix = {
		address_ipv4(0x0a000000 | (100 + real->number) << 16 | (site + 1) << 8), 24};

	return prefix;
}

struct wireguard_peer real_read_peer(const struct real *real, unsigned from, int way, unsigned to)
{
	const struct site *site = &real->sites[from];
	const struct wireguard_peer *peer;
	struct wireguard_peer copy = {.handshake = 0};
	struct wireguard_device device;

	real_enter(real, site);
	real_need(wireguard_read(site->door, site->device[way], &device) == 0, real,
		"a device is not read");
	peer = wireguard_device_peer(&device, &real->sites[to].public_key);
	if (peer)
		copy = *peer;
	wireguard_device_free(&device);
	return copy;
}

bool real_has_session(const struct real *real, unsigned from, int way, unsigned to)
{
	return real_read_peer(real, from, way, to).handshake != 0;
}

/* Building. */

static void make_keys(struct real *real, unsigned number)
{
	struct site *site = &real->sites[number];
	const uint8_t seed[] = {(uint8_t)real->number, (uint8_t)number, (uint8_t)real->kind};

	(void)crypto_generichash(site->private_key.bytes, KEY_SIZE, seed, sizeof seed, NULL, 0);
	site->private_key.bytes[0] &= 248;
	site->private_key.bytes[31] = (uint8_t)((site->private_key.bytes[31] & 127) | 64);
	real_need(crypto_scalarmult_base(site->public_key.bytes, site->private_key.bytes) == 0,
		real, "a key");
}

static void build_site(struct real *real, unsigned number)
{
	struct site *site = &real->sites[number];
	char why[WIREGUARD_WHY_SIZE] = "";
	int first = real->row->kind == ROWS_SWITCH ? 0 : 1;
	int last = real->row->kind == ROWS_SWITCH &&
				   (number == REAL_HUB || !real->row->two_interfaces)
			   ? 0
			   : 1;

	make_keys(real, number);
	for (int way = 0; way < REAL_WAYS; way++) {
		site->port[way] = (uint16_t)(PORT_BASE + PORT_KIND * (int)real->kind +
					     4 * (int)real->number + 2 * way);
		(void)snprintf(site->device[way], sizeof site->device[way], "%c%u%c%c",
			real->kind == WIREGUARD_KERNEL ? 'k' : 'u', real->number % 1000,
			(char)('a' + (int)number), (char)('0' + way));
	}
	reflect(real, site);
	real_enter(real, site);
	real_need(wireguard_open(&site->door, real->kind, why) == 0, real, why);
	real_need(netlink_open(&site->netlink, NETLINK_ROUTE) == 0, real, "netlink");
	for (int way = first; way <= last; way++)
		make_device(real, site, way);
}

void real_build(struct real *real)
{
	unsigned count = real->row->kind == ROWS_SWITCH ? REAL_SITES : ROWS_SIDES;
	const int room = 64 << 20;

	for (unsigned i = 0; i < count; i++)
		name_site(real->row, i, real->sites[i].name);
	/* Before anything else: a site sees other files than those who look for it. */
	for (unsigned i = 0; i < count; i++)
		open_site(real, &real->sites[i]);
	open_site(real, &real->middle);
	for (unsigned i = 0; i < count; i++)
		build_site(real, i);
	if (real->row->kind != ROWS_COUNT)
		return;
	real_enter(real, &real->sites[1]);
	/* It sees the packets of other rows, too, and is read at the end. */
	real->initiations = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	real_need(real->initiations >= 0 && setsockopt(real->initiations, SOL_SOCKET,
						    SO_RCVBUFFORCE, &room, sizeof room) == 0,
		real, "a raw socket");
}

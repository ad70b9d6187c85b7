/* SPDX-License-Identifier: MIT */
#include "agent/wireguard.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "agent/memory.h"
#include "agent/wireguard_internal.h"

static const struct wireguard_room *const rooms[WIREGUARD_KINDS] = {
	[WIREGUARD_KERNEL] = &wireguard_kernel,
	[WIREGUARD_USERSPACE] = &wireguard_userspace,
};

int wireguard_open(
	struct wireguard **ret, enum wireguard_kind kind, char why[static WIREGUARD_WHY_SIZE])
{
	return rooms[kind]->open(ret, why);
}

void wireguard_close(struct wireguard *wireguard)
{
	if (wireguard)
		wireguard->room->close(wireguard);
}

enum wireguard_kind wireguard_kind(const struct wireguard *wireguard)
{
	return wireguard->room->kind;
}

/* What the kernel takes as a name, and neither as a pattern; it is a part of a path as well. */
static bool is_name(const char *name)
{
	size_t length = strnlen(name, WIREGUARD_NAME_SIZE);

	if (length == 0 || length == WIREGUARD_NAME_SIZE)
		return false;
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       name[strcspn(name, "/:% \t\n\v\f\r")] == '\0';
}

int wireguard_create(
	struct wireguard *wireguard, const char *name, char why[static WIREGUARD_WHY_SIZE])
{
	if (!is_name(name)) {
		(void)snprintf(why, WIREGUARD_WHY_SIZE,
			"a device needs a name of 1 to %d characters without '/', ':', '%%' and "
			"spaces",
			WIREGUARD_NAME_SIZE - 1);
		return -EINVAL;
	}
	return wireguard->room->create(wireguard, name, why);
}

int wireguard_probe(struct wireguard *wireguard, const char *name)
{
	return wireguard->room->probe(wireguard, name);
}

int wireguard_destroy(struct wireguard *wireguard, const char *name)
{
	if (!is_name(name))
		return -EINVAL;
	return wireguard->room->destroy(wireguard, name);
}

int wireguard_read(struct wireguard *wireguard, const char *name, struct wireguard_device *ret)
{
	return wireguard->room->read(wireguard, name, ret);
}

int wireguard_write(
	struct wireguard *wireguard, const char *name, const struct wireguard_change *change)
{
	/* Zero would take the key away, which no caller means. */
	if (change->set_private_key && key_is_zero(&change->private_key))
		return -EINVAL;
	return wireguard->room->write(wireguard, name, change);
}

void wireguard_reap(struct wireguard *wireguard)
{
	if (wireguard->room->reap)
		wireguard->room->reap(wireguard);
}

const char *wireguard_kind_name(enum wireguard_kind kind)
{
	return kind == WIREGUARD_KERNEL ? "kernel" : "userspace";
}

void wireguard_device_free(struct wireguard_device *device)
{
	if (device->peers)
		sodium_memzero(device->peers, device->peer_count * sizeof *device->peers);
	free(device->peers);
	free(device->allowed);
	sodium_memzero(device, sizeof *device);
}

static int compare_peers(const void *a, const void *b)
{
	const struct wireguard_peer *left = a;
	const struct wireguard_peer *right = b;

	return memcmp(left->key.bytes, right->key.bytes, KEY_SIZE);
}

const struct wireguard_peer *wireguard_device_peer(
	const struct wireguard_device *device, const struct key *key)
{
	struct wireguard_peer sought = {.key = *key};

	if (device->peer_count == 0)
		return NULL;
	return bsearch(&sought, device->peers, device->peer_count, sizeof sought, compare_peers);
}

/* Reading. */

void wireguard_reading_init(struct wireguard_reading *reading)
{
	memset(reading, 0, sizeof *reading);
}

struct wireguard_peer *wireguard_reading_peer(
	struct wireguard_reading *reading, const struct key *key)
{
	struct wireguard_device *device = &reading->device;
	struct wireguard_peer *last = device->peer_count ? &device->peers[device->peer_count - 1]
							 : NULL;

	if (last && key_equal(&last->key, key))
		return last;
	if (device->peer_count == WIREGUARD_PEERS_MAX)
		return NULL;
	device->peers = memory_grown(
		device->peers, &reading->peer_capacity, device->peer_count + 1, sizeof *last);
	last = &device->peers[device->peer_count++];
	memset(last, 0, sizeof *last);
	last->key = *key;
	last->allowed = device->allowed_count;
	return last;
}

int wireguard_reading_allow(struct wireguard_reading *reading, const struct prefix *prefix)
{
	struct wireguard_device *device = &reading->device;

	if (device->peer_count == 0 || device->allowed_count == WIREGUARD_ALLOWED_MAX)
		return -EBADMSG;
	device->allowed = memory_grown(device->allowed, &reading->allowed_capacity,
		device->allowed_count + 1, sizeof *prefix);
	device->allowed[device->allowed_count++] = *prefix;
	device->peers[device->peer_count - 1].allowed_count++;
	return 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

int wireguard_reading_end(struct wireguard_reading *reading, struct wireguard_device *ret)
{
	struct wireguard_device *device = &reading->device;

	for (uint32_t i = 0; i < device->peer_count; i++) {
		struct wireguard_peer *peer = &device->peers[i];

		if (peer->allowed_count > 1)
			qsort(device->allowed + peer->allowed, peer->allowed_count,
				sizeof *device->allowed, compare_prefixes);
	}
	if (device->peer_count > 1)
		qsort(device->peers, device->peer_count, sizeof *device->peers, compare_peers);
	for (uint32_t i = 1; i < device->peer_count; i++) {
		if (compare_peers(&device->peers[i - 1], &device->peers[i]) == 0) {
			wireguard_reading_drop(reading);
			return -EBADMSG;
		}
	}
	*ret = *device;
	sodium_memzero(reading, sizeof *reading);
	return 0;
}

void wireguard_reading_drop(struct wireguard_reading *reading)
{
	wireguard_device_free(&reading->device);
	wireguard_reading_init(reading);
}

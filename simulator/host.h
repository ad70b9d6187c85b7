/* SPDX-License-Identifier: MIT */
/*
 * host.h - what the files of the virtual world share.
 */
#pragma once

#include "simulator/world.h"

enum event_kind { EVENT_ARRIVAL, EVENT_WIREGUARD, EVENT_SITE, EVENT_MISCHIEF, EVENT_FLOW };

/* world.c */
void world_send(struct host *from, const struct packet *packet);
void world_mix(struct world *world, uint64_t a, uint64_t b, uint64_t c);
void world_mix_bytes(struct world *world, const uint8_t *bytes, size_t size);

/* host.c */
void host_free(struct host *host);
void host_set_identity(struct host *host, const struct secret *identity);
void host_receive(struct host *host, const struct packet *packet);
void host_wireguard_timer(struct host *host, usec_t at);
void host_site_timer(struct host *host, usec_t at);

/* Does one thing, not a save, on the models of WireGuard, routes and lines. */
void host_perform(struct host *host, const struct site_action *action);

/* Sends an IP packet the way the host's routes say. Returns false when it found none. */
bool host_transmit(struct host *host, const struct inner *inner);

/* mischief.c: what a host does that its site would not. */
void host_begin_mischief(struct host *host);
void host_mischief(struct host *host);

/* Whether a censor keeps this datagram back. */
bool host_censors(const struct host *host, const struct site_action *send);
void host_remember(struct host *host, const struct inner *inner);

/* Whether a hub that meddles keeps back what it is to pass on. */
bool host_meddles(struct host *host, const struct inner *inner);

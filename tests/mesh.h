/* SPDX-License-Identifier: MIT */
/*
 * mesh.h - a few dozen sites in one test: ledgers and syncs joined by wires with delay and loss.
 * Site 0 is the hub. Everything comes from one seed.
 */
#pragma once

#include "gossip/sync.h"
#include "tests/founding.h"

#define MESH_SITES_MAX 64
#define MESH_QUEUE_MAX 8192

struct mesh_packet {
	usec_t at;
	uint64_t number; /* of those due at once, the earlier sent comes first */
	uint32_t from;
	uint32_t to;
	size_t size;
	uint8_t bytes[MESSAGE_SIZE_MAX];
};

struct mesh_site {
	struct ledger *ledger;
	struct sync sync;
	struct prng prng;
	void *memory;
	struct row_id id;
	bool down;
	int64_t clock_ms; /* off by this much */
	uint64_t sequence;
	usec_t learned_at; /* the last change */
};

struct mesh {
	struct founding founding;
	struct prng prng;
	usec_t now;
	usec_t delay;   /* one way */
	unsigned loss;  /* per thousand */
	unsigned twice; /* per thousand */
	uint32_t count;
	struct mesh_site sites[MESH_SITES_MAX];
	bool wires[MESH_SITES_MAX][MESH_SITES_MAX];
	uint32_t queued;
	uint64_t numbers;
	struct mesh_packet *queue; /* a heap */
	uint64_t messages[8];      /* by type, sent */
	uint64_t bytes;            /* sent, with all headers, IPv4 inside and outside the tunnel */
	uint64_t largest;          /* inner packet */
};

/* Sites that know the admins and, if told so, each other's certificates. */
void mesh_init(struct mesh *mesh, uint32_t count, uint8_t seed, bool acquainted);
void mesh_free(struct mesh *mesh);

/* Before a site is connected: gives it an empty ledger for this many sites. */
void mesh_empty(struct mesh *mesh, uint32_t site, uint32_t sites_max);

/* Connects a spoke to the hub, or two sites directly; and takes it back. */
void mesh_connect_hub(struct mesh *mesh, uint32_t site);
void mesh_connect(struct mesh *mesh, uint32_t a, uint32_t b);
/* One direction: a sees b as this kind of neighbour. */
void mesh_wire(struct mesh *mesh, uint32_t a, uint32_t b, enum neighbour_kind as_seen);
void mesh_disconnect(struct mesh *mesh, uint32_t a, uint32_t b);

/* Lets time pass. */
void mesh_run(struct mesh *mesh, usec_t duration);

/* The wall clock of a site, ms. */
uint64_t mesh_wall(const struct mesh *mesh, uint32_t site);

/* A site makes a record, or takes any fact, and spreads it. */
void mesh_record(struct mesh *mesh, uint32_t site);
void mesh_publish(struct mesh *mesh, uint32_t site, const struct bytes *fact);

/* Gives a site a fact that it tells nobody of. */
enum verdict mesh_offer(struct mesh *mesh, uint32_t site, const struct bytes *fact);

/* Whether all sites that are up hold the same. */
bool mesh_agrees(struct mesh *mesh);

/* Runs until they do, at most this long. Returns how long it took, or USEC_NEVER. */
usec_t mesh_converge(struct mesh *mesh, usec_t most);

void mesh_reset_counts(struct mesh *mesh);

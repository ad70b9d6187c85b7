/* SPDX-License-Identifier: MIT */
/*
 * prng.h - the only source of chance in everything that decides.
 *
 * A cryptographic generator over ChaCha20 that replaces its own key with every block, so bytes
 * already handed out cannot be computed from a later state. The agent seeds it from the kernel,
 * the simulator from the scenario; the same seed gives the same bytes everywhere. It never reads
 * the system's random source.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/usec.h"

#define PRNG_SEED_SIZE 32
#define PRNG_POOL_SIZE 480

struct prng {
	uint8_t seed[PRNG_SEED_SIZE]; /* key of the next block */
	uint64_t counter;             /* blocks drawn so far */
	size_t left;                  /* bytes of the pool not handed out yet */
	uint8_t pool[PRNG_POOL_SIZE];
};

/* Starts a generator. A seed is never used for two generators that live. */
void prng_init(struct prng *prng, const uint8_t seed[static PRNG_SEED_SIZE]);

/* Starts an independent generator, named by purpose, without disturbing the parent's own bytes. */
void prng_fork(struct prng *child, const struct prng *parent, const char *purpose, uint64_t number);

/* Fills out with size bytes. */
void prng_bytes(struct prng *prng, void *out, size_t size);

/* A uniform 64-bit number. */
uint64_t prng_u64(struct prng *prng);

/* A uniform number below limit, without bias; limit is at least 1. */
uint64_t prng_below(struct prng *prng, uint64_t limit);

/* An interval of at least 1 µs, spread evenly over ± percent (0 to 100). */
usec_t prng_jitter(struct prng *prng, usec_t interval, unsigned percent);

/* Forgets everything. */
void prng_wipe(struct prng *prng);

/* SPDX-License-Identifier: MIT */
/*
 * oracle.h - whether two sites can meet at all, by trying everything.
 *
 * Two hosts behind the simulator's routers know where two reflectors saw each other, and send; who
 * receives answers where it came from; whose answer came has met. The oracle plays every order of
 * few packets, so what it does not find no method of ours finds. It guesses no port: one that
 * counts is known to be the next, one that is drawn is not known at all.
 *
 * Every packet arrives before the next one is sent, nothing times out, and the two share no router.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "simulator/router.h"

#define ORACLE_LAYERS_MAX 2
#define ORACLE_SENDS_MAX 6

/* The routers before a host, that of the home first; none: the host is public. Addresses are ours.
 */
struct oracle_side {
	struct router_options layers[ORACLE_LAYERS_MAX];
	uint32_t layer_count;
};

enum oracle_first { ORACLE_FIRST_EITHER, ORACLE_FIRST_A, ORACLE_FIRST_B };

/* What may be tried. */
struct oracle_means {
	enum oracle_first first; /* whose packet is the first */
	bool openers;            /* packets that die between the routers */
	bool prediction;         /* sending to the port that is next */
};

/* The least number of packets, answers not counted, with which they meet; 0: there is none. */
uint32_t oracle_sends(
	const struct oracle_side *a, const struct oracle_side *b, const struct oracle_means *means);

/* The simplest way, in the words of tests/lab/pairs.txt. */
const char *oracle_how(const struct oracle_side *a, const struct oracle_side *b);

/* SPDX-License-Identifier: MIT */
/*
 * sweep.h - sites, loss and delay against time and bytes, as CSV, JSON and pictures.
 */
#pragma once

#include <stdint.h>

#define SWEEP_SEEDS_MAX 1000

struct sweep_options {
	const char *directory; /* is made where it is not there */
	uint32_t sites_max;
	unsigned jobs;
	uint64_t first; /* seed */
	uint64_t last;
};

/*
 * Returns the exit status: 0 every limit was kept, 1 one was not or a run was not finished, 2
 * nothing could be written.
 */
int sweep_run(const struct sweep_options *options);

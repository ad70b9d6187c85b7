/* SPDX-License-Identifier: MIT */
#include "simulator/commands.h"

#include <errno.h>

int sweep_run(const char *directory, uint32_t sites_max, FILE *progress)
{
	(void)directory;
	(void)sites_max;
	(void)progress;
	return -ENOSYS;
}

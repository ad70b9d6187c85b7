/* SPDX-License-Identifier: MIT */
/*
 * collective-lab.c - the program as it is, but for a clock that a test can set wrong:
 * COLLECTIVE_CLOCK_OFFSET_MS is added to what the machine's shows.
 */
#include <stdlib.h>

#include <sodium.h>

#include "agent/command.h"

int main(int argc, char **argv)
{
	const char *offset = getenv("COLLECTIVE_CLOCK_OFFSET_MS");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	return command_main(argc, argv, offset ? strtoll(offset, NULL, 10) : 0);
}

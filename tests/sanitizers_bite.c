/* SPDX-License-Identifier: MIT */
/*
 * sanitizers_bite.c - overflows on purpose. A build with sanitizers must end it; it succeeds
 * without.
 */
#include <limits.h>

int main(int argc, char **argv)
{
	volatile int most = INT_MAX;

	(void)argv;
	most += argc;
	return most < 0 ? 0 : 1;
}

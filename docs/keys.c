/* SPDX-License-Identifier: MIT */
/*
 * keys.c - prints the list of configuration keys for the manual page. Used while building.
 */
#include <stdio.h>

#include "config/schema.h"

int main(void)
{
	schema_print_manual(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

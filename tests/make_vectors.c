/* SPDX-License-Identifier: MIT */
/*
 * make_vectors.c - prints tests/vectors/vectors.txt. To be run when the protocol grows; what is
 * there already does not change.
 */
#include "tests/vectors.h"

int main(void)
{
	vectors_print(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * make_golden.c - writes the golden state of today's schema: make_golden DIRECTORY. Run once when
 * a schema is new; what it wrote then is never written again.
 */
#include <stdio.h>

#include "store/store.h"
#include "tests/golden.h"

int main(int argc, char **argv)
{
	char why[STORE_WHY_SIZE] = "";
	struct store *store;
	int r;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_golden DIRECTORY\n");
		return 2;
	}
	r = store_open(&store, argv[1], true, why);
	if (r == 0) {
		r = golden_fill(store);
		store_close(store);
	}
	if (r < 0)
		(void)fprintf(stderr, "%s: error %d %s\n", argv[1], -r, why);
	return r < 0;
}

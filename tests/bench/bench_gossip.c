/* SPDX-License-Identifier: MIT */
/*
 * bench_gossip.c - speed and size of the gossip core. Speeds stand beside the bare primitive in the
 * same run; the ratios are the figures, the times are this machine's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "tests/mesh.h"

#define SITES 1024
#define ROUNDS 5

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, by_size);
	return values[count / 2];
}

static struct bytes *make_records(const struct founding *founding, uint64_t sequence)
{
	struct bytes *records = calloc(SITES, sizeof *records);

	for (uint32_t i = 0; records && i < SITES; i++) {
		struct record record = founding_record(i, sequence);

		for (uint8_t k = 0; k < 7; k++)
			record.links[record.link_count++] = (struct direct_link){{{k}}, 100};
		records[i] = founding_seal_record(founding, i, &record);
	}
	return records;
}

/* Seconds for verifying as many signatures of the same size, and nothing else. */
static double verify_bare(const struct bytes *records)
{
	double start = now();
	unsigned good = 0;

	for (uint32_t i = 0; i < SITES; i++) {
		struct secret site = founding_site(i);
		struct key key = secret_public(&site);

		good += crypto_sign_verify_detached(
				records[i].bytes + records[i].size - SIGNATURE_SIZE,
				records[i].bytes, records[i].size - SIGNATURE_SIZE, key.bytes) == 0;
	}
	/* The signatures cover more than these bytes: none is good, all were computed. */
	return good == 0 ? now() - start : 0;
}

static double offer_all(struct ledger *ledger, const struct bytes *records, enum verdict wanted)
{
	double start = now();

	for (uint32_t i = 0; i < SITES; i++) {
		if (founding_offer(ledger, &records[i]) != wanted)
			abort();
	}
	return now() - start;
}

static void measure_speed(void)
{
	struct founding founding;
	struct delegation delegation;
	struct ledger *ledger;
	struct bytes fact;
	double bare[ROUNDS];
	double full[ROUNDS];
	double known[ROUNDS];
	double keys;

	founding_init(&founding, &crypto_real, SITES);
	ledger = founding_ledger(&founding);
	delegation = founding_delegation(&founding, 0);
	fact = founding_seal_delegation(&founding, &delegation);
	(void)founding_offer(ledger, &fact);
	for (uint32_t i = 0; i < SITES; i++) {
		struct certificate certificate = founding_certificate(&founding, 0, i);

		fact = founding_seal_certificate(&founding, 0, &certificate);
		(void)founding_offer(ledger, &fact);
	}
	/* What making the keys costs is taken off the bare figure. */
	keys = now();
	for (uint32_t i = 0; i < SITES; i++)
		(void)founding_site(i);
	keys = now() - keys;
	for (int round = 0; round < ROUNDS; round++) {
		struct bytes *records = make_records(&founding, 1 + (uint64_t)round);

		if (!records)
			abort();
		bare[round] = verify_bare(records) - keys;
		full[round] = offer_all(ledger, records, VERDICT_NEW);
		known[round] = 0;
		for (int again = 0; again < 20; again++)
			known[round] += offer_all(ledger, records, VERDICT_KNOWN) / 20;
		free(records);
	}
	(void)printf("verifications a second, bare      %12.0f\n", SITES / median(bare, ROUNDS));
	(void)printf("records verified and merged       %12.0f  ratio %.2f (goal: at least 0.9)\n",
		SITES / median(full, ROUNDS), median(bare, ROUNDS) / median(full, ROUNDS));
	(void)printf("known records recognised          %12.0f  (goal: at least 2000000)\n",
		SITES / median(known, ROUNDS));
	founding_ledger_free(ledger);
}

static void measure_size(void)
{
	const struct ledger_options options = {.sites_max = SITES};
	const struct sync_options sync = {.neighbours_max = SITES};

	(void)printf("ledger for 1024 sites             %12zu  bytes (goal: at most 2621440)\n",
		ledger_memory(&options));
	(void)printf("sync of a hub of 1024             %12zu  bytes\n", sync_memory(&sync));
}

static void measure_wire(void)
{
	static struct mesh mesh;

	mesh_init(&mesh, 50, 1, true);
	for (uint32_t i = 1; i < 50; i++)
		mesh_connect_hub(&mesh, i);
	for (uint32_t i = 0; i < 50; i++)
		mesh_record(&mesh, i);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	mesh_reset_counts(&mesh);
	mesh_record(&mesh, 7);
	mesh_run(&mesh, 900 * USEC_MSEC);
	(void)printf("one change in 50 sites            %12" PRIu64
		     "  bytes (goal: at most 26000), %" PRIu64 " deltas, %" PRIu64
		     " acknowledgements\n",
		mesh.bytes, mesh.messages[MESSAGE_DELTA], mesh.messages[MESSAGE_IHAVE]);
	mesh_run(&mesh, 5 * USEC_MINUTE);
	mesh_reset_counts(&mesh);
	mesh_run(&mesh, USEC_HOUR);
	/* WireGuard's own: 2.4 bytes/s of keepalives each way, 2.5 of rekeying. */
	(void)printf(
		"idle, a spoke of 50               %12.1f  bytes/s (goal: at most 40), of which "
		"7.3 are WireGuard's own\n",
		(double)mesh.bytes / 49 / 3600 + 7.3);
	mesh_free(&mesh);
}

int main(void)
{
	measure_speed();
	measure_size();
	measure_wire();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench_store.c - what one durable change costs, beside a bare append + fdatasync of as many bytes
 * on the same disk. Both are measured in turns, so that a slow moment meets both. Times are of this
 * machine; the ratio is the figure.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/usec.h"
#include "store/store.h"

#define ROUNDS 40
#define CHANGES 50
#define COUNT (ROUNDS * CHANGES)
#define ROW_SIZE 512

static usec_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * USEC_SECOND + time.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
	usec_t x = *(const usec_t *)a;
	usec_t y = *(const usec_t *)b;

	return (x > y) - (x < y);
}

static void print_row(const char *name, usec_t *times, size_t count)
{
	qsort(times, count, sizeof *times, by_size);
	(void)printf("%-28s %8" PRId64 " %8" PRId64 " %8" PRId64 "\n", name, times[count / 2],
		times[count * 99 / 100], times[count - 1]);
}

static int measure_append(int fd, usec_t *time)
{
	static const uint8_t bytes[ROW_SIZE];
	usec_t start = now();

	if (write(fd, bytes, sizeof bytes) != sizeof bytes || fdatasync(fd) < 0)
		return -1;
	*time = now() - start;
	return 0;
}

static int measure_change(struct store *store, uint32_t number, usec_t *time)
{
	static uint8_t bytes[ROW_SIZE];
	uint32_t key = number % 64;
	const struct store_row row = {.table = STORE_FACT,
		.kind = 1,
		.key = &key,
		.key_size = sizeof key,
		.version = number,
		.bytes = bytes,
		.size = sizeof bytes};
	usec_t start;

	memcpy(bytes, &number, sizeof number);
	start = now();
	if (store_write(store, &row, 1) < 0)
		return -1;
	*time = now() - start;
	return 0;
}

static int measure(struct store *store, int fd)
{
	static usec_t appends[COUNT];
	static usec_t changes[COUNT];
	size_t count = 0;
	size_t middle = COUNT / 2;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < CHANGES; i++) {
			if (measure_append(fd, &appends[count + i]) < 0)
				return -1;
		}
		for (size_t i = 0; i < CHANGES; i++) {
			if (measure_change(store, (uint32_t)(count + i), &changes[count + i]) < 0)
				return -1;
		}
		count += CHANGES;
	}
	(void)printf("%-28s %8s %8s %8s\n", "µs, of 512 bytes", "median", "p99", "most");
	print_row("append + fdatasync", appends, count);
	print_row("one durable change", changes, count);
	(void)printf("ratio of medians: %.2f (goal: at most 3)\n",
		(double)changes[middle] / (double)appends[middle]);
	return 0;
}

int main(int argc, char **argv)
{
	char directory[256];
	char path[512];
	char why[STORE_WHY_SIZE] = "";
	struct store *store = NULL;
	int fd;
	int r = -1;

	/* The build folder's disk unless told otherwise: /tmp is often none. */
	(void)snprintf(
		directory, sizeof directory, "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "build");
	if (!mkdtemp(directory))
		return 1;
	(void)snprintf(path, sizeof path, "%s/append", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && store_open(&store, directory, true, why) == 0)
		r = measure(store, fd);
	if (r < 0)
		(void)fprintf(stderr, "bench store: failed: %s\n", why);
	store_close(store);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/state.db", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/lock", directory);
	(void)unlink(path);
	(void)rmdir(directory);
	return r < 0;
}

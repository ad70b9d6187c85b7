/* SPDX-License-Identifier: MIT */
/*
 * conformance-real - the rows of conformance on real routers and real WireGuard, in the namespaces
 * of a world:
 *
 *   conformance-real KIND PAUSE-MS ROWS NAME...   prints "name: outcome" for each of these rows
 *
 * KIND is kernel or userspace. lane.sh makes the world, and says where it is: WORLD is what the
 * names of its namespaces begin with, WORLD_DIR has the process that holds each of its sites.
 *
 * Each row has a process and interfaces of its own. Devices are made one after the other, and then
 * all rows begin at once: most of their time they wait.
 */
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/real.h"

#define DELAYED_MS 4500 /* rows with delay begin when packets of a switch do not pass any more, */
#define DELAYED_APART_MS 800 /* and one behind the other */

/* In which the rows begin. */
struct order {
	int64_t pause_ms;
	uint32_t plain;   /* rows without delay */
	uint32_t begun;   /* of these, before this one */
	uint32_t delayed; /* rows with delay, before this one */
};

/*
 * One after the other, of both kinds: programs that are started together keep each other waiting.
 * Closing ends it.
 */
static int wait_for_turn(const struct real *real)
{
	char path[REAL_PATH_SIZE];
	int fd;

	(void)snprintf(path, sizeof path, "%s/turn", getenv("WORLD_DIR"));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	real_need(fd >= 0 && flock(fd, LOCK_EX) == 0, real, "its turn");
	return fd;
}

/*
 * When a row begins, after all are ready: one behind the other, or a machine that has two cores
 * takes longer for all the first packets than lies between the two ends of a row. Where
 * milliseconds count, the others have little to do by then.
 */
static int64_t begins_after(const struct order *order, const struct rows_entry *row)
{
	int64_t apart_ms = order->pause_ms / 4;

	if (row->delay_ms == 0)
		return apart_ms * order->begun;
	return apart_ms * order->plain + DELAYED_MS + DELAYED_APART_MS * order->delayed;
}

/* A row's process. It says when it is ready, and begins when the others are. */
static void play_row(const struct rows_entry *row, uint32_t number, const struct order *order,
	enum wireguard_kind kind, int ready, int go, int result)
{
	struct real real = {.row = row, .number = number, .kind = kind, .middle = {.name = "inet"}};
	const struct stage stage = real_stage(&real, order->pause_ms);
	char outcome[PLAY_CLASS_SIZE] = "";
	char byte;
	int building = wait_for_turn(&real);

	real_build(&real);
	(void)close(building);
	if (row->kind == ROWS_SWITCH)
		real_build_ways(&real);
	(void)close(ready);
	(void)!read(go, &byte, 1);
	real.begun_ms = real_clock_ms();
	stage.wait_until(&real, begins_after(order, row));
	real.begun_ms = real_clock_ms();
	play(row, &stage, outcome);
	real_need(write(result, outcome, sizeof outcome) == sizeof outcome, &real, "its outcome");
	_exit(EXIT_SUCCESS);
}

struct player {
	const struct rows_entry *row;
	int result;
};

static void start(struct player *player, const struct rows_entry *row, uint32_t number,
	const struct order *order, enum wireguard_kind kind, const int ready[2], const int go[2])
{
	int result[2];
	pid_t child;

	if (pipe2(result, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		perror("a row cannot begin");
		exit(EXIT_FAILURE);
	}
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ready[0]);
		(void)close(go[1]);
		(void)close(result[0]);
		play_row(row, number, order, kind, ready[1], go[0], result[1]);
	}
	(void)close(result[1]);
	*player = (struct player){row, result[0]};
}

static const struct rows_entry *find_row(
	const struct rows_entry *rows, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0 && rows[i].kind != ROWS_PORT)
			return &rows[i];
	}
	(void)fprintf(stderr, "there is no row %s to be played here\n", name);
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	static struct rows_entry rows[ROWS_MAX];
	static struct player players[ROWS_MAX];
	enum wireguard_kind kind;
	struct order order = {.plain = 0};
	uint32_t count;
	int ready[2];
	int go[2];
	char byte;

	if (argc < 5 || argc > 4 + ROWS_MAX || sodium_init() < 0 || pipe2(ready, O_CLOEXEC) != 0 ||
		pipe2(go, O_CLOEXEC) != 0)
		return EXIT_FAILURE;
	kind = strcmp(argv[1], "kernel") == 0 ? WIREGUARD_KERNEL : WIREGUARD_USERSPACE;
	count = rows_read(argv[3], rows);
	order.pause_ms = strtol(argv[2], NULL, 10);
	for (int i = 4; i < argc; i++)
		order.plain += find_row(rows, count, argv[i])->delay_ms == 0;
	for (int i = 4; i < argc; i++) {
		const struct rows_entry *row = find_row(rows, count, argv[i]);

		start(&players[i - 4], row, (uint32_t)(row - rows), &order, kind, ready, go);
		order.begun += row->delay_ms == 0;
		order.delayed += row->delay_ms > 0;
	}
	/* Whoever is ready, or has failed, closes its end. */
	(void)close(ready[1]);
	(void)close(go[0]);
	(void)!read(ready[0], &byte, 1);
	(void)close(go[1]);
	for (int i = 4; i < argc; i++) {
		const struct player *player = &players[i - 4];
		char outcome[PLAY_CLASS_SIZE];

		if (read(player->result, outcome, sizeof outcome) != sizeof outcome)
			(void)snprintf(outcome, sizeof outcome, "failed");
		(void)printf("%s: %s\n", player->row->name, outcome);
	}
	while (wait(NULL) > 0)
		;
	return EXIT_SUCCESS;
}

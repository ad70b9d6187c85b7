/* SPDX-License-Identifier: MIT */
#include "simulator/batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 256

/* The runs that are under way. */
struct running {
	const struct batch *batch;
	int ends[2]; /* reports are short enough to be written in one piece */
	unsigned count;
	struct {
		pid_t process;
		uint64_t seed;
	} jobs[JOBS_MAX];
};

static void work(const struct batch *batch, uint64_t seed, int out)
{
	struct batch_report report;

	memset(&report, 0, sizeof report);
	report.seed = seed;
	run_scenario(batch->scenario, seed, batch->drawn, NULL, &report.result);
	_exit(write(out, &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
}

static int begin(struct running *running, uint64_t seed)
{
	pid_t process;

	(void)fflush(NULL);
	process = fork();
	if (process < 0)
		return -errno;
	if (process == 0)
		work(running->batch, seed, running->ends[1]);
	running->jobs[running->count].process = process;
	running->jobs[running->count].seed = seed;
	running->count++;
	return 0;
}

static void report_death(const struct batch *batch, uint64_t seed, int status)
{
	struct batch_report report;

	memset(&report, 0, sizeof report);
	report.seed = seed;
	report.result.converged = USEC_NEVER;
	if (batch->scenario->properties >> PROPERTY_MEMORY & 1)
		report.result.failed = PROPERTY_MEMORY;
	if (WIFSIGNALED(status))
		(void)snprintf(report.result.text, sizeof report.result.text,
			"the run was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		(void)snprintf(report.result.text, sizeof report.result.text,
			"the run ended itself with status %d", WEXITSTATUS(status));
	batch->done(&report, batch->context);
}

/* Waits until one is done. */
static int await(struct running *running)
{
	struct batch_report report;
	uint64_t seed = 0;
	int status;
	pid_t process = wait(&status);

	if (process < 0)
		return -errno;
	for (unsigned i = 0; i < running->count; i++) {
		if (running->jobs[i].process != process)
			continue;
		seed = running->jobs[i].seed;
		running->jobs[i] = running->jobs[--running->count];
		break;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		report_death(running->batch, seed, status);
		return 0;
	}
	if (read(running->ends[0], &report, sizeof report) != (ssize_t)sizeof report)
		return -EIO;
	running->batch->done(&report, running->batch->context);
	return 0;
}

int batch_run(const struct batch *batch)
{
	struct running running = {.batch = batch};
	unsigned most = batch->jobs < 1 ? 1 : batch->jobs > JOBS_MAX ? JOBS_MAX : batch->jobs;
	uint64_t seed = batch->first;
	int r = 0;

	if (pipe(running.ends) < 0)
		return -errno;
	while (r == 0 && (seed <= batch->last || running.count > 0)) {
		if (seed <= batch->last && running.count < most)
			r = begin(&running, seed++);
		else
			r = await(&running);
	}
	(void)close(running.ends[0]);
	(void)close(running.ends[1]);
	return r;
}

static void keep(const struct batch_report *report, void *context)
{
	*(struct run_result *)context = report->result;
}

int batch_run_one(const struct scenario *scenario, struct run_result *ret)
{
	const struct batch batch = {.scenario = scenario,
		.first = scenario->seed,
		.last = scenario->seed,
		.jobs = 1,
		.drawn = true,
		.done = keep,
		.context = ret};

	return batch_run(&batch);
}

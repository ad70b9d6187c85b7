/* SPDX-License-Identifier: MIT */
#include "simulator/batch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNNING_MAX 64

/* What a run says of itself: each is written in one piece. */
struct word {
	bool done;
	struct batch_report report;
};

static_assert(sizeof(struct word) <= PIPE_BUF, "a message is written in one piece");

/* The runs that are under way. */
struct running {
	const struct batch *batch;
	unsigned count;
	struct job {
		pid_t process;
		int from; /* its messages; the end of them is its end */
		bool reported;
		struct batch_report report;
	} jobs[RUNNING_MAX];
};

/* The process of a run. */

static struct word going;
static volatile sig_atomic_t going_to = -1;

/* A second has passed. */
static void tell_going(int signal)
{
	int saved = errno;

	(void)signal;
	/* Nobody who looks on is worth an end: what cannot be told is not. */
	if (write(going_to, &going, sizeof going) < 0)
		errno = saved;
	errno = saved;
}

static void set_timer(bool on)
{
	const struct itimerval second = {{on, 0}, {on, 0}};

	(void)setitimer(ITIMER_REAL, &second, NULL);
}

static int write_trace(FILE *trace)
{
	if (!trace || (fflush(trace) == 0 && !ferror(trace)))
		return 0;
	return errno != 0 ? errno : EIO;
}

static void work(const struct batch *batch, uint64_t seed, int out)
{
	struct sigaction action = {.sa_handler = tell_going, .sa_flags = SA_RESTART};
	struct word message;

	/* Without who began it nobody would hear of it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(&message, 0, sizeof message);
	if (batch->quiet && !freopen("/dev/null", "w", stderr))
		_exit(1);
	going.report.seed = seed;
	going_to = out;
	if (batch->wants_going && sigaction(SIGALRM, &action, NULL) == 0)
		set_timer(true);
	/* What a run said last is what matters if it dies. */
	if (batch->trace)
		(void)setvbuf(batch->trace, NULL, _IOLBF, 0);
	errno = 0;
	run_scenario(batch->scenario, seed, batch->drawn, batch->trace, &going.report.result);
	set_timer(false);
	message.report = going.report;
	message.report.trace_error = write_trace(batch->trace);
	message.done = true;
	_exit(write(out, &message, sizeof message) == (ssize_t)sizeof message ? 0 : 1);
}

/* The process that begins them. */

static int begin(struct running *running, uint64_t seed)
{
	struct job *job = &running->jobs[running->count];
	int ends[2];
	pid_t process;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fflush(NULL);
	process = fork();
	if (process < 0) {
		int r = -errno;

		(void)close(ends[0]);
		(void)close(ends[1]);
		return r;
	}
	if (process == 0)
		work(running->batch, seed, ends[1]);
	(void)close(ends[1]);
	*job = (struct job){.process = process, .from = ends[0]};
	job->report.seed = seed;
	running->count++;
	return 0;
}

static void describe_death(const struct batch *batch, struct batch_report *report, int status)
{
	report->died = true;
	report->result = (struct run_result){.converged = USEC_NEVER};
	if (WIFSIGNALED(status))
		(void)snprintf(report->how, sizeof report->how, "signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		(void)snprintf(
			report->how, sizeof report->how, "exit status %d", WEXITSTATUS(status));
	if (batch->may_die)
		return;
	report->result.failed = PROPERTY_MEMORY;
	(void)snprintf(
		report->result.text, sizeof report->result.text, "the run died: %s", report->how);
}

/* It has closed its end of the pipe. */
static int finish(struct running *running, unsigned index)
{
	struct job job = running->jobs[index];
	int status = 0;
	int r;

	running->jobs[index] = running->jobs[--running->count];
	(void)close(job.from);
	do
		r = waitpid(job.process, &status, 0) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r < 0)
		return r;
	if (!job.reported || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		describe_death(running->batch, &job.report, status);
	running->batch->done(&job.report, running->batch->context);
	return 0;
}

static int listen_to(struct running *running, unsigned index)
{
	struct job *job = &running->jobs[index];
	struct word message;
	ssize_t size = read(job->from, &message, sizeof message);

	if (size < 0)
		return errno == EINTR ? 0 : -errno;
	if (size != (ssize_t)sizeof message)
		return finish(running, index);
	if (message.done) {
		job->reported = true;
		job->report = message.report;
	} else if (running->batch->going) {
		running->batch->going(message.report.result.virtual_time, running->batch->context);
	}
	return 0;
}

/* Waits until one has something to say. */
static int await(struct running *running)
{
	struct pollfd ends[RUNNING_MAX];
	int r = 0;

	for (unsigned i = 0; i < running->count; i++)
		ends[i] = (struct pollfd){.fd = running->jobs[i].from, .events = POLLIN};
	if (poll(ends, running->count, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	/* From behind: the last one takes the place of one that ends. */
	for (unsigned i = running->count; i > 0 && r == 0; i--) {
		if (ends[i - 1].revents)
			r = listen_to(running, i - 1);
	}
	return r;
}

int batch_run(const struct batch *batch)
{
	struct running running = {.batch = batch};
	unsigned most = batch->jobs < 1 ? 1 : batch->jobs;
	uint64_t begun = 0;
	int r = 0;

	if (most > RUNNING_MAX)
		most = RUNNING_MAX;
	while (r == 0 && (begun < batch->count || running.count > 0)) {
		if (begun < batch->count && running.count < most)
			r = begin(&running, batch->first + begun++);
		else
			r = await(&running);
	}
	/* What is still under way has nobody to listen to it, and ends by that. */
	for (unsigned i = 0; i < running.count; i++) {
		(void)close(running.jobs[i].from);
		(void)kill(running.jobs[i].process, SIGKILL);
		(void)waitpid(running.jobs[i].process, NULL, 0);
	}
	return r;
}

static void keep(const struct batch_report *report, void *context)
{
	*(struct batch_report *)context = *report;
}

int batch_run_one(const struct scenario *scenario, struct batch_report *ret)
{
	const struct batch batch = {.scenario = scenario,
		.first = scenario->seed,
		.count = 1,
		.jobs = 1,
		.drawn = true,
		.quiet = true,
		.done = keep,
		.context = ret};

	return batch_run(&batch);
}

/* SPDX-License-Identifier: MIT */
#include "simulator/jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_AFTER 2 /* seconds */

int jobs_begin(struct jobs *jobs, const char *what, unsigned count,
	void (*work)(void *context, unsigned job, int out), void *context)
{
	int ends[2];

	*jobs = (struct jobs){.what = what, .begun = time(NULL)};
	if (pipe(ends) < 0)
		return -errno;
	(void)fflush(NULL);
	for (unsigned job = 0; job < count; job++) {
		if (fork() == 0) {
			(void)close(ends[0]);
			work(context, job, ends[1]);
			_exit(0);
		}
	}
	(void)close(ends[1]);
	jobs->from = ends[0];
	return 0;
}

void jobs_progress(struct jobs *jobs, uint64_t done, uint64_t of)
{
	if (!isatty(STDERR_FILENO) || time(NULL) - jobs->begun < PROGRESS_AFTER)
		return;
	(void)fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " runs ", jobs->what, done, of);
	jobs->shown = true;
}

void jobs_end(struct jobs *jobs)
{
	if (jobs->shown)
		(void)fprintf(stderr, "\n");
	(void)close(jobs->from);
	while (wait(NULL) > 0)
		continue;
}

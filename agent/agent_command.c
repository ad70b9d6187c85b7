/* SPDX-License-Identifier: MIT */
/*
 * agent_command.c - "collective agent".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/memory.h"

struct loaded {
	struct config config;
	struct problems problems;
};

static void say_problems(const char *file, const struct problems *problems)
{
	for (uint32_t i = 0; i < problems->count; i++)
		say("%s:%" PRIu32 ":%" PRIu32 ": %s", file, problems->items[i].line,
			problems->items[i].column, problems->items[i].text);
}

/* A file that nobody named need not be there. Returns 0 or an error that was said. */
static int load(const struct invocation *invocation, struct loaded *loaded)
{
	const char *file = invocation->values[OPTION_CONFIG];
	int r = config_load(&loaded->config, file, &loaded->problems);

	if (r == -ENOENT && !invocation->given[OPTION_CONFIG])
		r = config_defaults(&loaded->config);
	if (r == -EINVAL) {
		say_problems(file, &loaded->problems);
		say("the agent does not start with a configuration that says what it cannot do");
	} else if (r < 0) {
		say("%s: %s", file, strerror(-r));
	}
	return r;
}

int command_agent(const struct invocation *invocation)
{
	struct loaded *loaded = memory_zeroed(1, sizeof *loaded);
	const struct agent_options options = {.state = invocation->values[OPTION_STATE],
		.run = invocation->values[OPTION_RUN],
		.config = &loaded->config,
		.clock_offset_ms = invocation->clock_offset_ms};
	int status = STATUS_FAILED;

	if (load(invocation, loaded) == 0)
		status = agent_run(&options);
	free(loaded);
	return status;
}

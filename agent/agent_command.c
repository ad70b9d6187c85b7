/* SPDX-License-Identifier: MIT */
/*
 * agent_command.c - "collective agent".
 */
#include <stdlib.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/memory.h"
#include "agent/settings.h"

int command_agent(const struct invocation *invocation)
{
	struct config *config = memory_zeroed(1, sizeof *config);
	const struct agent_options options = {.state = invocation->values[OPTION_STATE],
		.run = invocation->values[OPTION_RUN],
		.config = config,
		.clock_offset_ms = invocation->clock_offset_ms};
	int status = STATUS_FAILED;

	if (settings_load(invocation, config) == 0)
		status = agent_run(&options);
	free(config);
	return status;
}

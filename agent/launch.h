/* SPDX-License-Identifier: MIT */
/*
 * launch.h - an agent is started where none runs: by the service manager where its unit is
 * installed, else in the background.
 */
#pragma once

#include "agent/client.h"
#include "agent/command.h"

/*
 * Connects to the agent; starts it where none runs and start is wanted. Returns 0, or an error that
 * was said.
 */
int launch_or_reach(const struct invocation *invocation, bool start, struct client *ret);

/*
 * Whether the agent starts with the machine, where it is the service manager's. That this went
 * wrong is said, and no more: what was asked for is done.
 */
void launch_at_boot(const struct invocation *invocation, bool wanted);

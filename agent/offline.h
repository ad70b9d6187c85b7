/* SPDX-License-Identifier: MIT */
/*
 * offline.h - a command that is written into the state while no agent runs.
 */
#pragma once

#include "agent/command.h"
#include "config/config.h"
#include "site/site.h"

/*
 * Gives a site a command as its agent would, and keeps what follows; nothing is set up and nothing
 * sent. Where this is root, it is done as the user whose the state is. Returns 0, or an error that
 * was said; ret gets the last reply, zero where there was none.
 */
int offline_command(const struct invocation *invocation, const struct config *config,
	const struct site_command *command, struct site_action *ret);

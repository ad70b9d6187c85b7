/* SPDX-License-Identifier: MIT */
/*
 * settings.h - the configuration as the command line names it.
 */
#pragma once

#include "agent/command.h"
#include "config/config.h"

/*
 * Loads it; a file that nobody named need not be there. Returns 0 or an error that was said.
 */
int settings_load(const struct invocation *invocation, struct config *ret);

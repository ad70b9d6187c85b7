/* SPDX-License-Identifier: MIT */
/*
 * commands.h - what people ask of the simulator: list, run, replay, shrink, sweep.
 */
#pragma once

#include "simulator/run.h"

struct options;

/* Each returns the exit status. */
int command_list(const struct options *options);
int command_run(const struct options *options);
int command_replay(const struct options *options);
int command_shrink(const struct options *options);
int command_sweep(const struct options *options);

/*
 * Makes the plan of a failure as short as can be while the same property fails. What became of the
 * last run that failed so is in ret, which has to hold the result of the failure before.
 */
void shrink_scenario(struct scenario *scenario, struct run_result *ret, FILE *progress);

/* Where scenarios are; a name without a slash is looked up there. */
const char *scenario_directory(void);

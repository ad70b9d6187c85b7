/* SPDX-License-Identifier: MIT */
/*
 * commands.h - what people ask of the simulator: list, run, replay, shrink, sweep.
 */
#pragma once

#include "simulator/run.h"

/* Returns the exit status: 0 every claim held, 1 one did not, 2 wrong use. */
int simulator_main(int argc, char **argv);

/* Makes the plan of a failure as short as can be while the same property fails. */
void shrink_scenario(struct scenario *scenario, FILE *progress);

/* Where scenarios are; a name without a slash is looked up there. */
const char *scenario_directory(void);

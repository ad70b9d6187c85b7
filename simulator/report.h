/* SPDX-License-Identifier: MIT */
/*
 * report.h - how a run went, in words and in JSON.
 */
#pragma once

#include "simulator/batch.h"

/* "1 fault", "2 faults": the letter that stands behind one and not behind another. */
#define PLURAL(count) ((count) == 1 ? "" : "s")

void report_plain(const struct scenario *scenario, const struct batch_report *report);
void report_json(const struct scenario *scenario, const struct batch_report *report);

/* A scenario of the list. */
void report_scenario_json(const struct scenario *scenario);

/* That a run died, on standard error: also where that is no failure. */
void report_death(const struct batch_report *report);

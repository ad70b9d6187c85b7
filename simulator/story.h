/* SPDX-License-Identifier: MIT */
/*
 * story.h - the trace in words: who says what to whom, what is learned, what is set up.
 *
 * What is told here does not count for the hash of a run, which is the same whether anybody reads
 * along or not; but for the log.
 */
#pragma once

#include "simulator/world.h"

/* What an agent does. */
void story_action(const struct host *host, const struct site_action *action);

/* What it hears. */
void story_datagram(const struct host *host, const struct site_event *event);

/* A line of the agent's log. */
void story_log(const struct host *host, const struct site_action *action);

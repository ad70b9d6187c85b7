/* SPDX-License-Identifier: MIT */
/*
 * asking.h - how commands ask the agent: a request, answers that are shown as they come, and a
 * status to end with.
 */
#pragma once

#include "agent/client.h"
#include "agent/command.h"
#include "config/config.h"

#define ASKING_PATIENCE (15 * USEC_SECOND)

/* Shows an answer. */
typedef void (*asking_fn)(const struct control_answer *answer, void *context);

/* A request for a command of the brain. */
struct control_request asking_for(enum site_command_kind kind);

/*
 * Asks, shows each answer, and waits for the last one, for so long after each; starts an agent
 * where none runs and start is wanted. Returns an exit status; what went wrong was said.
 */
int asking(const struct invocation *invocation, bool start, const struct control_request *request,
	usec_t patience, asking_fn show, void *context);

/*
 * The same for what begins a membership. With --no-start the state is written where no agent runs;
 * then nothing is shown.
 */
int asking_or_writing(const struct invocation *invocation, const struct config *config,
	const struct control_request *request, usec_t patience, asking_fn show, void *context);

/* Says how far it is, as the first of what a show does. */
void asking_say_progress(const struct control_answer *answer);

/* Shows how far it is, and at the end the words that the context is, or nothing. */
void asking_show_words(const struct control_answer *answer, void *context);

/* Says what a status has of troubles. */
void asking_show_trouble(const struct control_answer *answer, void *context);

/* What stands in the way on this machine, right after it was asked to begin. */
void asking_say_troubles(const struct invocation *invocation);

/* SPDX-License-Identifier: MIT */
#include "agent/asking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/launch.h"
#include "agent/offline.h"

/* The agent's words about what went wrong. */
static void say_failure(const struct control_answer *answer)
{
	if (answer->name[0])
		say("%s (that site is %s)", answer->note, answer->name);
	else if (answer->note[0])
		say("%s", answer->note);
	else
		say("%s", answer->text[0] ? answer->text : "it was refused");
}

/*
 * Asks, shows each answer, and waits for the last one, for so long after each. Returns an exit
 * status; what went wrong was said.
 */
static int converse(struct client *client, const struct control_request *request, usec_t patience,
	asking_fn show, void *context)
{
	struct control_answer *answer = calloc(1, sizeof *answer);
	int r = answer ? client_ask(client, request) : -ENOMEM;

	while (r == 0) {
		r = client_answer(client, patience, answer);
		if (r == 0 && answer->kind == CONTROL_FAILED)
			break;
		if (r == 0)
			show(answer, context);
		if (r == 0 && answer->kind == CONTROL_DONE)
			break;
	}
	if (r == -ETIMEDOUT)
		say("this takes long: the agent goes on with it, and \"collective status\" shows "
		    "how far it is");
	else if (r == -EPIPE)
		say("the agent has ended, or too many ask it at once");
	else if (r < 0)
		say("the agent cannot be asked: %s", strerror(-r));
	else if (answer->kind == CONTROL_FAILED) {
		say_failure(answer);
		r = -EREMOTEIO;
	}
	free(answer);
	return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

int asking(const struct invocation *invocation, bool start, const struct control_request *request,
	usec_t patience, asking_fn show, void *context)
{
	struct client client;
	int status;

	if (launch_or_reach(invocation, start, &client) < 0)
		return STATUS_FAILED;
	status = converse(&client, request, patience, show, context);
	client_close(&client);
	return status;
}

struct control_request asking_for(enum site_command_kind kind)
{
	return (struct control_request){
		.version = CONTROL_VERSION, .kind = CONTROL_COMMAND, .command = {.kind = kind}};
}

void asking_say_progress(const struct control_answer *answer)
{
	if (answer->kind == CONTROL_PROGRESS && answer->note[0])
		say("%s%s%s", answer->name, answer->name[0] ? ": " : "", answer->note);
}

void asking_show_words(const struct control_answer *answer, void *context)
{
	const char *words = context;

	asking_say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	if (answer->note[0])
		say("%s", answer->note);
	if (words)
		(void)printf("%s\n", words);
}

void asking_show_trouble(const struct control_answer *answer, void *context)
{
	(void)context;
	if (answer->kind == CONTROL_TROUBLE)
		say("%s", answer->text);
}

void asking_say_troubles(const struct invocation *invocation)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_STATUS};

	(void)asking(invocation, false, &request, ASKING_PATIENCE, asking_show_trouble, NULL);
}

int asking_or_writing(const struct invocation *invocation, const struct config *config,
	const struct control_request *request, usec_t patience, asking_fn show, void *context)
{
	struct site_action reply;
	struct client client;

	if (!invocation->given[OPTION_NO_START])
		return asking(invocation, true, request, patience, show, context);
	if (client_open(&client, invocation->values[OPTION_RUN]) == 0) {
		client_close(&client);
		return asking(invocation, false, request, patience, show, context);
	}
	return offline_command(invocation, config, &request->command, &reply) < 0 ? STATUS_FAILED
										  : STATUS_DONE;
}

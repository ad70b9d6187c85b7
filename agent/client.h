/* SPDX-License-Identifier: MIT */
/*
 * client.h - the other end of the control socket: a command that asks the agent.
 */
#pragma once

#include "agent/control_message.h"
#include "base/usec.h"

struct client {
	int descriptor;
};

/*
 * Connects to the agent whose socket is in a directory. Returns 0, -ENOENT where none runs, -EACCES
 * where this user may not ask, or another error.
 */
int client_open(struct client *client, const char *directory);
void client_close(struct client *client);

/* Sends a request. Returns 0 or an error. */
int client_ask(struct client *client, const struct control_request *request);

/*
 * Waits for the next answer. Returns 0, -ETIMEDOUT, -EPIPE where the agent has ended or has no
 * place for one more, or -EBADMSG.
 */
int client_answer(struct client *client, usec_t patience, struct control_answer *ret);

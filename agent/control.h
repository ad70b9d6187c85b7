/* SPDX-License-Identifier: MIT */
/*
 * control.h - the agent's control socket: who asks, what is asked, and the answers on their way.
 *
 * A connection carries one request. Root and the agent's own user may ask for everything; who else
 * can open the socket, which is the group, may look only.
 */
#pragma once

#include <event2/event.h>

#include "agent/control_message.h"
#include "agent/log.h"

#define CONTROL_CONNECTIONS_MAX 32
#define CONTROL_SOCKET "control.sock"

struct control;

/* Somebody asks; the number goes with every answer. */
typedef void (*control_asked_fn)(
	void *context, uint32_t number, const struct control_request *request);

/*
 * Begins to listen in a directory, which is made where it is not there. Returns 0 or an error, with
 * why.
 */
int control_open(struct control **ret, struct event_base *loop, const char *directory,
	struct log *log, control_asked_fn asked, void *context, char why[static 256]);

/* Nobody new is listened to, and the socket's name is free; who is connected stays so. */
void control_end(struct control *control);

/* Says the last words as far as they go without waiting. */
void control_close(struct control *control);

/* Answers; after CONTROL_DONE and CONTROL_FAILED the connection ends. Who is gone is not answered.
 */
void control_answer(struct control *control, uint32_t number, const struct control_answer *answer);

/* Whether whoever asked waits for more. */
bool control_is_open(const struct control *control, uint32_t number);

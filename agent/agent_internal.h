/* SPDX-License-Identifier: MIT */
/*
 * agent_internal.h - what the files of the running agent share.
 */
#pragma once

#include <event2/event.h>

#include "agent/agent.h"
#include "agent/brain.h"
#include "agent/carrier.h"
#include "agent/clock.h"
#include "agent/control.h"
#include "agent/firewall.h"
#include "agent/keeper.h"
#include "agent/lookup.h"
#include "agent/mapping.h"
#include "agent/sight.h"
#include "agent/tap.h"
#include "agent/tunnel.h"

enum { SIGNALS = 4 };

struct agent;

/* The inside of one of our interfaces. */
struct agent_way {
	struct agent *agent;
	enum site_interface interface;
	struct tunnel *tunnel;
};

struct agent {
	const struct agent_options *options;
	struct log log;
	struct clock clock;
	struct store *store;
	struct carrier *carrier;
	struct agent_way ways[SITE_INTERFACES];
	struct tap *tap; /* NULL: this machine lets us have none */
	struct tap_ground ground;
	struct sight *sight;
	struct mapping *mapping;
	struct lookup *lookup;
	struct control *control;

	struct event_base *loop;
	struct event *timer;
	struct event *noticed;
	struct event *watchdog;
	struct event *signals[SIGNALS];

	struct brain brain;
	struct site_actions *actions;

	/* What a list of actions leaves to be done. */
	usec_t now;
	bool wants_apply;
	bool saves;
	int saved;
	bool polls[SITE_INTERFACES];
	uint16_t kept_ports[SITE_INTERFACES];
	uint16_t told_ports[SITE_INTERFACES]; /* as the brain knows them */
	bool told_places;
	bool mapped; /* the router's port is another one than the brain knows */

	bool started;                                /* that was written down */
	bool ending;                                 /* everything is being taken off the machine */
	uint32_t down_asked;                         /* by whom; 0: nobody */
	uint32_t surveyors[CONTROL_CONNECTIONS_MAX]; /* who wait for a status */
	uint32_t checker;                            /* who waits for a netcheck; 0: nobody */
	struct firewall firewall;                    /* what was found of it, */
	usec_t firewall_at;                          /* and when */
	bool ended;
	int status;
};

/* agent.c */

/* Hands an event to the brain and performs what it answers, saves included. */
void agent_feed(struct agent *agent, struct site_event *event);

/* What was asked for outside the loop's own events begins and ends like one of these. */
void agent_begin_turn(struct agent *agent);
void agent_end_turn(struct agent *agent);

/* Begins to take everything off the machine; the agent ends with it. */
void agent_take_down(struct agent *agent);

/* answers.c */

/* Somebody asks at the control socket. */
void agent_asked(void *context, uint32_t number, const struct control_request *request);

/* The brain answers a command. */
void agent_reply(struct agent *agent, const struct site_action *action);

/* All was taken away: whoever asked for it hears so. */
void agent_tell_down(struct agent *agent);

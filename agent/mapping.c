/* SPDX-License-Identifier: MIT */
#include "agent/mapping.h"

#include <stdlib.h>

#include "agent/clock.h"
#include "agent/memory.h"
#include "agent/portmap.h"
#include "nat/lease.h"

struct mapping {
	struct portmap *portmap;
	mapping_fn changed;
	void *context;
	struct lease lease;
	struct endpoint outside;
	bool asking;  /* an answer may come: it asks again by itself until then */
	bool granted; /* in the answer that is being taken */
	struct portmap_answer answer;
};

static void take(struct mapping *mapping, usec_t now, bool is_port)
{
	const struct portmap_answer *answer = &mapping->answer;
	const struct lease_reply reply = {
		.result = (uint16_t)answer->result,
		.epoch_s = answer->epoch_s,
		.is_port = is_port,
		.outside = answer->outside.address,
		.inside_port = answer->port,
		.outside_port = answer->outside.port,
		.lifetime_s = answer->lifetime_s,
	};

	struct mapping_router before = mapping_router(mapping);
	struct mapping_router after;

	(void)lease_answer(&mapping->lease, now, &reply);
	after = mapping_router(mapping);
	if (before.is_inside != after.is_inside || !address_equal(&before.outside, &after.outside))
		mapping->changed(mapping->context);
}

static void ask(struct mapping *mapping, uint16_t port, uint16_t wanted)
{
	if (mapping->asking)
		return;
	mapping->asking = portmap_ask(mapping->portmap, port, wanted, LEASE_LIFETIME_S) == 0;
}

static void perform(struct mapping *mapping, usec_t now, const struct lease_action *action)
{
	switch (action->kind) {
	case LEASE_SEND_OUTSIDE:
		ask(mapping, mapping->lease.inside, mapping->lease.wanted);
		return;
	case LEASE_SEND_PORT:
		/* One exchange brought the address and the port. */
		if (mapping->granted)
			take(mapping, now, true);
		else
			ask(mapping, action->inside, action->wanted);
		return;
	case LEASE_SEND_RETURN:
		mapping->asking = false;
		(void)portmap_release(mapping->portmap, action->inside);
		return;
	case LEASE_HELD:
		mapping->outside = action->endpoint;
		mapping->changed(mapping->context);
		return;
	case LEASE_LOST:
		mapping->outside = (struct endpoint){.port = 0};
		mapping->changed(mapping->context);
		return;
	}
}

static void perform_all(struct mapping *mapping, usec_t now, const struct lease_actions *actions)
{
	for (uint32_t i = 0; i < actions->count; i++)
		perform(mapping, now, &actions->items[i]);
}

void mapping_turn(struct mapping *mapping, usec_t now)
{
	struct lease_actions actions;

	/* An answer to one question may make the next one due at once. */
	for (int i = 0; i < 4 && lease_wakeup(&mapping->lease) <= now; i++) {
		lease_step(&mapping->lease, now, &actions);
		perform_all(mapping, now, &actions);
	}
}

static void on_answer(void *context, const struct portmap_answer *answer)
{
	struct mapping *mapping = context;
	usec_t now = clock_now();

	if (!answer->announced)
		mapping->asking = false;
	if (answer->error != 0 || mapping->lease.state == LEASE_IDLE)
		return;
	mapping->answer = *answer;
	mapping->granted = answer->result == PORTMAP_GRANTED && !answer->announced;
	take(mapping, now, mapping->lease.state == LEASE_ASK_PORT && !answer->announced);
	mapping_turn(mapping, now);
	mapping->granted = false;
}

struct mapping *mapping_new(struct event_base *loop, mapping_fn changed, void *context)
{
	struct mapping *mapping = memory_zeroed(1, sizeof *mapping);

	mapping->portmap = portmap_new(loop, on_answer, mapping);
	mapping->changed = changed;
	mapping->context = context;
	lease_init(&mapping->lease, 1); /* any: none is wanted yet */
	if (mapping->portmap)
		return mapping;
	free(mapping);
	return NULL;
}

void mapping_free(struct mapping *mapping)
{
	if (!mapping)
		return;
	portmap_free(mapping->portmap);
	free(mapping);
}

static void end(struct mapping *mapping, usec_t now)
{
	struct lease_actions actions;

	lease_end(&mapping->lease, &actions);
	perform_all(mapping, now, &actions);
}

void mapping_follow(struct mapping *mapping, usec_t now, uint16_t port)
{
	bool wanted = mapping->lease.state != LEASE_IDLE;

	if (port == (wanted ? mapping->lease.inside : 0))
		return;
	if (wanted)
		end(mapping, now);
	portmap_listen(mapping->portmap, port != 0);
	if (port == 0)
		return;
	lease_init(&mapping->lease, port);
	lease_begin(&mapping->lease, now);
	mapping_turn(mapping, now);
}

void mapping_renew(struct mapping *mapping, usec_t now)
{
	if (mapping->lease.state == LEASE_IDLE)
		return;
	lease_begin(&mapping->lease, now);
	mapping_turn(mapping, now);
}

usec_t mapping_wakeup(const struct mapping *mapping)
{
	return lease_wakeup(&mapping->lease);
}

struct endpoint mapping_outside(const struct mapping *mapping)
{
	return mapping->outside;
}

struct mapping_router mapping_router(const struct mapping *mapping)
{
	const struct lease *lease = &mapping->lease;

	if (lease->state == LEASE_IDLE)
		return (struct mapping_router){.is_inside = false};
	return (struct mapping_router){lease->router, lease->result == LEASE_NETWORK};
}

const char *mapping_word(const struct mapping *mapping)
{
	return mapping->lease.state == LEASE_IDLE || mapping->outside.port != 0
		       ? ""
		       : lease_word(mapping->lease.result);
}

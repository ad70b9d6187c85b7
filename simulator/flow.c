/* SPDX-License-Identifier: MIT */
#include "simulator/flow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "simulator/host.h"

void flow_begin(struct world *world, uint32_t a, uint32_t b, usec_t lasts)
{
	struct flow *flow;

	world->flows = realloc(world->flows, (world->flow_count + 1) * sizeof *flow);
	assert(world->flows);
	flow = &world->flows[world->flow_count];
	*flow = (struct flow){.hosts = {a, b}, .begun_at = world->now};
	flow->count = (uint32_t)(lasts / FLOW_EVERY);
	for (uint32_t i = 0; i < 2; i++) {
		flow->fates[i] = calloc((size_t)flow->count + 1, 1);
		assert(flow->fates[i]);
	}
	heap_push(&world->heap, world->now, EVENT_FLOW, world->flow_count++, NULL);
}

void flow_free(struct world *world)
{
	for (uint32_t i = 0; i < world->flow_count; i++) {
		free(world->flows[i].fates[0]);
		free(world->flows[i].fates[1]);
	}
	free(world->flows);
}

static void send_one(struct world *world, uint32_t number, uint32_t side, uint32_t packet)
{
	struct flow *flow = &world->flows[number];
	struct host *from = &world->hosts[flow->hosts[side]];
	const struct host *to = &world->hosts[flow->hosts[1 - side]];
	struct inner inner = {
		.source = {from->overlay, FLOW_PORT},
		.destination = {to->overlay, FLOW_PORT},
		.size = FLOW_SIZE,
	};

	if (!from->powered || from->overlay.family == ADDRESS_NONE ||
		to->overlay.family == ADDRESS_NONE)
		return;
	bytes_put(inner.bytes, number, 4);
	bytes_put(inner.bytes + 4, packet, 4);
	inner.bytes[8] = (uint8_t)side;
	flow->fates[side][packet] = FLOW_SENT;
	(void)host_transmit(from, &inner);
}

void flow_step(struct world *world, uint32_t number)
{
	uint32_t packet = world->flows[number].next++;

	if (packet >= world->flows[number].count)
		return;
	heap_push(&world->heap, world->now + FLOW_EVERY, EVENT_FLOW, number, NULL);
	send_one(world, number, 0, packet);
	send_one(world, number, 1, packet);
}

void flow_arrived(struct host *host, const struct inner *inner)
{
	const struct world *world = host->world;
	uint32_t number = (uint32_t)bytes_get(inner->bytes, 4);
	uint32_t packet = (uint32_t)bytes_get(inner->bytes + 4, 4);

	assert(number < world->flow_count && inner->bytes[8] < 2);
	assert(packet < world->flows[number].count);
	world->flows[number].fates[inner->bytes[8]][packet] = FLOW_CAME;
}

bool flow_is_over(const struct world *world, const struct flow *flow)
{
	return world->now >= flow->begun_at + flow->count * FLOW_EVERY + FLOW_TRAVELS;
}

uint32_t flow_next_hole(
	const struct flow *flow, uint32_t side, uint32_t from, usec_t apart, struct flow_hole *ret)
{
	const uint8_t *fates = flow->fates[side];
	uint32_t first = from;
	uint32_t last;

	while (first < flow->count && fates[first] != FLOW_SENT)
		first++;
	if (first >= flow->count)
		return flow->count;
	last = first;
	*ret = (struct flow_hole){.from = flow->begun_at + first * FLOW_EVERY};
	for (uint32_t i = first; i < flow->count && (i - last) * FLOW_EVERY <= apart; i++) {
		if (fates[i] != FLOW_SENT)
			continue;
		last = i;
		ret->lost++;
	}
	ret->to = flow->begun_at + last * FLOW_EVERY;
	return last + 1;
}

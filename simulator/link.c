/* SPDX-License-Identifier: MIT */
#include "simulator/link.h"

#define MILLION 1000000
#define HEADERS 28 /* of IP and UDP */

void link_init(struct link *link, const struct link_options *options, const struct prng *parent,
	uint64_t number)
{
	*link = (struct link){.options = *options};
	prng_fork(&link->prng, parent, "link", number);
}

static bool happens(struct link *link, uint32_t per_million)
{
	return per_million > 0 && prng_below(&link->prng, MILLION) < per_million;
}

/* The wait for those before it. Returns USEC_NEVER when the queue is full. */
static usec_t wait_for_turn(struct link *link, usec_t now, uint32_t size)
{
	const struct link_options *o = &link->options;
	usec_t start = link->busy_until > now ? link->busy_until : now;

	if (o->rate == 0)
		return now;
	if (o->queue > 0 && start - now > o->queue)
		return USEC_NEVER;
	link->busy_until = start + (usec_t)((uint64_t)(size + HEADERS) * MILLION / o->rate);
	return link->busy_until;
}

usec_t link_pass(struct link *link, usec_t now, uint32_t size)
{
	const struct link_options *o = &link->options;
	usec_t at = wait_for_turn(link, now, size);

	link->bytes += size + HEADERS;
	if (o->ill > 0 || link->is_ill) {
		if (link->is_ill ? happens(link, o->well) : happens(link, o->ill))
			link->is_ill = !link->is_ill;
	}
	if (at == USEC_NEVER || link->is_ill || happens(link, o->loss) ||
		(o->mtu > 0 && size > o->mtu)) {
		link->lost++;
		return USEC_NEVER;
	}
	at += o->delay;
	if (o->jitter > 0)
		at += (usec_t)prng_below(&link->prng, (uint64_t)o->jitter + 1);
	if (happens(link, o->reorder))
		at += (usec_t)prng_below(&link->prng, 4 * (uint64_t)o->delay + 1);
	return at;
}

bool link_copies(struct link *link)
{
	return happens(link, link->options.duplicate);
}

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

/* Evenly from nothing to twice the average. */
static usec_t draw_around(struct link *link, usec_t average)
{
	return 1 + (usec_t)prng_below(&link->prng, 2 * (uint64_t)average);
}

static bool is_ill(struct link *link, usec_t now)
{
	const struct link_options *o = &link->options;

	if (o->well == 0)
		return false;
	if (link->turns_at == 0)
		link->turns_at = draw_around(link, o->well);
	while (link->turns_at <= now) {
		link->is_ill = !link->is_ill;
		link->turns_at += draw_around(link, link->is_ill ? o->ill : o->well);
	}
	return link->is_ill;
}

usec_t link_pass(struct link *link, usec_t now, uint32_t size)
{
	const struct link_options *o = &link->options;
	usec_t at = wait_for_turn(link, now, size);

	link->bytes += size + HEADERS;
	if (at == USEC_NEVER || is_ill(link, now) || happens(link, o->loss) ||
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

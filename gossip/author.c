/* SPDX-License-Identifier: MIT */
#include "gossip/author.h"

void author_init(struct author *author, uint64_t floor)
{
	*author = (struct author){
		.sequence = floor,
		.reserved = floor,
		.spacing = AUTHOR_SPACING_MIN,
		.last = -AUTHOR_SPACING_MAX,
		.due = USEC_NEVER,
	};
}

void author_changed(struct author *author, usec_t now)
{
	usec_t earliest = usec_add(author->last, author->spacing);

	author->due = usec_min(author->due, earliest > now ? earliest : now);
}

void author_heard(struct author *author, usec_t now, uint64_t sequence)
{
	if (sequence <= author->sequence)
		return;
	author->sequence = sequence;
	author_changed(author, now);
}

usec_t author_wakeup(const struct author *author)
{
	return author->due;
}

uint64_t author_take(struct author *author, usec_t now, uint64_t wall, bool *save)
{
	/* Quiet for a while: changes are cheap again. Otherwise each one makes the next wait
	 * longer. */
	if (now - author->last > 2 * author->spacing)
		author->spacing = AUTHOR_SPACING_MIN;
	else
		author->spacing = usec_min(2 * author->spacing, AUTHOR_SPACING_MAX);
	author->last = now;
	author->due = usec_add(now, AUTHOR_REFRESH);
	author->sequence = author->sequence + 1 > wall ? author->sequence + 1 : wall;
	*save = author->sequence > author->reserved;
	/* Time moves the numbers on faster than records do: the reserve is for those in between. */
	if (*save)
		author->reserved = author->sequence + AUTHOR_BLOCK;
	return author->sequence;
}

void author_unsaved(struct author *author, usec_t now)
{
	author->reserved = 0;
	author_changed(author, now);
}

/* SPDX-License-Identifier: MIT */
/*
 * author.h - when a site publishes its own record, and under which number.
 *
 * A number is max(last + 1, now in ms), and durable before it is spoken: the caller saves the floor
 * that author_take() gives. A change is published at once, but a site that flaps is slowed down,
 * from 2 s between records to 60 s. Without a change the record is made anew every eight hours. A
 * site that lost its state hears its own later record from others and goes on above it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/usec.h"

#define AUTHOR_REFRESH (8 * USEC_HOUR)
#define AUTHOR_SPACING_MIN (2 * USEC_SECOND)
#define AUTHOR_SPACING_MAX (60 * USEC_SECOND)
#define AUTHOR_BLOCK 64 /* numbers that one save reserves */

struct author {
	uint64_t sequence; /* the last one spoken */
	uint64_t reserved; /* numbers up to here are durable */
	usec_t spacing;    /* between this record and the next */
	usec_t last;
	usec_t due; /* of the next record; USEC_NEVER before the first change */
};

/* Begins with what was saved; floor is 0 where nothing was. */
void author_init(struct author *author, uint64_t floor);

/* Something that stands in the record has changed. */
void author_changed(struct author *author, usec_t now);

/* A record of our own key, made elsewhere or in a past that was lost, was taken by the ledger. */
void author_heard(struct author *author, usec_t now, uint64_t sequence);

usec_t author_wakeup(const struct author *author);

/*
 * The number of a record that is made now. Where the result says so, author->reserved is to be
 * saved before the record is sent.
 */
uint64_t author_take(struct author *author, usec_t now, uint64_t wall, bool *save);

/* What author_take() wanted to be saved was not: the number is not spoken, and another is due. */
void author_unsaved(struct author *author, usec_t now);

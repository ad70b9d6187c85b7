/* SPDX-License-Identifier: MIT */
#include "nat/rarely.h"

void rarely_init(struct rarely *rarely)
{
	*rarely = (struct rarely){0};
}

usec_t rarely_from(const struct rarely *rarely)
{
	/* The place that is written next holds the one six times ago. */
	usec_t oldest = rarely->times[rarely->count % RARELY_TIMES];

	return rarely->count < RARELY_TIMES ? INT64_MIN : usec_add(oldest, RARELY_SPAN);
}

bool rarely_may(const struct rarely *rarely, usec_t now)
{
	return now >= rarely_from(rarely);
}

void rarely_note(struct rarely *rarely, usec_t now)
{
	rarely->times[rarely->count % RARELY_TIMES] = now;
	rarely->count++;
	/* The count wraps to a value with the same remainder that is still "full". */
	if (rarely->count == 2 * RARELY_TIMES)
		rarely->count = RARELY_TIMES;
}

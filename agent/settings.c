/* SPDX-License-Identifier: MIT */
#include "agent/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/memory.h"

int settings_load(const struct invocation *invocation, struct config *ret)
{
	struct problems *problems = memory_zeroed(1, sizeof *problems);
	const char *file = invocation->values[OPTION_CONFIG];
	int r = config_load(ret, file, problems);

	if (r == -ENOENT && !invocation->given[OPTION_CONFIG])
		r = config_defaults(ret);
	for (uint32_t i = 0; i < problems->count && r == -EINVAL; i++)
		say("%s:%" PRIu32 ":%" PRIu32 ": %s", file, problems->items[i].line,
			problems->items[i].column, problems->items[i].text);
	if (r == -EINVAL)
		say("nothing begins with a configuration that says what it cannot do");
	else if (r < 0)
		say("%s: %s", file, strerror(-r));
	free(problems);
	return r;
}

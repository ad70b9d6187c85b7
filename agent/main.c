/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include <sodium.h>

#include "agent/command.h"
#include "agent/json.h"

int command_version(const struct invocation *invocation)
{
	struct json json;

	if (invocation->given[OPTION_JSON]) {
		json_init(&json, stdout);
		json_object(&json, NULL);
		json_text(&json, "version", COLLECTIVE_VERSION);
		json_object_end(&json);
		json_end(&json);
	} else {
		(void)printf("collective %s\n", COLLECTIVE_VERSION);
	}
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		say("libsodium does not start");
		return STATUS_FAILED;
	}
	return command_main(argc, argv, 0);
}

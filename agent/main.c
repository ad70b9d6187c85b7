/* SPDX-License-Identifier: MIT */
#include <sodium.h>

#include "agent/command.h"

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		say("libsodium does not start");
		return STATUS_FAILED;
	}
	return command_main(argc, argv, 0);
}

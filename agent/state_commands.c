/* SPDX-License-Identifier: MIT */
/*
 * state_commands.c - "collective backup" and "collective restore".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/command.h"
#include "agent/passphrase.h"
#include "store/store.h"

int command_backup(const struct invocation *invocation)
{
	const char *file = invocation->words[0];
	const char *state = invocation->values[OPTION_STATE];
	char passphrase[PASSPHRASE_SIZE];
	char why[STORE_WHY_SIZE];
	struct store *store;
	int r;

	/* What is known to fail is said before anybody is asked for anything. */
	if (access(file, F_OK) == 0) {
		say("%s: a file of this name is there already", file);
		return STATUS_FAILED;
	}
	/* An agent that has it in use is not disturbed. */
	r = store_open_beside(&store, state, why);
	if (r < 0) {
		say("%s", why);
		return STATUS_FAILED;
	}
	store_close(store);
	store = NULL;
	r = passphrase_read(invocation->values[OPTION_PASSPHRASE_FILE], 1, passphrase);
	if (r == 0 && (r = store_open_beside(&store, state, why)) < 0)
		say("%s", why);
	if (r == 0) {
		r = store_backup(store, file, passphrase, why);
		sodium_memzero(passphrase, sizeof passphrase);
		if (r < 0)
			say("%s", why);
		else
			(void)printf("Saved %s in %s.\n"
				     "Keep the file and its passphrase apart: together they are "
				     "this site.\n",
				state, file);
	}
	store_close(store);
	return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

int command_restore(const struct invocation *invocation)
{
	const char *file = invocation->words[0];
	const char *state = invocation->values[OPTION_STATE];
	char passphrase[PASSPHRASE_SIZE];
	char why[STORE_WHY_SIZE];
	int r;

	if (access(file, R_OK) < 0) {
		say("%s: %s", file, strerror(errno));
		return STATUS_FAILED;
	}
	r = passphrase_read(invocation->values[OPTION_PASSPHRASE_FILE], 0, passphrase);
	if (r < 0)
		return STATUS_FAILED;
	r = store_restore(state, file, passphrase, why);
	sodium_memzero(passphrase, sizeof passphrase);
	if (r < 0) {
		say("%s", why);
		return STATUS_FAILED;
	}
	(void)printf("Restored %s from %s.\n", state, file);
	return STATUS_DONE;
}

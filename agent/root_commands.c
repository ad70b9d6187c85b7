/* SPDX-License-Identifier: MIT */
/*
 * root_commands.c - "collective root": the root key in a safe place, and not on this machine.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/asking.h"
#include "agent/passphrase.h"
#include "store/store.h"

static int read_root(const char *state, struct key *ret)
{
	char why[STORE_WHY_SIZE] = "";
	struct store *store;
	int r = store_open_beside(&store, state, why);

	if (r == 0) {
		r = store_key_read(store, STORE_KEY_ROOT, ret, why);
		store_close(store);
	}
	if (r == -ENOENT)
		say("the root key is not on this site");
	else if (r < 0)
		say("%s", why);
	return r;
}

int command_root_export(const struct invocation *invocation)
{
	const char *file = invocation->words[0];
	char passphrase[PASSPHRASE_SIZE];
	char why[STORE_WHY_SIZE];
	struct key root;
	int r;

	/* What is known to fail is said before anybody is asked for anything. */
	if (access(file, F_OK) == 0) {
		say("%s: a file of this name is there already", file);
		return STATUS_FAILED;
	}
	if (read_root(invocation->values[OPTION_STATE], &root) < 0)
		return STATUS_FAILED;
	r = passphrase_read(invocation->values[OPTION_PASSPHRASE_FILE], 1, passphrase);
	if (r == 0) {
		r = store_root_export(&root, file, passphrase, why);
		sodium_memzero(passphrase, sizeof passphrase);
		if (r < 0)
			say("%s", why);
	}
	key_wipe(&root);
	if (r < 0)
		return STATUS_FAILED;
	(void)printf(
		"Saved the root key in %s.\n"
		"Try that \"collective root import %s\" takes it back; then \"collective root "
		"remove\"\ntakes it off this machine. Keep the file and its passphrase apart.\n",
		file, file);
	return STATUS_DONE;
}

int command_root_import(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_ROOT_TAKE);
	const char *file = invocation->words[0];
	char passphrase[PASSPHRASE_SIZE];
	char why[STORE_WHY_SIZE];
	int status = STATUS_FAILED;

	if (access(file, R_OK) < 0) {
		say("%s: %s", file, strerror(errno));
		return STATUS_FAILED;
	}
	if (passphrase_read(invocation->values[OPTION_PASSPHRASE_FILE], 0, passphrase) < 0)
		return STATUS_FAILED;
	if (store_root_import(&request.command.key, file, passphrase, why) < 0)
		say("%s", why);
	else
		status = asking(invocation, false, &request, ASKING_PATIENCE, asking_show_words,
			(void *)(uintptr_t) "the root key is on this site: \"collective root "
					    "remove\" takes it off again");
	sodium_memzero(passphrase, sizeof passphrase);
	key_wipe(&request.command.key);
	return status;
}

/* Nobody gets it back whose only copy this was. */
static bool is_sure(void)
{
	char answer[8] = "";

	if (!isatty(STDIN_FILENO)) {
		say("whoever has no other copy of the root key cannot name admins any more: "
		    "\"collective root export FILE\" makes one, and --force removes it here");
		return false;
	}
	(void)fputs("Without another copy nobody can name admins any more. Is there one, from "
		    "\"collective root export\"? Type yes: ",
		stderr);
	if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0) {
		say("nothing was changed");
		return false;
	}
	return true;
}

int command_root_remove(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_ROOT_REMOVE);

	if (!invocation->given[OPTION_FORCE] && !is_sure())
		return STATUS_FAILED;
	return asking(invocation, false, &request, ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "the root key is off this machine");
}

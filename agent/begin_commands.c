/* SPDX-License-Identifier: MIT */
/*
 * begin_commands.c - the commands with which a site begins, and those that take it up and down.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/arguments.h"
#include "agent/asking.h"
#include "agent/launch.h"
#include "agent/memory.h"
#include "agent/settings.h"
#include "base/text.h"

#define SUPERNET "10.100.0.0/16"

/* Founding. */

static int default_name(const struct config *config, char ret[static TEXT_NAME_MAX + 1])
{
	char host[TEXT_NAME_MAX + 1] = "";

	if (config->site_name[0]) {
		memcpy(ret, config->site_name, sizeof config->site_name);
		return 0;
	}
	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	host[strcspn(host, ".")] = '\0';
	for (char *at = host; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	if (text_is_name(host)) {
		memcpy(ret, host, sizeof host);
		return 0;
	}
	say("this machine's name is no name for a site: give one with --name");
	return -EINVAL;
}

static int read_founding(const struct invocation *invocation, const struct config *config,
	struct site_command *command)
{
	const char *supernet = invocation->values[OPTION_SUPERNET];
	const char *name = invocation->values[OPTION_NAME];

	if ((name ? argument_name(name, command->name) : default_name(config, command->name)) < 0 ||
		argument_network(supernet ? supernet : SUPERNET, &command->supernet) < 0 ||
		argument_endpoints(&invocation->lists[OPTION_ENDPOINT], command) < 0)
		return -EINVAL;
	if (command->supernet.address.family != ADDRESS_IPV4 || command->supernet.length > 23) {
		say("the collective's network has to be an IPv4 one of /23 or wider: each site "
		    "gets "
		    "a /24 of it");
		return -EINVAL;
	}
	command->subnet = (struct prefix){command->supernet.address, 24};
	return 0;
}

static void print_next(const struct site_command *command, uint16_t port, bool started)
{
	(void)printf("Next:\n");
	if (!started)
		(void)printf("  collective up                   starts the agent\n");
	(void)printf("  forward UDP port %u of your router to this machine\n", port);
	if (command->endpoint_count == 0)
		(void)printf("  collective endpoint add HOST:%u   so that friends know where to "
			     "call\n",
			port);
	(void)printf("  collective invite NAME          makes an invite for a friend\n"
		     "  collective backup FILE          this machine alone holds the root key: "
		     "whoever loses it\n"
		     "                                  cannot name admins any more\n");
	(void)fflush(stdout);
}

static int found(const struct invocation *invocation, const struct config *config)
{
	struct control_request request = asking_for(SITE_COMMAND_FOUND);
	struct site_command *command = &request.command;
	char subnet[PREFIX_TEXT_SIZE];
	int status;

	if (read_founding(invocation, config, command) < 0)
		return STATUS_WRONG_USE;
	status = asking_or_writing(
		invocation, config, &request, ASKING_PATIENCE, asking_show_words, NULL);
	if (status != STATUS_DONE)
		return status;
	if (!invocation->given[OPTION_NO_START])
		launch_at_boot(invocation, true);
	prefix_print(&command->subnet, subnet);
	(void)printf("The collective is founded; this site is %s, %s.\n\n", command->name, subnet);
	print_next(command, config->backbone.port ? config->backbone.port : CONFIG_HUB_PORT,
		!invocation->given[OPTION_NO_START]);
	if (!invocation->given[OPTION_NO_START])
		asking_say_troubles(invocation);
	return STATUS_DONE;
}

/* Does something by the configuration, where that can be read. */
static int with_settings(const struct invocation *invocation,
	int (*command)(const struct invocation *invocation, const struct config *config))
{
	struct config *config = memory_zeroed(1, sizeof *config);
	int status = settings_load(invocation, config) < 0 ? STATUS_FAILED
							   : command(invocation, config);

	free(config);
	return status;
}

int command_init(const struct invocation *invocation)
{
	return with_settings(invocation, found);
}

/* Joining. */

/* The invite stands in the words, on standard input, or is asked for. Returns 0 or -EINVAL. */
static int read_invite(const struct invocation *invocation, char ret[static CONTROL_TEXT_MAX])
{
	const char *word = invocation->count > 0 ? invocation->words[0] : "-";
	char line[CONTROL_TEXT_MAX];
	size_t length;

	if (strcmp(word, "-") == 0) {
		if (isatty(STDIN_FILENO))
			(void)fputs("Invite: ", stderr);
		if (!fgets(line, sizeof line, stdin)) {
			say("there was no invite on standard input");
			return -EINVAL;
		}
		word = line;
	}
	word += strspn(word, " \t");
	length = strcspn(word, " \t\r\n");
	if (length == 0 || length >= CONTROL_TEXT_MAX) {
		say("this is no invite");
		return -EINVAL;
	}
	memcpy(ret, word, length);
	ret[length] = '\0';
	return 0;
}

/* What is known of a join once it is done. */
struct joined {
	char name[TEXT_NAME_MAX + 1];
	struct prefix prefix;
	char hub[TEXT_NAME_MAX + 1];
	int64_t rtt_us; /* -1: the hub does not answer yet */
};

static void show_join(const struct control_answer *answer, void *context)
{
	struct joined *joined = context;

	asking_say_progress(answer);
	if (answer->kind != CONTROL_DONE)
		return;
	if (answer->note[0])
		say("%s", answer->note);
	memcpy(joined->name, answer->name, sizeof joined->name);
	joined->prefix = answer->prefix;
}

/* Out of a status: the hub, and what stands in the way. */
static void show_hub(const struct control_answer *answer, void *context)
{
	struct joined *joined = context;

	asking_show_trouble(answer, NULL);
	if (answer->kind != CONTROL_SITE || !(answer->roles & ROLE_HUB))
		return;
	memcpy(joined->hub, answer->name, sizeof joined->hub);
	joined->rtt_us = answer->rtt_us;
}

static void say_joined(const struct invocation *invocation, struct joined *joined)
{
	struct control_request request = {.version = CONTROL_VERSION, .kind = CONTROL_STATUS};
	char prefix[PREFIX_TEXT_SIZE];
	char rtt[USEC_TEXT_SIZE];

	joined->rtt_us = -1;
	(void)asking(invocation, false, &request, ASKING_PATIENCE, show_hub, joined);
	prefix_print(&joined->prefix, prefix);
	(void)printf("joined %s%sas %s, %s, ", joined->hub, joined->hub[0] ? " " : "", joined->name,
		prefix);
	if (joined->rtt_us >= 0) {
		usec_print(joined->rtt_us, rtt);
		(void)printf("hub answers in %s\n", rtt);
	} else {
		(void)printf("but the hub does not answer: \"collective status\" shows whether "
			     "that lasts\n");
	}
}

static int join(const struct invocation *invocation, const struct config *config)
{
	struct control_request request = asking_for(SITE_COMMAND_JOIN);
	struct joined joined = {.name = ""};
	int status;

	if (read_invite(invocation, request.text) < 0)
		return STATUS_WRONG_USE;
	request.command.text = request.text;
	status = asking_or_writing(
		invocation, config, &request, 4 * ASKING_PATIENCE, show_join, &joined);
	sodium_memzero(request.text, sizeof request.text);
	/* The agent goes on with it, also where nobody waits for that any more. */
	if (!invocation->given[OPTION_NO_START])
		launch_at_boot(invocation, true);
	if (status == STATUS_DONE && joined.name[0])
		say_joined(invocation, &joined);
	else if (status == STATUS_DONE)
		(void)printf("The invite and this site's keys are saved: \"collective up\" "
			     "joins.\n");
	return status;
}

int command_join(const struct invocation *invocation)
{
	return with_settings(invocation, join);
}

/* Up and down. */

int command_up(const struct invocation *invocation)
{
	struct client client;

	if (launch_or_reach(invocation, true, &client) < 0)
		return STATUS_FAILED;
	client_close(&client);
	launch_at_boot(invocation, true);
	(void)printf("up: the agent runs; \"collective status\" shows what it sees\n");
	asking_say_troubles(invocation);
	return STATUS_DONE;
}

int command_down(const struct invocation *invocation)
{
	struct control_request request = asking_for(SITE_COMMAND_DOWN);
	int status;

	/* What an agent left that was killed, only an agent knows to take away. */
	status = asking(invocation, true, &request, 2 * ASKING_PATIENCE, asking_show_words,
		(void *)(uintptr_t) "down: interfaces, routes and rules were taken away");
	if (status == STATUS_DONE)
		launch_at_boot(invocation, false);
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "agent/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/json.h"
#include "base/text.h"
#include "config/words.h"
#include "gossip/invite.h"

#define BIT(option) (1u << (option))
#define NAME_SIZE 64
#define SHOWN_SIZE 64

const struct option_row option_rows[OPTIONS] = {
	[OPTION_CONFIG] =
		{
			.name = "config",
			.everywhere = true,
			.argument = "FILE",
			.environment = "COLLECTIVE_CONFIG",
			.fallback = "/etc/collective/collective.yaml",
			.help = "configuration file",
		},
	[OPTION_STATE] =
		{
			.name = "state",
			.everywhere = true,
			.argument = "DIR",
			.environment = "COLLECTIVE_STATE",
			.fallback = "/var/lib/collective",
			.help = "directory of keys and state",
		},
	[OPTION_RUN] =
		{
			.name = "run",
			.everywhere = true,
			.argument = "DIR",
			.environment = "COLLECTIVE_RUN",
			.fallback = "/run/collective",
			.help = "directory of the running agent's socket",
		},
	[OPTION_JSON] =
		{
			.name = "json",
			.help = "answer in JSON, for scripts",
		},
	[OPTION_PASSPHRASE_FILE] =
		{
			.name = "passphrase-file",
			.argument = "FILE",
			.help = "take the passphrase from the first line of a file",
		},
	[OPTION_NAME] =
		{
			.name = "name",
			.argument = "NAME",
			.help = "name of this site; else the machine's",
		},
	[OPTION_ENDPOINT] =
		{
			.name = "endpoint",
			.argument = "HOST:PORT",
			.help = "where friends call this hub; up to three times",
		},
	[OPTION_SUPERNET] =
		{
			.name = "supernet",
			.argument = "NETWORK",
			.help = "the collective's own network; else 10.100.0.0/16",
		},
	[OPTION_SUBNET] =
		{
			.name = "subnet",
			.argument = "NETWORK",
			.help = "part of it for the friend's site; else the first that is free",
		},
	[OPTION_TAG] =
		{
			.name = "tag",
			.argument = "TAG",
			.help = "a word that policies go by; may be given again",
		},
	[OPTION_ROUTE] =
		{
			.name = "route",
			.argument = "NETWORK",
			.help = "a network of the friend's home to be reached; may be given again",
		},
	[OPTION_EXPIRES] =
		{
			.name = "expires",
			.argument = "TIME",
			.help = "how long the invite is good for: 30m, 24h, 7d; else 24h",
		},
	[OPTION_APPROVE] =
		{
			.name = "approve",
			.help = "let nobody in before \"collective approve\"",
		},
	[OPTION_WATCH] =
		{
			.name = "watch",
			.help = "show it again every two seconds, until Ctrl-C",
		},
	[OPTION_NO_START] =
		{
			.name = "no-start",
			.help = "write the state, and leave the agent for \"collective up\"",
		},
	[OPTION_QR] =
		{
			.name = "qr",
			.help = "draw the invite for a telephone's camera as well",
		},
	[OPTION_FORCE] =
		{
			.name = "force",
			.help = "do it although others lose by it",
		},
	[OPTION_FOR] =
		{
			.name = "for",
			.argument = "TIME",
			.help = "how long the link is wanted: 30m, 2h, 7d; else until \"unlink\"",
		},
	[OPTION_HELP] =
		{
			.name = "help",
			.letter = 'h',
			.everywhere = true,
			.help = "explain, and do nothing",
		},
	[OPTION_VERSION] =
		{
			.name = "version",
			.letter = 'V',
			.everywhere = true,
			.help = "print the version, and do nothing",
		},
};

const struct command commands[] = {
	{
		.name = "init",
		.arguments = "",
		.summary = "found a collective; this site becomes its hub",
		.help = "Makes the collective's keys and this site's, and starts the agent. "
			"Friends are\n"
			"let in by \"collective invite\".",
		.options = BIT(OPTION_NAME) | BIT(OPTION_ENDPOINT) | BIT(OPTION_SUPERNET) |
			   BIT(OPTION_NO_START),
		.run = command_init,
	},
	{
		.name = "invite",
		.arguments = "NAME",
		.summary = "make an invite for a friend's site",
		.help = "The invite alone is written to standard output. It is a secret: send it "
			"by a\n"
			"channel you trust. Without --expires it is good for a day; one that "
			"lives\n"
			"longer has to be approved when it is used.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_TAG) | BIT(OPTION_SUBNET) | BIT(OPTION_ROUTE) |
			   BIT(OPTION_EXPIRES) | BIT(OPTION_APPROVE) | BIT(OPTION_QR),
		.run = command_invite,
	},
	{
		.name = "invites",
		.arguments = "",
		.summary = "list the invites and what became of them",
		.help = "",
		.run = command_invites,
	},
	{
		.name = "uninvite",
		.arguments = "NAME",
		.summary = "withdraw an invite",
		.help = "",
		.least = 1,
		.most = 1,
		.run = command_uninvite,
	},
	{
		.name = "approve",
		.arguments = "NAME",
		.summary = "say yes to a site that waits for it",
		.help = "To one that uses an invite, or to a member that asks for other networks.",
		.least = 1,
		.most = 1,
		.run = command_approve,
	},
	{
		.name = "join",
		.arguments = "[INVITE]",
		.summary = "join a collective by an invite",
		.help = "Without INVITE, or with \"-\", it is read from standard input, where "
			"other "
			"users\nof this machine cannot see it. Makes this site's keys, starts the "
			"agent, and\nwaits until this site is a member. It can be run again.",
		.most = 1,
		.options = BIT(OPTION_NO_START),
		.run = command_join,
	},
	{
		.name = "status",
		.arguments = "",
		.summary = "show the members and how they are reached",
		.help = "",
		.options = BIT(OPTION_JSON) | BIT(OPTION_WATCH),
		.run = command_status,
	},
	{
		.name = "ping",
		.arguments = "NAME",
		.summary = "ask a member's agent through the tunnel, and say how long it took",
		.help = "",
		.least = 1,
		.most = 1,
		.run = command_ping,
	},
	{
		.name = "link",
		.arguments = "NAME",
		.summary = "ask for a direct link with a member, around the hub",
		.help = "The other site has to allow it: by links.with in its configuration, or "
			"by a\n"
			"\"link\" of its own. What becomes of it says \"collective why\".",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_FOR),
		.run = command_link,
	},
	{
		.name = "unlink",
		.arguments = "NAME",
		.summary = "end the direct link with a member, and allow none until \"link\"",
		.help = "Packets go by the hub again; none is lost.",
		.least = 1,
		.most = 1,
		.run = command_unlink,
	},
	{
		.name = "why",
		.arguments = "NAME [NAME]",
		.summary = "say why a member is reached the way it is",
		.help = "With two names the first one is asked about the second.",
		.least = 1,
		.most = 2,
		.run = command_why,
	},
	{
		.name = "expel",
		.arguments = "NAME",
		.summary = "expel a member for ever; it can come back with new keys only",
		.help = "Says how many sites have confirmed it, and after how long.",
		.least = 1,
		.most = 1,
		.run = command_expel,
	},
	{
		.name = "leave",
		.arguments = "",
		.summary = "leave the collective and take everything off this machine",
		.help = "A site that has begun to join, and does not get in, forgets its invite. A "
			"hub\nthat others depend on leaves with --force only.",
		.options = BIT(OPTION_FORCE),
		.run = command_leave,
	},
	{
		.name = "rotate",
		.arguments = "",
		.summary = "change this site's WireGuard keys",
		.help = "Nothing is interrupted. A hub changes its key once every member has heard "
			"of "
			"the\nnext one, and says whom it waits for.",
		.run = command_rotate,
	},
	{
		.name = "endpoint add",
		.arguments = "HOST:PORT...",
		.summary = "say where friends call this hub",
		.help = "Names or addresses, three in all; PORT is 51821 where it is left out. "
			"Invites "
			"that\nare made from now on carry them.",
		.least = 1,
		.most = INVITE_ENDPOINTS_MAX,
		.run = command_endpoint_add,
	},
	{
		.name = "endpoint remove",
		.arguments = "HOST:PORT...",
		.summary = "take that back",
		.help = "",
		.least = 1,
		.most = INVITE_ENDPOINTS_MAX,
		.run = command_endpoint_remove,
	},
	{
		.name = "route add",
		.arguments = "NETWORK...",
		.summary = "announce networks of this home to the members",
		.help = "An admin's agent is asked, and says yes or waits for its owner. Says "
			"which "
			"one.",
		.least = 1,
		.most = FIELD_PREFIXES_MAX,
		.run = command_route_add,
	},
	{
		.name = "route remove",
		.arguments = "NETWORK...",
		.summary = "announce them no more",
		.help = "",
		.least = 1,
		.most = FIELD_PREFIXES_MAX,
		.run = command_route_remove,
	},
	{
		.name = "root export",
		.arguments = "FILE",
		.summary = "save the collective's root key in a file under a passphrase",
		.help = "Whoever has the root key names the admins. The passphrase is asked for; a "
			"script\ngives it on standard input or with --passphrase-file.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_PASSPHRASE_FILE),
		.run = command_root_export,
	},
	{
		.name = "root import",
		.arguments = "FILE",
		.summary = "take the root key back onto this site",
		.help = "For as long as admins are to be named or removed.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_PASSPHRASE_FILE),
		.run = command_root_import,
	},
	{
		.name = "root remove",
		.arguments = "",
		.summary = "take the root key off this machine",
		.help = "Asks first whether it is kept elsewhere; a script says so with --force.",
		.options = BIT(OPTION_FORCE),
		.run = command_root_remove,
	},
	{
		.name = "admin offer",
		.arguments = "",
		.summary = "offer that this site becomes an admin",
		.help = "Makes an admin's key here, which never leaves this machine.",
		.run = command_admin_offer,
	},
	{
		.name = "admin add",
		.arguments = "NAME",
		.summary = "make a member that offers it an admin, who may invite and expel",
		.help = "Needs the root key: the founder's site has it.",
		.least = 1,
		.most = 1,
		.run = command_admin_add,
	},
	{
		.name = "admin remove",
		.arguments = "NAME",
		.summary = "take that back; members it has let in stay",
		.help = "Needs the root key: the founder's site has it.",
		.least = 1,
		.most = 1,
		.run = command_admin_remove,
	},
	{
		.name = "doctor",
		.arguments = "",
		.summary = "look what on this machine may stand in the way, and say what to do",
		.help = "It looks, and changes nothing. Exit status 1: something will not work as "
			"it is.",
		.options = BIT(OPTION_JSON),
		.run = command_doctor,
	},
	{
		.name = "netcheck",
		.arguments = "",
		.summary = "say how this site stands towards the internet, and what would help",
		.help = "The hub is asked on its WireGuard port, from the port of the direct "
			"links,\n"
			"from where it sees this site; the home's router, whether it opens a port.",
		.options = BIT(OPTION_JSON),
		.run = command_netcheck,
	},
	{
		.name = "events",
		.arguments = "",
		.summary = "show what happened to this site",
		.help = "",
		.run = command_events,
	},
	{
		.name = "up",
		.arguments = "",
		.summary = "start the agent",
		.help = "",
		.run = command_up,
	},
	{
		.name = "down",
		.arguments = "",
		.summary = "end the agent and take everything of its off this machine",
		.help = "Keys and state stay; \"collective up\" brings all back.",
		.run = command_down,
	},
	{
		.name = "agent",
		.arguments = "",
		.summary = "run this site's agent in the foreground",
		.help = "It makes the interfaces, routes and rules of this site what the "
			"collective "
			"wants\nthem to be, keeps them so, and speaks with the other sites. "
			"SIGTERM "
			"ends it and\nleaves them to the next agent, so that nothing is "
			"interrupted; "
			"SIGINT (Ctrl-C)\ntakes all of them away. It needs CAP_NET_ADMIN and "
			"CAP_NET_RAW.",
		.run = command_agent,
	},
	{
		.name = "config check",
		.arguments = "[FILE]",
		.summary = "check a configuration file and name everything that is wrong",
		.help = "Without FILE the one named by --config is checked. \"-\" is standard "
			"input.\n"
			"Each problem is said with its line and column. Where this site already\n"
			"belongs to a collective, its networks are checked against that one's too.",
		.most = 1,
		.options = BIT(OPTION_JSON),
		.run = command_config_check,
	},
	{
		.name = "config example",
		.arguments = "",
		.summary = "print a configuration file in which every key is explained",
		.help = "",
		.run = command_config_example,
	},
	{
		.name = "config keys",
		.arguments = "[KEY]",
		.summary = "list the configuration keys, or explain one",
		.help = "",
		.most = 1,
		.options = BIT(OPTION_JSON),
		.run = command_config_keys,
	},
	{
		.name = "backup",
		.arguments = "FILE",
		.summary = "save this site's keys and state in one sealed file",
		.help = "The file is sealed by a passphrase, which is asked for at the terminal, "
			"or\n"
			"read from the first line of standard input where that is no terminal. A\n"
			"file that is there already is not touched. Who has the file and the\n"
			"passphrase can act as this site.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_PASSPHRASE_FILE),
		.run = command_backup,
	},
	{
		.name = "restore",
		.arguments = "FILE",
		.summary = "rebuild this site from a backup, where there is no state yet",
		.help = "Interrupted, it can be run again. Never run a site and its restored copy "
			"at\n"
			"the same time.",
		.least = 1,
		.most = 1,
		.options = BIT(OPTION_PASSPHRASE_FILE),
		.run = command_restore,
	},
	{
		.name = "version",
		.arguments = "",
		.summary = "print the version",
		.help = "",
		.options = BIT(OPTION_JSON),
		.run = command_version,
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "explain a command",
		.help = "",
		.most = 2,
		.run = command_help,
	},
};

const size_t command_count = sizeof commands / sizeof commands[0];

void say(const char *format, ...)
{
	va_list arguments;

	(void)fputs("collective: ", stderr);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
}

static void print_option(FILE *out, const struct option_row *row)
{
	char left[48];

	(void)snprintf(left, sizeof left, "%s%c%s--%s%s%s", row->letter ? "-" : " ",
		row->letter ? row->letter : ' ', row->letter ? ", " : "  ", row->name,
		row->argument ? " " : "", row->argument ? row->argument : "");
	(void)fprintf(out, "  %-29s %s", left, row->help);
	if (row->fallback)
		(void)fprintf(
			out, "\n  %-29s (%s; default %s)", "", row->environment, row->fallback);
	(void)fputc('\n', out);
}

static void print_overview(FILE *out)
{
	(void)fputs("Usage: collective COMMAND [ARGUMENT]... [OPTION]...\n\n"
		    "One private network for a group of friends, over WireGuard.\n\n"
		    "Commands:\n",
		out);
	for (size_t i = 0; i < command_count; i++) {
		char left[48];

		(void)snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
		(void)fprintf(out, "  %-28s %s\n", left, commands[i].summary);
	}
	(void)fputs("\nOptions, before or after the command:\n", out);
	for (int i = 0; i < OPTIONS; i++) {
		if (option_rows[i].everywhere)
			print_option(out, &option_rows[i]);
	}
	(void)fputs("\n\"collective help COMMAND\" says more; so does the manual, collective(8).\n",
		out);
}

static void print_command(FILE *out, const struct command *command)
{
	(void)fprintf(out, "Usage: collective %s%s%s [OPTION]...\n\n%c%s.\n", command->name,
		command->arguments[0] ? " " : "", command->arguments,
		command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->help[0])
		(void)fprintf(out, "\n%s\n", command->help);
	(void)fputs("\nOptions:\n", out);
	for (int i = 0; i < OPTIONS; i++) {
		if (option_rows[i].everywhere || (command->options & BIT(i)))
			print_option(out, &option_rows[i]);
	}
}

/* Whether the command's name is the first words; says how many they are. */
static bool name_matches(const struct command *command, char **words, size_t count, size_t *used)
{
	char name[NAME_SIZE];
	bool two = strchr(command->name, ' ') != NULL;

	if (count < (two ? 2u : 1u))
		return false;
	(void)snprintf(name, sizeof name, "%s%s%s", words[0], two ? " " : "", two ? words[1] : "");
	*used = two ? 2 : 1;
	return strcmp(name, command->name) == 0;
}

static const struct command *find_command(char **words, size_t count, size_t *used)
{
	for (size_t i = 0; i < command_count; i++) {
		if (name_matches(&commands[i], words, count, used))
			return &commands[i];
	}
	return NULL;
}

/* Whether a word begins commands of two words, as "config" does. */
static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < command_count; i++) {
		if (strncmp(commands[i].name, word, length) == 0 && commands[i].name[length] == ' ')
			return true;
	}
	return false;
}

static void print_group(FILE *out, const char *group)
{
	size_t length = strlen(group);

	(void)fprintf(out, "Commands of \"%s\":\n", group);
	for (size_t i = 0; i < command_count; i++) {
		if (strncmp(commands[i].name, group, length) == 0 &&
			commands[i].name[length] == ' ')
			(void)fprintf(out, "  %-28s %s\n", commands[i].name, commands[i].summary);
	}
}

/* Offers what a command can begin with. */
static void offer_first_words(struct text_nearest *nearest)
{
	static const char *const groups[] = {"admin", "config", "endpoint", "route"};

	for (size_t i = 0; i < command_count; i++) {
		if (!strchr(commands[i].name, ' '))
			text_nearest_offer(nearest, commands[i].name);
	}
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		text_nearest_offer(nearest, groups[i]);
}

/* Says that there is no such command, with the nearest one there is. */
static int refuse_command(char **words, size_t count)
{
	struct text_nearest nearest;
	char typed[NAME_SIZE];
	char shown[SHOWN_SIZE];

	if (is_group(words[0]) && count == 1) {
		say("\"%s\" needs one more word", words[0]);
		print_group(stderr, words[0]);
		return STATUS_WRONG_USE;
	}
	(void)snprintf(typed, sizeof typed, "%s", words[0]);
	text_nearest_init(&nearest, typed);
	if (!is_group(words[0]))
		offer_first_words(&nearest);
	if (count > 1 && is_group(words[0])) {
		(void)snprintf(typed, sizeof typed, "%s %s", words[0], words[1]);
		text_nearest_init(&nearest, typed);
		for (size_t i = 0; i < command_count; i++)
			text_nearest_offer(&nearest, commands[i].name);
	}
	text_show(typed, strlen(typed), shown, sizeof shown);
	if (nearest.best)
		say("there is no command \"%s\": did you mean \"%s\"?", shown, nearest.best);
	else
		say("there is no command \"%s\": \"collective help\" lists them", shown);
	return STATUS_WRONG_USE;
}

int command_help(const struct invocation *invocation)
{
	const struct command *command;
	size_t used;

	if (invocation->count == 0) {
		print_overview(stdout);
		return STATUS_DONE;
	}
	/* What stands behind the command is of no matter: "backup home.backup --help" is clear. */
	command = find_command(invocation->words, invocation->count, &used);
	if (command) {
		print_command(stdout, command);
		return STATUS_DONE;
	}
	if (invocation->count == 1 && is_group(invocation->words[0])) {
		print_group(stdout, invocation->words[0]);
		return STATUS_DONE;
	}
	return refuse_command(invocation->words, invocation->count);
}

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

static int take_option(int option, const char *argument, void *context)
{
	struct invocation *invocation = context;

	struct option_list *list = &invocation->lists[option];

	invocation->given[option] = true;
	invocation->values[option] = argument;
	if (list->count < OPTION_REPEATS_MAX)
		list->items[list->count++] = argument;
	return 0;
}

/* Reads the options out of the words. Returns 0 or an exit status. */
static int read_options(struct invocation *invocation, int argc, char **argv)
{
	struct words words = {.program = "collective",
		.list = "collective help",
		.count = OPTIONS,
		.wrong_use = STATUS_WRONG_USE};
	int r;

	for (int i = 0; i < OPTIONS; i++)
		words.options[i] = (struct words_option){
			option_rows[i].name, option_rows[i].letter, option_rows[i].argument};
	r = words_read(&words, argc, argv, take_option, invocation);
	invocation->words = argv + optind;
	invocation->count = (size_t)(argc - optind);
	return r;
}

/* What the command line left open comes from the environment, then from the table. */
static void fill_options(struct invocation *invocation)
{
	for (int i = 0; i < OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];
		const char *value = row->environment ? getenv(row->environment) : NULL;

		if (invocation->values[i])
			continue;
		invocation->values[i] = value && value[0] ? value : row->fallback;
	}
}

static int check_use(const struct command *command, const struct invocation *invocation)
{
	for (int i = 0; i < OPTIONS; i++) {
		if (invocation->given[i] && !option_rows[i].everywhere &&
			!(command->options & BIT(i))) {
			say("\"%s\" takes no --%s", command->name, option_rows[i].name);
			return STATUS_WRONG_USE;
		}
	}
	if (invocation->count >= command->least && invocation->count <= command->most)
		return 0;
	say("usage: collective %s%s%s [OPTION]...", command->name, command->arguments[0] ? " " : "",
		command->arguments);
	return STATUS_WRONG_USE;
}

static int dispatch(struct invocation *invocation)
{
	const struct command *command;
	size_t used;
	int r;

	if (invocation->given[OPTION_VERSION])
		return command_version(invocation);
	if (invocation->given[OPTION_HELP])
		return command_help(invocation);
	if (invocation->count == 0) {
		print_overview(stderr);
		return STATUS_WRONG_USE;
	}
	command = find_command(invocation->words, invocation->count, &used);
	if (!command)
		return refuse_command(invocation->words, invocation->count);
	invocation->words += used;
	invocation->count -= used;
	r = check_use(command, invocation);
	return r ? r : command->run(invocation);
}

int command_main(int argc, char **argv, int64_t clock_offset_ms)
{
	struct invocation invocation = {.clock_offset_ms = clock_offset_ms};
	int status = read_options(&invocation, argc, argv);

	if (status)
		return status;
	fill_options(&invocation);
	status = dispatch(&invocation);
	/* A full disk behind a redirection is a failure of what was asked for. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		say("cannot write the answer: %s", strerror(errno));
		return STATUS_FAILED;
	}
	return status;
}
